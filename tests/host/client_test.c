/* Goal: the life of a client on real sockets, whatever is around it: no broker, a peer that is
 * frozen, a resolver that hangs, a log sink that blocks, a fork, threads that close and free in any
 * order. Every call returns by its deadline, every record has exactly one outcome, nothing leaks.
 * Method: the public calls; the peer is a listening socket that nobody serves. Waits are on
 * conditions and descriptors; clocks are read only to see that a deadline was kept. */
#include "unit/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/delivery.h"
#include "driver/net.h"
#include "driver/runtime_inside.h"
#include "driver/shell.h"
#include "sluice/sluice.h"

enum { PATIENCE_MS = 20000, LATE_MS = 3000 }; /* LATE: what a loaded machine may add */

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- a peer that accepts in the kernel and never says anything ---- */

struct frozen {
    int fd;
    char endpoint[32];
};

static struct frozen start_frozen(void) {
    struct frozen peer;
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(peer.fd >= 0);
    assert_int_equal(bind(peer.fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer.fd, 16), 0);
    assert_int_equal(getsockname(peer.fd, (struct sockaddr *)&address, &size), 0);
    snprintf(peer.endpoint, sizeof peer.endpoint, "127.0.0.1:%d", ntohs(address.sin_port));
    return peer;
}

/* ---- clients ---- */

static sluice_config *make_config(const char *bootstrap) {
    sluice_config *config = sluice_config_create();
    assert_non_null(config);
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "log.to", "none");
    return config;
}

static sluice_client *open_with(sluice_config *config, int32_t role, sluice_runtime *runtime) {
    sluice_client *client;
    int rv = sluice_client_open(config, role, runtime, &client);
    if (rv != 0) fail_msg("open: %d %s", rv, sluice_config_message(config));
    sluice_config_free(config);
    return client;
}

static sluice_client *open_producer(const char *bootstrap, const char *reports,
                                    sluice_runtime *runtime) {
    sluice_config *config = make_config(bootstrap);
    sluice_config_set(config, "delivery.reports", reports);
    return open_with(config, SLUICE_PRODUCER, runtime);
}

static sluice_runtime *start_driven(void) {
    sluice_runtime *runtime;
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_DRIVEN, NULL, &runtime), 0);
    assert_true(sluice_runtime_fd(runtime) >= 0);
    return runtime;
}

/* A producer that has a frozen peer for its broker. */
struct scene {
    struct frozen peer;
    sluice_runtime *runtime; /* NULL: the client has a thread of its own */
    sluice_client *client;
};

/* Takes the runtime over. */
static struct scene set_scene(const char *reports, sluice_runtime *runtime) {
    struct scene s = {.peer = start_frozen(), .runtime = runtime};
    s.client = open_producer(s.peer.endpoint, reports, runtime);
    return s;
}

static void clear_scene(struct scene *s) {
    sluice_client_free(s->client);
    sluice_runtime_release(s->runtime);
    close(s->peer.fd);
}

static void send_some(sluice_client *producer, int count) {
    for (int i = 0; i < count; i++)
        assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, 0), 0);
}

/* Takes reports until CLOSED; returns the records they told of. */
static int count_reported(sluice_client *producer) {
    sluice_deliveries *set;
    sluice_delivery d;
    int count = 0;
    int rv;
    while ((rv = sluice_producer_deliveries(producer, PATIENCE_MS, &set)) == 0 && set != NULL) {
        while (sluice_deliveries_next(set, &d, sizeof d) == 1) {
            assert_int_equal(d.outcome, SLUICE_NOT_WRITTEN);
            count += d.count;
        }
        sluice_deliveries_free(set);
    }
    assert_int_equal(rv, SLUICE_ERR_CLOSED);
    return count;
}

static void assert_closes_in_time(sluice_client *client, int32_t timeout_ms, int expected) {
    int64_t start = now_ms();
    assert_int_equal(sluice_client_close(client, timeout_ms, NULL), expected);
    int64_t took = now_ms() - start;
    assert_true(took <= timeout_ms + LATE_MS);
    assert_int_equal(sluice_client_close(client, 0, NULL), expected);
}

static void test_close_with_nothing_to_do(void **state) {
    (void)state;
    for (int32_t role = SLUICE_PRODUCER; role <= SLUICE_ADMIN; role++) {
        sluice_client *client = open_with(make_config("127.0.0.1:1"), role, NULL);
        assert_closes_in_time(client, PATIENCE_MS, 0);
        sluice_client_free(client);
    }
    sluice_client_free(NULL);
}

static void test_free_without_close(void **state) {
    (void)state;
    struct scene s = set_scene("all", NULL);
    send_some(s.client, 100);
    clear_scene(&s);
}

static void test_close_against_a_frozen_peer(void **state) {
    (void)state;
    struct scene s = set_scene("all", NULL);
    send_some(s.client, 1000);
    assert_int_equal(sluice_client_ready(s.client, 50, NULL), SLUICE_ERR_UNREACHABLE);
    assert_int_equal(sluice_producer_flush(s.client, 50, NULL), SLUICE_ERR_TIMEOUT);
    assert_closes_in_time(s.client, 200, SLUICE_ERR_NOT_WRITTEN);
    assert_int_equal(sluice_producer_send(s.client, "t", NULL, 0, "v", 1, -1), SLUICE_ERR_CLOSED);
    assert_int_equal(count_reported(s.client), 1000);
    sluice_counts counts;
    assert_int_equal(sluice_producer_counts(s.client, &counts, sizeof counts), 0);
    assert_int_equal(counts.pending, 0);
    assert_int_equal(counts.not_written, 1000);
    clear_scene(&s);
}

static void test_ops_end_when_the_client_does(void **state) {
    (void)state;
    struct scene s = set_scene("none", NULL);
    sluice_op *ready, *closing, *freed;
    assert_int_equal(sluice_client_ready(s.client, -1, &ready), 0);
    assert_int_equal(sluice_client_ready(s.client, -1, &freed), 0);
    sluice_op_free(freed);
    assert_int_equal(sluice_op_wait(ready, 0), SLUICE_ERR_PENDING);
    assert_int_equal(sluice_client_close(s.client, 100, &closing), 0);
    assert_int_equal(sluice_op_wait(closing, PATIENCE_MS), 0);
    assert_int_equal(sluice_op_wait(ready, PATIENCE_MS), SLUICE_ERR_CLOSED);
    sluice_client_free(s.client);
    s.client = NULL;
    /* Ops outlive the client. */
    assert_int_equal(sluice_op_wait(ready, -1), SLUICE_ERR_CLOSED);
    assert_true(sluice_op_id(ready) != sluice_op_id(closing));
    sluice_op_free(ready);
    sluice_op_free(closing);
    clear_scene(&s);
}

static void test_reports_outlive_the_client(void **state) {
    (void)state;
    sluice_client *client = open_producer("127.0.0.1:1", "all", NULL);
    sluice_deliveries *set;
    sluice_delivery d;
    send_some(client, 10);
    assert_int_equal(sluice_client_close(client, 0, NULL), SLUICE_ERR_NOT_WRITTEN);
    assert_int_equal(sluice_producer_deliveries(client, -1, &set), 0);
    sluice_client_free(client);
    assert_int_equal(sluice_deliveries_next(set, &d, sizeof d), 1);
    assert_string_equal(d.topic, "t");
    sluice_deliveries_free(set);
}

/* ---- events and the descriptor ---- */

static bool is_readable(int fd, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

/* A change of the descriptor may be under way in another thread for a moment. */
static bool turns_unreadable(int fd) {
    for (int64_t end = now_ms() + PATIENCE_MS; is_readable(fd, 0);)
        if (now_ms() > end) return false;
    return true;
}

static void test_descriptor_follows_what_is_due(void **state) {
    (void)state;
    sluice_client *client = open_producer("127.0.0.1:1", "all", NULL);
    sluice_op *op;
    int fd = sluice_client_fd(client);
    assert_true(fd >= 0);
    assert_int_equal(sluice_client_fd(client), fd);
    assert_false(is_readable(fd, 0));

    assert_int_equal(sluice_client_ready(client, 0, &op), 0);
    assert_true(is_readable(fd, PATIENCE_MS));
    sluice_event event;
    assert_int_equal(sluice_client_event(client, PATIENCE_MS, &event, sizeof event), 0);
    assert_int_equal(event.kind, SLUICE_EVENT_OP);
    assert_int_equal(event.op, sluice_op_id(op));
    assert_int_equal(event.code, sluice_op_wait(op, 0));
    assert_true(turns_unreadable(fd));
    sluice_op_free(op);

    send_some(client, 5);
    assert_int_equal(sluice_client_close(client, 0, NULL), SLUICE_ERR_NOT_WRITTEN);
    assert_true(is_readable(fd, PATIENCE_MS));
    assert_int_equal(count_reported(client), 5);
    assert_true(turns_unreadable(fd));
    bool told = false;
    while (sluice_client_event(client, 0, &event, sizeof event) == 0 && event.kind != 0)
        told |= event.kind == SLUICE_EVENT_CLOSED;
    assert_true(told);
    assert_int_equal(sluice_client_event(client, -1, &event, sizeof event), SLUICE_ERR_CLOSED);
    sluice_client_free(client);
}

static void test_room_is_told_after_full(void **state) {
    (void)state;
    sluice_config *config = make_config("127.0.0.1:1");
    sluice_config_set(config, "buffer.memory", "65536");
    sluice_client *client = open_with(config, SLUICE_PRODUCER, NULL);
    char value[1000] = {0};
    int fd = sluice_client_fd(client);
    int rv = 0;
    while (rv == 0) rv = sluice_producer_send(client, "t", NULL, 0, value, sizeof value, 0);
    assert_int_equal(rv, SLUICE_ERR_FULL);
    assert_int_equal(sluice_producer_send(client, "t", NULL, 0, value, sizeof value, 20),
                     SLUICE_ERR_FULL);
    assert_int_equal(sluice_producer_discard(client), 0);
    assert_true(is_readable(fd, PATIENCE_MS));
    assert_int_equal(sluice_producer_send(client, "t", NULL, 0, value, sizeof value, PATIENCE_MS),
                     0);
    assert_true(turns_unreadable(fd));
    sluice_client_free(client);
}

/* ---- interrupts ---- */

static void *interrupt_client(void *arg) {
    sluice_client_interrupt(arg);
    return NULL;
}

static void test_interrupt_ends_waits(void **state) {
    (void)state;
    sluice_client *client = open_producer("127.0.0.1:1", "all", NULL);
    sluice_deliveries *set;
    sluice_event event;
    pthread_t thread;
    /* Before the wait: the next one to wait gets it, once. */
    sluice_client_interrupt(client);
    assert_int_equal(sluice_producer_deliveries(client, 0, &set), 0);
    assert_int_equal(sluice_producer_deliveries(client, -1, &set), SLUICE_ERR_INTERRUPTED);
    assert_int_equal(sluice_producer_deliveries(client, 1, &set), 0);
    /* During it, or before: it makes no difference. */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pthread_create(&thread, NULL, interrupt_client, client), 0);
        int rv = i % 2 == 0 ? 0 : sluice_producer_flush(client, -1, NULL);
        if (rv == 0) rv = sluice_producer_deliveries(client, -1, &set);
        assert_int_equal(rv, SLUICE_ERR_INTERRUPTED);
        pthread_join(thread, NULL);
        while (sluice_client_event(client, 1, &event, sizeof event) == 0 && event.kind != 0)
            continue;
    }
    /* Close is deaf. */
    sluice_client_interrupt(client);
    assert_closes_in_time(client, 1000, 0);
    sluice_client_free(client);
}

/* Not at first, as when the loop ends it just when the call begins to wait. */
static bool is_done_at_second_look(struct sluice_client *client, void *arg) {
    (void)client;
    return ++*(int *)arg >= 2;
}

/* A call that ends otherwise leaves the interrupt to the next: taken and not told, that one would
 * wait for ever. */
static void test_an_interrupt_is_taken_only_by_its_answer(void **state) {
    (void)state;
    sluice_client *client = open_producer("127.0.0.1:1", "all", NULL);
    sluice_deliveries *set;
    int looks = 0;
    struct sl_shell_wait wait = {
        .done = is_done_at_second_look, .arg = &looks, .deadline = SL_NEVER};
    sluice_client_interrupt(client);
    sl_outbox_lock(&client->outbox);
    assert_int_equal(sl_client_await(client, &wait), 0);
    sl_outbox_unlock(&client->outbox);
    assert_int_equal(sluice_producer_deliveries(client, PATIENCE_MS, &set), SLUICE_ERR_INTERRUPTED);
    assert_closes_in_time(client, 1000, 0);
    sluice_client_free(client);
}

/* The record was accepted: the code must not be one that says it may be sent again. */
static void test_an_interrupted_write_is_undecided(void **state) {
    (void)state;
    sluice_client *client = open_producer("127.0.0.1:1", "all", NULL);
    sluice_record r = {.topic = "t", .value = "v", .value_size = 1, .tag = 7};
    sluice_deliveries *set;
    sluice_delivery d;
    sluice_counts counts;
    sluice_client_interrupt(client);
    assert_int_equal(sluice_producer_write(client, &r, sizeof r, -1, NULL, 0), SLUICE_ERR_TIMEOUT);
    assert_int_equal(sluice_producer_counts(client, &counts, sizeof counts), 0);
    assert_int_equal(counts.pending, 1);
    assert_closes_in_time(client, 1000, SLUICE_ERR_NOT_WRITTEN);
    assert_int_equal(sluice_producer_deliveries(client, 0, &set), 0);
    assert_int_equal(sluice_deliveries_next(set, &d, sizeof d), 1);
    assert_int_equal(d.count, 1);
    assert_int_equal(d.tags[0], 7);
    sluice_deliveries_free(set);
    sluice_client_free(client);
}

/* ---- driven ---- */

static void test_driven_calls_pump(void **state) {
    (void)state;
    struct scene s = set_scene("all", start_driven());
    sluice_client *two = open_with(make_config(s.peer.endpoint), SLUICE_CONSUMER, s.runtime);
    sluice_batch *batch;
    send_some(s.client, 10);
    int64_t start = now_ms();
    assert_int_equal(sluice_consumer_poll(two, 50, &batch), 0);
    assert_null(batch);
    assert_true(now_ms() - start >= 50);
    assert_int_equal(sluice_producer_flush(s.client, 50, NULL), SLUICE_ERR_TIMEOUT);
    assert_closes_in_time(s.client, 100, SLUICE_ERR_NOT_WRITTEN);
    sluice_client_free(two);
    assert_int_equal(count_reported(s.client), 10);
    clear_scene(&s);
}

static void *run_once_elsewhere(void *arg) {
    sluice_runtime *runtime = arg;
    if (sluice_runtime_run(runtime, 0) != 0) return runtime;
    return NULL;
}

/* One call on another thread does not take the loop away from who drives it. */
static void test_a_passing_thread_does_not_keep_the_loop(void **state) {
    (void)state;
    struct scene s = set_scene("none", start_driven());
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_once_elsewhere, s.runtime), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    send_some(s.client, 10);
    /* Drops what was never sent and waits: no broker is needed, only a turn. */
    assert_closes_in_time(s.client, 1000, SLUICE_ERR_NOT_WRITTEN);
    clear_scene(&s);
}

/* A ticket that is given back before its close is over is told by no event. */
static void test_a_close_ticket_freed_early_is_not_told(void **state) {
    (void)state;
    struct scene s = set_scene("none", start_driven());
    sluice_op *op;
    assert_int_equal(sluice_client_close(s.client, 1000, &op), 0);
    sluice_op_free(op);
    assert_int_equal(sluice_client_close(s.client, 1000, NULL), 0);
    sluice_event event;
    while (sluice_client_event(s.client, 0, &event, sizeof event) == 0 && event.kind != 0)
        assert_int_not_equal(event.kind, SLUICE_EVENT_OP);
    clear_scene(&s);
}

/* The runtime's descriptor covers wakes and timers: an own loop needs nothing else. */
static void test_driven_by_an_own_loop(void **state) {
    (void)state;
    struct scene s = set_scene("none", start_driven());
    sluice_op *op;
    int fd = sluice_runtime_fd(s.runtime);
    assert_int_equal(sluice_client_ready(s.client, 100, &op), 0);
    int rv;
    while ((rv = sluice_op_wait(op, 0)) == SLUICE_ERR_PENDING) {
        assert_true(is_readable(fd, PATIENCE_MS));
        assert_int_equal(sluice_runtime_run(s.runtime, 0), 0);
    }
    assert_int_equal(rv, SLUICE_ERR_UNREACHABLE);
    sluice_op_free(op);
    clear_scene(&s);
}

/* A call that is made again and again until it succeeds asks once. The loop doesn't run meanwhile. */
static void test_a_look_up_is_not_repeated(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    sluice_allocator allocator = {memory.alloc.resize, memory.alloc.user};
    sluice_runtime *runtime = start_driven();
    sluice_config *config = make_config("127.0.0.1:1");
    sluice_config_memory(config, &allocator, sizeof allocator);
    sluice_client *client = open_with(config, SLUICE_CONSUMER, runtime);
    int32_t count;
    assert_int_equal(sluice_client_partitions(client, "t", 0, &count), SLUICE_ERR_PENDING);
    size_t once = memory.live_blocks;
    for (int i = 0; i < 100; i++)
        assert_int_equal(sluice_client_partitions(client, "t", 0, &count), SLUICE_ERR_PENDING);
    assert_int_equal(memory.live_blocks, once);
    assert_int_equal(sluice_client_partitions(client, "u", 0, &count), SLUICE_ERR_PENDING);
    assert_true(memory.live_blocks > once);
    sluice_client_free(client);
    sluice_runtime_release(runtime);
    test_memory_check(&memory);
}

/* ---- a log sink that blocks ---- */

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool entered;
    bool open;
};

static void block_in_log(void *user, int32_t level, const char *line) {
    struct gate *gate = user;
    (void)level;
    (void)line;
    pthread_mutex_lock(&gate->mutex);
    gate->entered = true;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open) pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void test_close_while_the_log_blocks(void **state) {
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    sluice_config *config = make_config("127.0.0.1:1");
    sluice_config_log(config, block_in_log, &gate);
    sluice_config_set(config, "log.level", "7");
    sluice_client *client = open_with(config, SLUICE_PRODUCER, NULL);
    send_some(client, 3);
    sluice_op *op;
    assert_int_equal(sluice_client_ready(client, 100, &op), 0);
    pthread_mutex_lock(&gate.mutex);
    while (!gate.entered) pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);

    assert_closes_in_time(client, 100, SLUICE_ERR_MAYBE_WRITTEN);
    assert_int_equal(sluice_producer_send(client, "t", NULL, 0, "v", 1, 0), SLUICE_ERR_CLOSED);
    char text[64];
    assert_true(sluice_client_dump(client, text, sizeof text, 10) > 0);

    pthread_mutex_lock(&gate.mutex);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
    sluice_client_free(client); /* waits for the call under way */
    sluice_op_free(op);
}

/* The loop is stuck: the call for a snapshot returns at once, the wait for it by its time. */
static void test_metrics_while_the_log_blocks(void **state) {
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};
    sluice_config *config = make_config("127.0.0.1:1");
    sluice_config_log(config, block_in_log, &gate);
    sluice_config_set(config, "log.level", "7");
    sluice_client *client = open_with(config, SLUICE_PRODUCER, NULL);
    sluice_op *ready, *op;
    assert_int_equal(sluice_client_ready(client, 100, &ready), 0);
    pthread_mutex_lock(&gate.mutex);
    while (!gate.entered) pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);

    assert_int_equal(sluice_metrics_snapshot(client, -1, &op), 0);
    assert_int_equal(sluice_op_wait(op, 20), SLUICE_ERR_PENDING);
    assert_null(sluice_op_table(op, NULL));

    pthread_mutex_lock(&gate.mutex);
    gate.open = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
    assert_int_equal(sluice_op_wait(op, 10000), 0);
    assert_true(sluice_table_rows(sluice_op_table(op, NULL)) > 50);
    sluice_op_free(op);
    sluice_op_free(ready);
    sluice_client_free(client);
}

/* ---- a resolver that hangs ---- */

static struct gate resolver = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};

static void hang_in_lookup(const char *host, uint16_t port, struct sl_host_answer *out) {
    (void)port;
    assert_string_equal(host, "nowhere.invalid");
    block_in_log(&resolver, 0, NULL);
    out->rv = SLUICE_ERR_UNREACHABLE;
}

static void test_close_while_the_resolver_hangs(void **state) {
    (void)state;
    struct sluice_runtime *runtime;
    assert_int_equal(sl_runtime_create(SLUICE_RUNTIME_THREAD, sl_alloc_default(), &runtime), 0);
    sl_net_replace_lookup(sl_runtime_net(runtime), hang_in_lookup);
    sluice_client *client = open_producer("nowhere.invalid:9092", "all", runtime);
    sluice_runtime_release(runtime);
    send_some(client, 3);
    pthread_mutex_lock(&resolver.mutex);
    while (!resolver.entered) pthread_cond_wait(&resolver.changed, &resolver.mutex);
    pthread_mutex_unlock(&resolver.mutex);
    assert_closes_in_time(client, 50, SLUICE_ERR_NOT_WRITTEN);
    int64_t start = now_ms();
    sluice_client_free(client);
    assert_true(now_ms() - start < LATE_MS);
    pthread_mutex_lock(&resolver.mutex); /* the lookup ends with nobody to tell */
    resolver.open = true;
    pthread_cond_broadcast(&resolver.changed);
    pthread_mutex_unlock(&resolver.mutex);
}

/* ---- fork ---- */

static bool child_sees_forked(sluice_client *client, sluice_op *op) {
    sluice_event event;
    sluice_counts counts;
    return sluice_producer_send(client, "t", NULL, 0, "v", 1, -1) == SLUICE_ERR_FORKED &&
           sluice_producer_flush(client, -1, NULL) == SLUICE_ERR_FORKED &&
           sluice_client_event(client, -1, &event, sizeof event) == SLUICE_ERR_FORKED &&
           sluice_client_close(client, -1, NULL) == SLUICE_ERR_FORKED &&
           sluice_client_fd(client) == SLUICE_ERR_FORKED &&
           sluice_producer_counts(client, &counts, sizeof counts) == SLUICE_ERR_FORKED &&
           sluice_op_wait(op, -1) == SLUICE_ERR_FORKED;
}

static void fork_with(sluice_runtime *runtime) {
    struct scene s = set_scene("all", runtime);
    sluice_op *op;
    send_some(s.client, 10);
    assert_true(sluice_client_fd(s.client) >= 0);
    assert_int_equal(sluice_client_ready(s.client, -1, &op), 0);
    pid_t child = fork();
    if (child == 0) {
        bool fine = child_sees_forked(s.client, op);
        sluice_client_interrupt(s.client);
        sluice_client_free(s.client);
        s.client = NULL;
        sluice_op_free(op);
        if (runtime != NULL) fine &= sluice_runtime_run(runtime, 0) == SLUICE_ERR_FORKED;
        clear_scene(&s);
        _exit(fine ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* The parent goes on. */
    assert_int_equal(sluice_client_close(s.client, 400, NULL), SLUICE_ERR_NOT_WRITTEN);
    assert_int_equal(count_reported(s.client), 10);
    sluice_op_free(op);
    clear_scene(&s);
}

/* Some thread of the parent was putting a record in: nobody will ever give the latch back. */
static void test_reports_are_freed_in_a_forked_child(void **state) {
    (void)state;
    struct scene s = set_scene("all", NULL);
    struct sl_delivery *d;
    struct sl_list reports;
    assert_int_equal(sl_delivery_create(sl_client_alloc(s.client), 16, &d), 0);
    sl_list_init(&reports);
    sl_list_push_back(&reports, &d->node);
    sl_latch_lock(&s.client->inbox.latch);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(10);
        sl_client_give_deliveries(s.client, &reports);
        _exit(sl_list_is_empty(&reports) ? 0 : 1);
    }
    sl_latch_unlock(&s.client->inbox.latch);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    sl_client_give_deliveries(s.client, &reports);
    clear_scene(&s);
}

static void test_fork(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) fork_with(NULL);
    fork_with(start_driven());
}

/* ---- many threads ---- */

enum { PRODUCERS = 4, RECORDS = 20000 };

struct sender {
    sluice_client *client;
    int accepted;
    int full;
};

static void *send_until_closed(void *arg) {
    struct sender *sender = arg;
    int rv = 0;
    for (int i = 0; i < RECORDS && rv != SLUICE_ERR_CLOSED; i++) {
        rv = sluice_producer_send(sender->client, i % 3 == 0 ? "a" : "b", "key", 3, "value", 5, 5);
        sender->accepted += rv == 0;
        sender->full += rv == SLUICE_ERR_FULL || rv == SLUICE_ERR_UNREAD;
    }
    return NULL;
}

static void *read_reports(void *arg) {
    struct sender *reader = arg;
    reader->accepted = count_reported(reader->client);
    return NULL;
}

static void *look_around(void *arg) {
    char text[4096];
    sluice_event event;
    sluice_counts counts;
    while (sluice_client_event(arg, 1, &event, sizeof event) == 0) {
        (void)sluice_client_dump(arg, text, sizeof text, 1);
        (void)sluice_client_explain(arg, SLUICE_ERR_UNREACHABLE, text, sizeof text);
        assert_int_equal(sluice_producer_counts(arg, &counts, sizeof counts), 0);
        assert_true(counts.pending >= 0);
        (void)sluice_producer_discard(arg);
    }
    return NULL;
}

static void test_every_record_has_one_outcome(void **state) {
    (void)state;
    sluice_config *config = make_config("127.0.0.1:1");
    sluice_config_set(config, "delivery.reports", "all");
    sluice_config_set(config, "buffer.memory", "1048576");
    sluice_client *client = open_with(config, SLUICE_PRODUCER, NULL);
    pthread_t threads[PRODUCERS], reports, looker;
    struct sender senders[PRODUCERS], reader = {client, 0, 0};
    assert_true(sluice_client_fd(client) >= 0);
    for (int i = 0; i < PRODUCERS; i++) {
        senders[i] = (struct sender){client, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, send_until_closed, &senders[i]), 0);
    }
    assert_int_equal(pthread_create(&reports, NULL, read_reports, &reader), 0);
    assert_int_equal(pthread_create(&looker, NULL, look_around, client), 0);
    pthread_join(threads[0], NULL);
    int rv = sluice_client_close(client, 0, NULL);
    assert_true(rv == SLUICE_ERR_NOT_WRITTEN || rv == 0); /* 0: all reports were read */
    for (int i = 1; i < PRODUCERS; i++) pthread_join(threads[i], NULL);
    pthread_join(reports, NULL);
    pthread_join(looker, NULL);
    int accepted = 0;
    for (int i = 0; i < PRODUCERS; i++) accepted += senders[i].accepted;
    assert_true(accepted > 0);
    assert_int_equal(reader.accepted, accepted);
    sluice_client_free(client);
}

/* ---- memory ---- */

/* One life of a client, with whatever fails on the way. False: it could not be opened. */
static bool live_with(struct test_memory *memory, sluice_runtime *runtime, int32_t role) {
    sluice_allocator allocator = {memory->alloc.resize, memory->alloc.user};
    sluice_config *config = make_config("127.0.0.1:1");
    sluice_config_memory(config, &allocator, sizeof allocator);
    sluice_client *client;
    sluice_deliveries *set = NULL;
    sluice_event event;
    sluice_op *op;
    if (role == SLUICE_PRODUCER) sluice_config_set(config, "delivery.reports", "all");
    int rv = sluice_client_open(config, role, runtime, &client);
    sluice_config_free(config);
    if (rv != 0) {
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
        return false;
    }
    if (role == SLUICE_PRODUCER) {
        for (int i = 0; i < 3; i++)
            (void)!sluice_producer_send(client, "t", "key", 3, "value", 5, 0);
        (void)!sluice_producer_flush(client, 1, NULL);
    }
    if (sluice_client_ready(client, 1, &op) == 0) {
        assert_int_not_equal(sluice_op_wait(op, PATIENCE_MS), SLUICE_ERR_PENDING);
        sluice_op_free(op);
    }
    (void)!sluice_client_event(client, 0, &event, sizeof event);
    (void)!sluice_client_close(client, 1, NULL);
    if (role == SLUICE_PRODUCER) (void)!sluice_producer_deliveries(client, 0, &set);
    sluice_client_free(client);
    sluice_deliveries_free(set);
    return true;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    sluice_runtime *runtime = start_driven();
    for (int32_t role = SLUICE_PRODUCER; role <= SLUICE_CONSUMER; role++) {
        bool failed = true;
        for (long n = 1; failed; n++) {
            struct test_memory memory;
            test_memory_init(&memory);
            test_memory_fail_at(&memory, n);
            bool opened = live_with(&memory, runtime, role);
            failed = test_memory_has_failed(&memory);
            assert_true(opened || failed);
            test_memory_check(&memory);
        }
    }
    sluice_runtime_release(runtime);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_with_nothing_to_do),
        cmocka_unit_test(test_free_without_close),
        cmocka_unit_test(test_close_against_a_frozen_peer),
        cmocka_unit_test(test_ops_end_when_the_client_does),
        cmocka_unit_test(test_reports_outlive_the_client),
        cmocka_unit_test(test_descriptor_follows_what_is_due),
        cmocka_unit_test(test_room_is_told_after_full),
        cmocka_unit_test(test_interrupt_ends_waits),
        cmocka_unit_test(test_an_interrupt_is_taken_only_by_its_answer),
        cmocka_unit_test(test_an_interrupted_write_is_undecided),
        cmocka_unit_test(test_driven_calls_pump),
        cmocka_unit_test(test_a_close_ticket_freed_early_is_not_told),
        cmocka_unit_test(test_a_passing_thread_does_not_keep_the_loop),
        cmocka_unit_test(test_driven_by_an_own_loop),
        cmocka_unit_test(test_a_look_up_is_not_repeated),
        cmocka_unit_test(test_close_while_the_log_blocks),
        cmocka_unit_test(test_metrics_while_the_log_blocks),
        cmocka_unit_test(test_close_while_the_resolver_hangs),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_reports_are_freed_in_a_forked_child),
        cmocka_unit_test(test_every_record_has_one_outcome),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("host_client", tests, NULL, NULL);
}
