/* SaslAuthenticate (key 36): one token of a SASL mechanism and the answer to it. Versions 0 to 2; 1 the
 * lifetime of the session (KIP-368), 2 flexible. */
#ifndef SL_WIRE_MESSAGES_SASL_AUTHENTICATE_H
#define SL_WIRE_MESSAGES_SASL_AUTHENTICATE_H

#include "wire/schema.h"

struct sl_sasl_authenticate_request {
    struct sl_bytes auth_bytes;
};
struct sl_sasl_authenticate_response {
    int16_t error_code;
    struct sl_str error_message; /* or null */
    struct sl_bytes auth_bytes;
    int64_t session_lifetime_ms; /* 0: the session does not end */
};

extern const struct sl_type sl_sasl_authenticate_request_type;
extern const struct sl_type sl_sasl_authenticate_response_type;

#endif
