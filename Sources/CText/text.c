#include "CText.h"

#include <stdlib.h>

#include <pango/pangocairo.h>

struct CTextBlock {
    PangoLayout *layout;
};

CTextBlock *ctext_create(const char *text, size_t length, double size, int32_t width) {
    CTextBlock *block = malloc(sizeof *block);
    if (!block) return NULL;
    // The map is the thread's own, so that threads do not wait for each other.
    PangoContext *context = pango_font_map_create_context(pango_cairo_font_map_get_default());
    // Grey edges and no hinting, whatever a desktop is set to.
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(context, options);
    cairo_font_options_destroy(options);

    block->layout = pango_layout_new(context);
    g_object_unref(context);
    PangoFontDescription *font = pango_font_description_from_string("Sans");
    pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
    pango_layout_set_font_description(block->layout, font);
    pango_font_description_free(font);
    pango_layout_set_width(block->layout, width * PANGO_SCALE);
    pango_layout_set_wrap(block->layout, PANGO_WRAP_WORD_CHAR);
    // A word that is cut gets no hyphen, which its writer did not put there.
    PangoAttrList *attributes = pango_attr_list_new();
    pango_attr_list_insert(attributes, pango_attr_insert_hyphens_new(FALSE));
    pango_layout_set_attributes(block->layout, attributes);
    pango_attr_list_unref(attributes);
    pango_layout_set_text(block->layout, text, (int)length);
    return block;
}

void ctext_destroy(CTextBlock *block) {
    g_object_unref(block->layout);
    free(block);
}

void ctext_size(const CTextBlock *block, int32_t *width, int32_t *height) {
    int w = 0, h = 0;
    pango_layout_get_pixel_size(block->layout, &w, &h);
    *width = w;
    *height = h;
}

int32_t ctext_lines(const CTextBlock *block) { return pango_layout_get_line_count(block->layout); }

size_t ctext_missing(const CTextBlock *block, uint32_t *scalars, size_t capacity) {
    size_t count = 0;
    for (GSList *line = pango_layout_get_lines_readonly(block->layout); line; line = line->next) {
        for (GSList *run = ((PangoLayoutLine *)line->data)->runs; run; run = run->next) {
            const PangoGlyphString *glyphs = ((PangoGlyphItem *)run->data)->glyphs;
            for (int i = 0; i < glyphs->num_glyphs; i++) {
                PangoGlyph glyph = glyphs->glyphs[i].glyph;
                if (glyph == PANGO_GLYPH_INVALID_INPUT || !(glyph & PANGO_GLYPH_UNKNOWN_FLAG)) continue;
                if (count < capacity) scalars[count] = glyph & ~PANGO_GLYPH_UNKNOWN_FLAG;
                count++;
            }
        }
    }
    return count;
}

int ctext_draw(const CTextBlock *block, uint8_t *pixels, int32_t width, int32_t height, int32_t x, int32_t y,
               uint8_t red, uint8_t green, uint8_t blue) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    if (cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(surface);
        return 1;
    }
    cairo_surface_flush(surface);
    unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int32_t row = 0; row < height; row++) {
        uint32_t *to = (uint32_t *)(data + (size_t)row * (size_t)stride);
        const uint8_t *from = pixels + (size_t)row * (size_t)width * 3;
        for (int32_t i = 0; i < width; i++) {
            to[i] = (uint32_t)from[3 * i] << 16 | (uint32_t)from[3 * i + 1] << 8 | from[3 * i + 2];
        }
    }
    cairo_surface_mark_dirty(surface);
    cairo_t *cairo = cairo_create(surface);
    cairo_set_source_rgb(cairo, red / 255.0, green / 255.0, blue / 255.0);
    cairo_move_to(cairo, x, y);
    pango_cairo_show_layout(cairo, block->layout);
    int result = cairo_status(cairo) != CAIRO_STATUS_SUCCESS;
    cairo_destroy(cairo);
    cairo_surface_flush(surface);
    for (int32_t row = 0; row < height; row++) {
        const uint32_t *from = (const uint32_t *)(data + (size_t)row * (size_t)stride);
        uint8_t *to = pixels + (size_t)row * (size_t)width * 3;
        for (int32_t i = 0; i < width; i++) {
            to[3 * i] = (uint8_t)(from[i] >> 16);
            to[3 * i + 1] = (uint8_t)(from[i] >> 8);
            to[3 * i + 2] = (uint8_t)from[i];
        }
    }
    cairo_surface_destroy(surface);
    return result;
}
