#pragma once
#include <stddef.h>
#include <stdint.h>

// Text laid out and drawn by Pango and Cairo with the fonts that fontconfig finds. Their interfaces are macros and
// reference-counted objects, which do not come into Swift.

/// A text broken into lines.
typedef struct CTextBlock CTextBlock;

/// Breaks `text`, `length` bytes of UTF-8 without zeros, into lines of at most `width` pixels in letters of `size` pixels,
/// between words where that is possible. NULL when there is no memory. The caller destroys it.
CTextBlock *ctext_create(const char *text, size_t length, double size, int32_t width);

void ctext_destroy(CTextBlock *block);

/// The height of all lines in pixels, and the width of the longest.
void ctext_size(const CTextBlock *block, int32_t *width, int32_t *height);

/// The number of lines.
int32_t ctext_lines(const CTextBlock *block);

/// How many characters no font has; the first `capacity` of them go to `scalars`.
size_t ctext_missing(const CTextBlock *block, uint32_t *scalars, size_t capacity);

/// Draws on a picture of `height` rows of `width` triples of red, green and blue, with the top left corner of the text at
/// `x`, `y`; what reaches beyond the picture is cut off. Returns 0, or 1 when there is no memory.
int ctext_draw(const CTextBlock *block, uint8_t *pixels, int32_t width, int32_t height, int32_t x, int32_t y,
               uint8_t red, uint8_t green, uint8_t blue);
