public import TensorCore

/// Matrix products and the linear layer.
extension Variable {
    /// `self other` over the last two axes, leading axes broadcast.
    public func matrixProduct(_ other: Variable, transposingOther: Bool = false) -> Variable {
        let (a, b) = (value, other.value)
        let (needsA, needsB) = (requiresGradient, other.requiresGradient)
        let y = a.matrixProduct(b, transposingOther: transposingOther)
        let (savedA, savedB) = (needsB ? a : nil, needsA ? b : nil)
        let (shapeA, shapeB) = (a.shape, b.shape)
        return .recording(y, [self, other]) { dy in
            let da = savedB.map { dy.matrixProduct($0, transposingOther: !transposingOther).summed(to: shapeA) }
            let db = savedA.map { a -> Tensor in
                // A stack of rows against one matrix: one tall product instead of a sum over the stack.
                let (rows, outputGradients) =
                    shapeB.rank == 2 && a.rank > 2
                    ? (a.flattenedRows(), dy.flattenedRows()) : (a, dy)
                let product =
                    transposingOther
                    ? outputGradients.matrixProduct(rows, transposingSelf: true)
                    : rows.matrixProduct(outputGradients, transposingSelf: true)
                return product.summed(to: shapeB)
            }
            return [da, db]
        }
    }

    /// `self weight^T + bias`: `self` `[…, in]`, `weight` `[out, in]` of any floating-point type, `bias` `[out]`. The
    /// result has type `dtype`, this variable's unless given; a trained weight's gradient is `float32`.
    public func linear(weight: Variable, bias: Variable? = nil, dtype: DType? = nil) -> Variable {
        .linear([(self, weight)], bias: bias, dtype: dtype ?? self.dtype)
    }

    /// ``linear(weight:bias:dtype:)`` of an input whose last axis is given in parts, without joining them.
    public static func linear(
        joining parts: [Variable], weight: Variable, bias: Variable? = nil, dtype: DType
    ) -> Variable {
        linear(terms(joining: parts, weight: .variable(weight)), bias: bias, dtype: dtype)
    }

    /// Each part with the columns of the weight that it meets.
    package static func terms(
        joining parts: [Variable], weight: LinearWeight
    ) -> [(input: Variable, weight: LinearWeight)] {
        if parts.count == 1 { return [(parts[0], weight)] }
        let extents = parts.map { $0.shape[-1] }
        switch weight {
        case .variable(let variable):
            return zip(parts, variable.split(extents: extents, axis: 1)).map { ($0, .variable($1)) }
        case .frozen(let matrix):
            var start = 0
            return zip(parts, extents).map { part, extent in
                defer { start += extent }
                return (part, .frozen(matrix.columns(start..<start + extent)))
            }
        }
    }

    /// `f(x1 w1^T + x2 w2^T + ... + bias)`, summed in `float32` and rounded once: inputs `[…, in_i]` of equal leading axes,
    /// weights `[out, in_i]`, no `f` unless `activation` is given. A layer with a low-rank adapter is such a sum.
    public static func linear(
        _ terms: [(input: Variable, weight: Variable)], bias: Variable? = nil, activation: UnaryOperation? = nil,
        dtype: DType
    ) -> Variable {
        linear(terms.map { ($0.input, .variable($0.weight)) }, bias: bias, activation: activation, dtype: dtype)
    }

    /// The same with weights that may be quantised: their products dequantise a tile at a time, those of the inputs'
    /// gradients too.
    public static func linear(
        _ terms: [(input: Variable, weight: LinearWeight)], bias: Variable? = nil, activation: UnaryOperation? = nil,
        dtype: DType
    ) -> Variable {
        let sum = LinearSum(terms, bias: bias, dtype: dtype)
        let adjoint = LinearAdjoint(sum)
        func gradients(_ outputGradients: Tensor) -> [Gradient?] {
            adjoint.gradients(
                outputGradients,
                weights: adjoint.weightGradients(outputGradients).map { .sumOfProducts($0.terms, dtype: $0.dtype) })
        }
        let operands = zip(terms, adjoint.rows).map {
            (rows: $1, input: $0.input.deferred, weight: $0.weight.factor.transposed())
        }
        let products = { operands.map { ProductTerm($0.rows ?? $0.input.value.flattenedRows(), $0.weight) } }
        let (shift, shape) = (bias?.value, sum.shape)
        guard let activation else {
            let y = DeferredTensor(shape: Shape(shape), dtype: dtype) {
                Tensor.sumOfProducts(products(), bias: shift, dtype: dtype).reshaped(to: shape)
            }
            return .recording(y, sum.inputs) { gradients($0.flattenedRows()) }
        }
        let (y, sums) = Tensor.activatedProducts(
            products(), bias: shift, activation: activation,
            keepsSums: Tape.isRecording && sum.inputs.contains(where: \.requiresGradient), dtype: dtype)
        return .recording(
            y.reshaped(to: shape), sum.inputs,
            products: { gradients(sums!.applyingGradient(activation, gradient: $0.flattenedRows())) })
    }

    /// Several sums of linear maps that do not depend on each other, each as `linear` gives it,
    /// bit for bit, in one launch; so are the gradients of their trained weights. An input that they share gets its
    /// gradient as one sum of products.
    public static func linear(together sums: [LinearSum]) -> [Variable] {
        let adjoints = sums.map { LinearAdjoint($0) }
        let values = Tensor.sumsOfProducts(
            zip(sums, adjoints).map { sum, adjoint in
                ProductSum(
                    zip(sum.terms, adjoint.rows).map {
                        ProductTerm($1 ?? $0.input.value.flattenedRows(), $0.weight.factor.transposed())
                    }, bias: sum.bias?.value, dtype: sum.dtype)
            })
        var results = zip(values, sums).map { Variable($0.reshaped(to: $1.shape)) }
        // A result that nothing trained goes into stays a constant, though one beside it is none.
        let places = sums.indices.filter { sums[$0].inputs.contains(where: \.requiresGradient) }
        let recorded = places.map { (inputs: sums[$0].inputs, adjoint: adjoints[$0]) }
        let outputs = Variable.recordingSums(places.map { results[$0].value }, recorded.flatMap(\.inputs)) { upstream in
            let outputGradients = upstream.map { $0?.flattenedRows() }
            let wanted: [[ProductSum]] = zip(recorded, outputGradients).map { sum, outputGradients in
                outputGradients.map { sum.adjoint.weightGradients($0) } ?? []
            }
            var weights = Tensor.sumsOfProducts(wanted.flatMap { $0 })[...]
            var gradients: [Gradient?] = []
            for (i, sum) in recorded.enumerated() {
                let own = Array(weights.prefix(wanted[i].count))
                weights = weights.dropFirst(own.count)
                gradients += outputGradients[i].map { sum.adjoint.gradients($0, weights: own) } ?? sum.adjoint.nothing
            }
            return gradients
        }
        for (place, output) in zip(places, outputs) { results[place] = output }
        return results
    }
}
