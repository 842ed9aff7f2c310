/* Goal: a batch that the broker refuses as too large arrives in parts, in order and once, and
 * nothing overtakes it (protocol notes, bug 20 of section 7). Method: a whole core with a scripted
 * broker in virtual time (core_producer.h) that refuses what is larger than it takes. */
#include "core_producer.h"

#include "core/unit.h"

static struct prod_request req;
static struct prod_request other;

/* linger.ms is 5, and the identity is known. */
static struct prod *start_with(struct prod *p) {
    p->h->settings.linger_ms = 5;
    prod_open(p);
    prod_put(p, "t", 0, 0);
    prod_serve_for(p, 10);
    assert_int_equal(p->written, 1);
    p->reports[0] = 0;
    p->told = 0;
    return p;
}
static struct prod *start(void) { return start_with(prod_prepare()); }

/* Values of `size` bytes that begin with their tags, as one batch to partition 0. */
static void send_batch(struct prod *p, uint64_t first, uint64_t last, uint32_t size) {
    static uint64_t value[1024];
    for (uint64_t tag = first; tag <= last; tag++) {
        value[0] = tag;
        for (size_t i = 4; i < 1024; i += 4) /* a quarter of it cannot be compressed */
            value[i] = (tag << 32 | i) * UINT64_C(0x9e3779b97f4a7c15);
        struct sl_staging_input in = {.topic = "t",
                                      .value = value,
                                      .value_size = size,
                                      .tag = tag,
                                      .flags = SL_STAGED_PARTITION | SL_STAGED_KEY_NULL};
        assert_int_equal(prod_put_input(p, &in), 0);
    }
    prod_advance(p, 5);
}

/* Tags are the offsets that records should get; compressed ones are not read. */
static void append(struct prod *p, struct prod_part *part) {
    struct prod_log *log = prod_log(p, "t", 0);
    if ((part->info.attributes & SL_RECORD_CODEC_MASK) == 0) {
        prod_append(p, part, &req.r);
        return;
    }
    if (part->info.base_sequence != log->next_sequence) {
        part->code = SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
        return;
    }
    assert_int_equal(part->first_tag, log->count);
    part->base_offset = log->count;
    log->count += part->info.record_count;
}

/* As prod_serve, by a broker that takes no batch of more than `limit` bytes. Returns how many
 * batches it refused for that. */
static int serve_limited(struct prod *p, int32_t limit) {
    int refused = 0;
    prod_turn(p);
    while (prod_waiting(p) > 0) {
        prod_next(p, &req);
        for (int32_t i = 0; i < req.count; i++) {
            struct prod_part *part = &req.parts[i];
            if (part->info.size <= limit) {
                append(p, part);
                continue;
            }
            part->code = SLUICE_KAFKA_MESSAGE_TOO_LARGE;
            refused++;
        }
        prod_reply(p, &req);
        prod_forget_requests(p);
    }
    return refused;
}
static void expect_log(struct prod *p, uint64_t last) {
    const struct prod_log *log = prod_log(p, "t", 0);
    assert_int_equal(log->count, last + 1);
    for (uint64_t tag = 0; tag <= last; tag++) assert_int_equal(log->tags[tag], tag);
}

/* Two halves with the sequences of the whole; each has its own report. */
static void test_halves_take_the_place_of_the_whole(void **state) {
    (void)state;
    static const int16_t codes[] = {SLUICE_KAFKA_MESSAGE_TOO_LARGE,
                                    SLUICE_KAFKA_RECORD_LIST_TOO_LARGE};
    for (int c = 0; c < 2; c++) {
        struct prod *p = start();
        send_batch(p, 1, 8, 100);
        prod_answer(p, &req, codes[c], -1);
        assert_int_equal(req.parts[0].info.record_count, 8);
        prod_expect_none(p, 1, 8);
        prod_next(p, &other);
        assert_int_equal(other.parts[0].info.base_sequence, req.parts[0].info.base_sequence);
        assert_true(other.parts[0].info.size <= req.parts[0].info.size / 2);
        assert_int_equal(other.parts[0].first_tag, 1);
        int32_t first = other.parts[0].info.record_count;
        assert_int_equal(other.parts[0].last_tag, first);
        assert_int_equal(prod_waiting(p), 0); /* the rest waits for the first success */
        other.parts[0].base_offset = 50;
        prod_reply(p, &other);
        prod_next(p, &other);
        assert_int_equal(other.parts[0].info.base_sequence,
                         req.parts[0].info.base_sequence + first);
        assert_int_equal(other.parts[0].first_tag, first + 1);
        other.parts[0].base_offset = 70;
        prod_reply(p, &other);
        prod_serve(p);
        prod_expect(p, 1, 8, SL_OUTCOME_WRITTEN);
        assert_int_equal(p->offset[1], 50);
        assert_int_equal(p->offset[first + 1], 70);
        assert_true(p->told >= 2);
        prod_end(p);
    }
}

/* Batches that were sent behind it are refused as out of order, keep their sequences and their
 * bytes, and follow: the epoch stays. */
static void test_batches_behind_follow(void **state) {
    (void)state;
    struct prod *p = start();
    send_batch(p, 1, 8, 100);
    send_batch(p, 9, 9, 100);
    send_batch(p, 10, 10, 100);
    assert_int_equal(prod_waiting(p), 3);
    prod_answer(p, &req, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    assert_int_equal(prod_waiting(p), 2);
    uint32_t crc[2];
    for (int i = 0; i < 2; i++) {
        prod_answer(p, &other, SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
        crc[i] = other.parts[0].bytes_crc;
    }
    assert_int_equal(host_count_requests(p->h, SL_API_INIT_PRODUCER_ID), 0);
    uint64_t next = 1;
    for (int batches = 0; next <= 10; batches++) {
        prod_advance(p, 200);
        prod_next(p, &other);
        assert_int_equal(other.parts[0].first_tag, next);
        assert_int_equal(other.parts[0].info.base_sequence, next);
        assert_int_equal(other.parts[0].info.producer_epoch, req.parts[0].info.producer_epoch);
        if (next >= 9) assert_int_equal(other.parts[0].bytes_crc, crc[next - 9]);
        next += (uint64_t)other.parts[0].info.record_count;
        prod_reply(p, &other);
    }
    prod_expect(p, 1, 10, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* Without sequences the parts go in order too, and the retries that are allowed are not used up. */
static void test_splits_are_no_retries(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.idempotence = false;
    p->h->settings.retries = 0;
    start_with(p);
    send_batch(p, 1, 32, 100);
    assert_true(serve_limited(p, 250) >= 3);
    prod_expect(p, 1, 32, SL_OUTCOME_WRITTEN);
    expect_log(p, 32);
    prod_end(p);
}

/* Again and again until the parts fit, through every codec, and small or large values. */
static void test_split_until_it_fits(void **state) {
    (void)state;
    for (int codec = SL_CODEC_NONE; codec < SL_CODEC_COUNT; codec++) {
        struct prod *p = prod_prepare();
        p->h->settings.codec = codec;
        p->h->settings.level = SL_COMPRESS_LEVEL_DEFAULT;
        start_with(p);
        send_batch(p, 1, 40, codec == SL_CODEC_NONE ? 2500 : 1000);
        int32_t limit = codec == SL_CODEC_NONE ? 6000 : 1500;
        assert_true(serve_limited(p, limit) >= 1);
        for (int i = 0; i < 5; i++) {
            prod_advance(p, 200); /* what was behind backs off */
            assert_int_equal(serve_limited(p, limit), 0);
        }
        prod_expect(p, 1, 40, SL_OUTCOME_WRITTEN);
        for (uint64_t tag = 2; tag <= 40; tag++)
            assert_true(p->offset[tag] == p->offset[tag - 1] + 1);
        prod_end(p);
    }
}

/* The next batches of the topic are made small enough; another topic's are not. */
static void test_the_limit_is_learned(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->topics[1] = (struct host_topic){.name = "u", .id = 9, .partition_count = 1, .leader = 1};
    p->h->topic_count = 2;
    start_with(p);
    send_batch(p, 1, 40, 100);
    assert_true(serve_limited(p, 1300) > 0);
    send_batch(p, 41, 90, 100);
    assert_int_equal(serve_limited(p, 1300), 0);
    prod_expect(p, 1, 90, SL_OUTCOME_WRITTEN);
    expect_log(p, 90);
    static const uint8_t value[400];
    for (uint64_t tag = 100; tag < 120; tag++) {
        struct sl_staging_input in = {.topic = "u",
                                      .value = value,
                                      .value_size = sizeof value,
                                      .tag = tag,
                                      .flags = SL_STAGED_KEY_NULL};
        assert_int_equal(prod_put_input(p, &in), 0);
    }
    p->plain_values = true;
    prod_advance(p, 5);
    prod_serve_for(p, 10);
    prod_expect(p, 100, 119, SL_OUTCOME_WRITTEN);
    assert_int_equal(p->offset[119], 19);
    assert_true(p->h->core->batcher.topics[1]->batch_limit >
                p->h->core->batcher.topics[0]->batch_limit);
    prod_end(p);
}

/* One record cannot be split. The code says what it is, the text which settings it is about; what
 * follows goes on. */
static void test_single_record_is_not_written(void **state) {
    (void)state;
    struct prod *p = start();
    send_batch(p, 1, 1, 3000);
    send_batch(p, 2, 2, 100);
    prod_answer(p, &req, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    prod_expect(p, 1, 1, SL_OUTCOME_NOT_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_KAFKA_MESSAGE_TOO_LARGE);
    assert_non_null(strstr(p->text, "max.message.bytes"));
    assert_non_null(strstr(p->text, "message.max.bytes"));
    prod_answer(p, &other, SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    for (int i = 0; i < 20; i++) prod_serve_for(p, 100);
    prod_expect(p, 2, 2, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* In a batch of several, only the one that is too large is lost. */
static void test_only_the_large_one_is_lost(void **state) {
    (void)state;
    struct prod *p = start();
    uint64_t value[400] = {0};
    for (uint64_t tag = 1; tag <= 9; tag++) {
        value[0] = tag;
        struct sl_staging_input in = {.topic = "t",
                                      .value = value,
                                      .value_size = tag == 5 ? 1900 : 50,
                                      .tag = tag,
                                      .flags = SL_STAGED_PARTITION | SL_STAGED_KEY_NULL};
        assert_int_equal(prod_put_input(p, &in), 0);
    }
    prod_advance(p, 5);
    assert_true(serve_limited(p, 1000) >= 2);
    prod_expect(p, 1, 4, SL_OUTCOME_WRITTEN);
    prod_expect(p, 5, 5, SL_OUTCOME_NOT_WRITTEN);
    prod_expect(p, 6, 9, SL_OUTCOME_WRITTEN);
    assert_true(p->offset[4] < p->offset[6]);
    prod_end(p);
}

/* What may be in the log already keeps its bytes: parts of it could be written twice. */
static void test_an_open_attempt_is_not_split(void **state) {
    (void)state;
    struct prod *p = start();
    send_batch(p, 1, 8, 100);
    prod_answer(p, &req, SLUICE_KAFKA_REQUEST_TIMED_OUT, -1);
    prod_advance(p, 500);
    prod_answer(p, &other, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    assert_int_equal(other.parts[0].bytes_crc, req.parts[0].bytes_crc);
    prod_expect(p, 1, 8, SL_OUTCOME_MAYBE_WRITTEN);
    assert_int_equal(p->code[1], SLUICE_KAFKA_MESSAGE_TOO_LARGE);
    assert_int_equal(prod_waiting(p), 0);
    prod_end(p);
}

/* The first part under an identity ends, and nobody knows how: what is behind it is numbered anew. A
 * broker that has nothing of an identity would take any sequence, and leave a hole. */
static void test_no_hole_where_an_identity_begins(void **state) {
    (void)state;
    struct prod *p = start();
    for (uint64_t tag = 1; tag <= 8; tag++) prod_put(p, "t", 1, tag);
    prod_advance(p, 5);
    prod_answer(p, &req, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    assert_int_equal(req.parts[0].info.base_sequence, 0);
    prod_answer(p, &other, SLUICE_KAFKA_REQUEST_TIMED_OUT, -1);
    prod_advance(p, 500);
    prod_answer(p, &other, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    uint64_t last = (uint64_t)other.parts[0].info.record_count;
    prod_expect(p, 1, last, SL_OUTCOME_MAYBE_WRITTEN);
    assert_int_equal(prod_waiting(p), 0);
    prod_answer_id(p, 0, req.parts[0].info.producer_id, 1);
    prod_advance(p, 500);
    prod_next(p, &other);
    assert_int_equal(other.parts[0].first_tag, last + 1);
    assert_int_equal(other.parts[0].info.producer_epoch, req.parts[0].info.producer_epoch + 1);
    assert_int_equal(other.parts[0].info.base_sequence, 0);
    prod_reply(p, &other);
    prod_serve(p);
    prod_expect(p, last + 1, 8, SL_OUTCOME_WRITTEN);
    prod_end(p);
}

/* It has its outcome when the refusal comes: nothing of it is sent any more. */
static void test_an_expired_batch_is_not_split(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.delivery_timeout_ms = 1000;
    start_with(p);
    send_batch(p, 1, 8, 100);
    prod_next(p, &req);
    prod_advance(p, 1001);
    prod_expect(p, 1, 8, SL_OUTCOME_MAYBE_WRITTEN);
    req.parts[0].code = SLUICE_KAFKA_MESSAGE_TOO_LARGE;
    prod_reply(p, &req);
    prod_advance(p, 500);
    assert_int_equal(prod_waiting(p), 0);
    prod_end(p);
}

/* Parts end at the time of the whole. */
static void test_parts_keep_the_deadline(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.delivery_timeout_ms = 1000;
    start_with(p);
    send_batch(p, 1, 8, 100);
    prod_advance(p, 600);
    prod_answer(p, &req, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    prod_advance(p, 394);
    prod_expect_none(p, 1, 8);
    prod_advance(p, 2);
    for (uint64_t tag = 1; tag <= 8; tag++) assert_int_equal(p->reports[tag], 1);
    prod_expect(p, 8, 8, SL_OUTCOME_NOT_WRITTEN); /* the last part never left */
    prod_end(p);
}

/* Past 2^31 - 1 in the middle of the whole. */
static void test_sequences_of_parts_wrap(void **state) {
    (void)state;
    struct prod *p = start();
    p->h->core->metadata.topics[0]->partitions[0]->produce.next_sequence = INT32_MAX - 3;
    send_batch(p, 1, 16, 100);
    prod_answer(p, &req, SLUICE_KAFKA_MESSAGE_TOO_LARGE, -1);
    assert_int_equal(req.parts[0].info.base_sequence, INT32_MAX - 3);
    prod_answer(p, &other, 0, 5);
    assert_int_equal(other.parts[0].info.base_sequence, INT32_MAX - 3);
    int32_t first = other.parts[0].info.record_count;
    assert_true(first > 4);
    prod_answer(p, &other, 0, 5 + first);
    assert_int_equal(other.parts[0].info.base_sequence, first - 4);
    prod_end(p);
}

/* Every allocation of the split failing: then the whole batch is NOT_WRITTEN, with a report. */
static void test_no_memory_to_split(void **state) {
    (void)state;
    bool has_failed = true;
    for (long n = 1; has_failed; n++) {
        struct prod *p = start();
        send_batch(p, 1, 40, 100);
        prod_next(p, &req);
        req.parts[0].code = SLUICE_KAFKA_MESSAGE_TOO_LARGE;
        prod_reply_with(p, &req, 0);
        test_memory_fail_from(&p->h->memory, p->h->memory.calls + n);
        prod_turn(p);
        has_failed = test_memory_has_failed(&p->h->memory);
        test_memory_fail_at(&p->h->memory, 0);
        prod_serve_for(p, 2000);
        for (uint64_t tag = 1; tag <= 40; tag++) {
            assert_int_equal(p->reports[tag], 1);
            assert_int_equal(p->outcome[tag], p->outcome[1]);
        }
        prod_put(p, "t", 0, 41);
        prod_serve_for(p, 2000);
        prod_expect(p, 41, 41, SL_OUTCOME_WRITTEN);
        prod_end(p);
        assert_true(n < 200);
    }
}

/* Without reports there is nothing to tell, and the parts are counted all the same. */
static void test_without_reports(void **state) {
    (void)state;
    struct prod *p = prod_prepare();
    p->h->settings.reports = SL_REPORTS_NONE;
    p->h->settings.linger_ms = 5;
    prod_open(p);
    send_batch(p, 0, 20, 100);
    prod_serve_for(p, 10);
    send_batch(p, 21, 60, 100);
    assert_true(serve_limited(p, 500) > 0);
    assert_int_equal(p->written, 61);
    expect_log(p, 60);
    prod_end(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves_take_the_place_of_the_whole),
        cmocka_unit_test(test_batches_behind_follow),
        cmocka_unit_test(test_splits_are_no_retries),
        cmocka_unit_test(test_split_until_it_fits),
        cmocka_unit_test(test_the_limit_is_learned),
        cmocka_unit_test(test_single_record_is_not_written),
        cmocka_unit_test(test_only_the_large_one_is_lost),
        cmocka_unit_test(test_an_open_attempt_is_not_split),
        cmocka_unit_test(test_no_hole_where_an_identity_begins),
        cmocka_unit_test(test_an_expired_batch_is_not_split),
        cmocka_unit_test(test_parts_keep_the_deadline),
        cmocka_unit_test(test_sequences_of_parts_wrap),
        cmocka_unit_test(test_no_memory_to_split),
        cmocka_unit_test(test_without_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
