/* Goal: connections are made when wanted and to whom they should be: seeds first, then whoever
 * metadata knows; moved, vanished and lying entries; falling back to the seeds when nobody known
 * can be reached. Method: an admin client with a scripted host (core_host.h). */
#include "core_host.h"

static void nothing_happens_unasked(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_advance(h, 3600 * 1000);
    assert_int_equal(h->opens + h->resolves, 0);
    assert_int_equal(sl_core_deadline(h->core), SL_NEVER);
    host_end(h);
}

static void the_seed_connection_goes_to_the_broker_behind_it(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    assert_int_equal(h->opens, 1);
    struct sl_link *link = host_link(h, 1, SL_PURPOSE_CONTROL);
    assert_non_null(link);
    assert_int_equal(link->state, SL_LINK_READY);
    assert_int_equal(link->broker->id, 1);
    assert_int_equal(link->id, host_last(h)->link);
    host_end(h);
}

static void a_seed_that_is_no_broker_is_left(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[0].host = "inner1";
    host_make_ready(h);
    host_turn(h);
    assert_false(h->conns[0].open);
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    host_turn(h);
    assert_int_equal(op->state, SL_OP_PENDING);
    assert_string_equal(host_last(h)->host, "inner1");
    assert_int_equal(h->opens, 2);
    host_end(h);
}

static void a_seed_that_hangs_delays_by_a_second_only(void **state) {
    (void)state;
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_ADMIN);
    h->seeds[1] = (struct sl_endpoint){(char *)(uintptr_t) "b2", 9092};
    h->seeds[2] = (struct sl_endpoint){(char *)(uintptr_t) "b3", 9092};
    h->settings.bootstrap_count = 3;
    h->hold_open = true;
    assert_int_equal(host_create(h), 0);
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 60000);
    host_turn(h);
    assert_int_equal(h->opens, 1);
    host_advance(h, 1000);
    assert_int_equal(h->opens, 2);
    assert_string_not_equal(h->conns[0].host, h->conns[1].host);
    sl_core_on_opened(h->core, h->conns[1].link);
    host_turn(h);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    host_end(h);
}

static void ready_says_who_could_not_be_reached(void **state) {
    (void)state;
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_ADMIN);
    h->seeds[1] = (struct sl_endpoint){(char *)(uintptr_t) "b2", 9093};
    h->settings.bootstrap_count = 2;
    h->deaf = true;
    assert_int_equal(host_create(h), 0);
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 3000);
    host_advance(h, 3000);
    assert_int_equal(op->code, SLUICE_ERR_UNREACHABLE);
    assert_non_null(strstr(op->text, "no broker reachable: b1:9092 connection refused ("));
    assert_non_null(strstr(op->text, "times), b2:9093 connection refused ("));
    host_end(h);
}

static void a_moved_broker_is_found_at_its_new_place(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct host_conn *before = host_last(h);
    struct sl_op *create = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 60000);
    host_turn(h);
    h->nodes[0].port = 9999;
    /* The news comes over another connection, so that the request stays under way. */
    sl_brokers_begin(h->core);
    assert_int_equal(sl_brokers_put(h->core, 1, SL_STR("b1"), 9999, SL_STR_NULL), 0);
    sl_brokers_end(h->core);
    host_turn(h);
    assert_true(before->open); /* drains: an answer is still to come */
    assert_int_equal(host_link(h, 1, SL_PURPOSE_CONTROL)->state, SL_LINK_DRAINING);
    struct host_request r = host_next_request(h, SL_API_CREATE_TOPICS);
    struct sl_create_topics_topic_response topic = {.name = SL_STR("a"),
                                                    .error_message = SL_STR_NULL};
    struct sl_create_topics_response answer;
    sl_codec_defaults(&sl_create_topics_response_type, &answer);
    answer.topics = (struct sl_array){&topic, 1};
    host_reply(h, &r, &answer);
    host_turn(h);
    assert_int_equal(create->code, 0);
    assert_int_equal(create->state, SL_OP_ENDED);
    host_advance(h, 300);
    assert_false(before->open);
    assert_int_equal(host_last(h)->port, 9999); /* the refresh after creating went there */
    host_end(h);
}

static void a_vanished_broker_is_freed_once_it_is_at_rest(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    struct sl_broker *second = sl_brokers_find(h->core, 2);
    assert_non_null(sl_brokers_link(second, SL_PURPOSE_FETCH));
    host_turn(h);
    assert_int_equal(second->links[SL_PURPOSE_FETCH]->state, SL_LINK_READY);
    size_t blocks = h->memory.live_blocks;
    h->node_count = 1;
    sl_metadata_refresh(h->core, NULL);
    host_advance(h, 300);
    assert_null(sl_brokers_find(h->core, 2));
    assert_int_equal(h->core->brokers.gone, 0);
    assert_true(h->memory.live_blocks < blocks);
    h->node_count = 2; /* and back */
    host_advance(h, 5000);
    sl_metadata_refresh(h->core, NULL);
    host_advance(h, 300);
    assert_non_null(sl_brokers_find(h->core, 2));
    host_end(h);
}

/* Ids begin at 0. */
static void broker_0_is_one_like_any_other(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[0].id = 0;
    h->nodes[1] = (struct host_node){1, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    assert_int_equal(h->opens, 1);
    assert_int_equal(host_link(h, 0, SL_PURPOSE_CONTROL)->state, SL_LINK_READY);
    assert_int_equal(h->core->metadata.controller, 0);
    h->nodes[0] = h->nodes[1];
    h->node_count = 1;
    sl_metadata_refresh(h->core, NULL);
    host_advance(h, 300);
    assert_null(sl_brokers_find(h->core, 0));
    assert_non_null(sl_brokers_find(h->core, 1));
    host_end(h);
}

/* It is freed in the same turn, before the host was told of the look-up. */
static void a_broker_that_vanishes_takes_its_look_up_along(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    int resolves = h->resolves;
    assert_non_null(sl_brokers_link(sl_brokers_find(h->core, 2), SL_PURPOSE_FETCH));
    sl_brokers_begin(h->core);
    assert_int_equal(sl_brokers_put(h->core, 1, SL_STR("b1"), 9092, SL_STR_NULL), 0);
    sl_brokers_end(h->core);
    sl_core_run(h->core);
    assert_int_equal(h->core->brokers.gone, 0);
    host_turn(h);
    assert_int_equal(h->resolves, resolves);
    host_end(h);
}

/* An answer may say where one broker is now, whatever metadata has said last. */
static void one_broker_may_be_moved_alone(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    sl_metadata_endpoint(h->core, 2, SL_STR("elsewhere"), 9093, SL_STR_NULL);
    const struct sl_broker *second = sl_brokers_find(h->core, 2);
    assert_string_equal(second->host, "elsewhere");
    assert_int_equal(second->port, 9093);
    host_end(h);
}

static void lying_lists_do_no_harm(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_core *core = h->core;
    char name[300];
    memset(name, 'x', sizeof name);
    sl_brokers_begin(core);
    assert_int_equal(sl_brokers_put(core, 1, SL_STR("b1"), 9092, SL_STR("r")), 0);
    /* Twice with another place: the first stays. */
    assert_int_equal(sl_brokers_put(core, 1, SL_STR("evil"), 1, SL_STR_NULL), SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_brokers_put(core, -1, SL_STR("b"), 9092, SL_STR_NULL),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_brokers_put(core, -2, SL_STR("b"), 9092, SL_STR_NULL),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_brokers_put(core, 5, SL_STR(""), 9092, SL_STR_NULL), SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_brokers_put(core, 5, SL_STR("b\0c"), 9092, SL_STR_NULL),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_brokers_put(core, 5, (struct sl_str){name, 256}, 9092, SL_STR_NULL),
                     SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_brokers_put(core, 5, SL_STR("b"), 0, SL_STR_NULL), SLUICE_ERR_MALFORMED);
    assert_int_equal(sl_brokers_put(core, 5, SL_STR("b"), 65536, SL_STR_NULL),
                     SLUICE_ERR_MALFORMED);
    for (int32_t id = 2; id <= SL_BROKERS_MAX; id++) {
        assert_int_equal(sl_brokers_put(core, id, SL_STR("b"), 9092, SL_STR_NULL), 0);
    }
    assert_int_equal(sl_brokers_put(core, 20000, SL_STR("b"), 9092, SL_STR_NULL),
                     SLUICE_ERR_MALFORMED);
    sl_brokers_end(core);
    assert_string_equal(sl_brokers_find(core, 1)->host, "b1");
    assert_string_equal(sl_brokers_find(core, 1)->rack, "r");
    /* A rack that is no text is none; its memory goes back with its true size. */
    sl_brokers_begin(core);
    assert_int_equal(sl_brokers_put(core, 1, SL_STR("b1"), 9092, SL_STR("r\0s")), 0);
    assert_null(sl_brokers_find(core, 1)->rack);
    host_end(h);
}

static void when_nobody_known_is_left_the_seeds_are(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[0].host = "old1";
    h->nodes[1] = (struct host_node){2, "old2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 60000);
    host_turn(h);
    int resolves = h->resolves;
    /* The cluster is replaced: old addresses refuse, the seed leads to new brokers. */
    h->nodes[0] = (struct host_node){7, "new7", 9092};
    h->nodes[1] = (struct host_node){8, "new8", 9092};
    h->topics[0] = (struct host_topic){"t", 1, 0, 3, 7, 0};
    h->topic_count = 1;
    for (int i = 0; i < h->conn_count; i++) {
        if (h->conns[i].open) host_cut(h, &h->conns[i], "gone");
    }
    h->deaf = true;
    host_advance(h, 400);
    assert_true(h->core->brokers.bootstrapping);
    assert_true(host_was_told(h, "starting over from bootstrap.servers"));
    h->deaf = false;
    host_advance(h, 3000);
    assert_true(h->resolves > resolves);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->number, 3);
    assert_null(sl_brokers_find(h->core, 1));
    assert_non_null(sl_brokers_find(h->core, 7));
    assert_false(h->core->brokers.bootstrapping);
    host_end(h);
}

static void one_dead_broker_is_no_reason_to_start_over(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    assert_non_null(sl_brokers_link(sl_brokers_find(h->core, 2), SL_PURPOSE_PRODUCE));
    host_turn(h);
    host_cut(h, host_last(h), "reset");
    h->deaf = true;
    for (int i = 0; i < 20; i++) {
        (void)sl_brokers_link(sl_brokers_find(h->core, 2), SL_PURPOSE_PRODUCE);
        host_advance(h, 500);
    }
    assert_false(h->core->brokers.bootstrapping);
    assert_false(host_was_told(h, "starting over"));
    assert_true(h->frames < 40); /* metadata is asked for again, at a pace */
    host_end(h);
}

static void any_prefers_the_least_loaded(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    assert_non_null(sl_brokers_link(sl_brokers_find(h->core, 2), SL_PURPOSE_CONTROL));
    host_turn(h);
    struct sl_link *links[] = {host_link(h, 1, SL_PURPOSE_CONTROL),
                               host_link(h, 2, SL_PURPOSE_CONTROL)};
    bool seen[2] = {false, false};
    for (int i = 0; i < 50; i++) {
        struct sl_link *link = sl_brokers_any(h->core, SL_PURPOSE_CONTROL);
        seen[link == links[1]] = true;
    }
    assert_true(seen[0] && seen[1]); /* equals are chosen at random */
    links[0]->in_flight = 1;
    for (int i = 0; i < 20; i++) {
        assert_ptr_equal(sl_brokers_any(h->core, SL_PURPOSE_CONTROL), links[1]);
    }
    links[0]->in_flight = 0;
    sl_link_throttle(links[1], 1000);
    assert_ptr_equal(sl_brokers_any(h->core, SL_PURPOSE_CONTROL), links[0]);
    host_end(h);
}

static void a_late_or_stray_resolution_is_dropped(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_resolve = true;
    host_ask(h, SL_COMMAND_READY, NULL, 60000);
    host_turn(h);
    struct sl_address address = {.ip_size = 4};
    sl_core_on_resolved(h->core, 0, 0, NULL, &address, 1);
    sl_core_on_resolved(h->core, h->resolve_serial + 1, 0, NULL, &address, 1);
    host_turn(h);
    assert_int_equal(h->opens, 0);
    host_resolve(h, 1);
    host_turn(h);
    assert_int_equal(h->opens, 1);
    host_resolve(h, 1); /* again */
    sl_core_on_opened(h->core, 999);
    sl_core_on_closed(h->core, 999, SLUICE_ERR_UNREACHABLE, "who");
    sl_core_on_sent(h->core, 999, 10);
    size_t room;
    assert_null(sl_core_receive_room(h->core, 999, &room));
    host_turn(h);
    host_end(h);
}

static void a_broker_of_another_cluster_is_left(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    h->hold_versions = true;
    assert_non_null(sl_brokers_link(sl_brokers_find(h->core, 2), SL_PURPOSE_CONTROL));
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_API_VERSIONS);
    struct sl_api_versions_response answer;
    sl_codec_defaults(&sl_api_versions_response_type, &answer);
    answer.error_code = SLUICE_KAFKA_REBOOTSTRAP_REQUIRED;
    h->hold_versions = false;
    host_reply(h, &r, &answer);
    assert_true(h->core->brokers.bootstrapping);
    host_advance(h, 1000);
    assert_true(host_was_told(h, "belongs to another cluster"));
    assert_false(h->core->brokers.bootstrapping); /* the seed was asked, and answered */
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_unasked),
        cmocka_unit_test(the_seed_connection_goes_to_the_broker_behind_it),
        cmocka_unit_test(a_seed_that_is_no_broker_is_left),
        cmocka_unit_test(a_seed_that_hangs_delays_by_a_second_only),
        cmocka_unit_test(ready_says_who_could_not_be_reached),
        cmocka_unit_test(a_moved_broker_is_found_at_its_new_place),
        cmocka_unit_test(a_vanished_broker_is_freed_once_it_is_at_rest),
        cmocka_unit_test(broker_0_is_one_like_any_other),
        cmocka_unit_test(a_broker_that_vanishes_takes_its_look_up_along),
        cmocka_unit_test(one_broker_may_be_moved_alone),
        cmocka_unit_test(lying_lists_do_no_harm),
        cmocka_unit_test(when_nobody_known_is_left_the_seeds_are),
        cmocka_unit_test(one_dead_broker_is_no_reason_to_start_over),
        cmocka_unit_test(any_prefers_the_least_loaded),
        cmocka_unit_test(a_broker_of_another_cluster_is_left),
        cmocka_unit_test(a_late_or_stray_resolution_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
