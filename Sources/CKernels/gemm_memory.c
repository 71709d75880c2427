// Growing buffers for each thread.
#include "gemm_internal.h"
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
    for (int i = 0; i < gemm_buffer_count; i++) free(list[i].bytes);
    free(list);
}

static void make_key(void) {
    if (pthread_key_create(&buffers, release) != 0) abort();
}

void *gemm_buffer(int which, size_t size) {
    pthread_once(&buffers_made, make_key);
    buffer *list = pthread_getspecific(buffers);
    if (!list) {
        list = calloc(gemm_buffer_count, sizeof(buffer));
        if (!list || pthread_setspecific(buffers, list) != 0) abort();
    }
    if (list[which].size < size) {
        free(list[which].bytes);
        list[which].size = (size + 4095) / 4096 * 4096;
        list[which].bytes = aligned_alloc(4096, list[which].size);
        if (!list[which].bytes) abort();
    }
    return list[which].bytes;
}

void *gemm_thread_buffer(size_t size) { return gemm_buffer(gemm_rows_buffer, size); }
