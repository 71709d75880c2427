import CKernels
import COneDNN

/// A convolution by oneDNN: bands of rows are staged, normalised and up-sampled as for the kernels of ours but with their
/// channels side by side, convolved, and finished into the result. Threads share the bands, whose height does not
/// depend on how many threads there are: neither does the result.
struct OneDNNConvolution {
    /// What is convolved at a time: a band of rows of an image, with all margins.
    struct Shape: Hashable {
        var channels: Int, height: Int, width: Int
        var outputs: Int, kernelHeight: Int, kernelWidth: Int, stride: Int
        var isBFloat16: Bool

        func make() -> OpaquePointer? {
            var convolution = onednn_convolution(
                channels: channels, height: height, width: width, outputs: outputs,
                kernel_height: kernelHeight, kernel_width: kernelWidth, stride: stride,
                type: isBFloat16 ? onednn_bfloat16 : onednn_float32)
            return onednn_make_convolution(&convolution)
        }
    }

    private let product: UnsafePointer<diptych_convolution>
    private let level: diptych_kernel_level
    private let whole: Band
    /// The last band, where it is shorter.
    private let rest: Band?

    private struct Band {
        let primitive: OneDNNPrimitive
        let pixels: diptych_convolution_channels_last
        let rows: Int

        init?(_ level: diptych_kernel_level, _ p: UnsafePointer<diptych_convolution>, rows: Int) {
            self.rows = rows
            pixels = diptych_convolution_channels_last_for(level, p, rows)
            let shape = Shape(
                channels: p.pointee.channels, height: pixels.rows, width: pixels.columns, outputs: p.pointee.outputs,
                kernelHeight: p.pointee.kernel_height, kernelWidth: p.pointee.kernel_width, stride: p.pointee.stride,
                isBFloat16: pixels.type == DIPTYCH_BFLOAT16)
            guard let primitive = OneDNNPrimitive.of(.convolution(shape)), primitive.isFast else { return nil }
            self.primitive = primitive
        }
    }

    /// Nil where the kernels of ours are faster or oneDNN has no fast code.
    init?(_ p: UnsafePointer<diptych_convolution>, _ backend: CPUBackend) {
        guard OneDNNPolicy.takesConvolution(p.pointee, backend) else { return nil }
        let level = backend.matrixKernels.level
        let rows = OneDNNPolicy.bandRows(p.pointee)
        guard let whole = Band(level, p, rows: rows) else { return nil }
        let left = p.pointee.out_height % rows
        rest = left == 0 ? nil : Band(level, p, rows: left)
        if left > 0 && rest?.primitive.packsLike(whole.primitive) != true { return nil }
        product = p
        self.level = level
        self.whole = whole
    }

    /// What the weight is laid out for.
    var primitive: OneDNNPrimitive { whole.primitive }

    /// Computes with a weight that ``primitive`` laid out.
    func run(_ weight: Tensor) {
        let p = product.pointee
        let bands = (p.out_height + whole.rows - 1) / whole.rows
        func aligned(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }
        let stageSize = aligned(whole.pixels.stage_size), spaceSize = aligned(whole.pixels.space_size)
        let scratchSize = aligned(max(whole.primitive.spaceByteCount, rest?.primitive.spaceByteCount ?? 0))
        let sumsSize = whole.rows * p.out_width * p.outputs * MemoryLayout<Float>.size
        parallelFor(p.images * bands, grain: 1) { part in
            let memory = Tensor(uninitialized: [stageSize + spaceSize + scratchSize + sumsSize], dtype: .uint8)
            let stage = memory.storage.base
            let (space, scratch) = (stage + stageSize, stage + stageSize + spaceSize)
            let sums = (scratch + scratchSize).assumingMemoryBound(to: Float.self)
            for task in part {
                let (image, top) = (task / bands, task % bands * whole.rows)
                let bottom = min(top + whole.rows, p.out_height)
                let band = bottom - top < whole.rows ? rest! : whole
                diptych_convolution_stage_channels_last(level, product, image, top, bottom, stage, space)
                band.primitive.run(
                    onednn_operands(
                        a: stage, b: weight.storage.base, bias: nil, addend: nil, c: sums, space: scratch))
                diptych_convolution_finish_channels_last(level, product, image, top, bottom, sums, space)
            }
            withExtendedLifetime(memory) {}
        }
    }
}
