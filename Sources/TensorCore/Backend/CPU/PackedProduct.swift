import CKernels

/// One sum of products for the kernels of `gemm.h`, shared among threads by rows and columns of the result. No sum is
/// ever shared, so the result does not depend on the number of threads.
struct PackedProduct {
    /// A function of each element, for the kernels to apply before they write it.
    typealias Activation = @convention(c) (UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int) -> Void

    private let terms: [gemm_term]
    private let product: gemm_product
    private let level: Int32
    /// Multiplications for each element of the result.
    private let depth: Int

    /// Below this many multiplications a part is not worth a thread's waking.
    private static let leastWork = 1 << 19

    /// `c = alpha (a1 b1 + a2 b2 + ...) + addend + bias` of type `type`, `m` rows of `n` elements, `row` elements apart;
    /// `adds` makes `c` itself, of type `float32`, the addend; `activate` is applied to the
    /// sums, which go to `inactive` first where that is wanted.
    init(
        _ terms: [gemm_term], m: Int, n: Int, into c: UnsafeMutableRawPointer, _ type: DType = .float32, row: Int,
        addend: gemm_matrix? = nil, adds: Bool = false, bias: UnsafePointer<Float>? = nil, alpha: Float = 1,
        activate: Activation? = nil, inactive: UnsafeMutableRawPointer? = nil, _ kernels: MatrixKernels
    ) {
        precondition(!terms.isEmpty, "a sum of no products")
        self.terms = terms
        let itself = gemm_matrix(data: c, type: CPUBackend.type(.float32), row: row, column: 1)
        product = gemm_product(
            m: m, n: n, terms: nil, term_count: 0, c: c, c_type: CPUBackend.type(type), c_row: row,
            addend: adds ? itself : addend ?? gemm_matrix(), bias: bias, alpha: alpha, activate: activate,
            inactive: inactive)
        level = kernels.level
        depth = terms.reduce(0) { $0 + $1.k }
    }

    func run() {
        terms.withUnsafeBufferPointer { terms in
            var product = product
            product.terms = terms.baseAddress
            product.term_count = terms.count
            withUnsafePointer(to: &product) { run($0) }
        }
    }

    private func run(_ p: UnsafePointer<gemm_product>) {
        let plan = gemm_plan_for(level, p)
        let (m, n, level) = (product.m, product.n, level)
        for block in stride(from: 0, to: m, by: plan.row_block) {
            let rows = min(plan.row_block, m - block)
            let packed = plan.packed_size > 0 ? gemm_thread_buffer(plan.packed_size) : nil
            let grid = Grid(
                rows: rows, rowStep: plan.row_step, columns: n, columnStep: plan.column_step,
                parts: min(Threads.count, max(1, rows * n * max(depth, 1) / Self.leastWork)))
            if packed != nil {
                let groups = (rows + plan.row_step - 1) / plan.row_step
                let grain = grid.parts > 1 ? max(1, (1 << 18) / max(plan.row_step * depth, 1)) : groups
                parallelFor(groups, grain: grain) { part in
                    gemm_pack_rows(
                        level, p, block, block + part.lowerBound * plan.row_step,
                        block + min(part.upperBound * plan.row_step, rows), packed)
                }
            }
            parallelFor(grid.parts, grain: 1) { parts in
                for part in parts {
                    let (down, across) = (grid.rows(part), grid.columns(part))
                    gemm_compute(
                        level, p, block, packed, block + down.lowerBound, block + down.upperBound, across.lowerBound,
                        across.upperBound)
                }
            }
        }
    }
}

/// A matrix cut into nearly equal parts at multiples of a step, in both directions.
private struct Grid {
    private let rows: Int, rowStep: Int, columns: Int, columnStep: Int
    private let down: Int, across: Int

    var parts: Int { down * across }

    /// At most `parts` parts, such that the largest takes the least time: as many multiplications as it has elements,
    /// and for each of its columns the packing, which takes as long as about eight rows.
    init(rows: Int, rowStep: Int, columns: Int, columnStep: Int, parts: Int) {
        (self.rows, self.rowStep, self.columns, self.columnStep) = (rows, rowStep, columns, columnStep)
        let (rowSteps, columnSteps) = ((rows + rowStep - 1) / rowStep, (columns + columnStep - 1) / columnStep)
        var best = (cost: Int.max, down: 1, across: 1)
        for across in 1...max(1, min(parts, columnSteps)) {
            let down = max(1, min(parts / across, rowSteps))
            let height = (rowSteps + down - 1) / down * rowStep
            let width = (columnSteps + across - 1) / across * columnStep
            let cost = (height + 8) * width
            if cost < best.cost { best = (cost, down, across) }
        }
        (down, across) = (best.down, best.across)
    }

    func rows(_ part: Int) -> Range<Int> { Self.range(part / across, of: down, rows, rowStep) }

    func columns(_ part: Int) -> Range<Int> { Self.range(part % across, of: across, columns, columnStep) }

    private static func range(_ part: Int, of parts: Int, _ extent: Int, _ step: Int) -> Range<Int> {
        let steps = (extent + step - 1) / step
        return min(part * steps / parts * step, extent)..<min((part + 1) * steps / parts * step, extent)
    }
}
