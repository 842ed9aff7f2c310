/* A program of somebody else: C99 and C++17, that knows the installed headers alone. Sends records to a test
 * cluster in its own process, reads them back, and says which library it ran with. */
#include <sluice/sluice.h>
#include <stdio.h>
#include <string.h>

enum { RECORDS = 1000 };

static int fail(const char *what, sluice_client *client, int rv) {
    char text[512];
    sluice_client_explain(client, rv, text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, text);
    return 1;
}

static int produce(const char *brokers) {
    const char *const settings[] = {"bootstrap.servers", brokers, "compression.type", "zstd", NULL};
    sluice_client *producer;
    char value[32];
    int rv = sluice_client_start(SLUICE_PRODUCER, settings, &producer);
    for (int i = 0; i < RECORDS && rv == 0; i++) {
        size_t size = (size_t)snprintf(value, sizeof value, "value %d", i);
        rv = sluice_producer_send(producer, "t", NULL, 0, value, size, 5000);
    }
    int closed = sluice_client_close(producer, 10000, NULL);
    if (rv == 0) rv = closed;
    if (rv != 0) fail("producing", producer, rv);
    sluice_client_free(producer);
    return rv;
}

static int consume(const char *brokers) {
    const char *const settings[] = {"bootstrap.servers", brokers, NULL};
    sluice_client *consumer;
    sluice_offsets *from = sluice_offsets_create();
    char value[32];
    int count = 0;
    sluice_offsets_add(from, "t", 0, SLUICE_OFFSET_EARLIEST);
    int rv = sluice_client_start(SLUICE_CONSUMER, settings, &consumer);
    if (rv == 0) rv = sluice_consumer_assign(consumer, from);
    while (rv == 0 && count < RECORDS) {
        sluice_batch *batch;
        sluice_view v;
        rv = sluice_consumer_poll(consumer, 10000, &batch);
        if (rv == 0 && batch == NULL) rv = SLUICE_ERR_TIMEOUT;
        while (rv == 0 && sluice_batch_next(batch, &v, sizeof v) == 1) {
            size_t size = (size_t)snprintf(value, sizeof value, "value %d", count++);
            if (v.value_size != size || memcmp(v.value, value, size) != 0)
                rv = SLUICE_ERR_MALFORMED;
        }
        if (rv == 0) rv = sluice_batch_finish(batch);
    }
    int closed = sluice_client_close(consumer, 10000, NULL);
    if (rv == 0) rv = closed;
    if (rv != 0) fail("consuming", consumer, rv);
    sluice_offsets_free(from);
    sluice_client_free(consumer);
    return rv;
}

int main(void) {
    sluice_testbroker *cluster;
    int rv = sluice_testbroker_create(1, NULL, &cluster);
    if (rv == 0) rv = sluice_testbroker_topic(cluster, "t", 1, 1);
    if (rv != 0) return fail("starting", NULL, rv);
    rv = produce(sluice_testbroker_bootstrap(cluster));
    if (rv == 0) rv = consume(sluice_testbroker_bootstrap(cluster));
    sluice_testbroker_free(cluster);
    return rv != 0 || printf("%s\n", sluice_version_text()) < 0;
}
