/* Goal: who starts where auto.offset.reset has led, and stops before anything is finished, goes on
 * there the next time, and not past what came meanwhile.
 * Method: one consumer of group "g" whose look-ups are answered by the test; its commits are looked
 * at. */
#include "core_commits.h"

enum { SOON_MS = 60 };

/* t-0 is assigned where the group has committed it, which is `committed`. */
static void open_at(struct cons *c, bool auto_commit, int64_t committed) {
    group_prepare(c, auto_commit);
    c->h->settings.offset_reset = SL_RESET_LATEST;
    cons_create(c);
    cons_assign(c, 1, SL_OFFSET_COMMITTED);
    cons_turn(c);
    group_found(c);
    group_found_one(c, 0, committed);
}
static void a_start_is_committed_at_once(void **state) {
    struct cons c;
    (void)state;
    open_at(&c, true, -1);
    cons_found_one(&c, 0, 44);
    assert_int_equal(group_commits(&c), 0); /* others may come, to go together */
    cons_advance(&c, SOON_MS);
    group_answer(&c, 0, 44, 0);
    assert_int_equal(group_committed(&c, 0), 44);
    cons_advance(&c, 60000);
    assert_int_equal(group_commits(&c), 0); /* once */
    cons_end(&c);
}

static void a_refused_start_is_committed_later(void **state) {
    struct cons c;
    (void)state;
    open_at(&c, true, -1);
    cons_found_one(&c, 0, 44);
    cons_advance(&c, SOON_MS);
    group_answer(&c, 0, 44, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    cons_advance(&c, 60000);
    group_answer(&c, 0, 44, 0);
    cons_end(&c);
}

static void a_start_that_is_committed_is_not_again(void **state) {
    struct cons c;
    (void)state;
    open_at(&c, true, 44);
    cons_advance(&c, 60000);
    assert_int_equal(group_commits(&c), 0);
    cons_end(&c);
}

/* Nothing else is a reset: whoever names a place can name it again. */
static void a_place_that_was_asked_for_is_not_committed(void **state) {
    struct cons c;
    (void)state;
    group_prepare(&c, true);
    cons_create(&c);
    cons_assign(&c, 1, SL_OFFSET_LATEST);
    cons_turn(&c);
    cons_found_one(&c, 0, 44);
    cons_advance(&c, 60000);
    assert_int_equal(group_commits(&c), 0);
    cons_end(&c);
}

static void a_commit_by_hand_says_it(void **state) {
    struct cons c;
    (void)state;
    open_at(&c, false, -1);
    cons_found_one(&c, 0, 44);
    cons_advance(&c, 60000);
    assert_int_equal(group_commits(&c), 0);
    cons_open_session(&c, 1, 44, 77);
    struct sl_slice *slice = group_read(&c, 0, 44);
    struct sl_op *op = group_commit_finished(&c, 1000); /* of the start, with records in hand */
    group_answer(&c, 0, 44, 0);
    group_expect_op(op, 0, "");
    group_expect_op(group_commit_finished(&c, 1000), SLUICE_ERR_NO_OFFSET, "none is finished");
    cons_finish(&c, slice);
    group_expect_committing(&c, 0, 54);
    cons_end(&c);
}

static void who_gives_up_commits_the_start(void **state) {
    struct cons c;
    (void)state;
    open_at(&c, true, -1);
    cons_found_one(&c, 0, 44);
    cons_assign(&c, 0, 0);
    cons_turn(&c);
    group_answer(&c, 0, 44, 0);
    cons_end(&c);
}

/* Out of range: the end is committed once what was read before is finished, and not sooner. */
static void a_leap_is_committed_behind_what_is_open(void **state) {
    for (int is_late = 0; is_late < 2; is_late++) {
        struct cons c;
        (void)state;
        open_at(&c, false, 10);
        cons_open_session(&c, 1, 10, 77);
        struct sl_slice *slice;
        if (is_late) { /* the leap is told while the slice is in the queue */
            cons_reply_batch(&c, 0, 10);
            cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
            cons_found_one(&c, 0, 44);
            slice = cons_take(&c);
        } else {
            slice = group_read(&c, 0, 10);
            cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
            cons_found_one(&c, 0, 44);
        }
        assert_int_equal(cons_position(&c, 0), 44);
        assert_int_equal(sl_gate_finished(c.gate, "t", 0), 10);
        cons_finish(&c, slice);
        assert_int_equal(sl_gate_finished(c.gate, "t", 0), 44);
        group_expect_committing(&c, 0, 44);
        cons_end(&c);
    }
}

static void a_leap_passes_no_hole(void **state) {
    struct cons c;
    (void)state;
    open_at(&c, false, 10);
    cons_open_session(&c, 1, 10, 77);
    struct sl_slice *slice = group_read(&c, 0, 10);
    sl_gate_give(c.gate, slice); /* without a word */
    cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    cons_found_one(&c, 0, 44);
    assert_int_equal(sl_gate_finished(c.gate, "t", 0), 10);
    cons_end(&c);
}

/* A log that is shorter now: the committed offset would be amid what is still to come. */
static void a_leap_back_is_committed(void **state) {
    for (int is_held = 0; is_held < 2; is_held++) {
        struct cons c;
        (void)state;
        open_at(&c, true, 1000);
        cons_open_session(&c, 1, 1000, 77);
        struct sl_slice *slice = group_read(&c, 0, 1000);
        if (!is_held) cons_finish(&c, slice);
        cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
        cons_found_one(&c, 0, 44);
        cons_advance(&c, SOON_MS);
        group_answer(&c, 0, 44, 0);
        if (is_held) {
            assert_int_equal(sl_gate_mark(c.gate, slice, 1010, 5), SLUICE_ERR_STALE);
            sl_gate_give(c.gate, slice);
        }
        cons_end(&c);
    }
}

/* What comes back from being handed out in the queue's order leads there as well. */
static void a_leap_back_behind_the_queue_is_committed(void **state) {
    struct cons c;
    (void)state;
    open_at(&c, true, 1000);
    cons_open_session(&c, 1, 1000, 77);
    cons_reply_batch(&c, 0, 1000);
    cons_reply_code(&c, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    cons_found_one(&c, 0, 44);
    cons_finish(&c, cons_take(&c));
    assert_int_equal(cons_position(&c, 0), 44);
    cons_advance(&c, 6000);
    group_answer(&c, 0, 44, 0);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_is_committed_at_once),
        cmocka_unit_test(a_refused_start_is_committed_later),
        cmocka_unit_test(a_start_that_is_committed_is_not_again),
        cmocka_unit_test(a_place_that_was_asked_for_is_not_committed),
        cmocka_unit_test(a_commit_by_hand_says_it),
        cmocka_unit_test(who_gives_up_commits_the_start),
        cmocka_unit_test(a_leap_is_committed_behind_what_is_open),
        cmocka_unit_test(a_leap_passes_no_hole),
        cmocka_unit_test(a_leap_back_is_committed),
        cmocka_unit_test(a_leap_back_behind_the_queue_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
