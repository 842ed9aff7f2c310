/* CreateTopics and DeleteTopics at the bundled broker: by name and by id, defaults, refusals, and
 * asking without doing. */
#include "broker_client.h"

static const struct sl_create_topics_topic_response *create(struct client *c, struct client_link *l,
                                                            int16_t version, const char *name,
                                                            int32_t partitions, int16_t replicas,
                                                            bool validate) {
    struct sl_create_topics_request request;
    struct sl_create_topics_topic t;
    sl_codec_defaults(&sl_create_topics_request_type, &request);
    sl_codec_defaults(client_item_type(&sl_create_topics_request_type, "topics"), &t);
    t.name = sl_bytes_str(name);
    t.partition_count = partitions;
    t.replication_factor = replicas;
    request.topics = (struct sl_array){&t, 1};
    request.validate_only = validate;
    const struct sl_create_topics_response *m =
        client_ask(c, l, SL_API_CREATE_TOPICS, version, &request);
    return client_item(&m->topics, 0, sizeof(struct sl_create_topics_topic_response));
}

static bool exists(const struct client *c, const char *name) {
    struct sl_broker_log_view view;
    return sl_broker_log(c->broker, name, 0, &view) == 0;
}

static void test_create_in_every_version(void **state) {
    (void)state;
    struct client *c = client_start(3, 0);
    struct client_link *l = client_connect(c, 2); /* any node does it */
    for (int16_t version = 2; version <= 7; version++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", version);
        const struct sl_create_topics_topic_response *t = create(c, l, version, name, 4, 2, false);
        assert_int_equal(t->error_code, 0);
        assert_int_equal(t->error_message.size, -1);
        assert_true(sl_bytes_str_equal(t->name, sl_bytes_str(name)));
        if (version >= 5) {
            assert_int_equal(t->partition_count, 4);
            assert_int_equal(t->replication_factor, 2);
        }
        struct sl_uuid id = client_topic_id(c, name);
        if (version >= 7) assert_true(sl_bytes_uuid_equal(&t->topic_id, &id));
        assert_int_equal(client_log(c, name, 3).log_end, 0);
    }
    client_end(c);
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int32_t partitions;
        int16_t replicas;
        int code;
    } cases[] = {
        {"t", 1, 1, SLUICE_KAFKA_TOPIC_ALREADY_EXISTS},
        {"no/name", 1, 1, SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION},
        {"", 1, 1, SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION},
        {"u", 0, 1, SLUICE_KAFKA_INVALID_PARTITIONS},
        {"u", -2, 1, SLUICE_KAFKA_INVALID_PARTITIONS},
        {"u", 1, 0, SLUICE_KAFKA_INVALID_REPLICATION_FACTOR},
        {"u", 1, 3, SLUICE_KAFKA_INVALID_REPLICATION_FACTOR},
    };
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int validate = 0; validate < 2; validate++) {
            const struct sl_create_topics_topic_response *t = create(
                c, l, 7, cases[i].name, cases[i].partitions, cases[i].replicas, validate != 0);
            assert_int_equal(t->error_code, cases[i].code);
            assert_true(t->error_message.size > 0);
            assert_int_equal(t->partition_count, -1);
        }
    }
    assert_false(exists(c, "u"));
    client_end(c);
}

/* -1 is the cluster's own number (KIP-464). */
static void test_defaults(void **state) {
    (void)state;
    for (int32_t nodes = 1; nodes <= 4; nodes++) {
        struct client *c = client_prepare(nodes);
        c->options.default_partitions = 5;
        client_create(c);
        struct client_link *l = client_connect(c, 1);
        const struct sl_create_topics_topic_response *t = create(c, l, 7, "u", -1, -1, false);
        assert_int_equal(t->error_code, 0);
        assert_int_equal(t->partition_count, 5);
        assert_int_equal(t->replication_factor, nodes < 3 ? nodes : 3);
        client_end(c);
    }
}

static void test_validate_does_nothing(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(create(c, l, 7, "u", 3, 1, true)->error_code, 0);
    assert_false(exists(c, "u"));
    assert_int_equal(create(c, l, 7, "u", 3, 1, false)->error_code, 0);
    assert_true(exists(c, "u"));
    client_end(c);
}

/* ---- deleting ---- */

static const struct sl_delete_topics_topic_response *delete_one(struct client *c,
                                                                struct client_link *l,
                                                                int16_t version, const char *name,
                                                                struct sl_uuid id) {
    struct sl_delete_topics_request request;
    struct sl_str text = sl_bytes_str(name);
    struct sl_delete_topics_topic t = {text, id};
    sl_codec_defaults(&sl_delete_topics_request_type, &request);
    if (version < 6)
        request.topic_names = (struct sl_array){&text, 1};
    else
        request.topics = (struct sl_array){&t, 1};
    const struct sl_delete_topics_response *m =
        client_ask(c, l, SL_API_DELETE_TOPICS, version, &request);
    return client_item(&m->topics, 0, sizeof(struct sl_delete_topics_topic_response));
}

static void test_delete_by_name(void **state) {
    (void)state;
    static const struct sl_uuid none;
    for (int16_t version = 1; version <= 6; version++) {
        struct client *c = client_start(1, 2);
        struct client_link *l = client_connect(c, 1);
        client_append(c, "t", 1, 3);
        const struct sl_delete_topics_topic_response *t = delete_one(c, l, version, "t", none);
        assert_int_equal(t->error_code, 0);
        assert_true(sl_bytes_str_equal(t->name, SL_STR("t")));
        assert_false(exists(c, "t"));
        t = delete_one(c, l, version, "t", none);
        assert_int_equal(t->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
        if (version >= 5) assert_true(t->error_message.size > 0);
        client_end(c);
    }
}

static void test_delete_by_id(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct sl_uuid id = client_topic_id(c, "t");
    const struct sl_delete_topics_topic_response *t = delete_one(c, l, 6, NULL, id);
    assert_int_equal(t->error_code, 0);
    assert_true(sl_bytes_str_equal(t->name, SL_STR("t")));
    assert_true(sl_bytes_uuid_equal(&t->topic_id, &id));
    assert_false(exists(c, "t"));
    t = delete_one(c, l, 6, NULL, id);
    assert_int_equal(t->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
    assert_int_equal(t->name.size, -1);
    assert_true(sl_bytes_uuid_equal(&t->topic_id, &id));
    client_end(c);
}

/* The test's own calls say the same. */
static void test_behind_the_back(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1),
                     SLUICE_KAFKA_TOPIC_ALREADY_EXISTS);
    assert_int_equal(sl_broker_create_topic(c->broker, "u", 1, 3),
                     SLUICE_KAFKA_INVALID_REPLICATION_FACTOR);
    assert_int_equal(sl_broker_delete_topic(c->broker, "u"),
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    assert_false(exists(c, "t"));
    sl_broker_check(c->broker);
    client_end(c);
}

/* A topic that grows keeps what it has, and its new partitions are empty and led. */
static void test_growing(void **state) {
    (void)state;
    struct client *c = client_start(3, 2);
    client_append(c, "t", 0, 3);
    client_append(c, "t", 1, 4);
    assert_int_equal(sl_broker_grow_topic(c->broker, "u", 3),
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(sl_broker_grow_topic(c->broker, "t", 2), SLUICE_KAFKA_INVALID_PARTITIONS);
    assert_int_equal(sl_broker_grow_topic(c->broker, "t", 5), 0);
    sl_broker_check(c->broker);
    client_append(c, "t", 1, 1);
    client_append(c, "t", 4, 2);
    static const int64_t ends[] = {3, 5, 0, 0, 2};
    for (int32_t i = 0; i < 5; i++) {
        struct sl_broker_log_view view = client_log(c, "t", i);
        assert_int_equal(view.log_end, ends[i]);
        assert_true(view.leader > 0);
    }
    assert_int_equal(sl_broker_log_trim(c->broker, "t", 0, 3), 0);
    sl_broker_check(c->broker);
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_in_every_version),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_validate_does_nothing),
        cmocka_unit_test(test_delete_by_name),
        cmocka_unit_test(test_delete_by_id),
        cmocka_unit_test(test_behind_the_back),
        cmocka_unit_test(test_growing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
