/* A producer for tests: an application that stages records, the whole core, and a scripted broker
 * (core_host.h) whose Produce answers are the test's. Every batch that arrives is checked (CRC,
 * count, offsets), every report is entered in a ledger by tag. Records carry their tag as value,
 * unless a test says otherwise, so the order in a batch can be read. */
#ifndef SL_TEST_CORE_PRODUCER_H
#define SL_TEST_CORE_PRODUCER_H

#include "core_host.h"

#include "core/delivery.h"
#include "core/produce.h"
#include "record/batch_read.h"
#include "record/batch_write.h"
#include "record/compress.h"
#include "record/crc32c.h"

enum { PROD_TAGS = 4096, PROD_PARTS = 160, PROD_LOG = 2048 };

struct prod_part { /* of a Produce request */
    char topic[32];
    struct sl_uuid topic_id;
    int32_t partition;
    struct sl_batch_info info;
    uint32_t bytes_crc; /* over all bytes of the batch: equal bytes, equal number */
    uint64_t first_tag, last_tag;
    /* of the answer */
    int16_t code;
    int64_t base_offset;
    int64_t log_start;
    struct sl_leader_hint hint;
    struct sl_produce_record_error errors[4]; /* record_errors of the answer */
    int32_t error_count;
    const char *message; /* error_message; NULL: null */
    bool omit;
};
struct prod_request {
    struct host_request r;
    int16_t acks;
    int32_t count;
    struct prod_part parts[PROD_PARTS];
};
/* A partition's log as the broker of prod_serve keeps it. */
struct prod_log {
    char topic[32];
    int32_t partition;
    int64_t producer_id;
    int16_t epoch;
    int32_t next_sequence;
    int32_t count;
    uint64_t tags[PROD_LOG];
};
struct prod {
    struct host *h;
    struct sl_staging *staging;
    int reports[PROD_TAGS]; /* how many outcomes the record has had */
    int outcome[PROD_TAGS];
    int code[PROD_TAGS];
    int32_t partition[PROD_TAGS];
    int64_t offset[PROD_TAGS]; /* of the record; -1: not told */
    int64_t written, not_written, maybe_written;
    int64_t next_id;
    struct prod_log logs[PROD_PARTS];
    int log_count;
    bool plain_values;              /* values are not tags */
    bool spends;                    /* reports that were read go back to core … */
    const struct sl_delivery *read; /* … of which this was the last */
    int32_t told;                   /* reports so far … */
    char text[256];                 /* … and what the last one with a text said */
    char texts[16][128];            /* the same for each of the first tags */
};

/* ---- life ---- */

/* A topic "t" of 3 partitions, led by broker 1. Settings may be changed before prod_open. */
static inline struct prod *prod_prepare(void) {
    struct prod *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->h = malloc(sizeof *p->h);
    assert_non_null(p->h);
    host_prepare(p->h, SL_ROLE_PRODUCER);
    p->h->topics[0] = (struct host_topic){
        .name = "t", .id = 7, .partition_count = 3, .leader = 1, .leader_epoch = 5};
    p->h->topic_count = 1;
    p->next_id = 4000;
    return p;
}
static inline int prod_try_open(struct prod *p) {
    int rv = sl_staging_create(&p->h->settings, &p->h->memory.alloc, &p->staging);
    return rv != 0 ? rv : host_create(p->h);
}
static inline struct prod *prod_open(struct prod *p) {
    assert_int_equal(prod_try_open(p), 0);
    return p;
}

/* ---- turns ---- */

static inline void prod_note(struct prod *p, const struct sl_delivery *d) {
    p->told++;
    if (d->text != NULL) (void)snprintf(p->text, sizeof p->text, "%s", d->text);
    for (int32_t i = 0; i < d->count; i++) {
        uint64_t tag = d->tags[i];
        assert_true(tag < PROD_TAGS);
        p->reports[tag]++;
        p->outcome[tag] = d->outcome;
        p->code[tag] = d->code;
        if (tag < 16 && d->text != NULL)
            (void)snprintf(p->texts[tag], sizeof p->texts[tag], "%s", d->text);
        p->partition[tag] = d->partition;
        p->offset[tag] = d->base_offset < 0 ? -1 : d->base_offset + i;
    }
}
/* What the driver does at the end of a turn. */
static inline void prod_collect(struct prod *p) {
    struct sl_events *e = &p->h->events;
    for (struct sl_list *node; (node = sl_list_pop_front(&e->deliveries)) != NULL;) {
        struct sl_delivery *head = SL_LIST_OF(node, struct sl_delivery, node);
        for (const struct sl_delivery *d = head; d != NULL; d = d->more) prod_note(p, d);
        p->read = head;
        struct sl_list spent;
        sl_list_init(&spent);
        sl_list_push_back(&spent, node);
        if (p->spends && sl_delivery_is_plain(head) &&
            sl_staging_spend(p->staging, &spent, sl_delivery_bytes(head)))
            continue;
        sl_list_remove(node);
        sl_delivery_destroy(&p->h->memory.alloc, head);
    }
    (void)sl_staging_give(p->staging, &e->chunks, e->freed_bytes);
    p->written += e->written;
    p->not_written += e->not_written;
    p->maybe_written += e->maybe_written;
    e->freed_bytes = e->written = e->not_written = e->maybe_written = 0;
}
static inline void prod_take_as(struct prod *p, bool all) {
    struct sl_staged staged;
    sl_staging_take(p->staging, p->h->now, all, &staged);
    sl_core_on_time(p->h->core, p->h->now, p->h->now / 1000000);
    sl_core_on_staged(p->h->core, &staged);
}
static inline void prod_take(struct prod *p) { prod_take_as(p, true); }
static inline void prod_turn(struct prod *p) {
    prod_take_as(p, false);
    host_turn(p->h);
    prod_collect(p);
}
static inline void prod_advance(struct prod *p, int64_t ms) {
    prod_turn(p);
    host_advance(p->h, ms);
    prod_collect(p);
}
/* The broker's produce connection is lost, with the requests that lie there. */
static inline void prod_cut(struct prod *p, int32_t broker) {
    host_cut(p->h, host_conn_of(p->h, host_link(p->h, broker, SL_PURPOSE_PRODUCE)->id),
             "reset by peer");
    for (int i = 0; i < p->h->request_count; i++) p->h->requests[i].taken = true;
}

/* Frees all; when everything is decided, the account must be even. */
static inline void prod_end(struct prod *p) {
    if (p->h->core != NULL) {
        prod_collect(p);
        bool is_idle = sl_batcher_pending(p->h->core) == 0 && !sl_staging_has_records(p->staging) &&
                       sl_list_is_empty(&p->h->core->sender.requests);
        if (is_idle) assert_int_equal(sl_staging_used(p->staging), 0);
        struct host *h = p->h;
        sl_core_destroy(h->core);
        h->core = NULL;
    }
    sl_events_deinit(&p->h->events, &p->h->memory.alloc);
    sl_events_init(&p->h->events);
    sl_staging_destroy(p->staging);
    host_end(p->h);
    free(p);
}

/* ---- records ---- */

static inline int prod_put_input(struct prod *p, struct sl_staging_input *in) {
    bool wake;
    return sl_staging_put(p->staging, in, &wake);
}
/* To a partition of topic, -1: without partition and key. The value is the tag. */
static inline int prod_try_put(struct prod *p, const char *topic, int32_t partition, uint64_t tag) {
    struct sl_staging_input in = {.topic = topic,
                                  .value = &tag,
                                  .value_size = sizeof tag,
                                  .tag = tag,
                                  .partition = partition,
                                  .flags = SL_STAGED_KEY_NULL};
    if (partition >= 0) in.flags |= SL_STAGED_PARTITION;
    return prod_put_input(p, &in);
}
static inline void prod_put(struct prod *p, const char *topic, int32_t partition, uint64_t tag) {
    assert_int_equal(prod_try_put(p, topic, partition, tag), 0);
}
/* With a key that is a number. */
static inline int prod_try_put_key(struct prod *p, const char *topic, uint32_t key, uint64_t tag) {
    struct sl_staging_input in = {.topic = topic,
                                  .key = &key,
                                  .key_size = sizeof key,
                                  .value = &tag,
                                  .value_size = sizeof tag,
                                  .tag = tag,
                                  .partition = -1};
    return prod_put_input(p, &in);
}
static inline void prod_command(struct prod *p, enum sl_command_kind kind) {
    prod_take(p);
    sl_core_on_command(p->h->core, host_command_make(p->h, kind, NULL, NULL));
}
static inline struct sl_op *prod_flush(struct prod *p, int64_t timeout_ms) {
    prod_take(p);
    return host_ask(p->h, SL_COMMAND_FLUSH, NULL, timeout_ms);
}

/* Each record of [first, last] has had exactly one outcome, this one. */
static inline void prod_expect(const struct prod *p, uint64_t first, uint64_t last, int outcome) {
    for (uint64_t tag = first; tag <= last; tag++) {
        if (p->reports[tag] != 1) fail_msg("record %d has %d outcomes", (int)tag, p->reports[tag]);
        if (p->outcome[tag] != outcome)
            fail_msg("record %d has outcome %d, code %d", (int)tag, p->outcome[tag], p->code[tag]);
    }
}
static inline void prod_expect_none(const struct prod *p, uint64_t first, uint64_t last) {
    for (uint64_t tag = first; tag <= last; tag++) assert_int_equal(p->reports[tag], 0);
}

/* ---- the broker's side ---- */

/* Answers the oldest InitProducerId. */
static inline void prod_answer_id(struct prod *p, int16_t code, int64_t id, int16_t epoch) {
    struct host_request r = host_next_request(p->h, SL_API_INIT_PRODUCER_ID);
    struct sl_init_producer_id_response answer;
    sl_codec_defaults(&sl_init_producer_id_response_type, &answer);
    answer.error_code = code;
    answer.producer_id = id;
    answer.producer_epoch = epoch;
    host_reply(p->h, &r, &answer);
    host_turn(p->h);
    prod_collect(p);
}

static inline void prod_read_batch(const struct prod *p, const struct sl_records *records,
                                   struct prod_part *part) {
    const uint8_t *data = records->data;
    assert_int_equal(sl_batch_read_info(data, (size_t)records->size, &part->info), 0);
    assert_int_equal(part->info.size, records->size);
    assert_int_equal(part->info.magic, 2);
    assert_int_equal(part->info.last_offset, part->info.record_count - 1);
    assert_int_equal(sl_batch_read_check(data, &part->info), 0);
    part->bytes_crc = sl_crc32c(0, data, (size_t)records->size);
    struct sl_compress *codecs;
    assert_int_equal(sl_compress_create(sl_alloc_default(), &codecs), 0);
    struct sl_writer scratch;
    sl_writer_init(&scratch, sl_alloc_default());
    const uint8_t *plain;
    size_t size;
    assert_int_equal(
        sl_batch_read_records(data, &part->info, codecs, 64 << 20, &scratch, &plain, &size), 0);
    struct sl_batch_walk walk;
    sl_batch_read_start(&walk, &part->info, plain, size);
    struct sl_record_out r;
    int rv;
    for (int32_t i = 0; (rv = sl_batch_read_next(&walk, &r)) == 1; i++) {
        if (p->plain_values) continue;
        uint64_t tag;
        assert_true(r.value_size >= (int32_t)sizeof tag);
        memcpy(&tag, r.value, sizeof tag);
        if (i == 0) part->first_tag = tag;
        part->last_tag = tag;
    }
    assert_int_equal(rv, 0);
    sl_writer_deinit(&scratch);
    sl_compress_destroy(codecs);
}

/* Decodes what is asked; the answer is a success until the test says otherwise. */
static inline void prod_decode(struct prod *p, struct prod_request *out) {
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_produce_request *message = host_decode(&out->r, &arena);
    out->count = 0;
    out->acks = message->acks;
    const struct sl_produce_topic *topics = message->topics.items;
    for (int32_t i = 0; i < message->topics.count; i++) {
        const struct sl_produce_partition *parts = topics[i].partitions.items;
        for (int32_t j = 0; j < topics[i].partitions.count; j++) {
            assert_true(out->count < PROD_PARTS);
            struct prod_part *part = &out->parts[out->count++];
            memset(part, 0, sizeof *part);
            const char *name = "";
            int size = 0;
            if (out->r.header.version < 13) {
                name = topics[i].name.data;
                size = topics[i].name.size;
            } else {
                for (int k = 0; k < p->h->topic_count; k++) {
                    if (p->h->topics[k].id != topics[i].topic_id.bytes[0]) continue;
                    name = p->h->topics[k].name;
                    size = (int)strlen(name);
                }
            }
            (void)snprintf(part->topic, sizeof part->topic, "%.*s", size, name);
            part->topic_id = topics[i].topic_id;
            part->partition = parts[j].partition;
            part->log_start = -1;
            part->hint = (struct sl_leader_hint){-1, -1};
            prod_read_batch(p, &parts[j].records, part);
        }
    }
    sl_arena_deinit(&arena);
}
static inline int prod_waiting(const struct prod *p) {
    return host_count_requests(p->h, SL_API_PRODUCE);
}
/* The oldest Produce request that has no answer yet. */
static inline void prod_next(struct prod *p, struct prod_request *out) {
    out->r = host_next_request(p->h, SL_API_PRODUCE);
    prod_decode(p, out);
}
static inline struct prod_log *prod_log(struct prod *p, const char *topic, int32_t partition) {
    for (int i = 0; i < p->log_count; i++)
        if (strcmp(p->logs[i].topic, topic) == 0 && p->logs[i].partition == partition)
            return &p->logs[i];
    assert_true(p->log_count < PROD_PARTS);
    struct prod_log *log = &p->logs[p->log_count++];
    (void)snprintf(log->topic, sizeof log->topic, "%s", topic);
    log->partition = partition;
    log->producer_id = -1;
    return log;
}

/* What the test's own success leaves in the log: sequences go on behind it. */
static inline void prod_follow(struct prod *p, const struct prod_part *part) {
    if (part->info.producer_id < 0) return;
    struct prod_log *log = prod_log(p, part->topic, part->partition);
    log->producer_id = part->info.producer_id;
    log->epoch = part->info.producer_epoch;
    log->next_sequence = sl_batch_write_sequence(part->info.base_sequence, part->info.record_count);
}
static inline void prod_reply_with(struct prod *p, const struct prod_request *q,
                                   int32_t throttle_ms) {
    struct sl_produce_topic_response topics[PROD_PARTS];
    struct sl_produce_partition_response parts[PROD_PARTS];
    int32_t count = 0;
    for (int32_t i = 0; i < q->count; i++) {
        const struct prod_part *part = &q->parts[i];
        if (part->omit) continue;
        if (part->code == 0) prod_follow(p, part);
        memset(&parts[count], 0, sizeof parts[count]);
        parts[count].log_append_ms = -1;
        parts[count].error_message = SL_STR_NULL;
        if (part->message != NULL) parts[count].error_message = sl_bytes_str(part->message);
        parts[count].record_errors =
            (struct sl_array){(void *)(uintptr_t)part->errors, part->error_count};
        parts[count].partition = part->partition;
        parts[count].error_code = part->code;
        parts[count].base_offset = part->code == 0 ? part->base_offset : -1;
        parts[count].log_start_offset = part->log_start;
        parts[count].current_leader = part->hint;
        memset(&topics[count], 0, sizeof topics[count]);
        topics[count].name = sl_bytes_str(part->topic);
        topics[count].topic_id = part->topic_id;
        topics[count].partitions = (struct sl_array){&parts[count], 1};
        count++;
    }
    struct sl_produce_response answer;
    sl_codec_defaults(&sl_produce_response_type, &answer);
    answer.topics = (struct sl_array){topics, count};
    answer.throttle_ms = throttle_ms;
    host_reply(p->h, &q->r, &answer);
}
static inline void prod_reply(struct prod *p, const struct prod_request *q) {
    prod_reply_with(p, q, 0);
    host_turn(p->h);
    prod_collect(p);
}
/* Takes the oldest request and answers every partition of it with this code. */
static inline void prod_answer(struct prod *p, struct prod_request *q, int16_t code,
                               int64_t base_offset) {
    prod_next(p, q);
    for (int32_t i = 0; i < q->count; i++) {
        q->parts[i].code = code;
        q->parts[i].base_offset = base_offset;
    }
    prod_reply(p, q);
}

/* ---- a broker of its own ---- */

/* Appends as an idempotent broker does, without a cache of batches: a gap is refused, and what is
 * behind the end is known already. */
static inline void prod_append(struct prod *p, struct prod_part *part,
                               const struct host_request *r) {
    struct prod_log *log = prod_log(p, part->topic, part->partition);
    struct sl_batch_info *info = &part->info;
    if (info->producer_id >= 0) {
        bool is_new = info->producer_id != log->producer_id || info->producer_epoch > log->epoch;
        if (is_new) {
            log->producer_id = info->producer_id;
            log->epoch = info->producer_epoch;
            log->next_sequence = 0;
        }
        if (info->base_sequence < log->next_sequence) {
            part->code = SLUICE_KAFKA_DUPLICATE_SEQUENCE_NUMBER;
            return;
        }
        if (info->base_sequence > log->next_sequence) {
            part->code = SLUICE_KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
            return;
        }
        log->next_sequence += info->record_count;
    }
    part->base_offset = log->count;
    struct sl_arena arena;
    struct sl_compress *codecs;
    struct sl_writer scratch;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    sl_writer_init(&scratch, sl_alloc_default());
    assert_int_equal(sl_compress_create(sl_alloc_default(), &codecs), 0);
    const struct sl_produce_request *message = host_decode(r, &arena);
    const struct sl_produce_topic *topics = message->topics.items;
    for (int32_t i = 0; i < message->topics.count; i++) {
        const struct sl_produce_partition *parts = topics[i].partitions.items;
        for (int32_t j = 0; j < topics[i].partitions.count; j++) {
            if (parts[j].partition != part->partition) continue;
            if (!sl_bytes_str_equal(topics[i].name, sl_bytes_str(part->topic)) &&
                !sl_bytes_uuid_equal(&topics[i].topic_id, &part->topic_id))
                continue;
            struct sl_batch_walk walk;
            const uint8_t *records;
            size_t size;
            assert_int_equal(sl_batch_read_records(parts[j].records.data, info, codecs, 1 << 20,
                                                   &scratch, &records, &size),
                             0);
            sl_batch_read_start(&walk, info, records, size);
            struct sl_record_out out;
            while (sl_batch_read_next(&walk, &out) == 1) {
                assert_true(log->count < PROD_LOG);
                memcpy(&log->tags[log->count++], out.value, sizeof log->tags[0]);
            }
        }
    }
    sl_compress_destroy(codecs);
    sl_writer_deinit(&scratch);
    sl_arena_deinit(&arena);
}

/* Makes room for more, once everything is answered. */
static inline void prod_forget_requests(struct prod *p) {
    for (int i = 0; i < p->h->request_count; i++)
        if (!p->h->requests[i].replied) return;
    for (int i = 0; i < p->h->request_count; i++) free(p->h->requests[i].body);
    p->h->request_count = 0;
}

/* Answers everything that waits, as a healthy cluster would, until nothing comes any more. */
static inline void prod_serve(struct prod *p) {
    static struct prod_request q;
    prod_turn(p);
    for (;;) {
        if (host_count_requests(p->h, SL_API_INIT_PRODUCER_ID) > 0)
            prod_answer_id(p, 0, p->next_id++, 0);
        else if (prod_waiting(p) > 0) {
            prod_next(p, &q);
            for (int32_t i = 0; i < q.count; i++) prod_append(p, &q.parts[i], &q.r);
            if (q.acks != 0)
                prod_reply(p, &q);
            else
                p->h->requests[q.r.index].replied = true;
        } else
            break;
        prod_forget_requests(p);
    }
}
/* The same while that much time passes, ten milliseconds at a time. */
static inline void prod_serve_for(struct prod *p, int64_t ms) {
    for (int64_t at = 0; at < ms; at += 10) {
        prod_serve(p);
        prod_advance(p, 10);
    }
    prod_serve(p);
}

#endif
