import Foundation
import TestSupport
import Testing

/// Datasets in the layouts that people have, through every command that takes a dataset.
@Suite(.serialized) struct LayoutCommandsTests {
    private let folder: URL
    private let root = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    init() throws { folder = try Fixtures.scratchFolder() }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    private func copy(_ pair: Int, _ panel: String, to name: String) throws {
        let to = folder.appending(path: name)
        try FileManager.default.createDirectory(at: to.deletingLastPathComponent(), withIntermediateDirectories: true)
        let file = "Datasets/photo-edits/\(panel)/00000\(pair).jpg"
        try FileManager.default.copyItem(at: root.appending(path: file), to: to)
    }

    private func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path(name)))
    }

    /// Two pairs of each layout.
    private func makeDatasets() throws -> [String] {
        var table = "source;target;instruction;task\r\n"
        for pair in 0..<2 {
            try copy(pair, "source", to: "table/old/\(pair).jpg")
            try copy(pair, "target", to: "table/new/\(pair).jpg")
            table += "old/\(pair).jpg;new/\(pair).jpg;\"edit \(pair); please\";style\r\n"
            try copy(pair, "source", to: "folders/control/\(pair).jpg")
            try copy(pair, "target", to: "folders/images/\(pair).jpg")
            try write("edit \(pair)\r\n", to: "folders/images/\(pair).txt")
            try copy(pair, "source", to: "names/\(pair)_source.jpg")
            try copy(pair, "target", to: "names/\(pair)_target.jpg")
            try write("edit \(pair)", to: "names/\(pair).txt")
        }
        try write(table, to: "table/pairs.csv")
        return ["table", "table/pairs.csv", "folders", "names"]
    }

    @Test func everyCommandTakesEveryLayout() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        for (number, name) in try makeDatasets().enumerated() {
            let data = path(name)
            let check = try Program.run(["data", "check", data])
            #expect(check.status == 0 && check.output.hasPrefix("\(data): 2 pairs"), "\(name): \(check.error)")
            let sheet = try Program.run(["data", "preview", data, "-o", path("sheet\(number).png")])
            #expect(sheet.status == 0 && sheet.output.hasPrefix("2 pairs: "), "\(name): \(sheet.error)")
            let settings = [
                "base.path=\(Fixtures.path("tiny-random-fill"))", "data.path=\(data)", "data.panel_width=32",
                "data.panel_height=32", "data.max_sequence_length=16", "training.batch_size=1",
                "schedule.warmup_steps=0", "training.steps=1", "output.folder=\(path("run\(number)"))",
                "data.cache=\(path("cache\(number)"))",
            ].flatMap { ["--set", $0] }
            let demo = root.appending(path: "Configs/demo.yaml").path
            let encoded = try Program.run(["data", "encode", "--config", demo] + settings)
            #expect(encoded.status == 0 && encoded.output.hasPrefix("2 pairs encoded in"), "\(name): \(encoded.error)")
            let run = try Program.run(["train", demo] + settings)
            #expect(run.status == 0 && run.output.contains("2 pairs"), "\(name): \(run.error)")
            let inspected = try Program.run(["inspect", data])
            if !name.hasSuffix(".csv") { #expect(inspected.output.contains("dataset, 2 pairs"), "\(inspected.error)") }
        }
    }

    @Test func foldersOfOtherNamesAreColumns() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try copy(0, "source", to: "mine/vorher/a.jpg")
        try copy(0, "target", to: "mine/nachher/a.jpg")
        try write("edit", to: "mine/nachher/a.txt")
        let unknown = try Program.run(["data", "check", path("mine")])
        #expect(unknown.status == 1 && unknown.error.hasSuffix("found a folder without them\n"), "\(unknown.error)")
        let columns = ["--column", "source=vorher", "--column", "target=nachher"]
        let check = try Program.run(["data", "check", path("mine")] + columns)
        #expect(check.status == 0 && check.output.hasPrefix("\(path("mine")): 1 pairs"), "\(check.error)")
    }

    @Test func lettersWithoutAFontAreNoted() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try copy(0, "source", to: "one/a_before.jpg")
        try copy(0, "target", to: "one/a_after.jpg")
        try write("make it \u{10FFFD} red", to: "one/a.txt")
        let sheet = try Program.run(["data", "preview", path("one"), "-o", path("sheet.png")])
        #expect(sheet.status == 0)
        #expect(sheet.error.hasPrefix("note: no font of this machine has the letter "), "\(sheet.error)")
        #expect(sheet.error.contains("(U+10FFFD) of the instructions, drawn as boxes"))
    }

    @Test func webPIsEdited() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        func edit(_ name: String) throws -> Program.Result {
            try Program.run([
                "edit", "--base", Fixtures.path("tiny-random-fill"), "--image", Fixtures.path("images/\(name)"),
                "--instruction", "x", "--steps", "1", "--panel-width", "32", "--max-sequence-length", "16", "-o",
                path("out.png"),
            ])
        }
        let edited = try edit("webp-lossy-alpha.webp")
        #expect(edited.status == 0 && FileManager.default.fileExists(atPath: path("out.png")), "\(edited.error)")
        let animated = try edit("webp-animated.webp")
        #expect(animated.status == 1)
        #expect(
            animated.error.hasSuffix("webp-animated.webp: expected a still picture, found an animation of 3 frames\n"))
    }
}
