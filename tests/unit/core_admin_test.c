/* Goal: topics are created and deleted through whatever broker can do it, passing troubles are
 * retried within the op's deadline, and the op says what is certain and what is not.
 * Method: an admin client with a scripted host; answers by hand. */
#include "core_host.h"

static struct host_request answer_create(struct host *h, int16_t code, const char *message,
                                         int32_t throttle_ms) {
    struct host_request r = host_next_request(h, SL_API_CREATE_TOPICS);
    struct sl_create_topics_topic_response topics[2];
    memset(topics, 0, sizeof topics);
    topics[0].name = SL_STR("other");
    topics[0].error_code = 1;
    topics[0].error_message = SL_STR_NULL;
    topics[1].name = SL_STR("a");
    topics[1].error_code = code;
    topics[1].error_message = sl_bytes_str(message);
    struct sl_create_topics_response answer;
    sl_codec_defaults(&sl_create_topics_response_type, &answer);
    answer.throttle_ms = throttle_ms;
    answer.topics = (struct sl_array){topics, 2};
    host_reply(h, &r, &answer);
    host_turn(h);
    return r;
}

static void answer_delete(struct host *h, int16_t code) {
    struct host_request r = host_next_request(h, SL_API_DELETE_TOPICS);
    struct sl_delete_topics_topic_response topic;
    memset(&topic, 0, sizeof topic);
    topic.name = SL_STR("a");
    topic.error_code = code;
    topic.error_message = SL_STR_NULL;
    struct sl_delete_topics_response answer;
    sl_codec_defaults(&sl_delete_topics_response_type, &answer);
    answer.topics = (struct sl_array){&topic, 1};
    host_reply(h, &r, &answer);
    host_turn(h);
}

static void everything_asked_for_is_in_the_request(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    const struct sl_alloc *alloc = &h->memory.alloc;
    struct sl_op *op = host_op(h, 5000);
    struct sl_command *command = host_command_make(h, SL_COMMAND_CREATE_TOPIC, op, "a");
    command->partitions = 12;
    command->replicas = 3;
    command->settings = sl_alloc_array(alloc, 2, sizeof(char *));
    command->settings[0] = sl_alloc_text(alloc, "cleanup.policy", 14);
    command->settings[1] = sl_alloc_text(alloc, "compact", 7);
    command->setting_count = 2;
    sl_core_on_command(h->core, command);
    host_turn(h);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    assert_int_equal(host_count_requests(h, SL_API_CREATE_TOPICS), 1);
    const struct sl_create_topics_request *request =
        host_decode(&h->requests[h->request_count - 1], &arena);
    const struct sl_create_topics_topic *topic = request->topics.items;
    const struct sl_create_topics_config *config = topic->configs.items;
    assert_int_equal(request->topics.count, 1);
    assert_in_range(request->timeout_ms, 4000, 5000);
    assert_false(request->validate_only);
    assert_true(sl_bytes_str_equal(topic->name, SL_STR("a")));
    assert_int_equal(topic->partition_count, 12);
    assert_int_equal(topic->replication_factor, 3);
    assert_int_equal(topic->configs.count, 1);
    assert_true(sl_bytes_str_equal(config->name, SL_STR("cleanup.policy")));
    assert_true(sl_bytes_str_equal(config->value, SL_STR("compact")));
    sl_arena_deinit(&arena);
    answer_create(h, 0, NULL, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
    host_end(h);
}

static void an_error_comes_with_the_brokers_words(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 5000);
    host_turn(h);
    answer_create(h, SLUICE_KAFKA_INVALID_REPLICATION_FACTOR, "only 1 broker is registered", 0);
    assert_int_equal(op->code, SLUICE_KAFKA_INVALID_REPLICATION_FACTOR);
    assert_string_equal(op->text, "topic \"a\": only 1 broker is registered");
    op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 5000);
    host_turn(h);
    answer_create(h, SLUICE_KAFKA_TOPIC_ALREADY_EXISTS, NULL, 0);
    assert_int_equal(op->code, SLUICE_KAFKA_TOPIC_ALREADY_EXISTS);
    assert_non_null(strstr(op->text, "topic \"a\": "));
    assert_null(strstr(op->text, "may have done it"));
    host_end(h);
}

static void the_controller_is_asked_once_it_is_known(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    host_make_ready(h);
    assert_int_equal(h->core->metadata.controller, 1);
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 30000);
    host_turn(h);
    /* The controller has moved. */
    h->nodes[0] = (struct host_node){2, "b2", 9092};
    h->nodes[1] = (struct host_node){1, "b1", 9092};
    answer_create(h, SLUICE_KAFKA_NOT_CONTROLLER, NULL, 0);
    assert_int_equal(op->state, SL_OP_PENDING);
    /* Asked before the refresh has told, the old one refuses again. */
    int refusals = 1;
    for (int i = 0; i < 20 && op->state == SL_OP_PENDING; i++) {
        host_advance(h, 150);
        if (host_count_requests(h, SL_API_CREATE_TOPICS) == 0) continue;
        const struct host_request *last = &h->requests[h->request_count - 1];
        bool is_controller = strcmp(last->conn->host, "b2") == 0;
        if (!is_controller) refusals++;
        answer_create(h, is_controller ? 0 : SLUICE_KAFKA_NOT_CONTROLLER, NULL, 0);
    }
    assert_int_equal(op->code, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_true(refusals <= 3);
    host_end(h);
}

static void a_quota_is_waited_for(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 30000);
    host_turn(h);
    answer_create(h, SLUICE_KAFKA_THROTTLING_QUOTA_EXCEEDED, NULL, 3000);
    host_advance(h, 2900);
    assert_int_equal(host_count_requests(h, SL_API_CREATE_TOPICS), 0);
    host_advance(h, 200);
    answer_create(h, 0, NULL, 0);
    assert_int_equal(op->code, 0);
    host_end(h);
}

static void what_an_unanswered_attempt_did_is_not_guessed(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 30000);
    host_turn(h);
    host_cut(h, host_next_request(h, SL_API_CREATE_TOPICS).conn, "reset");
    host_advance(h, 2000);
    answer_create(h, SLUICE_KAFKA_TOPIC_ALREADY_EXISTS, "Topic 'a' already exists.", 0);
    assert_int_equal(op->code, SLUICE_KAFKA_TOPIC_ALREADY_EXISTS);
    assert_string_equal(op->text,
                        "topic \"a\": Topic 'a' already exists.; an attempt before got no "
                        "answer and may have done it");
    op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 3000);
    host_advance(h, 3000);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    assert_non_null(strstr(op->text, "not answered: it may have been done"));
    host_end(h);
}

static void deleting_an_unknown_topic_is_final(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_op *op = host_ask(h, SL_COMMAND_DELETE_TOPIC, "a", 30000);
    host_turn(h);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_delete_topics_request *request =
        host_decode(&h->requests[h->request_count - 1], &arena);
    const struct sl_delete_topics_topic *topic = request->topics.items;
    assert_int_equal(request->topics.count, 1);
    assert_true(sl_bytes_str_equal(topic->name, SL_STR("a")));
    assert_true(sl_bytes_uuid_is_zero(&topic->topic_id));
    sl_arena_deinit(&arena);
    answer_delete(h, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(op->code, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    op = host_ask(h, SL_COMMAND_DELETE_TOPIC, "a", 30000);
    host_turn(h);
    answer_delete(h, 0);
    assert_int_equal(op->code, 0);
    /* In the shape of older versions too. */
    host_advance(h, 1000);
    host_link(h, 1, SL_PURPOSE_CONTROL)->versions[SL_API_DELETE_TOPICS].max = 4;
    op = host_ask(h, SL_COMMAND_DELETE_TOPIC, "a", 30000);
    host_turn(h);
    sl_arena_init(&arena, sl_alloc_default(), 0);
    request = host_decode(&h->requests[h->request_count - 1], &arena);
    assert_int_equal(request->topic_names.count, 1);
    sl_arena_deinit(&arena);
    answer_delete(h, 0);
    assert_int_equal(op->code, 0);
    host_end(h);
}

static void the_brokers_defaults_need_a_version_that_has_them(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    host_link(h, 1, SL_PURPOSE_CONTROL)->versions[SL_API_CREATE_TOPICS].max = 3;
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 30000);
    host_turn(h);
    assert_int_equal(op->code, SLUICE_ERR_UNSUPPORTED);
    host_end(h);
}

static void nobody_reachable_is_said_so(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->deaf = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 3000);
    host_advance(h, 3000);
    assert_int_equal(op->code, SLUICE_ERR_UNREACHABLE);
    assert_non_null(strstr(op->text, "not asked: no broker reachable: b1:9092 connection refused"));
    host_end(h);
}

static void a_lying_answer_does_not_spin(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 5000);
    int answered = 0;
    while (op->state == SL_OP_PENDING) {
        host_turn(h);
        if (host_count_requests(h, SL_API_CREATE_TOPICS) > 0) {
            struct host_request r = host_next_request(h, SL_API_CREATE_TOPICS);
            struct sl_create_topics_response answer; /* speaks of no topic */
            sl_codec_defaults(&sl_create_topics_response_type, &answer);
            host_reply(h, &r, &answer);
            answered++;
            host_turn(h);
        }
        if (sl_core_deadline(h->core) != SL_NEVER) h->now = sl_core_deadline(h->core);
    }
    assert_in_range(answered, 5, 15);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    assert_non_null(strstr(op->text, "not done: "));
    host_end(h);
}

/* Creates a topic while the n-th allocation from now on fails; the broker does the work at once.
 * Returns whether one failed. */
static bool create_short_of_memory(long n) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    enum { OF_THE_CALLER = 3 }; /* the op, the command, the name */
    test_memory_fail_at(&h->memory, h->memory.calls + OF_THE_CALLER + n);
    struct sl_op *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 5000);
    int asked = 0;
    for (int i = 0; i < 20 && op->state == SL_OP_PENDING; i++) {
        host_advance(h, 150);
        if (host_count_requests(h, SL_API_CREATE_TOPICS) == 0) continue;
        answer_create(h, asked == 0 ? 0 : SLUICE_KAFKA_TOPIC_ALREADY_EXISTS, NULL, 0);
        asked++;
    }
    bool has_failed = h->memory.failures > 0;
    assert_int_equal(op->state, SL_OP_ENDED);
    /* "Nothing was changed" may be said of what nobody was asked for. */
    if (op->code == SLUICE_ERR_NOMEM) assert_int_equal(asked, 0);
    bool is_doubted = strstr(op->text, "may have done it") != NULL;
    assert_int_equal(op->code == SLUICE_KAFKA_TOPIC_ALREADY_EXISTS, is_doubted);
    assert_true(op->code == 0 || has_failed);
    host_end(h);
    return has_failed;
}

static void without_memory_nothing_is_said_that_is_not_so(void **state) {
    (void)state;
    long n = 1;
    while (create_short_of_memory(n)) n++;
    assert_true(n > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_asked_for_is_in_the_request),
        cmocka_unit_test(an_error_comes_with_the_brokers_words),
        cmocka_unit_test(the_controller_is_asked_once_it_is_known),
        cmocka_unit_test(a_quota_is_waited_for),
        cmocka_unit_test(what_an_unanswered_attempt_did_is_not_guessed),
        cmocka_unit_test(deleting_an_unknown_topic_is_final),
        cmocka_unit_test(the_brokers_defaults_need_a_version_that_has_them),
        cmocka_unit_test(nobody_reachable_is_said_so),
        cmocka_unit_test(a_lying_answer_does_not_spin),
        cmocka_unit_test(without_memory_nothing_is_said_that_is_not_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
