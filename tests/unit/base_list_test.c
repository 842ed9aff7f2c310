/* Goal: the intrusive list keeps order and both directions of links under every operation, and
 * unlinked nodes, zeroed ones too, are harmless.
 * Method: each operation on a handful of nodes, the whole list compared after it. */
#include "support.h"

#include "base/list.h"

struct item {
    char name;
    struct sl_list node;
};

/* Asserts that the list spells `want` forwards, and backwards the reverse. */
static void check_list(struct sl_list *list, const char *want) {
    size_t len = strlen(want);
    size_t i = 0;
    SL_LIST_EACH(it, tmp, list) {
        assert_true(i < len);
        assert_int_equal(SL_LIST_OF(it, struct item, node)->name, want[i]);
        assert_true(sl_list_is_linked(it));
        i++;
    }
    assert_int_equal(i, len);
    for (struct sl_list *it = list->prev; it != list; it = it->prev) {
        assert_true(i > 0);
        assert_int_equal(SL_LIST_OF(it, struct item, node)->name, want[--i]);
    }
    assert_int_equal(i, 0);
    assert_int_equal(sl_list_is_empty(list), len == 0);
}

static void name_items(struct item *items, size_t count) {
    memset(items, 0, count * sizeof *items);
    for (size_t i = 0; i < count; i++) items[i].name = (char)('a' + i);
}

static void test_push_and_insert_keep_order(void **state) {
    (void)state;
    struct sl_list list;
    struct item i[4];
    name_items(i, 4);
    sl_list_init(&list);
    check_list(&list, "");
    assert_null(sl_list_peek(&list));
    sl_list_push_back(&list, &i[1].node);
    sl_list_push_back(&list, &i[3].node);
    sl_list_push_front(&list, &i[0].node);
    sl_list_insert_before(&i[3].node, &i[2].node);
    check_list(&list, "abcd");
    assert_ptr_equal(sl_list_peek(&list), &i[0].node);
}

static void test_remove_anywhere(void **state) {
    (void)state;
    static const char *const left[] = {"bcd", "acd", "abd", "abc"};
    for (int victim = 0; victim < 4; victim++) {
        struct sl_list list;
        struct item i[4];
        name_items(i, 4);
        sl_list_init(&list);
        for (int k = 0; k < 4; k++) sl_list_push_back(&list, &i[k].node);
        sl_list_remove(&i[victim].node);
        check_list(&list, left[victim]);
        assert_false(sl_list_is_linked(&i[victim].node));
        sl_list_remove(&i[victim].node);
        check_list(&list, left[victim]);
        sl_list_push_back(&list, &i[victim].node);
        assert_true(sl_list_is_linked(&i[victim].node));
    }
}

static void test_zeroed_nodes_are_unlinked(void **state) {
    (void)state;
    struct sl_list node = {NULL, NULL};
    assert_false(sl_list_is_linked(&node));
    sl_list_remove(&node);
    assert_false(sl_list_is_linked(&node));
}

static void test_pop_front_until_empty(void **state) {
    (void)state;
    struct sl_list list;
    struct item i[3];
    name_items(i, 3);
    sl_list_init(&list);
    for (int k = 0; k < 3; k++) sl_list_push_back(&list, &i[k].node);
    for (int k = 0; k < 3; k++) {
        assert_ptr_equal(sl_list_pop_front(&list), &i[k].node);
        assert_false(sl_list_is_linked(&i[k].node));
    }
    assert_null(sl_list_pop_front(&list));
    check_list(&list, "");
}

static void test_removing_during_a_walk(void **state) {
    (void)state;
    struct sl_list list;
    struct item i[6];
    name_items(i, 6);
    sl_list_init(&list);
    for (int k = 0; k < 6; k++) sl_list_push_back(&list, &i[k].node);
    int seen = 0;
    SL_LIST_EACH(it, tmp, &list) {
        if (seen++ % 2 == 0) sl_list_remove(it);
    }
    assert_int_equal(seen, 6);
    check_list(&list, "bdf");
    SL_LIST_EACH(it, tmp, &list) sl_list_remove(it);
    check_list(&list, "");
}

static void test_splice_moves_all(void **state) {
    (void)state;
    struct sl_list to;
    struct sl_list from;
    struct item i[4];
    name_items(i, 4);
    sl_list_init(&to);
    sl_list_init(&from);
    sl_list_splice_back(&to, &from);
    check_list(&to, "");
    sl_list_push_back(&from, &i[0].node);
    sl_list_push_back(&from, &i[1].node);
    sl_list_splice_back(&to, &from);
    check_list(&to, "ab");
    check_list(&from, "");
    sl_list_push_back(&from, &i[2].node);
    sl_list_push_back(&from, &i[3].node);
    sl_list_splice_back(&to, &from);
    check_list(&to, "abcd");
    check_list(&from, "");
    sl_list_splice_back(&to, &from);
    check_list(&to, "abcd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_and_insert_keep_order),
        cmocka_unit_test(test_remove_anywhere),
        cmocka_unit_test(test_zeroed_nodes_are_unlinked),
        cmocka_unit_test(test_pop_front_until_empty),
        cmocka_unit_test(test_removing_during_a_walk),
        cmocka_unit_test(test_splice_moves_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
