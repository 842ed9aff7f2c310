/* Two filters at both ends of a socket pair in one thread, and OpenSSL's memory counted by who works, or
 * made to fail, through its own hooks. Header-only; needs libssl, and cmocka's assertions. */
#ifndef SL_TEST_TLS_ENDS_H
#define SL_TEST_TLS_ENDS_H

#include "host/tls_support.h"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include "driver/net.h"
#include "driver/tls_inside.h"

/* ---- OpenSSL's memory ---- */

enum { CLIENT, SERVER, NOBODY };
static int crypto_whose = NOBODY; /* who works just now */
static size_t crypto_bytes[3], crypto_peak[3];
static long crypto_calls, crypto_fail_at;

union crypto_header {
    struct {
        size_t size;
        int whose;
    } block;
    max_align_t align;
};

static inline void *crypto_get(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    if (crypto_fail_at > 0 && ++crypto_calls >= crypto_fail_at) return NULL;
    union crypto_header *header = malloc(sizeof *header + size);
    if (header == NULL) return NULL;
    header->block.size = size;
    header->block.whose = crypto_whose;
    size_t *bytes = &crypto_bytes[crypto_whose], *peak = &crypto_peak[crypto_whose];
    *bytes += size;
    if (*bytes > *peak) *peak = *bytes;
    return header + 1;
}

static inline void crypto_give(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    if (block == NULL) return;
    union crypto_header *header = (union crypto_header *)block - 1;
    crypto_bytes[header->block.whose] -= header->block.size;
    free(header);
}

static inline void *crypto_resize(void *block, size_t size, const char *file, int line) {
    if (block == NULL) return crypto_get(size, file, line);
    if (size == 0) {
        crypto_give(block, file, line);
        return NULL;
    }
    void *more = crypto_get(size, file, line);
    if (more == NULL) return NULL;
    size_t before = ((union crypto_header *)block - 1)->block.size;
    memcpy(more, block, before < size ? before : size);
    crypto_give(block, file, line);
    return more;
}

/* ---- both ends ---- */

struct world {
    struct test_cert root, leaf, other;
    char root_pem[PEM_MAX], leaf_pem[PEM_MAX], leaf_key[PEM_MAX];
    struct test_folder folder;
    struct sl_net *net; /* whose functions move the bytes; it watches nothing */
};
static struct world w;

struct pair {
    struct test_memory memory;
    struct sl_tls *client, *server;
    struct sl_tls_conn *ends[2]; /* the client's, the server's */
    int fds[2];
    char text[320], news[320];
    int code; /* of the first failure of either */
};

static inline int make_world(void **state) {
    (void)state;
    w.root = test_make_cert(&(struct test_spec){.cn = "Root", .ca = "CA:true"}, NULL);
    w.leaf = test_make_cert(&(struct test_spec){.cn = "b", .san = "DNS:b.test"}, &w.root);
    w.other = test_make_cert(&(struct test_spec){.cn = "b", .san = "DNS:b.test"}, &w.root);
    test_put_cert(w.root_pem, &w.root);
    test_put_cert(w.leaf_pem, &w.leaf);
    test_put_key(w.leaf_key, &w.leaf, NULL);
    test_make_folder(&w.folder);
    return sl_net_create(SL_NET_BEST, 0, sl_alloc_default(), &w.net);
}

static inline int unmake_world(void **state) {
    (void)state;
    test_free_cert(&w.root);
    test_free_cert(&w.leaf);
    test_free_cert(&w.other);
    test_remove_folder(&w.folder);
    sl_net_destroy(w.net);
    return 0;
}

static inline struct sl_tls_settings client_settings(void) {
    struct sl_tls_settings s;
    sl_tls_settings_init(&s);
    s.ca_pem = w.root_pem;
    return s;
}

static inline struct sl_tls_settings server_settings(void) {
    struct sl_tls_settings s;
    sl_tls_settings_init(&s);
    s.certificate_pem = w.leaf_pem;
    s.key_pem = w.leaf_key;
    return s;
}

static inline void make_contexts(struct pair *p, const struct sl_tls_settings *client,
                                 const struct sl_tls_settings *server) {
    char buf[320];
    struct sl_text why;
    memset(p, 0, sizeof *p);
    test_memory_init(&p->memory);
    sl_text_init(&why, buf, sizeof buf);
    if (sl_tls_create(client, false, &p->memory.alloc, &why, &p->client) != 0) fail_msg("%s", buf);
    if (sl_tls_create(server, true, &p->memory.alloc, &why, &p->server) != 0) fail_msg("%s", buf);
}

static inline void make_default_contexts(struct pair *p) {
    struct sl_tls_settings client = client_settings(), server = server_settings();
    make_contexts(p, &client, &server);
}

static inline void free_contexts(struct pair *p) {
    sl_tls_destroy(p->client);
    sl_tls_destroy(p->server);
    test_memory_check(&p->memory);
}

/* 0, or what one of the two says. */
static inline int open_pair(struct pair *p, const char *host, uint16_t port) {
    struct sl_text why, news;
    assert_int_equal(sl_net_pair(p->fds), 0);
    sl_text_init(&why, p->text, sizeof p->text);
    sl_text_init(&news, p->news, sizeof p->news);
    p->ends[CLIENT] = p->ends[SERVER] = NULL;
    for (int i = 0; i < 2; i++) {
        struct sl_tls_pipe pipe = {&sl_net_table, w.net, p->fds[i]};
        crypto_whose = i;
        int rv = sl_tls_open(i == CLIENT ? p->client : p->server, &pipe, i == CLIENT ? host : NULL,
                             port, &p->memory.alloc, &news, &why, &p->ends[i]);
        crypto_whose = NOBODY;
        if (rv != 0) return rv;
    }
    return 0;
}

static inline void close_pair(struct pair *p) {
    for (int i = 0; i < 2; i++) {
        sl_tls_close(p->ends[i], true);
        close(p->fds[i]);
    }
}

/* True: both are through. False: one has failed, and text says why. */
static inline bool shake_hands(struct pair *p) {
    bool done[2] = {false, false};
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 2; i++) {
            if (done[i]) continue;
            crypto_whose = i;
            int rv = sl_tls_handshake(p->ends[i], p->text, sizeof p->text);
            crypto_whose = NOBODY;
            if (rv != 0 && rv != SL_IO_AGAIN) {
                p->code = sl_tls_code(p->ends[i]);
                return false;
            }
            done[i] = rv == 0;
        }
        if (done[0] && done[1]) return true;
    }
    fail_msg("the handshake does not end");
    return false;
}

static inline void connect_pair(struct pair *p) {
    assert_int_equal(open_pair(p, "b.test", 1), 0);
    if (!shake_hands(p)) fail_msg("%s", p->text);
}

static inline int test_use_counted_memory(void) {
    return CRYPTO_set_mem_functions(crypto_get, crypto_resize, crypto_give);
}

#endif
