import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct HDF5FaultTests {
    private struct Interruption: Error {}

    /// Writes a small file of groups, tensors, strings and attributes.
    private func writeSmall(_ path: String) throws {
        try HDF5File.write(to: path) { root in
            let adapter = try root.createGroup("adapter")
            try adapter.write(Tensor((0..<600).map(Float.init), [20, 30]), to: "lora_A", .compressed)
            try adapter.write(Tensor([1, 2] as [Int64], [2]), to: "steps")
            try root.write(["a", "b"], to: "captions")
            try root.setAttribute("step", 100)
        }
    }

    /// Reads all that `writeSmall` wrote.
    private func readSmall(_ path: String) throws {
        let root = try HDF5File(reading: path).root
        _ = try root.tensor("adapter/lora_A")
        _ = try root.tensor("adapter/steps")
        _ = try root.strings("captions")
        _ = try root.attribute("step")
    }

    @Test func missingMembersNameTheNearest() throws {
        try withScratchFolder { folder in
            let path = folder + "/small.h5"
            try writeSmall(path)
            let root = try HDF5File(reading: path).root
            let tensor = fileError { _ = try root.tensor("adapter/lora_B") }
            #expect(
                tensor?.description
                    == "\(path): /adapter/lora_B: expected a tensor of this name, found none among 2 (did you mean 'lora_A'?)"
            )
            #expect(fileError { _ = try root.group("adaptor") }?.nearest == "adapter")
            #expect(fileError { _ = try root.tensor("adapter") }?.found == "a group")
            #expect(fileError { _ = try root.group("captions") }?.found == "a dataset")
            #expect(fileError { _ = try root.tensor("captions/x") }?.expected == "a group")
            for name in ["", "/", "/adapter", "adapter/", "a//b", "./adapter", "a\0b"] {
                let error = fileError { _ = try root.tensor(name) }
                #expect(error?.expected == "names joined by single slashes, without '.' and zero bytes", "'\(name)'")
            }
        }
    }

    @Test func typeAndShapeAreChecked() throws {
        try withScratchFolder { folder in
            let path = folder + "/small.h5"
            try writeSmall(path)
            let root = try HDF5File(reading: path).root
            let shape = fileError { _ = try root.tensor("adapter/lora_A", dtype: .float32, shape: [30, 20]) }
            #expect(
                shape?.description == "\(path): /adapter/lora_A: expected float32 [30, 20], found float32 [20, 30]")
            let dtype = fileError { _ = try root.tensor("adapter/steps", dtype: .int32, shape: [2]) }
            #expect(dtype?.description == "\(path): /adapter/steps: expected int32 [2], found int64 [2]")
        }
    }

    @Test func takenNamesAreRefused() throws {
        try withScratchFolder { folder in
            try HDF5File.write(to: folder + "/taken.h5") { root in
                let one = Tensor([1] as [Float], [1])
                try root.write(one, to: "x")
                #expect(fileError { try root.write(one, to: "x") }?.found == "a member of this name")
                #expect(fileError { try root.createGroup("x") }?.found == "a member of this name")
                #expect(fileError { try root.write(["a"], to: "x") }?.found == "a member of this name")
                #expect(fileError { try root.write(one, to: "x/y") }?.found == "a dataset")
                #expect(fileError { try root.setAttribute("", 1) }?.found == "no name")
            }
        }
    }

    @Test func whatIsNoFileIsRefused() throws {
        try withScratchFolder { folder in
            #expect(fileError { _ = try HDF5File(reading: folder + "/none.h5") }?.found == "No such file or directory")
            #expect(fileError { _ = try HDF5File(reading: folder) }?.found == "a folder")
            #expect(fileError { _ = try HDF5File(creating: folder + "/none/x.h5") }?.path == folder + "/none/x.h5")
            for (name, data, found) in [
                ("empty", Data(), "an empty file"),
                ("text", Data("no HDF5 at all".utf8), "text that begins with 'no HDF5 at all'"),
                ("numbers", Data([1, 2, 3, 0, 0, 0, 0, 0, 9]), "file signature not found"),
            ] {
                let path = folder + "/" + name
                try writeFile(data, to: path)
                let error = fileError { _ = try HDF5File(reading: path) }
                #expect(error?.description == "\(path): expected an HDF5 file, found \(found)")
            }
        }
    }

    /// A file cut anywhere is refused at once: the length stands in its superblock.
    @Test func everyTruncationIsRefused() throws {
        try withScratchFolder { folder in
            let path = folder + "/cut.h5"
            try writeSmall(path)
            let whole = try Data(contentsOf: URL(filePath: path))
            for length in stride(from: 0, to: whole.count, by: 7) {
                try writeFile(whole.prefix(length), to: path)
                #expect(fileError { _ = try HDF5File(reading: path) } != nil, "\(length) bytes")
            }
        }
    }

    /// All metadata carries checksums, and deflated data one of its own: a flipped bit is an error or changes only numbers.
    @Test func damageIsReadOrRefused() throws {
        try withScratchFolder { folder in
            let path = folder + "/damaged.h5"
            try writeSmall(path)
            let whole = try Data(contentsOf: URL(filePath: path))
            var random = SplitMix64(seed: 7)
            var refused = 0
            for _ in 0..<500 {
                var data = whole
                data[Int.random(in: 0..<data.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                try writeFile(data, to: path)
                do { try readSmall(path) } catch is FileError { refused += 1 }
            }
            #expect(refused > 50, "\(refused) refused")
        }
    }

    @Test func aFaultLeavesTheOldFile() throws {
        try withScratchFolder { folder in
            let path = folder + "/old.h5"
            try writeSmall(path)
            let before = try Data(contentsOf: URL(filePath: path))
            #expect(throws: Interruption.self) {
                try HDF5File.write(to: path) { root in
                    try root.write(Tensor([9] as [Float], [1]), to: "new")
                    throw Interruption()
                }
            }
            do {
                let dropped = try HDF5File(creating: path)
                try dropped.root.setAttribute("step", 1)
            }
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["old.h5"])
            // A reader keeps the old file while a new one takes its name.
            let old = try HDF5File(reading: path).root
            try HDF5File.write(to: path) { try $0.setAttribute("step", 101) }
            #expect(try old.attribute("step", as: Int.self) == 100)
            #expect(try HDF5File(reading: path).root.attribute("step", as: Int.self) == 101)
        }
    }

    /// A child process whose files may not grow beyond 64 KiB stands for a full disk, met while elements are written, when
    /// a chunk leaves the cache, or only at the commit. The library must stay usable, to the end of the process too.
    @Test(arguments: ["elements", "chunks", "metadata", "attributes"])
    func aFullDiskLeavesTheOldFile(kind: String) async {
        await #expect(processExitsWith: .success) { [kind] in
            try withScratchFolder { folder in
                let path = folder + "/checkpoint.h5"
                try HDF5File.write(to: path) { try $0.setAttribute("step", 1) }
                let before = try Data(contentsOf: URL(filePath: path))
                limitFileSize(65_536)
                let error = fileError {
                    try HDF5File.write(to: path) { root in
                        switch kind {
                        case "elements":
                            try root.write(Tensor([Float](repeating: 1, count: 100_000), [100_000]), to: "big")
                        case "chunks":
                            let rows = try root.createDataset(
                                "rows", dtype: .float32, shape: [0, 1000],
                                HDF5DatasetOptions(isResizable: true, chunk: [5, 1000]))
                            for _ in 0..<20 { try rows.append(Tensor([Float](repeating: 1, count: 1000), [1, 1000])) }
                        case "metadata":
                            for i in 0..<2000 { try root.createGroup("group \(i)") }
                        default:
                            try root.setAttribute("text", String(repeating: "x", count: 100_000))
                        }
                    }
                }
                #expect(error?.path == path)
                #expect(error?.expected == "room on the disk for the whole file")
                #expect(error?.found == "File too large")
                #expect(try Data(contentsOf: URL(filePath: path)) == before)
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["checkpoint.h5"])
                try HDF5File.write(to: path) { try $0.setAttribute("step", 2) }
                #expect(try HDF5File(reading: path).root.attribute("step", as: Int.self) == 2)
            }
        }
    }

    /// After a refused write the file is gone, and every further call says why.
    @Test func aRefusedFileStaysRefused() async {
        await #expect(processExitsWith: .success) {
            try withScratchFolder { folder in
                limitFileSize(65_536)
                let file = try HDF5File(creating: folder + "/x.h5")
                let root = try file.root
                let big = Tensor([Float](repeating: 1, count: 100_000), [100_000])
                #expect(fileError { try root.write(big, to: "big") }?.found == "File too large")
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
                #expect(fileError { try root.setAttribute("step", 1) }?.found == "File too large")
                #expect(fileError { try file.commit() }?.found == "File too large")
            }
        }
    }
}
