public import Foundation
public import TensorIO

/// The flat fields of a part's `config.json`, read with a check each: every fault is a `FileError` that names the file
/// and the key.
///
/// ```swift
/// let file = try ConfigurationFile(path: folder + "/config.json")
/// let layers = try file.integer("num_layers", default: 19, in: 0...1024)
/// try file.refuseUnknown(besides: ["num_layers"])
/// ```
public struct ConfigurationFile {
    /// A field's value, as far as configurations go.
    private enum Field: Decodable {
        case null
        case flag(Bool)
        case integer(Int)
        case number(Double)
        case text(String)
        case list([Field])
        case nested([String: Field])

        init(from decoder: any Decoder) throws {
            let box = try decoder.singleValueContainer()
            if box.decodeNil() {
                self = .null
            } else if let value = try? box.decode(Bool.self) {
                self = .flag(value)
            } else if let value = try? box.decode(Int.self) {
                self = .integer(value)
            } else if let value = try? box.decode(Double.self) {
                self = .number(value)
            } else if let value = try? box.decode(String.self) {
                self = .text(value)
            } else if let value = try? box.decode([Field].self) {
                self = .list(value)
            } else {
                self = .nested(try box.decode([String: Field].self))
            }
        }

        /// As `JSONSerialization` takes it.
        var value: Any {
            switch self {
            case .null: NSNull()
            case .flag(let value): value
            case .integer(let value): value
            case .number(let value): value
            case .text(let value): value
            case .list(let values): values.map(\.value)
            case .nested(let fields): fields.mapValues(\.value)
            }
        }

        var description: String {
            switch self {
            case .null: "null"
            case .flag(let value): "\(value)"
            case .integer(let value): "\(value)"
            case .number(let value): "\(value)"
            case .text(let value): "'\(value)'"
            case .list(let values): "[" + values.prefix(8).map(\.description).joined(separator: ", ") + "]"
            case .nested: "an object"
            }
        }
    }

    /// The file's path.
    public let path: String
    private let fields: [String: Field]

    /// Reads the file, whose top level must be an object.
    public init(path: String) throws {
        self.path = path
        let data = Data(try TextFile(contentsOf: path, expected: "a JSON file").text.utf8)
        do {
            fields = try JSONDecoder().decode([String: Field].self, from: data)
        } catch {
            throw FileError(path, expected: "a JSON object", found: "\(data.count) bytes that are none")
        }
    }

    /// Takes fields that were found elsewhere: in the metadata of the file at `path`, say.
    public init(path: String, json: Data) throws {
        self.path = path
        do {
            fields = try JSONDecoder().decode([String: Field].self, from: json)
        } catch {
            throw FileError(
                path, key: "configuration", expected: "a JSON object", found: "\(json.count) bytes that are none")
        }
    }

    /// The fields as the text of a `config.json`.
    public func text() throws -> String {
        let data = try JSONSerialization.data(withJSONObject: fields.mapValues(\.value), options: [.sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }

    /// The names of all fields.
    public var keys: [String] { fields.keys.sorted() }

    /// A fault of the field `key`.
    public func fault(_ key: String, expected: String) -> FileError {
        FileError(path, key: key, expected: expected, found: fields[key]?.description ?? "nothing")
    }

    /// A whole number in `range`; `absent` where the file does not have the field or has null.
    public func integer(
        _ key: String, default absent: Int? = nil, in range: ClosedRange<Int> = 1...1 << 24
    ) throws -> Int {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        let value: Int
        switch fields[key] {
        case .integer(let found): value = found
        case nil, .null:
            guard let absent else { throw fault(key, expected: expected) }
            value = absent
        default: throw fault(key, expected: expected)
        }
        guard range.contains(value) else { throw fault(key, expected: expected) }
        return value
    }

    /// A finite number; `absent` where the file does not have the field or has null.
    public func number(_ key: String, default absent: Double? = nil) throws -> Double {
        switch fields[key] {
        case .integer(let value): return Double(value)
        case .number(let value) where value.isFinite: return value
        case nil, .null:
            if let absent { return absent }
            throw fault(key, expected: "a number")
        default: throw fault(key, expected: "a number")
        }
    }

    /// A finite number, or nil where the file does not have the field or has null.
    public func numberIfAny(_ key: String) throws -> Double? { isAbsent(key) ? nil : try number(key) }

    /// True or false; `absent` where the file does not have the field or has null.
    public func flag(_ key: String, default absent: Bool? = nil) throws -> Bool {
        if case .flag(let value) = fields[key] { return value }
        if let absent, isAbsent(key) { return absent }
        throw fault(key, expected: "true or false")
    }

    /// A text; `absent` where the file does not have the field or has null.
    public func text(_ key: String, default absent: String? = nil) throws -> String {
        if case .text(let value) = fields[key] { return value }
        if let absent, isAbsent(key) { return absent }
        throw fault(key, expected: "a text")
    }

    /// A list of whole numbers; `absent` where the file does not have the field or has null.
    public func integers(_ key: String, default absent: [Int]? = nil) throws -> [Int] {
        if let absent, isAbsent(key) { return absent }
        guard case .list(let values) = fields[key] else { throw fault(key, expected: "a list of whole numbers") }
        return try values.map {
            guard case .integer(let value) = $0 else { throw fault(key, expected: "a list of whole numbers") }
            return value
        }
    }

    /// A list of texts; nulls inside it become nil.
    public func texts(_ key: String) throws -> [String?] {
        guard case .list(let values) = fields[key] else { throw fault(key, expected: "a list of texts") }
        return try values.map {
            switch $0 {
            case .text(let value): return value
            case .null: return nil
            default: throw fault(key, expected: "a list of texts")
            }
        }
    }

    /// Whether the field is missing or null.
    public func isAbsent(_ key: String) -> Bool {
        switch fields[key] {
        case nil, .null: true
        default: false
        }
    }

    /// Throws for the first field that is not among `known`; names that begin with an underscore are the writer's notes.
    public func refuseUnknown(besides known: [String]) throws {
        for key in keys where !key.hasPrefix("_") && !known.contains(key) {
            throw FileError(
                path, key: key, expected: "a field that this model knows", found: fields[key]!.description,
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
