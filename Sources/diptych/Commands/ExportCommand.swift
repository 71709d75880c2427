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
            alone; 'diptych flatten-moe' makes a plain LoRA of them for all other programs. A DoRA goes into all but 'icedit', a \
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
    var format = AdapterLayout.diffusers

    @OptionGroup var file: AdapterFileOptions

    @Option(
        name: .long,
        help: """
            The base's folder or file, for its proportions; without it the adapter's own layers tell them, as far as a model \
            like FLUX.1 [Fill] goes.
            """)
    var base: String?

    @Flag(name: .long, help: "Export the moving average of the weights instead of the last ones.")
    var average = false

    func validate() throws {
        if average, AdapterSource(source).safetensorsFile != nil {
            throw ValidationError("--average: expected a run or a checkpoint, found '\(source)'")
        }
    }

    func run() throws {
        var inputs = InputFiles()
        inputs.add(source, "the adapter")
        if let base { inputs.add(base, "the base", isClosed: true) }
        try inputs.requireOutput(file.output)
        let export = try AdapterExport(
            source, as: format.format, dtype: file.dtype.dtype, base: base, average: average)
        export.sourceNotices.forEach(note)
        try export.write(to: file.output)
        print(
            "\(file.output): \(export.contents.tensors.count) tensors, \(export.elementCount.grouped) numbers, "
                + export.origin)
        export.notices.forEach(note)
    }
}
