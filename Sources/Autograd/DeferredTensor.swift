import TensorCore

/// A tensor that is computed when it is first read, and perhaps never.
///
/// When ``checkpoint(_:_:)`` runs a block again, only what the block's adjoints read is wanted: the last product of a
/// block and the sum it goes into are not, unless a trained gate or weight asks for them.
final class DeferredTensor {
    let shape: Shape
    let dtype: DType
    private var known: Tensor?
    private var compute: (() -> Tensor)?

    /// `compute` gives a tensor of shape `shape` and type `dtype`; it is called at most once and then forgotten.
    init(shape: Shape, dtype: DType, _ compute: @escaping () -> Tensor) {
        (self.shape, self.dtype, self.compute) = (shape, dtype, compute)
    }

    /// A tensor that is there already.
    init(_ value: Tensor) {
        (shape, dtype, known) = (value.shape, value.dtype, value)
    }

    var value: Tensor {
        if let known { return known }
        let value = compute!()
        (known, compute) = (value, nil)
        return value
    }
}
