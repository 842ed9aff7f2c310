/* Goal: one connection, from looking its name up to its end: the ApiVersions fallbacks, peers that
 * speak something else, frames that are too long, cut or mixed up, timeouts, throttling, idling,
 * and several addresses. How bytes travel is in core_link_bytes_test.c.
 * Method: an admin client whose host and peer are scripted (core_host.h); READY and CREATE_TOPIC
 * ops are what it is asked for. */
#include "core_host.h"

#include "base/rng.h"

static struct sl_broker *seed_of(struct host *h) {
    return SL_LIST_OF(h->core->brokers.all.next, struct sl_broker, node);
}

/* ---- negotiation ---- */

/* The ApiVersions request that waits, which must be of that version; answered with an error. */
static void refuse_versions(struct host *h, int16_t expected, int16_t listed_max) {
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    assert_int_equal(r.header.version, expected);
    struct sl_api_versions_range range = {SL_API_API_VERSIONS, 0, listed_max};
    struct sl_api_versions_response answer;
    sl_codec_defaults(&sl_api_versions_response_type, &answer);
    answer.error_code = SLUICE_KAFKA_UNSUPPORTED_VERSION;
    answer.api_keys = (struct sl_array){&range, listed_max >= 0 ? 1 : 0};
    h->requests[r.index].replied = true;
    host_reply_as(h, r.conn, SL_API_API_VERSIONS, 0, r.header.correlation, &answer);
}

static void negotiation_says_who_we_are(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    host_ask(h, SL_COMMAND_READY, NULL, 10000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    assert_int_equal(r.header.version, sl_api_find(SL_API_API_VERSIONS)->client_max);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_api_versions_request *request = host_decode(&r, &arena);
    assert_true(sl_bytes_str_equal(request->client_software_name, SL_STR("sluice")));
    assert_true(request->client_software_version.size > 0);
    sl_arena_deinit(&arena);
    host_end(h);
}

static void refused_version_is_lowered_on_the_same_connection(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 10000);
    host_turn(h);
    refuse_versions(h, 4, 2); /* lists key 18 alone: not the whole list */
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    assert_int_equal(r.header.version, 2);
    host_answer_versions(h, &r);
    host_turn(h);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(h->opens, 1);
    host_end(h);
}

static void empty_list_means_version_0(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 10000);
    host_turn(h);
    refuse_versions(h, 4, -1);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    assert_int_equal(r.header.version, 0);
    host_answer_versions(h, &r);
    host_turn(h);
    assert_int_equal(op->code, 0);
    assert_int_equal(h->opens, 1);
    host_end(h);
}

static void a_broker_that_refuses_every_version_does_not_keep_us_busy(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 60000);
    host_turn(h);
    refuse_versions(h, 4, 4); /* a lie: it lists what it refuses */
    host_turn(h);
    refuse_versions(h, 0, 4);
    host_turn(h);
    assert_int_equal(op->state, SL_OP_PENDING);
    assert_int_equal(host_count_requests(h, SL_API_API_VERSIONS), 0);
    assert_false(host_last(h)->open);
    assert_true(host_was_told(h, "refused ApiVersions with UNSUPPORTED_VERSION"));
    host_end(h);
}

static void a_hang_up_is_answered_with_lower_versions(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    host_ask(h, SL_COMMAND_READY, NULL, 600000);
    host_turn(h);
    const int16_t expected[] = {4, 3, 0, 4, 3, 0};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
        assert_int_equal(r.header.version, expected[i]);
        host_cut(h, r.conn, "closed by the peer");
        host_advance(h, 2000);
    }
    assert_true(host_was_told(h, "security.protocol"));
    /* Once it has worked, the version that did is where the next connection begins. */
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    host_cut(h, r.conn, "closed by the peer");
    host_advance(h, 2000);
    r = host_next_request(h, SL_API_API_VERSIONS);
    assert_int_equal(r.header.version, 3);
    host_answer_versions(h, &r);
    host_turn(h);
    assert_int_equal(seed_of(h)->negotiate_version, 3);
    host_end(h);
}

static void the_version_used_is_in_both_ranges(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->metadata_max = 9;
    host_make_ready(h);
    struct sl_link *link = host_link(h, 1, SL_PURPOSE_CONTROL);
    const struct sl_api *metadata = sl_api_find(SL_API_METADATA);
    assert_int_equal(sl_link_version(link, metadata, 0, INT16_MAX), 9);
    assert_int_equal(sl_link_version(link, metadata, 0, 8), 8);
    assert_int_equal(sl_link_version(link, metadata, 10, 13), -1);
    link->versions[SL_API_METADATA].max = 3; /* below what we speak */
    assert_int_equal(sl_link_version(link, metadata, 0, INT16_MAX), -1);
    host_end(h);
}

/* Ranges of one version are ranges. */
static void one_version_is_enough(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 5000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    struct sl_api_versions_range ranges[] = {{SL_API_METADATA, 9, 9}, {SL_API_API_VERSIONS, 0, 4}};
    struct sl_api_versions_response answer;
    sl_codec_defaults(&sl_api_versions_response_type, &answer);
    answer.api_keys = (struct sl_array){ranges, 2};
    host_reply(h, &r, &answer);
    host_turn(h);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
    struct sl_link *link = host_link(h, 1, SL_PURPOSE_CONTROL);
    assert_int_equal(sl_link_version(link, sl_api_find(SL_API_METADATA), 0, INT16_MAX), 9);
    host_end(h);
}

/* ---- peers that are no brokers ---- */

static void check_wrong_peer(const void *bytes, size_t size, const char *told) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 5000);
    host_turn(h);
    host_feed(h, host_last(h), bytes, size);
    host_turn(h);
    assert_false(host_last(h)->open);
    assert_true(h->memory.peak_bytes < 1024 * 1024); /* nothing was allocated for the claim */
    h->deaf = true;
    host_advance(h, 6000);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, SLUICE_ERR_UNREACHABLE);
    assert_true(host_was_told(h, told));
    assert_true(host_was_told(h, "b1:9092"));
    host_end(h);
}

static void other_protocols_are_named(void **state) {
    (void)state;
    const uint8_t alert[] = {0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46};
    check_wrong_peer("HTTP/1.1 400 Bad Request\r\n\r\n", 28, "an HTTP answer");
    check_wrong_peer(alert, sizeof alert, "a TLS alert");
    check_wrong_peer("SSH-2.0-OpenSSH_9.2\r\n", 21, "an SSH server");
}

static void impossible_lengths_are_refused_before_memory(void **state) {
    (void)state;
    const uint32_t lengths[] = {0, 1, 3, 65537, 0x7fffffff, 0x80000000U, 0xffffffffU};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t prefix[4];
        sl_bytes_put32(prefix, lengths[i]);
        check_wrong_peer(prefix, sizeof prefix, "does not speak Kafka");
    }
}

static void a_ready_link_has_the_limit_of_the_settings(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->settings.receive_frame_max = 1000000;
    host_make_ready(h);
    h->hold_metadata = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 60000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_METADATA);
    uint8_t prefix[4];
    sl_bytes_put32(prefix, 1000001);
    host_feed(h, r.conn, prefix, sizeof prefix);
    host_turn(h);
    assert_false(r.conn->open);
    assert_true(host_was_told(h, "receive.message.max.bytes"));
    assert_int_equal(op->state, SL_OP_PENDING); /* asked again elsewhere */
    host_end(h);
}

static void memory_follows_what_has_come_not_what_is_claimed(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    h->hold_metadata = true;
    host_ask(h, SL_COMMAND_PARTITIONS, "t", 60000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_METADATA);
    size_t before = h->memory.live_bytes;
    uint8_t prefix[4];
    sl_bytes_put32(prefix, 90000000);
    host_feed(h, r.conn, prefix, sizeof prefix);
    /* The rest dribbles in. */
    static uint8_t zeros[100000];
    host_feed(h, r.conn, zeros, sizeof zeros);
    assert_true(h->memory.live_bytes < before + 2 * 1024 * 1024);
    for (int i = 0; i < 30; i++) host_feed(h, r.conn, zeros, sizeof zeros);
    assert_true(h->memory.live_bytes < before + 9 * 1024 * 1024);
    host_cut(h, r.conn, "closed by the peer");
    host_turn(h);
    host_end(h);
}

static void answers_out_of_turn_end_the_connection(void **state) {
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        host_make_ready(h);
        h->hold_metadata = true;
        host_ask(h, SL_COMMAND_PARTITIONS, "t", 60000);
        if (what != 2) host_turn(h);
        struct host_conn *conn = host_last(h);
        uint8_t frame[64] = {0};
        size_t size = 8;
        if (what == 0) { /* another correlation id */
            struct host_request r = host_next_request(h, SL_API_METADATA);
            sl_bytes_put32(frame + 4, (uint32_t)r.header.correlation + 1);
            size = 9;           /* with the tags of the header */
        } else if (what == 1) { /* a body that is cut short */
            struct host_request r = host_next_request(h, SL_API_METADATA);
            sl_bytes_put32(frame + 4, (uint32_t)r.header.correlation);
            size = 20;
        } else if (what == 3) { /* bytes behind the last field */
            struct host_request r = host_next_request(h, SL_API_METADATA);
            sl_bytes_put32(frame + 4, (uint32_t)r.header.correlation);
            size = 60;
        }
        sl_bytes_put32(frame, (uint32_t)size - 4);
        host_feed(h, conn, frame, size);
        host_turn(h);
        assert_false(conn->open);
        assert_int_equal(h->closes, 1);
        const char *const told[] = {"it answered request ", "could not be read",
                                    "an answer that nobody asked for", "could not be read"};
        assert_true(host_was_told(h, told[what]));
        host_end(h);
    }
}

static void an_answer_may_be_cut_at_any_byte(void **state) {
    (void)state;
    for (size_t cut = 0;; cut++) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        h->hold_versions = true;
        struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 10000);
        host_turn(h);
        struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
        struct sl_api_versions_range ranges[2] = {{SL_API_METADATA, 0, 12},
                                                  {SL_API_API_VERSIONS, 0, 4}};
        struct sl_api_versions_response answer;
        sl_codec_defaults(&sl_api_versions_response_type, &answer);
        answer.api_keys = (struct sl_array){ranges, 2};
        size_t size;
        uint8_t *frame = host_encode(sl_api_find(SL_API_API_VERSIONS), r.header.version,
                                     r.header.correlation, &answer, &size);
        if (cut < size) {
            host_feed(h, r.conn, frame, cut);
            host_cut(h, r.conn, "closed by the peer");
        }
        free(frame);
        h->hold_versions = false;
        host_advance(h, 1000);
        if (cut < size) {
            assert_int_equal(op->code, 0);
            assert_int_equal(op->state, SL_OP_ENDED);
            assert_int_equal(h->opens, 2);
        }
        host_end(h);
        if (cut == size) break;
    }
}

static void mangled_answers_do_no_harm(void **state) {
    (void)state;
    struct sl_rng rng;
    sl_rng_init(&rng, 99);
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->topics[0] = (struct host_topic){"t", 1, 0, 3, 1, 0};
    h->topic_count = 1;
    host_make_ready(h);
    h->hold_metadata = true;
    host_ask(h, SL_COMMAND_PARTITIONS, "t", -1);
    int mangled = 0;
    for (int i = 0; i < 3000; i++) {
        host_advance(h, 400);
        if (host_count_requests(h, SL_API_METADATA) == 0) {
            if (sl_core_deadline(h->core) == SL_NEVER) break;
            sl_metadata_refresh(h->core, NULL);
            continue;
        }
        struct host_request r = host_next_request(h, SL_API_METADATA);
        struct sl_metadata_broker broker = {1, SL_STR("b1"), 9092, SL_STR_NULL};
        struct sl_metadata_topic_response topic;
        struct sl_metadata_partition_response items[3];
        host_describe_topic(&h->topics[0], &topic, items);
        struct sl_metadata_response answer;
        sl_codec_defaults(&sl_metadata_response_type, &answer);
        answer.brokers = (struct sl_array){&broker, 1};
        answer.topics = (struct sl_array){&topic, 1};
        size_t size;
        uint8_t *frame = host_encode(sl_api_find(SL_API_METADATA), r.header.version,
                                     r.header.correlation, &answer, &size);
        for (uint64_t k = sl_rng_below(&rng, 4); k > 0; k--) {
            frame[8 + sl_rng_below(&rng, size - 8)] = (uint8_t)sl_rng_next(&rng);
        }
        h->requests[r.index].replied = true;
        host_feed(h, r.conn, frame, size);
        free(frame);
        mangled++;
        /* The table of requests is finite. */
        if (h->request_count > HOST_REQUESTS - 10 || h->conn_count > HOST_CONNS - 10) break;
    }
    assert_true(mangled > 100);
    host_end(h);
}

/* ---- time ---- */

/* A part of an answer; the first says how long the answer is. */
static void feed_part(struct host *h, struct host_conn *conn, uint32_t frame, bool first) {
    enum { PART = 2500 };
    uint8_t bytes[PART] = {0};
    if (first) sl_bytes_put32(bytes, frame - SL_FRAME_PREFIX);
    host_feed(h, conn, bytes, sizeof bytes);
}

/* A large answer has time for as long as a sixteenth of it comes within each timeout. */
static void an_answer_that_is_coming_has_time(void **state) {
    (void)state;
    const uint32_t frames[] = {16 * 2500, 16 * 2500 + 16};
    for (int i = 0; i < 2; i++) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        host_make_ready(h);
        struct host_conn *conn = host_last(h);
        (void)host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 400000);
        host_turn(h);
        (void)host_next_request(h, SL_API_CREATE_TOPICS);
        feed_part(h, conn, frames[i], true);
        host_advance(h, 30100);
        assert_int_equal(conn->open, i == 0);
        if (i == 0) {
            feed_part(h, conn, 0, false);
            host_advance(h, 30000);
            assert_true(conn->open);
            host_advance(h, 30100); /* nothing came */
            assert_false(conn->open);
            assert_true(host_was_told(h, "CreateTopics was not answered within 90000 ms"));
        }
        host_end(h);
    }
}

/* Of a small answer the rest follows at once, or not at all. */
static void a_small_answer_has_no_more_time(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct host_conn *conn = host_last(h);
    (void)host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 400000);
    host_turn(h);
    (void)host_next_request(h, SL_API_CREATE_TOPICS);
    uint8_t bytes[100] = {0, 0, 0, 200};
    host_feed(h, conn, bytes, sizeof bytes);
    host_advance(h, 30100);
    assert_false(conn->open);
    host_end(h);
}

static void an_unanswered_request_fails_the_whole_link(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct host_conn *conn = host_last(h);
    struct sl_op *create = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 40000);
    host_advance(h, 1000);
    struct sl_op *other = host_ask(h, SL_COMMAND_CREATE_TOPIC, "b", 40000);
    host_advance(h, 28500);
    assert_true(conn->open);
    host_advance(h, 600);
    assert_false(conn->open);
    assert_int_equal(h->core->links.all.next == NULL, 0);
    assert_true(host_was_told(h, "CreateTopics was not answered within 30000 ms"));
    assert_int_equal(create->state, SL_OP_PENDING); /* tried again */
    assert_int_equal(other->state, SL_OP_PENDING);
    assert_true(h->core->stats.apis[SL_API_CREATE_TOPICS].errors >= 2);
    host_end(h);
}

static void connecting_has_a_deadline_that_grows(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_open = true;
    host_ask(h, SL_COMMAND_READY, NULL, 600000);
    host_turn(h);
    int64_t opened[5];
    for (int i = 0; i < 5; i++) {
        opened[i] = h->now;
        int closes = h->closes;
        while (h->closes == closes) {
            h->now = sl_core_deadline(h->core);
            host_turn(h);
        }
        int64_t waited_ms = (h->now - opened[i]) / SL_MS;
        int64_t most = 10000 << i < 30000 ? 10000 << i : 30000;
        assert_in_range(waited_ms, most * 8 / 10 - 1, most * 12 / 10 + 1);
        int opens = h->opens;
        while (h->opens == opens) {
            h->now = sl_core_deadline(h->core);
            host_turn(h);
        }
    }
    assert_true(host_was_told(h, "the connection was not accepted in time"));
    host_end(h);
}

static void a_silent_peer_or_resolver_is_given_up(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_resolve = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 45000);
    host_advance(h, 45100);
    assert_int_equal(op->code, SLUICE_ERR_UNREACHABLE);
    assert_non_null(strstr(op->text, "the name was not resolved in time"));
    assert_int_equal(h->resolves, 1); /* a resolver that hangs is asked once */
    host_resolve(h, 1);
    h->hold_versions = true;
    op = host_ask(h, SL_COMMAND_READY, NULL, 60000);
    host_advance(h, 60100);
    assert_int_equal(op->code, SLUICE_ERR_UNREACHABLE);
    assert_non_null(strstr(op->text, "ApiVersions was not answered"));
    host_end(h);
}

static void reconnecting_backs_off_with_jitter(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->deaf = true;
    host_ask(h, SL_COMMAND_READY, NULL, 600000);
    host_turn(h);
    int64_t expected_ms = 50;
    for (int i = 0; i < 8; i++) {
        int opens = h->opens;
        int64_t since = h->now;
        while (h->opens == opens) {
            h->now = sl_core_deadline(h->core);
            host_turn(h);
        }
        int64_t waited_ms = (h->now - since) / SL_MS;
        assert_in_range(waited_ms, expected_ms * 8 / 10 - 1, expected_ms * 12 / 10 + 1);
        expected_ms = expected_ms * 2 < 1000 ? expected_ms * 2 : 1000;
    }
    host_end(h);
}

static void a_peer_that_accepts_and_hangs_up_is_no_success(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_metadata = true;
    host_ask(h, SL_COMMAND_READY, NULL, 600000);
    host_turn(h);
    int opens = h->opens;
    for (int64_t end = h->now + 10000 * SL_MS; h->now < end;) {
        if (host_count_requests(h, SL_API_METADATA) > 0) {
            host_cut(h, host_next_request(h, SL_API_METADATA).conn, "closed by the peer");
        }
        host_turn(h);
        if (host_count_requests(h, SL_API_METADATA) == 0) h->now = sl_core_deadline(h->core);
    }
    assert_true(h->opens - opens <= 20); /* 50 ms doubled up to 1 s, over 10 s */
    host_end(h);
}

static void throttling_mutes_the_connection(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_link *link = host_link(h, 1, SL_PURPOSE_CONTROL);
    host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 60000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_CREATE_TOPICS);
    struct sl_create_topics_topic_response topic = {.name = SL_STR("a"),
                                                    .error_message = SL_STR_NULL};
    struct sl_create_topics_response answer;
    sl_codec_defaults(&sl_create_topics_response_type, &answer);
    answer.throttle_ms = 2000;
    answer.topics = (struct sl_array){&topic, 1};
    host_reply(h, &r, &answer);
    assert_false(sl_link_is_ready(link));
    struct sl_op *op = host_ask(h, SL_COMMAND_DELETE_TOPIC, "a", 60000);
    host_advance(h, 1900);
    assert_int_equal(host_count_requests(h, SL_API_DELETE_TOPICS), 0);
    assert_int_equal(op->state, SL_OP_PENDING);
    host_advance(h, 200);
    assert_int_equal(host_count_requests(h, SL_API_DELETE_TOPICS), 1);
    assert_int_equal(h->core->stats.apis[SL_API_CREATE_TOPICS].throttle.sum, 2000);
    /* An absurd number is capped, and what is under way gets that much longer. */
    sl_link_throttle(link, INT32_MAX);
    assert_int_equal(link->muted_until, h->now + 60000 * SL_MS);
    host_advance(h, 59000);
    assert_true(host_last(h)->open);
    host_end(h);
}

/* The first answer of a connection counts as any other. */
static void a_throttled_negotiation_mutes_too(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = h->hold_metadata = true;
    host_ask(h, SL_COMMAND_READY, NULL, 60000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    struct sl_api_versions_range ranges[] = {{SL_API_METADATA, 0, 12}, {SL_API_API_VERSIONS, 0, 4}};
    struct sl_api_versions_response answer;
    sl_codec_defaults(&sl_api_versions_response_type, &answer);
    answer.api_keys = (struct sl_array){ranges, 2};
    answer.throttle_ms = 2000;
    host_reply(h, &r, &answer);
    host_advance(h, 1900);
    assert_int_equal(host_count_requests(h, SL_API_METADATA), 0);
    host_advance(h, 200);
    assert_int_equal(host_count_requests(h, SL_API_METADATA), 1);
    host_end(h);
}

static void an_idle_connection_is_closed_quietly(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->settings.connections_max_idle_ms = 60000;
    h->settings.metadata_max_age_ms = 1000000;
    host_make_ready(h);
    sl_events_deinit(&h->events, &h->memory.alloc);
    sl_events_init(&h->events);
    int turns = h->turns;
    host_advance(h, 59000);
    assert_true(host_last(h)->open);
    host_advance(h, 2000);
    assert_false(host_last(h)->open);
    assert_int_equal(host_link(h, 1, SL_PURPOSE_CONTROL)->state, SL_LINK_IDLE);
    host_advance(h, 800000);
    assert_true(h->turns - turns < 12); /* asleep */
    assert_int_equal(h->opens, 1);
    assert_true(sl_list_is_empty(&h->events.notices));
    host_make_ready(h); /* and opens again when wanted, without delay */
    assert_int_equal(h->opens, 2);
    host_end(h);
}

static void an_idle_close_by_the_peer_is_no_error(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    host_cut(h, host_last(h), "closed by the peer");
    host_advance(h, 1000);
    assert_int_equal(h->opens, 1); /* nobody wants it */
    assert_false(host_was_told(h, "closed by the peer"));
    assert_int_equal(sl_brokers_find(h->core, 1)->failures, 0);
    host_end(h);
}

static void without_answers_a_close_asks_for_metadata(void **state) {
    (void)state;
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_PRODUCER);
    h->settings.acks = 0;
    h->settings.idempotence = false;
    assert_int_equal(host_create(h), 0);
    host_make_ready(h);
    assert_non_null(sl_brokers_link(sl_brokers_find(h->core, 1), SL_PURPOSE_PRODUCE));
    host_advance(h, 5000);
    int frames = h->frames;
    host_cut(h, host_last(h), "closed by the peer");
    host_turn(h);
    assert_int_equal(h->frames, frames + 1);
    assert_int_equal(sl_brokers_find(h->core, 1)->failures, 0);
    host_end(h);
}

static void expect_done(struct sl_core *core, struct sl_request *request, int rv,
                        struct sl_response *resp) {
    (void)core;
    (void)request;
    assert_int_equal(rv, 0);
    assert_null(resp);
}

/* Nothing is waited for once the last byte has left. */
static void a_draining_connection_without_answers_closes(void **state) {
    (void)state;
    static struct sl_request request;
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_PRODUCER);
    h->settings.acks = 0;
    h->settings.idempotence = false;
    assert_int_equal(host_create(h), 0);
    host_make_ready(h);
    struct sl_link *link = sl_brokers_link(sl_brokers_find(h->core, 1), SL_PURPOSE_PRODUCE);
    assert_non_null(link);
    host_turn(h);
    struct host_conn *conn = host_last(h);
    const struct sl_api *api = sl_api_find(SL_API_PRODUCE);
    struct sl_produce_request message;
    sl_codec_defaults(api->request, &message);
    memset(&request, 0, sizeof request);
    request.no_response = true;
    request.on_done = expect_done;
    assert_int_equal(sl_link_encode(link, &request, api, 9, &message, NULL, 0), 0);
    sl_link_send(link, &request, 1000);
    sl_link_drain(link);
    assert_true(conn->open);
    host_turn(h);
    assert_false(conn->open);
    assert_int_equal(link->state, SL_LINK_IDLE);
    host_end(h);
}

/* ---- addresses ---- */

/* Asks until somebody is reached by a name that has so many addresses. */
static struct sl_op *ask_with_addresses(struct host *h, int count) {
    h->hold_resolve = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 100000);
    host_turn(h);
    host_resolve(h, count);
    host_turn(h);
    return op;
}

static void every_address_is_tried_then_the_name_again(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->deaf = true;
    (void)ask_with_addresses(h, 3);
    assert_int_equal(h->opens, 3); /* at once, one after the other */
    for (int i = 0; i < 3; i++) assert_int_equal(h->conns[i].address.ip[3], i + 1);
    assert_int_equal(h->resolves, 1);
    host_advance(h, 70);
    assert_int_equal(h->resolves, 2); /* after the back-off */
    h->deaf = false;
    host_resolve(h, 0);
    host_turn(h);
    assert_true(host_was_told(h, "the name cannot be resolved: no such host") ||
                strstr(seed_of(h)->story, "cannot be resolved") != NULL);
    host_advance(h, 150);
    host_resolve(h, 2);
    host_turn(h);
    assert_int_equal(h->opens, 4);
    host_end(h);
}

/* The host is told to close the attempt that is given up: it has a socket for it. */
static void an_address_that_hangs_is_closed_for_the_next(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_open = true;
    struct sl_op *op = ask_with_addresses(h, 2);
    assert_int_equal(h->opens, 1);
    h->hold_open = false;
    host_advance(h, 13000);
    assert_int_equal(h->opens, 2);
    assert_false(h->conns[0].open);
    assert_int_equal(h->conns[1].address.ip[3], 2);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    host_end(h);
}

static void an_address_that_fails_later_is_left_for_the_next(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_versions = true;
    struct sl_op *op = ask_with_addresses(h, 2);
    assert_int_equal(host_last(h)->address.ip[3], 1);
    host_next_request(h, SL_API_API_VERSIONS);
    h->hold_versions = false;
    host_advance(h, 13000); /* it accepted, and was silent */
    assert_int_equal(host_last(h)->address.ip[3], 2);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    host_end(h);
}

/* What another address comes to would hide it; it is tried next time, which is not soon. */
static void a_verdict_of_tls_is_not_covered_up(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_open = true;
    struct sl_op *op = ask_with_addresses(h, 2);
    assert_int_equal(h->opens, 1);
    sl_core_on_closed(h->core, h->conns[0].link, SLUICE_ERR_TLS, "the certificate is refused");
    h->conns[0].open = false;
    h->hold_open = false;
    host_turn(h);
    assert_int_equal(h->opens, 1);
    assert_true(host_was_told(h, "the certificate is refused"));
    assert_string_equal(seed_of(h)->story, "the certificate is refused");
    assert_int_equal(sl_brokers_verdict(h->core), SLUICE_ERR_TLS);
    host_advance(h, 500); /* the first back-off of other failures is some 50 ms */
    assert_int_equal(h->opens, 1);
    host_advance(h, 1000);
    assert_int_equal(h->opens, 2);
    assert_int_equal(host_last(h)->address.ip[3], 2);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiation_says_who_we_are),
        cmocka_unit_test(refused_version_is_lowered_on_the_same_connection),
        cmocka_unit_test(empty_list_means_version_0),
        cmocka_unit_test(a_broker_that_refuses_every_version_does_not_keep_us_busy),
        cmocka_unit_test(a_hang_up_is_answered_with_lower_versions),
        cmocka_unit_test(the_version_used_is_in_both_ranges),
        cmocka_unit_test(one_version_is_enough),
        cmocka_unit_test(other_protocols_are_named),
        cmocka_unit_test(impossible_lengths_are_refused_before_memory),
        cmocka_unit_test(a_ready_link_has_the_limit_of_the_settings),
        cmocka_unit_test(memory_follows_what_has_come_not_what_is_claimed),
        cmocka_unit_test(answers_out_of_turn_end_the_connection),
        cmocka_unit_test(an_answer_may_be_cut_at_any_byte),
        cmocka_unit_test(mangled_answers_do_no_harm),
        cmocka_unit_test(an_answer_that_is_coming_has_time),
        cmocka_unit_test(a_small_answer_has_no_more_time),
        cmocka_unit_test(an_unanswered_request_fails_the_whole_link),
        cmocka_unit_test(connecting_has_a_deadline_that_grows),
        cmocka_unit_test(a_silent_peer_or_resolver_is_given_up),
        cmocka_unit_test(reconnecting_backs_off_with_jitter),
        cmocka_unit_test(a_peer_that_accepts_and_hangs_up_is_no_success),
        cmocka_unit_test(throttling_mutes_the_connection),
        cmocka_unit_test(a_throttled_negotiation_mutes_too),
        cmocka_unit_test(an_idle_connection_is_closed_quietly),
        cmocka_unit_test(an_idle_close_by_the_peer_is_no_error),
        cmocka_unit_test(without_answers_a_close_asks_for_metadata),
        cmocka_unit_test(a_draining_connection_without_answers_closes),
        cmocka_unit_test(every_address_is_tried_then_the_name_again),
        cmocka_unit_test(an_address_that_hangs_is_closed_for_the_next),
        cmocka_unit_test(an_address_that_fails_later_is_left_for_the_next),
        cmocka_unit_test(a_verdict_of_tls_is_not_covered_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
