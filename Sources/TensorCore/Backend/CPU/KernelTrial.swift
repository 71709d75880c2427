/// A small product and a small attention with its gradients, computed by one set of kernels and by another, and how far
/// they are apart.
///
/// The operands have odd extents, more than one block of the summed axis, and both layouts, in `bfloat16`. Everything is
/// asked of the two backends themselves and runs on the calling thread: the trial is a part of choosing
/// `Device.backend`, so that no operation on ``Tensor`` that asks for the device may be used in here.
package struct KernelTrial {
    /// The largest difference of each result, by its name; NaN where one of both is no number.
    package let differences: [(name: String, difference: Float)]

    /// Results are sums of a thousand products below 1, or weighted means of such numbers rounded to `bfloat16`.
    package static let tolerance: Float = 0.05

    /// Whether every result is near the other's.
    package var isPassed: Bool { differences.allSatisfy { $0.difference < Self.tolerance } }

    /// Compares two sets of kernels of this processor.
    package init(of kernels: MatrixKernels, against others: MatrixKernels) {
        self.init(
            of: CPUBackend(matrixKernels: kernels, leavesSomeToOneDNN: false),
            against: CPUBackend(matrixKernels: others, leavesSomeToOneDNN: false))
    }

    /// Compares two backends.
    package init(of backend: CPUBackend, against oracle: CPUBackend) {
        differences = withoutThePool {
            zip(Self.results(backend), Self.results(oracle)).map { found, expected in
                (found.name, Self.difference(found.values, expected.values))
            }
        }
    }

    /// The largest distance of two numbers in the same place; NaN where one is no number.
    package static func difference(_ found: [Float], _ expected: [Float]) -> Float {
        zip(found, expected).reduce(0) { worst, pair in
            let distance = abs(pair.0 - pair.1)
            return worst.isNaN || distance.isNaN ? .nan : max(worst, distance)
        }
    }

    private static func results(_ backend: CPUBackend) -> [(name: String, values: [Float])] {
        func wave(_ shape: Shape, _ step: Float) -> Tensor {
            Tensor((0..<shape.count).map { BFloat16(Float($0 % 61) * step - 1) }, shape)
        }
        let (a, b, turned) = (wave([67, 1100], 0.03), wave([1100, 45], 0.029), wave([45, 1100], 0.027))
        let (q, k, v) = (wave([1, 67, 2, 24], 0.03), wave([1, 67, 2, 24], 0.028), wave([1, 67, 2, 24], 0.029))
        let options = AttentionOptions(scale: 0.2)
        let streams = [AttentionStream(query: q, key: k, value: v)]
        let attention = backend.attention(streams, options: options)
        let gradients = backend.attentionGradient(
            streams, options: options, result: attention, gradients: [q], needs: [.queries, .keysAndValues])[0]
        let results: [(String, Tensor)] = [
            ("product", backend.matrixProduct(a, b, bias: nil, dtype: .float32)),
            (
                "product with a transposed factor",
                backend.matrixProduct(a, turned.transposed(), bias: nil, dtype: .float32)
            ),
            ("attention", attention.outputs[0]),
            ("gradient of queries", gradients.query!), ("gradient of keys", gradients.key!),
            ("gradient of values", gradients.value!),
        ]
        return results.map { ($0, backend.copy($1, as: .float32).withUnsafeElements(of: Float.self) { Array($0) }) }
    }
}
