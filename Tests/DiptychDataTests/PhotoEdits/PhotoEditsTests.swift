import DiptychData
import Foundation
import InContextEdit
import Synchronization
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Serialised: some set the number of threads, which is the process's.
@Suite(.serialized) struct PhotoEditsTests {
    /// A folder with three synthetic photographs and a text file, removed afterwards.
    private func withPhotos(_ body: (URL) throws -> Void) throws {
        let scratch = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: scratch) }
        let photos = scratch.appending(path: "photos")
        try FileManager.default.createDirectory(at: photos, withIntermediateDirectories: true)
        for (i, name) in ["b.png", "a.jpg", "C.JPEG"].enumerated() {
            try SyntheticPhoto.make(width: 80 + 13 * i, height: 70, seed: i).write(
                to: photos.appending(path: name).path)
        }
        try Data("not a photograph".utf8).write(to: photos.appending(path: "SOURCES.md"))
        try body(scratch)
    }

    private func contents(_ folder: URL) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            let file = folder.appending(path: name)
            if let data = try? Data(contentsOf: file) { files[name] = data }
        }
        return files
    }

    @Test func sameSeedSameBytesWhateverTheThreads() throws {
        try withPhotos { scratch in
            defer { Threads.set(0) }
            let photos = scratch.appending(path: "photos").path
            var results: [[String: Data]] = []
            for (name, threads, seed) in [("a", 1, 5), ("b", 2, 5), ("c", 3, 5), ("d", 2, 6)] {
                Threads.set(threads)
                let folder = scratch.appending(path: name)
                let edits = try PhotoEdits(
                    photos: photos, options: .init(count: 27, width: 64, height: 64, seed: UInt64(seed)))
                try edits.write(to: folder.path)
                results.append(try contents(folder))
            }
            #expect(results[0].count == 56)
            #expect(results[0].keys.contains("target/000026.png"))
            #expect(results[0] == results[1] && results[0] == results[2])
            #expect(results[0] != results[3])
        }
    }

    @Test func everyKindComesOnceARound() throws {
        try withPhotos { scratch in
            let kinds = EditKind.all
            let edits = try PhotoEdits(
                photos: scratch.appending(path: "photos").path,
                options: .init(count: 1, width: 48, height: 32, seed: 3))
            for round in 0..<2 {
                let made = try (0..<kinds.count).map { try edits.pair(at: round * kinds.count + $0) }
                let found = made.map { pair in kinds.first { $0.edits.contains(pair.edit) }?.name ?? "none" }
                #expect(Set(found) == Set(kinds.map(\.name)))
                for pair in made {
                    #expect(pair.source.width == 48 && pair.target.height == 32)
                    #expect(pair.edit.instructions.contains(pair.fields.instruction))
                    #expect(pair.source != pair.target)
                }
            }
        }
    }

    @Test func pairsDoNotDependOnTheirNumber() throws {
        try withPhotos { scratch in
            let photos = scratch.appending(path: "photos").path
            let few = try PhotoEdits(photos: photos, options: .init(count: 2, width: 32, height: 32))
            let many = try PhotoEdits(photos: photos, options: .init(count: 2000, width: 32, height: 32))
            for i in 0..<6 {
                #expect(try few.pair(at: i).fields == many.pair(at: i).fields)
                #expect(try few.pair(at: i).target == many.pair(at: i).target)
            }
            // Crops, photographs and words vary.
            #expect(try Set((0..<40).map { try many.pair(at: $0).source.pixels }).count == 40)
        }
    }

    /// Crops are between half and all of what a photograph allows, told here by a photograph whose red is its column.
    @Test func cropsAreHalfAtLeast() throws {
        try withPhotos { scratch in
            let photos = scratch.appending(path: "ramp")
            try FileManager.default.createDirectory(at: photos, withIntermediateDirectories: true)
            var ramp = Image(width: 250, height: 250)
            for y in 0..<250 { for x in 0..<250 { ramp[x, y] = [UInt8(x), UInt8(y), 90] } }
            try ramp.write(to: photos.appending(path: "ramp.png").path)
            let edits = try PhotoEdits(
                photos: photos.path, options: .init(count: 60, width: 32, height: 32, seed: 1, kinds: ["sepia"]))
            let shares = try (0..<60).map { index in
                let source = try edits.pair(at: index).source
                let reds = (0..<32).map { Double(source[$0, 16].x) }
                return (reds.max()! - reds.min()!) / 250 * 32 / 31
            }
            #expect(shares.allSatisfy { $0 > 0.46 && $0 < 1.04 }, "\(shares.min()!), \(shares.max()!)")
            #expect(shares.min()! < 0.6 && shares.max()! > 0.9, "\(shares.min()!), \(shares.max()!)")
        }
    }

    /// A change by less than 16 of 255 is none: half of 28 is not to be seen, half of 40 is.
    @Test(arguments: [(28, false), (40, true)]) func changesMustBeSeen(level: UInt8, isSeen: Bool) throws {
        try withPhotos { scratch in
            let photos = scratch.appending(path: "flat")
            try FileManager.default.createDirectory(at: photos, withIntermediateDirectories: true)
            try Image(width: 64, height: 64, color: [level, level, level]).write(
                to: photos.appending(path: "flat.png").path)
            let edits = try PhotoEdits(
                photos: photos.path, options: .init(count: 1, width: 32, height: 32, seed: 1, kinds: ["darker"]))
            if isSeen {
                _ = try edits.pair(at: 0)
            } else {
                #expect(throws: FileError.self) { try edits.pair(at: 0) }
            }
        }
    }

    @Test func theDatasetCanBeRead() throws {
        try withPhotos { scratch in
            let folder = scratch.appending(path: "new/pairs")
            let edits = try PhotoEdits(
                photos: scratch.appending(path: "photos").path,
                options: .init(
                    count: 9, width: 32, height: 48, seed: 1, format: .jpg, kinds: ["sepia", "removed", "sepia"]))
            let calls = Mutex<[Int]>([])
            try edits.write(to: folder.path) { progress in
                #expect(progress.total == 9 && progress.found == 0)
                calls.withLock { $0.append(progress.done) }
            }
            #expect(calls.withLock { $0 } == Array(1...9))
            let dataset = try PairDataset(path: folder.path)
            #expect(dataset.records.count == 9)
            #expect(dataset.records.map(\.source) == (0..<9).map { "source/00000\($0).jpg" })
            #expect(Set(dataset.records.compactMap(\.task)) == ["style", "removal"])
            for (i, record) in dataset.records.enumerated() {
                let pair = try edits.pair(at: i)
                #expect(record.fields == pair.fields)
                let panels = try dataset.panels(at: i, width: 32, height: 48)
                #expect(abs(panels.target.mean - pair.target.mean) < 2)
            }
        }
    }

    @Test func theShippedPairsHoldEveryKind() throws {
        let folder = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Datasets/photo-edits")
        let dataset = try PairDataset(path: folder.path)
        for kind in EditKind.all {
            let instructions = Set(kind.edits.flatMap(\.instructions))
            #expect(dataset.records.contains { instructions.contains($0.fields.instruction) }, "no \(kind.name)")
        }
        for record in dataset.records {
            for name in [record.source, record.target] {
                let panel = try Image(contentsOf: folder.appending(path: name).path)
                #expect(panel.width == 256 && panel.height == 256)
            }
        }
    }

    @Test func formats() {
        #expect(PhotoEdits.Options(count: 1).format == .jpg)
        #expect(PhotoEdits.Options(count: 1, width: 128, height: 128).format == .jpg)
        #expect(PhotoEdits.Options(count: 1, width: 256, height: 112).format == .png)
        #expect(PhotoEdits.Options(count: 1, width: 64, height: 64, format: .jpg).format == .jpg)
    }

    @Test(arguments: [
        (PhotoEdits.Options(count: 0), "count: expected at least 1 pair, found 0"),
        (PhotoEdits.Options(count: -3), "count: expected at least 1 pair, found -3"),
        (PhotoEdits.Options(count: 2_000_000), "count: expected at most 1000000 pairs, found 2000000"),
        (PhotoEdits.Options(count: 1, width: 250), "width: expected a multiple of 16 from 16 to 8192, found 250"),
        (PhotoEdits.Options(count: 1, height: 0), "height: expected a multiple of 16 from 16 to 8192, found 0"),
        (PhotoEdits.Options(count: 1, height: -16), "height: expected a multiple of 16 from 16 to 8192, found -16"),
        (PhotoEdits.Options(count: 1, kinds: []), "kinds: expected at least one kind, found none"),
        (
            PhotoEdits.Options(count: 1, kinds: ["sepia", "miroed"]),
            "kinds: expected a kind of edit, found 'miroed' (did you mean 'mirrored'?)"
        ),
    ])
    func badOptions(options: PhotoEdits.Options, message: String) {
        let error = #expect(throws: OptionError.self) { try PhotoEdits(photos: "photos", options: options) }
        #expect(error?.description == message)
    }

    @Test func badPhotographsAreNamedTogether() throws {
        try withPhotos { scratch in
            let photos = scratch.appending(path: "photos")
            try Data("no picture".utf8).write(to: photos.appending(path: "broken.png"))
            try SyntheticPhoto.make(width: 40, height: 12).write(to: photos.appending(path: "small.png").path)
            let error = #expect(throws: DatasetError.self) {
                try PhotoEdits(photos: photos.path, options: .init(count: 1, width: 64, height: 64))
            }
            let faults = error?.faults ?? []
            #expect(faults.map { ($0.path as NSString).lastPathComponent } == ["broken.png", "small.png"])
            #expect(faults.last?.expected == "at least 32x32 pixels for panels of 64x64")
            #expect(faults.last?.found == "40x12")
        }
    }

    @Test func foldersWithoutPhotographs() throws {
        let scratch = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: scratch) }
        let options = PhotoEdits.Options(count: 1)
        let file = scratch.appending(path: "file.txt").path
        try Data().write(to: URL(filePath: file))
        for (path, found) in [(scratch.path, "none"), (file, "a file"), (scratch.path + "/no", "no such folder")] {
            let error = #expect(throws: FileError.self) { try PhotoEdits(photos: path, options: options) }
            #expect(error?.path == path && error?.found == found)
        }
    }

    @Test func editsThatNeverShowAreAnError() throws {
        let scratch = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: scratch) }
        let grey = ColorEdits.blackAndWhite(SyntheticPhoto.make(width: 64, height: 64))
        try grey.write(to: scratch.appending(path: "grey.png").path)
        let edits = try PhotoEdits(
            photos: scratch.path, options: .init(count: 2, width: 32, height: 32, kinds: ["black-and-white"]))
        let out = scratch.appending(path: "out")
        let error = #expect(throws: FileError.self) { try edits.write(to: out.path) }
        #expect(error?.expected == "photographs in which the edit 'black-and-white' shows")
        #expect(!FileManager.default.fileExists(atPath: out.appending(path: "metadata.jsonl").path))
    }

    @Test func fullFoldersAreLeftAlone() throws {
        try withPhotos { scratch in
            let photos = scratch.appending(path: "photos")
            let out = scratch.appending(path: "out")
            let edits = try PhotoEdits(photos: photos.path, options: .init(count: 3, width: 32, height: 32))
            try FileManager.default.createDirectory(at: out, withIntermediateDirectories: true)
            try edits.write(to: out.path)
            let before = try contents(out)
            // The same once more finds everything done; others are refused.
            try edits.write(to: out.path)
            #expect(try contents(out) == before)
            let others = try PhotoEdits(photos: photos.path, options: .init(count: 4, width: 32, height: 32))
            var error = #expect(throws: FolderInUse.self) { try others.write(to: out.path) }
            #expect(error?.found == "pairs of other options or photographs (photo-edits.json)")
            try FileManager.default.removeItem(at: out.appending(path: "photo-edits.json"))
            error = #expect(throws: FolderInUse.self) { try edits.write(to: out.path) }
            #expect(error?.found == "'metadata.jsonl' and 2 more")
            #expect(throws: FileError.self) { try edits.write(to: photos.appending(path: "b.png").path) }
        }
    }

    /// What a killed process leaves: some panels, half of one, a journal whose last line is cut off.
    @Test func interruptedDatasetsAreFinished() throws {
        try withPhotos { scratch in
            let photos = scratch.appending(path: "photos").path
            let (whole, half) = (scratch.appending(path: "whole"), scratch.appending(path: "half"))
            let edits = try PhotoEdits(photos: photos, options: .init(count: 9, width: 32, height: 32, seed: 4))
            try edits.write(to: whole.path)
            let expected = try contents(whole)
            let list = try String(contentsOf: whole.appending(path: "metadata.jsonl"), encoding: .utf8)
            let lines = list.split(separator: "\n").map(String.init)
            // Pairs 0 to 3 are in the journal, of which 2 has lost a panel; 4 and 5 have panels only.
            let files = FileManager.default
            try files.copyItem(at: whole, to: half)
            func remove(_ name: String) throws { try files.removeItem(at: half.appending(path: name)) }
            try remove("metadata.jsonl")
            try files.moveItem(
                at: half.appending(path: "photo-edits.json"), to: half.appending(path: "unfinished.json"))
            for name in ["source/000002.png", "source/000006.png", "target/000007.png", "target/000008.png"] {
                try remove(name)
            }
            try Data("half".utf8).write(to: half.appending(path: "source/.000006.png.1x.partial"))
            let journal = lines[..<4].joined(separator: "\n\n") + "\n" + lines[4].prefix(20)
            try Data(journal.utf8).write(to: half.appending(path: "unfinished-pairs.jsonl"))
            #expect(throws: FileError.self) { try PairDataset(path: half.path) }
            let calls = Mutex<[[Int]]>([])
            try edits.write(to: half.path) { progress in
                calls.withLock { $0.append([progress.done, progress.found]) }
            }
            #expect(calls.withLock { $0 } == (3...9).map { [$0, 3] })
            #expect(try contents(half) == expected)
        }
    }

    @Test func oneProcessFillsAFolder() throws {
        try withPhotos { scratch in
            let out = scratch.appending(path: "out").path
            let edits = try PhotoEdits(
                photos: scratch.appending(path: "photos").path, options: .init(count: 2, width: 32, height: 32))
            let lock = try FolderLock(out, expected: "", found: "")
            let error = #expect(throws: FileError.self) { try edits.write(to: out) }
            #expect(error?.found == "one in the making")
            withExtendedLifetime(lock) {}
        }
    }

    @Test func overwritingRemovesAnEarlierDatasetAndNothingElse() throws {
        try withPhotos { scratch in
            let photos = scratch.appending(path: "photos").path
            let out = scratch.appending(path: "out")
            try PhotoEdits(photos: photos, options: .init(count: 5, width: 32, height: 32, format: .jpg))
                .write(to: out.path)
            try Data("mine".utf8).write(to: out.appending(path: "source/notes.txt"))
            try Data("mine".utf8).write(to: out.appending(path: "README.md"))
            try PhotoEdits(photos: photos, options: .init(count: 2, width: 32, height: 32, seed: 9))
                .write(to: out.path, overwrites: true)
            let files = try contents(out)
            #expect(
                Set(files.keys) == [
                    "README.md", "metadata.jsonl", "photo-edits.json", "source/notes.txt", "source/000000.png",
                    "source/000001.png",
                    "target/000000.png", "target/000001.png",
                ])
            #expect(try PairDataset(path: out.path).records.count == 2)
        }
    }

    @Test func photographsAreNotOverwritten() throws {
        try withPhotos { scratch in
            let source = scratch.appending(path: "set/source")
            try FileManager.default.createDirectory(at: source, withIntermediateDirectories: true)
            try SyntheticPhoto.make(width: 64, height: 64).write(to: source.appending(path: "000000.png").path)
            let edits = try PhotoEdits(photos: source.path, options: .init(count: 1, width: 32, height: 32))
            #expect(throws: FileError.self) {
                try edits.write(to: scratch.appending(path: "set").path, overwrites: true)
            }
            #expect(FileManager.default.fileExists(atPath: source.appending(path: "000000.png").path))
            // Nor by way of links to them.
            let links = scratch.appending(path: "links")
            try FileManager.default.createDirectory(at: links, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                at: links.appending(path: "a.png"), withDestinationURL: source.appending(path: "000000.png"))
            let linked = try PhotoEdits(photos: links.path, options: .init(count: 1, width: 32, height: 32))
            #expect(throws: FileError.self) {
                try linked.write(to: scratch.appending(path: "set").path, overwrites: true)
            }
            #expect(FileManager.default.fileExists(atPath: source.appending(path: "000000.png").path))
        }
    }
}
