/* Goal: what applications meet off the straight road: moved positions, ends, full budgets, damage,
 * records that cannot be written, descriptors and events; each told once, with words.
 * Method: each case on a bundled cluster of one or two nodes, which is made to misbehave. */
#include <poll.h>
#include <sched.h>
#include <time.h>

#include "support.h"

static const char topic[] = "t";

static sluice_testbroker *make_cluster(int32_t partitions) {
    sluice_testbroker *tb = NULL;
    assert_int_equal(sluice_testbroker_create(1, NULL, &tb), 0);
    assert_int_equal(sluice_testbroker_topic(tb, topic, partitions, 1), 0);
    return tb;
}

static void store(sluice_testbroker *tb, int32_t partition, int count, int64_t time) {
    char value[32];
    sluice_record r = {0};
    r.topic = topic;
    r.partition = partition;
    r.set = SLUICE_SET_PARTITION | SLUICE_SET_TIMESTAMP;
    for (int i = 0; i < count; i++) {
        r.value = value;
        r.value_size = (size_t)snprintf(value, sizeof value, "value-%d", i);
        r.timestamp_ms = time + i;
        assert_int_equal(sluice_testbroker_append(tb, &r, sizeof r), 0);
    }
}

static sluice_offsets *offsets_of(int32_t partition, int64_t offset) {
    sluice_offsets *list = sluice_offsets_create();
    assert_int_equal(sluice_offsets_add(list, topic, partition, offset), 0);
    return list;
}

static void assign(sluice_client *c, int32_t partition, int64_t offset) {
    sluice_offsets *list = offsets_of(partition, offset);
    MUST(c, sluice_consumer_assign(c, list));
    sluice_offsets_free(list);
}

static void seek(sluice_client *c, int32_t partition, int64_t offset) {
    sluice_offsets *list = offsets_of(partition, offset);
    MUST(c, sluice_consumer_seek(c, list));
    sluice_offsets_free(list);
}

static sluice_batch *poll_batch(sluice_client *c) {
    sluice_batch *batch;
    MUST(c, sluice_consumer_poll(c, 10000, &batch));
    assert_non_null(batch);
    return batch;
}

/* The first record of the next batch, which is freed. */
static int64_t poll_offset(sluice_client *c) {
    sluice_view v;
    sluice_batch *b = poll_batch(c);
    assert_int_equal(sluice_batch_next(b, &v, sizeof v), 1);
    sluice_batch_free(b);
    return v.offset;
}

static void end(sluice_client *c, sluice_testbroker *tb) {
    assert_int_equal(sluice_client_close(c, 10000, NULL), 0);
    sluice_client_free(c);
    sluice_testbroker_free(tb);
}

static void a_poll_after_a_seek_never_returns_the_old(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    sluice_view v;
    (void)unused;
    store(tb, 0, 100, 1000);
    assign(c, 0, 0);
    sluice_batch *old = poll_batch(c);
    seek(c, 0, 50);
    assert_int_equal(poll_offset(c), 50);
    assert_int_equal(sluice_batch_next(old, &v, sizeof v), 1); /* still readable */
    assert_int_equal(v.offset, 0);
    assert_int_equal(sluice_batch_mark(old, 0, 1), SLUICE_ERR_STALE);
    assert_int_equal(sluice_batch_finish(old), SLUICE_ERR_STALE);
    sluice_batch *b;
    assert_int_equal(sluice_consumer_poll(c, 0, &b), 0); /* told once */
    (void)sluice_batch_finish(b);
    seek(c, 0, SLUICE_OFFSET_EARLIEST);
    assert_int_equal(poll_offset(c), 0);
    seek(c, 0, SLUICE_OFFSET_LATEST);
    assert_int_equal(sluice_consumer_poll(c, 200, &b), 0);
    assert_null(b);
    store(tb, 0, 1, 5000);
    assert_int_equal(poll_offset(c), 100);
    end(c, tb);
}

static void paused_partitions_stay_silent(void **unused) {
    sluice_testbroker *tb = make_cluster(2);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    sluice_offsets *both = offsets_of(0, 0);
    sluice_offsets *first = offsets_of(0, 0);
    sluice_batch *b;
    (void)unused;
    sluice_offsets_add(both, topic, 1, 0);
    MUST(c, sluice_consumer_assign(c, both));
    MUST(c, sluice_consumer_pause(c, first));
    store(tb, 0, 5, 1000);
    store(tb, 1, 5, 1000);
    for (int count = 0; count < 5;) {
        sluice_view v;
        b = poll_batch(c);
        for (; sluice_batch_next(b, &v, sizeof v) == 1; count++) assert_int_equal(v.partition, 1);
        MUST(c, sluice_batch_finish(b));
    }
    assert_int_equal(sluice_consumer_poll(c, 200, &b), 0);
    assert_null(b);
    MUST(c, sluice_consumer_resume(c, NULL));
    b = poll_batch(c);
    sluice_slice s;
    assert_int_equal(sluice_batch_slice(b, 0, &s, sizeof s), 1);
    assert_int_equal(s.partition, 0);
    MUST(c, sluice_batch_finish(b));
    sluice_offsets_free(both);
    sluice_offsets_free(first);
    end(c, tb);
}

static void ends_are_told_when_asked_for(void **unused) {
    const char *const settings[] = {"poll.ends", "true", NULL};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, settings);
    sluice_slice s;
    (void)unused;
    assign(c, 0, 0);
    sluice_batch *b = poll_batch(c); /* an empty partition is at its end */
    assert_int_equal(sluice_batch_count(b), 0);
    assert_int_equal(sluice_batch_slice(b, 0, &s, sizeof s), 1);
    assert_int_equal(s.at_end, 1);
    assert_int_equal(s.count, 0);
    MUST(c, sluice_batch_finish(b));
    store(tb, 0, 3, 1000);
    for (int at_end = 0; !at_end;) {
        b = poll_batch(c);
        for (int i = 0; sluice_batch_slice(b, i, &s, sizeof s) == 1; i++)
            at_end = s.next_offset == 3 && s.at_end;
        MUST(c, sluice_batch_finish(b));
    }
    end(c, tb);
}

static void there_is_nowhere_to_start(void **unused) {
    const char *const settings[] = {"auto.offset.reset", "none", NULL};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, settings);
    sluice_batch *b;
    char text[512];
    (void)unused;
    store(tb, 0, 3, 1000);
    assign(c, 0, 1000); /* beyond the end */
    assert_int_equal(sluice_consumer_poll(c, 10000, &b), SLUICE_ERR_NO_OFFSET);
    sluice_client_explain(c, SLUICE_ERR_NO_OFFSET, text, sizeof text);
    check_says(text, "t-0");
    check_says(text, "1000");
    assert_int_equal(sluice_consumer_poll(c, 200, &b), 0); /* told once, waits for a seek */
    assert_null(b);
    seek(c, 0, 1);
    assert_int_equal(poll_offset(c), 1);
    end(c, tb);
}

static void times_and_symbols_become_offsets(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    sluice_offsets *list = offsets_of(0, SLUICE_OFFSET_LATEST);
    sluice_offset o = {0};
    sluice_op *op = NULL;
    (void)unused;
    store(tb, 0, 10, 1000);
    MUST(c, sluice_offsets_resolve(c, list, 10000, NULL));
    assert_int_equal(sluice_offsets_at(list, 0, &o, sizeof o), 1);
    assert_int_equal(o.offset, 10);
    o.offset = SLUICE_OFFSET_AT_TIME;
    o.timestamp_ms = 1004;
    assert_int_equal(sluice_offsets_put(list, &o, sizeof o), 0);
    MUST(c, sluice_offsets_resolve(c, list, 10000, &op));
    MUST(c, sluice_op_wait(op, 10000));
    assert_int_equal(sluice_offsets_at(sluice_op_offsets(op), 0, &o, sizeof o), 1);
    assert_int_equal(o.offset, 4);
    sluice_op_free(op);
    sluice_offsets_free(list);
    end(c, tb);
}

static void one_partition_a_poll(void **unused) {
    const char *const settings[] = {"poll.partitions", "one", NULL};
    sluice_testbroker *tb = make_cluster(2);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, settings);
    sluice_offsets *both = offsets_of(0, 0);
    int seen[2] = {0, 0};
    (void)unused;
    sluice_offsets_add(both, topic, 1, 0);
    store(tb, 0, 50, 1000);
    store(tb, 1, 50, 1000);
    MUST(c, sluice_consumer_assign(c, both));
    while (seen[0] < 50 || seen[1] < 50) {
        sluice_batch *b = poll_batch(c);
        sluice_slice s;
        int32_t partition = -1;
        for (int i = 0; sluice_batch_slice(b, i, &s, sizeof s) == 1; i++) {
            assert_true(partition == -1 || partition == s.partition);
            partition = s.partition;
            seen[partition] += s.count;
        }
        MUST(c, sluice_batch_finish(b));
    }
    sluice_offsets_free(both);
    end(c, tb);
}

/* Fills partition 0 with records of a kilobyte, a batch each. */
static void store_large(sluice_testbroker *tb, int count) {
    static char value[64 * 1024];
    sluice_record r = {0};
    r.topic = topic;
    r.value = value;
    r.value_size = sizeof value;
    for (int i = 0; i < count; i++) assert_int_equal(sluice_testbroker_append(tb, &r, sizeof r), 0);
}

static void a_full_hand_is_told(void **unused) {
    const char *const settings[] = {"fetch.memory", "1048576", "max.partition.fetch.bytes",
                                    "262144", NULL};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, settings);
    sluice_batch *held[64];
    int count = 0;
    int rv = 0;
    (void)unused;
    store_large(tb, 60);
    assign(c, 0, 0);
    while (count < 64 && (rv = sluice_consumer_poll(c, 10000, &held[count])) == 0) {
        assert_non_null(held[count]);
        count++;
    }
    assert_int_equal(rv, SLUICE_ERR_HELD);
    assert_true(count > 0);
    int64_t next = 0;
    for (int i = 0; i < count; i++) {
        sluice_view v;
        for (; sluice_batch_next(held[i], &v, sizeof v) == 1; next++)
            assert_int_equal(v.offset, next);
        MUST(c, sluice_batch_finish(held[i]));
    }
    while (next < 60) { /* and it goes on */
        sluice_view v;
        sluice_batch *b = poll_batch(c);
        for (; sluice_batch_next(b, &v, sizeof v) == 1; next++) assert_int_equal(v.offset, next);
        MUST(c, sluice_batch_finish(b));
    }
    end(c, tb);
}

/* A batch that is too large once decompressed: what is before it comes, it is told once, and a
 * seek goes on behind it. */
static void a_bomb_is_refused(void **unused) {
    static char zeros[100000];
    const char *const packing[] = {
        "compression.type", "zstd", "max.request.size", "1000000", "linger.ms", "0", NULL};
    const char *const settings[] = {"fetch.batch.decoded.max.bytes", "50000", NULL};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, packing);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, settings);
    sluice_batch *b;
    sluice_view v;
    char text[512];
    (void)unused;
    MUST(p, sluice_producer_send(p, topic, NULL, 0, "before", 6, 5000));
    MUST(p, sluice_producer_flush(p, 10000, NULL));
    MUST(p, sluice_producer_send(p, topic, NULL, 0, zeros, sizeof zeros, 5000));
    MUST(p, sluice_producer_flush(p, 10000, NULL));
    MUST(p, sluice_producer_send(p, topic, NULL, 0, "behind", 6, 5000));
    MUST(p, sluice_client_close(p, 10000, NULL));
    sluice_client_free(p);
    assign(c, 0, 0);
    b = poll_batch(c);
    assert_int_equal(sluice_batch_next(b, &v, sizeof v), 1);
    assert_int_equal(sluice_batch_next(b, &v, sizeof v), 0);
    MUST(c, sluice_batch_finish(b));
    assert_int_equal(sluice_consumer_poll(c, 10000, &b), SLUICE_ERR_TOO_BIG);
    sluice_client_explain(c, SLUICE_ERR_TOO_BIG, text, sizeof text);
    check_says(text, "t-0 at offset 1");
    check_says(text, "fetch.batch.decoded.max.bytes");
    assert_int_equal(sluice_consumer_poll(c, 200, &b), 0);
    assert_null(b);
    seek(c, 0, 2);
    assert_int_equal(poll_offset(c), 2);
    end(c, tb);
}

static void a_corrupt_batch_is_told(void **unused) {
    sluice_fault damage = {0};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    sluice_batch *b;
    (void)unused;
    damage.kind = SLUICE_FAULT_CORRUPT;
    damage.api = "Fetch";
    damage.times = -1;
    store(tb, 0, 3, 1000);
    assert_int_equal(sluice_testbroker_fault(tb, &damage, sizeof damage, NULL), 0);
    assign(c, 0, 0);
    /* What is good in an answer comes first, and a header that makes no sense is asked for again:
     * so every answer is damaged until it is told. */
    int rv = 0;
    for (int i = 0; i < 10 && rv == 0; i++) {
        rv = sluice_consumer_poll(c, 10000, &b);
        if (rv == 0) sluice_batch_free(b);
    }
    assert_int_equal(rv, SLUICE_ERR_MALFORMED);
    assert_int_equal(sluice_testbroker_heal(tb, 0), 0);
    seek(c, 0, 0);
    assert_int_equal(poll_offset(c), 0);
    end(c, tb);
}

static void what_cannot_be_written_is_told(void **unused) {
    const char *const settings[] = {"delivery.reports", "failed", "log.to", "none", NULL};
    sluice_fault denied = {0};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_deliveries *set;
    sluice_delivery d;
    sluice_record r = {0};
    (void)unused;
    denied.kind = SLUICE_FAULT_ERROR;
    denied.api = "Produce";
    denied.code = 29; /* TOPIC_AUTHORIZATION_FAILED */
    denied.times = 2;
    assert_int_equal(sluice_testbroker_fault(tb, &denied, sizeof denied, NULL), 0);
    r.topic = topic;
    r.value = "v";
    r.value_size = 1;
    r.tag = 77;
    assert_int_equal(sluice_producer_write(p, &r, sizeof r, 10000, &d, sizeof d),
                     SLUICE_ERR_NOT_WRITTEN);
    assert_int_equal(d.code, 29);
    assert_int_equal(d.outcome, SLUICE_NOT_WRITTEN);
    MUST(p, sluice_producer_send_record(p, &r, sizeof r, 1000));
    assert_int_equal(sluice_producer_flush(p, 10000, NULL), SLUICE_ERR_NOT_WRITTEN);
    MUST(p, sluice_producer_send_record(p, &r, sizeof r, 1000)); /* this one goes well */
    MUST(p, sluice_producer_flush(p, 10000, NULL));
    MUST(p, sluice_producer_deliveries(p, 1000, &set));
    assert_int_equal(sluice_deliveries_next(set, &d, sizeof d), 1);
    assert_int_equal(d.count, 1); /* write has told its own */
    assert_int_equal(d.tags[0], 77);
    assert_int_equal(d.code, 29);
    assert_int_equal(sluice_deliveries_next(set, &d, sizeof d), 0);
    sluice_deliveries_free(set);
    end(p, tb);
}

/* The call gives up, the record does not: its report follows, like any other. */
static void a_write_that_timed_out_is_reported_later(void **unused) {
    const char *const settings[] = {"delivery.reports", "all", NULL};
    sluice_fault slow = {0};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_deliveries *set = NULL;
    sluice_delivery d;
    sluice_record r = {0};
    (void)unused;
    slow.kind = SLUICE_FAULT_DELAY;
    slow.api = "Produce";
    slow.delay_ms = 400;
    r.topic = topic;
    r.tag = 9;
    assert_int_equal(sluice_testbroker_fault(tb, &slow, sizeof slow, NULL), 0);
    assert_int_equal(sluice_producer_write(p, &r, sizeof r, 100, NULL, 0), SLUICE_ERR_TIMEOUT);
    MUST(p, sluice_producer_deliveries(p, 5000, &set));
    assert_int_equal(sluice_deliveries_next(set, &d, sizeof d), 1);
    assert_int_equal(d.tags[0], 9);
    assert_int_equal(d.outcome, SLUICE_WRITTEN);
    sluice_deliveries_free(set);
    end(p, tb);
}

static void discard_drops_what_was_not_sent(void **unused) {
    const char *const settings[] = {"linger.ms", "60000", "delivery.timeout.ms", "120000", NULL};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_counts counts;
    (void)unused;
    /* What waits for its topic does not linger once that is known. */
    MUST(p, sluice_producer_send(p, topic, NULL, 0, "v", 1, 1000));
    MUST(p, sluice_producer_flush(p, 10000, NULL));
    for (int i = 0; i < 10; i++) MUST(p, sluice_producer_send(p, topic, NULL, 0, "v", 1, 1000));
    MUST(p, sluice_producer_counts(p, &counts, sizeof counts));
    assert_int_equal(counts.pending, 10);
    MUST(p, sluice_producer_discard(p));
    assert_int_equal(sluice_producer_flush(p, 10000, NULL), SLUICE_ERR_NOT_WRITTEN);
    MUST(p, sluice_producer_counts(p, &counts, sizeof counts));
    assert_int_equal(counts.not_written, 10);
    assert_int_equal(counts.pending, 0);
    assert_int_equal(sluice_client_close(p, 5000, NULL), SLUICE_ERR_NOT_WRITTEN);
    sluice_client_free(p);
    sluice_testbroker_free(tb);
}

/* The I/O thread may be about to clear it when the last batch is taken: soon, not at once. */
static int turns_unreadable(struct pollfd *fd) {
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        if (poll(fd, 1, 0) == 0) return 1;
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begin.tv_sec < 10);
    return 0;
}

static void the_descriptor_is_readable_while_there_is_something(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    struct pollfd fd = {.fd = sluice_client_fd(c), .events = POLLIN};
    sluice_batch *b;
    (void)unused;
    assert_true(fd.fd >= 0);
    assign(c, 0, 0);
    assert_int_equal(poll(&fd, 1, 100), 0);
    store(tb, 0, 3, 1000);
    for (int count = 0; count < 3;) {
        assert_int_equal(poll(&fd, 1, 10000), 1);
        sluice_view v;
        MUST(c, sluice_consumer_poll(c, 0, &b));
        while (sluice_batch_next(b, &v, sizeof v) == 1) count++;
        MUST(c, sluice_batch_finish(b));
    }
    MUST(c, sluice_consumer_poll(c, 0, &b));
    assert_null(b);
    assert_true(turns_unreadable(&fd));
    end(c, tb);
}

static void an_op_ends_with_an_event(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *a = open_client(tb, SLUICE_ADMIN, NULL, NULL);
    struct pollfd fd = {.fd = sluice_client_fd(a), .events = POLLIN};
    sluice_event event;
    sluice_op *op;
    char text[4096];
    (void)unused;
    MUST(a, sluice_client_ready(a, 10000, &op));
    assert_int_equal(poll(&fd, 1, 10000), 1);
    do MUST(a, sluice_client_event(a, 5000, &event, sizeof event));
    while (event.kind == SLUICE_EVENT_BROKER);
    assert_int_equal(event.kind, SLUICE_EVENT_OP);
    assert_true(event.op == sluice_op_id(op));
    assert_int_equal(sluice_op_wait(op, 0), 0);
    sluice_op_free(op);
    assert_true(sluice_client_dump(a, text, sizeof text, 5000) > 0);
    check_says(text, "127.0.0.1");
    end(a, tb);
}

static void the_test_broker_can_be_set(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    const char *const settings[] = {
        "delivery.timeout.ms", "2000", "request.timeout.ms", "1000", "log.to", "none", NULL};
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_batch *b;
    (void)unused;
    assert_int_equal(sluice_testbroker_set(tb, "num.partitions", "0"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_testbroker_set(tb, "num.partition", "1"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_testbroker_set(tb, "release", "0.9"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_testbroker_set(tb, "auto.create.topics.enable", "true"), 0);
    assert_int_equal(sluice_testbroker_set(tb, "num.partitions", "7"), 0);
    assert_int_equal(sluice_testbroker_set(tb, "release", "2.8"), 0);
    assert_int_equal(sluice_testbroker_set(tb, "broker.rack", "east,west"), 0);
    assert_int_equal(sluice_testbroker_set(tb, "replica.lag.time.max.ms", "0"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_testbroker_set(tb, "replica.selector.class", "no.such.Class"),
                     SLUICE_ERR_CONFIG);
    assert_int_equal(
        sluice_testbroker_set(tb, "replica.selector.class",
                              "org.apache.kafka.common.replica.RackAwareReplicaSelector"),
        0);
    int32_t count = 0;
    MUST(p, sluice_producer_send(p, "auto", NULL, 0, "v", 1, 1000));
    MUST(p, sluice_producer_flush(p, 10000, NULL));
    MUST(p, sluice_client_partitions(p, "auto", 5000, &count));
    assert_int_equal(count, 7);
    assert_int_equal(sluice_testbroker_set(tb, "auto.create.topics.enable", "false"), 0);
    MUST(p, sluice_producer_send(p, "never", NULL, 0, "v", 1, 1000));
    assert_int_equal(sluice_producer_flush(p, 10000, NULL), SLUICE_ERR_NOT_WRITTEN);
    assert_int_equal(sluice_testbroker_read(tb, "never", 0, 0, &b), 3);
    assert_int_equal(sluice_testbroker_topic(tb, topic, 1, 1), 36);
    sluice_client_free(p);
    sluice_testbroker_free(tb);
}

static void the_test_brokers_groups_can_be_set(void **unused) {
    sluice_testbroker *tb = NULL;
    static const char *const good[][2] = {
        {"group.initial.rebalance.delay.ms", "0"},
        {"group.min.session.timeout.ms", "10"},
        {"group.max.session.timeout.ms", "3600000"},
        {"group.max.size", "2"},
        {"group.consumer.session.timeout.ms", "1000"},
        {"group.consumer.heartbeat.interval.ms", "100"},
        {"group.coordinator.rebalance.protocols", "classic"},
        {"group.coordinator.rebalance.protocols", "consumer,classic"},
        {"group.coordinator.load.ms", "10"},
        {"offset.metadata.max.bytes", "0"},
    };
    (void)unused;
    assert_int_equal(sluice_testbroker_create(2, NULL, &tb), 0);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(sluice_testbroker_set(tb, good[i][0], good[i][1]), 0);
        assert_int_equal(sluice_testbroker_set(tb, good[i][0], "-1"), SLUICE_ERR_CONFIG);
    }
    assert_int_equal(sluice_testbroker_rebalance(tb, "none"), 69);
    assert_int_equal(sluice_testbroker_rebalance(tb, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_testbroker_rebalance(NULL, "none"), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_testbroker_move(tb, SLUICE_MOVE_COORDINATOR, "g", 0, 2), 0);
    assert_int_equal(sluice_testbroker_move(tb, SLUICE_MOVE_COORDINATOR, "g", 1, 2),
                     SLUICE_ERR_USAGE);
    assert_int_equal(sluice_testbroker_move(tb, SLUICE_MOVE_COORDINATOR, "g", 0, 3),
                     SLUICE_ERR_USAGE);
    sluice_testbroker_free(tb);
}

static void a_fallen_leader_is_replaced(void **unused) {
    sluice_testbroker *tb = NULL;
    (void)unused;
    assert_int_equal(sluice_testbroker_create(2, NULL, &tb), 0);
    assert_int_equal(sluice_testbroker_topic(tb, topic, 1, 2), 0);
    const char *const settings[] = {"log.to", "none", NULL};
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    MUST(p, sluice_producer_send(p, topic, NULL, 0, "1", 1, 1000));
    MUST(p, sluice_producer_flush(p, 10000, NULL));
    assert_int_equal(sluice_testbroker_move(tb, SLUICE_MOVE_LEADER, topic, 0, 2), 0);
    assert_int_equal(sluice_testbroker_broker(tb, 1, SLUICE_BROKER_DOWN), 0);
    MUST(p, sluice_producer_send(p, topic, NULL, 0, "2", 1, 1000));
    MUST(p, sluice_producer_flush(p, 20000, NULL));
    assert_int_equal(sluice_testbroker_broker(tb, 1, SLUICE_BROKER_UP), 0);
    sluice_batch *b;
    assert_int_equal(sluice_testbroker_read(tb, topic, 0, 0, &b), 0);
    assert_int_equal(sluice_batch_count(b), 2);
    sluice_batch_free(b);
    assert_int_equal(sluice_testbroker_broker(tb, 3, SLUICE_BROKER_UP), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_testbroker_broker(tb, 1, SLUICE_MOVE_LEADER), SLUICE_ERR_USAGE);
    end(p, tb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_after_a_seek_never_returns_the_old),
        cmocka_unit_test(paused_partitions_stay_silent),
        cmocka_unit_test(ends_are_told_when_asked_for),
        cmocka_unit_test(there_is_nowhere_to_start),
        cmocka_unit_test(times_and_symbols_become_offsets),
        cmocka_unit_test(one_partition_a_poll),
        cmocka_unit_test(a_full_hand_is_told),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(a_corrupt_batch_is_told),
        cmocka_unit_test(what_cannot_be_written_is_told),
        cmocka_unit_test(a_write_that_timed_out_is_reported_later),
        cmocka_unit_test(discard_drops_what_was_not_sent),
        cmocka_unit_test(the_descriptor_is_readable_while_there_is_something),
        cmocka_unit_test(an_op_ends_with_an_event),
        cmocka_unit_test(the_test_broker_can_be_set),
        cmocka_unit_test(the_test_brokers_groups_can_be_set),
        cmocka_unit_test(a_fallen_leader_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
