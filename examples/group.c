/* Reads topics together with the other members of a group, and prints what it gets:
 *
 *     group -b HOST:PORT[,...] -g GROUP -t TOPIC [-t TOPIC]... [-c COUNT] [-v] [-X name=value]...
 *
 * A TOPIC that begins with ^ is a regular expression. A record is a line: topic, partition, offset
 * and value. What was printed is committed; start it twice, and the partitions are shared. Ctrl-C
 * commits, leaves the group and ends. -v tells on stderr of partitions that come and go. */
#include <signal.h>
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOPICS_MAX = 64 };

static sluice_client *consumer;
static const char *topics[TOPICS_MAX];
static int32_t topic_count;
static int64_t printed, most = -1; /* -1: no limit */
static int verbose;

static void on_signal(int number) {
    (void)number;
    sluice_client_interrupt(consumer);
}

static int usage(void) {
    fputs("usage: group -b HOST:PORT[,...] -g GROUP -t TOPIC [-t TOPIC]... [-c COUNT] [-v]\n"
          "       [-X name=value]...\n",
          stderr);
    return 2;
}

/* Says which partitions came or went, and goes on: without this call what came is not read. */
static int tell_rebalance(void) {
    static const char *const kinds[] = {"assigned", "revoking", "lost"};
    sluice_rebalance_info info = {0, 0};
    sluice_rebalance *rebalance;
    sluice_offset o;
    int rv = sluice_consumer_rebalance(consumer, &rebalance);
    if (rv != 0) return rv == SLUICE_ERR_STALE ? 0 : rv;
    (void)sluice_rebalance_read(rebalance, &info, sizeof info);
    flockfile(stderr); /* one line, whatever the client logs meanwhile */
    fprintf(stderr, "%s:", kinds[info.kind - SLUICE_REBALANCE_ASSIGNED]);
    const sluice_offsets *list = sluice_rebalance_offsets(rebalance);
    for (int32_t i = 0; sluice_offsets_at(list, i, &o, sizeof o) == 1; i++)
        fprintf(stderr, " %s-%d", o.topic, (int)o.partition);
    fputc('\n', stderr);
    funlockfile(stderr);
    rv = sluice_rebalance_done(rebalance, NULL);
    return rv == SLUICE_ERR_STALE ? 0 : rv; /* too late: they are gone, and lost is told next */
}

static int print_batch(sluice_batch *batch) {
    sluice_view v;
    int rv = 0;
    while (printed != most && (rv = sluice_batch_next(batch, &v, sizeof v)) == 1) {
        printf("%s\t%d\t%lld\t", v.topic, (int)v.partition, (long long)v.offset);
        fwrite(v.value, 1, v.value_size, stdout);
        putchar('\n');
        printed++;
    }
    fflush(stdout);
    int finished = sluice_batch_finish(batch); /* printed is processed; the rest comes again */
    return rv < 0 ? rv : finished;
}

static int consume(void) {
    int rv = sluice_consumer_subscribe(consumer, topics, topic_count);
    while (rv == 0 && printed != most) {
        sluice_batch *batch;
        rv = sluice_consumer_poll(consumer, -1, &batch);
        if (rv == 0) rv = print_batch(batch);
        /* Partitions were held for too long: others print these records too. */
        if (rv == SLUICE_ERR_STALE) rv = 0;
        if (rv == SLUICE_NOTICE_REBALANCE) rv = tell_rebalance();
    }
    return rv == SLUICE_ERR_INTERRUPTED ? 0 : rv;
}

/* name=value; what is wrong with it is told by open, all at once. */
static void set_property(sluice_config *config, char *text) {
    char *value = strchr(text, '=');
    if (value != NULL) *value++ = '\0';
    sluice_config_set(config, text, value != NULL ? value : "");
}

/* 0: the command line is wrong. */
static int parse(int argc, char **argv, sluice_config *config) {
    char *rest = "";
    sluice_config_set(config, "auto.offset.reset", "earliest");
    for (int option; *rest == '\0' && (option = getopt(argc, argv, "b:g:t:c:vX:")) != -1;) {
        switch (option) {
        case 'b':
            sluice_config_set(config, "bootstrap.servers", optarg);
            break;
        case 'g':
            sluice_config_set(config, "group.id", optarg);
            break;
        case 't':
            if (topic_count == TOPICS_MAX) return 0;
            topics[topic_count++] = optarg;
            break;
        case 'c':
            most = strtoll(optarg, &rest, 10);
            break;
        case 'v':
            verbose = 1;
            sluice_config_set(config, "rebalance.notices", "true");
            break;
        case 'X':
            set_property(config, optarg);
            break;
        default:
            return 0;
        }
    }
    return *rest == '\0' && topic_count > 0 && optind == argc;
}

static int complain(const sluice_config *config, int rv) {
    char story[512];
    const char *text = config != NULL ? sluice_config_message(config) : story;
    (void)sluice_client_explain(consumer, rv, story, sizeof story);
    fprintf(stderr, "group: %s\n", text[0] != '\0' ? text : sluice_error_text(rv));
    return 1;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_signal};
    sluice_config *config = sluice_config_create();
    if (!parse(argc, argv, config)) {
        sluice_config_free(config);
        return usage();
    }
    int rv = sluice_client_open(config, SLUICE_CONSUMER, NULL, &consumer);
    int status = rv != 0 ? complain(config, rv) : 0;
    sluice_config_free(config);
    if (rv != 0) return status;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    rv = consume();
    if (rv != 0) status = complain(NULL, rv);
    rv = sluice_client_close(consumer, 10000, NULL); /* commits, and leaves the group */
    if (rv != 0 && status == 0) status = complain(NULL, rv);
    sluice_client_free(consumer);
    return status;
}
