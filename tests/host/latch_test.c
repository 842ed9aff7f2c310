/* Goal: a latch lets in one thread at a time, whoever is put aside while holding it, and nobody waits
 * for ever.
 * Method: threads that read, dawdle and write a plain counter inside. Under the thread sanitizer it
 * proves that what one thread wrote inside the next one sees. */
#include "unit/support.h"

#include <pthread.h>

#include "driver/latch.h"
#include "driver/system.h"

enum { THREADS = 4, ROUNDS = 20000 };

struct shared {
    struct sl_latch latch;
    uint64_t count; /* plain: the latch is its only guard */
    uint64_t slow;  /* every so many rounds the holder gives its processor away; 0: never */
};

static void *count_up(void *arg) {
    struct shared *s = arg;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        sl_latch_lock(&s->latch);
        uint64_t seen = s->count;
        if (s->slow > 0 && i % s->slow == 0) sl_system_pause(50000);
        s->count = seen + 1;
        sl_latch_unlock(&s->latch);
    }
    return NULL;
}

static void run_threads(uint64_t slow) {
    struct shared s = {.slow = slow};
    pthread_t threads[THREADS];
    sl_latch_init(&s.latch);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &s), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(s.count, (uint64_t)THREADS * ROUNDS);
    assert_true(sl_latch_try(&s.latch));
}

static void test_one_at_a_time(void **state) {
    (void)state;
    run_threads(0);
}

/* Holders that sleep: the others sleep too, and come back. */
static void test_holders_that_are_put_aside(void **state) {
    (void)state;
    run_threads(500);
}

static void *take_once(void *arg) {
    struct shared *s = arg;
    sl_latch_lock(&s->latch);
    s->count = 1;
    sl_latch_unlock(&s->latch);
    return NULL;
}

static void test_held_is_held(void **state) {
    (void)state;
    struct shared s = {.count = 0};
    pthread_t thread;
    sl_latch_init(&s.latch);
    assert_true(sl_latch_seems_free(&s.latch));
    assert_true(sl_latch_try(&s.latch));
    assert_false(sl_latch_seems_free(&s.latch));
    assert_false(sl_latch_try(&s.latch));
    assert_int_equal(pthread_create(&thread, NULL, take_once, &s), 0);
    assert_int_equal(s.count, 0);
    sl_latch_unlock(&s.latch);
    pthread_join(thread, NULL);
    assert_int_equal(s.count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_holders_that_are_put_aside),
        cmocka_unit_test(test_held_is_held),
    };
    return cmocka_run_group_tests_name("host_latch", tests, NULL, NULL);
}
