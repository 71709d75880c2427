import TensorIO

/// JSON as this program prints it: keys in snake case and in order, indented, no control character that a terminal obeys.
enum JSONText {
    /// The text of a value.
    static func of(_ value: some Encodable) throws -> String {
        of(try JSONValue(encoding: value, JSONCoding(usesSnakeCase: true, writesNonFiniteAsText: true)))
    }

    /// The text of a value whose keys stay as they are.
    static func of(_ value: JSONValue) -> String { value.text(.indented.sorted.forTerminals) }
}
