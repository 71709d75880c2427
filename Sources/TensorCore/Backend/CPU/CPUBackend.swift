import COpenBLAS

/// The processor: `float32` arithmetic, matrix products and attention by kernels of our own.
///
/// Inputs of other floating-point types are widened to `float32` in registers or row by row in the cache, and results
/// rounded once at the end.
public struct CPUBackend: Backend {
    /// What multiplies matrices.
    public enum Engine: String, Sendable, CaseIterable {
        /// Our own kernels for the processor's instruction set; see ``MatrixKernels``.
        case kernels
        /// oneDNN for products of two matrices, in `bfloat16` or `float32`, and OpenBLAS for others; to compare with.
        case oneDNN = "onednn"
        /// OpenBLAS, one call a thread, in `float32`; to compare with.
        case blas
        /// Three nested loops with a double-precision sum, unfused attention: slow, and the oracle of the others.
        case plain
    }

    /// What multiplies matrices.
    public let engine: Engine

    /// The kernels of the engine of that name.
    public let matrixKernels: MatrixKernels

    /// Whether the engine ``Engine/kernels`` lets oneDNN compute the shapes for which that is faster; see ``OneDNNPolicy``.
    let leavesSomeToOneDNN: Bool

    /// `cpu (kernels, avx512)`, `cpu (onednn)`, `cpu (blas)` or `cpu (plain)`.
    public var name: String {
        engine == .kernels ? "cpu (kernels, \(matrixKernels))" : "cpu (\(engine.rawValue))"
    }

    /// Chooses the engine, and its kernels among ``MatrixKernels/available``. Threads are ours: the libraries are told to
    /// use one a call. Unless `leavesSomeToOneDNN`, the engine ``Engine/kernels`` computes everything itself.
    public init(
        engine: Engine = .kernels, matrixKernels: MatrixKernels = .current, leavesSomeToOneDNN: Bool = true
    ) {
        precondition(MatrixKernels.available.contains(matrixKernels), "this processor cannot run \(matrixKernels)")
        self.engine = engine
        self.matrixKernels = matrixKernels
        self.leavesSomeToOneDNN =
            leavesSomeToOneDNN && engine == .kernels && matrixKernels.agreesWithOneDNN && OneDNN.isUsable
        precondition(engine != .oneDNN || OneDNN.isUsable, "this oneDNN has threads of its own")
        if engine == .blas || engine == .oneDNN { _ = Self.singleThreadedBLAS }
    }

    private static let singleThreadedBLAS: Void = openblas_set_num_threads(1)

    /// The kernels that OpenBLAS chose for this processor, such as `SkylakeX`; `Prescott` on a recent processor means
    /// that it was not recognised and runs several times slower than it could.
    public static var blasCoreName: String { String(cString: openblas_get_corename()) }

    /// The version of OpenBLAS, such as `0.3.21`.
    public static var blasVersion: String {
        let words = String(cString: openblas_get_config()).split(separator: " ")
        return words.first { $0.first?.isNumber == true }.map(String.init) ?? "of an unknown version"
    }

    /// `x` as contiguous `float32`: itself when it already is.
    func float32(_ x: Tensor) -> Tensor {
        x.dtype == .float32 && x.isContiguous ? x : copy(x, as: .float32)
    }

    /// The floats of a contiguous `float32` tensor.
    func floats(_ x: Tensor) -> UnsafeMutablePointer<Float> { x.pointer(to: Float.self) }

    /// Rounds a result to the type that the operation promises, unless it has it.
    func rounded(_ result: Tensor, to dtype: DType) -> Tensor {
        result.dtype == dtype ? result : copy(result, as: dtype)
    }
}
