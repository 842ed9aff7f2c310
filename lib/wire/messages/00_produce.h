/* Produce (key 0): one record batch per partition. Versions 3 to 13; 7 zstd, 8 errors per record,
 * 9 flexible, 10 leader hints, 12 joins the transaction by itself, 13 topic ids instead of names.
 */
#ifndef SL_WIRE_MESSAGES_PRODUCE_H
#define SL_WIRE_MESSAGES_PRODUCE_H

#include "wire/messages/common.h"
#include "wire/schema.h"

struct sl_produce_partition {
    int32_t partition;
    struct sl_records records; /* exactly one batch */
};
struct sl_produce_topic {
    struct sl_str name;         /* up to version 12 */
    struct sl_uuid topic_id;    /* from version 13 on */
    struct sl_array partitions; /* of sl_produce_partition */
};
struct sl_produce_request {
    struct sl_str transactional_id; /* or null */
    int16_t acks;                   /* 0, 1 or -1: all in-sync replicas; with 0 no answer comes */
    int32_t timeout_ms;             /* how long the broker waits for the replicas */
    struct sl_array topics;         /* of sl_produce_topic */
};

/* A record that the broker refused, and with it the batch. */
struct sl_produce_record_error {
    int32_t batch_index;   /* of the record in its batch */
    struct sl_str message; /* or null */
};
struct sl_produce_partition_response {
    int32_t partition;
    int16_t error_code;
    int64_t base_offset;           /* of the first record; -1: not known */
    int64_t log_append_ms;         /* -1: the topic keeps the producer's timestamps */
    int64_t log_start_offset;      /* -1: not known */
    struct sl_array record_errors; /* of sl_produce_record_error */
    struct sl_str error_message;   /* or null */
    struct sl_leader_hint current_leader;
};
struct sl_produce_topic_response {
    struct sl_str name;
    struct sl_uuid topic_id;
    struct sl_array partitions; /* of sl_produce_partition_response */
};
struct sl_produce_response {
    struct sl_array topics; /* of sl_produce_topic_response */
    int32_t throttle_ms;
    struct sl_array node_endpoints; /* of sl_node_endpoint: the brokers that hints name */
};

extern const struct sl_type sl_produce_request_type;
extern const struct sl_type sl_produce_response_type;

#endif
