/* Goal: the allocator seam asks its allocator for exactly what callers mean, refuses products
 * that overflow, and gives failures back as NULL without a trace.
 * Method: the counting allocator of support.h under every function; the C library's allocator
 * once, for its contract. */
#include "support.h"

#include "base/alloc.h"

static void test_sizes_reach_the_allocator(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    const struct sl_alloc *a = &memory.alloc;

    uint8_t *raw = sl_alloc_get(a, 10);
    uint8_t *zero = sl_alloc_zero(a, 20);
    uint64_t *array = sl_alloc_array(a, 4, sizeof *array);
    assert_int_equal(memory.live_blocks, 3);
    assert_int_equal(memory.live_bytes, 10 + 20 + 32);
    assert_int_equal(raw[9], TEST_MEMORY_FRESH);
    for (int i = 0; i < 20; i++) assert_int_equal(zero[i], 0);
    for (int i = 0; i < 4; i++) assert_int_equal(array[i], 0);

    sl_alloc_free(a, raw, 10);
    sl_alloc_free(a, zero, 20);
    sl_alloc_free(a, array, 4 * sizeof *array);
    sl_alloc_free(a, NULL, 0);
    sl_alloc_free(a, NULL, 100);
    test_memory_check(&memory);
    assert_int_equal(memory.calls, 3);
}

static void test_resize_keeps_the_content(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    const struct sl_alloc *a = &memory.alloc;

    uint32_t *v = sl_alloc_resize(a, NULL, 0, 2, sizeof *v);
    assert_non_null(v);
    v[0] = 7;
    v[1] = 8;
    v = sl_alloc_resize(a, v, 2, 100, sizeof *v);
    assert_int_equal(v[0], 7);
    assert_int_equal(v[1], 8);
    assert_int_equal(memory.live_bytes, 400);

    test_memory_fail_next(&memory);
    assert_null(sl_alloc_resize(a, v, 100, 200, sizeof *v));
    assert_int_equal(v[1], 8);
    assert_int_equal(memory.live_bytes, 400);

    v = sl_alloc_resize(a, v, 100, 1, sizeof *v);
    assert_int_equal(v[0], 7);
    sl_alloc_free(a, v, sizeof *v);
    test_memory_check(&memory);
}

static void test_overflow_is_refused_before_the_allocator(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    const struct sl_alloc *a = &memory.alloc;

    assert_null(sl_alloc_array(a, SIZE_MAX / 8 + 1, 8));
    assert_null(sl_alloc_array(a, 8, SIZE_MAX / 8 + 1));
    assert_null(sl_alloc_array(a, SIZE_MAX, SIZE_MAX));
    assert_null(sl_alloc_resize(a, NULL, 0, SIZE_MAX / 4 + 1, 4));
    assert_null(sl_alloc_text(a, "", SIZE_MAX));
    assert_int_equal(memory.calls, 0);

    uint8_t *old = sl_alloc_get(a, 4);
    old[3] = 9;
    assert_null(sl_alloc_resize(a, old, 1, SIZE_MAX / 4 + 1, 4));
    assert_int_equal(old[3], 9);
    sl_alloc_free(a, old, 4);
    test_memory_check(&memory);
}

static void test_text_is_copied_with_a_nul(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    char *text = sl_alloc_text(&memory.alloc, "topic-and-more", 5);
    char *empty = sl_alloc_text(&memory.alloc, NULL, 0);
    assert_string_equal(text, "topic");
    assert_string_equal(empty, "");
    assert_int_equal(memory.live_bytes, 7);
    sl_alloc_free(&memory.alloc, text, 6);
    sl_alloc_free(&memory.alloc, empty, 1);
    test_memory_check(&memory);
}

static void test_failure_is_null(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    test_memory_fail_from(&memory, 1);
    assert_null(sl_alloc_get(&memory.alloc, 1));
    assert_null(sl_alloc_zero(&memory.alloc, 1));
    assert_null(sl_alloc_array(&memory.alloc, 1, 1));
    assert_null(sl_alloc_resize(&memory.alloc, NULL, 0, 1, 1));
    assert_null(sl_alloc_text(&memory.alloc, "x", 1));
    assert_int_equal(memory.failures, 5);
    test_memory_check(&memory);
}

static void test_default_allocator(void **state) {
    (void)state;
    const struct sl_alloc *a = sl_alloc_default();
    assert_ptr_equal(a, sl_alloc_default());
    uint8_t *block = sl_alloc_zero(a, 1000);
    assert_non_null(block);
    block[999] = 1;
    block = sl_alloc_resize(a, block, 1000, 100000, 1);
    assert_non_null(block);
    assert_int_equal(block[998], 0);
    assert_int_equal(block[999], 1);
    sl_alloc_free(a, block, 100000);
    sl_alloc_free(a, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_reach_the_allocator),
        cmocka_unit_test(test_resize_keeps_the_content),
        cmocka_unit_test(test_overflow_is_refused_before_the_allocator),
        cmocka_unit_test(test_text_is_copied_with_a_nul),
        cmocka_unit_test(test_failure_is_null),
        cmocka_unit_test(test_default_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
