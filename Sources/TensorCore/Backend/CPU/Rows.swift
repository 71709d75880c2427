/// Rows of a dense tensor as `float32`: as they lie, or widened into a buffer, which stays in the cache.
struct RowReader {
    private let source: KernelTensor
    private let half: HalfFormat?
    private let length: Int

    /// The tensor's last axis are its rows.
    init(_ source: KernelTensor) {
        self.source = source
        half = HalfFormat(source.tensor.dtype)
        length = source.tensor.rank == 0 ? 1 : source.tensor.shape[-1]
    }

    @inline(__always)
    func row(_ row: Int, _ buffer: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
        let first = UnsafeRawPointer(source[row * length])
        guard let half else { return first.assumingMemoryBound(to: Float.self) }
        half.widen(first.assumingMemoryBound(to: UInt16.self), buffer, length)
        return UnsafePointer(buffer)
    }
}

/// Rows of a dense tensor to fill with `float32`: in place, or narrowed from a buffer.
struct RowWriter {
    private let target: KernelTensor
    private let half: HalfFormat?
    private let length: Int

    /// The tensor's last axis are its rows.
    init(_ target: KernelTensor) {
        self.target = target
        half = HalfFormat(target.tensor.dtype)
        length = target.tensor.rank == 0 ? 1 : target.tensor.shape[-1]
    }

    @inline(__always)
    func write(
        _ row: Int, _ buffer: UnsafeMutablePointer<Float>, _ fill: (UnsafeMutablePointer<Float>) -> Void
    ) {
        let first = target[row * length]
        guard let half else { return fill(first.assumingMemoryBound(to: Float.self)) }
        fill(buffer)
        half.narrow(buffer, first.assumingMemoryBound(to: UInt16.self), length)
    }
}

/// Room for some rows of `float32`, one thread's.
struct RowBuffers {
    let first: UnsafeMutablePointer<Float>
    let length: Int

    @inline(__always)
    subscript(_ place: Int) -> UnsafeMutablePointer<Float> { first + place * length }
}

extension CPUBackend {
    /// An uninitialised tensor of a shape and of the type of a readable one.
    func uninitialized(_ shape: Shape, like x: KernelTensor) -> KernelTensor {
        KernelTensor(Tensor(uninitialized: shape, dtype: x.tensor.dtype))
    }

    /// Calls `body` with the number of each row of the last axis and with room for three rows, in parallel.
    func forEachRow(of x: Tensor, _ body: (Int, RowBuffers) -> Void) {
        let length = x.rank == 0 ? 1 : x.shape[-1]
        let rows = length == 0 ? 0 : x.count / length
        parallelFor(rows, grain: max(1, (1 << 15) / max(length, 1))) { part in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * length) { room in
                let buffers = RowBuffers(first: room.baseAddress!, length: length)
                for row in part { body(row, buffers) }
            }
        }
    }
}
