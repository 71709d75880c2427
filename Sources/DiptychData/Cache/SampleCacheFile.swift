import TensorCore
import TensorIO

/// A file of a cache of which everything has been read once and compared with its checksums.
struct SampleCacheFile {
    /// What the rows are of: numbers of pairs, or places in the file's list of prompts. Nil when the list is damaged, so
    /// that the file is worth nothing.
    private(set) var numbers: [Int]?
    /// The rows that are whole, by number.
    private(set) var rows: [Int: Int] = [:]
    /// What is damaged, each with its sample.
    private(set) var faults: [FileError] = []
    private let path: String

    /// Whether nothing is damaged.
    var isWhole: Bool { faults.isEmpty }

    /// Reads a file of pairs, of a cache with this key and among these pairs, where they are known.
    init(pairs path: String, digest: String? = nil, among pairs: [Int]? = nil) {
        self.path = path
        do {
            let (root, sums) = try Self.open(path, digest, SampleCacheSums.pairs)
            let list = try root.numbers("pairs", as: Int32.self)
            let numbers = list.map(Int.init)
            let known = pairs.map(Set.init)
            guard sums.fits(Fingerprint(pairs: list)), sums.fits(count: numbers.count),
                zip(numbers, numbers.dropFirst()).allSatisfy(<),
                numbers.allSatisfy({ known?.contains($0) ?? ($0 >= 0) })
            else {
                throw FileError(path, key: "pairs", expected: "ascending numbers of this file's pairs", found: "others")
            }
            try read(sums, SampleCacheSums.pairs, numbers.count, of: root) { "pair \(numbers[$0] + 1)" }
            rows = Dictionary(uniqueKeysWithValues: rows.map { (numbers[$0.key], $0.value) })
            self.numbers = numbers
        } catch {
            faults = [Self.fault(error, path)]
        }
    }

    /// Reads a file of prompts, of a cache with this key and of these prompts, where they are known.
    init(texts path: String, digest: String? = nil, prompts: [String]? = nil) {
        self.path = path
        do {
            let (root, sums) = try Self.open(path, digest, SampleCacheSums.texts)
            let texts = try root.strings("texts")
            guard prompts.map({ $0 == texts }) ?? true else {
                throw FileError(path, key: "texts", expected: "this file's prompts", found: "others")
            }
            guard sums.fits(count: texts.count) else {
                throw FileError(path, key: "texts", expected: "as many texts as checksums", found: "\(texts.count)")
            }
            let tokens = (try? root.numbers("tokens", as: Int32.self)) ?? []
            if !sums.fits(Fingerprint(texts: texts, tokens: tokens)) {
                // They are counted anew without an encoder.
                faults.append(FileError(path, key: "tokens", expected: "the values that were written", found: "others"))
            }
            try read(sums, SampleCacheSums.texts, texts.count, of: root) { Self.place(ofPrompt: texts[$0]) }
            numbers = Array(texts.indices)
        } catch {
            faults = [Self.fault(error, path)]
            rows = [:]
        }
    }

    /// The number of samples that it lists.
    var count: Int { numbers?.count ?? 0 }

    /// A row that is whole, as it is stored. Opens the file each time: thousands may be damaged.
    func tensor(_ name: String, of number: Int) throws -> Tensor {
        guard let row = rows[number] else { preconditionFailure("no whole row of \(number) in \(path)") }
        return try HDF5File(reading: path).root.dataset(name).tensor(rows: row..<row + 1).squeezed(0)
    }

    /// How a prompt's vectors are named.
    static func place(ofPrompt prompt: String) -> String {
        "prompt '\(prompt.count > 60 ? prompt.prefix(60) + "…" : prompt[...])'"
    }

    private static func open(
        _ path: String, _ digest: String?, _ names: [String]
    ) throws -> (root: HDF5Group, sums: SampleCacheSums) {
        let root = try HDF5File(reading: path).root
        let found: String = try root.attribute("key")
        guard digest.map({ $0 == found }) ?? true else {
            throw FileError(path, key: "key", expected: "that of the cache", found: found)
        }
        guard let sums = try SampleCacheSums(reading: root, names) else {
            throw FileError(path, key: "sums", expected: "checksums", found: "none")
        }
        return (root, sums)
    }

    /// Reads datasets row by row.
    private mutating func read(
        _ sums: SampleCacheSums, _ names: [String], _ count: Int, of root: HDF5Group, _ place: (_ row: Int) -> String
    ) throws {
        // A file whose pairs were all left out has no rows.
        guard count > 0 else { return }
        let datasets = try names.map { name in
            let dataset = try root.dataset(name)
            guard dataset.shape.rank > 1, dataset.shape[0] == count else {
                throw FileError(path, key: name, expected: "\(count) rows", found: "\(dataset.shape)")
            }
            return dataset
        }
        for row in 0..<count {
            var isWhole = true
            for (name, dataset) in zip(names, datasets) {
                do {
                    try sums.require(try dataset.tensor(rows: row..<row + 1), name, row: row, in: path)
                } catch {
                    isWhole = false
                    var fault = Self.fault(error, path)
                    fault.key = "\(place(row)): \(name)"
                    faults.append(fault)
                }
            }
            if isWhole { rows[row] = row }
        }
    }

    private static func fault(_ error: any Error, _ path: String) -> FileError {
        error as? FileError ?? FileError(path, expected: "a file of a cache", found: "\(error)")
    }
}
