/// A host matrix in double precision, stored by columns as LAPACK reads it, for small decompositions.
///
/// Products and decompositions go through ``Device/linearAlgebra``.
public struct Matrix: Sendable {
    /// The number of rows.
    public let rows: Int
    /// The number of columns.
    public let columns: Int
    /// Element (i, j) at `i + j * rows`.
    public var values: [Double]

    /// Takes `rows * columns` values, column by column.
    public init(rows: Int, columns: Int, _ values: [Double]) {
        precondition(values.count == rows * columns, "\(values.count) values for \(rows) x \(columns)")
        self.rows = rows
        self.columns = columns
        self.values = values
    }

    /// All zeros.
    public init(zeros rows: Int, _ columns: Int) {
        self.init(rows: rows, columns: columns, [Double](repeating: 0, count: rows * columns))
    }

    /// Zeros but for the diagonal of a square matrix.
    public init(diagonal: [Double]) {
        self.init(zeros: diagonal.count, diagonal.count)
        for (i, value) in diagonal.enumerated() { self[i, i] = value }
    }

    /// The elements of a tensor of two axes, `[rows, columns]`.
    public init(_ tensor: Tensor) {
        // Row by row is the transpose column by column.
        self.init(
            rows: tensor.shape[0], columns: tensor.shape[1],
            tensor.converted(to: .float32).transposed().contiguous().floats.map(Double.init))
    }

    /// The element in row `i` and column `j`.
    public subscript(i: Int, j: Int) -> Double {
        get { values[i + j * rows] }
        set { values[i + j * rows] = newValue }
    }

    /// `float32` `[rows, columns]`.
    public var tensor: Tensor { Tensor(values.map(Float.init), [columns, rows]).transposed().contiguous() }

    /// The sum of the diagonal.
    public var trace: Double { (0..<min(rows, columns)).reduce(0) { $0 + self[$1, $1] } }

    /// Rows and columns exchanged.
    public var transposed: Matrix {
        var result = Matrix(zeros: columns, rows)
        for j in 0..<columns { for i in 0..<rows { result[j, i] = self[i, j] } }
        return result
    }

    /// The elementwise sum of two matrices of one shape.
    public static func + (a: Matrix, b: Matrix) -> Matrix {
        precondition(
            a.rows == b.rows && a.columns == b.columns, "\(a.rows) x \(a.columns) plus \(b.rows) x \(b.columns)")
        return Matrix(rows: a.rows, columns: a.columns, zip(a.values, b.values).map { $0 + $1 })
    }

    /// Every element times a number.
    public static func * (a: Matrix, scale: Double) -> Matrix {
        Matrix(rows: a.rows, columns: a.columns, a.values.map { $0 * scale })
    }

    /// The matrix product `a b`.
    public static func * (a: Matrix, b: Matrix) -> Matrix { Device.linearAlgebra.product(a, b) }

    /// The matrix with its columns multiplied by `factors`.
    public func scalingColumns(by factors: [Double]) -> Matrix {
        var result = self
        for j in 0..<columns { for i in 0..<rows { result[i, j] *= factors[j] } }
        return result
    }

    /// The first `count` columns.
    public func firstColumns(_ count: Int) -> Matrix {
        Matrix(rows: rows, columns: count, Array(values[..<(rows * count)]))
    }

    /// See ``LinearAlgebra/orthonormalized(_:)``.
    public func orthonormalized() -> (q: Matrix, r: Matrix) { Device.linearAlgebra.orthonormalized(self) }

    /// See ``LinearAlgebra/singularValues(_:)``.
    public func singularValues() -> (u: Matrix, s: [Double], vt: Matrix) { Device.linearAlgebra.singularValues(self) }

    /// See ``LinearAlgebra/symmetricEigenvalues(_:)``.
    public func symmetricEigenvalues() -> (values: [Double], vectors: Matrix) {
        Device.linearAlgebra.symmetricEigenvalues(self)
    }
}
