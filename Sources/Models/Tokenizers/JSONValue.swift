import TensorIO

/// A value of a JSON file (RFC 8259); an object keeps its members in the file's order.
///
/// Foundation's reader is not used here: it stores keys in a dictionary of `String`, whose equality takes canonically
/// equivalent texts for one key, and it cannot tell `true` from `1` on every platform. A vocabulary minds both.
enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// The largest id of a token: no table of vectors has so many rows, and sums of ids stay far from their type's end.
    static let largestTokenID: Int32 = (1 << 24) - 1
    static let tokenIDExpectation = "a token id (a whole number from 0 to \(largestTokenID))"

    /// The value as the id of a token; nil when it is none.
    var tokenID: Int32? {
        guard case .number(let number) = self, let id = Int32(exactly: number), 0...Self.largestTokenID ~= id else {
            return nil
        }
        return id
    }

    /// What it is, in words for an error.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let value): value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
        case .string(let value): "'\(abbreviated(value))'"
        case .array(let elements): "an array of \(elements.count)"
        case .object(let members): "an object of \(members.count)"
        }
    }
}

/// A value together with its place in its file, so that whoever reads it can say where a fault lies.
struct JSONNode: Sendable {
    /// The file's path.
    let path: String
    /// The place in the file, as `model.vocab[3]`; empty for the whole file.
    let key: String
    let value: JSONValue

    /// Reads a whole file.
    init(file path: String) throws {
        self.path = path
        key = ""
        var parser = JSONParser(Array(try TextFile(contentsOf: path, expected: "a file").text.utf8), path: path)
        value = try parser.document()
    }

    private init(path: String, key: String, value: JSONValue) {
        self.path = path
        self.key = key
        self.value = value
    }

    /// The error that something else stands here.
    func fault(expected: String, found: String? = nil, nearest: String? = nil) -> FileError {
        FileError(
            path, key: key.isEmpty ? nil : key, expected: expected, found: found ?? value.kind, nearest: nearest)
    }

    /// A member of this object; nil if it is absent or null.
    func member(_ name: String) throws -> JSONNode? {
        guard case .object(let members) = value else { throw fault(expected: "an object") }
        guard let member = members.last(where: { $0.key.utf8.elementsEqual(name.utf8) }) else { return nil }
        if case .null = member.value { return nil }
        return JSONNode(path: path, key: key.isEmpty ? name : "\(key).\(name)", value: member.value)
    }

    /// A member that must be there.
    func required(_ name: String, _ expected: String) throws -> JSONNode {
        if let node = try member(name) { return node }
        throw FileError(path, key: key.isEmpty ? name : "\(key).\(name)", expected: expected, found: "nothing")
    }

    /// The members of this object.
    func members() throws -> [(key: String, value: JSONNode)] {
        guard case .object(let members) = value else { throw fault(expected: "an object") }
        let prefix = key.isEmpty ? "" : key + "."
        return members.map { ($0.key, JSONNode(path: path, key: prefix + abbreviated($0.key), value: $0.value)) }
    }

    /// The elements of this array.
    func elements() throws -> [JSONNode] {
        guard case .array(let elements) = value else { throw fault(expected: "an array") }
        return elements.enumerated().map { JSONNode(path: path, key: "\(key)[\($0.offset)]", value: $0.element) }
    }

    func string() throws -> String {
        guard case .string(let text) = value else { throw fault(expected: "a string") }
        return text
    }

    func bool() throws -> Bool {
        guard case .bool(let flag) = value else { throw fault(expected: "true or false") }
        return flag
    }

    /// A token id: a whole number that fits the encoders' embedding tables.
    func tokenID() throws -> Int32 {
        guard let id = value.tokenID else { throw fault(expected: JSONValue.tokenIDExpectation) }
        return id
    }

    /// A flag that has a value when it is not written.
    func flag(_ name: String, default absent: Bool) throws -> Bool { try member(name)?.bool() ?? absent }

    /// The `type` member, which every part of a `tokenizer.json` carries.
    func type() throws -> String { try required("type", "the part's type").string() }
}
