import Foundation
import Synchronization
import TensorIO
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Outputs that are inputs, however they are spelled.
@Suite struct InputFilesTests {
    private func inputs(_ folder: String, isClosed: Bool = false) throws -> InputFiles {
        try createFolder(folder + "/base/transformer")
        try writeFile([1], to: folder + "/base/transformer/weights.safetensors")
        try writeFile([2], to: folder + "/base/model_index.json")
        try writeFile([3], to: folder + "/style.safetensors")
        var inputs = InputFiles()
        inputs.add(folder + "/base", "the base", isClosed: isClosed)
        inputs.add(folder + "/style.safetensors", "an adapter")
        return inputs
    }

    @Test func everySpellingIsTheInput() throws {
        try withScratchFolder { folder in
            let inputs = try inputs(folder)
            let weights = folder + "/base/transformer/weights.safetensors"
            #expect(symlink(weights, folder + "/link.safetensors") == 0)
            #expect(symlink("link.safetensors", folder + "/second.safetensors") == 0)
            #expect(link(weights, folder + "/hard.safetensors") == 0)
            #expect(symlink(folder + "/base", folder + "/other") == 0)
            for name in [
                "base/transformer/weights.safetensors", "./base//transformer/weights.safetensors",
                "base/transformer/../transformer/weights.safetensors", "link.safetensors", "second.safetensors",
                "hard.safetensors", "other/transformer/weights.safetensors",
            ] {
                let error = #expect(throws: FileError.self) {
                    try inputs.requireApart("\(folder)/\(name)", option: "--output")
                }
                #expect(error?.key == "--output" && error?.found.hasPrefix("the base") == true, "\(name)")
                #expect(error?.path == "\(folder)/\(name)")
            }
            let adapter = #expect(throws: FileError.self) {
                try inputs.requireApart(folder + "/style.safetensors", option: "-o")
            }
            #expect(adapter?.found == "an adapter")
            for name in ["new.safetensors", "base/new.safetensors", "base/transformer/new.safetensors", "no/where"] {
                try inputs.requireApart("\(folder)/\(name)", option: "--output")
            }
            try writeFile([4], to: folder + "/old.safetensors")
            try inputs.requireApart(folder + "/old.safetensors", option: "--output")
        }
    }

    /// Hugging Face's cache: a folder of links to files of other names elsewhere.
    @Test func filesBehindLinksAreInputs() throws {
        try withScratchFolder { folder in
            try createFolder(folder + "/snapshot")
            try createFolder(folder + "/blobs")
            try writeFile([1], to: folder + "/blobs/0123")
            #expect(symlink("../blobs/0123", folder + "/snapshot/model.safetensors") == 0)
            // A folder that leads into itself is walked once.
            #expect(symlink(".", folder + "/snapshot/again") == 0)
            var inputs = InputFiles()
            inputs.add(folder + "/snapshot", "the base")
            #expect(throws: FileError.self) { try inputs.requireApart(folder + "/blobs/0123", option: "--output") }
            try inputs.requireApart(folder + "/blobs/4567", option: "--output")
        }
    }

    @Test func aClosedFolderTakesNoNewFile() throws {
        try withScratchFolder { folder in
            let inputs = try inputs(folder, isClosed: true)
            try inputs.requireApart(folder + "/base/new.gguf", option: "OUTPUT")
            let error = #expect(throws: FileError.self) {
                try inputs.requireApart(folder + "/base/transformer/new.safetensors", option: "OUTPUT")
            }
            #expect(error?.found == "a new file among those of the base (\(folder)/base/transformer)")
            // Also by a link that leads to nothing yet.
            #expect(symlink(folder + "/base/transformer/none", folder + "/dangling") == 0)
            #expect(throws: FileError.self) { try inputs.requireApart(folder + "/dangling", option: "OUTPUT") }
            // A model's own folder.
            try writeFile([1], to: folder + "/base/transformer/config.json")
            var model = InputFiles()
            model.add(folder + "/base/transformer", "the model", isClosed: true)
            #expect(throws: FileError.self) {
                try model.requireApart(folder + "/base/transformer/new.gguf", option: "OUTPUT")
            }
        }
    }

    @Test func shardsOfAnIndexAreInputs() throws {
        try withScratchFolder { folder in
            let index = folder + "/model.safetensors.index.json"
            try writeFile(Array("{}".utf8), to: index)
            try writeFile([1], to: folder + "/model-00001-of-00002.safetensors")
            var inputs = InputFiles()
            inputs.add(index, "the base")
            #expect(throws: FileError.self) {
                try inputs.requireApart(folder + "/model-00001-of-00002.safetensors", option: "--output")
            }
        }
    }

    @Test func twoOutputsAreNotOne() throws {
        try withScratchFolder { folder in
            #expect(symlink("new.png", folder + "/link.png") == 0)
            for (first, second) in [("a.png", "./a.png"), ("new.png", "link.png"), ("x/../a.png", "a.png")] {
                try createFolder(folder + "/x")
                #expect(throws: FileError.self, "\(first), \(second)") {
                    try InputFiles.requireDistinct(
                        "\(folder)/\(first)", "\(folder)/\(second)", option: "--save-diptych", otherOption: "--output")
                }
            }
            try InputFiles.requireDistinct(folder + "/a.png", folder + "/b.png", option: "b", otherOption: "a")
        }
    }
}

@Suite struct FolderLockTests {
    /// HDF5 files are tried in forked processes, which have copies of all descriptors for a moment: a lock that was dropped
    /// can be taken again at once all the same.
    @Test func aForkKeepsNoLock() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = Fixtures.path("hdf5/h5py.h5")
        let isDone = Atomic<Bool>(false)
        try withThread({ while !isDone.load(ordering: .relaxed) { _ = try? HDF5File(reading: file) } }) {
            defer { isDone.store(true, ordering: .relaxed) }
            for _ in 0..<40 { _ = try FolderLock(folder.path, expected: "a free folder", found: "a taken one") }
        }
    }

    private func withThread(_ work: @escaping @Sendable () -> Void, _ body: () throws -> Void) rethrows {
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            work()
            ended.signal()
        }
        defer { ended.wait() }
        try body()
    }

    private func lock(_ folder: String) throws -> FolderLock {
        try FolderLock(folder, expected: "a free folder", found: "a taken one")
    }

    @Test func oneAtATime() throws {
        try withScratchFolder { folder in
            do {
                let first = try lock(folder)
                let error = #expect(throws: FileError.self) { _ = try lock(folder + "/.") }
                #expect(error?.expected == "a free folder" && error?.found == "a taken one")
                withExtendedLifetime(first) {}
            }
            _ = try lock(folder)
            #expect(throws: FileError.self) {
                try writeFile([1], to: folder + "/file")
                _ = try lock(folder + "/file")
            }
        }
    }

    @Test func whatItMadeGoesWhenItStaysEmpty() throws {
        try withScratchFolder { folder in
            do { try withExtendedLifetime(lock(folder + "/a/b/c")) {} }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
            do {
                let lock = try lock(folder + "/a/b")
                try writeFile([1], to: folder + "/a/b/file")
                withExtendedLifetime(lock) {}
            }
            #expect(FileManager.default.fileExists(atPath: folder + "/a/b/file"))
            // One that was there stays.
            try createFolder(folder + "/old")
            do { try withExtendedLifetime(lock(folder + "/old")) {} }
            #expect(FileManager.default.fileExists(atPath: folder + "/old"))
        }
    }
}
