// Growing buffers for each thread.
#include "memory/thread_buffer.h"
#include <pthread.h>
#include <stdlib.h>

typedef struct {
    void *bytes;
    size_t size;
} buffer;

static pthread_key_t buffers;
static pthread_once_t buffers_made = PTHREAD_ONCE_INIT;

static void release(void *pointer) {
    buffer *list = pointer;
    for (int i = 0; i < DIPTYCH_BUFFER_COUNT; i++) free(list[i].bytes);
    free(list);
}

static void make_key(void) {
    if (pthread_key_create(&buffers, release) != 0) abort();
}

void *diptych_thread_buffer(enum diptych_buffer_use use, size_t size) {
    pthread_once(&buffers_made, make_key);
    buffer *list = pthread_getspecific(buffers);
    if (!list) {
        list = calloc(DIPTYCH_BUFFER_COUNT, sizeof(buffer));
        if (!list || pthread_setspecific(buffers, list) != 0) abort();
    }
    if (list[use].size < size) {
        free(list[use].bytes);
        list[use].size = (size + 4095) / 4096 * 4096;
        list[use].bytes = aligned_alloc(4096, list[use].size);
        if (!list[use].bytes) abort();
    }
    return list[use].bytes;
}
