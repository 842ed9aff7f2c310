/* Goal: whole clients under TLS: records of any size both ways, byte for byte, whoever runs the
 * loops; little sockets, a peer that dribbles, a fork, a renewed certificate; and peers that speak
 * something else, or nothing, end in an error that says so by the deadline.
 * Method: hosted brokers, and scripted peers on sockets of the test's own. Waits are on events and
 * calls with deadlines. */
#include "host/tls_pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "driver/host.h"
#include "sluice/sluice.h"

enum { PATIENCE_MS = 30000 };

/* ---- brokers and clients ---- */

static sluice_testbroker *start_broker(sluice_runtime *runtime, const char *version) {
    sluice_testbroker *broker;
    assert_int_equal(sluice_testbroker_create(2, runtime, &broker), 0);
    assert_int_equal(sluice_testbroker_set(broker, "message.max.bytes", "16000000"), 0);
    assert_int_equal(sluice_testbroker_set(broker, "ssl.enabled.protocols", version), 0);
    assert_int_equal(sluice_testbroker_set(broker, "ssl.certificate.pem", leaf_pem), 0);
    assert_int_equal(sluice_testbroker_set(broker, "ssl.key.pem", leaf_key), 0);
    assert_int_equal(sluice_testbroker_topic(broker, "t", 2, 1), 0);
    return broker;
}

struct setting {
    const char *name, *value;
};

static sluice_client *open_client(int32_t role, const char *bootstrap, sluice_runtime *runtime,
                                  const struct setting *more) {
    sluice_config *config = sluice_config_create();
    sluice_client *client;
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "security.protocol", "SSL");
    sluice_config_set(config, "ssl.truststore.certificates", root_pem);
    sluice_config_set(config, "log.to", "none");
    for (; more != NULL && more->name != NULL; more++)
        sluice_config_set(config, more->name, more->value);
    int rv = sluice_client_open(config, role, runtime, &client);
    if (rv != 0) fail_msg("open: %d %s", rv, sluice_config_message(config));
    sluice_config_free(config);
    return client;
}

static void assign_all(sluice_client *consumer) {
    sluice_offsets *offsets = sluice_offsets_create();
    for (int32_t i = 0; i < 2; i++)
        assert_int_equal(sluice_offsets_add(offsets, "t", i, SLUICE_OFFSET_EARLIEST), 0);
    assert_int_equal(sluice_consumer_assign(consumer, offsets), 0);
    sluice_offsets_free(offsets);
}

/* ---- records both ways ---- */

enum { RECORDS = 24, LARGEST = 3000000 };
static uint8_t value[LARGEST];

/* Sizes from nothing to three MiB, and bytes that follow from the number. */
static size_t make_value(int number) {
    static const size_t sizes[] = {4, 100, 2000, 16384, 16385, 70000, 1000000, LARGEST};
    size_t size = sizes[number % 8];
    uint32_t x = (uint32_t)number * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        value[i] = (uint8_t)(x >> 24);
    }
    memcpy(value, &number, sizeof number);
    return size;
}

static void send_records(sluice_client *producer) {
    for (int i = 0; i < RECORDS; i++) {
        size_t size = make_value(i);
        assert_int_equal(
            sluice_producer_send(producer, "t", NULL, 0, (const char *)value, size, PATIENCE_MS),
            0);
    }
    assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
}

static void read_records(sluice_client *consumer) {
    bool seen[RECORDS] = {false};
    for (int got = 0; got < RECORDS;) {
        sluice_batch *batch;
        sluice_view v;
        assert_int_equal(sluice_consumer_poll(consumer, PATIENCE_MS, &batch), 0);
        assert_non_null(batch);
        for (; sluice_batch_next(batch, &v, sizeof v) == 1; got++) {
            int number;
            assert_true((size_t)v.value_size >= sizeof number);
            memcpy(&number, v.value, sizeof number);
            assert_in_range(number, 0, RECORDS - 1);
            assert_false(seen[number]);
            seen[number] = true;
            assert_int_equal(v.value_size, make_value(number));
            assert_memory_equal(v.value, value, (size_t)v.value_size);
        }
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
}

static const struct setting large[] = {{"max.request.size", "8000000"}, {NULL, NULL}};
static const struct setting large_small_sockets[] = {{"max.request.size", "8000000"},
                                                     {"send.buffer.bytes", "4096"},
                                                     {"receive.buffer.bytes", "4096"},
                                                     {NULL, NULL}};
static const struct setting from_start[] = {{"auto.offset.reset", "earliest"}, {NULL, NULL}};
static const struct setting small_sockets[] = {
    {"send.buffer.bytes", "4096"}, {"receive.buffer.bytes", "4096"}, {NULL, NULL}};

static void go_round(sluice_runtime *runtime, const char *version, bool small) {
    sluice_testbroker *broker = start_broker(runtime, version);
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    sluice_client *producer =
        open_client(SLUICE_PRODUCER, bootstrap, runtime, small ? large_small_sockets : large);
    sluice_client *consumer =
        open_client(SLUICE_CONSUMER, bootstrap, runtime, small ? small_sockets : from_start);
    assign_all(consumer);
    send_records(producer);
    read_records(consumer);
    assert_int_equal(sluice_client_close(consumer, PATIENCE_MS, NULL), 0);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    sluice_client_free(consumer);
    sluice_client_free(producer);
    sluice_testbroker_free(broker);
}

static void test_a_thread_for_each(void **state) {
    (void)state;
    go_round(NULL, "TLSv1.3", false);
    go_round(NULL, "TLSv1.2", false);
}

static void test_one_thread_for_all(void **state) {
    (void)state;
    sluice_runtime *runtime;
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_THREAD, NULL, &runtime), 0);
    go_round(runtime, "TLSv1.3", true);
    sluice_runtime_release(runtime);
}

static void test_no_thread_at_all(void **state) {
    (void)state;
    sluice_runtime *runtime;
    assert_int_equal(sluice_runtime_create(SLUICE_RUNTIME_DRIVEN, NULL, &runtime), 0);
    go_round(runtime, "TLSv1.3", false);
    sluice_runtime_release(runtime);
}

/* With acks=0 a record counts once it has left, and a close at once must not take it back. */
static void test_what_was_sent_leaves(void **state) {
    static const struct setting none[] = {{"acks", "0"},
                                          {"max.request.size", "8000000"},
                                          {"send.buffer.bytes", "4096"},
                                          {NULL, NULL}};
    (void)state;
    sluice_testbroker *broker = start_broker(NULL, "TLSv1.3");
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    sluice_client *producer = open_client(SLUICE_PRODUCER, bootstrap, NULL, none);
    sluice_client *consumer = open_client(SLUICE_CONSUMER, bootstrap, NULL, from_start);
    send_records(producer);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    sluice_client_free(producer);
    assign_all(consumer);
    read_records(consumer);
    sluice_client_free(consumer);
    sluice_testbroker_free(broker);
}

/* The child closes descriptors and says nothing on them. */
static void test_fork(void **state) {
    (void)state;
    sluice_testbroker *broker = start_broker(NULL, "TLSv1.3");
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    for (int i = 0; i < 4; i++) {
        sluice_client *producer = open_client(SLUICE_PRODUCER, bootstrap, NULL, large);
        assert_int_equal(sluice_client_ready(producer, PATIENCE_MS, NULL), 0);
        assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, 0), 0);
        assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
        pid_t child = fork();
        if (child == 0) {
            bool fine = sluice_producer_flush(producer, -1, NULL) == SLUICE_ERR_FORKED;
            sluice_client_free(producer);
            _exit(fine ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        /* The connection is alive: nothing is sent again, nothing is told. */
        sluice_event event;
        assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, 0), 0);
        assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
        assert_int_equal(sluice_client_event(producer, 0, &event, sizeof event), 0);
        assert_int_equal(event.kind, 0);
        assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
        sluice_client_free(producer);
    }
    sluice_testbroker_free(broker);
}

/* The broker's certificate is exchanged, and with it all its connections: the client goes on. */
static void test_a_certificate_is_renewed(void **state) {
    (void)state;
    static char pem[PEM_MAX], key[PEM_MAX];
    sluice_testbroker *broker = start_broker(NULL, "TLSv1.3");
    sluice_client *producer =
        open_client(SLUICE_PRODUCER, sluice_testbroker_bootstrap(broker), NULL, large);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, 0), 0);
        assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
        struct test_cert next =
            test_make_cert(&(struct test_spec){.cn = "next", .san = "IP:127.0.0.1"}, &root);
        pem[0] = key[0] = '\0';
        test_put_cert(pem, &next);
        test_put_key(key, &next, NULL);
        assert_int_equal(sluice_testbroker_set(broker, "ssl.key.pem", ""), 0);
        assert_int_equal(sluice_testbroker_set(broker, "ssl.certificate.pem", pem), 0);
        assert_int_equal(sluice_testbroker_set(broker, "ssl.key.pem", key), 0);
        test_free_cert(&next);
    }
    assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, 0), 0);
    assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
    assert_int_equal(sluice_testbroker_set(broker, "ssl.client.auth", "perhaps"),
                     SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_testbroker_set(broker, "ssl.nothing", "x"), SLUICE_ERR_CONFIG);
    sluice_client_free(producer);
    sluice_testbroker_free(broker);
}

/* ---- logging in ---- */

static void test_logging_in_under_tls(void **state) {
    (void)state;
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    sluice_testbroker *broker = start_broker(NULL, "TLSv1.3");
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    assert_int_equal(sluice_testbroker_set(broker, "sasl.user", "bob=pencil"), 0);
    assert_int_equal(sluice_testbroker_set(broker, "sasl.enabled.mechanisms",
                                           "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
                     0);
    for (int i = 0; i < 3; i++) {
        struct setting settings[] = {{"security.protocol", "SASL_SSL"},
                                     {"sasl.mechanism", mechanisms[i]},
                                     {"sasl.username", "bob"},
                                     {"sasl.password", "pencil"},
                                     {NULL, NULL}};
        sluice_client *producer = open_client(SLUICE_PRODUCER, bootstrap, NULL, settings);
        assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, 0), 0);
        assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
        assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
        sluice_client_free(producer);
    }
    sluice_testbroker_free(broker);
}

/* ---- what is told ---- */

struct told {
    pthread_mutex_t mutex;
    char text[1 << 16];
};

static void listen_to_log(void *user, int32_t level, const char *line) {
    struct told *told = user;
    (void)level;
    pthread_mutex_lock(&told->mutex);
    size_t size = strlen(told->text);
    snprintf(told->text + size, sizeof told->text - size, "%s\n", line);
    pthread_mutex_unlock(&told->mutex);
}

/* Opens with a key that is encrypted, at the most verbose level. */
static int open_told(struct told *told, const char *bootstrap, const char *key,
                     const char *password, const char *verify, sluice_client **out) {
    static char text[8192];
    sluice_config *config = sluice_config_create();
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "security.protocol", "SSL");
    sluice_config_set(config, "enable.ssl.certificate.verification", verify);
    sluice_config_set(config, "ssl.certificate.pem", leaf_pem);
    sluice_config_set(config, "ssl.key.pem", key);
    sluice_config_set(config, "ssl.key.password", password);
    sluice_config_set(config, "ssl.keystore.password", "canary-of-the-store");
    sluice_config_set(config, "log.level", "debug");
    sluice_config_log(config, listen_to_log, told);
    int rv = sluice_client_open(config, SLUICE_PRODUCER, NULL, out);
    listen_to_log(told, 0, sluice_config_message(config));
    (void)sluice_config_text(config, SLUICE_PRODUCER, text, sizeof text);
    assert_non_null(strstr(text, "ssl.key.password=****"));
    listen_to_log(told, 0, text);
    sluice_config_free(config);
    return rv;
}

static void test_secrets_are_not_told(void **state) {
    static struct told told = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    static char key[PEM_MAX], dump[1 << 16];
    char piece[33];
    (void)state;
    sluice_client *client;
    sluice_testbroker *broker = start_broker(NULL, "TLSv1.3");
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    key[0] = '\0';
    test_put_key(key, &leaf, "canary-of-the-key");
    assert_int_equal(open_told(&told, bootstrap, key, "canary-that-is-wrong", "true", &client),
                     SLUICE_ERR_CONFIG);
    assert_int_equal(open_told(&told, bootstrap, key, "canary-of-the-key", "false", &client), 0);
    assert_int_equal(sluice_client_ready(client, PATIENCE_MS, NULL), 0);
    assert_true(sluice_client_dump(client, dump, sizeof dump, PATIENCE_MS) > 0);
    assert_int_equal(sluice_client_close(client, PATIENCE_MS, NULL), 0);
    sluice_client_free(client);
    /* Also not the key itself, of which this is the middle. */
    snprintf(piece, sizeof piece, "%.32s", key + strlen(key) / 2);
    assert_null(strstr(told.text, "canary"));
    assert_null(strstr(dump, "canary"));
    assert_null(strstr(told.text, piece));
    assert_null(strstr(dump, piece));
    /* But that nothing is verified, once. */
    const char *warning = strstr(told.text, "any certificate will do, and whoever");
    assert_non_null(warning);
    assert_null(strstr(warning + 1, "any certificate will do, and whoever"));
    sluice_testbroker_free(broker);
}

/* ---- scripted peers ---- */

enum script {
    SILENT, /* accepts, and that is all */
    HTTP,   /* answers in words */
    GARBAGE,
    HUGE,    /* a record that is longer than any */
    CUT,     /* ends in the middle of its first message */
    ENDLESS, /* a message that never ends, a byte at a time */
    ALERT    /* refuses */
};
struct peer {
    enum script script;
    int listener;
    int stop[2]; /* a pipe: closed at the end */
    uint16_t port;
    pthread_t thread;
};

/* Until the peer closes, the test ends it, or so many milliseconds have passed. False: the end. */
static bool stay(const struct peer *peer, int fd, int timeout_ms) {
    struct pollfd watched[2] = {{.fd = peer->stop[0], .events = POLLIN},
                                {.fd = fd, .events = POLLIN}};
    char bytes[4096];
    if (poll(watched, 2, timeout_ms) <= 0) return true;
    if (watched[0].revents != 0) return false;
    return recv(fd, bytes, sizeof bytes, 0) > 0;
}

static void say(int fd, const void *data, size_t size) {
    ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
    (void)sent; /* a client that has hung up is fine */
}

static void play(const struct peer *peer, int fd) {
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n";
    static const char noise[] = "\x16\x03\x03\x00\x10 this is not a message of TLS at all";
    static const char huge[] = "\x16\x03\x03\xff\xff";
    static const char half[] = "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03 and no more";
    static const char begun[] = "\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb";
    static const char alert[] = "\x15\x03\x03\x00\x02\x02\x50"; /* internal_error */
    if (!stay(peer, fd, -1)) return;                            /* the ClientHello */
    if (peer->script == HTTP) say(fd, http, sizeof http - 1);
    if (peer->script == GARBAGE) say(fd, noise, sizeof noise - 1);
    if (peer->script == HUGE) say(fd, huge, sizeof huge - 1);
    if (peer->script == ALERT) say(fd, alert, sizeof alert - 1);
    if (peer->script == CUT) {
        say(fd, half, sizeof half - 1);
        return;
    }
    if (peer->script == ENDLESS) say(fd, begun, sizeof begun - 1);
    while (stay(peer, fd, 5)) {
        if (peer->script == ENDLESS) say(fd, "x", 1);
    }
}

static void *run_peer(void *arg) {
    struct peer *peer = arg;
    struct pollfd watched[2] = {{.fd = peer->stop[0], .events = POLLIN},
                                {.fd = peer->listener, .events = POLLIN}};
    while (poll(watched, 2, -1) > 0 && watched[0].revents == 0) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0) continue;
        play(peer, fd);
        close(fd);
    }
    return NULL;
}

static int listen_somewhere(uint16_t *port) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void start_peer(struct peer *peer, enum script script, void *(*run)(void *)) {
    peer->script = script;
    peer->listener = listen_somewhere(&peer->port);
    assert_int_equal(pipe(peer->stop), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, run, peer), 0);
}

static void stop_peer(struct peer *peer) {
    close(peer->stop[1]);
    pthread_join(peer->thread, NULL);
    close(peer->stop[0]);
    close(peer->listener);
}

static void check_peer(enum script script, int code, const char *why) {
    static const struct setting quick[] = {{"socket.connection.setup.timeout.ms", "300"},
                                           {"socket.connection.setup.timeout.max.ms", "300"},
                                           {NULL, NULL}};
    struct peer peer;
    char bootstrap[32], text[512];
    sluice_event event;
    sluice_op *op;
    start_peer(&peer, script, run_peer);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", peer.port);
    sluice_client *client = open_client(SLUICE_PRODUCER, bootstrap, NULL, quick);
    assert_int_equal(sluice_client_ready(client, PATIENCE_MS, &op), 0);
    do {
        assert_int_equal(sluice_client_event(client, PATIENCE_MS, &event, sizeof event), 0);
        if (event.kind == 0) fail_msg("%d: no event", script);
    } while (event.kind != SLUICE_EVENT_BROKER);
    if (event.code != code || strstr(event.text, why) == NULL)
        fail_msg("%d: %d %s", script, event.code, event.text);
    (void)sluice_client_explain(client, code, text, sizeof text);
    assert_non_null(strstr(text, why));
    sluice_op_free(op);
    sluice_client_free(client);
    stop_peer(&peer);
}

static void test_peers_that_speak_no_tls(void **state) {
    (void)state;
    check_peer(HTTP, SLUICE_ERR_TLS, "the peer does not speak TLS: it sent \"HTTP/1.1 400\"");
    check_peer(GARBAGE, SLUICE_ERR_TLS, "the TLS handshake failed");
    check_peer(HUGE, SLUICE_ERR_TLS, "the TLS handshake failed");
    check_peer(ALERT, SLUICE_ERR_TLS, "the peer ended TLS (alert 80, internal error)");
    check_peer(CUT, SLUICE_ERR_TLS, "the peer closed the connection during the TLS handshake");
    check_peer(SILENT, SLUICE_ERR_UNREACHABLE, "TLS not agreed on, in time");
    check_peer(ENDLESS, SLUICE_ERR_UNREACHABLE, "TLS not agreed on, in time");
}

/* The other way round. */
static void test_plain_text_to_tls(void **state) {
    static const struct setting plain[] = {{"security.protocol", "PLAINTEXT"}, {NULL, NULL}};
    (void)state;
    sluice_testbroker *broker = start_broker(NULL, "TLSv1.3");
    sluice_client *client =
        open_client(SLUICE_PRODUCER, sluice_testbroker_bootstrap(broker), NULL, plain);
    sluice_event event;
    sluice_op *op;
    assert_int_equal(sluice_client_ready(client, PATIENCE_MS, &op), 0);
    do {
        assert_int_equal(sluice_client_event(client, PATIENCE_MS, &event, sizeof event), 0);
    } while (event.kind != SLUICE_EVENT_BROKER);
    if (strstr(event.text, "security.protocol") == NULL) fail_msg("%s", event.text);
    sluice_op_free(op);
    sluice_client_free(client);
    sluice_testbroker_free(broker);
}

/* ---- a line that gives a byte at a time ---- */

struct dribble {
    struct peer peer; /* first: run_dribble gets it */
    uint16_t to;
};

static int connect_to(uint16_t port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static bool pass_bytes(int from, int to, bool singly) {
    char bytes[4096];
    ssize_t got = recv(from, bytes, sizeof bytes, 0);
    for (ssize_t i = 0; i < got; i += singly ? 1 : got)
        say(to, bytes + i, singly ? 1 : (size_t)got);
    return got > 0;
}

static void *run_dribble(void *arg) {
    struct dribble *d = arg;
    struct pollfd watched[40] = {{.fd = d->peer.stop[0], .events = POLLIN},
                                 {.fd = d->peer.listener, .events = POLLIN}};
    nfds_t count = 2; /* then pairs: the client's, the broker's */
    while (poll(watched, count, -1) > 0 && watched[0].revents == 0) {
        for (nfds_t i = 2; i < count; i++) {
            if (watched[i].revents == 0 || watched[i].fd < 0) continue;
            nfds_t other = i % 2 == 0 ? i + 1 : i - 1;
            if (pass_bytes(watched[i].fd, watched[other].fd, i % 2 == 1)) continue;
            close(watched[i].fd);
            close(watched[other].fd);
            watched[i].fd = watched[other].fd = -1;
        }
        if (watched[1].revents == 0 || count == 40) continue;
        int one = 1, fd = accept(d->peer.listener, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watched[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        watched[count++] = (struct pollfd){.fd = connect_to(d->to), .events = POLLIN};
    }
    for (nfds_t i = 2; i < count; i++)
        if (watched[i].fd >= 0) close(watched[i].fd);
    return NULL;
}

static int advertise_port(struct sl_broker_cluster *cluster, void *arg) {
    const uint16_t *port = arg;
    return sl_broker_advertise(cluster, 1, "127.0.0.1", *port);
}

static void test_a_byte_at_a_time(void **state) {
    (void)state;
    struct dribble d;
    char bootstrap[32], buf[64];
    struct sl_host *host;
    struct sl_text why;
    struct sl_host_options options = {.alloc = *sl_alloc_default()};
    sl_broker_options_init(&options.broker);
    options.broker.nodes = 1;
    assert_int_equal(sl_host_create(&options, &host), 0);
    d.to = (uint16_t)strtol(strrchr(sl_host_bootstrap(host), ':') + 1, NULL, 10);
    start_peer(&d.peer, SILENT, run_dribble);
    assert_int_equal(sl_host_call(host, advertise_port, &d.peer.port), 0);
    sl_text_init(&why, buf, sizeof buf);
    assert_int_equal(sl_host_set_tls(host, "ssl.certificate.pem", leaf_pem, &why), 0);
    assert_int_equal(sl_host_set_tls(host, "ssl.key.pem", leaf_key, &why), 0);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", d.peer.port);
    sluice_client *producer = open_client(SLUICE_PRODUCER, bootstrap, NULL, NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(sluice_producer_send(producer, "t", NULL, 0, "v", 1, 0), 0);
    assert_int_equal(sluice_producer_flush(producer, PATIENCE_MS, NULL), 0);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    sluice_client_free(producer);
    stop_peer(&d.peer);
    sl_host_free(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_for_each),
        cmocka_unit_test(test_one_thread_for_all),
        cmocka_unit_test(test_no_thread_at_all),
        cmocka_unit_test(test_what_was_sent_leaves),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_a_certificate_is_renewed),
        cmocka_unit_test(test_logging_in_under_tls),
        cmocka_unit_test(test_secrets_are_not_told),
        cmocka_unit_test(test_peers_that_speak_no_tls),
        cmocka_unit_test(test_plain_text_to_tls),
        cmocka_unit_test(test_a_byte_at_a_time),
    };
    return cmocka_run_group_tests(tests, make_certs, free_certs);
}
