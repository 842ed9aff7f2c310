/* Where a partition starts in a group: its committed offset, and what happens without one. */
#include "core_commits.h"

/* Partitions 0 … count-1 of "t" are assigned where the group has committed them. */
static void assign_committed(struct cons *c, int32_t count, enum sl_reset reset) {
    group_prepare(c, false);
    c->h->settings.offset_reset = reset;
    cons_create(c);
    cons_assign(c, count, SL_OFFSET_COMMITTED);
    cons_turn(c);
}
static void expect_fetch_at(struct cons *c, int32_t partition, int64_t offset) {
    struct cons_fetch fetch = cons_next(c);
    for (int i = 0; i < fetch.count; i++)
        if (fetch.parts[i].partition == partition) {
            assert_int_equal(fetch.parts[i].offset, offset);
            return;
        }
    fail_msg("t-%d is not fetched", (int)partition);
}

static void one_request_for_all(void **state) {
    (void)state;
    struct cons c;
    assign_committed(&c, 3, SL_RESET_NONE);
    assert_int_equal(cons_position(&c, 0), -1);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    assert_int_equal(lookup.count, 3);
    assert_int_equal(host_link(c.h, 2, SL_PURPOSE_COORDINATOR)->in_flight, 1);
    group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 40}, {0, 40}, {0, 40}});
    for (int32_t i = 0; i < 3; i++) {
        assert_int_equal(cons_position(&c, i), 40);
        assert_int_equal(group_committed(&c, i), 40);
        assert_int_equal(cons_core(&c, i)->last_epoch, 5);
    }
    assert_int_equal(group_lookups(&c), 0);
    struct cons_fetch fetch = cons_next(&c);
    assert_int_equal(fetch.count, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(fetch.parts[i].offset, 40);
    cons_end(&c);
}

static void without_an_offset_the_policy_says(void **state) {
    (void)state;
    for (int omitted = 0; omitted < 2; omitted++) {
        struct cons c;
        assign_committed(&c, 1, SL_RESET_EARLIEST);
        group_found(&c);
        group_found_one(&c, omitted ? GROUP_OMIT : 0, -1);
        cons_found_one(&c, 0, 3); /* ListOffsets */
        assert_int_equal(cons_position(&c, 0), 3);
        assert_int_equal(group_committed(&c, 0), -1);
        cons_end(&c);
        assign_committed(&c, 1, SL_RESET_NONE);
        group_found(&c);
        group_found_one(&c, omitted ? GROUP_OMIT : 0, -1);
        cons_expect_error(&c, SLUICE_ERR_NO_OFFSET);
        cons_end(&c);
    }
}

static void an_offset_out_of_range_is_reset(void **state) {
    (void)state;
    struct cons c;
    assign_committed(&c, 1, SL_RESET_EARLIEST);
    group_found(&c);
    group_found_one(&c, 0, 500);
    cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    cons_found_one(&c, 0, 20);
    assert_true(host_was_told(c.h, "t-0 at offset 500"));
    assert_true(host_was_told(c.h, "auto.offset.reset"));
    assert_int_equal(cons_position(&c, 0), 20);
    cons_end(&c);
}

static void what_passes_is_asked_again(void **state) {
    static const int16_t codes[] = {SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS,
                                    SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE,
                                    SLUICE_KAFKA_NOT_COORDINATOR,
                                    SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT,
                                    SLUICE_KAFKA_STALE_MEMBER_EPOCH,
                                    SLUICE_KAFKA_UNKNOWN_MEMBER_ID};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        assign_committed(&c, 2, SL_RESET_NONE);
        group_found(&c);
        struct group_lookup lookup = group_next_lookup(&c);
        if (codes[i] == SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT) { /* of one partition */
            group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 9}, {codes[i], -1}});
        } else {
            group_reply_lookup(&c, &lookup, codes[i], NULL);
        }
        assert_int_equal(group_lookups(&c), 0);
        cons_advance(&c, 300);
        if (group_finds(&c) > 0) group_found(&c);
        lookup = group_next_lookup(&c);
        assert_int_equal(lookup.count, codes[i] == SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT ? 1 : 2);
        group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 9}, {0, 9}});
        assert_int_equal(cons_position(&c, 0), 9);
        assert_int_equal(cons_position(&c, 1), 9);
        cons_end(&c);
    }
}

static void a_lost_link_is_no_answer(void **state) {
    (void)state;
    struct cons c;
    assign_committed(&c, 1, SL_RESET_NONE);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    host_cut(c.h, lookup.r.conn, "reset");
    cons_advance(&c, 300);
    group_answer_find(&c, 0, 1);
    group_found_one(&c, 0, 9);
    assert_int_equal(cons_position(&c, 0), 9);
    cons_end(&c);
}

static void what_does_not_pass_stops_the_partition(void **state) {
    (void)state;
    struct cons c;
    assign_committed(&c, 2, SL_RESET_EARLIEST);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    group_reply_lookup(
        &c, &lookup, 0,
        (struct group_found[]){{SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, -1}, {0, 9}});
    cons_expect_error(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    int32_t other = lookup.parts[1].partition;
    assert_int_equal(cons_position(&c, other), 9);
    expect_fetch_at(&c, other, 9);
    cons_end(&c);
    assign_committed(&c, 1, SL_RESET_EARLIEST);
    group_answer_find(&c, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED, -1);
    cons_expect_error(&c, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED);
    cons_end(&c);
}

/* A seek while it is looked up: the answer counts no more. */
static void a_seek_overtakes(void **state) {
    (void)state;
    struct cons c;
    assign_committed(&c, 1, SL_RESET_NONE);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    assert_int_equal(cons_seek(&c, 0, 77), 0);
    cons_turn(&c);
    group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 9}});
    assert_int_equal(cons_position(&c, 0), 77);
    expect_fetch_at(&c, 0, 77);
    /* And a seek to the symbol asks again. */
    assert_int_equal(cons_seek(&c, 0, SL_OFFSET_COMMITTED), 0);
    cons_turn(&c);
    group_found_one(&c, 0, 9);
    assert_int_equal(cons_position(&c, 0), 9);
    cons_end(&c);
}

/* ---- the OFFSETS operation ---- */

static struct sl_op *resolve_committed(struct cons *c, int32_t count, int64_t timeout_ms) {
    struct sl_offsets *list;
    int rv = sl_offset_list_create(&c->h->memory.alloc, &list);
    assert_int_equal(rv, 0);
    for (int32_t i = 0; i < count; i++)
        sl_offset_list_put(list, "t", i)->offset = SL_OFFSET_COMMITTED;
    struct sl_op *op = host_op(c->h, timeout_ms);
    struct sl_command *command = host_command_make(c->h, SL_COMMAND_OFFSETS, op, NULL);
    command->offsets = list;
    sl_core_on_command(c->h->core, command);
    cons_turn(c);
    return op;
}

static void the_symbol_becomes_a_number(void **state) {
    (void)state;
    struct cons c;
    group_prepare(&c, false);
    cons_create(&c);
    struct sl_op *op = resolve_committed(&c, 2, 5000);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    assert_int_equal(lookup.count, 2);
    group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 9}, {0, -1}});
    group_expect_op(op, SLUICE_ERR_PARTIAL, "do not exist");
    const struct sl_offset_entry *entry =
        sl_offset_list_find(op->offsets, "t", lookup.parts[0].partition);
    assert_int_equal(entry->code, 0);
    assert_int_equal(entry->offset, 9);
    assert_int_equal(entry->leader_epoch, 5);
    assert_string_equal(entry->metadata, "note");
    entry = sl_offset_list_find(op->offsets, "t", lookup.parts[1].partition);
    assert_int_equal(entry->code, SLUICE_ERR_NO_OFFSET);
    /* Two that ask for one partition share a request. */
    op = resolve_committed(&c, 1, 5000);
    struct group_lookup first = group_next_lookup(&c);
    struct sl_op *second = resolve_committed(&c, 1, 5000);
    struct sl_op *third = resolve_committed(&c, 1, 5000);
    group_reply_lookup(&c, &first, 0, (struct group_found[]){{0, 9}});
    group_expect_op(op, 0, "");
    group_found_one(&c, 0, 10);
    group_expect_op(second, 0, "");
    group_expect_op(third, 0, "");
    assert_int_equal(third->offsets->entries[0].offset, 10);
    cons_end(&c);
}

static void a_resolve_ends_at_its_deadline(void **state) {
    (void)state;
    struct cons c;
    group_prepare(&c, false);
    cons_create(&c);
    struct sl_op *op = resolve_committed(&c, 1, 1000);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    group_reply_lookup(&c, &lookup, SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT, NULL);
    cons_advance(&c, 1000);
    group_expect_op(op, SLUICE_ERR_TIMEOUT, "t-0");
    group_expect_op(op, SLUICE_ERR_TIMEOUT, "UNSTABLE_OFFSET_COMMIT");
    cons_end(&c);
}

static void memory_may_fail_anywhere(void **state) {
    (void)state;
    bool more = true;
    for (int at = 1; more; at++) {
        struct cons c;
        group_prepare(&c, false);
        cons_create(&c);
        cons_assign(&c, 2, SL_OFFSET_COMMITTED);
        test_memory_fail_at(&c.h->memory, at);
        for (int i = 0; i < 40; i++) {
            cons_compact(&c);
            if (group_finds(&c) > 0) group_found(&c);
            if (group_lookups(&c) > 0) {
                struct group_lookup lookup = group_next_lookup(&c);
                group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 9}, {0, 9}});
            }
            cons_advance(&c, 100);
        }
        more = c.h->memory.calls >= at;
        test_memory_fail_at(&c.h->memory, 0);
        assert_int_equal(cons_position(&c, 0), 9);
        assert_int_equal(cons_position(&c, 1), 9);
        cons_end(&c);
    }
}

static void topics_go_by_id_where_all_are_known(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct cons c;
        group_prepare(&c, false);
        if (i == 1) c.h->offsets_max = 9;
        if (i == 2) c.h->metadata_max = 9;
        cons_create(&c);
        cons_assign(&c, 2, SL_OFFSET_COMMITTED);
        cons_turn(&c);
        group_found(&c);
        struct group_lookup lookup = group_next_lookup(&c);
        assert_int_equal(lookup.r.header.version, i == 0 ? 10 : 9);
        group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 40}, {0, 41}});
        assert_int_equal(cons_position(&c, 0) + cons_position(&c, 1), 81);
        cons_end(&c);
    }
}

/* Whoever asked may be gone before the answer comes, and the name that it asked by with it. */
static void what_is_given_up_is_answered_late(void **state) {
    (void)state;
    struct cons c;
    assign_committed(&c, 2, SL_RESET_NONE);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    assert_int_equal(lookup.r.header.version, 10); /* by id */
    cons_assign(&c, 0, 0);
    cons_turn(&c);
    group_reply_lookup(&c, &lookup, 0, (struct group_found[]){{0, 40}, {0, 41}});
    assert_int_equal(group_lookups(&c), 0);
    cons_assign(&c, 1, SL_OFFSET_COMMITTED);
    cons_turn(&c);
    group_found_one(&c, 0, 9);
    assert_int_equal(cons_position(&c, 0), 9);
    cons_end(&c);
}

/* A topic that the broker knows under another id is not one without an offset. */
static void an_id_that_is_none_is_asked_for(void **state) {
    (void)state;
    struct cons c;
    assign_committed(&c, 1, SL_RESET_NONE);
    group_found(&c);
    struct group_lookup lookup = group_next_lookup(&c);
    struct sl_uuid old = {{0}};
    struct sl_offset_fetch_partition_response part = {
        .offset = -1, .metadata = SL_STR_NULL, .error_code = SLUICE_KAFKA_UNKNOWN_TOPIC_ID};
    struct sl_offset_fetch_topic_response topic = {.name = SL_STR(""), .partitions = {&part, 1}};
    struct sl_offset_fetch_group_response group = {.group_id = SL_STR("g"), .topics = {&topic, 1}};
    struct sl_offset_fetch_response m;
    sl_codec_defaults(&sl_offset_fetch_response_type, &m);
    memset(old.bytes, 1, sizeof old.bytes);
    topic.topic_id = old;
    m.groups = (struct sl_array){&group, 1};
    c.h->topics[0].id = 9;
    host_reply(c.h, &lookup.r, &m);
    cons_advance(&c, 1000);
    while (group_lookups(&c) > 0) group_found_one(&c, 0, 40); /* under whichever id */
    assert_int_equal(cons_position(&c, 0), 40);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_for_all),
        cmocka_unit_test(without_an_offset_the_policy_says),
        cmocka_unit_test(an_offset_out_of_range_is_reset),
        cmocka_unit_test(what_passes_is_asked_again),
        cmocka_unit_test(a_lost_link_is_no_answer),
        cmocka_unit_test(what_does_not_pass_stops_the_partition),
        cmocka_unit_test(a_seek_overtakes),
        cmocka_unit_test(the_symbol_becomes_a_number),
        cmocka_unit_test(a_resolve_ends_at_its_deadline),
        cmocka_unit_test(memory_may_fail_anywhere),
        cmocka_unit_test(topics_go_by_id_where_all_are_known),
        cmocka_unit_test(what_is_given_up_is_answered_late),
        cmocka_unit_test(an_id_that_is_none_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
