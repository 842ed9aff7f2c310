/* Prints the records of a topic:
 *
 *     consumer -b HOST:PORT[,...] -t TOPIC [-p PARTITION]... [-e] [-c COUNT]
 *              [-o beginning|end|committed|OFFSET] [-f FORMAT] [-X name=value]...
 *
 * Without -p all partitions. -o committed goes on where the group of -X group.id=... has come to, and
 * with it what was printed is committed. -e ends at the end of all partitions, -c after so many records. FORMAT
 * has %k key, %v value, %o offset, %p partition, %t topic, %T timestamp, %h headers, \n and \t. */
#include <signal.h>
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static sluice_client *consumer;
static const char *topic, *format = "%v\\n";
static int64_t start_offset = SLUICE_OFFSET_EARLIEST, printed, most = -1; /* -1: no limit */
static int32_t partitions[10000], partition_count, ended_count;
static char has_ended[10000]; /* by partition */
static int until_end;

static void on_signal(int number) {
    (void)number;
    sluice_client_interrupt(consumer);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int usage(void) {
    fputs("usage: consumer -b HOST:PORT[,...] -t TOPIC [-p PARTITION]... [-e] [-c COUNT]\n"
          "       [-o beginning|end|committed|OFFSET] [-f FORMAT] [-X name=value]...\n",
          stderr);
    return 2;
}

static void print_headers(const sluice_view *v) {
    sluice_header h;
    for (int32_t i = 0; sluice_headers_read(v->headers, v->headers_size, i, &h) == 1; i++)
        printf("%s%.*s=%.*s", i > 0 ? "," : "", (int)h.name_size, h.name,
               h.value_size > 0 ? h.value_size : 0, (const char *)h.value);
}

static void print_record(const sluice_view *v) {
    for (const char *at = format; *at != '\0'; at++) {
        char after = at[1];
        if ((*at != '%' && *at != '\\') || after == '\0') {
            putchar(*at);
            continue;
        }
        switch (*at++ == '\\' ? -after : after) {
        case 'k':
            fwrite(v->key, 1, v->key_size, stdout);
            break;
        case 'v':
            fwrite(v->value, 1, v->value_size, stdout);
            break;
        case 'o':
            printf("%lld", (long long)v->offset);
            break;
        case 'p':
            printf("%ld", (long)v->partition);
            break;
        case 't':
            fputs(v->topic, stdout);
            break;
        case 'T':
            printf("%lld", (long long)v->timestamp_ms);
            break;
        case 'h':
            print_headers(v);
            break;
        case -'n':
            putchar('\n');
            break;
        case -'t':
            putchar('\t');
            break;
        default:
            putchar(after);
        }
    }
}

/* A slice that is at the end of its partition says so; a later one may take that back. */
static void note_ends(const sluice_batch *batch) {
    sluice_slice s;
    for (int32_t i = 0; sluice_batch_slice(batch, i, &s, sizeof s) == 1; i++) {
        ended_count += s.at_end - has_ended[s.partition];
        has_ended[s.partition] = (char)s.at_end;
    }
}

static int print_batch(sluice_batch *batch) {
    sluice_view v;
    int rv = 0;
    note_ends(batch);
    while (printed != most && (rv = sluice_batch_next(batch, &v, sizeof v)) == 1) {
        print_record(&v);
        printed++;
    }
    int finished = sluice_batch_finish(batch); /* what was not handed out would come again */
    return rv < 0 ? rv : finished;
}

static int assign(void) {
    int rv = 0;
    if (partition_count == 0) {
        rv = sluice_client_partitions(consumer, topic, SLUICE_TIMEOUT_DEFAULT, &partition_count);
        if (partition_count > 10000) partition_count = 10000;
        for (int32_t i = 0; i < partition_count; i++) partitions[i] = i;
    }
    sluice_offsets *from = sluice_offsets_create();
    for (int32_t i = 0; i < partition_count; i++)
        sluice_offsets_add(from, topic, partitions[i], start_offset);
    if (rv == 0) rv = sluice_consumer_assign(consumer, from);
    sluice_offsets_free(from);
    return rv;
}

static int consume(void) {
    int rv = assign();
    while (rv == 0 && printed != most && !(until_end && ended_count == partition_count)) {
        sluice_batch *batch;
        rv = sluice_consumer_poll(consumer, -1, &batch);
        if (rv == 0) rv = print_batch(batch);
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
    for (int option; *rest == '\0' && (option = getopt(argc, argv, "b:t:p:o:ec:f:X:")) != -1;) {
        switch (option) {
        case 'b':
            sluice_config_set(config, "bootstrap.servers", optarg);
            break;
        case 't':
            topic = optarg;
            break;
        case 'p':
            partitions[partition_count++ % 10000] = (int32_t)strtol(optarg, &rest, 10);
            break;
        case 'o':
            if (strcmp(optarg, "end") == 0)
                start_offset = SLUICE_OFFSET_LATEST;
            else if (strcmp(optarg, "committed") == 0)
                start_offset = SLUICE_OFFSET_COMMITTED;
            else if (strcmp(optarg, "beginning") != 0)
                start_offset = strtoll(optarg, &rest, 10);
            break;
        case 'e':
            until_end = 1;
            break;
        case 'c':
            most = strtoll(optarg, &rest, 10);
            break;
        case 'f':
            format = optarg;
            break;
        case 'X':
            set_property(config, optarg);
            break;
        default:
            return 0;
        }
    }
    if (until_end) sluice_config_set(config, "poll.ends", "true");
    return topic != NULL && optind == argc && *rest == '\0';
}

int main(int argc, char **argv) {
    char text[1024];
    sluice_config *config = sluice_config_create();
    if (!parse(argc, argv, config)) return usage();
    int rv = sluice_client_open(config, SLUICE_CONSUMER, NULL, &consumer);
    if (rv != 0) fprintf(stderr, "%s\n", sluice_config_message(config));
    sluice_config_free(config);
    if (rv != 0) return 1;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    double begin = now();
    rv = consume();
    fprintf(stderr, "%lld records, %.0f records/s\n", (long long)printed,
            (double)printed / (now() - begin));
    if (rv != 0) {
        sluice_client_explain(consumer, rv, text, sizeof text);
        fprintf(stderr, "consumer: %s\n", text);
    }
    int closed = sluice_client_close(consumer, 10000, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sluice_client_free(consumer);
    return rv != 0 || closed != 0 || fflush(stdout) != 0 ? 1 : 0;
}
