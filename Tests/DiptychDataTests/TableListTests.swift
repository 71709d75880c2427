import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

/// Lists as spreadsheets write them, read by `PairDataset`.
@Suite struct TableListTests {
    /// Reads a table beside three pictures.
    private func withTable<Result>(
        _ text: String, name: String = "metadata.csv", reading: PairReading = PairReading(),
        _ body: (PairDataset) throws -> Result
    ) throws -> Result {
        try withFolder(text, name) { try body(try PairDataset(path: $0.path, reading: reading)) }
    }

    private func withFolder<Result>(_ text: String, _ name: String, _ body: (URL) throws -> Result) throws -> Result {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        for (number, picture) in ["a.png", "b.png", "c, d.png"].enumerated() {
            try SyntheticPhoto.make(width: 16, height: 16, seed: number).write(to: folder.appending(path: picture).path)
        }
        try Data(text.utf8).write(to: folder.appending(path: name))
        return try body(folder)
    }

    private func faults(of text: String) throws -> [String] {
        try withFolder(text, "metadata.csv") { folder in
            let error = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
            #expect(error?.faults.allSatisfy { $0.path == folder.path + "/metadata.csv" } == true)
            return error?.faults.map { $0.description.replacing(folder.path + "/metadata.csv: ", with: "") } ?? []
        }
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func quotedFields(end: String) throws {
        let text =
            ["source,target,instruction,task,score", #"a.png,b.png,"make it ""red"", please",style,7.5"#, "", "  "]
            .joined(separator: end)
            + end + #"  "a.png" , "c, d.png" ,"two"# + end + #"lines",,"# + end + "b.png,a.png,größer machen,,"
        try withTable(text) { dataset in
            #expect(
                dataset.records.map(\.fields.instruction) == [#"make it "red", please"#, "two\nlines", "größer machen"])
            #expect(dataset.records.map(\.source) == ["a.png", "a.png", "b.png"])
            #expect(dataset.records.map(\.target) == ["b.png", "c, d.png", "a.png"])
            #expect(dataset.records.map(\.task) == ["style", nil, nil])
            #expect(dataset.records.map(\.score) == [7.5, nil, nil])
        }
    }

    @Test(arguments: [(",", "metadata.csv"), (";", "pairs.csv"), ("\t", "list.tsv")])
    func separatorsAreToldByTheHeader(separator: String, name: String) throws {
        let rows = [
            ["", "source", "target", "instruction"], ["0", "a.png", "b.png", "one"], ["1", "b.png", "a.png", ""],
        ]
        let text = "\u{FEFF}" + rows.prefix(2).map { $0.joined(separator: separator) }.joined(separator: "\n")
        try withTable(text, name: name) { #expect($0.records.map(\.fields.instruction) == ["one"]) }
        try withFolder(text, name) { folder in
            let itself = try PairDataset(path: folder.appending(path: name).path)
            #expect(itself.records.count == 1)
            #expect(PairDataset.isThere(folder.path) && PairDataset.isThere(folder.appending(path: name).path))
        }
    }

    @Test func columnsHaveTheDatasetsNames() throws {
        var reading = PairReading()
        reading.columns = ["source": "before", "target": "after", "instruction": "prompt"]
        let text = "after,before,prompt\nb.png,a.png,one\n"
        try withTable(text, reading: reading) {
            #expect($0.records[0].source == "a.png" && $0.records[0].target == "b.png")
        }
        let several = #"source,target,instructions"# + "\n" + #"a.png,b.png,"[""one"", ""two""]""#
        try withTable(several) { #expect($0.records[0].instructions == ["one", "two"]) }
    }

    @Test func faultsHaveLineAndColumn() throws {
        let head = "source,target,instruction\n"
        #expect(
            try faults(of: head + "a.png,b.png,a 5\" disc\n") == [
                "line 2, column 16: expected no quote inside a field without quotes, found one (a field that holds a quote "
                    + "stands in quotes, and doubles it)"
            ])
        #expect(
            try faults(of: head + "a.png,b.png,one\n\na.png,\"ü\"b,x\n") == [
                "line 4, column 10: expected a separator or the line's end behind a closing quote, found more text (a "
                    + "quote inside quotes is doubled)"
            ])
        #expect(
            try faults(of: head + "a.png,b.png,\"never\nclosed\n\n") == [
                "line 2, column 13: expected a closing quote to this one, found the end of the file"
            ])
        #expect(
            try faults(of: head + "a.png,b.png\na.png,b.png,make it red, please\na.png,none.png,\"x\n\"\na.png,,x\n")
                == [
                    "line 2: expected 3 fields as in the header, found 2 (a field that holds a ',' stands in quotes)",
                    "line 3: expected 3 fields as in the header, found 4 (a field that holds a ',' stands in quotes)",
                    "line 4: target: expected a picture, found no file 'none.png'",
                    "line 6: target: expected some text, found an empty string",
                ])
        #expect(
            try faults(of: "source,trget,instruction\na.png,b.png,x\n") == [
                "line 1: expected a column 'target', found source, trget, instruction (did you mean 'trget'?)"
            ])
        #expect(
            try faults(of: "source,instruction\na.png,x\n") == [
                "line 1: expected a column 'target', found source, instruction: for evaluation only (diptych data check "
                    + "--evaluation reads it)"
            ])
        #expect(
            try faults(of: "source,target,source\na.png,b.png,x\n") == [
                "line 1: expected columns of different names, found 'source' twice"
            ])
        #expect(
            try faults(of: head + "a.png,b.png,x\n".replacing("x", with: "")) == [
                "line 2: instruction: expected some text, found an empty string"
            ])
        for empty in ["", "\n\n", head] { #expect(try faults(of: empty).count == 1, "\(empty)") }
    }

    @Test func evaluationNeedsNoTarget() throws {
        try withFolder("source,instruction,id\na.png,one,x\nb.png,two,\n", "metadata.csv") { folder in
            let items = try EvaluationDataset(path: folder.path).items
            #expect(items.map(\.id) == ["x", "3"] && items.allSatisfy { !$0.hasTarget })
        }
    }

    @Test func severalTablesAreNoList() throws {
        try withFolder("source,target,instruction\na.png,b.png,x\n", "one.csv") { folder in
            try Data().write(to: folder.appending(path: "two.csv"))
            let error = #expect(throws: FileError.self) { try PairDataset(path: folder.path) }
            #expect(error?.found == "2: one.csv, two.csv (name the file that is meant)")
            #expect(try PairDataset(path: folder.path + "/one.csv").records.count == 1)
            try FileManager.default.moveItem(
                at: folder.appending(path: "one.csv"), to: folder.appending(path: "metadata.csv"))
            #expect(try PairDataset(path: folder.path).records.count == 1)
        }
    }
}
