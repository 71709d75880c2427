public import TensorCore

/// Sums and means; nil means all axes.
extension Variable {
    /// The sum over `axes`.
    public func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Variable {
        let spread = Spread(shape, axes)
        return .recording(value.sum(axes: axes, keepingAxes: keepingAxes), [self]) { [spread($0)] }
    }

    /// The mean over `axes`.
    public func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Variable {
        let spread = Spread(shape, axes)
        let y = value.mean(axes: axes, keepingAxes: keepingAxes)
        let share = Float(max(y.count, 1)) / Float(max(shape.count, 1))
        return .recording(y, [self]) { [spread($0 * share)] }
    }

    /// The mean of the squared differences from a constant, the loss of flow matching: a `float32` scalar.
    public func meanSquaredError(_ target: Tensor) -> Variable {
        precondition(
            shape == target.shape, "mean squared error of shape \(shape) from a target of shape \(target.shape)")
        let difference = value.converted(to: .float32) - target.converted(to: .float32)
        let original = dtype
        let count = Float(max(shape.count, 1))
        return .recording(difference.applying(.square).mean(), [self]) { dy in
            [(difference * (2 * dy.scalar / count)).converted(to: original)]
        }
    }

    /// `log(sum(exp(x)))` over the last axis, which vanishes; computed in `float32`, minus infinity for a row of such.
    public func logSumExp() -> Variable {
        let original = value
        let x = original.converted(to: .float32)
        // Kept finite, so that a row of minus infinities does not become a difference of infinities.
        let largest = Tensor.applying(
            .maximum, x.maximum(axes: [-1], keepingAxes: true), Tensor(-Float.greatestFiniteMagnitude))
        let shifted = (x - largest).applying(.exponential).sum(axes: [-1], keepingAxes: true)
        let y = (shifted.applying(.logarithm) + largest).reshaped(to: shape.dimensions.dropLast())
        return .recording(y.converted(to: dtype), [self]) { dy in [original.softmax() * dy.unsqueezed(-1)] }
    }
}

/// Brings a reduced gradient back to the shape before the reduction.
private struct Spread {
    let shape: Shape
    let kept: [Int]

    init(_ shape: Shape, _ axes: [Int]?) {
        self.shape = shape
        var dimensions = shape.dimensions
        for axis in axes ?? Array(0..<shape.rank) { dimensions[shape.normalized(axis: axis)] = 1 }
        kept = dimensions
    }

    func callAsFunction(_ gradient: Tensor) -> Tensor {
        gradient.contiguous().reshaped(to: kept).expanded(to: shape)
    }
}
