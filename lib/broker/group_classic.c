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
 * Not done here: who is coordinator, offsets (groups.c); who comes in (group_entry.c); members, ids
 * and the vote (group_members.c); what is seen of a group (group_view.c). */
#include "broker/group_classic.h"

#include <string.h>

#include "base/assert.h"
#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

#define CLASSIC_NEVER INT64_MAX

enum { CLASSIC_RETRY_MS = 100 }; /* after memory ran out; arbitrary */

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

void sl_group_classic_renew(struct sl_group *g, struct sl_classic_member *m) {
    m->expires_at = sl_groups_after_ms(g, m->session_ms);
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
    c->sync_at = sl_groups_after_ms(g, sl_group_members_rebalance_ms(g));
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        struct sl_group_wait *w = sl_group_wait_take(&m->join);
        if (w != NULL) sl_group_answers_generation(g, m, w);
        m->is_joining = false;
        m->is_new = false;
        m->owes_sync = true;
        sl_group_classic_renew(g, m);
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
    if (c->state == SL_CLASSIC_PREPARING) c->join_at = sl_groups_after_ms(g, again > 0 ? again : 1);
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
    c->join_at = sl_groups_after_ms(g, delay);
}

void sl_group_classic_prepare(struct sl_group *g) {
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
        sl_group_classic_renew(g, m);
    }
    bool was_empty = c->state == SL_CLASSIC_EMPTY;
    set_classic_state(g, SL_CLASSIC_PREPARING);
    if (was_empty) {
        begin_initial_delay(g);
        return;
    }
    c->join_at = sl_groups_after_ms(g, sl_group_members_rebalance_ms(g));
    maybe_complete_classic_join(g);
}

void sl_group_classic_expel(struct sl_group *g, struct sl_classic_member *m) {
    sl_group_answers_refuse(m, SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    sl_group_members_remove(g, m);
}

void sl_group_classic_settle(struct sl_group *g, bool is_member) {
    if (is_member && g->classic.state != SL_CLASSIC_EMPTY)
        sl_group_classic_prepare(g);
    else
        maybe_complete_classic_join(g);
}

/* ---- who asks ---- */

int sl_group_classic_judge(const struct sl_group *g, struct sl_str id, struct sl_str instance) {
    if (instance.size >= 0) {
        const struct sl_classic_member *m = sl_group_members_find_static(g, instance);
        if (m == NULL) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
        if (!sl_bytes_str_equal(m->id, id)) return SLUICE_KAFKA_FENCED_INSTANCE_ID;
    }
    return sl_group_members_find(g, id) == NULL ? SLUICE_KAFKA_UNKNOWN_MEMBER_ID : 0;
}

/* ---- SyncGroup ---- */

static bool is_other_text(struct sl_str said, struct sl_str truth) {
    return said.size >= 0 && !sl_bytes_str_equal(said, truth);
}

static int judge_sync_group(const struct sl_group *g, const struct sl_sync_group_request *r) {
    const struct sl_classic *c = &g->classic;
    int code = sl_group_classic_judge(g, r->member_id, r->instance_id);
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
        sl_group_members_save(g, m);
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
        if (m->is_syncing) sl_group_classic_renew(g, m);
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
    int code = sl_group_classic_judge(g, r->member_id, r->instance_id);
    if (code != 0) return code;
    if (r->generation != c->generation) return SLUICE_KAFKA_ILLEGAL_GENERATION;
    sl_group_classic_renew(g, sl_group_members_find(g, r->member_id));
    sl_groups_schedule(g);
    return c->state == SL_CLASSIC_PREPARING ? SLUICE_KAFKA_REBALANCE_IN_PROGRESS : 0;
}

/* 0 or Kafka's code; *is_out: a member is gone. */
static int leave_classic_group(struct sl_group *g, struct sl_str member_id, struct sl_str instance,
                               bool *is_out) {
    struct sl_classic_member *m = sl_group_members_find_static(g, instance);
    if (member_id.size > 0 && sl_group_members_has_id(g, member_id)) {
        sl_group_members_drop_id(g, member_id);
        return 0;
    }
    if (member_id.size > 0 || instance.size < 0) { /* otherwise by its instance alone */
        int code = sl_group_classic_judge(g, member_id, instance);
        if (code != 0) return code;
        m = sl_group_members_find(g, member_id);
    }
    if (m == NULL) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID;
    sl_group_classic_expel(g, m);
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
    sl_group_classic_settle(g, is_out);
    sl_groups_schedule(g);
}

int sl_group_classic_commit(struct sl_group *g, struct sl_str member_id, struct sl_str instance,
                            int32_t generation) {
    const struct sl_classic *c = &g->classic;
    bool is_empty = c->state == SL_CLASSIC_EMPTY;
    bool is_nobody = generation < 0 && member_id.size <= 0 && instance.size < 0;
    if (generation < 0 && is_empty) return 0;
    if (is_nobody) return SLUICE_KAFKA_UNKNOWN_MEMBER_ID; /* only members while there are any */
    int code = sl_group_classic_judge(g, member_id, instance);
    if (code != 0) return code;
    if (generation != c->generation) return SLUICE_KAFKA_ILLEGAL_GENERATION;
    if (c->state == SL_CLASSIC_COMPLETING) return SLUICE_KAFKA_REBALANCE_IN_PROGRESS;
    sl_group_classic_renew(g, sl_group_members_find(g, member_id));
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
    int64_t now = g->groups->now;
    struct sl_classic_member *m;
    bool any = sl_group_members_expire_ids(g);
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        if (!may_member_expire(m) || m->expires_at > now) continue;
        sl_group_classic_expel(g, m);
        any = true;
    }
    return any;
}

/* Those who were told of the generation and never asked for their assignment are out. */
static void expire_syncs(struct sl_group *g) {
    struct sl_classic_member *m;
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        if (m->owes_sync) sl_group_classic_expel(g, m);
    sl_group_classic_prepare(g);
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
    if (expire_classic_members(g)) sl_group_classic_settle(g, c->members.count != before);
    if (c->sync_at <= g->groups->now) expire_syncs(g);
    if (c->join_at <= g->groups->now) end_join_time(g);
    sl_groups_schedule(g);
}

bool sl_group_classic_rebalance(struct sl_group *g) {
    if (g->classic.state == SL_CLASSIC_EMPTY) return false;
    sl_group_classic_prepare(g);
    sl_groups_schedule(g);
    return true;
}

void sl_group_classic_reload(struct sl_group *g, int code) {
    struct sl_classic *c = &g->classic;
    struct sl_classic_member *m;
    struct sl_str protocol;
    bool is_kept = sl_owned_text(g->groups->alloc, c->saved_protocol, &protocol);
    sl_group_members_drop_ids(g);
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;) {
        sl_group_answers_refuse(m, code);
        m->owes_sync = m->is_new = false;
        sl_group_classic_renew(g, m);
        /* Without memory the members are lost, and join again. */
        if (!m->is_saved || !is_kept)
            sl_group_members_remove(g, m);
        else
            sl_group_members_restore(g, m);
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
    for (uint32_t at = 0; (m = sl_group_members_next(g, &at)) != NULL;)
        sl_group_classic_expel(g, m);
    sl_map_deinit(&c->members);
    sl_map_deinit(&c->instances);
    sl_group_members_drop_ids(g);
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
