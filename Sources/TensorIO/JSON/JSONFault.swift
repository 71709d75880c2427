/// What is wrong with a JSON text: what was expected at which byte, and what stood there.
package struct JSONFault: Error, CustomStringConvertible, Equatable {
    /// The byte, counted from 0.
    package let position: Int
    /// What was expected there.
    package let expected: String
    /// What stood there; nil when the text ended.
    package let found: String?

    init(position: Int, expected: String, found: String?) {
        self.position = position
        self.expected = expected
        self.found = found
    }

    /// A key that its object has already.
    init(repeated key: String, at position: Int) {
        self.init(position: position, expected: Self.eachKeyOnce, found: "'\(printable(key))' twice")
    }

    private static let eachKeyOnce = "each key once"

    /// Whether the fault is a key that comes twice.
    package var isRepeatedKey: Bool { expected == Self.eachKeyOnce }

    /// `expected … at byte N, found …`
    package var description: String { "expected \(expected) at byte \(position), found \(found ?? "the end")" }
}
