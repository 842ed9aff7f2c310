/* Logs that were cut (KIP-320). A leader that is elected out of those that lag behind makes its own
 * log the truth: records that were read are gone, and others get their offsets. Read on by offsets
 * alone, the partition would go on somewhere in the new ones, and nobody would know.
 *
 * So a position carries the leader epoch of the record before it, and the epoch of the leader that was
 * last known to have that record. When another epoch leads, or when the position is somebody's word
 * (committed, sought), it is in doubt, and not fetched from: the leader is asked where that epoch ends
 * in its log (OffsetForLeaderEpoch). One request per leader and turn asks about all that are in
 * doubt.
 *
 *   in doubt ──▶ in a request ──▶ the epoch ends there or later: fetched from
 *                     │      ╲──▶ it ends before, or the leader never had it: back to where the log
 *                     │           was cut; the gate decides who has to know (gate_cut.c)
 *                     ╰── an error, no answer ──▶ a back-off, then again
 *
 * A leader does not cut what was written under its own epoch, so a position of that epoch is not in
 * doubt. One of a later epoch than the leader's says that what we know of leaders is out of date; only
 * when metadata goes on saying so the leader is asked all the same. No error moves a position.
 *
 * Not done here: brokers before 2.4 tell no epochs that can be trusted, or lack the request as
 * consumers may send it; then nothing is in doubt, and a position behind the end is out of range. And
 * where no epoch is known of what was read before (a position sought without one), there is nothing to
 * compare. */
#include "core/fetch.h"
#include "core/plant.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

enum {
    VALIDATE_SINCE = 3, /* before, only replicas may ask */
    VALIDATE_WAITS = 6  /* for metadata that knows a later leader: some seconds */
};

struct sl_validation {
    struct sl_list node; /* fetcher.validations */
    struct sl_call call;
    struct sl_list positions; /* that it asks about, and that still want to know */
};

static void free_validation(struct sl_core *core, struct sl_validation *validation) {
    sl_list_remove(&validation->node);
    sl_alloc_free(core->alloc, validation, sizeof *validation);
}

/* The positions are gone already. */
void sl_validate_deinit(struct sl_fetcher *f) {
    SL_LIST_EACH(node, next, &f->validations) {
        struct sl_validation *validation = SL_LIST_OF(node, struct sl_validation, node);
        SL_ASSERT(sl_list_is_empty(&validation->positions));
        sl_calls_cancel(f->core, &validation->call);
        free_validation(f->core, validation);
    }
}

/* ---- positions ---- */

bool sl_validate_is_due(const struct sl_fetch_position *position) {
    int32_t leads = position->partition->leader_epoch;
    bool is_known = position->last_epoch >= 0 && leads >= 0 && !SL_PLANTED(9);
    return is_known && position->last_epoch != leads && position->valid_epoch != leads;
}

void sl_validate_begin(struct sl_core *core, struct sl_fetch_position *position) {
    sl_list_push_back(&core->fetcher.doubtful, &position->node);
}

void sl_validate_on_moved(struct sl_fetch_position *position, int32_t last_epoch,
                          int64_t epoch_from) {
    int32_t leads = position->partition->leader_epoch;
    position->last_epoch = leads >= 0 && last_epoch > leads ? -1 : last_epoch; /* no such epoch */
    position->epoch_from = epoch_from;
    position->epoch_waits = 0;
    /* A follower may have still to cut its own log. */
    if (position->session->broker->id == position->partition->leader) position->valid_epoch = leads;
}

/* The leader has what was read. */
static void end_doubt(struct sl_core *core, struct sl_fetch_position *position) {
    position->valid_epoch = position->partition->leader_epoch;
    position->attempts = 0;
    position->epoch_waits = 0;
    sl_fetch_place(core, position);
}

/* Goes on at `offset`, before where it is; the record before that is of this leader epoch. It is said
 * in order, behind all that was fetched before. */
static void go_back(struct sl_core *core, struct sl_fetch_position *position, int64_t offset,
                    int32_t epoch) {
    bool may_go_on = core->settings->offset_reset != SL_RESET_NONE;
    int64_t was_at = position->offset;
    sl_fetch_answer_flush(core);
    if (position->state != SL_FETCH_RUNNING) return; /* what came before it was corrupt */
    struct sl_slice *slice =
        sl_fetch_tell(core, position, may_go_on ? 0 : SLUICE_ERR_TRUNCATED,
                      "the log was cut here, and what was read from here on is gone from it: seek "
                      "to go on");
    if (slice == NULL) {
        sl_fetch_retry(core, position, false);
        return;
    }
    slice->is_cut = slice->moved = true;
    slice->from = slice->next_offset = offset;
    if (may_go_on)
        sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_WARNING, SLUICE_ERR_TRUNCATED, -1,
                       "%s-%d at offset %lld: the log was cut at offset %lld; going on there",
                       position->name, (int)position->index, (long long)was_at, (long long)offset);
    position->offset = position->checked = position->epoch_from = offset;
    position->last_epoch = epoch;
    position->moved = true;
    position->at_end = false;
    end_doubt(core, position);
}

bool sl_validate_judge(struct sl_core *core, struct sl_fetch_position *position, int32_t epoch,
                       int64_t end_offset) {
    int64_t at = end_offset;
    /* A leader that never had the epoch has nothing of what was read under it. */
    if (epoch < position->last_epoch && position->epoch_from < at) at = position->epoch_from;
    if (at >= position->offset) return false;
    go_back(core, position, at, epoch);
    return true;
}

static void judge_answer(struct sl_core *core, struct sl_fetch_position *position,
                         const struct sl_offset_for_leader_epoch_partition_response *p) {
    int code = sl_calls_code(p->error_code);
    if (code == SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED)
        sl_fetch_stop(core, position, code, "%s", sl_errors_find(code)->text);
    else if (code != 0 || p->leader_epoch > position->last_epoch)
        sl_fetch_retry(core, position, true);
    else if (p->leader_epoch < 0 || p->end_offset < 0)
        sl_fetch_reset(core, position, SLUICE_ERR_TRUNCATED,
                       "the log was cut, and its leader has nothing of what was read");
    else if (!sl_validate_judge(core, position, p->leader_epoch, p->end_offset))
        end_doubt(core, position);
}

/* ---- requests ---- */

static int fill_validation(struct sl_core *core, struct sl_call *call, int16_t version,
                           struct sl_arena *arena, void *message) {
    struct sl_validation *validation = call->owner;
    struct sl_offset_for_leader_epoch_request *m = message;
    size_t count = 0;
    (void)core;
    (void)version;
    SL_LIST_EACH(node, next, &validation->positions) count++;
    if (count == 0) return SLUICE_ERR_STALE; /* nobody wants to know any more */
    struct sl_offset_for_leader_epoch_topic *topics = sl_arena_array(arena, count, sizeof *topics);
    struct sl_offset_for_leader_epoch_partition *partitions =
        sl_arena_array(arena, count, sizeof *partitions);
    if (arena->failed) return SLUICE_ERR_NOMEM;
    const struct sl_topic *last = NULL;
    int32_t topic_count = 0;
    int32_t i = 0;
    SL_LIST_EACH(node, next, &validation->positions) {
        const struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
        if (position->topic != last) {
            last = position->topic;
            topics[topic_count].name = last->name_str;
            topics[topic_count++].partitions = (struct sl_array){&partitions[i], 0};
        }
        topics[topic_count - 1].partitions.count++;
        partitions[i].partition = position->index;
        partitions[i].current_leader_epoch = position->partition->leader_epoch;
        partitions[i++].leader_epoch = position->last_epoch;
    }
    m->replica_id = -1;
    m->topics = (struct sl_array){topics, topic_count};
    return 0;
}

/* The position that an entry is about, if it is still in this request. */
static struct sl_fetch_position *find_doubtful(struct sl_core *core,
                                               const struct sl_validation *validation,
                                               struct sl_str name, int32_t index) {
    if (name.size <= 0) return NULL;
    const struct sl_topic *topic =
        sl_map_get(&core->metadata.by_name, name.data, (size_t)name.size);
    if (topic == NULL || index < 0 || index >= topic->partition_count) return NULL;
    struct sl_fetch_position *position = topic->partitions[index]->fetch;
    return position != NULL && position->validation == validation ? position : NULL;
}

static void read_validation(struct sl_core *core, const struct sl_validation *validation,
                            const struct sl_offset_for_leader_epoch_response *m) {
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_offset_for_leader_epoch_topic_response *topic =
            (const struct sl_offset_for_leader_epoch_topic_response *)m->topics.items + t;
        const struct sl_offset_for_leader_epoch_partition_response *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            struct sl_fetch_position *position =
                find_doubtful(core, validation, topic->name, p[i].partition);
            if (position != NULL) judge_answer(core, position, &p[i]);
        }
    }
}

static void on_validated(struct sl_core *core, struct sl_call *call, int rv, const void *response) {
    struct sl_validation *validation = call->owner;
    struct sl_list *node;
    if (rv == 0) read_validation(core, validation, response);
    while ((node = sl_list_peek(&validation->positions)) != NULL) { /* no answer for these */
        struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
        if (rv == SLUICE_ERR_UNSUPPORTED) {
            end_doubt(core, position);
        } else if (rv == SLUICE_ERR_CLOSED) {
            sl_fetch_displace(core, position);
            sl_validate_begin(core, position);
        } else {
            sl_fetch_retry(core, position,
                           rv == SLUICE_ERR_UNREACHABLE || rv == SLUICE_ERR_TIMEOUT);
        }
    }
    free_validation(core, validation);
}

/* The request of this turn for a leader, made when there is none. NULL: out of memory. */
static struct sl_validation *open_validation(struct sl_core *core, struct sl_list *opened,
                                             int32_t leader) {
    SL_LIST_EACH(node, next, opened) {
        struct sl_validation *validation = SL_LIST_OF(node, struct sl_validation, node);
        if (validation->call.broker == leader) return validation;
    }
    struct sl_validation *validation = sl_alloc_zero(core->alloc, sizeof *validation);
    if (validation == NULL) return NULL;
    sl_list_init(&validation->positions);
    struct sl_call *call = &validation->call;
    call->api = sl_api_find(SL_API_OFFSET_FOR_LEADER_EPOCH);
    call->broker = leader;
    call->version_low = VALIDATE_SINCE;
    call->version_high = call->api->client_max;
    call->quiet = true;
    call->deadline = SL_NEVER;
    call->fill = fill_validation;
    call->done = on_validated;
    call->owner = validation;
    sl_list_push_back(opened, &validation->node);
    return validation;
}

/* Somebody knew a later leader than we do: metadata is asked for it first. */
static bool has_to_wait(struct sl_fetch_position *position) {
    bool is_behind = position->partition->leader_epoch < position->last_epoch;
    return is_behind && position->epoch_waits++ < VALIDATE_WAITS;
}

void sl_validate_run(struct sl_core *core) {
    struct sl_fetcher *f = &core->fetcher;
    struct sl_list list, opened;
    struct sl_list *node;
    if (sl_list_is_empty(&f->doubtful)) return;
    sl_list_init(&list);
    sl_list_init(&opened);
    sl_list_splice_back(&list, &f->doubtful);
    while ((node = sl_list_pop_front(&list)) != NULL) {
        struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
        bool waits = has_to_wait(position);
        struct sl_validation *validation =
            waits ? NULL : open_validation(core, &opened, position->partition->leader);
        if (validation == NULL) {
            sl_fetch_retry(core, position, waits);
            continue;
        }
        sl_list_push_back(&validation->positions, &position->node);
        position->validation = validation;
    }
    while ((node = sl_list_pop_front(&opened)) != NULL) {
        struct sl_validation *validation = SL_LIST_OF(node, struct sl_validation, node);
        sl_list_push_back(&f->validations, &validation->node);
        sl_calls_start(core, &validation->call);
    }
}

/* ---- looking inside ---- */

void sl_validate_check(const struct sl_core *core) {
    SL_LIST_EACH(node, next, &core->fetcher.doubtful) {
        const struct sl_fetch_position *position =
            SL_LIST_OF(node, const struct sl_fetch_position, node);
        SL_ASSERT(position->session == NULL && position->validation == NULL);
    }
    SL_LIST_EACH(node, next, &core->fetcher.validations) {
        const struct sl_validation *validation = SL_LIST_OF(node, const struct sl_validation, node);
        SL_ASSERT(validation->call.active);
        SL_LIST_EACH(at, after, &validation->positions) {
            const struct sl_fetch_position *position =
                SL_LIST_OF(at, const struct sl_fetch_position, node);
            SL_ASSERT(position->validation == validation && position->session == NULL);
            SL_ASSERT(position->state == SL_FETCH_RUNNING && !position->paused);
        }
    }
}
