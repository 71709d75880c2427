import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

@Suite struct PairDatasetTests {
    /// A folder with the pictures `a.png` and `b.png` and this list, removed afterwards.
    private func withList(_ text: String, _ body: (URL) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try SyntheticPhoto.make(width: 40, height: 24).write(to: folder.appending(path: "a.png").path)
        try SyntheticPhoto.make(width: 20, height: 16, seed: 1).write(to: folder.appending(path: "b.png").path)
        try Data(text.utf8).write(to: folder.appending(path: PairDataset.metadataName))
        try body(folder)
    }

    private func faults(of list: String) throws -> [FileError] {
        var faults: [FileError] = []
        try withList(list) { folder in
            faults = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }?.faults ?? []
            #expect(faults.allSatisfy { $0.path.hasSuffix("/metadata.jsonl") })
        }
        return faults
    }

    private let good = #"{"source": "a.png", "target": "b.png", "instruction": "make it blue"}"#

    @Test func aGoodListIsRead() throws {
        let full = """
            {"source": "b.png", "target": "a.png", "instruction": "füge „ß“ hinzu", "task": "style", "subject": "cat", \
            "description": "a cat", "input_caption": "one", "output_caption": null, "more": 3}
            """
        try withList("\n\(good)\n\n\(full)\r\n") { folder in
            let dataset = try PairDataset(path: folder.path)
            #expect(dataset.folder.path == folder.path)
            #expect(
                dataset.records == [
                    PairRecord(source: "a.png", target: "b.png", fields: PromptFields(instruction: "make it blue")),
                    PairRecord(
                        source: "b.png", target: "a.png",
                        fields: PromptFields(
                            instruction: "füge „ß“ hinzu", subject: "cat", description: "a cat", inputCaption: "one"),
                        task: "style"),
                ])
        }
    }

    @Test func panelsAreResizedAsPillowDoes() throws {
        try withList(good) { folder in
            var reading = PairReading()
            reading.allowsMismatch = true
            let dataset = try PairDataset(path: folder.path, reading: reading)
            let panels = try dataset.panels(at: 0, width: 32, height: 16)
            let (a, b) = (
                SyntheticPhoto.make(width: 40, height: 24), SyntheticPhoto.make(width: 20, height: 16, seed: 1)
            )
            #expect(panels.source == a.resized(width: 32, height: 16, filter: .bicubic))
            #expect(panels.target == b.resized(width: 32, height: 16, filter: .bicubic))
            #expect(try dataset.panels(at: 0, width: 20, height: 16).target == b)
        }
    }

    @Test func writingAndReadingAgree() throws {
        try withList("not read") { folder in
            let records = [
                PairRecord(
                    source: "a.png", target: "b.png",
                    fields: PromptFields(
                        instruction: "say \"hi\"/\n\\ — 你好", subject: "s", description: "d", inputCaption: "i",
                        outputCaption: "o"),
                    task: "style"),
                PairRecord(source: "b.png", target: "a.png", fields: PromptFields(instruction: "x")),
            ]
            try PairDataset.write(records, to: folder)
            #expect(try PairDataset(path: folder.path).records == records)
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(left.sorted() == ["a.png", "b.png", "metadata.jsonl"])
        }
    }

    @Test func aFolderWithoutAListIsNoDataset() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let error = #expect(throws: FileError.self) { try PairDataset(path: folder.path) }
        #expect(error?.found == "an empty folder")
    }

    @Test(arguments: [["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r", "\r\n"]])
    func linesMayEndInAnyWay(ends: [String]) throws {
        let instructions = ["one", "two \u{2028}\u{85} of a line", "three", "four"]
        var list = "\u{FEFF}"
        for (index, instruction) in instructions.enumerated() {
            list +=
                #"{"source": "a.png", "target": "b.png", "instruction": "\#(instruction)"}"# + ends[index % ends.count]
        }
        try withList(list) { folder in
            let records = try PairDataset(path: folder.path).records
            #expect(records.map(\.fields.instruction) == instructions)
        }
        #expect(try faults(of: list + "{" + ends[0]).map(\.key) == ["line 5"])
    }

    @Test func otherEncodingsAreNamed() throws {
        try withList("not read") { folder in
            let list = folder.appending(path: "metadata.jsonl")
            func fault(_ bytes: [UInt8]) throws -> FileError? {
                try Data(bytes).write(to: list)
                return #expect(throws: FileError.self) { try PairDataset(path: folder.path) }
            }
            let latin = try fault(Array((good + "\r\n" + #"{"instruction": "caf"#).utf8) + [0xE9, 0x22, 0x7D])
            #expect(latin?.key == "line 2, column 21" && latin?.expected == "text in UTF-8")
            #expect(latin?.found == "the byte E9, 'é' of Windows-1252 (cp1252) (save the file as UTF-8)")
            let wide = try fault([0xFF, 0xFE] + good.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
            #expect(wide?.key == "line 1, column 1" && wide?.found == "UTF-16 (little-endian) (save the file as UTF-8)")
        }
    }

    @Test(arguments: ["", "\n \n"])
    func emptyLists(list: String) throws {
        #expect(try faults(of: list).map(\.found) == ["an empty list"])
    }

    @Test func everyFaultIsReportedAtOnce() throws {
        let lines = [
            good,
            "{\"source\": ",
            "[1, 2]",
            #"{"source": "a.png", "target": "b.png", "instuction": "x"}"#,
            #"{"source": "a.png", "instruction": "x"}"#,
            #"{"source": "a.png", "target": "b.png", "instruction": "  "}"#,
            #"{"source": "a.png", "target": 7, "instruction": "x"}"#,
            #"{"source": "c.png", "target": "d/e.png", "instruction": "x"}"#,
            #"{"source": "a.png", "target": "b.png", "instruction": "x", "task": ["style"]}"#,
            #"{"source": "", "target": "b.png", "instruction": "x"}"#,
        ]
        let faults = try faults(of: lines.joined(separator: "\n"))
        #expect(
            faults.map { "\($0.key ?? ""): \($0.found)" + ($0.nearest.map { " (\($0))" } ?? "") }.prefix(4)
                == [
                    "line 2: text that is no JSON", "line 3: another JSON value", "line 4: none (instuction)",
                    "line 5: none",
                ])
        #expect(
            faults.dropFirst(4).map { $0.key ?? "" }
                == [
                    "line 6: instruction", "line 7: target", "line 8: source", "line 8: target", "line 9: task",
                    "line 10: source",
                ])
        #expect(faults.count == 10)
        #expect(faults[6].found == "no file 'c.png'")
    }

    @Test func longListsOfFaultsAreCut() throws {
        let error = DatasetError.self
        try withList(Array(repeating: "x", count: 33).joined(separator: "\n")) { folder in
            let lines = #expect(throws: error) { try PairDataset(path: folder.path) }?.description.split(
                separator: "\n")
            #expect(lines?.count == 21)
            #expect(lines?.last == "and 13 more faults")
        }
    }
}
