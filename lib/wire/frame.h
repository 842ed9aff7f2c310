/* Frames: a 4-byte length, a request or response header, a body. Header versions follow from the
 * API (protocol notes 2.1): request header 2 and response header 1 for flexible versions, except
 * that ApiVersions answers always have header 0. */
#ifndef SL_WIRE_FRAME_H
#define SL_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/api.h"
#include "wire/codec.h"

enum { SL_FRAME_PREFIX = 4 };

struct sl_request_header {
    int16_t key;
    int16_t version;
    int32_t correlation;
    struct sl_str client_id; /* -1: null */
};

/* Encodes a whole request frame into e->out, which must be empty: length, header, body. The
 * length counts the splices. 0 or what sl_codec_encode says. */
int sl_frame_encode_request(struct sl_encoder *e, const struct sl_api *api, int16_t version,
                            int32_t correlation, struct sl_str client_id, const void *request);
/* An ApiVersions answer with error UNSUPPORTED_VERSION is written in version 0, and read so too. */
int sl_frame_encode_response(struct sl_encoder *e, const struct sl_api *api, int16_t version,
                             int32_t correlation, const void *response);
/* Reads the request header after the length prefix; leaves r at the body. 0, MALFORMED, or
 * UNSUPPORTED for a key or version that we do not know (header fields that could be read are set;
 * an unknown ApiVersions version is read as far as its correlation id). */
int sl_frame_decode_request_header(struct sl_reader *r, struct sl_request_header *out);
/* Reads correlation id and tags; leaves r at the body. */
int sl_frame_decode_response_header(struct sl_reader *r, const struct sl_api *api, int16_t version,
                                    int32_t *correlation);
/* Decodes the body that r stands at. */
int sl_frame_decode_request(struct sl_reader *r, struct sl_arena *arena, const struct sl_api *api,
                            int16_t version, void *request);
int sl_frame_decode_response(struct sl_reader *r, struct sl_arena *arena, const struct sl_api *api,
                             int16_t version, void *response);
/* The same for the beginning of a body that ends in records (sl_codec_decode_cut). */
int sl_frame_decode_cut(struct sl_reader *r, struct sl_arena *arena, const struct sl_api *api,
                        int16_t version, void *response);
/* What a length prefix that no frame has looks like: "HTTP" answers, a TLS alert or hello, or
 * NULL when it is just a number. For the error text of a wrong port. */
const char *sl_frame_guess(const uint8_t *first, size_t size);

#endif
