/* Goal: the real host keeps the promises of the host table, with each poller of this system: wakes
 * are never lost, a wait ends by its time, connects end well or badly, bytes go through, a full
 * socket is told of when it is writable again; names are looked up
 * off the loop, and what hangs there holds nothing else up.
 * Method: the table's functions on a loop of the test's own; every wait has a time long after which
 * the test fails. */
#include "unit/support.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/errands.h"
#include "driver/net.h"
#include "driver/sockets.h"
#include "driver/system.h"
#include "sluice/error.h"

#define PATIENCE_NS (20 * INT64_C(1000000000))
#define MS INT64_C(1000000)

enum { LISTENER = 1, CLIENT = 2, SERVER = 3 };
static uint64_t token_of(int what) { return UINT64_C(0x700000000) | (uint64_t)what; }

static const struct sl_host_table *const table = &sl_net_table;

struct fixture {
    struct test_memory memory;
    struct sl_net *net;
    uint32_t seen; /* SL_READY_* of the socket waited for */
};

static void setup(struct fixture *f, enum sl_net_kind kind) {
    test_memory_init(&f->memory);
    assert_int_equal(sl_net_create(kind, 0, &f->memory.alloc, &f->net), 0);
}

static void teardown(struct fixture *f) {
    sl_net_destroy(f->net);
    test_memory_check(&f->memory);
}

/* Waits until the socket with that token is ready for one of these things. */
static void wait_ready(struct fixture *f, int socket_name, uint32_t what) {
    int64_t end = sl_system_now() + PATIENCE_NS;
    for (;;) {
        struct sl_ready ready[8];
        int count = table->wait(f->net, end, ready, 8);
        for (int i = 0; i < count; i++) {
            if (ready[i].token != token_of(socket_name) || (ready[i].what & what) == 0) continue;
            f->seen = ready[i].what;
            return;
        }
        assert_true(sl_system_now() < end);
    }
}

static void *wake_it(void *net) {
    table->wake(net);
    return NULL;
}

static void check_waits(enum sl_net_kind kind) {
    struct fixture f;
    struct sl_ready ready[4];
    pthread_t thread;
    setup(&f, kind);
    /* A time that has passed only looks. */
    assert_int_equal(table->wait(f.net, 0, ready, 4), 0);
    int64_t start = sl_system_now();
    assert_int_equal(table->wait(f.net, start + 5 * MS, ready, 4), 0);
    assert_true(sl_system_now() >= start + 5 * MS);
    /* Shorter, longer and the same time again. */
    assert_int_equal(table->wait(f.net, sl_system_now() + MS, ready, 4), 0);
    start = sl_system_now();
    assert_int_equal(table->wait(f.net, start + 2 * MS, ready, 4), 0);
    assert_true(sl_system_now() >= start + 2 * MS);
    /* A wake that comes first is not lost, and is used up. */
    table->wake(f.net);
    table->wake(f.net);
    assert_int_equal(table->wait(f.net, SL_NEVER, ready, 4), 0);
    start = sl_system_now();
    assert_int_equal(table->wait(f.net, start + MS, ready, 4), 0);
    assert_true(sl_system_now() >= start + MS);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, wake_it, f.net), 0);
        assert_int_equal(table->wait(f.net, SL_NEVER, ready, 4), 0);
        pthread_join(thread, NULL);
    }
    teardown(&f);
}

static void check_connections(enum sl_net_kind kind) {
    struct fixture f;
    char text[128];
    uint16_t port = 0;
    int listener, client;
    setup(&f, kind);
    assert_int_equal(sl_net_listen(f.net, "127.0.0.1", &port, token_of(LISTENER), true, &listener,
                                   text, sizeof text),
                     0);
    assert_true(port != 0);
    struct sl_address address = {.ip = {127, 0, 0, 1}, .ip_size = 4, .port = port};
    assert_int_equal(
        table->connect(f.net, &address, token_of(CLIENT), -1, -1, &client, text, sizeof text), 0);
    wait_ready(&f, CLIENT, SL_READY_WRITE);
    assert_int_equal(table->connect_result(f.net, client, text, sizeof text), 0);
    table->want_write(f.net, client, false);
    wait_ready(&f, LISTENER, SL_READY_READ);
    int server = sl_net_accept(f.net, listener);
    assert_true(server >= 0);
    assert_true(sl_net_accept(f.net, listener) < 0);
    assert_int_equal(sl_net_watch(f.net, server, token_of(SERVER)), 0);

    char buf[16];
    struct sl_iov pieces[2] = {{"hel", 3}, {"lo", 2}};
    assert_int_equal(table->recv(f.net, server, buf, sizeof buf, text, sizeof text), SL_IO_AGAIN);
    assert_int_equal(table->send(f.net, client, pieces, 2, text, sizeof text), 5);
    wait_ready(&f, SERVER, SL_READY_READ);
    assert_int_equal(table->recv(f.net, server, buf, sizeof buf, text, sizeof text), 5);
    assert_memory_equal(buf, "hello", 5);

    /* A full socket, and the word that it is not full any more. */
    static uint8_t block[256 * 1024];
    struct sl_iov big = {block, sizeof block};
    int64_t sent = 0, n;
    while ((n = table->send(f.net, client, &big, 1, text, sizeof text)) > 0) sent += n;
    assert_int_equal(n, SL_IO_AGAIN);
    table->want_write(f.net, client, true);
    while (sent > 0) {
        wait_ready(&f, SERVER, SL_READY_READ);
        while ((n = table->recv(f.net, server, block, sizeof block, text, sizeof text)) > 0)
            sent -= n;
    }
    wait_ready(&f, CLIENT, SL_READY_WRITE);

    /* The usual end, and a reset. */
    table->close(f.net, client);
    wait_ready(&f, SERVER, SL_READY_READ);
    assert_int_equal(table->recv(f.net, server, buf, sizeof buf, text, sizeof text), SL_IO_CLOSED);
    table->close(f.net, server);
    assert_int_equal(
        table->connect(f.net, &address, token_of(CLIENT), 65536, 65536, &client, text, sizeof text),
        0);
    wait_ready(&f, LISTENER, SL_READY_READ);
    server = sl_net_accept(f.net, listener);
    sl_net_reset(f.net, server);
    wait_ready(&f, CLIENT, SL_READY_READ | SL_READY_ERROR);
    assert_int_equal(table->recv(f.net, client, buf, sizeof buf, text, sizeof text), SL_IO_FAILED);
    assert_true(text[0] != '\0');
    table->close(f.net, client);

    /* Nobody listens: at once, or as the result. */
    table->close(f.net, listener);
    int rv = table->connect(f.net, &address, token_of(CLIENT), -1, -1, &client, text, sizeof text);
    if (rv == 0) {
        wait_ready(&f, CLIENT, SL_READY_WRITE | SL_READY_ERROR);
        rv = table->connect_result(f.net, client, text, sizeof text);
        table->close(f.net, client);
    }
    assert_int_equal(rv, SLUICE_ERR_UNREACHABLE);
    assert_true(strstr(text, "refused") != NULL);
    teardown(&f);
}

static void test_waits(void **state) {
    (void)state;
    check_waits(SL_NET_BEST);
    check_waits(SL_NET_POLL);
}

static void test_connections(void **state) {
    (void)state;
    check_connections(SL_NET_BEST);
    check_connections(SL_NET_POLL);
}

static int buffer_of(int fd, int name) {
    int size = 0;
    socklen_t length = sizeof size;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, name, &size, &length), 0);
    return size;
}

/* A size that is set is no longer tuned by the system, so -1 has to leave it alone: 256 KiB cost a third of
 * a producer's throughput. What a system makes of a number is its own: Linux takes twice as much. */
static void test_buffers(void **state) {
    (void)state;
    enum { ASKED = 24 * 1024 };
    struct fixture f;
    char text[128];
    uint16_t port = 0;
    int listener, usual, asked;
    setup(&f, SL_NET_BEST);
    assert_int_equal(sl_net_listen(f.net, "127.0.0.1", &port, token_of(LISTENER), true, &listener,
                                   text, sizeof text),
                     0);
    struct sl_address address = {.ip = {127, 0, 0, 1}, .ip_size = 4, .port = port};
    assert_int_equal(
        table->connect(f.net, &address, token_of(CLIENT), -1, -1, &usual, text, sizeof text), 0);
    assert_int_equal(
        table->connect(f.net, &address, token_of(SERVER), ASKED, ASKED, &asked, text, sizeof text),
        0);
    int plain = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(plain, (const struct sockaddr *)&to, sizeof to), 0);
    static const int names[] = {SO_SNDBUF, SO_RCVBUF};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(buffer_of(usual, names[i]), buffer_of(plain, names[i]));
        assert_in_range(buffer_of(asked, names[i]), ASKED, 2 * ASKED);
        assert_int_not_equal(buffer_of(asked, names[i]), buffer_of(plain, names[i]));
    }
    close(plain);
    table->close(f.net, usual);
    table->close(f.net, asked);
    table->close(f.net, listener);
    teardown(&f);
}

static void test_descriptor_covers_timers_and_wakes(void **state) {
    (void)state;
    struct fixture f;
    struct sl_ready ready[4];
    setup(&f, SL_NET_POLL);
    assert_int_equal(sl_net_fd(f.net), -1);
    teardown(&f);
    setup(&f, SL_NET_BEST);
    struct pollfd p = {.fd = sl_net_fd(f.net), .events = POLLIN};
    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    sl_net_arm(f.net, sl_system_now() + 5 * MS);
    assert_int_equal(poll(&p, 1, (int)(PATIENCE_NS / MS)), 1);
    assert_int_equal(table->wait(f.net, 0, ready, 4), 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    sl_net_arm(f.net, 0);
    assert_int_equal(poll(&p, 1, (int)(PATIENCE_NS / MS)), 1);
    assert_int_equal(table->wait(f.net, 0, ready, 4), 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    /* A later time may be told early, once; an earlier one is never late. */
    sl_net_arm(f.net, sl_system_now() + PATIENCE_NS);
    sl_net_arm(f.net, sl_system_now() + 5 * MS);
    sl_net_arm(f.net, SL_NEVER);
    assert_int_equal(poll(&p, 1, (int)(PATIENCE_NS / MS / 2)), 1);
    assert_int_equal(table->wait(f.net, 0, ready, 4), 0);
    assert_int_equal(poll(&p, 1, 50), 0);
    /* Each wake counts, also one that comes before the last was seen. */
    for (int i = 0; i < 3; i++) {
        table->wake(f.net);
        if (i == 1) table->wake(f.net);
        assert_int_equal(poll(&p, 1, (int)(PATIENCE_NS / MS)), 1);
        assert_int_equal(table->wait(f.net, 0, ready, 4), 0);
        assert_int_equal(poll(&p, 1, 0), 0);
    }
    teardown(&f);
}

/* ---- names ---- */

static struct sl_host_answer *await_answer(struct sl_net *net) {
    int64_t end = sl_system_now() + PATIENCE_NS;
    struct sl_host_answer *answer;
    struct sl_ready ready[4];
    while ((answer = table->take_answer(net)) == NULL) {
        (void)table->wait(net, end, ready, 4);
        assert_true(sl_system_now() < end);
    }
    return answer;
}

static void test_names(void **state) {
    (void)state;
    struct fixture f;
    setup(&f, SL_NET_BEST);
    assert_int_equal(table->resolve(f.net, 7, 8, "127.0.0.2", 9092), 0);
    struct sl_host_answer *answer = await_answer(f.net);
    assert_int_equal(answer->rv, 0);
    assert_int_equal(answer->client, 7);
    assert_int_equal(answer->serial, 8);
    assert_int_equal(answer->count, 1);
    assert_int_equal(answer->addresses[0].ip[3], 2);
    assert_int_equal(answer->addresses[0].port, 9092);
    table->free_answer(f.net, answer);
    assert_int_equal(table->resolve(f.net, 7, 9, "::1", 1), 0);
    answer = await_answer(f.net);
    assert_int_equal(answer->addresses[0].ip_size, 16);
    assert_int_equal(answer->addresses[0].ip[15], 1);
    table->free_answer(f.net, answer);
    assert_int_equal(table->resolve(f.net, 7, 10, "localhost", 1), 0);
    answer = await_answer(f.net);
    assert_int_equal(answer->serial, 10);
    assert_true(answer->rv == 0 ? answer->count > 0 : answer->text[0] != '\0');
    table->free_answer(f.net, answer);
    teardown(&f);
}

static pthread_mutex_t hang_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hang_changed = PTHREAD_COND_INITIALIZER;
static bool hang_over;
static int hanging;

static void hang(const char *host, uint16_t port, struct sl_host_answer *out) {
    (void)host;
    (void)port;
    pthread_mutex_lock(&hang_mutex);
    hanging++;
    pthread_cond_broadcast(&hang_changed);
    while (!hang_over) pthread_cond_wait(&hang_changed, &hang_mutex);
    hanging--;
    pthread_cond_broadcast(&hang_changed);
    pthread_mutex_unlock(&hang_mutex);
    out->rv = SLUICE_ERR_UNREACHABLE;
}

static void await_hanging(int count) {
    pthread_mutex_lock(&hang_mutex);
    while (hanging != count) pthread_cond_wait(&hang_changed, &hang_mutex);
    pthread_mutex_unlock(&hang_mutex);
}

static void let_go(void) {
    pthread_mutex_lock(&hang_mutex);
    hang_over = true;
    pthread_cond_broadcast(&hang_changed);
    pthread_mutex_unlock(&hang_mutex);
    await_hanging(0);
    hang_over = false;
}

static void test_a_hung_resolver_holds_nothing_up(void **state) {
    (void)state;
    struct fixture f;
    setup(&f, SL_NET_BEST);
    sl_net_replace_lookup(f.net, hang);
    for (int i = 0; i < SL_ERRANDS_MOST; i++)
        assert_int_equal(table->resolve(f.net, 1, (uint64_t)i, "a.invalid", 1), 0);
    await_hanging(SL_ERRANDS_MOST);
    /* So many wait; more would only pile up. Numeric addresses need no lookup. */
    for (int i = 0; i < SL_ERRANDS_WAITING; i++)
        assert_int_equal(table->resolve(f.net, 1, 1000, "b.invalid", 1), 0);
    assert_int_equal(table->resolve(f.net, 1, 99, "b.invalid", 1), SLUICE_ERR_SYSTEM);
    assert_int_equal(table->resolve(f.net, 1, 100, "127.0.0.1", 1), 0);
    struct sl_host_answer *answer = await_answer(f.net);
    assert_int_equal(answer->serial, 100);
    table->free_answer(f.net, answer);
    teardown(&f); /* does not wait; the lookups answer nobody */
    let_go();
}

/* ---- errands ---- */

static int tasks; /* hang_mutex: not destroyed yet */

static void answer_task(struct sl_errands_task *task) {
    snprintf(task->answer.text, sizeof task->answer.text, "done");
}

static void hang_task(struct sl_errands_task *task) { hang("", 0, &task->answer); }

static void destroy_task(struct sl_errands_task *task) {
    free(task);
    pthread_mutex_lock(&hang_mutex);
    tasks--;
    pthread_cond_broadcast(&hang_changed);
    pthread_mutex_unlock(&hang_mutex);
}

static void start_task(struct sl_net *net, enum sl_errand_kind kind, uint64_t serial,
                       void (*run)(struct sl_errands_task *task)) {
    struct sl_errands_task *task = calloc(1, sizeof *task);
    assert_non_null(task);
    task->answer.kind = kind;
    task->answer.client = 3;
    task->answer.serial = serial;
    task->run = run;
    task->destroy = destroy_task;
    pthread_mutex_lock(&hang_mutex);
    tasks++;
    pthread_mutex_unlock(&hang_mutex);
    assert_int_equal(sl_errands_start(sl_net_errands(net), task), 0);
}

/* What hangs delays its own kind, and everything that waits is done in the end. */
static void test_errands(void **state) {
    enum { WAITING = 20 };
    (void)state;
    struct fixture f;
    bool seen[SL_ERRANDS_MOST + WAITING] = {false};
    setup(&f, SL_NET_BEST);
    for (int i = 0; i < SL_ERRANDS_MOST; i++)
        start_task(f.net, SL_ERRAND_TOKEN, (uint64_t)i, hang_task);
    await_hanging(SL_ERRANDS_MOST);
    for (int i = 0; i < WAITING; i++)
        start_task(f.net, SL_ERRAND_TOKEN, (uint64_t)(SL_ERRANDS_MOST + i), answer_task);
    start_task(f.net, SL_ERRAND_GSSAPI, 77, answer_task);
    struct sl_host_answer *answer = await_answer(f.net);
    assert_int_equal(answer->kind, SL_ERRAND_GSSAPI);
    assert_int_equal(answer->client, 3);
    assert_int_equal(answer->serial, 77);
    assert_string_equal(answer->text, "done");
    table->free_answer(f.net, answer);
    assert_null(table->take_answer(f.net));
    let_go();
    for (int i = 0; i < SL_ERRANDS_MOST + WAITING; i++) {
        answer = await_answer(f.net);
        assert_int_equal(answer->kind, SL_ERRAND_TOKEN);
        assert_false(seen[answer->serial]);
        seen[answer->serial] = true;
        table->free_answer(f.net, answer);
    }
    teardown(&f);
    assert_int_equal(tasks, 0);
}

/* The end waits for none of them, and each is freed: run, waiting or answered. */
static void test_the_end_waits_for_no_errand(void **state) {
    (void)state;
    struct fixture f;
    setup(&f, SL_NET_BEST);
    start_task(f.net, SL_ERRAND_GSSAPI, 1, answer_task);
    for (int i = 0; i < SL_ERRANDS_MOST; i++) start_task(f.net, SL_ERRAND_TOKEN, 2, hang_task);
    await_hanging(SL_ERRANDS_MOST);
    start_task(f.net, SL_ERRAND_TOKEN, 3, answer_task);
    teardown(&f);
    let_go();
    pthread_mutex_lock(&hang_mutex);
    while (tasks > 0) pthread_cond_wait(&hang_changed, &hang_mutex);
    pthread_mutex_unlock(&hang_mutex);
}

/* ---- small parts ---- */

static void test_socket_table(void **state) {
    (void)state;
    struct test_memory memory;
    struct sl_sockets s;
    test_memory_init(&memory);
    sl_sockets_init(&s, &memory.alloc);
    static const uint32_t links[] = {5, 7, 6, 40, 8, 1};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(sl_sockets_reserve(&s), 0);
        sl_sockets_put(&s, links[i], (int)links[i] * 2, i % 2 == 0);
    }
    assert_null(sl_sockets_find(&s, 2));
    assert_null(sl_sockets_find(&s, 41));
    for (int i = 0; i < 6; i++) {
        assert_int_equal(sl_sockets_find(&s, links[i])->fd, links[i] * 2);
        assert_int_equal(sl_sockets_find(&s, links[i])->connecting, i % 2 == 0);
    }
    sl_sockets_remove(&s, 7);
    sl_sockets_remove(&s, 9);
    assert_null(sl_sockets_find(&s, 7));
    assert_int_equal(sl_sockets_find(&s, 40)->fd, 80);
    assert_int_equal(s.count, 5);
    for (uint32_t i = 100; i < 111; i++) {
        assert_int_equal(sl_sockets_reserve(&s), 0);
        sl_sockets_put(&s, i, 1, false);
    }
    test_memory_fail_next(&memory);
    assert_int_equal(s.count, 16);
    assert_int_equal(sl_sockets_reserve(&s), SLUICE_ERR_NOMEM);
    assert_int_equal(sl_sockets_find(&s, 110)->fd, 1);
    sl_sockets_deinit(&s);
    test_memory_check(&memory);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    for (int kind = SL_NET_BEST; kind <= SL_NET_POLL; kind++) {
        bool failed = true;
        for (long n = 1; failed; n++) {
            struct test_memory memory;
            struct sl_net *net;
            test_memory_init(&memory);
            test_memory_fail_at(&memory, n);
            int rv = sl_net_create((enum sl_net_kind)kind, 0, &memory.alloc, &net);
            failed = test_memory_has_failed(&memory);
            assert_int_equal(rv, failed ? SLUICE_ERR_NOMEM : 0);
            if (rv == 0) sl_net_destroy(net);
            test_memory_check(&memory);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_descriptor_covers_timers_and_wakes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_hung_resolver_holds_nothing_up),
        cmocka_unit_test(test_errands),
        cmocka_unit_test(test_the_end_waits_for_no_errand),
        cmocka_unit_test(test_socket_table),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("host_net", tests, NULL, NULL);
}
