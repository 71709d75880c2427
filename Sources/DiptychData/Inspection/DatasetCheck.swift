import Foundation
import InContextEdit
import Synchronization
import TensorCore
public import TensorIO

/// Reads every pair of a dataset once and finds all that is wrong with it before training does.
///
///     let check = try DatasetCheck(path: "Datasets/mine")
///     check.faults.forEach { print($0) }
///
/// Faults are: everything that ``PairDataset`` refuses, pictures that cannot be decoded, panels or masks of another size
/// than the source, and pairs that are there already, to the byte, with the same instruction.
public struct DatasetCheck: Sendable {
    /// The number of pairs that are listed without a fault of the list.
    public let pairCount: Int
    /// What is wrong, in the order of the dataset: faults of the list first.
    public let faults: [FileError]
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
        var size: String?
        var byteCount = 0
        /// Hashes of the files and the instruction.
        var content: [UInt64]?
    }

    /// Reads a folder of pictures, a folder of shards or a shard, with the names and choices of `reading`; for evaluation
    /// also without targets, and MagicBrush's test folder. Throws ``FileError`` when it is none of these.
    ///
    /// `progress` is told how many pairs are done, of how many; calls never overlap, but come from several threads.
    public init(
        path: String, reading: PairReading = PairReading(), isEvaluation: Bool = false,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws(FileError) {
        let listing = try PairListing(path: path, reading: reading, purpose: isEvaluation ? .evaluation : .training)
        let count = listing.entries.count
        let state = Mutex((findings: [Finding](repeating: Finding(), count: count), done: 0))
        parallelFor(count, grain: 1) { range in
            for i in range {
                let finding = Self.read(listing.entries[i], listing.shards)
                state.withLock { state in
                    state.findings[i] = finding
                    state.done += 1
                    progress(state.done, count)
                }
            }
        }
        let findings = state.withLock { $0.findings }
        var faults = listing.faults
        var first: [[UInt64]: Int] = [:]
        for (entry, (i, finding)) in zip(listing.entries, findings.enumerated()) {
            faults += finding.faults
            guard let content = finding.content else { continue }
            if let earlier = first[content] {
                let there = listing.entries[earlier]
                faults.append(
                    FileError(
                        entry.list, key: entry.place, expected: "a pair of its own",
                        found: "the same pictures and instruction as in "
                            + (there.list == entry.list ? there.place : "\(there.list): \(there.place)")))
            } else {
                first[content] = i
            }
        }
        self.faults = faults
        pairCount = count
        targetCount = listing.entries.count { $0.target != nil }
        maskCount = listing.entries.count { $0.mask != nil }
        let sessions = listing.entries.compactMap(\.name.session)
        sessionCount = Set(sessions).count + count - sessions.count
        byteCount = findings.map(\.byteCount).reduce(0, +)
        tasks = Self.counted(listing.entries.map { $0.record.task ?? "no task" })
        sizes = Self.counted(findings.compactMap(\.size))
    }

    private static func read(_ entry: PairListing.Entry, _ shards: [TarFile]) -> Finding {
        var finding = Finding()
        var hashes: [UInt64] = []
        // Sizes are enough: a picture that waited for its pair would be memory that no bound knows of.
        func decode(_ file: PairFile, _ name: String) -> (width: Int, height: Int)? {
            do {
                return try PairListing.withBytes(of: file, shards) { bytes, path in
                    finding.byteCount += bytes.count
                    if name != "mask" { hashes.append(hash(bytes)) }
                    return try Image.withDecoded(bytes, name: path) { ($0.width, $0.height) }
                }
            } catch {
                let fault = error as? FileError
                finding.faults.append(
                    FileError(
                        entry.list, key: "\(entry.place): \(name)", expected: fault?.expected ?? "a picture",
                        found: fault.map { $0.found + self.place(of: $0, in: entry) } ?? "\(error)"))
                return nil
            }
        }
        let source = decode(entry.source, "source")
        let target = entry.target.flatMap { decode($0, "target") }
        let mask = entry.mask.flatMap { decode($0, "mask") }
        if let source {
            finding.size = "\(source.width)x\(source.height)"
            for (name, image) in [("target", target), ("mask", mask)] {
                guard let image, image.width != source.width || image.height != source.height else { continue }
                finding.faults.append(
                    FileError(
                        entry.list, key: "\(entry.place): \(name)",
                        expected: "the size of the source, \(source.width)x\(source.height)",
                        found: "\(image.width)x\(image.height)"))
            }
        }
        if hashes.count == (entry.target == nil ? 1 : 2) {
            var text = entry.record.fields.instruction
            finding.content = hashes + [text.withUTF8 { hash(UnsafeRawBufferPointer($0)) }]
        }
        return finding
    }

    /// The picture's own file, where the list does not show it.
    private static func place(of fault: FileError, in entry: PairListing.Entry) -> String {
        fault.path.hasPrefix(entry.list) ? "" : " (\(fault.path))"
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
