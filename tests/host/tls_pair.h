/* A certificate of a broker at 127.0.0.1, and the root that clients trust for it. Header-only. */
#ifndef SL_TEST_TLS_PAIR_H
#define SL_TEST_TLS_PAIR_H

#include "host/tls_support.h"

static struct test_cert root, leaf;
static char root_pem[PEM_MAX], leaf_pem[PEM_MAX], leaf_key[PEM_MAX];

static inline int make_certs(void **state) {
    (void)state;
    root = test_make_cert(&(struct test_spec){.cn = "Root", .ca = "CA:true"}, NULL);
    leaf = test_make_cert(&(struct test_spec){.cn = "b", .san = "IP:127.0.0.1"}, &root);
    test_put_cert(root_pem, &root);
    test_put_cert(leaf_pem, &leaf);
    test_put_key(leaf_key, &leaf, NULL);
    return 0;
}

static inline int free_certs(void **state) {
    (void)state;
    test_free_cert(&root);
    test_free_cert(&leaf);
    return 0;
}

#endif
