/* Readiness by descriptor, and a ring of those of which something is known. An entry whose socket turned out
 * not to be ready stays in the ring until it is met there. */
#include "driver/readiness.h"

#include <string.h>

#include "base/assert.h"
#include "sluice/error.h"

struct sl_watched {
    uint64_t token;
    uint32_t serial;
    uint32_t known; /* SL_READY_* that were told, and not found wrong since */
    bool open;
    bool wants_write;
    bool in_ring;
};

enum { READINESS_FIRST_CAP = 64 }; /* descriptors; arbitrary */

void sl_readiness_init(struct sl_readiness *r, const struct sl_alloc *alloc) {
    memset(r, 0, sizeof *r);
    r->alloc = alloc;
}

void sl_readiness_deinit(struct sl_readiness *r) {
    sl_alloc_free(r->alloc, r->watched, r->cap * sizeof *r->watched);
    sl_alloc_free(r->alloc, r->ring, r->cap * sizeof *r->ring);
}

static int grow_readiness(struct sl_readiness *r, int fd) {
    uint32_t cap = r->cap == 0 ? READINESS_FIRST_CAP : r->cap;
    while (cap <= (uint32_t)fd) cap *= 2;
    struct sl_watched *watched = sl_alloc_zero(r->alloc, cap * sizeof *watched);
    int *ring = sl_alloc_zero(r->alloc, cap * sizeof *ring);
    if (watched == NULL || ring == NULL) {
        sl_alloc_free(r->alloc, watched, cap * sizeof *watched);
        sl_alloc_free(r->alloc, ring, cap * sizeof *ring);
        return SLUICE_ERR_NOMEM;
    }
    if (r->cap > 0) memcpy(watched, r->watched, r->cap * sizeof *watched);
    for (uint32_t i = 0; i < r->count; i++) ring[i] = r->ring[(r->first + i) & (r->cap - 1)];
    sl_readiness_deinit(r);
    r->watched = watched;
    r->ring = ring;
    r->cap = cap;
    r->first = 0;
    return 0;
}

static uint64_t key_of(const struct sl_readiness *r, int fd) {
    return (uint64_t)r->watched[fd].serial << 32 | (uint32_t)fd;
}

/* What is to be said of it now. */
static uint32_t report_of(const struct sl_watched *w) {
    uint32_t wanted = SL_READY_READ | SL_READY_ERROR;
    if (w->wants_write) wanted |= SL_READY_WRITE;
    return w->open ? w->known & wanted : 0;
}

static void put_in_ring(struct sl_readiness *r, int fd) {
    struct sl_watched *w = &r->watched[fd];
    if (w->in_ring || report_of(w) == 0) return;
    SL_ASSERT(r->count < r->cap);
    w->in_ring = true;
    r->ring[(r->first + r->count++) & (r->cap - 1)] = fd;
}

static int take_from_ring(struct sl_readiness *r) {
    int fd = r->ring[r->first];
    r->first = (r->first + 1) & (r->cap - 1);
    r->count--;
    r->watched[fd].in_ring = false;
    return fd;
}

int sl_readiness_add(struct sl_readiness *r, int fd, uint64_t token, bool write, uint64_t *key) {
    if ((uint32_t)fd >= r->cap) {
        int rv = grow_readiness(r, fd);
        if (rv != 0) return rv;
    }
    if (++r->last_serial == 0) r->last_serial = 1;
    r->watched[fd] = (struct sl_watched){.token = token,
                                         .serial = r->last_serial,
                                         .open = true,
                                         .wants_write = write,
                                         .in_ring = r->watched[fd].in_ring};
    *key = key_of(r, fd);
    return 0;
}

void sl_readiness_remove(struct sl_readiness *r, int fd) { r->watched[fd].open = false; }

bool sl_readiness_has(const struct sl_readiness *r, int fd) {
    return (uint32_t)fd < r->cap && r->watched[fd].open;
}

int sl_readiness_next(const struct sl_readiness *r, int fd) {
    while ((uint32_t)fd < r->cap && !r->watched[fd].open) fd++;
    return (uint32_t)fd < r->cap ? fd : -1;
}

bool sl_readiness_want_write(struct sl_readiness *r, int fd, bool wanted, uint64_t *key) {
    struct sl_watched *w = &r->watched[fd];
    if (w->wants_write == wanted) return false;
    w->wants_write = wanted;
    put_in_ring(r, fd);
    *key = key_of(r, fd);
    return true;
}

void sl_readiness_note(struct sl_readiness *r, const struct sl_ready *event) {
    uint32_t fd = (uint32_t)event->token;
    if (fd >= r->cap || !r->watched[fd].open || key_of(r, (int)fd) != event->token) return;
    r->watched[fd].known |= event->what;
    put_in_ring(r, (int)fd);
}

void sl_readiness_on_read(struct sl_readiness *r, int fd, int64_t moved, size_t size) {
    if (!sl_readiness_has(r, fd)) return;
    struct sl_watched *w = &r->watched[fd];
    if (moved < 0)
        w->known &= ~(uint32_t)(SL_READY_READ | SL_READY_ERROR);
    else if ((size_t)moved < size && (w->known & SL_READY_ENDED) == 0)
        w->known &= ~(uint32_t)SL_READY_READ;
}

void sl_readiness_on_written(struct sl_readiness *r, int fd, int64_t moved, size_t size) {
    bool is_full = moved < 0 || (size_t)moved < size;
    if (is_full && sl_readiness_has(r, fd)) r->watched[fd].known &= ~(uint32_t)SL_READY_WRITE;
}

bool sl_readiness_any(struct sl_readiness *r) {
    while (r->count > 0 && report_of(&r->watched[r->ring[r->first]]) == 0) (void)take_from_ring(r);
    return r->count > 0;
}

int sl_readiness_report(struct sl_readiness *r, struct sl_ready *ready, int cap) {
    int count = 0;
    for (uint32_t left = r->count; left > 0 && count < cap; left--) {
        int fd = take_from_ring(r);
        uint32_t what = report_of(&r->watched[fd]);
        if (what == 0) continue;
        ready[count++] = (struct sl_ready){.token = r->watched[fd].token, .what = what};
        put_in_ring(r, fd);
    }
    return count;
}
