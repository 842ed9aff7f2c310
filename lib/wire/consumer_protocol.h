/* What consumers of a classic group tell each other in the metadata and assignments that JoinGroup
 * and SyncGroup carry and brokers do not read: subscriptions, assignments, and what the sticky
 * assignors remember. Old encodings throughout, behind a version of their own.
 *
 * All of it comes from other members, of any client in any version: what is read is bounded by the
 * bytes that are there, and texts and bytes point into them. */
#ifndef SL_WIRE_CONSUMER_PROTOCOL_H
#define SL_WIRE_CONSUMER_PROTOCOL_H

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/schema.h"

enum { SL_CONSUMER_PROTOCOL_NO_GENERATION = -1 };

/* Partitions of one topic. */
struct sl_consumer_partitions {
    struct sl_str topic;
    struct sl_array partitions; /* of int32_t */
};
/* What a member wants and has. */
struct sl_consumer_subscription {
    struct sl_array topics;    /* of struct sl_str */
    struct sl_bytes user_data; /* the assignor's, or null */
    struct sl_array owned;     /* of sl_consumer_partitions; from version 1 on */
    int32_t generation;        /* in which they were assigned; -1: none; from version 2 on */
    struct sl_str rack_id;     /* or null; from version 3 on */
};
/* What a member gets. */
struct sl_consumer_assignment {
    struct sl_array partitions; /* of sl_consumer_partitions */
    struct sl_bytes user_data;  /* the assignor's, or null */
};
/* The user data of the assignor "sticky": what the member has. */
struct sl_consumer_sticky_data {
    struct sl_array partitions; /* of sl_consumer_partitions */
    int32_t generation;         /* -1: none, as in the version of before Kafka 2.3 */
};

/* The writers append to out; errors of the writer, and of values that cannot be encoded:
 * SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE. A subscription is written in version 3, which every leader
 * reads, whatever it knows of it; what is owned should be in order, by topic and partition. */
int sl_consumer_protocol_encode_subscription(struct sl_writer *out,
                                             const struct sl_consumer_subscription *subscription);
int sl_consumer_protocol_encode_assignment(struct sl_writer *out,
                                           const struct sl_consumer_assignment *assignment);
int sl_consumer_protocol_encode_sticky(struct sl_writer *out,
                                       const struct sl_consumer_sticky_data *data);
/* The user data of "cooperative-sticky". */
int sl_consumer_protocol_encode_generation(struct sl_writer *out, int32_t generation);

/* The readers: 0, SLUICE_ERR_NOMEM, or SLUICE_ERR_MALFORMED. Null bytes are malformed but in an
 * assignment, where no bytes at all are no partitions. A version above those known is read as the
 * highest one that is, and what follows it is ignored. */
int sl_consumer_protocol_decode_subscription(struct sl_bytes bytes, struct sl_arena *arena,
                                             struct sl_consumer_subscription *out);
int sl_consumer_protocol_decode_assignment(struct sl_bytes bytes, struct sl_arena *arena,
                                           struct sl_consumer_assignment *out);
int sl_consumer_protocol_decode_sticky(struct sl_bytes bytes, struct sl_arena *arena,
                                       struct sl_consumer_sticky_data *out);
/* -1 where there is none. */
int32_t sl_consumer_protocol_decode_generation(struct sl_bytes bytes);

#endif
