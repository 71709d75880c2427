// What the system and the processor report about themselves. See processor.h.
#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif
#include "processor.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

int diptych_affinity_count(void) {
#if defined(__linux__)
    // A machine may have more processors than cpu_set_t has room for: the call then refuses the size.
    for (size_t most = 1024; most <= 1 << 20; most *= 2) {
        cpu_set_t *set = CPU_ALLOC(most);
        if (!set) break;
        const size_t size = CPU_ALLOC_SIZE(most);
        CPU_ZERO_S(size, set);
        const int failed = sched_getaffinity(0, size, set);
        const int count = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (count > 0) return count;
        if (!failed || errno != EINVAL) break;
    }
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

void diptych_processor_name(char text[49]) {
    memset(text, 0, 49);
#if defined(__x86_64__)
    unsigned words[12];
    if (__get_cpuid_max(0x80000000, NULL) < 0x80000004) return;
    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
    memcpy(text, words, 48);
#endif
}
