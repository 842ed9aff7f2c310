/* The consumer protocol's structs as field tables, read and written by the codec.
 *
 *   subscription  i16 version, [topic], user data, v1 [(topic, [partition])], v2 i32 generation,
 *                 v3 rack
 *   assignment    i16 version, [(topic, [partition])], user data; the same in all versions
 *   sticky        [(topic, [partition])], i32 generation, which the first version lacks
 *   cooperative   i32 generation
 *
 * Versions only ever add fields at the end, so a higher one is read as the highest that is known.
 * Some clients write version 1 and leave its fields out, and that is read as what it is, version 0:
 * one odd member must not keep a whole group from being assigned. The sticky data has no version;
 * the longer form is tried first. */
#include "wire/consumer_protocol.h"

#include "sluice/error.h"
#include "wire/codec.h"

enum {
    SUBSCRIPTION_VERSION = 3, /* that is written, and the highest known */
    ASSIGNMENT_VERSION = 0,   /* all are alike: the one that everybody has */
    STICKY_SHORT = 0,
    STICKY_LONG = 1
};

static const struct sl_field consumer_partitions_lines[] = {
    FIELD(sl_consumer_partitions, topic, ALWAYS),
    LIST(sl_consumer_partitions, partitions, int32_t, ALWAYS),
};
static const struct sl_type sl_consumer_partitions_type =
    TYPE(sl_consumer_partitions, consumer_partitions_lines);

static const struct sl_field consumer_subscription_lines[] = {
    LIST(sl_consumer_subscription, topics, struct sl_str, ALWAYS),
    NULLABLE(sl_consumer_subscription, user_data, 0, ALWAYS),
    ARRAY(sl_consumer_subscription, owned, sl_consumer_partitions, SINCE(1)),
    FIELD(sl_consumer_subscription, generation, SINCE(2),
          OTHERWISE(SL_CONSUMER_PROTOCOL_NO_GENERATION)),
    NULLABLE(sl_consumer_subscription, rack_id, 3, SINCE(3)),
};
static const struct sl_type consumer_subscription_type =
    TYPE(sl_consumer_subscription, consumer_subscription_lines);

static const struct sl_field consumer_assignment_lines[] = {
    ARRAY(sl_consumer_assignment, partitions, sl_consumer_partitions, ALWAYS),
    NULLABLE(sl_consumer_assignment, user_data, 0, ALWAYS),
};
static const struct sl_type consumer_assignment_type =
    TYPE(sl_consumer_assignment, consumer_assignment_lines);

static const struct sl_field consumer_sticky_lines[] = {
    ARRAY(sl_consumer_sticky_data, partitions, sl_consumer_partitions, ALWAYS),
    FIELD(sl_consumer_sticky_data, generation, SINCE(STICKY_LONG),
          OTHERWISE(SL_CONSUMER_PROTOCOL_NO_GENERATION)),
};
static const struct sl_type consumer_sticky_type =
    TYPE(sl_consumer_sticky_data, consumer_sticky_lines);

/* ---- writing ---- */

static int encode_versioned(struct sl_writer *out, const struct sl_type *type, const void *message,
                            int16_t version) {
    struct sl_encoder e = {.out = out};
    sl_writer_i16(out, version);
    return sl_codec_encode(&e, type, message, version, false);
}

int sl_consumer_protocol_encode_subscription(struct sl_writer *out,
                                             const struct sl_consumer_subscription *subscription) {
    return encode_versioned(out, &consumer_subscription_type, subscription, SUBSCRIPTION_VERSION);
}

int sl_consumer_protocol_encode_assignment(struct sl_writer *out,
                                           const struct sl_consumer_assignment *assignment) {
    return encode_versioned(out, &consumer_assignment_type, assignment, ASSIGNMENT_VERSION);
}

int sl_consumer_protocol_encode_sticky(struct sl_writer *out,
                                       const struct sl_consumer_sticky_data *data) {
    struct sl_encoder e = {.out = out};
    return sl_codec_encode(&e, &consumer_sticky_type, data, STICKY_LONG, false);
}

int sl_consumer_protocol_encode_generation(struct sl_writer *out, int32_t generation) {
    sl_writer_i32(out, generation);
    return out->failed ? SLUICE_ERR_NOMEM : 0;
}

/* ---- reading ---- */

/* A reader of bytes, which may be null. */
static struct sl_reader open_bytes(struct sl_bytes bytes) {
    struct sl_reader r;
    sl_reader_init(&r, bytes.data, bytes.size > 0 ? (size_t)bytes.size : 0);
    return r;
}

int sl_consumer_protocol_decode_subscription(struct sl_bytes bytes, struct sl_arena *arena,
                                             struct sl_consumer_subscription *out) {
    struct sl_reader r = open_bytes(bytes);
    int16_t version = sl_reader_i16(&r);
    struct sl_reader again = r;
    sl_codec_defaults(&consumer_subscription_type, out);
    if (version < 0 || r.failed) return SLUICE_ERR_MALFORMED;
    if (version > SUBSCRIPTION_VERSION) version = SUBSCRIPTION_VERSION;
    int rv = sl_codec_decode_front(&r, arena, &consumer_subscription_type, out, version, false);
    if (rv != SLUICE_ERR_MALFORMED) return rv;
    return sl_codec_decode(&again, arena, &consumer_subscription_type, out, 0, false);
}

int sl_consumer_protocol_decode_assignment(struct sl_bytes bytes, struct sl_arena *arena,
                                           struct sl_consumer_assignment *out) {
    struct sl_reader r = open_bytes(bytes);
    sl_codec_defaults(&consumer_assignment_type, out);
    if (bytes.size <= 0) return 0;
    int16_t version = sl_reader_i16(&r);
    if (version < 0 || r.failed) return SLUICE_ERR_MALFORMED;
    return sl_codec_decode_front(&r, arena, &consumer_assignment_type, out, ASSIGNMENT_VERSION,
                                 false);
}

int sl_consumer_protocol_decode_sticky(struct sl_bytes bytes, struct sl_arena *arena,
                                       struct sl_consumer_sticky_data *out) {
    struct sl_reader r = open_bytes(bytes);
    struct sl_reader again = r;
    int rv = sl_codec_decode_front(&r, arena, &consumer_sticky_type, out, STICKY_LONG, false);
    if (rv != SLUICE_ERR_MALFORMED) return rv;
    return sl_codec_decode_front(&again, arena, &consumer_sticky_type, out, STICKY_SHORT, false);
}

int32_t sl_consumer_protocol_decode_generation(struct sl_bytes bytes) {
    struct sl_reader r = open_bytes(bytes);
    int32_t generation = sl_reader_i32(&r);
    return r.failed ? SL_CONSUMER_PROTOCOL_NO_GENERATION : generation;
}
