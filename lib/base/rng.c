/* xoshiro256** 1.0 by Blackman and Vigna, seeded through splitmix64 as its authors advise.
 *
 * The same seed gives the same draws on every platform: all arithmetic is on 64-bit unsigned
 * integers and no floating point is used, so a simulation seed replays anywhere. One generator
 * belongs to one machine; there is no global one.
 *
 * Not done here: no secrets. Whoever sees a few outputs can compute the rest. */
#include "base/rng.h"

#include "base/assert.h"

static uint64_t rotate_rng_left(uint64_t v, unsigned bits) {
    return (v << bits) | (v >> (64 - bits));
}

void sl_rng_init(struct sl_rng *r, uint64_t seed) {
    /* splitmix64 maps four different inputs to four different words, so never to all zeros, the
     * one state that xoshiro cannot leave. */
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t sl_rng_next(struct sl_rng *r) {
    uint64_t *s = r->s;
    uint64_t result = rotate_rng_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_rng_left(s[3], 45);
    return result;
}

uint64_t sl_rng_below(struct sl_rng *r, uint64_t n) {
    SL_ASSERT(n > 0);
    /* 2^64 mod n draws are one too many for some remainders; they are drawn again. */
    uint64_t surplus = (0 - n) % n;
    uint64_t v = sl_rng_next(r);
    while (v < surplus) v = sl_rng_next(r);
    return v % n;
}

int64_t sl_rng_range(struct sl_rng *r, int64_t low, int64_t high) {
    SL_ASSERT(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t offset = span == UINT64_MAX ? sl_rng_next(r) : sl_rng_below(r, span + 1);
    return (int64_t)((uint64_t)low + offset);
}

bool sl_rng_chance(struct sl_rng *r, uint32_t numerator, uint32_t denominator) {
    return sl_rng_below(r, denominator) < numerator;
}

int64_t sl_rng_jitter(struct sl_rng *r, int64_t value) {
    if (value <= 0) return value;
    int64_t spread = value / 5;
    int64_t high = value > INT64_MAX - spread ? INT64_MAX : value + spread;
    return sl_rng_range(r, value - spread, high);
}
