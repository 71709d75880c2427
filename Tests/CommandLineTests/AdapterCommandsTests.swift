import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Adapters between programs, as a user moves them: a trained mixture becomes a plain LoRA, that a file of each layout, and
/// a part of the base.
@Suite(.serialized) struct AdapterCommandsTests {
    private let folder: URL
    private let base = Fixtures.path("tiny-random-fill")
    private let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }
    private func remove() { try? FileManager.default.removeItem(at: folder) }

    private func edit(_ more: [String]) throws -> Program.Result {
        try Program.run(
            [
                "edit", "--base", base, "--image", Fixtures.path("source.png"), "--instruction", "make it blue",
                "--steps", "1", "--panel-width", "32", "--max-sequence-length", "8",
            ] + more)
    }

    @Test func fromAMixtureToEveryProgram() throws {
        defer { remove() }
        let data = checkout.appending(path: "Datasets/photo-edits").path
        let settings = [
            "base.path=\(base)", "data.path=\(data)", "data.panel_width=32", "data.panel_height=32",
            "data.max_sequence_length=16", "training.batch_size=1", "schedule.warmup_steps=0", "training.steps=2",
            "output.folder=\(path("run"))",
        ]
        let run = try Program.run(
            ["train", checkout.appending(path: "Configs/demo.yaml").path] + settings.flatMap { ["--set", $0] })
        #expect(run.status == 0, "\(run.error)")
        let refused = try Program.run(["export", path("run"), "--format", "kohya", "-o", path("moe.safetensors")])
        #expect(refused.status == 1 && refused.error.contains("diptych flatten-moe"), "\(refused.error)")
        // The default layout refuses too, and leaves nothing.
        let silent = try Program.run(["export", path("run"), "-o", path("moe.safetensors")])
        #expect(silent.status == 1 && silent.error.contains("'icedit' and 'diptych' can"), "\(silent.error)")
        #expect(!FileManager.default.fileExists(atPath: path("moe.safetensors")))

        let convert = [
            "flatten-moe", path("run"), "--base", base, "--data", data, "--samples", "2", "--held-out", "1", "--rank",
            "4",
            "--panel-width", "32", "--panel-height", "32", "--max-sequence-length", "16", "--format", "kohya",
        ]
        let made = try Program.run(convert + ["-o", path("kohya.safetensors")])
        #expect(made.status == 0, "\(made.error)")
        #expect(made.output.contains("least-squares") && made.output.contains("written"), "\(made.output)")
        let file = try SafetensorsFile(path: path("kohya.safetensors"))
        #expect(file.metadata["diptych.static"]?.contains("rank 4") == true)
        #expect(file.metadata["ss_base_model_version"] == "flux1" && file.metadata["diptych.steps"] == "2")
        #expect(file.metadata["modelspec.trigger_phrase"]?.hasPrefix("A diptych with two side-by-side images") == true)
        let again = try Program.run(convert + ["-o", path("again.safetensors")])
        #expect(again.status == 0)
        #expect(
            try Data(contentsOf: URL(filePath: path("again.safetensors"))).count
                == Data(contentsOf: URL(filePath: path("kohya.safetensors"))).count)
        for name in file.names {
            #expect(
                try SafetensorsFile(path: path("again.safetensors")).tensor(name).floats == file.tensor(name).floats)
        }

        let inspected = try Program.run(["inspect", path("kohya.safetensors"), "--limit", "1"])
        #expect(inspected.output.contains("layout of kohya sd-scripts: "), "\(inspected.output)")
        for format in ["diffusers", "comfyui", "icedit"] {
            let exported = try Program.run(
                [
                    "export", path("kohya.safetensors"), "--base", base, "--format", format, "-o",
                    path("\(format).safetensors"),
                ])
            #expect(exported.status == 0, "\(exported.error)")
            #expect(try edit(["--adapter", path("\(format).safetensors"), "-o", path("\(format).png")]).status == 0)
        }
        #expect(try edit(["--adapter", path("kohya.safetensors"), "-o", path("kohya.png")]).status == 0)
        let pixels = try Image(contentsOf: path("kohya.png")).pixels
        for format in ["diffusers", "comfyui"] {
            #expect(try Image(contentsOf: path("\(format).png")).pixels == pixels)
        }

        // Half of it twice is all of it, up to rounding.
        let twice = try edit([
            "--adapter", path("kohya.safetensors") + ":0.5", "--adapter", path("diffusers.safetensors") + ":0.5", "-o",
            path("twice.png"),
        ])
        #expect(twice.status == 0, "\(twice.error)")
        let differences = zip(try Image(contentsOf: path("twice.png")).pixels, pixels).map { abs(Int($0) - Int($1)) }
        #expect(differences.max() ?? 9 <= 1)

        let merged = try Program.run([
            "merge", "--base", base, "--adapter", path("kohya.safetensors") + ":1", "-o", path("merged.safetensors"),
        ])
        #expect(merged.status == 0 && merged.output.contains("tensors changed by"), "\(merged.error)")
        #expect(try edit(["--transformer", path("merged.safetensors"), "-o", path("merged.png")]).status == 0)
        let mixture = try Program.run(["export", path("run"), "--format", "icedit", "-o", path("moe.safetensors")])
        #expect(mixture.status == 0)
        let unmerged = try Program.run([
            "merge", "--base", base, "--adapter", path("moe.safetensors"), "-o", path("none.safetensors"),
        ])
        #expect(unmerged.status == 1 && unmerged.error.contains("expected a static LoRA"), "\(unmerged.error)")
        #expect(!FileManager.default.fileExists(atPath: path("none.safetensors")))
        let plain = try Program.run(
            ["static", path("kohya.safetensors")] + convert.dropFirst(2) + ["-o", path("x.safetensors")])
        #expect(plain.status == 1 && plain.error.contains("expected mixtures of experts"), "\(plain.error)")
        #expect(plain.error.contains("note: 'diptych static' is called 'diptych flatten-moe' now\n"), "\(plain.error)")
    }

    /// Numbers that overflow end an edit without a picture, and the line names whose they are.
    @Test func anAdapterThatOverflows() throws {
        defer { remove() }
        try SafetensorsFile.write(
            [
                ("transformer.proj_out.lora_A.weight", Tensor(full: [1, 96], 1e25)),
                ("transformer.proj_out.lora_B.weight", Tensor(full: [64, 1], 1e25)),
            ], to: path("huge.safetensors"))
        let edited = try edit(["--adapter", path("huge.safetensors"), "-o", path("black.png")])
        #expect(edited.status == 1 && edited.output.isEmpty, "\(edited.error)")
        #expect(
            edited.error.contains("error: \(path("huge.safetensors")): expected finite numbers for the velocity"),
            "\(edited.error)")
        #expect(!FileManager.default.fileExists(atPath: path("black.png")))
        let merged = try Program.run([
            "merge", "--base", base, "--adapter", path("huge.safetensors"), "-o", path("merged.safetensors"),
        ])
        #expect(merged.status == 1, "\(merged.error)")
        #expect(
            merged.error.hasPrefix("error: \(path("huge.safetensors")): proj_out.weight: expected"), "\(merged.error)")
    }
}
