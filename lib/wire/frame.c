/* Whole frames: the length prefix, the header, and the body by way of the codec.
 *
 *   request:  i32 length, i16 key, i16 version, i32 correlation, client id with an i16 length,
 *             [tags in flexible versions], body
 *   response: i32 length, i32 correlation, [tags in flexible versions, but never of ApiVersions],
 *             body
 *
 * The client id keeps its 16-bit length in flexible versions too. A client that asks a broker for
 * a version of ApiVersions which the broker lacks cannot know how it answers, so that answer has
 * no tags in its header, and with error UNSUPPORTED_VERSION its body is always version 0; both
 * rules are kept here so that nobody else needs to know them.
 *
 * Not done here: no sockets and no limit on lengths; the owner of the input bytes splits them by
 * the prefix and checks it against its own limit first. */
#include "wire/frame.h"

#include <string.h>

#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/messages/18_api_versions.h"

/* ---- encoding ---- */

/* Fills the length in once all is written. */
static int finish_frame(struct sl_encoder *e) {
    if (e->out->failed) return SLUICE_ERR_NOMEM;
    size_t size = e->out->size - SL_FRAME_PREFIX + e->splice_bytes;
    if (size > INT32_MAX) return SLUICE_ERR_USAGE;
    sl_writer_patch32(e->out, 0, (int32_t)size);
    return 0;
}

int sl_frame_encode_request(struct sl_encoder *e, const struct sl_api *api, int16_t version,
                            int32_t correlation, struct sl_str client_id, const void *request) {
    if (client_id.size < -1 || client_id.size > INT16_MAX) return SLUICE_ERR_USAGE;
    bool flexible = sl_api_is_flexible(api, version);
    sl_writer_i32(e->out, 0);
    sl_writer_i16(e->out, api->key);
    sl_writer_i16(e->out, version);
    sl_writer_i32(e->out, correlation);
    sl_writer_i16(e->out, (int16_t)client_id.size);
    if (client_id.size > 0) sl_writer_raw(e->out, client_id.data, (size_t)client_id.size);
    if (flexible) sl_writer_uvarint(e->out, 0); /* no tags */
    int rv = sl_codec_encode(e, api->request, request, version, flexible);
    return rv != 0 ? rv : finish_frame(e);
}

/* Whether the header of an answer has tags. */
static bool has_response_tags(const struct sl_api *api, int16_t version) {
    return api->key != SL_API_API_VERSIONS && sl_api_is_flexible(api, version);
}

/* Whether a message tells a client that we lack the version of ApiVersions it asked with. */
static bool is_written_refusal(const struct sl_api *api, const void *response) {
    return api->key == SL_API_API_VERSIONS &&
           ((const struct sl_api_versions_response *)response)->error_code ==
               SLUICE_KAFKA_UNSUPPORTED_VERSION;
}

int sl_frame_encode_response(struct sl_encoder *e, const struct sl_api *api, int16_t version,
                             int32_t correlation, const void *response) {
    if (is_written_refusal(api, response)) version = 0;
    sl_writer_i32(e->out, 0);
    sl_writer_i32(e->out, correlation);
    if (has_response_tags(api, version)) sl_writer_uvarint(e->out, 0);
    int rv = sl_codec_encode(e, api->response, response, version, sl_api_is_flexible(api, version));
    return rv != 0 ? rv : finish_frame(e);
}

/* ---- decoding ---- */

/* No tag is defined for headers; all are skipped by their size. */
static void skip_header_tags(struct sl_reader *r) {
    uint32_t count = sl_reader_uvarint(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        sl_reader_uvarint(r);
        uint32_t size = sl_reader_uvarint(r);
        sl_reader_take(r, size);
    }
}

int sl_frame_decode_request_header(struct sl_reader *r, struct sl_request_header *out) {
    memset(out, 0, sizeof *out);
    out->client_id = SL_STR_NULL;
    out->key = sl_reader_i16(r);
    out->version = sl_reader_i16(r);
    out->correlation = sl_reader_i32(r);
    if (r->failed) return SLUICE_ERR_MALFORMED;
    const struct sl_api *api = sl_api_find(out->key);
    if (api == NULL || out->version < api->broker_min || out->version > api->broker_max) {
        return SLUICE_ERR_UNSUPPORTED;
    }
    int16_t size = sl_reader_i16(r);
    if (size < -1) return SLUICE_ERR_MALFORMED;
    if (size >= 0) {
        out->client_id.data = (const char *)sl_reader_take(r, (size_t)size);
        out->client_id.size = out->client_id.data != NULL ? size : -1;
    }
    if (sl_api_is_flexible(api, out->version)) skip_header_tags(r);
    return r->failed ? SLUICE_ERR_MALFORMED : 0;
}

int sl_frame_decode_response_header(struct sl_reader *r, const struct sl_api *api, int16_t version,
                                    int32_t *correlation) {
    *correlation = sl_reader_i32(r);
    if (has_response_tags(api, version)) skip_header_tags(r);
    return r->failed ? SLUICE_ERR_MALFORMED : 0;
}

int sl_frame_decode_request(struct sl_reader *r, struct sl_arena *arena, const struct sl_api *api,
                            int16_t version, void *request) {
    return sl_codec_decode(r, arena, api->request, request, version,
                           sl_api_is_flexible(api, version));
}

/* Whether the body at r is such an answer: the error code comes first in every version. */
static bool is_read_refusal(const struct sl_reader *r, const struct sl_api *api) {
    return api->key == SL_API_API_VERSIONS && sl_reader_left(r) >= 2 &&
           sl_bytes_get16(r->at) == SLUICE_KAFKA_UNSUPPORTED_VERSION;
}

int sl_frame_decode_response(struct sl_reader *r, struct sl_arena *arena, const struct sl_api *api,
                             int16_t version, void *response) {
    if (is_read_refusal(r, api)) version = 0;
    return sl_codec_decode(r, arena, api->response, response, version,
                           sl_api_is_flexible(api, version));
}

int sl_frame_decode_cut(struct sl_reader *r, struct sl_arena *arena, const struct sl_api *api,
                        int16_t version, void *response) {
    return sl_codec_decode_cut(r, arena, api->response, response, version,
                               sl_api_is_flexible(api, version));
}

/* ---- what is not Kafka ---- */

const char *sl_frame_guess(const uint8_t *first, size_t size) {
    static const struct {
        const char *start;
        const char *what;
    } others[] = {
        {"HTTP", "an HTTP answer"},  {"GET ", "an HTTP request"}, {"POST", "an HTTP request"},
        {"HEAD", "an HTTP request"}, {"PUT ", "an HTTP request"}, {"SSH-", "an SSH server"},
    };
    enum { TLS_ALERT = 0x15, TLS_HANDSHAKE = 0x16, TLS_MAJOR = 0x03 };

    if (size < SL_FRAME_PREFIX) return NULL;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (memcmp(first, others[i].start, SL_FRAME_PREFIX) == 0) return others[i].what;
    }
    if (first[1] != TLS_MAJOR || first[2] > 4) return NULL;
    if (first[0] == TLS_ALERT) return "a TLS alert";
    return first[0] == TLS_HANDSHAKE ? "a TLS hello" : NULL;
}
