/// The file formats that ``Image`` reads.
public enum StoredImageFormat: String, Sendable, CaseIterable {
    /// Portable Network Graphics.
    case png = "PNG"
    /// JPEG, baseline or progressive.
    case jpeg = "JPEG"
    /// WebP, lossy or lossless, still.
    case webp = "WebP"

    /// The endings of names of such files, without the dot, in lower case.
    public static let suffixes = ["png", "jpg", "jpeg", "webp"]

    /// The formats as a phrase: `PNG, JPEG or WebP`.
    public static let phrase = "PNG, JPEG or WebP"

    /// Whether a file's name ends as that of a picture.
    public static func hasSuffix(_ name: String) -> Bool {
        let lower = name.lowercased()
        return suffixes.contains { lower.hasSuffix("." + $0) }
    }

    /// What the first bytes of a file must be, and the name of the format: those read here, and those that are
    /// recognised only to be named in an error.
    private static let signatures: [(offset: Int, bytes: [UInt8], name: String)] = [
        (0, [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "PNG"),
        (0, [0xFF, 0xD8, 0xFF], "JPEG"),
        (8, Array("WEBP".utf8), "WebP"),
        (0, Array("GIF8".utf8), "GIF"),
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

    /// The picture's format in words, with its article; nil for what is no picture.
    static func name(of bytes: UnsafeRawBufferPointer) -> String? {
        let known = signatures.first { bytes.dropFirst($0.offset).starts(with: $0.bytes) }
        return known.map { (["AVIF", "SVG"].contains($0.name) ? "an " : "a ") + $0.name + " file" }
    }

    /// Tells the format by the content, not by the name. Throws ``FileError`` that names what was found.
    init(of bytes: UnsafeRawBufferPointer, name: String) throws {
        let known = Self.signatures.first { signature in
            bytes.dropFirst(signature.offset).starts(with: signature.bytes)
        }
        if let format = known.flatMap({ StoredImageFormat(rawValue: $0.name) }) {
            self = format
            return
        }
        let digits = bytes.prefix(12).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        let start = digits.joined(separator: " ")
        let found =
            bytes.isEmpty
            ? "an empty file"
            : known.map { "\(["AVIF", "SVG"].contains($0.name) ? "an" : "a") \($0.name) file (\(start))" }
                ?? FileContent.name(of: bytes) ?? "the bytes \(start)"
        throw FileError(name, expected: "a \(Self.phrase) image", found: found)
    }
}
