import Foundation
import TensorIO
import TestSupport
import Testing

/// What commands do to their inputs, to signals and to readers that have gone.
@Suite(.serialized) struct OutputCommandsTests {
    private let folder: URL
    private let demo = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Configs/demo.yaml").path

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }
    private func remove() { try? FileManager.default.removeItem(at: folder) }

    private func settings(_ run: String) -> [String] {
        [
            "base.path=\(path("base"))", "data.path=\(path("pairs"))", "data.panel_width=32", "data.panel_height=32",
            "data.max_sequence_length=16", "training.batch_size=1", "schedule.warmup_steps=0", "training.steps=2",
            "output.folder=\(path(run))", "adapter.moe=null",
        ].flatMap { ["--set", $0] }
    }

    /// A base, a dataset and a run of the test's own.
    private func prepare() throws {
        try FileManager.default.copyItem(atPath: Fixtures.path("tiny-random-fill"), toPath: path("base"))
        let pairs = Fixtures.folder.appending(path: "../../Datasets/photo-edits").standardizedFileURL.path
        try FileManager.default.copyItem(atPath: pairs, toPath: path("pairs"))
        let run = try Program.run(["train", demo] + settings("run"))
        #expect(run.status == 0, "\(run.error)")
        let export = try Program.run(["export", path("run"), "-o", path("lora.safetensors")])
        #expect(export.status == 0, "\(export.error)")
    }

    /// Every file by its path, links as such.
    private func contents() throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            files[name] = try? Data(contentsOf: folder.appending(path: name))
        }
        return files
    }

    @Test func noCommandWritesOverItsInputs() throws {
        defer { remove() }
        try prepare()
        let weights = "base/transformer/diffusion_pytorch_model.safetensors"
        let files = FileManager.default
        try files.createSymbolicLink(atPath: path("soft.safetensors"), withDestinationPath: path(weights))
        try files.createSymbolicLink(atPath: path("soft.gguf"), withDestinationPath: path(weights))
        try files.linkItem(atPath: path(weights), toPath: path("hard.safetensors"))
        try files.createSymbolicLink(
            atPath: path("sheet.png"), withDestinationPath: path("pairs/source/000003.jpg"))
        try files.copyItem(atPath: path("pairs/source/000001.jpg"), toPath: path("cat.jpg"))
        try files.linkItem(atPath: path("cat.jpg"), toPath: path("other.jpg"))
        try files.createSymbolicLink(
            atPath: path("step.safetensors"), withDestinationPath: path("run/checkpoints/step-00000002.h5"))
        let before = try contents()

        let merge = ["merge", "--base", path("base"), "--adapter", path("lora.safetensors"), "-o"]
        let edit = ["edit", "--base", path("base"), "--image", path("cat.jpg"), "--instruction", "bluer"]
        let convert = ["flatten-moe", path("run"), "--base", path("base"), "--data", path("pairs"), "-o"]
        for (words, option) in [
            (merge + [path(weights)], "--output"), (merge + [path("base/./transformer/new.safetensors")], "--output"),
            (merge + [path("soft.safetensors")], "--output"), (merge + [path("hard.safetensors")], "--output"),
            (merge + [path("lora.safetensors")], "--output"),
            (
                [
                    "merge", "--base", path(weights), "--adapter", path("lora.safetensors"), "-o",
                    path("hard.safetensors"),
                ],
                "--output"
            ),
            (["quantize", path("base"), path("soft.gguf"), "--type", "q8_0"], "--output"),
            (["quantize", path("base"), path("base/transformer/new.gguf"), "--type", "q8_0"], "--output"),
            (["export", path("lora.safetensors"), "--format", "kohya", "-o", path("./lora.safetensors")], "--output"),
            (["export", path("run"), "-o", path("step.safetensors")], "--output"),
            (["export", path("run"), "--base", path("base"), "-o", path("hard.safetensors")], "--output"),
            (convert + [path("soft.safetensors")], "--output"),
            (edit + ["-o", path("other.jpg")], "--output"),
            (edit + ["-o", path("new.png"), "--save-diptych", path("cat.jpg")], "--save-diptych"),
            (edit + ["-o", path("new.png"), "--save-diptych", path("pairs/../new.png")], "--save-diptych"),
            (["data", "preview", path("pairs"), "--out", path("sheet.png")], "--output"),
            (["data", "preview", path("pairs"), "--out", path("pairs/target/000000.jpg")], "--output"),
        ] {
            let result = try Program.run(words)
            #expect(result.status == 1, "\(words)")
            #expect(result.error.contains(": \(option): expected another file than "), "\(words): \(result.error)")
            #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
        }
        let random = try Program.run(
            [
                "random-base", "--out", path("base"), "--size", "medium", "--tokenizers",
                Fixtures.path("tiny-random-fill"),
            ])
        #expect(random.status == 1 && random.error.contains("tokenizer"), "\(random.error)")
        #expect(try contents() == before)
    }

    @Test func aFinishedRunIsSaidToBe() throws {
        defer { remove() }
        try prepare()
        let before = try contents()
        let done = try Program.run(["train", path("run"), "--resume"])
        #expect(done.status == 0 && done.error.isEmpty, "\(done.error)")
        #expect(done.output.hasPrefix("finished   all 2 steps are done"), "\(done.output)")
        #expect(try contents() == before)
        let dry = try Program.run(["train", demo, "--dry-run"] + settings("run"))
        #expect(dry.status == 0 && (dry.output + dry.error).contains("memory"), "\(dry.error)")
        #expect(try contents() == before)
        let both = try Program.run(["train", path("run"), "--resume", "--resume-if-there"])
        #expect(both.status == 2)
        let neither = try Program.run(["train", path("run")])
        #expect(neither.status == 2 && neither.error.contains("add --resume"))
        let more = try Program.run(["train", path("run"), "--resume-if-there", "--set", "training.steps=3"])
        #expect(
            more.status == 0 && more.output.contains("changed    training.steps: '3', before '2'"), "\(more.output)")
    }

    /// `diptych train … 2>&1 | true`: nobody reads what it says.
    @Test func aRunOutlivesItsReader() throws {
        defer { remove() }
        try prepare()
        guard let program = Program.path else { throw Program.NotBuilt() }
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = ["train", demo] + settings("alone")
        let (output, error) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = error
        try process.run()
        try output.fileHandleForReading.close()
        try error.fileHandleForReading.close()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        #expect(FileManager.default.fileExists(atPath: path("alone/checkpoints/step-00000002.h5")))
    }
}
