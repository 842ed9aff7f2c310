/* Fetches that wait, and what other links do to the things they wait for. The broker walks the
 * waiting ones in one run; a link whose Fetch was answered goes on with the requests behind it, in
 * the middle of that walk, and these may end, add and wake other Fetches. */
#include "broker_client.h"

static void put_delete(struct client *c, struct client_link *l, const char *topic) {
    struct sl_delete_topics_request request;
    struct sl_str name = sl_bytes_str(topic);
    sl_codec_defaults(&sl_delete_topics_request_type, &request);
    request.topic_names = (struct sl_array){&name, 1};
    client_put(c, l, SL_API_DELETE_TOPICS, 5, &request);
}

static void put_wait(struct client *c, struct client_link *l, int32_t wait_ms) {
    struct client_fetch f = client_fetch_one(13, "t", 0, wait_ms);
    client_put_fetch(c, l, &f);
}

static void put_record(struct client *c, struct client_link *l) {
    struct client_batch b;
    client_batch_init(&b, 1);
    client_build(&b);
    client_put_produce(c, l, 9, -1, "t", 0, &b);
}

static int take_code(struct client *c, struct client_link *l) {
    return client_fetched(client_take(c, l), 0)->error_code;
}

/* Which of the two waits longer in the list matters to the walk; both orders are tried. */
static void start_pair(struct client *c, bool actor_first, struct client_link **actor,
                       struct client_link **other) {
    *actor = client_connect(c, 1);
    *other = client_connect(c, 1);
    if (actor_first) put_wait(c, *actor, 100);
    put_wait(c, *other, 1000);
    if (!actor_first) put_wait(c, *actor, 100);
}

static void test_next_request_deletes_what_another_reads(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct client *c = client_start(1, 1);
        struct client_link *actor, *other;
        start_pair(c, order == 0, &actor, &other);
        put_delete(c, actor, "t");
        client_advance(c, 99);
        assert_false(client_has_answer(actor) || client_has_answer(other));
        client_advance(c, 1);
        assert_int_equal(take_code(c, actor), 0);
        (void)client_take(c, actor);
        assert_int_equal(take_code(c, other), SLUICE_KAFKA_UNKNOWN_TOPIC_ID);
        client_end(c);
    }
}

/* Many wait for it, before and behind the one that deletes. */
static void test_many_read_what_is_deleted(void **state) {
    (void)state;
    enum { OTHERS = 20 };
    struct client *c = client_start(1, 1);
    struct client_link *others[OTHERS], *actor = NULL;
    for (int i = 0; i < OTHERS; i++) {
        if (i == OTHERS / 2) {
            actor = client_connect(c, 1);
            put_wait(c, actor, 100);
            put_delete(c, actor, "t");
        }
        others[i] = client_connect(c, 1);
        put_wait(c, others[i], i % 2 == 0 ? 100 : 1000);
    }
    client_advance(c, 100);
    assert_int_equal(take_code(c, actor), 0);
    for (int i = 0; i < OTHERS; i++) {
        int want = i % 2 == 0 && i < OTHERS / 2 ? 0 : SLUICE_KAFKA_UNKNOWN_TOPIC_ID;
        assert_int_equal(take_code(c, others[i]), want);
    }
    client_end(c);
}

static void test_next_request_appends_to_what_another_reads(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct client *c = client_start(1, 1);
        struct client_link *actor, *other;
        start_pair(c, order == 0, &actor, &other);
        put_record(c, actor);
        client_advance(c, 100);
        assert_int_equal(client_count_batches(client_fetched(client_take(c, actor), 0)), 0);
        assert_int_equal(client_produced(client_take(c, actor))->error_code, 0);
        /* No time went by since the append. */
        assert_true(client_has_answer(other));
        assert_int_equal(client_count_batches(client_fetched(client_take(c, other), 0)), 1);
        client_end(c);
    }
}

/* A host that runs the machine once must be told that there is more to do. */
static void test_an_append_in_a_run_is_due_at_once(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *actor, *other;
    start_pair(c, false, &actor, &other);
    put_record(c, actor);
    client_turn(c);
    c->now += 100 * CLIENT_MS;
    sl_broker_on_time(c->broker, c->now, 0);
    assert_true(sl_broker_deadline(c->broker) <= c->now);
    sl_broker_run(c->broker);
    (void)client_drain(c);
    assert_true(client_has_answer(other) || sl_broker_deadline(c->broker) <= c->now);
    sl_broker_run(c->broker);
    (void)client_drain(c);
    assert_true(client_has_answer(other));
    assert_true(sl_broker_deadline(c->broker) > c->now);
    client_end(c);
}

static void test_link_closes_in_the_middle(void **state) {
    (void)state;
    static const uint8_t no_api[] = {0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff};
    for (int order = 0; order < 2; order++) {
        struct client *c = client_start(1, 1);
        struct client_link *actor, *other;
        start_pair(c, order == 0, &actor, &other);
        client_feed(c, actor, no_api, sizeof no_api);
        client_advance(c, 100);
        assert_false(actor->open);
        assert_true(other->open);
        client_append(c, "t", 0, 1);
        client_turn(c);
        assert_int_equal(client_count_batches(client_fetched(client_take(c, other), 0)), 1);
        client_end(c);
    }
}

/* The next request is a Fetch that waits: added behind in the walk that dropped the first. */
static void test_next_request_waits_again(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    for (int i = 0; i < 5; i++) put_wait(c, l, 100);
    for (int i = 0; i < 5; i++) {
        client_advance(c, 99);
        assert_false(client_has_answer(l));
        client_advance(c, 1);
        assert_int_equal(take_code(c, l), 0);
        assert_false(client_has_answer(l));
    }
    client_end(c);
}

/* The session of a Fetch that waits is ended by another connection. */
static void test_session_ends_under_a_fetch_that_waits(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct client *c = client_start(1, 1);
        struct client_link *actor = client_connect(c, 1);
        struct client_link *other = client_connect(c, 1);
        struct client_fetch f = client_fetch_one(13, "t", 0, 0);
        f.session_epoch = 0;
        int32_t id = client_fetch(c, other, &f)->session_id;
        assert_true(id != 0);
        f.session_id = id;
        f.session_epoch = 1;
        f.count = 0;
        f.wait_ms = 1000;
        if (order == 0) put_wait(c, actor, 100);
        client_put_fetch(c, other, &f);
        if (order == 1) put_wait(c, actor, 100);
        f.session_epoch = -1;
        f.wait_ms = 0;
        client_put_fetch(c, actor, &f);
        put_record(c, actor);
        client_advance(c, 100);
        assert_int_equal(take_code(c, actor), 0);
        const struct sl_fetch_response *m = client_take(c, other);
        assert_int_equal(m->error_code, SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND);
        client_end(c);
    }
}

/* A link that was held back by a delayed answer goes on in the second half of the same run. */
static void test_delayed_answer_ends_and_wakes_a_fetch(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *actor = client_connect(c, 1);
    struct client_link *other = client_connect(c, 1);
    struct sl_fault fault = client_fault_of(SL_FAULT_DELAY, SL_API_LIST_OFFSETS);
    struct sl_list_offsets_request request;
    fault.delay_ms = 100;
    client_fault(c, &fault);
    sl_codec_defaults(&sl_list_offsets_request_type, &request);
    client_put(c, actor, SL_API_LIST_OFFSETS, 5, &request);
    put_record(c, actor);
    put_wait(c, other, 1000);
    client_advance(c, 99);
    assert_int_equal(client_log(c, "t", 0).log_end, 0);
    client_advance(c, 1);
    (void)client_take(c, actor);
    assert_int_equal(client_produced(client_take(c, actor))->error_code, 0);
    assert_int_equal(client_count_batches(client_fetched(client_take(c, other), 0)), 1);
    client_end(c);
}

static void test_node_goes_down_under_fetches_that_wait(void **state) {
    (void)state;
    struct client *c = client_start(2, 2);
    struct client_link *one = client_connect(c, 1);
    struct client_link *two = client_connect(c, 2);
    put_wait(c, one, 1000); /* led by node 1 */
    struct client_fetch f = client_fetch_one(13, "t", 1, 1000);
    client_put_fetch(c, two, &f);
    client_turn(c);
    sl_broker_set_state(c->broker, 1, SL_BROKER_DOWN);
    client_turn(c);
    assert_false(one->open);
    assert_true(two->open);
    assert_false(client_has_answer(two));
    client_append(c, "t", 1, 1);
    client_turn(c);
    assert_int_equal(client_count_batches(client_fetched(client_take(c, two), 0)), 1);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_request_deletes_what_another_reads),
        cmocka_unit_test(test_many_read_what_is_deleted),
        cmocka_unit_test(test_next_request_appends_to_what_another_reads),
        cmocka_unit_test(test_an_append_in_a_run_is_due_at_once),
        cmocka_unit_test(test_link_closes_in_the_middle),
        cmocka_unit_test(test_next_request_waits_again),
        cmocka_unit_test(test_session_ends_under_a_fetch_that_waits),
        cmocka_unit_test(test_delayed_answer_ends_and_wakes_a_fetch),
        cmocka_unit_test(test_node_goes_down_under_fetches_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
