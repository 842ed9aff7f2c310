/* Which partition a record goes to: the hash of its key, or a sticky choice when it has none. */
#ifndef SL_CORE_PARTITIONER_H
#define SL_CORE_PARTITIONER_H

#include <stdint.h>

#include "base/rng.h"

struct sl_topic;

enum { SL_PARTITIONER_STICKY = 16 * 1024 }; /* bytes after which the sticky choice may turn */

/* 32-bit MurmurHash2 with the seed that the Java client uses. */
uint32_t sl_partitioner_murmur2(const void *key, uint32_t size);
/* The partition of a key out of count (> 0) partitions, as the Java client chooses. */
int32_t sl_partitioner_of_key(const void *key, uint32_t size, int32_t count);
/* A partition for records without key: any of those with a leader, of two candidates the one with
 * less waiting; any at all while none has a leader. The topic has partitions. */
int32_t sl_partitioner_sticky(struct sl_rng *rng, const struct sl_topic *topic);

#endif
