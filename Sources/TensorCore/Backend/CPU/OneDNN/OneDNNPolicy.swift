import CKernels

/// Which shapes oneDNN computes instead of our own kernels, because it is faster: measured shape by shape
/// (`Documentation/products.md`), and a fixed rule, so that results do not depend on timings.
enum OneDNNPolicy {
    /// Products `a^T b` in `float32` that sum over many rows, as the gradients of weights do: oneDNN is 10 to 30 % faster.
    static func takesProduct(_ a: Tensor, _ b: Tensor, _ backend: CPUBackend) -> Bool {
        guard backend.leavesSomeToOneDNN, a.rank == 2, b.rank == 2, a.dtype == .float32, b.dtype == .float32 else {
            return false
        }
        let (m, n, k) = (a.shape[0], b.shape[1], a.shape[1])
        return a.strides[0] == 1 && a.strides[1] >= m && b.strides[1] == 1 && k >= 1024 && min(m, n) >= 16
    }

    /// Convolutions whose windows share much work with their neighbours and whose channels fill vectors.
    static func takesConvolution(_ p: diptych_convolution, _ backend: CPUBackend) -> Bool {
        guard backend.leavesSomeToOneDNN else { return false }
        let isBFloat16 = p.type == CPUBackend.type(.bfloat16) && p.weight.type == CPUBackend.type(.bfloat16)
        let isFloat32 = p.type == CPUBackend.type(.float32) && p.weight.type == CPUBackend.type(.float32)
        guard isFloat32 || (isBFloat16 && backend.matrixKernels != .avx512) else { return false }
        return p.kernel_height * p.kernel_width >= 4 && p.spread == 1 && p.channels % 32 == 0 && p.channels >= 128
            && p.outputs >= 16 && p.out_width >= 8
    }

    /// Rows of the result that are computed together: few enough that there are bands for several threads and that what a
    /// thread stages stays below 8 MB, not so few that staging the rows which neighbours share costs much.
    static func bandRows(_ p: diptych_convolution) -> Int {
        let size = p.weight.type == CPUBackend.type(.bfloat16) ? 2 : 4
        let row = (p.out_width * p.stride + p.kernel_width - p.stride) * p.channels * size
        let fitting = ((8 << 20) / row - p.kernel_height) / p.stride + 1
        return min(p.out_height, max(4, min(8, (p.out_height + 7) / 8, fitting)))
    }
}

extension MatrixKernels {
    /// Whether oneDNN, which chooses its instructions by itself, may stand in: with AVX-512, where it was measured. Below,
    /// everything is ours.
    var agreesWithOneDNN: Bool {
        switch self {
        case .avx512, .avx512bf16, .amx: true
        case .portable, .avx2, .amxEmulated: false
        }
    }
}
