import Foundation
public import TensorCore

/// The primitive operations alone, in plain loops over numbers in double precision: the oracle of every fused operation,
/// and the proof that ``PrimitiveBackend`` is all that a device has to write.
///
/// It reads and writes tensors through what `TensorCore` makes public. It is slow.
public struct ReferenceBackend: Backend {
    /// Nothing to configure.
    public init() {}

    /// `reference`.
    public var name: String { "reference" }

    // MARK: Copies

    /// See ``PrimitiveBackend/copy(_:as:)``.
    public func copy(_ x: Tensor, as dtype: DType) -> Tensor {
        let result = Tensor(uninitialized: x.shape, dtype: dtype)
        assign(x, to: result)
        return result
    }

    /// See ``PrimitiveBackend/assign(_:to:)``. Elements of one type are moved bit for bit.
    public func assign(_ source: Tensor, to target: Tensor) {
        let (from, to) = (source.byteOffsets, target.byteOffsets)
        source.storage.withUnsafeBytes { bytes in
            target.storage.withUnsafeMutableBytes { written in
                if source.dtype == target.dtype {
                    for (a, b) in zip(from, to) { move(source.dtype.byteCount, bytes, a, written, b) }
                } else {
                    for (a, b) in zip(from, to) {
                        Number(bytes, a, source.dtype).write(written, b, target.dtype)
                    }
                }
            }
        }
    }

    private func move(
        _ count: Int, _ from: UnsafeRawBufferPointer, _ a: Int, _ to: UnsafeMutableRawBufferPointer, _ b: Int
    ) {
        for byte in 0..<count { to[b + byte] = from[a + byte] }
    }

    // MARK: Elementwise

    /// See ``PrimitiveBackend/unary(_:_:)``.
    public func unary(_ operation: UnaryOperation, _ x: Tensor) -> Tensor {
        rounded(x.numbers.map(operation.function), x.shape, x.dtype)
    }

    /// See ``PrimitiveBackend/binary(_:_:_:)``.
    public func binary(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
        let function = operation.function
        return rounded(zip(a.numbers, b.numbers).map { function($0, $1) }, a.shape, a.dtype)
    }

    /// See ``PrimitiveBackend/compare(_:_:_:)``.
    public func compare(_ relation: Relation, _ a: Tensor, _ b: Tensor) -> Tensor {
        let holds = zip(a.numbers, b.numbers).map { a, b in
            switch relation {
            case .equal: a == b
            case .less: a < b
            case .lessOrEqual: a <= b
            }
        }
        return Tensor(holds, a.shape)
    }

    /// See ``PrimitiveBackend/select(_:_:_:)``.
    public func select(_ mask: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
        let result = copy(b, as: b.dtype)
        let (chosen, from, size) = (mask.numbers, a.byteOffsets, a.dtype.byteCount)
        a.storage.withUnsafeBytes { bytes in
            result.storage.withUnsafeMutableBytes { written in
                for place in chosen.indices where chosen[place] != 0 {
                    move(size, bytes, from[place], written, place * size)
                }
            }
        }
        return result
    }

    // MARK: Reductions

    /// See ``PrimitiveBackend/reduce(_:_:axes:)``.
    public func reduce(_ reduction: Reduction, _ x: Tensor, axes: [Int]) -> Tensor {
        var shape = x.shape
        for axis in axes { shape[axis] = 1 }
        let length = axes.reduce(1) { $0 * x.shape[$1] }
        // The reduced axes last: then each result is one of consecutive rows.
        let kept = (0..<x.rank).filter { !axes.contains($0) }
        let numbers = x.permuted(kept + axes).numbers
        let results = (0..<shape.count).map { row -> Double in
            let line = numbers[row * length..<(row + 1) * length]
            switch reduction {
            case .sum: return line.reduce(0, +)
            case .mean: return line.reduce(0, +) / Double(length)
            case .maximum: return line.reduce(-.infinity, larger)
            }
        }
        return rounded(results, shape, x.dtype)
    }

    /// See ``PrimitiveBackend/topKMask(_:k:)``.
    public func topKMask(_ x: Tensor, k: Int) -> Tensor {
        let (numbers, length) = (x.numbers, x.shape[-1])
        var mask = [Bool](repeating: false, count: x.count)
        for first in stride(from: 0, to: x.count, by: max(length, 1)) {
            for _ in 0..<k {
                let free = (first..<first + length).filter { !mask[$0] }
                mask[free.reduce(free[0]) { numbers[$1] > numbers[$0] ? $1 : $0 }] = true
            }
        }
        return Tensor(mask, x.shape)
    }

    /// See ``PrimitiveBackend/argmax(_:)``.
    public func argmax(_ x: Tensor) -> Tensor {
        let (numbers, length) = (x.numbers, x.shape[-1])
        let rows = Shape(Array(x.shape.dimensions.dropLast()))
        let places = (0..<rows.count).map { row -> Int32 in
            let best = (0..<length).reduce(0) {
                numbers[row * length + $1] > numbers[row * length + $0] ? $1 : $0
            }
            return Int32(best)
        }
        return Tensor(places, rows)
    }

    // MARK: Matrix products

    /// See ``PrimitiveBackend/matrixProduct(_:_:bias:dtype:)``.
    public func matrixProduct(_ a: Tensor, _ b: Tensor, bias: Tensor?, dtype: DType) -> Tensor {
        let (m, k, n) = (a.shape[-2], a.shape[-1], b.shape[-1])
        let lead = Shape.broadcast(
            Shape(Array(a.shape.dimensions.dropLast(2))), Shape(Array(b.shape.dimensions.dropLast(2))))!.dimensions
        // Rows of `a` and columns of `b`, so that both are read in order.
        let x = a.expanded(to: Shape(lead + [m, k])).numbers
        let y = b.expanded(to: Shape(lead + [k, n])).transposed().numbers
        let shift = bias?.numbers ?? [Double](repeating: 0, count: n)
        let shape = Shape(lead + [m, n])
        var results = [Double](repeating: 0, count: shape.count)
        x.withUnsafeBufferPointer { x in
            y.withUnsafeBufferPointer { y in
                for place in results.indices {
                    let (row, column) = (place / n, place % n)
                    let (p, q) = (row * k, (row / m * n + column) * k)
                    var sum = shift[column]
                    var i = 0
                    while i < k {
                        sum += x[p + i] * y[q + i]
                        i += 1
                    }
                    results[place] = sum
                }
            }
        }
        return rounded(results, shape, dtype)
    }

    // MARK: Indexing

    /// See ``PrimitiveBackend/gatherRows(_:indices:)``.
    public func gatherRows(_ table: Tensor, indices: Tensor) -> Tensor {
        let result = Tensor(
            uninitialized: Shape(indices.shape.dimensions + [table.shape[1]]), dtype: table.dtype)
        let rows = result.reshaped(to: [indices.count, table.shape[1]])
        for (place, index) in indices.numbers.map({ Int($0) }).enumerated() {
            assign(table.sliced(axis: 0, index..<index + 1), to: rows.sliced(axis: 0, place..<place + 1))
        }
        return result
    }

    /// See ``PrimitiveBackend/scatterAddRows(_:indices:rows:)``.
    public func scatterAddRows(_ updates: Tensor, indices: Tensor, rows: Int) -> Tensor {
        let (numbers, width) = (updates.numbers, updates.shape[-1])
        var sums = [Double](repeating: 0, count: rows * width)
        for (place, index) in indices.numbers.map({ Int($0) }).enumerated() {
            precondition((0..<rows).contains(index), "row \(index) of a table of \(rows)")
            for i in 0..<width { sums[index * width + i] += numbers[place * width + i] }
        }
        return rounded(sums, [rows, width], .float32)
    }

    /// Numbers rounded to `float32`, and then to `dtype`, as every backend does that computes in `float32`.
    private func rounded(_ numbers: [Double], _ shape: Shape, _ dtype: DType) -> Tensor {
        let wide = Tensor(numbers.map { Float($0) }, shape)
        return dtype == .float32 ? wide : copy(wide, as: dtype)
    }
}

/// The larger of two numbers; NaN wins.
private func larger(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : Swift.max(a, b) }

extension UnaryOperation {
    /// The function in double precision.
    fileprivate var function: (Double) -> Double {
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        switch self {
        case .negate: return { -$0 }
        case .exponential: return { exp($0) }
        case .logarithm: return { log($0) }
        case .squareRoot: return { $0.squareRoot() }
        case .reciprocal: return { 1 / $0 }
        case .sine: return { sin($0) }
        case .cosine: return { cos($0) }
        case .sigmoid: return sigmoid
        case .tanh: return { Foundation.tanh($0) }
        case .square: return { $0 * $0 }
        case .absolute: return { abs($0) }
        case .relu: return { larger($0, 0) }
        case .silu: return { $0 * sigmoid($0) }
        case .gelu: return { 0.5 * $0 * erfc(-$0 / 2.0.squareRoot()) }
        case .geluTanh:
            return { 0.5 * $0 * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
        case .quickGelu: return { $0 * sigmoid(1.702 * $0) }
        }
    }
}

extension BinaryOperation {
    /// The function in double precision.
    fileprivate var function: (Double, Double) -> Double {
        switch self {
        case .add: { $0 + $1 }
        case .subtract: { $0 - $1 }
        case .multiply: { $0 * $1 }
        case .divide: { $0 / $1 }
        case .maximum: { larger($0, $1) }
        case .minimum: { -larger(-$0, -$1) }
        }
    }
}

/// One element on its way from one type to another: whole numbers keep all their digits.
private enum Number {
    case whole(Int64)
    case real(Float)

    init(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ dtype: DType) {
        switch dtype {
        case .float32: self = .real(bytes.loadUnaligned(fromByteOffset: offset, as: Float.self))
        case .float16: self = .real(Float(bytes.loadUnaligned(fromByteOffset: offset, as: Float16.self)))
        case .bfloat16:
            let bits = bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
            self = .real(Float(bitPattern: UInt32(bits) << 16))
        case .int32: self = .whole(Int64(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        case .int64: self = .whole(bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
        case .uint8: self = .whole(Int64(bytes[offset]))
        case .bool: self = .whole(bytes[offset] != 0 ? 1 : 0)
        }
    }

    /// As a floating-point number.
    var float: Float {
        switch self {
        case .whole(let value): Float(value)
        case .real(let value): value
        }
    }

    /// The same number in double precision.
    var double: Double {
        switch self {
        case .whole(let value): Double(value)
        case .real(let value): Double(value)
        }
    }

    func write(_ bytes: UnsafeMutableRawBufferPointer, _ offset: Int, _ dtype: DType) {
        switch dtype {
        case .float32: bytes.storeBytes(of: float, toByteOffset: offset, as: Float.self)
        case .float16: bytes.storeBytes(of: Float16(float), toByteOffset: offset, as: Float16.self)
        case .bfloat16: bytes.storeBytes(of: Self.bfloat16(float), toByteOffset: offset, as: UInt16.self)
        case .int32: bytes.storeBytes(of: integer(), toByteOffset: offset, as: Int32.self)
        case .int64: bytes.storeBytes(of: integer(), toByteOffset: offset, as: Int64.self)
        case .uint8: bytes.storeBytes(of: integer(), toByteOffset: offset, as: UInt8.self)
        case .bool:
            switch self {
            case .whole(let value): bytes[offset] = value != 0 ? 1 : 0
            case .real(let value): bytes[offset] = value != 0 ? 1 : 0
            }
        }
    }

    /// Towards zero, within the bounds of the type; NaN gives 0.
    private func integer<Target: FixedWidthInteger>() -> Target {
        switch self {
        case .whole(let value): return Target(clamping: value)
        case .real(let value):
            if value.isNaN { return 0 }
            if value <= Float(Target.min) { return .min }
            return value >= Float(Target.max) ? .max : Target(value)
        }
    }

    /// The bits of the nearest number with the upper half of a `Float`'s bits, ties to even.
    private static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(bits >> 16) | 0x40 }
        let (below, rest) = (bits >> 16, bits & 0xFFFF)
        let isUp = rest > 0x8000 || rest == 0x8000 && below & 1 == 1
        return UInt16(isUp ? below + 1 : below)
    }
}

extension Tensor {
    /// Where each element begins in the storage, row-major.
    fileprivate var byteOffsets: [Int] {
        var offsets = [offset * dtype.byteCount]
        for (extent, stride) in zip(shape.dimensions, strides) {
            let step = stride * dtype.byteCount
            offsets = offsets.flatMap { first in (0..<extent).map { first + $0 * step } }
        }
        return offsets
    }

    /// All elements row-major as `Double`.
    fileprivate var numbers: [Double] {
        storage.withUnsafeBytes { bytes in
            switch dtype {
            case .float32:
                byteOffsets.map { Double(bytes.loadUnaligned(fromByteOffset: $0, as: Float.self)) }
            default: byteOffsets.map { Number(bytes, $0, dtype).double }
            }
        }
    }
}
