/* Reads what Linux tells of this process, and prints the line of results, which is made of that.
 *
 * Threads are those in /proc/self/task except the calling one, so a run that starts application
 * threads of its own asks when these are gone. */
#include "process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum { LAST_DESCRIPTOR = 1023 };

/* Sums two numbers of a file of "name: number" lines. False: there is no such file any more. */
static bool read_status(const char *path, const char *names[2], int64_t values[2]) {
    char line[256];
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    values[0] = values[1] = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        for (int i = 0; i < 2; i++) {
            size_t size = strlen(names[i]);
            if (strncmp(line, names[i], size) == 0 && line[size] == ':')
                values[i] = strtoll(line + size + 1, NULL, 10);
        }
    }
    fclose(file);
    return true;
}

void bench_tasks_read(struct bench_tasks *tasks) {
    const char *names[2] = {"voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"};
    struct dirent *entry;
    DIR *folder = opendir("/proc/self/task");
    if (folder == NULL) bench_fail("/proc/self/task cannot be read");
    tasks->count = 0;
    while ((entry = readdir(folder)) != NULL && tasks->count < BENCH_TASKS_MAX) {
        char path[64];
        int64_t values[2];
        int32_t id = (int32_t)strtol(entry->d_name, NULL, 10);
        if (id <= 0 || id == (int32_t)getpid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)id);
        if (!read_status(path, names, values)) continue;
        tasks->ids[tasks->count] = id;
        tasks->voluntary[tasks->count] = values[0];
        tasks->all[tasks->count++] = values[0] + values[1];
    }
    closedir(folder);
}

int64_t bench_tasks_switches(const struct bench_tasks *before, const struct bench_tasks *after,
                             bool voluntary_only) {
    int64_t sum = 0;
    for (int32_t i = 0; i < after->count; i++) {
        sum += voluntary_only ? after->voluntary[i] : after->all[i];
        for (int32_t k = 0; k < before->count; k++)
            if (before->ids[k] == after->ids[i])
                sum -= voluntary_only ? before->voluntary[k] : before->all[k];
    }
    return sum;
}

static double read_cpu(void) {
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0) bench_fail("getrusage failed");
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void bench_meter_start(struct bench_meter *meter) {
    bench_tasks_read(&meter->tasks);
    meter->cpu = read_cpu();
    meter->wall = bench_now();
}

void bench_meter_stop(struct bench_meter *meter) {
    struct bench_tasks now;
    meter->wall = bench_now() - meter->wall;
    meter->cpu = read_cpu() - meter->cpu;
    bench_tasks_read(&now);
    meter->wakes = (double)bench_tasks_switches(&meter->tasks, &now, true);
}

static int64_t read_memory(int which) {
    const char *names[2] = {"VmRSS", "VmHWM"};
    int64_t values[2];
    if (!read_status("/proc/self/status", names, values) || values[which] == 0)
        bench_fail("/proc/self/status has no %s", names[which]);
    return values[which];
}

int64_t bench_memory_now(void) { return read_memory(0); }
int64_t bench_memory_peak(void) { return read_memory(1); }

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
                 const struct bench_result *result) {
    char congestion[32];
    double records = (double)result->records;
    if (result->records == 0)
        bench_fail("%s: not one record in the measured time", setup->what->name);
    read_congestion(congestion, sizeof congestion);
    printf("case=%s unit=%s records=%.0f seconds=%.4f cpu_seconds=%.4f figure=%.2f cpu_ns=%.2f "
           "rss_kib=%lld sent=%llu congestion=%s%s\n",
           setup->what->name, result->unit == NULL ? "records/s" : result->unit, records,
           used->wall, used->cpu, result->unit == NULL ? records / used->wall : result->figure,
           used->cpu * 1e9 / records, (long long)bench_memory_peak(),
           (unsigned long long)result->sent, congestion, result->more);
    fflush(stdout);
}
