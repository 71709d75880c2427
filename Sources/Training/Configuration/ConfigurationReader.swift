import Foundation
import TensorIO
import Yams

/// Fills a configuration from YAML and overrides, and collects every fault on the way.
struct ConfigurationReader<Root: RunSettings> {
    /// What has been read so far; the required keys are empty until then.
    private(set) var configuration = Root.schema.blank()
    private(set) var faults: [ConfigurationError.Fault] = []
    /// What a user should know of what was read, one sentence each.
    private(set) var notices: [String] = []
    /// Where each key was given last, and whether its type was right.
    private var places: [String: (file: String, line: Int?, isValid: Bool)] = [:]
    /// The name that stands for the configuration as a whole.
    private let file: String
    /// Whether the file is a mapping, so that what it lacks is worth a word.
    private var isReadable = true

    init(file: String) { self.file = file }

    /// Reads a whole file.
    mutating func read(text: String) {
        let document = ConfigurationDocument(text, file: file)
        faults += document.faults
        faults += document.duplicates.map { duplicate in
            .init(
                file, line: duplicate.line, key: duplicate.key,
                message: "expected a key once, found it again (first on line \(duplicate.firstLine))")
        }
        isReadable = document.faults.isEmpty && (document.root != nil || document.duplicates.isEmpty)
        if let root = document.root, !isNull(root) { read(root, section: "", from: file) }
    }

    /// Applies `key=value`; the value is YAML.
    mutating func apply(override: String) {
        let flag = "--set"
        guard let equals = override.firstIndex(of: "="), equals != override.startIndex else {
            faults.append(.init(flag, message: "expected key=value, found '\(override)'"))
            return
        }
        let key = override[..<equals].trimmingCharacters(in: .whitespaces)
        let value = String(override[override.index(after: equals)...])
        let document = ConfigurationDocument(value, file: flag)
        guard document.faults.isEmpty, document.duplicates.isEmpty else {
            faults += document.faults.map { .init(flag, key: key, message: $0.message) }
            faults += document.duplicates.map {
                .init(flag, key: key + "." + $0.key, message: "expected a key once, found it twice")
            }
            return
        }
        read(document.root ?? Node("", .implicit, .plain), key: key, line: nil, from: flag)
    }

    /// The whole configuration. Throws ``ConfigurationError`` when anything was wrong, missing or out of bounds.
    mutating func finish() throws -> Root {
        if isReadable {
            for field in Root.schema.fields where field.isRequired && places[field.key] == nil {
                faults.append(.init(file, key: field.key, message: "expected \(field.type), found nothing (required)"))
            }
            for (key, message) in configuration.valueFaults() {
                // A key of the wrong type is reported already, and so is a required one that is missing.
                let place = places[key]
                if place?.isValid == false || place == nil && faults.contains(where: { $0.key == key }) { continue }
                faults.append(.init(place?.file ?? file, line: place?.line, key: key, message: message))
            }
        }
        guard faults.isEmpty else {
            let order = faults.enumerated().sorted { a, b in
                let x = (a.element.file == file ? 0 : 1, a.element.line ?? .max, a.offset)
                let y = (b.element.file == file ? 0 : 1, b.element.line ?? .max, b.offset)
                return x < y
            }
            throw ConfigurationError(order.map(\.element))
        }
        return configuration
    }

    /// Reads the keys of one section.
    private mutating func read(_ node: Node, section: String, from file: String) {
        guard let mapping = node.mapping else {
            if section.isEmpty { isReadable = false }
            faults.append(
                .init(
                    file, line: file == self.file ? node.mark?.line : nil, key: section.isEmpty ? nil : section,
                    message: "expected a mapping, found \(brief(node))"))
            return
        }
        for (name, value) in mapping {
            let line = file == self.file ? name.mark?.line : nil
            let key = (section.isEmpty ? "" : section + ".") + (name.scalar?.string ?? brief(name))
            read(value, key: key, line: line, from: file)
        }
    }

    /// Reads one key: a section or a field.
    private mutating func read(_ node: Node, key: String, line: Int?, from file: String) {
        if let field = Root.schema.fields.first(where: { $0.formerKey == key }) {
            notices.append("\(file)\(line.map { ", line \($0)" } ?? ""): \(key) is called \(field.key) now")
            guard places[field.key] == nil else {
                faults.append(
                    .init(
                        file, line: line, key: key,
                        message: "expected one of \(key) and \(field.key), which is its new name, found both"))
                return
            }
            return read(node, key: field.key, line: line, from: file)
        }
        if let field = Root.schema.fields.first(where: { $0.key == key }) {
            let messages = field.set(node, &configuration)
            places[key] = (file, line, messages.isEmpty)
            // The lines of an override are not those of a file.
            for message in messages {
                faults.append(
                    .init(file, line: line == nil ? nil : message.line ?? line, key: key, message: message.text))
            }
        } else if let section = Root.schema.optionalSections.first(where: { $0.key == key }) {
            places[key] = (file, line, true)
            section.setPresent(!isNull(node), &configuration)
            if !isNull(node) { read(node, section: key, from: file) }
        } else if Root.schema.sections.contains(key) {
            places[key] = (file, line, true)
            // A section whose keys are all commented out is an empty one.
            if !isNull(node) { read(node, section: key, from: file) }
        } else {
            let nearest = Self.suggestion(for: key)
            faults.append(
                .init(
                    file, line: line, key: key,
                    message: "unknown key" + (nearest.map { " (did you mean '\($0)'?)" } ?? "")))
        }
    }

    /// The valid key that was probably meant: the same name in another section, the key that another trainer calls so, a
    /// misspelling in the same section, or a misspelling anywhere.
    static func suggestion(for key: String) -> String? {
        let parts = key.split(separator: ".").map(String.init)
        guard let name = parts.last else { return nil }
        let section = parts.dropLast().joined(separator: ".")
        let keys = Root.schema.fields.map(\.key) + Root.schema.sections
        func siblings(of section: String) -> [String] {
            keys.filter { $0.split(separator: ".").dropLast().joined(separator: ".") == section }
        }
        func misspelt(in candidates: [String]) -> String? {
            let names = candidates.map { $0.split(separator: ".").last.map(String.init) ?? $0 }
            return nearestName(to: name, among: names).flatMap { nearest in
                candidates.first { $0 == nearest || $0.hasSuffix("." + nearest) }
            }
        }
        if let same = Root.schema.fields.first(where: { $0.name == name }) { return same.key }
        if let peer = Root.schema.fields.first(where: { $0.peerNames.contains(name) }) { return peer.key }
        if let sibling = misspelt(in: siblings(of: section)) { return sibling }
        return nearestName(to: key, among: keys) ?? misspelt(in: Root.schema.fields.map(\.key))
    }
}
