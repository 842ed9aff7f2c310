/* Goal: what goes to a provider of tokens is encoded as RFC 6749 and Java have it, and a fetch frees and
 * wipes what it has, whoever is gone meanwhile. Method: vectors; fetches on the real host. */
#include "unit/support.h"

#include <unistd.h>

#include "driver/net.h"
#include "driver/oidc.h"
#include "driver/system.h"
#include "sluice/error.h"

static void expect_text(struct sl_writer *out, const char *want) {
    assert_false(out->failed);
    assert_int_equal(out->size, strlen(want));
    assert_memory_equal(out->data, want, out->size);
    sl_writer_deinit(out);
}

static void expect_form(const char *text, const char *want) {
    struct sl_writer out;
    sl_writer_init(&out, sl_alloc_default());
    sl_oidc_put_form(&out, text);
    if (*want != '\0') {
        expect_text(&out, want);
        return;
    }
    assert_int_equal(out.size, 0);
    sl_writer_deinit(&out);
}

static void expect_basic(const char *id, const char *secret, bool urlencode, const char *want) {
    struct sl_writer out;
    sl_writer_init(&out, sl_alloc_default());
    sl_oidc_put_basic(&out, id, secret, urlencode);
    expect_text(&out, want);
}

static void forms_are_encoded(void **state) {
    (void)state;
    expect_form("", "");
    expect_form("abcXYZ019-._*", "abcXYZ019-._*");
    expect_form("a b", "a+b");
    /* The example of RFC 6749, appendix B: U+0020, U+0025, U+0026, U+002B, U+00A3, U+20AC. */
    expect_form(" %&+\xc2\xa3\xe2\x82\xac", "+%25%26%2B%C2%A3%E2%82%AC");
    expect_form("~/?=\"\n", "%7E%2F%3F%3D%22%0A");
}

static void basic_is_as_the_rfcs_have_it(void **state) {
    (void)state;
    /* RFC 7617 and RFC 6749, 2.3.1. */
    expect_basic("Aladdin", "open sesame", false, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    expect_basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", true,
                 "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
    expect_basic("a:b", "c%d", true, "Basic YSUzQWI6YyUyNWQ=");
}

/* A fetch of a file by the host; its answer, to be given back. */
static struct sl_host_answer *fetch_file(struct sl_net *net, const char *path) {
    struct sl_settings settings = {.token = {.source = SL_TOKEN_FILE}};
    struct sl_host_errand errand = {SL_ERRAND_TOKEN, 3, 4, 0, SL_BYTES_NULL, &settings, NULL};
    struct sl_host_answer *answer;
    struct sl_ready ready[4];
    int64_t end = sl_system_now() + INT64_C(20000000000);
    settings.token.file = (char *)(uintptr_t)path;
    assert_int_equal(sl_net_table.start_errand(net, &errand), 0);
    memset(&settings, 0, sizeof settings); /* it has a copy */
    while ((answer = sl_net_table.take_answer(net)) == NULL) {
        (void)sl_net_table.wait(net, end, ready, 4);
        assert_true(sl_system_now() < end);
    }
    assert_int_equal(answer->kind, SL_ERRAND_TOKEN);
    assert_int_equal(answer->client, 3);
    assert_int_equal(answer->serial, 4);
    return answer;
}

static void files_are_read_off_the_loop(void **state) {
    char path[] = "/tmp/sluice-token-XXXXXX";
    struct sl_net *net;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a.b.c\n", 6), 6);
    assert_int_equal(sl_net_create(SL_NET_BEST, 0, sl_alloc_default(), &net), 0);
    struct sl_host_answer *answer = fetch_file(net, path);
    assert_int_equal(answer->rv, 0);
    assert_int_equal(answer->bytes.size, 6);
    assert_memory_equal(answer->bytes.data, "a.b.c\n", 6);
    sl_net_table.free_answer(net, answer);
    unlink(path);
    answer = fetch_file(net, path);
    assert_int_equal(answer->rv, SLUICE_ERR_AUTH);
    assert_string_equal(answer->text, "No such file or directory");
    sl_net_table.free_answer(net, answer);
    close(fd);
    /* No kind that nobody does. */
    struct sl_settings settings = {0};
    struct sl_host_errand errand = {SL_ERRAND_NAME, 3, 4, 0, SL_BYTES_NULL, &settings, NULL};
    assert_int_equal(sl_net_table.start_errand(net, &errand), SLUICE_ERR_UNSUPPORTED);
    sl_net_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_encoded),
        cmocka_unit_test(basic_is_as_the_rfcs_have_it),
        cmocka_unit_test(files_are_read_off_the_loop),
    };
    return cmocka_run_group_tests_name("host_oidc_form", tests, NULL, NULL);
}
