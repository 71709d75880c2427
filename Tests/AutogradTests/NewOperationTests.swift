import Autograd
import TensorCore
import TestSupport
import Testing

/// Operations from outside the library, and the check of their adjoints.
@Suite struct NewOperationTests {
    private func softplus(_ x: Variable, slope: @escaping (Tensor) -> Tensor) -> Variable {
        let value = x.value
        let result = (value.applying(.exponential) + 1).applying(.logarithm)
        return .operation(result, of: [x]) { [$0 * slope(value)] }
    }

    @Test func aRightAdjointPasses() throws {
        let x = Tensor.sample([3, 4], seed: 1)
        let check = GradientCheck([x]) { [softplus($0[0]) { $0.applying(.sigmoid) }] }
        #expect(check.largestError < 1e-3, "\(check.errors)")
        // It takes part in larger expressions as any other.
        let variable = Variable(x, requiresGradient: true)
        (softplus(variable) { $0.applying(.sigmoid) } * 2).sum().backward()
        let expected = (x.applying(.sigmoid) * 2).floats.map { Double($0) }
        #expect(try #require(variable.gradient).error(from: expected) < 1e-6)
    }

    @Test func aWrongAdjointDoesNot() {
        let x = Tensor.sample([3, 4], seed: 1)
        #expect(GradientCheck([x]) { [softplus($0[0]) { $0.applying(.sigmoid) * 1.05 }] }.largestError > 0.01)
        #expect(GradientCheck([x]) { [softplus($0[0]) { $0.applying(.sigmoid) * .nan }] }.largestError == .infinity)
        // A constant gives no gradient at all.
        #expect(GradientCheck([x]) { [Variable($0[0].value)] }.largestError == .infinity)
    }

    @Test func aConstantKeepsNothing() {
        let result = softplus(Variable(Tensor.sample([2], seed: 1))) { $0.applying(.sigmoid) }
        #expect(!result.requiresGradient)
    }
}
