import Foundation
import TensorIO
import TestSupport
import Testing

@Suite struct TarTests {
    private func withFolder(_ body: (URL) throws -> Void) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func contents(_ tar: TarFile) -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: tar.members.map { ($0.name, tar.withBytes(of: $0) { Array($0) }) })
    }

    private let long = String(repeating: "folder/", count: 15) + "name.json"

    private func write(_ path: String) throws {
        try TarWriter.write(to: path) { tar in
            try tar.add("a.txt", Array("hello".utf8))
            try tar.add("empty", [])
            try tar.add("block", [UInt8](repeating: 7, count: 512))
            try tar.add(long, [1, 2, 3])
        }
    }

    @Test func membersComeBackInOrder() throws {
        try withFolder { folder in
            let path = folder.appending(path: "x.tar").path
            try write(path)
            let tar = try TarFile(path: path)
            #expect(tar.members.map(\.name) == ["a.txt", "empty", "block", long])
            #expect(
                contents(tar) == [
                    "a.txt": Array("hello".utf8), "empty": [], "block": [UInt8](repeating: 7, count: 512),
                    long: [1, 2, 3],
                ])
            #expect(try Data(contentsOf: URL(filePath: path)).count == (2 + 1 + 2 + 2 + 2) * 512)
            let other = folder.appending(path: "y.tar").path
            try write(other)
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(contentsOf: URL(filePath: other)))
        }
    }

    /// The system's tar reads ours, and we read what it writes in each of its formats.
    @Test func theSystemsTarAgrees() throws {
        let program = URL(filePath: "/bin/tar")
        try #require(FileManager.default.isExecutableFile(atPath: program.path))
        try withFolder { folder in
            func run(_ arguments: [String]) throws -> Int32 {
                let process = Process()
                process.executableURL = program
                process.arguments = ["-C", folder.path] + arguments
                try process.run()
                process.waitUntilExit()
                return process.terminationStatus
            }
            try write(folder.appending(path: "ours.tar").path)
            #expect(try run(["-xf", folder.appending(path: "ours.tar").path]) == 0)
            #expect(try Data(contentsOf: folder.appending(path: long)) == Data([1, 2, 3]))
            let name = String(repeating: "n", count: 130)
            try Data([9, 8]).write(to: folder.appending(path: name))
            try FileManager.default.createSymbolicLink(
                at: folder.appending(path: "link"), withDestinationURL: folder.appending(path: "a.txt"))
            for format in ["v7", "ustar", "gnu", "pax"] {
                let path = folder.appending(path: "\(format).tar").path
                // The old formats take no name of 130 bytes.
                let names = ["a.txt", "link", "folder"] + (format == "gnu" || format == "pax" ? [name] : [])
                #expect(try run(["-cf", path, "--format", format] + (format == "v7" ? ["a.txt"] : names)) == 0)
                let tar = try TarFile(path: path)
                #expect(contents(tar)["a.txt"] == Array("hello".utf8))
                if format != "v7" { #expect(contents(tar)[long] == [1, 2, 3]) }
                if names.contains(name) { #expect(contents(tar)[name] == [9, 8]) }
                #expect(contents(tar)["link"] == nil)
            }
        }
    }

    @Test func damagedArchivesAreErrors() throws {
        try withFolder { folder in
            let path = folder.appending(path: "x.tar").path
            try write(path)
            let whole = try Data(contentsOf: URL(filePath: path))
            func fault(_ change: (inout Data) -> Void) throws -> FileError? {
                var bytes = whole
                change(&bytes)
                try bytes.write(to: URL(filePath: path))
                return #expect(throws: FileError.self) { try TarFile(path: path) }
            }
            #expect(try fault { $0[3] ^= 1 }?.key == "byte 0")
            #expect(try fault { $0 = $0.prefix(700) }?.found == "the end of the file at 700")
            #expect(try fault { $0 = $0.prefix(1536) }?.key == "byte 1536")
            #expect(try fault { $0 = $0.prefix(2300) }?.expected == "a member of 512 bytes")
            #expect(try fault { $0 = Data() }?.found == "an empty file")
            #expect(
                try fault {
                    $0.append(contentsOf: []); $0.replaceSubrange(124..<135, with: "7777777777x".utf8)
                }?.key == "byte 0")
            #expect(throws: FileError.self) { try TarFile(path: folder.path) }
            #expect(throws: FileError.self) { try TarFile(path: path + "missing") }
            // A name without room, and nothing is left behind.
            let new = folder.appending(path: "new.tar").path
            #expect(throws: FileError.self) {
                try TarWriter.write(to: new) { try $0.add(String(repeating: "n", count: 101), []) }
            }
            #expect(!FileManager.default.fileExists(atPath: new))
        }
    }
}
