import Adapters
import Autograd
import DiptychData
import Foundation
import InContextEdit
import Models
import NeuralNet
import Optimizers
import TensorCore
import TensorIO
import TestSupport
import Testing
import Training

@Suite(.serialized) struct TrainingSessionTests {
    @Test func lossesFallAndAreLogged() throws {
        let fixture = try TrainingFixture(pairs: 2)
        defer { fixture.remove() }
        let lines = try fixture.train(
            fixture.configuration(steps: 40) {
                $0.optimizer.name = .adamw
                $0.optimizer.learningRate = 5e-3
                $0.data.textDrop = 0
            })
        #expect(lines.map(\.step) == Array(1...40))
        let (first, last) = (lines.prefix(10), lines.suffix(10))
        func mean(_ part: ArraySlice<StepMetrics>) -> Double { part.reduce(0) { $0 + $1.mse! } / Double(part.count) }
        #expect(mean(last) < mean(first), "\(mean(first)) to \(mean(last))")
        let loads = try #require(lines.last?.load)
        #expect(loads.count == 5)
        for shares in loads.values { #expect(abs(shares.reduce(0, +) - 1) < 1e-5) }
    }

    @Test(arguments: [true, false], ["adamw", "prodigy"])
    func aResumedRunEqualsAnUninterruptedOne(checkpointing: Bool, optimizer: String) throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        func settings(_ run: String, steps: Int) -> RunConfiguration {
            fixture.configuration(run, steps: steps) {
                $0.training.gradientCheckpointing = checkpointing
                $0.training.emaDecay = 0.9
                if optimizer == "adamw" {
                    $0.optimizer.name = .adamw
                    $0.optimizer.learningRate = 1e-3
                }
            }
        }
        let whole = try fixture.train(settings("whole", steps: 7))
        try fixture.train(settings("parts", steps: 3))
        let folder = RunFolder(settings("parts", steps: 7).output.folder)
        let parts = try fixture.train(settings("parts", steps: 7), resuming: folder.checkpointPath(step: 3))
        #expect(whole.map(\.loss) == parts.map(\.loss))
        #expect(whole.map(\.gradNorm) == parts.map(\.gradNorm))
        #expect(whole.map(\.load) == parts.map(\.load))

        let last = try RunCheckpoint(path: folder.checkpointPath(step: 7))
        let other = try RunCheckpoint(
            path: RunFolder(settings("whole", steps: 7).output.folder).checkpointPath(step: 7))
        #expect(last.parameters.names == other.parameters.names)
        for name in last.parameters.names {
            #expect(try last.parameters.tensor(name).floats == other.parameters.tensor(name).floats, "\(name)")
        }
        #expect(last.random == other.random && last.epoch == other.epoch && last.position == other.position)
        #expect(last.average?.tensors.map(\.tensor.floats) == other.average?.tensors.map(\.tensor.floats))
    }

    @Test func gradientCheckpointingChangesNothing() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let kept = try fixture.train(
            fixture.configuration("kept", steps: 3) { $0.training.gradientCheckpointing = false })
        let again = try fixture.train(fixture.configuration("again", steps: 3))
        #expect(kept.map(\.loss) == again.map(\.loss))
        #expect(kept.map(\.gradNorm) == again.map(\.gradNorm))
    }

    @Test func theRouterSeesThePooledTextWhenAsked() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let lines = try fixture.train(
            fixture.configuration(steps: 2) { $0.adapter.moe?.routerInput = .tokenAndPooledText })
        #expect(lines.count == 2 && lines.allSatisfy { $0.loss.isFinite })
        let path = RunFolder(fixture.configuration().output.folder).checkpointPath(step: 2)
        #expect(try RunCheckpoint(path: path).parameters.names.contains { $0.hasSuffix("lora_route_pooled.weight") })
    }

    @Test func oldCheckpointsGo() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 7)
        try fixture.train(configuration)
        #expect(RunFolder(configuration.output.folder).checkpointSteps() == [6, 7])
        #expect(try RunFolder.checkpoint(at: configuration.output.folder).hasSuffix("step-00000007.h5"))
    }

    @Test func aLossThatIsNotANumberStopsTheRun() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let error = #expect(throws: TrainingError.self) {
            try fixture.train(
                fixture.configuration {
                    $0.optimizer.learningRate = 1e30; $0.optimizer.name = .adamw
                })
        }
        let line = error?.description ?? ""
        #expect(line.hasPrefix("step 2: expected finite numbers, found loss"), "\(line)")
        #expect(line.hasSuffix("the step was not taken"))
    }

    @Test func aLossThatIsNotANumberMayBePassedOver() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 3) {
            $0.optimizer.learningRate = 1e30
            $0.optimizer.name = .adamw
            $0.training.stopOnNan = false
        }
        let lines = try fixture.train(configuration)
        #expect(lines.map(\.step) == [1, 2, 3])
        #expect(lines[0].loss.isFinite && !lines[1].loss.isFinite)
        // Only the first step was taken: the parameters hold no NaN of the others.
        let path = RunFolder(configuration.output.folder).checkpointPath(step: 3)
        let parameters = try RunCheckpoint(path: path).parameters
        for name in parameters.names { #expect(try parameters.tensor(name).floats.allSatisfy { !$0.isNaN }, "\(name)") }
    }

    /// Two passes of one sample each against one pass of both, with the same noise and times.
    @Test func accumulationEqualsALargerBatch() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 1) {
            $0.adapter.moe = nil
            $0.optimizer.gradientClip = 0
            // So large an epsilon makes the first step proportional to the gradient.
            $0.optimizer.name = .adamw
            $0.optimizer.epsilon = 1
            $0.optimizer.learningRate = 0.1
            $0.training.batchSize = 1
            $0.training.accumulate = 2
            $0.data.textDrop = 0.5
        }
        let trainer = try Trainer(configuration)
        let metrics = try trainer.advance()
        let whole = try Trainer(configuration)
        let encoder = try SampleEncoder(
            whole.dataset, encoders: FrozenEncoders(configuration.base.parts), options: configuration.encoderOptions)
        let loader = try DiptychLoader(
            encoder, options: configuration.loaderOptions,
            order: EpochOrder(count: whole.dataset.records.count, seed: 7), random: Random(seed: 7 ^ 0x5DEE_CE66))
        let batches = [try loader.next(), try loader.next()]
        func both(_ part: (DiptychBatch) -> Tensor) -> Tensor { Tensor.concatenated(batches.map(part), axis: 0) }
        let (clean, noise, time) = (both(\.clean), both(\.noise), both(\.time))
        var conditioning = batches[0].conditioning
        conditioning.channels = both { $0.conditioning.channels! }
        conditioning.text = both(\.conditioning.text)
        conditioning.pooled = both(\.conditioning.pooled)
        let velocity = whole.transformer.velocity(
            FlowMatching.interpolate(clean, noise, time: time), time: time, conditioning, precision: .float32)
        let loss = Objective().loss(velocity, clean: clean, noise: noise, time: time)
        loss.backward()

        #expect(abs(metrics.loss - Double(loss.value.scalar)) < 1e-5 * metrics.loss)
        let norm = clipGradientNorm(whole.adapters.parameters, maximum: .infinity)
        #expect(try abs(norm - #require(metrics.gradNorm)) < 1e-5 * norm)
        configuration.makeOptimizer().update(
            whole.adapters.parameters, learningRate: configuration.learningRateSchedule(0))
        for (a, b) in zip(trainer.adapters.parameters, whole.adapters.parameters) {
            let (parts, expected) = (a.parameter.value.floats, b.parameter.value.floats)
            let scale = expected.map(abs).max() ?? 0
            let error = zip(parts, expected).map { abs($0 - $1) }.max() ?? .infinity
            #expect(error <= 1e-4 * scale, "\(a.name): error \(error) of \(scale)")
        }
    }

    @Test func anEarlierCheckpointBeginsAnotherFuture() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let folder = RunFolder(fixture.configuration().output.folder)
        try fixture.train(fixture.configuration(steps: 6) { $0.output.keepCheckpoints = 3 })
        #expect(folder.checkpointSteps() == [2, 4, 6])
        let lines = try fixture.train(fixture.configuration(steps: 5), resuming: folder.checkpointPath(step: 2))
        #expect(folder.checkpointSteps() == [4, 5])
        #expect(lines.map(\.step) == [1, 2, 3, 4, 5])
    }

    @Test func anotherRunsFolderIsNotContinued() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        try fixture.train(fixture.configuration("one", steps: 2))
        try fixture.train(fixture.configuration("other", steps: 2))
        let checkpoint = RunFolder(fixture.configuration("one").output.folder).checkpointPath(step: 2)
        let error = #expect(throws: FileError.self) {
            try fixture.train(fixture.configuration("other", steps: 4), resuming: checkpoint)
        }
        #expect(error?.found == "a checkpoint of step 2")
        let moved = try fixture.train(fixture.configuration("new", steps: 4), resuming: checkpoint)
        #expect(moved.map(\.step) == [3, 4])
    }

    @Test func aConfigurationOfTheUsersIsNotReplaced() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 2)
        let folder = URL(filePath: configuration.output.folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("# mine".utf8).write(to: folder.appending(path: "config.yaml"))
        #expect(throws: FileError.self) { try fixture.train(configuration) }
        #expect(try String(contentsOf: folder.appending(path: "config.yaml"), encoding: .utf8) == "# mine")
    }

    @Test func twoSessionsDoNotShareAFolder() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 2)
        let first = try TrainingSession(configuration)
        let error = #expect(throws: FileError.self) { _ = try TrainingSession(configuration) }
        #expect(error?.found == "one in training")
        withExtendedLifetime(first) {}
    }

    @Test func aFailingStepLosesNoneBeforeIt() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let picture = fixture.folder.appending(path: "pairs/source3.png")
        let whole = try Data(contentsOf: picture)
        func settings(_ run: String) -> RunConfiguration {
            fixture.configuration(run, steps: 4) {
                $0.training.batchSize = 1
                $0.training.accumulate = 1
                $0.data.shuffle = false
                $0.data.cacheLatents = false
                $0.data.checkFirst = false
                $0.output.checkpointEvery = 0
            }
        }
        let expected = try fixture.train(settings("whole"))
        try Data("no picture".utf8).write(to: picture)
        #expect(throws: FileError.self) { try fixture.train(settings("parts")) }
        let folder = RunFolder(settings("parts").output.folder)
        #expect(folder.checkpointSteps() == [3])
        try whole.write(to: picture)
        let last = folder.checkpointPath(step: 3)
        // A mended picture is a changed one.
        #expect(throws: FileError.self) { try fixture.train(settings("parts"), resuming: last) }
        let parts = try fixture.train(settings("parts"), resuming: last, acceptsChangedData: true)
        #expect(parts.map(\.loss) == expected.map(\.loss))
    }

    @Test func aFolderWithARunIsNotOverwritten() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        try fixture.train(fixture.configuration(steps: 2))
        let error = #expect(throws: FileError.self) { try fixture.train(fixture.configuration(steps: 2)) }
        #expect(error?.found == "a checkpoint of step 2")
    }

    @Test func resumingAnotherRunIsRefused() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 2)
        try fixture.train(configuration)
        let path = RunFolder(configuration.output.folder).checkpointPath(step: 2)
        func fault(_ change: (inout RunConfiguration) -> Void) -> (any Error)? {
            do {
                try fixture.train(fixture.configuration(steps: 4, change), resuming: path)
                return nil
            } catch {
                return error
            }
        }
        let changed = fault {
            $0.training.seed = 8
            $0.adapter.moe?.topK = 2
            $0.adapter.lora = nil
        }
        #expect(
            (changed as? ConfigurationError)?.faults.map(\.key) == [
                "adapter.lora", "adapter.moe.top_k", "training.seed",
            ])
        #expect("\(changed!)".contains("training.seed: expected '7', as the run began and has to go on, found '8'"))
        let smaller = try TrainingFixture(pairs: 3)
        defer { smaller.remove() }
        let other = fault { $0.data.path = smaller.configuration().data.path } as? FileError
        #expect(other?.found == "3" && other?.expected == "the 5 pairs that the run began with")
    }

    /// In a process of its own: other tests allocate too.
    @Test func aStepLeavesNothingBehind() async {
        await #expect(processExitsWith: .success) {
            let fixture = try TrainingFixture(pairs: 2)
            defer { fixture.remove() }
            // What is read ahead holds blocks too, as many as the threads have come to.
            let trainer = try Trainer(
                fixture.configuration {
                    $0.data.textDrop = 0
                    $0.data.workers = 0
                })
            for _ in 0..<3 { _ = try trainer.advance() }
            let before = MemoryAccount.currentBlocks
            for _ in 0..<3 { _ = try trainer.advance() }
            try #require(MemoryAccount.currentBlocks == before)
        }
    }
}

@Suite struct RunCheckpointTests {
    @Test func damagedFilesAreNamed() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 1)
        try fixture.train(configuration)
        let path = RunFolder(configuration.output.folder).checkpointPath(step: 1)
        var bytes = try Data(contentsOf: URL(filePath: path))
        let cut = fixture.folder.appending(path: "cut.h5")
        bytes.removeLast(bytes.count / 2)
        try bytes.write(to: cut)
        #expect(throws: FileError.self) { try RunCheckpoint(path: cut.path) }

        let other = fixture.folder.appending(path: "other.h5").path
        try HDF5File.write(to: other) { try $0.setAttribute("format", "something else") }
        let error = #expect(throws: FileError.self) { try RunCheckpoint(path: other) }
        #expect(error?.key == "format" && error?.found == "something else")
        #expect(throws: FileError.self) { try RunCheckpoint(path: Fixtures.path("source.png")) }
    }

    @Test func exportsNeedNoBase() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration(steps: 2)
        try fixture.train(configuration)
        let path = RunFolder(configuration.output.folder).checkpointPath(step: 2)
        let trainer = try Trainer(configuration, resuming: RunCheckpoint(path: path))
        for format in [AdapterFormat.icedit, .diptych] {
            let fromModel = try trainer.adapters.exported(as: format)
            let fromFile = try ExportedAdapters(
                parameters: RunCheckpoint(path: path).parameters, configuration: configuration.adapterConfiguration,
                format: format)
            #expect(Set(fromModel.tensors.map(\.name)) == Set(fromFile.tensors.map(\.name)))
            let byName = Dictionary(uniqueKeysWithValues: fromModel.tensors.map { ($0.name, $0.tensor) })
            for (name, tensor) in fromFile.tensors { #expect(byName[name]?.floats == tensor.floats, "\(name)") }
            #expect(fromModel.metadata.keys == fromFile.metadata.keys)
        }
    }
}
