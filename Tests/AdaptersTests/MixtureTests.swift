import Adapters
import Autograd
import Foundation
import NeuralNet
import TensorCore
import Testing

/// The mixture against the same sum written expert by expert, token by token.
@Suite struct MixtureTests {
    struct Case: CustomTestStringConvertible {
        var topK: Int
        var gate: RouterGate
        var renormalizes: Bool
        var input: RouterInput = .token
        var testDescription: String { "top-\(topK) \(gate) renormalizes \(renormalizes) \(input)" }

        var configuration: AdapterConfiguration {
            var result = Sample.configuration
            result[LoRAMoEMethod.self]?.routing = RoutingOptions(
                topK: topK, gate: gate, renormalizesWeights: renormalizes, input: input)
            return result
        }
    }

    static let cases =
        (1...3).flatMap { k in
            [
                Case(topK: k, gate: .softmaxBeforeTopK, renormalizes: false),
                Case(topK: k, gate: .softmaxBeforeTopK, renormalizes: true),
                Case(topK: k, gate: .softmaxAfterTopK, renormalizes: false),
            ]
        } + [
            Case(topK: 1, gate: .softmaxBeforeTopK, renormalizes: false, input: .tokenAndPooledText),
            Case(topK: 2, gate: .softmaxAfterTopK, renormalizes: false, input: .tokenAndPooledText),
        ]

    /// The sum in doubles, one expert after the other.
    private func oracle(_ mixture: LoRAMoE, _ x: [Float], pooled: [Float]) -> [Double] {
        let (n, r) = (mixture.experts, mixture.rank)
        let (a, b) = (mixture.a.value.floats, mixture.b.value.floats)
        let route = mixture.router.weight.value.floats
        let pooledRoute = mixture.router.pooledWeight?.value.floats
        let width = x.count
        let output = mixture.b.value.shape[0]
        let logits = (0..<n).map { e -> Double in
            let token = (0..<width).reduce(0.0) { $0 + Double(route[e * width + $1]) * Double(x[$1]) }
            guard let pooledRoute else { return token }
            return token
                + (0..<pooled.count).reduce(0.0) {
                    $0 + Double(pooledRoute[e * pooled.count + $1]) * Double(pooled[$1])
                }
        }
        let options = mixture.router.options
        let chosen = Array((0..<n).sorted { logits[$0] > logits[$1] }.prefix(options.topK))
        let all = (0..<n).map { exp(logits[$0]) }.reduce(0, +)
        let kept = chosen.map { exp(logits[$0]) }.reduce(0, +)
        let divisor = options.gate == .softmaxAfterTopK || options.renormalizesWeights ? kept : all
        var y = [Double](repeating: 0, count: output)
        for e in chosen {
            let weight = exp(logits[e]) / divisor * Double(mixture.alpha) / Double(r)
            for j in 0..<r {
                let narrow = (0..<width).reduce(0.0) { $0 + Double(a[(e * r + j) * width + $1]) * Double(x[$1]) }
                for o in 0..<output { y[o] += weight * narrow * Double(b[o * n * r + e * r + j]) }
            }
        }
        return y
    }

    @Test(arguments: cases) func equalsTheSumOverExperts(_ given: Case) throws {
        let model = try TinyModel()
        let adapters = try Sample.adapters(given.configuration, in: model)
        let mixture = adapters.mixtures[0]
        #expect(mixture.experts == 3 && mixture.rank == 2 && mixture.router.options.topK == given.topK)
        let x = Sample.random(9, [2, 7, 10])
        let base = Sample.random(10, [2, 7, 8])
        let y = ForwardContext(pooledText: Sample.pooledText).run {
            mixture.adapt(Variable(base), input: Variable(x), at: model.blocks[0].second).value.floats
        }
        let (tokens, bases, pooled) = (x.floats, base.floats, Sample.pooledText.value.floats)
        var worst = 0.0
        for token in 0..<14 {
            let text = Array(pooled[token / 7 * 3..<token / 7 * 3 + 3])
            let expected = oracle(mixture, Array(tokens[token * 10..<token * 10 + 10]), pooled: text)
            for o in 0..<8 {
                worst = max(worst, abs(Double(bases[token * 8 + o]) + expected[o] - Double(y[token * 8 + o])))
            }
        }
        #expect(worst < 5e-6, "\(worst)")
    }

    @Test(arguments: cases) func gradientsFollowFiniteDifferences(_ given: Case) throws {
        let model = try TinyModel()
        let adapters = try Sample.adapters(given.configuration, in: model)
        model.pooledText = Sample.pooledText
        func run() -> (loss: Variable, load: [[Float]]) {
            let (output, side) = AuxiliaryOutputs.collecting { model(Sample.input) }
            let report = adapters.routingReport(side)
            let loss = output.meanSquaredError(Sample.target) + report.loadBalance * 0.3 + report.routerZ * 0.1
            return (loss, report.layers.map(\.load))
        }
        let (whole, load) = run()
        whole.backward()
        let gradients = adapters.parameters.map { $0.parameter.variable.gradient }
        for ((name, parameter), gradient) in zip(adapters.parameters, gradients) {
            let gradient = try #require(gradient, "\(name) has no gradient")
            // Along the gradient itself the slope is its norm: one number that every element takes part in.
            let norm = gradient.floats.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(norm > 0, "\(name)")
            let value = parameter.value
            // Nil when a token changes its experts on the way: the loss jumps there.
            func slope(_ step: Double) -> Double? {
                defer { parameter.replace(value) }
                let losses = [1.0, -1.0].compactMap { sign -> Double? in
                    parameter.replace(value + gradient * Float(sign * step / norm))
                    let (loss, shares) = withoutGradients { run() }
                    return shares == load ? Double(loss.value.scalar) : nil
                }
                return losses.count == 2 ? (losses[0] - losses[1]) / (2 * step) : nil
            }
            // Steps that move the loss by some thousandths, far above its rounding; smaller ones only near a jump.
            // Richardson's two steps cancel the third order.
            var step = min(2e-3 * Double(whole.value.scalar) / norm, 1e-2)
            var measured: Double?
            for _ in 0..<5 where measured == nil {
                if let one = slope(step), let two = slope(2 * step) { measured = (4 * one - two) / 3 }
                step /= 2
            }
            let found = try #require(measured, "\(name): a token changes its experts at every step")
            #expect(abs(found - norm) < 2e-3 * norm + 1e-3, "\(name): \(norm), measured \(found)")
        }
    }

    @Test func upstreamGateTeachesTheRouterNothing() throws {
        var configuration = Sample.configuration
        configuration[LoRAMoEMethod.self]?.routing.gate = .softmaxAfterTopK
        let model = try TinyModel()
        let adapters = try Sample.adapters(configuration, in: model)
        model(Sample.input).meanSquaredError(Sample.target).backward()
        for mixture in adapters.mixtures {
            #expect(mixture.router.weight.variable.gradient?.floats.allSatisfy { $0 == 0 } == true)
            #expect(mixture.b.variable.gradient?.floats.contains { $0 != 0 } == true)
        }
    }

    @Test func expertsThatAreNotChosenGetNoGradient() throws {
        let model = try TinyModel()
        let adapters = try Sample.adapters(Sample.configuration, in: model)
        let mixture = adapters.mixtures[0]
        // Expert 1 always wins by far: its router's row follows the token, the others are 0.
        let x = Tensor(full: [1, 4, 10], 1)
        var rows = [Float](repeating: 0, count: 30)
        for i in 10..<20 { rows[i] = 1 }
        mixture.router.weight.replace(Tensor(rows, [3, 10]))
        mixture.adapt(Variable(Tensor(zeros: [1, 4, 8])), input: Variable(x), at: model.blocks[0].second)
            .meanSquaredError(
                Tensor(full: [1, 4, 8], 1)
            )
            .backward()
        let slopes = try #require(mixture.a.variable.gradient).floats
        #expect(slopes[..<20].allSatisfy { $0 == 0 } && slopes[40...].allSatisfy { $0 == 0 })
        #expect(slopes[20..<40].contains { $0 != 0 })
    }

    @Test func bfloat16InputsAreRoutedInFloat32() throws {
        let model = try TinyModel(dtype: .bfloat16)
        let adapters = try Sample.adapters(Sample.configuration, in: model)
        let mixture = adapters.mixtures[0]
        let x = Sample.random(9, [2, 7, 10]).converted(to: .bfloat16)
        let base = Tensor(zeros: [2, 7, 8])
        let (wide, wideSide) = AuxiliaryOutputs.collecting {
            mixture.adapt(
                Variable(base), input: Variable(x.converted(to: .float32)), at: model.blocks[0].second
            ).value
        }
        let (narrow, narrowSide) = AuxiliaryOutputs.collecting {
            mixture.adapt(
                Variable(base.converted(to: .bfloat16)), input: Variable(x), at: model.blocks[0].second
            ).value
        }
        #expect(narrow.dtype == .bfloat16)
        // The router sees the same numbers, so its losses and shares are the same to the last bit.
        #expect(narrowSide[0].values.map(\.value.floats) == wideSide[0].values.map(\.value.floats))
        // The experts' two products are rounded to bfloat16 on the way.
        let error = (narrow.converted(to: .float32) - wide).applying(.square).sum().scalar.squareRoot()
        let size = wide.applying(.square).sum().scalar.squareRoot()
        #expect(error > 0 && error <= 0.01 * size, "relative error \(error / size)")
        let whole = model(Variable(Sample.input.value.converted(to: .bfloat16)))
        #expect(whole.dtype == .bfloat16)
        whole.meanSquaredError(Sample.target).backward()
        #expect(adapters.parameters.allSatisfy { $0.parameter.variable.gradient?.dtype == .float32 })
    }
}
