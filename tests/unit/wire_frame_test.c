/* Goal: frames have the right length and the right header for every version, and what is not a
 * frame, or not for us, is told apart.
 * Method: headers compared with hex written by hand; every API in every version there and back;
 * refusals by old brokers; malformed headers cut at every byte; what other protocols send first. */
#include "wire_support.h"

#include "sluice/error.h"
#include "sluice/kafka_errors.h"

static const struct sl_api *find_api(const char *name) {
    const struct sl_api *api = sl_api_find_name(name);
    assert_non_null(api);
    return api;
}

/* ---- whole frames ---- */

static void test_request_bytes(void **state) {
    (void)state;
    struct sl_find_coordinator_request request;
    struct sl_writer out;
    struct sl_encoder e = {.out = &out};
    const struct sl_api *api = find_api("FindCoordinator");
    sl_codec_defaults(api->request, &request);
    request.key = SL_STR("g");
    request.key_type = 1;
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_request(&e, api, 2, 258, SL_STR("me"), &request), 0);
    test_hex_equal(out.data, out.size, "00000010 000a 0002 00000102 0002 6d65 0001 67 01");
    sl_writer_deinit(&out);

    /* Flexible: tags behind the client id, whose length stays what it was. */
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_request(&e, api, 3, -1, SL_STR("me"), &request), 0);
    test_hex_equal(out.data, out.size, "00000011 000a 0003 ffffffff 0002 6d65 00 02 67 01 00");
    sl_writer_deinit(&out);

    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_request(&e, api, 0, 1, SL_STR_NULL, &request), 0);
    test_hex_equal(out.data, out.size, "0000000d 000a 0000 00000001 ffff 0001 67");
    sl_writer_deinit(&out);
}

static void test_response_bytes(void **state) {
    (void)state;
    struct sl_init_producer_id_response response;
    struct sl_writer out;
    struct sl_encoder e = {.out = &out};
    const struct sl_api *api = find_api("InitProducerId");
    sl_codec_defaults(api->response, &response);
    response.producer_id = 5;
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_response(&e, api, 1, 7, &response), 0);
    test_hex_equal(out.data, out.size, "00000014 00000007 00000000 0000 0000000000000005 0000");
    sl_writer_deinit(&out);
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_response(&e, api, 2, 7, &response), 0);
    test_hex_equal(out.data, out.size,
                   "00000016 00000007 00 00000000 0000 0000000000000005 0000 00");
    sl_writer_deinit(&out);
}

/* An answer to ApiVersions has no tags in its header, in flexible versions neither. */
static void test_api_versions_response_header(void **state) {
    (void)state;
    struct sl_api_versions_response response;
    struct sl_writer out;
    struct sl_encoder e = {.out = &out};
    const struct sl_api *api = find_api("ApiVersions");
    sl_codec_defaults(api->response, &response);
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_response(&e, api, 3, 7, &response), 0);
    test_hex_equal(out.data, out.size, "0000000c 00000007 0000 01 00000000 00");
    sl_writer_deinit(&out);
}

/* A client of the future understands us, whatever version it asked with. */
static void test_written_refusal(void **state) {
    (void)state;
    struct sl_api_versions_range range = {SL_API_API_VERSIONS, 0, 3};
    struct sl_api_versions_response response;
    struct sl_writer out;
    struct sl_encoder e = {.out = &out};
    const struct sl_api *api = find_api("ApiVersions");
    sl_codec_defaults(api->response, &response);
    response.error_code = SLUICE_KAFKA_UNSUPPORTED_VERSION;
    response.api_keys = (struct sl_array){&range, 1};
    for (int16_t version = 0; version <= 100; version++) {
        sl_writer_init(&out, sl_alloc_default());
        assert_int_equal(sl_frame_encode_response(&e, api, version, 1, &response), 0);
        test_hex_equal(out.data, out.size, "00000010 00000001 0023 00000001 0012 0000 0003");
        sl_writer_deinit(&out);
    }
}

/* Every API in every version the broker serves: what is written is read back. */
static void test_there_and_back(void **state) {
    (void)state;
    const struct sl_api *api;
    for (int i = 0; (api = sl_api_at(i)) != NULL; i++) {
        for (int16_t version = api->broker_min; version <= api->broker_max; version++) {
            union wire_message sent;
            union wire_message back;
            struct sl_rng rng;
            struct sl_arena arena;
            struct sl_writer out;
            struct sl_reader r;
            struct sl_request_header header;
            int32_t correlation;
            struct sl_encoder e = {.out = &out};
            sl_rng_init(&rng, (uint64_t)version);
            sl_arena_init(&arena, sl_alloc_default(), 0);

            sl_writer_init(&out, sl_alloc_default());
            fill_struct(&rng, &arena, api->request, &sent, version);
            assert_int_equal(
                sl_frame_encode_request(&e, api, version, 1234567, SL_STR("tests"), &sent), 0);
            assert_int_equal(sl_bytes_get32(out.data), out.size - SL_FRAME_PREFIX);
            sl_reader_init(&r, out.data + SL_FRAME_PREFIX, out.size - SL_FRAME_PREFIX);
            assert_int_equal(sl_frame_decode_request_header(&r, &header), 0);
            assert_int_equal(header.key, api->key);
            assert_int_equal(header.version, version);
            assert_int_equal(header.correlation, 1234567);
            assert_true(sl_bytes_str_equal(header.client_id, SL_STR("tests")));
            assert_int_equal(sl_frame_decode_request(&r, &arena, api, version, &back), 0);
            assert_true(sl_codec_equal(api->request, &sent, &back, version));
            sl_writer_deinit(&out);

            sl_writer_init(&out, sl_alloc_default());
            fill_struct(&rng, &arena, api->response, &sent, version);
            assert_int_equal(sl_frame_encode_response(&e, api, version, -7, &sent), 0);
            assert_int_equal(sl_bytes_get32(out.data), out.size - SL_FRAME_PREFIX);
            sl_reader_init(&r, out.data + SL_FRAME_PREFIX, out.size - SL_FRAME_PREFIX);
            assert_int_equal(sl_frame_decode_response_header(&r, api, version, &correlation), 0);
            assert_int_equal(correlation, -7);
            assert_int_equal(sl_frame_decode_response(&r, &arena, api, version, &back), 0);
            assert_true(sl_codec_equal(api->response, &sent, &back, version));
            sl_writer_deinit(&out);
            sl_arena_deinit(&arena);
        }
    }
}

/* The length counts what is spliced in and not in the writer. */
static void test_length_counts_splices(void **state) {
    (void)state;
    static const struct sl_iov pieces[] = {{"0123456789", 10}, {"abc", 3}};
    struct sl_produce_partition partition = {0, {NULL, pieces, 2, 13}};
    struct sl_produce_topic topic = {.name = SL_STR("t"), .partitions = {&partition, 1}};
    struct sl_produce_request request;
    struct sl_splice splices[2];
    struct sl_writer out;
    struct sl_encoder e = {.out = &out, .splices = splices, .splice_cap = 2};
    const struct sl_api *api = find_api("Produce");
    sl_codec_defaults(api->request, &request);
    request.topics = (struct sl_array){&topic, 1};
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_request(&e, api, 9, 1, SL_STR("x"), &request), 0);
    assert_int_equal(e.splice_count, 1);
    assert_int_equal(sl_bytes_get32(out.data), out.size - SL_FRAME_PREFIX + 13);
    /* The tags of partition, topic and request follow the records. */
    assert_int_equal(splices[0].at, out.size - 3);
    sl_writer_deinit(&out);
}

static void test_frames_that_cannot_be(void **state) {
    (void)state;
    static char long_id[INT16_MAX + 1];
    static const struct sl_iov pieces[] = {{long_id, INT32_MAX}};
    struct sl_produce_partition partition = {0, {NULL, pieces, 1, INT32_MAX}};
    struct sl_produce_topic topic = {.name = SL_STR("t"), .partitions = {&partition, 1}};
    struct sl_produce_request request;
    struct sl_splice splices[1];
    struct sl_writer out;
    struct sl_encoder e = {.out = &out, .splices = splices, .splice_cap = 1};
    struct sl_str id = {long_id, INT16_MAX + 1};
    const struct sl_api *api = find_api("Produce");
    sl_codec_defaults(api->request, &request);
    sl_writer_init(&out, sl_alloc_default());
    assert_int_equal(sl_frame_encode_request(&e, api, 9, 1, id, &request), SLUICE_ERR_USAGE);
    sl_writer_deinit(&out);
    sl_writer_init(&out, sl_alloc_default());
    request.topics = (struct sl_array){&topic, 1}; /* 2 GiB of records and a header */
    assert_int_equal(sl_frame_encode_request(&e, api, 9, 1, SL_STR("x"), &request),
                     SLUICE_ERR_USAGE);
    sl_writer_deinit(&out);
}

static void test_allocation_failures(void **state) {
    (void)state;
    const struct sl_api *api = find_api("ListOffsets");
    union wire_message request;
    sl_codec_defaults(api->request, &request);
    for (long n = 1;; n++) {
        struct test_memory memory;
        struct sl_writer out;
        struct sl_encoder e = {.out = &out};
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        sl_writer_init(&out, &memory.alloc);
        int rv = sl_frame_encode_request(&e, api, 7, 1, SL_STR("a client"), &request);
        if (rv == 0) rv = sl_frame_encode_response(&e, api, 7, 1, &request);
        sl_writer_deinit(&out);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) break;
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

/* ---- request headers ---- */

static int decode_header(const char *hex, struct sl_request_header *header, size_t *left) {
    static uint8_t bytes[64];
    struct sl_reader r;
    size_t size = test_hex(hex, bytes, sizeof bytes);
    sl_reader_init(&r, bytes, size);
    int rv = sl_frame_decode_request_header(&r, header);
    *left = sl_reader_left(&r);
    return rv;
}

static void test_request_headers(void **state) {
    (void)state;
    struct sl_request_header header;
    size_t left;
    assert_int_equal(decode_header("0003 0007 00000102 0001 63 ffff", &header, &left), 0);
    assert_true(sl_bytes_str_equal(header.client_id, SL_STR("c")));
    assert_int_equal(left, 2);
    assert_int_equal(decode_header("0003 0007 00000102 ffff ffff", &header, &left), 0);
    assert_int_equal(header.client_id.size, -1);
    assert_null(header.client_id.data);
    assert_int_equal(decode_header("0003 0007 00000102 0000 ffff", &header, &left), 0);
    assert_int_equal(header.client_id.size, 0);
    /* Tags of flexible versions are skipped, known ones do not exist. */
    assert_int_equal(
        decode_header("0003 0009 00000102 0001 63 02 00 01 aa 07 00 ff", &header, &left), 0);
    assert_int_equal(left, 1);
    assert_int_equal(decode_header("0003 0007 00000102 fffe 63", &header, &left),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(decode_header("0003 0009 00000102 ffff ffffffff0f", &header, &left),
                     SLUICE_ERR_MALFORMED);
}

static void test_request_headers_cut(void **state) {
    (void)state;
    static const uint8_t whole[] = {0, 3, 0, 9, 0, 0, 1, 2, 0, 1, 'c', 1, 0, 2, 0xaa, 0xbb};
    for (size_t size = 0; size < sizeof whole; size++) {
        struct sl_reader r;
        struct sl_request_header header;
        uint8_t *cut = malloc(size > 0 ? size : 1);
        assert_non_null(cut);
        memcpy(cut, whole, size);
        sl_reader_init(&r, cut, size);
        assert_int_equal(sl_frame_decode_request_header(&r, &header), SLUICE_ERR_MALFORMED);
        free(cut);
    }
}

static void test_unsupported_requests(void **state) {
    (void)state;
    struct sl_request_header header;
    size_t left;
    /* A version of ApiVersions from the future, whose body is anybody's guess. */
    assert_int_equal(decode_header("0012 007f 00000102 ffff", &header, &left),
                     SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(header.key, SL_API_API_VERSIONS);
    assert_int_equal(header.version, 127);
    assert_int_equal(header.correlation, 258);
    assert_int_equal(decode_header("0fff 0000 00000102 ffff", &header, &left),
                     SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(header.key, 0xfff);
    assert_int_equal(decode_header("0000 0002 00000102 ffff", &header, &left),
                     SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(decode_header("0000 ffff 00000102 ffff", &header, &left),
                     SLUICE_ERR_UNSUPPORTED);
}

/* ---- answers ---- */

static void test_response_headers(void **state) {
    (void)state;
    static const uint8_t flexible[] = {0, 0, 0, 9, 1, 5, 1, 0xee, 0xff};
    static const uint8_t endless[] = {0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0x0f};
    struct sl_reader r;
    int32_t correlation;
    sl_reader_init(&r, flexible, sizeof flexible);
    assert_int_equal(sl_frame_decode_response_header(&r, find_api("Fetch"), 12, &correlation), 0);
    assert_int_equal(correlation, 9);
    assert_int_equal(sl_reader_left(&r), 1);
    sl_reader_init(&r, flexible, sizeof flexible);
    assert_int_equal(sl_frame_decode_response_header(&r, find_api("Fetch"), 11, &correlation), 0);
    assert_int_equal(sl_reader_left(&r), 5);
    sl_reader_init(&r, flexible, sizeof flexible);
    assert_int_equal(sl_frame_decode_response_header(&r, find_api("ApiVersions"), 3, &correlation),
                     0);
    assert_int_equal(sl_reader_left(&r), 5);
    sl_reader_init(&r, flexible, 3);
    assert_int_equal(sl_frame_decode_response_header(&r, find_api("Fetch"), 11, &correlation),
                     SLUICE_ERR_MALFORMED);
    sl_reader_init(&r, endless, sizeof endless);
    assert_int_equal(sl_frame_decode_response_header(&r, find_api("Fetch"), 12, &correlation),
                     SLUICE_ERR_MALFORMED);
}

/* A broker that lacks our version of ApiVersions answers in version 0, whatever was asked. Since
 * Kafka 2.4 it names the versions of ApiVersions that it has; before, the list is empty. */
static void test_refused_api_versions(void **state) {
    (void)state;
    static const char *const bodies[] = {"0023 00000001 0012 0000 0003", "0023 00000000"};
    for (int16_t version = 0; version <= 4; version++) {
        for (int i = 0; i < 2; i++) {
            uint8_t bytes[64];
            struct sl_reader r;
            struct sl_arena arena;
            struct sl_api_versions_response response;
            size_t size = test_hex(bodies[i], bytes, sizeof bytes);
            sl_arena_init(&arena, sl_alloc_default(), 0);
            sl_reader_init(&r, bytes, size);
            assert_int_equal(
                sl_frame_decode_response(&r, &arena, find_api("ApiVersions"), version, &response),
                0);
            assert_int_equal(response.error_code, SLUICE_KAFKA_UNSUPPORTED_VERSION);
            assert_int_equal(response.api_keys.count, 1 - i);
            if (i == 0) {
                const struct sl_api_versions_range *range = response.api_keys.items;
                assert_int_equal(range->api_key, SL_API_API_VERSIONS);
                assert_int_equal(range->max_version, 3);
            }
            assert_true(response.finalized_features_epoch == -1);
            sl_arena_deinit(&arena);
        }
    }
    /* The same two bytes mean nothing special in another API. */
    uint8_t bytes[] = {0x00, 0x23};
    struct sl_reader r;
    struct sl_arena arena;
    union wire_message message;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    sl_reader_init(&r, bytes, sizeof bytes);
    assert_int_equal(sl_frame_decode_response(&r, &arena, find_api("Metadata"), 9, &message),
                     SLUICE_ERR_MALFORMED);
    sl_arena_deinit(&arena);
}

/* ---- guesses ---- */

static void test_guess(void **state) {
    (void)state;
    static const struct {
        const char *hex;
        const char *want; /* NULL: just a number */
    } firsts[] = {
        {"48545450 2f312e31", "an HTTP answer"},
        {"47455420 2f", "an HTTP request"},
        {"504f5354", "an HTTP request"},
        {"5353482d 322e30", "an SSH server"},
        {"15030100 02", "a TLS alert"},
        {"15030300 020246", "a TLS alert"},
        {"16030100 a5", "a TLS hello"},
        {"160305", NULL},
        {"16030500", NULL},
        {"17030300", NULL},
        {"00000010 00000001", NULL},
        {"485454", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        uint8_t bytes[16];
        size_t size = test_hex(firsts[i].hex, bytes, sizeof bytes);
        const char *guess = sl_frame_guess(bytes, size);
        if (firsts[i].want == NULL) {
            assert_null(guess);
        } else {
            assert_non_null(guess);
            assert_string_equal(guess, firsts[i].want);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_bytes),
        cmocka_unit_test(test_response_bytes),
        cmocka_unit_test(test_api_versions_response_header),
        cmocka_unit_test(test_written_refusal),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_length_counts_splices),
        cmocka_unit_test(test_frames_that_cannot_be),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_request_headers),
        cmocka_unit_test(test_request_headers_cut),
        cmocka_unit_test(test_unsupported_requests),
        cmocka_unit_test(test_response_headers),
        cmocka_unit_test(test_refused_api_versions),
        cmocka_unit_test(test_guess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
