/* Goal: a consumer with client.rack reads from the follower in its rack, and whatever becomes of that
 * follower, every record comes once and in order, without a reset, and soon.
 * Method: three nodes in three racks, a consumer beside node 2, which lags, is refused, dies, freezes
 * and gets to lead. auto.offset.reset is none, so that a reset would be an error. */
#include "scenario.h"

static sluice_op *op;

static void set(struct story *s, const char *name, const char *value) {
    world_broker_begin(s->world);
    assert_int_equal(sl_broker_set(s->world->broker, name, value), 0);
    world_broker_end(s->world);
}

static void set_lag(struct story *s, int32_t node, struct sl_broker_lag lag) {
    world_broker_begin(s->world);
    sl_broker_set_lag(s->world->broker, node, &lag);
    world_broker_end(s->world);
}

/* The metric of that name, of a node or of none (-1). */
static int64_t read_metric(sluice_client *client, const char *name, int64_t node) {
    sluice_op_free(op);
    assert_int_equal(sluice_metrics_snapshot(client, 1000, &op), 0);
    assert_int_equal(sluice_op_wait(op, 1000), 0);
    const sluice_table *t = sluice_op_table(op, "metrics");
    for (int32_t row = 0; row < sluice_table_rows(t); row++) {
        const char *link = sluice_table_str(t, row, "link");
        if (strcmp(sluice_table_str(t, row, "name"), name) != 0) continue;
        if (sluice_table_int(t, row, "node-id", -1) != node) continue;
        if (node < 0 || strcmp(link, "fetch") == 0) return sluice_table_int(t, row, "value", -100);
    }
    return 0; /* it has no such connection */
}
static int64_t replica_of(sluice_client *c) { return read_metric(c, "preferred-read-replica", -1); }
static int64_t bytes_from(sluice_client *c, int64_t node) {
    return read_metric(c, "incoming-byte-total", node);
}

struct scene {
    struct story s;
    sluice_client *p, *c;
    int64_t sent;
    int64_t next; /* to be read */
};

static void begin(struct scene *x, int32_t partitions, const char *max_age) {
    const char *const consumer[] = {"client.rack",
                                    "b",
                                    "fetch.max.wait.ms",
                                    "100",
                                    "auto.offset.reset",
                                    "none",
                                    "request.timeout.ms",
                                    "2000",
                                    "metadata.max.age.ms",
                                    max_age,
                                    NULL};
    const char *const producer[] = {"linger.ms", "1", "batch.size", "500", NULL};
    memset(x, 0, sizeof *x);
    story_begin(&x->s, 3, partitions);
    set(&x->s, "broker.rack", "a,b,c");
    set(&x->s, "replica.selector.class",
        "org.apache.kafka.common.replica.RackAwareReplicaSelector");
    x->p = story_open(&x->s, SLUICE_PRODUCER, producer);
    x->c = story_open(&x->s, SLUICE_CONSUMER, consumer);
    assert_int_equal(story_assign(&x->s, x->c, 0, 0), 0);
}

static void end(struct scene *x) {
    sluice_op_free(op);
    op = NULL;
    assert_true(story_await_reports(&x->s, x->p, x->sent, 60000));
    assert_string_equal(story_end(&x->s), "");
}

/* So many records are sent, and read within that time. */
static void pass(struct scene *x, int count, int32_t within_ms) {
    for (int i = 0; i < count; i++) assert_int_equal(story_send(&x->s, x->p, 0, 0), 0);
    x->sent += count;
    int64_t started = story_now_ms(&x->s);
    assert_int_equal(story_read(&x->s, x->c, &x->next, x->sent - x->next, within_ms), 0);
    assert_int_equal(x->next, x->sent);
    assert_true(story_now_ms(&x->s) - started <= within_ms);
}

/* Records come and are read until the consumer reads them from that node (-1: the leader). */
static void pass_until(struct scene *x, int64_t node, int64_t within_ms) {
    int64_t until = story_now_ms(&x->s) + within_ms;
    while (replica_of(x->c) != node) {
        assert_true(story_now_ms(&x->s) < until);
        pass(x, 5, 2000);
        story_run(&x->s, 100);
    }
}

/* It is read from its follower on node 2 already. */
static void begin_near(struct scene *x) {
    begin(x, 1, "300000");
    pass_until(x, 2, 2000);
    pass(x, 100, 1000);
}

static void test_the_follower_in_the_rack(void **state) {
    struct scene x;
    (void)state;
    begin_near(&x);
    pass(&x, 2000, 5000);
    assert_int_equal(replica_of(x.c), 2);
    assert_true(bytes_from(x.c, 2) > 10 * bytes_from(x.c, 1));
    assert_int_equal(bytes_from(x.c, 3), 0);
    end(&x);
}

/* Again and again the leader is asked, who has reasons to name another one. */
static void test_leases_end(void **state) {
    struct scene x;
    (void)state;
    begin(&x, 1, "3000");
    pass(&x, 10, 1000);
    for (int round = 0; round < 5; round++) {
        set(&x.s, "broker.rack", round % 2 == 0 ? "a,c,b" : "a,b,c");
        pass_until(&x, round % 2 == 0 ? 3 : 2, 4000);
        pass(&x, 100, 1000);
    }
    set(&x.s, "broker.rack", "b,b,b");
    pass_until(&x, -1, 4000);
    pass(&x, 100, 1000);
    end(&x);
}

/* It is named for half a minute after it died, and serves no one meanwhile. */
static void test_it_dies(void **state) {
    struct scene x;
    (void)state;
    begin_near(&x);
    world_set_node(x.s.world, 2, SL_BROKER_DOWN);
    for (int second = 0; second < 40; second++) {
        pass(&x, 20, 500);
        story_run(&x.s, 1000);
    }
    assert_int_equal(replica_of(x.c), -1);
    world_set_node(x.s.world, 2, SL_BROKER_UP);
    pass_until(&x, 2, 30000);
    pass(&x, 100, 1000);
    end(&x);
}

/* A network that swallows what is sent to it: connecting takes ten seconds to fail. */
static void test_it_cannot_be_reached(void **state) {
    struct scene x;
    (void)state;
    begin(&x, 1, "300000");
    x.s.world->doors[2] = WORLD_DOOR_HOLE;
    pass(&x, 100, 2000);
    int64_t started = story_now_ms(&x.s);
    for (int second = 0; second < 40; second++) {
        pass(&x, 20, 800);
        story_run(&x.s, 1000);
    }
    assert_true(story_now_ms(&x.s) - started < 46000); /* a few attempts, of half a second each */
    x.s.world->doors[2] = WORLD_DOOR_OPEN;
    link_knock_again(x.s.world, 2);
    pass_until(&x, 2, 40000);
    end(&x);
}

static void test_it_freezes(void **state) {
    struct scene x;
    (void)state;
    begin_near(&x);
    world_set_node(x.s.world, 2, SL_BROKER_FROZEN);
    pass(&x, 20, 2500); /* the request times out */
    assert_int_equal(replica_of(x.c), -1);
    for (int i = 0; i < 20; i++) pass(&x, 20, 2500);
    world_set_node(x.s.world, 2, SL_BROKER_UP);
    pass_until(&x, 2, 70000);
    end(&x);
}

/* Whatever it answers, the leader has the records. */
static void test_it_refuses(void **state) {
    static const int codes[] = {
        SLUICE_KAFKA_OFFSET_OUT_OF_RANGE,    SLUICE_KAFKA_REPLICA_NOT_AVAILABLE,
        SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,   SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH,
        SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, SLUICE_KAFKA_KAFKA_STORAGE_ERROR};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct scene x;
        begin_near(&x);
        struct sl_fault refusal = {.kind = SL_FAULT_ERROR,
                                   .api = SL_API_FETCH,
                                   .node = 2,
                                   .partition = -1,
                                   .code = codes[i],
                                   .times = -1};
        story_fault(&x.s, &refusal);
        int64_t fetches = sl_broker_seen(x.s.world->broker, SL_API_FETCH);
        for (int k = 0; k < 30; k++) {
            pass(&x, 10, 500);
            story_run(&x.s, 1000);
        }
        fetches = sl_broker_seen(x.s.world->broker, SL_API_FETCH) - fetches;
        assert_true(fetches < 450); /* ten a second wait for records, and those that found some */
        sl_broker_heal(x.s.world->broker, 0);
        pass_until(&x, 2, 70000);
        end(&x);
    }
}

/* It knows of less than the leader: what is not there yet comes when it has caught up. What it has
 * lost is asked of the leader, and is no reason for a reset. */
static void test_it_lags(void **state) {
    struct scene x;
    (void)state;
    begin_near(&x);
    int64_t before = x.sent;
    set_lag(&x.s, 2, (struct sl_broker_lag){.told = 40});
    for (int i = 0; i < 200; i++) assert_int_equal(story_send(&x.s, x.p, 0, 0), 0);
    x.sent += 200;
    (void)story_read(&x.s, x.c, &x.next, x.sent - x.next, 1000);
    assert_in_range(x.next, before + 140, before + 160);
    assert_int_equal(replica_of(x.c), 2);
    /* The lag is that to the leader's end, as far as it is known: never below nothing. */
    assert_true(read_metric(x.c, "records-lag", -1) >= 0);
    set_lag(&x.s, 2, (struct sl_broker_lag){.told = 0});
    pass(&x, 10, 1000);
    assert_int_equal(replica_of(x.c), 2);
    set_lag(&x.s, 2, (struct sl_broker_lag){.end = 150});
    pass(&x, 10, 1000);
    assert_int_equal(replica_of(x.c), -1);
    set_lag(&x.s, 2, (struct sl_broker_lag){.end = 0});
    pass_until(&x, 2, 3000);
    /* Its log begins later: who goes back is served by the leader. */
    set_lag(&x.s, 2, (struct sl_broker_lag){.start = 200});
    assert_int_equal(story_seek(&x.s, x.c, 0, 50), 0);
    x.next = 50;
    assert_int_equal(story_read(&x.s, x.c, &x.next, x.sent - x.next, 2000), 0);
    assert_int_equal(x.next, x.sent);
    pass(&x, 10, 1000);
    end(&x);
}

/* Leaders move among all nodes, told and untold, and the follower becomes the leader and back. */
static void test_leaders_move(void **state) {
    struct scene x;
    (void)state;
    begin(&x, 1, "300000");
    for (int round = 0; round < 12; round++) {
        pass(&x, 50, 3000);
        story_move_leader(&x.s, 0, 1 + round % 3, round % 2 == 0);
    }
    story_move_leader(&x.s, 0, 1, true);
    pass_until(&x, 2, 5000);
    end(&x);
}

/* Brokers that do not know of it (before 2.4) are read from as ever. */
static void test_an_old_cluster(void **state) {
    struct scene x;
    (void)state;
    begin(&x, 1, "300000");
    assert_int_equal(sl_broker_cap_release(x.s.world->broker, "2.1"), 0);
    pass(&x, 100, 1000);
    assert_int_equal(replica_of(x.c), -1);
    end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_follower_in_the_rack),
        cmocka_unit_test(test_leases_end),
        cmocka_unit_test(test_it_dies),
        cmocka_unit_test(test_it_cannot_be_reached),
        cmocka_unit_test(test_it_freezes),
        cmocka_unit_test(test_it_refuses),
        cmocka_unit_test(test_it_lags),
        cmocka_unit_test(test_leaders_move),
        cmocka_unit_test(test_an_old_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
