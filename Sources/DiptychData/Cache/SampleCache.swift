import Foundation
public import InContextEdit
import Synchronization
import TensorCore
import TensorIO

/// Samples that ``SampleCacheWriter`` has written: training needs no encoder in memory.
public final class SampleCache: SampleSource {
    /// The pairs.
    public let dataset: PairDataset
    /// The shapes of their diptychs.
    public let shapes: PanelShapes
    /// How the model is asked for an edit.
    public let framework: any EditFramework
    /// The folder.
    public let folder: String
    /// The numbers of the pairs that the cache lacks because they cannot be read.
    public let leftOut: [Int]
    /// Values in a token of latents, four times the autoencoder's channels.
    public let latentWidth: Int
    private let files: Files
    private var empty: EncodedText?
    private var counts: [Int]?

    /// Opens the cache in `folder`.
    ///
    /// Throws ``FileError`` when there is none, when it is unfinished, lacks a file, or was made from something other than
    /// `key` says: the first thing that differs is named.
    public init(
        folder: String, _ dataset: PairDataset, options: SampleEncoder.Options, key: SampleCacheKey
    ) throws {
        guard let manifest = try SampleCacheManifest(folder: folder) else {
            throw FileError(
                folder, expected: "a cache (diptych data encode makes it)",
                found: FileManager.default.fileExists(atPath: folder) ? "a folder without manifest.json" : "nothing")
        }
        try manifest.require(key, in: folder)
        let shapes = PanelShapes(options.shapes, of: dataset)
        let layout = SampleCacheLayout(
            folder: folder, shapes: shapes, prompts: try dataset.distinctPrompts(options.draws, shapes))
        let names = layout.pairsFiles.map(\.name) + layout.textsFiles.map(\.name)
        let missing = names.filter { !FileManager.default.fileExists(atPath: layout.path($0)) }
        guard manifest.finished, missing.isEmpty else {
            throw FileError(
                folder, expected: "a finished cache of \(names.count) files",
                found: "\(names.count - missing.count) of them (the same diptych data encode finishes it)")
        }
        guard manifest.leftOut.count < dataset.records.count else {
            throw FileError(
                folder, expected: "at least one pair that can be read", found: "none among \(dataset.records.count)")
        }
        self.dataset = dataset
        self.folder = folder
        self.shapes = shapes
        framework = options.framework.framework
        leftOut = manifest.leftOut
        files = Files(layout, digest: key.digest)
        // A file whose pairs were all left out has no rows.
        var width = 0
        for file in layout.pairsFiles where width == 0 {
            guard let clean = try files.with(file.name, { try $0.dataset("clean") }) else { continue }
            let shape = clean.shape
            guard shape.rank == 3, shape[2] > 0 else {
                throw FileError(
                    layout.path(file.name), key: "clean", expected: "latents of three axes", found: "\(shape)")
            }
            width = shape[2]
        }
        latentWidth = width
    }

    /// Reads latents and text of a draw, as `float32`.
    public var read: @Sendable (SampleDraw) throws -> LoadedSample {
        { [files] draw in
            precondition(draw.view == .whole, "a cache holds whole pictures")
            let latents = try files.latents(draw.index)
            return LoadedSample(
                pictures: .latents(clean: latents.clean.squeezed(0), source: latents.source.squeezed(0)),
                text: try files.text(draw.prompt))
        }
    }

    /// What was read.
    public func sample(_ draw: SampleDraw, _ loaded: LoadedSample) throws -> EncodedSample {
        guard case .latents(let clean, let source) = loaded.pictures, let text = loaded.text else {
            preconditionFailure("what another source has read")
        }
        return EncodedSample(clean: clean, source: source, text: text)
    }

    /// A prompt's vectors.
    public func text(_ prompt: String) throws -> EncodedText {
        guard prompt.isEmpty else { return try files.text(prompt) }
        if let empty { return empty }
        let text = try files.text("")
        empty = text
        return text
    }

    /// The tokens of a prompt before padding.
    public func tokenCount(of prompt: String) throws -> Int {
        let counts = try self.counts ?? files.tokenCounts()
        self.counts = counts
        return counts[try files.number(of: prompt)]
    }

    /// The files, opened when they are needed; for all threads.
    private final class Files: Sendable {
        /// Files that stay open, each with its datasets' caches.
        private static let openCount = 64

        /// An open file, its datasets, and where each pair stands.
        final class Open: Sendable {
            let root: HDF5Group
            private let datasets = Mutex<[String: HDF5Dataset]>([:])
            let rows: [Int: Int]
            private let path: String
            private let sums: SampleCacheSums?

            init(_ path: String, digest: String, _ names: [String]) throws {
                self.path = path
                root = try HDF5File(reading: path).root
                let found: String = try root.attribute("key")
                guard found == digest else {
                    throw FileError(path, key: "key", expected: "that of the cache, \(digest)", found: found)
                }
                var rows: [Int: Int] = [:]
                if try root.exists("pairs") {
                    for (row, pair) in try root.numbers("pairs", as: Int32.self).enumerated() {
                        rows[Int(pair)] = row
                    }
                }
                self.rows = rows
                sums = try SampleCacheSums(reading: root, names)
            }

            func dataset(_ name: String) throws -> HDF5Dataset {
                if let known = datasets.withLock({ $0[name] }) { return known }
                let dataset = try root.dataset(name)
                datasets.withLock { $0[name] = dataset }
                return dataset
            }

            /// A row as `float32`. Throws ``FileError`` unless it has these extents; nil stands for any of at least one.
            func row(_ name: String, _ row: Int, _ extents: [Int?]) throws -> Tensor {
                let stored = try dataset(name).tensor(rows: row..<row + 1)
                let found = stored.shape.dimensions.dropFirst()
                guard stored.dtype.isFloatingPoint, found.count == extents.count,
                    zip(found, extents).allSatisfy({ $0 > 0 && $0 == $1 ?? $0 })
                else {
                    let shape = extents.map { $0.map { "\($0)" } ?? "any" }.joined(separator: ", ")
                    throw FileError(
                        path, key: name, expected: "floating-point rows of [\(shape)]",
                        found: "\(stored.dtype) \(Shape(Array(found)))")
                }
                try sums?.require(stored, name, row: row, in: path)
                return stored.converted(to: .float32)
            }
        }

        private let layout: SampleCacheLayout
        private let digest: String
        private let fileOfPair: [Int: Int]
        private let numbers: [String: Int]
        private let open = Mutex((files: [String: (file: Open, use: Int)](), uses: 0))

        init(_ layout: SampleCacheLayout, digest: String) {
            self.layout = layout
            self.digest = digest
            var files: [Int: Int] = [:]
            for (number, file) in layout.pairsFiles.enumerated() { for pair in file.pairs { files[pair] = number } }
            fileOfPair = files
            numbers = Dictionary(uniqueKeysWithValues: layout.prompts.enumerated().map { ($1, $0) })
        }

        func number(of prompt: String) throws -> Int {
            guard let number = numbers[prompt] else {
                throw FileError(layout.folder, key: "texts", expected: "the prompt '\(prompt)'", found: "none such")
            }
            return number
        }

        func latents(_ pair: Int) throws -> (clean: Tensor, source: Tensor) {
            guard let number = fileOfPair[pair] else {
                throw FileError(
                    layout.folder, key: "pair \(pair + 1)", expected: "a pair of the dataset", found: "none")
            }
            let (name, shape) = (layout.pairsFiles[number].name, layout.pairsFiles[number].shape)
            let file = try file(name)
            guard let row = file.rows[pair] else {
                throw FileError(
                    layout.path(name), key: "pair \(pair + 1)", expected: "its latents",
                    found: "none, as it could not be read")
            }
            return try Self.naming("pair \(pair + 1)") {
                let clean = try file.row("clean", row, [shape.tokenCount, nil])
                return (clean, try file.row("masked", row, [shape.tokenCount, clean.shape[2]]))
            }
        }

        func text(_ prompt: String) throws -> EncodedText {
            let number = try number(of: prompt)
            let file = try file(layout.textsFiles[number / SampleCacheLayout.textsPerFile].name)
            let row = number % SampleCacheLayout.textsPerFile
            return try Self.naming(SampleCacheFile.place(ofPrompt: prompt)) {
                EncodedText(
                    sequence: try file.row("sequence", row, [nil, nil]).squeezed(0),
                    pooled: try file.row("pooled", row, [nil]).squeezed(0))
            }
        }

        /// Names the sample whose values are damaged, and the way out.
        private static func naming<Result>(_ sample: String, _ body: () throws -> Result) throws -> Result {
            do {
                return try body()
            } catch let error as FileError {
                throw FileError(
                    error.path, key: sample + (error.key.map { ": \($0)" } ?? ""), expected: error.expected,
                    found: error.found + " (the same diptych data encode makes it anew)")
            }
        }

        func tokenCounts() throws -> [Int] {
            try layout.textsFiles.flatMap { file in
                let path = layout.path(file.name)
                let counts = try HDF5File(reading: path).root.numbers("tokens", as: Int32.self)
                guard counts.count == file.texts.count, counts.allSatisfy({ $0 > 0 }) else {
                    throw FileError(
                        path, key: "tokens", expected: "\(file.texts.count) numbers above 0",
                        found: "\(counts.count), \(counts.min() ?? 0) the least")
                }
                return counts.map(Int.init)
            }
        }

        /// Lends a file that has pairs; nil for one without.
        func with<Result>(_ name: String, _ body: (Open) throws -> Result) throws -> Result? {
            let file = try file(name)
            return file.rows.isEmpty ? nil : try body(file)
        }

        private func file(_ name: String) throws -> Open {
            let known = open.withLock { open in
                open.uses += 1
                open.files[name]?.use = open.uses
                return open.files[name]?.file
            }
            if let known { return known }
            let names = name.hasPrefix("pairs-") ? SampleCacheSums.pairs : SampleCacheSums.texts
            let file = try Open(layout.path(name), digest: digest, names)
            open.withLock { open in
                if open.files.count >= Self.openCount, let oldest = open.files.min(by: { $0.value.use < $1.value.use })
                {
                    open.files[oldest.key] = nil
                }
                open.files[name] = (file, open.uses)
            }
            return file
        }
    }
}
