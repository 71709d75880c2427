import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

@Suite struct ContactSheetTests {
    private let path = Fixtures.folder.appending(path: "../../Datasets/photo-edits").path

    private func part(_ image: Image, _ area: ContactSheet.Area) -> Image {
        image.crop(x: area.x, y: area.y, width: area.width, height: area.height)
    }

    @Test func sheetsHoldThePanels() throws {
        let sheet = try ContactSheet(path: path, count: 6, columns: 2, panelSide: 64, seed: 3)
        #expect(Set(sheet.indices).count == 6 && sheet.frames.count == 6)
        let dataset = try PairDataset(path: path)
        for (index, frame) in zip(sheet.indices, sheet.frames) {
            let panels = try dataset.panels(at: index)
            let target = try #require(frame.target)
            #expect(frame.source.y == target.y && target.x == frame.source.x + 64 + 4)
            #expect(part(sheet.image, frame.source) == panels.source.resized(width: 64, height: 64, filter: .bicubic))
            #expect(part(sheet.image, target) == panels.target.resized(width: 64, height: 64, filter: .bicubic))
            // Something is written above and below.
            for y in [frame.source.y - 16, frame.source.y + 64 + 6] {
                let text = sheet.image.crop(x: frame.source.x, y: y, width: 132, height: 14).luminance
                #expect(text.contains { $0 < 180 } && text.contains(255))
            }
        }
        #expect(sheet.missingCharacters.isEmpty)
        #expect(try ContactSheet(path: path, count: 6, columns: 2, panelSide: 64, seed: 3).image == sheet.image)
        #expect(try ContactSheet(path: path, count: 99, panelSide: 64).indices.count == dataset.records.count)
    }

    @Test func stackedPanelsLieBelowEachOther() throws {
        let sheet = try ContactSheet(path: path, count: 4, columns: 2, panelSide: 64, panelLayout: .stacked, seed: 3)
        let dataset = try PairDataset(path: path)
        for (index, frame) in zip(sheet.indices, sheet.frames) {
            let target = try #require(frame.target)
            #expect(target.x == frame.source.x && target.y > frame.source.y + 64)
            #expect(
                try part(sheet.image, target)
                    == dataset.panels(at: index).target.resized(width: 64, height: 64, filter: .bicubic))
        }
        let beside = try ContactSheet(path: path, count: 4, columns: 2, panelSide: 64, panelLayout: .auto, seed: 3)
        #expect(beside.frames.allSatisfy { $0.target?.y == $0.source.y }, "squares lie beside each other")
    }

    /// Every row reaches the right edge, whether pairs divide into rows or not.
    @Test(arguments: [1, 2, 3, 4, 5, 7, 8])
    func noRowIsEmptyAtItsEnd(count: Int) throws {
        let sheet = try ContactSheet(path: path, count: count, columns: 3, panelSide: 48)
        let rows = Dictionary(grouping: sheet.frames, by: \.source.y)
        #expect(rows.count == (count + 2) / 3)
        for row in rows.values {
            let right = row.map { $0.target!.x + $0.target!.width }.max()!
            #expect(sheet.image.width - 16 - right < 6, "\(count) pairs: a row ends at \(right)")
            #expect(row.allSatisfy { $0.source.width >= 48 })
        }
    }

    /// A source without a target takes the place of one panel.
    @Test func sourcesWithoutTargetsLeaveNoGap() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var lines: [String] = []
        for number in 0..<4 {
            try SyntheticPhoto.make(width: 96, height: 64, seed: number).write(
                to: folder.appending(path: "\(number).png").path)
            let target = number == 3 ? #", "target": "0.png""# : ""
            lines.append(#"{"source": "\#(number).png", "instruction": "edit", "id": "\#(number)"\#(target)}"#)
        }
        try Data(lines.joined(separator: "\n").utf8).write(to: folder.appending(path: PairDataset.metadataName))
        let sheet = try ContactSheet(path: folder.path, isEvaluation: true, count: 4, columns: 3, panelSide: 96)
        #expect(sheet.frames.map { $0.target != nil } == sheet.indices.map { $0 == 3 })
        // Five panels of 96: one row.
        #expect(Set(sheet.frames.map(\.source.y)).count == 1 && sheet.image.width == 2 * 16 + 5 * 96 + 4 + 3 * 16)
        let right = sheet.frames.map { ($0.target ?? $0.source).x + 96 }.max()
        #expect(right == sheet.image.width - 16)
    }

    /// An instruction is there to its last word, and characters without a font are named.
    @Test func instructionsAreWhole() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try SyntheticPhoto.make(width: 32, height: 32).write(to: folder.appending(path: "a.png").path)
        func sheet(_ instruction: String) throws -> ContactSheet {
            let line: [String: String] = ["source": "a.png", "target": "a.png", "instruction": instruction]
            try JSONSerialization.data(withJSONObject: line).write(
                to: folder.appending(path: PairDataset.metadataName))
            return try ContactSheet(path: folder.path, count: 1, panelSide: 64)
        }
        let word = "make the ball red and "
        let short = try sheet(word)
        let long = try sheet(String(repeating: word, count: 40))
        let line = TextBlock(word, size: 12, width: 132)
        let whole = TextBlock(String(repeating: word, count: 40), size: 12, width: 132)
        #expect(whole.lineCount > 30)
        #expect(long.image.height - short.image.height == whole.height - line.height)
        #expect(long.image.width == short.image.width)
        // A private character that no font can have.
        #expect(try sheet("make it \u{10FFFD}\u{10FFFD} red").missingCharacters == ["\u{10FFFD}"])
    }

    @Test func sheetsThatAreTooLargeAreRefused() throws {
        let error = #expect(throws: FileError.self) {
            try ContactSheet(path: path, count: 26, columns: 20, panelSide: 1024)
        }
        #expect(error?.expected == "a sheet of at most 16384 pixels a side")
    }
}

@Suite struct SheetRowsTests {
    private func rows(_ panels: [Int], most: Int) -> SheetRows {
        SheetRows(panels: panels, most: most, panelWidth: 100, gap: 4, margin: 16)
    }

    @Test func rowsAreOfAlikeWidth() {
        #expect(rows([2, 2, 2, 2], most: 6).rows.map(\.cells) == [0..<2, 2..<4])
        #expect(rows([2, 2, 2, 2, 2], most: 6).rows.map(\.cells.count).sorted() == [2, 3])
        #expect(rows([2, 2, 2], most: 2).rows.map(\.cells) == [0..<1, 1..<2, 2..<3])
        #expect(rows([1, 1, 1, 1, 1, 1, 1], most: 6).rows.map(\.cells) == [0..<4, 4..<7])
        #expect(rows([1, 2, 1], most: 2).rows.map(\.cells) == [0..<1, 1..<2, 2..<3], "a pair is not torn")
        #expect(rows([1], most: 6) == rows([1], most: 2))
    }

    @Test func shorterRowsHaveLargerPanels() {
        let layout = rows([2, 2, 2, 2, 2], most: 6)
        #expect(layout.width == 6 * 100 + 3 * 4 + 2 * 16)
        for row in layout.rows {
            #expect(row.panelWidth == (row.cells.count == 3 ? 100 : (layout.width - 2 * 4 - 16) / 4))
        }
    }
}

@Suite struct TextBlockTests {
    private func drawn(_ block: TextBlock, width: Int = 200, height: Int = 60) -> Image {
        var image = Image(width: width, height: height, color: [255, 255, 255])
        block.draw(on: &image, x: 10, y: 10, color: [0, 0, 0])
        return image
    }

    /// The columns in which something is dark.
    private func inked(_ image: Image) -> [Int] {
        (0..<image.width).filter { x in (0..<image.height).contains { image[x, $0].x < 128 } }
    }

    @Test func linesBreakBetweenWords() {
        let one = TextBlock("make the red ball blue", size: 14, width: 1000)
        #expect(one.lineCount == 1 && one.width > 80 && one.height >= 14 && one.height < 30)
        let broken = TextBlock("make the red ball blue", size: 14, width: 70)
        #expect(broken.lineCount > 2 && broken.width <= 70 && broken.height > (broken.lineCount - 1) * one.height)
        let word = TextBlock("averylongwordthatdoesnotfit", size: 14, width: 70)
        #expect(word.lineCount > 1 && word.width <= 70, "a word longer than a line is cut")
        #expect(TextBlock("", size: 14, width: 70).lineCount <= 1)
    }

    @Test func lettersDiffer() {
        let images = "abcABC012éßñКлиЗωλفعשא€→".map { drawn(TextBlock(String($0), size: 20, width: 100)).pixels }
        #expect(Set(images).count == images.count)
        #expect("éßñКлωλفعשא€→".allSatisfy { TextBlock(String($0), size: 12, width: 50).missing.isEmpty })
    }

    /// What is written from right to left begins at the right end of its line.
    @Test func directions() {
        let latin = inked(drawn(TextBlock("abc", size: 16, width: 150)))
        let hebrew = inked(drawn(TextBlock("שלום", size: 16, width: 150)))
        #expect(latin.first! >= 10 && latin.last! < 60)
        #expect(hebrew.first! > 100 && hebrew.last! <= 160)
    }

    @Test func charactersWithoutAFontAreNamed() {
        #expect(TextBlock("a\u{10FFFE}b\u{10FFFD}c\u{10FFFD}", size: 12, width: 200).missing.contains("\u{10FFFD}"))
        #expect(TextBlock("tab\tbell\u{7}\r\nline\0", size: 12, width: 200).missing.isEmpty, "controls have no shape")
        #expect(TextBlock.hasFonts)
    }

    @Test func whatReachesBeyondThePictureIsCutOff() {
        for (x, y) in [(-20, -5), (190, 50), (-500, 0), (0, 500)] {
            var image = Image(width: 200, height: 60, color: [255, 255, 255])
            TextBlock("cut off", size: 20, width: 100).draw(on: &image, x: x, y: y, color: [0, 0, 0])
            #expect(image.width == 200 && image.height == 60)
        }
    }

    /// A text of half a megabyte costs no more than its beginning.
    @Test func endlessTextsAreCut() {
        let block = TextBlock(String(repeating: "word ", count: 100_000), size: 12, width: 300)
        let most = TextBlock(String(repeating: "word ", count: TextBlock.mostCharacters / 5), size: 12, width: 300)
        #expect(block.lineCount <= most.lineCount + 1)
    }
}
