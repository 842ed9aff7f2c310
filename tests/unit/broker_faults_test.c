/* Scripted faults of the bundled broker: each kind, which requests they hit, how often, and what is
 * spared. */
#include "broker_client.h"

static const struct sl_api_versions_request *hello(void) {
    static struct sl_api_versions_request request;
    sl_codec_defaults(&sl_api_versions_request_type, &request);
    request.client_software_name = SL_STR("test");
    request.client_software_version = SL_STR("1.0");
    return &request;
}

static int hello_code(struct client *c, struct client_link *l) {
    const struct sl_api_versions_response *m = client_ask(c, l, SL_API_API_VERSIONS, 3, hello());
    return m->error_code;
}

static struct client_batch batch;

static void build_record(void) {
    client_batch_init(&batch, 1);
    client_build(&batch);
}

static int produce_code(struct client *c, struct client_link *l, int32_t partition) {
    build_record();
    return client_produce(c, l, 9, "t", partition, &batch)->error_code;
}
/* Puts a request with one record into the connection, and does not wait for its answer. */
static void put_record(struct client *c, struct client_link *l, int16_t acks) {
    build_record();
    client_put_produce(c, l, 9, acks, "t", 0, &batch);
}
/* A session of the first two partitions of "t"; the next request in it is its first. */
static struct client_fetch start_session(struct client *c, struct client_link *l, int16_t version) {
    struct client_fetch fetch = client_fetch_one(version, "t", 0, 0);
    fetch.session_epoch = 0;
    fetch.count = 2;
    fetch.parts[1] = (struct client_part){.topic = "t", .partition = 1};
    fetch.session_id = client_fetch(c, l, &fetch)->session_id;
    fetch.session_epoch = 1;
    return fetch;
}

static int metadata_code(struct client *c, struct client_link *l, const char *topic) {
    return client_described(client_metadata(c, l, 12, topic, false), 0)->error_code;
}

/* ---- errors ---- */

static void test_error_is_not_executed(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_PRODUCE);
    f.code = SLUICE_KAFKA_NOT_ENOUGH_REPLICAS;
    client_fault(c, &f);
    assert_int_equal(produce_code(c, l, 0), SLUICE_KAFKA_NOT_ENOUGH_REPLICAS);
    assert_int_equal(client_log(c, "t", 0).log_end, 0);
    assert_int_equal(produce_code(c, l, 0), 0);
    client_end(c);
}

/* Possibly persisted: the error comes, and the record is there. */
static void test_error_is_executed(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_PRODUCE);
    f.code = SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
    f.executed = true;
    client_fault(c, &f);
    assert_int_equal(produce_code(c, l, 0), SLUICE_KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    assert_int_equal(client_log(c, "t", 0).log_end, 1);
    client_end(c);
}

/* Every API has a place for an error. */
static void test_every_api_can_err(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, -1);
    f.code = SLUICE_KAFKA_UNKNOWN_SERVER_ERROR;
    f.times = -1;
    client_fault(c, &f);
    assert_int_equal(hello_code(c, l), f.code);
    assert_int_equal(produce_code(c, l, 0), f.code);
    assert_int_equal(metadata_code(c, l, "t"), f.code);
    struct client_fetch fetch = client_fetch_one(13, "t", 0, 10000);
    assert_int_equal(client_fetched(client_fetch(c, l, &fetch), 0)->error_code, f.code);
    struct sl_init_producer_id_request init;
    sl_codec_defaults(&sl_init_producer_id_request_type, &init);
    const struct sl_init_producer_id_response *inited =
        client_ask(c, l, SL_API_INIT_PRODUCER_ID, 4, &init);
    assert_int_equal(inited->error_code, f.code);
    assert_int_equal(inited->producer_id, -1);
    struct sl_find_coordinator_request find;
    sl_codec_defaults(&sl_find_coordinator_request_type, &find);
    find.key = SL_STR("g");
    const struct sl_find_coordinator_response *found =
        client_ask(c, l, SL_API_FIND_COORDINATOR, 3, &find);
    assert_int_equal(found->error_code, f.code);
    assert_int_equal(found->node_id, -1);
    client_end(c);
}

/* Errors that only the answer as a whole can have. */
static void test_errors_of_the_whole_answer(void **state) {
    (void)state;
    static const int codes[] = {SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND,
                                SLUICE_KAFKA_INVALID_FETCH_SESSION_EPOCH,
                                SLUICE_KAFKA_FETCH_SESSION_TOPIC_ID_ERROR};
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    for (int i = 0; i < 3; i++) {
        struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_FETCH);
        f.code = codes[i];
        client_fault(c, &f);
        struct client_fetch fetch = client_fetch_one(13, "t", 0, 10000);
        const struct sl_fetch_response *m = client_fetch(c, l, &fetch);
        assert_int_equal(m->error_code, codes[i]);
        assert_int_equal(m->topics.count, 0);
    }
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_METADATA);
    f.code = SLUICE_KAFKA_REBOOTSTRAP_REQUIRED;
    client_fault(c, &f);
    assert_int_equal(client_metadata(c, l, 13, "t", false)->error_code, f.code);
    client_end(c);
}

/* ---- which requests ---- */

static void test_skip_times_and_heal(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_API_VERSIONS);
    f.code = 7;
    f.skip = 2;
    f.times = 2;
    client_fault(c, &f);
    static const int codes[] = {0, 0, 7, 7, 0};
    for (int i = 0; i < 5; i++) assert_int_equal(hello_code(c, l), codes[i]);
    f.skip = 0;
    f.times = -1;
    int32_t id = client_fault(c, &f);
    for (int i = 0; i < 5; i++) assert_int_equal(hello_code(c, l), 7);
    sl_broker_heal(c->broker, id + 1);
    assert_int_equal(hello_code(c, l), 7);
    sl_broker_heal(c->broker, id);
    assert_int_equal(hello_code(c, l), 0);
    client_fault(c, &f);
    client_fault(c, &f);
    sl_broker_heal(c->broker, 0);
    assert_int_equal(hello_code(c, l), 0);
    f.times = 0;
    client_fault(c, &f);
    assert_int_equal(hello_code(c, l), 0);
    client_end(c);
}

/* A request meets one fault: the first that has nothing to skip. */
static void test_one_fault_a_request(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_API_VERSIONS);
    f.code = 1;
    f.skip = 1;
    client_fault(c, &f);
    f.code = 2;
    f.skip = 0;
    client_fault(c, &f);
    f.code = 3;
    client_fault(c, &f);
    static const int codes[] = {2, 1, 3, 0};
    for (int i = 0; i < 4; i++) assert_int_equal(hello_code(c, l), codes[i]);
    client_end(c);
}

static void test_by_api_and_node(void **state) {
    (void)state;
    struct client *c = client_start(2, 2);
    struct client_link *one = client_connect(c, 1);
    struct client_link *two = client_connect(c, 2);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_PRODUCE);
    f.code = 7;
    f.node = 2;
    f.times = -1;
    client_fault(c, &f);
    assert_int_equal(hello_code(c, two), 0);
    assert_int_equal(produce_code(c, one, 0), 0);
    assert_int_equal(produce_code(c, two, 1), 7);
    client_end(c);
}

static void test_by_topic_and_partition(void **state) {
    (void)state;
    struct client *c = client_start(1, 3);
    struct client_link *l = client_connect(c, 1);
    assert_int_equal(sl_broker_create_topic(c->broker, "u", 2, 1), 0);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, -1);
    f.code = 7;
    f.times = -1;
    snprintf(f.topic, sizeof f.topic, "t");
    f.partition = 1;
    int32_t id = client_fault(c, &f);
    assert_int_equal(produce_code(c, l, 0), 0);
    assert_int_equal(produce_code(c, l, 1), 7);
    assert_int_equal(hello_code(c, l), 0);         /* has no topics */
    assert_int_equal(metadata_code(c, l, "t"), 0); /* names no partitions */
    /* In one request, only the partition it is about: by name and by id. */
    for (int16_t version = 12; version <= 13; version++) {
        struct client_fetch fetch = client_fetch_one(version, "t", 0, 10000);
        fetch.count = 3;
        fetch.parts[1] = (struct client_part){.topic = "t", .partition = 1};
        fetch.parts[2] = (struct client_part){.topic = "u", .partition = 1};
        const struct sl_fetch_response *m = client_fetch(c, l, &fetch);
        assert_int_equal(client_fetched(m, 0)->error_code, 0);
        assert_int_equal(client_fetched(m, 1)->error_code, 7);
        assert_int_equal(client_fetched(m, 2)->error_code, 0);
    }
    sl_broker_heal(c->broker, id);
    f.partition = -1;
    client_fault(c, &f);
    assert_int_equal(metadata_code(c, l, "t"), 7);
    assert_int_equal(metadata_code(c, l, "u"), 0);
    client_end(c);
}

/* Metadata of all topics is about every one; a narrow hit is not spent on others. */
static void test_narrow_hits_are_not_spent_elsewhere(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct sl_metadata_request request;
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, -1);
    f.code = 7;
    snprintf(f.topic, sizeof f.topic, "t");
    client_fault(c, &f);
    assert_int_equal(hello_code(c, l), 0);
    assert_int_equal(metadata_code(c, l, "other"), SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    sl_codec_defaults(&sl_metadata_request_type, &request);
    request.topics = (struct sl_array){NULL, -1};
    const struct sl_metadata_response *m = client_ask(c, l, SL_API_METADATA, 12, &request);
    assert_int_equal(client_described(m, 0)->error_code, 7);
    assert_int_equal(metadata_code(c, l, "t"), 0);
    client_end(c);
}

/* An incremental Fetch means what its session remembers. */
static void test_narrow_to_what_a_session_remembers(void **state) {
    (void)state;
    static const int16_t versions[] = {7, 13};
    for (int i = 0; i < 2; i++) {
        struct client *c = client_start(1, 3);
        struct client_link *l = client_connect(c, 1);
        struct client_fetch fetch = start_session(c, l, versions[i]);
        struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_FETCH);
        f.code = 7;
        snprintf(f.topic, sizeof f.topic, "t");
        f.partition = 2;
        client_fault(c, &f);
        fetch.count = 0;
        assert_int_equal(client_fetch(c, l, &fetch)->topics.count, 0);
        f.partition = 1;
        client_fault(c, &f);
        fetch.session_epoch = 2;
        const struct sl_fetch_response *m = client_fetch(c, l, &fetch);
        assert_int_equal(m->topics.count, 1);
        assert_int_equal(client_fetched(m, 0)->partition, 1);
        assert_int_equal(client_fetched(m, 0)->error_code, 7);
        client_end(c);
    }
}

/* A partition that this very request forgets is not what it is about. */
static void test_forgotten_partitions_are_not_meant(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct client_fetch fetch = start_session(c, l, 13);
    struct sl_fault f = client_fault_of(SL_FAULT_ERROR, SL_API_FETCH);
    f.code = 7;
    f.partition = 1;
    client_fault(c, &f);
    fetch.count = 1;
    fetch.parts[0] = (struct client_part){.topic = "t", .partition = 1, .forget = true};
    assert_int_equal(client_fetch(c, l, &fetch)->topics.count, 0);
    fetch = client_fetch_one(13, "t", 1, 0); /* the hit is still there */
    assert_int_equal(client_fetched(client_fetch(c, l, &fetch), 0)->error_code, 7);
    client_end(c);
}

/* ---- time and connections ---- */

static void test_delay_holds_what_follows(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_DELAY, SL_API_PRODUCE);
    f.delay_ms = 250;
    client_fault(c, &f);
    put_record(c, l, -1);
    client_put(c, l, SL_API_API_VERSIONS, 3, hello());
    client_turn(c);
    assert_int_equal(client_log(c, "t", 0).log_end, 1); /* done at once, told later */
    assert_int_equal(hello_code(c, other), 0);          /* others go on */
    client_advance(c, 249);
    assert_false(client_has_answer(l));
    client_advance(c, 1);
    assert_int_equal(client_produced(client_take(c, l))->error_code, 0);
    (void)client_take(c, l);
    client_end(c);
}

/* The answer comes at once and says how long nothing more is read; others are not concerned. */
static void test_throttle_mutes_the_connection(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct client_link *other = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_THROTTLE, SL_API_PRODUCE);
    f.delay_ms = 250;
    client_fault(c, &f);
    put_record(c, l, -1);
    client_put(c, l, SL_API_API_VERSIONS, 3, hello());
    client_turn(c);
    const struct sl_produce_response *m = client_take(c, l);
    assert_int_equal(m->throttle_ms, 250);
    assert_int_equal(client_produced(m)->error_code, 0);
    assert_int_equal(hello_code(c, other), 0);
    client_advance(c, 249);
    assert_false(client_has_answer(l));
    client_advance(c, 1);
    (void)client_take(c, l);
    client_end(c);
}

static void test_cut_before(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_CUT_BEFORE, SL_API_PRODUCE);
    client_fault(c, &f);
    put_record(c, l, -1);
    client_turn(c);
    assert_false(l->open);
    assert_int_equal(l->size, 0);
    assert_int_equal(client_log(c, "t", 0).log_end, 0);
    client_end(c);
}

static void test_cut_after(void **state) {
    (void)state;
    for (int16_t acks = -1; acks <= 1; acks++) {
        struct client *c = client_start(1, 1);
        struct client_link *l = client_connect(c, 1);
        struct sl_fault f = client_fault_of(SL_FAULT_CUT_AFTER, SL_API_PRODUCE);
        client_fault(c, &f);
        put_record(c, l, acks);
        client_turn(c);
        assert_false(l->open);
        assert_int_equal(l->size, 0);
        assert_int_equal(client_log(c, "t", 0).log_end, 1);
        client_end(c);
    }
}

/* A Fetch that waits is cut when it would have been answered. */
static void test_cut_after_a_fetch_that_waited(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_CUT_AFTER, SL_API_FETCH);
    client_fault(c, &f);
    struct client_fetch fetch = client_fetch_one(13, "t", 0, 100);
    client_put_fetch(c, l, &fetch);
    client_advance(c, 99);
    assert_true(l->open);
    client_advance(c, 1);
    assert_false(l->open);
    client_end(c);
}

/* Done, never answered; nor is anything that follows. What came before is. */
static void test_silent(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_SILENT, SL_API_PRODUCE);
    client_fault(c, &f);
    client_put(c, l, SL_API_API_VERSIONS, 3, hello());
    put_record(c, l, -1);
    put_record(c, l, -1);
    client_advance(c, 600000);
    (void)client_take(c, l);
    assert_int_equal(l->size, 0);
    assert_true(l->open);
    assert_int_equal(client_log(c, "t", 0).log_end, 1);
    /* Whatever is sent after it is thrown away, without a limit. */
    size_t before = c->memory.live_bytes;
    static const uint8_t noise[64 * 1024];
    for (int i = 0; i < 2000; i++) client_feed(c, l, noise, sizeof noise);
    client_turn(c);
    assert_true(l->open);
    assert_true(c->memory.live_bytes <= before + (1 << 20));
    client_end(c);
}

/* ---- damage ---- */

/* A bit of a batch is wrong, and its CRC says so; the log keeps the right ones. */
static void test_corrupt_records(void **state) {
    (void)state;
    struct client *c = client_start(1, 2);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_CORRUPT, SL_API_FETCH);
    f.partition = 1;
    client_append(c, "t", 0, 3);
    client_append(c, "t", 1, 3);
    struct client_fetch fetch = client_fetch_one(13, "t", 0, 0);
    fetch.count = 2;
    fetch.parts[1] = (struct client_part){.topic = "t", .partition = 1};
    for (int i = 0; i < 50; i++) {
        struct sl_batch_info info;
        client_fault(c, &f);
        const struct sl_fetch_response *m = client_fetch(c, l, &fetch);
        assert_int_equal(client_count_batches(client_fetched(m, 0)), 1); /* not that one */
        const struct sl_records *r = &client_fetched(m, 1)->records;
        if (sl_batch_read_info(r->data, (size_t)r->size, &info) == 0)
            assert_int_not_equal(sl_batch_read_check(r->data, &info), 0);
        assert_int_equal(client_count_batches(client_fetched(client_fetch(c, l, &fetch), 1)), 1);
    }
    client_end(c);
}

/* An answer without anything to spoil takes no hit. */
static void test_nothing_to_corrupt_is_spared(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_CORRUPT, SL_API_FETCH);
    client_fault(c, &f);
    struct client_fetch fetch = client_fetch_one(13, "t", 0, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_fetched(client_fetch(c, l, &fetch), 0)->records.size, 0);
    client_append(c, "t", 0, 1);
    const struct sl_records *r = &client_fetched(client_fetch(c, l, &fetch), 0)->records;
    struct sl_batch_info info;
    if (sl_batch_read_info(r->data, (size_t)r->size, &info) == 0)
        assert_int_not_equal(sl_batch_read_check(r->data, &info), 0);
    assert_int_equal(client_count_batches(client_fetched(client_fetch(c, l, &fetch), 0)), 1);
    client_end(c);
}

/* Nor does a Produce that is not answered at all. */
static void test_no_answer_to_spoil_is_spared(void **state) {
    (void)state;
    static const enum sl_fault_kind kinds[] = {SL_FAULT_CORRUPT, SL_FAULT_LIE, SL_FAULT_DELAY};
    for (int i = 0; i < 3; i++) {
        struct client *c = client_start(1, 1);
        struct client_link *l = client_connect(c, 1);
        struct sl_fault f = client_fault_of(kinds[i], SL_API_PRODUCE);
        f.delay_ms = 100;
        f.code = kinds[i] == SL_FAULT_LIE ? SL_FAULT_LIE_OMIT : 0;
        client_fault(c, &f);
        put_record(c, l, 0);
        client_turn(c);
        client_put_produce(c, l, 9, -1, "t", 0, &batch);
        client_turn(c);
        void *message;
        if (kinds[i] == SL_FAULT_DELAY) {
            assert_false(client_has_answer(l));
            client_advance(c, 100);
            assert_int_equal(client_produced(client_take(c, l))->base_offset, 1);
        } else if (kinds[i] == SL_FAULT_CORRUPT) {
            assert_int_equal(client_decode(c, l, &message), SLUICE_ERR_MALFORMED);
        } else {
            const struct sl_produce_response *m = client_take(c, l);
            bool omitted =
                m->topics.count == 0 ||
                ((const struct sl_produce_topic_response *)m->topics.items)->partitions.count == 0;
            assert_true(omitted);
        }
        client_end(c);
    }
}

/* Another answer ends too early, while its length says that this is all. */
static void test_corrupt_answer(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_CORRUPT, SL_API_METADATA);
    struct sl_metadata_request request;
    void *message;
    client_fault(c, &f);
    sl_codec_defaults(&sl_metadata_request_type, &request);
    request.topics = (struct sl_array){NULL, -1};
    client_send(c, l, SL_API_METADATA, 12, &request);
    assert_int_equal(client_decode(c, l, &message), SLUICE_ERR_MALFORMED);
    assert_int_equal(l->size, 0);
    assert_int_equal(metadata_code(c, l, "t"), 0);
    client_end(c);
}

/* ---- lies ---- */

/* Brokers, topics and partitions that an answer lists. */
static void count_listed(const struct sl_metadata_response *m, int32_t out[3]) {
    out[0] = m->brokers.count;
    out[1] = m->topics.count;
    out[2] = 0;
    for (int32_t i = 0; i < m->topics.count; i++)
        out[2] += client_described(m, i)->partitions.count;
}

static void test_lies_about_counts(void **state) {
    (void)state;
    static const struct {
        int lie;
        int sign;
    } cases[] = {{SL_FAULT_LIE_OMIT, -1}, {SL_FAULT_LIE_DUPLICATE, 1}, {SL_FAULT_LIE_INVENT, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client *c = client_start(2, 3);
        struct client_link *l = client_connect(c, 1);
        struct sl_fault f = client_fault_of(SL_FAULT_LIE, SL_API_METADATA);
        f.code = cases[i].lie;
        f.times = 30;
        client_fault(c, &f);
        for (int k = 0; k < 30; k++) {
            int32_t n[3];
            count_listed(client_metadata(c, l, 12, "t", false), n);
            int changed = (n[0] != 2) + (n[1] != 1) + (n[1] == 1 && n[2] != 3);
            assert_int_equal(changed, 1);
            if (n[1] == 1) assert_int_equal(n[0] - 2 + n[2] - 3, cases[i].sign);
        }
        int32_t n[3]; /* the truth itself is untouched */
        count_listed(client_metadata(c, l, 12, "t", false), n);
        assert_true(n[0] == 2 && n[1] == 1 && n[2] == 3);
        client_end(c);
    }
}

static void test_lie_shuffles(void **state) {
    (void)state;
    struct client *c = client_start(2, 5);
    struct client_link *l = client_connect(c, 1);
    struct sl_fault f = client_fault_of(SL_FAULT_LIE, SL_API_METADATA);
    f.code = SL_FAULT_LIE_SHUFFLE;
    f.times = -1;
    client_fault(c, &f);
    bool was_shuffled = false;
    for (int i = 0; i < 50; i++) {
        const struct sl_metadata_topic_response *t =
            client_described(client_metadata(c, l, 12, "t", false), 0);
        int32_t seen = 0;
        assert_int_equal(t->partitions.count, 5);
        for (int32_t k = 0; k < 5; k++) {
            int32_t number = client_described_partition(t, k)->partition;
            seen |= 1 << number;
            was_shuffled |= number != k;
        }
        assert_int_equal(seen, 31);
    }
    assert_true(was_shuffled);
    client_end(c);
}

/* ---- what cannot be ---- */

static void test_impossible_faults(void **state) {
    (void)state;
    struct client *c = client_start(1, 1);
    struct sl_fault good = client_fault_of(SL_FAULT_ERROR, SL_API_FETCH);
    good.code = SLUICE_KAFKA_UNKNOWN_SERVER_ERROR;
    client_fault(c, &good);
    for (int i = 0; i < 9; i++) {
        struct sl_fault f = good;
        if (i == 0) f.kind = 0;
        if (i == 1) f.kind = SL_FAULT_THROTTLE + 1;
        if (i == 2) f.api = 5;
        if (i == 3) f.delay_ms = -1;
        if (i == 4) f.times = -2;
        if (i == 5) memset(f.topic, 'a', sizeof f.topic);
        if (i == 6) f.skip = -1;
        if (i == 7) f.code = 0;
        if (i == 8) f.code = 65536; /* 0 on the wire */
        assert_int_equal(sl_broker_fault(c->broker, &f, NULL), SLUICE_ERR_USAGE);
    }
    good.kind = SL_FAULT_LIE;
    good.code = SL_FAULT_LIE_INVENT + 1;
    assert_int_equal(sl_broker_fault(c->broker, &good, NULL), SLUICE_ERR_USAGE);
    client_end(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_is_not_executed),
        cmocka_unit_test(test_error_is_executed),
        cmocka_unit_test(test_every_api_can_err),
        cmocka_unit_test(test_errors_of_the_whole_answer),
        cmocka_unit_test(test_skip_times_and_heal),
        cmocka_unit_test(test_one_fault_a_request),
        cmocka_unit_test(test_by_api_and_node),
        cmocka_unit_test(test_by_topic_and_partition),
        cmocka_unit_test(test_narrow_hits_are_not_spent_elsewhere),
        cmocka_unit_test(test_narrow_to_what_a_session_remembers),
        cmocka_unit_test(test_forgotten_partitions_are_not_meant),
        cmocka_unit_test(test_delay_holds_what_follows),
        cmocka_unit_test(test_throttle_mutes_the_connection),
        cmocka_unit_test(test_cut_before),
        cmocka_unit_test(test_cut_after),
        cmocka_unit_test(test_cut_after_a_fetch_that_waited),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_corrupt_records),
        cmocka_unit_test(test_nothing_to_corrupt_is_spared),
        cmocka_unit_test(test_no_answer_to_spoil_is_spared),
        cmocka_unit_test(test_corrupt_answer),
        cmocka_unit_test(test_lies_about_counts),
        cmocka_unit_test(test_lie_shuffles),
        cmocka_unit_test(test_impossible_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
