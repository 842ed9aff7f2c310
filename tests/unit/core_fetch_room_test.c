/* Goal: no Fetch leaves without room, none waits for a timer once there is, brokers share it; and the
 * end of a partition is told once each time it is reached (poll.ends).
 * Method: a consumer against a scripted broker, request by request (core_consumer.h). */
#include "core_consumer.h"

/* ---- room ---- */

static void fetching_stops_when_memory_is_full_and_goes_on_when_it_is_not(void **state) {
    (void)state;
    struct cons c;
    struct sl_slice *slices[64];
    int count = 0;
    cons_prepare(&c);
    c.h->settings.fetch_memory = 256 * 1024;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    int64_t at = 0;
    while (cons_waiting(&c) > 0) {
        struct cons_fetch fetch = cons_next(&c);
        assert_true(fetch.max_bytes <= c.h->core->fetcher.free_bytes);
        assert_true(fetch.max_bytes >= SL_GATE_ROOM_MIN);
        struct cons_answer *a = cons_answer(77);
        cons_add_batch(a, 0, at);
        at += 10;
        cons_reply(&c, &fetch, a);
        slices[count] = cons_take(&c);
        assert_non_null(slices[count++]);
    }
    assert_true(count > 10);
    int code;
    assert_null(cons_take_code(&c, &code));
    assert_int_equal(code, SLUICE_ERR_HELD);
    int turns = c.h->turns;
    cons_advance(&c, 60000);
    assert_true(c.h->turns - turns < 6); /* nothing is polled for */
    cons_finish(&c, slices[--count]);
    cons_turn(&c); /* no timer between */
    assert_int_equal(cons_waiting(&c), 1);
    while (count > 0) cons_finish(&c, slices[--count]);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

static void brokers_share_the_room(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->topics[1].leader = 2;
    cons_create(&c);
    struct sl_offsets *list = cons_list(&c, "t", 0, 0);
    sl_offset_list_put(list, "u", 0)->offset = 0;
    assert_int_equal(sl_gate_assign(c.gate, list), 0);
    sl_offset_list_destroy(list);
    cons_turn(&c);
    assert_int_equal(cons_waiting(&c), 2);
    struct cons_fetch first = cons_next(&c);
    struct cons_fetch second = cons_next(&c);
    assert_int_equal(first.max_bytes, c.h->settings.fetch_memory / 2);
    assert_int_equal(second.max_bytes, c.h->settings.fetch_memory / 2);
    assert_int_equal(c.h->core->fetcher.reserved, c.h->settings.fetch_memory);
    cons_end(&c);
}

/* ---- the end of a partition (poll.ends) ---- */

static void ends_are_told_once_each_time(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.poll_ends = true;
    cons_create(&c);
    cons_assign(&c, 2, 0);
    cons_turn(&c);
    struct cons_fetch fetch = cons_next(&c);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 0);
    cons_add_batch(a, 1, 0)->high_watermark = 10;
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 0); /* without records: the end */
    struct sl_slice *slice = cons_take(&c);
    assert_int_equal(slice->next_offset, slice->high_watermark);
    cons_finish(&c, slice);
    for (int i = 0; i < 2; i++) {
        fetch = cons_next(&c);
        cons_advance(&c, 500);
        a = cons_answer(77);
        cons_add(a, 0, 0, 0);
        cons_add(a, 1, 0, 10);
        cons_reply(&c, &fetch, a);
        cons_expect_nothing(&c);
    }
    /* After a seek there is an end to tell again, and the broker has to be made to speak of it. */
    fetch = cons_next(&c);
    cons_seek(&c, 1, 10);
    cons_advance(&c, 500);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_int_equal(fetch.epoch, 0);
    assert_int_equal(fetch.count, 2);
    a = cons_answer(78);
    cons_add(a, 0, 0, 0);
    cons_add(a, 1, 0, 10);
    cons_advance(&c, 100);
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 1, 10, 10);
    cons_expect_nothing(&c);
    cons_expect_whole_account(&c);
    cons_end(&c);
}

static void of_committed_data_the_end_is_the_last_stable_offset(void **state) {
    (void)state;
    struct cons c;
    cons_prepare(&c);
    c.h->settings.poll_ends = true;
    c.h->settings.read_committed = true;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    struct cons_fetch fetch = cons_next(&c);
    assert_int_equal(fetch.isolation, 1);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 50)->last_stable = 7;
    cons_reply(&c, &fetch, a);
    cons_expect_nothing(&c);
    cons_advance(&c, 100);
    fetch = cons_next(&c);
    a = cons_answer(77);
    cons_add(a, 0, 0, 50)->last_stable = 0;
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 0);
    cons_advance(&c, 100);
    fetch = cons_next(&c); /* unknown (-1) is no number */
    a = cons_answer(77);
    cons_add(a, 0, 0, -1);
    cons_reply(&c, &fetch, a);
    cons_expect_nothing(&c);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fetching_stops_when_memory_is_full_and_goes_on_when_it_is_not),
        cmocka_unit_test(brokers_share_the_room),
        cmocka_unit_test(ends_are_told_once_each_time),
        cmocka_unit_test(of_committed_data_the_end_is_the_last_stable_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
