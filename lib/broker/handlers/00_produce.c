/* Produce (key 0), versions 3 to 13. One batch per partition, checked strictly: what a real broker
 * refuses is refused with its code, and the complaint names the field. acks=0 is answered with
 * nothing, an error of it with the end of the connection. */
#include "broker/machine.h"
#include "record/batch_read.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages.h"

enum { PRODUCE_ZSTD_SINCE = 7 };

/* What a real broker lets pass, and so do we; only the complaint tells. */
static void frown_at_batch(struct sl_exchange *x, const struct sl_batch_info *info,
                           int64_t max_timestamp) {
    enum { ATTRIBUTES_USED = 0x7f };
    if ((info->attributes & ~ATTRIBUTES_USED) != 0)
        sl_machine_complain(x->c, "Produce: unused bits of attributes are set");
    if (info->max_timestamp != max_timestamp)
        sl_machine_complain(x->c, "Produce: maxTimestamp is not that of the records");
    if (info->producer_id < 0 && (info->base_sequence >= 0 || info->producer_epoch >= 0))
        sl_machine_complain(x->c, "Produce: baseSequence or producerEpoch without producerId");
}

/* Walks the records: as many as the header says, with the offsets 0 … n - 1. 0 or a code, with
 * *wrong, or NOMEM. */
static int judge_records(struct sl_exchange *x, const uint8_t *data,
                         const struct sl_batch_info *info, const char **wrong) {
    struct sl_writer scratch;
    struct sl_batch_walk walk;
    struct sl_record_out record;
    const uint8_t *records;
    size_t size;
    int64_t max_timestamp = INT64_MIN;
    int32_t count = 0;
    int code = 0;
    sl_writer_init(&scratch, x->c->alloc);
    int rv = sl_batch_read_records(data, info, x->c->codecs, (size_t)x->c->options.max_frame,
                                   &scratch, &records, &size);
    if (rv == SLUICE_ERR_NOMEM) {
        code = rv;
    } else if (rv != 0) {
        code = SLUICE_KAFKA_CORRUPT_MESSAGE;
        *wrong = "records cannot be decompressed";
    } else {
        sl_batch_read_start(&walk, info, records, size);
        while ((rv = sl_batch_read_next(&walk, &record)) == 1) {
            if (record.timestamp > max_timestamp) max_timestamp = record.timestamp;
            if (record.offset != count++) *wrong = "an offsetDelta is not the record's place";
        }
        if (rv != 0) *wrong = "a record is malformed, or recordCount is wrong";
        if (*wrong != NULL) code = SLUICE_KAFKA_INVALID_RECORD;
    }
    sl_writer_deinit(&scratch);
    if (code == 0) frown_at_batch(x, info, max_timestamp);
    return code;
}

/* Names every record without a key, for a topic that takes none. 0, INVALID_RECORD, or NOMEM. The
 * records have been walked before. */
static int judge_keys(struct sl_exchange *x, const uint8_t *data, const struct sl_batch_info *info,
                      struct sl_produce_partition_response *out) {
    struct sl_writer scratch;
    struct sl_batch_walk walk;
    struct sl_record_out record;
    const uint8_t *records;
    size_t size;
    if (!sl_machine_array(x, &out->record_errors, info->record_count,
                          sizeof(struct sl_produce_record_error)))
        return SLUICE_ERR_NOMEM;
    struct sl_produce_record_error *errors = out->record_errors.items;
    out->record_errors.count = 0;
    sl_writer_init(&scratch, x->c->alloc);
    int rv = sl_batch_read_records(data, info, x->c->codecs, (size_t)x->c->options.max_frame,
                                   &scratch, &records, &size);
    if (rv == 0) sl_batch_read_start(&walk, info, records, size);
    for (int32_t at = 0; rv == 0 && sl_batch_read_next(&walk, &record) == 1; at++) {
        if (record.key_size >= 0) continue;
        errors[out->record_errors.count++] =
            (struct sl_produce_record_error){at, SL_STR("no key, and the topic is compacted")};
    }
    sl_writer_deinit(&scratch);
    if (rv != 0) return rv;
    if (out->record_errors.count == 0) return 0;
    out->error_message = SL_STR("some records were refused");
    return SLUICE_KAFKA_INVALID_RECORD;
}

/* The rules for fields of the header. 0, or a code with *wrong. */
static int judge_header(struct sl_exchange *x, const struct sl_batch_info *info,
                        const char **wrong) {
    int codec = info->attributes & SL_RECORD_CODEC_MASK;
    *wrong = info->base_offset != 0                                ? "baseOffset is not 0"
             : (info->attributes & SL_RECORD_CONTROL) != 0         ? "the control bit is set"
             : (info->attributes & SL_RECORD_LOG_APPEND_TIME) != 0 ? "the timestamp type is not 0"
             : codec >= SL_CODEC_COUNT                             ? "the codec is none of 0 to 4"
             : info->record_count < 1 || info->last_offset != info->record_count - 1
                 ? "lastOffsetDelta is not recordCount - 1"
             : info->producer_id >= 0 && info->producer_epoch < 0 ? "producerEpoch is missing"
             : info->producer_id >= 0 && info->base_sequence < 0  ? "baseSequence is missing"
                                                                  : NULL;
    if (*wrong != NULL) return SLUICE_KAFKA_INVALID_RECORD;
    if (codec == SL_CODEC_ZSTD && x->header.version < PRODUCE_ZSTD_SINCE) {
        *wrong = "zstd before version 7";
        return SLUICE_KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
    }
    return 0;
}

/* What is wrong with the bytes of a partition: 0, a code with *wrong, or NOMEM. */
static int judge_batch(struct sl_exchange *x, const struct sl_records *records,
                       struct sl_batch_info *info, const char **wrong) {
    if (records->size <= 0) {
        *wrong = "no record batch";
        return SLUICE_KAFKA_INVALID_RECORD;
    }
    int rv = sl_batch_read_info(records->data, (size_t)records->size, info);
    if (rv == SLUICE_ERR_UNSUPPORTED) {
        *wrong = "magic is not 2";
        return SLUICE_KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT;
    }
    if (rv != 0) {
        *wrong = rv == SL_BATCH_CUT ? "batchLength is beyond the bytes there are"
                                    : "a length or count of the batch cannot be";
        return SLUICE_KAFKA_CORRUPT_MESSAGE;
    }
    if (x->c->options.bench) return 0;
    if (info->size != records->size) {
        *wrong = "more than one batch";
        return SLUICE_KAFKA_INVALID_RECORD;
    }
    if (info->size > x->c->options.message_max) {
        *wrong = "the batch is over message.max.bytes";
        return SLUICE_KAFKA_MESSAGE_TOO_LARGE;
    }
    if (sl_batch_read_check(records->data, info) != 0) {
        *wrong = "crc is wrong";
        return SLUICE_KAFKA_CORRUPT_MESSAGE;
    }
    rv = judge_header(x, info, wrong);
    return rv != 0 ? rv : judge_records(x, records->data, info, wrong);
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
    x->c->written_records += info->record_count;
    x->c->written_bytes += info->size;
    sl_trace_add(&x->c->trace, SL_TRACE_BROKER_APPEND, x->c->now, p->index, *base_offset);
    return 0;
}

/* Judges and appends. 0, a code, or NOMEM. */
static int execute_produce(struct sl_exchange *x, struct sl_cluster_partition *p,
                           const struct sl_produce_partition *asked,
                           struct sl_produce_partition_response *out) {
    const struct sl_produce_request *request = x->request;
    struct sl_batch_info info;
    const char *wrong = NULL;
    if (request->acks < -1 || request->acks > 1) {
        sl_machine_complain(x->c, "Produce: acks is %d", (int)request->acks);
        return SLUICE_KAFKA_INVALID_REQUIRED_ACKS;
    }
    int code = sl_cluster_judge_leader(&x->c->cluster, p, x->self, -1);
    if (code != 0) return code;
    code = judge_batch(x, &asked->records, &info, &wrong);
    if (wrong != NULL) {
        sl_machine_complain(x->c, "Produce %s-%d: %s", p->topic->name, (int)p->index, wrong);
        out->error_message = sl_bytes_str(wrong);
    }
    if (code == 0 && p->topic->compacted) code = judge_keys(x, asked->records.data, &info, out);
    return code != 0 ? code : append_batch(x, p, &asked->records, &info, &out->base_offset);
}

/* A scripted INVALID_RECORD is about records: the first and the last (KIP-467). False: out of
 * memory. */
static bool name_records(struct sl_exchange *x, const struct sl_records *records,
                         struct sl_produce_partition_response *out) {
    struct sl_batch_info info;
    if (records->size <= 0 || sl_batch_read_info(records->data, (size_t)records->size, &info) != 0)
        return true;
    int32_t count = info.record_count > 1 ? 2 : 1;
    if (!sl_machine_array(x, &out->record_errors, count, sizeof(struct sl_produce_record_error)))
        return false;
    struct sl_produce_record_error *errors = out->record_errors.items;
    errors[0] = (struct sl_produce_record_error){0, SL_STR("scripted: the first record")};
    if (count == 2)
        errors[1] = (struct sl_produce_record_error){info.record_count - 1,
                                                     SL_STR("scripted: the last record")};
    out->error_message = SL_STR("scripted: some records were refused");
    return true;
}

/* topic NULL: there is none, and topic_code says how. False: out of memory. */
static bool produce_partition(struct sl_exchange *x, struct sl_cluster_topic *topic,
                              struct sl_str name, int topic_code,
                              const struct sl_produce_partition *asked,
                              struct sl_produce_partition_response *out) {
    bool execute;
    struct sl_cluster_partition *p = sl_cluster_partition(topic, asked->partition);
    int forced = sl_machine_forced(x, name, asked->partition, &execute);
    int code = topic == NULL ? topic_code : SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    out->partition = asked->partition;
    out->base_offset = out->log_append_ms = out->log_start_offset = -1;
    out->current_leader = (struct sl_leader_hint){-1, -1};
    out->error_message = SL_STR_NULL;
    if (p != NULL && execute) code = execute_produce(x, p, asked, out);
    if (code == SLUICE_ERR_NOMEM) return false;
    if (forced != 0) code = forced;
    out->error_code = (int16_t)code;
    if (code != 0) out->base_offset = -1;
    if (forced == SLUICE_KAFKA_INVALID_RECORD && !name_records(x, &asked->records, out))
        return false;
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
