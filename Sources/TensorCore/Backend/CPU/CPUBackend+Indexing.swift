extension CPUBackend {
    /// See ``Backend/gatherRows(_:indices:)``.
    public func gatherRows(_ table: Tensor, indices: Tensor) -> Tensor {
        let source = table.contiguous()
        let (rows, width) = (table.shape[0], table.shape[1] * table.dtype.byteCount)
        let result = Tensor(uninitialized: Shape(indices.shape.dimensions + [table.shape[1]]), dtype: table.dtype)
        let from = source.storage.base + source.offset * table.dtype.byteCount
        for (place, index) in indices.elements(as: Int32.self).enumerated() {
            precondition(index >= 0 && index < rows, "row \(index) of a table of \(rows)")
            (result.storage.base + place * width).copyMemory(from: from + Int(index) * width, byteCount: width)
        }
        return result
    }

    /// See ``Backend/scatterAddRows(_:indices:rows:)``.
    public func scatterAddRows(_ updates: Tensor, indices: Tensor, rows: Int) -> Tensor {
        let source = float32(updates)
        let width = updates.shape[-1]
        let result = Tensor(zeros: [rows, width])
        let (from, to) = (floats(source), floats(result))
        for (place, index) in indices.elements(as: Int32.self).enumerated() {
            precondition(index >= 0 && index < rows, "row \(index) of a table of \(rows)")
            let (a, b) = (from + place * width, to + Int(index) * width)
            for i in 0..<width { b[i] += a[i] }
        }
        return result
    }
}
