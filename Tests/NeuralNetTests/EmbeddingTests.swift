import Autograd
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

@Suite struct EmbeddingTests {
    private let table = Tensor.sample([6, 32], seed: 1)
    private let indices = Tensor([5, 0, 0, 3] as [Int32], [2, 2])

    @Test func givesTheRowsInTheShapeOfTheIndices() {
        let embedding = Embedding(loader([("weight", table)]), 6, 32)
        let y = embedding(indices).value
        #expect(y.shape == [2, 2, 32] && y.dtype == .float32)
        let rows = [5, 0, 0, 3].flatMap { table.sliced(axis: 0, $0..<$0 + 1).floats }
        #expect(y.floats == rows)
    }

    @Test func gradientsOfATrainedTableGatherWhereRowsRepeat() throws {
        let embedding = Embedding(loader([("weight", table)]), 6, 32)
        let parameter = embedding.parameters[0].parameter
        parameter.isTrained = true
        embedding(indices).sum().backward()
        let gradient = try #require(parameter.variable.gradient)
        let counts: [Float] = [2, 0, 0, 1, 0, 1]
        let expected: [Float] = counts.flatMap { [Float](repeating: $0, count: 32) }
        #expect(gradient.floats == expected)
    }

    @Test func rowsOfBlocksAreExpandedOnTheWay() {
        let blocks = QuantizedTensor(quantizing: table, to: .q80)
        let embedding = Embedding(WeightLoader(StoredArchive([("weight", .quantized(blocks))])), 6, 32)
        let y = embedding(indices).value
        #expect(y.dtype == Parameter.expandedType)
        let numbers = blocks.dequantized(to: Parameter.expandedType).floats
        let rows = [5, 0, 0, 3].map { 32 * $0 }
        let expected: [Float] = rows.flatMap { numbers[$0..<$0 + 32] }
        #expect(y.floats == expected)
    }
}
