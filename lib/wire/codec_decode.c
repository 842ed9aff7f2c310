/* Reads message bodies by their tables. The input comes from a peer and is believed in nothing.
 *
 * Errors are sticky: whatever is wrong marks the reader failed, all later reads give zeros, every
 * loop ends at once, and sl_codec_decode looks once at the end. Memory is bounded by the input: an
 * array is only allocated when the bytes left could hold that many of the smallest possible
 * items, and no byte is counted for two arrays of one level, so a frame of n bytes decodes into at
 * most n times the worst ratio of item size to smallest wire form (the messages test holds that
 * ratio below 32). Depth is that of the tables.
 *
 * Lenient where Kafka is: tags in any order, a tag twice (the later one counts), any non-zero byte
 * as true, any byte that is not negative before an option that is not null. Strict elsewhere: null only where the version allows it, texts up to 32767 bytes, a
 * tag's size used up to its last byte, nothing after the last field.
 *
 * Texts, bytes and records are not copied; they point into the input. */
#include <limits.h>
#include <string.h>

#include "base/assert.h"
#include "base/hot.h"
#include "sluice/error.h"
#include "wire/codec.h"

struct decoder {
    struct sl_reader *r;
    struct sl_arena *arena;
    int16_t version;
    bool flexible;
    bool *cut; /* NULL: the whole body is there; else whether a records field was cut */
};

/* Into a message that has its defaults. */
static void decode_struct(const struct decoder *d, const struct sl_type *type, void *message);

/* ---- smallest wire sizes ---- */

static size_t least_plain_size(const struct decoder *d, int kind) {
    size_t fixed = sl_codec_fixed_size(kind);
    if (fixed != 0) return fixed;
    if (kind == SL_KIND_OPTION) return 1; /* the byte that says null */
    if (kind == SL_KIND_STR) return d->flexible ? 1 : 2;
    return d->flexible ? 1 : 4; /* the length of bytes, records or an array */
}

static size_t least_struct_size(const struct decoder *d, const struct sl_type *type) {
    size_t size = d->flexible ? 1 : 0; /* the number of tags */
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->tag >= 0 || !sl_schema_has(f, d->version)) continue;
        size += f->kind == SL_KIND_STRUCT ? least_struct_size(d, f->item)
                                          : least_plain_size(d, f->kind);
    }
    return size;
}

/* ---- lengths ---- */

/* The length of a text (narrow), or of bytes, records or an array; -1: null, which the field has
 * to allow. Never below -1, and INT32_MAX at most. */
static int32_t decode_length(const struct decoder *d, bool narrow, bool nullable) {
    int64_t length;
    if (d->flexible) {
        length = (int64_t)sl_reader_uvarint(d->r) - 1;
    } else {
        length = narrow ? sl_reader_i16(d->r) : sl_reader_i32(d->r);
    }
    if (length >= 0 && length <= (narrow ? INT16_MAX : INT32_MAX)) return (int32_t)length;
    if (length == -1 && nullable) return -1;
    sl_reader_fail(d->r);
    return 0;
}

static const uint8_t *decode_data(const struct decoder *d, bool narrow, bool nullable,
                                  int32_t *size) {
    *size = decode_length(d, narrow, nullable);
    if (*size < 0) return NULL;
    const uint8_t *data = sl_reader_take(d->r, (size_t)*size);
    if (data == NULL) *size = 0;
    return data;
}

/* The rest of the body, where it has less than the field. */
SL_APART static void decode_cut_records(const struct decoder *d, bool nullable,
                                        struct sl_records *to) {
    to->data = NULL;
    to->size = decode_length(d, false, nullable);
    if (to->size < 0 || d->r->failed) return;
    size_t left = sl_reader_left(d->r);
    *d->cut = (size_t)to->size > left;
    if (*d->cut) to->size = (int32_t)left;
    to->data = sl_reader_take(d->r, (size_t)to->size);
    if (*d->cut) sl_reader_fail(d->r); /* there is nothing behind it */
}

/* ---- values ---- */

static void decode_value(const struct decoder *d, int kind, bool nullable, void *to) {
    switch (kind) {
    case SL_KIND_BOOL:
        *(bool *)to = sl_reader_i8(d->r) != 0;
        return;
    case SL_KIND_I8:
        *(int8_t *)to = sl_reader_i8(d->r);
        return;
    case SL_KIND_I16:
        *(int16_t *)to = sl_reader_i16(d->r);
        return;
    case SL_KIND_U16:
        *(uint16_t *)to = (uint16_t)sl_reader_i16(d->r);
        return;
    case SL_KIND_I32:
        *(int32_t *)to = sl_reader_i32(d->r);
        return;
    case SL_KIND_I64:
        *(int64_t *)to = sl_reader_i64(d->r);
        return;
    case SL_KIND_F64:
        *(double *)to = sl_reader_f64(d->r);
        return;
    case SL_KIND_STR: {
        struct sl_str *text = to;
        text->data = (const char *)decode_data(d, true, nullable, &text->size);
        return;
    }
    case SL_KIND_BYTES: {
        struct sl_bytes *bytes = to;
        bytes->data = decode_data(d, false, nullable, &bytes->size);
        return;
    }
    case SL_KIND_RECORDS: {
        struct sl_records *records = to;
        records->pieces = NULL;
        records->piece_count = 0;
        if (d->cut != NULL)
            decode_cut_records(d, nullable, records);
        else
            records->data = decode_data(d, false, nullable, &records->size);
        return;
    }
    case SL_KIND_UUID: {
        const uint8_t *bytes = sl_reader_take(d->r, sizeof(struct sl_uuid));
        if (bytes != NULL) memcpy(to, bytes, sizeof(struct sl_uuid));
        return;
    }
    default:
        SL_UNREACHABLE();
    }
}

SL_APART static void decode_array(const struct decoder *d, const struct sl_field *f,
                                  struct sl_array *to) {
    *to = (struct sl_array){NULL, 0};
    int32_t count = decode_length(d, false, sl_schema_nullable(f, d->version));
    if (count <= 0) {
        to->count = count;
        return;
    }
    size_t least =
        f->item != NULL ? least_struct_size(d, f->item) : least_plain_size(d, f->item_kind);
    /* An item of no bytes at all would let any count through. */
    size_t most = least == 0 ? 0 : sl_reader_left(d->r) / least;
    if (least == 0 || ((size_t)count > most && d->cut == NULL)) {
        sl_reader_fail(d->r);
        return;
    }
    if ((size_t)count > most) count = (int32_t)most + 1; /* the last may begin where it was cut */
    size_t size = sl_codec_item_size(f);
    char *item = sl_arena_array(d->arena, (size_t)count, size);
    if (item == NULL) {
        sl_reader_fail(d->r); /* ends the walk; the arena tells that this was memory */
        return;
    }
    to->items = item;
    to->count = count;
    /* The last one holds the defaults, until its turn: working them out costs more than a copy. */
    char *last = item + (size_t)(count - 1) * size;
    if (f->item != NULL) sl_codec_defaults(f->item, last);
    for (int32_t i = 0; i < count && !d->r->failed; i++, item += size) {
        if (f->item != NULL) {
            if (item != last) memcpy(item, last, size);
            decode_struct(d, f->item, item);
        } else {
            decode_value(d, f->item_kind, false, item);
        }
        if (d->cut != NULL && *d->cut) to->count = i + 1;
    }
}

SL_APART static void decode_option(const struct decoder *d, const struct sl_field *f,
                                   struct sl_array *to) {
    *to = (struct sl_array){NULL, -1};
    if (sl_reader_i8(d->r) < 0 || d->r->failed) return;
    if (sl_reader_left(d->r) < least_struct_size(d, f->item)) {
        sl_reader_fail(d->r);
        return;
    }
    void *item = sl_arena_get(d->arena, f->item->size);
    if (item == NULL) {
        sl_reader_fail(d->r);
        return;
    }
    *to = (struct sl_array){item, 1};
    sl_codec_defaults(f->item, item);
    decode_struct(d, f->item, item);
}

/* A struct inside another one. */
SL_APART static void decode_inner(const struct decoder *d, const struct sl_type *type,
                                  void *message) {
    sl_codec_defaults(type, message); /* a tag may come twice */
    decode_struct(d, type, message);
}

static void decode_field(const struct decoder *d, const struct sl_field *f, void *member) {
    if (f->item == NULL && f->kind != SL_KIND_ARRAY) {
        decode_value(d, f->kind, sl_schema_nullable(f, d->version), member);
    } else if (f->kind == SL_KIND_ARRAY) {
        decode_array(d, f, member);
    } else if (f->kind == SL_KIND_OPTION) {
        decode_option(d, f, member);
    } else {
        decode_inner(d, f->item, member);
    }
}

/* ---- structs ---- */

static const struct sl_field *find_tagged_field(const struct decoder *d, const struct sl_type *type,
                                                uint32_t tag) {
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->tag >= 0 && (uint32_t)f->tag == tag && sl_schema_has(f, d->version)) return f;
    }
    return NULL;
}

SL_APART static void decode_tags(const struct decoder *d, const struct sl_type *type, void *message,
                                 uint32_t count) {
    for (uint32_t i = 0; i < count && !d->r->failed; i++) {
        uint32_t tag = sl_reader_uvarint(d->r);
        uint32_t size = sl_reader_uvarint(d->r);
        const uint8_t *data = sl_reader_take(d->r, size);
        const struct sl_field *f = find_tagged_field(d, type, tag);
        if (data == NULL || f == NULL) continue;
        struct sl_reader inside;
        sl_reader_init(&inside, data, size);
        struct decoder of_tag = {&inside, d->arena, d->version, d->flexible, NULL};
        decode_field(&of_tag, f, (char *)message + f->offset);
        if (inside.failed || sl_reader_left(&inside) > 0) sl_reader_fail(d->r);
    }
}

SL_HOT static void decode_struct(const struct decoder *d, const struct sl_type *type,
                                 void *message) {
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->tag < 0 && sl_schema_has(f, d->version))
            decode_field(d, f, (char *)message + f->offset);
    }
    if (!d->flexible) return;
    uint32_t tags = sl_reader_uvarint(d->r);
    if (tags > 0) decode_tags(d, type, message, tags);
}

int sl_codec_decode_front(struct sl_reader *r, struct sl_arena *arena, const struct sl_type *type,
                          void *message, int16_t version, bool flexible) {
    struct decoder d = {r, arena, version, flexible, NULL};
    sl_codec_defaults(type, message);
    decode_struct(&d, type, message);
    if (arena->failed) return SLUICE_ERR_NOMEM;
    return r->failed ? SLUICE_ERR_MALFORMED : 0;
}

int sl_codec_decode(struct sl_reader *r, struct sl_arena *arena, const struct sl_type *type,
                    void *message, int16_t version, bool flexible) {
    int rv = sl_codec_decode_front(r, arena, type, message, version, flexible);
    if (rv != 0) return rv;
    return sl_reader_left(r) > 0 ? SLUICE_ERR_MALFORMED : 0;
}

int sl_codec_decode_cut(struct sl_reader *r, struct sl_arena *arena, const struct sl_type *type,
                        void *message, int16_t version, bool flexible) {
    bool cut = false;
    struct decoder d = {r, arena, version, flexible, &cut};
    sl_codec_defaults(type, message);
    decode_struct(&d, type, message);
    if (arena->failed) return SLUICE_ERR_NOMEM;
    return cut ? 0 : SLUICE_ERR_MALFORMED;
}
