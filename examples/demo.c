/* Everything in one process: starts a test cluster of three nodes, sends the lines of a text file
 * until there are 100,000 records, reads them back, and compares.
 *
 *     demo FILE */
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORDS = 100000, PARTITIONS = 12, NODES = 3 };
static const char topic[] = "demo";

/* What went in and what came out. The sum is over all values and does not depend on their order,
 * which partitions do not keep among each other. */
struct totals {
    long long count;
    long long bytes;
    uint64_t sum;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int complain(const char *what, const sluice_client *client, int rv) {
    char text[1024];
    sluice_client_explain(client, rv, text, sizeof text);
    fprintf(stderr, "demo: %s: %s\n", what, text);
    return rv;
}

static void add_value(struct totals *t, const void *value, size_t size) {
    const unsigned char *bytes = value;
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 1099511628211U;
    t->count++;
    t->bytes += (long long)size;
    t->sum += hash;
}

static void report(const char *what, const struct totals *t, double seconds) {
    printf("%s %lld records, %.1f MB, in %.3f s: %.0f records/s, %.1f MB/s\n", what, t->count,
           (double)t->bytes / 1e6, seconds, (double)t->count / seconds,
           (double)t->bytes / 1e6 / seconds);
}

/* The file again and again, until there are enough records. */
static int send_file(sluice_client *producer, FILE *file, struct totals *sent) {
    char line[4096];
    int rv = 0;
    while (rv == 0 && sent->count < RECORDS) {
        long long before = sent->count;
        rewind(file);
        while (rv == 0 && fgets(line, sizeof line, file) != NULL) {
            size_t size = strcspn(line, "\n");
            rv = sluice_producer_send(producer, topic, NULL, 0, line, size, -1);
            if (rv == 0) add_value(sent, line, size);
        }
        if (sent->count == before) break; /* an empty file */
    }
    return rv;
}

static int produce(const char *brokers, FILE *file, struct totals *sent) {
    const char *const settings[] = {"bootstrap.servers", brokers, "compression.type", "lz4", NULL};
    sluice_client *producer;
    double start = now();
    int rv = sluice_client_start(SLUICE_PRODUCER, settings, &producer);
    if (rv == 0) rv = send_file(producer, file, sent);
    if (rv == 0) rv = sluice_producer_flush(producer, 60000, NULL); /* 0: all are written */
    if (rv != 0)
        complain("producing", producer, rv);
    else
        report("sent", sent, now() - start);
    int closed = producer == NULL ? 0 : sluice_client_close(producer, 10000, NULL);
    sluice_client_free(producer);
    return rv != 0 ? rv : closed;
}

static int read_back(sluice_client *consumer, long long count, struct totals *got) {
    sluice_view v[256];
    int rv = 0;
    while (rv == 0 && got->count < count) {
        sluice_batch *batch;
        rv = sluice_consumer_poll(consumer, 10000, &batch);
        if (rv == 0 && batch == NULL) rv = SLUICE_ERR_TIMEOUT;
        for (int32_t n; rv == 0 && (n = sluice_batch_read(batch, v, sizeof v[0], 256)) > 0;)
            for (int32_t i = 0; i < n; i++) add_value(got, v[i].value, v[i].value_size);
        int finished = sluice_batch_finish(batch);
        if (rv == 0) rv = finished;
    }
    return rv;
}

static int consume(const char *brokers, long long count, struct totals *got) {
    const char *const settings[] = {"bootstrap.servers", brokers, NULL};
    sluice_client *consumer;
    sluice_offsets *from = sluice_offsets_create();
    double start = now();
    int rv = sluice_client_start(SLUICE_CONSUMER, settings, &consumer);
    for (int32_t i = 0; i < PARTITIONS; i++)
        sluice_offsets_add(from, topic, i, SLUICE_OFFSET_EARLIEST);
    if (rv == 0) rv = sluice_consumer_assign(consumer, from);
    if (rv == 0) rv = read_back(consumer, count, got);
    if (rv != 0)
        complain("consuming", consumer, rv);
    else
        report("read", got, now() - start);
    int closed = consumer == NULL ? 0 : sluice_client_close(consumer, 10000, NULL);
    sluice_offsets_free(from);
    sluice_client_free(consumer);
    return rv != 0 ? rv : closed;
}

static int run(FILE *file) {
    struct totals sent = {0, 0, 0};
    struct totals got = {0, 0, 0};
    sluice_testbroker *cluster;
    int rv = sluice_testbroker_create(NODES, NULL, &cluster);
    if (rv == 0) rv = sluice_testbroker_topic(cluster, topic, PARTITIONS, NODES);
    if (rv != 0) {
        complain("the test cluster", NULL, rv);
        sluice_testbroker_free(cluster);
        return rv;
    }
    const char *brokers = sluice_testbroker_bootstrap(cluster);
    printf("a cluster of %d nodes at %s, topic \"%s\" with %d partitions\n", NODES, brokers, topic,
           PARTITIONS);
    rv = produce(brokers, file, &sent);
    if (rv == 0) rv = consume(brokers, sent.count, &got);
    sluice_testbroker_free(cluster);
    if (rv != 0) return rv;
    int is_same = sent.count >= RECORDS && sent.count == got.count && sent.sum == got.sum;
    printf(is_same ? "the same records came back\n" : "what came back is NOT what was sent\n");
    return is_same ? 0 : 1;
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: %s FILE (a text file that can be read)\n", argv[0]);
        return 2;
    }
    int rv = run(file);
    fclose(file);
    return rv == 0 ? 0 : 1;
}
