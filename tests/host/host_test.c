/* Goal: a hosted test broker serves its machine on real ports, whoever runs the loop: requests are
 * answered, calls and awaits of other threads reach the machine, a node that is down, up or frozen
 * looks like it from outside and keeps its port, and its end closes everything.
 * Method: raw sockets that speak ApiVersions through lib/wire, on a thread of the host's own and on
 * a driven runtime; every wait is for a byte, an end or a call. Failing allocations at every place
 * and a forked child at the end. */
#include "unit/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "driver/host.h"
#include "driver/runtime.h"
#include "sluice/error.h"
#include "sluice/types.h"
#include "wire/frame.h"
#include "wire/messages/18_api_versions.h"

enum { PATIENCE_S = 20, NODES = 3 };

/* ---- a client of few words ---- */

static struct sockaddr_in address_of(uint16_t port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static uint16_t port_of(const struct sl_host *host, int node) {
    const char *at = sl_host_bootstrap(host);
    for (int i = 1; i < node; i++) at = strchr(at, ',') + 1;
    uint16_t port;
    char name[64];
    assert_null(sl_text_parse_endpoint(at, strcspn(at, ","), name, sizeof name, &port));
    assert_string_equal(name, "127.0.0.1");
    return port;
}

/* Below 0: errno says why not. */
static int try_connect(uint16_t port) {
    struct sockaddr_in address = address_of(port);
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int connect_to(const struct sl_host *host, int node) {
    int fd = try_connect(port_of(host, node));
    assert_true(fd >= 0);
    return fd;
}

static void send_request(int fd, int32_t correlation) {
    struct sl_api_versions_request request;
    struct sl_writer out;
    struct sl_encoder encoder = {.out = &out};
    uint8_t buf[256];
    sl_writer_init_fixed(&out, buf, sizeof buf);
    sl_codec_defaults(&sl_api_versions_request_type, &request);
    request.client_software_name = SL_STR("host-test");
    request.client_software_version = SL_STR("1");
    assert_int_equal(sl_frame_encode_request(&encoder, sl_api_find(SL_API_API_VERSIONS), 3,
                                             correlation, SL_STR("host-test"), &request),
                     0);
    assert_int_equal(send(fd, out.data, out.size, MSG_NOSIGNAL), (ssize_t)out.size);
}

/* All of size bytes; false: the connection ended before. */
static bool read_fully(int fd, void *buf, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t n = recv(fd, (uint8_t *)buf + got, size - got, 0);
        if (n <= 0) {
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) fail_msg("nothing came");
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

static bool read_response(int fd, int32_t correlation) {
    uint8_t prefix[SL_FRAME_PREFIX];
    static uint8_t body[64 * 1024];
    if (!read_fully(fd, prefix, sizeof prefix)) return false;
    size_t size = sl_bytes_get32(prefix);
    assert_in_range(size, 6, sizeof body);
    if (!read_fully(fd, body, size)) return false;

    const struct sl_api *api = sl_api_find(SL_API_API_VERSIONS);
    struct sl_reader r;
    struct sl_arena arena;
    struct sl_api_versions_response response;
    int32_t got;
    sl_reader_init(&r, body, size);
    sl_arena_init(&arena, sl_alloc_default(), 0);
    assert_int_equal(sl_frame_decode_response_header(&r, api, 3, &got), 0);
    assert_int_equal(got, correlation);
    assert_int_equal(sl_frame_decode_response(&r, &arena, api, 3, &response), 0);
    assert_int_equal(response.error_code, 0);
    assert_true(response.api_keys.count > 0);
    sl_arena_deinit(&arena);
    return true;
}

static void exchange(int fd, int32_t correlation) {
    send_request(fd, correlation);
    assert_true(read_response(fd, correlation));
}

static void assert_ended(int fd) {
    char byte;
    assert_false(read_fully(fd, &byte, 1));
    close(fd);
}

static void assert_refused(uint16_t port) {
    assert_int_equal(try_connect(port), -1);
    assert_int_equal(errno, ECONNREFUSED);
}

/* ---- hosts ---- */

static struct sl_host_options make_options(struct sluice_runtime *runtime) {
    struct sl_host_options options = {.alloc = *sl_alloc_default(), .runtime = runtime};
    sl_broker_options_init(&options.broker);
    options.broker.nodes = NODES;
    return options;
}

static struct sl_host *start_host(struct sluice_runtime *runtime) {
    struct sl_host_options options = make_options(runtime);
    struct sl_host *host;
    assert_int_equal(sl_host_create(&options, &host), 0);
    return host;
}

static struct sluice_runtime *start_driven(void) {
    struct sluice_runtime *runtime;
    assert_int_equal(sl_runtime_create(SLUICE_RUNTIME_DRIVEN, sl_alloc_default(), &runtime), 0);
    return runtime;
}

static int remember_thread(struct sl_broker_cluster *cluster, void *arg) {
    assert_non_null(cluster);
    *(pthread_t *)arg = pthread_self();
    return SLUICE_ERR_NO_OFFSET;
}

static int do_nothing(struct sl_broker_cluster *cluster, void *arg) {
    (void)cluster;
    (void)arg;
    return 0;
}

/* ---- a thread of its own ---- */

static void test_every_node_answers(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    assert_int_equal(sl_host_check(host), 0);
    assert_int_equal(sl_host_check(NULL), SLUICE_ERR_USAGE);
    assert_true(port_of(host, 1) != port_of(host, 2) && port_of(host, 2) != port_of(host, 3) &&
                port_of(host, 1) != port_of(host, 3));
    for (int node = 1; node <= NODES; node++) {
        int fd = connect_to(host, node);
        exchange(fd, 100 + node);
        exchange(fd, 200 + node);
        close(fd);
    }
    sl_host_free(host);
    sl_host_free(NULL);
}

static void test_calls_run_on_the_loop(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    pthread_t loop = pthread_self();
    assert_int_equal(sl_host_call(host, remember_thread, &loop), SLUICE_ERR_NO_OFFSET);
    assert_false(pthread_equal(loop, pthread_self()));
    sl_host_free(host);
}

static void test_awaits_count_requests(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    int64_t seen = -1;
    assert_int_equal(sl_host_await(host, -1, 0, 0, &seen), 0);
    assert_int_equal(seen, 0);
    assert_int_equal(sl_host_await(host, SL_API_API_VERSIONS, 1, 0, &seen), SLUICE_ERR_TIMEOUT);
    int fd = connect_to(host, 2);
    send_request(fd, 1);
    send_request(fd, 2);
    assert_int_equal(sl_host_await(host, SL_API_API_VERSIONS, 2, -1, &seen), 0);
    assert_int_equal(seen, 2);
    assert_true(read_response(fd, 1) && read_response(fd, 2));
    assert_int_equal(sl_host_await(host, SL_API_API_VERSIONS, 3, 1, &seen), SLUICE_ERR_TIMEOUT);
    assert_int_equal(seen, 2);
    assert_int_equal(sl_host_await(host, SL_API_PRODUCE, 0, 0, NULL), 0);
    assert_int_equal(sl_host_await(host, SL_API_PRODUCE, 1, 0, &seen), SLUICE_ERR_TIMEOUT);
    assert_int_equal(seen, 0);
    close(fd);
    sl_host_free(host);
}

/* More answers than a socket takes at once, to a client that reads none before it has asked all. */
static void test_answers_wait_for_a_slow_reader(void **state) {
    (void)state;
    enum {
        REQUESTS = 10000
    }; /* a megabyte and a half of answers: what sockets hold, and no more */
    struct sl_host *host = start_host(NULL);
    int fd = connect_to(host, 1);
    for (int32_t i = 0; i < REQUESTS; i++) send_request(fd, i);
    assert_int_equal(sl_host_await(host, SL_API_API_VERSIONS, REQUESTS, -1, NULL), 0);
    for (int32_t i = 0; i < REQUESTS; i++) assert_true(read_response(fd, i));
    close(fd);
    sl_host_free(host);
}

static void test_many_connections(void **state) {
    (void)state;
    enum { CONNECTIONS = 300 };
    static int fds[CONNECTIONS];
    struct sl_host *host = start_host(NULL);
    for (int i = 0; i < CONNECTIONS; i++) fds[i] = connect_to(host, 1 + i % NODES);
    for (int i = 0; i < CONNECTIONS; i++) send_request(fds[i], i);
    for (int i = 0; i < CONNECTIONS; i++) assert_true(read_response(fds[i], i));
    for (int i = 0; i < CONNECTIONS; i += 2) close(fds[i]);
    for (int i = 1; i < CONNECTIONS; i += 2) exchange(fds[i], -i);
    sl_host_free(host);
    for (int i = 1; i < CONNECTIONS; i += 2) assert_ended(fds[i]);
}

static void test_down_and_up_again(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    uint16_t port = port_of(host, 2);
    int down = connect_to(host, 2);
    int other = connect_to(host, 3);
    exchange(down, 1);
    exchange(other, 2);

    assert_int_equal(sl_host_set_state(host, 0, SL_BROKER_DOWN), SLUICE_ERR_USAGE);
    assert_int_equal(sl_host_set_state(host, NODES + 1, SL_BROKER_DOWN), SLUICE_ERR_USAGE);
    assert_int_equal(sl_host_set_state(host, 2, SL_BROKER_DOWN), 0);
    assert_refused(port);
    assert_ended(down);
    exchange(other, 3);
    /* Nobody else gets the port meanwhile. */
    struct sockaddr_in address = address_of(port);
    int thief = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(thief, (struct sockaddr *)&address, sizeof address), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(thief);

    assert_int_equal(sl_host_set_state(host, 2, SL_BROKER_DOWN), 0);
    assert_int_equal(sl_host_set_state(host, 2, SL_BROKER_UP), 0);
    assert_int_equal(sl_host_set_state(host, 2, SL_BROKER_UP), 0);
    assert_int_equal(port_of(host, 2), port);
    int up = connect_to(host, 2);
    exchange(up, 4);
    exchange(other, 5);
    close(up);
    close(other);
    sl_host_free(host);
}

static void test_frozen_accepts_and_says_nothing(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    int before = connect_to(host, 1);
    exchange(before, 1);
    assert_int_equal(sl_host_set_state(host, 1, SL_BROKER_FROZEN), 0);
    int after = connect_to(host, 1);
    send_request(before, 2);
    send_request(after, 3);
    /* Two turns later what can have been read has been. */
    assert_int_equal(sl_host_call(host, do_nothing, NULL), 0);
    assert_int_equal(sl_host_call(host, do_nothing, NULL), 0);
    char byte;
    assert_int_equal(recv(before, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(recv(after, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    int other = connect_to(host, 2);
    exchange(other, 4);
    close(other);
    /* What came meanwhile is answered in the end. */
    assert_int_equal(sl_host_set_state(host, 1, SL_BROKER_UP), 0);
    assert_true(read_response(before, 2) && read_response(after, 3));
    assert_int_equal(sl_host_set_state(host, 1, SL_BROKER_FROZEN), 0);
    send_request(before, 5);
    assert_int_equal(sl_host_set_state(host, 1, SL_BROKER_DOWN), 0);
    assert_ended(before);
    assert_ended(after);
    assert_int_equal(sl_host_set_state(host, 1, SL_BROKER_FROZEN), 0);
    close(connect_to(host, 1));
    sl_host_free(host);
}

/* A connection that cannot be accepted for want of descriptors stays in the listener: the loop leaves
 * it alone for a while, and has it once there is room. */
static void test_no_descriptor_is_left(void **state) {
    (void)state;
    struct sluice_runtime *runtime = start_driven();
    struct sl_host *host = start_host(runtime);
    int fd = connect_to(host, 1); /* the highest: descriptors are given from the bottom */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit lowered = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    bool rests = false;
    /* It may be time for the next look by when we see whether the loop would sleep. */
    for (int i = 0; i < 100 && !rests; i++) {
        assert_int_equal(sl_runtime_run(runtime, 0), 0);
        struct pollfd loop = {.fd = sl_runtime_fd(runtime), .events = POLLIN};
        rests = poll(&loop, 1, 0) == 0;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(rests);
    send_request(fd, 1);
    assert_int_equal(sl_host_await(host, SL_API_API_VERSIONS, 1, PATIENCE_S * 1000, NULL), 0);
    assert_true(read_response(fd, 1));
    close(fd);
    sl_host_free(host);
    sl_runtime_release(runtime);
}

static int fault_next_request(struct sl_broker_cluster *cluster, void *arg) {
    struct sl_fault fault = {
        .kind = SL_FAULT_CUT_AFTER, .api = SL_API_API_VERSIONS, .partition = -1, .times = 1};
    int32_t id;
    (void)arg;
    return sl_broker_fault(cluster, &fault, &id);
}

static void test_a_fault_ends_one_connection(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    int cut = connect_to(host, 1);
    int other = connect_to(host, 1);
    exchange(cut, 1);
    exchange(other, 2);
    assert_int_equal(sl_host_call(host, fault_next_request, NULL), 0);
    send_request(cut, 3);
    assert_ended(cut);
    exchange(other, 4);
    close(other);
    sl_host_free(host);
}

static void test_free_ends_connections(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    uint16_t port = port_of(host, 3);
    int busy = connect_to(host, 3);
    int fresh = connect_to(host, 3);
    exchange(busy, 1);
    send_request(busy, 2);
    sl_host_free(host);
    while (read_response(busy, 2)) continue;
    close(busy);
    assert_ended(fresh);
    assert_refused(port);
}

static int count_call(struct sl_broker_cluster *cluster, void *arg) {
    (void)cluster;
    ++*(int *)arg;
    return 0;
}

struct caller {
    struct sl_host *host;
    int *counter;
    int failures;
};

static void *call_often(void *arg) {
    struct caller *caller = arg;
    for (int i = 0; i < 300; i++) {
        int64_t seen;
        caller->failures += sl_host_call(caller->host, count_call, caller->counter) != 0;
        if (i % 3 == 0) {
            caller->failures += sl_host_await(caller->host, -1, 1, 0, &seen) != SLUICE_ERR_TIMEOUT;
        }
    }
    return NULL;
}

static void test_calls_from_many_threads(void **state) {
    (void)state;
    enum { THREADS = 4 };
    struct sl_host *host = start_host(NULL);
    pthread_t threads[THREADS];
    struct caller callers[THREADS];
    int counter = 0;
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){host, &counter, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].failures, 0);
    }
    assert_int_equal(counter, THREADS * 300);
    sl_host_free(host);
}

/* ---- driven ---- */

/* Runs the loop until the socket has something to read. */
static void run_until_readable(struct sluice_runtime *runtime, int fd) {
    char byte;
    while (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) {
        assert_int_equal(sl_runtime_run(runtime, PATIENCE_S * 1000), 0);
    }
}

static void test_driven(void **state) {
    (void)state;
    struct sluice_runtime *runtime = start_driven();
    struct sl_host *host = start_host(runtime);
    pthread_t loop;
    assert_int_equal(sl_host_call(host, remember_thread, &loop), SLUICE_ERR_NO_OFFSET);
    assert_true(pthread_equal(loop, pthread_self()));

    int fd = connect_to(host, 1);
    send_request(fd, 1);
    run_until_readable(runtime, fd);
    assert_true(read_response(fd, 1));
    /* An await does the turns itself. */
    int64_t seen;
    send_request(fd, 2);
    assert_int_equal(sl_host_await(host, SL_API_API_VERSIONS, 2, -1, &seen), 0);
    assert_int_equal(seen, 2);
    run_until_readable(runtime, fd);
    assert_true(read_response(fd, 2));
    assert_int_equal(sl_host_await(host, SL_API_API_VERSIONS, 3, 1, &seen), SLUICE_ERR_TIMEOUT);

    uint16_t port = port_of(host, 1);
    assert_int_equal(sl_host_set_state(host, 1, SL_BROKER_DOWN), 0);
    assert_ended(fd);
    assert_refused(port);
    assert_int_equal(sl_host_set_state(host, 1, SL_BROKER_UP), 0);
    fd = connect_to(host, 1);
    sl_host_free(host);
    assert_ended(fd);
    assert_refused(port);
    sl_runtime_release(runtime);
}

static void test_two_hosts_on_one_runtime(void **state) {
    (void)state;
    struct sluice_runtime *runtime = start_driven();
    struct sl_host *one = start_host(runtime);
    struct sl_host *two = start_host(runtime);
    int first = connect_to(one, 1);
    int second = connect_to(two, 1);
    send_request(first, 1);
    send_request(second, 2);
    run_until_readable(runtime, first);
    run_until_readable(runtime, second);
    assert_true(read_response(first, 1) && read_response(second, 2));
    sl_host_free(one);
    assert_ended(first);
    send_request(second, 3);
    run_until_readable(runtime, second);
    assert_true(read_response(second, 3));
    /* The runtime's handle may go before its members do. */
    sl_runtime_release(runtime);
    sl_host_free(two);
    assert_ended(second);
}

/* ---- what goes wrong ---- */

static void test_wrong_options(void **state) {
    (void)state;
    struct sl_host *host;
    struct sl_host_options options = make_options(NULL);
    options.broker.nodes = 0;
    assert_int_equal(sl_host_create(&options, &host), SLUICE_ERR_USAGE);
    options.broker.nodes = 101;
    assert_int_equal(sl_host_create(&options, &host), SLUICE_ERR_USAGE);
    options.broker.nodes = 1;
    options.address = "localhost";
    assert_int_equal(sl_host_create(&options, &host), SLUICE_ERR_USAGE);
    assert_null(host);
}

static void test_a_port_that_is_taken(void **state) {
    (void)state;
    struct sl_host *first = start_host(NULL);
    struct sl_host *second;
    struct sl_host_options options = make_options(NULL);
    uint16_t ports[NODES] = {0, 0, port_of(first, 1)};
    options.ports = ports;
    assert_int_equal(sl_host_create(&options, &second), SLUICE_ERR_SYSTEM);
    assert_null(second);
    /* Once it is free the same options do. */
    sl_host_free(first);
    int rv = sl_host_create(&options, &second);
    /* Another process may have been given the port meanwhile: then a port of its own will do. */
    for (int i = 0; i < 5 && rv == SLUICE_ERR_SYSTEM; i++) {
        first = start_host(NULL);
        ports[2] = port_of(first, 1);
        sl_host_free(first);
        rv = sl_host_create(&options, &second);
    }
    assert_int_equal(rv, 0);
    assert_int_equal(port_of(second, 3), ports[2]);
    sl_host_free(second);
}

/* One life of a host, with whatever fails on the way. False: create did. */
static bool live_with(struct sluice_runtime *runtime, const struct test_memory *memory) {
    struct sl_host_options options = make_options(runtime);
    struct sl_host *host;
    options.alloc = memory->alloc;
    int rv = sl_host_create(&options, &host);
    if (rv != 0) {
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
        assert_null(host);
        return false;
    }
    int fd = connect_to(host, 1);
    send_request(fd, 7);
    run_until_readable(runtime, fd);
    bool answered = read_response(fd, 7);
    if (!answered) assert_true(memory->failures > 0);
    close(fd);
    sl_host_free(host);
    return true;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    struct sluice_runtime *runtime = start_driven();
    bool failed = true;
    for (long n = 1; failed; n++) {
        struct test_memory memory;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        bool created = live_with(runtime, &memory);
        test_memory_check(&memory);
        failed = test_memory_has_failed(&memory);
        assert_true(created || failed);
    }
    sl_runtime_release(runtime);
}

static void test_a_forked_child_lets_go(void **state) {
    (void)state;
    struct sl_host *host = start_host(NULL);
    int fd = connect_to(host, 1);
    exchange(fd, 1);
    assert_int_equal(sl_host_set_state(host, 2, SL_BROKER_DOWN), 0);
    pid_t child = fork();
    if (child == 0) {
        bool fine = sl_host_check(host) == SLUICE_ERR_FORKED &&
                    sl_host_call(host, do_nothing, NULL) == SLUICE_ERR_FORKED &&
                    sl_host_set_state(host, 1, SL_BROKER_DOWN) == SLUICE_ERR_FORKED &&
                    sl_host_await(host, -1, 0, -1, NULL) == SLUICE_ERR_FORKED;
        sl_host_free(host);
        _exit(fine ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    exchange(fd, 2);
    int another = connect_to(host, 1);
    exchange(another, 3);
    close(another);
    assert_int_equal(sl_host_set_state(host, 2, SL_BROKER_UP), 0);
    close(connect_to(host, 2));
    sl_host_free(host);
    assert_ended(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_node_answers),
        cmocka_unit_test(test_calls_run_on_the_loop),
        cmocka_unit_test(test_awaits_count_requests),
        cmocka_unit_test(test_answers_wait_for_a_slow_reader),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_no_descriptor_is_left),
        cmocka_unit_test(test_down_and_up_again),
        cmocka_unit_test(test_frozen_accepts_and_says_nothing),
        cmocka_unit_test(test_a_fault_ends_one_connection),
        cmocka_unit_test(test_free_ends_connections),
        cmocka_unit_test(test_calls_from_many_threads),
        cmocka_unit_test(test_driven),
        cmocka_unit_test(test_two_hosts_on_one_runtime),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_a_port_that_is_taken),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_a_forked_child_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
