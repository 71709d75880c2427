import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

/// How often the world shows what: the shares are a part of what a dataset is, and no other test would notice others.
@Suite struct SceneDistributionTests {
    private func edits(level: Int, _ count: Int, tasks: [SceneTask] = [.remove]) throws -> [SceneEdit] {
        let generator = try SceneGenerator(
            options: .init(
                count: count, size: 64, level: level, seed: 11, tasks: tasks,
                photos: level == 3 ? Fixtures.folder.appending(path: "../../Datasets/photos").path : nil))
        return (0..<count).map { generator.edit(at: $0) }
    }

    /// Two scenes in five are drawn with a weather; it may be a clear one.
    @Test func weatherComesInTwoOfFive() throws {
        let scenes = try edits(level: 2, 2000).map(\.source)
        // Of the scenes with a weather to show, so many are drawn with one other than clear.
        let expected = scenes.reduce(0.0) { sum, scene in
            let all = scene.background.weathers
            return sum + 0.4 * Double(all.count { $0 != .clear }) / Double(all.count)
        }
        let found = scenes.count { $0.weather != .clear }
        #expect(abs(Double(found) - expected) < 90, "\(found) of \(scenes.count), expected \(expected)")
    }

    /// One thing in five is a framed photograph at level 3, none below.
    @Test func picturesAreAFifthOfLevelThree() throws {
        let things = try edits(level: 3, 1500).flatMap(\.source.objects)
        let share = Double(things.count { $0.kind == .picture }) / Double(things.count)
        #expect(abs(share - 0.2) < 0.05, "\(share)")
        #expect(try edits(level: 2, 300).flatMap(\.source.objects).allSatisfy { $0.kind != .picture })
    }

    /// Things stand up to one pixel of 64 beside the middle of their place, at higher levels two, all of it alike.
    @Test(arguments: [(1, 16), (2, 32)]) func thingsStandALittleBeside(level: Int, reach: Int) throws {
        var offsets: [Int] = []
        for object in try edits(level: level, 800).flatMap(\.source.objects) {
            let side = object.size.side(level: level)
            let center = object.place(level: level).center(side: side)
            offsets += [object.x - center.x, object.y - center.y]
        }
        #expect(offsets.allSatisfy { abs($0) <= reach })
        #expect(offsets.contains(reach) || offsets.contains(-reach))
        let outer = Double(offsets.count { abs($0) > reach / 2 }) / Double(offsets.count)
        #expect((0.3...0.65).contains(outer), "\(outer) stand in the outer half")
    }

    /// What a shard's JPEG loses can hardly be seen.
    @Test func picturesOfShardsAreFine() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let generator = try SceneGenerator(options: .init(count: 6, size: 128, level: 2, seed: 3))
        try generator.write(to: folder.path, layout: .init(format: .jpg, size: 128))
        let dataset = try PairDataset(path: folder.path)
        var squares = 0.0
        var count = 0
        for i in 0..<6 {
            let (drawn, read) = (generator.pair(at: i).target, try dataset.panels(at: i).target)
            for (a, b) in zip(drawn.pixels, read.pixels) {
                squares += Double((Int(a) - Int(b)) * (Int(a) - Int(b)))
                count += 1
            }
        }
        let psnr = 10 * log10(255 * 255 / (squares / Double(count)))
        #expect(psnr > 34, "\(psnr) dB")
        print("JPEG of shards: \(psnr) dB")
    }
}
