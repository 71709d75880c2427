/// Products and decompositions of small matrices in double precision: a side door beside ``Backend``, for work that is
/// done once (a mixture flattened, a low-rank update cut to a rank), never in a training step.
///
/// Matrices are host values. A device may bring its own implementation; none has to.
public protocol LinearAlgebra: Sendable {
    /// `a b`; `a.columns == b.rows`.
    func product(_ a: Matrix, _ b: Matrix) -> Matrix
    /// QR decomposition of `[m, n]`: `q` `[m, k]` with orthonormal columns and an upper triangle `r` `[k, n]`, k the lesser
    /// extent.
    func orthonormalized(_ a: Matrix) -> (q: Matrix, r: Matrix)
    /// Thin singular value decomposition `u diag(s) vt` of `[m, n]`, values in descending order: `u` `[m, k]`, `vt`
    /// `[k, n]`, k the lesser extent.
    func singularValues(_ a: Matrix) -> (u: Matrix, s: [Double], vt: Matrix)
    /// Eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as columns. Only the upper triangle is
    /// read.
    func symmetricEigenvalues(_ a: Matrix) -> (values: [Double], vectors: Matrix)
}

extension Device {
    /// What decomposes matrices in the current task: LAPACK.
    @TaskLocal public static var linearAlgebra: any LinearAlgebra = LAPACK()
}
