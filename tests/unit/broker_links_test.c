/* Connections of the bundled broker: frames out of any pieces, answers in order, limits on what
 * waits, ends in the middle of things, and nodes that are frozen or down. */
#include "broker_client.h"

static const struct sl_api_versions_request *hello(void) {
    static struct sl_api_versions_request request;
    sl_codec_defaults(&sl_api_versions_request_type, &request);
    request.client_software_name = SL_STR("test");
    request.client_software_version = SL_STR("1.0");
    return &request;
}

static void put_hello(struct client *c, struct client_link *l) {
    client_put(c, l, SL_API_API_VERSIONS, 3, hello());
}

static void take_hello(struct client *c, struct client_link *l) {
    const struct sl_api_versions_response *m = client_take(c, l);
    assert_int_equal(m->error_code, 0);
}

/* ---- frames ---- */

static void test_frame_byte_by_byte(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    size_t size;
    int32_t correlation = client_expect(c, l, SL_API_API_VERSIONS, 3);
    uint8_t *frame = client_frame(c, SL_API_API_VERSIONS, 3, correlation, hello(), &size);
    for (size_t i = 0; i < size; i++) {
        assert_false(client_has_answer(l));
        client_feed(c, l, frame + i, 1);
        client_turn(c);
    }
    take_hello(c, l);
    assert_int_equal(sl_broker_seen(c->broker, SL_API_API_VERSIONS), 1);
    client_end(c);
}

static void test_many_frames_in_one_piece(void **state) {
    (void)state;
    enum { FRAMES = 40 };
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    static uint8_t bytes[FRAMES * 64];
    size_t total = 0;
    for (int i = 0; i < FRAMES; i++) {
        size_t size;
        int32_t correlation = client_expect(c, l, SL_API_API_VERSIONS, 3);
        uint8_t *frame = client_frame(c, SL_API_API_VERSIONS, 3, correlation, hello(), &size);
        assert_true(total + size <= sizeof bytes);
        memcpy(bytes + total, frame, size);
        total += size;
    }
    client_feed(c, l, bytes, total);
    client_turn(c);
    for (int i = 0; i < FRAMES; i++) take_hello(c, l); /* checks the order by correlation ids */
    client_end(c);
}

/* The two ways in give the same: what is filled goes where receive_room says. */
static void test_bytes_filled_in_place(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    size_t size, room;
    int32_t correlation = client_expect(c, l, SL_API_API_VERSIONS, 3);
    uint8_t *frame = client_frame(c, SL_API_API_VERSIONS, 3, correlation, hello(), &size);
    for (size_t at = 0; at < size;) {
        uint8_t *to = sl_broker_receive_room(c->broker, l->id, &room);
        assert_non_null(to);
        assert_true(room > 0);
        size_t part = size - at < 7 ? size - at : 7;
        if (part > room) part = room;
        memcpy(to, frame + at, part);
        sl_broker_on_filled(c->broker, l->id, part);
        sl_broker_check(c->broker);
        at += part;
    }
    client_turn(c);
    take_hello(c, l);
    assert_null(sl_broker_receive_room(c->broker, l->id + 1, &room));
    assert_int_equal(room, 0);
    client_end(c);
}

static void expect_closed(struct client *c, const struct client_link *l, const char *complaint) {
    client_turn(c);
    assert_false(l->open);
    assert_int_equal(l->size, 0);
    if (strstr(sl_broker_complaint(c->broker), complaint) == NULL)
        fail_msg("complaint: %s", sl_broker_complaint(c->broker));
}

static void test_oversized_frame_closes(void **state) {
    (void)state;
    struct client *c = client_prepare(1);
    c->options.max_frame = 1000;
    client_create(c);
    struct client_link *l = client_connect(c, 1);
    uint8_t prefix[4];
    sl_bytes_put32(prefix, 1000);
    client_feed(c, l, prefix, sizeof prefix);
    client_turn(c);
    assert_true(l->open); /* exactly the limit is fine */
    l = client_connect(c, 1);
    sl_bytes_put32(prefix, 1001);
    client_feed(c, l, prefix, sizeof prefix);
    expect_closed(c, l, "1001 bytes is over the limit");
    client_end(c);
}

static void test_negative_size_closes(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    static const uint8_t prefix[] = {0xff, 0xff, 0xff, 0xff};
    client_feed(c, l, prefix, sizeof prefix);
    expect_closed(c, l, "over the limit");
    client_end(c);
}

/* Memory follows what came, not what is claimed. */
static void test_claimed_size_takes_no_memory(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    size_t before = c->memory.live_bytes;
    uint8_t prefix[4];
    sl_bytes_put32(prefix, 90 << 20);
    client_feed(c, l, prefix, sizeof prefix);
    assert_true(c->memory.live_bytes < before + (1 << 20));
    client_end(c);
}

static void test_malformed_requests_close(void **state) {
    (void)state;
    static const struct {
        const char *hex;
        const char *complaint;
    } cases[] = {
        {"00000000", "malformed request header"},
        {"00000002 0003", "malformed request header"},
        {"0000000a 0063 0000 00000001 ffff", "API 99 version 0"}, /* no such API */
        {"0000000a 0003 0063 00000001 ffff", "API 3 version 99"}, /* no such version */
        {"0000000a 0001 0003 00000001 ffff", "API 1 version 3"},  /* below the first served */
        {"0000000a 0003 ffff 00000001 ffff", "API 3 version -1"},
        {"0000000a 0003 0001 00000001 ffff", "malformed Metadata"},          /* no body */
        {"0000000e 0003 0001 00000001 ffff 7fffffff", "malformed Metadata"}, /* a huge count */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client *c = client_start(1, 0);
        struct client_link *l = client_connect(c, 1);
        uint8_t bytes[64];
        client_feed(c, l, bytes, test_hex(cases[i].hex, bytes, sizeof bytes));
        expect_closed(c, l, cases[i].complaint);
        assert_int_equal(sl_broker_seen(c->broker, -1), 0);
        client_end(c);
    }
}

/* What lies behind the last field is let be, as by Kafka. The bytes are librdkafka's, which asks for
 * all topics: it leaves three bytes too many behind their count. */
static void test_bytes_behind_a_request_are_let_be(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    uint8_t bytes[64];
    size_t size = test_hex("00000019 0003 000d 00000000 0007 72646b61666b61 00"
                           "00 00 00 00 01 00 00",
                           bytes, sizeof bytes);
    sl_bytes_put32(bytes + 8, (uint32_t)client_expect(c, l, SL_API_METADATA, 13));
    client_feed(c, l, bytes, size);
    client_turn(c);
    const struct sl_metadata_response *m = client_take(c, l);
    assert_int_equal(m->topics.count, 1);
    client_end(c);
}

/* ---- limits on what waits ---- */

/* A client that sends on and on while its Fetch waits is cut off, not buffered without end. */
static void test_too_many_bytes_waiting(void **state) {
    (void)state;
    struct client *c = client_prepare(1);
    c->options.max_frame = 100 * 1024;
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(4, "t", 0, 1000);
    client_put_fetch(c, l, &f);
    size_t size;
    uint8_t *frame = client_frame(c, SL_API_API_VERSIONS, 3, 1, hello(), &size);
    size_t fed = 0;
    for (; fed + size <= 100 * 1024; fed += size) client_feed(c, l, frame, size);
    client_turn(c);
    assert_true(l->open);
    client_feed(c, l, frame, size);
    expect_closed(c, l, "requests are waiting");
    client_end(c);
}

static void test_unsent_answers_are_bounded(void **state) {
    (void)state;
    enum { REQUESTS = 100, MOST = 64 };
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    l->stuck = true;
    for (int i = 0; i < REQUESTS; i++) put_hello(c, l);
    client_turn(c);
    assert_int_equal(sl_broker_seen(c->broker, SL_API_API_VERSIONS), MOST);
    /* As the client reads, the rest is handled. */
    for (int i = 0; i < REQUESTS; i++) {
        while (!client_has_answer(l)) assert_int_equal(client_read(c, l, 1), 1);
        take_hello(c, l);
    }
    client_turn(c);
    assert_int_equal(sl_broker_seen(c->broker, SL_API_API_VERSIONS), REQUESTS);
    assert_true(l->open);
    client_end(c);
}

/* ---- ends in the middle ---- */

static void test_close_while_a_fetch_waits(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(13, "t", 0, 1000);
    client_put_fetch(c, l, &f);
    put_hello(c, l);
    client_turn(c);
    assert_true(sl_broker_deadline(c->broker) > c->now);
    client_close(c, l);
    assert_true(sl_broker_deadline(c->broker) == INT64_MAX);
    client_append(c, "t", 0, 1);
    client_advance(c, 2000);
    assert_int_equal(sl_broker_seen(c->broker, SL_API_API_VERSIONS), 0);
    client_end(c);
}

static void test_close_with_answers_unsent(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 0, 3);
    struct client_fetch f = client_fetch_one(13, "t", 0, 1000);
    l->stuck = true;
    client_put_fetch(c, l, &f);
    put_hello(c, l);
    client_turn(c);
    assert_int_equal(client_read(c, l, 100), 100);
    /* The batch is no longer in the log; the answer that refers to it keeps it. */
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    assert_true(client_read(c, l, 20) == 20);
    client_close(c, l);
    client_end(c);
}

static void test_deleted_topic_leaves_answers_whole(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    client_append(c, "t", 0, 3);
    struct client_fetch f = client_fetch_one(4, "t", 0, 1000);
    l->stuck = true;
    client_put_fetch(c, l, &f);
    client_turn(c);
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    (void)client_read(c, l, SIZE_MAX);
    const struct sl_fetch_response *m = client_take(c, l);
    assert_int_equal(client_count_batches(client_fetched(m, 0)), 1);
    client_end(c);
}

static void test_calls_for_a_link_that_is_gone(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    client_close(c, l);
    struct sl_iov piece;
    client_feed(c, l, "0000", 4);
    sl_broker_on_filled(c->broker, l->id, 1);
    sl_broker_on_sent(c->broker, l->id, 1);
    sl_broker_on_closed(c->broker, l->id);
    assert_int_equal(sl_broker_send_pieces(c->broker, l->id, &piece, 1), 0);
    struct client_link *next = client_connect(c, 1);
    assert_true(next->id != l->id); /* names are never used again */
    client_end(c);
}

/* ---- nodes ---- */

static void test_frozen_node_says_nothing(void **state) {
    (void)state;
    struct client *c = client_start(2, 2);
    struct client_link *l = client_connect(c, 1);
    struct client_link *waits = client_connect(c, 1);
    struct client_fetch f = client_fetch_one(13, "t", 0, 100);
    client_put_fetch(c, waits, &f);
    client_turn(c);
    sl_broker_set_state(c->broker, 1, SL_BROKER_FROZEN);
    client_turn(c);
    assert_int_equal(c->state, SL_BROKER_FROZEN);
    struct client_link *late = client_connect(c, 1); /* the kernel accepts for a frozen process */
    put_hello(c, l);
    put_hello(c, late);
    client_append(c, "t", 0, 1);
    client_advance(c, 60000);
    assert_true(l->open && late->open && waits->open);
    assert_int_equal(sl_broker_seen(c->broker, SL_API_API_VERSIONS), 0);
    assert_int_equal(l->size + late->size + waits->size, 0);
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    client_turn(c);
    take_hello(c, l);
    take_hello(c, late);
    assert_int_equal(client_count_batches(client_fetched(client_take(c, waits), 0)), 1);
    client_end(c);
}

static void test_frozen_with_answers_unsent(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    l->stuck = true;
    put_hello(c, l);
    client_turn(c);
    assert_int_equal(client_read(c, l, 5), 5);
    sl_broker_set_state(c->broker, 1, SL_BROKER_FROZEN);
    assert_int_equal(client_read(c, l, 5), 0);
    l->stuck = false;
    client_turn(c);
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    client_turn(c);
    take_hello(c, l);
    client_end(c);
}

static void test_node_goes_down(void **state) {
    (void)state;
    struct client *c = client_start(2, 2);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 2);
    struct client_fetch f = client_fetch_one(13, "t", 0, 1000);
    client_put_fetch(c, l, &f);
    client_turn(c);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    client_turn(c);
    assert_false(l->open);
    assert_true(l->abrupt); /* a process that died resets its connections */
    assert_int_equal(c->state_node, 1);
    assert_int_equal(c->state, SL_BROKER_DOWN);
    put_hello(c, other);
    client_turn(c);
    take_hello(c, other);
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    client_turn(c);
    assert_int_equal(c->state, SL_BROKER_UP);
    l = client_connect(c, 1);
    put_hello(c, l);
    client_turn(c);
    take_hello(c, l);
    client_end(c);
}

/* A host may have taken a connection out of its listener when the node went down in the same
 * turn: it is told to reset it. */
static void test_nobody_is_accepted_at_a_node_that_is_down(void **state) {
    (void)state;
    struct client *c = client_start(2, 0);
    uint32_t id = 0;
    sl_broker_set_state(c->broker, 2, SL_BROKER_DOWN);
    assert_int_equal(sl_broker_on_accepted(c->broker, 2, &id), SLUICE_ERR_UNREACHABLE);
    sl_broker_check(c->broker);
    assert_int_equal(sl_broker_on_accepted(c->broker, 1, &id), 0);
    assert_int_equal(sl_broker_on_accepted(c->broker, 3, &id), SLUICE_ERR_USAGE);
    assert_int_equal(sl_broker_on_accepted(c->broker, 0, &id), SLUICE_ERR_USAGE);
    sl_broker_set_state(c->broker, 2, SL_BROKER_UP);
    assert_int_equal(sl_broker_on_accepted(c->broker, 2, &id), 0);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_byte_by_byte),
        cmocka_unit_test(test_many_frames_in_one_piece),
        cmocka_unit_test(test_bytes_filled_in_place),
        cmocka_unit_test(test_oversized_frame_closes),
        cmocka_unit_test(test_negative_size_closes),
        cmocka_unit_test(test_claimed_size_takes_no_memory),
        cmocka_unit_test(test_malformed_requests_close),
        cmocka_unit_test(test_bytes_behind_a_request_are_let_be),
        cmocka_unit_test(test_too_many_bytes_waiting),
        cmocka_unit_test(test_unsent_answers_are_bounded),
        cmocka_unit_test(test_close_while_a_fetch_waits),
        cmocka_unit_test(test_close_with_answers_unsent),
        cmocka_unit_test(test_deleted_topic_leaves_answers_whole),
        cmocka_unit_test(test_calls_for_a_link_that_is_gone),
        cmocka_unit_test(test_frozen_node_says_nothing),
        cmocka_unit_test(test_frozen_with_answers_unsent),
        cmocka_unit_test(test_node_goes_down),
        cmocka_unit_test(test_nobody_is_accepted_at_a_node_that_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
