import TensorCore
import TestSupport
import Testing

/// One row of the table of fused operations: what a backend computes in one step and ``ReferenceBackend`` composes of
/// primitive ones.
struct FusedOperation: Sendable, CustomTestStringConvertible {
    var name: String
    /// The requirements of `Backend` that the row covers, as `requirements(of:file:)` spells them.
    var covers: [String]
    var inputs: [Shape]
    var range: ClosedRange<Float>
    /// Whether it takes every floating-point type and layout, or dense `float32` alone.
    var isGeneral: Bool
    /// The largest difference allowed, relative to `max(1, |expected|)`, in `float32` and in `bfloat16`; a `float16` has
    /// an eighth of the latter.
    var tolerance: Double, halfTolerance: Double
    var apply: @Sendable (any Backend, [Tensor]) -> [Tensor?]

    var testDescription: String { name }

    init(
        _ name: String, _ covers: String..., inputs: [Shape], range: ClosedRange<Float> = -1...1,
        isGeneral: Bool = true, tolerance: Double = 1e-6, halfTolerance: Double = 0x1p-8,
        _ apply: @escaping @Sendable (any Backend, [Tensor]) -> [Tensor?]
    ) {
        self.name = name
        self.covers = covers
        self.inputs = inputs
        self.range = range
        self.isGeneral = isGeneral
        self.tolerance = tolerance
        self.halfTolerance = halfTolerance
        self.apply = apply
    }

    /// Numbers of all digits, so that sums depend on their order.
    func samples() -> [Tensor] {
        inputs.enumerated().map { .sample($0.element, seed: UInt64($0.offset + 1), range) * 1.0471976 }
    }

    func tolerance(_ dtype: DType) -> Double {
        switch dtype {
        case .float32: tolerance
        case .float16: max(tolerance, halfTolerance / 8)
        default: max(tolerance, halfTolerance)
        }
    }
}

extension FusedOperation {
    /// Every fused requirement of `Backend`.
    static let table: [FusedOperation] = elementwise + products + norms + modulations + images + optimizers

    private static let elementwise: [FusedOperation] =
        [
            .init("concatenation", "concatenate(_:axis:)", inputs: [[3, 5, 2], [3, 1, 2], [3, 0, 2]]) {
                [$0.concatenate($1, axis: 1)]
            },
            .init("padding", "pad(_:low:high:value:)", inputs: [[3, 5]]) {
                [$0.pad($1[0], low: [1, 2], high: [0, 3], value: 0.3)]
            },
            .init("padding of nothing", "pad(_:low:high:value:)", inputs: [[0, 2]]) {
                [$0.pad($1[0], low: [1, 0], high: [1, 2], value: -1)]
            },
            .init("affine", "affine(_:scale:shift:)", inputs: [[3, 5]]) {
                [$0.affine($1[0], scale: 1.7, shift: -0.3)]
            },
            .init(
                "accumulation into a view", "accumulate(_:scale:into:targetScale:)", inputs: [[3, 5], [3, 10]]
            ) { backend, x in
                let space = x[1].copied()
                let target = space.sliced(axis: 1, 2..<7)
                backend.accumulate(x[0], scale: 0.7, into: target, targetScale: -1.3)
                return [space]
            },
            .init("rotary", "rotary(_:cosine:sine:inverse:)", inputs: [[2, 3, 2, 6], [3, 3], [3, 3]]) {
                [
                    $0.rotary($1[0], cosine: $1[1], sine: $1[2], inverse: false),
                    $0.rotary($1[0], cosine: $1[1], sine: $1[2], inverse: true),
                ]
            },
        ]
        + UnaryOperation.allCases.map { operation in
            let isPositive = [.logarithm, .squareRoot, .reciprocal].contains(operation)
            return .init(
                "derivative of \(operation)", "unaryGradient(_:_:gradient:)", inputs: [[4, 33], [4, 33]],
                range: isPositive ? 0.25...3 : -4...4, tolerance: 2e-6, halfTolerance: 0x1p-7
            ) { [$0.unaryGradient(operation, $1[0], gradient: $1[1])] }
        }

    private static let products: [FusedOperation] =
        [
            .init(
                "sum of products", "sumOfProducts(_:addend:bias:dtype:)",
                inputs: [[3, 37], [37, 4], [3, 2], [2, 4], [3, 4], [4]]
            ) {
                let terms = [ProductTerm($1[0], $1[1]), ProductTerm($1[2], $1[3])]
                return [
                    $0.sumOfProducts(terms, addend: $1[4], bias: $1[5], dtype: $1[0].dtype),
                    $0.sumOfProducts([terms[1]], addend: nil, bias: nil, dtype: .float32),
                ]
            },
            .init(
                "product of nothing", "sumOfProducts(_:addend:bias:dtype:)", inputs: [[3, 0], [0, 4], [3, 4], [4]]
            ) {
                [$0.sumOfProducts([ProductTerm($1[0], $1[1])], addend: $1[2], bias: $1[3], dtype: $1[0].dtype)]
            },
            .init(
                "sums of products", "sumsOfProducts(_:)", inputs: [[3, 37], [37, 4], [3, 2], [2, 4], [4], [2, 7]]
            ) {
                $0.sumsOfProducts([
                    ProductSum(
                        [ProductTerm($1[0], $1[1]), ProductTerm($1[2], $1[3])], bias: $1[4], dtype: $1[0].dtype),
                    ProductSum([ProductTerm($1[2], $1[5])], dtype: .float32),
                ])
            },
        ]
        + UnaryOperation.allCases.map { operation in
            let isPositive = [.logarithm, .squareRoot, .reciprocal].contains(operation)
            return .init(
                "product with \(operation)", "activatedProducts(_:bias:activation:keepsSums:dtype:)",
                inputs: [[3, 9], [9, 4], [3, 2], [2, 4], [4]], range: isPositive ? 0.25...1 : -1...1,
                tolerance: 1e-6, halfTolerance: 0x1p-7
            ) {
                let terms = [ProductTerm($1[0], $1[1]), ProductTerm($1[2], $1[3])]
                let found = $0.activatedProducts(
                    terms, bias: $1[4], activation: operation, keepsSums: true, dtype: $1[0].dtype)
                let alone = $0.activatedProducts(
                    [terms[0]], bias: nil, activation: operation, keepsSums: false, dtype: $1[0].dtype)
                return [found.activated, found.sums, alone.activated, alone.sums]
            }
        }

    private static let norms: [FusedOperation] = [
        .init("softmax", "softmax(_:)", inputs: [[2, 3, 37]], range: -9...9) { [$0.softmax($1[0])] },
        .init("softmax of rows of minus infinity", "softmax(_:)", inputs: [[3, 4]]) {
            let x = $1[0].sliced(axis: 0, 0..<1)
            let low = $0.affine(x, scale: 0, shift: -.infinity)
            return [$0.softmax($0.concatenate([x, low], axis: 0))]
        },
        .init("gradient of softmax", "softmaxGradient(output:gradient:)", inputs: [[2, 3, 37], [2, 3, 37]]) {
            [$0.softmaxGradient(output: $1[0], gradient: $1[1])]
        },
        .init("layer norm", "layerNorm(_:weight:bias:epsilon:)", inputs: [[2, 3, 37], [37], [37]]) {
            [
                $0.layerNorm($1[0], weight: $1[1], bias: $1[2], epsilon: 1e-5),
                $0.layerNorm($1[0], weight: nil, bias: nil, epsilon: 1e-2),
            ]
        },
        .init("RMS norm", "rmsNorm(_:weight:epsilon:)", inputs: [[2, 3, 37], [37]]) {
            [$0.rmsNorm($1[0], weight: $1[1], epsilon: 1e-5), $0.rmsNorm($1[0], weight: nil, epsilon: 1e-2)]
        },
        .init(
            "gradient of layer norm",
            "layerNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)",
            inputs: [[2, 3, 37], [37], [2, 3, 37]]
        ) { backend, x in
            [true, false].flatMap { isWhole in
                backend.layerNormGradient(
                    x[0], weight: isWhole ? x[1] : nil, epsilon: 1e-5, gradient: x[2], needsInput: true,
                    needsParameters: isWhole
                ).all
            }
        },
        .init(
            "gradient of RMS norm", "rmsNormGradient(_:weight:epsilon:gradient:needsInput:needsParameters:)",
            inputs: [[2, 3, 37], [37], [2, 3, 37]]
        ) { backend, x in
            [true, false].flatMap { isWhole in
                backend.rmsNormGradient(
                    x[0], weight: isWhole ? x[1] : nil, epsilon: 1e-5, gradient: x[2], needsInput: isWhole,
                    needsParameters: true
                ).all
            }
        },
        .init("row moments", "rowMoments(_:)", inputs: [[2, 3, 4, 37]]) { [$0.rowMoments($1[0])] },
        .init(
            "group moments", "groupMoments(_:groups:width:epsilon:)", inputs: [[2, 6, 5, 2]], range: 0.5...2
        ) { [$0.groupMoments($1[0], groups: 3, width: 7, epsilon: 1e-5)] },
        .init(
            "group norm", "groupNorm(_:groups:weight:bias:epsilon:)", inputs: [[2, 6, 4, 5], [6], [6]]
        ) { [$0.groupNorm($1[0], groups: 3, weight: $1[1], bias: $1[2], epsilon: 1e-5)] },
        .init(
            "gradient of group norm",
            "groupNormGradient(_:groups:weight:epsilon:gradient:needsInput:needsParameters:)",
            inputs: [[2, 6, 4, 5], [6], [2, 6, 4, 5]]
        ) { backend, x in
            [(true, true), (true, false), (false, true)].flatMap { needs in
                backend.groupNormGradient(
                    x[0], groups: 3, weight: x[1], epsilon: 1e-5, gradient: x[2], needsInput: needs.0,
                    needsParameters: needs.1
                ).all
            }
        },
    ]

    private static let modulations: [FusedOperation] = [
        .init(
            "modulated norm", "modulatedNorm(_:scale:shift:epsilon:)", inputs: [[2, 3, 37], [2, 1, 37], [2, 1, 37]]
        ) { [$0.modulatedNorm($1[0], scale: $1[1], shift: $1[2], epsilon: 1e-5)] },
        .init(
            "gradient of modulated norm",
            "modulatedNormGradient(_:scale:epsilon:gradient:needsInput:needsModulation:)",
            inputs: [[2, 3, 37], [2, 1, 37], [2, 3, 37]]
        ) { backend, x in
            [(true, true), (true, false), (false, true)].flatMap { needs -> [Tensor?] in
                let found = backend.modulatedNormGradient(
                    x[0], scale: x[1], epsilon: 1e-5, gradient: x[2], needsInput: needs.0, needsModulation: needs.1)
                return [found.input, found.scale, found.shift]
            }
        },
        .init("gated sum", "gatedSum(_:_:gate:)", inputs: [[2, 3, 37], [2, 3, 37], [2, 1, 37]]) {
            [$0.gatedSum($1[0], $1[1], gate: $1[2])]
        },
        .init(
            "gradient of a gate", "gateGradient(_:gradient:shape:)", inputs: [[2, 3, 37], [2, 3, 37]]
        ) { [$0.gateGradient($1[0], gradient: $1[1], shape: [2, 1, 37])] },
    ]

    private static let optimizers: [FusedOperation] = [
        .init(
            "AdamW", "adamWStep(_:gradient:first:second:options:)", inputs: [[3, 37], [3, 37], [3, 37], [3, 37]],
            range: 0.25...1, isGeneral: false
        ) { backend, x in
            let (p, m, v) = (x[0].copied(), x[2].copied(), x[3].copied())
            backend.adamWStep(
                p, gradient: x[1], first: m, second: v,
                options: .init(
                    learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-3, weightDecay: 0.2, biasCorrection1: 0.4,
                    biasCorrection2: 0.3))
            return [p, m, v]
        },
        .init(
            "Prodigy", "prodigyMoments(_:gradient:parameter:start:options:)",
            "prodigyStep(_:moments:decay:step:epsilon:)",
            inputs: [[3, 700], [3, 700], [3, 700], [3, 700], [3, 700], [3, 700]], range: 0.25...1, isGeneral: false
        ) { backend, x in
            let options = ProdigyMomentOptions(
                beta1: 0.9, beta2: 0.99, beta3: 0.995, first: 0.3, second: 0.2, sum: 1.5)
            return [x[5], nil].flatMap { start -> [Tensor?] in
                let p = x[0].copied()
                let moments = ProdigyMoments(first: x[2].copied(), second: x[3].copied(), sum: x[4].copied())
                let sums = backend.prodigyMoments(
                    moments, gradient: x[1], parameter: p, start: start, options: options)
                backend.prodigyStep(p, moments: moments, decay: 0.98, step: 0.1, epsilon: 0.05)
                return [
                    p, moments.first, moments.second, moments.sum,
                    Tensor([Float(sums.correlation), Float(sums.magnitude)], [2]),
                ]
            }
        },
        .init("sum of squares", "sumOfSquares(_:)", inputs: [[5, 700]]) {
            [Tensor(Float($0.sumOfSquares($1[0])))]
        },
    ]
}

extension NormGradients {
    fileprivate var all: [Tensor?] { [input, weight, bias] }
}
