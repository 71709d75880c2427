import CKernels
import COpenBLAS

/// A `float32` matrix as BLAS sees it: row-major with a leading dimension, read directly or transposed.
struct MatrixView {
    var pointer: UnsafePointer<Float>
    var leading: Int
    var isTransposed: Bool

    /// The part of the matrix that begins at `row` and `column`.
    func advanced(row: Int, column: Int) -> UnsafePointer<Float> {
        pointer + (isTransposed ? column * leading + row : row * leading + column)
    }

    fileprivate var operand: diptych_gemm_matrix {
        diptych_gemm_matrix(
            data: pointer, type: DIPTYCH_FLOAT32, row: isTransposed ? 1 : leading,
            column: isTransposed ? leading : 1)
    }
}

extension CPUBackend {
    /// See ``Backend/matrixProduct(_:_:bias:dtype:)``. With ``Engine/kernels``, every operand is read in place and in
    /// its own type; two `bfloat16` matrices are multiplied as such where the processor can, all others in `float32`. Where
    /// `OneDNNPolicy` says so, oneDNN multiplies.
    public func matrixProduct(_ a: Tensor, _ b: Tensor, bias: Tensor?, dtype: DType) -> Tensor {
        let (m, k, n) = (a.shape[-2], a.shape[-1], b.shape[-1])
        let isChosen = OneDNNPolicy.takesProduct(a, b, self)
        if isChosen || (engine == .oneDNN && a.rank == 2 && b.rank == 2),
            let result = oneDNNProduct(a, b, bias: bias, dtype: dtype, fast: isChosen)
        {
            return result
        }
        if engine == .kernels && bias == nil && isTallAndTransposed(a, columns: n) {
            return copy(matrixProduct(b.transposed(), a.transposed(), bias: nil, dtype: dtype).transposed(), as: dtype)
        }
        let lead = Shape.broadcast(
            Shape(Array(a.shape.dimensions.dropLast(2))), Shape(Array(b.shape.dimensions.dropLast(2))))!.dimensions
        let (x, y) = (multipliable(a), multipliable(b))
        let writesType = engine == .kernels && dtype == .bfloat16
        let result = Tensor(uninitialized: Shape(lead + [m, n]), dtype: writesType ? .bfloat16 : .float32)
        if result.count == 0 { return writesType ? result : rounded(result, to: dtype) }
        let shift = bias.map(float32)
        let stepsX = x.expanded(to: Shape(lead + [m, k])).strides
        let stepsY = y.expanded(to: Shape(lead + [k, n])).strides
        let loop = StridedLoop(
            Shape(lead), [Array(stepsX.prefix(lead.count)), Array(stepsY.prefix(lead.count))])
        // `rowLength` batches are one stride apart; every batch is one product.
        let batches = loop.rowCount * loop.rowLength
        let product = BatchProduct(x, y, result, bias: shift, m: m, n: n, k: k)
        func multiply(_ part: Range<Int>) {
            for batch in part {
                let (row, column) = (batch / loop.rowLength, batch % loop.rowLength)
                loop.forEachRow(in: row..<row + 1) { _, offsets in
                    multiplyBatch(
                        product, batch, offsets[0] + column * loop.step(0), offsets[1] + column * loop.step(1))
                }
            }
        }
        // Many or small products go to one thread each, few large ones to all threads together.
        let work = max(m * k * n, 1)
        if batches >= Threads.count || work < 1 << 20 {
            parallelFor(batches, grain: max(1, (1 << 19) / work), multiply)
        } else {
            multiply(0..<batches)
        }
        return writesType ? result : rounded(result, to: dtype)
    }

    /// What the products of a batch have in common.
    private struct BatchProduct {
        let x: Tensor, y: Tensor, result: Tensor, bias: Tensor?
        let m: Int, n: Int, k: Int

        init(_ x: Tensor, _ y: Tensor, _ result: Tensor, bias: Tensor?, m: Int, n: Int, k: Int) {
            (self.x, self.y, self.result, self.bias, self.m, self.n, self.k) = (x, y, result, bias, m, n, k)
        }
    }

    private func multiplyBatch(_ p: BatchProduct, _ batch: Int, _ offsetX: Int, _ offsetY: Int) {
        let target = p.result.storage.base + batch * p.m * p.n * p.result.dtype.byteCount
        if engine == .kernels {
            PackedProduct(
                [diptych_gemm_term(k: p.k, a: operand(p.x, offsetX), b: operand(p.y, offsetY))], m: p.m, n: p.n,
                into: target,
                p.result.dtype, row: p.n, bias: p.bias.map { UnsafePointer(floats($0)) }, matrixKernels
            ).run()
            return
        }
        let to = target.assumingMemoryBound(to: Float.self)
        if let bias = p.bias {
            for i in 0..<p.m { (to + i * p.n).update(from: floats(bias), count: p.n) }
        }
        multiply(
            view(p.x, offsetX), view(p.y, offsetY), into: to, leading: p.n, m: p.m, k: p.k, n: p.n,
            adds: p.bias != nil)
    }

    /// `c = alpha a b`, added to what `c` holds when `adds`, shared among threads.
    func multiply(
        _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>, leading: Int, m: Int, k: Int, n: Int,
        alpha: Float = 1, adds: Bool = false
    ) {
        switch engine {
        case .kernels:
            PackedProduct(
                [diptych_gemm_term(k: k, a: a.operand, b: b.operand)], m: m, n: n, into: c, row: leading, adds: adds,
                alpha: alpha, matrixKernels
            ).run()
        case .blas, .oneDNN:
            // Blocks of the longer side of `c`.
            let block = 16
            let blocks = (max(m, n) + block - 1) / block
            parallelFor(blocks, grain: max(1, blocks * (1 << 20) / max(m * k * n, 1))) { part in
                let (from, to) = (part.lowerBound * block, min(part.upperBound * block, max(m, n)))
                if m >= n {
                    multiplyByBLAS(
                        a.advanced(row: from, column: 0), a, b.pointer, b, c + from * leading, leading, m: to - from,
                        k: k, n: n, alpha: alpha, beta: adds ? 1 : 0)
                } else {
                    multiplyByBLAS(
                        a.pointer, a, b.advanced(row: 0, column: from), b, c + from, leading, m: m, k: k, n: to - from,
                        alpha: alpha, beta: adds ? 1 : 0)
                }
            }
        case .plain:
            parallelFor(m, grain: max(1, (1 << 18) / max(k * n, 1))) { rows in
                for i in rows {
                    for j in 0..<n {
                        var sum = 0.0
                        for l in 0..<k {
                            sum += Double(a.advanced(row: i, column: l)[0]) * Double(b.advanced(row: l, column: j)[0])
                        }
                        let old = adds ? c[i * leading + j] : 0
                        c[i * leading + j] = alpha * Float(sum) + old
                    }
                }
            }
        }
    }

    private func multiplyByBLAS(
        _ a: UnsafePointer<Float>, _ layoutA: MatrixView, _ b: UnsafePointer<Float>, _ layoutB: MatrixView,
        _ c: UnsafeMutablePointer<Float>, _ leading: Int, m: Int, k: Int, n: Int, alpha: Float, beta: Float
    ) {
        cblas_sgemm(
            CblasRowMajor, layoutA.isTransposed ? CblasTrans : CblasNoTrans,
            layoutB.isTransposed ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), alpha, a,
            Int32(max(layoutA.leading, 1)), b, Int32(max(layoutB.leading, 1)), beta, c, Int32(leading))
    }

    /// Whether a product of `a` and a narrow matrix had better be computed transposed: packing `a`, whose columns lie
    /// contiguous, then costs less, and is much of the work. A weight's gradient of low rank is such a product; that of a
    /// few tokens is not, since its result is larger than `a` and would be transposed. Up to 256 columns it was faster for 1024
    /// and 1536 rows.
    func isTallAndTransposed(_ a: Tensor, columns: Int) -> Bool {
        a.rank == 2 && columns > 4 && columns <= 256 && a.shape[0] >= 4 * columns && a.shape[1] >= columns
            && a.strides[0] == 1 && a.strides[1] != 1
    }

    /// `x` itself when the engine can read each of its matrices in place, otherwise a contiguous copy; in `float32`
    /// for engines that know no other type.
    func multipliable(_ x: Tensor) -> Tensor {
        let (row, column) = (x.strides[x.rank - 2], x.strides[x.rank - 1])
        if engine == .kernels && x.dtype.isFloatingPoint {
            return column == 1 || row == 1 || x.shape[-1] == 1 || x.shape[-2] == 1 ? x : copy(x, as: x.dtype)
        }
        if x.dtype != .float32 {
            // A transposed view is converted in its own layout, then viewed transposed again.
            let isTransposed = row == 1 && x.shape[-1] != 1
            return isTransposed ? copy(x.transposed(), as: .float32).transposed() : copy(x, as: .float32)
        }
        if column == 1 && (row >= x.shape[-1] || x.shape[-2] == 1) { return x }
        if row == 1 && (column >= x.shape[-2] || x.shape[-1] == 1) { return x }
        return copy(x, as: .float32)
    }

    /// The matrix that begins `offset` elements behind the first of `x`. The stride of an axis of one element says
    /// nothing and is taken for 1.
    func operand(_ x: Tensor, _ offset: Int = 0) -> diptych_gemm_matrix {
        diptych_gemm_matrix(
            data: x.storage.base + (x.offset + offset) * x.dtype.byteCount, type: Self.type(x.dtype),
            row: x.shape[-2] == 1 && x.strides[x.rank - 1] != 1 ? 1 : x.strides[x.rank - 2],
            column: x.shape[-1] == 1 ? 1 : x.strides[x.rank - 1])
    }

    /// The type of a matrix's elements for the kernels; the others are converted to `float32` before.
    static func type(_ dtype: DType) -> diptych_type { dtype.kernelType ?? DIPTYCH_FLOAT32 }

    private func view(_ x: Tensor, _ offset: Int) -> MatrixView {
        let (row, column) = (x.strides[x.rank - 2], x.strides[x.rank - 1])
        let pointer = UnsafePointer(x.stridedPointer(to: Float.self) + offset)
        if column == 1 && (row >= x.shape[-1] || x.shape[-2] == 1) {
            return MatrixView(pointer: pointer, leading: max(row, x.shape[-1]), isTransposed: false)
        }
        return MatrixView(pointer: pointer, leading: max(column, x.shape[-2]), isTransposed: true)
    }
}
