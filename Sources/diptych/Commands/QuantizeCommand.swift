import ArgumentParser
import Foundation
import Models
import TensorCore
import TensorIO
import Training

/// `diptych quantize INPUT -o OUTPUT --type q4_k`
struct QuantizeCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Writes a FLUX transformer or a T5 text encoder as a GGUF file with quantised weights.",
        discussion: """
            The input is a file in any layout (diffusers, Black Forest Labs, ComfyUI, GGUF), a part's folder or a whole \
            pipeline folder. Vectors, small tensors and FLUX's input and output layers keep their precision, as in \
            ComfyUI-GGUF's files; rows that no block of 256 divides take q8_0. The file can be read by ComfyUI-GGUF.
            """,
        examples: [
            CommandExample(
                "the transformer of a pipeline",
                "diptych quantize FLUX.1-Fill-dev -o flux1-fill-dev-Q4_K.gguf --type q4_k"),
            CommandExample(
                "its long text encoder",
                "diptych quantize FLUX.1-Fill-dev -o t5-Q8_0.gguf --type q8_0 --part text_encoder_2"),
        ])

    @OptionGroup var common: CommonOptions

    @Argument(help: "The model: a file or a folder.", completion: .file())
    var input: String

    @Argument(
        help: .init("The file to write (.gguf), unless --output names it.", valueName: "output"),
        completion: .file(extensions: ["gguf"]))
    var place: String?

    @Option(name: .shortAndLong, help: "The file to write (.gguf).", completion: .file(extensions: ["gguf"]))
    var output: String?

    @Option(
        name: .long, help: "\(ModelQuantizer.types.joined(separator: ", ")).", completion: .list(ModelQuantizer.types))
    var type: String

    @Option(name: .long, help: "Which model of several: transformer or text_encoder_2.")
    var part: Part?

    @Option(
        name: .long,
        help: """
            The folder of T5's tokenizer (spiece.model), which the T5 file then holds; otherwise 'tokenizer_2' in or \
            beside INPUT.
            """, completion: .directory)
    var tokenizer: String?

    @OptionGroup var threads: ThreadOptions

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case transformer
        case textEncoder2 = "text_encoder_2"
        var part: PipelineFolder.Part { self == .transformer ? .transformer : .textEncoder2 }
    }

    func validate() throws {
        guard (place == nil) != (output == nil) else {
            throw ValidationError(
                "--output: expected the file to write once, found \(place == nil ? "none" : "it twice")")
        }
        guard path.hasSuffix(".gguf") else {
            throw ValidationError("--output: expected a name that ends in .gguf, found '\(path)'")
        }
        guard ModelQuantizer.types.contains(type.lowercased()) else {
            let nearest = nearestName(to: type, among: ModelQuantizer.types).map { " (did you mean '\($0)'?)" } ?? ""
            throw ValidationError(
                "--type: expected \(ModelQuantizer.types.joined(separator: ", ")), found '\(type)'\(nearest)")
        }
    }

    /// The file to write.
    private var path: String { output ?? place ?? "" }

    func run() throws {
        threads.apply()
        var inputs = InputFiles()
        inputs.add(input, "the model", isClosed: true)
        if let tokenizer { inputs.add(tokenizer, "the tokenizer") }
        try inputs.requireOutput(path)
        let quantizer = try ModelQuantizer(input, type: type, part: part?.part, tokenizer: tokenizer)
        let bar = ProgressBar()
        var reports: [ModelQuantizer.Report] = []
        let narrowing = try quantizer.write(to: path) {
            reports.append($0)
            bar.show(WorkProgress("tensors", done: reports.count, total: quantizer.plans.count))
        }
        printTable(reports)
        printSummary(reports, quantizer.part)
        if let notice = narrowing.notice { note(notice) }
    }

    /// A line for each tensor, or without --verbose for the ten that lost most.
    private func printTable(_ reports: [ModelQuantizer.Report]) {
        let changed = reports.filter { $0.relativeError > 0 }
        let shown = common.verbose ? reports : Array(changed.sorted { $0.relativeError > $1.relativeError }.prefix(10))
        if shown.isEmpty { return }
        let width = shown.map(\.name.count).max() ?? 0
        func row(_ name: String, _ from: String, _ to: String, _ error: String) -> String {
            name.padding(toLength: width, withPad: " ", startingAt: 0) + "  "
                + from.padding(toLength: 9, withPad: " ", startingAt: 0)
                + to.padding(toLength: 6, withPad: " ", startingAt: 0) + error
        }
        print(row(common.verbose ? "tensor" : "largest errors", "from", "to", "relative error"))
        for report in shown {
            print(
                row(report.name, report.source, report.plan.type.name, String(format: "%.5f", report.relativeError)))
        }
        if !common.verbose, changed.count > shown.count {
            print("and \((changed.count - shown.count).grouped) more (--verbose lists all)")
        }
    }

    private func printSummary(_ reports: [ModelQuantizer.Report], _ part: PipelineFolder.Part) {
        let types = Dictionary(grouping: reports, by: \.plan.type.name)
            .mapValues { $0.reduce(0) { $0 + $1.plan.shape.count } }
        let counts = types.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value.grouped)" }
        let error = reports.reduce(0) { $0 + $1.squares.error }
        let numbers = reports.reduce(0) { $0 + $1.squares.numbers }
        let relative = numbers > 0 ? (error / numbers).squareRoot() : 0
        let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int ?? 0
        print(
            "\(path): \(part.title), \(reports.count.grouped) tensors (\(counts.joined(separator: ", "))), "
                + "\(size.grouped) bytes, relative error \(String(format: "%.5f", relative))")
    }
}
