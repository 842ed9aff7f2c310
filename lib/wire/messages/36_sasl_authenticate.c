/* Table of SaslAuthenticate, in wire order. */
#include "wire/messages/36_sasl_authenticate.h"

static const struct sl_field sasl_authenticate_request_lines[] = {
    FIELD(sl_sasl_authenticate_request, auth_bytes, ALWAYS),
};
const struct sl_type sl_sasl_authenticate_request_type =
    TYPE(sl_sasl_authenticate_request, sasl_authenticate_request_lines);

static const struct sl_field sasl_authenticate_response_lines[] = {
    FIELD(sl_sasl_authenticate_response, error_code, ALWAYS),
    NULLABLE(sl_sasl_authenticate_response, error_message, 0, ALWAYS),
    FIELD(sl_sasl_authenticate_response, auth_bytes, ALWAYS),
    FIELD(sl_sasl_authenticate_response, session_lifetime_ms, SINCE(1)),
};
const struct sl_type sl_sasl_authenticate_response_type =
    TYPE(sl_sasl_authenticate_response, sasl_authenticate_response_lines);
