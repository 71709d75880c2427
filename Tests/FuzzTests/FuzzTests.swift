import Foundation
import FuzzTargets
import Testing

/// A short run of the fuzzer, the same every time; `make fuzz` is the long one.
///
/// A parser that breaks ends the process of these tests: `diptych-fuzz NAME --count 400` then keeps the input.
@Suite struct FuzzTests {
    /// What reads by way of libhdf5. It runs in a process of its own, one file after the other: what a damaged file leaves behind in
    /// the library must not meet the files of other tests.
    private static let libraryReaders = ["hdf5", "checkpoint", "cache"]

    @Test(arguments: FuzzTarget.all.filter { !libraryReaders.contains($0.name) })
    func noInputReachesATrap(target: FuzzTarget) throws {
        let ends = try Self.ends(target.name)
        // A target that always ends alike looks at nothing.
        #expect(ends.count > 1, "\(target.name): \(ends)")
    }

    @Test func noFileReachesATrapInHDF5() async {
        await #expect(processExitsWith: .success) {
            let ends = try FuzzTests.ends("hdf5")
            precondition(ends.count > 1)
        }
        await #expect(processExitsWith: .success) {
            let ends = try FuzzTests.ends("checkpoint")
            precondition(ends.count > 1)
        }
        await #expect(processExitsWith: .success) {
            let ends = try FuzzTests.ends("cache")
            precondition(ends.count > 1)
        }
    }

    /// Reads every input to begin from, the cases that once broke something among them, then changed ones; gives how they ended.
    fileprivate static func ends(_ name: String) throws -> Set<String> {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let folder = try FuzzFolder()
        var corpus = try FuzzCorpus(target, folder, seed: 1)
        #expect(corpus.seedCount > 0)
        var ends: Set<String> = []
        for _ in 0..<corpus.seedCount + 200 {
            let input = corpus.next()
            let end = target.outcome(input, folder)
            corpus.note(input, end)
            ends.insert(end)
        }
        return ends
    }

    @Test func theSameSeedGivesTheSameInputs() throws {
        let folder = try FuzzFolder()
        let target = try #require(FuzzTarget.all.first { $0.name == "yaml" })
        func inputs(_ seed: UInt64) throws -> [[UInt8]] {
            var corpus = try FuzzCorpus(target, folder, seed: seed)
            return (0..<100).map { _ in corpus.next() }
        }
        #expect(try inputs(1) == inputs(1))
        #expect(try inputs(1) != inputs(2))
    }

    @Test func everyParserHasANameOfItsOwn() {
        let names = FuzzTarget.all.map(\.name)
        #expect(Set(names).count == names.count && names.count > 20)
    }
}
