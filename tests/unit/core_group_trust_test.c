/* Goal: a member that stood still for longer than its session hands out nothing of its partitions
 * before the coordinator has answered: they may be another's. As long as it hears of it in time,
 * nothing changes for the application. Method: time passes without a turn, as when the process is
 * stopped; then the application polls. */
#include "core_group.h"

#include "sluice/kafka_errors.h"

/* A member with t-0, of which a batch is buffered and a Fetch under way; sessions last 45 s. */
static void open_member(struct cons *c) {
    grp_prepare(c);
    grp_start(c);
    grp_settle(c, 1, 1);
    grp_find_starts(c);
    cons_reply_batch(c, 0, 0);
}
/* The process is stopped for so long. */
static void freeze(struct cons *c, int64_t ms) { c->h->now += ms * SL_MS; }

static void after_a_short_pause_it_goes_on(void **state) {
    struct cons c;
    (void)state;
    open_member(&c);
    freeze(&c, 44000);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

static void after_a_long_one_nothing_is_handed_out(void **state) {
    struct cons c;
    (void)state;
    open_member(&c);
    freeze(&c, 46000);
    assert_true(sl_gate_is_ready(c.gate)); /* nobody has looked at the time */
    cons_expect_nothing(&c);
    assert_false(sl_gate_is_ready(c.gate));
    cons_turn(&c);
    cons_expect_nothing(&c);
    assert_true(host_was_told(c.h, "nothing of them is handed out"));
    (void)grp_reply_heartbeat(&c, 0); /* it was late, but nobody has noticed */
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

static void who_was_put_out_has_lost_everything(void **state) {
    struct cons c;
    (void)state;
    open_member(&c);
    freeze(&c, 46000);
    cons_expect_nothing(&c);
    cons_turn(&c);
    (void)grp_reply_heartbeat(&c, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    cons_expect_nothing(&c);
    assert_int_equal(grp_owned(&c), 0);
    cons_end(&c);
}

/* The answer was on its way when the process was stopped: it says what was so before. */
static void an_old_answer_proves_nothing(void **state) {
    struct cons c;
    (void)state;
    open_member(&c);
    cons_advance(&c, 3000);
    freeze(&c, 46000);
    (void)grp_reply_heartbeat(&c, 0);
    cons_expect_nothing(&c);
    assert_int_equal(grp_waiting(&c, SL_API_HEARTBEAT), 1); /* it asks at once */
    (void)grp_reply_heartbeat(&c, 0);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

/* The broker keeps who joins for as long as a rebalance may take. */
static void while_it_joins_it_has_the_rebalance_timeout(void **state) {
    static const int64_t pauses[] = {290000, 310000};
    for (int i = 0; i < 2; i++) {
        struct cons c;
        (void)state;
        grp_prepare(&c);
        c.h->settings.assignors = SL_ASSIGNOR_COOPERATIVE_STICKY; /* keeps what it has */
        grp_start(&c);
        assert_true(grp_of(&c)->is_cooperative);
        grp_settle(&c, 1, 1);
        grp_find_starts(&c);
        cons_reply_batch(&c, 0, 0);
        grp_rebalance(&c);
        assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 1);
        freeze(&c, pauses[i]);
        if (i == 0)
            cons_expect(&c, 0, 0, 10);
        else
            cons_expect_nothing(&c);
        cons_end(&c);
    }
}

/* A JoinGroup that has not left is nothing that the broker would wait for. */
static void before_it_joins_it_has_its_session(void **state) {
    struct cons c;
    (void)state;
    grp_prepare(&c);
    c.h->settings.assignors = SL_ASSIGNOR_COOPERATIVE_STICKY;
    grp_start(&c);
    struct grp_join join = grp_next_join(&c);
    grp_reply_join(&c, &join, 1, "m1", "m1", 0);
    struct grp_sync sync = grp_next_sync(&c);
    grp_reply_sync(&c, &sync, 0, 1);
    grp_find_starts(&c);
    cons_reply_batch(&c, 0, 0);
    c.h->hold_open = true;
    host_cut(c.h, join.r.conn, "gone");
    grp_rebalance(&c);
    assert_true(grp_of(&c)->join.active);
    assert_int_equal(grp_waiting(&c, SL_API_JOIN_GROUP), 0);
    freeze(&c, 46000);
    cons_expect_nothing(&c);
    cons_end(&c);
}

/* Without a group there is nobody to ask. */
static void by_hand_it_is_never_in_doubt(void **state) {
    struct cons c;
    (void)state;
    cons_open(&c, 1);
    cons_reply_batch(&c, 0, 0);
    freeze(&c, 1000000);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_short_pause_it_goes_on),
        cmocka_unit_test(after_a_long_one_nothing_is_handed_out),
        cmocka_unit_test(who_was_put_out_has_lost_everything),
        cmocka_unit_test(an_old_answer_proves_nothing),
        cmocka_unit_test(while_it_joins_it_has_the_rebalance_timeout),
        cmocka_unit_test(before_it_joins_it_has_its_session),
        cmocka_unit_test(by_hand_it_is_never_in_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
