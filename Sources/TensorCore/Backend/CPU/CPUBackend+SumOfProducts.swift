import CKernels

extension CPUBackend {
    /// See ``Backend/sumOfProducts(_:addend:bias:dtype:)``. With ``Engine/kernels`` the result is written once; other
    /// engines add product by product.
    public func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor {
        if engine == .oneDNN { return oneDNNSum(terms, addend: addend, bias: bias, dtype: dtype) }
        guard engine == .kernels else {
            var sum = matrixProduct(terms[0].a, terms[0].expandedFactor, bias: bias, dtype: .float32)
            for term in terms.dropFirst() {
                sum = binary(.add, sum, matrixProduct(term.a, term.expandedFactor, bias: nil, dtype: .float32))
            }
            if let addend { sum = binary(.add, sum, float32(addend)) }
            return rounded(sum, to: dtype)
        }
        if terms.count == 1, addend == nil, case .plain(let b) = terms[0].b {
            return matrixProduct(terms[0].a, b, bias: bias, dtype: dtype)
        }
        return kernelSum(terms, addend: addend, bias: bias, dtype: dtype).activated
    }

    /// See ``Backend/activatedProducts(_:bias:activation:keepsSums:dtype:)``.
    public func activatedProducts(
        _ terms: [ProductTerm], bias: Tensor?, activation: UnaryOperation, keepsSums: Bool, dtype: DType
    ) -> (activated: Tensor, sums: Tensor?) {
        if engine == .oneDNN && !keepsSums {
            return (oneDNNSum(terms, addend: nil, bias: bias, activation: activation, dtype: dtype), nil)
        }
        guard engine == .kernels, dtype != .float16, let activate = activation.inProduct else {
            let sums = sumOfProducts(terms, addend: nil, bias: bias, dtype: .float32)
            return (rounded(unary(activation, sums), to: dtype), keepsSums ? rounded(sums, to: dtype) : nil)
        }
        return kernelSum(
            terms, addend: nil, bias: bias, dtype: dtype, activate: activate, keepsSums: keepsSums)
    }

    /// See ``Backend/sumsOfProducts(_:)``. With ``Engine/kernels`` all parts of all sums are shared among the threads at
    /// once; other engines compute sum by sum.
    public func sumsOfProducts(_ sums: [ProductSum]) -> [Tensor] {
        guard engine == .kernels, sums.count > 1 else { return sums.map(single) }
        // What is computed transposed has a copy behind it, and oneDNN has parts of its own.
        let prepared = sums.map { isAlone($0) ? nil : KernelSum($0, self) }
        withExtendedLifetime(prepared) {
            PackedProduct.run(together: prepared.compactMap { $0?.product })
        }
        return zip(sums, prepared).map { sum, kernelSum in
            kernelSum.map { rounded($0.result, to: sum.dtype) } ?? single(sum)
        }
    }

    private func single(_ sum: ProductSum) -> Tensor {
        sumOfProducts(sum.terms, addend: nil, bias: sum.bias, dtype: sum.dtype)
    }

    private func isAlone(_ sum: ProductSum) -> Bool {
        guard sum.terms.count == 1, case .plain(let b) = sum.terms[0].b else { return false }
        let a = sum.terms[0].a
        return OneDNNPolicy.takesProduct(a, b, self)
            || (sum.bias == nil && isTallAndTransposed(a, columns: b.shape[1]))
    }

    private func kernelSum(
        _ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType,
        activate: PackedProduct.Activation? = nil, keepsSums: Bool = false
    ) -> (activated: Tensor, sums: Tensor?) {
        let sum = KernelSum(
            ProductSum(terms, bias: bias, dtype: dtype), addend: addend, activate: activate, keepsSums: keepsSums, self)
        withExtendedLifetime(sum) { sum.product?.run() }
        return (rounded(sum.result, to: dtype), sum.sums)
    }
}

/// A sum of products as the kernels take it, with what its pointers refer to.
private final class KernelSum {
    /// `float32`, or `bfloat16` where that is asked for.
    let result: Tensor
    /// What came before the activation, of the same type.
    let sums: Tensor?
    /// Writes both; nil where there is nothing to write. Valid while this object lives.
    let product: PackedProduct?
    private let operands: [(a: Tensor, b: RightOperand)]
    private let shift: Tensor?, base: Tensor?

    init(
        _ sum: ProductSum, addend: Tensor? = nil, activate: PackedProduct.Activation? = nil, keepsSums: Bool = false,
        _ backend: CPUBackend
    ) {
        let (m, n) = (sum.terms[0].a.shape[0], sum.terms[0].b.shape[1])
        let written: DType = sum.dtype == .bfloat16 ? .bfloat16 : .float32
        result = Tensor(uninitialized: [m, n], dtype: written)
        sums = keepsSums ? Tensor(uninitialized: [m, n], dtype: written) : nil
        if result.count == 0 {
            (operands, shift, base, product) = ([], nil, nil, nil)
            return
        }
        let operands = sum.terms.map { (a: backend.multipliable($0.a), b: RightOperand($0, backend)) }
        let shift = sum.bias.map(backend.float32)
        let base = addend.map { $0.isContiguous ? $0 : backend.copy($0, as: $0.dtype) }
        (self.operands, self.shift, self.base) = (operands, shift, base)
        product = PackedProduct(
            operands.map { diptych_gemm_term(k: $0.a.shape[1], a: backend.operand($0.a), b: $0.b.matrix) }, m: m, n: n,
            into: result.storage.base, written, row: n,
            addend: base.map {
                diptych_gemm_matrix(
                    data: $0.storage.base + $0.offset * $0.dtype.byteCount, type: CPUBackend.type($0.dtype), row: n,
                    column: 1)
            }, bias: shift.map { UnsafePointer(backend.floats($0)) }, activate: activate,
            preactivation: sums?.storage.base, backend.matrixKernels)
    }
}

/// The second factor of a product as the kernels read it, with what that refers to.
private final class RightOperand {
    private let factor: ProductFactor
    private let blocks: UnsafeMutablePointer<diptych_gemm_quantized_matrix>?
    let matrix: diptych_gemm_matrix

    init(_ term: ProductTerm, _ backend: CPUBackend) {
        switch term.b {
        case .plain(let tensor):
            let readable = backend.multipliable(tensor)
            factor = .plain(readable)
            blocks = nil
            matrix = backend.operand(readable)
        case .quantized(let view):
            factor = term.b
            let description = UnsafeMutablePointer<diptych_gemm_quantized_matrix>.allocate(capacity: 1)
            description.initialize(to: view.description)
            blocks = description
            matrix = diptych_gemm_matrix(
                data: nil, type: term.a.dtype == .bfloat16 ? DIPTYCH_BFLOAT16 : DIPTYCH_FLOAT32,
                row: view.isTransposed ? 1 : 0, column: view.isTransposed ? 0 : 1, quantized: description)
        }
    }

    deinit { blocks?.deallocate() }
}

extension QuantizedMatrix {
    fileprivate var description: diptych_gemm_quantized_matrix {
        let format = tensor.format
        return diptych_gemm_quantized_matrix(
            blocks: tensor.storage.base + tensor.byteOffset, format: format.code, scale: tensor.scale,
            line_size: tensor.shape[1] / format.blockElements * format.blockByteCount, first: columns.lowerBound)
    }
}

extension UnaryOperation {
    /// The function for the kernels of a product to call, of the functions that follow linear layers.
    fileprivate var inProduct: PackedProduct.Activation? {
        switch self {
        case .gelu: { x, y, count in diptych_unary(DIPTYCH_GELU, x, y, count) }
        case .geluTanh: { x, y, count in diptych_unary(DIPTYCH_GELU_TANH, x, y, count) }
        case .quickGelu: { x, y, count in diptych_unary(DIPTYCH_QUICK_GELU, x, y, count) }
        case .silu: { x, y, count in diptych_unary(DIPTYCH_SILU, x, y, count) }
        default: nil
        }
    }
}
