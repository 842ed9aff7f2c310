/* InitProducerId at the bundled broker: identities that nobody else has, and the next epoch of one
 * that is held (KIP-360). */
#include "broker_client.h"

static const struct sl_init_producer_id_response *
init_id(struct client *c, struct client_link *l, int16_t version, int64_t id, int16_t epoch) {
    struct sl_init_producer_id_request request;
    sl_codec_defaults(&sl_init_producer_id_request_type, &request);
    request.transactional_id = SL_STR_NULL;
    request.transaction_timeout_ms = INT32_MAX;
    request.producer_id = id;
    request.producer_epoch = epoch;
    return client_ask(c, l, SL_API_INIT_PRODUCER_ID, version, &request);
}

static void test_every_version_gives_a_new_one(void **state) {
    (void)state;
    struct client *c = client_start(2, 0);
    struct client_link *links[2] = {client_connect(c, 1), client_connect(c, 2)};
    int64_t before = -1;
    for (int16_t version = 0; version <= 5; version++) {
        for (int i = 0; i < 2; i++) { /* of any node, none twice */
            const struct sl_init_producer_id_response *m = init_id(c, links[i], version, -1, -1);
            assert_int_equal(m->error_code, 0);
            assert_true(m->producer_id > before);
            assert_int_equal(m->producer_epoch, 0);
            before = m->producer_id;
        }
    }
    client_end(c);
}

static void test_next_epoch(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    int64_t id = init_id(c, l, 4, -1, -1)->producer_id;
    for (int16_t epoch = 0; epoch < 3; epoch++) {
        const struct sl_init_producer_id_response *m = init_id(c, l, 4, id, epoch);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->producer_id, id);
        assert_int_equal(m->producer_epoch, epoch + 1);
    }
    client_end(c);
}

/* The last epoch is never given out: who comes near it gets another identity. */
static void test_epochs_run_out(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    int64_t id = init_id(c, l, 4, -1, -1)->producer_id;
    const struct sl_init_producer_id_response *m = init_id(c, l, 4, id, INT16_MAX - 2);
    assert_int_equal(m->producer_id, id);
    assert_int_equal(m->producer_epoch, INT16_MAX - 1);
    m = init_id(c, l, 4, id, INT16_MAX - 1);
    assert_int_equal(m->error_code, 0);
    assert_true(m->producer_id != id);
    assert_int_equal(m->producer_epoch, 0);
    client_end(c);
}

static void test_half_an_identity(void **state) {
    (void)state;
    struct client *c = client_start(1, 0);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(init_id(c, l, 4, 5, -1)->error_code, SLUICE_KAFKA_INVALID_REQUEST);
    const struct sl_init_producer_id_response *m = init_id(c, l, 4, -1, 5);
    assert_int_equal(m->error_code, SLUICE_KAFKA_INVALID_REQUEST);
    assert_int_equal(m->producer_id, -1);
    assert_int_equal(m->producer_epoch, -1);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_version_gives_a_new_one),
        cmocka_unit_test(test_next_epoch),
        cmocka_unit_test(test_epochs_run_out),
        cmocka_unit_test(test_half_an_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
