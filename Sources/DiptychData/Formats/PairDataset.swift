public import Foundation
public import TensorIO

/// Pairs of pictures with their instructions: a folder with a `metadata.jsonl`, a folder of WebDataset shards (`*.tar`), or
/// a single shard. `Datasets/README.md` describes both formats.
public struct PairDataset: Sendable {
    /// The name of the file that lists the pairs.
    public static let metadataName = "metadata.jsonl"

    /// The folder.
    public let folder: URL
    /// Every pair, in the order of the list or of the shards.
    public let records: [PairRecord]
    /// The path of the list or of the shards, spelled as the dataset's was.
    public let listPath: String
    private let files: [(source: PairFile, target: PairFile)]
    private let shards: [TarFile]

    /// Reads and checks the list: every pair must have an instruction and two pictures that exist; pictures are decoded
    /// only when they are needed. Throws ``DatasetError`` with all faults.
    public init(path: String) throws {
        let listing = try PairListing(path: path)
        if !listing.faults.isEmpty { throw DatasetError(faults: listing.faults) }
        folder = listing.folder
        listPath = listing.path
        records = listing.entries.map(\.record)
        files = listing.entries.map { ($0.source, $0.target) }
        shards = listing.shards
    }

    /// Whether a path looks like a dataset of any format, as far as names can tell.
    public static func isThere(_ path: String) -> Bool {
        if path.hasSuffix(".tar") { return FileManager.default.fileExists(atPath: path) }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.contains { $0 == metadataName || $0.hasSuffix(".tar") && !$0.hasPrefix(".") }
    }

    /// Both panels of a pair, resized with Pillow's bicubic filter.
    public func panels(at index: Int, width: Int, height: Int) throws -> (source: Image, target: Image) {
        (
            try panel(files[index].source, width: width, height: height),
            try panel(files[index].target, width: width, height: height)
        )
    }

    /// Both panels of a pair in their own sizes.
    public func panels(at index: Int) throws -> (source: Image, target: Image) {
        (try PairListing.image(files[index].source, shards), try PairListing.image(files[index].target, shards))
    }

    private func panel(_ file: PairFile, width: Int, height: Int) throws -> Image {
        let image = try PairListing.image(file, shards)
        if image.width == width && image.height == height { return image }
        return image.resized(width: width, height: height, filter: .bicubic)
    }

    /// Writes a list of pairs beside pictures that are already in `folder`, replacing an old list only when whole.
    public static func write(_ records: [PairRecord], to folder: URL) throws {
        let lines = try records.map { record in
            try JSONSerialization.data(
                withJSONObject: record.jsonObject, options: [.sortedKeys, .withoutEscapingSlashes])
        }
        let path = folder.appending(path: metadataName).path
        try AtomicFile.write(to: path) { try $0.write(lines.flatMap { [UInt8]($0) + [UInt8(ascii: "\n")] }) }
    }
}

/// Every fault of a dataset at once.
public struct DatasetError: Error, CustomStringConvertible {
    /// The faults, in the order of the file.
    public let faults: [FileError]

    /// A line a fault; after twenty, the number of the rest.
    public var lines: [String] {
        let shown = faults.prefix(20).map(\.description)
        return faults.count > 20 ? shown + ["and \(faults.count - 20) more faults"] : shown
    }

    /// The ``lines``.
    public var description: String { lines.joined(separator: "\n") }
}
