/* Answers to JoinGroup and SyncGroup: they are filled at the moment of the decision and may leave
 * later, when the group has gone on; so everything in them is a copy in the answer's arena. A copy
 * that fails marks the arena, and then the connection ends instead. */
#include "broker/groups.h"
#include "sluice/kafka_errors.h"

struct sl_str sl_group_answers_keep(struct sl_arena *arena, struct sl_str text) {
    if (text.size < 0) return SL_STR_NULL;
    return (struct sl_str){sl_arena_text(arena, text.size == 0 ? "" : text.data, (size_t)text.size),
                           text.size};
}

static struct sl_bytes keep_bytes(struct sl_arena *arena, struct sl_bytes bytes) {
    if (bytes.size <= 0) return (struct sl_bytes){(const uint8_t *)"", 0};
    struct sl_str copy =
        sl_group_answers_keep(arena, (struct sl_str){(const char *)bytes.data, bytes.size});
    return (struct sl_bytes){(const uint8_t *)copy.data, copy.size};
}

void sl_group_answers_refuse_join(struct sl_group_wait *w, int code, struct sl_str member_id) {
    struct sl_join_group_response *m = w->response;
    m->error_code = (int16_t)code;
    m->generation = -1;
    m->protocol_name = w->version >= 7 ? SL_STR_NULL : SL_STR("");
    m->leader = SL_STR("");
    m->member_id = sl_group_answers_keep(w->arena, member_id);
    w->done = true;
}

static void list_members(const struct sl_group *g, struct sl_group_wait *w) {
    struct sl_join_group_response *out = w->response;
    const struct sl_classic *c = &g->classic;
    const struct sl_classic_member *m;
    struct sl_join_group_member *item =
        sl_arena_array(w->arena, (size_t)c->members.count, sizeof *item);
    if (item == NULL) return;
    out->members = (struct sl_array){item, (int32_t)c->members.count};
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL; item++) {
        item->member_id = sl_group_answers_keep(w->arena, m->id);
        item->instance_id = sl_group_answers_keep(w->arena, m->instance);
        item->metadata = keep_bytes(w->arena, sl_group_members_metadata(m, c->protocol));
    }
}

void sl_group_answers_generation(const struct sl_group *g, const struct sl_classic_member *m,
                                 struct sl_group_wait *w) {
    struct sl_join_group_response *out = w->response;
    const struct sl_classic *c = &g->classic;
    out->generation = c->generation;
    out->protocol_type = sl_group_answers_keep(w->arena, c->protocol_type);
    out->protocol_name = sl_group_answers_keep(w->arena, c->protocol);
    out->leader = sl_group_answers_keep(w->arena, c->leader->id);
    out->member_id = sl_group_answers_keep(w->arena, m->id);
    if (m == c->leader) list_members(g, w);
    w->done = true;
}

void sl_group_answers_assignment(const struct sl_group *g, const struct sl_classic_member *m,
                                 struct sl_group_wait *w) {
    struct sl_sync_group_response *out = w->response;
    out->protocol_type = sl_group_answers_keep(w->arena, g->classic.protocol_type);
    out->protocol_name = sl_group_answers_keep(w->arena, g->classic.protocol);
    out->assignment = keep_bytes(w->arena, m->assignment);
    w->done = true;
}

void sl_group_answers_refuse_sync(struct sl_group_wait *w, int code) {
    struct sl_sync_group_response *out = w->response;
    out->error_code = (int16_t)code;
    out->assignment = keep_bytes(w->arena, SL_BYTES_NULL);
    w->done = true;
}

void sl_group_answers_refuse(struct sl_classic_member *m, int code) {
    struct sl_group_wait *w = sl_group_wait_take(&m->join);
    if (w != NULL) sl_group_answers_refuse_join(w, code, m->id);
    w = sl_group_wait_take(&m->sync);
    if (w != NULL) sl_group_answers_refuse_sync(w, code);
    m->is_joining = m->is_syncing = false;
}
