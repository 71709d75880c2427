import Foundation
import TensorIO
import TestSupport
import Testing

/// The flags that every command has: `-v`, `-q` and `-o`.
@Suite struct CommonFlagsTests {
    private let base = Fixtures.path("tiny-random-fill")

    private func edit(_ more: [String], into folder: URL) throws -> Program.Result {
        try Program.run(
            [
                "edit", "--base", base, "--image", Fixtures.path("source.png"), "--instruction", "make it blue",
                "--steps", "1", "--panel-width", "32", "--max-sequence-length", "8", "-o",
                folder.appending(path: "out.png").path,
            ] + more)
    }

    @Test func quietSilencesNotesAndProgress() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let usual = try edit([], into: folder)
        #expect(usual.status == 0 && usual.error.contains("note: ") && usual.error.contains("resized from"))
        #expect(usual.error.contains("encoding the text\n") && usual.error.contains("step 1/1"), "\(usual.error)")
        #expect(!usual.error.contains("memory"))
        let quiet = try edit(["-q"], into: folder)
        #expect(quiet.status == 0 && quiet.error.isEmpty && quiet.output == usual.output, "\(quiet.error)")
        let verbose = try edit(["-v"], into: folder)
        #expect(verbose.error.contains("memory     "), "\(verbose.error)")
        let both = try edit(["-v", "--quiet"], into: folder)
        #expect(both.status == 2 && both.error.hasPrefix("error: --quiet: expected it without --verbose, found both"))
        let failed = try edit(["-q", "--transformer", "no/such/file"], into: folder)
        #expect(failed.status == 1 && failed.error.hasPrefix("error: no/such/file"), "\(failed.error)")
    }

    @Test func notesHaveNoControlCharacters() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let picture = folder.appending(path: "a\u{1B}]0;b\u{7}.png")
        try FileManager.default.copyItem(atPath: Fixtures.path("source.png"), toPath: picture.path)
        let result = try edit(["--image", picture.path], into: folder)
        #expect(result.status == 0 && result.error.contains("a\\u{1B}]0;b\\u{"), "\(result.error)")
        #expect(!result.error.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
    }

    @Test(arguments: ["-o", "--output", "--out"])
    func anOutputIsNamedAlike(flag: String) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let pairs = folder.appending(path: "pairs").path
        let made = try Program.run(["data", "scenes", "--count", "2", flag, pairs])
        #expect(made.status == 0 && FileManager.default.fileExists(atPath: pairs), "\(made.error)")
    }

    @Test func quantizeTakesItsOutputOnce() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "x.gguf").path
        let made = try Program.run(["quantize", base, "-o", file, "--type", "q8_0", "-q"])
        #expect(made.status == 0 && made.error.isEmpty && FileManager.default.fileExists(atPath: file), "\(made.error)")
        for (more, found) in [([], "none"), ([file, "-o", file], "it twice")] {
            let result = try Program.run(["quantize", base, "--type", "q8_0"] + more)
            #expect(
                result.status == 2
                    && result.error.hasPrefix("error: --output: expected the file to write once, found \(found)"),
                "\(result.error)")
        }
    }

    @Test func everyCommandHasThem() throws {
        let commands = try CommandTree.leaves()
        #expect(commands.count >= 15)
        for command in commands {
            let names = Set(command.options.flatMap { $0 })
            #expect(names.isSuperset(of: ["-v", "--verbose", "-q", "--quiet"]), "\(command.name)")
            for option in command.options where option.contains("--output") || option.contains("--out") {
                #expect(option.contains("-o") && option.contains("--output"), "\(command.name): \(option)")
            }
        }
    }
}
