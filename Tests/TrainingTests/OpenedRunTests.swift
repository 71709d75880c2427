import DiptychData
import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing
import Training

/// Which run goes on, where, and by which configuration.
@Suite(.serialized) struct OpenedRunTests {
    private func path(_ fixture: TrainingFixture, _ name: String) -> String {
        fixture.folder.appending(path: name).path
    }

    /// What a run was opened as, without the run: that would keep its folder.
    private struct Opening {
        var changes: [String]
        var folder: String
        var checkpoint: String?
        var isFinished: Bool

        init(_ run: OpenedRun<RunConfiguration>) {
            changes = run.changes.map(\.key)
            (folder, checkpoint, isFinished) = (run.folder.path, run.checkpoint, run.isFinished)
        }
    }

    /// Trains what a request asks for, unless the run is finished.
    @discardableResult
    private func train(_ request: RunRequest) throws -> Opening {
        let opened = try OpenedRun(request)
        guard !opened.isFinished else { return Opening(opened) }
        let session = try TrainingSession(opened)
        #expect(try session.run() == .finished)
        return Opening(opened)
    }

    private func steps(_ folder: String) -> [Int] { RunFolder(folder).checkpointSteps() }
    private func losses(_ folder: String) throws -> [Double] {
        try MetricLog.read(folder + "/metrics.jsonl").map(\.loss)
    }

    @Test func aRunIsWhatLiesInTheFolder() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let whole = try fixture.train(fixture.configuration("whole", steps: 6))
        try fixture.train(fixture.configuration("run", steps: 3))
        let (old, new, copy) = (path(fixture, "run"), path(fixture, "renamed"), path(fixture, "copy"))
        try FileManager.default.moveItem(atPath: old, toPath: new)
        try FileManager.default.copyItem(atPath: new, toPath: copy)
        for source in [new, copy + "/checkpoints/step-00000003.h5"] {
            let opened = try train(RunRequest(source, overrides: ["training.steps=6"], continuation: .always))
            #expect(opened.changes == ["training.steps"])
        }
        for folder in [new, copy] {
            #expect(try losses(folder) == whole.map(\.loss))
            #expect(steps(folder).last == 6)
            #expect(try RunConfiguration.load(folder + "/config.yaml").output.folder == folder)
        }
        #expect(!FileManager.default.fileExists(atPath: old))
        // Its configuration's file means the run, too.
        try FileManager.default.moveItem(atPath: new, toPath: old)
        let last = try train(
            RunRequest(old + "/config.yaml", overrides: ["training.steps=7"], continuation: .always))
        #expect(last.folder == old && steps(old).last == 7 && steps(new).isEmpty)
    }

    @Test func anEditedConfigurationCounts() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        try fixture.train(fixture.configuration("run", steps: 2))
        let folder = path(fixture, "run")
        let file = folder + "/config.yaml"
        func edit(_ key: String, _ from: String, _ to: String) throws {
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let edited = text.replacing(" \(key): \(from)\n", with: " \(key): \(to)  # by hand\n")
            #expect(text != edited, "\(key)")
            try Data(edited.utf8).write(to: URL(filePath: file))
        }
        try edit("steps", "2", "4")
        try edit("checkpoint_every", "2", "1")
        try edit("learning_rate", "1", "0.5")
        let words = try String(contentsOfFile: file, encoding: .utf8)
        let opened = try train(RunRequest(folder, continuation: .always))
        #expect(opened.changes == ["optimizer.learning_rate", "training.steps", "output.checkpoint_every"])
        #expect(steps(folder) == [3, 4])
        let rates = try MetricLog.read(folder + "/metrics.jsonl").map(\.learningRate)
        #expect(rates == [1, 1, 0.5, 0.5])
        // What the user wrote stays as it was written.
        #expect(try String(contentsOfFile: file, encoding: .utf8) == words)

        try edit("seed", "7", "8")
        try edit("top_k", "1", "2")
        let error = #expect(throws: ConfigurationError.self) {
            try train(RunRequest(folder, overrides: ["training.steps=9"], continuation: .always))
        }
        #expect(error?.faults.map(\.key) == ["adapter.moe.top_k", "training.seed"])
        #expect(error?.faults.allSatisfy { $0.file == file } == true)
        #expect(steps(folder) == [3, 4])
    }

    @Test func anotherFilesWordsAreSaidToOverrule() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration("run", steps: 2)
        try fixture.train(configuration)
        let (folder, mine) = (path(fixture, "run"), path(fixture, "mine.yaml"))
        try Data(configuration.yaml.utf8).write(to: URL(filePath: mine))
        let own = try RunConfiguration.load(folder + "/config.yaml", overrides: ["training.steps=9"])
        try Data(own.yaml.utf8).write(to: URL(filePath: folder + "/config.yaml"))
        let opened = try OpenedRun(
            RunRequest(mine, overrides: ["training.steps=3"], continuation: .always, isDryRun: true))
        #expect(opened.notices.count == 1 && opened.notices[0].contains("training.steps is '9' there and '3' in"))
    }

    @Test func aFinishedRunIsNoError() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        try fixture.train(fixture.configuration("run", steps: 2))
        let folder = path(fixture, "run")
        #expect(try train(RunRequest(folder, continuation: .always)).isFinished)
        #expect(try OpenedRun(RunRequest(folder, overrides: ["training.steps=1"], continuation: .ifThere)).isFinished)
        #expect(try !OpenedRun(RunRequest(folder, overrides: ["training.steps=3"], continuation: .always)).isFinished)
    }

    @Test func resumingIfThere() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let (folder, mine) = (path(fixture, "run"), path(fixture, "mine.yaml"))
        try Data(fixture.configuration("run", steps: 2).yaml.utf8).write(to: URL(filePath: mine))
        #expect(throws: FileError.self) { try train(RunRequest(mine, continuation: .always)) }
        #expect(!FileManager.default.fileExists(atPath: folder))
        #expect(try train(RunRequest(mine, continuation: .ifThere)).checkpoint == nil)
        #expect(steps(folder) == [2])
        let on = try train(RunRequest(mine, overrides: ["training.steps=3"], continuation: .ifThere))
        #expect(on.checkpoint == RunFolder(folder).checkpointPath(step: 2) && steps(folder) == [2, 3])
        // A run that was killed before its first checkpoint begins again by its own configuration.
        try FileManager.default.removeItem(atPath: folder + "/checkpoints")
        try createFolder(folder + "/checkpoints")
        #expect(try train(RunRequest(folder, continuation: .ifThere)).checkpoint == nil)
        #expect(try steps(folder) == [2, 3] && losses(folder).count == 3)
        // Nothing at all is an error that makes nothing.
        #expect(throws: FileError.self) {
            try OpenedRun(RunRequest(path(fixture, "none"), continuation: .ifThere))
        }
        #expect(!FileManager.default.fileExists(atPath: path(fixture, "none")))
        // Without a wish to go on, a run is not begun over another.
        #expect(throws: FileError.self) { try OpenedRun(RunRequest(mine)) }
    }

    @Test func theFolderIsTakenBeforeAnythingIsRead() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        try fixture.train(fixture.configuration("run", steps: 2))
        let folder = path(fixture, "run")
        let going = RunRequest(folder, overrides: ["training.steps=4"], continuation: .always)
        let first = try OpenedRun(going)
        // Even a checkpoint that nobody could read is not looked at.
        try Data("no checkpoint".utf8).write(to: URL(filePath: folder + "/checkpoints/step-00000003.h5"))
        let error = #expect(throws: FileError.self) { try OpenedRun(going) }
        #expect(error?.found == "one in training")
        let fresh = #expect(throws: FileError.self) { try OpenedRun(fixture.configuration("run", steps: 9)) }
        #expect(fresh?.found == "one in training")
        // A dry run takes nothing and makes nothing.
        try FileManager.default.removeItem(atPath: folder + "/checkpoints/step-00000003.h5")
        var dry = going
        dry.isDryRun = true
        #expect(try OpenedRun(dry).state?.step == 2)
        var begun = RunRequest(path(fixture, "mine.yaml"), isDryRun: true)
        try Data(fixture.configuration("never", steps: 2).yaml.utf8).write(to: URL(filePath: begun.source))
        _ = try OpenedRun(begun)
        begun.overrides = ["output.folder=\(folder)"]
        _ = try OpenedRun(begun)
        #expect(!FileManager.default.fileExists(atPath: path(fixture, "never")))
        withExtendedLifetime(first) {}
    }

    /// What cannot begin leaves no empty folder.
    @Test func whatCannotBeginLeavesNothing() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let configuration = fixture.configuration("deep/er/run") { $0.data.path = "no/data" }
        #expect(throws: (any Error).self) { try fixture.train(configuration) }
        #expect(!FileManager.default.fileExists(atPath: path(fixture, "deep")))
    }

    @Test func otherDataAndBasesAreRefused() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        try fixture.train(fixture.configuration("run", steps: 2))
        let folder = path(fixture, "run")
        func fault(_ override: String) -> FileError? {
            #expect(throws: FileError.self) {
                try train(
                    RunRequest(folder, overrides: ["training.steps=4", override], continuation: .always))
            }
        }
        let files = FileManager.default
        let list = path(fixture, "pairs/metadata.jsonl")
        let lines = try String(contentsOfFile: list, encoding: .utf8)
        let reordered = lines.split(separator: "\n").reversed().joined(separator: "\n") + "\n"
        try Data(reordered.utf8).write(to: URL(filePath: list))
        var error = fault("data.workers=1")
        #expect(
            error?.key == "data.path" && error?.found.hasPrefix("the same pairs in another order") == true, "\(error!)")
        try Data(lines.replacing("number 3 blue", with: "number 3 red").utf8).write(to: URL(filePath: list))
        error = fault("data.workers=1")
        #expect(error?.key == "data.path" && error?.found.hasPrefix("other pairs") == true)
        try Data(lines.utf8).write(to: URL(filePath: list))

        // The same number of weights, some of which are others.
        for (part, file) in [
            ("transformer", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder_2", "model"),
        ] {
            let other = path(fixture, "other-\(part)")
            try files.copyItem(atPath: Fixtures.path("tiny-random-fill"), toPath: other)
            let weights = "\(other)/\(part)/\(file).safetensors"
            var bytes = try Data(contentsOf: URL(filePath: weights))
            bytes[bytes.count - 3] ^= 1
            try files.removeItem(atPath: weights)
            try bytes.write(to: URL(filePath: weights))
            error = fault("base.path=\(other)")
            #expect(error?.key == "base.path" && error?.found == "other weights", "\(part): \(error!)")
        }
        // What has only moved is the same.
        let moved = path(fixture, "moved")
        try files.copyItem(atPath: Fixtures.path("tiny-random-fill"), toPath: moved)
        try files.moveItem(atPath: path(fixture, "pairs"), toPath: path(fixture, "elsewhere"))
        let opened = try train(
            RunRequest(
                folder,
                overrides: ["training.steps=3", "base.path=\(moved)", "data.path=\(path(fixture, "elsewhere"))"],
                continuation: .always))
        #expect(opened.changes.count == 3 && steps(folder) == [2, 3])
    }

    /// What the log lacks, the checkpoint has, also of a run that is finished.
    @Test func theLogIsCompletedFromTheCheckpoint() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        let whole = try fixture.train(fixture.configuration("whole", steps: 4))
        try fixture.train(fixture.configuration("run", steps: 4))
        let folder = path(fixture, "run")
        let last = RunFolder(folder).checkpointPath(step: 4)
        // As if the log's disk had been full from the third step on.
        var state = try RunCheckpoint(path: last)
        let lines = try MetricLog.read(folder + "/metrics.jsonl")
        state.metrics = Array(lines[2...])
        try state.write(to: last)
        try Data(lines[..<2].map { $0.json + "\n" }.joined().utf8).write(
            to: URL(filePath: folder + "/metrics.jsonl"))
        let opened = try OpenedRun(RunRequest(folder, continuation: .always))
        #expect(opened.isFinished)
        try opened.completeMetrics()
        #expect(try losses(folder) == whole.map(\.loss))
    }

    @Test func checkpointsComeByTimeToo() throws {
        let fixture = try TrainingFixture()
        defer { fixture.remove() }
        try fixture.train(
            fixture.configuration("often", steps: 3) {
                $0.output.checkpointEvery = 0
                $0.output.checkpointMinutes = 1e-9
                $0.output.keepCheckpoints = 0
            })
        #expect(steps(path(fixture, "often")) == [1, 2, 3])
        try fixture.train(
            fixture.configuration("never", steps: 3) {
                $0.output.checkpointEvery = 0
                $0.output.checkpointMinutes = 0
                $0.output.keepCheckpoints = 0
            })
        #expect(steps(path(fixture, "never")) == [3])
    }
}
