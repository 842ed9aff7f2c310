/* Goal: the programs that the API was designed with do what they promise, error paths included.
 * Method: the stories of the design, each against a bundled cluster of its own, over real sockets;
 * what the broker stored is the truth that is compared with. */
#include <poll.h>

#include "support.h"

static const char topic[] = "orders";

static sluice_testbroker *make_cluster(int32_t partitions) {
    sluice_testbroker *tb = NULL;
    assert_int_equal(sluice_testbroker_create(3, NULL, &tb), 0);
    assert_int_equal(sluice_testbroker_topic(tb, topic, partitions, 3), 0);
    return tb;
}

/* Records stored in a partition from an offset on. */
static int32_t count_stored(sluice_testbroker *tb, int32_t partition) {
    int32_t count = 0;
    int64_t from = 0;
    for (;;) {
        sluice_batch *batch;
        sluice_slice slice;
        assert_int_equal(sluice_testbroker_read(tb, topic, partition, from, &batch), 0);
        if (batch == NULL) return count;
        count += sluice_batch_count(batch);
        assert_int_equal(sluice_batch_slice(batch, 0, &slice, sizeof slice), 1);
        assert_true(slice.next_offset > from);
        from = slice.next_offset;
        sluice_batch_free(batch);
    }
}

static int32_t count_all_stored(sluice_testbroker *tb, int32_t partitions) {
    int32_t count = 0;
    for (int32_t p = 0; p < partitions; p++) count += count_stored(tb, p);
    return count;
}

/* Appends "value-0" … to partition 0, behind the API under test. */
static void store_values(sluice_testbroker *tb, int32_t partition, int count) {
    char value[32];
    sluice_record r = {0};
    r.topic = topic;
    r.partition = partition;
    r.set = SLUICE_SET_PARTITION;
    for (int i = 0; i < count; i++) {
        r.value = value;
        r.value_size = (size_t)snprintf(value, sizeof value, "value-%d", i);
        assert_int_equal(sluice_testbroker_append(tb, &r, sizeof r), 0);
    }
}

static void assign_from(sluice_client *consumer, int32_t partitions, int64_t offset) {
    sluice_offsets *from = sluice_offsets_create();
    for (int32_t p = 0; p < partitions; p++) sluice_offsets_add(from, topic, p, offset);
    MUST(consumer, sluice_consumer_assign(consumer, from));
    sluice_offsets_free(from);
}

/* The next batch, which has to come. */
static sluice_batch *poll_batch(sluice_client *consumer) {
    sluice_batch *batch;
    MUST(consumer, sluice_consumer_poll(consumer, 10000, &batch));
    assert_non_null(batch);
    return batch;
}

static void close_client(sluice_client *client) {
    MUST(client, sluice_client_close(client, 10000, NULL));
    sluice_client_free(client);
}

/* (a) The shortest producer that knows that all is written. */
static void a_minimal_producer(void **unused) {
    sluice_testbroker *tb = make_cluster(4);
    const char *const settings[] = {"bootstrap.servers", sluice_testbroker_bootstrap(tb), NULL};
    sluice_client *p;
    char text[64];
    (void)unused;
    int rv = sluice_client_start(SLUICE_PRODUCER, settings, &p);
    for (int i = 0; i < 1000 && rv == 0; i++) {
        int n = snprintf(text, sizeof text, "order %d", i);
        rv = sluice_producer_send(p, topic, NULL, 0, text, (size_t)n, 5000);
    }
    assert_int_equal(rv, 0);
    MUST(p, sluice_client_close(p, 30000, NULL));
    sluice_client_free(p);
    assert_int_equal(count_all_stored(tb, 4), 1000);
    sluice_testbroker_free(tb);
}

/* (b) An outcome for every record. */
enum { ORDERS = 5000 };
static char settled[ORDERS];

static int read_reports(sluice_client *p, int32_t wait_ms) {
    sluice_deliveries *set;
    sluice_delivery d;
    int count = 0;
    if (sluice_producer_deliveries(p, wait_ms, &set) != 0) return 0;
    while (sluice_deliveries_next(set, &d, sizeof d) == 1)
        for (int32_t i = 0; i < d.count; i++, count++) {
            assert_int_equal(d.outcome, SLUICE_WRITTEN);
            assert_string_equal(d.topic, topic);
            assert_true(d.tags[i] < ORDERS);
            assert_int_equal(settled[d.tags[i]], 0);
            settled[d.tags[i]] = 1;
        }
    sluice_deliveries_free(set);
    return count;
}

static void b_outcomes_and_backpressure(void **unused) {
    sluice_testbroker *tb = make_cluster(3);
    /* Room for some hundred records, so that FULL and UNREAD both come. */
    const char *const settings[] = {"delivery.reports", "all", "buffer.memory", "65536", NULL};
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_header trace = {"trace", "t-1", 0, 3};
    int told = 0;
    int refused = 0;
    (void)unused;
    memset(settled, 0, sizeof settled);
    for (int i = 0; i < ORDERS; i++) {
        char text[32];
        sluice_record r = {0};
        r.topic = topic;
        r.key = &i;
        r.key_size = sizeof i;
        r.value = text;
        r.value_size = (size_t)snprintf(text, sizeof text, "order %d", i);
        r.headers = &trace;
        r.header_count = 1;
        r.tag = (uint64_t)i;
        int rv;
        while ((rv = sluice_producer_send_record(p, &r, sizeof r, 0)) == SLUICE_ERR_FULL ||
               rv == SLUICE_ERR_UNREAD) {
            refused++;
            told += read_reports(p, 100);
        }
        MUST(p, rv);
    }
    assert_true(refused > 0);
    MUST(p, sluice_client_close(p, 60000, NULL));
    for (int more; (more = read_reports(p, 0)) > 0;) told += more;
    assert_int_equal(told, ORDERS); /* after close, every record has had its one report */
    sluice_counts counts;
    MUST(p, sluice_producer_counts(p, &counts, sizeof counts));
    assert_int_equal(counts.written, ORDERS);
    assert_int_equal(counts.pending, 0);
    sluice_client_free(p);
    assert_int_equal(count_all_stored(tb, 3), ORDERS);
    sluice_testbroker_free(tb);
}

static void b_one_important_record(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    const char *const settings[] = {"linger.ms", "10000", NULL}; /* which write does not wait for */
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    (void)unused;
    for (int64_t i = 0; i < 3; i++) {
        sluice_delivery d;
        sluice_record r = {0};
        r.topic = topic;
        r.value = "now";
        r.value_size = 3;
        MUST(p, sluice_producer_write(p, &r, sizeof r, 5000, &d, sizeof d));
        assert_string_equal(d.topic, topic);
        assert_int_equal(d.outcome, SLUICE_WRITTEN);
        assert_int_equal(d.base_offset, i);
        assert_int_equal(d.partition, 0);
        assert_null(d.tags);
    }
    close_client(p);
    sluice_testbroker_free(tb);
}

/* (c) A binding's send_many: the tag of record i is 1000 + i, wherever the call was resumed. */
static void c_packed(void **unused) {
    enum { COUNT = 3000, VALUE = 40, TOO_BIG_ONE = 1234, HUGE = 70000 };
    static char data[COUNT * VALUE + HUGE];
    static int32_t sizes[COUNT];
    static char seen[COUNT];
    sluice_testbroker *tb = make_cluster(2);
    const char *const settings[] = {
        "delivery.reports", "all", "buffer.memory", "131072", "max.request.size", "65536", NULL};
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_packed k = {0};
    int32_t next = 0;
    int32_t refused = -1;
    int told = 0;
    (void)unused;
    for (int32_t i = 0; i < COUNT; i++) sizes[i] = i == TOO_BIG_ONE ? HUGE : VALUE;
    k.topic = topic;
    k.data = data;
    k.data_size = sizeof data - VALUE;
    k.value_sizes = sizes;
    k.count = COUNT;
    k.first_tag = 1000;
    for (int closed = 0; told < COUNT - 1;) {
        sluice_deliveries *set;
        sluice_delivery d;
        int rv = sluice_producer_send_packed(p, &k, sizeof k, &next, 0);
        if (rv == SLUICE_ERR_TOO_BIG)
            refused = next++; /* refused by name, the rest goes on */
        else if (rv != SLUICE_ERR_FULL && rv != SLUICE_ERR_UNREAD && !closed)
            MUST(p, rv);
        if (next == COUNT && !closed) {
            MUST(p, sluice_client_close(p, 10000, NULL));
            closed = 1;
        }
        if (sluice_producer_deliveries(p, 50, &set) != 0) break;
        while (sluice_deliveries_next(set, &d, sizeof d) == 1)
            for (int32_t i = 0; i < d.count; i++, told++) {
                assert_true(d.tags[i] >= 1000 && d.tags[i] < 1000 + COUNT);
                assert_int_equal(seen[d.tags[i] - 1000]++, 0);
            }
        sluice_deliveries_free(set);
    }
    assert_int_equal(refused, TOO_BIG_ONE);
    assert_int_equal(told, COUNT - 1);
    assert_int_equal(seen[TOO_BIG_ONE], 0);
    sluice_client_free(p);
    sluice_testbroker_free(tb);
}

/* (d) At least once: what is finished does not come again, what failed does. */
static void d_at_least_once(void **unused) {
    enum { COUNT = 2000 };
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    int64_t next = 0;
    (void)unused;
    store_values(tb, 0, COUNT);
    assign_from(c, 1, SLUICE_OFFSET_EARLIEST);
    while (next < COUNT) {
        sluice_batch *b = poll_batch(c);
        sluice_view v;
        while (sluice_batch_next(b, &v, sizeof v) == 1) assert_int_equal(v.offset, next++);
        MUST(c, sluice_batch_finish(b));
    }
    sluice_client_interrupt(c);
    sluice_batch *b;
    assert_int_equal(sluice_consumer_poll(c, -1, &b), SLUICE_ERR_INTERRUPTED);
    assert_null(b);
    close_client(c);
    sluice_testbroker_free(tb);
}

static void d_with_retries(void **unused) {
    enum { COUNT = 50, FAILS = 7 };
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    int64_t handled = 0;
    int attempts = 0;
    (void)unused;
    store_values(tb, 0, COUNT);
    assign_from(c, 1, 0);
    while (handled < COUNT) {
        sluice_batch *b = poll_batch(c);
        sluice_view v;
        int failed = 0;
        while (!failed && sluice_batch_next(b, &v, sizeof v) == 1) {
            assert_int_equal(v.offset, handled);
            failed = v.offset == FAILS && attempts++ < 2;
            if (failed) continue;
            MUST(c, sluice_batch_mark(b, v.slice, v.index + 1));
            handled++;
        }
        MUST(c, sluice_batch_retry(b));
    }
    assert_int_equal(attempts, 3);
    close_client(c);
    sluice_testbroker_free(tb);
}

/* A walk that ends early and is finished: the rest comes again, once. */
static void d_half_a_walk(void **unused) {
    enum { COUNT = 300 };
    sluice_testbroker *tb = make_cluster(2);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    int64_t next[2] = {0, 0};
    (void)unused;
    store_values(tb, 0, COUNT);
    store_values(tb, 1, COUNT);
    assign_from(c, 2, 0);
    while (next[0] < COUNT || next[1] < COUNT) {
        sluice_batch *b = poll_batch(c);
        sluice_view v;
        for (int i = 0; i < 10 && sluice_batch_next(b, &v, sizeof v) == 1; i++)
            assert_int_equal(v.offset, next[v.partition]++);
        MUST(c, sluice_batch_finish(b));
    }
    close_client(c);
    sluice_testbroker_free(tb);
}

/* (d) The group remembers: a consumer that comes later goes on where the one before had come to. */
static void d_commits(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    const char *const settings[] = {"bootstrap.servers",
                                    sluice_testbroker_bootstrap(tb),
                                    "group.id",
                                    "readers",
                                    "auto.offset.reset",
                                    "earliest",
                                    NULL};
    char text[300];
    sluice_client *c;
    sluice_view v;
    sluice_offset o;
    int read = 0;
    (void)unused;
    store_values(tb, 0, 10);
    for (int round = 0; round < 3; round++) {
        sluice_offsets *done = sluice_offsets_create();
        sluice_offsets *now;
        int rv = sluice_client_start(SLUICE_CONSUMER, settings, &c);
        assert_int_equal(rv, 0);
        assign_from(c, 1, SLUICE_OFFSET_COMMITTED);
        sluice_batch *b = poll_batch(c);
        rv = sluice_consumer_commit(c, NULL, 10000, NULL);
        if (rv == 0) /* that was of where the first of them starts */
            rv = sluice_consumer_commit(c, NULL, 10000, NULL);
        assert_int_equal(rv, SLUICE_ERR_NO_OFFSET); /* handed out, and not finished */
        (void)sluice_client_explain(c, rv, text, sizeof text);
        assert_non_null(strstr(text, "none is finished"));
        for (int i = 0; i < 3 && sluice_batch_next(b, &v, sizeof v) == 1; i++, read++)
            assert_int_equal(v.offset, read);
        if (round == 0) { /* by hand */
            sluice_op *op;
            sluice_offsets_after(done, &v, sizeof v);
            MUST(c, sluice_consumer_commit(c, done, 10000, &op));
            MUST(c, sluice_op_wait(op, 10000));
            assert_int_equal(sluice_offsets_at(sluice_op_offsets(op), 0, &o, sizeof o), 1);
            assert_int_equal(o.offset, read);
            assert_int_equal(o.code, 0);
            sluice_op_free(op);
        }
        MUST(c, sluice_batch_finish(b));
        if (round == 1) MUST(c, sluice_consumer_commit(c, NULL, 10000, NULL));
        MUST(c, sluice_consumer_positions(c, &now));
        assert_int_equal(sluice_offsets_at(now, 0, &o, sizeof o), 1);
        assert_int_equal(o.committed, round < 2 ? read : read - 3);
        sluice_offsets_free(now);
        sluice_offsets_free(done);
        close_client(c); /* commits what is finished, in the last round all of it */
    }
    assert_int_equal(read, 9);
    sluice_testbroker_free(tb);
}

/* (e) Full speed: one call for 256 records. */
static void e_full_speed(void **unused) {
    enum { COUNT = 20000, PARTITIONS = 3 };
    sluice_testbroker *tb = make_cluster(PARTITIONS);
    const char *const settings[] = {"compression.type", "lz4", NULL};
    sluice_client *p = open_client(tb, SLUICE_PRODUCER, NULL, settings);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    uint64_t sent = 0;
    uint64_t got = 0;
    int count = 0;
    (void)unused;
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "%d", i);
        sent += (uint64_t)i;
        MUST(p, sluice_producer_send(p, topic, NULL, 0, text, (size_t)n, -1));
    }
    MUST(p, sluice_producer_flush(p, 30000, NULL));
    assign_from(c, PARTITIONS, SLUICE_OFFSET_EARLIEST);
    while (count < COUNT) {
        sluice_view v[256];
        sluice_batch *b = poll_batch(c);
        for (int32_t n; (n = sluice_batch_read(b, v, sizeof v[0], 256)) > 0; count += n)
            for (int32_t i = 0; i < n; i++) {
                char text[16] = "";
                memcpy(text, v[i].value, v[i].value_size);
                got += strtoull(text, NULL, 10);
            }
        MUST(c, sluice_batch_finish(b));
    }
    assert_int_equal(count, COUNT);
    assert_true(sent == got);
    close_client(c);
    close_client(p);
    sluice_testbroker_free(tb);
}

/* (h) The application's loop and nothing else: no thread of ours. */
static void h_loop_without_threads(void **unused) {
    enum { COUNT = 500 };
    sluice_testbroker *tb = make_cluster(1);
    sluice_runtime *rt = NULL;
    int count = 0;
    (void)unused;
    store_values(tb, 0, COUNT);
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_DRIVEN, NULL, &rt), 0);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, rt, NULL);
    assign_from(c, 1, SLUICE_OFFSET_EARLIEST);
    struct pollfd fd = {.fd = sluice_runtime_fd(rt), .events = POLLIN};
    assert_true(fd.fd >= 0);
    while (count < COUNT) {
        sluice_batch *b = NULL;
        assert_int_equal(poll(&fd, 1, 10000), 1);
        assert_int_equal(sluice_runtime_run(rt, 0), 0);
        for (int rv; (rv = sluice_consumer_poll(c, 0, &b)) == 0 && b != NULL;) {
            count += sluice_batch_count(b);
            sluice_batch_free(b);
        }
    }
    assert_int_equal(count, COUNT);
    close_client(c); /* pumps right here */
    sluice_runtime_release(rt);
    sluice_testbroker_free(tb);
}

/* (i) Three clients on one thread, freed in any order. */
static void i_one_thread_for_three(void **unused) {
    sluice_testbroker *tb = make_cluster(1);
    sluice_runtime *rt;
    (void)unused;
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_THREAD, NULL, &rt), 0);
    assert_int_equal(sluice_runtime_fd(rt), -1);
    sluice_client *p1 = open_client(tb, SLUICE_PRODUCER, rt, NULL);
    sluice_client *p2 = open_client(tb, SLUICE_PRODUCER, rt, NULL);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, rt, NULL);
    sluice_runtime_release(rt); /* it lives on with its clients */
    MUST(p1, sluice_producer_send(p1, topic, "k", 1, "one", 3, 5000));
    MUST(p1, sluice_client_close(p1, 10000, NULL));
    MUST(p2, sluice_producer_send(p2, topic, "k", 1, "two", 3, 5000));
    MUST(p2, sluice_producer_flush(p2, 10000, NULL));
    assign_from(c, 1, SLUICE_OFFSET_EARLIEST);
    for (int count = 0; count < 2;) {
        sluice_batch *b = poll_batch(c);
        sluice_view v;
        for (; sluice_batch_next(b, &v, sizeof v) == 1; count++)
            assert_memory_equal(v.value, count == 0 ? "one" : "two", 3);
        MUST(c, sluice_batch_finish(b));
    }
    sluice_client_free(p1);
    close_client(c);
    sluice_client_free(p2); /* not closed: closed here */
    sluice_testbroker_free(tb);
}

/* (j) A unit test of an application: the answer to a produce request gets lost; is the order
 * stored once? */
static int place_order(const char *bootstrap, const char *order) {
    const char *const settings[] = {"bootstrap.servers", bootstrap, NULL};
    sluice_client *p;
    int rv = sluice_client_start(SLUICE_PRODUCER, settings, &p);
    if (rv == 0) rv = sluice_producer_send(p, topic, NULL, 0, order, strlen(order), 5000);
    if (rv == 0) rv = sluice_client_close(p, 30000, NULL);
    sluice_client_free(p);
    return rv;
}

static void j_unit_test(void **unused) {
    sluice_fault lost = {0};
    sluice_testbroker *tb = make_cluster(1);
    sluice_batch *stored = NULL;
    int64_t seen = 0;
    (void)unused;
    lost.kind = SLUICE_FAULT_CUT_AFTER;
    lost.api = "Produce";
    lost.topic = topic;
    lost.times = 1;
    assert_int_equal(sluice_testbroker_fault(tb, &lost, sizeof lost, NULL), 0);
    assert_int_equal(place_order(sluice_testbroker_bootstrap(tb), "42"), 0);
    assert_int_equal(sluice_testbroker_await(tb, "Produce", 2, 5000, &seen), 0);
    assert_true(seen >= 2); /* it was sent again, */
    assert_int_equal(sluice_testbroker_read(tb, topic, 0, 0, &stored), 0);
    assert_int_equal(sluice_batch_count(stored), 1); /* and stored once */
    sluice_view v;
    assert_int_equal(sluice_batch_next(stored, &v, sizeof v), 1);
    assert_memory_equal(v.value, "42", 2);
    assert_string_equal(v.topic, topic);
    sluice_batch_free(stored);
    sluice_testbroker_free(tb);
}

/* (k) Create a topic, with a client of any role; the second time it exists. */
static void k_admin(void **unused) {
    const char *const settings[] = {"retention.ms", "86400000", NULL};
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *any = open_client(tb, SLUICE_ADMIN, NULL, NULL);
    sluice_op *op = NULL;
    int32_t count = 0;
    char text[512];
    (void)unused;
    MUST(any, sluice_client_ready(any, 10000, NULL));
    MUST(any, sluice_admin_create_topic(any, "invoices", 12, 3, settings, 30000, NULL));
    MUST(any, sluice_client_partitions(any, "invoices", 10000, &count));
    assert_int_equal(count, 12);
    assert_int_equal(sluice_admin_create_topic(any, "invoices", 12, 3, NULL, 30000, NULL), 36);
    sluice_client_explain(any, 36, text, sizeof text);
    assert_true(strlen(text) > 0);
    MUST(any, sluice_admin_create_topic(any, "invoices", 1, 1, NULL, 30000, &op));
    assert_true(sluice_op_id(op) != 0);
    assert_int_equal(sluice_op_wait(op, 20000), 36);
    assert_true(strlen(sluice_op_message(op)) > 0);
    assert_null(sluice_op_offsets(op));
    sluice_op_free(op);
    MUST(any, sluice_admin_delete_topic(any, "invoices", 30000, NULL));
    close_client(any);
    sluice_testbroker_free(tb);
}

/* (l) Bindings: everything through copies; the buffer grows when a record needs more. */
static void l_packed_rows(void **unused) {
    enum { COUNT = 400, BIG = 3000 };
    static char big[BIG];
    sluice_testbroker *tb = make_cluster(1);
    sluice_client *c = open_client(tb, SLUICE_CONSUMER, NULL, NULL);
    size_t cap = 256;
    char *data = malloc(cap);
    sluice_row rows[64];
    int64_t next = 0;
    int grown = 0;
    (void)unused;
    store_values(tb, 0, COUNT / 2);
    sluice_record r = {0};
    r.topic = topic;
    r.value = big;
    r.value_size = BIG;
    assert_int_equal(sluice_testbroker_append(tb, &r, sizeof r), 0);
    store_values(tb, 0, COUNT / 2);
    assign_from(c, 1, 0);
    while (next < COUNT + 1) {
        sluice_batch *b = poll_batch(c);
        size_t used;
        int32_t n;
        while ((n = sluice_batch_pack(b, data, cap, rows, 64, &used)) > 0)
            for (int32_t i = 0; i < n; i++) {
                assert_int_equal(rows[i].offset, next++);
                assert_int_equal(rows[i].key_size, -1);
                assert_true((size_t)(rows[i].value_at + rows[i].value_size) <= used);
            }
        int rv = sluice_batch_finish(b);
        if (rv == SLUICE_ERR_TOO_BIG) {
            cap = used;
            data = realloc(data, cap);
            assert_non_null(data);
            grown++;
        } else {
            MUST(c, rv);
        }
    }
    assert_int_equal(grown, 1);
    free(data);
    close_client(c);
    sluice_testbroker_free(tb);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minimal_producer),
        cmocka_unit_test(b_outcomes_and_backpressure),
        cmocka_unit_test(b_one_important_record),
        cmocka_unit_test(c_packed),
        cmocka_unit_test(d_at_least_once),
        cmocka_unit_test(d_with_retries),
        cmocka_unit_test(d_half_a_walk),
        cmocka_unit_test(d_commits),
        cmocka_unit_test(e_full_speed),
        cmocka_unit_test(h_loop_without_threads),
        cmocka_unit_test(i_one_thread_for_three),
        cmocka_unit_test(j_unit_test),
        cmocka_unit_test(k_admin),
        cmocka_unit_test(l_packed_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
