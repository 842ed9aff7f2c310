/* Producing: checks, and the way into staging (core/staging.h), where the record is copied under
 * the inbox latch. Nothing is allocated on the way unless headers are long. */
#include <stddef.h>
#include <string.h>

#include "api/client.h"
#include "api/deliveries.h"
#include "api/input.h"
#include "base/hot.h"
#include "core/delivery.h"
#include "core/partitioner.h"
#include "sluice/config.h"
#include "sluice/producer.h"

/* Keeps why for explain, of what no client could send: the others are told where they are staged. */
SL_APART static void remember_input(sluice_client *producer, int rv) {
    if (rv == SLUICE_ERR_TOO_BIG)
        sl_client_remember(producer, rv,
                           "a record has 65535 headers at most, and key, value and headers take "
                           "2147483647 bytes at most");
}

/* ---- one record ---- */

SL_HOT int sluice_producer_send(sluice_client *producer, const char *topic, const void *key,
                                size_t key_size, const void *value, size_t value_size,
                                int32_t timeout_ms) {
    struct sl_staging_input input;
    int rv = sl_client_expect(producer, SLUICE_PRODUCER);
    if (rv != 0) return rv;
    if (timeout_ms < SLUICE_TIMEOUT_DEFAULT) return SLUICE_ERR_USAGE;
    rv = sl_input_fill(&input, topic, key, key_size, value, value_size);
    if (rv == 0) return sl_client_stage(producer, &input, timeout_ms);
    remember_input(producer, rv);
    return rv;
}

static int send_record(sluice_client *producer, const sluice_record *record, size_t size,
                       int32_t timeout_ms, uint16_t flags) {
    struct sl_input in;
    if (record == NULL || size != sizeof *record || timeout_ms < SLUICE_TIMEOUT_DEFAULT)
        return SLUICE_ERR_USAGE;
    const struct sl_alloc *alloc = sl_client_alloc(producer);
    int rv = sl_input_init(&in, record, alloc);
    if (rv != 0) {
        remember_input(producer, rv);
        return rv;
    }
    in.input.flags |= flags;
    rv = sl_client_stage(producer, &in.input, timeout_ms);
    sl_input_deinit(&in, alloc);
    return rv;
}

SL_HOT int sluice_producer_send_record(sluice_client *producer, const sluice_record *record,
                                       size_t size, int32_t timeout_ms) {
    int rv = sl_client_expect(producer, SLUICE_PRODUCER);
    return rv != 0 ? rv : send_record(producer, record, size, timeout_ms, 0);
}

int sluice_producer_send_borrowed(sluice_client *producer, const sluice_record *record, size_t size,
                                  int32_t timeout_ms) {
    int rv = sl_client_expect(producer, SLUICE_PRODUCER);
    if (rv != 0) return rv;
    if (sl_client_settings(producer)->reports != SL_REPORTS_ALL) return SLUICE_ERR_USAGE;
    return send_record(producer, record, size, timeout_ms, SL_STAGED_BORROWED);
}

/* ---- one record, and its outcome ---- */

static int code_of_outcome(const struct sl_delivery *d) {
    if (d->outcome == SL_OUTCOME_WRITTEN) return 0;
    return d->outcome == SL_OUTCOME_NOT_WRITTEN ? SLUICE_ERR_NOT_WRITTEN : SLUICE_ERR_MAYBE_WRITTEN;
}

/* Keeps why for explain. */
static void remember_outcome(sluice_client *producer, const struct sl_delivery *d) {
    char buf[400];
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    sl_text_printf(&text, "%.249s-%d: %s: %s", d->topic, (int)d->partition,
                   sluice_error_name(d->code),
                   d->text != NULL ? d->text : sluice_error_text(d->code));
    sl_client_remember(producer, code_of_outcome(d), buf);
}

int sluice_producer_write(sluice_client *producer, const sluice_record *record, size_t size,
                          int32_t timeout_ms, sluice_delivery *out, size_t out_size) {
    struct sl_input in;
    struct sl_delivery *d;
    int rv = sl_client_expect(producer, SLUICE_PRODUCER);
    if (rv != 0) return rv;
    if (record == NULL || size != sizeof *record || timeout_ms < SLUICE_TIMEOUT_DEFAULT ||
        (out != NULL && out_size != sizeof *out))
        return SLUICE_ERR_USAGE;
    const struct sl_alloc *alloc = sl_client_alloc(producer);
    rv = sl_input_init(&in, record, alloc);
    if (rv != 0) {
        remember_input(producer, rv);
        return rv;
    }
    rv = sl_client_write(producer, &in.input, timeout_ms, &d);
    sl_input_deinit(&in, alloc);
    if (rv != 0) return rv;
    rv = code_of_outcome(d);
    if (rv != 0) remember_outcome(producer, d);
    if (out != NULL) {
        sl_deliveries_fill(d, out);
        out->tags = NULL;
        out->text = NULL;
    }
    sl_delivery_destroy(alloc, d);
    return rv;
}

/* ---- many ---- */

/* Where record `index` of a packed struct lies. */
struct packed_place {
    const sluice_packed *packed;
    size_t at; /* in data */
    int32_t index;
};

/* Takes what the caller knows of the struct, which ended before its last columns once; the rest is
 * absent. 0 or USAGE. */
static int copy_packed(sluice_packed *k, const sluice_packed *given, size_t size) {
    const size_t first_size = offsetof(sluice_packed, partitions);
    if (given == NULL || (size != first_size && size != sizeof *k)) return SLUICE_ERR_USAGE;
    memset(k, 0, sizeof *k);
    memcpy(k, given, size);
    if (k->count < 0 || k->reserved != 0 || (k->set & ~(uint32_t)SLUICE_SET_PARTITION) != 0)
        return SLUICE_ERR_USAGE;
    if ((k->set & SLUICE_SET_PARTITION) == 0 ? k->partition != 0 : k->partition < 0)
        return SLUICE_ERR_USAGE;
    if (k->partitions != NULL && k->set != 0) return SLUICE_ERR_USAGE;
    if (k->tags != NULL && k->first_tag != 0) return SLUICE_ERR_USAGE;
    return k->data == NULL && k->data_size > 0 ? SLUICE_ERR_USAGE : 0;
}

/* The next piece of data of a column's size; -1 and absent columns take none. False: there is not
 * as much left, or the size makes no sense. */
static bool take_packed_field(struct packed_place *place, const int32_t *sizes, const void **data,
                              int32_t *size) {
    const sluice_packed *k = place->packed;
    *size = sizes == NULL ? -1 : sizes[place->index];
    *data = NULL;
    if (*size < 0) return *size == -1;
    if ((size_t)*size > k->data_size - place->at) return false;
    *data = *size == 0 ? "" : (const char *)k->data + place->at;
    place->at += (size_t)*size;
    return true;
}

/* What a record has beside its bytes. 0 or USAGE. */
static int fill_packed_columns(const sluice_packed *k, int32_t index,
                               struct sl_staging_input *out) {
    int32_t partition = (k->set & SLUICE_SET_PARTITION) != 0 ? k->partition : -1;
    if (k->partitions != NULL) partition = k->partitions[index];
    if (partition < -1) return SLUICE_ERR_USAGE;
    if (partition >= 0) {
        out->partition = partition;
        out->flags |= SL_STAGED_PARTITION;
    }
    if (k->timestamps_ms != NULL) {
        if (k->timestamps_ms[index] < 0) return SLUICE_ERR_USAGE;
        out->timestamp_ms = k->timestamps_ms[index];
        out->flags |= SL_STAGED_TIMESTAMP;
    }
    out->tag = k->tags != NULL ? k->tags[index] : k->first_tag + (uint64_t)index;
    return 0;
}

/* The record at the place, which moves on. 0, USAGE or TOO_BIG. */
static int fill_packed(struct packed_place *place, struct sl_staging_input *out) {
    const sluice_packed *k = place->packed;
    const void *headers;
    const void *key;
    const void *value;
    int32_t headers_size;
    int32_t key_size;
    int32_t value_size;
    if (!take_packed_field(place, k->header_sizes, &headers, &headers_size) ||
        !take_packed_field(place, k->key_sizes, &key, &key_size) ||
        !take_packed_field(place, k->value_sizes, &value, &value_size))
        return SLUICE_ERR_USAGE;
    int rv = sl_input_fill(out, k->topic, key, key_size > 0 ? (size_t)key_size : 0, value,
                           value_size > 0 ? (size_t)value_size : 0);
    if (rv != 0) return rv;
    if (headers_size > 0) {
        int32_t count = sl_input_count_headers(headers, (size_t)headers_size);
        if (count < 0) return SLUICE_ERR_USAGE;
        out->headers = headers;
        out->headers_size = (uint32_t)headers_size;
        out->header_count = (uint16_t)count;
    }
    if (k->value_sizes != NULL && value_size < 0) out->flags |= SL_STAGED_VALUE_NULL;
    return fill_packed_columns(k, place->index++, out);
}

/* Steps over the records that were accepted by an earlier call. */
static int skip_packed(struct packed_place *place, int32_t to) {
    const void *data;
    int32_t size;
    const sluice_packed *k = place->packed;
    for (; place->index < to; place->index++)
        if (!take_packed_field(place, k->header_sizes, &data, &size) ||
            !take_packed_field(place, k->key_sizes, &data, &size) ||
            !take_packed_field(place, k->value_sizes, &data, &size))
            return SLUICE_ERR_USAGE;
    return 0;
}

int sluice_producer_send_packed(sluice_client *producer, const sluice_packed *packed, size_t size,
                                int32_t *next, int32_t timeout_ms) {
    enum { AT_ONCE = 64 }; /* records under one lock: 256 were no faster */
    struct sl_staging_input inputs[AT_ONCE];
    sluice_packed k;
    int rv = sl_client_expect(producer, SLUICE_PRODUCER);
    if (rv == 0) rv = copy_packed(&k, packed, size);
    if (rv != 0) return rv;
    if (next == NULL || timeout_ms < SLUICE_TIMEOUT_DEFAULT || *next < 0 || *next > k.count)
        return SLUICE_ERR_USAGE;
    struct packed_place place = {.packed = &k};
    int64_t deadline = sl_client_deadline(producer, timeout_ms);
    rv = skip_packed(&place, *next);
    while (rv == 0 && *next < k.count) {
        int32_t count = 0;
        int32_t accepted = 0;
        int wrong = 0; /* about the record behind those that are filled */
        while (count < AT_ONCE && place.index < k.count && wrong == 0) {
            wrong = fill_packed(&place, &inputs[count]);
            if (wrong == 0) count++;
        }
        if (count > 0) rv = sl_client_stage_many(producer, inputs, count, deadline, &accepted);
        *next += accepted;
        if (rv == 0) rv = wrong;
    }
    return rv;
}

/* ---- outcomes ---- */

int sluice_producer_flush(sluice_client *producer, int32_t timeout_ms, sluice_op **op) {
    struct sl_command *command;
    if (op != NULL) *op = NULL;
    int rv = sl_client_expect_open(producer, SLUICE_PRODUCER);
    if (rv != 0) return rv;
    rv = sl_command_create(sl_client_alloc(producer), SL_COMMAND_FLUSH, &command);
    return rv != 0 ? rv : sl_client_run(producer, command, timeout_ms, op, NULL);
}

int sluice_producer_discard(sluice_client *producer) {
    struct sl_command *command;
    int rv = sl_client_expect_open(producer, SLUICE_PRODUCER);
    if (rv != 0) return rv;
    rv = sl_command_create(sl_client_alloc(producer), SL_COMMAND_DISCARD, &command);
    return rv != 0 ? rv : sl_client_post(producer, command);
}

int sluice_producer_counts(sluice_client *producer, sluice_counts *out, size_t size) {
    int rv = sl_client_expect(producer, SLUICE_PRODUCER);
    if (rv != 0) return rv;
    if (out == NULL || size != sizeof *out) return SLUICE_ERR_USAGE;
    struct sl_client_counts counts;
    sl_client_counts(producer, &counts);
    out->pending = counts.pending;
    out->pending_bytes = counts.pending_bytes;
    out->written = counts.written;
    out->not_written = counts.not_written;
    out->maybe_written = counts.maybe_written;
    return 0;
}

int32_t sluice_producer_partition(const void *key, size_t key_size, int32_t partitions) {
    if ((key == NULL && key_size > 0) || key_size > INT32_MAX || partitions < 1)
        return SLUICE_ERR_USAGE;
    return sl_partitioner_of_key(SL_KEY_HASH_MURMUR2, key, (uint32_t)key_size, partitions);
}
