import Foundation
public import InContextEdit
public import Models
public import TensorCore
import TensorIO

/// Everything that the contents of a cache depend on.
public struct SampleCacheKey: Sendable, Hashable {
    /// A part of the key: its name in the file, what it is in words, and its value.
    struct Component: Sendable, Hashable {
        var name: String
        var title: String
        var value: String
    }

    let components: [Component]
    /// The type of the stored latents and embeddings.
    let precision: DType

    /// The key of `dataset` encoded by the frozen parts of a pipeline; reads pieces of their files.
    ///
    /// Throws ``FileError`` when one is missing.
    public init(
        _ dataset: PairDataset, _ parts: PipelineParts, _ encoders: EncoderOptions, _ options: SampleEncoder.Options,
        precision: DType
    ) throws {
        let autoencoder = try Fingerprint(of: [.vae], in: parts)
        let text = try Fingerprint(of: [.textEncoder, .textEncoder2, .tokenizer, .tokenizer2], in: parts)
        let shapes = options.shapes.map(\.name).joined(separator: " ")
        let draws = options.draws
        self.precision = precision
        components = [
            Component(name: "autoencoder", title: "the autoencoder", value: "\(autoencoder)"),
            Component(name: "autoencoder_type", title: "base.vae_precision", value: encoders.vaeType.rawValue),
            Component(name: "text_encoders", title: "the text encoders", value: "\(text)"),
            Component(name: "text_type", title: "base.text_encoder_precision", value: encoders.textType.rawValue),
            Component(
                name: "max_sequence_length", title: "data.max_sequence_length",
                value: "\(options.maximumSequenceLength)"),
            Component(name: "prompt_form", title: "data.prompt_form", value: draws.promptForm.rawValue),
            Component(name: "instruction", title: "data.instruction", value: draws.instruction.rawValue),
            Component(name: "panels", title: "the panels' shapes", value: shapes),
            Component(name: "background", title: "data.background", value: dataset.backgrounds),
            Component(name: "allow_mismatch", title: "data.allow_mismatch", value: dataset.mismatches),
            Component(name: "pairs", title: "the pairs of data.path", value: "\(dataset.fingerprint())"),
            Component(name: "precision", title: "data.cache_precision", value: precision.rawValue),
        ]
    }

    /// The key in a word, for each file of the cache.
    var digest: String {
        var result = Fingerprint()
        for component in components {
            result.add(component.name)
            result.add(component.value)
        }
        return result.description
    }
}

extension PairDataset {
    /// What transparent parts are laid over, of each part where they differ.
    fileprivate var backgrounds: String { ofParts { $0.background.rawValue } }
    /// Whether targets of other proportions are taken, likewise.
    fileprivate var mismatches: String { ofParts { $0.allowsMismatch ? "true" : "false" } }

    private func ofParts(_ word: (PairReading) -> String) -> String {
        let words = parts.filter { !$0.isEmpty }.map { word(files[$0.lowerBound].reading) }
        return Set(words).count == 1 ? words[0] : words.joined(separator: " ")
    }
}

extension PipelineParts {
    /// The file or folder that a part is read from.
    func place(of part: PipelineFolder.Part) -> String {
        guard let named = named(part) else { return "\(folder)/\(part)" }
        return FileManager.default.fileExists(atPath: named + "/model_index.json") ? "\(named)/\(part)" : named
    }
}
