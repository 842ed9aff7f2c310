/* Goal: the machine as its host sees it: closing in every state, commands of every kind in every
 * role, dumps, replay, and no allocation whose failure crashes, leaks, loses an outcome or hangs.
 * Method: clients of all roles with a scripted host (core_host.h), real staging for records; the
 * n-th allocation fails, for every n, once and for good. */
#include "core_host.h"

/* ---- records ---- */

static struct sl_staging *start_staging(struct host *h) {
    struct sl_staging *staging = NULL;
    assert_int_equal(sl_staging_create(&h->settings, sl_alloc_default(), &staging), 0);
    return staging;
}

static void stage_records(struct sl_staging *staging, const char *topic, int count) {
    for (int i = 0; i < count; i++) {
        struct sl_staging_input in = {
            .topic = topic, .value = "value", .value_size = 5, .tag = (uint64_t)i, .partition = -1};
        bool wake;
        assert_int_equal(sl_staging_put(staging, &in, &wake), 0);
    }
}

/* Hands over what is staged. */
static void take_staged(struct host *h, struct sl_staging *staging) {
    struct sl_staged staged;
    sl_staging_take(staging, 1, true, &staged);
    sl_core_on_staged(h->core, &staged);
}

/* Chunks of the staging object go back there before anything is freed. */
static void end_with_staging(struct host *h, struct sl_staging *staging) {
    sl_core_destroy(h->core);
    h->core = NULL;
    sl_events_deinit(&h->events, sl_alloc_default());
    sl_events_init(&h->events);
    sl_staging_destroy(staging);
    for (int i = 0; i < h->conn_count; i++) free(h->conns[i].sent);
    for (int i = 0; i < h->request_count; i++) free(h->requests[i].body);
    free(h);
}

static struct host *start_producer(void) {
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_PRODUCER);
    h->memory.alloc = *sl_alloc_default(); /* chunks travel between staging and core */
    h->topics[0] = (struct host_topic){"t", 1, 0, 1, 1, 0};
    h->topic_count = 1;
    assert_int_equal(host_create(h), 0);
    return h;
}

static void answer_identity(struct host *h) {
    struct host_request r = host_next_request(h, SL_API_INIT_PRODUCER_ID);
    struct sl_init_producer_id_response answer;
    sl_codec_defaults(&sl_init_producer_id_response_type, &answer);
    answer.producer_id = 1000;
    answer.producer_epoch = 0;
    host_reply(h, &r, &answer);
    host_turn(h);
}

static void answer_produce(struct host *h) {
    struct host_request r = host_next_request(h, SL_API_PRODUCE);
    struct sl_produce_partition_response partition;
    memset(&partition, 0, sizeof partition);
    partition.log_append_ms = -1;
    partition.error_message = SL_STR_NULL;
    partition.current_leader.leader_id = partition.current_leader.leader_epoch = -1;
    struct sl_produce_topic_response topic = {.name = SL_STR("t"), .partitions = {&partition, 1}};
    memset(topic.topic_id.bytes, 1, sizeof topic.topic_id.bytes);
    struct sl_produce_response answer;
    sl_codec_defaults(&sl_produce_response_type, &answer);
    answer.topics = (struct sl_array){&topic, 1};
    host_reply(h, &r, &answer);
    host_turn(h);
}

/* ---- closing ---- */

enum close_stage {
    CLOSE_FRESH,
    CLOSE_RESOLVING,
    CLOSE_OPENING,
    CLOSE_NEGOTIATING,
    CLOSE_BACKING_OFF,
    CLOSE_METADATA,
    CLOSE_READY,
    CLOSE_BUSY,
    CLOSE_MUTED,
    CLOSE_DRAINING,
    CLOSE_STAGES
};

/* Brings an admin client there, with a READY and a CREATE_TOPIC op that wait, where it can. */
static struct host *start_at_stage(enum close_stage stage, struct sl_op **op) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_resolve = stage == CLOSE_RESOLVING;
    h->hold_open = stage == CLOSE_OPENING;
    h->hold_versions = stage == CLOSE_NEGOTIATING;
    h->deaf = stage == CLOSE_BACKING_OFF;
    h->hold_metadata = stage == CLOSE_METADATA;
    *op = NULL;
    if (stage == CLOSE_FRESH) return h;
    if (stage >= CLOSE_READY) host_make_ready(h);
    if (stage == CLOSE_READY) return h;
    *op = host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", -1);
    if (stage == CLOSE_MUTED) sl_link_throttle(host_link(h, 1, SL_PURPOSE_CONTROL), 5000);
    host_turn(h);
    if (stage == CLOSE_DRAINING) sl_link_drain(host_link(h, 1, SL_PURPOSE_CONTROL));
    return h;
}

static void check_closed(struct host *h) {
    assert_true(sl_core_is_closed(h->core));
    assert_int_equal(sl_core_deadline(h->core), SL_NEVER);
    for (int i = 0; i < h->conn_count; i++) assert_false(h->conns[i].open);
    int opens = h->opens, resolves = h->resolves;
    host_advance(h, 100000);
    assert_int_equal(h->opens, opens);
    assert_int_equal(h->resolves, resolves);
}

static void closing_works_in_every_state(void **state) {
    (void)state;
    for (int stage = 0; stage < CLOSE_STAGES; stage++) {
        for (int without_memory = 0; without_memory < 2; without_memory++) {
            struct sl_op *op;
            struct host *h = start_at_stage((enum close_stage)stage, &op);
            struct sl_op *close = host_op(h, 0); /* even with no time at all */
            struct sl_command *command = host_command_make(h, SL_COMMAND_CLOSE, close, NULL);
            if (without_memory) test_memory_fail_from(&h->memory, h->memory.calls + 1);
            sl_core_on_command(h->core, command);
            host_turn(h);
            assert_int_equal(close->state, SL_OP_ENDED);
            if (!without_memory) assert_int_equal(close->code, 0);
            if (op != NULL) {
                assert_int_equal(op->state, SL_OP_ENDED);
                assert_int_equal(op->code, SLUICE_ERR_CLOSED);
            }
            check_closed(h);
            test_memory_fail_at(&h->memory, 0);
            /* What comes late. */
            struct sl_op *late = host_ask(h, SL_COMMAND_READY, NULL, 1000);
            assert_int_equal(late->code, SLUICE_ERR_CLOSED);
            struct sl_op *again = host_ask(h, SL_COMMAND_CLOSE, NULL, 1000);
            assert_int_equal(again->state, SL_OP_ENDED);
            assert_int_equal(again->code, 0);
            if (h->hold_resolve) host_resolve(h, 1);
            check_closed(h);
            host_end(h);
        }
    }
}

static void destroying_works_in_every_state(void **state) {
    (void)state;
    for (int stage = 0; stage < CLOSE_STAGES; stage++) {
        struct sl_op *op;
        struct host *h = start_at_stage((enum close_stage)stage, &op);
        host_end(h); /* checks for leaks */
    }
}

static void a_producer_delivers_before_it_closes(void **state) {
    (void)state;
    struct host *h = start_producer();
    h->settings.linger_ms = 60000; /* which closing ends */
    struct sl_staging *staging = start_staging(h);
    stage_records(staging, "t", 100);
    take_staged(h, staging);
    host_turn(h);
    struct sl_op *close = host_ask(h, SL_COMMAND_CLOSE, NULL, 30000);
    host_turn(h);
    answer_identity(h);
    assert_int_equal(close->state, SL_OP_PENDING);
    assert_false(sl_core_is_closed(h->core));
    assert_int_equal(host_count_requests(h, SL_API_PRODUCE), 1);
    answer_produce(h);
    assert_int_equal(close->state, SL_OP_ENDED);
    assert_int_equal(close->code, 0);
    assert_int_equal(h->events.written, 100);
    check_closed(h);
    /* Records that were on their way get an outcome too. */
    stage_records(staging, "t", 7);
    take_staged(h, staging);
    host_turn(h);
    assert_int_equal(h->events.not_written, 7);
    end_with_staging(h, staging);
}

static void a_producer_closes_by_its_deadline(void **state) {
    (void)state;
    /* How far the records get: nowhere, to an identity, into a request. */
    for (int far = 0; far < 3; far++) {
        struct host *h = start_producer();
        struct sl_staging *staging = start_staging(h);
        h->deaf = far == 0;
        stage_records(staging, "t", 10);
        take_staged(h, staging);
        host_advance(h, 20);
        if (far == 2) {
            answer_identity(h);
            host_advance(h, 20);
            assert_int_equal(host_count_requests(h, SL_API_PRODUCE), 1);
        }
        struct sl_op *close = host_ask(h, SL_COMMAND_CLOSE, NULL, 500);
        struct sl_op *second = host_ask(h, SL_COMMAND_CLOSE, NULL, 5000);
        host_advance(h, 499);
        assert_int_equal(close->state, SL_OP_PENDING);
        host_advance(h, 1);
        assert_int_equal(close->code, SLUICE_ERR_TIMEOUT);
        assert_int_equal(second->code, SLUICE_ERR_TIMEOUT);
        assert_int_equal(h->events.written, 0);
        assert_int_equal(h->events.maybe_written, far == 2 ? 10 : 0);
        assert_int_equal(h->events.not_written, far == 2 ? 0 : 10);
        check_closed(h);
        end_with_staging(h, staging);
    }
}

/* ---- commands ---- */

static void commands_of_other_roles_are_refused(void **state) {
    (void)state;
    static const struct {
        enum sl_role role;
        enum sl_command_kind kind;
    } cases[] = {
        {SL_ROLE_ADMIN, SL_COMMAND_FLUSH},    {SL_ROLE_ADMIN, SL_COMMAND_SEEK},
        {SL_ROLE_ADMIN, SL_COMMAND_ASSIGN},   {SL_ROLE_CONSUMER, SL_COMMAND_FLUSH},
        {SL_ROLE_PRODUCER, SL_COMMAND_PAUSE}, {SL_ROLE_PRODUCER, SL_COMMAND_SEEK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct host *h = host_start(cases[i].role);
        struct sl_op *op = host_ask(h, cases[i].kind, "t", 1000);
        assert_int_equal(op->state, SL_OP_ENDED);
        assert_int_equal(op->code, SLUICE_ERR_USAGE);
        host_turn(h);
        host_end(h);
    }
}

static void every_role_connects_and_closes(void **state) {
    (void)state;
    const enum sl_role roles[] = {SL_ROLE_PRODUCER, SL_ROLE_CONSUMER, SL_ROLE_ADMIN};
    for (int i = 0; i < 3; i++) {
        struct host *h = host_start(roles[i]);
        host_make_ready(h);
        int turns = h->turns;
        host_advance(h, 240000);
        assert_true(h->turns - turns < 8); /* asleep */
        struct sl_op *close = host_ask(h, SL_COMMAND_CLOSE, NULL, 1000);
        host_turn(h);
        assert_int_equal(close->code, 0);
        check_closed(h);
        host_end(h);
    }
}

static void buffers_come_back_to_the_pool(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_CONSUMER);
    struct sl_list returned;
    sl_list_init(&returned);
    struct sl_buffer *buffer = sl_buffers_take(&h->core->buffers, 100000);
    assert_non_null(buffer);
    sl_list_push_back(&returned, &buffer->node);
    size_t cap = buffer->cap;
    sl_core_on_returned(h->core, &returned, 0);
    assert_true(sl_list_is_empty(&returned));
    assert_int_equal(h->core->buffers.pooled, cap);
    host_turn(h);
    host_end(h);
}

static void a_dump_tells_and_fits(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->topics[0] = (struct host_topic){"t", 1, 0, 2, 1, 4};
    h->topic_count = 1;
    host_make_ready(h);
    host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    host_turn(h);
    host_ask(h, SL_COMMAND_CREATE_TOPIC, "u", 1000);
    host_turn(h);
    char buf[4096];
    for (size_t cap = 0; cap <= sizeof buf; cap += cap < 3 ? 1 : 4093) {
        struct sl_op *op = host_op(h, 1000);
        struct sl_command *command = host_command_make(h, SL_COMMAND_DUMP, op, NULL);
        command->buf = buf;
        command->cap = cap;
        buf[cap < sizeof buf ? cap : sizeof buf - 1] = 'x';
        sl_core_on_command(h->core, command);
        assert_int_equal(op->code, 0);
        assert_in_range(op->number, 300, sizeof buf - 1);
        if (cap < sizeof buf) assert_int_equal(buf[cap], 'x');
    }
    const char *const parts[] = {
        "client open",
        "role=admin",
        "broker 1 b1:9092",
        "link control ready",
        "topic t id=AQEBAQEBAQEBAQEBAQEBAQ partitions=2",
        "partition 1 leader=1 epoch=4",
        "op ",
        "api Metadata requests=",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(buf, parts[i]) == NULL) fail_msg("no \"%s\" in\n%s", parts[i], buf);
    }
    host_end(h);
}

static void notices_are_bounded(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    for (int i = 0; i < 10000; i++) sl_core_log(h->core, SL_LOG_INFO, "line %d", i);
    assert_true(h->memory.live_bytes < 200000);
    host_turn(h);
    assert_true(host_was_told(h, "line 0"));
    sl_core_log(h->core, SL_LOG_INFO, "after");
    host_turn(h);
    assert_true(host_was_told(h, "after"));
    host_end(h);
}

/* ---- back-off ---- */

/* KIP-580: first * 2^failures * U(0.8, 1.2), never more than most; and never less than 10 ms. */
static void back_off_is_exponential_with_jitter(void **state) {
    enum { DRAWS = 20000, FIRST = 100, MOST = 1000 };
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    for (uint32_t failures = 0; failures < 10; failures++) {
        int64_t term = (int64_t)FIRST << failures;
        if (term > MOST) term = MOST;
        int64_t low = term * 8 / 10 * SL_MS;
        int64_t high = term * 12 / 10 * SL_MS;
        if (high > MOST * SL_MS) high = MOST * SL_MS;
        int64_t least = SL_NEVER;
        int64_t most = 0;
        int fifths[5] = {0}; /* of the span of the jitter, before the cap */
        for (int i = 0; i < DRAWS; i++) {
            int64_t wait = sl_core_backoff(h->core, FIRST, MOST, failures);
            assert_true(wait >= low && wait <= high);
            if (wait < least) least = wait;
            if (wait > most) most = wait;
            int64_t fifth = (wait - low) * 5 / (term * 4 / 10 * SL_MS + 1);
            fifths[fifth]++;
        }
        assert_true(least < low + term * SL_MS / 100 && most > high - term * SL_MS / 100);
        for (int i = 0; i < 5 && term * 12 / 10 <= MOST; i++)
            assert_in_range(fifths[i], DRAWS / 5 - 300, DRAWS / 5 + 300);
    }
    for (int i = 0; i < 1000; i++) {
        assert_true(sl_core_backoff(h->core, 0, 0, 0) >= 10 * SL_MS);
        assert_true(sl_core_backoff(h->core, 10, 1000, 0) >= 10 * SL_MS);
        assert_true(sl_core_backoff(h->core, 1, INT32_MAX, UINT32_MAX) <= INT32_MAX * SL_MS);
    }
    host_end(h);
}

/* ---- replay ---- */

static uint64_t run_story(uint64_t seed) {
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_ADMIN);
    h->seeds[1] = (struct sl_endpoint){(char *)(uintptr_t) "b2", 9092};
    h->settings.bootstrap_count = 2;
    h->deaf = true;
    assert_int_equal(sl_core_create(&h->settings, &h->memory.alloc, seed, &h->core), 0);
    host_ask(h, SL_COMMAND_PARTITIONS, "t", 20000);
    host_advance(h, 5000);
    h->deaf = false;
    host_advance(h, 30000);
    uint64_t hash = sl_core_trace_hash(h->core);
    host_end(h);
    return hash;
}

static void the_same_seed_gives_the_same_trace(void **state) {
    (void)state;
    assert_int_equal(run_story(1), run_story(1));
    assert_int_not_equal(run_story(1), run_story(2));
}

/* ---- failing allocations ---- */

/* Everything that a client of the role can be asked for, in the presence of a broker that answers;
 * then the closing. Whatever fails, every op has to end. Returns whether anything failed. */
static bool run_with_failure(enum sl_role role, long n, bool for_good) {
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, role);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    h->topics[0] = (struct host_topic){"t", 1, 0, 3, 2, 0};
    h->topic_count = 1;
    struct sl_op *ops[5];
    static const enum sl_command_kind kinds[] = {SL_COMMAND_READY, SL_COMMAND_PARTITIONS,
                                                 SL_COMMAND_CREATE_TOPIC, SL_COMMAND_DELETE_TOPIC};
    if (for_good) {
        test_memory_fail_from(&h->memory, n);
    } else {
        test_memory_fail_at(&h->memory, n);
    }
    if (host_create(h) != 0) {
        assert_true(test_memory_has_failed(&h->memory));
        h->core = NULL;
        host_end(h);
        return true;
    }
    for (int i = 0; i < 4; i++) {
        /* What the application allocates is not what is tested here. */
        struct test_memory before = h->memory;
        h->memory.fail_at = 0;
        ops[i] = host_op(h, 20000);
        struct sl_command *command = host_command_make(h, kinds[i], ops[i], "t");
        h->memory.fail_at = before.fail_at;
        h->memory.calls = before.calls;
        sl_core_on_command(h->core, command);
        host_turn(h);
    }
    host_advance(h, 100);
    h->topics[0].leader_epoch = 1;
    h->topics[0].id = 2; /* created anew */
    sl_metadata_refresh(h->core, NULL);
    host_advance(h, 100);
    for (int i = 0; i < HOST_CONNS && i < h->conn_count; i++) {
        if (h->conns[i].open) host_cut(h, &h->conns[i], "reset");
    }
    host_advance(h, 25000);
    for (int i = 0; i < 4; i++) assert_int_equal(ops[i]->state, SL_OP_ENDED);
    bool failed = test_memory_has_failed(&h->memory);
    h->memory.fail_at = 0;
    struct sl_op *close = host_op(h, 1000);
    struct sl_command *command = host_command_make(h, SL_COMMAND_CLOSE, close, NULL);
    if (for_good) test_memory_fail_from(&h->memory, h->memory.calls + 1);
    sl_core_on_command(h->core, command);
    host_turn(h);
    assert_int_equal(close->state, SL_OP_ENDED);
    assert_true(sl_core_is_closed(h->core));
    host_end(h);
    return failed;
}

static void no_failing_allocation_does_harm(void **state) {
    (void)state;
    const enum sl_role roles[] = {SL_ROLE_ADMIN, SL_ROLE_PRODUCER, SL_ROLE_CONSUMER};
    for (int i = 0; i < 3; i++) {
        long n = 1;
        while (run_with_failure(roles[i], n, false)) n++;
        assert_true(n > 50);
        for (long k = 1; k <= n; k += k < 60 ? 1 : 7) (void)run_with_failure(roles[i], k, true);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_works_in_every_state),
        cmocka_unit_test(destroying_works_in_every_state),
        cmocka_unit_test(a_producer_delivers_before_it_closes),
        cmocka_unit_test(a_producer_closes_by_its_deadline),
        cmocka_unit_test(commands_of_other_roles_are_refused),
        cmocka_unit_test(every_role_connects_and_closes),
        cmocka_unit_test(buffers_come_back_to_the_pool),
        cmocka_unit_test(a_dump_tells_and_fits),
        cmocka_unit_test(notices_are_bounded),
        cmocka_unit_test(back_off_is_exponential_with_jitter),
        cmocka_unit_test(the_same_seed_gives_the_same_trace),
        cmocka_unit_test(no_failing_allocation_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
