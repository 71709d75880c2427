import TensorCore
import TestSupport
import Testing

/// Attention by every set of kernels against the same computed in small pieces: norms, rotation, concatenation, and each
/// head's whole matrix of weights in products that sum in double precision.
@Suite struct TiledAttentionTests {
    private static let oracle = CPUBackend(engine: .plain)

    private static func expectAgreement(
        _ kernels: MatrixKernels, _ sample: AttentionSample, _ dtype: DType, layout: Layout = .dense
    ) -> AttentionErrors {
        let narrow = sample.converted(to: dtype)
        let wanted = Device.withBackend(oracle) { narrow.converted(to: .float32).run() }
        let found = Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
            narrow.laidOut(layout).run()
        }
        let errors = found.errors(from: wanted)
        let bound = AttentionErrors.bound(dtype, kernels)
        #expect(errors <= bound, "\(kernels) \(dtype) \(layout) \(sample): \(errors)")
        for output in found.result.outputs { #expect(output.dtype == dtype && output.isContiguous) }
        return errors
    }

    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16, .float16])
    func oddExtents(kernels: MatrixKernels, dtype: DType) {
        var worst = AttentionErrors()
        for tokens in [1, 3, 17, 127] {
            for depth in [2, 8, 24, 32, 64, 128] {
                let sample = AttentionSample([(tokens, tokens)], batch: 2, heads: 2, depth: depth)
                worst.add(Self.expectAgreement(kernels, sample, dtype))
            }
            for depth in [1, 5, 17, 33] {
                let sample = AttentionSample(
                    [(tokens, tokens)], batch: 1, heads: 3, depth: depth, hasNorms: depth > 1, isRotated: false)
                worst.add(Self.expectAgreement(kernels, sample, dtype))
            }
        }
        print("\(kernels), \(dtype): \(worst)")
    }

    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16])
    func severalTilesAndStreams(kernels: MatrixKernels, dtype: DType) {
        var worst = AttentionErrors()
        let streams: [[(Int, Int)]] = [
            [(64, 64), (128, 128)], [(131, 131), (0, 0), (130, 130)], [(0, 0), (17, 17)], [(17, 17), (0, 0)],
            [(1, 1), (2, 2), (3, 3)], [(205, 205), (1, 1)], [(400, 400)],
        ]
        for item in streams {
            let depth = item[0].0 == 400 ? 8 : 24
            for isCausal in [false, true] {
                for bias in [nil, [1, 2, 1, 1], [2, 1, 1, 0], [1, 1, 0, 0]] as [[Int]?] {
                    // 0 stands for the number of tokens.
                    if bias != nil && depth == 8 { continue }
                    let sample = AttentionSample(item, batch: 2, heads: 2, depth: depth, isCausal: isCausal, bias: bias)
                    worst.add(Self.expectAgreement(kernels, sample, dtype))
                }
            }
        }
        for item in [(17, 260), (260, 17), (127, 193), (3, 0), (0, 3), (71, 192)] {
            for isCausal in [false, true] {
                let sample = AttentionSample(
                    [item], batch: 1, heads: 2, depth: 16, isRotated: item.0 <= item.1, isCausal: isCausal)
                worst.add(Self.expectAgreement(kernels, sample, dtype))
            }
        }
        print("\(kernels), \(dtype), several tiles and streams: \(worst)")
    }

    /// The last queries alone find what they find among all, to the bit, and the keys' gradients are those of these queries.
    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16])
    func lastQueries(kernels: MatrixKernels, dtype: DType) {
        for (queries, keys) in [(1, 3), (65, 129), (127, 193)] {
            var whole = AttentionSample([(keys, keys)], batch: 2, heads: 2, depth: 16)
            var last = whole
            let range = keys - queries..<keys
            last.streams[0].query = whole.streams[0].query.sliced(axis: 1, range)
            last.upstream[0] = whole.upstream[0]!.sliced(axis: 1, range)
            whole.upstream[0] = last.upstream[0]!.padded(low: [0, keys - queries, 0, 0], high: [0, 0, 0, 0])
            let (a, b) = Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
                (whole.converted(to: dtype).run(), last.converted(to: dtype).run())
            }
            #expect(b.result.output.isIdentical(to: a.result.output.sliced(axis: 1, range)))
            let query = a.gradients[0].query!.sliced(axis: 1, range)
            let bound = AttentionErrors.bound(dtype, kernels)
            #expect(b.gradients[0].query!.error(from: query) <= bound.gradient)
            for (x, y) in zip(b.gradients[0].all.dropFirst(), a.gradients[0].all.dropFirst()) {
                #expect(x!.error(from: y!) <= bound.norm)
            }
        }
    }

    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16])
    func stridedViews(kernels: MatrixKernels, dtype: DType) {
        for layout in Layout.allCases {
            _ = Self.expectAgreement(
                kernels, AttentionSample([(3, 3), (14, 14)], batch: 2, heads: 3, depth: 8, bias: [1, 3, 0, 0]), dtype,
                layout: layout)
        }
        // One projection to queries, keys and values.
        let fused = Tensor.sample([2, 19, 3, 4, 32], seed: 1).converted(to: dtype)
        let parts = (0..<3).map { fused.sliced(axis: 2, $0..<$0 + 1).squeezed(2) }
        Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
            let options = AttentionOptions(scale: 0.2)
            let viewed = Tensor.attention(parts[0], parts[1], parts[2], options: options)
            let dense = Tensor.attention(
                parts[0].copied(), parts[1].copied(), parts[2].copied(), options: options)
            #expect(viewed.output.isIdentical(to: dense.output))
        }
    }

    /// Rows whose keys are all hidden give zeros, and no gradient.
    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16])
    func maskedRows(kernels: MatrixKernels, dtype: DType) {
        var values = [Float](repeating: 0, count: 75 * 210)
        for row in [0, 3, 70, 74] { for key in 0..<210 { values[row * 210 + key] = -.infinity } }
        // A row that sees keys of the second tile only.
        for key in 0..<200 { values[5 * 210 + key] = -.infinity }
        var sample = AttentionSample([(75, 210)], batch: 1, heads: 2, depth: 8, isRotated: false)
        sample.options.bias = Tensor(values, [75, 210])
        _ = Self.expectAgreement(kernels, sample, dtype)
        Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
            let found = sample.converted(to: dtype).run()
            let (output, gradient) = (found.result.output, found.gradients[0].query!)
            for row in [0, 3, 70, 74] {
                for x in [output, gradient] {
                    #expect(x.sliced(axis: 1, row..<row + 1).floats.allSatisfy { $0 == 0 })
                }
                #expect(found.result.logSumExp.sliced(axis: 2, row..<row + 1).floats.allSatisfy { $0 == -.infinity })
            }
        }
    }

    /// What is not asked for does not change what is, whichever passes compute it.
    @Test(arguments: MatrixKernels.available, [DType.float32, .bfloat16])
    func needs(kernels: MatrixKernels, dtype: DType) {
        let sample = AttentionSample([(150, 150), (100, 100)], batch: 1, heads: 2, depth: 16).converted(to: dtype)
        Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
            let all = sample.run()
            for needs in [.queries, .keysAndValues, [.queries, .norms], [.keysAndValues, .norms]] as [AttentionNeeds] {
                let some = Device.backend.attentionGradient(
                    sample.streams, options: sample.options, result: all.result, gradients: sample.upstream,
                    needs: needs)
                for (a, b) in zip(some, all.gradients) {
                    #expect((a.query != nil) == needs.contains(.queries))
                    #expect((a.key != nil) == needs.contains(.keysAndValues) && (a.key != nil) == (a.value != nil))
                    #expect((a.queryNorm != nil) == needs.isSuperset(of: [.queries, .norms]))
                    #expect((a.keyNorm != nil) == needs.isSuperset(of: [.keysAndValues, .norms]))
                    for (x, y) in zip(a.all, b.all) { #expect(x == nil || x!.isIdentical(to: y!)) }
                }
            }
            // An output that nothing depends on.
            let half = [sample.upstream[0], nil]
            let zeros = [sample.upstream[0], Tensor(zeros: sample.streams[1].query.shape, dtype: dtype)]
            let found = [half, zeros].map {
                Device.backend.attentionGradient(
                    sample.streams, options: sample.options, result: all.result, gradients: $0,
                    needs: [.queries, .keysAndValues])
            }
            for (a, b) in zip(found[0], found[1]) {
                for (x, y) in zip(a.all, b.all) { #expect(x == nil && y == nil || x!.isIdentical(to: y!)) }
            }
        }
    }

    /// In a process of its own, since the number of threads is one for the process. It decides how heads are cut, and
    /// whether gradients take one pass or two.
    @Test func threadsDoNotMatter() async {
        await #expect(processExitsWith: .success) {
            let samples = [
                AttentionSample([(300, 300), (401, 401)], batch: 1, heads: 1, depth: 16),
                AttentionSample([(130, 130), (70, 70)], batch: 1, heads: 3, depth: 32, isCausal: true),
                AttentionSample([(33, 33)], batch: 3, heads: 5, depth: 8, bias: [3, 1, 0, 0]),
            ]
            for kernels in MatrixKernels.available {
                Device.withBackend(CPUBackend(engine: .kernels, matrixKernels: kernels)) {
                    for sample in samples {
                        for dtype in [DType.float32, .bfloat16] {
                            let sample = sample.converted(to: dtype)
                            Threads.set(1)
                            let alone = sample.run()
                            for count in [2, 3, 7] {
                                Threads.set(count)
                                #expect(sample.run().isIdentical(to: alone), "\(kernels) \(dtype), \(count) threads")
                            }
                        }
                    }
                }
            }
        }
    }

    /// No matrix of queries by keys: it would have 64 MiB a head in `float32`.
    @Test func memoryGrowsWithTheTokens() async {
        await #expect(processExitsWith: .success) {
            for dtype in [DType.float32, .bfloat16] {
                let sample = AttentionSample([(512, 512), (3584, 3584)], batch: 1, heads: 1, depth: 32).converted(
                    to: dtype)
                Threads.set(2)
                let before = MemoryAccount.currentBytes
                MemoryAccount.resetPeak()
                let result = Tensor.attention(sample.streams, options: sample.options)
                let forwards = MemoryAccount.peakBytes - before
                _ = Device.backend.attentionGradient(
                    sample.streams, options: sample.options, result: result, gradients: sample.upstream,
                    needs: [.queries, .keysAndValues, .norms])
                let all = MemoryAccount.peakBytes - before
                print("\(dtype): \(forwards >> 10) KiB forwards, \(all >> 10) KiB with the gradient")
                #expect(forwards < 4 << 20 && all < 12 << 20)
            }
        }
    }
}
