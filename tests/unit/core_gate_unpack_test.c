/* Goal: what is decompressed ahead is never the slice that is handed out next, nor more than a few;
 * whatever becomes of a slice meanwhile, its bytes stay until the job is back, and the account is
 * right.
 * Method: a gate alone; its jobs are run here, or come back as they were. */
#include "core_gate.h"

#include "slices.h"

enum { JOBS = 8 };

struct story {
    struct fixture f;
    struct answer answer;
    struct sl_job_tools tools;
    struct sl_list jobs; /* that are out */
    int out;
};

static void start_story(struct story *s, int32_t partitions) {
    memset(s, 0, sizeof *s);
    start(&s->f, partitions);
    s->f.settings.batch_decoded_max = DECODED_CAP;
    sl_gate_set_jobs(s->f.gate, JOBS, 0);
    sl_list_init(&s->jobs);
    assert_int_equal(sl_job_tools_init(&s->tools, &s->f.memory.alloc), 0);
    add_batch(&s->answer, 10, 1, SL_CODEC_GZIP, 0);
}

static void end_story(struct story *s) {
    assert_int_equal(s->out, 0);
    sl_job_tools_deinit(&s->tools);
    end(&s->f);
}

/* Ten compressed records of a slot, in an answer of their own. */
static bool feed_packed(struct story *s, uint32_t slot) {
    struct sl_fetched *fetched = make_answer(&s->f, 1, true);
    fill_slice(&s->f, &fetched->slices[0], slot, 10);
    fetched->slices[0].data = s->answer.data;
    fetched->slices[0].size = s->answer.size;
    fetched->slices[0].is_packed = true;
    return send_answer(&s->f, fetched);
}

/* Returns how many jobs there were. */
static int take_jobs(struct story *s) {
    int before = s->out;
    struct sl_list jobs;
    sl_list_init(&jobs);
    sl_gate_take_jobs(s->f.gate, &jobs);
    for (struct sl_list *node; (node = sl_list_pop_front(&jobs)) != NULL; s->out++)
        sl_list_push_back(&s->jobs, node);
    sl_gate_check(s->f.gate);
    return s->out - before;
}

static void return_job(struct story *s, bool is_run) {
    struct sl_job *job = SL_LIST_OF(sl_list_pop_front(&s->jobs), struct sl_job, node);
    if (is_run) job->run(job, &s->tools);
    s->out--;
    sl_gate_on_job(s->f.gate, job);
    sl_gate_check(s->f.gate);
}

static void the_next_slice_is_left_alone(void **state) {
    struct story s;
    (void)state;
    start_story(&s, PARTS);
    assert_false(feed_packed(&s, 0));
    assert_int_equal(take_jobs(&s), 0);
    assert_true(feed_packed(&s, 1)); /* the loop is to look again */
    assert_int_equal(take_jobs(&s), 1);
    assert_ptr_equal(SL_LIST_OF(s.jobs.next, struct sl_unpack, job)->slice->owner,
                     SL_LIST_OF(s.jobs.next, struct sl_unpack, job)->owner);
    finish(&s.f, take_from(&s.f, 0, 0));
    return_job(&s, true);
    struct sl_slice *slice = take_from(&s.f, 1, 0);
    assert_int_equal(slice->unpack->count, 1);
    finish(&s.f, slice);
    end_story(&s);
}

static void a_single_partition_has_its_second_slice_unpacked(void **state) {
    struct story s;
    (void)state;
    start_story(&s, 1);
    for (int i = 0; i < 6; i++) feed_packed(&s, 0);
    assert_int_equal(take_jobs(&s), 3); /* so many are ahead, and no more */
    struct sl_slice *first = take_from(&s.f, 0, 0);
    assert_null(first->unpack);
    while (s.out > 0) return_job(&s, true);
    for (int i = 1; i <= 3; i++) {
        struct sl_slice *slice = take_from(&s.f, 0, 10 * i);
        assert_non_null(slice->unpack);
        finish(&s.f, slice);
    }
    finish(&s.f, first);
    assert_int_equal(take_jobs(&s), 1); /* the fifth is next, the sixth is behind it */
    return_job(&s, true);
    finish(&s.f, take_from(&s.f, 0, 40));
    finish(&s.f, take_from(&s.f, 0, 50));
    end_story(&s);
}

static void what_is_being_unpacked_is_passed_over(void **state) {
    struct story s;
    struct sl_slice *slice;
    (void)state;
    start_story(&s, 2);
    feed_packed(&s, 0);
    feed_packed(&s, 1);
    assert_int_equal(take_jobs(&s), 1);
    struct sl_slice *held = take_from(&s.f, 0, 0);
    feed_packed(&s, 0);
    finish(&s.f, take_from(&s.f, 0, 10)); /* not that of partition 1 */
    /* Nothing else is there: a poll waits, however full the account is. */
    assert_false(sl_gate_is_ready(s.f.gate));
    sl_gate_charge(s.f.gate, MEMORY);
    assert_false(sl_gate_is_ready(s.f.gate));
    assert_int_equal(take_code(&s.f, &slice), 0);
    assert_null(slice);
    sl_gate_charge(s.f.gate, -MEMORY);
    return_job(&s, true);
    assert_true(sl_gate_is_ready(s.f.gate));
    finish(&s.f, take_from(&s.f, 1, 0));
    finish(&s.f, held);
    end_story(&s);
}

static void one_partition_a_poll_does_not_jump(void **state) {
    struct story s;
    struct sl_slice *slices[4];
    int32_t count;
    (void)state;
    start_story(&s, 2);
    s.f.settings.poll_one_partition = true;
    for (int i = 0; i < 2; i++) feed_packed(&s, 0);
    feed_packed(&s, 1);
    assert_int_equal(take_jobs(&s), 2);
    assert_int_equal(sl_gate_take(s.f.gate, 1 << 20, slices, 4, &count, said, sizeof said), 0);
    assert_int_equal(count, 1);
    finish(&s.f, slices[0]);
    while (s.out > 0) return_job(&s, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sl_gate_take(s.f.gate, 1 << 20, slices, 4, &count, said, sizeof said), 0);
        assert_int_equal(count, 1);
        finish(&s.f, slices[0]);
    }
    end_story(&s);
}

/* A worker may have done it by the next poll. */
static void nothing_packed_is_taken_behind_what_is_unpacked(void **state) {
    struct story s;
    struct sl_slice *slices[4];
    int32_t count;
    (void)state;
    start_story(&s, PARTS);
    for (uint32_t i = 0; i < 2; i++) feed_packed(&s, i);
    assert_int_equal(take_jobs(&s), 1);
    return_job(&s, true);
    finish(&s.f, take_from(&s.f, 0, 0));
    feed(&s.f, 3); /* not compressed: it may come along */
    feed_packed(&s, 2);
    assert_int_equal(sl_gate_take(s.f.gate, 1 << 20, slices, 4, &count, said, sizeof said), 0);
    assert_int_equal(count, 2);
    assert_int_equal(slices[0]->partition, 1);
    assert_int_equal(slices[1]->partition, 3);
    for (int i = 0; i < 2; i++) finish(&s.f, slices[i]);
    finish(&s.f, take_from(&s.f, 2, 0));
    end_story(&s);
}

static void bytes_stay_until_the_job_is_back(void **state) {
    struct story s;
    (void)state;
    start_story(&s, 2);
    feed_packed(&s, 0);
    feed_packed(&s, 1);
    assert_int_equal(take_jobs(&s), 1);
    take_orders(&s.f);
    int64_t before = s.f.free_bytes;
    assert_int_equal(seek(&s.f, 1, 500), 0);
    take_orders(&s.f);
    assert_int_equal(s.f.free_bytes, before); /* the answer is still being read */
    return_job(&s, true);
    take_orders(&s.f);
    assert_int_equal(s.f.free_bytes, before + BUFFER_BYTES - spare_bytes(&s.f));
    assert_true(spare_bytes(&s.f) > 0);
    finish(&s.f, take_from(&s.f, 0, 0));
    end_story(&s);
}

static void what_is_unpacked_counts_and_comes_again(void **state) {
    struct story s;
    (void)state;
    start_story(&s, 2);
    feed_packed(&s, 0);
    feed_packed(&s, 1);
    assert_int_equal(take_jobs(&s), 1);
    finish(&s.f, take_from(&s.f, 0, 0));
    take_orders(&s.f);
    int64_t before = s.f.free_bytes;
    return_job(&s, true);
    take_orders(&s.f);
    struct sl_slice *slice = take_from(&s.f, 1, 0);
    const struct sl_unpack *unpack = slice->unpack;
    assert_true(unpack->charged >= (int64_t)unpack->records.size && unpack->count == 1);
    assert_int_equal(s.f.free_bytes, before - unpack->charged);
    assert_int_equal(s.f.gate->in_hand, (int64_t)slice->size + unpack->charged);
    assert_int_equal(sl_gate_untake(s.f.gate, slice, 4), 0);
    assert_int_equal(s.f.gate->in_hand, 0);
    slice = take_from(&s.f, 1, 4);
    assert_ptr_equal(slice->unpack, unpack);
    finish(&s.f, slice);
    assert_int_equal(s.f.gate->in_hand, 0);
    end_story(&s);
}

static void a_job_that_nobody_ran_leaves_it_as_it_was(void **state) {
    struct story s;
    (void)state;
    start_story(&s, 2);
    feed_packed(&s, 0);
    feed_packed(&s, 1);
    assert_int_equal(take_jobs(&s), 1);
    return_job(&s, false);
    assert_int_equal(take_jobs(&s), 0); /* it is not tried again */
    finish(&s.f, take_from(&s.f, 0, 0));
    struct sl_slice *slice = take_from(&s.f, 1, 0);
    assert_int_equal(slice->unpack->count, 0);
    finish(&s.f, slice);
    end_story(&s);
}

static void without_memory_or_jobs_it_goes_as_before(void **state) {
    struct story s;
    (void)state;
    start_story(&s, 2);
    feed_packed(&s, 0);
    feed_packed(&s, 1);
    test_memory_fail_next(&s.f.memory);
    assert_int_equal(take_jobs(&s), 0);
    test_memory_fail_at(&s.f.memory, 0);
    sl_gate_set_jobs(s.f.gate, JOBS, 1000); /* so small a slice does not pay */
    assert_int_equal(take_jobs(&s), 0);
    sl_gate_set_jobs(s.f.gate, 0, 0);
    assert_int_equal(take_jobs(&s), 0);
    finish(&s.f, take_from(&s.f, 0, 0));
    finish(&s.f, take_from(&s.f, 1, 0));
    end_story(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_slice_is_left_alone),
        cmocka_unit_test(a_single_partition_has_its_second_slice_unpacked),
        cmocka_unit_test(what_is_being_unpacked_is_passed_over),
        cmocka_unit_test(one_partition_a_poll_does_not_jump),
        cmocka_unit_test(nothing_packed_is_taken_behind_what_is_unpacked),
        cmocka_unit_test(bytes_stay_until_the_job_is_back),
        cmocka_unit_test(what_is_unpacked_counts_and_comes_again),
        cmocka_unit_test(a_job_that_nobody_ran_leaves_it_as_it_was),
        cmocka_unit_test(without_memory_or_jobs_it_goes_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
