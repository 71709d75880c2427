import Autograd
import TensorCore

extension DifferentiableOperation {
    /// Convolutions and up-sampling.
    static let images: [DifferentiableOperation] = {
        func convolution(_ name: String, _ x: Shape, _ w: Shape, _ options: ConvolutionOptions) -> [Self] {
            [
                .init(
                    "convolution, \(name)", "convolution(weight:bias:options:norm:upsampling:residual:weightCache:)",
                    inputs: [.init(x), .init(w)]
                ) {
                    $0[0].convolution(weight: $0[1], options: options)
                },
                .init(
                    "convolution, \(name), bias",
                    "convolution(weight:bias:options:norm:upsampling:residual:weightCache:)",
                    inputs: [.init(x), .init(w), .init([w[0]])]
                ) { $0[0].convolution(weight: $0[1], bias: $0[2], options: options) },
            ]
        }
        return convolution("1 x 1", [2, 3, 3, 2], [2, 3, 1, 1], .init())
            + convolution("3 x 3, padded", [1, 2, 4, 3], [3, 2, 3, 3], .init(padding: 1))
            + convolution("stride 2, padded behind", [1, 2, 4, 5], [2, 2, 3, 3], .init(stride: 2, paddingHigh: 1))
            + convolution("2 x 3", [1, 1, 4, 4], [2, 1, 2, 3], .init(stride: 3, padding: 2))
            + convolution("no images", [0, 2, 4, 4], [2, 2, 3, 3], .init())
            + convolution("window too wide", [1, 1, 2, 2], [1, 1, 3, 3], .init(stride: 2))
            + [
                .init(
                    "convolution of a normalised image",
                    "convolution(weight:bias:options:norm:upsampling:residual:weightCache:)",
                    inputs: [[2, 4, 3, 2], [3, 4, 3, 3], [4], [4], [3], [2, 3, 3, 2]]
                ) {
                    $0[0].convolution(
                        weight: $0[1], bias: $0[4], options: .init(padding: 1),
                        norm: .init(groups: 2, weight: $0[2], bias: $0[3], epsilon: 1e-2), residual: $0[5])
                },
                .init(
                    "convolution of an up-sampled image",
                    "convolution(weight:bias:options:norm:upsampling:residual:weightCache:)",
                    inputs: [[1, 2, 3, 2], [3, 2, 3, 3], [3]]
                ) {
                    $0[0].convolution(weight: $0[1], bias: $0[2], options: .init(padding: 1), upsampling: 2)
                },
                .init(
                    "strided convolution of a normalised, up-sampled image",
                    "convolution(weight:bias:options:norm:upsampling:residual:weightCache:)",
                    inputs: [[1, 2, 2, 3], [1, 2, 2, 2], [2], [2], [1, 1, 3, 5]]
                ) {
                    $0[0].convolution(
                        weight: $0[1], options: .init(stride: 2, paddingHigh: 1),
                        norm: .init(groups: 1, weight: $0[2], bias: $0[3], epsilon: 1e-2), upsampling: 3,
                        residual: $0[4])
                },
                .init("up-sampling", "upsampledNearest(_:)", inputs: [[2, 2, 2, 3]]) { $0[0].upsampledNearest(2) },
                .init("up-sampling of nothing", "upsampledNearest(_:)", inputs: [[1, 2, 0, 3]]) {
                    $0[0].upsampledNearest(3)
                },
            ]
    }()
}
