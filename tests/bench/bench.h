/* What the benchmark's programs share, so that they differ in nothing but the library they call.
 *
 * A client program is runs.c (what is done: the loops, the threads, the clock), cases.c (the table
 * of cases), bench.c (payloads, accounts, the line of results), process.c (what the system says of
 * this process), and one of ours.c and peer.c, which do what client.h says with a library. A run
 * is: warm up, start the meter with nothing outstanding, work for the measured time, finish
 * everything outstanding, stop the meter. The inline functions are the work done per record. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum bench_kind {
    BENCH_PRODUCE = 1,
    BENCH_LATENCY,
    BENCH_MEMORY,
    BENCH_IDLE,
    BENCH_CONSUME,
    BENCH_CONSUME_SINGLE,
    BENCH_CONSUME_ROWS,
    BENCH_IDLE_GROUP,
    BENCH_END_TO_END
};

enum {
    BENCH_LINGER_MS = 5,
    BENCH_BATCH_BYTES = 1000000,
    BENCH_BUFFER_BYTES = 512 * 1024 * 1024,
    BENCH_MEMORY_BYTES = 64 * 1024 * 1024, /* the budget of BENCH_MEMORY */
    /* Records between two looks at the clock and at the delivery reports. */
    BENCH_STRIDE = 1000,
    BENCH_KEY_BYTES_MAX = 100,
    BENCH_HEADERS_MAX = 2,
    BENCH_PARTITIONS_MAX = 10000, /* of all topics together */
    BENCH_THREADS_MAX = 16,
    BENCH_TOPIC_NAME = 64,
    BENCH_HEARTBEAT_MS = 3000, /* of members of groups */
    /* A consumer that gets nothing, or a producer that hears nothing, for so long has failed. */
    BENCH_SILENCE_MS = 10000
};

struct bench_case {
    const char *name;
    enum bench_kind kind;
    uint32_t value_size;
    uint32_t key_size;          /* 0: no key; from 8 to BENCH_KEY_BYTES_MAX */
    int32_t header_count;       /* at most BENCH_HEADERS_MAX */
    int32_t partitions;         /* of each topic */
    bool has_idempotence;       /* producers only */
    bool has_json;              /* varied JSON text instead of random bytes */
    const char *codec;          /* "none" or Kafka's name of it */
    int32_t level;              /* 0: the codec's default */
    const char *broker_options; /* what sluice-broker needs beside --nodes and --bench */
    /* Most cases leave the rest at zero. */
    int32_t nodes;         /* of the broker; 0: 3 */
    int32_t topics;        /* 0: one; otherwise records go to so many by name, in turn */
    int32_t threads;       /* application threads; 0: one */
    int32_t pace;          /* records a second; 0: as many as go */
    bool has_floor;        /* run.sh measures the floor beside the clients */
    double warmup_seconds; /* where BENCH_WARMUP is not given; 0: 1 */
    double seconds;        /* where BENCH_SECONDS is not given; 0: 2.5 */
};

/* The command line: VERB BOOTSTRAP TOPIC CASE [name=value …], where the pairs are properties set
 * last, for trying out other settings. */
struct bench_setup {
    const char *bootstrap;
    const char *topic; /* of cases with many topics: the beginning of their names */
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
    char (*topics)[BENCH_TOPIC_NAME]; /* owned; NULL: one topic */
    int32_t topic_count;
};

/* What one application thread has sent. Record numbers are tags: first, first + step, … */
struct bench_sender {
    struct bench_data *data;
    uint64_t next; /* number of the next record */
    uint64_t step;
    uint64_t sent;
    uint64_t sent_sum;
    bool reads_reports; /* it reads reports while the buffer is full; others wait for room */
    uint8_t key[BENCH_KEY_BYTES_MAX];
};

/* What was reported: every tag must come back. One thread at a time writes here. */
struct bench_reports {
    uint64_t count;
    uint64_t sum;
    uint64_t failed;
    /* NULL, or by tag when it was sent; turned into what has passed until its report. */
    double *stamps;
    uint64_t stamp_count;
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
    /* NULL, or how long records took that begin with the time of their sending; those of before
     * `since` are another run's. */
    double *times;
    uint64_t time_count;
    uint64_t time_cap;
    double since;
};

/* The outcome of a run beside what the meter has. */
struct bench_result {
    uint64_t records; /* in the measured time */
    uint64_t sent;    /* since the start; 0: a run whose records the broker need not have */
    const char *unit; /* of the figure; NULL: records a second, and figure is not looked at */
    double figure;
    char more[256]; /* further fields, " name=number …" */
};

/* The two headers of the cases that have some. */
extern const char *const bench_header_names[BENCH_HEADERS_MAX];
extern const char *const bench_header_values[BENCH_HEADERS_MAX];

/* ---- cases.c ---- */

/* Prints a line per case for run.sh: name, nodes, "floor" or "-", all options of the broker. */
void bench_list(void);
void bench_setup_read(struct bench_setup *setup, int argc, char **argv);
/* Settings of both clients. */
int32_t bench_linger_ms(const struct bench_case *what);
int32_t bench_buffer_bytes(const struct bench_case *what);
const char *bench_acks(const struct bench_case *what);

/* ---- bench.c ---- */

void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
double bench_now(void);
void bench_sleep_until(double when);
void bench_data_init(struct bench_data *data, const struct bench_setup *setup);
void bench_data_deinit(struct bench_data *data);
/* The name of topic number `index` of a case with many. */
void bench_topic_name(char name[BENCH_TOPIC_NAME], const struct bench_setup *setup, int32_t index);
void bench_sender_init(struct bench_sender *sender, struct bench_data *data, uint64_t first,
                       uint64_t step);
void bench_tally_init(struct bench_tally *tally, const struct bench_case *what);
void bench_tally_deinit(struct bench_tally *tally);
/* These end the process with a message if the account is not exact. */
void bench_reports_check(const struct bench_reports *reports, const struct bench_sender *senders,
                         int32_t count);
void bench_tally_check(const struct bench_tally *tally);
void bench_stamp_report(struct bench_reports *reports, uint64_t tag);
/* Tells two durations of a run, of as many records as the result has (the times are sorted): p50 and p99 of
 * each slice of records in a row, and of these the medians. A virtual machine is stopped for tens of
 * milliseconds whenever its host likes, which would otherwise be the p99 of any client. */
void bench_put_times(struct bench_result *result, double *times);
/* Puts the time into the next value. */
void bench_stamp_value(struct bench_sender *sender);
void bench_time_record(struct bench_tally *tally, const void *value);

static inline const uint8_t *bench_value(const struct bench_data *data, uint64_t number) {
    return data->values + (size_t)(number & (data->count - 1)) * data->value_size;
}

/* The topic of a record where there are many. */
static inline const char *bench_topic(const struct bench_data *data, uint64_t number) {
    return data->topics[number % (uint32_t)data->topic_count];
}

/* A key that spreads evenly: the record's number, mixed, before what all keys have in common. */
static inline void bench_key(struct bench_sender *sender) {
    uint64_t mixed = (sender->next + 1) * UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 29;
    memcpy(sender->key, &mixed, sizeof mixed);
}

static inline void bench_sent(struct bench_sender *sender) {
    sender->sent++;
    sender->sent_sum += sender->next;
    sender->next += sender->step;
}

static inline void bench_reported(struct bench_reports *reports, uint64_t tag, bool is_written) {
    reports->count++;
    reports->sum += tag;
    if (!is_written) reports->failed++;
    if (reports->stamps != NULL) bench_stamp_report(reports, tag);
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
    if (tally->times != NULL) bench_time_record(tally, value);
}

#endif
