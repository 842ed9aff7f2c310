/* Goal: hashes, HMAC and PBKDF2 are the published ones, in one go and in steps; base64 has exactly one
 * spelling for each content; secrets are wiped and compared whole.
 * Method: the vectors of FIPS 180, RFC 4231, RFC 7914 and RFC 4648; keys at both sides of a block;
 * PBKDF2 in steps of all sizes; every wrong character, padding and stray bit. */
#include "support.h"

#include "base/base64.h"
#include "base/digest.h"

static void expect_hex(const uint8_t *data, size_t size, const char *want) {
    char got[2 * SL_DIGEST_MAX + 1] = "";
    for (size_t i = 0; i < size; i++) snprintf(got + 2 * i, 3, "%02x", data[i]);
    assert_string_equal(got, want);
}

static void hashes_are_those_of_fips_180(void **state) {
    (void)state;
    uint8_t out[SL_DIGEST_MAX];
    assert_int_equal(sl_digest_size(SL_DIGEST_SHA256), 32);
    assert_int_equal(sl_digest_size(SL_DIGEST_SHA512), 64);
    assert_int_equal(sl_digest_hash(SL_DIGEST_SHA256, "abc", 3, out), 0);
    expect_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(sl_digest_hash(SL_DIGEST_SHA512, "abc", 3, out), 0);
    expect_hex(out, 64,
               "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void expect_hmac(enum sl_digest_kind kind, const void *key, size_t key_size,
                        const char *data, const char *want) {
    uint8_t out[SL_DIGEST_MAX];
    assert_int_equal(sl_digest_hmac(kind, key, key_size, data, strlen(data), out), 0);
    expect_hex(out, sl_digest_size(kind), want);
}

static void hmacs_are_those_of_rfc_4231(void **state) {
    static const char large[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    uint8_t key[131];
    (void)state;
    memset(key, 0x0b, 20);
    expect_hmac(SL_DIGEST_SHA256, key, 20, "Hi There",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect_hmac(SL_DIGEST_SHA512, key, 20, "Hi There",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
                "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
    memset(key, 0xaa, sizeof key);
    expect_hmac(SL_DIGEST_SHA256, key, sizeof key, large,
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    expect_hmac(SL_DIGEST_SHA512, key, sizeof key, large,
                "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
                "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598");
    expect_hmac(SL_DIGEST_SHA256, "", 0, "",
                "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void expect_stretch(enum sl_digest_kind kind, const char *password, const char *salt,
                           uint32_t iterations, uint32_t step, const char *want) {
    struct sl_digest_stretch s;
    assert_int_equal(sl_digest_stretch_init(&s, kind, password, strlen(password), salt,
                                            strlen(salt), iterations),
                     0);
    for (uint32_t before = iterations; s.left > 0; before = s.left) {
        assert_int_equal(sl_digest_stretch_run(&s, step), 0);
        assert_true(s.left < before);
    }
    expect_hex(s.block, sl_digest_size(kind), want);
    sl_digest_stretch_deinit(&s);
    uint8_t none[sizeof s.block] = {0};
    assert_memory_equal(s.block, none, sizeof none);
}

static void pbkdf2_is_that_of_rfc_7914_in_steps_of_any_size(void **state) {
    (void)state;
    expect_stretch(SL_DIGEST_SHA256, "passwd", "salt", 1, 1,
                   "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    static const uint32_t steps[] = {1, 7, 4096, UINT32_MAX};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        expect_stretch(SL_DIGEST_SHA256, "Password", "NaCl", 80000, steps[i],
                       "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
        expect_stretch(SL_DIGEST_SHA512, "password", "salt", 2, steps[i],
                       "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c"
                       "f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e");
    }
}

static void expect_base64(const char *plain, const char *text) {
    struct sl_writer out;
    uint8_t back[16];
    size_t size;
    sl_writer_init(&out, sl_alloc_default());
    sl_base64_encode(&out, plain, strlen(plain));
    assert_false(out.failed);
    assert_int_equal(out.size, strlen(text));
    assert_int_equal(out.size, sl_base64_size(strlen(plain)));
    if (out.size > 0) assert_memory_equal(out.data, text, out.size);
    assert_true(sl_base64_decode(text, strlen(text), false, back, strlen(plain), &size));
    assert_int_equal(size, strlen(plain));
    assert_memory_equal(back, plain, size);
    if (size > 0) assert_false(sl_base64_decode(text, strlen(text), false, back, size - 1, &size));
    sl_writer_deinit(&out);
}

static void base64_is_that_of_rfc_4648(void **state) {
    (void)state;
    expect_base64("", "");
    expect_base64("f", "Zg==");
    expect_base64("fo", "Zm8=");
    expect_base64("foo", "Zm9v");
    expect_base64("foob", "Zm9vYg==");
    expect_base64("fooba", "Zm9vYmE=");
    expect_base64("foobar", "Zm9vYmFy");
    uint8_t back[8];
    size_t size;
    static const uint8_t want[] = {0xfb, 0xff, 0xbf};
    assert_true(sl_base64_decode("+/+/", 4, false, back, sizeof back, &size));
    assert_memory_equal(back, want, 3);
    assert_true(sl_base64_decode("-_-_", 4, true, back, sizeof back, &size));
    assert_memory_equal(back, want, 3);
    assert_true(sl_base64_decode("Zg", 2, true, back, sizeof back, &size));
    assert_int_equal(size, 1);
}

static void anything_else_is_no_base64(void **state) {
    static const char *const wrong[] = {
        "Z",    "Zg",    "Zg=",      "Z===",  "====",   "Zm=v", "Zh==",
        "Zm9=", "Zm9v=", "Zg==Zg==", "Zm 9v", "Zm9v\n", "-_-_", "Zm9\x80"};
    static const char *const wrong_in_urls[] = {"Z", "Zh", "Zg==", "+/+/", "Zm9vZ"};
    uint8_t back[16];
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sl_base64_decode(wrong[i], strlen(wrong[i]), false, back, sizeof back, &size))
            fail_msg("\"%s\" passes", wrong[i]);
    for (size_t i = 0; i < sizeof wrong_in_urls / sizeof *wrong_in_urls; i++)
        if (sl_base64_decode(wrong_in_urls[i], strlen(wrong_in_urls[i]), true, back, sizeof back,
                             &size))
            fail_msg("\"%s\" passes in an URL", wrong_in_urls[i]);
}

static void secrets_are_compared_whole_and_wiped(void **state) {
    struct test_memory memory;
    (void)state;
    assert_true(sl_digest_equal("pencil", "pencil", 6));
    assert_false(sl_digest_equal("pencil", "pencim", 6));
    assert_false(sl_digest_equal("pencil", "qencil", 6));
    char text[] = "pencil";
    static const char none[sizeof text] = {0};
    sl_alloc_wipe(text, sizeof text);
    assert_memory_equal(text, none, sizeof text);
    sl_alloc_wipe(NULL, 0);
    test_memory_init(&memory);
    sl_alloc_free_secret(&memory.alloc, sl_alloc_text(&memory.alloc, "pencil", 6));
    sl_alloc_free_secret(&memory.alloc, NULL);
    test_memory_check(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_fips_180),
        cmocka_unit_test(hmacs_are_those_of_rfc_4231),
        cmocka_unit_test(pbkdf2_is_that_of_rfc_7914_in_steps_of_any_size),
        cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(anything_else_is_no_base64),
        cmocka_unit_test(secrets_are_compared_whole_and_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
