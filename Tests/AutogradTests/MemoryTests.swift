import Autograd
import Foundation
import TensorCore
import TestSupport
import Testing

/// What the tape keeps and when it lets go. Each test runs in a process of its own, where nothing else allocates: the
/// account is one for the whole process.
@Suite struct MemoryTests {
    @Test func aTrainingStepLeavesNothing() async {
        await #expect(processExitsWith: .success) {
            let step = TrainingStep()
            // The first run makes what is made once.
            step.run(usesCheckpoint: false)
            let (blocks, bytes) = (MemoryAccount.currentBlocks, MemoryAccount.currentBytes)
            for usesCheckpoint in [false, true, false] {
                step.run(usesCheckpoint: usesCheckpoint)
                #expect(MemoryAccount.currentBlocks == blocks)
                #expect(MemoryAccount.currentBytes == bytes)
            }
        }
    }

    @Test func aForwardPassWithoutBackwardLeavesNothing() async {
        await #expect(processExitsWith: .success) {
            let step = TrainingStep()
            _ = step.loss(usesCheckpoint: false)
            let blocks = MemoryAccount.currentBlocks
            for usesCheckpoint in [false, true] {
                _ = step.loss(usesCheckpoint: usesCheckpoint)
                #expect(MemoryAccount.currentBlocks == blocks)
            }
        }
    }

    @Test func valuesThatNoAdjointNeedsAreReleased() async {
        await #expect(processExitsWith: .success) {
            let weight = Variable(Tensor.sample([16, 16], seed: 1))
            let shift = Variable(Tensor.sample([16], seed: 2), requiresGradient: true)
            let x = Variable(Tensor.sample([4, 16], seed: 3), requiresGradient: true)
            var y = x.linear(weight: weight) + shift
            let blocks = MemoryAccount.currentBlocks
            for _ in 0..<50 { y = (y.linear(weight: weight) + shift) * 0.5 }
            // Fifty frozen layers keep nothing but the newest value.
            #expect(MemoryAccount.currentBlocks == blocks)
            y.sum().backward()
            #expect(x.gradient != nil && shift.gradient != nil)
        }
    }

    @Test func backwardReleasesWhatItHasUsed() async {
        await #expect(processExitsWith: .success) {
            let x = Variable(Tensor.sample([8], seed: 1), requiresGradient: true)
            let probe = Probe()
            var y = x
            for _ in 0..<10 { y = y.applying(.tanh) }
            // The body runs again in the middle of the backward pass.
            y =
                checkpoint([y]) {
                    probe.blocks.append(MemoryAccount.currentBlocks)
                    return [$0[0] * 2]
                }[0]
            for _ in 0..<30 { y = y.applying(.tanh) }
            let loss = y.sum()
            let before = MemoryAccount.currentBlocks
            loss.backward()
            #expect(probe.blocks.count == 2)
            // The thirty values saved after the checkpoint are gone, save for a gradient or two in flight.
            #expect(before - probe.blocks[1] >= 27)
            // The loss still lives and holds nothing of the way to it: its value, the last value, the gradient of x.
            #expect(MemoryAccount.currentBlocks <= 5)
            #expect(loss.value.count == 1 && x.gradient != nil)
        }
    }

    @Test func aCheckpointSavesItsInputsAlone() async {
        await #expect(processExitsWith: .success) {
            let x = Variable(Tensor.sample([8], seed: 1), requiresGradient: true)
            let blocks = MemoryAccount.currentBlocks
            let y = checkpoint([x]) { inputs in [(0..<20).reduce(inputs[0]) { y, _ in y.applying(.tanh) }] }
            #expect(MemoryAccount.currentBlocks == blocks + 1)
            y[0].sum().backward()
            #expect(x.gradient != nil)
        }
    }

    // A recursive release overflows the stack here.
    @Test func longChainsRunBackwards() async {
        await #expect(processExitsWith: .success) {
            let x = Variable(Tensor(1), requiresGradient: true)
            var y = x
            for _ in 0..<200_000 { y = y + 1 }
            y.backward()
            #expect(x.gradient?.scalar == 1)
        }
    }

    @Test func longChainsAreReleasedUnused() async {
        await #expect(processExitsWith: .success) {
            let blocks = MemoryAccount.currentBlocks
            do {
                let x = Variable(Tensor(1), requiresGradient: true)
                var y = x
                // Two links to each operation, so that the chain also branches.
                for _ in 0..<200_000 { y = y + y }
                #expect(y.requiresGradient)
            }
            #expect(MemoryAccount.currentBlocks == blocks)
        }
    }
}

/// Numbers seen from inside a body.
private final class Probe {
    var blocks: [Int] = []
}

/// One step of a small block with attention, trained in all its weights.
private struct TrainingStep {
    let weights: [Variable]
    let scale: Variable
    let input = Tensor.sample([2, 6, 8], seed: 1)
    let target = Tensor.sample([2, 6, 8], seed: 2)

    init() {
        weights = (0..<6).map { Variable(Tensor.sample([8, 8], seed: 10 + $0) * 0.3, requiresGradient: true) }
        scale = Variable(Tensor(full: [8], 1), requiresGradient: true)
    }

    private func block(_ x: Variable) -> Variable {
        let normed = x.rmsNorm(weight: scale, epsilon: 1e-6)
        let heads = weights[0..<3].map { normed.linear(weight: $0).reshaped(to: [2, 6, 2, 4]) }
        let attended = Variable.attention(heads[0], heads[1], heads[2], options: AttentionOptions(scale: 0.5))
        let y = x + attended.reshaped(to: [2, 6, 8]).linear(weight: weights[3])
        return y + y.layerNorm(epsilon: 1e-6).linear(weight: weights[4]).applying(.geluTanh).linear(weight: weights[5])
    }

    func loss(usesCheckpoint: Bool) -> Variable {
        let x = Variable(input)
        let y = usesCheckpoint ? checkpoint([x]) { [block($0[0])] }[0] : block(x)
        return y.meanSquaredError(target)
    }

    func run(usesCheckpoint: Bool) {
        loss(usesCheckpoint: usesCheckpoint).backward()
        for leaf in weights + [scale] {
            #expect(leaf.gradient != nil)
            leaf.clearGradient()
        }
    }
}
