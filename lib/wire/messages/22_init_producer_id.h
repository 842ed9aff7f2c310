/* InitProducerId (key 22): an identity for an idempotent or transactional producer. Versions 0 to
 * 5; 2 flexible, 3 the identity held so far, 4 PRODUCER_FENCED, 5 TRANSACTION_ABORTABLE. */
#ifndef SL_WIRE_MESSAGES_INIT_PRODUCER_ID_H
#define SL_WIRE_MESSAGES_INIT_PRODUCER_ID_H

#include "wire/schema.h"

struct sl_init_producer_id_request {
    struct sl_str transactional_id; /* or null: only idempotent */
    int32_t transaction_timeout_ms; /* INT32_MAX without a transactional id */
    int64_t producer_id;            /* held so far; -1: none */
    int16_t producer_epoch;         /* held so far; -1: none */
};
struct sl_init_producer_id_response {
    int32_t throttle_ms;
    int16_t error_code;
    int64_t producer_id; /* -1 with an error */
    int16_t producer_epoch;
};

extern const struct sl_type sl_init_producer_id_request_type;
extern const struct sl_type sl_init_producer_id_response_type;

#endif
