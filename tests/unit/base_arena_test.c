/* Goal: objects from an arena are zeroed, aligned and apart; its limit holds; a failure is sticky
 * and leaks nothing.
 * Method: takes of many sizes, filled with a pattern and checked at the end; limits and failing
 * allocations at each possible place. Sizes of blocks are not asserted: under AddressSanitizer
 * every object has its own. */
#include "support.h"

#include "base/arena.h"
#include "base/rng.h"

static void test_objects_are_zeroed_aligned_and_apart(void **state) {
    (void)state;
    enum { COUNT = 500 };
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_arena arena;
    sl_arena_init(&arena, &memory.alloc, 0);
    struct sl_rng rng;
    sl_rng_init(&rng, 1);
    uint8_t *objects[COUNT];
    size_t sizes[COUNT];

    for (int i = 0; i < COUNT; i++) {
        /* Mostly small; now and then larger than any ordinary block. */
        sizes[i] = (size_t)sl_rng_below(&rng, sl_rng_chance(&rng, 1, 50) ? 200000 : 200);
        objects[i] = sl_arena_get(&arena, sizes[i]);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(objects[i][j], 0);
        memset(objects[i], i & 0xff, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(objects[i][j], i & 0xff);
    assert_int_equal(arena.taken, memory.live_bytes);
    assert_false(arena.failed);

    sl_arena_deinit(&arena);
    assert_int_equal(arena.taken, 0);
    test_memory_check(&memory);
}

static void test_arrays_and_texts(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_arena arena;
    sl_arena_init(&arena, &memory.alloc, 0);

    uint32_t *array = sl_arena_array(&arena, 7, sizeof *array);
    for (int i = 0; i < 7; i++) assert_int_equal(array[i], 0);
    assert_string_equal(sl_arena_text(&arena, "partition", 4), "part");
    assert_string_equal(sl_arena_text(&arena, NULL, 0), "");
    void *empty = sl_arena_array(&arena, 0, 8);
    void *other = sl_arena_get(&arena, 0);
    assert_non_null(empty);
    assert_non_null(other);
    assert_ptr_not_equal(empty, other);
    assert_non_null(sl_arena_array(&arena, 8, 0));

    sl_arena_deinit(&arena);
    test_memory_check(&memory);
}

static void test_overflow_fails(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_arena arena;
    sl_arena_init(&arena, &memory.alloc, 0);

    assert_null(sl_arena_array(&arena, SIZE_MAX / 8 + 1, 8));
    assert_true(arena.failed);
    sl_arena_reset(&arena);
    assert_false(arena.failed);
    assert_null(sl_arena_get(&arena, SIZE_MAX));
    assert_true(arena.failed);
    sl_arena_reset(&arena);
    assert_null(sl_arena_get(&arena, SIZE_MAX - 8));
    sl_arena_reset(&arena);
    assert_null(sl_arena_text(&arena, "", SIZE_MAX));
    assert_true(arena.failed);
    assert_int_equal(memory.calls, 0);
    sl_arena_deinit(&arena);
}

static void test_limit_holds_and_is_used_up(void **state) {
    (void)state;
    const size_t limit = 10000;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_arena arena;
    sl_arena_init(&arena, &memory.alloc, limit);

    size_t given = 0;
    while (sl_arena_get(&arena, 500) != NULL) given += 500;
    assert_true(arena.failed);
    assert_true(memory.peak_bytes <= limit);
    /* Headers and the ends of blocks cost something, but not half of it. */
    assert_true(given >= limit / 2);
    /* Sticky: what would still fit is refused as well. */
    assert_null(sl_arena_get(&arena, 1));

    sl_arena_reset(&arena);
    assert_null(sl_arena_get(&arena, limit));
    sl_arena_reset(&arena);
    assert_non_null(sl_arena_get(&arena, limit / 2));
    sl_arena_deinit(&arena);
    test_memory_check(&memory);
}

static void test_reset_keeps_little_and_zeroes_again(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_arena arena;
    sl_arena_init(&arena, &memory.alloc, 0);

    sl_arena_reset(&arena);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            uint8_t *p = sl_arena_get(&arena, 100);
            for (int j = 0; j < 100; j++) assert_int_equal(p[j], 0);
            memset(p, 0xff, 100);
        }
        sl_arena_reset(&arena);
        assert_true(memory.live_blocks <= 1);
        assert_true(memory.live_bytes <= 64 * 1024);
        assert_int_equal(arena.taken, memory.live_bytes);
    }
    /* A frame that was one huge object leaves nothing behind. */
    sl_arena_deinit(&arena);
    assert_non_null(sl_arena_get(&arena, 1000000));
    sl_arena_reset(&arena);
    test_memory_check(&memory);
    assert_non_null(sl_arena_get(&arena, 10));
    sl_arena_deinit(&arena);
    test_memory_check(&memory);
}

/* Takes small and huge objects; the answer is whether the arena stayed whole. */
static bool fill_arena(struct sl_arena *arena) {
    bool all = true;
    for (int i = 0; i < 40; i++) {
        all &= sl_arena_get(arena, 300) != NULL;
        if (i % 8 == 0) all &= sl_arena_array(arena, 1000, 100) != NULL;
        all &= sl_arena_text(arena, "text", 4) != NULL;
    }
    assert_int_equal(all, !arena->failed);
    return all;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    long n = 1;
    for (;; n++) {
        struct test_memory memory;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        struct sl_arena arena;
        sl_arena_init(&arena, &memory.alloc, 0);
        bool whole = fill_arena(&arena);
        assert_int_equal(whole, !test_memory_has_failed(&memory));
        if (!whole) {
            /* Nothing is given out after the failure, not even what is left of a block. */
            assert_int_equal(memory.calls, n);
            sl_arena_reset(&arena);
            assert_true(fill_arena(&arena));
        }
        sl_arena_deinit(&arena);
        test_memory_check(&memory);
        if (whole) break;
    }
    assert_true(n > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_arrays_and_texts),
        cmocka_unit_test(test_overflow_fails),
        cmocka_unit_test(test_limit_holds_and_is_used_up),
        cmocka_unit_test(test_reset_keeps_little_and_zeroes_again),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
