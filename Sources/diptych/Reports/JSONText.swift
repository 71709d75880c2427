import Foundation

/// JSON as this program prints it: keys in snake case and in order, indented, no control character that a terminal obeys.
enum JSONText {
    /// The text of a value.
    static func of(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return printable(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// The text of dictionaries, lists, texts and numbers.
    static func of(object: Any) throws -> String {
        let bytes = try JSONSerialization.data(
            withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return printable(String(decoding: bytes, as: UTF8.self))
    }

    /// JSON escapes the control characters of ASCII itself; those behind it stand in texts only, where `\u` may.
    private static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if (0x7F...0x9F).contains(scalar.value) || scalar.value == 0x2028 || scalar.value == 0x2029 {
                let digits = String(scalar.value, radix: 16)
                result.append(
                    contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }
}
