/* Members of a group of KIP-848: who they are and what they subscribe to.
 *
 * A member is in `members` under its id, and in `instances` when it is static. A subscription is a
 * list of names, a regular expression over names, or both; topics that do not exist (yet) are no
 * error.
 *
 * Not done here: epochs and assignments (group_consumer.c, group_target.c). */
#include <string.h>

#include "base/assert.h"
#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"

static void free_topic_names(const struct sl_alloc *alloc, struct sl_str *names, int32_t count) {
    for (int32_t i = 0; i < count; i++) sl_owned_free_text(alloc, &names[i]);
    sl_alloc_free(alloc, names, (size_t)count * sizeof *names);
}

struct sl_consumer_member *sl_group_subscribers_create(struct sl_group *g, struct sl_str id,
                                                       struct sl_str instance) {
    struct sl_consumer_member *m = sl_alloc_zero(g->groups->alloc, sizeof *m);
    if (m == NULL) return NULL;
    m->id = m->instance = m->client_id = m->rack = m->assignor = m->regex_text = SL_STR_NULL;
    m->state = SL_CONSUMER_STABLE;
    m->revoke_by = m->answer_by = INT64_MAX;
    bool has_id = sl_owned_text(g->groups->alloc, id, &m->id);
    bool has_instance = sl_owned_text(g->groups->alloc, instance, &m->instance);
    if (has_id && has_instance) return m;
    sl_group_subscribers_destroy(g, m);
    return NULL;
}

void sl_group_subscribers_destroy(struct sl_group *g, struct sl_consumer_member *m) {
    const struct sl_alloc *alloc = g->groups->alloc;
    sl_owned_free_text(alloc, &m->id);
    sl_owned_free_text(alloc, &m->instance);
    sl_owned_free_text(alloc, &m->client_id);
    sl_owned_free_text(alloc, &m->rack);
    sl_owned_free_text(alloc, &m->assignor);
    sl_owned_free_text(alloc, &m->regex_text);
    sl_group_members_free_protocols(alloc, m->protocols, m->protocol_count);
    sl_group_regex_destroy(alloc, m->regex);
    free_topic_names(alloc, m->names, m->name_count);
    sl_group_parts_free(alloc, &m->assigned);
    sl_group_parts_free(alloc, &m->revoking);
    sl_group_parts_free(alloc, &m->target);
    sl_alloc_free(alloc, m, sizeof *m);
}

int sl_group_subscribers_add(struct sl_group *g, struct sl_consumer_member *m) {
    struct sl_consumer *c = &g->consumer;
    int rv = sl_map_put(&c->members, m->id.data, (size_t)m->id.size, m);
    if (rv != 0 || m->instance.size < 0) return rv;
    rv = sl_map_put(&c->instances, m->instance.data, (size_t)m->instance.size, m);
    if (rv != 0) sl_map_remove(&c->members, m->id.data, (size_t)m->id.size);
    return rv;
}

void sl_group_subscribers_remove(struct sl_group *g, struct sl_consumer_member *m) {
    struct sl_consumer *c = &g->consumer;
    sl_map_remove(&c->members, m->id.data, (size_t)m->id.size);
    if (m->instance.size >= 0)
        sl_map_remove(&c->instances, m->instance.data, (size_t)m->instance.size);
    sl_group_subscribers_destroy(g, m);
}

int sl_group_subscribers_rename(struct sl_group *g, struct sl_consumer_member *m,
                                struct sl_str id) {
    if (sl_bytes_str_equal(m->id, id)) return 0;
    return sl_owned_rename(g->groups->alloc, &g->consumer.members, &m->id, id, m);
}

/* ---- what requests say anew ---- */

/* Null leaves it as it is. 0 or NOMEM. */
static int update_owned_text(const struct sl_alloc *alloc, struct sl_str *owned,
                             struct sl_str said) {
    struct sl_str copy;
    if (said.size < 0 || sl_bytes_str_equal(*owned, said)) return 0;
    if (!sl_owned_text(alloc, said, &copy)) return SLUICE_ERR_NOMEM;
    sl_owned_free_text(alloc, owned);
    *owned = copy;
    return 0;
}

static bool has_topic_name(const struct sl_str *names, int32_t count, struct sl_str name) {
    for (int32_t i = 0; i < count; i++)
        if (sl_bytes_str_equal(names[i], name)) return true;
    return false;
}

/* The same names in the same order; in another one they count as a change, which does no harm. */
static bool are_same_names(const struct sl_consumer_member *m, const struct sl_array *said) {
    const struct sl_str *names = said->items;
    if (m->name_count != said->count) return false;
    for (int32_t i = 0; i < said->count; i++)
        if (!sl_bytes_str_equal(m->names[i], names[i])) return false;
    return true;
}

static int update_topic_names(const struct sl_alloc *alloc, struct sl_consumer_member *m,
                              const struct sl_array *said, bool *changed) {
    const struct sl_str *names = said->items;
    if (said->count < 0 || are_same_names(m, said)) return 0;
    struct sl_str *made = NULL;
    bool failed = false;
    if (said->count > 0) {
        made = sl_alloc_array(alloc, (size_t)said->count, sizeof *made);
        if (made == NULL) return SLUICE_ERR_NOMEM;
    }
    for (int32_t i = 0; i < said->count; i++)
        if (!sl_owned_text(alloc, names[i], &made[i])) failed = true;
    if (failed) {
        free_topic_names(alloc, made, said->count);
        return SLUICE_ERR_NOMEM;
    }
    free_topic_names(alloc, m->names, m->name_count);
    m->names = made;
    m->name_count = said->count;
    *changed = true;
    return 0;
}

/* An empty expression takes the one there was back. 0, 128 or NOMEM. */
static int update_topic_regex(const struct sl_alloc *alloc, struct sl_consumer_member *m,
                              struct sl_str said, bool *changed) {
    struct sl_group_regex *made = NULL;
    if (said.size < 0 || sl_bytes_str_equal(m->regex_text, said)) return 0;
    int rv = said.size == 0 ? 0 : sl_group_regex_create(alloc, said, &made);
    if (rv == 0) rv = update_owned_text(alloc, &m->regex_text, said);
    if (rv != 0) {
        sl_group_regex_destroy(alloc, made);
        return rv;
    }
    sl_group_regex_destroy(alloc, m->regex);
    m->regex = made;
    *changed = true;
    return 0;
}

int sl_group_subscribers_update(struct sl_group *g, struct sl_consumer_member *m,
                                const struct sl_consumer_group_heartbeat_request *r,
                                struct sl_str client_id, bool *changed) {
    const struct sl_alloc *alloc = g->groups->alloc;
    *changed = false;
    int rv = update_topic_regex(alloc, m, r->topic_regex, changed);
    if (rv == 0) rv = update_topic_names(alloc, m, &r->topic_names, changed);
    if (rv == 0) rv = update_owned_text(alloc, &m->client_id, client_id);
    if (rv == 0) rv = update_owned_text(alloc, &m->rack, r->rack_id);
    if (rv == 0) rv = update_owned_text(alloc, &m->assignor, r->assignor);
    if (rv == 0 && r->rebalance_timeout_ms >= 0) m->rebalance_ms = r->rebalance_timeout_ms;
    return rv;
}

/* ---- finding ---- */

struct sl_consumer_member *sl_group_subscribers_find(const struct sl_group *g, struct sl_str id) {
    return id.size <= 0 ? NULL : sl_map_get(&g->consumer.members, id.data, (size_t)id.size);
}

struct sl_consumer_member *sl_group_subscribers_find_static(const struct sl_group *g,
                                                            struct sl_str instance) {
    if (instance.size <= 0) return NULL;
    return sl_map_get(&g->consumer.instances, instance.data, (size_t)instance.size);
}

struct sl_consumer_member *sl_group_subscribers_next(const struct sl_group *g, uint32_t *at) {
    return sl_map_next(&g->consumer.members, at, NULL);
}

bool sl_group_subscribers_wants(const struct sl_consumer_member *m, struct sl_str topic) {
    if (has_topic_name(m->names, m->name_count, topic)) return true;
    return m->regex != NULL && sl_group_regex_matches(m->regex, topic);
}

uint64_t sl_group_subscribers_topics(const struct sl_group *g) {
    const struct sl_cluster_topic *topic;
    const struct sl_consumer_member *m;
    uint64_t hash = 0;
    for (uint32_t at = 0; (topic = sl_map_next(&g->groups->cluster->by_name, &at, NULL)) != NULL;) {
        bool is_wanted = false;
        for (uint32_t i = 0; !is_wanted && (m = sl_group_subscribers_next(g, &i)) != NULL;)
            is_wanted = sl_group_subscribers_wants(m, sl_bytes_str(topic->name));
        if (!is_wanted) continue;
        /* A sum, so that their order does not count; ids are drawn. */
        uint64_t one = sl_bytes_get64(topic->id.bytes) ^ sl_bytes_get64(topic->id.bytes + 8);
        hash += one * (uint64_t)(topic->partition_count * 2 + 1);
    }
    return hash;
}
