import Autograd
import Optimizers
import TensorCore
import Testing

@Suite struct ExponentialMovingAverageTests {
    private struct Stop: Error {}

    private func parameter(_ value: Float) -> Parameter { Parameter(Tensor([value], [1]), isTrained: true) }

    @Test func followsTheFormula() {
        let p = parameter(1)
        let average = ExponentialMovingAverage(decay: 0.9, usesWarmup: false)
        average.update([("p", p)])
        p.replace(Tensor([3] as [Float], [1]))
        average.update([("p", p)])
        average.withAverages(of: [("p", p)]) { #expect(abs(p.value.scalar - 1.2) < 1e-6) }
        #expect(p.value.scalar == 3)
    }

    @Test func warmupForgetsEarlyValues() {
        let p = parameter(0)
        let average = ExponentialMovingAverage(decay: 0.999)
        average.update([("p", p)])
        p.replace(Tensor([1] as [Float], [1]))
        average.update([("p", p)])
        // Update 1 keeps 2 / 11 of the old average.
        average.withAverages(of: [("p", p)]) { #expect(abs(p.value.scalar - 9 / 11) < 1e-6) }
    }

    @Test func putsValuesBackAfterAnError() {
        let p = parameter(1)
        let average = ExponentialMovingAverage(decay: 0.5, usesWarmup: false)
        average.update([("p", p)])
        p.replace(Tensor([5] as [Float], [1]))
        #expect(throws: Stop.self) { try average.withAverages(of: [("p", p)]) { throw Stop() } }
        #expect(p.value.scalar == 5 && p.isTrained)
    }

    @Test func snapshotsStayAndComeBack() throws {
        let p = parameter(1)
        let entries = [(name: "p", parameter: p)]
        let average = ExponentialMovingAverage(decay: 0.5)
        average.update(entries)
        let state = average.state
        p.replace(Tensor([2] as [Float], [1]))
        average.update(entries)
        #expect(state.tensors[0].tensor.floats == [1])

        let resumed = ExponentialMovingAverage(decay: 0.5)
        try resumed.restore(state, for: entries)
        resumed.update(entries)
        #expect(resumed.state.tensors[0].tensor.floats == average.state.tensors[0].tensor.floats)
        #expect(resumed.updateCount == 2)
        #expect(throws: OptimizerStateError.self) { try resumed.restore(state, for: []) }
    }
}
