/* Byte-keyed hash map in two arrays: entries in insertion order, and slots that find them.
 *
 * slots is an open-addressing table with linear probing; a slot holds the index of an entry plus
 * one, 0 when it was never used. Removing frees the key and leaves the entry as a hole (key NULL)
 * that its slot still points to, so that probe sequences running through it stay whole; no other
 * mark is needed. When entries is full, the holes are squeezed out and the slots written anew, in
 * place if there are enough holes, in arrays of twice the size otherwise.
 *
 * Invariants: slot_cap is at least twice entry_cap, so that a probe always meets an empty slot;
 * count is the number of entries with a key; a walk sees entries in the order of their first put,
 * whatever the hash does. The hash is the same in every run: the map is for names that the user
 * or a cluster chose, not for keys picked by an attacker.
 *
 * Not done here: the arrays do not shrink, and values are never owned. */
#include "base/map.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "sluice/error.h"

enum {
    MAP_CAP_FIRST = 8,     /* entries; arbitrary */
    MAP_CAP_MAX = 1 << 30, /* entries; keeps slot_cap and index + 1 within 32 bits */
    MAP_SLOTS_PER_ENTRY = 2
};

#define MAP_HASH_FACTOR UINT64_C(0xd6e8feb86659fd93) /* odd, bits well spread; else arbitrary */

static uint32_t hash_map_key(const uint8_t *key, size_t size) {
    uint64_t hash = (uint64_t)size * MAP_HASH_FACTOR;
    for (; size >= 8; key += 8, size -= 8) {
        hash = (hash ^ sl_bytes_get64(key)) * MAP_HASH_FACTOR;
        hash ^= hash >> 32;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < size; i++) tail = tail << 8 | key[i];
    hash = (hash ^ tail) * MAP_HASH_FACTOR;
    hash ^= hash >> 32;
    hash *= MAP_HASH_FACTOR;
    return (uint32_t)(hash >> 32);
}

void sl_map_init(struct sl_map *m, const struct sl_alloc *alloc) {
    memset(m, 0, sizeof *m);
    m->alloc = alloc;
}

static void free_map_tables(struct sl_map *m) {
    sl_alloc_free(m->alloc, m->entries, m->entry_cap * sizeof *m->entries);
    sl_alloc_free(m->alloc, m->slots, m->slot_cap * sizeof *m->slots);
}

static void free_map_key(struct sl_map *m, struct sl_map_entry *entry) {
    sl_alloc_free(m->alloc, entry->key, (size_t)entry->key_size + 1);
}

void sl_map_deinit(struct sl_map *m) {
    for (uint32_t i = 0; i < m->entry_count; i++) free_map_key(m, &m->entries[i]);
    free_map_tables(m);
    sl_map_init(m, m->alloc);
}

static struct sl_map_entry *find_map_entry(const struct sl_map *m, const void *key, size_t key_size,
                                           uint32_t hash) {
    if (m->count == 0) return NULL;
    uint32_t mask = m->slot_cap - 1;
    for (uint32_t at = hash & mask; m->slots[at] != 0; at = (at + 1) & mask) {
        struct sl_map_entry *entry = &m->entries[m->slots[at] - 1];
        if (entry->key != NULL && entry->hash == hash && entry->key_size == key_size &&
            (key_size == 0 || memcmp(entry->key, key, key_size) == 0))
            return entry;
    }
    return NULL;
}

static void link_map_slot(const struct sl_map *m, uint32_t index) {
    uint32_t mask = m->slot_cap - 1;
    uint32_t at = m->entries[index].hash & mask;
    while (m->slots[at] != 0) at = (at + 1) & mask;
    m->slots[at] = index + 1;
}

/* Moves the live entries to `to`, which may be the same array. The slots are stale after. */
static void compact_map_entries(struct sl_map *m, struct sl_map_entry *to) {
    uint32_t live = 0;
    for (uint32_t i = 0; i < m->entry_count; i++)
        if (m->entries[i].key != NULL) to[live++] = m->entries[i];
    SL_ASSERT(live == m->count);
    m->entry_count = live;
}

static void rebuild_map_slots(struct sl_map *m) {
    memset(m->slots, 0, m->slot_cap * sizeof *m->slots);
    for (uint32_t i = 0; i < m->entry_count; i++) link_map_slot(m, i);
}

static int grow_map_tables(struct sl_map *m) {
    if (m->entry_cap >= MAP_CAP_MAX) return SLUICE_ERR_NOMEM;
    uint32_t entry_cap = m->entry_cap == 0 ? MAP_CAP_FIRST : m->entry_cap * 2;
    uint32_t slot_cap = entry_cap * MAP_SLOTS_PER_ENTRY;
    struct sl_map_entry *entries = sl_alloc_array(m->alloc, entry_cap, sizeof *entries);
    if (entries == NULL) return SLUICE_ERR_NOMEM;
    uint32_t *slots = sl_alloc_array(m->alloc, slot_cap, sizeof *slots);
    if (slots == NULL) {
        sl_alloc_free(m->alloc, entries, entry_cap * sizeof *entries);
        return SLUICE_ERR_NOMEM;
    }
    compact_map_entries(m, entries);
    free_map_tables(m);
    m->entries = entries;
    m->entry_cap = entry_cap;
    m->slots = slots;
    m->slot_cap = slot_cap;
    rebuild_map_slots(m);
    return 0;
}

/* Makes room for one more entry. */
static int reserve_map_entry(struct sl_map *m) {
    if (m->entry_count < m->entry_cap) return 0;
    /* A quarter of holes pays for squeezing: at least that many puts follow until the next. */
    uint32_t holes = m->entry_count - m->count;
    if (holes == 0 || holes < m->entry_cap / 4) return grow_map_tables(m);
    compact_map_entries(m, m->entries);
    rebuild_map_slots(m);
    return 0;
}

void *sl_map_get(const struct sl_map *m, const void *key, size_t key_size) {
    struct sl_map_entry *entry = find_map_entry(m, key, key_size, hash_map_key(key, key_size));
    return entry == NULL ? NULL : entry->value;
}

int sl_map_put(struct sl_map *m, const void *key, size_t key_size, void *value) {
    SL_ASSERT(value != NULL);
    if (key_size >= UINT32_MAX) return SLUICE_ERR_NOMEM;
    uint32_t hash = hash_map_key(key, key_size);
    struct sl_map_entry *entry = find_map_entry(m, key, key_size, hash);
    if (entry != NULL) {
        entry->value = value;
        return 0;
    }
    char *copy = sl_alloc_text(m->alloc, key, key_size);
    if (copy == NULL) return SLUICE_ERR_NOMEM;
    int rv = reserve_map_entry(m);
    if (rv != 0) {
        sl_alloc_free(m->alloc, copy, key_size + 1);
        return rv;
    }
    m->entries[m->entry_count] = (struct sl_map_entry){copy, (uint32_t)key_size, hash, value};
    link_map_slot(m, m->entry_count);
    m->entry_count++;
    m->count++;
    return 0;
}

void *sl_map_remove(struct sl_map *m, const void *key, size_t key_size) {
    struct sl_map_entry *entry = find_map_entry(m, key, key_size, hash_map_key(key, key_size));
    if (entry == NULL) return NULL;
    void *value = entry->value;
    /* key may point into the entry itself, as it does in a walk; it is not used any more. */
    free_map_key(m, entry);
    entry->key = NULL;
    entry->value = NULL;
    m->count--;
    return value;
}

void *sl_map_next(const struct sl_map *m, uint32_t *at, const struct sl_map_entry **entry) {
    while (*at < m->entry_count) {
        const struct sl_map_entry *found = &m->entries[(*at)++];
        if (found->key == NULL) continue;
        if (entry != NULL) *entry = found;
        return found->value;
    }
    return NULL;
}
