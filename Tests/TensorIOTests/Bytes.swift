import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Runs `body` with the path of a fresh folder, which is removed afterwards.
func withScratchFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = try Fixtures.scratchFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.path)
}

/// Writes a file without waiting for the disk, as thousands of malformed ones ask for.
func writeFile(_ bytes: some Sequence<UInt8>, to path: String) throws {
    let file = try #require(fopen(path, "w"))
    let bytes = Array(bytes)
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    #expect(fclose(file) == 0)
}

/// The raw bytes of the elements, row-major.
func bytes(of tensor: Tensor) -> [UInt8] {
    func raw<Element: TensorElement>(_ type: Element.Type) -> [UInt8] {
        tensor.contiguous().withUnsafeElements(of: type) { Array(UnsafeRawBufferPointer($0)) }
    }
    return switch tensor.dtype {
    case .float32: raw(Float.self)
    case .bfloat16: raw(BFloat16.self)
    case .float16: raw(Float16.self)
    case .int32: raw(Int32.self)
    case .int64: raw(Int64.self)
    case .uint8: raw(UInt8.self)
    case .bool: raw(Bool.self)
    }
}

/// Type, shape and every byte agree.
func expectSame(_ a: Tensor, _ b: Tensor, _ name: String = "", sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(a.dtype == b.dtype, "\(name)", sourceLocation: sourceLocation)
    #expect(a.shape == b.shape, "\(name)", sourceLocation: sourceLocation)
    if a.dtype == b.dtype { #expect(bytes(of: a) == bytes(of: b), "\(name)", sourceLocation: sourceLocation) }
}

/// One tensor of each type with values that only a whole copy keeps: negative zero, NaN, infinities, extremes.
func tensorsOfEveryType() -> [(name: String, tensor: Tensor)] {
    [
        ("float32", Tensor([0, -0.0, .pi, .infinity, -.infinity, .leastNonzeroMagnitude] as [Float], [2, 3])),
        ("float32.nan", Tensor([Float(bitPattern: 0x7FC0_1234)], [1])),
        ("bfloat16", Tensor([1, -2.5, 3e38, 1e-38, 0.1].map { BFloat16($0) }, [5])),
        ("float16", Tensor([1, -2.5, 65504, 6e-8] as [Float16], [2, 2])),
        ("int32", Tensor([.min, -1, 0, .max] as [Int32], [4, 1])),
        ("int64", Tensor([.min, -1, .max] as [Int64], [3])),
        ("uint8", Tensor([0, 1, 127, 128, 255] as [UInt8], [5])),
        ("bool", Tensor([true, false, true], [3])),
    ]
}

/// What `body` throws, which must be a ``FileError``.
func fileError(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) -> FileError? {
    do {
        try body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as FileError {
        #expect(!error.description.contains("\n"), "an error is one line", sourceLocation: sourceLocation)
        return error
    } catch {
        Issue.record("threw \(error), not a FileError", sourceLocation: sourceLocation)
    }
    return nil
}

/// A small generator with a seed, so that random tests repeat (Steele, Lea and Flood 2014, SplitMix64).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Whether a file of these bytes is refused with one line that names it, the key, and what was expected and found.
func expectRefusal(
    _ bytes: some Sequence<UInt8>, named name: String, key: String?, expected: String, found: String,
    _ open: (String) throws -> Void
) throws {
    try withScratchFolder { folder in
        let path = folder + "/" + name
        try writeFile(bytes, to: path)
        let error = fileError { try open(path) }
        #expect(error?.path == path)
        #expect(error?.key == key)
        let line = error?.description ?? ""
        #expect(line.contains("expected " + expected), "\(line)")
        #expect(line.contains("found " + found), "\(line)")
    }
}
