/* The classic protocol: what a member asks, and when. What the answers mean is in
 * group_join_answers.c.
 *
 *   JOINING    an eager member gives back all it has, a cooperative one what it has unsubscribed;
 *              then JoinGroup, which the broker answers when all members have come. Until that is
 *              sent heartbeats of the old generation go on, so that holding partitions back does not
 *              cost the membership
 *   ASSIGNING  the leader waits for the metadata of all members' topics
 *   SYNCING    SyncGroup: the leader gives the assignments, everyone gets theirs
 *   STABLE     heartbeats; one of them, or metadata, says when to join again
 *
 * JoinGroup and SyncGroup have a connection of their own (SL_PURPOSE_JOIN): a broker answers one
 * connection in order, and these two wait for other members; heartbeats and commits must not wait
 * behind them. */
#include <string.h>

#include "core/assignor.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/errors.h"
#include "wire/messages.h"

enum { JOIN_EXTRA_MS = 5000, ASSIGNOR_BITS = 4, ASSIGNOR_MASK = 15 };

static int fill_join(struct sl_core *core, struct sl_call *call, int16_t version,
                     struct sl_arena *arena, void *request);
static int fill_sync(struct sl_core *core, struct sl_call *call, int16_t version,
                     struct sl_arena *arena, void *request);
static int fill_heartbeat(struct sl_core *core, struct sl_call *call, int16_t version,
                          struct sl_arena *arena, void *request);
static int fill_leave(struct sl_core *core, struct sl_call *call, int16_t version,
                      struct sl_arena *arena, void *request);
static void on_classic_left(struct sl_core *core, struct sl_call *call, int rv,
                            const void *response);

static void init_group_call(struct sl_call *call, int16_t key, enum sl_purpose purpose,
                            sl_call_fill_fn fill, sl_call_done_fn done) {
    call->api = sl_api_find(key);
    call->purpose = purpose;
    call->deadline = SL_NEVER;
    call->fill = fill;
    call->done = done;
}

/* The rebalance timeout is how long the others wait for us, and so how long the answer may take. */
static int32_t join_timeout_ms(const struct sl_settings *s) {
    int32_t most = s->max_poll_interval_ms;
    if (most > INT32_MAX - JOIN_EXTRA_MS) return most;
    most += JOIN_EXTRA_MS;
    return most > s->request_timeout_ms ? most : s->request_timeout_ms;
}

void sl_group_join_init(struct sl_membership *g) {
    const struct sl_settings *s = g->core->settings;
    init_group_call(&g->join, SL_API_JOIN_GROUP, SL_PURPOSE_JOIN, fill_join,
                    sl_group_join_on_joined);
    init_group_call(&g->sync, SL_API_SYNC_GROUP, SL_PURPOSE_JOIN, fill_sync,
                    sl_group_join_on_synced);
    init_group_call(&g->heartbeat, SL_API_HEARTBEAT, SL_PURPOSE_COORDINATOR, fill_heartbeat,
                    sl_group_join_on_heartbeat);
    init_group_call(&g->leave, SL_API_LEAVE_GROUP, SL_PURPOSE_COORDINATOR, fill_leave,
                    on_classic_left);
    g->join.timeout_ms = g->sync.timeout_ms = join_timeout_ms(s);
    g->is_cooperative = s->assignors != 0;
    for (uint32_t left = s->assignors; left != 0; left >>= ASSIGNOR_BITS)
        if (!sl_assignor_is_cooperative(sl_assignor_at((int)(left & ASSIGNOR_MASK))))
            g->is_cooperative = false;
}

/* ---- requests ---- */

static struct sl_str own_member_id(const struct sl_membership *g) {
    return (struct sl_str){g->member_id == NULL ? "" : g->member_id, (int32_t)g->member_id_size};
}

/* Which member of which group asks: the same in all requests. */
static void name_asker(const struct sl_core *core, struct sl_str *group, struct sl_str *member,
                       struct sl_str *instance) {
    *group = sl_bytes_str(core->settings->group_id);
    *member = own_member_id(&core->group);
    *instance = sl_group_instance(core);
}

static int fill_join(struct sl_core *core, struct sl_call *call, int16_t version,
                     struct sl_arena *arena, void *request) {
    (void)call;
    (void)version;
    struct sl_membership *g = &core->group;
    const struct sl_settings *s = core->settings;
    struct sl_join_group_request *message = request;
    struct sl_join_group_protocol *protocols = sl_arena_array(arena, 8, sizeof *protocols);
    if (protocols == NULL) return SLUICE_ERR_NOMEM;
    int32_t count = 0;
    for (uint32_t left = s->assignors; left != 0; left >>= ASSIGNOR_BITS, count++) {
        const struct sl_assignor *assignor = sl_assignor_at((int)(left & ASSIGNOR_MASK));
        protocols[count].name = sl_bytes_str(sl_assignor_name(assignor));
        int rv = sl_group_leader_subscription(core, assignor, arena, &protocols[count].metadata);
        if (rv != 0) return rv;
    }
    name_asker(core, &message->group_id, &message->member_id, &message->instance_id);
    message->session_timeout_ms = s->session_timeout_ms;
    message->rebalance_timeout_ms = s->max_poll_interval_ms;
    message->protocol_type = SL_STR("consumer");
    message->protocols = (struct sl_array){protocols, count};
    message->reason = sl_bytes_str(g->why);
    g->join_sent_at = core->now;
    return 0;
}

static int fill_sync(struct sl_core *core, struct sl_call *call, int16_t version,
                     struct sl_arena *arena, void *request) {
    (void)call;
    (void)version;
    (void)arena;
    struct sl_membership *g = &core->group;
    struct sl_sync_group_request *message = request;
    name_asker(core, &message->group_id, &message->member_id, &message->instance_id);
    message->generation = g->epoch;
    message->protocol_type = SL_STR("consumer");
    message->protocol_name = sl_bytes_str(sl_assignor_name(g->assignor));
    message->assignments = g->assignments;
    return 0;
}

static int fill_heartbeat(struct sl_core *core, struct sl_call *call, int16_t version,
                          struct sl_arena *arena, void *request) {
    (void)call;
    (void)version;
    (void)arena;
    struct sl_membership *g = &core->group;
    struct sl_heartbeat_request *message = request;
    name_asker(core, &message->group_id, &message->member_id, &message->instance_id);
    message->generation = g->epoch;
    g->heartbeat_epoch = g->epoch;
    g->beat_sent_at = core->now;
    return 0;
}

static int fill_leave(struct sl_core *core, struct sl_call *call, int16_t version,
                      struct sl_arena *arena, void *request) {
    (void)call;
    (void)version;
    struct sl_membership *g = &core->group;
    struct sl_leave_group_request *message = request;
    struct sl_leave_group_member *member = sl_arena_get(arena, sizeof *member);
    if (member == NULL) return SLUICE_ERR_NOMEM;
    memset(member, 0, sizeof *member);
    message->group_id = sl_bytes_str(core->settings->group_id);
    message->member_id = member->member_id = sl_bytes_str(g->leaving_id);
    member->instance_id = sl_group_instance(core);
    member->reason = sl_bytes_str(g->leaving_why);
    message->members = (struct sl_array){member, 1};
    return 0;
}

/* ---- leaving ---- */

/* However it ends: who is gone for the broker is put out when the session is over. */
static void on_classic_left(struct sl_core *core, struct sl_call *call, int rv,
                            const void *response) {
    const struct sl_leave_group_response *answer = response;
    (void)call;
    if (rv == 0) rv = sl_calls_code(answer->error_code);
    if (rv == 0 && answer->members.count > 0) {
        const struct sl_leave_group_member_response *members = answer->members.items;
        rv = sl_calls_code(members[0].error_code);
    }
    if (rv != 0 && rv != SLUICE_ERR_CLOSED)
        sl_core_log(core, SL_LOG_INFO, "group \"%s\": leaving was answered with %s",
                    core->settings->group_id, sl_errors_find(rv)->name);
    sl_group_on_left(core);
}

void sl_group_join_leave(struct sl_core *core, const char *why) {
    struct sl_membership *g = &core->group;
    int rv;
    int32_t broker =
        sl_coordinators_find(core, SL_COORDINATOR_GROUP, core->settings->group_id, &rv);
    if (broker < 0 || g->leave.active || g->member_id_size >= sizeof g->leaving_id) return;
    memcpy(g->leaving_id, g->member_id, g->member_id_size + 1);
    g->leaving_why = why;
    g->leave.broker = broker;
    sl_calls_start(core, &g->leave);
}

/* ---- joining ---- */

/* A cooperative member keeps what it has, but not of topics that it has unsubscribed. */
static bool give_back_unsubscribed(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    struct sl_offsets *keep;
    int32_t kept = 0;
    if (!g->is_changed) return true;
    if (sl_offset_list_create(core->alloc, &keep) != 0) return false;
    for (int32_t i = 0; i < g->owned->count; i++) {
        const struct sl_offset_entry *entry = &g->owned->entries[i];
        if (!sl_group_topics_has(g, entry->topic)) continue;
        (void)sl_offset_list_put(keep, entry->topic, entry->partition);
        kept++;
    }
    bool done = keep->failed == 0 && (kept == g->owned->count || sl_group_give_back(core, keep));
    sl_offset_list_destroy(keep);
    return done;
}

static void run_joining(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->join.active || g->change != SL_CHANGE_NONE || g->target != NULL) return;
    if (g->not_before > core->now || !sl_group_topics_is_ready(core)) return;
    bool is_free =
        g->is_cooperative ? give_back_unsubscribed(core) : sl_group_give_back(core, NULL);
    if (!is_free) return;
    int32_t broker = sl_group_find_coordinator(core);
    if (broker < 0 || g->state != SL_GROUP_JOINING) return;
    g->is_changed = false;
    g->wants_join = false;
    g->join.broker = broker;
    sl_calls_cancel(core, &g->heartbeat);
    g->heartbeat_at = SL_NEVER;
    g->join_sent_at = -1;
    sl_calls_start(core, &g->join);
}

void sl_group_join_sync(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    int32_t broker = sl_group_find_coordinator(core);
    if (broker < 0) return;
    sl_group_set_state(core, SL_GROUP_SYNCING);
    g->sync.broker = broker;
    sl_calls_start(core, &g->sync);
}

static void run_heartbeat(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    bool is_member = g->epoch >= 0 && !(g->state == SL_GROUP_JOINING && g->join.active);
    if (!is_member || g->heartbeat.active || g->heartbeat_at > core->now) return;
    int32_t broker = sl_group_find_coordinator(core);
    if (broker < 0) return;
    g->heartbeat.broker = broker;
    g->heartbeat.timeout_ms = core->settings->session_timeout_ms;
    if (g->heartbeat.timeout_ms > core->settings->request_timeout_ms)
        g->heartbeat.timeout_ms = core->settings->request_timeout_ms;
    g->heartbeat_at = core->now + core->settings->heartbeat_interval_ms * SL_MS;
    sl_calls_start(core, &g->heartbeat);
}

void sl_group_join_run(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->wants_leave) {
        run_heartbeat(core);
        return;
    }
    if (g->state == SL_GROUP_STABLE && g->wants_join) {
        /* An assignment that has not begun to be applied is overtaken. */
        if (g->change == SL_CHANGE_NONE)
            sl_group_take_target(core, NULL);
        else
            sl_group_change_hasten(core);
        if (g->target == NULL) sl_group_set_state(core, SL_GROUP_JOINING);
    }
    if (g->state == SL_GROUP_JOINING) run_joining(core);
    if (g->state == SL_GROUP_ASSIGNING && sl_group_leader_assign(core)) sl_group_join_sync(core);
    if (g->state == SL_GROUP_SYNCING && !g->sync.active) sl_group_join_sync(core);
    run_heartbeat(core);
}
