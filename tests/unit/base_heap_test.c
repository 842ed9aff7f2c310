/* Goal: the heap always shows the earliest node, whatever was armed, moved and removed before;
 * equal times come in the same order in every run; a failed growth changes nothing.
 * Method: random operations against a plain array, with the heap property and all indexes
 * checked after each; two runs of one seed compared; failing allocations at every place. */
#include "support.h"

#include "base/heap.h"
#include "base/rng.h"
#include "sluice/error.h"

static void check_heap(const struct sl_heap *h) {
    for (uint32_t i = 0; i < h->count; i++) {
        assert_int_equal(h->nodes[i]->index, i + 1);
        if (i > 0) assert_true(h->nodes[(i - 1) / 2]->at <= h->nodes[i]->at);
    }
}

static void test_sorts(void **state) {
    (void)state;
    static const int64_t times[] = {5, INT64_MAX, 3, 3, -7, 0, INT64_MIN, 9, 3};
    static const int64_t sorted[] = {INT64_MIN, -7, 0, 3, 3, 3, 5, 9, INT64_MAX};
    enum { COUNT = sizeof times / sizeof *times };
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_heap heap;
    sl_heap_init(&heap, &memory.alloc);
    struct sl_heap_node nodes[COUNT] = {{0}};

    assert_null(sl_heap_peek(&heap));
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(sl_heap_set(&heap, &nodes[i], times[i]), 0);
        check_heap(&heap);
    }
    for (int i = 0; i < COUNT; i++) {
        struct sl_heap_node *first = sl_heap_peek(&heap);
        assert_non_null(first);
        assert_true(first->at == sorted[i]);
        sl_heap_remove(&heap, first);
        assert_int_equal(first->index, SL_HEAP_IDLE);
        check_heap(&heap);
    }
    assert_null(sl_heap_peek(&heap));
    sl_heap_remove(&heap, &nodes[0]); /* idle: harmless */
    sl_heap_deinit(&heap);
    test_memory_check(&memory);
}

enum { NODE_COUNT = 60 };

/* 5000 random operations; `order` receives the sequence in which the earliest were taken. */
static size_t run_random_heap(uint64_t seed, uint16_t *order, size_t order_cap) {
    struct sl_heap heap;
    sl_heap_init(&heap, sl_alloc_default());
    struct sl_heap_node nodes[NODE_COUNT] = {{0}};
    bool armed[NODE_COUNT] = {false};
    size_t taken = 0;
    struct sl_rng rng;
    sl_rng_init(&rng, seed);

    for (int step = 0; step < 5000; step++) {
        size_t i = (size_t)sl_rng_below(&rng, NODE_COUNT);
        uint64_t what = sl_rng_below(&rng, 8);
        if (what < 5) {
            /* Few different times, so that equal ones are common. */
            assert_int_equal(sl_heap_set(&heap, &nodes[i], sl_rng_range(&rng, -10, 10)), 0);
            armed[i] = true;
        } else if (what == 5) {
            sl_heap_remove(&heap, &nodes[i]);
            armed[i] = false;
        } else if (sl_heap_peek(&heap) != NULL) {
            i = (size_t)(sl_heap_peek(&heap) - nodes);
            sl_heap_remove(&heap, &nodes[i]);
            armed[i] = false;
            if (taken < order_cap) order[taken++] = (uint16_t)i;
        }
        check_heap(&heap);
        uint32_t count = 0;
        int64_t least = INT64_MAX;
        for (size_t k = 0; k < NODE_COUNT; k++) {
            assert_int_equal(armed[k], nodes[k].index != SL_HEAP_IDLE);
            count += armed[k];
            if (armed[k] && nodes[k].at < least) least = nodes[k].at;
        }
        assert_int_equal(heap.count, count);
        if (count > 0) assert_true(sl_heap_peek(&heap)->at == least);
    }
    sl_heap_deinit(&heap);
    return taken;
}

static void test_random_operations_repeat(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint16_t first[2000];
        uint16_t second[2000];
        size_t taken = run_random_heap(seed, first, 2000);
        assert_true(taken > 500);
        assert_int_equal(run_random_heap(seed, second, 2000), taken);
        assert_memory_equal(first, second, taken * sizeof *first);
    }
}

static void test_reserve_makes_sets_safe(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_heap heap;
    sl_heap_init(&heap, &memory.alloc);
    struct sl_heap_node nodes[100] = {{0}};
    assert_int_equal(sl_heap_reserve(&heap, 0), 0);
    assert_int_equal(memory.calls, 0);
    assert_int_equal(sl_heap_reserve(&heap, 100), 0);
    test_memory_fail_from(&memory, memory.calls + 1);
    assert_int_equal(sl_heap_reserve(&heap, 50), 0);
    for (int i = 0; i < 100; i++) assert_int_equal(sl_heap_set(&heap, &nodes[i], 100 - i), 0);
    assert_ptr_equal(sl_heap_peek(&heap), &nodes[99]);
    assert_false(test_memory_has_failed(&memory));
    sl_heap_deinit(&heap);
    test_memory_check(&memory);
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    long n = 1;
    for (;; n++) {
        struct test_memory memory;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        struct sl_heap heap;
        sl_heap_init(&heap, &memory.alloc);
        struct sl_heap_node nodes[200] = {{0}};
        for (int i = 0; i < 200; i++) {
            long failures = memory.failures;
            uint32_t count = heap.count;
            int rv = sl_heap_set(&heap, &nodes[i], i % 7);
            if (rv != 0) {
                assert_int_equal(rv, SLUICE_ERR_NOMEM);
                assert_int_equal(memory.failures, failures + 1);
                assert_int_equal(nodes[i].index, SL_HEAP_IDLE);
                assert_int_equal(heap.count, count);
                check_heap(&heap);
                /* An armed node can still be moved, and the next attempt goes well. */
                if (count > 0) assert_int_equal(sl_heap_set(&heap, &nodes[0], -1), 0);
                assert_int_equal(sl_heap_set(&heap, &nodes[i], i % 7), 0);
            }
        }
        assert_int_equal(heap.count, 200);
        check_heap(&heap);
        sl_heap_deinit(&heap);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) break;
    }
    assert_true(n > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorts),
        cmocka_unit_test(test_random_operations_repeat),
        cmocka_unit_test(test_reserve_makes_sets_safe),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
