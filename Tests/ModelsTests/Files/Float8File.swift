import Foundation
import TensorCore
import TensorIO

/// Writes safetensors with eight-bit floating point, which the toolkit itself only reads.
enum Float8File {
    /// The 128 numbers that are not negative, of `F8_E4M3`.
    private static let magnitudes: [Float] = (0..<127).map { code in
        let (exponent, fraction) = (code >> 3, Float(code & 7))
        return exponent == 0
            ? fraction * 0x1p-9 : (1 + fraction / 8) * Float(sign: .plus, exponent: exponent - 7, significand: 1)
    }

    private static func nearest(_ value: Float) -> UInt8 {
        let magnitude = abs(value)
        var (low, high) = (0, magnitudes.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if magnitudes[middle] < magnitude { low = middle + 1 } else { high = middle }
        }
        if low > 0, magnitude - magnitudes[low - 1] < magnitudes[low] - magnitude { low -= 1 }
        return UInt8(low) | (value < 0 ? 0x80 : 0)
    }

    /// Matrices in eight bits, with or without the scales that ComfyUI puts beside them; vectors as they are.
    static func write(_ file: SafetensorsFile, to path: String, isScaled: Bool) throws {
        var header: [String: Any] = ["__metadata__": file.metadata]
        var data: [UInt8] = []
        func add(_ name: String, _ dtype: String, _ shape: [Int], _ bytes: [UInt8]) {
            header[name] = ["dtype": dtype, "shape": shape, "data_offsets": [data.count, data.count + bytes.count]]
            data += bytes
        }
        func bytes(_ values: [Float]) -> [UInt8] {
            values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }
        }
        if isScaled { add("scaled_fp8", "F8_E4M3", [0], []) }
        for name in file.names {
            let tensor = try file.tensor(name)
            let values = tensor.floats
            guard tensor.rank == 2 else {
                add(name, "F32", tensor.shape.dimensions, bytes(values))
                continue
            }
            let scale = isScaled ? values.reduce(0) { max($0, abs($1)) } / 448 : 1
            add(name, "F8_E4M3", tensor.shape.dimensions, values.map { nearest($0 / scale) })
            if isScaled {
                add(name.replacing(".weight", with: ".scale_weight"), "F32", [], bytes([scale]))
                add(name.replacing(".weight", with: ".scale_input"), "F32", [1], bytes([1]))
            }
        }
        let text = try JSONSerialization.data(withJSONObject: header)
        let length = withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init)
        try Data(length + text + data).write(to: URL(filePath: path))
    }
}
