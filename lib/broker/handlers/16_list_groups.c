/* ListGroups (key 16), versions 0 to 5: the groups of this coordinator, by state from version 4 and
 * by type from version 5 on. */
#include <string.h>

#include "broker/machine.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

/* Whether a filter (empty: no filter) has the text, in any case. */
static bool is_group_wanted(const struct sl_array *filter, const char *text) {
    const struct sl_str *wanted = filter->items;
    char copy[32];
    for (int32_t i = 0; i < filter->count; i++) {
        size_t size = wanted[i].size > 0 ? (size_t)wanted[i].size : 0;
        if (size >= sizeof copy) continue;
        if (size > 0) memcpy(copy, wanted[i].data, size);
        copy[size] = '\0';
        if (sl_text_equal_fold(copy, text)) return true;
    }
    return filter->count <= 0;
}

enum sl_handled sl_handle_list_groups(struct sl_exchange *x) {
    const struct sl_list_groups_request *request = x->request;
    struct sl_list_groups_response *m = x->response;
    struct sl_groups *groups = &x->c->groups;
    const struct sl_group *g;
    bool execute;
    int32_t count = 0;
    m->error_code = (int16_t)sl_machine_forced(x, SL_STR(""), -1, &execute);
    if (m->error_code != 0) return SL_HANDLED;
    if (!sl_machine_array(x, &m->groups, (int32_t)groups->by_id.count,
                          sizeof(struct sl_list_groups_group)))
        return SL_HANDLED_CLOSE;
    struct sl_list_groups_group *out = m->groups.items;
    for (uint32_t at = 0; (g = sl_groups_next(groups, &at)) != NULL;) {
        const char *state = sl_groups_state_text(g), *type = sl_groups_type_text(g);
        if (g->node != x->self->id) continue;
        if (!is_group_wanted(&request->states, state) || !is_group_wanted(&request->types, type))
            continue;
        out[count++] = (struct sl_list_groups_group){g->id, sl_groups_protocol_type(g),
                                                     sl_bytes_str(state), sl_bytes_str(type)};
    }
    m->groups.count = count;
    return SL_HANDLED;
}
