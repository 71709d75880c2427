import CStorage
import Foundation

/// Strings between Swift and HDF5, for attributes and datasets alike; to be called under the lock.
extension HDF5Object {
    /// Lends texts as HDF5 stores them, with their type: padded to the longest, unless that would waste very much.
    ///
    /// Variable lengths are avoided because such strings lie in a heap without checksums, in which HDF5 1.10 follows
    /// damaged references out of its memory.
    func withStored<Result>(_ texts: [String], _ key: String, _ body: (hid_t, UnsafeRawPointer?) throws -> Result)
        throws
        -> Result
    {
        for text in texts where text.utf8.contains(0) {
            // HDF5 ends a string at its first zero byte: this one would come back shorter.
            throw fault(key, expected: "text without zero bytes", found: "'\(printable(text))'")
        }
        let width = max(1, texts.map(\.utf8.count).max() ?? 1)
        let total = texts.reduce(0) { $0 + $1.utf8.count }
        if width * texts.count > 1 << 26, width * texts.count > 4 * total {
            return try withCStrings(texts) { try body(storage_h5_type(STORAGE_H5_STRING), $0) }
        }
        let type = HDF5Handle(try store.check(storage_h5_fixed_string(width), key, "text"))
        var bytes = [UInt8](repeating: 0, count: width * texts.count)
        for (index, text) in texts.enumerated() {
            bytes.replaceSubrange(index * width..<index * width + text.utf8.count, with: text.utf8)
        }
        return try bytes.withUnsafeBytes { try body(type.id, $0.baseAddress) }
    }

    private func withCStrings<Result>(_ texts: [String], _ body: (UnsafeRawPointer?) throws -> Result) rethrows
        -> Result
    {
        var bytes: [CChar] = []
        var starts: [Int] = []
        for text in texts {
            starts.append(bytes.count)
            bytes += text.utf8.map { CChar(bitPattern: $0) }
            bytes.append(0)
        }
        return try bytes.withUnsafeBufferPointer { bytes in
            let pointers = starts.map { start in bytes.baseAddress.map { $0 + start } }
            return try pointers.withUnsafeBytes { try body($0.baseAddress) }
        }
    }

    /// Reads strings of fixed or variable length; `read` gets the type in memory and where the elements go.
    func readStrings(
        type: hid_t, space: hid_t, count: Int, _ key: String, _ read: (hid_t, UnsafeMutableRawPointer) -> herr_t
    ) throws -> [String] {
        guard count > 0 else { return [] }
        let isVariable = try store.check(H5Tis_variable_str(type), key, "a readable type") > 0
        // In memory as in the file, so that the library converts no character set.
        if isVariable {
            let memory = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: count)
            memory.initialize(repeating: nil, count: count)
            defer {
                H5Dvlen_reclaim(type, space, hid_t(H5P_DEFAULT), memory)
                memory.deallocate()
            }
            try store.check(read(type, memory), key, "readable strings")
            return try (0..<count).map { index in
                guard let start = memory[index] else { return "" }
                return try text(UnsafeRawBufferPointer(start: start, count: strlen(start)), key)
            }
        }
        let size = H5Tget_size(type)
        let padsWithSpaces = H5Tget_strpad(type) == H5T_STR_SPACEPAD
        return try withUnsafeTemporaryAllocation(byteCount: size * count, alignment: 8) { buffer in
            guard let start = buffer.baseAddress else { return [] }
            try store.check(read(type, start), key, "readable strings")
            return try (0..<count).map { index in
                var bytes = UnsafeRawBufferPointer(buffer)[index * size..<(index + 1) * size]
                if let end = bytes.firstIndex(of: 0) { bytes = bytes[..<end] }
                while padsWithSpaces, bytes.last == 0x20 { bytes.removeLast() }
                return try text(UnsafeRawBufferPointer(rebasing: bytes), key)
            }
        }
    }

    private func text(_ bytes: UnsafeRawBufferPointer, _ key: String) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault(key, expected: "strings in UTF-8", found: "other bytes")
        }
        return text
    }
}
