/* What is subscribed: names, patterns, and the topics that they stand for.
 *
 * Names are topics at once, whether they exist or not: metadata asks for them, and goes on asking.
 * Patterns are looked for among all topics of the cluster, which metadata asks for while there are
 * any (sl_group_topics_wants_all): at first, and then as often as metadata is renewed. A topic that
 * is gone no longer counts. Kafka's own topics are matched by no pattern.
 *
 * What appears while the subscription is on (a topic, or partitions of one) is read from its
 * beginning, whatever auto.offset.reset=latest says: records that were written before anybody here
 * noticed would be left out silently. Known is only what this member saw appear. Of a topic that a
 * broker matched with a pattern (KIP-848) nothing is heard before it is assigned, and it may be old
 * and have been another member's; so it counts as old. */
#include <string.h>

#include "base/pattern.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"

bool sl_group_topics_is_pattern(const char *name) {
    return name[0] == '^' || (name[0] == '!' && name[1] == '^');
}

/* ---- names ---- */

static void free_names(struct sl_core *core, char **names, int32_t count) {
    for (int32_t i = 0; i < count; i++) sl_alloc_free(core->alloc, names[i], strlen(names[i]) + 1);
    sl_alloc_free(core->alloc, names, (size_t)count * sizeof *names);
}

static void drop_patterns(struct sl_membership *g) {
    for (int32_t i = 0; g->patterns != NULL && i < g->name_count; i++)
        sl_pattern_destroy(g->patterns[i]);
    sl_alloc_free(g->core->alloc, g->patterns, (size_t)g->name_count * sizeof(struct sl_pattern *));
    g->patterns = NULL;
}

void sl_group_topics_deinit(struct sl_membership *g) {
    drop_patterns(g);
    free_names(g->core, g->names, g->name_count);
    sl_alloc_free(g->core->alloc, g->topics, (size_t)g->topic_cap * sizeof(struct sl_topic *));
    g->names = NULL;
    g->topics = NULL;
    g->name_count = g->topic_count = g->topic_cap = 0;
}

/* 0, NOMEM, or USAGE: one is no regular expression, and the application was told. */
static int compile_patterns(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    char buf[120];
    g->patterns = sl_alloc_array(core->alloc, (size_t)g->name_count, sizeof(struct sl_pattern *));
    if (g->patterns == NULL) return SLUICE_ERR_NOMEM;
    memset(g->patterns, 0, (size_t)g->name_count * sizeof(struct sl_pattern *));
    for (int32_t i = 0; i < g->name_count; i++) {
        if (!sl_group_topics_is_pattern(g->names[i])) continue;
        const char *text = g->names[i] + (g->names[i][0] == '!');
        struct sl_text why;
        sl_text_init(&why, buf, sizeof buf);
        int rv = sl_pattern_create(core->alloc, text, &why, &g->patterns[i]);
        if (rv == SLUICE_ERR_USAGE)
            sl_group_fail(core, rv, "\"%.80s\" is no POSIX extended regular expression: %s", text,
                          buf);
        if (rv != 0) return rv;
    }
    return 0;
}

bool sl_group_topics_has_exclusion(const struct sl_membership *g) {
    for (int32_t i = 0; i < g->name_count; i++)
        if (g->names[i][0] == '!') return true;
    return false;
}

/* A subscription begins: what is known now has not appeared under it. */
static void begin_to_see(struct sl_core *core) {
    struct sl_metadata *m = &core->metadata;
    for (uint32_t i = 0; i < m->topic_count; i++) {
        struct sl_topic *topic = m->topics[i];
        bool is_known = topic->partition_count > 0 && !topic->forgotten;
        topic->first_count = is_known ? topic->partition_count : -1;
    }
}

void sl_group_topics_subscribe(struct sl_core *core, struct sl_command *command) {
    struct sl_membership *g = &core->group;
    if (g->name_count == 0) begin_to_see(core);
    drop_patterns(g);
    free_names(core, g->names, g->name_count);
    g->names = command->settings;
    g->name_count = command->setting_count;
    command->settings = NULL;
    command->setting_count = 0;
    g->has_patterns = false;
    for (int32_t i = 0; i < g->name_count; i++)
        g->has_patterns |= sl_group_topics_is_pattern(g->names[i]);
    g->all_since = core->now;
    (void)sl_group_topics_update(core);
}

bool sl_group_topics_is_ready(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    if (g->lacks_topics) (void)sl_group_topics_update(core);
    if (g->lacks_topics) {
        sl_group_back_off(core);
        return false;
    }
    if (!g->has_patterns || g->is_consumer) return true;
    if (g->patterns == NULL) {
        int rv = compile_patterns(core);
        if (rv == SLUICE_ERR_NOMEM) drop_patterns(g);
        if (rv == SLUICE_ERR_NOMEM) sl_group_back_off(core);
        if (rv != 0) return false;
    }
    if (core->metadata.all_updated_at >= g->all_since) return true;
    sl_metadata_refresh(core, NULL);
    return false;
}

/* ---- topics ---- */

static bool is_internal(const char *topic) {
    return strcmp(topic, "__consumer_offsets") == 0 || strcmp(topic, "__transaction_state") == 0 ||
           strcmp(topic, "__share_group_state") == 0;
}

static bool matches(const struct sl_membership *g, const char *topic) {
    bool is_in = false;
    for (int32_t i = 0; g->patterns != NULL && i < g->name_count; i++) {
        if (g->patterns[i] == NULL || !sl_pattern_matches(g->patterns[i], topic)) continue;
        if (g->names[i][0] == '!') return false;
        is_in = true;
    }
    return is_in && !is_internal(topic);
}

bool sl_group_topics_wants(const struct sl_core *core, struct sl_str topic) {
    char name[250]; /* Kafka's limit of topic names, and the NUL */
    if (topic.size <= 0 || (size_t)topic.size >= sizeof name) return false;
    memcpy(name, topic.data, (size_t)topic.size);
    name[topic.size] = '\0';
    return sl_group_topics_wants_all(core) && matches(&core->group, name);
}

bool sl_group_topics_wants_all(const struct sl_core *core) {
    const struct sl_membership *g = &core->group;
    return core->settings->role == SL_ROLE_CONSUMER && g->has_patterns && !g->is_consumer &&
           g->name_count > 0;
}

static bool is_gone(const struct sl_topic *topic) {
    return topic->partition_count == 0 || topic->code == SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

/* Puts the topic at *count, and counts it. False: out of memory. */
static bool list_group_topic(struct sl_membership *g, int32_t *count, struct sl_topic *topic,
                             bool *is_other) {
    int32_t before = g->topic_count;
    for (int32_t i = 0; i < *count; i++)
        if (g->topics[i] == topic) return true;
    if (*count == g->topic_cap) {
        size_t cap = g->topic_cap == 0 ? 8 : (size_t)g->topic_cap * 2;
        struct sl_topic **topics = sl_alloc_resize(g->core->alloc, g->topics, (size_t)g->topic_cap,
                                                   cap, sizeof(struct sl_topic *));
        if (topics == NULL) return false;
        g->topics = topics;
        g->topic_cap = (int32_t)cap;
    }
    if (*count >= before || g->topics[*count] != topic) *is_other = true;
    g->topics[(*count)++] = topic;
    return true;
}

bool sl_group_topics_update(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    struct sl_metadata *m = &core->metadata;
    bool is_other = false, is_whole = true;
    int32_t count = 0;
    for (int32_t i = 0; is_whole && i < g->name_count; i++) {
        if (sl_group_topics_is_pattern(g->names[i])) continue;
        struct sl_topic *topic = sl_map_get(&m->by_name, g->names[i], strlen(g->names[i]));
        if (topic == NULL || topic->forgotten) topic = sl_metadata_topic(core, g->names[i]);
        is_whole = topic != NULL && list_group_topic(g, &count, topic, &is_other);
    }
    for (uint32_t i = 0; is_whole && g->patterns != NULL && i < m->topic_count; i++) {
        struct sl_topic *topic = m->topics[i];
        if (is_gone(topic) || !matches(g, topic->name)) continue;
        is_whole = list_group_topic(g, &count, topic, &is_other);
    }
    is_other |= count != g->topic_count;
    g->lacks_topics = !is_whole;
    g->topic_count = count;
    return is_other;
}

bool sl_group_topics_has(const struct sl_membership *g, const char *topic) {
    for (int32_t i = 0; i < g->topic_count; i++)
        if (strcmp(g->topics[i]->name, topic) == 0) return true;
    return false;
}

/* Patterns have been looked for among all topics, and there was none of that name then. */
static bool was_absent(const struct sl_core *core) {
    return sl_group_topics_wants_all(core) && core->metadata.all_updated_at != 0 &&
           core->metadata.all_updated_at >= core->group.all_since;
}

void sl_group_topics_see(struct sl_core *core, struct sl_topic *topic) {
    if (topic->first_count >= 0) return;
    if (topic->code == SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION || was_absent(core))
        topic->first_count = 0;
    else if (topic->partition_count > 0)
        topic->first_count = topic->partition_count;
}

bool sl_group_saw_new(const struct sl_core *core, const struct sl_topic *topic, int32_t partition) {
    return core->group.name_count > 0 && topic->first_count >= 0 && partition >= topic->first_count;
}

bool sl_group_uses(const struct sl_core *core, const struct sl_topic *topic) {
    const struct sl_membership *g = &core->group;
    for (int32_t i = 0; i < g->topic_count; i++)
        if (g->topics[i] == topic) return true;
    for (int32_t i = 0; i < g->watch_count; i++)
        if (g->watch[i].topic == topic) return true;
    return false;
}

void sl_group_mark_topics(struct sl_core *core) {
    struct sl_membership *g = &core->group;
    for (int32_t i = 0; i < g->topic_count; i++) g->topics[i]->used_at = core->now;
    for (int32_t i = 0; i < g->watch_count; i++) g->watch[i].topic->used_at = core->now;
}
