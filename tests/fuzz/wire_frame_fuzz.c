/* Whole frames without their length: what a broker reads from a client and a client from a broker.
 * Whatever is read can be written, and is read again as the same.
 *
 * Input: a byte that is odd for a request; for an answer, bytes for the API and the version that was
 * asked for (a request says that itself and ignores them); then header and body. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SELECTOR_BYTES = 3, MESSAGE_BYTES = 512 };

/* What one reading of a frame gives. */
struct reading {
    const struct sl_api *api;
    int16_t version;
    struct sl_request_header header; /* of an answer only the correlation */
    max_align_t message[MESSAGE_BYTES / sizeof(max_align_t)];
};

static void require(bool condition) {
    if (!condition) abort();
}

/* By its key, so that inputs keep their meaning when APIs are added; any of them for the rest. */
static const struct sl_api *pick_api(uint8_t choice) {
    const struct sl_api *api = sl_api_find(choice);
    int count = 0;
    if (api != NULL) return api;
    while (sl_api_at(count) != NULL) count++;
    return sl_api_at(choice % count);
}

static int read_request(struct sl_reader *r, struct sl_arena *arena, struct reading *to) {
    int rv = sl_frame_decode_request_header(r, &to->header);
    if (rv != 0) return rv;
    to->version = to->header.version;
    to->api = sl_api_find(to->header.key);
    require(to->api != NULL && to->api->request->size <= MESSAGE_BYTES);
    return sl_frame_decode_request(r, arena, to->api, to->version, to->message);
}

static int read_answer(struct sl_reader *r, struct sl_arena *arena, struct reading *to) {
    require(to->api->response->size <= MESSAGE_BYTES);
    int rv = sl_frame_decode_response_header(r, to->api, to->version, &to->header.correlation);
    if (rv != 0) return rv;
    return sl_frame_decode_response(r, arena, to->api, to->version, to->message);
}

static void check_request(const uint8_t *data, size_t size, struct sl_arena *arena,
                          struct sl_writer *out) {
    struct reading first = {0};
    struct reading second = {0};
    struct sl_reader r;
    struct sl_encoder e = {.out = out};
    sl_reader_init(&r, data, size);
    if (read_request(&r, arena, &first) != 0) return;
    require(sl_frame_encode_request(&e, first.api, first.version, first.header.correlation,
                                    first.header.client_id, first.message) == 0);
    require(sl_bytes_get32(out->data) == out->size - SL_FRAME_PREFIX);
    sl_reader_init(&r, out->data + SL_FRAME_PREFIX, out->size - SL_FRAME_PREFIX);
    require(read_request(&r, arena, &second) == 0);
    require(second.api == first.api && second.version == first.version);
    require(second.header.correlation == first.header.correlation);
    require(sl_bytes_str_equal(second.header.client_id, first.header.client_id));
    require(sl_codec_equal(first.api->request, first.message, second.message, first.version));
}

static void check_answer(const uint8_t *data, size_t size, const struct sl_api *api,
                         int16_t version, struct sl_arena *arena, struct sl_writer *out) {
    struct reading first = {.api = api, .version = version};
    struct reading second = {.api = api, .version = version};
    struct sl_reader r;
    struct sl_encoder e = {.out = out};
    sl_reader_init(&r, data, size);
    if (read_answer(&r, arena, &first) != 0) return;
    require(sl_frame_encode_response(&e, api, version, first.header.correlation, first.message) ==
            0);
    require(sl_bytes_get32(out->data) == out->size - SL_FRAME_PREFIX);
    sl_reader_init(&r, out->data + SL_FRAME_PREFIX, out->size - SL_FRAME_PREFIX);
    require(read_answer(&r, arena, &second) == 0);
    require(second.header.correlation == first.header.correlation);
    require(sl_codec_equal(api->response, first.message, second.message, version));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    (void)sl_frame_guess(data, size);
    if (size < SELECTOR_BYTES) return 0;
    struct sl_arena arena;
    struct sl_writer out;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    sl_writer_init(&out, sl_alloc_default());
    if (data[0] % 2 != 0) {
        check_request(data + SELECTOR_BYTES, size - SELECTOR_BYTES, &arena, &out);
    } else {
        const struct sl_api *api = pick_api(data[1]);
        int versions = api->broker_max - api->broker_min + 1;
        int16_t version = (int16_t)(api->broker_min + data[2] % versions);
        check_answer(data + SELECTOR_BYTES, size - SELECTOR_BYTES, api, version, &arena, &out);
    }
    sl_writer_deinit(&out);
    sl_arena_deinit(&arena);
    return 0;
}
