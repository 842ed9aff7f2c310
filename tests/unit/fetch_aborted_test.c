/* Which batches of a Fetch answer belong to undone transactions: against the log of the test broker,
 * which knows how each transaction ended. */
#include "broker/log.h"
#include "core/fetch_aborted.h"
#include "record/batch_write.h"
#include "record/record.h"
#include "sluice/error.h"
#include "support.h"

enum { PRODUCERS = 4, STEPS = 120, ROUNDS = 300, BATCH_MOST = 256 };

static uint32_t state_of_draws = 1;
static uint32_t draw(uint32_t count) {
    state_of_draws = state_of_draws * 1664525U + 1013904223U;
    return (state_of_draws >> 8) % count;
}

static size_t build(uint8_t *out, int64_t producer_id, uint16_t attributes, int32_t count) {
    size_t size = SL_RECORD_HEADER_SIZE;
    for (int32_t i = 0; i < count; i++) {
        struct sl_record_in r = {.key_size = -1, .value = (const uint8_t *)"v", .value_size = 1};
        size += sl_batch_write_record(out + size, &r, 0, i);
    }
    struct sl_batch_summary summary = {
        .producer_id = producer_id, .base_sequence = -1, .count = count, .attributes = attributes};
    struct sl_iov records = {out + SL_RECORD_HEADER_SIZE, size - SL_RECORD_HEADER_SIZE};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(out, &summary, &sum);
    return size;
}

/* A log of random transactions, and for each batch whose it is and how that ended. */
struct world {
    struct sl_log_store store;
    struct sl_log log;
    int transaction[STEPS]; /* by batch; -1: none */
    int transactions;
    int open[PRODUCERS]; /* the transaction, -1: none */
    bool undone[STEPS];  /* by transaction */
};

static void append(struct world *w, int64_t producer_id, uint16_t attributes) {
    uint8_t data[BATCH_MOST];
    struct sl_batch_info info;
    int64_t base;
    size_t size = build(data, producer_id, attributes, 1 + (int32_t)draw(3));
    assert_int_equal(sl_batch_read_info(data, size, &info), 0);
    assert_int_equal(sl_log_append(&w->log, data, &info, 1, &base), 0);
}

static void write_log(struct world *w) {
    sl_log_store_init(&w->store, sl_alloc_default(), 0);
    sl_log_init(&w->log, &w->store);
    w->transactions = 0;
    for (int i = 0; i < PRODUCERS; i++) w->open[i] = -1;
    for (int i = 0; i < STEPS; i++) {
        int producer = (int)draw(PRODUCERS);
        uint32_t what = draw(5);
        w->transaction[i] = -1;
        if (what == 0) {
            append(w, producer, 0); /* outside of its transaction, if it has one */
        } else if (what == 1 && w->open[producer] >= 0) {
            bool is_committed = draw(2) == 0;
            w->undone[w->open[producer]] = !is_committed;
            w->open[producer] = -1;
            assert_int_equal(sl_log_end_transaction(&w->log, producer, 0, is_committed, 1, 0), 0);
        } else {
            if (w->open[producer] < 0) {
                w->undone[w->transactions] = false;
                w->open[producer] = w->transactions++;
            }
            w->transaction[i] = w->open[producer];
            append(w, producer, SL_RECORD_TRANSACTIONAL);
        }
    }
}

/* What a broker lists for a reader from there on, in any order, some of it twice. */
static int32_t list_undone(const struct world *w, int64_t from, int64_t to,
                           struct sl_fetch_aborted_transaction out[2 * STEPS]) {
    int32_t count = 0;
    const struct sl_transactions *t = &w->log.transactions;
    for (size_t i = 0; i < t->count; i++) {
        if (!sl_transactions_touches(&t->list[i], from, to)) continue;
        for (uint32_t n = draw(4) == 0 ? 2 : 1; n > 0; n--)
            out[count++] = (struct sl_fetch_aborted_transaction){t->list[i].producer_id,
                                                                 t->list[i].first_offset};
    }
    for (int32_t i = count - 1; i > 0; i--) {
        int32_t other = (int32_t)draw((uint32_t)i + 1);
        struct sl_fetch_aborted_transaction swap = out[i];
        out[i] = out[other];
        out[other] = swap;
    }
    return count;
}

static void read_log(const struct world *w, struct sl_arena *arena, int64_t from) {
    struct sl_fetch_aborted_transaction listed[2 * STEPS];
    struct sl_fetch_aborted a;
    int64_t stable = sl_log_stable(&w->log);
    int32_t count = list_undone(w, from, stable, listed);
    struct sl_array array = {listed, count};
    assert_int_equal(sl_fetch_aborted_begin(&a, arena, &array), 0);
    for (size_t i = sl_log_find(&w->log, from); i < w->log.count; i++) {
        const struct sl_log_batch *batch = sl_log_at(&w->log, i);
        struct sl_batch_info info;
        if (batch->base_offset >= stable) break;
        assert_int_equal(sl_batch_read_info(batch->data, (size_t)batch->size, &info), 0);
        bool is_undone = w->transaction[i] >= 0 && w->undone[w->transaction[i]];
        assert_int_equal(sl_fetch_aborted_look(&a, batch->data, &info), is_undone);
    }
}

/* Several producers, transactions one in the other, a list in any order (brokers of one kind do not
 * sort it), reads from any offset. */
static void test_undone_transactions_are_found(void **state) {
    (void)state;
    static struct world w;
    for (int round = 0; round < ROUNDS; round++) {
        struct sl_arena arena;
        write_log(&w);
        sl_arena_init(&arena, sl_alloc_default(), 0);
        for (int i = 0; i < 5; i++) read_log(&w, &arena, draw((uint32_t)w.log.end));
        read_log(&w, &arena, 0);
        sl_arena_deinit(&arena);
        sl_log_deinit(&w.log);
    }
}

static void test_no_list_leaves_everything(void **state) {
    (void)state;
    struct sl_arena arena;
    struct sl_fetch_aborted a;
    struct sl_array none = {NULL, -1}; /* brokers may send null */
    uint8_t data[BATCH_MOST];
    struct sl_batch_info info;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    assert_int_equal(sl_fetch_aborted_begin(&a, &arena, &none), 0);
    assert_int_equal(sl_batch_read_info(data, build(data, 1, SL_RECORD_TRANSACTIONAL, 2), &info),
                     0);
    assert_int_equal(sl_fetch_aborted_look(&a, data, &info), 0);
    sl_arena_deinit(&arena);
}

/* A marker that cannot be read would leave open what is undone. */
static void test_marker_without_meaning(void **state) {
    (void)state;
    struct sl_arena arena;
    struct sl_fetch_aborted a;
    struct sl_fetch_aborted_transaction listed = {1, 0};
    struct sl_array array = {&listed, 1};
    static const uint16_t control = SL_RECORD_TRANSACTIONAL | SL_RECORD_CONTROL;
    static const uint16_t attributes[] = {control, control | SL_CODEC_GZIP};
    sl_arena_init(&arena, sl_alloc_default(), 0);
    for (size_t i = 0; i < 2; i++) {
        uint8_t data[BATCH_MOST];
        struct sl_batch_info info;
        assert_int_equal(sl_fetch_aborted_begin(&a, &arena, &array), 0);
        assert_int_equal(sl_batch_read_info(data, build(data, 1, attributes[i], 1), &info), 0);
        assert_int_equal(sl_fetch_aborted_look(&a, data, &info), SLUICE_ERR_MALFORMED);
    }
    sl_arena_deinit(&arena);
}

static void test_memory(void **state) {
    (void)state;
    struct sl_fetch_aborted_transaction listed[3] = {{1, 5}, {1, 2}, {0, 9}};
    struct sl_array array = {listed, 3};
    for (long n = 1;; n++) {
        struct test_memory memory;
        struct sl_arena arena;
        struct sl_fetch_aborted a;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        sl_arena_init(&arena, &memory.alloc, 0);
        int rv = sl_fetch_aborted_begin(&a, &arena, &array);
        bool has_failed = test_memory_has_failed(&memory);
        assert_int_equal(rv, has_failed ? SLUICE_ERR_NOMEM : 0);
        sl_arena_deinit(&arena);
        test_memory_check(&memory);
        if (!has_failed) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undone_transactions_are_found),
        cmocka_unit_test(test_no_list_leaves_everything),
        cmocka_unit_test(test_marker_without_meaning),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
