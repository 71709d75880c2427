import DiptychData
import Foundation
import TensorIO
import TestSupport
import Testing

/// Shards as others write them, whole and faulty.
@Suite struct ShardedPairsTests {
    private func faults(of members: [(String, [UInt8])]) throws -> [String] {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "a.tar").path
        try TarWriter.write(to: path) { tar in for (name, bytes) in members { try tar.add(name, bytes) } }
        do {
            _ = try PairDataset(path: folder.path)
            return []
        } catch let error as DatasetError {
            return error.faults.map { "\($0.key ?? "-"): \($0.expected); \($0.found)" }
        }
    }

    private let text = Array(#"{"instruction": "make it blue", "task": "style"}"#.utf8)
    private func picture() throws -> [UInt8] { try SyntheticPhoto.make(width: 40, height: 24).encoded(as: .png) }

    @Test func foldersOtherMembersAndJPEGAreWelcome() throws {
        let picture = try picture()
        let jpeg = try SyntheticPhoto.make(width: 40, height: 24).encoded(as: .jpeg())
        #expect(
            try faults(of: [
                ("x.y/1.source.jpg", jpeg), ("x.y/1.target.PNG", picture), ("x.y/1.json", text), ("x.y/1.txt", [1]),
                ("x.y/2.cls", [2]), ("x.y/2.json", text), ("x.y/2.source.jpeg", jpeg), ("x.y/2.target.png", picture),
                ("README", [3]),
            ]).isEmpty)
    }

    @Test func everyFaultIsNamed() throws {
        let picture = try picture()
        #expect(try faults(of: []) == ["-: at least one pair; an archive without any"])
        #expect(
            try faults(of: [
                ("1.source.png", picture), ("1.json", text),
                ("2.source.png", picture), ("2.target.png", picture),
                ("3.source.png", picture), ("3.target.png", picture), ("3.json", Array("{".utf8)),
                ("4.source.png", picture), ("4.target.png", picture), ("4.json", Array(#"{"instruction": " "}"#.utf8)),
                ("5.source.png", picture), ("5.source.png", picture), ("5.target.png", picture), ("5.json", text),
            ]) == [
                "5: one member 'source.png'; another before it",
                "1: a member '1.target.png, .jpg or .webp'; '.json', '.source.png'",
                "2: a member '2.json'; '.source.png', '.target.png'", "3: a JSON object; text that is no JSON",
                "4: instruction: some text; an empty string",
            ])
    }

    @Test func damagedShardsAreNamedBesideWholeOnes() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let picture = try picture()
        for name in ["a", "b", "c"] {
            try TarWriter.write(to: folder.appending(path: "\(name).tar").path) { tar in
                try tar.add("\(name).source.png", picture)
                try tar.add("\(name).target.png", name == "c" ? [1, 2] : picture)
                try tar.add("\(name).json", text)
            }
        }
        try Data("no tar".utf8).write(to: folder.appending(path: "b.tar"))
        let error = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
        #expect(error?.faults.count == 1 && error?.faults[0].path.hasSuffix("b.tar") == true)
        // The check goes on with the others.
        let check = try DatasetCheck(path: folder.path)
        #expect(check.pairCount == 2 && check.faults.count == 2)
        #expect(check.faults[1].path.hasSuffix("c.tar") && check.faults[1].key == "c: target")
    }
}
