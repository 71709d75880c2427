import Autograd
import TensorCore
import TestSupport
import Testing

/// Linear maps that run together, against the same maps one by one.
@Suite struct LinearTogetherTests {
    private struct Outcome {
        var results: [Tensor]
        /// Of the input, then of each map's weight and bias.
        var gradients: [Tensor?]
    }

    /// Three maps of one input; only the results that `used` names go into the loss.
    private func outcome(_ type: DType, used: Set<Int>, _ apply: ([LinearSum]) -> [Variable]) -> Outcome {
        let x = Variable(Tensor.sample([2, 3, 32], seed: 1).converted(to: type), requiresGradient: true)
        let maps = [48, 5, 17].enumerated().map { place, width in
            (
                weight: Variable(
                    Tensor.sample([width, 32], seed: UInt64(10 + place)).converted(to: type), requiresGradient: true),
                bias: Variable(Tensor.sample([width], seed: UInt64(20 + place)), requiresGradient: true)
            )
        }
        let results = apply(maps.map { LinearSum([(x, .variable($0.weight))], bias: $0.bias, dtype: type) })
        var loss = Variable(Tensor(0))
        for place in used.sorted() {
            loss = loss + (results[place] * results[place]).converted(to: .float32).sum()
        }
        loss.backward()
        return Outcome(
            results: results.map(\.value),
            gradients: [x.gradient] + maps.flatMap { [$0.weight.gradient, $0.bias.gradient] })
    }

    private func oneByOne(_ sums: [LinearSum]) -> [Variable] {
        sums.map { .linear($0.terms, bias: $0.bias, dtype: $0.dtype) }
    }

    @Test(arguments: [DType.float32, .bfloat16], [[0, 1, 2], [1], [0, 2]] as [Set<Int>])
    func equalsOneByOne(type: DType, used: Set<Int>) throws {
        let alone = outcome(type, used: used, oneByOne)
        let together = outcome(type, used: used) { Variable.linear(together: $0) }
        for (a, b) in zip(alone.results, together.results) { #expect(a.isIdentical(to: b)) }
        // The input's products are summed in another order.
        let error = try #require(together.gradients[0]).error(from: #require(alone.gradients[0]))
        #expect(error <= (type == .float32 ? 1e-5 : 0x1p-7), "\(error)")
        for (place, (a, b)) in zip(alone.gradients, together.gradients).enumerated().dropFirst() {
            #expect((b != nil) == used.contains((place - 1) / 2), "gradient \(place)")
            if let a, let b {
                #expect(a.isIdentical(to: b), "gradient \(place)")
            } else {
                #expect(a == nil && b == nil)
            }
        }
    }

    /// Beside a map with a trained weight, one with frozen numbers gives a constant: nothing asks for its gradient.
    @Test func constantsStayConstants() throws {
        let x = Variable(Tensor.sample([3, 8], seed: 1))
        let weights = [2, 3].map { Variable(Tensor.sample([5, 8], seed: $0), requiresGradient: $0 == 2) }
        let results = Variable.linear(together: weights.map { LinearSum([(x, .variable($0))], dtype: .float32) })
        #expect(results.map(\.requiresGradient) == [true, false])
        (results[0] * results[1]).sum().backward()
        let expected = results[1].value.transposed().matrixProduct(x.value)
        #expect(try #require(weights[0].gradient).error(from: expected) <= 1e-6)
    }
}
