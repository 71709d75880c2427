import TensorCore
import TestSupport
import Testing

/// One row of the table of tensor operations that several tests walk: layouts, types, empty inputs, thread counts.
struct TensorOperation: Sendable, CustomTestStringConvertible {
    /// How results depend on the number of threads.
    enum ThreadDependence: Sendable {
        /// Not at all, bit for bit.
        case none
        /// By rounding: the product of one pair of matrices is shared by blocks, and OpenBLAS may sum a block of
        /// another extent in another order. The other engines do not depend on the threads even here.
        case rounding
    }

    var name: String
    /// The declarations that the row covers, as `declaredFunctions(in:)` spells them.
    var covers: [String]
    /// Shapes of the inputs, as small as they may be.
    var small: [Shape]
    /// Shapes of inputs large enough for several threads.
    var large: [Shape]
    /// The range of the inputs' elements.
    var range: ClosedRange<Float>
    var threads: ThreadDependence
    /// Whether a result for 16-bit inputs is that for the same numbers in `float32`, rounded once.
    var roundsOnce: Bool
    var apply: @Sendable ([Tensor]) -> [Tensor]

    var testDescription: String { name }

    init(
        _ name: String, _ covers: String..., small: [Shape], large: [Shape], range: ClosedRange<Float> = -1...1,
        threads: ThreadDependence = .none, roundsOnce: Bool = true,
        _ apply: @escaping @Sendable ([Tensor]) -> Tensor
    ) {
        self.name = name
        self.covers = covers
        self.small = small
        self.large = large
        self.range = range
        self.threads = threads
        self.roundsOnce = roundsOnce
        self.apply = { [apply($0)] }
    }

    func samples(_ shapes: [Shape]) -> [Tensor] {
        shapes.enumerated().map { .sample($0.element, seed: UInt64($0.offset + 1), range) }
    }
}

extension TensorOperation {
    /// Every operation in `Sources/TensorCore/Operations` that computes, and the gradients of the backend.
    static let table: [TensorOperation] = elementwise + copies + reductions + products + normalizations + images

    private static let wide: [Shape] = [[300, 700]]
    private static let narrow: [Shape] = [[3, 5]]

    private static let elementwise: [TensorOperation] =
        UnaryOperation.allCases.map { operation in
            .init(operation.rawValue, "applying(_:)", small: narrow, large: wide, range: 0.25...2) {
                $0[0].applying(operation)
            }
        }
        + UnaryOperation.allCases.map { operation in
            .init(
                "slope of \(operation.rawValue)", "applyingGradient(_:gradient:)", small: narrow + narrow,
                large: wide + wide, range: 0.25...2
            ) { $0[0].applyingGradient(operation, gradient: $0[1]) }
        }
        + BinaryOperation.allCases.map { operation in
            .init(
                operation.rawValue, "applying(_:_:_:)", "+(Tensor, Tensor)", "-(Tensor, Tensor)", "*(Tensor, Tensor)",
                "/(Tensor, Tensor)", small: [[3, 5], [3, 1]], large: [[300, 700], [300, 1]], range: 0.5...2
            ) { .applying(operation, $0[0], $0[1]) }
        }
        + Relation.allCases.map { relation in
            .init(
                relation.rawValue, "comparing(_:_:_:)", small: [[3, 5], [5]], large: [[300, 700], [700]],
                roundsOnce: false
            ) { .comparing(relation, $0[0], $0[1]) }
        }
        + [
            .init(
                "affine", "affine(scale:shift:)", "+(Tensor, Float)", "-(Tensor, Float)", "*(Tensor, Float)",
                "-(Tensor)", small: narrow, large: wide
            ) { $0[0].affine(scale: 3, shift: -1) },
            .init("select", "select(_:_:_:)", small: [[3, 5], [5], [3, 1]], large: [[300, 700], [700], [300, 1]]) {
                let zero = Tensor(full: [], 0, dtype: $0[0].dtype)
                return .select(.comparing(.less, $0[0], zero), $0[1], $0[2])
            },
            .init(
                "accumulate", "accumulate(_:scale:targetScale:)", small: [[3, 5], [5]], large: [[300, 700], [700]]
            ) {
                let target = $0[0].copied()
                target.accumulate($0[1], scale: 0.5, targetScale: 3)
                return target
            },
        ]

    private static let copies: [TensorOperation] = [
        .init("contiguous", "contiguous()", small: narrow, large: wide) { $0[0].transposed().contiguous() },
        .init("copy", "copied()", small: narrow, large: wide) { $0[0].transposed().copied() },
        .init("conversion", "converted(to:)", small: narrow, large: wide, roundsOnce: false) {
            $0[0].transposed().converted(to: .float16)
        },
        .init("assignment", "assign(_:)", small: [[5], [3, 5]], large: [[700], [300, 700]]) {
            let target = $0[1].copied()
            target.assign($0[0])
            return target
        },
        .init("concatenation", "concatenated(_:axis:)", small: [[3, 5], [3, 2]], large: [[300, 700], [300, 2]]) {
            .concatenated($0, axis: 1)
        },
        .init("padding", "padded(low:high:value:)", small: narrow, large: wide) {
            $0[0].padded(low: [1, 2], high: [3, 0], value: 0.5)
        },
        .init("gather", "gatheringRows(_:)", small: [[4, 5]], large: [[4, 50_000]]) {
            $0[0].gatheringRows(Tensor([3, 0, 3] as [Int32], [3]))
        },
        .init("scatter", "scatteredRows(_:rows:)", small: [[3, 5]], large: [[3, 50_000]], roundsOnce: false) {
            $0[0].scatteredRows(Tensor([3, 0, 3] as [Int32], [3]), rows: 4)
        },
    ]

    private static let reductions: [TensorOperation] =
        Reduction.allCases.flatMap { reduction -> [TensorOperation] in
            [[0], [1], [0, 1]].map { (axes: [Int]) in
                .init(
                    "\(reduction.rawValue) over \(axes)", "reduced(_:axes:keepingAxes:)", "sum(axes:keepingAxes:)",
                    "mean(axes:keepingAxes:)", "maximum(axes:keepingAxes:)", small: narrow, large: wide
                ) { $0[0].reduced(reduction, axes: axes) }
            }
        } + [
            .init("undone broadcast", "summed(to:)", small: narrow, large: wide) { $0[0].summed(to: [$0[0].shape[1]]) },
            .init("top-k mask", "topKMask(_:)", small: narrow, large: wide, roundsOnce: false) { $0[0].topKMask(2) },
            .init("argmax", "argmax()", small: narrow, large: wide, roundsOnce: false) { $0[0].argmax() },
        ]

    private static let products: [TensorOperation] = [
        .init(
            "matrix product", "matrixProduct(_:transposingSelf:transposingOther:bias:dtype:)",
            small: [[3, 5], [5, 4]],
            large: [[513, 700], [700, 130]], threads: .rounding
        ) { $0[0].matrixProduct($0[1]) },
        .init(
            "wide matrix product", "matrixProduct(_:transposingSelf:transposingOther:bias:dtype:)",
            small: [[3, 5], [5, 4], [4]], large: [[130, 700], [700, 513], [513]], threads: .rounding
        ) { $0[0].matrixProduct($0[1], bias: $0[2]) },
        .init(
            "batch of matrix products", "matrixProduct(_:transposingSelf:transposingOther:bias:dtype:)",
            small: [[2, 3, 5], [2, 5, 4]], large: [[6, 65, 129], [6, 129, 66]]
        ) { $0[0].matrixProduct($0[1]) },
        // Pairs of bfloat16 multiply rounded weights.
        .init(
            "sum of products", "sumOfProducts(_:addend:bias:dtype:)",
            small: [[3, 5], [5, 4], [3, 2], [2, 4], [3, 4], [4]],
            large: [[513, 700], [700, 130], [513, 33], [33, 130], [513, 130], [130]], threads: .rounding
        ) {
            .sumOfProducts(
                [ProductTerm($0[0], $0[1]), ProductTerm($0[2], $0[3])], addend: $0[4], bias: $0[5], dtype: $0[0].dtype)
        },
        .init(
            "sums of products", "sumsOfProducts(_:)", small: [[3, 5], [5, 4], [3, 2], [2, 4], [4], [2, 7]],
            large: [[513, 700], [700, 130], [513, 33], [33, 130], [130], [33, 47]], threads: .rounding
        ) {
            .concatenated(
                Tensor.sumsOfProducts([
                    ProductSum(
                        [ProductTerm($0[0], $0[1]), ProductTerm($0[2], $0[3])], bias: $0[4], dtype: $0[0].dtype),
                    ProductSum([ProductTerm($0[2], $0[5])], dtype: $0[0].dtype),
                ]), axis: 1)
        },
        .init(
            "activated products", "activatedProducts(_:bias:activation:keepsSums:dtype:)",
            small: [[3, 5], [5, 4], [3, 2], [2, 4], [4]],
            large: [[513, 700], [700, 130], [513, 33], [33, 130], [130]], threads: .rounding
        ) {
            let found = Tensor.activatedProducts(
                [ProductTerm($0[0], $0[1]), ProductTerm($0[2], $0[3])], bias: $0[4], activation: .geluTanh,
                keepsSums: true, dtype: $0[0].dtype)
            return .concatenated([found.activated, found.sums!], axis: 0)
        },
        .init(
            "attention", "attention(_:_:_:options:)", small: [[1, 3, 2, 4], [1, 5, 2, 4], [1, 5, 2, 4]],
            large: [[2, 130, 3, 32], [2, 140, 3, 32], [2, 140, 3, 32]], roundsOnce: false
        ) { Tensor.attention($0[0], $0[1], $0[2], options: .init(scale: 0.5)).output },
        .init(
            "attention of one head", "attention(_:_:_:options:)", small: [[1, 3, 1, 4], [1, 5, 1, 4], [1, 5, 1, 4]],
            large: [[1, 530, 1, 64], [1, 540, 1, 64], [1, 540, 1, 64]], threads: .rounding, roundsOnce: false
        ) { Tensor.attention($0[0], $0[1], $0[2], options: .init(scale: 0.5)).output },
        .init(
            "attention of two streams", "attention(_:options:)", small: [[1, 3, 2, 4], [1, 5, 2, 4], [4]],
            large: [[2, 130, 3, 32], [2, 140, 3, 32], [32]], roundsOnce: false
        ) { inputs in
            let streams = inputs[..<2].map {
                AttentionStream(query: $0, key: $0, value: $0, queryNorm: inputs[2], keyNorm: inputs[2])
            }
            let result = Tensor.attention(streams, options: .init(scale: 0.5))
            return .concatenated(result.outputs, axis: 1)
        },
        .init(
            "gradient of attention", "attention(_:options:)",
            small: [[1, 3, 2, 4], [1, 5, 2, 4], [1, 5, 2, 4], [4]],
            large: [[2, 130, 3, 32], [2, 140, 3, 32], [2, 140, 3, 32], [32]], roundsOnce: false
        ) {
            let options = AttentionOptions(scale: 0.5)
            let stream = AttentionStream(query: $0[0], key: $0[1], value: $0[2], queryNorm: $0[3], keyNorm: $0[3])
            let gradients = Device.backend.attentionGradient(
                [stream], options: options, result: Tensor.attention([stream], options: options), gradients: [$0[0]],
                needs: [.queries, .keysAndValues, .norms])[0]
            return .concatenated([gradients.query!, gradients.key!, gradients.value!], axis: 1)
        },
        .init("rotary", "rotary(cosine:sine:inverse:)", small: [[2, 3, 2, 4]], large: [[2, 300, 3, 64]]) {
            let angles = Tensor.sample([$0[0].shape[1], $0[0].shape[3] / 2], seed: 9)
            return $0[0].rotary(cosine: angles.applying(.cosine), sine: angles.applying(.sine))
        },
    ]

    private static let normalizations: [TensorOperation] = [
        .init("softmax", "softmax()", small: narrow, large: wide) { $0[0].softmax() },
        .init("gradient of softmax", "softmaxGradient(_:)", small: narrow + narrow, large: wide + wide) {
            $0[0].softmaxGradient($0[1])
        },
        .init(
            "layer norm", "layerNorm(weight:bias:epsilon:)", small: [[3, 5], [5], [5]],
            large: [[300, 700], [700], [700]]
        ) { $0[0].layerNorm(weight: $0[1], bias: $0[2], epsilon: 1e-5) },
        .init(
            "modulated norm", "modulatedNorm(scale:shift:epsilon:)", small: [[2, 3, 5], [2, 1, 5], [2, 1, 5]],
            large: [[3, 200, 300], [3, 1, 300], [3, 1, 300]]
        ) { $0[0].modulatedNorm(scale: $0[1], shift: $0[2], epsilon: 1e-5) },
        .init(
            "gated sum", "addingGated(_:gate:)", small: [[2, 3, 5], [2, 3, 5], [2, 1, 5]],
            large: [[3, 200, 300], [3, 200, 300], [3, 1, 300]]
        ) { $0[0].addingGated($0[1], gate: $0[2]) },
        .init("gradient of layer norm", small: [[3, 5], [5]], large: [[300, 700], [700]]) {
            Device.backend.layerNormGradient(
                $0[0], weight: $0[1], epsilon: 1e-5, gradient: $0[0].affine(scale: 2), needsInput: true,
                needsParameters: true
            ).input!
        },
        .init("RMS norm", "rmsNorm(weight:epsilon:)", small: [[3, 5], [5]], large: [[300, 700], [700]]) {
            $0[0].rmsNorm(weight: $0[1], epsilon: 1e-5)
        },
        .init("gradient of RMS norm's scale", small: [[3, 5], [5]], large: [[300, 700], [700]], roundsOnce: false) {
            Device.backend.rmsNormGradient(
                $0[0], weight: $0[1], epsilon: 1e-5, gradient: $0[0], needsInput: true, needsParameters: true
            ).weight!
        },
        .init(
            "group norm", "groupNorm(groups:weight:bias:epsilon:)", small: [[2, 4, 2, 3], [4], [4]],
            large: [[2, 32, 40, 40], [32], [32]]
        ) { $0[0].groupNorm(groups: 2, weight: $0[1], bias: $0[2], epsilon: 1e-5) },
    ]

    private static let images: [TensorOperation] = [
        .init(
            "convolution", "convolution(weight:bias:options:stages:)", small: [[1, 2, 4, 4], [3, 2, 3, 3], [3]],
            large: [[2, 24, 40, 41], [32, 24, 3, 3], [32]], threads: .rounding
        ) { $0[0].convolution(weight: $0[1], bias: $0[2], options: .init(padding: 1)) },
        .init(
            "convolution of a normalised image", "convolution(weight:bias:options:stages:)",
            small: [[1, 2, 4, 4], [3, 2, 3, 3], [3], [2], [2], [1, 3, 4, 4]],
            large: [[2, 24, 40, 41], [32, 24, 3, 3], [32], [24], [24], [2, 32, 40, 41]], threads: .rounding,
            roundsOnce: false
        ) {
            let norm = ConvolutionStages.Norm(groups: 2, weight: $0[3], bias: $0[4], epsilon: 1e-5)
            return $0[0].convolution(
                weight: $0[1], bias: $0[2], options: .init(padding: 1), stages: .init(norm: norm, residual: $0[5]))
        },
        .init(
            "convolution of an up-sampled image", "convolution(weight:bias:options:stages:)",
            small: [[1, 2, 4, 4], [3, 2, 3, 3], [3]], large: [[2, 24, 20, 21], [32, 24, 3, 3], [32]],
            threads: .rounding, roundsOnce: false
        ) {
            $0[0].convolution(
                weight: $0[1], bias: $0[2], options: .init(padding: 1), stages: .init(upsampling: 2))
        },
        .init(
            "gradient of convolution's input", small: [[1, 3, 4, 4], [3, 2, 3, 3]],
            large: [[2, 32, 40, 41], [32, 24, 3, 3]], threads: .rounding
        ) {
            let (g, w) = ($0[0].shape, $0[1].shape)
            return Device.backend.convolutionInputGradient(
                $0[0], weight: $0[1], inputShape: [g[0], w[1], g[2], g[3]], options: .init(padding: 1))
        },
        .init(
            "gradient of convolution's weight", small: [[1, 2, 4, 4], [1, 3, 4, 4]],
            large: [[2, 24, 40, 41], [2, 32, 40, 41]], threads: .rounding, roundsOnce: false
        ) {
            Device.backend.convolutionWeightGradient(
                $0[0], gradient: $0[1], weightShape: [$0[1].shape[1], $0[0].shape[1], 3, 3], options: .init(padding: 1))
        },
        .init("up-sampling", "upsampledNearest(_:)", small: [[1, 2, 2, 3]], large: [[2, 24, 40, 41]]) {
            $0[0].upsampledNearest(2)
        },
        .init("gradient of up-sampling", small: [[1, 2, 4, 6]], large: [[2, 24, 40, 42]]) {
            Device.backend.upsampleNearestGradient($0[0], factor: 2)
        },
    ]
}
