/* Membership: what both protocols share.
 *
 *   IDLE ── subscribe ──▶ JOINING ──▶ (ASSIGNING ──▶ SYNCING ──▶) STABLE ── rebalance ──▶ JOINING …
 *                            ▲                                      │
 *                            └──── next poll ──── AWAY ◀── no polls ┘
 *   any ── subscribe to nothing, close ──▶ LEAVING ──▶ IDLE
 *
 * Beside the state there is at most one change of what is owned, and it goes through the gate:
 *
 *   NONE ── new partitions ──▶ ASSIGNING ──────────────────────────▶ NONE
 *   NONE ── some have to go ─▶ REVOKING ── given back, or held for ──▶ COMMITTING ──▶ NONE
 *                                          long enough
 *
 * Whoever has something to do next (join, take an assignment, leave) finds out in group_run whether
 * the change is over; so heartbeats go on while batches hold a revocation, and nothing waits in a
 * call. Losing the membership ends a change at once: partitions go, nothing is committed, since
 * others may own them already.
 *
 * Polls: the gate knows whether there were any, and has no clock. It is asked four times in a
 * max.poll.interval.ms; four times "no" is too long. So it is noticed between one and one and a
 * quarter of the interval after the last poll, and an idle consumer wakes up rarely.
 *
 * Memory: a message to the gate that cannot be made is made later (change_again_at); only LOST
 * cannot wait, and is tried again in every turn. */
#include "core/group.h"

#include <stdarg.h>
#include <string.h>

#include "core/rebalance.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"

enum { POLL_QUESTIONS = 4, GROUP_RETRY_MS = 100 };

int sl_group_init(struct sl_membership *g, struct sl_core *core) {
    g->core = core;
    g->state = SL_GROUP_IDLE;
    g->epoch = g->owned_epoch = -1;
    g->poll_at = g->heartbeat_at = g->change_again_at = g->change_by = SL_NEVER;
    g->find_again_at = SL_NEVER;
    sl_arena_init(&g->members, core->alloc, 0);
    sl_arena_init(&g->assigned, core->alloc, 0);
    g->must_tell_all = true;
    sl_group_join_init(g);
    sl_group_follow_init(g);
    return sl_offset_list_create(core->alloc, &g->owned);
}

static void free_member_id(struct sl_membership *g) {
    if (g->member_id != NULL) sl_alloc_free(g->core->alloc, g->member_id, g->member_id_size + 1);
    g->member_id = NULL;
    g->member_id_size = 0;
}

static void drop_list(struct sl_offsets **list) {
    sl_offset_list_destroy(*list);
    *list = NULL;
}

void sl_group_deinit(struct sl_membership *g) {
    sl_calls_cancel(g->core, &g->join);
    sl_calls_cancel(g->core, &g->sync);
    sl_calls_cancel(g->core, &g->heartbeat);
    sl_calls_cancel(g->core, &g->leave);
    sl_calls_cancel(g->core, &g->beat);
    sl_group_leader_forget(g->core);
    sl_group_topics_deinit(g);
    free_member_id(g);
    drop_list(&g->owned);
    drop_list(&g->target);
    drop_list(&g->had);
    drop_list(&g->moving);
    sl_arena_deinit(&g->members);
    sl_arena_deinit(&g->assigned);
}

/* ---- small things ---- */

void sl_group_set_state(struct sl_core *core, enum sl_group_state state) {
    struct sl_membership *g = &core->group;
    sl_trace_add(&core->trace, SL_TRACE_GROUP, core->now, (int32_t)state, g->epoch);
    g->state = state;
}

struct sl_str sl_group_instance(const struct sl_core *core) {
    const char *id = core->settings->group_instance_id;
    return id[0] == '\0' ? SL_STR_NULL : sl_bytes_str(id);
}

int sl_group_set_member_id(struct sl_core *core, struct sl_str id) {
    struct sl_membership *g = &core->group;
    size_t size = id.size < 0 ? 0 : (size_t)id.size;
    if (g->member_id != NULL && g->member_id_size == size &&
        memcmp(g->member_id, id.data, size) == 0)
        return 0;
    char *copy = sl_alloc_text(core->alloc, size == 0 ? "" : id.data, size);
    if (copy == NULL) return SLUICE_ERR_NOMEM;
    free_member_id(g);
    g->member_id = copy;
    g->member_id_size = size;
    return 0;
}

void sl_group_reset(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    sl_calls_cancel(core, &g->join);
    sl_calls_cancel(core, &g->sync);
    sl_calls_cancel(core, &g->heartbeat);
    sl_calls_cancel(core, &g->beat);
    sl_group_leader_forget(core);
    g->epoch = -1;
    g->heartbeat_at = SL_NEVER;
    g->is_leader = g->skip_assignment = false;
    g->assignment = (struct sl_array){NULL, 0};
    g->has_unknown = g->must_resolve = false;
    g->must_tell_all = true;
}

void sl_group_identity(const struct sl_core *core, struct sl_group_identity *out) {
    const struct sl_membership *g = &core->group;
    const char *instance_id = core->settings->group_instance_id;
    out->group_id = core->settings->group_id;
    out->is_consumer = g->is_consumer;
    out->epoch = g->epoch;
    out->member_id = g->epoch < 0 || g->member_id == NULL ? "" : g->member_id;
    out->instance_id = g->epoch < 0 || instance_id[0] == '\0' ? NULL : instance_id;
}

void sl_group_back_off(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    g->not_before = sl_core_retry_at(core, g->attempts);
    if (g->attempts < UINT32_MAX) g->attempts++;
}

void sl_group_want_join(struct sl_core *core, bool delayed, const char *format, ...) {
    struct sl_membership *g = &core->group;
    struct sl_text text;
    va_list args;
    if (g->wants_leave || g->state == SL_GROUP_IDLE) return;
    if (!g->wants_join && !(g->state == SL_GROUP_JOINING && delayed)) {
        sl_text_init(&text, g->why, sizeof g->why);
        va_start(args, format);
        sl_text_vprintf(&text, format, args);
        va_end(args);
        sl_core_log(core, SL_LOG_INFO, "group \"%s\": joining: %s", core->settings->group_id,
                    g->why);
    }
    g->wants_join = true;
    if (g->joining_since == 0) g->joining_since = core->now;
    if (delayed)
        sl_group_back_off(core);
    else
        g->not_before = 0;
}

/* ---- the coordinator ---- */

int32_t sl_group_find_coordinator(struct sl_core *core) {
    int rv;
    int32_t broker =
        sl_coordinators_find(core, SL_COORDINATOR_GROUP, core->settings->group_id, &rv);
    core->group.is_finding = broker < 0 && rv == 0;
    if (rv < 0) core->group.find_again_at = core->now + GROUP_RETRY_MS * SL_MS;
    if (broker < 0 && rv > 0)
        sl_group_fail(core, rv, "its coordinator is refused: %s", sl_errors_find(rv)->text);
    return broker;
}

void sl_group_forget_coordinator(struct sl_core *core) {
    sl_coordinators_forget(core, SL_COORDINATOR_GROUP, core->settings->group_id);
}

bool sl_group_is_elsewhere(struct sl_core *core, int code) {
    if (code == SLUICE_KAFKA_COORDINATOR_LOAD_IN_PROGRESS) return true;
    bool is_elsewhere = code == SLUICE_KAFKA_NOT_COORDINATOR ||
                        code == SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE ||
                        code == SLUICE_ERR_UNREACHABLE || code == SLUICE_ERR_TIMEOUT ||
                        code == SLUICE_ERR_MALFORMED;
    if (is_elsewhere) sl_group_forget_coordinator(core);
    return is_elsewhere;
}

void sl_group_lose(struct sl_core *core, const char *why) {
    struct sl_membership *g = &core->group;
    sl_core_log(core, SL_LOG_WARNING, "group \"%s\": no longer a member: %s",
                core->settings->group_id, why);
    sl_group_reset(core);
    drop_list(&g->target);
    drop_list(&g->had);
    g->has_revoked = false;
    g->owned_epoch = -1;
    g->heard_at = 0;
    g->is_doubted = false;
    core->stats.group.lost++;
    bool is_empty = g->change == SL_CHANGE_NONE && g->owned->count == 0 && !g->has_lost;
    g->change = SL_CHANGE_NONE;
    g->change_by = g->change_again_at = SL_NEVER;
    if (!is_empty) sl_group_change_lose(core);
}

void sl_group_fail(struct sl_core *core, int code, const char *format, ...) {
    struct sl_membership *g = &core->group;
    char buf[SL_REBALANCE_TEXT];
    struct sl_text text;
    va_list args;
    sl_text_init(&text, buf, sizeof buf);
    sl_text_printf(&text, "group \"%.100s\": ", core->settings->group_id);
    va_start(args, format);
    sl_text_vprintf(&text, format, args);
    va_end(args);
    sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_ERROR, code, -1, "%s", buf);
    sl_group_lose(core, sl_errors_find(code)->text);
    g->wants_join = false;
    g->joining_since = 0;
    g->poll_at = SL_NEVER;
    sl_group_set_state(core, SL_GROUP_IDLE);
    struct sl_rebalance *r = sl_group_change_message(core, SL_REBALANCE_FAILED, -1);
    if (r == NULL) return; /* the log has it */
    r->code = code;
    memcpy(r->text, buf, sizeof r->text);
    sl_group_change_send(core, r);
}

static void on_polled(struct sl_core *core, const struct sl_command *answer) {
    struct sl_membership *g = &core->group;
    if (!g->poll_asked || answer->serial != g->poll_serial) return;
    g->poll_asked = false;
    g->poll_misses = answer->code == 1 ? 0 : g->poll_misses + 1;
    g->poll_at = core->now + core->settings->max_poll_interval_ms * SL_MS / POLL_QUESTIONS;
    if (g->state != SL_GROUP_AWAY || answer->code != 1) return;
    sl_group_set_state(core, SL_GROUP_JOINING);
    sl_group_want_join(core, false, "polls go on");
}

/* ---- being known ---- */

/* How long the coordinator keeps a member that it does not hear of. With KIP-848 that is the
 * broker's setting, which it does not tell: its default is nine times that of the interval, which
 * it tells. */
static int64_t patience_ns(const struct sl_core *core) {
    enum { INTERVALS = 9 };
    const struct sl_membership *g = &core->group;
    int64_t session = core->settings->session_timeout_ms * SL_MS;
    int64_t told = g->is_consumer ? g->beat_interval_ms * SL_MS * INTERVALS : session;
    return told < session ? told : session;
}

int64_t sl_group_trusted_until(const struct sl_core *core) {
    const struct sl_membership *g = &core->group;
    if (g->has_lost) return 0; /* there is no memory to say so */
    if (g->epoch < 0) return SL_NEVER;
    int64_t until = g->heard_at + patience_ns(core);
    if (!g->join.active || g->join_sent_at < 0) return until;
    int64_t joined_by = g->join_sent_at + core->settings->max_poll_interval_ms * SL_MS;
    return joined_by > until ? joined_by : until;
}

void sl_group_on_heard(struct sl_core *core, int64_t sent_at) {
    struct sl_membership *g = &core->group;
    if (sent_at > g->heard_at) g->heard_at = sent_at;
    if (sl_group_trusted_until(core) <= core->now)
        g->heartbeat_at = core->now; /* an answer from before a pause */
    else
        g->is_doubted = false;
}

static void tell_doubt(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->is_doubted || g->owned->count == 0 || sl_group_trusted_until(core) > core->now) return;
    g->is_doubted = true;
    sl_core_log(
        core, SL_LOG_WARNING,
        "group \"%s\": the coordinator has not answered for as long as a session lasts: its "
        "partitions may be others' by now, and nothing of them is handed out until it does",
        core->settings->group_id);
}

/* ---- commands ---- */

/* Which protocol: brokers cannot leave topics out by a pattern. */
static void choose_protocol(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    enum sl_group_protocol protocol = core->settings->group_protocol;
    if (g->decided) return;
    g->is_consumer = protocol == SL_GROUP_PROTOCOL_CONSUMER ||
                     (protocol == SL_GROUP_PROTOCOL_AUTO && !sl_group_topics_has_exclusion(g));
    g->decided = protocol != SL_GROUP_PROTOCOL_AUTO || !g->is_consumer;
}

static void start_membership(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    sl_group_set_state(core, SL_GROUP_JOINING);
    choose_protocol(core);
    g->poll_misses = 0;
    g->poll_at = core->now + core->settings->max_poll_interval_ms * SL_MS / POLL_QUESTIONS;
    sl_group_want_join(core, false, "the subscription is new");
    if (g->is_consumer && sl_group_topics_has_exclusion(g))
        sl_group_fail(core, SLUICE_ERR_UNSUPPORTED,
                      "brokers cannot leave topics out by a pattern (!^): set group.protocol to "
                      "classic or auto");
}

/* The names are other ones; they may be none. */
static void on_subscribed(struct sl_core *core, struct sl_command *command) {
    struct sl_membership *g = &core->group;
    sl_group_topics_subscribe(core, command);
    if (g->name_count == 0) {
        g->wants_leave = g->state != SL_GROUP_IDLE;
        return;
    }
    g->is_changed = true;
    g->names_serial++;
    if (g->wants_leave) return; /* afterwards */
    if (g->state == SL_GROUP_IDLE) {
        start_membership(core);
        return;
    }
    if (g->is_consumer && g->epoch >= 0) return; /* the next heartbeat says it */
    if (g->state != SL_GROUP_AWAY) sl_group_want_join(core, false, "the subscription is new");
}

void sl_group_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_membership *g = &core->group;
    switch (command->kind) {
    case SL_COMMAND_SUBSCRIBE:
        on_subscribed(core, command);
        break;
    case SL_COMMAND_REJOIN:
        if (!g->is_consumer && g->state == SL_GROUP_STABLE)
            sl_group_want_join(core, false, "%s",
                               command->topic != NULL ? command->topic : "the application asks");
        break;
    default:
        if (command->rebalance == SL_REBALANCE_POLLED)
            on_polled(core, command);
        else
            sl_group_change_on_answer(core, command);
        break;
    }
}

/* ---- what others say ---- */

void sl_group_on_topic(struct sl_core *core, struct sl_topic *topic) {
    struct sl_membership *g = &core->group;
    sl_group_topics_see(core, topic);
    if (g->state == SL_GROUP_IDLE || g->wants_leave) return;
    if (sl_group_topics_update(core) && g->has_patterns && !g->is_consumer) g->is_changed = true;
    g->must_resolve |= g->has_unknown;
    sl_group_look_at_topics(core);
}

/* What came while the group was being rebalanced counts once it is. */
void sl_group_look_at_topics(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->is_consumer || g->state != SL_GROUP_STABLE || g->wants_join) return;
    if (g->is_changed)
        sl_group_want_join(core, false, "topics that match the subscription came or went");
    else if (sl_group_leader_is_outdated(core))
        sl_group_want_join(core, false, "partitions are other ones, or elsewhere");
}

void sl_group_on_refused(struct sl_core *core, int code, int32_t epoch) {
    struct sl_membership *g = &core->group;
    if (epoch != g->epoch || g->epoch < 0) return; /* it speaks of an earlier life */
    if (g->state == SL_GROUP_LEAVING) return;      /* nothing is asked any more */
    if (g->is_consumer) {
        g->heartbeat_at = core->now; /* which will say what is wrong */
        return;
    }
    if (code == SLUICE_KAFKA_FENCED_INSTANCE_ID) {
        sl_group_fail(core, code, "another member has the same group.instance.id");
        return;
    }
    /* In the middle of a rebalance the generation is about to change anyway: what is owned stays. */
    if (g->state != SL_GROUP_STABLE) return;
    if (code == SLUICE_KAFKA_REBALANCE_IN_PROGRESS)
        sl_group_want_join(core, false, "a commit was told of a rebalance");
    else
        g->heartbeat_at = core->now;
}

/* ---- leaving ---- */

static void end_leaving(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    sl_group_reset(core);
    if (!g->is_consumer) free_member_id(g); /* KIP-848: the id of a process for life */
    g->wants_leave = g->wants_join = false;
    g->joining_since = 0;
    g->is_done = g->is_closing;
    g->owned_epoch = -1;
    g->decided = false;
    g->poll_at = SL_NEVER;
    sl_group_set_state(core, SL_GROUP_IDLE);
    if (g->name_count > 0 && !g->is_closing) start_membership(core);
}

void sl_group_on_left(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->state == SL_GROUP_LEAVING) end_leaving(core);
}

static bool tells_group(const struct sl_core *core) {
    const struct sl_settings *s = core->settings;
    if (core->group.member_id_size == 0) return false;
    if (s->group_leave == SL_GROUP_LEAVE_AUTO) return s->group_instance_id[0] == '\0';
    return s->group_leave == SL_GROUP_LEAVE_ALWAYS;
}

static void leave_group(struct sl_core *core, const char *why) {
    if (core->group.is_consumer)
        sl_group_follow_leave(core, why);
    else if (tells_group(core))
        sl_group_join_leave(core, why);
}

static void run_protocol(struct sl_core *core) {
    core->group.is_finding = false;
    core->group.find_again_at = SL_NEVER;
    if (core->group.is_consumer)
        sl_group_follow_run(core);
    else
        sl_group_join_run(core);
}

static void run_leaving(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->state == SL_GROUP_LEAVING || g->has_lost) return;
    sl_calls_cancel(core, &g->join);
    sl_calls_cancel(core, &g->sync);
    drop_list(&g->target);
    if (!sl_group_give_back(core, NULL)) {
        run_protocol(core); /* it is a member still, and heard of */
        return;
    }
    /* What else is finished is committed while this is a member. */
    if (g->is_closing && !sl_committer_is_done(core)) {
        run_protocol(core);
        return;
    }
    sl_group_set_state(core, SL_GROUP_LEAVING);
    g->heartbeat_at = SL_NEVER;
    sl_calls_cancel(core, &g->heartbeat);
    sl_calls_cancel(core, &g->beat);
    leave_group(core, g->is_closing ? "the consumer closes" : "the consumer unsubscribed");
    if (!g->leave.active) end_leaving(core);
}

bool sl_group_close(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->is_done) return true;
    g->is_closing = true;
    if (g->state == SL_GROUP_IDLE && g->change == SL_CHANGE_NONE) {
        g->is_done = true;
        return true;
    }
    g->wants_leave = true;
    return false;
}

/* ---- polls ---- */

/* Dynamic members leave, so that the others need not wait for the session; static ones only stop
 * being heard of. */
static void go_away(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_WARNING, SLUICE_KAFKA_UNKNOWN_MEMBER_ID, -1,
                   "group \"%s\": no poll for more than max.poll.interval.ms (%d ms): leaving the "
                   "group until the next poll; poll more often, or raise max.poll.interval.ms",
                   core->settings->group_id, (int)core->settings->max_poll_interval_ms);
    leave_group(core, "max.poll.interval.ms has passed without a poll");
    sl_group_lose(core, "it did not poll for too long");
    g->wants_join = false;
    g->joining_since = 0;
    sl_group_set_state(core, SL_GROUP_AWAY);
}

static void run_polls(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->state == SL_GROUP_IDLE || g->wants_leave) return;
    if (g->poll_misses >= POLL_QUESTIONS && g->state != SL_GROUP_AWAY) go_away(core);
    if (g->poll_asked || g->poll_at > core->now) return;
    struct sl_rebalance *r = sl_group_change_message(core, SL_REBALANCE_POLLED, 0);
    if (r == NULL) {
        g->poll_at = core->now + GROUP_RETRY_MS * SL_MS;
        return;
    }
    g->poll_asked = true;
    g->poll_serial = r->serial;
    g->poll_at = SL_NEVER;
    r->waits = g->state == SL_GROUP_AWAY;
    sl_group_change_send(core, r);
}

/* ---- turns ---- */

void sl_group_run(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->state == SL_GROUP_IDLE && !g->has_lost && g->change == SL_CHANGE_NONE) return;
    sl_group_change_run(core);
    tell_doubt(core);
    run_polls(core);
    if (g->wants_leave) {
        run_leaving(core);
        return;
    }
    sl_group_change_pursue(core);
    if (g->state == SL_GROUP_AWAY || g->state == SL_GROUP_IDLE || g->has_lost) return;
    run_protocol(core);
}

static void lower_group_deadline(int64_t *at, int64_t other) {
    if (other < *at) *at = other;
}

int64_t sl_group_deadline(const struct sl_core *core) {
    const struct sl_membership *g = &core->group;
    int64_t at = SL_NEVER;
    if (g->state == SL_GROUP_IDLE && !g->has_lost && g->change == SL_CHANGE_NONE) return at;
    lower_group_deadline(&at, g->change_by);
    lower_group_deadline(&at, g->change_again_at);
    if (!g->wants_leave) lower_group_deadline(&at, g->poll_at);
    lower_group_deadline(&at, g->find_again_at);
    bool waits = g->is_finding || g->find_again_at != SL_NEVER ||
                 (g->is_consumer && g->not_before > core->now);
    if (!g->heartbeat.active && !g->beat.active && g->epoch >= 0 && !waits)
        lower_group_deadline(&at, g->heartbeat_at);
    if (g->not_before > core->now) lower_group_deadline(&at, g->not_before);
    if (g->state == SL_GROUP_ASSIGNING) lower_group_deadline(&at, g->assign_by);
    return at;
}

/* ---- looking inside ---- */

void sl_group_check(const struct sl_core *core) {
    const struct sl_membership *g = &core->group;
    bool moves = g->change != SL_CHANGE_NONE;
    SL_ASSERT((g->moving != NULL) == moves || g->has_lost);
    SL_ASSERT(g->state != SL_GROUP_STABLE || g->epoch >= 0);
    SL_ASSERT(g->epoch < 0 || g->member_id_size > 0);
    for (int32_t i = 0; g->change == SL_CHANGE_REVOKING && i < g->moving->count; i++) {
        const struct sl_offset_entry *entry = &g->moving->entries[i];
        SL_ASSERT(sl_offset_list_find(g->owned, entry->topic, entry->partition) == NULL);
    }
}

const char *sl_group_state_name(enum sl_group_state state) {
    static const char *const names[] = {
        [SL_GROUP_IDLE] = "idle",           [SL_GROUP_JOINING] = "joining",
        [SL_GROUP_ASSIGNING] = "assigning", [SL_GROUP_SYNCING] = "syncing",
        [SL_GROUP_STABLE] = "stable",       [SL_GROUP_AWAY] = "away",
        [SL_GROUP_LEAVING] = "leaving"};
    return names[state];
}

void sl_group_dump(const struct sl_core *core, struct sl_text *out) {
    static const char *const changes[] = {[SL_CHANGE_NONE] = "none",
                                          [SL_CHANGE_ASSIGNING] = "assigning",
                                          [SL_CHANGE_REVOKING] = "revoking",
                                          [SL_CHANGE_COMMITTING] = "committing"};
    const struct sl_membership *g = &core->group;
    if (core->settings->group_id[0] == '\0') return;
    sl_text_printf(out, "group %s %s %s member=%s epoch=%d%s owned=%d change=%s",
                   core->settings->group_id, g->is_consumer ? "consumer" : "classic",
                   sl_group_state_name(g->state), g->member_id == NULL ? "" : g->member_id,
                   (int)g->epoch, g->is_leader ? " leader" : "", (int)g->owned->count,
                   changes[g->change]);
    sl_text_printf(out, " wants_join=%d wants_leave=%d why=\"%s\"\n", g->wants_join, g->wants_leave,
                   g->why);
}
