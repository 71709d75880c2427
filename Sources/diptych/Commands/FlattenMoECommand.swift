import Adapters
import ArgumentParser
import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// `diptych flatten-moe moe.safetensors --base DIR --data DATASET --format comfyui -o lora.safetensors`
struct FlattenMoECommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "flatten-moe",
        abstract: "Makes a plain LoRA of an adapter with mixtures of experts, for programs that know no mixtures.",
        discussion: """
            The adapter runs on some samples of a dataset to learn how often each expert works and on what; its experts are \
            then joined to one LoRA of the rank asked for. Four ways are tried and judged by the transformer's output on other \
            samples, and the best is written unless --method says otherwise: 'average' takes the mean of the experts' factors, \
            as is done by hand; 'mean' the mean of their products by their mean routing weights, cut by singular values; \
            'mean-inputs' cuts it where the activations lose least; 'least-squares' takes the map that comes nearest to the \
            mixture's output.
            """,
        examples: [
            CommandExample(
                "a LoRA for ComfyUI in the place of mixtures",
                "diptych flatten-moe Runs/mine --base FLUX.1-Fill-dev --data Datasets/mine --format comfyui --rank 32 -o static.safetensors"
            )
        ])

    @OptionGroup var common: CommonOptions

    @Argument(
        help: "An adapter with mixtures: a .safetensors file, a checkpoint or a run's folder.",
        completion: .file(extensions: ["safetensors", "h5"]))
    var adapter: String

    @OptionGroup var base: BaseOptions

    @Option(name: .long, help: "Edit pairs to run on: a dataset of any layout.", completion: .file())
    var data: String

    @OptionGroup var file: AdapterFileOptions

    @Option(name: .long, help: "diffusers (or peft), kohya, comfyui or lycoris.")
    var format = PlainLayout.diffusers

    @Option(name: .long, parsing: .unconditional, help: "The rank of the LoRA in the place of a mixture.")
    var rank = 32

    @Option(name: .long, help: "best, average, mean, mean-inputs or least-squares.")
    var method = Choice.best

    @Option(name: .long, parsing: .unconditional, help: "Samples to learn from.")
    var samples = 16

    @Option(name: .long, parsing: .unconditional, help: "Other samples to judge by.")
    var heldOut = 8

    @Option(name: .long, parsing: .unconditional, help: "Seeds the choice of samples, their noise and times.")
    var seed: UInt64 = 42

    @Option(name: .long, parsing: .unconditional, help: "Width of a panel in pixels, a multiple of 16.")
    var panelWidth = 512

    @Option(name: .long, parsing: .unconditional, help: "Height of a panel in pixels, a multiple of 16.")
    var panelHeight = 512

    @Option(
        name: [.long, .customLong("arrangement")],
        help: """
            How the panels lie: beside, stacked or auto (stacked where they are wider than tall). As the adapter was trained \
            where its file says so, else beside.
            """)
    var panelLayout: PanelLayoutChoice?

    @Option(name: .long, parsing: .unconditional, help: "Text tokens of the long encoder, at most 512.")
    var maxSequenceLength = 512

    @Option(name: .long, parsing: .unconditional, help: "Guidance scale, fed to the guidance embedding.")
    var guidance: Float = 1

    @Option(name: .long, help: "Type of the activations: float32 or bfloat16.")
    var precision = ActivationType.float32

    @OptionGroup var threads: ThreadOptions

    enum Choice: String, ExpressibleByArgument, CaseIterable {
        case best, average, mean
        case meanInputs = "mean-inputs"
        case leastSquares = "least-squares"
    }

    func validate() throws {
        var faults: [String] = []
        for (flag, value) in [("--rank", rank), ("--samples", samples), ("--held-out", heldOut)]
        where !(1...1_000_000).contains(value) {
            faults.append("\(flag): expected 1 to 1000000, found \(value)")
        }
        for (flag, value) in [("--panel-width", panelWidth), ("--panel-height", panelHeight)]
        where !(16...8192).contains(value) || value % 16 != 0 {
            faults.append("\(flag): expected a multiple of 16 from 16 to 8192, found \(value)")
        }
        if !(1...512).contains(maxSequenceLength) {
            faults.append("--max-sequence-length: expected 1 to 512, found \(maxSequenceLength)")
        }
        if !guidance.isFinite || guidance < 0 {
            faults.append("--guidance: expected a number of 0 or more, found \(guidance)")
        }
        if !faults.isEmpty { throw ValidationError(faults.joined(separator: "; ")) }
    }

    func run() throws {
        threads.apply()
        var inputs = InputFiles()
        inputs.add(adapter, "the adapter")
        inputs.add(base.parts)
        inputs.add(dataset: data, for: file.output)
        try inputs.requireOutput(file.output)
        let dataset = try PairDataset(path: data)
        let pipeline = try EditPipeline(base.parts, framework: base.chosenFramework())
        let source = AdapterSource(adapter)
        let adapters = try source.load(into: pipeline)
        guard !adapters.mixtures.isEmpty else {
            throw FileError(
                adapter, expected: "mixtures of experts to turn into a plain LoRA",
                found: "\(adapters.members.count) layers without one: diptych export writes them as they are")
        }
        var options = SampleEncoder.Options(
            panelWidth: panelWidth, panelHeight: panelHeight, maximumSequenceLength: maxSequenceLength,
            promptForm: pipeline.framework.promptForms[0], keepsSamples: false)
        let panelLayout = try AdapterSource.panelLayout(panelLayout, [source])
        options.shapes = [
            DiptychGeometry(
                panelWidth: panelWidth, panelHeight: panelHeight,
                panelLayout: pipeline.framework.panelLayout(
                    panelLayout, panelWidth: panelWidth, panelHeight: panelHeight))
        ]
        let encoder = try SampleEncoder(dataset, pipeline: pipeline, options: options)
        let calibration = try FlatteningCalibration(
            encoder, pipeline: pipeline, count: samples, heldOutCount: heldOut, seed: seed, guidance: guidance,
            precision: precision.dtype)

        let comparison = try FlatteningComparison(
            adapters, rank: rank, calibration: calibration, pipeline: pipeline, progress: ProgressBar().show)
        let chosen = FlatteningMethod(rawValue: method.rawValue) ?? comparison.best.method
        print(FlatteningTable(comparison, chosen: chosen).text)
        let result = comparison.results.first { $0.method == chosen }!
        var metadata = try source.metadata()
        metadata["diptych.static"] =
            "\(chosen.rawValue), rank \(result.rank), \(samples) samples of \(URL(filePath: data).lastPathComponent), "
            + "seed \(seed), relative error " + String(format: "%.4f", result.outputError)
        let export = AdapterExport(
            try comparison.adapters(chosen).exported(as: format.format, dtype: file.dtype.dtype), as: format.format,
            metadata: metadata, origin: "method \(chosen.rawValue)")
        try export.write(to: file.output)
        print(
            "\(file.output): \(export.contents.tensors.count) tensors, \(export.elementCount.grouped) numbers, "
                + export.origin)
        export.notices.forEach(note)
    }
}
