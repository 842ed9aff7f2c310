/* The benchmark client on librdkafka, tuned for throughput as far as its settings go.
 *
 * Producing: rd_kafka_produce with a copy (rd_kafka_produceva where there are headers), reports by
 * dr_msg_cb from rd_kafka_poll on the same thread. Consuming: all partitions assigned from their
 * beginning, rd_kafka_consume_batch_queue with 1,000 messages a call, or rd_kafka_consumer_poll.
 * rd_kafka_produce_batch is the counterpart of sluice_producer_send_packed and of no call here:
 * both programs hand over one record a call.
 *
 * Settings beside its defaults, and why:
 *   batch.num.messages, queue.buffering.max.messages   limits by count, lifted
 *   queue.buffering.max.kbytes 524288                  the buffer that sluice gets
 *   queued.min.messages 1000000                        it prefetches up to so many records
 *   fetch.queue.backoff.ms 10                          when that many are queued it would otherwise
 *                                                      leave a partition alone for a second
 *   enable.auto.commit, enable.auto.offset.store off   no work of groups in a manual assignment
 *   check.crcs on                                      as sluice does by default
 * Sockets keep its own defaults. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

enum {
    MESSAGES_PER_CALL = 1000,
    POLL_MS = 100,
    FLUSH_MS = 60000,
    PREPARE_TRIES = 100,
    PREPARE_MS = 100,
    VU_FIXED = 5 /* topic, value, flags, opaque, key; headers follow */
};

struct producer {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    const struct bench_case *what;
    struct bench_data data;
    struct bench_ledger ledger;
};

static void set_property(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        bench_fail("%s=%s: %s", name, value, text);
}

static void set_if_known(rd_kafka_conf_t *conf, const char *name, const char *value) {
    if (rd_kafka_conf_set(conf, name, value, NULL, 0) == RD_KAFKA_CONF_INVALID)
        bench_fail("%s=%s: refused", name, value);
}

static void set_number(rd_kafka_conf_t *conf, const char *name, int32_t value) {
    char text[16];
    snprintf(text, sizeof text, "%d", (int)value);
    set_property(conf, name, text);
}

static void set_from_arguments(rd_kafka_conf_t *conf, const struct bench_setup *setup) {
    for (int i = 0; i < setup->property_count; i++) {
        char name[128];
        const char *equals = strchr(setup->properties[i], '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - setup->properties[i]),
                 setup->properties[i]);
        set_property(conf, name, equals + 1);
    }
}

static rd_kafka_t *open_client(rd_kafka_type_t role, rd_kafka_conf_t *conf) {
    char text[512];
    rd_kafka_t *rk = rd_kafka_new(role, conf, text, sizeof text);
    if (rk == NULL) bench_fail("rd_kafka_new: %s", text);
    return rk;
}

/* ---- producing -------------------------------------------------------------------------- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    struct bench_ledger *ledger = opaque;
    (void)rk;
    bench_reported(ledger, (uint64_t)(uintptr_t)message->_private,
                   message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
}

static rd_kafka_conf_t *make_producer_settings(const struct bench_setup *setup,
                                               struct bench_ledger *ledger) {
    const struct bench_case *what = setup->what;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_property(conf, "bootstrap.servers", setup->bootstrap);
    set_property(conf, "acks", "all");
    set_property(conf, "enable.idempotence", what->has_idempotence ? "true" : "false");
    set_number(conf, "linger.ms", BENCH_LINGER_MS);
    set_number(conf, "batch.size", BENCH_BATCH_BYTES);
    set_property(conf, "batch.num.messages", "1000000");
    set_property(conf, "queue.buffering.max.messages", "0");
    set_number(conf, "queue.buffering.max.kbytes", BENCH_BUFFER_BYTES / 1024);
    set_property(conf, "compression.codec", what->codec);
    if (what->level != 0) set_number(conf, "compression.level", what->level);
    rd_kafka_conf_set_opaque(conf, ledger);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    set_from_arguments(conf, setup);
    return conf;
}

/* One try to queue a record; a full queue is QUEUE_FULL. */
static rd_kafka_resp_err_t try_produce(struct producer *p, uint64_t number, const uint8_t *key) {
    void *value = (void *)(uintptr_t)bench_value(&p->data, number);
    int rv = rd_kafka_produce(p->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value,
                              p->data.value_size, p->data.key_size > 0 ? key : NULL,
                              p->data.key_size, (void *)(uintptr_t)number);
    return rv == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

static rd_kafka_resp_err_t try_produce_with_headers(struct producer *p, uint64_t number,
                                                    uint8_t *key) {
    rd_kafka_vu_t vus[VU_FIXED + BENCH_HEADERS_MAX];
    size_t count = VU_FIXED;
    vus[0].vtype = RD_KAFKA_VTYPE_RKT;
    vus[0].u.rkt = p->topic;
    vus[1].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[1].u.mem.ptr = (void *)(uintptr_t)bench_value(&p->data, number);
    vus[1].u.mem.size = p->data.value_size;
    vus[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[2].u.i = RD_KAFKA_MSG_F_COPY;
    vus[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[3].u.ptr = (void *)(uintptr_t)number;
    vus[4].vtype = RD_KAFKA_VTYPE_KEY;
    vus[4].u.mem.ptr = p->data.key_size > 0 ? key : NULL;
    vus[4].u.mem.size = p->data.key_size;
    for (int32_t i = 0; i < p->what->header_count; i++, count++) {
        vus[count].vtype = RD_KAFKA_VTYPE_HEADER;
        vus[count].u.header.name = bench_header_names[i];
        vus[count].u.header.val = bench_header_values[i];
        vus[count].u.header.size = (ssize_t)strlen(bench_header_values[i]);
    }
    rd_kafka_error_t *error = rd_kafka_produceva(p->rk, vus, count);
    if (error == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

static void send_one(struct producer *p) {
    uint64_t number = p->ledger.sent + 1;
    uint8_t key[BENCH_KEY_BYTES_MAX];
    rd_kafka_resp_err_t rv;
    if (p->data.key_size > 0) bench_key(number, key);
    for (;;) {
        rv = p->what->header_count > 0 ? try_produce_with_headers(p, number, key)
                                       : try_produce(p, number, key);
        if (rv != RD_KAFKA_RESP_ERR__QUEUE_FULL) break;
        rd_kafka_poll(p->rk, POLL_MS);
    }
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("produce: %s", rd_kafka_err2str(rv));
    bench_sent(&p->ledger, number);
}

/* Sends for so long, then waits until every record is reported. Returns how many were sent. */
static uint64_t produce_for(struct producer *p, double seconds) {
    uint64_t before = p->ledger.sent;
    double end = bench_now() + seconds;
    do {
        for (int i = 0; i < BENCH_STRIDE; i++) send_one(p);
        rd_kafka_poll(p->rk, 0);
    } while (bench_now() < end);
    rd_kafka_resp_err_t rv = rd_kafka_flush(p->rk, FLUSH_MS);
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("flush: %s", rd_kafka_err2str(rv));
    bench_ledger_check(&p->ledger);
    return p->ledger.sent - before;
}

static void run_produce(const struct bench_setup *setup) {
    struct producer p = {.what = setup->what};
    struct bench_meter meter;
    bench_data_init(&p.data, setup->what);
    p.rk = open_client(RD_KAFKA_PRODUCER, make_producer_settings(setup, &p.ledger));
    p.topic = rd_kafka_topic_new(p.rk, setup->topic, NULL);
    if (p.topic == NULL) bench_fail("topic: %s", rd_kafka_err2str(rd_kafka_last_error()));
    produce_for(&p, setup->warmup_seconds);
    bench_meter_start(&meter);
    uint64_t records = produce_for(&p, setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_print(setup, &meter, records);
    rd_kafka_topic_destroy(p.topic);
    rd_kafka_destroy(p.rk);
    bench_data_deinit(&p.data);
}

/* ---- consuming -------------------------------------------------------------------------- */

static rd_kafka_conf_t *make_consumer_settings(const struct bench_setup *setup) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_property(conf, "bootstrap.servers", setup->bootstrap);
    set_property(conf, "group.id", "bench"); /* it assigns only where there is one */
    set_property(conf, "enable.auto.commit", "false");
    set_property(conf, "enable.auto.offset.store", "false");
    set_property(conf, "auto.offset.reset", "earliest");
    set_property(conf, "check.crcs", "true");
    set_property(conf, "queued.min.messages", "1000000");
    set_number(conf, "queued.max.messages.kbytes", BENCH_BUFFER_BYTES / 1024);
    set_if_known(conf, "fetch.queue.backoff.ms", "10"); /* since 2.2 */
    set_from_arguments(conf, setup);
    return conf;
}

static rd_kafka_t *open_consumer(const struct bench_setup *setup) {
    rd_kafka_t *rk = open_client(RD_KAFKA_CONSUMER, make_consumer_settings(setup));
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(setup->what->partitions);
    for (int32_t i = 0; i < setup->what->partitions; i++)
        rd_kafka_topic_partition_list_add(list, setup->topic, i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t rv = rd_kafka_assign(rk, list);
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("assign: %s", rd_kafka_err2str(rv));
    rd_kafka_topic_partition_list_destroy(list);
    return rk;
}

static void take_message(struct bench_tally *tally, const rd_kafka_message_t *message) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail("consume: %s", rd_kafka_message_errstr(message));
    bench_read(tally, message->partition, message->offset, message->key, message->key_len,
               message->payload, message->len);
}

static void consume_batches(rd_kafka_queue_t *queue, struct bench_tally *tally, double seconds) {
    rd_kafka_message_t *messages[MESSAGES_PER_CALL];
    double end = bench_now() + seconds;
    do {
        ssize_t count =
            rd_kafka_consume_batch_queue(queue, BENCH_SILENCE_MS, messages, MESSAGES_PER_CALL);
        if (count < 0) bench_fail("consume: %s", rd_kafka_err2str(rd_kafka_last_error()));
        if (count == 0) bench_fail("no record for %d ms", BENCH_SILENCE_MS);
        for (ssize_t i = 0; i < count; i++) {
            take_message(tally, messages[i]);
            rd_kafka_message_destroy(messages[i]);
        }
    } while (bench_now() < end);
}

static void consume_singly(rd_kafka_t *rk, struct bench_tally *tally, double seconds) {
    double end = bench_now() + seconds;
    do {
        for (int i = 0; i < BENCH_STRIDE; i++) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, BENCH_SILENCE_MS);
            if (message == NULL) bench_fail("no record for %d ms", BENCH_SILENCE_MS);
            take_message(tally, message);
            rd_kafka_message_destroy(message);
        }
    } while (bench_now() < end);
}

static void consume_for(rd_kafka_t *rk, rd_kafka_queue_t *queue, int mode,
                        struct bench_tally *tally, double seconds) {
    if (mode == BENCH_CONSUME)
        consume_batches(queue, tally, seconds);
    else
        consume_singly(rk, tally, seconds);
}

static void run_consume(const struct bench_setup *setup) {
    struct bench_tally tally;
    struct bench_meter meter;
    rd_kafka_t *rk = open_consumer(setup);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    bench_tally_init(&tally, setup->what);
    consume_for(rk, queue, setup->what->mode, &tally, setup->warmup_seconds);
    uint64_t before = tally.records;
    bench_meter_start(&meter);
    consume_for(rk, queue, setup->what->mode, &tally, setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_tally_check(&tally);
    bench_print(setup, &meter, tally.records - before);
    bench_tally_deinit(&tally);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

/* ---- preparing -------------------------------------------------------------------------- */

static void create_topic(rd_kafka_t *rk, const struct bench_setup *setup) {
    char text[512];
    size_t count = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(setup->topic, setup->what->partitions, 1, text, sizeof text);
    if (topic == NULL) bench_fail("topic: %s", text);
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, BENCH_SILENCE_MS);
    if (event == NULL) bench_fail("creating the topic: no answer for %d ms", BENCH_SILENCE_MS);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail("creating the topic: %s", rd_kafka_event_error_string(event));
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t rv =
        count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR && rv != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        bench_fail("creating the topic: %s", rd_kafka_err2str(rv));
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
}

/* Whether the topic is there with all its partitions led; also how many brokers lead some. */
static bool is_ready(rd_kafka_t *rk, const struct bench_setup *setup, int *leaders) {
    const rd_kafka_metadata_t *metadata = NULL;
    bool seen[BENCH_PARTITIONS_MAX] = {false};
    bool ready = false;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, setup->topic, NULL);
    *leaders = 0;
    if (rd_kafka_metadata(rk, 0, topic, &metadata, BENCH_SILENCE_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_metadata_topic_t *found = &metadata->topics[0];
        ready = metadata->topic_cnt == 1 && found->partition_cnt == setup->what->partitions;
        for (int i = 0; ready && i < found->partition_cnt; i++) {
            int32_t leader = found->partitions[i].leader;
            ready = leader >= 0 && leader < BENCH_PARTITIONS_MAX;
            if (ready && !seen[leader]) {
                seen[leader] = true;
                ++*leaders;
            }
        }
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(topic);
    return ready;
}

/* Waits for the broker, creates the topic, and waits until all its partitions are led. */
static void prepare(const struct bench_setup *setup) {
    const struct timespec pause = {.tv_nsec = PREPARE_MS * 1000000L};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int leaders = 0;
    set_property(conf, "bootstrap.servers", setup->bootstrap);
    set_property(conf, "log_level", "2"); /* a broker that is still starting is no news */
    rd_kafka_t *rk = open_client(RD_KAFKA_PRODUCER, conf);
    create_topic(rk, setup);
    for (int i = 0; !is_ready(rk, setup, &leaders); i++) {
        if (i == PREPARE_TRIES) bench_fail("topic '%s' never got its leaders", setup->topic);
        nanosleep(&pause, NULL);
    }
    printf("partitions=%d leaders=%d\n", (int)setup->what->partitions, leaders);
    rd_kafka_destroy(rk);
}

int main(int argc, char **argv) {
    struct bench_setup setup;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "list") == 0) {
        bench_list();
        return 0;
    }
    if (strcmp(verb, "version") == 0) {
        printf("%s\n", rd_kafka_version_str());
        return 0;
    }
    bench_setup_read(&setup, argc, argv);
    if (strcmp(verb, "prepare") == 0)
        prepare(&setup);
    else if (strcmp(verb, "run") != 0)
        bench_fail("'%s': list, version, prepare or run is wanted", verb);
    else if (setup.what->mode == BENCH_PRODUCE)
        run_produce(&setup);
    else
        run_consume(&setup);
    return 0;
}
