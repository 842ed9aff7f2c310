/* Goal: an offset that is asked for is found at the partition's leader, whatever is answered on the
 * way; nothing that a retry mends ends a look-up, no retry is hot, and an operation ends once, by
 * its deadline at the latest, with what is known of each entry.
 * Method: OFFSETS commands and symbolic positions against a scripted broker (core_consumer.h). */
#include "core_consumer.h"

/* An OFFSETS op for these entries; the list is the core's. */
static struct sl_op *resolve(struct cons *c, struct sl_offsets *list, int64_t timeout_ms) {
    struct sl_op *op = host_op(c->h, timeout_ms);
    struct sl_command *command = host_command_make(c->h, SL_COMMAND_OFFSETS, op, NULL);
    command->offsets = list;
    sl_core_on_command(c->h->core, command);
    return op;
}
static struct sl_offsets *new_list(struct cons *c) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(&c->h->memory.alloc, &list), 0);
    return list;
}
static struct sl_offset_entry *put(struct sl_offsets *list, const char *topic, int32_t partition,
                                   int64_t offset) {
    struct sl_offset_entry *entry = sl_offset_list_put(list, topic, partition);
    assert_non_null(entry);
    entry->offset = offset;
    return entry;
}
/* A client of any role: the unit serves them all. */
static void start_as(struct cons *c, enum sl_role role) {
    cons_prepare(c);
    c->h->settings.role = role;
    assert_int_equal(host_create(c->h), 0);
}
static void end_core(struct cons *c) { host_end(c->h); }

static struct sl_op *ask_latest(struct cons *c, int64_t timeout_ms) {
    struct sl_offsets *list = new_list(c);
    put(list, "t", 0, SL_OFFSET_LATEST);
    struct sl_op *op = resolve(c, list, timeout_ms);
    host_turn(c->h);
    return op;
}
/* Turns of the core alone; no gate here. */
static void reply(struct cons *c, const struct cons_lookup *lookup,
                  const struct cons_found *found) {
    static struct sl_list_offsets_topic_response topics[CONS_PARTS];
    static struct sl_list_offsets_partition_response parts[CONS_PARTS];
    struct sl_list_offsets_response m;
    sl_codec_defaults(&sl_list_offsets_response_type, &m);
    m.topics = cons_lookup_entries(lookup, found, topics, parts);
    host_reply(c->h, &lookup->r, &m);
    host_turn(c->h);
}
static void reply_one(struct cons *c, int16_t code, int64_t offset) {
    struct cons_lookup lookup = cons_next_lookup(c);
    reply(c, &lookup, &(struct cons_found){code, offset, false});
}

/* ---- what is asked ---- */

static void symbols_and_times_become_numbers(void **state) {
    (void)state;
    const enum sl_role roles[] = {SL_ROLE_ADMIN, SL_ROLE_PRODUCER, SL_ROLE_CONSUMER};
    for (int i = 0; i < 3; i++) {
        struct cons c;
        start_as(&c, roles[i]);
        struct sl_offsets *list = new_list(&c);
        put(list, "t", 0, SL_OFFSET_LATEST);
        put(list, "u", 1, 77);
        put(list, "t", 2, SL_OFFSET_AT_TIME)->timestamp_ms = 1234;
        put(list, "u", 0, SL_OFFSET_EARLIEST);
        put(list, "u", 2, SL_OFFSET_AT_TIME)->timestamp_ms = -5;
        struct sl_op *op = resolve(&c, list, 1000);
        host_turn(c.h);
        struct cons_lookup lookup = cons_next_lookup(&c);
        assert_int_equal(lookup.count, 4);
        assert_string_equal(lookup.parts[0].topic, "t");
        assert_int_equal(lookup.parts[0].partition, 0);
        assert_int_equal(lookup.parts[0].offset, SL_LIST_OFFSETS_LATEST);
        assert_int_equal(lookup.parts[0].leader_epoch, 5);
        assert_int_equal(lookup.parts[1].partition, 2);
        assert_int_equal(lookup.parts[1].offset, 1234);
        assert_string_equal(lookup.parts[2].topic, "u");
        assert_int_equal(lookup.parts[2].offset, SL_LIST_OFFSETS_EARLIEST);
        assert_int_equal(lookup.parts[3].offset, 0); /* no symbol by mistake */
        const struct cons_found found[] = {{0, 10, 0}, {0, 20, 0}, {0, 30, 0}, {0, 40, 0}};
        reply(&c, &lookup, found);
        assert_int_equal(op->state, SL_OP_ENDED);
        assert_int_equal(op->code, 0);
        const int64_t wanted[] = {10, 77, 20, 30, 40};
        for (int k = 0; k < 5; k++) {
            assert_int_equal(op->offsets->entries[k].offset, wanted[k]);
            assert_int_equal(op->offsets->entries[k].code, 0);
        }
        end_core(&c);
    }
}

static void numbers_alone_need_no_broker(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_offsets *list = new_list(&c);
    put(list, "t", 0, 5);
    struct sl_op *op = resolve(&c, list, 1000);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->offsets->entries[0].offset, 5);
    op = resolve(&c, new_list(&c), 1000);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
    /* Committed offsets are a group's, and there is none. */
    list = new_list(&c);
    put(list, "t", 0, 5);
    put(list, "t", 1, SL_OFFSET_COMMITTED);
    op = resolve(&c, list, 1000);
    assert_int_equal(op->code, SLUICE_ERR_PARTIAL);
    assert_int_equal(op->offsets->entries[0].code, 0);
    assert_int_equal(op->offsets->entries[1].code, SLUICE_ERR_CONFIG);
    assert_int_equal(c.h->opens, 0);
    end_core(&c);
}

static void each_leader_is_asked_once(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    c.h->topics[1].leader = 2;
    struct sl_offsets *list = new_list(&c);
    for (int32_t i = 0; i < 3; i++) {
        put(list, "t", i, SL_OFFSET_LATEST);
        put(list, "u", i, SL_OFFSET_LATEST);
    }
    struct sl_op *op = resolve(&c, list, 1000);
    /* Another op for the same partitions asks in requests of its own: no duplicates in one. */
    list = new_list(&c);
    put(list, "t", 0, SL_OFFSET_EARLIEST);
    struct sl_op *other = resolve(&c, list, 1000);
    host_turn(c.h);
    assert_int_equal(cons_waiting_lookups(&c), 3);
    for (int i = 0; i < 3; i++) {
        struct cons_lookup lookup = cons_next_lookup(&c);
        const struct cons_found found[] = {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}};
        assert_true(lookup.count == 3 || lookup.count == 1);
        reply(&c, &lookup, found);
    }
    assert_int_equal(op->code, 0);
    assert_int_equal(other->code, 0);
    assert_int_equal(op->offsets->entries[5].offset, 3);
    end_core(&c);
}

/* ---- what is answered ---- */

static void a_time_beyond_the_end_is_the_end(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_offsets *list = new_list(&c);
    put(list, "t", 0, SL_OFFSET_AT_TIME)->timestamp_ms = 1234;
    struct sl_op *op = resolve(&c, list, 5000);
    host_turn(c.h);
    reply_one(&c, 0, -1);
    struct cons_lookup lookup = cons_next_lookup(&c); /* at once */
    assert_int_equal(lookup.parts[0].offset, SL_LIST_OFFSETS_LATEST);
    reply(&c, &lookup, &(struct cons_found){0, 500, false});
    assert_int_equal(op->code, 0);
    assert_int_equal(op->offsets->entries[0].offset, 500);
    end_core(&c);
}

/* Codes that a retry mends (reliability notes 10, 20): asked again, at a bounded pace. */
static void what_passes_is_asked_again(void **state) {
    (void)state;
    static const struct cons_found odd[] = {
        {SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, false},
        {SLUICE_KAFKA_LEADER_NOT_AVAILABLE, -1, false},
        {SLUICE_KAFKA_FENCED_LEADER_EPOCH, -1, false},
        {SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH, -1, false},
        {SLUICE_KAFKA_OFFSET_NOT_AVAILABLE, -1, false},
        {SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, -1, false},
        {SLUICE_KAFKA_REQUEST_TIMED_OUT, -1, false},
        {SLUICE_KAFKA_KAFKA_STORAGE_ERROR, -1, false},
        {SLUICE_KAFKA_UNKNOWN_SERVER_ERROR, -1, false},
        {-100, 7, false}, /* no broker may say one of our codes */
        {0, -1, false},   /* there is always an end */
        {0, -7, false},
        {0, 0, true}, /* left out */
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct cons c;
        start_as(&c, SL_ROLE_ADMIN);
        struct sl_op *op = ask_latest(&c, 20000);
        int64_t began = c.h->now;
        for (int n = 0; n < 6; n++) {
            struct cons_lookup lookup = cons_next_lookup(&c);
            reply(&c, &lookup, &odd[i]);
            assert_int_equal(op->state, SL_OP_PENDING);
            assert_int_equal(cons_waiting_lookups(&c), 0);
            host_advance(c.h, 1300);
        }
        assert_true(c.h->now - began < 20000 * SL_MS);
        reply_one(&c, 0, 44);
        assert_int_equal(op->code, 0);
        assert_int_equal(op->offsets->entries[0].offset, 44);
        end_core(&c);
    }
}

/* A broker and metadata that disagree for as long as it takes. */
static void asking_again_is_not_hot(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_op *op = ask_latest(&c, 10000);
    int asked = 0;
    for (int i = 0; i < 990; i++) {
        while (cons_waiting_lookups(&c) > 0) {
            reply_one(&c, SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1);
            asked++;
        }
        host_advance(c.h, 10);
    }
    assert_int_equal(op->state, SL_OP_PENDING);
    assert_in_range(asked, 8, 16); /* 100 ms doubled up to 1 s */
    end_core(&c);
}

static void what_does_not_pass_is_told_for_each(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_offsets *list = new_list(&c);
    for (int32_t i = 0; i < 3; i++) put(list, "t", i, SL_OFFSET_LATEST);
    struct sl_op *op = resolve(&c, list, 1000);
    host_turn(c.h);
    struct cons_lookup lookup = cons_next_lookup(&c);
    const struct cons_found found[] = {
        {0, 10, 0}, {SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, -1, 0}, {0, 30, 0}};
    reply(&c, &lookup, found);
    assert_int_equal(op->code, SLUICE_ERR_PARTIAL);
    assert_int_equal(op->offsets->entries[0].offset, 10);
    assert_int_equal(op->offsets->entries[1].code, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(op->offsets->entries[1].offset, SL_OFFSET_LATEST);
    assert_int_equal(op->offsets->entries[2].offset, 30);
    end_core(&c);
}

static void odd_entries_are_ignored(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_op *op = ask_latest(&c, 5000);
    struct cons_lookup lookup = cons_next_lookup(&c);
    lookup.count = 4; /* answered: t-0 twice, a partition and a topic that nobody asked for */
    for (int i = 1; i < 4; i++) lookup.parts[i] = lookup.parts[0];
    lookup.parts[1].partition = 99;
    snprintf(lookup.parts[2].topic, sizeof lookup.parts[2].topic, "nobody");
    const struct cons_found found[] = {{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 4, 0}};
    reply(&c, &lookup, found);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->offsets->entries[0].offset, 4); /* the first of the two */
    end_core(&c);
}

/* ---- waiting ---- */

static void leaders_are_waited_for(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    c.h->topics[0].leader = -1;
    struct sl_op *op = ask_latest(&c, 20000);
    int frames = c.h->frames;
    host_advance(c.h, 5000);
    assert_true(c.h->frames - frames < 15);
    assert_int_equal(cons_waiting_lookups(&c), 0);
    c.h->topics[0].leader = 2;
    c.h->topics[0].leader_epoch = 6;
    host_advance(c.h, 1300);
    struct cons_lookup lookup = cons_next_lookup(&c);
    assert_int_equal(lookup.parts[0].leader_epoch, 6);
    assert_string_equal(lookup.r.conn->host, "b2");
    reply(&c, &lookup, &(struct cons_found){0, 9, false});
    assert_int_equal(op->code, 0);
    end_core(&c);
}

static void a_moved_leader_is_found(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_op *op = ask_latest(&c, 20000);
    struct cons_lookup lookup = cons_next_lookup(&c);
    c.h->topics[0].leader = 2;
    c.h->topics[0].leader_epoch = 6;
    reply(&c, &lookup, &(struct cons_found){SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, false});
    host_advance(c.h, 1300);
    lookup = cons_next_lookup(&c);
    assert_string_equal(lookup.r.conn->host, "b2");
    /* It is lost with the connection: asked again over another one. */
    host_cut(c.h, lookup.r.conn, "reset");
    host_advance(c.h, 3000);
    lookup = cons_next_lookup(&c);
    reply(&c, &lookup, &(struct cons_found){0, 9, false});
    assert_int_equal(op->code, 0);
    end_core(&c);
}

static void an_op_ends_at_its_deadline(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_op *op = ask_latest(&c, 1000); /* asked, never answered */
    struct cons_lookup late = cons_next_lookup(&c);
    host_advance(c.h, 999);
    assert_int_equal(op->state, SL_OP_PENDING);
    host_advance(c.h, 2);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    assert_non_null(strstr(op->text, "1 of 1 offsets were not found in time, t-0"));
    assert_null(op->offsets);
    reply(&c, &late, &(struct cons_found){0, 9, false}); /* nobody is there any more */
    /* A topic that does not exist. */
    struct sl_offsets *list = new_list(&c);
    put(list, "none", 3, SL_OFFSET_LATEST);
    op = resolve(&c, list, 5000);
    host_advance(c.h, 5001);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    assert_non_null(strstr(op->text, "none-3 among them: UNKNOWN_TOPIC_OR_PARTITION"));
    /* Nothing goes on behind it. */
    host_advance(c.h, 3000);
    int frames = c.h->frames;
    host_advance(c.h, 60000);
    assert_int_equal(c.h->frames, frames);
    /* A partition that does not exist. */
    list = new_list(&c);
    put(list, "t", 3, SL_OFFSET_LATEST);
    op = resolve(&c, list, 5000);
    host_advance(c.h, 5001);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    end_core(&c);
}

static void an_op_that_is_over_asks_nothing(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    host_make_ready(c.h);
    c.h->topics[0].leader = 2; /* not connected yet */
    struct sl_offsets *list = new_list(&c);
    put(list, "t", 0, SL_OFFSET_LATEST);
    struct sl_op *op = resolve(&c, list, 1000);
    c.h->hold_open = true;
    host_turn(c.h);
    host_advance(c.h, 1001);
    assert_int_equal(op->code, SLUICE_ERR_TIMEOUT);
    c.h->hold_open = false;
    struct host_conn *conn = host_last(c.h);
    assert_true(conn->open);
    conn->connected = true;
    sl_core_on_opened(c.h->core, conn->link);
    host_advance(c.h, 1000);
    assert_int_equal(cons_waiting_lookups(&c), 0);
    end_core(&c);
}

static void a_refused_topic_ends_what_waits(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_PRODUCER);
    c.h->topics[0].code = SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED;
    c.h->topics[0].partition_count = 0;
    struct sl_offsets *list = new_list(&c);
    put(list, "t", 0, SL_OFFSET_LATEST);
    put(list, "t", 1, SL_OFFSET_LATEST);
    struct sl_op *op = resolve(&c, list, 5000);
    host_turn(c.h);
    assert_int_equal(op->code, SLUICE_ERR_PARTIAL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(op->offsets->entries[i].code, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED);
    /* Asked again, it may have been granted. */
    c.h->topics[0].code = 0;
    c.h->topics[0].partition_count = 3;
    op = ask_latest(&c, 5000);
    host_advance(c.h, 300);
    reply_one(&c, 0, 3);
    assert_int_equal(op->code, 0);
    end_core(&c);
}

static void a_topic_created_anew_is_asked_again(void **state) {
    (void)state;
    struct cons c;
    start_as(&c, SL_ROLE_ADMIN);
    struct sl_op *op = ask_latest(&c, 20000);
    struct cons_lookup lookup = cons_next_lookup(&c);
    c.h->topics[0] = (struct host_topic){"t", 9, 0, 1, 2, 0};
    reply(&c, &lookup, &(struct cons_found){SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, false});
    host_advance(c.h, 1300);
    lookup = cons_next_lookup(&c);
    assert_int_equal(lookup.parts[0].leader_epoch, 0);
    reply(&c, &lookup, &(struct cons_found){0, 1, false});
    assert_int_equal(op->code, 0);
    end_core(&c);
}

static void closing_ends_ops_with_closed(void **state) {
    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        struct cons c;
        start_as(&c, SL_ROLE_CONSUMER);
        struct sl_offsets *list = new_list(&c);
        put(list, "t", 0, SL_OFFSET_LATEST);
        put(list, "t", 1, SL_OFFSET_LATEST);
        struct sl_op *op = resolve(&c, list, 5000);
        if (sent == 1) host_turn(c.h);
        struct sl_op *close = host_ask(c.h, SL_COMMAND_CLOSE, NULL, 1000);
        host_turn(c.h);
        assert_int_equal(close->code, 0);
        assert_int_equal(op->code, SLUICE_ERR_CLOSED);
        assert_non_null(strstr(op->text, "2 of 2 offsets were not found, t-0"));
        end_core(&c);
    }
}

/* ---- allocations that fail ---- */

/* A resolve of two leaders with a retry on the way; returns the op's code. */
static int run_resolve(struct cons *c) {
    struct sl_offsets *list = new_list(c);
    put(list, "t", 0, SL_OFFSET_LATEST);
    put(list, "u", 1, SL_OFFSET_AT_TIME)->timestamp_ms = 7;
    struct sl_op *op = resolve(c, list, 60000);
    for (int step = 0; op->state == SL_OP_PENDING && step < 200; step++) {
        host_advance(c->h, 100);
        while (cons_waiting_lookups(c) > 0 && op->state == SL_OP_PENDING) {
            struct cons_lookup lookup = cons_next_lookup(c);
            const struct cons_found found[] = {{0, 5, 0}, {0, 6, 0}};
            if (lookup.r.conn->open) reply(c, &lookup, found);
        }
    }
    assert_int_equal(op->state, SL_OP_ENDED);
    if (op->code == 0)
        for (int i = 0; i < 2; i++) assert_in_range(op->offsets->entries[i].offset, 5, 6);
    return op->code;
}

static void no_failing_allocation_loses_a_look_up(void **state) {
    (void)state;
    struct cons c;
    for (long n = 0;; n++) {
        start_as(&c, SL_ROLE_ADMIN);
        c.h->topics[1].leader = 2;
        host_make_ready(c.h);
        /* From here on: the list and the op are the caller's. */
        test_memory_fail_at(&c.h->memory, c.h->memory.calls + 9 + n);
        int rv = run_resolve(&c);
        bool failed = test_memory_has_failed(&c.h->memory);
        end_core(&c);
        if (!failed) {
            assert_int_equal(rv, 0);
            assert_true(n > 20);
            break;
        }
        /* One failure is mended by a retry, unless the op itself could not be kept. */
        assert_true(rv == 0 || (rv == SLUICE_ERR_NOMEM && n < 4));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_and_times_become_numbers),
        cmocka_unit_test(numbers_alone_need_no_broker),
        cmocka_unit_test(each_leader_is_asked_once),
        cmocka_unit_test(a_time_beyond_the_end_is_the_end),
        cmocka_unit_test(what_passes_is_asked_again),
        cmocka_unit_test(asking_again_is_not_hot),
        cmocka_unit_test(what_does_not_pass_is_told_for_each),
        cmocka_unit_test(odd_entries_are_ignored),
        cmocka_unit_test(leaders_are_waited_for),
        cmocka_unit_test(a_moved_leader_is_found),
        cmocka_unit_test(an_op_ends_at_its_deadline),
        cmocka_unit_test(an_op_that_is_over_asks_nothing),
        cmocka_unit_test(a_refused_topic_ends_what_waits),
        cmocka_unit_test(a_topic_created_anew_is_asked_again),
        cmocka_unit_test(closing_ends_ops_with_closed),
        cmocka_unit_test(no_failing_allocation_loses_a_look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
