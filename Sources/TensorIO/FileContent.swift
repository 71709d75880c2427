/// What a file holds, told from its first bytes: for errors about files that are of another kind than was expected.
package enum FileContent {
    /// Formats by the bytes at an offset of the file.
    private static let signatures: [(offset: Int, bytes: [UInt8], name: String)] = [
        (0, [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "an HDF5 file"),
        (0, GGUFHeader.magic, "a GGUF file"),
        (0, Array("PK\u{3}\u{4}".utf8), "a ZIP archive, as PyTorch's .pt, .bin and .ckpt files are"),
        (0, [0x28, 0xB5, 0x2F, 0xFD], "a Zstandard file"),
        (0, [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "a NumPy array"),
        (0, Array("PAR1".utf8), "a Parquet file"),
        (0, Array("7z\u{BC}".unicodeScalars.map { UInt8($0.value) }), "a 7z archive"),
        (0, Array("Rar!".utf8), "a RAR archive"),
        (257, Array("ustar".utf8), "a tar archive"),
        (0, [0x80, 0x02], "a Python pickle"), (0, [0x80, 0x03], "a Python pickle"),
        (0, [0x80, 0x04], "a Python pickle"), (0, [0x80, 0x05], "a Python pickle"),
    ]

    /// What stands behind "found"; nil where the bytes say nothing, or that they are what was `expected`.
    package static func name(of bytes: UnsafeRawBufferPointer, besides expected: String? = nil) -> String? {
        let name = kind(of: bytes)
        return name == expected ? nil : name
    }

    private static func kind(of bytes: UnsafeRawBufferPointer) -> String? {
        if bytes.isEmpty { return "an empty file" }
        if let name = notFetched(bytes) { return name }
        for (offset, signature, name) in signatures where bytes.dropFirst(offset).starts(with: signature) {
            return name
        }
        if let picture = StoredImageFormat.name(of: bytes) { return picture }
        if isSafetensors(bytes) { return "a safetensors file" }
        return text(bytes)
    }

    /// What lies where a file should that was never fetched: what Git LFS left in its place, or the page that a server sent
    /// instead; nil for everything else.
    package static func notFetched(_ bytes: UnsafeRawBufferPointer) -> String? {
        if bytes.starts(with: "version https://git-lfs.github.com/spec/".utf8) {
            return "a Git LFS pointer instead of the file ('git lfs pull' fetches it)"
        }
        let begin = String(decoding: bytes.prefix(512), as: UTF8.self).lowercased()
            .drop { $0.isWhitespace || $0 == "\u{FEFF}" }
        if ["<!doctype html", "<html", "<head", "<body"].contains(where: begin.hasPrefix) {
            return "a web page (HTML) instead of the file"
        }
        return nil
    }

    /// A header's length, and the brace that begins it.
    private static func isSafetensors(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count > 9, bytes[8] == UInt8(ascii: "{") else { return false }
        return UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) <= UInt64(SafetensorsHeader.longestHeader)
    }

    /// `text that begins with '…'`; nil where the first bytes are none.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        let head = Array(bytes.prefix(256))
        // Three letters may be the beginning of anything.
        if head.count < 4 { return nil }
        let isPlain = head.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        guard isPlain, !isCutInside(head, isWhole: head.count == bytes.count) else { return nil }
        let line = String(decoding: head, as: UTF8.self).split(whereSeparator: \.isNewline).first ?? ""
        let kind = ["{", "["].contains(line.first { !$0.isWhitespace }) ? "JSON" : "text"
        return line.isEmpty ? "empty lines" : "\(kind) that begins with '\(printable(String(line), limit: 24))'"
    }

    /// Whether bytes are no UTF-8, but for a character that their end cuts.
    private static func isCutInside(_ head: [UInt8], isWhole: Bool) -> Bool {
        for cut in 0...(isWhole ? 0 : 3) where String(validating: head.dropLast(cut), as: UTF8.self) != nil {
            return false
        }
        return true
    }
}
