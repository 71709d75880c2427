import Adapters
import InContextEdit
import Models
import TensorIO
import Training

/// Where an adapter comes from: a `.safetensors` file in any layout that is read, a checkpoint, or a run's folder.
enum AdapterSource {
    /// Puts the adapter at `path` into the transformer of `pipeline`.
    static func load(_ path: String, into pipeline: FillPipeline) throws -> AdapterSet {
        let transformer = pipeline.transformer
        let width = transformer.configuration.pooledProjectionDim
        if path.hasSuffix(".safetensors") {
            return try AdapterSet(loading: SafetensorsFile(path: path), into: transformer, pooledWidth: width)
        }
        let file = try RunFolder.checkpoint(at: path)
        let checkpoint = try RunCheckpoint(path: file)
        let configuration = try RunConfiguration.parse(checkpoint.configuration, file: file)
        let adapters = try AdapterSet(
            injecting: configuration.adapterConfiguration, into: transformer, pooledWidth: width, seed: 0)
        try adapters.restoreParameters(from: checkpoint.parameters)
        return adapters
    }
}
