/* Goal: a log that was cut is noticed by whoever has read of what is gone, told once and in its place,
 * and read on from where it was cut; whoever has not, or has all that was read in the new leader's log,
 * is not bothered; and no error, no late answer and no missing memory moves a position.
 * Method: leaders change under a consumer that has read, by hints; what the new one says of the old
 * epoch is the test's (core_epochs.h). Batches are of leader epoch 5. */
#include "core_commits.h"
#include "core_epochs.h"

/* The Fetch that waits is told of another leader: broker 2 under that epoch. */
static void move_leader(struct cons *c, int32_t epoch) {
    struct cons_fetch fetch = cons_next(c);
    struct cons_answer *a = cons_answer(77);
    struct cons_entry *entry = cons_add(a, 0, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
    c->h->topics[0].leader = entry->hint.leader_id = 2;
    c->h->topics[0].leader_epoch = entry->hint.leader_epoch = epoch;
    cons_reply(c, &fetch, a);
}
/* Partition 0 has come to offset 20, and 0 … 10 were handed out; then another leader came. */
static void read_and_move(struct cons *c, enum sl_reset reset, struct sl_slice **hand) {
    cons_prepare(c);
    c->h->settings.offset_reset = reset;
    cons_create(c);
    cons_assign(c, 1, 0);
    cons_turn(c);
    cons_open_session(c, 1, 0, 77);
    cons_reply_batch(c, 0, 0);
    *hand = cons_take(c);
    assert_int_equal((*hand)->next_offset, 10);
    cons_reply_batch(c, 0, 10);
    move_leader(c, 6);
    assert_int_equal(cons_waiting(c), 0); /* nothing is fetched from whom nobody knows */
}
/* The next Fetch asks the new leader from there on. */
static struct cons_fetch expect_fetch(struct cons *c, int64_t offset) {
    struct cons_fetch fetch = cons_next(c);
    assert_string_equal(fetch.r.conn->host, "b2");
    assert_int_equal(fetch.count, 1);
    assert_int_equal(fetch.parts[0].offset, offset);
    return fetch;
}
/* … and gets a batch. */
static void fetch_batch(struct cons *c, int64_t offset) {
    struct cons_fetch fetch = expect_fetch(c, offset);
    struct cons_answer *a = cons_answer(78);
    cons_add_batch(a, 0, offset);
    cons_reply(c, &fetch, a);
}

/* ---- what is asked, and who is not bothered ---- */

static void a_new_leader_is_asked_first(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_NONE, &hand);
    struct cons_epochs asked = cons_next_epochs(&c);
    assert_string_equal(asked.r.conn->host, "b2");
    assert_int_equal(asked.count, 1);
    assert_string_equal(asked.parts[0].topic, "t");
    assert_int_equal(asked.parts[0].leader_epoch, 6);
    assert_int_equal(asked.parts[0].offset, 5);
    cons_reply_epochs(&c, &asked, &(struct cons_epoch_end){0, 5, 20, false});
    fetch_batch(&c, 20);
    cons_finish(&c, hand);
    cons_expect(&c, 0, 10, 20);
    cons_expect(&c, 0, 20, 30);
    assert_int_equal(cons_waiting_epochs(&c), 0);
    cons_end(&c);
}

/* What nobody has read under a later leader than this one's epoch cannot have been cut by it. */
static void who_has_the_leaders_epoch_is_not_asked_about(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    struct sl_offsets *list = cons_list(&c, "t", 0, 30);
    list->entries[0].leader_epoch = 5;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    cons_turn(&c);
    assert_int_equal(cons_waiting_epochs(&c), 0);
    struct cons_fetch fetch = cons_next(&c);
    assert_int_equal(fetch.parts[0].offset, 30);
    cons_end(&c);
}

static void without_a_known_epoch_nobody_is_asked(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 1); /* nothing has been read */
    move_leader(&c, 6);
    assert_int_equal(cons_waiting_epochs(&c), 0);
    (void)expect_fetch(&c, 0);
    cons_end(&c);
    /* Brokers before 2.4 tell no epochs that can be trusted. */
    cons_prepare(&c);
    c.h->metadata_max = 8;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    cons_open_session(&c, 1, 0, 77);
    cons_reply_batch(&c, 0, 0);
    cons_expect(&c, 0, 0, 10);
    c.h->topics[0].leader = 2;
    sl_metadata_refresh(c.h->core, sl_metadata_topic(c.h->core, "t"));
    cons_advance(&c, 5000);
    assert_int_equal(cons_waiting_epochs(&c), 0);
    cons_end(&c);
}

static void one_request_asks_about_all(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 3);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    for (int32_t i = 0; i < 3; i++) cons_add_batch(a, i, 0);
    cons_reply(&c, &fetch, a);
    fetch = cons_next(&c);
    a = cons_answer(77);
    for (int32_t i = 0; i < 3; i++)
        cons_add(a, i, SLUICE_KAFKA_FENCED_LEADER_EPOCH, -1)->hint = (struct sl_leader_hint){2, 6};
    c.h->topics[0].leader = 2;
    c.h->topics[0].leader_epoch = 6;
    cons_reply(&c, &fetch, a);
    struct cons_epochs asked = cons_next_epochs(&c);
    assert_int_equal(asked.count, 3);
    assert_int_equal(cons_waiting_epochs(&c), 0);
    cons_reply_epochs(&c, &asked,
                      (const struct cons_epoch_end[]){{0, 5, 10, 0}, {0, 5, 10, 0}, {0, 5, 10, 0}});
    fetch = cons_next(&c);
    assert_int_equal(fetch.count, 3);
    cons_end(&c);
}

/* ---- cut ---- */

/* Nothing that is gone was handed out: it goes on there, and nobody has to know. */
static void what_was_not_handed_out_is_dropped(void **state) {
    (void)state;
    const enum sl_reset resets[] = {SL_RESET_NONE, SL_RESET_LATEST};
    for (int i = 0; i < 2; i++) {
        struct cons c;
        struct sl_slice *hand;
        read_and_move(&c, resets[i], &hand);
        cons_epoch_ends(&c, 0, 5, 10);
        cons_expect_nothing(&c); /* 10 … 20 of the old leader */
        fetch_batch(&c, 10);
        cons_finish(&c, hand); /* which counts: it is there */
        cons_expect(&c, 0, 10, 20);
        assert_int_equal(sl_gate_finished(c.gate, "t", 0), 20);
        cons_expect_nothing(&c);
        cons_expect_whole_account(&c);
        cons_end(&c);
    }
}

/* What was handed out is gone: with a policy it goes on where the log was cut. */
static void by_policy_it_goes_on_at_the_cut(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_LATEST, &hand);
    cons_epoch_ends(&c, 0, 5, 4);
    assert_int_equal(cons_position(&c, 0), 4);
    assert_int_equal(cons_waiting_lookups(&c), 0); /* not at the end */
    assert_true(host_was_told(c.h, "t-0 at offset 20: the log was cut at offset 4"));
    cons_expect_nothing(&c);
    assert_int_equal(sl_gate_mark(c.gate, hand, 10, 5), SLUICE_ERR_STALE);
    sl_gate_give(c.gate, hand);
    fetch_batch(&c, 4);
    cons_expect(&c, 0, 4, 14);
    assert_int_equal(sl_gate_finished(c.gate, "t", 0), 14);
    assert_int_equal(cons_waiting_epochs(&c), 0);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

/* Without one the application is told once, where the log was cut, and seeks. */
static void without_a_policy_it_is_told_once(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_NONE, &hand);
    cons_epoch_ends(&c, 0, 5, 4);
    cons_expect_error(&c, SLUICE_ERR_TRUNCATED);
    assert_non_null(strstr(cons_text, "t-0 at offset 4: the log was cut here"));
    assert_int_equal(cons_position(&c, 0), 4);
    cons_expect_nothing(&c);
    cons_finish(&c, hand); /* it was read before */
    cons_advance(&c, 2000);
    cons_expect_nothing(&c);
    assert_int_equal(cons_waiting_epochs(&c), 0);
    assert_int_equal(cons_seek(&c, 0, cons_position(&c, 0)), 0);
    cons_turn(&c);
    while (cons_waiting(&c) > 1) (void)cons_next(&c);
    cons_advance(&c, 600);
    cons_end(&c);
}

/* A slice that holds records of both sides is handed out whole, and what is wrong with it told
 * behind it. */
static void one_piece_of_both_sides(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_NONE, &hand);
    cons_epoch_ends(&c, 0, 5, 14);
    cons_finish(&c, hand);
    cons_expect(&c, 0, 10, 20);
    cons_expect_error(&c, SLUICE_ERR_TRUNCATED);
    assert_int_equal(cons_position(&c, 0), 14);
    cons_end(&c);
    read_and_move(&c, SL_RESET_EARLIEST, &hand);
    cons_epoch_ends(&c, 0, 5, 14);
    cons_finish(&c, hand);
    cons_expect(&c, 0, 10, 20);
    assert_int_equal(cons_position(&c, 0), 14);
    fetch_batch(&c, 14);
    cons_expect(&c, 0, 14, 24);
    cons_end(&c);
}

/* The new leader has as many records, but none of that epoch: they are others. */
static void an_epoch_that_the_leader_never_had(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_EARLIEST, &hand);
    cons_epoch_ends(&c, 0, 3, 50);
    sl_gate_give(c.gate, hand);
    fetch_batch(&c, 0); /* all that was read is of epoch 5 */
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

static void a_leader_that_knows_nothing_of_it(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_EARLIEST, &hand);
    cons_epoch_ends(&c, 0, -1, -1);
    assert_true(host_was_told(c.h, "nothing of what was read; going to the beginning"));
    struct cons_lookup lookup = cons_next_lookup(&c);
    assert_int_equal(lookup.parts[0].offset, SL_LIST_OFFSETS_EARLIEST);
    sl_gate_give(c.gate, hand);
    cons_end(&c);
    read_and_move(&c, SL_RESET_NONE, &hand);
    cons_epoch_ends(&c, 0, -1, -1);
    cons_finish(&c, hand);
    cons_expect(&c, 0, 10, 20);
    cons_expect_error(&c, SLUICE_ERR_TRUNCATED);
    cons_expect_nothing(&c);
    cons_end(&c);
}

/* A Fetch answer may say it too. */
static void a_fetch_that_diverges(void **state) {
    (void)state;
    struct cons c;
    cons_open(&c, 1);
    cons_reply_batch(&c, 0, 0);
    cons_expect(&c, 0, 0, 10);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 1000)->diverging = (struct sl_fetch_epoch_end){5, 7};
    cons_reply(&c, &fetch, a);
    assert_int_equal(cons_position(&c, 0), 7);
    cons_advance(&c, 100);
    cons_reply_batch(&c, 0, 7);
    cons_expect(&c, 0, 7, 17);
    cons_end(&c);
}

/* ---- positions by somebody's word ---- */

static void a_committed_offset_is_looked_at(void **state) {
    (void)state;
    struct cons c;
    group_prepare(&c, false);
    c.h->settings.offset_reset = SL_RESET_NONE;
    c.h->topics[0].leader_epoch = 6;
    cons_create(&c);
    cons_assign(&c, 1, SL_OFFSET_COMMITTED);
    cons_turn(&c);
    group_found(&c);
    group_found_one(&c, 0, 40);
    assert_int_equal(cons_waiting(&c), 0);
    cons_epoch_ends(&c, 0, 5, 33);
    cons_expect_error(&c, SLUICE_ERR_TRUNCATED); /* who committed has read it */
    assert_int_equal(cons_position(&c, 0), 33);
    cons_end(&c);
}

/* Metadata may be behind whoever committed: the old leader knows nothing of a later epoch. */
static void an_epoch_from_the_future_waits_for_metadata(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    struct sl_offsets *list = cons_list(&c, "t", 0, 30);
    list->entries[0].leader_epoch = 7;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    cons_advance(&c, 300);
    assert_int_equal(cons_waiting_epochs(&c) + cons_waiting(&c), 0);
    c.h->topics[0].leader = 2;
    c.h->topics[0].leader_epoch = 8;
    cons_advance(&c, 1500);
    cons_epoch_ends(&c, 0, 7, 30);
    (void)expect_fetch(&c, 30);
    cons_end(&c);
    /* Where metadata stays as it is, the leader has the last word. */
    cons_start(&c);
    list->entries[0].leader_epoch = 7;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    cons_advance(&c, 15000);
    cons_epoch_ends(&c, 0, -1, -1);
    assert_int_equal(cons_waiting_lookups(&c), 1);
    cons_end(&c);
}

/* Who gives records back to have them again does not hide that they are gone. */
static void a_rewind_into_what_is_gone(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_NONE, &hand);
    struct cons_epochs asked = cons_next_epochs(&c);
    assert_int_equal(sl_gate_rewind(c.gate, hand, 8, 5), 0);
    sl_gate_give(c.gate, hand);
    cons_turn(&c);
    cons_reply_epochs(&c, &asked, &(struct cons_epoch_end){0, 5, 4, false}); /* asked before */
    cons_expect_nothing(&c);
    cons_epoch_ends(&c, 0, 5, 4);
    cons_expect_error(&c, SLUICE_ERR_TRUNCATED);
    cons_end(&c);
}

/* ---- what goes wrong on the way ---- */

static void no_error_moves_a_position(void **state) {
    (void)state;
    static const int16_t codes[] = {SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,
                                    SLUICE_KAFKA_FENCED_LEADER_EPOCH,
                                    SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH,
                                    SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,
                                    SLUICE_KAFKA_REPLICA_NOT_AVAILABLE,
                                    SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                    SLUICE_KAFKA_UNKNOWN_SERVER_ERROR,
                                    SLUICE_KAFKA_KAFKA_STORAGE_ERROR,
                                    SLUICE_KAFKA_INVALID_REQUEST,
                                    SLUICE_KAFKA_OFFSET_OUT_OF_RANGE,
                                    SLUICE_KAFKA_CLUSTER_AUTHORIZATION_FAILED,
                                    999};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        struct sl_slice *hand;
        read_and_move(&c, SL_RESET_LATEST, &hand);
        int asked = 0;
        for (int64_t until = c.h->now + 10000 * SL_MS; c.h->now < until; cons_advance(&c, 10)) {
            while (cons_waiting_epochs(&c) > 0) {
                asked++;
                cons_epoch_ends(&c, codes[i], -1, -1);
            }
        }
        assert_in_range(asked, 8, 30);
        assert_int_equal(cons_waiting_lookups(&c) + cons_waiting(&c), 0);
        while (cons_waiting_epochs(&c) == 0) cons_advance(&c, 10);
        cons_epoch_ends(&c, 0, 5, 20);
        (void)expect_fetch(&c, 20);
        cons_finish(&c, hand);
        cons_expect(&c, 0, 10, 20);
        cons_end(&c);
    }
}

static void who_may_not_read_is_told(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_LATEST, &hand);
    cons_epoch_ends(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, -1, -1);
    cons_finish(&c, hand);
    cons_expect(&c, 0, 10, 20);
    cons_expect_error(&c, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    cons_end(&c);
}

/* An entry left out, one that was not asked for, an epoch above the one asked for, no answer. */
static void odd_answers_are_asked_again(void **state) {
    (void)state;
    static const struct cons_epoch_end odd[] = {{0, 5, 20, true}, {0, 6, 3, false}};
    for (int i = 0; i < 3; i++) {
        struct cons c;
        struct sl_slice *hand;
        read_and_move(&c, SL_RESET_LATEST, &hand);
        struct cons_epochs asked = cons_next_epochs(&c);
        if (i == 2)
            host_cut(c.h, asked.r.conn, "reset");
        else
            cons_reply_epochs(&c, &asked, &odd[i]);
        cons_advance(&c, 3000);
        cons_epoch_ends(&c, 0, 5, 20);
        (void)expect_fetch(&c, 20);
        sl_gate_give(c.gate, hand);
        cons_end(&c);
    }
}

/* The position has moved, the leader has changed, or the partition is paused when the answer comes. */
static void a_late_answer_says_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct cons c;
        struct sl_slice *hand;
        read_and_move(&c, SL_RESET_EARLIEST, &hand);
        struct cons_epochs asked = cons_next_epochs(&c);
        sl_gate_give(c.gate, hand);
        if (i == 0) assert_int_equal(cons_seek(&c, 0, 15), 0);
        if (i == 1) assert_int_equal(cons_pause(&c, 0, true), 0);
        if (i == 2) {
            c.h->topics[0].leader_epoch = 7;
            sl_metadata_refresh(c.h->core, sl_metadata_topic(c.h->core, "t"));
        }
        cons_advance(&c, 3000);
        cons_reply_epochs(&c, &asked, &(struct cons_epoch_end){0, 5, 4, false});
        assert_false(host_was_told(c.h, "the log was cut"));
        if (i == 0) (void)expect_fetch(&c, 15);
        if (i == 1) assert_int_equal(cons_pause(&c, 0, false), 0);
        cons_turn(&c);
        if (i > 0) cons_epoch_ends(&c, 0, 5, 20);
        if (i > 0) (void)expect_fetch(&c, 20);
        cons_end(&c);
    }
}

/* Wherever memory is missing: told once, and read on from the cut. */
static void no_failing_allocation_hides_it(void **state) {
    (void)state;
    for (long at = 1; at < 40; at++) {
        struct cons c;
        struct sl_slice *hand;
        read_and_move(&c, SL_RESET_NONE, &hand);
        cons_finish(&c, hand);
        cons_expect(&c, 0, 10, 20);
        test_memory_fail_at(&c.h->memory, c.h->memory.calls + 1 + at);
        int code = 0;
        for (int ms = 0; code == 0 && ms < 10000; ms += 10) {
            while (cons_waiting_epochs(&c) > 0) cons_epoch_ends(&c, 0, 5, 12);
            (void)cons_take_code(&c, &code);
            cons_advance(&c, 10);
        }
        assert_int_equal(code, SLUICE_ERR_TRUNCATED);
        assert_int_equal(cons_position(&c, 0), 12);
        cons_expect_nothing(&c);
        cons_end(&c);
    }
}

/* It ends in time all the same. */
static void a_client_closes_while_it_asks(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *hand;
    read_and_move(&c, SL_RESET_EARLIEST, &hand);
    (void)cons_next_epochs(&c);
    struct sl_op *op = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 1000);
    cons_advance(&c, 1100);
    assert_int_equal(op->state, SL_OP_ENDED);
    sl_gate_give(c.gate, hand);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_leader_is_asked_first),
        cmocka_unit_test(who_has_the_leaders_epoch_is_not_asked_about),
        cmocka_unit_test(without_a_known_epoch_nobody_is_asked),
        cmocka_unit_test(one_request_asks_about_all),
        cmocka_unit_test(what_was_not_handed_out_is_dropped),
        cmocka_unit_test(by_policy_it_goes_on_at_the_cut),
        cmocka_unit_test(without_a_policy_it_is_told_once),
        cmocka_unit_test(one_piece_of_both_sides),
        cmocka_unit_test(an_epoch_that_the_leader_never_had),
        cmocka_unit_test(a_leader_that_knows_nothing_of_it),
        cmocka_unit_test(a_fetch_that_diverges),
        cmocka_unit_test(a_committed_offset_is_looked_at),
        cmocka_unit_test(an_epoch_from_the_future_waits_for_metadata),
        cmocka_unit_test(a_rewind_into_what_is_gone),
        cmocka_unit_test(no_error_moves_a_position),
        cmocka_unit_test(who_may_not_read_is_told),
        cmocka_unit_test(odd_answers_are_asked_again),
        cmocka_unit_test(a_late_answer_says_nothing),
        cmocka_unit_test(no_failing_allocation_hides_it),
        cmocka_unit_test(a_client_closes_while_it_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
