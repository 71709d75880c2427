import ArgumentParser
import Foundation
import Models
import NeuralNet
import TensorCore

/// `diptych-bench encoders --model vae-decode --size 512 --dtype bf16`: FLUX's autoencoder and text encoders with random
/// weights, with the cases of `peer_encoders.py`.
struct EncoderBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encoders", abstract: "Times FLUX's autoencoder or one of its text encoders with random weights.")

    enum Model: String, CaseIterable, ExpressibleByArgument {
        case vaeEncode = "vae-encode"
        case vaeDecode = "vae-decode"
        case t5, clip
    }

    @Option(help: "vae-encode, vae-decode, t5 or clip.")
    var model = Model.vaeDecode

    @Option(help: "Height of the image in pixels, or tokens; 0 for 512 (clip: 77).")
    var size = 0

    @Option(help: "Width of the image in pixels; 0 for the height.")
    var width = 0

    @Option(help: "f32 or bf16: the type of weights and activations.")
    var dtype = "bf16"

    @Option(help: "Blocks of T5; the true encoder has 24.")
    var layers = 2

    @Flag(help: "The autoencoder in tiles.")
    var tiling = false

    @Flag(help: "Without a first run that is not counted.")
    var cold = false

    @Flag(help: "Also print where the time goes, by primitive.")
    var profile = false

    @Option(help: "Counted runs.")
    var reps = 3

    @Option(help: "Threads; 0 for one a processor.")
    var threads = 0

    func validate() throws {
        guard ["f32", "bf16"].contains(dtype) else { throw ValidationError("--dtype: f32 or bf16") }
        guard reps > 0, threads >= 0, layers > 0 else {
            throw ValidationError("--reps and --layers must be positive, --threads must not be negative")
        }
        guard size >= 0, width >= 0, size % 8 == 0 || model == .t5 || model == .clip, width % 8 == 0 else {
            throw ValidationError("--size and --width must be multiples of 8")
        }
        guard model != .clip || size <= 77 else { throw ValidationError("--size: clip has 77 tokens") }
    }

    func run() {
        Threads.set(threads)
        let type: DType = dtype == "bf16" ? .bfloat16 : .float32
        let (operations, step) = prepared(type)
        if !cold { step() }
        let measured = profile ? Profile() : nil
        let runs = TimedRuns(reps, profile: measured, step)
        if let measured { print(measured.table(total: runs.total)) }
        TimedRuns.printLine(
            [
                ("model", "\"\(model.rawValue)\""), ("height", "\(height)"), ("width", "\(across)"),
                ("dtype", "\"\(dtype)\""),
            ] + runs.figures(operations: operations))
    }

    private var height: Int { size > 0 ? size : model == .clip ? 77 : 512 }
    private var across: Int { model == .t5 || model == .clip ? 1 : width > 0 ? width : height }

    /// The floating-point operations of a run by the model's definition, and the run.
    private func prepared(_ type: DType) -> (operations: Double, step: () -> Void) {
        var random = Random(seed: 1)
        let loader = WeightLoader(initializing: type, seed: 0)
        switch model {
        case .vaeEncode, .vaeDecode:
            let configuration = AutoencoderKLConfiguration()
            let vae = AutoencoderKL(configuration, loader)
            vae.tiling = AutoencoderTiling(mode: tiling ? .on : .off)
            if model == .vaeEncode {
                let image = random.randn([1, 3, height, across]).converted(to: type)
                return (configuration.operations(height, across, decoding: false), { _ = vae.encode(image) })
            }
            let latents = random.randn([1, 16, height / 8, across / 8]).converted(to: type)
            return (configuration.operations(height, across, decoding: true), { _ = vae.decode(latents) })
        case .t5:
            var configuration = T5Configuration()
            configuration.numLayers = layers
            let encoder = T5Encoder(configuration, loader)
            let ids = Tensor((0..<height).map { Int32($0 * 61 % 32_000) }, [1, height])
            let (d, inner) = (Double(configuration.dModel), Double(configuration.numHeads * configuration.dKv))
            let (tokens, wide) = (Double(height), Double(configuration.dFf))
            let block = 2 * tokens * (4 * d * inner + 3 * d * wide) + 4 * tokens * tokens * inner
            return (Double(layers) * block, { _ = encoder(ids, computeType: type) })
        case .clip:
            let configuration = CLIPTextConfiguration()
            let encoder = CLIPTextEncoder(configuration, loader)
            let ids = Tensor((0..<height).map { Int32($0 * 61 % 49_000) }, [1, height])
            let (d, tokens) = (Double(configuration.hiddenSize), Double(height))
            let wide = Double(configuration.intermediateSize)
            let layer = 2 * tokens * (4 * d * d + 2 * d * wide) + 4 * tokens * tokens * d
            return (Double(configuration.numHiddenLayers) * layer, { _ = encoder(ids, computeType: type) })
        }
    }
}

extension AutoencoderKLConfiguration {
    /// Floating-point operations of the convolutions and the attention, every window counted whole.
    fileprivate func operations(_ height: Int, _ width: Int, decoding: Bool) -> Double {
        let last = blockOutChannels.count - 1
        func convolution(_ level: Int, _ input: Int, _ output: Int, _ taps: Int = 9) -> Double {
            2 * Double(height >> level) * Double(width >> level) * Double(input) * Double(output) * Double(taps)
        }
        func resnet(_ level: Int, _ input: Int, _ output: Int) -> Double {
            convolution(level, input, output) + convolution(level, output, output)
                + (input == output ? 0 : convolution(level, input, output, 1))
        }
        let coarse = blockOutChannels[last]
        let pixels = Double(height >> last) * Double(width >> last)
        var sum = 2 * resnet(last, coarse, coarse) + 4 * convolution(last, coarse, coarse, 1)
        sum += 4 * pixels * pixels * Double(coarse)
        let ends = [inChannels, latentChannels * (decoding ? 1 : 2)]
        sum += convolution(0, ends[0], blockOutChannels[0]) + convolution(last, ends[1], coarse)
        for level in 0...last {
            let channels = blockOutChannels[level]
            let before = blockOutChannels[decoding ? min(level + 1, last) : max(level - 1, 0)]
            sum += resnet(level, before, channels)
            sum += Double(layersPerBlock - (decoding ? 0 : 1)) * resnet(level, channels, channels)
            if decoding, level > 0 { sum += convolution(level - 1, channels, channels) }
            if !decoding, level < last { sum += convolution(level + 1, channels, channels) }
        }
        return sum
    }
}
