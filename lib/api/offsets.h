/* A public list of offsets: core's list with a handle around it. */
#ifndef SL_API_OFFSETS_H
#define SL_API_OFFSETS_H

#include <stdint.h>

#include "core/offset_list.h"
#include "sluice/types.h"

struct sluice_offsets {
    uint32_t magic;
    int failed;                   /* the first wrong add, or NOMEM: whoever gets it refuses it */
    struct sl_offsets *own;       /* owned */
    struct sl_offsets *const *at; /* the list: own, or that of an op, once it has ended */
};

/* 0, USAGE (no list) or the first error of its adds. */
int sl_offsets_check(const sluice_offsets *offsets);
/* A handle around a list, which it owns; NULL: out of memory, the list is still the caller's. */
sluice_offsets *sl_offsets_wrap(struct sl_offsets *list);
/* The handle of the list that an op will have, inside its ticket. */
void sl_offsets_init_result(sluice_offsets *offsets, struct sl_offsets *const *at);
static inline struct sl_offsets *sl_offsets_list(const sluice_offsets *offsets) {
    return *offsets->at;
}
void sl_offsets_fill(const struct sl_offset_entry *entry, sluice_offset *out);

#endif
