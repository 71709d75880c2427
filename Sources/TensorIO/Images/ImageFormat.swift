/// The file formats that ``Image`` reads and writes.
public enum ImageFormat: Sendable, Equatable {
    /// Portable Network Graphics, lossless.
    case png
    /// JPEG; `quality` 1 … 100 matters when writing only.
    case jpeg(quality: Int = 95)

    /// What the first bytes of a file must be, and the name of the format: those read here, and those that are
    /// recognised only to be named in an error.
    private static let signatures: [(offset: Int, bytes: [UInt8], name: String)] = [
        (0, [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "PNG"),
        (0, [0xFF, 0xD8, 0xFF], "JPEG"),
        (0, Array("GIF8".utf8), "GIF"),
        (8, Array("WEBP".utf8), "WebP"),
        (4, Array("ftypavif".utf8), "AVIF"),
        (4, Array("ftypheic".utf8), "HEIC"),
        (4, Array("ftypmif1".utf8), "HEIF"),
        (0, Array("BM".utf8), "BMP"),
        (0, [0x49, 0x49, 0x2A, 0x00], "TIFF"),
        (0, [0x4D, 0x4D, 0x00, 0x2A], "TIFF"),
        (0, [0xFF, 0x0A], "JPEG XL"),
        (4, Array("JXL ".utf8), "JPEG XL"),
        (4, Array("jP  ".utf8), "JPEG 2000"),
        (0, Array("8BPS".utf8), "Photoshop"),
        (0, Array("%PDF".utf8), "PDF"),
        (0, Array("<svg".utf8), "SVG"),
        (0, [0x50, 0x4B, 0x03, 0x04], "ZIP"),
        (0, [0x1F, 0x8B], "gzip"),
    ]

    /// Tells the format by the content, not by the name. Throws ``FileError`` that names what was found.
    init(of bytes: UnsafeRawBufferPointer, name: String) throws {
        let known = Self.signatures.first { signature in
            bytes.dropFirst(signature.offset).starts(with: signature.bytes)
        }
        switch known?.name {
        case "PNG": self = .png
        case "JPEG": self = .jpeg()
        case let other:
            let digits = bytes.prefix(12).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
            let start = digits.joined(separator: " ")
            let found =
                bytes.isEmpty
                ? "an empty file"
                : other.map { "\($0 == "AVIF" || $0 == "SVG" ? "an" : "a") \($0) file (\(start))" }
                    ?? "the bytes \(start)"
            throw FileError(name, expected: "a PNG or JPEG image", found: found)
        }
    }

    /// The format that a file name's extension asks for. Throws ``FileError`` for other extensions.
    init(extensionOf path: String, jpegQuality: Int) throws {
        let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        let suffix = name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
        switch suffix {
        case "png": self = .png
        case "jpg", "jpeg": self = .jpeg(quality: jpegQuality)
        default:
            throw FileError(
                path, expected: "a name that ends in .png, .jpg or .jpeg",
                found: suffix.isEmpty ? "no extension" : ".\(suffix)",
                nearest: nearestName(to: suffix, among: ["png", "jpg", "jpeg"]).map { ".\($0)" })
        }
    }
}
