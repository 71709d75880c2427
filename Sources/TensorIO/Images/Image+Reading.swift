import CStorage

extension Image {
    /// The largest width or height that is read.
    public static let maximumSide = 16384
    /// The most pixels that are read, 512 MiB of them; Pillow refuses more too (`DecompressionBombError`).
    public static let maximumPixelCount = (512 << 20) / 3

    /// Reads a PNG, JPEG or still WebP file, told by its content.
    ///
    /// Every layout of the formats is read and comes out as Pillow's `ImageOps.exif_transpose` and `convert("RGB")`
    /// give it: alpha of PNG is dropped, that of WebP composed on white, grey repeated, 16 bits cut to their upper 8
    /// (16-bit grey without alpha is clipped at 255), four inks turned to light, and the orientation of EXIF applied.
    /// Throws ``FileError`` for files that cannot be read, other formats, animations, damaged or truncated content, and
    /// sizes above ``maximumSide`` or ``maximumPixelCount``.
    public init(contentsOf path: String) throws {
        let bytes = try readWholeFile(path, expected: "an image file that can be read")
        self = try bytes.withUnsafeBytes { try Image(decoding: $0, name: path) }
    }

    /// Decodes a whole PNG, JPEG or WebP file in memory; `name` stands for it in errors. See ``init(contentsOf:)``.
    public init(decoding bytes: UnsafeRawBufferPointer, name: String) throws {
        let (header, format) = try Self.header(bytes, name)
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        let (width, height) = (Int(header.width), Int(header.height))
        var fault = CImageFault()
        func decoded(_ values: UnsafeMutableBufferPointer<UInt8>, channels: Int32) throws {
            let (target, width, height) = (values.baseAddress, header.width, header.height)
            let status =
                switch format {
                case .png: cimage_png_decode(start, bytes.count, target, width, height, &fault)
                case .jpeg: cimage_jpeg_decode(start, bytes.count, target, width, height, &fault)
                case .webp: cimage_webp_decode(start, bytes.count, target, width, height, channels, &fault)
                }
            guard status == 0 else { throw FileError(name, fault) }
        }
        let stored =
            if format == .webp, header.channels == 4 {
                try Image(width: width, height: height) { values in
                    let size = width * height * 4
                    let transparent = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                        try decoded(UnsafeMutableBufferPointer(rebasing: buffer[0..<size]), channels: 4)
                        count = size
                    }
                    Self.compose(transparent, onWhite: values)
                }
            } else {
                try Image(width: width, height: height) { try decoded($0, channels: 3) }
            }
        self = stored.oriented(ImageOrientation(bytes, format))
    }

    /// The size that a file in memory is decoded to, from its header and orientation alone.
    ///
    /// Throws ``FileError`` for other formats and faulty headers.
    public static func size(decoding bytes: UnsafeRawBufferPointer, name: String) throws -> (width: Int, height: Int) {
        let (header, format) = try header(bytes, name)
        let (width, height) = (Int(header.width), Int(header.height))
        return ImageOrientation(bytes, format).swapsAxes ? (height, width) : (width, height)
    }

    /// Lays red, green, blue and alpha over white, with the arithmetic of Pillow's `alpha_composite`.
    static func compose(_ transparent: [UInt8], onWhite values: UnsafeMutableBufferPointer<UInt8>) {
        for pixel in 0..<transparent.count / 4 {
            let alpha = UInt32(transparent[4 * pixel + 3])
            for channel in 0..<3 {
                let sum = UInt32(transparent[4 * pixel + channel]) * alpha + 255 * (255 - alpha) + 128
                values[3 * pixel + channel] = UInt8(((sum >> 1) + (sum << 7)) >> 15)
            }
        }
    }

    /// The bytes that ``init(decoding:name:)`` needs at its most. Throws as it does for faulty headers.
    package static func decodingByteCount(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Int {
        let (header, format) = try header(bytes, name)
        // Turning needs a second picture; a progressive JPEG's coefficients, of two bytes each, wait for its last scan; libwebp
        // decodes to four channels, in a buffer of its own and in one of ours.
        let turned = ImageOrientation(bytes, format) == .upright ? 3 : 6
        let buffers = format == .webp ? 8 : header.is_progressive != 0 ? 6 : 0
        return Int(header.width) * Int(header.height) * (turned + buffers)
    }

    private static func header(
        _ bytes: UnsafeRawBufferPointer, _ name: String
    ) throws -> (header: CImageHeader, format: StoredImageFormat) {
        let format = try StoredImageFormat(of: bytes, name: name)
        var header = CImageHeader()
        var fault = CImageFault()
        let read =
            switch format {
            case .png: cimage_png_header
            case .jpeg: cimage_jpeg_header
            case .webp: cimage_webp_header
            }
        guard read(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &header, &fault) == 0 else {
            throw FileError(name, fault)
        }
        try header.check(format, byteCount: bytes.count, name: name)
        return (header, format)
    }
}

extension CImageHeader {
    /// Refuses sizes that are out of bounds or that a file of so few bytes cannot hold, before anything is allocated.
    fileprivate func check(_ format: StoredImageFormat, byteCount: Int, name: String) throws {
        let (width, height) = (Int(width), Int(height))
        guard width > 0, height > 0, width <= Image.maximumSide, height <= Image.maximumSide else {
            throw FileError(
                name, key: "header", expected: "sides of 1 to \(Image.maximumSide) pixels", found: "\(width)x\(height)")
        }
        guard width * height <= Image.maximumPixelCount else {
            throw FileError(
                name, key: "header", expected: "at most \(Image.maximumPixelCount) pixels",
                found: "\(width)x\(height), \(width * height) pixels")
        }
        // Deflate packs at most 1032 bytes into one; a JPEG's Huffman code spends a bit at least on each block of 8x8.
        // WebP has no such bound: a picture of one colour takes some ten bytes at any size.
        let fewest: Int
        switch format {
        case .png: fewest = ((width * Int(channels) * Int(depth) + 7) / 8 + 1) * height / 1032
        case .jpeg: fewest = is_arithmetic != 0 ? 0 : width * height / 512
        case .webp: fewest = 0
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
