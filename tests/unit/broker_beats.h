/* Heartbeats of KIP-848 for tests of the bundled broker, by hand; what a member is told to have is kept
 * as text, "0 1 2". */
#ifndef SL_TEST_BROKER_BEATS_H
#define SL_TEST_BROKER_BEATS_H

#include "broker_group_client.h"

enum { BEAT_TOPICS = 2, BEAT_PARTS = 16 };

/* What a member says; what is not set is "as before". */
struct beat {
    int16_t version;
    const char *group;
    const char *member;
    const char *instance;
    int32_t epoch;
    int32_t rebalance_ms;           /* -1: as before */
    const char *names[BEAT_TOPICS]; /* NULL: no more */
    bool has_names;
    const char *regex;
    const char *assignor;
    bool has_owned; /* of topic "t" */
    int32_t owned[BEAT_PARTS];
    int32_t owned_count;
};
static inline struct beat beat_of(const char *member, int32_t epoch) {
    struct beat b = {.version = 1, .group = "g", .member = member, .epoch = epoch};
    b.rebalance_ms = -1;
    return b;
}
/* A full request of somebody who joins. */
static inline struct beat beat_join_of(const char *member) {
    struct beat b = beat_of(member, 0);
    b.rebalance_ms = 30000;
    b.names[0] = "t";
    b.has_names = true;
    b.has_owned = true;
    return b;
}
/* The owned partitions of "t", from text. */
static inline void beat_own(struct beat *b, const char *text) {
    b->has_owned = true;
    b->owned_count = 0;
    for (const char *at = text; *at != '\0'; at++)
        if (*at != ' ') b->owned[b->owned_count++] = *at - '0';
}

static inline const struct sl_consumer_group_heartbeat_response *
beat_ask(struct client *c, struct client_link *l, const struct beat *b) {
    struct sl_consumer_group_heartbeat_request request;
    struct sl_consumer_group_heartbeat_topic owned;
    struct sl_str names[BEAT_TOPICS];
    int32_t count = 0;
    sl_codec_defaults(&sl_consumer_group_heartbeat_request_type, &request);
    for (; count < BEAT_TOPICS && b->names[count] != NULL; count++)
        names[count] = sl_bytes_str(b->names[count]);
    request.group_id = sl_bytes_str(b->group);
    request.member_id = sl_bytes_str(b->member);
    request.instance_id = sl_bytes_str(b->instance);
    request.member_epoch = b->epoch;
    request.rebalance_timeout_ms = b->rebalance_ms;
    request.topic_names = (struct sl_array){names, b->has_names ? count : -1};
    request.topic_regex = sl_bytes_str(b->regex);
    request.assignor = sl_bytes_str(b->assignor);
    owned.topic_id = client_topic_id(c, "t");
    owned.partitions = (struct sl_array){(void *)(uintptr_t)b->owned, b->owned_count};
    request.owned = (struct sl_array){&owned, b->has_owned ? b->owned_count > 0 : -1};
    return client_ask(c, l, SL_API_CONSUMER_GROUP_HEARTBEAT, b->version, &request);
}

/* The partitions of "t" in an answer; "-": none was given. */
static inline const char *beat_told(struct client *c,
                                    const struct sl_consumer_group_heartbeat_response *m) {
    char *text = sl_arena_get(&c->arena, 256);
    if (m->assignment.count < 0) return "-";
    const struct sl_consumer_group_heartbeat_assignment *a = m->assignment.items;
    struct sl_uuid id = client_topic_id(c, "t");
    struct sl_text out;
    sl_text_init(&out, text, 256);
    for (int32_t i = 0; i < a->topics.count; i++) {
        const struct sl_consumer_group_heartbeat_topic *t = client_item(&a->topics, i, sizeof *t);
        if (!sl_bytes_uuid_equal(&t->topic_id, &id)) continue;
        for (int32_t k = 0; k < t->partitions.count; k++)
            sl_text_printf(&out, "%s%d", out.size > 0 ? " " : "",
                           (int)((const int32_t *)t->partitions.items)[k]);
    }
    return text;
}

static inline const struct sl_consumer_group_heartbeat_response *
beat_expect(struct client *c, struct client_link *l, const struct beat *b, int32_t epoch,
            const char *parts) {
    const struct sl_consumer_group_heartbeat_response *m = beat_ask(c, l, b);
    if (m->error_code != 0)
        fail_msg("%d: %.*s", m->error_code, m->error_message.size, m->error_message.data);
    assert_int_equal(m->member_epoch, epoch);
    assert_string_equal(beat_told(c, m), parts);
    return m;
}
static inline int beat_refusal(struct client *c, struct client_link *l, const struct beat *b) {
    const struct sl_consumer_group_heartbeat_response *m = beat_ask(c, l, b);
    assert_int_not_equal(m->error_code, 0);
    assert_true(m->error_message.size > 0);
    assert_int_equal(m->member_epoch, 0);
    return m->error_code;
}

#endif
