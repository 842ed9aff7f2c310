/* The parts of a benchmark client that are the same whichever library it drives: the table of
 * cases, payloads, clocks, accounts and the line of results.
 *
 * A new case is one line in the table below. run.sh learns the cases from `bench-peer list`.
 *
 * CPU is that of the whole process (user and system, all threads), between the moment the warm-up
 * has nothing outstanding and the moment the last report is in or the last record read. */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { LAST_DESCRIPTOR = 1023, RANDOM_VALUES = 1024, JSON_VALUES = 16384 };

/* clang-format off */
static const struct bench_case cases[] = {
    /* name, mode, value, key, headers, partitions, idempotence, JSON, codec, level, broker */
    {"produce-100",         BENCH_PRODUCE, 100,  0, 0, 12, true,  false, "none",   0, ""},
    {"produce-100-noidem",  BENCH_PRODUCE, 100,  0, 0, 12, false, false, "none",   0, ""},
    {"produce-100-key",     BENCH_PRODUCE, 100,  8, 0, 12, true,  false, "none",   0, ""},
    {"produce-10",          BENCH_PRODUCE, 10,   0, 0, 12, true,  false, "none",   0, ""},
    {"produce-1000",        BENCH_PRODUCE, 1000, 0, 0, 12, true,  false, "none",   0, ""},
    {"produce-100-headers", BENCH_PRODUCE, 100,  0, 2, 12, true,  false, "none",   0, ""},
    {"produce-json-lz4",    BENCH_PRODUCE, 100,  0, 0, 12, true,  true,  "lz4",    0, ""},
    {"produce-json-snappy", BENCH_PRODUCE, 100,  0, 0, 12, true,  true,  "snappy", 0, ""},
    {"produce-json-zstd1",  BENCH_PRODUCE, 100,  0, 0, 12, true,  true,  "zstd",   1, ""},
    {"produce-json-zstd3",  BENCH_PRODUCE, 100,  0, 0, 12, true,  true,  "zstd",   3, ""},
    {"produce-json-gzip6",  BENCH_PRODUCE, 100,  0, 0, 12, true,  true,  "gzip",   6, ""},

    {"consume-100",         BENCH_CONSUME, 100,  0, 0, 12, false, false, "none",   0, ""},
    {"consume-100-single",  BENCH_CONSUME_SINGLE,
                                           100,  0, 0, 12, false, false, "none",   0, ""},
    {"consume-1000",        BENCH_CONSUME, 1000, 0, 0, 12, false, false, "none",   0,
     "--bench-record-size 1000"},
    {"consume-json-lz4",    BENCH_CONSUME, 100,  0, 0, 12, false, true,  "lz4",    0,
     "--bench-json --bench-codec lz4"},
    {"consume-json-snappy", BENCH_CONSUME, 100,  0, 0, 12, false, true,  "snappy", 0,
     "--bench-json --bench-codec snappy"},
    {"consume-json-zstd",   BENCH_CONSUME, 100,  0, 0, 12, false, true,  "zstd",   0,
     "--bench-json --bench-codec zstd"},
    {"consume-json-gzip",   BENCH_CONSUME, 100,  0, 0, 12, false, true,  "gzip",   0,
     "--bench-json --bench-codec gzip"},
};
/* clang-format on */

const char *const bench_header_names[BENCH_HEADERS_MAX] = {"trace-id", "content-type"};
const char *const bench_header_values[BENCH_HEADERS_MAX] = {"4bf92f3577b34da6", "text/plain"};

/* Read by no one: the sums end here, so that no compiler drops the reads. */
static volatile uint64_t sums_go_here;

void bench_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

double bench_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void bench_list(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        printf("%s %s\n", cases[i].name, cases[i].broker_options);
}

static double read_seconds(const char *name, double otherwise) {
    const char *text = getenv(name);
    char *end = NULL;
    if (text == NULL) return otherwise;
    double seconds = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(seconds > 0 && seconds <= 600))
        bench_fail("%s=%s: seconds are wanted, above 0 and up to 600", name, text);
    return seconds;
}

void bench_setup_read(struct bench_setup *setup, int argc, char **argv) {
    if (argc < 5)
        bench_fail("usage: %s run|prepare BOOTSTRAP TOPIC CASE [name=value ...]", argv[0]);
    setup->bootstrap = argv[2];
    setup->topic = argv[3];
    setup->what = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(cases[i].name, argv[4]) == 0) setup->what = &cases[i];
    if (setup->what == NULL) bench_fail("no case '%s'; `%s list` prints all", argv[4], argv[0]);
    setup->properties = argv + 5;
    setup->property_count = argc - 5;
    for (int i = 5; i < argc; i++)
        if (strchr(argv[i], '=') == NULL) bench_fail("'%s': name=value is wanted", argv[i]);
    setup->warmup_seconds = read_seconds("BENCH_WARMUP", 1.0);
    setup->measured_seconds = read_seconds("BENCH_SECONDS", 2.5);
}

/* splitmix64: the same bytes in every run, on every machine. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void fill_random(uint8_t *value, uint32_t size, uint64_t *state) {
    for (uint32_t i = 0; i < size; i++) value[i] = (uint8_t)draw(state);
}

/* An event as services log them: some fields from small sets, some that never repeat; the last
 * field is cut or padded so that the text fills the value. */
static void fill_json(uint8_t *value, uint32_t size, uint32_t number, uint64_t *state) {
    static const char *const types[] = {"view", "click", "cart", "order", "refund", "login"};
    static const char *const places[] = {"de", "fr", "us", "in", "br", "jp", "za", "au"};
    char text[256];
    uint64_t r = draw(state);
    int used = snprintf(text, sizeof text,
                        "{\"id\":%u,\"type\":\"%s\",\"user\":\"u%05u\",\"at\":\"%s\",\"ms\":%u,"
                        "\"total\":%u.%02u,\"ref\":\"",
                        10000000U + number * 7U, types[r % 6], (unsigned)(r >> 8) % 50000U,
                        places[(r >> 32) % 8], (unsigned)(r >> 36) % 900U,
                        (unsigned)(r >> 46) % 200U, (unsigned)(r >> 56) % 100U);
    uint64_t digits = draw(state);
    while (used < (int)sizeof text - 1) {
        text[used++] = "0123456789abcdef"[digits & 15];
        digits = (digits >> 4) | (digits << 60);
    }
    for (uint32_t at = 0; at < size; at += (uint32_t)used) {
        uint32_t part = size - at < (uint32_t)used ? size - at : (uint32_t)used;
        memcpy(value + at, text, part);
    }
    if (size >= 2) memcpy(value + size - 2, "\"}", 2);
}

void bench_data_init(struct bench_data *data, const struct bench_case *what) {
    uint64_t state = 1;
    data->count = what->has_json ? JSON_VALUES : RANDOM_VALUES;
    data->value_size = what->value_size;
    data->key_size = what->key_size;
    data->values = malloc((size_t)data->count * data->value_size);
    if (data->values == NULL) bench_fail("out of memory");
    for (uint32_t i = 0; i < data->count; i++) {
        uint8_t *value = data->values + (size_t)i * data->value_size;
        if (what->has_json)
            fill_json(value, data->value_size, i, &state);
        else
            fill_random(value, data->value_size, &state);
    }
}

void bench_data_deinit(struct bench_data *data) {
    free(data->values);
    data->values = NULL;
}

void bench_tally_init(struct bench_tally *tally, const struct bench_case *what) {
    memset(tally, 0, sizeof *tally);
    tally->partitions = what->partitions;
    tally->value_least = what->has_json ? what->value_size / 2 : what->value_size;
    tally->value_most = what->has_json ? what->value_size * 2 : what->value_size;
    tally->key_size = what->key_size;
    tally->next_offset = malloc((size_t)what->partitions * sizeof *tally->next_offset);
    if (tally->next_offset == NULL) bench_fail("out of memory");
    for (int32_t i = 0; i < what->partitions; i++) tally->next_offset[i] = -1;
}

void bench_tally_deinit(struct bench_tally *tally) {
    free(tally->next_offset);
    tally->next_offset = NULL;
}

static double read_cpu(void) {
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0) bench_fail("getrusage failed");
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void bench_meter_start(struct bench_meter *meter) {
    meter->cpu = read_cpu();
    meter->wall = bench_now();
}

void bench_meter_stop(struct bench_meter *meter) {
    meter->wall = bench_now() - meter->wall;
    meter->cpu = read_cpu() - meter->cpu;
}

/* The congestion control of this process's TCP connections, asked of the kernel; "mixed" if they
 * differ. Looked up among the open descriptors, since neither library shows its sockets. */
static void read_congestion(char *name, size_t cap) {
    snprintf(name, cap, "unknown");
    for (int fd = 0, known = 0; fd <= LAST_DESCRIPTOR; fd++) {
        char one[32] = "";
        struct sockaddr_storage peer;
        socklen_t size = sizeof one - 1;
        socklen_t peer_size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) != 0) continue;
        if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, one, &size) != 0) continue;
        if (known++ == 0)
            snprintf(name, cap, "%s", one);
        else if (strcmp(name, one) != 0)
            snprintf(name, cap, "mixed");
    }
}

void bench_print(const struct bench_setup *setup, const struct bench_meter *used,
                 uint64_t records) {
    char congestion[32];
    struct rusage whole;
    if (records == 0) bench_fail("%s: not one record in the measured time", setup->what->name);
    read_congestion(congestion, sizeof congestion);
    if (getrusage(RUSAGE_SELF, &whole) != 0) bench_fail("getrusage failed");
    printf("case=%s records=%llu seconds=%.4f cpu_seconds=%.4f rate=%.0f cpu_ns=%.2f "
           "rss_kib=%ld congestion=%s\n",
           setup->what->name, (unsigned long long)records, used->wall, used->cpu,
           (double)records / used->wall, used->cpu * 1e9 / (double)records, whole.ru_maxrss,
           congestion);
}

void bench_ledger_check(const struct bench_ledger *ledger) {
    if (ledger->sent != ledger->reported || ledger->sent_sum != ledger->reported_sum)
        bench_fail("%llu records sent, %llu reported, tag sums %llu and %llu: the account is off",
                   (unsigned long long)ledger->sent, (unsigned long long)ledger->reported,
                   (unsigned long long)ledger->sent_sum, (unsigned long long)ledger->reported_sum);
    if (ledger->failed != 0)
        bench_fail("%llu of %llu records were not written", (unsigned long long)ledger->failed,
                   (unsigned long long)ledger->sent);
}

void bench_tally_check(const struct bench_tally *tally) {
    sums_go_here = tally->sum;
    if (tally->misfits != 0 || tally->gaps != 0)
        bench_fail("%llu records were not of the case's sizes, %llu offsets out of order",
                   (unsigned long long)tally->misfits, (unsigned long long)tally->gaps);
}
