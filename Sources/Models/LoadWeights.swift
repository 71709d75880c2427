import Autograd
import NeuralNet
import TensorCore
import TensorIO

/// Builds a model from an archive: throws `WeightError` with all keys that do not fit, and `FileError` for a weight that
/// is not a floating-point number.
func loadWeights<Model: Module>(
    _ archive: any TensorArchive, _ build: (WeightLoader) throws -> Model
) throws -> Model {
    let loader = WeightLoader(archive)
    let model = try build(loader)
    try loader.finish()
    // What was needed for converting weights is of no size that the model will ask for.
    MemoryAccount.trim()
    for (name, parameter) in model.namedParameters() where !parameter.dtype.isFloatingPoint {
        throw FileError(archive.path, key: name, expected: "a floating-point type", found: "\(parameter.dtype)")
    }
    return model
}
