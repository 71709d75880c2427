import CStorage

extension ImageOrientation {
    private static let tag = 0x0112

    /// The orientation that a file's metadata state, otherwise upright.
    init(_ bytes: UnsafeRawBufferPointer, _ format: StoredImageFormat) {
        switch format {
        case .png: self.init(png: bytes)
        case .jpeg: self.init(jpeg: bytes)
        case .webp: self.init(webp: bytes)
        }
    }

    /// The orientation that a JPEG file's APP1 segments state: EXIF first, then XMP, otherwise upright.
    ///
    /// As in Pillow's `ImageOps.exif_transpose`, metadata that cannot be understood says nothing.
    init(jpeg bytes: UnsafeRawBufferPointer) {
        var exif: [UInt8] = []
        var xmp: [UInt8] = []
        var position = 2
        while position + 4 <= bytes.count, bytes[position] == 0xFF {
            let marker = bytes[position + 1]
            if marker == 0xFF {
                position += 1
                continue
            }
            // The picture begins at the start of scan; stand-alone markers do not come before it.
            if marker == 0xDA || marker == 0xD9 { break }
            let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
            guard length >= 2, position + 2 + length <= bytes.count else { break }
            if marker == 0xE1 {
                let segment = bytes[(position + 4)..<(position + 2 + length)]
                if segment.starts(with: Array("Exif\0\0".utf8)) {
                    exif += segment.dropFirst(6)
                } else if segment.starts(with: Array("http://ns.adobe.com/xap/1.0/\0".utf8)) {
                    xmp = Array(segment.dropFirst(29))
                }
            }
            position += 2 + length
        }
        self = Self.stated(tiff: exif) ?? Self.stated(xmp: xmp) ?? .upright
    }

    /// The orientation that a PNG file's eXIf chunk states, otherwise upright. The chunks have been checked before.
    init(png bytes: UnsafeRawBufferPointer) {
        var position = 8
        var exif: [UInt8] = []
        while position + 12 <= bytes.count {
            let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            guard position + 12 + length <= bytes.count else { break }
            if bytes[position + 4..<position + 8].elementsEqual(Array("eXIf".utf8)) {
                exif = Array(bytes[position + 8..<position + 8 + length])
            }
            position += 12 + length
        }
        self = Self.stated(tiff: exif) ?? .upright
    }

    /// The orientation that a WebP file's chunk of EXIF states, or that of XMP, otherwise upright.
    init(webp bytes: UnsafeRawBufferPointer) {
        func chunk(_ name: String) -> [UInt8] {
            var (start, size) = (0, 0)
            let first = bytes.bindMemory(to: UInt8.self).baseAddress
            guard cimage_webp_chunk(first, bytes.count, name, &start, &size) == 0 else { return [] }
            return Array(bytes[start..<start + size])
        }
        var exif = chunk("EXIF")[...]
        // Programs that move a JPEG's segment over take its name along.
        while exif.starts(with: Array("Exif\0\0".utf8)) { exif = exif.dropFirst(6) }
        self = Self.stated(tiff: Array(exif)) ?? Self.stated(xmp: chunk("XMP ")) ?? .upright
    }

    /// Looks the tag up in the first directory of a TIFF structure. Values outside 1 … 8 are no statement about turning.
    static func stated(tiff: [UInt8]) -> ImageOrientation? {
        guard tiff.count >= 8 else { return nil }
        let isLittle = tiff[0] == 0x49
        guard tiff.starts(with: isLittle ? [0x49, 0x49, 0x2A, 0] : [0x4D, 0x4D, 0, 0x2A]) else { return nil }
        func number(at start: Int, bytes count: Int) -> Int? {
            guard start >= 0, start + count <= tiff.count else { return nil }
            let digits = tiff[start..<start + count]
            return isLittle ? digits.reversed().reduce(0) { $0 << 8 | Int($1) } : digits.reduce(0) { $0 << 8 | Int($1) }
        }
        guard let directory = number(at: 4, bytes: 4), let entries = number(at: directory, bytes: 2) else { return nil }
        for entry in 0..<entries {
            let start = directory + 2 + 12 * entry
            guard let tag = number(at: start, bytes: 2), let type = number(at: start + 2, bytes: 2) else { return nil }
            guard tag == Self.tag else { continue }
            // BYTE, SHORT, LONG; the standard says SHORT.
            guard number(at: start + 4, bytes: 4) == 1, let size = [1: 1, 3: 2, 4: 4][type],
                let value = number(at: start + 8, bytes: size)
            else { return nil }
            return ImageOrientation(rawValue: value) ?? .upright
        }
        return nil
    }

    /// Looks for `tiff:Orientation="6"` or `<tiff:Orientation>6` in an XMP packet.
    static func stated(xmp: [UInt8]) -> ImageOrientation? {
        let name = Array("tiff:Orientation".utf8)
        var position = 0
        while position + name.count + 2 <= xmp.count {
            guard xmp[position] == name[0], xmp[position..<position + name.count].elementsEqual(name) else {
                position += 1
                continue
            }
            var value = xmp[(position + name.count)...]
            if value.starts(with: Array("=\"".utf8)) {
                value = value.dropFirst(2)
            } else if value.first == UInt8(ascii: ">") {
                value = value.dropFirst()
            } else {
                position += 1
                continue
            }
            guard let digit = value.first, digit >= 0x30, digit <= 0x39 else {
                position += 1
                continue
            }
            return ImageOrientation(rawValue: Int(digit) - 0x30) ?? .upright
        }
        return nil
    }
}
