import Autograd
import Foundation
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Linear layers without adapters.
@Suite struct LinearTests {
    private let weight = Tensor.sample([5, 32], seed: 1)
    private let bias = Tensor.sample([5], seed: 2)
    private let x = Tensor.sample([2, 3, 32], seed: 3)

    /// `x W^T + b`, in double precision.
    private func expected(hasBias: Bool) -> [Double] {
        let (x, w, b) = (Reference(x), Reference(weight), Reference(bias))
        return Reference([2, 3, 5]) { index in
            (0..<32).reduce(hasBias ? b[index[2]] : 0) { $0 + x[index[0], index[1], $1] * w[index[2], $1] }
        }.values
    }

    private func layer(hasBias: Bool = true) -> Linear {
        Linear(loader([("weight", weight), ("bias", bias)]), 32, 5, hasBias: hasBias)
    }

    @Test func multipliesAndAdds() {
        let (layer, plain) = (layer(), layer(hasBias: false))
        #expect(layer.inputDimensions == 32 && layer.outputDimensions == 5)
        #expect(layer.parameters.map(\.name) == ["weight", "bias"] && plain.parameters.map(\.name) == ["weight"])
        let (y, z) = (layer(Variable(x)).value, plain(Variable(x)).value)
        #expect(y.shape == [2, 3, 5])
        #expect(y.error(from: expected(hasBias: true)) <= 1e-5, "\(y.error(from: expected(hasBias: true)))")
        #expect(z.error(from: expected(hasBias: false)) <= 1e-5)
    }

    @Test func appliesTheFunctionThatFollows() {
        let silu = expected(hasBias: true).map { $0 / (1 + exp(-$0)) }
        let y = layer()(Variable(x), activation: .silu).value
        #expect(y.error(from: silu) <= 1e-5, "\(y.error(from: silu))")
    }

    @Test func anInputInPartsIsTheirConcatenation() {
        let parts = [Variable(x.sliced(axis: -1, 0..<12)), Variable(x.sliced(axis: -1, 12..<32))]
        let y = layer()(joining: parts).value
        #expect(y.error(from: expected(hasBias: true)) <= 1e-5)
    }

    @Test func gradientsReachInputAndTrainedParameters() throws {
        let layer = layer()
        layer.weight.isTrained = true
        layer.bias?.isTrained = true
        let input = Variable(x, requiresGradient: true)
        layer(input).sum().backward()
        // The sum of all outputs: each input's gradient is its weight's column, each weight's the sum of its input.
        let (x, w) = (Reference(x), Reference(weight))
        let columns = (0..<32).map { column in (0..<5).reduce(0) { $0 + w[$1, column] } }
        let sums = (0..<32).map { c in (0..<2).reduce(0) { sum, n in (0..<3).reduce(sum) { $0 + x[n, $1, c] } } }
        let gradient = try #require(input.gradient)
        #expect(gradient.error(from: (0..<6).flatMap { _ in columns }) <= 1e-5)
        #expect(try #require(layer.weight.variable.gradient).error(from: (0..<5).flatMap { _ in sums }) <= 1e-5)
        #expect(try #require(layer.bias?.variable.gradient).floats == [6, 6, 6, 6, 6])
    }

    @Test func aFrozenWeightGetsNoGradient() {
        let layer = layer()
        layer(Variable(x, requiresGradient: true)).sum().backward()
        #expect(layer.weight.variable.gradient == nil)
    }

    /// A trained weight is rounded to the type of the input, as mixed-precision training does.
    @Test func trainedWeightsAreRoundedToTheInputsType() {
        let (trained, rounded) = (layer(), layer())
        trained.weight.isTrained = true
        rounded.weight.replace(weight.converted(to: .bfloat16))
        let half = Variable(x.converted(to: .bfloat16))
        let y = trained(half).value
        #expect(y.dtype == .bfloat16 && y.isIdentical(to: rounded(half).value))
    }

    /// Blocks give what the numbers give that they stand for.
    @Test(arguments: [QuantizationFormat.q80, .q40]) func quantisedWeightsStayInTheirBlocks(
        format: QuantizationFormat
    ) {
        let blocks = QuantizedTensor(quantizing: weight, to: format)
        let layer = Linear(
            WeightLoader(StoredArchive([("weight", .quantized(blocks))])), 32, 5, hasBias: false)
        guard case .quantized = layer.weight.stored else {
            Issue.record("the weight was expanded")
            return
        }
        let expanded = Linear(loader([("weight", blocks.dequantized())]), 32, 5, hasBias: false)
        let error = layer(Variable(x)).value.error(from: expanded(Variable(x)).value)
        #expect(error <= 1e-5, "\(error)")
    }

    @Test func layersTogetherGiveWhatEachGives() {
        let other = Linear(loader([("weight", Tensor.sample([7, 32], seed: 4))]), 32, 7, hasBias: false)
        let layers = [layer(), other]
        for (one, together) in zip(layers.map { $0(Variable(x)) }, Linear.together(layers, of: Variable(x))) {
            #expect(together.value.isIdentical(to: one.value))
        }
    }
}
