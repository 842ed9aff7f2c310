/* The protocol as data. A message is a C struct plus a table with one line per field in wire
 * order; the wire kind follows from the C type of the member (_Generic), the place from offsetof,
 * so struct and table cannot disagree. codec.c interprets the tables, and is the only parser.
 *
 * Wire kinds by C type: bool, int8_t, int16_t, uint16_t, int32_t, int64_t, double, struct sl_str
 * (string), struct sl_bytes (bytes), struct sl_records (record batches, not copied), struct
 * sl_uuid, struct sl_array (arrays of structs or of plain kinds), a nested struct by STRUCT, and
 * one that may be null by NULLABLE_STRUCT. A message's version picks old or compact encoding:
 * flexible from `flexible_since` on. */
#ifndef SL_WIRE_SCHEMA_H
#define SL_WIRE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* An array of decoded or to-be-encoded items. count -1: null. items: arena memory after decoding,
 * the caller's when encoding. */
struct sl_array {
    void *items;
    int32_t count;
};
/* Record batches as they lie on the wire. Encoding: the pieces are referenced, not copied
 * (sl_frame has splices). Decoding: one piece inside the frame, `data`. size -1: null. */
struct sl_records {
    const uint8_t *data;         /* decoded, or the one piece to encode when pieces is NULL */
    const struct sl_iov *pieces; /* to encode; borrowed until the frame is sent */
    int32_t piece_count;
    int32_t size; /* bytes in all */
};

enum sl_kind {
    SL_KIND_BOOL = 1,
    SL_KIND_I8,
    SL_KIND_I16,
    SL_KIND_U16,
    SL_KIND_I32,
    SL_KIND_I64,
    SL_KIND_F64,
    SL_KIND_STR,
    SL_KIND_BYTES,
    SL_KIND_RECORDS,
    SL_KIND_UUID,
    SL_KIND_ARRAY, /* of structs (item set) or plain kinds (item_kind set) */
    SL_KIND_STRUCT,
    SL_KIND_OPTION /* a struct or null; in memory a struct sl_array of one item, or null */
};

struct sl_type;

/* Every field is declared with the versions in which it is on the wire, whether null is allowed
 * and from when, its tag if it is a tagged field, and the value it has when absent. */
struct sl_field {
    const char *name;
    uint16_t offset;
    uint8_t kind;               /* enum sl_kind */
    uint8_t item_kind;          /* of an array of plain values */
    int8_t since;               /* first version with the field */
    int8_t until;               /* last version, inclusive; INT8_MAX: still there */
    int8_t nullable_since;      /* first version in which null is allowed; -1: never */
    int8_t tag;                 /* -1: not tagged */
    const struct sl_type *item; /* of an array of structs, of a nested struct or an option */
    int64_t otherwise; /* when absent: an integer's value; -1 makes a text, bytes, records or array
                        * null and 0 empty; nested structs have their own fields' values */
};
struct sl_type {
    const char *name;
    const struct sl_field *fields; /* untagged ones in wire order; tagged ones by rising tag */
    uint16_t field_count;
    uint16_t size; /* sizeof the struct */
};

/* Whether a version has the field, tagged or not. */
static inline bool sl_schema_has(const struct sl_field *f, int16_t version) {
    return version >= f->since && version <= f->until;
}
/* Whether a version has the field and allows null in it. */
static inline bool sl_schema_nullable(const struct sl_field *f, int16_t version) {
    return f->nullable_since >= 0 && version >= f->nullable_since;
}

/* ---- the vocabulary of the tables ----
 *
 * A line is WHAT(tag, member, [more about the kind,] versions[, OTHERWISE(value)]), where tag is
 * the name of the struct without "struct": FIELD(sl_produce_request, acks, ALWAYS). The type
 * object of an item struct has its name with _type behind. */
/* clang-format off */

/* The wire kind of a value, from its C type. No default: a member that the protocol cannot carry
 * does not compile. */
#define KIND_OF(value)                     \
    _Generic((value),                      \
        bool: SL_KIND_BOOL,                \
        int8_t: SL_KIND_I8,                \
        int16_t: SL_KIND_I16,              \
        uint16_t: SL_KIND_U16,             \
        int32_t: SL_KIND_I32,              \
        int64_t: SL_KIND_I64,              \
        double: SL_KIND_F64,               \
        struct sl_str: SL_KIND_STR,        \
        struct sl_bytes: SL_KIND_BYTES,    \
        struct sl_records: SL_KIND_RECORDS, \
        struct sl_uuid: SL_KIND_UUID)
#define MEMBER_OF(tag_, member) (((struct tag_ *)0)->member)
#define PLACE_OF(tag_, member) .name = #member, .offset = (uint16_t)offsetof(struct tag_, member)
/* The kind of a member that has to be a struct named wanted. */
#define STRUCT_KIND(tag_, member, wanted, kind_) \
    .kind = _Generic(MEMBER_OF(tag_, member), struct wanted: (kind_))

/* The versions of a line. */
#define ALWAYS                .since = 0, .until = INT8_MAX, .tag = -1
#define SINCE(first)          .since = (first), .until = INT8_MAX, .tag = -1
#define UNTIL(last)           .since = 0, .until = (last), .tag = -1
#define BETWEEN(first, last)  .since = (first), .until = (last), .tag = -1
/* A tagged field is on the wire only when its value differs from the one it has when absent. */
#define TAGGED(number, first) .since = (first), .until = INT8_MAX, .tag = (number)

/* The value when absent, where that is not zero or empty. */
#define OTHERWISE(value) .otherwise = (value)

/* A plain value, text, bytes or records that is never null. */
#define FIELD(tag_, member, ...)                                      \
    {PLACE_OF(tag_, member), .kind = KIND_OF(MEMBER_OF(tag_, member)), \
     .nullable_since = -1, __VA_ARGS__}
/* A text, bytes or records that may be null from version null_since on. Absent it is null. */
#define NULLABLE(tag_, member, null_since, ...)                       \
    {PLACE_OF(tag_, member), .kind = KIND_OF(MEMBER_OF(tag_, member)), \
     .nullable_since = (null_since), .otherwise = -1, __VA_ARGS__}
/* An array of struct item_tag. Absent it is empty. */
#define ARRAY(tag_, member, item_tag, ...) NULLABLE_ARRAY(tag_, member, item_tag, -1, __VA_ARGS__)
#define NULLABLE_ARRAY(tag_, member, item_tag, null_since, ...)                     \
    {PLACE_OF(tag_, member), STRUCT_KIND(tag_, member, sl_array, SL_KIND_ARRAY),    \
     .item = &item_tag##_type, .nullable_since = (null_since), __VA_ARGS__}
/* An array of plain values or texts of the C type item_ctype. */
#define LIST(tag_, member, item_ctype, ...) NULLABLE_LIST(tag_, member, item_ctype, -1, __VA_ARGS__)
#define NULLABLE_LIST(tag_, member, item_ctype, null_since, ...)                    \
    {PLACE_OF(tag_, member), STRUCT_KIND(tag_, member, sl_array, SL_KIND_ARRAY),    \
     .item_kind = KIND_OF(*(item_ctype *)0), .nullable_since = (null_since), __VA_ARGS__}
/* A struct item_tag inside this one. */
#define STRUCT(tag_, member, item_tag, ...)                                         \
    {PLACE_OF(tag_, member), STRUCT_KIND(tag_, member, item_tag, SL_KIND_STRUCT),   \
     .item = &item_tag##_type, .nullable_since = -1, __VA_ARGS__}
/* A struct item_tag or null, on the wire behind a byte that tells which. The member is a struct
 * sl_array with the one item, or null; absent it is null. */
#define NULLABLE_STRUCT(tag_, member, item_tag, ...)                                \
    {PLACE_OF(tag_, member), STRUCT_KIND(tag_, member, sl_array, SL_KIND_OPTION),   \
     .item = &item_tag##_type, .nullable_since = 0, .otherwise = -1, __VA_ARGS__}

/* The type object of struct tag_, whose lines are in the given array. */
#define TYPE(tag_, lines)                                                                   \
    {.name = #tag_, .fields = (lines), .field_count = sizeof(lines) / sizeof((lines)[0]),   \
     .size = sizeof(struct tag_)}
/* clang-format on */

#endif
