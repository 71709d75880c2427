import TensorCore

/// A gradient on its way to its variable: a tensor, products that are not computed yet, or both.
///
/// Where several linear layers read one input, each sends back a matrix product. Left uncomputed until all have met,
/// they become one sum of products, written and rounded once (`dq Wq + dk Wk + dv Wv + dh A`).
struct Gradient {
    let shape: Shape
    private let dtype: DType
    /// What has been summed so far.
    private var sum: Tensor?
    /// Products `[rows, columns]` of the matrix that ``shape`` becomes when its leading axes are merged.
    private var products: [ProductTerm] = []

    /// A gradient that is known.
    init(_ value: Tensor) {
        (shape, dtype, sum) = (value.shape, value.dtype, value)
    }

    /// A product to be computed in `dtype` and given the shape `shape`.
    init(_ product: ProductTerm, shape: Shape, dtype: DType) {
        (self.shape, self.dtype, products) = (shape, dtype, [product])
    }

    /// The same gradient as a tensor of type `dtype`.
    func converted(to dtype: DType) -> Gradient {
        if dtype == self.dtype { return self }
        var other = Gradient(dtype: dtype, shape: shape)
        other.sum = sum?.converted(to: dtype)
        other.products = products
        return other
    }

    private init(dtype: DType, shape: Shape) { (self.dtype, self.shape) = (dtype, shape) }

    /// Adds a gradient to those of the same value that came before; in `float32` when one of them is of another type.
    ///
    /// The sum is written over the old one where nothing else refers to its elements: not another destination of the
    /// same adjoint, not a saved value, not the caller. All others are left as they are.
    static func add(_ addition: Gradient, to place: inout Gradient?) {
        // Taken out, so that only references from elsewhere count.
        guard var old = place.take() else {
            place = addition
            return
        }
        old.add(addition)
        place = old
    }

    private mutating func add(_ other: Gradient) {
        guard dtype == other.dtype else {
            self = converted(to: .float32)
            return add(other.converted(to: .float32))
        }
        products += other.products
        guard let addition = other.sum else { return }
        guard var old = sum.take() else {
            sum = addition
            return
        }
        if old.isSoleOwner() {
            Device.backend.accumulate(addition, scale: 1, into: old, targetScale: 1)
            sum = old
        } else {
            sum = old + addition
        }
    }

    /// Computes what is left.
    func value() -> Tensor {
        if products.isEmpty { return sum! }
        let addend = sum?.contiguous().reshaped(to: [products[0].a.shape[0], products[0].b.shape[1]])
        return .sumOfProducts(products, addend: addend, dtype: dtype).reshaped(to: shape.dimensions)
    }
}
