/* verify audit: compares the ledger with the log on disk, as Kafka's DumpLogSegments prints it.
 *
 * It reads three kinds of lines and skips the others:
 *
 *     Dumping /…/node-1/data/TOPIC-3/00000000000000000000.log
 *     baseOffset: 0 lastOffset: 981 count: 982 baseSequence: 0 lastSequence: 981 producerId: 0 …
 *         producerEpoch: 0 … magic: 2 compresscodec: zstd crc: 938218133 isvalid: true
 *     | offset: 0 CreateTime: … keySize: -1 valueSize: 6 sequence: 0 headerKeys: [t0,extra]
 *
 * or …/TOPIC-3.HEX-delete/… for a log that was deleted with its topic and is still on disk; each
 * folder is a log of its own.
 *
 * Beside what the checker of verify_ledger.c demands of the records, a batch must be of magic 2
 * with a valid checksum, hold as many records as it says, start at the offset after the last one's
 * and, within one producer id and epoch, at the sequence number after the last one's. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One run over one dump. */
struct audit {
    struct verify_checker checker;
    int32_t partition;  /* of the file that is being dumped; -1: none yet, or not of ours */
    char folder[1024];  /* that the file is in */
    int64_t batch_left; /* records that the current batch still owes */
    uint64_t logs;
    uint64_t batches;
    uint64_t compressed; /* batches with a codec */
    struct {
        int64_t next_offset; /* where the next batch starts */
        int64_t producer_id;
        int64_t epoch;
        int64_t next_sequence;
    } partitions[VERIFY_PARTITIONS_MAX];
};

/* The text behind " name: " in a line, or NULL. */
static const char *find_field(const char *line, const char *name) {
    size_t size = strlen(name);
    for (const char *at = strstr(line, name); at != NULL; at = strstr(at + 1, name)) {
        if ((at == line || at[-1] == ' ') && at[size] == ':' && at[size + 1] == ' ') {
            return at + size + 2;
        }
    }
    return NULL;
}

/* A number of a line; a line without it is a complaint. */
static int64_t read_field(const char *line, const char *name) {
    const char *text = find_field(line, name);
    if (text == NULL) {
        verify_complain("the dump has a line without %s: %.100s", name, line);
        return -1;
    }
    return strtoll(text, NULL, 10);
}

static bool field_is(const char *line, const char *name, const char *value) {
    const char *text = find_field(line, name);
    size_t size = strlen(value);
    return text != NULL && strncmp(text, value, size) == 0 &&
           (text[size] == ' ' || text[size] == '\n' || text[size] == '\0');
}

static void end_batch(struct audit *audit) {
    if (audit->batch_left != 0) {
        verify_complain("partition %d: a batch holds %" PRId64 " records fewer than it says",
                        (int)audit->partition, audit->batch_left);
    }
    audit->batch_left = 0;
}

/* Another folder: another log of its partition, empty so far. */
static void begin_log(struct audit *audit, const char *name) {
    const struct verify_plan *plan = &audit->checker.ledger->plan;
    size_t size = strlen(plan->topic);
    char *end = NULL;
    audit->partition = -1;
    if (strncmp(name, plan->topic, size) != 0 || name[size] != '-') {
        verify_complain("a dump of another topic: %.200s", name);
        return;
    }
    long partition = strtol(name + size + 1, &end, 10);
    bool deleted = *end == '.';
    if (partition < 0 || partition >= plan->partitions || (*end != '\0' && !deleted)) {
        verify_complain("a dump of another topic or partition: %.200s", name);
        return;
    }
    audit->partition = (int32_t)partition;
    audit->partitions[partition].next_offset = 0;
    audit->partitions[partition].producer_id = -1;
    audit->logs++;
    verify_checker_begin_log(&audit->checker, audit->partition, deleted);
}

/* "Dumping PATH/FOLDER/SEGMENT.log": the segments of one folder follow each other. */
static void on_file(struct audit *audit, const char *line) {
    const char *path = line + strlen("Dumping ");
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path);
    end_batch(audit);
    if (size == 0 || size >= sizeof audit->folder) {
        verify_complain("a dump of a file without a folder: %.200s", line);
        audit->partition = -1;
        return;
    }
    if (strncmp(audit->folder, path, size) == 0 && audit->folder[size] == '\0') return;
    memcpy(audit->folder, path, size);
    audit->folder[size] = '\0';
    const char *name = strrchr(audit->folder, '/');
    begin_log(audit, name == NULL ? audit->folder : name + 1);
}

static void on_batch(struct audit *audit, const char *line) {
    int64_t base = read_field(line, "baseOffset");
    int64_t sequence = read_field(line, "baseSequence");
    int64_t producer_id = read_field(line, "producerId");
    int64_t epoch = read_field(line, "producerEpoch");
    end_batch(audit);
    audit->batches++;
    audit->batch_left = read_field(line, "count");
    if (!field_is(line, "compresscodec", "none")) audit->compressed++;
    if (!field_is(line, "isvalid", "true") || !field_is(line, "magic", "2")) {
        verify_complain("partition %d, offset %" PRId64 ": not a valid batch of magic 2",
                        (int)audit->partition, base);
    }
    if (audit->partition < 0) return;
    if (base != audit->partitions[audit->partition].next_offset) {
        verify_complain("partition %d: a batch at offset %" PRId64 " where %" PRId64 " was due",
                        (int)audit->partition, base,
                        audit->partitions[audit->partition].next_offset);
    }
    if (producer_id >= 0 && producer_id == audit->partitions[audit->partition].producer_id &&
        epoch == audit->partitions[audit->partition].epoch &&
        sequence != audit->partitions[audit->partition].next_sequence) {
        verify_complain("partition %d, offset %" PRId64 ": sequence %" PRId64 " where %" PRId64
                        " was due",
                        (int)audit->partition, base, sequence,
                        audit->partitions[audit->partition].next_sequence);
    }
    audit->partitions[audit->partition].next_offset = read_field(line, "lastOffset") + 1;
    audit->partitions[audit->partition].producer_id = producer_id;
    audit->partitions[audit->partition].epoch = epoch;
    /* Sequence numbers wrap to 0 after 2^31 - 1. */
    audit->partitions[audit->partition].next_sequence =
        (read_field(line, "lastSequence") + 1) & INT32_MAX;
}

static void on_record(struct audit *audit, const char *line) {
    const char *names = find_field(line, "headerKeys");
    int64_t offset = read_field(line, "offset");
    uint64_t tag;
    audit->batch_left--;
    if (names == NULL || *names != '[' ||
        !verify_parse_tag(names + 1, strcspn(names + 1, ",]"), &tag)) {
        verify_complain("partition %d, offset %" PRId64 ": no record of ours",
                        (int)audit->partition, offset);
        return;
    }
    verify_checker_record(&audit->checker, audit->partition, offset, tag);
}

static void read_dump(struct audit *audit, FILE *file) {
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, file) >= 0) {
        if (strncmp(line, "Dumping ", 8) == 0) {
            on_file(audit, line);
        } else if (strncmp(line, "baseOffset: ", 12) == 0) {
            on_batch(audit, line);
        } else if (strncmp(line, "| offset: ", 10) == 0) {
            on_record(audit, line);
        }
    }
    end_batch(audit);
    free(line);
}

int verify_audit(const struct verify_options *options, char *const *files) {
    static struct verify_ledger ledger;
    static struct audit audit = {.partition = -1};
    if (verify_ledger_read(&ledger, options->ledger_path) != 0) return 1;
    verify_checker_init(&audit.checker, &ledger);
    if (*files == NULL) read_dump(&audit, stdin);
    for (; *files != NULL; files++) {
        FILE *file = fopen(*files, "r");
        if (file == NULL) {
            perror(*files);
            return 1;
        }
        read_dump(&audit, file);
        fclose(file);
    }
    verify_checker_finish(&audit.checker);
    printf("audit: logs=%" PRIu64 " batches=%" PRIu64 " compressed=%" PRIu64 " ", audit.logs,
           audit.batches, audit.compressed);
    verify_checker_print(&audit.checker);
    putchar('\n');
    verify_checker_deinit(&audit.checker);
    verify_ledger_destroy(&ledger);
    return verify_complaints() == 0 ? 0 : 1;
}
