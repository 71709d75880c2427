public import InContextEdit
import Models
import Synchronization
import TensorCore
import TensorIO

/// Runs the frozen VAE and text encoders over the pairs of a dataset; where samples are kept, once for each pair and
/// each distinct prompt.
public final class SampleEncoder: SampleSource {
    /// How pairs become samples.
    public struct Options: Sendable, Hashable {
        /// The shapes that diptychs may have.
        public var shapes: [DiptychGeometry]
        /// Text tokens of the long encoder.
        public var maximumSequenceLength: Int
        /// What is drawn of a pair.
        public var draws = DrawOptions()
        /// Whether encoded pairs and prompts stay in memory for the next epoch.
        public var keepsSamples: Bool
        /// How the model is asked for an edit.
        public var framework = FrameworkName.fill

        /// Collects the options, with panels of one shape beside each other.
        public init(
            panelWidth: Int, panelHeight: Int, maximumSequenceLength: Int, promptForm: PromptForm,
            keepsSamples: Bool = true
        ) {
            shapes = [DiptychGeometry(panelWidth: panelWidth, panelHeight: panelHeight)]
            self.maximumSequenceLength = maximumSequenceLength
            self.keepsSamples = keepsSamples
            draws.promptForm = promptForm
        }
    }

    /// Latents of a pair, `[tokens, 64]` each.
    struct Latents: Sendable {
        var clean: Tensor
        var source: Tensor
    }

    /// What stays in memory, for the threads that read ahead too.
    private final class Kept: Sendable {
        let pictures = Mutex<[Int: LoadedPictures]>([:])
    }

    /// The pairs.
    public let dataset: PairDataset
    /// How they become samples.
    public let options: Options
    /// The shapes of their panels.
    public let shapes: PanelShapes
    /// How the model is asked for an edit.
    public var framework: any EditFramework { options.framework.framework }
    private let encoders: FrozenEncoders
    private let kept = Kept()
    private var texts: [String: EncodedText] = [:]

    /// Encodes `dataset` with frozen encoders. Throws ``DatasetError`` that names every pair without a field that its
    /// prompt needs.
    public init(_ dataset: PairDataset, encoders: FrozenEncoders, options: Options) throws(DatasetError) {
        precondition(
            !options.keepsSamples || !options.draws.variesPictures, "what is kept cannot vary from draw to draw")
        try dataset.requirePrompts(options.draws)
        self.dataset = dataset
        self.encoders = encoders
        self.options = options
        shapes = PanelShapes(options.shapes, of: dataset)
    }

    /// The same with the encoders of a pipeline, and as it is asked for edits.
    public convenience init(
        _ dataset: PairDataset, pipeline: EditPipeline, options: Options
    ) throws(DatasetError) {
        var options = options
        options.framework = pipeline.framework.name
        try self.init(dataset, encoders: pipeline.frozenEncoders, options: options)
    }

    /// Decodes and resizes both panels, unless the pair's latents are kept.
    public var read: @Sendable (SampleDraw) throws -> LoadedSample {
        { [dataset, shapes, kept] draw in
            if let known = kept.pictures.withLock({ $0[draw.index] }) { return LoadedSample(pictures: known) }
            let shape = shapes[draw.index]
            let panels = try dataset.panels(
                at: draw.index, width: shape.panelWidth, height: shape.panelHeight, view: draw.view)
            return LoadedSample(pictures: .panels(source: panels.source, target: panels.target))
        }
    }

    /// Encodes what was read. Throws `FileError` when a model gives numbers that are not finite.
    public func sample(_ draw: SampleDraw, _ loaded: LoadedSample) throws -> EncodedSample {
        let text = try text(draw.prompt)
        switch loaded.pictures {
        case .latents(let clean, let source): return EncodedSample(clean: clean, source: source, text: text)
        case .panels(let source, let target):
            let diptych = Diptych(source: source, edited: target, panelLayout: shapes[draw.index].panelLayout)
            let latents = try latents(of: diptych)
            if options.keepsSamples {
                kept.pictures.withLock { $0[draw.index] = .latents(clean: latents.clean, source: latents.source) }
            }
            return EncodedSample(clean: latents.clean, source: latents.source, text: text)
        }
    }

    /// The sample number `index` as it is without any choice. Throws `FileError` when a picture cannot be read or a model
    /// gives numbers that are not finite.
    public func sample(at index: Int) throws -> EncodedSample {
        let prompt = try options.draws.prompts(of: dataset.records[index], panelLayout: shapes[index].panelLayout)[0]
        let draw = SampleDraw(index: index, prompt: prompt)
        return try sample(draw, try read(draw))
    }

    /// The latents of the canvas and of the source.
    func latents(of diptych: Diptych) throws -> Latents {
        let clean = try encoders.packedLatents(diptych.canvas.tensor().unsqueezed(0))
        let source = try framework.sourceLatents(diptych, encoders, drawing: nil)
        return Latents(clean: clean.squeezed(0), source: source.squeezed(0))
    }

    /// A prompt's vectors; the empty prompt stands for dropped text. Throws `FileError` when they are not finite.
    public func text(_ prompt: String) throws -> EncodedText {
        if let known = texts[prompt] { return known }
        let encoded = try encoders.encode([prompt], maximumLength: options.maximumSequenceLength)
        let text = EncodedText(sequence: encoded.text.squeezed(0), pooled: encoded.pooled.squeezed(0))
        // The empty prompt comes again and again; of the others there may be millions, of megabytes each.
        if options.keepsSamples || prompt.isEmpty { texts[prompt] = text }
        return text
    }

    /// The tokens of a prompt before padding.
    public func tokenCount(of prompt: String) -> Int {
        encoders.textEncoders.tokenCount(of: prompt, maximumLength: options.maximumSequenceLength)
    }
}

extension PairDataset {
    /// Throws ``DatasetError`` that names every pair without a field that a prompt needs.
    func requirePrompts(_ draws: DrawOptions) throws(DatasetError) {
        var faults: [FileError] = []
        for (index, record) in records.enumerated() {
            do {
                // The panel layout changes words, not the fields that they need.
                _ = try draws.prompts(of: record, panelLayout: .beside)
            } catch {
                faults.append(
                    FileError(
                        listPath, key: "pair \(index + 1)",
                        expected: "the key '\(error.field)' for prompts of the form '\(error.form.rawValue)'",
                        found: "none"))
            }
        }
        if !faults.isEmpty { throw DatasetError(faults: faults) }
    }

    /// Every prompt that may be drawn for diptychs of these shapes, each once, in the order of the pairs; the empty one
    /// first.
    package func distinctPrompts(_ draws: DrawOptions, _ shapes: PanelShapes) throws -> [String] {
        var known: Set = [""]
        var prompts = [""]
        for (index, record) in records.enumerated() {
            for prompt in try draws.prompts(of: record, panelLayout: shapes[index].panelLayout)
            where known.insert(prompt).inserted { prompts.append(prompt) }
        }
        return prompts
    }
}
