/* Look-ups of committed offsets. One request is under way; all that wait go together in the next,
 * so that an assignment of a thousand partitions is one request:
 *
 *   waiting ── coordinator known ──▶ asked ── answer ──▶ found (on_found), or back to waiting
 *
 * It asks for stable offsets: while a transaction may still change one, the broker says so and is
 * asked again. Nothing leaves while offsets of partitions that were given up are being committed:
 * whoever takes such a partition back begins there and not before. A partition that the answer
 * leaves out has no offset.
 *
 * What passes by itself, and what membership has to settle first, is asked again without limit; who
 * waits has a deadline of their own.
 *
 * Topics are named by id under the same conditions as in commits (committer_send.c).
 *
 * Not here: what happens without an offset (fetcher.c). */
#include "core/committed.h"

#include <string.h>

#include "core/group.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

enum { FETCH_GROUPS_SINCE = 8, FETCH_MEMBER_SINCE = 9, FETCH_OFFSETS_BY_ID_SINCE = 10 };

void sl_committed_init(struct sl_committed *c, struct sl_core *core) {
    c->core = core;
    sl_list_init(&c->waiting);
    sl_list_init(&c->asked);
    sl_partition_index_init(&c->index, core->alloc);
}

static void forget_request(struct sl_committed *c) {
    sl_partition_index_deinit(&c->index);
    sl_alloc_free(c->core->alloc, c->found, (size_t)c->found_cap * sizeof *c->found);
    c->found = NULL;
    c->found_cap = 0;
}

void sl_committed_deinit(struct sl_committed *c) {
    sl_calls_cancel(c->core, &c->call);
    forget_request(c);
    while (sl_list_pop_front(&c->waiting) != NULL) {
    }
    while (sl_list_pop_front(&c->asked) != NULL) {
    }
}

void sl_committed_look_up(struct sl_core *core, struct sl_committed_lookup *lookup) {
    sl_list_remove(&lookup->node);
    lookup->why = 0;
    sl_list_push_back(&core->committed.waiting, &lookup->node);
}

void sl_committed_forget(struct sl_core *core, struct sl_committed_lookup *lookup) {
    (void)core;
    sl_list_remove(&lookup->node);
}

/* ---- the request ---- */

/* Numbers the partitions; two look-ups of one share its number. 0 or NOMEM. */
static int index_lookups(struct sl_committed *c) {
    int64_t most = 0;
    forget_request(c);
    SL_LIST_EACH(node, next, &c->asked) most++;
    if (most == 0) return SLUICE_ERR_STALE; /* forgotten meanwhile */
    int rv = sl_partition_index_reserve(&c->index, most);
    if (rv != 0) return rv;
    c->found = sl_alloc_array(c->core->alloc, (size_t)most, sizeof *c->found);
    if (c->found == NULL) return SLUICE_ERR_NOMEM;
    c->found_cap = (int32_t)most;
    SL_LIST_EACH(node, next, &c->asked) {
        struct sl_committed_lookup *lookup = SL_LIST_OF(node, struct sl_committed_lookup, node);
        rv = sl_partition_index_add(&c->index, lookup->name, lookup->partition, &lookup->at);
        if (rv != 0) return rv;
        c->found[lookup->at] =
            (struct sl_committed_offset){.offset = -1, .leader_epoch = -1, .metadata = SL_STR_NULL};
    }
    sl_partition_index_order(&c->index);
    return 0;
}

static struct sl_array list_fetch_topics(const struct sl_partition_index *index,
                                         struct sl_arena *arena) {
    struct sl_offset_fetch_topic *topics =
        sl_arena_array(arena, (size_t)index->group_count, sizeof *topics);
    int32_t *partitions = sl_arena_array(arena, (size_t)index->count, sizeof *partitions);
    if (topics == NULL || partitions == NULL) return (struct sl_array){NULL, 0};
    for (int32_t i = 0; i < index->group_count; i++) {
        const struct sl_partition_group *group = &index->groups[i];
        topics[i].name = sl_bytes_str(group->name);
        topics[i].topic_id = group->id;
        topics[i].partitions = (struct sl_array){&partitions[group->first], group->count};
    }
    for (int32_t i = 0; i < index->count; i++)
        partitions[index->entries[i].place] = index->entries[i].partition;
    return (struct sl_array){topics, index->group_count};
}

static int fill_committed(struct sl_core *core, struct sl_call *call, int16_t version,
                          struct sl_arena *arena, void *message) {
    struct sl_committed *c = &core->committed;
    struct sl_offset_fetch_request *m = message;
    struct sl_group_identity who;
    (void)call;
    int rv = index_lookups(c);
    if (rv == 0 && version >= FETCH_OFFSETS_BY_ID_SINCE) rv = sl_metadata_identify(core, &c->index);
    if (rv != 0) return rv;
    sl_group_identity(core, &who);
    c->asked_epoch = who.epoch;
    m->require_stable = true;
    struct sl_array topics = list_fetch_topics(&c->index, arena);
    if (version < FETCH_GROUPS_SINCE) {
        m->group_id = sl_bytes_str(who.group_id);
        m->topics = topics;
        return 0;
    }
    struct sl_offset_fetch_group *group = sl_arena_array(arena, 1, sizeof *group);
    if (group == NULL) return SLUICE_ERR_NOMEM;
    bool is_member = who.is_consumer && version >= FETCH_MEMBER_SINCE && who.epoch >= 0;
    *group = (struct sl_offset_fetch_group){.group_id = sl_bytes_str(who.group_id),
                                            .member_id = is_member ? sl_bytes_str(who.member_id)
                                                                   : SL_STR_NULL,
                                            .member_epoch = is_member ? who.epoch : -1,
                                            .topics = topics};
    m->groups = (struct sl_array){group, 1};
    return 0;
}

/* ---- the answer ---- */

static void take_fetched_topics(struct sl_committed *c, struct sl_array topics, bool by_id) {
    for (int32_t t = 0; t < topics.count; t++) {
        const struct sl_offset_fetch_topic_response *topic =
            (const struct sl_offset_fetch_topic_response *)topics.items + t;
        const struct sl_offset_fetch_partition_response *p = topic->partitions.items;
        struct sl_str name =
            by_id ? sl_partition_index_name(&c->index, &topic->topic_id) : topic->name;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            int32_t at = sl_partition_index_find(&c->index, name, p[i].partition);
            if (at < 0) continue;
            if (p[i].error_code == SLUICE_KAFKA_UNKNOWN_TOPIC_ID)
                sl_metadata_doubt_id(c->core, name);
            c->found[at] =
                (struct sl_committed_offset){.offset = p[i].offset >= 0 ? p[i].offset : -1,
                                             .leader_epoch = p[i].leader_epoch,
                                             .metadata = p[i].metadata,
                                             .code = sl_calls_code(p[i].error_code)};
        }
    }
}

/* The code of the answer as a whole. */
static int take_fetched(struct sl_committed *c, const struct sl_offset_fetch_response *m,
                        int16_t version) {
    if (version < FETCH_GROUPS_SINCE) {
        take_fetched_topics(c, m->topics, false);
        return sl_calls_code(m->error_code);
    }
    if (m->groups.count != 1) return SLUICE_ERR_MALFORMED;
    const struct sl_offset_fetch_group_response *group = m->groups.items;
    take_fetched_topics(c, group->topics, version >= FETCH_OFFSETS_BY_ID_SINCE);
    return sl_calls_code(group->error_code);
}

static bool is_elsewhere(int code) {
    return code == SLUICE_KAFKA_NOT_COORDINATOR || code == SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE ||
           code == SLUICE_ERR_UNREACHABLE || code == SLUICE_ERR_TIMEOUT;
}

/* Membership settles it, and then the question may be asked again. */
static bool is_of_membership(int code) {
    return code == SLUICE_KAFKA_ILLEGAL_GENERATION || code == SLUICE_KAFKA_UNKNOWN_MEMBER_ID ||
           code == SLUICE_KAFKA_REBALANCE_IN_PROGRESS || code == SLUICE_KAFKA_STALE_MEMBER_EPOCH ||
           code == SLUICE_KAFKA_FENCED_MEMBER_EPOCH;
}

static bool is_asked_again(int code) {
    if (code < 0) return code != SLUICE_ERR_UNSUPPORTED;
    return code != 0 && (sl_errors_is_retriable(code) || is_of_membership(code));
}

static void on_committed_answered(struct sl_core *core, struct sl_call *call, int rv,
                                  const void *response) {
    struct sl_committed *c = &core->committed;
    struct sl_list asked;
    bool again = false;
    sl_list_init(&asked);
    if (rv == 0) rv = take_fetched(c, response, call->version);
    sl_list_splice_back(&asked, &c->asked);
    if (rv == SLUICE_ERR_CLOSED) {
        sl_list_splice_back(&c->waiting, &asked);
        forget_request(c);
        return;
    }
    if (is_elsewhere(rv))
        sl_coordinators_forget(core, SL_COORDINATOR_GROUP, core->settings->group_id);
    if (is_of_membership(rv)) sl_group_on_refused(core, rv, c->asked_epoch);
    for (struct sl_list *node; (node = sl_list_pop_front(&asked)) != NULL;) {
        struct sl_committed_lookup *lookup = SL_LIST_OF(node, struct sl_committed_lookup, node);
        struct sl_committed_offset found = {.offset = -1, .leader_epoch = -1, .code = rv};
        if (rv == 0) found = c->found[lookup->at];
        if (is_asked_again(found.code)) {
            again = true;
            lookup->why = found.code;
            sl_list_push_back(&c->waiting, node);
        } else {
            lookup->on_found(core, lookup, &found);
        }
    }
    forget_request(c);
    if (again) {
        sl_calls_back_off(core, call);
    } else {
        call->attempts = 0;
        call->not_before = 0;
    }
}

/* ---- turns ---- */

/* Metadata knows the ids of all topics that are asked for. */
static bool are_lookups_identified(const struct sl_core *core) {
    const char *last = "";
    SL_LIST_EACH(node, next, &core->committed.asked) {
        const char *name = SL_LIST_OF(node, const struct sl_committed_lookup, node)->name;
        if (strcmp(name, last) != 0 && sl_metadata_id(core, name) == NULL) return false;
        last = name;
    }
    return true;
}

void sl_committed_run(struct sl_core *core) {
    struct sl_committed *c = &core->committed;
    struct sl_call *call = &c->call;
    int rv;
    if (call->active || sl_list_is_empty(&c->waiting) || call->not_before > core->now) return;
    if (sl_committer_is_saving(core)) return;
    call->api = sl_api_find(SL_API_OFFSET_FETCH);
    int32_t broker =
        sl_coordinators_find(core, SL_COORDINATOR_GROUP, core->settings->group_id, &rv);
    if (broker < 0 && rv == 0) return;
    if (broker < 0 && rv == SLUICE_ERR_NOMEM) {
        sl_calls_back_off(core, call);
        return;
    }
    sl_list_splice_back(&c->asked, &c->waiting);
    if (broker < 0) {
        on_committed_answered(core, call, rv, NULL);
        return;
    }
    call->broker = broker;
    call->purpose = SL_PURPOSE_COORDINATOR;
    call->deadline = SL_NEVER;
    call->version_low = call->api->client_min;
    call->version_high =
        are_lookups_identified(core) ? call->api->client_max : FETCH_OFFSETS_BY_ID_SINCE - 1;
    call->fill = fill_committed;
    call->done = on_committed_answered;
    sl_calls_start(core, call);
}

int64_t sl_committed_deadline(const struct sl_core *core) {
    const struct sl_committed *c = &core->committed;
    bool backs_off = c->call.not_before > core->now && !c->call.active;
    return backs_off && !sl_list_is_empty(&c->waiting) ? c->call.not_before : SL_NEVER;
}
