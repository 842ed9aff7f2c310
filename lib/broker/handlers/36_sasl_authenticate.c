/* SaslAuthenticate (key 36), versions 0 to 2: one token. 1 tells for how long the session is good
 * (KIP-368); with 0 it is good for as long all the same. A refusal comes late, and the connection ends
 * behind it. */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum sl_handled sl_handle_sasl_authenticate(struct sl_exchange *x) {
    const struct sl_sasl_authenticate_request *request = x->request;
    struct sl_sasl_authenticate_response *m = x->response;
    struct sl_auth *auth = x->link->auth;
    struct sl_text text;
    bool execute;
    m->auth_bytes = (struct sl_bytes){(const uint8_t *)"", 0};
    m->error_code = (int16_t)sl_machine_forced(x, SL_STR(""), -1, &execute);
    if (m->error_code != 0) return SL_HANDLED;
    if (auth == NULL || auth->state != SL_AUTH_TOKENS) {
        sl_machine_complain(x->c, "SaslAuthenticate out of place");
        m->error_code = SLUICE_KAFKA_ILLEGAL_SASL_STATE;
        return SL_HANDLED;
    }
    enum sl_auth_verdict verdict = sl_auth_take(x->link, request->auth_bytes, &x->arena,
                                                &m->auth_bytes, &m->session_lifetime_ms);
    if (verdict != SL_AUTH_REFUSED) return SL_HANDLED;
    enum { MESSAGE_MAX = 160 };
    char *message = sl_arena_get(&x->arena, MESSAGE_MAX);
    if (message == NULL) return SL_HANDLED_CLOSE;
    sl_text_init(&text, message, MESSAGE_MAX);
    sl_text_printf(&text,
                   "Authentication failed during authentication due to invalid credentials with "
                   "SASL mechanism %s",
                   sl_auth_mechanism_name(auth->mechanism));
    m->error_code = SLUICE_KAFKA_SASL_AUTHENTICATION_FAILED;
    m->error_message = sl_bytes_str(message);
    x->link->is_leaving = true;
    return SL_HANDLED;
}
