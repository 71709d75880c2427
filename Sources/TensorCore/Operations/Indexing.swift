/// Rows by number.
extension Tensor {
    /// Row `indices[i]` of this table `[rows, width]` for each index (`int32`): `[indices…, width]`.
    public func gatheringRows(_ indices: Tensor) -> Tensor {
        precondition(rank == 2 && indices.dtype == .int32, "gathering \(indices.dtype) rows of \(shape)")
        return Device.backend.gatherRows(self, indices: indices)
    }

    /// A `float32` table of `rows` rows to which row `i` of this tensor is added at `indices[i]`.
    public func scatteredRows(_ indices: Tensor, rows: Int) -> Tensor {
        precondition(
            indices.dtype == .int32 && Array(shape.dimensions.dropLast()) == indices.shape.dimensions,
            "scattering \(shape) by \(indices.shape)")
        return Device.backend.scatterAddRows(self, indices: indices, rows: rows)
    }
}
