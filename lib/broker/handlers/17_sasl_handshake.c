/* SaslHandshake (key 17), versions 0 and 1. A mechanism that is not offered is answered with the list
 * of those that are, and the connection ends. Where nobody has to log in, and in a session that does
 * not end or was begun anew a moment ago, it is out of place (34). */
#include <string.h>

#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static bool list_mechanisms(struct sl_exchange *x, struct sl_sasl_handshake_response *m) {
    const struct sl_auth_settings *s = &x->c->auth;
    int32_t count = 0;
    if (!sl_machine_array(x, &m->mechanisms, SL_AUTH_MECHANISMS, sizeof(struct sl_str)))
        return false;
    struct sl_str *names = m->mechanisms.items;
    for (int i = 1; i < SL_AUTH_MECHANISMS; i++)
        if ((s->mechanisms & 1U << i) != 0)
            names[count++] = sl_bytes_str(sl_auth_mechanism_name((enum sl_auth_mechanism)i));
    m->mechanisms.count = count;
    return true;
}

/* The mechanism of that name, if it is offered; 0: it is not. */
static int find_offered(const struct sl_auth_settings *s, struct sl_str name) {
    for (int i = 1; i < SL_AUTH_MECHANISMS; i++) {
        const char *offered = sl_auth_mechanism_name((enum sl_auth_mechanism)i);
        if ((s->mechanisms & 1U << i) != 0 && sl_bytes_str_equal(sl_bytes_str(offered), name))
            return i;
    }
    return 0;
}

/* Whether a session may be begun anew now (KIP-368). */
static bool may_begin_anew(struct sl_exchange *x, struct sl_auth *auth) {
    enum { SECOND = 1000000000 };
    if (auth->expires_at == 0) return false;
    if (auth->begun_anew_at != 0 && x->c->now - auth->begun_anew_at < SECOND) return false;
    auth->begun_anew_at = x->c->now;
    return true;
}

enum sl_handled sl_handle_sasl_handshake(struct sl_exchange *x) {
    const struct sl_sasl_handshake_request *request = x->request;
    struct sl_sasl_handshake_response *m = x->response;
    struct sl_auth *auth = x->link->auth;
    bool execute;
    m->error_code = (int16_t)sl_machine_forced(x, SL_STR(""), -1, &execute);
    if (m->error_code != 0) return SL_HANDLED;
    bool is_anew = auth != NULL && auth->state == SL_AUTH_DONE;
    if (auth == NULL || (is_anew && !may_begin_anew(x, auth))) {
        sl_machine_complain(x->c, "SaslHandshake out of place");
        m->error_code = SLUICE_KAFKA_ILLEGAL_SASL_STATE;
        return SL_HANDLED;
    }
    int mechanism = find_offered(&x->c->auth, request->mechanism);
    if (is_anew && mechanism != (int)auth->mechanism) mechanism = 0;
    if (!list_mechanisms(x, m)) return SL_HANDLED_CLOSE;
    if (mechanism == 0) {
        m->error_code = SLUICE_KAFKA_UNSUPPORTED_SASL_MECHANISM;
        x->link->is_leaving = true;
        return SL_HANDLED;
    }
    auth->mechanism = (enum sl_auth_mechanism)mechanism;
    auth->state = x->header.version == 0 ? SL_AUTH_RAW : SL_AUTH_TOKENS;
    auth->step = 0;
    auth->token_is_bad = false;
    auth->token_ends_ms = 0;
    return SL_HANDLED;
}
