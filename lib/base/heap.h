/* Binary min-heap of deadlines. Nodes are embedded in their owners, so adding never allocates
 * once the heap has grown to the number of armed nodes; growth may fail and is reported. */
#ifndef SL_BASE_HEAP_H
#define SL_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

enum { SL_HEAP_IDLE = 0 }; /* index of a node that is in no heap; zeroed nodes are idle */

struct sl_heap_node {
    int64_t at;     /* nanoseconds; the key */
    uint32_t index; /* position + 1, or SL_HEAP_IDLE */
};
struct sl_heap {
    const struct sl_alloc *alloc;
    struct sl_heap_node **nodes;
    uint32_t count;
    uint32_t cap;
};

void sl_heap_init(struct sl_heap *h, const struct sl_alloc *alloc);
void sl_heap_deinit(struct sl_heap *h);
/* Makes room for count nodes in all, so that later sets cannot fail. */
int sl_heap_reserve(struct sl_heap *h, uint32_t count);
/* Adds the node, or moves it to its new time. 0 or SLUICE_ERR_NOMEM (only when adding). */
int sl_heap_set(struct sl_heap *h, struct sl_heap_node *node, int64_t at);
/* Harmless on an idle node. */
void sl_heap_remove(struct sl_heap *h, struct sl_heap_node *node);
/* The earliest, or NULL. Equal times come in no particular but a deterministic order. */
struct sl_heap_node *sl_heap_peek(const struct sl_heap *h);

#endif
