/* Makes the bundled broker ready for a case: waits until it answers, creates the case's topics, and
 * waits until every partition is led. Also prints the list of cases for run.sh. It uses librdkafka,
 * as an admin client that neither of the compared producers and consumers is. */
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "bench.h"

enum { TRIES = 100, PAUSE_MS = 100, NODES_MAX = 101, CREATE_MS = 30000 };

static void check_results(rd_kafka_event_t *event) {
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t rv = rd_kafka_topic_result_error(results[i]);
        if (rv != RD_KAFKA_RESP_ERR_NO_ERROR && rv != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            bench_fail("creating a topic: %s", rd_kafka_err2str(rv));
    }
}

static size_t count_topics(const struct bench_setup *setup) {
    return setup->what->topics == 0 ? 1 : (size_t)setup->what->topics;
}

static void put_name(char name[BENCH_TOPIC_NAME], const struct bench_setup *setup, size_t index) {
    if (setup->what->topics == 0)
        snprintf(name, BENCH_TOPIC_NAME, "%s", setup->topic);
    else
        bench_topic_name(name, setup, (int32_t)index);
}

static void create_topics(rd_kafka_t *rk, const struct bench_setup *setup) {
    char text[512];
    char name[BENCH_TOPIC_NAME];
    size_t count = count_topics(setup);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t **topics = calloc(count, sizeof *topics);
    if (topics == NULL) bench_fail("out of memory");
    for (size_t i = 0; i < count; i++) {
        put_name(name, setup, i);
        topics[i] = rd_kafka_NewTopic_new(name, setup->what->partitions, 1, text, sizeof text);
        if (topics[i] == NULL) bench_fail("topic: %s", text);
    }
    rd_kafka_CreateTopics(rk, topics, count, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CREATE_MS);
    if (event == NULL) bench_fail("creating the topics: no answer for %d ms", CREATE_MS);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_fail("creating the topics: %s", rd_kafka_event_error_string(event));
    check_results(event);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy_array(topics, count);
    free(topics);
    rd_kafka_queue_destroy(queue);
}

/* Makes the topics known to the client, which then asks for them by name: a list of all is asked for
 * with bytes that only a lenient broker reads. */
static rd_kafka_topic_t **know_topics(rd_kafka_t *rk, const struct bench_setup *setup) {
    char name[BENCH_TOPIC_NAME];
    size_t count = count_topics(setup);
    rd_kafka_topic_t **topics = calloc(count, sizeof *topics);
    if (topics == NULL) bench_fail("out of memory");
    for (size_t i = 0; i < count; i++) {
        put_name(name, setup, i);
        topics[i] = rd_kafka_topic_new(rk, name, NULL);
        if (topics[i] == NULL) bench_fail("topic: %s", rd_kafka_err2str(rd_kafka_last_error()));
    }
    return topics;
}

/* How many partitions of the known topics are led; also how many brokers lead some. */
static int count_led(rd_kafka_t *rk, int *leaders) {
    const rd_kafka_metadata_t *metadata = NULL;
    bool seen[NODES_MAX] = {false};
    int led = 0;
    *leaders = 0;
    if (rd_kafka_metadata(rk, 0, NULL, &metadata, BENCH_SILENCE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    for (int t = 0; t < metadata->topic_cnt; t++) {
        for (int i = 0; i < metadata->topics[t].partition_cnt; i++) {
            int32_t leader = metadata->topics[t].partitions[i].leader;
            if (leader < 0 || leader >= NODES_MAX) continue;
            led++;
            if (!seen[leader]) ++*leaders;
            seen[leader] = true;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return led;
}

static void prepare(const struct bench_setup *setup) {
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int wanted = setup->what->partitions * (setup->what->topics == 0 ? 1 : setup->what->topics);
    int leaders = 0;
    /* A broker that is still starting is no news. */
    if (rd_kafka_conf_set(conf, "bootstrap.servers", setup->bootstrap, text, sizeof text) !=
            RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "log_level", "2", text, sizeof text) != RD_KAFKA_CONF_OK)
        bench_fail("%s", text);
    for (int i = 0; i < setup->property_count; i++) {
        char name[128];
        const char *equals = strchr(setup->properties[i], '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - setup->properties[i]),
                 setup->properties[i]);
        if (rd_kafka_conf_set(conf, name, equals + 1, text, sizeof text) != RD_KAFKA_CONF_OK)
            bench_fail("%s", text);
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (rk == NULL) bench_fail("rd_kafka_new: %s", text);
    create_topics(rk, setup);
    rd_kafka_topic_t **topics = know_topics(rk, setup);
    for (int i = 0; count_led(rk, &leaders) != wanted; i++) {
        if (i == TRIES) bench_fail("the %d partitions never got their leaders", wanted);
        bench_sleep_until(bench_now() + PAUSE_MS / 1000.0);
    }
    printf("partitions=%d leaders=%d\n", wanted, leaders);
    for (size_t i = 0; i < count_topics(setup); i++) rd_kafka_topic_destroy(topics[i]);
    free(topics);
    rd_kafka_destroy(rk);
}

int main(int argc, char **argv) {
    struct bench_setup setup;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "list") == 0) {
        bench_list();
        return 0;
    }
    if (strcmp(verb, "prepare") != 0) bench_fail("'%s': list or prepare is wanted", verb);
    bench_setup_read(&setup, argc, argv);
    prepare(&setup);
    return 0;
}
