public import Foundation
public import TensorIO

/// Pairs of pictures with their instructions: a list (`metadata.jsonl`, a table), WebDataset shards (`*.tar`), folders of
/// sources and targets, or pictures whose names say what they are. `Documentation/Datasets.md` describes these layouts.
public struct PairDataset: Sendable {
    /// The name of the file that lists the pairs.
    public static let metadataName = "metadata.jsonl"

    /// The folder; of several datasets that of the first.
    public let folder: URL
    /// Every pair, in the order of the list or of the shards.
    public let records: [PairRecord]
    /// The path of the list or of the shards, spelled as the dataset's was.
    public let listPath: String
    /// Where the pairs of each of several datasets are.
    public let parts: [Range<Int>]
    /// What was left out because its listing is faulty.
    public let leftOut: [FileError]
    let files: [Files]
    let shards: [TarFile]

    /// Where the pictures of a pair lie, and how they are read.
    struct Files: Sendable {
        var source: PairFile
        var target: PairFile
        var reading: PairReading
        /// What lists the pair, and where in that.
        var list: String
        var place: String
    }

    /// Reads and checks the list: every pair must have an instruction and two pictures that exist; pictures are decoded
    /// only when they are needed. Throws ``DatasetError`` with all faults, unless `reading` leaves them out.
    public init(path: String, reading: PairReading = PairReading()) throws {
        let listing = try PairListing(path: path, reading: reading)
        if !listing.faults.isEmpty, !reading.leavesFaultsOut || listing.entries.isEmpty {
            throw DatasetError(faults: listing.faults)
        }
        folder = listing.folder
        listPath = listing.path
        records = listing.entries.map(\.record)
        files = listing.entries.map {
            // A listing for training has faults in the place of pairs without a target.
            Files(source: $0.source, target: $0.target!, reading: reading, list: $0.list, place: $0.place)
        }
        shards = listing.shards
        parts = [0..<records.count]
        leftOut = listing.faults
    }

    /// The pairs of several datasets, one after the other.
    public init(joining datasets: [PairDataset]) {
        precondition(!datasets.isEmpty, "no dataset to join")
        folder = datasets[0].folder
        listPath = datasets.map(\.listPath).joined(separator: ", ")
        records = datasets.flatMap(\.records)
        leftOut = datasets.flatMap(\.leftOut)
        var (parts, files, shards): ([Range<Int>], [Files], [TarFile]) = ([], [], [])
        for dataset in datasets {
            let first = shards.count
            parts += dataset.parts.map { $0.lowerBound + files.count..<$0.upperBound + files.count }
            files += dataset.files.map { pair in
                var pair = pair
                pair.source = pair.source.behind(first)
                pair.target = pair.target.behind(first)
                return pair
            }
            shards += dataset.shards
        }
        (self.parts, self.files, self.shards) = (parts, files, shards)
    }

    /// Whether a path looks like a dataset of any format, as far as names can tell.
    public static func isThere(_ path: String, reading: PairReading = PairReading()) -> Bool {
        PairLayout.isThere(path, reading)
    }

    /// What is at a path that does not look like a dataset of any layout; nil where it does.
    public static func absence(at path: String, reading: PairReading = PairReading()) -> FileError? {
        PairLayout.isThere(path, reading) ? nil : PairLayout.absence(at: path)
    }

    /// Both panels of a pair, or the part of them that `view` shows, resized with Pillow's bicubic filter.
    ///
    /// Throws `FileError` with the pair's place when one cannot be decoded or has other proportions than its source.
    public func panels(
        at index: Int, width: Int, height: Int, view: PanelView = .whole
    ) throws -> (source: Image, target: Image) {
        let file = files[index]
        func panel(_ picture: PairFile, _ name: String) throws -> (image: Image, size: PictureSize) {
            do {
                return try PairListing.withImage(picture, shards, file.reading) { whole, _ in
                    let image = view.applied(to: whole)
                    let fits = image.width == width && image.height == height
                    return (
                        fits ? image : image.resized(width: width, height: height, filter: .bicubic), PictureSize(whole)
                    )
                }
            } catch {
                throw PairRules.fault(error, name, list: file.list, place: file.place)
            }
        }
        let (source, target) = (try panel(file.source, "source"), try panel(file.target, "target"))
        if let fault = fault(at: index, (source.size, target.size)) { throw fault }
        return (source.image, target.image)
    }

    /// Both panels of a pair in their own sizes. Throws `FileError` with the pair's place when one cannot be decoded.
    public func panels(at index: Int) throws -> (source: Image, target: Image) {
        let reading = files[index].reading
        func picture(_ file: PairFile, _ name: String) throws -> Image {
            do {
                return try PairListing.image(
                    file, shards, cropBottom: reading.cropBottom, background: reading.background)
            } catch {
                throw PairRules.fault(error, name, list: files[index].list, place: files[index].place)
            }
        }
        return (try picture(files[index].source, "source"), try picture(files[index].target, "target"))
    }

    /// The size of a pair's source, from its header. Throws `FileError` when it has none.
    public func sourceSize(at index: Int) throws -> (width: Int, height: Int) {
        try PairListing.size(files[index].source, shards, cropBottom: files[index].reading.cropBottom)
    }

    /// The size of a pair's target, likewise.
    func targetSize(at index: Int) throws -> (width: Int, height: Int) {
        try PairListing.size(files[index].target, shards, cropBottom: files[index].reading.cropBottom)
    }

    /// The sizes of both pictures of a pair, from their headers. Throws `FileError` when one has none.
    func sizes(at index: Int) throws -> (source: PictureSize, target: PictureSize) {
        let (source, target) = (try sourceSize(at: index), try targetSize(at: index))
        return (PictureSize(source.width, source.height), PictureSize(target.width, target.height))
    }

    /// What is wrong with the sizes of a pair; nil when nothing is.
    func fault(at index: Int, _ sizes: (source: PictureSize, target: PictureSize)) -> FileError? {
        let file = files[index]
        return PairRules.fault(ofTarget: sizes.target, sizes.source, file.reading).map {
            FileError(file.list, key: "\(file.place): target", expected: $0.expected, found: $0.found)
        }
    }

    /// A fault of a pair, with its place in the dataset.
    func fault(at index: Int, _ error: any Error) -> FileError {
        let (file, fault) = (files[index], error as? FileError)
        if let fault, fault.path == file.list, fault.key?.hasPrefix(file.place) ?? false { return fault }
        let picture = fault.map { $0.path.hasPrefix(file.list) ? "" : " (\($0.path))" } ?? ""
        return FileError(
            file.list, key: file.place, expected: fault?.expected ?? "a pair that can be read",
            found: (fault?.found ?? "\(error)") + picture)
    }

    /// That no pair can be read, in one line.
    func nothingReadable(first: FileError) -> FileError {
        FileError(
            listPath, expected: "at least one pair that can be read",
            found: "none among \(records.count); \(first.key ?? "the first"): expected \(first.expected), found "
                + first.found)
    }

    /// Writes a list of pairs beside pictures that are already in `folder`, replacing an old list only when whole.
    public static func write(_ records: [PairRecord], to folder: URL) throws {
        let path = folder.appending(path: metadataName).path
        try AtomicFile.write(to: path) { try $0.write(records.flatMap { $0.json.bytes() + [UInt8(ascii: "\n")] }) }
    }
}

/// Every fault of a dataset at once.
public struct DatasetError: Error, CustomStringConvertible {
    /// The faults, in the order of the file.
    public let faults: [FileError]

    /// Collects faults.
    public init(faults: [FileError]) { self.faults = faults }

    /// A line a fault; after twenty, the number of the rest.
    public var lines: [String] {
        let shown = faults.prefix(20).map(\.description)
        return faults.count > 20 ? shown + ["and \(faults.count - 20) more faults"] : shown
    }

    /// The ``lines``.
    public var description: String { lines.joined(separator: "\n") }
}
