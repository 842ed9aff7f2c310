/* Fetch sessions at the bundled broker (KIP-227): made by a full request, changed by incremental
 * ones, which are answered with news alone; epochs, forgotten partitions, slots and eviction. */
#include "broker_client.h"

static struct client_fetch full_fetch(int16_t version, int parts) {
    struct client_fetch f = client_fetch_one(version, "t", 0, 0);
    f.session_epoch = 0;
    f.count = parts;
    for (int i = 0; i < parts; i++) f.parts[i] = (struct client_part){.topic = "t", .partition = i};
    return f;
}

/* The next request of a session, that changes nothing. */
static struct client_fetch next_fetch(const struct client_fetch *before, int32_t id,
                                      int32_t epoch) {
    struct client_fetch f = *before;
    f.session_id = id;
    f.session_epoch = epoch;
    f.count = 0;
    return f;
}

/* Opens one over that many partitions of "t". */
static int32_t open_session(struct client *c, struct client_link *l, int16_t version, int parts) {
    struct client_fetch f = full_fetch(version, parts);
    const struct sl_fetch_response *m = client_fetch(c, l, &f);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->topics.count, parts);
    return m->session_id;
}

/* ---- news ---- */

static void test_full_then_incremental(void **state) {
    (void)state;
    static const int16_t versions[] = {7, 12, 13, 18};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        struct client *c = client_start(1, 3);
        struct client_link *l = client_connect(c, 1);
        struct client_fetch f = full_fetch(versions[i], 3);
        const struct sl_fetch_response *m = client_fetch(c, l, &f);
        int32_t id = m->session_id;
        assert_true(id > 0);
        assert_int_equal(m->topics.count, 3); /* all of them, news or not */
        f = next_fetch(&f, id, 1);
        m = client_fetch(c, l, &f);
        assert_int_equal(m->session_id, id);
        assert_int_equal(m->topics.count, 0);
        client_append(c, "t", 1, 2);
        f.session_epoch = 2;
        m = client_fetch(c, l, &f);
        assert_int_equal(m->topics.count, 1);
        assert_int_equal(client_fetched(m, 0)->partition, 1);
        assert_int_equal(client_count_batches(client_fetched(m, 0)), 1);
        /* The position moves by a request that lists the partition. */
        f.session_epoch = 3;
        f.count = 1;
        f.parts[0] = (struct client_part){.topic = "t", .partition = 1, .offset = 2};
        assert_int_equal(client_fetch(c, l, &f)->topics.count, 0);
        client_end(c);
    }
}

/* A new high watermark or log start is news too, and an error, and its end. */
static void test_what_is_news(void **state) {
    (void)state;
    struct client *c = client_start_alone(2);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 0, 4);
    int32_t id = open_session(c, l, 13, 1);
    struct client_fetch f = full_fetch(13, 1);
    f = next_fetch(&f, id, 1);
    f.count = 1;
    f.parts[0].offset = 4;
    assert_int_equal(client_fetch(c, l, &f)->topics.count, 0);
    f.count = 0;
    f.session_epoch = 2;
    assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 2), 0);
    const struct sl_fetch_response *m = client_fetch(c, l, &f);
    assert_int_equal(client_fetched(m, 0)->log_start_offset, 2);
    f.session_epoch = 3;
    assert_int_equal(client_fetch(c, l, &f)->topics.count, 0);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    for (int i = 0; i < 2; i++) { /* an error is told every time */
        f.session_epoch++;
        m = client_fetch(c, l, &f);
        assert_int_equal(client_fetched(m, 0)->error_code, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER);
    }
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 1, true), 0);
    f.session_epoch++;
    m = client_fetch(c, l, &f);
    assert_int_equal(client_fetched(m, 0)->error_code, 0);
    assert_int_equal(client_fetched(m, 0)->high_watermark, 4);
    f.session_epoch++;
    assert_int_equal(client_fetch(c, l, &f)->topics.count, 0);
    client_end(c);
}

/* Whoever gave data goes behind the others, so that a small limit starves nobody. */
static void test_partitions_take_turns(void **state) {
    (void)state;
    struct client *c = client_start(1, 3);
    struct client_link *l = client_connect(c, 1);
    for (int32_t i = 0; i < 3; i++) client_append(c, "t", i, 1);
    int32_t id = open_session(c, l, 13, 3);
    struct client_fetch f = full_fetch(13, 3);
    f = next_fetch(&f, id, 0);
    f.max_bytes = 1;
    bool seen[3] = {false};
    for (int i = 0; i < 3; i++) {
        f.session_epoch++;
        const struct sl_fetch_response *m = client_fetch(c, l, &f);
        int with_data = 0;
        for (int32_t k = 0; k < m->topics.count; k++) {
            const struct sl_fetch_partition_response *p = client_fetched(m, k);
            if (p->records.size <= 0) continue;
            with_data++;
            seen[p->partition] = true;
        }
        assert_int_equal(with_data, 1);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    client_end(c);
}

static void test_session_waits(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 2);
    struct client_fetch f = full_fetch(13, 2);
    f = next_fetch(&f, id, 1);
    f.wait_ms = 500;
    client_put_fetch(c, l, &f);
    client_advance(c, 100);
    assert_false(client_has_answer(l));
    client_append(c, "t", 1, 1);
    client_turn(c);
    const struct sl_fetch_response *m = client_take(c, l);
    assert_int_equal(m->topics.count, 1);
    assert_int_equal(client_fetched(m, 0)->partition, 1);
    f.session_epoch = 2;
    f.count = 1;
    f.parts[0] = (struct client_part){.topic = "t", .partition = 1, .offset = 1};
    client_put_fetch(c, l, &f);
    client_advance(c, 500);
    m = client_take(c, l);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->session_id, id);
    assert_int_equal(m->topics.count, 0);
    client_end(c);
}

/* ---- added and forgotten ---- */

static void test_added_and_forgotten(void **state) {
    (void)state;
    struct client *c = client_start(1, 3);
    struct client_link *l = client_connect(c, 1);
    for (int32_t i = 0; i < 3; i++) client_append(c, "t", i, 1);
    int32_t id = open_session(c, l, 13, 2);
    struct client_fetch f = full_fetch(13, 2);
    f = next_fetch(&f, id, 1);
    f.count = 2;
    f.parts[0] = (struct client_part){.topic = "t", .partition = 2};
    f.parts[1] = (struct client_part){.topic = "t", .partition = 0, .forget = true};
    const struct sl_fetch_response *m = client_fetch(c, l, &f);
    assert_int_equal(m->topics.count, 2);
    int32_t sum = client_fetched(m, 0)->partition + client_fetched(m, 1)->partition;
    assert_int_equal(sum, 1 + 2);
    assert_string_equal(sl_broker_complaint(c->broker), "");
    /* Forgotten again, and listed without a change: no errors, but complaints. */
    f.session_epoch = 2;
    f.count = 1;
    f.parts[0] = f.parts[1];
    m = client_fetch(c, l, &f);
    assert_int_equal(m->error_code, 0);
    assert_non_null(strstr(sl_broker_complaint(c->broker), "partition 0 is not in the session"));
    f.session_epoch = 3;
    f.parts[0] = (struct client_part){.topic = "t", .partition = 1};
    assert_int_equal(client_fetch(c, l, &f)->error_code, 0);
    assert_non_null(strstr(sl_broker_complaint(c->broker), "partition 1 is listed without"));
    client_end(c);
}

/* Brokers remove after they add: who is in both lists of a request is gone. */
static void test_listed_and_forgotten_is_gone(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 0, 1);
    int32_t id = open_session(c, l, 13, 1);
    struct client_fetch f = full_fetch(13, 1);
    f = next_fetch(&f, id, 1);
    f.count = 2;
    f.parts[0] = (struct client_part){.topic = "t", .offset = 1};
    f.parts[1] = (struct client_part){.topic = "t", .forget = true};
    assert_int_equal(client_fetch(c, l, &f)->topics.count, 0);
    client_append(c, "t", 0, 1);
    f.session_epoch = 2;
    f.count = 0;
    assert_int_equal(client_fetch(c, l, &f)->topics.count, 0);
    client_end(c);
}

/* ---- epochs and ends ---- */

static void expect_session_error(struct client *c, struct client_link *l,
                                 const struct client_fetch *f, int code) {
    const struct sl_fetch_response *m = client_fetch(c, l, f);
    assert_int_equal(m->error_code, code);
    assert_int_equal(m->topics.count, 0);
}

static void test_epoch_errors(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 1);
    struct client_fetch f = full_fetch(13, 1);
    f = next_fetch(&f, id, 2);
    f.wait_ms = 10000;
    expect_session_error(c, l, &f, SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH);
    f.session_epoch = 1; /* the refused one counts for nothing */
    f.wait_ms = 0;
    assert_int_equal(client_fetch(c, l, &f)->error_code, 0);
    expect_session_error(c, l, &f, SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH);
    f.session_id = id == 1 ? 2 : 1;
    expect_session_error(c, l, &f, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    f = next_fetch(&f, id, 2);
    f.version = 12; /* by name what was begun by id */
    expect_session_error(c, l, &f, SLUICE_KAFKA_FETCH_SESSION_TOPIC_ID_ERROR);
    client_end(c);
}

/* 1, 2, … INT32_MAX, 1: 0 would ask for a new session. */
static void test_epoch_wraps_to_one(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 1);
    sl_sessions_find(&c->broker->cluster.nodes[0].sessions, id)->epoch = INT32_MAX;
    struct client_fetch f = full_fetch(13, 1);
    f = next_fetch(&f, id, INT32_MAX);
    assert_int_equal(client_fetch(c, l, &f)->error_code, 0);
    f.session_epoch = 1;
    assert_int_equal(client_fetch(c, l, &f)->error_code, 0);
    client_end(c);
}

static void test_full_request_replaces(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 2);
    struct client_fetch f = full_fetch(13, 1);
    f.session_id = id;
    int32_t other = client_fetch(c, l, &f)->session_id;
    assert_true(other > 0 && other != id);
    f = next_fetch(&f, id, 1);
    expect_session_error(c, l, &f, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    f = next_fetch(&f, other, 1);
    assert_int_equal(client_fetch(c, l, &f)->error_code, 0);
    client_end(c);
}

/* Leaving (KIP-227): (id, -1) ends the session and is answered without one. */
static void test_leaving(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 1);
    struct client_fetch f = full_fetch(13, 1);
    f = next_fetch(&f, id, -1);
    const struct sl_fetch_response *m = client_fetch(c, l, &f);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->session_id, 0);
    f.session_epoch = 1;
    expect_session_error(c, l, &f, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    client_end(c);
}

/* A session belongs to the node, not to the connection; a node that restarts has none. */
static void test_sessions_and_connections(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 1);
    client_close(c, l);
    l = client_connect(c, 1);
    struct client_fetch f = full_fetch(13, 1);
    f = next_fetch(&f, id, 1);
    assert_int_equal(client_fetch(c, l, &f)->error_code, 0);
    f.session_epoch = 2;
    struct client_link *other = client_connect(c, 2);
    expect_session_error(c, other, &f, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    client_turn(c);
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    client_turn(c);
    l = client_connect(c, 1);
    expect_session_error(c, l, &f, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    client_end(c);
}

/* A topic made again has another id; the session goes on with the old one, which is unknown. */
static void test_topic_made_again(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 1);
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    struct client_fetch f = full_fetch(13, 1);
    f = next_fetch(&f, id, 1);
    const struct sl_fetch_response *m = client_fetch(c, l, &f);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(client_fetched(m, 0)->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
    client_end(c);
}

/* ---- slots ---- */

static void test_no_slots_no_session(void **state) {
    (void)state;
    struct client *c = client_prepare(1);
    c->options.session_slots = 0;
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 2, 1), 0);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 1, 1);
    struct client_fetch f = full_fetch(13, 2);
    for (int i = 0; i < 2; i++) { /* served all the same, full each time, and as a long poll */
        const struct sl_fetch_response *m = client_fetch(c, l, &f);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->session_id, 0);
        assert_int_equal(m->topics.count, 2);
        assert_int_equal(client_count_batches(client_fetched(m, 1)), 1);
    }
    f.wait_ms = 100;
    f.parts[1].offset = 1;
    client_put_fetch(c, l, &f);
    client_advance(c, 99);
    assert_false(client_has_answer(l));
    client_advance(c, 1);
    assert_int_equal(((const struct sl_fetch_response *)client_take(c, l))->session_id, 0);
    client_end(c);
}

/* Only one that was idle for two minutes makes room, the longest idle first. */
static void test_eviction(void **state) {
    (void)state;
    struct client *c = client_prepare(1);
    c->options.session_slots = 2;
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = full_fetch(13, 1);
    int32_t first = client_fetch(c, l, &f)->session_id;
    client_advance(c, 1000);
    int32_t second = client_fetch(c, l, &f)->session_id;
    assert_true(first > 0 && second > 0 && first != second);
    assert_int_equal(client_fetch(c, l, &f)->session_id, 0);
    client_advance(c, 60000);
    struct client_fetch next = next_fetch(&f, first, 1); /* in use again */
    assert_int_equal(client_fetch(c, l, &next)->error_code, 0);
    client_advance(c, 59999);
    assert_int_equal(client_fetch(c, l, &f)->session_id, 0);
    client_advance(c, 1);
    assert_true(client_fetch(c, l, &f)->session_id > 0);
    next = next_fetch(&f, second, 1);
    expect_session_error(c, l, &next, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
    next = next_fetch(&f, first, 2);
    assert_int_equal(client_fetch(c, l, &next)->error_code, 0);
    client_end(c);
}

static void test_slots_may_change(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    int32_t id = open_session(c, l, 13, 1);
    assert_int_equal(sl_broker_set(c->broker, "fetch.session.slots", "0"), 0);
    struct client_fetch f = full_fetch(13, 1);
    assert_int_equal(client_fetch(c, l, &f)->session_id, 0);
    struct client_fetch next = next_fetch(&f, id, 1); /* who has one keeps it */
    assert_int_equal(client_fetch(c, l, &next)->error_code, 0);
    assert_int_equal(sl_broker_set(c->broker, "fetch.session.slots", "10"), 0);
    assert_true(client_fetch(c, l, &f)->session_id > 0);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_then_incremental),
        cmocka_unit_test(test_what_is_news),
        cmocka_unit_test(test_partitions_take_turns),
        cmocka_unit_test(test_session_waits),
        cmocka_unit_test(test_added_and_forgotten),
        cmocka_unit_test(test_listed_and_forgotten_is_gone),
        cmocka_unit_test(test_epoch_errors),
        cmocka_unit_test(test_epoch_wraps_to_one),
        cmocka_unit_test(test_full_request_replaces),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_sessions_and_connections),
        cmocka_unit_test(test_topic_made_again),
        cmocka_unit_test(test_no_slots_no_session),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_slots_may_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
