import TensorIO

/// A sentencepiece normalization table: which character sequences become which texts.
///
/// The blob is `UInt32` trie size in bytes | trie | texts, all little-endian. The trie is a double array of 32-bit
/// units as darts-clone lays it out (S. Yata, https://github.com/s-yata/darts-clone): from unit `u` at position `p` a
/// byte `c` leads to position `p ^ offset(u) ^ c`, and is right if that unit's label is `c`. A unit with a key has its value at
/// `p ^ offset(u)`; here it is where the replacement begins among the texts, each of which ends with a zero byte.
struct Charsmap: Sendable {
    private let units: [UInt32]
    private let texts: [UInt8]

    /// Reads a blob and checks that no walk through it can leave it; `path` and `key` say in an error where it stood.
    init(_ blob: [UInt8], path: String, key: String) throws {
        func fault(_ expected: String, _ found: String) -> FileError {
            FileError(path, key: key, expected: expected, found: found)
        }
        func word(_ index: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(blob[4 * index + $1]) << UInt32(8 * $1) }
        }
        guard blob.count > 4 else {
            throw fault("a character map (trie size, trie, texts)", "\(blob.count) bytes")
        }
        let trieSize = Int(word(0))
        guard trieSize > 0, trieSize % 4 == 0, trieSize < blob.count - 4 else {
            throw fault("a trie of whole 4-byte units within \(blob.count - 4) bytes", "a size of \(trieSize) bytes")
        }
        units = (0..<trieSize / 4).map { word(1 + $0) }
        texts = Array(blob[(4 + trieSize)...])
        guard String(validating: texts, as: UTF8.self) != nil else {
            throw fault("replacement texts in UTF-8", "other bytes")
        }
        for (position, unit) in units.enumerated() {
            if unit >> 31 == 1 {
                let start = Int(unit & 0x7FFF_FFFF)
                guard start < texts.count, texts[start] & 0xC0 != 0x80 else {
                    throw fault(
                        "replacements that begin within \(texts.count) bytes of text",
                        "one at byte \(start) (unit \(position))")
                }
            } else if position ^ Self.offset(unit) >= units.count {
                throw fault(
                    "trie links within \(units.count) units",
                    "unit \(position) leading to \(position ^ Self.offset(unit))")
            }
        }
    }

    /// The longest key that `text` holds at `start`, as sentencepiece applies the map.
    func longestMatch(in text: [UInt8], from start: Int) -> (end: Int, replacement: ArraySlice<UInt8>)? {
        var match: (end: Int, value: Int)?
        walk(text, start..<text.count) { end, value in
            match = (end, value)
            return true
        }
        return match.map { ($0.end, replacement(at: $0.value)) }
    }

    /// The replacement of the shortest key that `text` holds at the beginning of `range`.
    ///
    /// That is how `tokenizers` applies the map, to a whole grapheme cluster or character at a time: what follows the
    /// key within the range is dropped with it.
    func shortestMatch(in text: [UInt8], _ range: Range<Int>) -> ArraySlice<UInt8>? {
        var match: Int?
        walk(text, range) { _, value in
            match = value
            return false
        }
        return match.map(replacement(at:))
    }

    /// The text after `tokenizers`' normalizer `Precompiled` (`precompiled.rs`): every grapheme cluster of less than
    /// six bytes is looked up whole, then by its characters; longer ones by their characters only.
    func normalized(_ text: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        func replaceCharacters(_ range: Range<Int>) {
            var start = range.lowerBound
            while start < range.upperBound {
                let end = start + UTF8.width(leadingByte: text[start])
                output += shortestMatch(in: text, start..<end) ?? text[start..<end]
                start = end
            }
        }
        var start = 0
        for character in String(decoding: text, as: UTF8.self) {
            let end = start + character.utf8.count
            if end - start < 6, let replacement = shortestMatch(in: text, start..<end) {
                output += replacement
            } else {
                replaceCharacters(start..<end)
            }
            start = end
        }
        return output
    }

    /// Calls `body` with the end and the value of every key at the beginning of `range`, shortest first, while it
    /// returns true.
    private func walk(_ text: [UInt8], _ range: Range<Int>, _ body: (_ end: Int, _ value: Int) -> Bool) {
        var position = Self.offset(units[0])
        for index in range {
            let byte = text[index]
            // A zero byte is the edge to a value; no key holds one.
            guard byte != 0 else { return }
            position ^= Int(byte)
            guard position < units.count else { return }
            let unit = units[position]
            guard unit & 0x8000_00FF == UInt32(byte) else { return }
            position ^= Self.offset(unit)
            guard position < units.count else { return }
            if unit >> 8 & 1 == 1, !body(index + 1, Int(units[position] & 0x7FFF_FFFF)) { return }
        }
    }

    private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 0x200) >> 6) }

    private func replacement(at start: Int) -> ArraySlice<UInt8> {
        // A value unit was checked to lie within the texts; a unit that is none, reached through a lying flag, is not.
        guard start < texts.count else { return [] }
        return texts[start..<(texts[start...].firstIndex(of: 0) ?? texts.count)]
    }
}
