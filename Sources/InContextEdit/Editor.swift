public import Adapters
import Autograd
import Models
import NeuralNet
public import TensorCore
public import TensorIO

/// Edits images by an instruction, as the pipeline's framework does it, with whatever adapters are injected into its
/// transformer.
public struct Editor {
    /// What to do, and how carefully.
    public struct Options: Sendable {
        /// Seeds PyTorch's CPU generator.
        public var seed: UInt64 = 42
        /// What is taken from that generator.
        public var noise = NoiseDraws.diffusers
        /// Euler steps.
        public var steps = 28
        /// The guidance scale, fed to the guidance embedding; nil is the framework's.
        public var guidance: Float?
        /// Text tokens of the long encoder.
        public var maximumSequenceLength = 512
        /// Width of a panel in pixels; images of other widths are resized.
        public var panelWidth = 512
        /// The type of the activations.
        public var precision = DType.float32
        /// How the instruction becomes a prompt; nil is the framework's way.
        public var promptForm: PromptForm?
        /// How the panels of a diptych lie; adapters know what they were trained on.
        public var panelLayout = PanelLayoutChoice.beside

        /// Upstream's defaults.
        public init() {}
    }

    /// An edited image and what it was cut from.
    public struct Result: Sendable {
        /// The edited panel.
        public let image: Image
        /// The whole canvas in `[-1, 1]`, `[1, 3, canvasHeight, canvasWidth]`, before rounding to bytes.
        public let canvas: Tensor
        /// The sizes, and how the panels lie.
        public let geometry: DiptychGeometry
        /// Both panels: as the model generated them, or where the source is a reference, the source beside its edit.
        public let diptych: Diptych
    }

    /// How far an edit is.
    public enum Progress {
        /// The prompt goes through the text encoders.
        case encodingText
        /// The picture goes through the autoencoder.
        case encodingImage
        /// The packed latents after so many steps; after none they are the noise.
        case sampled(steps: Int, latents: Tensor)
        /// The latents go through the autoencoder.
        case decoding
    }

    /// The frozen model.
    public let pipeline: EditPipeline

    /// What is injected into its transformer.
    public let adapters: [AdapterSet]

    /// Edits with `pipeline`, into whose transformer `adapters` are injected: their routers may want to see the text.
    public init(_ pipeline: EditPipeline, adapters: [AdapterSet] = []) {
        self.pipeline = pipeline
        self.adapters = adapters
    }

    /// Edits with `pipeline` and one set of adapters, if any.
    public init(_ pipeline: EditPipeline, adapters: AdapterSet?) {
        self.init(pipeline, adapters: adapters.map { [$0] } ?? [])
    }

    /// The panel that `image` becomes: resized to the panel's width with Pillow's bicubic filter, as upstream does.
    ///
    /// Throws ``DiptychSizeError`` when the panel would be too large.
    public static func panel(_ image: Image, width: Int) throws(DiptychSizeError) -> Image {
        let geometry = try DiptychGeometry(fitting: image.width, image.height, panelWidth: width)
        if image.width == geometry.panelWidth && image.height == geometry.panelHeight { return image }
        return image.resized(width: geometry.panelWidth, height: geometry.panelHeight, filter: .bicubic)
    }

    /// Edits `image` by `fields.instruction`. `observe` hears how far it is.
    ///
    /// Throws ``PromptError`` when a field is missing, ``DiptychSizeError`` when the picture is too long for its width,
    /// `FileError` that names the model or the adapter which first gave numbers that are not finite, and what `observe`
    /// throws.
    public func edit(
        _ image: Image, _ fields: PromptFields, options: Options = Options(),
        observe: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        let panel = try Self.panel(image, width: options.panelWidth)
        let framework = pipeline.framework
        let panelLayout = framework.panelLayout(
            options.panelLayout, panelWidth: panel.width, panelHeight: panel.height)
        let prompt = try (options.promptForm ?? framework.promptForms[0]).prompt(fields, panelLayout: panelLayout)
        let diptych = Diptych(editing: panel, panelLayout: panelLayout)
        try observe(.encodingText)
        let encoded = try Profile.phase("text") {
            try pipeline.encode([prompt], maximumLength: options.maximumSequenceLength)
        }
        try observe(.encodingImage)
        let geometry = diptych.geometry
        let start = try Profile.phase("image to latents") {
            try framework.start(
                diptych, pipeline.frozenEncoders, options.noise, seed: options.seed, precision: options.precision)
        }
        let conditioning = pipeline.conditioning(
            source: start.source, text: encoded.text, pooled: encoded.pooled,
            guidance: options.guidance ?? framework.defaultGuidance, geometry: geometry)
        MemoryAccount.trim()
        let latents = try Profile.phase("sampling") {
            try sample(from: start.noise, conditioning, geometry: geometry, options: options, observe: observe)
        }
        pipeline.transformer.weightStream.leave()
        MemoryAccount.trim()
        try observe(.decoding)
        let canvas = Profile.phase("latents to image") { pipeline.decode(latents, geometry: geometry) }
        guard canvas.isFinite else { throw pictureFault(from: start.noise, geometry, options) }
        let edited = Image(tensor: geometry.panel(.edited, of: canvas).contiguous().squeezed(0))
        let both =
            panelLayout == .reference
            ? Diptych(source: panel, edited: edited)
            : Diptych(canvas: Image(tensor: canvas.squeezed(0)), geometry: geometry)
        return Result(image: edited, canvas: canvas, geometry: geometry, diptych: both)
    }

    /// Follows the flow from `noise` (packed, `[1, tokens, 64]`) to clean packed latents.
    func sample(
        from noise: Tensor, _ conditioning: Conditioning, geometry: DiptychGeometry, options: Options,
        observe: (Progress) throws -> Void
    ) throws -> Tensor {
        let schedule = FlowMatchEuler(
            steps: options.steps, tokenCount: geometry.tokenCount, configuration: pipeline.scheduler)
        func velocity(at latents: Tensor, _ step: Int) -> Tensor {
            withoutGradients {
                pipeline.transformer.velocity(
                    latents, time: Tensor([schedule.sigmas[step]], [1]), conditioning, precision: options.precision
                ).value
            }
        }
        var latents = noise
        try observe(.sampled(steps: 0, latents: latents))
        for step in 0..<schedule.steps {
            let prediction = velocity(at: latents, step)
            guard prediction.isFinite else {
                throw VelocityFault(pipeline, adapters: adapters, precision: options.precision).error(
                    when: ", step \(step + 1) of \(schedule.steps)", fresh: { velocity(at: noise, step) }
                ) { velocity(at: latents, step) }
            }
            latents = schedule.advance(latents, velocity: prediction, step: step)
            try observe(.sampled(steps: step + 1, latents: latents))
        }
        return latents
    }

    /// The error for a picture that is not finite: the autoencoder's fault, unless it decodes the noise that all began with.
    private func pictureFault(from noise: Tensor, _ geometry: DiptychGeometry, _ options: Options) -> FileError {
        let fault = pipeline.parts.notFinite(.vae, "picture", pipeline.encoders.vaeType)
        guard pipeline.decode(noise, geometry: geometry).isFinite else { return fault }
        let paths = adapters.filter { $0.strength != 0 }.compactMap(\.path)
        return FileError(
            paths.isEmpty ? pipeline.parts.place(of: .transformer) : paths.joined(separator: " and "),
            expected: "latents that a picture can be decoded from",
            found: "ones so large that \(fault.found)")
    }
}
