/* Goal: SCRAM says what the RFCs say, and takes nothing but what a broker that knows the password can
 * have said; whatever else comes is refused, for its own reason.
 * Method: the exchange of RFC 7677, and the same with SHA-512; that exchange with one thing wrong in
 * it, 50 times; a man in the middle who knows all but the password; every byte of it turned; failing
 * allocations. */
#include "support.h"

#include "core/scram.h"
#include "sluice/error.h"

#define OURS "rOprNGfwEbeRWgbNEkqO"
#define NONCE OURS "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define FIRST "r=" NONCE ",s=" SALT ",i=4096"
#define FINAL_256 "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define FINAL_512 \
    "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="

struct talk {
    struct sl_scram scram;
    struct sl_scram_keys keys;
    struct sl_writer out;
    char why[200];
};

static void begin(struct talk *t, enum sl_digest_kind kind, const struct sl_alloc *alloc) {
    sl_scram_init(&t->scram, kind, OURS, alloc);
    sl_writer_init(&t->out, alloc);
    t->why[0] = '\0';
}

static void end(struct talk *t) {
    sl_scram_deinit(&t->scram);
    sl_writer_deinit(&t->out);
}

static int hear_first(struct talk *t, const char *text, size_t size) {
    struct sl_text why;
    sl_text_init(&why, t->why, sizeof t->why);
    return sl_scram_on_first(&t->scram, (struct sl_bytes){(const uint8_t *)text, (int32_t)size},
                             &why);
}

static int hear_final(struct talk *t, const char *text, size_t size) {
    struct sl_text why;
    sl_text_init(&why, t->why, sizeof t->why);
    return sl_scram_on_final(&t->scram, &t->keys,
                             (struct sl_bytes){(const uint8_t *)text, (int32_t)size}, &why);
}

/* The keys of a password, as login.c makes them. */
static int make_keys(struct talk *t, const char *password) {
    struct sl_digest_stretch stretch;
    int rv = sl_digest_stretch_init(&stretch, t->scram.kind, password, strlen(password),
                                    t->scram.salt, t->scram.salt_size, t->scram.iterations);
    if (rv == 0) rv = sl_digest_stretch_run(&stretch, UINT32_MAX);
    if (rv == 0) rv = sl_scram_make_keys(t->scram.kind, stretch.block, &t->keys);
    sl_digest_stretch_deinit(&stretch);
    return rv;
}

/* All of it up to the proof. */
static int talk_to_proof(struct talk *t) {
    int rv = sl_scram_first(&t->scram, "user", false, &t->out);
    if (rv == 0) rv = hear_first(t, FIRST, strlen(FIRST));
    if (rv == 0) rv = make_keys(t, "pencil");
    t->out.size = 0;
    return rv != 0 ? rv : sl_scram_final(&t->scram, &t->keys, &t->out);
}

static void expect_said(struct talk *t, const char *want) {
    assert_int_equal(t->out.size, strlen(want));
    assert_memory_equal(t->out.data, want, t->out.size);
    t->out.size = 0;
}

static void expect_exchange(enum sl_digest_kind kind, const char *proof, const char *final) {
    struct talk t;
    begin(&t, kind, sl_alloc_default());
    assert_int_equal(sl_scram_first(&t.scram, "user", false, &t.out), 0);
    expect_said(&t, "n,,n=user,r=" OURS);
    assert_int_equal(hear_first(&t, FIRST, strlen(FIRST)), 0);
    assert_int_equal(t.scram.iterations, 4096);
    assert_int_equal(make_keys(&t, "pencil"), 0);
    assert_int_equal(sl_scram_final(&t.scram, &t.keys, &t.out), 0);
    expect_said(&t, proof);
    assert_int_equal(hear_final(&t, final, strlen(final)), 0);
    end(&t);
}

static void the_exchange_of_rfc_7677(void **state) {
    (void)state;
    expect_exchange(SL_DIGEST_SHA256,
                    "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", FINAL_256);
    expect_exchange(SL_DIGEST_SHA512,
                    "c=biws,r=" NONCE ",p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+"
                    "xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
                    FINAL_512);
}

static void users_are_escaped_and_tokens_announced(void **state) {
    struct talk t;
    (void)state;
    begin(&t, SL_DIGEST_SHA256, sl_alloc_default());
    assert_int_equal(sl_scram_first(&t.scram, "a,b=c", true, &t.out), 0);
    expect_said(&t, "n,,n=a=2Cb=3Dc,r=" OURS ",tokenauth=true");
    end(&t);
}

/* ---- one thing wrong ---- */

static const struct {
    const char *text, *reason;
} wrong_firsts[] = {
    {"", "form r=,s=,i="},
    {"r=" NONCE, "form r=,s=,i="},
    {"r=" NONCE ",s=" SALT, "form r=,s=,i="},
    {"s=" SALT ",r=" NONCE ",i=4096", "form r=,s=,i="},
    {"r=" NONCE ",i=4096,s=" SALT, "form r=,s=,i="},
    {"r=" NONCE ",s=" SALT ",i=4096,", "form r=,s=,i="},
    {"r=" NONCE ",,s=" SALT ",i=4096", "form r=,s=,i="},
    {" r=" NONCE ",s=" SALT ",i=4096", "form r=,s=,i="},
    {"R=" NONCE ",s=" SALT ",i=4096", "form r=,s=,i="},
    {FIRST ",r=" NONCE, "form r=,s=,i="},
    {FIRST ",i=5000", "form r=,s=,i="},
    {FIRST ",x", "form r=,s=,i="},
    {FIRST ",1=x", "form r=,s=,i="},
    {FIRST ",m=x", "form r=,s=,i="},
    {"m=x," FIRST, "extension"},
    {"e=unknown-user", "the broker says unknown-user"},
    {"e=other-error", "the broker says other-error"},
    {"r=" OURS ",s=" SALT ",i=4096", "nonce"},
    {"r=rOprNGfwEbeRWgbNEkqP%hvY,s=" SALT ",i=4096", "nonce"},
    {"r=ROprNGfwEbeRWgbNEkqO%hvY,s=" SALT ",i=4096", "nonce"},
    {"r=rOprNGfwEbeRWgbNEkq,s=" SALT ",i=4096", "nonce"},
    {"r=x" NONCE ",s=" SALT ",i=4096", "nonce"},
    {"r=,s=" SALT ",i=4096", "nonce"},
    {"r=" NONCE " ,s=" SALT ",i=4096", "nonce"},
    {"r=" NONCE "\x7f,s=" SALT ",i=4096", "nonce"},
    {"r=" NONCE ",s=,i=4096", "salt is too short"},
    {"r=" NONCE ",s=W22ZaA==,i=4096", "salt is too short"},
    {"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096", "salt is no base64"},
    {"r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gR==,i=4096", "salt is no base64"},
    {"r=" NONCE ",s=W22ZaJ0SNY7 oEsUEjb6gQ==,i=4096", "salt is no base64"},
    {"r=" NONCE ",s=" SALT ",i=", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=-4096", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=+4096", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=04096", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=4096x", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=1e9", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=0x1000", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=0", "is no number"},
    {"r=" NONCE ",s=" SALT ",i=1", "fewer"},
    {"r=" NONCE ",s=" SALT ",i=4095", "fewer"},
    {"r=" NONCE ",s=" SALT ",i=1000001", "more"},
    {"r=" NONCE ",s=" SALT ",i=2147483648", "more"},
    {"r=" NONCE ",s=" SALT ",i=4294967296", "more"},
    {"r=" NONCE ",s=" SALT ",i=18446744073709555712", "more"},
};
static const struct {
    const char *text, *reason;
} wrong_finals[] = {
    {"", "form v="},
    {"v=", "signature is none"},
    {"v=AAAA", "signature is none"},
    {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4", "signature is none"},
    {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", "signature is none"},
    {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "could not prove"},
    {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G0=", "could not prove"},
    {"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "could not prove"},
    {"x=y," FINAL_256, "form v="},
    {FINAL_256 ",", "form v="},
    {FINAL_256 "," FINAL_256, "form v="},
    {"m=x," FINAL_256, "extension"},
    {"e=invalid-proof", "the broker says invalid-proof"},
    {"e=", "the broker says"},
    {FINAL_512, "signature is none"},
};

static void whatever_is_wrong_is_refused_for_that(void **state) {
    struct talk t;
    (void)state;
    for (size_t i = 0; i < sizeof wrong_firsts / sizeof *wrong_firsts; i++) {
        begin(&t, SL_DIGEST_SHA256, sl_alloc_default());
        assert_int_equal(sl_scram_first(&t.scram, "user", false, &t.out), 0);
        const char *text = wrong_firsts[i].text;
        int rv = hear_first(&t, text, strlen(text));
        if (rv != SLUICE_ERR_AUTH || strstr(t.why, wrong_firsts[i].reason) == NULL)
            fail_msg("\"%s\" gives %d, \"%s\"", text, rv, t.why);
        end(&t);
    }
    for (size_t i = 0; i < sizeof wrong_finals / sizeof *wrong_finals; i++) {
        begin(&t, SL_DIGEST_SHA256, sl_alloc_default());
        assert_int_equal(talk_to_proof(&t), 0);
        const char *text = wrong_finals[i].text;
        int rv = hear_final(&t, text, strlen(text));
        if (rv != SLUICE_ERR_AUTH || strstr(t.why, wrong_finals[i].reason) == NULL)
            fail_msg("\"%s\" gives %d, \"%s\"", text, rv, t.why);
        end(&t);
    }
}

static void what_no_text_is_is_refused(void **state) {
    static char long_text[5000];
    static const char with_nul[] = "r=" NONCE "\0,s=" SALT ",i=4096";
    struct talk t;
    struct sl_text why;
    (void)state;
    memset(long_text, 'a', sizeof long_text);
    memcpy(long_text, FIRST ",x=", strlen(FIRST) + 3);
    begin(&t, SL_DIGEST_SHA256, sl_alloc_default());
    assert_int_equal(sl_scram_first(&t.scram, "user", false, &t.out), 0);
    assert_int_equal(hear_first(&t, long_text, sizeof long_text), SLUICE_ERR_AUTH);
    assert_int_equal(hear_first(&t, with_nul, sizeof with_nul - 1), SLUICE_ERR_AUTH);
    sl_text_init(&why, t.why, sizeof t.why);
    assert_int_equal(sl_scram_on_first(&t.scram, SL_BYTES_NULL, &why), SLUICE_ERR_AUTH);
    /* One that needs not be understood may be there. */
    assert_int_equal(hear_first(&t, FIRST ",x=y,Z=", strlen(FIRST) + 7), 0);
    end(&t);
}

/* ---- a man in the middle ---- */

/* He passes all on but for one change, signs with a guess of the password, or asks for a cheaper
 * exchange: the signature is of other words then, or of another key. */
static void a_man_in_the_middle_is_found_out(void **state) {
    static const char *const changed[] = {"r=" NONCE "x,s=" SALT ",i=4096",
                                          "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gA==,i=4096",
                                          "r=" NONCE ",s=" SALT ",i=4097", FIRST ",x=y"};
    struct talk t;
    (void)state;
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        begin(&t, SL_DIGEST_SHA256, sl_alloc_default());
        assert_int_equal(sl_scram_first(&t.scram, "user", false, &t.out), 0);
        assert_int_equal(hear_first(&t, changed[i], strlen(changed[i])), 0);
        assert_int_equal(make_keys(&t, "pencil"), 0);
        t.out.size = 0;
        assert_int_equal(sl_scram_final(&t.scram, &t.keys, &t.out), 0);
        assert_int_equal(hear_final(&t, FINAL_256, strlen(FINAL_256)), SLUICE_ERR_AUTH);
        assert_non_null(strstr(t.why, "could not prove"));
        end(&t);
    }
    begin(&t, SL_DIGEST_SHA256, sl_alloc_default());
    assert_int_equal(talk_to_proof(&t), 0);
    assert_int_equal(make_keys(&t, "pencil1"), 0);
    assert_int_equal(hear_final(&t, FINAL_256, strlen(FINAL_256)), SLUICE_ERR_AUTH);
    end(&t);
}

static void every_turned_byte_is_found_out(void **state) {
    char first[sizeof FIRST], final[sizeof FINAL_256];
    (void)state;
    for (size_t i = 0; i < sizeof FIRST - 1 + sizeof FINAL_256 - 1; i++) {
        struct talk t;
        memcpy(first, FIRST, sizeof first);
        memcpy(final, FINAL_256, sizeof final);
        bool in_first = i < sizeof FIRST - 1;
        char *at = in_first ? &first[i] : &final[i - (sizeof FIRST - 1)];
        *at = (char)(*at ^ 1);
        begin(&t, SL_DIGEST_SHA256, sl_alloc_default());
        assert_int_equal(sl_scram_first(&t.scram, "user", false, &t.out), 0);
        int rv = hear_first(&t, first, strlen(first));
        if (rv == 0 && t.scram.iterations < 10000) {
            assert_int_equal(make_keys(&t, "pencil"), 0);
            t.out.size = 0;
            assert_int_equal(sl_scram_final(&t.scram, &t.keys, &t.out), 0);
            rv = hear_final(&t, final, strlen(final));
        }
        if (rv != SLUICE_ERR_AUTH && t.scram.iterations < 10000) fail_msg("byte %zu", i);
        end(&t);
    }
}

static void no_failing_allocation_is_success(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct test_memory memory;
        struct talk t;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        begin(&t, SL_DIGEST_SHA256, &memory.alloc);
        int rv = talk_to_proof(&t);
        if (rv == 0) rv = hear_final(&t, FINAL_256, strlen(FINAL_256));
        end(&t);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exchange_of_rfc_7677),
        cmocka_unit_test(users_are_escaped_and_tokens_announced),
        cmocka_unit_test(whatever_is_wrong_is_refused_for_that),
        cmocka_unit_test(what_no_text_is_is_refused),
        cmocka_unit_test(a_man_in_the_middle_is_found_out),
        cmocka_unit_test(every_turned_byte_is_found_out),
        cmocka_unit_test(no_failing_allocation_is_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
