import CKernels

extension CPUBackend {
    /// See ``Backend/sumOfProducts(_:addend:bias:dtype:)``. With ``Engine/kernels`` the result is written once; other
    /// engines add product by product.
    public func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor {
        let (m, n) = (terms[0].a.shape[0], terms[0].b.shape[1])
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
        let writesType = dtype == .bfloat16
        let result = Tensor(uninitialized: [m, n], dtype: writesType ? .bfloat16 : .float32)
        if result.count == 0 { return writesType ? result : rounded(result, to: dtype) }
        // Kept until the product is done: the operands are pointers.
        let operands = terms.map { (k: $0.a.shape[1], a: multipliable($0.a), b: multipliable($0.b)) }
        let shift = bias.map(float32)
        let base = addend.map { $0.isContiguous ? $0 : copy($0, as: $0.dtype) }
        withExtendedLifetime((operands, shift, base)) {
            PackedProduct(
                operands.map { gemm_term(k: $0.k, a: operand($0.a), b: operand($0.b)) }, m: m, n: n,
                into: result.storage.base, result.dtype, row: n,
                addend: base.map {
                    gemm_matrix(
                        data: $0.storage.base + $0.offset * $0.dtype.byteCount, type: Self.type($0.dtype), row: n,
                        column: 1)
                }, bias: shift.map { UnsafePointer(floats($0)) }, matrixKernels
            ).run()
        }
        return writesType ? result : rounded(result, to: dtype)
    }
}
