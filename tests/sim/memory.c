/* The allocator of a simulated host; see memory.h.
 *
 * Each block has a head of its own in front of what the library sees, by which wrong sizes and
 * foreign or freed pointers are told at the moment they are given back. */
#include "sim/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_NEW = 0xA5,
    MEMORY_FREED = 0xDD,
    MEMORY_WAITING_MAX = 512 * 1024,
    MEMORY_LIVE_MARK = 0x4c495645,
    MEMORY_FREED_MARK = 0x46524545
};

struct memory_block {
    struct memory_block *next; /* while waiting */
    size_t size;
    uint64_t mark;
    uint64_t unused; /* keeps data aligned to 16 */
    uint8_t data[];
};

static void note_damage(struct memory *m, const char *what) {
    if (m->damage == NULL) m->damage = what;
}

static void release_oldest(struct memory *m) {
    struct memory_block *b = m->oldest;
    m->oldest = b->next;
    if (m->oldest == NULL) m->newest = NULL;
    m->waiting -= (int64_t)b->size;
    /* Every byte equals the first, and the first is right. */
    if (b->data[0] != MEMORY_FREED || memcmp(b->data, b->data + 1, b->size - 1) != 0)
        note_damage(m, "freed memory was written to");
    free(b);
}

static void give_back(struct memory *m, void *old, size_t size) {
    struct memory_block *b = (struct memory_block *)(void *)((uint8_t *)old - sizeof *b);
    if (b->mark != MEMORY_LIVE_MARK) {
        note_damage(m, "memory was freed that is not allocated");
        return;
    }
    if (b->size != size) note_damage(m, "memory was freed with another size than it has");
    m->live -= (int64_t)b->size;
    m->blocks--;
    b->mark = MEMORY_FREED_MARK;
    memset(b->data, MEMORY_FREED, b->size);
    if (m->keeps_nothing) {
        free(b);
        return;
    }
    b->next = NULL;
    if (m->newest != NULL)
        m->newest->next = b;
    else
        m->oldest = b;
    m->newest = b;
    m->waiting += (int64_t)b->size;
    while (m->waiting > MEMORY_WAITING_MAX && m->oldest != b) release_oldest(m);
}

static bool must_fail(struct memory *m) {
    m->calls++;
    bool fails =
        m->fails || m->calls == m->fail_at || (m->fail_from > 0 && m->calls >= m->fail_from);
    m->failures += fails;
    return fails;
}

static void *take_block(struct memory *m, size_t size) {
    struct memory_block *b = malloc(sizeof *b + size);
    if (b == NULL) abort(); /* the machine itself is out of memory */
    b->size = size;
    b->mark = MEMORY_LIVE_MARK;
    memset(b->data, MEMORY_NEW, size);
    m->live += (int64_t)size;
    m->blocks++;
    if (m->live > m->peak) m->peak = m->live;
    return b->data;
}

static void *resize_memory(void *user, void *old, size_t old_size, size_t new_size) {
    struct memory *m = user;
    if (new_size == 0) {
        if (old != NULL) give_back(m, old, old_size);
        return NULL;
    }
    if (must_fail(m)) return NULL;
    void *block = take_block(m, new_size);
    if (old != NULL) {
        memcpy(block, old, old_size < new_size ? old_size : new_size);
        give_back(m, old, old_size);
    }
    return block;
}

void memory_init(struct memory *m) { *m = (struct memory){0}; }

bool memory_is_short(const struct memory *m) { return m->fails || m->fail_at > m->calls; }

void memory_deinit(struct memory *m) {
    while (m->oldest != NULL) release_oldest(m);
}

sluice_allocator memory_public(struct memory *m) {
    return (sluice_allocator){.resize = resize_memory, .user = m};
}

struct sl_alloc memory_internal(struct memory *m) {
    return (struct sl_alloc){.resize = resize_memory, .user = m};
}
