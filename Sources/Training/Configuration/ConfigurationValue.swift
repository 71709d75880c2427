import Foundation
import TensorCore
import TensorIO
import Yams

/// How one kind of value is named, read from YAML, written to it and bounded.
struct ConfigurationValue<Value>: Sendable {
    /// What stands behind "expected": `integer, 1 or more`.
    let name: String
    /// `nil` when the node is of another type.
    let read: @Sendable (Node) -> Value?
    let write: @Sendable (Value) -> Node
    /// Whether a value of the right type is within bounds.
    let isValid: @Sendable (Value) -> Bool
    /// The valid words, for suggestions.
    var words: [String] = []
    /// What is wrong inside a node of several parts that cannot be read, where that says more than the node's name.
    var explain: @Sendable (Node) -> [ConfigurationMessage] = { _ in [] }
}

extension ConfigurationValue where Value == Int {
    static func integer(_ bounds: ClosedRange<Int>) -> Self {
        Self(
            name: bounds.upperBound == .max
                ? "integer, \(bounds.lowerBound) or more" : "integer, \(bounds.lowerBound) to \(bounds.upperBound)",
            read: { node in plainScalar(node).flatMap { Int($0.replacing("_", with: "")) } },
            write: { Node(String($0), .implicit, .plain) },
            isValid: { bounds.contains($0) })
    }

    static func integer(_ bounds: PartialRangeFrom<Int>) -> Self { integer(bounds.lowerBound...Int.max) }

    /// Canvases are cut into latent pixels of 8, packed by 2.
    static func pixels() -> Self {
        let any = integer(16...16384)
        return Self(
            name: "integer, a multiple of 16 up to 16384", read: any.read, write: any.write,
            isValid: { any.isValid($0) && $0 % 16 == 0 })
    }
}

extension ConfigurationValue where Value == Double {
    /// A finite number for which `isValid` holds; `bounds` says so in words.
    static func number(_ bounds: String = "", where isValid: @escaping @Sendable (Double) -> Bool = { _ in true })
        -> Self
    {
        Self(
            name: bounds.isEmpty ? "number" : "number, \(bounds)",
            read: { node in
                plainScalar(node).flatMap { Double($0.replacing("_", with: "")) }.flatMap { $0.isFinite ? $0 : nil }
            },
            write: { Node(numberText($0), .implicit, .plain) },
            isValid: { $0.isFinite && isValid($0) })
    }

    static var fraction: Self { number("0 to 1") { (0...1).contains($0) } }
    static var positive: Self { number("above 0") { $0 > 0 } }
    static var notNegative: Self { number("0 or more") { $0 >= 0 } }
    static var decay: Self { number("0 or more and below 1") { $0 >= 0 && $0 < 1 } }
}

extension ConfigurationValue where Value == Bool {
    static var boolean: Self {
        Self(
            name: "true or false",
            read: { node in
                switch plainScalar(node)?.lowercased() {
                case "true", "yes", "on": true
                case "false", "no", "off": false
                default: nil
                }
            },
            write: { Node(String($0), .implicit, .plain) },
            isValid: { _ in true })
    }
}

extension ConfigurationValue where Value == String {
    /// A path; a leading `~/` is the home folder.
    static var path: Self {
        Self(
            name: "path",
            read: { node in
                text(node).map { $0.hasPrefix("~/") ? NSHomeDirectory() + $0.dropFirst() : $0 }
            },
            write: textNode,
            isValid: { !$0.isEmpty && !$0.utf8.contains(0) })
    }

    /// The name of a file, without folders.
    static var fileName: Self {
        Self(
            name: "file name without folders", read: { text($0) }, write: textNode,
            isValid: { !$0.isEmpty && !$0.contains("/") && $0 != "." && $0 != ".." && !$0.utf8.contains(0) })
    }
}

extension ConfigurationValue where Value == String {
    /// A size in bytes with its unit.
    static var byteCount: Self {
        Self(
            name: "size such as 12GiB or 800MiB", read: { text($0) }, write: textNode,
            isValid: { ByteCount($0) != nil })
    }
}

extension ConfigurationValue where Value == [String] {
    /// Patterns of module names.
    static var patterns: Self {
        Self(
            name: "list of patterns, each once",
            read: { node in
                guard let nodes = node.sequence else { return nil }
                let texts = nodes.compactMap(text)
                return texts.count == nodes.count ? texts : nil
            },
            write: { Node($0.map(textNode), .implicit, .block) },
            isValid: { !$0.isEmpty && $0.allSatisfy { !$0.isEmpty } && Set($0).count == $0.count })
    }
}

extension ConfigurationValue where Value == [String] {
    /// A list of texts that are not empty; `what` they are stands in its name.
    static func texts(_ what: String) -> Self {
        Self(
            name: "list of \(what)",
            read: { node in
                guard let nodes = node.sequence else { return nil }
                let texts = nodes.compactMap(text)
                return texts.count == nodes.count ? texts : nil
            },
            write: { Node($0.map(textNode), .implicit, .flow) },
            isValid: { $0.allSatisfy { !$0.isEmpty && !$0.utf8.contains(0) } })
    }
}

extension ConfigurationValue where Value == [Int] {
    /// A list of whole numbers; `bounds` says in words which.
    static func integers(_ bounds: String, where isValid: @escaping @Sendable (Int) -> Bool) -> Self {
        let one = ConfigurationValue<Int>.integer(Int.min...Int.max)
        return Self(
            name: "list of integers, \(bounds)",
            read: { node in
                guard let nodes = node.sequence else { return nil }
                let numbers = nodes.compactMap(one.read)
                return numbers.count == nodes.count ? numbers : nil
            },
            write: { Node($0.map(one.write), .implicit, .flow) },
            isValid: { $0.allSatisfy(isValid) })
    }
}

extension ConfigurationValue where Value == [Double] {
    /// A list of finite numbers; `bounds` says in words which.
    static func numbers(_ bounds: String, where isValid: @escaping @Sendable (Double) -> Bool) -> Self {
        let one = ConfigurationValue<Double>.number(bounds, where: isValid)
        return Self(
            name: "list of numbers, \(bounds)",
            read: { node in
                guard let nodes = node.sequence else { return nil }
                let numbers = nodes.compactMap(one.read)
                return numbers.count == nodes.count ? numbers : nil
            },
            write: { Node($0.map(one.write), .implicit, .flow) },
            isValid: { $0.allSatisfy(one.isValid) })
    }

    /// Two decay factors.
    static var decayPair: Self {
        let one = ConfigurationValue<Double>.decay
        return Self(
            name: "list of two numbers, each 0 or more and below 1",
            read: { node in
                guard let nodes = node.sequence else { return nil }
                let numbers = nodes.compactMap(one.read)
                return numbers.count == nodes.count ? numbers : nil
            },
            write: { Node($0.map(one.write), .implicit, .flow) },
            isValid: { $0.count == 2 && $0.allSatisfy(one.isValid) })
    }
}

extension ConfigurationValue where Value == ImageBackground {
    /// A colour by its name or by its hexadecimal digits.
    static var background: Self {
        Self(
            name: "\(ImageBackground.expected) (in quotes)",
            read: { node in text(node).flatMap(ImageBackground.init(rawValue:)) },
            write: { Node($0.rawValue, .implicit, $0.rawValue.hasPrefix("#") ? .doubleQuoted : .any) },
            isValid: { _ in true })
    }
}

extension ConfigurationValue where Value: CaseIterable & SendableMetatype {
    /// One of the cases of an enumeration, each by its word.
    static func choice(_ word: @escaping @Sendable (Value) -> String) -> Self {
        let words = Value.allCases.map(word)
        return Self(
            name: words.count == 2
                ? "\(words[0]) or \(words[1])" : words.dropLast().joined(separator: ", ") + " or " + words.last!,
            read: { node in text(node).flatMap { found in Value.allCases.first { word($0) == found } } },
            write: { textNode(word($0)) },
            isValid: { _ in true },
            words: words)
    }
}

extension ConfigurationValue where Value: RawRepresentable<String> & CaseIterable & SendableMetatype {
    /// One of the words of an enumeration.
    static var choice: Self { choice { $0.rawValue } }
}

extension ConfigurationValue {
    /// The same, or `null`.
    static func optional<Wrapped: Sendable>(_ value: ConfigurationValue<Wrapped>) -> ConfigurationValue<Wrapped?> {
        ConfigurationValue<Wrapped?>(
            name: value.name + "; or null",
            read: { node in isNull(node) ? .some(nil) : value.read(node).map { .some($0) } },
            write: { $0.map(value.write) ?? Node("null", .implicit, .plain) },
            isValid: { $0.map(value.isValid) ?? true })
    }
}

/// Whether a node says "nothing".
func isNull(_ node: Node) -> Bool {
    guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
}

/// What stands behind "found": the node in a few words, on one line.
func brief(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar):
        if isNull(node) { return "nothing" }
        let text = scalar.string.count > 60 ? scalar.string.prefix(60) + "…" : scalar.string[...]
        return "'" + String(text).map { $0.isNewline || $0 == "\t" ? " " : String($0) }.joined() + "'"
    case .sequence(let nodes):
        let parts = nodes.map(brief).joined(separator: ", ")
        return parts.count > 60 ? "a list of \(nodes.count)" : "[\(parts)]"
    case .mapping: return "a mapping"
    case .alias: return "an alias"
    }
}

/// The text of an unquoted scalar, which alone can be a number or a truth value.
private func plainScalar(_ node: Node) -> String? {
    guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else { return nil }
    return scalar.string
}

private func text(_ node: Node) -> String? {
    guard let scalar = node.scalar, !isNull(node) else { return nil }
    return scalar.string
}

/// A scalar that reads back as the same text, quoted unless it is a simple word.
@Sendable private func textNode(_ text: String) -> Node {
    let isSimple =
        text.first.map { $0.isASCII && ($0.isLetter || $0 == "/") } ?? false
        && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_./-*".contains($0)) }
        && Resolver.default.resolveTag(of: Node(text)) == .str
    return isSimple ? Node(text, .implicit, .plain) : Node(text, .implicit, .doubleQuoted)
}

/// The shortest text that reads back as `number`; whole numbers without a fraction.
func numberText(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
}
