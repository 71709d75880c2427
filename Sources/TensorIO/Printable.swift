/// A text from a file as it may stand in a line on a terminal: what would steer the terminal is escaped, and what goes on
/// after `limit` characters is cut off.
///
/// Escaped are control characters, ESC among them, the separators of lines and of paragraphs, and the marks that turn the
/// direction of writing: a name must not be able to clear the screen, or to look like another. The work does not depend on
/// the length of the text.
package func printable(_ text: some StringProtocol, limit: Int = 96) -> String {
    var line = ""
    var length = 0
    for scalar in text.unicodeScalars {
        guard length < limit else { return line + "…" }
        if scalar.isSteering {
            line +=
                scalar.isASCII
                ? scalar.escaped(asASCII: true) : "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        } else {
            line.unicodeScalars.append(scalar)
        }
        length += 1
    }
    return line
}

/// Lines from files, whole, with everything escaped that ``printable(_:limit:)`` escapes but line feeds and tabs: the last
/// gate before a terminal. The form `\u001B` is one that JSON and YAML read back, in which such characters stand in quotes.
package func printableLines(_ text: String) -> String {
    if text.utf8.allSatisfy({ 0x20..<0x7F ~= $0 || $0 == 0x0A || $0 == 0x09 }) { return text }
    var lines = ""
    for scalar in text.unicodeScalars {
        if scalar.isSteering, scalar != "\n", scalar != "\t" {
            lines += "\\u" + zeroPadded(scalar.value, digits: 4, radix: 16, uppercase: true)
        } else {
            lines.unicodeScalars.append(scalar)
        }
    }
    return lines
}

/// A number with zeros in front, of at least so many digits.
package func zeroPadded(
    _ number: some BinaryInteger, digits: Int, radix: Int = 10, uppercase: Bool = false
) -> String {
    let text = String(number, radix: radix, uppercase: uppercase)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}

extension Unicode.Scalar {
    /// Whether a terminal or a reader of lines would do something else than show it.
    fileprivate var isSteering: Bool {
        switch value {
        case 0x20..<0x7F: false
        case 0..<0x20, 0x7F..<0xA0: true
        case 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
