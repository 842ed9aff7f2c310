/* Goal: what a poll unpacks is bounded, however much one answer holds: the rest of a partition's part
 * comes with the next polls, whole and in order, also where batches are kept meanwhile.
 * Method: compressed batches in one partition, a consumer with a small budget, and the bytes of every
 * poll counted. */
#include "scenario.h"

enum { RECORDS = 400, MEMORY = 1 << 20, BATCH = 20000 };

static const char *const packed[] = {"compression.type", "lz4", "batch.size", "20000",
                                     "linger.ms",        "20",  NULL};
static const char *const small[] = {"fetch.memory", "1048576", NULL};

static void send_all(struct story *s, sluice_client *p) {
    for (int i = 0; i < RECORDS; i++) assert_int_equal(story_send_large(s, p, 0, 10000, -1), 0);
    assert_true(story_await_reports(s, p, RECORDS, 60000));
}

/* The records of a poll, from *next on. Returns their bytes. */
static size_t walk(sluice_batch *batch, int64_t *next) {
    sluice_view v;
    size_t bytes = 0;
    while (sluice_batch_next(batch, &v, sizeof v) == 1) {
        assert_int_equal(v.offset, *next);
        *next = v.offset + 1;
        bytes += v.value_size;
    }
    return bytes;
}

static void play(int kept) {
    struct story s;
    sluice_batch *held[8] = {NULL};
    int64_t next = 0;
    size_t most = 0;
    int polls = 0;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, packed);
    send_all(&s, p);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, small);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    while (next < RECORDS) {
        sluice_batch **batch = &held[kept == 0 ? 0 : polls % kept];
        assert_int_equal(sluice_batch_finish(*batch), 0);
        *batch = NULL;
        assert_int_equal(sluice_consumer_poll(c, 10000, batch), 0);
        assert_non_null(*batch);
        size_t bytes = walk(*batch, &next);
        if (bytes > most) most = bytes;
        polls++;
    }
    for (int i = 0; i < 8; i++) assert_int_equal(sluice_batch_finish(held[i]), 0);
    assert_true(most <= MEMORY / 8 + BATCH);
    assert_true(most >= MEMORY / 16); /* and polls are no smaller than they need be */
    assert_string_equal(story_end(&s), "");
}

static void test_a_poll_at_a_time(void **state) {
    (void)state;
    play(0);
}

static void test_with_batches_in_hand(void **state) {
    (void)state;
    play(3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_poll_at_a_time),
                                       cmocka_unit_test(test_with_batches_in_hand)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
