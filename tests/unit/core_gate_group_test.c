/* The gate's side of a group: partitions come and go, held back at once, held by batches in hand,
 * and told to the application where it wants to know. */
#include "unit/core_gate.h"

#include "core/gate_slots.h"

/* ---- the group's side ---- */

static uint64_t serial;

static struct sl_offsets *list_partitions(struct fixture *f, int32_t first, int32_t count) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(&f->memory.alloc, &list), 0);
    for (int32_t i = 0; i < count; i++)
        sl_offset_list_put(list, "t", first + i)->offset = SL_OFFSET_COMMITTED;
    return list;
}
static struct sl_rebalance *make(struct fixture *f, enum sl_rebalance_kind kind, int32_t slots) {
    struct sl_rebalance *r;
    assert_int_equal(sl_rebalance_create(&f->memory.alloc, kind, ++serial, slots, &r), 0);
    return r;
}
static void send(struct fixture *f, struct sl_rebalance *r) {
    struct sl_list list;
    sl_list_init(&list);
    sl_list_push_back(&list, &r->node);
    sl_gate_on_rebalances(f->gate, &list);
    sl_gate_check(f->gate);
}
/* Partitions 0 … count-1 are assigned, those from `first` on are new. */
static void send_assigned(struct fixture *f, int32_t first, int32_t count) {
    struct sl_rebalance *r = make(f, SL_REBALANCE_ASSIGNED, 0);
    r->whole = list_partitions(f, 0, count);
    r->offsets = list_partitions(f, first, count - first);
    send(f, r);
}
static void send_parting(struct fixture *f, enum sl_rebalance_kind kind, int32_t first,
                         int32_t count) {
    struct sl_rebalance *r = make(f, kind, count);
    r->offsets = list_partitions(f, first, count);
    send(f, r);
}
static void send_release(struct fixture *f, uint64_t of) {
    struct sl_rebalance *r = make(f, SL_REBALANCE_RELEASE, -1);
    r->serial = of;
    send(f, r);
}
/* Subscribed, with three partitions that are committed at 0. */
static void join(struct fixture *f) {
    static const char *const topics[] = {"t"};
    start(f, 0);
    f->settings.group_id = (char *)(uintptr_t) "g";
    f->settings.auto_commit = true;
    assert_int_equal(sl_gate_subscribe(f->gate, topics, 1), 0);
    take_orders(f);
    send_assigned(f, 0, 3);
    take_orders(f);
    for (uint32_t i = 0; i < 3; i++) feed_start(f, i, 0, 0);
}
/* … of the first of which a slice is in hand. */
static struct sl_slice *join_and_hold(struct fixture *f) {
    join(f);
    feed(f, 0);
    return take_from(f, 0, 0);
}
static void leave(struct fixture *f) {
    send_parting(f, SL_REBALANCE_LOST, 0, 3);
    assert_int_equal(sl_gate_subscribe(f->gate, NULL, 0), 0);
    take_orders(f);
    end(f);
}
static void expect_answer(struct fixture *f, enum sl_rebalance_kind kind, int code) {
    int before = f->answers;
    take_orders(f);
    assert_int_equal(f->answers, before + 1);
    assert_int_equal(f->answer_kind, kind);
    assert_int_equal(f->answer_code, code);
}
static void expect_no_answer(struct fixture *f) {
    int before = f->answers;
    take_orders(f);
    assert_int_equal(f->answers, before);
}

/* ---- without notices ---- */

static void test_assigned_partitions_are_read(void **state) {
    struct fixture f;
    (void)state;
    start(&f, 0);
    send_assigned(&f, 0, 2);
    expect_answer(&f, SL_REBALANCE_ASSIGNED, 0);
    assert_string_equal(f.core[0].topic, "t");
    assert_int_equal(f.core[0].next, SL_OFFSET_COMMITTED);
    feed_news(&f, 0, 7);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 7));
    send_parting(&f, SL_REBALANCE_LOST, 0, 2);
    end(&f);
}

static void test_what_stays_is_untouched(void **state) {
    struct fixture f;
    (void)state;
    join(&f);
    feed(&f, 0);
    feed(&f, 1);
    assert_int_equal(set_paused(&f, 1, true), 0);
    struct sl_slice *slice = take_from(&f, 0, 0);
    send_assigned(&f, 3, 4);
    expect_answer(&f, SL_REBALANCE_ASSIGNED, 0);
    finish(&f, slice);
    assert_int_equal(finished(&f, 0), 10);
    assert_true(position(&f, 1).paused);
    assert_int_equal(set_paused(&f, 1, false), 0);
    finish(&f, take_from(&f, 1, 0));
    send_parting(&f, SL_REBALANCE_LOST, 3, 1);
    leave(&f);
}

static void test_revoked_is_held_back_at_once(void **state) {
    struct fixture f;
    (void)state;
    join(&f);
    feed(&f, 0);
    feed(&f, 1);
    struct sl_slice *held = take_from(&f, 0, 0);
    feed(&f, 0);
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 1);
    expect_no_answer(&f);
    feed(&f, 0); /* was under way */
    struct sl_slice *other = take_from(&f, 1, 0);
    finish(&f, other);
    assert_null(take(&f));
    mark(&f, held, 4);
    give(&f, held);
    expect_answer(&f, SL_REBALANCE_REVOKING, 0);
    assert_int_equal(f.answer_offsets[0], 4);
    assert_int_equal(finished(&f, 0), -1);
    send_parting(&f, SL_REBALANCE_LOST, 1, 2);
    take_orders(&f);
    leave(&f);
}

static void test_with_nothing_in_hand_it_goes_at_once(void **state) {
    struct fixture f;
    (void)state;
    join(&f);
    feed(&f, 0);
    finish(&f, take_from(&f, 0, 0));
    feed(&f, 0); /* buffered, never handed out */
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 3);
    expect_answer(&f, SL_REBALANCE_REVOKING, 0);
    assert_int_equal(f.answer_offsets[0], 10);
    leave(&f);
}

static void test_held_too_long_it_is_stale(void **state) {
    struct fixture f;
    (void)state;
    struct sl_slice *held = join_and_hold(&f);
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 3);
    uint64_t revocation = serial;
    expect_no_answer(&f);
    send_release(&f, revocation + 100); /* of another one */
    expect_no_answer(&f);
    send_release(&f, revocation);
    expect_answer(&f, SL_REBALANCE_REVOKING, 0);
    assert_int_equal(f.answer_serial, revocation);
    assert_int_equal(f.answer_offsets[0], -1); /* nothing is finished */
    assert_int_equal(sl_gate_mark(f.gate, held, 10, -1), SLUICE_ERR_STALE);
    give(&f, held);
    leave(&f);
}

static void test_lost_is_gone_at_once(void **state) {
    struct fixture f;
    (void)state;
    struct sl_slice *held = join_and_hold(&f);
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 1);
    expect_no_answer(&f);
    send_parting(&f, SL_REBALANCE_LOST, 0, 3); /* overtakes; the revocation has no answer */
    expect_answer(&f, SL_REBALANCE_LOST, 0);
    assert_int_equal(sl_gate_mark(f.gate, held, 10, -1), SLUICE_ERR_STALE);
    give(&f, held);
    expect_no_answer(&f);
    leave(&f);
}

static void test_a_close_is_held_by_nothing(void **state) {
    struct fixture f;
    (void)state;
    struct sl_slice *held = join_and_hold(&f);
    mark(&f, held, 3);
    struct sl_rebalance *r = make(&f, SL_REBALANCE_REVOKING, 3);
    r->offsets = list_partitions(&f, 0, 3);
    r->hurries = true;
    send(&f, r);
    expect_answer(&f, SL_REBALANCE_REVOKING, 0);
    assert_int_equal(f.answer_offsets[0], 3);
    give(&f, held);
    leave(&f);
}

static void test_untaken_does_not_hold(void **state) {
    struct fixture f;
    (void)state;
    struct sl_slice *held = join_and_hold(&f);
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 1);
    expect_no_answer(&f);
    assert_int_equal(sl_gate_untake(f.gate, held, 0), 0);
    expect_answer(&f, SL_REBALANCE_REVOKING, 0);
    assert_null(take(&f));
    send_parting(&f, SL_REBALANCE_LOST, 1, 2);
    take_orders(&f);
    leave(&f);
}

/* ---- with notices ---- */

static void join_with_notices(struct fixture *f) {
    join(f);
    f->settings.rebalance_notices = true;
}
static const struct sl_rebalance *take_notice(struct fixture *f, enum sl_rebalance_kind kind) {
    struct sl_slice *slice;
    assert_int_equal(take_code(f, &slice), SLUICE_NOTICE_REBALANCE);
    const struct sl_rebalance *r = sl_gate_peek_notice(f->gate);
    assert_non_null(r);
    assert_int_equal(r->kind, kind);
    sl_gate_take_notice(f->gate);
    assert_false(sl_gate_has_notice(f->gate));
    return r;
}

static void test_notice_of_assigned(void **state) {
    struct fixture f;
    (void)state;
    join_with_notices(&f);
    send_assigned(&f, 3, 4);
    expect_no_answer(&f);
    uint64_t notice = take_notice(&f, SL_REBALANCE_ASSIGNED)->serial;
    struct sl_offsets *begin = list_of("t", 3, 42);
    assert_int_equal(sl_gate_end_notice(f.gate, notice, begin), 0);
    sl_offset_list_destroy(begin);
    expect_answer(&f, SL_REBALANCE_ASSIGNED, 0);
    assert_int_equal(position(&f, 3).offset, 42);
    assert_int_equal(position(&f, 0).offset, 0);
    assert_int_equal(sl_gate_end_notice(f.gate, notice, NULL), SLUICE_ERR_STALE);
    f.settings.rebalance_notices = false;
    send_parting(&f, SL_REBALANCE_LOST, 3, 1);
    leave(&f);
}

/* What came is taken back before the application has answered. */
static void test_notice_that_is_withdrawn(void **state) {
    struct fixture f;
    (void)state;
    join_with_notices(&f);
    send_assigned(&f, 3, 4);
    uint64_t notice = take_notice(&f, SL_REBALANCE_ASSIGNED)->serial;
    send_release(&f, notice + 1); /* of something else */
    expect_no_answer(&f);
    send_release(&f, notice);
    expect_answer(&f, SL_REBALANCE_ASSIGNED, SLUICE_ERR_STALE);
    assert_int_equal(sl_gate_end_notice(f.gate, notice, NULL), SLUICE_ERR_STALE);
    assert_null(sl_gate_slots_find(f.gate, "t", 3));
    send_assigned(&f, 3, 4);
    send_release(&f, serial); /* nobody has taken it */
    expect_answer(&f, SL_REBALANCE_ASSIGNED, SLUICE_ERR_STALE);
    assert_false(sl_gate_has_notice(f.gate));
    f.settings.rebalance_notices = false;
    leave(&f);
}
static void test_notice_of_revoking(void **state) {
    struct fixture f;
    (void)state;
    join_with_notices(&f);
    feed(&f, 0);
    struct sl_slice *held = take_from(&f, 0, 0);
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 1);
    uint64_t notice = take_notice(&f, SL_REBALANCE_REVOKING)->serial;
    finish(&f, held);
    expect_no_answer(&f); /* the application has not said that it is done */
    assert_int_equal(sl_gate_end_notice(f.gate, notice, NULL), 0);
    expect_answer(&f, SL_REBALANCE_REVOKING, 0);
    assert_int_equal(f.answer_offsets[0], 10);
    f.settings.rebalance_notices = false;
    send_parting(&f, SL_REBALANCE_LOST, 1, 2);
    take_orders(&f);
    leave(&f);
}

static void test_notice_that_is_too_late(void **state) {
    struct fixture f;
    (void)state;
    join_with_notices(&f);
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 1);
    uint64_t notice = take_notice(&f, SL_REBALANCE_REVOKING)->serial;
    send_release(&f, notice);
    expect_answer(&f, SL_REBALANCE_REVOKING, 0);
    assert_int_equal(sl_gate_end_notice(f.gate, notice, NULL), SLUICE_ERR_STALE);
    send_parting(&f, SL_REBALANCE_LOST, 1, 2);
    expect_answer(&f, SL_REBALANCE_LOST, 0);
    notice = take_notice(&f, SL_REBALANCE_LOST)->serial;
    assert_int_equal(sl_gate_end_notice(f.gate, notice, NULL), 0);
    f.settings.rebalance_notices = false;
    leave(&f);
}

/* ---- polls, subscriptions, failures ---- */

static void ask(struct fixture *f, bool waits) {
    struct sl_rebalance *r = make(f, SL_REBALANCE_POLLED, 0);
    r->waits = waits;
    send(f, r);
}

static void test_polls_are_known(void **state) {
    struct fixture f;
    (void)state;
    join(&f);
    ask(&f, false);
    expect_answer(&f, SL_REBALANCE_POLLED, 1); /* subscribing counts */
    ask(&f, false);
    expect_answer(&f, SL_REBALANCE_POLLED, 0);
    assert_false(sl_gate_poll_begin(f.gate));
    ask(&f, false);
    expect_answer(&f, SL_REBALANCE_POLLED, 1);
    ask(&f, false); /* it has not come back yet */
    expect_answer(&f, SL_REBALANCE_POLLED, 1);
    sl_gate_poll_end(f.gate);
    ask(&f, true);
    expect_no_answer(&f);
    assert_true(sl_gate_poll_begin(f.gate));
    expect_answer(&f, SL_REBALANCE_POLLED, 1);
    sl_gate_poll_end(f.gate);
    leave(&f);
}

static void test_by_hand_or_by_group(void **state) {
    static const char *const topics[] = {"t"};
    struct fixture f;
    (void)state;
    start(&f, 1);
    assert_int_equal(sl_gate_subscribe(f.gate, topics, 1), SLUICE_ERR_USAGE);
    assert_int_equal(sl_gate_rejoin(f.gate, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(assign(&f, 0, 0), 0);
    assert_int_equal(sl_gate_subscribe(f.gate, topics, 1), 0);
    assert_int_equal(assign(&f, 1, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sl_gate_rejoin(f.gate, "why not"), 0);
    take_orders(&f);
    send_assigned(&f, 0, 3);
    assert_int_equal(sl_gate_subscribe(f.gate, NULL, 0), 0);
    take_orders(&f);
    assert_int_equal(assign(&f, 1, 0), SLUICE_ERR_BUSY);
    send_parting(&f, SL_REBALANCE_REVOKING, 0, 3);
    take_orders(&f);
    assert_int_equal(assign(&f, 1, 0), 0);
    take_orders(&f);
    end(&f);
}

static void test_a_failure_is_told_once(void **state) {
    struct fixture f;
    struct sl_slice *slice;
    (void)state;
    join(&f);
    struct sl_rebalance *r = make(&f, SL_REBALANCE_FAILED, -1);
    r->code = 82;
    memcpy(r->text, "fenced", 7);
    send(&f, r);
    assert_true(sl_gate_is_ready(f.gate));
    assert_int_equal(take_code(&f, &slice), 82);
    assert_string_equal(said, "fenced");
    assert_int_equal(take_code(&f, &slice), 0);
    leave(&f);
}

static void test_no_failing_allocation_loses_an_answer(void **state) {
    (void)state;
    for (int at = 1; at < 12; at++) {
        struct fixture f;
        start(&f, 0);
        struct sl_rebalance *r = make(&f, SL_REBALANCE_ASSIGNED, 0);
        r->whole = list_partitions(&f, 0, 3);
        r->offsets = list_partitions(&f, 0, 3);
        test_memory_fail_at(&f.memory, at);
        send(&f, r);
        test_memory_fail_at(&f.memory, 0);
        int before = f.answers;
        take_orders(&f);
        assert_int_equal(f.answers, before + 1);
        if (f.answer_code != 0) assert_int_equal(f.answer_code, SLUICE_ERR_NOMEM);
        send_parting(&f, SL_REBALANCE_LOST, 0, 3);
        end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_assigned_partitions_are_read),
        cmocka_unit_test(test_what_stays_is_untouched),
        cmocka_unit_test(test_revoked_is_held_back_at_once),
        cmocka_unit_test(test_with_nothing_in_hand_it_goes_at_once),
        cmocka_unit_test(test_held_too_long_it_is_stale),
        cmocka_unit_test(test_lost_is_gone_at_once),
        cmocka_unit_test(test_a_close_is_held_by_nothing),
        cmocka_unit_test(test_untaken_does_not_hold),
        cmocka_unit_test(test_notice_of_assigned),
        cmocka_unit_test(test_notice_that_is_withdrawn),
        cmocka_unit_test(test_notice_of_revoking),
        cmocka_unit_test(test_notice_that_is_too_late),
        cmocka_unit_test(test_polls_are_known),
        cmocka_unit_test(test_by_hand_or_by_group),
        cmocka_unit_test(test_a_failure_is_told_once),
        cmocka_unit_test(test_no_failing_allocation_loses_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
