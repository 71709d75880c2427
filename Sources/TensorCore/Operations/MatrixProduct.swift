/// Matrix products over the last two axes.
extension Tensor {
    /// `self other`, either transposed on request, leading axes broadcast. The result has this tensor's type unless
    /// `dtype` is given; `other` may be of another floating-point type (a frozen weight in its file's type).
    ///
    /// Shapes: `[…, m, k] x […, k, n] -> […, m, n]`; `bias` `[n]`.
    public func matrixProduct(
        _ other: Tensor, transposingSelf: Bool = false, transposingOther: Bool = false, bias: Tensor? = nil,
        dtype: DType? = nil
    ) -> Tensor {
        precondition(rank >= 2 && other.rank >= 2, "matrix product of shapes \(shape) and \(other.shape)")
        var a = transposingSelf ? transposed() : self
        var b = transposingOther ? other.transposed() : other
        precondition(
            a.shape[-1] == b.shape[-2], "matrix product of \(a.shape) and \(b.shape): \(a.shape[-1]) != \(b.shape[-2])")
        precondition(bias == nil || bias!.shape == [b.shape[-1]], "bias \(bias!.shape) for \(b.shape[-1]) columns")
        let resultType = dtype ?? self.dtype
        // A stack of row blocks against one matrix is one tall product.
        if b.rank == 2, a.rank > 2, !transposingSelf, a.canMergeRows {
            let rows = a.reshaped(to: [-1, a.shape[-1]])
            let product = Device.backend.matrixProduct(rows, b, bias: bias, dtype: resultType)
            return product.reshaped(to: a.shape.dimensions.dropLast() + [b.shape[-1]])
        }
        while a.rank < b.rank { a = a.unsqueezed(0) }
        while b.rank < a.rank { b = b.unsqueezed(0) }
        let lead = a.rank - 2
        precondition(
            Shape.broadcast(
                Shape(Array(a.shape.dimensions.prefix(lead))), Shape(Array(b.shape.dimensions.prefix(lead))))
                != nil, "matrix product of \(a.shape) and \(b.shape): leading axes do not broadcast")
        return Device.backend.matrixProduct(a, b, bias: bias, dtype: resultType)
    }

    /// `a1 b1 + a2 b2 + ... (+ addend) (+ bias)`, summed in `float32` and rounded once to `dtype`: `[m, k_i] x [k_i, n]`,
    /// addend `[m, n]` of any floating-point type, bias `[n]`.
    public static func sumOfProducts(
        _ terms: [ProductTerm], addend: Tensor? = nil, bias: Tensor? = nil, dtype: DType
    ) -> Tensor {
        let shape = checkedShape(terms, bias)
        precondition(addend == nil || addend!.shape == shape, "an addend \(addend!.shape) for \(shape)")
        return Device.backend.sumOfProducts(terms, addend: addend, bias: bias, dtype: dtype)
    }

    /// ``sumOfProducts(_:addend:bias:dtype:)`` of several sums that do not depend on each other: the same bits in one
    /// launch, which shares the work of all among the threads. Small products, such as the modulations of a model's
    /// blocks, wake the threads once for all of them.
    public static func sumsOfProducts(_ sums: [ProductSum]) -> [Tensor] {
        for sum in sums { _ = checkedShape(sum.terms, sum.bias) }
        return sums.isEmpty ? [] : Device.backend.sumsOfProducts(sums)
    }

    /// `f(a1 b1 + a2 b2 + ... (+ bias))`, summed and activated in `float32` and rounded once to `dtype`; with the sums
    /// before `f`, rounded too, when `keepsSums`.
    public static func activatedProducts(
        _ terms: [ProductTerm], bias: Tensor? = nil, activation: UnaryOperation, keepsSums: Bool = false, dtype: DType
    ) -> (activated: Tensor, sums: Tensor?) {
        _ = checkedShape(terms, bias)
        return Device.backend.activatedProducts(
            terms, bias: bias, activation: activation, keepsSums: keepsSums, dtype: dtype)
    }

    private static func checkedShape(_ terms: [ProductTerm], _ bias: Tensor?) -> Shape {
        precondition(!terms.isEmpty, "a sum of no products")
        let shape: Shape = [terms[0].a.shape[0], terms[0].b.shape[1]]
        for term in terms {
            precondition(
                term.a.shape[0] == shape[0] && term.b.shape[1] == shape[1],
                "a sum of products \(shape) and \([term.a.shape[0], term.b.shape[1]])")
        }
        precondition(bias == nil || bias!.shape == [shape[1]], "bias \(bias!.shape) for \(shape[1]) columns")
        return shape
    }

    private var canMergeRows: Bool {
        if count == 0 { return false }
        for axis in 0..<(rank - 2)
        where shape.dimensions[axis] != 1 && strides[axis] != strides[axis + 1] * shape.dimensions[axis + 1] {
            return false
        }
        return true
    }
}
