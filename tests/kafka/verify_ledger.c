/* The ledger of outcomes, and the checker that compares a log with it.
 *
 * The ledger is a text file: a line that determines the records, then a line per accepted record,
 * "tag outcome partition offset code" with outcome W, N or M.
 *
 * What a log must satisfy, per partition, whoever read it:
 *   - offsets count up by one from 0;
 *   - tags only go up: one thread sent them in that order, so a step back is a reordering, and the
 *     same tag twice a duplicate;
 *   - a record that was reported NOT_WRITTEN is not there;
 *   - a record that was reported WRITTEN is there once, in the partition and, where the report told
 *     one, at the offset of its report;
 *   - a MAYBE_WRITTEN one may be there or not.
 *
 * A topic that was deleted and made again under load has several logs per partition, one after the
 * other, and each must satisfy this. A WRITTEN record is in one of them at the place of its report.
 * In an earlier one it may be too, at another place: its answer was lost when that log was deleted,
 * and nobody can read it there. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char outcome_letters[] = "WNM";

void verify_ledger_create(struct verify_ledger *ledger, uint64_t count) {
    ledger->count = count;
    ledger->entries = calloc(count + 1, sizeof *ledger->entries);
    if (ledger->entries == NULL) {
        fputs("verify: out of memory\n", stderr);
        exit(1);
    }
}

void verify_ledger_destroy(struct verify_ledger *ledger) {
    free(ledger->entries);
    *ledger = (struct verify_ledger){.count = 0};
}

int verify_ledger_write(const struct verify_ledger *ledger, const char *path) {
    const struct verify_plan *plan = &ledger->plan;
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    fprintf(file, "ledger %s %d %d %d %" PRIu64 " %" PRId64 " %" PRIu64 "\n", plan->topic,
            (int)plan->partitions, (int)plan->keys, (int)plan->sizes, plan->seed,
            plan->first_timestamp_ms, ledger->count);
    for (uint64_t tag = 0; tag < ledger->count; tag++) {
        const struct verify_entry *entry = &ledger->entries[tag];
        if (entry->outcome == 0) continue;
        fprintf(file, "%" PRIu64 " %c %d %" PRId64 " %d\n", tag,
                outcome_letters[entry->outcome - SLUICE_WRITTEN], (int)entry->partition,
                entry->offset, (int)entry->code);
    }
    if (fclose(file) != 0) {
        perror(path);
        return -1;
    }
    return 0;
}

static int read_plan(struct verify_ledger *ledger, FILE *file) {
    struct verify_plan *plan = &ledger->plan;
    int keys, sizes;
    uint64_t count;
    if (fscanf(file, "ledger %127s %" SCNd32 " %d %d %" SCNu64 " %" SCNd64 " %" SCNu64, plan->topic,
               &plan->partitions, &keys, &sizes, &plan->seed, &plan->first_timestamp_ms,
               &count) != 7 ||
        plan->partitions < 1 || plan->partitions > VERIFY_PARTITIONS_MAX || count > 1000000000) {
        return -1;
    }
    plan->keys = keys != 0;
    plan->sizes = sizes == VERIFY_SMALL ? VERIFY_SMALL : VERIFY_MIXED;
    verify_ledger_create(ledger, count);
    return 0;
}

static int read_entries(struct verify_ledger *ledger, FILE *file) {
    struct verify_entry entry;
    uint64_t tag;
    char letter;
    int fields;
    while ((fields = fscanf(file, "%" SCNu64 " %c %" SCNd32 " %" SCNd64 " %" SCNd32, &tag, &letter,
                            &entry.partition, &entry.offset, &entry.code)) == 5) {
        const char *place = strchr(outcome_letters, letter);
        if (tag >= ledger->count || place == NULL) return -1;
        entry.outcome = SLUICE_WRITTEN + (int32_t)(place - outcome_letters);
        ledger->entries[tag] = entry;
    }
    return fields == EOF ? 0 : -1;
}

int verify_ledger_read(struct verify_ledger *ledger, const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    int rv = read_plan(ledger, file);
    if (rv == 0) rv = read_entries(ledger, file);
    if (rv != 0) fprintf(stderr, "verify: %s is not a whole ledger\n", path);
    fclose(file);
    return rv;
}

void verify_checker_init(struct verify_checker *checker, const struct verify_ledger *ledger) {
    *checker = (struct verify_checker){.ledger = ledger};
    checker->seen = calloc(ledger->count + 1, 1);
    if (checker->seen == NULL) {
        fputs("verify: out of memory\n", stderr);
        exit(1);
    }
    for (uint64_t tag = 0; tag < ledger->count; tag++) {
        if (ledger->entries[tag].outcome == SLUICE_WRITTEN) checker->missing++;
    }
}

void verify_checker_deinit(struct verify_checker *checker) { free(checker->seen); }

/* The record's place against its report. */
static bool check_outcome(struct verify_checker *checker, int32_t partition, int64_t offset,
                          uint64_t tag) {
    const struct verify_entry *entry = &checker->ledger->entries[tag];
    if (entry->outcome == 0 || entry->outcome == SLUICE_NOT_WRITTEN) {
        verify_complain("tag %" PRIu64 " is in the log (partition %d, offset %" PRId64 "), but %s",
                        tag, (int)partition, offset,
                        entry->outcome == 0 ? "was never accepted" : "was reported not written");
        return false;
    }
    if (entry->partition != partition || (entry->offset >= 0 && entry->offset != offset)) {
        verify_complain("tag %" PRIu64 " was reported at partition %d, offset %" PRId64
                        ", and is at partition %d, offset %" PRId64,
                        tag, (int)entry->partition, entry->offset, (int)partition, offset);
        return false;
    }
    return true;
}

void verify_checker_begin_log(struct verify_checker *checker, int32_t partition, bool deleted) {
    checker->partitions[partition].next_offset = 0;
    checker->partitions[partition].next_tag = 0;
    checker->partitions[partition].deleted = deleted;
}

/* Whether the record is one of a deleted log whose outcome is about a later log, or may be. */
static bool is_superseded(const struct verify_checker *checker, int32_t partition, int64_t offset,
                          uint64_t tag) {
    const struct verify_entry *entry = &checker->ledger->entries[tag];
    if (!checker->partitions[partition].deleted || checker->seen[tag] ||
        entry->partition != partition) {
        return false;
    }
    return entry->outcome == SLUICE_MAYBE_WRITTEN ||
           (entry->outcome == SLUICE_WRITTEN && entry->offset != offset);
}

static void check_order(struct verify_checker *checker, int32_t partition, int64_t offset,
                        uint64_t tag) {
    int64_t expected = checker->partitions[partition].next_offset;
    checker->partitions[partition].next_offset = offset + 1;
    if (offset != expected) {
        verify_complain("partition %d: offset %" PRId64 " where %" PRId64 " was due",
                        (int)partition, offset, expected);
    }
    if (tag < checker->partitions[partition].next_tag) {
        if (!checker->seen[tag]) checker->misordered++;
        verify_complain("partition %d: tag %" PRIu64 " at offset %" PRId64
                        " comes after a later one, or again",
                        (int)partition, tag, offset);
    } else {
        checker->partitions[partition].next_tag = tag + 1;
    }
}

bool verify_checker_record(struct verify_checker *checker, int32_t partition, int64_t offset,
                           uint64_t tag) {
    if (partition < 0 || partition >= checker->ledger->plan.partitions ||
        tag >= checker->ledger->count) {
        verify_complain("a record that nobody sent: partition %d, offset %" PRId64 ", tag %" PRIu64,
                        (int)partition, offset, tag);
        return false;
    }
    checker->records++;
    check_order(checker, partition, offset, tag);
    if (is_superseded(checker, partition, offset, tag)) {
        checker->superseded++;
        return false;
    }
    if (checker->seen[tag]) {
        checker->duplicates++;
        verify_complain("tag %" PRIu64 " is a duplicate at partition %d, offset %" PRId64, tag,
                        (int)partition, offset);
        return false;
    }
    checker->seen[tag] = 1;
    if (checker->ledger->entries[tag].outcome == SLUICE_WRITTEN) checker->missing--;
    return check_outcome(checker, partition, offset, tag);
}

void verify_checker_finish(const struct verify_checker *checker) {
    const struct verify_ledger *ledger = checker->ledger;
    if (checker->missing == 0) return;
    for (uint64_t tag = 0; tag < ledger->count; tag++) {
        const struct verify_entry *entry = &ledger->entries[tag];
        if (entry->outcome != SLUICE_WRITTEN || checker->seen[tag]) continue;
        verify_complain("tag %" PRIu64 " was reported written (partition %d, offset %" PRId64
                        ") and is not there",
                        tag, (int)entry->partition, entry->offset);
    }
}

void verify_checker_print(const struct verify_checker *checker) {
    printf("records=%" PRIu64 " missing=%" PRIu64 " duplicates=%" PRIu64 " misordered=%" PRIu64
           " superseded=%" PRIu64,
           checker->records, checker->missing, checker->duplicates, checker->misordered,
           checker->superseded);
}
