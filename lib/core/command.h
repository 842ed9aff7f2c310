/* What applications and core say to each other: commands in, events out. Everything that carries
 * a final outcome is allocated when the outcome is promised, so posting it cannot fail. */
#ifndef SL_CORE_COMMAND_H
#define SL_CORE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/buffers.h"
#include "core/metrics.h"
#include "core/offset_list.h"
#include "core/ops.h"

/* ---- commands ---- */

struct sl_fetch_position;

enum sl_command_kind {
    SL_COMMAND_FLUSH = 1,  /* op: ends linger; ended when all records accepted before are decided */
    SL_COMMAND_DISCARD,    /* unsent records become NOT_WRITTEN */
    SL_COMMAND_HURRY,      /* someone waits for room or for a single record: end linger once */
    SL_COMMAND_CLOSE,      /* op */
    SL_COMMAND_READY,      /* op: resolved, connected, authenticated */
    SL_COMMAND_PARTITIONS, /* op, topic: number = partition count */
    SL_COMMAND_ASSIGN,     /* slots: the whole assignment by hand */
    SL_COMMAND_SEEK,       /* slots: these partitions have a new epoch and start */
    SL_COMMAND_PAUSE,      /* slots: fetching state changed (paused or not) */
    SL_COMMAND_SUBSCRIBE,  /* settings: names and patterns; none: leave the group */
    SL_COMMAND_REJOIN,     /* topic: the reason, or NULL */
    SL_COMMAND_REBALANCED, /* rebalance, serial, code: the gate's answer to the group; slots: what
                            * is assigned no more, with what is to be committed as offset */
    SL_COMMAND_COMMIT,     /* source, offsets: to be committed; op: of the application */
    SL_COMMAND_UNFINISHED, /* slots: from that offset on nothing of it is ever committed */
    SL_COMMAND_OFFSETS,    /* op, offsets: symbols become numbers */
    SL_COMMAND_CREATE_TOPIC, /* op, topic, partitions, replicas, settings */
    SL_COMMAND_DELETE_TOPIC, /* op, topic */
    SL_COMMAND_DUMP,         /* op, buffer */
    SL_COMMAND_METRICS,      /* op, mail; of a consumer, offsets: its positions */
    SL_COMMAND_SET_LOGIN,    /* user, secret: a password from now on */
    SL_COMMAND_SET_TOKEN     /* user, secret, lifetime_ms: a token from now on */
};

/* Where a COMMIT comes from. */
enum sl_commit_source {
    SL_COMMIT_ASKED = 1, /* the application: an op waits for it */
    SL_COMMIT_COLLECTED, /* core wanted to know what is finished (sl_core_wants_finished) */
    SL_COMMIT_LEFT       /* the partitions are not assigned any more */
};

/* One assigned partition, as the gate knows it and tells core. */
struct sl_slot_order {
    uint32_t slot;                      /* place in the gate's table */
    uint32_t epoch;                     /* of this order; answers under another one are dropped */
    char *topic;                        /* owned by the command (ASSIGN only, else NULL) */
    struct sl_fetch_position *position; /* the same: memory for one that core does not have yet */
    int32_t partition;
    int32_t offset_epoch; /* of the record before offset, -1 unknown */
    int64_t offset;       /* where to start, or a symbol: SLUICE_OFFSET_* */
    int64_t timestamp_ms; /* of SLUICE_OFFSET_AT_TIME */
    bool paused;
};
struct sl_command {
    struct sl_list node;
    enum sl_command_kind kind;
    struct sl_op *op;            /* taken by core; NULL when none is wanted */
    char *topic;                 /* owned */
    struct sl_offsets *offsets;  /* owned */
    struct sl_slot_order *slots; /* owned */
    int32_t slot_count;
    struct sl_fetch_position **table; /* owned; ASSIGN: room for core's new table of positions */
    uint32_t table_size;
    int32_t partitions; /* CREATE_TOPIC; -1: the broker's default */
    int32_t replicas;
    char **settings; /* owned: name, value, …; setting_count texts */
    int32_t setting_count;
    char *buf; /* DUMP: borrowed from the caller that waits */
    size_t cap;
    int rebalance;   /* REBALANCED: enum sl_rebalance_kind of the question, */
    uint64_t serial; /* its serial, */
    int code;        /* 0, or NOMEM: ask again; POLLED: 1 when the application has polled */
    enum sl_commit_source source; /* COMMIT */
    bool is_nothing_finished;     /* ASKED: records were handed out, and none is finished */
    bool may_finish_more;         /* COLLECTED: more may be finished without a word to core */
    struct sl_mail_counts mail;   /* METRICS */
    char *user;                   /* SET_LOGIN, SET_TOKEN: owned */
    char *secret;                 /* the same: owned, wiped */
    int64_t lifetime_ms;          /* SET_TOKEN; -1: without end */
};
/* Makes one with nothing in it. */
int sl_command_create(const struct sl_alloc *alloc, enum sl_command_kind kind,
                      struct sl_command **out);
/* Frees it with all it owns, its op excepted. */
void sl_command_destroy(const struct sl_alloc *alloc, struct sl_command *command);

/* ---- events ---- */

/* Public numbers that core uses, under names of its own: the public headers are not for core
 * (api/ asserts that they are equal). */
enum sl_outcome { SL_OUTCOME_WRITTEN = 31, SL_OUTCOME_NOT_WRITTEN, SL_OUTCOME_MAYBE_WRITTEN };
enum sl_notice_kind { SL_NOTICE_BROKER = 53, SL_NOTICE_ERROR = 54, SL_NOTICE_LOG = 56 };
enum sl_offset_symbol {
    SL_OFFSET_LATEST = -1,
    SL_OFFSET_EARLIEST = -2,
    SL_OFFSET_COMMITTED = -1000,
    SL_OFFSET_AT_TIME = -1001
};
enum sl_log_level {
    SL_LOG_ERROR = 3,
    SL_LOG_WARNING = 4,
    SL_LOG_NOTICE = 5,
    SL_LOG_INFO = 6,
    SL_LOG_DEBUG = 7
};

struct sl_delivery;
/* A call that waits for the outcome of the one record it sent (sluice_producer_write). The record
 * carries its address in place of a tag (SL_STAGED_WATCHED), the report brings it back. Once there
 * is a report, it goes with that. */
struct sl_watch {
    struct sl_delivery *delivery; /* outbox mutex: NULL until the record is decided */
    uint64_t tag;                 /* the record's own */
    bool given_up;                /* outbox mutex: nobody waits; a report like any other follows */
};
struct sl_chunk;
/* The outcome of a whole batch (or of one record of it, KIP-467). Allocated with the batch, or
 * made in place from the chunk of records that never reached a batch (delivery.h). */
struct sl_delivery {
    struct sl_list node;
    struct sl_delivery *more; /* a further report in the same memory, to be read after this one and
                               * freed with it; NULL: none */
    struct sl_chunk *chunk;   /* owned: the memory it lies in; NULL: allocated by itself */
    int outcome;              /* enum sl_outcome */
    int code;
    int32_t partition; /* -1: never chosen */
    int32_t count;
    int64_t base_offset;    /* -1: not told */
    int64_t timestamp_ms;   /* of the first record, or the append time; -1: not told */
    const char *topic;      /* interned, lives as long as the client's shell */
    struct sl_watch *watch; /* owned: of the call that waits for it; NULL: it is for all */
    uint64_t *tags;         /* owned, `count` of tag_cap, in offset order; NULL without reports */
    int32_t tag_cap;        /* 0 with chunk */
    int32_t inside;         /* room for tags behind this struct, in the same memory */
    char *text;             /* owned: what the broker said, or more than the code says; or NULL */
    size_t text_bytes;      /* of its memory */
    int32_t told_apart;     /* records of the batch that have a report of their own (KIP-467) */
};

struct sl_fetched;
/* One partition's part of a Fetch answer: whole record batches, validated, not yet decompressed. */
struct sl_slice {
    struct sl_list node;      /* in the gate: the slot's queue */
    struct sl_fetched *owner; /* the answer whose buffer holds the bytes; NULL: none (an error) */
    const uint8_t *data;
    size_t size;
    uint32_t slot;
    uint32_t epoch;
    const char *topic; /* gate, once handed out: interned, lives as long as the gate … */
    int32_t partition; /* … whatever the slot is used for meanwhile */
    bool moved;   /* `from` need not be where the slice before ends: auto.offset.reset led there, or
                 * what lies between is processed (sl_gate_untake) */
    int64_t from; /* offset asked for: records before it are skipped */
    int64_t next_offset;    /* position after this slice */
    int64_t high_watermark; /* -1: unknown */
    int64_t last_stable;    /* -1: unknown */
    int64_t end;            /* the one of these up to which may be read */
    int32_t last_epoch;     /* leader epoch of the last batch */
    int32_t leader_epoch;
    int32_t count;  /* records by the batch headers */
    bool is_packed; /* some of it is compressed */
    struct sl_unpack
        *unpack; /* gate: its records decompressed, or about to be; NULL: they are not */
    /* In the memory of its owner: base offsets of batches to be left out, rising. */
    const int64_t *aborted;
    int32_t aborted_count;
    int64_t marked;       /* gate: records below are processed … */
    int32_t marked_epoch; /* … the last of which has this leader epoch; -1: unknown */
    bool given;           /* gate: came back, and waits for what lies before it */
    bool is_apart;        /* gate: a block of its own, by sl_gate_split */
    /* No data: the log was cut at `from`, and what lies behind in the queue is gone; with a code it is
     * an error if some of that was handed out (gate_cut.c). */
    bool is_cut;
    int code; /* not 0: nothing but this error, at offset `from`; partition waits for a seek */
    const char *text; /* with code: prose, in the memory of its owner */
};
/* A Fetch answer on its way to the application. Freed, and the buffer given back, when its last
 * slice is. */
struct sl_fetched {
    struct sl_list node;
    struct sl_buffer *buffer; /* owned; NULL: errors only, or given back already */
    int64_t charged;          /* bytes of the receiving account: the buffer's */
    int32_t slice_count;
    int32_t slices_left; /* whose bytes are still needed; outbox mutex */
    int32_t nodes_left;  /* still linked or in hand, those split off too; the struct goes with the
                          * last */
    size_t size;         /* of this block, the slices and what they refer to included */
    struct sl_slice slices[];
};
/* Whether the batch is one to be left out. *at: where to look, 0 at first; batches come in order. */
static inline bool sl_slice_leaves_out(const struct sl_slice *slice, int64_t base_offset,
                                       int32_t *at) {
    while (*at < slice->aborted_count && slice->aborted[*at] < base_offset) ++*at;
    return *at < slice->aborted_count && slice->aborted[*at] == base_offset;
}
/* News of an assigned partition that is not data. */
struct sl_slot_news {
    struct sl_list node;
    uint32_t slot;
    uint32_t epoch;
    int64_t position;       /* resolved start, or -1: unchanged */
    int64_t high_watermark; /* or -1 */
    int64_t last_stable;    /* or -1 */
    int64_t committed;      /* or -1; counts if the slot has had its partition since that epoch */
};
/* An event for the ring that may drop its oldest: the public sluice_event in small. */
struct sl_notice {
    struct sl_list node;
    int kind;  /* SLUICE_EVENT_BROKER, _ERROR, _LOG */
    int level; /* LOG: syslog's numbers, 3 error … 7 debug */
    int code;
    int32_t broker;
    int32_t partition;
    int32_t count;
    int64_t time_ms; /* Unix milliseconds; the driver stamps it */
    char text[416];
};
/* A topic's partition count became known or changed: for the cache beside the outbox. Lost when
 * memory is short; the next PARTITIONS op asks anyway. */
struct sl_topic_news {
    struct sl_list node;
    int32_t partition_count; /* 0, in the cache: unknown */
    int64_t looked_up_until; /* of the cache: with 0, it is being looked up until then */
    char name[];             /* NUL-terminated */
};
/* Everything core has to tell, moved out once a turn. */
struct sl_events {
    struct sl_list deliveries; /* struct sl_delivery */
    struct sl_list fetched;    /* struct sl_fetched */
    struct sl_list news;       /* struct sl_slot_news */
    struct sl_list ops;        /* ended struct sl_op */
    struct sl_list notices;    /* struct sl_notice */
    struct sl_list topics;     /* struct sl_topic_news */
    struct sl_list rebalances; /* struct sl_rebalance, for the gate */
    struct sl_list chunks;     /* empty struct sl_chunk */
    int64_t freed_bytes;       /* of the sending account */
    int64_t written;           /* records decided since the last take, by outcome */
    int64_t not_written;
    int64_t maybe_written;
    bool token_wanted;    /* the application is asked for a token */
    int32_t notice_count; /* of `notices`, bounded: a host that never looks costs no memory */
};
void sl_events_init(struct sl_events *e);
bool sl_events_is_empty(const struct sl_events *e);
/* Moves everything from one to the other, which need not be empty. */
void sl_events_move(struct sl_events *to, struct sl_events *from);
/* Frees what nobody will take any more. */
void sl_events_deinit(struct sl_events *e, const struct sl_alloc *alloc);

#endif
