/* Goal: receive buffers are at least as large as asked for and at most a quarter larger, come back
 * warm (last in, first out), keep their bytes when they grow, and the pool stays within its limit.
 * Method: a pool over the counting allocator; sizes around every class; every allocation failed. */
#include "support.h"

#include "core/buffers.h"

static void sizes_fit_closely(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_buffers pool;
    sl_buffers_init(&pool, &memory.alloc, 0);
    for (size_t size = 1; size < (size_t)64 << 20; size += size / 7 + 1) {
        struct sl_buffer *buffer = sl_buffers_take(&pool, size);
        assert_non_null(buffer);
        assert_true(buffer->cap >= size && buffer->size == 0);
        assert_true(buffer->cap <= size + size / 4 + 1024 || buffer->cap == SL_BUFFERS_SMALLEST);
        /* Exactly the size of a class asks for that class. */
        struct sl_buffer *same = sl_buffers_take(&pool, buffer->cap);
        assert_int_equal(same->cap, buffer->cap);
        sl_buffers_give(&pool, same);
        sl_buffers_give(&pool, buffer);
    }
    assert_null(sl_buffers_take(&pool, SIZE_MAX / 2));
    assert_int_equal(pool.pooled, 0); /* the limit is 0 */
    sl_buffers_deinit(&pool);
    test_memory_check(&memory);
}

static void pool_is_last_in_first_out_and_bounded(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_buffers pool;
    sl_buffers_init(&pool, &memory.alloc, 3 * 8192);
    struct sl_buffer *buffers[4];
    for (int i = 0; i < 4; i++) buffers[i] = sl_buffers_take(&pool, 8192);
    for (int i = 0; i < 4; i++) sl_buffers_give(&pool, buffers[i]);
    assert_int_equal(pool.pooled, 3 * 8192); /* the fourth was freed */
    assert_int_equal(memory.live_blocks, 3);
    assert_ptr_equal(sl_buffers_take(&pool, 8000), buffers[2]);
    /* One a little too large is taken before a new one is made; a much larger one is not. */
    assert_ptr_equal(sl_buffers_take(&pool, 6 * 1024), buffers[1]);
    struct sl_buffer *small = sl_buffers_take(&pool, 100);
    assert_int_equal(small->cap, SL_BUFFERS_SMALLEST);
    sl_buffers_give(&pool, small);
    sl_buffers_give(&pool, buffers[1]);
    sl_buffers_give(&pool, buffers[2]);
    sl_buffers_give(&pool, NULL);
    sl_buffers_deinit(&pool);
    test_memory_check(&memory);
}

static void growing_keeps_the_bytes(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_buffers pool;
    sl_buffers_init(&pool, &memory.alloc, 1 << 20);
    struct sl_buffer *buffer = sl_buffers_take(&pool, 4096);
    memset(buffer->data, 'x', 4096);
    buffer->size = 4096;
    test_memory_fail_next(&memory);
    assert_null(sl_buffers_grow(&pool, buffer, 100000));
    assert_int_equal(buffer->size, 4096); /* as it was */
    struct sl_buffer *bigger = sl_buffers_grow(&pool, buffer, 100000);
    assert_non_null(bigger);
    assert_true(bigger->cap >= 100000);
    assert_int_equal(bigger->size, 4096);
    for (size_t i = 0; i < 4096; i++) assert_int_equal(bigger->data[i], 'x');
    test_memory_fail_next(&memory);
    assert_null(sl_buffers_take(&pool, 4096));
    sl_buffers_free(&memory.alloc, bigger);
    sl_buffers_free(&memory.alloc, NULL);
    sl_buffers_deinit(&pool);
    test_memory_check(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_fit_closely),
        cmocka_unit_test(pool_is_last_in_first_out_and_bounded),
        cmocka_unit_test(growing_keeps_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
