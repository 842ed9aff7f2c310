/* A group of the classic protocol, as Kafka's coordinator has it.
 *
 *              someone joins                all have joined, or time is up
 *     EMPTY ------------------> PREPARING ----------------------------------> COMPLETING
 *       ^                        ^   ^ |                                       |      |
 *       '------------------------|---|-' nobody is left         the leader syncs      |
 *                                |   '---------- STABLE <----------------------'      |
 *                                '----------------------------------------------------'
 *            someone joins anew, leaves or is not heard of, a subscription changes
 *
 * Each way out of PREPARING begins a generation. Joining in an empty group takes its initial delay,
 * so that the members of a new group meet in its first generation.
 *
 * Invariants: joins wait in PREPARING only, syncs in COMPLETING only; join_at is set in PREPARING
 * only; an empty group has no members, and no other group is without, but one that waits for ids
 * it gave out. A member that waits for an answer is not expired, except a new one, which has five
 * minutes: nobody would notice that its client went.
 *
 * A coordinator that takes over knows what was saved: the members of the last generation whose
 * leader synced, with their assignments.
 *
 * Not done here: who is coordinator, offsets (groups.c); members and the vote (group_members.c);
 * what is seen of a group (group_view.c). */
#include "broker/group_classic.h"

#include <string.h>

#include "base/assert.h"
#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

#define CLASSIC_NEVER INT64_MAX

enum {
    CLASSIC_NEWCOMER_MS = 5 * 60 * 1000, /* Kafka's time for a new member to hear of its join */
    CLASSIC_RETRY_MS = 100,              /* after memory ran out; arbitrary */
    CLASSIC_PROTOCOLS = 64 /* most of a member; arbitrary, keeps the vote from taking for ever */
};

void sl_group_classic_init(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    memset(c, 0, sizeof *c);
    c->state = SL_CLASSIC_EMPTY;
    c->protocol_type = c->protocol = c->saved_protocol = SL_STR_NULL;
    c->join_at = c->sync_at = CLASSIC_NEVER;
    sl_map_init(&c->members, g->groups->alloc);
    sl_map_init(&c->instances, g->groups->alloc);
    sl_map_init(&c->pending, g->groups->alloc);
}

static void free_pending_ids(struct sl_group *g) {
    struct sl_classic_pending *p;
    for (uint32_t at = 0; (p = sl_map_next(&g->classic.pending, &at, NULL)) != NULL;)
        sl_alloc_free(g->groups->alloc, p, sizeof *p);
    sl_map_deinit(&g->classic.pending);
    sl_map_init(&g->classic.pending, g->groups->alloc);
}

static int64_t after_classic_ms(const struct sl_group *g, int64_t ms) {
    return g->groups->now + ms * SL_GROUPS_MS;
}

static void renew_classic_session(struct sl_group *g, struct sl_classic_member *m) {
    m->expires_at = after_classic_ms(g, m->session_ms);
}

/* ---- from state to state ---- */

static void set_classic_state(struct sl_group *g, enum sl_classic_state state) {
    struct sl_classic *c = &g->classic;
    bool is_legal = state == SL_CLASSIC_PREPARING    ? c->state != SL_CLASSIC_PREPARING
                    : state == SL_CLASSIC_COMPLETING ? c->state == SL_CLASSIC_PREPARING
                    : state == SL_CLASSIC_STABLE     ? c->state == SL_CLASSIC_COMPLETING
                                                     : c->state == SL_CLASSIC_PREPARING;
    SL_ASSERT(is_legal);
    c->state = state;
    if (state != SL_CLASSIC_PREPARING) c->join_at = CLASSIC_NEVER;
    if (state == SL_CLASSIC_PREPARING) c->sync_at = CLASSIC_NEVER;
}

/* The leader has to be someone who is there to assign. False: nobody is. */
static bool elect_classic_leader(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    if (c->leader->is_joining) return true;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        if (!m->is_joining) continue;
        c->leader = m;
        return true;
    }
    return false;
}

static void begin_empty_generation(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    c->generation++;
    sl_owned_free_text(g->groups->alloc, &c->protocol);
    sl_owned_free_text(g->groups->alloc, &c->saved_protocol);
    c->saved_generation = c->generation;
    set_classic_state(g, SL_CLASSIC_EMPTY);
}

/* Everyone who joined hears of the generation. False: out of memory. */
static bool begin_classic_generation(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    struct sl_str protocol;
    if (!sl_owned_text(g->groups->alloc, sl_group_members_vote(g), &protocol)) return false;
    SL_ASSERT(protocol.size >= 0);
    sl_owned_free_text(g->groups->alloc, &c->protocol);
    c->protocol = protocol;
    c->generation++;
    set_classic_state(g, SL_CLASSIC_COMPLETING);
    c->sync_at = after_classic_ms(g, sl_group_members_rebalance_ms(g));
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        struct sl_group_wait *w = sl_group_wait_take(&m->join);
        if (w != NULL) sl_group_answers_generation(g, m, w);
        m->is_joining = false;
        m->is_new = false;
        m->owes_sync = true;
        renew_classic_session(g, m);
    }
    return true;
}

/* Joining is over: dynamic members that did not come are out, static ones stay. */
static void complete_classic_join(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        if (!m->is_joining && m->instance.size < 0) sl_group_members_remove(g, m);
    c->is_initial = false;
    if (c->members.count == 0) {
        begin_empty_generation(g);
        return;
    }
    /* Without anyone who joined there is no leader; sessions end, or someone comes. */
    int64_t again = sl_group_members_rebalance_ms(g);
    if (elect_classic_leader(g)) again = begin_classic_generation(g) ? 0 : CLASSIC_RETRY_MS;
    if (c->state == SL_CLASSIC_PREPARING) c->join_at = after_classic_ms(g, again > 0 ? again : 1);
}

static bool have_all_joined(const struct sl_group *g) {
    const struct sl_classic_member *m;
    if (g->classic.pending.count > 0) return false;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        if (!m->is_joining) return false;
    return true;
}

static void maybe_complete_classic_join(struct sl_group *g) {
    const struct sl_classic *c = &g->classic;
    if (c->state == SL_CLASSIC_PREPARING && !c->is_initial && have_all_joined(g))
        complete_classic_join(g);
}

static void begin_initial_delay(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    int64_t delay = g->groups->settings.initial_delay_ms;
    int64_t most = sl_group_members_rebalance_ms(g);
    c->is_initial = true;
    c->has_newcomers = false;
    c->initial_left = most > delay ? (most - delay) * SL_GROUPS_MS : 0;
    c->join_at = after_classic_ms(g, delay);
}

static void prepare_classic_rebalance(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    if (c->state == SL_CLASSIC_PREPARING) {
        maybe_complete_classic_join(g);
        return;
    }
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        m->owes_sync = false;
        if (!m->is_syncing) continue;
        sl_group_answers_refuse(m, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
        renew_classic_session(g, m);
    }
    bool was_empty = c->state == SL_CLASSIC_EMPTY;
    set_classic_state(g, SL_CLASSIC_PREPARING);
    if (was_empty) {
        begin_initial_delay(g);
        return;
    }
    c->join_at = after_classic_ms(g, sl_group_members_rebalance_ms(g));
    maybe_complete_classic_join(g);
}

static void remove_classic_member(struct sl_group *g, struct sl_classic_member *m) {
    sl_group_answers_refuse(m, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    sl_group_members_remove(g, m);
}

static void remove_pending_id(struct sl_group *g, struct sl_str id) {
    struct sl_classic_pending *p =
        id.size <= 0 ? NULL : sl_map_remove(&g->classic.pending, id.data, (size_t)id.size);
    sl_alloc_free(g->groups->alloc, p, sizeof *p);
}

static bool is_pending_id(const struct sl_group *g, struct sl_str id) {
    return id.size > 0 && sl_map_get(&g->classic.pending, id.data, (size_t)id.size) != NULL;
}

/* After members have gone, or only ids that were given out. */
static void settle_classic_removal(struct sl_group *g, bool is_member) {
    if (is_member && g->classic.state != SL_CLASSIC_EMPTY)
        prepare_classic_rebalance(g);
    else
        maybe_complete_classic_join(g);
}

/* ---- JoinGroup ---- */

/* Its JoinGroup waits from now on; one that waited before, of a link that was given up, ends. */
static void park_classic_join(struct sl_classic_member *m, struct sl_group_wait *w) {
    struct sl_group_wait *old = sl_group_wait_take(&m->join);
    if (old != NULL) sl_group_answers_refuse_join(old, SLUICE_KAFKA_REBALANCE_IN_PROGRESS, m->id);
    m->is_joining = true;
    sl_group_wait_park(w, &m->join);
}

static int add_classic_member(struct sl_group *g, const struct sl_join_group_request *r,
                              struct sl_str id, struct sl_str client_id, struct sl_group_wait *w) {
    struct sl_classic *c = &g->classic;
    bool is_first = c->members.count == 0;
    struct sl_str type = SL_STR_NULL;
    if (is_first && !sl_owned_text(g->groups->alloc, r->protocol_type, &type))
        return SLUICE_ERR_NOMEM;
    struct sl_classic_member *m = sl_group_members_create(g, r, id, client_id);
    if (m == NULL) goto free_type;
    if (sl_group_members_add(g, m) != 0) goto free_member;
    if (is_first) {
        sl_owned_free_text(g->groups->alloc, &c->protocol_type);
        c->protocol_type = type;
    }
    remove_pending_id(g, id);
    m->is_new = true;
    m->expires_at = after_classic_ms(g, CLASSIC_NEWCOMER_MS);
    park_classic_join(m, w);
    if (c->state == SL_CLASSIC_PREPARING && c->generation == 0) c->has_newcomers = true;
    prepare_classic_rebalance(g);
    return 0;

free_member:
    sl_group_members_destroy(g, m);
free_type:
    sl_owned_free_text(g->groups->alloc, &type);
    return SLUICE_ERR_NOMEM;
}

static int update_classic_member(struct sl_group *g, struct sl_classic_member *m,
                                 const struct sl_join_group_request *r, struct sl_group_wait *w) {
    int rv = sl_group_members_update(g, m, r);
    if (rv != 0) return rv;
    park_classic_join(m, w);
    prepare_classic_rebalance(g);
    return 0;
}

/* A static member is there already: the new one takes its place, under a new id, and who had it is
 * fenced. In a stable group that goes on with its protocol nobody else notices. */
static int replace_static_member(struct sl_group *g, struct sl_classic_member *m,
                                 const struct sl_join_group_request *r, struct sl_str id,
                                 struct sl_group_wait *w) {
    struct sl_classic *c = &g->classic;
    struct sl_join_group_response *out = w->response;
    struct sl_str old_leader = sl_group_answers_keep(w->arena, c->leader->id);
    struct sl_str old_id = sl_group_answers_keep(w->arena, m->id);
    if (w->arena->failed) return SLUICE_ERR_NOMEM;
    int rv = sl_group_members_update(g, m, r);
    if (rv == 0) rv = sl_group_members_rename(g, m, id);
    if (rv != 0) return rv;
    struct sl_group_wait *old = sl_group_wait_take(&m->join);
    if (old != NULL) sl_group_answers_refuse_join(old, SLUICE_KAFKA_FENCED_INSTANCE_ID, old_id);
    sl_group_answers_refuse(m, SLUICE_KAFKA_FENCED_INSTANCE_ID);
    renew_classic_session(g, m);
    bool goes_on =
        c->state == SL_CLASSIC_STABLE && sl_bytes_str_equal(sl_group_members_vote(g), c->protocol);
    if (!goes_on) {
        park_classic_join(m, w);
        prepare_classic_rebalance(g);
        return 0;
    }
    /* From version 9 on the leader is told to assign nothing (KIP-814); before, it is not told that
     * it leads. */
    sl_group_answers_generation(g, m, w);
    if (w->version >= 9) {
        out->skip_assignment = m == c->leader;
    } else {
        out->leader = old_leader;
        out->members = (struct sl_array){NULL, 0};
    }
    return 0;
}

static int give_member_id(struct sl_group *g, const struct sl_join_group_request *r,
                          struct sl_str id, struct sl_group_wait *w) {
    struct sl_classic_pending *p = sl_alloc_zero(g->groups->alloc, sizeof *p);
    if (p == NULL) return SLUICE_ERR_NOMEM;
    p->expires_at = after_classic_ms(g, r->session_timeout_ms);
    int rv = sl_map_put(&g->classic.pending, id.data, (size_t)id.size, p);
    if (rv != 0) {
        sl_alloc_free(g->groups->alloc, p, sizeof *p);
        return rv;
    }
    sl_group_answers_refuse_join(w, SLUICE_KAFKA_MEMBER_ID_REQUIRED, id);
    return 0;
}

static int join_new_member(struct sl_group *g, const struct sl_join_group_request *r,
                           struct sl_str client_id, struct sl_group_wait *w) {
    struct sl_str id = sl_group_members_name(g, w->arena, client_id, r->instance_id);
    if (id.size < 0) return SLUICE_ERR_NOMEM;
    struct sl_classic_member *m = sl_group_members_find_static(g, r->instance_id);
    if (m != NULL) return replace_static_member(g, m, r, id, w);
    if (r->instance_id.size < 0 && w->version >= 4) return give_member_id(g, r, id, w);
    return add_classic_member(g, r, id, client_id, w);
}

/* Who says to be a member: 0, 25 or 82. */
static int judge_classic_member(const struct sl_group *g, struct sl_str id,
                                struct sl_str instance) {
    if (instance.size >= 0) {
        const struct sl_classic_member *m = sl_group_members_find_static(g, instance);
        if (m == NULL) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
        if (!sl_bytes_str_equal(m->id, id)) return SLUICE_KAFKA_FENCED_INSTANCE_ID;
    }
    return sl_group_members_find(g, id) == NULL ? SLUICE_KAFKA_UNKNOWN_MEMBER_ID : 0;
}

static int join_known_member(struct sl_group *g, const struct sl_join_group_request *r,
                             struct sl_str client_id, struct sl_group_wait *w) {
    struct sl_classic *c = &g->classic;
    if (is_pending_id(g, r->member_id) && r->instance_id.size < 0)
        return add_classic_member(g, r, r->member_id, client_id, w);
    int code = judge_classic_member(g, r->member_id, r->instance_id);
    if (code == 0 && c->state == SL_CLASSIC_EMPTY) code = SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    if (code != 0) {
        sl_group_answers_refuse_join(w, code, r->member_id);
        return 0;
    }
    struct sl_classic_member *m = sl_group_members_find(g, r->member_id);
    bool is_same = sl_group_members_is_same(m, r);
    /* It may not have heard the answer; a leader that joins a stable group wants a rebalance. */
    bool is_told = is_same && (c->state == SL_CLASSIC_COMPLETING ||
                               (c->state == SL_CLASSIC_STABLE && m != c->leader));
    if (!is_told) return update_classic_member(g, m, r, w);
    sl_group_answers_generation(g, m, w);
    return 0;
}

/* Whether the group is too large for who joins. */
static bool is_group_full(const struct sl_group *g, struct sl_str id) {
    const struct sl_classic *c = &g->classic;
    const struct sl_classic_member *m = sl_group_members_find(g, id), *other;
    int64_t most = g->groups->settings.size_max, joining = 0;
    if (c->state == SL_CLASSIC_EMPTY) return false;
    if (c->state != SL_CLASSIC_PREPARING) return m == NULL && c->members.count >= most;
    if (m != NULL && m->is_joining) return false;
    for (uint32_t at = 0; (other = sl_group_members_next(g, &at)) != NULL;)
        joining += other->is_joining;
    return joining >= most;
}

int sl_group_classic_join(struct sl_group *g, const struct sl_join_group_request *r,
                          struct sl_str client_id, struct sl_group_wait *w) {
    struct sl_classic_member *m = sl_group_members_find(g, r->member_id);
    int rv = 0;
    if (is_group_full(g, r->member_id)) {
        remove_pending_id(g, r->member_id);
        if (m != NULL) remove_classic_member(g, m);
        settle_classic_removal(g, m != NULL);
        sl_group_answers_refuse_join(w, SLUICE_KAFKA_GROUP_MAX_SIZE_REACHED, SL_STR(""));
    } else if (r->protocols.count > CLASSIC_PROTOCOLS || !sl_group_members_support(g, r)) {
        sl_group_answers_refuse_join(w, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL, r->member_id);
    } else if (r->member_id.size <= 0) {
        rv = join_new_member(g, r, client_id, w);
    } else {
        rv = join_known_member(g, r, client_id, w);
    }
    sl_groups_schedule(g);
    return rv;
}

/* ---- SyncGroup ---- */

static bool is_other_text(struct sl_str said, struct sl_str truth) {
    return said.size >= 0 && !sl_bytes_str_equal(said, truth);
}

static int judge_sync_group(const struct sl_group *g, const struct sl_sync_group_request *r) {
    const struct sl_classic *c = &g->classic;
    int code = judge_classic_member(g, r->member_id, r->instance_id);
    if (code != 0) return code;
    if (r->generation != c->generation) return SLUICE_KAFKA_ILLEGAL_GENERATION;
    if (is_other_text(r->protocol_type, c->protocol_type) ||
        is_other_text(r->protocol_name, c->protocol))
        return SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    return c->state == SL_CLASSIC_PREPARING ? SLUICE_KAFKA_REBALANCE_IN_PROGRESS : 0;
}

static struct sl_bytes find_member_assignment(const struct sl_sync_group_request *r,
                                              struct sl_str id) {
    const struct sl_sync_group_assignment *given = r->assignments.items;
    for (int32_t i = 0; i < r->assignments.count; i++)
        if (sl_bytes_str_equal(given[i].member_id, id)) return given[i].assignment;
    return (struct sl_bytes){(const uint8_t *)"", 0};
}

/* What the leader said becomes everyone's. All or nothing: 0 or NOMEM. */
static int take_leader_assignments(struct sl_group *g, const struct sl_sync_group_request *r,
                                   struct sl_arena *arena) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    struct sl_str saved = SL_STR_NULL;
    struct sl_bytes *made = sl_arena_array(arena, (size_t)c->members.count, sizeof *made);
    bool failed = made == NULL || !sl_owned_text(g->groups->alloc, c->protocol, &saved);
    uint32_t count = 0;
    for (uint32_t at = 0; !failed && (m = sl_group_members_next(g, &at)) != NULL; count++)
        failed = !sl_owned_bytes(g->groups->alloc, find_member_assignment(r, m->id), &made[count]);
    if (failed) {
        while (count-- > 0) sl_owned_free_bytes(g->groups->alloc, &made[count]);
        sl_owned_free_text(g->groups->alloc, &saved);
        return SLUICE_ERR_NOMEM;
    }
    count = 0;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL; count++) {
        sl_owned_free_bytes(g->groups->alloc, &m->assignment);
        m->assignment = made[count];
        m->is_saved = true;
    }
    sl_owned_free_text(g->groups->alloc, &c->saved_protocol);
    c->saved_protocol = saved;
    c->saved_generation = c->generation;
    return 0;
}

static void tell_member_assignments(struct sl_group *g) {
    struct sl_classic_member *m;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        struct sl_group_wait *w = sl_group_wait_take(&m->sync);
        if (w != NULL) sl_group_answers_assignment(g, m, w);
        if (m->is_syncing) renew_classic_session(g, m);
        m->is_syncing = false;
    }
}

static void note_member_sync(struct sl_group *g, struct sl_classic_member *m) {
    struct sl_classic *c = &g->classic;
    const struct sl_classic_member *other;
    m->owes_sync = false;
    for (uint32_t at = 0; (other = sl_group_members_next(g, &at)) != NULL;)
        if (other->owes_sync) return;
    c->sync_at = CLASSIC_NEVER;
}

int sl_group_classic_sync(struct sl_group *g, const struct sl_sync_group_request *r,
                          struct sl_group_wait *w) {
    struct sl_classic *c = &g->classic;
    int rv = judge_sync_group(g, r);
    if (rv != 0) {
        sl_group_answers_refuse_sync(w, rv);
        return 0;
    }
    struct sl_classic_member *m = sl_group_members_find(g, r->member_id);
    if (c->state == SL_CLASSIC_COMPLETING) {
        if (m == c->leader) rv = take_leader_assignments(g, r, w->arena);
        if (rv != 0) return rv;
        struct sl_group_wait *old = sl_group_wait_take(&m->sync);
        if (old != NULL) sl_group_answers_refuse_sync(old, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
        m->is_syncing = true;
        sl_group_wait_park(w, &m->sync);
        if (m == c->leader) {
            set_classic_state(g, SL_CLASSIC_STABLE);
            tell_member_assignments(g);
        }
    } else {
        sl_group_answers_assignment(g, m, w);
    }
    note_member_sync(g, m);
    sl_groups_schedule(g);
    return 0;
}

/* ---- heartbeats, leaving, commits ---- */

int sl_group_classic_heartbeat(struct sl_group *g, const struct sl_heartbeat_request *r) {
    const struct sl_classic *c = &g->classic;
    int code = judge_classic_member(g, r->member_id, r->instance_id);
    if (code != 0) return code;
    if (r->generation != c->generation) return SLUICE_KAFKA_ILLEGAL_GENERATION;
    renew_classic_session(g, sl_group_members_find(g, r->member_id));
    sl_groups_schedule(g);
    return c->state == SL_CLASSIC_PREPARING ? SLUICE_KAFKA_REBALANCE_IN_PROGRESS : 0;
}

/* 0 or Kafka's code; *is_out: a member is gone. */
static int leave_classic_group(struct sl_group *g, struct sl_str member_id, struct sl_str instance,
                               bool *is_out) {
    struct sl_classic_member *m = sl_group_members_find_static(g, instance);
    if (member_id.size > 0 && is_pending_id(g, member_id)) {
        remove_pending_id(g, member_id);
        return 0;
    }
    if (member_id.size > 0 || instance.size < 0) { /* otherwise by its instance alone */
        int code = judge_classic_member(g, member_id, instance);
        if (code != 0) return code;
        m = sl_group_members_find(g, member_id);
    }
    if (m == NULL) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    remove_classic_member(g, m);
    *is_out = true;
    return 0;
}

void sl_group_classic_leave(struct sl_group *g, const struct sl_leave_group_member *leaving,
                            int32_t count, struct sl_leave_group_member_response *out) {
    bool is_out = false;
    for (int32_t i = 0; i < count; i++) {
        out[i].member_id = leaving[i].member_id;
        out[i].instance_id = leaving[i].instance_id;
        out[i].error_code =
            (int16_t)leave_classic_group(g, leaving[i].member_id, leaving[i].instance_id, &is_out);
    }
    settle_classic_removal(g, is_out);
    sl_groups_schedule(g);
}

int sl_group_classic_commit(struct sl_group *g, struct sl_str member_id, struct sl_str instance,
                            int32_t generation) {
    const struct sl_classic *c = &g->classic;
    bool is_empty = c->state == SL_CLASSIC_EMPTY;
    bool is_nobody = generation < 0 && member_id.size <= 0 && instance.size < 0;
    if (generation < 0 && is_empty) return 0;
    if (is_nobody) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID; /* only members while there are any */
    int code = judge_classic_member(g, member_id, instance);
    if (code != 0) return code;
    if (generation != c->generation) return SLUICE_KAFKA_ILLEGAL_GENERATION;
    if (c->state == SL_CLASSIC_COMPLETING) return SLUICE_KAFKA_REBALANCE_IN_PROGRESS;
    renew_classic_session(g, sl_group_members_find(g, member_id));
    sl_groups_schedule(g);
    return 0;
}

/* ---- time ---- */

/* A member that waits cannot be heard of; nobody would notice that a new one is not there. */
static bool may_member_expire(const struct sl_classic_member *m) {
    return m->is_new || !(m->is_joining || m->is_syncing);
}

int64_t sl_group_classic_due(const struct sl_group *g) {
    const struct sl_classic *c = &g->classic;
    const struct sl_classic_member *m;
    const struct sl_classic_pending *p;
    int64_t due = c->join_at < c->sync_at ? c->join_at : c->sync_at;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        if (may_member_expire(m) && m->expires_at < due) due = m->expires_at;
    for (uint32_t at = 0; (p = sl_map_next(&c->pending, &at, NULL)) != NULL;)
        if (p->expires_at < due) due = p->expires_at;
    return due;
}

static bool expire_classic_members(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    int64_t now = g->groups->now;
    const struct sl_map_entry *entry;
    struct sl_classic_pending *p;
    struct sl_classic_member *m;
    bool any = false;
    for (uint32_t at = 0; (p = sl_map_next(&c->pending, &at, &entry)) != NULL;) {
        if (p->expires_at > now) continue;
        sl_map_remove(&c->pending, entry->key, entry->key_size);
        sl_alloc_free(g->groups->alloc, p, sizeof *p);
        any = true;
    }
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        if (!may_member_expire(m) || m->expires_at > now) continue;
        remove_classic_member(g, m);
        any = true;
    }
    return any;
}

/* Those who were told of the generation and never asked for their assignment are out. */
static void expire_syncs(struct sl_group *g) {
    struct sl_classic_member *m;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        if (m->owes_sync) remove_classic_member(g, m);
    prepare_classic_rebalance(g);
}

static void end_join_time(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    if (c->is_initial && c->has_newcomers && c->initial_left > 0) {
        int64_t more = g->groups->settings.initial_delay_ms * SL_GROUPS_MS;
        if (more > c->initial_left) more = c->initial_left;
        c->has_newcomers = false;
        c->initial_left -= more;
        c->join_at = g->groups->now + more;
        return;
    }
    complete_classic_join(g);
}

void sl_group_classic_on_time(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    uint32_t before = c->members.count;
    if (expire_classic_members(g)) settle_classic_removal(g, c->members.count != before);
    if (c->sync_at <= g->groups->now) expire_syncs(g);
    if (c->join_at <= g->groups->now) end_join_time(g);
    sl_groups_schedule(g);
}

bool sl_group_classic_rebalance(struct sl_group *g) {
    if (g->classic.state == SL_CLASSIC_EMPTY) return false;
    prepare_classic_rebalance(g);
    sl_groups_schedule(g);
    return true;
}

void sl_group_classic_reload(struct sl_group *g, int code) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    struct sl_str protocol;
    bool is_kept = sl_owned_text(g->groups->alloc, c->saved_protocol, &protocol);
    free_pending_ids(g);
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        sl_group_answers_refuse(m, code);
        m->owes_sync = m->is_new = false;
        renew_classic_session(g, m);
        /* Without memory the members are lost, and join again. */
        if (!m->is_saved || !is_kept) sl_group_members_remove(g, m);
    }
    /* Not by set_state: nothing happened, this is another coordinator's view. */
    c->state = c->members.count > 0 ? SL_CLASSIC_STABLE : SL_CLASSIC_EMPTY;
    c->join_at = c->sync_at = CLASSIC_NEVER;
    c->is_initial = false;
    c->generation = c->saved_generation;
    sl_owned_free_text(g->groups->alloc, &c->protocol);
    if (c->state == SL_CLASSIC_STABLE)
        c->protocol = protocol;
    else
        sl_owned_free_text(g->groups->alloc, &protocol);
    sl_groups_schedule(g);
}

void sl_group_classic_deinit(struct sl_group *g) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) remove_classic_member(g, m);
    sl_map_deinit(&c->members);
    sl_map_deinit(&c->instances);
    free_pending_ids(g);
    sl_map_deinit(&c->pending);
    sl_owned_free_text(g->groups->alloc, &c->protocol_type);
    sl_owned_free_text(g->groups->alloc, &c->protocol);
    sl_owned_free_text(g->groups->alloc, &c->saved_protocol);
}

/* ---- invariants ---- */

void sl_group_classic_check(const struct sl_group *g) {
    const struct sl_classic *c = &g->classic;
    const struct sl_classic_member *m;
    uint32_t statics = 0;
    bool has_leader = false;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        SL_ASSERT(sl_group_members_find(g, m->id) == m);
        SL_ASSERT(m->instance.size < 0 || sl_group_members_find_static(g, m->instance) == m);
        SL_ASSERT(m->join == NULL || (m->is_joining && m->join->place == &m->join));
        SL_ASSERT(m->sync == NULL || (m->is_syncing && m->sync->place == &m->sync));
        SL_ASSERT(!m->is_joining || c->state == SL_CLASSIC_PREPARING);
        SL_ASSERT(!m->is_syncing || c->state == SL_CLASSIC_COMPLETING);
        SL_ASSERT(m->protocol_count > 0);
        statics += m->instance.size >= 0;
        has_leader |= m == c->leader;
    }
    SL_ASSERT(statics == c->instances.count);
    SL_ASSERT(has_leader || (c->members.count == 0 && c->leader == NULL));
    SL_ASSERT(c->state != SL_CLASSIC_EMPTY || c->members.count == 0);
    SL_ASSERT(c->state == SL_CLASSIC_EMPTY || c->state == SL_CLASSIC_PREPARING ||
              c->members.count > 0);
    SL_ASSERT((c->join_at != CLASSIC_NEVER) == (c->state == SL_CLASSIC_PREPARING));
    SL_ASSERT(g->due == sl_group_classic_due(g));
}
