public import TensorIO

/// The flat fields of a part's `config.json`, read with a check each: every fault is a ``FileError`` that names the file
/// and the key.
///
/// ```swift
/// let file = try ConfigurationFile(path: folder + "/config.json")
/// let layers = try file.integer("num_layers", default: 19, in: 0...1024)
/// try file.refuseUnknown(besides: ["num_layers"])
/// ```
public struct ConfigurationFile {
    /// The file's path.
    public let path: String
    private let fields: [String: JSONValue]

    /// Reads the file, whose top level must be an object.
    public init(path: String) throws {
        let text = try TextFile(contentsOf: path, expected: "a JSON file").text
        try self.init(path: path, key: nil, text: text)
    }

    /// Takes fields that were found elsewhere: in the metadata of the file at `path`, say.
    public init(path: String, text: String) throws { try self.init(path: path, key: "configuration", text: text) }

    private init(path: String, key: String?, text: String) throws {
        let value: JSONValue
        do { value = try JSONValue(parsing: text) } catch let fault as JSONFault {
            throw FileError(path, key: key, expected: "a JSON object", found: "text that is none: \(fault)")
        }
        guard let fields = value.fields else {
            throw FileError(path, key: key, expected: "a JSON object", found: value.kind)
        }
        self.init(path: path, fields: fields)
    }

    /// Takes fields that were told from something else in the file at `path`.
    init(path: String, fields: [String: JSONValue]) {
        self.path = path
        self.fields = fields
    }

    /// The fields as the text of a `config.json`.
    public func text() throws -> String { JSONValue(fields: fields).text(.compact.sorted) }

    /// The names of all fields.
    public var keys: [String] { fields.keys.sorted() }

    /// A fault of the field `key`.
    public func fault(_ key: String, expected: String) -> FileError {
        FileError(path, key: key, expected: expected, found: Self.shown(fields[key]))
    }

    private static func shown(_ value: JSONValue?) -> String {
        switch value {
        case nil: "nothing"
        case .string(let text): "'\(text)'"
        case .array(let values): "[" + values.prefix(8).map(shown).joined(separator: ", ") + "]"
        case .object: "an object"
        case let value?: value.description
        }
    }

    /// A whole number in `range`; `absent` where the file does not have the field or has null.
    public func integer(
        _ key: String, default absent: Int? = nil, in range: ClosedRange<Int> = 1...1 << 24
    ) throws -> Int {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        let value = isAbsent(key) ? absent : fields[key]?.integer
        guard let value else { throw fault(key, expected: expected) }
        guard range.contains(value) else { throw fault(key, expected: expected) }
        return value
    }

    /// A finite number; `absent` where the file does not have the field or has null.
    public func number(_ key: String, default absent: Double? = nil) throws -> Double {
        guard let value = isAbsent(key) ? absent : fields[key]?.double else { throw fault(key, expected: "a number") }
        return value
    }

    /// A finite number, or nil where the file does not have the field or has null.
    public func numberIfAny(_ key: String) throws -> Double? { isAbsent(key) ? nil : try number(key) }

    /// True or false; `absent` where the file does not have the field or has null.
    public func flag(_ key: String, default absent: Bool? = nil) throws -> Bool {
        if let value = fields[key]?.bool { return value }
        if let absent, isAbsent(key) { return absent }
        throw fault(key, expected: "true or false")
    }

    /// A text; `absent` where the file does not have the field or has null.
    public func text(_ key: String, default absent: String? = nil) throws -> String {
        if let value = fields[key]?.string { return value }
        if let absent, isAbsent(key) { return absent }
        throw fault(key, expected: "a text")
    }

    /// A list of whole numbers; `absent` where the file does not have the field or has null.
    public func integers(_ key: String, default absent: [Int]? = nil) throws -> [Int] {
        if let absent, isAbsent(key) { return absent }
        guard let values = fields[key]?.elements else { throw fault(key, expected: "a list of whole numbers") }
        return try values.map {
            guard let value = $0.integer else { throw fault(key, expected: "a list of whole numbers") }
            return value
        }
    }

    /// A list of texts; nulls inside it become nil.
    public func texts(_ key: String) throws -> [String?] {
        guard let values = fields[key]?.elements else { throw fault(key, expected: "a list of texts") }
        return try values.map {
            switch $0 {
            case .string(let value): return value
            case .null: return nil
            default: throw fault(key, expected: "a list of texts")
            }
        }
    }

    /// Whether the field is missing or null.
    public func isAbsent(_ key: String) -> Bool {
        fields[key]?.isNull ?? true
    }

    /// Throws for the first field that is not among `known`; names that begin with an underscore are the writer's notes.
    public func refuseUnknown(besides known: [String]) throws {
        for key in keys where !key.hasPrefix("_") && !known.contains(key) {
            throw FileError(
                path, key: key, expected: "a field that this model knows", found: Self.shown(fields[key]),
                nearest: nearestName(to: key, among: known))
        }
    }

    /// Throws unless `_class_name`, where it is written, is one of `names`.
    public func requireClass(_ names: [String]) throws {
        if isAbsent("_class_name") { return }
        guard names.contains(try text("_class_name")) else {
            throw fault("_class_name", expected: names.joined(separator: " or "))
        }
    }
}
