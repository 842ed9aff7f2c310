/* Goal: the tables describe Kafka's messages exactly, in every version, and no input hurts.
 * Method: golden frames of other encoders, read, shown, compared with the text beside them and
 * written back to the same bytes; messages filled at random in every version of every API, there
 * and back; the same cut at every byte, with unknown tags in every struct, with bytes turned, and
 * with every allocation failing once; rules that every table has to keep. */
#include "wire_support.h"

#include "sluice/error.h"

enum {
    LEAST_GOLDEN_COUNT = 213, /* a golden frame that goes missing must not go unnoticed */
    ROUNDS = 20               /* random messages for each version of each message */
};

/* ---- all messages ---- */

typedef void visit_message(const struct sl_api *api, int16_t version, bool is_request);

/* The highest version that the tables describe: two go beyond the ranges of api.c. */
static int16_t described_max(const struct sl_api *api) {
    if (api->key == SL_API_API_VERSIONS) return 5;
    return api->key == SL_API_DELETE_GROUPS ? 3 : api->broker_max;
}

/* Every API in every version that is described, request and response. */
static void each_message(visit_message *visit) {
    const struct sl_api *api;
    for (int i = 0; (api = sl_api_at(i)) != NULL; i++) {
        for (int16_t version = api->broker_min; version <= described_max(api); version++) {
            visit(api, version, true);
            visit(api, version, false);
        }
    }
}

/* ---- golden frames ---- */

static void check_golden(const struct golden *g) {
    static char dump[GOLDEN_DUMP_CAP];
    struct test_memory memory;
    struct sl_arena arena;
    union wire_message message;
    struct sl_request_header header = {0};

    test_memory_init(&memory);
    sl_arena_init(&arena, &memory.alloc, 0);
    assert_true(g->size > SL_FRAME_PREFIX);
    assert_int_equal(sl_bytes_get32(g->frame), g->size - SL_FRAME_PREFIX);
    int rv = golden_decode(g, &arena, &message, &header);
    if (rv != 0) fail_msg("%s: decoding gives %d", g->name, rv);
    assert_int_equal(header.correlation, 1);

    struct sl_text text;
    sl_text_init(&text, dump, sizeof dump);
    sl_codec_dump(wire_type(g->api, g->is_request), &message, g->version, &text);
    if (strcmp(dump, g->dump) != 0) fail_msg("%s:\n%s\n%s", g->name, dump, g->dump);

    struct sl_writer out;
    sl_writer_init(&out, &memory.alloc);
    assert_int_equal(golden_encode(g, &out, &message, &header), 0);
    if (out.size != g->size || memcmp(out.data, g->frame, g->size) != 0)
        fail_msg("%s is written with other bytes", g->name);
    sl_writer_deinit(&out);
    sl_arena_deinit(&arena);
    test_memory_check(&memory);
}

static void test_golden_frames(void **state) {
    (void)state;
    assert_in_range(golden_each(check_golden), LEAST_GOLDEN_COUNT, 10000);
}

static void sweep_golden(const struct golden *g) {
    for (long n = 1;; n++) {
        struct test_memory memory;
        struct sl_arena arena;
        struct sl_writer out;
        union wire_message message;
        struct sl_request_header header = {0};
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        sl_arena_init(&arena, &memory.alloc, 0);
        sl_writer_init(&out, &memory.alloc);
        int rv = golden_decode(g, &arena, &message, &header);
        if (rv == 0) rv = golden_encode(g, &out, &message, &header);
        sl_writer_deinit(&out);
        sl_arena_deinit(&arena);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) {
            assert_int_equal(rv, 0);
            return;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

static void test_golden_allocation_failures(void **state) {
    (void)state;
    golden_each(sweep_golden);
}

static void cut_golden(const struct golden *g) {
    struct golden cut = *g;
    for (cut.size = SL_FRAME_PREFIX; cut.size < g->size; cut.size++) {
        struct sl_arena arena;
        union wire_message message;
        struct sl_request_header header = {0};
        sl_arena_init(&arena, sl_alloc_default(), 0);
        assert_int_equal(golden_decode(&cut, &arena, &message, &header), SLUICE_ERR_MALFORMED);
        sl_arena_deinit(&arena);
    }
    struct sl_arena arena;
    union wire_message message;
    struct sl_request_header header = {0};
    sl_arena_init(&arena, sl_alloc_default(), 0);
    cut.frame[cut.size++] = 0; /* and one byte too many */
    assert_int_equal(golden_decode(&cut, &arena, &message, &header), SLUICE_ERR_MALFORMED);
    sl_arena_deinit(&arena);
}

static void test_golden_cut_at_every_byte(void **state) {
    (void)state;
    golden_each(cut_golden);
}

/* ---- random messages ---- */

/* One message on its way: what was filled in, its bytes, and what came back. */
struct trip {
    const struct sl_type *type;
    int16_t version;
    bool flexible;
    struct sl_rng rng;
    struct sl_arena arena;
    union wire_message sent;
    union wire_message back;
    struct sl_writer out;
};

static void trip_start(struct trip *t, const struct sl_api *api, int16_t version, bool is_request,
                       uint64_t seed) {
    t->type = wire_type(api, is_request);
    t->version = version;
    t->flexible = sl_api_is_flexible(api, version);
    assert_true(t->type->size <= sizeof t->sent);
    sl_rng_init(&t->rng,
                seed + (uint64_t)version * 1000 + (uint64_t)api->key * 100000 + is_request);
    sl_arena_init(&t->arena, sl_alloc_default(), 0);
    fill_struct(&t->rng, &t->arena, t->type, &t->sent, version);
    sl_writer_init(&t->out, sl_alloc_default());
    struct sl_encoder e = {.out = &t->out};
    assert_int_equal(sl_codec_encode(&e, t->type, &t->sent, version, t->flexible), 0);
}

static int trip_decode(struct trip *t, const void *bytes, size_t size) {
    struct sl_reader r;
    sl_reader_init(&r, bytes, size);
    return sl_codec_decode(&r, &t->arena, t->type, &t->back, t->version, t->flexible);
}

static void trip_end(struct trip *t) {
    sl_writer_deinit(&t->out);
    sl_arena_deinit(&t->arena);
}

static void check_round_trips(const struct sl_api *api, int16_t version, bool is_request) {
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct trip t;
        trip_start(&t, api, version, is_request, round);
        assert_int_equal(trip_decode(&t, t.out.data, t.out.size), 0);
        if (!sl_codec_equal(t.type, &t.sent, &t.back, version))
            fail_msg("%s %d comes back with another content", t.type->name, version);
        trip_end(&t);
    }
}

static void test_round_trips(void **state) {
    (void)state;
    each_message(check_round_trips);
}

static void check_cuts(const struct sl_api *api, int16_t version, bool is_request) {
    struct trip t;
    trip_start(&t, api, version, is_request, 7);
    for (size_t size = 0; size < t.out.size; size++) {
        /* A copy of its own, so that a sanitizer sees the first byte read beyond. */
        uint8_t *cut = malloc(size > 0 ? size : 1);
        assert_non_null(cut);
        memcpy(cut, t.out.data, size);
        assert_int_equal(trip_decode(&t, cut, size), SLUICE_ERR_MALFORMED);
        free(cut);
        sl_arena_reset(&t.arena);
    }
    trip_end(&t);
}

static void test_cut_at_every_byte(void **state) {
    (void)state;
    each_message(check_cuts);
}

static void check_unknown_tags(const struct sl_api *api, int16_t version, bool is_request) {
    if (!sl_api_is_flexible(api, version)) return;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct trip t;
        trip_start(&t, api, version, is_request, round);
        struct sl_reader r;
        struct sl_writer w;
        sl_reader_init(&r, t.out.data, t.out.size);
        sl_writer_init(&w, sl_alloc_default());
        struct tag_injector in = {&t.rng, &r, &w, version};
        inject_struct(&in, t.type);
        assert_true(w.size > t.out.size);
        assert_int_equal(trip_decode(&t, w.data, w.size), 0);
        assert_true(sl_codec_equal(t.type, &t.sent, &t.back, version));
        sl_writer_deinit(&w);
        trip_end(&t);
    }
}

static void test_unknown_tags_are_skipped(void **state) {
    (void)state;
    each_message(check_unknown_tags);
}

/* Whatever is decoded without an error can be encoded, and decodes to the same again. */
static void check_second_trip(struct trip *t) {
    struct sl_writer out;
    struct sl_reader r;
    union wire_message again;
    sl_writer_init(&out, sl_alloc_default());
    struct sl_encoder e = {.out = &out};
    assert_int_equal(sl_codec_encode(&e, t->type, &t->back, t->version, t->flexible), 0);
    sl_reader_init(&r, out.data, out.size);
    assert_int_equal(sl_codec_decode(&r, &t->arena, t->type, &again, t->version, t->flexible), 0);
    assert_true(sl_codec_equal(t->type, &t->back, &again, t->version));
    sl_writer_deinit(&out);
}

static void check_turned_bytes(const struct sl_api *api, int16_t version, bool is_request) {
    for (uint64_t round = 0; round < 2 * ROUNDS; round++) {
        struct trip t;
        trip_start(&t, api, version, is_request, round);
        for (int turns = 0; t.out.size > 0 && turns < 3; turns++) {
            static const uint8_t likely[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe};
            t.out.data[sl_rng_below(&t.rng, t.out.size)] =
                likely[sl_rng_below(&t.rng, sizeof likely)];
        }
        int rv = trip_decode(&t, t.out.data, t.out.size);
        if (rv == 0) check_second_trip(&t);
        if (rv != 0) assert_int_equal(rv, SLUICE_ERR_MALFORMED);
        trip_end(&t);
    }
}

static void test_turned_bytes(void **state) {
    (void)state;
    each_message(check_turned_bytes);
}

/* ---- rules of the tables ---- */

/* The smallest wire form of a type, written down again to check the factor it leads to. */
static size_t least_wire_size(const struct sl_type *type, int16_t version, bool flexible);

static size_t least_kind_size(int kind, const struct sl_type *item, int16_t version,
                              bool flexible) {
    static const size_t fixed[] = {
        [SL_KIND_BOOL] = 1,   [SL_KIND_I8] = 1,     [SL_KIND_I16] = 2, [SL_KIND_U16] = 2,
        [SL_KIND_I32] = 4,    [SL_KIND_I64] = 8,    [SL_KIND_F64] = 8, [SL_KIND_UUID] = 16,
        [SL_KIND_STRUCT] = 0, [SL_KIND_OPTION] = 1,
    };
    if (kind == SL_KIND_STRUCT) return least_wire_size(item, version, flexible);
    if (fixed[kind] > 0) return fixed[kind];
    if (flexible) return 1;
    return kind == SL_KIND_STR ? 2 : 4;
}

static size_t least_wire_size(const struct sl_type *type, int16_t version, bool flexible) {
    size_t size = flexible ? 1 : 0;
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (f->tag >= 0 || !sl_schema_has(f, version)) continue;
        size += least_kind_size(f->kind, f->item, version, flexible);
    }
    return size;
}

static void check_type_rules(const struct sl_type *type, int16_t version, bool flexible) {
    int last_tag = -1;
    size_t last_end = 0;
    for (int i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        bool is_nested = f->kind == SL_KIND_STRUCT;
        size_t size = is_nested ? f->item->size : 1;
        assert_in_range(f->kind, SL_KIND_BOOL, SL_KIND_OPTION);
        /* Members are listed in the order of the struct and do not overlap. */
        assert_true(f->offset >= last_end && f->offset + size <= type->size);
        last_end = f->offset + size;
        assert_true(f->since >= 0 && f->since <= f->until);
        assert_true(f->nullable_since == -1 || f->nullable_since <= f->until);
        if (f->tag >= 0) {
            assert_true(f->tag > last_tag && f->tag < UNKNOWN_TAG_FIRST);
            assert_int_not_equal(f->kind, SL_KIND_RECORDS); /* a splice needs a known place */
            last_tag = f->tag;
        }
        if (f->kind == SL_KIND_ARRAY) {
            assert_true((f->item != NULL) != (f->item_kind != 0));
            size_t least = least_kind_size(f->item != NULL ? SL_KIND_STRUCT : f->item_kind, f->item,
                                           version, flexible);
            /* What the memory of a decoded frame is at most, for each of its bytes. */
            if (sl_schema_has(f, version)) assert_true(sl_codec_item_size(f) < 32 * least);
        } else if (f->kind == SL_KIND_OPTION) {
            assert_true(f->item->size < 32 * least_wire_size(f->item, version, flexible));
        } else {
            assert_true(is_nested == (f->item != NULL));
        }
        if (f->item != NULL) check_type_rules(f->item, version, flexible);
    }
}

static void check_table_rules(const struct sl_api *api, int16_t version, bool is_request) {
    const struct sl_type *type = wire_type(api, is_request);
    check_type_rules(type, version, sl_api_is_flexible(api, version));
    /* A tag cannot be on the wire before there is a place for it. */
    for (int i = 0; i < type->field_count; i++) {
        if (type->fields[i].tag >= 0) assert_true(type->fields[i].since >= api->flexible_since);
    }
}

static void test_table_rules(void **state) {
    (void)state;
    each_message(check_table_rules);
}

/* A frame that claims as much as it can get away with must not cost much more than it is long. */
static void check_memory_bound(const struct sl_api *api, int16_t version, bool is_request) {
    enum { SIZE = 20000, FACTOR = 32, SLACK = 4 }; /* SLACK: blocks grow by doubling */
    static uint8_t hostile[SIZE];
    const struct sl_type *type = wire_type(api, is_request);
    struct sl_rng rng;
    sl_rng_init(&rng, (uint64_t)version);
    for (int round = 0; round < ROUNDS; round++) {
        struct test_memory memory;
        struct sl_arena arena;
        struct sl_reader r;
        union wire_message message;
        for (int i = 0; i < SIZE; i++)
            hostile[i] = (uint8_t)sl_rng_below(&rng, 1 + (uint64_t)round);
        test_memory_init(&memory);
        sl_arena_init(&arena, &memory.alloc, 0);
        sl_reader_init(&r, hostile, sizeof hostile);
        (void)sl_codec_decode(&r, &arena, type, &message, version,
                              sl_api_is_flexible(api, version));
        assert_true(memory.peak_bytes < (size_t)SIZE * FACTOR * SLACK);
        sl_arena_deinit(&arena);
        test_memory_check(&memory);
    }
}

static void test_memory_is_bounded(void **state) {
    (void)state;
    each_message(check_memory_bound);
}

/* ---- defaults that are not zero ---- */

static void test_defaults(void **state) {
    (void)state;
    struct sl_produce_partition_response produced;
    struct sl_fetch_partition_response fetched;
    struct sl_fetch_request fetch;
    struct sl_api_versions_response versions;
    struct sl_metadata_request metadata;
    struct sl_offset_for_leader_epoch_request epochs;
    const struct sl_field *topics = &sl_produce_response_type.fields[0];
    const struct sl_field *partitions = &topics->item->fields[2];

    sl_codec_defaults(partitions->item, &produced);
    assert_int_equal(produced.current_leader.leader_id, -1);
    assert_int_equal(produced.current_leader.leader_epoch, -1);
    assert_true(produced.log_append_ms == -1 && produced.log_start_offset == -1);
    assert_int_equal(produced.error_message.size, -1);

    partitions = &sl_fetch_response_type.fields[3].item->fields[2];
    sl_codec_defaults(partitions->item, &fetched);
    assert_int_equal(fetched.preferred_read_replica, -1);
    assert_true(fetched.diverging_epoch.epoch == -1 && fetched.diverging_epoch.end_offset == -1);
    assert_true(fetched.snapshot_id.epoch == -1 && fetched.snapshot_id.end_offset == -1);
    assert_int_equal(fetched.current_leader.leader_id, -1);
    assert_true(fetched.last_stable_offset == -1 && fetched.log_start_offset == -1);
    assert_int_equal(fetched.aborted_transactions.count, 0);

    sl_codec_defaults(&sl_fetch_request_type, &fetch);
    assert_int_equal(fetch.replica_id, -1);
    assert_int_equal(fetch.replica_state.replica_id, -1);
    assert_true(fetch.replica_state.replica_epoch == -1);
    assert_int_equal(fetch.max_bytes, INT32_MAX);
    assert_int_equal(fetch.session_epoch, -1);
    assert_int_equal(fetch.cluster_id.size, -1);
    assert_int_equal(fetch.rack_id.size, 0);

    sl_codec_defaults(&sl_api_versions_response_type, &versions);
    assert_true(versions.finalized_features_epoch == -1);
    sl_codec_defaults(&sl_metadata_request_type, &metadata);
    assert_true(metadata.allow_auto_topic_creation);
    assert_int_equal(metadata.topics.count, 0);
    sl_codec_defaults(&sl_offset_for_leader_epoch_request_type, &epochs);
    assert_int_equal(epochs.replica_id, -2);
}

/* Those of the messages of groups. */
static void test_group_defaults(void **state) {
    (void)state;
    struct sl_offset_commit_request commit;
    struct sl_offset_fetch_group fetch;
    struct sl_offset_fetch_partition_response fetched;
    struct sl_join_group_request join;
    struct sl_join_group_response joined;
    struct sl_consumer_group_heartbeat_request heartbeat;
    struct sl_consumer_group_heartbeat_response answer;
    struct sl_describe_groups_group group;
    struct sl_consumer_group_describe_member member;

    sl_codec_defaults(&sl_offset_commit_request_type, &commit);
    assert_true(commit.generation == -1 && commit.retention_ms == -1);
    assert_true(commit.member_id.size == 0 && commit.instance_id.size == -1);
    sl_codec_defaults(sl_offset_fetch_request_type.fields[2].item, &fetch);
    assert_true(fetch.member_id.size == -1 && fetch.member_epoch == -1 && fetch.topics.count == 0);
    const struct sl_field *topics = &sl_offset_fetch_response_type.fields[1];
    sl_codec_defaults(topics->item->fields[2].item, &fetched);
    assert_true(fetched.leader_epoch == -1 && fetched.metadata.size == -1);

    sl_codec_defaults(&sl_join_group_request_type, &join);
    assert_true(join.rebalance_timeout_ms == -1 && join.instance_id.size == -1);
    assert_int_equal(join.reason.size, -1);
    sl_codec_defaults(&sl_join_group_response_type, &joined);
    assert_true(joined.generation == -1 && !joined.skip_assignment);

    sl_codec_defaults(&sl_consumer_group_heartbeat_request_type, &heartbeat);
    assert_true(heartbeat.instance_id.size == -1 && heartbeat.rack_id.size == -1);
    assert_true(heartbeat.topic_names.count == -1 && heartbeat.owned.count == -1);
    assert_true(heartbeat.topic_regex.size == -1 && heartbeat.assignor.size == -1);
    assert_int_equal(heartbeat.rebalance_timeout_ms, -1);
    sl_codec_defaults(&sl_consumer_group_heartbeat_response_type, &answer);
    assert_int_equal(answer.assignment.count, -1);

    sl_codec_defaults(sl_describe_groups_response_type.fields[1].item, &group);
    assert_int_equal(group.authorized_operations, INT32_MIN);
    const struct sl_field *groups = &sl_consumer_group_describe_response_type.fields[1];
    sl_codec_defaults(groups->item->fields[7].item, &member);
    assert_int_equal(member.member_type, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_frames),
        cmocka_unit_test(test_golden_allocation_failures),
        cmocka_unit_test(test_golden_cut_at_every_byte),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_unknown_tags_are_skipped),
        cmocka_unit_test(test_turned_bytes),
        cmocka_unit_test(test_table_rules),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_group_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
