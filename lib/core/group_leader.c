/* The leader's part of the classic protocol, and the bytes that consumers exchange through it.
 *
 * What JoinGroup says of the members is copied, since metadata may have to be asked for first: every
 * topic that any member reads is waited for until metadata has spoken of it, or for too long. A
 * member whose bytes make no sense gets nothing, and the group goes on without it.
 *
 * The leader remembers how many partitions each of these topics had (watch), and by which racks they
 * were shared (group_racks.c). When that changes, it joins again, and the partitions are shared anew; a leader that was told not to assign (KIP-814)
 * does so too. */
#include <string.h>

#include "core/assignor.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "wire/consumer_protocol.h"
#include "wire/messages.h"

/* ---- lists ---- */

static int compare_entries(const struct sl_offset_entry *a, const struct sl_offset_entry *b) {
    int order = strcmp(a->topic, b->topic);
    if (order != 0) return order;
    return (a->partition > b->partition) - (a->partition < b->partition);
}

/* Pointers to the entries of a list, by topic and partition. Lists arrive nearly in order. */
static const struct sl_offset_entry **sort_entries(const struct sl_offsets *list,
                                                   struct sl_arena *arena) {
    const struct sl_offset_entry **sorted =
        sl_arena_array(arena, (size_t)list->count + 1, sizeof *sorted);
    for (int32_t i = 0; sorted != NULL && i < list->count; i++) {
        int32_t at = i;
        for (; at > 0 && compare_entries(sorted[at - 1], &list->entries[i]) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &list->entries[i];
    }
    return sorted;
}

/* A list as consumers write it: by topic. */
static int group_by_topic(const struct sl_offsets *list, struct sl_arena *arena,
                          struct sl_array *out) {
    const struct sl_offset_entry **sorted = sort_entries(list, arena);
    struct sl_consumer_partitions *topics =
        sl_arena_array(arena, (size_t)list->count + 1, sizeof *topics);
    int32_t *numbers = sl_arena_array(arena, (size_t)list->count + 1, sizeof *numbers);
    if (sorted == NULL || topics == NULL || numbers == NULL) return SLUICE_ERR_NOMEM;
    int32_t count = 0;
    for (int32_t i = 0; i < list->count; i++) {
        bool is_new = i == 0 || strcmp(sorted[i - 1]->topic, sorted[i]->topic) != 0;
        if (is_new) {
            topics[count].topic = sl_bytes_str(sorted[i]->topic);
            topics[count++].partitions = (struct sl_array){&numbers[i], 0};
        }
        numbers[i] = sorted[i]->partition;
        topics[count - 1].partitions.count++;
    }
    *out = (struct sl_array){topics, count};
    return 0;
}

/* ---- what a member says of itself ---- */

static int list_subscribed(const struct sl_membership *g, struct sl_arena *arena,
                           struct sl_array *out) {
    struct sl_str *names = sl_arena_array(arena, (size_t)g->topic_count + 1, sizeof *names);
    if (names == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < g->topic_count; i++) {
        int32_t at = i;
        for (; at > 0 && strcmp(names[at - 1].data, g->topics[i]->name) > 0; at--)
            names[at] = names[at - 1];
        names[at] = g->topics[i]->name_str;
    }
    *out = (struct sl_array){names, g->topic_count};
    return 0;
}

/* The bytes of the writer, which is emptied, in the arena. */
static int move_to_arena(struct sl_writer *writer, struct sl_arena *arena, struct sl_bytes *out) {
    uint8_t *copy = sl_arena_get(arena, writer->size + 1);
    if (copy != NULL && writer->size > 0) memcpy(copy, writer->data, writer->size);
    *out = (struct sl_bytes){copy, (int32_t)writer->size};
    sl_writer_deinit(writer);
    return copy == NULL ? SLUICE_ERR_NOMEM : 0;
}

int sl_group_leader_subscription(struct sl_core *core, const struct sl_assignor *assignor,
                                 struct sl_arena *arena, struct sl_bytes *out) {
    struct sl_membership *g = &core->group;
    const char *rack = core->settings->client_rack;
    bool keeps = sl_assignor_is_cooperative(assignor);
    struct sl_assignor_member member = {
        .id = SL_STR(""),
        .instance_id = SL_STR_NULL,
        .rack_id = rack[0] == '\0' ? SL_STR_NULL : sl_bytes_str(rack),
        .generation = g->owned_epoch,
    };
    int rv = list_subscribed(g, arena, &member.topics);
    if (rv == 0)
        rv = group_by_topic(keeps || g->had == NULL ? g->owned : g->had, arena, &member.owned);
    if (rv != 0) return rv;
    struct sl_writer writer;
    sl_writer_init(&writer, core->alloc);
    rv = sl_assignor_write_member(assignor, &member, arena, &writer);
    int move_rv = move_to_arena(&writer, arena, out);
    return rv != 0 ? rv : move_rv;
}

/* ---- what the leader is told ---- */

static struct sl_str copy_str(struct sl_arena *arena, struct sl_str text) {
    if (text.size <= 0) return text;
    char *copy = sl_arena_get(arena, (size_t)text.size);
    if (copy != NULL) memcpy(copy, text.data, (size_t)text.size);
    return (struct sl_str){copy, text.size};
}

static int watch_topic(struct sl_core *core, struct sl_str name) {
    struct sl_membership *g = &core->group;
    char text[250]; /* Kafka's limit of topic names, and the NUL */
    if (name.size <= 0 || (size_t)name.size >= sizeof text ||
        memchr(name.data, 0, (size_t)name.size) != NULL)
        return 0; /* no topic has such a name */
    memcpy(text, name.data, (size_t)name.size);
    text[name.size] = '\0';
    struct sl_topic *topic = sl_metadata_topic(core, text);
    if (topic == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < g->watch_count; i++)
        if (g->watch[i].topic == topic) return 0;
    struct sl_group_watch *grown = sl_alloc_resize(core->alloc, g->watch, (size_t)g->watch_count,
                                                   (size_t)g->watch_count + 1, sizeof *grown);
    if (grown == NULL) return SLUICE_ERR_NOMEM;
    g->watch = grown;
    g->watch[g->watch_count++] = (struct sl_group_watch){.topic = topic};
    return 0;
}

static int take_member(struct sl_core *core, const struct sl_join_group_member *from,
                       struct sl_assignor_member *to) {
    struct sl_membership *g = &core->group;
    struct sl_bytes metadata = from->metadata;
    if (metadata.size > 0) {
        uint8_t *copy = sl_arena_get(&g->members, (size_t)metadata.size);
        if (copy == NULL) return SLUICE_ERR_NOMEM;
        memcpy(copy, from->metadata.data, (size_t)metadata.size);
        metadata.data = copy;
    }
    memset(to, 0, sizeof *to);
    int rv = sl_assignor_read_member(g->assignor, metadata, &g->members, to);
    if (rv == SLUICE_ERR_MALFORMED) {
        sl_core_log(core, SL_LOG_WARNING,
                    "group \"%s\": what member %.*s subscribes to cannot be read: it gets nothing",
                    core->settings->group_id, from->member_id.size > 0 ? from->member_id.size : 0,
                    from->member_id.data);
        memset(to, 0, sizeof *to);
        rv = 0;
    }
    to->id = copy_str(&g->members, from->member_id);
    to->instance_id = copy_str(&g->members, from->instance_id);
    const struct sl_str *topics = to->topics.items;
    for (int32_t i = 0; rv == 0 && i < to->topics.count; i++) rv = watch_topic(core, topics[i]);
    return g->members.failed ? SLUICE_ERR_NOMEM : rv;
}

/* A member that is listed twice would have two shares, of which the broker gives it the last. */
static int take_members(struct sl_core *core, const struct sl_array *members) {
    struct sl_membership *g = &core->group;
    const struct sl_join_group_member *from = members->items;
    struct sl_assignor_member *own =
        sl_arena_array(&g->members, (size_t)members->count + 1, sizeof *own);
    if (own == NULL) return SLUICE_ERR_NOMEM;
    struct sl_map seen;
    int32_t count = 0;
    int rv = 0;
    sl_map_init(&seen, core->alloc);
    for (int32_t i = 0; rv == 0 && i < members->count; i++) {
        struct sl_str id = from[i].member_id;
        if (id.size <= 0 || sl_map_get(&seen, id.data, (size_t)id.size) != NULL) continue;
        rv = sl_map_put(&seen, id.data, (size_t)id.size, own);
        if (rv == 0) rv = take_member(core, &from[i], &own[count++]);
    }
    sl_map_deinit(&seen);
    g->member_list = (struct sl_array){own, count};
    return rv;
}

int sl_group_leader_take(struct sl_core *core, const struct sl_join_group_response *answer) {
    struct sl_membership *g = &core->group;
    sl_group_leader_forget(core);
    int rv = take_members(core, &answer->members);
    g->assign_since = core->now;
    /* So that the others do not wait for us in vain. */
    g->assign_by = core->now + core->settings->session_timeout_ms / 2 * SL_MS;
    if (rv != 0)
        sl_group_leader_forget(core);
    else
        sl_group_racks_begin(core);
    return rv;
}

void sl_group_leader_release(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    g->member_list = g->assignments = (struct sl_array){NULL, 0};
    sl_arena_reset(&g->members);
}

void sl_group_leader_forget(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    sl_group_leader_release(core);
    for (int32_t i = 0; i < g->watch_count; i++) sl_group_racks_forget(core, &g->watch[i]);
    sl_alloc_free(core->alloc, g->watch, (size_t)g->watch_count * sizeof *g->watch);
    g->watch = NULL;
    g->watch_count = 0;
}

bool sl_group_leader_is_outdated(const struct sl_core *core) {
    const struct sl_membership *g = &core->group;
    for (int32_t i = 0; g->is_leader && i < g->watch_count; i++) {
        const struct sl_group_watch *watch = &g->watch[i];
        if (watch->partition_count != watch->topic->partition_count ||
            sl_group_racks_are_other(watch))
            return true;
    }
    return false;
}

/* ---- assigning ---- */

static bool is_topic_awaited(const struct sl_membership *g, const struct sl_group_watch *watch) {
    const struct sl_topic *topic = watch->topic;
    return (topic->partition_count == 0 && topic->updated_at < g->assign_since) ||
           sl_group_racks_is_awaited(g, watch);
}

static int list_assigned(struct sl_core *core, const struct sl_array *shares) {
    struct sl_membership *g = &core->group;
    const struct sl_assignor_member *members = g->member_list.items;
    int32_t count = g->member_list.count;
    struct sl_sync_group_assignment *out =
        sl_arena_array(&g->members, (size_t)count + 1, sizeof *out);
    if (out == NULL) return SLUICE_ERR_NOMEM;
    for (int32_t i = 0; i < count; i++) {
        struct sl_consumer_assignment assignment = {shares[i], {NULL, -1}};
        struct sl_writer writer;
        sl_writer_init(&writer, core->alloc);
        int rv = sl_consumer_protocol_encode_assignment(&writer, &assignment);
        int move_rv = move_to_arena(&writer, &g->members, &out[i].assignment);
        if (rv != 0 || move_rv != 0) return rv != 0 ? rv : move_rv;
        out[i].member_id = members[i].id;
    }
    g->assignments = (struct sl_array){out, count};
    return 0;
}

static int assign_partitions(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    struct sl_assignor_topic *topics =
        sl_arena_array(&g->members, (size_t)g->watch_count + 1, sizeof *topics);
    struct sl_array *shares =
        sl_arena_array(&g->members, (size_t)g->member_list.count + 1, sizeof *shares);
    if (topics == NULL || shares == NULL) return SLUICE_ERR_NOMEM;
    int rv = 0;
    for (int32_t i = 0; rv == 0 && i < g->watch_count; i++) {
        topics[i] = (struct sl_assignor_topic){g->watch[i].topic->name_str,
                                               g->watch[i].topic->partition_count, NULL};
        rv = sl_group_racks_list(core, &g->watch[i], &g->members, &topics[i].racks);
    }
    struct sl_assignor_group group = {.members = g->member_list.items,
                                      .topics = topics,
                                      .member_count = g->member_list.count,
                                      .topic_count = g->watch_count};
    if (rv == 0) rv = sl_assignor_assign(g->assignor, &group, &g->members, shares);
    return rv != 0 ? rv : list_assigned(core, shares);
}

bool sl_group_leader_assign(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    for (int32_t i = 0; i < g->watch_count && core->now < g->assign_by; i++)
        if (is_topic_awaited(g, &g->watch[i])) return false;
    for (int32_t i = 0; i < g->watch_count; i++)
        g->watch[i].partition_count = g->watch[i].topic->partition_count;
    int rv = g->skip_assignment ? 0 : assign_partitions(core);
    sl_group_racks_end(core);
    if (rv == 0) {
        sl_core_log(core, SL_LOG_INFO,
                    "group \"%s\" generation %d: %s for %d members over %d topics by %s",
                    core->settings->group_id, (int)g->epoch,
                    g->skip_assignment ? "nothing is to be assigned" : "partitions are shared",
                    (int)g->member_list.count, (int)g->watch_count, sl_assignor_name(g->assignor));
        return true;
    }
    sl_group_leader_release(core);
    sl_group_set_state(core, SL_GROUP_JOINING);
    sl_group_want_join(core, true, "partitions could not be shared for want of memory");
    return false;
}

/* ---- what a member gets ---- */

/* Partitions of topics that nobody here has subscribed are left alone: a leader may be wrong. */
int sl_group_leader_read_assignment(struct sl_core *core, struct sl_bytes bytes,
                                    struct sl_offsets **out) {
    struct sl_membership *g = &core->group;
    struct sl_consumer_assignment assignment;
    struct sl_arena arena;
    struct sl_offsets *list;
    char name[256];
    int rv = sl_offset_list_create(core->alloc, &list);
    if (rv != 0) return rv;
    sl_arena_init(&arena, core->alloc, 0);
    rv = sl_consumer_protocol_decode_assignment(bytes, &arena, &assignment);
    const struct sl_consumer_partitions *topics = rv == 0 ? assignment.partitions.items : NULL;
    for (int32_t i = 0; rv == 0 && i < assignment.partitions.count; i++) {
        struct sl_str topic = topics[i].topic;
        const int32_t *partitions = topics[i].partitions.items;
        if (topic.size <= 0 || (size_t)topic.size >= sizeof name) continue;
        memcpy(name, topic.data, (size_t)topic.size);
        name[topic.size] = '\0';
        if (!sl_group_topics_has(g, name)) {
            sl_core_log(core, SL_LOG_WARNING,
                        "group \"%s\": assigned \"%s\", which is not subscribed",
                        core->settings->group_id, name);
            continue;
        }
        for (int32_t p = 0; p < topics[i].partitions.count; p++) {
            if (partitions[p] < 0) continue;
            struct sl_offset_entry *entry = sl_offset_list_put(list, name, partitions[p]);
            if (entry != NULL) entry->offset = SL_OFFSET_COMMITTED;
        }
    }
    sl_arena_deinit(&arena);
    if (rv == 0) rv = list->failed;
    if (rv == 0)
        *out = list;
    else
        sl_offset_list_destroy(list);
    return rv;
}
