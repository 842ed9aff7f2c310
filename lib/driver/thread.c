/* Starting threads. A thread of the library must never run a signal handler of the application,
 * so every signal is blocked in it from its first instruction on: the mask is inherited.
 *
 * Not here: what the threads do (runtime.c, errands.c). */
#include "driver/thread.h"

#include <signal.h>

#include "sluice/error.h"

static void name_thread(pthread_t thread, const char *name) {
#if defined(__linux__)
    (void)pthread_setname_np(thread, name);
#else
    (void)thread;
    (void)name;
#endif
}

int sl_thread_start(const char *name, void *(*main)(void *arg), void *arg, bool join,
                    pthread_t *out) {
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) return SLUICE_ERR_SYSTEM;
    (void)pthread_attr_setdetachstate(&attributes,
                                      join ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rv = pthread_create(out, &attributes, main, arg);
    /* A detached thread may be gone already, and its name with it. */
    if (rv == 0 && join) name_thread(*out, name);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return rv == 0 ? 0 : SLUICE_ERR_SYSTEM;
}
