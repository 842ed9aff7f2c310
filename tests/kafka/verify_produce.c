/* verify produce: sends the records of a plan and notes what became of each.
 *
 * One thread sends and reads the reports. A report must be about records that were accepted and not
 * yet reported, of one partition, and that partition must be the one that the record asked for, or
 * the one that Java would choose for its key. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Reports are looked for this often, in records. */
enum { SETTLE_EVERY = 1024 };

static volatile sig_atomic_t stop_wanted;

static void on_term(int signal_number) {
    (void)signal_number;
    stop_wanted = 1;
}

void verify_producer_open(struct verify_producer *producer, const struct verify_options *options) {
    static const char *const settings[] = {"delivery.reports", "all", NULL};
    verify_ledger_create(&producer->ledger, options->count);
    producer->ledger.plan = options->plan;
    if (options->samples_path != NULL) {
        producer->samples = fopen(options->samples_path, "w");
        if (producer->samples == NULL)
            verify_complain("%s cannot be written", options->samples_path);
    }
    producer->client = verify_open(options, SLUICE_PRODUCER, settings);
}

int verify_producer_send(struct verify_producer *producer) {
    verify_make_record(&producer->ledger.plan, producer->accepted, &producer->record);
    int rv = sluice_producer_send_record(producer->client, &producer->record.record,
                                         sizeof producer->record.record, 0);
    if (rv == 0) producer->accepted++;
    return rv;
}

/* Whether the record of a tag belongs into the partition that it went to. */
static void check_partition(const struct verify_plan *plan, uint64_t tag, int32_t partition) {
    static struct verify_record made;
    int32_t expected = partition;
    verify_make_record(plan, tag, &made);
    if (made.record.set & SLUICE_SET_PARTITION) {
        expected = made.record.partition;
    } else if (made.record.key != NULL) {
        expected =
            sluice_producer_partition(made.record.key, made.record.key_size, plan->partitions);
    }
    if (partition != expected) {
        verify_complain("tag %" PRIu64 " went to partition %d, not %d", tag, (int)partition,
                        (int)expected);
    }
}

static void note_outcome(struct verify_producer *producer, const sluice_delivery *report,
                         int32_t index) {
    uint64_t tag = report->tags[index];
    if (tag >= producer->accepted) {
        verify_complain("a report about tag %" PRIu64 ", which was not accepted", tag);
        return;
    }
    struct verify_entry *entry = &producer->ledger.entries[tag];
    if (entry->outcome != 0) {
        verify_complain("a second report about tag %" PRIu64, tag);
        return;
    }
    entry->outcome = report->outcome;
    entry->partition = report->partition;
    entry->code = report->code;
    entry->offset = report->base_offset < 0 ? -1 : report->base_offset + index;
    producer->reported++;
    producer->outcomes[report->outcome - SLUICE_WRITTEN]++;
    if (report->outcome == SLUICE_WRITTEN) {
        check_partition(&producer->ledger.plan, tag, report->partition);
    }
}

bool verify_producer_settle(struct verify_producer *producer, int32_t timeout_ms) {
    sluice_deliveries *set = NULL;
    sluice_delivery report;
    int rv = sluice_producer_deliveries(producer->client, timeout_ms, &set);
    if (rv != 0) {
        if (rv != SLUICE_ERR_CLOSED) verify_complain("deliveries: %s", sluice_error_text(rv));
        return false;
    }
    while (sluice_deliveries_next(set, &report, sizeof report) == 1) {
        if (report.outcome < SLUICE_WRITTEN || report.outcome > SLUICE_MAYBE_WRITTEN ||
            report.tags == NULL || strcmp(report.topic, producer->ledger.plan.topic) != 0) {
            verify_complain("a report with outcome %d of topic %s", (int)report.outcome,
                            report.topic);
            continue;
        }
        for (int32_t i = 0; i < report.count; i++) note_outcome(producer, &report, i);
    }
    sluice_deliveries_free(set);
    return true;
}

void verify_producer_finish(struct verify_producer *producer, const char *ledger_path) {
    sluice_counts counts;
    while (verify_producer_settle(producer, 0)) {
        /* Until CLOSED says that no report is left. */
    }
    for (uint64_t tag = 0; tag < producer->accepted; tag++) {
        if (producer->ledger.entries[tag].outcome == 0) {
            verify_complain("tag %" PRIu64 " was accepted and never reported", tag);
        }
    }
    int rv = sluice_producer_counts(producer->client, &counts, sizeof counts);
    if (rv != 0 || counts.pending != 0 || (uint64_t)counts.written != producer->outcomes[0] ||
        (uint64_t)counts.not_written != producer->outcomes[1] ||
        (uint64_t)counts.maybe_written != producer->outcomes[2]) {
        verify_complain("the client's own counts differ from its reports");
    }
    producer->ledger.count = producer->accepted;
    if (ledger_path != NULL && verify_ledger_write(&producer->ledger, ledger_path) != 0) {
        verify_complain("the ledger was not written");
    }
}

void verify_producer_close(struct verify_producer *producer) {
    if (producer->samples != NULL) fclose(producer->samples);
    sluice_client_free(producer->client);
    verify_ledger_destroy(&producer->ledger);
}

/* Sleeps until the tag that is next is due at the wanted rate. */
static void keep_pace(uint64_t rate, uint64_t tag, int64_t started_ms) {
    if (rate == 0) return;
    int64_t due_ms = started_ms + (int64_t)(tag * 1000 / rate);
    int64_t now_ms = verify_now_ms();
    if (due_ms > now_ms) verify_sleep_ms(due_ms - now_ms);
}

static void send_all(struct verify_producer *producer, const struct verify_options *options) {
    int64_t started_ms = verify_now_ms();
    while (producer->accepted < options->count && !stop_wanted) {
        int rv = verify_producer_send(producer);
        if (rv == SLUICE_ERR_FULL || rv == SLUICE_ERR_UNREAD) {
            verify_producer_settle(producer, 100);
        } else if (rv != 0) {
            verify_complain("send of tag %" PRIu64 ": %s", producer->accepted,
                            sluice_error_text(rv));
            return;
        } else if (producer->accepted % SETTLE_EVERY == 0) {
            verify_producer_settle(producer, 0);
        }
        if (rv != 0 || producer->accepted % SETTLE_EVERY == 0) verify_sample(producer);
        /* Ten times a second is smooth enough for any rate that is asked for. */
        if (options->rate != 0 && producer->accepted % (options->rate / 10 + 1) == 0) {
            keep_pace(options->rate, producer->accepted, started_ms);
        }
    }
}

int verify_produce(const struct verify_options *options) {
    static struct verify_producer producer;
    struct sigaction action = {.sa_handler = on_term};
    char story[512];
    sigaction(SIGTERM, &action, NULL);
    verify_producer_open(&producer, options);
    int64_t started_ms = verify_now_ms();
    send_all(&producer, options);

    int rv = sluice_client_close(producer.client, options->close_ms, NULL);
    int64_t took_ms = verify_now_ms() - started_ms;
    verify_producer_finish(&producer, options->ledger_path);
    if (!options->any_outcome && producer.outcomes[0] != producer.accepted) {
        sluice_client_explain(producer.client, rv, story, sizeof story);
        verify_complain("not all was written; close said %s: %s", sluice_error_name(rv), story);
    }
    printf("produce: accepted=%" PRIu64 " written=%" PRIu64 " not_written=%" PRIu64
           " maybe_written=%" PRIu64 " seconds=%.1f rate=%.0f\n",
           producer.accepted, producer.outcomes[0], producer.outcomes[1], producer.outcomes[2],
           (double)took_ms / 1000,
           (double)producer.accepted * 1000 / (double)(took_ms > 0 ? took_ms : 1));
    verify_producer_close(&producer);
    return verify_complaints() == 0 ? 0 : 1;
}
