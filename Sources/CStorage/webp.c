#include "image_codec.h"

#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static const char *name_of(VP8StatusCode status) {
    switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY: return "too little memory for it";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "a feature that libwebp does not know";
    case VP8_STATUS_NOT_ENOUGH_DATA: return "data that end too early";
    default: return "a damaged bitstream";
    }
}

// The container, whole and of one picture. The caller deletes it; NULL fills the fault in.
static WebPDemuxer *open_container(const uint8_t *bytes, size_t count, CImageFault *fault) {
    char found[96];
    // "RIFF", the number of bytes that follow, "WEBP".
    if (count >= 8) {
        uint64_t size = (uint64_t)bytes[4] | (uint64_t)bytes[5] << 8 | (uint64_t)bytes[6] << 16 | (uint64_t)bytes[7] << 24;
        if (size + 8 > count) {
            snprintf(found, sizeof found, "the end of the file after %zu of %llu", count, (unsigned long long)size + 8);
            set_fault(fault, "a whole WebP", found);
            return NULL;
        }
    }
    WebPData data = {bytes, count};
    WebPDemuxer *container = WebPDemux(&data);
    if (!container) {
        set_fault(fault, "an intact WebP", "chunks that do not fit together");
        return NULL;
    }
    if (WebPDemuxGetI(container, WEBP_FF_FORMAT_FLAGS) & ANIMATION_FLAG) {
        uint32_t frames = WebPDemuxGetI(container, WEBP_FF_FRAME_COUNT);
        snprintf(found, sizeof found, "an animation of %u frame%s", frames, frames == 1 ? "" : "s");
        set_fault(fault, "a still picture", found);
        WebPDemuxDelete(container);
        return NULL;
    }
    return container;
}

// The one picture of a container. The caller releases it when the status is 0.
static int open_picture(WebPDemuxer *container, WebPIterator *picture, WebPBitstreamFeatures *features,
                        CImageFault *fault) {
    memset(picture, 0, sizeof *picture);
    if (!WebPDemuxGetFrame(container, 1, picture)) return set_fault(fault, "an intact WebP", "a file without a picture");
    VP8StatusCode status = WebPGetFeatures(picture->fragment.bytes, picture->fragment.size, features);
    int result = 0;
    if (status != VP8_STATUS_OK) {
        result = set_fault(fault, "an intact WebP", name_of(status));
    } else if ((uint32_t)features->width != WebPDemuxGetI(container, WEBP_FF_CANVAS_WIDTH) ||
               (uint32_t)features->height != WebPDemuxGetI(container, WEBP_FF_CANVAS_HEIGHT)) {
        result = set_fault(fault, "a picture as large as its canvas", "another size");
    }
    if (result) WebPDemuxReleaseIterator(picture);
    return result;
}

int cimage_webp_header(const uint8_t *bytes, size_t count, CImageHeader *header, CImageFault *fault) {
    WebPDemuxer *container = open_container(bytes, count, fault);
    if (!container) return 1;
    WebPIterator picture;
    WebPBitstreamFeatures features;
    int result = open_picture(container, &picture, &features, fault);
    if (!result) {
        header->width = (uint32_t)features.width;
        header->height = (uint32_t)features.height;
        header->channels = features.has_alpha ? 4 : 3;
        header->depth = 8;
        header->is_arithmetic = 0;
        WebPDemuxReleaseIterator(&picture);
    }
    WebPDemuxDelete(container);
    return result;
}

int cimage_webp_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, uint32_t width, uint32_t height,
                       int32_t channels, CImageFault *fault) {
    WebPDemuxer *container = open_container(bytes, count, fault);
    if (!container) return 1;
    WebPIterator picture;
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) {
        WebPDemuxDelete(container);
        return set_fault(fault, "the libwebp that the program was built for", "another");
    }
    int result = open_picture(container, &picture, &config.input, fault);
    if (!result) {
        if ((uint32_t)config.input.width != width || (uint32_t)config.input.height != height) {
            result = set_fault(fault, "the size of the header", "another");
        } else {
            config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
            config.output.is_external_memory = 1;
            config.output.u.RGBA.rgba = pixels;
            config.output.u.RGBA.stride = (int)(width * (uint32_t)channels);
            config.output.u.RGBA.size = (size_t)width * height * (size_t)channels;
            VP8StatusCode status = WebPDecode(picture.fragment.bytes, picture.fragment.size, &config);
            if (status != VP8_STATUS_OK) result = set_fault(fault, "an intact WebP", name_of(status));
            WebPFreeDecBuffer(&config.output);
        }
        WebPDemuxReleaseIterator(&picture);
    }
    WebPDemuxDelete(container);
    return result;
}

int cimage_webp_chunk(const uint8_t *bytes, size_t count, const char *name, size_t *start, size_t *size) {
    WebPData data = {bytes, count};
    WebPDemuxer *container = WebPDemux(&data);
    if (!container) return 1;
    WebPChunkIterator chunk;
    memset(&chunk, 0, sizeof chunk);
    int result = 1;
    if (WebPDemuxGetChunk(container, name, 1, &chunk)) {
        *start = (size_t)(chunk.chunk.bytes - bytes);
        *size = chunk.chunk.size;
        result = 0;
    }
    WebPDemuxReleaseChunkIterator(&chunk);
    WebPDemuxDelete(container);
    return result;
}
