/* Commits: what they say, one at a time and in order, what refusals mean, deadlines. */
#include "core_commits.h"

static void what_is_finished_is_committed(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, false);
    group_process(&c, 0, 0);
    struct sl_slice *slice = group_read(&c, 1, 0);
    assert_int_equal(sl_gate_mark(c.gate, slice, 4, 3), 0);
    struct sl_op *op = group_commit_finished(&c, 10000);
    assert_int_equal(group_commits(&c), 0); /* the coordinator is not known */
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    assert_int_equal(commit.count, 2);
    assert_int_equal(commit.topics, 1);
    for (int i = 0; i < 2; i++) {
        int32_t p = commit.parts[i].partition;
        assert_int_equal(commit.parts[i].offset, p == 0 ? 10 : 4);
        assert_int_equal(commit.parts[i].leader_epoch, p == 0 ? 5 : 3);
        assert_string_equal(commit.parts[i].metadata, "");
    }
    assert_int_equal(host_link(c.h, 2, SL_PURPOSE_COORDINATOR)->in_flight, 1);
    assert_int_equal(group_committed(&c, 0), -1);
    group_reply(&c, &commit, 0);
    group_expect_op(op, 0, "");
    assert_int_equal(op->offsets->count, 2);
    assert_int_equal(group_committed(&c, 0), 10);
    assert_int_equal(group_committed(&c, 1), 4);
    /* All of it is committed: nothing is sent. */
    group_expect_op(group_commit_finished(&c, 10000), 0, "");
    assert_int_equal(group_commits(&c), 0);
    cons_finish(&c, slice);
    group_expect_committing(&c, 1, 10);
    cons_end(&c);
}

static void nothing_finished_is_no_offset(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, false);
    group_expect_op(group_commit_finished(&c, 1000), 0, ""); /* nothing was handed out */
    struct sl_slice *slice = group_read(&c, 0, 0);
    group_expect_op(group_commit_finished(&c, 1000), SLUICE_ERR_NO_OFFSET, "none is finished");
    sl_gate_give(c.gate, slice); /* without a word */
    group_expect_op(group_commit_finished(&c, 1000), SLUICE_ERR_NO_OFFSET, "none is finished");
    assert_false(host_was_told(c.h, "unfinished")); /* the application commits by itself */
    /* What comes behind it is no prefix. */
    group_process(&c, 0, 10);
    group_expect_op(group_commit_finished(&c, 1000), SLUICE_ERR_NO_OFFSET, "none is finished");
    assert_int_equal(group_finds(&c), 0);
    cons_end(&c);
}

static void without_a_group_it_is_a_mistake(void **state) {
    (void)state;
    struct cons c;
    cons_start(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    group_expect_op(group_commit_one(&c, 0, 5, 1000), SLUICE_ERR_CONFIG, "group.id");
    group_expect_op(group_commit_finished(&c, 1000), SLUICE_ERR_CONFIG, "group.id");
    cons_end(&c);
}

static void a_hole_is_not_jumped(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    struct sl_slice *first = group_read(&c, 0, 0);
    struct sl_slice *second = group_read(&c, 0, 10);
    cons_finish(&c, second);
    group_expect_op(group_commit_finished(&c, 1000), SLUICE_ERR_NO_OFFSET, "");
    assert_int_equal(sl_gate_mark(c.gate, first, 3, 5), 0);
    group_expect_committing(&c, 0, 3);
    cons_finish(&c, first);
    group_expect_committing(&c, 0, 20);
    cons_end(&c);
}

/* Whoever goes on there is told when the log was cut below it (KIP-320). */
static void an_offset_of_the_application_has_its_epoch(void **state) {
    (void)state;
    const int64_t offsets[] = {4, 7, 10}; /* finished, in hand, behind what is in hand */
    const int32_t epochs[] = {3, -1, 5};
    for (int i = 0; i < 3; i++) {
        struct cons c;
        group_open(&c, 1, false);
        struct sl_slice *slice = group_read(&c, 0, 0);
        assert_int_equal(sl_gate_mark(c.gate, slice, 4, 3), 0);
        struct sl_op *op = group_commit_one(&c, 0, offsets[i], 10000);
        group_found(&c);
        struct group_commit commit = group_next_commit(&c);
        assert_int_equal(commit.parts[0].offset, offsets[i]);
        assert_int_equal(commit.parts[0].leader_epoch, epochs[i]);
        group_reply(&c, &commit, 0);
        group_expect_op(op, 0, "");
        sl_gate_give(c.gate, slice);
        cons_end(&c);
    }
}

static void an_older_commit_never_overtakes(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, false);
    struct sl_op *first = group_commit_one(&c, 0, 5, 10000);
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    struct sl_op *second = group_commit_one(&c, 0, 7, 10000);
    struct sl_offsets *list = cons_list(&c, "t", 0, 9);
    struct sl_offset_entry *entry = sl_offset_list_put(list, "u", 2);
    entry->offset = 3;
    entry->metadata = sl_alloc_text(list->alloc, "why", 3);
    struct sl_op *third = group_commit_list(&c, list, 10000);
    assert_int_equal(group_commits(&c), 0); /* one is under way */
    group_reply(&c, &commit, SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    assert_int_equal(group_commits(&c), 0); /* its back-off holds for all */
    cons_advance(&c, 200);
    commit = group_next_commit(&c);
    assert_int_equal(commit.count, 2); /* of t-0 the last offset stands for all three */
    assert_int_equal(commit.topics, 2);
    for (int i = 0; i < 2; i++) {
        bool is_u = strcmp(commit.parts[i].topic, "u") == 0;
        assert_int_equal(commit.parts[i].offset, is_u ? 3 : 9);
        assert_string_equal(commit.parts[i].metadata, is_u ? "why" : "");
        assert_int_equal(commit.parts[i].leader_epoch, -1);
    }
    assert_int_equal(first->state, SL_OP_PENDING);
    group_reply(&c, &commit, 0);
    group_expect_op(first, 0, "");
    group_expect_op(second, 0, "");
    group_expect_op(third, 0, "");
    assert_int_equal(group_committed(&c, 0), 9);
    cons_end(&c);
}

/* What passes is tried again, with the coordinator found anew where it may be another. */
static void what_passes_is_tried_again(void **state) {
    static const struct {
        int16_t code;
        bool finds;
    } cases[] = {{SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS, false},
                 {SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE, true},
                 {SLUICE_KAFKA_NOT_COORDINATOR, true},
                 {SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, false},
                 {SLUICE_KAFKA_REQUEST_TIMED_OUT, false},
                 {SLUICE_KAFKA_UNSTABLE_OFFSET_COMMIT, false},
                 {SLUICE_KAFKA_STALE_MEMBER_EPOCH, false},
                 {GROUP_OMIT, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cons c;
        group_open(&c, 1, false);
        struct sl_op *op = group_commit_one(&c, 0, 5, 10000);
        group_found(&c);
        group_answer(&c, 0, 5, cases[i].code);
        assert_int_equal(op->state, SL_OP_PENDING);
        assert_int_equal(group_commits(&c), 0); /* not at once */
        cons_advance(&c, 300);
        assert_int_equal(group_finds(&c), cases[i].finds);
        if (cases[i].finds) group_answer_find(&c, 0, 1);
        group_answer(&c, 0, 5, 0);
        group_expect_op(op, 0, "");
        cons_end(&c);
    }
}

static void what_does_not_pass_is_named(void **state) {
    static const struct {
        int16_t code;
        const char *name;
    } cases[] = {{SLUICE_KAFKA_OFFSET_METADATA_TOO_LARGE, "OFFSET_METADATA_TOO_LARGE"},
                 {SLUICE_KAFKA_INVALID_COMMIT_OFFSET_SIZE, "INVALID_COMMIT_OFFSET_SIZE"},
                 {SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, "TOPIC_AUTHORIZATION_FAILED"},
                 {SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED, "GROUP_AUTHORIZATION_FAILED"},
                 {SLUICE_KAFKA_ILLEGAL_GENERATION, "ILLEGAL_GENERATION"},
                 {SLUICE_KAFKA_UNKNOWN_MEMBER_ID, "UNKNOWN_MEMBER_ID"},
                 {SLUICE_KAFKA_REBALANCE_IN_PROGRESS, "REBALANCE_IN_PROGRESS"},
                 {SLUICE_KAFKA_FENCED_INSTANCE_ID, "FENCED_INSTANCE_ID"},
                 {SLUICE_KAFKA_FENCED_MEMBER_EPOCH, "FENCED_MEMBER_EPOCH"},
                 {SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, "UNKNOWN_SERVER_ERROR"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cons c;
        group_open(&c, 1, false);
        struct sl_op *op = group_commit_one(&c, 0, 5, 10000);
        group_found(&c);
        group_answer(&c, 0, 5, cases[i].code);
        group_expect_op(op, cases[i].code, "t-0 at offset 5");
        group_expect_op(op, cases[i].code, cases[i].name);
        assert_int_equal(op->offsets->entries[0].code, cases[i].code);
        cons_advance(&c, 5000);
        assert_int_equal(group_commits(&c), 0);
        cons_end(&c);
    }
}

static void each_partition_has_its_own_answer(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 3, false);
    struct sl_offsets *list = cons_list(&c, "t", 0, 5);
    sl_offset_list_put(list, "t", 1)->offset = 6;
    sl_offset_list_put(list, "t", 2)->offset = 7;
    struct sl_op *op = group_commit_list(&c, list, 10000);
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    int16_t codes[3];
    for (int i = 0; i < 3; i++)
        codes[i] = commit.parts[i].partition == 0   ? 0
                   : commit.parts[i].partition == 1 ? SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED
                                                    : SLUICE_KAFKA_NOT_COORDINATOR;
    group_reply_codes(&c, &commit, codes);
    assert_int_equal(op->state, SL_OP_PENDING);
    assert_int_equal(group_committed(&c, 0), 5);
    cons_advance(&c, 300);
    group_found(&c);
    group_answer(&c, 2, 7, 0); /* alone */
    group_expect_op(op, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, "t-1 at offset 6");
    assert_int_equal(op->offsets->entries[0].code, 0);
    assert_int_equal(op->offsets->entries[1].code, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(op->offsets->entries[2].code, 0);
    cons_end(&c);
}

static void a_refused_coordinator_is_named(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    struct sl_op *op = group_commit_one(&c, 0, 5, 10000);
    group_answer_find(&c, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED, -1);
    group_expect_op(op, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED, "group g");
    cons_end(&c);
}

static void an_op_ends_at_its_deadline(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    struct sl_op *op = group_commit_one(&c, 0, 5, 1000);
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    struct sl_op *behind = group_commit_one(&c, 0, 6, 1000);
    cons_advance(&c, 1000);
    group_expect_op(op, SLUICE_ERR_TIMEOUT, "t-0 at offset 5");
    group_expect_op(behind, SLUICE_ERR_TIMEOUT, "t-0 at offset 6");
    /* Its request had left; it is not repeated, and what had not left never does. */
    group_reply(&c, &commit, SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
    cons_advance(&c, 5000);
    assert_int_equal(group_commits(&c), 0);
    op = group_commit_one(&c, 0, 7, 1000);
    group_answer(&c, 0, 7, SLUICE_KAFKA_NOT_COORDINATOR);
    cons_advance(&c, 1000);
    group_expect_op(op, SLUICE_ERR_TIMEOUT, "NOT_COORDINATOR"); /* why it waited */
    cons_end(&c);
}

static void a_lost_link_is_no_answer(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    struct sl_op *op = group_commit_one(&c, 0, 5, 10000);
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    host_cut(c.h, commit.r.conn, "reset");
    cons_turn(&c);
    struct sl_op *later = group_commit_one(&c, 0, 8, 10000);
    cons_advance(&c, 300);
    group_found(&c);
    cons_advance(&c, 300);
    group_answer(&c, 0, 8, 0);
    group_expect_op(op, 0, "");
    group_expect_op(later, 0, "");
    cons_end(&c);
}

static void a_close_ends_what_waits(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    struct sl_op *sent = group_commit_one(&c, 0, 5, -1);
    group_found(&c);
    struct sl_op *waiting = group_commit_one(&c, 0, 6, -1);
    struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 1000);
    cons_turn(&c);
    assert_int_equal(close->state, SL_OP_PENDING); /* it waits for the commits */
    cons_advance(&c, 1000);
    group_expect_op(close, SLUICE_ERR_TIMEOUT, "t-0 at offset 5");
    group_expect_op(sent, SLUICE_ERR_CLOSED, "t-0 at offset 5");
    group_expect_op(waiting, SLUICE_ERR_CLOSED, "t-0 at offset 6");
    cons_end(&c);
}

static void a_close_waits_for_commits(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    struct sl_op *op = group_commit_one(&c, 0, 5, -1);
    group_found(&c);
    struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 1000);
    cons_turn(&c);
    group_answer(&c, 0, 5, 0);
    group_expect_op(op, 0, "");
    group_expect_op(close, 0, "");
    cons_end(&c);
}

/* Offsets of before a seek say nothing of what is finished after it. */
static void a_seek_begins_anew(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    group_process(&c, 0, 0);
    struct sl_op *op = group_commit_finished(&c, 10000);
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    assert_int_equal(cons_seek(&c, 0, 0), 0);
    cons_turn(&c);
    group_reply(&c, &commit, 0);
    group_expect_op(op, 0, "");
    assert_int_equal(group_committed(&c, 0), 10);
    group_expect_op(group_commit_finished(&c, 1000), 0, ""); /* nothing handed out since */
    struct cons_fetch fetch = cons_next(&c);                 /* of before */
    cons_reply(&c, &fetch, cons_answer(77));
    cons_advance(&c, 300);
    struct sl_slice *slice = group_read(&c, 0, 0);
    assert_int_equal(sl_gate_mark(c.gate, slice, 4, 5), 0);
    op = group_commit_finished(&c, 10000);
    group_answer(&c, 0, 4, 0); /* lower than before, because it was asked for */
    group_expect_op(op, 0, "");
    assert_int_equal(group_committed(&c, 0), 4);
    cons_finish(&c, slice);
    cons_end(&c);
}

/* A tick that comes due while the last one is not decided waits for its end, and wakes nobody. */
static void a_tick_waits_for_the_last_one(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, true);
    group_process(&c, 0, 0);
    cons_advance(&c, 5000); /* auto.commit.interval.ms */
    group_found(&c);
    struct group_commit commit = group_next_commit(&c);
    group_process(&c, 1, 0);
    cons_advance(&c, 6000);
    assert_int_equal(group_commits(&c), 0);
    assert_true(c.h->core->committer.collect_at <= c.h->core->now);
    assert_int_equal(sl_committer_deadline(c.h->core), SL_NEVER);
    group_reply(&c, &commit, 0);
    cons_advance(&c, 1); /* at once: the next turn */
    group_answer(&c, 1, 10, 0);
    assert_int_equal(group_committed(&c, 1), 10);
    cons_end(&c);
}

/* Every allocation fails in turn: an op says so or succeeds, and nothing leaks. */
static void memory_may_fail_anywhere(void **state) {
    (void)state;
    bool more = true;
    int failures = 0;
    for (int at = 1; more; at++) {
        struct cons c;
        struct sl_command *command;
        group_open(&c, 2, true);
        group_process(&c, 0, 0);
        group_process(&c, 1, 0);
        struct sl_op *op = host_op(c.h, 3000);
        command = host_command_make(c.h, SL_COMMAND_COMMIT, op, NULL);
        test_memory_fail_at(&c.h->memory, at);
        int rv = sl_gate_commit(c.gate, command);
        if (rv != 0) {
            assert_int_equal(rv, SLUICE_ERR_NOMEM);
            sl_command_destroy(&c.h->memory.alloc, command);
            sl_op_destroy(&c.h->memory.alloc, op);
            op = NULL;
        }
        for (int i = 0; i < 40; i++) {
            cons_compact(&c);
            if (group_finds(&c) > 0) group_found(&c);
            if (group_commits(&c) > 0) {
                struct group_commit commit = group_next_commit(&c);
                group_reply(&c, &commit, 0);
            }
            cons_advance(&c, 100);
        }
        more = c.h->memory.calls >= at;
        test_memory_fail_at(&c.h->memory, 0);
        if (op != NULL) {
            assert_int_equal(op->state, SL_OP_ENDED);
            assert_true(op->code == 0 || op->code == SLUICE_ERR_NOMEM);
            failures += op->code != 0;
        }
        /* The next tick has what failed. */
        for (int i = 0; i < 20; i++) {
            cons_compact(&c);
            if (group_finds(&c) > 0) group_found(&c);
            if (group_commits(&c) > 0) {
                struct group_commit commit = group_next_commit(&c);
                group_reply(&c, &commit, 0);
            }
            cons_advance(&c, 500);
        }
        if (op != NULL && group_committed(&c, 0) != 10)
            fail_msg("with allocation %d failed the op said %d: %s", at, op->code, op->text);
        cons_end(&c);
    }
    assert_true(failures > 0);
}

/* The request that waits is of that version, and gets that code. */
static void answer_in_version(struct cons *c, int16_t version, int16_t code) {
    struct group_commit commit = group_next_commit(c);
    assert_int_equal(commit.r.header.version, version);
    group_reply(c, &commit, code);
}

static void topics_go_by_id_where_all_are_known(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 2, false);
    struct sl_offsets *list = cons_list(&c, "t", 0, 3);
    struct sl_op *op = group_commit_list(&c, list, 10000);
    group_found(&c);
    answer_in_version(&c, 10, 0);
    group_expect_op(op, 0, "");
    /* One that was never used here goes by its name, and the others with it. */
    list = cons_list(&c, "t", 0, 4);
    sl_offset_list_put(list, "elsewhere", 0)->offset = 1;
    op = group_commit_list(&c, list, 10000);
    answer_in_version(&c, 9, 0);
    group_expect_op(op, 0, "");
    cons_end(&c);
}

static void by_name_where_the_broker_has_no_ids(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct cons c;
        group_prepare(&c, false);
        if (i == 0) c.h->offsets_max = 9;
        if (i == 1) c.h->metadata_max = 9; /* ids came with version 10 */
        cons_create(&c);
        cons_assign(&c, 1, 0);
        cons_turn(&c);
        struct sl_op *op = group_commit_one(&c, 0, 3, 10000);
        group_found(&c);
        answer_in_version(&c, 9, 0);
        group_expect_op(op, 0, "");
        cons_end(&c);
    }
}

/* The broker knows the topic under another id: metadata is asked, and then it again. */
static void an_id_that_is_none_is_asked_for(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    struct sl_op *op = group_commit_one(&c, 0, 3, 10000);
    group_found(&c);
    c.h->topics[0].id = 9;
    struct group_commit commit = group_next_commit(&c);
    struct sl_offset_commit_partition_response part = {0, SLUICE_KAFKA_UNKNOWN_TOPIC_ID};
    struct sl_offset_commit_topic_response topic = {.name = SL_STR(""), .partitions = {&part, 1}};
    struct sl_offset_commit_response m;
    sl_codec_defaults(&sl_offset_commit_response_type, &m);
    memset(topic.topic_id.bytes, 1, sizeof topic.topic_id.bytes);
    m.topics = (struct sl_array){&topic, 1};
    host_reply(c.h, &commit.r, &m);
    cons_advance(&c, 1000);
    assert_int_equal(c.h->core->metadata.topics[0]->id.bytes[0], 9);
    group_answer(&c, 0, 3, 0); /* under its new id, or the test would not know it */
    group_expect_op(op, 0, "");
    cons_end(&c);
}

/* Of a topic that is gone brokers say so by name, as they always did. */
static void a_topic_that_is_gone_goes_by_name(void **state) {
    (void)state;
    struct cons c;
    group_open(&c, 1, false);
    c.h->topics[0].code = SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    sl_metadata_refresh(c.h->core, NULL);
    cons_advance(&c, 1000);
    struct sl_op *op = group_commit_one(&c, 0, 3, 3000);
    group_found(&c);
    answer_in_version(&c, 9, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    cons_advance(&c, 4000);
    group_expect_op(op, SLUICE_ERR_TIMEOUT, "UNKNOWN_TOPIC_OR_PARTITION");
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_finished_is_committed),
        cmocka_unit_test(nothing_finished_is_no_offset),
        cmocka_unit_test(without_a_group_it_is_a_mistake),
        cmocka_unit_test(a_hole_is_not_jumped),
        cmocka_unit_test(an_offset_of_the_application_has_its_epoch),
        cmocka_unit_test(an_older_commit_never_overtakes),
        cmocka_unit_test(what_passes_is_tried_again),
        cmocka_unit_test(what_does_not_pass_is_named),
        cmocka_unit_test(each_partition_has_its_own_answer),
        cmocka_unit_test(a_refused_coordinator_is_named),
        cmocka_unit_test(an_op_ends_at_its_deadline),
        cmocka_unit_test(a_lost_link_is_no_answer),
        cmocka_unit_test(a_close_ends_what_waits),
        cmocka_unit_test(a_close_waits_for_commits),
        cmocka_unit_test(a_seek_begins_anew),
        cmocka_unit_test(a_tick_waits_for_the_last_one),
        cmocka_unit_test(memory_may_fail_anywhere),
        cmocka_unit_test(topics_go_by_id_where_all_are_known),
        cmocka_unit_test(by_name_where_the_broker_has_no_ids),
        cmocka_unit_test(an_id_that_is_none_is_asked_for),
        cmocka_unit_test(a_topic_that_is_gone_goes_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
