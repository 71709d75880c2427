extension Backend {
    /// The default: product by product in `float32`, quantised factors dequantised whole.
    public func sumOfProducts(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?, dtype: DType) -> Tensor {
        sum(terms, addend: addend, bias: bias).result(as: dtype)
    }

    /// The default: one sum after the other.
    public func sumsOfProducts(_ sums: [ProductSum]) -> [Tensor] {
        sums.map { sumOfProducts($0.terms, addend: nil, bias: $0.bias, dtype: $0.dtype) }
    }

    /// The default: the sum in `float32`, then the function.
    public func activatedProducts(
        _ terms: [ProductTerm], bias: Tensor?, activation: UnaryOperation, keepsSums: Bool, dtype: DType
    ) -> (activated: Tensor, sums: Tensor?) {
        let sum = sum(terms, addend: nil, bias: bias)
        return (sum.applying(activation).result(as: dtype), keepsSums ? sum.result(as: dtype) : nil)
    }

    private func sum(_ terms: [ProductTerm], addend: Tensor?, bias: Tensor?) -> Composed {
        let first = matrixProduct(terms[0].a, terms[0].expandedFactor, bias: bias, dtype: .float32)
        let sum = terms.dropFirst().reduce(composed(first)) { sum, term in
            sum + composed(matrixProduct(term.a, term.expandedFactor, bias: nil, dtype: .float32))
        }
        return addend.map { sum + composed($0) } ?? sum
    }
}
