import DiptychData
import Foundation
import InContextEdit
import TensorIO
import TestSupport
import Testing

/// Datasets in the layouts that people have, told by their content.
@Suite struct PairLayoutTests {
    /// A dataset of these files: pictures, each another one, and texts.
    private func withDataset<Result>(
        _ pictures: [String], _ texts: [String: String] = [:], _ body: (URL) throws -> Result
    ) throws -> Result {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        func place(_ name: String) throws -> URL {
            let url = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            return url
        }
        for (number, name) in pictures.enumerated() {
            let image = SyntheticPhoto.make(width: 16, height: 16, seed: number)
            let url = try place(name)
            if name.hasSuffix(".webp") {
                try FileManager.default.copyItem(
                    atPath: Fixtures.path("images/webp-lossless.webp"), toPath: url.path)
            } else {
                try AtomicFile.write(to: url.path) { file in
                    try file.write(image.encoded(as: name.lowercased().hasSuffix(".png") ? .png : .jpeg()))
                }
            }
        }
        for (name, text) in texts { try Data(text.utf8).write(to: try place(name)) }
        return try body(folder)
    }

    private func triples(_ dataset: PairDataset) -> [[String]] {
        dataset.records.map { [$0.source, $0.target, $0.fields.instruction] }
    }

    /// ai-toolkit's layout: `folder_path` and `control_path`; the ending of a name may differ.
    @Test func aFolderOfControls() throws {
        try withDataset(
            ["images/a.png", "images/b.jpg", "control/a.jpg", "control/b.JPG"],
            [
                "images/a.txt": "make it red\r\n", "images/b.txt": "\u{FEFF}make it blue\n\nturn it blue\n",
                "images/README.md": "",
            ]
        ) { folder in
            let dataset = try PairDataset(path: folder.path)
            #expect(
                triples(dataset) == [
                    ["control/a.jpg", "images/a.png", "make it red"],
                    ["control/b.JPG", "images/b.jpg", "make it blue"],
                ])
            #expect(
                dataset.records[1].instructions == ["make it blue", "turn it blue"], "a line is a way to demand it")
            #expect(dataset.records[0].instructions.isEmpty)
            #expect(try dataset.panels(at: 0).target == SyntheticPhoto.make(width: 16, height: 16, seed: 0))
            #expect(try DatasetCheck(path: folder.path).faults.isEmpty)
            #expect(PairDataset.isThere(folder.path))
        }
    }

    /// The same where the controls lie inside the folder of targets.
    @Test func controlsInsideTheTargets() throws {
        try withDataset(["a.png", "control_images/a.png"], ["a.txt": "make it red"]) { folder in
            let found = try triples(PairDataset(path: folder.path))
            #expect(found == [["control_images/a.png", "a.png", "make it red"]])
        }
    }

    /// SimpleTuner's: subfolders are read, and both folders have captions, of which those of the targets count.
    @Test func conditioningOfSubfolders() throws {
        try withDataset(
            [
                "edited-images/x/a.png", "edited-images/y/a.png", "reference-images/x/a.webp",
                "reference-images/y/a.png",
            ],
            [
                "edited-images/x/a.txt": "one", "edited-images/y/a.txt": "two", "reference-images/x/a.txt": "a cat",
                "reference-images/.cache/a.png": "no picture",
            ]
        ) { folder in
            let found = try triples(PairDataset(path: folder.path))
            #expect(
                found == [
                    ["reference-images/x/a.webp", "edited-images/x/a.png", "one"],
                    ["reference-images/y/a.png", "edited-images/y/a.png", "two"],
                ])
        }
    }

    @Test(arguments: [
        ("source", "target", "prompts"), ("Sources", "Targets", "instructions"), ("before", "after", "captions"),
        ("input", "output", "text"), ("original_images", "edited_images", "target"),
    ])
    func namesOfFolders(source: String, target: String, texts: String) throws {
        let texts = texts == "target" ? target : texts
        try withDataset(["\(source)/1.png", "\(target)/1.png"], ["\(texts)/1.txt": "go"]) { folder in
            let found = try triples(PairDataset(path: folder.path))
            #expect(found == [["\(source)/1.png", "\(target)/1.png", "go"]])
        }
    }

    @Test func foldersOfOtherNamesAreNamedByColumns() throws {
        try withDataset(["old/1.png", "new/1.png", "source/2.png"], ["new/1.txt": "go"]) { folder in
            var reading = PairReading()
            reading.columns = ["source": "old", "target": "new"]
            #expect(
                try triples(PairDataset(path: folder.path, reading: reading)) == [["old/1.png", "new/1.png", "go"]])
            #expect(throws: FileError.self) { try PairDataset(path: folder.path) }
            reading.columns = ["source": "../old", "target": "new"]
            try FileManager.default.createDirectory(
                at: folder.deletingLastPathComponent().appending(path: "old"), withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent().appending(path: "old")) }
            let error = #expect(throws: FileError.self) { try PairDataset(path: folder.path, reading: reading) }
            #expect(error?.expected == "a folder inside the dataset")
        }
        try withDataset(["source/1.png", "control/1.png", "target/1.png"], ["target/1.txt": "go"]) { folder in
            let error = #expect(throws: FileError.self) { try PairDataset(path: folder.path) }
            #expect(error?.found == "'control', 'source' (the column source=control would choose)")
        }
    }

    @Test func faultsOfFoldersNameThePair() throws {
        try withDataset(
            [
                "source/a.png", "source/b.png", "source/d.png", "source/d.jpg", "source/e.png", "source/f.png",
                "source/g.png", "target/a.png", "target/c.png", "target/d.png", "target/e.png", "target/f.png",
                "target/g.png",
            ],
            [
                "target/a.txt": "go", "source/b.txt": "go", "target/c.txt": "go", "target/d.txt": "go",
                "target/f.txt": " \n",
            ]
        ) { folder in
            try Data([0x63, 0x61, 0x66, 0x0A, 0x63, 0xE9, 0x20]).write(to: folder.appending(path: "target/g.txt"))
            let error = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
            #expect(
                error?.faults.map { $0.description.replacing(folder.path, with: "DIR") } == [
                    "DIR: b: expected a target in 'target', found none to 'source/b.png'",
                    "DIR: c: expected a source 'source/c' (.png, .jpg, .jpeg, .webp), found none to 'target/c.png'",
                    "DIR: d: expected one picture 'source/d', found source/d.jpg and source/d.png",
                    "DIR: e: expected an instruction in 'target/e.txt', found no such file",
                    "DIR/target/f.txt: expected an instruction, found an empty file",
                    "DIR/target/g.txt: line 2, column 2: expected text in UTF-8, found the byte E9, 'é' of Windows-1252 "
                        + "(cp1252) (save the file as UTF-8)",
                ])
            var reading = PairReading()
            reading.leavesFaultsOut = true
            #expect(try PairDataset(path: folder.path, reading: reading).records.map(\.source) == ["source/a.png"])
            #expect(try EvaluationDataset(path: folder.path, reading: reading).items.map(\.id) == ["a", "b"])
        }
        try withDataset(["source/a.png", "source/b.png"], ["source/a.txt": "go", "source/b.txt": "go"]) { folder in
            let error = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
            #expect(
                error?.lines == [
                    "\(folder.path): expected a target in a folder 'target' in every pair, found none in 2: for evaluation "
                        + "only (diptych data check --evaluation reads it)"
                ])
            let items = try EvaluationDataset(path: folder.path).items
            #expect(items.count == 2)
        }
    }

    @Test func masksAreForEvaluation() throws {
        try withDataset(["source/a.png", "target/a.png", "masks/a.png"], ["a.txt": "go"]) { folder in
            let benchmark = try EvaluationDataset(path: folder.path)
            #expect(benchmark.items[0].hasMask && benchmark.items[0].hasTarget)
            #expect(try benchmark.mask(at: 0) == SyntheticPhoto.make(width: 16, height: 16, seed: 2))
        }
    }

    /// The roles in the names: fal's `_start` and `_end`, unpacked shards, a folder a pair.
    @Test func rolesInTheNames() throws {
        try withDataset(
            [
                "cat_start.png", "cat_end.jpg", "dog.source.png", "dog.target.webp", "my-hen-before.png",
                "my-hen-after.png", "0001/source.png", "0001/target.png", "fox_source.png", "fox_target.png",
                "stray.png",
            ],
            [
                "cat.txt": "one", "dog.json": #"{"instruction": "two", "task": "style"}"#,
                "my-hen-instruction.txt": "three",
                "0001/prompt.txt": "four", "fox_target.txt": "five",
            ]
        ) { folder in
            let dataset = try PairDataset(path: folder.path)
            #expect(
                triples(dataset) == [
                    ["0001/source.png", "0001/target.png", "four"], ["cat_start.png", "cat_end.jpg", "one"],
                    ["dog.source.png", "dog.target.webp", "two"], ["fox_source.png", "fox_target.png", "five"],
                    ["my-hen-before.png", "my-hen-after.png", "three"],
                ])
            #expect(dataset.records.map(\.task) == [nil, nil, "style", nil, nil])
            #expect(PairDataset.isThere(folder.path))
            let check = try DatasetCheck(path: folder.path)
            #expect(check.faults.map(\.key) == ["dog: target"], "a picture of another size")
        }
    }

    @Test func faultsOfNamesNameThePair() throws {
        try withDataset(
            [
                "a_source.png", "b_target.png", "c_source.png", "c_target.png", "d_source.png", "d_source.jpg",
                "d_target.png", "e_source.png", "e_target.png",
            ],
            ["a.txt": "go", "b.txt": "go", "d.txt": "go", "e.json": "{\"instruction\": 7}"]
        ) { folder in
            let error = #expect(throws: DatasetError.self) { try PairDataset(path: folder.path) }
            #expect(
                error?.faults.map { $0.description.replacing(folder.path, with: "DIR") } == [
                    "DIR: a: expected a target 'a_target' (.png, .jpg, .jpeg, .webp), found none beside 'a_source.png'",
                    "DIR: b: expected a source 'b_source' (.png, .jpg, .jpeg, .webp), found none beside 'b_target.png'",
                    "DIR: c: expected an instruction in 'c.txt', found no such file",
                    "DIR: d: expected one source, found d_source.jpg and d_source.png",
                    "DIR/e.json: e: instruction: expected a string, found 7",
                ])
        }
    }

    @Test func whatIsNoDatasetIsSaid() throws {
        try withDataset(["a.png", "b.png"]) { folder in
            let error = #expect(throws: FileError.self) { try PairDataset(path: folder.path) }
            #expect(error?.found == "a folder without them, of 2 pictures" && error?.path == folder.path)
            #expect(!PairDataset.isThere(folder.path) && !PairDataset.isThere(folder.path + "/a.png"))
            #expect(
                #expect(throws: FileError.self) { try PairDataset(path: folder.path + "/a.png") }?.found
                    == "another file")
            #expect(
                #expect(throws: FileError.self) { try PairDataset(path: folder.path + "/none") }?.found
                    == "no such file or folder")
        }
        try withDataset([]) { folder in
            #expect(#expect(throws: FileError.self) { try PairDataset(path: folder.path) }?.found == "an empty folder")
        }
    }

    /// WebP as a member of shards, under its own name.
    @Test func shardsHoldWebP() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let webp = try Array(Data(contentsOf: URL(filePath: Fixtures.path("images/webp-lossless.webp"))))
        let animation = try Array(Data(contentsOf: URL(filePath: Fixtures.path("images/webp-animated.webp"))))
        try TarWriter.write(to: folder.path + "/a.tar") { tar in
            for (key, target) in [("1", webp), ("2", animation)] {
                try tar.add("\(key).source.webp", webp)
                try tar.add("\(key).target.webp", target)
                try tar.add("\(key).json", Array(#"{"instruction": "x"}"#.utf8))
            }
        }
        let dataset = try PairDataset(path: folder.path)
        #expect(try dataset.panels(at: 0).target == Image(contentsOf: Fixtures.path("images/webp-lossless.webp")))
        let faults = try DatasetCheck(path: folder.path).faults
        #expect(faults.map(\.key) == ["2: target"])
        #expect(faults.first?.expected == "a still picture")
        #expect(faults.first?.found.hasPrefix("an animation of 3 frames") == true)
    }
}
