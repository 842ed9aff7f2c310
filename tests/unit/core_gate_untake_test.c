/* Goal: what an application gives back unread comes again without a Fetch, in its place and exactly
 * once; and nothing behind damage is handed out, or passed by the finished prefix, until a seek.
 * Method: a gate alone, fed with slices by hand. */
#include "core/gate.h"

#include "core/buffers.h"
#include "sluice/error.h"
#include "unit/support.h"

static const struct sl_settings settings = {.fetch_memory = 1 << 20};

struct fixture {
    struct test_memory memory;
    struct sl_gate *gate;
};

static void assign(struct fixture *f, int64_t offset) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(&f->memory.alloc, &list), 0);
    struct sl_offset_entry *entry = sl_offset_list_put(list, "t", 0);
    assert_non_null(entry);
    entry->offset = offset;
    assert_int_equal(sl_gate_assign(f->gate, list), 0);
    sl_offset_list_destroy(list);
}

static void seek(struct fixture *f, int64_t offset) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(&f->memory.alloc, &list), 0);
    sl_offset_list_put(list, "t", 0)->offset = offset;
    assert_int_equal(sl_gate_seek(f->gate, list), 0);
    sl_offset_list_destroy(list);
}

static void setup_gate(struct fixture *f) {
    test_memory_init(&f->memory);
    assert_int_equal(sl_gate_create(&settings, &f->memory.alloc, &f->gate), 0);
    assign(f, 0);
}

static void teardown_gate(struct fixture *f) {
    sl_gate_destroy(f->gate);
    test_memory_check(&f->memory);
}

/* The epoch and paused flag of the last order; orders are taken and freed. */
static uint32_t take_last_order(struct fixture *f, bool *paused) {
    struct sl_list orders;
    uint32_t epoch = 0;
    sl_list_init(&orders);
    sl_gate_take_orders(f->gate, &orders);
    for (struct sl_list *node; (node = sl_list_pop_front(&orders)) != NULL;) {
        struct sl_command *order = SL_LIST_OF(node, struct sl_command, node);
        epoch = order->slots[0].epoch;
        *paused = order->slots[0].paused;
        sl_command_destroy(&f->memory.alloc, order);
    }
    return epoch;
}

/* An answer of slices of ten records each, from `from` on. */
static void feed(struct fixture *f, uint32_t epoch, int64_t from, int32_t slices) {
    struct sl_list list;
    size_t size = sizeof(struct sl_fetched) + (size_t)slices * sizeof(struct sl_slice);
    struct sl_fetched *fetched = sl_alloc_zero(&f->memory.alloc, size);
    assert_non_null(fetched);
    fetched->size = size;
    fetched->slice_count = slices;
    for (int32_t i = 0; i < slices; i++) {
        fetched->slices[i] = (struct sl_slice){.size = 100,
                                               .epoch = epoch,
                                               .from = from + 10 * i,
                                               .next_offset = from + 10 * i + 10,
                                               .high_watermark = 1000,
                                               .last_stable = -1,
                                               .count = 10};
    }
    sl_list_init(&list);
    sl_list_push_back(&list, &fetched->node);
    sl_gate_on_fetched(f->gate, &list);
    sl_gate_check(f->gate);
}

static struct sl_slice *take_one(struct fixture *f) {
    struct sl_slice *slice = NULL;
    char text[64];
    int32_t count;
    assert_int_equal(sl_gate_take(f->gate, 1, &slice, 1, &count, text, sizeof text), 0);
    return count == 1 ? slice : NULL;
}

static int64_t position(struct fixture *f) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(&f->memory.alloc, &list), 0);
    assert_int_equal(sl_gate_positions(f->gate, list), 0);
    int64_t offset = list->entries[0].offset;
    sl_offset_list_destroy(list);
    return offset;
}

static void what_is_untaken_comes_again(void **unused) {
    struct fixture f;
    bool paused;
    (void)unused;
    setup_gate(&f);
    uint32_t epoch = take_last_order(&f, &paused);
    feed(&f, epoch, 0, 3);
    struct sl_slice *first = take_one(&f);
    struct sl_slice *second = take_one(&f);
    assert_int_equal(position(&f), 20);
    assert_int_equal(sl_gate_untake(f.gate, first, 0), SLUICE_ERR_BUSY); /* second is behind it */
    assert_int_equal(sl_gate_untake(f.gate, second, 14), 0);
    assert_int_equal(position(&f), 14);
    assert_int_equal(sl_gate_untake(f.gate, first, 5), 0);
    assert_int_equal(position(&f), 5);
    assert_int_equal(sl_gate_finished(f.gate, "t", 0), 5);
    sl_gate_check(f.gate);
    static const int64_t starts[] = {5, 14, 20};
    for (int i = 0; i < 3; i++) {
        struct sl_slice *slice = take_one(&f);
        assert_int_equal(slice->from, starts[i]);
        assert_int_equal(sl_gate_mark(f.gate, slice, slice->next_offset, -1), 0);
        sl_gate_give(f.gate, slice);
        sl_gate_check(f.gate);
    }
    assert_int_equal(sl_gate_finished(f.gate, "t", 0), 30);
    assert_null(take_one(&f));
    teardown_gate(&f);
}

static void what_is_split_off_comes_again(void **unused) {
    struct fixture f;
    bool paused;
    (void)unused;
    setup_gate(&f);
    uint32_t epoch = take_last_order(&f, &paused);
    feed(&f, epoch, 0, 2);
    struct sl_slice *first = take_one(&f);
    struct sl_slice *second = take_one(&f);
    assert_int_equal(sl_gate_split(f.gate, first, 40, 4, 7), SLUICE_ERR_BUSY);
    test_memory_fail_at(&f.memory, f.memory.calls + 1);
    assert_int_equal(sl_gate_split(f.gate, second, 40, 14, 7), SLUICE_ERR_NOMEM);
    test_memory_fail_at(&f.memory, 0);
    assert_int_equal(second->size, 100);
    assert_int_equal(sl_gate_split(f.gate, second, 40, 14, 7), 0);
    sl_gate_check(f.gate);
    assert_int_equal(position(&f), 14);
    assert_int_equal(second->size, 40);
    assert_int_equal(second->next_offset, 14);
    struct sl_slice *third = take_one(&f);
    assert_int_equal(third->from, 14);
    assert_int_equal(third->next_offset, 20);
    assert_int_equal(third->size, 60);
    assert_ptr_equal(third->data, second->data + 40);
    assert_int_equal(sl_gate_split(f.gate, third, 20, 16, 7), 0); /* and again */
    struct sl_slice *in_hand[] = {third, first, second};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sl_gate_mark(f.gate, in_hand[i], in_hand[i]->next_offset, 7), 0);
        sl_gate_give(f.gate, in_hand[i]);
        sl_gate_check(f.gate);
    }
    assert_int_equal(sl_gate_finished(f.gate, "t", 0), 16);
    struct sl_slice *last = take_one(&f);
    assert_int_equal(last->from, 16);
    assert_int_equal(sl_gate_rewind(f.gate, last, 18, 7),
                     0); /* stale now, but for what came before */
    sl_gate_give(f.gate, last);
    sl_gate_check(f.gate);
    teardown_gate(&f);
}

/* With a rest that nobody takes, and one in hand when the partitions go. */
static void what_is_split_off_goes_with_the_rest(void **unused) {
    struct fixture f;
    bool paused;
    (void)unused;
    setup_gate(&f);
    uint32_t epoch = take_last_order(&f, &paused);
    feed(&f, epoch, 0, 1);
    struct sl_slice *first = take_one(&f);
    assert_int_equal(sl_gate_split(f.gate, first, 40, 4, 7), 0);
    struct sl_slice *rest = take_one(&f);
    assert_int_equal(sl_gate_split(f.gate, rest, 20, 6, 7), 0);
    assert_int_equal(sl_gate_assign(f.gate, NULL), 0);
    sl_gate_check(f.gate);
    assert_int_equal(sl_gate_split(f.gate, rest, 10, 5, 7), SLUICE_ERR_STALE);
    sl_gate_give(f.gate, rest);
    sl_gate_give(f.gate, first);
    sl_gate_check(f.gate);
    teardown_gate(&f);
}

static void a_stale_slice_is_not_untaken(void **unused) {
    struct fixture f;
    bool paused;
    (void)unused;
    setup_gate(&f);
    feed(&f, take_last_order(&f, &paused), 0, 1);
    struct sl_slice *slice = take_one(&f);
    seek(&f, 500);
    assert_int_equal(sl_gate_untake(f.gate, slice, 3), SLUICE_ERR_STALE);
    assert_int_equal(sl_gate_stop(f.gate, slice, 3), SLUICE_ERR_STALE);
    sl_gate_give(f.gate, slice);
    assert_int_equal(position(&f), 500);
    teardown_gate(&f);
}

static void nothing_comes_behind_damage_until_a_seek(void **unused) {
    struct fixture f;
    bool paused = false;
    (void)unused;
    setup_gate(&f);
    uint32_t epoch = take_last_order(&f, &paused);
    feed(&f, epoch, 0, 3);
    struct sl_slice *slice = take_one(&f);
    struct sl_slice *behind = take_one(&f);
    assert_int_equal(sl_gate_stop(f.gate, slice, 7), 0);
    assert_int_equal(take_last_order(&f, &paused), epoch);
    assert_true(paused); /* core need not fetch any more */
    feed(&f, epoch, 30, 1);
    assert_null(take_one(&f));
    assert_int_equal(position(&f), 7);
    assert_int_equal(sl_gate_mark(f.gate, slice, 7, -1), 0);
    assert_int_equal(sl_gate_mark(f.gate, behind, 20, -1), SLUICE_ERR_STALE);
    sl_gate_give(f.gate, slice);
    sl_gate_give(f.gate, behind);
    assert_int_equal(sl_gate_finished(f.gate, "t", 0), 7);
    seek(&f, 8);
    epoch = take_last_order(&f, &paused);
    assert_false(paused);
    feed(&f, epoch, 8, 1);
    slice = take_one(&f);
    assert_int_equal(slice->from, 8);
    sl_gate_give(f.gate, slice);
    sl_gate_check(f.gate);
    teardown_gate(&f);
}

static void stopping_needs_no_memory(void **unused) {
    struct fixture f;
    bool paused;
    (void)unused;
    setup_gate(&f);
    feed(&f, take_last_order(&f, &paused), 0, 2);
    struct sl_slice *slice = take_one(&f);
    test_memory_fail_next(&f.memory);
    assert_int_equal(sl_gate_stop(f.gate, slice, 0), 0);
    assert_true(test_memory_has_failed(&f.memory));
    assert_null(take_one(&f));
    sl_gate_give(f.gate, slice);
    teardown_gate(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_untaken_comes_again),
        cmocka_unit_test(what_is_split_off_comes_again),
        cmocka_unit_test(what_is_split_off_goes_with_the_rest),
        cmocka_unit_test(a_stale_slice_is_not_untaken),
        cmocka_unit_test(nothing_comes_behind_damage_until_a_seek),
        cmocka_unit_test(stopping_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
