/* Hash map with byte-string keys that iterates in insertion order (so that simulation runs are
 * repeatable). Keys are copied, values are pointers the map does not own. */
#ifndef SL_BASE_MAP_H
#define SL_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct sl_map_entry {
    void *key; /* owned copy, a NUL behind it; NULL: a removed entry */
    uint32_t key_size;
    uint32_t hash;
    void *value;
};
struct sl_map {
    const struct sl_alloc *alloc;
    struct sl_map_entry *entries; /* in insertion order, with holes */
    uint32_t *slots;              /* open addressing, entry index + 1 */
    uint32_t entry_count;         /* with holes */
    uint32_t entry_cap;
    uint32_t slot_cap; /* power of two, or 0 */
    uint32_t count;    /* live entries */
};

void sl_map_init(struct sl_map *m, const struct sl_alloc *alloc);
/* Frees keys and table, not the values. */
void sl_map_deinit(struct sl_map *m);
/* NULL when absent. */
void *sl_map_get(const struct sl_map *m, const void *key, size_t key_size);
/* Adds, or replaces the value in its old place; value must not be NULL. 0 or SLUICE_ERR_NOMEM,
 * then nothing changed. */
int sl_map_put(struct sl_map *m, const void *key, size_t key_size, void *value);
/* Removes; returns the value, or NULL when absent. */
void *sl_map_remove(struct sl_map *m, const void *key, size_t key_size);
/* Iterates in insertion order: *at starts at 0; returns the next value or NULL at the end.
 * Removing the entry just returned is allowed; adding during a walk is not. entry may be NULL; it
 * is valid until the next put or remove. */
void *sl_map_next(const struct sl_map *m, uint32_t *at, const struct sl_map_entry **entry);

#endif
