public import TensorCore

/// What an adapter adds to a base's weights.
extension AdapterFile {
    /// Whether the file adapts one of the layers that `arrangement` consists of.
    public func adapts(_ arrangement: AdapterNaming.LayerArrangement) -> Bool {
        arrangement.parts.contains { plain[$0.name] != nil }
    }

    /// What is added at strength 1 to the weight of `arrangement` as its authors keep it: `up down`, `[out, R]` times
    /// `[R, in]`. The file must adapt it.
    public func update(of arrangement: AdapterNaming.LayerArrangement) -> (up: Tensor, down: Tensor) {
        precondition(adapts(arrangement), "no adapter for \(arrangement.source)")
        var members: [String: (a: Tensor, b: Tensor, alpha: Float)] = [:]
        for part in arrangement.parts { members[part.name] = plain[part.name] }
        let fused = FusedLoRA(members, arrangement: arrangement, folds: true)
        return (fused.b, fused.a)
    }
}
