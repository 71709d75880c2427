// Workers that take parts of one loop at a time. See thread_pool.h.
#include "thread_pool.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum { most_workers = 255 };

/// How long a worker looks for the next loop before it sleeps. On a busy machine it yields its processor meanwhile.
static const int64_t spin_nanoseconds = 200000;

/// The loop in hand: its number in the high half, the parts that nobody has taken yet in the low half. Both change
/// together, so that who takes a part knows that the fields below belong to it.
static _Atomic uint64_t ticket;
static struct {
    void (*body)(void *, ptrdiff_t);
    void *context;
    ptrdiff_t parts;
} loop;
/// Parts that are not done yet.
static _Atomic ptrdiff_t pending;
/// Workers beyond this number leave the loop alone.
static _Atomic int limit;

static _Atomic int sleepers;
static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t awake = PTHREAD_COND_INITIALIZER;
/// Held by the thread whose loop it is.
static pthread_mutex_t owner = PTHREAD_MUTEX_INITIALIZER;
static int workers;
static _Thread_local bool inside;

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/// Takes and runs parts until none is left.
static void work(void) {
    uint64_t seen = atomic_load_explicit(&ticket, memory_order_acquire);
    while ((uint32_t)seen != 0) {
        if (!atomic_compare_exchange_weak_explicit(
                &ticket, &seen, seen - 1, memory_order_acq_rel, memory_order_acquire))
            continue;
        inside = 1;
        loop.body(loop.context, loop.parts - (ptrdiff_t)(uint32_t)seen);
        inside = 0;
        atomic_fetch_sub_explicit(&pending, 1, memory_order_release);
        seen = atomic_load_explicit(&ticket, memory_order_acquire);
    }
}

static int has_work(int number) {
    return (uint32_t)atomic_load(&ticket) != 0
        && number < atomic_load_explicit(&limit, memory_order_relaxed);
}

static void *run_worker(void *argument) {
    const int number = (int)(intptr_t)argument;
    for (;;) {
        const int64_t end = now() + spin_nanoseconds;
        int found = has_work(number);
        while (!found && now() < end) {
            for (int i = 0; i < 64 && !found; i++) {
                pause_briefly();
                found = has_work(number);
            }
            if (!found) sched_yield();
        }
        if (!found) {
            pthread_mutex_lock(&sleep_lock);
            atomic_fetch_add(&sleepers, 1);
            while (!has_work(number)) pthread_cond_wait(&awake, &sleep_lock);
            atomic_fetch_sub(&sleepers, 1);
            pthread_mutex_unlock(&sleep_lock);
        }
        work();
    }
    return NULL;
}

/// Starts as many workers as asked for, or as the system allows. Called by the owner alone.
static void start_workers(int count) {
    if (count > most_workers) count = most_workers;
    pthread_attr_t attributes;
    if (workers >= count || pthread_attr_init(&attributes) != 0) return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    // Room for Swift closures and kernels' tiles.
    pthread_attr_setstacksize(&attributes, 8 << 20);
    while (workers < count) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, run_worker, (void *)(intptr_t)workers) != 0) break;
        workers++;
    }
    pthread_attr_destroy(&attributes);
}

bool diptych_is_inside_parallel(void) { return inside; }

bool diptych_set_inside_parallel(bool value) {
    const bool before = inside;
    inside = value;
    return before;
}

void diptych_parallel(ptrdiff_t parts, int threads, void (*body)(void *, ptrdiff_t), void *context) {
    if (parts < 2 || threads < 2 || inside || parts > UINT32_MAX || pthread_mutex_trylock(&owner) != 0) {
        const int before = inside;
        inside = 1;
        for (ptrdiff_t part = 0; part < parts; part++) body(context, part);
        inside = before;
        return;
    }
    start_workers(threads - 1);
    loop.body = body;
    loop.context = context;
    loop.parts = parts;
    atomic_store_explicit(&limit, threads - 1, memory_order_relaxed);
    atomic_store_explicit(&pending, parts, memory_order_relaxed);
    const uint64_t number = atomic_load_explicit(&ticket, memory_order_relaxed) >> 32;
    atomic_store(&ticket, (number + 1) << 32 | (uint64_t)parts);
    if (atomic_load(&sleepers) != 0) {
        pthread_mutex_lock(&sleep_lock);
        pthread_cond_broadcast(&awake);
        pthread_mutex_unlock(&sleep_lock);
    }
    work();
    for (int rounds = 0; atomic_load_explicit(&pending, memory_order_acquire) != 0; rounds++) {
        pause_briefly();
        if (rounds > 1000) sched_yield();
    }
    pthread_mutex_unlock(&owner);
}
