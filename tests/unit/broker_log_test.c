/* The log of a partition and what all logs share: offsets, lookups, trimming, leader epochs, the
 * limit on memory, and batches that answers hold on to. */
#include "support.h"

#include "base/rng.h"
#include "broker/log.h"
#include "sluice/error.h"

struct logs {
    struct test_memory memory;
    struct sl_log_store store;
    struct sl_log log;
    struct sl_log other;
};

static void start_logs(struct logs *l, int64_t bytes_max) {
    test_memory_init(&l->memory);
    sl_log_store_init(&l->store, &l->memory.alloc, bytes_max);
    sl_log_init(&l->log, &l->store);
    sl_log_init(&l->other, &l->store);
}

static void end_logs(struct logs *l) {
    sl_log_deinit(&l->log);
    sl_log_deinit(&l->other);
    assert_int_equal(l->store.bytes, 0);
    assert_true(sl_list_is_empty(&l->store.by_age));
    test_memory_check(&l->memory);
}

/* A batch of 100 bytes with that many records; the log looks at no byte beyond the header. */
static int append(struct sl_log *log, int32_t count, int32_t epoch, int64_t *offset) {
    static const uint8_t bytes[100];
    struct sl_batch_info info;
    memset(&info, 0, sizeof info);
    info.size = sizeof bytes;
    info.last_offset = count - 1;
    info.max_timestamp = -1;
    info.record_count = count;
    int rv = sl_log_append(log, bytes, &info, epoch, offset);
    sl_log_check(log);
    return rv;
}

static int64_t put(struct sl_log *log, int32_t count, int32_t epoch) {
    int64_t offset;
    assert_int_equal(append(log, count, epoch, &offset), 0);
    return offset;
}

static void test_offsets_and_lookup(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 0);
    assert_int_equal(sl_log_find(&l.log, 0), 0);
    assert_int_equal(l.log.count, 0);
    for (int i = 0; i < 20; i++) assert_int_equal(put(&l.log, 3, 0), i * 3);
    assert_int_equal(l.log.end, 60);
    for (int64_t offset = 0; offset < 60; offset++)
        assert_int_equal(sl_log_find(&l.log, offset), offset / 3);
    assert_int_equal(sl_log_find(&l.log, 60), 20);
    const struct sl_log_batch *b = sl_log_at(&l.log, 5);
    assert_int_equal(b->base_offset, 15);
    assert_int_equal(b->last_offset, 17);
    end_logs(&l);
}

static void test_trim(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 0);
    for (int i = 0; i < 10; i++) put(&l.log, 3, 0);
    sl_log_trim(&l.log, 4); /* inside of a batch, which stays */
    sl_log_check(&l.log);
    assert_int_equal(l.log.start, 4);
    assert_int_equal(l.log.count, 9);
    assert_int_equal(sl_log_at(&l.log, 0)->base_offset, 3);
    sl_log_trim(&l.log, 2); /* never back */
    assert_int_equal(l.log.start, 4);
    sl_log_trim(&l.log, 30);
    sl_log_check(&l.log);
    assert_int_equal(l.log.count, 0);
    assert_int_equal(l.log.start, 30);
    assert_int_equal(l.store.bytes, 0);
    assert_int_equal(put(&l.log, 1, 0), 30); /* offsets go on */
    end_logs(&l);
}

/* The array of batches is used again as its front goes: a ring of a few takes no more memory. */
static void test_front_goes_as_the_end_grows(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 0);
    size_t most = 0;
    for (int i = 0; i < 1000; i++) {
        put(&l.log, 1, 0);
        if (i >= 4) sl_log_trim(&l.log, i - 3);
        sl_log_check(&l.log);
        if (i == 100) most = l.memory.peak_bytes;
    }
    assert_int_equal(l.log.count, 4);
    assert_int_equal(l.memory.peak_bytes, most);
    end_logs(&l);
}

/* The oldest of the whole cluster goes, and the newest stays whatever its size. */
static void test_memory_limit(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 350);
    put(&l.log, 1, 0);
    put(&l.other, 1, 0);
    put(&l.log, 1, 0);
    put(&l.other, 1, 0); /* 400 bytes: the first goes */
    assert_int_equal(l.store.bytes, 300);
    assert_int_equal(l.log.start, 1);
    assert_int_equal(l.other.start, 0);
    put(&l.other, 1, 0);
    assert_int_equal(l.log.start, 1);
    assert_int_equal(l.other.start, 1);
    l.store.bytes_max = 50;
    put(&l.log, 1, 0);
    assert_int_equal(l.store.bytes, 100);
    assert_int_equal(l.log.start, 2);
    assert_int_equal(l.log.count, 1);
    assert_int_equal(l.other.count, 0);
    sl_log_check(&l.other);
    end_logs(&l);
}

static void test_held_batch_outlives_its_log(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 0);
    put(&l.log, 2, 0);
    struct sl_log_batch *batch = sl_log_at(&l.log, 0);
    sl_log_hold(batch);
    sl_log_hold(batch);
    sl_log_trim(&l.log, 2);
    assert_int_equal(l.store.bytes, 0); /* it is no longer counted */
    assert_null(batch->log);
    sl_log_release(&l.memory.alloc, batch);
    assert_int_equal(batch->base_offset, 0);
    assert_int_equal(batch->size, 100);
    sl_log_release(&l.memory.alloc, batch);
    end_logs(&l);
}

static void expect_epoch_end(const struct sl_log *log, int32_t asked, int32_t epoch, int64_t end) {
    int32_t got;
    int64_t offset;
    sl_log_epoch_end(log, asked, 9, &got, &offset);
    assert_int_equal(got, epoch);
    assert_int_equal(offset, end);
}

static void test_epochs(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 0);
    assert_int_equal(sl_log_epoch_of(&l.log, 0), -1);
    put(&l.log, 2, 1); /* 0, 1 */
    put(&l.log, 2, 4); /* 2, 3 */
    put(&l.log, 2, 4); /* 4, 5 */
    put(&l.log, 2, 7); /* 6, 7 */
    assert_int_equal(sl_log_epoch_of(&l.log, 1), 1);
    assert_int_equal(sl_log_epoch_of(&l.log, 2), 4);
    assert_int_equal(sl_log_epoch_of(&l.log, 5), 4);
    assert_int_equal(sl_log_epoch_of(&l.log, 6), 7);
    expect_epoch_end(&l.log, 1, 1, 2);
    expect_epoch_end(&l.log, 3, 1, 2);
    expect_epoch_end(&l.log, 4, 4, 6);
    expect_epoch_end(&l.log, 8, 7, 8);
    expect_epoch_end(&l.log, 9, 9, 8);
    expect_epoch_end(&l.log, 10, -1, -1);
    expect_epoch_end(&l.log, 0, 0, 0); /* before the first: it ends where that begins */
    sl_log_trim(&l.log, 3);
    assert_int_equal(sl_log_epoch_of(&l.log, 3), 4);
    expect_epoch_end(&l.log, 1, 1, 3);
    sl_log_trim(&l.log, 8);
    sl_log_check(&l.log);
    assert_int_equal(l.log.epoch_count, 0);
    put(&l.log, 1, 9);
    assert_int_equal(sl_log_epoch_of(&l.log, 8), 9);
    end_logs(&l);
}

/* The end goes back to where a batch begins, and epochs that have no batch left are forgotten. */
static void test_cut(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 0);
    for (int i = 0; i < 4; i++) (void)put(&l.log, 5, i); /* 0 5 10 15 */
    sl_log_cut(&l.log, 20);
    assert_int_equal(l.log.end, 20);
    sl_log_cut(&l.log, 12); /* in the middle of the third */
    sl_log_check(&l.log);
    assert_int_equal(l.log.end, 10);
    assert_int_equal(l.log.count, 2);
    expect_epoch_end(&l.log, 1, 1, 10);
    expect_epoch_end(&l.log, 3, 1, 10); /* it never had that */
    assert_int_equal(put(&l.log, 3, 7), 10);
    expect_epoch_end(&l.log, 3, 1, 10);
    assert_int_equal(sl_log_epoch_of(&l.log, 10), 7);
    sl_log_trim(&l.log, 7);
    sl_log_cut(&l.log, 8); /* the batch that the start is in */
    sl_log_check(&l.log);
    assert_int_equal(l.log.start, 7);
    assert_int_equal(l.log.end, 7);
    assert_int_equal(l.log.count, 0);
    assert_int_equal(put(&l.log, 3, 8), 7);
    end_logs(&l);
}

/* An append is all or nothing. */
static void test_no_memory_changes_nothing(void **state) {
    (void)state;
    struct logs l;
    start_logs(&l, 0);
    int32_t failed = 0;
    for (int i = 0; i < 40; i++) {
        int64_t offset;
        for (long n = 1;; n++) {
            int64_t end = l.log.end, bytes = l.store.bytes;
            size_t count = l.log.count;
            test_memory_fail_at(&l.memory, l.memory.calls + n);
            int rv = append(&l.log, 2, i / 4, &offset);
            if (rv == 0) break;
            failed++;
            assert_int_equal(rv, SLUICE_ERR_NOMEM);
            assert_true(l.log.end == end && l.log.count == count && l.store.bytes == bytes);
        }
        assert_int_equal(offset, i * 2);
    }
    assert_true(failed > 40);
    test_memory_fail_at(&l.memory, 0);
    end_logs(&l);
}

/* Against a model: which batches a log of random sizes, trims and evictions has. */
static void test_random(void **state) {
    (void)state;
    struct sl_rng rng;
    sl_rng_init(&rng, 5);
    for (int round = 0; round < 50; round++) {
        struct logs l;
        int64_t bases[200];
        int appended = 0;
        start_logs(&l, round % 2 == 0 ? 0 : 1500);
        for (int step = 0; step < 200; step++) {
            if (sl_rng_chance(&rng, 1, 10)) {
                int64_t start = l.log.start + (int64_t)sl_rng_below(&rng, 8);
                sl_log_trim(&l.log, start < l.log.end ? start : l.log.end);
                sl_log_check(&l.log);
                continue;
            }
            bases[appended++] = put(&l.log, 1 + (int32_t)sl_rng_below(&rng, 5), round);
        }
        assert_true((int64_t)l.log.count * 100 == l.store.bytes);
        if (round % 2 == 1) assert_true(l.log.count <= 15);
        for (size_t i = 0; i < l.log.count; i++)
            assert_int_equal(sl_log_at(&l.log, i)->base_offset,
                             bases[(size_t)appended - l.log.count + i]);
        end_logs(&l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_and_lookup),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_front_goes_as_the_end_grows),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_held_batch_outlives_its_log),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_no_memory_changes_nothing),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
