/* Table of InitProducerId, in wire order. */
#include "wire/messages/22_init_producer_id.h"

static const struct sl_field init_producer_id_request_lines[] = {
    NULLABLE(sl_init_producer_id_request, transactional_id, 0, ALWAYS),
    FIELD(sl_init_producer_id_request, transaction_timeout_ms, ALWAYS),
    FIELD(sl_init_producer_id_request, producer_id, SINCE(3), OTHERWISE(-1)),
    FIELD(sl_init_producer_id_request, producer_epoch, SINCE(3), OTHERWISE(-1)),
};
const struct sl_type sl_init_producer_id_request_type =
    TYPE(sl_init_producer_id_request, init_producer_id_request_lines);

static const struct sl_field init_producer_id_response_lines[] = {
    FIELD(sl_init_producer_id_response, throttle_ms, ALWAYS),
    FIELD(sl_init_producer_id_response, error_code, ALWAYS),
    FIELD(sl_init_producer_id_response, producer_id, ALWAYS, OTHERWISE(-1)),
    FIELD(sl_init_producer_id_response, producer_epoch, ALWAYS),
};
const struct sl_type sl_init_producer_id_response_type =
    TYPE(sl_init_producer_id_response, init_producer_id_response_lines);
