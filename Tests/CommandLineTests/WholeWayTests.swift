import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Pairs, a run, its export and an edit, as a user makes them, on the tiny pipeline.
@Suite(.serialized) struct WholeWayTests {
    private let folder: URL
    private let base = Fixtures.path("tiny-random-fill")
    private let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }
    private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
    private func remove() { try? FileManager.default.removeItem(at: folder) }

    private func train(_ more: [String] = [], steps: Int = 2) throws -> Program.Result {
        let settings = [
            "base.path=\(base)", "data.path=\(checkout.appending(path: "Datasets/photo-edits").path)",
            "data.panel_width=32", "data.panel_height=32", "data.max_sequence_length=16", "training.batch_size=1",
            "schedule.warmup_steps=0", "training.steps=\(steps)", "output.folder=\(path("my run"))",
        ]
        return try Program.run(
            ["train", checkout.appending(path: "Configs/demo.yaml").path] + settings.flatMap { ["--set", $0] } + more)
    }

    private func edit(_ more: [String]) throws -> Program.Result {
        try Program.run(
            [
                "edit", "--base", base, "--image", Fixtures.path("source.png"), "--instruction", "make it ☃ blue",
                "--steps", "1", "--panel-width", "32", "--max-sequence-length", "8",
            ] + more)
    }

    @Test func fromPairsToAnEdit() throws {
        defer { remove() }
        let photos = checkout.appending(path: "Datasets/photos").path
        let pairs = try Program.run(
            ["data", "photo-edits", "--photos", photos, "--count", "3", "--size", "32", "--out", path("pairs")])
        #expect(pairs.status == 0 && pairs.error.isEmpty, "\(pairs.error)")
        #expect(try Program.run(["inspect", path("pairs")]).output.hasPrefix("dataset, 3 pairs\n"))

        let run = try train(["--set", "data.path=\(path("pairs"))"])
        #expect(run.status == 0, "\(run.error)")
        #expect(run.output.contains("routing of the last step") && run.output.contains("step-00000002.h5"))
        // The progress names the load balance.
        #expect(run.error.contains("step 2/2  loss ") && run.error.contains("  balance "), "\(run.error)")

        let resumed = try Program.run(["train", path("my run"), "--resume", "--set", "training.steps=3"])
        #expect(resumed.status == 0 && resumed.output.contains("resuming   after step 2"), "\(resumed.error)")
        let finished = try Program.run(["train", path("my run"), "--resume"])
        #expect(finished.status == 0 && finished.error.isEmpty)
        #expect(finished.output.hasPrefix("finished   all 3 steps are done"), "\(finished.output)")

        let inspected = try Program.run(["inspect", path("my run"), "--limit", "1"])
        #expect(inspected.status == 0 && inspected.output.contains("  step 3, "), "\(inspected.output)")
        let file = path("adapter ü.safetensors")
        let exported = try Program.run(["export", path("my run"), "--format", "icedit", "-o", file])
        #expect(exported.status == 0 && exported.output.contains("step 3\n"), "\(exported.error)")
        #expect(try Program.run(["inspect", file]).output.contains("5 mixtures of 4 experts"))

        for adapter in [file, path("my run"), path("my run/checkpoints/step-00000003.h5")] {
            let edited = try edit(
                ["--adapter", adapter, "--strength", "-1", "-o", path("out.png"), "--save-diptych", path("both.jpg")])
            #expect(edited.status == 0, "\(edited.error)")
            #expect(edited.output.contains("out.png: 32 x 32\n") && edited.output.contains("both.jpg: 64 x 32\n"))
            #expect(try Image(contentsOf: path("out.png")).width == 32)
        }
        // Strength 0 is the base alone.
        #expect(try edit(["--adapter", file, "--strength", "0", "-o", path("zero.png")]).status == 0)
        #expect(try edit(["-o", path("base.png")]).status == 0)
        #expect(try Image(contentsOf: path("zero.png")).pixels == Image(contentsOf: path("base.png")).pixels)
    }

    @Test(arguments: [
        (["--steps", "0"], "--steps: expected 1 to 1000, found 0"),
        (["--threads", "-1"], "--threads: expected 0 or more, found -1"),
        (["--strength", "nan"], "--strength: expected a number, found nan"),
        (["--guidance", "-5"], "--guidance: expected a number of 0 or more, found -5.0"),
        (["--panel-width", "50"], "--panel-width: expected a multiple of 16 from 16 to 8192, found 50"),
        (["--max-sequence-length", "100000"], "--max-sequence-length: expected 1 to 512, found 100000"),
        (["--instruction", " "], "--instruction: expected some text, found none"),
        (["--output", "out.gif"], "--output: expected a name that ends in .png, .jpg or .jpeg, found 'out.gif'"),
        (["--save-diptych", "out.png"], "--save-diptych: expected another file than --output, found 'out.png' twice"),
        (["--instrction", "x"], "Unknown option '--instrction'. Did you mean '--instruction'?"),
    ])
    func wrongEditOptionsAreStatus2(options: [String], line: String) throws {
        defer { remove() }
        let result = try edit(["-o", "out.png"] + options)
        #expect(result.status == 2 && result.output.isEmpty)
        #expect(result.error.hasPrefix("error: \(line)\n"), "\(result.error)")
    }

    @Test func editsThatFailLeaveNothing() throws {
        defer { remove() }
        try Data("no image".utf8).write(to: folder.appending(path: "text.png"))
        let cases: [(options: [String], line: String)] = [
            (["--image", path("none.png")], "none.png: expected an image file that can be read, found no such file"),
            (["--image", path("text.png")], "text.png: expected a PNG, JPEG or WebP image"),
            (["--image", folder.path], "expected an image file that can be read, found a folder"),
            (["--base", folder.path], "expected the folder of a diffusers pipeline with model_index.json"),
            (["-o", path("none/out.png")], "none/out.png: expected a folder that can be written"),
            (["--adapter", path("none.safetensors")], "none.safetensors: expected a readable safetensors file"),
            (["--adapter", folder.path], "expected a run's folder with checkpoints/step-….h5"),
            (
                ["--adapter", base + "/vae/diffusion_pytorch_model.safetensors"],
                "expected '{layer}.' and one of lora_A.weight, lora_B.weight"
            ),
        ]
        for (options, line) in cases {
            let result = try edit(["-o", path("out.png")] + options)
            #expect(result.status == 1 && result.output.isEmpty)
            #expect(result.error.hasPrefix("error: ") && result.error.contains(line), "\(result.error)")
            #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["text.png"])
    }

    @Test func trainingFaults() throws {
        defer { remove() }
        let cases: [(options: [String], status: Int32, line: String)] = [
            (["--set", "training.batch_size=9223372036854775807"], 1, "expected integer, 1 to 65536"),
            (["--set", "data.panel_width=50"], 1, "data.panel_width: expected integer, a multiple of 16"),
            (
                ["--set", "data.path=nowhere"], 1,
                "or pictures NAME.source.png, found no such file or folder: nowhere"
            ),
            (["--set", "adapter.moe.targets=[nothing]"], 1, "nothing"),
            (["--resume"], 1, "my run: expected a run's folder or a checkpoint, found no such file"),
            (["--resme"], 2, "Unknown option '--resme'. Did you mean '--resume'?"),
        ]
        for (options, status, line) in cases {
            let result = try train(options)
            #expect(result.status == status && result.output.isEmpty, "\(result.output)")
            #expect(result.error.hasPrefix("error: ") && result.error.contains(line), "\(result.error)")
            #expect(!exists("my run"))
        }
        #expect(try Program.run(["train", path("my run")]).status == 2)
    }

    @Test func otherCommandsFaults() throws {
        defer { remove() }
        #expect(mkfifo(path("pipe"), 0o600) == 0)
        let cases: [(arguments: [String], status: Int32, line: String)] = [
            (
                ["export", path("none"), "-o", path("x.safetensors")], 1,
                "none: expected a run's folder or a checkpoint"
            ),
            (["export", base, "-o", path("x.safetensors")], 1, "found a folder without checkpoints"),
            (["export", base, "-o", path("x.bin")], 2, "--output: expected a name that ends in .safetensors"),
            (["export", base, "--format", "pfet", "-o", path("x.safetensors")], 2, "'pfet'"),
            (["inspect", path("none")], 1, "none: expected a file or a folder, found nothing of that name"),
            (["inspect", path("pipe")], 1, "pipe: expected a file or a folder, found a device or pipe"),
            (["inspect", folder.path], 1, "expected a pipeline folder, a run, a dataset or a folder of safetensors"),
            (["inspect", base, "--limit", "-1"], 2, "--limit: expected 0 or more, found -1"),
            (["data", "photo-edts"], 2, "Unknown subcommand 'photo-edts'. Did you mean 'photo-edits'?"),
            (["help", "trian"], 2, "Unknown subcommand 'trian'. Did you mean 'train'?"),
            (["data", "photo-edits", "--cuont", "3"], 2, "Did you mean '--count'?"),
            (
                ["data", "photo-edits", "--photos", path("none"), "--count", "1", "--out", path("out")], 1,
                "none: expected a folder of photographs, found no such folder"
            ),
        ]
        for (arguments, status, line) in cases {
            let result = try Program.run(arguments)
            #expect(result.status == status && result.output.isEmpty, "\(arguments): \(result.output)")
            #expect(result.error.hasPrefix("error: ") && result.error.contains(line), "\(result.error)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["pipe"])
    }

    @Test func malformedTensorsAreNoCrash() throws {
        defer { remove() }
        let file = path("scalar.safetensors")
        try SafetensorsFile.write(
            [("transformer.x_embedder.lora_A.weight", Tensor(1)), ("hidden_states", Tensor(2))], metadata: [:], to: file
        )
        let inspected = try Program.run(["inspect", file])
        #expect(inspected.status == 0 && inspected.output.hasPrefix("adapter, safetensors, 2 tensors"))
        let velocity = try Program.run(["velocity", "--base", base, "--inputs", file, "-o", path("v.safetensors")])
        #expect(velocity.status == 1 && !exists("v.safetensors"))
        #expect(velocity.error.contains("hidden_states: expected float32 [any, any, 384], found float32 []"))
    }
}
