extension Backend {
    /// The default: each part is written into its slice of the result.
    public func concatenate(_ parts: [Tensor], axis: Int) -> Tensor {
        var shape = parts[0].shape
        shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
        let result = Tensor(uninitialized: shape, dtype: parts[0].dtype)
        var start = 0
        for part in parts {
            let end = start + part.shape[axis]
            assign(part, to: result.sliced(axis: axis, start..<end))
            start = end
        }
        return result
    }

    /// The default: the result is filled, then `x` is written into its middle.
    public func pad(_ x: Tensor, low: [Int], high: [Int], value: Float) -> Tensor {
        let shape = Shape((0..<x.rank).map { x.shape[$0] + low[$0] + high[$0] })
        let result = Tensor(uninitialized: shape, dtype: x.dtype)
        assign(Tensor(value).expanded(to: shape), to: result)
        var middle = result
        for axis in 0..<x.rank { middle = middle.sliced(axis: axis, low[axis]..<low[axis] + x.shape[axis]) }
        assign(x, to: middle)
        return result
    }
}
