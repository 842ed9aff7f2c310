/* Metadata (key 3): brokers, topics, leaders. Versions 0 to 13; 1 null means all topics, 4 auto
 * creation switch, 7 leader epochs, 9 flexible, 10 topic ids, 12 questions by id, 13 an error for
 * the whole answer. */
#ifndef SL_WIRE_MESSAGES_METADATA_H
#define SL_WIRE_MESSAGES_METADATA_H

#include "wire/schema.h"

struct sl_metadata_topic {
    struct sl_uuid topic_id; /* zero: by name */
    struct sl_str name;      /* null with a topic id, from version 10 on */
};
struct sl_metadata_request {
    struct sl_array topics; /* of sl_metadata_topic; null: all, empty: none (version 0: all) */
    bool allow_auto_topic_creation; /* true unless changed */
    bool include_cluster_authorized_operations;
    bool include_topic_authorized_operations;
};

struct sl_metadata_broker {
    int32_t node_id;
    struct sl_str host;
    int32_t port;
    struct sl_str rack; /* or null */
};
struct sl_metadata_partition_response {
    int16_t error_code;
    int32_t partition;
    int32_t leader_id;                /* -1: none */
    int32_t leader_epoch;             /* -1: not known */
    struct sl_array replica_nodes;    /* of int32_t */
    struct sl_array isr_nodes;        /* of int32_t */
    struct sl_array offline_replicas; /* of int32_t */
};
struct sl_metadata_topic_response {
    int16_t error_code;
    struct sl_str name;      /* null for an unknown id, from version 12 on */
    struct sl_uuid topic_id; /* zero: not known */
    bool is_internal;
    struct sl_array partitions;    /* of sl_metadata_partition_response */
    int32_t authorized_operations; /* bits; INT32_MIN: not asked */
};
struct sl_metadata_response {
    int32_t throttle_ms;
    struct sl_array brokers;               /* of sl_metadata_broker */
    struct sl_str cluster_id;              /* or null */
    int32_t controller_id;                 /* -1: not known */
    struct sl_array topics;                /* of sl_metadata_topic_response */
    int32_t cluster_authorized_operations; /* bits; INT32_MIN: not asked */
    int16_t error_code;
};

extern const struct sl_type sl_metadata_request_type;
extern const struct sl_type sl_metadata_response_type;

#endif
