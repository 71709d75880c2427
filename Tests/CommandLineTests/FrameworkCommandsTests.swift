import Foundation
import TensorIO
import TestSupport
import Testing

/// A Kontext base as a user trains, exports and edits with it.
@Suite(.serialized) struct FrameworkCommandsTests {
    private let folder: URL
    private let base: String
    private let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    init() throws {
        folder = try Fixtures.scratchFolder()
        base = try KontextBase.write(into: folder)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func edit(_ more: [String]) throws -> Program.Result {
        try Program.run(
            [
                "edit", "--image", Fixtures.path("source.png"), "--instruction", "make it blue", "--steps", "1",
                "--panel-width", "32", "--max-sequence-length", "8", "-o", path("out.png"),
            ] + more)
    }

    @Test func aKontextBaseIsTrainedBesideAndEditedWith() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let settings = [
            "base.path=\(base)", "base.framework=kontext", "data.prompt_form=direct", "data.panel_width=32",
            "data.path=\(checkout.appending(path: "Datasets/photo-edits").path)", "data.panel_height=32",
            "data.max_sequence_length=16", "training.batch_size=1", "schedule.warmup_steps=0", "training.steps=2",
            "output.folder=\(path("run"))",
        ]
        let run = try Program.run(
            ["train", checkout.appending(path: "Configs/demo.yaml").path] + settings.flatMap { ["--set", $0] })
        #expect(run.status == 0, "\(run.error)")
        let file = path("adapter.safetensors")
        let export = try Program.run(["export", path("run"), "--format", "icedit", "-o", file])
        #expect(export.status == 0, "\(export.error)")
        // No sentence triggers it.
        let metadata = try SafetensorsFile(path: file).metadata
        #expect(metadata["diptych.framework"] == "kontext" && metadata["diptych.trigger"] == nil)

        // The folder's class tells the framework; the source lies beside its edit in the diptych that is kept.
        let edited = try edit(["--base", base, "--adapter", file, "--save-diptych", path("both.png")])
        #expect(edited.status == 0, "\(edited.error)")
        #expect(edited.output.contains("out.png: 32 x 32\n") && edited.output.contains("both.png: 64 x 32\n"))

        let form = try edit(["--base", base, "--prompt-form", "in_context"])
        #expect(form.status == 2)
        #expect(
            form.error.contains("--prompt-form: expected direct with the framework kontext, found in_context"),
            "\(form.error)")
        let wrong = try edit(["--base", Fixtures.path("tiny-random-fill"), "--framework", "kontext"])
        #expect(wrong.status == 1)
        #expect(wrong.error.contains("expected 64 input channels for a Kontext model"), "\(wrong.error)")
        let unknown = try edit(["--base", base, "--framework", "contekst"])
        #expect(unknown.status == 2 && unknown.error.contains("'contekst'"), "\(unknown.error)")
    }
}
