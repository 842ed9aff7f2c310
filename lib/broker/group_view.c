/* What administrators see of a group of the classic protocol: its state, its members, and which
 * topics they subscribe to, which is read from their metadata when these are of consumers.
 *
 * The metadata of a consumer begins with a version and its topics in every version there is:
 *
 *     0   version, 16 bits
 *     2   how many topics, 32 bits, then each: 16 bits of length and its name */
#include "base/text.h"
#include "broker/groups.h"

const char *sl_group_view_state(const struct sl_group *g) {
    switch (g->classic.state) {
    case SL_CLASSIC_EMPTY:
        return "Empty";
    case SL_CLASSIC_PREPARING:
        return "PreparingRebalance";
    case SL_CLASSIC_COMPLETING:
        return "CompletingRebalance";
    default:
        return "Stable";
    }
}

static struct sl_bytes or_empty(struct sl_bytes bytes) {
    return bytes.size >= 0 ? bytes : (struct sl_bytes){(const uint8_t *)"", 0};
}

bool sl_group_view_describe(const struct sl_group *g, struct sl_arena *arena,
                            struct sl_describe_groups_group *out) {
    const struct sl_classic *c = &g->classic;
    const struct sl_classic_member *m;
    bool is_stable = c->state == SL_CLASSIC_STABLE;
    struct sl_describe_groups_member *item =
        sl_arena_array(arena, (size_t)c->members.count, sizeof *item);
    if (item == NULL) return false;
    out->state = sl_bytes_str(sl_group_view_state(g));
    out->protocol_type = c->protocol_type.size >= 0 ? c->protocol_type : SL_STR("");
    out->protocol = is_stable ? c->protocol : SL_STR("");
    out->members = (struct sl_array){item, (int32_t)c->members.count};
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL; item++) {
        item->member_id = m->id;
        item->instance_id = m->instance;
        item->client_id = m->client_id.size >= 0 ? m->client_id : SL_STR("");
        item->client_host = SL_STR("/127.0.0.1");
        item->metadata =
            or_empty(is_stable ? sl_group_members_metadata(m, c->protocol) : SL_BYTES_NULL);
        item->assignment = or_empty(is_stable ? m->assignment : SL_BYTES_NULL);
    }
    return true;
}

/* Whether metadata lists the topic; *is_good: it could be read. */
static bool lists_topic(struct sl_bytes metadata, struct sl_str topic, bool *is_good) {
    struct sl_reader r;
    bool found = false;
    sl_reader_init(&r, metadata.data, metadata.size > 0 ? (size_t)metadata.size : 0);
    (void)sl_reader_i16(&r);
    int32_t count = sl_reader_i32(&r);
    for (int32_t i = 0; i < count && !r.failed; i++) {
        int16_t size = sl_reader_i16(&r);
        const uint8_t *name = sl_reader_take(&r, size > 0 ? (size_t)size : 0);
        if (name == NULL) continue;
        if (sl_bytes_str_equal((struct sl_str){(const char *)name, size}, topic)) found = true;
    }
    *is_good = !r.failed;
    return found;
}

bool sl_group_view_subscribes(const struct sl_group *g, struct sl_str topic) {
    const struct sl_classic *c = &g->classic;
    const struct sl_classic_member *m;
    if (c->members.count == 0 || !sl_bytes_str_equal(c->protocol_type, SL_STR("consumer")))
        return false;
    struct sl_str protocol = c->protocol.size >= 0 ? c->protocol : sl_group_members_vote(g);
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        bool is_good;
        bool listed = lists_topic(sl_group_members_metadata(m, protocol), topic, &is_good);
        if (listed || !is_good) return true; /* what cannot be read may list anything */
    }
    return false;
}

void sl_group_view_dump(const struct sl_group *g, struct sl_text *out) {
    const struct sl_classic *c = &g->classic;
    const struct sl_classic_member *m;
    sl_text_printf(out, " generation %d, protocol %.*s\n", (int)c->generation,
                   c->protocol.size > 0 ? (int)c->protocol.size : 0, c->protocol.data);
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        sl_text_printf(out, "  member %.*s%s%s%s%s\n", (int)m->id.size, m->id.data,
                       m == c->leader ? ", leads" : "", m->is_joining ? ", joins" : "",
                       m->is_syncing ? ", syncs" : "", m->instance.size >= 0 ? ", static" : "");
}
