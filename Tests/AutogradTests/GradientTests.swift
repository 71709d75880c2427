import Autograd
import TensorCore
import TestSupport
import Testing

/// Every row of the table of differentiable operations against finite differences and against itself in other guises.
@Suite struct GradientTests {
    static let table = DifferentiableOperation.table

    /// What one run of an operation gives: its results, and the gradients of its inputs under a random projection.
    private struct Run {
        var results: [Tensor]
        var gradients: [Tensor?]
    }

    private func samples(_ operation: DifferentiableOperation) -> [Tensor] {
        operation.inputs.enumerated().map { $0.element.sample(seed: UInt64($0.offset + 1)) }
    }

    /// The fixed random weights that turn results into one number.
    private func weights(_ results: [Tensor]) -> [Tensor] {
        results.enumerated().map { .sample($0.element.shape, seed: UInt64(200 + $0.offset)) }
    }

    private func run(_ operation: DifferentiableOperation, _ inputs: [Tensor], frozen: Set<Int> = []) -> Run {
        let variables = inputs.enumerated().map { Variable($0.element, requiresGradient: !frozen.contains($0.offset)) }
        let results = operation.apply(variables)
        let values = results.map(\.value)
        let loss = zip(results, weights(values)).map { result, weight in
            (result * Variable(weight.converted(to: result.dtype))).converted(to: .float32).sum()
        }.reduce(Variable(Tensor(0))) { $0 + $1 }
        if loss.requiresGradient { loss.backward() }
        return Run(results: values, gradients: variables.map(\.gradient))
    }

    @Test(arguments: table) func finiteDifferences(operation: DifferentiableOperation) throws {
        let inputs = samples(operation)
        let check = GradientCheck(inputs, operation.apply)
        for (index, input) in inputs.enumerated() {
            let gradient = try #require(check.gradients[index])
            #expect(gradient.shape == input.shape && gradient.dtype == .float32)
            #expect(check.errors[index] <= operation.tolerance, "input \(index): \(check.errors[index])")
        }
    }

    @Test(arguments: table, Layout.allCases.filter { $0 != .dense })
    func stridedViews(operation: DifferentiableOperation, layout: Layout) throws {
        let inputs = samples(operation)
        let dense = run(operation, inputs)
        let viewed = run(operation, inputs.map { $0.laidOut(layout) })
        for (a, b) in zip(dense.results, viewed.results) { #expect(b.error(from: a) <= 1e-5) }
        for (a, b) in zip(dense.gradients, viewed.gradients) {
            #expect(try #require(b).error(from: #require(a)) <= 1e-5)
        }
    }

    /// Freezing some inputs gives them no gradient and changes no bit of the others'.
    @Test(arguments: table) func frozenInputs(operation: DifferentiableOperation) throws {
        let inputs = samples(operation)
        let all = run(operation, inputs)
        for bits in 1..<(1 << inputs.count) {
            let frozen = Set(inputs.indices.filter { bits >> $0 & 1 == 1 })
            let some = run(operation, inputs, frozen: frozen)
            for index in inputs.indices {
                if frozen.contains(index) {
                    #expect(some.gradients[index] == nil)
                } else {
                    #expect(try #require(some.gradients[index]).isIdentical(to: #require(all.gradients[index])))
                }
            }
        }
        let constants = operation.apply(inputs.map { Variable($0) })
        #expect(!constants.contains { $0.requiresGradient })
    }

    @Test(arguments: table) func bfloat16(operation: DifferentiableOperation) throws {
        let half = samples(operation).map { $0.converted(to: .bfloat16) }
        let exact = run(operation, half.map { $0.converted(to: .float32) })
        let rounded = run(operation, half)
        for (a, b) in zip(exact.results, rounded.results) {
            let error = b.error(from: a)
            #expect(error <= operation.halfTolerance, "result: \(error)")
        }
        for (index, (a, b)) in zip(exact.gradients, rounded.gradients).enumerated() {
            let gradient = try #require(b)
            // A parameter's gradient may come in float32.
            #expect(gradient.dtype == .bfloat16 || gradient.dtype == .float32)
            let error = gradient.error(from: try #require(a))
            #expect(error <= operation.halfTolerance, "input \(index): \(error)")
        }
    }

    @Test func theTableCoversEveryOperation() throws {
        let coverage = try coverage(of: Self.table.map(\.covers), in: "Autograd/Operations", atLeast: 31)
        #expect(coverage.withoutRow == [] && coverage.gone == [])
        for operation in UnaryOperation.allCases {
            #expect(Self.table.contains { $0.name == operation.rawValue }, "\(operation) without a row")
        }
    }

    @Test func rowsOfMinusInfinityGiveZeros() throws {
        let values: [Float] = [-.infinity, -.infinity, 1, -.infinity]
        let x = Variable(Tensor(values, [2, 2]), requiresGradient: true)
        let y = x.logSumExp()
        #expect(y.value.floats == [-.infinity, 1])
        y.sliced(axis: 0, 1..<2).backward()
        #expect(try #require(x.gradient).floats == [0, 0, 1, 0])
    }

    @Test func kinksHaveTheUsualSlopes() throws {
        let x = Variable(Tensor([0, -1, 1] as [Float], [3]), requiresGradient: true)
        (x.applying(.relu) + x.applying(.absolute)).sum().backward()
        #expect(try #require(x.gradient).floats == [0, -1, 2])
    }
}
