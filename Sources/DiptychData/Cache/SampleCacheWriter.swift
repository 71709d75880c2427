import Foundation
public import InContextEdit
public import Models
public import TensorCore
public import TensorIO

/// Runs the frozen encoders once over a dataset and writes what they give to a folder, for ``SampleCache`` to read.
///
/// What is stored is what training would compute: the mode of the posterior, packed and normalised, of the diptych and of
/// the diptych with its edited panel blanked; T5's embeddings with their padding, each prompt once, and CLIP's pooled
/// vectors. In `float32` a run from the cache equals one without it bit for bit; in `bfloat16`, half as large, latents
/// and embeddings are rounded once.
public struct SampleCacheWriter {
    /// How it ended.
    public struct Outcome: Sendable {
        /// Pairs and prompts that are in the cache now, and how many there are.
        public var done: Int, total: Int
        /// Pairs that were left out because they cannot be read.
        public var leftOut: [FileError]
        /// Whether all is done.
        public var isFinished: Bool
    }

    private let dataset: PairDataset
    private let parts: PipelineParts
    private let encoderOptions: EncoderOptions
    private let options: SampleEncoder.Options
    private let key: SampleCacheKey

    /// Prepares to encode `dataset` in `precision`, `bfloat16` or `float32`. Throws ``DatasetError`` for pairs that lack
    /// what their prompt needs, and ``FileError`` for missing files.
    public init(
        _ dataset: PairDataset, _ parts: PipelineParts, _ encoders: EncoderOptions, options: SampleEncoder.Options,
        precision: DType
    ) throws {
        precondition(precision == .bfloat16 || precision == .float32, "a cache in \(precision)")
        precondition(!options.draws.variesPictures, "a cache holds pictures as they are")
        try dataset.requirePrompts(options.draws)
        self.dataset = dataset
        self.parts = parts
        encoderOptions = encoders
        self.options = options
        key = try SampleCacheKey(dataset, parts, encoders, options, precision: precision)
    }

    /// Writes what is not there yet.
    ///
    /// - Parameters:
    ///   - folder: a new or empty folder, or one that the same options began.
    ///   - overwrites: whether a cache of other contents is replaced.
    ///   - skipsFaults: whether pairs that cannot be read are left out; otherwise all of them are named before any work.
    ///   - workers: threads that decode pictures ahead.
    ///   - progress: told what is done, of how much, and how much of it was there before.
    ///   - isStopped: asked after every pair and prompt; what belongs to no whole file is done again later.
    ///
    /// Throws ``FileError`` for a folder of another kind and a full disk, ``DatasetError`` for unreadable pairs.
    public func write(
        to folder: String, overwrites: Bool = false, skipsFaults: Bool = false, workers: Int = 1,
        progress: (_ done: Int, _ total: Int, _ found: Int) -> Void = { _, _, _ in },
        isStopped: () -> Bool = { false }
    ) throws -> Outcome {
        let shapes = PanelShapes(options.shapes, of: dataset)
        let prompts = try dataset.distinctPrompts(options.draws, shapes)
        let layout = SampleCacheLayout(folder: folder, shapes: shapes, prompts: prompts)
        try prepare(folder, overwrites: overwrites, texts: prompts.count)

        let work = Work(total: dataset.records.count + prompts.count, digest: key.digest, precision: key.precision)
        let pairsFiles = layout.pairsFiles.filter { file in
            guard let left = work.leftOut(of: layout.path(file.name), file.pairs) else { return true }
            for index in left { work.leftOut.append((index, nil)) }
            work.found += file.pairs.count
            return false
        }
        let textsFiles = layout.textsFiles.filter { file in
            guard work.isWhole(layout.path(file.name)) else { return true }
            work.found += file.texts.count
            return false
        }
        work.done = work.found
        progress(work.done, work.total, work.found)
        if !pairsFiles.isEmpty || !textsFiles.isEmpty {
            let pending = pairsFiles.flatMap(\.pairs)
            if !skipsFaults {
                let faults = dataset.unreadablePairs(among: pending)
                if !faults.isEmpty { throw DatasetError(faults: faults) }
            }
            let encoders = try FillEncoders(parts, options: encoderOptions)
            var options = options
            options.keepsSamples = false
            let encoder = try SampleEncoder(dataset, encoders: encoders, options: options)
            let tick = {
                work.done += 1
                progress(work.done, work.total, work.found)
            }
            for file in textsFiles {
                guard try Self.write(file, layout, encoder, work, isStopped, tick) else { return work.outcome(dataset) }
            }
            var rest = pending[...]
            let pictures = Prefetcher<Int?, Result<LoadedSample, any Error>?>(
                threads: workers, ahead: max(2 * workers, 4), requests: { rest.popFirst() },
                make: { [read = encoder.read] index in
                    index.map { index in Result { try read(SampleDraw(index: index, prompt: "")) } }
                })
            for file in pairsFiles {
                guard try Self.write(file, layout, encoder, work, pictures, isStopped, tick) else {
                    return work.outcome(dataset)
                }
            }
        }
        var manifest = SampleCacheManifest(key, pairs: dataset.records.count, texts: prompts.count)
        manifest.finished = true
        manifest.leftOut = work.leftOut.map(\.index).sorted()
        try manifest.write(to: folder)
        var outcome = work.outcome(dataset)
        outcome.isFinished = true
        return outcome
    }

    /// Sees to it that the folder is this cache's own, and sweeps what a killed process left half-written.
    private func prepare(_ folder: String, overwrites: Bool, texts: Int) throws {
        let files = FileManager.default
        var isFolder: ObjCBool = false
        if files.fileExists(atPath: folder, isDirectory: &isFolder), !isFolder.boolValue {
            throw FileError(folder, expected: "a folder for the cache", found: "a file")
        }
        let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
        let manifest = try SampleCacheManifest(folder: folder)
        if manifest == nil, names.contains(where: { !$0.hasSuffix(".partial") }) {
            throw FileError(
                folder, expected: "a new or empty folder, or a cache",
                found: "other files, such as \(names.sorted()[0])")
        }
        var isOther = false
        if let manifest {
            do {
                try manifest.require(key, in: folder)
            } catch {
                guard overwrites else { throw error }
                isOther = true
            }
        }
        for name in names {
            let isOurs = name.hasSuffix(".h5") && (name.hasPrefix("pairs-") || name.hasPrefix("texts-"))
            if name.hasSuffix(".partial") || isOther && isOurs { try files.removeItem(atPath: folder + "/" + name) }
        }
        if manifest == nil || isOther {
            try createFolder(folder)
            try SampleCacheManifest(key, pairs: dataset.records.count, texts: texts).write(to: folder)
        }
    }

    // MARK: Files

    /// What is done so far.
    private final class Work {
        let total: Int
        let digest: String
        let precision: DType
        var found = 0, done = 0
        var leftOut: [(index: Int, fault: FileError?)] = []

        init(total: Int, digest: String, precision: DType) {
            self.total = total
            self.digest = digest
            self.precision = precision
        }

        func outcome(_ dataset: PairDataset) -> Outcome {
            Outcome(
                done: done, total: total,
                leftOut: leftOut.sorted { $0.index < $1.index }.map { index, fault in
                    fault
                        ?? dataset.fault(
                            at: index,
                            FileError(
                                "", expected: "a pair that can be read", found: "one that an earlier run left out"))
                }, isFinished: false)
        }

        /// Whether a file is there and of this cache; a damaged one is made anew.
        func isWhole(_ path: String) -> Bool {
            guard FileManager.default.fileExists(atPath: path), let root = try? HDF5File(reading: path).root else {
                return false
            }
            return (try? root.attribute("key", as: String.self)) == digest
        }

        /// The pairs that a whole file lacks; nil when it is not whole.
        func leftOut(of path: String, _ pairs: [Int]) -> [Int]? {
            guard isWhole(path), let numbers = try? HDF5File(reading: path).root.tensor("pairs") else { return nil }
            let held = Set(numbers.elements(as: Int32.self).map(Int.init))
            return pairs.filter { !held.contains($0) }
        }
    }

    private static func write(
        _ file: SampleCacheLayout.TextsFile, _ layout: SampleCacheLayout, _ encoder: SampleEncoder, _ work: Work,
        _ isStopped: () -> Bool, _ tick: () -> Void
    ) throws -> Bool {
        let texts = Array(layout.prompts[file.texts])
        var encoded: [EncodedText] = []
        for text in texts {
            if isStopped() { return false }
            encoded.append(encoder.text(text))
            tick()
        }
        try HDF5File.write(to: layout.path(file.name)) { root in
            try root.setAttribute("key", work.digest)
            try root.write(texts, to: "texts")
            let counts = texts.map { Int32(encoder.tokenCount(of: $0)) }
            try root.write(Tensor(counts, [counts.count]), to: "tokens")
            try write(encoded.map { $0.sequence.converted(to: work.precision) }, to: "sequence", root)
            try write(encoded.map(\.pooled), to: "pooled", root)
        }
        return true
    }

    private static func write(
        _ file: SampleCacheLayout.PairsFile, _ layout: SampleCacheLayout, _ encoder: SampleEncoder, _ work: Work,
        _ pictures: Prefetcher<Int?, Result<LoadedSample, any Error>?>, _ isStopped: () -> Bool, _ tick: () -> Void
    ) throws -> Bool {
        var pairs: [Int32] = []
        var (clean, masked): ([Tensor], [Tensor]) = ([], [])
        for index in file.pairs {
            if isStopped() { return false }
            switch pictures.take()! {
            case .failure(let error):
                work.leftOut.append((index, encoder.dataset.fault(at: index, error)))
            case .success(let loaded):
                guard case .panels(let source, let target) = loaded.pictures else {
                    preconditionFailure("an encoder that keeps nothing gives panels")
                }
                let latents = encoder.latents(
                    of: Diptych(source: source, edited: target, arrangement: file.shape.arrangement))
                pairs.append(Int32(index))
                clean.append(latents.clean.converted(to: work.precision))
                masked.append(latents.masked.converted(to: work.precision))
            }
            tick()
        }
        try HDF5File.write(to: layout.path(file.name)) { root in
            try root.setAttribute("key", work.digest)
            try root.write(Tensor(pairs, [pairs.count]), to: "pairs")
            if !pairs.isEmpty {
                try write(clean, to: "clean", root)
                try write(masked, to: "masked", root)
            }
        }
        return true
    }

    /// Tensors of one shape as the rows of a dataset, each a chunk with a checksum.
    private static func write(_ rows: [Tensor], to name: String, _ root: HDF5Group) throws {
        let shape = rows[0].shape
        let dataset = try root.createDataset(
            name, dtype: rows[0].dtype, shape: Shape([rows.count] + shape.dimensions),
            HDF5DatasetOptions(checksum: true, chunk: [1] + shape.dimensions))
        for (i, row) in rows.enumerated() { try dataset.write(row.unsqueezed(0), atRow: i) }
    }
}
