import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct AtomicFileTests {
    private struct Interruption: Error {}

    @Test func aFaultLeavesTheOldFile() throws {
        try withScratchFolder { folder in
            let path = folder + "/old.bin"
            try AtomicFile.write(to: path) { try $0.write([1, 2, 3]) }
            #expect(throws: Interruption.self) {
                try AtomicFile.write(to: path) { file in
                    try file.write([9, 9, 9, 9])
                    #expect(try Data(contentsOf: URL(filePath: file.temporaryPath)) == Data([9, 9, 9, 9]))
                    throw Interruption()
                }
            }
            #expect(try Data(contentsOf: URL(filePath: path)) == Data([1, 2, 3]))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["old.bin"])
        }
    }

    @Test func linksAndPermissionsAreKept() throws {
        try withScratchFolder { folder in
            let target = folder + "/target.bin"
            try AtomicFile.write(to: target) { try $0.write([1]) }
            #expect(chmod(target, 0o600) == 0)
            #expect(symlink("target.bin", folder + "/link.bin") == 0)
            try AtomicFile.write(to: folder + "/link.bin") { try $0.write([2]) }
            #expect(try Data(contentsOf: URL(filePath: target)) == Data([2]))
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link.bin") == "target.bin")
            var info = stat()
            #expect(stat(target, &info) == 0 && info.st_mode & 0o777 == 0o600)
        }
    }

    @Test func linksThatLeadToNothingYetAreFollowed() throws {
        try withScratchFolder { folder in
            try createFolder(folder + "/disk")
            #expect(symlink("disk/new.bin", folder + "/link.bin") == 0)
            #expect(symlink(folder + "/link.bin", folder + "/second.bin") == 0)
            try AtomicFile.write(to: folder + "/second.bin") { try $0.write([1, 2]) }
            #expect(try Data(contentsOf: URL(filePath: folder + "/disk/new.bin")) == Data([1, 2]))
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link.bin") == "disk/new.bin")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/disk") == ["new.bin"])
            #expect(symlink("circle", folder + "/circle") == 0)
            let error = fileError { _ = try AtomicFile(replacing: folder + "/circle") }
            #expect(error?.expected == "a link that leads to a file")
            #expect(symlink("none/x.bin", folder + "/nowhere.bin") == 0)
            #expect(
                fileError { _ = try AtomicFile(replacing: folder + "/nowhere.bin") }?.found
                    == "No such file or directory")
        }
    }

    /// Neighbours of killed processes go with the next write of the same file; those of living ones stay, and other files.
    @Test func whatTheKilledLeftIsSwept() throws {
        try withScratchFolder { folder in
            let path = folder + "/weights.gguf"
            let living = try AtomicFile(replacing: path)
            let kept = [
                ".weights.gguf.partial", ".weights.gguf.not a tag.partial", ".other.gguf.1a2b.partial",
                "weights.gguf.1a2b.partial",
            ]
            for name in kept + [".weights.gguf.1a2b.partial", ".weights.gguf.zz.partial"] {
                try writeFile([1], to: folder + "/" + name)
            }
            // Another process looks for itself: this one has looked when the folder held nothing.
            AtomicFile.sweep(folder) { $0 == "weights.gguf" }
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            let own = (living.temporaryPath as NSString).lastPathComponent
            #expect(Set(left) == Set(kept + [own]))
            try living.write([7])
            try living.commit()
            #expect(try Data(contentsOf: URL(filePath: path)) == Data([7]))
        }
    }

    @Test func theNextWriterSweeps() throws {
        try withScratchFolder { folder in
            try writeFile([1], to: folder + "/.a.bin.1a2b.partial")
            try writeFile([1], to: folder + "/.b.bin.1a2b.partial")
            try AtomicFile.write(to: folder + "/a.bin") { try $0.write([1]) }
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
                    ".b.bin.1a2b.partial", "a.bin",
                ])
        }
    }

    @Test func placesThatCannotBeWrittenAreNamed() throws {
        try withScratchFolder { folder in
            #expect(
                fileError { _ = try AtomicFile(replacing: folder + "/none/x") }?.found == "No such file or directory")
            #expect(fileError { _ = try AtomicFile(replacing: folder) }?.found == "a folder")
            #expect(fileError { _ = try AtomicFile(replacing: "/dev/null") }?.found == "a device or pipe")
            #expect(fileError { _ = try AtomicFile(replacing: "") }?.found == "nothing")
            #expect(fileError { _ = try AtomicFile(replacing: folder + "/a\0b") }?.found == "a zero byte")
        }
    }

    @Test func longNamesAreWritten() throws {
        try withScratchFolder { folder in
            let path = folder + "/" + String(repeating: "é", count: 127)
            try AtomicFile.write(to: path) { try $0.write([1]) }
            #expect(try Data(contentsOf: URL(filePath: path)) == Data([1]))
        }
    }

    /// A child process whose files may not grow beyond 64 KiB stands for a full disk.
    @Test func aFullDiskLeavesTheOldFile() async {
        await #expect(processExitsWith: .success) {
            try withScratchFolder { folder in
                let path = folder + "/weights.safetensors"
                try SafetensorsFile.write([("small", Tensor([1, 2] as [Float], [2]))], to: path)
                let before = try Data(contentsOf: URL(filePath: path))
                limitFileSize(65_536)
                let big = Tensor([Float](repeating: 1, count: 100_000), [100_000])
                let error = fileError { try SafetensorsFile.write([("big", big)], to: path) }
                #expect(error?.path == path)
                #expect(error?.expected == "room on the disk for the whole file")
                #expect(error?.found == "File too large")
                #expect(try Data(contentsOf: URL(filePath: path)) == before)
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["weights.safetensors"])
            }
        }
    }
}

/// Lets no file of this process grow beyond `byteCount`; a write beyond fails instead of ending the process.
func limitFileSize(_ byteCount: UInt) {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit(rlim_cur: byteCount, rlim_max: byteCount)
    #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
}
