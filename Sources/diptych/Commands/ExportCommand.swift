import Adapters
import ArgumentParser
import InContextEdit
import TensorCore
import TensorIO
import Training

/// `diptych export RUN --format kohya -o adapter.safetensors`
struct ExportCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a trained adapter, or another program's, as a LoRA file in a layout of choice.",
        discussion: """
            Formats: 'diffusers' (or 'peft') is what diffusers loads. 'kohya' is that of sd-scripts, 'comfyui' ComfyUI's own, \
            both with fused projections. 'lycoris' is LyCORIS' as SimpleTuner writes it. 'icedit' is ICEdit's with every scale multiplied in, for ICEdit's own programs. \
            'diptych' keeps every number and setting for this program. Mixtures of experts go into 'icedit' and 'diptych' \
            alone; 'diptych static' makes a plain LoRA of them for all other programs. A DoRA goes into all but 'icedit', a \
            LoKr into 'lycoris' and 'diptych'.
            """,
        examples: [
            CommandExample("a run for diffusers", "diptych export Runs/mine --format diffusers -o adapter.safetensors"),
            CommandExample(
                "another program's file for ComfyUI, in half the size",
                "diptych export style.safetensors --format comfyui --dtype bfloat16 -o comfy.safetensors"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(
        help: "A run's folder, a checkpoint, or an adapter file (.safetensors) in any layout.",
        completion: .file(extensions: ["h5", "safetensors"]))
    var source: String

    @Option(name: .long, help: "diffusers (or peft), kohya, comfyui, lycoris, icedit or diptych.")
    var format = Layout.diffusers

    @Option(
        name: .shortAndLong, help: "The file to write (.safetensors).", completion: .file(extensions: ["safetensors"]))
    var output: String

    @Option(name: .long, help: "Type of the numbers: float32, bfloat16 or float16.")
    var dtype = NumberType.float32

    @Option(
        name: .long,
        help: """
            The base's folder or file, for its proportions; without it the adapter's own layers tell them, as far as a model \
            like FLUX.1 [Fill] goes.
            """)
    var base: String?

    @Flag(name: .long, help: "Export the moving average of the weights instead of the last ones.")
    var average = false

    enum Layout: String, ExpressibleByArgument, CaseIterable {
        case diffusers, peft, kohya, comfyui, lycoris, icedit, diptych
        var format: AdapterFormat { self == .diffusers ? .peft : AdapterFormat(rawValue: rawValue)! }
    }

    enum NumberType: String, ExpressibleByArgument, CaseIterable {
        case float32, bfloat16, float16
        var dtype: DType { DType(rawValue: rawValue)! }
    }

    func validate() throws {
        guard output.hasSuffix(".safetensors") else {
            throw ValidationError("--output: expected a name that ends in .safetensors, found '\(output)'")
        }
        if average, AdapterSource.file(source) != nil {
            throw ValidationError("--average: expected a run or a checkpoint, found '\(source)'")
        }
    }

    func run() throws {
        var inputs = InputFiles()
        inputs.add(source, "the adapter")
        if let base { inputs.add(base, "the base", isClosed: true) }
        try inputs.requireOutput(output)
        if let file = AdapterSource.file(source) { return try convert(file) }
        let path = try RunFolder.checkpoint(at: source)
        let checkpoint = try RunCheckpoint(path: path)
        let run = try RunConfiguration.parse(checkpoint.configuration, file: path)
        let adapter = run.adapterConfiguration
        let layout = format.format
        let parameters = try average ? averages(of: checkpoint, path) : checkpoint.parameters
        let needsNames = layout == .kohya || layout == .comfyui
        let naming = { try TransformerProportions.naming(base: base, adaptedBy: parameters) }
        let contents = try ExportedAdapters(
            parameters: parameters, configuration: adapter, format: layout,
            naming: needsNames ? naming() : (try? naming()) ?? AdapterNaming(),
            dtype: dtype.dtype)
        try write(contents, ExportMetadata(run, checkpoint), layout, from: "step \(checkpoint.step)")
    }

    /// Turns an adapter file into one of another layout.
    private func convert(_ path: String) throws {
        let file = try SafetensorsFile(path: path)
        let naming = try TransformerProportions.naming(base: base, adaptedBy: file)
        let pooledWidth = file.names.first { $0.hasSuffix("lora_route_pooled.weight") }
            .flatMap { file.info($0)?.shape.dimensions.last }
        let adapter = try AdapterFile(file, naming: naming, pooledWidth: pooledWidth)
        adapter.notices.forEach(note)
        let layout = format.format
        let contents = try adapter.exported(as: layout, dtype: dtype.dtype)
        try write(contents, ExportMetadata(file.metadata), layout, from: "from \(path)")
    }

    private func write(
        _ contents: ExportedAdapters, _ metadata: ExportMetadata, _ layout: AdapterFormat, from origin: String
    ) throws {
        let header = contents.metadata.merging(metadata.header(for: layout, output: output)) { ours, _ in ours }
        try SafetensorsFile.write(contents.tensors, metadata: header, to: output)
        let elements = contents.tensors.reduce(0) { $0 + $1.tensor.count }
        print("\(output): \(contents.tensors.count) tensors, \(elements.grouped) numbers, \(origin)")
        ([layout.readers] + contents.notices).forEach(note)
    }

    private func averages(of checkpoint: RunCheckpoint, _ path: String) throws -> MemoryArchive {
        guard let averages = checkpoint.averagedParameters else {
            throw FileError(path, key: "average", expected: "a run with training.ema_decay", found: "no moving average")
        }
        return averages
    }
}
