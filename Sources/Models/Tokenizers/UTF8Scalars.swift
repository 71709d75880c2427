extension UTF8 {
    /// How many bytes a character takes, by its first one; 1 for a byte that begins none.
    static func width(leadingByte byte: UInt8) -> Int {
        switch byte {
        case ..<0xC0: 1
        case ..<0xE0: 2
        case ..<0xF0: 3
        default: 4
        }
    }
}

/// Characters of a text that is kept as UTF-8. The text must be valid, as everything from a `String` is.
extension [UInt8] {
    /// The character that begins at a byte; nil at the end.
    func scalar(at start: Int) -> Unicode.Scalar? {
        guard start < count else { return nil }
        let lead = self[start]
        if lead < 0x80 { return Unicode.Scalar(lead) }
        let end = Swift.min(start + UTF8.width(leadingByte: lead), count)
        var value = UInt32(lead) & (0xFF >> UInt32(end - start + 1))
        for index in start + 1..<end { value = value << 6 | UInt32(self[index] & 0x3F) }
        return Unicode.Scalar(value)
    }

    /// The character that ends before a byte; nil at the beginning.
    func scalar(before end: Int) -> Unicode.Scalar? {
        guard end > 0 else { return nil }
        var start = end - 1
        while start > 0, self[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(at: start)
    }

    mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.isASCII { append(UInt8(scalar.value)) } else { append(contentsOf: UTF8.encode(scalar)!) }
    }
}
