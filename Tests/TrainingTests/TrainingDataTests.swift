import DiptychData
import Foundation
import InContextEdit
import InMemoryLogging
import Logging
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing
import Training

/// Where a run's samples come from, and what happens when some cannot be read.
@Suite(.serialized) struct TrainingDataTests {
    private func encode(_ configuration: RunConfiguration, to folder: String) throws {
        let writer = try SampleCacheWriter(
            configuration.openDataset(), configuration.base.parts, configuration.pipelineEncoders,
            options: configuration.encoderOptions, precision: configuration.cachePrecision)
        #expect(try writer.write(to: folder).isFinished)
    }

    @Test func trainingFromACacheEqualsTrainingWithoutOne() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let plain = try fixture.train(fixture.configuration("plain", steps: 4))
        let cache = fixture.folder.appending(path: "cache").path
        func cached(_ run: String, _ change: (inout RunConfiguration) -> Void = { _ in }) -> RunConfiguration {
            fixture.configuration(run, steps: 4) {
                $0.data.cache = cache
                $0.data.cachePrecision = .float32
                change(&$0)
            }
        }
        try encode(cached("encoding"), to: cache)
        let fromCache = try fixture.train(cached("cached"))
        #expect(fromCache.map(\.loss) == plain.map(\.loss) && fromCache.map(\.gradNorm) == plain.map(\.gradNorm))
        // Threads and how far they read ahead change nothing.
        let alone = try fixture.train(cached("alone") { $0.data.workers = 0 })
        #expect(alone.map(\.loss) == plain.map(\.loss))
        // In bfloat16 latents are rounded once.
        let folder = fixture.folder.appending(path: "rounded").path
        let rounded = fixture.configuration("rounded run", steps: 4) { $0.data.cache = folder }
        try encode(rounded, to: folder)
        for (a, b) in zip(try fixture.train(rounded), plain) {
            #expect(abs(a.loss - b.loss) < 1e-2 * b.loss, "\(a.loss) and \(b.loss)")
        }
        // A run without a cache goes on with one where that changes nothing, and only there.
        let begun = RunFolder(fixture.folder.appending(path: "begun").path)
        _ = try fixture.train(fixture.configuration("begun", steps: 2) { $0.data.cachePrecision = .float32 })
        let rest = try fixture.train(cached("begun"), resuming: begun.checkpointPath(step: 2))
        #expect(rest.map(\.loss) == plain.map(\.loss))
        let other = RunFolder(fixture.folder.appending(path: "other").path)
        _ = try fixture.train(fixture.configuration("other", steps: 2))
        let refused = #expect(throws: ConfigurationError.self) {
            try fixture.train(
                fixture.configuration("other", steps: 4) { $0.data.cache = folder },
                resuming: other.checkpointPath(step: 2))
        }
        #expect(refused?.faults.map(\.key) == ["data.cache"])
        // A cache of another prompt is refused before any training.
        let error = #expect(throws: FileError.self) {
            try fixture.train(cached("stale") { $0.data.promptForm = .direct })
        }
        #expect(error?.key == "prompt_form" && error?.found.contains("stale cache of in_context") == true)
    }

    /// Only blocks that run again announce themselves on the way back.
    @Test func withoutCheckpointingAPlanCountsTheWholeTransformer() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        func weights(checkpointing: Bool, isStreamed: Bool) throws -> Int {
            let configuration = fixture.configuration { $0.training.gradientCheckpointing = checkpointing }
            let plan = try Trainer(configuration).task.memoryPlan(isStreamed: isStreamed, tiling: AutoencoderTiling())
            let step = try #require(plan.phases.first { $0.name == "a step" })
            return try #require(step.items.first { $0.name == MemoryPlan.weightsName }).size.bytes
        }
        let whole = try weights(checkpointing: true, isStreamed: false)
        #expect(try weights(checkpointing: true, isStreamed: true) < whole)
        #expect(try weights(checkpointing: false, isStreamed: true) == whole)
    }

    /// Kept latents count pairs, kept texts count prompts, both at most as many as the run sees.
    @Test func aPlanCountsWhatIsKept() throws {
        let fixture = try TrainingFixture(pairs: 8)
        defer { fixture.remove() }
        func item(_ name: String, _ change: (inout RunConfiguration) -> Void) throws -> Int {
            let plan = try Trainer(fixture.configuration("plan", steps: 6, change)).task.memoryPlan(
                isStreamed: false, tiling: AutoencoderTiling())
            return try #require(plan.always.first { $0.name == name }).size.bytes
        }
        let trainer = try Trainer(fixture.configuration())
        let prompts = try trainer.dataset.distinctPrompts(
            trainer.configuration.drawOptions, PanelShapes(trainer.configuration.panelShapes, of: trainer.dataset)
        ).count
        let (data, model) = (trainer.configuration.data, trainer.transformer.configuration)
        let tokens = 2 * data.panelWidth * data.panelHeight / 256
        let (pair, text) = (4 * tokens * 2 * model.outChannels, 4 * data.maxSequenceLength * model.jointAttentionDim)
        let few = try item("kept samples") { ($0.training.steps, $0.training.accumulate) = (1, 1) }
        #expect(few == 2 * pair + 3 * text)
        let all = try item("kept samples") { $0.training.steps = 1000 }
        #expect(all == 8 * pair + prompts * text)
        #expect(try item("kept samples") { $0.data.cacheLatents = false } == text)
        let ahead = try item("read ahead") { $0.data.prefetch = 5 }
        #expect(ahead == 5 * 2 * 3 * data.panelWidth * data.panelHeight)
    }

    @Test func pairsThatCannotBeReadStopARunBeforeItsFirstStep() throws {
        let fixture = try TrainingFixture(pairs: 8)
        defer { fixture.remove() }
        for name in ["source3", "target6"] {
            try Data("no picture".utf8).write(to: fixture.folder.appending(path: "pairs/\(name).png"))
        }
        let error = #expect(throws: DatasetError.self) { try fixture.train(fixture.configuration()) }
        #expect(error?.faults.map(\.key) == ["line 4: source", "line 7: target"], "\(String(describing: error))")

        // Together with what is wrong in the list.
        let list = fixture.folder.appending(path: "pairs/metadata.jsonl")
        let lines = try String(contentsOf: list, encoding: .utf8)
        try Data((lines + "{\n").utf8).write(to: list)
        let both = #expect(throws: DatasetError.self) { try fixture.train(fixture.configuration()) }
        #expect(both?.faults.map(\.key) == ["line 9", "line 4: source", "line 7: target"])
        try Data(lines.utf8).write(to: list)

        let skipping = fixture.configuration("skipping", steps: 6) { $0.data.onError = .skip }
        let logged = InMemoryLogHandler()
        let session = try TrainingSession(skipping, logger: Logger(label: "test") { _ in logged })
        var steps: [WorkProgress] = []
        #expect(try session.run { steps.append($0) } == .finished)
        #expect(steps.map(\.done) == Array(1...6) && steps.allSatisfy { $0.total == 6 && $0.unit == "steps" })
        #expect(steps.allSatisfy { $0.figures.map(\.name) == ["loss", "balance"] })
        #expect(session.trainer.skippedSamples.count == 2)
        let skipped = logged.entries.filter { $0.level == .warning && $0.metadata[Logger.kindKey] == "skipped" }
        #expect(skipped.count == 2, "\(logged.entries)")
        let whole = try MetricLog.read(session.folder.metricsPath("metrics.jsonl"))
        #expect(whole.allSatisfy { $0.loss.isFinite && ($0.dataSeconds ?? -1) >= 0 })
        // What takes their place is the same for a run that is resumed in the middle.
        try fixture.train(fixture.configuration("parts", steps: 3) { $0.data.onError = .skip })
        let parts = fixture.configuration("parts", steps: 6) { $0.data.onError = .skip }
        let resumed = try fixture.train(
            parts, resuming: RunFolder(parts.output.folder).checkpointPath(step: 3))
        #expect(resumed.map(\.loss) == whole.map(\.loss))
    }

    @Test func runsOfBothPanelLayoutsResumeExactly() throws {
        let fixture = try TrainingFixture(pairs: 9)
        defer { fixture.remove() }
        for index in 0..<4 {
            for side in ["source", "target"] {
                try Image(width: 96, height: 64, color: [UInt8(60 * index), 90, side == "source" ? 30 : 200])
                    .write(to: fixture.folder.appending(path: "pairs/\(side)\(index).png").path)
            }
        }
        let cache = fixture.folder.appending(path: "cache").path
        func settings(
            _ run: String, steps: Int, _ change: (inout RunConfiguration) -> Void = { _ in }
        ) -> RunConfiguration {
            fixture.configuration(run, steps: steps) {
                $0.data.buckets = ["32x32", "48x32"]
                $0.data.panelLayout = .auto
                $0.data.cachePrecision = .float32
                change(&$0)
            }
        }
        let trainer = try Trainer(settings("look", steps: 7))
        let geometries = trainer.configuration.panelShapes
        #expect(geometries.map(\.name) == ["32x32", "48x32-stacked"])
        let whole = try fixture.train(settings("whole", steps: 7))
        #expect(Set(whole.map(\.loss)).count == 7 && whole.allSatisfy { $0.loss.isFinite })
        // Five square pairs and four wide ones are ten samples a pass, filled up, and a step takes four.
        for (step, position) in [(2, 8), (4, 6)] {
            try fixture.train(settings("parts \(step)", steps: step))
            let parts = settings("parts \(step)", steps: 7)
            let path = RunFolder(parts.output.folder).checkpointPath(step: step)
            #expect(try RunCheckpoint(path: path).position == position)
            let resumed = try fixture.train(parts, resuming: path)
            #expect(resumed.map(\.loss) == whole.map(\.loss) && resumed.map(\.gradNorm) == whole.map(\.gradNorm))
        }
        // From a cache the losses are the same, bit for bit; arranged otherwise they are others, of a plan just as large.
        try encode(settings("encoding", steps: 7) { $0.data.cache = cache }, to: cache)
        let cached = try fixture.train(settings("cached", steps: 7) { $0.data.cache = cache })
        #expect(cached.map(\.loss) == whole.map(\.loss))
        let beside = settings("beside", steps: 7) { $0.data.panelLayout = .beside }
        #expect(try fixture.train(beside).map(\.loss) != whole.map(\.loss))
        #expect(
            try Trainer(beside).task.memoryPlan(isStreamed: false, tiling: AutoencoderTiling()).lines
                == trainer.task.memoryPlan(isStreamed: false, tiling: AutoencoderTiling()).lines)
        // Nor does a run go on in another panel layout.
        let begun = settings("parts 4", steps: 9) { $0.data.panelLayout = .stacked }
        let error = #expect(throws: ConfigurationError.self) {
            try fixture.train(begun, resuming: RunFolder(begun.output.folder).checkpointPath(step: 6))
        }
        #expect(error?.faults.map(\.key) == ["data.panel_layout"])
    }

    @Test func augmentedRunsOfSeveralShapesResumeExactly() throws {
        let fixture = try TrainingFixture(pairs: 9)
        defer { fixture.remove() }
        for index in 0..<3 {
            for side in ["source", "target"] {
                try Image(width: 64, height: 32, color: [UInt8(60 * index), 90, 30])
                    .write(to: fixture.folder.appending(path: "pairs/\(side)\(index).png").path)
            }
        }
        func settings(_ run: String, steps: Int) -> RunConfiguration {
            fixture.configuration(run, steps: steps) {
                $0.data.cacheLatents = false
                $0.data.mirror = 0.5
                $0.data.cropScale = 0.6
                $0.data.buckets = ["32x32", "64x32"]
                $0.data.textPadding = .trimmed
                $0.data.weights = [1.5]
            }
        }
        let whole = try fixture.train(settings("whole", steps: 7))
        try fixture.train(settings("parts", steps: 3))
        let parts = settings("parts", steps: 7)
        let resumed = try fixture.train(parts, resuming: RunFolder(parts.output.folder).checkpointPath(step: 3))
        #expect(resumed.map(\.loss) == whole.map(\.loss))
        #expect(Set(whole.map(\.loss)).count == 7)
    }

    @Test func aShapeThatCannotBeReadDoesNotEndARun() throws {
        let fixture = try TrainingFixture(pairs: 9)
        defer { fixture.remove() }
        func file(_ name: String) -> URL { fixture.folder.appending(path: "pairs/\(name).png") }
        for index in 0..<3 {
            for side in ["source", "target"] {
                try Image(width: 64, height: 32, color: [UInt8(60 * index), 90, 30]).write(
                    to: file("\(side)\(index)").path)
            }
        }
        func cut(_ indices: Range<Int>) throws {
            for index in indices {
                let bytes = try Data(contentsOf: file("target\(index)"))
                try bytes.prefix(bytes.count - 20).write(to: file("target\(index)"))
            }
        }
        func settings(_ run: String, steps: Int = 7) -> RunConfiguration {
            fixture.configuration(run, steps: steps) {
                $0.data.buckets = ["32x32", "64x32"]
                $0.data.onError = .skip
            }
        }
        try cut(0..<3)
        let session = try TrainingSession(settings("whole"))
        #expect(try session.run() == .finished)
        #expect(session.trainer.skippedSamples.compactMap(\.key).sorted() == [1, 2, 3].map { "line \($0): target" })
        let whole = try MetricLog.read(session.folder.metricsPath("metrics.jsonl"))
        for (name, stop) in [("early", 1), ("late", 4)] {
            try fixture.train(settings(name, steps: stop))
            let rest = settings(name)
            let resumed = try fixture.train(rest, resuming: RunFolder(rest.output.folder).checkpointPath(step: stop))
            #expect(resumed.map(\.loss) == whole.map(\.loss))
        }
        // With nothing left the run ends, in one line.
        try cut(3..<9)
        let error = #expect(throws: FileError.self) { try fixture.train(settings("none")) }
        #expect(
            error?.found.hasPrefix("none among 9; line 1: target: expected ") == true, "\(String(describing: error))")
        #expect(RunFolder(settings("none").output.folder).checkpointSteps().isEmpty)
    }
}
