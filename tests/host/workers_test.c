/* Goal: worker threads run every job once and give it back to whom it belongs, whatever the number
 * of jobs, threads and members; the last call of a member leaves nothing behind.
 * Method: jobs that count, some of which wait on a gate of the test's, so that it is known which are
 * under way. Under the thread sanitizer it proves the locking. */
#include "unit/support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/core.h"
#include "driver/inbox.h"
#include "driver/system.h"
#include "driver/workers.h"

enum { JOBS = 200, PATIENCE_S = 20 };

struct bench {
    struct sl_mailbox mail;
    bool open;   /* the gate */
    int at_gate; /* jobs that wait there */
    int wakes;
    struct test_memory memory;
    struct sl_workers *workers;
};
struct test_job {
    struct sl_job job;
    struct bench *bench;
    bool waits;
    int runs;
};

static void wake_bench(void *self) {
    struct bench *b = self;
    sl_inbox_mail_lock(&b->mail);
    b->wakes++;
    sl_inbox_mail_tell(&b->mail);
    sl_inbox_mail_unlock(&b->mail);
}

static void run_test_job(struct sl_job *job, struct sl_job_tools *tools) {
    struct test_job *t = SL_LIST_OF(job, struct test_job, job);
    struct bench *b = t->bench;
    assert_non_null(tools->codecs);
    sl_inbox_mail_lock(&b->mail);
    b->at_gate += t->waits;
    sl_inbox_mail_tell(&b->mail);
    while (t->waits && !b->open) (void)sl_inbox_mail_wait(&b->mail, SL_NEVER);
    sl_inbox_mail_unlock(&b->mail);
    t->runs++;
    job->is_done = true;
}

static void begin(struct bench *b, int32_t most) {
    memset(b, 0, sizeof *b);
    test_memory_init(&b->memory);
    assert_int_equal(sl_inbox_mail_init(&b->mail), 0);
    assert_int_equal(sl_workers_create(sl_alloc_default(), most, wake_bench, b, &b->workers), 0);
}
static void end(struct bench *b) {
    sl_workers_destroy(b->workers);
    sl_inbox_mail_deinit(&b->mail);
}

static void start(struct bench *b, struct test_job *t, uint64_t member, bool waits) {
    *t = (struct test_job){
        .job = {.run = run_test_job, .member = member}, .bench = b, .waits = waits};
    sl_workers_start(b->workers, &t->job);
}

static void open_gate(struct bench *b) {
    sl_inbox_mail_lock(&b->mail);
    b->open = true;
    sl_inbox_mail_tell(&b->mail);
    sl_inbox_mail_unlock(&b->mail);
}

/* Waits until so many jobs stand at the gate. */
static void await_gate(struct bench *b, int count) {
    int64_t until = sl_system_now() + PATIENCE_S * INT64_C(1000000000);
    sl_inbox_mail_lock(&b->mail);
    while (b->at_gate < count)
        if (!sl_inbox_mail_wait(&b->mail, until)) break;
    assert_int_equal(b->at_gate, count);
    sl_inbox_mail_unlock(&b->mail);
}

/* The next job of the member, waiting for it. */
static struct test_job *await_job(struct bench *b, uint64_t member) {
    int64_t until = sl_system_now() + PATIENCE_S * INT64_C(1000000000);
    for (;;) {
        sl_inbox_mail_lock(&b->mail);
        int seen = b->wakes;
        sl_inbox_mail_unlock(&b->mail);
        struct sl_job *job = sl_workers_take(b->workers, member, false);
        if (job != NULL) return SL_LIST_OF(job, struct test_job, job);
        sl_inbox_mail_lock(&b->mail);
        bool in_time = true;
        while (b->wakes == seen && in_time) in_time = sl_inbox_mail_wait(&b->mail, until);
        sl_inbox_mail_unlock(&b->mail);
        assert_true(in_time);
    }
}

static void test_every_job_is_run_once(void **state) {
    (void)state;
    for (int32_t most = 1; most <= 6; most++) { /* more than four are four */
        static struct test_job jobs[JOBS];
        struct bench b;
        begin(&b, most);
        for (int i = 0; i < JOBS; i++) start(&b, &jobs[i], (uint64_t)i % 3, false);
        for (int i = 0; i < JOBS; i++) {
            struct test_job *t = await_job(&b, (uint64_t)i % 3);
            assert_int_equal(t->job.member, i % 3);
            assert_true(t->job.is_done);
        }
        for (int i = 0; i < JOBS; i++) assert_int_equal(jobs[i].runs, 1);
        for (uint64_t m = 0; m < 3; m++) assert_null(sl_workers_take(b.workers, m, true));
        end(&b);
    }
}

static void test_one_thread_keeps_the_order(void **state) {
    (void)state;
    static struct test_job jobs[JOBS];
    struct bench b;
    begin(&b, 1);
    for (int i = 0; i < JOBS; i++) start(&b, &jobs[i], 7, false);
    for (int i = 0; i < JOBS; i++) assert_ptr_equal(await_job(&b, 7), &jobs[i]);
    end(&b);
}

/* As many run at once as there may be threads, not more. */
static void test_threads_are_bounded(void **state) {
    (void)state;
    static struct test_job jobs[10];
    struct bench b;
    begin(&b, 3);
    for (int i = 0; i < 10; i++) start(&b, &jobs[i], 1, true);
    await_gate(&b, 3);
    assert_null(sl_workers_take(b.workers, 1, false));
    open_gate(&b);
    for (int i = 0; i < 10; i++) (void)await_job(&b, 1);
    assert_int_equal(b.at_gate, 10);
    end(&b);
}

/* The last call of a member gets those that were not begun as they are, and waits for one that is
 * being run; another member's stay. */
static void *open_later(void *arg) {
    struct bench *b = arg;
    await_gate(b, 1);
    open_gate(b);
    return NULL;
}
static void test_the_last_call_leaves_nothing(void **state) {
    (void)state;
    struct test_job first, second, other;
    struct bench b;
    pthread_t thread;
    int done = 0, undone = 0;
    begin(&b, 1);
    start(&b, &first, 1, true);
    await_gate(&b, 1);
    start(&b, &second, 1, false);
    start(&b, &other, 2, false);
    assert_int_equal(pthread_create(&thread, NULL, open_later, &b), 0);
    for (struct sl_job *job; (job = sl_workers_take(b.workers, 1, true)) != NULL;) {
        done += job->is_done;
        undone += !job->is_done;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(done, first.runs + second.runs);
    assert_int_equal(first.runs, 1);
    assert_int_equal(done + undone, 2);
    assert_ptr_equal(await_job(&b, 2), &other);
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_job_is_run_once),
        cmocka_unit_test(test_one_thread_keeps_the_order),
        cmocka_unit_test(test_threads_are_bounded),
        cmocka_unit_test(test_the_last_call_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
