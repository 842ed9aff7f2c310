/* Goal: every property ends up in its own field of the settings, and a config that cannot be
 * resolved leaves nothing behind.
 * Method: settings are resolved from values that are all different and compared field by field;
 * every allocation fails once. */
#include "api/config.h"

#include "api/properties.h"
#include "core/command.h"
#include "record/compress.h"
#include "record/record.h"
#include "sluice/config.h"
#include "unit/support.h"

static sluice_config *config_of(const char *const *settings) {
    sluice_config *config = sluice_config_create();
    assert_non_null(config);
    for (; *settings != NULL; settings += 2)
        assert_int_equal(sluice_config_set(config, settings[0], settings[1]), 0);
    return config;
}

static struct sl_settings resolve(const char *const *settings, int32_t role) {
    struct sl_settings s;
    sluice_config *config = config_of(settings);
    if (sl_config_resolve(config, role, sl_alloc_default(), &s) != 0)
        fail_msg("%s", sluice_config_message(config));
    sluice_config_free(config);
    return s;
}

/* clang-format off */
static const char *const common[] = {
    "bootstrap.servers", "one:1, [::1]:2",
    "client.id", "me",
    "request.timeout.ms", "101",
    "default.api.timeout.ms", "102",
    "socket.connection.setup.timeout.ms", "103",
    "socket.connection.setup.timeout.max.ms", "104",
    "reconnect.backoff.ms", "105",
    "reconnect.backoff.max.ms", "106",
    "retry.backoff.ms", "107",
    "retry.backoff.max.ms", "108",
    "connections.max.idle.ms", "109",
    "metadata.max.age.ms", "110",
    "metadata.max.idle.ms", "5001",
    "metadata.recovery.rebootstrap.trigger.ms", "111",
    "send.buffer.bytes", "112",
    "receive.buffer.bytes", "113",
    "receive.message.max.bytes", "1140",
    "allow.auto.create.topics", "false",
    "log.to", "events",
    "log.level", "debug",
    "fd.events", "true",
    NULL};
/* clang-format on */

static void common_properties_have_their_fields(void **unused) {
    struct sl_settings s = resolve(common, SL_ROLE_ADMIN);
    (void)unused;
    assert_int_equal(s.role, SL_ROLE_ADMIN);
    assert_int_equal(s.bootstrap_count, 2);
    assert_string_equal(s.bootstrap[0].host, "one");
    assert_int_equal(s.bootstrap[0].port, 1);
    assert_string_equal(s.bootstrap[1].host, "::1");
    assert_int_equal(s.bootstrap[1].port, 2);
    assert_string_equal(s.client_id, "me");
    const int32_t numbers[] = {
        s.request_timeout_ms,   s.default_api_timeout_ms, s.setup_timeout_ms,
        s.setup_timeout_max_ms, s.reconnect_backoff_ms,   s.reconnect_backoff_max_ms,
        s.retry_backoff_ms,     s.retry_backoff_max_ms,   s.connections_max_idle_ms,
        s.metadata_max_age_ms,  s.rebootstrap_trigger_ms, s.send_buffer_bytes,
        s.receive_buffer_bytes};
    for (int i = 0; i < 13; i++) assert_int_equal(numbers[i], 101 + i);
    assert_int_equal(s.receive_frame_max, 1140);
    assert_int_equal(s.metadata_max_idle_ms, 5001);
    assert_false(s.auto_create_topics);
    assert_int_equal(s.log_to, SL_LOG_TO_EVENTS);
    assert_int_equal(s.log_level, SL_LOG_DEBUG);
    assert_true(s.fd_events);
    sl_properties_free_texts(&s, sl_alloc_default());
}

static void producer_properties_have_their_fields(void **unused) {
    /* clang-format off */
    static const char *const settings[] = {"bootstrap.servers", "a:1",
                                           "acks", "1",
                                           "enable.idempotence", "false",
                                           "delivery.reports", "failed",
                                           "linger.ms", "3",
                                           "batch.size", "4",
                                           "max.request.size", "5000",
                                           "queue.buffering.max.kbytes", "100",
                                           "delivery.timeout.ms", "60000",
                                           "retries", "7",
                                           "max.in.flight", "8",
                                           "compression.type", "gzip",
                                           "compression.gzip.level", "9",
                                           "partitioner", "consistent_random",
                                           "partitioner.ignore.keys", "true",
                                           "partitioner.adaptive.partitioning.enable", "false",
                                           "partitioner.availability.timeout.ms", "9",
                                           NULL};
    /* clang-format on */
    struct sl_settings s = resolve(settings, SL_ROLE_PRODUCER);
    (void)unused;
    assert_int_equal(s.acks, 1);
    assert_false(s.idempotence);
    assert_int_equal(s.reports, SL_REPORTS_FAILED);
    assert_int_equal(s.linger_ms, 3);
    assert_int_equal(s.batch_size, 4);
    assert_int_equal(s.max_request_size, 5000);
    assert_int_equal(s.buffer_memory, 102400);
    assert_int_equal(s.delivery_timeout_ms, 60000);
    assert_int_equal(s.retries, 7);
    assert_int_equal(s.max_in_flight, 8);
    assert_int_equal(s.codec, SL_CODEC_GZIP);
    assert_int_equal(s.level, 9);
    assert_int_equal(s.partitioner, SL_PARTITIONER_CONSISTENT_RANDOM);
    assert_true(s.ignore_keys);
    assert_false(s.adaptive_partitioning);
    assert_int_equal(s.availability_timeout_ms, 9);
    sl_properties_free_texts(&s, sl_alloc_default());
}

static void consumer_properties_have_their_fields(void **unused) {
    /* clang-format off */
    static const char *const settings[] = {"bootstrap.servers", "a:1",
                                           "auto.offset.reset", "none",
                                           "check.crcs", "false",
                                           "poll.partitions", "one",
                                           "poll.ends", "true",
                                           "fetch.min.bytes", "1",
                                           "fetch.max.bytes", "2",
                                           "max.partition.fetch.bytes", "3",
                                           "fetch.max.wait.ms", "4",
                                           "fetch.memory", "5000000",
                                           "fetch.batch.decoded.max.bytes", "6000",
                                           "client.rack", "r",
                                           "group.id", "g",
                                           "auto.commit.interval.ms", "7",
                                           NULL};
    /* clang-format on */
    struct sl_settings s = resolve(settings, SL_ROLE_CONSUMER);
    (void)unused;
    assert_int_equal(s.offset_reset, SL_RESET_NONE);
    assert_false(s.check_crcs);
    assert_false(s.read_committed);
    assert_true(s.poll_one_partition);
    assert_true(s.poll_ends);
    assert_int_equal(s.fetch_min_bytes, 1);
    assert_int_equal(s.fetch_max_bytes, 2);
    assert_int_equal(s.fetch_partition_bytes, 3);
    assert_int_equal(s.fetch_max_wait_ms, 4);
    assert_int_equal(s.fetch_memory, 5000000);
    assert_int_equal(s.batch_decoded_max, 6000);
    assert_string_equal(s.client_rack, "r");
    assert_string_equal(s.group_id, "g");
    assert_true(s.auto_commit);
    assert_int_equal(s.auto_commit_ms, 7);
    sl_properties_free_texts(&s, sl_alloc_default());
}

/* Every alias ends up where its property does, in the property's unit. */
static void aliases_have_the_fields_of_their_properties(void **unused) {
    static const struct {
        const char *name, *value;
        size_t at; /* of an int32_t in the settings */
        int32_t wanted;
    } cases[] = {
#define ALIAS_CASE(name, value, field, wanted) \
    {name, value, offsetof(struct sl_settings, field), wanted}
        ALIAS_CASE("socket.timeout.ms", "2000", request_timeout_ms, 2000),
        ALIAS_CASE("socket.send.buffer.bytes", "7", send_buffer_bytes, 7),
        ALIAS_CASE("socket.receive.buffer.bytes", "7", receive_buffer_bytes, 7),
        ALIAS_CASE("topic.metadata.refresh.interval.ms", "7", metadata_max_age_ms, 7),
        ALIAS_CASE("log_level", "7", log_level, 7),
        ALIAS_CASE("queue.buffering.max.ms", "7", linger_ms, 7),
        ALIAS_CASE("message.max.bytes", "7000", max_request_size, 7000),
        ALIAS_CASE("message.timeout.ms", "70000", delivery_timeout_ms, 70000),
        ALIAS_CASE("message.send.max.retries", "7", retries, 7),
        ALIAS_CASE("compression.codec", "lz4", codec, SL_CODEC_LZ4),
        ALIAS_CASE("max.in.flight", "4", max_in_flight, 4),
        ALIAS_CASE("max.block.ms", "0", default_api_timeout_ms, 0),
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const settings[] = {"metadata.broker.list", "a:1", cases[i].name,
                                        cases[i].value, NULL};
        struct sl_settings s = resolve(settings, SL_ROLE_PRODUCER);
        int32_t found;
        memcpy(&found, (const char *)&s + cases[i].at, sizeof found);
        if (found != cases[i].wanted) fail_msg("%s: %d", cases[i].name, (int)found);
        sl_properties_free_texts(&s, sl_alloc_default());
    }
    struct sl_settings s =
        resolve((const char *const[]){"bootstrap.servers", "a:1", "fetch.wait.max.ms", "8",
                                      "fetch.message.max.bytes", "9", "queued.max.messages.kbytes",
                                      "2048", NULL},
                SL_ROLE_CONSUMER);
    assert_int_equal(s.fetch_max_wait_ms, 8);
    assert_int_equal(s.fetch_partition_bytes, 9);
    assert_int_equal(s.fetch_memory, 2048 * 1024);
    sl_properties_free_texts(&s, sl_alloc_default());
}

static void defaults_give_way(void **unused) {
    static const struct {
        const char *name, *value;
        bool idempotence;
        int32_t delivery_timeout_ms;
    } cases[] = {
        {"acks", "all", true, 120000},        {"acks", "1", false, 120000},
        {"acks", "0", false, 120000},         {"retries", "0", false, 120000},
        {"retries", "1", true, 120000},       {"request.timeout.ms", "119995", true, 120000},
        {"linger.ms", "90001", true, 120001}, {"linger.ms", "2147483647", true, INT32_MAX},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const settings[] = {"bootstrap.servers", "a:1", cases[i].name, cases[i].value,
                                        NULL};
        struct sl_settings s = resolve(settings, SL_ROLE_PRODUCER);
        assert_int_equal(s.idempotence, cases[i].idempotence);
        assert_int_equal(s.delivery_timeout_ms, cases[i].delivery_timeout_ms);
        sl_properties_free_texts(&s, sl_alloc_default());
    }
}

/* Without a group nothing is committed; who asks for it all the same has made a mistake. */
static void commits_need_a_group(void **unused) {
    (void)unused;
    struct sl_settings s =
        resolve((const char *const[]){"bootstrap.servers", "a:1", NULL}, SL_ROLE_CONSUMER);
    assert_false(s.auto_commit);
    assert_string_equal(s.group_id, "");
    assert_int_equal(s.auto_commit_ms, 5000);
    sl_properties_free_texts(&s, sl_alloc_default());
    s = resolve((const char *const[]){"bootstrap.servers", "a:1", "group.id", "g",
                                      "enable.auto.commit", "false", NULL},
                SL_ROLE_CONSUMER);
    assert_false(s.auto_commit);
    sl_properties_free_texts(&s, sl_alloc_default());
    sluice_config *config = sluice_config_create();
    sluice_config_set(config, "bootstrap.servers", "a:1");
    sluice_config_set(config, "enable.auto.commit", "true");
    int rv = sluice_config_check(config, SL_ROLE_CONSUMER);
    assert_int_equal(rv, SLUICE_ERR_CONFIG);
    assert_non_null(strstr(sluice_config_message(config), "group.id"));
    sluice_config_free(config);
}

static void levels_follow_their_codec(void **unused) {
    static const struct {
        const char *settings[9];
        int32_t level;
    } cases[] = {
        {{"bootstrap.servers", "a:1", "compression.type", "zstd", NULL}, SL_COMPRESS_LEVEL_DEFAULT},
        {{"bootstrap.servers", "a:1", "compression.type", "zstd", "compression.level", "3", NULL},
         3},
        {{"bootstrap.servers", "a:1", "compression.type", "zstd", "compression.level", "-1", NULL},
         SL_COMPRESS_LEVEL_DEFAULT},
        {{"bootstrap.servers", "a:1", "compression.type", "zstd", "compression.zstd.level", "-1",
          NULL},
         -1},
        {{"bootstrap.servers", "a:1", "compression.type", "lz4", "compression.gzip.level", "5",
          NULL},
         SL_COMPRESS_LEVEL_DEFAULT},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_settings s = resolve(cases[i].settings, SL_ROLE_PRODUCER);
        assert_int_equal(s.level, cases[i].level);
        sl_properties_free_texts(&s, sl_alloc_default());
    }
}

static void partitioners_go_by_their_names(void **unused) {
    static const struct {
        const char *name, *value;
        enum sl_partitioner_name wanted;
    } cases[] = {
        {"client.id", "", SL_PARTITIONER_MURMUR2_RANDOM},
        {"partitioner", "murmur2_random", SL_PARTITIONER_MURMUR2_RANDOM},
        {"partitioner", "murmur2", SL_PARTITIONER_MURMUR2},
        {"partitioner", "consistent_random", SL_PARTITIONER_CONSISTENT_RANDOM},
        {"partitioner", "consistent", SL_PARTITIONER_CONSISTENT},
        {"partitioner", "fnv1a_random", SL_PARTITIONER_FNV1A_RANDOM},
        {"partitioner", "fnv1a", SL_PARTITIONER_FNV1A},
        {"partitioner", "random", SL_PARTITIONER_RANDOM},
        {"partitioner", "roundrobin", SL_PARTITIONER_ROUNDROBIN},
        {"partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner",
         SL_PARTITIONER_ROUNDROBIN},
        {"partitioner.class", "org.apache.kafka.clients.producer.internals.DefaultPartitioner",
         SL_PARTITIONER_MURMUR2_RANDOM},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const settings[] = {"bootstrap.servers", "a:1", cases[i].name, cases[i].value,
                                        NULL};
        struct sl_settings s = resolve(settings, SL_ROLE_PRODUCER);
        assert_int_equal(s.partitioner, cases[i].wanted);
        sl_properties_free_texts(&s, sl_alloc_default());
    }
}

/* A megabyte of words, as of a file taken by mistake: it is told in the time that it takes to read it,
 * where it once took a minute. Names stay distinct, each in its place, whatever is removed. */
static void a_file_of_anything_is_read_in_time(void **unused) {
    enum { WORDS = 170 * 1000, LINE = 6 };
    (void)unused;
    sluice_config *config = sluice_config_create();
    char *text = malloc(WORDS * LINE + 1);
    assert_non_null(text);
    for (int32_t i = 0; i < WORDS; i++) snprintf(text + i * LINE, LINE + 1, "%05x\n", (unsigned)i);
    assert_int_equal(sl_config_load_text(config, text, "words"), SLUICE_ERR_CONFIG);
    assert_int_equal(sl_config_load_text(config, text, "words"), SLUICE_ERR_CONFIG);
    free(text);
    sluice_config_free(config);
}

static void a_removed_entry_leaves_the_others(void **unused) {
    static const char *const names[] = {"client.id", "nobody.knows", "group.id",
                                        "metadata.broker.list", "nor.this"};
    enum { NAMES = sizeof names / sizeof names[0] };
    (void)unused;
    for (int gone = 0; gone < NAMES; gone++) {
        char shown[16 * 1024];
        sluice_config *config = sluice_config_create();
        for (int i = 0; i < NAMES; i++) (void)sluice_config_set(config, names[i], "before:1");
        (void)sluice_config_set(config, names[gone], NULL);
        for (int i = 0; i < NAMES; i++)
            if (i != gone) (void)sluice_config_set(config, names[i], "after:1");
        assert_int_equal(sluice_config_check(config, SL_ROLE_CONSUMER), SLUICE_ERR_CONFIG);
        const char *message = sluice_config_message(config);
        assert_int_equal(strstr(message, "nobody.knows: ") != NULL, gone != 1);
        assert_int_equal(strstr(message, "nor.this: ") != NULL, gone != 4);
        assert_true(sluice_config_text(config, SL_ROLE_CONSUMER, shown, sizeof shown) > 0);
        assert_null(strstr(shown, "before:1"));
        assert_int_equal(strstr(shown, "client.id=after:1 (set)") != NULL, gone != 0);
        assert_int_equal(strstr(shown, "group.id=after:1 (set)") != NULL, gone != 2);
        assert_int_equal(strstr(shown, "bootstrap.servers=after:1 (set as metadata.broker.list)") !=
                             NULL,
                         gone != 3);
        (void)sluice_config_set(config, names[gone], "anew:1");
        assert_int_equal(sluice_config_check(config, SL_ROLE_CONSUMER), SLUICE_ERR_CONFIG);
        assert_non_null(strstr(sluice_config_message(config), "nobody.knows: "));
        assert_non_null(strstr(sluice_config_message(config), "nor.this: "));
        sluice_config_free(config);
    }
}

static void every_allocation_may_fail(void **unused) {
    (void)unused;
    for (long n = 1;; n++) {
        struct test_memory memory;
        struct sl_settings s = {0};
        sluice_config *config = config_of(common);
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        int rv = sl_config_resolve(config, SL_ROLE_CONSUMER, &memory.alloc, &s);
        if (rv == SLUICE_ERR_CONFIG) /* 1140 is too small for a consumer: mend it, try again */
            sluice_config_set(config, "receive.message.max.bytes", NULL);
        test_memory_check(&memory);
        if (rv == SLUICE_ERR_CONFIG)
            rv = sl_config_resolve(config, SL_ROLE_CONSUMER, &memory.alloc, &s);
        if (rv == 0) sl_properties_free_texts(&s, &memory.alloc);
        test_memory_check(&memory);
        sluice_config_free(config);
        if (!test_memory_has_failed(&memory)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_properties_have_their_fields),
        cmocka_unit_test(producer_properties_have_their_fields),
        cmocka_unit_test(consumer_properties_have_their_fields),
        cmocka_unit_test(aliases_have_the_fields_of_their_properties),
        cmocka_unit_test(defaults_give_way),
        cmocka_unit_test(commits_need_a_group),
        cmocka_unit_test(levels_follow_their_codec),
        cmocka_unit_test(partitioners_go_by_their_names),
        cmocka_unit_test(a_file_of_anything_is_read_in_time),
        cmocka_unit_test(a_removed_entry_leaves_the_others),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
