public import Autograd
import NeuralNet
import TensorCore
public import TensorIO

/// What is trained.
extension AdapterSet {
    /// Every trained parameter with its name, in an order that depends only on model and targets.
    ///
    /// Names are those of the layer and of the method's tensors: `{layer}.lora_A.weight` (see
    /// ``AdapterMethod/tensorNames``).
    public var parameters: [(name: String, parameter: Parameter)] {
        members.flatMap { $0.adapter.namedParameters(prefix: $0.name) }
    }

    /// The number of trained elements.
    public var parameterCount: Int { parameters.reduce(0) { $0 + $1.parameter.value.count } }

    /// The number of trained elements that belong to mixtures.
    public var mixtureParameterCount: Int { mixtures.reduce(0) { $0 + $1.parameterCount } }

    /// The number of trained elements over that of the base.
    public var shareOfBase: Double { Double(parameterCount) / Double(max(baseParameterCount, 1)) }

    /// Replaces every parameter by the tensor of its name in `archive`, as ``parameters`` names and shapes them: how a
    /// checkpoint comes back. The archive may hold other tensors too.
    ///
    /// Throws `FileError` when one is missing, of another shape or not `float32`; nothing has changed then.
    public func restoreParameters(from archive: any TensorArchive, prefix: String = "") throws {
        let replacements = try parameters.map { name, parameter in
            let key = prefix + name
            let expected = "a float32 tensor of shape \(parameter.value.shape)"
            guard let info = archive.info(key) else {
                throw FileError(
                    archive.path, key: key, expected: expected, found: "none",
                    nearest: nearestName(to: key, among: archive.names))
            }
            guard info.dtype == .float32, info.shape == parameter.value.shape else {
                throw FileError(archive.path, key: key, expected: expected, found: "\(info.dtype) \(info.shape)")
            }
            return (parameter, try archive.tensor(key))
        }
        // Copied out of a mapped file, which somebody may write anew while training goes on.
        for (parameter, tensor) in replacements { parameter.replace(tensor.copied()) }
    }
}
