/* Goal: the interpreter writes and reads every wire kind in the old and the flexible encoding, and
 * refuses what is not possible on either side.
 * Method: a small protocol of its own that has every kind, with hex written by hand from Kafka's
 * protocol guide; malformed inputs one by one; splices compared with copies; the readable form
 * compared with text; every allocation failed once. */
#include "wire_support.h"

#include "sluice/error.h"
#include "wire/codec.h"

/* ---- a protocol with everything in it ---- */

struct kid {
    int16_t age;
    struct sl_str name;
};
struct note {
    struct sl_array words; /* of struct sl_str */
    int32_t weight;
};
struct parcel {
    bool fragile;
    int8_t small;
    int16_t medium;
    uint16_t port;
    int32_t large;
    int64_t huge;
    double ratio;
    struct sl_uuid id;
    struct sl_str text;
    struct sl_str maybe_text;
    struct sl_bytes blob;
    struct sl_bytes maybe_blob;
    struct sl_array numbers; /* of int32_t */
    struct sl_array kids;    /* of kid */
    struct kid guardian;
    struct sl_records records;
    int32_t later;             /* version 1 and 2 only */
    int64_t tagged_number;     /* tag 0, default 7 */
    struct note tagged_note;   /* tag 1 */
    struct sl_str tagged_text; /* tag 3, default null */
};

static const struct sl_field kid_lines[] = {
    FIELD(kid, age, ALWAYS),
    FIELD(kid, name, ALWAYS),
};
static const struct sl_type kid_type = TYPE(kid, kid_lines);
static const struct sl_field note_lines[] = {
    LIST(note, words, struct sl_str, ALWAYS),
    FIELD(note, weight, ALWAYS, OTHERWISE(-1)),
};
static const struct sl_type note_type = TYPE(note, note_lines);
static const struct sl_field parcel_lines[] = {
    FIELD(parcel, fragile, ALWAYS, OTHERWISE(true)),
    FIELD(parcel, small, ALWAYS, OTHERWISE(-1)),
    FIELD(parcel, medium, ALWAYS),
    FIELD(parcel, port, ALWAYS),
    FIELD(parcel, large, ALWAYS),
    FIELD(parcel, huge, ALWAYS),
    FIELD(parcel, ratio, ALWAYS),
    FIELD(parcel, id, ALWAYS),
    FIELD(parcel, text, ALWAYS),
    NULLABLE(parcel, maybe_text, 1, ALWAYS),
    FIELD(parcel, blob, ALWAYS),
    NULLABLE(parcel, maybe_blob, 1, ALWAYS),
    LIST(parcel, numbers, int32_t, ALWAYS),
    NULLABLE_ARRAY(parcel, kids, kid, 1, ALWAYS),
    STRUCT(parcel, guardian, kid, ALWAYS),
    NULLABLE(parcel, records, 1, ALWAYS),
    FIELD(parcel, later, BETWEEN(1, 2), OTHERWISE(-5)),
    FIELD(parcel, tagged_number, TAGGED(0, 2), OTHERWISE(7)),
    STRUCT(parcel, tagged_note, note, TAGGED(1, 2)),
    NULLABLE(parcel, tagged_text, 2, TAGGED(3, 2)),
};
static const struct sl_type parcel_type = TYPE(parcel, parcel_lines);

enum { FLEXIBLE_SINCE = 2 };

static int32_t parcel_numbers[] = {1, -1};
static struct kid parcel_kids[] = {{7, {"Ann", 3}}, {-1, {"", 0}}};
static const uint8_t parcel_blob[] = {0xde, 0xad};
static const struct sl_iov parcel_pieces[] = {{"rec", 3}, {"", 0}, {"ords", 4}};

static struct parcel make_parcel(void) {
    struct parcel p;
    sl_codec_defaults(&parcel_type, &p);
    p.small = -2;
    p.medium = 0x0102;
    p.port = 0xfffe;
    p.large = 0x01020304;
    p.huge = -2;
    p.ratio = 1.5;
    for (int i = 0; i < 16; i++) p.id.bytes[i] = (uint8_t)(i + 1);
    p.text = SL_STR("hi");
    p.maybe_text = SL_STR("");
    p.blob = (struct sl_bytes){parcel_blob, 2};
    p.maybe_blob = (struct sl_bytes){parcel_blob, 1};
    p.numbers = (struct sl_array){parcel_numbers, 2};
    p.kids = (struct sl_array){parcel_kids, 2};
    p.guardian = (struct kid){99, SL_STR("Bo")};
    p.records = (struct sl_records){NULL, parcel_pieces, 3, 7};
    return p;
}

#define FIXED_HEX                                                \
    "01 fe 0102 fffe 01020304 fffffffffffffffe 3ff8000000000000" \
    "0102030405060708090a0b0c0d0e0f10"
static const char old_hex[] = FIXED_HEX "0002 6869  0000  00000002 dead  00000001 de"
                                        "00000002 00000001 ffffffff"
                                        "00000002 0007 0003 416e6e  ffff 0000"
                                        "0063 0002 426f"
                                        "00000007 7265636f726473";
static const char flexible_hex[] = FIXED_HEX "03 6869  01  03 dead  02 de"
                                             "03 00000001 ffffffff"
                                             "03 0007 04 416e6e 00  ffff 01 00"
                                             "0063 03 426f 00"
                                             "08 7265636f726473"
                                             "fffffffb";

static int encode_parcel(struct sl_writer *out, const struct parcel *p, int16_t version) {
    struct sl_encoder e = {.out = out};
    return sl_codec_encode(&e, &parcel_type, p, version, version >= FLEXIBLE_SINCE);
}

static int decode_parcel(const void *bytes, size_t size, struct sl_arena *arena, struct parcel *p,
                         int16_t version) {
    struct sl_reader r;
    sl_reader_init(&r, bytes, size);
    return sl_codec_decode(&r, arena, &parcel_type, p, version, version >= FLEXIBLE_SINCE);
}

/* Encodes p, compares with hex, decodes and compares with p. */
static void check_both_ways(const struct parcel *p, int16_t version, const char *hex) {
    struct sl_writer out;
    struct sl_arena arena;
    struct parcel back;
    sl_writer_init(&out, sl_alloc_default());
    sl_arena_init(&arena, sl_alloc_default(), 0);
    assert_int_equal(encode_parcel(&out, p, version), 0);
    test_hex_equal(out.data, out.size, hex);
    assert_int_equal(decode_parcel(out.data, out.size, &arena, &back, version), 0);
    assert_true(sl_codec_equal(&parcel_type, p, &back, version));
    sl_arena_deinit(&arena);
    sl_writer_deinit(&out);
}

/* ---- vectors ---- */

static void test_every_kind(void **state) {
    (void)state;
    char hex[1000];
    struct parcel p = make_parcel();
    check_both_ways(&p, 0, old_hex);
    snprintf(hex, sizeof hex, "%s fffffffb", old_hex);
    check_both_ways(&p, 1, hex);
    snprintf(hex, sizeof hex, "%s 00", flexible_hex);
    check_both_ways(&p, 2, hex);
}

static void test_tagged_fields(void **state) {
    (void)state;
    char hex[1000];
    struct sl_str words[] = {SL_STR("ab"), SL_STR("")};
    struct parcel p = make_parcel();
    p.tagged_number = 7; /* the default is not sent */
    p.tagged_note = (struct note){{words, 2}, 3};
    p.tagged_text = SL_STR("");
    snprintf(hex, sizeof hex, "%s 02  01 0a 03 036162 01 00000003 00  03 01 01", flexible_hex);
    check_both_ways(&p, 2, hex);
    p.tagged_number = 0;
    p.tagged_note = (struct note){{NULL, 0}, -1}; /* all its fields are at their defaults */
    p.tagged_text = SL_STR_NULL;
    snprintf(hex, sizeof hex, "%s 01  00 08 0000000000000000", flexible_hex);
    check_both_ways(&p, 2, hex);
}

/* The size of a tag has more than one byte from 128 bytes of content on. */
static void test_long_tags(void **state) {
    (void)state;
    static char long_text[20000];
    memset(long_text, 'x', sizeof long_text);
    static const int32_t sizes[] = {0, 1, 124, 125, 126, 127, 128, 129, 16380, 16383, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sl_writer out;
        struct sl_arena arena;
        struct parcel back;
        struct parcel p = make_parcel();
        struct sl_str word = {long_text, sizes[i]};
        p.tagged_number = 1;
        p.tagged_note.words = (struct sl_array){&word, 1};
        p.tagged_text = (struct sl_str){long_text, sizes[i]};
        sl_writer_init(&out, sl_alloc_default());
        sl_arena_init(&arena, sl_alloc_default(), 0);
        assert_int_equal(encode_parcel(&out, &p, 2), 0);
        assert_int_equal(decode_parcel(out.data, out.size, &arena, &back, 2), 0);
        assert_true(sl_codec_equal(&parcel_type, &p, &back, 2));
        sl_arena_deinit(&arena);
        sl_writer_deinit(&out);
    }
}

static void test_nulls(void **state) {
    (void)state;
    struct parcel p = make_parcel();
    p.maybe_text = SL_STR_NULL;
    p.maybe_blob = SL_BYTES_NULL;
    p.kids = (struct sl_array){NULL, -1};
    p.records = (struct sl_records){NULL, NULL, 0, -1};
    check_both_ways(&p, 1,
                    FIXED_HEX "0002 6869 ffff 00000002 dead ffffffff 00000002 00000001 ffffffff"
                              "ffffffff 0063 0002 426f ffffffff fffffffb");
    check_both_ways(&p, 2,
                    FIXED_HEX "03 6869 00 03 dead 00 03 00000001 ffffffff 00 0063 03 426f 00"
                              "00 fffffffb 00");
}

static void test_defaults(void **state) {
    (void)state;
    struct parcel p;
    memset(&p, 0x5a, sizeof p);
    sl_codec_defaults(&parcel_type, &p);
    assert_true(p.fragile);
    assert_int_equal(p.small, -1);
    assert_int_equal(p.large, 0);
    assert_true(p.ratio == 0);
    assert_true(sl_bytes_uuid_is_zero(&p.id));
    assert_int_equal(p.text.size, 0);
    assert_int_equal(p.maybe_text.size, -1);
    assert_int_equal(p.blob.size, 0);
    assert_int_equal(p.maybe_blob.size, -1);
    assert_int_equal(p.kids.count, 0);
    assert_int_equal(p.guardian.age, 0);
    assert_int_equal(p.records.size, -1);
    assert_int_equal(p.later, -5);
    assert_true(p.tagged_number == 7);
    assert_int_equal(p.tagged_note.weight, -1);
    assert_int_equal(p.tagged_text.size, -1);
}

/* A field that the version lacks has its default after decoding, whatever was there before. */
static void test_absent_fields_have_defaults(void **state) {
    (void)state;
    uint8_t bytes[300];
    struct sl_arena arena;
    struct parcel back;
    size_t size = test_hex(old_hex, bytes, sizeof bytes);
    sl_arena_init(&arena, sl_alloc_default(), 0);
    memset(&back, 0x5a, sizeof back);
    assert_int_equal(decode_parcel(bytes, size, &arena, &back, 0), 0);
    assert_int_equal(back.later, -5);
    assert_true(back.tagged_number == 7);
    assert_int_equal(back.tagged_note.weight, -1);
    sl_arena_deinit(&arena);
}

/* ---- lists and tags of every kind ---- */

struct zoo {
    struct sl_array flags; /* of bool */
    struct sl_array i8s;   /* of int8_t */
    struct sl_array i16s;  /* of int16_t */
    struct sl_array u16s;  /* of uint16_t */
    struct sl_array i64s;  /* of int64_t */
    struct sl_array f64s;  /* of double */
    struct sl_array texts; /* of struct sl_str */
    struct sl_array blobs; /* of struct sl_bytes */
    struct sl_array ids;   /* of struct sl_uuid */
    bool flag;
    int8_t i8;
    int16_t i16;
    uint16_t u16;
    int32_t i32;
    int64_t i64;
    double f64;
    struct sl_bytes blob;
    struct sl_uuid id;
    struct sl_array kids; /* of kid; tagged, null when absent */
};
static const struct sl_field zoo_lines[] = {
    LIST(zoo, flags, bool, ALWAYS),
    LIST(zoo, i8s, int8_t, ALWAYS),
    LIST(zoo, i16s, int16_t, ALWAYS),
    LIST(zoo, u16s, uint16_t, ALWAYS),
    LIST(zoo, i64s, int64_t, ALWAYS),
    LIST(zoo, f64s, double, ALWAYS),
    LIST(zoo, texts, struct sl_str, ALWAYS),
    LIST(zoo, blobs, struct sl_bytes, ALWAYS),
    LIST(zoo, ids, struct sl_uuid, ALWAYS),
    FIELD(zoo, flag, TAGGED(0, 0), OTHERWISE(true)),
    FIELD(zoo, i8, TAGGED(1, 0), OTHERWISE(-1)),
    FIELD(zoo, i16, TAGGED(2, 0), OTHERWISE(-1)),
    FIELD(zoo, u16, TAGGED(3, 0), OTHERWISE(9)),
    FIELD(zoo, i32, TAGGED(4, 0), OTHERWISE(-1)),
    FIELD(zoo, i64, TAGGED(5, 0), OTHERWISE(-1)),
    FIELD(zoo, f64, TAGGED(6, 0)),
    NULLABLE(zoo, blob, 0, TAGGED(7, 0)),
    FIELD(zoo, id, TAGGED(8, 0)),
    NULLABLE_ARRAY(zoo, kids, kid, 0, TAGGED(9, 0), OTHERWISE(-1)),
};
static const struct sl_type zoo_type = TYPE(zoo, zoo_lines);

/* Random values there and back; what is left at its default, or set to it, takes no byte. */
static void test_zoo(void **state) {
    (void)state;
    char line[2000];
    for (uint64_t seed = 0; seed < 300; seed++) {
        bool flexible = seed % 3 != 0;
        struct zoo sent;
        struct zoo back;
        struct sl_rng rng;
        struct sl_arena arena;
        struct sl_writer out;
        struct sl_reader r;
        struct sl_text text;
        struct sl_encoder e = {.out = &out};
        sl_rng_init(&rng, seed);
        sl_arena_init(&arena, sl_alloc_default(), 0);
        sl_writer_init(&out, sl_alloc_default());
        fill_struct(&rng, &arena, &zoo_type, &sent, 0);
        if (!flexible) { /* tagged fields have no place there */
            struct zoo plain = sent;
            sl_codec_defaults(&zoo_type, &sent);
            memcpy(&sent, &plain, offsetof(struct zoo, flag));
        }
        assert_int_equal(sl_codec_encode(&e, &zoo_type, &sent, 0, flexible), 0);
        sl_reader_init(&r, out.data, out.size);
        assert_int_equal(sl_codec_decode(&r, &arena, &zoo_type, &back, 0, flexible), 0);
        assert_true(sl_codec_equal(&zoo_type, &sent, &back, 0));
        sl_text_init(&text, line, sizeof line);
        sl_codec_dump(&zoo_type, &back, 0, &text);
        assert_true(text.size > 0);
        sl_writer_deinit(&out);
        sl_arena_deinit(&arena);
    }
    struct zoo empty;
    uint8_t buf[64];
    struct sl_writer out;
    struct sl_encoder e = {.out = &out};
    sl_codec_defaults(&zoo_type, &empty);
    sl_writer_init_fixed(&out, buf, sizeof buf);
    assert_int_equal(sl_codec_encode(&e, &zoo_type, &empty, 0, true), 0);
    /* Nine empty lists, then one tag: a double is always sent. */
    test_hex_equal(buf, out.size, "010101010101010101 01 06 08 0000000000000000");
}

/* ---- structs and lists that may be null ---- */

struct letter {
    struct sl_array sender;  /* one kid, or null */
    struct sl_array stamps;  /* of int16_t; null from version 1 on */
    struct sl_array copyist; /* one kid, or null; tag 0 */
};
static const struct sl_field letter_lines[] = {
    NULLABLE_STRUCT(letter, sender, kid, ALWAYS),
    NULLABLE_LIST(letter, stamps, int16_t, 1, ALWAYS, OTHERWISE(-1)),
    NULLABLE_STRUCT(letter, copyist, kid, TAGGED(0, 2)),
};
static const struct sl_type letter_type = TYPE(letter, letter_lines);

static int encode_letter(struct sl_writer *out, const struct letter *l, int16_t version) {
    struct sl_encoder e = {.out = out};
    return sl_codec_encode(&e, &letter_type, l, version, version >= FLEXIBLE_SINCE);
}

static void check_letter(const struct letter *l, int16_t version, const char *hex,
                         const char *shown) {
    struct sl_writer out;
    struct sl_arena arena;
    struct sl_reader r;
    struct letter back;
    struct sl_text text;
    char line[200];
    sl_writer_init(&out, sl_alloc_default());
    sl_arena_init(&arena, sl_alloc_default(), 0);
    assert_int_equal(encode_letter(&out, l, version), 0);
    test_hex_equal(out.data, out.size, hex);
    sl_reader_init(&r, out.data, out.size);
    bool flexible = version >= FLEXIBLE_SINCE;
    assert_int_equal(sl_codec_decode(&r, &arena, &letter_type, &back, version, flexible), 0);
    assert_true(sl_codec_equal(&letter_type, l, &back, version));
    sl_text_init(&text, line, sizeof line);
    sl_codec_dump(&letter_type, &back, version, &text);
    assert_string_equal(line, shown);
    sl_arena_deinit(&arena);
    sl_writer_deinit(&out);
}

static void test_options(void **state) {
    (void)state;
    int16_t stamps[] = {3};
    struct kid other = {8, {"Ann", 3}};
    struct letter l;
    sl_codec_defaults(&letter_type, &l);
    assert_true(l.sender.count == -1 && l.stamps.count == -1 && l.copyist.count == -1);
    check_letter(&l, 1, "ff ffffffff", "{sender=null, stamps=null}");
    check_letter(&l, 2, "ff 00 00", "{sender=null, stamps=null, copyist=null}");
    l.sender = (struct sl_array){&parcel_kids[0], 1};
    l.stamps = (struct sl_array){stamps, 1};
    check_letter(&l, 0, "01 0007 0003 416e6e 00000001 0003",
                 "{sender={age=7, name=\"Ann\"}, stamps=[3]}");
    struct letter m = l;
    l.copyist = (struct sl_array){&parcel_kids[1], 1};
    check_letter(&l, 2, "01 0007 04 416e6e 00 02 0003 01 00 05 01 ffff 01 00",
                 "{sender={age=7, name=\"Ann\"}, stamps=[3], copyist={age=-1, name=\"\"}}");
    assert_false(sl_codec_equal(&letter_type, &l, &m, 2));
    m.copyist = l.copyist;
    assert_true(sl_codec_equal(&letter_type, &l, &m, 2));
    m.sender.items = &other;
    assert_false(sl_codec_equal(&letter_type, &l, &m, 2));
}

/* Two of what may be there once, none that is said to be there, null before its time. */
static void test_option_misuse(void **state) {
    (void)state;
    static const struct letter wrong[] = {
        {{parcel_kids, 2}, {NULL, 0}, {NULL, -1}}, {{NULL, 0}, {NULL, 0}, {NULL, -1}},
        {{NULL, 1}, {NULL, 0}, {NULL, -1}},        {{NULL, -2}, {NULL, 0}, {NULL, -1}},
        {{NULL, -1}, {NULL, -1}, {NULL, -1}},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct sl_writer out;
        sl_writer_init(&out, sl_alloc_default());
        assert_int_equal(encode_letter(&out, &wrong[i], 0), SLUICE_ERR_USAGE);
        sl_writer_deinit(&out);
    }
}

/* ---- what cannot be encoded ---- */

static void expect_misuse(const struct parcel *p, int16_t version) {
    struct sl_writer out;
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(encode_parcel(&out, p, version), SLUICE_ERR_USAGE);
    sl_writer_deinit(&out);
}

static void test_misuse(void **state) {
    (void)state;
    static char long_text[INT16_MAX + 1];
    struct sl_str no_word = SL_STR_NULL;
    struct parcel p = make_parcel();
    for (int16_t version = 0; version <= 2; version++) {
        p.text = SL_STR_NULL;
        expect_misuse(&p, version);
        p = make_parcel();
        p.blob = SL_BYTES_NULL;
        expect_misuse(&p, version);
        p = make_parcel();
        p.numbers.count = -1;
        expect_misuse(&p, version);
        p = make_parcel();
        p.kids.count = -2;
        expect_misuse(&p, version);
        p = make_parcel();
        p.kids.items = NULL;
        expect_misuse(&p, version);
        p = make_parcel();
        p.text = (struct sl_str){NULL, 1};
        expect_misuse(&p, version);
        p = make_parcel();
        p.text = (struct sl_str){long_text, INT16_MAX + 1};
        expect_misuse(&p, version);
        p = make_parcel();
        p.records.size = 6; /* the pieces have 7 */
        expect_misuse(&p, version);
        p = make_parcel();
    }
    p.maybe_text = SL_STR_NULL; /* from version 1 on */
    expect_misuse(&p, 0);
    p = make_parcel();
    p.kids = (struct sl_array){NULL, -1};
    expect_misuse(&p, 0);
    p = make_parcel();
    p.records = (struct sl_records){NULL, NULL, 0, -1};
    expect_misuse(&p, 0);
    p = make_parcel();
    p.tagged_note.words = (struct sl_array){&no_word, 1};
    expect_misuse(&p, 2);
}

/* ---- what cannot be decoded ---- */

struct one_array {
    struct sl_array items; /* of kid */
};
static const struct sl_field one_array_lines[] = {ARRAY(one_array, items, kid, ALWAYS)};
static const struct sl_type one_array_type = TYPE(one_array, one_array_lines);
struct one_text {
    struct sl_str text;
    struct sl_str maybe; /* null from version 1 on; tag 5 */
};
static const struct sl_field one_text_lines[] = {
    FIELD(one_text, text, ALWAYS),
    NULLABLE(one_text, maybe, 1, TAGGED(5, 0)),
};
static const struct sl_type one_text_type = TYPE(one_text, one_text_lines);
struct one_bytes {
    struct sl_bytes blob;
};
static const struct sl_field one_bytes_lines[] = {NULLABLE(one_bytes, blob, 0, ALWAYS)};
static const struct sl_type one_bytes_type = TYPE(one_bytes, one_bytes_lines);
struct nothing {
    char unused;
};
struct many_nothings {
    struct sl_array items; /* of nothing */
};
static const struct sl_type nothing_type = {.name = "nothing", .size = sizeof(struct nothing)};
static const struct sl_field many_nothings_lines[] = {ARRAY(many_nothings, items, nothing, ALWAYS)};
static const struct sl_type many_nothings_type = TYPE(many_nothings, many_nothings_lines);

static const struct {
    const struct sl_type *type;
    int version;
    bool flexible;
    int want; /* what decoding answers */
    const char *hex;
    const char *what;
} inputs[] = {
    {&one_array_type, 0, false, 0, "00000000", "no items"},
    {&one_array_type, 0, false, 0, "00000001 0007 0000", "one item"},
    {&one_array_type, 0, false, SLUICE_ERR_MALFORMED, "ffffffff", "null"},
    {&one_array_type, 0, false, SLUICE_ERR_MALFORMED, "fffffffe", "count -2"},
    {&one_array_type, 0, false, SLUICE_ERR_MALFORMED, "80000000", "least count"},
    {&one_array_type, 0, false, SLUICE_ERR_MALFORMED, "7fffffff 0007 0000", "greatest count"},
    {&one_array_type, 0, false, SLUICE_ERR_MALFORMED, "00000002 0007 0000", "one item of two"},
    {&one_array_type, 0, false, SLUICE_ERR_MALFORMED, "00000002 00070000 000700", "one and a bit"},
    {&one_array_type, 0, true, 0, "02 0007 01 00 00", "one item"},
    {&one_array_type, 0, true, SLUICE_ERR_MALFORMED, "00 00", "null"},
    {&one_array_type, 0, true, SLUICE_ERR_MALFORMED, "ffffffff0f 0007 01 00 00", "greatest count"},
    {&one_array_type, 0, true, SLUICE_ERR_MALFORMED, "ffffffffff 00", "a varint without end"},
    {&one_array_type, 0, true, SLUICE_ERR_MALFORMED, "ffffffff1f 00", "a varint too large"},
    {&one_text_type, 0, false, 0, "0002 6869", "a text"},
    {&one_text_type, 0, false, SLUICE_ERR_MALFORMED, "ffff", "a null text"},
    {&one_text_type, 0, false, SLUICE_ERR_MALFORMED, "fffe 6869", "length -2"},
    {&one_text_type, 0, false, SLUICE_ERR_MALFORMED, "8000 6869", "least length"},
    {&one_text_type, 0, false, SLUICE_ERR_MALFORMED, "0003 6869", "a text cut short"},
    {&one_text_type, 0, false, SLUICE_ERR_MALFORMED, "0001 6869", "a byte left over"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "00 00", "a null text"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "04 6869", "a text cut short"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "ffffffff0f 00", "a text of 4 GiB"},
    {&one_text_type, 1, true, 0, "01 01 05 01 00", "a null tag"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "01 01 05 01 00", "a null tag before its time"},
    {&one_text_type, 0, true, 0, "01 02 09 00 05 02 02 61", "tags in falling order"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "01 01 05 03 02 61", "a tag beyond the end"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "01 01 05 01 02 61", "a tag that is too short"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "01 01 05 03 02 6161", "a byte left in a tag"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "01 01 05", "a tag without size"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "01 ffffffff0f", "four billion tags"},
    {&one_text_type, 0, true, SLUICE_ERR_MALFORMED, "01", "no tag section"},
    {&one_text_type, 0, true, 0, "01 02 05 02 02 61 05 02 02 62", "a tag twice"},
    {&one_text_type, 0, true, 0, "01 01 ffffffff0f 02 6161", "the greatest unknown tag"},
    {&one_bytes_type, 0, false, 0, "ffffffff", "null bytes"},
    {&one_bytes_type, 0, false, 0, "00000001 61", "bytes"},
    {&one_bytes_type, 0, false, SLUICE_ERR_MALFORMED, "fffffffe", "length -2"},
    {&one_bytes_type, 0, false, SLUICE_ERR_MALFORMED, "7fffffff 61", "bytes of 2 GiB"},
    {&one_bytes_type, 0, true, SLUICE_ERR_MALFORMED, "ffffffff0f 61", "bytes of 4 GiB"},
    {&letter_type, 0, false, 0, "ff 00000000", "no option"},
    {&letter_type, 0, false, 0, "80 00000000", "no option, as any negative byte says"},
    {&letter_type, 0, false, 0, "00 0007 0000 00000000", "an option by another byte"},
    {&letter_type, 0, false, SLUICE_ERR_MALFORMED, "ff ffffffff", "a null list before its time"},
    {&letter_type, 0, false, SLUICE_ERR_MALFORMED, "01 0007 00", "an option cut short"},
    {&letter_type, 0, false, SLUICE_ERR_MALFORMED, "01", "an option of nothing"},
    {&letter_type, 0, false, SLUICE_ERR_MALFORMED, "", "no byte for the option"},
    {&letter_type, 2, true, 0, "ff 00 01 00 01 ff", "a tagged null that need not be there"},
    {&letter_type, 2, true, SLUICE_ERR_MALFORMED, "ff 00 01 00 00", "a tagged option of nothing"},
    {&many_nothings_type, 0, false, 0, "00000000", "no items"},
    {&many_nothings_type, 0, false, SLUICE_ERR_MALFORMED, "7fffffff", "items of no bytes"},
    {&many_nothings_type, 0, true, 0, "03 00 00 00", "items of tags alone"},
};

static void test_inputs(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        uint8_t bytes[64];
        struct test_memory memory;
        struct sl_arena arena;
        struct sl_reader r;
        union wire_message message;
        size_t size = test_hex(inputs[i].hex, bytes, sizeof bytes);
        test_memory_init(&memory);
        sl_arena_init(&arena, &memory.alloc, 0);
        sl_reader_init(&r, bytes, size);
        int rv = sl_codec_decode(&r, &arena, inputs[i].type, &message, (int16_t)inputs[i].version,
                                 inputs[i].flexible);
        if (rv != inputs[i].want)
            fail_msg("%s (%s): %d instead of %d", inputs[i].what, inputs[i].hex, rv,
                     inputs[i].want);
        assert_true(memory.peak_bytes < 4096);
        sl_arena_deinit(&arena);
        test_memory_check(&memory);
    }
}

/* Kafka writes tags in rising order, but reads any order; the last of two counts. */
static void test_tag_order_and_repetition(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0x01, 0x02, 0x05, 0x02, 0x02, 'a', 0x05, 0x02, 0x02, 'b'};
    struct sl_arena arena;
    struct sl_reader r;
    struct one_text back;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    sl_reader_init(&r, bytes, sizeof bytes);
    assert_int_equal(sl_codec_decode(&r, &arena, &one_text_type, &back, 0, true), 0);
    assert_true(sl_bytes_str_equal(back.maybe, SL_STR("b")));
    sl_arena_deinit(&arena);
}

/* An arena with a limit answers like memory that is used up. */
static void test_arena_limit(void **state) {
    (void)state;
    uint8_t bytes[300];
    struct sl_arena arena;
    struct parcel back;
    size_t size = test_hex(old_hex, bytes, sizeof bytes);
    sl_arena_init(&arena, sl_alloc_default(), 8);
    assert_int_equal(decode_parcel(bytes, size, &arena, &back, 0), SLUICE_ERR_NOMEM);
    sl_arena_deinit(&arena);
}

/* ---- records ---- */

/* What the receiver sees when a sender puts the pieces where the splices say. */
static void join_splices(const struct sl_encoder *e, struct sl_writer *whole) {
    size_t at = 0;
    for (size_t i = 0; i < e->splice_count; i++) {
        const struct sl_splice *s = &e->splices[i];
        sl_writer_raw(whole, e->out->data + at, s->at - at);
        at = s->at;
        for (int32_t k = 0; k < s->piece_count; k++)
            sl_writer_raw(whole, s->pieces[k].data, s->pieces[k].size);
    }
    sl_writer_raw(whole, e->out->data + at, e->out->size - at);
}

static void test_splices(void **state) {
    (void)state;
    for (int16_t version = 0; version <= 2; version++) {
        struct sl_writer copied;
        struct sl_writer spliced;
        struct sl_writer whole;
        struct sl_splice splices[1];
        struct sl_encoder e = {.out = &spliced, .splices = splices, .splice_cap = 1};
        struct parcel p = make_parcel();
        p.tagged_number = 1;
        sl_writer_init(&copied, sl_alloc_default());
        sl_writer_init(&spliced, sl_alloc_default());
        sl_writer_init(&whole, sl_alloc_default());
        assert_int_equal(encode_parcel(&copied, &p, version), 0);
        assert_int_equal(sl_codec_encode(&e, &parcel_type, &p, version, version >= FLEXIBLE_SINCE),
                         0);
        assert_int_equal(e.splice_count, 1);
        assert_ptr_equal(splices[0].pieces, parcel_pieces);
        assert_int_equal(splices[0].piece_count, 3);
        assert_int_equal(splices[0].size, 7);
        assert_int_equal(e.splice_bytes, 7);
        assert_int_equal(spliced.size + 7, copied.size);
        join_splices(&e, &whole);
        assert_int_equal(whole.size, copied.size);
        assert_memory_equal(whole.data, copied.data, copied.size);
        /* No room for another. */
        assert_int_equal(sl_codec_encode(&e, &parcel_type, &p, version, version >= FLEXIBLE_SINCE),
                         SLUICE_ERR_USAGE);
        sl_writer_deinit(&copied);
        sl_writer_deinit(&spliced);
        sl_writer_deinit(&whole);
    }
}

/* Records without bytes, or in one piece of memory, need no splice. */
static void test_records_without_splice(void **state) {
    (void)state;
    static const struct sl_iov empty[] = {{"", 0}};
    struct sl_splice splices[1];
    struct sl_writer out;
    struct sl_encoder e = {.out = &out, .splices = splices, .splice_cap = 1};
    struct parcel p = make_parcel();
    sl_writer_init(&out, sl_alloc_default());
    p.records = (struct sl_records){NULL, empty, 1, 0};
    assert_int_equal(sl_codec_encode(&e, &parcel_type, &p, 0, false), 0);
    p.records = (struct sl_records){(const uint8_t *)"records", NULL, 0, 7};
    assert_int_equal(sl_codec_encode(&e, &parcel_type, &p, 0, false), 0);
    assert_int_equal(e.splice_count, 0);
    assert_memory_equal(out.data + out.size - 7, "records", 7);
    sl_writer_deinit(&out);
}

/* ---- equality ---- */

static void test_equality(void **state) {
    (void)state;
    static const struct sl_iov same_records[] = {{"r", 1}, {"ecord", 5}, {"s", 1}};
    static const struct sl_iov other_records[] = {{"r", 1}, {"ecorD", 5}, {"s", 1}};
    int32_t other_numbers[] = {1, -2};
    struct kid other_kids[] = {{7, {"Ann", 3}}, {-1, {"x", 1}}};
    const struct parcel p = make_parcel();
    struct parcel q = make_parcel();
    assert_true(sl_codec_equal(&parcel_type, &p, &q, 2));
    q.records = (struct sl_records){NULL, same_records, 3, 7};
    assert_true(sl_codec_equal(&parcel_type, &p, &q, 2));
    q.records = (struct sl_records){(const uint8_t *)"records", NULL, 0, 7};
    assert_true(sl_codec_equal(&parcel_type, &p, &q, 2));
    q.records = (struct sl_records){NULL, other_records, 3, 7};
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q.records = (struct sl_records){(const uint8_t *)"recordsX", NULL, 0, 8};
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));

    q = make_parcel();
    q.later = 1; /* versions 1 and 2 have it */
    assert_true(sl_codec_equal(&parcel_type, &p, &q, 0));
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q = make_parcel();
    q.maybe_text = SL_STR_NULL; /* not the same as empty */
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q = make_parcel();
    q.numbers.items = other_numbers;
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q.numbers.count = 1;
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q = make_parcel();
    q.kids.items = other_kids;
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q = make_parcel();
    q.guardian.age++;
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q = make_parcel();
    q.id.bytes[15]++;
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q = make_parcel();
    q.ratio = -1.5;
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
    q = make_parcel();
    q.maybe_blob.size = 2;
    assert_false(sl_codec_equal(&parcel_type, &p, &q, 2));
}

/* ---- the readable form ---- */

static void test_dump(void **state) {
    (void)state;
    char buf[1000];
    struct sl_text text;
    struct parcel p = make_parcel();
    p.text = SL_STR("a\"b\\c\n\xff");
    p.maybe_text = SL_STR_NULL;
    p.maybe_blob = SL_BYTES_NULL;
    sl_text_init(&text, buf, sizeof buf);
    sl_codec_dump(&parcel_type, &p, 2, &text);
    assert_string_equal(
        buf, "{fragile=true, small=-2, medium=258, port=65534, large=16909060, huge=-2, "
             "ratio=1.5, id=AQIDBAUGBwgJCgsMDQ4PEA, text=\"a\\\"b\\\\c\\x0a\\xff\", "
             "maybe_text=null, blob=2 bytes, maybe_blob=null, numbers=[1, -1], "
             "kids=[{age=7, name=\"Ann\"}, {age=-1, name=\"\"}], guardian={age=99, name=\"Bo\"}, "
             "records=7 bytes, later=-5, tagged_number=7, tagged_note={words=[], weight=-1}, "
             "tagged_text=null}");
    p.kids = (struct sl_array){NULL, -1};
    sl_text_init(&text, buf, sizeof buf);
    sl_codec_dump(&parcel_type, &p, 0, &text);
    assert_non_null(strstr(buf, "kids=null, "));
    assert_null(strstr(buf, "later"));
    sl_text_init(&text, buf, sizeof buf);
    sl_codec_dump(&nothing_type, &p, 0, &text);
    assert_string_equal(buf, "{}");
}

/* A buffer that is too small holds the beginning, and a huge message does not cost its size. */
static void test_dump_is_bounded(void **state) {
    (void)state;
    char whole[1000];
    char part[1000];
    struct sl_text text;
    struct parcel p = make_parcel();
    sl_text_init(&text, whole, sizeof whole);
    sl_codec_dump(&parcel_type, &p, 2, &text);
    for (size_t cap = 0; cap <= text.size; cap++) {
        struct sl_text small;
        memset(part, 'X', sizeof part);
        sl_text_init(&small, part, cap);
        sl_codec_dump(&parcel_type, &p, 2, &small);
        assert_true(small.size >= cap);
        if (cap > 0) {
            assert_memory_equal(part, whole, cap - 1);
            assert_int_equal(part[cap - 1], '\0');
        }
        assert_int_equal(part[cap], 'X');
    }
    static int32_t many[1000000];
    p.numbers = (struct sl_array){many, 1000000};
    sl_text_init(&text, part, sizeof part);
    sl_codec_dump(&parcel_type, &p, 2, &text);
    assert_true(text.size < sizeof part + 200);
}

/* ---- allocation failures ---- */

static void test_allocation_failures(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct test_memory memory;
        struct sl_writer out;
        struct sl_arena arena;
        struct parcel back;
        struct sl_str words[] = {SL_STR("ab"), SL_STR("cd")};
        struct parcel p = make_parcel();
        p.tagged_note.words = (struct sl_array){words, 2};
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        sl_writer_init(&out, &memory.alloc);
        sl_arena_init(&arena, &memory.alloc, 0);
        int rv = encode_parcel(&out, &p, 2);
        if (rv == 0) rv = decode_parcel(out.data, out.size, &arena, &back, 2);
        sl_arena_deinit(&arena);
        sl_writer_deinit(&out);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

/* A buffer that cannot grow is tried at every size. */
static void test_fixed_buffer(void **state) {
    (void)state;
    uint8_t buf[300];
    struct sl_str words[] = {SL_STR("ab"), SL_STR("cd")};
    struct parcel p = make_parcel();
    p.tagged_note.words = (struct sl_array){words, 2};
    p.tagged_text = SL_STR("0123456789012345678901234567890123456789");
    for (size_t cap = 0;; cap++) {
        assert_true(cap < sizeof buf);
        struct sl_writer out;
        buf[cap] = 0x77;
        sl_writer_init_fixed(&out, buf, cap);
        int rv = encode_parcel(&out, &p, 2);
        assert_int_equal(buf[cap], 0x77);
        if (rv == 0) {
            assert_int_equal(out.size, cap);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_tagged_fields),
        cmocka_unit_test(test_long_tags),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_absent_fields_have_defaults),
        cmocka_unit_test(test_zoo),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_option_misuse),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_tag_order_and_repetition),
        cmocka_unit_test(test_arena_limit),
        cmocka_unit_test(test_splices),
        cmocka_unit_test(test_records_without_splice),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_is_bounded),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_fixed_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
