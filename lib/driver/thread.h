/* Threads of the library: all signals blocked, named. */
#ifndef SL_DRIVER_THREAD_H
#define SL_DRIVER_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts main(arg). join false: detached. name: at most 15 characters. 0 or SYSTEM. */
int sl_thread_start(const char *name, void *(*main)(void *arg), void *arg, bool join,
                    pthread_t *out);

#endif
