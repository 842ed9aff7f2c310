/* JoinGroup in a group of the classic protocol: who comes in, and as whom.
 *
 *   no id                 gets one, and comes again with it (from version 4 on); a static member takes the
 *                         place of the one with its instance, who is fenced
 *   an id given out       is a new member
 *   a member's id         goes on; in a group that waits for no joins the same words are only
 *                         answered again, since the answer may have been lost
 *
 * Whoever changes anything waits, with everybody, for the next generation.
 *
 * Not done here: generations (group_classic.c), members and their ids (group_members.c). */
#include "broker/groups.h"
#include "broker/owned.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

enum {
    ENTRY_NEWCOMER_MS = 5 * 60 * 1000, /* Kafka's time for a new member to hear of its join */
    ENTRY_PROTOCOLS = 64 /* most of a member; arbitrary, keeps the vote from taking for ever */
};

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
    sl_group_members_drop_id(g, id);
    m->is_new = true;
    m->expires_at = sl_groups_after_ms(g, ENTRY_NEWCOMER_MS);
    park_classic_join(m, w);
    if (c->state == SL_CLASSIC_PREPARING && c->generation == 0) c->has_newcomers = true;
    sl_group_classic_prepare(g);
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
    sl_group_classic_prepare(g);
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
    sl_group_classic_renew(g, m);
    bool goes_on =
        c->state == SL_CLASSIC_STABLE && sl_bytes_str_equal(sl_group_members_vote(g), c->protocol);
    if (!goes_on) {
        park_classic_join(m, w);
        sl_group_classic_prepare(g);
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
    int rv = sl_group_members_give_id(g, id, sl_groups_after_ms(g, r->session_timeout_ms));
    if (rv == 0) sl_group_answers_refuse_join(w, SLUICE_KAFKA_MEMBER_ID_REQUIRED, id);
    return rv;
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

static int join_known_member(struct sl_group *g, const struct sl_join_group_request *r,
                             struct sl_str client_id, struct sl_group_wait *w) {
    struct sl_classic *c = &g->classic;
    if (sl_group_members_has_id(g, r->member_id) && r->instance_id.size < 0)
        return add_classic_member(g, r, r->member_id, client_id, w);
    int code = sl_group_classic_judge(g, r->member_id, r->instance_id);
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

int sl_group_entry_join(struct sl_group *g, const struct sl_join_group_request *r,
                        struct sl_str client_id, struct sl_group_wait *w) {
    struct sl_classic_member *m = sl_group_members_find(g, r->member_id);
    int rv = 0;
    if (is_group_full(g, r->member_id)) {
        sl_group_members_drop_id(g, r->member_id);
        if (m != NULL) sl_group_classic_expel(g, m);
        sl_group_classic_settle(g, m != NULL);
        sl_group_answers_refuse_join(w, SLUICE_KAFKA_GROUP_MAX_SIZE_REACHED, SL_STR(""));
    } else if (r->protocols.count > ENTRY_PROTOCOLS || !sl_group_members_support(g, r)) {
        sl_group_answers_refuse_join(w, SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL, r->member_id);
    } else if (r->member_id.size <= 0) {
        rv = join_new_member(g, r, client_id, w);
    } else {
        rv = join_known_member(g, r, client_id, w);
    }
    sl_groups_schedule(g);
    return rv;
}
