/* Damage: answers whose bytes are wrong where the protocol's shapes are right. A Fetch answer gets a
 * flipped bit in one of its record batches, in what the CRC covers or the CRC itself, so that a
 * reader that checks it must notice; any other answer ends too early, while its length says that
 * this is all. And harm: answers that would have a client take gigabytes, or wait for ever.
 *
 * Stored batches are shared: what is damaged is a copy that dies with the answer. */
#include <string.h>

#include "broker/machine.h"
#include "record/record.h"
#include "wire/codec.h"
#include "wire/messages.h"

enum {
    DAMAGE_CUT = 8,   /* bytes that are missing at the end; arbitrary */
    DAMAGE_LEAST = 24 /* a shorter answer is left alone: it would lose its header too */
};

/* Whether a fault is about this partition of an answer. */
static bool is_damage_wanted(const struct sl_exchange *x, const struct sl_fetch_topic_response *t,
                             const struct sl_fetch_partition_response *p) {
    if (p->records.size <= 0) return false;
    int code;
    const struct sl_cluster_topic *topic =
        sl_machine_topic(x, x->header.version >= 13, t->name, &t->topic_id, &code);
    struct sl_str name = topic == NULL ? t->name : sl_bytes_str(topic->name);
    return sl_faults_covers(&x->fault, name, p->partition);
}

static bool flip_record_bit(struct sl_exchange *x, struct sl_records *records) {
    struct sl_arena *memory = &x->answer->memory;
    size_t count = (size_t)records->piece_count;
    struct sl_iov *pieces = sl_arena_array(memory, count, sizeof *pieces);
    if (pieces == NULL) return false;
    memcpy(pieces, records->pieces, count * sizeof *pieces);
    size_t which = (size_t)sl_rng_below(&x->c->rng, count);
    /* A piece no longer than that is the patched front of a batch; the rest of it is next. */
    if (pieces[which].size <= SL_RECORD_CRC) which++;
    struct sl_iov *piece = &pieces[which];
    uint8_t *copy = sl_arena_get(memory, piece->size);
    if (copy == NULL) return false;
    memcpy(copy, piece->data, piece->size);
    size_t at = SL_RECORD_CRC + (size_t)sl_rng_below(&x->c->rng, piece->size - SL_RECORD_CRC);
    copy[at] = (uint8_t)(copy[at] ^ (1U << sl_rng_below(&x->c->rng, 8)));
    piece->data = copy;
    records->pieces = pieces;
    return true;
}

bool sl_damage_records(struct sl_exchange *x) {
    struct sl_fetch_response *m = x->response;
    struct sl_fetch_topic_response *t = m->topics.items;
    for (int32_t i = 0; i < m->topics.count; i++) {
        struct sl_fetch_partition_response *p = t[i].partitions.items;
        for (int32_t k = 0; k < t[i].partitions.count; k++)
            if (is_damage_wanted(x, &t[i], &p[k])) return flip_record_bit(x, &p[k].records);
    }
    return false;
}

bool sl_damage_end(struct sl_exchange *x) {
    struct sl_answer *a = x->answer;
    if (a->head.size < DAMAGE_LEAST) return false;
    a->head.size -= DAMAGE_CUT;
    a->size -= DAMAGE_CUT;
    sl_writer_patch32(&a->head, 0, (int32_t)(a->size - SL_FRAME_PREFIX));
    return true;
}

/* ---- harm ---- */

/* Where the count of the first array stands in the body of an answer; false: there is none behind
 * plain fields alone. */
static bool find_first_count(const struct sl_exchange *x, size_t *at) {
    const struct sl_type *type = x->api->response;
    *at = 0;
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->tag >= 0 || !sl_schema_has(f, x->header.version)) continue;
        if (f->kind == SL_KIND_ARRAY) return true;
        size_t size = sl_codec_fixed_size(f->kind);
        if (size == 0) return false;
        *at += size;
    }
    return false;
}

/* What follows the count goes: whoever believes it would have to wait for the rest, or find it
 * missing. */
static bool promise_gigabytes(struct sl_exchange *x) {
    static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff};
    static const uint8_t huge_flexible[] = {0xff, 0xff, 0xff, 0xff, 0x07};
    struct sl_answer *a = x->answer;
    bool is_flexible = sl_api_is_flexible(x->api, x->header.version);
    size_t at;
    if (!find_first_count(x, &at)) return false;
    at += SL_FRAME_PREFIX + sizeof x->header.correlation;
    if (is_flexible && x->api->key != SL_API_API_VERSIONS) at++; /* the header's tags */
    if (at > a->head.size) return false;
    a->head.size = at;
    a->splice_count = 0;
    sl_writer_raw(&a->head, is_flexible ? huge_flexible : huge,
                  is_flexible ? sizeof huge_flexible : sizeof huge);
    if (a->head.failed) return false;
    a->size = a->head.size;
    sl_writer_patch32(&a->head, 0, (int32_t)(a->size - SL_FRAME_PREFIX));
    return true;
}

bool sl_damage_harm(struct sl_exchange *x) {
    struct sl_answer *a = x->answer;
    if (x->fault.code == SL_FAULT_HARM_COUNT) return promise_gigabytes(x);
    if (x->fault.code == SL_FAULT_HARM_FRAME)
        sl_writer_patch32(&a->head, 0, INT32_MAX);
    else
        a->dribble = (int64_t)x->fault.delay_ms * SL_MACHINE_MILLISECOND;
    return true;
}
