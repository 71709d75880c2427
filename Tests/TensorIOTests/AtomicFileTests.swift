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
