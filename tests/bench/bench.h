/* What the two benchmark clients share, so that they differ in nothing but the library they call.
 *
 * peer.c drives librdkafka, ours.c drives sluice; both are linked with bench.c, which holds the
 * table of cases, the payloads, the clocks and the line of results. A run is: warm up, start the
 * meter with nothing outstanding, work for the measured time, finish everything outstanding, stop
 * the meter. The inline functions are the work done per record, the same for both. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BENCH_PRODUCE = 1, BENCH_CONSUME, BENCH_CONSUME_SINGLE };

enum {
    BENCH_LINGER_MS = 5,
    BENCH_BATCH_BYTES = 1000000,
    BENCH_BUFFER_BYTES = 512 * 1024 * 1024,
    /* Records between two looks at the clock and at the delivery reports. */
    BENCH_STRIDE = 1000,
    BENCH_KEY_BYTES_MAX = 8,
    BENCH_HEADERS_MAX = 2,
    BENCH_PARTITIONS_MAX = 10000,
    /* A consumer that gets nothing, or a producer that hears nothing, for so long has failed. */
    BENCH_SILENCE_MS = 10000
};

struct bench_case {
    const char *name;
    int mode;
    uint32_t value_size;
    uint32_t key_size;          /* 0: no key; at most BENCH_KEY_BYTES_MAX */
    int32_t header_count;       /* at most BENCH_HEADERS_MAX */
    int32_t partitions;         /* at most BENCH_PARTITIONS_MAX */
    bool has_idempotence;       /* producers only */
    bool has_json;              /* varied JSON text instead of random bytes */
    const char *codec;          /* "none" or Kafka's name of it */
    int32_t level;              /* 0: the codec's default */
    const char *broker_options; /* what sluice-broker needs beside --bench to serve this case */
};

/* The command line: VERB BOOTSTRAP TOPIC CASE [name=value …], where the pairs are properties set
 * last, for trying out other settings. */
struct bench_setup {
    const char *bootstrap;
    const char *topic;
    const struct bench_case *what;
    char **properties;
    int property_count;
    double warmup_seconds;
    double measured_seconds;
};

/* Payloads made beforehand and used in turn. */
struct bench_data {
    uint8_t *values; /* owned; count values of value_size bytes, side by side */
    uint32_t count;  /* a power of two */
    uint32_t value_size;
    uint32_t key_size;
};

/* What was sent and what was reported: tags are record numbers, and every one must come back. */
struct bench_ledger {
    uint64_t sent;
    uint64_t sent_sum;
    uint64_t reported;
    uint64_t reported_sum;
    uint64_t failed;
};

/* What was read: values are looked at, offsets must follow each other. */
struct bench_tally {
    uint64_t records;
    uint64_t sum;
    uint64_t misfits;     /* records of another size than the case says */
    uint64_t gaps;        /* records whose offset was not the expected one */
    int64_t *next_offset; /* owned; by partition, -1: any */
    int32_t partitions;
    uint32_t value_least; /* the broker makes JSON of about the size that the case says */
    uint32_t value_most;
    uint32_t key_size;
};

struct bench_meter {
    double wall;
    double cpu;
};

/* The two headers of the cases that have some. */
extern const char *const bench_header_names[BENCH_HEADERS_MAX];
extern const char *const bench_header_values[BENCH_HEADERS_MAX];

double bench_now(void);
void bench_setup_read(struct bench_setup *setup, int argc, char **argv);
/* Prints one line per case for run.sh: its name, and the broker options it needs. */
void bench_list(void);
void bench_data_init(struct bench_data *data, const struct bench_case *what);
void bench_data_deinit(struct bench_data *data);
void bench_tally_init(struct bench_tally *tally, const struct bench_case *what);
void bench_tally_deinit(struct bench_tally *tally);

void bench_meter_start(struct bench_meter *meter);
/* Turns the start into what has passed since. */
void bench_meter_stop(struct bench_meter *meter);
/* Prints the one line of results of this process. */
void bench_print(const struct bench_setup *setup, const struct bench_meter *used, uint64_t records);
/* Ends the process with a message if the account is not exact. */
void bench_ledger_check(const struct bench_ledger *ledger);
void bench_tally_check(const struct bench_tally *tally);
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static inline const uint8_t *bench_value(const struct bench_data *data, uint64_t number) {
    return data->values + (size_t)(number & (data->count - 1)) * data->value_size;
}

/* A key that spreads evenly: the record's number, mixed. */
static inline void bench_key(uint64_t number, uint8_t key[BENCH_KEY_BYTES_MAX]) {
    uint64_t mixed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 29;
    memcpy(key, &mixed, BENCH_KEY_BYTES_MAX);
}

static inline void bench_sent(struct bench_ledger *ledger, uint64_t tag) {
    ledger->sent++;
    ledger->sent_sum += tag;
}

static inline void bench_reported(struct bench_ledger *ledger, uint64_t tag, bool is_written) {
    ledger->reported++;
    ledger->reported_sum += tag;
    if (!is_written) ledger->failed++;
}

static inline void bench_read(struct bench_tally *tally, int32_t partition, int64_t offset,
                              const void *key, size_t key_size, const void *value,
                              size_t value_size) {
    if (value_size < tally->value_least || value_size > tally->value_most ||
        key_size != tally->key_size || (uint32_t)partition >= (uint32_t)tally->partitions) {
        tally->misfits++;
        return;
    }
    tally->records++;
    tally->sum += *(const uint8_t *)value + value_size;
    if (key != NULL && key_size > 0) tally->sum += *(const uint8_t *)key;
    int64_t *next = &tally->next_offset[partition];
    if (offset != *next && *next >= 0) tally->gaps++;
    *next = offset + 1;
}

#endif
