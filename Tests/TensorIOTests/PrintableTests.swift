import TensorIO
import Testing

@Suite struct PrintableTests {
    /// What clears a screen, sets a title, moves the cursor, ends a line or turns the direction of writing.
    @Test(arguments: [
        ("\u{1B}[2J\u{1B}[31mred", "\\u{1B}[2J\\u{1B}[31mred"), ("a\nb\rc\td\0e", "a\\nb\\rc\\td\\0e"),
        ("\u{9B}2Jx\u{85}y", "\\u{9B}2Jx\\u{85}y"), ("\u{7F}\u{8}", "\\u{7F}\\u{08}"),
        ("gpj.\u{202E}exe\u{2066}\u{200F}", "gpj.\\u{202E}exe\\u{2066}\\u{200F}"),
        ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
        ("größe 層 😀 \\ '", "größe 層 😀 \\ '"),
    ])
    func whatSteersATerminalIsEscaped(text: String, shown: String) {
        #expect(printable(text) == shown)
        #expect(printable(shown) == shown)
        #expect(
            FileError(text, key: text, expected: text, found: text, nearest: text).description
                == "\(shown): \(shown): expected \(shown), found \(shown) (did you mean '\(shown)'?)")
    }

    @Test func longNamesAreCut() {
        let name = String(repeating: "n", count: 1 << 20)
        #expect(printable(name) == name.prefix(96) + "…")
        #expect(printable(name, limit: 3) == "nnn…" && printable("nnn", limit: 3) == "nnn")
        #expect(printable(printable(name)) == printable(name))
        let line = FileError(name, key: name, expected: name, found: name, nearest: name).description
        #expect(line.count < 8000)
    }

    @Test func linesStayWholeAndReadBackAsJSONAndYAML() {
        let lines = "first\n\tsecond\u{1B}[0m\u{202E}\u{9B}" + String(repeating: "x", count: 5000)
        #expect(
            printableLines(lines) == "first\n\tsecond\\u001B[0m\\u202E\\u009B" + String(repeating: "x", count: 5000))
        #expect(printableLines("plain\n\ttext") == "plain\n\ttext")
        #expect(printableLines("größe\n") == "größe\n")
    }

    @Test func namesOutOfAllProportionHaveNoNearest() {
        #expect(nearestName(to: "lora_C", among: ["lora_A", "other"]) == "lora_A")
        #expect(nearestName(to: "abc", among: ["xyz"]) == nil)
        let long = String(repeating: "n", count: 1 << 20)
        #expect(nearestName(to: long, among: [long, "n"]) == nil)
        #expect(nearestName(to: "n", among: [long]) == nil)
        // Exchanged letters, one more and one less are an edit each.
        #expect(nearestName(to: "stepz", among: ["steps", "step"]) == "steps")
        #expect(nearestName(to: "setps", among: ["sets", "steps"]) == "sets")
    }
}
