import Foundation
import TestSupport
import Testing

/// Encoding a dataset and training from the cache, as a user does it.
@Suite(.serialized) struct CacheCommandsTests {
    private let folder: URL
    private let demo = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Configs/demo.yaml").path

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func settings(_ more: String...) -> [String] {
        [
            "base.path=\(Fixtures.path("tiny-random-fill"))", "data.path=\(path("scenes"))", "data.panel_width=32",
            "data.panel_height=32", "data.max_sequence_length=16", "training.batch_size=1", "schedule.warmup_steps=0",
            "training.steps=3", "output.folder=\(path("run"))",
        ].flatMap { ["--set", $0] } + more.flatMap { ["--set", $0] }
    }

    private func withoutNotes(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.hasPrefix("note: ") }.map { $0 + "\n" }.joined()
    }

    @Test func encodeAndTrain() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let made = try Program.run(["data", "scenes", "--count", "12", "--out", path("scenes")])
        #expect(made.status == 0, "\(made.error)")
        let encode = ["data", "encode", "--config", demo] + settings("data.cache=\(path("cache"))")
        let none = try Program.run(["data", "encode", "--config", demo] + settings())
        #expect(none.status == 1 && none.error.contains("data.cache: expected a folder for the cache"), "\(none.error)")

        let early = try Program.run(["train", demo] + settings("data.cache=\(path("cache"))"))
        #expect(early.status == 1)
        #expect(
            early.error == "error: \(path("cache")): expected a cache (diptych data encode makes it), found nothing\n")

        let encoded = try Program.run(encode)
        #expect(encoded.status == 0 && encoded.output.hasPrefix("12 pairs encoded in"))
        #expect(withoutNotes(encoded.error).isEmpty && encoded.error.contains("note: T5 reads the first 16 tokens of "))
        let run = try Program.run(["train", demo] + settings("data.cache=\(path("cache"))"))
        #expect(run.status == 0 && run.output.contains("12 pairs, encoded in \(path("cache"))"), "\(run.error)")
        #expect(run.output.contains("waited for data: "))

        // A byte of the cache changes.
        let file = URL(filePath: path("cache/pairs-32x32-00000.h5"))
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 100] ^= 1
        try bytes.write(to: file)
        let check = try Program.run(["data", "check", path("cache")])
        #expect(check.status == 1 && check.output.hasPrefix("\(path("cache")): a cache of 12 pairs and 13 prompts"))
        #expect(check.error.hasPrefix("error: \(file.path): pair "), "\(check.error)")
        let mended = try Program.run(encode)
        #expect(mended.status == 0 && mended.output.contains(", what was damaged encoded anew: "), "\(mended.output)")
        #expect(withoutNotes(mended.error) == check.error.replacing("error: ", with: "damaged: "))
        #expect(try Program.run(["data", "check", path("cache")]).status == 0)

        let stale = try Program.run(encode + ["--set", "data.max_sequence_length=24"])
        #expect(stale.status == 1)
        #expect(
            withoutNotes(stale.error)
                == "error: \(path("cache")): max_sequence_length: expected 24 as data.max_sequence_length has it now, found a "
                + "stale cache of 16 (diptych data encode --overwrite makes it anew)\n")
        let again = try Program.run(encode + ["--set", "data.max_sequence_length=24", "--overwrite"])
        #expect(again.status == 0, "\(again.error)")
        let augmented = try Program.run(encode + ["--set", "data.mirror=0.5"])
        #expect(augmented.status == 1 && augmented.error.contains("data.mirror: expected 0 with data.cache"))
    }

    @Test func namesOfColumnsAreChecked() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let result = try Program.run(["data", "check", "x", "--column", "sorce=a"])
        #expect(
            result.status == 2 && result.error.contains("found 'sorce' (did you mean 'source'?)"), "\(result.error)")
    }

    @Test func datasetsForEvaluation() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let made = try Program.run(["data", "scenes", "--count", "2", "--out", path("scenes")])
        #expect(made.status == 0, "\(made.error)")
        let photos = Fixtures.folder.appending(path: "../../Datasets/photo-edits").standardizedFileURL.path
        let list = try String(contentsOfFile: photos + "/metadata.jsonl", encoding: .utf8)
        let benchmark = path("benchmark")
        try FileManager.default.createDirectory(atPath: benchmark, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: photos) where name != "metadata.jsonl" {
            try FileManager.default.copyItem(atPath: photos + "/" + name, toPath: benchmark + "/" + name)
        }
        try Data(list.replacing(#""target":"#, with: #""wanted":"#).utf8).write(
            to: URL(filePath: benchmark + "/metadata.jsonl"))
        let check = try Program.run(["data", "check", benchmark, "--evaluation"])
        #expect(check.status == 0 && check.output.contains("26 pairs") && check.output.contains("\n0 with a target"))
        let preview = try Program.run(["data", "preview", benchmark, "--evaluation", "--out", path("sheet.png")])
        #expect(preview.status == 0, "\(preview.error)")
        let refused = try Program.run(["data", "check", benchmark])
        #expect(refused.status == 1 && refused.error.contains("in every pair, found none in 26: for evaluation only"))
        let training = try Program.run(["train", demo] + settings("data.also=[{path: \(benchmark)}]"))
        #expect(training.status == 1 && training.error.split(separator: "\n").count == 1, "\(training.error)")
        #expect(training.error.contains("for evaluation only"))
    }
}
