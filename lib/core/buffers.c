/* Receive buffers in a pool.
 *
 * Class k holds (4 + k % 4) << (10 + k / 4) bytes: 4, 5, 6, 7, 8, 10, 12, 14, 16 KiB and so on up
 * to 2 GiB. A buffer's cap is exactly the size of its class, and what is taken lies at the front
 * of its list: the one that was given back last, whose memory is still in the processor's cache.
 *
 * Invariants: `pooled` is the sum of the caps of all buffers in the lists and never above
 * pooled_max; a buffer outside has size <= cap.
 *
 * Not done here: no account of what is outside (the receiving budget is the gate's), no trimming
 * by age. */
#include "core/buffers.h"

#include <string.h>

#include "base/assert.h"

/* A buffer that is somewhat too large is still better warm than a fitting one cold. */
enum { BUFFER_CLASSES_ABOVE = 2 };

static size_t buffer_class_size(int index) {
    size_t step = SL_BUFFERS_SMALLEST / SL_BUFFERS_STEPS;
    size_t quarters = (size_t)(SL_BUFFERS_STEPS + index % SL_BUFFERS_STEPS);
    return (quarters * step) << (index / SL_BUFFERS_STEPS);
}

/* The smallest class that holds size bytes, or SL_BUFFERS_CLASSES when none does. */
static int buffer_class_of(size_t size) {
    int index = 0;
    while (index < SL_BUFFERS_CLASSES && buffer_class_size(index) < size) {
        index += buffer_class_size(index) * 2 < size ? SL_BUFFERS_STEPS : 1;
    }
    return index < SL_BUFFERS_CLASSES ? index : SL_BUFFERS_CLASSES;
}

void sl_buffers_init(struct sl_buffers *b, const struct sl_alloc *alloc, size_t pooled_max) {
    b->alloc = alloc;
    for (int i = 0; i < SL_BUFFERS_CLASSES; i++) sl_list_init(&b->free[i]);
    b->pooled = 0;
    b->pooled_max = pooled_max;
}

void sl_buffers_deinit(struct sl_buffers *b) {
    for (int i = 0; i < SL_BUFFERS_CLASSES; i++) {
        struct sl_list *node;
        while ((node = sl_list_pop_front(&b->free[i])) != NULL) {
            struct sl_buffer *buffer = SL_LIST_OF(node, struct sl_buffer, node);
            b->pooled -= buffer->cap;
            sl_buffers_free(b->alloc, buffer);
        }
    }
    SL_ASSERT(b->pooled == 0);
}

struct sl_buffer *sl_buffers_take(struct sl_buffers *b, size_t size) {
    int fitting = buffer_class_of(size);
    if (fitting == SL_BUFFERS_CLASSES) return NULL;
    for (int i = fitting; i <= fitting + BUFFER_CLASSES_ABOVE && i < SL_BUFFERS_CLASSES; i++) {
        struct sl_list *node = sl_list_pop_front(&b->free[i]);
        if (node == NULL) continue;
        struct sl_buffer *pooled = SL_LIST_OF(node, struct sl_buffer, node);
        b->pooled -= pooled->cap;
        pooled->size = 0;
        return pooled;
    }
    size_t cap = buffer_class_size(fitting);
    struct sl_buffer *buffer = sl_alloc_get(b->alloc, sizeof *buffer + cap);
    if (buffer == NULL) return NULL;
    sl_list_init(&buffer->node);
    buffer->cap = cap;
    buffer->size = 0;
    return buffer;
}

/* Resizing in place of taking and copying: the C library moves large blocks by their pages. */
struct sl_buffer *sl_buffers_grow(struct sl_buffers *b, struct sl_buffer *old, size_t size) {
    SL_ASSERT(size > old->cap && !sl_list_is_linked(&old->node));
    int fitting = buffer_class_of(size);
    if (fitting == SL_BUFFERS_CLASSES) return NULL;
    size_t cap = buffer_class_size(fitting);
    struct sl_buffer *buffer =
        sl_alloc_resize(b->alloc, old, sizeof *old + old->cap, sizeof *old + cap, 1);
    if (buffer == NULL) return NULL;
    sl_list_init(&buffer->node);
    buffer->cap = cap;
    return buffer;
}

void sl_buffers_give(struct sl_buffers *b, struct sl_buffer *buffer) {
    if (buffer == NULL) return;
    SL_ASSERT(!sl_list_is_linked(&buffer->node));
    if (buffer->cap > b->pooled_max - b->pooled) {
        sl_buffers_free(b->alloc, buffer);
        return;
    }
    b->pooled += buffer->cap;
    sl_list_push_front(&b->free[buffer_class_of(buffer->cap)], &buffer->node);
}

void sl_buffers_free(const struct sl_alloc *alloc, struct sl_buffer *buffer) {
    if (buffer == NULL) return;
    sl_alloc_free(alloc, buffer, sizeof *buffer + buffer->cap);
}
