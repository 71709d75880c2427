import Foundation
import InContextEdit
import Synchronization
public import TensorCore
import TensorIO

extension SceneGenerator {
    /// How a dataset is written.
    public struct Layout: Sendable, Hashable, Codable {
        /// How panels are stored; masks are PNG always.
        public var format: PanelFormat
        /// The most pairs in a shard.
        public var shardSize: Int

        /// Collects the options; by default JPEG from 128 pixels on, where it takes half of PNG's room or less.
        public init(format: PanelFormat? = nil, shardSize: Int = 1000, size: Int) {
            self.format = format ?? PanelFormat(side: size)
            self.shardSize = shardSize
        }
    }

    /// What a folder of scenes was made with; whoever finds it can finish what was interrupted.
    struct Manifest: Codable, Equatable {
        var options: Options
        var layout: Layout
        var photos: [String]
    }

    static let manifestName = "scenes.json"

    /// Writes a dataset of shards, `scenes-000000.tar` …, each whole or not at all, and finishes one that was
    /// interrupted.
    ///
    /// `folder` must be new, empty, or hold what the same options began; `overwrites` removes an earlier dataset of
    /// scenes. Calls of `progress` never overlap, but come from several threads. Throws ``FolderInUse`` before anything is
    /// touched, and `FileError` for what the file system refuses.
    public func write(
        to folder: String, layout: Layout, overwrites: Bool = false,
        progress: @Sendable (WorkProgress) -> Void = { _ in }
    ) throws {
        precondition(layout.shardSize > 0, "shards of \(layout.shardSize) pairs")
        let root = URL(filePath: folder, directoryHint: .isDirectory)
        let manifest = Manifest(options: options, layout: layout, photos: renderer.photos.names)
        let lock = try ShardWriting.lock(root.relativePath)
        defer { withExtendedLifetime(lock) {} }
        try prepare(root, manifest, overwrites: overwrites)
        let state = Mutex(WorkProgress("pairs", total: options.count))
        for shard in 0..<(options.count + layout.shardSize - 1) / layout.shardSize {
            let numbers = shard * layout.shardSize..<min(options.count, (shard + 1) * layout.shardSize)
            let path = root.appending(path: Self.shardName(shard)).relativePath
            if FileManager.default.fileExists(atPath: path) {
                state.withLock { state in
                    state.done += numbers.count
                    state.found += numbers.count
                    progress(state)
                }
                continue
            }
            let samples = Mutex([ShardWriting.Sample?](repeating: nil, count: numbers.count))
            let fault = Mutex<(any Error)?>(nil)
            parallelFor(numbers.count, grain: 1) { range in
                for i in range {
                    do {
                        let sample = try sample(at: numbers.lowerBound + i, layout.format)
                        samples.withLock { $0[i] = sample }
                        state.withLock { state in
                            state.done += 1
                            progress(state)
                        }
                    } catch {
                        fault.withLock { $0 = error }
                        return
                    }
                }
            }
            if let fault = fault.withLock({ $0 }) { throw fault }
            try ShardWriting.write(samples.withLock { $0.compactMap(\.self) }, to: path)
        }
        try AtomicFile.write(to: root.appending(path: Self.manifestName).relativePath) {
            try $0.write(Self.encoded(manifest))
        }
        try ShardWriting.remove(root.appending(path: ShardWriting.unfinishedName))
    }

    /// The members of a pair.
    private func sample(at index: Int, _ format: PanelFormat) throws -> ShardWriting.Sample {
        let pair = pair(at: index)
        let text = SceneText(
            instruction: pair.fields.instruction, instructions: pair.edit.instructions, task: pair.edit.task.rawValue,
            subject: pair.fields.subject, description: pair.fields.description, inputCaption: pair.fields.inputCaption,
            outputCaption: pair.fields.outputCaption,
            pairCaption: "On the left \(pair.edit.source.caption). On the right \(pair.edit.target.caption).",
            goal: pair.edit)
        return ShardWriting.Sample(
            key: zeroPadded(index, digits: 9),
            members: [
                ("source.\(format.rawValue)", try pair.source.encoded(as: format.imageFormat)),
                ("target.\(format.rawValue)", try pair.target.encoded(as: format.imageFormat)),
                ("mask.png", try pair.mask.encoded(as: .png)), ("json", try Self.encoded(text)),
            ])
    }

    private static func shardName(_ number: Int) -> String {
        "scenes-\(zeroPadded(number, digits: 6)).tar"
    }

    private static func encoded(_ value: some Encodable) throws -> [UInt8] {
        try JSONValue(encoding: value).bytes(.compact.sorted)
    }

    /// Makes the folder, or finds there what the same options began.
    private func prepare(_ root: URL, _ manifest: Manifest, overwrites: Bool) throws {
        let path = root.relativePath
        // What a killed process left of a shard.
        AtomicFile.sweep(path) {
            $0.hasPrefix("scenes-") || $0 == Self.manifestName || $0 == ShardWriting.unfinishedName
        }
        let names = try ShardWriting.names(in: root)
        let unfinished = root.appending(path: ShardWriting.unfinishedName)
        let known = [ShardWriting.unfinishedName, Self.manifestName].compactMap { name in
            names.contains(name)
                ? (try? Data(contentsOf: root.appending(path: name))).flatMap {
                    try? JSONValue.decoding(Manifest.self, from: $0)
                } : nil
        }
        if overwrites {
            for name in names where name == Self.manifestName || name.hasPrefix("scenes-") && name.hasSuffix(".tar") {
                try ShardWriting.remove(root.appending(path: name))
            }
        } else if !names.isEmpty, known.first != manifest {
            throw FolderInUse(
                folder: path,
                found: known.isEmpty
                    ? "'\(names[0])'" + (names.count > 1 ? " and \(names.count - 1) more" : "")
                    : "scenes of other options (\(Self.manifestName))")
        }
        try AtomicFile.write(to: unfinished.relativePath) { try $0.write(Self.encoded(manifest)) }
    }
}

/// The text of a pair in a shard.
struct SceneText: Codable {
    var instruction: String
    /// Every way to demand the edit.
    var instructions: [String]
    var task: String
    var subject: String?
    var description: String?
    var inputCaption: String?
    var outputCaption: String?
    /// A caption of both panels.
    var pairCaption: String
    /// What ``SceneOracle`` judges by.
    var goal: SceneEdit

    enum CodingKeys: String, CodingKey {
        case instruction, instructions, task, subject, description, goal
        case inputCaption = "input_caption"
        case outputCaption = "output_caption"
        case pairCaption = "pair_caption"
    }
}
