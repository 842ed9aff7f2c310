/* The fork generation: the one piece of process-wide state that the library has.
 *
 * Handles remember the generation they were made under; in a child they differ, every call says
 * FORKED, and freeing touches no lock, ends no connection and joins no thread.
 *
 * Not here: what a handle does about it (client.c, runtime.c). */
#include "driver/forked.h"

#include <pthread.h>

#include "sluice/error.h"

int sl_forked_generation = 1;

static pthread_once_t forked_once = PTHREAD_ONCE_INIT;
static int forked_result;

/* The child has one thread. What the parent's others read before is no race with it, but a checker
 * of races goes on counting them. */
__attribute__((no_sanitize("thread"))) static void count_fork_in_child(void) {
    sl_forked_generation++;
}
static void register_fork_handler(void) {
    forked_result = pthread_atfork(NULL, NULL, count_fork_in_child);
}

int sl_forked_watch(void) {
    if (pthread_once(&forked_once, register_fork_handler) != 0) return SLUICE_ERR_SYSTEM;
    return forked_result == 0 ? 0 : SLUICE_ERR_SYSTEM;
}
