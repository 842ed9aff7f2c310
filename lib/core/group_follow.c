/* KIP-848: the broker shares the partitions, the member follows. All is said in heartbeats.
 *
 * A heartbeat says only what changed since the last one that was answered: the subscription, and what
 * is owned once a target is reached (which is the acknowledgement, and leaves at once). After any
 * failure the next one says everything, since the last may have been heard or not. What is on its
 * way out counts as owned until it is committed, so the broker gives it to nobody before.
 *
 * A target names topics by id. Those that metadata does not know yet stay pending: they are asked
 * for, and the target grows when they are known. What is known of it is pursued meanwhile.
 *
 *   code                         what it means here (protocol notes 3.13)
 *   110 FENCED, 25 UNKNOWN       lost; joins at once, with the same id
 *   111 UNRELEASED_INSTANCE_ID   the instance's last life is not over yet: again, for a session
 *   14 15 16, no connection      again
 *   29 TOPIC_AUTHORIZATION       told; again
 *   35, no such API, 69          with group.protocol=auto the classic protocol, else failed
 *   others                       the group has failed */
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

enum { BEAT_VERSION = 1 };

static int fill_beat(struct sl_core *core, struct sl_call *call, int16_t version,
                     struct sl_arena *arena, void *request);
static void on_beat(struct sl_core *core, struct sl_call *call, int rv, const void *response);

void sl_group_follow_init(struct sl_membership *g) {
    g->beat.api = sl_api_find(SL_API_CONSUMER_GROUP_HEARTBEAT);
    g->beat.purpose = SL_PURPOSE_COORDINATOR;
    g->beat.version_low = g->beat.version_high = BEAT_VERSION;
    g->beat.deadline = SL_NEVER;
    g->beat.quiet = true;
    g->beat.fill = fill_beat;
    g->beat.done = on_beat;
}

/* A random id of 128 bits in 22 characters (KIP-1082). */
static int make_member_id(struct sl_core *core) {
    uint8_t bytes[16];
    char id[23];
    if (core->group.member_id_size > 0) return 0;
    sl_bytes_put64(bytes, sl_rng_next(&core->rng));
    sl_bytes_put64(bytes + 8, sl_rng_next(&core->rng));
    sl_text_uuid(bytes, id);
    return sl_group_set_member_id(core, sl_bytes_str(id));
}

/* ---- what a heartbeat says ---- */

/* Adds the partitions of a list, grouped by topic. */
static int list_owned(struct sl_core *core, const struct sl_offsets *list, struct sl_arena *arena,
                      struct sl_consumer_group_heartbeat_topic *topics, int32_t *count) {
    for (int32_t i = 0; i < list->count; i++) {
        const struct sl_offset_entry *entry = &list->entries[i];
        const struct sl_topic *topic =
            sl_map_get(&core->metadata.by_name, entry->topic, strlen(entry->topic));
        if (topic == NULL) continue;
        int32_t at = 0;
        while (at < *count && !sl_bytes_uuid_equal(&topics[at].topic_id, &topic->id)) at++;
        if (at == *count) {
            int32_t *items =
                sl_arena_array(arena, (size_t)topic->partition_count + 1, sizeof *items);
            if (items == NULL) return SLUICE_ERR_NOMEM;
            topics[at].topic_id = topic->id;
            topics[at].partitions = (struct sl_array){items, 0};
            (*count)++;
        }
        if (topics[at].partitions.count >= topic->partition_count) continue;
        int32_t *items = (int32_t *)(uintptr_t)topics[at].partitions.items;
        items[topics[at].partitions.count++] = entry->partition;
    }
    return 0;
}

static int fill_owned(struct sl_core *core, struct sl_arena *arena, struct sl_array *out) {
    const struct sl_membership *g = &core->group;
    bool is_going = g->change == SL_CHANGE_REVOKING || g->change == SL_CHANGE_COMMITTING;
    size_t most = (size_t)g->owned->count + (is_going ? (size_t)g->moving->count : 0);
    struct sl_consumer_group_heartbeat_topic *topics =
        sl_arena_array(arena, most + 1, sizeof *topics);
    int32_t count = 0;
    if (topics == NULL) return SLUICE_ERR_NOMEM;
    int rv = list_owned(core, g->owned, arena, topics, &count);
    if (rv == 0 && is_going) rv = list_owned(core, g->moving, arena, topics, &count);
    *out = (struct sl_array){topics, count};
    return rv;
}

/* Patterns of ours are found anywhere in a name, the broker's match the whole of it. */
static int join_patterns(const struct sl_membership *g, struct sl_arena *arena,
                         struct sl_str *out) {
    size_t size = 16;
    for (int32_t i = 0; i < g->name_count; i++) size += strlen(g->names[i]) + 4;
    char *text = sl_arena_get(arena, size);
    if (text == NULL) return SLUICE_ERR_NOMEM;
    struct sl_text t;
    sl_text_init(&t, text, size);
    sl_text_put(&t, ".*(?:");
    bool is_first = true;
    for (int32_t i = 0; i < g->name_count; i++) {
        if (!sl_group_topics_is_pattern(g->names[i])) continue;
        sl_text_printf(&t, "%s%s", is_first ? "" : "|", g->names[i]);
        is_first = false;
    }
    sl_text_put(&t, ").*");
    *out = sl_bytes_str(text);
    return 0;
}

static int fill_subscription(const struct sl_membership *g, struct sl_arena *arena,
                             struct sl_consumer_group_heartbeat_request *message) {
    struct sl_str *names = sl_arena_array(arena, (size_t)g->name_count + 1, sizeof *names);
    int32_t count = 0;
    if (names == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < g->name_count; i++)
        if (!sl_group_topics_is_pattern(g->names[i])) names[count++] = sl_bytes_str(g->names[i]);
    message->topic_names = (struct sl_array){names, count};
    message->topic_regex = SL_STR("");
    return g->has_patterns ? join_patterns(g, arena, &message->topic_regex) : 0;
}

static struct sl_str text_or_null(const char *text) {
    return text[0] == '\0' ? SL_STR_NULL : sl_bytes_str(text);
}

static int fill_beat(struct sl_core *core, struct sl_call *call, int16_t version,
                     struct sl_arena *arena, void *request) {
    (void)call;
    (void)version;
    struct sl_membership *g = &core->group;
    const struct sl_settings *s = core->settings;
    struct sl_consumer_group_heartbeat_request *message = request;
    bool all = g->must_tell_all;
    int rv = 0;
    g->beat_sent_at = core->now;
    g->beat_owned_serial = g->owned_serial;
    g->beat_names_serial = g->names_serial;
    message->group_id = sl_bytes_str(s->group_id);
    message->member_id = (struct sl_str){g->member_id, (int32_t)g->member_id_size};
    message->member_epoch = g->epoch < 0 ? SL_CONSUMER_GROUP_JOIN : g->epoch;
    message->instance_id = all ? sl_group_instance(core) : SL_STR_NULL;
    message->rack_id = all ? text_or_null(s->client_rack) : SL_STR_NULL;
    message->rebalance_timeout_ms = all ? s->max_poll_interval_ms : -1;
    message->topic_names = (struct sl_array){NULL, -1};
    message->topic_regex = SL_STR_NULL;
    message->assignor = all ? text_or_null(s->group_remote_assignor) : SL_STR_NULL;
    message->owned = (struct sl_array){NULL, -1};
    if (all || g->names_told != g->names_serial) rv = fill_subscription(g, arena, message);
    if (rv == 0 && (all || g->owned_told != g->owned_serial))
        rv = fill_owned(core, arena, &message->owned);
    return rv;
}

/* ---- what is assigned ---- */

static int keep_assignment(struct sl_core *core, const struct sl_array *assignment) {
    struct sl_membership *g = &core->group;
    const struct sl_consumer_group_heartbeat_assignment *one = assignment->items;
    int32_t count = assignment->count == 1 ? one->topics.count : 0;
    const struct sl_consumer_group_heartbeat_topic *topics = count > 0 ? one->topics.items : NULL;
    sl_arena_reset(&g->assigned);
    g->assignment = (struct sl_array){NULL, 0};
    struct sl_consumer_group_heartbeat_topic *kept =
        sl_arena_array(&g->assigned, (size_t)count + 1, sizeof *kept);
    if (kept == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) {
        size_t size = (size_t)topics[i].partitions.count * sizeof(int32_t);
        int32_t *items = sl_arena_get(&g->assigned, size + 1);
        if (items == NULL) return SLUICE_ERR_NOMEM;
        if (size > 0) memcpy(items, topics[i].partitions.items, size);
        kept[i].topic_id = topics[i].topic_id;
        kept[i].partitions = (struct sl_array){items, topics[i].partitions.count};
    }
    g->assignment = (struct sl_array){kept, count};
    return 0;
}

/* The part of the assignment whose topics are known becomes the target. */
static int resolve_assignment(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    const struct sl_consumer_group_heartbeat_topic *topics = g->assignment.items;
    struct sl_offsets *target;
    int rv = sl_offset_list_create(core->alloc, &target);
    if (rv != 0) return rv;
    g->has_unknown = false;
    for (int32_t i = 0; i < g->assignment.count; i++) {
        const struct sl_topic *topic = sl_metadata_find_id(core, &topics[i].topic_id);
        const int32_t *items = topics[i].partitions.items;
        g->has_unknown |= topic == NULL;
        for (int32_t p = 0; topic != NULL && p < topics[i].partitions.count; p++) {
            struct sl_offset_entry *entry = sl_offset_list_put(target, topic->name, items[p]);
            if (entry != NULL) entry->offset = SL_OFFSET_COMMITTED;
        }
    }
    rv = target->failed;
    if (rv == 0)
        sl_group_take_target(core, target);
    else
        sl_offset_list_destroy(target);
    g->must_resolve = rv != 0;
    return rv;
}

bool sl_group_follow_wants_id(const struct sl_core *core, const struct sl_uuid *id) {
    const struct sl_membership *g = &core->group;
    const struct sl_consumer_group_heartbeat_topic *topics = g->assignment.items;
    for (int32_t i = 0; g->has_unknown && i < g->assignment.count; i++)
        if (sl_bytes_uuid_equal(&topics[i].topic_id, id)) return true;
    return false;
}

int32_t sl_group_follow_list_unknown(struct sl_core *core, struct sl_metadata_topic *out) {
    const struct sl_membership *g = &core->group;
    const struct sl_consumer_group_heartbeat_topic *topics = g->assignment.items;
    int32_t count = 0;
    for (int32_t i = 0; g->has_unknown && i < g->assignment.count; i++) {
        if (sl_metadata_find_id(core, &topics[i].topic_id) != NULL) continue;
        if (out != NULL) out[count] = (struct sl_metadata_topic){topics[i].topic_id, SL_STR_NULL};
        count++;
    }
    return count;
}

/* ---- answers ---- */

static void retry_beat(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    g->must_tell_all = true;
    sl_group_back_off(core);
    g->heartbeat_at = g->not_before;
}

static void take_beat(struct sl_core *core,
                      const struct sl_consumer_group_heartbeat_response *answer) {
    struct sl_membership *g = &core->group;
    bool joins = g->epoch < 0;
    if (joins && answer->member_epoch <= 0) { /* it is none of a member */
        retry_beat(core);
        return;
    }
    int32_t interval = answer->interval_ms < 1 ? 1 : answer->interval_ms;
    g->decided = true;
    g->must_tell_all = false;
    g->owned_told = g->beat_owned_serial;
    g->names_told = g->beat_names_serial;
    g->attempts = 0;
    g->instance_since = 0;
    g->beat_interval_ms = interval;
    g->heartbeat_at = core->now + interval * SL_MS;
    if (answer->member_epoch > 0) g->epoch = answer->member_epoch;
    sl_group_on_heard(core, g->beat_sent_at);
    core->stats.group.heartbeats++;
    if (joins) {
        g->wants_join = false;
        sl_core_log(core, SL_LOG_INFO, "group \"%s\": joined at epoch %d as %s (KIP-848)",
                    core->settings->group_id, (int)g->epoch, g->member_id);
        sl_group_set_state(core, SL_GROUP_STABLE);
    }
    if (answer->assignment.count < 0) return;
    int rv = keep_assignment(core, &answer->assignment);
    if (rv == 0) rv = resolve_assignment(core);
    /* Told everything, the broker tells its target again. */
    if (rv != 0) g->must_tell_all = true;
}

static void fall_back(struct sl_core *core, int code) {
    struct sl_membership *g = &core->group;
    if (core->settings->group_protocol != SL_GROUP_PROTOCOL_AUTO || g->epoch >= 0) {
        sl_group_fail(core, code,
                      "the brokers do not share partitions (KIP-848): set "
                      "group.protocol to classic or auto");
        return;
    }
    sl_core_log(core, SL_LOG_INFO,
                "group \"%s\": the coordinator does not offer KIP-848; taking the "
                "classic protocol",
                core->settings->group_id);
    g->is_consumer = false;
    g->decided = true;
    (void)sl_group_set_member_id(core, SL_STR(""));
    g->not_before = 0;
}

static void rejoin(struct sl_core *core, const char *why) {
    sl_group_lose(core, why);
    sl_group_set_state(core, SL_GROUP_JOINING);
    sl_group_want_join(core, false, "%s", why);
}

/* True: the instance's last life may still end. */
static bool awaits_instance(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->instance_since == 0) g->instance_since = core->now;
    return core->now - g->instance_since < core->settings->session_timeout_ms * SL_MS;
}

static void on_beat_refused(struct sl_core *core, int code, struct sl_str why) {
    switch (code) {
    case SLUICE_KAFKA_FENCED_MEMBER_EPOCH:
        rejoin(core, "the coordinator fenced the member");
        return;
    case SLUICE_KAFKA_UNKNOWN_MEMBER_ID:
        rejoin(core, "the coordinator does not know the member");
        return;
    case SLUICE_KAFKA_UNSUPPORTED_VERSION:
    case SLUICE_KAFKA_GROUP_ID_NOT_FOUND:
    case SLUICE_ERR_UNSUPPORTED:
        fall_back(core, code);
        return;
    case SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED:
        sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_ERROR, code, -1, "group \"%s\": %.*s",
                       core->settings->group_id, why.size > 0 ? (int)why.size : 0,
                       why.size > 0 ? why.data : "");
        retry_beat(core);
        return;
    case SLUICE_KAFKA_UNRELEASED_INSTANCE_ID:
        if (awaits_instance(core)) {
            retry_beat(core);
            return;
        }
        break;
    default:
        break;
    }
    if (sl_group_is_elsewhere(core, code) || code < 0 || sl_errors_is_retriable(code)) {
        retry_beat(core);
        return;
    }
    sl_group_fail(core, code, "%s%s%.*s", sl_errors_find(code)->text, why.size > 0 ? ": " : "",
                  why.size > 0 ? (int)why.size : 0, why.size > 0 ? why.data : "");
}

static void on_beat(struct sl_core *core, struct sl_call *call, int rv, const void *response) {
    const struct sl_consumer_group_heartbeat_response *answer = response;
    struct sl_str why = SL_STR_NULL;
    (void)call;
    if (rv == SLUICE_ERR_CLOSED) return;
    if (rv == 0) {
        rv = sl_calls_code(answer->error_code);
        why = answer->error_message;
    }
    if (rv == 0)
        take_beat(core, answer);
    else
        on_beat_refused(core, rv, why);
}

/* ---- leaving ---- */

static int fill_leaving_beat(struct sl_core *core, struct sl_call *call, int16_t version,
                             struct sl_arena *arena, void *request) {
    (void)call;
    (void)version;
    (void)arena;
    struct sl_membership *g = &core->group;
    struct sl_consumer_group_heartbeat_request *message = request;
    bool stays = core->settings->group_instance_id[0] != '\0' &&
                 core->settings->group_leave != SL_GROUP_LEAVE_ALWAYS;
    message->group_id = sl_bytes_str(core->settings->group_id);
    message->member_id = sl_bytes_str(g->leaving_id);
    message->member_epoch = stays ? SL_CONSUMER_GROUP_LEAVE_STATIC : SL_CONSUMER_GROUP_LEAVE;
    message->instance_id = sl_group_instance(core);
    message->rebalance_timeout_ms = -1;
    message->rack_id = message->topic_regex = message->assignor = SL_STR_NULL;
    message->topic_names = message->owned = (struct sl_array){NULL, -1};
    return 0;
}

static void on_beat_left(struct sl_core *core, struct sl_call *call, int rv, const void *response) {
    (void)call;
    (void)rv;
    (void)response;
    sl_group_on_left(core);
}

void sl_group_follow_leave(struct sl_core *core, const char *why) {
    struct sl_membership *g = &core->group;
    int rv;
    (void)why; /* there is no field for it */
    int32_t broker =
        sl_coordinators_find(core, SL_COORDINATOR_GROUP, core->settings->group_id, &rv);
    if (broker < 0 || g->epoch < 0 || g->leave.active) return;
    if (core->settings->group_leave == SL_GROUP_LEAVE_NEVER &&
        core->settings->group_instance_id[0] == '\0')
        return;
    memcpy(g->leaving_id, g->member_id, g->member_id_size + 1);
    g->leave.api = g->beat.api;
    g->leave.version_low = g->leave.version_high = BEAT_VERSION;
    g->leave.fill = fill_leaving_beat;
    g->leave.done = on_beat_left;
    g->leave.broker = broker;
    sl_calls_start(core, &g->leave);
}

/* ---- turns ---- */

/* What is owned is another than the broker knows, which waits to hear it: also while the application
 * is asked about partitions that came. */
static bool must_acknowledge(const struct sl_membership *g) {
    bool is_free = g->change == SL_CHANGE_NONE || g->change == SL_CHANGE_ASSIGNING;
    return g->owned_told != g->owned_serial && is_free;
}

void sl_group_follow_run(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->must_resolve) (void)resolve_assignment(core);
    if (g->has_unknown) sl_metadata_refresh(core, NULL);
    if (g->beat.active || g->not_before > core->now) return;
    bool is_due = g->state == SL_GROUP_JOINING || g->heartbeat_at <= core->now ||
                  must_acknowledge(g) || g->names_told != g->names_serial;
    if (g->wants_leave) is_due = g->epoch >= 0 && g->heartbeat_at <= core->now;
    if (!is_due || make_member_id(core) != 0) return;
    int32_t broker = sl_group_find_coordinator(core);
    if (broker < 0 || g->state == SL_GROUP_IDLE) return;
    g->beat.broker = broker;
    sl_calls_start(core, &g->beat);
}
