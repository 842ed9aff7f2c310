/* The benchmark client on librdkafka, tuned for throughput as far as its settings go.
 *
 * Producing: rd_kafka_produce with a copy (rd_kafka_produceva where there are headers, or topics by
 * name), reports by dr_msg_cb from rd_kafka_poll; of several threads the first polls, and the others
 * let rd_kafka_produce wait for room (RD_KAFKA_MSG_F_BLOCK). Consuming: all partitions assigned from
 * their beginning, rd_kafka_consume_batch_queue with 1,000 messages a call, or
 * rd_kafka_consumer_poll. rd_kafka_produce_batch is the counterpart of sluice_producer_send_packed and of no call here:
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
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "client.h"

enum {
    MESSAGES_PER_CALL = 1000,
    POLL_MS = 100,
    FLUSH_MS = 60000,
    VU_FIXED = 5 /* topic, value, flags, opaque, key; headers follow */
};

struct bench_client {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic; /* of a producer */
    rd_kafka_queue_t *queue; /* of a consumer */
    const struct bench_case *what;
};

const char *client_version(void) { return rd_kafka_version_str(); }

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

static struct bench_client *open_client(rd_kafka_type_t role, rd_kafka_conf_t *conf) {
    char text[512];
    struct bench_client *client = calloc(1, sizeof *client);
    if (client == NULL) bench_fail("out of memory");
    client->rk = rd_kafka_new(role, conf, text, sizeof text);
    if (client->rk == NULL) bench_fail("rd_kafka_new: %s", text);
    return client;
}

/* ---- producing -------------------------------------------------------------------------- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    struct bench_reports *reports = opaque;
    (void)rk;
    bench_reported(reports, (uint64_t)(uintptr_t)message->_private,
                   message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
}

static rd_kafka_conf_t *make_producer_settings(const struct bench_setup *setup,
                                               struct bench_reports *reports) {
    const struct bench_case *what = setup->what;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_property(conf, "bootstrap.servers", setup->bootstrap);
    set_property(conf, "acks", bench_acks(what));
    set_property(conf, "enable.idempotence", what->has_idempotence ? "true" : "false");
    set_number(conf, "linger.ms", bench_linger_ms(what));
    set_number(conf, "batch.size", BENCH_BATCH_BYTES);
    set_property(conf, "batch.num.messages", "1000000");
    set_property(conf, "queue.buffering.max.messages", "0");
    set_number(conf, "queue.buffering.max.kbytes", bench_buffer_bytes(what) / 1024);
    set_property(conf, "compression.codec", what->codec);
    if (what->level != 0) set_number(conf, "compression.level", what->level);
    rd_kafka_conf_set_opaque(conf, reports);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    set_from_arguments(conf, setup);
    return conf;
}

struct bench_client *client_open_producer(const struct bench_setup *setup,
                                          const struct bench_data *data,
                                          struct bench_reports *reports) {
    (void)data;
    struct bench_client *client =
        open_client(RD_KAFKA_PRODUCER, make_producer_settings(setup, reports));
    client->what = setup->what;
    if (setup->what->topics > 0) return client; /* they are found by name, each time */
    client->topic = rd_kafka_topic_new(client->rk, setup->topic, NULL);
    if (client->topic == NULL) bench_fail("topic: %s", rd_kafka_err2str(rd_kafka_last_error()));
    return client;
}

/* One try to queue a record; a full queue is QUEUE_FULL. */
static rd_kafka_resp_err_t try_produce(struct bench_client *client, struct bench_sender *sender,
                                       int flags) {
    const struct bench_data *data = sender->data;
    void *value = (void *)(uintptr_t)bench_value(data, sender->next);
    int rv = rd_kafka_produce(client->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY | flags,
                              value, data->value_size, data->key_size > 0 ? sender->key : NULL,
                              data->key_size, (void *)(uintptr_t)sender->next);
    return rv == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

/* The same by the call that takes headers, and topics by name. */
static rd_kafka_resp_err_t try_produce_more(struct bench_client *client,
                                            struct bench_sender *sender, int flags) {
    const struct bench_data *data = sender->data;
    rd_kafka_vu_t vus[VU_FIXED + BENCH_HEADERS_MAX];
    size_t count = VU_FIXED;
    if (data->topics != NULL) {
        vus[0].vtype = RD_KAFKA_VTYPE_TOPIC;
        vus[0].u.cstr = bench_topic(data, sender->next);
    } else {
        vus[0].vtype = RD_KAFKA_VTYPE_RKT;
        vus[0].u.rkt = client->topic;
    }
    vus[1].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[1].u.mem.ptr = (void *)(uintptr_t)bench_value(data, sender->next);
    vus[1].u.mem.size = data->value_size;
    vus[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[2].u.i = RD_KAFKA_MSG_F_COPY | flags;
    vus[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[3].u.ptr = (void *)(uintptr_t)sender->next;
    vus[4].vtype = RD_KAFKA_VTYPE_KEY;
    vus[4].u.mem.ptr = data->key_size > 0 ? sender->key : NULL;
    vus[4].u.mem.size = data->key_size;
    for (int32_t i = 0; i < client->what->header_count; i++, count++) {
        vus[count].vtype = RD_KAFKA_VTYPE_HEADER;
        vus[count].u.header.name = bench_header_names[i];
        vus[count].u.header.val = bench_header_values[i];
        vus[count].u.header.size = (ssize_t)strlen(bench_header_values[i]);
    }
    rd_kafka_error_t *error = rd_kafka_produceva(client->rk, vus, count);
    if (error == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

static inline rd_kafka_resp_err_t produce_one(struct bench_client *client,
                                              struct bench_sender *sender, int flags) {
    if (sender->data->key_size > 0) bench_key(sender);
    return client->topic == NULL || client->what->header_count > 0
               ? try_produce_more(client, sender, flags)
               : try_produce(client, sender, flags);
}

void client_send(struct bench_client *client, struct bench_sender *sender, uint32_t count) {
    int flags = sender->reads_reports ? 0 : RD_KAFKA_MSG_F_BLOCK;
    for (uint32_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t rv;
        while ((rv = produce_one(client, sender, flags)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            if (sender->reads_reports) rd_kafka_poll(client->rk, POLL_MS);
        if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("produce: %s", rd_kafka_err2str(rv));
        bench_sent(sender);
    }
}

bool client_try(struct bench_client *client, struct bench_sender *sender) {
    rd_kafka_resp_err_t rv = produce_one(client, sender, 0);
    if (rv == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("produce: %s", rd_kafka_err2str(rv));
    bench_sent(sender);
    return true;
}

void client_read_reports(struct bench_client *client, int32_t wait_ms) {
    rd_kafka_poll(client->rk, wait_ms);
}

void client_finish(struct bench_client *client, uint64_t reports) {
    (void)reports; /* flush serves them all before it returns */
    rd_kafka_resp_err_t rv = rd_kafka_flush(client->rk, FLUSH_MS);
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("flush: %s", rd_kafka_err2str(rv));
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
    if (setup->what->kind == BENCH_IDLE_GROUP)
        set_number(conf, "heartbeat.interval.ms", BENCH_HEARTBEAT_MS);
    set_property(conf, "queued.min.messages", "1000000");
    set_number(conf, "queued.max.messages.kbytes", BENCH_BUFFER_BYTES / 1024);
    set_if_known(conf, "fetch.queue.backoff.ms", "10"); /* since 2.2 */
    set_from_arguments(conf, setup);
    return conf;
}

struct bench_client *client_open_consumer(const struct bench_setup *setup) {
    struct bench_client *client = open_client(RD_KAFKA_CONSUMER, make_consumer_settings(setup));
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(setup->what->partitions);
    int64_t where =
        setup->what->kind == BENCH_IDLE ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
    client->what = setup->what;
    bool has_group = setup->what->kind == BENCH_IDLE_GROUP;
    for (int32_t i = 0; !has_group && i < setup->what->partitions; i++)
        rd_kafka_topic_partition_list_add(list, setup->topic, i)->offset = where;
    if (has_group) rd_kafka_topic_partition_list_add(list, setup->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t rv =
        has_group ? rd_kafka_subscribe(client->rk, list) : rd_kafka_assign(client->rk, list);
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("assign: %s", rd_kafka_err2str(rv));
    rd_kafka_topic_partition_list_destroy(list);
    client->queue = rd_kafka_queue_get_consumer(client->rk);
    return client;
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

static void consume_singly(rd_kafka_t *rk, int stride, struct bench_tally *tally, double seconds) {
    double end = bench_now() + seconds;
    do {
        for (int i = 0; i < stride; i++) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, BENCH_SILENCE_MS);
            if (message == NULL) bench_fail("no record for %d ms", BENCH_SILENCE_MS);
            take_message(tally, message);
            rd_kafka_message_destroy(message);
        }
    } while (bench_now() < end);
}

void client_consume(struct bench_client *client, enum bench_kind kind, struct bench_tally *tally,
                    double seconds) {
    if (kind == BENCH_END_TO_END)
        consume_singly(client->rk, 1, tally, seconds);
    else if (kind == BENCH_CONSUME_SINGLE)
        consume_singly(client->rk, BENCH_STRIDE, tally, seconds);
    else
        consume_batches(client->queue, tally, seconds);
}

void client_pause(struct bench_client *client) {
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t rv = rd_kafka_assignment(client->rk, &list);
    if (rv == RD_KAFKA_RESP_ERR_NO_ERROR) rv = rd_kafka_pause_partitions(client->rk, list);
    if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) bench_fail("pause: %s", rd_kafka_err2str(rv));
    rd_kafka_topic_partition_list_destroy(list);
}

void client_close(struct bench_client *client) {
    if (client->queue != NULL) rd_kafka_queue_destroy(client->queue);
    if (client->topic != NULL) rd_kafka_topic_destroy(client->topic);
    rd_kafka_destroy(client->rk);
    free(client);
}
