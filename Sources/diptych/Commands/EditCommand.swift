import Adapters
import ArgumentParser
import Foundation
import InContextEdit
import TensorCore
import TensorIO
import Training

/// `diptych edit --base DIR --image cat.jpg --instruction "make the cat blue" -o out.png`
struct EditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Edits an image by an instruction, with or without an adapter.")

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "The frozen pipeline: a folder in diffusers' layout.", completion: .directory)
    var base: String

    @Option(
        name: .long, help: "An adapter: a .safetensors file, a checkpoint or a run's folder.",
        completion: .file(extensions: ["safetensors", "h5"]))
    var adapter: String?

    @Option(name: .long, help: "The adapter's strength: 1 as trained, 0 for the base alone.")
    var strength: Float = 1

    @Option(
        name: .long, help: "The image to edit (PNG or JPEG).", completion: .file(extensions: ["png", "jpg", "jpeg"]))
    var image: String

    @Option(name: .long, help: "What to change, such as \"make the cat blue\".")
    var instruction: String

    @Option(name: .long, help: "Seeds the noise; the same numbers as PyTorch's CPU generator gives.")
    var seed: UInt64 = 42

    @Option(name: .long, help: "Sampling steps.")
    var steps = 28

    @Option(name: .long, help: "Guidance that the model is told.")
    var guidance: Float = 50

    @Option(name: .long, help: "Text tokens of the long encoder.")
    var maxSequenceLength = 512

    @Option(name: .long, help: "Width of a panel in pixels, a multiple of 16; the image is resized to it.")
    var panelWidth = 512

    @Option(name: .long, help: "Type of the activations: float32 or bfloat16.")
    var precision = Precision.float32

    @Option(name: .long, help: "How the instruction becomes a prompt: in_context or direct.")
    var promptForm = InstructionForm.inContext

    @Option(name: .long, help: "Threads; 0 for one a processor.")
    var threads = 0

    @Option(name: .shortAndLong, help: "Where the edited image goes (.png or .jpg).", completion: .file())
    var output: String

    @Option(name: .long, help: "Where the whole diptych goes (.png or .jpg).", completion: .file())
    var saveDiptych: String?

    enum Precision: String, ExpressibleByArgument, CaseIterable {
        case float32, bfloat16
        var dtype: DType { self == .float32 ? .float32 : .bfloat16 }
    }

    enum InstructionForm: String, ExpressibleByArgument, CaseIterable {
        case inContext = "in_context"
        case direct
        var form: PromptForm { self == .inContext ? .inContext : .direct }
    }

    func validate() throws {
        var faults: [String] = []
        if steps < 1 { faults.append("--steps: expected at least 1, found \(steps)") }
        if maxSequenceLength < 1 {
            faults.append("--max-sequence-length: expected at least 1, found \(maxSequenceLength)")
        }
        if panelWidth < 16 || panelWidth % 16 != 0 {
            faults.append("--panel-width: expected a positive multiple of 16, found \(panelWidth)")
        }
        if !strength.isFinite { faults.append("--strength: expected a number, found \(strength)") }
        if !guidance.isFinite { faults.append("--guidance: expected a number, found \(guidance)") }
        if threads < 0 { faults.append("--threads: expected 0 or more, found \(threads)") }
        if instruction.allSatisfy(\.isWhitespace) { faults.append("--instruction: expected some text, found none") }
        for (flag, path) in [("--output", output), ("--save-diptych", saveDiptych ?? "x.png")]
        where !["png", "jpg", "jpeg"].contains(URL(filePath: path).pathExtension.lowercased()) {
            faults.append("\(flag): expected a name that ends in .png, .jpg or .jpeg, found '\(path)'")
        }
        if !faults.isEmpty { throw ValidationError(faults.joined(separator: "; ")) }
    }

    func run() throws {
        Threads.set(threads)
        let source = try Image(contentsOf: image)
        for path in [output, saveDiptych].compactMap({ $0 }) { try requireFolder(of: path) }
        let pipeline = try FillPipeline(path: base)
        if let adapter { try AdapterSource.load(adapter, into: pipeline).strength = strength }

        let panel = DiptychGeometry(fitting: source.width, source.height, panelWidth: panelWidth)
        if panel.panelWidth != source.width || panel.height != source.height {
            note("\(image): resized from \(source.width) x \(source.height) to \(panel.panelWidth) x \(panel.height)")
        }
        var options = Editor.Options()
        options.seed = seed
        options.steps = steps
        options.guidance = guidance
        options.maximumSequenceLength = maxSequenceLength
        options.panelWidth = panelWidth
        options.precision = precision.dtype
        options.promptForm = promptForm.form

        let bar = ProgressBar(total: steps)
        let result = try Editor(pipeline).edit(source, PromptFields(instruction: instruction), options: options) {
            step, _ in
            bar.update(step: step + 1)
        }
        bar.finish()
        try result.image.write(to: output)
        print("\(output): \(result.image.width) x \(result.image.height)")
        if let saveDiptych {
            try result.diptych.canvas.write(to: saveDiptych)
            print("\(saveDiptych): \(panel.canvasWidth) x \(panel.height)")
        }
    }

    /// Fails before the work when the result could not be written after it.
    private func requireFolder(of path: String) throws {
        let folder = URL(filePath: path).deletingLastPathComponent().path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw FileError(path, expected: "an existing folder", found: "no folder '\(folder)'")
        }
    }

    private func note(_ text: String) { FileHandle.standardError.write(Data("note: \(text)\n".utf8)) }
}
