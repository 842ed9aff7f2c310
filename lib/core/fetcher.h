/* What is fetched, from where: the assigned partitions, each in one place at a time (its offset
 * being looked up, waiting for a leader, parked, or in the Fetch session of its leader or of a
 * follower), and the answers on their way to the gate. fetch.h has what its files share. */
#ifndef SL_CORE_FETCHER_H
#define SL_CORE_FETCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/text.h"
#include "core/command.h"
#include "core/committed.h"
#include "core/offsets.h"
#include "core/partition.h"

struct sl_broker;
struct sl_core;
struct sl_fetch_session;
struct sl_topic;
struct sl_validation;

enum sl_fetch_state {
    SL_FETCH_LOOKING = 1, /* its offset is being looked up (reset, symbol, time) */
    SL_FETCH_RUNNING,     /* fetched whenever there is a leader and room */
    SL_FETCH_STOPPED      /* an error was reported; a seek goes on */
};
/* Which follower a position is fetched from (fetch_follower.c). */
struct sl_fetch_near {
    int64_t until;      /* when the leader is to be asked again; 0: fetched from the leader */
    int64_t rest_until; /* from no follower before */
    uint32_t failures;  /* of followers, in a row */
    int32_t node;       /* that the leader named last */
};
/* An assigned partition: offset, epoch of its last record, leader epoch; and the generation that
 * every request and answer carries. */
struct sl_fetch_position {
    struct sl_list node; /* fetcher: the list that says where it is; none while LOOKING */
    struct sl_offset_lookup lookup;       /* while LOOKING, … */
    struct sl_committed_lookup committed; /* … or this, for the group's offset */
    char *name;                           /* owned: the topic's */
    struct sl_topic *topic;               /* NULL: metadata had no memory for it yet */
    struct sl_partition *partition;       /* NULL while the topic is unknown */
    struct sl_fetch_session *session;     /* that it is in, or NULL */
    struct sl_fetch_near near;
    struct sl_validation *validation; /* the request that asks about it, or NULL */
    int32_t index;
    enum sl_fetch_state state;
    uint32_t slot;
    uint32_t epoch;       /* the gate's */
    int64_t offset;       /* next to fetch; a symbol (enum sl_offset_symbol) while LOOKING */
    int64_t timestamp_ms; /* of SL_OFFSET_AT_TIME */
    int32_t last_epoch;   /* leader epoch of the record before offset, -1 unknown … */
    int64_t epoch_from;   /* … and from where on it is known to be that of all before offset */
    int32_t valid_epoch; /* of the leader that was last known to have the log up to offset; or -1 */
    uint32_t epoch_waits; /* times that metadata was asked for a leader as new as last_epoch */
    bool paused;
    int64_t checked;     /* handed on up to here: a slice that does not go on there is dropped */
    int64_t corrupt_end; /* while its corruption is being told: where the bad batch ends */
    bool moved;          /* auto.offset.reset has moved it, and no slice has said so yet */
    bool at_end;         /* the application was told that the end is reached (poll.ends) */
    bool warned;         /* the log says already that there is no such partition */
    bool told;           /* the broker's session has it, or the request in flight lists it, with: */
    bool heard;          /* (the answer being read has spoken of it) */
    uint32_t told_epoch;
    int64_t told_offset;
    struct sl_uuid told_id;
    int32_t told_max_bytes;
    int32_t max_bytes;                /* of one answer; grows when a batch does not fit */
    uint32_t attempts;                /* errors in a row, for the back-off */
    int64_t not_before;               /* back-off */
    int64_t high_watermark;           /* as the gate was told */
    int64_t last_stable;              /* the same */
    uint64_t records, bytes, answers; /* counters */
};
struct sl_fetcher {
    struct sl_core *core;
    struct sl_fetch_position **slots; /* owned: by slot; NULL: free */
    uint32_t slot_count;
    struct sl_list parked;   /* positions that are paused or stopped */
    struct sl_list homeless; /* positions without a leader, or backing off */
    struct sl_list brokers;  /* broker.fetch_node: a Fetch could leave */
    struct sl_list sessions; /* all of them */
    struct sl_list doubtful; /* positions that the leader is to be asked about (validate.c) … */
    struct sl_list validations; /* … and the requests that do */
    struct sl_list arrived;     /* struct sl_fetched that came in this turn … */
    struct sl_list unchecked;   /* … and before it: to be checked and handed on */
    struct sl_arena arena;      /* of the request being built or the answer being read */
    bool has_newcomers;         /* a position came to a session that has a request in flight */
    int64_t free_bytes;         /* of the receiving account; what is reserved counts as free */
    bool is_short;              /* a request could not leave for want of them */
    int64_t reserved;           /* max_bytes of requests under way */
    int64_t homeless_at;        /* when to look at the homeless; SL_NEVER: when something changes */
    int64_t leases_at; /* when the first lease of a follower ends, or a connection takes too long */
};
int sl_fetcher_init(struct sl_fetcher *f, struct sl_core *core);
void sl_fetcher_deinit(struct sl_fetcher *f);
/* ASSIGN, SEEK, PAUSE, REBALANCED. */
void sl_fetcher_on_command(struct sl_core *core, struct sl_command *command);
/* These partitions are about to go: they are fetched no more. */
void sl_fetcher_hold(struct sl_core *core, const struct sl_offsets *list);
/* The receiving account changed by so many bytes, in either direction. */
void sl_fetcher_on_returned(struct sl_core *core, int64_t freed);
/* Metadata has spoken of the topic: partitions may be new, and brokers known that were not. */
void sl_fetcher_on_topic(struct sl_core *core, struct sl_topic *topic);
void sl_fetcher_on_refused(struct sl_core *core, struct sl_topic *topic, int code);
void sl_fetcher_on_leader(struct sl_core *core, struct sl_partition *partition, int32_t old_leader);
void sl_fetcher_on_recreated(struct sl_core *core, struct sl_topic *topic);
void sl_fetcher_on_broker_gone(struct sl_core *core, struct sl_broker *broker);
/* News for the gate, to be filled in: nothing of it has changed yet. NULL: out of memory. */
struct sl_slot_news *sl_fetcher_tell(struct sl_core *core, uint32_t slot, uint32_t epoch);
void sl_fetcher_run(struct sl_core *core);
int64_t sl_fetcher_deadline(const struct sl_core *core);
/* Every invariant; asserts. */
void sl_fetcher_check(const struct sl_core *core);
void sl_fetcher_dump(const struct sl_core *core, struct sl_text *out);
/* Frees a position that is in no list. */
void sl_fetcher_free_position(const struct sl_alloc *alloc, struct sl_fetch_position *position);

#endif
