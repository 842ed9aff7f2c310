/* Goal: a record arrives as it was sent, whatever it is made of: keys, values, headers, timestamps,
 * from nothing to the largest request; and what is too large is refused at once, with the limit.
 * Method: records are sent in every way, read back by a consumer, and compared part by part. */
#include <time.h>

#include "support.h"

static const char topic[] = "parts";

enum { RECORDS = 64, LIMIT = 100000 };

struct fixture {
    sluice_testbroker *tb;
    sluice_client *producer;
    sluice_client *consumer;
};

static void begin(struct fixture *f, const char *const *settings) {
    assert_int_equal(sluice_testbroker_create(1, NULL, &f->tb), 0);
    assert_int_equal(sluice_testbroker_topic(f->tb, topic, 1, 1), 0);
    f->producer = open_client(f->tb, SLUICE_PRODUCER, NULL, settings);
    f->consumer = open_client(f->tb, SLUICE_CONSUMER, NULL, NULL);
    sluice_offsets *from = sluice_offsets_create();
    sluice_offsets_add(from, topic, 0, SLUICE_OFFSET_EARLIEST);
    MUST(f->consumer, sluice_consumer_assign(f->consumer, from));
    sluice_offsets_free(from);
}

static void end(struct fixture *f) {
    MUST(f->producer, sluice_client_close(f->producer, 10000, NULL));
    sluice_client_free(f->producer);
    MUST(f->consumer, sluice_client_close(f->consumer, 10000, NULL));
    sluice_client_free(f->consumer);
    sluice_testbroker_free(f->tb);
}

static void send(struct fixture *f, const sluice_record *r) {
    MUST(f->producer, sluice_producer_send_record(f->producer, r, sizeof *r, 10000));
}

/* What was read; views live as long as their batches, which end_reading gives back. */
struct reading {
    sluice_view views[RECORDS];
    int count;
    sluice_batch *batches[RECORDS];
    int batch_count;
};
static void read_all(struct fixture *f, struct reading *r, int count) {
    MUST(f->producer, sluice_producer_flush(f->producer, 10000, NULL));
    memset(r, 0, sizeof *r);
    while (r->count < count) {
        sluice_batch *batch;
        MUST(f->consumer, sluice_consumer_poll(f->consumer, 10000, &batch));
        assert_non_null(batch);
        r->batches[r->batch_count++] = batch;
        while (r->count < count &&
               sluice_batch_next(batch, &r->views[r->count], sizeof r->views[0]) == 1)
            r->count++;
    }
}
static void end_reading(struct reading *r) {
    for (int i = 0; i < r->batch_count; i++) sluice_batch_free(r->batches[i]);
}

static void check_bytes(const void *found, size_t found_size, const char *wanted) {
    if (wanted == NULL) {
        assert_null(found);
        assert_int_equal(found_size, 0);
        return;
    }
    assert_non_null(found);
    assert_int_equal(found_size, strlen(wanted));
    assert_memory_equal(found, wanted, found_size);
}

/* ---- keys and values ---- */

/* Null, empty and full, each with each: null is not empty. */
static void keys_and_values_keep_what_they_are(void **unused) {
    static const char *const parts[] = {NULL, "", "some"};
    struct fixture f;
    struct reading r;
    (void)unused;
    begin(&f, NULL);
    for (int i = 0; i < 9; i++) {
        sluice_record record = {0};
        record.topic = topic;
        record.key = parts[i / 3];
        record.key_size = record.key == NULL ? 0 : strlen(parts[i / 3]);
        record.value = parts[i % 3];
        record.value_size = record.value == NULL ? 0 : strlen(parts[i % 3]);
        if (record.value == NULL) record.set = SLUICE_SET_TOMBSTONE;
        send(&f, &record);
    }
    read_all(&f, &r, 9);
    for (int i = 0; i < 9; i++) {
        check_bytes(r.views[i].key, r.views[i].key_size, parts[i / 3]);
        check_bytes(r.views[i].value, r.views[i].value_size, parts[i % 3]);
    }
    end_reading(&r);
    end(&f);
}

/* A value that is NULL by accident deletes nothing; one that is asked for stays a tombstone through
 * every way of sending and every codec. */
static void tombstones_are_asked_for(void **unused) {
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    static const int32_t key_sizes[] = {1, 1, 1};
    static const int32_t value_sizes[] = {-1, 0, 1};
    (void)unused;
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        const char *const settings[] = {"compression.type", codecs[i], NULL};
        struct fixture f;
        struct reading r;
        begin(&f, settings);
        MUST(f.producer, sluice_producer_send(f.producer, topic, "k", 1, NULL, 0, 10000));
        sluice_record record = {0};
        record.topic = topic;
        record.key = "k";
        record.key_size = 1;
        send(&f, &record);
        record.set = SLUICE_SET_TOMBSTONE;
        send(&f, &record);
        MUST(f.producer, sluice_producer_write(f.producer, &record, sizeof record, 10000, NULL, 0));
        sluice_packed packed = {0};
        packed.topic = topic;
        packed.data = "kkkv";
        packed.data_size = 4;
        packed.key_sizes = key_sizes;
        packed.value_sizes = value_sizes;
        packed.count = 3;
        int32_t next = 0;
        MUST(f.producer,
             sluice_producer_send_packed(f.producer, &packed, sizeof packed, &next, 10000));
        read_all(&f, &r, 7);
        static const char *const wanted[] = {"", "", NULL, NULL, NULL, "", "v"};
        for (int j = 0; j < 7; j++) {
            check_bytes(r.views[j].key, r.views[j].key_size, "k");
            check_bytes(r.views[j].value, r.views[j].value_size, wanted[j]);
        }
        end_reading(&r);
        end(&f);
    }
}

/* ---- headers ---- */

static void check_headers(const sluice_view *v, const sluice_header *wanted, int32_t count) {
    sluice_header found;
    assert_int_equal(v->header_count, count);
    for (int32_t i = 0; i < count; i++) {
        size_t name_size = wanted[i].name_size > 0 ? wanted[i].name_size : strlen(wanted[i].name);
        assert_int_equal(sluice_headers_read(v->headers, v->headers_size, i, &found), 1);
        assert_int_equal(found.name_size, name_size);
        assert_memory_equal(found.name, wanted[i].name, name_size);
        assert_int_equal(found.value_size, wanted[i].value_size);
        if (wanted[i].value_size < 0) assert_null(found.value);
        if (wanted[i].value_size > 0)
            assert_memory_equal(found.value, wanted[i].value, (size_t)wanted[i].value_size);
    }
    assert_int_equal(sluice_headers_read(v->headers, v->headers_size, count, &found), 0);
}

/* Names come twice, are empty, or have a NUL in them; values are null, empty, or large; order stays;
 * and a record can be forwarded with the headers that it came with. */
static void headers_keep_what_they_are(void **unused) {
    static char large[20000];
    const sluice_header headers[] = {
        {"a", "1", 0, 1},      {"a", "2", 0, 1},
        {"null", NULL, 0, -1}, {"empty", "", 0, 0},
        {"a", NULL, 0, -1},    {"", "no name", 0, 7},
        {"n\0l", "x", 3, 1},   {"long", large, 0, sizeof large},
        {"a", "3", 0, 1},
    };
    enum { COUNT = sizeof headers / sizeof headers[0] };
    struct fixture f;
    struct reading first;
    struct reading r;
    sluice_header found;
    (void)unused;
    memset(large, 'l', sizeof large);
    begin(&f, NULL);
    sluice_record record = {0};
    record.topic = topic;
    record.headers = headers;
    record.header_count = COUNT;
    send(&f, &record);
    record.header_count = 1; /* the short form, which takes no memory */
    send(&f, &record);
    record.headers = NULL;
    record.header_count = 0;
    send(&f, &record);
    read_all(&f, &first, 3);
    check_headers(&first.views[0], headers, COUNT);
    check_headers(&first.views[1], headers, 1);
    check_headers(&first.views[2], headers, 0);
    const sluice_view *v = &first.views[0];
    assert_int_equal(sluice_headers_find(v->headers, v->headers_size, "a", &found), 1);
    assert_memory_equal(found.value, "3", 1);
    assert_int_equal(sluice_headers_find(v->headers, v->headers_size, "null", &found), 1);
    assert_int_equal(found.value_size, -1);
    assert_int_equal(sluice_headers_find(v->headers, v->headers_size, "b", &found), 0);
    /* What the record has is what is written by hand. */
    size_t size = v->headers_size;
    unsigned char *wire = malloc(size);
    assert_non_null(wire);
    assert_int_equal(sluice_headers_write(headers, COUNT, NULL, 0), size);
    memset(wire, 0xee, size);
    assert_int_equal(sluice_headers_write(headers, COUNT, wire, size - 1), size);
    assert_int_equal(wire[0], 0xee); /* nothing of what does not fit */
    assert_int_equal(sluice_headers_write(headers, COUNT, wire, size), size);
    assert_memory_equal(wire, v->headers, size);
    assert_int_equal(sluice_headers_write(NULL, 0, NULL, 0), 0);
    assert_int_equal(sluice_headers_write(NULL, 1, wire, size), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_headers_write(headers, -1, wire, size), SLUICE_ERR_USAGE);
    record.raw_headers = wire;
    record.raw_headers_size = size;
    record.header_count = v->header_count;
    send(&f, &record);
    free(wire);
    read_all(&f, &r, 1);
    check_headers(&r.views[0], headers, COUNT);
    end_reading(&r);
    end_reading(&first);
    end(&f);
}

static void there_may_be_many_headers(void **unused) {
    enum { MANY = 65535 };
    sluice_header *headers = calloc(MANY + 1, sizeof *headers);
    sluice_header found;
    struct fixture f;
    struct reading r;
    char text[256];
    (void)unused;
    assert_non_null(headers);
    for (int i = 0; i <= MANY; i++) headers[i] = (sluice_header){"h", &headers[i], 0, 4};
    begin(&f, NULL);
    sluice_record record = {0};
    record.topic = topic;
    record.headers = headers;
    record.header_count = MANY + 1;
    assert_int_equal(sluice_producer_send_record(f.producer, &record, sizeof record, 10000),
                     SLUICE_ERR_TOO_BIG);
    sluice_client_explain(f.producer, SLUICE_ERR_TOO_BIG, text, sizeof text);
    check_says(text, "65535 headers");
    record.header_count = MANY;
    send(&f, &record);
    read_all(&f, &r, 1);
    assert_int_equal(r.views[0].header_count, MANY);
    assert_int_equal(
        sluice_headers_read(r.views[0].headers, r.views[0].headers_size, MANY - 1, &found), 1);
    assert_memory_equal(found.value, &headers[MANY - 1], 4);
    end_reading(&r);
    end(&f);
    free(headers);
}

/* ---- time ---- */

/* The time that a record was given stays, in whatever order; a record without one has that of its
 * sending. Times before 1970 are refused: in the log a negative time means none. */
static void timestamps_are_kept(void **unused) {
    static const int64_t times[] = {1000, 0, 5000000000000, 1, INT64_MAX / 2, 999};
    enum { COUNT = sizeof times / sizeof times[0] };
    struct fixture f;
    struct reading r;
    (void)unused;
    begin(&f, NULL);
    sluice_record record = {0};
    record.topic = topic;
    for (int i = 0; i < COUNT; i++) {
        record.timestamp_ms = times[i];
        record.set = SLUICE_SET_TIMESTAMP;
        send(&f, &record);
    }
    record.timestamp_ms = -1;
    assert_int_equal(sluice_producer_send_record(f.producer, &record, sizeof record, 10000),
                     SLUICE_ERR_USAGE);
    sluice_record now = {0};
    now.topic = topic;
    int64_t before = (int64_t)time(NULL) * 1000;
    send(&f, &now);
    sluice_packed packed = {0};
    packed.topic = topic;
    packed.timestamps_ms = times;
    packed.count = COUNT;
    int32_t next = 0;
    MUST(f.producer, sluice_producer_send_packed(f.producer, &packed, sizeof packed, &next, 10000));
    static const int64_t negative[] = {5, -1};
    packed.timestamps_ms = negative;
    packed.count = 2;
    next = 0;
    assert_int_equal(sluice_producer_send_packed(f.producer, &packed, sizeof packed, &next, 10000),
                     SLUICE_ERR_USAGE);
    assert_int_equal(next, 1);
    read_all(&f, &r, 2 * COUNT + 2);
    int64_t after = (int64_t)time(NULL) * 1000 + 1000;
    for (int i = 0; i < COUNT; i++) assert_int_equal(r.views[i].timestamp_ms, times[i]);
    assert_true(r.views[COUNT].timestamp_ms >= before && r.views[COUNT].timestamp_ms <= after);
    for (int i = 0; i < COUNT; i++) assert_int_equal(r.views[COUNT + 1 + i].timestamp_ms, times[i]);
    assert_int_equal(r.views[2 * COUNT + 1].timestamp_ms, 5);
    end_reading(&r);
    end(&f);
}

/* ---- columns of many records ---- */

static const char places[] = "places";

/* How many records of `places` are in a partition, and that record number i is "i". */
static int count_stored(const struct fixture *f, int32_t partition, const char *wanted) {
    sluice_batch *batch;
    sluice_view v;
    int count = 0;
    assert_int_equal(sluice_testbroker_read(f->tb, places, partition, 0, &batch), 0);
    while (sluice_batch_next(batch, &v, sizeof v) == 1) {
        assert_true((size_t)count < strlen(wanted));
        assert_memory_equal(v.value, &wanted[count], 1);
        count++;
    }
    sluice_batch_free(batch);
    return count;
}

/* Each record goes where its column says, -1 where its key belongs; reports have the tags given. */
static void columns_give_each_record_its_partition_and_tag(void **unused) {
    static const char *const settings[] = {"delivery.reports", "all", NULL};
    static const int32_t partitions[] = {2, 0, 2, -1, 0, 1};
    static const uint64_t tags[] = {70, 10, 71, 90, 11, UINT64_MAX};
    static const int32_t ones[] = {1, 1, 1, 1, 1, 1};
    struct fixture f;
    int32_t next = 0;
    int told = 0;
    (void)unused;
    begin(&f, settings);
    assert_int_equal(sluice_testbroker_topic(f.tb, places, 3, 1), 0);
    sluice_packed k = {0};
    k.topic = places;
    k.data = "a0b1c2d3e4f5";
    k.data_size = 12;
    k.key_sizes = ones;
    k.value_sizes = ones;
    k.count = 6;
    k.partitions = partitions;
    k.tags = tags;
    MUST(f.producer, sluice_producer_send_packed(f.producer, &k, sizeof k, &next, 10000));
    assert_int_equal(next, 6);
    MUST(f.producer, sluice_producer_flush(f.producer, 10000, NULL));
    int32_t chosen = sluice_producer_partition("d", 1, 3);
    assert_int_equal(count_stored(&f, 0, chosen == 0 ? "134" : "14"), 2 + (chosen == 0));
    assert_int_equal(count_stored(&f, 1, chosen == 1 ? "35" : "5"), 1 + (chosen == 1));
    assert_int_equal(count_stored(&f, 2, chosen == 2 ? "023" : "02"), 2 + (chosen == 2));
    while (told < 6) {
        sluice_deliveries *reports;
        sluice_delivery d;
        MUST(f.producer, sluice_producer_deliveries(f.producer, 10000, &reports));
        assert_non_null(reports);
        while (sluice_deliveries_next(reports, &d, sizeof d) == 1)
            for (int32_t i = 0; i < d.count; i++, told++) {
                int32_t at = 0;
                while (at < 6 && tags[at] != d.tags[i]) at++;
                assert_in_range(at, 0, 5);
                assert_int_equal(d.partition, partitions[at] < 0 ? chosen : partitions[at]);
            }
        sluice_deliveries_free(reports);
    }
    end(&f);
}

/* A column beside what it stands in place of is a mistake; a partition that is none is about its record. */
static void columns_that_contradict_are_refused(void **unused) {
    static const int32_t partitions[] = {0, -2};
    static const uint64_t tags[] = {1, 2};
    struct fixture f;
    int32_t next = 0;
    (void)unused;
    begin(&f, NULL);
    sluice_packed k = {0};
    k.topic = topic;
    k.count = 2;
    k.partitions = partitions;
    k.set = SLUICE_SET_PARTITION;
    assert_int_equal(sluice_producer_send_packed(f.producer, &k, sizeof k, &next, 0),
                     SLUICE_ERR_USAGE);
    assert_int_equal(next, 0);
    k.set = 0;
    k.tags = tags;
    k.first_tag = 1;
    assert_int_equal(sluice_producer_send_packed(f.producer, &k, sizeof k, &next, 0),
                     SLUICE_ERR_USAGE);
    assert_int_equal(next, 0);
    k.first_tag = 0;
    assert_int_equal(sluice_producer_send_packed(f.producer, &k, sizeof k, &next, 0),
                     SLUICE_ERR_USAGE);
    assert_int_equal(next, 1);
    end(&f);
}

/* A program built when the struct ended before its last columns: what is behind its end is not looked at. */
static void a_packed_struct_of_before(void **unused) {
    static const int32_t ones[] = {1, 1};
    struct fixture f;
    struct reading r;
    int32_t next = 0;
    (void)unused;
    begin(&f, NULL);
    sluice_packed k;
    memset(&k, 0xff, sizeof k);
    memset(&k, 0, offsetof(sluice_packed, partitions));
    k.topic = topic;
    k.data = "ab";
    k.data_size = 2;
    k.value_sizes = ones;
    k.count = 2;
    MUST(f.producer, sluice_producer_send_packed(
                         f.producer, &k, offsetof(sluice_packed, partitions), &next, 10000));
    assert_int_equal(sluice_producer_send_packed(f.producer, &k, sizeof k - 1, &next, 0),
                     SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_packed(f.producer, &k, sizeof k + 1, &next, 0),
                     SLUICE_ERR_USAGE);
    read_all(&f, &r, 2);
    check_bytes(r.views[0].value, r.views[0].value_size, "a");
    check_bytes(r.views[1].value, r.views[1].value_size, "b");
    end_reading(&r);
    end(&f);
}

/* ---- sizes ---- */

static char *make_value(size_t size) {
    char *value = malloc(size);
    assert_non_null(value);
    for (size_t i = 0; i < size; i++) value[i] = (char)(i * 7 + i / 251);
    return value;
}

/* Every size around those at which the way of a record changes, up to the largest request. */
static void sizes_up_to_the_largest_request(void **unused) {
    static const size_t sizes[] = {1,      63,     64,     2047,   2048,
                                   2049,   16383,  16384,  65535,  65536,
                                   131072, 262143, 262144, 500000, 1048576 - 200};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    char *value = make_value(1048576);
    struct fixture f;
    struct reading r;
    (void)unused;
    begin(&f, NULL);
    for (int i = 0; i < COUNT; i++)
        MUST(f.producer, sluice_producer_send(f.producer, topic, NULL, 0, value, sizes[i], 10000));
    read_all(&f, &r, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(r.views[i].value_size, sizes[i]);
        assert_memory_equal(r.views[i].value, value, sizes[i]);
    }
    end_reading(&r);
    end(&f);
    free(value);
}

static void check_limit_is_named(const sluice_client *producer, int rv, const char *words) {
    char text[256];
    assert_int_equal(rv, SLUICE_ERR_TOO_BIG);
    sluice_client_explain(producer, SLUICE_ERR_TOO_BIG, text, sizeof text);
    check_says(text, words);
}

/* In every way of sending, and whichever part it is that makes the record too large; nothing of it
 * is accepted. */
static void what_is_too_large_is_refused_with_the_limit(void **unused) {
    const char *const settings[] = {"max.request.size", "100000", NULL};
    const char *const limit = "max.request.size is 100000";
    char *value = make_value(LIMIT);
    const int32_t value_sizes[] = {10, LIMIT - 10};
    const sluice_header header = {"h", value, 0, LIMIT};
    struct fixture f;
    struct reading r;
    sluice_counts counts;
    sluice_delivery d;
    (void)unused;
    begin(&f, settings);
    sluice_client *p = f.producer;
    check_limit_is_named(p, sluice_producer_send(p, topic, NULL, 0, value, LIMIT, -1), limit);
    check_limit_is_named(p, sluice_producer_send(p, topic, value, LIMIT, NULL, 0, -1), limit);
    check_limit_is_named(p, sluice_producer_send(p, topic, value, LIMIT / 2, value, LIMIT / 2, -1),
                         limit);
    sluice_record record = {0};
    record.topic = topic;
    record.headers = &header;
    record.header_count = 1;
    check_limit_is_named(p, sluice_producer_send_record(p, &record, sizeof record, -1), limit);
    record = (sluice_record){0};
    record.topic = topic;
    record.value = value;
    record.value_size = LIMIT;
    check_limit_is_named(p, sluice_producer_write(p, &record, sizeof record, -1, &d, sizeof d),
                         limit);
    assert_int_equal(sluice_producer_counts(p, &counts, sizeof counts), 0);
    assert_int_equal(counts.pending + counts.written + counts.not_written, 0);
    sluice_packed packed = {0};
    packed.topic = topic;
    packed.data = value;
    packed.data_size = LIMIT;
    packed.value_sizes = value_sizes;
    packed.count = 2;
    int32_t next = 0;
    check_limit_is_named(p, sluice_producer_send_packed(p, &packed, sizeof packed, &next, -1),
                         limit);
    assert_int_equal(next, 1);
    MUST(p, sluice_producer_send(p, topic, NULL, 0, value, LIMIT - 200, -1));
    read_all(&f, &r, 2);
    assert_int_equal(r.views[0].value_size, 10);
    assert_int_equal(r.views[1].value_size, LIMIT - 200);
    end_reading(&r);
    end(&f);
    free(value);
}

/* A record that can never fit the budget is not waited for. */
static void more_than_the_budget_is_refused_with_it(void **unused) {
    const char *const settings[] = {"buffer.memory", "65536", NULL};
    char *value = make_value(LIMIT);
    struct fixture f;
    (void)unused;
    begin(&f, settings);
    check_limit_is_named(f.producer,
                         sluice_producer_send(f.producer, topic, NULL, 0, value, LIMIT, -1),
                         "all of buffer.memory, which is 65536");
    end(&f);
    free(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_values_keep_what_they_are),
        cmocka_unit_test(tombstones_are_asked_for),
        cmocka_unit_test(headers_keep_what_they_are),
        cmocka_unit_test(there_may_be_many_headers),
        cmocka_unit_test(timestamps_are_kept),
        cmocka_unit_test(columns_give_each_record_its_partition_and_tag),
        cmocka_unit_test(columns_that_contradict_are_refused),
        cmocka_unit_test(a_packed_struct_of_before),
        cmocka_unit_test(sizes_up_to_the_largest_request),
        cmocka_unit_test(what_is_too_large_is_refused_with_the_limit),
        cmocka_unit_test(more_than_the_budget_is_refused_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
