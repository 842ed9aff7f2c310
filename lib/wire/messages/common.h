/* Structs that several APIs carry in the same shape. */
#ifndef SL_WIRE_MESSAGES_COMMON_H
#define SL_WIRE_MESSAGES_COMMON_H

#include "wire/schema.h"

/* Who leads a partition now (KIP-951); both -1 when the broker did not say. */
struct sl_leader_hint {
    int32_t leader_id;
    int32_t leader_epoch;
};
/* Where a broker named by a leader hint listens. */
struct sl_node_endpoint {
    int32_t node_id;
    struct sl_str host;
    int32_t port;
    struct sl_str rack; /* or null */
};
extern const struct sl_type sl_leader_hint_type;
extern const struct sl_type sl_node_endpoint_type;

#endif
