/* Partition choice.
 *
 * A key's partition is a hash over all partitions of the topic, led or not, exactly as other
 * clients compute it: two programs in different languages must put a key in the same place. The
 * names are librdkafka's, and so is what each does with records that have no key (NULL), or an
 * empty one:
 *
 *   partitioner         hash      NULL     empty    as
 *   murmur2_random      murmur2   sticky   hashed   Java's default, with its sign bit masked
 *   murmur2             murmur2   hashed   hashed
 *   consistent_random   CRC-32    sticky   sticky   librdkafka's default
 *   consistent          CRC-32    hashed   hashed
 *   fnv1a_random        FNV-1a    sticky   hashed
 *   fnv1a               FNV-1a    hashed   hashed   Sarama, magnitude of a signed number
 *   random              none      drawn for each record, keys or not
 *   roundrobin          none      each partition in turn, as Java's RoundRobinPartitioner, once a
 *                                 record (Java's skips every other one when batches fill up)
 *
 * "Hashed" of NULL is where the empty key goes. partitioner.ignore.keys makes key-less records of
 * all. The partition that a record names itself comes before all this.
 *
 * Sticky is KIP-794: records stay on one partition until the batcher closes a batch of it after at
 * least SL_PARTITIONER_STICKY bytes (turning in the middle of a batch makes fragments). The next
 * partition is drawn with weights: of the available ones, each has the length of the longest queue
 * plus one, less its own. Not available is what has no leader, and with
 * partitioner.availability.timeout.ms what has a leader that has taken nothing for so long.
 *
 * The weights are looked up in a table of running sums. It costs a pass over all partitions, so it
 * is kept for a sixteenth as many draws as there are partitions, and for no longer than
 * LOAD_AGE_MS: a draw costs the same with twelve partitions and with ten thousand. When all are
 * alike there is no table. Without memory for it the draw is uniform. */
#include "core/partitioner.h"

#include <string.h>

#include "base/assert.h"
#include "core/batch.h"
#include "core/unit.h"
#include "record/crc32.h"

enum {
    LOAD_LOOKS_A_DRAW = 16, /* partitions looked at for a draw, on average */
    LOAD_AGE_MS = 100,      /* arbitrary: metadata and queues change no faster than people see */
    DRAW_TRIES = 8,         /* arbitrary: with half of the leaders gone, a miss in 256 */
    ROUND_TRIES = 64        /* arbitrary: neighbours without leader that round robin steps over */
};

/* ---- what the properties come to ---- */

void sl_partitioner_init(struct sl_partitioner *p, const struct sl_settings *settings) {
    static const struct {
        enum sl_key_hash hash;
        enum sl_keyless keyless;
        bool ignores_keys;
        uint32_t least_key;
    } rules[] = {
        [SL_PARTITIONER_MURMUR2_RANDOM] = {SL_KEY_HASH_MURMUR2, SL_KEYLESS_STICKY, false, 0},
        [SL_PARTITIONER_MURMUR2] = {SL_KEY_HASH_MURMUR2, SL_KEYLESS_FIXED, false, 0},
        [SL_PARTITIONER_CONSISTENT_RANDOM] = {SL_KEY_HASH_CRC32, SL_KEYLESS_STICKY, false, 1},
        [SL_PARTITIONER_CONSISTENT] = {SL_KEY_HASH_CRC32, SL_KEYLESS_FIXED, false, 0},
        [SL_PARTITIONER_FNV1A_RANDOM] = {SL_KEY_HASH_FNV1A, SL_KEYLESS_STICKY, false, 0},
        [SL_PARTITIONER_FNV1A] = {SL_KEY_HASH_FNV1A, SL_KEYLESS_FIXED, false, 0},
        [SL_PARTITIONER_RANDOM] = {SL_KEY_HASH_MURMUR2, SL_KEYLESS_RANDOM, true, 0},
        [SL_PARTITIONER_ROUNDROBIN] = {SL_KEY_HASH_MURMUR2, SL_KEYLESS_ROUND, true, 0},
    };
    bool ignores_keys = settings->ignore_keys || rules[settings->partitioner].ignores_keys;
    p->hash = rules[settings->partitioner].hash;
    p->keyless = rules[settings->partitioner].keyless;
    p->mask = ignores_keys ? SL_STAGED_PARTITION : SL_STAGED_PARTITION | SL_STAGED_KEY_NULL;
    p->flags = ignores_keys ? 0 : SL_STAGED_KEY_NULL;
    p->least_key = rules[settings->partitioner].least_key;
    p->forget = p->keyless == SL_KEYLESS_RANDOM || p->keyless == SL_KEYLESS_ROUND ? -1 : 0;
}

/* ---- keys ---- */

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

uint32_t sl_partitioner_fnv1a(const void *key, uint32_t size) {
    const uint8_t *at = key;
    uint32_t h = 0x811c9dc5U;
    for (uint32_t i = 0; i < size; i++) h = (h ^ at[i]) * 0x01000193U;
    return (h & 0x80000000U) != 0 ? 0 - h : h;
}

int32_t sl_partitioner_of_key(enum sl_key_hash hash, const void *key, uint32_t size,
                              int32_t count) {
    uint32_t h;
    if (hash == SL_KEY_HASH_MURMUR2)
        h = sl_partitioner_murmur2(key, size) & 0x7fffffffU;
    else if (hash == SL_KEY_HASH_CRC32)
        h = sl_crc32(key, size);
    else
        h = sl_partitioner_fnv1a(key, size);
    return (int32_t)(h % (uint32_t)count);
}

/* ---- weights ---- */

/* Whether the leader has had something to take for too long. */
static bool is_stuck(struct sl_core *core, int32_t leader) {
    int64_t most = core->settings->availability_timeout_ms * SL_MS;
    if (most == 0 || !core->settings->adaptive_partitioning) return false;
    const struct sl_broker *broker = sl_brokers_find(core, leader);
    return broker != NULL && broker->stuck_since != 0 && core->now - broker->stuck_since > most;
}

/* What waits for the partition's leader; -1: nothing may be put there. */
static int32_t queue_of(struct sl_core *core, const struct sl_partition *p) {
    if (p->leader < 0 || is_stuck(core, p->leader)) return -1;
    if (!core->settings->adaptive_partitioning) return 0;
    return p->produce.queued + (p->produce.open != NULL ? 1 : 0);
}

static bool reserve_shares(struct sl_core *core, struct sl_partitioner_load *load, int32_t cap) {
    if (cap <= load->cap) return true;
    struct sl_partitioner_share *shares = sl_alloc_resize(
        core->alloc, load->shares, (size_t)load->cap, (size_t)cap, sizeof *load->shares);
    if (shares == NULL) return false;
    load->shares = shares;
    load->cap = cap;
    return true;
}

static void fill_shares(struct sl_core *core, struct sl_partitioner_load *load,
                        const struct sl_topic *topic, int32_t longest) {
    uint64_t end = 0;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        int32_t queue = queue_of(core, topic->partitions[i]);
        if (queue < 0) continue;
        end += (uint64_t)longest + 1 - (uint64_t)queue;
        load->shares[load->count++] = (struct sl_partitioner_share){end, i};
    }
}

static void look_at_queues(struct sl_core *core, struct sl_partitioner_load *load,
                           const struct sl_topic *topic) {
    int32_t available = 0;
    int32_t longest = 0;
    int32_t shortest = INT32_MAX;
    for (int32_t i = 0; i < topic->partition_count; i++) {
        int32_t queue = queue_of(core, topic->partitions[i]);
        if (queue < 0) continue;
        available++;
        if (queue > longest) longest = queue;
        if (queue < shortest) shortest = queue;
    }
    load->count = 0;
    load->looked_at = core->now;
    load->partition_count = topic->partition_count;
    load->draws_left = topic->partition_count / LOAD_LOOKS_A_DRAW + 1;
    bool are_alike = available == topic->partition_count && longest == shortest;
    if (available > 0 && !are_alike && reserve_shares(core, load, topic->partition_count))
        fill_shares(core, load, topic, longest);
}

void sl_partitioner_load_deinit(struct sl_partitioner_load *load, const struct sl_alloc *alloc) {
    sl_alloc_free(alloc, load->shares, (size_t)load->cap * sizeof *load->shares);
}

int32_t sl_partitioner_pick(const struct sl_partitioner_load *load, uint64_t draw) {
    int32_t low = 0;
    int32_t high = load->count - 1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (load->shares[middle].end > draw)
            high = middle;
        else
            low = middle + 1;
    }
    return load->shares[low].partition;
}

/* ---- choices ---- */

/* Tries to hit a partition with a leader; any partition when luck or leaders are lacking. */
static int32_t draw_partition(struct sl_rng *rng, const struct sl_topic *topic) {
    int32_t index = 0;
    for (int i = 0; i < DRAW_TRIES; i++) {
        index = (int32_t)sl_rng_below(rng, (uint64_t)topic->partition_count);
        if (topic->partitions[index]->leader >= 0) break;
    }
    return index;
}

static int32_t choose_sticky(struct sl_core *core, struct sl_partitioner_load *load,
                             const struct sl_topic *topic) {
    bool is_old = load->draws_left <= 0 || load->partition_count != topic->partition_count ||
                  core->now - load->looked_at > LOAD_AGE_MS * SL_MS;
    if (is_old) look_at_queues(core, load, topic);
    load->draws_left--;
    if (load->count == 0) return draw_partition(&core->rng, topic);
    uint64_t total = load->shares[load->count - 1].end;
    int32_t index = sl_partitioner_pick(load, sl_rng_below(&core->rng, total));
    if (topic->partitions[index]->leader >= 0) return index;
    load->draws_left = 0; /* it has lost its leader since */
    return draw_partition(&core->rng, topic);
}

static int32_t choose_next(struct sl_partitioner_load *load, const struct sl_topic *topic) {
    uint32_t count = (uint32_t)topic->partition_count;
    for (int i = 0; i < ROUND_TRIES; i++) {
        uint32_t index = (load->next + (uint32_t)i) % count;
        if (topic->partitions[index]->leader < 0) continue;
        load->next = index + 1;
        return (int32_t)index;
    }
    return (int32_t)(load->next++ % count);
}

int32_t sl_partitioner_choose(struct sl_core *core, struct sl_partitioner_load *load,
                              const struct sl_topic *topic) {
    const struct sl_partitioner *p = &core->batcher.partitioner;
    SL_ASSERT(topic->partition_count > 0);
    if (topic->partition_count == 1) return 0;
    switch (p->keyless) {
    case SL_KEYLESS_STICKY:
        return choose_sticky(core, load, topic);
    case SL_KEYLESS_FIXED:
        return sl_partitioner_of_key(p->hash, "", 0, topic->partition_count);
    case SL_KEYLESS_RANDOM:
        return draw_partition(&core->rng, topic);
    case SL_KEYLESS_ROUND:
        break;
    }
    return choose_next(load, topic);
}
