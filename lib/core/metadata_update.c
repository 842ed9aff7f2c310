/* What an answer to Metadata changes, and leader hints.
 *
 * An answer is a peer's: it may list brokers twice, leave partitions out, name impossible ones, or
 * know less than we do. The rules (protocol notes 3.4):
 * - A topic-level error changes nothing that is known of the partitions.
 * - A partition is updated when nothing newer is cached: no epoch, an equal or higher one, or none
 *   told (which forgets ours). Epochs before version 9 are not to be trusted and count as none.
 * - Another id under the same name is another topic: epochs start over, the generation rises, and
 *   sender and fetcher are told.
 * - The number of partitions is taken from an answer that lists each of 0 … n-1 exactly once; it
 *   never falls for the same topic, because a record's key decides its partition by that number.
 * - Whatever is left without a leader that we know how to reach is in trouble, and asked for again.
 *
 * Units are told after the topic is consistent: re-creation, then partitions, then leaders. */
#include <inttypes.h>
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/messages.h"

enum { TRUSTED_EPOCH_SINCE = 9 };

/* ---- telling units ---- */

static bool is_producing(const struct sl_core *core) {
    return core->settings->role == SL_ROLE_PRODUCER;
}
static bool is_consuming(const struct sl_core *core) {
    return core->settings->role == SL_ROLE_CONSUMER;
}

static void tell_topic_news(struct sl_core *core, const struct sl_topic *topic) {
    size_t size = strlen(topic->name) + 1;
    struct sl_topic_news *news = sl_alloc_get(core->alloc, sizeof *news + size);
    if (news == NULL) return;
    news->partition_count = topic->partition_count;
    news->looked_up_until = 0;
    memcpy(news->name, topic->name, size);
    sl_list_init(&news->node);
    sl_list_push_back(&core->events.topics, &news->node);
}

static void tell_partitions(struct sl_core *core, struct sl_topic *topic) {
    tell_topic_news(core, topic);
    if (is_producing(core)) sl_batcher_on_partitions(core, topic);
}

/* After every answer that spoke of the topic: brokers may be known that were not. */
static void tell_topic(struct sl_core *core, struct sl_topic *topic) {
    if (is_consuming(core)) sl_fetcher_on_topic(core, topic);
    if (is_consuming(core)) sl_group_on_topic(core, topic);
    sl_offsets_on_topic(core, topic);
}

static void tell_refused(struct sl_core *core, struct sl_topic *topic, int code) {
    if (is_producing(core)) sl_batcher_on_refused(core, topic, code);
    if (is_consuming(core)) sl_fetcher_on_refused(core, topic, code);
    sl_offsets_on_refused(core, topic, code);
    sl_metadata_end_probes(core, topic, code);
}

static void tell_recreated(struct sl_core *core, struct sl_topic *topic) {
    if (is_producing(core)) sl_sender_on_recreated(core, topic);
    if (is_consuming(core)) sl_fetcher_on_recreated(core, topic);
}

/* Sets leader and epoch, and tells when either changed. */
static void set_leader(struct sl_core *core, struct sl_partition *partition, int32_t leader,
                       int32_t epoch) {
    int32_t old = partition->leader;
    if (old == leader && partition->leader_epoch == epoch) return;
    partition->leader = leader;
    partition->leader_epoch = epoch;
    sl_trace_add(&core->trace, SL_TRACE_LEADER, core->now, partition->index, leader);
    if (is_producing(core)) sl_sender_on_leader(core, partition, old);
    if (is_consuming(core)) sl_fetcher_on_leader(core, partition, old);
}

/* ---- partitions ---- */

/* How many partitions the answer says there are, or 0 when it does not list each of 0 … n-1
 * exactly once. -1: out of memory. */
static int32_t listed_partitions(struct sl_core *core,
                                 const struct sl_metadata_topic_response *answer) {
    const struct sl_metadata_partition_response *items = answer->partitions.items;
    int32_t count = answer->partitions.count;
    if (count <= 0 || count > SL_PARTITIONS_MAX) return 0;
    uint8_t *seen = sl_alloc_zero(core->alloc, (size_t)count);
    if (seen == NULL) return -1;
    int32_t distinct = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t index = items[i].partition;
        if (index < 0 || index >= count || seen[index] != 0) continue;
        seen[index] = 1;
        distinct++;
    }
    sl_alloc_free(core->alloc, seen, (size_t)count);
    return distinct == count ? count : 0;
}

/* Makes partition objects up to count. 0 or NOMEM, then some may have been made. */
static int grow_partitions(struct sl_core *core, struct sl_topic *topic, int32_t count) {
    if (count <= topic->partition_cap) return 0;
    struct sl_partition **all =
        sl_alloc_resize(core->alloc, topic->partitions, (size_t)topic->partition_cap, (size_t)count,
                        sizeof(struct sl_partition *));
    if (all == NULL) return SLUICE_ERR_NOMEM;
    topic->partitions = all;
    for (int32_t i = topic->partition_cap; i < count; i++) all[i] = NULL;
    topic->partition_cap = count;
    return 0;
}

static int make_partitions(struct sl_core *core, struct sl_topic *topic, int32_t count) {
    int rv = grow_partitions(core, topic, count);
    for (int32_t i = 0; rv == 0 && i < count; i++) {
        if (topic->partitions[i] != NULL) continue;
        struct sl_partition *partition = sl_alloc_zero(core->alloc, sizeof *partition);
        if (partition == NULL) return SLUICE_ERR_NOMEM;
        partition->topic = topic;
        partition->index = i;
        partition->leader = -1;
        partition->leader_epoch = -1;
        topic->partitions[i] = partition;
    }
    return rv;
}

/* One partition of the answer. False: it has no leader that can be reached. */
static bool apply_partition(struct sl_core *core, struct sl_partition *partition,
                            const struct sl_metadata_partition_response *answer, bool with_epochs) {
    int32_t epoch = with_epochs && answer->leader_epoch >= 0 ? answer->leader_epoch : -1;
    bool is_older = epoch >= 0 && partition->leader_epoch > epoch;
    if (!is_older) {
        partition->code = sl_calls_code(answer->error_code);
        set_leader(core, partition, answer->leader_id >= 0 ? answer->leader_id : -1, epoch);
    }
    return partition->leader >= 0 && sl_brokers_find(core, partition->leader) != NULL && !is_older;
}

/* ---- topics ---- */

static void make_leaderless(struct sl_core *core, struct sl_topic *topic, int32_t from,
                            int32_t to) {
    for (int32_t i = from; i < to; i++) {
        if (topic->partitions[i] != NULL) set_leader(core, topic->partitions[i], -1, -1);
    }
}

/* Remembers the id. True: it is another one than before. */
static bool take_topic_id(struct sl_core *core, struct sl_topic *topic, const struct sl_uuid *id) {
    struct sl_map *by_id = &core->metadata.by_id;
    if (sl_bytes_uuid_is_zero(id) || sl_bytes_uuid_equal(&topic->id, id)) return false;
    bool is_other = !sl_bytes_uuid_is_zero(&topic->id);
    if (is_other) (void)sl_map_remove(by_id, topic->id.bytes, sizeof topic->id.bytes);
    /* Without memory for it the topic goes by its name until it is asked for again. */
    bool is_put = sl_map_put(by_id, id->bytes, sizeof id->bytes, topic) == 0;
    topic->id = is_put ? *id : (struct sl_uuid){{0}};
    return is_other;
}

/* The same name is another topic now. Its partitions are those of the answer, without leaders yet;
 * objects beyond are kept for what still refers to them. */
static void recreate_topic(struct sl_core *core, struct sl_topic *topic, int32_t count) {
    int32_t before = topic->partition_count;
    topic->generation++;
    topic->partition_count = count;
    topic->first_count = 0;
    sl_core_log(core, SL_LOG_NOTICE, "topic \"%s\" was deleted and created anew", topic->name);
    tell_recreated(core, topic);
    make_leaderless(core, topic, 0, before > count ? before : count);
}

static bool is_refusal(int code) {
    return code == SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED ||
           code == SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION;
}

static void apply_topic_error(struct sl_core *core, struct sl_topic *topic, int code) {
    topic->code = code;
    if (is_refusal(code)) {
        tell_refused(core, topic, code);
        return;
    }
    if (topic->unknown_since == 0) topic->unknown_since = core->now;
    if (is_consuming(core)) sl_group_on_topic(core, topic);
    sl_metadata_trouble(core, topic);
}

/* listed: how many partitions the answer lists for certain. */
static void apply_leaders(struct sl_core *core, struct sl_topic *topic,
                          const struct sl_metadata_topic_response *answer, int32_t listed,
                          int16_t version) {
    const struct sl_metadata_partition_response *items = answer->partitions.items;
    bool is_healthy = listed >= topic->partition_count;
    for (int32_t i = 0; i < answer->partitions.count; i++) {
        int32_t index = items[i].partition;
        if (index < 0 || index >= topic->partition_count) continue;
        if (!apply_partition(core, topic->partitions[index], &items[i],
                             version >= TRUSTED_EPOCH_SINCE)) {
            is_healthy = false;
        }
    }
    if (!is_healthy) sl_metadata_trouble(core, topic);
}

static void apply_topic(struct sl_core *core, struct sl_topic *topic,
                        const struct sl_metadata_topic_response *answer, int16_t version) {
    topic->updated_at = core->now;
    if (answer->error_code != 0) {
        apply_topic_error(core, topic, sl_calls_code(answer->error_code));
        return;
    }
    int32_t count = listed_partitions(core, answer);
    bool is_new = topic->partition_count == 0;
    bool is_other = !is_new && !sl_bytes_uuid_is_zero(&topic->id) &&
                    !sl_bytes_uuid_is_zero(&answer->topic_id) &&
                    !sl_bytes_uuid_equal(&topic->id, &answer->topic_id);
    bool grows = count > topic->partition_count || is_other;
    /* What does not add up tells nothing of a topic whose partitions are not known yet. */
    if ((count <= 0 && (is_new || is_other)) ||
        (grows && make_partitions(core, topic, count) != 0)) {
        sl_metadata_trouble(core, topic);
        return;
    }
    topic->code = 0;
    topic->unknown_since = 0;
    (void)take_topic_id(core, topic, &answer->topic_id);
    if (is_other) {
        recreate_topic(core, topic, count);
    } else if (grows) {
        topic->partition_count = count;
    }
    if (grows) tell_partitions(core, topic);
    apply_leaders(core, topic, answer, count, version);
    if (is_consuming(core) && count == topic->partition_count)
        sl_group_racks_on_answer(core, topic, answer);
    tell_topic(core, topic);
    sl_metadata_end_probes(core, topic, 0);
}

/* ---- answers ---- */

static int apply_brokers(struct sl_core *core, const struct sl_metadata_response *answer) {
    if (answer->brokers.count > SL_BROKERS_MAX) return SLUICE_ERR_MALFORMED;
    const struct sl_metadata_broker *items = answer->brokers.items;
    int32_t taken = 0;
    sl_brokers_begin(core);
    for (int32_t i = 0; i < answer->brokers.count; i++) {
        int rv =
            sl_brokers_put(core, items[i].node_id, items[i].host, items[i].port, items[i].rack);
        if (rv == 0) taken++;
        if (rv == SLUICE_ERR_NOMEM) return rv;
    }
    /* A broker that has just started may know nobody; what we know is better. */
    if (taken == 0) return SLUICE_ERR_MALFORMED;
    sl_brokers_end(core);
    return 0;
}

static void take_cluster_id(struct sl_core *core, struct sl_str id) {
    struct sl_metadata *m = &core->metadata;
    if (!sl_bytes_str_is_text(id) ||
        (m->cluster_id != NULL && sl_bytes_str_equal(sl_bytes_str(m->cluster_id), id)))
        return;
    char *copy = sl_alloc_text(core->alloc, id.data, (size_t)id.size);
    if (copy == NULL) return;
    if (m->cluster_id != NULL) {
        sl_core_log(core, SL_LOG_WARNING, "the cluster id changed from %s to %s", m->cluster_id,
                    copy);
        sl_alloc_free(core->alloc, m->cluster_id, strlen(m->cluster_id) + 1);
    }
    m->cluster_id = copy;
}

int sl_metadata_apply(struct sl_core *core, const struct sl_metadata_response *answer,
                      int16_t version) {
    struct sl_metadata *m = &core->metadata;
    if (answer->error_code != 0) return sl_calls_code(answer->error_code);
    int rv = apply_brokers(core, answer);
    if (rv != 0) return rv;
    take_cluster_id(core, answer->cluster_id);
    m->controller = answer->controller_id >= 0 ? answer->controller_id : -1;
    const struct sl_metadata_topic_response *items = answer->topics.items;
    for (int32_t i = 0; i < answer->topics.count; i++) {
        struct sl_str name = items[i].name;
        struct sl_topic *topic =
            name.size <= 0 ? NULL : sl_map_get(&m->by_name, name.data, (size_t)name.size);
        bool is_found = topic == NULL && sl_bytes_str_is_text(name) && name.size > 0 &&
                        (sl_group_follow_wants_id(core, &items[i].topic_id) ||
                         (m->all_asked && sl_group_topics_wants(core, name)));
        if (is_found) topic = sl_metadata_found(core, name);
        if (topic == NULL || !topic->asked) continue; /* unasked, or for the second time */
        topic->asked = false;
        apply_topic(core, topic, &items[i], version);
    }
    sl_trace_add(&core->trace, SL_TRACE_METADATA, core->now, answer->brokers.count,
                 answer->topics.count);
    return 0;
}

/* ---- hints ---- */

bool sl_metadata_hint(struct sl_core *core, struct sl_partition *partition, int32_t leader,
                      int32_t leader_epoch) {
    /* Absent tags decode to -1; a leader 0 of epoch 0 is somebody. */
    if (leader < 0 || leader_epoch < 0 || leader_epoch <= partition->leader_epoch) return false;
    if (partition->index >= partition->topic->partition_count) return false;
    if (sl_brokers_find(core, leader) == NULL) return false;
    set_leader(core, partition, leader, leader_epoch);
    sl_offsets_on_topic(core, partition->topic);
    sl_metadata_refresh(core, partition->topic);
    return true;
}

void sl_metadata_endpoint(struct sl_core *core, int32_t id, struct sl_str host, int32_t port,
                          struct sl_str rack) {
    /* One broker is spoken of, so one may be moved: not the "twice in one answer" of metadata. */
    struct sl_broker *broker = sl_brokers_find(core, id);
    if (broker != NULL) broker->listed = false;
    (void)sl_brokers_put(core, id, host, port, rack);
}
