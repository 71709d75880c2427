import Foundation
import TensorIO
import TestSupport

/// `Tests/Fixtures/tokenizers.json`, made by `Tests/Reference/make_tokenizer_fixtures.py`.
struct TokenizerFixture {
    static let clipFolder = Fixtures.path("tiny-random-fill/tokenizer")
    static let t5Folder = Fixtures.path("tiny-random-fill/tokenizer_2")

    /// One layout of a tokenizer's files and the ids that the reference gives for `strings` with it.
    struct Case {
        var name: String
        var ids: [[Int32]]
        /// What the case has beside those two.
        var parts: [String: Any]
    }

    let strings: [String]
    /// The strings of the small sentencepiece models.
    let short: [String]
    let clip: [Case]
    let t5: [Case]
    let sentencePiece: [[Int32]]
    let sentencePieceVariants: [Case]
    /// Code points of a text, and those of its normalization form C.
    let compositions: [(text: [UInt32], composed: [UInt32])]
    /// The character map of the fixture's spiece.model.
    let charsmap: Data

    init() throws {
        let file = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: Fixtures.path("tokenizers.json"))))
        let root = try Self.cast(file, [String: Any].self)
        func cases(_ key: String) throws -> [Case] {
            try Self.cast(root[key], [[String: Any]].self).map {
                Case(name: try Self.cast($0["name"], String.self), ids: try Self.ids($0["ids"]), parts: $0)
            }
        }
        strings = try Self.cast(root["strings"], [String].self)
        short = try Self.cast(root["short"], [String].self)
        clip = try cases("clip")
        t5 = try cases("t5")
        sentencePiece = try Self.ids(root["sentencepiece"])
        sentencePieceVariants = try cases("sentencepieceVariants")
        compositions = try Self.cast(root["nfc"], [[[Int]]].self).map {
            ($0[0].map(UInt32.init), $0[1].map(UInt32.init))
        }
        let place = try Self.cast(root["charsmap"], [String: Int].self)
        let model = try Data(contentsOf: URL(filePath: Self.t5Folder + "/spiece.model"))
        charsmap = model[place["offset"]!..<place["offset"]! + place["length"]!]
    }

    static func cast<Value>(_ value: Any?, _ type: Value.Type) throws -> Value {
        guard let cast = value as? Value else { throw Surprise(found: "\(value ?? "nothing")") }
        return cast
    }

    private static func ids(_ value: Any?) throws -> [[Int32]] {
        try cast(value, [[Int]].self).map { $0.map(Int32.init) }
    }

    private struct Surprise: Error {
        var found: String
    }

    /// The fixture's tokenizer.json with some of its parts replaced, as a file.
    func tokenizerJSON(_ parts: [String: Any], in folder: URL) throws -> String {
        let base = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: Self.t5Folder + "/tokenizer.json")))
        let whole = try Self.cast(base, [String: Any].self).merging(parts) { $1 }
        let text = String(decoding: try JSONSerialization.data(withJSONObject: whole), as: UTF8.self)
            .replacing("$charsmap", with: charsmap.base64EncodedString())
        let path = folder.appending(path: "tokenizer.json")
        try Data(text.utf8).write(to: path)
        return path.path
    }
}

/// Calls `body` with a fresh folder that is removed afterwards.
func withScratchFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = try Fixtures.scratchFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

extension URL {
    /// Writes a file into this folder.
    func write(_ name: String, _ text: String) throws { try Data(text.utf8).write(to: appending(path: name)) }
    func write(_ name: String, _ bytes: [UInt8]) throws { try Data(bytes).write(to: appending(path: name)) }
}
