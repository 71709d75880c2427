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
                "line 501",
            ])
        #expect(check.faults.allSatisfy { $0.path.hasSuffix("metadata.jsonl") })
        #expect(check.faults[2].found.contains("t17.png"))
        #expect(check.faults[4].expected == "the size of the source, 16x16" && check.faults[4].found == "20x16")
        #expect(check.faults[5].found == "the same pictures and instruction as in line 6")
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

@Suite struct ContactSheetTests {
    @Test func sheetsHoldThePanels() throws {
        let path = Fixtures.folder.appending(path: "../../Datasets/photo-edits").path
        let sheet = try ContactSheet(path: path, count: 5, columns: 2, panelSide: 64, seed: 3)
        #expect(Set(sheet.indices).count == 5)
        let dataset = try PairDataset(path: path)
        let panels = try dataset.panels(at: sheet.indices[0])
        let source = panels.source.resized(width: 64, height: 64, filter: .bicubic)
        #expect(sheet.image.crop(x: 12, y: 12, width: 64, height: 64) == source)
        // Something is written below.
        let text = sheet.image.crop(x: 12, y: 76, width: 131, height: 40).luminance
        #expect(text.contains { $0 < 60 } && text.contains(255))
        #expect(try ContactSheet(path: path, count: 5, columns: 2, panelSide: 64, seed: 3).image == sheet.image)
        // Stacked: a gap between them in the middle of twice the height.
        let stacked = try ContactSheet(
            path: path, count: 5, columns: 2, panelSide: 64, arrangement: .stacked, seed: 3)
        #expect(stacked.indices == sheet.indices && stacked.image.width == sheet.image.width)
        #expect(stacked.image.height == sheet.image.height + 3 * 67)
        let target = panels.target.resized(width: 64, height: 64, filter: .bicubic)
        #expect(stacked.image.crop(x: 12 + 33, y: 12, width: 64, height: 64) == source)
        #expect(stacked.image.crop(x: 12 + 33, y: 12 + 67, width: 64, height: 64) == target)
        let all = try ContactSheet(path: path, count: 5, columns: 2, panelSide: 64, arrangement: .auto, seed: 3)
        #expect(all.image.height == stacked.image.height, "room for both")
        #expect(all.image.crop(x: 12, y: 12 + 33, width: 64, height: 64) == source, "squares lie beside")
        #expect(try ContactSheet(path: path, count: 99, panelSide: 64).indices.count == dataset.records.count)
    }

    @Test func linesBreakAtSpaces() {
        #expect(BitmapFont.lines("make the  red ball blue", columns: 10) == ["make the", "red ball", "blue"])
        #expect(BitmapFont.lines("a verylongword b", columns: 6) == ["a", "verylo", "ngword", "b"])
        #expect(BitmapFont.lines("one two three four", columns: 8, most: 2) == ["one two", "three..."])
        #expect(BitmapFont.lines("", columns: 8).isEmpty)
    }

    @Test func lettersAreDrawnInTheirPlace() {
        var image = Image(width: 40, height: 12, color: [255, 255, 255])
        BitmapFont.draw("Il", on: &image, x: 1, y: 2)
        // The serif of the I, its stem, and the l's stem.
        #expect(image[2, 2] == [0, 0, 0] && image[1, 2] == [255, 255, 255])
        #expect((2...8).allSatisfy { image[3, $0] == [0, 0, 0] && image[9, $0] == [0, 0, 0] })
        #expect(image[3, 9] == [255, 255, 255])
        var all = Set<[UInt8]>()
        for code in 33...126 {
            var letter = Image(width: 6, height: 10, color: [255, 255, 255])
            BitmapFont.draw(String(UnicodeScalar(code)!), on: &letter, x: 0, y: 0)
            all.insert(letter.pixels)
        }
        #expect(all.count == 94)
    }
}
