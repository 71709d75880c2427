public import TensorCore

/// `x1 w1^T + x2 w2^T + ... + bias`, summed in `float32` and rounded once: what a linear layer gives with its adapters.
public struct LinearSum {
    /// Inputs `[…, in_i]` of equal leading axes with weights `[out, in_i]`, at least one.
    public let terms: [(input: Variable, weight: LinearWeight)]
    /// `[out]`.
    public let bias: Variable?
    /// The type of the result.
    public let dtype: DType

    /// Collects the sum.
    public init(_ terms: [(input: Variable, weight: LinearWeight)], bias: Variable? = nil, dtype: DType) {
        precondition(!terms.isEmpty, "a sum of no products")
        let lead = Array(terms[0].input.shape.dimensions.dropLast())
        for term in terms {
            precondition(
                Array(term.input.shape.dimensions.dropLast()) == lead, "inputs of \(lead) and \(term.input.shape)")
        }
        (self.terms, self.bias, self.dtype) = (terms, bias, dtype)
    }

    /// The extents of the result.
    var shape: [Int] { terms[0].input.shape.dimensions.dropLast() + [terms[0].weight.shape[0]] }

    /// What gradients may be wanted of: each term's input and, where it is numbers, its weight, then the bias.
    var inputs: [Variable] {
        terms.flatMap { [$0.input] + ($0.weight.variable.map { [$0] } ?? []) } + (bias.map { [$0] } ?? [])
    }
}

/// What the gradients of a ``LinearSum`` are computed from: nothing for that of a frozen weight or a constant input.
struct LinearAdjoint {
    private struct Term {
        let rows: Tensor?
        let weight: ProductFactor?
        let isVariable: Bool
        let shape: Shape, dtype: DType
    }

    private let terms: [Term]
    private let hasBias: Bool, needsBias: Bool

    init(_ sum: LinearSum) {
        terms = sum.terms.map {
            Term(
                rows: $0.weight.variable?.requiresGradient ?? false ? $0.input.value.flattenedRows() : nil,
                weight: $0.input.requiresGradient ? $0.weight.factor : nil, isVariable: $0.weight.variable != nil,
                shape: $0.input.shape, dtype: $0.input.dtype)
        }
        (hasBias, needsBias) = (sum.bias != nil, sum.bias?.requiresGradient ?? false)
    }

    /// The rows of each term's input, where the adjoint keeps them.
    var rows: [Tensor?] { terms.map(\.rows) }

    /// The products that are the gradients of the trained weights, in the order of the terms.
    func weightGradients(_ outputGradients: Tensor) -> [ProductSum] {
        terms.compactMap { term in
            term.rows.map { ProductSum([ProductTerm(outputGradients.transposed(), $0)], dtype: .float32) }
        }
    }

    /// A gradient for each of ``LinearSum/inputs``, nil where none is wanted. Those of the terms' inputs are left for the
    /// sums that they go into; `weights` are the results of ``weightGradients(_:)``.
    func gradients(_ outputGradients: Tensor, weights: [Tensor]) -> [Gradient?] {
        var gradients: [Gradient?] = []
        var weights = weights[...]
        for term in terms {
            gradients.append(
                term.weight.map { Gradient(ProductTerm(outputGradients, $0), shape: term.shape, dtype: term.dtype) })
            guard term.isVariable else { continue }
            gradients.append(term.rows == nil ? nil : Gradient(weights.removeFirst()))
        }
        if hasBias {
            gradients.append(needsBias ? Gradient(outputGradients.converted(to: .float32).sum(axes: [0])) : nil)
        }
        return gradients
    }

    /// What comes of a result that no gradient has reached.
    var nothing: [Gradient?] {
        Array(repeating: nil, count: terms.reduce(hasBias ? 1 : 0) { $0 + ($1.isVariable ? 2 : 1) })
    }
}

extension Tensor {
    /// All leading axes merged: `[…, n] -> [rows, n]`, also when some extent is 0.
    func flattenedRows() -> Tensor {
        contiguous().reshaped(to: [shape.dimensions.dropLast().reduce(1, *), shape[-1]])
    }
}
