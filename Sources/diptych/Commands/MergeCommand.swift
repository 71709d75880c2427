import Adapters
import ArgumentParser
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// `diptych merge --base flux1-fill-dev.safetensors --adapter style.safetensors:0.8 -o merged.safetensors`
struct MergeCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Adds adapters to a base's weights and writes it as one safetensors file.",
        discussion: """
            The file has the base's layout, names and types; quantised weights become bfloat16. Weights go through memory in \
            pieces, so that a base of any size needs little of it. LoRA, DoRA and LoKr are merged exactly. A mixture of experts cannot be merged, since which experts \
            work depends on the token: 'diptych flatten-moe' makes a plain LoRA of it first.
            """,
        examples: [
            CommandExample(
                "a base with a style in it",
                "diptych merge --base FLUX.1-Fill-dev --adapter style.safetensors:0.8 -o merged.safetensors")
        ])

    @OptionGroup var common: CommonOptions

    @Option(
        name: .long, help: "The base: a transformer's file in any layout, its folder, or a pipeline's folder.",
        completion: .file())
    var base: String

    @Option(
        name: .long,
        help: "An adapter file, its strength behind a colon (style.safetensors:0.8). May be given several times.",
        completion: .file(extensions: ["safetensors"]))
    var adapter: [AdapterArgument]

    @OptionGroup var file: SafetensorsOutput

    @OptionGroup var threads: ThreadOptions

    func validate() throws {
        if let fault = adapter.compactMap(\.fault).first { throw ValidationError(fault) }
    }

    func run() throws {
        threads.apply()
        var inputs = InputFiles()
        inputs.add(base, "the base", isClosed: true)
        inputs.add(adapter)
        try inputs.requireOutput(file.output)
        let merger = try AdapterMerger(base) { naming in
            try adapter.map { choice in
                guard let path = choice.source.safetensorsFile else {
                    throw FileError(
                        choice.source.path,
                        expected: "an adapter file (.safetensors); diptych export makes one of a run",
                        found: "another name")
                }
                let file = try AdapterFile(SafetensorsFile(path: path), naming: naming)
                file.notices.forEach(note)
                return (file, choice.source.strength)
            }
        }
        let merged = adapter.map(\.source).map { "\(URL(filePath: $0.path).lastPathComponent):\($0.strength)" }.joined(
            separator: ", ")
        let report = try merger.write(
            to: file.output,
            metadata: [
                "diptych.version": DiptychVersion.current, "diptych.merged": merged,
                "diptych.base": URL(filePath: base).lastPathComponent,
            ], progress: ProgressBar().show)
        let size = (try? FileManager.default.attributesOfItem(atPath: file.output))?[.size] as? Int ?? 0
        print(
            "\(file.output): \(merger.model.summary), \(report.changed) of \(merger.plans.count) tensors changed by "
                + "\(percent(report.relativeChange)), \(size.grouped) bytes")
        if report.relativeRounding > 0.001 {
            note("the base's type rounds \(percent(report.relativeRounding)) of what was added away")
        }
        if let notice = report.narrowing.notice { note(notice) }
    }

    private func percent(_ share: Double) -> String { String(format: "%.2f %%", share * 100) }
}
