/* OffsetFetch (key 9): the offsets that a group has committed. Versions 1 to 10; 2 all topics by a
 * null list and a code for the whole answer, 5 leader epochs, 6 flexible, 7 only stable offsets, 8
 * several groups with another shape of answer, 9 members of KIP-848, 10 topic ids. */
#ifndef SL_WIRE_MESSAGES_OFFSET_FETCH_H
#define SL_WIRE_MESSAGES_OFFSET_FETCH_H

#include "wire/schema.h"

struct sl_offset_fetch_topic {
    struct sl_str name;         /* up to version 9 */
    struct sl_uuid topic_id;    /* from version 10 on */
    struct sl_array partitions; /* of int32_t */
};
struct sl_offset_fetch_group {
    struct sl_str group_id;
    struct sl_str member_id; /* or null: not a member of KIP-848 */
    int32_t member_epoch;    /* -1: not a member of KIP-848 */
    struct sl_array topics;  /* of sl_offset_fetch_topic, or null: all */
};
struct sl_offset_fetch_request {
    struct sl_str group_id; /* up to version 7 */
    struct sl_array topics; /* of sl_offset_fetch_topic, or null: all; up to version 7 */
    struct sl_array groups; /* of sl_offset_fetch_group; from version 8 on */
    bool require_stable;    /* refuse while a transaction may still change the offset */
};

struct sl_offset_fetch_partition_response {
    int32_t partition;
    int64_t offset;         /* -1: none is committed */
    int32_t leader_epoch;   /* -1: not known */
    struct sl_str metadata; /* or null */
    int16_t error_code;
};
struct sl_offset_fetch_topic_response {
    struct sl_str name;         /* up to version 9 */
    struct sl_uuid topic_id;    /* from version 10 on */
    struct sl_array partitions; /* of sl_offset_fetch_partition_response */
};
struct sl_offset_fetch_group_response {
    struct sl_str group_id;
    struct sl_array topics; /* of sl_offset_fetch_topic_response */
    int16_t error_code;
};
struct sl_offset_fetch_response {
    int32_t throttle_ms;
    struct sl_array topics; /* of sl_offset_fetch_topic_response; up to version 7 */
    int16_t error_code;     /* of the group; versions 2 to 7 */
    struct sl_array groups; /* of sl_offset_fetch_group_response; from version 8 on */
};

extern const struct sl_type sl_offset_fetch_request_type;
extern const struct sl_type sl_offset_fetch_response_type;

#endif
