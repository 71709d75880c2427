import Foundation
import TensorIO
import TestSupport
import Testing

/// Scenes from their making to training, as a user does it.
@Suite(.serialized) struct SceneCommandsTests {
    private let folder: URL
    private let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    @Test func fromScenesToTraining() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let make = ["data", "scenes", "--count", "24", "--seed", "7", "--shard", "10", "--out", path("scenes")]
        let made = try Program.run(make)
        #expect(made.status == 0 && made.error.isEmpty && made.output.contains("24 pairs of 64x64"), "\(made.error)")
        #expect(try Program.run(["inspect", path("scenes")]).output.hasPrefix("dataset, 24 pairs\n  "))

        let good = try Program.run(["data", "check", path("scenes")])
        #expect(good.status == 0 && good.output.hasSuffix("\nno faults\n"), "\(good.output)\(good.error)")
        #expect(good.output.contains("64x64") && good.output.contains("recolor"))

        let sheet = try Program.run(["data", "preview", path("scenes"), "--count", "4", "--out", path("sheet.png")])
        #expect(sheet.status == 0, "\(sheet.error)")
        #expect(try Image(contentsOf: path("sheet.png")).width > 600)

        let run = try Program.run(
            ["train", checkout.appending(path: "Configs/demo.yaml").path]
                + [
                    "base.path=\(Fixtures.path("tiny-random-fill"))", "data.path=\(path("scenes"))",
                    "data.panel_width=32", "data.panel_height=32", "data.max_sequence_length=16",
                    "training.batch_size=1", "schedule.warmup_steps=0", "training.steps=2",
                    "output.folder=\(path("run"))",
                ].flatMap { ["--set", $0] })
        #expect(run.status == 0 && run.output.contains("24 pairs"), "\(run.error)")

        // A picture spoiled within its shard is found, and the status says so.
        let shard = URL(filePath: path("scenes/scenes-000001.tar"))
        let tar = try TarFile(path: shard.path)
        var bytes = try Data(contentsOf: shard)
        let member = try #require(tar.members.first { $0.name.hasSuffix("12.target.png") })
        bytes.replaceSubrange(member.range.lowerBound + 60..<member.range.lowerBound + 90, with: Data(count: 30))
        try bytes.write(to: shard)
        let bad = try Program.run(["data", "check", path("scenes")])
        #expect(bad.status == 1 && bad.output.contains("1 fault"))
        #expect(bad.error.contains("\nerror: \(shard.path): 000000012: target: expected "), "\(bad.error)")

        // Other options are refused in the same folder.
        let other = try Program.run(make + ["--level", "2"])
        #expect(other.status == 1 && other.error.contains("--overwrite"), "\(other.error)")
    }

    @Test func theOraclesTable() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let table = try Program.run(["data", "scenes", "--count", "10", "--check-oracle"])
        let lines = table.output.split(separator: "\n")
        #expect(table.status == 0 && lines.count == 12, "\(table.output)\(table.error)")
        #expect(lines[0].hasPrefix("passed, %") && lines[11].hasPrefix("all "))
    }

    @Test(arguments: [
        (["--count", "0", "--out", "x"], "--count: expected 1 to 100000000 pairs, found 0"),
        (["--count", "5"], "--output: expected a folder, found none"),
        (
            ["--count", "5", "--out", "x", "--size", "65"],
            "--size: expected a multiple of 16 from 32 to 2048, found 65"
        ),
        (["--count", "5", "--out", "x", "--kinds", "recolr"], "found 'recolr' (did you mean 'recolor'?)"),
        (["--count", "5", "--out", "x", "--level", "3"], "--photos: expected a folder of photographs for level 3"),
    ])
    func wrongUsage(arguments: [String], message: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let result = try Program.run(["data", "scenes"] + arguments)
        #expect(result.status == 2 && result.error.contains(message), "\(result.error)")
    }
}
