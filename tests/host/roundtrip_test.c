/* Goal: records go out and come back over real sockets whoever runs the loops: a thread for each
 * client, one thread for all, or none at all; with a test broker in the same runtime. What the
 * application holds outlives the client; a broker that goes down and comes back loses nothing.
 * Method: the public calls, one topic, every value checked on its way back; then threads that
 * produce and consume at once, for ThreadSanitizer. */
#include "host/threads.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "sluice/sluice.h"

enum { PARTITIONS = 4, RECORDS = 5000, PATIENCE_MS = 30000 };

static sluice_client *open_client(int32_t role, const char *bootstrap, sluice_runtime *runtime) {
    sluice_config *config = sluice_config_create();
    sluice_client *client;
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "log.to", "none");
    if (role == SLUICE_CONSUMER) sluice_config_set(config, "auto.offset.reset", "earliest");
    if (role == SLUICE_PRODUCER) sluice_config_set(config, "delivery.reports", "all");
    int rv = sluice_client_open(config, role, runtime, &client);
    if (rv != 0) fail_msg("open: %d %s", rv, sluice_config_message(config));
    sluice_config_free(config);
    return client;
}

static void assign_all(sluice_client *consumer) {
    sluice_offsets *offsets = sluice_offsets_create();
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(sluice_offsets_add(offsets, "t", i, SLUICE_OFFSET_EARLIEST), 0);
    assert_int_equal(sluice_consumer_assign(consumer, offsets), 0);
    sluice_offsets_free(offsets);
}

static void send_all(sluice_client *producer, int first, int count) {
    char value[32];
    for (int i = first; i < first + count; i++) {
        sluice_record r = {.topic = "t", .value = value, .tag = (uint64_t)i};
        r.value_size = (size_t)snprintf(value, sizeof value, "%d", i);
        assert_int_equal(sluice_producer_send_record(producer, &r, sizeof r, PATIENCE_MS), 0);
    }
}

/* Every tag reported as written exactly once. */
static void check_reports(sluice_client *producer, int count) {
    static uint8_t seen[4 * RECORDS];
    memset(seen, 0, sizeof seen);
    int told = 0;
    while (told < count) {
        sluice_deliveries *set;
        sluice_delivery d;
        assert_int_equal(sluice_producer_deliveries(producer, PATIENCE_MS, &set), 0);
        assert_non_null(set);
        while (sluice_deliveries_next(set, &d, sizeof d) == 1) {
            assert_int_equal(d.outcome, SLUICE_WRITTEN);
            for (int32_t i = 0; i < d.count; i++) assert_int_equal(seen[d.tags[i]]++, 0);
            told += d.count;
        }
        sluice_deliveries_free(set);
    }
    assert_int_equal(told, count);
}

/* Reads until every number below `count` has come exactly once. */
static void read_all(sluice_client *consumer, int count) {
    static uint8_t seen[4 * RECORDS];
    memset(seen, 0, sizeof seen);
    for (int got = 0; got < count;) {
        sluice_batch *batch;
        sluice_view v;
        assert_int_equal(sluice_consumer_poll(consumer, PATIENCE_MS, &batch), 0);
        assert_non_null(batch);
        for (; sluice_batch_next(batch, &v, sizeof v) == 1; got++) {
            int number = 0;
            for (size_t i = 0; i < v.value_size; i++)
                number = number * 10 + ((const char *)v.value)[i] - '0';
            assert_in_range(number, 0, count - 1);
            assert_int_equal(seen[number]++, 0);
        }
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
}

static sluice_testbroker *start_broker(sluice_runtime *runtime) {
    sluice_testbroker *broker;
    assert_int_equal(sluice_testbroker_create(3, runtime, &broker), 0);
    assert_int_equal(sluice_testbroker_topic(broker, "t", PARTITIONS, 1), 0);
    return broker;
}

static void go_round(sluice_runtime *runtime) {
    sluice_testbroker *broker = start_broker(runtime);
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    sluice_client *producer = open_client(SLUICE_PRODUCER, bootstrap, runtime);
    sluice_client *consumer = open_client(SLUICE_CONSUMER, bootstrap, runtime);
    assert_int_equal(sluice_client_ready(producer, PATIENCE_MS, NULL), 0);
    assign_all(consumer);
    send_all(producer, 0, RECORDS);
    assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
    check_reports(producer, RECORDS);
    read_all(consumer, RECORDS);

    /* A batch outlives its client. */
    sluice_batch *batch;
    sluice_view v;
    send_all(producer, 0, 1);
    assert_int_equal(sluice_consumer_poll(consumer, PATIENCE_MS, &batch), 0);
    assert_int_equal(sluice_batch_count(batch), 1);
    assert_int_equal(sluice_client_close(consumer, PATIENCE_MS, NULL), 0);
    sluice_client_free(consumer);
    assert_int_equal(sluice_batch_next(batch, &v, sizeof v), 1);
    assert_string_equal(v.topic, "t");
    assert_int_equal(v.value_size, 1);
    assert_int_not_equal(sluice_batch_finish(batch), 0);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    sluice_client_free(producer);
    sluice_testbroker_free(broker);
}

static void test_a_thread_for_each(void **state) {
    (void)state;
    go_round(NULL);
}

static void test_one_thread_for_all(void **state) {
    (void)state;
    sluice_runtime *runtime;
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_THREAD, NULL, &runtime), 0);
    assert_int_equal(sluice_runtime_fd(runtime), -1);
    go_round(runtime);
    sluice_runtime_release(runtime);
}

static void test_no_thread_at_all(void **state) {
    (void)state;
    sluice_runtime *runtime;
    test_await_threads((int64_t)PATIENCE_MS * 1000000);
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_DRIVEN, NULL, &runtime), 0);
    go_round(runtime);
    assert_in_range(test_count_threads(), 1, TEST_OWN_THREADS);
    sluice_runtime_release(runtime);
}

static void test_a_broker_goes_and_comes_back(void **state) {
    (void)state;
    sluice_testbroker *broker = start_broker(NULL);
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    sluice_client *producer = open_client(SLUICE_PRODUCER, bootstrap, NULL);
    sluice_client *consumer = open_client(SLUICE_CONSUMER, bootstrap, NULL);
    assign_all(consumer);
    send_all(producer, 0, RECORDS);
    for (int32_t id = 1; id <= 3; id++) {
        assert_int_equal(sluice_testbroker_broker(broker, id, SLUICE_BROKER_DOWN), 0);
        assert_int_equal(sluice_testbroker_broker(broker, id, SLUICE_BROKER_UP), 0);
    }
    send_all(producer, RECORDS, RECORDS);
    assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
    read_all(consumer, 2 * RECORDS);
    sluice_client_free(consumer);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    sluice_client_free(producer);
    sluice_testbroker_free(broker);
}

/* ---- at once ---- */

struct worker {
    sluice_client *client;
    int first;
};

static void *produce_part(void *arg) {
    struct worker *w = arg;
    send_all(w->client, w->first, RECORDS);
    return NULL;
}

static void *consume_all(void *arg) {
    read_all(((struct worker *)arg)->client, 4 * RECORDS);
    return NULL;
}

static void *seek_and_pause(void *arg) {
    sluice_client *consumer = arg;
    sluice_event event;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(sluice_consumer_pause(consumer, NULL), 0);
        assert_int_equal(sluice_consumer_resume(consumer, NULL), 0);
        sluice_offsets *positions;
        assert_int_equal(sluice_consumer_positions(consumer, &positions), 0);
        sluice_offsets_free(positions);
        assert_int_equal(sluice_client_event(consumer, 0, &event, sizeof event), 0);
    }
    return NULL;
}

static void test_threads_produce_and_consume_at_once(void **state) {
    (void)state;
    sluice_testbroker *broker = start_broker(NULL);
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    sluice_client *producer = open_client(SLUICE_PRODUCER, bootstrap, NULL);
    sluice_client *consumer = open_client(SLUICE_CONSUMER, bootstrap, NULL);
    assign_all(consumer);
    assert_true(sluice_client_fd(consumer) >= 0 && sluice_client_fd(producer) >= 0);
    pthread_t threads[4], reader, meddler;
    struct worker workers[4], all = {consumer, 0};
    assert_int_equal(pthread_create(&reader, NULL, consume_all, &all), 0);
    assert_int_equal(pthread_create(&meddler, NULL, seek_and_pause, consumer), 0);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){producer, i * RECORDS};
        assert_int_equal(pthread_create(&threads[i], NULL, produce_part, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    check_reports(producer, 4 * RECORDS);
    pthread_join(meddler, NULL);
    pthread_join(reader, NULL);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    assert_int_equal(sluice_client_close(consumer, PATIENCE_MS, NULL), 0);
    sluice_client_free(producer);
    sluice_client_free(consumer);
    sluice_testbroker_free(broker);
}

static void *write_and_wait(void *arg) {
    sluice_client *producer = arg;
    for (int i = 0; i < 300; i++) {
        sluice_record r = {.topic = "t", .value = "v", .value_size = 1};
        sluice_delivery d;
        assert_int_equal(sluice_producer_write(producer, &r, sizeof r, PATIENCE_MS, &d, sizeof d),
                         0);
        assert_int_equal(d.outcome, SLUICE_WRITTEN);
    }
    return NULL;
}

/* Each runs the loop while it waits, or is served by whoever does; when that one's wait is over,
 * another takes the loop over. Without that the last to wait would sleep for all its time. */
static void test_threads_wait_in_one_driven_runtime(void **state) {
    (void)state;
    sluice_runtime *runtime;
    struct timespec start, now;
    pthread_t threads[3];
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_DRIVEN, NULL, &runtime), 0);
    sluice_testbroker *broker = start_broker(runtime);
    sluice_client *producer =
        open_client(SLUICE_PRODUCER, sluice_testbroker_bootstrap(broker), runtime);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_wait, producer), 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* Not a measure of speed: no call slept until its deadline. */
    assert_in_range(now.tv_sec - start.tv_sec, 0, PATIENCE_MS / 1000 - 2);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    sluice_client_free(producer);
    sluice_testbroker_free(broker);
    sluice_runtime_release(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_for_each),
        cmocka_unit_test(test_one_thread_for_all),
        cmocka_unit_test(test_no_thread_at_all),
        cmocka_unit_test(test_a_broker_goes_and_comes_back),
        cmocka_unit_test(test_threads_produce_and_consume_at_once),
        cmocka_unit_test(test_threads_wait_in_one_driven_runtime),
    };
    return cmocka_run_group_tests_name("host_roundtrip", tests, NULL, NULL);
}
