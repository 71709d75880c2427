import TensorCore
import TestSupport
import Testing

@Suite struct ConversionTests {
    /// Bit patterns of `Float` and of the nearest `bfloat16`.
    static let bfloat16Cases: [(UInt32, UInt16)] = [
        (0x3F80_0000, 0x3F80),  // 1
        (0x3F80_8000, 0x3F80),  // a tie, to the even neighbour below
        (0x3F81_8000, 0x3F82),  // a tie, to the even neighbour above
        (0x3F80_8001, 0x3F81),  // just above a tie
        (0x3F80_7FFF, 0x3F80),  // just below a tie
        (0xBF81_8000, 0xBF82),  // the sign does not matter
        (0x3F7F_FFFF, 0x3F80),  // a carry into the exponent
        (0x7F7F_FFFF, 0x7F80),  // the largest Float overflows to infinity
        (0x7F80_0000, 0x7F80), (0xFF80_0000, 0xFF80),  // infinities
        (0x0000_0001, 0x0000), (0x8000_0001, 0x8000),  // the smallest subnormals underflow, the sign stays
        (0x0000_8001, 0x0001), (0x0000_8000, 0x0000), (0x0001_8000, 0x0002),  // subnormals round alike
        (0x007F_FFFF, 0x0080),  // the largest subnormal becomes normal
        (0x8000_0000, 0x8000),  // minus zero
    ]

    @Test func bfloat16RoundsToNearestEven() {
        for (bits, expected) in Self.bfloat16Cases {
            let found = BFloat16(Float(bitPattern: bits)).bitPattern
            #expect(found == expected, "\(String(bits, radix: 16)): \(String(found, radix: 16))")
        }
        let tensor = Tensor(Self.bfloat16Cases.map { Float(bitPattern: $0.0) }, [Self.bfloat16Cases.count])
        let found = tensor.converted(to: .bfloat16).elements(as: BFloat16.self).map(\.bitPattern)
        #expect(found == Self.bfloat16Cases.map(\.1))
    }

    @Test func notANumberStaysOne() {
        // A payload only in the lower half must not turn into infinity.
        let values = [Float.nan, -.nan, Float(bitPattern: 0x7F80_0001), Float(bitPattern: 0xFF80_0001)]
        for dtype in [DType.bfloat16, .float16] {
            let there = Tensor(values, [4]).converted(to: dtype)
            #expect(there.floats.filter { !$0.isNaN }.isEmpty, "\(dtype)")
        }
        #expect(BFloat16(Float(bitPattern: 0x7F80_0001)).bitPattern & 0x0040 != 0)
    }

    @Test func everyBFloat16SurvivesTheWayThroughFloat() {
        let all = (0...UInt16.max).map { BFloat16(bitPattern: $0) }
        let tensor = Tensor(all, [all.count])
        let back = tensor.converted(to: .float32).converted(to: .bfloat16).elements(as: BFloat16.self)
        for (before, after) in zip(all, back) where !before.float.isNaN { #expect(before == after) }
    }

    @Test func everyFloat16SurvivesTheWayThroughFloat() {
        let all = (0...UInt16.max).map { Float16(bitPattern: $0) }
        let tensor = Tensor(all, [all.count])
        let back = tensor.converted(to: .float32).converted(to: .float16).elements(as: Float16.self)
        for (before, after) in zip(all, back) where !before.isNaN { #expect(before.bitPattern == after.bitPattern) }
    }

    @Test func float16RoundsToNearestEven() {
        let cases: [(Float, UInt16)] = [
            (1, 0x3C00), (2049, 0x6800), (2051, 0x6802), (65504, 0x7BFF), (65519, 0x7BFF), (65520, 0x7C00),
            (-1e30, 0xFC00), (0x1p-24, 0x0001), (0x1p-25, 0x0000), (0x1.8p-25, 0x0001), (0x1.8p-24, 0x0002),
            (-0.0, 0x8000), (.infinity, 0x7C00),
        ]
        let found = Tensor(cases.map(\.0), [cases.count]).converted(to: .float16).elements(as: Float16.self)
        for (value, (input, expected)) in zip(found, cases) {
            #expect(value.bitPattern == expected, "\(input): \(String(value.bitPattern, radix: 16))")
        }
    }

    @Test func integersSaturateTowardsZero() {
        let values: [Float] = [1.9, -1.9, 254.99, 255, 256, 3e9, -3e9, 1e30, -1e30, .infinity, -.infinity, .nan, -0.5]
        let tensor = Tensor(values, [values.count])
        let (most32, least32, most64, least64) = (Int32.max, Int32.min, Int64.max, Int64.min)
        #expect(
            tensor.converted(to: .int32).elements(as: Int32.self)
                == [1, -1, 254, 255, 256, most32, least32, most32, least32, most32, least32, 0, 0])
        #expect(
            tensor.converted(to: .int64).elements(as: Int64.self)
                == [1, -1, 254, 255, 256, 3_000_000_000, -3_000_000_000, most64, least64, most64, least64, 0, 0])
        #expect(
            tensor.converted(to: .uint8).elements(as: UInt8.self) == [
                1, 0, 254, 255, 255, 255, 0, 255, 0, 255, 0, 0, 0,
            ])
        #expect(
            tensor.converted(to: .bool).elements(as: Bool.self) == values.map { $0 != 0 })
        let wide = Tensor([Int64.max, .min, 5_000_000_000, -7, 300, 0], [6])
        #expect(wide.converted(to: .int32).elements(as: Int32.self) == [most32, least32, most32, -7, 300, 0])
        #expect(wide.converted(to: .uint8).elements(as: UInt8.self) == [255, 0, 255, 0, 255, 0])
        #expect(wide.converted(to: .bool).elements(as: Bool.self) == [true, true, true, true, true, false])
        #expect(wide.converted(to: .float32).floats == [0x1p63, -0x1p63, 5e9, -7, 300, 0])
    }

    @Test(arguments: DType.allCases) func smallNumbersGoThroughEveryType(source: DType) {
        let values: [Float] = source == .bool ? [0, 1, 1, 0] : [0, 1, 7, 100]
        let tensor = Tensor(values, [2, 2]).converted(to: source)
        for target in DType.allCases {
            for layout in Layout.allCases {
                let there = tensor.laidOut(layout).converted(to: target)
                #expect(there.dtype == target)
                #expect(there.floats == (target == .bool ? values.map { $0 == 0 ? 0 : 1 } : values))
            }
        }
    }

    @Test(arguments: DType.allCases) func fullRoundsToItsType(dtype: DType) {
        let tensor = Tensor(full: [2, 3], 1.0009765625, dtype: dtype)
        #expect(tensor.shape == [2, 3] && tensor.dtype == dtype && tensor.isContiguous)
        #expect(
            tensor.floats == [Float](repeating: dtype == .float32 || dtype == .float16 ? 1.0009765625 : 1, count: 6))
        #expect(Tensor(full: [], 1, dtype: dtype).scalar == 1)
        #expect(Tensor(full: [0, 2], 1, dtype: dtype).count == 0)
    }
}
