/* Goal: a leader shares partitions near to where their replicas are (KIP-881), and notices when they
 * move; whoever leads no group keeps nothing of that.
 * Method: two members, of which this one is in rack "a"; metadata tells replicas on brokers 1 and 2
 * and their racks. Without racks this member gets partitions 0 and 1, the other one 2; with them the
 * other one, which tells none, is near to everything, and this one gets what is near to it. */
#include "core_group.h"

static int32_t spread[3][2] = {{2, 2}, {2, 2}, {1, 2}}; /* of 0 and 1 none is near */
static int32_t moved[3][2] = {{2, 1}, {2, 2}, {2, 2}};

static void begin(struct cons *c) {
    grp_prepare(c);
    c->h->settings.client_rack = (char *)(uintptr_t) "a";
    c->h->racks[0] = "a";
    c->h->racks[1] = "b";
    c->h->replicas = spread;
}
/* It has asked to join, and knows the topics. */
static void start(struct cons *c) {
    grp_start(c);
    cons_advance(c, 10);
}
/* Shared among two, in that generation. */
static struct grp_sync share(struct cons *c, int32_t generation) {
    struct grp_join join = grp_next_join(c);
    grp_reply_join(c, &join, generation, "m1", "m1", 1);
    return grp_next_sync(c);
}
/* It leads the first generation, in which the other one has everything. */
static void lead(struct cons *c) {
    struct grp_sync sync = share(c, 1);
    grp_reply_sync(c, &sync, 0, 0);
}
static void refresh(struct cons *c) {
    sl_metadata_refresh(c->h->core, NULL);
    cons_advance(c, 2500);
}

static void test_near_ones_first(void **state) {
    struct cons c;
    (void)state;
    begin(&c);
    start(&c);
    struct grp_sync sync = share(&c, 1);
    assert_int_equal(sync.numbers[0], 1 << 2);
    assert_int_equal(sync.numbers[1], 1 << 0 | 1 << 1);
    /* They are needed while they are shared only. */
    assert_null(grp_of(&c)->watch[0].replicas);
    cons_end(&c);
}

static void test_waits_for_the_answer(void **state) {
    struct cons c;
    (void)state;
    begin(&c);
    start(&c);
    c.h->hold_metadata = true;
    struct grp_join join = grp_next_join(&c);
    grp_reply_join(&c, &join, 1, "m1", "m1", 1);
    assert_int_equal(grp_of(&c)->state, SL_GROUP_ASSIGNING);
    assert_int_equal(grp_waiting(&c, SL_API_SYNC_GROUP), 0);
    struct host_request r = host_next_request(c.h, SL_API_METADATA);
    host_answer_metadata(c.h, &r);
    cons_turn(&c);
    assert_int_equal(grp_next_sync(&c).numbers[0], 1 << 2);
    cons_end(&c);
}

/* Without an answer they are shared all the same, in time for the others. */
static void test_does_not_wait_for_ever(void **state) {
    struct cons c;
    (void)state;
    begin(&c);
    start(&c);
    c.h->hold_metadata = true;
    struct grp_join join = grp_next_join(&c);
    grp_reply_join(&c, &join, 1, "m1", "m1", 1);
    grp_beat(&c, 22000);
    assert_int_equal(grp_waiting(&c, SL_API_SYNC_GROUP), 0);
    grp_beat(&c, 1000);
    assert_int_equal(grp_next_sync(&c).numbers[0], 1 << 0 | 1 << 1);
    cons_end(&c);
}

static void test_replicas_that_move(void **state) {
    struct cons c;
    (void)state;
    begin(&c);
    start(&c);
    lead(&c);
    refresh(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    c.h->replicas = moved;
    refresh(&c);
    struct grp_sync sync = share(&c, 2);
    assert_int_equal(sync.numbers[0], 1 << 0);
    grp_reply_sync(&c, &sync, 0, 0);
    /* In another order they are where they were. */
    static int32_t turned[3][2] = {{1, 2}, {2, 2}, {2, 2}};
    c.h->replicas = turned;
    refresh(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    /* A rack that gets another name is another rack. */
    c.h->racks[0] = "c";
    refresh(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 1);
    cons_end(&c);
}

/* A broker that is away moves nothing, nor does its coming back. */
static void test_a_broker_that_is_away(void **state) {
    static int32_t three[3][2] = {{2, 3}, {2, 3}, {1, 3}};
    struct cons c;
    (void)state;
    begin(&c);
    c.h->nodes[2] = (struct host_node){3, "b3", 9092};
    c.h->racks[2] = "a";
    c.h->node_count = 3;
    c.h->replicas = three;
    start(&c);
    lead(&c);
    c.h->node_count = 2;
    refresh(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    c.h->node_count = 3;
    refresh(&c);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    cons_end(&c);
}

static void test_without_need_nothing_is_asked(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct cons c;
        begin(&c);
        if (i == 0) c.h->settings.client_rack = (char *)(uintptr_t) "";
        if (i == 1) c.h->settings.assignors = SL_ASSIGNOR_COOPERATIVE_STICKY;
        start(&c);
        struct grp_join join = grp_next_join(&c);
        c.h->hold_metadata = true;
        /* At last it does not lead. */
        grp_reply_join(&c, &join, 1, "m1", i == 2 ? "other-1" : "m1", 1);
        assert_int_equal(grp_waiting(&c, SL_API_METADATA), 0);
        assert_int_equal(grp_waiting(&c, SL_API_SYNC_GROUP), 1);
        assert_false(grp_of(&c)->has_racks);
        cons_end(&c);
    }
}

/* Who leads no more keeps nothing of what it watched. */
static void test_a_leader_that_was(void **state) {
    struct cons c;
    (void)state;
    begin(&c);
    start(&c);
    lead(&c);
    assert_int_equal(grp_of(&c)->watch_count, 1);
    grp_rebalance(&c);
    struct grp_join join = grp_next_join(&c);
    grp_reply_join(&c, &join, 2, "m1", "other-1", 0);
    assert_int_equal(grp_of(&c)->watch_count, 0);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_ones_first),
        cmocka_unit_test(test_waits_for_the_answer),
        cmocka_unit_test(test_does_not_wait_for_ever),
        cmocka_unit_test(test_replicas_that_move),
        cmocka_unit_test(test_a_broker_that_is_away),
        cmocka_unit_test(test_without_need_nothing_is_asked),
        cmocka_unit_test(test_a_leader_that_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
