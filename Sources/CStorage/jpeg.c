#include "image_codec.h"

#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

// A progressive file may repeat scans without end, each a pass over the whole picture; encoders write some ten.
enum { MAXIMUM_SCANS = 500 };

typedef struct {
    struct jpeg_error_mgr manager;  // first, so that the library's pointer is ours
    CodecFault codec;
} Errors;

static CodecFault *codec_of(j_common_ptr info) { return &((Errors *)info->err)->codec; }

static _Noreturn void fail(j_common_ptr info, const char *expected, const char *found) {
    codec_fail(codec_of(info), expected, found);
}

static void on_error(j_common_ptr info) {
    char message[JMSG_LENGTH_MAX], found[224];
    info->err->format_message(info, message);
    snprintf(found, sizeof found, "a fault that libjpeg calls \"%.*s\"", 180, message);
    fail(info, info->is_decompressor ? "an intact JPEG" : "an image that JPEG can hold", found);
}

// After these warnings the library would go on with invented pixels. The others (stray bytes between segments, an
// unknown JFIF version …) leave the picture whole.
static int damages_pixels(int code) {
    switch (code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_JPEG_EOF:
    case JWRN_BOGUS_PROGRESSION: return 1;
    default: return 0;
    }
}

static void on_message(j_common_ptr info, int level) {
    if (level < 0 && damages_pixels(info->err->msg_code)) on_error(info);
}

static void on_print(j_common_ptr info) { (void)info; }

static void install(Errors *errors, CImageFault *fault) {
    jpeg_std_error(&errors->manager);
    errors->manager.error_exit = on_error;
    errors->manager.emit_message = on_message;
    errors->manager.output_message = on_print;
    errors->codec.fault = fault;
}

// A source over memory that is an error at its end: the library's own goes on with grey pixels.

static void start_source(j_decompress_ptr info) { (void)info; }

static boolean refill_source(j_decompress_ptr info) {
    fail((j_common_ptr)info, "a whole JPEG", "the end of the file before the end of the image");
}

static void skip_source(j_decompress_ptr info, long count) {
    if (count <= 0) return;
    if ((size_t)count > info->src->bytes_in_buffer) refill_source(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= (size_t)count;
}

static void end_source(j_decompress_ptr info) { (void)info; }

static void watch_scans(j_common_ptr info) {
    if (info->is_decompressor && ((j_decompress_ptr)info)->input_scan_number > MAXIMUM_SCANS) {
        fail(info, "a progressive JPEG of at most 500 scans", "more");
    }
}

typedef struct {
    struct jpeg_decompress_struct info;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    Errors errors;
} Reader;

static Reader *create_reader(CImageFault *fault) {
    // On the heap, so that its contents are well defined after a longjmp.
    Reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        set_fault(fault, "memory to read a JPEG", "none");
        return NULL;
    }
    install(&reader->errors, fault);
    reader->info.err = &reader->errors.manager;
    return reader;
}

static void destroy_reader(Reader *reader) {
    jpeg_destroy_decompress(&reader->info);
    free(reader);
}

static void start_reading(Reader *reader, const uint8_t *bytes, size_t count) {
    jpeg_create_decompress(&reader->info);
    reader->source.next_input_byte = bytes;
    reader->source.bytes_in_buffer = count;
    reader->source.init_source = start_source;
    reader->source.fill_input_buffer = refill_source;
    reader->source.skip_input_data = skip_source;
    reader->source.resync_to_restart = jpeg_resync_to_restart;
    reader->source.term_source = end_source;
    reader->info.src = &reader->source;
    reader->progress.progress_monitor = watch_scans;
    reader->info.progress = &reader->progress;
    jpeg_read_header(&reader->info, TRUE);
}

int cimage_jpeg_header(const uint8_t *bytes, size_t count, CImageHeader *header, CImageFault *fault) {
    Reader *reader = create_reader(fault);
    if (!reader) return 1;
    if (setjmp(reader->errors.codec.escape)) {
        destroy_reader(reader);
        return 1;
    }
    start_reading(reader, bytes, count);
    header->width = reader->info.image_width;
    header->height = reader->info.image_height;
    header->channels = reader->info.num_components;
    header->depth = reader->info.data_precision;
    header->is_arithmetic = reader->info.arith_code;
    header->is_progressive = jpeg_has_multiple_scans(&reader->info);
    destroy_reader(reader);
    return 0;
}

// Adobe's programs store four-colour files inverted, 255 meaning no ink; Pillow takes every such file for inverted.
// Each colour is the light that black leaves, less cyan's (magenta's, yellow's) share of it.
static void convert_inks(const uint8_t *inks, uint8_t *pixels, uint32_t width) {
    for (uint32_t x = 0; x < width; x++) {
        int light = inks[4 * x + 3];
        for (int c = 0; c < 3; c++) {
            int ink = 255 - inks[4 * x + c];
            pixels[3 * x + c] = (uint8_t)(light - divided_by_255(ink * light));
        }
    }
}

int cimage_jpeg_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, uint32_t width, uint32_t height,
                       CImageFault *fault) {
    Reader *reader = create_reader(fault);
    if (!reader) return 1;
    if (setjmp(reader->errors.codec.escape)) {
        destroy_reader(reader);
        return 1;
    }
    start_reading(reader, bytes, count);
    struct jpeg_decompress_struct *info = &reader->info;
    j_common_ptr common = (j_common_ptr)info;
    codec_check_size(codec_of(common), info->image_width, info->image_height, width, height);
    int has_inks = info->num_components == 4;
    if (!has_inks && info->num_components != 1 && info->num_components != 3) {
        char found[32];
        snprintf(found, sizeof found, "%d", info->num_components);
        fail(common, "1, 3 or 4 colour components", found);
    }
    info->out_color_space = has_inks ? JCS_CMYK : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    info->do_fancy_upsampling = TRUE;
    jpeg_start_decompress(info);
    JSAMPARRAY inks = NULL;
    if (has_inks) inks = info->mem->alloc_sarray(common, JPOOL_IMAGE, width * 4, 1);
    while (info->output_scanline < height) {
        uint8_t *row = pixels + (size_t)info->output_scanline * width * 3;
        JSAMPROW target = has_inks ? inks[0] : row;
        // The source never suspends, so a row comes at every call.
        if (jpeg_read_scanlines(info, &target, 1) != 1) fail(common, "an intact JPEG", "a missing row");
        if (has_inks) convert_inks(inks[0], row, width);
    }
    jpeg_finish_decompress(info);
    destroy_reader(reader);
    return 0;
}

typedef struct {
    struct jpeg_compress_struct info;
    struct jpeg_destination_mgr destination;
    Errors errors;
    CodecOutput output;
} Writer;

// A destination that grows. The library's own loses track of its buffer when an error strikes after it has grown.

static Writer *writer_of(j_compress_ptr info) {
    return (Writer *)((char *)info->dest - offsetof(Writer, destination));
}

static boolean grow_destination(j_compress_ptr info) {
    Writer *writer = writer_of(info);
    CodecOutput *output = &writer->output;
    output->length = output->capacity;  // called only when the buffer is full
    codec_reserve(output, 1 << 15, codec_of((j_common_ptr)info), "memory for the encoded JPEG");
    info->dest->next_output_byte = output->bytes + output->length;
    info->dest->free_in_buffer = output->capacity - output->length;
    return TRUE;
}

static void start_destination(j_compress_ptr info) { grow_destination(info); }

static void end_destination(j_compress_ptr info) { (void)info; }

static void destroy_writer(Writer *writer) {
    jpeg_destroy_compress(&writer->info);
    free(writer);
}

int cimage_jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int quality, uint8_t **bytes,
                       size_t *count, CImageFault *fault) {
    Writer *writer = calloc(1, sizeof *writer);
    if (!writer) return set_fault(fault, "memory to write a JPEG", "none");
    install(&writer->errors, fault);
    struct jpeg_compress_struct *info = &writer->info;
    info->err = &writer->errors.manager;
    if (setjmp(writer->errors.codec.escape)) {
        free(writer->output.bytes);
        destroy_writer(writer);
        return 1;
    }
    jpeg_create_compress(info);
    writer->destination.init_destination = start_destination;
    writer->destination.empty_output_buffer = grow_destination;
    writer->destination.term_destination = end_destination;
    info->dest = &writer->destination;
    info->image_width = width;
    info->image_height = height;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, quality, TRUE);
    info->dct_method = JDCT_ISLOW;
    jpeg_start_compress(info, TRUE);
    while (info->next_scanline < height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)info->next_scanline * width * 3);
        jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
    *bytes = writer->output.bytes;
    *count = writer->output.capacity - writer->destination.free_in_buffer;
    destroy_writer(writer);
    return 0;
}
