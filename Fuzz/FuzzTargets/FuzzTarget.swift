import Foundation

/// A parser with inputs to begin from. Whatever bytes it is given, it must return or throw.
package struct FuzzTarget: Sendable {
    /// The parser's name on the command line.
    package let name: String
    /// Words of the format, for the mutator.
    let dictionary: [String]
    /// Inputs to begin from: whole ones, and those that once broke something.
    let seeds: @Sendable (FuzzFolder) throws -> [[UInt8]]
    /// Makes lengths and checksums right after a mutation, so that what lies behind them is reached.
    let mend: @Sendable (inout [UInt8], inout FuzzRandom) -> Void
    /// Reads an input and uses what was read. What it throws is the expected end of most inputs.
    let read: @Sendable ([UInt8], FuzzFolder) throws -> Void

    init(
        _ name: String, dictionary: [String] = [], seeds: @escaping @Sendable (FuzzFolder) throws -> [[UInt8]],
        mend: @escaping @Sendable (inout [UInt8], inout FuzzRandom) -> Void = { _, _ in },
        read: @escaping @Sendable ([UInt8], FuzzFolder) throws -> Void
    ) {
        self.name = name
        self.dictionary = dictionary
        self.seeds = seeds
        self.mend = mend
        self.read = read
    }

    /// Puts into `folder` what reading needs besides an input; gives how many inputs there are to begin from.
    package func seedCount(_ folder: FuzzFolder) throws -> Int { try seeds(folder).count }

    /// Reads an input once; gives in a few words how it ended, without the numbers and names of the input.
    package func outcome(_ input: [UInt8], _ folder: FuzzFolder) -> String {
        do {
            try read(input, folder)
            return "read"
        } catch {
            var words = ""
            var isQuoted = false
            for scalar in "\(error)".unicodeScalars.prefix(300) {
                if scalar == "'" { isQuoted.toggle() }
                if isQuoted || scalar.properties.numericType != nil { continue }
                words.unicodeScalars.append(scalar)
            }
            return words
        }
    }
}

/// Inputs from which new ones are made: the target's own, and each that ended as none before it.
package struct FuzzCorpus {
    private let target: FuzzTarget
    private let folder: FuzzFolder
    private let seed: UInt64
    private(set) var inputs: [[UInt8]]
    private var known: Set<String> = []
    private var count: UInt64 = 0

    /// How many inputs there are to begin from.
    package var seedCount: Int { seeds.count }
    private let seeds: [[UInt8]]
    private static let mostInputs = 2000

    package init(_ target: FuzzTarget, _ folder: FuzzFolder, seed: UInt64) throws {
        self.target = target
        self.folder = folder
        self.seed = seed
        seeds = try target.seeds(folder)
        inputs = seeds
    }

    /// The next input: first those to begin from, then changed ones. The same seed gives the same inputs.
    package mutating func next() -> [UInt8] {
        defer { count += 1 }
        if count < UInt64(seeds.count) { return seeds[Int(count)] }
        var random = FuzzRandom(seed: seed &* 0x100_0000_01B3 ^ count)
        // Half from the beginning, so that what was found later does not crowd it out.
        let base = random.below(2) == 0 ? random.pick(seeds) : random.pick(inputs)
        var mutator = Mutator(random, dictionary: target.dictionary)
        var input = mutator.mutated(base, corpus: inputs)
        if random.below(4) > 0 { target.mend(&input, &random) }
        return input
    }

    /// Keeps an input that ended in a new way.
    package mutating func note(_ input: [UInt8], _ outcome: String) {
        guard inputs.count < Self.mostInputs, known.insert(outcome).inserted, input.count < 1 << 16 else { return }
        inputs.append(input)
    }
}

/// A folder for the files that parsers read, in memory where the system has such a place.
package final class FuzzFolder: Sendable {
    package let path: String

    package init() throws {
        let memory = "/dev/shm"
        let base = FileManager.default.isWritableFile(atPath: memory) ? memory : NSTemporaryDirectory()
        path = "\(base)/diptych-fuzz-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file in place of one of the same name, without waiting for a disk; gives its path.
    @discardableResult
    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        let file = "\(path)/\(name)"
        guard let stream = fopen(file, "w") else { throw CocoaError(.fileWriteUnknown) }
        defer { fclose(stream) }
        fwrite(bytes, 1, bytes.count, stream)
        return file
    }

    /// Makes a folder inside, if it is not there yet.
    func make(_ name: String) throws -> String {
        let folder = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    /// The bytes of a file of the tests' fixtures.
    static func fixture(_ name: String) throws -> [UInt8] { try bytes(fixtures + "/" + name) }

    static func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

    /// `Tests/Fixtures` of the package that this was built from.
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Tests/Fixtures").path
}
