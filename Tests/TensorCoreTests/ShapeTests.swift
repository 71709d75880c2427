import TensorCore
import TestSupport
import Testing

@Suite struct ShapeTests {
    static let broadcasts: [(Shape, Shape, Shape?)] = [
        ([], [], []), ([], [3], [3]), ([1], [3], [3]), ([2, 3], [3], [2, 3]), ([2, 1], [1, 3], [2, 3]),
        ([4, 1, 3], [2, 1], [4, 2, 3]), ([2, 3], [2], nil), ([2, 3], [4, 3], nil), ([0], [1], [0]), ([0], [2], nil),
        ([2, 0], [1, 1], [2, 0]), ([5, 1], [0], [5, 0]),
    ]

    @Test(arguments: broadcasts.indices) func broadcast(row: Int) {
        let (a, b, expected) = Self.broadcasts[row]
        #expect(Shape.broadcast(a, b) == expected)
        #expect(Shape.broadcast(b, a) == expected)
    }

    @Test func countsAndStrides() {
        #expect(Shape([]).count == 1 && Shape([]).rank == 0)
        #expect(Shape([2, 0, 3]).count == 0)
        #expect(Shape([2, 3, 4]).contiguousStrides == [12, 4, 1])
        #expect(Shape([2, 3, 4])[-1] == 4 && Shape([2, 3, 4])[0] == 2)
        #expect(Shape([2, 3]).description == "[2, 3]")
    }

    @Test func negativeExtentsAreRefused() async {
        await #expect(processExitsWith: .failure) { _ = Shape([2, -1]) }
    }
}
