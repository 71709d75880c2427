import Autograd
import Optimizers
import TensorCore
import Testing

@Suite struct OptimizerStateTests {
    static let makers: [(name: String, make: @Sendable () -> any Optimizer)] = [
        ("AdamW", { AdamW() }), ("Prodigy", { Prodigy(.init(weightDecay: 0.01, initialD: 1e-3)) }),
    ]

    @Test(arguments: 0..<2) func resumedRunContinuesBitForBit(_ which: Int) throws {
        let (straight, first) = (LeastSquares(), Self.makers[which].make())
        for _ in 0..<4 { straight.step(first, learningRate: 0.5) }
        let state = first.state
        let values = straight.parameters.map(\.parameter.value)
        for _ in 0..<4 { straight.step(first, learningRate: 0.5) }

        // The state and the values taken after step 4 have not moved with steps 5 to 8.
        let (resumed, second) = (LeastSquares(), Self.makers[which].make())
        for (entry, value) in zip(resumed.parameters, values) { entry.parameter.replace(value) }
        try second.restore(state, for: resumed.parameters)
        #expect(second.stepCount == 4)
        for _ in 0..<4 { resumed.step(second, learningRate: 0.5) }
        #expect(resumed.values.map(\.bitPattern) == straight.values.map(\.bitPattern))
        #expect(second.state.scalars == first.state.scalars)
        #expect(second.state.tensors.map(\.name) == first.state.tensors.map(\.name))
        for (a, b) in zip(first.state.tensors, second.state.tensors) { #expect(a.tensor.floats == b.tensor.floats) }
    }

    @Test(arguments: 0..<2) func retainedTapeKeepsItsValues(_ which: Int) {
        let problem = LeastSquares()
        let optimizer = Self.makers[which].make()
        let weight = problem.weight.variable
        let before = weight.value.floats
        let retained = problem.loss()
        problem.step(optimizer, learningRate: 0.5)
        #expect(problem.weight.value.floats != before)
        #expect(problem.weight.variable.gradient == nil)

        weight.clearGradient()
        retained.backward()
        let fresh = LeastSquares()
        fresh.loss().backward()
        #expect(weight.gradient?.floats == fresh.weight.variable.gradient?.floats)
    }

    @Test func noGradientNoStep() {
        let problem = LeastSquares()
        let before = problem.values
        let prodigy = Prodigy()
        prodigy.update(problem.parameters, learningRate: 1)
        #expect(prodigy.stepCount == 0)
        AdamW().update(problem.parameters, learningRate: 1)
        #expect(problem.values == before)
        problem.step(Prodigy(), learningRate: 0)
        #expect(problem.values == before)
    }

    @Test func statesThatDoNotFit() throws {
        let problem = LeastSquares()
        let (adam, prodigy) = (AdamW(), Prodigy())
        problem.step(adam, learningRate: 0.1)
        problem.step(prodigy, learningRate: 1)
        func message(_ optimizer: any Optimizer, _ change: (inout OptimizerState) -> Void) -> String {
            var state = optimizer.state
            change(&state)
            let before = optimizer.stepCount
            do {
                try optimizer.restore(state, for: problem.parameters)
                return "no error"
            } catch {
                #expect(optimizer.stepCount == before)
                return "\(error)"
            }
        }
        #expect(message(adam) { _ in } == "no error")
        #expect(
            message(adam) { $0 = prodigy.state }.hasPrefix("optimizer state, d: expected step, found a number more"))
        #expect(message(prodigy) { $0 = adam.state } == "optimizer state, d: expected a number, found none")
        #expect(
            message(adam) { $0.scalars = ["step": 1.5] }.contains("step: expected a whole number from 0 on, found 1.5"))
        #expect(message(prodigy) { $0.scalars["d"] = .nan }.contains("d: expected a finite number, found nan"))
        #expect(message(prodigy) { $0.scalars["d"] = 0 }.contains("d: expected a number above 0, found 0.0"))
        #expect(
            message(adam) { $0.tensors[0].tensor = Tensor(zeros: [3]) }
                == "optimizer state, first/w: expected float32 [2, 3], found float32 [3]")
        #expect(message(adam) { $0.tensors[0].name = "first/v" }.contains("one of 3 parameters, found 'v'"))
        #expect(message(adam) { $0.tensors[0].name = "third/w" }.contains("'first/…' or 'second/…'"))
        #expect(message(adam) { $0.tensors.removeFirst() } == "optimizer state, first/w: expected a tensor, found none")
        #expect(message(adam) { $0.tensors.append($0.tensors[0]) }.contains("expected each tensor once"))
    }
}
