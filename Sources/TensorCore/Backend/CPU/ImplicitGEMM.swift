import CKernels

/// A convolution by implicit GEMM, with the kernels of `convolution.h`, split among threads by bands of rows and by output
/// channels; or by oneDNN where that is faster. No sum is ever split, so the result does not depend on the number of threads.
struct ImplicitGEMM {
    private let backend: CPUBackend
    private let image: Tensor, weight: Tensor
    private let stride: Int, top: Int, left: Int, spread: Int, upsampling: Int
    private let norm: ChannelNorm?
    private let keeping: Keeping?

    /// Where a frozen weight is kept as oneDNN reads it: `source`, or what `phase` tells was made of it.
    struct Keeping {
        let packed: PackedWeight, source: Tensor, phase: Int
    }

    /// `x` `[N, C, H, W]` by `weight` `[O, C, kh, kw]`; the first window begins `top` rows above the image and `left`
    /// columns left of it. The pixels of `x` are normalised and followed by SiLU if there is a `norm`, then each stands
    /// for `upsampling` squared of its kind, or they are `spread` apart with zeros between them.
    init(
        _ backend: CPUBackend, _ x: Tensor, weight: Tensor, stride: Int, top: Int, left: Int, spread: Int = 1,
        upsampling: Int = 1, norm: ConvolutionStages.Norm? = nil, keeping: Keeping? = nil
    ) {
        self.backend = backend
        let image = x.dtype.isFloatingPoint && (x.strides[3] == 1 || x.shape[3] == 1) ? x : backend.copy(x, as: x.dtype)
        self.image = image
        self.weight = weight.isContiguous ? weight : backend.copy(weight, as: weight.dtype)
        (self.stride, self.top, self.left, self.spread) = (stride, top, left, spread)
        self.upsampling = upsampling
        self.keeping = keeping
        self.norm = image.count == 0 ? nil : norm.map { ChannelNorm(backend, $0, image: image) }
    }

    /// The type in which a result for images of type `dtype` is written: others are rounded from it.
    static func resultType(_ dtype: DType) -> DType { dtype == .bfloat16 ? dtype : .float32 }

    /// The first rows and columns of windows, as many as `result` has: a view of ``resultType(_:)`` and of any distances
    /// between channels, rows and pixels. `residual` has the result's type and layout, or is the result itself.
    func run(bias: Tensor?, residual: Tensor? = nil, into result: Tensor) {
        if result.count == 0 { return }
        let shift = bias.map(backend.float32)
        let product = self.product(shift, residual, result)
        withExtendedLifetime(shift) { withUnsafePointer(to: product) { run($0) } }
    }

    private func run(_ p: UnsafePointer<diptych_convolution>) {
        if let library = OneDNNConvolution(p, backend) {
            let form = keeping.map { $0.packed.form($0.phase, of: weight, source: $0.source, for: library.primitive) }
            return library.run(form ?? library.primitive.packed(weight))
        }
        let level = backend.matrixKernels.level
        let plan = diptych_convolution_plan_for(level, p, Threads.count)
        let (height, outputs) = (p.pointee.out_height, p.pointee.outputs)
        let groups = (outputs + plan.output_step - 1) / plan.output_step
        var packed: Tensor?
        if plan.packed_size > 0 {
            let space = Tensor(uninitialized: [plan.packed_size], dtype: .uint8)
            parallelFor(groups, grain: max(1, (1 << 18) / max(plan.output_step * weight.count / outputs, 1))) { part in
                diptych_convolution_pack_weight(
                    level, p, part.lowerBound * plan.output_step, min(part.upperBound * plan.output_step, outputs),
                    space.storage.base)
            }
            packed = space
        }
        let images = image.shape[0]
        let bands = (height + plan.band_rows - 1) / plan.band_rows
        let tasks = (images + plan.images - 1) / plan.images * bands * plan.splits
        let work = images * height * p.pointee.out_width * weight.count / tasks
        parallelFor(tasks, grain: max(1, (1 << 18) / max(work, 1))) { part in
            let space = Tensor(uninitialized: [plan.space_size], dtype: .uint8)
            for task in part {
                let (band, split) = (task / plan.splits % bands, task % plan.splits)
                let first = task / plan.splits / bands * plan.images
                let (from, to) = (split * groups / plan.splits, (split + 1) * groups / plan.splits)
                var region = diptych_convolution_part(
                    image: first, images: min(plan.images, images - first), top: band * plan.band_rows,
                    bottom: min((band + 1) * plan.band_rows, height), from: from * plan.output_step,
                    to: min(to * plan.output_step, outputs))
                diptych_convolution_compute(level, p, packed?.storage.base, &region, space.storage.base)
            }
        }
    }

    private func product(_ bias: Tensor?, _ residual: Tensor?, _ result: Tensor) -> diptych_convolution {
        let depth = weight.count / max(weight.shape[0], 1)
        let pointers = norm?.pointers
        return diptych_convolution(
            image: Self.start(image), type: CPUBackend.type(image.dtype), images: image.shape[0],
            image_step: image.strides[0], channels: image.shape[1], height: image.shape[2], width: image.shape[3],
            channel_step: image.strides[1], row_step: image.strides[2], repeat: upsampling, spread: spread,
            mean: pointers?.mean, factor: pointers?.factor, shift: pointers?.shift, silu: norm != nil,
            weight: diptych_gemm_matrix(
                data: Self.start(weight), type: CPUBackend.type(weight.dtype), row: depth, column: 1),
            outputs: weight.shape[0], kernel_height: weight.shape[2], kernel_width: weight.shape[3], stride: stride,
            top: top, left: left, result: Self.start(result), result_type: CPUBackend.type(result.dtype),
            out_height: result.shape[2], out_width: result.shape[3], result_image: result.strides[0],
            result_step: result.strides[1], result_row: result.strides[2], result_pixel: result.strides[3],
            bias: bias.map { UnsafePointer(backend.floats($0)) },
            residual: residual.map { UnsafeRawPointer(Self.start($0)) })
    }

    /// Where the elements of a tensor begin.
    private static func start(_ x: Tensor) -> UnsafeMutableRawPointer {
        x.storage.base + x.offset * x.dtype.byteCount
    }
}
