import COpenBLAS
import TensorCore

/// A matrix in double precision, column by column, for the small decompositions of LAPACK.
struct Matrix {
    let rows: Int
    let columns: Int
    /// Element (i, j) at `i + j * rows`.
    var values: [Double]

    init(rows: Int, columns: Int, _ values: [Double]) {
        precondition(values.count == rows * columns, "\(values.count) values for \(rows) x \(columns)")
        self.rows = rows
        self.columns = columns
        self.values = values
    }

    init(zeros rows: Int, _ columns: Int) {
        self.init(rows: rows, columns: columns, [Double](repeating: 0, count: rows * columns))
    }

    init(diagonal: [Double]) {
        self.init(zeros: diagonal.count, diagonal.count)
        for (i, value) in diagonal.enumerated() { self[i, i] = value }
    }

    /// A tensor of two axes.
    init(_ tensor: Tensor) {
        // Row by row is the transpose column by column.
        self.init(
            rows: tensor.shape[0], columns: tensor.shape[1],
            tensor.converted(to: .float32).transposed().contiguous().floats.map(Double.init))
    }

    subscript(i: Int, j: Int) -> Double {
        get { values[i + j * rows] }
        set { values[i + j * rows] = newValue }
    }

    /// `float32` `[rows, columns]`.
    var tensor: Tensor { Tensor(values.map(Float.init), [columns, rows]).transposed().contiguous() }

    /// The sum of the diagonal.
    var trace: Double { (0..<min(rows, columns)).reduce(0) { $0 + self[$1, $1] } }

    var transposed: Matrix {
        var result = Matrix(zeros: columns, rows)
        for j in 0..<columns { for i in 0..<rows { result[j, i] = self[i, j] } }
        return result
    }

    static func + (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.rows == b.rows && a.columns == b.columns)
        return Matrix(rows: a.rows, columns: a.columns, zip(a.values, b.values).map { $0 + $1 })
    }

    static func * (a: Matrix, scale: Double) -> Matrix {
        Matrix(rows: a.rows, columns: a.columns, a.values.map { $0 * scale })
    }

    /// `a b`.
    static func * (a: Matrix, b: Matrix) -> Matrix {
        precondition(a.columns == b.rows, "\(a.rows) x \(a.columns) times \(b.rows) x \(b.columns)")
        var result = Matrix(zeros: a.rows, b.columns)
        if a.rows == 0 || b.columns == 0 || a.columns == 0 { return result }
        result.values.withUnsafeMutableBufferPointer { target in
            cblas_dgemm(
                CblasColMajor, CblasNoTrans, CblasNoTrans, CInt(a.rows), CInt(b.columns), CInt(a.columns), 1, a.values,
                CInt(a.rows), b.values, CInt(b.rows), 0, target.baseAddress, CInt(a.rows))
        }
        return result
    }

    /// The matrix with its columns multiplied by `factors`.
    func scalingColumns(by factors: [Double]) -> Matrix {
        var result = self
        for j in 0..<columns { for i in 0..<rows { result[i, j] *= factors[j] } }
        return result
    }

    /// The first `count` columns.
    func firstColumns(_ count: Int) -> Matrix {
        Matrix(rows: rows, columns: count, Array(values[..<(rows * count)]))
    }
}

/// Decompositions by LAPACK, which OpenBLAS contains.
extension Matrix {
    /// `q r` with orthonormal columns of `q`, `[rows, k]`, and an upper triangle `r`, `[k, columns]`, k the lesser extent.
    func orthonormalized() -> (q: Matrix, r: Matrix) {
        var (m, n, k, info) = (CInt(rows), CInt(columns), CInt(min(rows, columns)), CInt(0))
        var (leading, reflectors) = (m, k)
        var a = values
        var tau = [Double](repeating: 0, count: Int(k))
        Self.withWorkspace { work, count in dgeqrf_(&m, &n, &a, &leading, &tau, work, &count, &info) }
        precondition(info == 0, "dgeqrf: \(info)")
        var r = Matrix(zeros: Int(k), columns)
        for j in 0..<columns { for i in 0..<min(j + 1, Int(k)) { r[i, j] = a[i + j * rows] } }
        a.removeLast(a.count - rows * Int(k))
        Self.withWorkspace { work, count in dorgqr_(&m, &k, &reflectors, &a, &leading, &tau, work, &count, &info) }
        precondition(info == 0, "dorgqr: \(info)")
        return (Matrix(rows: rows, columns: Int(k), a), r)
    }

    /// `u diag(s) vt` with singular values in descending order: `u` `[rows, k]`, `vt` `[k, columns]`.
    func singularValues() -> (u: Matrix, s: [Double], vt: Matrix) {
        var (m, n, k, info) = (CInt(rows), CInt(columns), CInt(min(rows, columns)), CInt(0))
        var (leading, leadingU) = (m, m)
        var a = values
        var s = [Double](repeating: 0, count: Int(k))
        var u = Matrix(zeros: rows, Int(k))
        var vt = Matrix(zeros: Int(k), columns)
        var integers = [CInt](repeating: 0, count: 8 * Int(k))
        Self.withWorkspace { work, count in
            dgesdd_(
                "S", &m, &n, &a, &leading, &s, &u.values, &leadingU, &vt.values, &k, work, &count, &integers, &info, 1)
        }
        precondition(info == 0, "dgesdd: \(info)")
        return (u, s, vt)
    }

    /// Eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as columns.
    func symmetricEigenvalues() -> (values: [Double], vectors: Matrix) {
        precondition(rows == columns)
        var (n, leading, info) = (CInt(rows), CInt(rows), CInt(0))
        var result = self
        var eigenvalues = [Double](repeating: 0, count: rows)
        var integers = [CInt](repeating: 0, count: 3 + 5 * rows)
        var integerCount = CInt(integers.count)
        Self.withWorkspace(atLeast: 1 + 6 * rows + 2 * rows * rows) { work, count in
            dsyevd_(
                "V", "U", &n, &result.values, &leading, &eigenvalues, work, &count, &integers, &integerCount, &info, 1,
                1)
        }
        precondition(info == 0, "dsyevd: \(info)")
        return (eigenvalues, result)
    }

    /// Runs a routine twice: asked for its workspace, then with it.
    private static func withWorkspace(
        atLeast least: Int = 1, _ routine: (UnsafeMutablePointer<Double>, inout CInt) -> Void
    ) {
        var (size, query) = (0.0, CInt(-1))
        routine(&size, &query)
        var work = [Double](repeating: 0, count: max(least, Int(size)))
        var count = CInt(work.count)
        routine(&work, &count)
    }
}
