import DiptychData
import Foundation
import InContextEdit
import Models
import TensorIO
import TestSupport
import Testing

@Suite struct PairNotesTests {
    /// A dataset of pairs of given sizes and instructions.
    private func withPairs(
        _ pairs: [(source: (Int, Int), target: (Int, Int), instruction: String)],
        _ more: [String: Any] = [:], _ body: (String) throws -> Void
    ) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var list = Data()
        for (i, pair) in pairs.enumerated() {
            for (side, size) in [("s", pair.source), ("t", pair.target)] {
                try SyntheticPhoto.make(width: size.0, height: size.1, seed: i)
                    .write(to: folder.path + "/\(side)\(i).png")
            }
            var object = more
            (object["source"], object["target"]) = ("s\(i).png", "t\(i).png")
            object["instruction"] = pair.instruction
            list += try JSONSerialization.data(withJSONObject: object) + Data("\r\n".utf8)
        }
        try list.write(to: folder.appending(path: "metadata.jsonl"))
        try body(folder.path)
    }

    private let panel = DiptychGeometry(panelWidth: 64, panelHeight: 64)

    /// What check says of a dataset, and what training says.
    private func notes(
        _ path: String, _ change: (inout PairNotes.Settings) -> Void = { _ in }
    ) throws -> (check: [String], training: [String]) {
        var settings = PairNotes.Settings()
        change(&settings)
        let dataset = try PairDataset(path: path)
        let training = PairNotes(
            dataset, PanelShapes([panel], of: dataset), settings,
            transparentPictures: dataset.inspect().transparentPictures)
        let check = try DatasetCheck(path: path, shapes: [panel], settings: settings)
        #expect(check.faults.isEmpty)
        return (check.notes, training.lines)
    }

    @Test func squashedAndEnlargedPicturesAreCounted() throws {
        try withPairs([
            ((64, 64), (64, 64), "a"), ((128, 64), (128, 64), "b"), ((96, 64), (96, 64), "c"),
            ((32, 32), (64, 64), "d"), ((63, 64), (63, 64), "e"),
        ]) { path in
            let (check, training) = try notes(path)
            #expect(check == training)
            #expect(
                check == [
                    "2 of 5 pairs are squashed to the panel's proportions, most by 2.00 (line 2: source, 128x64 to 64x64); "
                        + "data.buckets offers panels of several proportions",
                    "1 of 5 pairs is smaller than the panel and enlarged, most by 2.00 (line 4: source, 32x32 to 64x64)",
                    "1 of 5 targets is of another size than the source, in the same proportions",
                ])
        }
    }

    @Test func targetsOfOtherProportionsAreFaultsForAll() throws {
        try withPairs([((64, 64), (64, 64), "a"), ((64, 64), (80, 64), "b")]) { path in
            let expected = [
                "line 2: target: expected the proportions of the source, 64x64 (data.allow_mismatch takes others), "
                    + "found 80x64"
            ]
            func lines(_ faults: [FileError]) -> [String] {
                faults.map { String($0.description.dropFirst(path.count + 17)) }
            }
            #expect(lines(try DatasetCheck(path: path).faults) == expected)
            let dataset = try PairDataset(path: path)
            #expect(lines(dataset.inspect().faults) == expected)
            let error = #expect(throws: FileError.self) { try dataset.panels(at: 1, width: 64, height: 64) }
            #expect(lines([try #require(error)]) == expected)
            var reading = PairReading()
            reading.allowsMismatch = true
            #expect(try DatasetCheck(path: path, reading: reading).faults.isEmpty)
            let all = try PairDataset(path: path, reading: reading)
            #expect(all.inspect().faults.isEmpty)
            #expect(try all.panels(at: 1, width: 64, height: 64).target.width == 64)
            // What is compared pixel by pixel must have the very size.
            let evaluation = try DatasetCheck(path: path, reading: reading, isEvaluation: true)
            #expect(evaluation.faults.map(\.expected) == ["the size of the source, 64x64"])
        }
    }

    @Test(arguments: [((1000, 667), (500, 333), true), ((500, 333), (1000, 667), true), ((96, 96), (97, 96), false)])
    func roundingIsNoOtherProportion(source: (Int, Int), target: (Int, Int), isSame: Bool) throws {
        try withPairs([(source, target, "a")]) { path throws in
            #expect(try DatasetCheck(path: path).faults.isEmpty == isSame)
        }
    }

    @Test func cutPromptsAreCountedWithTheLostWords() throws {
        let parts = PipelineParts(folder: Fixtures.path("tiny-random-fill"))
        let tokenizers = try parts.loadTokenizers()
        let long = (0..<90).map { "word\($0)" }.joined(separator: " ") + " make the cat blue"
        try withPairs([((64, 64), (64, 64), "make it blue"), ((64, 64), (64, 64), long)]) { path in
            let (check, training) = try notes(path) {
                $0.draws.promptForm = .direct
                $0.maximumSequenceLength = 64
                $0.tokenizers = tokenizers
            }
            #expect(check == training && check.count == 2)
            for (note, reader, limit) in zip3(check, ["T5", "CLIP"], [64, 77]) {
                #expect(note.hasPrefix("\(reader) reads the first \(limit) tokens of 1 of 2 prompts; lost in line 2: "))
                #expect(note.hasSuffix("make the cat blue'"), "\(note)")
            }
            // Without tokenizers, by the number of words.
            let (words, _) = try notes(path) {
                $0.draws.promptForm = .direct
                $0.maximumSequenceLength = 64
            }
            #expect(words.count == 2)
            #expect(words.allSatisfy { $0.contains("at least 1 of 2 prompts have more, such as line 2") }, "\(words)")
        }
    }

    private func zip3<A, B, C>(_ a: [A], _ b: [B], _ c: [C]) -> [(A, B, C)] {
        zip(a, zip(b, c)).map { ($0, $1.0, $1.1) }
    }

    @Test func theMethodsOwnSentenceIsNoted() throws {
        let own = PromptForm.trigger(.beside) + "make it blue"
        try withPairs([((64, 64), (64, 64), "make it blue"), ((64, 64), (64, 64), own)]) { path in
            let expected =
                "1 of 2 instructions has the sentence of the prompt form in_context already, such as line 2; it is not said twice"
            let found = try notes(path)
            #expect(found.check.contains(expected) && found.training.contains(expected))
            let direct = try notes(path) { $0.draws.promptForm = .direct }
            #expect(!direct.check.contains { $0.contains("sentence") })
        }
    }

    @Test func transparentPicturesAreCounted() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let names = ["rgba8", "greyalpha8", "palette8-interlaced", "rgb8"]
        for name in names {
            try FileManager.default.copyItem(
                atPath: Fixtures.path("images/\(name).png"), toPath: folder.path + "/\(name).png")
        }
        let lines = names.map { #"{"source": "\#($0).png", "target": "rgb8.png", "instruction": "x"}"# }
        try Data(lines.joined(separator: "\n").utf8).write(to: folder.appending(path: "metadata.jsonl"))
        let found = try notes(folder.path)
        let expected = "3 pictures have transparent parts, laid on white (data.background)"
        #expect(found.check.contains(expected) && found.training.contains(expected))
        var reading = PairReading()
        reading.background = .init([1, 2, 3])
        let dataset = try PairDataset(path: folder.path, reading: reading)
        let expectedPicture = try Image(contentsOf: folder.path + "/rgba8.png", background: .init([1, 2, 3]))
        #expect(try dataset.panels(at: 0).source == expectedPicture)
    }

    @Test func onlyPairsThatSaySoOrHaveSafeWordsAreMirrored() throws {
        var draws = DrawOptions()
        draws.mirror = 1
        func isMirrored(_ instruction: String, mirrorable: Bool? = nil, caption: String? = nil) throws -> Bool {
            var record = PairRecord(
                source: "a", target: "b", fields: PromptFields(instruction: instruction, inputCaption: caption))
            record.mirrorable = mirrorable
            return try draws.draw(record, panelLayout: .beside, index: 0, epoch: 0, position: 0).view.isMirrored
        }
        for safe in ["make the cat blue", "Add two red balloons, above the dog's tail!", "remove the trees"] {
            #expect(try isMirrored(safe), "\(safe)")
        }
        for unsafe in [
            "mache die Katze links blau", "turn the steering wheel", "let him write a letter", "put it to the west",
            "make the number 7 red", "add \"blue\"", "add ‘blue’", "raise her left hand", "把猫变成蓝色", "add a clock",
        ] {
            #expect(try !isMirrored(unsafe), "\(unsafe)")
            #expect(try isMirrored(unsafe, mirrorable: true), "\(unsafe)")
        }
        #expect(try !isMirrored("make the cat blue", mirrorable: false))
        #expect(try !isMirrored("make the cat blue", caption: "a cat beside a street sign"))

        let list: [(source: (Int, Int), target: (Int, Int), instruction: String)] = [
            ((64, 64), (64, 64), "make it blue"), ((64, 64), (64, 64), "mach es links blau"),
        ]
        let words = "pairs may be mirrored (data.mirror):"
        try withPairs(list) { path in
            let (check, training) = try notes(path) { $0.draws.mirror = 0.5 }
            #expect(check == training)
            #expect(
                check == [
                    "1 of 2 \(words) 0 by their key mirrorable, 1 by their words; 0 say that they may not, and 1 have words "
                        + "that are not known to be safe"
                ])
        }
        for (value, count) in [(true as Any, 2), ("false", 0), (1, 2)] {
            try withPairs(list, ["mirrorable": value]) { path in
                let (check, _) = try notes(path) { $0.draws.mirror = 0.5 }
                #expect(check.first?.hasPrefix("\(count) of 2 \(words) \(count) by their key") == true, "\(check)")
            }
        }
        try withPairs(list, ["mirrorable": "perhaps"]) { path in
            let error = #expect(throws: DatasetError.self) { try PairDataset(path: path) }
            #expect(error?.faults.map(\.expected) == ["true or false", "true or false"])
        }
    }
}
