/* What the tests of lib/wire share: the golden frames, messages filled at random, and a walk over
 * encoded bytes that puts unknown tags into every struct. Header-only, like support.h. */
#ifndef SL_TEST_WIRE_SUPPORT_H
#define SL_TEST_WIRE_SUPPORT_H

#include "support.h"

#include <dirent.h>

#include "base/arena.h"
#include "base/rng.h"
#include "wire/frame.h"
#include "wire/messages.h"

#ifndef SL_GOLDEN_DIR
#define SL_GOLDEN_DIR "tests/golden" /* tests run from the root of the repository */
#endif

/* The largest message struct fits; checked where messages are decoded into it. */
union wire_message {
    max_align_t align;
    char bytes[256];
};

static inline const struct sl_type *wire_type(const struct sl_api *api, bool is_request) {
    return is_request ? api->request : api->response;
}

/* ---- golden frames ---- */

enum { GOLDEN_CAP = 16384, GOLDEN_DUMP_CAP = 8192 };

/* A file NN_name_vV_request.hex or …_response.hex, perhaps with a word behind: a line of comment,
 * a line "# " with the message as sl_codec_dump shows it, and the frame in hex. */
struct golden {
    char name[256];
    const struct sl_api *api;
    int16_t version;
    bool is_request;
    size_t size; /* of the frame */
    uint8_t frame[GOLDEN_CAP];
    char dump[GOLDEN_DUMP_CAP];
};

static inline void golden_parse_name(struct golden *g) {
    const char *mark = strstr(g->name, "_v");
    while (mark != NULL && (mark[2] < '0' || mark[2] > '9')) mark = strstr(mark + 1, "_v");
    assert_non_null(mark);
    g->api = sl_api_find((int16_t)strtol(g->name, NULL, 10));
    assert_non_null(g->api);
    g->version = (int16_t)strtol(mark + 2, NULL, 10);
    g->is_request = strstr(mark, "_request") != NULL;
    assert_true(g->is_request || strstr(mark, "_response") != NULL);
}

static inline void golden_read(struct golden *g) {
    static char text[4 * GOLDEN_CAP];
    char path[sizeof g->name + sizeof SL_GOLDEN_DIR + 1];
    snprintf(path, sizeof path, "%s/%s", SL_GOLDEN_DIR, g->name);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("%s cannot be read", path);
    char first[512];
    assert_non_null(fgets(first, sizeof first, file));
    assert_int_equal(first[0], '#');
    assert_non_null(fgets(text, sizeof text, file));
    assert_memory_equal(text, "# ", 2);
    snprintf(g->dump, sizeof g->dump, "%.*s", (int)strcspn(text + 2, "\n"), text + 2);
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    g->size = test_hex(text, g->frame, sizeof g->frame);
}

/* Calls visit with every golden frame and returns how many there are. */
static inline int golden_each(void (*visit)(const struct golden *g)) {
    static struct golden g;
    int count = 0;
    DIR *directory = opendir(SL_GOLDEN_DIR);
    if (directory == NULL) fail_msg("%s cannot be opened", SL_GOLDEN_DIR);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strstr(entry->d_name, ".hex") == NULL) continue;
        snprintf(g.name, sizeof g.name, "%s", entry->d_name);
        golden_parse_name(&g);
        golden_read(&g);
        visit(&g);
        count++;
    }
    closedir(directory);
    return count;
}

/* Reads the header and the body of a whole frame. The answer is that of the first that fails. */
static inline int golden_decode(const struct golden *g, struct sl_arena *arena, void *message,
                                struct sl_request_header *header) {
    struct sl_reader r;
    sl_reader_init(&r, g->frame + SL_FRAME_PREFIX, g->size - SL_FRAME_PREFIX);
    int rv;
    if (g->is_request) {
        rv = sl_frame_decode_request_header(&r, header);
        if (rv != 0) return rv;
        return sl_frame_decode_request(&r, arena, g->api, g->version, message);
    }
    rv = sl_frame_decode_response_header(&r, g->api, g->version, &header->correlation);
    if (rv != 0) return rv;
    return sl_frame_decode_response(&r, arena, g->api, g->version, message);
}

static inline int golden_encode(const struct golden *g, struct sl_writer *out, const void *message,
                                const struct sl_request_header *header) {
    struct sl_encoder e = {.out = out};
    if (g->is_request) {
        return sl_frame_encode_request(&e, g->api, g->version, header->correlation,
                                       header->client_id, message);
    }
    return sl_frame_encode_response(&e, g->api, g->version, header->correlation, message);
}

/* ---- random messages ---- */

static inline void fill_struct(struct sl_rng *rng, struct sl_arena *arena,
                               const struct sl_type *type, void *message, int16_t version);

/* Mostly short, seldom long enough for a length of two bytes. */
static inline int32_t fill_size(struct sl_rng *rng) {
    if (sl_rng_chance(rng, 1, 20)) return (int32_t)sl_rng_range(rng, 120, 300);
    return (int32_t)sl_rng_below(rng, 12);
}

static inline uint8_t *fill_bytes(struct sl_rng *rng, struct sl_arena *arena, int32_t size) {
    uint8_t *bytes = sl_arena_get(arena, (size_t)size);
    assert_non_null(bytes);
    for (int32_t i = 0; i < size; i++) bytes[i] = (uint8_t)sl_rng_next(rng);
    return bytes;
}

static inline void fill_records(struct sl_rng *rng, struct sl_arena *arena,
                                struct sl_records *records) {
    int32_t size = fill_size(rng);
    *records = (struct sl_records){fill_bytes(rng, arena, size), NULL, 0, size};
    if (sl_rng_chance(rng, 1, 2)) return;
    int32_t cut = (int32_t)sl_rng_range(rng, 0, size);
    struct sl_iov *pieces = sl_arena_array(arena, 2, sizeof *pieces);
    pieces[0] = (struct sl_iov){records->data, (size_t)cut};
    pieces[1] = (struct sl_iov){records->data + cut, (size_t)(size - cut)};
    *records = (struct sl_records){NULL, pieces, 2, size};
}

static inline void fill_plain(struct sl_rng *rng, struct sl_arena *arena, int kind, void *to) {
    uint64_t bits = sl_rng_next(rng) >> sl_rng_below(rng, 64);
    if (sl_rng_chance(rng, 1, 4)) bits = ~bits;
    switch (kind) {
    case SL_KIND_BOOL:
        *(bool *)to = (bits & 1) != 0;
        return;
    case SL_KIND_I8:
        *(int8_t *)to = (int8_t)bits;
        return;
    case SL_KIND_I16:
        *(int16_t *)to = (int16_t)bits;
        return;
    case SL_KIND_U16:
        *(uint16_t *)to = (uint16_t)bits;
        return;
    case SL_KIND_I32:
        *(int32_t *)to = (int32_t)bits;
        return;
    case SL_KIND_I64:
        *(int64_t *)to = (int64_t)bits;
        return;
    case SL_KIND_F64:
        *(double *)to = (double)(int32_t)bits;
        return;
    case SL_KIND_UUID:
        memcpy(to, fill_bytes(rng, arena, 16), 16);
        return;
    case SL_KIND_RECORDS:
        fill_records(rng, arena, to);
        return;
    case SL_KIND_STR: {
        struct sl_str *text = to;
        text->size = fill_size(rng);
        text->data = (const char *)fill_bytes(rng, arena, text->size);
        return;
    }
    case SL_KIND_BYTES: {
        struct sl_bytes *bytes = to;
        bytes->size = fill_size(rng);
        bytes->data = fill_bytes(rng, arena, bytes->size);
        return;
    }
    default:
        fail_msg("kind %d cannot be filled", kind);
    }
}

static inline void fill_array(struct sl_rng *rng, struct sl_arena *arena, const struct sl_field *f,
                              struct sl_array *array, int16_t version) {
    array->count = (int32_t)sl_rng_below(rng, 4);
    if (f->item == NULL && sl_rng_chance(rng, 1, 20)) array->count = 150;
    size_t size = sl_codec_item_size(f);
    char *item = sl_arena_array(arena, (size_t)array->count, size);
    assert_non_null(item);
    array->items = item;
    for (int32_t i = 0; i < array->count; i++, item += size) {
        if (f->item != NULL) {
            fill_struct(rng, arena, f->item, item, version);
        } else {
            fill_plain(rng, arena, f->item_kind, item);
        }
    }
}

/* Gives every field of the version some value: also null where that is allowed, and tagged ones
 * the default half of the time. Fields of other versions keep their defaults. */
static inline void fill_struct(struct sl_rng *rng, struct sl_arena *arena,
                               const struct sl_type *type, void *message, int16_t version) {
    sl_codec_defaults(type, message);
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        void *member = (char *)message + f->offset;
        if (!sl_schema_has(f, version)) continue;
        if (f->tag >= 0 && sl_rng_chance(rng, 1, 2)) continue;
        if (sl_schema_nullable(f, version) && sl_rng_chance(rng, 1, 4)) {
            struct sl_field null = *f;
            null.otherwise = -1;
            struct sl_type alone = {.fields = &null, .field_count = 1};
            sl_codec_defaults(&alone, message);
        } else if (f->kind == SL_KIND_ARRAY) {
            fill_array(rng, arena, f, member, version);
        } else if (f->kind == SL_KIND_OPTION) {
            struct sl_array *option = member;
            *option = (struct sl_array){sl_arena_get(arena, f->item->size), 1};
            assert_non_null(option->items);
            fill_struct(rng, arena, f->item, option->items, version);
        } else if (f->kind == SL_KIND_STRUCT) {
            fill_struct(rng, arena, f->item, member, version);
        } else {
            fill_plain(rng, arena, f->kind, member);
        }
    }
}

/* ---- unknown tags ---- */

enum { UNKNOWN_TAG_FIRST = 100 }; /* above every tag of the tables */

/* Copies encoded bytes from r to w with unknown tags added to the section of every struct. */
struct tag_injector {
    struct sl_rng *rng;
    struct sl_reader *r;
    struct sl_writer *w;
    int16_t version;
};

static inline void inject_struct(struct tag_injector *in, const struct sl_type *type);

static inline uint32_t inject_length(struct tag_injector *in) {
    uint32_t length = sl_reader_uvarint(in->r);
    sl_writer_uvarint(in->w, length);
    return length > 0 ? length - 1 : 0;
}

static inline void inject_bytes(struct tag_injector *in, size_t size) {
    const uint8_t *bytes = sl_reader_take(in->r, size);
    assert_non_null(bytes);
    sl_writer_raw(in->w, bytes, size);
}

static inline void inject_plain(struct tag_injector *in, int kind) {
    switch (kind) {
    case SL_KIND_BOOL:
    case SL_KIND_I8:
        inject_bytes(in, 1);
        return;
    case SL_KIND_I16:
    case SL_KIND_U16:
        inject_bytes(in, 2);
        return;
    case SL_KIND_I32:
        inject_bytes(in, 4);
        return;
    case SL_KIND_I64:
    case SL_KIND_F64:
        inject_bytes(in, 8);
        return;
    case SL_KIND_UUID:
        inject_bytes(in, 16);
        return;
    default:
        inject_bytes(in, inject_length(in));
        return;
    }
}

static inline void inject_field(struct tag_injector *in, const struct sl_field *f) {
    if (f->kind == SL_KIND_STRUCT) {
        inject_struct(in, f->item);
    } else if (f->kind == SL_KIND_OPTION) {
        int8_t mark = sl_reader_i8(in->r);
        sl_writer_i8(in->w, mark);
        if (mark >= 0) inject_struct(in, f->item);
    } else if (f->kind == SL_KIND_ARRAY) {
        for (uint32_t left = inject_length(in); left > 0; left--) {
            if (f->item != NULL) {
                inject_struct(in, f->item);
            } else {
                inject_plain(in, f->item_kind);
            }
        }
    } else {
        inject_plain(in, f->kind);
    }
}

/* Copies a known tag; its size changes when there are structs in it. */
static inline void inject_into_tag(struct tag_injector *in, const struct sl_type *type) {
    uint32_t tag = sl_reader_uvarint(in->r);
    uint32_t size = sl_reader_uvarint(in->r);
    const uint8_t *data = sl_reader_take(in->r, size);
    assert_non_null(data);
    struct sl_reader r;
    struct sl_writer w;
    sl_reader_init(&r, data, size);
    sl_writer_init(&w, sl_alloc_default());
    struct tag_injector inside = {in->rng, &r, &w, in->version};
    for (int i = 0; i < type->field_count; i++) {
        if (type->fields[i].tag == (int)tag) inject_field(&inside, &type->fields[i]);
    }
    assert_int_equal(sl_reader_left(&r), 0);
    sl_writer_uvarint(in->w, tag);
    sl_writer_uvarint(in->w, w.size);
    sl_writer_raw(in->w, w.data, w.size);
    sl_writer_deinit(&w);
}

static inline void inject_struct(struct tag_injector *in, const struct sl_type *type) {
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->tag < 0 && sl_schema_has(f, in->version)) inject_field(in, f);
    }
    uint32_t known = sl_reader_uvarint(in->r);
    uint32_t unknown = (uint32_t)sl_rng_range(in->rng, 1, 3);
    sl_writer_uvarint(in->w, known + unknown);
    for (uint32_t i = 0; i < known; i++) inject_into_tag(in, type);
    for (uint32_t i = 0; i < unknown; i++) {
        uint32_t size = (uint32_t)fill_size(in->rng);
        sl_writer_uvarint(in->w, UNKNOWN_TAG_FIRST + i * 1000);
        sl_writer_uvarint(in->w, size);
        for (uint32_t k = 0; k < size; k++) sl_writer_i8(in->w, (int8_t)sl_rng_next(in->rng));
    }
}

#endif
