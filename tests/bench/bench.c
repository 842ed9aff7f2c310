/* The parts of a benchmark program that are the same whichever library it drives: payloads, clocks
 * and accounts. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    RANDOM_VALUES = 1024,
    JSON_VALUES = 16384,
    LATENCY_SLICE = 200 /* records; a fifth of a second */
};

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

void bench_sleep_until(double when) {
    struct timespec until = {.tv_sec = (time_t)when};
    until.tv_nsec = (long)((when - (double)until.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
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

void bench_topic_name(char name[BENCH_TOPIC_NAME], const struct bench_setup *setup, int32_t index) {
    snprintf(name, BENCH_TOPIC_NAME, "%s-%04d", setup->topic, (int)index);
}

void bench_data_init(struct bench_data *data, const struct bench_setup *setup) {
    const struct bench_case *what = setup->what;
    uint64_t state = 1;
    memset(data, 0, sizeof *data);
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
    if (what->topics == 0) return;
    data->topic_count = what->topics;
    data->topics = malloc((size_t)what->topics * sizeof *data->topics);
    if (data->topics == NULL) bench_fail("out of memory");
    for (int32_t i = 0; i < what->topics; i++) bench_topic_name(data->topics[i], setup, i);
}

void bench_data_deinit(struct bench_data *data) {
    free(data->values);
    free(data->topics);
    data->values = NULL;
    data->topics = NULL;
}

void bench_sender_init(struct bench_sender *sender, struct bench_data *data, uint64_t first,
                       uint64_t step) {
    memset(sender, 0, sizeof *sender);
    sender->data = data;
    sender->next = first;
    sender->step = step;
    memset(sender->key, 'k', sizeof sender->key);
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

void bench_stamp_report(struct bench_reports *reports, uint64_t tag) {
    if (tag >= reports->stamp_count) bench_fail("a report of a record that was never sent");
    reports->stamps[tag] = bench_now() - reports->stamps[tag];
}

void bench_stamp_value(struct bench_sender *sender) {
    double now = bench_now();
    memcpy((uint8_t *)(uintptr_t)bench_value(sender->data, sender->next), &now, sizeof now);
}

void bench_time_record(struct bench_tally *tally, const void *value) {
    double sent;
    memcpy(&sent, value, sizeof sent);
    if (sent < tally->since) return;
    if (tally->time_count == tally->time_cap) bench_fail("a record that was never sent");
    tally->times[tally->time_count++] = bench_now() - sent;
}

void bench_reports_check(const struct bench_reports *reports, const struct bench_sender *senders,
                         int32_t count) {
    uint64_t sent = 0;
    uint64_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        sent += senders[i].sent;
        sum += senders[i].sent_sum;
    }
    if (sent != reports->count || sum != reports->sum)
        bench_fail("%llu records sent, %llu reported, tag sums %llu and %llu: the account is off",
                   (unsigned long long)sent, (unsigned long long)reports->count,
                   (unsigned long long)sum, (unsigned long long)reports->sum);
    if (reports->failed != 0)
        bench_fail("%llu of %llu records were not written", (unsigned long long)reports->failed,
                   (unsigned long long)sent);
}

void bench_tally_check(const struct bench_tally *tally) {
    sums_go_here = tally->sum;
    if (tally->misfits != 0 || tally->gaps != 0)
        bench_fail("%llu records were not of the case's sizes, %llu offsets out of order",
                   (unsigned long long)tally->misfits, (unsigned long long)tally->gaps);
}

static int compare_times(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

void bench_put_times(struct bench_result *result, double *times) {
    uint64_t slices = result->records / LATENCY_SLICE;
    double *halves = calloc(2 * slices, sizeof *halves);
    if (slices == 0 || halves == NULL) bench_fail("too few records, or out of memory");
    double *tails = halves + slices;
    for (uint64_t i = 0; i < slices; i++) {
        double *slice = times + i * LATENCY_SLICE;
        qsort(slice, LATENCY_SLICE, sizeof *slice, compare_times);
        halves[i] = slice[LATENCY_SLICE / 2];
        tails[i] = slice[LATENCY_SLICE * 99 / 100];
    }
    qsort(halves, slices, sizeof *halves, compare_times);
    qsort(tails, slices, sizeof *tails, compare_times);
    result->figure = halves[slices / 2] * 1e6;
    snprintf(result->more, sizeof result->more, " p50_us=%.1f p99_us=%.1f", result->figure,
             tails[slices / 2] * 1e6);
    free(halves);
}
