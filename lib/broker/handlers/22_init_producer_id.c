/* InitProducerId (key 22), versions 0 to 5: a new identity, or the next epoch of the one held
 * (KIP-360). Transactional ids get the same: there is no transaction coordinator yet. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum sl_handled sl_handle_init_producer_id(struct sl_exchange *x) {
    const struct sl_init_producer_id_request *request = x->request;
    struct sl_init_producer_id_response *m = x->response;
    bool execute;
    m->error_code = (int16_t)sl_machine_forced(x, SL_STR(""), -1, &execute);
    m->producer_id = -1;
    m->producer_epoch = -1;
    if (m->error_code != 0) return SL_HANDLED;
    if ((request->producer_id < 0) != (request->producer_epoch < 0)) {
        sl_machine_complain(x->c, "InitProducerId: producerId and producerEpoch do not fit");
        m->error_code = SLUICE_KAFKA_INVALID_REQUEST;
        return SL_HANDLED;
    }
    bool held = x->header.version >= 3 && request->producer_id >= 0;
    if (held && request->producer_epoch < INT16_MAX - 1) {
        m->producer_id = request->producer_id;
        m->producer_epoch = (int16_t)(request->producer_epoch + 1);
    } else {
        m->producer_id = ++x->c->last_producer_id;
        m->producer_epoch = 0;
    }
    return SL_HANDLED;
}
