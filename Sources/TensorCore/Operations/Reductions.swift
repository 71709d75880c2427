/// Reductions over axes. Negative axes count from the end; nil means all axes.
extension Tensor {
    /// Reduces `axes`, which keep extent 1 or vanish.
    public func reduced(_ reduction: Reduction, axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
        let axes = (axes ?? Array(0..<rank)).map { shape.normalized(axis: $0) }.sorted()
        precondition(Set(axes).count == axes.count, "an axis named twice in \(axes)")
        let kept = Device.backend.reduce(reduction, self, axes: axes)
        if keepingAxes { return kept }
        let dimensions = kept.shape.dimensions.enumerated().filter { !axes.contains($0.offset) }.map(\.element)
        return kept.reshaped(to: dimensions)
    }

    /// The sum over `axes`.
    public func sum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
        reduced(.sum, axes: axes, keepingAxes: keepingAxes)
    }

    /// The mean over `axes`.
    public func mean(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
        reduced(.mean, axes: axes, keepingAxes: keepingAxes)
    }

    /// The maximum over `axes`.
    public func maximum(axes: [Int]? = nil, keepingAxes: Bool = false) -> Tensor {
        reduced(.maximum, axes: axes, keepingAxes: keepingAxes)
    }

    /// Undoes a broadcast: sums the axes that `target` lacks or holds with extent 1, giving shape `target`.
    public func summed(to target: Shape) -> Tensor {
        if shape == target { return self }
        let lead = rank - target.rank
        let axes = (0..<rank).filter { $0 < lead || (target.dimensions[$0 - lead] == 1 && shape.dimensions[$0] != 1) }
        return sum(axes: axes, keepingAxes: true).reshaped(to: target.dimensions)
    }

    /// A mask of the `k` largest elements of the last axis; of equals the first wins.
    public func topKMask(_ k: Int) -> Tensor {
        precondition(k >= 0 && k <= shape[-1], "top \(k) of \(shape[-1])")
        return Device.backend.topKMask(self, k: k)
    }

    /// The place of the largest element of the last axis, `int32`, without that axis.
    public func argmax() -> Tensor { Device.backend.argmax(self) }

    /// Whether no element is NaN or infinite.
    public var isFinite: Bool {
        // The largest magnitude, not the sum, which may overflow while every element is finite.
        count == 0 || applying(.absolute).maximum().scalar.isFinite
    }
}
