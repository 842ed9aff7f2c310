/* How many threads a test has. Header-only. */
#ifndef SL_TEST_THREADS_H
#define SL_TEST_THREADS_H

#include "unit/support.h"

#include <dirent.h>

#include "driver/system.h"

/* The main one; ThreadSanitizer has another, from the first that a test starts. */
#ifdef __SANITIZE_THREAD__
enum { TEST_OWN_THREADS = 2 };
#else
enum { TEST_OWN_THREADS = 1 };
#endif

/* 1 where the system does not say. */
static inline int test_count_threads(void) {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) return 1;
    for (const struct dirent *it; (it = readdir(tasks)) != NULL;) count += it->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* Until the library has none any more: the system lists one that was joined for a moment. */
static inline void test_await_threads(int64_t patience_ns) {
    int64_t until = sl_system_now() + patience_ns;
    while (test_count_threads() > TEST_OWN_THREADS) {
        assert_true(sl_system_now() < until);
        sl_system_pause(1000000);
    }
}

#endif
