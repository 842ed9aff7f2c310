/* The classic protocol: what answers mean. The rules for codes (protocol notes 3.12):
 *
 *                             JoinGroup       SyncGroup      Heartbeat
 *   14 15 16, no connection   find, again     join again     find, again
 *   25 UNKNOWN_MEMBER_ID      lost, new id    lost, new id   lost, new id
 *   22 ILLEGAL_GENERATION     lost, same id   lost, same id  lost, same id
 *   27 REBALANCE_IN_PROGRESS  again           join again     join again, unless on the way
 *   79 MEMBER_ID_REQUIRED     at once, with the id
 *   82 and what nobody's waiting changes: the group has failed
 *
 * An answer of an earlier life never arrives here: losing the membership cancels the calls, and a
 * heartbeat remembers the generation that it was sent in. */
#include "core/assignor.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

static void fail_by_code(struct sl_core *core, int code, const char *what) {
    if (code == SLUICE_KAFKA_FENCED_INSTANCE_ID)
        sl_group_fail(core, code, "another member has the same group.instance.id");
    else if (code == SLUICE_KAFKA_INCONSISTENT_GROUP_PROTOCOL)
        sl_group_fail(core, code,
                      "its members have no assignor in common with partition.assignment.strategy");
    else if (code == SLUICE_KAFKA_INVALID_SESSION_TIMEOUT)
        sl_group_fail(core, code, "the broker does not allow session.timeout.ms %d",
                      (int)core->settings->session_timeout_ms);
    else
        sl_group_fail(core, code, "%s was refused: %s", what, sl_errors_find(code)->text);
}

/* Codes that mean the same in all answers. True: dealt with. */
static bool on_common_code(struct sl_core *core, int code, const char *what) {
    struct sl_membership *g = &core->group;
    switch (code) {
    case SLUICE_KAFKA_UNKNOWN_MEMBER_ID:
        sl_group_lose(core, "the coordinator does not know the member");
        (void)sl_group_set_member_id(core, SL_STR(""));
        break;
    case SLUICE_KAFKA_ILLEGAL_GENERATION:
        sl_group_lose(core, "the generation is over");
        break;
    case SLUICE_KAFKA_REBALANCE_IN_PROGRESS:
        break;
    default:
        if (!sl_group_is_elsewhere(core, code)) return false;
        break;
    }
    if (g->state != SL_GROUP_JOINING) sl_group_set_state(core, SL_GROUP_JOINING);
    sl_group_want_join(core, true, "%s was answered with %s", what, sl_errors_find(code)->name);
    return true;
}

/* Errors that may pass: tried again. */
static bool on_passing(struct sl_core *core, int code, const char *what) {
    bool passes = code < 0 ? code != SLUICE_ERR_UNSUPPORTED : sl_errors_is_retriable(code);
    if (!passes) return false;
    if (core->group.state != SL_GROUP_JOINING) sl_group_set_state(core, SL_GROUP_JOINING);
    sl_group_want_join(core, true, "%s failed: %s", what, sl_errors_find(code)->name);
    return true;
}

/* ---- JoinGroup ---- */

static int take_join(struct sl_core *core, const struct sl_join_group_response *answer) {
    struct sl_membership *g = &core->group;
    const struct sl_assignor *assignor = sl_assignor_find(answer->protocol_name);
    if (assignor == NULL || answer->generation < 0 || answer->member_id.size <= 0)
        return SLUICE_ERR_MALFORMED;
    int rv = sl_group_set_member_id(core, answer->member_id);
    if (rv != 0) return rv;
    g->assignor = assignor;
    g->epoch = answer->generation;
    g->is_leader = sl_bytes_str_equal(answer->leader, answer->member_id);
    g->skip_assignment = answer->skip_assignment;
    sl_core_log(core, SL_LOG_INFO, "group \"%s\": joined generation %d as %s%s",
                core->settings->group_id, (int)g->epoch, g->member_id,
                g->is_leader ? ", the leader" : "");
    if (g->is_leader) return sl_group_leader_take(core, answer);
    sl_group_leader_forget(core);
    return 0;
}

void sl_group_join_on_joined(struct sl_core *core, struct sl_call *call, int rv,
                             const void *response) {
    const struct sl_join_group_response *answer = response;
    struct sl_membership *g = &core->group;
    (void)call;
    if (rv == SLUICE_ERR_CLOSED) return;
    g->heartbeat_at = core->now; /* if it has failed, the generation of before goes on */
    if (rv == 0) rv = sl_calls_code(answer->error_code);
    if (rv == SLUICE_KAFKA_MEMBER_ID_REQUIRED) {
        rv = sl_group_set_member_id(core, answer->member_id);
        if (rv == 0) {
            g->wants_join = true;
            g->not_before = 0;
            return;
        }
    }
    if (rv == 0) rv = take_join(core, answer);
    if (rv != 0) {
        if (!on_common_code(core, rv, "JoinGroup") && !on_passing(core, rv, "JoinGroup"))
            fail_by_code(core, rv, "JoinGroup");
        return;
    }
    g->heartbeat_at = core->now + core->settings->heartbeat_interval_ms * SL_MS;
    sl_group_on_heard(core, g->join_sent_at);
    if (g->is_leader)
        sl_group_set_state(core, SL_GROUP_ASSIGNING);
    else
        sl_group_join_sync(core);
}

/* ---- SyncGroup ---- */

void sl_group_join_on_synced(struct sl_core *core, struct sl_call *call, int rv,
                             const void *response) {
    const struct sl_sync_group_response *answer = response;
    struct sl_membership *g = &core->group;
    struct sl_offsets *target = NULL;
    (void)call;
    if (rv == SLUICE_ERR_CLOSED) return;
    if (rv == 0) rv = sl_calls_code(answer->error_code);
    if (rv == 0) rv = sl_group_leader_read_assignment(core, answer->assignment, &target);
    sl_group_leader_release(core);
    if (rv != 0) {
        if (!on_common_code(core, rv, "SyncGroup") && !on_passing(core, rv, "SyncGroup"))
            fail_by_code(core, rv, "SyncGroup");
        return;
    }
    g->attempts = 0;
    sl_group_set_state(core, SL_GROUP_STABLE);
    sl_group_take_target(core, target);
    sl_group_look_at_topics(core);
}

/* ---- heartbeats ---- */

void sl_group_join_on_heartbeat(struct sl_core *core, struct sl_call *call, int rv,
                                const void *response) {
    const struct sl_heartbeat_response *answer = response;
    struct sl_membership *g = &core->group;
    (void)call;
    if (rv == SLUICE_ERR_CLOSED || g->heartbeat_epoch != g->epoch) return;
    if (rv == 0) rv = sl_calls_code(answer->error_code);
    if (rv == 0 || rv == SLUICE_KAFKA_REBALANCE_IN_PROGRESS)
        sl_group_on_heard(core, g->beat_sent_at);
    if (rv == 0) {
        core->stats.group.heartbeats++;
        return;
    }
    if (rv == SLUICE_KAFKA_REBALANCE_IN_PROGRESS) {
        if (g->state == SL_GROUP_STABLE) sl_group_want_join(core, false, "the group rebalances");
        return;
    }
    bool is_lost = rv == SLUICE_KAFKA_UNKNOWN_MEMBER_ID || rv == SLUICE_KAFKA_ILLEGAL_GENERATION;
    if (is_lost) {
        (void)on_common_code(core, rv, "Heartbeat");
        return;
    }
    if (sl_group_is_elsewhere(core, rv) || rv < 0 || sl_errors_is_retriable(rv)) {
        g->heartbeat_at = sl_core_retry_at(core, g->heartbeat.attempts++);
        return;
    }
    fail_by_code(core, rv, "Heartbeat");
}
