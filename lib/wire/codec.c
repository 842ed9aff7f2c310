/* Messages as values in memory: what an empty one holds, and whether two are the same. The wire
 * side is in codec_encode.c and codec_decode.c, the readable form in codec_text.c; all four walk
 * the same tables and are the only code that does.
 *
 * Invariants: a message is plain memory that may be copied with memcpy; what it points to is
 * borrowed (from a frame, an arena or the caller). Types nest to a depth that the tables fix and
 * never contain themselves, so the recursion here is as deep as the protocol, not as the input.
 *
 * Fields that a version lacks do not take part in a comparison in that version. */
#include "wire/codec.h"

#include <string.h>

#include "base/assert.h"

/* ---- defaults ---- */

static void default_field(const struct sl_field *f, void *member) {
    int32_t size = f->otherwise < 0 ? -1 : 0;
    switch (f->kind) {
    case SL_KIND_BOOL:
        *(bool *)member = f->otherwise != 0;
        return;
    case SL_KIND_I8:
        *(int8_t *)member = (int8_t)f->otherwise;
        return;
    case SL_KIND_I16:
        *(int16_t *)member = (int16_t)f->otherwise;
        return;
    case SL_KIND_U16:
        *(uint16_t *)member = (uint16_t)f->otherwise;
        return;
    case SL_KIND_I32:
        *(int32_t *)member = (int32_t)f->otherwise;
        return;
    case SL_KIND_I64:
        *(int64_t *)member = f->otherwise;
        return;
    case SL_KIND_F64:
        *(double *)member = (double)f->otherwise;
        return;
    case SL_KIND_STR:
        *(struct sl_str *)member = (struct sl_str){NULL, size};
        return;
    case SL_KIND_BYTES:
        *(struct sl_bytes *)member = (struct sl_bytes){NULL, size};
        return;
    case SL_KIND_RECORDS:
        *(struct sl_records *)member = (struct sl_records){NULL, NULL, 0, size};
        return;
    case SL_KIND_UUID:
        memset(member, 0, sizeof(struct sl_uuid));
        return;
    case SL_KIND_ARRAY:
    case SL_KIND_OPTION:
        *(struct sl_array *)member = (struct sl_array){NULL, size};
        return;
    case SL_KIND_STRUCT:
        sl_codec_defaults(f->item, member);
        return;
    default:
        SL_UNREACHABLE();
    }
}

void sl_codec_defaults(const struct sl_type *type, void *message) {
    memset(message, 0, type->size);
    for (int i = 0; i < type->field_count; i++) {
        default_field(&type->fields[i], (char *)message + type->fields[i].offset);
    }
}

/* ---- sizes ---- */

size_t sl_codec_fixed_size(int kind) {
    switch (kind) {
    case SL_KIND_BOOL:
    case SL_KIND_I8:
        return 1;
    case SL_KIND_I16:
    case SL_KIND_U16:
        return 2;
    case SL_KIND_I32:
        return 4;
    case SL_KIND_I64:
    case SL_KIND_F64:
        return 8;
    case SL_KIND_UUID:
        return sizeof(struct sl_uuid);
    default:
        return 0;
    }
}

size_t sl_codec_item_size(const struct sl_field *f) {
    if (f->item != NULL) return f->item->size;
    switch (f->item_kind) {
    case SL_KIND_BOOL:
        return sizeof(bool);
    case SL_KIND_I8:
        return sizeof(int8_t);
    case SL_KIND_I16:
        return sizeof(int16_t);
    case SL_KIND_U16:
        return sizeof(uint16_t);
    case SL_KIND_I32:
        return sizeof(int32_t);
    case SL_KIND_I64:
        return sizeof(int64_t);
    case SL_KIND_F64:
        return sizeof(double);
    case SL_KIND_STR:
        return sizeof(struct sl_str);
    case SL_KIND_BYTES:
        return sizeof(struct sl_bytes);
    case SL_KIND_UUID:
        return sizeof(struct sl_uuid);
    default:
        SL_UNREACHABLE();
    }
}

/* ---- equality ---- */

/* The same size and content; null equals only null. */
static bool is_same_data(const void *a, int32_t a_size, const void *b, int32_t b_size) {
    return a_size == b_size && (a_size <= 0 || memcmp(a, b, (size_t)a_size) == 0);
}

/* A walk over the bytes of records, in whichever form they are. */
struct records_walk {
    const struct sl_iov *next;
    const struct sl_iov *end;
    const uint8_t *at; /* in the current piece */
    size_t left;
};

static void start_records_walk(struct records_walk *walk, const struct sl_records *records) {
    memset(walk, 0, sizeof *walk);
    if (records->pieces != NULL) {
        walk->next = records->pieces;
        walk->end = records->pieces + records->piece_count;
    } else {
        walk->at = records->data;
        walk->left = records->size > 0 ? (size_t)records->size : 0;
    }
}

/* Makes at and left a piece with something in it; false at the end. */
static bool fill_records_walk(struct records_walk *walk) {
    while (walk->left == 0 && walk->next != walk->end) {
        walk->at = walk->next->data;
        walk->left = walk->next->size;
        walk->next++;
    }
    return walk->left > 0;
}

static bool is_same_records(const struct sl_records *a, const struct sl_records *b) {
    if (a->size != b->size) return false;
    struct records_walk x;
    struct records_walk y;
    start_records_walk(&x, a);
    start_records_walk(&y, b);
    while (fill_records_walk(&x) && fill_records_walk(&y)) {
        size_t n = x.left < y.left ? x.left : y.left;
        if (memcmp(x.at, y.at, n) != 0) return false;
        x.at += n;
        x.left -= n;
        y.at += n;
        y.left -= n;
    }
    return x.left == y.left;
}

static bool is_same_plain(int kind, const void *a, const void *b) {
    switch (kind) {
    case SL_KIND_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case SL_KIND_I8:
        return *(const int8_t *)a == *(const int8_t *)b;
    case SL_KIND_I16:
        return *(const int16_t *)a == *(const int16_t *)b;
    case SL_KIND_U16:
        return *(const uint16_t *)a == *(const uint16_t *)b;
    case SL_KIND_I32:
        return *(const int32_t *)a == *(const int32_t *)b;
    case SL_KIND_I64:
        return *(const int64_t *)a == *(const int64_t *)b;
    case SL_KIND_F64:
        return memcmp(a, b, sizeof(double)) == 0; /* NaN is itself on the wire */
    case SL_KIND_STR: {
        const struct sl_str *x = a;
        const struct sl_str *y = b;
        return is_same_data(x->data, x->size, y->data, y->size);
    }
    case SL_KIND_BYTES: {
        const struct sl_bytes *x = a;
        const struct sl_bytes *y = b;
        return is_same_data(x->data, x->size, y->data, y->size);
    }
    case SL_KIND_RECORDS:
        return is_same_records(a, b);
    case SL_KIND_UUID:
        return sl_bytes_uuid_equal(a, b);
    default:
        SL_UNREACHABLE();
    }
}

/* Of an option too. */
static bool is_same_array(const struct sl_field *f, const struct sl_array *a,
                          const struct sl_array *b, int16_t version) {
    if (a->count != b->count) return false;
    size_t size = sl_codec_item_size(f);
    for (int32_t i = 0; i < a->count; i++) {
        const char *x = (const char *)a->items + (size_t)i * size;
        const char *y = (const char *)b->items + (size_t)i * size;
        bool same = f->item != NULL ? sl_codec_equal(f->item, x, y, version)
                                    : is_same_plain(f->item_kind, x, y);
        if (!same) return false;
    }
    return true;
}

bool sl_codec_equal(const struct sl_type *type, const void *a, const void *b, int16_t version) {
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (!sl_schema_has(f, version)) continue;
        const void *x = (const char *)a + f->offset;
        const void *y = (const char *)b + f->offset;
        bool is_array = f->kind == SL_KIND_ARRAY || f->kind == SL_KIND_OPTION;
        bool same = is_array                    ? is_same_array(f, x, y, version)
                    : f->kind == SL_KIND_STRUCT ? sl_codec_equal(f->item, x, y, version)
                                                : is_same_plain(f->kind, x, y);
        if (!same) return false;
    }
    return true;
}
