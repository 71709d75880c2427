import CStorage

extension Image {
    /// The largest width or height that is read.
    public static let maximumSide = 16384

    /// Reads a PNG or a JPEG file, told by its content.
    ///
    /// Every layout of both formats is read and comes out as Pillow's `ImageOps.exif_transpose` and `convert("RGB")`
    /// give it: alpha is dropped, grey repeated, 16 bits cut to their upper 8 (16-bit grey without alpha is clipped at
    /// 255), four inks turned to light, and the orientation of EXIF applied. Throws ``FileError`` for files that
    /// cannot be read, other formats, damaged or truncated content, and sides above ``maximumSide``.
    public init(contentsOf path: String) throws {
        let bytes = try readWholeFile(path, expected: "an image file that can be read")
        self = try bytes.withUnsafeBytes { try Image(decoding: $0, name: path) }
    }

    /// Decodes a whole PNG or JPEG file in memory; `name` stands for it in errors. See ``init(contentsOf:)``.
    public init(decoding bytes: UnsafeRawBufferPointer, name: String) throws {
        let (header, isPNG) = try Self.header(bytes, name)
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        var fault = CImageFault()
        let decode = isPNG ? cimage_png_decode : cimage_jpeg_decode
        let stored = try Image(width: Int(header.width), height: Int(header.height)) { values in
            guard decode(start, bytes.count, values.baseAddress, header.width, header.height, &fault) == 0 else {
                throw FileError(name, fault)
            }
        }
        self = stored.oriented(isPNG ? ImageOrientation(png: bytes) : ImageOrientation(jpeg: bytes))
    }

    /// The size that a PNG or JPEG file in memory is decoded to, from its header and orientation alone.
    ///
    /// Throws ``FileError`` for other formats and faulty headers.
    public static func size(decoding bytes: UnsafeRawBufferPointer, name: String) throws -> (width: Int, height: Int) {
        let (header, isPNG) = try header(bytes, name)
        let turns = (isPNG ? ImageOrientation(png: bytes) : ImageOrientation(jpeg: bytes)).swapsAxes
        let (width, height) = (Int(header.width), Int(header.height))
        return turns ? (height, width) : (width, height)
    }

    private static func header(
        _ bytes: UnsafeRawBufferPointer, _ name: String
    ) throws -> (header: CImageHeader, isPNG: Bool) {
        let isPNG = try ImageFormat(of: bytes, name: name) == .png
        var header = CImageHeader()
        var fault = CImageFault()
        let read = isPNG ? cimage_png_header : cimage_jpeg_header
        guard read(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &header, &fault) == 0 else {
            throw FileError(name, fault)
        }
        try header.check(isPNG: isPNG, byteCount: bytes.count, name: name)
        return (header, isPNG)
    }
}

extension CImageHeader {
    /// Refuses sizes that are out of bounds or that a file of so few bytes cannot hold, before anything is allocated.
    fileprivate func check(isPNG: Bool, byteCount: Int, name: String) throws {
        let (width, height) = (Int(width), Int(height))
        guard width > 0, height > 0, width <= Image.maximumSide, height <= Image.maximumSide else {
            throw FileError(
                name, key: "header", expected: "sides of 1 to \(Image.maximumSide) pixels", found: "\(width)x\(height)")
        }
        // Deflate packs at most 1032 bytes into one; a JPEG's Huffman code spends a bit at least on each block of 8x8.
        let fewest: Int
        if isPNG {
            fewest = ((width * Int(channels) * Int(depth) + 7) / 8 + 1) * height / 1032
        } else {
            fewest = is_arithmetic != 0 ? 0 : width * height / 512
        }
        guard byteCount >= fewest else {
            throw FileError(
                name, key: "header", expected: "at least \(fewest) bytes for \(width)x\(height) pixels",
                found: "a file of \(byteCount)")
        }
    }
}

extension FileError {
    /// Takes over what a C decoder or encoder reports.
    init(_ path: String, _ fault: CImageFault) {
        func text<Characters>(_ characters: Characters) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        self.init(path, expected: text(fault.expected), found: text(fault.found))
    }
}
