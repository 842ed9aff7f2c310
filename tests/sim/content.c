/* Records whose every byte follows from their number; see content.h. */
#include "sim/content.h"

#include <string.h>

#include "base/bytes.h"
#include "base/rng.h"

static const char *const header_names[CONTENT_HEADERS] = {"id", "trace", "trace", "x"};

static bool draw_percent(struct sl_rng *rng, int32_t percent) {
    return sl_rng_chance(rng, (uint32_t)percent, 100);
}

static int32_t draw_value_size(struct sl_rng *rng, const struct content_profile *profile) {
    uint64_t draw = sl_rng_below(rng, 100);
    if (draw < 3) return -1;
    if (draw < 8) return (int32_t)sl_rng_below(rng, 8);
    if (draw >= (uint64_t)(100 - profile->large))
        return (int32_t)sl_rng_range(rng, 8, profile->value_max);
    return (int32_t)sl_rng_range(rng, 8, profile->value_max < 120 ? profile->value_max : 120);
}

static void fill_value(struct sl_rng *rng, const struct content_profile *profile,
                       struct content *out) {
    if (out->value_size <= 0) return;
    uint64_t word = sl_rng_next(rng);
    for (int32_t at = 0; at < out->value_size; at += 8) {
        int32_t n = out->value_size - at < 8 ? out->value_size - at : 8;
        memcpy(out->value + at, &word, (size_t)n);
        if (!profile->compressible || at % 256 == 0)
            word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    }
    if (out->value_size >= 8) sl_bytes_put64(out->value, out->id);
}

static void add_header(struct content *out, int name, int32_t size) {
    sluice_header *h = &out->headers[out->header_count];
    uint8_t *value = out->header_values[out->header_count];
    for (int32_t i = 0; i < size; i++) value[i] = (uint8_t)(out->id >> (i % 8 * 8));
    *h = (sluice_header){
        .name = header_names[name], .value = size < 0 ? NULL : value, .value_size = size};
    out->header_count++;
}

void content_make(const struct content_profile *profile, uint64_t id, struct content *out) {
    struct sl_rng rng;
    sl_rng_init(&rng, profile->seed ^ id * UINT64_C(0x9e3779b97f4a7c15));
    out->id = id;
    out->header_count = 0;
    out->value_size = draw_value_size(&rng, profile);
    fill_value(&rng, profile, out);
    out->key_size = -1;
    if (draw_percent(&rng, profile->keyed)) {
        uint64_t key = sl_rng_below(&rng, CONTENT_KEYS);
        out->key_size = (int32_t)(key % 3 == 0 ? key : 8 + key % 9);
        memset(out->key, (int)('a' + key), sizeof out->key);
    }
    out->is_explicit = draw_percent(&rng, profile->explicit_partition);
    out->partition_draw = (uint32_t)sl_rng_next(&rng);
    if (out->value_size < 8) {
        add_header(out, 0, 8);
        sl_bytes_put64(out->header_values[0], id);
    }
    if (draw_percent(&rng, profile->headers)) {
        add_header(out, 1, (int32_t)sl_rng_below(&rng, 17));
        if (sl_rng_chance(&rng, 1, 2)) add_header(out, 2, -1);
        if (sl_rng_chance(&rng, 1, 2)) add_header(out, 3, 0);
    }
    out->timestamp_ms = -1;
    if (draw_percent(&rng, profile->timestamps))
        out->timestamp_ms = sl_rng_range(&rng, 0, INT64_C(1) << 41);
}

uint64_t content_id(const uint8_t *value, int32_t value_size, const uint8_t *headers,
                    size_t headers_size, int32_t header_count) {
    if (value_size >= 8) return sl_bytes_get64(value);
    const uint8_t *at = headers, *end = headers + headers_size;
    const char *name;
    const uint8_t *bytes;
    uint32_t name_size;
    int32_t size;
    if (header_count < 1) return 0;
    if (sl_batch_read_user_header(&at, end, &name, &name_size, &bytes, &size) != 1) return 0;
    return name_size == 2 && size == 8 ? sl_bytes_get64(bytes) : 0;
}

static const char *compare_headers(const struct content *c, const uint8_t *at, size_t size,
                                   int32_t count) {
    const uint8_t *end = at + size;
    if (count != c->header_count) return "another number of headers";
    for (int32_t i = 0; i < count; i++) {
        const char *name;
        const uint8_t *value;
        uint32_t name_size;
        int32_t value_size;
        const sluice_header *h = &c->headers[i];
        if (sl_batch_read_user_header(&at, end, &name, &name_size, &value, &value_size) != 1)
            return "headers that cannot be read";
        if (name_size != strlen(h->name) || memcmp(name, h->name, name_size) != 0)
            return "another header name";
        if (value_size != h->value_size) return "another header size";
        if (value_size > 0 && memcmp(value, h->value, (size_t)value_size) != 0)
            return "another header value";
    }
    return at == end ? NULL : "bytes behind the headers";
}

const char *content_compare(const struct content *c, const uint8_t *key, int32_t key_size,
                            const uint8_t *value, int32_t value_size, const uint8_t *headers,
                            size_t headers_size, int32_t header_count, int64_t timestamp_ms) {
    if (key_size != c->key_size) return "another key size";
    if (key_size > 0 && memcmp(key, c->key, (size_t)key_size) != 0) return "another key";
    if (value_size != c->value_size) return "another value size";
    if (value_size > 0 && memcmp(value, c->value, (size_t)value_size) != 0) return "another value";
    if (c->timestamp_ms != -1 && timestamp_ms != c->timestamp_ms) return "another timestamp";
    return compare_headers(c, headers, headers_size, header_count);
}
