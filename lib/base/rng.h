/* Seeded generator (xoshiro256**): jitter, partition choice, simulation draws. Not for secrets. */
#ifndef SL_BASE_RNG_H
#define SL_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct sl_rng {
    uint64_t s[4];
};
void sl_rng_init(struct sl_rng *r, uint64_t seed);
uint64_t sl_rng_next(struct sl_rng *r);
/* Uniform in [0, n); n > 0. */
uint64_t sl_rng_below(struct sl_rng *r, uint64_t n);
/* Uniform in [low, high]. */
int64_t sl_rng_range(struct sl_rng *r, int64_t low, int64_t high);
/* True with probability numerator / denominator. */
bool sl_rng_chance(struct sl_rng *r, uint32_t numerator, uint32_t denominator);
/* value * U(0.8, 1.2): the jitter of KIP-580. */
int64_t sl_rng_jitter(struct sl_rng *r, int64_t value);

#endif
