/* Members of a group of the classic protocol: who they are, what they offer, and the vote.
 *
 * A member is in `members` under its id, and in `instances` when it is static. The leader is always
 * one of them. Protocols are kept in the member's order of preference; there is at least one that
 * all members have, because nobody is let in, or may change, without (support).
 *
 * Ids that were given out are kept beside them until somebody joins with one, or their time is
 * over.
 *
 * Not done here: states, sessions and answers (group_classic.c). */
#include <string.h>

#include "base/assert.h"
#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"

void sl_group_members_free_protocols(const struct sl_alloc *alloc,
                                     struct sl_join_group_protocol *protocols, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        sl_owned_free_text(alloc, &protocols[i].name);
        sl_owned_free_bytes(alloc, &protocols[i].metadata);
    }
    sl_alloc_free(alloc, protocols, (size_t)count * sizeof *protocols);
}

struct sl_join_group_protocol *sl_group_members_copy_protocols(const struct sl_alloc *alloc,
                                                               const struct sl_array *from) {
    const struct sl_join_group_protocol *given = from->items;
    struct sl_join_group_protocol *made = sl_alloc_array(alloc, (size_t)from->count, sizeof *made);
    if (made == NULL) return NULL;
    bool failed = false;
    for (int32_t i = 0; i < from->count; i++) {
        if (!sl_owned_text(alloc, given[i].name, &made[i].name)) failed = true;
        if (!sl_owned_bytes(alloc, given[i].metadata, &made[i].metadata)) failed = true;
    }
    if (!failed) return made;
    sl_group_members_free_protocols(alloc, made, from->count);
    return NULL;
}

static void take_timeouts(struct sl_classic_member *m, const struct sl_join_group_request *r) {
    m->session_ms = r->session_timeout_ms;
    m->rebalance_ms = r->rebalance_timeout_ms >= 0 ? r->rebalance_timeout_ms : m->session_ms;
}

struct sl_classic_member *sl_group_members_create(struct sl_group *g,
                                                  const struct sl_join_group_request *r,
                                                  struct sl_str id, struct sl_str client_id) {
    const struct sl_alloc *alloc = g->groups->alloc;
    struct sl_classic_member *m = sl_alloc_zero(alloc, sizeof *m);
    if (m == NULL) return NULL;
    bool has_id = sl_owned_text(alloc, id, &m->id);
    bool has_instance = sl_owned_text(alloc, r->instance_id, &m->instance);
    bool has_client = sl_owned_text(alloc, client_id, &m->client_id);
    m->assignment = SL_BYTES_NULL;
    m->protocols = sl_group_members_copy_protocols(alloc, &r->protocols);
    m->protocol_count = m->protocols == NULL ? 0 : r->protocols.count;
    take_timeouts(m, r);
    if (has_id && has_instance && has_client && m->protocols != NULL) return m;
    sl_group_members_destroy(g, m);
    return NULL;
}

void sl_group_members_destroy(struct sl_group *g, struct sl_classic_member *m) {
    const struct sl_alloc *alloc = g->groups->alloc;
    SL_ASSERT(m->join == NULL && m->sync == NULL);
    sl_group_members_free_protocols(alloc, m->protocols, m->protocol_count);
    sl_group_members_free_protocols(alloc, m->saved, m->saved_count);
    sl_owned_free_text(alloc, &m->id);
    sl_owned_free_text(alloc, &m->instance);
    sl_owned_free_text(alloc, &m->client_id);
    sl_owned_free_bytes(alloc, &m->assignment);
    sl_alloc_free(alloc, m, sizeof *m);
}

int sl_group_members_add(struct sl_group *g, struct sl_classic_member *m) {
    struct sl_classic *c = &g->classic;
    int rv = sl_map_put(&c->members, m->id.data, (size_t)m->id.size, m);
    if (rv != 0) return rv;
    if (m->instance.size >= 0) {
        rv = sl_map_put(&c->instances, m->instance.data, (size_t)m->instance.size, m);
        if (rv != 0) {
            sl_map_remove(&c->members, m->id.data, (size_t)m->id.size);
            return rv;
        }
    }
    if (c->leader == NULL) c->leader = m;
    return 0;
}

void sl_group_members_remove(struct sl_group *g, struct sl_classic_member *m) {
    struct sl_classic *c = &g->classic;
    uint32_t at = 0;
    sl_map_remove(&c->members, m->id.data, (size_t)m->id.size);
    if (m->instance.size >= 0)
        sl_map_remove(&c->instances, m->instance.data, (size_t)m->instance.size);
    if (c->leader == m) c->leader = sl_group_members_next(g, &at);
    sl_group_members_destroy(g, m);
}

int sl_group_members_rename(struct sl_group *g, struct sl_classic_member *m, struct sl_str id) {
    return sl_owned_rename(g->groups->alloc, &g->classic.members, &m->id, id, m);
}

void sl_group_members_save(struct sl_group *g, struct sl_classic_member *m) {
    sl_group_members_free_protocols(g->groups->alloc, m->saved, m->saved_count);
    m->saved = NULL;
    m->saved_count = 0;
    m->is_saved = true;
}

void sl_group_members_restore(struct sl_group *g, struct sl_classic_member *m) {
    if (m->saved == NULL) return;
    sl_group_members_free_protocols(g->groups->alloc, m->protocols, m->protocol_count);
    m->protocols = m->saved;
    m->protocol_count = m->saved_count;
    m->saved = NULL;
    m->saved_count = 0;
}

int sl_group_members_update(struct sl_group *g, struct sl_classic_member *m,
                            const struct sl_join_group_request *r) {
    struct sl_join_group_protocol *protocols =
        sl_group_members_copy_protocols(g->groups->alloc, &r->protocols);
    if (protocols == NULL) return SLUICE_ERR_NOMEM;
    if (m->is_saved && m->saved == NULL) {
        m->saved = m->protocols;
        m->saved_count = m->protocol_count;
    } else {
        sl_group_members_free_protocols(g->groups->alloc, m->protocols, m->protocol_count);
    }
    m->protocols = protocols;
    m->protocol_count = r->protocols.count;
    take_timeouts(m, r);
    return 0;
}

struct sl_classic_member *sl_group_members_find(const struct sl_group *g, struct sl_str id) {
    return id.size <= 0 ? NULL : sl_map_get(&g->classic.members, id.data, (size_t)id.size);
}

struct sl_classic_member *sl_group_members_find_static(const struct sl_group *g,
                                                       struct sl_str instance) {
    if (instance.size < 0) return NULL;
    return sl_map_get(&g->classic.instances, instance.size == 0 ? "" : instance.data,
                      (size_t)instance.size);
}

struct sl_classic_member *sl_group_members_next(const struct sl_group *g, uint32_t *at) {
    return sl_map_next(&g->classic.members, at, NULL);
}

struct sl_str sl_group_members_name(struct sl_group *g, struct sl_arena *arena,
                                    struct sl_str client_id, struct sl_str instance) {
    struct sl_str front = instance.size >= 0 ? instance : client_id;
    struct sl_rng *rng = g->groups->rng;
    uint64_t high = sl_rng_next(rng), low = sl_rng_next(rng);
    size_t front_size = front.size > 0 ? (size_t)front.size : 0;
    size_t cap = front_size + sizeof "-00000000-0000-0000-0000-000000000000";
    struct sl_text t;
    char *room = sl_arena_get(arena, cap);
    if (room == NULL) return SL_STR_NULL;
    sl_text_init(&t, room, cap);
    sl_text_put_len(&t, front_size > 0 ? front.data : "", front_size);
    sl_text_printf(&t, "-%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                   (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff),
                   (unsigned)(low >> 48), (unsigned long long)(low & 0xffffffffffff));
    return (struct sl_str){room, (int32_t)t.size};
}

/* ---- protocols ---- */

static bool is_same_bytes(struct sl_bytes a, struct sl_bytes b) {
    return a.size == b.size && (a.size <= 0 || memcmp(a.data, b.data, (size_t)a.size) == 0);
}

bool sl_group_members_is_same(const struct sl_classic_member *m,
                              const struct sl_join_group_request *r) {
    const struct sl_join_group_protocol *given = r->protocols.items;
    if (m->protocol_count != r->protocols.count) return false;
    for (int32_t i = 0; i < m->protocol_count; i++)
        if (!sl_bytes_str_equal(m->protocols[i].name, given[i].name) ||
            !is_same_bytes(m->protocols[i].metadata, given[i].metadata))
            return false;
    return true;
}

static bool has_protocol(const struct sl_classic_member *m, struct sl_str name) {
    for (int32_t i = 0; i < m->protocol_count; i++)
        if (sl_bytes_str_equal(m->protocols[i].name, name)) return true;
    return false;
}

static bool do_all_have(const struct sl_group *g, struct sl_str name) {
    const struct sl_classic_member *m;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        if (!has_protocol(m, name)) return false;
    return true;
}

bool sl_group_members_support(const struct sl_group *g, const struct sl_join_group_request *r) {
    const struct sl_join_group_protocol *given = r->protocols.items;
    if (r->protocol_type.size <= 0 || r->protocols.count <= 0) return false;
    if (g->classic.members.count == 0) return true;
    if (!sl_bytes_str_equal(g->classic.protocol_type, r->protocol_type)) return false;
    for (int32_t i = 0; i < r->protocols.count; i++)
        if (do_all_have(g, given[i].name)) return true;
    return false;
}

/* Whom a member votes for: the first of its own that all have. */
static struct sl_str choice_of(const struct sl_group *g, const struct sl_classic_member *m) {
    for (int32_t i = 0; i < m->protocol_count; i++)
        if (do_all_have(g, m->protocols[i].name)) return m->protocols[i].name;
    return SL_STR_NULL;
}

struct sl_str sl_group_members_vote(const struct sl_group *g) {
    struct sl_str best = SL_STR_NULL;
    int32_t most = 0;
    const struct sl_classic_member *m, *other;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        struct sl_str choice = choice_of(g, m);
        int32_t votes = 0;
        if (choice.size < 0 || (best.size >= 0 && sl_bytes_str_equal(choice, best))) continue;
        for (uint32_t i = 0; (other = sl_group_members_next(g, &i)) != NULL;)
            votes += sl_bytes_str_equal(choice_of(g, other), choice);
        if (votes > most) {
            best = choice;
            most = votes;
        }
    }
    return best;
}

struct sl_bytes sl_group_members_metadata(const struct sl_classic_member *m,
                                          struct sl_str protocol) {
    for (int32_t i = 0; i < m->protocol_count; i++)
        if (sl_bytes_str_equal(m->protocols[i].name, protocol)) return m->protocols[i].metadata;
    return SL_BYTES_NULL;
}

int32_t sl_group_members_rebalance_ms(const struct sl_group *g) {
    const struct sl_classic_member *m;
    int32_t most = 0;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        if (m->rebalance_ms > most) most = m->rebalance_ms;
    return most;
}

/* ---- ids that were given out ---- */

int sl_group_members_give_id(struct sl_group *g, struct sl_str id, int64_t expires_at) {
    struct sl_classic_pending *p = sl_alloc_zero(g->groups->alloc, sizeof *p);
    if (p == NULL) return SLUICE_ERR_NOMEM;
    p->expires_at = expires_at;
    int rv = sl_map_put(&g->classic.pending, id.data, (size_t)id.size, p);
    if (rv != 0) sl_alloc_free(g->groups->alloc, p, sizeof *p);
    return rv;
}

bool sl_group_members_has_id(const struct sl_group *g, struct sl_str id) {
    return id.size > 0 && sl_map_get(&g->classic.pending, id.data, (size_t)id.size) != NULL;
}

void sl_group_members_drop_id(struct sl_group *g, struct sl_str id) {
    struct sl_classic_pending *p =
        id.size <= 0 ? NULL : sl_map_remove(&g->classic.pending, id.data, (size_t)id.size);
    sl_alloc_free(g->groups->alloc, p, sizeof *p);
}

void sl_group_members_drop_ids(struct sl_group *g) {
    struct sl_classic_pending *p;
    for (uint32_t at = 0; (p = sl_map_next(&g->classic.pending, &at, NULL)) != NULL;)
        sl_alloc_free(g->groups->alloc, p, sizeof *p);
    sl_map_deinit(&g->classic.pending);
    sl_map_init(&g->classic.pending, g->groups->alloc);
}

bool sl_group_members_expire_ids(struct sl_group *g) {
    const struct sl_map_entry *entry;
    struct sl_classic_pending *p;
    bool any = false;
    for (uint32_t at = 0; (p = sl_map_next(&g->classic.pending, &at, &entry)) != NULL;) {
        if (p->expires_at > g->groups->now) continue;
        sl_map_remove(&g->classic.pending, entry->key, entry->key_size);
        sl_alloc_free(g->groups->alloc, p, sizeof *p);
        any = true;
    }
    return any;
}
