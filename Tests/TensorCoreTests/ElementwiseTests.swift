import Foundation
import TensorCore
import TestSupport
import Testing

/// Value, slope, and where the function is tested: the oracle of `UnaryOperation`, in double precision.
struct UnaryReference: Sendable {
    var value: @Sendable (Double) -> Double
    var slope: @Sendable (Double) -> Double
    var range: ClosedRange<Float> = -4...4

    static func of(_ operation: UnaryOperation) -> UnaryReference {
        @Sendable func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        switch operation {
        case .negate: return .init(value: { -$0 }, slope: { _ in -1 })
        case .exponential: return .init(value: { exp($0) }, slope: { exp($0) })
        case .logarithm: return .init(value: { log($0) }, slope: { 1 / $0 }, range: 0.125...8)
        case .squareRoot: return .init(value: { $0.squareRoot() }, slope: { 0.5 / $0.squareRoot() }, range: 0.125...8)
        case .reciprocal: return .init(value: { 1 / $0 }, slope: { -1 / ($0 * $0) }, range: 0.25...4)
        case .sine: return .init(value: { sin($0) }, slope: { cos($0) })
        case .cosine: return .init(value: { cos($0) }, slope: { -sin($0) })
        case .sigmoid: return .init(value: logistic, slope: { logistic($0) * logistic(-$0) })
        case .tanh: return .init(value: { tanh($0) }, slope: { 1 - tanh($0) * tanh($0) })
        case .square: return .init(value: { $0 * $0 }, slope: { 2 * $0 })
        case .absolute: return .init(value: { abs($0) }, slope: { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 })
        case .relu: return .init(value: { max($0, 0) }, slope: { $0 > 0 ? 1 : 0 })
        case .silu:
            return .init(value: { $0 * logistic($0) }, slope: { logistic($0) * (1 + $0 * logistic(-$0)) })
        case .gelu:
            @Sendable func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }
            return .init(
                value: { $0 * cumulative($0) },
                slope: { cumulative($0) + $0 * exp(-0.5 * $0 * $0) / (2 * Double.pi).squareRoot() })
        case .geluTanh:
            let root = (2 / Double.pi).squareRoot()
            @Sendable func inner(_ x: Double) -> Double { tanh(root * (x + 0.044715 * x * x * x)) }
            return .init(
                value: { 0.5 * $0 * (1 + inner($0)) },
                slope: {
                    let t = inner($0)
                    return 0.5 * (1 + t) + 0.5 * $0 * (1 - t * t) * root * (1 + 3 * 0.044715 * $0 * $0)
                })
        case .quickGelu:
            return .init(
                value: { $0 * logistic(1.702 * $0) },
                slope: { logistic(1.702 * $0) * (1 + 1.702 * $0 * logistic(-1.702 * $0)) })
        }
    }
}

@Suite struct ElementwiseTests {
    /// Relative to `max(1, |expected|)`: a few roundings of `float32`.
    static let tolerance = 1e-6

    @Test(arguments: UnaryOperation.allCases) func unary(operation: UnaryOperation) {
        let reference = UnaryReference.of(operation)
        let x = Tensor.sample([7, 31], seed: 3, reference.range)
        let g = Tensor.sample([7, 31], seed: 4)
        let inputs = Reference(x).values
        let slopes = zip(inputs, Reference(g).values).map { reference.slope($0) * $1 }
        for layout in Layout.allCases {
            let view = x.laidOut(layout)
            let error = view.applying(operation).error(from: inputs.map(reference.value))
            #expect(error <= Self.tolerance, "\(layout): \(error)")
            let slopeError = view.applyingGradient(operation, gradient: g.laidOut(layout)).error(from: slopes)
            #expect(slopeError <= Self.tolerance, "gradient, \(layout): \(slopeError)")
        }
    }

    @Test func theTailsOfSigmoidsAreFinite() {
        let x = Tensor([-Float.infinity, -200, -90, 90, 200, .infinity], [6])
        #expect(x.applying(.sigmoid).error(from: [0, 0, 0, 1, 1, 1]) < 1e-38)
        #expect(x.applying(.tanh).floats == [-1, -1, -1, 1, 1, 1])
        let finite = x.sliced(axis: 0, 1..<5)
        for operation in [UnaryOperation.silu, .gelu, .geluTanh, .quickGelu] {
            let error = finite.applying(operation).error(from: [0, 0, 90, 200])
            #expect(error < 1e-30, "\(operation): \(error)")
            let slope = finite.applyingGradient(operation, gradient: Tensor(full: [4], 1)).error(from: [0, 0, 1, 1])
            #expect(slope < 1e-30, "\(operation): \(slope)")
        }
    }

    static let shapes: [(Shape, Shape)] = [
        ([3, 4], [3, 4]), ([3, 4], [4]), ([3, 4], [3, 1]), ([3, 4], [1, 1]), ([3, 4], []), ([2, 1, 4], [3, 1]),
        ([1, 5], [6, 1]), ([], []), ([2, 0, 3], [1, 3]), ([0], [1]), ([127], [127]), ([5, 3, 1, 2], [3, 4, 1]),
    ]

    private func value(_ operation: BinaryOperation, _ a: Double, _ b: Double) -> Double {
        switch operation {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .maximum: max(a, b)
        case .minimum: min(a, b)
        }
    }

    @Test(arguments: BinaryOperation.allCases) func binary(operation: BinaryOperation) throws {
        for (left, right) in Self.shapes {
            let x = Tensor.sample(left, seed: 1)
            let y = Tensor.sample(right, seed: 2, 0.5...2)
            for (a, b) in [(x, y), (y, x * 0.5 + 2)] {
                let shape = try #require(Shape.broadcast(a.shape, b.shape))
                let (u, v) = (Reference(a), Reference(b))
                let expected = Reference(shape) { value(operation, u[$0], v[$0]) }
                for layoutA in Layout.allCases {
                    for layoutB in Layout.allCases {
                        let found = Tensor.applying(operation, a.laidOut(layoutA), b.laidOut(layoutB))
                        #expect(found.shape == shape && found.isContiguous)
                        let error = found.error(from: expected.values)
                        #expect(error <= Self.tolerance, "\(left) \(layoutA), \(right) \(layoutB): \(error)")
                    }
                }
            }
        }
    }

    @Test func operatorsNameTheirOperations() {
        let (a, b) = (Tensor.sample([3, 4], seed: 1), Tensor.sample([4], seed: 2, 1...2))
        #expect((a + b).isIdentical(to: .applying(.add, a, b)))
        #expect((a - b).isIdentical(to: .applying(.subtract, a, b)))
        #expect((a * b).isIdentical(to: .applying(.multiply, a, b)))
        #expect((a / b).isIdentical(to: .applying(.divide, a, b)))
        #expect((-a).isIdentical(to: a.applying(.negate)))
        let values = Reference(a).values
        #expect((a + 0.5).error(from: values.map { $0 + 0.5 }) <= Self.tolerance)
        #expect((a - 0.5).error(from: values.map { $0 - 0.5 }) <= Self.tolerance)
        #expect((a * 3).error(from: values.map { $0 * 3 }) <= Self.tolerance)
        #expect(a.affine(scale: -2, shift: 0.25).error(from: values.map { $0 * -2 + 0.25 }) <= Self.tolerance)
    }

    @Test func notANumberWinsEveryComparisonOfSize() {
        let (nan, one) = (Tensor(.nan), Tensor(1))
        for operation in [BinaryOperation.maximum, .minimum] {
            #expect(Tensor.applying(operation, nan, one).scalar.isNaN)
            #expect(Tensor.applying(operation, one, nan).scalar.isNaN)
        }
        #expect(nan.applying(.relu).scalar.isNaN)
        for relation in Relation.allCases {
            #expect(Tensor.comparing(relation, nan, nan).elements(as: Bool.self) == [false])
        }
    }

    @Test(arguments: Relation.allCases) func comparing(relation: Relation) throws {
        for (left, right) in Self.shapes {
            // Few values, so that many are equal.
            let (a, b) = (Tensor.sample(left, seed: 1) * 2, Tensor.sample(right, seed: 2) * 2)
            let (x, y) = (
                a.converted(to: .int32).converted(to: .float32), b.converted(to: .int32).converted(to: .float32)
            )
            let shape = try #require(Shape.broadcast(left, right))
            let (u, v) = (Reference(x), Reference(y))
            let expected = shape.allIndices.map { index in
                switch relation {
                case .equal: u[index] == v[index]
                case .less: u[index] < v[index]
                case .lessOrEqual: u[index] <= v[index]
                }
            }
            for layout in Layout.allCases {
                for dtype in [DType.float32, .bfloat16, .int32] {
                    let found = Tensor.comparing(
                        relation, x.converted(to: dtype).laidOut(layout), y.converted(to: dtype))
                    #expect(found.elements(as: Bool.self) == expected)
                }
            }
        }
    }

    /// A mask that is a broadcast view once was read after its copy had been released.
    @Test func selectingWithBroadcastMasks() throws {
        let shapes: [(Shape, Shape, Shape)] = [
            ([3, 1], [3, 4], [4]), ([4], [3, 4], []), ([], [2], [2]), ([64, 1], [64, 256], [1, 256]),
            ([2, 3], [1], [1]), ([1, 3], [2, 1], []), ([0, 3], [3], [3]),
        ]
        for (m, left, right) in shapes {
            let mask = Tensor.comparing(.less, Tensor.sample(m, seed: 5), Tensor(0))
            let (a, b) = (Tensor.sample(left, seed: 1), Tensor.sample(right, seed: 2))
            let inner = try #require(Shape.broadcast(left, right))
            let shape = try #require(Shape.broadcast(m, inner))
            let (w, u, v) = (Reference(mask), Reference(a), Reference(b))
            let expected = Reference(shape) { w[$0] != 0 ? u[$0] : v[$0] }
            for layout in Layout.allCases {
                let found = Tensor.select(mask.laidOut(layout), a.laidOut(layout), b)
                #expect(found.shape == shape)
                #expect(found.error(from: expected.values) == 0)
            }
            let wide = Tensor.select(mask, a.converted(to: .int64), b.converted(to: .int64))
            #expect(wide.dtype == .int64)
        }
    }

    @Test(arguments: [DType.float32, .bfloat16, .float16]) func accumulating(dtype: DType) {
        let tolerance = dtype == .float32 ? Self.tolerance : 0.01
        for layout in Layout.allCases {
            for source in [[3, 4], [4], [3, 1], []] as [Shape] {
                let start = Tensor.sample([3, 4], seed: 1).converted(to: dtype)
                let target = start.copied().laidOut(layout)
                let addition = Tensor.sample(source, seed: 2).converted(to: dtype)
                let (u, v) = (Reference(start), Reference(addition))
                let expected = Reference([3, 4]) { u[$0] * -0.5 + v[$0] * 2 }
                target.accumulate(addition.laidOut(layout), scale: 2, targetScale: -0.5)
                let error = target.error(from: expected.values)
                #expect(error <= tolerance, "\(layout) \(source): \(error)")
            }
        }
    }

    @Test func accumulatingLeavesTheGapsAlone() {
        let block = Tensor(zeros: [4, 4])
        block.sliced(axis: 1, 1..<3).accumulate(Tensor(1))
        #expect(block.sum().scalar == 8)
        #expect(block.sliced(axis: 1, 0..<1).sum().scalar == 0)
    }

    @Test func typesAreNeverMixedInSilence() async {
        await #expect(processExitsWith: .failure) {
            _ = Tensor(zeros: [2]) + Tensor(zeros: [2], dtype: .bfloat16)
        }
        await #expect(processExitsWith: .failure) { _ = Tensor(zeros: [2]) + Tensor(zeros: [3]) }
    }
}
