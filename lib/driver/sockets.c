/* A sorted array: a member has a connection or three a broker, and ids come in nearly rising
 * order, so putting is appending, finding is a binary search, and removing moves little.
 *
 * Not here: the sockets themselves; who puts one in also closes it. */
#include "driver/sockets.h"

#include <string.h>

#include "base/assert.h"
#include "sluice/error.h"

enum { SOCKETS_FIRST_CAP = 16 }; /* arbitrary */

void sl_sockets_init(struct sl_sockets *s, const struct sl_alloc *alloc) {
    memset(s, 0, sizeof *s);
    s->alloc = alloc;
}

void sl_sockets_deinit(struct sl_sockets *s) {
    sl_alloc_free(s->alloc, s->list, s->cap * sizeof *s->list);
}

int sl_sockets_reserve(struct sl_sockets *s) {
    if (s->count < s->cap) return 0;
    uint32_t cap = s->cap == 0 ? SOCKETS_FIRST_CAP : s->cap * 2;
    struct sl_socket *list = sl_alloc_resize(s->alloc, s->list, s->cap, cap, sizeof *list);
    if (list == NULL) return SLUICE_ERR_NOMEM;
    s->list = list;
    s->cap = cap;
    return 0;
}

void sl_sockets_put(struct sl_sockets *s, uint32_t link, int fd, bool connecting) {
    SL_ASSERT(s->count < s->cap);
    uint32_t at = s->count++;
    for (; at > 0 && s->list[at - 1].link > link; at--) s->list[at] = s->list[at - 1];
    s->list[at] = (struct sl_socket){.link = link, .fd = fd, .connecting = connecting};
}

struct sl_socket *sl_sockets_find(struct sl_sockets *s, uint32_t link) {
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->list[middle].link < link)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->count && s->list[low].link == link ? &s->list[low] : NULL;
}

void sl_sockets_remove(struct sl_sockets *s, uint32_t link) {
    struct sl_socket *at = sl_sockets_find(s, link);
    if (at == NULL) return;
    size_t behind = (size_t)(s->list + s->count - (at + 1));
    memmove(at, at + 1, behind * sizeof *at);
    s->count--;
}
