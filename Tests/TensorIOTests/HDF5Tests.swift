import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct HDF5Tests {
    static let options: [HDF5DatasetOptions] = [
        .plain, .compressed, HDF5DatasetOptions(deflateLevel: 9), HDF5DatasetOptions(isResizable: true),
        HDF5DatasetOptions(checksum: true),
    ]

    @Test(arguments: options)
    func everyTypeSurvivesARoundTrip(options: HDF5DatasetOptions) throws {
        let tensors =
            tensorsOfEveryType() + [
                ("empty", Tensor([] as [Float], [0])), ("empty.wide", Tensor([] as [Int64], [3, 0, 5])),
                ("one", Tensor([2.5] as [Float], [1, 1])),
            ]
        try withScratchFolder { folder in
            let path = folder + "/all.h5"
            try HDF5File.write(to: path) { root in
                for (name, tensor) in tensors { try root.write(tensor, to: name, options) }
            }
            let root = try HDF5File(reading: path).root
            let members = try root.members
            #expect(members == tensors.map(\.name))
            for (name, tensor) in tensors {
                let info = TensorInfo(dtype: tensor.dtype, shape: tensor.shape)
                expectSame(try root.tensor(name), tensor, name)
                expectSame(try root.tensor(name, dtype: tensor.dtype, shape: tensor.shape), tensor, name)
                #expect(try root.dataset(name).info == info)
                #expect(try root.kind(of: name) == .tensor(info))
            }
        }
    }

    @Test func scalarsAndViewsSurvive() throws {
        let base = Tensor((0..<24).map(Float.init), [2, 3, 4])
        let views: [(name: String, tensor: Tensor)] = [
            ("scalar", Tensor([2.5] as [Float], [])), ("scalar.bool", Tensor([true], [])),
            ("transposed", base.transposed()), ("sliced", base.sliced(axis: 1, 1..<3)),
            ("expanded", base.sliced(axis: 0, 1..<2).expanded(to: [2, 3, 4])), ("tail", base.sliced(axis: 0, 1..<2)),
        ]
        try withScratchFolder { folder in
            let path = folder + "/views.h5"
            try HDF5File.write(to: path) { root in
                for (name, view) in views { try root.write(view, to: name, name == "scalar" ? .compressed : .plain) }
            }
            let root = try HDF5File(reading: path).root
            for (name, view) in views { expectSame(try root.tensor(name), view, name) }
        }
    }

    @Test func groupsNestAndKeepTheirOrder() throws {
        try withScratchFolder { folder in
            let path = folder + "/groups.h5"
            let one = Tensor([1] as [Float], [1])
            try HDF5File.write(to: path) { root in
                let z = try root.createGroup("z")
                try z.createGroup("inner").write(one, to: "weight")
                try root.write(one, to: "a/b/c.0")
                try root.write(one, to: "a/b/имя 😀")
                try root.write(one, to: "a/a")
                #expect(try root.members == ["z", "a"])
                #expect(try root.exists("a/b"))
            }
            let root = try HDF5File(reading: path).root
            #expect(try root.members == ["z", "a"])
            #expect(try root.group("a").members == ["b", "a"])
            #expect(try root.group("a/b").members == ["c.0", "имя 😀"])
            #expect(try root.group("a").group("b").location == "/a/b")
            #expect(try root.kind(of: "a/b") == .group)
            expectSame(try root.tensor("z/inner/weight"), one)
            expectSame(try root.tensor("a/b/имя 😀"), one)
            for (name, isThere) in [("a/b/c.0", true), ("a/b/c", false), ("x/y/z", false), ("a/a/x", false)] {
                #expect(try root.exists(name) == isThere, "\(name)")
            }
            let archive = try HDF5Archive(path: path)
            #expect(archive.names == ["z/inner/weight", "a/b/c.0", "a/b/имя 😀", "a/a"])
            #expect(archive.info("a/a") == TensorInfo(dtype: .float32, shape: [1]))
            expectSame(try archive.tensor("a/a"), one)
        }
    }

    @Test func attributesSurvive() throws {
        try withScratchFolder { folder in
            let path = folder + "/attributes.h5"
            let long = String(repeating: "ключ: значение\n", count: 20_000)
            try HDF5File.write(to: path) { root in
                try root.setAttribute("text", "größe 😀")
                try root.setAttribute("empty", "")
                try root.setAttribute("long", long)
                try root.setAttribute("texts", ["a", "", "ß\n"])
                try root.setAttribute("none", [String]())
                try root.setAttribute("int", Int.min)
                try root.setAttribute("ints", [1, -2, Int.max])
                try root.setAttribute("flag", true)
                try root.setAttribute("double", 0.1)
                try root.setAttribute("float", Float(0.1))
                try root.setAttribute("nan", Double.nan)
                try root.setAttribute("doubles", [1.5, -.infinity])
                try root.setAttribute("no numbers", [Double]())
                try root.setAttribute("replaced", 1)
                try root.setAttribute("replaced", "now a text")
                try root.write(Tensor([1] as [Float], [1]), to: "weight")
                try root.dataset("weight").setAttribute("unit", "m")
            }
            let root = try HDF5File(reading: path).root
            #expect(try root.attribute("text", as: String.self) == "größe 😀")
            #expect(try root.attribute("empty", as: String.self) == "")
            #expect(try root.attribute("long", as: String.self) == long)
            #expect(try root.attribute("texts", as: [String].self) == ["a", "", "ß\n"])
            #expect(try root.attribute("none", as: [String].self) == [])
            #expect(try root.attribute("int", as: Int.self) == Int.min)
            #expect(try root.attribute("ints", as: [Int].self) == [1, -2, Int.max])
            #expect(try root.attribute("flag", as: Bool.self))
            #expect(try root.attribute("double", as: Double.self) == 0.1)
            #expect(try root.attribute("float", as: Float.self) == 0.1)
            #expect(try root.attribute("nan", as: Double.self).isNaN)
            #expect(try root.attribute("doubles", as: [Double].self) == [1.5, -.infinity])
            #expect(try root.attribute("no numbers", as: [Double].self) == [])
            #expect(try root.attribute("replaced") == .string("now a text"))
            #expect(try root.dataset("weight").attribute("unit", as: String.self) == "m")
            #expect(try root.hasAttribute("text"))
            #expect(try !root.hasAttribute("absent"))
            #expect(try root.attributeNames.count == 14)
            let wrongKind = fileError { _ = try root.attribute("ints", as: String.self) }
            #expect(wrongKind?.description == "\(path): /@ints: expected a string, found a list of integers")
            let missing = fileError { _ = try root.attribute("txt", as: String.self) }
            #expect(missing?.key == "/@txt")
            #expect(missing?.nearest == "text")
        }
    }

    @Test func stringsSurvive() throws {
        try withScratchFolder { folder in
            let path = folder + "/strings.h5"
            let texts = ["one", "", "три", "四\n😀", String(repeating: "long ", count: 30_000)]
            try HDF5File.write(to: path) { root in
                try root.write(texts, to: "captions")
                try root.write([String](), to: "deep/none")
                let error = fileError { try root.write(["a\0b"], to: "zero") }
                #expect(error?.expected == "text without zero bytes")
            }
            let root = try HDF5File(reading: path).root
            #expect(try root.strings("captions") == texts)
            #expect(try root.strings("deep/none") == [])
            #expect(try root.kind(of: "captions") == .strings(5))
            #expect(try root.members == ["captions", "deep"])
            #expect(fileError { _ = try root.tensor("captions") }?.found == "strings")
        }
    }

    /// One text far longer than the many others: too wasteful to pad, so stored with variable lengths.
    @Test func unevenStringsSurvive() throws {
        try withScratchFolder { folder in
            let path = folder + "/uneven.h5"
            let texts = [String](repeating: "short", count: 2000) + [String(repeating: "é", count: 50_000)]
            try HDF5File.write(to: path) { try $0.write(texts, to: "captions") }
            #expect(try HDF5File(reading: path).root.strings("captions") == texts)
            #expect(try Data(contentsOf: URL(filePath: path)).count < 1 << 20)
        }
    }

    @Test func rowsAreReadWrittenAndAppended() throws {
        let whole = Tensor((0..<60).map(Float.init), [10, 2, 3])
        try withScratchFolder { folder in
            let path = folder + "/rows.h5"
            for options in [HDF5DatasetOptions.plain, .compressed, HDF5DatasetOptions(chunk: [3, 1, 2])] {
                try HDF5File.write(to: path) { root in
                    let rows = try root.createDataset("rows", dtype: .float32, shape: [10, 2, 3], options)
                    try rows.write(whole.sliced(axis: 0, 4..<10), atRow: 4)
                    try rows.write(whole.sliced(axis: 0, 1..<4), atRow: 1)
                    try rows.write(whole.sliced(axis: 0, 4..<4), atRow: 10)
                    expectSame(try rows.tensor(rows: 2..<6), whole.sliced(axis: 0, 2..<6))

                    let grown = try root.createDataset(
                        "grown", dtype: .bfloat16, shape: [0, 3],
                        HDF5DatasetOptions(deflateLevel: 1, shuffle: true, isResizable: true))
                    for row in 0..<50 {
                        try grown.append(Tensor((0..<3).map { BFloat16(Float(row * 3 + $0)) }, [1, 3]))
                    }
                    #expect(grown.shape == [50, 3])
                }
                let root = try HDF5File(reading: path).root
                let rows = try root.dataset("rows")
                expectSame(try rows.tensor(rows: 1..<10), whole.sliced(axis: 0, 1..<10))
                expectSame(try rows.tensor(rows: 9..<10), whole.sliced(axis: 0, 9..<10))
                #expect(try rows.tensor(rows: 0..<1).elements(as: Float.self) == [0, 0, 0, 0, 0, 0])
                #expect(try rows.tensor(rows: 3..<3).shape == [0, 2, 3])
                let grown = try root.dataset("grown")
                #expect(grown.info == TensorInfo(dtype: .bfloat16, shape: [50, 3]))
                let last = try grown.tensor(rows: 49..<50).elements(as: BFloat16.self).map(\.float)
                #expect(last == [147, 148, 149].map { BFloat16($0).float })
            }
        }
    }

    @Test func bigTensorsAreChunkedAndShrink() throws {
        let count = 3_000_000
        let tensor = Tensor((0..<count).map { Float($0 % 100) }, [3, 1000, 1000])
        try withScratchFolder { folder in
            let path = folder + "/big.h5"
            try HDF5File.write(to: path) { try $0.write(tensor, to: "x", .compressed) }
            let size = try Data(contentsOf: URL(filePath: path)).count
            #expect(size < count, "\(size) bytes")
            expectSame(try HDF5File(reading: path).root.tensor("x"), tensor)
        }
    }

    /// No time stamps, no addresses: the same content gives the same bytes.
    @Test func filesAreReproducible() throws {
        try withScratchFolder { folder in
            for name in ["a.h5", "b.h5"] {
                try HDF5File.write(to: folder + "/" + name) { root in
                    for (name, tensor) in tensorsOfEveryType() { try root.write(tensor, to: "g/" + name, .compressed) }
                    try root.setAttribute("text", "same")
                    try root.write(["x", "y"], to: "strings")
                }
                if name == "a.h5" { Thread.sleep(forTimeInterval: 1.1) }
            }
            #expect(FileManager.default.contentsEqual(atPath: folder + "/a.h5", andPath: folder + "/b.h5"))
        }
    }

    @Test func threadsShareAFile() async throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "threads.h5").path
        try HDF5File.write(to: path) { root in
            for i in 0..<16 { try root.write(Tensor([Float](repeating: Float(i), count: 1000), [1000]), to: "\(i)") }
        }
        let file = try HDF5File(reading: path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for i in 0..<16 {
                group.addTask {
                    for _ in 0..<20 {
                        let values = try file.root.tensor("\(i)").elements(as: Float.self)
                        #expect(values == [Float](repeating: Float(i), count: 1000))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
