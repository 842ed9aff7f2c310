/* Goal: the map finds what was put under exactly that key, walks in the order of first puts also
 * after holes were squeezed out, and stays as it was when memory runs out.
 * Method: fixed cases for each rule; random operations against a plain array that is compared in
 * order after each; failing allocations at every place. */
#include "support.h"

#include "base/map.h"
#include "base/rng.h"
#include "sluice/error.h"

static int map_values[4000]; /* only their addresses matter */

static void test_put_get_replace_remove(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_map m;
    sl_map_init(&m, &memory.alloc);

    assert_null(sl_map_get(&m, "a", 1));
    assert_null(sl_map_remove(&m, "a", 1));
    assert_int_equal(sl_map_put(&m, "a", 1, &map_values[0]), 0);
    assert_int_equal(sl_map_put(&m, "ab", 2, &map_values[1]), 0);
    assert_int_equal(sl_map_put(&m, "", 0, &map_values[2]), 0);
    assert_int_equal(sl_map_put(&m, "a\0b", 3, &map_values[3]), 0);
    assert_int_equal(m.count, 4);
    assert_ptr_equal(sl_map_get(&m, "a", 1), &map_values[0]);
    assert_ptr_equal(sl_map_get(&m, "ab", 2), &map_values[1]);
    assert_ptr_equal(sl_map_get(&m, NULL, 0), &map_values[2]);
    assert_ptr_equal(sl_map_get(&m, "a\0b", 3), &map_values[3]);
    assert_null(sl_map_get(&m, "a\0c", 3));
    assert_null(sl_map_get(&m, "b", 1));

    assert_int_equal(sl_map_put(&m, "ab", 2, &map_values[9]), 0);
    assert_int_equal(m.count, 4);
    assert_ptr_equal(sl_map_get(&m, "ab", 2), &map_values[9]);
    assert_ptr_equal(sl_map_remove(&m, "ab", 2), &map_values[9]);
    assert_null(sl_map_get(&m, "ab", 2));
    assert_null(sl_map_remove(&m, "ab", 2));
    assert_int_equal(m.count, 3);
    sl_map_deinit(&m);
    assert_int_equal(m.count, 0);
    test_memory_check(&memory);
}

static void test_keys_are_copied(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_map m;
    sl_map_init(&m, &memory.alloc);
    char key[] = "orders";
    assert_int_equal(sl_map_put(&m, key, 6, &map_values[0]), 0);
    key[0] = 'x';
    assert_ptr_equal(sl_map_get(&m, "orders", 6), &map_values[0]);
    uint32_t at = 0;
    const struct sl_map_entry *entry = NULL;
    assert_ptr_equal(sl_map_next(&m, &at, &entry), &map_values[0]);
    assert_int_equal(entry->key_size, 6);
    assert_string_equal(entry->key, "orders");
    /* The entry's own key is good enough to remove it by. */
    assert_ptr_equal(sl_map_remove(&m, entry->key, entry->key_size), &map_values[0]);
    sl_map_deinit(&m);
    test_memory_check(&memory);
}

static void test_walk_is_in_order_of_first_puts(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_map m;
    sl_map_init(&m, &memory.alloc);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(sl_map_put(&m, &i, sizeof i, &map_values[i]), 0);
    /* A replaced value stays in its place. */
    int five = 5;
    assert_int_equal(sl_map_put(&m, &five, sizeof five, &map_values[5]), 0);
    uint32_t at = 0;
    for (int i = 0; i < 1000; i++) assert_ptr_equal(sl_map_next(&m, &at, NULL), &map_values[i]);
    assert_null(sl_map_next(&m, &at, NULL));
    assert_null(sl_map_next(&m, &at, NULL));

    /* Removing the entry just returned, every second one, disturbs nothing. */
    at = 0;
    const struct sl_map_entry *entry;
    for (int i = 0; i < 1000; i++) {
        assert_ptr_equal(sl_map_next(&m, &at, &entry), &map_values[i]);
        if (i % 2 == 0) assert_non_null(sl_map_remove(&m, entry->key, entry->key_size));
    }
    assert_int_equal(m.count, 500);
    /* Added again, they come last. */
    for (int i = 0; i < 1000; i += 2)
        assert_int_equal(sl_map_put(&m, &i, sizeof i, &map_values[i]), 0);
    at = 0;
    for (int i = 1; i < 1000; i += 2) assert_ptr_equal(sl_map_next(&m, &at, NULL), &map_values[i]);
    for (int i = 0; i < 1000; i += 2) assert_ptr_equal(sl_map_next(&m, &at, NULL), &map_values[i]);
    assert_null(sl_map_next(&m, &at, NULL));
    sl_map_deinit(&m);
    test_memory_check(&memory);
}

/* A table that only turns over must not grow. */
static void test_turnover_does_not_grow(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_map m;
    sl_map_init(&m, &memory.alloc);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(sl_map_put(&m, &i, sizeof i, &map_values[0]), 0);
        int old = i - 20;
        if (old >= 0) assert_non_null(sl_map_remove(&m, &old, sizeof old));
    }
    assert_int_equal(m.count, 20);
    assert_true(m.entry_cap <= 64);
    sl_map_deinit(&m);
    test_memory_check(&memory);
}

/* Keys that differ in one bit only are still spread: no probe is long. */
static void test_similar_keys_are_spread(void **state) {
    (void)state;
    struct sl_map m;
    sl_map_init(&m, sl_alloc_default());
    for (int i = 0; i < 4000; i++) {
        char key[32];
        int len = snprintf(key, sizeof key, "topic-%d", i);
        assert_int_equal(sl_map_put(&m, key, (size_t)len, &map_values[i]), 0);
    }
    uint32_t run = 0;
    uint32_t longest = 0;
    for (uint32_t i = 0; i < m.slot_cap; i++) {
        run = m.slots[i] == 0 ? 0 : run + 1;
        if (run > longest) longest = run;
    }
    assert_true(longest < 64);
    sl_map_deinit(&m);
}

static int compare_hashes(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Among so many keys some have the same 32-bit hash; they are told apart by their bytes. */
static void test_equal_hashes_are_told_apart(void **state) {
    (void)state;
    enum { COUNT = 300000 };
    static char targets[COUNT];
    static uint32_t hashes[COUNT];
    struct sl_map m;
    sl_map_init(&m, sl_alloc_default());
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(sl_map_put(&m, &i, sizeof i, &targets[i]), 0);
    assert_int_equal(m.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_ptr_equal(sl_map_get(&m, &i, sizeof i), &targets[i]);
        hashes[i] = m.entries[i].hash;
    }
    qsort(hashes, COUNT, sizeof *hashes, compare_hashes);
    int equal = 0;
    for (int i = 1; i < COUNT; i++) equal += hashes[i] == hashes[i - 1];
    assert_in_range(equal, 1, 100);
    sl_map_deinit(&m);
}

/* ---- random operations against a model ---- */

struct model_entry {
    uint8_t key[20];
    size_t key_size;
    void *value;
};
struct model {
    struct model_entry entries[300];
    size_t count;
};

static size_t find_in_model(const struct model *model, const uint8_t *key, size_t key_size) {
    size_t i = 0;
    while (i < model->count && (model->entries[i].key_size != key_size ||
                                memcmp(model->entries[i].key, key, key_size) != 0))
        i++;
    return i;
}

static void check_against_model(const struct sl_map *m, const struct model *model) {
    assert_int_equal(m->count, model->count);
    uint32_t at = 0;
    const struct sl_map_entry *entry = NULL;
    for (size_t i = 0; i < model->count; i++) {
        assert_ptr_equal(sl_map_next(m, &at, &entry), model->entries[i].value);
        assert_int_equal(entry->key_size, model->entries[i].key_size);
        assert_memory_equal(entry->key, model->entries[i].key, entry->key_size);
    }
    assert_null(sl_map_next(m, &at, NULL));
}

static void test_random_operations(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct test_memory memory;
        test_memory_init(&memory);
        struct sl_map m;
        sl_map_init(&m, &memory.alloc);
        static struct model model;
        model.count = 0;
        struct sl_rng rng;
        sl_rng_init(&rng, seed);
        for (int step = 0; step < 5000; step++) {
            /* 200 keys of all lengths to 19; phases that mostly add and mostly remove. */
            uint64_t draw = sl_rng_below(&rng, 200);
            uint8_t key[20];
            size_t key_size = (size_t)(draw % 20);
            memset(key, (int)draw, sizeof key);
            size_t i = find_in_model(&model, key, key_size);
            struct model_entry *known = i < model.count ? &model.entries[i] : NULL;
            assert_ptr_equal(sl_map_get(&m, key, key_size), known != NULL ? known->value : NULL);
            bool adding = sl_rng_below(&rng, 4) < (step / 500 % 2 == 0 ? 3 : 1);
            if (adding) {
                void *value = &map_values[step % 4000];
                assert_int_equal(sl_map_put(&m, key, key_size, value), 0);
                if (known == NULL) {
                    known = &model.entries[model.count++];
                    memcpy(known->key, key, sizeof key);
                    known->key_size = key_size;
                }
                known->value = value;
            } else if (known != NULL) {
                assert_ptr_equal(sl_map_remove(&m, key, key_size), known->value);
                model.count--;
                memmove(known, known + 1, (model.count - i) * sizeof *known);
            } else {
                assert_null(sl_map_remove(&m, key, key_size));
            }
            check_against_model(&m, &model);
        }
        sl_map_deinit(&m);
        test_memory_check(&memory);
    }
}

/* ---- memory ---- */

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    long n = 1;
    for (;; n++) {
        struct test_memory memory;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        struct sl_map m;
        sl_map_init(&m, &memory.alloc);
        static struct model model;
        model.count = 0;
        for (uint8_t i = 0; i < 60; i++) {
            int rv = sl_map_put(&m, &i, 1, &map_values[i]);
            if (rv != 0) {
                assert_int_equal(rv, SLUICE_ERR_NOMEM);
                assert_int_equal(memory.calls, n);
                check_against_model(&m, &model);
                assert_null(sl_map_get(&m, &i, 1));
                assert_int_equal(sl_map_put(&m, &i, 1, &map_values[i]), 0);
            }
            struct model_entry *added = &model.entries[model.count++];
            added->key[0] = i;
            added->key_size = 1;
            added->value = &map_values[i];
            /* Replacing needs no memory. */
            long calls = memory.calls;
            assert_int_equal(sl_map_put(&m, &i, 1, &map_values[i]), 0);
            assert_int_equal(memory.calls, calls);
        }
        check_against_model(&m, &model);
        sl_map_deinit(&m);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) break;
    }
    assert_true(n > 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_replace_remove),
        cmocka_unit_test(test_keys_are_copied),
        cmocka_unit_test(test_walk_is_in_order_of_first_puts),
        cmocka_unit_test(test_turnover_does_not_grow),
        cmocka_unit_test(test_similar_keys_are_spread),
        cmocka_unit_test(test_equal_hashes_are_told_apart),
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
