import DiptychData
import Foundation
import TensorIO
import TestSupport
import Testing

@Suite struct PairPathsTests {
    /// A folder with a dataset `pairs`, in which lie `a.png`, `in/größe.png` (decomposed) and a link `linked.png` to a
    /// picture beside the dataset, `outside.png`.
    private func withFolder(
        _ body: (URL, (_ name: String, _ reading: PairReading) throws -> [FileError]) throws -> Void
    )
        throws
    {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let pairs = folder.appending(path: "pairs")
        try FileManager.default.createDirectory(at: pairs.appending(path: "in"), withIntermediateDirectories: true)
        let picture = SyntheticPhoto.make(width: 8, height: 8)
        for name in ["outside.png", "pairs/a.png"] { try picture.write(to: folder.path + "/" + name) }
        try picture.write(to: pairs.path + "/in/gro\u{308}\u{DF}e.png")
        try FileManager.default.createSymbolicLink(
            atPath: pairs.path + "/linked.png", withDestinationPath: "../outside.png")
        try body(folder) { name, reading in
            let line = try JSONSerialization.data(
                withJSONObject: ["source": name, "target": "a.png", "instruction": "make it blue"])
            try line.write(to: pairs.appending(path: "metadata.jsonl"))
            do {
                _ = try PairDataset(path: pairs.path, reading: reading).panels(at: 0)
                return []
            } catch let error as DatasetError {
                return error.faults
            }
        }
    }

    @Test func namesLeadToPictures() throws {
        try withFolder { folder, faults throws in
            for name in [
                "a.png", "./a.png", "in/../a.png", "in//gro\u{308}\u{DF}e.png", "in/gr\u{F6}\u{DF}e.png",
                "in\\gr\u{F6}\u{DF}e.png", "linked.png", folder.path + "/pairs/a.png",
                folder.path + "/pairs/in/gr\u{F6}\u{DF}e.png", folder.path + "/pairs/linked.png",
                folder.path + "/pairs/in/../a.png",
            ] {
                #expect(try faults(name, PairReading()).map(\.description) == [], "\(name)")
            }
        }
    }

    @Test func whatLeavesTheDatasetIsRefused() throws {
        try withFolder { folder, faults throws in
            var allowing = PairReading()
            allowing.allowsOutside = true
            for name in [
                "../outside.png", "in/../../outside.png", folder.path + "/outside.png",
                folder.path + "/pairs/../outside.png",
            ] {
                let found = try faults(name, PairReading())
                #expect(found.map(\.key) == ["line 1: source"], "\(name)")
                #expect(found.first?.expected == "a picture inside the dataset (data.allow_outside takes others)")
                #expect(found.first?.found == "'\(name)'")
                #expect(try faults(name, allowing).isEmpty, "\(name)")
            }
        }
    }

    @Test func aNameThatLeadsNowhere() throws {
        try withFolder { _, faults throws in
            func fault(_ name: String) throws -> String? { try faults(name, PairReading()).first?.description }
            #expect(try fault("b.png")?.hasSuffix("line 1: source: expected a picture, found no file 'b.png'") == true)
            #expect(try fault("in/b.png")?.hasSuffix("found no file 'in/b.png'") == true)
            #expect(try fault("in/Gr\u{F6}\u{DF}e.PNG")?.contains("(did you mean 'in/gr") == true)
            #expect(try fault("A.png")?.hasSuffix("found no file 'A.png' (did you mean 'a.png'?)") == true)
            #expect(try fault("in")?.hasSuffix("expected a picture, found a folder, 'in'") == true)
            #expect(try fault("a\u{0}.png")?.hasSuffix("found a name with a zero byte") == true)
        }
    }
}
