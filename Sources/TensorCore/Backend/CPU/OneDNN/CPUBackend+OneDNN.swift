/// Products by oneDNN: of the engine of that name, and where ``OneDNNPolicy`` prefers it.
extension CPUBackend {
    /// `activation(a b + bias + addend)` of type `dtype`, `[m, k]` by `[k, n]`: in `bfloat16` when both are, otherwise in
    /// `float32`. A frozen `b` may be kept as oneDNN reads it. Nil where oneDNN has no such product, or none but its
    /// reference code where it must be `fast`.
    func oneDNNProduct(
        _ a: Tensor, _ b: Tensor, bias: Tensor? = nil, addend: Tensor? = nil, activation: UnaryOperation? = nil,
        dtype: DType, packedWeight: PackedWeight? = nil, fast: Bool = false
    ) -> Tensor? {
        let (m, n) = (a.shape[0], b.shape[1])
        let isBFloat16 = a.dtype == .bfloat16 && b.dtype == .bfloat16 && OneDNN.multipliesBFloat16
        let (x, y) = isBFloat16 ? (oneDNNOperand(a), oneDNNOperand(b)) : (wide(a), wide(b))
        let fuses = activation.map(OneDNNMatmul.activations.contains) ?? true
        let written: DType = isBFloat16 && dtype == .bfloat16 && fuses ? .bfloat16 : .float32
        let base = addend.map { $0.dtype == written && $0.isContiguous ? $0 : copy($0, as: written) }
        let shift = bias.map(float32)
        var result = Tensor(uninitialized: [m, n], dtype: written)
        if a.shape[1] == 0 {
            result = Tensor(zeros: [m, n])
            if let shift { result = binary(.add, result, shift.expanded(to: [m, n])) }
            if let base { result = binary(.add, result, float32(base)) }
            return rounded(activation.map { unary($0, result) } ?? result, to: dtype)
        }
        let product = OneDNNMatmul(
            x, y, bias: shift, addend: base, activation: fuses ? activation : nil, packedWeight: packedWeight)
        guard product.run(into: result, fast: fast) else { return nil }
        if let activation, !fuses { result = unary(activation, result) }
        return rounded(result, to: dtype)
    }

    /// `x` itself where one of its strides is 1 and rows, or columns, do not overlap; otherwise a copy.
    private func oneDNNOperand(_ x: Tensor) -> Tensor {
        let (rows, columns) = (x.shape[0], x.shape[1])
        let isAlong = x.strides[1] == 1 && (x.strides[0] >= columns || rows == 1)
        let isAcross = x.strides[0] == 1 && (x.strides[1] >= rows || columns == 1)
        return isAlong || isAcross ? x : copy(x, as: x.dtype)
    }

    private func wide(_ x: Tensor) -> Tensor { oneDNNOperand(x.dtype == .float32 ? x : copy(x, as: .float32)) }

    /// A sum of products, one after the other: what is summed so far is the next one's addend.
    func oneDNNSum(
        _ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, activation: UnaryOperation? = nil, dtype: DType
    ) -> Tensor {
        var sum = addend
        for (index, term) in terms.enumerated() {
            let isLast = index == terms.count - 1
            let next = oneDNNProduct(
                term.a, term.expandedFactor, bias: index == 0 ? bias : nil, addend: sum,
                activation: isLast ? activation : nil, dtype: isLast ? dtype : .float32)
            precondition(next != nil, "oneDNN has no product of \(term.a.shape)")
            sum = next
        }
        return sum!
    }
}

extension OneDNN {
    /// `a b` by oneDNN, of type `dtype`, whatever is faster; `packedWeight` keeps `b` as oneDNN reads it. To measure.
    package static func product(_ a: Tensor, _ b: Tensor, dtype: DType, packedWeight: PackedWeight?) -> Tensor {
        CPUBackend(engine: .oneDNN).oneDNNProduct(a, b, dtype: dtype, packedWeight: packedWeight)!
    }

    /// Whether it has products of `bfloat16` for this processor; those without are given `float32`.
    static let multipliesBFloat16 = small(isBFloat16: true) != nil

    /// The name of the code that it chose for a product of `float32`.
    package static var code: String { small(isBFloat16: false)!.name }

    private static func small(isBFloat16: Bool) -> OneDNNPrimitive? {
        let shape = OneDNNMatmul.Shape(
            m: 64, n: 64, k: 64, isBFloat16: isBFloat16, writesBFloat16: isBFloat16, aRow: 64, aColumn: 1, bRow: 64,
            bColumn: 1,
            resultRow: 64, hasBias: false, hasAddend: false, activation: nil, isPacked: false)
        return OneDNNPrimitive.of(.product(shape))
    }
}
