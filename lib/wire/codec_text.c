/* Messages for people: one line per message, for traces, test failures and dumps.
 *
 * {acks=-1, topics=[{name="t", partitions=[{partition=0, records=77 bytes}]}]}
 *
 * Only fields that the version has are shown, tagged ones even when they would not be sent. Texts
 * come from peers: what is not printable ASCII is shown as \xNN. Records are shown as their size.
 * The text goes into the caller's bounded buffer, and a list ends early once the buffer is full, so
 * the cost is bounded by the buffer rather than by the message. */
#include <inttypes.h>

#include "base/assert.h"
#include "wire/codec.h"

/* Nothing more can be shown; the size that is counted then is a lower limit. */
static bool is_text_full(const struct sl_text *out) { return out->size >= out->cap; }

static void dump_quoted(struct sl_text *out, struct sl_str text) {
    if (text.size < 0) {
        sl_text_put(out, "null");
        return;
    }
    sl_text_put(out, "\"");
    for (int32_t i = 0; i < text.size && !is_text_full(out); i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < ' ' || c > '~') {
            sl_text_printf(out, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\') sl_text_put(out, "\\");
        sl_text_put_len(out, &text.data[i], 1);
    }
    sl_text_put(out, "\"");
}

static void dump_size(struct sl_text *out, int32_t size) {
    if (size < 0) {
        sl_text_put(out, "null");
    } else {
        sl_text_printf(out, "%" PRId32 " bytes", size);
    }
}

static void dump_plain(int kind, const void *from, struct sl_text *out) {
    switch (kind) {
    case SL_KIND_BOOL:
        sl_text_put(out, *(const bool *)from ? "true" : "false");
        return;
    case SL_KIND_I8:
        sl_text_printf(out, "%d", *(const int8_t *)from);
        return;
    case SL_KIND_I16:
        sl_text_printf(out, "%d", *(const int16_t *)from);
        return;
    case SL_KIND_U16:
        sl_text_printf(out, "%d", *(const uint16_t *)from);
        return;
    case SL_KIND_I32:
        sl_text_printf(out, "%" PRId32, *(const int32_t *)from);
        return;
    case SL_KIND_I64:
        sl_text_printf(out, "%" PRId64, *(const int64_t *)from);
        return;
    case SL_KIND_F64:
        sl_text_printf(out, "%g", *(const double *)from);
        return;
    case SL_KIND_STR:
        dump_quoted(out, *(const struct sl_str *)from);
        return;
    case SL_KIND_BYTES:
        dump_size(out, ((const struct sl_bytes *)from)->size);
        return;
    case SL_KIND_RECORDS:
        dump_size(out, ((const struct sl_records *)from)->size);
        return;
    case SL_KIND_UUID: {
        char text[23];
        sl_text_uuid(((const struct sl_uuid *)from)->bytes, text);
        sl_text_put(out, text);
        return;
    }
    default:
        SL_UNREACHABLE();
    }
}

static void dump_array(const struct sl_field *f, const struct sl_array *array, int16_t version,
                       struct sl_text *out) {
    if (array->count < 0) {
        sl_text_put(out, "null");
        return;
    }
    size_t size = sl_codec_item_size(f);
    const char *item = array->items;
    sl_text_put(out, "[");
    for (int32_t i = 0; i < array->count && !is_text_full(out); i++, item += size) {
        if (i > 0) sl_text_put(out, ", ");
        if (f->item != NULL) {
            sl_codec_dump(f->item, item, version, out);
        } else {
            dump_plain(f->item_kind, item, out);
        }
    }
    sl_text_put(out, "]");
}

static void dump_option(const struct sl_field *f, const struct sl_array *option, int16_t version,
                        struct sl_text *out) {
    if (option->count < 0) {
        sl_text_put(out, "null");
    } else {
        sl_codec_dump(f->item, option->items, version, out);
    }
}

void sl_codec_dump(const struct sl_type *type, const void *message, int16_t version,
                   struct sl_text *out) {
    const char *separator = "{";
    for (int i = 0; i < type->field_count && !is_text_full(out); i++) {
        const struct sl_field *f = &type->fields[i];
        if (!sl_schema_has(f, version)) continue;
        const void *member = (const char *)message + f->offset;
        sl_text_put(out, separator);
        sl_text_put(out, f->name);
        sl_text_put(out, "=");
        separator = ", ";
        if (f->kind == SL_KIND_ARRAY) {
            dump_array(f, member, version, out);
        } else if (f->kind == SL_KIND_OPTION) {
            dump_option(f, member, version, out);
        } else if (f->kind == SL_KIND_STRUCT) {
            sl_codec_dump(f->item, member, version, out);
        } else {
            dump_plain(f->kind, member, out);
        }
    }
    sl_text_put(out, separator[0] == '{' ? "{}" : "}");
}
