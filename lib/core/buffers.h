/* Receive buffers: pooled by size class, last in first out (a warm buffer costs half of a cold
 * one). A buffer that is handed to the application comes back through the gate. */
#ifndef SL_CORE_BUFFERS_H
#define SL_CORE_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"

struct sl_buffer {
    struct sl_list node; /* in a pool, or in the list of what came back */
    size_t cap;          /* bytes at data; the size of its class */
    size_t size;         /* bytes filled */
    uint8_t data[];
};

enum {
    SL_BUFFERS_SMALLEST = 4096,
    SL_BUFFERS_STEPS = 4,   /* classes per doubling, so that at most a fifth of a buffer is waste */
    SL_BUFFERS_CLASSES = 77 /* up to 2 GiB */
};

struct sl_buffers {
    const struct sl_alloc *alloc;
    struct sl_list free[SL_BUFFERS_CLASSES];
    size_t pooled;     /* bytes lying in the pool */
    size_t pooled_max; /* what is given back beyond it is freed */
};

void sl_buffers_init(struct sl_buffers *b, const struct sl_alloc *alloc, size_t pooled_max);
void sl_buffers_deinit(struct sl_buffers *b);
/* An empty buffer of at least size bytes, or NULL. */
struct sl_buffer *sl_buffers_take(struct sl_buffers *b, size_t size);
/* The same contents in a buffer of at least size bytes; old is gone then. NULL: old stays as it
 * is. */
struct sl_buffer *sl_buffers_grow(struct sl_buffers *b, struct sl_buffer *old, size_t size);
void sl_buffers_give(struct sl_buffers *b, struct sl_buffer *buffer); /* NULL is fine */
/* Frees without a pool (a shell whose client is gone). NULL is fine. */
void sl_buffers_free(const struct sl_alloc *alloc, struct sl_buffer *buffer);

#endif
