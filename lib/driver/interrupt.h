/* The interrupt word of a client: how sluice_client_interrupt, which may run in a signal handler,
 * reaches waiting calls without a lock.
 *
 * The word counts interrupts; `taken` is the count that some waiting call has answered. A call
 * that waits answers any that came since the last one answered before it began, so that all of
 * several waiting calls end, and one that came before the wait counts. It is taken by nothing but
 * the answer: a call that ends otherwise leaves it to the next. */
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
/* Where a wait begins: what it knows to be answered. */
static inline uint32_t sl_interrupt_begin(struct sl_interrupt *i) { return atomic_load(&i->taken); }
/* While waiting. True: one came since, and is taken by this. */
static inline bool sl_interrupt_came(struct sl_interrupt *i, uint32_t since) {
    uint32_t word = atomic_load(&i->word);
    if (word == since) return false;
    uint32_t taken = atomic_load(&i->taken);
    while ((int32_t)(word - taken) > 0 && !atomic_compare_exchange_weak(&i->taken, &taken, word))
        continue;
    return true;
}

#endif
