/* The memory of one input: taken from one place one behind the other, each byte once.
 *
 * AddressSanitizer's malloc takes half of the time of a target that takes small pieces: it notes who
 * asks, and gives out memory that is in no cache. Here the sanitizer is told what lies between the
 * pieces and what was given back, so it tells an access beyond a piece, or to one that is gone, as it
 * does otherwise; nothing is given out again before the next input. What does not fit is the C
 * library's. Who took a piece is not told: replace the pool by malloc to learn it.
 *
 * New pieces are filled as the sanitizer fills them, so that nothing is left of the input before. */
#ifndef SL_TESTS_FUZZ_POOL_H
#define SL_TESTS_FUZZ_POOL_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#if SL_ALLOC_IS_GUARDED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum {
    FUZZ_POOL_SIZE = 8 << 20,
    FUZZ_POOL_ALIGN = 16,
    FUZZ_POOL_GAP = 32,   /* between two pieces, at least */
    FUZZ_POOL_FILL = 4096 /* bytes of a new piece, as AddressSanitizer does it */
};

struct fuzz_pool {
    struct sl_alloc alloc;
    size_t limit;     /* bytes that may be out at a time; 0: any */
    size_t bytes;     /* that are out */
    size_t used;      /* of the place */
    int64_t shortage; /* calls until one fails; 0: none does */
};

static alignas(FUZZ_POOL_ALIGN) uint8_t fuzz_pool_place[FUZZ_POOL_SIZE];

static inline void *take_from_pool(struct fuzz_pool *pool, size_t size) {
    size_t whole = (size + FUZZ_POOL_GAP + FUZZ_POOL_ALIGN - 1) / FUZZ_POOL_ALIGN * FUZZ_POOL_ALIGN;
    if (size > FUZZ_POOL_SIZE || whole > FUZZ_POOL_SIZE - pool->used) return malloc(size);
    uint8_t *piece = fuzz_pool_place + pool->used;
    pool->used += whole;
    ASAN_UNPOISON_MEMORY_REGION(piece, size);
    memset(piece, 0xbe, size < FUZZ_POOL_FILL ? size : FUZZ_POOL_FILL);
    return piece;
}

static inline void give_to_pool(struct fuzz_pool *pool, void *piece, size_t size) {
    uintptr_t at = (uintptr_t)piece - (uintptr_t)fuzz_pool_place;
    pool->bytes -= size;
    if (at < FUZZ_POOL_SIZE)
        ASAN_POISON_MEMORY_REGION(piece, size);
    else
        free(piece);
}

/* Always to another place, so that nobody gets away with the old one. */
static inline void *resize_in_pool(void *user, void *old, size_t old_size, size_t new_size) {
    struct fuzz_pool *pool = user;
    if (new_size == 0) {
        if (old != NULL) give_to_pool(pool, old, old_size);
        return NULL;
    }
    if (pool->shortage > 0 && --pool->shortage == 0) return NULL;
    if (pool->limit > 0 &&
        (new_size > pool->limit || pool->bytes - old_size + new_size > pool->limit))
        return NULL;
    void *piece = take_from_pool(pool, new_size);
    if (piece == NULL) abort();
    pool->bytes += new_size;
    if (old == NULL) return piece;
    memcpy(piece, old, old_size < new_size ? old_size : new_size);
    give_to_pool(pool, old, old_size);
    return piece;
}

/* What the input before had is gone, returned or not. */
static inline void fuzz_pool_init(struct fuzz_pool *pool, size_t limit) {
    ASAN_POISON_MEMORY_REGION(fuzz_pool_place, pool->used > 0 ? pool->used : FUZZ_POOL_SIZE);
    *pool = (struct fuzz_pool){.limit = limit};
    pool->alloc.resize = resize_in_pool;
    pool->alloc.user = pool;
}

#endif
