import COneDNN

/// A product by oneDNN, with what follows it. Threads share blocks of the result, which do not depend on how many
/// threads there are.
struct OneDNNMatmul {
    /// What a block of the result is: `m` x `k` by `k` x `n`, the layout of the operands, and what follows.
    struct Shape: Hashable {
        var m: Int, n: Int, k: Int
        var isBFloat16: Bool, writesBFloat16: Bool
        var aRow: Int, aColumn: Int, bRow: Int, bColumn: Int, resultRow: Int
        var hasBias: Bool, hasAddend: Bool
        var activation: UnaryOperation?
        var isPacked: Bool

        func make() -> OpaquePointer? {
            let follows =
                switch activation {
                case nil: onednn_nothing
                case .gelu: onednn_gelu
                case .geluTanh: onednn_gelu_tanh
                default: preconditionFailure("\(activation!) in a product of oneDNN")
                }
            var product = onednn_product(
                m: m, n: n, k: k, type: isBFloat16 ? onednn_bfloat16 : onednn_float32,
                result_type: writesBFloat16 ? onednn_bfloat16 : onednn_float32, a_row: aRow, a_column: aColumn,
                b_row: bRow, b_column: bColumn, c_row: resultRow, has_bias: hasBias ? 1 : 0,
                has_addend: hasAddend ? 1 : 0, activation: follows, is_packed: isPacked ? 1 : 0)
            return onednn_make_product(&product)
        }
    }

    private let a: Tensor, b: Tensor
    private let bias: Tensor?, addend: Tensor?
    private let activation: UnaryOperation?
    private let packedWeight: PackedWeight?

    /// The functions that can follow.
    static let activations: [UnaryOperation] = [.gelu, .geluTanh]

    /// `activation(a b + bias + addend)`: two matrices of one type, `float32` or `bfloat16`, one of the strides of each 1;
    /// `bias` contiguous `float32`, `addend` contiguous of the result's type and shape. A frozen `b` may be kept as
    /// oneDNN reads it.
    init(
        _ a: Tensor, _ b: Tensor, bias: Tensor? = nil, addend: Tensor? = nil, activation: UnaryOperation? = nil,
        packedWeight: PackedWeight? = nil
    ) {
        precondition(a.dtype == b.dtype && a.rank == 2 && b.rank == 2, "\(a.dtype) \(a.shape) by \(b.dtype) \(b.shape)")
        (self.a, self.b, self.bias, self.addend) = (a, b, bias, addend)
        (self.activation, self.packedWeight) = (activation, packedWeight)
    }

    /// Whether a result can be written in `dtype`: products of `float32` are `float32`.
    static func writes(_ dtype: DType, from type: DType) -> Bool {
        dtype == .float32 || (dtype == .bfloat16 && type == .bfloat16)
    }

    /// Writes into a contiguous `result` of a type that ``writes(_:from:)``; returns false, having written nothing, where
    /// oneDNN has no such product, or none but its reference code where it must be `fast`.
    func run(into result: Tensor, fast: Bool) -> Bool {
        let (m, n) = (result.shape[0], result.shape[1])
        if result.count == 0 { return true }
        // Blocks of the longer side, or of rows where the second operand is laid out as a whole: equal ones then.
        let isTall = m >= n || packedWeight != nil
        let extent = isTall ? m : n
        let most = max(1, min(16, extent / 64))
        let blocks = packedWeight == nil ? most : (1...most).last { extent % $0 == 0 }!
        let step = (extent + blocks - 1) / blocks
        let parts = (extent + step - 1) / step
        func primitive(_ extent: Int) -> OneDNNPrimitive? {
            let shape = shape(isTall ? extent : m, isTall ? n : extent, result)
            return OneDNNPrimitive.of(.product(shape)).flatMap { !fast || $0.isFast ? $0 : nil }
        }
        guard let whole = primitive(step), let rest = extent % step == 0 ? whole : primitive(extent % step) else {
            return false
        }
        let packed = packedWeight?.form(0, of: b, source: b, for: whole)
        let size = a.dtype.byteCount
        func start(_ x: Tensor, _ offset: Int) -> UnsafeMutableRawPointer {
            x.storage.base + (x.offset + offset) * x.dtype.byteCount
        }
        parallelFor(parts, grain: max(1, (1 << 19) / max(m * n / parts * a.shape[1], 1))) { part in
            let space = Tensor(
                uninitialized: [max(whole.spaceByteCount, rest.spaceByteCount)], dtype: .uint8)
            for index in part {
                let first = index * step
                let (row, column) = isTall ? (first, 0) : (0, first)
                let right = packed?.storage.base ?? b.storage.base + (b.offset + column * b.strides[1]) * size
                (first + step <= extent ? whole : rest).run(
                    onednn_operands(
                        a: start(a, row * a.strides[0]), b: right,
                        bias: bias.map { UnsafePointer($0.pointer(to: Float.self) + column) },
                        addend: addend.map { UnsafeRawPointer(start($0, row * n + column)) },
                        c: start(result, row * n + column), space: space.storage.base))
            }
        }
        return true
    }

    private func shape(_ m: Int, _ n: Int, _ result: Tensor) -> Shape {
        // The stride of an axis of one element says nothing: the other axis is taken for contiguous.
        func steps(_ x: Tensor) -> (Int, Int) {
            if x.strides[1] == 1 || x.shape[1] == 1 { return (max(x.strides[0], x.shape[1]), 1) }
            return (1, max(x.strides[1], x.shape[0]))
        }
        let ((aRow, aColumn), (bRow, bColumn)) = (steps(a), steps(b))
        return Shape(
            m: m, n: n, k: a.shape[1], isBFloat16: a.dtype == .bfloat16, writesBFloat16: result.dtype == .bfloat16,
            aRow: aRow, aColumn: aColumn, bRow: bRow, bColumn: bColumn, resultRow: result.shape[1],
            hasBias: bias != nil, hasAddend: addend != nil, activation: activation, isPacked: packedWeight != nil)
    }
}
