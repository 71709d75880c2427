public import InContextEdit
public import TensorCore
public import TensorIO

/// A pair as the trainer sees it: the frozen encoders' outputs.
public struct EncodedSample: Sendable {
    /// Clean packed latents of the canvas, `[tokens, 64]`.
    public let clean: Tensor
    /// Packed latents that show the model the source, `[tokens, 64]`; see `EditFramework.sourceLatents`.
    public let source: Tensor
    /// The prompt's vectors.
    public let text: EncodedText
}

/// What the text encoders make of a prompt.
public struct EncodedText: Sendable {
    /// `[T, d]`.
    public let sequence: Tensor
    /// `[p]`.
    public let pooled: Tensor

    /// The same cut after `count` tokens.
    func prefix(_ count: Int) -> EncodedText {
        count >= sequence.shape[0] ? self : EncodedText(sequence: sequence.sliced(axis: 0, 0..<count), pooled: pooled)
    }
}

/// The pictures of a sample before the trainer's thread has seen them.
public enum LoadedPictures: Sendable {
    /// Both panels, decoded and resized, still to be encoded.
    case panels(source: Image, target: Image)
    /// Latents of the canvas and of the source, `[tokens, 64]` each.
    case latents(clean: Tensor, source: Tensor)
}

/// What is read ahead of the trainer.
public struct LoadedSample: Sendable {
    /// The pictures.
    public var pictures: LoadedPictures
    /// The prompt's vectors, where they come from a file.
    public var text: EncodedText?
}

/// Where a loader's samples come from: encoders that run now, or a cache of what they gave.
public protocol SampleSource: AnyObject {
    /// The pairs.
    var dataset: PairDataset { get }
    /// The shapes of their diptychs.
    var shapes: PanelShapes { get }
    /// How the model is asked for an edit.
    var framework: any EditFramework { get }
    /// Reads what a draw needs, on any thread. Throws ``FileError`` when something of it cannot be read.
    var read: @Sendable (SampleDraw) throws -> LoadedSample { get }
    /// Makes a sample of what was read, on the trainer's thread.
    func sample(_ draw: SampleDraw, _ loaded: LoadedSample) throws -> EncodedSample
    /// A prompt's vectors; the empty prompt stands for dropped text.
    func text(_ prompt: String) throws -> EncodedText
    /// The tokens of a prompt before padding, the end among them.
    func tokenCount(of prompt: String) throws -> Int
}
