/// A value together with its place in its file, so that whoever reads it can say where a fault lies.
package struct JSONNode: Sendable {
    /// The file's path.
    package let path: String
    /// The place in the file, as `model.vocab[3]`; empty for the whole file.
    package let key: String
    /// What stands there.
    package let value: JSONValue

    /// Reads a whole file. Throws ``FileError`` that names the byte where the text is no JSON.
    package init(file path: String) throws {
        self.path = path
        key = ""
        let text = try TextFile(contentsOf: path, expected: "a file").text
        do {
            value = try JSONValue(parsing: text)
        } catch let fault as JSONFault {
            throw FileError(
                path, key: "byte \(fault.position)", expected: "JSON: \(fault.expected)",
                found: fault.found ?? "the end of the file")
        }
    }

    private init(path: String, key: String, value: JSONValue) {
        self.path = path
        self.key = key
        self.value = value
    }

    /// The error that something else stands here.
    package func fault(expected: String, found: String? = nil, nearest: String? = nil) -> FileError {
        FileError(path, key: key.isEmpty ? nil : key, expected: expected, found: found ?? value.kind, nearest: nearest)
    }

    /// A member of this object; nil if it is absent or null.
    package func member(_ name: String) throws -> JSONNode? {
        guard value.members != nil else { throw fault(expected: "an object") }
        guard let member = value[name], !member.isNull else { return nil }
        return JSONNode(path: path, key: key.isEmpty ? name : "\(key).\(name)", value: member)
    }

    /// A member that must be there.
    package func required(_ name: String, _ expected: String) throws -> JSONNode {
        if let node = try member(name) { return node }
        throw FileError(path, key: key.isEmpty ? name : "\(key).\(name)", expected: expected, found: "nothing")
    }

    /// The members of this object.
    package func members() throws -> [(key: String, value: JSONNode)] {
        guard let members = value.members else { throw fault(expected: "an object") }
        let prefix = key.isEmpty ? "" : key + "."
        return members.map {
            ($0.key, JSONNode(path: path, key: prefix + printable($0.key, limit: 40), value: $0.value))
        }
    }

    /// The elements of this array.
    package func elements() throws -> [JSONNode] {
        guard let elements = value.elements else { throw fault(expected: "an array") }
        return elements.enumerated().map { JSONNode(path: path, key: "\(key)[\($0.offset)]", value: $0.element) }
    }

    /// The text that stands here.
    package func string() throws -> String {
        guard let text = value.string else { throw fault(expected: "a string") }
        return text
    }

    /// The truth value that stands here.
    package func bool() throws -> Bool {
        guard let flag = value.bool else { throw fault(expected: "true or false") }
        return flag
    }

    /// A flag that has a value when it is not written.
    package func flag(_ name: String, default absent: Bool) throws -> Bool { try member(name)?.bool() ?? absent }
}

extension JSONValue {
    /// What it is, in words for an error.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let number): printable(number.literal, limit: 40)
        case .string(let value): "'\(printable(value, limit: 40))'"
        case .array(let elements): "an array of \(elements.count)"
        case .object(let members): "an object of \(members.count)"
        }
    }
}
