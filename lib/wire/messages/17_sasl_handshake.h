/* SaslHandshake (key 17): which SASL mechanism the connection is about to use. Versions 0 and 1, never
 * flexible; after 0 the tokens travel without a header of Kafka's, after 1 in SaslAuthenticate. */
#ifndef SL_WIRE_MESSAGES_SASL_HANDSHAKE_H
#define SL_WIRE_MESSAGES_SASL_HANDSHAKE_H

#include "wire/schema.h"

struct sl_sasl_handshake_request {
    struct sl_str mechanism;
};
struct sl_sasl_handshake_response {
    int16_t error_code;
    struct sl_array mechanisms; /* of struct sl_str: those that the broker offers */
};

extern const struct sl_type sl_sasl_handshake_request_type;
extern const struct sl_type sl_sasl_handshake_response_type;

#endif
