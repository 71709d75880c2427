public import TensorIO
import Yams

extension RunSettings {
    /// Reads a YAML file, applies overrides and checks the result.
    ///
    /// `overrides` are `key=value`, such as `training.steps=100` or `adapter.lora.targets=["*.proj_out"]`; they win over
    /// the file. A section may be removed (`adapter.moe=null`) or added with its defaults (`adapter.moe={}`).
    /// Throws ``ConfigurationError`` with every fault of the file and of the overrides: unknown and repeated keys, wrong
    /// types, values out of bounds or at odds with each other. Paths in it are not looked at; see
    /// ``validateFiles(source:isResuming:)``. `notice` hears of keys that were renamed and are read under their old names.
    public static func load(
        _ path: String, overrides: [String] = [], notice: (String) -> Void = { _ in }
    ) throws -> Self {
        let text: String
        do {
            let bytes = try readWholeFile(
                path, expected: "a YAML file", maximumByteCount: 1 << 20, allowsPipes: true)
            text = try TextFile.decode(bytes)
        } catch let fault as EncodingFault {
            throw ConfigurationError([
                .init(
                    path, line: fault.line, column: fault.column,
                    message: "expected \(EncodingFault.expected), found \(fault.found)")
            ])
        } catch let fault as FileError {
            throw ConfigurationError([.init(path, message: "expected \(fault.expected), found \(fault.found)")])
        }
        return try parse(text, file: path, overrides: overrides, notice: notice)
    }

    /// The same for a text; `file` is what errors call it.
    public static func parse(
        _ text: String, file: String = "configuration", overrides: [String] = [],
        notice: (String) -> Void = { _ in }
    ) throws -> Self {
        var reader = ConfigurationReader<Self>(file: file)
        reader.read(text: text)
        for override in overrides { reader.apply(override: override) }
        reader.notices.forEach(notice)
        return try reader.finish()
    }

    /// The configuration with every key, in the order of `documentation`, as YAML that reads back as the same value.
    public var yaml: String {
        do {
            return try Yams.serialize(node: node(ofSection: ""), indent: 2, width: -1, allowUnicode: true)
        } catch {
            // Only a failing allocation inside the emitter leads here: every node is a plain scalar, list or mapping.
            preconditionFailure("YAML emitter: \(error)")
        }
    }

    /// The configuration with every key as JSON: nested objects with the keys of the YAML.
    public var json: JSONValue { Self.json(node(ofSection: "").any) }

    /// What Yams makes of a node, as JSON.
    private static func json(_ value: Any) -> JSONValue {
        switch value {
        case let value as Bool: .bool(value)
        case let value as any BinaryInteger: JSONValue(value)
        case let value as Double: JSONValue(value)
        case let value as String: .string(value)
        case let values as [Any]: .array(values.map(json))
        case let fields as [AnyHashable: Any]:
            JSONValue(fields: Dictionary(uniqueKeysWithValues: fields.map { ("\($0.key)", json($0.value)) }))
        default: .null
        }
    }

    private func node(ofSection section: String) -> Node {
        let prefix = section.isEmpty ? "" : section + "."
        var pairs: [(Node, Node)] = []
        var done: Set<String> = []
        for field in Self.schema.fields where field.key.hasPrefix(prefix) {
            let parts = field.key.dropFirst(prefix.count).split(separator: ".")
            let name = String(parts[0])
            guard done.insert(name).inserted else { continue }
            let value: Node
            if parts.count == 1 {
                value = field.node(self)
            } else {
                value = has(prefix + name) ? node(ofSection: prefix + name) : Node("null", .implicit, .plain)
            }
            pairs.append((Node(name), value))
        }
        return Node(pairs, .implicit, .block)
    }
}
