/* Where each assigned partition is. A position is in exactly one place, which follows from its
 * state alone (sl_fetch_place):
 *
 *   LOOKING                       its look-up (core/offsets.c)
 *   STOPPED, or paused            parked
 *   RUNNING, no leader, back-off  homeless
 *   RUNNING, its log is in doubt  doubtful, then a request of validate.c
 *   RUNNING                       the session of its leader's broker, or of a follower's
 *
 * An order from the gate (assign, seek) gives a position a new epoch; requests and answers carry
 * the epoch they were asked under (told_epoch), so an answer of before is dropped whatever it
 * says. Memory for positions and for their table comes with the order, reserved when the
 * application was promised that it holds.
 *
 * What has arrived and is not checked yet lies before everything that is said of a partition later:
 * stopping and resetting flush it first.
 *
 * auto.offset.reset is applied in three cases only: there is no offset to begin with, the broker
 * says that the offset is out of range, and the log was cut below it (validate.c). No other error ever
 * moves a position. What has appeared
 * while a subscription is on begins at its beginning all the same (group_topics.c says why). */
#include "core/fetcher.h"

#include <stdarg.h>
#include <string.h>

#include "core/fetch.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/errors.h"

int sl_fetcher_init(struct sl_fetcher *f, struct sl_core *core) {
    f->core = core;
    sl_list_init(&f->parked);
    sl_list_init(&f->homeless);
    sl_list_init(&f->brokers);
    sl_list_init(&f->sessions);
    sl_list_init(&f->doubtful);
    sl_list_init(&f->validations);
    sl_list_init(&f->arrived);
    sl_list_init(&f->unchecked);
    sl_arena_init(&f->arena, core->alloc, 0);
    f->free_bytes = core->settings->fetch_memory;
    f->homeless_at = f->leases_at = SL_NEVER;
    return 0;
}

void sl_fetcher_free_position(const struct sl_alloc *alloc, struct sl_fetch_position *position) {
    if (position == NULL) return;
    SL_ASSERT(!sl_list_is_linked(&position->node));
    if (position->name != NULL) sl_alloc_free(alloc, position->name, strlen(position->name) + 1);
    sl_alloc_free(alloc, position, sizeof *position);
}

void sl_fetch_displace(struct sl_core *core, struct sl_fetch_position *position) {
    if (position->session != NULL) sl_fetch_session_remove(position);
    position->validation = NULL;
    sl_offsets_forget(core, &position->lookup);
    sl_committed_forget(core, &position->committed);
    sl_list_remove(&position->node);
}

static void drop_position(struct sl_core *core, struct sl_fetch_position *position) {
    sl_fetch_displace(core, position);
    if (position->partition != NULL) position->partition->fetch = NULL;
    sl_fetcher_free_position(core->alloc, position);
}

void sl_fetcher_deinit(struct sl_fetcher *f) {
    struct sl_core *core = f->core;
    sl_list_splice_back(&f->unchecked, &f->arrived);
    SL_LIST_EACH(node, next, &f->unchecked) {
        struct sl_fetched *fetched = SL_LIST_OF(node, struct sl_fetched, node);
        sl_buffers_give(&core->buffers, fetched->buffer);
        sl_alloc_free(core->alloc, fetched, fetched->size);
    }
    for (uint32_t i = 0; i < f->slot_count; i++)
        if (f->slots[i] != NULL) drop_position(core, f->slots[i]);
    sl_validate_deinit(f);
    SL_LIST_EACH(node, next, &f->sessions)
        sl_fetch_session_free(SL_LIST_OF(node, struct sl_fetch_session, node));
    sl_alloc_free(core->alloc, f->slots, f->slot_count * sizeof *f->slots);
    sl_arena_deinit(&f->arena);
}

/* ---- places ---- */

void sl_fetch_await_leader(struct sl_core *core, struct sl_fetch_position *position) {
    struct sl_fetcher *f = &core->fetcher;
    sl_list_push_back(&f->homeless, &position->node);
    if (position->not_before > core->now && position->not_before < f->homeless_at)
        f->homeless_at = position->not_before;
}

static void back_position_off(struct sl_core *core, struct sl_fetch_position *position) {
    position->not_before = sl_core_retry_at(core, position->attempts++);
}

/* Topic and partition of a position, as far as metadata knows them. */
static void find_partition(struct sl_core *core, struct sl_fetch_position *position) {
    if (position->topic == NULL) position->topic = sl_metadata_topic(core, position->name);
    struct sl_topic *topic = position->topic;
    if (topic == NULL) {
        back_position_off(core, position);
        return;
    }
    if (position->partition != NULL || topic->partition_count == 0) return;
    if (position->index < topic->partition_count) {
        position->partition = topic->partitions[position->index];
        position->partition->fetch = position;
    } else if (!position->warned) {
        position->warned = true;
        sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_WARNING, SLUICE_ERR_NO_OFFSET, -1,
                       "%s-%d is assigned, but the topic has %d partitions: waiting for it",
                       position->name, (int)position->index, (int)topic->partition_count);
    }
}

static void on_position_found(struct sl_core *core, struct sl_offset_lookup *lookup, int rv,
                              int64_t offset, int32_t leader_epoch, const char *text);

static void stop_without_offset(struct sl_core *core, struct sl_fetch_position *position) {
    sl_fetch_stop(core, position, SLUICE_ERR_NO_OFFSET,
                  "there is no committed offset, and auto.offset.reset is none: seek to go on");
}

static void look_position_up(struct sl_core *core, struct sl_fetch_position *position) {
    struct sl_offset_lookup *lookup = &position->lookup;
    lookup->topic = position->topic;
    lookup->name = position->name;
    lookup->partition = position->index;
    lookup->timestamp = sl_offsets_timestamp(position->offset, position->timestamp_ms);
    lookup->on_found = on_position_found;
    lookup->owner = NULL;
    sl_offsets_look_up(core, lookup);
}

static void on_committed_found(struct sl_core *core, struct sl_committed_lookup *lookup,
                               const struct sl_committed_offset *found);

static void look_committed_up(struct sl_core *core, struct sl_fetch_position *position) {
    struct sl_committed_lookup *lookup = &position->committed;
    if (core->settings->group_id[0] == '\0') {
        stop_without_offset(core, position);
        return;
    }
    lookup->name = position->name;
    lookup->partition = position->index;
    lookup->on_found = on_committed_found;
    sl_committed_look_up(core, lookup);
}

/* Metadata asks for unknown topics at its own pace. Of a topic that is known but lacks what we look
 * for (the partition, or its leader's address) every answer is fresh, so the pace is ours. */
static void ask_for_leader(struct sl_core *core, struct sl_fetch_position *position) {
    if (position->topic->partition_count > 0) {
        if (position->not_before > core->now) return;
        back_position_off(core, position);
    }
    sl_metadata_refresh(core, position->topic);
}

void sl_fetch_place(struct sl_core *core, struct sl_fetch_position *position) {
    sl_fetch_displace(core, position);
    find_partition(core, position);
    if (position->state == SL_FETCH_LOOKING) {
        if (position->not_before > core->now)
            sl_fetch_await_leader(core, position);
        else if (position->offset == SL_OFFSET_COMMITTED)
            look_committed_up(core, position);
        else
            look_position_up(core, position);
        return;
    }
    if (position->state == SL_FETCH_STOPPED || position->paused) {
        sl_list_push_back(&core->fetcher.parked, &position->node);
        return;
    }
    struct sl_broker *broker = sl_fetch_follower_pick(core, position);
    if (broker == NULL && position->topic != NULL) ask_for_leader(core, position);
    struct sl_fetch_session *session = NULL;
    bool may_ask = broker != NULL && position->not_before <= core->now;
    if (may_ask && sl_validate_is_due(position)) {
        sl_validate_begin(core, position);
        return;
    }
    if (may_ask) {
        session = sl_fetch_session_open(core, broker);
        if (session == NULL) position->not_before = core->now + sl_core_backoff(core, 100, 1000, 0);
    }
    if (session == NULL)
        sl_fetch_await_leader(core, position);
    else
        sl_fetch_session_add(session, position);
}

void sl_fetch_retry(struct sl_core *core, struct sl_fetch_position *position, bool stale) {
    back_position_off(core, position);
    if (stale && position->topic != NULL) sl_metadata_refresh(core, position->topic);
    sl_fetch_place(core, position);
}

static void place_homeless(struct sl_core *core) {
    struct sl_fetcher *f = &core->fetcher;
    struct sl_list list;
    if (core->now < f->homeless_at) return;
    f->homeless_at = SL_NEVER;
    sl_list_init(&list);
    sl_list_splice_back(&list, &f->homeless);
    for (struct sl_list *node; (node = sl_list_pop_front(&list)) != NULL;)
        sl_fetch_place(core, SL_LIST_OF(node, struct sl_fetch_position, node));
}

/* ---- offsets ---- */

struct sl_slot_news *sl_fetcher_tell(struct sl_core *core, uint32_t slot, uint32_t epoch) {
    struct sl_slot_news *news = sl_alloc_zero(core->alloc, sizeof *news);
    if (news == NULL) return NULL;
    news->slot = slot;
    news->epoch = epoch;
    news->position = news->high_watermark = news->last_stable = news->committed = -1;
    sl_list_push_back(&core->events.news, &news->node);
    return news;
}

/* False: out of memory. Nothing else may ever say it: records may not come for long. */
static bool tell_position(struct sl_core *core, const struct sl_fetch_position *position,
                          int64_t offset) {
    struct sl_slot_news *news = sl_fetcher_tell(core, position->slot, position->epoch);
    if (news == NULL) return false;
    news->position = offset;
    return true;
}

static void on_position_found(struct sl_core *core, struct sl_offset_lookup *lookup, int rv,
                              int64_t offset, int32_t leader_epoch, const char *text) {
    struct sl_fetch_position *position = SL_LIST_OF(lookup, struct sl_fetch_position, lookup);
    if (rv != 0) {
        sl_fetch_stop(core, position, rv, "its offset could not be looked up: %s", text);
        return;
    }
    if (!tell_position(core, position, offset)) {
        sl_fetch_retry(core, position, false);
        return;
    }
    sl_committer_on_placed(core);
    sl_core_log(core, SL_LOG_INFO, "%s-%d starts at offset %lld (%s)", position->name,
                (int)position->index, (long long)offset,
                position->offset == SL_OFFSET_LATEST     ? "the end: what is older is left out"
                : position->offset == SL_OFFSET_EARLIEST ? "the beginning"
                                                         : "by look-up");
    sl_trace_add(&core->trace, SL_TRACE_POSITION, core->now, position->index, offset);
    position->offset = position->checked = position->epoch_from = offset;
    position->last_epoch = leader_epoch;
    position->valid_epoch = lookup->asked_epoch;
    position->state = SL_FETCH_RUNNING;
    position->attempts = 0;
    sl_fetch_place(core, position);
}

/* That of the record before the position, by somebody's word. */
static void set_epoch(struct sl_fetch_position *position, int32_t leader_epoch) {
    position->last_epoch = leader_epoch;
    position->epoch_from = position->offset > 0 ? position->offset - 1 : 0;
    position->valid_epoch = -1;
    position->epoch_waits = 0;
}

static void start_at_committed(struct sl_core *core, struct sl_fetch_position *position,
                               const struct sl_committed_offset *found) {
    struct sl_slot_news *news = sl_fetcher_tell(core, position->slot, position->epoch);
    if (news == NULL) {
        sl_fetch_retry(core, position, false);
        return;
    }
    news->position = news->committed = found->offset;
    sl_core_log(core, SL_LOG_INFO, "%s-%d starts at offset %lld, committed by group %s",
                position->name, (int)position->index, (long long)found->offset,
                core->settings->group_id);
    sl_trace_add(&core->trace, SL_TRACE_POSITION, core->now, position->index, found->offset);
    position->offset = position->checked = found->offset;
    set_epoch(position, found->leader_epoch);
    position->state = SL_FETCH_RUNNING;
    position->attempts = 0;
    sl_fetch_place(core, position);
}

/* Where auto.offset.reset points to, or 0: nowhere. */
static int64_t pick_reset_symbol(const struct sl_core *core) {
    switch (core->settings->offset_reset) {
    case SL_RESET_EARLIEST:
        return SL_OFFSET_EARLIEST;
    case SL_RESET_LATEST:
        return SL_OFFSET_LATEST;
    case SL_RESET_NONE:
        return 0;
    default:
        return SL_OFFSET_AT_TIME;
    }
}

/* To where that symbol of the reset policy points, by now. */
static void point_to(const struct sl_core *core, struct sl_fetch_position *position,
                     int64_t symbol) {
    position->offset = symbol;
    if (symbol == SL_OFFSET_AT_TIME)
        position->timestamp_ms = core->wall_ms - core->settings->offset_reset;
}

/* The same for a partition that has not begun: latest would leave records of a new one out. */
static int64_t pick_start_symbol(const struct sl_core *core,
                                 const struct sl_fetch_position *position) {
    int64_t symbol = pick_reset_symbol(core);
    bool is_new = symbol == SL_OFFSET_LATEST && position->topic != NULL &&
                  sl_group_saw_new(core, position->topic, position->index);
    return is_new ? SL_OFFSET_EARLIEST : symbol;
}

/* Sets where to go on: a number, a symbol to look up, or without a group the reset policy in place of
 * COMMITTED (which then, with auto.offset.reset=none, ends in stop_without_offset). */
static void set_offset(struct sl_core *core, struct sl_fetch_position *position, int64_t offset) {
    position->offset = position->checked = offset;
    position->state = offset >= 0 ? SL_FETCH_RUNNING : SL_FETCH_LOOKING;
    position->at_end = false;
    position->attempts = 0;
    position->not_before = 0;
    position->max_bytes = core->settings->fetch_partition_bytes;
    sl_fetch_follower_forget(position);
    if (offset != SL_OFFSET_COMMITTED || core->settings->group_id[0] != '\0') return;
    int64_t symbol = pick_reset_symbol(core);
    if (symbol != 0) point_to(core, position, symbol);
}

static void on_committed_found(struct sl_core *core, struct sl_committed_lookup *lookup,
                               const struct sl_committed_offset *found) {
    struct sl_fetch_position *position = SL_LIST_OF(lookup, struct sl_fetch_position, committed);
    int64_t symbol = pick_start_symbol(core, position);
    if (found->code != 0) {
        sl_fetch_stop(core, position, found->code, "its committed offset could not be had: %s",
                      sl_errors_find(found->code)->text);
    } else if (found->offset >= 0) {
        start_at_committed(core, position, found);
    } else if (symbol == 0) {
        stop_without_offset(core, position);
    } else {
        point_to(core, position, symbol);
        sl_fetch_place(core, position);
    }
}

static void reset_position(struct sl_core *core, struct sl_fetch_position *position, int64_t symbol,
                           int code, const char *why) {
    int64_t offset = position->offset;
    sl_fetch_answer_flush(core);
    /* What came before it was corrupt. */
    if (position->state != SL_FETCH_RUNNING || position->offset != offset) return;
    if (symbol == 0) {
        sl_fetch_stop(core, position, code, "%s, and auto.offset.reset is none: seek to go on",
                      why);
        return;
    }
    sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_WARNING, code, -1,
                   "%s-%d at offset %lld: %s; going to the %s%s", position->name,
                   (int)position->index, (long long)position->offset, why,
                   symbol == SL_OFFSET_EARLIEST ? "beginning"
                   : symbol == SL_OFFSET_LATEST ? "end"
                                                : "time",
                   symbol == pick_reset_symbol(core) ? " by auto.offset.reset" : "");
    set_offset(core, position, symbol);
    point_to(core, position, symbol);
    position->moved = true;
    sl_fetch_place(core, position);
}

void sl_fetch_reset(struct sl_core *core, struct sl_fetch_position *position, int code,
                    const char *why) {
    reset_position(core, position, pick_reset_symbol(core), code, why);
}

/* ---- errors ---- */

enum { FETCH_ERROR_TEXT = 240 };

struct sl_slice *sl_fetch_tell(struct sl_core *core, const struct sl_fetch_position *position,
                               int code, const char *text) {
    size_t size = sizeof(struct sl_fetched) + sizeof(struct sl_slice) + FETCH_ERROR_TEXT;
    struct sl_fetched *fetched = sl_alloc_zero(core->alloc, size);
    if (fetched == NULL) return NULL;
    struct sl_slice *slice = &fetched->slices[0];
    char *prose = (char *)(slice + 1);
    struct sl_text copy;
    sl_text_init(&copy, prose, FETCH_ERROR_TEXT);
    sl_text_put(&copy, text);
    fetched->size = size;
    fetched->slice_count = 1;
    slice->slot = position->slot;
    slice->epoch = position->epoch;
    slice->from = slice->next_offset = position->offset >= 0 ? position->offset : -1;
    slice->moved = position->moved;
    slice->high_watermark = slice->last_stable = slice->end = -1;
    slice->code = code;
    slice->text = prose;
    sl_list_push_back(&core->events.fetched, &fetched->node);
    sl_trace_add(&core->trace, SL_TRACE_FETCH_ERROR, core->now, position->index, code);
    return slice;
}

void sl_fetch_stop_checked(struct sl_core *core, struct sl_fetch_position *position, int code,
                           const char *text) {
    if (sl_fetch_tell(core, position, code, text) == NULL) {
        sl_fetch_retry(core, position, false);
        return;
    }
    position->state = SL_FETCH_STOPPED;
    sl_fetch_place(core, position);
}

void sl_fetch_stop(struct sl_core *core, struct sl_fetch_position *position, int code,
                   const char *format, ...) {
    char buf[FETCH_ERROR_TEXT];
    struct sl_text text;
    va_list args;
    int64_t offset = position->offset;
    sl_fetch_answer_flush(core);
    /* What came before it was corrupt. */
    if (position->state == SL_FETCH_STOPPED || position->offset != offset) return;
    sl_text_init(&text, buf, sizeof buf);
    va_start(args, format);
    sl_text_vprintf(&text, format, args);
    va_end(args);
    sl_fetch_stop_checked(core, position, code, buf);
}

/* ---- orders from the gate ---- */

static void apply_order(struct sl_core *core, struct sl_fetch_position *position,
                        const struct sl_slot_order *order) {
    bool is_new = order->epoch != position->epoch;
    if (!is_new && order->paused == position->paused) return;
    position->paused = order->paused;
    if (is_new) {
        position->epoch = order->epoch;
        position->timestamp_ms = order->timestamp_ms;
        sl_fetch_displace(core, position);
        position->moved = false;
        set_offset(core, position, order->offset);
        set_epoch(position, order->offset_epoch);
    }
    sl_fetch_place(core, position);
}

static bool is_same_partition(const struct sl_fetch_position *position,
                              const struct sl_slot_order *order) {
    return position->index == order->partition && strcmp(position->name, order->topic) == 0;
}

/* The gate's table may be larger than ours; positions that it does not name are dropped. */
static void on_assign(struct sl_core *core, struct sl_command *command) {
    struct sl_fetcher *f = &core->fetcher;
    struct sl_fetch_position **old = f->slots;
    uint32_t old_count = f->slot_count;
    f->slots = command->table;
    f->slot_count = command->table_size;
    command->table = NULL;
    command->table_size = 0;
    for (int32_t i = 0; i < command->slot_count; i++) {
        struct sl_slot_order *order = &command->slots[i];
        struct sl_fetch_position *position = order->slot < old_count ? old[order->slot] : NULL;
        if (position == NULL || !is_same_partition(position, order)) {
            position = order->position;
            order->position = NULL;
            position->name = order->topic;
            order->topic = NULL;
            position->index = order->partition;
            position->slot = order->slot;
            position->epoch = order->epoch - 1; /* so that the order counts as new */
            position->high_watermark = position->last_stable = -1;
        } else {
            old[order->slot] = NULL;
        }
        f->slots[order->slot] = position;
    }
    for (uint32_t i = 0; i < old_count; i++)
        if (old[i] != NULL) drop_position(core, old[i]);
    sl_alloc_free(core->alloc, old, old_count * sizeof *old);
    for (int32_t i = 0; i < command->slot_count; i++)
        apply_order(core, f->slots[command->slots[i].slot], &command->slots[i]);
}

/* The gate took partitions away. While the client closes core need not know them. */
static void on_rebalanced(struct sl_core *core, const struct sl_command *command) {
    struct sl_fetcher *f = &core->fetcher;
    for (int32_t i = 0; i < command->slot_count; i++) {
        const struct sl_slot_order *order = &command->slots[i];
        if (order->slot >= f->slot_count || f->slots[order->slot] == NULL) continue;
        if (!is_same_partition(f->slots[order->slot], order)) continue;
        drop_position(core, f->slots[order->slot]);
        f->slots[order->slot] = NULL;
    }
}

void sl_fetcher_hold(struct sl_core *core, const struct sl_offsets *list) {
    for (int32_t i = 0; i < list->count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        const struct sl_topic *topic =
            sl_map_get(&core->metadata.by_name, entry->topic, strlen(entry->topic));
        if (topic == NULL || entry->partition >= topic->partition_count) continue;
        struct sl_fetch_position *position = topic->partitions[entry->partition]->fetch;
        if (position == NULL || position->paused) continue;
        position->paused = true;
        sl_fetch_place(core, position);
    }
}

void sl_fetcher_on_command(struct sl_core *core, struct sl_command *command) {
    struct sl_fetcher *f = &core->fetcher;
    if (command->kind == SL_COMMAND_REBALANCED) {
        on_rebalanced(core, command);
        return;
    }
    if (command->kind == SL_COMMAND_ASSIGN) {
        on_assign(core, command);
        return;
    }
    for (int32_t i = 0; i < command->slot_count; i++) {
        const struct sl_slot_order *order = &command->slots[i];
        SL_ASSERT(order->slot < f->slot_count && f->slots[order->slot] != NULL);
        apply_order(core, f->slots[order->slot], order);
    }
}

void sl_fetcher_on_returned(struct sl_core *core, int64_t freed) {
    core->fetcher.free_bytes += freed;
}

/* ---- news from metadata ---- */

void sl_fetcher_on_topic(struct sl_core *core, struct sl_topic *topic) {
    (void)topic;
    core->fetcher.homeless_at = core->now;
}

void sl_fetcher_on_leader(struct sl_core *core, struct sl_partition *partition,
                          int32_t old_leader) {
    struct sl_fetch_position *position = partition->fetch;
    (void)old_leader;
    core->fetcher.homeless_at = core->now;
    if (position != NULL) sl_fetch_follower_forget(position);
    if (position == NULL || position->state != SL_FETCH_RUNNING) return;
    position->not_before = 0;
    sl_fetch_place(core, position);
}

void sl_fetcher_on_refused(struct sl_core *core, struct sl_topic *topic, int code) {
    for (uint32_t i = 0; i < core->fetcher.slot_count; i++) {
        struct sl_fetch_position *position = core->fetcher.slots[i];
        if (position == NULL || position->topic != topic) continue;
        if (position->state == SL_FETCH_STOPPED) continue;
        sl_fetch_stop(core, position, code, "%s", sl_errors_find(code)->text);
    }
}

void sl_fetcher_on_recreated(struct sl_core *core, struct sl_topic *topic) {
    for (uint32_t i = 0; i < core->fetcher.slot_count; i++) {
        struct sl_fetch_position *position = core->fetcher.slots[i];
        if (position == NULL || position->topic != topic) continue;
        sl_fetch_displace(core, position);
        position->last_epoch = -1;
        position->high_watermark = position->last_stable = -1;
        if (position->state == SL_FETCH_RUNNING)
            reset_position(core, position, pick_start_symbol(core, position), SLUICE_ERR_NO_OFFSET,
                           "the topic was deleted and created anew");
        else
            sl_fetch_place(core, position);
    }
}

void sl_fetcher_on_broker_gone(struct sl_core *core, struct sl_broker *broker) {
    struct sl_fetch_session *session = broker->fetch_session;
    if (session == NULL) return;
    struct sl_list list;
    sl_list_init(&list);
    sl_list_splice_back(&list, &session->changed);
    sl_list_splice_back(&list, &session->settled);
    for (struct sl_list *node; (node = sl_list_pop_front(&list)) != NULL;) {
        struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
        position->session = NULL;
        position->told = false;
        sl_fetch_await_leader(core, position);
    }
    core->fetcher.homeless_at = core->now;
    sl_fetch_session_free(session);
}

/* ---- turns ---- */

void sl_fetcher_run(struct sl_core *core) {
    enum { CHECK_BYTES = 4 * 1024 * 1024 }; /* about a millisecond's work */
    struct sl_fetcher *f = &core->fetcher;
    sl_fetch_follower_run(core);
    place_homeless(core);
    sl_fetch_answer_check(core, CHECK_BYTES);
    sl_validate_run(core);
    sl_fetch_session_run(core);
    /* The successors of what arrived are queued and leave before it is checked, a turn later. */
    sl_list_splice_back(&f->unchecked, &f->arrived);
}

int64_t sl_fetcher_deadline(const struct sl_core *core) {
    const struct sl_fetcher *f = &core->fetcher;
    if (!sl_list_is_empty(&f->unchecked) || !sl_list_is_empty(&f->doubtful)) return core->now;
    int64_t at = sl_fetch_session_deadline(core);
    if (f->homeless_at < at) at = f->homeless_at;
    return f->leases_at < at ? f->leases_at : at;
}

/* ---- looking inside ---- */

static void check_position(const struct sl_core *core, const struct sl_fetch_position *position) {
    const struct sl_partition *partition = position->partition;
    bool is_looking = position->state == SL_FETCH_LOOKING;
    bool is_listed = sl_list_is_linked(&position->node);
    SL_ASSERT(core->fetcher.slots[position->slot] == position && position->name != NULL);
    SL_ASSERT(partition == NULL || partition->fetch == position);
    SL_ASSERT(partition == NULL || partition->topic == position->topic);
    SL_ASSERT(partition == NULL || partition->index == position->index);
    bool is_looked_up =
        sl_list_is_linked(&position->lookup.node) || sl_list_is_linked(&position->committed.node);
    SL_ASSERT(is_listed != is_looked_up);
    SL_ASSERT(!sl_list_is_linked(&position->lookup.node) ||
              !sl_list_is_linked(&position->committed.node));
    SL_ASSERT(is_listed || is_looking);
    SL_ASSERT(is_looking || position->offset >= 0 || position->state == SL_FETCH_STOPPED);
    SL_ASSERT(position->session == NULL || position->state == SL_FETCH_RUNNING);
    SL_ASSERT(position->session == NULL || (partition != NULL && !position->paused));
    SL_ASSERT(!position->told || position->session != NULL);
    SL_ASSERT(position->session == NULL || position->validation == NULL);
    SL_ASSERT(!position->heard);
    sl_fetch_follower_check(position);
}

static int64_t count_charged(const struct sl_list *list) {
    int64_t charged = 0;
    SL_LIST_EACH(node, next, list)
        charged += SL_LIST_OF(node, const struct sl_fetched, node)->charged;
    return charged;
}

void sl_fetcher_check(const struct sl_core *core) {
    const struct sl_fetcher *f = &core->fetcher;
    int64_t waiting = count_charged(&f->arrived) + count_charged(&f->unchecked);
    for (uint32_t i = 0; i < f->slot_count; i++)
        if (f->slots[i] != NULL) check_position(core, f->slots[i]);
    /* What the gate has is ours to take back only; what it takes beyond that is its own. */
    SL_ASSERT(f->free_bytes + waiting <= core->settings->fetch_memory);
    SL_ASSERT(f->reserved == sl_fetch_session_check(core));
    sl_validate_check(core);
}

void sl_fetcher_dump(const struct sl_core *core, struct sl_text *out) {
    static const char *const states[] = {[SL_FETCH_LOOKING] = "looking",
                                         [SL_FETCH_RUNNING] = "running",
                                         [SL_FETCH_STOPPED] = "stopped"};
    const struct sl_fetcher *f = &core->fetcher;
    sl_text_printf(out, "consumer free=%lldB reserved=%lldB\n", (long long)f->free_bytes,
                   (long long)f->reserved);
    sl_fetch_session_dump(core, out);
    for (uint32_t i = 0; i < f->slot_count; i++) {
        const struct sl_fetch_position *p = f->slots[i];
        if (p == NULL) continue;
        sl_text_printf(out, "position %s-%d %s%s%s offset=%lld epoch=%u session=%d attempts=%u",
                       p->name, (int)p->index, states[p->state], p->paused ? " paused" : "",
                       p->validation != NULL ? " in-doubt" : "", (long long)p->offset, p->epoch,
                       p->session != NULL ? (int)p->session->broker->id : -1, p->attempts);
        sl_text_printf(out, " high_watermark=%lld records=%llu bytes=%llu answers=%llu\n",
                       (long long)p->high_watermark, (unsigned long long)p->records,
                       (unsigned long long)p->bytes, (unsigned long long)p->answers);
    }
}
