/* ConsumerGroupDescribe (key 69): state and members of groups of KIP-848. Versions 0 and 1,
 * flexible; 1 the type of each member. */
#ifndef SL_WIRE_MESSAGES_CONSUMER_GROUP_DESCRIBE_H
#define SL_WIRE_MESSAGES_CONSUMER_GROUP_DESCRIBE_H

#include "wire/schema.h"

struct sl_consumer_group_describe_request {
    struct sl_array group_ids; /* of struct sl_str */
    bool include_authorized_operations;
};

struct sl_consumer_group_describe_topic {
    struct sl_uuid topic_id;
    struct sl_str name;
    struct sl_array partitions; /* of int32_t */
};
struct sl_consumer_group_describe_assignment {
    struct sl_array topics; /* of sl_consumer_group_describe_topic */
};
struct sl_consumer_group_describe_member {
    struct sl_str member_id;
    struct sl_str instance_id; /* or null */
    struct sl_str rack_id;     /* or null */
    int32_t member_epoch;
    struct sl_str client_id;
    struct sl_str client_host;
    struct sl_array topic_names;                             /* of struct sl_str */
    struct sl_str topic_regex;                               /* or null */
    struct sl_consumer_group_describe_assignment assignment; /* what it has */
    struct sl_consumer_group_describe_assignment target;     /* what it is to have */
    int8_t member_type; /* -1 not known, 0 classic protocol, 1 KIP-848 */
};
struct sl_consumer_group_describe_group {
    int16_t error_code;
    struct sl_str error_message; /* or null */
    struct sl_str group_id;
    struct sl_str state;
    int32_t group_epoch;
    int32_t assignment_epoch;
    struct sl_str assignor;
    struct sl_array members;       /* of sl_consumer_group_describe_member */
    int32_t authorized_operations; /* a bit each; INT32_MIN: not told */
};
struct sl_consumer_group_describe_response {
    int32_t throttle_ms;
    struct sl_array groups; /* of sl_consumer_group_describe_group */
};

extern const struct sl_type sl_consumer_group_describe_request_type;
extern const struct sl_type sl_consumer_group_describe_response_type;

#endif
