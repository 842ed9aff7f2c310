/* Goal: batches that are compressed off the loop keep their place, their one outcome and the
 * account, whenever their jobs come back: late, in any order, undone, or when the batch is over.
 * Method: a producer with a scripted broker whose jobs the test holds, runs and gives back; batches
 * are small, so that a partition has several of them out. */
#include "core_producer.h"

#include "core/pack.h"
#include "record/compress.h"

enum { JOBS = 8, EACH = 60 }; /* EACH: records of a test, which make several batches */

static struct prod *start_packing(int codec) {
    struct prod *p = prod_prepare();
    p->h->settings.codec = codec;
    p->h->settings.level = SL_COMPRESS_LEVEL_DEFAULT;
    p->h->settings.batch_size = 200;
    p->h->settings.max_in_flight = 5;
    p->h->settings.delivery_timeout_ms = 1000;
    prod_open(p);
    sl_core_set_jobs(p->h->core, JOBS, 0);
    return p;
}

static void put_records(struct prod *p, uint64_t first, uint64_t count) {
    for (uint64_t tag = first; tag < first + count; tag++) prod_put(p, "t", 0, tag);
}

static int count_jobs(const struct prod *p) {
    int count = 0;
    SL_LIST_EACH(it, tmp, &p->h->jobs) count++;
    return count;
}

/* Gives a job back, run or not, and lets core act on it. */
static void give_back(struct prod *p, struct sl_list *node, bool runs) {
    struct sl_job *job = SL_LIST_OF(node, struct sl_job, node);
    struct sl_job_tools tools;
    sl_list_remove(node);
    assert_int_equal(sl_job_tools_init(&tools, sl_alloc_default()), 0);
    if (runs) job->run(job, &tools);
    sl_job_tools_deinit(&tools);
    sl_core_on_time(p->h->core, p->h->now, p->h->now / 1000000);
    sl_core_on_job(p->h->core, job);
    prod_turn(p);
}
static void give_back_all(struct prod *p, bool runs) {
    while (!sl_list_is_empty(&p->h->jobs)) give_back(p, p->h->jobs.next, runs);
}

static void expect_log(struct prod *p, uint64_t count) {
    const struct prod_log *log = prod_log(p, "t", 0);
    assert_int_equal(log->count, count);
    for (uint64_t i = 0; i < count; i++) assert_int_equal(log->tags[i], i + 1);
}

/* The last comes back first: nothing leaves before its turn, and all of it in order. */
static void test_order_is_kept(void **state) {
    (void)state;
    for (int codec = SL_CODEC_GZIP; codec < SL_CODEC_COUNT; codec++) {
        struct prod *p = start_packing(codec);
        put_records(p, 1, EACH);
        prod_serve(p);
        assert_true(count_jobs(p) >= 3);
        while (count_jobs(p) > 1) {
            give_back(p, p->h->jobs.prev, true);
            prod_serve(p);
            assert_int_equal(prod_log(p, "t", 0)->count, 0);
        }
        while (!sl_list_is_empty(&p->h->jobs)) {
            give_back(p, p->h->jobs.next, true);
            prod_serve_for(p, 20);
        }
        expect_log(p, EACH);
        prod_expect(p, 1, EACH, SL_OUTCOME_WRITTEN);
        prod_end(p);
    }
}

/* No more are out than the host runs; the rest wait without keeping the loop awake. */
static void test_jobs_are_bounded(void **state) {
    (void)state;
    struct prod *p = start_packing(SL_CODEC_ZSTD);
    sl_core_set_jobs(p->h->core, 2, 0);
    put_records(p, 1, EACH);
    prod_serve_for(p, 50); /* host_turn fails the test if the core spins */
    assert_int_equal(count_jobs(p), 2);
    for (int i = 0; i < 50 && !sl_list_is_empty(&p->h->jobs); i++) {
        give_back(p, p->h->jobs.next, true);
        prod_serve_for(p, 20);
        assert_true(count_jobs(p) <= 2);
    }
    expect_log(p, EACH);
    prod_end(p);
}

/* A small batch is not worth a job. */
static void test_small_batches_stay(void **state) {
    (void)state;
    struct prod *p = start_packing(SL_CODEC_ZSTD);
    sl_core_set_jobs(p->h->core, JOBS, 1000);
    put_records(p, 1, EACH);
    prod_serve_for(p, 50);
    assert_int_equal(count_jobs(p), 0);
    expect_log(p, EACH);
    prod_end(p);
}

/* A host that could not run them gives them back as they are: they are compressed here. */
static void test_undone_jobs(void **state) {
    (void)state;
    struct prod *p = start_packing(SL_CODEC_GZIP);
    put_records(p, 1, EACH);
    prod_serve(p);
    assert_true(count_jobs(p) >= 3);
    for (int i = 0; i < 50 && !sl_list_is_empty(&p->h->jobs); i++) {
        give_back(p, p->h->jobs.next, false);
        prod_serve_for(p, 20);
    }
    expect_log(p, EACH);
    prod_expect(p, 1, EACH, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* The outcome of a batch does not wait for its job; its memory does, and so does the budget. */
static void test_expired_while_out(void **state) {
    (void)state;
    struct prod *p = start_packing(SL_CODEC_LZ4);
    put_records(p, 1, EACH);
    prod_serve(p);
    int out = count_jobs(p);
    assert_true(out >= 3);
    prod_serve_for(p, 1100);
    prod_expect(p, 1, EACH, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(count_jobs(p), out);
    assert_true(sl_staging_used(p->staging) > 0);
    give_back_all(p, true);
    prod_collect(p);
    assert_int_equal(sl_staging_used(p->staging), 0);
    put_records(p, EACH + 1, 1);
    prod_serve_for(p, 20);
    give_back_all(p, true);
    prod_serve_for(p, 20);
    prod_expect(p, EACH + 1, EACH + 1, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* What was never sent can be discarded, at a worker or not. */
static void test_discarded_while_out(void **state) {
    (void)state;
    struct prod *p = start_packing(SL_CODEC_SNAPPY);
    put_records(p, 1, EACH);
    prod_serve(p);
    assert_true(count_jobs(p) >= 3);
    prod_command(p, SL_COMMAND_DISCARD);
    prod_turn(p);
    prod_expect(p, 1, EACH, SL_OUTCOME_NOT_WRITTEN);
    give_back_all(p, true);
    prod_end(p);
}

/* Close waits for jobs only as long as it has time. */
static void test_closed_while_out(void **state) {
    (void)state;
    struct prod *p = start_packing(SL_CODEC_ZSTD);
    put_records(p, 1, EACH);
    prod_serve(p);
    assert_true(count_jobs(p) >= 3);
    prod_take(p);
    struct sl_op *op = host_ask(p->h, SL_COMMAND_CLOSE, NULL, 300);
    prod_advance(p, 299);
    assert_int_equal(op->state, SL_OP_PENDING);
    prod_advance(p, 1);
    assert_true(sl_core_is_closed(p->h->core));
    prod_expect(p, 1, EACH, SL_OUTCOME_NOT_WRITTEN);
    give_back_all(p, true);
    prod_end(p);
}

/* Without memory for a job, or for its result, the batch is compressed here or goes as it is. */
static void test_every_allocation_may_fail(void **state) {
    (void)state;
    for (long n = 1; n < 400; n++) {
        struct prod *p = start_packing(SL_CODEC_ZSTD);
        p->h->settings.delivery_timeout_ms = 120000;
        prod_serve(p);
        test_memory_fail_at(&p->h->memory, p->h->memory.calls + n);
        uint64_t accepted = 0;
        for (uint64_t tag = 1; tag <= EACH; tag++) {
            if (prod_try_put(p, "t", 0, tag) != 0) break;
            accepted = tag;
        }
        for (int i = 0; i < 400 && p->written + p->not_written < (int64_t)accepted; i++) {
            prod_serve_for(p, 50);
            give_back_all(p, true);
        }
        for (uint64_t tag = 1; tag <= accepted; tag++) assert_int_equal(p->reports[tag], 1);
        bool was_hit = test_memory_has_failed(&p->h->memory);
        prod_end(p);
        if (!was_hit) return;
    }
    fail_msg("400 allocations and no end");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_is_kept),      cmocka_unit_test(test_jobs_are_bounded),
        cmocka_unit_test(test_small_batches_stay), cmocka_unit_test(test_undone_jobs),
        cmocka_unit_test(test_expired_while_out),  cmocka_unit_test(test_discarded_while_out),
        cmocka_unit_test(test_closed_while_out),   cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
