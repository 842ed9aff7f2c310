/* Metadata at the bundled broker: who is there, topics by name, by id and all, topics that are made
 * by asking, and leaders as they move and as nodes go. */
#include "broker_client.h"

static const struct sl_metadata_response *ask_all(struct client *c, struct client_link *l,
                                                  int16_t version, int32_t count) {
    struct sl_metadata_request request;
    sl_codec_defaults(&sl_metadata_request_type, &request);
    request.topics = (struct sl_array){NULL, count};
    return client_ask(c, l, SL_API_METADATA, version, &request);
}

/* By id, with the name as given. */
static const struct sl_metadata_response *ask_id(struct client *c, struct client_link *l,
                                                 int16_t version, struct sl_uuid id,
                                                 const char *name) {
    struct sl_metadata_request request;
    struct sl_metadata_topic t = {id, sl_bytes_str(name)};
    sl_codec_defaults(&sl_metadata_request_type, &request);
    request.topics = (struct sl_array){&t, 1};
    return client_ask(c, l, SL_API_METADATA, version, &request);
}

static int name_code(struct client *c, struct client_link *l, const char *name, bool create) {
    return client_described(client_metadata(c, l, 12, name, create), 0)->error_code;
}

/* Of partition 0 of "t". */
static const struct sl_metadata_partition_response *
ask_partition(struct client *c, struct client_link *l, int32_t partition) {
    const struct sl_metadata_response *m = client_metadata(c, l, 12, "t", false);
    return client_described_partition(client_described(m, 0), partition);
}

static void test_every_version(void **state) {
    (void)state;
    for (int16_t version = 0; version <= 13; version++) {
        struct client *c = client_start(2, 3);
        struct client_link *l = client_connect(c, 1);
        assert_int_equal(sl_broker_advertise(c->broker, 2, "two", 777), 0);
        const struct sl_metadata_response *m = client_metadata(c, l, version, "t", false);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->brokers.count, 2);
        const struct sl_metadata_broker *b = client_item(&m->brokers, 1, sizeof *b);
        assert_int_equal(b->node_id, 2);
        assert_true(sl_bytes_str_equal(b->host, SL_STR("two")));
        assert_int_equal(b->port, 777);
        assert_int_equal(b->rack.size, -1);
        if (version >= 1) assert_int_equal(m->controller_id, 1);
        if (version >= 2)
            assert_true(sl_bytes_str_equal(m->cluster_id, SL_STR("sluice-test-cluster")));
        const struct sl_metadata_topic_response *t = client_described(m, 0);
        assert_int_equal(t->error_code, 0);
        assert_true(sl_bytes_str_equal(t->name, SL_STR("t")));
        struct sl_uuid id = client_topic_id(c, "t"), none = {{0}};
        assert_true(sl_bytes_uuid_equal(&t->topic_id, version >= 10 ? &id : &none));
        assert_int_equal(t->partitions.count, 3);
        if (version >= 8) assert_int_equal(t->authorized_operations, INT32_MIN);
        for (int32_t i = 0; i < 3; i++) {
            const struct sl_metadata_partition_response *p = client_described_partition(t, i);
            assert_int_equal(p->partition, i);
            assert_int_equal(p->leader_id, i % 2 + 1); /* they go round the nodes */
            assert_int_equal(p->leader_epoch, version >= 7 ? 0 : -1);
            assert_int_equal(p->replica_nodes.count, 2);
            assert_int_equal(p->isr_nodes.count, 2);
            assert_int_equal(p->offline_replicas.count, 0);
        }
        client_end(c);
    }
}

/* Null means all and empty none, but in version 0 empty means all. */
static void test_all_and_none(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_create_topic(c->broker, "u", 2, 1), 0);
    assert_int_equal(ask_all(c, l, 0, 0)->topics.count, 2);
    for (int16_t version = 1; version <= 13; version++) {
        assert_int_equal(ask_all(c, l, version, -1)->topics.count, 2);
        const struct sl_metadata_response *m = ask_all(c, l, version, 0);
        assert_int_equal(m->topics.count, 0);
        assert_int_equal(m->brokers.count, 1);
    }
    client_end(c);
}

/* ---- topics that are made by asking ---- */

static void test_auto_create(void **state) {
    (void)state;
    struct client *c = client_prepare(3);
    c->options.default_partitions = 4;
    client_create(c);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(name_code(c, l, "new", false), SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    const struct sl_metadata_topic_response *t =
        client_described(client_metadata(c, l, 12, "new", true), 0);
    assert_int_equal(t->error_code, 0);
    assert_int_equal(t->partitions.count, 4);
    assert_int_equal(client_described_partition(t, 0)->replica_nodes.count, 3);
    assert_int_equal(name_code(c, l, "new", false), 0);
    /* Before version 4 a request could not forbid it. */
    t = client_described(client_metadata(c, l, 3, "old", true), 0);
    assert_int_equal(t->error_code, 0);
    assert_int_equal(sl_broker_set(c->broker, "auto.create.topics.enable", "false"), 0);
    assert_int_equal(name_code(c, l, "other", true), SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(sl_broker_set(c->broker, "auto.create.topics.enable", "true"), 0);
    assert_int_equal(sl_broker_set(c->broker, "num.partitions", "2"), 0);
    t = client_described(client_metadata(c, l, 12, "other", true), 0);
    assert_int_equal(t->partitions.count, 2);
    client_end(c);
}

static void test_invalid_names(void **state) {
    (void)state;
    char longest[251];
    memset(longest, 'a', sizeof longest);
    longest[250] = '\0';
    const char *const bad[] = {"", ".", "..", "with space", "sl/ash", "\xc3\xa9", longest};
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(name_code(c, l, bad[i], true), SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION);
        assert_int_equal(name_code(c, l, bad[i], false), SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION);
    }
    longest[249] = '\0';
    assert_int_equal(name_code(c, l, longest, true), 0);
    assert_int_equal(name_code(c, l, "...", true), 0);
    assert_int_equal(name_code(c, l, "a.b_c-D9", true), 0);
    client_end(c);
}

/* ---- ids ---- */

static void test_by_id(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    for (int16_t version = 12; version <= 13; version++) {
        const struct sl_metadata_topic_response *t =
            client_described(ask_id(c, l, version, client_topic_id(c, "t"), NULL), 0);
        assert_int_equal(t->error_code, 0);
        assert_true(sl_bytes_str_equal(t->name, SL_STR("t")));
        assert_int_equal(t->partitions.count, 2);
        struct sl_uuid other = {{7}};
        t = client_described(ask_id(c, l, version, other, NULL), 0);
        assert_int_equal(t->error_code, SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
        assert_int_equal(t->name.size, -1);
        assert_true(sl_bytes_uuid_equal(&t->topic_id, &other));
        assert_int_equal(t->partitions.count, 0);
    }
    client_end(c);
}

/* Versions 10 and 11 have the field for ids in the request, and brokers refuse its use: questions
 * by id came with version 12. */
static void test_ids_before_version_12(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_uuid none = {{0}};
    for (int16_t version = 10; version <= 11; version++) {
        const struct sl_metadata_topic_response *t =
            client_described(ask_id(c, l, version, client_topic_id(c, "t"), "t"), 0);
        assert_int_equal(t->error_code, SLUICE_KAFKA_INVALID_REQUEST);
        assert_int_equal(t->partitions.count, 0);
        t = client_described(ask_id(c, l, version, none, NULL), 0);
        assert_int_equal(t->error_code, SLUICE_KAFKA_INVALID_REQUEST);
        assert_int_equal(t->name.size, 0);
    }
    client_end(c);
}

static void test_a_topic_made_again_has_another_id(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_uuid before = client_topic_id(c, "t");
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    assert_int_equal(sl_broker_delete_topic(c->broker, "t"), 0);
    assert_int_equal(name_code(c, l, "t", false), SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 2), 0);
    struct sl_uuid after = client_topic_id(c, "t");
    assert_false(sl_bytes_uuid_equal(&before, &after));
    assert_int_equal(ask_partition(c, l, 0)->leader_epoch, 0);
    assert_int_equal(client_described(ask_id(c, l, 12, before, NULL), 0)->error_code,
                     SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
    client_end(c);
}

/* ---- leaders and nodes ---- */

static void test_leader_moves(void **state) {
    (void)state;
    struct client *c = client_start(3, 1);
    struct client_link *l = client_connect(c, 3);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, true), 0);
    assert_int_equal(ask_partition(c, l, 0)->leader_id, 2);
    assert_int_equal(ask_partition(c, l, 0)->leader_epoch, 1);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 9, true), SLUICE_ERR_USAGE);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 5, 1, true),
                     SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 1, true),
                     SLUICE_KAFKA_REPLICA_NOT_AVAILABLE);
    assert_int_equal(client_log(c, "t", 0).leader_epoch, 1);
    client_end(c);
}

/* A node without a replica takes the leader's. */
static void test_leader_moves_to_a_new_replica(void **state) {
    (void)state;
    struct client *c = client_prepare(3);
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 3, true), 0);
    const struct sl_metadata_partition_response *p = ask_partition(c, l, 0);
    assert_int_equal(p->leader_id, 3);
    assert_int_equal(p->replica_nodes.count, 1);
    assert_int_equal(((const int32_t *)p->replica_nodes.items)[0], 3);
    client_end(c);
}

static void test_node_goes_down_and_comes_back(void **state) {
    (void)state;
    struct client *c = client_start(2, 2);
    struct client_link *l = client_connect(c, 2);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    const struct sl_metadata_response *m = client_metadata(c, l, 12, "t", false);
    assert_int_equal(m->brokers.count, 1);
    assert_int_equal(m->controller_id, 2);
    const struct sl_metadata_partition_response *p = ask_partition(c, l, 0);
    assert_int_equal(p->leader_id, 2);
    assert_int_equal(p->leader_epoch, 1);
    assert_int_equal(p->isr_nodes.count, 1);
    assert_int_equal(p->offline_replicas.count, 1);
    assert_int_equal(((const int32_t *)p->offline_replicas.items)[0], 1);
    assert_int_equal(ask_partition(c, l, 1)->leader_epoch, 0); /* its leader stayed */
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    m = client_metadata(c, l, 12, "t", false);
    assert_int_equal(m->brokers.count, 2);
    assert_int_equal(m->controller_id, 1);
    assert_int_equal(ask_partition(c, l, 0)->leader_id, 2); /* it does not go back by itself */
    client_end(c);
}

static void test_no_leader(void **state) {
    (void)state;
    struct client *c = client_prepare(2);
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    struct client_link *l = client_connect(c, 2);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    const struct sl_metadata_response *m = client_metadata(c, l, 12, "t", false);
    assert_int_equal(client_described(m, 0)->error_code, 0);
    const struct sl_metadata_partition_response *p = ask_partition(c, l, 0);
    assert_int_equal(p->error_code, SLUICE_KAFKA_LEADER_NOT_AVAILABLE);
    assert_int_equal(p->leader_id, -1);
    sl_broker_set_state(c->broker, 1, SL_BROKER_UP);
    p = ask_partition(c, l, 0);
    assert_int_equal(p->error_code, 0);
    assert_int_equal(p->leader_id, 1);
    assert_int_equal(p->leader_epoch, 2); /* to none and back: each change has an epoch */
    client_end(c);
}

/* A frozen node is taken for alive: nobody has noticed. */
static void test_frozen_node_keeps_its_partitions(void **state) {
    (void)state;
    struct client *c = client_start(2, 1);
    struct client_link *l = client_connect(c, 2);
    sl_broker_set_state(c->broker, 1, SL_BROKER_FROZEN);
    assert_int_equal(client_metadata(c, l, 12, "t", false)->brokers.count, 2);
    assert_int_equal(ask_partition(c, l, 0)->leader_id, 1);
    client_end(c);
}

/* An old leader that is down cannot be asked any more: the cluster must not name it for ever. */
static void test_untold_move_and_the_old_leader_goes_down(void **state) {
    (void)state;
    struct client *c = client_start(3, 1);
    struct client_link *l = client_connect(c, 3);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, false), 0);
    assert_int_equal(ask_partition(c, l, 0)->leader_id, 1);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    assert_int_equal(ask_partition(c, l, 0)->leader_id, 2);
    assert_int_equal(ask_partition(c, l, 0)->leader_epoch, 1);
    client_end(c);
}

/* The same where there was no leader to go on believing. */
static void test_untold_move_from_no_leader(void **state) {
    (void)state;
    struct client *c = client_prepare(2);
    client_create(c);
    assert_int_equal(sl_broker_create_topic(c->broker, "t", 1, 1), 0);
    struct client_link *l = client_connect(c, 2);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    assert_int_equal(ask_partition(c, l, 0)->leader_id, -1);
    assert_int_equal(sl_broker_move_leader(c->broker, "t", 0, 2, false), 0);
    assert_int_equal(ask_partition(c, l, 0)->leader_id, 2);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version),
        cmocka_unit_test(test_all_and_none),
        cmocka_unit_test(test_auto_create),
        cmocka_unit_test(test_invalid_names),
        cmocka_unit_test(test_by_id),
        cmocka_unit_test(test_ids_before_version_12),
        cmocka_unit_test(test_a_topic_made_again_has_another_id),
        cmocka_unit_test(test_leader_moves),
        cmocka_unit_test(test_leader_moves_to_a_new_replica),
        cmocka_unit_test(test_node_goes_down_and_comes_back),
        cmocka_unit_test(test_no_leader),
        cmocka_unit_test(test_frozen_node_keeps_its_partitions),
        cmocka_unit_test(test_untold_move_and_the_old_leader_goes_down),
        cmocka_unit_test(test_untold_move_from_no_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
