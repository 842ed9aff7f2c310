/* roundrobin: all partitions, topic by topic, are dealt to the members in a ring. Who is not
 * subscribed to a topic is passed over; the place in the ring goes on from topic to topic. */
#include "core/assignor_board.h"

/* Index of the first of the topic's members whose number is at least `place`; 0 beyond the last. */
static int32_t next_in_ring(const struct sl_board_topic *t, int32_t place) {
    int32_t at = sl_assignor_board_search(t, place);
    return at < t->member_count ? at : 0;
}

int sl_assignor_ring(struct sl_board *b) {
    int32_t place = 0;
    for (int32_t i = 0; i < b->topic_count; i++) {
        const struct sl_board_topic *t = &b->topics[i];
        if (t->count == 0) continue;
        int32_t at = next_in_ring(t, place);
        for (int32_t p = 0; p < t->count; p++) {
            b->owner[t->first + p] = t->members[at];
            place = t->members[at] + 1;
            at = at + 1 < t->member_count ? at + 1 : 0;
        }
    }
    return 0;
}
