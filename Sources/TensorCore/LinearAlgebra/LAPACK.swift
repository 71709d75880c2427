import COpenBLAS

/// BLAS and LAPACK in double precision, both of OpenBLAS (Anderson et al. 1999, "LAPACK Users' Guide").
public struct LAPACK: LinearAlgebra {
    /// Nothing to configure.
    public init() {}

    /// See ``LinearAlgebra/product(_:_:)``; `dgemm`.
    public func product(_ a: Matrix, _ b: Matrix) -> Matrix {
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

    /// See ``LinearAlgebra/orthonormalized(_:)``; `dgeqrf` and `dorgqr`.
    public func orthonormalized(_ matrix: Matrix) -> (q: Matrix, r: Matrix) {
        let (rows, columns) = (matrix.rows, matrix.columns)
        var (m, n, k, info) = (CInt(rows), CInt(columns), CInt(min(rows, columns)), CInt(0))
        var (leading, reflectors) = (m, k)
        var a = matrix.values
        var tau = [Double](repeating: 0, count: Int(k))
        withWorkspace { work, count in dgeqrf_(&m, &n, &a, &leading, &tau, work, &count, &info) }
        precondition(info == 0, "dgeqrf: \(info)")
        var r = Matrix(zeros: Int(k), columns)
        for j in 0..<columns { for i in 0..<min(j + 1, Int(k)) { r[i, j] = a[i + j * rows] } }
        a.removeLast(a.count - rows * Int(k))
        withWorkspace { work, count in dorgqr_(&m, &k, &reflectors, &a, &leading, &tau, work, &count, &info) }
        precondition(info == 0, "dorgqr: \(info)")
        return (Matrix(rows: rows, columns: Int(k), a), r)
    }

    /// See ``LinearAlgebra/singularValues(_:)``; `dgesdd`.
    public func singularValues(_ matrix: Matrix) -> (u: Matrix, s: [Double], vt: Matrix) {
        let (rows, columns) = (matrix.rows, matrix.columns)
        var (m, n, k, info) = (CInt(rows), CInt(columns), CInt(min(rows, columns)), CInt(0))
        var (leading, leadingU) = (m, m)
        var a = matrix.values
        var s = [Double](repeating: 0, count: Int(k))
        var u = Matrix(zeros: rows, Int(k))
        var vt = Matrix(zeros: Int(k), columns)
        var integers = [CInt](repeating: 0, count: 8 * Int(k))
        withWorkspace { work, count in
            dgesdd_(
                "S", &m, &n, &a, &leading, &s, &u.values, &leadingU, &vt.values, &k, work, &count, &integers, &info, 1)
        }
        precondition(info == 0, "dgesdd: \(info)")
        return (u, s, vt)
    }

    /// See ``LinearAlgebra/symmetricEigenvalues(_:)``; `dsyevd`.
    public func symmetricEigenvalues(_ matrix: Matrix) -> (values: [Double], vectors: Matrix) {
        precondition(matrix.rows == matrix.columns, "eigenvalues of \(matrix.rows) x \(matrix.columns)")
        let rows = matrix.rows
        var (n, leading, info) = (CInt(rows), CInt(rows), CInt(0))
        var result = matrix
        var eigenvalues = [Double](repeating: 0, count: rows)
        var integers = [CInt](repeating: 0, count: 3 + 5 * rows)
        var integerCount = CInt(integers.count)
        withWorkspace(atLeast: 1 + 6 * rows + 2 * rows * rows) { work, count in
            dsyevd_(
                "V", "U", &n, &result.values, &leading, &eigenvalues, work, &count, &integers, &integerCount, &info, 1,
                1)
        }
        precondition(info == 0, "dsyevd: \(info)")
        return (eigenvalues, result)
    }

    /// Runs a routine twice: asked for its workspace, then with it.
    private func withWorkspace(
        atLeast least: Int = 1, _ routine: (UnsafeMutablePointer<Double>, inout CInt) -> Void
    ) {
        var (size, query) = (0.0, CInt(-1))
        routine(&size, &query)
        var work = [Double](repeating: 0, count: max(least, Int(size)))
        var count = CInt(work.count)
        routine(&work, &count)
    }
}
