import TensorIO

/// What a token's id may be.
enum TokenID {
    /// The largest: no table of vectors has so many rows, and sums of ids stay far from their type's end.
    static let largest: Int32 = (1 << 24) - 1
    /// The words for it in errors.
    static let expected = "a token id (a whole number from 0 to \(largest))"
}

extension JSONValue {
    /// The value as the id of a token; nil when it is none.
    var tokenID: Int32? {
        guard case .number(let number) = self, let id = number.integer(Int32.self), 0...TokenID.largest ~= id else {
            return nil
        }
        return id
    }
}

extension JSONNode {
    /// A token id: a whole number that fits the encoders' embedding tables.
    func tokenID() throws -> Int32 {
        guard let id = value.tokenID else { throw fault(expected: TokenID.expected) }
        return id
    }

    /// The `type` member, which every part of a `tokenizer.json` carries.
    func type() throws -> String { try required("type", "the part's type").string() }
}
