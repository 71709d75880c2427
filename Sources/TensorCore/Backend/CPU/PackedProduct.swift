import CKernels

/// One sum of products by the kernels of `gemm.h`, split among threads by rows and columns of the result. No sum is ever
/// split, so the result does not depend on the number of threads.
struct PackedProduct {
    /// A function of each element, for the kernels to apply before they write it.
    typealias Activation = @convention(c) (UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int) -> Void

    private let terms: [diptych_gemm_term]
    private let product: diptych_gemm_product
    private let level: diptych_kernel_level
    /// Multiplications for each element of the result.
    private let depth: Int

    /// Below this many multiplications a part is not worth a thread's waking.
    private static let leastWork = 1 << 19
    /// Below this many elements to be packed.
    private static let leastPacking = 1 << 18

    /// `c = alpha (a1 b1 + a2 b2 + ...) + addend + bias` of type `type`, `m` rows of `n` elements, `row` elements apart;
    /// `adds` makes `c` itself, of type `float32`, the addend; `activate` is applied to the
    /// sums, which go to `preactivation` first where that is wanted.
    init(
        _ terms: [diptych_gemm_term], m: Int, n: Int, into c: UnsafeMutableRawPointer, _ type: DType = .float32,
        row: Int,
        addend: diptych_gemm_matrix? = nil, adds: Bool = false, bias: UnsafePointer<Float>? = nil, alpha: Float = 1,
        activate: Activation? = nil, preactivation: UnsafeMutableRawPointer? = nil, _ kernels: MatrixKernels
    ) {
        precondition(!terms.isEmpty, "a sum of no products")
        self.terms = terms
        let itself = diptych_gemm_matrix(data: c, type: CPUBackend.type(.float32), row: row, column: 1)
        product = diptych_gemm_product(
            m: m, n: n, terms: nil, term_count: 0, c: c, c_type: CPUBackend.type(type), c_row: row,
            epilogue: diptych_gemm_epilogue(
                alpha: alpha, addend: adds ? itself : addend ?? diptych_gemm_matrix(), bias: bias, activate: activate,
                preactivation: preactivation))
        level = kernels.level
        depth = terms.reduce(0) { $0 + $1.k }
    }

    func run() { withProduct(run) }

    /// Runs products that do not depend on each other as if they were one: each thread takes an equal share of the whole work,
    /// which may begin and end inside any product. The same bits as one by one.
    static func run(together products: [PackedProduct]) {
        var pending: [PackedProduct] = []
        var packedSize = 0
        for product in products {
            let plan = product.plan
            // Rows of several blocks are packed in turns: enough work to be shared by itself.
            if plan.row_block < product.product.m {
                product.run()
                continue
            }
            if !pending.isEmpty, packedSize + plan.packed_size > mostPacked {
                runGroup(pending)
                (pending, packedSize) = ([], 0)
            }
            pending.append(product)
            packedSize += plan.packed_size
        }
        runGroup(pending)
    }

    /// Bytes of packed rows of products that run together.
    private static let mostPacked = 12 << 20

    private var plan: diptych_gemm_plan { withProduct { diptych_gemm_plan_for(level, $0) } }

    private static func runGroup(_ products: [PackedProduct]) {
        if products.count < 2 {
            products.first?.run()
            return
        }
        let terms = products.flatMap(\.terms)
        terms.withUnsafeBufferPointer { terms in
            var next = 0
            let group = products.map { product in
                var described = product.product
                described.terms = terms.baseAddress! + next
                described.term_count = product.terms.count
                next += product.terms.count
                return described
            }
            group.withUnsafeBufferPointer { runGroup(products, $0.baseAddress!) }
        }
    }

    private static func runGroup(_ products: [PackedProduct], _ group: UnsafePointer<diptych_gemm_product>) {
        let level = products[0].level
        let plans = products.indices.map { diptych_gemm_plan_for(level, group + $0) }
        var places: [Int] = []
        var packedSize = 0
        for plan in plans {
            places.append(packedSize)
            packedSize += (Int(plan.packed_size) + 63) / 64 * 64
        }
        if packedSize > 0 {
            let buffer = diptych_gemm_packing_buffer(packedSize)!
            let loops = WeightedLoops(
                products.indices.map { i in
                    let (m, step) = (products[i].product.m, plans[i].row_step)
                    return plans[i].packed_size > 0 ? ((m + step - 1) / step, step * max(products[i].depth, 1)) : (0, 1)
                })
            loops.share(leastCost: leastPacking) { i, steps in
                let step = plans[i].row_step
                diptych_gemm_pack_rows(
                    level, group + i, 0, steps.lowerBound * step, min(steps.upperBound * step, products[i].product.m),
                    buffer + places[i])
            }
            compute(products, group, plans) { buffer + places[$0] }
        } else {
            compute(products, group, plans) { _ in nil }
        }
    }

    private static func compute(
        _ products: [PackedProduct], _ group: UnsafePointer<diptych_gemm_product>, _ plans: [diptych_gemm_plan],
        packed: (Int) -> UnsafeMutableRawPointer?
    ) {
        // Along the side that has more places to cut at.
        let isAcross = products.indices.map {
            products[$0].product.n / plans[$0].column_step >= products[$0].product.m / plans[$0].row_step
        }
        let loops = WeightedLoops(
            products.indices.map { i in
                let (length, step, width) =
                    isAcross[i]
                    ? (products[i].product.n, plans[i].column_step, products[i].product.m)
                    : (products[i].product.m, plans[i].row_step, products[i].product.n)
                return ((length + step - 1) / step, step * width * max(products[i].depth, 1))
            })
        loops.share(leastCost: leastWork) { i, steps in
            let (m, n) = (products[i].product.m, products[i].product.n)
            let step = isAcross[i] ? plans[i].column_step : plans[i].row_step
            let part = steps.lowerBound * step..<min(steps.upperBound * step, isAcross[i] ? n : m)
            let (down, across) = isAcross[i] ? (0..<m, part) : (part, 0..<n)
            var region = diptych_gemm_part(
                block: 0, from: down.lowerBound, to: down.upperBound, left: across.lowerBound,
                right: across.upperBound)
            diptych_gemm_compute(products[i].level, group + i, packed(i), &region)
        }
    }

    private func withProduct<Result>(_ body: (UnsafePointer<diptych_gemm_product>) -> Result) -> Result {
        terms.withUnsafeBufferPointer { terms in
            var product = product
            product.terms = terms.baseAddress
            product.term_count = terms.count
            return withUnsafePointer(to: &product, body)
        }
    }

    private func run(_ p: UnsafePointer<diptych_gemm_product>) {
        let plan = diptych_gemm_plan_for(level, p)
        let (m, n, level) = (product.m, product.n, level)
        for block in stride(from: 0, to: m, by: plan.row_block) {
            let rows = min(plan.row_block, m - block)
            let packed = plan.packed_size > 0 ? diptych_gemm_packing_buffer(plan.packed_size) : nil
            let grid = Grid(
                rows: rows, rowStep: plan.row_step, columns: n, columnStep: plan.column_step,
                parts: min(Threads.count, max(1, rows * n * max(depth, 1) / Self.leastWork)))
            if packed != nil {
                let groups = (rows + plan.row_step - 1) / plan.row_step
                let grain = grid.parts > 1 ? max(1, Self.leastPacking / max(plan.row_step * depth, 1)) : groups
                parallelFor(groups, grain: grain) { part in
                    diptych_gemm_pack_rows(
                        level, p, block, block + part.lowerBound * plan.row_step,
                        block + min(part.upperBound * plan.row_step, rows), packed)
                }
            }
            parallelFor(grid.parts, grain: 1) { parts in
                for part in parts {
                    let (down, across) = (grid.rows(part), grid.columns(part))
                    var region = diptych_gemm_part(
                        block: block, from: block + down.lowerBound, to: block + down.upperBound,
                        left: across.lowerBound, right: across.upperBound)
                    diptych_gemm_compute(level, p, packed, &region)
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

/// Several loops concatenated, each step weighted with its cost, and cut into shares of equal cost for the threads.
private struct WeightedLoops {
    private let lengths: [Int], costs: [Int]
    /// Where each loop begins.
    private let starts: [Int]
    private let total: Int

    init(_ loops: [(steps: Int, cost: Int)]) {
        (lengths, costs) = (loops.map(\.steps), loops.map(\.cost))
        var (starts, end) = ([Int](), 0)
        for loop in loops {
            starts.append(end)
            end += loop.steps * loop.cost
        }
        (self.starts, total) = (starts, end)
    }

    /// Calls `body` with the index of a loop and a range of its steps, every step of every loop once, on no more threads than
    /// there are shares of `leastCost`.
    func share(leastCost: Int, _ body: (Int, Range<Int>) -> Void) {
        let shares = min(Threads.count, max(1, total / leastCost))
        parallelFor(shares, grain: 1) { part in
            let (from, to) = (part.lowerBound * total / shares, part.upperBound * total / shares)
            for loop in lengths.indices {
                let taken = steps(of: loop, before: from)..<steps(of: loop, before: to)
                if !taken.isEmpty { body(loop, taken) }
            }
        }
    }

    /// How many steps of a loop begin before a position in the concatenation.
    private func steps(of loop: Int, before place: Int) -> Int {
        min(max(0, (place - starts[loop] + costs[loop] - 1) / costs[loop]), lengths[loop])
    }
}
