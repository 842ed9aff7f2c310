/* Texts and bytes that a struct of the test broker owns: copies of what lay in a frame. Null stays
 * null, and empty is not null. */
#ifndef SL_BROKER_OWNED_H
#define SL_BROKER_OWNED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"
#include "sluice/error.h"

/* False: out of memory, *out is null. */
static inline bool sl_owned_text(const struct sl_alloc *alloc, struct sl_str from,
                                 struct sl_str *out) {
    *out = SL_STR_NULL;
    if (from.size < 0) return true;
    char *copy = sl_alloc_text(alloc, from.size == 0 ? "" : from.data, (size_t)from.size);
    if (copy == NULL) return false;
    *out = (struct sl_str){copy, from.size};
    return true;
}
/* *text is null after. */
static inline void sl_owned_free_text(const struct sl_alloc *alloc, struct sl_str *text) {
    if (text->size >= 0)
        sl_alloc_free(alloc, (void *)(uintptr_t)text->data, (size_t)text->size + 1);
    *text = SL_STR_NULL;
}
/* What the map has under *name is under `to` from now on. 0 or NOMEM: all is as before. */
static inline int sl_owned_rename(const struct sl_alloc *alloc, struct sl_map *map,
                                  struct sl_str *name, struct sl_str to, void *value) {
    struct sl_str copy;
    if (!sl_owned_text(alloc, to, &copy)) return SLUICE_ERR_NOMEM;
    int rv = sl_map_put(map, copy.data, (size_t)copy.size, value);
    if (rv != 0) {
        sl_owned_free_text(alloc, &copy);
        return rv;
    }
    sl_map_remove(map, name->data, (size_t)name->size);
    sl_owned_free_text(alloc, name);
    *name = copy;
    return 0;
}
/* The same for bytes. */
static inline bool sl_owned_bytes(const struct sl_alloc *alloc, struct sl_bytes from,
                                  struct sl_bytes *out) {
    struct sl_str copy;
    bool done = sl_owned_text(alloc, (struct sl_str){(const char *)from.data, from.size}, &copy);
    *out = (struct sl_bytes){(const uint8_t *)copy.data, copy.size};
    return done;
}
static inline void sl_owned_free_bytes(const struct sl_alloc *alloc, struct sl_bytes *bytes) {
    struct sl_str text = {(const char *)bytes->data, bytes->size};
    sl_owned_free_text(alloc, &text);
    *bytes = SL_BYTES_NULL;
}

#endif
