import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

@Suite struct DatasetCheckTests {
    @Test func aDatasetOfWhichOneInAHundredIsBroken() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var lines: [String] = []
        for i in 0..<500 {
            let size = i % 3 == 0 ? (24, 16) : (16, 16)
            for name in ["s", "t"] {
                let image = SyntheticPhoto.make(
                    width: size.0, height: size.1, seed: 2 * i + (name == "s" ? 0 : 1))
                try image.write(to: folder.appending(path: "\(name)\(i).png").path)
            }
            let task = i % 4 == 0 ? "style" : "add"
            lines.append(
                #"{"source": "s\#(i).png", "target": "t\#(i).png", "instruction": "edit \#(i)", "task": "\#(task)"}"#)
        }
        func file(_ name: String) -> URL { folder.appending(path: name) }
        // Five faults, one of each kind.
        try Data("no picture".utf8).write(to: file("t17.png"))
        let whole = try Data(contentsOf: file("s100.png"))
        try whole.prefix(whole.count / 2).write(to: file("s100.png"))
        try SyntheticPhoto.make(width: 20, height: 16).write(to: file("t200.png").path)
        lines[300] = lines[300].replacing("edit 300", with: " ")
        try FileManager.default.removeItem(at: file("s401.png"))
        lines.append(lines[5].replacing("add", with: "style"))
        try Data(lines.joined(separator: "\n").utf8).write(to: file(PairDataset.metadataName))

        let check = try DatasetCheck(path: folder.path)
        #expect(
            check.faults.map { "\($0.key ?? "")" } == [
                "line 301: instruction", "line 402: source", "line 18: target", "line 101: source", "line 201: target",
            ])
        #expect(check.faults.allSatisfy { $0.path.hasSuffix("metadata.jsonl") })
        #expect(check.faults[2].found.contains("t17.png"))
        #expect(check.faults[4].expected == "the proportions of the source, 16x16 (data.allow_mismatch takes others)")
        #expect(check.faults[4].found == "20x16")
        let again =
            "1 of 499 pairs is there already, with the same pictures and instruction, such as line 501, as line 6"
        #expect(check.notes.last == again)
        // Training names the very same.
        var skipping = PairReading()
        skipping.leavesFaultsOut = true
        let dataset = try PairDataset(path: folder.path, reading: skipping)
        #expect(dataset.leftOut + dataset.inspect().faults == check.faults)
        #expect(check.pairCount == 499)
        #expect(check.tasks.map(\.name) == ["add", "style"] && check.tasks.map(\.count).reduce(0, +) == 499)
        #expect(check.sizes.map(\.name) == ["16x16", "24x16"])
        #expect(check.sizes.map(\.count).reduce(0, +) == 498)
    }

    @Test func aGoodDatasetHasNone() throws {
        let check = try DatasetCheck(path: Fixtures.folder.appending(path: "../../Datasets/photo-edits").path)
        #expect(check.faults.isEmpty && check.pairCount == 26 && check.byteCount > 0)
        #expect(throws: FileError.self) { try DatasetCheck(path: Fixtures.path("nothing")) }
    }
}
