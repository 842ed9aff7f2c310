/* Goal: a partition is fetched from the follower that its leader names, for as long as that is good,
 * and from the leader whenever it is not: nothing is lost, nothing comes twice, no position is reset,
 * and no follower that has just failed is tried again at once.
 * Method: a consumer against a scripted broker, request by request (core_consumer.h): broker 1 leads,
 * brokers 2 and 3 follow. */
#include "core_consumer.h"

enum { LEASE_MS = 8500 }; /* metadata.max.age.ms and fetch.max.wait.ms */

static void prepare(struct cons *c) {
    cons_prepare(c);
    c->h->settings.client_rack = (char *)(uintptr_t) "a";
    c->h->settings.metadata_max_age_ms = LEASE_MS - 500;
    c->h->nodes[2] = (struct host_node){3, "b3", 9092};
    c->h->node_count = 3;
}

static bool is_from(const struct cons_fetch *fetch, const char *host) {
    return strcmp(fetch->r.conn->host, host) == 0;
}

/* The Fetch that waits at this broker. */
static struct cons_fetch expect_fetch(struct cons *c, const char *host, int32_t count) {
    struct cons_fetch fetch = {.count = 0};
    for (int i = 0; i < c->h->request_count; i++) {
        struct host_request *r = &c->h->requests[i];
        if (r->taken || r->header.key != SL_API_FETCH || strcmp(r->conn->host, host) != 0) continue;
        r->taken = true;
        cons_decode_fetch(r, &fetch);
        assert_int_equal(fetch.count, count);
        return fetch;
    }
    fail_msg("no Fetch waits at %s", host);
    return fetch;
}

/* The Fetch is answered without records, and a follower is named for this partition. */
static void name_follower(struct cons *c, const struct cons_fetch *fetch, int32_t session,
                          int32_t partition, int32_t node) {
    struct cons_answer *a = cons_answer(session);
    for (int i = 0; i < fetch->count; i++) {
        int32_t which = fetch->parts[i].partition;
        cons_add(a, which, 0, 1000)->follower = which == partition ? node : -1;
    }
    cons_reply(c, fetch, a);
}

static void reply_batch(struct cons *c, const struct cons_fetch *fetch, int32_t session,
                        int32_t partition, int64_t base) {
    struct cons_answer *a = cons_answer(session);
    cons_add_batch(a, partition, base);
    cons_reply(c, fetch, a);
}

static void reply_code(struct cons *c, const struct cons_fetch *fetch, int32_t session,
                       int16_t code) {
    struct cons_answer *a = cons_answer(session);
    cons_add(a, 0, code, -1);
    cons_reply(c, fetch, a);
}

/* Partitions of "t" are assigned, and the brokers that follow are connected. */
static void begin(struct cons *c, int32_t count) {
    cons_create(c);
    cons_assign(c, count, 0);
    cons_turn(c);
    for (int i = 1; i < c->h->node_count; i++)
        (void)sl_brokers_link(sl_brokers_find(c->h->core, c->h->nodes[i].id), SL_PURPOSE_FETCH);
    cons_turn(c);
}

/* Of `count` partitions of "t", 0 is read from broker 2, whose first Fetch waits and is returned. */
static struct cons_fetch follow(struct cons *c, int32_t count) {
    prepare(c);
    begin(c, count);
    struct cons_fetch fetch = expect_fetch(c, "b1", count);
    assert_string_equal(fetch.rack, "a");
    cons_advance(c, 60);
    name_follower(c, &fetch, 77, 0, 2);
    return expect_fetch(c, "b2", 1);
}

/* The Fetch of the leader that a position comes back to: from that offset, without the rack. */
static struct cons_fetch expect_rest(struct cons *c, int64_t offset) {
    struct cons_fetch fetch = expect_fetch(c, "b1", 1);
    assert_int_equal(fetch.parts[0].partition, 0);
    assert_int_equal(fetch.parts[0].offset, offset);
    assert_string_equal(fetch.rack, "");
    assert_int_equal(cons_waiting_lookups(c), 0);
    return fetch;
}

/* ---- there and back ---- */

static void a_named_follower_is_fetched_from(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 2);
    assert_int_equal(near.epoch, 0);
    assert_int_equal(near.parts[0].partition, 0);
    assert_int_equal(near.parts[0].offset, 0);
    assert_int_equal(near.parts[0].leader_epoch, 5);
    cons_advance(&c, 60);
    struct cons_fetch leader = expect_fetch(&c, "b1", 0);
    assert_int_equal(leader.forgotten_count, 1); /* the other partition stays */
    reply_batch(&c, &near, 5, 0, 0);
    cons_expect(&c, 0, 0, 10);
    near = expect_fetch(&c, "b2", 1);
    assert_int_equal(near.parts[0].offset, 10);
    reply_batch(&c, &leader, 77, 1, 0);
    cons_expect(&c, 1, 0, 10);
    cons_end(&c);
}

static void after_a_while_the_leader_is_asked_again(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    reply_batch(&c, &near, 5, 0, 0);
    cons_expect(&c, 0, 0, 10);
    near = expect_fetch(&c, "b2", 1);
    cons_core(&c, 0)->near.failures = 5;
    cons_advance(&c, LEASE_MS - 10);
    assert_int_equal(cons_waiting(&c), 0);
    cons_advance(&c, 10);
    assert_int_equal(cons_core(&c, 0)->near.failures, 0); /* it was good to the end */
    struct cons_fetch leader = expect_fetch(&c, "b1", 1);
    assert_int_equal(leader.parts[0].offset,
                     10); /* of what came, not of what was asked for first */
    assert_string_equal(leader.rack, "a");
    reply_batch(&c, &near, 5, 0, 10); /* too late: the leader was asked for the same */
    cons_expect_nothing(&c);
    cons_advance(&c, 60);
    name_follower(&c, &leader, 77, 0, 3); /* another one */
    near = expect_fetch(&c, "b3", 1);
    assert_int_equal(near.parts[0].offset, 10);
    reply_batch(&c, &near, 6, 0, 10);
    cons_expect(&c, 0, 10, 20);
    cons_end(&c);
}

static void a_leader_may_have_nobody_to_name(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    begin(&c, 1);
    struct cons_fetch fetch = expect_fetch(&c, "b1", 1);
    cons_advance(&c, 60);
    name_follower(&c, &fetch, 77, 0, 1); /* itself */
    fetch = expect_fetch(&c, "b1", 0);
    assert_string_equal(fetch.rack, "a");
    reply_batch(&c, &fetch, 77, 0, 0);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

static void a_follower_has_nobody_to_name(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    cons_advance(&c, 60);
    name_follower(&c, &near, 5, 0, 3);
    near = expect_fetch(&c, "b2", 0);
    reply_batch(&c, &near, 5, 0, 0);
    cons_expect(&c, 0, 0, 10);
    cons_end(&c);
}

/* ---- what goes wrong at a follower ---- */

static void whatever_a_follower_refuses_is_asked_of_the_leader(void **state) {
    (void)state;
    static const int16_t codes[] = {
        SLUICE_KAFKA_OFFSET_OUT_OF_RANGE,        SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER,
        SLUICE_KAFKA_REPLICA_NOT_AVAILABLE,      SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,
        SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH,       SLUICE_KAFKA_FENCED_LEADER_EPOCH,
        SLUICE_KAFKA_KAFKA_STORAGE_ERROR,        SLUICE_KAFKA_UNKNOWN_TOPIC_ID,
        SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION, SLUICE_KAFKA_CORRUPT_MESSAGE,
        SLUICE_KAFKA_UNKNOWN_SERVER_ERROR,       SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED,
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct cons c;
        struct cons_fetch near = follow(&c, 1);
        reply_batch(&c, &near, 5, 0, 0);
        near = expect_fetch(&c, "b2", 1);
        reply_code(&c, &near, 5, codes[i]);
        struct cons_fetch leader = expect_rest(&c, 10); /* at once */
        reply_batch(&c, &leader, 77, 0, 10);
        cons_expect(&c, 0, 0, 10);
        cons_expect(&c, 0, 10, 20); /* no error was told */
        cons_end(&c);
    }
}

static void what_the_leader_says_then_counts(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    reply_code(&c, &near, 5, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    struct cons_fetch leader = expect_rest(&c, 0);
    reply_code(&c, &leader, 77, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE);
    cons_found_one(&c, 0, 40); /* auto.offset.reset */
    cons_advance(&c, 60);
    leader = expect_fetch(&c, "b1", 1);
    assert_int_equal(leader.parts[0].offset, 40);
    cons_end(&c);
}

static void a_hint_of_a_follower_is_followed(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    struct cons_answer *a = cons_answer(5);
    cons_add(a, 0, SLUICE_KAFKA_FENCED_LEADER_EPOCH, -1)->hint = (struct sl_leader_hint){3, 6};
    c.h->topics[0].leader = 3;
    c.h->topics[0].leader_epoch = 6;
    cons_reply(&c, &near, a);
    struct cons_fetch leader = expect_fetch(&c, "b3", 1);
    assert_int_equal(leader.parts[0].leader_epoch, 6);
    assert_string_equal(leader.rack, "a"); /* nobody failed */
    cons_end(&c);
}

static void a_follower_that_is_gone_is_left(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    reply_batch(&c, &near, 5, 0, 0);
    cons_expect(&c, 0, 0, 10);
    near = expect_fetch(&c, "b2", 1);
    host_cut(c.h, near.r.conn, "reset");
    cons_turn(&c);
    struct cons_fetch leader = expect_rest(&c, 10);
    reply_batch(&c, &leader, 77, 0, 10);
    cons_expect(&c, 0, 10, 20);
    cons_end(&c);
}

/* The session of a follower may be forgotten there: it is begun anew, and that is all. */
static void a_session_that_a_follower_forgot(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    reply_batch(&c, &near, 5, 0, 0);
    near = expect_fetch(&c, "b2", 1);
    struct cons_answer *a = cons_answer(0);
    a->code = SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND;
    cons_reply(&c, &near, a);
    cons_advance(&c, 60);
    near = expect_fetch(&c, "b2", 1);
    assert_int_equal(near.epoch, 0);
    a = cons_answer(0);
    a->code = SLUICE_KAFKA_UNKNOWN_SERVER_ERROR;
    cons_reply(&c, &near, a);
    struct cons_fetch leader = expect_rest(&c, 10);
    (void)leader;
    cons_end(&c);
}

static void a_follower_that_metadata_does_not_know(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    begin(&c, 1);
    struct cons_fetch fetch = expect_fetch(&c, "b1", 1);
    cons_advance(&c, 60);
    c.h->nodes[3] = (struct host_node){4, "b4", 9092};
    c.h->node_count = 4;
    name_follower(&c, &fetch, 77, 0, 4);
    fetch = expect_fetch(&c, "b1", 0); /* the leader goes on meanwhile, and gives records */
    assert_string_equal(fetch.rack, "");
    reply_batch(&c, &fetch, 77, 0, 0);
    cons_expect(&c, 0, 0, 10);
    fetch = expect_fetch(&c, "b1", 1);
    cons_advance(&c, 3000); /* metadata has been asked */
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = expect_fetch(&c, "b1", 0);
    assert_string_equal(fetch.rack, "a");
    (void)sl_brokers_link(sl_brokers_find(c.h->core, 4), SL_PURPOSE_FETCH);
    cons_advance(&c, 60);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 1000)->follower = 4;
    cons_reply(&c, &fetch, a);
    fetch = expect_fetch(&c, "b4", 1);
    assert_int_equal(fetch.parts[0].offset, 10);
    cons_end(&c);
}

/* A connection is waited for a short while; then the leader is read from, for however long it takes. */
static void a_connection_is_not_waited_for_long(void **state) {
    struct cons c;
    int64_t next = 0;
    (void)state;
    prepare(&c);
    cons_create(&c);
    cons_assign(&c, 1, 0);
    cons_turn(&c);
    c.h->hold_open = true;
    cons_advance(&c, 60);
    struct cons_fetch first = expect_fetch(&c, "b1", 1);
    name_follower(&c, &first, 77, 0, 2);
    cons_advance(&c, 499);
    assert_int_equal(cons_waiting(&c), 0);
    cons_advance(&c, 1);
    for (int64_t until = c.h->now + 8000 * SL_MS; c.h->now < until; cons_advance(&c, 100)) {
        struct cons_fetch fetch = cons_next(&c); /* each is of the leader */
        struct cons_answer *a = cons_answer(77);
        assert_true(is_from(&fetch, "b1"));
        if (fetch.rack[0] != '\0') {
            cons_add(a, 0, 0, 1000)->follower = 2;
        } else {
            cons_add_batch(a, 0, next);
            next += 10;
        }
        cons_reply(&c, &fetch, a);
        for (struct sl_slice *slice; (slice = cons_take(&c)) != NULL;) cons_finish(&c, slice);
    }
    assert_in_range(next, 500, 800);
    c.h->hold_open = false;
    host_last(c.h)->connected = true;
    sl_core_on_opened(c.h->core, host_last(c.h)->link);
    cons_advance(&c, 600);
    struct cons_fetch fetch = cons_next(&c);
    cons_reply(&c, &fetch, cons_answer(77));
    fetch = cons_next(&c);
    assert_string_equal(fetch.rack, "a");
    cons_advance(&c, 60);
    struct cons_answer *a = cons_answer(77);
    cons_add(a, 0, 0, 1000)->follower = 2;
    cons_reply(&c, &fetch, a);
    assert_int_equal(expect_fetch(&c, "b2", 1).parts[0].offset, next);
    cons_end(&c);
}

static void a_follower_that_leaves_the_cluster(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    c.h->nodes[1] = (struct host_node){7, "b7", 9092};
    cons_advance(&c, 60);
    sl_metadata_refresh(c.h->core, NULL);
    cons_advance(&c, 4000);
    if (near.r.conn->open) cons_reply(&c, &near, cons_answer(5)); /* its link may drain */
    cons_advance(&c, 600);
    (void)expect_rest(&c, 0);
    cons_end(&c);
}

/* A leader that goes on naming a follower that fails, while it is told the rack. */
static void a_follower_that_fails_is_not_tried_again_at_once(void **state) {
    struct cons c;
    int64_t next = 0;
    int tries = 0;
    (void)state;
    prepare(&c);
    c.h->settings.metadata_max_age_ms = 300000;
    cons_create(&c);
    cons_assign(&c, 1, 0);
    for (int64_t until = c.h->now + 60000 * SL_MS; c.h->now < until; cons_advance(&c, 50)) {
        cons_turn(&c);
        while (cons_waiting(&c) > 0) {
            struct cons_fetch fetch = cons_next(&c);
            struct cons_answer *a = cons_answer(is_from(&fetch, "b1") ? 77 : 5);
            if (!is_from(&fetch, "b1")) {
                tries++;
                cons_add(a, 0, SLUICE_KAFKA_OFFSET_OUT_OF_RANGE, -1);
            } else if (fetch.rack[0] != '\0') {
                cons_add(a, 0, 0, 1000)->follower = 2;
            } else {
                cons_add_batch(a, 0, next);
                next += 10;
            }
            cons_reply(&c, &fetch, a);
            for (struct sl_slice *slice; (slice = cons_take(&c)) != NULL;) cons_finish(&c, slice);
            cons_compact(&c);
            if (next % 100 == 0) break;
        }
    }
    assert_in_range(tries, 3, 8); /* 1, 2, 4, 8, 16, 32 s */
    assert_true(next > 3000);
    assert_int_equal(cons_position(&c, 0), next);
    cons_end(&c);
}

/* What a follower has damaged its leader may have whole. */
static void damage_at_a_follower(void **state) {
    (void)state;
    for (int where = 0; where < 2; where++) {
        struct cons c;
        struct cons_fetch near = follow(&c, 1);
        struct cons_answer *a = cons_answer(5);
        struct cons_entry *entry = cons_add_batch(a, 0, 0);
        cons_more(entry, 10);
        if (where == 0)
            entry->data[entry->size - 1] ^= 1; /* the checksum of the second */
        else
            entry->data[SL_RECORD_MAGIC] = 9; /* the header of the first */
        cons_reply(&c, &near, a);
        if (where == 0) cons_expect(&c, 0, 0, 10);
        struct cons_fetch leader = expect_fetch(&c, "b1", 1);
        assert_int_equal(leader.parts[0].offset, where == 0 ? 10 : 0);
        reply_batch(&c, &leader, 77, 0, where == 0 ? 10 : 0);
        cons_expect(&c, 0, where == 0 ? 10 : 0, where == 0 ? 20 : 10);
        cons_end(&c);
    }
}

/* What is said of a place behind the damage is not true of the one that is gone back to. */
static void damage_undoes_what_came_behind_it(void **state) {
    (void)state;
    for (int what = 0; what < 2; what++) {
        struct cons c;
        struct cons_fetch near = follow(&c, 1);
        struct cons_answer *a = cons_answer(5);
        struct cons_entry *entry = cons_add_batch(a, 0, 0);
        cons_more(entry, 10);
        entry->data[entry->size - 1] ^= 1;
        cons_send(&c, &near, a); /* it has come, and is not checked yet */
        struct sl_fetch_position *position = cons_core(&c, 0);
        assert_int_equal(position->offset, 20);
        if (what == 0)
            sl_fetch_reset(c.h->core, position, SLUICE_ERR_NO_OFFSET, "it is not in the log");
        else
            sl_fetch_stop(c.h->core, position, SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED, "no");
        cons_turn(&c);
        cons_expect(&c, 0, 0, 10);
        cons_expect_nothing(&c);
        (void)expect_rest(&c, 10);
        cons_end(&c);
    }
}

/* ---- what ends a lease, and what does not ---- */

static void another_leader_is_asked(void **state) {
    struct cons c;
    (void)state;
    (void)follow(&c, 1);
    c.h->topics[0].leader = 3;
    c.h->topics[0].leader_epoch = 6;
    cons_advance(&c, LEASE_MS - 1000); /* metadata is asked for before the lease ends */
    sl_metadata_refresh(c.h->core, sl_metadata_topic(c.h->core, "t"));
    cons_turn(&c);
    struct cons_fetch leader = expect_fetch(&c, "b3", 1);
    assert_int_equal(leader.parts[0].leader_epoch, 6);
    assert_string_equal(leader.rack, "a");
    cons_end(&c);
}

static void a_pause_keeps_the_follower(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    cons_pause(&c, 0, true);
    cons_advance(&c, 600);
    cons_reply(&c, &near, cons_answer(5));
    cons_pause(&c, 0, false);
    cons_turn(&c);
    (void)expect_fetch(&c, "b2", 1);
    cons_end(&c);
}

/* But not for longer than it lasts. */
static void a_long_pause_does_not(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    cons_pause(&c, 0, true);
    cons_advance(&c, 600);
    cons_reply(&c, &near, cons_answer(5));
    cons_advance(&c, LEASE_MS);
    cons_pause(&c, 0, false);
    cons_turn(&c);
    (void)expect_fetch(&c, "b1", 1);
    cons_end(&c);
}

static void a_seek_asks_the_leader(void **state) {
    struct cons c;
    (void)state;
    struct cons_fetch near = follow(&c, 1);
    assert_int_equal(cons_seek(&c, 0, 500), 0);
    cons_turn(&c);
    struct cons_fetch leader = expect_fetch(&c, "b1", 1);
    assert_int_equal(leader.parts[0].offset, 500);
    assert_string_equal(leader.rack, "a");
    reply_batch(&c, &near, 5, 0, 0);
    cons_expect_nothing(&c);
    cons_end(&c);
}

static void offsets_are_looked_up_at_the_leader(void **state) {
    struct cons c;
    (void)state;
    (void)follow(&c, 1);
    assert_int_equal(cons_seek(&c, 0, SL_OFFSET_LATEST), 0);
    cons_turn(&c);
    struct cons_lookup lookup = cons_next_lookup(&c);
    assert_string_equal(lookup.r.conn->host, "b1");
    cons_end(&c);
}

/* ---- what a follower knows ---- */

static int64_t told_end(const struct cons *c) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    assert_int_equal(sl_gate_positions(c->gate, list), 0);
    int64_t end = sl_offset_list_find(list, "t", 0)->end;
    sl_offset_list_destroy(list);
    return end;
}

/* The leader said 1000. The end of the follower's log is no end of the partition. */
static void a_lagging_follower_lowers_no_watermark(void **state) {
    struct cons c;
    (void)state;
    prepare(&c);
    c.h->settings.poll_ends = true;
    begin(&c, 1);
    struct cons_fetch fetch = expect_fetch(&c, "b1", 1);
    cons_advance(&c, 60);
    name_follower(&c, &fetch, 77, 0, 2);
    fetch = expect_fetch(&c, "b2", 1);
    struct cons_answer *a = cons_answer(5);
    cons_add_batch(a, 0, 0)->high_watermark = 10;
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 0, 10);
    assert_int_equal(told_end(&c), 1000);
    fetch = expect_fetch(&c, "b2", 1);
    cons_advance(&c, 500);
    a = cons_answer(5);
    cons_add(a, 0, 0, 10);
    cons_reply(&c, &fetch, a);
    cons_expect_nothing(&c); /* no end */
    assert_int_equal(told_end(&c), 1000);
    fetch = expect_fetch(&c, "b2", 0);
    a = cons_answer(5);
    cons_add_batch(a, 0, 10)->high_watermark = 1010; /* it may also be ahead of what is known */
    cons_reply(&c, &fetch, a);
    cons_expect(&c, 0, 10, 20);
    assert_int_equal(told_end(&c), 1010);
    cons_end(&c);
}

static void without_a_rack_none_is_told(void **state) {
    struct cons c;
    (void)state;
    cons_prepare(&c);
    begin(&c, 1);
    struct cons_fetch fetch = cons_next(&c);
    assert_string_equal(fetch.rack, "");
    /* A selector may go by something else, such as the client's name. */
    cons_advance(&c, 60);
    name_follower(&c, &fetch, 77, 0, 2);
    (void)expect_fetch(&c, "b2", 1);
    cons_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_follower_is_fetched_from),
        cmocka_unit_test(after_a_while_the_leader_is_asked_again),
        cmocka_unit_test(a_leader_may_have_nobody_to_name),
        cmocka_unit_test(a_follower_has_nobody_to_name),
        cmocka_unit_test(whatever_a_follower_refuses_is_asked_of_the_leader),
        cmocka_unit_test(what_the_leader_says_then_counts),
        cmocka_unit_test(a_hint_of_a_follower_is_followed),
        cmocka_unit_test(a_follower_that_is_gone_is_left),
        cmocka_unit_test(a_session_that_a_follower_forgot),
        cmocka_unit_test(a_follower_that_metadata_does_not_know),
        cmocka_unit_test(a_connection_is_not_waited_for_long),
        cmocka_unit_test(a_follower_that_leaves_the_cluster),
        cmocka_unit_test(a_follower_that_fails_is_not_tried_again_at_once),
        cmocka_unit_test(damage_at_a_follower),
        cmocka_unit_test(damage_undoes_what_came_behind_it),
        cmocka_unit_test(another_leader_is_asked),
        cmocka_unit_test(a_pause_keeps_the_follower),
        cmocka_unit_test(a_long_pause_does_not),
        cmocka_unit_test(a_seek_asks_the_leader),
        cmocka_unit_test(offsets_are_looked_up_at_the_leader),
        cmocka_unit_test(a_lagging_follower_lowers_no_watermark),
        cmocka_unit_test(without_a_rack_none_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
