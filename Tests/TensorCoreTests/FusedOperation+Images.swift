import TensorCore
import TestSupport

extension FusedOperation {
    /// Convolutions with all their stages, and up-sampling.
    static let images: [FusedOperation] = {
        let geometries: [(Shape, Shape, ConvolutionOptions)] = [
            ([2, 3, 5, 4], [4, 3, 1, 1], .init()), ([1, 2, 7, 6], [3, 2, 3, 3], .init(padding: 1)),
            ([1, 2, 8, 6], [3, 2, 3, 3], .init(stride: 2, paddingHigh: 1)),
            ([1, 2, 9, 8], [2, 2, 5, 5], .init(stride: 3, padding: 2, paddingHigh: 3)),
            ([1, 2, 5, 9], [2, 2, 1, 7], .init(padding: 3)), ([1, 1, 2, 2], [1, 1, 3, 3], .init(stride: 2)),
            ([0, 2, 4, 4], [3, 2, 3, 3], .init(padding: 1)), ([1, 0, 4, 4], [3, 0, 3, 3], .init()),
            // Wide enough for oneDNN.
            ([1, 128, 5, 6], [16, 128, 3, 3], .init(padding: 1)),
        ]
        let plain = geometries.map { x, w, options in
            let y = options.outputShape(input: x, weight: w)
            return FusedOperation(
                "convolution of \(x) with \(w), \(options)", "convolution(_:weight:bias:options:stages:)",
                "convolutionInputGradient(_:weight:inputShape:options:)",
                "convolutionWeightGradient(_:gradient:weightShape:options:)", inputs: [x, w, [w[0]], y],
                tolerance: 1e-5, halfTolerance: 0x1p-6
            ) {
                [
                    $0.convolution($1[0], weight: $1[1], bias: $1[2], options: options),
                    $0.convolution($1[0], weight: $1[1], bias: nil, options: options),
                    $0.convolutionInputGradient($1[3], weight: $1[1], inputShape: x, options: options),
                    $0.convolutionWeightGradient($1[0], gradient: $1[3], weightShape: w, options: options),
                ]
            }
        }
        func staged(
            _ name: String, _ inputs: [Shape], _ options: ConvolutionOptions,
            _ stages: @escaping @Sendable ([Tensor]) -> ConvolutionStages
        ) -> FusedOperation {
            // Pixels that are normalised are rounded to bfloat16 before they are multiplied, and sums of weights too.
            .init(
                "convolution \(name)", "convolution(_:weight:bias:options:stages:)", inputs: inputs, tolerance: 1e-5,
                halfTolerance: 0.03
            ) { [$0.convolution($1[0], weight: $1[1], bias: $1[2], options: options, stages: stages($1))] }
        }
        let (x, w): (Shape, Shape) = ([2, 4, 6, 5], [3, 4, 3, 3])
        return plain + [
            staged("of a normalised image", [x, w, [3], [4], [4]], .init(padding: 1)) {
                .init(norm: .init(groups: 2, weight: $0[3], bias: $0[4], epsilon: 1e-2))
            },
            staged("of an image of known moments", [x, w, [3], [4], [4]], .init(padding: 1)) {
                let moments = Tensor([0.1, 1.2, -0.2, 0.8, 0, 1, 0.3, 1.5] as [Float], [2, 2, 2])
                return .init(norm: .init(groups: 2, weight: $0[3], bias: $0[4], epsilon: 1e-2, moments: moments))
            },
            staged("with a residual", [x, w, [3], [2, 3, 6, 5]], .init(padding: 1)) { .init(residual: $0[3]) },
            staged("of an up-sampled image", [x, w, [3]], .init(padding: 1)) { _ in .init(upsampling: 2) },
            staged("of an image three times as large", [x, w, [3]], .init(stride: 2, padding: 1)) { _ in
                .init(upsampling: 3)
            },
            staged("of rows in the middle", [x, w, [3]], .init(padding: 1)) { _ in
                .init(window: .init(rows: 5..<9, firstRow: 4))
            },
            staged("of the first rows", [x, w, [3]], .init(padding: 1)) { _ in
                .init(window: .init(rows: 0..<5, firstRow: 0))
            },
            staged("of the last rows, all stages", [x, w, [3], [4], [4], [2, 3, 5, 10]], .init(padding: 1)) {
                // The last six of eight rows: twelve of sixteen.
                let norm = ConvolutionStages.Norm(groups: 2, weight: $0[3], bias: $0[4], epsilon: 1e-2)
                return .init(norm: norm, upsampling: 2, residual: $0[5], window: .init(rows: 11..<16, firstRow: 2))
            },
            .init(
                "up-sampling", "upsampleNearest(_:factor:)", "upsampleNearestGradient(_:factor:)",
                inputs: [[2, 3, 6, 12]]
            ) { backend, x in
                (1...3).flatMap {
                    [backend.upsampleNearest(x[0], factor: $0), backend.upsampleNearestGradient(x[0], factor: $0)]
                }
            },
        ]
    }()
}
