import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite(.serialized) struct SampleCacheTests {
    /// Forty pairs, so that there are several files, of two shapes.
    private struct Setting {
        let folder: URL
        let parts = PipelineParts(folder: Fixtures.path("tiny-random-fill"))

        init() throws {
            folder = try Fixtures.scratchFolder()
            try SyntheticPairs.write(40, to: folder) {
                ($0 < 37 ? 32 : 64, 32)
            } instruction: {
                "edit \($0 % 30)"
            }
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }
        var cache: String { folder.appending(path: "cache").path }
        func path(_ name: String) -> String { folder.appending(path: name).path }

        func options(
            form: PromptForm = .direct, _ panelLayout: PanelLayoutChoice = .beside
        ) -> SampleEncoder.Options {
            var options = SampleEncoder.Options(
                panelWidth: 16, panelHeight: 16, maximumSequenceLength: 8, promptForm: form)
            options.shapes = [(16, 16), (32, 16)].map { width, height in
                DiptychGeometry(
                    panelWidth: width, panelHeight: height,
                    panelLayout: panelLayout.layout(panelWidth: width, panelHeight: height))
            }
            return options
        }

        func writer(_ precision: DType = .float32) throws -> SampleCacheWriter {
            try SampleCacheWriter(
                PairDataset(path: folder.path), parts, EncoderOptions(), options: options(), precision: precision)
        }

        func open(
            _ folder: String? = nil, _ precision: DType = .float32, form: PromptForm = .direct
        ) throws -> SampleCache {
            let dataset = try PairDataset(path: self.folder.path)
            let key = try SampleCacheKey(
                dataset, parts, EncoderOptions(), options(form: form), precision: precision)
            return try SampleCache(folder: folder ?? cache, dataset, options: options(form: form), key: key)
        }
    }

    private func files(_ folder: String) throws -> [String: Data] {
        var all: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            all[name] = try Data(contentsOf: URL(filePath: folder + "/" + name))
        }
        return all
    }

    @Test func samplesAreThoseOfTheEncoders() throws {
        let setting = try Setting()
        defer { setting.remove() }
        #expect(try setting.writer().write(to: setting.cache).isFinished)
        let names = try files(setting.cache).keys.sorted()
        #expect(
            names == [
                "manifest.json", "pairs-16x16-00000.h5", "pairs-16x16-00001.h5", "pairs-32x16-00000.h5",
                "texts-00000.h5", "texts-00001.h5",
            ])
        let encoder = try SampleEncoder(
            PairDataset(path: setting.folder.path), encoders: FrozenEncoders(setting.parts), options: setting.options())
        let cache = try setting.open()
        for index in [0, 31, 32, 36, 37, 39, 0] {
            let draw = SampleDraw(index: index, prompt: "edit \(index % 30)")
            let (a, b) = (try cache.sample(draw, cache.read(draw)), try encoder.sample(at: index))
            #expect(a.clean.floats == b.clean.floats && a.source.floats == b.source.floats)
            #expect(a.text.sequence.floats == b.text.sequence.floats && a.text.pooled.floats == b.text.pooled.floats)
            #expect(try cache.tokenCount(of: draw.prompt) == encoder.tokenCount(of: draw.prompt))
        }
        #expect(try cache.text("").sequence.floats == encoder.text("").sequence.floats)
        #expect(cache.latentWidth == 64)

        let rounded = setting.path("rounded")
        #expect(try setting.writer(.bfloat16).write(to: rounded, workers: 2).isFinished)
        let small = try setting.open(rounded, .bfloat16)
        let draw = SampleDraw(index: 5, prompt: "edit 5")
        let (a, b) = (try small.sample(draw, small.read(draw)), try encoder.sample(at: 5))
        #expect(a.clean.floats == b.clean.converted(to: .bfloat16).floats)
        #expect(a.text.sequence.floats == b.text.sequence.converted(to: .bfloat16).floats)
        #expect(a.text.pooled.floats == b.text.pooled.floats)
    }

    @Test func cachesOfBothPanelLayouts() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let dataset = try PairDataset(path: setting.folder.path)
        func options(_ panelLayout: PanelLayoutChoice) -> SampleEncoder.Options {
            setting.options(form: .inContext, panelLayout)
        }
        func key(_ panelLayout: PanelLayoutChoice) throws -> SampleCacheKey {
            try SampleCacheKey(dataset, setting.parts, EncoderOptions(), options(panelLayout), precision: .float32)
        }
        func open(_ panelLayout: PanelLayoutChoice) throws -> SampleCache {
            try SampleCache(folder: setting.cache, dataset, options: options(panelLayout), key: key(panelLayout))
        }
        let writer = try SampleCacheWriter(
            dataset, setting.parts, EncoderOptions(), options: options(.auto), precision: .float32)
        #expect(try writer.write(to: setting.cache, workers: 2).isFinished)
        #expect(
            try files(setting.cache).keys.sorted().filter { $0.hasPrefix("pairs") } == [
                "pairs-16x16-00000.h5", "pairs-16x16-00001.h5", "pairs-32x16-stacked-00000.h5",
            ])
        // What is in it is what the encoders give now: two tokens above, two below for the wide pairs 37 to 39.
        let encoder = try SampleEncoder(dataset, encoders: FrozenEncoders(setting.parts), options: options(.auto))
        let cache = try open(.auto)
        for index in [0, 36, 37, 39] {
            let panelLayout = cache.shapes[index].panelLayout
            #expect(panelLayout == (index < 37 ? .beside : .stacked))
            let prompt = try PromptForm.inContext.prompt(dataset.records[index].fields, panelLayout: panelLayout)
            let draw = SampleDraw(index: index, prompt: prompt)
            let (a, b) = (try cache.sample(draw, cache.read(draw)), try encoder.sample(at: index))
            #expect(a.clean.floats == b.clean.floats && a.source.floats == b.source.floats)
            #expect(a.text.sequence.floats == b.text.sequence.floats && a.text.pooled.floats == b.text.pooled.floats)
        }
        let panels = try dataset.panels(at: 37, width: 32, height: 16, view: .whole)
        let diptych = Diptych(source: panels.source, edited: panels.target, panelLayout: .stacked)
        let clean = try FrozenEncoders(setting.parts).packedLatents(diptych.canvas.tensor().unsqueezed(0))
        #expect(try encoder.sample(at: 37).clean.floats == clean.floats)

        // Another panel layout is another cache; the panels of one beside each other are named as ever.
        let stale = #expect(throws: FileError.self) { try open(.beside) }
        #expect(stale?.key == "panels" && stale?.expected == "16x16 32x16 as the panels' shapes has it now")
        #expect(stale?.found.hasPrefix("a stale cache of 16x16 32x16-stacked ") == true)
        #expect(try key(.stacked) != key(.auto))
    }

    @Test func anInterruptedEncodingIsFinished() throws {
        let setting = try Setting()
        defer { setting.remove() }
        #expect(try setting.writer().write(to: setting.path("whole")).isFinished)
        // Stopped after every so many questions, with another number of threads each time.
        var rounds = 0
        while true {
            // Some more than the largest file needs.
            var left = 34
            let outcome = try setting.writer().write(
                to: setting.cache, workers: rounds % 3,
                isStopped: {
                    left -= 1
                    return left < 0
                })
            rounds += 1
            if outcome.isFinished { break }
            #expect(rounds < 10)
            let error = #expect(throws: FileError.self) { try setting.open() }
            #expect(error?.expected.hasPrefix("a finished cache of 5 files") == true)
            // What a killed process leaves is swept.
            try Data([1]).write(to: URL(filePath: setting.cache + "/.pairs-16x16-00001.h5.x.partial"))
        }
        #expect(rounds > 2)
        #expect(try files(setting.cache) == files(setting.path("whole")))
        // One process at a time; and what another program calls a partial file is not ours.
        do {
            let lock = try FolderLock(setting.cache, expected: "", found: "")
            let busy = #expect(throws: FileError.self) { try setting.writer().write(to: setting.cache) }
            #expect(busy?.found == "one that is being encoded")
            withExtendedLifetime(lock) {}
        }
        try Data([1]).write(to: URL(filePath: setting.cache + "/mine.partial"))
        _ = try setting.writer().write(to: setting.cache)
        try FileManager.default.removeItem(atPath: setting.cache + "/mine.partial")
        // A damaged file is made again.
        try Data([1, 2, 3]).write(to: URL(filePath: setting.cache + "/texts-00001.h5"))
        let mended = try setting.writer().write(to: setting.cache)
        #expect(mended.isFinished && mended.damaged.map(\.path) == [setting.cache + "/texts-00001.h5"])
        #expect(try files(setting.cache) == files(setting.path("whole")))
    }

    @Test func staleCachesAreNamed() throws {
        let setting = try Setting()
        defer { setting.remove() }
        #expect(throws: FileError.self) { try setting.open() }
        _ = try setting.writer().write(to: setting.cache)
        func expect(_ key: String, _ body: () throws -> Void) {
            let error = #expect(throws: FileError.self) { try body() }
            #expect(error?.key == key)
        }
        expect("precision") { _ = try setting.open(nil, .bfloat16) }
        expect("prompt_form") { _ = try setting.open(form: .inContext) }
        var wider = setting.options()
        wider.shapes[0] = DiptychGeometry(panelWidth: 48, panelHeight: 16)
        let pairs = try PairDataset(path: setting.folder.path)
        let panels = try SampleCacheKey(pairs, setting.parts, EncoderOptions(), wider, precision: .float32)
        expect("panels") { _ = try SampleCache(folder: setting.cache, pairs, options: wider, key: panels) }
        expect("precision") { _ = try setting.writer(.bfloat16).write(to: setting.cache) }
        // A picture that has changed.
        try SyntheticPhoto.make(width: 32, height: 32, seed: 99).write(to: setting.path("s4.png"))
        expect("pairs") { _ = try setting.open() }
        expect("pairs") { _ = try setting.writer().write(to: setting.cache) }
        #expect(try setting.writer().write(to: setting.cache, overwrites: true).isFinished)
        _ = try setting.open()
        // Another base.
        let base = setting.path("base")
        try FileManager.default.copyItem(atPath: setting.parts.folder, toPath: base)
        let weights = base + "/vae/diffusion_pytorch_model.safetensors"
        var bytes = try Data(contentsOf: URL(filePath: weights))
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: URL(filePath: weights))
        let dataset = try PairDataset(path: setting.folder.path)
        let other = try SampleCacheKey(
            dataset, PipelineParts(folder: base), EncoderOptions(), setting.options(), precision: .float32)
        expect("autoencoder") {
            _ = try SampleCache(folder: setting.cache, dataset, options: setting.options(), key: other)
        }
        // A folder of something else is left alone.
        #expect(throws: FileError.self) { try setting.writer().write(to: setting.folder.path) }
    }

    @Test func pairsThatCannotBeReadAreLeftOutOrNamed() throws {
        let setting = try Setting()
        defer { setting.remove() }
        for name in ["s3", "t38"] { try Data([1, 2]).write(to: URL(filePath: setting.path("\(name).png"))) }
        let error = #expect(throws: DatasetError.self) { try setting.writer().write(to: setting.cache) }
        #expect(error?.faults.map(\.key) == ["line 4: source", "line 39: target"])
        let outcome = try setting.writer().write(to: setting.cache, skipsFaults: true)
        #expect(outcome.isFinished && outcome.leftOut.map(\.key) == ["line 4: source", "line 39: target"])
        #expect(try setting.writer().write(to: setting.cache, skipsFaults: true).leftOut.count == 2)
        let cache = try setting.open()
        #expect(cache.leftOut == [3, 38])
        let fault = #expect(throws: FileError.self) { try cache.read(SampleDraw(index: 3, prompt: "edit 3")) }
        #expect(fault?.key == "pair 4")
        let draw = SampleDraw(index: 4, prompt: "edit 4")
        #expect(try cache.sample(draw, cache.read(draw)).clean.shape.dimensions == [2, 64])
    }

    @Test func aCacheWhoseFirstShapeWasLeftOutKnowsItsWidth() throws {
        let setting = try Setting()
        defer { setting.remove() }
        for index in 0..<37 {
            try SyntheticPhoto.make(width: 32, height: 32).write(to: setting.path("s\(index).png"))
            try Data([1, 2]).write(to: URL(filePath: setting.path("t\(index).png")))
        }
        #expect(try setting.writer().write(to: setting.cache, skipsFaults: true).leftOut.count == 37)
        let cache = try setting.open()
        #expect(cache.latentWidth == 64 && cache.leftOut == Array(0..<37))
        // Batches of that shape are of the other.
        var options = DiptychLoader.Options(batchSize: 2, textDrop: 0)
        options.skipsFaults = true
        options.draws.promptForm = .direct
        var plan = EpochPlan()
        plan.groups = try DiptychLoader.groups(of: cache, options)
        plan.batchSize = 2
        let loader = try DiptychLoader(
            cache, options: options, order: EpochOrder(count: 40, seed: 1, plan: plan), random: Random(seed: 1))
        for _ in 0..<22 { #expect(try loader.next().indices.allSatisfy { $0 >= 37 }) }
        #expect(loader.skipped.count == 37)

        for index in 37..<40 { try Data([1, 2]).write(to: URL(filePath: setting.path("t\(index).png"))) }
        let error = #expect(throws: FileError.self) {
            try setting.writer().write(to: setting.cache, overwrites: true, skipsFaults: true)
        }
        #expect(error?.found.hasPrefix("none among 40; line 1: ") == true)
        let unfinished = #expect(throws: FileError.self) { try setting.open() }
        #expect(unfinished?.expected.hasPrefix("a finished cache") == true)
    }
}
