import Autograd
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// The transformer against diffusers, in float32 from the same bfloat16 weights.
@Suite struct FluxTransformerTests {
    @Test(arguments: [1, 30] as [Float]) func outputEqualsDiffusers(guidance: Float) throws {
        let reference = try FluxReference.fill()
        let model = try FluxTransformer.load(folder: reference.folder)
        let output = try withoutGradients { model(try reference.input(guidance: guidance)) }
        let error = largestDifference(output.value, try reference.values.tensor("output.\(Int(guidance))"))
        print("FLUX output, guidance \(Int(guidance)): max error \(error)")
        #expect(error <= 1e-4, "max error \(error)")
        let loss = output.meanSquaredError(try reference.target()).value.scalar
        let expected = try reference.values.tensor("loss.\(Int(guidance))").scalar
        #expect(abs(loss - expected) <= 1e-5 * expected, "loss \(loss), expected \(expected)")
    }

    @Test func everyStateEqualsDiffusers() throws {
        let reference = try FluxReference.fill()
        let model = try FluxTransformer.load(folder: reference.folder)
        let input = try reference.input(guidance: 1)
        var errors: [(name: String, error: Float)] = []
        func compare(_ name: String, _ value: Tensor) throws {
            errors.append((name, largestDifference(value, try reference.values.tensor("state.\(name)"))))
        }
        var states: [FluxTransformer.State] = []
        _ = withoutGradients { model.evaluate(input) { states.append($0) } }
        let textCount = input.text.shape[1]
        for state in states {
            switch state {
            case .conditioning(let value): try compare("time_text_embed", value.value)
            case .double(let index, let text, let image):
                try compare("transformer_blocks.\(index).text", text.value)
                try compare("transformer_blocks.\(index).image", image.value)
            case .single(let index, let joint):
                let name = "single_transformer_blocks.\(index)"
                let isLast = index == model.configuration.numSingleLayers - 1
                let imageStart = isLast ? 0 : textCount
                if !isLast { try compare("\(name).text", joint.value.sliced(axis: 1, 0..<textCount)) }
                try compare("\(name).image", joint.value.sliced(axis: 1, imageStart..<joint.shape[1]))
            }
        }
        #expect(errors.count == 2 * (model.configuration.numLayers + model.configuration.numSingleLayers))
        for (name, error) in errors { #expect(error <= 1e-4, "\(name): max error \(error)") }
    }

    @Test func otherProportionsWithoutGuidance() throws {
        let reference = try FluxReference.variant()
        let model = try FluxTransformer.load(folder: reference.folder)
        #expect(!model.configuration.guidanceEmbeds && model.configuration.axesDimsRope == [4, 6, 10])
        let output = try withoutGradients { model(try reference.input(guidance: nil)) }
        let error = largestDifference(output.value, try reference.values.tensor("output"))
        print("FLUX variant output: max error \(error)")
        #expect(error <= 1e-4, "max error \(error)")
    }

    @Test(arguments: [false, true]) func gradientsEqualPyTorch(isVariant: Bool) throws {
        let reference = try isVariant ? FluxReference.variant() : .fill()
        let model = try FluxTransformer.load(folder: reference.folder)
        let parameters = Dictionary(uniqueKeysWithValues: model.namedParameters().map { ($0.name, $0.parameter) })
        let expected = reference.values.names.filter { $0.hasPrefix("gradient.") }.map { String($0.dropFirst(9)) }
        for name in expected { parameters[name]?.isTrained = true }
        let input = try reference.input(guidance: isVariant ? nil : 1, wantsGradients: true)
        model(input).meanSquaredError(try reference.target()).backward()

        let inputs = ["latents": input.latents, "text": input.text, "pooled": input.pooled]
        #expect(expected.count == 20)
        var worst: Float = 0
        for name in expected {
            let gradient = try #require(
                (inputs[name] ?? parameters[name]?.variable)?.gradient, "no gradient of \(name)")
            let error = relativeDifference(gradient, from: try reference.values.tensor("gradient.\(name)"))
            worst = max(worst, error)
            #expect(error <= 1e-4, "gradient of \(name): relative error \(error)")
        }
        print("FLUX \(isVariant ? "variant " : "")gradients: worst relative error \(worst)")
    }

    @Test func checkpointingGivesTheSameBits() throws {
        let reference = try FluxReference.fill()
        func gradients(checkpointing: Bool) throws -> (output: [Float], gradients: [String: [Float]]) {
            let model = try FluxTransformer.load(folder: reference.folder)
            model.usesGradientCheckpointing = checkpointing
            let parameters = model.namedParameters()
            for (_, parameter) in parameters { parameter.isTrained = true }
            let input = try reference.input(guidance: 30, wantsGradients: true)
            let output = model(input)
            output.meanSquaredError(try reference.target()).backward()
            var result: [String: [Float]] = [:]
            for (name, parameter) in parameters { result[name] = parameter.variable.gradient?.floats }
            result["latents"] = input.latents.gradient?.floats
            result["text"] = input.text.gradient?.floats
            result["pooled"] = input.pooled.gradient?.floats
            return (output.value.floats, result)
        }
        let (plain, checkpointed) = (try gradients(checkpointing: false), try gradients(checkpointing: true))
        #expect(plain.output == checkpointed.output)
        #expect(plain.gradients.count > 100 && plain.gradients.keys == checkpointed.gradients.keys)
        for (name, gradient) in plain.gradients {
            #expect(gradient == checkpointed.gradients[name], "gradient of \(name) differs")
        }
    }

    /// Where no gradient is wanted, feed-forward parts see their tokens in bands: less memory, the same numbers.
    @Test func bandsOfTokensGiveTheSameBits() async {
        await #expect(processExitsWith: .success) {
            let model = try FluxTransformer.load(folder: FluxReference.fill().folder)
            let configuration = model.configuration
            var random = Random(seed: 5)
            let (batch, image, text) = (64, 700, 4)
            // 96 wide, four times as much inside: 17 megabytes of bfloat16 for the image alone.
            func randn(_ shape: Shape) -> Variable { Variable(random.randn(shape).converted(to: .bfloat16)) }
            let input = FluxInput(
                latents: randn([batch, image, configuration.inChannels]),
                text: randn([batch, text, configuration.jointAttentionDim]),
                pooled: randn([batch, configuration.pooledProjectionDim]),
                timestep: Tensor((0..<batch).map { _ in random.uniform() }, [batch]),
                guidance: Tensor(full: [batch], 30),
                imageIDs: Tensor(zeros: [image, 3]), textIDs: Tensor(zeros: [text, 3]))
            // Recorded, but with nothing to train, so that nothing is kept for gradients either.
            let whole = MemoryAccount.measuringPeak { model(input).value }
            let banded = MemoryAccount.measuringPeak { withoutGradients { model(input).value } }
            #expect(whole.result.floats == banded.result.floats)
            print("FLUX forward pass: \(whole.peak) bytes at most, in bands \(banded.peak)")
            #expect(whole.peak - banded.peak > 16 << 20)
        }
    }

    @Test func bfloat16Activations() throws {
        let reference = try FluxReference.fill()
        let model = try FluxTransformer.load(folder: reference.folder)
        let output = try withoutGradients { model(try reference.input(guidance: 30, dtype: .bfloat16)) }
        #expect(output.dtype == .bfloat16)
        let error = relativeDifference(output.value, from: try reference.values.tensor("output.30"))
        print("FLUX output in bfloat16: relative error \(error)")
        #expect(error < 1e-2, "relative error \(error)")
    }

    @Test func modulesHaveDiffusersNames() throws {
        for reference in [try FluxReference.fill(), try FluxReference.variant()] {
            let model = try FluxTransformer.load(folder: reference.folder)
            let linear = model.namedModules().filter { $0.module is Linear }.map(\.name)
            #expect(linear.sorted() == (try reference.linearNames()).sorted())
            let archive = try openTensorArchive(reference.folder)
            #expect(model.namedParameters().map(\.name).sorted() == archive.names.sorted())
            #expect(model.parameterCount == archive.names.reduce(0) { $0 + archive.info($1)!.shape.count })
            #expect(
                model.namedParameters().allSatisfy { $0.parameter.value.dtype == .bfloat16 && !$0.parameter.isTrained })
        }
    }
}
