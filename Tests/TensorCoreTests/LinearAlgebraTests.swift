import TensorCore
import TestSupport
import Testing

/// The decompositions by what defines them, in double precision.
@Suite struct LinearAlgebraTests {
    private let algebra: any LinearAlgebra = Device.linearAlgebra

    private func sample(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
        var random = Random(seed: seed)
        return Matrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in random.normal() })
    }

    /// Three loops.
    private func plainProduct(_ a: Matrix, _ b: Matrix) -> Matrix {
        var result = Matrix(zeros: a.rows, b.columns)
        for i in 0..<a.rows {
            for j in 0..<b.columns { for k in 0..<a.columns { result[i, j] += a[i, k] * b[k, j] } }
        }
        return result
    }

    private func difference(_ a: Matrix, _ b: Matrix) -> Double {
        guard a.rows == b.rows, a.columns == b.columns else { return .infinity }
        return zip(a.values, b.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    private func identity(_ count: Int) -> Matrix { Matrix(diagonal: [Double](repeating: 1, count: count)) }

    @Test(arguments: [(1, 1, 1), (3, 5, 2), (7, 1, 4), (0, 3, 2), (2, 0, 3), (4, 3, 0)])
    func products(m: Int, k: Int, n: Int) {
        let (a, b) = (sample(m, k, seed: 1), sample(k, n, seed: 2))
        #expect(difference(algebra.product(a, b), plainProduct(a, b)) < 1e-13)
    }

    @Test(arguments: [(1, 1), (6, 4), (4, 6), (9, 9)]) func orthonormalColumns(m: Int, n: Int) {
        let a = sample(m, n, seed: 3)
        let (q, r) = algebra.orthonormalized(a)
        #expect(q.columns == min(m, n) && r.rows == min(m, n))
        #expect(difference(plainProduct(q, r), a) < 1e-13)
        #expect(difference(plainProduct(q.transposed, q), identity(q.columns)) < 1e-13)
        for j in 0..<r.columns { for i in (j + 1)..<max(j + 1, r.rows) { #expect(r[i, j] == 0) } }
    }

    @Test(arguments: [(1, 1), (6, 4), (4, 6), (9, 9)]) func singularValues(m: Int, n: Int) {
        let a = sample(m, n, seed: 4)
        let (u, s, vt) = algebra.singularValues(a)
        #expect(s == s.sorted(by: >) && s.allSatisfy { $0 > 0 } && s.count == min(m, n))
        #expect(difference(plainProduct(u.scalingColumns(by: s), vt), a) < 1e-13)
        #expect(difference(plainProduct(u.transposed, u), identity(s.count)) < 1e-13)
        #expect(difference(plainProduct(vt, vt.transposed), identity(s.count)) < 1e-13)
    }

    /// `[[3, 4], [0, 5]]` has the singular values `3 sqrt 5` and `sqrt 5`.
    @Test func knownSingularValues() {
        let s = algebra.singularValues(Matrix(rows: 2, columns: 2, [3, 0, 4, 5])).s
        #expect(abs(s[0] - 3 * 5.0.squareRoot()) < 1e-14 && abs(s[1] - 5.0.squareRoot()) < 1e-14)
    }

    @Test(arguments: [1, 2, 8]) func symmetricEigenvalues(count: Int) {
        let half = sample(count, count, seed: 5)
        let a = half + half.transposed
        let (values, vectors) = algebra.symmetricEigenvalues(a)
        #expect(values == values.sorted())
        #expect(difference(plainProduct(a, vectors), vectors.scalingColumns(by: values)) < 1e-13)
        #expect(difference(plainProduct(vectors.transposed, vectors), identity(count)) < 1e-13)
    }

    @Test(arguments: Layout.allCases) func tensorsAndBack(layout: Layout) {
        let tensor = Tensor.sample([3, 5], seed: 6).laidOut(layout)
        let matrix = Matrix(tensor)
        #expect(matrix.rows == 3 && matrix.columns == 5)
        for index in tensor.shape.allIndices {
            #expect(matrix[index[0], index[1]] == Reference(tensor)[index])
        }
        #expect(matrix.tensor.isIdentical(to: tensor.contiguous()))
    }
}
