import Autograd
import NeuralNet
import TensorCore
import TestSupport
import Testing

/// Convolution layers: the kernels themselves are tested in TensorCore, here what the layer adds to them.
@Suite struct Conv2DTests {
    private let weight = Tensor.sample([4, 3, 3, 3], seed: 1)
    private let bias = Tensor.sample([4], seed: 2)
    private let x = Tensor.sample([2, 3, 6, 5], seed: 3)

    private func layer(_ options: ConvolutionOptions) -> Conv2D {
        Conv2D(loader([("weight", weight), ("bias", bias)]), 3, 4, kernel: 3, options: options)
    }

    /// The definition in double precision, of an image of any size.
    private func expected(_ image: Reference, stride: Int, padding: Int) -> Reference {
        let (kernel, shift) = (Reference(weight), Reference(bias))
        func extent(_ input: Int) -> Int { (input + 2 * padding - 3) / stride + 1 }
        return Reference([image.shape[0], 4, extent(image.shape[2]), extent(image.shape[3])]) { index in
            var sum = shift[index[1]]
            for channel in 0..<3 {
                for place in 0..<9 {
                    let y = index[2] * stride + place / 3 - padding
                    let x = index[3] * stride + place % 3 - padding
                    guard 0..<image.shape[2] ~= y, 0..<image.shape[3] ~= x else { continue }
                    sum += image[index[0], channel, y, x] * kernel[index[1], channel, place / 3, place % 3]
                }
            }
            return sum
        }
    }

    @Test(arguments: [(1, 0), (1, 1), (2, 1)]) func strideAndPadding(stride: Int, padding: Int) {
        let layer = layer(.init(stride: stride, padding: padding))
        #expect(layer.weightShape == [4, 3, 3, 3] && layer.parameters.map(\.name) == ["weight", "bias"])
        let wanted = expected(Reference(x), stride: stride, padding: padding)
        let y = layer(Variable(x)).value
        #expect(y.shape == wanted.shape)
        #expect(y.error(from: wanted.values) <= 1e-5, "\(y.error(from: wanted.values))")
    }

    @Test func upsamplingRepeatsPixelsAndTheResidualIsAdded() {
        let image = Reference(x)
        let large = Reference([2, 3, 12, 10]) { image[$0[0], $0[1], $0[2] / 2, $0[3] / 2] }
        let residual = Tensor.sample([2, 4, 12, 10], seed: 4)
        let wanted = zip(expected(large, stride: 1, padding: 1).values, Reference(residual).values).map(+)
        let y = layer(.init(padding: 1))(Variable(x), upsampling: 2, residual: Variable(residual)).value
        #expect(y.error(from: wanted) <= 1e-5, "\(y.error(from: wanted))")
    }

    @Test func aNormInFrontIsThatOfTheNormAndSiLU() {
        let norm = GroupNorm(
            loader([("weight", Tensor.sample([3], seed: 5)), ("bias", Tensor.sample([3], seed: 6))]), groups: 3,
            channels: 3, epsilon: 1e-5)
        let layer = layer(.init(padding: 1))
        let apart = layer(norm(Variable(x)).applying(.silu)).value
        let error = layer(Variable(x), norm: norm).value.error(from: apart)
        #expect(error <= 1e-5, "\(error)")
    }

    /// A layer may keep a frozen weight in another order for its kernels; a trained one changes under it.
    @Test func aReplacedWeightIsSeen() {
        let layer = layer(.init(padding: 1))
        let parameter = layer.parameters[0].parameter
        parameter.isTrained = true
        let before = layer(Variable(x)).value
        parameter.replace(weight * 2)
        let after = layer(Variable(x)).value
        let shift = Tensor(bias.floats, [1, 4, 1, 1])
        let error = after.error(from: (before - shift) * 2 + shift)
        #expect(error <= 1e-5, "\(error)")
    }
}
