import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

/// Names, choices and cuts of datasets that others have made.
@Suite struct PairReadingTests {
    /// A shard with OmniEdit's names and one of MagicBrush's.
    private func withShards(_ body: (URL) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        func picture(_ seed: Int) throws -> [UInt8] {
            try SyntheticPhoto.make(width: 48, height: 64, seed: seed).encoded(as: .png)
        }
        try TarWriter.write(to: folder.appending(path: "omni.tar").path) { tar in
            for (i, (task, score)) in [("removal", "9.5"), ("style", "6"), ("removal", "null")].enumerated() {
                try tar.add("\(i).src_img.png", picture(i))
                try tar.add("\(i).edited_img.png", picture(i + 5))
                let json = #"{"task": "\#(task)", "edited_prompt_list": ["a \#(i)", "b \#(i)"], "o_score": \#(score)}"#
                try tar.add("\(i).json", Array(json.utf8))
            }
        }
        try body(folder)
    }

    private func omniEdit() -> PairReading {
        var reading = PairReading()
        reading.columns = [
            "source": "src_img", "target": "edited_img", "instruction": "edited_prompt_list", "score": "o_score",
        ]
        return reading
    }

    @Test func columnsAreRenamed() throws {
        try withShards { folder in
            let dataset = try PairDataset(path: folder.path, reading: omniEdit())
            #expect(dataset.records.map(\.fields.instruction) == ["a 0", "a 1", "a 2"])
            #expect(dataset.records[1].instructions == ["a 1", "b 1"] && dataset.records[1].score == 6)
            #expect(dataset.records[2].score == nil && dataset.records[2].task == "removal")
            #expect(try DatasetCheck(path: folder.path, reading: omniEdit()).faults.isEmpty)
            // Without the names nothing fits.
            let error = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
            #expect(error?.faults.count == 3)
        }
    }

    @Test func tasksAndScoresChoose() throws {
        try withShards { folder in
            var reading = omniEdit()
            reading.minimumScore = 7
            // A pair without a score stays.
            let kept = try PairDataset(path: folder.path, reading: reading).records
            #expect(kept.map(\.fields.instruction) == ["a 0", "a 2"])
            // The least score itself is enough.
            reading.minimumScore = 6
            #expect(try PairDataset(path: folder.path, reading: reading).records.count == 3)
            reading.minimumScore = 6.0.nextUp
            #expect(try PairDataset(path: folder.path, reading: reading).records.count == 2)
            reading.minimumScore = 7
            reading.tasks = ["style"]
            let error = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path, reading: reading) }
            #expect(
                error?.faults.map(\.description) == [
                    "\(folder.path): expected at least one pair of the tasks style with a score of at least 7.0, "
                        + "found none among 3"
                ])
        }
    }

    @Test func theBottomIsCutOff() throws {
        try withShards { folder in
            var reading = omniEdit()
            reading.cropBottom = 32
            let dataset = try PairDataset(path: folder.path, reading: reading)
            let panels = try dataset.panels(at: 1)
            #expect(
                panels.source
                    == SyntheticPhoto.make(width: 48, height: 64, seed: 1).crop(x: 0, y: 0, width: 48, height: 62))
            #expect(panels.target.height == 62)
            let size = try dataset.sourceSize(at: 1)
            #expect(size.width == 48 && size.height == 62)
        }
    }

    @Test func faultyPairsMayBeLeftOut() throws {
        try withShards { folder in
            try TarWriter.write(to: folder.appending(path: "zz.tar").path) { try $0.add("9.src_img.png", [1]) }
            var reading = omniEdit()
            #expect(throws: DatasetError.self) { try PairDataset(path: folder.path, reading: reading) }
            reading.leavesFaultsOut = true
            let dataset = try PairDataset(path: folder.path, reading: reading)
            #expect(dataset.records.count == 3 && dataset.leftOut.count == 1)
            #expect(dataset.leftOut[0].path.hasSuffix("zz.tar"))
        }
    }

    @Test func datasetsJoin() throws {
        try withShards { folder in
            let omni = try PairDataset(path: folder.path, reading: omniEdit())
            let photos = try PairDataset(
                path: Fixtures.folder.appending(path: "../../Datasets/photo-edits").path)
            let both = PairDataset(joining: [photos, omni, omni])
            #expect(both.records.count == 32 && both.parts == [0..<26, 26..<29, 29..<32])
            for (index, other) in [(3, (photos, 3)), (27, (omni, 1)), (31, (omni, 2))] {
                let (a, b) = (try both.panels(at: index), try other.0.panels(at: other.1))
                #expect(a.source == b.source && a.target == b.target)
            }
        }
    }

    @Test func instructionsAreDrawnAnew() throws {
        var record = PairRecord(source: "a", target: "b", fields: PromptFields(instruction: "one"))
        record.instructions = ["one", "two", "three"]
        var draws = DrawOptions()
        draws.promptForm = .direct
        #expect(try draws.draw(record, panelLayout: .beside, index: 0, epoch: 0, position: 1).prompt == "one")
        draws.instruction = .random
        let prompts = try (0..<200).map {
            try draws.draw(record, panelLayout: .beside, index: 0, epoch: $0 / 20, position: $0 % 20).prompt
        }
        for text in record.instructions { #expect((40...95).contains(prompts.filter { $0 == text }.count)) }
        #expect(try draws.draw(record, panelLayout: .beside, index: 0, epoch: 3, position: 7).prompt == prompts[67])
    }

    @Test func viewsShowTheSameOfBothPictures() throws {
        var draws = DrawOptions()
        (draws.mirror, draws.cropScale) = (0.5, 0.5)
        let plain = PairRecord(source: "a", target: "b", fields: PromptFields(instruction: "make it blue"))
        let sided = PairRecord(source: "a", target: "b", fields: PromptFields(instruction: "blue on the Left"))
        let views = try (0..<100).map {
            try draws.draw(plain, panelLayout: .beside, index: 0, epoch: 0, position: $0).view
        }
        #expect((30...70).contains(views.filter(\.isMirrored).count))
        #expect(views.allSatisfy { $0.scale >= 0.5 && $0.scale < 1 } && Set(views).count == 100)
        let sidedViews = try (0..<100).map {
            try draws.draw(sided, panelLayout: .beside, index: 0, epoch: 0, position: $0).view
        }
        #expect(sidedViews.allSatisfy { !$0.isMirrored })

        try withShards { folder in
            let dataset = try PairDataset(path: folder.path, reading: omniEdit())
            let view = PanelView(scale: 0.5, x: 1, y: 0.5, isMirrored: true)
            let panels = try dataset.panels(at: 0, width: 24, height: 32, view: view)
            let whole = SyntheticPhoto.make(width: 48, height: 64, seed: 0)
            #expect(panels.source == whole.crop(x: 24, y: 16, width: 24, height: 32).oriented(.mirrored))
        }
    }
}
