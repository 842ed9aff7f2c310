/* A gate for tests, alone: fed with slices by a table that follows its orders as core would. */
#ifndef SL_TEST_CORE_GATE_H
#define SL_TEST_CORE_GATE_H

#include "core/gate.h"

#include "base/rng.h"
#include "core/buffers.h"
#include "core/fetcher.h"
#include "core/gate_slots.h"
#include "core/rebalance.h"
#include "core/unpack.h"
#include "sluice/error.h"
#include "unit/support.h"

enum { PARTS = 4, SLICE_BYTES = 100, BUFFER_BYTES = 4096, MEMORY = 1 << 20 };

/* What core knows of a slot. */
struct fake_slot {
    char topic[16];
    int32_t partition;
    uint32_t epoch;
    int64_t next; /* to feed; a symbol while it is being looked up */
    int32_t
        epoch_before; /* leader epoch of the record before, as the last order of a new place had it */
    bool paused;
};
struct fixture {
    struct sl_settings settings;
    struct test_memory memory;
    struct sl_gate *gate;
    struct fake_slot core[16];
    int orders; /* commands taken so far */
    int64_t free_bytes;
    int answers; /* of the gate to the group, and the last of them: */
    int answer_kind, answer_code, answer_slots;
    uint64_t answer_serial;
    int64_t answer_offsets[16];
};

/* ---- the core's side ---- */

static inline void take_answer(struct fixture *f, const struct sl_command *answer) {
    f->answers++;
    f->answer_kind = answer->rebalance;
    f->answer_serial = answer->serial;
    f->answer_code = answer->code;
    f->answer_slots = answer->slot_count;
    for (int32_t i = 0; i < answer->slot_count; i++) f->answer_offsets[i] = answer->slots[i].offset;
}

static inline void take_orders(struct fixture *f) {
    struct sl_list orders, buffers;
    struct sl_list *node;
    int64_t freed;
    sl_list_init(&orders);
    sl_list_init(&buffers);
    sl_gate_take_orders(f->gate, &orders);
    sl_gate_take_returned(f->gate, &buffers, &freed);
    f->free_bytes += freed;
    while ((node = sl_list_pop_front(&buffers)) != NULL)
        sl_buffers_free(&f->memory.alloc, SL_LIST_OF(node, struct sl_buffer, node));
    while ((node = sl_list_pop_front(&orders)) != NULL) {
        struct sl_command *order = SL_LIST_OF(node, struct sl_command, node);
        if (order->kind == SL_COMMAND_REBALANCED) {
            take_answer(f, order);
            sl_command_destroy(&f->memory.alloc, order);
            continue;
        }
        for (int32_t i = 0; i < order->slot_count; i++) {
            const struct sl_slot_order *o = &order->slots[i];
            struct fake_slot *slot = &f->core[o->slot];
            assert_true(o->slot < 16);
            if (order->kind == SL_COMMAND_ASSIGN) {
                assert_non_null(o->topic);
                assert_true(order->table_size > o->slot);
                snprintf(slot->topic, sizeof slot->topic, "%s", o->topic);
                slot->partition = o->partition;
            }
            assert_int_equal(slot->partition, o->partition);
            if (o->epoch != slot->epoch) slot->next = o->offset;
            if (o->epoch != slot->epoch) slot->epoch_before = o->offset_epoch;
            slot->epoch = o->epoch;
            slot->paused = o->paused;
        }
        f->orders++;
        sl_command_destroy(&f->memory.alloc, order);
    }
}

static inline struct sl_fetched *make_answer(struct fixture *f, int32_t slices, bool with_buffer) {
    size_t size = sizeof(struct sl_fetched) + (size_t)slices * sizeof(struct sl_slice);
    test_memory_fail_at(&f->memory, 0); /* core had the memory */
    struct sl_fetched *fetched = sl_alloc_zero(&f->memory.alloc, size);
    fetched->size = size;
    fetched->slice_count = slices;
    if (with_buffer) {
        fetched->buffer = sl_alloc_zero(&f->memory.alloc, sizeof(struct sl_buffer) + BUFFER_BYTES);
        fetched->buffer->cap = BUFFER_BYTES;
        fetched->charged = BUFFER_BYTES;
        f->free_bytes -= BUFFER_BYTES;
    }
    return fetched;
}
static inline bool send_answer(struct fixture *f, struct sl_fetched *fetched) {
    struct sl_list list;
    sl_list_init(&list);
    sl_list_push_back(&list, &fetched->node);
    sl_gate_on_fetched(f->gate, &list);
    bool news = sl_gate_is_due(f->gate);
    sl_gate_check(f->gate);
    return news;
}
static inline void fill_slice(struct fixture *f, struct sl_slice *slice, uint32_t slot,
                              int64_t records) {
    struct fake_slot *core = &f->core[slot];
    *slice = (struct sl_slice){.size = SLICE_BYTES,
                               .slot = slot,
                               .epoch = core->epoch,
                               .from = core->next,
                               .next_offset = core->next + records,
                               .high_watermark = 5000,
                               .last_stable = -1,
                               .last_epoch = 3,
                               .count = (int32_t)records};
    core->next += records;
}
/* The next ten records of a slot, in an answer of their own. */
static inline bool feed(struct fixture *f, uint32_t slot) {
    struct sl_fetched *fetched = make_answer(f, 1, true);
    fill_slice(f, &fetched->slices[0], slot, 10);
    return send_answer(f, fetched);
}
static inline void feed_error(struct fixture *f, uint32_t slot, int code) {
    struct sl_fetched *fetched = make_answer(f, 1, false);
    const struct fake_slot *core = &f->core[slot];
    int64_t at = core->next >= 0 ? core->next : -1;
    fetched->slices[0] = (struct sl_slice){.slot = slot,
                                           .epoch = core->epoch,
                                           .from = at,
                                           .next_offset = at,
                                           .high_watermark = -1,
                                           .last_stable = -1,
                                           .code = code,
                                           .text = "something is wrong"};
    send_answer(f, fetched);
}
/* The slot begins there; committed: by the group, or -1. */
static inline void feed_start(struct fixture *f, uint32_t slot, int64_t position,
                              int64_t committed) {
    struct sl_list list;
    struct sl_slot_news *news = sl_alloc_zero(&f->memory.alloc, sizeof *news);
    sl_list_init(&list);
    news->slot = slot;
    news->epoch = f->core[slot].epoch;
    news->position = position;
    news->high_watermark = 5000;
    news->last_stable = 4000;
    news->committed = committed;
    f->core[slot].next = position;
    sl_list_push_back(&list, &news->node);
    sl_gate_on_news(f->gate, &list);
    sl_gate_check(f->gate);
}
static inline void feed_news(struct fixture *f, uint32_t slot, int64_t position) {
    feed_start(f, slot, position, -1);
}

/* ---- the application's side ---- */

static inline struct sl_offsets *list_of(const char *topic, int32_t partition, int64_t offset) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    if (topic != NULL) sl_offset_list_put(list, topic, partition)->offset = offset;
    return list;
}
/* Partitions 0 … count-1 of "t". */
static inline int assign(struct fixture *f, int32_t count, int64_t offset) {
    struct sl_offsets *list = list_of(NULL, 0, 0);
    for (int32_t i = 0; i < count; i++) sl_offset_list_put(list, "t", i)->offset = offset;
    int rv = sl_gate_assign(f->gate, list);
    sl_offset_list_destroy(list);
    sl_gate_check(f->gate);
    return rv;
}
static inline int seek(struct fixture *f, int32_t partition, int64_t offset) {
    struct sl_offsets *list = list_of("t", partition, offset);
    int rv = sl_gate_seek(f->gate, list);
    sl_offset_list_destroy(list);
    sl_gate_check(f->gate);
    return rv;
}
static inline int set_paused(struct fixture *f, int32_t partition, bool paused) {
    struct sl_offsets *list = list_of("t", partition, 0);
    int rv = sl_gate_pause(f->gate, list, paused);
    sl_offset_list_destroy(list);
    sl_gate_check(f->gate);
    return rv;
}
static char said[256]; /* by the last take */
static inline int take_code(struct fixture *f, struct sl_slice **slice) {
    int32_t count;
    *slice = NULL;
    int rv = sl_gate_take(f->gate, 1, slice, 1, &count, said, sizeof said);
    assert_int_equal(count, *slice != NULL);
    sl_gate_check(f->gate);
    return rv;
}
static inline struct sl_slice *take(struct fixture *f) {
    struct sl_slice *slice;
    assert_int_equal(take_code(f, &slice), 0);
    return slice;
}
static inline struct sl_slice *take_from(struct fixture *f, int32_t partition, int64_t from) {
    struct sl_slice *slice = take(f);
    assert_non_null(slice);
    assert_string_equal(slice->topic, "t");
    assert_int_equal(slice->partition, partition);
    assert_int_equal(slice->from, from);
    return slice;
}
static inline void mark(struct fixture *f, struct sl_slice *slice, int64_t to) {
    assert_int_equal(sl_gate_mark(f->gate, slice, to, -1), 0);
    sl_gate_check(f->gate);
}
static inline void give(struct fixture *f, struct sl_slice *slice) {
    sl_gate_give(f->gate, slice);
    sl_gate_check(f->gate);
}
static inline void finish(struct fixture *f, struct sl_slice *slice) {
    mark(f, slice, slice->next_offset);
    give(f, slice);
}
static inline int64_t finished(const struct fixture *f, int32_t partition) {
    return sl_gate_finished(f->gate, "t", partition);
}
static inline struct sl_offset_entry position(const struct fixture *f, int32_t partition) {
    struct sl_offsets *list = list_of(NULL, 0, 0);
    assert_int_equal(sl_gate_positions(f->gate, list), 0);
    const struct sl_offset_entry *found = sl_offset_list_find(list, "t", partition);
    assert_non_null(found);
    struct sl_offset_entry entry = *found;
    sl_offset_list_destroy(list);
    return entry;
}

static inline void start(struct fixture *f, int32_t partitions) {
    memset(f, 0, sizeof *f);
    f->settings.fetch_memory = f->free_bytes = MEMORY;
    test_memory_init(&f->memory);
    assert_int_equal(sl_gate_create(&f->settings, &f->memory.alloc, &f->gate), 0);
    assert_int_equal(assign(f, partitions, 0), 0);
    take_orders(f);
}
/* What is kept to be decompressed into. */
static inline int64_t spare_bytes(const struct fixture *f) {
    int64_t bytes = 0;
    SL_LIST_EACH(it, tmp, &f->gate->unpacks.spares)
        bytes += SL_LIST_OF(it, struct sl_unpack, node)->charged;
    return bytes;
}
/* Nothing is in hand, no job is out: the account is whole, and nothing leaks. */
static inline void end(struct fixture *f) {
    test_memory_fail_at(&f->memory, 0);
    assert_int_equal(sl_gate_assign(f->gate, NULL), 0);
    take_orders(f);
    assert_int_equal(f->gate->unpacks.ahead, 0);
    assert_int_equal(f->free_bytes + spare_bytes(f), MEMORY);
    sl_gate_destroy(f->gate);
    test_memory_check(&f->memory);
}

#endif
