/* Sends every line of a file (or of the standard input) as a record:
 *
 *     producer -b HOST:PORT[,...] -t TOPIC [-p PARTITION] [-k SEPARATOR] [-z CODEC]
 *              [-X name=value]... [FILE]
 *
 * With -k, what comes before the separator is the record's key. Exits with 0 only if every record
 * is written. */
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
            "       [-z none|gzip|snappy|lz4|zstd] [-X name=value]... [FILE]\n",
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

/* Sends each line; the call waits while the budget (buffer.memory) is full. */
static int send_lines(sluice_client *producer, FILE *in, sluice_record *record,
                      const char *separator) {
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
    }
    free(line);
    return rv;
}

static int run(sluice_config *config, FILE *in, sluice_record *record, const char *separator) {
    sluice_client *producer;
    sluice_counts counts;
    double start = now();
    int rv = open_producer(config, &producer);
    if (rv != 0) return rv;
    rv = send_lines(producer, in, record, separator);
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
    int has_brokers = 0;
    FILE *in = stdin;
    sluice_config *config = sluice_config_create();
    for (int option; (option = getopt(argc, argv, "b:t:p:k:z:X:")) != -1;) {
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
    int rv = run(config, in, &record, separator);
    sluice_config_free(config);
    if (in != stdin) fclose(in);
    return rv == 0 ? 0 : 1;
}
