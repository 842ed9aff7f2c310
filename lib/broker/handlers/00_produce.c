/* Produce (key 0), versions 3 to 13. One batch per partition, checked strictly: what a real broker
 * refuses is refused with its code, and the complaint names the field. acks=0 is answered with
 * nothing, an error of it with the end of the connection. */
#include "broker/machine.h"
#include "record/batch_read.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

/* Counts the records of a batch and checks that their offsets are 0 … n - 1. */
static const char *judge_records(struct sl_exchange *x, const uint8_t *data,
                                 const struct sl_batch_info *info) {
    struct sl_writer scratch;
    struct sl_batch_walk walk;
    struct sl_record_out record;
    const uint8_t *records;
    size_t size;
    const char *wrong = NULL;
    int32_t count = 0;
    int rv;
    sl_writer_init(&scratch, x->c->alloc);
    rv = sl_batch_read_records(data, info, x->c->codecs, (size_t)x->c->options.max_frame, &scratch,
                               &records, &size);
    if (rv != 0) {
        wrong = "records cannot be decompressed";
    } else {
        sl_batch_read_start(&walk, info, records, size);
        while ((rv = sl_batch_read_next(&walk, &record)) == 1)
            if (record.offset != info->base_offset + count++)
                wrong = "offset deltas are not 0 … n-1";
        if (rv != 0) wrong = "a record is malformed, or the record count is wrong";
    }
    sl_writer_deinit(&scratch);
    return wrong;
}

/* What is wrong with the bytes of a partition, and with which code; NULL: nothing. */
static const char *judge_batch(struct sl_exchange *x, const struct sl_records *records,
                               struct sl_batch_info *info, int *code) {
    *code = SLUICE_KAFKA_INVALID_RECORD;
    if (records->size <= 0) return "no record batch";
    int rv = sl_batch_read_info(records->data, (size_t)records->size, info);
    if (rv == SLUICE_ERR_UNSUPPORTED) {
        *code = SLUICE_KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT;
        return "magic is not 2";
    }
    *code = SLUICE_KAFKA_CORRUPT_MESSAGE;
    if (rv != 0) return "the batch length or count cannot be";
    if (x->c->options.bench) {
        *code = 0;
        return NULL;
    }
    if (sl_batch_read_check(records->data, info) != 0) return "the CRC is wrong";
    *code = SLUICE_KAFKA_INVALID_RECORD;
    if (info->size != records->size) return "more than one batch";
    if (info->base_offset != 0) return "baseOffset is not 0";
    if ((info->attributes & SL_RECORD_CONTROL) != 0) return "the control bit is set";
    if ((info->attributes & SL_RECORD_LOG_APPEND_TIME) != 0) return "the timestamp type is not 0";
    if (info->record_count < 1 || info->last_offset != info->record_count - 1)
        return "lastOffsetDelta is not recordCount - 1";
    const char *wrong = judge_records(x, records->data, info);
    if (wrong != NULL) return wrong;
    *code = SLUICE_KAFKA_MESSAGE_TOO_LARGE;
    if (info->size > x->c->options.message_max) return "the batch is over message.max.bytes";
    *code = 0;
    return NULL;
}

/* Appends, or finds that it is there already. 0 and *base_offset, or a code. */
static int append_batch(struct sl_exchange *x, struct sl_cluster_partition *p,
                        const struct sl_records *records, const struct sl_batch_info *info,
                        int64_t *base_offset) {
    if (info->producer_id >= 0) {
        int rv = sl_producers_judge(&p->producers, info->producer_id, info->producer_epoch,
                                    info->base_sequence, info->record_count, base_offset);
        if (rv == SLUICE_KAFKA_DUPLICATE_SEQUENCE_NUMBER) return 0;
        if (rv != 0) return rv;
        rv = sl_producers_reserve(&p->producers, info->producer_id);
        if (rv != 0) return rv;
    }
    if (x->c->options.bench) {
        *base_offset = sl_log_advance(&p->log, info->record_count);
    } else {
        int rv = sl_log_append(&p->log, records->data, info, p->leader_epoch, base_offset);
        if (rv != 0) return rv;
    }
    if (info->producer_id >= 0)
        sl_producers_note(&p->producers, info->producer_id, info->producer_epoch,
                          info->base_sequence, info->record_count, *base_offset);
    x->c->cluster.changes++;
    sl_trace_add(&x->c->trace, SL_TRACE_BROKER_APPEND, x->c->now, p->index, *base_offset);
    return 0;
}

/* False: out of memory. */
static bool produce_partition(struct sl_exchange *x, struct sl_cluster_topic *topic,
                              struct sl_str name, int code,
                              const struct sl_produce_partition *asked,
                              struct sl_produce_partition_response *out) {
    struct sl_batch_info info;
    bool execute;
    struct sl_cluster_partition *p =
        topic == NULL ? NULL : sl_cluster_partition(topic, asked->partition);
    int forced = sl_machine_forced(x, name, asked->partition, &execute);
    out->partition = asked->partition;
    out->base_offset = out->log_append_ms = out->log_start_offset = -1;
    out->current_leader = (struct sl_leader_hint){-1, -1};
    out->error_message = SL_STR_NULL;
    if (p == NULL && code == 0) code = SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (p != NULL && execute) {
        code = sl_cluster_judge_leader(&x->c->cluster, p, x->self, -1);
        const char *wrong = code != 0 ? NULL : judge_batch(x, &asked->records, &info, &code);
        if (wrong != NULL) {
            sl_machine_complain(x->c, "Produce %s-%d: %s", topic->name, (int)asked->partition,
                                wrong);
            out->error_message = sl_bytes_str(wrong);
        }
        if (code == 0) code = append_batch(x, p, &asked->records, &info, &out->base_offset);
        if (code == SLUICE_ERR_NOMEM) return false;
    }
    if (forced != 0) code = forced;
    out->error_code = (int16_t)code;
    if (code != 0) out->base_offset = -1;
    if (p == NULL) return true;
    out->log_start_offset = code == 0 ? p->log.start : -1;
    if (code == SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER && p->leader >= 0)
        out->current_leader = (struct sl_leader_hint){p->leader, p->leader_epoch};
    return true;
}

enum sl_handled sl_handle_produce(struct sl_exchange *x) {
    const struct sl_produce_request *request = x->request;
    struct sl_produce_response *m = x->response;
    bool failed = false, hints = false;
    if (!sl_machine_array(x, &m->topics, request->topics.count,
                          sizeof(struct sl_produce_topic_response)))
        return SL_HANDLED_CLOSE;
    for (int32_t t = 0; t < request->topics.count; t++) {
        const struct sl_produce_topic *asked =
            (const struct sl_produce_topic *)request->topics.items + t;
        struct sl_produce_topic_response *out =
            (struct sl_produce_topic_response *)m->topics.items + t;
        int code;
        struct sl_cluster_topic *topic =
            sl_machine_topic(x, x->header.version >= 13, asked->name, &asked->topic_id, &code);
        struct sl_str name = topic == NULL ? asked->name : sl_bytes_str(topic->name);
        out->name = asked->name;
        out->topic_id = asked->topic_id;
        if (!sl_machine_array(x, &out->partitions, asked->partitions.count,
                              sizeof(struct sl_produce_partition_response)))
            return SL_HANDLED_CLOSE;
        const struct sl_produce_partition *p = asked->partitions.items;
        struct sl_produce_partition_response *r = out->partitions.items;
        for (int32_t i = 0; i < asked->partitions.count; i++) {
            if (!produce_partition(x, topic, name, code, &p[i], &r[i])) return SL_HANDLED_CLOSE;
            failed |= r[i].error_code != 0;
            hints |= r[i].current_leader.leader_id >= 0;
        }
    }
    if (hints && !sl_machine_endpoints(x, &m->node_endpoints)) return SL_HANDLED_CLOSE;
    if (request->acks == 0) return failed ? SL_HANDLED_CLOSE : SL_HANDLED_NOTHING;
    return SL_HANDLED;
}
