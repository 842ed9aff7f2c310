/* Goal: offset lists hold one entry per topic and partition, own their texts, and a failed add
 * spoils the whole list. Method: direct calls; a copy under every failing allocation. */
#include "support.h"

#include "core/offset_list.h"
#include "sluice/error.h"

static void put_finds_what_is_there(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(&memory.alloc, &list), 0);
    for (int32_t i = 0; i < 100; i++) {
        struct sl_offset_entry *entry = sl_offset_list_put(list, i % 2 == 0 ? "a" : "b", i / 2);
        assert_non_null(entry);
        assert_int_equal(entry->leader_epoch, -1);
        assert_int_equal(entry->committed, -1);
        entry->offset = i;
    }
    assert_int_equal(list->count, 100);
    assert_int_equal(sl_offset_list_put(list, "b", 3)->offset, 7);
    assert_int_equal(list->count, 100);
    assert_int_equal(sl_offset_list_find(list, "a", 49)->offset, 98);
    assert_null(sl_offset_list_find(list, "a", 50));
    assert_null(sl_offset_list_find(list, "c", 0));
    sl_offset_list_destroy(list);
    sl_offset_list_destroy(NULL);
    test_memory_check(&memory);
}

static void a_failed_add_is_remembered(void **state) {
    (void)state;
    struct test_memory memory;
    test_memory_init(&memory);
    struct sl_offsets *list, *copy;
    assert_int_equal(sl_offset_list_create(&memory.alloc, &list), 0);
    test_memory_fail_next(&memory);
    assert_null(sl_offset_list_put(list, "a", 0));
    assert_non_null(sl_offset_list_put(list, "a", 1));
    assert_int_equal(list->failed, SLUICE_ERR_NOMEM);
    assert_int_equal(sl_offset_list_copy(list, &memory.alloc, &copy), SLUICE_ERR_NOMEM);
    sl_offset_list_destroy(list);
    test_memory_check(&memory);
}

static void a_copy_is_whole_or_not_at_all(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct test_memory memory, other;
        test_memory_init(&memory);
        test_memory_init(&other);
        struct sl_offsets *list, *copy = NULL;
        assert_int_equal(sl_offset_list_create(&memory.alloc, &list), 0);
        for (int32_t i = 0; i < 9; i++) sl_offset_list_put(list, "topic", i)->offset = i * 10;
        list->entries[4].metadata = sl_alloc_text(&memory.alloc, "note", 4);
        test_memory_fail_at(&other, n);
        int rv = sl_offset_list_copy(list, &other.alloc, &copy);
        if (rv == 0) {
            assert_int_equal(copy->count, 9);
            assert_string_equal(copy->entries[4].metadata, "note");
            assert_ptr_not_equal(copy->entries[4].topic, list->entries[4].topic);
            assert_int_equal(copy->entries[8].offset, 80);
            sl_offset_list_destroy(copy);
        }
        sl_offset_list_destroy(list);
        test_memory_check(&memory);
        test_memory_check(&other);
        if (!test_memory_has_failed(&other)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_finds_what_is_there),
        cmocka_unit_test(a_failed_add_is_remembered),
        cmocka_unit_test(a_copy_is_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
