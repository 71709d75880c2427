import CStorage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension Image {
    /// Writes a PNG or JPEG file, as the extension says (`.png`, `.jpg`, `.jpeg`); it appears whole or not at all.
    ///
    /// `jpegQuality` (1 … 100) matters for JPEG only. Throws ``FileError`` for other extensions and for what the file
    /// system refuses.
    public func write(to path: String, jpegQuality: Int = 95) throws {
        let format = try ImageFormat(extensionOf: path, jpegQuality: jpegQuality)
        let bytes = try encoded(as: format, name: path)
        try AtomicFile.write(to: path) { try $0.write(bytes) }
    }

    /// The bytes of a PNG file (8-bit RGB) or of a JPEG file (baseline, chroma halved both ways as Pillow's default);
    /// `name` stands for it in errors. Throws ``FileError`` when a side is longer than the format can state.
    public func encoded(as format: ImageFormat, name: String = "image") throws -> [UInt8] {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        var fault = CImageFault()
        let status =
            switch format {
            case .png: cimage_png_encode(pixels, UInt32(width), UInt32(height), &bytes, &count, &fault)
            case .jpeg(let quality):
                cimage_jpeg_encode(
                    pixels, UInt32(width), UInt32(height), Self.checked(quality: quality), &bytes, &count, &fault)
            }
        guard status == 0 else { throw FileError(name, fault) }
        defer { free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    private static func checked(quality: Int) -> CInt {
        precondition(1...100 ~= quality, "JPEG quality \(quality)")
        return CInt(quality)
    }
}
