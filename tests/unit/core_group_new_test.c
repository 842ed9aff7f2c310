/* Goal: what appears while a subscription is on is read from its beginning, although
 * auto.offset.reset=latest; everything else starts as it says.
 * Method: a member whose metadata changes under it; the timestamps of its ListOffsets tell where it
 * wants to begin. */
#include "core_group.h"

enum { EARLIEST = -2, LATEST = -1 };

static void begin(struct cons *c) {
    grp_prepare(c);
    c->h->settings.offset_reset = SL_RESET_LATEST;
}
/* Where each partition of the topic is to begin: the look-ups are answered with offset 7. */
static void expect_starts(struct cons *c, const char *topic, const int64_t *timestamps,
                          int32_t count) {
    struct cons_found found[CONS_PARTS];
    int32_t seen = 0;
    for (int32_t i = 0; i < CONS_PARTS; i++) found[i] = (struct cons_found){0, 7, false};
    while (cons_waiting_lookups(c) > 0) {
        struct cons_lookup lookup = cons_next_lookup(c);
        for (int i = 0; i < lookup.count; i++) {
            if (strcmp(lookup.parts[i].topic, topic) != 0) continue;
            assert_true(lookup.parts[i].partition < count);
            assert_int_equal(lookup.parts[i].offset, timestamps[lookup.parts[i].partition]);
            seen++;
        }
        cons_reply_lookup(c, &lookup, found);
    }
    assert_int_equal(seen, count);
}
static void refresh(struct cons *c) {
    sl_metadata_refresh(c->h->core, NULL);
    cons_advance(c, 3000);
}

static void test_a_topic_grows(void **state) {
    static const int64_t before[] = {LATEST, LATEST, LATEST};
    static const int64_t after[] = {LATEST, LATEST, LATEST, EARLIEST, EARLIEST};
    struct cons c;
    (void)state;
    begin(&c);
    grp_start(&c);
    grp_settle(&c, 1, 3);
    expect_starts(&c, "t", before, 3);
    c.h->topics[0].partition_count = 5;
    refresh(&c);
    grp_settle(&c, 2, 5);
    expect_starts(&c, "t", after, 5);
    /* It stays so: the next owner may be the same, with nothing committed. */
    grp_rebalance(&c);
    grp_settle(&c, 3, 5);
    expect_starts(&c, "t", after, 5);
    cons_end(&c);
}

/* The leader has heard of it, this member not yet. */
static void test_a_partition_nobody_here_has_heard_of(void **state) {
    static const int64_t starts[] = {LATEST, LATEST, LATEST, EARLIEST};
    struct cons c;
    (void)state;
    begin(&c);
    grp_start(&c);
    c.h->topics[0].partition_count = 4;
    grp_settle(&c, 1, 4);
    cons_advance(&c, 3000);
    expect_starts(&c, "t", starts, 4);
    cons_end(&c);
}

static void test_a_topic_appears(void **state) {
    static const int64_t starts[] = {EARLIEST, EARLIEST, EARLIEST};
    struct cons c;
    (void)state;
    begin(&c);
    c.h->topics[0].name = "later";
    grp_start(&c);
    grp_settle(&c, 1, 0);
    c.h->topics[0].name = "t";
    refresh(&c);
    grp_settle(&c, 2, 3);
    expect_starts(&c, "t", starts, 3);
    cons_end(&c);
}

static void test_a_topic_is_made_again(void **state) {
    static const int64_t before[] = {LATEST, LATEST, LATEST};
    static const int64_t after[] = {EARLIEST, EARLIEST, EARLIEST};
    struct cons c;
    (void)state;
    begin(&c);
    grp_start(&c);
    grp_settle(&c, 1, 3);
    expect_starts(&c, "t", before, 3);
    c.h->topics[0].id = 9;
    refresh(&c);
    expect_starts(&c, "t", after, 3);
    cons_end(&c);
}

static void test_a_topic_that_comes_to_match(void **state) {
    static const char *const names[] = {"^t", "^x"};
    static const int64_t old[] = {LATEST, LATEST, LATEST};
    struct cons c;
    (void)state;
    begin(&c);
    cons_create(&c);
    assert_int_equal(sl_gate_subscribe(c.gate, names, 2), 0);
    cons_advance(&c, 3000);
    grp_find(&c, 1);
    grp_settle(&c, 1, 3);
    expect_starts(&c, "t", old, 3);
    c.h->topics[2] = (struct host_topic){"x", 4, 0, 2, 1, 5};
    c.h->topic_count = 3;
    sl_metadata_refresh(c.h->core, NULL);
    cons_advance(&c, 1000);
    struct sl_topic *x = sl_metadata_topic(c.h->core, "x");
    assert_true(sl_group_saw_new(c.h->core, x, 0));
    assert_false(sl_group_saw_new(c.h->core, c.h->core->metadata.topics[0], 0));
    cons_end(&c);
}

/* Whoever subscribes anew begins anew: what grew meanwhile has not appeared under it. */
static void test_another_subscription_knows_nothing_of_before(void **state) {
    static const int64_t starts[] = {LATEST, LATEST, LATEST, LATEST};
    struct cons c;
    (void)state;
    begin(&c);
    grp_start(&c);
    grp_settle(&c, 1, 3);
    expect_starts(&c, "t", starts, 3);
    assert_int_equal(grp_subscribe(&c, NULL, NULL), 0);
    cons_advance(&c, 3000);
    grp_reply_leave(&c);
    c.h->topics[0].partition_count = 4;
    refresh(&c);
    assert_int_equal(c.h->core->metadata.topics[0]->partition_count, 4);
    assert_int_equal(grp_subscribe(&c, "t", NULL), 0);
    cons_turn(&c);
    grp_settle(&c, 2, 4);
    expect_starts(&c, "t", starts, 4);
    cons_end(&c);
}

/* auto.offset.reset=none is a wish to be told. */
static void test_none_stays_none(void **state) {
    struct cons c;
    (void)state;
    begin(&c);
    c.h->settings.offset_reset = SL_RESET_NONE;
    c.h->topics[0].partition_count = 1;
    grp_start(&c);
    c.h->topics[0].partition_count = 2;
    refresh(&c);
    grp_settle(&c, 1, 2);
    cons_expect_error(&c, SLUICE_ERR_NO_OFFSET);
    cons_expect_error(&c, SLUICE_ERR_NO_OFFSET);
    cons_end(&c);
}

static void test_by_hand_nothing_is_new(void **state) {
    static const int64_t starts[] = {LATEST, LATEST, LATEST, LATEST};
    struct cons c;
    (void)state;
    begin(&c);
    cons_create(&c);
    cons_assign(&c, 3, SL_OFFSET_COMMITTED);
    grp_find(&c, 1);
    grp_no_offsets(&c);
    expect_starts(&c, "t", starts, 3);
    c.h->topics[0].partition_count = 4;
    refresh(&c);
    cons_assign(&c, 0, 0);
    cons_assign(&c, 4, SL_OFFSET_COMMITTED);
    cons_turn(&c);
    grp_no_offsets(&c);
    expect_starts(&c, "t", starts, 4);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_topic_grows),
        cmocka_unit_test(test_a_partition_nobody_here_has_heard_of),
        cmocka_unit_test(test_a_topic_appears),
        cmocka_unit_test(test_a_topic_is_made_again),
        cmocka_unit_test(test_a_topic_that_comes_to_match),
        cmocka_unit_test(test_another_subscription_knows_nothing_of_before),
        cmocka_unit_test(test_none_stays_none),
        cmocka_unit_test(test_by_hand_nothing_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
