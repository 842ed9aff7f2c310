/* Goal: the bundled broker lets in whom Kafka's lets in, in Kafka's order, and ends sessions as
 * KIP-368 has it.
 * Method: a client of the protocol alone: requests out of place, tokens right and wrong, sessions
 * that end, frames that are too long; answers and ends of connections are looked at. */
#include "broker_client.h"

static struct client *start(const char *mechanisms) {
    struct client *c = client_start(1, 1);
    assert_int_equal(sl_broker_set(c->broker, "sasl.enabled.mechanisms", mechanisms), 0);
    assert_int_equal(sl_broker_set(c->broker, "sasl.user", "bob=pencil"), 0);
    return c;
}

static const struct sl_sasl_handshake_response *shake(struct client *c, struct client_link *l,
                                                      const char *mechanism, int16_t version) {
    struct sl_sasl_handshake_request request = {.mechanism = sl_bytes_str(mechanism)};
    return client_ask(c, l, SL_API_SASL_HANDSHAKE, version, &request);
}

static void put_token(struct client *c, struct client_link *l, const void *token, size_t size) {
    struct sl_sasl_authenticate_request request = {.auth_bytes = {token, (int32_t)size}};
    client_send(c, l, SL_API_SASL_AUTHENTICATE, 2, &request);
}

static const struct sl_sasl_authenticate_response *login(struct client *c, struct client_link *l,
                                                         const void *token, size_t size) {
    put_token(c, l, token, size);
    return client_take(c, l);
}

static void put_metadata(struct client *c, struct client_link *l) {
    struct sl_metadata_request request;
    sl_codec_defaults(sl_api_find(SL_API_METADATA)->request, &request);
    request.topics.count = 0;
    client_send(c, l, SL_API_METADATA, 9, &request);
}

static void put_versions(struct client *c, struct client_link *l) {
    struct sl_api_versions_request request = {.client_software_name = SL_STR("test"),
                                              .client_software_version = SL_STR("1")};
    client_send(c, l, SL_API_API_VERSIONS, 3, &request);
}

static void nothing_else_is_served_before(void **state) {
    struct client *c = start("PLAIN");
    (void)state;
    struct client_link *l = client_connect(c, 1);
    put_metadata(c, l);
    assert_false(l->open);
    assert_string_equal(sl_broker_complaint(c->broker), "Metadata before authentication");
    l = client_connect(c, 1);
    put_token(c, l, "\0bob\0pencil", 11);
    assert_false(l->open);
    l = client_connect(c, 1);
    put_versions(c, l);
    (void)client_take(c, l);
    put_versions(c, l); /* once is enough */
    assert_false(l->open);
    l = client_connect(c, 1);
    put_versions(c, l);
    (void)client_take(c, l);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
    put_metadata(c, l);
    assert_false(l->open);
    l = client_connect(c, 1);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
    assert_int_equal(login(c, l, "\0bob\0pencil", 11)->error_code, 0);
    put_metadata(c, l);
    assert_true(l->open);
    (void)client_take(c, l);
    /* What is out of place afterwards is answered. */
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, SLUICE_KAFKA_ILLEGAL_SASL_STATE);
    assert_int_equal(login(c, l, "x", 1)->error_code, SLUICE_KAFKA_ILLEGAL_SASL_STATE);
    assert_true(l->open);
    client_end(c);
}

static void mechanisms_are_listed_where_one_is_not_offered(void **state) {
    struct client *c = start("PLAIN,SCRAM-SHA-512");
    (void)state;
    assert_int_equal(sl_broker_set(c->broker, "sasl.enabled.mechanisms", "PLAIN,NTLM"),
                     SLUICE_ERR_CONFIG);
    assert_int_equal(sl_broker_set(c->broker, "connection.failed.authentication.delay.ms", "0"), 0);
    struct client_link *l = client_connect(c, 1);
    const struct sl_sasl_handshake_response *answer = shake(c, l, "SCRAM-SHA-256", 1);
    assert_int_equal(answer->error_code, SLUICE_KAFKA_UNSUPPORTED_SASL_MECHANISM);
    assert_int_equal(answer->mechanisms.count, 2);
    const struct sl_str *names = answer->mechanisms.items;
    assert_true(sl_bytes_str_equal(names[0], SL_STR("PLAIN")));
    assert_true(sl_bytes_str_equal(names[1], SL_STR("SCRAM-SHA-512")));
    client_turn(c);
    assert_false(l->open);
    assert_int_equal(sl_broker_set(c->broker, "sasl.enabled.mechanisms", ""), 0);
    l = client_connect(c, 1);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, SLUICE_KAFKA_ILLEGAL_SASL_STATE);
    client_end(c);
}

static void a_refusal_comes_late_and_ends_the_connection(void **state) {
    static const struct {
        const char *token;
        size_t size;
    } wrong[] = {
        {"\0bob\0pencils", 12},   {"\0bob\0", 5}, {"\0eve\0pencil", 11}, {"bob", 3}, {"", 0},
        {"eve\0bob\0pencil", 14}, {"\0\0", 2}};
    struct client *c = start("PLAIN");
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct client_link *l = client_connect(c, 1);
        assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
        put_token(c, l, wrong[i].token, wrong[i].size);
        client_advance(c, 90);
        assert_true(l->open && !client_has_answer(l));
        client_advance(c, 20);
        const struct sl_sasl_authenticate_response *answer = client_take(c, l);
        assert_int_equal(answer->error_code, SLUICE_KAFKA_SASL_AUTHENTICATION_FAILED);
        assert_true(answer->error_message.size > 0);
        assert_false(l->open);
    }
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
    assert_int_equal(login(c, l, "bob\0bob\0pencil", 14)->error_code, 0);
    client_end(c);
}

static void sessions_end_and_begin_anew(void **state) {
    struct client *c = start("PLAIN,SCRAM-SHA-256");
    (void)state;
    assert_int_equal(sl_broker_set(c->broker, "connections.max.reauth.ms", "2000"), 0);
    assert_int_equal(sl_broker_set(c->broker, "sasl.user", "eve=apple"), 0);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
    assert_int_equal(login(c, l, "\0bob\0pencil", 11)->session_lifetime_ms, 2000);
    client_advance(c, 1900);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
    assert_int_equal(login(c, l, "\0bob\0pencil", 11)->session_lifetime_ms, 2000);
    /* Not twice within a second. */
    client_advance(c, 900);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, SLUICE_KAFKA_ILLEGAL_SASL_STATE);
    client_advance(c, 200);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
    assert_int_equal(login(c, l, "\0bob\0pencil", 11)->error_code, 0);
    /* Past its end a session can be begun anew, and nothing else. */
    client_advance(c, 2500);
    assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
    assert_int_equal(login(c, l, "\0bob\0pencil", 11)->error_code, 0);
    client_advance(c, 2500);
    put_metadata(c, l);
    assert_false(l->open);
    assert_string_equal(sl_broker_complaint(c->broker), "Metadata after the session has ended");
    /* It keeps its user and its mechanism. */
    for (int i = 0; i < 2; i++) {
        l = client_connect(c, 1);
        assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
        assert_int_equal(login(c, l, "\0bob\0pencil", 11)->error_code, 0);
        client_advance(c, 1100);
        if (i == 0) {
            assert_int_equal(shake(c, l, "PLAIN", 1)->error_code, 0);
            put_token(c, l, "\0eve\0apple", 10);
            client_advance(c, 200);
            assert_int_equal(
                ((struct sl_sasl_authenticate_response *)client_take(c, l))->error_code,
                SLUICE_KAFKA_SASL_AUTHENTICATION_FAILED);
        } else {
            struct sl_sasl_handshake_request request = {.mechanism = SL_STR("SCRAM-SHA-256")};
            client_send(c, l, SL_API_SASL_HANDSHAKE, 1, &request);
            client_advance(c, 200);
        }
        assert_false(l->open);
    }
    client_end(c);
}

static void tokens_are_judged_by_their_claims(void **state) {
    static const struct {
        const char *token;
        bool is_good;
    } tokens[] = {
        /* {"alg":"none"} {"sub":"bob","exp":99999} */
        {"n,,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjk5OTk5fQ.\1\1", true},
        {"n,a=bob,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjk5OTk5fQ.\1a=b\1\1",
         true},
        {"n,a=eve,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjk5OTk5fQ.\1\1",
         false},
        {"n,,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjk5OTk5fQ.x\1\1", false},
        {"n,,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjk5OTk5fQ\1\1", false},
        {"n,,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjk5OTk5fQ.\1", false},
        /* {"sub":"bob","exp":0} */
        {"n,,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IiLCJleHAiOjB9.\1\1", false},
        /* {"alg":"HS256"} */
        {"n,,\1auth=Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IiLCJleHAiOjk5OTk5fQ.\1\1", false},
        /* {"exp":99999}: nobody's */
        {"n,,\1auth=Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5fQ.\1\1", false},
        {"n,,\1auth=Bearer \1\1", false},
        {"\1", false},
    };
    struct client *c = start("OAUTHBEARER");
    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct client_link *l = client_connect(c, 1);
        assert_int_equal(shake(c, l, "OAUTHBEARER", 1)->error_code, 0);
        const struct sl_sasl_authenticate_response *answer =
            login(c, l, tokens[i].token, strlen(tokens[i].token));
        assert_int_equal(answer->error_code, 0);
        assert_int_equal(answer->auth_bytes.size == 0, tokens[i].is_good);
        if (tokens[i].is_good) {
            assert_true(answer->session_lifetime_ms > 90000);
            continue;
        }
        assert_non_null(strstr((const char *)answer->auth_bytes.data, "invalid_token"));
        put_token(c, l, "\1", 1);
        client_advance(c, 200);
        answer = client_take(c, l);
        assert_int_equal(answer->error_code, SLUICE_KAFKA_SASL_AUTHENTICATION_FAILED);
        assert_false(l->open);
    }
    client_end(c);
}

/* A frame without a header, and what comes back. */
static void put_raw(struct client *c, struct client_link *l, const void *token, size_t size) {
    uint8_t frame[64];
    sl_bytes_put32(frame, (uint32_t)size);
    assert_true(size <= sizeof frame - 4);
    memcpy(frame + 4, token, size);
    client_feed(c, l, frame, size + 4);
    client_turn(c);
}

static void after_the_old_handshake_tokens_are_bare(void **state) {
    struct client *c = start("PLAIN");
    (void)state;
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(shake(c, l, "PLAIN", 0)->error_code, 0);
    put_raw(c, l, "\0bob\0pencil", 11);
    assert_int_equal(l->size, 4);
    assert_int_equal(sl_bytes_get32(l->in), 0);
    l->size = 0;
    put_metadata(c, l);
    (void)client_take(c, l);
    l = client_connect(c, 1);
    assert_int_equal(shake(c, l, "PLAIN", 0)->error_code, 0);
    put_raw(c, l, "\0bob\0pencils", 12);
    assert_false(l->open);
    assert_int_equal(l->size, 0);
    client_end(c);
}

static void frames_before_it_are_short(void **state) {
    static const uint8_t prefix[] = {0, 8, 0, 1};
    struct client *c = start("PLAIN");
    (void)state;
    struct client_link *l = client_connect(c, 1);
    client_feed(c, l, prefix, sizeof prefix);
    client_turn(c);
    assert_false(l->open);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_else_is_served_before),
        cmocka_unit_test(mechanisms_are_listed_where_one_is_not_offered),
        cmocka_unit_test(a_refusal_comes_late_and_ends_the_connection),
        cmocka_unit_test(sessions_end_and_begin_anew),
        cmocka_unit_test(tokens_are_judged_by_their_claims),
        cmocka_unit_test(after_the_old_handshake_tokens_are_bare),
        cmocka_unit_test(frames_before_it_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
