import CKernels

extension DType {
    /// The type as kernels name it, where they read and write it in place; nil for all others.
    var kernelType: diptych_type? {
        switch self {
        case .float32: DIPTYCH_FLOAT32
        case .bfloat16: DIPTYCH_BFLOAT16
        case .float16: DIPTYCH_FLOAT16
        default: nil
        }
    }
}

extension diptych_gemm_matrix {
    /// A matrix that is not quantised; `row` and `column` are the distances between rows and between columns.
    init(data: UnsafeRawPointer?, type: diptych_type, row: Int, column: Int) {
        self.init(data: data, type: type, row: row, column: column, quantized: nil)
    }
}

/// A tensor whose elements kernels read and write in place.
struct KernelTensor {
    let tensor: Tensor
    let type: diptych_type
    let size: Int
    /// The first element, whatever the strides.
    let first: UnsafeMutableRawPointer

    /// The type must be `float32`, `bfloat16` or `float16`.
    init(_ tensor: Tensor) {
        guard let type = tensor.dtype.kernelType else { preconditionFailure("kernels do not read \(tensor.dtype)") }
        self.tensor = tensor
        self.type = type
        size = tensor.dtype.byteCount
        first = tensor.storage.base + tensor.offset * size
    }

    /// The address of an element.
    @inline(__always)
    subscript(_ element: Int) -> UnsafeMutableRawPointer { first + element * size }
}

extension CPUBackend {
    /// `x` itself where kernels read its type, converted to `float32` otherwise; strides stay.
    func kernelTensor(_ x: Tensor) -> KernelTensor {
        KernelTensor(x.dtype.kernelType == nil ? copy(x, as: .float32) : x)
    }

    /// The same without gaps.
    func dense(_ x: Tensor) -> KernelTensor {
        if x.dtype.kernelType == nil { return KernelTensor(copy(x, as: .float32)) }
        return KernelTensor(x.isContiguous ? x : copy(x, as: x.dtype))
    }

    /// Two tensors of one type that kernels read, both `float32` if their types differ; strides stay.
    func kernelTensors(_ a: Tensor, _ b: Tensor) -> (KernelTensor, KernelTensor) {
        if a.dtype == b.dtype { return (kernelTensor(a), kernelTensor(b)) }
        return (
            KernelTensor(a.dtype == .float32 ? a : copy(a, as: .float32)),
            KernelTensor(b.dtype == .float32 ? b : copy(b, as: .float32))
        )
    }
}
