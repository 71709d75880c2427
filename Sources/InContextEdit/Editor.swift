public import Adapters
import Autograd
import Models
import NeuralNet
public import TensorCore
public import TensorIO

/// Edits images by an instruction: the inpaint framework of ICEdit on a Fill model, with whatever adapters are
/// injected into its transformer.
public struct Editor {
    /// What to do, and how carefully.
    public struct Options: Sendable {
        /// Seeds the noise as PyTorch's CPU generator would.
        public var seed: UInt64 = 42
        /// Euler steps.
        public var steps = 28
        /// The guidance that the distilled model is told.
        public var guidance: Float = 50
        /// Text tokens of the long encoder.
        public var maximumSequenceLength = 512
        /// Width of a panel in pixels; images of other widths are resized.
        public var panelWidth = 512
        /// The type of the activations.
        public var precision = DType.float32
        /// How the instruction becomes a prompt.
        public var promptForm = PromptForm.inContext

        /// Upstream's defaults.
        public init() {}
    }

    /// An edited image and what it was cut from.
    public struct Result: Sendable {
        /// The right panel.
        public let image: Image
        /// The whole canvas in `[-1, 1]`, `[1, 3, H, 2 W]`, before rounding to bytes.
        public let canvas: Tensor
        /// Both panels as a picture.
        public var diptych: Diptych { Diptych(canvas: Image(tensor: canvas.reshaped(to: [3, canvas.shape[2], -1]))) }
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
    public let pipeline: FillPipeline

    /// What is injected into its transformer.
    public let adapters: [AdapterSet]

    /// Edits with `pipeline`, into whose transformer `adapters` are injected: their routers may want to see the text.
    public init(_ pipeline: FillPipeline, adapters: [AdapterSet] = []) {
        self.pipeline = pipeline
        self.adapters = adapters
    }

    /// Edits with `pipeline` and one set of adapters, if any.
    public init(_ pipeline: FillPipeline, adapters: AdapterSet?) {
        self.init(pipeline, adapters: adapters.map { [$0] } ?? [])
    }

    /// The panel that `image` becomes: resized to the panel's width with Pillow's bicubic filter, as upstream does.
    ///
    /// Throws ``DiptychSizeError`` when the panel would be too large.
    public static func panel(_ image: Image, width: Int) throws(DiptychSizeError) -> Image {
        let geometry = try DiptychGeometry(fitting: image.width, image.height, panelWidth: width)
        if image.width == geometry.panelWidth && image.height == geometry.height { return image }
        return image.resized(width: geometry.panelWidth, height: geometry.height, filter: .bicubic)
    }

    /// Edits `image` by `fields.instruction`. `observe` hears how far it is.
    ///
    /// Throws ``PromptError`` when a field is missing, ``DiptychSizeError`` when the picture is too long for its width,
    /// and what `observe` throws.
    public func edit(
        _ image: Image, _ fields: PromptFields, options: Options = Options(),
        observe: (Progress) throws -> Void = { _ in }
    ) throws -> Result {
        let prompt = try options.promptForm.prompt(fields)
        let diptych = try Diptych(source: Self.panel(image, width: options.panelWidth))
        try observe(.encodingText)
        let encoded = Profile.phase("text") {
            pipeline.encode([prompt], maximumLength: options.maximumSequenceLength)
        }
        for set in adapters { set.pooledText = set.needsPooledText ? Variable(encoded.pooled) : nil }
        try observe(.encodingImage)
        let geometry = diptych.geometry
        var random = Random(seed: options.seed)
        let noise = random.randn(geometry.latentShape(channels: pipeline.latentChannels))
        let condition = Profile.phase("image to latents") { pipeline.condition(diptych) }
        MemoryAccount.trim()
        let latents = try Profile.phase("sampling") {
            try sample(
                from: LatentPacking.pack(noise), condition: condition, text: encoded.text,
                pooled: encoded.pooled, geometry: geometry, options: options, observe: observe)
        }
        pipeline.transformer.weightStream.leave()
        MemoryAccount.trim()
        try observe(.decoding)
        let canvas = Profile.phase("latents to image") { pipeline.decode(latents, geometry: geometry) }
        let right = canvas.sliced(axis: 3, geometry.panelWidth..<geometry.canvasWidth).contiguous()
        return Result(
            image: Image(tensor: right.reshaped(to: [3, geometry.height, geometry.panelWidth])), canvas: canvas)
    }

    /// Follows the flow from `noise` (packed, `[1, tokens, 64]`) to clean packed latents.
    func sample(
        from noise: Tensor, condition: Tensor, text: Tensor, pooled: Tensor, geometry: DiptychGeometry,
        options: Options, observe: (Progress) throws -> Void
    ) throws -> Tensor {
        let schedule = FlowMatchEuler(
            steps: options.steps, tokenCount: geometry.tokenCount, configuration: pipeline.scheduler)
        var latents = noise
        try observe(.sampled(steps: 0, latents: latents))
        for step in 0..<schedule.steps {
            let velocity = withoutGradients {
                pipeline.velocity(
                    latents, condition: condition, text: text, pooled: pooled,
                    time: Tensor([schedule.sigmas[step]], [1]), guidance: options.guidance, geometry: geometry,
                    precision: options.precision
                ).value
            }
            latents = schedule.advance(latents, velocity: velocity, step: step)
            try observe(.sampled(steps: step + 1, latents: latents))
        }
        return latents
    }
}
