import Autograd
import TensorCore
import TestSupport
import Testing

@Suite struct CheckpointTests {
    /// Two layers with a residual; hands the mean square of its hidden values over.
    private final class Block {
        let weights: [Variable]

        init(seed: UInt64) {
            weights = (0..<2).map {
                Variable(Tensor.sample([8, 8], seed: seed + UInt64($0)) * 0.3, requiresGradient: true)
            }
        }

        func callAsFunction(_ x: Variable) -> Variable {
            let hidden = x.rmsNorm(epsilon: 1e-6).linear(weight: weights[0]).applying(.silu)
            AuxiliaryOutputs.emit("block", [(hidden * hidden).mean(), hidden.mean(axes: [0])])
            return x + hidden.linear(weight: weights[1])
        }
    }

    private struct Outcome {
        var loss: Tensor
        var gradients: [Tensor]
    }

    /// The loss and the gradients of three blocks run by `step`, with the auxiliary outputs in the loss if `usesSide`.
    private func outcome(usesSide: Bool, _ step: (Block, Variable) -> Variable) throws -> Outcome {
        let blocks = [10, 20, 30].map { Block(seed: $0) }
        let input = Variable(Tensor.sample([5, 8], seed: 1), requiresGradient: true)
        let (output, side) = AuxiliaryOutputs.collecting { blocks.reduce(input) { step($1, $0) } }
        try #require(side.map(\.name) == ["block", "block", "block"])
        var loss = output.meanSquaredError(Tensor.sample([5, 8], seed: 2))
        if usesSide { for entry in side { loss = loss + entry.values[0] + entry.values[1].sum() * 0.1 } }
        loss.backward()
        let leaves = [input] + blocks.flatMap(\.weights)
        return Outcome(loss: loss.value, gradients: try leaves.map { try #require($0.gradient) })
    }

    private func expectIdentical(_ a: Outcome, _ b: Outcome) {
        #expect(a.loss.isIdentical(to: b.loss))
        for (x, y) in zip(a.gradients, b.gradients) { #expect(x.isIdentical(to: y)) }
    }

    @Test(arguments: [false, true]) func gradientsAreBitIdentical(usesSide: Bool) throws {
        let direct = try outcome(usesSide: usesSide) { $0($1) }
        let saved = try outcome(usesSide: usesSide) { block, x in checkpoint([x]) { [block($0[0])] }[0] }
        expectIdentical(direct, saved)
    }

    @Test(arguments: [false, true]) func nestedCheckpoints(usesSide: Bool) throws {
        let direct = try outcome(usesSide: usesSide) { $0($1) }
        let nested = try outcome(usesSide: usesSide) { block, x in
            checkpoint([x]) { outer in [checkpoint([outer[0]]) { [block($0[0])] }[0]] }[0]
        }
        expectIdentical(direct, nested)
    }

    @Test func onlyTheAuxiliaryOutputsInTheLoss() throws {
        func gradients(_ step: (Block, Variable) -> Variable) throws -> [Tensor?] {
            let block = Block(seed: 5)
            let input = Variable(Tensor.sample([5, 8], seed: 1))
            let (_, side) = AuxiliaryOutputs.collecting { step(block, input) }
            try #require(side.first).values[0].backward()
            return block.weights.map(\.gradient)
        }
        let direct = try gradients { $0($1) }
        let saved = try gradients { block, x in checkpoint([x]) { [block($0[0])] }[0] }
        #expect(direct[1] == nil && saved[1] == nil)
        #expect(try #require(saved[0]).isIdentical(to: #require(direct[0])))
        #expect(try #require(saved[0]).applying(.absolute).sum().scalar > 0)
    }

    @Test func severalInputsAndResults() throws {
        func run(_ usesCheckpoint: Bool) throws -> [Tensor] {
            let a = Variable(Tensor.sample([3, 4], seed: 1), requiresGradient: true)
            let b = Variable(Tensor.sample([3, 4], seed: 2), requiresGradient: true)
            let frozen = Variable(Tensor.sample([3, 4], seed: 3))
            let body: ([Variable]) -> [Variable] = { [$0[0] * $0[1], $0[1] / ($0[2] + 4), $0[2] * 2] }
            let results = usesCheckpoint ? checkpoint([a, b, frozen], body) : body([a, b, frozen])
            (results[0].sum() + (results[1] * results[2]).sum()).backward()
            #expect(frozen.gradient == nil)
            return [try #require(a.gradient), try #require(b.gradient)]
        }
        for (direct, saved) in zip(try run(false), try run(true)) { #expect(direct.isIdentical(to: saved)) }
    }

    @Test func aResultThatIsAnInput() {
        let x = Variable(Tensor(2), requiresGradient: true)
        let results = checkpoint([x]) { [$0[0], $0[0] * $0[0]] }
        (results[0] + results[1]).backward()
        #expect(x.gradient?.scalar == 5)
    }

    @Test func withoutGradientsTheBodyRunsOnce() {
        var runs = 0
        let x = Variable(Tensor(2), requiresGradient: true)
        let y = withoutGradients {
            checkpoint([x]) {
                runs += 1
                return [$0[0] * 3]
            }
        }
        #expect(runs == 1 && y[0].value.scalar == 6 && !y[0].requiresGradient)
    }

    @Test func theBodyKnowsWhetherSomebodyCollects() {
        for collects in [false, true] {
            var seen: [Bool] = []
            let x = Variable(Tensor(2), requiresGradient: true)
            func run() {
                let y = checkpoint([x]) {
                    seen.append(AuxiliaryOutputs.isCollecting)
                    return [$0[0] * 3]
                }
                y[0].backward()
            }
            if collects { _ = AuxiliaryOutputs.collecting(run) } else { run() }
            #expect(seen == [collects, collects])
        }
    }

    /// A gated residual layer, as at the end of a transformer's block.
    private func gatedLayer(_ x: Variable, gate: Variable, weight: Variable) -> Variable {
        x.addingGated(x.applying(.silu).linear(weight: weight), gate: gate)
    }

    @Test(arguments: [false, true], [false, true])
    func theEndOfABlock(trainsGate: Bool, trainsWeight: Bool) throws {
        func run(_ usesCheckpoint: Bool) throws -> (gradients: [Tensor], products: Int) {
            let x = Variable(Tensor.sample([2, 3, 8], seed: 1), requiresGradient: true)
            let gate = Variable(Tensor.sample([2, 1, 8], seed: 2), requiresGradient: trainsGate)
            let weight = Variable(Tensor.sample([8, 8], seed: 3), requiresGradient: trainsWeight)
            let body: ([Variable]) -> [Variable] = { [gatedLayer($0[0], gate: $0[1], weight: weight)] }
            let profile = Profile()
            profile.record {
                let y = (usesCheckpoint ? checkpoint([x, gate], body) : body([x, gate]))[0]
                y.meanSquaredError(Tensor(zeros: [2, 3, 8])).backward()
            }
            let products = profile.sorted.filter { $0.name == "matrix product" }.reduce(0) { $0 + $1.entry.calls }
            return ([x, gate, weight].compactMap(\.gradient), products)
        }
        let (direct, saved) = (try run(false), try run(true))
        #expect(direct.gradients.count == saved.gradients.count)
        for (a, b) in zip(direct.gradients, saved.gradients) { #expect(a.isIdentical(to: b)) }
        // The layer's result is wanted again by the gate's gradient alone.
        #expect(saved.products - direct.products == (trainsGate ? 1 : 0))
    }
}
