/// The colour that transparent parts of a picture are laid over, spelled `white`, `gray`, `black` or `#rrggbb`.
///
///     let cutout = try Image(contentsOf: "cat.png", background: ImageBackground("#204060")!)
public struct ImageBackground: RawRepresentable, Sendable, Hashable, Codable, CustomStringConvertible {
    /// The colour.
    public let color: Image.Pixel

    /// A colour.
    public init(_ color: Image.Pixel) { self.color = color }

    /// What most viewers and web pages show behind a picture.
    public static let white = ImageBackground([255, 255, 255])

    /// The names; of one colour the first is its ``rawValue``.
    private static let names: [(name: String, color: Image.Pixel)] = [
        ("white", [255, 255, 255]), ("black", [0, 0, 0]), ("gray", [128, 128, 128]), ("grey", [128, 128, 128]),
    ]

    /// What is accepted, for an error.
    public static let expected = "white, black, gray or #rrggbb"

    /// A name or six hexadecimal digits; nil for other texts.
    public init?(rawValue: String) {
        if let known = Self.names.first(where: { $0.name == rawValue.lowercased() }) {
            color = known.color
            return
        }
        let digits = rawValue.utf8.dropFirst()
        guard rawValue.utf8.first == UInt8(ascii: "#"), digits.count == 6,
            digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(rawValue.dropFirst(), radix: 16)
        else { return nil }
        color = [UInt8(value >> 16), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
    }

    /// The name, or `#rrggbb`.
    public var rawValue: String {
        if let known = Self.names.first(where: { $0.color == color }) { return known.name }
        return (0..<3).reduce(into: "#") { text, channel in
            text += (color[channel] < 16 ? "0" : "") + String(color[channel], radix: 16)
        }
    }

    /// The ``rawValue``.
    public var description: String { rawValue }
}
