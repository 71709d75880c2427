import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// What h5py wrote (`Tests/Reference/make_hdf5_fixture.py`) is read, or refused with a reason.
@Suite struct HDF5ForeignTests {
    static let path = Fixtures.path("hdf5/h5py.h5")

    @Test func tensorsAreRead() throws {
        let group = try HDF5File(reading: Self.path).root.group("tensors")
        let quarters = Tensor([0, 0.25, 0.5, 0.75, 1, 1.25] as [Float], [2, 3])
        let expected: [(name: String, tensor: Tensor)] = [
            ("float32", quarters), ("float32.big", quarters),
            ("float16", Tensor([1, -2.5, 65504, 6e-8] as [Float16], [4])),
            ("int32", Tensor([.min, 0, .max] as [Int32], [3])), ("int64", Tensor([.min, 0, .max] as [Int64], [3])),
            ("uint8", Tensor([0, 127, 255] as [UInt8], [3])), ("bool", Tensor([true, false, true], [3])),
            ("scalar", Tensor([2.5] as [Float], [])), ("empty", Tensor([] as [Float], [0, 4])),
            ("deflated", Tensor((0..<4000).map(Int32.init), [100, 40])),
        ]
        #expect(Set(try group.members) == Set(expected.map(\.name)))
        for (name, tensor) in expected { expectSame(try group.tensor(name), tensor, name) }
        let rows = try group.dataset("deflated").tensor(rows: 15..<18)
        expectSame(rows, Tensor((600..<720).map(Int32.init), [3, 40]))
    }

    @Test func stringsAreRead() throws {
        let group = try HDF5File(reading: Self.path).root.group("strings")
        #expect(try group.strings("variable") == ["one", "zwei", "три", "", "四"])
        #expect(try group.strings("fixed") == ["ab", "abc", ""])
        #expect(try group.strings("single") == ["alone"])
        #expect(fileError { _ = try group.strings("../tensors/int32") }?.expected.contains("a list of strings") == true)
    }

    @Test func attributesAreRead() throws {
        let group = try HDF5File(reading: Self.path).root.group("attributes")
        let expected: [String: HDF5Attribute] = [
            "text": .string("größe"), "fixed": .string("bytes"), "texts": .strings(["a", "ß"]), "int": .integer(42),
            "int8": .integer(-3), "bool": .integer(1), "uint64": .integer(.max), "ints": .integers([1, -2, 3]),
            "float": .real(0.1), "float32": .real(0.5), "floats": .reals([0.5, 0.25]),
        ]
        for (name, value) in expected { #expect(try group.attribute(name) == value, "\(name)") }
        #expect(try group.attribute("bool", as: Bool.self))
        #expect(fileError { _ = try group.attribute("uint64.big") }?.found == "18446744073709551615")
        #expect(fileError { _ = try group.attribute("matrix") }?.found == "2 axes")
        #expect(fileError { _ = try group.attribute("complex") }?.found == "a compound type")
    }

    @Test(arguments: [
        ("float64", "expected elements of type float32, bfloat16, float16, int32, int64, uint8, bool, found float64"),
        ("uint16", "found uint16"), ("compound", "found a compound type"),
        ("null", "expected a dataset with a shape, found an empty one without"),
        ("soft", "expected a member of this file, found a link"), ("dangling", "found a link"),
        ("external.link", "found a link"), ("external.link/x", "found a link"),
        ("external", "expected elements in this file, found a reference to other files"),
        ("virtual", "found a reference to other files"),
        ("huge", "expected at most 16777216 bytes for 0 bytes stored, found float32 [1099511627776, 1024]"),
        ("huge.chunked", "for 0 bytes stored, found float32 [1099511627776, 1024]"),
        ("huge.chunk", "expected chunks in proportion to the file, found [524288, 1024]"),
        ("overflow", "expected a shape whose size fits into 63 bits, found [4611686018427387904, 0, 8]"),
        ("huge.strings", "found strings"),
    ])
    func tensorsThatCannotBeHeldAreRefused(name: String, message: String) throws {
        let group = try HDF5File(reading: Self.path).root.group("other")
        let line = fileError { _ = try group.tensor(name) }?.description ?? ""
        #expect(line.hasPrefix(Self.path + ": /other/" + name.split(separator: "/")[0]), "\(line)")
        #expect(line.contains(message), "\(line)")
    }

    @Test func theRestIsNamed() throws {
        let group = try HDF5File(reading: Self.path).root.group("other")
        #expect(try group.kind(of: "float64") == .other("float64"))
        #expect(try group.kind(of: "soft") == .other("a link"))
        #expect(try group.kind(of: "compound") == .other("a compound type"))
        let strings = fileError { _ = try group.strings("huge.strings") }?.description ?? ""
        #expect(strings.contains("expected at most 16777216 bytes for 0 bytes stored"), "\(strings)")
        // Rows of a huge dataset that is mostly unwritten are zeros.
        let rows = try group.dataset("huge.chunked").tensor(rows: 1_000_000..<1_000_002)
        #expect(rows.elements(as: Float.self) == [Float](repeating: 0, count: 2048))
    }

    @Test func aGroupInsideItselfEnds() throws {
        let error = fileError { _ = try HDF5Archive(path: Self.path) }
        #expect(error != nil)
    }
}
