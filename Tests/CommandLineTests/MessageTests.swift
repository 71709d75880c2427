import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Files that are something else than they should be: the line says what they are.
@Suite(.serialized) struct MessageTests {
    private let folder: URL
    private let base = Fixtures.path("tiny-random-fill")
    private static let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 134\n"
    private static let page = "\n<!DOCTYPE html>\n<html><body>404</body></html>\n"
    private static let lfs = "a Git LFS pointer instead of the file ('git lfs pull' fetches it)"
    private static let html = "a web page (HTML) instead of the file"

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }
    private func remove() { try? FileManager.default.removeItem(at: folder) }

    private func write(_ text: String, _ name: String) throws -> String {
        try FileManager.default.createDirectory(
            at: folder.appending(path: name).deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: folder.appending(path: name))
        return path(name)
    }

    private func edit(_ more: [String]) throws -> Program.Result {
        try Program.run(
            [
                "edit", "--base", base, "--image", Fixtures.path("source.png"), "--instruction", "make it blue",
                "--steps", "1", "--panel-width", "32", "--max-sequence-length", "8", "-q", "-o", path("out.png"),
            ] + more)
    }

    private func error(_ result: Program.Result) -> String {
        #expect(result.status == 1 && result.output.isEmpty, "\(result.output)")
        return result.error
    }

    @Test func pointersAndPagesInThePlaceOfModels() throws {
        defer { remove() }
        for (text, found) in [(Self.pointer, Self.lfs), (Self.page, Self.html)] {
            let weights = try write(text, "w.safetensors")
            let quantised = try write(text, "w.gguf")
            let state = try write(text, "w.h5")
            let picture = try write(text, "w.png")
            let line = "error: \(weights): expected a safetensors file, found \(found)\n"
            #expect(try error(Program.run(["inspect", weights])) == line)
            #expect(try error(edit(["--adapter", weights])) == line)
            for model in [weights, quantised] {
                #expect(
                    try error(edit(["--transformer", model]))
                        == "error: \(model): expected a safetensors or GGUF file, found \(found)\n")
            }
            #expect(
                try error(edit(["--adapter", state])) == "error: \(state): expected an HDF5 file, found \(found)\n")
            #expect(
                try error(edit(["--image", picture]))
                    == "error: \(picture): expected a PNG, JPEG or WebP image, found \(found)\n")
            let shards = try write(text, "set/0.tar")
            #expect(
                try Program.run(["data", "check", path("set")]).error.contains(
                    "\(shards): expected a tar archive, found \(found)"))
        }
        try FileManager.default.copyItem(atPath: base, toPath: path("base"))
        let tokenizer = path("base/tokenizer/vocab.json")
        try FileManager.default.removeItem(atPath: tokenizer)
        try Data(Self.pointer.utf8).write(to: URL(filePath: tokenizer))
        #expect(
            try error(edit(["--base", path("base")]))
                == "error: \(tokenizer): expected a file, found \(Self.lfs)\n")
    }

    @Test func picturesAndTextsInThePlaceOfCheckpoints() throws {
        defer { remove() }
        let text = try write("just words\n", "notes.txt")
        let picture = Fixtures.path("source.png")
        for (adapter, found) in [
            (picture, "a PNG file"), (text, "text that begins with 'just words'"),
            (try write("{\"a\": 1}", "a.json"), "JSON that begins with '{\"a\": 1}'"),
        ] {
            #expect(
                try error(edit(["--adapter", adapter])) == "error: \(adapter): expected an HDF5 file, found \(found)\n")
        }
        let pickle = try write("PK\u{3}\u{4}\u{14}\u{0}\u{0}\u{0}\u{8}\u{8}", "model.safetensors")
        #expect(
            try error(Program.run(["inspect", pickle]))
                == "error: \(pickle): expected a safetensors file, found a ZIP archive, as PyTorch's .pt, .bin and .ckpt files are\n"
        )
    }

    @Test(arguments: ["abc", "", "0,8", "0.8x", "nan", "inf"])
    func aStrengthIsANumber(word: String) throws {
        defer { remove() }
        for command in [["edit"], ["merge"]] {
            let words =
                command == ["edit"]
                ? ["edit", "--base", base, "--image", "x.png", "--instruction", "x", "-o", "x.png"]
                : ["merge", "--base", base, "-o", "x.safetensors"]
            let result = try Program.run(words + ["--adapter", "a.safetensors:\(word)"])
            #expect(result.status == 2)
            #expect(
                result.error.hasPrefix(
                    "error: --adapter: expected a number behind the colon, a strength such as 0.8, found '\(word)' in 'a.safetensors:\(word)'\n"
                ), "\(result.error)")
        }
        // A file of that name is a file.
        let file = try write(Self.page, "a.safetensors:abc")
        #expect(
            try edit(["--adapter", file]).error.contains("a.safetensors:abc: expected an HDF5 file, found a web page"))
        #expect(
            try edit(["--adapter", path("b:c/none.safetensors")]).error.contains(
                "none.safetensors: expected a readable"))
    }

    @Test func aFolderAsAPicture() throws {
        defer { remove() }
        try FileManager.default.createDirectory(atPath: path("set/images/x"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: Fixtures.path("source.png"), toPath: path("set/b.png"))
        _ = try write(#"{"source": "images", "target": "b.png", "instruction": "x"}"# + "\n", "set/metadata.jsonl")
        let checked = try Program.run(["data", "check", path("set")])
        #expect(checked.status == 1 && checked.error.contains("source: expected "), "\(checked.error)")
        #expect(checked.error.contains("found a folder") && !checked.error.contains("NSCocoa"), "\(checked.error)")
        #expect(try error(edit(["--image", path("set")])).hasSuffix("found a folder\n"))
    }

    @Test func shardsWithoutTheirIndex() throws {
        defer { remove() }
        try FileManager.default.createDirectory(atPath: path("model"), withIntermediateDirectories: true)
        for number in [1, 3] {
            try SafetensorsFile.write(
                [("x\(number)", Tensor(zeros: [2]))], metadata: [:],
                to: path("model/diffusion-0000\(number)-of-00003.safetensors"))
        }
        #expect(
            try error(edit(["--transformer", path("model")]))
                == "error: \(path("model")): expected the index of the shards, diffusion.safetensors.index.json, found 2 of 3 shards without it\n"
        )
        let shard = path("model/diffusion-00001-of-00003.safetensors")
        #expect(
            try error(edit(["--transformer", shard]))
                == "error: \(shard): expected a model's only file, or the index of its shards (diffusion.safetensors.index.json, which is not beside it), found shard 1 of 3\n"
        )
        _ = try write("{}", "model/diffusion.safetensors.index.json")
        #expect(
            try error(edit(["--transformer", shard]))
                == "error: \(shard): expected the index of the shards, diffusion.safetensors.index.json, or their folder, found shard 1 of 3\n"
        )
        #expect(try Program.run(["inspect", shard]).output.contains("safetensors, 1 tensors"))
    }

    /// A setting is called what the user called it: a flag, or a key of the configuration.
    @Test func aBudgetIsCalledByTheNameThatSetIt() throws {
        defer { remove() }
        let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
        let train = [
            "train", checkout.appending(path: "Configs/demo.yaml").path, "--dry-run", "--set", "base.path=\(base)",
            "--set",
            "data.path=\(checkout.appending(path: "Datasets/photo-edits").path)", "--set",
            "output.folder=\(path("run"))",
        ]
        let key = try Program.run(train + ["--set", "training.memory=90MiB"])
        #expect(error(key).hasPrefix("error: training.memory: expected at least "), "\(key.error)")
        let flag = try Program.run(train + ["--memory", "90MiB"])
        #expect(error(flag).hasPrefix("error: --memory: expected at least "), "\(flag.error)")
    }

    @Test func aTruncatedCheckpointNamesTheOneBefore() throws {
        defer { remove() }
        let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
        let settings = [
            "base.path=\(base)", "data.path=\(checkout.appending(path: "Datasets/photo-edits").path)",
            "data.panel_width=32", "data.panel_height=32", "data.max_sequence_length=16", "training.batch_size=1",
            "schedule.warmup_steps=0", "training.steps=2", "output.checkpoint_every=1", "output.folder=\(path("run"))",
        ]
        let run = try Program.run(
            ["train", checkout.appending(path: "Configs/demo.yaml").path, "-q"] + settings.flatMap { ["--set", $0] })
        #expect(run.status == 0 && run.error.isEmpty, "\(run.error)")
        let last = path("run/checkpoints/step-00000002.h5")
        let bytes = try Data(contentsOf: URL(filePath: last))
        try bytes.prefix(bytes.count / 2).write(to: URL(filePath: last))
        let before = "; the run's checkpoint before it is \(path("run/checkpoints/step-00000001.h5"))\n"
        for result in try [
            edit(["--adapter", path("run")]), Program.run(["train", path("run"), "--resume"]),
            Program.run(["export", path("run"), "-o", path("x.safetensors")]), Program.run(["inspect", path("run")]),
        ] {
            #expect(error(result).hasPrefix("error: \(last): expected an HDF5 file, found "), "\(result.error)")
            #expect(result.error.hasSuffix(before), "\(result.error)")
        }
    }
}
