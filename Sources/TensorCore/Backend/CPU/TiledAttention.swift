import CKernels

/// One fused attention by the kernels of `attention.h`, split among threads by heads, rows and blocks. No sum is ever
/// split, so the results do not depend on the number of threads.
struct TiledAttention {
    private let streams: [AttentionStream<Tensor>]
    private let level: diptych_kernel_level
    private let batches: Int, heads: Int, depth: Int
    private let dtype: DType
    private var problem: diptych_attention_problem
    /// Tensors that the problem points into.
    private var kept: [Tensor] = []

    private var problems: Int { batches * heads }
    private var queries: Int { problem.queries }
    private var keys: Int { problem.keys }

    /// Below this many multiplications a part is not worth a thread's waking.
    private static let leastWork = 1 << 18

    /// The streams are `float32` or `bfloat16`, the channels of their heads together, their norms' scales `float32`.
    init(_ streams: [AttentionStream<Tensor>], _ options: AttentionOptions, backend: CPUBackend) {
        self.streams = streams
        level = backend.matrixKernels.level
        let shape = streams[0].query.shape
        (batches, heads, depth) = (shape[0], shape[2], shape[3])
        dtype = streams[0].query.dtype
        problem = diptych_attention_problem()
        problem.type = CPUBackend.type(dtype)
        (problem.batches, problem.heads, problem.depth) = (batches, heads, depth)
        problem.queries = streams.reduce(0) { $0 + $1.query.shape[1] }
        problem.keys = streams.reduce(0) { $0 + $1.key.shape[1] }
        problem.epsilon = options.normEpsilon
        problem.scale = options.scale
        problem.causal = options.isCausal
        if let rotary = options.rotary {
            let (cosine, sine) = (backend.float32(rotary.cosine), backend.float32(rotary.sine))
            kept += [cosine, sine]
            (problem.cosine, problem.sine) = (
                UnsafePointer(backend.floats(cosine)), UnsafePointer(backend.floats(sine))
            )
        }
        if let bias = options.bias {
            let wide = bias.dtype == .float32 ? bias : backend.copy(bias, as: .float32)
            let view = wide.expanded(to: [batches, heads, problem.queries, problem.keys])
            kept.append(view)
            problem.bias = UnsafePointer(view.stridedPointer(to: Float.self))
            (problem.bias_batch, problem.bias_head) = (view.strides[0], view.strides[1])
            (problem.bias_row, problem.bias_column) = (view.strides[2], view.strides[3])
        }
    }

    /// The outputs in the streams' type, and the log-sum-exp.
    func run() -> AttentionResult {
        let outputs = streams.map { Tensor(uninitialized: $0.query.shape, dtype: dtype) }
        let logSumExp = Tensor(uninitialized: [batches, heads, queries])
        let operands = zip(streams, outputs).map { Self.operands($0, output: $1) }
        withProblem(operands, logSumExp) { p in
            // Every part reads all keys, so that it should have many rows; but its memory grows with them.
            let most = (queries + 511) / 512
            let wanted = Threads.count > 1 ? (4 * Threads.count + problems - 1) / max(problems, 1) : 1
            let parts = max(1, most, min(wanted, queries / 64))
            let size = diptych_attention_forward_memory(level, p, (queries + parts - 1) / parts)
            forEachPart(problems * parts, of: 4 * queries * keys * depth / parts, memory: size) { index, memory in
                var part = diptych_attention_part()
                (part.batch, part.head) = (index / parts / heads, index / parts % heads)
                part.first_row = index % parts * queries / parts
                part.last_row = (index % parts + 1) * queries / parts
                diptych_attention_forward(level, p, &part, memory)
            }
        }
        return AttentionResult(outputs: outputs, logSumExp: logSumExp)
    }

    /// The gradients that `needs` asks for, those of queries, keys and values in the streams' type. `outputs` and
    /// `logSumExp` are dense, in ``run()``'s types.
    func runGradient(
        outputs: [Tensor], logSumExp: Tensor, gradients: [Tensor?], needs: AttentionNeeds
    ) -> [AttentionGradients] {
        let (wantsQueries, wantsKeys) = (needs.contains(.queries), needs.contains(.keysAndValues))
        let (queryBlocks, keyBlocks) = (diptych_attention_query_blocks(queries), diptych_attention_key_blocks(keys))
        var found = streams.map { stream in
            func fresh(_ x: Tensor, _ wanted: Bool) -> Tensor? {
                wanted ? Tensor(uninitialized: x.shape, dtype: dtype) : nil
            }
            func partial(_ norm: Tensor?, _ blocks: Int, _ wanted: Bool) -> Tensor? {
                norm != nil && wanted && needs.contains(.norms)
                    ? Tensor(uninitialized: [problems * blocks, depth]) : nil
            }
            return AttentionGradients(
                query: fresh(stream.query, wantsQueries), key: fresh(stream.key, wantsKeys),
                value: fresh(stream.value, wantsKeys), queryNorm: partial(stream.queryNorm, queryBlocks, wantsQueries),
                keyNorm: partial(stream.keyNorm, keyBlocks, wantsKeys))
        }
        let operands = streams.indices.map { index in
            var operands = Self.operands(streams[index], output: outputs[index])
            operands.gradient = gradients[index].map(Self.tokens) ?? diptych_attention_tokens()
            operands.dq = found[index].query.map(Self.bytes)
            operands.dk = found[index].key.map(Self.bytes)
            operands.dv = found[index].value.map(Self.bytes)
            operands.dq_norm = found[index].queryNorm.map { $0.pointer(to: Float.self) }
            operands.dk_norm = found[index].keyNorm.map { $0.pointer(to: Float.self) }
            return operands
        }
        withProblem(operands, logSumExp) { p in
            withExtendedLifetime((outputs, gradients)) {
                for pass in GradientPass.all(
                    problems: problems, queryBlocks: queryBlocks, keyBlocks: keyBlocks, wantsQueries: wantsQueries,
                    wantsKeys: wantsKeys)
                {
                    run(pass, p, queryBlocks, keyBlocks)
                }
            }
        }
        for index in found.indices {
            found[index].queryNorm = found[index].queryNorm.map(sumOfRows)
            found[index].keyNorm = found[index].keyNorm.map(sumOfRows)
        }
        return found
    }

    private func run(
        _ pass: GradientPass, _ p: UnsafePointer<diptych_attention_problem>, _ queryBlocks: Int, _ keyBlocks: Int
    ) {
        let parts = pass.queryParts * pass.keyParts
        let size = diptych_attention_backward_memory(level, p, (queryBlocks + pass.queryParts - 1) / pass.queryParts)
        forEachPart(problems * parts, of: 10 * queries * keys * depth / parts, memory: size) { index, memory in
            let (problem, down, across) = (index / parts, index % parts / pass.keyParts, index % pass.keyParts)
            var part = diptych_attention_part()
            (part.batch, part.head) = (problem / heads, problem % heads)
            part.first_row = down * queryBlocks / pass.queryParts
            part.last_row = (down + 1) * queryBlocks / pass.queryParts
            part.first_key_block = across * keyBlocks / pass.keyParts
            part.last_key_block = (across + 1) * keyBlocks / pass.keyParts
            diptych_attention_backward(level, p, &part, pass.wantsQueries, pass.wantsKeys, memory)
        }
    }

    /// Calls `body` with each part's number and working memory, in parallel; `work` counts a part's operations.
    private func forEachPart(
        _ count: Int, of work: Int, memory: Int, _ body: (Int, UnsafeMutableRawPointer) -> Void
    ) {
        parallelFor(count, grain: max(1, Self.leastWork / max(work, 1))) { parts in
            let room = Storage(byteCount: memory)
            withExtendedLifetime(room) {
                for part in parts { body(part, room.base) }
            }
        }
    }

    /// Lends the problem of these operands.
    private func withProblem(
        _ operands: [diptych_attention_stream], _ logSumExp: Tensor,
        _ body: (UnsafePointer<diptych_attention_problem>) -> Void
    ) {
        withExtendedLifetime((kept, streams, logSumExp)) {
            operands.withUnsafeBufferPointer { list in
                var problem = problem
                problem.streams = list.baseAddress
                problem.stream_count = list.count
                problem.log_sum_exp = logSumExp.pointer(to: Float.self)
                withUnsafePointer(to: problem) { body($0) }
            }
        }
    }

    private func sumOfRows(_ x: Tensor) -> Tensor {
        let sum = Tensor(uninitialized: [depth])
        diptych_sum_rows(x.pointer(to: Float.self), x.shape[0], depth, depth, 1, sum.pointer(to: Float.self))
        return sum
    }

    private static func operands(_ stream: AttentionStream<Tensor>, output: Tensor) -> diptych_attention_stream {
        var operands = diptych_attention_stream()
        (operands.queries, operands.keys) = (stream.query.shape[1], stream.key.shape[1])
        (operands.q, operands.k, operands.v) = (tokens(stream.query), tokens(stream.key), tokens(stream.value))
        operands.q_norm = stream.queryNorm.map { UnsafePointer($0.pointer(to: Float.self)) }
        operands.k_norm = stream.keyNorm.map { UnsafePointer($0.pointer(to: Float.self)) }
        operands.output = bytes(output)
        return operands
    }

    private static func tokens(_ x: Tensor) -> diptych_attention_tokens {
        diptych_attention_tokens(
            data: UnsafeRawPointer(bytes(x)), batch: x.strides[0], token: x.strides[1], head: x.strides[2])
    }

    private static func bytes(_ x: Tensor) -> UnsafeMutableRawPointer {
        x.storage.base + x.offset * x.dtype.byteCount
    }
}

/// One pass over all heads for gradients.
private struct GradientPass {
    var queryParts: Int, keyParts: Int
    var wantsQueries: Bool, wantsKeys: Bool

    /// The gradients of queries sum over keys, those of keys over queries, so that a head is cut along one of both only,
    /// or not at all for both at once: five products of matrices, against seven in two passes. Where there are enough
    /// heads for all threads, or nearly, they stay whole.
    static func all(
        problems: Int, queryBlocks: Int, keyBlocks: Int, wantsQueries: Bool, wantsKeys: Bool
    ) -> [GradientPass] {
        let threads = Threads.count
        let rounds = (problems + threads - 1) / threads
        if wantsQueries && wantsKeys && 5 * rounds * threads <= 7 * problems {
            return [GradientPass(queryParts: 1, keyParts: 1, wantsQueries: true, wantsKeys: true)]
        }
        // Parts of several blocks each, as every part packs all of the other side.
        let wanted = threads > 1 ? (4 * threads + problems - 1) / max(problems, 1) : 1
        let queries = GradientPass(
            queryParts: max(1, min(wanted, queryBlocks / 2)), keyParts: 1, wantsQueries: true, wantsKeys: false)
        let keys = GradientPass(
            queryParts: 1, keyParts: max(1, min(wanted, keyBlocks)), wantsQueries: false, wantsKeys: true)
        return (wantsQueries ? [queries] : []) + (wantsKeys ? [keys] : [])
    }
}
