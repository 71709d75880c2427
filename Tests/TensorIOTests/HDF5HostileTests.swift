import TensorCore
import TensorIO
import TestSupport
import Testing

/// What no honest program writes (`Tests/Reference/make_hostile_hdf5_fixture.py`) is refused in one line.
@Suite struct HDF5HostileTests {
    private let path = Fixtures.path("hdf5/hostile.h5")

    @Test(arguments: ["null.int", "null.float", "null.text"])
    func attributesWithoutAValue(name: String) throws {
        let group = try HDF5File(reading: path).root.group("attributes")
        let error = fileError { _ = try group.attribute(name) }
        #expect(error?.description == "\(path): /attributes@\(name): expected a value, found an attribute without any")
    }

    @Test func groupsWithoutEndAreNotFollowed() throws {
        let error = fileError { _ = try HDF5Archive(path: path) }
        #expect(error?.expected == "no more members than fit into the file")
    }

    @Test func oneNameInTwoSpellings() throws {
        let twins = try HDF5File(reading: path).root.group("twins")
        #expect(fileError { _ = try twins.members }?.found == "it twice")
    }

    /// Numbers are read as what the file says that they are, or not at all.
    @Test func numbersHaveATypeAndOneAxis() throws {
        try withScratchFolder { folder in
            let path = folder + "/numbers.h5"
            try HDF5File.write(to: path) { root in
                try root.write(Tensor([1, 2, 3] as [Int32], [3]), to: "list")
                try root.write(Tensor([1, 2] as [Int32], [2, 1]), to: "matrix")
                try root.write(Tensor([1, 2] as [Float], [2]), to: "floats")
                try root.write(Tensor([7] as [Int32], []), to: "scalar")
                try root.write(["a"], to: "texts")
            }
            let root = try HDF5File(reading: path).root
            #expect(try root.numbers("list", as: Int32.self) == [1, 2, 3])
            for (name, found) in [("matrix", "int32 [2, 1]"), ("floats", "float32 [2]"), ("scalar", "int32 []")] {
                let error = fileError { _ = try root.numbers(name, as: Int32.self) }
                #expect(
                    error?.description
                        == "\(path): /\(name): expected a list of numbers of type int32, found \(found)")
            }
            #expect(fileError { _ = try root.numbers("texts", as: Int32.self) } != nil)
            #expect(fileError { _ = try root.numbers("list", as: Int64.self) }?.found == "int32 [3]")
            // Rows that are not there, and rows of what has none.
            let list = try root.dataset("list")
            #expect(try list.tensor(rows: 1..<3).elements(as: Int32.self) == [2, 3])
            for rows in [3..<4, 0..<4, -1..<1] {
                #expect(fileError { _ = try list.tensor(rows: rows) }?.expected == "the rows \(rows)")
            }
            #expect(fileError { _ = try root.dataset("scalar").tensor(rows: 0..<1) }?.found == "int32 []")
        }
    }
}
