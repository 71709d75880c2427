/// What a device must compute: the primitive operations, from which ``Backend`` composes all others.
///
/// This is the list of what a new backend has to write: ``copy(_:as:)`` and ``assign(_:to:)``, ``unary(_:_:)`` and
/// ``binary(_:_:_:)``, ``compare(_:_:_:)`` and ``select(_:_:_:)``, ``reduce(_:_:axes:)``, ``topKMask(_:k:)`` and
/// ``argmax(_:)``, ``matrixProduct(_:_:bias:dtype:)``, ``gatherRows(_:indices:)`` and
/// ``scatterAddRows(_:indices:rows:)``, with ``name``. `ReferenceBackend` of the tests writes these alone, in plain loops.
///
/// **Contract.** An implementation accepts every strided view, overlapping ones as sources, and every floating-point type
/// unless a requirement says otherwise. It accumulates in `float32` or better, rounds once, and gives contiguous results
/// in storages of their own. Integers and `bool` take part in arithmetic by way of `float32`. Extents may be zero. Shapes
/// are checked by the operations on ``Tensor`` in `Operations/`, so an implementation need not check them again.
///
/// **Memory model.** A ``Storage`` is memory that the host can read and write at any time: owned by the caching allocator,
/// or a read-only mapped file. A requirement returns when its result can be read there; nothing is asynchronous. Files,
/// random numbers, dequantisation and the loader's threads use storages directly, with the processor. A device that shares
/// the host's memory (an integrated GPU, or one with managed memory) fits as it is. A discrete GPU would need more: device
/// allocations behind ``Storage`` with copies to and from the host where `withUnsafeBytes` and its kin lend the bytes,
/// a queue that these wait for, and blocks of quantised weights on the device.
public protocol PrimitiveBackend: Sendable {
    /// A name for logs and benchmarks.
    var name: String { get }

    // MARK: Copies

    /// A contiguous copy of `x` converted to `dtype`: to nearest, ties to even, for floating-point targets; towards
    /// zero and saturating for integers (NaN gives 0); `x != 0` for `bool`. Integers become 16-bit floating-point numbers
    /// by way of `float32`.
    func copy(_ x: Tensor, as dtype: DType) -> Tensor
    /// Writes `source`, converted, into the elements of `target`, both of one shape and any strides; the two do not
    /// overlap, and no two places of `target` are one element.
    func assign(_ source: Tensor, to target: Tensor)

    // MARK: Elementwise

    /// `f(x)`.
    func unary(_ operation: UnaryOperation, _ x: Tensor) -> Tensor
    /// `f(a, b)` of two views of one shape (already broadcast) and one type. NaN wins maximum and minimum.
    func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor
    /// A `bool` tensor: the relation between two views of one shape and one type.
    func compare(_ relation: Relation, _ a: Tensor, _ b: Tensor) -> Tensor
    /// `mask ? a : b`, all of one shape, `a` and `b` of one type, bit for bit.
    func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor

    // MARK: Reductions

    /// Reduces the given (positive, distinct) axes to extent 1. An empty sum is 0, an empty mean NaN, an empty maximum
    /// minus infinity; NaN wins the maximum.
    func reduce(_ reduction: Reduction, _ x: Tensor, axes: [Int]) -> Tensor
    /// A `bool` mask of the `k` largest elements of the last axis, the first of equals preferred.
    func topKMask(_ x: Tensor, k: Int) -> Tensor
    /// The place of the largest element of the last axis (the first of equals), `int32`.
    func argmax(_ x: Tensor) -> Tensor

    // MARK: Matrix products

    /// `a b (+ bias)` over the last two axes of two tensors of equal rank whose leading axes agree or are 1; a
    /// transposed operand is a strided view. The operands may be of different floating-point types; the result has
    /// type `dtype`. `bias` has the extent of the result's last axis.
    func matrixProduct(_ a: Tensor, _ b: Tensor, bias: Tensor?, dtype: DType) -> Tensor

    // MARK: Indexing

    /// Row `indices[i]` of `table` `[rows, width]` for each `i`: `[indices…, width]`.
    func gatherRows(_ table: Tensor, indices: Tensor) -> Tensor
    /// A `float32` table `[rows, width]` into which `updates` `[indices…, width]` are added: the adjoint of a gather.
    func scatterAddRows(_ updates: Tensor, indices: Tensor, rows: Int) -> Tensor
}
