/* verify consume: reads a topic from its beginning and compares every byte with what was sent.
 *
 * It ends when every record that was reported written has come and then nothing more for a second,
 * in which a duplicate at the end of a partition would show; and gives up when nothing has come for
 * thirty. Both ways of walking a batch are used in turn. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <string.h>

enum { QUIET_MS = 1000, STALL_MS = 30000, VIEWS_AT_ONCE = 256, SNAPSHOT_MS = 5000 };

int verify_assign_all(sluice_client *consumer, const struct verify_plan *plan) {
    sluice_offsets *offsets = sluice_offsets_create();
    int rv = 0;
    for (int32_t i = 0; i < plan->partitions && rv == 0; i++) {
        rv = sluice_offsets_add(offsets, plan->topic, i, SLUICE_OFFSET_EARLIEST);
    }
    if (rv == 0) rv = sluice_consumer_assign(consumer, offsets);
    sluice_offsets_free(offsets);
    return rv;
}

static void check_view(struct verify_checker *checker, const sluice_view *view) {
    static struct verify_record scratch;
    sluice_header header;
    uint64_t tag;
    if (sluice_headers_read(view->headers, view->headers_size, 0, &header) != 1 ||
        !verify_parse_tag(header.name, header.name_size, &tag)) {
        verify_complain("partition %d, offset %" PRId64 ": no record of ours", (int)view->partition,
                        view->offset);
        return;
    }
    if (verify_checker_record(checker, view->partition, view->offset, tag)) {
        verify_same_record(&checker->ledger->plan, tag, view, &scratch);
    }
}

static void check_batch(struct verify_checker *checker, sluice_batch *batch, bool one_by_one) {
    static sluice_view views[VIEWS_AT_ONCE];
    int32_t cap = one_by_one ? 1 : VIEWS_AT_ONCE;
    int32_t walked = 0;
    int32_t n;
    for (;;) {
        n = one_by_one ? sluice_batch_next(batch, views, sizeof views[0])
                       : sluice_batch_read(batch, views, sizeof views[0], cap);
        if (n <= 0) break;
        for (int32_t i = 0; i < n; i++) check_view(checker, &views[i]);
        walked += n;
    }
    if (n < 0) verify_complain("walking a batch: %s", sluice_error_text(n));
    if (n == 0 && walked != sluice_batch_count(batch)) {
        verify_complain("a batch of %d records handed out %d", (int)sluice_batch_count(batch),
                        (int)walked);
    }
}

/* Reads until all is there and it has been quiet, or nothing comes any more. */
static void read_all(sluice_client *consumer, struct verify_checker *checker) {
    int64_t last_ms = verify_now_ms();
    bool one_by_one = false;
    char story[512];
    for (;;) {
        sluice_batch *batch = NULL;
        int rv = sluice_consumer_poll(consumer, 100, &batch);
        if (rv != 0) {
            sluice_client_explain(consumer, rv, story, sizeof story);
            verify_complain("poll: %s: %s", sluice_error_name(rv), story);
            return;
        }
        int64_t quiet_ms = verify_now_ms() - last_ms;
        if (batch != NULL) {
            check_batch(checker, batch, one_by_one = !one_by_one);
            rv = sluice_batch_finish(batch);
            if (rv != 0) verify_complain("finish: %s", sluice_error_text(rv));
            last_ms = verify_now_ms();
        } else if (checker->missing == 0 && quiet_ms >= QUIET_MS) {
            return;
        } else if (quiet_ms >= STALL_MS) {
            verify_complain("nothing came for %d s, and %" PRIu64 " records are missing",
                            STALL_MS / 1000, checker->missing);
            return;
        }
    }
}

/* How much came from each broker by Fetch, as figures. */
static void print_sources(sluice_client *consumer) {
    sluice_op *op = NULL;
    int rv = sluice_metrics_snapshot(consumer, SNAPSHOT_MS, &op);
    if (rv == 0) rv = sluice_op_wait(op, SNAPSHOT_MS);
    if (rv != 0) verify_complain("a snapshot of the metrics: %s", sluice_error_text(rv));
    const sluice_table *table = rv == 0 ? sluice_op_table(op, "metrics") : NULL;
    for (int32_t row = 0; table != NULL && row < sluice_table_rows(table); row++) {
        const char *link = sluice_table_str(table, row, "link");
        if (link == NULL || strcmp(link, "fetch") != 0) continue;
        if (strcmp(sluice_table_str(table, row, "name"), "incoming-byte-total") != 0) continue;
        printf("bytes_from_%" PRId64 "=%" PRId64 " ", sluice_table_int(table, row, "node-id", -1),
               sluice_table_int(table, row, "value", 0));
    }
    sluice_op_free(op);
}

int verify_consume(const struct verify_options *options) {
    static const char *const settings[] = {NULL};
    static struct verify_ledger ledger;
    static struct verify_checker checker;
    if (verify_ledger_read(&ledger, options->ledger_path) != 0) return 1;
    verify_checker_init(&checker, &ledger);
    sluice_client *consumer = verify_open(options, SLUICE_CONSUMER, settings);
    printf("consume: ");
    int64_t started_ms = verify_now_ms();
    int rv = verify_assign_all(consumer, &ledger.plan);
    if (rv != 0) {
        verify_complain("assign: %s", sluice_error_text(rv));
    } else {
        read_all(consumer, &checker);
        verify_checker_finish(&checker);
    }
    print_sources(consumer);
    rv = sluice_client_close(consumer, 10000, NULL);
    if (rv != 0) verify_complain("close: %s", sluice_error_text(rv));
    printf("seconds=%.1f ", (double)(verify_now_ms() - started_ms - QUIET_MS) / 1000);
    verify_checker_print(&checker);
    putchar('\n');
    sluice_client_free(consumer);
    verify_checker_deinit(&checker);
    verify_ledger_destroy(&ledger);
    return verify_complaints() == 0 ? 0 : 1;
}
