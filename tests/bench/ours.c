/* The benchmark client on sluice: the public header and nothing else.
 *
 * Producing: sluice_producer_send_record with a tag, every delivery report read on the same thread
 * (delivery.reports=all). Consuming: all partitions assigned from their beginning; a batch a poll,
 * walked by sluice_batch_read with 256 views a call, record by record with sluice_batch_next, or as
 * rows of sluice_batch_pack, 1,000 a call.
 *
 * Settings beside the defaults are the ones that the benchmark fixes for both clients: acks,
 * idempotence, linger, batch size, buffer, CRC checking. */
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>

#include "client.h"

enum {
    VIEWS_PER_CALL = 256,
    ROWS_PER_CALL = 1000,
    ROWS_BYTES = 256 * 1024,
    WAIT_MS = 100,
    CLOSE_MS = 10000,
    SETTINGS_MAX = 64,
    NUMBERS_MAX = 8
};

/* Names and values in turn, as sluice_client_start wants them. */
struct settings {
    const char *list[2 * SETTINGS_MAX + 1];
    int count;
    char numbers[NUMBERS_MAX][16]; /* texts of the values that are numbers */
    int number_count;
    char *names[SETTINGS_MAX]; /* owned; of the properties from the command line */
    int name_count;
};

/* Another thread reads the reports that hold the room. */
static const double UNREAD_SECONDS = 0.001;

struct bench_client {
    sluice_client *handle;
    sluice_record record; /* what all records have in common */
    sluice_header headers[BENCH_HEADERS_MAX];
    struct bench_reports *reports;
};

const char *client_version(void) { return sluice_version_text(); }

static void check(const sluice_client *client, const char *what, int rv) {
    char text[512];
    if (rv == 0) return;
    sluice_client_explain(client, rv, text, sizeof text);
    bench_fail("%s: %s", what, text);
}

static void add_setting(struct settings *settings, const char *name, const char *value) {
    if (settings->count == 2 * SETTINGS_MAX) bench_fail("too many settings");
    settings->list[settings->count++] = name;
    settings->list[settings->count++] = value;
    settings->list[settings->count] = NULL;
}

static void add_number(struct settings *settings, const char *name, int32_t value) {
    if (settings->number_count == NUMBERS_MAX) bench_fail("too many settings");
    char *text = settings->numbers[settings->number_count++];
    snprintf(text, sizeof settings->numbers[0], "%d", (int)value);
    add_setting(settings, name, text);
}

static void add_arguments(struct settings *settings, const struct bench_setup *setup) {
    for (int i = 0; i < setup->property_count; i++) {
        const char *equals = strchr(setup->properties[i], '=');
        size_t size = (size_t)(equals - setup->properties[i]);
        char *name = calloc(1, size + 1);
        if (name == NULL || settings->name_count == SETTINGS_MAX) bench_fail("too many settings");
        memcpy(name, setup->properties[i], size);
        settings->names[settings->name_count++] = name;
        add_setting(settings, name, equals + 1);
    }
}

static struct bench_client *open_client(int32_t role, struct settings *settings,
                                        const struct bench_setup *setup) {
    struct bench_client *client = calloc(1, sizeof *client);
    if (client == NULL) bench_fail("out of memory");
    add_setting(settings, "bootstrap.servers", setup->bootstrap);
    add_arguments(settings, setup);
    check(NULL, "opening the client", sluice_client_start(role, settings->list, &client->handle));
    for (int i = 0; i < settings->name_count; i++) free(settings->names[i]);
    return client;
}

void client_close(struct bench_client *client) {
    check(client->handle, "close", sluice_client_close(client->handle, CLOSE_MS, NULL));
    sluice_client_free(client->handle);
    free(client);
}

/* ---- producing -------------------------------------------------------------------------- */

/* Levels are properties of their codec. */
static const char *level_property(const char *codec) {
    if (strcmp(codec, "zstd") == 0) return "compression.zstd.level";
    if (strcmp(codec, "gzip") == 0) return "compression.gzip.level";
    return "compression.lz4.level";
}

struct bench_client *client_open_producer(const struct bench_setup *setup,
                                          const struct bench_data *data,
                                          struct bench_reports *reports) {
    const struct bench_case *what = setup->what;
    struct settings settings = {.count = 0};
    add_setting(&settings, "acks", bench_acks(what));
    add_setting(&settings, "enable.idempotence", what->has_idempotence ? "true" : "false");
    add_number(&settings, "linger.ms", bench_linger_ms(what));
    add_number(&settings, "batch.size", BENCH_BATCH_BYTES);
    add_number(&settings, "buffer.memory", bench_buffer_bytes(what));
    add_setting(&settings, "delivery.reports", "all");
    add_setting(&settings, "compression.type", what->codec);
    if (what->level != 0) add_number(&settings, level_property(what->codec), what->level);
    struct bench_client *client = open_client(SLUICE_PRODUCER, &settings, setup);
    client->reports = reports;
    for (int32_t i = 0; i < what->header_count; i++) {
        client->headers[i].name = bench_header_names[i];
        client->headers[i].value = bench_header_values[i];
        client->headers[i].value_size = (int32_t)strlen(bench_header_values[i]);
    }
    client->record.topic = setup->topic;
    client->record.key_size = data->key_size;
    client->record.value_size = data->value_size;
    client->record.headers = what->header_count > 0 ? client->headers : NULL;
    client->record.header_count = what->header_count;
    return client;
}

/* Puts what is a record's own into `record`. */
static inline void fill_record(sluice_record *record, struct bench_sender *sender) {
    record->value = bench_value(sender->data, sender->next);
    record->tag = sender->next;
    if (sender->data->topics != NULL) record->topic = bench_topic(sender->data, sender->next);
    if (record->key_size > 0) {
        bench_key(sender);
        record->key = sender->key;
    }
}

/* Several threads come here, so each works on a record of its own. */
void client_send(struct bench_client *client, struct bench_sender *sender, uint32_t count) {
    sluice_record record = client->record;
    int32_t wait_ms = sender->reads_reports ? 0 : WAIT_MS;
    for (uint32_t i = 0; i < count; i++) {
        int rv;
        fill_record(&record, sender);
        for (;;) {
            rv = sluice_producer_send_record(client->handle, &record, sizeof record, wait_ms);
            if (rv != SLUICE_ERR_FULL && rv != SLUICE_ERR_UNREAD) break;
            if (sender->reads_reports)
                client_read_reports(client, WAIT_MS);
            else if (rv == SLUICE_ERR_UNREAD)
                bench_sleep_until(bench_now() + UNREAD_SECONDS);
        }
        check(client->handle, "send", rv);
        bench_sent(sender);
    }
}

bool client_try(struct bench_client *client, struct bench_sender *sender) {
    sluice_record record = client->record;
    fill_record(&record, sender);
    int rv = sluice_producer_send_record(client->handle, &record, sizeof record, 0);
    if (rv == SLUICE_ERR_FULL) return false;
    check(client->handle, "send", rv);
    bench_sent(sender);
    return true;
}

void client_read_reports(struct bench_client *client, int32_t wait_ms) {
    sluice_deliveries *set = NULL;
    sluice_delivery report;
    check(client->handle, "reports", sluice_producer_deliveries(client->handle, wait_ms, &set));
    while (set != NULL && sluice_deliveries_next(set, &report, sizeof report) == 1)
        for (int32_t i = 0; i < report.count; i++)
            bench_reported(client->reports, report.tags[i], report.outcome == SLUICE_WRITTEN);
    sluice_deliveries_free(set);
}

void client_finish(struct bench_client *client, uint64_t reports) {
    /* 0: this only ends linger; the reports are the wait. */
    int rv = sluice_producer_flush(client->handle, 0, NULL);
    if (rv != SLUICE_ERR_TIMEOUT) check(client->handle, "flush", rv);
    while (client->reports->count < reports) {
        uint64_t before = client->reports->count;
        client_read_reports(client, BENCH_SILENCE_MS);
        if (client->reports->count == before) bench_fail("no report for %d ms", BENCH_SILENCE_MS);
    }
}

/* ---- consuming -------------------------------------------------------------------------- */

struct bench_client *client_open_consumer(const struct bench_setup *setup) {
    struct settings settings = {.count = 0};
    sluice_offsets *start = sluice_offsets_create();
    int64_t where = setup->what->kind == BENCH_IDLE ? SLUICE_OFFSET_LATEST : SLUICE_OFFSET_EARLIEST;
    bool has_group = setup->what->kind == BENCH_IDLE_GROUP;
    add_setting(&settings, "auto.offset.reset", "earliest");
    add_setting(&settings, "check.crcs", "true");
    if (has_group) {
        add_setting(&settings, "group.id", "bench");
        add_setting(&settings, "group.protocol", "classic"); /* as the peer's default */
        add_number(&settings, "heartbeat.interval.ms", BENCH_HEARTBEAT_MS);
    }
    struct bench_client *client = open_client(SLUICE_CONSUMER, &settings, setup);
    if (has_group) {
        check(client->handle, "subscribe",
              sluice_consumer_subscribe(client->handle, &setup->topic, 1));
        sluice_offsets_free(start);
        return client;
    }
    /* The list is sticky: assign refuses it whole if adding to it failed. */
    for (int32_t i = 0; i < setup->what->partitions; i++)
        sluice_offsets_add(start, setup->topic, i, where);
    check(client->handle, "assign", sluice_consumer_assign(client->handle, start));
    sluice_offsets_free(start);
    return client;
}

static void take_record(struct bench_tally *tally, const sluice_view *view) {
    bench_read(tally, view->partition, view->offset, view->key, view->key_size, view->value,
               view->value_size);
}

static void read_singly(sluice_batch *batch, struct bench_tally *tally) {
    sluice_view view;
    while (sluice_batch_next(batch, &view, sizeof view) == 1) take_record(tally, &view);
}

static void read_views(sluice_batch *batch, struct bench_tally *tally) {
    sluice_view views[VIEWS_PER_CALL];
    for (int32_t n; (n = sluice_batch_read(batch, views, sizeof views[0], VIEWS_PER_CALL)) > 0;)
        for (int32_t i = 0; i < n; i++) take_record(tally, &views[i]);
}

/* As another language does: copies in one call, then each record by its place in them. */
static void read_rows(struct bench_client *client, sluice_batch *batch, struct bench_tally *tally) {
    static uint8_t data[ROWS_BYTES];
    static sluice_row rows[ROWS_PER_CALL];
    sluice_slice slice = {.partition = -1};
    int32_t at = -1;
    size_t used;
    int32_t n;
    while ((n = sluice_batch_pack(batch, data, sizeof data, rows, ROWS_PER_CALL, &used)) > 0) {
        for (int32_t i = 0; i < n; i++) {
            const sluice_row *row = &rows[i];
            if (row->slice != at) {
                at = row->slice;
                (void)sluice_batch_slice(batch, at, &slice, sizeof slice);
            }
            bench_read(tally, slice.partition, row->offset,
                       row->key_at >= 0 ? data + row->key_at : NULL,
                       row->key_at >= 0 ? (size_t)row->key_size : 0, data + row->value_at,
                       (size_t)row->value_size);
        }
    }
    check(client->handle, "pack", n);
}

void client_consume(struct bench_client *client, enum bench_kind kind, struct bench_tally *tally,
                    double seconds) {
    double end = bench_now() + seconds;
    do {
        sluice_batch *batch = NULL;
        check(client->handle, "poll",
              sluice_consumer_poll(client->handle, BENCH_SILENCE_MS, &batch));
        if (batch == NULL) bench_fail("no record for %d ms", BENCH_SILENCE_MS);
        if (kind == BENCH_CONSUME_SINGLE)
            read_singly(batch, tally);
        else if (kind == BENCH_CONSUME_ROWS)
            read_rows(client, batch, tally);
        else
            read_views(batch, tally);
        check(client->handle, "finish", sluice_batch_finish(batch));
    } while (bench_now() < end);
}

void client_pause(struct bench_client *client) {
    check(client->handle, "pause", sluice_consumer_pause(client->handle, NULL));
}
