/* Writes message bodies by their tables.
 *
 * Errors are sticky: a writer that failed stays so, and a value that the version cannot carry sets
 * `misuse`; sl_codec_encode looks once at the end. Nothing of a failed message may be sent.
 *
 * Records in pieces are not copied when the caller has room for splices: a splice says "these bytes
 * belong here" and the sender interleaves. Only lengths go through the writer. Tagged fields
 * hold no records (the messages test says so): their size is counted in the writer.
 *
 * A tag's size is written after its content: one byte is kept free for it, enough for up to 127
 * bytes of content, and longer content is moved up. Tagged fields that have their default are
 * left out, as Kafka does, so that a re-encoded message has the same bytes. */
#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "base/hot.h"
#include "sluice/error.h"
#include "wire/codec.h"

struct encode_run {
    struct sl_encoder *e;
    int16_t version;
    bool flexible;
    bool misuse; /* the caller's value is not possible in this version */
};

static void encode_struct(struct encode_run *run, const struct sl_type *type, const void *message);

/* ---- lengths ---- */

/* Writes the length of a text (narrow), or of bytes, records or an array; -1: null. True when
 * that many bytes or items have to follow. */
static bool encode_length(struct encode_run *run, bool narrow, bool nullable, int32_t length,
                          bool has_content) {
    struct sl_writer *out = run->e->out;
    if (length < -1 || (length == -1 && !nullable) || (length > 0 && !has_content) ||
        (narrow && length > INT16_MAX)) {
        run->misuse = true;
        return false;
    }
    if (run->flexible) {
        sl_writer_uvarint(out, (uint64_t)((int64_t)length + 1));
    } else if (narrow) {
        sl_writer_i16(out, (int16_t)length);
    } else {
        sl_writer_i32(out, length);
    }
    return length > 0;
}

static void encode_data(struct encode_run *run, bool narrow, bool nullable, const void *data,
                        int32_t size) {
    if (encode_length(run, narrow, nullable, size, data != NULL)) {
        sl_writer_raw(run->e->out, data, (size_t)size);
    }
}

/* ---- records ---- */

static bool is_size_of_pieces(const struct sl_records *records) {
    uint64_t size = 0;
    for (int32_t i = 0; i < records->piece_count; i++) {
        size += records->pieces[i].size;
    }
    return size == (uint64_t)records->size;
}

static void add_splice(struct encode_run *run, const struct sl_records *records) {
    struct sl_encoder *e = run->e;
    if (e->splice_count == e->splice_cap) {
        run->misuse = true;
        return;
    }
    e->splices[e->splice_count++] = (struct sl_splice){
        .at = e->out->size,
        .pieces = records->pieces,
        .piece_count = records->piece_count,
        .size = records->size,
    };
    e->splice_bytes += (size_t)records->size;
}

static void encode_records(struct encode_run *run, bool nullable,
                           const struct sl_records *records) {
    if (records->pieces == NULL) {
        encode_data(run, false, nullable, records->data, records->size);
        return;
    }
    if (!encode_length(run, false, nullable, records->size, true)) return;
    if (!is_size_of_pieces(records)) {
        run->misuse = true;
    } else if (run->e->splice_cap > 0) {
        add_splice(run, records);
    } else {
        for (int32_t i = 0; i < records->piece_count; i++) {
            sl_writer_raw(run->e->out, records->pieces[i].data, records->pieces[i].size);
        }
    }
}

/* ---- values ---- */

static void encode_value(struct encode_run *run, int kind, bool nullable, const void *from) {
    struct sl_writer *out = run->e->out;
    switch (kind) {
    case SL_KIND_BOOL:
        sl_writer_i8(out, *(const bool *)from ? 1 : 0);
        return;
    case SL_KIND_I8:
        sl_writer_i8(out, *(const int8_t *)from);
        return;
    case SL_KIND_I16:
        sl_writer_i16(out, *(const int16_t *)from);
        return;
    case SL_KIND_U16:
        sl_writer_i16(out, (int16_t)(*(const uint16_t *)from));
        return;
    case SL_KIND_I32:
        sl_writer_i32(out, *(const int32_t *)from);
        return;
    case SL_KIND_I64:
        sl_writer_i64(out, *(const int64_t *)from);
        return;
    case SL_KIND_F64:
        sl_writer_f64(out, *(const double *)from);
        return;
    case SL_KIND_STR: {
        const struct sl_str *text = from;
        encode_data(run, true, nullable, text->data, text->size);
        return;
    }
    case SL_KIND_BYTES: {
        const struct sl_bytes *bytes = from;
        encode_data(run, false, nullable, bytes->data, bytes->size);
        return;
    }
    case SL_KIND_RECORDS:
        encode_records(run, nullable, from);
        return;
    case SL_KIND_UUID:
        sl_writer_raw(out, from, sizeof(struct sl_uuid));
        return;
    default:
        SL_UNREACHABLE();
    }
}

SL_APART static void encode_array(struct encode_run *run, const struct sl_field *f,
                                  const struct sl_array *array) {
    bool nullable = sl_schema_nullable(f, run->version);
    if (!encode_length(run, false, nullable, array->count, array->items != NULL)) return;
    size_t size = sl_codec_item_size(f);
    const char *item = array->items;
    for (int32_t i = 0; i < array->count && !run->misuse; i++, item += size) {
        if (f->item != NULL) {
            encode_struct(run, f->item, item);
        } else {
            encode_value(run, f->item_kind, false, item);
        }
    }
}

SL_APART static void encode_option(struct encode_run *run, const struct sl_field *f,
                                   const struct sl_array *option) {
    if (option->count != -1 && (option->count != 1 || option->items == NULL)) {
        run->misuse = true;
        return;
    }
    sl_writer_i8(run->e->out, (int8_t)option->count);
    if (option->count == 1) encode_struct(run, f->item, option->items);
}

static void encode_field(struct encode_run *run, const struct sl_field *f, const void *member) {
    if (f->item == NULL && f->kind != SL_KIND_ARRAY) {
        encode_value(run, f->kind, sl_schema_nullable(f, run->version), member);
    } else if (f->kind == SL_KIND_ARRAY) {
        encode_array(run, f, member);
    } else if (f->kind == SL_KIND_OPTION) {
        encode_option(run, f, member);
    } else {
        encode_struct(run, f->item, member);
    }
}

/* ---- tagged fields ---- */

/* Whether a member has the value that it has when absent. */
SL_APART static bool is_default_field(const struct sl_field *f, const void *member,
                                      int16_t version) {
    int32_t size = f->otherwise < 0 ? -1 : 0;
    switch (f->kind) {
    case SL_KIND_BOOL:
        return *(const bool *)member == (f->otherwise != 0);
    case SL_KIND_I8:
        return *(const int8_t *)member == f->otherwise;
    case SL_KIND_I16:
        return *(const int16_t *)member == f->otherwise;
    case SL_KIND_U16:
        return *(const uint16_t *)member == f->otherwise;
    case SL_KIND_I32:
        return *(const int32_t *)member == f->otherwise;
    case SL_KIND_I64:
        return *(const int64_t *)member == f->otherwise;
    case SL_KIND_STR:
        return ((const struct sl_str *)member)->size == size;
    case SL_KIND_BYTES:
        return ((const struct sl_bytes *)member)->size == size;
    case SL_KIND_RECORDS:
        return ((const struct sl_records *)member)->size == size;
    case SL_KIND_UUID:
        return sl_bytes_uuid_is_zero(member);
    case SL_KIND_ARRAY:
    case SL_KIND_OPTION:
        return ((const struct sl_array *)member)->count == size;
    case SL_KIND_STRUCT:
        for (int i = 0; i < f->item->field_count; i++) {
            const struct sl_field *inner = &f->item->fields[i];
            if (sl_schema_has(inner, version) &&
                !is_default_field(inner, (const char *)member + inner->offset, version)) {
                return false;
            }
        }
        return true;
    default:
        return false; /* a double: written always, to spare a comparison of doubles */
    }
}

/* Puts the size of what was written from `start` on into the byte kept free before it. */
static void patch_tag_size(struct sl_writer *out, size_t start) {
    if (out->failed) return;
    size_t size = out->size - start;
    size_t extra = sl_bytes_uvarint_len(size) - 1;
    if (extra > 0) {
        if (sl_writer_room(out, extra) == NULL) return;
        memmove(out->data + start + extra, out->data + start, size);
    }
    sl_bytes_put_uvarint(out->data + start - 1, size);
}

/* Whether a field goes into the tag section. */
static bool is_tag_present(const struct encode_run *run, const struct sl_field *f,
                           const void *message) {
    return f->tag >= 0 && sl_schema_has(f, run->version) &&
           !is_default_field(f, (const char *)message + f->offset, run->version);
}

SL_APART static void encode_tag(struct encode_run *run, const struct sl_field *f,
                                const void *member) {
    struct sl_writer *out = run->e->out;
    sl_writer_uvarint(out, (uint64_t)f->tag);
    sl_writer_i8(out, 0);
    size_t start = out->size;
    encode_field(run, f, member);
    patch_tag_size(out, start);
}

static void encode_tags(struct encode_run *run, const struct sl_type *type, const void *message) {
    uint64_t count = 0;
    for (int i = 0; i < type->field_count; i++) {
        if (is_tag_present(run, &type->fields[i], message)) count++;
    }
    sl_writer_uvarint(run->e->out, count);
    for (int i = 0; i < type->field_count && count > 0; i++) {
        const struct sl_field *f = &type->fields[i];
        if (!is_tag_present(run, f, message)) continue;
        encode_tag(run, f, (const char *)message + f->offset);
        count--;
    }
}

/* ---- structs ---- */

SL_HOT static void encode_struct(struct encode_run *run, const struct sl_type *type,
                                 const void *message) {
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->tag >= 0 || !sl_schema_has(f, run->version)) continue;
        encode_field(run, f, (const char *)message + f->offset);
    }
    if (run->flexible) encode_tags(run, type, message);
}

int sl_codec_encode(struct sl_encoder *e, const struct sl_type *type, const void *message,
                    int16_t version, bool flexible) {
    struct encode_run run = {e, version, flexible, false};
    encode_struct(&run, type, message);
    if (run.misuse) return SLUICE_ERR_USAGE;
    return e->out->failed ? SLUICE_ERR_NOMEM : 0;
}
