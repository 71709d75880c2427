import CKernels

extension CPUBackend {
    /// See ``Backend/sumOfProducts(_:addend:bias:dtype:)``. With ``Engine/kernels`` the result is written once; other
    /// engines add product by product.
    public func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor {
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
        guard engine == .kernels, dtype != .float16, let activate = activation.inProduct else {
            let sums = sumOfProducts(terms, addend: nil, bias: bias, dtype: .float32)
            return (rounded(unary(activation, sums), to: dtype), keepsSums ? rounded(sums, to: dtype) : nil)
        }
        return kernelSum(
            terms, addend: nil, bias: bias, dtype: dtype, activate: activate, keepsSums: keepsSums)
    }

    private func kernelSum(
        _ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType,
        activate: PackedProduct.Activation? = nil, keepsSums: Bool = false
    ) -> (activated: Tensor, sums: Tensor?) {
        let (m, n) = (terms[0].a.shape[0], terms[0].b.shape[1])
        let written: DType = dtype == .bfloat16 ? .bfloat16 : .float32
        let result = Tensor(uninitialized: [m, n], dtype: written)
        let sums = keepsSums ? Tensor(uninitialized: [m, n], dtype: written) : nil
        if result.count > 0 {
            // Kept until the product is done: the operands are pointers.
            let operands = terms.map { (k: $0.a.shape[1], a: multipliable($0.a), b: RightOperand($0, self)) }
            let shift = bias.map(float32)
            let base = addend.map { $0.isContiguous ? $0 : copy($0, as: $0.dtype) }
            withExtendedLifetime((operands, shift, base)) {
                PackedProduct(
                    operands.map { gemm_term(k: $0.k, a: operand($0.a), b: $0.b.matrix) }, m: m, n: n,
                    into: result.storage.base, written, row: n,
                    addend: base.map {
                        gemm_matrix(
                            data: $0.storage.base + $0.offset * $0.dtype.byteCount, type: Self.type($0.dtype), row: n,
                            column: 1)
                    }, bias: shift.map { UnsafePointer(floats($0)) }, activate: activate,
                    inactive: sums?.storage.base, matrixKernels
                ).run()
            }
        }
        return (rounded(result, to: dtype), sums)
    }
}

/// The second factor of a product as the kernels read it, with what that refers to.
private final class RightOperand {
    private let factor: ProductFactor
    private let blocks: UnsafeMutablePointer<gemm_block_matrix>?
    let matrix: gemm_matrix

    init(_ term: ProductTerm, _ backend: CPUBackend) {
        switch term.b {
        case .plain(let tensor):
            let readable = backend.multipliable(tensor)
            factor = .plain(readable)
            blocks = nil
            matrix = backend.operand(readable)
        case .quantized(let view):
            factor = term.b
            let description = UnsafeMutablePointer<gemm_block_matrix>.allocate(capacity: 1)
            description.initialize(to: view.description(isRounded: term.a.dtype == .bfloat16))
            blocks = description
            matrix = gemm_matrix(
                data: description, type: Int32(gemm_blocks.rawValue), row: view.isTransposed ? 1 : 0,
                column: view.isTransposed ? 0 : 1)
        }
    }

    deinit { blocks?.deallocate() }
}

extension QuantizedMatrix {
    fileprivate func description(isRounded: Bool) -> gemm_block_matrix {
        let format = tensor.format
        return gemm_block_matrix(
            blocks: tensor.storage.base + tensor.byteOffset, format: Int32(format.code.rawValue),
            is_rounded: isRounded ? 1 : 0, scale: tensor.scale,
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
