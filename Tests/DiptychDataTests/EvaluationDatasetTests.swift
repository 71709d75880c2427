import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

/// Datasets that models are judged by, in the layouts that benchmarks come in.
@Suite struct EvaluationDatasetTests {
    private func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func picture(_ seed: Int) -> Image { SyntheticPhoto.make(width: 40, height: 32, seed: seed) }

    /// Two sessions as MagicBrush's test folder has them: one of two turns, one of one.
    private func writeMagicBrush(to folder: URL) throws {
        var seed = 0
        func draw(_ session: String, _ names: [String]) throws {
            let images = folder.appending(path: "images/\(session)")
            try FileManager.default.createDirectory(at: images, withIntermediateDirectories: true)
            for name in names {
                try picture(seed).write(to: images.appending(path: "\(session)-\(name).png").path)
                seed += 1
            }
        }
        try draw("77", ["input", "mask1", "output1", "mask2", "output2"])
        try draw("100", ["input", "mask1", "output1"])
        func turn(_ session: String, _ number: Int) -> [String: String] {
            [
                "input": number == 1 ? "\(session)-input.png" : "\(session)-output\(number - 1).png",
                "mask": "\(session)-mask\(number).png", "output": "\(session)-output\(number).png",
                "instruction": "edit \(session) \(number)",
            ]
        }
        try write(["77": [turn("77", 1), turn("77", 2)], "100": [turn("100", 1)]], "edit_sessions", folder)
        try write([turn("77", 1), turn("77", 2), turn("100", 1)], "edit_turns", folder)
        let captions = ["77-input.png": "a cat", "77-output1.png": "a blue cat", "77-output2.png": "a blue dog"]
        try write(["77": captions], "global_descriptions", folder)
    }

    private func write(_ object: Any, _ name: String, _ folder: URL) throws {
        let bytes = try JSONSerialization.data(withJSONObject: object)
        try bytes.write(to: folder.appending(path: "\(name).json"))
    }

    @Test func magicBrushIsReadAsItComes() throws {
        try withFolder { folder in
            try writeMagicBrush(to: folder)
            let benchmark = try EvaluationDataset(path: folder.path)
            #expect(benchmark.items.map(\.id) == ["100-1", "77-1", "77-2"])
            #expect(benchmark.items.map(\.instruction) == ["edit 100 1", "edit 77 1", "edit 77 2"])
            #expect(benchmark.items.map(\.session) == ["100", "77", "77"] && benchmark.items.map(\.turn) == [1, 1, 2])
            #expect(benchmark.items.map(\.sourceCaption) == [nil, "a cat", "a blue cat"])
            #expect(benchmark.items.map(\.targetCaption) == [nil, "a blue cat", "a blue dog"])
            #expect(benchmark.items.allSatisfy { $0.hasTarget && $0.hasMask } && benchmark.sessions == [[0], [1, 2]])
            // The source of a turn is the annotators' picture of the turn before.
            #expect(try benchmark.source(at: 1) == picture(0) && benchmark.target(at: 1) == picture(2))
            #expect(try benchmark.source(at: 2) == picture(2) && benchmark.target(at: 2) == picture(4))
            #expect(try benchmark.mask(at: 2) == picture(3))
            var reading = PairReading()
            reading.cropBottom = 16
            #expect(
                try EvaluationDataset(path: folder.path, reading: reading).target(at: 1)
                    == picture(2).crop(x: 0, y: 0, width: 40, height: 30))

            let check = try DatasetCheck(path: folder.path, isEvaluation: true)
            #expect(check.faults.isEmpty && check.pairCount == 3 && check.sessionCount == 2)
            #expect(check.targetCount == 3 && check.maskCount == 3)
            // Nobody trains on it by mistake.
            #expect(PairDataset.isThere(folder.path))
            for body in [
                { _ = try PairDataset(path: folder.path) }, { _ = try DatasetCheck(path: folder.path) },
            ] as [() throws -> Void] {
                let error = #expect(throws: FileError.self) { try body() }
                #expect(error?.found.hasPrefix("MagicBrush's test folder, for evaluation only") == true)
            }
        }
    }

    @Test func faultsOfMagicBrushAreNamed() throws {
        try withFolder { folder in
            try writeMagicBrush(to: folder)
            func faults() throws -> [String] {
                do {
                    _ = try EvaluationDataset(path: folder.path)
                    return []
                } catch let error as DatasetError {
                    return error.faults.map {
                        "\(URL(filePath: $0.path).lastPathComponent): \($0.key ?? "-"): \($0.found)"
                    }
                } catch let error as FileError {
                    return ["\(URL(filePath: error.path).lastPathComponent): \(error.expected); \(error.found)"]
                }
            }
            try FileManager.default.removeItem(at: folder.appending(path: "images/77/77-mask2.png"))
            try FileManager.default.removeItem(at: folder.appending(path: "images/100/100-output1.png"))
            #expect(
                try faults() == [
                    "edit_sessions.json: 100: turn 1: output: no file 'images/100/100-output1.png'",
                    "edit_sessions.json: 77: turn 2: mask: no file 'images/77/77-mask2.png'",
                ])
            try writeMagicBrush(to: folder)
            try write(["77": [["input": "77-input.png", "output": "77-output1.png"]]], "edit_sessions", folder)
            let differing = try faults()
            #expect(differing[0] == "edit_sessions.json: 77: turn 1: none")
            #expect(
                differing.dropFirst() == ["edit_sessions.json: -: none such", "edit_sessions.json: -: none such"][...])
            try Data("{".utf8).write(to: folder.appending(path: "edit_turns.json"))
            #expect(try faults() == ["edit_turns.json: JSON; text that is none"])
            try Data("{}".utf8).write(to: folder.appending(path: "edit_turns.json"))
            #expect(try faults() == ["edit_turns.json: a list of turns; other JSON"])
            try FileManager.default.removeItem(at: folder.appending(path: "edit_sessions.json"))
            #expect(try faults() == ["edit_sessions.json: a list of MagicBrush's test folder; no such file"])
        }
    }

    @Test func shardsMayLackTargets() throws {
        try withFolder { folder in
            for shard in ["a", "b"] {
                try TarWriter.write(to: folder.appending(path: "\(shard).tar").path) { tar in
                    for key in 0..<2 {
                        try tar.add("\(key).image.png", picture(key + (shard == "a" ? 0 : 2)).encoded(as: .png))
                        let same = shard == "b" && key == 1
                        let text =
                            #"{"instruction": "edit \#(shard)\#(key)", "task": "style", "idx": \#(key), "hash": "x", "#
                            + #""split": "test", "input_caption": "one", "output_caption": "\#(same ? "one" : "two")"}"#
                        try tar.add("\(key).json", Array(text.utf8))
                    }
                }
            }
            let benchmark = try EvaluationDataset(path: folder.path, reading: .emuEdit)
            #expect(
                benchmark.items.map(\.id) == ["a-0", "a-1", "0"] || benchmark.items.map(\.id) == ["a-0", "1", "b-0"])
            #expect(benchmark.items.map(\.instruction) == ["edit a0", "edit a1", "edit b0"], "two captions alike")
            #expect(benchmark.items.allSatisfy { !$0.hasTarget && $0.task == "style" && $0.targetCaption == "two" })
            #expect(benchmark.sessions == [[0], [1], [2]])
            #expect(try benchmark.source(at: 2) == picture(2) && benchmark.target(at: 2) == nil)

            var names = PairReading()
            names.columns = ["source": "image"]
            let check = try DatasetCheck(path: folder.path, reading: names, isEvaluation: true)
            #expect(check.faults.isEmpty && check.pairCount == 4 && check.targetCount == 0)
            // Training refuses it in one line; where only some lack a target, each is named.
            let one = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path, reading: names) }
            #expect(
                one?.lines == [
                    "\(folder.path): expected a member '0.target.png, .jpg or .webp' in every pair, found none in 4: for evaluation "
                        + "only (diptych data check --evaluation reads it)"
                ])
            #expect(try DatasetCheck(path: folder.path, reading: names).faults.count == 1)
            try TarWriter.write(to: folder.appending(path: "b.tar").path) { tar in
                for name in ["image", "target"] { try tar.add("9.\(name).png", picture(9).encoded(as: .png)) }
                try tar.add("9.json", Array(#"{"instruction": "x"}"#.utf8))
            }
            let some = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path, reading: names) }
            #expect(some?.faults.map(\.key) == ["0", "1"])
        }
    }

    @Test func listsMayLackTargets() throws {
        try withFolder { folder in
            for name in ["a", "b", "m"] {
                try picture(name.count).write(to: folder.appending(path: "\(name).png").path)
            }
            func list(_ lines: [String]) throws {
                try Data(lines.joined(separator: "\n").utf8).write(to: folder.appending(path: "metadata.jsonl"))
            }
            try list([
                #"{"source": "a.png", "instruction": "one", "session": "s", "turn": 2, "id": "second"}"#,
                #"{"source": "b.png", "instruction": "two", "target": "a.png", "mask": "m.png", "session": "s", "turn": 1}"#,
                #"{"source": "b.png", "instruction": "three", "target": null, "task": "style"}"#,
            ])
            let benchmark = try EvaluationDataset(path: folder.path)
            #expect(benchmark.items.map(\.id) == ["second", "2", "3"] && benchmark.sessions == [[1, 0], [2]])
            #expect(benchmark.items.map(\.hasTarget) == [false, true, false])
            #expect(benchmark.items.map(\.hasMask) == [false, true, false])
            let training = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
            #expect(training?.faults.map(\.key) == ["line 1", "line 3: target"])
            let sheet = try ContactSheet(path: folder.path, isEvaluation: true, count: 3, columns: 1, panelSide: 64)
            #expect(sheet.frames.map { $0.target != nil } == sheet.indices.map { $0 == 1 })

            try list([
                #"{"source": "a.png", "instruction": "one", "target": "c.png"}"#,
                #"{"source": "a.png", "instruction": "one", "target": ""}"#,
                #"{"source": "a.png", "instruction": "one", "mask": "c.png"}"#,
                #"{"source": "a.png", "instruction": "one", "id": 7}"#,
                #"{"source": "a.png", "instruction": "two", "id": "7"}"#,
            ])
            let faults = #expect(throws: DatasetError.self) { try EvaluationDataset(path: folder.path) }?.faults
            #expect(
                faults?.map(\.key) == ["line 1: target", "line 2: target", "line 3: mask", "line 5"],
                "\(String(describing: faults))")
            try list([#"{"source": "a.png", "instruction": "one", "trget": "a.png"}"#])
            let one = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
            #expect(one?.faults.count == 1 && one?.faults[0].nearest == "trget")
            #expect(one?.faults[0].expected == "the key 'target' in every pair")
        }
    }
}
