/* verify: a test program that knows what it wrote. What its parts share.
 *
 *     verify produce      sends records of arbitrary bytes and writes a ledger of their outcomes
 *     verify consume      reads the topic back with the library and compares it with the ledger
 *     verify audit        compares the ledger with DumpLogSegments' print of the log on disk
 *     verify member       a member of a group, which writes down what it sees
 *     verify close-frozen closes a client whose brokers have stopped answering, by a deadline
 *
 * A record is a function of (seed, tag), so nothing but outcomes is stored, and tags go up in the
 * order of sending. Every record carries its tag as the name of its first header ("t123"): that is
 * what both the library and Kafka's own tool show of it, whatever bytes key and value are. */
#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sluice/sluice.h"

enum {
    VERIFY_KEY_MAX = 40,
    VERIFY_VALUE_MAX = 100000, /* many times a batch's first page, far below 1 MB */
    VERIFY_EXTRA_MAX = 60,
    VERIFY_PARTITIONS_MAX = 1000, /* arbitrary: bounds the tables of the checkers */
    VERIFY_SETTINGS_MAX = 40
};

enum verify_sizes { VERIFY_MIXED, VERIFY_SMALL };

/* What determines every record. The ledger's first line. */
struct verify_plan {
    char topic[128];
    int32_t partitions;
    bool keys; /* most records have a key, which chooses the partition */
    enum verify_sizes sizes;
    uint64_t seed;
    int64_t first_timestamp_ms; /* of tag 0, when the record has a timestamp of its own */
};

/* One record as it should be: made for sending and for comparing. The sluice_record in it points
 * into the struct itself, so it is filled in place and never copied. */
struct verify_record {
    sluice_record record;
    sluice_header headers[2];
    char name[24]; /* "t" and the tag */
    uint8_t tag_value[8];
    uint8_t extra[VERIFY_EXTRA_MAX];
    uint8_t key[VERIFY_KEY_MAX];
    uint8_t value[VERIFY_VALUE_MAX];
};

/* What became of one tag. outcome 0: not accepted, or (while producing) not reported yet. */
struct verify_entry {
    int64_t offset; /* -1: not told */
    int32_t partition;
    int32_t code;
    int32_t outcome;
};

struct verify_ledger {
    struct verify_plan plan;
    struct verify_entry *entries; /* owned, by tag */
    uint64_t count;
};

struct verify_options {
    const char *bootstrap;
    const char *ledger_path;
    const char *samples_path;                          /* of produce: where metrics go, or NULL */
    const char *role;                                  /* of close-frozen: producer or consumer */
    const char *settings[2 * VERIFY_SETTINGS_MAX + 1]; /* names and values of --set, NULL-ended */
    int setting_count;
    struct verify_plan plan;
    uint64_t count;
    uint64_t rate; /* records per second; 0: as fast as they go */
    int32_t close_ms;
    bool any_outcome; /* produce: what was not written is fine, as long as it was reported so */
    bool fresh;       /* close-frozen: start the client only after the brokers were frozen */
};

/* Says what is wrong, and counts it. Only the first lines are printed: one mistake tends to bring
 * thousands. */
void verify_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t verify_complaints(void);

/* Milliseconds of a clock that only goes forward; and of the calendar. */
int64_t verify_now_ms(void);
int64_t verify_calendar_ms(void);
void verify_sleep_ms(int64_t ms);

/* Fills in the record of a tag. */
void verify_make_record(const struct verify_plan *plan, uint64_t tag, struct verify_record *out);
/* Compares a record that was read with what its tag says it was; false and a complaint if not. */
bool verify_same_record(const struct verify_plan *plan, uint64_t tag, const sluice_view *got,
                        struct verify_record *scratch);
/* The tag in the name of a first header; false if it is none of ours. */
bool verify_parse_tag(const char *name, size_t size, uint64_t *tag);

/* The ledger. create ends the program when there is no memory: this is a test. */
void verify_ledger_create(struct verify_ledger *ledger, uint64_t count);
void verify_ledger_destroy(struct verify_ledger *ledger);
/* 0, or -1 after saying why. */
int verify_ledger_write(const struct verify_ledger *ledger, const char *path);
int verify_ledger_read(struct verify_ledger *ledger, const char *path);

/* Checks a log, record by record, against a ledger: used by consume and audit alike. */
struct verify_checker {
    const struct verify_ledger *ledger; /* borrowed */
    uint8_t *seen;                      /* owned, by tag */
    struct {
        int64_t next_offset; /* offsets have no holes: nothing is compacted or transactional */
        uint64_t next_tag;   /* the lowest that may follow: sending order is log order */
        bool deleted;        /* the log that is read now is one of a deleted topic */
    } partitions[VERIFY_PARTITIONS_MAX];
    uint64_t records;
    uint64_t missing;    /* written records not seen yet */
    uint64_t duplicates; /* records that were seen before */
    uint64_t misordered; /* records that came after a later one */
    uint64_t superseded; /* records of deleted logs whose outcome came from a later one */
};

void verify_checker_init(struct verify_checker *checker, const struct verify_ledger *ledger);
void verify_checker_deinit(struct verify_checker *checker);
/* From here on the partition's records are those of another log: the topic was made again. Logs
 * come in the order of their age, the one that is not deleted last. */
void verify_checker_begin_log(struct verify_checker *checker, int32_t partition, bool deleted);
/* One record of the log; false when it cannot be one of the ledger's. */
bool verify_checker_record(struct verify_checker *checker, int32_t partition, int64_t offset,
                           uint64_t tag);
/* The end of the log: every written record was there. */
void verify_checker_finish(const struct verify_checker *checker);
/* The figures of it, as names and values, on the line that stdout is at. */
void verify_checker_print(const struct verify_checker *checker);

/* Opens a client with the settings of the command line and those given here ({name, value, …,
 * NULL}); ends the program when it cannot. */
sluice_client *verify_open(const struct verify_options *options, int32_t role,
                           const char *const *settings);

/* The producing half, shared by produce and close-frozen. */
struct verify_producer {
    sluice_client *client; /* owned */
    struct verify_ledger ledger;
    struct verify_record record;
    uint64_t accepted; /* tags below it have been or will be reported */
    uint64_t reported;
    uint64_t outcomes[3]; /* written, not written, maybe written */
    FILE *samples;        /* owned; NULL when no metrics are wanted */
    int64_t sampled_ms;   /* when the last line was written */
};

void verify_producer_open(struct verify_producer *producer, const struct verify_options *options);
/* Sends the next tag; 0, or the code of a send that was not accepted. */
int verify_producer_send(struct verify_producer *producer);
/* Takes reports for up to timeout_ms; false when there can be no more. */
bool verify_producer_settle(struct verify_producer *producer, int32_t timeout_ms);
/* After close: takes what is left and checks that every accepted record had its one report. */
void verify_producer_finish(struct verify_producer *producer, const char *ledger_path);
void verify_producer_close(struct verify_producer *producer);

/* Appends a line of metrics to a file once a second: "MS requests throttle_ms written", of the
 * calendar's clock and since the client's start. */
void verify_sample(struct verify_producer *producer);

/* Assigns every partition of the plan from its beginning. */
int verify_assign_all(sluice_client *consumer, const struct verify_plan *plan);

/* The subcommands; each returns the program's exit status. */
int verify_produce(const struct verify_options *options);
int verify_consume(const struct verify_options *options);
int verify_audit(const struct verify_options *options, char *const *files);
int verify_member(const struct verify_options *options);
int verify_close_frozen(const struct verify_options *options);

#endif
