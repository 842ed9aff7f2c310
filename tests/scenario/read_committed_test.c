/* Goal: a reader of committed records sees those of transactions that were committed and those
 * outside of any, each once and in order; nothing of transactions that were undone, wherever it
 * begins and however its answers are cut; it stops before the first open transaction, says that this
 * is the end, and goes on when it is over.
 * Method: transactional batches and markers are put into the log as a coordinator would. */
#include "scenario.h"

#include "record/batch_write.h"

enum { RECORDS_MOST = 200, PLAIN = -1 };

/* What a reader is to see: offsets, in order. */
struct seen {
    int64_t offsets[RECORDS_MOST];
    int count;
};

/* A batch of so many records; its first offset. */
static int64_t put_batch(struct story *s, int64_t producer_id, int32_t count) {
    uint8_t data[2000];
    int64_t base;
    size_t size = SL_RECORD_HEADER_SIZE;
    for (int32_t i = 0; i < count; i++) {
        struct sl_record_in r = {
            .value = (const uint8_t *)"value", .value_size = 5, .key_size = -1};
        size += sl_batch_write_record(data + size, &r, 0, i);
    }
    struct sl_batch_summary summary = {
        .producer_id = producer_id,
        .producer_epoch = producer_id == PLAIN ? -1 : 0,
        .base_sequence = -1,
        .count = count,
        .attributes = producer_id == PLAIN ? 0 : SL_RECORD_TRANSACTIONAL,
    };
    struct sl_iov records = {data + SL_RECORD_HEADER_SIZE, size - SL_RECORD_HEADER_SIZE};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(data, &summary, &sum);
    world_broker_begin(s->world);
    assert_int_equal(sl_broker_log_append(s->world->broker, "t", 0, data, size, &base), 0);
    world_broker_end(s->world);
    return base;
}

static void expect(struct seen *seen, int64_t base, int32_t count) {
    for (int32_t i = 0; i < count; i++) seen->offsets[seen->count++] = base + i;
}

static void end_transaction(struct story *s, int64_t producer_id, bool is_committed) {
    world_broker_begin(s->world);
    assert_int_equal(
        sl_broker_end_transaction(s->world->broker, "t", 0, producer_id, 0, is_committed), 0);
    world_broker_end(s->world);
}

/* Reads until the end of the partition is told, or nothing comes any more. */
static void read_to_end(sluice_client *c, struct seen *out, bool *at_end) {
    sluice_batch *batch;
    sluice_slice slice;
    sluice_view view;
    *at_end = false;
    out->count = 0;
    while (!*at_end && sluice_consumer_poll(c, 2000, &batch) == 0 && batch != NULL) {
        for (int32_t i = 0; sluice_batch_slice(batch, i, &slice, sizeof slice) == 1; i++)
            *at_end = slice.at_end != 0;
        while (sluice_batch_next(batch, &view, sizeof view) == 1)
            out->offsets[out->count++] = view.offset;
        assert_int_equal(sluice_batch_finish(batch), 0);
    }
}

static void compare(const struct seen *got, const struct seen *expected, int64_t from) {
    int at = 0;
    for (int i = 0; i < expected->count; i++) {
        if (expected->offsets[i] < from) continue;
        if (at >= got->count) fail_msg("offset %d is missing", (int)expected->offsets[i]);
        assert_int_equal(got->offsets[at++], expected->offsets[i]);
    }
    assert_int_equal(at, got->count);
}

/* Three producers: 1 undoes, commits, undoes; 2 commits around it; 3 stays open at the end. */
static void write_story(struct story *s, struct seen *committed) {
    expect(committed, put_batch(s, PLAIN, 3), 3);
    (void)put_batch(s, 1, 4);
    expect(committed, put_batch(s, 2, 2), 2);
    expect(committed, put_batch(s, PLAIN, 1), 1);
    (void)put_batch(s, 1, 1);
    end_transaction(s, 1, false);
    expect(committed, put_batch(s, 1, 2), 2);
    expect(committed, put_batch(s, 2, 2), 2);
    end_transaction(s, 2, true);
    end_transaction(s, 1, true);
    (void)put_batch(s, 1, 5);
    expect(committed, put_batch(s, PLAIN, 2), 2);
    end_transaction(s, 1, false);
    (void)put_batch(s, 3, 2);
    (void)put_batch(s, PLAIN, 2);
}

static void read_committed(const char *partition_bytes) {
    struct story s;
    const char *const settings[] = {"isolation.level",
                                    "read_committed",
                                    "fetch.max.wait.ms",
                                    "100",
                                    "max.partition.fetch.bytes",
                                    partition_bytes,
                                    "poll.ends",
                                    "true",
                                    NULL};
    struct seen got;
    struct seen committed = {.count = 0};
    bool at_end;
    story_begin(&s, 1, 1);
    s.world->observer.on_broker = NULL; /* these records were sent by nobody */
    write_story(&s, &committed);
    int64_t stable = committed.offsets[committed.count - 1] + 2; /* behind the marker after it */
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    for (int64_t from = 0; from <= stable; from++) {
        assert_int_equal(story_assign(&s, c, 0, from), 0);
        read_to_end(c, &got, &at_end);
        assert_true(at_end);
        compare(&got, &committed, from);
    }
    end_transaction(&s, 3, true);
    expect(&committed, stable, 4);
    read_to_end(c, &got, &at_end);
    compare(&got, &committed, stable);
    s.truth.topics[0].lives[0].logs[0].end = stable + 5; /* nothing that the truth knows of */
    assert_string_equal(story_end(&s), "");
}

static void test_committed_records_alone(void **state) {
    (void)state;
    read_committed("1000000");
}

/* One batch an answer: a transaction and its marker come in different ones. */
static void test_batch_by_batch(void **state) {
    (void)state;
    read_committed("1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committed_records_alone),
        cmocka_unit_test(test_batch_by_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
