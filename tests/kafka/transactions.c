/* transactions: writes to a topic in transactions, of which some are undone. It uses librdkafka,
 * which has producers of transactions.
 *
 *     transactions BOOTSTRAP TOPIC PARTITIONS CODEC
 *
 * Two producers have transactions that lie one in the other, in every partition: each writes the
 * first half of its records, then each its second half, then one ends, and then the other; over the
 * rounds they are undone or not in every combination. Between the rounds come records without a
 * transaction. A record's value is its line: codec, round, producer, number, and "keep" or "undo",
 * with tabs between.
 *
 * At last one transaction stays open, "late": "open" is printed when its records are with the
 * brokers, and it is committed when a line has been read. Records are only known to be there once
 * they were reported: what is undone before was never sent. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 8, HALF = 12, WAIT_MS = 60000 };

static const char *bootstrap, *topic, *codec;
static int partitions;

static void die(const char *what, const char *why) {
    fprintf(stderr, "transactions: %s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, rd_kafka_error_t *error) {
    if (error != NULL) die(what, rd_kafka_error_string(error));
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("a record was not written", rd_kafka_err2str(message->err));
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(name, text);
}

/* id NULL: without transactions. */
static rd_kafka_t *open_producer(const char *id) {
    char text[256], name[128];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", bootstrap);
    set(conf, "compression.codec", codec);
    set(conf, "linger.ms", "50");
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    if (id != NULL) {
        snprintf(name, sizeof name, "%s-%s", codec, id);
        set(conf, "transactional.id", name);
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (rk == NULL) die("open", text);
    if (id != NULL) check("init", rd_kafka_init_transactions(rk, WAIT_MS));
    return rk;
}

/* Half of what a producer writes in a round, until it is reported. */
static void write_half(rd_kafka_t *rk, int round, const char *who, int first, bool is_kept) {
    char line[160];
    for (int i = first; i < first + HALF; i++) {
        int size = snprintf(line, sizeof line, "%s\t%d\t%s\t%d\t%s", codec, round, who, i,
                            is_kept ? "keep" : "undo");
        rd_kafka_resp_err_t rv =
            rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(i % partitions),
                              RD_KAFKA_V_VALUE(line, (size_t)size),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (rv != RD_KAFKA_RESP_ERR_NO_ERROR) die("produce", rd_kafka_err2str(rv));
    }
    if (rd_kafka_flush(rk, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) die("flush", "too slow");
}

static void end(rd_kafka_t *rk, bool is_kept) {
    if (is_kept)
        check("commit", rd_kafka_commit_transaction(rk, WAIT_MS));
    else
        check("abort", rd_kafka_abort_transaction(rk, WAIT_MS));
}

static void play_round(rd_kafka_t *outer, rd_kafka_t *inner, rd_kafka_t *plain, int round) {
    bool keeps_outer = round % 2 == 0, keeps_inner = round / 2 % 2 == 0;
    check("begin", rd_kafka_begin_transaction(outer));
    write_half(outer, round, "outer", 0, keeps_outer);
    check("begin", rd_kafka_begin_transaction(inner));
    write_half(inner, round, "inner", 0, keeps_inner);
    write_half(outer, round, "outer", HALF, keeps_outer);
    write_half(inner, round, "inner", HALF, keeps_inner);
    bool is_crossed = round / 4 % 2 == 1;
    end(is_crossed ? outer : inner, is_crossed ? keeps_outer : keeps_inner);
    end(is_crossed ? inner : outer, is_crossed ? keeps_inner : keeps_outer);
    write_half(plain, round, "plain", 0, true);
}

static void leave_open(rd_kafka_t *rk, rd_kafka_t *plain) {
    check("begin", rd_kafka_begin_transaction(rk));
    write_half(rk, ROUNDS, "late", 0, true);
    write_half(plain, ROUNDS, "later", 0, true);
    puts("open");
    fflush(stdout);
    (void)getchar();
    end(rk, true);
}

int main(int argc, char **argv) {
    if (argc != 5) die("usage", "transactions BOOTSTRAP TOPIC PARTITIONS CODEC");
    bootstrap = argv[1];
    topic = argv[2];
    partitions = (int)strtol(argv[3], NULL, 10);
    if (partitions < 1) die("not a number of partitions", argv[3]);
    codec = argv[4];
    rd_kafka_t *outer = open_producer("outer");
    rd_kafka_t *inner = open_producer("inner");
    rd_kafka_t *plain = open_producer(NULL);
    for (int round = 0; round < ROUNDS; round++) play_round(outer, inner, plain, round);
    leave_open(outer, plain);
    rd_kafka_destroy(outer);
    rd_kafka_destroy(inner);
    rd_kafka_destroy(plain);
    return 0;
}
