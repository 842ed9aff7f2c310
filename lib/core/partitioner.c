/* Partition choice.
 *
 * A key always decides by murmur2 over all partitions, led or not, exactly as the Java client does
 * (protocol notes 5.1): two programs in different languages must put a key in the same place. The
 * sign bit is masked, not negated away.
 *
 * Records without key stay on one partition until the batcher closes a batch of it after at least
 * SL_PARTITIONER_STICKY bytes (KIP-794: turning in the middle of a batch makes fragments). The next
 * one is drawn from two at random, and of these the one with the shorter queue is taken: slow
 * brokers get less, as KIP-794's weights do it, at a price that does not grow with the number of
 * partitions. With equal queues the choice is uniform. */
#include "core/partitioner.h"

#include <string.h>

#include "base/assert.h"
#include "core/batch.h"
#include "core/metadata.h"
#include "core/partition.h"

uint32_t sl_partitioner_murmur2(const void *key, uint32_t size) {
    const uint32_t m = 0x5bd1e995U;
    const uint8_t *at = key;
    uint32_t h = 0x9747b28cU ^ size;
    uint32_t left = size;
    for (; left >= 4; at += 4, left -= 4) {
        uint32_t k = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        k *= m;
        k ^= k >> 24;
        k *= m;
        h *= m;
        h ^= k;
    }
    if (left >= 3) h ^= (uint32_t)at[2] << 16;
    if (left >= 2) h ^= (uint32_t)at[1] << 8;
    if (left >= 1) {
        h ^= at[0];
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return h;
}

int32_t sl_partitioner_of_key(const void *key, uint32_t size, int32_t count) {
    return (int32_t)((sl_partitioner_murmur2(key, size) & 0x7fffffffU) % (uint32_t)count);
}

/* Tries to hit a partition with a leader; any partition when luck or leaders are lacking. */
static const struct sl_partition *draw_led_partition(struct sl_rng *rng,
                                                     const struct sl_topic *topic) {
    enum { DRAW_TRIES = 8 }; /* arbitrary: with half of the leaders gone, a miss in 256 */
    const struct sl_partition *p = NULL;
    for (int i = 0; i < DRAW_TRIES; i++) {
        p = topic->partitions[sl_rng_below(rng, (uint64_t)topic->partition_count)];
        if (p->leader >= 0) break;
    }
    return p;
}

int32_t sl_partitioner_sticky(struct sl_rng *rng, const struct sl_topic *topic) {
    SL_ASSERT(topic->partition_count > 0);
    if (topic->partition_count == 1) return 0;
    const struct sl_partition *a = draw_led_partition(rng, topic);
    const struct sl_partition *b = draw_led_partition(rng, topic);
    if (a->leader < 0) return b->index;
    if (b->leader < 0) return a->index;
    return b->produce.queued < a->produce.queued ? b->index : a->index;
}
