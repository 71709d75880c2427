import Foundation
import InContextEdit
import TensorIO

/// Which file of a cache's folder holds what; a function of the pairs, their shapes and prompts.
///
/// | file | holds |
/// |---|---|
/// | `manifest.json` | the key, and once all is there: `finished`, and the pairs that were left out |
/// | `pairs-512x512-00000.h5`, `pairs-624x416-stacked-00000.h5` | 32 pairs of a shape: their numbers `pairs`, latents of the canvas `clean` and of the source `masked`, `[n, tokens, 64]` |
/// | `texts-00000.h5` | 16 prompts: `texts`, `tokens`, embeddings `sequence`, `[n, T, d]`, and `pooled`, `[n, p]` |
///
/// A chunk is one pair or one prompt. Files appear whole or not at all, so that whoever comes again goes on behind them.
struct SampleCacheLayout: Sendable {
    static let manifestName = "manifest.json"
    static let format = "diptych-cache"
    static let version = 1
    static let pairsPerFile = 32
    static let textsPerFile = 16

    /// A file of pairs.
    struct PairsFile: Sendable {
        var name: String
        var shape: DiptychGeometry
        var pairs: [Int]
    }

    /// A file of prompts.
    struct TextsFile: Sendable {
        var name: String
        var texts: Range<Int>
    }

    let folder: String
    let prompts: [String]
    let pairsFiles: [PairsFile]
    let textsFiles: [TextsFile]

    init(folder: String, shapes: PanelShapes, prompts: [String]) {
        self.folder = folder
        self.prompts = prompts
        var files: [PairsFile] = []
        let groups = Dictionary(grouping: shapes.shapeOfPair.indices) { shapes.shapeOfPair[$0] }
        for (shape, pairs) in groups.sorted(by: { $0.key < $1.key }) {
            let geometry = shapes.shapes[shape]
            for (number, start) in stride(from: 0, to: pairs.count, by: Self.pairsPerFile).enumerated() {
                files.append(
                    PairsFile(
                        name: "pairs-\(geometry.name)-\(zeroPadded(number, digits: 5)).h5",
                        shape: geometry, pairs: Array(pairs[start..<min(start + Self.pairsPerFile, pairs.count)])))
            }
        }
        pairsFiles = files
        textsFiles = stride(from: 0, to: prompts.count, by: Self.textsPerFile).enumerated().map { number, start in
            TextsFile(
                name: "texts-\(zeroPadded(number, digits: 5)).h5",
                texts: start..<min(start + Self.textsPerFile, prompts.count))
        }
    }

    func path(_ name: String) -> String { folder + "/" + name }
    static func manifestPath(_ folder: String) -> String { folder + "/" + manifestName }
}

/// What `manifest.json` says.
struct SampleCacheManifest: Codable {
    var format = SampleCacheLayout.format
    var version = SampleCacheLayout.version
    var key: [String: String]
    var pairs: Int
    var texts: Int
    /// Whether every file is there.
    var finished = false
    /// The numbers of the pairs that cannot be read.
    var leftOut: [Int] = []

    private enum CodingKeys: String, CodingKey {
        case format, version, key, pairs, texts, finished
        case leftOut = "left_out"
    }

    init(_ key: SampleCacheKey, pairs: Int, texts: Int) {
        self.key = Dictionary(uniqueKeysWithValues: key.components.map { ($0.name, $0.value) })
        self.pairs = pairs
        self.texts = texts
    }

    /// Reads the manifest of a folder; nil when there is none. Throws `FileError` when it is none of a cache.
    init?(folder: String) throws(FileError) {
        let path = SampleCacheLayout.manifestPath(folder)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let bytes = FileManager.default.contents(atPath: path),
            let manifest = try? JSONValue.decoding(Self.self, from: bytes),
            manifest.format == SampleCacheLayout.format
        else { throw FileError(path, expected: "the manifest of a cache", found: "other text") }
        guard manifest.version == SampleCacheLayout.version else {
            throw FileError(
                path, key: "version", expected: "\(SampleCacheLayout.version)", found: "\(manifest.version)")
        }
        let (count, leftOut) = (manifest.pairs, manifest.leftOut)
        guard count >= 0, manifest.texts >= 0, Set(leftOut).count == leftOut.count,
            leftOut.allSatisfy({ 0..<count ~= $0 })
        else {
            throw FileError(
                path, expected: "numbers of pairs and texts, and pairs left out that are among them, each once",
                found: "\(count) pairs, \(manifest.texts) texts, \(leftOut.count) pairs left out")
        }
        self = manifest
    }

    func write(to folder: String) throws {
        let bytes = try JSONValue(encoding: self).bytes(.indented.sorted)
        try AtomicFile.write(to: SampleCacheLayout.manifestPath(folder)) { try $0.write(bytes + [10]) }
    }

    /// Throws `FileError` that names the first thing that is not what the cache was made from.
    func require(_ key: SampleCacheKey, in folder: String) throws(FileError) {
        for component in key.components {
            guard let found = self.key[component.name], found == component.value else {
                let was = self.key[component.name] ?? "none"
                throw FileError(
                    folder, key: component.name, expected: "\(component.value) as \(component.title) has it now",
                    found: "a stale cache of \(was) (diptych data encode --overwrite makes it anew)")
            }
        }
    }
}
