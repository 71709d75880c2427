import COpenBLAS

/// The processor: `float32` arithmetic, matrix products by OpenBLAS.
///
/// Inputs of other floating-point types are widened to `float32` first and the result is rounded once at the end.
public struct CPUBackend: Backend {
    /// What multiplies matrices.
    public enum Engine: String, Sendable {
        /// OpenBLAS, one call a thread.
        case blas
        /// Three nested loops with a double-precision sum: slow, and the oracle of the other.
        case plain
    }

    /// What multiplies matrices.
    public let engine: Engine

    /// `cpu (blas)` or `cpu (plain)`.
    public var name: String { "cpu (\(engine.rawValue))" }

    /// Chooses the engine. Threads are ours: OpenBLAS is told to use one a call.
    public init(engine: Engine = .blas) {
        self.engine = engine
        _ = Self.singleThreadedBLAS
    }

    private static let singleThreadedBLAS: Void = openblas_set_num_threads(1)

    /// The kernels that OpenBLAS chose for this processor, such as `SkylakeX`; `Prescott` on a recent processor means
    /// that it was not recognised and runs several times slower than it could.
    public static var blasCoreName: String { String(cString: openblas_get_corename()) }

    /// `x` as contiguous `float32`: itself when it already is.
    func float32(_ x: Tensor) -> Tensor {
        x.dtype == .float32 && x.isContiguous ? x : copy(x, as: .float32)
    }

    /// The floats of a contiguous `float32` tensor.
    func floats(_ x: Tensor) -> UnsafeMutablePointer<Float> { x.pointer(to: Float.self) }

    /// Rounds a `float32` result to the type that the operation promises.
    func rounded(_ result: Tensor, to dtype: DType) -> Tensor {
        dtype == .float32 ? result : copy(result, as: dtype)
    }
}
