public import InContextEdit
import Models
public import TensorCore
import TensorIO

/// A pair as the trainer sees it: the frozen encoders' outputs.
public struct EncodedSample: Sendable {
    /// Clean packed latents of the whole diptych, `[tokens, 64]`.
    public let clean: Tensor
    /// Packed masked-image latents and mask, `[tokens, 320]`.
    public let condition: Tensor
    /// The prompt's vectors.
    public let text: EncodedText
}

/// What the text encoders make of a prompt.
public struct EncodedText: Sendable {
    /// `[T, d]`.
    public let sequence: Tensor
    /// `[p]`.
    public let pooled: Tensor
}

/// Runs the frozen VAE and text encoders over the pairs of a dataset; where samples are kept, once for each pair and
/// each distinct prompt.
public final class SampleEncoder {
    /// How pairs become samples.
    public struct Options: Sendable, Hashable {
        /// Width of a panel in pixels, a multiple of 16.
        public var panelWidth: Int
        /// Height of a panel in pixels, a multiple of 16.
        public var panelHeight: Int
        /// Text tokens of the long encoder.
        public var maximumSequenceLength: Int
        /// How instructions become prompts.
        public var promptForm: PromptForm
        /// Whether encoded pairs and prompts stay in memory for the next epoch.
        public var keepsSamples: Bool

        /// Collects the options.
        public init(
            panelWidth: Int, panelHeight: Int, maximumSequenceLength: Int, promptForm: PromptForm,
            keepsSamples: Bool = true
        ) {
            self.panelWidth = panelWidth
            self.panelHeight = panelHeight
            self.maximumSequenceLength = maximumSequenceLength
            self.promptForm = promptForm
            self.keepsSamples = keepsSamples
        }
    }

    /// The pairs.
    public let dataset: PairDataset
    /// How they become samples.
    public let options: Options
    private let pipeline: FillPipeline
    private var samples: [Int: EncodedSample] = [:]
    private var texts: [String: EncodedText] = [:]

    /// Encodes `dataset` with the frozen parts of `pipeline`. Throws ``DatasetError`` that names every pair without a
    /// field that its prompt needs.
    public init(_ dataset: PairDataset, pipeline: FillPipeline, options: Options) throws(DatasetError) {
        var faults: [FileError] = []
        for (index, record) in dataset.records.enumerated() {
            do {
                _ = try options.promptForm.prompt(record.fields)
            } catch {
                faults.append(
                    FileError(
                        dataset.listPath, key: "pair \(index + 1)",
                        expected: "the key '\(error.field)' for prompts of the form '\(error.form.rawValue)'",
                        found: "none"))
            }
        }
        if !faults.isEmpty { throw DatasetError(faults: faults) }
        self.dataset = dataset
        self.pipeline = pipeline
        self.options = options
    }

    /// The sizes of every diptych.
    public var geometry: DiptychGeometry {
        DiptychGeometry(panelWidth: options.panelWidth, height: options.panelHeight)
    }

    /// The sample number `index`. Throws ``FileError`` when a picture cannot be read.
    public func sample(at index: Int) throws -> EncodedSample {
        if let known = samples[index] { return known }
        let panels = try dataset.panels(at: index, width: options.panelWidth, height: options.panelHeight)
        let diptych = Diptych(left: panels.source, right: panels.target)
        let clean = pipeline.packedLatents(diptych.canvas.tensor().unsqueezed(0))
        let sample = EncodedSample(
            clean: clean.squeezed(0), condition: pipeline.condition(diptych).squeezed(0),
            text: text(try options.promptForm.prompt(dataset.records[index].fields)))
        if options.keepsSamples { samples[index] = sample }
        return sample
    }

    /// A prompt's vectors; the empty prompt stands for dropped text.
    public func text(_ prompt: String) -> EncodedText {
        if let known = texts[prompt] { return known }
        let encoded = pipeline.encode([prompt], maximumLength: options.maximumSequenceLength)
        let text = EncodedText(sequence: encoded.text.squeezed(0), pooled: encoded.pooled.squeezed(0))
        // The empty prompt comes again and again; of the others there may be millions, of megabytes each.
        if options.keepsSamples || prompt.isEmpty { texts[prompt] = text }
        return text
    }
}
