/* Table of SaslHandshake, in wire order. */
#include "wire/messages/17_sasl_handshake.h"

static const struct sl_field sasl_handshake_request_lines[] = {
    FIELD(sl_sasl_handshake_request, mechanism, ALWAYS),
};
const struct sl_type sl_sasl_handshake_request_type =
    TYPE(sl_sasl_handshake_request, sasl_handshake_request_lines);

static const struct sl_field sasl_handshake_response_lines[] = {
    FIELD(sl_sasl_handshake_response, error_code, ALWAYS),
    LIST(sl_sasl_handshake_response, mechanisms, struct sl_str, ALWAYS),
};
const struct sl_type sl_sasl_handshake_response_type =
    TYPE(sl_sasl_handshake_response, sasl_handshake_response_lines);
