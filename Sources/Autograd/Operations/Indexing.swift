public import TensorCore

/// Rows by number.
extension Variable {
    /// Row `indices[i]` of this table `[rows, width]` for each index.
    public func gatheringRows(_ indices: Tensor) -> Variable {
        let rows = shape[0]
        let dtype = self.dtype
        return .recording(value.gatheringRows(indices), [self]) {
            [$0.scatteredRows(indices, rows: rows).converted(to: dtype)]
        }
    }
}
