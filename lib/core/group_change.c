/* Changes of what is owned: one at a time, each through the gate.
 *
 *   NONE ── new partitions ──▶ ASSIGNING ──────────────────────────▶ NONE
 *   NONE ── some have to go ─▶ REVOKING ── given back, or held for ──▶ COMMITTING ──▶ NONE
 *                                          long enough
 *
 * With notices the application answers both. Nobody waits for its answer to new partitions, so it may
 * take as long as it likes; once they, or others, have to be given back, the group does wait, and the
 * notice is withdrawn when partitions would have been held for long enough (sl_group_change_hasten).
 *
 * `owned` is what the gate has applied. What is on its way in or out is `moving`. Losing the
 * membership ends a change at once: partitions go, nothing is committed, since others may own them
 * already; the gate drops what it was doing and never answers it.
 *
 * A message that cannot be made for want of memory is made later (change_again_at); LOST too, and
 * until it is made nothing else begins (has_lost). */
#include <string.h>

#include "core/rebalance.h"
#include "core/unit.h"
#include "sluice/error.h"

enum { CHANGE_RETRY_MS = 100 };

static void drop_change_list(struct sl_offsets **list) {
    sl_offset_list_destroy(*list);
    *list = NULL;
}

/* ---- messages to the gate ---- */

/* NULL: out of memory. */
struct sl_rebalance *sl_group_change_message(struct sl_core *core, enum sl_rebalance_kind kind,
                                             int32_t slots) {
    struct sl_rebalance *r;
    uint64_t serial = ++core->group.serial;
    return sl_rebalance_create(core->alloc, kind, serial, slots, &r) == 0 ? r : NULL;
}

void sl_group_change_send(struct sl_core *core, struct sl_rebalance *r) {
    sl_list_push_back(&core->events.rebalances, &r->node);
}

/* Names in the answer, so that core knows the partitions that went. */
static int name_slots(struct sl_core *core, struct sl_rebalance *r) {
    for (int32_t i = 0; i < r->offsets->count; i++) {
        const char *topic = r->offsets->entries[i].topic;
        r->answer->slots[i].topic = sl_alloc_text(core->alloc, topic, strlen(topic));
        if (r->answer->slots[i].topic == NULL) return SLUICE_ERR_NOMEM;
    }
    return 0;
}

/* A message about partitions that go. NULL: out of memory. */
static struct sl_rebalance *make_parting(struct sl_core *core, enum sl_rebalance_kind kind,
                                         const struct sl_offsets *list) {
    struct sl_rebalance *r = sl_group_change_message(core, kind, list->count);
    if (r == NULL) return NULL;
    int rv = sl_offset_list_copy(list, core->alloc, &r->offsets);
    if (rv == 0) rv = name_slots(core, r);
    if (rv == 0) return r;
    sl_rebalance_destroy(core->alloc, r);
    return NULL;
}

static void change_later(struct sl_core *core) {
    core->group.change_again_at = core->now + CHANGE_RETRY_MS * SL_MS;
}

static void log_partitions(struct sl_core *core, const char *what, const struct sl_offsets *list) {
    char buf[300];
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    for (int32_t i = 0; i < list->count && text.size < sizeof buf - 40; i++)
        sl_text_printf(&text, " %.60s-%d", list->entries[i].topic, (int)list->entries[i].partition);
    sl_core_log(core, SL_LOG_INFO, "group \"%s\" epoch %d: %d %s:%s", core->settings->group_id,
                (int)core->group.epoch, (int)list->count, what, buf);
}

/* ---- giving back ---- */

/* 0 or NOMEM. */
static int index_list(struct sl_partition_index *index, const struct sl_offsets *list) {
    int32_t at;
    int rv = sl_partition_index_reserve(index, list->count);
    for (int32_t i = 0; rv == 0 && i < list->count; i++)
        rv = sl_partition_index_add(index, list->entries[i].topic, list->entries[i].partition, &at);
    return rv;
}

/* Entries of `from` that `in` (NULL: nothing) does not have. NULL: out of memory. */
static struct sl_offsets *subtract_lists(struct sl_core *core, const struct sl_offsets *from,
                                         const struct sl_offsets *in) {
    struct sl_partition_index index;
    struct sl_offsets *list;
    if (sl_offset_list_create(core->alloc, &list) != 0) return NULL;
    sl_partition_index_init(&index, core->alloc);
    int rv = in == NULL ? 0 : index_list(&index, in);
    for (int32_t i = 0; rv == 0 && i < from->count; i++) {
        const struct sl_offset_entry *entry = &from->entries[i];
        struct sl_str topic = sl_bytes_str(entry->topic);
        if (sl_partition_index_find(&index, topic, entry->partition) >= 0) continue;
        struct sl_offset_entry *added = sl_offset_list_add(list, entry->topic, entry->partition);
        if (added != NULL) added->offset = SL_OFFSET_COMMITTED;
    }
    sl_partition_index_deinit(&index);
    if (rv == 0 && list->failed == 0) return list;
    sl_offset_list_destroy(list);
    return NULL;
}

/* How long the group waits for us at least from when we hear of a rebalance. In the classic protocol
 * it began as long ago as the last heartbeat. */
static int32_t patience_ms(const struct sl_core *core) {
    const struct sl_settings *s = core->settings;
    if (core->group.is_consumer) return s->max_poll_interval_ms;
    return s->max_poll_interval_ms > s->heartbeat_interval_ms
               ? s->max_poll_interval_ms - s->heartbeat_interval_ms
               : 0;
}

/* How long batches in hand may keep partitions: never so long that the group would go on without
 * us. */
static int32_t hold_ms(const struct sl_core *core) {
    int32_t most = patience_ms(core) - patience_ms(core) / 4;
    return core->settings->rebalance_hold_ms < most ? core->settings->rebalance_hold_ms : most;
}

static bool start_revoking(struct sl_core *core, struct sl_offsets *going) {
    struct sl_membership *g = &core->group;
    struct sl_rebalance *r = make_parting(core, SL_REBALANCE_REVOKING, going);
    struct sl_offsets *kept = r == NULL ? NULL : subtract_lists(core, g->owned, going);
    if (kept == NULL) {
        sl_rebalance_destroy(core->alloc, r);
        return false;
    }
    log_partitions(core, "partitions are given back", going);
    g->change = SL_CHANGE_REVOKING;
    g->is_released = false;
    g->change_by = r->hold_until = core->now + hold_ms(core) * SL_MS;
    r->hurries = g->is_closing;
    sl_offset_list_destroy(g->owned);
    g->owned = kept;
    g->moving = going;
    g->change_serial = r->serial;
    sl_fetcher_hold(core, going);
    sl_group_change_send(core, r);
    return true;
}

void sl_group_change_hasten(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    bool holds = g->change == SL_CHANGE_REVOKING || g->change == SL_CHANGE_ASSIGNING;
    if (!holds || g->is_released) return;
    int64_t by = core->now + (g->is_closing ? 0 : hold_ms(core) * SL_MS);
    if (by < g->change_by) g->change_by = by;
}

bool sl_group_give_back(struct sl_core *core, const struct sl_offsets *keep) {
    struct sl_membership *g = &core->group;
    if (g->change == SL_CHANGE_ASSIGNING || g->is_closing) sl_group_change_hasten(core);
    if (g->change != SL_CHANGE_NONE || g->change_again_at != SL_NEVER) return false;
    struct sl_offsets *going = subtract_lists(core, g->owned, keep);
    if (going != NULL && going->count == 0) {
        sl_offset_list_destroy(going);
        return true;
    }
    if (going != NULL && start_revoking(core, going)) return false;
    sl_offset_list_destroy(going);
    change_later(core);
    return false;
}

/* Everything goes at once; the gate drops whatever it was doing. Without memory: in the next turn,
 * and until then nothing else begins. */
void sl_group_change_lose(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    struct sl_offsets *all = g->owned;
    struct sl_offsets *more = g->moving == NULL ? NULL : subtract_lists(core, g->moving, all);
    bool is_whole = g->moving == NULL || more != NULL;
    for (int32_t i = 0; more != NULL && i < more->count; i++)
        (void)sl_offset_list_add(all, more->entries[i].topic, more->entries[i].partition);
    sl_offset_list_destroy(more);
    is_whole &= all->failed == 0;
    struct sl_rebalance *r = is_whole ? make_parting(core, SL_REBALANCE_LOST, all) : NULL;
    all->failed = 0;
    g->has_lost = r == NULL;
    if (r == NULL) {
        g->change_again_at = core->now + CHANGE_RETRY_MS * SL_MS;
        return;
    }
    log_partitions(core, "partitions are lost", all);
    sl_fetcher_hold(core, all);
    sl_group_change_send(core, r);
    sl_offset_list_clear(all);
    drop_change_list(&g->moving);
}

/* ---- taking an assignment ---- */

static bool is_all_kept(const struct sl_offsets *list, const struct sl_offsets *in) {
    for (int32_t i = 0; i < list->count; i++)
        if (sl_offset_list_find(in, list->entries[i].topic, list->entries[i].partition) == NULL)
            return false;
    return true;
}

void sl_group_take_target(struct sl_core *core, struct sl_offsets *target) {
    struct sl_membership *g = &core->group;
    drop_change_list(&g->target);
    g->target = target;
    g->has_revoked = false;
    if (g->change == SL_CHANGE_ASSIGNING && !is_all_kept(g->moving, target))
        sl_group_change_hasten(core);
}

static bool start_assigning(struct sl_core *core, struct sl_offsets *added) {
    struct sl_membership *g = &core->group;
    struct sl_rebalance *r = sl_group_change_message(core, SL_REBALANCE_ASSIGNED, 0);
    if (r == NULL || sl_offset_list_copy(g->target, core->alloc, &r->whole) != 0 ||
        sl_offset_list_copy(g->target, core->alloc, &g->moving) != 0) {
        sl_rebalance_destroy(core->alloc, r);
        return false;
    }
    log_partitions(core, "partitions are assigned", added);
    r->offsets = added;
    g->change = SL_CHANGE_ASSIGNING;
    g->change_by = SL_NEVER;
    g->is_released = false;
    g->change_serial = r->serial;
    sl_group_change_send(core, r);
    return true;
}

/* The target is what is owned now. */
static void finish_target(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    bool joins_again = g->has_revoked && !g->is_consumer && g->is_cooperative;
    drop_change_list(&g->target);
    g->owned_epoch = g->epoch;
    g->owned_serial++;
    drop_change_list(&g->had);
    if (!g->is_consumer) (void)sl_offset_list_copy(g->owned, core->alloc, &g->had);
    g->has_revoked = false;
    core->stats.group.rebalances++;
    if (g->joining_since != 0) {
        sl_stats_add_time(&core->stats.group.duration, core->now, core->now - g->joining_since);
    }
    g->joining_since = 0;
    if (joins_again)
        sl_group_want_join(core, false, "partitions were given back, and others can have them");
}

/* A step towards the target. */
void sl_group_change_pursue(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->target == NULL || g->change != SL_CHANGE_NONE || g->has_lost) return;
    /* Another generation is about to overtake it. */
    if (g->wants_join && !g->is_consumer && g->state == SL_GROUP_STABLE) return;
    if (!sl_group_give_back(core, g->target)) {
        g->has_revoked |= g->change == SL_CHANGE_REVOKING;
        return;
    }
    struct sl_offsets *added = subtract_lists(core, g->target, g->owned);
    if (added != NULL && added->count > 0 && start_assigning(core, added)) return;
    bool is_equal = added != NULL && added->count == 0;
    sl_offset_list_destroy(added);
    if (is_equal)
        finish_target(core);
    else
        change_later(core);
}

/* ---- answers of the gate ---- */

static void end_committing(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    g->change = SL_CHANGE_NONE;
    g->owned_serial++;
    drop_change_list(&g->moving);
}

/* What the answer says is to be committed. NULL: nothing, or out of memory. */
static struct sl_offsets *list_finished_parts(struct sl_core *core,
                                              const struct sl_command *answer) {
    struct sl_offsets *list;
    if (sl_offset_list_create(core->alloc, &list) != 0) return NULL;
    for (int32_t i = 0; i < answer->slot_count; i++) {
        const struct sl_slot_order *slot = &answer->slots[i];
        if (slot->offset < 0) continue;
        struct sl_offset_entry *entry = sl_offset_list_add(list, slot->topic, slot->partition);
        if (entry == NULL) break;
        entry->offset = slot->offset;
        entry->leader_epoch = slot->offset_epoch;
    }
    if (list->failed == 0 && list->count > 0) return list;
    sl_offset_list_destroy(list);
    return NULL;
}

/* How long a commit may keep partitions: not so long that the group would go on without us. */
static int64_t commit_deadline(const struct sl_core *core) {
    int32_t most = patience_ms(core) / 8;
    int32_t timeout_ms = core->settings->request_timeout_ms;
    int32_t ms = timeout_ms < most ? timeout_ms : most;
    int64_t by = core->now + ms * SL_MS;
    return core->group.is_closing && core->close_by < by ? core->close_by : by;
}

static void start_committing(struct sl_core *core, const struct sl_command *answer) {
    struct sl_membership *g = &core->group;
    struct sl_offsets *list = list_finished_parts(core, answer);
    g->change = SL_CHANGE_COMMITTING;
    g->change_by = SL_NEVER;
    if (list != NULL && sl_committer_commit(core, list, commit_deadline(core)) == 0) {
        g->commits++;
        return;
    }
    sl_offset_list_destroy(list);
    end_committing(core);
}

void sl_group_on_committed(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    /* One of before the membership was lost may end late. */
    if (g->commits > 0) g->commits--;
    if (g->commits == 0 && g->change == SL_CHANGE_COMMITTING) end_committing(core);
}

void sl_group_change_on_answer(struct sl_core *core, const struct sl_command *answer) {
    struct sl_membership *g = &core->group;
    bool is_ours = g->change != SL_CHANGE_NONE && answer->serial == g->change_serial;
    if (!is_ours) return;
    if (g->change == SL_CHANGE_REVOKING) {
        start_committing(core, answer);
        return;
    }
    SL_ASSERT(g->change == SL_CHANGE_ASSIGNING);
    g->change = SL_CHANGE_NONE;
    g->change_by = SL_NEVER;
    if (answer->code == 0) {
        sl_offset_list_destroy(g->owned);
        g->owned = g->moving;
        g->moving = NULL;
        return; /* the target is looked at again in this turn */
    }
    drop_change_list(&g->moving);
    if (answer->code == SLUICE_ERR_STALE)
        g->owned_serial++; /* withdrawn: who waits for them has to hear that we have not got them */
    else
        change_later(core);
}

/* ---- turns ---- */

/* Whatever the application still does with partitions, the group waits no longer. */
static void release_held(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    bool is_new = g->change == SL_CHANGE_ASSIGNING;
    struct sl_rebalance *r = sl_group_change_message(core, SL_REBALANCE_RELEASE, -1);
    g->change_by = r != NULL ? SL_NEVER : core->now + CHANGE_RETRY_MS * SL_MS;
    if (r == NULL) return;
    g->is_released = true;
    r->serial = g->change_serial;
    if (!g->is_closing)
        sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_WARNING, SLUICE_ERR_STALE, -1,
                       "group \"%s\": partitions were held for rebalance.hold.ms and go now: %s",
                       core->settings->group_id,
                       is_new ? "the application has not answered that they came"
                              : "what is in hand of them is stale");
    sl_group_change_send(core, r);
}

void sl_group_change_run(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    /* Whoever waited for memory tries again in this turn. */
    if (g->change_again_at <= core->now) g->change_again_at = SL_NEVER;
    if (g->has_lost && g->change_again_at == SL_NEVER) sl_group_change_lose(core);
    if (g->change_by <= core->now) release_held(core);
}
