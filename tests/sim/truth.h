/* The truth: which records were accepted, what was reported of each, and what is in the logs. It
 * is kept as it happens: the logs are read after every step of the broker, so that nothing that
 * was trimmed or deleted later is missed.
 *
 * A topic that is deleted and made again has another life; a place in a log is (topic, life,
 * partition, offset). */
#ifndef SIM_TRUTH_H
#define SIM_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/compress.h"
#include "sim/content.h"
#include "sim/tap.h"
#include "sim/world.h"

enum {
    TRUTH_TOPICS = 6,
    TRUTH_LIVES = 8,
    TRUTH_PRODUCERS = 12,
    TRUTH_SEQUENCES = 24,
    TRUTH_CUTS = 64
};

struct truth_place {
    int64_t offset;
    int32_t topic;
    int32_t life;
    int32_t partition;
};
/* One record that a producer tried to send. */
struct truth_record {
    struct truth_place place; /* the first found */
    int64_t reported_offset;  /* -1: not told */
    int64_t accepted_at;
    int32_t topic;
    int32_t partition; /* asked for; -1: any */
    int32_t reported_partition;
    int32_t copies; /* found in logs */
    int32_t code;
    uint8_t *lent;   /* owned: the value, which its producer borrows until the report; or NULL */
    int16_t outcome; /* 0: none yet */
    bool is_accepted;
    bool is_cut;  /* it was in a log, and went when that was cut */
    bool is_late; /* overtaken by records under a later producer id; only a MAYBE_WRITTEN may be */
};
/* Where a producer's records without an explicit partition go: those with a key to one place for
 * each key, whoever writes them by the same hash. All zero: as by default. */
enum truth_hash { TRUTH_MURMUR2 = 0, TRUTH_CRC32, TRUTH_FNV1A, TRUTH_HASHES, TRUTH_NO_HASH };
struct truth_placing {
    enum truth_hash hash;
    int32_t least_key; /* shorter keys are none */
    bool hashes_null;  /* no key is where the empty one is */
};
struct truth_producer {
    struct content_profile profile;
    struct truth_placing placing;
    struct truth_record *records; /* record n has id (index + 1) << 32 | n */
    int64_t count;
    int64_t cap;
    int64_t accepted;
    int64_t undecided;
    int64_t outcomes[3]; /* written, not written, maybe */
    int32_t host;        /* for the tap */
    int16_t acks;
    bool idempotent;
};
/* What a log shows of one producer id: its batches follow each other without a gap. */
struct truth_sequence {
    int64_t producer_id;
    int32_t next;
    int16_t epoch;
};
/* What an unclean election took from the end of a log. */
struct truth_cut {
    int64_t at;    /* the log's end afterwards … */
    int64_t end;   /* … and before */
    uint64_t *ids; /* owned: what was there */
};
struct truth_log {
    uint64_t *ids;    /* by offset */
    int64_t *last;    /* per producer: the record that was appended last, -1 none … */
    int64_t *last_id; /* … and its producer id */
    struct truth_sequence sequences[TRUTH_SEQUENCES];
    int64_t end;
    int64_t cap;
    int64_t start; /* the log's, as far as known */
    int32_t sequence_count;
    int32_t cut_count;
    struct truth_cut cuts[TRUTH_CUTS]; /* in their order */
};
struct truth_life {
    struct truth_log *logs;
    int32_t partition_count;
};
struct truth_topic {
    char name[32];
    struct truth_life lives[TRUTH_LIVES];
    int32_t life_count;
    int32_t partition_count; /* as planned */
    bool exists;
    bool is_compacted; /* takes no record without a key, and names it */
};
struct truth {
    struct world *world;
    struct tap *tap; /* is told of every batch */
    struct truth_topic topics[TRUTH_TOPICS];
    int32_t topic_count;
    int32_t placed[TRUTH_HASHES][TRUTH_TOPICS][CONTENT_KEYS]; /* partition + 1; 0: not seen yet */
    bool is_strict;  /* no refusal is made up: INVALID_RECORD comes from a compacted topic alone */
    bool is_lied_to; /* clients are, about partitions too: a key may be placed among others */
    bool names_records; /* the brokers do, in their refusals */
    bool names_topics;  /* requests do: a topic made again can be taken for the old one */
    struct truth_producer producers[TRUTH_PRODUCERS];
    int32_t producer_count;
    struct sl_compress *codecs;
    struct content *content; /* scratch of whoever reads */
    struct content *sending; /* scratch of whoever sends: it lives through a call that waits */
    int64_t produces_seen, deletes_seen, creates_seen, metadata_seen;
    int64_t records_in_logs;
    int64_t duplicates; /* copies beyond the first, where they are allowed */
};

void truth_init(struct truth *t, struct world *w, struct tap *tap);
void truth_deinit(struct truth *t);
int32_t truth_add_topic(struct truth *t, const char *name, int32_t partitions);
int32_t truth_find_topic(const struct truth *t, const char *name);
int32_t truth_add_producer(struct truth *t, const struct content_profile *profile, int32_t host,
                           int16_t acks, bool idempotent);

/* A record is about to be sent: its number. The call's result is told afterwards. */
uint64_t truth_new_record(struct truth *t, int32_t producer, int32_t topic, int32_t partition);
void truth_accepted(struct truth *t, uint64_t id, bool is_accepted);
struct truth_record *truth_find(struct truth *t, uint64_t id);
/* The one report of a record (I1); offset -1: not told. */
void truth_reported(struct truth *t, int32_t producer, uint64_t id, int outcome, int code,
                    const char *topic, int32_t partition, int64_t offset);
/* What a report says beside the outcome: who is refused by name, and who because of another. text
 * may be NULL. */
void truth_told(struct truth *t, uint64_t id, int outcome, int code, const char *text);
/* Reads what is new in the logs: I3, I6, I7, content, routing. */
void truth_scan(struct truth *t, bool everything);
/* At the end, with nothing under way any more: I1, I2, I5. */
void truth_settle(struct truth *t);
/* The id at a place, 0: there is none. */
uint64_t truth_at(const struct truth *t, int32_t topic, int32_t life, int32_t partition,
                  int64_t offset);
/* The living life's log, or NULL. */
struct truth_log *truth_log(const struct truth *t, int32_t topic, int32_t partition);
/* ---- truth_cuts.c ---- */

/* An unclean election was made of the partition: what is in its log no more counts as gone. */
void truth_cut(struct truth *t, int32_t topic, int32_t partition);
/* The id that was at an offset after so many cuts; 0: there was none. */
uint64_t truth_was_at(const struct truth_log *log, int32_t lineage, int64_t offset);
/* The first lineage from that one on that has the id there; -1: none. */
int32_t truth_lineage(const struct truth_log *log, int32_t from, int64_t offset, uint64_t id);
/* The id was at that place of the life at some time. */
bool truth_had(const struct truth *t, int32_t topic, int32_t life, int32_t partition,
               int64_t offset, uint64_t id);
/* The lowest offset that was cut between the two lineages; INT64_MAX: they are the same. */
int64_t truth_lowest_cut(const struct truth_log *log, int32_t from, int32_t to);

/* ---- records by themselves ---- */

/* The record's value in memory that it keeps until it is reported, for a send that borrows it. */
const void *truth_lend(struct truth *t, uint64_t id);
/* The record's content, in a scratch of their own for readers and for senders. */
const struct content *truth_content(struct truth *t, uint64_t id);
const struct content *truth_to_send(struct truth *t, uint64_t id);

#endif
