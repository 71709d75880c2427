import TensorCore
import TestSupport
import Testing

@Suite struct MatrixProductTests {
    private let plain = CPUBackend(engine: .plain)
    private let blas = CPUBackend(engine: .blas)
    private let kernels = CPUBackend(engine: .kernels)
    private let oneDNN = CPUBackend(engine: .oneDNN)

    /// The sum over `k` in double precision, from indices alone.
    private func expected(_ a: Tensor, _ b: Tensor, bias: Tensor? = nil) -> Reference {
        let (x, y, shift) = (Reference(a), Reference(b), bias.map { Reference($0) })
        let lead = Shape.broadcast(
            Shape(Array(a.shape.dimensions.dropLast(2))), Shape(Array(b.shape.dimensions.dropLast(2))))!
        return Reference(Shape(lead.dimensions + [a.shape[-2], b.shape[-1]])) { index in
            let (batch, i, j) = (Array(index.dropLast(2)), index[index.count - 2], index[index.count - 1])
            let start = shift.map { $0[j] } ?? 0
            return (0..<a.shape[-1]).reduce(start) { $0 + x[batch + [i, $1]] * y[batch + [$1, j]] }
        }
    }

    static let extents = [1, 3, 17, 127]

    /// Each extent of 1, 3, 17 and 127 with each other, in every layout, transposed or not.
    @Test(arguments: extents) func enginesAgree(m: Int) {
        var worst = 0.0
        for k in Self.extents {
            for n in Self.extents {
                // Numbers of all digits, so that products round.
                let (a, b) = (Tensor.sample([m, k], seed: 1) * 0.9, Tensor.sample([k, n], seed: 2) * 1.1)
                let bias = Tensor.sample([n], seed: 3)
                let oracle = Device.withBackend(plain) { a.matrixProduct(b) }
                let shifted = oracle + bias
                for layout in Layout.allCases {
                    for layoutB in Layout.allCases {
                        let (u, v) = (a.laidOut(layout), b.laidOut(layoutB))
                        let results = [blas, kernels, oneDNN].flatMap { engine in
                            Device.withBackend(engine) {
                                [
                                    u.matrixProduct(v), u.transposed().matrixProduct(v, transposingSelf: true),
                                    u.matrixProduct(v.transposed(), transposingOther: true),
                                    u.transposed().copied().matrixProduct(
                                        v.transposed().copied(), transposingSelf: true, transposingOther: true),
                                ]
                            }
                        }
                        for result in results { worst = max(worst, result.error(from: oracle)) }
                        for engine in [blas, kernels, oneDNN] {
                            let withBias = Device.withBackend(engine) { u.matrixProduct(v, bias: bias.laidOut(layout)) }
                            worst = max(worst, withBias.error(from: shifted))
                        }
                    }
                }
            }
        }
        print("engines of matrix products, \(m) rows: max difference \(worst)")
        #expect(worst > 0 && worst <= 1e-5, "\(worst)")
    }

    @Test(arguments: CPUBackend.Engine.allCases) func theOracleMultiplies(engine: CPUBackend.Engine) {
        for (m, k, n) in [(1, 1, 1), (2, 3, 4), (5, 7, 1), (1, 7, 5), (17, 9, 13)] {
            let (a, b) = (Tensor.sample([m, k], seed: 1), Tensor.sample([k, n], seed: 2))
            let bias = Tensor.sample([n], seed: 3)
            Device.withBackend(CPUBackend(engine: engine)) {
                #expect(a.matrixProduct(b).error(from: expected(a, b).values) <= 2e-6)
                #expect(a.matrixProduct(b, bias: bias).error(from: expected(a, b, bias: bias).values) <= 2e-6)
            }
        }
    }

    @Test(arguments: CPUBackend.Engine.allCases) func batchesBroadcast(engine: CPUBackend.Engine) {
        let cases: [(Shape, Shape)] = [
            ([2, 3, 4, 5], [2, 3, 5, 6]), ([2, 3, 4, 5], [5, 6]), ([4, 5], [2, 5, 6]), ([2, 1, 4, 5], [3, 5, 6]),
            ([1, 4, 5], [7, 5, 1]), ([3, 1, 5], [1, 5, 6]), ([2, 3, 1, 5], [3, 5, 6]),
        ]
        Device.withBackend(CPUBackend(engine: engine)) {
            for (left, right) in cases {
                let (a, b) = (Tensor.sample(left, seed: 1), Tensor.sample(right, seed: 2))
                let bias = Tensor.sample([right[-1]], seed: 3)
                let wanted = expected(a, b, bias: bias)
                for layout in Layout.allCases {
                    let found = a.laidOut(layout).matrixProduct(b.laidOut(layout), bias: bias)
                    #expect(found.shape == wanted.shape)
                    let error = found.error(from: wanted.values)
                    #expect(error <= 2e-6, "\(left) \(right) \(layout): \(error)")
                    let turned = a.laidOut(layout).transposed().copied().matrixProduct(
                        b.transposed().laidOut(layout), transposingSelf: true, transposingOther: true, bias: bias)
                    #expect(turned.error(from: wanted.values) <= 2e-6, "\(left) \(right) \(layout)")
                }
                if left.rank < right.rank { continue }
                let spread = a.unsqueezed(0).expanded(to: Shape([2] + left.dimensions))
                #expect(spread.matrixProduct(b, bias: bias).error(from: wanted.values + wanted.values) <= 2e-6)
            }
        }
    }

    @Test func headsOfAttentionMultiplyInPlace() {
        // [B, S, H, D] permuted to [B, H, S, D]: strided matrices, no axis of them merged with another.
        let q = Tensor.sample([2, 5, 3, 4], seed: 1).permuted([0, 2, 1, 3])
        let k = Tensor.sample([2, 7, 3, 4], seed: 2).permuted([0, 2, 1, 3])
        let found = q.matrixProduct(k, transposingOther: true)
        #expect(found.error(from: expected(q, k.transposed()).values) <= 2e-6)
    }

    @Test(arguments: CPUBackend.Engine.allCases) func extentsOfNothing(engine: CPUBackend.Engine) {
        Device.withBackend(CPUBackend(engine: engine)) {
            #expect(Tensor(zeros: [0, 3]).matrixProduct(Tensor(zeros: [3, 2])).shape == [0, 2])
            #expect(Tensor(zeros: [2, 3]).matrixProduct(Tensor(zeros: [3, 0])).shape == [2, 0])
            #expect(Tensor(zeros: [2, 0]).matrixProduct(Tensor(zeros: [0, 2])).floats == [0, 0, 0, 0])
            let bias = Tensor([1, 2] as [Float], [2])
            #expect(Tensor(zeros: [2, 0]).matrixProduct(Tensor(zeros: [0, 2]), bias: bias).floats == [1, 2, 1, 2])
            #expect(Tensor(zeros: [0, 4, 3]).matrixProduct(Tensor(zeros: [3, 2])).shape == [0, 4, 2])
            #expect(Tensor(zeros: [3, 0, 0]).matrixProduct(Tensor(zeros: [0, 2])).shape == [3, 0, 2])
            #expect(Tensor(zeros: [0, 4, 3]).matrixProduct(Tensor(zeros: [1, 3, 2])).shape == [0, 4, 2])
        }
    }

    @Test func floatingPointTypesMix() {
        let types: [DType] = [.float32, .bfloat16, .float16]
        let (a, b) = (Tensor.sample([17, 9], seed: 1), Tensor.sample([9, 5], seed: 2))
        let bias = Tensor.sample([5], seed: 3)
        for left in types {
            for right in types {
                let (u, v) = (a.converted(to: left), b.converted(to: right))
                let w = bias.converted(to: right)
                let wanted = expected(u, v, bias: w)
                for layout in Layout.allCases {
                    let wide = u.laidOut(layout).matrixProduct(v.laidOut(layout), bias: w, dtype: .float32)
                    #expect(wide.dtype == .float32)
                    #expect(wide.error(from: wanted.values) <= 2e-6, "\(left) \(right) \(layout)")
                    // The result has the left type and is rounded once.
                    let own = u.laidOut(layout).matrixProduct(v.laidOut(layout), bias: w)
                    #expect(own.dtype == left)
                    #expect(own.isIdentical(to: wide.converted(to: left)), "\(left) \(right) \(layout)")
                    let turned = u.laidOut(layout).matrixProduct(
                        v.transposed().copied(), transposingOther: true, bias: w, dtype: .float32)
                    #expect(turned.error(from: wanted.values) <= 2e-6, "\(left) \(right) \(layout)")
                }
            }
        }
    }

    @Test func innerExtentsMustAgree() async {
        await #expect(processExitsWith: .failure) {
            _ = Tensor(zeros: [2, 3]).matrixProduct(Tensor(zeros: [4, 2]))
        }
        await #expect(processExitsWith: .failure) {
            _ = Tensor(zeros: [2, 2, 3]).matrixProduct(Tensor(zeros: [3, 3, 2]))
        }
    }
}
