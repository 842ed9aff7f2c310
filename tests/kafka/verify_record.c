/* Records as a function of (seed, tag).
 *
 * Every record is drawn from a generator of its own, seeded by both, so that the record of any tag
 * can be made again without those before it. The mix covers what differs on the wire: null and
 * empty values, sizes on both sides of a varint's steps and of a batch's, bytes that compress and
 * bytes that do not, with and without key, timestamp, partition and second header. The average of
 * the mixed sizes is about 300 bytes. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <string.h>

/* splitmix64: each call a step of a counter, scrambled. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t draw_below(uint64_t *state, size_t limit) { return (size_t)(draw(state) % limit); }

static void fill_bytes(uint64_t *state, uint8_t *out, size_t size) {
    uint64_t word;
    for (size_t i = 0; i < size; i += sizeof word) {
        word = draw(state);
        memcpy(out + i, &word, size - i < sizeof word ? size - i : sizeof word);
    }
}

/* Half of the values repeat one word of eight bytes, so that a codec has something to do. */
static void fill_value(uint64_t *state, uint8_t *out, size_t size) {
    uint8_t word[8];
    if (draw_below(state, 2) == 0) {
        fill_bytes(state, out, size);
        return;
    }
    fill_bytes(state, word, sizeof word);
    for (size_t i = 0; i < size; i++) out[i] = word[i % sizeof word];
}

static size_t draw_size(uint64_t *state, enum verify_sizes sizes) {
    size_t kind = draw_below(state, 2000);
    if (sizes == VERIFY_SMALL || kind < 1300) return 1 + draw_below(state, 99);
    if (kind < 1930) return 100 + draw_below(state, 900);
    if (kind < 1999) return 1000 + draw_below(state, 3000);
    return 10000 + draw_below(state, VERIFY_VALUE_MAX - 10000);
}

/* The tag in a header's name, and for a third of the records a header of arbitrary bytes after it.
 */
static void make_headers(uint64_t *state, uint64_t tag, struct verify_record *out) {
    snprintf(out->name, sizeof out->name, "t%" PRIu64, tag);
    fill_bytes(state, out->tag_value, sizeof out->tag_value);
    out->headers[0] = (sluice_header){.name = out->name, .value = out->tag_value};
    out->headers[0].value_size = (int32_t)draw_below(state, sizeof out->tag_value + 1);
    if (tag % 7 == 0) out->headers[0] = (sluice_header){.name = out->name, .value_size = -1};
    out->record.headers = out->headers;
    out->record.header_count = 1;
    if (tag % 3 != 0) return;

    fill_bytes(state, out->extra, sizeof out->extra);
    out->headers[1] = (sluice_header){.name = "extra", .value = out->extra};
    out->headers[1].value_size = (int32_t)draw_below(state, VERIFY_EXTRA_MAX + 1);
    out->record.header_count = 2;
}

void verify_make_record(const struct verify_plan *plan, uint64_t tag, struct verify_record *out) {
    uint64_t state = plan->seed * 0x2545f4914f6cdd1du + tag;
    sluice_record *record = &out->record;
    *record = (sluice_record){.topic = plan->topic, .tag = tag};
    make_headers(&state, tag, out);

    if (plan->keys && draw_below(&state, 8) != 0) {
        record->key = out->key;
        record->key_size = 1 + draw_below(&state, VERIFY_KEY_MAX);
        fill_bytes(&state, out->key, record->key_size);
    }
    size_t kind = draw_below(&state, 100);
    if (kind == 0) {
        record->set |= SLUICE_SET_TOMBSTONE;
    } else if (kind > 2) {
        record->value = out->value;
        record->value_size = draw_size(&state, plan->sizes);
        fill_value(&state, out->value, record->value_size);
    }
    if (draw_below(&state, 4) == 0) {
        record->set |= SLUICE_SET_PARTITION;
        record->partition = (int32_t)draw_below(&state, (size_t)plan->partitions);
    }
    if (draw_below(&state, 5) == 0) {
        record->set |= SLUICE_SET_TIMESTAMP;
        record->timestamp_ms = plan->first_timestamp_ms + (int64_t)(tag % 3000000);
    }
}

static bool same_bytes(const void *a, size_t a_size, const void *b, size_t b_size) {
    return (a == NULL) == (b == NULL) && a_size == b_size &&
           (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static bool same_headers(const struct verify_record *want, const sluice_view *got) {
    sluice_header header;
    if (got->header_count != want->record.header_count) return false;
    for (int32_t i = 0; i < got->header_count; i++) {
        const sluice_header *expected = &want->headers[i];
        if (sluice_headers_read(got->headers, got->headers_size, i, &header) != 1) return false;
        if (header.name_size != strlen(expected->name) ||
            memcmp(header.name, expected->name, header.name_size) != 0 ||
            header.value_size != expected->value_size) {
            return false;
        }
        if (header.value_size > 0 &&
            memcmp(header.value, expected->value, (size_t)header.value_size) != 0) {
            return false;
        }
    }
    return true;
}

bool verify_same_record(const struct verify_plan *plan, uint64_t tag, const sluice_view *got,
                        struct verify_record *scratch) {
    const sluice_record *want = &scratch->record;
    const char *wrong = NULL;
    verify_make_record(plan, tag, scratch);
    /* Without a tombstone's bit, a value of no bytes is an empty one, not null. */
    const void *value = want->set & SLUICE_SET_TOMBSTONE ? NULL : scratch->value;
    if (!same_bytes(value, want->value_size, got->value, got->value_size)) {
        wrong = "value";
    } else if (!same_bytes(want->key, want->key_size, got->key, got->key_size)) {
        wrong = "key";
    } else if (!same_headers(scratch, got)) {
        wrong = "headers";
    } else if (want->set & SLUICE_SET_TIMESTAMP && want->timestamp_ms != got->timestamp_ms) {
        wrong = "timestamp";
    }
    if (wrong == NULL) return true;
    verify_complain("tag %" PRIu64 " (partition %d, offset %lld): its %s is not what was sent", tag,
                    (int)got->partition, (long long)got->offset, wrong);
    return false;
}

bool verify_parse_tag(const char *name, size_t size, uint64_t *tag) {
    uint64_t value = 0;
    /* 18 digits cannot overflow, and no run has that many records. */
    if (size < 2 || size > 19 || name[0] != 't') return false;
    for (size_t i = 1; i < size; i++) {
        if (name[i] < '0' || name[i] > '9') return false;
        value = 10 * value + (uint64_t)(name[i] - '0');
    }
    *tag = value;
    return true;
}
