import DiptychData
import Models
import TensorIO
import Training

/// What commands read, and the check that they write to none of it.
extension InputFiles {
    /// Adds a pipeline: its folder, and the files in the place of its models.
    mutating func add(_ parts: PipelineParts) {
        for path in [parts.folder, parts.transformer, parts.vae, parts.clip, parts.t5].compactMap(\.self) {
            add(path, "the base", isClosed: true)
        }
    }

    /// Adds adapter files, checkpoints and runs' folders.
    mutating func add(_ adapters: [AdapterArgument]) {
        for adapter in adapters { add(adapter.source.path, "an adapter") }
    }

    /// Adds a dataset: its folder or shard, and what it lists elsewhere. The list is read only where `output` is there.
    mutating func add(dataset path: String, _ reading: PairReading = PairReading(), for output: String) {
        add(path, "the dataset")
        guard FileIdentity(output) != nil else { return }
        for picture in reading.pictures(of: path) { add(picture, "a picture of the dataset") }
    }

    /// Throws when `output`, which the command line calls `option`, is one of these files, or cannot be written: better now
    /// than after the work.
    func requireOutput(_ output: String, option: String = "--output") throws {
        try requireApart(output, option: option)
        try AtomicFile.requireWritable(output)
    }
}
