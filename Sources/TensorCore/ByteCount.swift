/// A size in bytes as people write it: `4GiB`, `512 MiB`, `6.5GB`, `123456`.
public struct ByteCount: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The number of bytes.
    public let bytes: Int

    /// A number of bytes.
    public init(_ bytes: Int) { self.bytes = bytes }

    private static let units: [(name: String, size: Double)] = [
        ("gib", 0x1p30), ("mib", 0x1p20), ("kib", 0x1p10), ("gb", 1e9), ("mb", 1e6), ("kb", 1e3), ("b", 1), ("", 1),
    ]

    /// Reads a number and its unit, GiB, MiB, KiB, GB, MB, KB or B in any case; nil for everything else, negative and
    /// beyond 2^60 bytes.
    public init?(_ text: String) {
        let lower = text.lowercased()
        for (name, size) in Self.units where lower.hasSuffix(name) {
            var digits = lower.dropLast(name.count)
            while digits.last == " " { digits.removeLast() }
            guard let first = digits.first, first.isNumber, digits.allSatisfy({ $0.isNumber || $0 == "." }),
                let number = Double(String(digits)), number * size <= 0x1p60
            else { return nil }
            bytes = Int(number * size)
            return
        }
        return nil
    }

    /// Which is less.
    public static func < (a: ByteCount, b: ByteCount) -> Bool { a.bytes < b.bytes }

    /// `3.25 GiB`, `812 MiB`, `17 KiB`, `12 B`.
    public var description: String {
        let count = Double(bytes)
        if count >= 0x1p30 {
            let hundredths = Int((count / 0x1p30 * 100).rounded())
            let fraction = hundredths % 100
            return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) GiB"
        }
        if count >= 0x1p20 { return "\(Int((count / 0x1p20).rounded())) MiB" }
        return count >= 0x1p10 ? "\(Int((count / 0x1p10).rounded())) KiB" : "\(bytes) B"
    }
}
