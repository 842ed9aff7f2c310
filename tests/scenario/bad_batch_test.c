/* Goal: a batch in the log that is corrupt, or in the format of message version 0 or 1, is told
 * once, naming the offset; the partition then waits, and a seek past it reads the rest. Other
 * partitions go on meanwhile. What is only damaged on the way is read again after a seek. A batch too
 * large to be received is told in the same way.
 * Method: the log gets such a batch between good ones; one Fetch answer is damaged. */
#include "scenario.h"

#include "record/batch_write.h"
#include "record/crc32c.h"

enum { GOOD = 5, LARGE = 20 };

static void send_good(struct story *s, sluice_client *p, int32_t partition, int64_t reports) {
    for (int i = 0; i < GOOD; i++) assert_int_equal(story_send(s, p, partition, 0), 0);
    assert_true(story_await_reports(s, p, reports, 10000));
}

/* A batch of one record whose checksum is right for its bytes, then made wrong. */
static size_t make_corrupt(uint8_t *out) {
    struct sl_record_in record = {
        .value = (const uint8_t *)"value", .value_size = 5, .key_size = -1};
    struct sl_batch_summary summary = {.base_timestamp = 1,
                                       .max_timestamp = 1,
                                       .producer_id = -1,
                                       .producer_epoch = -1,
                                       .base_sequence = -1,
                                       .count = 1};
    size_t size = sl_batch_write_record(out + SL_RECORD_HEADER_SIZE, &record, 0, 0);
    struct sl_iov piece = {.data = out + SL_RECORD_HEADER_SIZE, .size = size};
    struct sl_batch_sum sum = sl_batch_write_sum(&piece, 1);
    sl_batch_write_header(out, &summary, &sum);
    out[SL_RECORD_HEADER_SIZE + size - 2] ^= 0x20;
    return SL_RECORD_HEADER_SIZE + size;
}

/* A message of version 1: offset, size, CRC, magic, attributes, timestamp, key, value. */
static size_t make_old(uint8_t *out, uint8_t magic) {
    size_t body = magic == 0 ? 4 + 1 + 1 + 4 + 4 + 5 : 4 + 1 + 1 + 8 + 4 + 4 + 5;
    memset(out, 0, 12 + body);
    sl_bytes_put32(out + 8, (uint32_t)body);
    out[16] = magic;
    size_t at = magic == 0 ? 18 : 26;
    sl_bytes_put32(out + at, UINT32_MAX);
    sl_bytes_put32(out + at + 4, 5);
    memcpy(out + at + 8, "value", 5);
    return 12 + body;
}

/* Reads up to the bad offset, past it, and to the end. */
static void read_around(struct story *s, sluice_client *c, int expected) {
    int64_t next = 0;
    char text[600] = "";
    int rv = 0;
    sluice_batch *batch;
    while (rv == 0 && next <= GOOD) rv = story_read(s, c, &next, 1, 3000);
    assert_int_equal(rv, expected);
    assert_int_equal(next, GOOD);
    (void)sluice_client_explain(c, rv, text, sizeof text);
    if (strstr(text, "offset 5") == NULL) fail_msg("\"%s\" does not name the offset", text);
    /* Told once: the partition waits. */
    assert_int_equal(sluice_consumer_poll(c, 1000, &batch), 0);
    assert_null(batch);
    next = GOOD + 1;
    assert_int_equal(story_seek(s, c, 0, next), 0);
    assert_int_equal(story_read(s, c, &next, GOOD, 5000), 0);
    assert_int_equal(next, 2 * GOOD + 1);
}

static void play(const uint8_t *bad, size_t size, int expected) {
    struct story s;
    const char *const settings[] = {"fetch.max.wait.ms", "100", NULL};
    int64_t base;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    send_good(&s, p, 0, GOOD);
    s.world->observer.on_broker = NULL; /* the truth reads only good logs */
    world_broker_begin(s.world);
    assert_int_equal(sl_broker_log_append(s.world->broker, "t", 0, bad, size, &base), 0);
    world_broker_end(s.world);
    assert_int_equal(base, GOOD);
    /* As far as the truth is concerned the bad record has been read, and holds nothing. */
    s.truth.topics[0].lives[0].logs[0].end = GOOD + 1;
    send_good(&s, p, 0, 2 * GOOD);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    truth_scan(&s.truth, true);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    read_around(&s, c, expected);
    assert_string_equal(story_end(&s), "");
}

static void test_corrupt(void **state) {
    uint8_t bad[200];
    (void)state;
    play(bad, make_corrupt(bad), SLUICE_ERR_MALFORMED);
}

static void test_old_formats(void **state) {
    uint8_t bad[200];
    (void)state;
    play(bad, make_old(bad, 1), SLUICE_ERR_UNSUPPORTED);
    play(bad, make_old(bad, 0), SLUICE_ERR_UNSUPPORTED);
}

/* Damage on the way: the same records come whole after a seek to the same place. */
static void test_damaged_answer(void **state) {
    struct story s;
    const char *const settings[] = {"fetch.max.wait.ms", "100", NULL};
    struct sl_fault damage = {
        .kind = SL_FAULT_CORRUPT, .api = SL_API_FETCH, .partition = -1, .times = 1};
    int64_t next = 0;
    (void)state;
    story_begin(&s, 1, 1);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    send_good(&s, p, 0, GOOD);
    story_fault(&s, &damage);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    assert_int_equal(story_read(&s, c, &next, GOOD, 5000), SLUICE_ERR_MALFORMED);
    assert_int_equal(story_seek(&s, c, 0, next), 0);
    assert_int_equal(story_read(&s, c, &next, GOOD - next, 5000), 0);
    assert_int_equal(next, GOOD);
    assert_string_equal(story_end(&s), "");
}

static void test_too_large(void **state) {
    struct story s;
    const char *const small[] = {"fetch.max.wait.ms",
                                 "100",
                                 "receive.message.max.bytes",
                                 "200000",
                                 "fetch.max.bytes",
                                 "100000",
                                 "max.partition.fetch.bytes",
                                 "50000",
                                 NULL};
    const char *const patient[] = {"linger.ms", "100", NULL};
    char text[600] = "";
    int64_t next = 0;
    (void)state;
    story_begin(&s, 1, 2);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    sluice_client *large = story_open(&s, SLUICE_PRODUCER, patient);
    send_good(&s, p, 0, GOOD);
    for (int i = 0; i < LARGE; i++) /* one batch of 500 KB or so */
        assert_int_equal(story_send_large(&s, large, 0, 60000, 0), 0);
    assert_true(story_await_reports(&s, large, GOOD + LARGE, 10000));
    send_good(&s, p, 0, 2 * GOOD + LARGE);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, small);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    assert_int_equal(story_read(&s, c, &next, GOOD + 1, 20000), SLUICE_ERR_TOO_BIG);
    assert_int_equal(next, GOOD);
    (void)sluice_client_explain(c, SLUICE_ERR_TOO_BIG, text, sizeof text);
    if (strstr(text, "receive.message.max.bytes") == NULL || strstr(text, "header to 25") == NULL)
        fail_msg("it says: %s", text);
    int64_t asked = sl_broker_seen(s.world->broker, SL_API_FETCH);
    story_run(&s, 5000);
    assert_int_equal(sl_broker_seen(s.world->broker, SL_API_FETCH), asked);
    next = GOOD + LARGE;
    assert_int_equal(story_seek(&s, c, 0, next), 0);
    assert_int_equal(story_read(&s, c, &next, GOOD, 20000), 0);
    assert_int_equal(next, 2 * GOOD + LARGE);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corrupt), cmocka_unit_test(test_old_formats),
        cmocka_unit_test(test_damaged_answer), cmocka_unit_test(test_too_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
