/* Which partition a record goes to: the one it names, the hash of its key, or a choice of ours. */
#ifndef SL_CORE_PARTITIONER_H
#define SL_CORE_PARTITIONER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/settings.h"
#include "core/staging.h"

struct sl_core;
struct sl_topic;

enum { SL_PARTITIONER_STICKY = 16 * 1024 }; /* bytes after which the sticky choice may turn */

enum sl_key_hash { SL_KEY_HASH_MURMUR2, SL_KEY_HASH_CRC32, SL_KEY_HASH_FNV1A };
/* What becomes of records that no key places. */
enum sl_keyless {
    SL_KEYLESS_STICKY, /* one partition for a while, then another */
    SL_KEYLESS_FIXED,  /* where the empty key goes */
    SL_KEYLESS_RANDOM, /* drawn for each record */
    SL_KEYLESS_ROUND   /* each in turn */
};

/* What `partitioner` and partitioner.ignore.keys come to, for all topics of a client. */
struct sl_partitioner {
    enum sl_key_hash hash;
    enum sl_keyless keyless;
    /* A record is key-less when its flags under `mask` are `flags`, or its key is shorter than
     * `least_key` and it names no partition. */
    uint16_t mask, flags;
    uint32_t least_key;
    int32_t forget; /* -1: a choice is for one record; 0: it stays until it turns */
};

/* An available partition's part of the draws: from the end of the one before to `end`. */
struct sl_partitioner_share {
    uint64_t end;
    int32_t partition;
};
/* What a topic's choices for key-less records go by. All zero at first. */
struct sl_partitioner_load {
    struct sl_partitioner_share *shares; /* owned */
    int32_t count;           /* of shares; 0: all partitions are alike, or none is available */
    int32_t cap;             /* allocated */
    int32_t partition_count; /* that the topic had then */
    int32_t draws_left;      /* before queues are looked at again */
    int64_t looked_at;       /* when they were */
    uint32_t next;           /* SL_KEYLESS_ROUND: counts choices */
};

void sl_partitioner_init(struct sl_partitioner *p, const struct sl_settings *settings);
/* 32-bit MurmurHash2 with the seed that the Java client uses. */
uint32_t sl_partitioner_murmur2(const void *key, uint32_t size);
/* The magnitude of 32-bit FNV-1a read as a signed number, as Sarama and librdkafka have it. */
uint32_t sl_partitioner_fnv1a(const void *key, uint32_t size);
/* The partition of a key out of count (> 0) partitions, led or not. */
int32_t sl_partitioner_of_key(enum sl_key_hash hash, const void *key, uint32_t size, int32_t count);
/* A partition for records without key. The topic has partitions. */
int32_t sl_partitioner_choose(struct sl_core *core, struct sl_partitioner_load *load,
                              const struct sl_topic *topic);
void sl_partitioner_load_deinit(struct sl_partitioner_load *load, const struct sl_alloc *alloc);
/* The partition whose share a draw falls into; draw is below the last end, count > 0. */
int32_t sl_partitioner_pick(const struct sl_partitioner_load *load, uint64_t draw);

/* flags, key_size: as a staged record has them. */
static inline bool sl_partitioner_is_keyless(const struct sl_partitioner *p, uint16_t flags,
                                             uint32_t key_size) {
    return (flags & p->mask) == p->flags ||
           (key_size < p->least_key && (flags & SL_STAGED_PARTITION) == 0);
}

#endif
