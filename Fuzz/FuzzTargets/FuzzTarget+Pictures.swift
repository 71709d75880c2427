import Foundation
import TensorIO

/// Pictures, decoded as datasets are.
extension FuzzTarget {
    static var pictures: [FuzzTarget] {
        [
            picture("png", endings: [".png"], mend: PNG.mend), picture("jpeg", endings: [".jpg"]),
            picture("webp", endings: [".webp"]),
        ]
    }

    private static func picture(
        _ name: String, endings: [String],
        mend: @escaping @Sendable (inout [UInt8], inout FuzzRandom) -> Void = { _, _ in }
    ) -> FuzzTarget {
        FuzzTarget(
            name,
            dictionary: [
                "IHDR", "IDAT", "PLTE", "tRNS", "eXIf", "IEND", "Exif\0\0", "tiff:Orientation=\"6\"", "RIFF", "VP8X",
            ],
            seeds: { _ in
                let names = try FileManager.default.contentsOfDirectory(atPath: FuzzFolder.fixtures + "/images")
                    .sorted()
                let seeds = try names.filter { name in endings.contains { name.hasSuffix($0) } }.map {
                    try FuzzFolder.fixture("images/\($0)")
                }
                return seeds.isEmpty ? [Array("RIFF\0\0\0\0WEBPVP8 ".utf8)] : seeds
            }, mend: mend
        ) { bytes, _ in
            try bytes.withUnsafeBytes { raw in
                _ = try Image.size(decoding: raw, name: name)
                // Small files of large pictures are a matter of the budget, and would take all the time here.
                guard try Image.decodingByteCount(raw, name: name) < 1 << 24 else { return }
                _ = try Image.withDecoded(raw, name: name) { $0.width }
            }
        }
    }
}

/// Checksums of PNG's chunks.
enum PNG {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    @Sendable static func mend(_ bytes: inout [UInt8], _ random: inout FuzzRandom) {
        var place = 8
        while place + 12 <= bytes.count {
            let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
            guard length <= bytes.count - place - 12 else { return }
            let end = place + 8 + length
            let sum = bytes[place + 4..<end].reduce(UInt32.max) {
                table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8
            }
            for index in 0..<4 { bytes[end + index] = UInt8(truncatingIfNeeded: ~sum >> UInt32(24 - 8 * index)) }
            place = end + 4
        }
    }
}
