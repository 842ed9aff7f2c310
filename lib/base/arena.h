/* Bump memory freed as a whole: one per decoded frame. Failure is sticky, so that a run of takes
 * needs one check at its end. */
#ifndef SL_BASE_ARENA_H
#define SL_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"

struct sl_arena_block;

struct sl_arena {
    const struct sl_alloc *alloc; /* borrowed */
    struct sl_arena_block *head;  /* owned chain; the first one is being filled */
    size_t block_size;            /* of the next block, doubles up to a cap */
    size_t limit;                 /* bytes this arena may take in all; 0: no limit */
    size_t taken;                 /* bytes of all blocks */
    bool failed;                  /* an allocation failed or the limit was hit */
};

void sl_arena_init(struct sl_arena *arena, const struct sl_alloc *alloc, size_t limit);
/* Frees every block. The arena may be used again. */
void sl_arena_deinit(struct sl_arena *arena);
/* Keeps one block of ordinary size for reuse, frees the others, clears failed. */
void sl_arena_reset(struct sl_arena *arena);
/* size bytes of zeros, aligned for any type; NULL after a failure. size 0 gives a unique-ish
 * non-NULL pointer. */
void *sl_arena_get(struct sl_arena *arena, size_t size);
/* count * size bytes of zeros, overflow-checked. */
void *sl_arena_array(struct sl_arena *arena, size_t count, size_t size);
/* A NUL-terminated copy. */
char *sl_arena_text(struct sl_arena *arena, const char *text, size_t len);

#endif
