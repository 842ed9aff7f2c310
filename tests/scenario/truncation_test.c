/* Goal: an unclean election, which takes records from the end of a log and puts others there, is
 * noticed by whoever has read of what is gone (KIP-320): reading goes on where the log was cut, or with
 * auto.offset.reset=none the application is told once; so does who begins at a committed offset; and who
 * has read nothing of it is not bothered.
 * Method: records are written and read, a replica that lags behind is elected, others are written; the
 * reader compares every record with the log as it is now. */
#include "scenario.h"

enum { BEFORE = 60, CUT_AT = 40, AFTER = 50 };

static void send_all(struct story *s, sluice_client *p, int count) {
    int64_t reported = s->reports;
    for (int i = 0; i < count; i++) assert_int_equal(story_send(s, p, 0, 0), 0);
    assert_true(story_await_reports(s, p, reported + count, 30000));
}

/* A consumer with that policy, and what it is told while it reads. */
struct reader {
    sluice_client *client;
    int64_t next;
};
static struct reader open_reader(struct story *s, const char *policy, int64_t from) {
    const char *const settings[] = {"auto.offset.reset",
                                    policy,
                                    "fetch.max.wait.ms",
                                    "100",
                                    "group.id",
                                    "readers",
                                    "enable.auto.commit",
                                    "true",
                                    NULL};
    struct reader r = {story_open(s, SLUICE_CONSUMER, settings), from >= 0 ? from : 0};
    assert_int_equal(story_assign(s, r.client, 0, from), 0);
    return r;
}
static int64_t position_of(const struct reader *r) {
    sluice_offsets *list;
    sluice_offset o;
    assert_int_equal(sluice_consumer_positions(r->client, &list), 0);
    assert_int_equal(sluice_offsets_at(list, 0, &o, sizeof o), 1);
    sluice_offsets_free(list);
    return o.offset;
}
static void expect_told(struct story *s, struct reader *r, int64_t at) {
    char text[400];
    sluice_batch *batch;
    assert_int_equal(sluice_consumer_poll(r->client, 10000, &batch), SLUICE_ERR_TRUNCATED);
    assert_true(sluice_client_explain(r->client, SLUICE_ERR_TRUNCATED, text, sizeof text) >= 0);
    assert_non_null(strstr(text, "the log was cut"));
    assert_int_equal(position_of(r), at);
    assert_int_equal(sluice_consumer_poll(r->client, 3000, &batch), 0); /* once */
    assert_null(batch);
    assert_int_equal(story_seek(s, r->client, 0, at), 0);
    r->next = at;
}
/* Everything is read to the end of the log. */
static void expect_all(struct story *s, struct reader *r) {
    int64_t end = story_log_end(s, 0);
    assert_int_equal(story_read(s, r->client, &r->next, end - r->next, 20000), 0);
    assert_int_equal(r->next, end);
    assert_int_equal(position_of(r), end);
}

static sluice_client *begin(struct story *s) {
    const char *const settings[] = {"linger.ms", "0", NULL};
    story_begin(s, 3, 1);
    return story_open(s, SLUICE_PRODUCER, settings);
}
static void write_before(struct story *s, sluice_client *p) {
    for (int i = 0; i < BEFORE / 10; i++) send_all(s, p, 10);
    assert_int_equal(story_log_end(s, 0), BEFORE);
}
/* What the election leaves is where a batch ended. */
static int64_t cut(struct story *s) {
    story_elect_unclean(s, 0, 2, CUT_AT);
    int64_t end = story_log_end(s, 0);
    assert_in_range(end, CUT_AT - 10, CUT_AT);
    return end;
}

static void test_by_policy(void **state) {
    static const char *const policies[] = {"earliest", "latest"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        sluice_client *p = begin(&s);
        write_before(&s, p);
        struct reader r = open_reader(&s, policies[i], 0);
        expect_all(&s, &r);
        r.next = cut(&s);
        send_all(&s, p, AFTER);
        expect_all(&s, &r);
        assert_string_equal(story_end(&s), "");
    }
}

static void test_without_policy(void **state) {
    struct story s;
    (void)state;
    sluice_client *p = begin(&s);
    write_before(&s, p);
    struct reader r = open_reader(&s, "none", 0);
    expect_all(&s, &r);
    int64_t at = cut(&s);
    send_all(&s, p, AFTER);
    expect_told(&s, &r, at);
    expect_all(&s, &r);
    assert_string_equal(story_end(&s), "");
}

/* What is gone had been fetched, and not been handed out: the leader is asked, and that is all. */
static void test_nothing_read_is_gone(void **state) {
    struct story s;
    (void)state;
    sluice_client *p = begin(&s);
    write_before(&s, p);
    struct reader r = open_reader(&s, "none", 0);
    expect_all(&s, &r);
    send_all(&s, p, 10);
    story_run(&s, 500);
    story_elect_unclean(&s, 0, 2, BEFORE);
    assert_int_equal(story_log_end(&s, 0), BEFORE);
    story_run(&s, 2000);
    send_all(&s, p, AFTER);
    expect_all(&s, &r);
    int64_t asked = sl_broker_seen(s.world->broker, SL_API_OFFSET_FOR_LEADER_EPOCH);
    assert_in_range(asked, 1, 3);
    assert_string_equal(story_end(&s), "");
}

/* Who committed has gone, and the log was cut meanwhile. */
static void test_committed(void **state) {
    static const char *const policies[] = {"none", "latest"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct story s;
        sluice_client *p = begin(&s);
        write_before(&s, p);
        struct reader r = open_reader(&s, policies[i], 0);
        expect_all(&s, &r);
        assert_int_equal(sluice_client_close(r.client, 10000, NULL), 0);
        story_free(&s, r.client);
        assert_int_equal(sl_broker_committed(s.world->broker, "readers", "t", 0), BEFORE);
        int64_t at = cut(&s);
        send_all(&s, p, AFTER);
        r = open_reader(&s, policies[i], SLUICE_OFFSET_COMMITTED);
        r.next = at;
        if (i == 0) expect_told(&s, &r, at);
        expect_all(&s, &r);
        assert_string_equal(story_end(&s), "");
    }
}

/* Three elections in a row, a leader that says nothing for a while, and one that is unsure. */
static void test_again_and_again(void **state) {
    static const int codes[] = {SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH,
                                SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,
                                SLUICE_KAFKA_UNKNOWN_SERVER_ERROR};
    struct story s;
    (void)state;
    sluice_client *p = begin(&s);
    write_before(&s, p);
    struct reader r = open_reader(&s, "latest", 0);
    expect_all(&s, &r);
    for (int i = 0; i < 3; i++) {
        struct sl_fault refusal = {.kind = SL_FAULT_ERROR,
                                   .api = SL_API_OFFSET_FOR_LEADER_EPOCH,
                                   .partition = -1,
                                   .code = codes[i],
                                   .times = 4};
        story_fault(&s, &refusal);
        story_elect_unclean(&s, 0, 1 + (i + 1) % 3, story_log_end(&s, 0) - 15);
        r.next = story_log_end(&s, 0);
        for (int k = 0; k < 3; k++) send_all(&s, p, 10);
        expect_all(&s, &r);
    }
    assert_string_equal(story_end(&s), "");
}

/* Brokers before 2.3 let only replicas ask: a position behind the end is out of range, as ever. */
static void test_old_brokers(void **state) {
    struct story s;
    (void)state;
    sluice_client *p = begin(&s);
    assert_int_equal(sl_broker_cap_release(s.world->broker, "2.1"), 0);
    write_before(&s, p);
    struct reader r = open_reader(&s, "earliest", 0);
    expect_all(&s, &r);
    (void)cut(&s);
    r.next = 0;
    expect_all(&s, &r);
    assert_int_equal(sl_broker_seen(s.world->broker, SL_API_OFFSET_FOR_LEADER_EPOCH), 0);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_policy),
        cmocka_unit_test(test_without_policy),
        cmocka_unit_test(test_nothing_read_is_gone),
        cmocka_unit_test(test_committed),
        cmocka_unit_test(test_again_and_again),
        cmocka_unit_test(test_old_brokers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
