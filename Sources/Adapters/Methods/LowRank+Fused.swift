import TensorCore

/// A low-rank update of a layer that consists of several of the model's: of queries, keys and values in one, say.
///
/// Both directions are exact. Taken apart, each layer gets its rows of B and the rows of A that these meet: all of A, or
/// its own share where B is block-diagonal. Put together, A's are stacked and B's set on the diagonal, the rank being the
/// sum of theirs; where all have the same A and the same scale, as after the first direction, the rank stays.
extension LowRank {
    /// The update of each of the place's layers; a layer whose rows of B are all zero gets none, unless all are, or unless
    /// `keepsAll`.
    func split(_ place: AdapterPlace, keepsAll: Bool = false) -> [(name: String, lora: LowRank)] {
        let ordered = place.swapsHalves ? b.withHalvesExchanged() : b
        if place.parts.count == 1 { return [(place.parts[0].name, LowRank(a: a, b: ordered, alpha: alpha))] }
        var start = 0
        let slices = place.parts.map { part in
            let slice = ordered.sliced(axis: 0, start..<start + part.outputs).contiguous()
            start += part.outputs
            return (part: part, b: slice, columns: slice.columnsInUse)
        }
        let isZero = slices.allSatisfy(\.columns.isEmpty)
        return slices.compactMap { part, slice, columns in
            if isZero || columns.count == rank || columns.isEmpty && keepsAll {
                return (part.name, LowRank(a: a, b: slice, alpha: alpha))
            }
            if columns.isEmpty { return nil }
            return (
                part.name,
                LowRank(
                    a: Tensor.concatenated(columns.map { a.sliced(axis: 0, $0..<$0 + 1) }, axis: 0),
                    b: Tensor.concatenated(columns.map { slice.sliced(axis: 1, $0..<$0 + 1) }, axis: 1),
                    alpha: alpha / Float(rank) * Float(columns.count))
            )
        }
    }

    /// One update for all layers of an mapping, of which those without an adapter add nothing. `folds` multiplies the
    /// scale into B, so that alpha is the rank.
    init(joining parts: [String: LowRank], mapping: AdapterNaming.LayerMapping, folds: Bool) {
        let present = mapping.parts.filter { parts[$0.name] != nil }
        let loras = present.map { parts[$0.name]! }
        let scales = loras.map(\.scale)
        let hasOneScale = scales.allSatisfy { $0 == scales[0] }
        let scaled = zip(loras, scales).map { hasOneScale && !folds || $1 == 1 ? $0.b : $0.b * $1 }
        let isShared =
            hasOneScale && present.count == mapping.parts.count
            && loras.allSatisfy { $0.a.shape == loras[0].a.shape && $0.a.floats == loras[0].a.floats }
        let a: Tensor
        let b: Tensor
        if isShared {
            a = loras[0].a
            b = Tensor.concatenated(scaled, axis: 0)
        } else {
            let rank = loras.reduce(0) { $0 + $1.rank }
            a = loras.count == 1 ? loras[0].a : Tensor.concatenated(loras.map(\.a), axis: 0)
            var (column, next) = (0, 0)
            let rows = mapping.parts.map { part -> Tensor in
                guard next < present.count, present[next].name == part.name else {
                    return Tensor(zeros: [part.outputs, rank])
                }
                let width = loras[next].rank
                defer { (column, next) = (column + width, next + 1) }
                return scaled[next].padded(low: [0, column], high: [0, rank - column - width])
            }
            b = rows.count == 1 ? rows[0] : Tensor.concatenated(rows, axis: 0)
        }
        let count = Float(a.shape[0])
        self.init(
            a: a, b: mapping.swapsHalves ? b.withHalvesExchanged() : b,
            alpha: hasOneScale && !folds ? scales[0] * count : count)
    }
}

extension Tensor {
    /// The second half of the rows before the first.
    func withHalvesExchanged() -> Tensor {
        let half = shape[0] / 2
        return Tensor.concatenated([sliced(axis: 0, half..<shape[0]), sliced(axis: 0, 0..<half)], axis: 0)
    }

    /// The columns of a matrix that are not all zero.
    fileprivate var columnsInUse: [Int] {
        let largest = applying(.absolute).maximum(axes: [0]).floats
        return largest.indices.filter { largest[$0] != 0 }
    }
}
