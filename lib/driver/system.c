/* Clock, entropy, processors and stderr.
 *
 * Time is an input everywhere else, so that the simulator can make its own; entropy too. The
 * monotonic clock is the one that condition variables and timers of this folder count in.
 *
 * Not here: waiting for a time (the poller and the mailboxes do), and secrets. */
#include "driver/system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#include <sys/random.h>
#endif

#include "base/text.h"
#include "sluice/error.h"

enum { ENTROPY_PIECE = 256 }; /* what getentropy gives at most, and getrandom never splits */

int64_t sl_system_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t sl_system_wall_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sl_system_pause(int64_t nanoseconds) {
    struct timespec time = {.tv_sec = 0, .tv_nsec = (long)nanoseconds};
    (void)nanosleep(&time, NULL);
}

int sl_system_entropy(void *buf, size_t size) {
    uint8_t *at = buf;
    while (size > 0) {
        size_t piece = size < ENTROPY_PIECE ? size : ENTROPY_PIECE;
#if defined(__linux__)
        ssize_t got = getrandom(at, piece, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return SLUICE_ERR_SYSTEM;
        piece = (size_t)got;
#else
        if (getentropy(at, piece) != 0) return SLUICE_ERR_SYSTEM;
#endif
        at += piece;
        size -= piece;
    }
    return 0;
}

int32_t sl_system_processors(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int32_t)count : 1;
}

void sl_system_log(int level, const char *line) {
    static const char *const names[] = {"emergency", "alert",  "critical", "error",
                                        "warning",   "notice", "info",     "debug"};
    const char *name = level >= 0 && level <= 7 ? names[level] : "log";
    (void)fprintf(stderr, "sluice: %s: %s\n", name, line);
}

void sl_system_put_error(char *text, size_t cap, int error) {
    char buf[128];
    struct sl_text out;
    sl_text_init(&out, text, cap);
#if defined(__GLIBC__)
    sl_text_put(&out, strerror_r(error, buf, sizeof buf));
#else
    if (strerror_r(error, buf, sizeof buf) == 0) sl_text_put(&out, buf);
#endif
}
