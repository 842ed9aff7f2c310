/* Staging: where applications put records and where core takes them from. Plain code without a
 * lock: driver/inbox.c calls it under the inbox latch, so the simulator runs the same lines.
 *
 * A record is copied once into a chunk. Chunks are swapped out all at once by the I/O thread and
 * come back empty. The sending account of the memory budget lives here too: a record is charged
 * when it is accepted and returned with its outcome. Topic names are interned in an append-only
 * table; a staged record carries an index.
 *
 * Records of a steady stream are staged as they go over the wire, those with key into a chunk for each
 * partition: such a chunk becomes a batch as it is, and its records are never copied again. */
#ifndef SL_CORE_STAGING_H
#define SL_CORE_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "base/text.h"
#include "core/settings.h"
#include "record/record.h"

enum {
    SL_STAGING_CHUNK = 256 * 1024,      /* measured: 64 KiB to 1 MiB are alike */
    SL_STAGING_BOUND = 4 * 1024 * 1024, /* of staged, untaken bytes: more is cache-cold; … */
    SL_STAGING_BOUND_MOST = 16 * 1024 * 1024, /* … with thousands of partitions all of it is, and
                                               * few records a batch cost more */
    SL_STAGING_LARGE = 2 * 1024,   /* values from here on get a chunk of their own, sent from it */
    SL_STAGING_WIRE_MIN = 4 * 1024 /* wire chunks are not worth while below; arbitrary */
};
#define SL_STAGING_AWAKE UINT32_MAX /* wake_at_bytes of an I/O thread that does not sleep */

/* Flags of a staged record. */
enum {
    SL_STAGED_KEY_NULL = 1,
    SL_STAGED_VALUE_NULL = 2,
    SL_STAGED_TIMESTAMP = 4, /* else core stamps it */
    SL_STAGED_PARTITION = 8, /* else core chooses */
    SL_STAGED_LARGE = 16,    /* set by staging: the value lies in a chunk of its own */
    SL_STAGED_BORROWED = 64, /* the value stays where the application has it, if it is large */
    SL_STAGED_WATCHED = 32   /* the tag is the address of a struct sl_watch: the record gets a chunk
                              * and a batch to itself, and a report whatever the settings say */
};
/* One record in a chunk: this header, then (only SL_STAGED_LARGE) the address of the value's
 * chunk, headers (wire form), key, and the value unless it is large; the next record follows at
 * the next multiple of 8. With reports on, the first record of a run of one topic is at least as
 * big as a delivery and its tag: so a chunk that cannot be sent can always be turned into the
 * reports of its records where it lies, without memory (delivery.c). */
struct sl_staged_record {
    uint32_t size; /* from this header to the next */
    uint32_t topic;
    int64_t timestamp_ms;
    uint64_t tag;
    int32_t partition;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t headers_size;
    uint16_t header_count;
    uint16_t flags;
    uint32_t charge; /* bytes of the budget that go back with the outcome */
};
struct sl_chunk;
/* A piece of memory that the records of a batch are encoded into. */
struct sl_segment {
    struct sl_segment *next;
    struct sl_chunk *chunk; /* that it lies in, a wire chunk; NULL: memory of its own */
    uint32_t cap;           /* bytes at data */
    uint32_t used;          /* once it is no longer the last one of an open batch */
    uint8_t data[];
};
enum { SL_STAGING_WIRE_FRONT = sizeof(struct sl_segment) + SL_RECORD_HEADER_SIZE };
/* A piece of memory that records lie in. It has one owner at any time: staging, the batcher's
 * backlog, a topic's waiting list, or (holding one large value) a record and then its batch. */
struct sl_chunk {
    struct sl_list node;
    struct sl_list age;         /* waiting.c: all waiting chunks, oldest first */
    int64_t since;              /* waiting.c: when its first record was taken */
    uint64_t generation;        /* batcher: of flushes, when it was taken */
    struct sl_segment *segment; /* batch.c: a large value follows this segment's byte … */
    uint32_t segment_at;        /* … number so-and-so */
    uint32_t cap;               /* bytes at data */
    uint32_t size;              /* bytes filled */
    uint32_t count;             /* records */
    uint32_t walked;            /* batcher: bytes of records already dealt with */
    uint32_t run_at;            /* batcher: where the run of the record at `walked` begins */
    bool is_wire;               /* holds wire records, not struct sl_staged_record … */
    uint32_t topic;             /* … of this topic, … */
    int32_t partition;          /* … for this partition, -1: one that core chooses, … */
    int32_t spread;             /* … when the topic had so many; on its way back: it has, … */
    uint32_t charge;            /* … for which the budget gets so many bytes back, … */
    uint32_t summed;            /* … summed up to here, without a codec, … */
    uint32_t crc;               /* … to this CRC-32C; */
    uint32_t done;              /* batcher: so many of them have been dealt with */
    const void *lent; /* the value in the application's memory, `size` bytes; NULL: at data */
    uint64_t data[];  /* uint64_t for alignment */
};
/* A wire chunk begins with a segment and room for the header of a batch; then its records, from
 * offset delta and timestamp delta 0 on. With reports on their tags grow down from its end. */

/* An interned topic name. */
struct sl_staging_topic {
    struct sl_list node; /* new ones on their way to core, then core's */
    uint32_t index;      /* from 0, without gaps */
    uint32_t size;       /* of name, without the NUL */
    char name[];
};
/* What one swap took. */
struct sl_staged {
    struct sl_list chunks;
    struct sl_list topics; /* struct sl_staging_topic: the new ones, by rising index; they live as
                            * long as the staging object and are never taken back */
    struct sl_list spent;  /* struct sl_delivery: reports that were read, to be used again … */
    size_t spent_bytes;    /* … and their memory */
    uint32_t records;
    int64_t left_until; /* a wire chunk was left to be filled: take it at that time; or INT64_MAX */
    bool hurry;         /* someone waits for room, or what was left has lingered: linger ends */
    bool room;          /* someone was refused for want of staging room, which there is now */
};
/* A record as the public calls describe it, checked. Sizes of absent parts are 0. */
struct sl_staging_input {
    const char *topic;
    const void *key, *value, *headers; /* headers: wire form */
    uint32_t key_size, value_size, headers_size;
    int64_t timestamp_ms;
    uint64_t tag;
    int32_t partition;
    uint16_t header_count;
    uint16_t flags;
    struct sl_chunk *large; /* owned: the value, copied or borrowed, made by sl_staging_prepare; or
                             * NULL */
};

struct sl_staging;

int sl_staging_create(const struct sl_settings *settings, const struct sl_alloc *alloc,
                      struct sl_staging **out);
/* Frees all records, chunks and names in it. */
void sl_staging_destroy(struct sl_staging *s);
/* Optional, before the lock is taken: copies a large value (unless it is borrowed), so that neither the copy nor its
 * allocation happens under it. 0, TOO_BIG or NOMEM. */
int sl_staging_prepare(const struct sl_staging *s, struct sl_staging_input *in);
/* For people: which limit a record is above that was refused with TOO_BIG. */
void sl_staging_tell_size(const struct sl_staging *s, const struct sl_staging_input *in,
                          struct sl_text *out);
/* Undoes prepare for a record that was not accepted. */
void sl_staging_unprepare(const struct sl_staging *s, struct sl_staging_input *in);
/* The records put next come from this thread (any number that tells threads apart). Where several
 * take turns none is staged in wire form: each would hold up the others for longer (4 threads: twice
 * the CPU). */
void sl_staging_begin(struct sl_staging *s, uintptr_t thread);
/* Copies one record in; takes in->large and sets it to NULL when it accepts. 0, SLUICE_ERR_FULL
 * (no room in the budget or in staging; tells staging that someone waits), SLUICE_ERR_UNREAD (no
 * room even if everything but unread reports were gone), SLUICE_ERR_TOO_BIG (over
 * max.request.size or the whole budget), SLUICE_ERR_USAGE (the name of the topic is empty or too
 * long), SLUICE_ERR_NOMEM. *wake: the I/O thread sleeps and must
 * be woken (once the lock is released), also with FULL. */
int sl_staging_put(struct sl_staging *s, struct sl_staging_input *in, bool *wake);
/* Something else waits for the I/O thread, a command for one. True: it sleeps and must be woken. */
bool sl_staging_wake(struct sl_staging *s);
/* What waits to be taken is no more than some records. */
bool sl_staging_is_little(const struct sl_staging *s);
/* True: something waits to be taken. */
bool sl_staging_has_records(const struct sl_staging *s);
/* I/O side: moves what is staged into *out (initialised here). It is awake from then on, until
 * sl_staging_sleep. A wire chunk that is being filled stays for linger.ms, unless `all` is wanted or
 * someone waits for room. now: monotonic nanoseconds. */
void sl_staging_take(struct sl_staging *s, int64_t now, bool all, struct sl_staged *out);
/* So many partitions are being filled: how much may be staged follows from it. */
void sl_staging_stretch(struct sl_staging *s, uint32_t partitions);
/* Empty chunks come back (spliced out of the list), and charged bytes; negative: core needed more
 * than was charged. True: someone was refused with FULL and there is room again. */
bool sl_staging_give(struct sl_staging *s, struct sl_list *chunks, int64_t freed_bytes);
/* Before the I/O thread sleeps: wake when so many bytes are staged; 1: at the first, chunk size
 * when a linger deadline is armed anyway, SL_STAGING_AWAKE: it does not sleep. False: enough is
 * staged already or someone waits for room: do not sleep. */
bool sl_staging_sleep(struct sl_staging *s, uint32_t wake_at_bytes);
/* Reports that were read come back, plain ones of so many bytes in all (spliced out of the list). False:
 * enough wait already, and these are to be destroyed. */
bool sl_staging_spend(struct sl_staging *s, struct sl_list *deliveries, size_t bytes);
/* Tags of reports not read yet are charged here. Negative: read; true then as with give. */
bool sl_staging_charge_unread(struct sl_staging *s, int64_t bytes);
int64_t sl_staging_used(const struct sl_staging *s);

/* ---- records in chunks, for core ---- */

struct sl_chunk *sl_staging_chunk_create(const struct sl_alloc *alloc, uint32_t cap);
void sl_staging_chunk_destroy(const struct sl_alloc *alloc, struct sl_chunk *chunk);
/* Bytes of memory that a chunk takes, or keeps the application from using. */
size_t sl_staging_chunk_bytes(const struct sl_chunk *chunk);
/* Bytes that a batch is filled to by the settings. */
int32_t sl_staging_batch_limit(const struct sl_settings *settings);
/* The least size of the first record of a run of one topic. */
uint32_t sl_staging_run_min(const struct sl_settings *settings);

/* What one record of a wire chunk is charged with, that takes so many bytes. */
uint32_t sl_staging_wire_charge(const struct sl_settings *settings, size_t bytes);

/* The tag of a wire chunk's record number `index`; with reports on. */
static inline uint64_t *sl_staging_wire_tag(struct sl_chunk *chunk, uint32_t index) {
    return (uint64_t *)(void *)((uint8_t *)chunk->data + chunk->cap) - 1 - index;
}

static inline struct sl_staged_record *sl_staging_record(struct sl_chunk *chunk, uint32_t at) {
    return (struct sl_staged_record *)(void *)((uint8_t *)chunk->data + at);
}
/* The topic of the record at that byte of a chunk. */
static inline uint32_t sl_staging_topic_at(struct sl_chunk *chunk, uint32_t at) {
    return chunk->is_wire ? chunk->topic : sl_staging_record(chunk, at)->topic;
}
/* The bytes of a large value. */
static inline const void *sl_staging_value(const struct sl_chunk *chunk) {
    return chunk->lent != NULL ? chunk->lent : chunk->data;
}
/* The chunk of a large value; NULL: the value is in the record. */
struct sl_chunk *sl_staging_value_chunk(const struct sl_staged_record *r);

#endif
