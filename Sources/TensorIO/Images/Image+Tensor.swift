public import TensorCore

extension Image {
    /// The values as float32 `[3, height, width]` in -1 … 1: `2 (x / 255) - 1`, rounded at each step as diffusers'
    /// `VaeImageProcessor.preprocess` does.
    public func tensor() -> Tensor {
        let scaled = (0..<256).map { 2 * (Float($0) / 255) - 1 }
        let result = Tensor(uninitialized: [3, height, width])
        let planes = result.pointer(to: Float.self)
        let count = width * height
        pixels.withUnsafeBufferPointer { source in
            for channel in 0..<3 {
                for i in 0..<count { planes[channel * count + i] = scaled[Int(source[3 * i + channel])] }
            }
        }
        return result
    }

    /// Turns float32 `[3, height, width]` in -1 … 1 to bytes: `255 clamp(x / 2 + 0.5)`, rounded half to even, as
    /// diffusers' `VaeImageProcessor.postprocess` does. NaN becomes 0, as NumPy casts it.
    public init(tensor: Tensor) {
        precondition(
            tensor.dtype == .float32 && tensor.rank == 3 && tensor.shape[0] == 3,
            "an image from \(tensor.dtype) \(tensor.shape)")
        let dense = tensor.contiguous()
        let planes = dense.pointer(to: Float.self)
        let (height, width) = (tensor.shape[1], tensor.shape[2])
        let count = width * height
        self.init(width: width, height: height) { values in
            for channel in 0..<3 {
                for i in 0..<count {
                    // Written so that a NaN fails both comparisons of the first line.
                    let unit = planes[channel * count + i] * 0.5 + 0.5
                    let clamped = unit >= 0 ? (unit < 1 ? unit : 1) : 0
                    values[3 * i + channel] = UInt8((clamped * 255).rounded(.toNearestOrEven))
                }
            }
        }
    }
}
