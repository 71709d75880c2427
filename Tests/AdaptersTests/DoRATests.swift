import Adapters
import Autograd
import Models
import NeuralNet
import Optimizers
import TensorCore
import TensorIO
import TestSupport
import Testing

/// DoRA against PEFT 0.21 (`Tests/Reference/make_dora_fixture.py`) and against its formula written out.
@Suite struct DoRATests {
    private static let layers = ["x_embedder", "blocks.0.attn.to_q", "blocks.1.ff.net.2", "proj_out"]

    /// Adapters with weights that are not small and magnitudes other than the norms.
    private func adapters(in model: TinyModel, strength: Float = 1, targets: [String] = Self.layers) throws
        -> AdapterSet
    {
        let set = try AdapterSet(
            injecting: AdapterConfiguration(DoRAMethod(rank: 3, alpha: 4.5), targets: targets), into: model, seed: 5)
        var random = Random(seed: 6)
        for (name, parameter) in set.parameters {
            let draw = random.randn(parameter.shape)
            parameter.replace(name.hasSuffix("vector") ? parameter.value * (draw * 0.3 + 1) : draw * 0.5)
        }
        set.strength = strength
        return set
    }

    // MARK: PEFT

    private struct Run {
        let model: FluxTransformer
        let adapters: AdapterSet
        let input: FluxInput
        let velocity: Tensor

        init() throws {
            let inputs = try SafetensorsFile(path: Fixtures.path("moe.before.top1/inputs.safetensors"))
            model = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
            // PEFT's own configuration lies beside the file: alpha 6, rank 4, use_dora.
            adapters = try AdapterSet(
                loading: SafetensorsFile(path: Fixtures.path("dora/adapter_model.safetensors")), into: model)
            let (clean, noise) = (try inputs.tensor("in.x0"), try inputs.tensor("in.noise"))
            let time = try inputs.tensor("in.t")
            let t = time.reshaped(to: [-1, 1, 1])
            let noisy = clean * (-t + 1) + noise * t
            input = FluxInput(
                latents: Variable(Tensor.concatenated([noisy, try inputs.tensor("in.cond")], axis: -1)),
                text: Variable(try inputs.tensor("in.text")), pooled: Variable(try inputs.tensor("in.pooled")),
                timestep: time, guidance: Tensor(full: time.shape, 1), imageIDs: try inputs.tensor("in.img_ids"),
                textIDs: try inputs.tensor("in.txt_ids"))
            velocity = noise - clean
        }
    }

    @Test(arguments: [false, true]) func outputAndGradientsAreThoseOfPEFT(usesCheckpoints: Bool) throws {
        let run = try Run()
        run.model.usesGradientCheckpointing = usesCheckpoints
        let expected = try SafetensorsFile(path: Fixtures.path("dora/reference.safetensors"))
        #expect(run.adapters.members.count == 8 && run.adapters.members.allSatisfy { $0.adapter is DoRA })
        let output = run.model(run.input)
        let error = largestDifference(output.value, try expected.tensor("prediction"))
        #expect(error < 1e-4)
        output.meanSquaredError(run.velocity).backward()
        var worst = (name: "", error: 0.0)
        let names = expected.names.filter { $0.hasPrefix("gradient/") }
        #expect(names.count == run.adapters.parameters.count)
        for (name, parameter) in run.adapters.parameters {
            let gradient = try #require(parameter.variable.gradient, "\(name)")
            let error = relativeError(gradient, try expected.tensor("gradient/base_model.model.\(name)"))
            if error > worst.error { worst = (name, error) }
            #expect(error < 1e-3, "\(name): \(error)")
        }
        print("DoRA against PEFT: prediction \(error), \(names.count) gradients, worst \(worst.error) at \(worst.name)")
    }

    @Test func sixStepsAreThoseOfPEFT() throws {
        let run = try Run()
        let expected = try SafetensorsFile(path: Fixtures.path("dora/reference.safetensors"))
        let (losses, norms) = (try expected.tensor("loss").floats, try expected.tensor("norm").floats)
        let optimizer = AdamW(.init(weightDecay: 0.01))
        var worst = 0.0
        for step in 0..<6 {
            let loss = run.model(run.input).meanSquaredError(run.velocity)
            loss.backward()
            let pairs = [
                (Double(loss.value.scalar), Double(losses[step])),
                (gradientNorm(run.adapters.parameters), Double(norms[step])),
            ]
            for (found, wanted) in pairs {
                worst = max(worst, abs(found - wanted) / wanted)
                #expect(abs(found - wanted) < 1e-4 * wanted, "step \(step): \(found) for \(wanted)")
            }
            optimizer.update(run.adapters.parameters, learningRate: 1e-3)
        }
        let moved = Double(abs(losses[5] - losses[0]) / losses[0])
        #expect(worst < moved / 10)
        print("DoRA, six steps of AdamW: worst \(worst), the loss moved by \(moved)")
    }

    // MARK: The formula

    @Test(arguments: [DType.float32, .bfloat16]) func freshAdaptersChangeNoBit(dtype: DType) throws {
        let model = try TinyModel(dtype: dtype)
        let input = Variable(Sample.input.value.converted(to: dtype))
        let base = model(input).value.floats.map(\.bitPattern)
        let set = try AdapterSet(
            injecting: AdapterConfiguration(DoRAMethod(rank: 3), targets: ["*"]), into: model, seed: 1)
        #expect(model(input).value.floats.map(\.bitPattern) == base)
        set.remove()
    }

    /// `m / ||W + s B A|| * (W + s B A)`, in doubles.
    private func weight(_ layer: Linear, _ dora: DoRA) -> [Double] {
        let (w, a, b, m) = (
            layer.weight.value.floats, dora.a.value.floats, dora.b.value.floats, dora.magnitude.value.floats
        )
        let (outputs, inputs, rank) = (layer.outputDimensions, layer.inputDimensions, dora.rank)
        return (0..<outputs).flatMap { o -> [Double] in
            let row = (0..<inputs).map { i -> Double in
                (0..<rank).reduce(Double(w[o * inputs + i])) {
                    $0 + Double(dora.alpha) / Double(rank) * Double(b[o * rank + $1]) * Double(a[$1 * inputs + i])
                }
            }
            let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { Double(m[o]) / norm * $0 }
        }
    }

    @Test(arguments: [Float(1), 0.5, -0.75]) func aLayerIsItsFormula(strength: Float) throws {
        let model = try TinyModel()
        let layer = model.blocks[1].second
        let x = Sample.random(9, [3, 10])
        let base = layer(Variable(x)).value.floats
        let set = try adapters(in: model, strength: strength, targets: ["blocks.1.ff.net.2"])
        let dora = try #require(set.members[0].adapter as? DoRA)
        let (whole, w, bias) = (weight(layer, dora), layer.weight.value.floats, layer.bias!.value.floats)
        let y = layer(Variable(x)).value.floats
        // A plain LoRA beside it adds what it adds alone.
        let lora = try AdapterSet(
            injecting: AdapterConfiguration(LoRAMethod(rank: 2, alpha: 1), targets: ["blocks.1.ff.net.2"]), into: model,
            seed: 3,
            besideOthers: true)
        for (_, parameter) in lora.parameters { parameter.replace(Sample.random(8, parameter.shape)) }
        let together = layer(Variable(x)).value.floats
        set.strength = 0
        let alone = layer(Variable(x)).value.floats
        var (worst, moved) = (0.0, 0.0)
        for token in 0..<3 {
            for o in 0..<8 {
                let sum = (0..<10).reduce(Double(bias[o])) { sum, i in
                    let (old, new) = (Double(w[o * 10 + i]), whole[o * 10 + i])
                    return sum + (old + Double(strength) * (new - old)) * Double(x.floats[token * 10 + i])
                }
                let place = token * 8 + o
                worst = max(worst, abs(sum - Double(y[place])))
                worst = max(worst, abs(sum + Double(alone[place]) - Double(base[place]) - Double(together[place])))
                moved = max(moved, abs(sum - Double(base[place])))
            }
        }
        #expect(worst < 1e-5 && moved > 0.3, "\(worst) of \(moved)")
        set.remove()
        lora.remove()
        #expect(layer(Variable(x)).value.floats == base)
    }

    /// Of the magnitudes, whose gradient is the whole one; that of A and B leaves the norm out, as PEFT's.
    @Test func magnitudesFollowFiniteDifferences() throws {
        let model = try TinyModel()
        let set = try adapters(in: model)
        func loss() -> Variable { model(Sample.input, usesCheckpoints: true).meanSquaredError(Sample.target) }
        loss().backward()
        for (name, parameter) in set.parameters where name.hasSuffix("lora_magnitude_vector") {
            let gradient = try #require(parameter.variable.gradient)
            let norm = gradient.floats.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let value = parameter.value
            let sides = [Float(1), -1].map { sign -> Double in
                parameter.replace(value + gradient * (sign * 1e-2 / norm))
                return withoutGradients { Double(loss().value.scalar) }
            }
            parameter.replace(value)
            #expect(abs((sides[0] - sides[1]) / 2e-2 - Double(norm)) < 2e-3 * Double(norm) + 1e-3, "\(name)")
        }
    }

    @Test func bfloat16StaysNear() throws {
        let model = try TinyModel(dtype: .bfloat16)
        let layer = model.blocks[0].first
        let set = try adapters(in: model, targets: ["blocks.0.attn.to_q"])
        let x = Sample.random(4, [64, 8])
        let y = layer(Variable(x.converted(to: .bfloat16))).value
        #expect(y.dtype == .bfloat16)
        let wide = layer(Variable(x)).value
        #expect(relativeError(y.converted(to: .float32), wide) < 1e-2)
        model(Variable(Sample.input.value.converted(to: .bfloat16))).meanSquaredError(Sample.target).backward()
        #expect(set.parameters.allSatisfy { $0.parameter.variable.gradient?.dtype == .float32 })
    }

    // MARK: Files

    @Test func magnitudesInTheirManyShapes() throws {
        func read(_ key: String, _ shape: Shape) throws -> String {
            let archive = MemoryArchive(tensors: [
                ("x_embedder.lora_A.weight", Sample.random(1, [2, 6])),
                ("x_embedder.lora_B.weight", Sample.random(2, [8, 2])), (key, Tensor(full: shape, 3)),
            ])
            do {
                let set = try AdapterSet(loading: archive, into: try TinyModel())
                let dora = try #require(set.members[0].adapter as? DoRA)
                return "\(dora.magnitude.shape)"
            } catch { return "\(error)" }
        }
        for key in ["lora_magnitude_vector", "lora_magnitude_vector.weight", "lora_magnitude_vector.default.weight"] {
            #expect(try read("x_embedder.\(key)", [8]) == "[8]")
        }
        for shape in [[8], [8, 1], [8, 1, 1, 1], [1, 8]] as [Shape] {
            #expect(try read("lora_unet_x_embedder.dora_scale", shape) == "[8]", "\(shape)")
        }
        #expect(
            try read("x_embedder.dora_scale", [1, 6]).hasSuffix(
                "dora_scale: expected a norm over the inputs for each of 8 outputs, [8] or [8, 1], found [1, 6]"))
        #expect(try read("x_embedder.lokr_w1", [2, 2]).contains("found"))
    }

    /// Files whose layers have several methods: PEFT has one for all.
    @Test func layersOfSeveralMethods() throws {
        let configuration = AdapterConfiguration([
            AdapterRule(LoRAMethod(rank: 2), targets: ["*"]), AdapterRule(DoRAMethod(rank: 3), targets: ["proj_out"]),
        ])
        let set = try AdapterSet(injecting: configuration, into: try TinyModel(), seed: 1)
        let error = #expect(throws: AdapterError.self) { try set.exported(as: .peft) }
        #expect(
            "\(try #require(error))"
                == "adapter format 'peft': 'x_embedder' is a plain LoRA, 'proj_out' a DoRA, and PEFT has one method for all "
                + "layers: 'kohya', 'comfyui', 'lycoris' and 'diptych' can")
        for format in [AdapterFormat.lycoris, .diptych] {
            let exported = try set.exported(as: format)
            let read = try AdapterSet(
                loading: MemoryArchive(tensors: exported.tensors), metadata: exported.metadata, into: try TinyModel())
            #expect(read.members.map { $0.adapter is DoRA } == [false, false, false, false, false, true])
            #expect(read.parameters.map(\.name) == set.parameters.map(\.name))
        }
    }

    @Test func pEFTsFlagWantsTheTensors() throws {
        let archive = MemoryArchive(tensors: [
            ("x_embedder.lora_A.weight", Sample.random(1, [2, 6])),
            ("x_embedder.lora_B.weight", Sample.random(2, [8, 2])),
        ])
        let error = #expect(throws: FileError.self) {
            try AdapterSet(
                loading: archive, metadata: ["lora_adapter_metadata": "{\"use_dora\": true}"], into: try TinyModel())
        }
        #expect("\(try #require(error))".contains("x_embedder.lora_magnitude_vector: expected a tensor beside"))
    }
}
