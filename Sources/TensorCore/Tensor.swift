/// A typed, strided view of a ``Storage``: the value that every operation takes and gives.
///
/// Copying a tensor copies the view, never the elements. Operations give fresh tensors; the few that write into
/// existing elements say so in their names (`assign`, `addInPlace`, …). No operation converts a type or makes a
/// strided view contiguous unless its documentation says so.
public struct Tensor: Sendable {
    /// The bytes that this tensor views.
    public private(set) var storage: Storage
    /// The element type.
    public let dtype: DType
    /// The extents, outermost first.
    public let shape: Shape
    /// The distance between neighbours along each axis, in elements; 0 along broadcast axes.
    public let strides: [Int]
    /// The first element's position in the storage, in elements.
    public let offset: Int

    /// Views `storage` with explicit strides; every element must lie inside.
    public init(storage: Storage, dtype: DType, shape: Shape, strides: [Int]? = nil, offset: Int = 0) {
        let strides = strides ?? shape.contiguousStrides
        precondition(strides.count == shape.rank, "\(strides.count) strides for shape \(shape)")
        if shape.count > 0 {
            let last = zip(shape.dimensions, strides).reduce(offset) { $0 + ($1.0 - 1) * $1.1 }
            precondition(
                offset >= 0 && (last + 1) * dtype.byteCount <= storage.byteCount,
                "view of shape \(shape), strides \(strides), offset \(offset) leaves \(storage.byteCount) bytes")
        }
        self.storage = storage
        self.dtype = dtype
        self.shape = shape
        self.strides = strides
        self.offset = offset
    }

    /// Allocates without initialising.
    public init(uninitialized shape: Shape, dtype: DType = .float32) {
        self.init(fresh: Storage(byteCount: shape.count * dtype.byteCount), shape, dtype)
    }

    /// Without the checks of views: the storage has the right size by construction.
    private init(fresh storage: Storage, _ shape: Shape, _ dtype: DType) {
        self.storage = storage
        self.dtype = dtype
        self.shape = shape
        strides = shape.contiguousStrides
        offset = 0
    }

    /// All zeros (false for `bool`).
    public init(zeros shape: Shape, dtype: DType = .float32) {
        self.init(fresh: Storage(byteCount: shape.count * dtype.byteCount, isZero: true), shape, dtype)
    }

    /// Every element equal to `value`, rounded to `dtype`.
    public init(full shape: Shape, _ value: Float, dtype: DType = .float32) {
        self = Tensor(value).converted(to: dtype).expanded(to: shape).copied()
    }

    /// Copies `elements`, row-major.
    public init<Element: TensorElement>(_ elements: [Element], _ shape: Shape) {
        precondition(elements.count == shape.count, "\(elements.count) elements for shape \(shape)")
        self.init(uninitialized: shape, dtype: Element.dtype)
        elements.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress, bytes.count > 0 {
                storage.base.copyMemory(from: start, byteCount: bytes.count)
            }
        }
    }

    /// A scalar of type `float32`.
    public init(_ value: Float) { self.init([value], []) }

    /// Whether nobody else views these elements, so that they may be written: the storage is this value's alone and
    /// mutable, and no two places are one element.
    package mutating func isSoleOwner() -> Bool {
        storage.isMutable && isContiguous && isKnownUniquelyReferenced(&storage)
    }

    /// Copies elements that others view too.
    package mutating func makeSoleOwner() { if !isSoleOwner() { self = copied() } }

    /// The number of elements.
    public var count: Int { shape.count }

    /// The number of axes.
    public var rank: Int { shape.rank }

    /// Whether the elements lie row-major without gaps.
    public var isContiguous: Bool {
        if count == 0 { return true }
        var step = 1
        for axis in stride(from: rank - 1, through: 0, by: -1) {
            let extent = shape.dimensions[axis]
            if extent != 1 && strides[axis] != step { return false }
            step *= extent
        }
        return true
    }

    /// The elements row-major, as an array; the type must be the tensor's own.
    public func elements<Element: TensorElement>(as type: Element.Type = Element.self) -> [Element] {
        precondition(Element.dtype == dtype, "reading \(dtype) as \(Element.dtype)")
        let dense = contiguous()
        return dense.withUnsafeElements(of: Element.self) { Array($0) }
    }

    /// All elements row-major as `Float`, whatever the type.
    public var floats: [Float] { converted(to: .float32).elements(as: Float.self) }

    /// The only element, as `Float`.
    public var scalar: Float {
        precondition(count == 1, "scalar of a tensor of shape \(shape)")
        return floats[0]
    }

    /// Lends the elements of a contiguous tensor for reading.
    public func withUnsafeElements<Element: TensorElement, Result>(
        of type: Element.Type, _ body: (UnsafeBufferPointer<Element>) throws -> Result
    ) rethrows -> Result {
        try body(UnsafeBufferPointer(start: UnsafePointer(pointer(to: type)), count: count))
    }

    /// The first element of a contiguous tensor; the backend's entry to raw memory.
    package func pointer<Element: TensorElement>(to type: Element.Type) -> UnsafeMutablePointer<Element> {
        precondition(Element.dtype == dtype, "reading \(dtype) as \(Element.dtype)")
        precondition(isContiguous, "raw access to a strided view of shape \(shape)")
        return stridedPointer(to: type)
    }

    /// The first element, whatever the strides.
    package func stridedPointer<Element: TensorElement>(to type: Element.Type) -> UnsafeMutablePointer<Element> {
        precondition(Element.dtype == dtype, "reading \(dtype) as \(Element.dtype)")
        return (storage.base + offset * dtype.byteCount).assumingMemoryBound(to: type)
    }
}

extension Tensor: CustomStringConvertible {
    /// Type, shape and the first elements, for debugging.
    public var description: String {
        let shown = count <= 64 ? floats : Array(sliced(flatFirst: 8).floats)
        let list = shown.map { "\($0)" }.joined(separator: ", ")
        return "Tensor(\(dtype), \(shape), [\(list)\(count > shown.count ? ", …" : "")])"
    }

    private func sliced(flatFirst n: Int) -> Tensor {
        contiguous().reshaped(to: [count]).sliced(axis: 0, 0..<n)
    }
}
