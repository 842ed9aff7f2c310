/* Goal: a call ends exactly once whatever happens to its link, is retried only while nobody has
 * seen it, and may be cancelled at any time; the coordinator finder built on it finds, forgets and
 * paces. Method: calls of a test of its own, through an admin client (core_host.h). */
#include "core_host.h"

static int done_count;
static int done_rv;
static int32_t done_node;
static bool restart_from_done;

static int fill_test_call(struct sl_core *core, struct sl_call *call, int16_t version,
                          struct sl_arena *arena, void *request) {
    (void)core;
    struct sl_find_coordinator_request *message = request;
    message->key = SL_STR("g");
    if (version >= 4) {
        struct sl_str *keys = sl_arena_array(arena, 1, sizeof *keys);
        if (keys == NULL) return SLUICE_ERR_NOMEM;
        keys[0] = message->key;
        message->keys = (struct sl_array){keys, 1};
    }
    return call->owner == NULL ? 0 : *(const int *)call->owner;
}

static void on_test_call_done(struct sl_core *core, struct sl_call *call, int rv,
                              const void *response) {
    done_count++;
    done_rv = rv;
    assert_int_equal(response != NULL, rv == 0);
    assert_false(call->active);
    if (rv == 0) {
        const struct sl_find_coordinator_response *answer = response;
        const struct sl_find_coordinator_result *results = answer->coordinators.items;
        done_node = answer->coordinators.count > 0 ? results[0].node_id : -1;
    }
    if (!restart_from_done) return;
    sl_calls_back_off(core, call);
    sl_calls_start(core, call);
}

static void reset_test_call(struct sl_call *call, int32_t broker, int64_t deadline) {
    memset(call, 0, sizeof *call);
    call->api = sl_api_find(SL_API_FIND_COORDINATOR);
    call->fill = fill_test_call;
    call->done = on_test_call_done;
    call->broker = broker;
    call->deadline = deadline;
    done_count = 0;
    done_rv = 12345;
    restart_from_done = false;
}

/* Answers the FindCoordinator request that waits. */
static struct host_request answer_find(struct host *h, const char *key, int32_t node,
                                       int16_t code) {
    struct host_request r = host_next_request(h, SL_API_FIND_COORDINATOR);
    struct sl_find_coordinator_result result = {.key = sl_bytes_str(key),
                                                .node_id = node,
                                                .host = SL_STR("b9"),
                                                .port = 9092,
                                                .error_code = code,
                                                .error_message = SL_STR_NULL};
    struct sl_find_coordinator_response answer;
    sl_codec_defaults(&sl_find_coordinator_response_type, &answer);
    if (r.header.version < 4) {
        answer.node_id = node;
        answer.host = SL_STR("b9");
        answer.port = 9092;
        answer.error_code = code;
    } else {
        answer.coordinators = (struct sl_array){&result, 1};
    }
    host_reply(h, &r, &answer);
    return r;
}

static void a_call_goes_out_and_comes_back(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_call call;
    reset_test_call(&call, SL_BROKER_ANY, SL_NEVER);
    sl_calls_start(h->core, &call);
    host_turn(h); /* connects for it */
    answer_find(h, "g", 7, 0);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_rv, 0);
    assert_int_equal(done_node, 7);
    assert_int_equal(call.asked, -2);
    assert_int_equal(call.version, sl_api_find(SL_API_FIND_COORDINATOR)->client_max);
    host_turn(h);
    host_end(h);
}

static void the_range_of_versions_is_kept(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_call call;
    reset_test_call(&call, 1, SL_NEVER);
    call.version_low = 2;
    call.version_high = 3;
    sl_calls_start(h->core, &call);
    host_turn(h);
    assert_int_equal(answer_find(h, "g", 7, 0).header.version, 3);
    assert_int_equal(done_count, 1);
    host_link(h, 1, SL_PURPOSE_CONTROL)->versions[SL_API_FIND_COORDINATOR].max = -1;
    reset_test_call(&call, 1, SL_NEVER);
    sl_calls_start(h->core, &call);
    host_turn(h);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_rv, SLUICE_ERR_UNSUPPORTED);
    host_end(h);
}

static void deadlines_hold_while_waiting_and_while_sent(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->deaf = true;
    struct sl_call call;
    reset_test_call(&call, SL_BROKER_ANY, h->now + 3000 * SL_MS);
    sl_calls_start(h->core, &call);
    host_advance(h, 2999);
    assert_int_equal(done_count, 0);
    host_advance(h, 1);
    assert_int_equal(done_rv, SLUICE_ERR_TIMEOUT);
    assert_false(call.left);
    h->deaf = false;
    host_advance(h, 2000);
    host_make_ready(h);
    reset_test_call(&call, 1, h->now + 3000 * SL_MS);
    sl_calls_start(h->core, &call);
    host_advance(h, 3000);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_rv, SLUICE_ERR_TIMEOUT);
    assert_true(call.left);
    /* The answer comes late: dropped, and the connection is as good as before if still there. */
    if (host_last(h)->open) answer_find(h, "g", 7, 0);
    host_turn(h);
    assert_int_equal(done_count, 1);
    host_end(h);
}

static void a_lost_connection_is_told_apart(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_call call;
    /* Whole on the wire: the broker may have acted. */
    reset_test_call(&call, SL_BROKER_ANY, SL_NEVER);
    sl_calls_start(h->core, &call);
    host_turn(h);
    host_cut(h, host_next_request(h, SL_API_FIND_COORDINATOR).conn, "reset");
    assert_int_equal(done_count, 1);
    assert_int_equal(done_rv, SLUICE_ERR_UNREACHABLE);
    host_advance(h, 3000);
    host_make_ready(h);
    /* Sent in part: nobody can have, so it is sent again. */
    reset_test_call(&call, SL_BROKER_ANY, SL_NEVER);
    sl_calls_start(h->core, &call);
    h->send_cap = 10;
    host_turn(h);
    h->send_cap = 0;
    host_cut(h, host_last(h), "reset");
    assert_int_equal(done_count, 0);
    host_advance(h, 3000);
    assert_int_equal(host_count_requests(h, SL_API_FIND_COORDINATOR), 1);
    answer_find(h, "g", 3, 0);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_rv, 0);
    host_end(h);
}

static void one_broker_that_cannot_be_reached_ends_the_call(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    struct sl_call call;
    reset_test_call(&call, 33, SL_NEVER); /* nobody */
    sl_calls_start(h->core, &call);
    host_turn(h);
    assert_int_equal(done_rv, SLUICE_ERR_UNREACHABLE);
    h->deaf = true;
    reset_test_call(&call, 2, SL_NEVER);
    sl_calls_start(h->core, &call);
    host_turn(h);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_rv, SLUICE_ERR_UNREACHABLE);
    assert_false(call.left);
    host_end(h);
}

static void cancelling_is_silent_at_every_stage(void **state) {
    (void)state;
    for (int stage = 0; stage < 3; stage++) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        if (stage > 0) host_make_ready(h);
        struct sl_call *call = malloc(sizeof *call);
        assert_non_null(call);
        reset_test_call(call, SL_BROKER_ANY, SL_NEVER);
        sl_calls_start(h->core, call);
        if (stage > 1) host_turn(h);
        sl_calls_cancel(h->core, call);
        sl_calls_cancel(h->core, call); /* idle: harmless */
        free(call);                     /* and its memory is not looked at any more */
        if (stage > 1) answer_find(h, "g", 1, 0);
        host_turn(h);
        assert_int_equal(done_count, 0);
        if (stage > 1) assert_true(host_last(h)->open);
        host_end(h);
    }
}

static void a_cancelled_calls_answer_may_mute_the_connection(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_call first, second;
    struct sl_find_coordinator_response m;
    reset_test_call(&first, 1, SL_NEVER);
    sl_calls_start(h->core, &first);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_FIND_COORDINATOR);
    sl_calls_cancel(h->core, &first);
    sl_codec_defaults(&sl_find_coordinator_response_type, &m);
    m.throttle_ms = 500;
    host_reply(h, &r, &m);
    host_turn(h);
    reset_test_call(&second, 1, SL_NEVER);
    sl_calls_start(h->core, &second);
    host_advance(h, 400);
    assert_int_equal(host_count_requests(h, SL_API_FIND_COORDINATOR), 0);
    host_advance(h, 200);
    assert_int_equal(host_count_requests(h, SL_API_FIND_COORDINATOR), 1);
    assert_int_equal(done_count, 0);
    sl_calls_cancel(h->core, &second);
    host_end(h);
}

static void restarting_from_done_is_paced(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_call call;
    reset_test_call(&call, 33, SL_NEVER); /* fails at once, every time */
    restart_from_done = true;
    sl_calls_start(h->core, &call);
    host_advance(h, 10000);
    assert_in_range(done_count, 8, 20);
    restart_from_done = false;
    sl_calls_cancel(h->core, &call);
    host_end(h);
}

static void what_cannot_be_filled_or_read_ends_the_call(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    int refusal = SLUICE_ERR_USAGE;
    struct sl_call call;
    reset_test_call(&call, 1, SL_NEVER);
    call.owner = &refusal;
    sl_calls_start(h->core, &call);
    host_turn(h);
    assert_int_equal(done_rv, SLUICE_ERR_USAGE);
    reset_test_call(&call, 1, SL_NEVER);
    sl_calls_start(h->core, &call);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_FIND_COORDINATOR);
    uint8_t frame[12] = {0, 0, 0, 8};
    sl_bytes_put32(frame + 4, (uint32_t)r.header.correlation);
    host_feed(h, r.conn, frame, sizeof frame);
    assert_int_equal(done_rv, SLUICE_ERR_MALFORMED);
    host_turn(h);
    assert_false(r.conn->open);
    host_end(h);
}

static void closing_ends_calls(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_call waiting, sent;
    reset_test_call(&waiting, SL_BROKER_ANY, SL_NEVER);
    reset_test_call(&sent, SL_BROKER_ANY, SL_NEVER);
    sl_calls_start(h->core, &sent);
    host_turn(h);
    assert_int_equal(host_count_requests(h, SL_API_FIND_COORDINATOR), 1);
    waiting.not_before = SL_NEVER - 1;
    sl_calls_start(h->core, &waiting);
    restart_from_done = true; /* in vain */
    host_ask(h, SL_COMMAND_CLOSE, NULL, 1000);
    host_turn(h);
    assert_int_equal(done_count, 2);
    assert_int_equal(done_rv, SLUICE_ERR_CLOSED);
    assert_false(waiting.active || sent.active);
    host_end(h);
}

/* ---- coordinators ---- */

static void a_coordinator_is_found_once(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    int rv;
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv), -1);
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv), -1);
    assert_int_equal(rv, 0);
    host_turn(h);
    assert_int_equal(host_count_requests(h, SL_API_FIND_COORDINATOR), 1);
    answer_find(h, "g", 9, 0);
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv), 9);
    assert_string_equal(sl_brokers_find(h->core, 9)->host, "b9"); /* and can be reached */
    /* Another type is another question. */
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_TXN, "g", &rv), -1);
    host_turn(h);
    answer_find(h, "g", 1, 0);
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_TXN, "g", &rv), 1);
    sl_coordinators_forget(h->core, SL_COORDINATOR_GROUP, "g");
    sl_coordinators_forget(h->core, SL_COORDINATOR_GROUP, "other");
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv), -1);
    host_turn(h);
    assert_int_equal(host_count_requests(h, SL_API_FIND_COORDINATOR), 0); /* not at once */
    host_advance(h, 130);
    assert_int_equal(host_count_requests(h, SL_API_FIND_COORDINATOR), 1);
    host_end(h);
}

static void refusals_of_a_coordinator_are_told_and_the_rest_is_retried(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    int rv;
    (void)sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv);
    host_turn(h);
    answer_find(h, "g", -1, SLUICE_KAFKA_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv), -1);
    assert_int_equal(rv, 0);
    host_advance(h, 130);
    answer_find(h, "another", 1, 0); /* not what was asked */
    host_advance(h, 250);
    answer_find(h, "g", -1, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED);
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv), -1);
    assert_int_equal(rv, SLUICE_KAFKA_GROUP_AUTHORIZATION_FAILED);
    host_advance(h, 2000);
    answer_find(h, "g", 1, 0);
    assert_int_equal(sl_coordinators_find(h->core, SL_COORDINATOR_GROUP, "g", &rv), 1);
    assert_int_equal(rv, 0);
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_out_and_comes_back),
        cmocka_unit_test(the_range_of_versions_is_kept),
        cmocka_unit_test(deadlines_hold_while_waiting_and_while_sent),
        cmocka_unit_test(a_lost_connection_is_told_apart),
        cmocka_unit_test(one_broker_that_cannot_be_reached_ends_the_call),
        cmocka_unit_test(cancelling_is_silent_at_every_stage),
        cmocka_unit_test(a_cancelled_calls_answer_may_mute_the_connection),
        cmocka_unit_test(restarting_from_done_is_paced),
        cmocka_unit_test(what_cannot_be_filled_or_read_ends_the_call),
        cmocka_unit_test(closing_ends_calls),
        cmocka_unit_test(a_coordinator_is_found_once),
        cmocka_unit_test(refusals_of_a_coordinator_are_told_and_the_rest_is_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
