/* The table of cases and what follows from a case for both clients.
 *
 * A new case is one line in the table; run.sh learns the cases from `prepare list`, and targets.txt
 * has the bars. BENCH_WARMUP and BENCH_SECONDS are for every case, the seconds in the table for when
 * they are not given. */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

/* The columns that every case has. */
#define CASE(n, k, value, key, headers, p, idempotence, json, c, l, broker)                      \
    .name = n, .kind = BENCH_##k, .value_size = value, .key_size = key, .header_count = headers, \
    .partitions = p, .has_idempotence = idempotence, .has_json = json, .codec = c, .level = l,   \
    .broker_options = broker
/* What makes a case one under TLS: run.sh makes the files, and sets the clients' properties. */
#define TLS "--tls-cert WORK/tls.pem --tls-key WORK/tls.key"
/* Of cases that need other times than most. */
#define SECONDS(warmup, measured) .warmup_seconds = warmup, .seconds = measured

/* clang-format off */
static const struct bench_case cases[] = {
    /* name, kind, value, key, headers, partitions, idempotence, JSON, codec, level, broker */
    {CASE("produce-100",         PRODUCE, 100,  0, 0, 12, true,  false, "none",   0, ""),
     .has_floor = true},
    {CASE("produce-100-noidem",  PRODUCE, 100,  0, 0, 12, false, false, "none",   0, "")},
    {CASE("produce-100-key",     PRODUCE, 100,  8, 0, 12, true,  false, "none",   0, "")},
    {CASE("produce-10",          PRODUCE, 10,   0, 0, 12, true,  false, "none",   0, "")},
    {CASE("produce-1000",        PRODUCE, 1000, 0, 0, 12, true,  false, "none",   0, ""),
     .has_floor = true},
    {CASE("produce-100-headers", PRODUCE, 100,  0, 2, 12, true,  false, "none",   0, "")},
    {CASE("produce-json-lz4",    PRODUCE, 100,  0, 0, 12, true,  true,  "lz4",    0, ""),
     .has_floor = true},
    {CASE("produce-json-snappy", PRODUCE, 100,  0, 0, 12, true,  true,  "snappy", 0, ""),
     .has_floor = true},
    {CASE("produce-json-zstd1",  PRODUCE, 100,  0, 0, 12, true,  true,  "zstd",   1, ""),
     .has_floor = true},
    {CASE("produce-json-zstd3",  PRODUCE, 100,  0, 0, 12, true,  true,  "zstd",   3, ""),
     .has_floor = true},
    {CASE("produce-json-gzip6",  PRODUCE, 100,  0, 0, 12, true,  true,  "gzip",   6, "")},

    {CASE("produce-1000-tls",    PRODUCE, 1000, 0, 0, 12, true,  false, "none",   0, TLS)},

    {CASE("produce-key-12p",     PRODUCE, 100,  8, 0, 12,    true, false, "none", 0, "")},
    {CASE("produce-key-1000p",   PRODUCE, 100,  8, 0, 1000,  true, false, "none", 0, "")},
    {CASE("produce-key-10000p",  PRODUCE, 100,  8, 0, 10000, true, false, "none", 0, "")},
    {CASE("produce-4p-20k",      PRODUCE, 100,  8, 0, 4,     true, false, "none", 0, ""),
     .pace = 20000, SECONDS(0.5, 2)},
    {CASE("produce-300p-20k",    PRODUCE, 100,  8, 0, 300,   true, false, "none", 0, ""),
     .pace = 20000, SECONDS(0.5, 2)},
    {CASE("produce-2000-topics", PRODUCE, 100,  0, 0, 1,     true, false, "none", 0, ""),
     .nodes = 1, .topics = 2000, SECONDS(1, 2)}, /* the broker has first partitions on node 1 */
    {CASE("produce-4-threads",   PRODUCE, 100,  0, 0, 12,    true, false, "none", 0, ""),
     .threads = 4},
    {CASE("produce-latency",     LATENCY, 100,  0, 0, 12,    false, false, "none", 0, ""),
     .pace = 1000, .has_floor = true, SECONDS(0.5, 3)},
    {CASE("produce-memory",      MEMORY,  10, 100, 0, 12,    true, false, "none", 0, "")},
    {CASE("idle-100-brokers",    IDLE,    100,  8, 0, 100,   true, false, "none", 0, ""),
     .nodes = 100, SECONDS(1, 2.5)},

    {CASE("consume-100",         CONSUME, 100,  0, 0, 12, false, false, "none",   0, "")},
    {CASE("consume-100-single",  CONSUME_SINGLE,
                                          100,  0, 0, 12, false, false, "none",   0, "")},
    {CASE("consume-100-rows",    CONSUME_ROWS,
                                          100,  0, 0, 12, false, false, "none",   0, "")},
    {CASE("consume-10p",         CONSUME, 100,  0, 0, 10, false, false, "none",   0, "")},
    {CASE("consume-1000p-10-active",
                                 CONSUME, 100,  0, 0, 1000, false, false, "none", 0,
          "--bench-partitions 10")},
    {CASE("consume-1000",        CONSUME, 1000, 0, 0, 12, false, false, "none",   0,
          "--bench-record-size 1000")},
    {CASE("consume-1000-tls",    CONSUME, 1000, 0, 0, 12, false, false, "none",   0,
          "--bench-record-size 1000 " TLS)},
    {CASE("consume-json-lz4",    CONSUME, 100,  0, 0, 12, false, true,  "lz4",    0,
          "--bench-json --bench-codec lz4")},
    {CASE("consume-json-snappy", CONSUME, 100,  0, 0, 12, false, true,  "snappy", 0,
          "--bench-json --bench-codec snappy")},
    {CASE("consume-json-zstd",   CONSUME, 100,  0, 0, 12, false, true,  "zstd",   0,
          "--bench-json --bench-codec zstd")},
    {CASE("consume-json-gzip",   CONSUME, 100,  0, 0, 12, false, true,  "gzip",   0,
          "--bench-json --bench-codec gzip")},
    {CASE("consume-idle",        IDLE_GROUP,
                                          100,  0, 0, 12, false, false, "none",   0, ""),
     SECONDS(4, 9)},
    {CASE("end-to-end-latency",  END_TO_END,
                                          100,  0, 0, 1,  false, false, "none",   0, ""),
     .nodes = 1, .pace = 1000, SECONDS(0.5, 3)},
};
/* clang-format on */
enum { CASE_COUNT = sizeof cases / sizeof cases[0], NODES_DEFAULT = 3 };

/* Whether the broker keeps what it is sent, and has nothing to read before. */
static bool has_log(const struct bench_case *c) {
    return c->kind == BENCH_IDLE || c->kind == BENCH_IDLE_GROUP || c->kind == BENCH_END_TO_END;
}

void bench_list(void) {
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const struct bench_case *c = &cases[i];
        int32_t nodes = c->nodes == 0 ? NODES_DEFAULT : c->nodes;
        /* A consumer has nothing to read in a real log; the one that --bench serves never ends. */
        printf("%s %d %s --nodes %d%s %s\n", c->name, (int)nodes, c->has_floor ? "floor" : "-",
               (int)nodes, has_log(c) ? "" : " --bench", c->broker_options);
    }
}

static double read_seconds(const char *name, double otherwise) {
    const char *text = getenv(name);
    char *end = NULL;
    if (text == NULL || *text == '\0') return otherwise;
    double seconds = strtod(text, &end);
    if (*end != '\0' || !(seconds > 0 && seconds <= 600))
        bench_fail("%s=%s: seconds are wanted, above 0 and up to 600", name, text);
    return seconds;
}

void bench_setup_read(struct bench_setup *setup, int argc, char **argv) {
    if (argc < 5) bench_fail("usage: %s run BOOTSTRAP TOPIC CASE [name=value ...]", argv[0]);
    setup->bootstrap = argv[2];
    setup->topic = argv[3];
    setup->what = NULL;
    for (size_t i = 0; i < CASE_COUNT; i++)
        if (strcmp(cases[i].name, argv[4]) == 0) setup->what = &cases[i];
    if (setup->what == NULL) bench_fail("there is no case '%s'", argv[4]);
    setup->properties = argv + 5;
    setup->property_count = argc - 5;
    for (int i = 5; i < argc; i++)
        if (strchr(argv[i], '=') == NULL) bench_fail("'%s': name=value is wanted", argv[i]);
    double warmup = setup->what->warmup_seconds > 0 ? setup->what->warmup_seconds : 1;
    double measured = setup->what->seconds > 0 ? setup->what->seconds : 2.5;
    setup->warmup_seconds = read_seconds("BENCH_WARMUP", warmup);
    setup->measured_seconds = read_seconds("BENCH_SECONDS", measured);
}

static bool is_prompt(const struct bench_case *what) {
    return what->kind == BENCH_LATENCY || what->kind == BENCH_END_TO_END;
}

int32_t bench_linger_ms(const struct bench_case *what) {
    return is_prompt(what) ? 0 : BENCH_LINGER_MS;
}

int32_t bench_buffer_bytes(const struct bench_case *what) {
    return what->kind == BENCH_MEMORY ? BENCH_MEMORY_BYTES : BENCH_BUFFER_BYTES;
}

const char *bench_acks(const struct bench_case *what) { return is_prompt(what) ? "1" : "all"; }
