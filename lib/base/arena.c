/* Bump memory: blocks in a chain, each filled from its start, all freed together.
 *
 * A decoded frame needs many small arrays that die with it; taking them from an arena makes each
 * a few instructions and the end one call. The first block of the chain is the one being filled.
 * A request that is larger than a whole block gets a block of its own behind it, so that the room
 * left in the first is not lost.
 *
 * Invariants: taken is the sum of the sizes of all blocks, headers included, and never exceeds
 * limit; once failed, nothing is given out until reset or deinit, so a caller who checks only at
 * the end never sees half of an object that looks whole.
 *
 * Under AddressSanitizer every request gets a block of its own, of exactly its size, so that an
 * overrun from one object into the next is noticed.
 *
 * Not done here: nothing is freed alone, and nothing can grow in place. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

enum {
#if SL_ALLOC_IS_GUARDED
    ARENA_BLOCK_FIRST = 0,
    ARENA_BLOCK_MAX = 0,
#else
    ARENA_BLOCK_FIRST = 1024,    /* the arrays of most frames fit */
    ARENA_BLOCK_MAX = 64 * 1024, /* beyond it, doubling saves too few calls for what it wastes */
#endif
    ARENA_ALIGN = _Alignof(max_align_t)
};

struct sl_arena_block {
    struct sl_arena_block *next; /* owned */
    size_t size;                 /* of the whole block */
    size_t used;                 /* with this header; a multiple of ARENA_ALIGN or equal to size */
};

/* Offset of the first object in a block. */
#define ARENA_START ((sizeof(struct sl_arena_block) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN)

void sl_arena_init(struct sl_arena *arena, const struct sl_alloc *alloc, size_t limit) {
    memset(arena, 0, sizeof *arena);
    arena->alloc = alloc;
    arena->limit = limit;
    arena->block_size = ARENA_BLOCK_FIRST;
}

static void free_block_chain(struct sl_arena *arena, struct sl_arena_block *block) {
    while (block != NULL) {
        struct sl_arena_block *next = block->next;
        arena->taken -= block->size;
        sl_alloc_free(arena->alloc, block, block->size);
        block = next;
    }
}

void sl_arena_deinit(struct sl_arena *arena) {
    free_block_chain(arena, arena->head);
    sl_arena_init(arena, arena->alloc, arena->limit);
}

void sl_arena_reset(struct sl_arena *arena) {
    arena->failed = false;
    if (arena->head == NULL) return;
    /* One huge frame must not pin its memory for as long as the arena lives. */
    if (arena->head->size > ARENA_BLOCK_MAX) {
        sl_arena_deinit(arena);
        return;
    }
    free_block_chain(arena, arena->head->next);
    arena->head->next = NULL;
    arena->head->used = ARENA_START;
}

/* Adds a block with at least `need` bytes in all; NULL when memory or the limit are used up. */
static struct sl_arena_block *add_arena_block(struct sl_arena *arena, size_t need) {
    size_t room = arena->limit == 0 ? SIZE_MAX : arena->limit - arena->taken;
    if (need > room) return NULL;
    size_t size = need > arena->block_size ? need : arena->block_size;
    if (size > room) size = room;
    struct sl_arena_block *block = sl_alloc_get(arena->alloc, size);
    if (block == NULL) return NULL;
    block->size = size;
    block->used = ARENA_START;
    arena->taken += size;
    if (arena->head != NULL && need > arena->block_size) {
        block->next = arena->head->next;
        arena->head->next = block;
        return block;
    }
    block->next = arena->head;
    arena->head = block;
    if (arena->block_size <= ARENA_BLOCK_MAX / 2) arena->block_size *= 2;
    return block;
}

void *sl_arena_get(struct sl_arena *arena, size_t size) {
    if (arena->failed) return NULL;
    if (size == 0) size = 1;
    struct sl_arena_block *block = arena->head;
    if (block == NULL || size > block->size - block->used) {
        block = size > SIZE_MAX - ARENA_START ? NULL : add_arena_block(arena, ARENA_START + size);
        if (block == NULL) {
            arena->failed = true;
            return NULL;
        }
    }
    char *object = (char *)block + block->used;
    size_t left = block->size - block->used - size;
    size_t padding = (ARENA_ALIGN - size % ARENA_ALIGN) % ARENA_ALIGN;
    block->used += size + (padding < left ? padding : left);
    memset(object, 0, size);
    return object;
}

void *sl_arena_array(struct sl_arena *arena, size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size) {
        arena->failed = true;
        return NULL;
    }
    return sl_arena_get(arena, count * size);
}

char *sl_arena_text(struct sl_arena *arena, const char *text, size_t len) {
    if (len == SIZE_MAX) {
        arena->failed = true;
        return NULL;
    }
    char *copy = sl_arena_get(arena, len + 1);
    if (copy != NULL && len > 0) memcpy(copy, text, len);
    return copy;
}
