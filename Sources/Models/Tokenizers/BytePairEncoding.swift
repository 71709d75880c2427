import HeapModule
import TensorIO

/// Byte-pair encoding of words (R. Sennrich et al., 2016, https://arxiv.org/abs/1508.07909) over an alphabet of bytes,
/// the last of a word marked `</w>`; the order of merges is that of `tokenizers`' `bpe/word.rs`.
struct BytePairEncoding: Sendable {
    /// A merge by its two ids: its rank and what it makes.
    private var merges: [UInt64: Merge]
    /// The ids of the bytes, within a word and at its end.
    private let innerIDs: [Int32]
    private let finalIDs: [Int32]

    private struct Merge: Sendable {
        var rank: UInt32
        var id: Int32
    }

    /// The mark of a word's end.
    static let endOfWord = "</w>"

    /// A byte as it is spelled in vocabularies: printable Latin-1 stands for itself, the rest for U+0100 and onwards in
    /// order (GPT-2's `bytes_to_unicode`, https://github.com/openai/gpt-2/blob/master/src/encoder.py).
    static let alphabet: [String] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return String(Unicode.Scalar(byte)!)
            default:
                defer { next += 1 }
                return String(Unicode.Scalar(next)!)
            }
        }
    }()

    /// - Parameters:
    ///   - vocabulary: the id of each piece.
    ///   - merges: the pieces that are joined, first rank first; `place` names one in an error.
    ///   - unknownID: the id of a byte that the vocabulary does not have.
    init(
        vocabulary: ByteTrie, merges list: [CLIPVocabulary.Merge], unknownID: Int32, path: String,
        place: (Int) -> String
    ) throws {
        merges = Dictionary(minimumCapacity: list.count)
        for (rank, (left, right)) in list.enumerated() {
            func known(_ id: Int32?, _ piece: ArraySlice<UInt8>) throws -> Int32 {
                if let id { return id }
                let shown = printable(String(decoding: piece, as: UTF8.self), limit: 40)
                throw FileError(path, key: place(rank), expected: "pieces of the vocabulary", found: "'\(shown)'")
            }
            let first = try known(vocabulary.value(of: left), left)
            let second = try known(vocabulary.value(of: right), right)
            let merged = try known(vocabulary.value(of: left, right), left + right)
            merges[Self.key(first, second)] = Merge(rank: UInt32(rank), id: merged)
        }
        innerIDs = Self.alphabet.map { vocabulary.value(of: $0) ?? unknownID }
        finalIDs = Self.alphabet.map { vocabulary.value(of: $0 + Self.endOfWord) ?? unknownID }
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// A piece in the list of those that a word still consists of.
    private struct Symbol {
        /// -1 once it is part of the one before it.
        var id: Int32
        var previous: Int32
        var next: Int32
    }

    /// A merge that may be done: by rank, then by place.
    private struct Candidate: Comparable {
        var rank: UInt32
        var position: Int32
        var id: Int32

        static func < (a: Candidate, b: Candidate) -> Bool { (a.rank, a.position) < (b.rank, b.position) }
    }

    /// Appends the ids of a word's pieces.
    ///
    /// - Complexity: O(n log n) for n bytes.
    func encode(_ word: ArraySlice<UInt8>, into ids: inout [Int32]) {
        guard let last = word.last else { return }
        let count = word.count
        var symbols: [Symbol] = []
        symbols.reserveCapacity(count)
        for (index, byte) in word.dropLast().enumerated() {
            symbols.append(Symbol(id: innerIDs[Int(byte)], previous: Int32(index) - 1, next: Int32(index) + 1))
        }
        symbols.append(Symbol(id: finalIDs[Int(last)], previous: Int32(count) - 2, next: -1))

        var queue = Heap<Candidate>()
        func propose(_ position: Int32) {
            let left = symbols[Int(position)]
            guard left.next >= 0, let merge = merges[Self.key(left.id, symbols[Int(left.next)].id)] else { return }
            queue.insert(Candidate(rank: merge.rank, position: position, id: merge.id))
        }
        for position in 0..<Int32(count) { propose(position) }
        while let top = queue.popMin() {
            let left = symbols[Int(top.position)]
            guard left.id >= 0, left.next >= 0 else { continue }
            let right = symbols[Int(left.next)]
            // The pair that stood here may have been merged otherwise since.
            guard merges[Self.key(left.id, right.id)]?.id == top.id else { continue }
            symbols[Int(left.next)].id = -1
            symbols[Int(top.position)].id = top.id
            symbols[Int(top.position)].next = right.next
            if right.next >= 0 { symbols[Int(right.next)].previous = top.position }
            if left.previous >= 0 { propose(left.previous) }
            propose(top.position)
        }
        for symbol in symbols where symbol.id >= 0 { ids.append(symbol.id) }
    }
}
