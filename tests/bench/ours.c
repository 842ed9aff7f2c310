/* The benchmark client on sluice: the public header and nothing else.
 *
 * Producing: sluice_producer_send_record with a tag, every delivery report read on the same thread
 * (delivery.reports=all). Consuming: all partitions assigned from their beginning; a batch a poll,
 * walked by sluice_batch_read with 256 views a call, or record by record with sluice_batch_next.
 *
 * Settings beside the defaults are the ones that the benchmark fixes for both clients: acks,
 * idempotence, linger, batch size, buffer, CRC checking. */
#include "bench.h"

#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>

enum { VIEWS_PER_CALL = 256, WAIT_MS = 100, CLOSE_MS = 10000, SETTINGS_MAX = 64, NUMBERS_MAX = 8 };

/* Names and values in turn, as sluice_client_start wants them. */
struct settings {
    const char *list[2 * SETTINGS_MAX + 1];
    int count;
    char numbers[NUMBERS_MAX][16]; /* texts of the values that are numbers */
    int number_count;
    char *names[SETTINGS_MAX]; /* owned; of the properties from the command line */
    int name_count;
};

struct producer {
    sluice_client *client;
    const struct bench_case *what;
    sluice_record record; /* what all records have in common */
    sluice_header headers[BENCH_HEADERS_MAX];
    struct bench_data data;
    struct bench_ledger ledger;
};

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

static sluice_client *open_client(int32_t role, struct settings *settings,
                                  const struct bench_setup *setup) {
    sluice_client *client = NULL;
    add_setting(settings, "bootstrap.servers", setup->bootstrap);
    add_arguments(settings, setup);
    check(NULL, "opening the client", sluice_client_start(role, settings->list, &client));
    for (int i = 0; i < settings->name_count; i++) free(settings->names[i]);
    return client;
}

static void close_client(sluice_client *client) {
    check(client, "close", sluice_client_close(client, CLOSE_MS, NULL));
    sluice_client_free(client);
}

/* ---- producing -------------------------------------------------------------------------- */

/* Levels are properties of their codec. */
static const char *level_property(const char *codec) {
    if (strcmp(codec, "zstd") == 0) return "compression.zstd.level";
    if (strcmp(codec, "gzip") == 0) return "compression.gzip.level";
    return "compression.lz4.level";
}

static sluice_client *open_producer(const struct bench_setup *setup) {
    struct settings settings = {.count = 0};
    add_setting(&settings, "acks", "all");
    add_setting(&settings, "enable.idempotence", setup->what->has_idempotence ? "true" : "false");
    add_number(&settings, "linger.ms", BENCH_LINGER_MS);
    add_number(&settings, "batch.size", BENCH_BATCH_BYTES);
    add_number(&settings, "buffer.memory", BENCH_BUFFER_BYTES);
    add_setting(&settings, "delivery.reports", "all");
    add_setting(&settings, "compression.type", setup->what->codec);
    if (setup->what->level != 0)
        add_number(&settings, level_property(setup->what->codec), setup->what->level);
    return open_client(SLUICE_PRODUCER, &settings, setup);
}

/* Reads the reports that are there, waiting up to so long for the first. Returns how many records
 * they were about. */
static uint64_t read_reports(struct producer *p, int32_t wait_ms) {
    uint64_t before = p->ledger.reported;
    sluice_deliveries *set = NULL;
    sluice_delivery report;
    check(p->client, "reports", sluice_producer_deliveries(p->client, wait_ms, &set));
    while (set != NULL && sluice_deliveries_next(set, &report, sizeof report) == 1)
        for (int32_t i = 0; i < report.count; i++)
            bench_reported(&p->ledger, report.tags[i], report.outcome == SLUICE_WRITTEN);
    sluice_deliveries_free(set);
    return p->ledger.reported - before;
}

static void send_one(struct producer *p) {
    uint64_t number = p->ledger.sent + 1;
    uint8_t key[BENCH_KEY_BYTES_MAX];
    int rv;
    p->record.value = bench_value(&p->data, number);
    p->record.tag = number;
    if (p->data.key_size > 0) {
        bench_key(number, key);
        p->record.key = key;
    }
    for (;;) {
        rv = sluice_producer_send_record(p->client, &p->record, sizeof p->record, 0);
        if (rv != SLUICE_ERR_FULL && rv != SLUICE_ERR_UNREAD) break;
        read_reports(p, WAIT_MS);
    }
    check(p->client, "send", rv);
    bench_sent(&p->ledger, number);
}

/* Sends for so long, then waits until every record is reported. Returns how many were sent. */
static uint64_t produce_for(struct producer *p, double seconds) {
    uint64_t before = p->ledger.sent;
    double end = bench_now() + seconds;
    do {
        for (int i = 0; i < BENCH_STRIDE; i++) send_one(p);
        read_reports(p, 0);
    } while (bench_now() < end);
    int rv = sluice_producer_flush(p->client, 0, NULL); /* ends linger; the reports are the wait */
    if (rv != SLUICE_ERR_TIMEOUT) check(p->client, "flush", rv);
    while (p->ledger.reported < p->ledger.sent)
        if (read_reports(p, BENCH_SILENCE_MS) == 0)
            bench_fail("no report for %d ms", BENCH_SILENCE_MS);
    bench_ledger_check(&p->ledger);
    return p->ledger.sent - before;
}

static void run_produce(const struct bench_setup *setup) {
    struct producer p = {.what = setup->what};
    struct bench_meter meter;
    bench_data_init(&p.data, setup->what);
    for (int32_t i = 0; i < setup->what->header_count; i++) {
        p.headers[i].name = bench_header_names[i];
        p.headers[i].value = bench_header_values[i];
        p.headers[i].value_size = (int32_t)strlen(bench_header_values[i]);
    }
    p.record.topic = setup->topic;
    p.record.key_size = p.data.key_size;
    p.record.value_size = p.data.value_size;
    p.record.headers = setup->what->header_count > 0 ? p.headers : NULL;
    p.record.header_count = setup->what->header_count;
    p.client = open_producer(setup);
    produce_for(&p, setup->warmup_seconds);
    bench_meter_start(&meter);
    uint64_t records = produce_for(&p, setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_print(setup, &meter, records);
    close_client(p.client);
    bench_data_deinit(&p.data);
}

/* ---- consuming -------------------------------------------------------------------------- */

static sluice_client *open_consumer(const struct bench_setup *setup) {
    struct settings settings = {.count = 0};
    sluice_offsets *start = sluice_offsets_create();
    add_setting(&settings, "auto.offset.reset", "earliest");
    add_setting(&settings, "check.crcs", "true");
    sluice_client *client = open_client(SLUICE_CONSUMER, &settings, setup);
    /* The list is sticky: assign refuses it whole if adding to it failed. */
    for (int32_t i = 0; i < setup->what->partitions; i++)
        sluice_offsets_add(start, setup->topic, i, SLUICE_OFFSET_EARLIEST);
    check(client, "assign", sluice_consumer_assign(client, start));
    sluice_offsets_free(start);
    return client;
}

static void take_record(struct bench_tally *tally, const sluice_view *view) {
    bench_read(tally, view->partition, view->offset, view->key, view->key_size, view->value,
               view->value_size);
}

static void consume_for(sluice_client *client, int mode, struct bench_tally *tally,
                        double seconds) {
    sluice_view views[VIEWS_PER_CALL];
    double end = bench_now() + seconds;
    do {
        sluice_batch *batch = NULL;
        check(client, "poll", sluice_consumer_poll(client, BENCH_SILENCE_MS, &batch));
        if (batch == NULL) bench_fail("no record for %d ms", BENCH_SILENCE_MS);
        if (mode == BENCH_CONSUME_SINGLE) {
            while (sluice_batch_next(batch, views, sizeof views[0]) == 1) take_record(tally, views);
        } else {
            for (int32_t n;
                 (n = sluice_batch_read(batch, views, sizeof views[0], VIEWS_PER_CALL)) > 0;)
                for (int32_t i = 0; i < n; i++) take_record(tally, &views[i]);
        }
        check(client, "finish", sluice_batch_finish(batch));
    } while (bench_now() < end);
}

static void run_consume(const struct bench_setup *setup) {
    struct bench_tally tally;
    struct bench_meter meter;
    sluice_client *client = open_consumer(setup);
    bench_tally_init(&tally, setup->what);
    consume_for(client, setup->what->mode, &tally, setup->warmup_seconds);
    uint64_t before = tally.records;
    bench_meter_start(&meter);
    consume_for(client, setup->what->mode, &tally, setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_tally_check(&tally);
    bench_print(setup, &meter, tally.records - before);
    bench_tally_deinit(&tally);
    close_client(client);
}

int main(int argc, char **argv) {
    struct bench_setup setup;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "list") == 0) {
        bench_list();
        return 0;
    }
    if (strcmp(verb, "version") == 0) {
        printf("%s\n", sluice_version_text());
        return 0;
    }
    bench_setup_read(&setup, argc, argv);
    if (strcmp(verb, "run") != 0) bench_fail("'%s': list, version or run is wanted", verb);
    if (setup.what->mode == BENCH_PRODUCE)
        run_produce(&setup);
    else
        run_consume(&setup);
    return 0;
}
