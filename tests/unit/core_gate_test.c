/* Goal: the gate is where positions live: a poll after a seek never gives the old, what is paused
 * stays, errors are told once and in their place, the finished prefix never passes a hole, and the
 * receiving account is whole again when everything is given back.
 * Method: a gate alone, fed by a table of slices that follows its orders as core would; then random
 * programs beside a model of forty lines, with and without failing allocations. */
#include "core/gate.h"

#include "base/rng.h"
#include "core/buffers.h"
#include "core/fetcher.h"
#include "sluice/error.h"
#include "unit/support.h"

enum { PARTS = 4, SLICE_BYTES = 100, BUFFER_BYTES = 4096, MEMORY = 1 << 20 };

/* What core knows of a slot. */
struct fake_slot {
    char topic[16];
    int32_t partition;
    uint32_t epoch;
    int64_t next; /* to feed; a symbol while it is being looked up */
    bool paused;
};
struct fixture {
    struct sl_settings settings;
    struct test_memory memory;
    struct sl_gate *gate;
    struct fake_slot core[16];
    int orders; /* commands taken so far */
    int64_t free_bytes;
};

/* ---- the core's side ---- */

static void take_orders(struct fixture *f) {
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
            slot->epoch = o->epoch;
            slot->paused = o->paused;
        }
        f->orders++;
        sl_command_destroy(&f->memory.alloc, order);
    }
}

static struct sl_fetched *make_answer(struct fixture *f, int32_t slices, bool with_buffer) {
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
static bool send_answer(struct fixture *f, struct sl_fetched *fetched) {
    struct sl_list list;
    sl_list_init(&list);
    sl_list_push_back(&list, &fetched->node);
    bool news = sl_gate_on_fetched(f->gate, &list);
    sl_gate_check(f->gate);
    return news;
}
static void fill_slice(struct fixture *f, struct sl_slice *slice, uint32_t slot, int64_t records) {
    struct fake_slot *core = &f->core[slot];
    *slice = (struct sl_slice){.size = SLICE_BYTES,
                               .slot = slot,
                               .epoch = core->epoch,
                               .from = core->next,
                               .next_offset = core->next + records,
                               .high_watermark = 5000,
                               .last_stable = -1,
                               .count = (int32_t)records};
    core->next += records;
}
/* The next ten records of a slot, in an answer of their own. */
static bool feed(struct fixture *f, uint32_t slot) {
    struct sl_fetched *fetched = make_answer(f, 1, true);
    fill_slice(f, &fetched->slices[0], slot, 10);
    return send_answer(f, fetched);
}
static void feed_error(struct fixture *f, uint32_t slot, int code) {
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
static void feed_news(struct fixture *f, uint32_t slot, int64_t position) {
    struct sl_list list;
    struct sl_slot_news *news = sl_alloc_zero(&f->memory.alloc, sizeof *news);
    sl_list_init(&list);
    news->slot = slot;
    news->epoch = f->core[slot].epoch;
    news->position = position;
    news->high_watermark = 5000;
    news->last_stable = 4000;
    f->core[slot].next = position;
    sl_list_push_back(&list, &news->node);
    sl_gate_on_news(f->gate, &list);
    sl_gate_check(f->gate);
}

/* ---- the application's side ---- */

static struct sl_offsets *list_of(const char *topic, int32_t partition, int64_t offset) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    if (topic != NULL) sl_offset_list_put(list, topic, partition)->offset = offset;
    return list;
}
/* Partitions 0 … count-1 of "t". */
static int assign(struct fixture *f, int32_t count, int64_t offset) {
    struct sl_offsets *list = list_of(NULL, 0, 0);
    for (int32_t i = 0; i < count; i++) sl_offset_list_put(list, "t", i)->offset = offset;
    int rv = sl_gate_assign(f->gate, list);
    sl_offset_list_destroy(list);
    sl_gate_check(f->gate);
    return rv;
}
static int seek(struct fixture *f, int32_t partition, int64_t offset) {
    struct sl_offsets *list = list_of("t", partition, offset);
    int rv = sl_gate_seek(f->gate, list);
    sl_offset_list_destroy(list);
    sl_gate_check(f->gate);
    return rv;
}
static int set_paused(struct fixture *f, int32_t partition, bool paused) {
    struct sl_offsets *list = list_of("t", partition, 0);
    int rv = sl_gate_pause(f->gate, list, paused);
    sl_offset_list_destroy(list);
    sl_gate_check(f->gate);
    return rv;
}
static char said[256];
static int take_code(struct fixture *f, struct sl_slice **slice) {
    int32_t count;
    *slice = NULL;
    int rv = sl_gate_take(f->gate, 1, slice, 1, &count, said, sizeof said);
    assert_int_equal(count, *slice != NULL);
    sl_gate_check(f->gate);
    return rv;
}
static struct sl_slice *take(struct fixture *f) {
    struct sl_slice *slice;
    assert_int_equal(take_code(f, &slice), 0);
    return slice;
}
static struct sl_slice *take_from(struct fixture *f, int32_t partition, int64_t from) {
    struct sl_slice *slice = take(f);
    assert_non_null(slice);
    assert_string_equal(slice->topic, "t");
    assert_int_equal(slice->partition, partition);
    assert_int_equal(slice->from, from);
    return slice;
}
static void mark(struct fixture *f, struct sl_slice *slice, int64_t to) {
    assert_int_equal(sl_gate_mark(f->gate, slice, to), 0);
    sl_gate_check(f->gate);
}
static void give(struct fixture *f, struct sl_slice *slice) {
    sl_gate_give(f->gate, slice);
    sl_gate_check(f->gate);
}
static void finish(struct fixture *f, struct sl_slice *slice) {
    mark(f, slice, slice->next_offset);
    give(f, slice);
}
static int64_t finished(const struct fixture *f, int32_t partition) {
    return sl_gate_finished(f->gate, "t", partition);
}
static struct sl_offset_entry position(const struct fixture *f, int32_t partition) {
    struct sl_offsets *list = list_of(NULL, 0, 0);
    assert_int_equal(sl_gate_positions(f->gate, list), 0);
    const struct sl_offset_entry *found = sl_offset_list_find(list, "t", partition);
    assert_non_null(found);
    struct sl_offset_entry entry = *found;
    sl_offset_list_destroy(list);
    return entry;
}

static void start(struct fixture *f, int32_t partitions) {
    memset(f, 0, sizeof *f);
    f->settings.fetch_memory = f->free_bytes = MEMORY;
    test_memory_init(&f->memory);
    assert_int_equal(sl_gate_create(&f->settings, &f->memory.alloc, &f->gate), 0);
    assert_int_equal(assign(f, partitions, 0), 0);
    take_orders(f);
}
/* Nothing is in hand: the account is whole, and nothing leaks. */
static void end(struct fixture *f) {
    test_memory_fail_at(&f->memory, 0);
    assert_int_equal(sl_gate_assign(f->gate, NULL), 0);
    take_orders(f);
    assert_int_equal(f->free_bytes, MEMORY);
    sl_gate_destroy(f->gate);
    test_memory_check(&f->memory);
}

/* ---- assigning ---- */

static void an_assignment_is_an_order(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 0);
    struct sl_offsets *list = list_of("t", 0, 7);
    sl_offset_list_put(list, "u", 1)->offset = SL_OFFSET_LATEST;
    struct sl_offset_entry *timed = sl_offset_list_put(list, "u", 2);
    timed->offset = SL_OFFSET_AT_TIME;
    timed->timestamp_ms = 99;
    timed->leader_epoch = 3;
    assert_int_equal(sl_gate_assign(f.gate, list), 0);
    sl_offset_list_destroy(list);
    struct sl_list orders;
    sl_list_init(&orders);
    sl_gate_take_orders(f.gate, &orders);
    struct sl_command *order = SL_LIST_OF(sl_list_pop_front(&orders), struct sl_command, node);
    assert_int_equal(order->kind, SL_COMMAND_ASSIGN);
    assert_int_equal(order->slot_count, 3);
    assert_true(order->table_size >= 3);
    assert_string_equal(order->slots[0].topic, "t");
    assert_int_equal(order->slots[0].offset, 7);
    assert_int_equal(order->slots[1].offset, SL_OFFSET_LATEST);
    assert_int_equal(order->slots[2].offset, SL_OFFSET_AT_TIME);
    assert_int_equal(order->slots[2].timestamp_ms, 99);
    assert_int_equal(order->slots[2].offset_epoch, 3);
    for (int i = 0; i < 3; i++) assert_non_null(order->slots[i].position);
    sl_command_destroy(&f.memory.alloc, order);
    assert_int_equal(position(&f, 0).offset, 7);
    assert_int_equal(position(&f, 0).end, -1);
    assert_int_equal(finished(&f, 0), 7);
    assert_int_equal(sl_gate_finished(f.gate, "u", 1), -1);
    assert_int_equal(sl_gate_finished(f.gate, "v", 1), -1);
    end(&f);
}

static void partitions_that_stay_keep_what_they_have(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 2);
    feed(&f, 0);
    feed(&f, 1);
    uint32_t epoch = f.core[0].epoch;
    assert_int_equal(set_paused(&f, 0, true), 0);
    struct sl_offsets *list = list_of("t", 0, SL_OFFSET_COMMITTED);
    sl_offset_list_put(list, "t", 3)->offset = 40;
    assert_int_equal(sl_gate_assign(f.gate, list), 0);
    sl_offset_list_destroy(list);
    take_orders(&f);
    assert_int_equal(f.core[0].epoch, epoch);
    assert_true(f.core[0].paused);
    assert_int_equal(sl_gate_finished(f.gate, "t", 1), -1);
    assert_null(take(&f));
    assert_int_equal(set_paused(&f, 0, false), 0);
    finish(&f, take_from(&f, 0, 0));
    assert_int_equal(seek(&f, 1, 0), SLUICE_ERR_STALE); /* not assigned any more */
    assert_int_equal(set_paused(&f, 1, true), SLUICE_ERR_STALE);
    /* A number instead of the symbol moves it. */
    assert_int_equal(assign(&f, 1, 100), 0);
    take_orders(&f);
    assert_true(f.core[0].epoch != epoch);
    assert_int_equal(position(&f, 0).offset, 100);
    end(&f);
}

static void a_slot_is_used_again_under_new_epochs(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    feed(&f, 0);
    struct sl_slice *old = take_from(&f, 0, 0);
    struct sl_fetched *late = make_answer(&f, 1, true);
    fill_slice(&f, &late->slices[0], 0, 10);
    struct sl_offsets *list = list_of("another", 5, 0);
    assert_int_equal(sl_gate_assign(f.gate, NULL), 0);
    assert_int_equal(sl_gate_assign(f.gate, list), 0);
    sl_offset_list_destroy(list);
    take_orders(&f);
    int32_t partition;
    assert_string_equal(sl_gate_topic(f.gate, old->slot, &partition), "another");
    assert_int_equal(partition, 5);
    assert_string_equal(old->topic, "t"); /* the slice has its own */
    assert_int_equal(sl_gate_mark(f.gate, old, 5), SLUICE_ERR_STALE);
    assert_int_equal(sl_gate_rewind(f.gate, old, 5, -1), SLUICE_ERR_STALE);
    send_answer(&f, late); /* under way since before */
    assert_null(take(&f));
    give(&f, old);
    assert_int_equal(sl_gate_assign(f.gate, NULL), 0);
    assert_string_equal(sl_gate_topic(f.gate, 0, &partition), "");
    end(&f);
}

static void names_that_cannot_be_are_refused(void **state) {
    (void)state;
    struct fixture f;
    char name[400];
    start(&f, 1);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct sl_offsets *list = list_of(name, 0, 0);
    assert_int_equal(sl_gate_assign(f.gate, list), SLUICE_ERR_USAGE);
    sl_offset_list_destroy(list);
    assert_int_equal(sl_gate_finished(f.gate, name, 0), -1);
    assert_int_equal(position(&f, 0).offset, 0);
    end(&f);
}

/* ---- handing out ---- */

static void partitions_take_turns(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 3);
    for (int round = 0; round < 3; round++)
        for (uint32_t slot = 0; slot < 3; slot++) feed(&f, slot);
    struct sl_slice *slices[9];
    int32_t count;
    assert_int_equal(sl_gate_take(f.gate, 1000, slices, 4, &count, said, sizeof said), 0);
    assert_int_equal(count, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(slices[i]->partition, i % 3);
    assert_int_equal(sl_gate_take(f.gate, 150, slices + 4, 9, &count, said, sizeof said), 0);
    assert_int_equal(count, 2); /* the second one passes the bound */
    assert_int_equal(slices[4]->partition, 1);
    assert_int_equal(slices[5]->partition, 2);
    for (int i = 0; i < 6; i++) finish(&f, slices[i]);
    end(&f);
}

static void one_partition_a_poll_if_wanted(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 2);
    f.settings.poll_one_partition = true;
    for (int round = 0; round < 3; round++)
        for (uint32_t slot = 0; slot < 2; slot++) feed(&f, slot);
    struct sl_slice *slices[8];
    int32_t count;
    for (int32_t poll = 0; poll < 2; poll++) {
        assert_int_equal(sl_gate_take(f.gate, 10000, slices, 8, &count, said, sizeof said), 0);
        assert_int_equal(count, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(slices[i]->partition, poll);
            finish(&f, slices[i]);
        }
    }
    end(&f);
}

static void a_paused_partition_keeps_its_buffer(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 2);
    assert_true(feed(&f, 0));
    assert_int_equal(set_paused(&f, 0, true), 0);
    take_orders(&f);
    assert_true(f.core[0].paused);
    assert_false(feed(&f, 0)); /* was under way */
    assert_false(sl_gate_is_ready(f.gate));
    assert_null(take(&f));
    assert_true(feed(&f, 1));
    finish(&f, take_from(&f, 1, 0));
    assert_true(position(&f, 0).paused);
    uint32_t epoch = f.core[0].epoch;
    assert_int_equal(sl_gate_pause(f.gate, NULL, false), 0);
    take_orders(&f);
    assert_int_equal(f.core[0].epoch, epoch); /* resuming rewinds nothing */
    assert_int_equal(f.core[0].next, 20);
    assert_true(sl_gate_is_ready(f.gate));
    finish(&f, take_from(&f, 0, 0));
    finish(&f, take_from(&f, 0, 10));
    /* Resuming what was never paused changes nothing either (reliability notes 33). */
    assert_int_equal(set_paused(&f, 0, false), 0);
    take_orders(&f);
    assert_int_equal(f.core[0].epoch, epoch);
    assert_int_equal(position(&f, 0).offset, 20);
    /* A seek while paused holds when it is resumed. */
    assert_int_equal(set_paused(&f, 0, true), 0);
    assert_int_equal(seek(&f, 0, 70), 0);
    assert_int_equal(set_paused(&f, 0, false), 0);
    take_orders(&f);
    assert_int_equal(f.core[0].next, 70);
    assert_int_equal(position(&f, 0).offset, 70);
    end(&f);
}

static void after_a_seek_nothing_old_comes(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    feed(&f, 0);
    feed(&f, 0);
    struct sl_slice *slice = take_from(&f, 0, 0);
    struct sl_fetched *late = make_answer(&f, 1, true);
    fill_slice(&f, &late->slices[0], 0, 10);
    assert_int_equal(seek(&f, 0, 500), 0);
    assert_null(take(&f));
    assert_false(send_answer(&f, late));
    assert_int_equal(sl_gate_mark(f.gate, slice, 10), SLUICE_ERR_STALE);
    give(&f, slice);
    assert_int_equal(finished(&f, 0), 500);
    take_orders(&f);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 500));
    assert_int_equal(finished(&f, 0), 510);
    end(&f);
}

static void an_error_is_told_once_and_in_its_place(void **state) {
    (void)state;
    struct fixture f;
    struct sl_slice *slice;
    start(&f, 2);
    feed(&f, 0);
    feed_error(&f, 0, SLUICE_ERR_MALFORMED);
    finish(&f, take_from(&f, 0, 0));
    assert_int_equal(take_code(&f, &slice), SLUICE_ERR_MALFORMED);
    assert_string_equal(said, "t-0 at offset 10: something is wrong");
    assert_null(take(&f));
    /* The others go on, and what a poll has begun to take it hands out first. */
    feed(&f, 1);
    assert_int_equal(seek(&f, 0, SL_OFFSET_COMMITTED), 0);
    take_orders(&f);
    feed_error(&f, 0, SLUICE_ERR_NO_OFFSET);
    finish(&f, take_from(&f, 1, 0));
    assert_int_equal(take_code(&f, &slice), SLUICE_ERR_NO_OFFSET);
    assert_string_equal(said, "t-0: something is wrong"); /* there is no offset to tell */
    /* An error of before a seek does not count any more. */
    feed_error(&f, 1, SLUICE_ERR_MALFORMED);
    assert_int_equal(seek(&f, 1, 50), 0);
    assert_null(take(&f));
    end(&f);
}

static void a_full_account_is_told(void **state) {
    (void)state;
    struct fixture f;
    struct sl_slice *slices[MEMORY / BUFFER_BYTES];
    struct sl_slice *none;
    int held = 0;
    start(&f, 1);
    while (f.free_bytes >= SL_GATE_ROOM_MIN) {
        feed(&f, 0);
        slices[held++] = take(&f);
    }
    assert_int_equal(take_code(&f, &none), SLUICE_ERR_HELD);
    assert_true(sl_gate_is_ready(f.gate)); /* nobody waits for what cannot come */
    finish(&f, slices[--held]);
    assert_null(take(&f));
    assert_false(sl_gate_is_ready(f.gate));
    /* Decompressed bytes count as well. */
    sl_gate_charge(f.gate, 10000);
    assert_int_equal(take_code(&f, &none), SLUICE_ERR_HELD);
    sl_gate_charge(f.gate, -10000);
    assert_null(take(&f));
    while (held > 0) finish(&f, slices[--held]);
    end(&f);
}

static void paused_partitions_do_not_starve_the_others(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 2);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 0));
    take_orders(&f);
    while (f.free_bytes >= SL_GATE_ROOM_MIN) feed(&f, 0);
    uint32_t epoch = f.core[0].epoch;
    assert_int_equal(set_paused(&f, 0, true), 0);
    take_orders(&f);
    assert_null(take(&f)); /* and so what is buffered goes, or 1 would never be fetched again */
    take_orders(&f);
    assert_true(f.free_bytes > MEMORY / 2);
    assert_true(f.core[0].epoch != epoch);
    assert_true(f.core[0].paused);
    assert_int_equal(f.core[0].next, 10);
    assert_int_equal(position(&f, 0).offset, 10);
    assert_int_equal(finished(&f, 0), 10);
    feed(&f, 1);
    finish(&f, take_from(&f, 1, 0));
    assert_int_equal(set_paused(&f, 0, false), 0);
    take_orders(&f);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 10));
    assert_int_equal(finished(&f, 0), 20);
    /* With all of them paused nothing is wanted, and everything stays. */
    take_orders(&f);
    while (f.free_bytes >= SL_GATE_ROOM_MIN) feed(&f, 0);
    assert_int_equal(sl_gate_pause(f.gate, NULL, true), 0);
    take_orders(&f);
    assert_null(take(&f));
    take_orders(&f);
    assert_true(f.free_bytes < SL_GATE_ROOM_MIN);
    end(&f);
}

static void a_code_is_left_for_the_next_poll(void **state) {
    (void)state;
    struct fixture f;
    struct sl_slice *slice;
    start(&f, 1);
    feed(&f, 0);
    sl_gate_leave_code(f.gate, SLUICE_ERR_STALE);
    assert_int_equal(take_code(&f, &slice), SLUICE_ERR_STALE);
    finish(&f, take_from(&f, 0, 0));
    sl_gate_leave_code(f.gate, SLUICE_ERR_STALE);
    assert_true(sl_gate_is_ready(f.gate));
    sl_gate_leave_code(f.gate, 0); /* somebody looked after all */
    assert_false(sl_gate_is_ready(f.gate));
    end(&f);
}

/* ---- the finished prefix ---- */

static void the_prefix_never_passes_a_hole(void **state) {
    (void)state;
    struct fixture f;
    struct sl_slice *s[5];
    start(&f, 1);
    for (int i = 0; i < 5; i++) feed(&f, 0);
    for (int i = 0; i < 5; i++) s[i] = take_from(&f, 0, 10 * i);
    mark(&f, s[2], 30); /* workers end in any order */
    assert_int_equal(finished(&f, 0), 0);
    mark(&f, s[0], 4);
    assert_int_equal(finished(&f, 0), 4);
    mark(&f, s[0], 3); /* marks only rise */
    assert_int_equal(finished(&f, 0), 4);
    give(&f, s[2]);
    mark(&f, s[1], 20);
    mark(&f, s[0], 10);
    assert_int_equal(finished(&f, 0), 30);
    give(&f, s[1]);
    mark(&f, s[4], 50);
    give(&f, s[4]);
    give(&f, s[0]);
    assert_int_equal(finished(&f, 0), 30);
    mark(&f, s[3], 37);
    give(&f, s[3]); /* three records of it are never processed */
    assert_int_equal(finished(&f, 0), 37);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 50));
    assert_int_equal(finished(&f, 0), 37);
    assert_int_equal(seek(&f, 0, 37), 0);
    take_orders(&f);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 37));
    assert_int_equal(finished(&f, 0), 47);
    end(&f);
}

static void what_is_rewound_comes_again(void **state) {
    (void)state;
    struct fixture f;
    struct sl_slice *s[4];
    start(&f, 1);
    for (int i = 0; i < 5; i++) feed(&f, 0);
    for (int i = 0; i < 4; i++) s[i] = take_from(&f, 0, 10 * i);
    uint32_t epoch = f.core[0].epoch;
    mark(&f, s[2], 25);
    assert_int_equal(sl_gate_rewind(f.gate, s[2], 25, 9), 0);
    give(&f, s[2]);
    take_orders(&f);
    assert_int_equal(f.core[0].epoch, epoch + 1);
    assert_int_equal(f.core[0].next, 25);
    assert_int_equal(position(&f, 0).offset, 25);
    /* What lies behind is stale, what lies before is not: nobody else will process it. */
    assert_int_equal(sl_gate_mark(f.gate, s[3], 40), SLUICE_ERR_STALE);
    give(&f, s[3]);
    feed(&f, 0);
    struct sl_slice *again = take_from(&f, 0, 25);
    mark(&f, again, 35);
    assert_int_equal(finished(&f, 0), 0);
    mark(&f, s[1], 20);
    mark(&f, s[0], 10);
    assert_int_equal(finished(&f, 0), 35);
    give(&f, s[0]);
    give(&f, s[1]);
    give(&f, again);
    assert_int_equal(finished(&f, 0), 35);
    end(&f);
}

static void a_rewind_does_not_forget_a_hole(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    for (int i = 0; i < 3; i++) feed(&f, 0);
    struct sl_slice *hole = take_from(&f, 0, 0);
    struct sl_slice *next = take_from(&f, 0, 10);
    mark(&f, hole, 5);
    give(&f, hole);
    assert_int_equal(sl_gate_rewind(f.gate, next, 10, -1), 0);
    give(&f, next);
    take_orders(&f);
    feed(&f, 0);
    next = take_from(&f, 0, 10);
    finish(&f, next);
    assert_int_equal(finished(&f, 0), 5);
    /* Going back before it does. */
    feed(&f, 0);
    next = take_from(&f, 0, 20);
    assert_int_equal(sl_gate_rewind(f.gate, next, 20, -1), 0);
    give(&f, next);
    assert_int_equal(finished(&f, 0), 5);
    end(&f);
}

static void rewinding_what_was_processed_takes_it_back(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    feed(&f, 0);
    struct sl_slice *slice = take_from(&f, 0, 0);
    mark(&f, slice, 8);
    assert_int_equal(sl_gate_rewind(f.gate, slice, 3, -1), 0);
    sl_gate_check(f.gate);
    assert_int_equal(finished(&f, 0), 3);
    give(&f, slice);
    take_orders(&f);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 3));
    assert_int_equal(finished(&f, 0), 13);
    end(&f);
}

/* ---- places that core chose ---- */

static void a_looked_up_place_becomes_the_position(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    assert_int_equal(seek(&f, 0, SL_OFFSET_LATEST), 0);
    take_orders(&f);
    assert_int_equal(position(&f, 0).offset, -1);
    feed_news(&f, 0, 300);
    assert_int_equal(position(&f, 0).offset, 300);
    assert_int_equal(position(&f, 0).end, 5000);
    f.settings.read_committed = true;
    assert_int_equal(position(&f, 0).end, 4000);
    assert_int_equal(finished(&f, 0), 300);
    /* Without the news, for want of memory, the first slice says it. */
    assert_int_equal(seek(&f, 0, SL_OFFSET_EARLIEST), 0);
    take_orders(&f);
    f.core[0].next = 40;
    feed(&f, 0);
    assert_int_equal(position(&f, 0).offset, 40);
    assert_int_equal(finished(&f, 0), 40);
    finish(&f, take_from(&f, 0, 40));
    end(&f);
}

static void a_reset_backwards_starts_the_prefix_anew(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    assert_int_equal(seek(&f, 0, 1000), 0);
    take_orders(&f);
    feed(&f, 0);
    feed(&f, 0);
    struct sl_slice *first = take_from(&f, 0, 1000);
    /* The log was cut: core goes to its beginning while 1010 … is buffered still. */
    feed_news(&f, 0, 5);
    assert_int_equal(position(&f, 0).offset, 1010);
    struct sl_fetched *fetched = make_answer(&f, 1, true);
    fill_slice(&f, &fetched->slices[0], 0, 10);
    fetched->slices[0].moved = true;
    send_answer(&f, fetched);
    struct sl_slice *second = take_from(&f, 0, 1010);
    struct sl_slice *third = take_from(&f, 0, 5);
    assert_int_equal(sl_gate_mark(f.gate, first, 1010), SLUICE_ERR_STALE);
    assert_int_equal(sl_gate_mark(f.gate, second, 1020), SLUICE_ERR_STALE);
    assert_int_equal(finished(&f, 0), 5);
    give(&f, first);
    give(&f, second);
    finish(&f, third);
    assert_int_equal(finished(&f, 0), 15);
    /* With nothing buffered the news move it at once; forwards what was processed stands. */
    feed(&f, 0);
    first = take_from(&f, 0, 15);
    feed_news(&f, 0, 700);
    assert_int_equal(position(&f, 0).offset, 700);
    mark(&f, first, 20);
    assert_int_equal(finished(&f, 0), 20);
    mark(&f, first, 25);
    give(&f, first);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 700));
    assert_int_equal(finished(&f, 0), 710);
    end(&f);
}

/* ---- allocations that fail ---- */

/* What an assignment and its changes need; nothing may have happened when one says NOMEM. */
static int run_calls(struct fixture *f) {
    int rv = assign(f, 3, 100);
    if (rv != 0) return rv;
    struct sl_offsets *list = list_of("w", 0, 5);
    rv = sl_gate_assign(f->gate, list);
    if (rv == 0) assert_int_equal(sl_gate_finished(f->gate, "t", 0), -1);
    if (rv != 0) assert_int_equal(finished(f, 2), 100);
    sl_offset_list_destroy(list);
    if (rv != 0) return rv;
    rv = assign(f, 2, 7);
    if (rv != 0) return rv;
    rv = seek(f, 0, 9);
    if (rv != 0) assert_int_equal(position(f, 0).offset, 7);
    if (rv != 0) return rv;
    rv = set_paused(f, 1, true);
    assert_int_equal(position(f, 1).paused, rv == 0);
    return rv;
}

static void no_failing_allocation_changes_anything(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct fixture f;
        memset(&f, 0, sizeof f);
        f.settings.fetch_memory = f.free_bytes = MEMORY;
        test_memory_init(&f.memory);
        test_memory_fail_at(&f.memory, n);
        int rv = sl_gate_create(&f.settings, &f.memory.alloc, &f.gate);
        if (rv == 0) rv = run_calls(&f);
        if (f.gate != NULL) sl_gate_destroy(f.gate); /* with orders that nobody took */
        test_memory_check(&f.memory);
        if (!test_memory_has_failed(&f.memory)) {
            assert_int_equal(rv, 0);
            assert_true(n > 15);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

static void a_rewind_without_memory_can_be_tried_again(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    feed(&f, 0);
    struct sl_slice *slice = take_from(&f, 0, 0);
    for (int i = 0; i < 2; i++) {
        test_memory_fail_at(&f.memory, f.memory.calls + 1 + i);
        assert_int_equal(sl_gate_rewind(f.gate, slice, 0, -1), SLUICE_ERR_NOMEM);
        mark(&f, slice, i);
        assert_int_equal(position(&f, 0).offset, 10);
    }
    assert_int_equal(sl_gate_rewind(f.gate, slice, 1, -1), 0);
    give(&f, slice);
    end(&f);
}

/* ---- random programs beside a model ---- */

enum { MODEL_OFFSETS = 4096, MODEL_HAND = 40 };
/* One partition as an application sees it. */
struct model {
    int64_t base;     /* where the last seek went */
    int64_t position; /* next to come */
    bool paused;
    bool exact;    /* false once a slice went back with marks while others were in hand */
    uint32_t turn; /* rises with each seek: slices of before are stale */
    bool done[MODEL_OFFSETS];
};
struct model_hand {
    struct sl_slice *slice;
    int32_t partition;
    uint32_t turn;
    int64_t from, next;
};
struct program {
    struct fixture f;
    struct sl_rng rng;
    struct model parts[PARTS];
    struct model_hand hand[MODEL_HAND];
    int hand_count;
};

static void model_seek(struct model *m, int64_t offset) {
    m->base = m->position = offset;
    m->turn++;
    m->exact = true;
    memset(m->done, 0, sizeof m->done);
}
static int64_t model_finished(const struct model *m) {
    int64_t at = m->base;
    while (at < m->position && m->done[at]) at++;
    return at;
}

static void check_program(struct program *p) {
    sl_gate_check(p->f.gate);
    for (int32_t i = 0; i < PARTS; i++) {
        const struct model *m = &p->parts[i];
        assert_int_equal(position(&p->f, i).offset, m->position);
        assert_int_equal(position(&p->f, i).paused, m->paused);
        if (m->exact) assert_int_equal(finished(&p->f, i), model_finished(m));
        assert_true(finished(&p->f, i) <= model_finished(m));
    }
}

static void step_take(struct program *p) {
    struct sl_slice *slice;
    if (p->hand_count == MODEL_HAND) return;
    int rv = take_code(&p->f, &slice);
    assert_true(rv == 0 || rv == SLUICE_ERR_HELD);
    if (slice == NULL) return;
    struct model *m = &p->parts[slice->partition];
    assert_false(m->paused);
    /* What was processed before it was given back does not come again. */
    while (m->position < slice->from) assert_true(m->done[m->position++]);
    assert_int_equal(slice->from, m->position);
    m->position = slice->next_offset;
    p->hand[p->hand_count++] =
        (struct model_hand){slice, slice->partition, m->turn, slice->from, slice->next_offset};
}
static void step_seek(struct program *p) {
    int32_t partition = (int32_t)sl_rng_below(&p->rng, PARTS);
    int64_t offset = (int64_t)sl_rng_below(&p->rng, 1000);
    if (seek(&p->f, partition, offset) == 0) model_seek(&p->parts[partition], offset);
}
static void step_pause(struct program *p) {
    int32_t partition = (int32_t)sl_rng_below(&p->rng, PARTS);
    bool paused = sl_rng_below(&p->rng, 2) == 0;
    if (set_paused(&p->f, partition, paused) == 0) p->parts[partition].paused = paused;
}
static void step_mark(struct program *p, struct model_hand *hand) {
    struct model *m = &p->parts[hand->partition];
    int64_t to =
        hand->from + (int64_t)sl_rng_below(&p->rng, (uint64_t)(hand->next - hand->from) + 1);
    int rv = sl_gate_mark(p->f.gate, hand->slice, to);
    assert_int_equal(rv, hand->turn == m->turn ? 0 : SLUICE_ERR_STALE);
    if (rv != 0) return;
    for (int64_t i = hand->from; i < to; i++) m->done[i] = true;
}
static void drop_hand(struct program *p, struct model_hand *hand) {
    *hand = p->hand[--p->hand_count];
}
static void step_give(struct program *p, struct model_hand *hand) {
    sl_gate_give(p->f.gate, hand->slice);
    drop_hand(p, hand);
}
static int64_t marked_to(const struct model *m, const struct model_hand *hand) {
    int64_t at = hand->from;
    while (at < hand->next && m->done[at]) at++;
    return at;
}
static void step_rewind(struct program *p, struct model_hand *hand) {
    struct model *m = &p->parts[hand->partition];
    int64_t to = marked_to(m, hand);
    int rv = sl_gate_rewind(p->f.gate, hand->slice, to, -1);
    if (rv == SLUICE_ERR_NOMEM) return;
    assert_int_equal(rv, hand->turn == m->turn ? 0 : SLUICE_ERR_STALE);
    if (rv == 0) {
        m->position = to;
        for (int64_t i = to; i < MODEL_OFFSETS; i++) m->done[i] = false;
        for (int i = 0; i < p->hand_count; i++) { /* those behind it are stale */
            struct model_hand *other = &p->hand[i];
            if (other->partition == hand->partition && other->from >= hand->next) other->turn--;
        }
    }
    step_give(p, hand);
}
static void step_untake(struct program *p, struct model_hand *hand) {
    struct model *m = &p->parts[hand->partition];
    int64_t to = marked_to(m, hand);
    if (to == hand->next) return; /* nothing of it is left */
    int rv = sl_gate_untake(p->f.gate, hand->slice, to);
    if (hand->turn != m->turn) {
        assert_int_equal(rv, SLUICE_ERR_STALE);
        return;
    }
    if (m->position == hand->next) assert_int_equal(rv, 0);
    if (rv != 0) {
        assert_int_equal(rv, SLUICE_ERR_BUSY);
        return;
    }
    m->position = to;
    if (to > hand->from) m->exact = false;
    drop_hand(p, hand);
}

static void step_feed(struct program *p) {
    uint32_t slot = (uint32_t)sl_rng_below(&p->rng, PARTS);
    take_orders(&p->f);
    if (p->f.core[slot].paused || p->f.free_bytes < SL_GATE_ROOM_MIN) return;
    if (p->f.core[slot].next > MODEL_OFFSETS - 100) return;
    struct sl_fetched *fetched = make_answer(&p->f, 2, true);
    uint32_t other = (slot + 1) % PARTS;
    fill_slice(&p->f, &fetched->slices[0], slot, 1 + (int64_t)sl_rng_below(&p->rng, 9));
    fill_slice(&p->f, &fetched->slices[1], other, 1 + (int64_t)sl_rng_below(&p->rng, 9));
    /* Orders that the application has given meanwhile make it stale. */
    if (sl_rng_below(&p->rng, 4) == 0) step_seek(p);
    send_answer(&p->f, fetched);
}

static void run_program(uint64_t seed, bool with_failures) {
    static struct program p;
    memset(&p, 0, sizeof p);
    sl_rng_init(&p.rng, seed);
    start(&p.f, PARTS);
    p.f.settings.fetch_memory = p.f.free_bytes = SL_GATE_ROOM_MIN + 10 * BUFFER_BYTES;
    for (int i = 0; i < PARTS; i++) model_seek(&p.parts[i], 0);
    for (int i = 0; i < 3000; i++) {
        if (with_failures && sl_rng_below(&p.rng, 3) == 0) test_memory_fail_next(&p.f.memory);
        struct model_hand *hand =
            p.hand_count == 0 ? NULL : &p.hand[sl_rng_below(&p.rng, (uint64_t)p.hand_count)];
        uint64_t dice = sl_rng_below(&p.rng, 100);
        if (dice < 35)
            step_feed(&p);
        else if (dice < 65)
            step_take(&p);
        else if (dice < 67)
            step_seek(&p);
        else if (dice < 70)
            step_pause(&p);
        else if (hand == NULL)
            continue;
        else if (dice < 82)
            step_mark(&p, hand);
        else if (dice < 93)
            step_give(&p, hand);
        else if (dice < 95)
            step_rewind(&p, hand);
        else
            step_untake(&p, hand);
        check_program(&p);
    }
    test_memory_fail_at(&p.f.memory, 0);
    while (p.hand_count > 0) step_give(&p, &p.hand[0]);
    p.f.free_bytes += MEMORY - p.f.settings.fetch_memory;
    end(&p.f);
}

static void random_programs_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) run_program(seed, false);
}
static void random_programs_agree_without_memory(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) run_program(seed, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_assignment_is_an_order),
        cmocka_unit_test(partitions_that_stay_keep_what_they_have),
        cmocka_unit_test(a_slot_is_used_again_under_new_epochs),
        cmocka_unit_test(names_that_cannot_be_are_refused),
        cmocka_unit_test(partitions_take_turns),
        cmocka_unit_test(one_partition_a_poll_if_wanted),
        cmocka_unit_test(a_paused_partition_keeps_its_buffer),
        cmocka_unit_test(after_a_seek_nothing_old_comes),
        cmocka_unit_test(an_error_is_told_once_and_in_its_place),
        cmocka_unit_test(a_full_account_is_told),
        cmocka_unit_test(paused_partitions_do_not_starve_the_others),
        cmocka_unit_test(a_code_is_left_for_the_next_poll),
        cmocka_unit_test(the_prefix_never_passes_a_hole),
        cmocka_unit_test(what_is_rewound_comes_again),
        cmocka_unit_test(a_rewind_does_not_forget_a_hole),
        cmocka_unit_test(rewinding_what_was_processed_takes_it_back),
        cmocka_unit_test(a_looked_up_place_becomes_the_position),
        cmocka_unit_test(a_reset_backwards_starts_the_prefix_anew),
        cmocka_unit_test(no_failing_allocation_changes_anything),
        cmocka_unit_test(a_rewind_without_memory_can_be_tried_again),
        cmocka_unit_test(random_programs_agree_with_the_model),
        cmocka_unit_test(random_programs_agree_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
