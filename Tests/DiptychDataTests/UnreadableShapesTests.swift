import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// What becomes of batches when all pairs of a shape, or all of a dataset, cannot be read.
@Suite struct UnreadableShapesTests {
    /// Four square, three wide and three tall pairs, in turns.
    private struct Setting {
        let folder: URL
        static let sizes = [(32, 32), (48, 32), (32, 48)]

        init() throws {
            folder = try Fixtures.scratchFolder()
            try SyntheticPairs.write(10, to: folder) {
                Self.sizes[$0 % 3]
            } instruction: {
                "edit \($0)"
            }
        }

        func remove() { try? FileManager.default.removeItem(at: folder) }

        /// Cuts targets in the middle, so that only their headers can be read.
        func cut(_ indices: [Int]) throws {
            for index in indices {
                let file = folder.appending(path: "t\(index).png")
                let bytes = try Data(contentsOf: file)
                try bytes.prefix(bytes.count / 2).write(to: file)
            }
        }

        func shapes() throws -> PanelShapes {
            PanelShapes(
                Self.sizes.map { DiptychGeometry(panelWidth: $0.0, panelHeight: $0.1) },
                of: try PairDataset(path: folder.path))
        }

        func loader(
            workers: Int = 0, skips: Bool = true, from place: (order: EpochOrder, random: Random)? = nil
        ) throws -> DiptychLoader {
            var options = SampleEncoder.Options(
                panelWidth: 32, panelHeight: 32, maximumSequenceLength: 8, promptForm: .direct)
            options.shapes = Self.sizes.map { DiptychGeometry(panelWidth: $0.0, panelHeight: $0.1) }
            let encoder = try SampleEncoder(
                PairDataset(path: folder.path),
                encoders: FrozenEncoders(PipelineParts(folder: Fixtures.path("tiny-random-fill"))), options: options)
            var loading = DiptychLoader.Options(batchSize: 2, textDrop: 0.5)
            loading.skipsFaults = skips
            loading.workers = workers
            var plan = EpochPlan()
            plan.groups = try DiptychLoader.groups(of: encoder, loading)
            plan.batchSize = 2
            let (order, random) = place ?? (EpochOrder(count: 10, seed: 4, plan: plan), Random(seed: 3))
            return try DiptychLoader(encoder, options: loading, order: order, random: random)
        }
    }

    @Test(arguments: [[1], [1, 2], [2, 0]]) func batchesOfAnUnreadableShapeAreThoseOfTheNext(shapes: [Int]) throws {
        let setting = try Setting()
        defer { setting.remove() }
        let whole = try setting.loader()
        try setting.cut((0..<10).filter { shapes.contains($0 % 3) })
        let (loader, ahead) = (try setting.loader(), try setting.loader(workers: 3))
        // Six batches are a pass.
        for _ in 0..<13 {
            let place = (loader.order, loader.random)
            let (a, b, old) = (try loader.next(), try ahead.next(), try whole.next())
            let shape = a.indices[0] % 3
            #expect(a.indices.allSatisfy { $0 % 3 == shape } && !shapes.contains(shape), "\(a.indices)")
            #expect(a.clean.shape[1] == a.geometry.tokenCount && a.geometry.panelWidth == Setting.sizes[shape].0)
            // Other batches are as they were, and the places in the order too.
            let before = old.indices[0] % 3
            if !shapes.contains(before) { #expect(a.indices == old.indices) }
            let next = (1...2).map { (before + $0) % 3 }.first { !shapes.contains($0) }
            if shapes.contains(before) { #expect(shape == next) }
            #expect(loader.order == whole.order)
            #expect(
                b.indices == a.indices && b.clean.floats == a.clean.floats
                    && b.conditioning.text.floats == a.conditioning.text.floats)
            // One that begins here gives the same.
            let c = try setting.loader(from: place).next()
            #expect(
                c.indices == a.indices && c.noise.floats == a.noise.floats
                    && c.conditioning.text.floats == a.conditioning.text.floats)
        }
        let lost = (0..<10).filter { shapes.contains($0 % 3) }.map { "line \($0 + 1): target" }
        #expect(loader.skipped.compactMap(\.key).sorted() == lost.sorted())
        #expect(ahead.skipped.compactMap(\.key).sorted() == lost.sorted())
        #expect(throws: FileError.self) {
            let stopping = try setting.loader(skips: false)
            for _ in 0..<6 { _ = try stopping.next() }
        }
    }

    @Test(arguments: [0, 3]) func nothingToReadIsOneLine(workers: Int) throws {
        let setting = try Setting()
        defer { setting.remove() }
        try setting.cut(Array(0..<10))
        let loader = try setting.loader(workers: workers)
        for _ in 0..<2 {
            let error = #expect(throws: FileError.self) { try loader.next() }
            #expect(error?.path.hasSuffix("/metadata.jsonl") == true)
            #expect(error?.expected == "at least one pair that can be read")
            #expect(error?.found.hasPrefix("none among 10; line 1: target: expected ") == true)
            #expect(error?.description.contains("\n") == false)
        }
    }

    @Test func sourcesWithoutASizeTakeTheCommonestShape() throws {
        let setting = try Setting()
        defer { setting.remove() }
        #expect(try setting.shapes().shapeOfPair == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
        // Of the wide ones none is left to count, and of the others more tall than square ones.
        for index in [0, 1, 3, 4, 7] { try Data([1]).write(to: setting.folder.appending(path: "s\(index).png")) }
        #expect(try setting.shapes().shapeOfPair == [2, 2, 2, 2, 2, 2, 0, 2, 2, 0])
        for index in 0..<10 { try Data([1]).write(to: setting.folder.appending(path: "s\(index).png")) }
        #expect(try setting.shapes().shapeOfPair == [Int](repeating: 0, count: 10))
    }
}
