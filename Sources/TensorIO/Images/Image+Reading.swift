import CStorage

extension Image {
    /// The largest width or height that is read.
    public static let maximumSide = 16384
    /// The most pixels that are read, 512 MiB of them; Pillow refuses more too (`DecompressionBombError`).
    public static let maximumPixelCount = (512 << 20) / 3

    /// Reads a PNG, JPEG or still WebP file, told by its content.
    ///
    /// Every layout of the formats is read: grey is repeated, 16 bits are cut to their upper 8, four inks turned to light,
    /// and the orientation of EXIF applied, as Pillow's `ImageOps.exif_transpose` and `convert("RGB")` do. Pillow is not
    /// followed in two points: it clips 16-bit grey at 255, and it drops transparency, so that hidden colours show. Here
    /// transparent parts, by a channel or by a chunk `tRNS`, are laid over `background`. Throws ``FileError`` for files
    /// that cannot be read, other formats, animations, damaged or truncated content, and sizes above
    /// ``maximumSide`` or ``maximumPixelCount``.
    public init(contentsOf path: String, background: ImageBackground = .white) throws {
        self = try Self.decode(contentsOf: path, background: background).image
    }

    /// Decodes a whole PNG, JPEG or WebP file in memory; `name` stands for it in errors. See
    /// ``init(contentsOf:background:)``.
    public init(
        decoding bytes: UnsafeRawBufferPointer, name: String, background: ImageBackground = .white
    ) throws {
        self = try Self.decode(bytes, name: name, background: background).image
    }

    /// The same as ``init(contentsOf:background:)``, and whether any part was transparent.
    package static func decode(
        contentsOf path: String, background: ImageBackground
    ) throws -> (image: Image, isTransparent: Bool) {
        let bytes = try readWholeFile(path, expected: "an image file that can be read")
        return try bytes.withUnsafeBytes { try decode($0, name: path, background: background) }
    }

    /// The same of a file in memory.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, name: String, background: ImageBackground
    ) throws -> (image: Image, isTransparent: Bool) {
        let (header, format) = try Self.header(bytes, name)
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        let color = background.color
        var fault = CImageFault()
        var isTransparent: Int32 = 0
        func fill(_ values: UnsafeMutableBufferPointer<UInt8>) throws {
            let (target, width, height) = (values.baseAddress, header.width, header.height)
            let status: Int32
            switch format {
            case .png:
                status = cimage_png_decode(
                    start, bytes.count, target, width, height, [color.x, color.y, color.z], &isTransparent, &fault)
            case .jpeg: status = cimage_jpeg_decode(start, bytes.count, target, width, height, &fault)
            case .webp where header.channels == 4:
                let size = Int(width) * Int(height) * 4
                var failure: Int32 = 0
                let stored = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                    failure = cimage_webp_decode(start, bytes.count, buffer.baseAddress, width, height, 4, &fault)
                    count = failure == 0 ? size : 0
                }
                status = failure
                if status == 0, compose(stored, over: background, into: values) { isTransparent = 1 }
            case .webp: status = cimage_webp_decode(start, bytes.count, target, width, height, 3, &fault)
            }
            guard status == 0 else { throw FileError(name, fault) }
        }
        let stored = try Image(width: Int(header.width), height: Int(header.height), filling: fill)
        return (stored.oriented(ImageOrientation(bytes, format)), isTransparent != 0)
    }

    /// The size that a file in memory is decoded to, from its header and orientation alone.
    ///
    /// Throws ``FileError`` for other formats and faulty headers.
    public static func size(decoding bytes: UnsafeRawBufferPointer, name: String) throws -> (width: Int, height: Int) {
        let (header, format) = try header(bytes, name)
        let (width, height) = (Int(header.width), Int(header.height))
        return ImageOrientation(bytes, format).swapsAxes ? (height, width) : (width, height)
    }

    /// Lays red, green, blue and alpha over a background, rounded to the nearest as Pillow's `paste` and `alpha_composite`
    /// do; whether any pixel was less than opaque.
    private static func compose(
        _ transparent: [UInt8], over background: ImageBackground, into values: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        var isTransparent = false
        for pixel in 0..<transparent.count / 4 {
            let alpha = UInt32(transparent[4 * pixel + 3])
            if alpha != 255 { isTransparent = true }
            for channel in 0..<3 {
                let below = UInt32(background.color[channel]) * (255 - alpha)
                let sum = UInt32(transparent[4 * pixel + channel]) * alpha + below + 128
                values[3 * pixel + channel] = UInt8((sum + sum >> 8) >> 8)
            }
        }
        return isTransparent
    }

    /// The bytes that ``init(decoding:name:)`` needs at its most. Throws as it does for faulty headers.
    package static func decodingByteCount(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Int {
        let (header, format) = try header(bytes, name)
        // Turning needs a second picture; a progressive JPEG's coefficients, of two bytes each, wait for its last scan; libwebp
        // decodes to four channels, in a buffer of its own and in one of ours; an interlaced PNG with opacity waits for its
        // last pass, and may have that of a single colour.
        let turned = ImageOrientation(bytes, format) == .upright ? 3 : 6
        let buffers =
            switch format {
            case .png: header.is_progressive != 0 && header.channels >= 3 ? 4 : 0
            case .jpeg: header.is_progressive != 0 ? 6 : 0
            case .webp: 8
            }
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
