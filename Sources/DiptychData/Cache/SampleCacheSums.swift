import InContextEdit
import TensorCore
import TensorIO

/// Checksums of a file of a cache: of its list, then of every row, one for each of its two datasets.
///
/// HDF5's own, Fletcher's, go with the chunks, but the index that says which chunk is which row's has none: a flipped bit
/// there gives zeros or another row, and nobody notices.
struct SampleCacheSums: Sendable {
    static let pairs = ["clean", "masked"]
    static let texts = ["sequence", "pooled"]
    private static let dataset = "sums"

    private let names: [String]
    private let values: [Int64]

    /// Those of rows that are to be written, as they are stored.
    init(list: Fingerprint, _ names: [String], _ rows: [[Tensor]]) {
        self.names = names
        values = [list.word] + zip(rows[0], rows[1]).flatMap { [Self.sum(of: $0), Self.sum(of: $1)] }
    }

    /// Reads those of a file; nil when it has none. Throws `FileError` when they cannot be read.
    init?(reading root: HDF5Group, _ names: [String]) throws {
        guard try root.exists(Self.dataset) else { return nil }
        self.names = names
        values = try root.numbers(Self.dataset)
    }

    /// Writes them.
    func write(to root: HDF5Group) throws { try root.write(Tensor(values, [values.count]), to: Self.dataset) }

    /// Whether they are of so many rows and of this list.
    func fits(_ list: Fingerprint) -> Bool { values.first == list.word }
    func fits(count: Int) -> Bool { values.count == 1 + names.count * count }

    /// Throws `FileError` unless a row of a dataset is what was written.
    func require(_ stored: Tensor, _ name: String, row: Int, in path: String) throws(FileError) {
        let place = 1 + row * names.count + names.firstIndex(of: name)!
        guard values.indices.contains(place), values[place] == Self.sum(of: stored) else {
            throw FileError(path, key: name, expected: "the values that were written", found: "others")
        }
    }

    private static func sum(of tensor: Tensor) -> Int64 {
        var sum = Fingerprint()
        sum.addBytes(of: tensor)
        return sum.word
    }
}

extension Fingerprint {
    /// That of a file's pairs.
    init(pairs: [Int32]) {
        self.init()
        for pair in pairs { add(Int(pair)) }
    }

    /// That of a file's prompts and of their numbers of tokens.
    init(texts: [String], tokens: [Int32]) {
        self.init()
        for text in texts { add(text) }
        for count in tokens { add(Int(count)) }
    }
}
