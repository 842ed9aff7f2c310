/* The interrupt word of a client: how sluice_client_interrupt, which may run in a signal handler,
 * reaches waiting calls without a lock.
 *
 * The word counts interrupts; `taken` is the count that some waiting call has answered. A call
 * that begins to wait answers an interrupt that nobody has taken; one that waits already answers
 * any that came since it began, so that all of several waiting calls end. */
#ifndef SL_DRIVER_INTERRUPT_H
#define SL_DRIVER_INTERRUPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sl_interrupt {
    _Atomic uint32_t word;
    _Atomic uint32_t taken;
};

/* Signal-safe. */
static inline void sl_interrupt_raise(struct sl_interrupt *i) { atomic_fetch_add(&i->word, 1); }
static inline uint32_t sl_interrupt_peek(struct sl_interrupt *i) { return atomic_load(&i->word); }
/* Before a wait. False: there is one to answer, which is taken by this. */
static inline bool sl_interrupt_begin(struct sl_interrupt *i, uint32_t *since) {
    *since = atomic_load(&i->word);
    return atomic_exchange(&i->taken, *since) == *since;
}
/* While waiting. True: one came, and is taken by this. */
static inline bool sl_interrupt_came(struct sl_interrupt *i, uint32_t since) {
    uint32_t word = atomic_load(&i->word);
    if (word == since) return false;
    atomic_store(&i->taken, word);
    return true;
}

#endif
