/* Binary min-heap of deadlines, an array of pointers to nodes that live in their owners.
 *
 * The parent of position i is (i - 1) / 2, and no node is earlier than its parent. Each node
 * knows its position, so that a timer can be moved or removed without a search. All operations
 * are O(log n); the order among equal times follows from the sequence of calls alone, never from
 * addresses, which keeps simulation runs repeatable.
 *
 * Invariants: nodes[i]->index == i + 1 for all i < count; a node outside the heap is IDLE.
 *
 * Not done here: the heap owns no nodes and does not touch those still armed when it goes away,
 * since their owners may be gone already. It never shrinks: what was armed once comes back. */
#include "base/heap.h"

#include <string.h>

#include "base/assert.h"
#include "sluice/error.h"

enum { HEAP_CAP_FIRST = 16 }; /* arbitrary; a quiet client has about this many timers */

void sl_heap_init(struct sl_heap *h, const struct sl_alloc *alloc) {
    memset(h, 0, sizeof *h);
    h->alloc = alloc;
}

void sl_heap_deinit(struct sl_heap *h) {
    sl_alloc_free(h->alloc, h->nodes, h->cap * sizeof(struct sl_heap_node *));
    sl_heap_init(h, h->alloc);
}

int sl_heap_reserve(struct sl_heap *h, uint32_t count) {
    if (count <= h->cap) return 0;
    uint32_t cap = h->cap == 0 ? HEAP_CAP_FIRST : h->cap;
    while (cap < count) {
        /* Close to the end of the range take what is asked for, instead of doubling past it. */
        cap = cap > UINT32_MAX / 2 ? count : cap * 2;
    }
    struct sl_heap_node **nodes =
        sl_alloc_resize(h->alloc, h->nodes, h->cap, cap, sizeof(struct sl_heap_node *));
    if (nodes == NULL) return SLUICE_ERR_NOMEM;
    h->nodes = nodes;
    h->cap = cap;
    return 0;
}

static void place_heap_node(struct sl_heap *h, uint32_t position, struct sl_heap_node *node) {
    h->nodes[position] = node;
    node->index = position + 1;
}

/* Puts node at position or nearer to the root; the place at position is free. */
static void sift_heap_up(struct sl_heap *h, uint32_t position, struct sl_heap_node *node) {
    while (position > 0) {
        uint32_t parent = (position - 1) / 2;
        if (h->nodes[parent]->at <= node->at) break;
        place_heap_node(h, position, h->nodes[parent]);
        position = parent;
    }
    place_heap_node(h, position, node);
}

/* Puts node at position or farther from the root; the place at position is free. */
static void sift_heap_down(struct sl_heap *h, uint32_t position, struct sl_heap_node *node) {
    /* position < count / 2 says that there is a child, without overflow for huge counts. */
    while (position < h->count / 2) {
        uint32_t child = 2 * position + 1;
        if (child + 1 < h->count && h->nodes[child + 1]->at < h->nodes[child]->at) child++;
        if (h->nodes[child]->at >= node->at) break;
        place_heap_node(h, position, h->nodes[child]);
        position = child;
    }
    place_heap_node(h, position, node);
}

static void sift_heap(struct sl_heap *h, uint32_t position, struct sl_heap_node *node) {
    if (position > 0 && node->at < h->nodes[(position - 1) / 2]->at)
        sift_heap_up(h, position, node);
    else
        sift_heap_down(h, position, node);
}

/* A node that is armed is where it says it is; anything else was armed in another heap, or was
 * freed while armed. */
static void assert_heap_holds(const struct sl_heap *h, const struct sl_heap_node *node) {
    SL_ASSERT(node->index <= h->count && h->nodes[node->index - 1] == node);
}

int sl_heap_set(struct sl_heap *h, struct sl_heap_node *node, int64_t at) {
    if (node->index != SL_HEAP_IDLE) {
        assert_heap_holds(h, node);
        node->at = at;
        sift_heap(h, node->index - 1, node);
        return 0;
    }
    if (h->count == h->cap) {
        if (h->count == UINT32_MAX) return SLUICE_ERR_NOMEM;
        int rv = sl_heap_reserve(h, h->count + 1);
        if (rv != 0) return rv;
    }
    node->at = at;
    sift_heap_up(h, h->count++, node);
    return 0;
}

void sl_heap_remove(struct sl_heap *h, struct sl_heap_node *node) {
    if (node->index == SL_HEAP_IDLE) return;
    assert_heap_holds(h, node);
    uint32_t position = node->index - 1;
    struct sl_heap_node *last = h->nodes[--h->count];
    node->index = SL_HEAP_IDLE;
    if (last != node) sift_heap(h, position, last);
}

struct sl_heap_node *sl_heap_peek(const struct sl_heap *h) {
    return h->count == 0 ? NULL : h->nodes[0];
}
