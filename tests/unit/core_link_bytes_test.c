/* Goal: the bytes of a connection: frames arrive whole and in order however little the socket takes,
 * answers are read however they are fragmented, what has left and what not is told exactly, and
 * answers to Fetch land in buffers of their own. Method: requests of a test of its own on a link
 * of an admin client (core_host.h). */
#include "core_host.h"

#include "base/rng.h"

static void answers_may_come_byte_by_byte_or_all_at_once(void **state) {
    (void)state;
    for (size_t step = 0; step < 9; step++) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        host_make_ready(h);
        host_ask(h, SL_COMMAND_CREATE_TOPIC, "a", 60000);
        host_ask(h, SL_COMMAND_CREATE_TOPIC, "b", 60000);
        struct sl_op *last = host_ask(h, SL_COMMAND_CREATE_TOPIC, "c", 60000);
        host_turn(h);
        uint8_t all[4096];
        size_t size = 0;
        const char *const names[] = {"a", "b", "c"};
        struct host_conn *conn = NULL;
        for (int i = 0; i < 3; i++) {
            struct host_request r = host_next_request(h, SL_API_CREATE_TOPICS);
            struct sl_create_topics_topic_response topic = {.name = sl_bytes_str(names[i]),
                                                            .error_message = SL_STR_NULL};
            struct sl_create_topics_response answer;
            sl_codec_defaults(&sl_create_topics_response_type, &answer);
            answer.topics = (struct sl_array){&topic, 1};
            size_t part;
            uint8_t *frame = host_encode(sl_api_find(SL_API_CREATE_TOPICS), r.header.version,
                                         r.header.correlation, &answer, &part);
            memcpy(all + size, frame, part);
            size += part;
            free(frame);
            h->requests[r.index].replied = true;
            conn = r.conn;
        }
        host_feed_by(h, conn, all, size, step);
        host_turn(h);
        assert_int_equal(last->state, SL_OP_ENDED);
        assert_int_equal(last->code, 0);
        assert_true(conn->open);
        host_end(h);
    }
}

/* Counts what became of test requests. */
static int done_count;
static int done_codes[64];
static bool done_whole[64];
static void on_test_done(struct sl_core *core, struct sl_request *request, int rv,
                         struct sl_response *resp) {
    (void)core;
    if (rv == 0 && resp != NULL && resp->buffer != NULL) {
        /* Fetch: the frame is in the buffer, and the body points into it. */
        assert_true(resp->body.at >= resp->buffer->data &&
                    resp->body.end <= resp->buffer->data + resp->buffer->size);
    }
    done_codes[done_count] = rv;
    done_whole[done_count++] = request->sent_whole;
}

/* A Produce request with splices, over pieces of the given sizes. */
struct spliced {
    struct sl_request request;
    struct sl_splice splices[4];
    struct sl_iov pieces[4][3];
    uint8_t bytes[4][3][64];
};
static void make_spliced(struct sl_link *link, struct spliced *s, struct sl_rng *rng,
                         bool no_response) {
    memset(s, 0, sizeof *s);
    struct sl_produce_partition partitions[4];
    memset(partitions, 0, sizeof partitions);
    for (int i = 0; i < 4; i++) {
        partitions[i].partition = i;
        partitions[i].records.pieces = s->pieces[i];
        partitions[i].records.piece_count = 3;
        for (int k = 0; k < 3; k++) {
            size_t size = sl_rng_below(rng, 64) + (k == 0);
            for (size_t b = 0; b < size; b++) s->bytes[i][k][b] = (uint8_t)sl_rng_next(rng);
            s->pieces[i][k] = (struct sl_iov){s->bytes[i][k], size};
            partitions[i].records.size += (int32_t)size;
        }
    }
    struct sl_produce_topic topic = {.name = SL_STR("t"), .partitions = {partitions, 4}};
    struct sl_produce_request message;
    sl_codec_defaults(&sl_produce_request_type, &message);
    message.acks = no_response ? 0 : -1;
    message.topics = (struct sl_array){&topic, 1};
    s->request.on_done = on_test_done;
    s->request.no_response = no_response;
    assert_int_equal(
        sl_link_encode(link, &s->request, sl_api_find(SL_API_PRODUCE), 9, &message, s->splices, 4),
        0);
}

static void frames_arrive_whole_whatever_the_socket_takes(void **state) {
    (void)state;
    struct sl_rng rng;
    sl_rng_init(&rng, 7);
    for (size_t cap = 1; cap < 600; cap += cap < 40 ? 1 : 97) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        host_make_ready(h);
        struct sl_link *link = host_link(h, 1, SL_PURPOSE_CONTROL);
        static struct spliced s[3];
        done_count = 0;
        for (int i = 0; i < 3; i++) {
            make_spliced(link, &s[i], &rng, i == 1);
            sl_link_send(link, &s[i].request, 1000);
        }
        h->send_cap = cap;
        struct host_conn *conn = host_last(h);
        while (h->request_count < 3) {
            host_send(h, conn);
            sl_core_check(h->core);
        }
        /* The one without an answer is done, the others have left. */
        assert_int_equal(done_count, 1);
        assert_int_equal(done_codes[0], 0);
        assert_true(h->again);
        assert_int_equal(link->in_flight, 2);
        for (int i = 0; i < 3; i++) {
            struct host_request r = host_next_request(h, SL_API_PRODUCE);
            struct sl_arena arena;
            sl_arena_init(&arena, sl_alloc_default(), 0);
            const struct sl_produce_request *request = host_decode(&r, &arena);
            const struct sl_produce_topic *topic = request->topics.items;
            const struct sl_produce_partition *partitions = topic->partitions.items;
            for (int k = 0; k < 4; k++) {
                const uint8_t *at = partitions[k].records.data;
                for (int n = 0; n < 3; n++) {
                    assert_memory_equal(at, s[i].bytes[k][n], s[i].pieces[k][n].size);
                    at += s[i].pieces[k][n].size;
                }
            }
            sl_arena_deinit(&arena);
        }
        /* The connection is lost: the head gets the reason. */
        host_cut(h, conn, "gone");
        assert_int_equal(done_count, 3);
        assert_int_equal(done_codes[1], SLUICE_ERR_UNREACHABLE);
        assert_true(done_whole[1] && done_whole[2]);
        host_turn(h);
        host_end(h);
    }
}

static void a_frame_not_sent_whole_says_so(void **state) {
    (void)state;
    struct sl_rng rng;
    sl_rng_init(&rng, 8);
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_link *link = host_link(h, 1, SL_PURPOSE_CONTROL);
    static struct spliced s[3];
    done_count = 0;
    for (int i = 0; i < 3; i++) {
        make_spliced(link, &s[i], &rng, false);
        sl_link_send(link, &s[i].request, 1000 + i);
    }
    h->send_cap = s[0].request.size + 10;
    host_send(h, host_last(h));
    assert_false(h->again); /* one has left and one in part: core awaits answers, nothing else */
    /* Muted: the frame that has begun is finished, no other begins. */
    sl_link_throttle(link, 500);
    h->send_cap = 0;
    host_send(h, host_last(h));
    assert_true(s[1].request.sent_whole && s[2].request.sent == 0);
    host_advance(h, 2000);
    /* Timed out: reason first, then consequences; the mute does not count against them. */
    assert_int_equal(done_count, 3);
    assert_int_equal(done_codes[0], SLUICE_ERR_TIMEOUT);
    assert_int_equal(done_codes[1], SLUICE_ERR_UNREACHABLE);
    assert_true(done_whole[0] && done_whole[1] && done_whole[2]);
    host_end(h);
}

static void fetch_answers_land_in_buffers_of_their_own(void **state) {
    (void)state;
    const int32_t sizes[] = {0, 100, 70000, 3000000, 3000000, 200, 5000000};
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    struct sl_link *link = sl_brokers_link(sl_brokers_find(h->core, 1), SL_PURPOSE_FETCH);
    host_turn(h);
    assert_true(sl_link_is_ready(link));
    struct host_conn *conn = host_last(h);
    uint8_t *bytes = calloc(1, 5000000);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sl_request request = {.on_done = on_test_done};
        struct sl_fetch_request message;
        sl_codec_defaults(&sl_fetch_request_type, &message);
        const struct sl_api *api = sl_api_find(SL_API_FETCH);
        assert_int_equal(sl_link_encode(link, &request, api, 12, &message, NULL, 0), 0);
        done_count = 0;
        sl_link_send(link, &request, 1000);
        host_turn(h);
        struct host_request r = host_next_request(h, SL_API_FETCH);
        struct sl_fetch_partition_response partition;
        memset(&partition, 0, sizeof partition);
        partition.diverging_epoch.epoch = -1;
        partition.diverging_epoch.end_offset = -1;
        partition.current_leader.leader_id = partition.current_leader.leader_epoch = -1;
        partition.snapshot_id.end_offset = partition.snapshot_id.epoch = -1;
        partition.records.data = bytes;
        partition.records.size = sizes[i];
        struct sl_fetch_topic_response topic = {.name = SL_STR("t"), .partitions = {&partition, 1}};
        struct sl_fetch_response answer;
        sl_codec_defaults(&sl_fetch_response_type, &answer);
        answer.topics = (struct sl_array){&topic, 1};
        host_reply(h, &r, &answer);
        assert_int_equal(done_count, 1);
        assert_int_equal(done_codes[0], 0);
        assert_true(conn->open);
        sl_core_check(h->core);
    }
    free(bytes);
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_may_come_byte_by_byte_or_all_at_once),
        cmocka_unit_test(frames_arrive_whole_whatever_the_socket_takes),
        cmocka_unit_test(a_frame_not_sent_whole_says_so),
        cmocka_unit_test(fetch_answers_land_in_buffers_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
