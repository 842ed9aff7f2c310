/* Goal: what a client's connection takes until it is known whom it is with is bounded, whatever
 * certificates the peer sends; and ordinary chains are taken.
 * Method: handshakes between two filters, with OpenSSL's memory counted; certificates whose parts are
 * repeated, in sizes up to the longest that may be sent. */
#include "host/tls_ends.h"

#include "sluice/error.h"

enum { MEMORY_MOST = 128 * 1024, CHAIN_BYTES = 16 * 1024 };

static char pem[PEM_MAX];

/* ---- certificates that cost much ---- */

static void repeat_name(X509 *cert, int count) {
    X509_NAME *name = X509_get_subject_name(cert);
    for (int i = 0; i < count; i++)
        X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                   (const unsigned char *)"x", 1, -1, 0);
}

static void lengthen_name(X509 *cert, int count) {
    static unsigned char text[CHAIN_BYTES];
    memset(text, 0xe9, sizeof text); /* two bytes in UTF-8 */
    X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, V_ASN1_T61STRING, text,
                               count, -1, 0);
}

static void repeat_extension(X509 *cert, int count) {
    ASN1_OBJECT *kind = OBJ_txt2obj("1.2", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, kind, 0, value);
    for (int i = 0; i < count; i++) X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(kind);
}

/* An extension that is a sequence of equal elements. */
static void put_sequence(X509 *cert, int nid, const char *element, size_t size, int count) {
    static unsigned char bytes[4 * CHAIN_BYTES];
    size_t all = size * (size_t)count;
    assert_true(all < 0xffff);
    bytes[0] = 0x30;
    bytes[1] = 0x82;
    bytes[2] = (unsigned char)(all >> 8);
    bytes[3] = (unsigned char)all;
    for (int i = 0; i < count; i++) memcpy(bytes + 4 + size * (size_t)i, element, size);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, bytes, (int)all + 4);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, value);
    for (int at; (at = X509_get_ext_by_NID(cert, nid, -1)) >= 0;)
        X509_EXTENSION_free(X509_delete_ext(cert, at));
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
}

#define SEQUENCE(function, nid, element)                              \
    static void function(X509 *cert, int count) {                     \
        put_sequence(cert, nid, element, sizeof(element) - 1, count); \
    }
SEQUENCE(put_host_names, NID_subject_alt_name, "\x82\x01y")
SEQUENCE(put_empty_names, NID_subject_alt_name, "\xa4\x02\x30\x00")
SEQUENCE(put_directory_names, NID_subject_alt_name,
         "\xa4\x0e\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01x")
SEQUENCE(put_other_names, NID_subject_alt_name, "\xa0\x07\x06\x01\x2a\xa0\x02\x05\x00")
SEQUENCE(put_points, NID_crl_distribution_points, "\x30\x07\xa0\x05\xa0\x03\x86\x01x")
SEQUENCE(put_policies, NID_certificate_policies, "\x30\x03\x06\x01\x2a")
SEQUENCE(put_usages, NID_ext_key_usage, "\x06\x01\x2a")
SEQUENCE(put_address_families, NID_sbgp_ipAddrBlock, "\x30\x09\x04\x02\x00\x01\x30\x03\x03\x01\x00")

static void put_constraints(X509 *cert, int count) {
    static char text[4 * CHAIN_BYTES];
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%spermitted;DNS:b",
                                 i > 0 ? "," : "");
    test_add_extension(cert, cert, NID_name_constraints, text);
}

/* ---- handshakes ---- */

struct outcome {
    size_t took;
    bool is_weighed; /* and found too heavy */
    bool is_taken;
    char text[320];
};

/* A client meets a server that sends what is in pem. */
static struct outcome meet(uint32_t version) {
    struct pair p;
    struct outcome o = {0};
    struct sl_tls_settings client = client_settings(), server = server_settings();
    client.protocols = version;
    server.certificate_pem = pem;
    make_contexts(&p, &client, &server);
    size_t before = crypto_bytes[CLIENT];
    crypto_peak[CLIENT] = before;
    assert_int_equal(open_pair(&p, "b.test", 1), 0);
    o.is_taken = shake_hands(&p);
    o.took = crypto_peak[CLIENT] - before + sizeof *p.ends[CLIENT] + p.ends[CLIENT]->in_cap +
             p.ends[CLIENT]->out_cap;
    /* The server may have been the first to fail: of an alert. */
    if (!o.is_taken) {
        crypto_whose = CLIENT;
        (void)sl_tls_handshake(p.ends[CLIENT], o.text, sizeof o.text);
        crypto_whose = NOBODY;
        memcpy(o.text, p.text, sizeof o.text);
    }
    o.is_weighed = strstr(o.text, "refused unread") != NULL;
    close_pair(&p);
    free_contexts(&p);
    return o;
}

static const uint32_t versions[] = {SL_TLS_1_2, SL_TLS_1_3};
static const char *const version_names[] = {"1.2", "1.3"};

/* ---- ordinary chains ---- */

static void test_chains(void **state) {
    (void)state;
    static const struct {
        int links;
        bool is_taken;
        const char *why;
    } cases[] = {{0, true, ""},
                 {8, true, ""},
                 {36, false, "the peer's certificates are refused unread: 37 in "},
                 {120, false, "excessive message size"}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        int links = cases[i / 2].links;
        pem[0] = '\0';
        test_put_cert(pem, &w.leaf);
        for (int n = 0; n < links && strlen(pem) < PEM_MAX - 2048; n++)
            test_put_cert(pem, &w.other);
        struct outcome o = meet(versions[i % 2]);
        print_message("%d links, TLS %s: %zu bytes %s\n", links, version_names[i % 2], o.took,
                      o.text);
        assert_int_equal(o.is_taken, cases[i / 2].is_taken);
        assert_non_null(strstr(o.text, cases[i / 2].why));
        assert_in_range(o.took, 1, MEMORY_MOST);
    }
}

/* ---- hostile certificates ---- */

struct kind {
    const char *what;
    void (*fill)(X509 *cert, int count);
    int most; /* that fit into what may be sent */
};

/* The leaf with so many of them, in pem with its key in w.leaf's. */
static void make_hostile(const struct kind *kind, int count) {
    X509 *cert = X509_dup(w.leaf.cert);
    kind->fill(cert, count);
    assert_true(X509_sign(cert, w.root.key, EVP_sha256()) > 0);
    pem[0] = '\0';
    test_put_cert(pem, &(struct test_cert){cert, NULL});
    X509_free(cert);
}

static struct outcome meet_hostile(const struct kind *kind, int count, uint32_t version) {
    make_hostile(kind, count);
    struct outcome o = meet(version);
    if (o.took > MEMORY_MOST || strstr(o.text, "no shared cipher") != NULL)
        fail_msg("%d %s: %zu bytes, %s", count, kind->what, o.took, o.is_taken ? "taken" : o.text);
    return o;
}

/* The most that is read, found by halves, and all beyond, are within the bound. */
static void check_kind(const struct kind *kind, int version) {
    int read = 1, refused = kind->most;
    struct outcome all = meet_hostile(kind, refused, versions[version]);
    if (!all.is_weighed) fail_msg("%d %s: %s", refused, kind->what, all.text);
    size_t took = 0;
    while (refused - read > 1) {
        int middle = (read + refused) / 2;
        struct outcome o = meet_hostile(kind, middle, versions[version]);
        if (o.is_weighed) {
            refused = middle;
        } else {
            read = middle;
            took = o.took;
        }
    }
    print_message("TLS %s, %s: %d are read, with %zu bytes\n", version_names[version], kind->what,
                  read, took);
    assert_true(took > 0);
}

static void test_hostile_certificates(void **state) {
    (void)state;
    static const struct kind kinds[] = {
        {"parts of a name", repeat_name, 1200},
        {"bytes of a name", lengthen_name, 15000},
        {"extensions", repeat_extension, 2000},
        {"names of hosts", put_host_names, 5000},
        {"empty names", put_empty_names, 3800},
        {"directory names", put_directory_names, 900},
        {"other names", put_other_names, 1600},
        {"distribution points", put_points, 1600},
        {"policies", put_policies, 3000},
        {"usages", put_usages, 5000},
        {"address families", put_address_families, 1300},
        {"constraints", put_constraints, 2800},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        check_kind(&kinds[i], 0);
        check_kind(&kinds[i], 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_hostile_certificates),
    };
    if (test_use_counted_memory() != 1) return 1;
    return cmocka_run_group_tests(tests, make_world, unmake_world);
}
