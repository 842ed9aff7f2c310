/* sluice: what all headers share: export macros, handles, structs and constants.
 *
 * Rules that hold everywhere:
 * - A call returns 0 or a code of sluice/error.h; a `**out` is NULL when it is not 0.
 * - An error return means that nothing was accepted: no report and no event will follow.
 * - Structs are passed with their size, so that they can grow at their end. Zero means "default"
 *   in every field; a field whose `set` bit is missing must be zero.
 * - Texts are UTF-8, NUL-terminated, copied on the way in. On the way out they belong to the
 *   handle they came from, or go into the caller's buffer.
 * - What arrives through `**out` is yours and goes with its _free, which takes NULL and is right
 *   in any order, also after the client is gone.
 * - timeout_ms: 0 does not wait, -1 waits without limit, -2 is default.api.timeout.ms. It runs
 *   from the call. Waiting again never extends an operation.
 * - A call that asks a broker ends in `sluice_op **op`: with NULL the call waits here; otherwise
 *   it returns at once, *op is the ticket, and the outcome is the op's.
 * - After sluice_client_interrupt a waiting call returns SLUICE_ERR_INTERRUPTED, with nothing lost
 *   or undone; after close elsewhere SLUICE_ERR_CLOSED; in a forked child SLUICE_ERR_FORKED.
 * - "Thread: any" calls may be made from any number of threads at once. "Thread: one at a time"
 *   calls return SLUICE_ERR_BUSY to the second of two threads inside. */
#ifndef SLUICE_TYPES_H
#define SLUICE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "sluice/error.h"

#if defined(__GNUC__) || defined(__clang__)
#define SLUICE_MUST __attribute__((warn_unused_result))
#define SLUICE_API __attribute__((visibility("default")))
#else
#define SLUICE_MUST
#define SLUICE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sluice_config sluice_config;         /* settings, until a client is opened */
typedef struct sluice_runtime sluice_runtime;       /* a thread, or the application's own loop */
typedef struct sluice_client sluice_client;         /* a producer, a consumer or an admin client */
typedef struct sluice_op sluice_op;                 /* the ticket of an operation */
typedef struct sluice_offsets sluice_offsets;       /* a list of (topic, partition, offset) */
typedef struct sluice_table sluice_table;           /* rows of named columns */
typedef struct sluice_deliveries sluice_deliveries; /* delivery reports, as many as there were */
typedef struct sluice_batch sluice_batch;           /* what one poll returned */
typedef struct sluice_rebalance sluice_rebalance;   /* partitions that came or went */
typedef struct sluice_testbroker sluice_testbroker; /* a cluster in this process */

/* Values of different enums never overlap where they could be swapped: a swapped argument is
 * SLUICE_ERR_USAGE, not another meaning. */

/* Roles of a client. */
enum { SLUICE_PRODUCER = 1, SLUICE_CONSUMER, SLUICE_ADMIN };
/* Kinds of runtime: an I/O thread of the library's own, or none (the application drives). */
enum { SLUICE_RUNTIME_THREAD = 11, SLUICE_RUNTIME_DRIVEN };
/* What a rebalance is about: partitions came; they are to be given away; or they are gone already, and
 * others may own them. */
enum { SLUICE_REBALANCE_ASSIGNED = 21, SLUICE_REBALANCE_REVOKING, SLUICE_REBALANCE_LOST };
/* The outcome of a record. MAYBE_WRITTEN: no one can know; it is never told as one of the others.
 */
enum { SLUICE_WRITTEN = 31, SLUICE_NOT_WRITTEN, SLUICE_MAYBE_WRITTEN };
/* Bits of `set`: which optional fields a struct carries. */
enum { SLUICE_SET_PARTITION = 1, SLUICE_SET_TIMESTAMP = 2, SLUICE_SET_TOMBSTONE = 4 };
/* Kinds of sluice_event. */
enum {
    SLUICE_EVENT_OP = 51, /* an operation ended: op, code, text */
    SLUICE_EVENT_ROOM,    /* after SLUICE_ERR_FULL: half of the sending budget is free again */
    SLUICE_EVENT_BROKER,  /* a broker was reached or lost: broker, code, text */
    SLUICE_EVENT_ERROR,   /* something an operator wants to know: code, partition, text */
    SLUICE_EVENT_TOKEN,   /* an OAUTHBEARER token is wanted */
    SLUICE_EVENT_LOG,     /* a log line (log.to=events): code is its level */
    SLUICE_EVENT_CLOSED   /* the client is closed */
};
/* Kinds of sluice_fault. */
enum {
    SLUICE_FAULT_ERROR = 61, /* answer with `code`, not executed */
    SLUICE_FAULT_DELAY,      /* answer delay_ms later */
    SLUICE_FAULT_CUT_BEFORE, /* close the connection, not executed */
    SLUICE_FAULT_CUT_AFTER,  /* execute, then close without an answer */
    SLUICE_FAULT_SILENT,     /* execute, never answer */
    SLUICE_FAULT_CORRUPT,    /* damage the record batches or the body of the answer */
    SLUICE_FAULT_HOSTILE     /* answer so that it does harm; `code` is one of SLUICE_HARM_… */
};
/* What an answer of SLUICE_FAULT_HOSTILE is like. */
enum {
    SLUICE_HARM_FRAME = 1, /* says that two gigabytes follow */
    SLUICE_HARM_COUNT,     /* promises two thousand million entries */
    SLUICE_HARM_DRIBBLE    /* comes byte by byte, delay_ms between two */
};
/* What sluice_testbroker_move moves. */
enum { SLUICE_MOVE_LEADER = 71, SLUICE_MOVE_COORDINATOR };
/* States of a test broker's node. */
enum { SLUICE_BROKER_UP = 81, SLUICE_BROKER_DOWN, SLUICE_BROKER_FROZEN };
/* Forms of sluice_table_text. */
enum { SLUICE_TEXT_COLUMNS = 91, SLUICE_TEXT_JSON, SLUICE_TEXT_PROMETHEUS };
/* Special timeouts and offsets. -3 … -5 are Kafka's own symbols of ListOffsets. */
enum { SLUICE_TIMEOUT_DEFAULT = -2 };
enum {
    SLUICE_OFFSET_LATEST = -1,
    SLUICE_OFFSET_EARLIEST = -2,
    SLUICE_OFFSET_COMMITTED = -1000, /* the group's committed offset */
    SLUICE_OFFSET_AT_TIME = -1001    /* the first record at or after timestamp_ms */
};

/* A header of a record. name_size 0: NUL-terminated; value_size -1: null. Frozen. */
typedef struct {
    const char *name;
    const void *value;
    uint32_t name_size;
    int32_t value_size;
} sluice_header;

/* One record of a packed batch: places in the data buffer, -1 for null. 48 bytes. Frozen. */
typedef struct {
    int64_t offset;
    int64_t timestamp_ms;
    int32_t key_at;
    int32_t key_size;
    int32_t value_at;
    int32_t value_size;
    int32_t headers_at;
    int32_t headers_size;
    int32_t header_count;
    int32_t slice;
} sluice_row;

/* A record to send. key NULL: none. value NULL: an empty one, unless SLUICE_SET_TOMBSTONE. A field
 * whose bit is not in `set` must be 0. raw_headers: as a view gave them, to forward them without
 * rebuilding (header_count counts them); then headers is NULL. */
typedef struct {
    const char *topic;
    const void *key;
    const void *value;
    size_t key_size;
    size_t value_size;
    const sluice_header *headers;
    const void *raw_headers;
    size_t raw_headers_size;
    int32_t header_count;
    int32_t partition;    /* with SLUICE_SET_PARTITION */
    int64_t timestamp_ms; /* with SLUICE_SET_TIMESTAMP; Unix milliseconds */
    uint64_t tag;         /* comes back in the delivery report */
    uint32_t set;
    uint32_t reserved; /* 0 */
} sluice_record;

/* Many records at once. data: headers (as in a view), key and value of each record in turn. A size
 * of -1: null (a value: a tombstone). A column may be NULL: all absent (values: all empty). Record
 * i has tag first_tag + i, or tags[i]. */
typedef struct {
    const char *topic;
    const void *data;
    size_t data_size;
    const int32_t *header_sizes;
    const int32_t *key_sizes;
    const int32_t *value_sizes;
    const int64_t *timestamps_ms;
    int32_t count;
    int32_t partition; /* with SLUICE_SET_PARTITION: of all */
    uint64_t first_tag;
    uint32_t set;
    uint32_t reserved;         /* 0 */
    const int32_t *partitions; /* of each, -1: none; then without SLUICE_SET_PARTITION */
    const uint64_t *tags;      /* then first_tag is 0 */
} sluice_packed;

/* The one outcome of `count` records of one partition; tags in offset order, NULL when reports
 * carry none. base_offset -1: not told (acks=0, or a duplicate that the broker answered without).
 * Texts and tags belong to the sluice_deliveries. */
typedef struct {
    int32_t outcome; /* SLUICE_WRITTEN, SLUICE_NOT_WRITTEN, SLUICE_MAYBE_WRITTEN */
    int32_t code;    /* why, when not written; 0 otherwise */
    int32_t partition;
    int32_t count;
    const char *topic;
    const uint64_t *tags;
    int64_t base_offset;
    int64_t timestamp_ms; /* the broker's append time, or -1: the records keep their own */
    const char *text;     /* what the broker said, or more than the code tells; NULL: nothing */
} sluice_delivery;

/* Records of a producer since it was opened. pending: accepted and not decided. */
typedef struct {
    int64_t pending;
    int64_t pending_bytes;
    int64_t written;
    int64_t not_written;
    int64_t maybe_written;
} sluice_counts;

/* A record read: points into its batch. NULL key or value: null. headers: wire form, read by
 * sluice_headers_read. index counts within its slice. */
typedef struct {
    int64_t offset;
    int64_t timestamp_ms;
    const char *topic;
    const void *key;
    const void *value;
    const void *headers;
    size_t key_size;
    size_t value_size;
    size_t headers_size;
    int32_t partition;
    int32_t slice;
    int32_t index;
    int32_t header_count;
} sluice_view;

/* One partition's part of a batch, in the order of the walk. */
typedef struct {
    const char *topic;
    int32_t partition;
    int32_t count;
    int32_t at_end; /* 1: next_offset is the end of the partition as the broker told it */
    int32_t leader_epoch;
    int64_t first_offset;
    int64_t next_offset;
    int64_t high_watermark;
} sluice_slice;

/* One entry of a sluice_offsets. offset: the next to read, or a symbol. -1: unknown. */
typedef struct {
    const char *topic;
    const char *metadata;
    int64_t offset;
    int64_t timestamp_ms; /* of SLUICE_OFFSET_AT_TIME */
    int64_t committed;
    int64_t end;
    int32_t partition;
    int32_t leader_epoch;
    int32_t code; /* why this entry failed */
    int32_t paused;
} sluice_offset;

/* What a rebalance is about. hold_ms: time left to finish what is in hand of partitions that are being
 * given away; else 0. */
typedef struct {
    int32_t kind; /* SLUICE_REBALANCE_ASSIGNED … */
    int32_t hold_ms;
} sluice_rebalance_info;

/* Something to know, of the ring that drops its oldest when nobody reads. */
typedef struct {
    uint64_t op;
    int64_t time_ms;
    int32_t kind; /* 0: none */
    int32_t code;
    int32_t broker;
    int32_t partition;
    int32_t count; /* events dropped before this one */
    int32_t reserved;
    char text[416];
} sluice_event;

/* One line of the property table. */
typedef struct {
    const char *name;
    const char *fallback; /* the default */
    const char *range;
    const char *text;
    int32_t type;
    int32_t roles;  /* bit 1 << role */
    int32_t secret; /* 1: never shown */
    int32_t reserved;
} sluice_property;

/* What goes wrong with matching requests. 0 and NULL match any; times 0 is 1, -1 until healed. */
typedef struct {
    const char *api; /* "Produce", "Fetch", … */
    const char *topic;
    int32_t kind;
    int32_t broker;
    int32_t partition; /* with SLUICE_SET_PARTITION */
    int32_t code;
    int32_t delay_ms;
    int32_t skip; /* matching requests to leave alone first */
    int32_t times;
    uint32_t set;
} sluice_fault;

/* All memory of a client. One function does all: old NULL allocates, new_size 0 frees, otherwise
 * the block is resized. May return NULL. Called on any thread of the client, also while it holds a lock
 * of its own: the function must not call the library, and should not take long. */
typedef struct {
    void *(*resize)(void *user, void *old, size_t old_size, size_t new_size);
    void *user;
} sluice_allocator;

/* Gets one log line without a newline; level as syslog has it: 3 error, 4 warning, 6 info, 7 debug.
 * Called on the I/O thread, in a driven runtime by whoever runs it or waits; it may block, and close
 * still returns by its deadline. */
typedef void (*sluice_log_fn)(void *user, int32_t level, const char *line);

#ifdef __cplusplus
}
#endif

#endif
