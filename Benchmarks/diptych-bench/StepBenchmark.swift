import Adapters
import ArgumentParser
import Autograd
import Foundation
import Models
import NeuralNet
import Optimizers
import TensorCore

/// `diptych-bench step --config nano --lora moe`: a forward pass or a training step of a FLUX transformer with random
/// weights, with the cases of `peer_flux.py`.
struct StepBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Times a forward pass or a training step of a transformer with random weights.")

    @Option(help: "nano, tiny, mid or block.")
    var config = "nano"

    @Option(help: "f32 or bf16: the type of weights and activations.")
    var dtype = "bf16"

    @Option(help: "none (forward), peft (LoRA), moe (LoRA-MoE) or full (every weight trained).")
    var lora = "none"

    @Option(help: "Image tokens a sample; the configuration's unless given.")
    var tokens: Int?

    @Option(help: "Samples a step; the configuration's unless given.")
    var batch: Int?

    @Flag(help: "Gradient checkpointing.")
    var ckpt = false

    @Flag(help: "Also print where the time goes, by primitive, and the memory, by phase.")
    var profile = false

    @Flag(help: "The same, with matrix products told apart by rows, columns and depth.")
    var shapes = false

    @Option(help: "Counted runs.")
    var reps = 5

    @Option(help: "Threads; 0 for one a processor.")
    var threads = 0

    func validate() throws {
        guard BenchmarkModel(config) != nil else { throw ValidationError("--config: \(BenchmarkModel.names)") }
        guard ["f32", "bf16"].contains(dtype) else { throw ValidationError("--dtype: f32 or bf16") }
        guard ["none", "peft", "moe", "full"].contains(lora) else {
            throw ValidationError("--lora: none, peft, moe, full")
        }
        guard reps > 0, threads >= 0 else { throw ValidationError("--reps and --threads must not be negative") }
        guard tokens ?? 1 > 0, batch ?? 1 > 0 else { throw ValidationError("--tokens and --batch must be positive") }
    }

    func run() throws {
        Threads.set(threads)
        var size = BenchmarkModel(config)!
        if let tokens { size.setImageTokens(tokens) }
        if let batch { size.batch = batch }
        let type: DType = dtype == "bf16" ? .bfloat16 : .float32
        let model = FluxTransformer(
            size.configuration, WeightLoader(initializing: lora == "full" ? .float32 : type, seed: 0))
        MemoryAccount.trim()
        model.usesGradientCheckpointing = ckpt
        let trained = try trainedParameters(of: model)
        let optimizer = AdamW(AdamW.Options(weightDecay: 0.01))
        let samples = Batch(size, type)

        func step() {
            if lora == "none" {
                Profile.phase("forward") { withoutGradients { _ = model(samples.input) } }
                return
            }
            let loss = Profile.phase("forward") { model(samples.input).meanSquaredError(samples.target) }
            Profile.phase("backward") { loss.backward() }
            Profile.phase("optimizer") { optimizer.update(trained, learningRate: 1e-4) }
        }
        step()
        let measured = profile || shapes ? Profile(showsShapes: shapes) : nil
        let runs = TimedRuns(reps, profile: measured, step)
        let probed = MatrixKernels.current.probedRate(narrow: type == .bfloat16) / 1e9
        if let measured {
            print(measured.table(total: runs.total))
            let products = measured.sorted.filter { $0.name.hasPrefix("matrix product") }.map(\.entry)
            let rate = products.reduce(0) { $0 + $1.operations } / products.reduce(0) { $0 + $1.seconds } / 1e9
            print(
                "matrix products at \(TimedRuns.figure(rate)) of the \(TimedRuns.figure(probed)) GFLOP/s probed in the "
                    + "first-level cache: \(TimedRuns.figure(100 * rate / probed)) %")
        }
        let weights = trained.reduce(0) { $0 + $1.parameter.value.count }
        TimedRuns.printLine(
            [
                ("config", "\"\(config)\""), ("dtype", "\"\(dtype)\""), ("lora", "\"\(lora)\""), ("ckpt", "\(ckpt)"),
                ("tokens", "\(size.imageTokens + size.text)"), ("batch", "\(size.batch)"),
            ] + runs.figures(operations: size.operations(training: lora)) + [
                ("probed_gflops", TimedRuns.figure(probed)),
                ("train_params_m", TimedRuns.figure(Double(weights) / 1e6)),
            ])
    }

    private func trainedParameters(of model: FluxTransformer) throws -> [(name: String, parameter: Parameter)] {
        switch lora {
        case "peft": return try AdapterSet(injecting: .iceditLoRA, into: model, seed: 1).parameters
        case "moe": return try AdapterSet(injecting: .iceditMoE, into: model, seed: 1).parameters
        case "full":
            let all = model.namedParameters()
            for entry in all { entry.parameter.isTrained = true }
            return all
        default: return []
        }
    }

    /// Random inputs of a step.
    private struct Batch {
        let input: FluxInput
        let target: Tensor

        init(_ size: BenchmarkModel, _ type: DType) {
            var random = Random(seed: 2)
            let c = size.configuration
            let (batch, image) = (size.batch, size.imageTokens)
            var ids: [Float] = []
            for row in 0..<size.rows { for column in 0..<size.columns { ids += [0, Float(row), Float(column)] } }
            input = FluxInput(
                latents: Variable(random.randn([batch, image, c.inChannels]).converted(to: type)),
                text: Variable(random.randn([batch, size.text, c.jointAttentionDim]).converted(to: type)),
                pooled: Variable(random.randn([batch, c.pooledProjectionDim]).converted(to: type)),
                timestep: Tensor(full: [batch], 0.5), guidance: Tensor(full: [batch], 1),
                imageIDs: Tensor(ids, [image, 3]), textIDs: Tensor(zeros: [size.text, 3]))
            target = random.randn([batch, image, c.outChannels])
        }
    }
}
