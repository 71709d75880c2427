import Autograd
import TensorCore
import TestSupport
import Testing

/// One row of the table of differentiable operations that the gradient tests walk.
struct DifferentiableOperation: Sendable, CustomTestStringConvertible {
    /// One differentiable input.
    struct Input: Sendable, ExpressibleByArrayLiteral {
        var shape: Shape
        var range: ClosedRange<Float> = -1...1
        /// Whether both signs occur and no value lies near 0, where the function has a kink.
        var avoidsZero = false

        init(_ shape: Shape, _ range: ClosedRange<Float> = -1...1, avoidsZero: Bool = false) {
            self.shape = shape
            self.range = range
            self.avoidsZero = avoidsZero
        }

        init(arrayLiteral elements: Int...) { self.init(Shape(elements)) }

        func sample(seed: UInt64) -> Tensor {
            if !avoidsZero { return .sample(shape, seed: seed, range) }
            let magnitude = Tensor.sample(shape, seed: seed, 0.25...1)
            let sign = Tensor.comparing(.less, Tensor.sample(shape, seed: seed + 100), Tensor(0))
            return Tensor.select(sign, magnitude, -magnitude)
        }
    }

    /// What the row is called in reports.
    var name: String
    /// The declarations that the row covers, as `declaredFunctions(in:)` spells them.
    var covers: [String]
    var inputs: [Input]
    /// How far a finite difference may lie from the gradient, relative to `max(1, |gradient|)`.
    var tolerance = 1e-4
    /// The same for bfloat16 inputs against `float32` ones.
    var halfTolerance = 0.04
    var apply: @Sendable ([Variable]) -> [Variable]

    var testDescription: String { name }

    init(
        _ name: String, _ covers: String..., inputs: [Input], tolerance: Double = 1e-4, halfTolerance: Double = 0.04,
        _ apply: @escaping @Sendable ([Variable]) -> Variable
    ) {
        self.init(name, covers, inputs, tolerance, halfTolerance) { [apply($0)] }
    }

    init(
        _ name: String, severalResults covers: String..., inputs: [Input],
        _ apply: @escaping @Sendable ([Variable]) -> [Variable]
    ) {
        self.init(name, covers, inputs, 1e-4, 0.04, apply)
    }

    private init(
        _ name: String, _ covers: [String], _ inputs: [Input], _ tolerance: Double, _ halfTolerance: Double,
        _ apply: @escaping @Sendable ([Variable]) -> [Variable]
    ) {
        self.name = name
        self.covers = covers
        self.inputs = inputs
        self.tolerance = tolerance
        self.halfTolerance = halfTolerance
        self.apply = apply
    }
}

extension DifferentiableOperation {
    /// Every operation in `Sources/Autograd/Operations`, with broadcast and empty operands.
    static let table: [DifferentiableOperation] =
        elementwise + views + conversions + reductions + products + together + normalizations + attentions + images

    private static let binaryShapes: [[Input]] = [
        [[3, 4], [3, 4]], [[3, 4], [4]], [[3, 1], [2, 1, 4]], [[], [2, 3]], [[2, 3], []], [[0, 3], [3]],
    ]

    private static func binary(
        _ symbol: String, _ operation: @escaping @Sendable (Variable, Variable) -> Variable
    ) -> [DifferentiableOperation] {
        binaryShapes.map { inputs in
            // Divisors stay away from 0.
            let right = Input(inputs[1].shape, 0.5...2)
            return DifferentiableOperation(
                "\(inputs[0].shape) \(symbol) \(inputs[1].shape)", "\(symbol)(Variable, Variable)",
                inputs: [inputs[0], right]
            ) { operation($0[0], $0[1]) }
        }
    }

    private static let elementwise: [DifferentiableOperation] =
        UnaryOperation.allCases.map { operation in
            let input: Input =
                switch operation {
                case .logarithm, .squareRoot, .reciprocal: Input([3, 5], 0.75...2)
                case .absolute, .relu: Input([3, 5], avoidsZero: true)
                default: Input([3, 5], -2...2)
                }
            return DifferentiableOperation(operation.rawValue, "applying(_:)", inputs: [input]) {
                $0[0].applying(operation)
            }
        }
        + binary("+") { $0 + $1 } + binary("-") { $0 - $1 } + binary("*") { $0 * $1 } + binary("/") { $0 / $1 }
        + [
            .init("an operation on nothing", "applying(_:)", inputs: [[2, 0]]) { $0[0].applying(.sigmoid) },
            .init("plus a number", "+(Variable, Float)", inputs: [[2, 3]]) { $0[0] + 0.5 },
            .init("minus a number", "-(Variable, Float)", inputs: [[2, 3]]) { $0[0] - 0.5 },
            .init("times a number", "*(Variable, Float)", inputs: [[2, 3]]) { $0[0] * -1.5 },
            .init("negation", "-(Variable)", inputs: [[2, 3]]) { -$0[0] },
            .init("affine", "affine(scale:shift:)", inputs: [[2, 3]]) { $0[0].affine(scale: 3, shift: -1) },
            .init("affine of nothing", "affine(scale:shift:)", inputs: [[0]]) { $0[0].affine(scale: 3, shift: -1) },
            .init("select", "select(_:_:_:)", inputs: [[3, 4], [3, 4]]) {
                .select(Tensor.comparing(.less, .sample([3, 4], seed: 50), Tensor(0)), $0[0], $0[1])
            },
            .init("select, all broadcast", "select(_:_:_:)", inputs: [[4], [2, 1, 1]]) {
                .select(Tensor.comparing(.less, .sample([3, 1], seed: 51), Tensor(0)), $0[0], $0[1])
            },
            .init("select of scalars", "select(_:_:_:)", inputs: [[], []]) {
                .select(Tensor([true], []), $0[0], $0[1])
            },
        ]

    private static let views: [DifferentiableOperation] = [
        .init("reshape", "reshaped(to:)", inputs: [[2, 6]]) { $0[0].reshaped(to: [3, -1]) },
        .init("reshape of nothing", "reshaped(to:)", inputs: [[2, 0]]) { $0[0].reshaped(to: [0, 5]) },
        .init("transpose", "transposed(_:_:)", inputs: [[2, 3, 4]]) { $0[0].transposed(0, -1) },
        .init("permutation", "permuted(_:)", inputs: [[2, 3, 4]]) { $0[0].permuted([1, 2, 0]) },
        .init("slice", "sliced(axis:_:)", inputs: [[3, 5]]) { $0[0].sliced(axis: -1, 1..<4) },
        .init("slice of all", "sliced(axis:_:)", inputs: [[3, 5]]) { $0[0].sliced(axis: 1, 0..<5) },
        .init("empty slice", "sliced(axis:_:)", inputs: [[3, 5]]) { $0[0].sliced(axis: 0, 2..<2) },
        .init("split", severalResults: "split(into:axis:)", inputs: [[2, 6]]) { $0[0].split(into: 3, axis: 1) },
        .init("split with a part unused", severalResults: "split(into:axis:)", inputs: [[4, 3]]) {
            Array($0[0].split(into: 2, axis: 0).dropFirst())
        },
        .init("split unequally", severalResults: "split(extents:axis:)", inputs: [[2, 7]]) {
            $0[0].split(extents: [1, 4, 0, 2], axis: -1)
        },
        .init("split unequally with parts unused", severalResults: "split(extents:axis:)", inputs: [[6, 3]]) {
            [$0[0].split(extents: [1, 3, 2], axis: 0)[1]]
        },
        .init("expansion", "expanded(to:)", inputs: [[3, 1]]) { $0[0].expanded(to: [2, 3, 4]) },
        .init("expansion to nothing", "expanded(to:)", inputs: [[3, 1]]) { $0[0].expanded(to: [0, 3, 4]) },
        .init("new axis", "unsqueezed(_:)", inputs: [[2, 3]]) { $0[0].unsqueezed(1) * 2 },
    ]

    private static let conversions: [DifferentiableOperation] = [
        // A step function in truth; its steps are small beside the differences.
        .init("conversion", "converted(to:)", inputs: [[3, 4]], tolerance: 0.05) { $0[0].converted(to: .float16) },
        .init("contiguous", "contiguous()", inputs: [[3, 4]]) { $0[0].transposed().contiguous() },
        .init("concatenation", "concatenated(_:axis:)", inputs: [[2, 3], [2, 1], [2, 0], [2, 2]]) {
            .concatenated($0, axis: -1)
        },
        .init("concatenation of one twice", "concatenated(_:axis:)", inputs: [[2, 3]]) {
            .concatenated([$0[0], $0[0]], axis: 0)
        },
        .init("padding", "padded(low:high:)", inputs: [[2, 3]]) { $0[0].padded(low: [1, 0], high: [0, 2]) },
        .init("padding of nothing", "padded(low:high:)", inputs: [[0, 3]]) {
            $0[0].padded(low: [1, 0], high: [0, 2])
        },
        .init("gather", "gatheringRows(_:)", inputs: [[4, 3]]) {
            $0[0].gatheringRows(Tensor([2, 0, 2, 3, 2, 0] as [Int32], [2, 3]))
        },
        .init("gather of nothing", "gatheringRows(_:)", inputs: [[4, 3]]) {
            $0[0].gatheringRows(Tensor([] as [Int32], [0]))
        },
    ]

    private static let reductions: [DifferentiableOperation] = [
        .init("sum", "sum(axes:keepingAxes:)", inputs: [[3, 4]]) { $0[0].sum() },
        .init("sum over axes", "sum(axes:keepingAxes:)", inputs: [[2, 3, 4]]) { $0[0].sum(axes: [0, -1]) },
        .init("sum keeping axes", "sum(axes:keepingAxes:)", inputs: [[2, 3, 4]]) {
            $0[0].sum(axes: [1], keepingAxes: true)
        },
        .init("sum of nothing", "sum(axes:keepingAxes:)", inputs: [[2, 0]]) { $0[0].sum(axes: [1]) },
        .init("mean", "mean(axes:keepingAxes:)", inputs: [[3, 4]]) { $0[0].mean() },
        .init("mean over axes", "mean(axes:keepingAxes:)", inputs: [[2, 3, 4]]) { $0[0].mean(axes: [0, -1]) },
        .init("mean keeping axes", "mean(axes:keepingAxes:)", inputs: [[2, 3, 4]]) {
            $0[0].mean(axes: [1], keepingAxes: true)
        },
        .init("mean squared error", "meanSquaredError(_:)", inputs: [[3, 4]]) {
            $0[0].meanSquaredError(.sample([3, 4], seed: 60)) * 5
        },
        .init("log-sum-exp", "logSumExp()", inputs: [.init([3, 4], -3...3)]) { $0[0].logSumExp() },
        .init("log-sum-exp of no rows", "logSumExp()", inputs: [[0, 4]]) { $0[0].logSumExp() },
    ]

    private static let products: [DifferentiableOperation] = {
        let shapes: [(Input, Input)] = [
            ([3, 4], [4, 2]), ([2, 3, 4], [4, 2]), ([3, 4], [2, 4, 2]), ([2, 1, 3, 4], [3, 4, 2]), ([1, 4], [4, 1]),
            ([0, 4], [4, 2]), ([3, 0], [0, 2]), ([2, 3, 0], [0, 2]), ([2, 0, 4], [4, 2]),
        ]
        let products = shapes.flatMap { a, b in
            var turned = b
            turned.shape = Shape(b.shape.dimensions.dropLast(2) + [b.shape[-1], b.shape[-2]])
            return [
                DifferentiableOperation(
                    "product of \(a.shape) and \(b.shape)", "matrixProduct(_:transposingOther:)", inputs: [a, b]
                ) { $0[0].matrixProduct($0[1]) },
                DifferentiableOperation(
                    "product of \(a.shape) and \(b.shape) transposed", "matrixProduct(_:transposingOther:)",
                    inputs: [a, turned]
                ) { $0[0].matrixProduct($0[1], transposingOther: true) },
            ]
        }
        let inputs: [Input] = [[3, 4], [2, 3, 4], [4], [0, 4], [2, 0, 4]]
        let linears = inputs.flatMap { x in
            [
                DifferentiableOperation("linear of \(x.shape)", "linear(weight:bias:dtype:)", inputs: [x, [5, 4]]) {
                    $0[0].linear(weight: $0[1])
                },
                DifferentiableOperation(
                    "linear of \(x.shape) with bias", "linear(weight:bias:dtype:)", inputs: [x, [5, 4], [5]]
                ) { $0[0].linear(weight: $0[1], bias: $0[2]) },
            ]
        }
        return products + linears + [
            .init("linear to nothing", "linear(weight:bias:dtype:)", inputs: [[3, 4], [0, 4]]) {
                $0[0].linear(weight: $0[1])
            },
            .init(
                "sum of linear maps", "linear(_:bias:activation:dtype:)",
                inputs: [[2, 3, 4], [5, 4], [2, 3, 2], [5, 2], [5]]
            ) {
                .linear([($0[0], $0[1]), ($0[2], $0[3])], bias: $0[4], dtype: $0[0].dtype)
            },
            .init(
                "sum of linear maps with GELU", "linear(_:bias:activation:dtype:)",
                inputs: [[2, 3, 4], [5, 4], [2, 3, 2], [5, 2], [5]]
            ) {
                .linear([($0[0], $0[1]), ($0[2], $0[3])], bias: $0[4], activation: .geluTanh, dtype: $0[0].dtype)
            },
            .init(
                "linear of an input in parts", "linear(joining:weight:bias:dtype:)",
                inputs: [[2, 3, 4], [2, 3, 2], [5, 6], [5]]
            ) {
                .linear(joining: [$0[0], $0[1]], weight: $0[2], bias: $0[3], dtype: $0[0].dtype)
            },
            .init(
                "linear maps of one input", "linear(_:bias:activation:dtype:)",
                inputs: [[3, 4], [5, 4], [2, 4], [5, 2]]
            ) {
                // The input's gradient is a sum of three products and of a plain tensor.
                let narrow = $0[0].linear(weight: $0[2])
                let sum = Variable.linear([($0[0], $0[1]), (narrow, $0[3])], dtype: $0[0].dtype)
                return sum + $0[0].sum(axes: [1], keepingAxes: true)
            },
        ]
    }()

    private static let together: [DifferentiableOperation] = [
        .init(
            "linear maps together", severalResults: "linear(together:)",
            inputs: [[3, 4], [5, 4], [5], [2, 4], [3, 2], [5, 2]]
        ) { (x: [Variable]) -> [Variable] in
            let type = x[0].dtype
            let both = LinearSum([(x[0], .variable(x[1])), (x[4], .variable(x[5]))], bias: x[2], dtype: type)
            return Variable.linear(together: [both, LinearSum([(x[0], .variable(x[3]))], dtype: type)])
        },
        .init(
            "linear maps of nothing and to nothing together", severalResults: "linear(together:)",
            inputs: [[2, 0, 4], [5, 4], [5], [3, 4], [0, 4]]
        ) { (x: [Variable]) -> [Variable] in
            let type = x[0].dtype
            let ofNothing = LinearSum([(x[0], .variable(x[1]))], bias: x[2], dtype: type)
            return Variable.linear(together: [ofNothing, LinearSum([(x[3], .variable(x[4]))], dtype: type)])
        },
    ]

    private static let normalizations: [DifferentiableOperation] = [
        .init("softmax", "softmax()", inputs: [.init([3, 5], -2...2)]) { $0[0].softmax() },
        .init("softmax of no rows", "softmax()", inputs: [[0, 5]]) { $0[0].softmax() },
        .init("layer norm", "layerNorm(weight:bias:epsilon:)", inputs: [[2, 3, 6]]) { $0[0].layerNorm(epsilon: 1e-2) },
        .init("layer norm, scaled", "layerNorm(weight:bias:epsilon:)", inputs: [[3, 6], [6]]) {
            $0[0].layerNorm(weight: $0[1], epsilon: 1e-2)
        },
        .init("layer norm, shifted", "layerNorm(weight:bias:epsilon:)", inputs: [[3, 6], [6]]) {
            $0[0].layerNorm(bias: $0[1], epsilon: 1e-2)
        },
        .init("layer norm, both", "layerNorm(weight:bias:epsilon:)", inputs: [[3, 6], [6], [6]]) {
            $0[0].layerNorm(weight: $0[1], bias: $0[2], epsilon: 1e-2)
        },
        .init("layer norm of no rows", "layerNorm(weight:bias:epsilon:)", inputs: [[0, 6], [6], [6]]) {
            $0[0].layerNorm(weight: $0[1], bias: $0[2], epsilon: 1e-2)
        },
        .init("RMS norm", "rmsNorm(weight:epsilon:)", inputs: [[2, 3, 6]]) { $0[0].rmsNorm(epsilon: 1e-2) },
        .init("RMS norm, scaled", "rmsNorm(weight:epsilon:)", inputs: [[3, 6], [6]]) {
            $0[0].rmsNorm(weight: $0[1], epsilon: 1e-2)
        },
        .init("RMS norm of no rows", "rmsNorm(weight:epsilon:)", inputs: [[0, 6], [6]]) {
            $0[0].rmsNorm(weight: $0[1], epsilon: 1e-2)
        },
        .init(
            "modulated norm", "modulatedNorm(scale:shift:epsilon:)", inputs: [[2, 3, 6], [2, 1, 6], [2, 1, 6]]
        ) { $0[0].modulatedNorm(scale: $0[1], shift: $0[2], epsilon: 1e-2) },
        .init(
            "modulated norm of no tokens", "modulatedNorm(scale:shift:epsilon:)",
            inputs: [[2, 0, 6], [2, 1, 6], [2, 1, 6]]
        ) { $0[0].modulatedNorm(scale: $0[1], shift: $0[2], epsilon: 1e-2) },
        .init("gated sum", "addingGated(_:gate:)", inputs: [[2, 3, 6], [2, 3, 6], [2, 1, 6]]) {
            $0[0].addingGated($0[1], gate: $0[2])
        },
        .init("gated sum of no tokens", "addingGated(_:gate:)", inputs: [[2, 0, 6], [2, 0, 6], [2, 1, 6]]) {
            $0[0].addingGated($0[1], gate: $0[2])
        },
        .init("group norm", "groupNorm(groups:weight:bias:epsilon:)", inputs: [[2, 4, 2, 3], [4], [4]]) {
            $0[0].groupNorm(groups: 2, weight: $0[1], bias: $0[2], epsilon: 1e-2)
        },
        .init("group norm of no images", "groupNorm(groups:weight:bias:epsilon:)", inputs: [[0, 4, 2, 3], [4], [4]]) {
            $0[0].groupNorm(groups: 4, weight: $0[1], bias: $0[2], epsilon: 1e-2)
        },
    ]
}
