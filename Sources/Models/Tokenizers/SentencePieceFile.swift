import TensorIO

/// What a sentencepiece `.model` file says: `ModelProto` of sentencepiece_model.proto, the fields that encoding needs.
struct SentencePieceFile {
    /// `SentencePiece.Type`.
    enum PieceType: UInt64 {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    struct Piece {
        var text = ""
        var score: Float = 0
        var type = PieceType.normal
    }

    let path: String
    private(set) var pieces: [Piece] = []
    /// `TrainerSpec.model_type`; 1 is unigram.
    private(set) var modelType: UInt64 = 1
    private(set) var hasByteFallback = false
    /// The mark of a space follows its word instead of preceding it.
    private(set) var treatsWhitespaceAsSuffix = false
    private(set) var charsmap: Charsmap?
    /// ``charsmap`` as the file has it.
    private var charsmapBytes: [UInt8] = []
    private(set) var addsDummyPrefix = true
    private(set) var removesExtraWhitespaces = true
    private(set) var escapesWhitespaces = true

    init(_ path: String) throws {
        self.path = path
        let bytes = try readWholeFile(path, expected: "a file")
        if let content = bytes.withUnsafeBytes({ FileContent.notFetched($0) }) {
            throw FileError(path, expected: "a tokenizer's file", found: content)
        }
        var reader = ProtobufReader(bytes, path: path)
        while let (field, value) = try reader.next() {
            switch field {
            case 1:
                pieces.append(
                    try Self.piece(
                        bytes, try range(value, "pieces[\(pieces.count)]"), "pieces[\(pieces.count)]", path))
            case 2: try readTrainer(bytes, try range(value, "trainer_spec"))
            case 3: try readNormalizer(bytes, try range(value, "normalizer_spec"))
            default: break
            }
        }
        guard !pieces.isEmpty else {
            throw FileError(path, key: "pieces", expected: "a sentencepiece model with pieces", found: "none")
        }
    }

    /// The model that llama.cpp puts into a GGUF file's metadata.
    ///
    /// Throws ``FileError`` when there is none, or when its lists are at odds with each other.
    init(_ file: GGUFFile) throws {
        path = file.path
        func fault(_ key: String, _ expected: String) -> FileError {
            FileError(file.path, key: key, expected: expected, found: file.metadata[key]?.description ?? "none")
        }
        let prefix = "tokenizer.ggml."
        guard file.metadata[prefix + "model"]?.text == "t5" else {
            throw fault(prefix + "model", "the tokenizer 't5', or a folder with T5's tokenizer")
        }
        guard let texts = file.metadata[prefix + "tokens"]?.array?.texts, !texts.isEmpty else {
            throw fault(prefix + "tokens", "a list of texts")
        }
        guard let scores = file.metadata[prefix + "scores"]?.array?.numbers, scores.count == texts.count,
            scores.allSatisfy(\.isFinite)
        else { throw fault(prefix + "scores", "\(texts.count) finite numbers") }
        guard let types = file.metadata[prefix + "token_type"]?.array?.numbers, types.count == texts.count else {
            throw fault(prefix + "token_type", "\(texts.count) numbers")
        }
        for (index, text) in texts.enumerated() {
            guard let type = UInt64(exactly: types[index]).flatMap(PieceType.init(rawValue:)) else {
                throw FileError(
                    path, key: "\(prefix)token_type[\(index)]", expected: "a type from 1 to 6", found: "\(types[index])"
                )
            }
            guard !text.isEmpty else {
                throw FileError(path, key: "\(prefix)tokens[\(index)]", expected: "a text", found: "an empty one")
            }
            pieces.append(Piece(text: text, score: Float(scores[index]), type: type))
        }
        hasByteFallback = false
        if let bytes = file.metadata[prefix + "precompiled_charsmap"]?.array?.rawBytes, !bytes.isEmpty {
            charsmap = try Charsmap(bytes, path: path, key: prefix + "precompiled_charsmap")
            charsmapBytes = bytes
        }
        addsDummyPrefix = file.metadata[prefix + "add_space_prefix"]?.flag ?? true
        removesExtraWhitespaces = file.metadata[prefix + "remove_extra_whitespaces"]?.flag ?? true
    }

    /// The model as llama.cpp puts it into a GGUF file's metadata, with T5's sentinels behind its pieces, `<extra_id_0>` last.
    ///
    /// Throws ``FileError`` for what those keys cannot say: another model than unigram, bytes for unknown characters, marks
    /// of spaces behind words.
    func ggufMetadata(extraIDs: Int = 100) throws -> [(key: String, value: GGUFValue)] {
        guard modelType == 1, !hasByteFallback, !treatsWhitespaceAsSuffix, escapesWhitespaces else {
            throw FileError(
                path, expected: "a unigram model as T5 has it, to be kept in a GGUF file", found: "one of another kind")
        }
        let known = Set(pieces.map(\.text))
        let sentinels = (0..<extraIDs).reversed().map { "<extra_id_\($0)>" }.filter { !known.contains($0) }
        func id(_ text: String) -> [(key: String, value: GGUFValue)] {
            let name = ["</s>": "eos", "<pad>": "padding", "<unk>": "unknown"][text]!
            guard let place = pieces.firstIndex(where: { $0.text == text }) else { return [] }
            return [("tokenizer.ggml.\(name)_token_id", .uint32(UInt32(place)))]
        }
        let types =
            pieces.map { Int32($0.type.rawValue) } + sentinels.map { _ in Int32(PieceType.userDefined.rawValue) }
        return [
            ("tokenizer.ggml.model", .string("t5")), ("tokenizer.ggml.pre", .string("default")),
            ("tokenizer.ggml.tokens", .array(GGUFArray(pieces.map(\.text) + sentinels))),
            ("tokenizer.ggml.scores", .array(GGUFArray(pieces.map(\.score) + sentinels.map { _ in Float(0) }))),
            ("tokenizer.ggml.token_type", .array(GGUFArray(types))),
            ("tokenizer.ggml.add_space_prefix", .bool(addsDummyPrefix)),
            ("tokenizer.ggml.remove_extra_whitespaces", .bool(removesExtraWhitespaces)),
            ("tokenizer.ggml.add_bos_token", .bool(false)), ("tokenizer.ggml.add_eos_token", .bool(true)),
        ]
            + (charsmapBytes.isEmpty
                ? [] : [("tokenizer.ggml.precompiled_charsmap", .array(GGUFArray(charsmapBytes)))])
            + id("</s>") + id("<pad>") + id("<unk>")
    }

    private static func piece(_ bytes: [UInt8], _ range: Range<Int>, _ key: String, _ path: String) throws -> Piece {
        var piece = Piece()
        var reader = ProtobufReader(bytes, in: range, path: path)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .bytes(let range)):
                guard let text = String(validating: bytes[range], as: UTF8.self) else {
                    throw FileError(path, key: "\(key).piece", expected: "a text in UTF-8", found: "other bytes")
                }
                piece.text = text
            case (2, .fixed32(let bits)):
                piece.score = Float(bitPattern: bits)
                guard piece.score.isFinite else {
                    throw FileError(path, key: "\(key).score", expected: "a finite number", found: "\(piece.score)")
                }
            case (3, .varint(let number)):
                guard let type = PieceType(rawValue: number) else {
                    throw FileError(path, key: "\(key).type", expected: "a type from 1 to 6", found: "\(number)")
                }
                piece.type = type
            case (1...3, _):
                throw FileError(
                    path, key: key, expected: "a text, a float and a type in fields 1 to 3",
                    found: "another kind of value in field \(field)")
            default: break
            }
        }
        guard !piece.text.isEmpty else {
            throw FileError(path, key: "\(key).piece", expected: "a text", found: "an empty one")
        }
        return piece
    }

    private mutating func readTrainer(_ bytes: [UInt8], _ range: Range<Int>) throws {
        var reader = ProtobufReader(bytes, in: range, path: path)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (3, .varint(let number)): modelType = number
            case (24, .varint(let number)): treatsWhitespaceAsSuffix = number != 0
            case (35, .varint(let number)): hasByteFallback = number != 0
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ bytes: [UInt8], _ range: Range<Int>) throws {
        var reader = ProtobufReader(bytes, in: range, path: path)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (2, .bytes(let range)) where !range.isEmpty:
                charsmapBytes = Array(bytes[range])
                charsmap = try Charsmap(charsmapBytes, path: path, key: "normalizer_spec.precompiled_charsmap")
            case (3, .varint(let number)): addsDummyPrefix = number != 0
            case (4, .varint(let number)): removesExtraWhitespaces = number != 0
            case (5, .varint(let number)): escapesWhitespaces = number != 0
            default: break
            }
        }
    }

    private func range(_ value: ProtobufReader.Value, _ key: String) throws -> Range<Int> {
        guard case .bytes(let range) = value else {
            throw FileError(path, key: key, expected: "a message", found: "a number")
        }
        return range
    }
}
