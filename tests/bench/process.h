/* What the system says of this process: time, CPU, threads and their switches, memory. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

enum { BENCH_TASKS_MAX = 512 };

/* The threads beside the calling one, and how often each was switched away from. A voluntary
 * switch is a thread that went to sleep, so also one that was woken. */
struct bench_tasks {
    int32_t count;
    int32_t ids[BENCH_TASKS_MAX];
    int64_t voluntary[BENCH_TASKS_MAX];
    int64_t all[BENCH_TASKS_MAX];
};
void bench_tasks_read(struct bench_tasks *tasks);
/* Switches of the threads of `after` since `before`; a thread that is new counts from its start. */
int64_t bench_tasks_switches(const struct bench_tasks *before, const struct bench_tasks *after,
                             bool voluntary_only);

/* CPU is that of the whole process, user and system, all threads. */
struct bench_meter {
    double wall;
    double cpu;
    double wakes; /* voluntary switches of the library's threads */
    struct bench_tasks tasks;
};
void bench_meter_start(struct bench_meter *meter);
/* Turns the start into what has passed since. */
void bench_meter_stop(struct bench_meter *meter);

/* Resident memory now, and the most it ever was, in KiB. */
int64_t bench_memory_now(void);
int64_t bench_memory_peak(void);

/* Prints the one line of results of this process. */
void bench_print(const struct bench_setup *setup, const struct bench_meter *used,
                 const struct bench_result *result);

#endif
