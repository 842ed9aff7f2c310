/* Goal: the gate is where positions live: a poll after a seek never gives the old, what is paused
 * stays, errors are told once and in their place, the finished prefix never passes a hole, and the
 * receiving account is whole again when everything is given back.
 * Method: a gate alone (core_gate.h), rule by rule; then each allocation failing in turn. */
#include "core_gate.h"

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
    assert_int_equal(sl_gate_mark(f.gate, old, 5, -1), SLUICE_ERR_STALE);
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
    feed(&f, 0);
    assert_true(sl_gate_is_ready(f.gate));
    assert_int_equal(set_paused(&f, 0, true), 0);
    take_orders(&f);
    assert_true(f.core[0].paused);
    feed(&f, 0); /* was under way */
    assert_false(sl_gate_is_ready(f.gate));
    assert_null(take(&f));
    feed(&f, 1);
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
    take_orders(&f);
    sl_gate_tell_short(f.gate, true);
    assert_true(send_answer(&f, late)); /* core is to have its memory back at once */
    assert_int_equal(sl_gate_mark(f.gate, slice, 10, -1), SLUICE_ERR_STALE);
    give(&f, slice);
    assert_int_equal(finished(&f, 0), 500);
    take_orders(&f);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 500));
    assert_int_equal(finished(&f, 0), 510);
    end(&f);
}

/* Core is woken for memory that comes back only when it waits for it, or when it is a good part of all. */
static void what_comes_back_waits_for_a_use(void **state) {
    (void)state;
    struct fixture f;
    start(&f, 1);
    take_orders(&f);
    feed(&f, 0);
    struct sl_slice *slice = take_from(&f, 0, 0);
    assert_false(sl_gate_is_due(f.gate));
    finish(&f, slice);
    assert_false(sl_gate_is_due(f.gate));
    sl_gate_tell_short(f.gate, true);
    assert_true(sl_gate_is_due(f.gate));
    sl_gate_tell_short(f.gate, false);
    assert_false(sl_gate_is_due(f.gate));
    for (int64_t back = BUFFER_BYTES; back < MEMORY / 8; back += BUFFER_BYTES) {
        assert_false(sl_gate_is_due(f.gate));
        feed(&f, 0);
        finish(&f, take_from(&f, 0, position(&f, 0).offset));
    }
    assert_true(sl_gate_is_due(f.gate));
    take_orders(&f);
    assert_int_equal(f.free_bytes, MEMORY);
    assert_false(sl_gate_is_due(f.gate));
    assert_int_equal(seek(&f, 0, 7), 0); /* an order does not wait */
    assert_true(sl_gate_is_due(f.gate));
    take_orders(&f);
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
    assert_int_equal(f.core[0].epoch_before, 3); /* a log that is cut meanwhile is noticed */
    assert_int_equal(position(&f, 0).offset, 10);
    assert_int_equal(finished(&f, 0), 10);
    feed(&f, 1);
    finish(&f, take_from(&f, 1, 0));
    assert_int_equal(set_paused(&f, 0, false), 0);
    take_orders(&f);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 10));
    assert_int_equal(finished(&f, 0), 20);
    /* The same while a poll is waiting: nobody else would see to it. */
    assert_int_equal(set_paused(&f, 0, true), 0);
    take_orders(&f);
    assert_null(take(&f));
    while (!feed(&f, 0)) assert_true(f.free_bytes >= SL_GATE_ROOM_MIN - BUFFER_BYTES);
    take_orders(&f);
    assert_true(f.free_bytes > MEMORY / 2);
    assert_int_equal(f.core[0].next, 20);
    assert_int_equal(set_paused(&f, 0, false), 0);
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
    sl_gate_leave_code(f.gate, SLUICE_ERR_MALFORMED);
    assert_int_equal(take_code(&f, &slice), SLUICE_ERR_MALFORMED);
    finish(&f, take_from(&f, 0, 0));
    assert_false(sl_gate_is_ready(f.gate));
    sl_gate_leave_code(f.gate, SLUICE_ERR_NOMEM);
    assert_true(sl_gate_is_ready(f.gate));
    assert_int_equal(take_code(&f, &slice), SLUICE_ERR_NOMEM);
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
    assert_int_equal(sl_gate_mark(f.gate, s[3], 40, -1), SLUICE_ERR_STALE);
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
    assert_int_equal(sl_gate_mark(f.gate, first, 1010, -1), SLUICE_ERR_STALE);
    assert_int_equal(sl_gate_mark(f.gate, second, 1020, -1), SLUICE_ERR_STALE);
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
        cmocka_unit_test(what_comes_back_waits_for_a_use),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
