/* A latch: a lock that is held for a hundred nanoseconds at a time, by the hot path of producers.
 *
 * It costs one atomic exchange; a mutex costs two and two calls, which was a fifth of all CPU of a
 * produced record. Who finds it held looks again a few times and then sleeps for a while
 * (latch.c), so a holder that the system has put aside costs the others time and no CPU, whatever
 * their priorities. There is no order among those who wait. Nothing that waits, calls back or makes
 * a system call belongs inside, the allocation of a new chunk excepted. */
#ifndef SL_DRIVER_LATCH_H
#define SL_DRIVER_LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sl_latch {
    _Atomic uint32_t held; /* 0 or 1 */
};

/* Takes a latch that was found held. */
void sl_latch_wait(struct sl_latch *latch);

static inline void sl_latch_init(struct sl_latch *latch) { atomic_init(&latch->held, 0); }
/* False: somebody has it. */
static inline bool sl_latch_try(struct sl_latch *latch) {
    return atomic_exchange_explicit(&latch->held, 1, memory_order_acquire) == 0;
}
/* Reading does not take the cache line away from the holder, as trying does. */
static inline bool sl_latch_seems_free(const struct sl_latch *latch) {
    return atomic_load_explicit(&latch->held, memory_order_relaxed) == 0;
}
static inline void sl_latch_lock(struct sl_latch *latch) {
    if (!sl_latch_try(latch)) sl_latch_wait(latch);
}
static inline void sl_latch_unlock(struct sl_latch *latch) {
    atomic_store_explicit(&latch->held, 0, memory_order_release);
}

#endif
