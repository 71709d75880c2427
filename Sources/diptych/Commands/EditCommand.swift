import Adapters
import ArgumentParser
import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import Training

/// `diptych edit --base DIR --image cat.jpg --instruction "make the cat blue" -o out.png`
struct EditCommand: Subcommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Edits an image by an instruction, with or without an adapter.",
        examples: [
            CommandExample(
                "an edit with an adapter",
                "diptych edit --base FLUX.1-Fill-dev --adapter adapter.safetensors --image cat.jpg --instruction \"make the cat blue\" -o out.png"
            ),
            CommandExample(
                "quantised files, little memory",
                "diptych edit --base fill --transformer fill/flux-q4_0.gguf --t5 fill/t5.gguf --clip fill/clip_l.safetensors --vae fill/ae.safetensors --memory 4GiB --image cat.jpg --instruction \"make the cat blue\" -o out.png"
            ),
            CommandExample(
                "two adapters, each at its strength",
                "diptych edit --base FLUX.1-Fill-dev --adapter edit.safetensors --adapter style.safetensors:0.6 --image cat.jpg --instruction \"make it a watercolour\" -o out.png"
            ),
        ])

    @OptionGroup var common: CommonOptions

    @OptionGroup var base: BaseOptions

    @Option(
        name: .long,
        help: """
            An adapter: a .safetensors file, a checkpoint or a run's folder, its strength behind a colon (a.safetensors:0.8). \
            May be given several times.
            """, completion: .file(extensions: ["safetensors", "h5"]))
    var adapter: [AdapterArgument] = []

    @Option(
        name: .long, parsing: .unconditional,
        help: "A factor on the strength of all adapters: 1 as trained, 0 for the base alone.")
    var strength: Float = 1

    @Option(
        name: .long, help: "The image to edit (PNG, JPEG or WebP).",
        completion: .file(extensions: StoredImageFormat.suffixes))
    var image: String

    @Option(name: .long, help: "What to change, such as \"make the cat blue\".")
    var instruction: String

    @Option(
        name: .long, parsing: .unconditional,
        help: "Seeds the random numbers, those of PyTorch's CPU generator.")
    var seed: UInt64 = 42

    @Option(
        name: .long,
        help: """
            What is taken from the seed's numbers: diffusers, for the pictures of diffusers' FluxFillPipeline and ICEdit's \
            scripts; or noise-only, where the picture is encoded without chance.
            """)
    var noise = NoiseDraws.diffusers

    @Option(name: .long, parsing: .unconditional, help: "Sampling steps, at most \(Self.mostSteps).")
    var steps = 28

    @Option(
        name: .long, parsing: .unconditional,
        help: "Guidance scale, fed to the guidance embedding: 50 unless given, 2.5 with a Kontext base.")
    var guidance: Float?

    @Option(name: .long, parsing: .unconditional, help: "Text tokens of the long encoder, at most \(Self.mostTokens).")
    var maxSequenceLength = 512

    @Option(
        name: .long, parsing: .unconditional,
        help: "Width of a panel in pixels, a multiple of 16; the image is resized to it.")
    var panelWidth = 512

    @Option(name: .long, help: "Type of the activations: float32 or bfloat16.")
    var precision = ActivationType.float32

    @Option(name: .long, help: "Type of the autoencoder's activations: float32 or bfloat16.")
    var vaePrecision = ActivationType.float32

    @Option(
        name: .long,
        help: "Tiles for the autoencoder, with the same result in less memory: auto (above 1024 x 2048), on or off.")
    var vaeTiling = AutoencoderTiling.Mode.automatic

    @Option(name: .long, parsing: .unconditional, help: "Rows of pixels in a tile.")
    var vaeTileSize = AutoencoderTiling().tileSize

    @Option(name: .long, help: "Type of the text encoders' activations: float32 or bfloat16.")
    var textEncoderPrecision = ActivationType.float32

    @Option(name: .long, help: "What transparent parts of the image are laid over: \(ImageBackground.expected).")
    var background = ImageBackground.white

    @Option(
        name: .long,
        help: "How the instruction becomes a prompt: in_context or direct. With a Kontext base direct, else in_context."
    )
    var promptForm: InstructionForm?

    @Option(
        name: [.long, .customLong("arrangement")],
        help: """
            How the panels lie: beside, stacked or auto (stacked where the image is wider than tall). As the adapter was \
            trained where its file says so, else beside.
            """)
    var panelLayout: PanelLayoutChoice?

    @OptionGroup var threads: ThreadOptions

    @OptionGroup var memory: MemoryOptions

    @Flag(name: .long, help: "At the end, print where the time went by operation, and the memory by phase.")
    var profile = false

    @Option(name: .shortAndLong, help: "Where the edited image goes (.png or .jpg).", completion: .file())
    var output: String

    @Option(name: .long, help: "Where the whole diptych goes (.png or .jpg).", completion: .file())
    var saveDiptych: String?

    private static let mostSteps = 1000
    private static let mostTokens = 512
    private static let widestPanel = 8192
    private static let largestTile = 65_536

    enum InstructionForm: String, ExpressibleByArgument, CaseIterable {
        case inContext = "in_context"
        case direct
        var form: PromptForm { self == .inContext ? .inContext : .direct }
    }

    func validate() throws {
        var faults = adapter.compactMap(\.fault)
        if !(1...Self.mostSteps).contains(steps) {
            faults.append("--steps: expected 1 to \(Self.mostSteps), found \(steps)")
        }
        if !(1...Self.mostTokens).contains(maxSequenceLength) {
            faults.append("--max-sequence-length: expected 1 to \(Self.mostTokens), found \(maxSequenceLength)")
        }
        if !(16...Self.widestPanel).contains(panelWidth) || panelWidth % 16 != 0 {
            faults.append(
                "--panel-width: expected a multiple of 16 from 16 to \(Self.widestPanel), found \(panelWidth)")
        }
        if !strength.isFinite { faults.append("--strength: expected a number, found \(strength)") }
        if let guidance, !guidance.isFinite || guidance < 0 {
            faults.append("--guidance: expected a number of 0 or more, found \(guidance)")
        }
        if !(8...Self.largestTile).contains(vaeTileSize) {
            faults.append("--vae-tile-size: expected 8 to \(Self.largestTile), found \(vaeTileSize)")
        }
        if instruction.allSatisfy(\.isWhitespace) { faults.append("--instruction: expected some text, found none") }
        for (flag, path) in [("--output", output), ("--save-diptych", saveDiptych ?? "x.png")]
        where !["png", "jpg", "jpeg"].contains(URL(filePath: path).pathExtension.lowercased()) {
            faults.append("\(flag): expected a name that ends in .png, .jpg or .jpeg, found '\(path)'")
        }
        if let saveDiptych, saveDiptych == output {
            faults.append("--save-diptych: expected another file than --output, found '\(saveDiptych)' twice")
        }
        if !faults.isEmpty { throw ValidationError(faults.joined(separator: "; ")) }
    }

    func run() throws {
        threads.apply()
        var inputs = InputFiles()
        inputs.add(image, "the image")
        inputs.add(base.parts)
        inputs.add(adapter)
        try inputs.requireOutput(output)
        if let saveDiptych {
            try inputs.requireOutput(saveDiptych, option: "--save-diptych")
            try InputFiles.requireDistinct(output, saveDiptych, option: "--save-diptych", otherOption: "--output")
        }
        let (source, isTransparent) = try Image.decode(contentsOf: image, background: background)
        let panelLayout = try AdapterSource.panelLayout(panelLayout, adapter.map(\.source))
        let framework = try base.chosenFramework().framework
        let panel = try DiptychGeometry(
            fitting: source.width, source.height, panelWidth: panelWidth, panelLayout: panelLayout,
            framework: framework)
        let promptForm = promptForm?.form ?? framework.promptForms[0]
        guard framework.promptForms.contains(promptForm) else {
            let forms = framework.promptForms.map(\.rawValue).joined(separator: " or ")
            throw ValidationError(
                "--prompt-form: expected \(forms) with the framework \(framework.name), found \(promptForm.rawValue)")
        }
        var encoders = EncoderOptions()
        encoders.vaeType = vaePrecision.dtype
        encoders.tiling = AutoencoderTiling(mode: vaeTiling, tileSize: vaeTileSize)
        encoders.textType = textEncoderPrecision.dtype
        let pipeline = try EditPipeline(base.parts, encoders: encoders, framework: framework.name)
        let adapters = try AdapterSource.load(adapter.map(\.source), into: pipeline)
        for set in adapters { set.strength *= strength }
        if panel.panelWidth != source.width || panel.panelHeight != source.height {
            let size = "\(panel.panelWidth) x \(panel.panelHeight)"
            let change = PairNotes.note(
                width: source.width, height: source.height, panelWidth: panel.panelWidth,
                panelHeight: panel.panelHeight)
            note(
                "\(image): resized from \(source.width) x \(source.height) to \(size)\(change.map { ", " + $0 } ?? "")")
        }
        if isTransparent { note("\(image): has transparent parts, laid on \(background) (--background)") }
        let fields = PromptFields(instruction: instruction)
        if promptForm == .inContext, PromptForm.repeatsTrigger(instruction) {
            note("the instruction has the sentence of the prompt form in_context already; it is not said twice")
        }
        let prompt = try promptForm.prompt(fields, panelLayout: panel.panelLayout)
        for line in PairNotes.notes(
            ofPrompt: prompt, pipeline.textEncoders.tokenizers, maximumLength: maxSequenceLength)
        {
            note(line)
        }
        var options = Editor.Options()
        options.seed = seed
        options.noise = noise
        options.steps = steps
        options.guidance = guidance
        options.maximumSequenceLength = maxSequenceLength
        options.panelWidth = panelWidth
        options.precision = precision.dtype
        options.promptForm = promptForm
        options.panelLayout = panelLayout

        let choice = try memory.choose(tiling: encoders.tiling, isVerbose: common.verbose) { isStreamed, tiling in
            var encoders = encoders
            encoders.tiling = tiling
            return MemoryPlan.editing(
                FrozenWeights(pipeline.transformer, vae: pipeline.vae, textEncoders: pipeline.textEncoders),
                flux: pipeline.transformer.configuration, t5: pipeline.textEncoders.t5.configuration,
                vae: pipeline.vae.configuration, geometry: panel, textLength: maxSequenceLength,
                precision: options.precision, encoders: encoders,
                adapterBytes: 4 * adapters.reduce(0) { $0 + $1.parameterCount },
                isStreamed: isStreamed)
        }
        if memory.dryRun { return }
        if let choice {
            pipeline.adopt(choice)
            MemoryAccount.ownedLimit = choice.ownedLimit
        }

        let bar = ProgressBar()
        let measured = Profile()
        let begin = ContinuousClock.now
        func edit() throws -> Editor.Result {
            try Editor(pipeline, adapters: adapters).edit(
                source, fields, options: options
            ) { bar.show($0.work(of: steps)) }
        }
        let result = profile ? try measured.record(edit) : try edit()
        bar.finish()
        if profile { print(measured.table(total: begin.duration(to: .now) / .seconds(1))) }
        try result.image.write(to: output)
        print("\(output): \(result.image.width) x \(result.image.height)")
        if let saveDiptych {
            let canvas = result.diptych.canvas
            try canvas.write(to: saveDiptych)
            print("\(saveDiptych): \(canvas.width) x \(canvas.height)")
        }
    }
}
