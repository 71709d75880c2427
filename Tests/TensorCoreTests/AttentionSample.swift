import TensorCore
import TestSupport

/// An attention with all its operands and the gradients of its outputs.
struct AttentionSample: CustomStringConvertible {
    var streams: [AttentionStream<Tensor>]
    var options: AttentionOptions
    var upstream: [Tensor?]

    /// Streams of so many queries and keys; extents of 0 in the bias's shape stand for the numbers of all queries and keys.
    init(
        _ tokens: [(queries: Int, keys: Int)], batch: Int, heads: Int, depth: Int, hasNorms: Bool = true,
        isRotated: Bool = true, isCausal: Bool = false, bias: [Int]? = nil
    ) {
        func sample(_ count: Int, _ seed: Int) -> Tensor {
            .sample([batch, count, heads, depth], seed: UInt64(seed)) * 1.1
        }
        streams = tokens.enumerated().map { index, count in
            AttentionStream(
                query: sample(count.queries, 10 * index), key: sample(count.keys, 10 * index + 1),
                value: sample(count.keys, 10 * index + 2),
                queryNorm: hasNorms ? .sample([depth], seed: UInt64(10 * index + 3), 0.5...1.5) : nil,
                keyNorm: hasNorms ? .sample([depth], seed: UInt64(10 * index + 4), 0.5...1.5) : nil)
        }
        upstream = tokens.enumerated().map { sample($1.queries, 10 * $0 + 5) }
        let (queries, keys) = (tokens.reduce(0) { $0 + $1.queries }, tokens.reduce(0) { $0 + $1.keys })
        options = AttentionOptions(scale: 1 / Float(depth).squareRoot(), isCausal: isCausal)
        if isRotated {
            let angles = Tensor.sample([keys, depth / 2], seed: 6) * 3
            options.rotary = RotaryAngles(cosine: angles.applying(.cosine), sine: angles.applying(.sine))
        }
        options.bias = bias.map { shape in
            var shape = shape
            if shape[2] == 0 { shape[2] = queries }
            if shape[3] == 0 { shape[3] = keys }
            return .sample(Shape(shape), seed: 7) * 2
        }
    }

    var description: String {
        let tokens = streams.map { "\($0.query.shape) over \($0.key.shape[1])" }
        let bias = options.bias.map { ", bias \($0.shape)" } ?? ""
        return "\(tokens)\(options.isCausal ? ", causal" : "")\(options.rotary == nil ? "" : ", rotary")\(bias)"
    }

    func converted(to dtype: DType) -> AttentionSample { changed { $0.converted(to: dtype) } }

    /// The bias too, whose type stays as it is when converted.
    func laidOut(_ layout: Layout) -> AttentionSample {
        var result = changed { $0.laidOut(layout) }
        result.options.bias = options.bias?.laidOut(layout)
        return result
    }

    private func changed(_ transform: (Tensor) -> Tensor) -> AttentionSample {
        var result = self
        result.streams = streams.map { $0.map(transform) }
        result.upstream = upstream.map { $0.map(transform) }
        return result
    }

    /// Everything forwards and backwards, by the backend in force.
    func run() -> AttentionRun {
        let result = Tensor.attention(streams, options: options)
        let gradients = Device.backend.attentionGradient(
            streams, options: options, result: result, gradients: upstream,
            needs: [.queries, .keysAndValues, .norms])
        return AttentionRun(result: result, gradients: gradients)
    }
}

extension AttentionGradients {
    var all: [Tensor?] { [query, key, value, queryNorm, keyNorm] }
}

/// What one run gives.
struct AttentionRun {
    var result: AttentionResult
    var gradients: [AttentionGradients]

    func errors(from other: AttentionRun) -> AttentionErrors {
        var errors = AttentionErrors()
        for (a, b) in zip(result.outputs, other.result.outputs) { errors.output = max(errors.output, a.error(from: b)) }
        errors.logSumExp = result.logSumExp.error(from: other.result.logSumExp)
        for (a, b) in zip(gradients, other.gradients) {
            for (x, y) in zip(a.all.prefix(3), b.all) { errors.gradient = max(errors.gradient, x!.error(from: y!)) }
            for (x, y) in zip(a.all.dropFirst(3), b.all.dropFirst(3)) where y != nil {
                errors.norm = max(errors.norm, x!.error(from: y!))
            }
        }
        return errors
    }

    func isIdentical(to other: AttentionRun) -> Bool {
        zip(result.outputs + [result.logSumExp], other.result.outputs + [other.result.logSumExp])
            .allSatisfy { $0.isIdentical(to: $1) }
            && zip(gradients.flatMap(\.all), other.gradients.flatMap(\.all)).allSatisfy {
                $0 == nil && $1 == nil || $0!.isIdentical(to: $1!)
            }
    }
}

/// The largest differences of two runs, relative to `max(1, |expected|)`.
struct AttentionErrors {
    var output = 0.0, logSumExp = 0.0, gradient = 0.0, norm = 0.0

    mutating func add(_ other: AttentionErrors) {
        output = max(output, other.output)
        logSumExp = max(logSumExp, other.logSumExp)
        gradient = max(gradient, other.gradient)
        norm = max(norm, other.norm)
    }

    static func <= (a: AttentionErrors, b: AttentionErrors) -> Bool {
        a.output <= b.output && a.logSumExp <= b.logSumExp && a.gradient <= b.gradient && a.norm <= b.norm
    }

    /// Results of 16-bit types are rounded once, to half a unit in their last place; where pairs of `bfloat16` are
    /// multiplied, so are the turned queries and keys, the weights and the gradients of the scores.
    static func bound(_ dtype: DType, _ kernels: MatrixKernels) -> AttentionErrors {
        if dtype == .float32 { return AttentionErrors(output: 1e-6, logSumExp: 1e-6, gradient: 3e-6, norm: 1e-5) }
        if dtype == .float16 { return AttentionErrors(output: 5e-4, logSumExp: 2e-6, gradient: 2e-3, norm: 2e-3) }
        if kernels < .avx512bf16 {
            return AttentionErrors(output: 4e-3, logSumExp: 2e-6, gradient: 2e-2, norm: 0.05)
        }
        return AttentionErrors(output: 0.01, logSumExp: 0.02, gradient: 0.03, norm: 0.1)
    }
}
