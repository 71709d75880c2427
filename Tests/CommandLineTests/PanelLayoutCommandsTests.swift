import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Stacked diptychs as a user trains, exports, converts and edits with them.
@Suite(.serialized) struct PanelLayoutCommandsTests {
    private let folder: URL
    private let base = Fixtures.path("tiny-random-fill")
    private let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }
    private func remove() { try? FileManager.default.removeItem(at: folder) }
    private var data: String { checkout.appending(path: "Datasets/photo-edits").path }

    private func edit(_ more: [String]) throws -> Program.Result {
        try Program.run(
            [
                "edit", "--base", base, "--image", Fixtures.path("source.png"), "--instruction", "make it blue",
                "--steps", "1", "--panel-width", "32", "--max-sequence-length", "8", "-o", path("out.png"),
            ] + more)
    }

    @Test func anAdapterKnowsItsPanelLayout() throws {
        defer { remove() }
        let settings = [
            "base.path=\(base)", "data.path=\(data)", "data.panel_width=32", "data.panel_height=32",
            "data.panel_layout=stacked", "data.max_sequence_length=16", "training.batch_size=1",
            "schedule.warmup_steps=0", "training.steps=2", "output.folder=\(path("run"))",
        ]
        let run = try Program.run(
            ["train", checkout.appending(path: "Configs/demo.yaml").path] + settings.flatMap { ["--set", $0] })
        #expect(run.status == 0, "\(run.error)")
        let file = path("adapter.safetensors")
        #expect(try Program.run(["export", path("run"), "--format", "icedit", "-o", file]).status == 0)
        let metadata = try SafetensorsFile(path: file).metadata
        #expect(metadata["diptych.arrangement"] == "stacked")
        #expect(metadata["diptych.trigger"]?.hasPrefix("A diptych with two vertically stacked images") == true)

        let plain = path("static.safetensors")
        let made = try Program.run([
            "flatten-moe", path("run"), "--base", base, "--data", data, "--samples", "2", "--held-out", "1", "--rank",
            "4",
            "--panel-width", "32", "--panel-height", "32", "--max-sequence-length", "16", "-o", plain,
        ])
        #expect(made.status == 0 && made.error.contains("note: --panel-layout stacked, as the adapter was trained\n"))
        #expect(try SafetensorsFile(path: plain).metadata["diptych.arrangement"] == "stacked")

        for adapter in [file, path("run"), plain] {
            let edited = try edit(["--adapter", adapter, "--save-diptych", path("both.png")])
            #expect(edited.status == 0, "\(edited.error)")
            #expect(edited.error.contains("note: --panel-layout stacked, as the adapter was trained\n"))
            #expect(edited.output.contains("out.png: 32 x 32\n") && edited.output.contains("both.png: 32 x 64\n"))
        }
        let beside = try edit(["--adapter", file, "--panel-layout", "beside", "--save-diptych", path("both.png")])
        #expect(beside.output.contains("both.png: 64 x 32\n") && !beside.error.contains("as the adapter"))
        // A word that is none is not passed over.
        let tensors = try SafetensorsFile(path: file)
        var header = tensors.metadata
        header["diptych.arrangement"] = "sideways"
        try SafetensorsFile.write(
            tensors.names.map { ($0, try tensors.tensor($0)) }, metadata: header, to: path("odd.safetensors"))
        let odd = try edit(["--adapter", path("odd.safetensors")])
        #expect(odd.status == 1)
        #expect(
            odd.error.hasSuffix(
                "odd.safetensors: diptych.arrangement: expected beside, stacked or auto, found 'sideways'\n"),
            "\(odd.error)")
    }

    @Test func picturesAreArrangedByTheirProportions() throws {
        defer { remove() }
        // 48 x 24 is cut down to 48 x 16.
        for (name, width, height, canvas) in [("wide", 64, 32, "48 x 32"), ("tall", 32, 64, "96 x 96")] {
            let picture = path("\(name).png")
            try Image(width: width, height: height, color: [90, 120, 30]).write(to: picture)
            let edited = try edit([
                "--image", picture, "--panel-width", "48", "--panel-layout", "auto", "--save-diptych", path("both.png"),
            ])
            #expect(edited.status == 0, "\(edited.error)")
            #expect(edited.output.contains("both.png: \(canvas)\n"), "\(edited.output)")
        }
        let plans = try ["beside", "stacked"].map { try edit(["--panel-layout", $0, "--dry-run"]) }
        #expect(plans.allSatisfy { $0.status == 0 && $0.error.contains("sampling") })
        // What is lost of the prompts depends on their words.
        let needs = plans.map { $0.error.split(separator: "\n").filter { !$0.hasPrefix("note: ") } }
        #expect(needs[0] == needs[1] && !needs[0].isEmpty, "as many tokens and pixels")
        let wrong = try edit(["--panel-layout", "stakced"])
        #expect(wrong.status == 2 && wrong.error.contains("'stakced'") && wrong.error.contains("'stacked'"))
    }
}
