/* Logs that an unclean election has cut: what was in them is remembered, for there are readers who
 * have it. A log is a sequence of lineages: lineage n is what it was after n cuts, until the next.
 *
 * A record that went with a cut may be WRITTEN and nowhere; everything else that is promised of
 * producers holds on both sides of the cut, for itself. */
#include <stdlib.h>
#include <string.h>

#include "sim/truth.h"

/* A record that is in the log no more. */
static void lose_record(struct truth *t, uint64_t id) {
    struct truth_record *r = truth_find(t, id);
    if (r == NULL) return;
    r->copies--;
    r->is_cut = true;
    t->records_in_logs--;
}

/* What is left shows of each producer how far it had come. */
static void recount_producers(const struct truth *t, struct truth_log *log) {
    if (log->last == NULL) return;
    for (int i = 0; i < TRUTH_PRODUCERS; i++) log->last[i] = -1;
    for (int64_t o = 0; o < log->end; o++) {
        uint64_t producer = log->ids[o] >> 32;
        int64_t n = (int64_t)(log->ids[o] & UINT32_MAX);
        if (producer < 1 || producer > (uint64_t)t->producer_count) continue;
        if (n > log->last[producer - 1]) log->last[producer - 1] = n;
    }
}

void truth_cut(struct truth *t, int32_t topic, int32_t partition) {
    struct truth_log *log = truth_log(t, topic, partition);
    struct sl_broker_log_view view;
    if (sl_broker_log(t->world->broker, t->topics[topic].name, partition, &view) != 0) abort();
    if (log == NULL || view.log_end >= log->end) return;
    if (log->cut_count == TRUTH_CUTS) abort(); /* the plan makes fewer */
    size_t count = (size_t)(log->end - view.log_end);
    struct truth_cut *cut = &log->cuts[log->cut_count++];
    *cut = (struct truth_cut){.at = view.log_end, .end = log->end};
    cut->ids = malloc(count * sizeof *cut->ids);
    if (cut->ids == NULL) abort();
    memcpy(cut->ids, log->ids + cut->at, count * sizeof *cut->ids);
    for (size_t i = 0; i < count; i++) lose_record(t, cut->ids[i]);
    memset(log->ids + cut->at, 0, count * sizeof *cut->ids);
    log->end = cut->at;
    log->sequence_count = 0;
    recount_producers(t, log);
    t->world->hits[HIT_CUT]++;
}

uint64_t truth_was_at(const struct truth_log *log, int32_t lineage, int64_t offset) {
    for (int32_t i = lineage; i < log->cut_count; i++) {
        const struct truth_cut *cut = &log->cuts[i];
        if (offset >= cut->end) return 0;
        if (offset >= cut->at) return cut->ids[offset - cut->at];
    }
    return offset >= 0 && offset < log->end ? log->ids[offset] : 0;
}

int32_t truth_lineage(const struct truth_log *log, int32_t from, int64_t offset, uint64_t id) {
    for (int32_t i = from; i <= log->cut_count; i++)
        if (truth_was_at(log, i, offset) == id) return i;
    return -1;
}

int64_t truth_lowest_cut(const struct truth_log *log, int32_t from, int32_t to) {
    int64_t lowest = INT64_MAX;
    for (int32_t i = from; i < to; i++)
        if (log->cuts[i].at < lowest) lowest = log->cuts[i].at;
    return lowest;
}

bool truth_had(const struct truth *t, int32_t topic, int32_t life, int32_t partition,
               int64_t offset, uint64_t id) {
    const struct truth_topic *tt = &t->topics[topic];
    if (life < 0 || life >= tt->life_count) return false;
    const struct truth_life *l = &tt->lives[life];
    if (partition < 0 || partition >= l->partition_count) return false;
    return truth_lineage(&l->logs[partition], 0, offset, id) >= 0;
}
