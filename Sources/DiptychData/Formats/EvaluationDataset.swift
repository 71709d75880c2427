import Foundation
import InContextEdit
public import TensorIO

/// Edits to judge a model by: pictures with instructions, where the result that is wanted may or may not be known.
///
///     let benchmark = try EvaluationDataset(path: "MagicBrush/test")
///     for (index, item) in benchmark.items.enumerated() {
///         let source = try benchmark.source(at: index)
///         let target = try benchmark.target(at: index)
///     }
///
/// It is read from whatever ``PairDataset`` is read from, with targets optional, or from MagicBrush's test folder as it
/// comes. Of MagicBrush's two modes the items are the single-turn one:
/// every turn begins from the annotators' picture of the turn before. ``sessions`` puts the turns together for the
/// multi-turn one, in which a model's own result is the source of its next turn.
public struct EvaluationDataset: Sendable {
    /// One edit.
    public struct Item: Sendable, Hashable {
        /// A name that no other item has: the key `id`, a shard's key, a line's number, or MagicBrush's session and turn.
        public let id: String
        /// What to do.
        public let instruction: String
        /// The kind of edit.
        public let task: String?
        /// What the source shows.
        public let sourceCaption: String?
        /// What the edited picture should show.
        public let targetCaption: String?
        /// The session that the edit belongs to.
        public let session: String?
        /// Its place in that, from 1.
        public let turn: Int?
        /// Whether the picture that is wanted is there.
        public let hasTarget: Bool
        /// Whether a mask of the area to edit is there.
        public let hasMask: Bool
    }

    /// Where it was read from.
    public let path: String
    /// The edits, in the order of the list or of the shards; MagicBrush's by session and turn.
    public let items: [Item]
    /// The numbers of the items of each session, by turn; an item that belongs to none is a session of its own.
    public let sessions: [[Int]]
    /// What was left out because its listing is faulty.
    public let leftOut: [FileError]
    private let entries: [PairListing.Entry]
    private let shards: [TarFile]
    private let cropBottom: Int
    private let background: ImageBackground

    /// Reads and checks the list; pictures are decoded only when they are needed. Throws ``DatasetError`` with all faults,
    /// unless `reading` leaves them out, and `FileError` when there is no dataset.
    public init(path: String, reading: PairReading = PairReading()) throws {
        let listing = try PairListing(path: path, reading: reading, purpose: .evaluation)
        if !listing.faults.isEmpty, !reading.leavesFaultsOut || listing.entries.isEmpty {
            throw DatasetError(faults: listing.faults)
        }
        self.path = listing.path
        leftOut = listing.faults
        entries = listing.entries
        shards = listing.shards
        cropBottom = reading.cropBottom
        background = reading.background
        items = listing.entries.map { entry in
            Item(
                id: entry.name.id, instruction: entry.record.fields.instruction, task: entry.record.task,
                sourceCaption: entry.record.fields.inputCaption, targetCaption: entry.record.fields.outputCaption,
                session: entry.name.session, turn: entry.name.turn, hasTarget: entry.target != nil,
                hasMask: entry.mask != nil)
        }
        sessions = Self.sessions(of: items)
    }

    /// The picture to edit.
    public func source(at index: Int) throws -> Image {
        try picture(entries[index].source)
    }

    /// The picture that is wanted, where it is known.
    public func target(at index: Int) throws -> Image? {
        try entries[index].target.map(picture)
    }

    /// The sizes of a pair's pictures, from their headers.
    func sizes(at index: Int) throws -> SheetCell.Sizes {
        func size(_ file: PairFile) throws -> SheetCell.Size {
            try PairListing.size(file, shards, cropBottom: cropBottom)
        }
        return (try size(entries[index].source), try entries[index].target.map(size))
    }

    /// The mask as it lies there: white, or transparent, where the edit is to change something.
    public func mask(at index: Int) throws -> Image? {
        try entries[index].mask.map {
            try PairListing.image($0, shards, cropBottom: cropBottom, background: .white)
        }
    }

    private func picture(_ file: PairFile) throws -> Image {
        try PairListing.image(file, shards, cropBottom: cropBottom, background: background)
    }

    static func sessions(of items: [Item]) -> [[Int]] {
        var places: [String: Int] = [:]
        var sessions: [[Int]] = []
        for (index, item) in items.enumerated() {
            guard let name = item.session else {
                sessions.append([index])
                continue
            }
            if let place = places[name] {
                sessions[place].append(index)
            } else {
                places[name] = sessions.count
                sessions.append([index])
            }
        }
        return sessions.map { turns in
            turns.sorted { (items[$0].turn ?? 0, $0) < (items[$1].turn ?? 0, $1) }
        }
    }
}
