import Adapters
import Autograd
import Foundation
import Models
import Optimizers
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Whole training steps against PyTorch, diffusers and prodigyopt: `Tests/Reference/make_fixtures.py` made the numbers.
@Suite struct TrainingParityTests {
    struct Case: CustomTestStringConvertible {
        let folder: String
        let gate: RouterGate
        let topK: Int
        var testDescription: String { folder }
    }

    static let cases = [
        Case(folder: "moe.before.top1", gate: .softmaxBeforeTopK, topK: 1),
        Case(folder: "moe.before.top2", gate: .softmaxBeforeTopK, topK: 2),
        Case(folder: "moe.after.top1", gate: .softmaxAfterTopK, topK: 1),
    ]

    /// One of the fixture's runs: the tiny transformer with the fixture's adapters, its inputs, its loss.
    private struct Run {
        let model: FluxTransformer
        let adapters: AdapterSet
        let input: FluxInput
        let velocity: Tensor

        /// `dtype`: the type of activations.
        init(_ given: Case, _ dtype: DType = .float32) throws {
            let weights = try SafetensorsFile(path: Fixtures.path("\(given.folder)/adapter.safetensors"))
            let inputs = try SafetensorsFile(path: Fixtures.path("\(given.folder)/inputs.safetensors"))
            model = try FluxTransformer.load(folder: Fixtures.path("tiny-random-fill/transformer"))
            adapters = try AdapterSet(
                loading: weights, into: model, routing: RoutingOptions(topK: given.topK, gate: given.gate))
            let (clean, noise) = (try inputs.tensor("in.x0"), try inputs.tensor("in.noise"))
            let time = try inputs.tensor("in.t")
            let t = time.reshaped(to: [-1, 1, 1])
            let noisy = clean * (-t + 1) + noise * t
            input = FluxInput(
                latents: Variable(
                    Tensor.concatenated([noisy, try inputs.tensor("in.cond")], axis: -1).converted(to: dtype)),
                text: Variable(try inputs.tensor("in.text").converted(to: dtype)),
                pooled: Variable(try inputs.tensor("in.pooled").converted(to: dtype)),
                timestep: time, guidance: Tensor(full: time.shape, 1), imageIDs: try inputs.tensor("in.img_ids"),
                textIDs: try inputs.tensor("in.txt_ids"))
            velocity = noise - clean
        }

        func forward() -> (prediction: Tensor, mse: Variable, loss: Variable, report: RoutingReport) {
            let (prediction, side) = AuxiliaryOutputs.collecting { model(input) }
            let report = adapters.routingReport(side)
            let mse = prediction.meanSquaredError(velocity)
            return (prediction.value, mse, mse + report.loadBalance * 1e-2 + report.routerZ * 1e-3, report)
        }
    }

    private struct Trace: Decodable {
        let columns: [String]
        let steps: [[Double]]
    }

    /// The gradients by the fixture's keys: stacked experts taken apart.
    private func gradients(_ adapters: AdapterSet) throws -> [String: Tensor] {
        let mixtures = Dictionary(uniqueKeysWithValues: adapters.mixtures.map { ($0.layer, $0) })
        var result: [String: Tensor] = [:]
        for (name, parameter) in adapters.parameters {
            let gradient = try #require(parameter.variable.gradient, "\(name) has no gradient")
            let (isA, isB) = (name.hasSuffix(".lora_A.weight"), name.hasSuffix(".lora_B.weight"))
            let layer = String(name.dropLast(".lora_A.weight".count))
            guard isA || isB, let mixture = mixtures[layer] else {
                result["transformer." + name] = gradient
                continue
            }
            for (expert, part) in gradient.split(into: mixture.experts, axis: isA ? 0 : 1).enumerated() {
                result["transformer.\(layer).lora_\(isA ? "A" : "B").expert_\(expert).weight"] = part
            }
        }
        return result
    }

    @Test(arguments: cases, [false, true]) func firstStep(_ given: Case, usesCheckpoints: Bool) throws {
        let run = try Run(given)
        run.model.usesGradientCheckpointing = usesCheckpoints
        let inputs = try SafetensorsFile(path: Fixtures.path("\(given.folder)/inputs.safetensors"))
        let expected = try SafetensorsFile(path: Fixtures.path("\(given.folder)/gradients.safetensors"))
        let step = run.forward()

        let predictionError = largestDifference(step.prediction, try inputs.tensor("pred"))
        #expect(predictionError < 1e-4)
        let load = try inputs.tensor("load")
        #expect(step.report.layers.count == 5 && load.shape == [5, 4])
        let loadError = zip(step.report.layers.flatMap(\.load), load.floats).map { abs($0 - $1) }.max() ?? 1
        // Shares are multiples of 1 / 128: a single token elsewhere would be seen.
        #expect(loadError < 1e-6)

        step.loss.backward()
        let found = try gradients(run.adapters)
        #expect(Set(found.keys) == Set(expected.names))
        var worst = (name: "", error: 0.0)
        var zeros = 0
        for name in expected.names {
            let (mine, theirs) = (try #require(found[name]), try expected.tensor(name))
            if theirs.floats.allSatisfy({ $0 == 0 }) {
                // An expert that no token chose.
                zeros += 1
                #expect(mine.floats.allSatisfy { abs($0) < 1e-7 }, "\(name)")
                continue
            }
            let error = relativeError(mine, theirs)
            if error > worst.error { worst = (name, error) }
            #expect(error < 1e-3, "\(name): \(error)")
        }
        print(
            "\(given.folder)\(usesCheckpoints ? ", checkpoints" : ""): prediction \(predictionError), load \(loadError), "
                + "\(expected.names.count) gradients (\(zeros) zero), worst \(worst.error) at \(worst.name)")
    }

    @Test(arguments: cases, ["adamw", "prodigy"]) func sixSteps(_ given: Case, _ name: String) throws {
        let run = try Run(given)
        let path = Fixtures.path("\(given.folder)/trace.\(name).json")
        let trace = try JSONDecoder().decode(Trace.self, from: Data(contentsOf: URL(filePath: path)))
        #expect(trace.columns == ["mse", "load_balance", "router_z", "loss", "grad_norm"] && trace.steps.count == 6)
        let isAdamW = name == "adamw"
        let optimizer: any Optimizer = isAdamW ? AdamW(.init(weightDecay: 0.01)) : Prodigy(.icedit)
        var worst = [Double](repeating: 0, count: 5)
        for (number, expected) in trace.steps.enumerated() {
            let step = run.forward()
            step.loss.backward()
            let norm = gradientNorm(run.adapters.parameters)
            let found =
                [step.mse, step.report.loadBalance, step.report.routerZ, step.loss].map { Double($0.value.scalar) } + [
                    norm
                ]
            for column in 0..<5 {
                let error = abs(found[column] - expected[column]) / abs(expected[column])
                worst[column] = max(worst[column], error)
                #expect(
                    error < 1e-3, "step \(number), \(trace.columns[column]): \(found[column]) for \(expected[column])")
            }
            optimizer.update(run.adapters.parameters, learningRate: isAdamW ? 1e-3 : 1)
        }
        // The trace moves by far more than it is off.
        let moved = abs(trace.steps[5][3] - trace.steps[0][3]) / trace.steps[0][3]
        #expect(worst[3] < moved / 10)
        let list = zip(trace.columns, worst).map { "\($0) \($1)" }.joined(separator: ", ")
        print("\(given.folder), \(name): worst \(list); the loss moved by \(moved)")
    }

    /// Activations and products in `bfloat16` against the reference's `float32`: the prediction within 1 % by norm, the
    /// loss within 1 %, six steps of losses within 2 %.
    @Test(arguments: cases, ["adamw", "prodigy"]) func bfloat16StaysNear(_ given: Case, _ name: String) throws {
        let run = try Run(given, .bfloat16)
        let inputs = try SafetensorsFile(path: Fixtures.path("\(given.folder)/inputs.safetensors"))
        let path = Fixtures.path("\(given.folder)/trace.\(name).json")
        let trace = try JSONDecoder().decode(Trace.self, from: Data(contentsOf: URL(filePath: path)))
        let optimizer: any Optimizer = name == "adamw" ? AdamW(.init(weightDecay: 0.01)) : Prodigy(.icedit)
        var worst = 0.0
        for (number, expected) in trace.steps.enumerated() {
            let step = run.forward()
            if number == 0 {
                let error = relativeError(step.prediction, try inputs.tensor("pred"))
                let loss = abs(Double(step.loss.value.scalar) - expected[3]) / expected[3]
                print("\(given.folder) in bfloat16: prediction \(error), loss \(loss) relative")
                #expect(step.prediction.dtype == .bfloat16 && error > 0 && error < 1e-2 && loss < 1e-2)
            }
            for (found, column) in [(step.mse, 0), (step.loss, 3)] {
                let error = abs(Double(found.value.scalar) - expected[column]) / expected[column]
                worst = max(worst, error)
                #expect(error < 2e-2, "step \(number), \(trace.columns[column])")
            }
            step.loss.backward()
            optimizer.update(run.adapters.parameters, learningRate: name == "adamw" ? 1e-3 : 1)
        }
        print("\(given.folder), \(name), six steps in bfloat16: losses within \(worst)")
    }
}
