/* Goal: the ring keeps the last points, the hash keeps all of them, and a failing assertion
 * prints the ring of its thread before it aborts.
 * Method: hashes of runs that differ in one field; dumps compared as text; the assertion in a
 * child process whose standard error is a pipe. */
#define _POSIX_C_SOURCE 200809L /* fork and pipe */

#include "support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/trace.h"

static uint64_t hash_after_one(enum sl_trace_point point, int64_t now, int64_t a, int64_t b) {
    struct sl_trace t;
    sl_trace_init(&t);
    sl_trace_add(&t, point, now, a, b);
    return t.hash;
}

static void test_hash_sees_every_field_and_the_order(void **state) {
    (void)state;
    uint64_t base = hash_after_one(SL_TRACE_LINK_STATE, 1, 2, 3);
    assert_true(base == hash_after_one(SL_TRACE_LINK_STATE, 1, 2, 3));
    assert_true(base != hash_after_one(SL_TRACE_LINK_ERROR, 1, 2, 3));
    assert_true(base != hash_after_one(SL_TRACE_LINK_STATE, 2, 2, 3));
    assert_true(base != hash_after_one(SL_TRACE_LINK_STATE, 1, 3, 3));
    assert_true(base != hash_after_one(SL_TRACE_LINK_STATE, 1, 2, 4));
    assert_true(base != hash_after_one(SL_TRACE_LINK_STATE, 1, 3, 2));

    struct sl_trace ab;
    struct sl_trace ba;
    sl_trace_init(&ab);
    sl_trace_init(&ba);
    assert_true(ab.hash == ba.hash);
    sl_trace_add(&ab, SL_TRACE_SIM, 0, 0, 0);
    sl_trace_add(&ab, SL_TRACE_COMMAND, 0, 0, 0);
    sl_trace_add(&ba, SL_TRACE_COMMAND, 0, 0, 0);
    sl_trace_add(&ba, SL_TRACE_SIM, 0, 0, 0);
    assert_true(ab.hash != ba.hash);
}

/* Points that left the ring long ago still count. */
static void test_hash_reaches_behind_the_ring(void **state) {
    (void)state;
    struct sl_trace a;
    struct sl_trace b;
    sl_trace_init(&a);
    sl_trace_init(&b);
    for (int i = 0; i < 10 * SL_TRACE_RING; i++) {
        sl_trace_add(&a, SL_TRACE_SIM, i, 0, i == 0 ? 1 : 0);
        sl_trace_add(&b, SL_TRACE_SIM, i, 0, 0);
    }
    assert_memory_equal(a.ring, b.ring, sizeof a.ring);
    assert_true(a.hash != b.hash);
}

static void test_dump_names_points_and_values(void **state) {
    (void)state;
    struct sl_trace t;
    sl_trace_init(&t);
    char buf[512];
    struct sl_text out;
    sl_text_init(&out, buf, sizeof buf);
    sl_trace_dump(&t, &out);
    assert_string_equal(buf, "");

    sl_trace_add(&t, SL_TRACE_LINK_STATE, 0, 7, 2);
    sl_trace_add(&t, SL_TRACE_BATCH_RETRY, 12000000345, -1, INT64_MIN);
    sl_trace_dump(&t, &out);
    assert_string_equal(buf, "0.000000000 LINK_STATE link=7 state=2\n"
                             "12.000000345 BATCH_RETRY partition=-1 code=-9223372036854775808\n");
    /* A damaged entry is printed all the same. */
    struct sl_trace_entry damaged = {1, 2, 3, 0xffffffff};
    sl_text_init(&out, buf, sizeof buf);
    sl_trace_print(&damaged, &out);
    assert_string_equal(buf, "0.000000001 NONE a=2 b=3\n");
}

static void test_dump_is_oldest_first_after_wrapping(void **state) {
    (void)state;
    static struct sl_trace t;
    static char buf[SL_TRACE_RING * 64];
    sl_trace_init(&t);
    const int total = SL_TRACE_RING + 10;
    for (int i = 0; i < total; i++) sl_trace_add(&t, SL_TRACE_SIM, 0, i, 0);
    assert_int_equal(t.count, total);
    struct sl_text out;
    sl_text_init(&out, buf, sizeof buf);
    sl_trace_dump(&t, &out);
    assert_true(out.size < sizeof buf);
    const char *line = buf;
    for (int i = 10; i < total; i++) {
        char want[64];
        int len = snprintf(want, sizeof want, "0.000000000 SIM kind=%d value=0\n", i);
        assert_memory_equal(line, want, (size_t)len);
        line += len;
    }
    assert_int_equal(*line, '\0');
}

/* Runs an assertion that fails in a child and returns what it wrote to standard error. */
static void run_failing_child(const struct sl_trace *attached, char *text, size_t cap) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        sl_trace_attach(attached);
        SL_ASSERT(1 + 1 == 2);
        SL_ASSERT(text == NULL);
        _exit(0);
    }
    (void)close(ends[1]);
    size_t size = 0;
    ssize_t got;
    while ((got = read(ends[0], text + size, cap - 1 - size)) > 0) size += (size_t)got;
    text[size] = '\0';
    (void)close(ends[0]);
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_assertion_prints_the_attached_trace(void **state) {
    (void)state;
    static char text[SL_TRACE_RING * 160];
    static struct sl_trace t;
    sl_trace_init(&t);
    for (int i = 0; i < 2 * SL_TRACE_RING; i++) sl_trace_add(&t, SL_TRACE_COMMAND, i, i, 0);

    run_failing_child(&t, text, sizeof text);
    assert_non_null(strstr(text, "broken invariant: text == NULL ("));
    assert_non_null(strstr(text, "base_trace_test.c:"));
    assert_null(strstr(text, "kind=255 "));
    const char *first = strstr(text, "COMMAND kind=256 id=0\n");
    const char *last = strstr(text, "COMMAND kind=511 id=0\n");
    assert_true(first != NULL && last != NULL && first < last);

    run_failing_child(NULL, text, sizeof text);
    assert_non_null(strstr(text, "broken invariant"));
    assert_null(strstr(text, "COMMAND"));
}

static void test_attach_and_detach(void **state) {
    (void)state;
    struct sl_trace t;
    assert_null(sl_trace_attached());
    sl_trace_attach(&t);
    assert_ptr_equal(sl_trace_attached(), &t);
    sl_trace_attach(NULL);
    assert_null(sl_trace_attached());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_sees_every_field_and_the_order),
        cmocka_unit_test(test_hash_reaches_behind_the_ring),
        cmocka_unit_test(test_dump_names_points_and_values),
        cmocka_unit_test(test_dump_is_oldest_first_after_wrapping),
        cmocka_unit_test(test_assertion_prints_the_attached_trace),
        cmocka_unit_test(test_attach_and_detach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
