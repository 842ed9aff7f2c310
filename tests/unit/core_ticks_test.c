/* Commits that nobody asks for: ticks of enable.auto.commit, partitions that go, the close. */
#include "core_commits.h"

/* An interval has passed: the tick's commit, if there is one, waits for its answer. */
static void pass_interval(struct cons *c) {
    cons_compact(c);
    cons_advance(c, 5000);
    if (group_finds(c) > 0) group_found(c);
}
static int64_t tick_at(const struct cons *c) { return c->h->core->committer.collect_at; }

static void a_tick_commits_what_is_new(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, true);
    assert_int_equal(tick_at(&c), SL_NEVER);
    struct sl_slice *slice = group_read(&c, 0, 0);
    assert_true(tick_at(&c) != SL_NEVER);
    pass_interval(&c);
    assert_int_equal(group_commits(&c), 0); /* nothing is finished */
    assert_int_equal(sl_gate_mark(c.gate, slice, 4, 5), 0);
    assert_int_equal(group_commits(&c), 0);
    pass_interval(&c);
    group_answer(&c, 0, 4, 0);
    pass_interval(&c);
    assert_int_equal(group_commits(&c), 0); /* nothing new */
    assert_true(tick_at(&c) != SL_NEVER);   /* the slice is still in hand */
    cons_finish(&c, slice);
    pass_interval(&c);
    group_answer(&c, 0, 10, 0);
    assert_int_equal(group_committed(&c, 0), 10);
    cons_end(&c);
}

/* Nothing is in hand and nothing waits to be taken: no deadline of ours stands. */
static void an_idle_consumer_is_not_woken(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, true);
    group_process(&c, 0, 0);
    pass_interval(&c);
    group_answer(&c, 0, 10, 0);
    assert_int_equal(tick_at(&c), SL_NEVER);
    assert_int_equal(sl_committer_deadline(c.h->core), SL_NEVER);
    group_process(&c, 0, 10);
    assert_true(tick_at(&c) != SL_NEVER);
    cons_end(&c);
}

static void without_auto_commit_nothing_is_asked(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    group_process(&c, 0, 0);
    assert_int_equal(sl_committer_deadline(c.h->core), SL_NEVER);
    pass_interval(&c);
    assert_int_equal(group_finds(&c) + group_commits(&c), 0);
    struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 1000);
    cons_turn(&c);
    group_expect_op(close, 0, "");
    cons_end(&c);
}

/* What a tick could not commit is in the next one, with what is new by then, and said once. */
static void the_next_tick_has_what_failed(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, true);
    group_process(&c, 0, 0);
    group_process(&c, 1, 0);
    pass_interval(&c);
    struct group_commit commit = group_next_commit(&c);
    assert_int_equal(commit.count, 2);
    int16_t codes[2];
    for (int i = 0; i < 2; i++)
        codes[i] =
            commit.parts[i].partition == 0 ? SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION : (int16_t)0;
    group_reply_codes(&c, &commit, codes);
    assert_true(host_was_told(c.h, "t-0 at offset 10"));
    assert_true(host_was_told(c.h, "UNKNOWN_TOPIC_OR_PARTITION"));
    cons_advance(&c, 1000);
    assert_int_equal(group_commits(&c), 0); /* left to the next tick */
    pass_interval(&c);
    group_answer(&c, 0, 10, 0);
    assert_int_equal(group_committed(&c, 0), 10);
    assert_int_equal(group_committed(&c, 1), 10);
    pass_interval(&c);
    assert_int_equal(group_commits(&c), 0);
    cons_end(&c);
}

/* However short the interval, a refusal that lasts is not asked for again and again. */
static void failing_ticks_back_off(void **state) {
    (void)state;
    struct cons c;
    group_prepare(&c, true);
    c.h->settings.auto_commit_ms = 1;
    group_start(&c, 1);
    struct sl_slice *slice = group_read(&c, 0, 0);
    assert_int_equal(sl_gate_mark(c.gate, slice, 4, 5), 0); /* the rest stays in hand */
    int commits = 0;
    for (int ms = 0; ms < 5000; ms++) {
        cons_advance(&c, 1);
        if (group_finds(&c) > 0) group_found(&c);
        if (group_commits(&c) == 0) continue;
        group_answer(&c, 0, 4, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        cons_compact(&c);
        commits++;
    }
    assert_in_range(commits, 4, 15);
    sl_gate_give(c.gate, slice);
    cons_end(&c);
}

/* However short the interval, who holds records for long is asked at a walking pace; what is finished
 * is committed soon all the same. */
static void empty_ticks_do_not_spin(void **state) {
    (void)state;
    struct cons c;
    group_prepare(&c, true);
    c.h->settings.auto_commit_ms = 1;
    group_start(&c, 1);
    struct sl_slice *slice = group_read(&c, 0, 0);
    int looks = 0;
    for (int ms = 0; ms < 1000; ms++) {
        int64_t before = tick_at(&c);
        cons_advance(&c, 1);
        looks += tick_at(&c) != before;
    }
    assert_in_range(looks, 50, 110);
    assert_int_equal(sl_gate_mark(c.gate, slice, 4, 5), 0);
    cons_advance(&c, 11);
    if (group_finds(&c) > 0) group_found(&c);
    group_answer(&c, 0, 4, 0);
    assert_int_equal(group_committed(&c, 0), 4);
    sl_gate_give(c.gate, slice);
    cons_end(&c);
}

/* While a tick waits for its coordinator there is no second one. */
static void ticks_do_not_pile_up(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, true);
    group_process(&c, 0, 0);
    pass_interval(&c);
    group_answer(&c, 0, 10, SLUICE_KAFKA_NOT_COORDINATOR);
    for (int i = 1; i < 6; i++) {
        group_process(&c, 0, 10 * i);
        cons_advance(&c, 5000);
    }
    int tasks = 0;
    SL_LIST_EACH(node, next, &c.h->core->committer.waiting) tasks++;
    assert_int_equal(tasks, 1);
    group_found(&c);
    group_answer(&c, 0, 10, 0);
    pass_interval(&c);
    group_answer(&c, 0, 60, 0);
    cons_end(&c);
}

/* The application's own offset stands until more is finished than it says. */
static void a_tick_does_not_undo_what_was_asked(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, true);
    group_process(&c, 0, 0);
    struct sl_slice *slice = group_read(&c, 0, 10);
    struct sl_op *op = group_commit_one(&c, 0, 16, 10000); /* within the batch in hand */
    group_found(&c);
    group_answer(&c, 0, 16, 0);
    group_expect_op(op, 0, "");
    pass_interval(&c);
    assert_int_equal(group_commits(&c), 0); /* 10 would be a step back */
    cons_finish(&c, slice);
    pass_interval(&c);
    group_answer(&c, 0, 20, 0);
    op = group_commit_one(&c, 0, 5, 10000); /* to read them again */
    group_answer(&c, 0, 5, 0);
    group_expect_op(op, 0, "");
    pass_interval(&c);
    assert_int_equal(group_commits(&c), 0);
    struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 1000);
    cons_turn(&c);
    if (group_commits(&c) > 0) group_answer(&c, 0, 20, 0);
    cons_advance(&c, 1000);
    assert_int_equal(close->state, SL_OP_ENDED);
    cons_end(&c);
}

static void freed_batches_are_logged_once(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, true);
    sl_gate_give(c.gate, group_read(&c, 0, 0));
    cons_turn(&c);
    assert_true(host_was_told(c.h, "t-0: records from offset 0 on were given back unfinished"));
    sl_gate_give(c.gate, group_read(&c, 0, 10));
    cons_turn(&c);
    int lines = 0;
    SL_LIST_EACH(node, next, &c.h->events.notices)
        lines += strstr(SL_LIST_OF(node, struct sl_notice, node)->text, "unfinished") != NULL;
    assert_int_equal(lines, 1);
    pass_interval(&c);
    assert_int_equal(group_commits(&c), 0);
    cons_end(&c);
}

/* What goes with an assignment is committed, and read by whoever takes it again only then. */
static void a_partition_given_up_is_committed_first(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, true);
    group_process(&c, 0, 0);
    struct sl_slice *slice = group_read(&c, 1, 0);
    assert_int_equal(sl_gate_mark(c.gate, slice, 4, 5), 0);
    cons_assign(&c, 0, 0);
    assert_int_equal(sl_gate_mark(c.gate, slice, 10, 5), SLUICE_ERR_STALE);
    sl_gate_give(c.gate, slice);
    cons_assign(&c, 1, SL_OFFSET_COMMITTED);
    cons_turn(&c);
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    assert_int_equal(commit.count, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(commit.parts[i].offset, commit.parts[i].partition == 0 ? 10 : 4);
    assert_int_equal(group_lookups(&c), 0);
    group_reply(&c, &commit, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION); /* nobody has it again */
    cons_advance(&c, 300);
    assert_int_equal(group_lookups(&c), 0);
    commit = group_next_commit(&c);
    group_reply(&c, &commit, 0);
    group_found_one(&c, 0, 10);
    assert_int_equal(cons_position(&c, 0), 10);
    assert_int_equal(group_committed(&c, 0), 10);
    cons_end(&c);
}

static void given_up_for_so_long_only(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, true);
    group_process(&c, 0, 0);
    cons_assign(&c, 1, SL_OFFSET_COMMITTED); /* keeps it */
    cons_turn(&c);
    assert_int_equal(group_finds(&c), 0);
    cons_assign(&c, 0, 0);
    cons_turn(&c);
    group_answer_find(&c, SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE, -1);
    for (int i = 0; i < 80; i++) {
        cons_advance(&c, 1000);
        cons_compact(&c);
        if (group_finds(&c) > 0) group_answer_find(&c, SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE, -1);
    }
    assert_true(host_was_told(c.h, "t-0 at offset 10: not committed for group g"));
    assert_false(sl_committer_is_saving(c.h->core));
    cons_end(&c);
}

static void a_close_commits_what_is_finished(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, true);
    group_process(&c, 0, 0);
    struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 3000);
    cons_turn(&c);
    group_found(&c);
    assert_int_equal(close->state, SL_OP_PENDING);
    group_answer(&c, 0, 10, SLUICE_KAFKA_NOT_COORDINATOR);
    cons_advance(&c, 300);
    group_answer_find(&c, 0, 1);
    group_answer(&c, 0, 10, 0);
    group_expect_op(close, 0, "");
    assert_true(sl_core_is_closed(c.h->core));
    cons_end(&c);
}

static void a_close_says_what_it_could_not_commit(void **state) {
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        struct cons c;
        group_open(&c, 1, true);
        group_process(&c, 0, 0);
        struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 3000);
        cons_turn(&c);
        group_found(&c);
        if (refused) {
            group_answer(&c, 0, 10, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
            group_expect_op(close, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, "t-0 at offset 10");
        } else {
            cons_advance(&c, 3000);
            group_expect_op(close, SLUICE_ERR_TIMEOUT, "t-0 at offset 10");
        }
        assert_true(sl_core_is_closed(c.h->core));
        cons_end(&c);
    }
}

/* Without time nothing can be committed; with nothing to commit that is no failure. */
static void a_close_without_time(void **state) {
    (void)state;
    for (int has_finished = 0; has_finished < 2; has_finished++) {
        struct cons c;
        group_open(&c, 1, true);
        if (has_finished) group_process(&c, 0, 0);
        struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 0);
        cons_turn(&c);
        group_expect_op(close, has_finished ? SLUICE_ERR_TIMEOUT : 0, "");
        assert_true(sl_core_is_closed(c.h->core));
        cons_end(&c);
    }
}

/* Membership's commit, before partitions go. */
static void the_group_commits_with_a_deadline(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    for (int in_time = 0; in_time < 2; in_time++) {
        struct sl_offsets *list;
        int rv = sl_offset_list_create(&c.h->memory.alloc, &list);
        assert_int_equal(rv, 0);
        sl_offset_list_put(list, "t", 0)->offset = 7 + in_time;
        rv = sl_committer_commit(c.h->core, list, c.h->now + 1000 * SL_MS);
        assert_int_equal(rv, 0);
        cons_turn(&c);
        if (group_finds(&c) > 0) group_found(&c);
        assert_true(sl_committer_is_saving(c.h->core));
        if (in_time) {
            group_answer(&c, 0, 8, 0);
        } else {
            struct group_commit commit = group_next_commit(&c);
            cons_advance(&c, 1000);
            group_reply(&c, &commit, SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
            cons_advance(&c, 1000);
            assert_int_equal(group_commits(&c), 0);
        }
        assert_false(sl_committer_is_saving(c.h->core));
    }
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tick_commits_what_is_new),
        cmocka_unit_test(an_idle_consumer_is_not_woken),
        cmocka_unit_test(without_auto_commit_nothing_is_asked),
        cmocka_unit_test(the_next_tick_has_what_failed),
        cmocka_unit_test(failing_ticks_back_off),
        cmocka_unit_test(empty_ticks_do_not_spin),
        cmocka_unit_test(ticks_do_not_pile_up),
        cmocka_unit_test(a_tick_does_not_undo_what_was_asked),
        cmocka_unit_test(freed_batches_are_logged_once),
        cmocka_unit_test(a_partition_given_up_is_committed_first),
        cmocka_unit_test(given_up_for_so_long_only),
        cmocka_unit_test(a_close_commits_what_is_finished),
        cmocka_unit_test(a_close_says_what_it_could_not_commit),
        cmocka_unit_test(a_close_without_time),
        cmocka_unit_test(the_group_commits_with_a_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
