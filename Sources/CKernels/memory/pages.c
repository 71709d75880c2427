// Pages that move to another address. pages.h says what is done.
#define _GNU_SOURCE
#include "pages.h"
#include <sys/mman.h>

size_t diptych_move_pages(void *from, void *to, size_t size, size_t piece) {
    size_t moved = 0;
    while (moved < size) {
        const size_t next = size - moved < piece ? size - moved : piece;
        const void *found =
            mremap((char *)from + moved, next, next, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)to + moved);
        if (found == MAP_FAILED) break;
        moved += next;
    }
    return moved;
}
