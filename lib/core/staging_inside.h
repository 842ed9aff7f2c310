/* What the files staging*.c share. */
#ifndef SL_CORE_STAGING_INSIDE_H
#define SL_CORE_STAGING_INSIDE_H

#include "core/partitioner.h"
#include "core/staging.h"

enum {
    SL_STAGING_ALIGN = 8,
    SL_STAGING_SPREAD_MAX =
        32 /* partitions of a topic whose records with key are staged in wire form;
                                * arbitrary: each has a chunk that is being filled */
};

/* How a record may be staged. */
enum sl_staging_form {
    SL_STAGING_PLAIN,  /* as struct sl_staged_record */
    SL_STAGING_CHOSEN, /* in wire form, for a partition of core's choice */
    SL_STAGING_PLACED  /* in wire form, for the partition of its key */
};

/* Empty wire chunks of one size. */
struct sl_staging_pool {
    struct sl_list list; /* last in, first out */
    uint32_t count;
    uint32_t cap; /* bytes at data; 0: there are none with these settings */
};
/* A wire chunk that is being filled; it is in `chunks`. */
struct sl_staging_filling {
    struct sl_chunk *chunk; /* NULL: there is none */
    int64_t left_since;     /* a take left it then, first; 0: none has */
};
struct sl_staging_wire {
    struct sl_staging_pool chosen, placed;
    enum sl_staging_form form; /* of the last record … */
    uint32_t streak;           /* … and bytes of such in a row that were staged plainly */
    uint32_t after;            /* from so many on they are staged in that form */
    /* What is being filled, with records of `open_topic` and `form`: of SL_STAGING_CHOSEN one chunk, else
     * one for each partition. */
    int32_t filling_count; /* 0: nothing is */
    uint32_t filling_cap;  /* bytes at data of each */
    struct sl_staging_filling filling[SL_STAGING_SPREAD_MAX];
    bool cut_short;    /* one was closed that a take had left: for the next one, linger has begun */
    int64_t written;   /* bytes since … */
    int64_t judged_at; /* … it was last asked whether it pays; 0: never */
    uint32_t spread_topic; /* the topic of the chunk that came back last, … */
    int32_t spread;        /* … and how many partitions it had */
};

struct sl_staging {
    const struct sl_settings *settings; /* borrowed */
    const struct sl_alloc *alloc;       /* borrowed */
    struct sl_chunk *open; /* the last of staged, or NULL: what plain records are added to */
    uint32_t open_topic;   /* of the last record */
    uint32_t run_min;      /* least size of the first record of a run */
    struct sl_partitioner partitioner; /* which records have no key, and where others go */
    uintptr_t thread;                  /* that put last */
    struct sl_staging_wire wire;
    const struct sl_staging_topic *last; /* of the record before, or NULL */
    size_t staged;                       /* bytes in the chunks below … */
    size_t bound;                        /* … and how many there may be */
    uint32_t records;                    /* and records */
    uint32_t wake_at;                    /* SL_STAGING_AWAKE: the I/O thread is awake */
    bool hurry;                          /* for the next take */
    bool told;             /* core was asked to hurry since the last accepted record */
    bool staging_full;     /* someone was refused for want of staging room */
    struct sl_list chunks; /* staged, in order */
    struct sl_list free;   /* empty ones of ordinary size, last in first out */
    uint32_t free_count;
    int64_t used;        /* bytes charged, reports included */
    int64_t unread;      /* part of used: reports nobody has read */
    int64_t refused;     /* the most that a record refused for want of budget needed; 0: none was */
    struct sl_map names; /* name → struct sl_staging_topic, owned */
    struct sl_list new_topics; /* not yet told to core */
    struct sl_list spent;      /* struct sl_delivery on their way back to core */
    size_t spent_bytes;
};

/* ---- staging.c ---- */

/* 0, or FULL or UNREAD: there is no room for a charge. */
int sl_staging_check_room(struct sl_staging *s, int64_t charge, bool *wake);
/* A record was accepted. */
void sl_staging_account(struct sl_staging *s, uint32_t charge, bool *wake);

/* ---- staging_wire.c ---- */

void sl_staging_wire_init(struct sl_staging *s);
void sl_staging_wire_deinit(struct sl_staging *s);
/* Whether the record is to be staged in wire form, and for which partition then: -1 is core's choice. */
bool sl_staging_wire_takes(struct sl_staging *s, const struct sl_staging_input *in, uint32_t topic,
                           int32_t *partition);
/* As sl_staging_put, of a record that is. */
int sl_staging_wire_put(struct sl_staging *s, const struct sl_staging_input *in, uint32_t topic,
                        int32_t partition, bool *wake);
/* A record of so many bytes has been staged plainly. */
void sl_staging_wire_on_plain(struct sl_staging *s, uint32_t bytes);
/* All chunks have been taken: those that are being filled come back, as far as they may. */
void sl_staging_wire_leave(struct sl_staging *s, int64_t now, bool all, struct sl_staged *out);
/* Bytes that may be staged beyond the bound. */
size_t sl_staging_wire_extra(const struct sl_staging *s);
/* As sl_staging_sleep, as far as it is about wire chunks; may change *wake_at_bytes. */
bool sl_staging_wire_sleep(const struct sl_staging *s, uint32_t *wake_at_bytes);
/* An empty wire chunk comes back. */
void sl_staging_wire_keep(struct sl_staging *s, struct sl_chunk *chunk);

#endif
