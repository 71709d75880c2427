import Autograd
import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct TapeTests {
    private func leaf(_ values: [Float]) -> Variable {
        Variable(Tensor(values, [values.count]), requiresGradient: true)
    }

    @Test func gradientsAccumulateOverBackwardCalls() throws {
        let x = leaf([1, 2, 3])
        for step in 1...3 {
            (x * x).sum().backward()
            let gradient = try #require(x.gradient)
            #expect(gradient.floats == [2, 4, 6].map { $0 * Float(step) })
        }
        x.clearGradient()
        #expect(x.gradient == nil)
        x.sum().backward()
        #expect(x.gradient?.floats == [1, 1, 1])
    }

    @Test func aVariableUsedTwiceGetsBothShares() {
        let x = leaf([1, -2])
        (x + x * 3 - x * x).sum().backward()
        #expect(x.gradient?.floats == [2, 8])
        let y = leaf([3])
        (y * y).backward()
        #expect(y.gradient?.floats == [6])
    }

    @Test func diamondsRunEveryOperationOnce() {
        // 2^40 paths from x to the end: only an order of operations makes this finish.
        let x = leaf([1])
        var y = x
        for _ in 0..<40 { y = (y + y) * 0.5 + y.affine(scale: 0) }
        y.backward()
        #expect(x.gradient?.floats == [1])
        // A branch that is made early and used late.
        let z = leaf([2])
        let early = z * z
        let late = (z * 3 + 1) * early
        (late + early).backward()
        // 3 z^3 + 2 z^2 in sum: 9 z^2 + 4 z.
        #expect(z.gradient?.floats == [44])
    }

    @Test func aLeafOfItsOwn() {
        let x = leaf([5])
        x.backward()
        x.backward(seed: Tensor([2] as [Float], [1]))
        #expect(x.gradient?.floats == [3])
        #expect(x.isLeaf && !(x * 2).isLeaf)
    }

    @Test func seedsReplaceTheLoss() {
        let x = leaf([1, 2])
        (x * x).backward(seed: Tensor([10, 100] as [Float], [2]))
        #expect(x.gradient?.floats == [20, 400])
    }

    @Test func nothingIsRecordedWithoutGradients() {
        let x = leaf([1, 2])
        let y = withoutGradients { x * x }
        #expect(!y.requiresGradient && y.isLeaf)
        #expect(y.value.floats == [1, 4])
        let z = y * x
        #expect(z.requiresGradient)
        z.sum().backward()
        #expect(x.gradient?.floats == [1, 4])
        let constant = Variable(Tensor(3)) * Variable(Tensor(2))
        #expect(!constant.requiresGradient && constant.isLeaf)
        #expect(!(x * x).detached().requiresGradient)
    }

    @Test func aGradientCanBeReplaced() {
        let x = leaf([1, 2])
        x.sum().backward()
        x.setGradient(Tensor([7, 8] as [Float], [2]))
        #expect(x.gradient?.floats == [7, 8])
        x.setGradient(nil)
        #expect(x.gradient == nil)
    }

    @Test func oneOfSeveralResultsIsEnough() {
        let x = leaf([1, 2, 3, 4])
        let parts = x.split(into: 2, axis: 0)
        (parts[1] * parts[1]).sum().backward()
        #expect(x.gradient?.floats == [0, 0, 6, 8])
    }

    /// A linear layer gives its weight a `float32` gradient, other operations one in the weight's own type.
    @Test func gradientsOfTwoTypesMeet() throws {
        let half = Tensor.sample([3, 4], seed: 1).converted(to: .bfloat16)
        let input = Variable(Tensor.sample([2, 4], seed: 2).converted(to: .bfloat16))
        let w = Variable(half, requiresGradient: true)
        // A leaf: both kinds are summed in float32.
        (input.linear(weight: w).sum() + w.sum()).backward()
        let direct = try #require(w.gradient)
        #expect(direct.dtype == .float32)
        // A result in between: gradients come in its own type, whatever the operations behind it.
        let master = Variable(half.converted(to: .float32), requiresGradient: true)
        let cast = master.converted(to: .bfloat16)
        let scaled = cast * Variable(Tensor(full: [1], 1, dtype: .bfloat16))
        (input.linear(weight: scaled).sum() + scaled.sum() + cast.sum() + input.linear(weight: cast).sum()).backward()
        let sum = try #require(master.gradient)
        #expect(sum.dtype == .float32)
        #expect(sum.error(from: direct * 2) <= 0.02)
    }

    /// A `float32` parameter used in bfloat16 keeps the full precision of its gradient.
    @Test func castParametersKeepTheirPrecision() throws {
        let master = Variable(Tensor.sample([3, 4], seed: 1), requiresGradient: true)
        let input = Tensor.sample([257, 4], seed: 2).converted(to: .bfloat16)
        let output = Variable(input).linear(weight: master.converted(to: .bfloat16))
        output.backward(seed: Tensor(full: output.shape, 1, dtype: .bfloat16))
        let expected = input.converted(to: .float32).sum(axes: [0], keepingAxes: true).expanded(to: [3, 4])
        #expect(try #require(master.gradient).error(from: expected) <= 1e-6)
    }

    @Test func backwardTwiceThroughOneTapeIsRefused() async {
        await #expect(processExitsWith: .failure) {
            let x = Variable(Tensor(3), requiresGradient: true)
            let y = x * x
            y.backward()
            // Reached by every healthy tape; what follows must end the process otherwise.
            guard x.gradient?.scalar == 6 else { exit(0) }
            y.backward()
        }
    }

    @Test func backwardFromAConstantIsRefused() async {
        await #expect(processExitsWith: .failure) { (Variable(Tensor(3)) * 2).backward() }
        await #expect(processExitsWith: .failure) {
            Variable(Tensor(zeros: [2]), requiresGradient: true).backward()
        }
    }

    /// Sums of gradients are written over what nobody else can see, and over nothing else.
    @Test func gradientsAreAddedInPlaceWhereNobodySees() throws {
        let weight = leaf([1, 2, 3])
        func step() { (weight * weight).sum().backward() }
        step()
        let place = try ObjectIdentifier(#require(weight.gradient).storage)
        step()
        #expect(try ObjectIdentifier(#require(weight.gradient).storage) == place)
        #expect(weight.gradient?.floats == [4, 8, 12])
        // Held by somebody: left as it is.
        let held = try #require(weight.gradient)
        step()
        #expect(held.floats == [4, 8, 12] && weight.gradient?.floats == [6, 12, 18])
        #expect(weight.gradient?.storage !== held.storage)
    }

    @Test func sharedAndLentGradientsAreNeverWritten() throws {
        // One tensor is the gradient of both leaves, and the caller's.
        let (a, b) = (leaf([1, 2]), leaf([3, 4]))
        let seed = Tensor([10, 100] as [Float], [2])
        for count in 1...3 {
            (a + b).backward(seed: seed)
            #expect(seed.floats == [10, 100])
            let expected = [10, 100].map { Float(count) * $0 }
            #expect(a.gradient?.floats == expected && b.gradient?.floats == expected)
        }
        // Both shares of one value are the same tensor.
        let c = leaf([1, 1])
        let twice = c.affine(scale: 1)
        (twice + twice).backward(seed: seed)
        #expect(seed.floats == [10, 100] && c.gradient?.floats == [20, 200])
        // A broadcast view, whose elements are one.
        let d = leaf([1, 2, 3])
        (d.sum() + d.sum()).backward()
        d.sum().backward()
        #expect(d.gradient?.floats == [3, 3, 3])
        // A view into a larger tensor that somebody holds.
        let whole = Tensor([1, 2, 3, 4] as [Float], [4])
        let e = leaf([0, 0])
        e.backward(seed: whole.sliced(axis: 0, 1..<3))
        e.backward(seed: whole.sliced(axis: 0, 1..<3))
        #expect(whole.floats == [1, 2, 3, 4] && e.gradient?.floats == [4, 6])
    }

    @Test func gradientsOfSixteenBitsMeetInPlaceToo() {
        let x = Variable(Tensor.sample([33], seed: 1).converted(to: .bfloat16), requiresGradient: true)
        let branches = x.affine(scale: 1)
        let y = branches.affine(scale: 2) + branches.affine(scale: 3) + branches * branches
        y.backward(seed: Tensor(full: [33], 1, dtype: .bfloat16))
        let expected = x.value.floats.map { Double(5 + 2 * $0) }
        #expect(x.gradient?.dtype == .bfloat16)
        #expect(x.gradient?.error(from: expected) ?? 1 <= 1e-2)
    }

    @Test func parametersAreUpdatedInPlaceUnlessSomebodyLooks() {
        let parameter = Parameter(Tensor([1, 2] as [Float], [2]), isTrained: true)
        let place = ObjectIdentifier(parameter.value.storage)
        parameter.update { $0.accumulate(Tensor([1, 1] as [Float], [2])) }
        #expect(ObjectIdentifier(parameter.value.storage) == place && parameter.value.floats == [2, 3])
        let snapshot = parameter.value
        parameter.update { $0.accumulate(Tensor([1, 1] as [Float], [2])) }
        #expect(snapshot.floats == [2, 3] && parameter.value.floats == [3, 4])
        let recorded = parameter.variable * 2
        parameter.update { $0.accumulate(Tensor([1, 1] as [Float], [2])) }
        #expect(parameter.value.floats == [4, 5])
        recorded.backward(seed: Tensor(full: [2], 1))
        #expect(parameter.variable.gradient == nil)
    }
}
