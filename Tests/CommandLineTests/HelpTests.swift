import Foundation
import TestSupport
import Testing
import diptych

/// What the help says, and that it is true.
@Suite struct HelpTests {
    /// The command lines in a command's help, as a shell reads them.
    private func examples(_ discussion: String) -> [[String]] {
        guard let begin = discussion.range(of: "Examples:\n") else { return [] }
        let lines = discussion[begin.upperBound...].replacing("\\\n", with: " ").split(separator: "\n")
        return lines.filter { !$0.drop { $0 == " " }.hasPrefix("#") }.map { line in
            line.matches(of: /"([^"]*)"|([^ "]+)/).map { String($0.1 ?? $0.2 ?? "") }
        }
    }

    @Test func everyCommandHasExamplesThatParse() throws {
        for command in try CommandTree.leaves() {
            let lines = examples(command.discussion)
            #expect(!lines.isEmpty, "\(command.name) has none")
            for line in lines {
                // What stands before it sets the program's surroundings.
                let words = line.drop { $0 != "diptych" }.dropFirst()
                #expect((words.joined(separator: " ") + " ").hasPrefix(command.name + " "), "\(line)")
                #expect(throws: Never.self, "\(line)") { try CommandLineCheck.parse(Array(words)) }
            }
            let help = try Program.run(["help"] + command.name.split(separator: " ").map(String.init)).output
            for row in help[(help.range(of: "Examples:\n")?.upperBound ?? help.endIndex)...].split(separator: "\n") {
                if row.hasPrefix("USAGE") { break }
                #expect(row.count <= 80, "\(row)")
            }
        }
    }

    @Test(arguments: [
        (["edit", "--imagee", "x.png"], "Usage: diptych edit ", "See 'diptych edit --help'"),
        (["train", "run.yaml", "--stes", "3"], "Usage: diptych train ", "See 'diptych train --help'"),
        (["data", "chek"], "Usage: diptych data ", "See 'diptych data --help'"),
        (["data", "check"], "Usage: diptych data check ", "See 'diptych data check --help'"),
        (["data", "check", "x", "--threads", "-1"], "Usage: diptych data check ", "See 'diptych data check --help'"),
        (["data", "check", "x", "--treads", "1"], "Usage: diptych data check ", "See 'diptych data check --help'"),
        (["train", "folder"], "Usage: diptych train ", "See 'diptych train --help'"),
        (["quantize", "a", "b"], "Usage: diptych quantize ", "See 'diptych quantize --help'"),
        (["confg"], "Usage: diptych <subcommand>", "See 'diptych --help'"),
    ])
    func aWrongWordShowsTheUsageOfItsCommand(words: [String], usage: String, see: String) throws {
        let result = try Program.run(words)
        #expect(result.status == 2 && result.output.isEmpty)
        #expect(result.error.contains(usage) && result.error.contains(see), "\(result.error)")
        #expect(result.error.split(separator: "\n").count { $0.hasPrefix("Usage: ") } == 1)
    }

    @Test func completionOffersValues() throws {
        let commands = Dictionary(uniqueKeysWithValues: try CommandTree.leaves().map { ($0.name, $0.values) })
        for (command, option, value) in [
            ("quantize", "--type", "q4_k"), ("quantize", "--part", "text_encoder_2"), ("random-base", "--type", "q6_k"),
            ("random-base", "--size", "medium"), ("edit", "--precision", "bfloat16"), ("edit", "--vae-tiling", "off"),
            ("edit", "--panel-layout", "stacked"), ("edit", "--prompt-form", "direct"),
            ("export", "--format", "comfyui"),
            ("export", "--dtype", "float16"), ("flatten-moe", "--method", "least-squares"),
            ("data scenes", "--split", "test"), ("data scenes", "--kinds", "recolor"), ("data scenes", "--level", "3"),
            ("data photo-edits", "--kinds", "sepia"), ("data photo-edits", "--format", "png"),
            ("data preview", "--panel-layout", "auto"), ("config", "--template", "lora-moe"),
            ("train", "--set", "training.steps="), ("config", "--set", "adapter.start_from="),
            ("data encode", "--set", "data.cache="),
        ] {
            #expect(commands[command]?[option]?.contains(value) == true, "\(command) \(option)")
        }
    }

    @Test func overridesNameTheListOfKeys() throws {
        for command in ["train", "config"] {
            let help = try Program.run(["help", command]).output.replacing(/\s+/, with: " ")
            #expect(help.contains("'diptych config' lists the keys"), "\(command)")
        }
    }

    @Test func templates() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "run.yaml").path
        for name in ["photos", "lora", "lora-moe", "scenes"] {
            try? FileManager.default.removeItem(atPath: file)
            let printed = try Program.run(["config", "--template", name])
            #expect(printed.status == 0 && printed.output.contains("base:\n"), "\(printed.error)")
            #expect(try Program.run(["config", "--template", name, "-o", file]).status == 0)
            #expect(try String(contentsOfFile: file, encoding: .utf8) == printed.output)
            let checked = try Program.run(["config", file])
            #expect(checked.status == 0, "\(checked.error)")
        }
        let again = try Program.run(["config", "--template", "lora", "-o", file])
        #expect(again.status == 1 && again.error == "error: \(file): expected a new file, found one of this name\n")
        let wrong = try Program.run(["config", "--template", "fotos"])
        #expect(wrong.status == 2 && wrong.error.contains("'photos'"), "\(wrong.error)")
        #expect(try Program.run(["config", file, "--template", "lora"]).status == 2)
        #expect(try Program.run(["config", "-o", file]).status == 2)
    }
}
