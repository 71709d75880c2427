import Testing
import Training

/// Small texts that stand for much.
@Suite struct HostileConfigurationTests {
    /// Nine lists of nine, each of the one before: 300 bytes for 400 million values.
    private func aliases(_ levels: Int) -> String {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<levels {
            text += "a\(level): &a\(level) [" + [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "]\n"
        }
        return text
    }

    @Test func aliasesAreCountedForWhatTheyStandFor() {
        let refused = ["run.yaml:6: expected at most 100000 values, found more (what aliases stand for counts too)"]
        #expect(configurationFaults(aliases(9)) == refused)
        // As a key, which the library would compare with all others by its whole tree.
        #expect(configurationFaults(aliases(9) + "? *a8\n: x\n") == refused)
        #expect(
            configurationFaults("data: {path: *none}")[0].hasPrefix(
                "run.yaml:1:14: expected YAML, found a fault: an alias 'none'"))
        #expect(configurationFaults("a: &a [*a]")[0].contains("an alias 'a' of nothing"))
    }

    @Test func aliasesOfLittleAreRead() throws {
        let text = """
            base: {path: &base pipelines/fill, transformer: *base}
            data: {path: pairs}
            output: {folder: out}
            adapter: {lora: {targets: &targets [a, b]}, moe: {targets: *targets}}
            """
        let run = try RunConfiguration.parse(text)
        #expect(run.base.transformer == "pipelines/fill" && run.adapter.moe?.targets == ["a", "b"])
    }

    @Test func levelsAreBounded() {
        let refused = ["run.yaml:1: expected at most 64 levels of lists and mappings, found more"]
        for count in [64, 900] {
            #expect(configurationFaults("a: " + String(repeating: "[", count: count)) == refused)
        }
        // The library has a bound of its own, which it meets before it hands anything over.
        #expect(configurationFaults("a: " + String(repeating: "[", count: 100_000)).count == 1)
        #expect(configurationFaults(String(repeating: "- ", count: 2000) + "x") == refused)
        var text = "a0: &a0 [x]\n"
        for level in 1..<80 { text += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        #expect(configurationFaults(text)[0].contains("at most 64 levels"))
    }

    @Test func keysAreTexts() {
        for key in ["? [a, b]\n: 1", "? {a: 1}\n: 2", "a: &a b\n*a : c"] {
            #expect(
                configurationFaults(key)[0].contains("a list, a mapping or an alias in the place of a key"), "\(key)")
        }
    }

    /// Every key that stands again is named with its line and that of the first, in one pass; the value is the last one's.
    @Test func thousandsOfRepeatedKeys() {
        let text =
            "base:\n" + String(repeating: "  path: x\n", count: 3000) + "data: {path: pairs}\noutput: {folder: out}\n"
        let found = configurationFaults(text)
        #expect(found.count == 2999)
        #expect(found.first == "run.yaml:3: base.path: expected a key once, found it again (first on line 2)")
        #expect(found.last == "run.yaml:3001: base.path: expected a key once, found it again (first on line 2)")
        let names = (0..<3000).map { "k\($0): 1\n" }.joined()
        #expect(configurationFaults(names + names).count { $0.contains("expected a key once") } == 3000)
    }

    /// What stands twice is blanked where it stood first, whatever it is, so that the rest is still looked at.
    @Test func faultsBehindRepeatedKeysAreFound() {
        let text = """
            training:
              seed: "größe 😀"
              steps: |
                many
                lines
              steps: 5
              batch_size: 0
            training: {seed: x}
            """
        #expect(
            configurationFaults(requiredConfiguration + text) == [
                "run.yaml:9: training.steps: expected a key once, found it again (first on line 6)",
                "run.yaml:11: training: expected a key once, found it again (first on line 4)",
                "run.yaml:11: training.seed: expected integer, 0 or more, found 'x'",
            ])
    }
}
