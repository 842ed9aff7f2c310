/* Message bodies of every API in every version: whatever decodes can be encoded, decodes again to
 * the same, and is shown without harm.
 *
 * Input: a byte for the API, one for the version, one that is odd for a request, then the body. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SELECTOR_BYTES = 3 };

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

static int decode(const uint8_t *data, size_t size, struct sl_arena *arena,
                  const struct sl_type *type, void *message, int16_t version, bool flexible) {
    struct sl_reader r;
    sl_reader_init(&r, data, size);
    return sl_codec_decode(&r, arena, type, message, version, flexible);
}

static void check_message(const uint8_t *data, size_t size, const struct sl_type *type,
                          int16_t version, bool flexible) {
    struct sl_arena arena;
    struct sl_writer out;
    struct sl_encoder e = {.out = &out};
    void *first = malloc(type->size);
    void *second = malloc(type->size);
    require(first != NULL && second != NULL);
    sl_arena_init(&arena, sl_alloc_default(), 0);
    sl_writer_init(&out, sl_alloc_default());
    if (decode(data, size, &arena, type, first, version, flexible) == 0) {
        char line[256];
        struct sl_text text;
        sl_text_init(&text, line, sizeof line);
        sl_codec_dump(type, first, version, &text);
        require(sl_codec_encode(&e, type, first, version, flexible) == 0);
        require(decode(out.data, out.size, &arena, type, second, version, flexible) == 0);
        require(sl_codec_equal(type, first, second, version));
    }
    sl_writer_deinit(&out);
    sl_arena_deinit(&arena);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < SELECTOR_BYTES) return 0;
    const struct sl_api *api = pick_api(data[0]);
    int versions = api->broker_max - api->broker_min + 1;
    int16_t version = (int16_t)(api->broker_min + data[1] % versions);
    const struct sl_type *type = data[2] % 2 != 0 ? api->request : api->response;
    check_message(data + SELECTOR_BYTES, size - SELECTOR_BYTES, type, version,
                  sl_api_is_flexible(api, version));
    return 0;
}
