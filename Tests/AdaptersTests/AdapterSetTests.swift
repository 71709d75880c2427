import Adapters
import Autograd
import NeuralNet
import TensorCore
import TensorIO
import Testing

@Suite struct AdapterSetTests {
    @Test func freshAdaptersChangeNoBit() throws {
        for dtype in [DType.float32, .bfloat16] {
            let model = try TinyModel(dtype: dtype)
            let input = Variable(Sample.input.value.converted(to: dtype))
            let base = model(input).value.floats.map(\.bitPattern)
            for gate in RouterGate.allCases {
                var configuration = Sample.configuration
                configuration[LoRAMoEMethod.self]?.routing.gate = gate
                let adapters = try AdapterSet(injecting: configuration, into: model, seed: 42)
                #expect(model(input).value.floats.map(\.bitPattern) == base, "\(dtype) \(gate)")
                adapters.remove()
            }
        }
    }

    @Test func initialWeights() throws {
        let model = try TinyModel()
        let adapters = try AdapterSet(injecting: Sample.configuration, into: model, seed: 42)
        let names = adapters.parameters.map(\.name)
        #expect(
            names == [
                "x_embedder.lora_A.weight", "x_embedder.lora_B.weight", "blocks.0.attn.to_q.lora_A.weight",
                "blocks.0.attn.to_q.lora_B.weight", "blocks.0.ff.net.2.lora_A.weight",
                "blocks.0.ff.net.2.lora_B.weight",
                "blocks.0.ff.net.2.lora_route.weight", "blocks.1.attn.to_q.lora_A.weight",
                "blocks.1.attn.to_q.lora_B.weight", "blocks.1.ff.net.2.lora_A.weight",
                "blocks.1.ff.net.2.lora_B.weight",
                "blocks.1.ff.net.2.lora_route.weight",
            ])
        #expect(
            adapters.parameters.map(\.parameter.value.shape) == [
                [3, 6], [8, 3], [3, 8], [10, 3], [6, 10], [8, 6], [3, 10], [3, 8], [10, 3], [6, 10], [8, 6], [3, 10],
            ])
        let base = (6 * 8 + 8) + 2 * (8 * 10 + 10 + 10 * 8 + 8) + (8 * 5 + 5)
        let mixtures = 2 * (60 + 48 + 30)
        #expect(adapters.baseParameterCount == base && adapters.mixtureParameterCount == mixtures)
        #expect(adapters.parameterCount == 18 + 24 + 2 * (24 + 30) + mixtures)
        #expect(abs(adapters.shareOfBase - Double(adapters.parameterCount) / Double(base)) < 1e-12)
        for (name, parameter) in adapters.parameters where name.contains("lora_B") {
            #expect(parameter.value.floats.allSatisfy { $0 == 0 })
        }
        adapters.remove()

        // Deviations 1 / r and 0.02, over enough draws to tell.
        var wide = Sample.configuration
        wide[LoRAMethod.self]?.rank = 500
        wide[LoRAMoEMethod.self]?.experts = 200
        let many = try AdapterSet(injecting: wide, into: model, seed: 7)
        func deviation(_ name: String) -> Float {
            let values = many.parameters.first { $0.name == name }!.parameter.value.floats
            return (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
        }
        #expect(abs(deviation("x_embedder.lora_A.weight") * 500 - 1) < 0.1)
        #expect(abs(deviation("blocks.0.ff.net.2.lora_A.weight") * 2 - 1) < 0.1)
        #expect(abs(deviation("blocks.0.ff.net.2.lora_route.weight") / 0.02 - 1) < 0.1)
    }

    @Test func seedsDecide() throws {
        func weights(_ seed: UInt64) throws -> [[Float]] {
            try AdapterSet(injecting: Sample.configuration, into: try TinyModel(), seed: seed).parameters.map {
                $0.parameter.value.floats
            }
        }
        #expect(try weights(1) == weights(1))
        #expect(try weights(1) != weights(2))
    }

    @Test func strengthScales() throws {
        let model = try TinyModel()
        let base = model.blocks[0].second(Variable(Sample.random(8, [1, 3, 10]))).value
        let adapters = try Sample.adapters(Sample.configuration, in: model)
        func output(_ strength: Float) -> Tensor {
            adapters.strength = strength
            return model.blocks[0].second(Variable(Sample.random(8, [1, 3, 10]))).value
        }
        let full = output(1) - base
        #expect(largestDifference(output(0.5) - base, full * 0.5) < 1e-6)
        #expect(full.floats.contains { abs($0) > 0.1 })
        #expect(output(0).floats.map(\.bitPattern) == base.floats.map(\.bitPattern))
    }

    @Test func mixtureWinsOverLoRA() throws {
        var configuration = Sample.configuration
        configuration.rules[0].targets = ["*"]
        let adapters = try AdapterSet(injecting: configuration, into: try TinyModel(), seed: 1)
        #expect(adapters.members.map(\.name).count == 6)
        #expect(adapters.mixtures.map(\.layer) == ["blocks.0.ff.net.2", "blocks.1.ff.net.2"])
    }

    @Test func removalRestoresTheBase() throws {
        let model = try TinyModel()
        let base = model(Sample.input).value.floats
        let first = try Sample.adapters(Sample.configuration, in: model)
        let error = #expect(throws: AdapterError.self) {
            try AdapterSet(injecting: .init(LoRAMethod(), targets: ["proj_out", "x_embedder"]), into: model, seed: 1)
        }
        #expect("\(try #require(error))" == "adapters: expected layers without an adapter, found one at 'x_embedder'")
        #expect(model.exit.adapters.isEmpty)
        #expect(model(Sample.input).value.floats != base)
        first.remove()
        #expect(model(Sample.input).value.floats == base)

        // Removing an old set leaves a new one alone.
        let second = try Sample.adapters(Sample.configuration, in: model)
        first.remove()
        #expect(model(Sample.input).value.floats != base)
        second.remove()
    }

    @Test func pooledTextMovesTheRouting() throws {
        var configuration = Sample.configuration
        configuration[LoRAMoEMethod.self]?.routing.input = .tokenAndPooledText
        let model = try TinyModel()
        let adapters = try Sample.adapters(configuration, in: model)
        #expect(adapters.parameters.map(\.name).contains("blocks.0.ff.net.2.lora_route_pooled.weight"))
        func load(_ text: [Float]) -> [Float] {
            model.pooledText = Variable(Tensor(text + text, [2, 3]))
            let (_, side) = AuxiliaryOutputs.collecting { model(Sample.input) }
            return adapters.routingReport(side).layers[0].load
        }
        // A text far along one row of the pooled part sends every token to that expert.
        let rows = adapters.mixtures[0].router.pooledWeight!.value.floats
        #expect(load([0, 0, 0]) != load(Array(rows[3..<6]).map { $0 * 100 }))
        // With no text the router is the token's alone.
        let plain = try TinyModel()
        let same = try AdapterSet(injecting: Sample.configuration, into: plain, seed: 1)
        for (name, parameter) in same.parameters {
            parameter.replace(adapters.parameters.first { $0.name == name }!.parameter.value)
        }
        model.pooledText = Variable(Tensor(zeros: [2, 3]))
        #expect(largestDifference(model(Sample.input).value, plain(Sample.input).value) < 1e-6)
    }

    @Test func checkpointsRestoreParameters() throws {
        let model = try TinyModel()
        let adapters = try Sample.adapters(Sample.configuration, in: model)
        let output = model(Sample.input).value.floats
        var archive = MemoryArchive(
            path: "step-10.h5", tensors: adapters.parameters.map { ("adapters/" + $0.name, $0.parameter.value) })
        archive["optimizer/step"] = Tensor(1)

        let other = try TinyModel()
        let restored = try AdapterSet(injecting: Sample.configuration, into: other, seed: 99)
        try restored.restoreParameters(from: archive, prefix: "adapters/")
        #expect(other(Sample.input).value.floats.map(\.bitPattern) == output.map(\.bitPattern))

        let before = restored.parameters.map { $0.parameter.value.floats }
        archive["adapters/x_embedder.lora_A.weight"] = Tensor(zeros: [3, 6])
        archive["adapters/blocks.1.ff.net.2.lora_route.weight"] = Tensor(zeros: [4, 10])
        func message() -> String {
            let error = #expect(throws: FileError.self) {
                try restored.restoreParameters(from: archive, prefix: "adapters/")
            }
            return error?.description ?? ""
        }
        #expect(
            message() == "step-10.h5: adapters/blocks.1.ff.net.2.lora_route.weight: expected a float32 tensor of shape "
                + "[3, 10], found float32 [4, 10]")
        archive["adapters/blocks.1.ff.net.2.lora_route.weight"] = nil
        #expect(
            message() == "step-10.h5: adapters/blocks.1.ff.net.2.lora_route.weight: expected a float32 tensor of shape "
                + "[3, 10], found none (did you mean 'adapters/blocks.0.ff.net.2.lora_route.weight'?)")
        #expect(restored.parameters.map { $0.parameter.value.floats } == before)
    }

    /// At the last layer the model is linear: what several adapters of differing ranks and kinds add is the sum of what
    /// each adds alone, at its strength.
    @Test func severalSetsAdd() throws {
        let model = try TinyModel()
        let base = model(Sample.input).value
        var plain = AdapterConfiguration(LoRAMethod(rank: 3, alpha: 6), targets: ["proj_out"])
        let mixed = AdapterConfiguration(
            LoRAMoEMethod(rank: 2, alpha: 3, experts: 3, routing: .init(topK: 2, renormalizesWeights: true)),
            targets: ["proj_out"])
        var sum = base
        var sets: [AdapterSet] = []
        for (seed, strength) in [(1, Float(0.5)), (2, 0.8), (3, -1.25)] {
            let configuration = seed == 2 ? mixed : plain
            plain[LoRAMethod.self]?.rank = 5
            let set = try AdapterSet(
                injecting: configuration, into: model, seed: UInt64(seed), besideOthers: true)
            var random = Random(seed: UInt64(seed + 10))
            for (name, parameter) in set.parameters where !name.contains("lora_A") {
                parameter.replace(random.randn(parameter.value.shape) * 0.5)
            }
            for other in sets { other.strength = 0 }
            set.strength = strength
            sum = sum + (model(Sample.input).value - base)
            sets.append(set)
        }
        for (set, strength) in zip(sets, [Float(0.5), 0.8, -1.25]) { set.strength = strength }
        let together = model(Sample.input).value
        let error = largestDifference(together, sum)
        #expect(error < 2e-5, "max error \(error)")
        #expect(largestDifference(together, base) > 0.1)
        // A second set must say that it means to stand beside others.
        #expect(throws: AdapterError.self) { try AdapterSet(injecting: plain, into: model, seed: 1) }
        sets[1].remove()
        #expect(model.exit.adapters.count == 2)
        for set in sets { set.remove() }
        #expect(model(Sample.input).value.floats == base.floats)
    }
}
