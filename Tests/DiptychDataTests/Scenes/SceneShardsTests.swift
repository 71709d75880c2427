import DiptychData
import Foundation
import InContextEdit
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite(.serialized) struct SceneShardsTests {
    private func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func bytes(_ folder: URL) throws -> [String: Data] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return Dictionary(
            uniqueKeysWithValues: try names.map { ($0, try Data(contentsOf: folder.appending(path: $0))) })
    }

    private func generator(_ count: Int, size: Int = 64, level: Int = 1, seed: UInt64 = 1) throws -> SceneGenerator {
        try SceneGenerator(options: .init(count: count, size: size, level: level, seed: seed))
    }

    @Test(arguments: [PanelFormat.png, .jpg])
    func bytesDoNotDependOnThreads(format: PanelFormat) throws {
        try withFolder { folder in
            var written: [[String: Data]] = []
            for threads in [1, 3] {
                Threads.set(threads)
                defer { Threads.set(0) }
                let out = folder.appending(path: "\(threads)")
                try generator(50).write(to: out.path, layout: .init(format: format, shardSize: 20, size: 64))
                written.append(try bytes(out))
            }
            #expect(
                written[0].keys.sorted() == [
                    "scenes-000000.tar", "scenes-000001.tar", "scenes-000002.tar", "scenes.json",
                ])
            #expect(written[0] == written[1])
        }
    }

    @Test func shardsAreADatasetThatTheOracleAgreesWith() throws {
        try withFolder { folder in
            let generator = try generator(30, level: 2)
            try generator.write(to: folder.path, layout: .init(shardSize: 16, size: 64))
            let dataset = try PairDataset(path: folder.path)
            #expect(dataset.records.count == 30)
            for i in [0, 15, 16, 29] {
                let pair = generator.pair(at: i)
                let panels = try dataset.panels(at: i)
                #expect(panels.source == pair.source && panels.target == pair.target)
                #expect(dataset.records[i].fields == pair.fields)
                #expect(dataset.records[i].task == pair.edit.task.rawValue)
            }
            #expect(try dataset.panels(at: 3, width: 32, height: 16).target.width == 32)
            // The goal in a shard is the edit itself; the mask shows it.
            let tar = try TarFile(path: folder.appending(path: "scenes-000001.tar").path)
            #expect(
                tar.members.prefix(4).map(\.name) == [
                    "000000016.source.png", "000000016.target.png", "000000016.mask.png", "000000016.json",
                ])
            let mask = try tar.withBytes(of: tar.members[2]) { try Image(decoding: $0, name: "mask") }
            #expect(mask == generator.pair(at: 16).mask)
            let text = try tar.withBytes(of: tar.members[3]) {
                try #require(JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
            }
            let goal = try JSONSerialization.data(withJSONObject: try #require(text["goal"]))
            let edit = try JSONDecoder().decode(SceneEdit.self, from: goal)
            #expect(edit == generator.edit(at: 16))
            #expect(try SceneOracle().judge(dataset.panels(at: 16).target, of: edit).isMet)
            #expect((text["instructions"] as? [String])?.contains(dataset.records[16].fields.instruction) == true)
            // A single shard is a dataset, too.
            #expect(
                try PairDataset(path: tar.path).records.map(\.source)
                    == dataset.records[16...].map(\.source))
        }
    }

    @Test func interruptedRunsAreFinished() throws {
        try withFolder { folder in
            let whole = folder.appending(path: "whole")
            let layout = SceneGenerator.Layout(shardSize: 10, size: 64)
            try generator(25).write(to: whole.path, layout: layout)
            // What a killed process leaves: some shards, part of another, the mark of the unfinished.
            let half = folder.appending(path: "half")
            try FileManager.default.copyItem(at: whole, to: half)
            try FileManager.default.moveItem(
                at: half.appending(path: "scenes.json"), to: half.appending(path: "unfinished.json"))
            try FileManager.default.removeItem(at: half.appending(path: "scenes-000001.tar"))
            try Data("half".utf8).write(to: half.appending(path: ".scenes-000001.tar.x.partial"))
            let fault = #expect(throws: FileError.self) { try PairDataset(path: half.path) }
            #expect(fault?.expected == "a finished dataset")
            try generator(25).write(to: half.path, layout: layout)
            #expect(try bytes(half) == bytes(whole))
            // Once more changes nothing; other options are refused, or replace all when told to.
            try generator(25).write(to: half.path, layout: layout)
            #expect(try bytes(half) == bytes(whole))
            #expect(throws: FolderInUse.self) { try generator(25, seed: 2).write(to: half.path, layout: layout) }
            #expect(try bytes(half) == bytes(whole))
            try generator(5, seed: 2).write(to: half.path, layout: layout, overwrites: true)
            #expect(try bytes(half).keys.sorted() == ["scenes-000000.tar", "scenes.json"])
            // One process at a time.
            let lock = try FolderLock(half.path, expected: "", found: "")
            let busy = #expect(throws: FileError.self) {
                try generator(5, seed: 2).write(to: half.path, layout: layout)
            }
            #expect(busy?.found == "one in the making")
            withExtendedLifetime(lock) {}
            // Files of others are left alone.
            let other = folder.appending(path: "other")
            try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: other.appending(path: "mine.txt"))
            #expect(throws: FolderInUse.self) { try generator(5).write(to: other.path, layout: layout) }
            #expect(try bytes(other) == ["mine.txt": Data("mine".utf8)])
        }
    }
}
