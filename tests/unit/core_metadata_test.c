/* Goal: what is known of topics follows the rules of protocol notes 3.4, whatever brokers answer:
 * epochs, re-creation, omissions, duplicates, errors per topic; what is in trouble is asked for
 * again at a bounded pace; leader hints; and the triggers of starting over (KIP-1102).
 * Method: an admin client, PARTITIONS ops, answers from a table (core_host.h) or by hand. */
#include "core_host.h"

static struct sl_topic *topic_of(struct host *h, const char *name) {
    struct sl_topic *topic = sl_map_get(&h->core->metadata.by_name, name, strlen(name));
    assert_non_null(topic);
    return topic;
}

/* A client that knows topic "t" with three partitions: leader 1, epoch 5, id 1. */
static struct host *start_with_topic(void) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->nodes[1] = (struct host_node){2, "b2", 9092};
    h->node_count = 2;
    h->topics[0] = (struct host_topic){"t", 1, 0, 3, 1, 5};
    h->topic_count = 1;
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    host_turn(h);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->number, 3);
    return h;
}

/* Has the topic asked for once more, and lets the answer in. */
static void ask_again(struct host *h) {
    host_advance(h, 5000);
    sl_metadata_refresh(h->core, topic_of(h, "t"));
    host_advance(h, 50);
}

static void a_topic_is_asked_for_by_name(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->hold_metadata = true;
    host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_METADATA);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_metadata_request *request = host_decode(&r, &arena);
    assert_int_equal(request->topics.count, 1);
    const struct sl_metadata_topic *asked = request->topics.items;
    assert_true(sl_bytes_str_equal(asked->name, SL_STR("t")));
    assert_true(sl_bytes_uuid_is_zero(&asked->topic_id));
    assert_true(request->allow_auto_topic_creation);
    sl_arena_deinit(&arena);
    host_end(h);
}

static void topics_are_not_created_where_that_is_switched_off(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->settings.auto_create_topics = false;
    h->hold_metadata = true;
    host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    host_turn(h);
    struct host_request r = host_next_request(h, SL_API_METADATA);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_metadata_request *request = host_decode(&r, &arena);
    assert_false(request->allow_auto_topic_creation);
    sl_arena_deinit(&arena);
    host_end(h);
}

static void a_known_topic_is_answered_at_once(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    int frames = h->frames;
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->number, 3);
    host_turn(h);
    assert_int_equal(h->frames, frames);
    assert_false(sl_list_is_empty(&h->events.topics));
    const struct sl_topic_news *news =
        SL_LIST_OF(h->events.topics.next, struct sl_topic_news, node);
    assert_string_equal(news->name, "t");
    assert_int_equal(news->partition_count, 3);
    host_end(h);
}

static void an_unknown_topic_is_waited_for_at_a_bounded_pace(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    host_make_ready(h);
    int frames = h->frames;
    struct sl_op *never = host_ask(h, SL_COMMAND_PARTITIONS, "t", 10000);
    host_advance(h, 9900);
    assert_int_equal(never->state, SL_OP_PENDING);
    assert_in_range(h->frames - frames, 8, 20); /* 100 ms doubled up to 1 s */
    host_advance(h, 200);
    assert_int_equal(never->code, SLUICE_KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_non_null(strstr(never->text, "topic \"t\": UNKNOWN_TOPIC_OR_PARTITION"));
    /* With nobody waiting the asking ends. */
    host_advance(h, 2000);
    frames = h->frames;
    host_advance(h, 100000);
    assert_int_equal(h->frames, frames);
    /* It comes into being while somebody waits. */
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 10000);
    host_advance(h, 500);
    h->topics[0] = (struct host_topic){"t", 1, 0, 12, 1, 0};
    h->topic_count = 1;
    host_advance(h, 1300);
    assert_int_equal(op->code, 0);
    assert_int_equal(op->number, 12);
    host_end(h);
}

static void refusals_are_told_at_once(void **state) {
    (void)state;
    const int16_t codes[] = {SLUICE_KAFKA_TOPIC_AUTHORIZATION_FAILED,
                             SLUICE_KAFKA_INVALID_TOPIC_EXCEPTION};
    for (int i = 0; i < 2; i++) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        h->topics[0] = (struct host_topic){"t", 0, codes[i], 0, -1, -1};
        h->topic_count = 1;
        struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 10000);
        host_turn(h);
        assert_int_equal(op->state, SL_OP_ENDED);
        assert_int_equal(op->code, codes[i]);
        int frames = h->frames;
        host_advance(h, 10000);
        assert_int_equal(h->frames, frames);
        /* Granted meanwhile: asking anew helps. */
        h->topics[0] = (struct host_topic){"t", 1, 0, 2, 1, 0};
        op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 10000);
        host_advance(h, 200);
        assert_int_equal(op->code, 0);
        assert_int_equal(op->number, 2);
        host_end(h);
    }
}

static void an_error_of_a_topic_erases_nothing(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->topics[0].code = SLUICE_KAFKA_LEADER_NOT_AVAILABLE;
    h->topics[0].partition_count = 0;
    ask_again(h);
    const struct sl_topic *topic = topic_of(h, "t");
    assert_int_equal(topic->code, SLUICE_KAFKA_LEADER_NOT_AVAILABLE);
    assert_int_equal(topic->partition_count, 3);
    assert_int_equal(topic->partitions[2]->leader, 1);
    h->topics[0] = (struct host_topic){"t", 1, 0, 3, 2, 6};
    host_advance(h, 3000); /* asked again by itself */
    assert_int_equal(topic->code, 0);
    assert_int_equal(topic->partitions[2]->leader, 2);
    host_end(h);
}

static void leaders_follow_their_epochs(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    const struct sl_partition *partition = topic_of(h, "t")->partitions[1];
    h->topics[0].leader = 2; /* the same epoch: taken (a reassignment) */
    ask_again(h);
    assert_int_equal(partition->leader, 2);
    h->topics[0].leader = 1;
    h->topics[0].leader_epoch = 4; /* older: refused, for as long as it is told */
    ask_again(h);
    assert_int_equal(partition->leader, 2);
    assert_int_equal(partition->leader_epoch, 5);
    h->topics[0].leader_epoch = 7;
    host_advance(h, 3000);
    assert_int_equal(partition->leader, 1);
    assert_int_equal(partition->leader_epoch, 7);
    h->topics[0].leader_epoch = -1; /* none told: ours is forgotten */
    h->topics[0].leader = 2;
    ask_again(h);
    assert_int_equal(partition->leader, 2);
    assert_int_equal(partition->leader_epoch, -1);
    h->topics[0].leader_epoch = 3;
    ask_again(h);
    assert_int_equal(partition->leader_epoch, 3);
    host_end(h);
}

static void epochs_of_old_versions_do_not_count(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    h->metadata_max = 8;
    h->topics[0] = (struct host_topic){"t", 0, 0, 1, 1, 5};
    h->topic_count = 1;
    host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    host_turn(h);
    assert_int_equal(topic_of(h, "t")->partitions[0]->leader, 1);
    assert_int_equal(topic_of(h, "t")->partitions[0]->leader_epoch, -1);
    assert_true(sl_bytes_uuid_is_zero(&topic_of(h, "t")->id));
    host_end(h);
}

static void another_id_is_another_topic(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    struct sl_topic *topic = topic_of(h, "t");
    struct sl_uuid old = topic->id;
    const struct sl_partition *kept = topic->partitions[2];
    assert_ptr_equal(sl_metadata_find_id(h->core, &old), topic);
    h->topics[0] = (struct host_topic){"t", 9, 0, 2, 2, 0}; /* fewer partitions, epoch 0 */
    ask_again(h);
    assert_int_equal(topic->generation, 1);
    assert_int_equal(topic->partition_count, 2);
    assert_int_equal(topic->partitions[0]->leader, 2);
    assert_int_equal(topic->partitions[0]->leader_epoch, 0);
    assert_int_equal(kept->leader, -1); /* still there for whoever refers to it */
    assert_null(sl_metadata_find_id(h->core, &old));
    assert_ptr_equal(sl_metadata_find_id(h->core, &topic->id), topic);
    assert_true(host_was_told(h, "deleted and created anew"));
    h->topics[0].partition_count = 5; /* it grows, the old object is used again */
    ask_again(h);
    assert_int_equal(topic->partition_count, 5);
    assert_int_equal(topic->generation, 1);
    assert_ptr_equal(topic->partitions[2], kept);
    assert_int_equal(kept->leader, 2);
    /* A broker that tells no id does not make it another topic. */
    h->topics[0].id = 0;
    ask_again(h);
    assert_int_equal(topic->generation, 1);
    assert_false(sl_bytes_uuid_is_zero(&topic->id));
    host_end(h);
}

/* Answers the Metadata request that waits with partitions of those indexes. */
static void answer_indexes(struct host *h, const int32_t *indexes, int32_t count) {
    struct host_request r = host_next_request(h, SL_API_METADATA);
    struct sl_metadata_broker broker = {1, SL_STR("b1"), 9092, SL_STR_NULL};
    struct sl_metadata_partition_response items[16];
    memset(items, 0, sizeof items);
    for (int32_t i = 0; i < count; i++) {
        items[i].partition = indexes[i];
        items[i].leader_id = 1;
        items[i].leader_epoch = 50;
    }
    struct sl_metadata_topic_response topics[2];
    memset(topics, 0, sizeof topics);
    for (int i = 0; i < 2; i++) { /* the topic twice: the second does not count */
        topics[i].name = SL_STR("t");
        topics[i].partitions = (struct sl_array){items, i == 0 ? count : 0};
        topics[i].authorized_operations = INT32_MIN;
    }
    struct sl_metadata_response answer;
    sl_codec_defaults(&sl_metadata_response_type, &answer);
    answer.brokers = (struct sl_array){&broker, 1};
    answer.topics = (struct sl_array){topics, 2};
    host_reply(h, &r, &answer);
    host_turn(h);
}

static void partitions_that_do_not_add_up_are_not_counted(void **state) {
    (void)state;
    static const struct {
        int32_t indexes[4];
        int32_t count, known;
    } cases[] = {
        {{0, 2}, 2, 0}, {{0, 0, 1}, 3, 0}, {{-1, 0}, 2, 0},   {{1}, 1, 0},
        {{0}, 0, 0},    {{999999}, 1, 0},  {{2, 0, 1}, 3, 3}, {{INT32_MAX, 0}, 2, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct host *h = host_start(SL_ROLE_ADMIN);
        h->hold_metadata = true;
        host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
        host_turn(h);
        answer_indexes(h, cases[i].indexes, cases[i].count);
        assert_int_equal(topic_of(h, "t")->partition_count, cases[i].known);
        if (cases[i].known == 0) { /* asked again */
            host_advance(h, 130);
            assert_int_equal(host_count_requests(h, SL_API_METADATA), 1);
        }
        host_end(h);
    }
}

static void a_known_topic_never_shrinks(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    const struct sl_topic *topic = topic_of(h, "t");
    h->hold_metadata = true;
    ask_again(h);
    const int32_t one[] = {2, 7, 2};
    answer_indexes(h, one, 3);
    assert_int_equal(topic->partition_count, 3);
    assert_int_equal(topic->partitions[2]->leader_epoch, 50); /* what it said is taken */
    assert_int_equal(topic->partitions[0]->leader_epoch, 5);  /* what it left out is kept */
    host_advance(h, 130);
    assert_int_equal(host_count_requests(h, SL_API_METADATA), 1); /* and asked for again */
    host_end(h);
}

static void topics_left_out_are_asked_for_again(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->hold_metadata = true;
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "u", 10000);
    host_turn(h);
    const int32_t indexes[] = {0};
    answer_indexes(h, indexes, 1); /* speaks of "t" alone, unasked */
    assert_int_equal(topic_of(h, "t")->partitions[0]->leader_epoch, 5);
    assert_int_equal(op->state, SL_OP_PENDING);
    host_advance(h, 130);
    assert_int_equal(host_count_requests(h, SL_API_METADATA), 1);
    host_end(h);
}

static void an_answer_without_brokers_is_none(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->node_count = 0;
    h->topics[0].partition_count = 9;
    ask_again(h);
    assert_int_equal(topic_of(h, "t")->partition_count, 3);
    assert_non_null(sl_brokers_find(h->core, 2));
    h->node_count = 2;
    host_advance(h, 3000);
    assert_int_equal(topic_of(h, "t")->partition_count, 9);
    host_end(h);
}

static void leaderless_partitions_are_asked_for_again(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->topics[0].leader = -1;
    h->topics[0].leader_epoch = 6;
    ask_again(h);
    const struct sl_partition *partition = topic_of(h, "t")->partitions[0];
    assert_int_equal(partition->leader, -1);
    assert_int_equal(partition->code, SLUICE_KAFKA_LEADER_NOT_AVAILABLE);
    int frames = h->frames;
    host_advance(h, 20000);
    assert_in_range(h->frames - frames, 15, 30);
    h->topics[0].leader = 42; /* a leader that nobody lists is none either */
    host_advance(h, 2000);
    frames = h->frames;
    host_advance(h, 20000);
    assert_in_range(h->frames - frames, 15, 30);
    h->topics[0].leader = 2;
    host_advance(h, 2000);
    frames = h->frames;
    host_advance(h, 20000);
    assert_int_equal(h->frames, frames);
    host_end(h);
}

static void refreshing_all_the_time_is_paced(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    host_advance(h, 5000);
    int frames = h->frames;
    for (int i = 0; i < 1000; i++) {
        sl_metadata_refresh(h->core, topic_of(h, "t"));
        sl_metadata_refresh(h->core, NULL);
        host_advance(h, 10);
    }
    assert_in_range(h->frames - frames, 10, 200); /* 20 a second at most */
    host_end(h);
}

static void everything_is_refreshed_after_its_age(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->settings.metadata_max_idle_ms = 600000;
    int frames = h->frames;
    host_advance(h, 299000);
    assert_int_equal(h->frames, frames);
    h->topics[0].leader = 2;
    h->topics[0].leader_epoch = 6;
    host_advance(h, 2000);
    assert_int_equal(h->frames, frames + 1);
    assert_int_equal(topic_of(h, "t")->partitions[0]->leader, 2);
    host_end(h);
}

/* Answers the Metadata request that waits as the host would; returns how many topics it named. */
static int32_t count_asked_topics(struct host *h) {
    struct host_request r = host_next_request(h, SL_API_METADATA);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_metadata_request *request = host_decode(&r, &arena);
    int32_t count = request->topics.count;
    sl_arena_deinit(&arena);
    host_answer_metadata(h, &r);
    host_turn(h);
    return count;
}

static void idle_topics_are_forgotten_until_used(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->settings.metadata_max_age_ms = 50000;
    h->settings.metadata_max_idle_ms = 120000;
    h->hold_metadata = true;
    sl_metadata_refresh(h->core, NULL);
    host_turn(h);
    assert_int_equal(count_asked_topics(h), 1);
    host_advance(h, 50000);
    assert_int_equal(count_asked_topics(h), 1);
    host_advance(h, 50000);
    assert_int_equal(count_asked_topics(h), 1);
    host_advance(h, 50000);
    assert_int_equal(count_asked_topics(h), 0);
    assert_true(topic_of(h, "t")->forgotten);
    host_advance(h, 50000);
    assert_int_equal(count_asked_topics(h), 0);
    /* Who asks for it gets what is known, and it is asked for at once. */
    h->topics[0].leader = 2;
    h->topics[0].leader_epoch = 6;
    struct sl_op *op = host_ask(h, SL_COMMAND_PARTITIONS, "t", 1000);
    assert_int_equal(op->number, 3);
    host_turn(h);
    assert_int_equal(count_asked_topics(h), 1);
    assert_int_equal(topic_of(h, "t")->partitions[0]->leader, 2);
    host_advance(h, 50000);
    assert_int_equal(count_asked_topics(h), 1);
    host_end(h);
}

/* Trouble with a topic that nobody uses any more ends, too. */
static void trouble_of_idle_topics_ends(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->settings.metadata_max_idle_ms = 120000;
    h->topics[0].leader = -1;
    h->topics[0].leader_epoch = 6;
    ask_again(h);
    host_advance(h, 60000);
    assert_int_equal(topic_of(h, "t")->partitions[0]->leader, -1);
    int frames = h->frames;
    host_advance(h, 10000);
    assert_true(h->frames > frames);
    host_advance(h, 60000);
    assert_true(topic_of(h, "t")->forgotten);
    frames = h->frames;
    host_advance(h, 60000);
    assert_int_equal(h->frames, frames);
    host_end(h);
}

static void hints_are_taken_when_newer_and_known(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    struct sl_partition *partition = topic_of(h, "t")->partitions[0];
    assert_false(sl_metadata_hint(h->core, partition, -1, -1)); /* the tag was absent */
    assert_false(sl_metadata_hint(h->core, partition, 0, 0));
    assert_false(sl_metadata_hint(h->core, partition, 2, 5)); /* not newer */
    assert_false(sl_metadata_hint(h->core, partition, 3, 6)); /* who? */
    assert_int_equal(partition->leader, 1);
    sl_metadata_endpoint(h->core, 3, SL_STR("b3"), 9092, SL_STR_NULL);
    assert_true(sl_metadata_hint(h->core, partition, 3, 6));
    assert_int_equal(partition->leader, 3);
    assert_int_equal(partition->leader_epoch, 6);
    /* The regular answer follows, and may know less. */
    h->nodes[2] = (struct host_node){3, "b3", 9092};
    h->node_count = 3;
    host_advance(h, 150);
    assert_int_equal(partition->leader, 3);
    host_end(h);
}

static void an_outage_leads_back_to_the_seeds(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->settings.request_timeout_ms = 400000; /* no other time-out comes first */
    host_advance(h, 200000);                 /* idle time does not count */
    h->hold_metadata = true;
    sl_metadata_refresh(h->core, topic_of(h, "t"));
    host_turn(h);
    int opens = h->opens, resolves = h->resolves;
    host_advance(h, 299000);
    assert_false(host_was_told(h, "starting over"));
    h->hold_metadata = false;
    host_advance(h, 2000);
    assert_true(
        host_was_told(h, "starting over from bootstrap.servers: metadata was not answered"));
    assert_true(h->opens > opens);
    assert_true(h->resolves > resolves);
    assert_true(h->core->metadata.full_updated_at > 0);
    assert_int_equal(topic_of(h, "t")->partition_count, 3); /* what was known is kept */
    assert_false(h->core->brokers.bootstrapping);
    host_end(h);
}

static void idle_clients_have_no_outage(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->settings.metadata_max_age_ms = INT32_MAX;
    host_advance(h, 5000);
    h->core->metadata.next_refresh = SL_NEVER;
    int opens = h->opens;
    host_advance(h, 3600 * 1000);
    assert_int_equal(h->opens, opens);
    assert_false(host_was_told(h, "starting over"));
    host_end(h);
}

static void a_broker_may_ask_us_to_start_over(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->hold_metadata = true;
    ask_again(h);
    struct host_request r = host_next_request(h, SL_API_METADATA);
    assert_true(r.header.version >= 13);
    struct sl_metadata_response answer;
    sl_codec_defaults(&sl_metadata_response_type, &answer);
    answer.error_code = SLUICE_KAFKA_REBOOTSTRAP_REQUIRED;
    int opens = h->opens;
    h->hold_metadata = false;
    host_reply(h, &r, &answer);
    host_advance(h, 500);
    assert_true(host_was_told(h, "starting over from bootstrap.servers: a broker asked for it"));
    assert_false(r.conn->open);
    assert_true(h->opens > opens && h->opens <= opens + 2);
    assert_false(h->core->brokers.bootstrapping);
    host_end(h);
}

static void our_own_codes_from_a_peer_are_nothing_special(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->hold_metadata = true;
    ask_again(h);
    int answered = 0;
    for (int64_t end = h->now + 10000 * SL_MS; h->now < end;) {
        if (host_count_requests(h, SL_API_METADATA) > 0) {
            struct host_request r = host_next_request(h, SL_API_METADATA);
            struct sl_metadata_response answer;
            sl_codec_defaults(&sl_metadata_response_type, &answer);
            answer.error_code = SLUICE_ERR_CLOSED;
            host_reply(h, &r, &answer);
            answered++;
        }
        host_turn(h);
        if (host_count_requests(h, SL_API_METADATA) == 0) h->now = sl_core_deadline(h->core);
    }
    assert_in_range(answered, 8, 20);
    host_end(h);
}

/* A request that had not left when its connection ended is made anew, with all that was wanted. */
static void what_never_left_is_asked_for_again(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    host_advance(h, 299000);
    sl_metadata_use(h->core, topic_of(h, "t"));
    h->hold_metadata = true;
    h->send_cap = 1;        /* the frame leaves a byte a time */
    h->now += 2000 * SL_MS; /* metadata.max.age.ms has passed */
    sl_core_on_time(h->core, h->now, 0);
    sl_core_run(h->core);
    assert_true(h->core->metadata.full_asked);
    h->send_cap = 0;
    host_cut(h, host_last(h), "reset");
    host_advance(h, 100);
    struct host_request r = host_next_request(h, SL_API_METADATA);
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_metadata_request *request = host_decode(&r, &arena);
    assert_int_equal(request->topics.count, 1);
    assert_true(h->core->metadata.full_asked);
    sl_arena_deinit(&arena);
    host_end(h);
}

static void a_cluster_id_that_is_no_text_is_none(void **state) {
    (void)state;
    struct host *h = start_with_topic();
    h->hold_metadata = true;
    ask_again(h);
    struct host_request r = host_next_request(h, SL_API_METADATA);
    struct sl_metadata_broker broker = {
        .node_id = 1, .host = SL_STR("b1"), .port = 9092, .rack = SL_STR_NULL};
    struct sl_metadata_response answer;
    sl_codec_defaults(&sl_metadata_response_type, &answer);
    answer.brokers = (struct sl_array){&broker, 1};
    answer.cluster_id = SL_STR("cluster\0of lies");
    host_reply(h, &r, &answer);
    assert_string_equal(h->core->metadata.cluster_id, "cluster");
    assert_false(host_was_told(h, "the cluster id changed"));
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_is_asked_for_by_name),
        cmocka_unit_test(topics_are_not_created_where_that_is_switched_off),
        cmocka_unit_test(a_known_topic_is_answered_at_once),
        cmocka_unit_test(an_unknown_topic_is_waited_for_at_a_bounded_pace),
        cmocka_unit_test(refusals_are_told_at_once),
        cmocka_unit_test(an_error_of_a_topic_erases_nothing),
        cmocka_unit_test(leaders_follow_their_epochs),
        cmocka_unit_test(epochs_of_old_versions_do_not_count),
        cmocka_unit_test(another_id_is_another_topic),
        cmocka_unit_test(partitions_that_do_not_add_up_are_not_counted),
        cmocka_unit_test(a_known_topic_never_shrinks),
        cmocka_unit_test(topics_left_out_are_asked_for_again),
        cmocka_unit_test(what_never_left_is_asked_for_again),
        cmocka_unit_test(an_answer_without_brokers_is_none),
        cmocka_unit_test(leaderless_partitions_are_asked_for_again),
        cmocka_unit_test(refreshing_all_the_time_is_paced),
        cmocka_unit_test(everything_is_refreshed_after_its_age),
        cmocka_unit_test(idle_topics_are_forgotten_until_used),
        cmocka_unit_test(trouble_of_idle_topics_ends),
        cmocka_unit_test(hints_are_taken_when_newer_and_known),
        cmocka_unit_test(an_outage_leads_back_to_the_seeds),
        cmocka_unit_test(idle_clients_have_no_outage),
        cmocka_unit_test(a_broker_may_ask_us_to_start_over),
        cmocka_unit_test(a_cluster_id_that_is_no_text_is_none),
        cmocka_unit_test(our_own_codes_from_a_peer_are_nothing_special),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
