/* Produce at the bundled broker: what is appended and how it is stamped, what a real broker refuses
 * and with which code, acks, versions by name and by id, and the sequences of idempotent
 * producers. */
#include "broker_client.h"

static struct client_batch batch;

static const struct sl_produce_partition_response *
produce_batch(struct client *c, struct client_link *l, int16_t version) {
    client_build(&batch);
    return client_produce(c, l, version, "t", 0, &batch);
}

static void expect_complaint(const struct client *c, const char *text) {
    if (strstr(sl_broker_complaint(c->broker), text) == NULL)
        fail_msg("complaint: %s", sl_broker_complaint(c->broker));
}

/* ---- appending ---- */

static void test_every_version_appends(void **state) {
    (void)state;
    for (int16_t version = 3; version <= 13; version++) {
        struct client *c = client_start(1, 1);
        struct client_link *l = client_connect(c, 1);
        client_batch_init(&batch, 3);
        assert_int_equal(produce_batch(c, l, version)->base_offset, 0);
        const struct sl_produce_partition_response *p = produce_batch(c, l, version);
        assert_int_equal(p->error_code, 0);
        assert_int_equal(p->partition, 0);
        assert_int_equal(p->base_offset, 3);
        assert_int_equal(p->log_append_ms, -1);
        if (version >= 5) assert_int_equal(p->log_start_offset, 0);
        assert_int_equal(p->current_leader.leader_id, -1);
        assert_int_equal(client_log(c, "t", 0).log_end, 6);
        assert_string_equal(sl_broker_complaint(c->broker), "");
        client_end(c);
    }
}

/* Base offset and leader epoch are the leader's; the CRC covers neither. */
static void test_stored_bytes(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 2);
    struct sl_batch_info info;
    const uint8_t *data;
    size_t size;
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    client_batch_init(&batch, 3);
    produce_batch(c, l, 9);
    produce_batch(c, l, 9);
    assert_int_equal(sl_broker_log_batch(c->broker, "t", 0, 4, &data, &size), 0);
    assert_int_equal(size, batch.size);
    assert_int_equal(sl_batch_read_info(data, size, &info), 0);
    assert_int_equal(sl_batch_read_check(data, &info), 0);
    assert_int_equal(info.base_offset, 3);
    assert_int_equal(info.leader_epoch, 1);
    assert_memory_equal(data + 16, batch.data + 16, size - 16);
    assert_int_equal(sl_broker_log_batch(c->broker, "t", 0, 6, &data, &size), SLUICE_ERR_NO_OFFSET);
    client_end(c);
}

static void test_acks(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    client_batch_init(&batch, 1);
    client_build(&batch);
    client_put_produce(c, l, 9, 0, "t", 0, &batch); /* no answer */
    client_put_produce(c, l, 9, 1, "t", 0, &batch);
    client_turn(c);
    assert_int_equal(client_produced(client_take(c, l))->base_offset, 1);
    client_put_produce(c, l, 9, 2, "t", 0, &batch);
    client_turn(c);
    assert_int_equal(client_produced(client_take(c, l))->error_code,
                     SLUICE_KAFKA_INVALID_REQUIRED_ACKS);
    expect_complaint(c, "acks is 2");
    assert_int_equal(client_log(c, "t", 0).log_end, 2);
    /* An error with acks=0 ends the connection. */
    client_put_produce(c, l, 9, 0, "missing", 0, &batch);
    client_turn(c);
    assert_false(l->open);
    client_end(c);
}

static void test_unknown_topics_and_partitions(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    client_batch_init(&batch, 1);
    client_build(&batch);
    const struct sl_produce_partition_response *p;
    p = client_produce(c, l, 9, "missing", 0, &batch);
    assert_int_equal(p->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(p->base_offset, -1);
    p = client_produce(c, l, 13, "missing", 0, &batch);
    assert_int_equal(p->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
    p = client_produce(c, l, 9, "t", 1, &batch);
    assert_int_equal(p->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    p = client_produce(c, l, 13, "t", -1, &batch);
    assert_int_equal(p->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    client_end(c);
}

/* A new leader is named from version 10 on, with where it listens. */
static void test_not_leader_hints(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_advertise(c->broker, 2, "two", 1234), 0);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    client_batch_init(&batch, 1);
    client_build(&batch);
    for (int16_t version = 9; version <= 10; version++) {
        client_put_produce(c, l, version, -1, "t", 0, &batch);
        client_turn(c);
        const struct sl_produce_response *m = client_take(c, l);
        const struct sl_produce_partition_response *p = client_produced(m);
        assert_int_equal(p->error_code, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER);
        assert_int_equal(p->current_leader.leader_id, version < 10 ? -1 : 2);
        assert_int_equal(p->current_leader.leader_epoch, version < 10 ? -1 : 1);
        assert_int_equal(m->node_endpoints.count, version < 10 ? 0 : 2);
        if (version < 10) continue;
        const struct sl_node_endpoint *e = client_item(&m->node_endpoints, 1, sizeof *e);
        assert_int_equal(e->node_id, 2);
        assert_true(sl_bytes_str_equal(e->host, SL_STR("two")));
        assert_int_equal(e->port, 1234);
    }
    assert_int_equal(client_log(c, "t", 0).log_end, 0);
    client_end(c);
}

/* ---- what is refused ---- */

static void set16(size_t at, uint16_t value) { sl_bytes_put16(batch.data + at, value); }
static void set32(size_t at, uint32_t value) { sl_bytes_put32(batch.data + at, value); }

/* Sets the CRC anew: what is wrong is to be only what the test made wrong. */
static void seal_again(void) {
    struct sl_iov records = {batch.data + SL_RECORD_HEADER_SIZE,
                             batch.size - SL_RECORD_HEADER_SIZE};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_identity(batch.data, batch.producer_id, batch.epoch, batch.sequence, &sum);
}

static void expect_refused(int code, const char *why) {
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    const struct sl_produce_partition_response *p = client_produce(c, l, 9, "t", 0, &batch);
    assert_int_equal(p->error_code, code);
    assert_int_equal(p->base_offset, -1);
    expect_complaint(c, why);
    if (p->error_message.size <= 0) fail_msg("no message with \"%s\"", why);
    assert_int_equal(client_log(c, "t", 0).log_end, 0);
    client_end(c);
}

static void begin_batch(void) {
    client_batch_init(&batch, 3);
    client_build(&batch);
}

/* A compacted topic names every record without a key, and takes nothing of their batch. */
static void test_keyless_records_are_named(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    const struct sl_produce_partition_response *p;
    begin_batch();
    assert_int_equal(sl_broker_set_topic(c->broker, "t", "cleanup.policy", "both"),
                     SLUICE_ERR_CONFIG);
    assert_int_equal(sl_broker_set_topic(c->broker, "t", "other", "compact"), SLUICE_ERR_CONFIG);
    assert_int_equal(sl_broker_set_topic(c->broker, "none", "cleanup.policy", "compact"),
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(sl_broker_set_topic(c->broker, "t", "cleanup.policy", "compact"), 0);
    p = client_produce(c, l, 9, "t", 0, &batch);
    assert_int_equal(p->error_code, SLUICE_KAFKA_INVALID_RECORD);
    assert_true(p->error_message.size > 0);
    assert_int_equal(p->record_errors.count, 3);
    for (int32_t i = 0; i < 3; i++) {
        const struct sl_produce_record_error *error =
            client_item(&p->record_errors, i, sizeof *error);
        assert_int_equal(error->batch_index, i);
        assert_true(error->message.size > 0);
    }
    assert_int_equal(client_log(c, "t", 0).log_end, 0);
    assert_int_equal(sl_broker_set_topic(c->broker, "t", "cleanup.policy", "delete"), 0);
    assert_int_equal(client_produce(c, l, 9, "t", 0, &batch)->error_code, 0);
    client_end(c);
}

static void test_broken_batches(void **state) {
    (void)state;
    begin_batch();
    batch.size = 0;
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "no record batch");
    begin_batch();
    batch.data[SL_RECORD_HEADER_SIZE + 5] ^= 1;
    expect_refused(SLUICE_KAFKA_CORRUPT_MESSAGE, "crc is wrong");
    begin_batch();
    batch.size--;
    expect_refused(SLUICE_KAFKA_CORRUPT_MESSAGE, "batchLength is beyond");
    begin_batch();
    batch.data[batch.size++] = 0;
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "more than one batch");
    begin_batch();
    memcpy(batch.data + batch.size, batch.data, batch.size);
    batch.size *= 2;
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "more than one batch");
    begin_batch();
    batch.data[0 + 7] = 1;
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "baseOffset is not 0");
    begin_batch();
    set32(23, 3);
    seal_again();
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "lastOffsetDelta is not recordCount - 1");
    begin_batch();
    set32(57, 2);
    set32(23, 1);
    seal_again();
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "recordCount is wrong");
    begin_batch();
    set32(57, 4);
    set32(23, 3);
    seal_again();
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "recordCount is wrong");
}

static void test_attributes_that_clients_may_not_set(void **state) {
    (void)state;
    static const struct {
        uint16_t bits;
        int code;
        const char *why;
    } cases[] = {
        {0x20, SLUICE_KAFKA_INVALID_RECORD, "the control bit is set"},
        {0x08, SLUICE_KAFKA_INVALID_RECORD, "the timestamp type is not 0"},
        {0x05, SLUICE_KAFKA_INVALID_RECORD, "the codec is none of 0 to 4"},
        {0x07, SLUICE_KAFKA_INVALID_RECORD, "the codec is none of 0 to 4"},
        {0x01, SLUICE_KAFKA_CORRUPT_MESSAGE, "cannot be decompressed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_batch();
        set16(21, cases[i].bits);
        seal_again();
        expect_refused(cases[i].code, cases[i].why);
    }
}

static void test_zstd_needs_version_7(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    begin_batch();
    set16(21, 4);
    seal_again();
    assert_int_equal(client_produce(c, l, 6, "t", 0, &batch)->error_code,
                     SLUICE_KAFKA_UNSUPPORTED_COMPRESSION_TYPE);
    assert_int_equal(client_produce(c, l, 7, "t", 0, &batch)->error_code,
                     SLUICE_KAFKA_CORRUPT_MESSAGE); /* it is let through to the codec */
    client_end(c);
}

static void test_identity_must_be_whole(void **state) {
    (void)state;
    client_batch_init(&batch, 1);
    batch.producer_id = 5;
    batch.epoch = -1;
    batch.sequence = 0;
    client_build(&batch);
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "producerEpoch is missing");
    batch.epoch = 0;
    batch.sequence = -1;
    client_build(&batch);
    expect_refused(SLUICE_KAFKA_INVALID_RECORD, "baseSequence is missing");
}

/* A real broker lets these pass; only the complaint tells. */
static void test_frowned_at(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    begin_batch();
    set16(21, 0x80);
    seal_again();
    assert_int_equal(client_produce(c, l, 9, "t", 0, &batch)->error_code, 0);
    expect_complaint(c, "unused bits");
    begin_batch();
    sl_bytes_put64(batch.data + 35, 99999);
    seal_again();
    assert_int_equal(client_produce(c, l, 9, "t", 0, &batch)->error_code, 0);
    expect_complaint(c, "maxTimestamp");
    client_batch_init(&batch, 1);
    batch.sequence = 4;
    client_build(&batch);
    assert_int_equal(client_produce(c, l, 9, "t", 0, &batch)->error_code, 0);
    expect_complaint(c, "without producerId");
    client_end(c);
}

static void test_message_max_bytes(void **state) {
    (void)state;
    struct client *c = client_prepare(1);
    begin_batch();
    c->options.message_max = (int32_t)batch.size;
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(client_produce(c, l, 9, "t", 0, &batch)->error_code, 0);
    assert_int_equal(sl_broker_set(c->broker, "message.max.bytes", "100"), 0);
    assert_int_equal(client_produce(c, l, 9, "t", 0, &batch)->error_code,
                     SLUICE_KAFKA_MESSAGE_TOO_LARGE);
    assert_int_equal(client_log(c, "t", 0).log_end, 3);
    client_end(c);
}

/* ---- sequences (KIP-98) ---- */

struct sequences {
    struct client *c;
    struct client_link *l;
    int64_t offset; /* of the last answer */
};

static void start_sequences(struct sequences *s) {
    s->c = client_start(1, 1);
    s->l = client_connect(s->c, 1);
}

/* The code of a batch of producer 9. */
static int send_sequence(struct sequences *s, int16_t epoch, int32_t sequence, int32_t count) {
    client_batch_init(&batch, count);
    batch.producer_id = 9;
    batch.epoch = epoch;
    batch.sequence = sequence;
    const struct sl_produce_partition_response *p = produce_batch(s->c, s->l, 9);
    s->offset = p->base_offset;
    return p->error_code;
}

static void test_last_five_batches_are_known(void **state) {
    (void)state;
    struct sequences s;
    start_sequences(&s);
    for (int32_t i = 0; i < 6; i++) {
        assert_int_equal(send_sequence(&s, 0, i * 2, 2), 0);
        assert_int_equal(s.offset, i * 2);
    }
    /* A duplicate is a success with the offset that it has. */
    for (int32_t i = 1; i < 6; i++) {
        assert_int_equal(send_sequence(&s, 0, i * 2, 2), 0);
        assert_int_equal(s.offset, i * 2);
    }
    /* One that left the cache is out of order: Kafka has no other code for it. */
    assert_int_equal(send_sequence(&s, 0, 0, 2), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(client_log(s.c, "t", 0).log_end, 12);
    int64_t records, bytes;
    sl_broker_written(s.c->broker, &records, &bytes);
    assert_int_equal(records, 12);
    assert_int_equal(bytes, 6 * (int64_t)batch.size);
    client_end(s.c);
}

/* What a log has lost, its leader does not take for a duplicate, and what it has left it knows. */
static void test_sequences_of_a_cut_log(void **state) {
    (void)state;
    struct sequences s;
    start_sequences(&s);
    for (int32_t i = 0; i < 8; i++) assert_int_equal(send_sequence(&s, 0, i * 2, 2), 0);
    assert_int_equal(sl_broker_elect_unclean(s.c->broker, "t", 0, 1, 13, true), 0);
    assert_int_equal(client_log(s.c, "t", 0).log_end, 12);
    assert_int_equal(send_sequence(&s, 0, 16, 2), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_sequence(&s, 0, 10, 2), 0);
    assert_int_equal(s.offset, 10); /* a duplicate */
    assert_int_equal(send_sequence(&s, 0, 12, 2), 0);
    assert_int_equal(s.offset, 12);
    assert_int_equal(client_log(s.c, "t", 0).log_end, 14);
    assert_int_equal(sl_broker_elect_unclean(s.c->broker, "t", 0, 1, 0, true), 0);
    assert_int_equal(send_sequence(&s, 0, 40, 2), 0); /* nobody knows of anything */
    client_end(s.c);
}

static void test_out_of_order(void **state) {
    (void)state;
    struct sequences s;
    start_sequences(&s);
    assert_int_equal(send_sequence(&s, 0, 0, 3), 0);
    assert_int_equal(send_sequence(&s, 0, 4, 1), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(s.offset, -1);
    assert_int_equal(send_sequence(&s, 0, 2, 1), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    /* The same start with another end is no duplicate. */
    assert_int_equal(send_sequence(&s, 0, 0, 2), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_sequence(&s, 0, 0, 4), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_sequence(&s, 0, 3, 1), 0);
    assert_int_equal(client_log(s.c, "t", 0).log_end, 4);
    client_end(s.c);
}

static void test_sequence_wraps(void **state) {
    (void)state;
    static const struct {
        int32_t first, count, next;
    } cases[] = {
        {INT32_MAX, 1, 0},
        {INT32_MAX - 1, 2, 0},
        {INT32_MAX - 4, 10, 5},
        {INT32_MAX - 5, 5, INT32_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sequences s;
        start_sequences(&s);
        assert_int_equal(send_sequence(&s, 0, cases[i].first, cases[i].count), 0);
        int32_t wrong = cases[i].next == 0 ? 1 : cases[i].next - 1;
        assert_int_equal(send_sequence(&s, 0, wrong, 1), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_int_equal(send_sequence(&s, 0, cases[i].next, 1), 0);
        assert_int_equal(send_sequence(&s, 0, cases[i].first, cases[i].count), 0); /* known */
        assert_int_equal(s.offset, 0);
        client_end(s.c);
    }
}

static void test_epochs(void **state) {
    (void)state;
    struct sequences s;
    start_sequences(&s);
    assert_int_equal(send_sequence(&s, 3, 0, 2), 0);
    assert_int_equal(send_sequence(&s, 2, 2, 1), SLUICE_KAFKA_INVALID_PRODUCER_EPOCH);
    assert_int_equal(send_sequence(&s, 2, 0, 2), SLUICE_KAFKA_INVALID_PRODUCER_EPOCH);
    assert_int_equal(send_sequence(&s, 4, 2, 1), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_sequence(&s, 4, 0, 2), 0); /* the same numbers, but not a duplicate */
    assert_int_equal(s.offset, 2);
    assert_int_equal(send_sequence(&s, 3, 2, 1), SLUICE_KAFKA_INVALID_PRODUCER_EPOCH);
    assert_int_equal(send_sequence(&s, 4, 2, 1), 0);
    assert_int_equal(client_log(s.c, "t", 0).log_end, 5);
    client_end(s.c);
}

/* A producer that the partition does not know may start anywhere: retention may have erased it. */
static void test_unknown_producer_starts_anywhere(void **state) {
    (void)state;
    struct sequences s;
    start_sequences(&s);
    assert_int_equal(send_sequence(&s, 7, 1234, 1), 0);
    assert_int_equal(send_sequence(&s, 7, 1235, 1), 0);
    assert_int_equal(send_sequence(&s, 7, 0, 1), SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
    client_end(s.c);
}

/* A topic made again knows no producer. */
static void test_recreated_topic_knows_nobody(void **state) {
    (void)state;
    struct sequences s;
    start_sequences(&s);
    assert_int_equal(send_sequence(&s, 0, 0, 1), 0);
    assert_int_equal(sl_broker_delete_topic(s.c->broker, "t"), 0);
    assert_int_equal(sl_broker_create_topic(s.c->broker, "t", 1, 1), 0);
    assert_int_equal(send_sequence(&s, 0, 0, 1), 0);
    assert_int_equal(client_log(s.c, "t", 0).log_end, 1);
    client_end(s.c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version_appends),
        cmocka_unit_test(test_stored_bytes),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_unknown_topics_and_partitions),
        cmocka_unit_test(test_not_leader_hints),
        cmocka_unit_test(test_keyless_records_are_named),
        cmocka_unit_test(test_broken_batches),
        cmocka_unit_test(test_attributes_that_clients_may_not_set),
        cmocka_unit_test(test_zstd_needs_version_7),
        cmocka_unit_test(test_identity_must_be_whole),
        cmocka_unit_test(test_frowned_at),
        cmocka_unit_test(test_message_max_bytes),
        cmocka_unit_test(test_last_five_batches_are_known),
        cmocka_unit_test(test_sequences_of_a_cut_log),
        cmocka_unit_test(test_out_of_order),
        cmocka_unit_test(test_sequence_wraps),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_unknown_producer_starts_anywhere),
        cmocka_unit_test(test_recreated_topic_knows_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
