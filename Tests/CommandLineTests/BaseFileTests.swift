import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Bases from files: quantised, inspected, and put together on the command line.
@Suite struct BaseFileTests {
    private let base = Fixtures.path("tiny-random-fill")

    private func inScratchFolder(_ body: (String) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    /// A random base of moderate proportions: the same bytes for a seed, and a pipeline that edits within a budget.
    @Test func randomBaseAndMemory() throws {
        try inScratchFolder { folder in
            func write(_ name: String, _ seed: String, threads: String) throws {
                let result = try Program.run([
                    "random-base", "--out", "\(folder)/\(name)", "--size", "medium", "--type", "q4_k", "--seed", seed,
                    "--tokenizers", base, "--threads", threads,
                ])
                #expect(result.status == 0, "\(result.error)")
                #expect(result.output.contains("transformer.gguf: a FLUX transformer, "), "\(result.output)")
            }
            try write("a", "7", threads: "1")
            try write("b", "7", threads: "3")
            try write("c", "8", threads: "0")
            let manager = FileManager.default
            for name in ["transformer.gguf", "t5.gguf", "clip.safetensors", "vae.safetensors"] {
                let files = ["a", "b", "c"].map { manager.contents(atPath: "\(folder)/\($0)/\(name)") }
                #expect(files[0] != nil && files[0] == files[1] && files[0] != files[2], "\(name)")
            }
            let parts = ["transformer.gguf", "t5.gguf", "clip.safetensors", "vae.safetensors"].flatMap {
                ["--" + $0.prefix { $0 != "." }, "\(folder)/a/\($0)"]
            }
            func edit(_ more: [String]) throws -> Program.Result {
                try Program.run(
                    [
                        "edit", "--base", folder + "/a", "--image", Fixtures.path("source.png"), "--instruction",
                        "bluer", "--steps", "1", "--panel-width", "64", "--max-sequence-length", "16", "-o",
                        folder + "/out.png",
                    ] + parts + more)
            }
            let whole = try edit([])
            #expect(whole.status == 0, "\(whole.error)")
            let expected = manager.contents(atPath: folder + "/out.png")
            let planned = try edit(["--dry-run"])
            #expect(planned.status == 0 && planned.error.contains("memory     sampling: "), "\(planned.error)")
            let bounded = try edit(["--memory", "2GiB"])
            #expect(bounded.status == 0 && bounded.error.contains("memory     at most 2.00 GiB"), "\(bounded.error)")
            #expect(expected != nil && manager.contents(atPath: folder + "/out.png") == expected)
            let refused = try edit(["--memory", "100MiB"])
            #expect(refused.status == 1, "\(refused.error)")
            #expect(refused.error.contains("error: --memory: expected at least "), "\(refused.error)")
            #expect(refused.error.contains(", found 100 MiB"), "\(refused.error)")
            #expect(try edit(["--memory", "much"]).status == 2)
        }
    }

    @Test func quantizeInspectAndEdit() throws {
        try inScratchFolder { folder in
            let (flux, t5) = (folder + "/flux.gguf", folder + "/t5.gguf")
            let result = try Program.run(["quantize", base, flux, "--type", "q8_0", "--verbose"])
            #expect(result.status == 0, "\(result.error)")
            #expect(result.output.contains("double_blocks.0.img_attn.qkv.weight"), "\(result.output)")
            #expect(result.output.contains("flux.gguf: a FLUX transformer, "), "\(result.output)")
            let encoder = try Program.run(
                ["quantize", base, t5, "--type", "bf16", "--part", "text_encoder_2", "--threads", "1"])
            #expect(encoder.status == 0, "\(encoder.error)")
            #expect(encoder.output.contains("a T5 text encoder, 21 tensors (BF16 "), "\(encoder.output)")

            let inspected = try Program.run(["inspect", flux, "--limit", "1"]).output
            for line in [
                "GGUF version 3, ", "Q8_0 ", "transformer: a FLUX transformer with names as in BFL, ",
                "FLUX.1 [Fill]: 384 channels in, 64 out, 2 double and 3 single blocks of width 96, with guidance",
                "a pipeline also needs --vae, --clip, --t5, --base with the tokenizers",
                "general.architecture = 'flux'",
            ] { #expect(inspected.contains(line), "\(line) in:\n\(inspected)") }
            #expect(!inspected.contains("does not fit"))

            // A folder of tokenizers and four files make a pipeline: with the base's own bits where nothing is lost.
            for name in ["tokenizer", "tokenizer_2"] {
                try FileManager.default.copyItem(atPath: "\(base)/\(name)", toPath: "\(folder)/\(name)")
            }
            func edit(_ arguments: [String], _ name: String) throws -> Image {
                let output = "\(folder)/\(name).png"
                let result = try Program.run(
                    [
                        "edit", "--image", Fixtures.path("source.png"), "--instruction", "make it blue", "--steps", "1",
                        "--panel-width", "32", "--max-sequence-length", "8", "-o", output,
                    ] + arguments)
                #expect(result.status == 0, "\(result.error)")
                return try Image(contentsOf: output)
            }
            let expected = try edit(["--base", base], "whole")
            #expect(try edit(["--base", base, "--t5", t5], "t5").pixels == expected.pixels)
            let parts = ["--base", folder, "--vae", base, "--clip", base, "--t5", t5]
            #expect(try edit(parts + ["--transformer", base], "parts").pixels == expected.pixels)
            let quantized = try edit(parts + ["--transformer", flux], "quantized").pixels
            let difference = zip(quantized, expected.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
            #expect(difference > 0 && difference < 4 * quantized.count, "\(difference)")
        }
    }

    @Test func faultsAreOneLine() throws {
        let encoder = base + "/text_encoder_2/model.safetensors"
        let wrong = try Program.run(
            [
                "edit", "--base", base, "--transformer", encoder, "--image", Fixtures.path("source.png"),
                "--instruction",
                "x", "-o", "unwritten.png",
            ])
        #expect(wrong.status == 1)
        #expect(
            wrong.error.hasSuffix(
                "expected the tensors of a FLUX transformer, found a T5 text encoder with names as in transformers\n"),
            "\(wrong.error)")
        try inScratchFolder { folder in
            let misspelt = try Program.run(["quantize", base, folder + "/x.gguf", "--type", "q4k"])
            #expect(
                misspelt.status == 2 && misspelt.error.contains("found 'q4k' (did you mean 'q4_k'?)"),
                "\(misspelt.error)")
            let name = try Program.run(["quantize", base, folder + "/x.safetensors", "--type", "q4_k"])
            #expect(name.status == 2 && name.error.contains("expected a name that ends in .gguf"), "\(name.error)")
            let cut = folder + "/cut.gguf"
            try Data("GGUF\u{3}\u{0}\u{0}\u{0}".utf8).write(to: URL(filePath: cut))
            let inspected = try Program.run(["inspect", cut])
            #expect(inspected.status == 1)
            #expect(
                inspected.error.hasSuffix(
                    "header: expected 8 bytes for the number of tensors, found the file's end after 0\n"),
                "\(inspected.error)")
        }
    }
}
