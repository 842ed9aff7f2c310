/* OffsetForLeaderEpoch, answered by the test, for a consumer of core_consumer.h. */
#ifndef SL_TEST_CORE_EPOCHS_H
#define SL_TEST_CORE_EPOCHS_H

#include "core_consumer.h"

struct cons_epochs {
    struct host_request r;
    struct cons_part
        parts[CONS_PARTS]; /* leader_epoch: the leader's; offset: the epoch asked for */
    int count;
};
static inline struct cons_epochs cons_next_epochs(struct cons *c) {
    struct cons_epochs out = {.r = host_next_request(c->h, SL_API_OFFSET_FOR_LEADER_EPOCH)};
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_offset_for_leader_epoch_request *m = host_decode(&out.r, &arena);
    assert_int_equal(m->replica_id, -1);
    assert_true(out.r.header.version >= 3);
    for (int32_t t = 0; t < m->topics.count; t++) {
        const struct sl_offset_for_leader_epoch_topic *topic =
            (const struct sl_offset_for_leader_epoch_topic *)m->topics.items + t;
        const struct sl_offset_for_leader_epoch_partition *p = topic->partitions.items;
        for (int32_t i = 0; i < topic->partitions.count; i++) {
            assert_true(out.count < CONS_PARTS);
            struct cons_part *part = &out.parts[out.count++];
            cons_name(part->topic, topic->name);
            part->partition = p[i].partition;
            part->leader_epoch = p[i].current_leader_epoch;
            part->offset = p[i].leader_epoch;
        }
    }
    sl_arena_deinit(&arena);
    return out;
}
struct cons_epoch_end {
    int16_t code;
    int32_t epoch;
    int64_t end;
    bool omit;
};
/* The i-th partition asked about is answered with ends[i], in another order than asked. */
static inline void cons_reply_epochs(struct cons *c, const struct cons_epochs *asked,
                                     const struct cons_epoch_end *ends) {
    static struct sl_offset_for_leader_epoch_topic_response topics[CONS_PARTS];
    static struct sl_offset_for_leader_epoch_partition_response parts[CONS_PARTS];
    struct sl_offset_for_leader_epoch_response m;
    int32_t count = 0;
    sl_codec_defaults(&sl_offset_for_leader_epoch_response_type, &m);
    for (int i = asked->count - 1; i >= 0; i--) {
        if (ends[i].omit) continue;
        topics[count].name = sl_bytes_str(asked->parts[i].topic);
        topics[count].partitions = (struct sl_array){&parts[count], 1};
        parts[count] = (struct sl_offset_for_leader_epoch_partition_response){
            .error_code = ends[i].code,
            .partition = asked->parts[i].partition,
            .leader_epoch = ends[i].epoch,
            .end_offset = ends[i].end};
        count++;
    }
    m.topics = (struct sl_array){topics, count};
    host_reply(c->h, &asked->r, &m);
    cons_turn(c);
}
static inline int cons_waiting_epochs(const struct cons *c) {
    return host_count_requests(c->h, SL_API_OFFSET_FOR_LEADER_EPOCH);
}
/* The request that waits, about one partition, is answered so. */
static inline void cons_epoch_ends(struct cons *c, int16_t code, int32_t epoch, int64_t end) {
    struct cons_epochs asked = cons_next_epochs(c);
    assert_int_equal(asked.count, 1);
    cons_reply_epochs(c, &asked, &(struct cons_epoch_end){code, epoch, end, false});
}

#endif
