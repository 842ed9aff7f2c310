/* Members of the classic protocol in groups of KIP-848 at the bundled broker: a group that goes over
 * with all its members, and what it tells those of the old kind from then on. Each test plays the
 * members by hand; partitions of "t" stand as text, "0 1 2". */
#include "broker_beats.h"

#include "wire/consumer_protocol.h"

enum { MIXED_PARTITIONS = 4 };

struct mixed {
    struct client *c;
    struct client_link *l; /* of the classic member … */
    struct client_link *k; /* … and of that of KIP-848 */
    struct sl_str id;      /* of the classic member */
};

static void begin(struct mixed *x) {
    x->c = client_start(1, MIXED_PARTITIONS);
    x->l = client_connect(x->c, 1);
    x->k = client_connect(x->c, 1);
    x->id = SL_STR("");
}

static struct sl_bytes keep(struct mixed *x, struct sl_writer *writer) {
    uint8_t *copy = sl_arena_get(&x->c->arena, writer->size + 1);
    memcpy(copy, writer->data, writer->size);
    struct sl_bytes bytes = {copy, (int32_t)writer->size};
    sl_writer_deinit(writer);
    return bytes;
}
/* The partitions of "t" in text, as one topic. */
static struct sl_consumer_partitions parts_of(struct mixed *x, const char *text) {
    int32_t *items = sl_arena_array(&x->c->arena, MIXED_PARTITIONS, sizeof *items);
    int32_t count = 0;
    for (const char *at = text; *at != '\0'; at++)
        if (*at != ' ') items[count++] = *at - '0';
    return (struct sl_consumer_partitions){SL_STR("t"), {items, count}};
}
static struct sl_bytes subscription_of(struct mixed *x, const char *owned) {
    struct sl_str topic = SL_STR("t");
    struct sl_consumer_partitions has = parts_of(x, owned);
    struct sl_consumer_subscription s = {.topics = {&topic, 1},
                                         .user_data = SL_BYTES_NULL,
                                         .owned = {&has, has.partitions.count > 0},
                                         .generation = -1,
                                         .rack_id = SL_STR_NULL};
    struct sl_writer writer;
    sl_writer_init(&writer, sl_alloc_default());
    assert_int_equal(sl_consumer_protocol_encode_subscription(&writer, &s), 0);
    return keep(x, &writer);
}
static struct sl_bytes assignment_of(struct mixed *x, const char *text) {
    struct sl_consumer_partitions parts = parts_of(x, text);
    struct sl_consumer_assignment a = {.partitions = {&parts, 1}, .user_data = SL_BYTES_NULL};
    struct sl_writer writer;
    sl_writer_init(&writer, sl_alloc_default());
    assert_int_equal(sl_consumer_protocol_encode_assignment(&writer, &a), 0);
    return keep(x, &writer);
}
static const char *read_assignment(struct mixed *x, struct sl_bytes bytes) {
    struct sl_consumer_assignment a;
    struct sl_text out;
    char *text = sl_arena_get(&x->c->arena, 64);
    assert_int_equal(sl_consumer_protocol_decode_assignment(bytes, &x->c->arena, &a), 0);
    sl_text_init(&out, text, 64);
    for (int32_t i = 0; i < a.partitions.count; i++) {
        const struct sl_consumer_partitions *p = client_item(&a.partitions, i, sizeof *p);
        assert_true(sl_bytes_str_equal(p->topic, SL_STR("t")));
        for (int32_t k = 0; k < p->partitions.count; k++)
            sl_text_printf(&out, "%s%d", out.size > 0 ? " " : "",
                           (int)((const int32_t *)p->partitions.items)[k]);
    }
    return text;
}

static struct group_join join_with(struct mixed *x, const char *owned) {
    struct group_join j = group_join_of(9, "g");
    j.member = x->id;
    j.packed = subscription_of(x, owned);
    return j;
}
static int sync_code(struct mixed *x, int32_t generation, const char **parts) {
    struct sl_sync_group_request request;
    sl_codec_defaults(&sl_sync_group_request_type, &request);
    request.group_id = SL_STR("g");
    request.generation = generation;
    request.member_id = x->id;
    request.instance_id = GROUP_NONE;
    request.protocol_type = SL_STR("consumer");
    request.protocol_name = SL_STR("range");
    const struct sl_sync_group_response *m = client_ask(x->c, x->l, SL_API_SYNC_GROUP, 5, &request);
    *parts = m->error_code == 0 ? read_assignment(x, m->assignment) : "";
    return m->error_code;
}
/* The classic member joins, at once, and gets these. */
static void expect_join(struct mixed *x, const char *owned, int32_t generation,
                        const char *expected) {
    struct group_join j = join_with(x, owned);
    const char *parts;
    const struct sl_join_group_response *m = group_join(x->c, x->l, &j);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->generation, generation);
    assert_int_equal(m->leader.size, 0);
    assert_int_equal(m->members.count, 0);
    assert_true(sl_bytes_str_equal(m->protocol_name, SL_STR("range")));
    assert_int_equal(sync_code(x, generation, &parts), 0);
    assert_string_equal(parts, expected);
}
static int beat_as_classic(struct mixed *x, int32_t generation) {
    return group_heartbeat(x->c, x->l, 4, "g", x->id, GROUP_NONE, generation);
}

/* A group of one classic member with all partitions, in generation 1. */
static void settle_classic(struct mixed *x) {
    struct sl_sync_group_request request;
    struct group_join j = join_with(x, "");
    x->id = group_begin_join(x->c, x->l, &j);
    client_advance(x->c, 200);
    const struct sl_join_group_response *joined = client_take(x->c, x->l);
    assert_int_equal(joined->generation, 1);
    struct sl_sync_group_assignment given = {x->id, assignment_of(x, "0 1 2 3")};
    sl_codec_defaults(&sl_sync_group_request_type, &request);
    request.group_id = SL_STR("g");
    request.generation = 1;
    request.member_id = x->id;
    request.instance_id = GROUP_NONE;
    request.assignments = (struct sl_array){&given, 1};
    const struct sl_sync_group_response *m = client_ask(x->c, x->l, SL_API_SYNC_GROUP, 4, &request);
    assert_int_equal(m->error_code, 0);
}
/* … and "a" of KIP-848 comes. */
static void convert(struct mixed *x) {
    struct beat a = beat_join_of("a");
    settle_classic(x);
    beat_expect(x->c, x->k, &a, 2, ""); /* its share is with the other one still */
}
static void expect_beat(struct mixed *x, int32_t epoch, int32_t next, const char *owned,
                        const char *parts) {
    struct beat a = beat_of("a", epoch);
    beat_own(&a, owned);
    beat_expect(x->c, x->k, &a, next, parts);
}

static void test_an_eager_member(void **state) {
    struct mixed x;
    struct group_commit k = group_commit_of("g", 0, 5);
    const char *parts;
    (void)state;
    begin(&x);
    convert(&x);
    k.member = x.id;
    k.generation = 1;
    assert_int_equal(group_commit(x.c, x.l, 8, &k), 0);
    k.generation = 2;
    assert_int_equal(group_commit(x.c, x.l, 8, &k), SLUICE_KAFKA_ILLEGAL_GENERATION);
    assert_int_equal(beat_as_classic(&x, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    assert_int_equal(sync_code(&x, 1, &parts), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    expect_beat(&x, 2, 2, "", "-"); /* nothing is free yet */
    expect_join(&x, "", 2, "2 3");
    expect_beat(&x, 2, 2, "", "0 1");
    assert_int_equal(beat_as_classic(&x, 2), 0);
    assert_int_equal(beat_as_classic(&x, 1), SLUICE_KAFKA_ILLEGAL_GENERATION);
    assert_int_equal(group_leave(x.c, x.l, 5, "g", x.id, GROUP_NONE), 0);
    assert_int_equal(beat_as_classic(&x, 2), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    expect_beat(&x, 2, 3, "0 1", "0 1 2 3");
    client_end(x.c);
}

/* It says what it has, gives up what it is not to have, and says so with its next join. */
static void test_a_cooperative_member(void **state) {
    struct mixed x;
    (void)state;
    begin(&x);
    convert(&x);
    assert_int_equal(beat_as_classic(&x, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    expect_join(&x, "0 1 2 3", 1, "2 3");
    expect_beat(&x, 2, 2, "", "-");
    assert_int_equal(beat_as_classic(&x, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    expect_join(&x, "2 3", 2, "2 3");
    assert_int_equal(beat_as_classic(&x, 2), 0);
    expect_beat(&x, 2, 2, "", "0 1");
    client_end(x.c);
}

/* The other way round: it comes to a group of KIP-848, and gets its share when that is free. */
static void test_a_classic_member_comes(void **state) {
    struct mixed x;
    struct beat a = beat_join_of("a");
    (void)state;
    begin(&x);
    beat_expect(x.c, x.k, &a, 1, "0 1 2 3");
    struct group_join j = join_with(&x, "");
    x.id = group_name(x.c, x.l, &j);
    expect_join(&x, "", 2, "");
    assert_int_equal(beat_as_classic(&x, 2), 0); /* nothing is free yet */
    expect_beat(&x, 1, 1, "0 1 2 3", "2 3");
    expect_beat(&x, 1, 2, "2 3", "-");
    assert_int_equal(beat_as_classic(&x, 2), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    expect_join(&x, "", 2, "0 1");
    assert_int_equal(beat_as_classic(&x, 2), 0);
    client_end(x.c);
}

static void test_a_static_member_is_replaced(void **state) {
    struct mixed x;
    struct beat a = beat_join_of("a");
    const struct sl_join_group_response *m;
    (void)state;
    begin(&x);
    beat_expect(x.c, x.k, &a, 1, "0 1 2 3");
    struct group_join j = join_with(&x, "");
    j.instance = SL_STR("i");
    m = group_join(x.c, x.l, &j);
    assert_int_equal(m->error_code, 0);
    struct sl_str old = m->member_id;
    int32_t generation = m->generation;
    m = group_join(x.c, x.l, &j);
    assert_int_equal(m->error_code, 0);
    x.id = m->member_id;
    assert_false(sl_bytes_str_equal(old, x.id));
    assert_int_equal(group_heartbeat(x.c, x.l, 4, "g", old, SL_STR("i"), generation),
                     SLUICE_KAFKA_FENCED_INSTANCE_ID);
    j.member = old;
    assert_int_equal(group_join(x.c, x.l, &j)->error_code, SLUICE_KAFKA_FENCED_INSTANCE_ID);
    assert_int_equal(group_leave(x.c, x.l, 5, "g", SL_STR(""), SL_STR("i")), 0);
    assert_int_equal(group_heartbeat(x.c, x.l, 4, "g", x.id, SL_STR("i"), m->generation),
                     SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(x.c);
}

/* Who is told to join again and does not is out when its rebalance timeout is over, however alive it
 * is; and so is who does not ask for its assignment. */
static void test_who_does_not_follow_is_fenced(void **state) {
    struct mixed x;
    (void)state;
    begin(&x);
    convert(&x);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(beat_as_classic(&x, 1), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
        client_advance(x.c, 5000);
    }
    assert_int_equal(beat_as_classic(&x, 1), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    expect_beat(&x, 2, 3, "", "0 1 2 3");
    struct group_join j = join_with(&x, "");
    j.session_ms = 30000;
    assert_int_equal(group_join(x.c, x.l, &j)->error_code, 0);
    client_advance(x.c, 20001);
    assert_int_equal(beat_as_classic(&x, 4), SLUICE_KAFKA_UNKNOWN_MEMBER_ID);
    client_end(x.c);
}

/* Joins that wait in the old group are told to come again. */
static void test_waiting_joins_are_answered(void **state) {
    struct mixed x;
    struct beat a = beat_join_of("a");
    (void)state;
    begin(&x);
    struct group_join j = join_with(&x, "");
    x.id = group_begin_join(x.c, x.l, &j);
    beat_expect(x.c, x.k, &a, 1, "0 2"); /* the other one had nothing */
    const struct sl_join_group_response *m = client_take(x.c, x.l);
    assert_int_equal(m->error_code, SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    expect_join(&x, "", 1, "1 3");
    client_end(x.c);
}

/* What members say that are no consumers cannot be converted. */
static void test_what_cannot_be_converted(void **state) {
    struct mixed x;
    struct beat a = beat_join_of("a");
    struct sl_join_group_response joined;
    (void)state;
    begin(&x);
    struct group_join j = group_join_of(9, "g");
    group_settle_one(x.c, x.l, &j, &joined);
    assert_int_equal(beat_refusal(x.c, x.k, &a), SLUICE_KAFKA_GROUP_ID_NOT_FOUND);
    assert_int_equal(group_heartbeat(x.c, x.l, 4, "g", joined.member_id, GROUP_NONE, 1), 0);
    client_end(x.c);
}

/* "a" leaves, or is not heard of any more. */
static void end_kip848(struct mixed *x, bool leaves) {
    struct beat a = beat_of("a", leaves ? -1 : 2);
    if (leaves) {
        assert_int_equal(beat_ask(x->c, x->k, &a)->error_code, 0);
        return;
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(beat_as_classic(x, 2), 0);
        client_advance(x->c, 5001);
    }
}

/* When no member of KIP-848 is left the group is a classic one again: the others keep what they
 * have in their generation, and join for the next, in which one of them leads. */
static void test_the_last_of_kip848_goes(void **state) {
    (void)state;
    for (int leaves = 0; leaves < 2; leaves++) {
        struct mixed x;
        struct group_commit k = group_commit_of("g", 0, 5);
        const char *parts;
        begin(&x);
        convert(&x);
        expect_join(&x, "", 2, "2 3");
        expect_beat(&x, 2, 2, "", "0 1");
        end_kip848(&x, leaves);
        assert_int_equal(beat_as_classic(&x, 2), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
        assert_int_equal(sync_code(&x, 2, &parts), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
        k.member = x.id;
        k.generation = 2;
        assert_int_equal(group_commit(x.c, x.l, 8, &k), 0);
        struct group_join j = join_with(&x, "2 3");
        const struct sl_join_group_response *m = group_join(x.c, x.l, &j);
        assert_int_equal(m->error_code, 0);
        assert_int_equal(m->generation, 3);
        assert_true(sl_bytes_str_equal(m->leader, x.id));
        assert_int_equal(m->members.count, 1);
        assert_int_equal(beat_as_classic(&x, 3), 0);
        client_end(x.c);
    }
}

/* What was assigned is known on the way there and back. */
static void test_there_and_back(void **state) {
    struct mixed x;
    struct beat a = beat_join_of("a");
    (void)state;
    begin(&x);
    convert(&x);
    expect_join(&x, "", 2, "2 3");
    end_kip848(&x, true);
    beat_expect(x.c, x.k, &a, 3, "0 1"); /* the others are with their owner */
    assert_int_equal(beat_as_classic(&x, 2), SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    expect_join(&x, "2 3", 3, "2 3");
    client_end(x.c);
}

/* A classic member with the instance id of the last of KIP-848, which has left for a while. */
static void test_a_static_member_takes_the_last_place(void **state) {
    struct mixed x;
    struct beat a = beat_join_of("a");
    (void)state;
    begin(&x);
    a.instance = "i";
    beat_expect(x.c, x.k, &a, 1, "0 1 2 3");
    a = beat_of("a", -2);
    a.instance = "i";
    assert_int_equal(beat_ask(x.c, x.k, &a)->error_code, 0);
    struct group_join j = join_with(&x, "");
    j.instance = SL_STR("i");
    const struct sl_join_group_response *m = group_join(x.c, x.l, &j);
    assert_int_equal(m->error_code, 0);
    x.id = m->member_id;
    int32_t generation = m->generation;
    assert_int_equal(group_heartbeat(x.c, x.l, 4, "g", x.id, SL_STR("i"), generation),
                     SLUICE_KAFKA_REBALANCE_IN_PROGRESS);
    j.member = x.id;
    m = group_join(x.c, x.l, &j);
    assert_int_equal(m->error_code, 0);
    assert_int_equal(m->generation, generation + 1);
    assert_true(sl_bytes_str_equal(m->leader, x.id));
    client_end(x.c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_eager_member),
        cmocka_unit_test(test_a_cooperative_member),
        cmocka_unit_test(test_a_classic_member_comes),
        cmocka_unit_test(test_a_static_member_is_replaced),
        cmocka_unit_test(test_who_does_not_follow_is_fenced),
        cmocka_unit_test(test_waiting_joins_are_answered),
        cmocka_unit_test(test_what_cannot_be_converted),
        cmocka_unit_test(test_the_last_of_kip848_goes),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_a_static_member_takes_the_last_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
