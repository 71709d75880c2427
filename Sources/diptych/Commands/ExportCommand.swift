import Adapters
import ArgumentParser
import Foundation
import InContextEdit
import TensorCore
import TensorIO
import Training

/// `diptych export RUN --format peft -o adapter.safetensors`
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes a trained adapter as a LoRA file for other programs.",
        discussion: """
            Formats: 'peft' is what diffusers and PEFT load; mixtures, which they do not know, take the layout of ICEdit's \
            released weights. 'icedit' is that layout with every scale multiplied in, for ICEdit's own programs. 'diptych' \
            keeps every number and setting for this program.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "A run's folder or a checkpoint.", completion: .file(extensions: ["h5"]))
    var source: String

    @Option(name: .long, help: "peft, icedit or diptych.")
    var format = Layout.peft

    @Option(
        name: .shortAndLong, help: "The file to write (.safetensors).", completion: .file(extensions: ["safetensors"]))
    var output: String

    @Option(name: .long, help: "Type of the numbers: float32, bfloat16 or float16.")
    var dtype = NumberType.float32

    @Flag(name: .long, help: "Export the moving average of the weights instead of the last ones.")
    var average = false

    enum Layout: String, ExpressibleByArgument, CaseIterable {
        case peft, icedit, diptych
        var format: AdapterFormat { AdapterFormat(rawValue: rawValue)! }
    }

    enum NumberType: String, ExpressibleByArgument, CaseIterable {
        case float32, bfloat16, float16
        var dtype: DType { DType(rawValue: rawValue)! }
    }

    func validate() throws {
        guard output.hasSuffix(".safetensors") else {
            throw ValidationError("--output: expected a name that ends in .safetensors, found '\(output)'")
        }
    }

    func run() throws {
        let path = try RunFolder.checkpoint(at: source)
        let checkpoint = try RunCheckpoint(path: path)
        let run = try RunConfiguration.parse(checkpoint.configuration, file: path)
        let adapter = run.adapterConfiguration
        let layout: AdapterFormat = format == .peft && !adapter.moeTargets.isEmpty ? .icedit : format.format
        let contents = try ExportedAdapters(
            parameters: try average ? averages(of: checkpoint, path) : checkpoint.parameters, configuration: adapter,
            format: layout, dtype: dtype.dtype)
        let metadata = contents.metadata.merging(header(run, checkpoint)) { ours, _ in ours }
        try SafetensorsFile.write(contents.tensors, metadata: metadata, to: output)

        let elements = contents.tensors.reduce(0) { $0 + $1.tensor.count }
        print("\(output): \(contents.tensors.count) tensors, \(elements.grouped) numbers, step \(checkpoint.step)")
        if layout != format.format {
            print("note: this adapter has mixtures of experts, which PEFT cannot hold: the file has ICEdit's layout")
        }
        for notice in contents.notices { print("note: \(notice)") }
    }

    private func averages(of checkpoint: RunCheckpoint, _ path: String) throws -> MemoryArchive {
        guard let averages = checkpoint.averagedParameters else {
            throw FileError(path, key: "average", expected: "a run with training.ema_decay", found: "no moving average")
        }
        return averages
    }

    /// What a reader of the file would want to know about its making.
    private func header(_ run: RunConfiguration, _ checkpoint: RunCheckpoint) -> [String: String] {
        var header = [
            "diptych.version": DiptychCommand.version,
            "diptych.base": URL(filePath: run.base.path).lastPathComponent,
            "diptych.trigger": PromptForm.trigger,
            "diptych.steps": "\(checkpoint.step)",
            "diptych.data": URL(filePath: run.data.path).lastPathComponent,
            "diptych.seed": "\(run.training.seed)",
        ]
        if let lora = run.adapter.lora { header["diptych.lora"] = "rank \(lora.rank), alpha \(lora.alpha)" }
        if let moe = run.adapter.moe {
            header["diptych.moe"] =
                "\(moe.experts) experts of rank \(moe.rank), alpha \(moe.alpha), top-\(moe.topK), \(moe.gate.rawValue)"
        }
        return header
    }
}
