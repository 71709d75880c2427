import Adapters
import ArgumentParser
import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// `diptych static moe.safetensors --base DIR --data DATASET --format comfyui -o lora.safetensors`
struct StaticCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "static",
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
                "diptych static Runs/mine --base FLUX.1-Fill-dev --data Datasets/mine --format comfyui --rank 32 -o static.safetensors"
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

    @Option(
        name: .shortAndLong, help: "The file to write (.safetensors).", completion: .file(extensions: ["safetensors"]))
    var output: String

    @Option(name: .long, help: "diffusers (or peft), kohya, comfyui or lycoris.")
    var format = Layout.diffusers

    @Option(name: .long, help: "Type of the numbers: float32, bfloat16 or float16.")
    var dtype = ExportCommand.NumberType.float32

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
        name: .long,
        help: """
            How the panels lie: beside, stacked or auto (stacked where they are wider than tall). As the adapter was trained \
            where its file says so, else beside.
            """)
    var arrangement: ArrangementChoice?

    @Option(name: .long, parsing: .unconditional, help: "Text tokens of the long encoder, at most 512.")
    var maxSequenceLength = 512

    @Option(name: .long, parsing: .unconditional, help: "Guidance that the model is told.")
    var guidance: Float = 1

    @Option(name: .long, help: "Type of the activations: float32 or bfloat16.")
    var precision = EditCommand.Precision.float32

    @Option(name: .long, parsing: .unconditional, help: "Threads; 0 for one a processor.")
    var threads = 0

    enum Layout: String, ExpressibleByArgument, CaseIterable {
        case diffusers, peft, kohya, comfyui, lycoris
        var format: AdapterFormat { self == .diffusers ? .peft : AdapterFormat(rawValue: rawValue)! }
    }

    enum Choice: String, ExpressibleByArgument, CaseIterable {
        case best, average, mean
        case meanInputs = "mean-inputs"
        case leastSquares = "least-squares"
    }

    func validate() throws {
        var faults: [String] = []
        if !output.hasSuffix(".safetensors") {
            faults.append("--output: expected a name that ends in .safetensors, found '\(output)'")
        }
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
        if threads < 0 { faults.append("--threads: expected 0 or more, found \(threads)") }
        if !faults.isEmpty { throw ValidationError(faults.joined(separator: "; ")) }
    }

    func run() throws {
        Threads.set(threads)
        var inputs = InputFiles()
        inputs.add(adapter, "the adapter")
        inputs.add(base.parts)
        inputs.add(dataset: data, for: output)
        try inputs.requireOutput(output)
        let dataset = try PairDataset(path: data)
        let pipeline = try FillPipeline(base.parts)
        let adapters = try AdapterSource.load(adapter, into: pipeline)
        guard !adapters.mixtures.isEmpty else {
            throw FileError(
                adapter, expected: "mixtures of experts to turn into a plain LoRA",
                found: "\(adapters.members.count) layers without one: diptych export writes them as they are")
        }
        var options = SampleEncoder.Options(
            panelWidth: panelWidth, panelHeight: panelHeight, maximumSequenceLength: maxSequenceLength,
            promptForm: .inContext, keepsSamples: false)
        let arrangement = try AdapterSource.arrangement(arrangement, [adapter])
        options.shapes = [
            DiptychGeometry(
                panelWidth: panelWidth, panelHeight: panelHeight,
                arrangement: arrangement.arrangement(panelWidth: panelWidth, panelHeight: panelHeight))
        ]
        let encoder = try SampleEncoder(dataset, pipeline: pipeline, options: options)
        let calibration = try StaticCalibration(
            encoder, pipeline: pipeline, count: samples, heldOutCount: heldOut, seed: seed, guidance: guidance,
            precision: precision.dtype)

        let methods = StaticMethod.allCases
        var line = ProgressLine(total: samples + (2 + methods.count) * heldOut, of: "runs")
        var done = 0
        func step() {
            done += 1
            line.show(done)
        }
        let (_, learned) = try adapters.collectingStatistics { try calibration.calibrate(adapters, progress: step) }
        let (truths, seen) = try adapters.collectingStatistics { try calibration.predict(adapters, progress: step) }
        for layer in (adapters.mixtures.map(\.layer)) where !(learned[layer]!.isFinite && seen[layer]!.isFinite) {
            throw FileError(adapter, key: layer, expected: "finite activations", found: "NaN or infinite ones")
        }
        adapters.strength = 0
        let plain = try calibration.predict(adapters, progress: step)
        adapters.strength = 1
        adapters.remove()

        let conversion = StaticConversion(adapters, statistics: learned)
        let naming = AdapterNaming.flux(pipeline.transformer.configuration)
        var results: [StaticResult] = []
        for method in methods {
            let file = conversion.adapters(method, rank: rank, naming: naming)
            let set = try AdapterSet(file, into: pipeline.transformer)
            let guesses = try calibration.predict(set, progress: step)
            set.remove()
            results.append(
                StaticResult(
                    method: method, rank: method == .averageFactors ? adapters.mixtures[0].rank : rank,
                    outputError: StaticCalibration.relativeError(guesses, truths),
                    effectError: StaticCalibration.relativeError(guesses, truths, besides: plain),
                    layers: conversion.reports(method, rank: rank, on: seen)))
        }
        let best = results.min { $0.outputError < $1.outputError }!.method
        let chosen = StaticMethod(rawValue: method.rawValue) ?? best
        print(StaticTable(results, adapters: adapters, learned: learned, chosen: chosen).text)
        try write(conversion.adapters(chosen, rank: rank, naming: naming), results.first { $0.method == chosen }!)
    }

    private func write(_ file: AdapterFile, _ result: StaticResult) throws {
        var metadata = try AdapterSource.metadata(adapter)
        metadata["diptych.static"] =
            "\(result.method.rawValue), rank \(result.rank), \(samples) samples of "
            + "\(URL(filePath: data).lastPathComponent), seed \(seed), relative error "
            + String(format: "%.4f", result.outputError)
        let contents = try file.exported(as: format.format, dtype: dtype.dtype)
        let header = contents.metadata.merging(metadata.header(for: format.format, output: output)) { ours, _ in ours }
        try SafetensorsFile.write(contents.tensors, metadata: header, to: output)
        let elements = contents.tensors.reduce(0) { $0 + $1.tensor.count }
        print(
            "\(output): \(contents.tensors.count) tensors, \(elements.grouped) numbers, method \(result.method.rawValue)"
        )
        ([format.format.readers] + contents.notices).forEach(note)
    }
}
