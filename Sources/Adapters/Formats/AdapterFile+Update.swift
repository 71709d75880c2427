public import TensorCore

/// What an adapter adds to a base's weights.
extension AdapterFile {
    /// Whether the file adapts one of the layers that `mapping` consists of.
    public func adapts(_ mapping: AdapterNaming.LayerMapping) -> Bool {
        mapping.parts.contains { byName[$0.name] != nil }
    }

    /// What is added at strength 1 to some rows of a weight that lies as `mapping` says, halves as its authors have them:
    /// for each of the model's layers that the rows belong to and that the file adapts, the rows among those given and
    /// their update. `weight` holds the rows, `[rows, in]`, `float32`. Every adapter must be mergeable (``unmergeable``).
    public func updates(
        of mapping: AdapterNaming.LayerMapping, rows: Range<Int>, weight: Tensor
    ) -> [(rows: Range<Int>, update: WeightUpdate)] {
        var updates: [(rows: Range<Int>, update: WeightUpdate)] = []
        for piece in mapping.pieces(of: rows) {
            guard let weights = byName[piece.part.name] else { continue }
            let own = weight.sliced(axis: 0, piece.place)
            updates.append((piece.place, weights.method.update(weights.tensors, rows: piece.rows, of: own)))
        }
        return updates
    }
}

extension AdapterNaming.LayerMapping {
    /// Rows of the mapping's weight, taken apart by layer: where they lie among `rows`, and which of the layer they are.
    fileprivate func pieces(of rows: Range<Int>) -> [(part: LayerExtents, place: Range<Int>, rows: Range<Int>)] {
        let count = parts.reduce(0) { $0 + $1.outputs }
        let half = swapsHalves ? count / 2 : 0
        var pieces: [(part: LayerExtents, place: Range<Int>, rows: Range<Int>)] = []
        // In the model's order the halves' places are exchanged.
        for (start, shift) in swapsHalves ? [(0, half), (half, -half)] : [(0, 0)] {
            let end = swapsHalves ? start + half : count
            var first = 0
            for part in parts {
                let own = first..<first + part.outputs
                first = own.upperBound
                // Rows of the file whose places in the model's order are the part's.
                let found = rows.clamped(to: start..<end).clamped(
                    to: max(0, own.lowerBound - shift)..<max(0, own.upperBound - shift))
                if found.isEmpty { continue }
                let low = found.lowerBound + shift - own.lowerBound
                pieces.append(
                    (
                        part, found.lowerBound - rows.lowerBound..<found.upperBound - rows.lowerBound,
                        low..<low + found.count
                    ))
            }
        }
        return pieces
    }
}
