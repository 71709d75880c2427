import Foundation
import TensorIO
import TestSupport
import Testing

/// What the commands say of pairs: faults and notes in the same words.
@Suite(.serialized) struct PairCommandsTests {
    private func withFolder(_ lines: [String], _ body: (URL) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, size) in [("a", (96, 96)), ("b", (96, 96)), ("large", (192, 192)), ("tall", (96, 128))] {
            try Image(width: size.0, height: size.1, color: [90, UInt8(size.0), UInt8(size.1)])
                .write(to: folder.path + "/\(name).png")
        }
        try FileManager.default.copyItem(
            atPath: Fixtures.path("images/rgba8.png"), toPath: folder.path + "/cutout.png")
        try Data(lines.joined(separator: "\r\n").utf8).write(to: folder.appending(path: "metadata.jsonl"))
        try Data(
            """
            base: {path: "\(Fixtures.path("tiny-random-fill"))"}
            data: {path: "\(folder.path)", panel_width: 32, panel_height: 32, max_sequence_length: 64, cache_precision: float32}
            adapter: {lora: {rank: 4, alpha: 4}}
            training: {steps: 1, batch_size: 1, accumulate: 1}
            output: {folder: "\(folder.path)/run"}
            """.utf8
        ).write(to: folder.appending(path: "run.yaml"))
        try body(folder)
    }

    private func line(_ source: String, _ target: String, _ instruction: String) -> String {
        #"{"source": "\#(source).png", "target": "\#(target).png", "instruction": "\#(instruction)"}"#
    }

    private func lines(_ text: String, _ kind: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix(kind + ": ") }.map { String($0.dropFirst(kind.count + 2)) }
    }

    @Test func checkTrainAndEncodeRefuseTheSame() throws {
        try withFolder([line("a", "b", "one"), line("a", "tall", "two"), line("a", "none", "three")]) { folder in
            let config = folder.path + "/run.yaml"
            let check = try Program.run(["data", "check", folder.path])
            let expected = lines(check.error, "error")
            #expect(check.status == 1 && expected.count == 2, "\(check.error)")
            for arguments in [
                ["train", config], ["data", "encode", "--config", config, "--out", folder.path + "/cache"],
                ["data", "check", "--config", config],
            ] {
                let result = try Program.run(arguments)
                #expect(result.status == 1, "\(arguments)")
                // The list is read before any picture is, and encode names its faults alone.
                let found = lines(result.error, "error")
                #expect(found.allSatisfy(expected.contains) && !found.isEmpty, "\(found)")
                if arguments[0] == "train" { #expect(Set(found) == Set(expected)) }
            }
            let skipped = try Program.run([
                "train", config, "--set", "data.on_error=skip", "--set", "training.steps=4",
            ])
            #expect(skipped.status == 0 && Set(lines(skipped.error, "skipped")) == Set(expected), "\(skipped.error)")
        }
    }

    @Test func checkTrainAndEncodeNoteTheSame() throws {
        let long = (0..<70).map { "word\($0)" }.joined(separator: " ") + " make the cat blue"
        try withFolder([line("a", "large", "one"), line("cutout", "cutout", long)]) { folder in
            let config = folder.path + "/run.yaml"
            let check = try Program.run(["data", "check", folder.path, "--config", config])
            let expected = lines(check.error, "note")
            #expect(check.status == 0, "\(check.error)")
            #expect(expected.count == 6, "\(expected)")
            for part in [
                "squashed to the panel's proportions", "smaller than the panel", "of another size than the source",
                "T5 reads the first 64 tokens", "CLIP reads the first 77 tokens", "transparent parts, laid on white",
            ] {
                #expect(expected.contains { $0.contains(part) }, "\(part)")
            }
            let train = try Program.run(["train", config])
            #expect(train.status == 0 && lines(train.error, "note") == expected, "\(train.error)")
            let encode = try Program.run(["data", "encode", "--config", config, "--out", folder.path + "/cache"])
            #expect(encode.status == 0 && lines(encode.error, "note") == expected, "\(encode.error)")
            // A cache of another background is refused by name.
            let cached = [
                "train", config, "--set", "data.cache=\(folder.path)/cache", "--set", "output.folder=\(folder.path)/2",
            ]
            let other = try Program.run(cached + ["--set", "data.background=black"])
            #expect(
                other.status == 1 && other.error.contains("background: expected black as data.background has it now"))
            #expect(try Program.run(cached).status == 0)
        }
    }

    @Test func editNotesWhatIsLost() throws {
        let long = (0..<80).map { "word\($0)" }.joined(separator: " ")
        try withFolder([]) { folder in
            func edit(_ instruction: String, _ more: [String]) throws -> [String] {
                let result = try Program.run(
                    [
                        "edit", "--base", Fixtures.path("tiny-random-fill"), "--steps", "1", "--panel-width", "32",
                        "--max-sequence-length", "64", "--instruction", instruction, "-o", folder.path + "/out.png",
                    ] + more)
                #expect(result.status == 0, "\(result.error)")
                return lines(result.error, "note")
            }
            let notes = try edit(long + " make the cat blue", ["--image", folder.path + "/cutout.png"])
            #expect(notes.contains { $0.contains("cutout.png: has transparent parts, laid on white (--background)") })
            #expect(
                notes.contains { $0.contains("squashed to the panel's proportions by 1.") && $0.contains("enlarged") })
            for reader in ["T5 reads the first 64 of", "CLIP reads the first 77 of"] {
                #expect(notes.contains { $0.hasPrefix(reader) && $0.hasSuffix("make the cat blue'") }, "\(notes)")
            }
            let few = try edit("make it blue", ["--image", folder.path + "/a.png"])
            #expect(few == ["\(folder.path)/a.png: resized from 96 x 96 to 32 x 32"], "\(few)")
            let own = "a diptych with two side-by-side images of the same scene. make it blue"
            let twice = try edit(own, ["--image", folder.path + "/a.png"])
            #expect(twice.contains { $0.contains("it is not said twice") })
            // The background decides what is seen.
            let white = try Image(contentsOf: folder.path + "/out.png")
            _ = try edit("make it blue", ["--image", folder.path + "/cutout.png"])
            let first = try Image(contentsOf: folder.path + "/out.png")
            _ = try edit("make it blue", ["--image", folder.path + "/cutout.png", "--background", "#204060"])
            #expect(try Image(contentsOf: folder.path + "/out.png") != first && first != white)
        }
    }
}
