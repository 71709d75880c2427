import Foundation
import InContextEdit
public import TensorIO

/// How the pairs of a dataset are named, chosen and cut.
public struct PairReading: Sendable, Hashable {
    /// The dataset's own names for the keys of ``PairRecord/columns``; in shards also for the members `source`, `target`
    /// and `mask`. What is not here has its own name.
    public var columns: [String: String] = [:]
    /// The tasks to keep; none keeps all.
    public var tasks: [String] = []
    /// The least score of a pair that has one.
    public var minimumScore: Double?
    /// A divisor: of both pictures the bottom `height / cropBottom` rows are cut off; 0 keeps all. MagicBrush needs 32.
    public var cropBottom = 0
    /// What transparent parts of pictures are laid over.
    public var background = ImageBackground.white
    /// Whether a list may name pictures that lie outside the dataset's folder.
    public var allowsOutside = false
    /// Whether a target may have other proportions than its source; both are then squashed into the panel.
    public var allowsMismatch = false
    /// Whether pairs that are listed wrongly are left out instead of refused.
    public var leavesFaultsOut = false
    /// Whether Emu Edit's faulty rows are left out: those with two captions alike, and those of "a train station in city".
    public var leavesEmuFaultsOut = false

    /// Everything as it is.
    public init() {}

    /// The columns of Emu Edit's test set, and of its `_generations`, whose edited picture stands for the target.
    public static var emuEdit: PairReading {
        var reading = PairReading()
        reading.columns = ["source": "image", "target": "edited_image"]
        reading.leavesEmuFaultsOut = true
        return reading
    }

    /// The parts of `name=column`; nil for other texts.
    public static func column(_ entry: String) -> (name: String, column: String)? {
        let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
        return parts.count == 2 && !parts[1].isEmpty ? (parts[0], parts[1]) : nil
    }

    /// What is wrong with a text that should be `name=column` of a name in ``PairRecord/columns``; nil when nothing is.
    public static func fault(ofColumn entry: String) -> (expected: String, found: String)? {
        guard let (name, _) = column(entry) else { return ("name=column", "'\(entry)'") }
        guard !PairRecord.columns.contains(name) else { return nil }
        let nearest = nearestName(to: name, among: PairRecord.columns).map { " (did you mean '\($0)'?)" } ?? ""
        return ("one of \(PairRecord.columns.joined(separator: ", "))", "'\(name)'\(nearest)")
    }

    /// Whether a pair is kept.
    func keeps(_ record: PairRecord) -> Bool {
        if !tasks.isEmpty, record.task.map({ !tasks.contains($0) }) ?? true { return false }
        if let minimumScore, let score = record.score, score < minimumScore { return false }
        if leavesEmuFaultsOut {
            let captions = [record.fields.inputCaption, record.fields.outputCaption].map { caption in
                caption.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) } ?? ""
            }
            if captions[0] == captions[1] || captions.contains("a train station in city") { return false }
        }
        return true
    }

    /// The dataset's name for one of ours.
    func name(of column: String) -> String { columns[column] ?? column }
}

extension PairReading {
    /// The paths of all pictures and masks that a dataset lists, also those outside of its folder: what must not be written
    /// over. Empty where there is no dataset.
    public func pictures(of path: String) -> [String] {
        guard let listing = try? PairListing(path: path, reading: self, purpose: .evaluation) else { return [] }
        return listing.entries.flatMap { [$0.source, $0.target, $0.mask] }.compactMap { file in
            guard case .path(let path) = file else { return nil }
            return path
        }
    }
}
