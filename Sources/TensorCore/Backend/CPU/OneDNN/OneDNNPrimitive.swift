import COneDNN
import Synchronization

/// A primitive of oneDNN: code that it generated for one shape, made once and cached. May run on several threads at once.
final class OneDNNPrimitive: @unchecked Sendable {
    /// What a primitive is made for.
    enum Shape: Hashable {
        case product(OneDNNMatmul.Shape)
        case convolution(OneDNNConvolution.Shape)
    }

    private let handle: OpaquePointer
    /// Bytes of the second operand as the primitive reads it, and of the space of a run.
    let packedByteCount: Int, spaceByteCount: Int

    private init?(_ shape: Shape) {
        guard Self.isWithinLimits else { return nil }
        let handle =
            switch shape {
            case .product(let shape): shape.make()
            case .convolution(let shape): shape.make()
            }
        guard let handle else { return nil }
        self.handle = handle
        packedByteCount = onednn_packed_size(handle)
        spaceByteCount = onednn_space_size(handle)
    }

    deinit { onednn_release(handle) }

    /// oneDNN's name of the code that it chose.
    var name: String { String(cString: onednn_name(handle)) }

    /// Whether this is code that oneDNN generated, not its reference, which is orders of magnitude slower.
    var isFast: Bool { !name.hasPrefix("ref") }

    /// Whether both read their second operand in one layout.
    func packsLike(_ other: OneDNNPrimitive) -> Bool { onednn_packs_alike(handle, other.handle) != 0 }

    /// The second operand, laid out as the shape says (a convolution's weight is contiguous), as the primitive reads it.
    func packed(_ b: Tensor) -> Tensor {
        let result = Tensor(uninitialized: [packedByteCount], dtype: .uint8)
        let from = b.storage.base + b.offset * b.dtype.byteCount
        precondition(onednn_pack(handle, from, result.storage.base) != 0, "oneDNN cannot lay out \(b.shape)")
        return result
    }

    /// Computes on the calling thread.
    func run(_ operands: onednn_operands) {
        let isDone = withUnsafePointer(to: operands) { onednn_run(handle, $0) }
        precondition(isDone != 0, "oneDNN failed to run \(name)")
    }

    /// Whether oneDNN uses no instructions beyond those of ``MatrixKernels/current``: a set that was avoided, or found to
    /// compute wrongly, must not be used by a library either.
    private static let isWithinLimits: Bool = {
        let best = MatrixKernels.available.last { $0 != .amxEmulated }!
        let used = MatrixKernels.current
        let limit: onednn_instructions? =
            switch used {
            case .portable: onednn_sse41
            case .avx2: onednn_avx2
            case .avx512: onednn_avx512
            case .avx512bf16, .amxEmulated: onednn_avx512_bf16
            case .amx: nil
            }
        guard let limit, used < best || best == .amx else { return true }
        return onednn_limit(limit) != 0
    }()

    // MARK: The ones that were made

    private static let made = Mutex<[Shape: OneDNNPrimitive?]>([:])
    /// Beyond so many all are made anew: a program that sees ever other shapes must not grow for ever.
    private static let most = 512

    /// The primitive for a shape; nil where oneDNN has none, or is compiled for threads of its own.
    static func of(_ shape: Shape) -> OneDNNPrimitive? {
        made.withLock { made in
            if let known = made[shape] { return known }
            if made.count >= most { made.removeAll() }
            let primitive = OneDNNPrimitive(shape)
            made[shape] = .some(primitive)
            return primitive
        }
    }
}

/// oneDNN, the library beside our own kernels.
public enum OneDNN {
    /// Whether it computes on threads of ours: when it was compiled for OpenMP or for no threads at all.
    public static let isUsable = onednn_is_usable() != 0

    /// Such as `2.6.3`.
    public static let version: String = {
        let number = onednn_version()
        return "\(number / 10_000).\(number / 100 % 100).\(number % 100)"
    }()
}
