/* Fetch (key 1). Versions 4 to 18; 7 sessions, 9 leader epoch, 10 zstd, 11 rack and preferred
 * replica, 12 flexible, 13 topic ids instead of names, 15 replica id as a tag, 16 endpoints;
 * 17 and 18 add fields that only replicas send. */
#ifndef SL_WIRE_MESSAGES_FETCH_H
#define SL_WIRE_MESSAGES_FETCH_H

#include "wire/messages/common.h"
#include "wire/schema.h"

/* isolation_level */
enum { SL_FETCH_READ_UNCOMMITTED = 0, SL_FETCH_READ_COMMITTED = 1 };

struct sl_fetch_replica_state {
    int32_t replica_id; /* -1: a consumer */
    int64_t replica_epoch;
};
struct sl_fetch_partition {
    int32_t partition;
    int32_t current_leader_epoch; /* -1: not checked */
    int64_t fetch_offset;
    int32_t last_fetched_epoch; /* -1: no divergence check (consumers) */
    int64_t log_start_offset;   /* -1: a consumer */
    int32_t partition_max_bytes;
    struct sl_uuid replica_directory_id; /* replicas only */
    int64_t high_watermark;              /* replicas only; INT64_MAX: not sent */
};
struct sl_fetch_topic {
    struct sl_str name;         /* up to version 12 */
    struct sl_uuid topic_id;    /* from version 13 on */
    struct sl_array partitions; /* of sl_fetch_partition */
};
struct sl_fetch_forgotten_topic {
    struct sl_str name;
    struct sl_uuid topic_id;
    struct sl_array partitions; /* of int32_t */
};
struct sl_fetch_request {
    struct sl_str cluster_id;                    /* or null; replicas only */
    int32_t replica_id;                          /* -1: a consumer; up to version 14 */
    struct sl_fetch_replica_state replica_state; /* the same from version 15 on */
    int32_t max_wait_ms;
    int32_t min_bytes;
    int32_t max_bytes;
    int8_t isolation_level;
    int32_t session_id;               /* 0: none yet */
    int32_t session_epoch;            /* -1: sessionless; 0: full, asks for a session */
    struct sl_array topics;           /* of sl_fetch_topic */
    struct sl_array forgotten_topics; /* of sl_fetch_forgotten_topic */
    struct sl_str rack_id;            /* empty: none; never null */
};

/* Where the follower's log parts from the leader's; both -1: it does not. */
struct sl_fetch_epoch_end {
    int32_t epoch;
    int64_t end_offset;
};
struct sl_fetch_snapshot_id {
    int64_t end_offset;
    int32_t epoch;
};
struct sl_fetch_aborted_transaction {
    int64_t producer_id;
    int64_t first_offset;
};
struct sl_fetch_partition_response {
    int32_t partition;
    int16_t error_code;
    int64_t high_watermark;
    int64_t last_stable_offset; /* -1: not known */
    int64_t log_start_offset;   /* -1: not known */
    struct sl_fetch_epoch_end diverging_epoch;
    struct sl_leader_hint current_leader;
    struct sl_fetch_snapshot_id snapshot_id; /* replicas only */
    struct sl_array aborted_transactions;    /* of sl_fetch_aborted_transaction, or null */
    int32_t preferred_read_replica;          /* -1: none */
    struct sl_records records;               /* whole batches, the last may be cut; or null */
};
struct sl_fetch_topic_response {
    struct sl_str name;
    struct sl_uuid topic_id;
    struct sl_array partitions; /* of sl_fetch_partition_response */
};
struct sl_fetch_response {
    int32_t throttle_ms;
    int16_t error_code;             /* of the session as a whole */
    int32_t session_id;             /* 0: the broker has none for us */
    struct sl_array topics;         /* of sl_fetch_topic_response */
    struct sl_array node_endpoints; /* of sl_node_endpoint: the brokers that hints name */
};

extern const struct sl_type sl_fetch_request_type;
extern const struct sl_type sl_fetch_response_type;

#endif
