/* Followers at the bundled broker (KIP-392): racks in Metadata and hints, whom a leader names, and
 * what a follower serves that lags. */
#include "broker_client.h"

static const char by_rack[] = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

static void set(struct client *c, const char *name, const char *value) {
    assert_int_equal(sl_broker_set(c->broker, name, value), 0);
}

/* Three nodes in racks a, b and c that all have "t-0", which node 1 leads: 3 batches of 10. */
static struct client *start(void) {
    struct client *c = client_start(3, 1);
    set(c, "broker.rack", "a,b,c");
    set(c, "replica.selector.class", by_rack);
    for (int i = 0; i < 3; i++) client_append(c, "t", 0, 10);
    return c;
}

static const struct sl_fetch_partition_response *
fetch(struct client *c, int32_t node, int16_t version, const char *rack, int64_t offset) {
    struct client_link *l = client_connect(c, node);
    struct client_fetch f = client_fetch_one(version, "t", 0, 0);
    f.rack = rack;
    f.parts[0].offset = offset;
    return client_fetched(client_fetch(c, l, &f), 0);
}

static int32_t named(struct client *c, const char *rack, int64_t offset) {
    const struct sl_fetch_partition_response *p = fetch(c, 1, 13, rack, offset);
    assert_int_equal(p->error_code, 0);
    assert_int_equal(p->high_watermark, 30);
    assert_int_equal(client_count_batches(p) > 0, p->preferred_read_replica < 0 && offset < 30);
    return p->preferred_read_replica;
}

/* ---- racks ---- */

static void test_racks_are_told(void **state) {
    (void)state;
    struct client *c = client_start(5, 1);
    struct client_link *l = client_connect(c, 1);
    set(c, "broker.rack", "a,,c");
    static const char *const racks[] = {"a", NULL, "c", "a", NULL};
    const struct sl_metadata_response *m = client_metadata(c, l, 12, "t", false);
    assert_int_equal(m->brokers.count, 5);
    for (int i = 0; i < 5; i++) {
        const struct sl_metadata_broker *broker =
            (const struct sl_metadata_broker *)m->brokers.items + i;
        if (racks[i] == NULL)
            assert_int_equal(broker->rack.size, -1);
        else
            assert_true(sl_bytes_str_equal(broker->rack, sl_bytes_str(racks[i])));
    }
    char longest[80];
    memset(longest, 'r', sizeof longest);
    longest[63] = '\0';
    set(c, "broker.rack", longest);
    longest[63] = 'r';
    longest[64] = '\0';
    assert_int_equal(sl_broker_set(c->broker, "broker.rack", longest), SLUICE_ERR_CONFIG);
    assert_int_equal(sl_broker_set(c->broker, "replica.selector.class", "x"), SLUICE_ERR_CONFIG);
    set(c, "broker.rack", "");
    m = client_metadata(c, l, 12, "t", false);
    assert_int_equal(((const struct sl_metadata_broker *)m->brokers.items)->rack.size, -1);
    client_end(c);
}

/* ---- whom a leader names ---- */

static void test_the_replica_in_the_rack(void **state) {
    (void)state;
    struct client *c = start();
    assert_int_equal(named(c, "b", 0), 2);
    assert_int_equal(named(c, "c", 0), 3);
    assert_int_equal(named(c, "c", 30), 3); /* at the end too */
    assert_int_equal(named(c, "a", 0), -1); /* the leader's own */
    assert_int_equal(named(c, "d", 0), -1);
    assert_int_equal(named(c, NULL, 0), -1);
    assert_int_equal(fetch(c, 1, 10, "b", 0)->preferred_read_replica, -1);
    assert_int_equal(fetch(c, 2, 13, "c", 0)->preferred_read_replica, -1); /* no leader */
    set(c, "replica.selector.class", "");
    assert_int_equal(named(c, "b", 0), -1);
    client_end(c);
}

static void test_the_one_that_has_the_most(void **state) {
    (void)state;
    struct client *c = start();
    set(c, "broker.rack", "a,b,b");
    assert_int_equal(named(c, "b", 0), 2);
    sl_broker_set_lag(c->broker, 2, &(struct sl_broker_lag){.end = 10});
    assert_int_equal(named(c, "b", 0), 3);
    sl_broker_set_lag(c->broker, 3, &(struct sl_broker_lag){.end = 20});
    assert_int_equal(named(c, "b", 0), 2);
    assert_int_equal(named(c, "b", 20), 2);
    assert_int_equal(named(c, "b", 30), -1); /* none has got there */
    sl_broker_set_lag(c->broker, 2, &(struct sl_broker_lag){.start = 20});
    assert_int_equal(named(c, "b", 0), 3);
    client_end(c);
}

/* A leader notices late that a follower is away. */
static void test_one_that_is_away(void **state) {
    (void)state;
    struct client *c = start();
    set(c, "replica.lag.time.max.ms", "5000");
    sl_broker_set_state(c->broker, 2, SL_BROKER_FROZEN);
    client_advance(c, 3000);
    sl_broker_set_state(c->broker, 2, SL_BROKER_DOWN);
    client_advance(c, 1999);
    assert_int_equal(named(c, "b", 0), 2);
    client_advance(c, 1);
    assert_int_equal(named(c, "b", 0), -1);
    sl_broker_set_state(c->broker, 2, SL_BROKER_UP);
    client_turn(c);
    assert_int_equal(named(c, "b", 0), 2);
    client_end(c);
}

/* It is told at once, whatever the Fetch waits for, and in a session each time. */
static void test_naming_does_not_wait(void **state) {
    (void)state;
    struct client *c = start();
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(13, "t", 0, 10000);
    f.session_epoch = 0;
    f.parts[0].offset = 30;
    f.rack = "b";
    const struct sl_fetch_response *m = client_fetch(c, l, &f);
    assert_int_equal(client_fetched(m, 0)->preferred_read_replica, 2);
    f.session_id = m->session_id;
    f.count = 0;
    for (f.session_epoch = 1; f.session_epoch < 3; f.session_epoch++) {
        m = client_fetch(c, l, &f);
        assert_int_equal(m->topics.count, 1);
        assert_int_equal(client_fetched(m, 0)->preferred_read_replica, 2);
    }
    f.rack = NULL;
    client_put_fetch(c, l, &f);
    client_advance(c, 9999);
    assert_false(client_has_answer(l));
    client_advance(c, 1);
    m = client_take(c, l);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->topics.count, 0);
    client_end(c);
}

/* ---- what a follower serves ---- */

static void test_followers_serve(void **state) {
    (void)state;
    struct client *c = start();
    for (int16_t version = 10; version <= 18; version++) {
        const struct sl_fetch_partition_response *p = fetch(c, 2, version, NULL, 10);
        bool serves = version >= 11; /* older consumers know leaders only */
        assert_int_equal(p->error_code, serves ? 0 : SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER);
        assert_int_equal(client_count_batches(p), serves ? 2 : 0);
        assert_int_equal(p->high_watermark, serves ? 30 : -1);
    }
    struct client_link *l = client_connect(c, 2);
    struct client_fetch f = client_fetch_one(13, "t", 0, 0);
    f.parts[0].knows_epoch = true;
    f.parts[0].leader_epoch = 1;
    assert_int_equal(client_fetched(client_fetch(c, l, &f), 0)->error_code,
                     SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 3, true), 0);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 1, true), 0);
    const struct sl_fetch_partition_response *p = client_fetched(client_fetch(c, l, &f), 0);
    assert_int_equal(p->error_code, SLUICE_KAFKA_FENCED_LEADER_EPOCH);
    assert_int_equal(p->current_leader.leader_id, 1);
    client_end(c);
}

static void test_a_lagging_follower(void **state) {
    (void)state;
    struct client *c = start();
    sl_broker_set_lag(c->broker, 2, &(struct sl_broker_lag){.end = 5, .told = 8});
    const struct sl_fetch_partition_response *p = fetch(c, 2, 13, NULL, 0);
    assert_int_equal(p->high_watermark, 10); /* of 20 in whole batches, 12 and so 10 are told */
    assert_int_equal(p->last_stable_offset, 10);
    assert_int_equal(client_count_batches(p), 1);
    p = fetch(c, 2, 13, NULL, 20); /* beyond its high watermark, which is no error */
    assert_int_equal(p->error_code, 0);
    assert_int_equal(client_count_batches(p), 0);
    assert_int_equal(fetch(c, 2, 13, NULL, 21)->error_code, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    assert_int_equal(fetch(c, 1, 13, NULL, 21)->error_code, 0); /* a leader lags behind nobody */
    sl_broker_set_lag(c->broker, 2, &(struct sl_broker_lag){.start = 10});
    assert_int_equal(fetch(c, 2, 13, NULL, 9)->error_code, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    p = fetch(c, 2, 13, NULL, 10);
    assert_int_equal(p->log_start_offset, 10);
    assert_int_equal(client_count_batches(p), 2);
    sl_broker_set_lag(c->broker, 2, &(struct sl_broker_lag){.end = 100, .told = 100, .start = 100});
    assert_int_equal(fetch(c, 2, 13, NULL, 0)->high_watermark, 0);
    client_end(c);
}

/* Whoever waits at a follower is served when it has caught up. */
static void test_catching_up_ends_the_wait(void **state) {
    (void)state;
    struct client *c = start();
    struct client_link *l = client_connect(c, 2);
    struct client_fetch f = client_fetch_one(13, "t", 0, 10000);
    sl_broker_set_lag(c->broker, 2, &(struct sl_broker_lag){.end = 10});
    f.parts[0].offset = 20;
    client_put_fetch(c, l, &f);
    client_advance(c, 100);
    assert_false(client_has_answer(l));
    client_append(c, "t", 0, 10); /* it is as far behind as before */
    client_turn(c);
    assert_int_equal(client_fetched(client_take(c, l), 0)->high_watermark, 30);
    f.parts[0].offset = 30;
    client_put_fetch(c, l, &f);
    client_advance(c, 100);
    assert_false(client_has_answer(l));
    sl_broker_set_lag(c->broker, 2, &(struct sl_broker_lag){.end = 0});
    client_turn(c);
    assert_int_equal(client_count_batches(client_fetched(client_take(c, l), 0)), 1);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_racks_are_told),
        cmocka_unit_test(test_the_replica_in_the_rack),
        cmocka_unit_test(test_the_one_that_has_the_most),
        cmocka_unit_test(test_one_that_is_away),
        cmocka_unit_test(test_naming_does_not_wait),
        cmocka_unit_test(test_followers_serve),
        cmocka_unit_test(test_a_lagging_follower),
        cmocka_unit_test(test_catching_up_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
