/// Convolutions of images as products of a weight with patches, which are packed block by block for the kernels of
/// `gemm.h`: no matrix of patches lies in memory.
///
/// A band of rows of an image is staged first: padded with zeros, up-sampled, normalised and activated on the way, and
/// in the type that the kernels multiply. Its patches are then shifted views of the staged rows (Dumoulin and Visin 2016,
/// "A guide to convolution arithmetic for deep learning", for the geometry). The caller shares the bands and the output
/// channels among threads; no sum is ever shared, so the result depends on neither.
#pragma once
#include "gemm.h"

/// One convolution of a batch of images. Distances count elements; neighbours in a row lie together.
typedef struct {
    /// The first image, `channels` x `height` x `width`, of a `gemm_type`, and how far the next one is.
    const void *image;
    int type;
    ptrdiff_t images, image_step;
    ptrdiff_t channels, height, width, channel_step, row_step;
    /// Each pixel stands for `repeat` x `repeat` of its kind (nearest up-sampling).
    ptrdiff_t repeat;
    /// Pixels lie `spread` apart with zeros between them (the adjoint of a stride).
    ptrdiff_t spread;
    /// Three values a channel of each image or null: `(x - mean) factor + shift` is taken for x, then SiLU if `silu` is set.
    const float *mean, *factor, *shift;
    int silu;

    /// `outputs` x (channels kernel_height kernel_width).
    gemm_matrix weight;
    ptrdiff_t outputs, kernel_height, kernel_width, stride;
    /// The place of the first window: rows above and columns left of the image, which are zero.
    ptrdiff_t top, left;

    /// The result, float32 or bfloat16, `outputs` x `out_height` x `out_width` an image, and its distances: from one image,
    /// one channel, one row and one pixel to the next.
    void *result;
    int result_type;
    ptrdiff_t out_height, out_width, result_image, result_step, result_row, result_pixel;
    /// A value an output channel, or null.
    const float *bias;
    /// Added before rounding, of the result's type and layout, perhaps the result itself; or null.
    const void *residual;
} conv_product;

/// How a convolution is shared: `images` images at a time, bands of `band_rows` rows of the result, `splits` shares of the
/// output channels, which begin at multiples of `output_step`. The packed weight takes `packed_size` bytes, none when it
/// is read as it lies, a thread's work `space_size`, both aligned to 64.
typedef struct {
    ptrdiff_t images, band_rows, splits, output_step;
    size_t packed_size, space_size;
} conv_plan;

/// The plan for a convolution that `threads` threads share.
conv_plan conv_plan_for(int level, const conv_product *product, ptrdiff_t threads);

/// Packs output channels `from..<to`, `from` a multiple of `output_step`. Only where `packed_size` is not 0.
void conv_pack_weight(int level, const conv_product *product, ptrdiff_t from, ptrdiff_t to, void *packed);

/// Computes rows `top..<bottom` of the results (no more than a band) of `images` images from `image` on (no more than the
/// plan's) for output channels `from..<to`, all packed.
void conv_compute(
    int level, const conv_product *product, const void *packed, ptrdiff_t image, ptrdiff_t images, ptrdiff_t top,
    ptrdiff_t bottom, ptrdiff_t from, ptrdiff_t to, void *space);

/// What a library needs that convolves images whose channels lie together, `[rows][columns][channels]`: the extents of what
/// rows of the result see with all margins, the type (a `gemm_type`) in which they are staged, and a thread's space.
typedef struct {
    ptrdiff_t rows, columns;
    int type;
    size_t stage_size, space_size;
} conv_pixels;

/// For `rows` rows of the result; channels must be a multiple of 2 where bfloat16 is staged.
conv_pixels conv_pixels_for(int level, const conv_product *product, ptrdiff_t rows);

/// Stages what rows `top..<bottom` of the result of an image see: up-sampled, normalised, zeros in the margins.
void conv_stage_pixels(
    int level, const conv_product *product, ptrdiff_t image, ptrdiff_t top, ptrdiff_t bottom, void *stage, void *space);

/// Finishes sums `[bottom - top][out_width][outputs]` of rows `top..<bottom`: adds bias and residual, rounds, and writes
/// them to the result.
void conv_finish_pixels(
    int level, const conv_product *product, ptrdiff_t image, ptrdiff_t top, ptrdiff_t bottom, const float *sums,
    void *space);
