import TensorCore
import TensorIO
import TestSupport
import Testing

/// What is written in a narrower type: overflow is refused, underflow counted.
@Suite struct NarrowingTests {
    @Test func underflowIsCounted() throws {
        var narrowing = Narrowing()
        let numbers = Tensor([1, 0, 1e-9, -1e-9, 6e-8, 65504] as [Float], [6])
        let half = try narrowing.convert(numbers, to: .float16, path: "f", key: "a")
        #expect(half.dtype == .float16 && half.floats[2] == 0 && half.floats[5] == 65504 && half.floats[4] > 0)
        #expect(narrowing.notice == "2 of 5 numbers (40 %) are too small for float16 and became 0")
        // bfloat16 has float32's range.
        _ = try narrowing.convert(numbers, to: .bfloat16, path: "f", key: "a")
        #expect(narrowing.losses["bfloat16"]?.vanished == 0)
        #expect(narrowing.notice == "2 of 5 numbers (40 %) are too small for float16 and became 0")
        var none = Narrowing()
        #expect(try none.convert(numbers, to: .float32, path: "f", key: "a").isIdentical(to: numbers))
        #expect(none.notice == nil)
    }

    @Test func overflowIsRefused() throws {
        var narrowing = Narrowing()
        let large = Tensor([1, 65520, -7e4] as [Float], [3])
        #expect(
            throws: FileError(
                "f", key: "a", expected: "numbers within the range of float16",
                found: "2 that are too large, up to 70000.0")
        ) { try narrowing.convert(large, to: .float16, path: "f", key: "a") }
        for bad in [Float.nan, .infinity] {
            for dtype in [DType.float16, .float32] {
                let error = #expect(throws: FileError.self) {
                    try narrowing.convert(Tensor([1, bad], [2]), to: dtype, path: "f", key: "a")
                }
                #expect(error?.expected == "finite numbers")
            }
        }
    }

    @Test func blocks() throws {
        var narrowing = Narrowing()
        var numbers = Tensor.sample([2, 64], seed: 1)
        // Small beside its block's largest: rounded to zero as meant. Two blocks of small ones, twice, and one with a single
        // small one: lost.
        numbers = Tensor.concatenated([numbers, Tensor(full: [1, 64], 1e-12), Tensor(zeros: [1, 64])], axis: 0)
        numbers.sliced(axis: 1, 0..<1).assign(Tensor(1e-6))
        let blocks = try narrowing.quantize(
            Tensor.concatenated([numbers, Tensor(full: [1, 64], 1e-12)], axis: 0), to: .q80, path: "f", key: "a")
        #expect(blocks.shape == [5, 64])
        #expect(narrowing.losses["Q8_0"]?.vanished == 5, "\(narrowing.losses)")
        #expect(narrowing.notice?.contains("blocks") == true && narrowing.notice?.contains("Q8_0") == true)
        let error = #expect(throws: FileError.self) {
            try narrowing.quantize(Tensor(full: [1, 32], 1e12), to: .q80, path: "f", key: "a")
        }
        #expect(error?.expected == "numbers within the range of Q8_0", "\(error!)")
        #expect(throws: FileError.self) {
            try narrowing.quantize(Tensor(full: [1, 32], .nan), to: .q4K, path: "f", key: "a")
        }
    }
}
