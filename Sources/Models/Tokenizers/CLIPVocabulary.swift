import TensorIO

/// The pieces and the merges of a CLIP tokenizer, from `vocab.json` with `merges.txt` or from a `tokenizer.json`.
struct CLIPVocabulary {
    /// Two pieces in UTF-8 that make another.
    typealias Merge = (left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)

    /// The file with the pieces.
    let path: String
    /// The file with the merges.
    let mergesPath: String
    /// The id of each piece.
    let pieces: ByteTrie
    let largestID: Int32
    /// How many pieces there are.
    let count: Int
    /// The pieces to join, first rank first.
    let merges: [Merge]
    /// Where a merge stands in its file.
    let mergePlace: (Int) -> String

    init(folder: String) throws {
        let (whole, pieces) = (filePath(folder, "tokenizer.json"), filePath(folder, "vocab.json"))
        if fileExists(whole), !fileExists(pieces) {
            try self.init(tokenizerFile: whole)
        } else {
            try self.init(piecesFile: pieces, mergesFile: filePath(folder, "merges.txt"))
        }
    }

    /// Reads the two files of the published folders.
    private init(piecesFile: String, mergesFile: String) throws {
        path = piecesFile
        mergesPath = mergesFile
        (pieces, largestID, count) = try Self.pieces(try JSONNode(file: piecesFile))
        var merges: [Merge] = []
        var lines: [Int] = []
        for (index, text) in try TextFile(contentsOf: mergesFile, expected: "a file").lines.enumerated() {
            let line = Array(text.utf8)[...]
            if line.isEmpty || line.starts(with: "#version".utf8) { continue }
            merges.append(try Self.pair(line, path: mergesFile, key: "line \(index + 1)"))
            lines.append(index + 1)
        }
        self.merges = merges
        mergePlace = { "line \(lines[$0])" }
    }

    /// Reads the file that transformers 5 writes instead of the two.
    private init(tokenizerFile path: String) throws {
        self.path = path
        mergesPath = path
        let model = try JSONNode(file: path).required("model", "the model of the tokenizer")
        let type = try model.type()
        guard type == "BPE" else { throw model.fault(expected: "a model of type 'BPE'", found: "'\(type)'") }
        let suffix = try model.member("end_of_word_suffix")?.string() ?? ""
        guard suffix == BytePairEncoding.endOfWord else {
            throw model.fault(
                expected: "an end_of_word_suffix of '\(BytePairEncoding.endOfWord)' (a CLIP vocabulary)",
                found: "'\(printable(suffix, limit: 40))'")
        }
        (pieces, largestID, count) = try Self.pieces(try model.required("vocab", "an object of pieces and ids"))
        merges = try model.required("merges", "an array of merges").elements().map { merge in
            if case .string(let line) = merge.value {
                return try Self.pair(Array(line.utf8)[...], path: path, key: merge.key)
            }
            let pair = try merge.elements()
            guard pair.count == 2 else { throw merge.fault(expected: "two pieces") }
            return (Array(try pair[0].string().utf8)[...], Array(try pair[1].string().utf8)[...])
        }
        mergePlace = { "model.merges[\($0)]" }
    }

    private static func pieces(_ node: JSONNode) throws -> (ByteTrie, largestID: Int32, count: Int) {
        guard case .object(let members) = node.value, !members.isEmpty else {
            throw node.fault(expected: "an object of pieces and ids")
        }
        var trie = ByteTrie(byteCount: 6 * members.count)
        var largest: Int32 = 0
        for member in members {
            let (piece, value) = (member.key, member.value)
            guard let id = value.tokenID else {
                throw FileError(
                    node.path, key: (node.key.isEmpty ? "" : node.key + ".") + printable(piece, limit: 40),
                    expected: TokenID.expected, found: value.kind)
            }
            trie.insert(Array(piece.utf8), value: id)
            largest = max(largest, id)
        }
        return (trie, largest, members.count)
    }

    private static func pair(_ line: ArraySlice<UInt8>, path: String, key: String) throws -> Merge {
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw FileError(
                path, key: key, expected: "two pieces with a space between",
                found: "'\(printable(String(decoding: line, as: UTF8.self), limit: 40))'")
        }
        return (parts[0], parts[1])
    }
}
