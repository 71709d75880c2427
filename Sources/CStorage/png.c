#include "image_codec.h"

#include <png.h>
#include <string.h>

typedef struct {
    CodecFault codec;
    // reading
    const uint8_t *bytes;
    size_t count;
    size_t position;
    // Rows of four samples.
    uint8_t *rows;
    // writing
    CodecOutput output;
} Session;

static _Noreturn void fail(Session *session, const char *expected, const char *found) {
    codec_fail(&session->codec, expected, found);
}

static void on_error(png_structp png, png_const_charp message) {
    char found[200];
    snprintf(found, sizeof found, "a fault that libpng calls \"%s\"", message);
    fail(png_get_error_ptr(png), "an intact PNG", found);
}

// Warnings concern metadata that no pixel depends on.
static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep into, size_t wanted) {
    Session *session = png_get_io_ptr(png);
    if (wanted > session->count - session->position) {
        char found[96];
        snprintf(found, sizeof found, "the end of the file after %zu bytes", session->count);
        fail(session, "a whole PNG", found);
    }
    memcpy(into, session->bytes + session->position, wanted);
    session->position += wanted;
}

static png_structp open_reader(Session *session, png_infop *info) {
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, session, on_error, on_warning);
    if (!png) return NULL;
    *info = png_create_info_struct(png);
    if (!*info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return NULL;
    }
    png_set_read_fn(png, session, read_bytes);
    // The caller judges the size; libpng's own limit would hide it behind a vaguer message.
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    // Profiles and texts may be compressed bombs and change no pixel here: they are passed over, their CRCs checked.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    return png;
}

int cimage_png_header(const uint8_t *bytes, size_t count, CImageHeader *header, CImageFault *fault) {
    Session session = {.codec.fault = fault, .bytes = bytes, .count = count};
    png_infop info = NULL;
    png_structp volatile png = NULL;
    png_infop volatile kept = NULL;
    if (setjmp(session.codec.escape)) {
        png_structp doomed = png;
        png_infop doomed_info = kept;
        png_destroy_read_struct(&doomed, &doomed_info, NULL);
        return 1;
    }
    png = open_reader(&session, &info);
    kept = info;
    if (!png) return set_fault(fault, "memory to read a PNG", "none");
    png_read_info(png, info);
    header->width = png_get_image_width(png, info);
    header->height = png_get_image_height(png, info);
    header->channels = png_get_channels(png, info);
    header->depth = png_get_bit_depth(png, info);
    header->is_arithmetic = 0;
    header->is_progressive = png_get_interlace_type(png, info) != PNG_INTERLACE_NONE;
    png_structp done = png;
    png_destroy_read_struct(&done, &info, NULL);
    return 0;
}

// Lays a colour of an opacity over a background, rounded to the nearest as Pillow's paste does.
static uint8_t lay(int color, int alpha, int background) {
    return divided_by_255(color * alpha + background * (255 - alpha));
}

// Spreads `n` samples that lie at the end of `pixels` to RGB over the whole of it, front to back: the triple that is
// written never reaches a sample that is still to be read.
static void spread_grey(uint8_t *pixels, size_t n) {
    const uint8_t *source = pixels + 2 * n;
    for (size_t i = 0; i < n; i++) {
        uint8_t value = source[i];
        pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = value;
    }
}

// The same for grey and opacity; whether any pixel is less than opaque.
static int spread_grey_alpha(uint8_t *pixels, size_t n, const uint8_t *background) {
    const uint8_t *source = pixels + n;
    int transparent = 0;
    for (size_t i = 0; i < n; i++) {
        int value = source[2 * i], alpha = source[2 * i + 1];
        transparent |= alpha != 255;
        for (int c = 0; c < 3; c++) pixels[3 * i + c] = lay(value, alpha, background[c]);
    }
    return transparent;
}

// The same for indices; whether any pixel's entry is less than opaque.
static int spread_palette(Session *session, uint8_t *pixels, size_t n, const uint8_t colors[256][3],
                          const uint8_t *alphas, int count) {
    const uint8_t *source = pixels + 2 * n;
    int transparent = 0;
    for (size_t i = 0; i < n; i++) {
        int index = source[i];
        if (index >= count) {
            char expected[64], found[64];
            snprintf(expected, sizeof expected, "palette indices below %d", count);
            snprintf(found, sizeof found, "index %d", index);
            fail(session, expected, found);
        }
        transparent |= alphas[index] != 255;
        memcpy(pixels + 3 * i, colors[index], 3);
    }
    return transparent;
}

static int read_palette(Session *session, png_structp png, png_infop info, uint8_t *pixels, size_t n,
                        const uint8_t *background) {
    png_colorp palette = NULL;
    png_bytep opacities = NULL;
    int count = 0, opacity_count = 0;
    png_get_PLTE(png, info, &palette, &count);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) png_get_tRNS(png, info, &opacities, &opacity_count, NULL);
    uint8_t colors[256][3], alphas[256];
    for (int i = 0; i < count && i < 256; i++) {
        int alpha = alphas[i] = opacities && i < opacity_count ? opacities[i] : 255;
        colors[i][0] = lay(palette[i].red, alpha, background[0]);
        colors[i][1] = lay(palette[i].green, alpha, background[1]);
        colors[i][2] = lay(palette[i].blue, alpha, background[2]);
    }
    return spread_palette(session, pixels, n, colors, alphas, count);
}

// Lays `n` pixels of RGB and opacity over the background; whether any is less than opaque.
static int lay_rgba(const uint8_t *source, uint8_t *pixels, size_t n, const uint8_t *background) {
    int transparent = 0;
    for (size_t i = 0; i < n; i++) {
        int alpha = source[4 * i + 3];
        transparent |= alpha != 255;
        for (int c = 0; c < 3; c++) pixels[3 * i + c] = lay(source[4 * i + c], alpha, background[c]);
    }
    return transparent;
}

int cimage_png_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, uint32_t width, uint32_t height,
                      const uint8_t background[3], int *is_transparent, CImageFault *fault) {
    // On the heap, so that the buffer that a callback leaves behind is well defined after a longjmp.
    Session *session = calloc(1, sizeof *session);
    if (!session) return set_fault(fault, "memory to read a PNG", "none");
    session->codec.fault = fault;
    session->bytes = bytes;
    session->count = count;
    png_infop info = NULL;
    png_structp volatile png = NULL;
    png_infop volatile kept = NULL;
    if (setjmp(session->codec.escape)) {
        png_structp doomed = png;
        png_infop doomed_info = kept;
        png_destroy_read_struct(&doomed, &doomed_info, NULL);
        free(session->rows);
        free(session);
        return 1;
    }
    png = open_reader(session, &info);
    kept = info;
    if (!png) fail(session, "memory to read a PNG", "none");
    png_read_info(png, info);
    codec_check_size(
        &session->codec, png_get_image_width(png, info), png_get_image_height(png, info), width, height);
    int type = png_get_color_type(png, info);
    int depth = png_get_bit_depth(png, info);
    int is_palette = type == PNG_COLOR_TYPE_PALETTE;
    int is_rgb = type == PNG_COLOR_TYPE_RGB || type == PNG_COLOR_TYPE_RGB_ALPHA;
    // A colour that a chunk tRNS calls transparent becomes a channel; that of 16 bits is compared before they are cut.
    int has_alpha = type & PNG_COLOR_MASK_ALPHA ? 1 : 0;
    if (!is_palette && png_get_valid(png, info, PNG_INFO_tRNS)) has_alpha = 1;
    size_t samples = (is_rgb ? 3 : 1) + (has_alpha ? 1 : 0);
    if (is_palette) {
        png_set_packing(png);
        samples = 1;
    } else {
        if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
        if (has_alpha && !(type & PNG_COLOR_MASK_ALPHA)) png_set_tRNS_to_alpha(png);
        if (depth == 16) png_set_strip_16(png);
    }
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != samples * width) fail(session, "a PNG of a known layout", "another");

    size_t n = (size_t)width * height;
    int transparent = 0;
    if (samples == 4) {
        // Four samples have no room in three: a row at a time, all of them where the rows come interlaced.
        session->rows = malloc(4 * (passes > 1 ? n : width));
        if (!session->rows) fail(session, "memory to read a PNG", "none");
        if (passes > 1) {
            for (int pass = 0; pass < passes; pass++) {
                for (uint32_t y = 0; y < height; y++) {
                    png_read_row(png, session->rows + (size_t)4 * width * y, NULL);
                }
            }
            transparent = lay_rgba(session->rows, pixels, n, background);
        } else {
            for (uint32_t y = 0; y < height; y++) {
                png_read_row(png, session->rows, NULL);
                transparent |= lay_rgba(session->rows, pixels + (size_t)3 * width * y, width, background);
            }
        }
        png_read_end(png, NULL);
    } else {
        uint8_t *first = pixels + (3 - samples) * n;
        for (int pass = 0; pass < passes; pass++) {
            for (uint32_t y = 0; y < height; y++) png_read_row(png, first + samples * width * y, NULL);
        }
        png_read_end(png, NULL);
        if (is_palette) {
            transparent = read_palette(session, png, info, pixels, n, background);
        } else if (samples == 2) {
            transparent = spread_grey_alpha(pixels, n, background);
        } else if (samples == 1) {
            spread_grey(pixels, n);
        }
    }
    *is_transparent = transparent;
    png_structp done = png;
    png_destroy_read_struct(&done, &info, NULL);
    free(session->rows);
    free(session);
    return 0;
}

static void write_bytes(png_structp png, png_bytep from, size_t size) {
    Session *session = png_get_io_ptr(png);
    codec_reserve(&session->output, size, &session->codec, "memory for the encoded PNG");
    memcpy(session->output.bytes + session->output.length, from, size);
    session->output.length += size;
}

static void flush_bytes(png_structp png) { (void)png; }

int cimage_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint8_t **bytes, size_t *count,
                      CImageFault *fault) {
    // On the heap, so that what the callbacks have changed is well defined after a longjmp.
    Session *session = calloc(1, sizeof *session);
    if (!session) return set_fault(fault, "memory to write a PNG", "none");
    session->codec.fault = fault;
    png_structp volatile png = NULL;
    png_infop volatile info = NULL;
    if (setjmp(session->codec.escape)) {
        png_structp doomed = png;
        png_infop doomed_info = info;
        png_destroy_write_struct(&doomed, &doomed_info);
        free(session->output.bytes);
        free(session);
        return 1;
    }
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, session, on_error, on_warning);
    info = png ? png_create_info_struct(png) : NULL;
    if (!info) fail(session, "memory to write a PNG", "none");
    png_set_write_fn(png, session, write_bytes, flush_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < height; y++) png_write_row(png, pixels + (size_t)width * 3 * y);
    png_write_end(png, info);
    png_structp done = png;
    png_infop done_info = info;
    png_destroy_write_struct(&done, &done_info);
    *bytes = session->output.bytes;
    *count = session->output.length;
    free(session);
    return 0;
}
