import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct SafetensorsTests {
    @Test func everyTypeSurvivesARoundTrip() throws {
        let tensors = tensorsOfEveryType()
        try withScratchFolder { folder in
            let path = folder + "/all.safetensors"
            try SafetensorsFile.write(tensors, to: path)
            let file = try SafetensorsFile(path: path)
            #expect(Set(file.names) == Set(tensors.map(\.name)))
            #expect(file.metadata.isEmpty)
            for (name, tensor) in tensors {
                #expect(file.info(name) == TensorInfo(dtype: tensor.dtype, shape: tensor.shape))
                expectSame(try file.tensor(name), tensor, name)
            }
        }
    }

    @Test func emptyTensorsAndScalarsSurvive() throws {
        let tensors: [(name: String, tensor: Tensor)] = [
            ("empty", Tensor([] as [Float], [0])), ("empty.wide", Tensor([] as [Int64], [3, 0, 5])),
            ("scalar", Tensor([2.5] as [Float], [])), ("scalar.bool", Tensor([true], [])),
        ]
        try withScratchFolder { folder in
            let path = folder + "/small.safetensors"
            try SafetensorsFile.write(tensors, to: path)
            let file = try SafetensorsFile(path: path)
            for (name, tensor) in tensors { expectSame(try file.tensor(name), tensor, name) }
            try SafetensorsFile.write([], to: path)
            #expect(try SafetensorsFile(path: path).names == [])
            #expect(
                try Data(contentsOf: URL(filePath: path)) == Data([8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8)))
        }
    }

    @Test func viewsAreWrittenRowMajor() throws {
        let base = Tensor((0..<24).map(Float.init), [2, 3, 4])
        let views: [(name: String, tensor: Tensor)] = [
            ("transposed", base.transposed()), ("sliced", base.sliced(axis: 1, 1..<3)),
            ("inner", base.sliced(axis: 2, 1..<2)), ("expanded", base.sliced(axis: 0, 1..<2).expanded(to: [2, 3, 4])),
            ("tail", base.sliced(axis: 0, 1..<2)),
        ]
        try withScratchFolder { folder in
            let path = folder + "/views.safetensors"
            try SafetensorsFile.write(views, to: path)
            let file = try SafetensorsFile(path: path)
            for (name, view) in views { expectSame(try file.tensor(name), view, name) }
            let transposed = try file.tensor("transposed").elements(as: Float.self)
            #expect(transposed.prefix(6) == [0, 4, 8, 1, 5, 9])
            #expect(try file.tensor("tail").elements(as: Float.self).first == 12)
        }
    }

    @Test func namesAndMetadataKeepEveryCharacter() throws {
        let names = ["слой.вес", "層/重み", "quote\"back\\slash", "tab\tnew\nline", "😀.weight", "\u{1}\u{1f}", "", " "]
        let metadata = [
            "format": "pt", "lora_adapter_metadata": "{\"r\": 4, \"ключ\": \"😀\\\\\"}", "": "\u{0}\r\u{8}\u{c}",
        ]
        try withScratchFolder { folder in
            let path = folder + "/имена 😀.safetensors"
            let tensors = names.enumerated().map { (name: $1, tensor: Tensor([Float($0)], [1])) }
            try SafetensorsFile.write(tensors, metadata: metadata, to: path)
            let file = try SafetensorsFile(path: path)
            #expect(Set(file.names) == Set(names))
            #expect(file.metadata == metadata)
            for (name, tensor) in tensors { expectSame(try file.tensor(name), tensor, name) }
        }
    }

    @Test func escapesOfOtherWritersAreRead() throws {
        let header = #"""
            {"\u0041\ud83d\ude00\/\b":{"dtype":"U8","extra":[{"a":[1.5e+3,-0,null,true,false,{}]}],"shape":[1],
            "data_offsets":[0,1]} , "__metadata__":null}
            """#
        try withScratchFolder { folder in
            let path = folder + "/escapes.safetensors"
            try writeFile(safetensors(header, [7]), to: path)
            let file = try SafetensorsFile(path: path)
            #expect(file.names == ["A😀/\u{8}"])
            #expect(try file.tensor(file.names[0]).elements(as: UInt8.self) == [7])
        }
    }

    @Test func orderAndAlignmentAreUpstreams() throws {
        let given: [(name: String, tensor: Tensor)] = [
            ("b", Tensor([true], [1])), ("z", Tensor([1] as [Float], [1])), ("u", Tensor([1] as [UInt8], [1])),
            ("h", Tensor([1] as [Float16], [1])), ("i", Tensor([1] as [Int32], [1])),
            ("a", Tensor([2] as [Float], [1])), ("g", Tensor([BFloat16(1)], [1])), ("l", Tensor([1] as [Int64], [1])),
        ]
        try withScratchFolder { folder in
            let path = folder + "/order.safetensors"
            try SafetensorsFile.write(given, metadata: ["k": "v"], to: path)
            let file = try SafetensorsFile(path: path)
            #expect(file.names == ["l", "a", "z", "i", "g", "h", "u", "b"])
            for entry in file.entries {
                let width = try #require(file.info(entry.name)).dtype.byteCount
                #expect(entry.byteRange.lowerBound % width == 0, "\(entry.name)")
            }
            try SafetensorsFile.write(given, order: .given, to: path)
            let unaligned = try SafetensorsFile(path: path)
            #expect(unaligned.names == given.map(\.name))
            for (name, tensor) in given { expectSame(try unaligned.tensor(name), tensor, name) }
        }
    }

    @Test func namesMustBeDistinctAndFree() throws {
        let one = Tensor([1] as [Float], [1])
        try withScratchFolder { folder in
            let path = folder + "/twice.safetensors"
            let twice = fileError { try SafetensorsFile.write([("a", one), ("a", one)], to: path) }
            #expect(twice?.key == "a")
            #expect(twice?.found == "the name twice")
            let reserved = fileError { try SafetensorsFile.write([("__metadata__", one)], to: path) }
            #expect(reserved?.found == "the reserved name")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(left == [])
        }
    }

    /// The fixtures were written by upstream's own writer, which ours must equal byte for byte.
    @Test func fixturesAreReadAndWrittenAgain() throws {
        let walker = FileManager.default.enumerator(atPath: Fixtures.folder.path)
        let files = (walker?.allObjects as? [String] ?? []).filter { $0.hasSuffix(".safetensors") }
        #expect(files.count >= 10)
        for name in files {
            let file = try SafetensorsFile(path: Fixtures.path(name))
            let tensors = try file.names.map { (name: $0, tensor: try file.tensor($0)) }
            try withScratchFolder { folder in
                let path = folder + "/copy.safetensors"
                try SafetensorsFile.write(tensors, metadata: file.metadata, to: path)
                let copy = try SafetensorsFile(path: path)
                #expect(copy.metadata == file.metadata)
                for (key, tensor) in tensors { expectSame(try copy.tensor(key), tensor, key) }
                // Upstream keeps metadata in a hash table: with two keys their order is not defined.
                if file.metadata.count <= 1 {
                    let isEqual = FileManager.default.contentsEqual(atPath: path, andPath: Fixtures.path(name))
                    #expect(isEqual, "\(name)")
                }
            }
        }
    }

    @Test func typesThatAreNotHeldLeaveTheRestReadable() throws {
        let header = #"""
            {"wide":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[],"data_offsets":[8,12]},
            "eighth":{"dtype":"F8_E8M0","shape":[2,2],"data_offsets":[12,16]},
            "packed":{"dtype":"F4","shape":[2],"data_offsets":[16,17]}}
            """#
        try withScratchFolder { folder in
            let path = folder + "/types.safetensors"
            try writeFile(safetensors(header, [UInt8](repeating: 0, count: 17)), to: path)
            let file = try SafetensorsFile(path: path)
            #expect(file.names == ["wide", "a", "eighth", "packed"])
            #expect(file.entry("eighth")?.dtypeName == "F8_E8M0")
            #expect(file.entry("eighth")?.dimensions == [2, 2])
            #expect(file.info("eighth") == nil && file.info("wide")?.dtype == .float32)
            #expect(try file.tensor("a").elements(as: Float.self) == [0])
            let error = fileError { _ = try file.tensor("eighth") }
            #expect(error?.key == "eighth")
            #expect(error?.found == "F8_E8M0")
            #expect(error?.expected.contains("BF16") == true)
        }
    }

    @Test func doublesBecomeFloat32() throws {
        let values: [Double] = [1, -0.1, 1e-60, .nan, -.infinity, 3.4e38, 1e39]
        let bytes = values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
        // Behind one odd byte, so that the doubles do not lie aligned.
        let header =
            #"{"byte":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
            + #""d":{"dtype":"F64","shape":[2,3],"data_offsets":[1,49]},"large":{"dtype":"F64","shape":[],"data_offsets":[49,57]}}"#
        try withScratchFolder { folder in
            let path = folder + "/doubles.safetensors"
            try writeFile(safetensors(header, [7] + bytes), to: path)
            let file = try SafetensorsFile(path: path)
            let tensor = try file.tensor("d")
            #expect(tensor.dtype == .float32 && tensor.shape == [2, 3])
            #expect(Array(tensor.floats[..<3]) == [1, -0.1, 0] && tensor.floats[3].isNaN)
            #expect(tensor.floats[4] == -Float.infinity && tensor.floats[5] == 3.4e38)
            let error = fileError { _ = try file.tensor("large") }
            #expect(error?.key == "large" && error?.expected == "doubles within the range of float32")
            #expect(error?.found == "1e+39")
        }
    }

    @Test func aMissingTensorNamesTheNearest() throws {
        let file = try SafetensorsFile(path: Fixtures.path("random.safetensors"))
        let name = try #require(file.names.first)
        let error = fileError { _ = try file.tensor(name + "_") }
        #expect(error?.key == name + "_")
        #expect(error?.nearest == name)
    }
}

/// A file of the given header, its length before it, and data after it.
func safetensors(_ header: String, _ data: [UInt8] = [], declaredLength: UInt64? = nil) -> [UInt8] {
    let length = declaredLength ?? UInt64(header.utf8.count)
    return withUnsafeBytes(of: length.littleEndian, Array.init) + Array(header.utf8) + data
}
