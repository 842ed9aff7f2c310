/* The bundled broker without memory: every allocation of a whole conversation fails once, and from
 * some point on all do. It neither crashes nor leaks, all invariants hold, and the worst that
 * happens is the end of a connection. */
#include "broker_client.h"

/* What became of a conversation. */
struct outcome {
    int closed;        /* links */
    int64_t appended;  /* records that the log has */
    int64_t confirmed; /* that the client was told of */
};

/* Takes the answers there are, whatever they say, and connects anew when the link is gone. */
static void go_on(struct client *c, struct client_link **l, struct outcome *o) {
    client_turn(c);
    while (client_has_answer(*l)) {
        const struct client_asked *asked = &(*l)->asked[(*l)->taken];
        bool is_produce = asked->api->key == SL_API_PRODUCE;
        const void *message = client_take(c, *l);
        if (is_produce && client_produced(message)->error_code == 0) o->confirmed++;
    }
    if ((*l)->open) return;
    o->closed++;
    uint32_t id;
    if (sl_broker_on_accepted(c->broker, 1, &id) != 0) return; /* the host resets it */
    struct client_link *fresh = &c->links[c->link_count++];
    *fresh = (struct client_link){.id = id, .node = 1, .open = true};
    *l = fresh;
}

static void ask_topics(struct client *c, struct client_link **l, struct outcome *o) {
    struct sl_create_topics_request create;
    struct sl_create_topics_topic t;
    struct sl_delete_topics_request delete;
    struct sl_str name = SL_STR("made");
    memset(&t, 0, sizeof t);
    sl_codec_defaults(&sl_create_topics_request_type, &create);
    t.name = name;
    t.partition_count = 20;
    t.replication_factor = 2;
    create.topics = (struct sl_array){&t, 1};
    client_put(c, *l, SL_API_CREATE_TOPICS, 7, &create);
    go_on(c, l, o);
    sl_codec_defaults(&sl_delete_topics_request_type, &delete);
    delete.topic_names = (struct sl_array){&name, 1};
    client_put(c, *l, SL_API_DELETE_TOPICS, 5, &delete);
    go_on(c, l, o);
}

static void ask_metadata(struct client *c, struct client_link **l, struct outcome *o) {
    struct sl_metadata_request request;
    struct sl_metadata_topic t = {{{0}}, SL_STR("new")};
    sl_codec_defaults(&sl_metadata_request_type, &request);
    request.topics = (struct sl_array){&t, 1};
    client_put(c, *l, SL_API_METADATA, 12, &request);
    go_on(c, l, o);
}

static void ask_versions(struct client *c, struct client_link **l, struct outcome *o) {
    struct sl_api_versions_request request;
    sl_codec_defaults(&sl_api_versions_request_type, &request);
    request.client_software_name = SL_STR("test");
    request.client_software_version = SL_STR("1");
    client_put(c, *l, SL_API_API_VERSIONS, 4, &request);
    go_on(c, l, o);
}

static void ask_produce(struct client *c, struct client_link **l, struct outcome *o, int count) {
    static struct client_batch batch;
    for (int i = 0; i < count; i++) {
        client_batch_init(&batch, 1);
        batch.producer_id = 7;
        batch.epoch = 0;
        batch.sequence = (int32_t)o->confirmed;
        client_build(&batch);
        client_put_produce(c, *l, 9, -1, "t", 0, &batch);
        go_on(c, l, o);
    }
}

static void ask_fetch(struct client *c, struct client_link **l, struct outcome *o) {
    struct client_fetch f = client_fetch_one(12, "t", 0, 0);
    f.count = 3;
    f.parts[1] = (struct client_part){.topic = "t", .partition = 1};
    f.parts[2] = (struct client_part){.topic = "missing"};
    f.session_epoch = 0;
    client_put_fetch(c, *l, &f);
    go_on(c, l, o);
    f.session_epoch = -1;
    f.count = 1;
    f.wait_ms = 100;
    f.parts[0].offset = client_log(c, "t", 0).log_end;
    client_put_fetch(c, *l, &f);
    go_on(c, l, o);
    struct client_link *second = *l; /* a record for the Fetch that waits, by another link */
    uint32_t id;
    if (sl_broker_on_accepted(c->broker, 1, &id) == 0) {
        second = &c->links[c->link_count++];
        *second = (struct client_link){.id = id, .node = 1, .open = true};
    }
    ask_produce(c, &second, o, 1);
    client_advance(c, 100);
    go_on(c, l, o);
}

static void ask_rest(struct client *c, struct client_link **l, struct outcome *o) {
    struct sl_list_offsets_request list;
    struct sl_list_offsets_partition p = {0, -1, 1};
    struct sl_list_offsets_topic t = {SL_STR("t"), {&p, 1}};
    sl_codec_defaults(&sl_list_offsets_request_type, &list);
    list.topics = (struct sl_array){&t, 1};
    client_put(c, *l, SL_API_LIST_OFFSETS, 7, &list);
    go_on(c, l, o);
    struct sl_find_coordinator_request find;
    struct sl_str key = SL_STR("g");
    sl_codec_defaults(&sl_find_coordinator_request_type, &find);
    find.keys = (struct sl_array){&key, 1};
    client_put(c, *l, SL_API_FIND_COORDINATOR, 4, &find);
    go_on(c, l, o);
    struct sl_fault f = client_fault_of(SL_FAULT_LIE, SL_API_METADATA);
    f.code = SL_FAULT_LIE_DUPLICATE;
    (void)sl_broker_fault(c->broker, &f, NULL);
    ask_metadata(c, l, o);
    f = client_fault_of(SL_FAULT_CORRUPT, SL_API_FETCH);
    (void)sl_broker_fault(c->broker, &f, NULL);
    struct client_fetch fetch = client_fetch_one(4, "t", 0, 0);
    client_put_fetch(c, *l, &fetch);
    client_turn(c);
    (*l)->size = 0; /* whatever it is, it is damaged */
    (*l)->taken = (*l)->asked_count;
    go_on(c, l, o);
}

/* The n-th allocation fails, or with `on` all from there. Returns whether one did. */
static bool converse(long n, bool on, struct outcome *o) {
    struct client *c = client_start(2, 2);
    memset(o, 0, sizeof *o);
    struct client_link *l = client_connect(c, 1);
    long begin = c->memory.calls;
    if (on)
        test_memory_fail_from(&c->memory, begin + n);
    else
        test_memory_fail_at(&c->memory, begin + n);
    ask_versions(c, &l, o);
    ask_metadata(c, &l, o);
    ask_topics(c, &l, o);
    ask_produce(c, &l, o, 10);
    ask_fetch(c, &l, o);
    ask_rest(c, &l, o);
    bool failed = test_memory_has_failed(&c->memory);
    test_memory_fail_at(&c->memory, 0);
    o->appended = client_log(c, "t", 0).log_end;
    /* With memory again, all is as ever. */
    sl_broker_heal(c->broker, 0);
    struct outcome after = *o;
    l = client_connect(c, 1);
    ask_versions(c, &l, &after);
    struct client_fetch f = client_fetch_one(12, "t", 0, 0);
    const struct sl_fetch_partition_response *p = client_fetched(client_fetch(c, l, &f), 0);
    assert_int_equal(client_count_batches(p), (int)o->appended);
    assert_int_equal(after.closed, o->closed);
    client_end(c);
    return failed;
}

static void test_every_allocation_fails_once(void **state) {
    (void)state;
    struct outcome o;
    long n = 1;
    for (; converse(n, false, &o); n++) {
        /* What was confirmed is there, each record once. */
        assert_in_range(o.appended, o.confirmed, 11);
        assert_true(o.closed <= 1);
    }
    if (n <= 100) fail_msg("only %ld allocations", n);
    assert_int_equal(o.closed, 0);
    assert_int_equal(o.confirmed, 11);
    assert_int_equal(o.appended, 11);
}

static void test_memory_runs_out(void **state) {
    (void)state;
    struct outcome o;
    for (long n = 1; converse(n, true, &o); n++) assert_in_range(o.appended, o.confirmed, 11);
}

static void test_create_without_memory(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct client *c = client_prepare(2);
        test_memory_fail_at(&c->memory, n);
        int rv = sl_broker_create(&c->options, &c->memory.alloc, 7, &c->broker);
        bool failed = test_memory_has_failed(&c->memory);
        assert_int_equal(rv, failed ? SLUICE_ERR_NOMEM : 0);
        if (rv != 0) assert_null(c->broker);
        client_end(c);
        if (!failed) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_create_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
