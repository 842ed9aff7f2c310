/* Goal: the filter gives the same bytes at the other end however they are cut, counts a byte as sent
 * when its record has left and not before, and never sits on bytes that its socket does not show;
 * sessions are resumed, changed files read again, and neither a peer nor want of memory breaks it.
 * Method: two filters at both ends of a socket pair in one thread; OpenSSL's memory is made to fail. */
#include "host/tls_ends.h"

#include "sluice/error.h"

/* ---- bytes ---- */

static uint32_t seed = 1;
static uint32_t draw(uint32_t below) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

enum { STREAM = 6 * 1024 * 1024, PIECES = 40 };
static uint8_t stream[STREAM], arrived[STREAM];

/* Offers the stream from `sent` on, cut anew. */
static size_t cut_pieces(struct sl_iov *pieces, size_t sent, size_t most) {
    size_t count = 0, at = sent;
    size_t end = sent + most < STREAM ? sent + most : STREAM;
    while (count < PIECES && at < end) {
        size_t size = draw(4) == 0 ? draw(200) : draw(60000);
        if (size > end - at) size = end - at;
        pieces[count++] = (struct sl_iov){stream + at, size};
        at += size;
    }
    return count;
}

static void check_stream(const char *version, int socket_buffer) {
    struct pair p;
    struct sl_tls_settings client = client_settings(), server = server_settings();
    client.protocols = strcmp(version, "1.2") == 0 ? SL_TLS_1_2 : SL_TLS_1_3;
    make_contexts(&p, &client, &server);
    connect_pair(&p);
    for (int i = 0; i < 2 && socket_buffer > 0; i++)
        setsockopt(p.fds[i], SOL_SOCKET, SO_SNDBUF, &socket_buffer, sizeof socket_buffer);
    for (size_t i = 0; i < STREAM; i++) stream[i] = (uint8_t)draw(256);
    memset(arrived, 0, sizeof arrived);
    size_t sent = 0, got = 0, blocked = 0;
    for (long turn = 0; got < STREAM; turn++) {
        struct sl_iov pieces[PIECES];
        assert_true(turn < 1000000);
        if (draw(3) > 0) {
            /* Now and then nothing, or less than was taken. */
            size_t count =
                draw(5) == 0 ? 0 : cut_pieces(pieces, sent, draw(4) == 0 ? 1000 : STREAM);
            int64_t rv = sl_tls_send(p.ends[CLIENT], pieces, count, p.text, sizeof p.text);
            assert_true(rv >= 0 || rv == SL_IO_AGAIN);
            if (rv > 0) sent += (size_t)rv;
            blocked += sl_tls_is_blocked(p.ends[CLIENT]);
            /* Nothing is kept back while the socket is free. */
            if (!sl_tls_is_blocked(p.ends[CLIENT])) assert_int_equal(p.ends[CLIENT]->ahead, 0);
        }
        size_t room = 1 + draw(draw(2) == 0 ? 100 : 100000);
        if (room > STREAM - got) room = STREAM - got;
        if (draw(3) == 0 || room == 0) continue;
        int64_t rv = sl_tls_recv(p.ends[SERVER], arrived + got, room, p.text, sizeof p.text);
        assert_true(rv > 0 || rv == SL_IO_AGAIN);
        if (rv > 0) got += (size_t)rv;
        /* Who counted a record as sent must have let it leave. */
        assert_true(got <= sent + p.ends[CLIENT]->ahead);
    }
    assert_memory_equal(stream, arrived, STREAM);
    while (sent < STREAM) {
        struct sl_iov pieces[PIECES];
        size_t count = cut_pieces(pieces, sent, STREAM);
        int64_t rv = sl_tls_send(p.ends[CLIENT], pieces, count, p.text, sizeof p.text);
        assert_true(rv > 0);
        sent += (size_t)rv;
    }
    assert_true(blocked > 0); /* or nothing of interest was tried */
    close_pair(&p);
    free_contexts(&p);
}

static void test_bytes_are_the_same(void **state) {
    (void)state;
    check_stream("1.3", 0);
    check_stream("1.3", 4096);
    check_stream("1.2", 30000);
}

/* An answer can only come to what has left, and what has left is told at once. */
static void test_sent_is_told_with_the_record(void **state) {
    (void)state;
    struct pair p;
    make_default_contexts(&p);
    connect_pair(&p);
    int size = 4096;
    setsockopt(p.fds[CLIENT], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct sl_iov piece = {stream, 2 * 1024 * 1024};
    int64_t sent = sl_tls_send(p.ends[CLIENT], &piece, 1, p.text, sizeof p.text);
    assert_true(sl_tls_is_blocked(p.ends[CLIENT]));
    size_t told = sent > 0 ? (size_t)sent : 0;
    assert_true(p.ends[CLIENT]->ahead > 0);
    for (int i = 0; i < 100000 && told < 1024 * 1024; i++) {
        int64_t got = sl_tls_recv(p.ends[SERVER], arrived, 1 + draw(9000), p.text, sizeof p.text);
        assert_true(got > 0 || got == SL_IO_AGAIN);
        piece = (struct sl_iov){stream + told, 2 * 1024 * 1024 - told};
        sent = sl_tls_send(p.ends[CLIENT], &piece, 1, p.text, sizeof p.text);
        if (sent > 0) told += (size_t)sent;
    }
    assert_true(told >= 1024 * 1024);
    /* Nothing offered, though something was taken: it leaves, and is told. */
    size_t ahead = p.ends[CLIENT]->ahead;
    size_t left = 0;
    for (int i = 0; i < 100000 && left < ahead; i++) {
        (void)sl_tls_recv(p.ends[SERVER], arrived, 60000, p.text, sizeof p.text);
        sent = sl_tls_send(p.ends[CLIENT], NULL, 0, p.text, sizeof p.text);
        if (sent > 0) left += (size_t)sent;
    }
    assert_int_equal(left, ahead);
    assert_false(sl_tls_is_blocked(p.ends[CLIENT]));
    close_pair(&p);
    free_contexts(&p);
}

static void test_what_the_socket_does_not_show(void **state) {
    (void)state;
    struct pair p;
    make_default_contexts(&p);
    connect_pair(&p);
    (void)sl_tls_recv(p.ends[CLIENT], arrived, 1, p.text, sizeof p.text); /* its tickets */
    struct sl_iov piece = {stream, 50000};
    assert_int_equal(sl_tls_send(p.ends[SERVER], &piece, 1, p.text, sizeof p.text), 50000);
    assert_int_equal(sl_tls_recv(p.ends[CLIENT], arrived, 10, p.text, sizeof p.text), 10);
    assert_true(sl_tls_is_pending(p.ends[CLIENT]));
    assert_int_equal(sl_tls_recv(p.ends[CLIENT], arrived + 10, STREAM - 10, p.text, sizeof p.text),
                     50000 - 10);
    assert_false(sl_tls_is_pending(p.ends[CLIENT]));
    assert_memory_equal(stream, arrived, 50000);

    /* The end comes with the last bytes, and the socket stays open. */
    piece.size = 5;
    assert_int_equal(sl_tls_send(p.ends[SERVER], &piece, 1, p.text, sizeof p.text), 5);
    sl_tls_close(p.ends[SERVER], true);
    p.ends[SERVER] = NULL;
    assert_int_equal(sl_tls_recv(p.ends[CLIENT], arrived, 100, p.text, sizeof p.text), 5);
    assert_true(sl_tls_is_pending(p.ends[CLIENT]));
    assert_int_equal(sl_tls_recv(p.ends[CLIENT], arrived, 100, p.text, sizeof p.text),
                     SL_IO_CLOSED);
    assert_int_equal(sl_tls_code(p.ends[CLIENT]), SLUICE_ERR_UNREACHABLE);
    close_pair(&p);
    free_contexts(&p);
}

/* Whoever came again for the part of a record would come until its rest is there. */
static void test_a_part_of_a_record_is_waited_for(void **state) {
    (void)state;
    struct pair p;
    make_default_contexts(&p);
    connect_pair(&p);
    int size = 4096;
    setsockopt(p.fds[SERVER], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct sl_iov piece = {stream, 1024 * 1024};
    size_t parts = 0, told = 0;
    for (size_t got = 0; got < 1024 * 1024;) {
        piece = (struct sl_iov){stream + told, 1024 * 1024 - told};
        int64_t sent = sl_tls_send(p.ends[SERVER], &piece, 1, p.text, sizeof p.text);
        assert_true(sent >= 0 || sent == SL_IO_AGAIN);
        if (sent > 0) told += (size_t)sent;
        int64_t rv = sl_tls_recv(p.ends[CLIENT], arrived, STREAM, p.text, sizeof p.text);
        assert_true(rv > 0 || rv == SL_IO_AGAIN);
        assert_false(sl_tls_is_pending(p.ends[CLIENT]));
        if (rv > 0) got += (size_t)rv;
        parts += rv == SL_IO_AGAIN && p.ends[CLIENT]->in_size > 0;
    }
    assert_true(parts > 0);
    close_pair(&p);
    free_contexts(&p);
}

/* Without a word of TLS about it: an end like any other. */
static void test_an_end_without_notice(void **state) {
    (void)state;
    struct pair p;
    make_default_contexts(&p);
    connect_pair(&p);
    (void)sl_tls_recv(p.ends[CLIENT], arrived, 1, p.text, sizeof p.text);
    sl_tls_close(p.ends[SERVER], false);
    shutdown(p.fds[SERVER], SHUT_RDWR);
    p.ends[SERVER] = NULL;
    assert_int_equal(sl_tls_recv(p.ends[CLIENT], arrived, 100, p.text, sizeof p.text),
                     SL_IO_CLOSED);
    assert_int_equal(sl_tls_code(p.ends[CLIENT]), SLUICE_ERR_UNREACHABLE);
    close_pair(&p);
    free_contexts(&p);
}

static void test_keys_are_updated(void **state) {
    (void)state;
    struct pair p;
    struct sl_iov piece = {stream, 1000};
    make_default_contexts(&p);
    connect_pair(&p);
    for (int i = 0; i < 40; i++) {
        int end = i % 2;
        assert_int_equal(SSL_key_update(p.ends[end]->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(sl_tls_send(p.ends[end], &piece, 1, p.text, sizeof p.text), 1000);
        assert_int_equal(sl_tls_recv(p.ends[!end], arrived, 1000, p.text, sizeof p.text), 1000);
        assert_memory_equal(stream, arrived, 1000);
    }
    close_pair(&p);
    free_contexts(&p);
}

static void test_no_renegotiation(void **state) {
    (void)state;
    struct pair p;
    struct sl_tls_settings client = client_settings(), server = server_settings();
    client.protocols = SL_TLS_1_2;
    make_contexts(&p, &client, &server);
    connect_pair(&p);
    SSL_clear_options(p.ends[SERVER]->ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(p.ends[SERVER]->ssl), 1);
    (void)SSL_do_handshake(p.ends[SERVER]->ssl);
    struct sl_iov piece = {stream, 100};
    (void)sl_tls_send(p.ends[SERVER], &piece, 0, p.text, sizeof p.text);
    /* The request is declined and the connection goes on, or ends; it never begins anew. */
    int64_t got = sl_tls_recv(p.ends[CLIENT], arrived, 100, p.text, sizeof p.text);
    assert_true(got == SL_IO_AGAIN || got == SL_IO_FAILED);
    assert_int_equal(SSL_is_init_finished(p.ends[CLIENT]->ssl), 1);
    close_pair(&p);
    free_contexts(&p);
}

/* ---- names ---- */

static void check_server_name(struct pair *p, const char *host, const char *expected) {
    assert_int_equal(open_pair(p, host, 1), 0);
    if (!shake_hands(p)) fail_msg("%s", p->text);
    const char *name = SSL_get_servername(p->ends[SERVER]->ssl, TLSEXT_NAMETYPE_host_name);
    assert_string_equal(name == NULL ? "" : name, expected);
    close_pair(p);
}

/* Servers choose a certificate by the name. Addresses are none, and no name ends with a dot. */
static void test_the_name_is_sent(void **state) {
    (void)state;
    struct pair p;
    struct test_cert all = test_make_cert(
        &(struct test_spec){.cn = "b", .san = "DNS:b.test,IP:127.0.0.1,IP:::1,IP:fe80::1"},
        &w.root);
    static char pem[PEM_MAX], key[PEM_MAX];
    struct sl_tls_settings client = client_settings(), server = server_settings();
    pem[0] = key[0] = '\0';
    test_put_cert(pem, &all);
    test_put_key(key, &all, NULL);
    server.certificate_pem = pem;
    server.key_pem = key;
    make_contexts(&p, &client, &server);
    check_server_name(&p, "b.test", "b.test");
    check_server_name(&p, "b.test.", "b.test");
    check_server_name(&p, "127.0.0.1", "");
    check_server_name(&p, "::1", "");
    check_server_name(&p, "fe80::1%eth0", "");
    free_contexts(&p);
    test_free_cert(&all);
}

/* ---- sessions and files ---- */

static bool is_resumed(struct pair *p, const char *host, uint16_t port) {
    char byte;
    assert_int_equal(open_pair(p, host, port), 0);
    if (!shake_hands(p)) fail_msg("%s", p->text);
    /* Tickets of TLS 1.3 come behind the handshake. */
    assert_int_equal(sl_tls_recv(p->ends[CLIENT], &byte, 1, p->text, sizeof p->text), SL_IO_AGAIN);
    bool resumed = sl_tls_is_resumed(p->ends[CLIENT]);
    assert_int_equal(resumed, sl_tls_is_resumed(p->ends[SERVER]));
    close_pair(p);
    return resumed;
}

static void test_sessions_are_resumed(void **state) {
    (void)state;
    struct sl_tls_settings client = client_settings(), server = server_settings();
    for (int version = SL_TLS_1_2; version <= SL_TLS_1_3; version++) {
        struct pair p;
        client.protocols = (uint32_t)version;
        make_contexts(&p, &client, &server);
        assert_false(is_resumed(&p, "b.test", 1));
        assert_true(is_resumed(&p, "b.test", 1));
        assert_true(is_resumed(&p, "b.test", 1));
        assert_false(is_resumed(&p, "b.test", 2)); /* another broker's */
        assert_true(is_resumed(&p, "b.test", 2));
        free_contexts(&p);
    }
}

static void check_serial(struct pair *p, const struct test_cert *expected) {
    X509 *seen = SSL_get1_peer_certificate(p->ends[CLIENT]->ssl);
    assert_int_equal(X509_cmp(seen, expected->cert), 0);
    X509_free(seen);
}

static void write_pair(const char *cert, const char *key, const struct test_cert *c) {
    static char pem[PEM_MAX];
    pem[0] = '\0';
    test_put_cert(pem, c);
    test_write_text(cert, pem);
    pem[0] = '\0';
    test_put_key(pem, c, NULL);
    test_write_text(key, pem);
}

static void test_files_are_read_again(void **state) {
    (void)state;
    struct pair p;
    char cert[128], key[128];
    struct sl_tls_settings client = client_settings(), server;
    snprintf(cert, sizeof cert, "%s", test_file_in(&w.folder, "server.pem"));
    snprintf(key, sizeof key, "%s", test_file_in(&w.folder, "server.key"));
    write_pair(cert, key, &w.leaf);
    sl_tls_settings_init(&server);
    server.certificate_location = cert;
    server.key_location = key;
    make_contexts(&p, &client, &server);
    connect_pair(&p);
    check_serial(&p, &w.leaf);
    struct pair old = p; /* stays open */

    /* Only half of it is there yet. */
    test_write_text(cert, "-----BEGIN CERTIFICATE-----\n");
    connect_pair(&p);
    check_serial(&p, &w.leaf);
    assert_non_null(strstr(p.news, "the earlier ones stay: ssl.certificate.location"));
    close_pair(&p);
    connect_pair(&p);
    assert_string_equal(p.news, ""); /* told once */
    close_pair(&p);

    write_pair(cert, key, &w.other);
    connect_pair(&p);
    check_serial(&p, &w.other);
    assert_string_equal(p.news, "");
    close_pair(&p);

    struct sl_iov piece = {stream, 1000};
    assert_int_equal(sl_tls_send(old.ends[SERVER], &piece, 1, p.text, sizeof p.text), 1000);
    assert_int_equal(sl_tls_recv(old.ends[CLIENT], arrived, 1000, p.text, sizeof p.text), 1000);
    close_pair(&old);
    free_contexts(&p);
}

/* A client that reads its files again forgets sessions: they were verified by the old ones. */
static void test_a_reload_forgets_sessions(void **state) {
    (void)state;
    struct pair p;
    char trust[128];
    struct sl_tls_settings client, server = server_settings();
    snprintf(trust, sizeof trust, "%s", test_file_in(&w.folder, "trust.pem"));
    test_write_text(trust, w.root_pem);
    sl_tls_settings_init(&client);
    client.ca_location = trust;
    make_contexts(&p, &client, &server);
    assert_false(is_resumed(&p, "b.test", 1));
    assert_true(is_resumed(&p, "b.test", 1));
    static char twice[2 * PEM_MAX];
    snprintf(twice, sizeof twice, "%s%s", w.root_pem, w.root_pem);
    test_write_text(trust, twice);
    assert_false(is_resumed(&p, "b.test", 1));
    /* One who is not trusted any more is refused, whatever was agreed on before. */
    static char other[PEM_MAX];
    struct test_cert stranger =
        test_make_cert(&(struct test_spec){.cn = "X", .ca = "CA:true"}, NULL);
    other[0] = '\0';
    test_put_cert(other, &stranger);
    test_write_text(trust, other);
    assert_int_equal(open_pair(&p, "b.test", 1), 0);
    assert_false(shake_hands(&p));
    assert_int_equal(p.code, SLUICE_ERR_TLS);
    close_pair(&p);
    test_free_cert(&stranger);
    free_contexts(&p);
}

static void test_equal_settings_share(void **state) {
    (void)state;
    struct test_memory memory;
    struct sl_tls_shelf shelf;
    struct sl_tls *tls;
    char buf[64];
    struct sl_text why;
    struct sl_tls_settings one = client_settings(), other = client_settings();
    test_memory_init(&memory);
    sl_text_init(&why, buf, sizeof buf);
    sl_tls_shelf_init(&shelf);
    assert_null(sl_tls_shelf_take(&shelf, &one));
    assert_int_equal(sl_tls_create(&one, false, &memory.alloc, &why, &tls), 0);
    sl_tls_shelf_put(&shelf, tls);
    assert_ptr_equal(sl_tls_shelf_take(&shelf, &other), tls);
    other.verify = false;
    assert_null(sl_tls_shelf_take(&shelf, &other));
    other = client_settings();
    other.key_password = "secret";
    assert_null(sl_tls_shelf_take(&shelf, &other));
    sl_tls_shelf_give(tls);
    sl_tls_shelf_give(tls);
    assert_ptr_equal(sl_tls_shelf_take(&shelf, &one), tls); /* its sessions may be of use */
    sl_tls_shelf_give(tls);
    other.key_password = "";
    other.verify = false;
    assert_int_equal(sl_tls_create(&other, false, &memory.alloc, &why, &tls), 0);
    sl_tls_shelf_put(&shelf, tls);
    assert_null(sl_tls_shelf_take(&shelf, &one));
    sl_tls_shelf_deinit(&shelf);
    test_memory_check(&memory);
}

/* ---- without memory ---- */

/* One life: contexts, a handshake, bytes both ways. True: nothing failed. */
static bool live_once(struct pair *p) {
    struct sl_tls_settings client = client_settings(), server = server_settings();
    struct sl_iov piece = {stream, 40000};
    char buf[320];
    struct sl_text why;
    bool fine = false;
    sl_text_init(&why, buf, sizeof buf);
    p->client = p->server = NULL;
    if (sl_tls_create(&client, false, &p->memory.alloc, &why, &p->client) != 0 ||
        sl_tls_create(&server, true, &p->memory.alloc, &why, &p->server) != 0)
        goto destroy;
    if (open_pair(p, "b.test", 1) == 0 && shake_hands(p)) {
        int64_t sent = sl_tls_send(p->ends[CLIENT], &piece, 1, p->text, sizeof p->text);
        int64_t got = sl_tls_recv(p->ends[SERVER], arrived, 40000, p->text, sizeof p->text);
        fine = sent == 40000 && got == 40000;
    }
    close_pair(p);

destroy:
    sl_tls_destroy(p->client);
    sl_tls_destroy(p->server);
    return fine;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    struct pair p;
    bool failed = true;
    for (long n = 1; failed; n++) {
        test_memory_init(&p.memory);
        test_memory_fail_at(&p.memory, n);
        bool fine = live_once(&p);
        failed = test_memory_has_failed(&p.memory);
        assert_true(fine || failed);
        test_memory_check(&p.memory);
    }
}

/* All from the n-th on: the next life is like the first. OpenSSL may lose what it sets up once, but
 * nothing of ours. */
static void test_openssl_without_memory(void **state) {
    (void)state;
    struct pair p;
    test_memory_init(&p.memory);
    assert_true(live_once(&p));
    for (long n = 1; n < 6000; n += 1 + n / 25) {
        test_memory_init(&p.memory);
        crypto_calls = 0;
        crypto_fail_at = n;
        (void)live_once(&p);
        crypto_fail_at = 0;
        test_memory_check(&p.memory);
    }
    test_memory_init(&p.memory);
    assert_true(live_once(&p));
    test_memory_check(&p.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_the_same),
        cmocka_unit_test(test_sent_is_told_with_the_record),
        cmocka_unit_test(test_what_the_socket_does_not_show),
        cmocka_unit_test(test_a_part_of_a_record_is_waited_for),
        cmocka_unit_test(test_an_end_without_notice),
        cmocka_unit_test(test_keys_are_updated),
        cmocka_unit_test(test_no_renegotiation),
        cmocka_unit_test(test_the_name_is_sent),
        cmocka_unit_test(test_sessions_are_resumed),
        cmocka_unit_test(test_files_are_read_again),
        cmocka_unit_test(test_a_reload_forgets_sessions),
        cmocka_unit_test(test_equal_settings_share),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_openssl_without_memory),
    };
    if (test_use_counted_memory() != 1) return 1;
    return cmocka_run_group_tests(tests, make_world, unmake_world);
}
