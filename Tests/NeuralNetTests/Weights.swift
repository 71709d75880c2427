import NeuralNet
import TensorCore
import TensorIO

/// A loader of these tensors, in memory.
func loader(_ tensors: [(name: String, tensor: Tensor)]) -> WeightLoader {
    WeightLoader(MemoryArchive(path: "weights", tensors))
}

/// Tensors in memory, some of them in blocks.
struct StoredArchive: TensorArchive {
    let path = "weights"
    let names: [String]
    private let tensors: [String: StoredTensor]

    init(_ tensors: [(name: String, tensor: StoredTensor)]) {
        names = tensors.map(\.name)
        self.tensors = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
    }

    func info(_ name: String) -> TensorInfo? {
        switch tensors[name] {
        case nil: nil
        case .plain(let tensor): TensorInfo(dtype: tensor.dtype, shape: tensor.shape)
        case .quantized(let blocks): TensorInfo(quantization: blocks.format, shape: blocks.shape)
        }
    }

    func tensor(_ name: String) throws -> Tensor { try stored(name).expanded(to: .float32) }

    func stored(_ name: String) throws -> StoredTensor {
        guard let tensor = tensors[name] else {
            throw FileError(path, key: name, expected: "a tensor", found: "none")
        }
        return tensor
    }
}
