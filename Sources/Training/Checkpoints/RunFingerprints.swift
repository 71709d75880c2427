public import DiptychData
import InContextEdit
public import Models
public import TensorIO

/// What a run is computed from besides its configuration: fingerprints of the base's parts and of the pairs, by which they
/// are known again wherever they have moved.
public struct RunFingerprints: Sendable, Hashable {
    /// Of the transformer's files.
    public var transformer: String
    /// Of the autoencoder's files.
    public var autoencoder: String
    /// Of the files of the text encoders and their tokenizers.
    public var textEncoders: String
    /// Of the pairs in their order.
    public var pairs: String
    /// Of the pairs in any order.
    public var pairSet: String

    /// Those of a base and of pairs; reads pieces of the files. Throws `FileError` when one is missing.
    public init(_ parts: PipelineParts, _ dataset: PairDataset) throws(FileError) {
        transformer = try Fingerprint(of: [.transformer], in: parts).description
        autoencoder = try Fingerprint(of: [.vae], in: parts).description
        textEncoders = try Fingerprint(of: [.textEncoder, .textEncoder2, .tokenizer, .tokenizer2], in: parts)
            .description
        let found = dataset.fingerprints()
        (pairs, pairSet) = (found.list.description, found.set.description)
    }

    /// The names and values that a checkpoint keeps.
    static let keys: [(name: String, value: any WritableKeyPath<RunFingerprints, String> & Sendable)] = [
        ("transformer", \.transformer), ("autoencoder", \.autoencoder), ("text_encoders", \.textEncoders),
        ("pairs", \.pairs), ("pair_set", \.pairSet),
    ]

    /// Reads what a checkpoint keeps.
    init(reading root: HDF5Group) throws {
        (transformer, autoencoder, textEncoders, pairs, pairSet) = ("", "", "", "", "")
        for (name, value) in Self.keys { self[keyPath: value] = try root.attribute(name, as: String.self) }
    }

    /// Throws `FileError` that names the first thing that is not what the run began with; pairs may be others where that
    /// was asked for.
    func require(
        _ earlier: RunFingerprints, _ configuration: RunConfiguration, acceptsChangedData: Bool
    ) throws(FileError) {
        let base = configuration.base
        for (key, path, title, now, then) in [
            ("base.transformer", base.transformer, "transformer", transformer, earlier.transformer),
            ("base.vae", base.vae, "autoencoder", autoencoder, earlier.autoencoder),
            ("base.t5, base.clip", base.t5, "text encoders", textEncoders, earlier.textEncoders),
        ] where now != then {
            throw FileError(
                path ?? base.path, key: path == nil ? "base.path" : key,
                expected: "the \(title) that the run began with", found: "other weights")
        }
        guard pairs != earlier.pairs, !acceptsChangedData else { return }
        throw FileError(
            configuration.datasetPaths.joined(separator: ", "), key: "data.path",
            expected: "the pairs that the run began with, in their order",
            found: (pairSet == earlier.pairSet ? "the same pairs in another order" : "other pairs")
                + " (--changed-data goes on with them)")
    }
}
