import Foundation
import TestSupport
import Testing
import diptych

@Suite struct CommandLineTests {
    @Test func help() throws {
        for arguments in [["--help"], ["config", "--help"]] {
            let result = try Program.run(arguments)
            #expect(result.status == 0 && result.error.isEmpty)
            #expect(result.output.contains("USAGE: diptych"))
        }
        let version = try Program.run(["--version"])
        #expect(version.status == 0 && version.output.split(separator: ".").count == 3)
    }

    @Test(arguments: [
        (["config", "--verbos"], "Did you mean '--verbose'"), (["confg"], "Did you mean 'config'"),
        (["qwertyuiop"], "Unknown subcommand"), (["--bad"], "--bad"), (["config", "--fils"], "Did you mean '--files'"),
        (["config", "--set", "training.steps=3"], "--set needs a FILE"), (["config", "a", "b"], "b"),
        (["config", "--set"], "--set"),
    ])
    func wrongUsageIsStatus2(arguments: [String], part: String) throws {
        let result = try Program.run(arguments)
        #expect(result.status == 2)
        #expect(result.output.isEmpty)
        #expect(result.error.hasPrefix("error: "))
        #expect(result.error.lowercased().contains(part.lowercased()), "\(result.error)")
    }

    @Test func failuresAreStatus1InOneLine() throws {
        let result = try Program.run(["config", "no/such/file.yaml"])
        #expect(result.status == 1)
        #expect(result.output.isEmpty)
        #expect(result.error == "error: no/such/file.yaml: expected a YAML file, found no such file\n")
    }

    @Test func aConfigurationIsCheckedAndPrinted() throws {
        let path = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Configs/demo.yaml").path
        let good = try Program.run(["config", path, "--set", "training.steps=77"])
        #expect(good.status == 0 && good.error.isEmpty)
        #expect(good.output.contains("\n  steps: 77\n"))

        let bad = try Program.run(["config", path, "--set", "training.stepz=1", "--set", "adapter.moe.top_k=9"])
        #expect(bad.status == 1 && bad.output.isEmpty)
        #expect(
            bad.error == """
                error: --set: training.stepz: unknown key (did you mean 'training.steps'?)
                error: --set: adapter.moe.top_k: expected at most adapter.moe.experts (4), found 9

                """)

        let files = try Program.run(["config", path, "--files", "--set", "base.path=no/base"])
        #expect(files.status == 1)
        #expect(
            files.error.contains("base.path: expected a pipeline folder with model_index.json, found no such folder"))

        let keys = try Program.run(["config"])
        #expect(keys.status == 0 && keys.output.contains("\ntraining\n  steps: integer, 1 or more\n"))
    }

    @Test func errorsAreOneLine() {
        struct Wordy: Error, CustomStringConvertible { var description: String { "first\nsecond\r\nthird" } }
        #expect(ErrorReport.lines(for: Wordy()) == ["first second third"])
    }
}
