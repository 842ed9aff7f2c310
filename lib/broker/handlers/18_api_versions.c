/* ApiVersions (key 18), versions 0 to 4: the ranges of this node. A version that the node does not
 * have never gets here (machine.c answers it in version 0). From version 3 on the client names its
 * software, by a strict pattern (KIP-511). */
#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

static bool is_alnum(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
}

/* Letters, digits, - and ., the first and last a letter or digit. */
static bool is_software_name(struct sl_str s) {
    if (s.size < 1 || !is_alnum(s.data[0]) || !is_alnum(s.data[s.size - 1])) return false;
    for (int32_t i = 0; i < s.size; i++)
        if (!is_alnum(s.data[i]) && s.data[i] != '-' && s.data[i] != '.') return false;
    return true;
}

enum sl_handled sl_handle_api_versions(struct sl_exchange *x) {
    const struct sl_api_versions_request *request = x->request;
    struct sl_api_versions_response *m = x->response;
    bool execute;
    m->error_code = (int16_t)sl_machine_forced(x, SL_STR(""), -1, &execute);
    if (x->header.version >= 3 && (!is_software_name(request->client_software_name) ||
                                   !is_software_name(request->client_software_version))) {
        sl_machine_complain(x->c, "ApiVersions: client software name or version is malformed");
        m->error_code = SLUICE_KAFKA_INVALID_REQUEST;
    }
    if (!sl_machine_array(x, &m->api_keys, SL_API_KEY_LIMIT, sizeof(struct sl_api_versions_range)))
        return SL_HANDLED_CLOSE;
    struct sl_api_versions_range *ranges = m->api_keys.items;
    int32_t count = 0;
    const struct sl_api *api;
    for (int i = 0; (api = sl_api_at(i)) != NULL; i++)
        if (x->self->caps[api->key] >= api->broker_min && sl_machine_serves(api->key))
            ranges[count++] =
                (struct sl_api_versions_range){api->key, api->broker_min, x->self->caps[api->key]};
    m->api_keys.count = count;
    return SL_HANDLED;
}
