/* Sends every line of a file (or of the standard input) as a record:
 *
 *     producer -b HOST:PORT[,...] -t TOPIC [-p PARTITION] [-k SEPARATOR] [-z CODEC]
 *              [-X name=value]... [-s] [FILE]
 *
 * With -k, what comes before the separator is the record's key; with -s, a line a second tells how
 * it goes. Exits with 0 only if every record is written. */
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int usage(const char *program) {
    fprintf(stderr,
            "usage: %s -b HOST:PORT[,...] -t TOPIC [-p PARTITION] [-k SEPARATOR]\n"
            "       [-z none|gzip|snappy|lz4|zstd] [-X name=value]... [-s] [FILE]\n",
            program);
    return 2;
}

/* Says what went wrong, for a client that may be NULL. */
static int complain(const sluice_client *client, int rv) {
    char text[1024];
    sluice_client_explain(client, rv, text, sizeof text);
    fprintf(stderr, "producer: %s\n", text);
    return rv;
}

/* name=value of -X. */
static void set_property(sluice_config *config, char *text) {
    char *value = strchr(text, '=');
    if (value != NULL) *value++ = '\0';
    sluice_config_set(config, text, value != NULL ? value : ""); /* mistakes: told by open */
}

/* Opens the client; mistakes in the settings are told all at once. */
static int open_producer(sluice_config *config, sluice_client **out) {
    int rv = sluice_client_open(config, SLUICE_PRODUCER, NULL, out);
    if (rv == SLUICE_ERR_CONFIG)
        fprintf(stderr, "%s\n", sluice_config_message(config));
    else if (rv != 0)
        complain(NULL, rv);
    return rv;
}

/* The value of a metric of the whole producer; METRICS.md lists them. */
static double metric(const sluice_table *table, const char *name) {
    for (int32_t row = 0; row < sluice_table_rows(table); row++)
        if (strcmp(sluice_table_str(table, row, "name"), name) == 0)
            return sluice_table_real(table, row, "value", 0);
    return 0;
}

static void print_stats(sluice_client *producer) {
    sluice_op *op;
    int rv = sluice_metrics_snapshot(producer, 1000, &op);
    if (rv == 0) rv = sluice_op_wait(op, 1000);
    const sluice_table *table = rv == 0 ? sluice_op_table(op, "metrics") : NULL;
    if (table != NULL)
        fprintf(stderr,
                "%.0f written, %.0f queued, %.0f not written, %.0f sent again, "
                "latency %.1f ms (99%%: %.1f)\n",
                metric(table, "record-written-total"), metric(table, "records-queued"),
                metric(table, "record-not-written-total"), metric(table, "record-retry-total"),
                metric(table, "request-latency-avg"), metric(table, "request-latency-p99"));
    sluice_op_free(op);
}

/* Sends each line; the call waits while the budget (buffer.memory) is full. */
static int send_lines(sluice_client *producer, FILE *in, sluice_record *record,
                      const char *separator, int has_stats) {
    double next = now() + 1;
    char *line = NULL;
    size_t cap = 0;
    ssize_t size;
    int rv = 0;
    while (rv == 0 && (size = getline(&line, &cap, in)) >= 0) {
        if (size > 0 && line[size - 1] == '\n') line[--size] = '\0';
        char *found = separator != NULL ? strstr(line, separator) : NULL;
        record->key = found != NULL ? line : NULL;
        record->key_size = found != NULL ? (size_t)(found - line) : 0;
        record->value = found != NULL ? found + strlen(separator) : line;
        record->value_size = (size_t)(line + size - (const char *)record->value);
        rv = sluice_producer_send_record(producer, record, sizeof *record, -1);
        if (has_stats && now() >= next) {
            print_stats(producer);
            next += 1;
        }
    }
    free(line);
    return rv;
}

static int run(sluice_config *config, FILE *in, sluice_record *record, const char *separator,
               int has_stats) {
    sluice_client *producer;
    sluice_counts counts;
    double start = now();
    int rv = open_producer(config, &producer);
    if (rv != 0) return rv;
    rv = send_lines(producer, in, record, separator, has_stats);
    if (rv != 0) complain(producer, rv);
    int closed = sluice_client_close(producer, -1, NULL); /* waits for every outcome */
    if (closed != 0) complain(producer, closed);
    if (sluice_producer_counts(producer, &counts, sizeof counts) == 0) {
        double seconds = now() - start;
        fprintf(stderr, "%lld written, %lld not written, %lld maybe written, %.0f records/s\n",
                (long long)counts.written, (long long)counts.not_written,
                (long long)counts.maybe_written, (double)counts.written / seconds);
    }
    sluice_client_free(producer);
    return rv != 0 ? rv : closed;
}

int main(int argc, char **argv) {
    sluice_record record = {0};
    const char *separator = NULL;
    int has_brokers = 0, has_stats = 0;
    FILE *in = stdin;
    sluice_config *config = sluice_config_create();
    for (int option; (option = getopt(argc, argv, "b:t:p:k:z:X:s")) != -1;) {
        switch (option) {
        case 'b':
            sluice_config_set(config, "bootstrap.servers", optarg);
            has_brokers = 1;
            break;
        case 't':
            record.topic = optarg;
            break;
        case 'p':
            record.partition = (int32_t)strtol(optarg, NULL, 10);
            record.set |= SLUICE_SET_PARTITION;
            break;
        case 'k':
            separator = optarg;
            break;
        case 'z':
            sluice_config_set(config, "compression.type", optarg);
            break;
        case 'X':
            set_property(config, optarg);
            break;
        case 's':
            has_stats = 1;
            break;
        default:
            return usage(argv[0]);
        }
    }
    int is_good = has_brokers && record.topic != NULL && argc - optind <= 1;
    if (!is_good || (separator != NULL && *separator == '\0')) return usage(argv[0]);
    if (optind < argc) in = fopen(argv[optind], "r");
    if (in == NULL) {
        perror(argv[optind]);
        return 1;
    }
    int rv = run(config, in, &record, separator, has_stats);
    sluice_config_free(config);
    if (in != stdin) fclose(in);
    return rv == 0 ? 0 : 1;
}
