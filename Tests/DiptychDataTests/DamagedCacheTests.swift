import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Caches of which bytes have changed.
@Suite(.serialized) struct DamagedCacheTests {
    private struct Setting {
        let folder: URL
        let parts = PipelineParts(folder: Fixtures.path("tiny-random-fill"))
        let options = SampleEncoder.Options(
            panelWidth: 16, panelHeight: 16, maximumSequenceLength: 8, promptForm: .direct)

        init(pairs: Int) throws {
            folder = try Fixtures.scratchFolder()
            try SyntheticPairs.write(pairs, to: folder) { _ in
                (40, 40)
            } instruction: {
                "edit \($0 % 5)"
            }
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }
        var cache: String { folder.appending(path: "cache").path }
        func path(_ name: String) -> String { cache + "/" + name }

        @discardableResult
        func encode(skips: Bool = false) throws -> SampleCacheWriter.Outcome {
            try SampleCacheWriter(
                PairDataset(path: folder.path), parts, EncoderOptions(), options: options, precision: .bfloat16
            ).write(to: cache, skipsFaults: skips)
        }

        func open() throws -> SampleCache {
            let dataset = try PairDataset(path: folder.path)
            let key = try SampleCacheKey(dataset, parts, EncoderOptions(), options, precision: .bfloat16)
            return try SampleCache(folder: cache, dataset, options: options, key: key)
        }

        func files() throws -> [String: Data] {
            var all: [String: Data] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: cache) {
                all[name] = try Data(contentsOf: URL(filePath: path(name)))
            }
            return all
        }

        /// Changes a bit of some rows' bytes where they lie in the file.
        func spoil(_ name: String, _ dataset: String, rows: Range<Int>) throws {
            let values = try HDF5File(reading: path(name)).root.dataset(dataset).tensor(rows: rows)
            let bytes = Data(bytes: values.storage.base, count: values.count * values.dtype.byteCount)
            var file = try Data(contentsOf: URL(filePath: path(name)))
            let place = try #require(file.firstRange(of: bytes))
            file[place.lowerBound + bytes.count / 2] ^= 4
            try file.write(to: URL(filePath: path(name)))
        }
    }

    @Test func damagedSamplesAreNamedAndEncodedAnew() throws {
        let setting = try Setting(pairs: 36)
        defer { setting.remove() }
        #expect(try setting.encode().damaged.isEmpty)
        let whole = try setting.files()
        #expect(try setting.encode().damaged.isEmpty)
        #expect(try SampleCacheCheck(folder: setting.cache).faults.isEmpty)

        try setting.spoil("pairs-16x16-00000.h5", "masked", rows: 7..<8)
        try setting.spoil("pairs-16x16-00000.h5", "clean", rows: 20..<21)
        try setting.spoil("pairs-16x16-00001.h5", "clean", rows: 3..<4)
        try setting.spoil("texts-00000.h5", "sequence", rows: 2..<3)
        try setting.spoil("texts-00000.h5", "tokens", rows: 0..<6)
        // Training names the sample too, when it comes to it.
        let draw = SampleDraw(index: 35, prompt: "edit 0")
        let fault = #expect(throws: FileError.self) { try setting.open().read(draw) }
        #expect(fault?.key?.hasPrefix("pair 36: ") == true && fault?.found.contains("diptych data encode") == true)

        let names = ["tokens", "prompt 'edit 1': sequence", "pair 8: masked", "pair 21: clean", "pair 36: clean"]
        let check = try SampleCacheCheck(folder: setting.cache)
        #expect(check.pairCount == 36 && check.textCount == 6)
        #expect(Set(check.faults.map { ($0.key ?? "").replacing("/", with: "") }) == Set(names))
        let outcome = try setting.encode()
        #expect(outcome.isFinished && outcome.done == 42 && outcome.leftOut.isEmpty)
        #expect(outcome.damaged.map { ($0.key ?? "").replacing("/", with: "") } == names)
        #expect(try setting.files() == whole)
        #expect(try setting.encode().damaged.isEmpty)
    }

    /// Whatever byte is changed, the same command makes the same cache again.
    @Test func anyByteMayChange() throws {
        let setting = try Setting(pairs: 3)
        defer { setting.remove() }
        try setting.encode()
        let whole = try setting.files()
        func values() throws -> [[Float]] {
            let cache = try setting.open()
            return try (0..<3).flatMap { index in
                let draw = SampleDraw(index: index, prompt: "edit \(index)")
                let sample = try cache.sample(draw, cache.read(draw))
                return [sample.clean, sample.source, sample.text.sequence, sample.text.pooled].map(\.floats)
                    + [[Float(try cache.tokenCount(of: draw.prompt))]]
            }
        }
        let expected = try values()
        var random = Random(seed: 5)
        var (found, unseen) = (0, 0)
        for name in whole.keys.filter({ $0.hasSuffix(".h5") }).sorted() {
            for _ in 0..<20 {
                var bytes = try #require(whole[name])
                let place = random.integer(below: bytes.count)
                bytes[place] ^= UInt8(1 << random.integer(below: 8))
                try bytes.write(to: URL(filePath: setting.path(name)))
                let faults = try SampleCacheCheck(folder: setting.cache).faults
                let outcome = try setting.encode()
                #expect(outcome.isFinished && outcome.damaged.isEmpty == faults.isEmpty)
                if outcome.damaged.isEmpty {
                    // A byte that stands for nothing: the files have room between their parts.
                    unseen += 1
                    #expect(try values() == expected, "\(name) at \(place)")
                    try #require(whole[name]).write(to: URL(filePath: setting.path(name)))
                } else {
                    found += 1
                    #expect(try setting.files() == whole)
                }
            }
        }
        #expect(found >= 8, "\(found) found, \(unseen) unseen")
    }

    @Test func whatCannotBeEncodedAnewIsNamed() throws {
        let setting = try Setting(pairs: 3)
        defer { setting.remove() }
        try setting.encode()
        try setting.spoil("pairs-16x16-00000.h5", "clean", rows: 1..<2)
        // The picture has been damaged too, behind the bytes that the key looks at.
        let picture = setting.folder.appending(path: "t1.png")
        var bytes = try Data(contentsOf: picture)
        bytes[bytes.count - 30] ^= 255
        try bytes.write(to: picture)
        let error = #expect(throws: DatasetError.self) { try setting.encode() }
        #expect(error?.faults.map(\.key) == ["line 2: target"])
        let outcome = try setting.encode(skips: true)
        #expect(outcome.isFinished && outcome.leftOut.map(\.key) == ["line 2: target"])
        #expect(try setting.open().leftOut == [1])
        // A file that is missing altogether.
        try FileManager.default.removeItem(atPath: setting.path("texts-00000.h5"))
        let faults = try SampleCacheCheck(folder: setting.cache).faults
        #expect(faults.map(\.expected) == ["2 pairs and 4 prompts"])
        #expect(throws: FileError.self) { try SampleCacheCheck(folder: setting.folder.path) }
        #expect(SampleCacheCheck.isCache(setting.cache) && !SampleCacheCheck.isCache(setting.folder.path))
    }
}
