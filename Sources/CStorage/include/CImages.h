#pragma once
#include <stddef.h>
#include <stdint.h>

// PNG, JPEG and WebP through libpng, libjpeg-turbo and libwebp. The first two report faults by longjmp, which must not
// cross Swift frames: every function here catches it and returns 0 for success, or 1 with the fault filled in. All work on whole files
// in memory; none allocates by what a header claims except the decoders, whose callers have checked it first.

/// What was wrong with a file, each text a phrase without a full stop.
typedef struct {
    char expected[128];
    char found[224];
} CImageFault;

/// What a file's header says, before any pixel is read.
typedef struct {
    uint32_t width;
    uint32_t height;
    /// Samples a pixel as stored; 1 for palettes.
    int32_t channels;
    /// Bits a sample as stored.
    int32_t depth;
    /// Whether the entropy coding is arithmetic, which has no lower bound of bits a block (JPEG only).
    int32_t is_arithmetic;
    /// Whether the whole picture waits in memory for its last scan: a progressive JPEG, an interlaced PNG.
    int32_t is_progressive;
} CImageHeader;

int cimage_png_header(const uint8_t *bytes, size_t count, CImageHeader *header, CImageFault *fault);

/// Decodes to interleaved 8-bit RGB; `pixels` holds width * height * 3 bytes, as the header said. What is transparent is
/// laid over `background`, an RGB triple; `is_transparent` tells whether anything was.
int cimage_png_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, uint32_t width, uint32_t height,
                      const uint8_t background[3], int *is_transparent, CImageFault *fault);

/// Encodes interleaved 8-bit RGB. The caller frees `*bytes` with free().
int cimage_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint8_t **bytes, size_t *count,
                      CImageFault *fault);

int cimage_jpeg_header(const uint8_t *bytes, size_t count, CImageHeader *header, CImageFault *fault);

/// Decodes to interleaved 8-bit RGB as stored, without regard to EXIF; `pixels` holds width * height * 3 bytes.
int cimage_jpeg_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, uint32_t width, uint32_t height,
                       CImageFault *fault);

/// Encodes interleaved 8-bit RGB as baseline JPEG with halved chroma (4:2:0), quality 1 … 100. The caller frees
/// `*bytes` with free().
int cimage_jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int quality, uint8_t **bytes,
                       size_t *count, CImageFault *fault);

/// The header of a still WebP; an animation is a fault. `channels` is 4 where the file has alpha.
int cimage_webp_header(const uint8_t *bytes, size_t count, CImageHeader *header, CImageFault *fault);

/// Decodes to interleaved 8-bit RGB (`channels` 3), or RGBA (4) with colours that alpha has not been multiplied into, as
/// stored, without regard to EXIF; `pixels` holds width * height * channels bytes.
int cimage_webp_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, uint32_t width, uint32_t height,
                       int32_t channels, CImageFault *fault);

/// Finds the first chunk of metadata of this name of four letters that the header of a WebP announces; 1 when there is
/// none.
int cimage_webp_chunk(const uint8_t *bytes, size_t count, const char *name, size_t *start, size_t *size);
