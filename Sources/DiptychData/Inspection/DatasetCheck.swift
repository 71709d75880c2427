public import InContextEdit
import Synchronization
public import TensorCore
public import TensorIO

/// Reads every pair of a dataset once and finds all that is wrong with it before training does.
///
///     let check = try DatasetCheck(path: "Datasets/mine")
///     check.faults.forEach { print($0) }
///     check.notes.forEach { print($0) }
///
/// A fault is what training refuses: everything that ``PairDataset`` refuses, pictures that cannot be decoded, targets of
/// other proportions than their source. For evaluation, targets and masks must have the very size of the source. What
/// training takes but changes, and pairs that are there already, are notes.
public struct DatasetCheck: Sendable {
    /// The number of pairs that are listed without a fault of the list.
    public let pairCount: Int
    /// What is wrong, in the order of the dataset: faults of the list first.
    public let faults: [FileError]
    /// What is worth a word, one line a kind.
    public let notes: [String]
    /// How many pairs there are of each task, the most first.
    public let tasks: [(name: String, count: Int)]
    /// How many sources there are of each size, `width x height`, the most first.
    public let sizes: [(name: String, count: Int)]
    /// The bytes of all pictures.
    public let byteCount: Int
    /// How many pairs have a target, and how many a mask.
    public let targetCount: Int, maskCount: Int
    /// How many sessions of edits there are; a pair that belongs to none is one.
    public let sessionCount: Int

    /// What reading a pair gives.
    private struct Finding {
        var faults: [FileError] = []
        var sizes: [(name: String, size: PictureSize)] = []
        var byteCount = 0
        var transparentPictures = 0
        /// Hashes of the files and the instruction.
        var content: [UInt64]?
    }

    /// Reads a folder of pictures, a folder of shards or a shard, with the names and choices of `reading`; for evaluation
    /// also without targets, and MagicBrush's test folder. Throws ``FileError`` when it is none of these.
    ///
    /// `shapes` and `settings` are those of the run that is to come. Calls of `progress` never overlap, but come from
    /// several threads.
    public init(
        path: String, reading: PairReading = PairReading(), isEvaluation: Bool = false,
        shapes: [DiptychGeometry] = [DiptychGeometry(panelWidth: 512, panelHeight: 512)],
        settings: PairNotes.Settings = PairNotes.Settings(),
        progress: @Sendable (WorkProgress) -> Void = { _ in }
    ) throws(FileError) {
        let listing = try PairListing(path: path, reading: reading, purpose: isEvaluation ? .evaluation : .training)
        let count = listing.entries.count
        let state = Mutex(
            (findings: [Finding](repeating: Finding(), count: count), progress: WorkProgress("pairs", total: count)))
        parallelFor(count, grain: 1) { range in
            for i in range {
                let finding = Self.read(listing.entries[i], listing.shards, reading, isEvaluation)
                state.withLock { state in
                    state.findings[i] = finding
                    state.progress.done += 1
                    progress(state.progress)
                }
            }
        }
        let findings = state.withLock { $0.findings }
        let entries = listing.entries
        faults = listing.faults + findings.flatMap(\.faults)
        let sources = findings.map { finding in finding.sizes.first { $0.name == "source" }?.size }
        let pictures = PanelShapes(shapes, sizes: sources)
        let isOne = Set(entries.map(\.list)).count == 1
        func place(_ i: Int) -> String { isOne ? entries[i].place : "\(entries[i].list): \(entries[i].place)" }
        var notes = PairNotes(
            entries.indices.map { i in
                PairNotes.Pair(
                    place: place(i), record: entries[i].record, sizes: findings[i].sizes, shape: pictures[i])
            }, settings)
        notes.add(transparent: findings.reduce(0) { $0 + $1.transparentPictures }, on: reading.background)
        var first: [[UInt64]: Int] = [:]
        var again: [(pair: Int, earlier: Int)] = []
        for (i, finding) in findings.enumerated() {
            guard let content = finding.content else { continue }
            if let earlier = first[content] { again.append((i, earlier)) } else { first[content] = i }
        }
        if let example = again.first {
            notes.add(
                "\(again.count) of \(count) pairs \(again.count == 1 ? "is" : "are") there already, with the same pictures and "
                    + "instruction, such as \(place(example.pair)), as \(place(example.earlier))")
        }
        self.notes = notes.lines
        pairCount = count
        targetCount = entries.count { $0.target != nil }
        maskCount = entries.count { $0.mask != nil }
        let sessions = entries.compactMap(\.name.session)
        sessionCount = Set(sessions).count + count - sessions.count
        byteCount = findings.map(\.byteCount).reduce(0, +)
        tasks = Self.counted(entries.map { $0.record.task ?? "no task" })
        sizes = Self.counted(sources.compactMap { $0?.description })
    }

    private static func read(
        _ entry: PairListing.Entry, _ shards: [TarFile], _ reading: PairReading, _ isEvaluation: Bool
    ) -> Finding {
        var finding = Finding()
        var hashes: [UInt64] = []
        // Sizes are enough: a picture that waited for its pair would be memory that no bound knows of.
        func decode(_ file: PairFile, _ name: String) -> PictureSize? {
            do {
                return try PairListing.withBytes(of: file, shards) { bytes, path in
                    finding.byteCount += bytes.count
                    if name != "mask" { hashes.append(hash(bytes)) }
                    return try Image.withDecoded(bytes, name: path, background: reading.background) {
                        image, isTransparent in
                        if isTransparent, name != "mask" { finding.transparentPictures += 1 }
                        return PictureSize(image)
                    }
                }
            } catch {
                finding.faults.append(PairRules.fault(error, name, list: entry.list, place: entry.place))
                return nil
            }
        }
        let source = decode(entry.source, "source")
        let target = entry.target.flatMap { decode($0, "target") }
        let mask = entry.mask.flatMap { decode($0, "mask") }
        finding.sizes = [("source", source), ("target", target)].compactMap { name, size in size.map { (name, $0) } }
        if let source {
            let targetFault = target.flatMap { target in
                isEvaluation
                    ? PairRules.fault(ofCompared: target, source) : PairRules.fault(ofTarget: target, source, reading)
            }
            let maskFault = mask.flatMap { PairRules.fault(ofCompared: $0, source) }
            for (name, fault) in [("target", targetFault), ("mask", maskFault)] {
                guard let fault else { continue }
                finding.faults.append(
                    FileError(
                        entry.list, key: "\(entry.place): \(name)", expected: fault.expected, found: fault.found))
            }
        }
        if hashes.count == (entry.target == nil ? 1 : 2) {
            var text = entry.record.fields.instruction
            finding.content = hashes + [text.withUTF8 { hash(UnsafeRawBufferPointer($0)) }]
        }
        return finding
    }

    /// FNV-1a over words of eight bytes.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
        var place = 0
        while place + 8 <= bytes.count {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) &* 0x100_0000_01B3
            hash ^= hash >> 29
            place += 8
        }
        while place < bytes.count {
            hash = (hash ^ UInt64(bytes[place])) &* 0x100_0000_01B3
            place += 1
        }
        return hash ^ hash >> 32
    }

    private static func counted(_ names: [String]) -> [(name: String, count: Int)] {
        Dictionary(grouping: names, by: \.self).map { ($0.key, $0.value.count) }
            .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    }
}
