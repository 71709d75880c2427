/// Convolutions of images by implicit GEMM: products of the weight with the im2col matrix, which is packed block by block
/// for the micro-kernels of `gemm.h` and never lies in memory as a whole.
///
/// A band of rows of an image is staged first: padded with zeros, up-sampled, normalised and activated on the way, in the
/// type that the kernels multiply. Columns of the im2col matrix are shifted views of the staged rows (Dumoulin and Visin
/// 2016, "A guide to convolution arithmetic for deep learning", for the geometry). The caller splits bands and output
/// channels among threads; no sum is ever split, so the result depends on neither.
#pragma once
#include "gemm.h"

/// One convolution of a batch of images. Distances count elements; neighbours in a row are contiguous.
typedef struct {
    /// The first image, `channels` x `height` x `width`, and the distance to the next one.
    const void *image;
    enum diptych_type type;
    ptrdiff_t images, image_step;
    ptrdiff_t channels, height, width, channel_step, row_step;
    /// Each pixel is repeated in a square of `repeat` x `repeat` (nearest up-sampling).
    ptrdiff_t repeat;
    /// Pixels are `spread` apart with zeros between them (the adjoint of a stride).
    ptrdiff_t spread;
    /// Three values a channel of each image or null: x becomes `(x - mean) factor + shift`, then SiLU of it if `silu`.
    const float *mean, *factor, *shift;
    bool silu;

    /// `outputs` x (channels kernel_height kernel_width).
    diptych_gemm_matrix weight;
    ptrdiff_t outputs, kernel_height, kernel_width, stride;
    /// Zero padding before the first window: rows above and columns left of the image.
    ptrdiff_t top, left;

    /// The result, float32 or bfloat16, `outputs` x `out_height` x `out_width` an image, and its distances: from one image,
    /// one channel, one row and one pixel to the next.
    void *result;
    enum diptych_type result_type;
    ptrdiff_t out_height, out_width, result_image, result_step, result_row, result_pixel;
    /// A value an output channel, or null.
    const float *bias;
    /// Added before rounding, of the result's type and layout, perhaps the result itself; or null.
    const void *residual;
} diptych_convolution;

/// How a convolution is split: `images` images at a time, bands of `band_rows` rows of the result, `splits` groups of the
/// output channels, which begin at multiples of `output_step`. The packed weight takes `packed_size` bytes, none when it
/// is read in place, a thread's work `space_size`, both aligned to 64.
typedef struct {
    ptrdiff_t images, band_rows, splits, output_step;
    size_t packed_size, space_size;
} diptych_convolution_plan;

/// A part of the result: `images` images from `image` on (no more than the plan's), rows `top..<bottom` (no more than a
/// band), output channels `from..<to`.
typedef struct {
    ptrdiff_t image, images, top, bottom, from, to;
} diptych_convolution_part;

/// The plan for a convolution on `threads` threads.
diptych_convolution_plan diptych_convolution_plan_for(
    enum diptych_kernel_level level, const diptych_convolution *convolution, ptrdiff_t threads);

/// Packs output channels `from..<to`, `from` a multiple of `output_step`. Only where `packed_size` is not 0.
void diptych_convolution_pack_weight(
    enum diptych_kernel_level level, const diptych_convolution *convolution, ptrdiff_t from, ptrdiff_t to,
    void *packed);

/// Computes a part of the result, whose output channels are all packed.
void diptych_convolution_compute(
    enum diptych_kernel_level level, const diptych_convolution *convolution, const void *packed,
    const diptych_convolution_part *part, void *space);

/// What a library needs that convolves channels-last images (NHWC), `[rows][columns][channels]`: the extents of what rows
/// of the result see with all padding, the type in which they are staged, and a thread's space in bytes.
typedef struct {
    ptrdiff_t rows, columns;
    enum diptych_type type;
    size_t stage_size, space_size;
} diptych_convolution_channels_last;

/// For `rows` rows of the result; channels must be a multiple of 2 where bfloat16 is staged.
diptych_convolution_channels_last diptych_convolution_channels_last_for(
    enum diptych_kernel_level level, const diptych_convolution *convolution, ptrdiff_t rows);

/// Stages what rows `top..<bottom` of the result of an image see: up-sampled, normalised, zeros in the padding.
void diptych_convolution_stage_channels_last(
    enum diptych_kernel_level level, const diptych_convolution *convolution, ptrdiff_t image, ptrdiff_t top,
    ptrdiff_t bottom, void *stage, void *space);

/// Finishes sums `[bottom - top][out_width][outputs]` of rows `top..<bottom`: adds bias and residual, rounds, and writes
/// them to the result.
void diptych_convolution_finish_channels_last(
    enum diptych_kernel_level level, const diptych_convolution *convolution, ptrdiff_t image, ptrdiff_t top,
    ptrdiff_t bottom, const float *sums, void *space);
