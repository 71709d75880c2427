import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct DiptychLoaderTests {
    /// Three pairs of unequal sizes and the frozen model that encodes them.
    private struct Setting {
        let folder: URL
        let pipeline: EditPipeline
        let dataset: PairDataset

        init() throws {
            folder = try Fixtures.scratchFolder()
            var records: [PairRecord] = []
            for index in 0..<3 {
                let names = ["a\(index).png", "b\(index).png"]
                try SyntheticPhoto.make(width: 40 + index, height: 24, seed: index)
                    .write(to: folder.appending(path: names[0]).path)
                try SyntheticPhoto.make(width: 2 * (40 + index), height: 48, seed: index + 9)
                    .write(to: folder.appending(path: names[1]).path)
                records.append(
                    PairRecord(
                        source: names[0], target: names[1], fields: PromptFields(instruction: "make \(index) blue")))
            }
            try PairDataset.write(records, to: folder)
            dataset = try PairDataset(path: folder.path)
            pipeline = try EditPipeline(path: Fixtures.path("tiny-random-fill"))
        }

        func encoder(keepsSamples: Bool = true) throws -> SampleEncoder {
            try SampleEncoder(
                dataset, pipeline: pipeline,
                options: .init(
                    panelWidth: 32, panelHeight: 16, maximumSequenceLength: 8, promptForm: .inContext,
                    keepsSamples: keepsSamples))
        }

        func loader(
            _ encoder: SampleEncoder, batch: Int = 2, textDrop: Float = 0, epoch: Int = 0, position: Int = 0
        ) throws -> DiptychLoader {
            try DiptychLoader(
                encoder, options: .init(batchSize: batch, textDrop: textDrop),
                order: EpochOrder(count: 3, seed: 5, epoch: epoch, position: position), random: Random(seed: 3))
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }
    }

    private func rows(_ tensor: Tensor) -> [[Float]] {
        let values = tensor.floats
        let width = values.count / tensor.shape[0]
        return (0..<tensor.shape[0]).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    @Test func aBatchHasTheShapesThatTheTransformerTakes() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let batch = try setting.loader(setting.encoder()).next()
        // 64 x 16 pixels are 4 x 1 tokens.
        #expect(batch.clean.shape == [2, 4, 64] && batch.noise.shape == [2, 4, 64])
        let channels = try #require(batch.conditioning.channels)
        #expect(channels.shape == [2, 4, 320] && batch.time.shape == [2])
        #expect(
            batch.conditioning.text.shape[0] == 2 && batch.conditioning.text.shape[1] == 8
                && batch.conditioning.pooled.shape[0] == 2)
        #expect(batch.time.floats.allSatisfy { $0 > 0 && $0 < 1 })
        #expect(batch.indices.count == 2 && Set(batch.indices).count == 2)
        // The condition's latents are of the canvas with a blank right panel, so their left halves see the same image.
        let mask = rows(channels)[0].suffix(320 * 4).enumerated().filter { $0.offset % 320 >= 64 }.map(\.element)
        #expect(mask.filter { $0 == 1 }.count == mask.count / 2)
    }

    @Test func keptSamplesEqualFreshOnes() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let (kept, fresh) = (try setting.encoder(), try setting.encoder(keepsSamples: false))
        for index in [0, 1, 2, 1, 0] {
            let (a, b) = (try kept.sample(at: index), try fresh.sample(at: index))
            #expect(a.clean.floats == b.clean.floats && a.source.floats == b.source.floats)
            #expect(a.text.sequence.floats == b.text.sequence.floats && a.text.pooled.floats == b.text.pooled.floats)
        }
        #expect(try kept.sample(at: 0).clean.floats != kept.sample(at: 1).clean.floats)
    }

    @Test func theSameStateGivesTheSameBatches() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let encoder = try setting.encoder()
        let (first, second) = (try setting.loader(encoder, textDrop: 0.5), try setting.loader(encoder, textDrop: 0.5))
        for _ in 0..<4 {
            let (a, b) = (try first.next(), try second.next())
            #expect(a.indices == b.indices && a.noise.floats == b.noise.floats && a.time.floats == b.time.floats)
            #expect(a.conditioning.text.floats == b.conditioning.text.floats)
        }
        let resumed = try DiptychLoader(
            encoder, options: .init(batchSize: 2, textDrop: 0.5), order: first.order, random: first.random)
        let (a, b) = (try first.next(), try resumed.next())
        #expect(
            a.indices == b.indices && a.noise.floats == b.noise.floats
                && a.conditioning.text.floats == b.conditioning.text.floats)
    }

    @Test func aBatchMayBeLargerThanTheDataset() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let loader = try setting.loader(setting.encoder(), batch: 7)
        #expect(try loader.next().indices.count == 7)
        #expect(loader.order.epoch == 2 && loader.order.position == 1)
    }

    @Test(arguments: [0, 0.3, 1] as [Float])
    func theShareOfDroppedTexts(share: Float) throws {
        let setting = try Setting()
        defer { setting.remove() }
        let encoder = try setting.encoder()
        let loader = try setting.loader(encoder, batch: 50, textDrop: share)
        let empty = try encoder.text("")
        var dropped = 0
        for _ in 0..<8 {
            let batch = try loader.next()
            for (text, pooled) in zip(rows(batch.conditioning.text), rows(batch.conditioning.pooled)) {
                let isDropped = text == empty.sequence.floats
                // Both encoders' vectors go together.
                #expect(isDropped == (pooled == empty.pooled.floats))
                dropped += isDropped ? 1 : 0
            }
        }
        // Four deviations of a binomial of 400 draws.
        let slack = 4 * (400 * share * (1 - share)).squareRoot()
        #expect(abs(Float(dropped) - 400 * share) <= slack, "\(dropped) of 400")
    }

    @Test func promptsThatLackAFieldAreNamedBeforeTheWork() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let error = #expect(throws: DatasetError.self) {
            try SampleEncoder(
                setting.dataset, pipeline: setting.pipeline,
                options: .init(panelWidth: 32, panelHeight: 16, maximumSequenceLength: 8, promptForm: .descriptive))
        }
        #expect(error?.faults.count == 3)
        #expect(
            error?.lines.last
                == "\(setting.dataset.listPath): pair 3: expected the key 'subject' for prompts of the form 'descriptive', "
                + "found none")
    }

    @Test func aPictureThatHasGoneIsNamed() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let loader = try setting.loader(setting.encoder(), batch: 3)
        try FileManager.default.removeItem(at: setting.folder.appending(path: "b1.png"))
        let error = #expect(throws: FileError.self) { try loader.next() }
        #expect(error?.path.hasSuffix("/metadata.jsonl") == true && error?.key == "line 2: target")
        #expect(error?.found.contains("/b1.png)") == true, "\(String(describing: error))")
    }

    @Test func readingAheadChangesNothing() throws {
        let setting = try Setting()
        defer { setting.remove() }
        let encoder = try setting.encoder(keepsSamples: false)
        var options = DiptychLoader.Options(batchSize: 2, textDrop: 0.3)
        options.workers = 3
        options.ahead = 4
        let order = EpochOrder(count: 3, seed: 5)
        let ahead = try DiptychLoader(encoder, options: options, order: order, random: Random(seed: 3))
        let plain = try setting.loader(encoder, textDrop: 0.3)
        for _ in 0..<6 {
            let (a, b) = (try ahead.next(), try plain.next())
            #expect(a.indices == b.indices && a.clean.floats == b.clean.floats && a.noise.floats == b.noise.floats)
            #expect(a.conditioning.text.floats == b.conditioning.text.floats)
            #expect(ahead.order == plain.order && ahead.random == plain.random)
        }
        #expect(ahead.waitingSeconds > 0)
    }

    @Test func trimmedTextIsThePaddedTextCut() throws {
        let setting = try Setting()
        defer { setting.remove() }
        var options = SampleEncoder.Options(
            panelWidth: 32, panelHeight: 16, maximumSequenceLength: 256, promptForm: .inContext)
        options.keepsSamples = false
        let encoder = try SampleEncoder(setting.dataset, pipeline: setting.pipeline, options: options)
        let count = encoder.tokenCount(of: try PromptForm.inContext.prompt(setting.dataset.records[0].fields))
        #expect(count > 10 && count < 256)
        var trimmed = DiptychLoader.Options(batchSize: 2, textDrop: 0)
        trimmed.trimsText = true
        let order = EpochOrder(count: 3, seed: 5)
        let short = try DiptychLoader(encoder, options: trimmed, order: order, random: Random(seed: 3)).next()
        let full = try setting.loader(encoder).next()
        let length = (count + 63) / 64 * 64
        #expect(short.conditioning.text.shape.dimensions == [2, length, full.conditioning.text.shape[2]])
        #expect(
            short.conditioning.text.floats == full.conditioning.text.sliced(axis: 1, 0..<length).contiguous().floats)
        #expect(short.clean.floats == full.clean.floats)
    }

    @Test(arguments: [PanelLayoutChoice.beside, .auto]) func batchesHaveOneShape(choice: PanelLayoutChoice) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let sizes = [(64, 32), (32, 64), (40, 40), (60, 30), (33, 30), (30, 60), (200, 100)]
        var records: [PairRecord] = []
        for (index, size) in sizes.enumerated() {
            for side in ["s", "t"] {
                try SyntheticPhoto.make(width: size.0, height: size.1, seed: index)
                    .write(to: folder.appending(path: "\(side)\(index).png").path)
            }
            records.append(
                PairRecord(
                    source: "s\(index).png", target: "t\(index).png", fields: PromptFields(instruction: "\(index)")))
        }
        try PairDataset.write(records, to: folder)
        let dataset = try PairDataset(path: folder.path)
        var options = SampleEncoder.Options(
            panelWidth: 32, panelHeight: 32, maximumSequenceLength: 8, promptForm: .inContext)
        options.shapes = [(32, 32), (48, 32), (32, 48)].map { width, height in
            DiptychGeometry(
                panelWidth: width, panelHeight: height,
                panelLayout: choice.layout(panelWidth: width, panelHeight: height))
        }
        let encoder = try SampleEncoder(
            dataset, encoders: FrozenEncoders(PipelineParts(folder: Fixtures.path("tiny-random-fill"))),
            options: options)
        #expect(encoder.shapes.shapeOfPair == [1, 2, 0, 1, 0, 2, 1])
        let loading = DiptychLoader.Options(batchSize: 2, textDrop: 0)
        var plan = EpochPlan()
        plan.groups = try DiptychLoader.groups(of: encoder, loading)
        plan.batchSize = 2
        let order = EpochOrder(count: 7, seed: 1, plan: plan)
        #expect(order.epochCount == 8)
        let loader = try DiptychLoader(encoder, options: loading, order: order, random: Random(seed: 3))
        var seen: Set<Int> = []
        for _ in 0..<4 {
            let batch = try loader.next()
            let shape = encoder.shapes[batch.indices[0]]
            #expect(batch.indices.allSatisfy { encoder.shapes[$0] == shape } && batch.geometry == shape)
            #expect(batch.clean.shape.dimensions == [2, shape.tokenCount, 64])
            let isStacked = choice == .auto && shape.panelWidth == 48
            #expect(shape.panelLayout == (isStacked ? .stacked : .beside))
            // The masks and the words are those of the panel layout.
            let mask = batch.conditioning.channels!.sliced(axis: 2, 64..<320).contiguous().floats
            #expect(mask == shape.packedMask.floats + shape.packedMask.floats)
            for (row, index) in batch.indices.enumerated() {
                let prompt = PromptForm.trigger(shape.panelLayout) + "\(index)"
                #expect(try rows(batch.conditioning.pooled)[row] == encoder.text(prompt).pooled.floats)
            }
            seen.formUnion(batch.indices)
        }
        #expect(seen.count == 7 && loader.order.epoch == 0)
    }

    @Test func pairsThatCannotBeReadAreReplaced() throws {
        let setting = try Setting()
        defer { setting.remove() }
        try Data([1, 2]).write(to: setting.folder.appending(path: "b1.png"))
        var options = DiptychLoader.Options(batchSize: 3, textDrop: 0)
        options.skipsFaults = true
        options.workers = 2
        let encoder = try setting.encoder()
        let loader = try DiptychLoader(
            encoder, options: options, order: EpochOrder(count: 3, seed: 5), random: Random(seed: 3))
        for _ in 0..<3 { #expect(try loader.next().indices.sorted() == [0, 2, 2]) }
        #expect(loader.skipped.count == 1 && loader.skipped[0].key == "line 2: target")
        for name in ["a0", "a2"] { try Data([1]).write(to: setting.folder.appending(path: "\(name).png")) }
        let none = try DiptychLoader(
            setting.encoder(), options: options, order: EpochOrder(count: 3, seed: 5), random: Random(seed: 3))
        #expect(throws: FileError.self) { try none.next() }
    }
}
