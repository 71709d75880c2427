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
                let (rows, slopes) =
                    shapeB.rank == 2 && a.rank > 2
                    ? (a.flattenedRows(), dy.flattenedRows()) : (a, dy)
                let product =
                    transposingOther
                    ? slopes.matrixProduct(rows, transposingSelf: true)
                    : rows.matrixProduct(slopes, transposingSelf: true)
                return product.summed(to: shapeB)
            }
            return [da, db]
        }
    }

    /// `self weight^T + bias`: `self` `[…, in]`, `weight` `[out, in]` of any floating-point type, `bias` `[out]`. The
    /// result has type `dtype`, this variable's unless given; a trained weight's gradient is `float32`.
    public func linear(weight: Variable, bias: Variable? = nil, dtype resultType: DType? = nil) -> Variable {
        let (x, w) = (value, weight.value)
        let y =
            x.rank == 1
            ? x.unsqueezed(0).matrixProduct(w, transposingOther: true, bias: bias?.value, dtype: resultType).squeezed(0)
            : x.matrixProduct(w, transposingOther: true, bias: bias?.value, dtype: resultType)
        let needsX = requiresGradient
        let needsBias = bias?.requiresGradient ?? false
        let savedX = weight.requiresGradient ? x : nil
        let savedW = needsX ? w : nil
        let (shape, dtype) = (self.shape, self.dtype)
        return .recording(y, [self, weight] + (bias.map { [$0] } ?? [])) { dy in
            let slopes = dy.flattenedRows()
            let dx = savedW.map { slopes.matrixProduct($0, dtype: dtype).reshaped(to: shape.dimensions) }
            let dw = savedX.map {
                slopes.matrixProduct($0.flattenedRows(), transposingSelf: true, dtype: .float32)
            }
            let db = needsBias ? slopes.converted(to: .float32).sum(axes: [0]) : nil
            return [dx, dw, db]
        }
    }
}

extension Tensor {
    /// All leading axes merged: `[…, n] -> [rows, n]`, also when some extent is 0.
    fileprivate func flattenedRows() -> Tensor {
        contiguous().reshaped(to: [shape.dimensions.dropLast().reduce(1, *), shape[-1]])
    }
}
