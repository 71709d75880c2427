import COpenBLAS

/// A matrix as BLAS sees it: row-major with a leading dimension, read as it lies or transposed.
struct MatrixView {
    var pointer: UnsafePointer<Float>
    var leading: Int
    var isTransposed: Bool

    /// The part of the matrix that begins at `row` and `column`.
    func advanced(row: Int, column: Int) -> UnsafePointer<Float> {
        pointer + (isTransposed ? column * leading + row : row * leading + column)
    }
}

extension CPUBackend {
    /// See ``Backend/matrixProduct(_:_:bias:dtype:)``.
    public func matrixProduct(_ a: Tensor, _ b: Tensor, bias: Tensor?, dtype: DType) -> Tensor {
        let (m, k, n) = (a.shape[-2], a.shape[-1], b.shape[-1])
        let leadA = Array(a.shape.dimensions.dropLast(2))
        let leadB = Array(b.shape.dimensions.dropLast(2))
        let lead = Shape.broadcast(Shape(leadA), Shape(leadB))!.dimensions
        let (x, y) = (multipliable(a), multipliable(b))
        let result = Tensor(uninitialized: Shape(lead + [m, n]))
        if result.count == 0 { return rounded(result, to: dtype) }
        let to = floats(result)
        let shift = bias.map(float32)
        if let shift {
            let row = floats(shift)
            for i in 0..<(result.count / n) { (to + i * n).update(from: row, count: n) }
        }
        let stepsX = x.expanded(to: Shape(lead + [m, k])).strides
        let stepsY = y.expanded(to: Shape(lead + [k, n])).strides
        let loop = StridedLoop(Shape(lead), [Array(stepsX.prefix(lead.count)), Array(stepsY.prefix(lead.count))])
        let (baseX, baseY) = (x.stridedPointer(to: Float.self), y.stridedPointer(to: Float.self))
        let (viewX, viewY) = (view(x), view(y))
        let beta: Float = shift == nil ? 0 : 1
        // `rowLength` batches lie one stride apart; every batch is one product.
        parallelFor(loop.rowCount * loop.rowLength, grain: batchGrain(m, k, n)) { part in
            for batch in part {
                let (row, column) = (batch / loop.rowLength, batch % loop.rowLength)
                loop.forEachRow(in: row..<row + 1) { _, offsets in
                    var (u, v) = (viewX, viewY)
                    u.pointer = UnsafePointer(baseX + offsets[0] + column * loop.step(0))
                    v.pointer = UnsafePointer(baseY + offsets[1] + column * loop.step(1))
                    multiply(u, v, into: to + batch * m * n, leading: n, m: m, k: k, n: n, beta: beta)
                }
            }
        }
        return rounded(result, to: dtype)
    }

    /// `c = alpha a b + beta c`, shared among threads by blocks of the longer side of `c`.
    func multiply(
        _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>, leading: Int, m: Int, k: Int, n: Int,
        alpha: Float = 1, beta: Float = 0
    ) {
        let work = max(m * k * n, 1)
        let block = 16
        if m >= n {
            let blocks = (m + block - 1) / block
            parallelFor(blocks, grain: max(1, blocks * (1 << 20) / work)) { part in
                let (from, to) = (part.lowerBound * block, min(part.upperBound * block, m))
                var rows = a
                rows.pointer = a.advanced(row: from, column: 0)
                multiplySerially(
                    rows, b, into: c + from * leading, leading: leading, m: to - from, k: k, n: n, alpha: alpha,
                    beta: beta)
            }
        } else {
            let blocks = (n + block - 1) / block
            parallelFor(blocks, grain: max(1, blocks * (1 << 20) / work)) { part in
                let (from, to) = (part.lowerBound * block, min(part.upperBound * block, n))
                var columns = b
                columns.pointer = b.advanced(row: 0, column: from)
                multiplySerially(
                    a, columns, into: c + from, leading: leading, m: m, k: k, n: to - from, alpha: alpha, beta: beta)
            }
        }
    }

    private func multiplySerially(
        _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>, leading: Int, m: Int, k: Int, n: Int,
        alpha: Float, beta: Float
    ) {
        switch engine {
        case .blas:
            cblas_sgemm(
                CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans,
                Int32(m), Int32(n), Int32(k), alpha, a.pointer, Int32(max(a.leading, 1)), b.pointer,
                Int32(max(b.leading, 1)), beta, c, Int32(leading))
        case .plain:
            for i in 0..<m {
                for j in 0..<n {
                    var sum = 0.0
                    for l in 0..<k {
                        sum += Double(a.advanced(row: i, column: l)[0]) * Double(b.advanced(row: l, column: j)[0])
                    }
                    let old = beta == 0 ? 0 : beta * c[i * leading + j]
                    c[i * leading + j] = alpha * Float(sum) + old
                }
            }
        }
    }

    /// `x` itself when each of its matrices lies row-major or transposed, a contiguous copy otherwise; `float32`.
    private func multipliable(_ x: Tensor) -> Tensor {
        if x.dtype != .float32 {
            // A transposed view is widened as it lies, then viewed transposed again.
            let isTransposed = x.strides[x.rank - 2] == 1 && x.shape[-1] != 1
            return isTransposed ? copy(x.transposed(), as: .float32).transposed() : copy(x, as: .float32)
        }
        let (row, column) = (x.strides[x.rank - 2], x.strides[x.rank - 1])
        if column == 1 && (row >= x.shape[-1] || x.shape[-2] == 1) { return x }
        if row == 1 && (column >= x.shape[-2] || x.shape[-1] == 1) { return x }
        return copy(x, as: .float32)
    }

    private func view(_ x: Tensor) -> MatrixView {
        let (row, column) = (x.strides[x.rank - 2], x.strides[x.rank - 1])
        let pointer = UnsafePointer(x.stridedPointer(to: Float.self))
        if column == 1 && (row >= x.shape[-1] || x.shape[-2] == 1) {
            return MatrixView(pointer: pointer, leading: max(row, x.shape[-1]), isTransposed: false)
        }
        return MatrixView(pointer: pointer, leading: max(column, x.shape[-2]), isTransposed: true)
    }

    private func batchGrain(_ m: Int, _ k: Int, _ n: Int) -> Int { max(1, (1 << 18) / max(m * k * n, 1)) }
}
