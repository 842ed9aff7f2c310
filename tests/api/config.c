/* Goal: a person who gets settings wrong is told all of it at once, with names, places and ranges,
 * and never sees a secret; defaults are the documented ones.
 * Method: configs by calls and by file, checked for each role; messages are searched for what they
 * have to name. */
#include <unistd.h>

#include "support.h"

static void check_config_says(sluice_config *config, int32_t role, const char *words) {
    assert_int_equal(sluice_config_check(config, role), SLUICE_ERR_CONFIG);
    check_says(sluice_config_message(config), words);
}

/* A config for a client that could be opened. */
static sluice_config *make_config(void) {
    sluice_config *config = sluice_config_create();
    assert_non_null(config);
    assert_int_equal(sluice_config_set(config, "bootstrap.servers", "localhost:9092"), 0);
    return config;
}

static int32_t count_lines(const char *text) {
    int32_t lines = *text != '\0';
    for (; *text != '\0'; text++) lines += *text == '\n';
    return lines;
}

static void defaults_are_good_for_every_role(void **unused) {
    sluice_config *config = make_config();
    (void)unused;
    assert_int_equal(sluice_config_check(config, SLUICE_PRODUCER), 0);
    assert_int_equal(sluice_config_check(config, SLUICE_CONSUMER), 0);
    assert_int_equal(sluice_config_check(config, SLUICE_ADMIN), 0);
    assert_string_equal(sluice_config_message(config), "");
    sluice_config_free(config);
}

static void all_mistakes_come_at_once(void **unused) {
    sluice_config *config = sluice_config_create();
    (void)unused;
    assert_int_equal(sluice_config_set(config, "lingr.ms", "5"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_config_set(config, "acks", "two"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_config_set(config, "retries", "-1"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_config_set(config, "fetch.min.bytes", "1"), 0);
    assert_int_equal(sluice_config_check(config, SLUICE_PRODUCER), SLUICE_ERR_CONFIG);
    const char *message = sluice_config_message(config);
    check_says(message, "bootstrap.servers: has to be set");
    check_says(message, "lingr.ms: no such property; did you mean linger.ms?");
    check_says(message, "acks: \"two\" is not one of all|0|1");
    check_says(message, "retries: \"-1\" is not one of 0..2147483647");
    check_says(message, "fetch.min.bytes: a producer has no such property; it is for consumers");
    assert_int_equal(count_lines(message), 5);
    assert_int_equal(sluice_config_check(config, SLUICE_ADMIN), SLUICE_ERR_CONFIG);
    message = sluice_config_message(config);
    check_says(message, "acks: an admin client has no such property; it is for producers");
    sluice_config_free(config);
}

static void mending_a_value_mends_the_config(void **unused) {
    sluice_config *config = make_config();
    (void)unused;
    assert_int_equal(sluice_config_set(config, "linger.ms", "soon"), SLUICE_ERR_CONFIG);
    check_config_says(config, SLUICE_PRODUCER, "linger.ms: \"soon\"");
    assert_int_equal(sluice_config_set(config, "queue.buffering.max.ms", "7"), 0);
    assert_int_equal(sluice_config_check(config, SLUICE_PRODUCER), 0);
    assert_int_equal(sluice_config_set(config, "linger.ms", "soon"), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_config_set(config, "linger.ms", NULL), 0);
    assert_int_equal(sluice_config_check(config, SLUICE_PRODUCER), 0);
    sluice_config_free(config);
}

/* The protocol has no longer ones: each request would fail instead. */
static void texts_have_a_length(void **unused) {
    sluice_config *config = make_config();
    (void)unused;
    static char text[32769];
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(sluice_config_set(config, "client.id", text), SLUICE_ERR_CONFIG);
    check_config_says(config, SLUICE_PRODUCER,
                      "client.id: 32768 bytes are not a text of at most 32767 bytes");
    text[32767] = '\0';
    assert_int_equal(sluice_config_set(config, "client.id", text), 0);
    assert_int_equal(sluice_config_check(config, SLUICE_PRODUCER), 0);
    sluice_config_free(config);
}

static void values_have_types_and_ranges(void **unused) {
    static const struct {
        int32_t role;
        const char *name;
        const char *value;
        int is_good;
    } cases[] = {
        {SLUICE_PRODUCER, "linger.ms", "0", 1},
        {SLUICE_PRODUCER, "linger.ms", "2147483648", 0},
        {SLUICE_PRODUCER, "linger.ms", "5ms", 0},
        {SLUICE_PRODUCER, "linger.ms", "", 0},
        {SLUICE_PRODUCER, "buffer.memory", "1099511627776", 1},
        {SLUICE_PRODUCER, "buffer.memory", "65535", 0},
        {SLUICE_PRODUCER, "queue.buffering.max.kbytes", "64", 1},
        {SLUICE_PRODUCER, "queue.buffering.max.kbytes", "63", 0},
        {SLUICE_PRODUCER, "queue.buffering.max.kbytes", "9223372036854775807", 0},
        {SLUICE_PRODUCER, "enable.idempotence", "TRUE", 1},
        {SLUICE_PRODUCER, "enable.idempotence", "yes", 0},
        {SLUICE_PRODUCER, "acks", "-1", 1},
        {SLUICE_PRODUCER, "acks", "all", 1},
        {SLUICE_PRODUCER, "acks", "2", 0},
        {SLUICE_PRODUCER, "compression.codec", "zstd", 1},
        {SLUICE_PRODUCER, "compression.type", "brotli", 0},
        {SLUICE_PRODUCER, "compression.level", "default", 1},
        {SLUICE_PRODUCER, "compression.level", "low", 0},
        {SLUICE_CONSUMER, "auto.offset.reset", "earliest", 1},
        {SLUICE_CONSUMER, "auto.offset.reset", "middle", 0},
        {SLUICE_CONSUMER, "auto.offset.reset", "by_duration:PT15M", 1},
        {SLUICE_CONSUMER, "auto.offset.reset", "by_duration:-PT15M", 0},
        {SLUICE_CONSUMER, "auto.offset.reset", "smallest", 1},
        {SLUICE_CONSUMER, "auto.offset.reset", "Largest", 1},
        {SLUICE_CONSUMER, "auto.offset.reset", "error", 1},
        {SLUICE_PRODUCER, "partitioner", "consistent_random", 1},
        {SLUICE_PRODUCER, "partitioner", "smallest", 0},
        {SLUICE_PRODUCER, "partitioner.class", "com.acme.OurPartitioner", 0},
        {SLUICE_CONSUMER, "poll.partitions", "one", 1},
        {SLUICE_ADMIN, "log.level", "debug", 1},
        {SLUICE_ADMIN, "log_level", "7", 1},
        {SLUICE_ADMIN, "log.level", "8", 0},
        {SLUICE_ADMIN, "bootstrap.servers", "a:1,b:65535, [::1]:9092", 1},
        {SLUICE_ADMIN, "bootstrap.servers", "a", 0},
        {SLUICE_ADMIN, "bootstrap.servers", "a:65536", 0},
        {SLUICE_ADMIN, "bootstrap.servers", " , ", 0},
        {SLUICE_ADMIN, "client.id", "", 1},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sluice_config *config = make_config();
        int want = cases[i].is_good ? 0 : SLUICE_ERR_CONFIG;
        int set = sluice_config_set(config, cases[i].name, cases[i].value);
        int checked = sluice_config_check(config, cases[i].role);
        if (set != want || checked != want)
            fail_msg("%s=%s: %d, %d: %s", cases[i].name, cases[i].value, set, checked,
                     sluice_config_message(config));
        sluice_config_free(config);
    }
}

static void settings_have_to_agree(void **unused) {
    static const struct {
        int32_t role;
        const char *settings[5];
        const char *words; /* NULL: they do */
    } cases[] = {
        /* The default of enable.idempotence gives way, what was set does not. */
        {SLUICE_PRODUCER, {"acks", "1"}, NULL},
        {SLUICE_PRODUCER, {"retries", "0"}, NULL},
        {SLUICE_PRODUCER, {"acks", "1", "enable.idempotence", "false"}, NULL},
        {SLUICE_PRODUCER,
         {"acks", "1", "enable.idempotence", "true"},
         "acks: enable.idempotence=true needs acks=all"},
        {SLUICE_PRODUCER,
         {"request.required.acks", "0", "enable.idempotence", "true"},
         "acks: enable.idempotence=true needs acks=all"},
        {SLUICE_PRODUCER,
         {"retries", "0", "enable.idempotence", "true"},
         "retries: enable.idempotence=true needs more than 0"},
        {SLUICE_PRODUCER, {"max.in.flight", "5"}, NULL},
        {SLUICE_PRODUCER,
         {"max.in.flight", "6"},
         "max.in.flight.requests.per.connection: enable.idempotence needs 5 or less"},
        {SLUICE_PRODUCER, {"max.in.flight", "6", "enable.idempotence", "false"}, NULL},
        {SLUICE_PRODUCER, {"max.in.flight", "6", "acks", "1"}, NULL},
        /* That of delivery.timeout.ms gives way, too. */
        {SLUICE_PRODUCER, {"request.timeout.ms", "200000"}, NULL},
        {SLUICE_PRODUCER, {"linger.ms", "2147483647"}, NULL},
        {SLUICE_PRODUCER,
         {"delivery.timeout.ms", "30000"},
         "delivery.timeout.ms: 30000 is less than linger.ms (5) and request.timeout.ms (30000) "
         "together"},
        {SLUICE_PRODUCER, {"message.timeout.ms", "30005"}, NULL},
        {SLUICE_PRODUCER, {"delivery.timeout.ms", "3000", "request.timeout.ms", "2000"}, NULL},
        /* Levels are checked for the codec that they are of, in use or not. */
        {SLUICE_PRODUCER,
         {"compression.type", "gzip", "compression.level", "12"},
         "compression.level: 12 is not one of gzip, which has 1..9"},
        {SLUICE_PRODUCER, {"compression.type", "gzip", "compression.gzip.level", "9"}, NULL},
        {SLUICE_PRODUCER,
         {"compression.type", "gzip", "compression.gzip.level", "10"},
         "compression.gzip.level: 10 is not one of gzip, which has 1..9"},
        {SLUICE_PRODUCER,
         {"compression.type", "zstd", "compression.gzip.level", "99"},
         "compression.gzip.level: 99"},
        {SLUICE_PRODUCER,
         {"compression.lz4.level", "18"},
         "compression.lz4.level: 18 is not one of lz4, which has 1..17"},
        {SLUICE_PRODUCER,
         {"compression.zstd.level", "23"},
         "compression.zstd.level: 23 is not one of zstd, which has -131072..22"},
        {SLUICE_PRODUCER, {"compression.zstd.level", "-7"}, NULL},
        {SLUICE_PRODUCER, {"compression.type", "lz4", "compression.level", "-1"}, NULL},
        {SLUICE_PRODUCER,
         {"compression.type", "snappy", "compression.level", "5"},
         "compression.level: snappy has no levels"},
        {SLUICE_PRODUCER, {"compression.level", "5"}, NULL},
        {SLUICE_PRODUCER,
         {"partitioner", "consistent", "partitioner.ignore.keys", "true"},
         "take the one whose name ends in _random"},
        {SLUICE_PRODUCER, {"partitioner", "random", "partitioner.ignore.keys", "true"}, NULL},
        {SLUICE_CONSUMER, {"isolation.level", "read_committed"}, NULL},
        {SLUICE_CONSUMER, {"auto.offset.reset", "by_duration:P1DT12H"}, NULL},
        {SLUICE_CONSUMER, {"fetch.max.bytes", "200000000"}, "receive.message.max.bytes"},
        {SLUICE_ADMIN, {"retry.backoff.ms", "2000"}, "retry.backoff.max.ms"},
        {SLUICE_ADMIN, {"security.protocol", "SASL_SSL"}, "security.protocol"},
        {SLUICE_ADMIN, {"security.protocol", "plaintext"}, NULL},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sluice_config *config = make_config();
        for (const char *const *at = cases[i].settings; *at != NULL; at += 2)
            assert_int_equal(sluice_config_set(config, at[0], at[1]), 0);
        if (cases[i].words == NULL)
            assert_int_equal(sluice_config_check(config, cases[i].role), 0);
        else
            check_config_says(config, cases[i].role, cases[i].words);
        sluice_config_free(config);
    }
}

static void names_of_other_clients_are_explained(void **unused) {
    char text[8192];
    sluice_config *config = make_config();
    (void)unused;
    sluice_config_set(config, "batch.num.messages", "1000");
    sluice_config_set(config, "sasl.password", "s3cret!");
    sluice_config_set(config, "sasl.kerberos.kinit.cmd", "kinit -R");
    sluice_config_set(config, "key.serializer", "StringSerializer");
    check_config_says(config, SLUICE_PRODUCER, "batch.num.messages: batches are limited in bytes");
    check_config_says(config, SLUICE_PRODUCER, "sasl.kerberos.kinit.cmd: no program is run");
    check_config_says(config, SLUICE_PRODUCER, "key.serializer: keys and values are bytes");
    assert_null(strstr(sluice_config_message(config), "s3cret"));
    assert_true(sluice_config_text(config, SLUICE_PRODUCER, text, sizeof text) > 0);
    assert_null(strstr(text, "s3cret"));
    sluice_config_free(config);
}

static void a_file_is_read_as_java_reads_it(void **unused) {
    static const char file_text[] = "# a comment\n"
                                    "! another\r\n"
                                    "\n"
                                    "bootstrap.servers = broker\\\n"
                                    "    :9092\n"
                                    "client.id: caf\\u00e9\\ttwo\n"
                                    "  linger.ms 9\n"
                                    "lingr.ms=1\n"
                                    "acks=three";
    char path[] = "/tmp/sluice-config-XXXXXX";
    char text[8192];
    int fd = mkstemp(path);
    (void)unused;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file_text, sizeof file_text - 1), sizeof file_text - 1);
    close(fd);
    sluice_config *config = sluice_config_create();
    assert_int_equal(sluice_config_load(config, path), SLUICE_ERR_CONFIG);
    check_config_says(config, SLUICE_PRODUCER, ":8: lingr.ms: no such property");
    check_config_says(config, SLUICE_PRODUCER, ":9: acks: \"three\"");
    assert_int_equal(count_lines(sluice_config_message(config)), 2);
    assert_true(sluice_config_text(config, SLUICE_PRODUCER, text, sizeof text) > 0);
    check_says(text, "bootstrap.servers=broker:9092 (");
    check_says(text, ":4)\n");
    check_says(text, "client.id=caf\xc3\xa9\\ttwo (");
    check_says(text, "linger.ms=9 (");
    sluice_config_free(config);
    remove(path);
}

static void a_missing_file_is_a_mistake(void **unused) {
    sluice_config *config = make_config();
    (void)unused;
    assert_int_equal(sluice_config_load(config, "/nowhere/client.properties"), SLUICE_ERR_SYSTEM);
    check_config_says(config, SLUICE_ADMIN, "/nowhere/client.properties: cannot be read");
    sluice_config_free(config);
}

static void the_dump_says_what_holds_and_whence(void **unused) {
    char text[8192];
    sluice_config *config = make_config();
    (void)unused;
    sluice_config_set(config, "queue.buffering.max.kbytes", "1024");
    sluice_config_set(config, "ssl.ca.pem", "-----\nA\n");
    sluice_config_set(config, "\x1b[2J", "1");
    int64_t size = sluice_config_text(config, SLUICE_PRODUCER, NULL, 0);
    assert_int_equal(sluice_config_text(config, SLUICE_PRODUCER, text, sizeof text), size);
    assert_int_equal(strlen(text), size);
    check_says(text, "bootstrap.servers=localhost:9092 (set)\n");
    check_says(text, "buffer.memory=1048576 (set as queue.buffering.max.kbytes)\n");
    check_says(text, "acks=all (default)\n");
    check_says(text, "\nssl.ca.pem=-----\\nA\\n (set)\n");
    check_config_says(config, SLUICE_PRODUCER, "\\u001b[2J: no such property");
    assert_null(strstr(text, "fetch.min.bytes"));
    assert_int_equal(sluice_config_text(config, SLUICE_PRODUCER, text, 10), size);
    assert_int_equal(strlen(text), 9);
    assert_int_equal(sluice_config_text(config, 0, text, sizeof text), SLUICE_ERR_USAGE);
    sluice_config_free(config);
}

/* What was not set may follow from what was. */
static void the_dump_shows_what_follows(void **unused) {
    char text[8192];
    sluice_config *config = make_config();
    (void)unused;
    sluice_config_set(config, "acks", "1");
    sluice_config_set(config, "request.timeout.ms", "200000");
    sluice_config_set(config, "max.block.ms", "7");
    sluice_config_set(config, "partitioner.class",
                      "org.apache.kafka.clients.producer.RoundRobinPartitioner");
    assert_true(sluice_config_text(config, SLUICE_PRODUCER, text, sizeof text) > 0);
    check_says(text, "\nacks=1 (set)\n");
    check_says(text, "\nenable.idempotence=false (because of acks or retries)\n");
    check_says(text,
               "\ndelivery.timeout.ms=200005 (because of linger.ms and request.timeout.ms)\n");
    check_says(text, "\ndefault.api.timeout.ms=7 (set as max.block.ms)\n");
    check_says(text, "RoundRobinPartitioner (set as partitioner.class)\n");
    sluice_config_set(config, "acks", NULL);
    sluice_config_set(config, "request.timeout.ms", NULL);
    assert_true(sluice_config_text(config, SLUICE_PRODUCER, text, sizeof text) > 0);
    check_says(text, "\nenable.idempotence=true (default)\n");
    check_says(text, "\ndelivery.timeout.ms=120000 (default)\n");
    /* Every property of the role has its line, and no other. */
    sluice_property p;
    for (int32_t role = SLUICE_PRODUCER; role <= SLUICE_ADMIN; role++) {
        int32_t count = 0;
        for (int32_t i = 0; sluice_config_property(i, &p, sizeof p) == 1; i++)
            count += (p.roles & 1 << role) != 0;
        assert_true(sluice_config_text(config, role, text, sizeof text) > 0);
        assert_int_equal(count_lines(text) - 1, count);
    }
    sluice_config_free(config);
}

static void documented_defaults_hold(void **unused) {
    static const char *const wanted[][2] = {
        {"acks", "all"},
        {"enable.idempotence", "true"},
        {"linger.ms", "5"},
        {"batch.size", "1000000"},
        {"buffer.memory", "67108864"},
        {"compression.type", "none"},
        {"delivery.timeout.ms", "120000"},
        {"delivery.reports", "none"},
        {"auto.offset.reset", "latest"},
        {"isolation.level", "read_uncommitted"},
        {"poll.partitions", "many"},
        {"poll.ends", "false"},
        {"check.crcs", "true"},
        {"security.protocol", "PLAINTEXT"},
        {"request.timeout.ms", "30000"},
        {"default.api.timeout.ms", "60000"},
        {"max.in.flight.requests.per.connection", "5"},
        {"retries", "2147483647"},
        {"fetch.max.bytes", "52428800"},
        {"max.partition.fetch.bytes", "1048576"},
        {"fetch.max.wait.ms", "500"},
        {"metadata.max.age.ms", "300000"},
        {"metadata.max.idle.ms", "300000"},
        {"max.request.size", "1048576"},
        {"retry.backoff.ms", "100"},
        {"retry.backoff.max.ms", "1000"},
        {"partitioner", "murmur2_random"},
        {"partitioner.ignore.keys", "false"},
        {"partitioner.adaptive.partitioning.enable", "true"},
        {"partitioner.availability.timeout.ms", "0"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        sluice_property p = {0};
        int32_t at = 0;
        while (sluice_config_property(at, &p, sizeof p) == 1 && strcmp(p.name, wanted[i][0]) != 0)
            at++;
        assert_string_equal(p.name, wanted[i][0]);
        assert_string_equal(p.fallback, wanted[i][1]);
    }
}

/* The table prints the manual, so every row has to be complete, and every default fine. */
static void every_row_of_the_table_is_complete(void **unused) {
    sluice_property p;
    int32_t count = 0;
    (void)unused;
    for (; sluice_config_property(count, &p, sizeof p) == 1; count++) {
        sluice_config *config = make_config();
        assert_true(strlen(p.name) > 0 && strlen(p.range) > 0 && strlen(p.text) > 20);
        assert_int_equal(p.text[strlen(p.text) - 1], '.');
        assert_true(p.type >= 1 && p.roles != 0);
        if (*p.fallback != '\0') assert_int_equal(sluice_config_set(config, p.name, p.fallback), 0);
        sluice_config_free(config);
    }
    assert_true(count > 40);
    assert_int_equal(sluice_config_property(0, &p, sizeof p - 1), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_config_property(-1, &p, sizeof p), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_config_property(0, NULL, sizeof p), SLUICE_ERR_USAGE);
}

static void misuse_is_told(void **unused) {
    sluice_config *config = make_config();
    sluice_allocator half = {0};
    (void)unused;
    assert_int_equal(sluice_config_set(NULL, "acks", "all"), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_config_set(config, NULL, "all"), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_config_load(NULL, "x"), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_config_check(NULL, SLUICE_PRODUCER), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_config_check(config, SLUICE_RUNTIME_THREAD), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_config_check(config, 0), SLUICE_ERR_USAGE);
    assert_true(strlen(sluice_config_message(NULL)) > 0);
    sluice_config_memory(config, &half, sizeof half);
    check_config_says(config, SLUICE_ADMIN, "sluice_config_memory");
    sluice_config_log(NULL, NULL, NULL);
    sluice_config_memory(NULL, NULL, 0);
    sluice_config_free(NULL);
    sluice_config_free(config);
}

static void codes_have_names_texts_and_classes(void **unused) {
    (void)unused;
    assert_string_equal(sluice_error_name(0), "NONE");
    assert_string_equal(sluice_error_name(SLUICE_ERR_TIMEOUT), "SLUICE_ERR_TIMEOUT");
    assert_string_equal(sluice_error_name(SLUICE_ERR_PARTIAL), "SLUICE_ERR_PARTIAL");
    assert_string_equal(sluice_error_name(36), "TOPIC_ALREADY_EXISTS");
    assert_string_equal(sluice_error_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(sluice_error_name(-99), "UNKNOWN_CODE");
    assert_string_equal(sluice_error_name(SLUICE_NOTICE_REBALANCE), "SLUICE_NOTICE_REBALANCE");
    assert_int_equal(sluice_error_class(0), SLUICE_CLASS_NOTICE);
    assert_int_equal(sluice_error_class(SLUICE_ERR_TIMEOUT), SLUICE_CLASS_RETRY);
    assert_int_equal(sluice_error_class(SLUICE_ERR_USAGE), SLUICE_CLASS_USAGE);
    assert_int_equal(sluice_error_class(SLUICE_ERR_CLOSED), SLUICE_CLASS_GONE);
    for (int code = -126; code < 140; code++)
        assert_true(strlen(sluice_error_name(code)) > 0 && strlen(sluice_error_text(code)) > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_good_for_every_role),
        cmocka_unit_test(all_mistakes_come_at_once),
        cmocka_unit_test(mending_a_value_mends_the_config),
        cmocka_unit_test(texts_have_a_length),
        cmocka_unit_test(values_have_types_and_ranges),
        cmocka_unit_test(settings_have_to_agree),
        cmocka_unit_test(names_of_other_clients_are_explained),
        cmocka_unit_test(a_file_is_read_as_java_reads_it),
        cmocka_unit_test(a_missing_file_is_a_mistake),
        cmocka_unit_test(the_dump_says_what_holds_and_whence),
        cmocka_unit_test(the_dump_shows_what_follows),
        cmocka_unit_test(documented_defaults_hold),
        cmocka_unit_test(every_row_of_the_table_is_complete),
        cmocka_unit_test(misuse_is_told),
        cmocka_unit_test(codes_have_names_texts_and_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
