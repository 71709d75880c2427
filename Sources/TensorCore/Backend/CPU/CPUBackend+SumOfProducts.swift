import CKernels

extension CPUBackend {
    /// See ``Backend/sumOfProducts(_:addend:bias:dtype:)``. With ``Engine/kernels`` the result is written once; other
    /// engines add product by product.
    public func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor {
        guard engine == .kernels else {
            var sum = matrixProduct(terms[0].a, terms[0].b, bias: bias, dtype: .float32)
            for term in terms.dropFirst() {
                sum = binary(.add, sum, matrixProduct(term.a, term.b, bias: nil, dtype: .float32))
            }
            if let addend { sum = binary(.add, sum, float32(addend)) }
            return rounded(sum, to: dtype)
        }
        if terms.count == 1 && addend == nil {
            return matrixProduct(terms[0].a, terms[0].b, bias: bias, dtype: dtype)
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
            let operands = terms.map { (k: $0.a.shape[1], a: multipliable($0.a), b: multipliable($0.b)) }
            let shift = bias.map(float32)
            let base = addend.map { $0.isContiguous ? $0 : copy($0, as: $0.dtype) }
            withExtendedLifetime((operands, shift, base)) {
                PackedProduct(
                    operands.map { gemm_term(k: $0.k, a: operand($0.a), b: operand($0.b)) }, m: m, n: n,
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
