/* ListOffsets (key 2), versions 1 to 11: the beginning, the end, by time, the greatest time. Times
 * are looked up batch by batch and then record by record inside the batch. */
#include "broker/machine.h"
#include "record/batch_read.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum { LIST_OFFSETS_RECORDS = 256 * 1024 * 1024 /* of one batch, decompressed; arbitrary */ };

/* The first record of a batch, from offset `start` on, at or after a time: 1 found, 0 none, NOMEM.
 * A batch that cannot be read has none. */
static int find_record_time(struct sl_exchange *x, const struct sl_log_batch *batch, int64_t start,
                            int64_t time, struct sl_list_offsets_partition_response *out) {
    struct sl_batch_info info;
    struct sl_batch_walk walk;
    struct sl_record_out record;
    struct sl_writer scratch;
    const uint8_t *records;
    size_t size;
    int found = 0;
    if (sl_batch_read_info(batch->data, (size_t)batch->size, &info) != 0) return 0;
    sl_writer_init(&scratch, x->c->alloc);
    int rv = sl_batch_read_records(batch->data, &info, x->c->codecs, LIST_OFFSETS_RECORDS, &scratch,
                                   &records, &size);
    if (rv == SLUICE_ERR_NOMEM) found = rv;
    if (rv == 0) {
        sl_batch_read_start(&walk, &info, records, size);
        while (found == 0 && sl_batch_read_next(&walk, &record) == 1) {
            if (record.timestamp < time || record.offset < start) continue;
            out->offset = record.offset;
            out->timestamp = record.timestamp;
            found = 1;
        }
    }
    sl_writer_deinit(&scratch);
    return found;
}

/* The first record of the log at or after a time. 0 or NOMEM. */
static int find_time(struct sl_exchange *x, const struct sl_log *log, int64_t time,
                     struct sl_list_offsets_partition_response *out) {
    int found = 0;
    for (size_t i = 0; found == 0 && i < log->count; i++) {
        const struct sl_log_batch *batch = sl_log_at(log, i);
        if (batch->max_timestamp >= time) found = find_record_time(x, batch, log->start, time, out);
    }
    return found < 0 ? found : 0;
}

static int find_max_time(struct sl_exchange *x, const struct sl_log *log,
                         struct sl_list_offsets_partition_response *out) {
    const struct sl_log_batch *best = NULL;
    for (size_t i = 0; i < log->count; i++) {
        const struct sl_log_batch *batch = sl_log_at(log, i);
        if (best == NULL || batch->max_timestamp > best->max_timestamp) best = batch;
    }
    if (best == NULL) return 0;
    int found = find_record_time(x, best, log->start, best->max_timestamp, out);
    return found < 0 ? found : 0;
}

/* 0 or NOMEM. */
static int look_offset_up(struct sl_exchange *x, const struct sl_cluster_partition *p,
                          int64_t timestamp, struct sl_list_offsets_partition_response *out) {
    const struct sl_list_offsets_request *request = x->request;
    const struct sl_log *log = &p->log;
    int rv = 0;
    switch (timestamp) {
    case SL_LIST_OFFSETS_LATEST:
        out->offset =
            request->isolation_level == SL_FETCH_READ_COMMITTED ? sl_log_stable(log) : log->end;
        if (x->c->bench != NULL) out->offset = sl_bench_end(x->c, p);
        out->leader_epoch = p->leader_epoch;
        return 0;
    case SL_LIST_OFFSETS_EARLIEST:
    case SL_LIST_OFFSETS_EARLIEST_LOCAL:
        out->offset = log->start;
        out->leader_epoch = sl_log_epoch_of(log, log->start);
        return 0;
    case SL_LIST_OFFSETS_MAX_TIMESTAMP:
        rv = find_max_time(x, log, out);
        break;
    default:
        if (timestamp >= 0) rv = find_time(x, log, timestamp, out);
    }
    if (out->offset >= 0) out->leader_epoch = sl_log_epoch_of(log, out->offset);
    return rv;
}

/* Each special time came with a version; -1 and -2 were always there. */
static bool is_served_time(int64_t timestamp, int16_t version) {
    switch (timestamp) {
    case SL_LIST_OFFSETS_MAX_TIMESTAMP:
        return version >= 7;
    case SL_LIST_OFFSETS_EARLIEST_LOCAL:
        return version >= 8;
    case SL_LIST_OFFSETS_LATEST_TIERED:
        return version >= 9;
    case SL_LIST_OFFSETS_EARLIEST_PENDING:
        return version >= 11;
    default:
        return timestamp >= SL_LIST_OFFSETS_EARLIEST;
    }
}

/* False: out of memory. */
static bool answer_offset(struct sl_exchange *x, struct sl_cluster_topic *topic, struct sl_str name,
                          int code, const struct sl_list_offsets_partition *asked,
                          struct sl_list_offsets_partition_response *out) {
    bool execute;
    int forced = sl_machine_forced(x, name, asked->partition, &execute);
    struct sl_cluster_partition *p =
        topic == NULL ? NULL : sl_cluster_partition(topic, asked->partition);
    if (p != NULL)
        code = sl_cluster_judge_leader(&x->c->cluster, p, x->self, asked->current_leader_epoch);
    else if (code == 0)
        code = SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (!is_served_time(asked->timestamp, x->header.version)) {
        sl_machine_complain(x->c, "ListOffsets: timestamp %lld in version %d",
                            (long long)asked->timestamp, (int)x->header.version);
        code = SLUICE_KAFKA_UNSUPPORTED_VERSION;
    }
    if (forced != 0) code = forced;
    out->partition = asked->partition;
    out->error_code = (int16_t)code;
    out->offset = out->timestamp = -1;
    out->leader_epoch = -1;
    return code != 0 || look_offset_up(x, p, asked->timestamp, out) == 0;
}

enum sl_handled sl_handle_list_offsets(struct sl_exchange *x) {
    const struct sl_list_offsets_request *request = x->request;
    struct sl_list_offsets_response *m = x->response;
    if (!sl_machine_array(x, &m->topics, request->topics.count,
                          sizeof(struct sl_list_offsets_topic_response)))
        return SL_HANDLED_CLOSE;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct sl_list_offsets_topic *asked =
            (const struct sl_list_offsets_topic *)request->topics.items + t;
        struct sl_list_offsets_topic_response *out =
            (struct sl_list_offsets_topic_response *)m->topics.items + t;
        int code;
        struct sl_cluster_topic *topic = sl_machine_topic(x, false, asked->name, NULL, &code);
        out->name = asked->name;
        if (!sl_machine_array(x, &out->partitions, asked->partitions.count,
                              sizeof(struct sl_list_offsets_partition_response)))
            return SL_HANDLED_CLOSE;
        const struct sl_list_offsets_partition *p = asked->partitions.items;
        struct sl_list_offsets_partition_response *r = out->partitions.items;
        for (int32_t i = 0; i < asked->partitions.count; i++)
            if (!answer_offset(x, topic, asked->name, code, &p[i], &r[i])) return SL_HANDLED_CLOSE;
    }
    return SL_HANDLED;
}
