import Foundation
public import InContextEdit
public import Models
public import TensorCore
public import TensorIO

/// Runs the frozen encoders once over a dataset and writes what they give to a folder, for ``SampleCache`` to read.
///
/// What is stored is what training would compute: the mode of the posterior, packed and normalised, of the canvas and of
/// what the framework shows of the source; T5's embeddings with their padding, each prompt once, and CLIP's pooled
/// vectors. In `float32` a run from the cache equals one without it bit for bit; in `bfloat16`, half as large, latents
/// and embeddings are rounded once.
public struct SampleCacheWriter {
    /// How it ended.
    public struct Outcome: Sendable {
        /// Pairs and prompts that are in the cache now, and how many there are.
        public var done: Int, total: Int
        /// Pairs that were left out because they cannot be read.
        public var leftOut: [FileError]
        /// What was found damaged, of which the samples have been encoded anew.
        public var damaged: [FileError]
        /// How many pictures that were encoded now have transparent parts, where all were looked at before.
        public var transparentPictures: Int
        /// Whether all is done.
        public var isFinished: Bool
    }

    private let dataset: PairDataset
    private let parts: PipelineParts
    private let encoderOptions: EncoderOptions
    private let options: SampleEncoder.Options
    private let key: SampleCacheKey

    /// Prepares to encode `dataset` in `precision`, `bfloat16` or `float32`. Throws ``DatasetError`` for pairs that lack
    /// what their prompt needs, and `FileError` for missing files.
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

    /// Writes what is not there yet, and what is damaged.
    ///
    /// Every value that is there is read once, so that its checksum is compared. Of a damaged file the samples that are
    /// whole are kept; the others are encoded anew, to the bytes that they had.
    ///
    /// - Parameters:
    ///   - folder: a new or empty folder, or one that the same options began.
    ///   - overwrites: whether a cache of other contents is replaced.
    ///   - skipsFaults: whether pairs that cannot be read are left out; otherwise all of them are named before any work.
    ///   - workers: threads that decode pictures ahead.
    ///   - progress: told first of the files that are there and verified, then of the pairs and prompts.
    ///   - isStopped: asked after every pair, prompt and verified file; what belongs to no whole file is done again later.
    ///
    /// Throws `FileError` for a folder of another kind, a full disk and data of which nothing can be read,
    /// ``DatasetError`` for unreadable pairs.
    public func write(
        to folder: String, overwrites: Bool = false, skipsFaults: Bool = false, workers: Int = 1,
        progress: (WorkProgress) -> Void = { _ in },
        isStopped: () -> Bool = { false }
    ) throws -> Outcome {
        let shapes = PanelShapes(options.shapes, of: dataset)
        let prompts = try dataset.distinctPrompts(options.draws, shapes)
        let layout = SampleCacheLayout(folder: folder, shapes: shapes, prompts: prompts)
        try Self.requireNoFile(folder)
        let lock = try FolderLock(
            folder, expected: "a cache that no other process writes", found: "one that is being encoded")
        defer { withExtendedLifetime(lock) {} }
        try prepare(folder, overwrites: overwrites, texts: prompts.count)

        let work = Work(total: dataset.records.count + prompts.count, digest: key.digest, precision: key.precision)
        guard let pending = verify(layout, work, progress, isStopped) else { return work.outcome(dataset) }
        work.done = work.found
        progress(work.progress)
        if !pending.pairs.isEmpty || !pending.texts.isEmpty {
            let pairs = pending.pairs.flatMap(\.pairs)
            if !skipsFaults {
                let inspection = dataset.inspect(among: pairs)
                if !inspection.faults.isEmpty { throw DatasetError(faults: inspection.faults) }
                work.transparentPictures = inspection.transparentPictures
            }
            let encoders = try FrozenEncoders(parts, options: encoderOptions)
            var options = options
            options.keepsSamples = false
            let encoder = try SampleEncoder(dataset, encoders: encoders, options: options)
            let tick = {
                work.done += 1
                progress(work.progress)
            }
            for part in pending.texts {
                guard try Self.write(part, layout, encoder, work, isStopped, tick) else { return work.outcome(dataset) }
            }
            var rest = pairs[...]
            let pictures = Prefetcher<Int?, Result<LoadedSample, any Error>?>(
                threads: workers, ahead: max(2 * workers, 4), requests: { rest.popFirst() },
                make: { [read = encoder.read] index in
                    index.map { index in Result { try read(SampleDraw(index: index, prompt: "")) } }
                })
            for part in pending.pairs {
                guard try Self.write(part, layout, encoder, work, pictures, isStopped, tick) else {
                    return work.outcome(dataset)
                }
            }
        }
        var outcome = work.outcome(dataset)
        if outcome.leftOut.count == dataset.records.count {
            throw dataset.nothingReadable(first: outcome.leftOut[0])
        }
        var manifest = SampleCacheManifest(key, pairs: dataset.records.count, texts: prompts.count)
        manifest.finished = true
        manifest.leftOut = work.leftOut.map(\.index).sorted()
        try manifest.write(to: folder)
        outcome.isFinished = true
        return outcome
    }

    // MARK: What is there

    /// What is still to be written.
    private struct Pending {
        /// A file of pairs, what of it is there, and the pairs to encode.
        typealias Pairs = (file: SampleCacheLayout.PairsFile, held: SampleCacheFile?, pairs: [Int])
        /// A file of prompts, and what of it is there.
        typealias Texts = (file: SampleCacheLayout.TextsFile, held: SampleCacheFile?)

        var pairs: [Pairs] = []
        var texts: [Texts] = []
    }

    /// Reads every file that is there; nil when it was stopped.
    private func verify(
        _ layout: SampleCacheLayout, _ work: Work, _ progress: (WorkProgress) -> Void,
        _ isStopped: () -> Bool
    ) -> Pending? {
        func isThere(_ name: String) -> Bool { FileManager.default.fileExists(atPath: layout.path(name)) }
        let total = (layout.pairsFiles.map(\.name) + layout.textsFiles.map(\.name)).count(where: isThere)
        var (done, pending) = (0, Pending())
        func tick() -> Bool {
            done += 1
            progress(WorkProgress("files verified", done: done, total: total))
            return isStopped()
        }
        for file in layout.textsFiles {
            guard isThere(file.name) else {
                pending.texts.append((file, nil))
                continue
            }
            let held = SampleCacheFile(
                texts: layout.path(file.name), digest: work.digest, prompts: Array(layout.prompts[file.texts]))
            work.found += held.rows.count
            work.damaged += held.faults
            if !held.isWhole { pending.texts.append((file, held)) }
            if tick() { return nil }
        }
        for file in layout.pairsFiles {
            guard isThere(file.name) else {
                pending.pairs.append((file, nil, file.pairs))
                continue
            }
            let held = SampleCacheFile(pairs: layout.path(file.name), digest: work.digest, among: file.pairs)
            let left = held.numbers.map { numbers in Set(file.pairs).subtracting(numbers) } ?? []
            work.leftOut += left.map { ($0, nil) }
            work.found += held.rows.count + left.count
            work.damaged += held.faults
            if !held.isWhole {
                pending.pairs.append((file, held, file.pairs.filter { held.rows[$0] == nil && !left.contains($0) }))
            }
            if tick() { return nil }
        }
        return pending
    }

    private static func requireNoFile(_ folder: String) throws(FileError) {
        if let found = FileIdentity(folder), !found.isFolder {
            throw FileError(folder, expected: "a folder for the cache", found: "a file")
        }
    }

    /// Sees to it that the folder is this cache's own, and sweeps what a killed process left half-written.
    private func prepare(_ folder: String, overwrites: Bool, texts: Int) throws {
        let files = FileManager.default
        func isOurs(_ name: String) -> Bool {
            name.hasSuffix(".h5") && (name.hasPrefix("pairs-") || name.hasPrefix("texts-"))
        }
        AtomicFile.sweep(folder) { isOurs($0) || $0 == SampleCacheLayout.manifestName }
        let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
        let manifest = try SampleCacheManifest(folder: folder)
        if manifest == nil, let other = names.sorted().first(where: { !$0.hasPrefix(".") }) {
            throw FileError(
                folder, expected: "a new or empty folder, or a cache",
                found: "other files, such as \(other)")
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
        if isOther { for name in names where isOurs(name) { try files.removeItem(atPath: folder + "/" + name) } }
        if manifest == nil || isOther {
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
        var damaged: [FileError] = []
        var transparentPictures = 0

        init(total: Int, digest: String, precision: DType) {
            self.total = total
            self.digest = digest
            self.precision = precision
        }

        var progress: WorkProgress {
            WorkProgress("pairs and prompts", done: done, total: total, found: found)
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
                }, damaged: damaged, transparentPictures: transparentPictures, isFinished: false)
        }
    }

    private static func write(
        _ part: Pending.Texts, _ layout: SampleCacheLayout,
        _ encoder: SampleEncoder, _ work: Work, _ isStopped: () -> Bool, _ tick: () -> Void
    ) throws -> Bool {
        let texts = Array(layout.prompts[part.file.texts])
        var (sequences, pooled): ([Tensor], [Tensor]) = ([], [])
        for (number, text) in texts.enumerated() {
            if isStopped() { return false }
            if let held = part.held, held.rows[number] != nil {
                sequences.append(try held.tensor("sequence", of: number))
                pooled.append(try held.tensor("pooled", of: number))
                continue
            }
            let encoded = try encoder.text(text)
            sequences.append(encoded.sequence.converted(to: work.precision))
            pooled.append(encoded.pooled)
            tick()
        }
        try HDF5File.write(to: layout.path(part.file.name)) { root in
            try root.setAttribute("key", work.digest)
            let tokens = texts.map { Int32(encoder.tokenCount(of: $0)) }
            try root.write(texts, to: "texts")
            try root.write(Tensor(tokens, [tokens.count]), to: "tokens")
            try write(sequences, to: "sequence", root)
            try write(pooled, to: "pooled", root)
            let list = Fingerprint(texts: texts, tokens: tokens)
            try SampleCacheSums(list: list, SampleCacheSums.texts, [sequences, pooled]).write(to: root)
        }
        return true
    }

    private static func write(
        _ part: Pending.Pairs,
        _ layout: SampleCacheLayout, _ encoder: SampleEncoder, _ work: Work,
        _ pictures: Prefetcher<Int?, Result<LoadedSample, any Error>?>, _ isStopped: () -> Bool, _ tick: () -> Void
    ) throws -> Bool {
        var pairs: [Int32] = []
        var (clean, masked): ([Tensor], [Tensor]) = ([], [])
        let missing = Set(part.pairs)
        for index in part.file.pairs {
            if isStopped() { return false }
            guard missing.contains(index) else {
                // What an earlier run left out has no row.
                guard let held = part.held, held.rows[index] != nil else { continue }
                pairs.append(Int32(index))
                clean.append(try held.tensor("clean", of: index))
                masked.append(try held.tensor("masked", of: index))
                continue
            }
            switch pictures.take()! {
            case .failure(let error):
                work.leftOut.append((index, encoder.dataset.fault(at: index, error)))
            case .success(let loaded):
                guard case .panels(let source, let target) = loaded.pictures else {
                    preconditionFailure("an encoder that keeps nothing gives panels")
                }
                let latents = try encoder.latents(
                    of: Diptych(source: source, edited: target, panelLayout: part.file.shape.panelLayout))
                pairs.append(Int32(index))
                clean.append(latents.clean.converted(to: work.precision))
                masked.append(latents.source.converted(to: work.precision))
            }
            tick()
        }
        try HDF5File.write(to: layout.path(part.file.name)) { root in
            try root.setAttribute("key", work.digest)
            try root.write(Tensor(pairs, [pairs.count]), to: "pairs")
            if !pairs.isEmpty {
                try write(clean, to: "clean", root)
                try write(masked, to: "masked", root)
            }
            let list = Fingerprint(pairs: pairs)
            try SampleCacheSums(list: list, SampleCacheSums.pairs, [clean, masked]).write(to: root)
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
