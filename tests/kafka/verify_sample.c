/* What a producer tells of itself while it works, a line a second: for cases that ask how it behaved
 * rather than what became of its records. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <string.h>

enum { SAMPLE_EVERY_MS = 1000, SNAPSHOT_MS = 5000 };

/* The value of a metric; api is NULL for one that is not of an API. */
static int64_t read_metric(const sluice_table *table, const char *group, const char *name,
                           const char *api) {
    for (int32_t row = 0; row < sluice_table_rows(table); row++) {
        const char *of = sluice_table_str(table, row, "api");
        if (strcmp(sluice_table_str(table, row, "group"), group) == 0 &&
            strcmp(sluice_table_str(table, row, "name"), name) == 0 &&
            (api == NULL || (of != NULL && strcmp(of, api) == 0))) {
            return sluice_table_int(table, row, "value", 0);
        }
    }
    return 0;
}

void verify_sample(struct verify_producer *producer) {
    sluice_op *op = NULL;
    int64_t now_ms = verify_now_ms();
    if (producer->samples == NULL || now_ms < producer->sampled_ms + SAMPLE_EVERY_MS) return;
    producer->sampled_ms = now_ms;
    int rv = sluice_metrics_snapshot(producer->client, SNAPSHOT_MS, &op);
    if (rv == 0) rv = sluice_op_wait(op, SNAPSHOT_MS);
    if (rv != 0) {
        verify_complain("a snapshot of the metrics: %s", sluice_error_text(rv));
    } else {
        const sluice_table *table = sluice_op_table(op, "metrics");
        fprintf(producer->samples, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
                verify_calendar_ms(),
                read_metric(table, "producer-api-metrics", "request-total", "Produce"),
                read_metric(table, "producer-metrics", "produce-throttle-time-total", NULL),
                read_metric(table, "producer-metrics", "record-written-total", NULL));
        fflush(producer->samples);
    }
    sluice_op_free(op);
}
