/* What the files of the gate share: the slots, and the memory of fetched answers.
 *
 *   gate_group.c   what the group changes: assigned, revoked, lost
 *   gate.c         handing out, marking, giving back, stopping; what core sends
 *   gate_orders.c  changes that core is told of: assign, seek, pause, rewind
 *   gate_commit.c  what is finished, on its way to being committed
 *   gate_cut.c     a log that was cut: what is queued of it is dropped
 *   gate_unpack.c  what is decompressed before it is handed out
 *   gate_slots.c   slots by partition, answers as counts of what still needs them */
#ifndef SL_CORE_GATE_SLOTS_H
#define SL_CORE_GATE_SLOTS_H

#include "base/list.h"
#include "base/map.h"
#include "core/gate.h"
#include "core/rebalance.h"

/* To where processing has come since the slot was last put somewhere, and who knows of it. */
struct sl_gate_progress {
    int64_t start;          /* where handing out began; -1: not known yet */
    int64_t finished;       /* processed without a hole below this; -1: not known */
    int64_t held;           /* the prefix may not pass this; INT64_MAX: nothing is held */
    int64_t told;           /* core was given the prefix up to here, to be committed */
    int64_t asked;          /* the application committed this offset by itself; -1: none */
    int64_t kept;           /* the prefix is known to be committed up to here */
    int32_t finished_epoch; /* leader epoch of the last record below `finished`; -1: unknown */
    int32_t held_epoch;     /* the same of `held` */
    uint32_t since;         /* the slot's epoch when this began */
    bool is_led; /* auto.offset.reset has led to `start`: that is committed like what is finished */
};

struct sl_gate_slot {
    struct sl_list ready; /* gate.ready, while something can be handed out */
    struct sl_list free;  /* gate.free, while topic is NULL */
    struct sl_list queue; /* struct sl_slice, not handed out yet */
    struct sl_list hand;  /* struct sl_slice handed out under this epoch, oldest first */
    char *topic;          /* interned in gate.names; NULL: the slot is free */
    int32_t partition;
    uint32_t index; /* in gate.slots */
    uint32_t epoch;
    int64_t position;     /* next offset to hand out; -1: being looked up */
    int32_t epoch_before; /* leader epoch of the record before position; -1: unknown */
    int64_t moved_to; /* where core went on behind what is in the queue (reset); -1: right there */
    struct sl_gate_progress progress;
    uint32_t assigned_epoch; /* its first under the present partition */
    int64_t committed;       /* of the partition, as far as this client knows; -1: unknown */
    int64_t high_watermark;
    int64_t last_stable;
    bool paused;
    bool stopped;  /* what comes is damaged (sl_gate_stop): dropped until the epoch changes */
    bool revoking; /* nothing is handed out any more; gone when the revocation is over */
    bool by_group; /* it was put where its group has committed it: elsewhere, a reset has led it */
    bool kept;     /* scratch of assign: the new list has it … */
    bool added;    /* … and it was not assigned before */
};

/* What is decompressed ahead (gate_unpack.c). */
struct sl_gate_unpacks {
    struct sl_list spares; /* struct sl_unpack, the warmest first */
    int32_t spare_count;
    bool is_of_use; /* something compressed has come */
    int32_t most;   /* jobs that may be out at once; 0: there is nobody to run them */
    size_t least;   /* bytes of a slice from which a job pays */
    int32_t out;    /* jobs */
    int32_t ahead;  /* slices in the queues that have an unpack */
};

struct sl_gate {
    const struct sl_alloc *alloc;
    const struct sl_settings *settings;
    struct sl_gate_slot **slots;
    uint32_t slot_count; /* allocated slots; free ones are reused */
    uint32_t slot_cap;
    struct sl_map names;    /* topic name → its interned copy; never shrinks */
    struct sl_map assigned; /* partition and topic → struct sl_gate_slot */
    struct sl_list free;    /* slots that nothing is assigned to */
    struct sl_list ready;   /* slots to take from, in turn */
    struct sl_list orders;  /* struct sl_command for core */
    struct sl_list buffers; /* struct sl_buffer on their way back */
    int64_t used;           /* bytes of the receiving account that are buffered or in hand */
    int64_t in_hand;        /* of these, in the application's hands */
    int64_t freed;          /* change since the last take_returned */
    bool is_short;          /* core waits for what comes back */
    struct sl_gate_unpacks unpacks;
    int left_code;        /* of giving a batch back, that nobody may have looked at */
    bool told_unfinished; /* the log knows that batches were freed without a word */
    /* groups */
    bool subscribed;       /* partitions are the group's, and none is assigned by hand */
    bool leaving;          /* … and the group's are still to be given back */
    int64_t trusted_until; /* they are this member's until then, if it does not hear more */
    bool is_doubtful;      /* that was past when the time was last said */
    bool polling;          /* a poll is under way */
    bool polled;           /* since the group asked last */
    struct sl_list told;   /* struct sl_rebalance to tell the application, in order */
    struct sl_rebalance *revocation; /* that is being held; in `told` too, where that is used */
    struct sl_rebalance *question;   /* owned: POLLED, answered by the next poll */
    struct sl_rebalance *failure;    /* owned: FAILED, that the next poll tells */
};

/* ---- gate_slots.c ---- */

void sl_gate_slots_init(struct sl_gate *g);
/* Frees slots and names with what is buffered; the buffers lie in g->buffers then. */
void sl_gate_slots_deinit(struct sl_gate *g);
/* NULL: not assigned. */
struct sl_gate_slot *sl_gate_slots_find(const struct sl_gate *g, const char *topic,
                                        int32_t partition);
/* Makes sure that `count` slots exist, so that filling them cannot fail for want of one. */
int sl_gate_slots_reserve(struct sl_gate *g, uint32_t count);
/* A slot for a partition that is new; slots are reserved. 0, NOMEM or USAGE (no such name). */
int sl_gate_slots_fill(struct sl_gate *g, const char *topic, int32_t partition,
                       struct sl_gate_slot **out);
/* The partition is not assigned any more. */
void sl_gate_slots_empty(struct sl_gate *g, struct sl_gate_slot *slot);
/* A new epoch at a new place: nothing of before counts any more. offset below 0: a symbol. */
void sl_gate_slots_restart(struct sl_gate *g, struct sl_gate_slot *slot, int64_t offset);
/* The slot goes on at another place; what was processed before says nothing about what comes. */
void sl_gate_slots_begin(struct sl_gate_slot *slot, int64_t offset);
/* Puts the slot into the list of those to take from, or out of it, as its state says. */
void sl_gate_slots_update(struct sl_gate *g, struct sl_gate_slot *slot);
void sl_gate_slots_drop_buffered(struct sl_gate *g, struct sl_gate_slot *slot);
/* Slices in hand, from this node of the hand list on, stop counting; they stay readable, and
 * whatever is said of them later is stale. */
void sl_gate_slots_let_go(struct sl_gate *g, struct sl_gate_slot *slot, struct sl_list *first);
/* The bytes of a slice are not needed any more; the buffer goes back with the last. */
void sl_gate_slots_release_bytes(struct sl_gate *g, struct sl_slice *slice);
/* The slice itself is not needed any more; the answer goes with the last. */
void sl_gate_slots_release_node(struct sl_gate *g, struct sl_slice *slice);

/* Somebody else reads the bytes of an answer (gate_unpack.c), and is done with it. */
void sl_gate_slots_hold_answer(struct sl_fetched *f);
void sl_gate_slots_release_answer(struct sl_gate *g, struct sl_fetched *f);

/* ---- gate_unpack.c ---- */

void sl_gate_unpack_init(struct sl_gate *g);
/* No slice is left, and no job is out. */
void sl_gate_unpack_deinit(struct sl_gate *g);
/* There is a job to take. */
bool sl_gate_unpack_is_wanted(struct sl_gate *g);
/* The slot's next slice is being decompressed just now. Something is in the queue. */
bool sl_gate_unpack_is_under_way(const struct sl_gate_slot *slot);
/* Bytes that a slice holds of the receiving account while it is in hand. */
int64_t sl_gate_unpack_weight(const struct sl_slice *slice);
/* It was handed out, or went back into the queue. */
void sl_gate_unpack_on_moved(struct sl_gate *g, struct sl_slice *slice, bool is_in_hand);
/* The slice goes. */
void sl_gate_unpack_drop(struct sl_gate *g, struct sl_slice *slice);
void sl_gate_unpack_check(const struct sl_gate *g);

/* ---- gate_orders.c ---- */

/* An order about one slot, for sl_gate_orders_send to fill in and queue. 0 or NOMEM. */
int sl_gate_orders_prepare(struct sl_gate *g, enum sl_command_kind kind, struct sl_command **out);
/* leader_epoch: of the record before the slot's position, or -1. */
void sl_gate_orders_send(struct sl_gate *g, struct sl_command *order,
                         const struct sl_gate_slot *slot, int32_t leader_epoch);

/* The whole assignment, as sl_gate_assign has it, whoever it comes from. */
int sl_gate_orders_assign(struct sl_gate *g, const struct sl_offsets *list);

/* ---- gate_group.c ---- */

void sl_gate_group_deinit(struct sl_gate *g);
/* A slice of the slot came back: a revocation may be over. */
void sl_gate_group_on_given(struct sl_gate *g, const struct sl_gate_slot *slot);

/* ---- gate_commit.c ---- */

/* What is committed of the slot's partition. */
void sl_gate_commit_news(struct sl_gate_slot *slot, const struct sl_slot_news *news);

/* What is finished and not committed of the slots that the assignment being made does not keep.
 * 0 with *out NULL: nothing, or it is the application's business. */
int sl_gate_commit_left(struct sl_gate *g, struct sl_command **out);
/* What is to be committed of a slot that is about to go, with the leader epoch of its last record; -1:
 * nothing. */
int64_t sl_gate_commit_of(const struct sl_gate *g, const struct sl_gate_slot *slot, int32_t *epoch);
/* A slice came back with records that are not marked: says once that no commit passes them. */
void sl_gate_commit_warn(struct sl_gate *g, const struct sl_gate_slot *slot);

/* ---- gate_cut.c ---- */

/* A slice that says is_cut has come for the slot. True: it stays in the queue, to be told. */
bool sl_gate_cut(struct sl_gate *g, struct sl_gate_slot *slot, const struct sl_slice *cut);

/* ---- gate.c ---- */

/* The slot goes on at another place without the application's having asked for it
 * (auto.offset.reset). Backwards, what was processed before says nothing about what comes. */
void sl_gate_move(struct sl_gate *g, struct sl_gate_slot *slot, int64_t to);
/* The slot of a slice in hand, or NULL: it was sought, revoked or assigned anew since. */
struct sl_gate_slot *sl_gate_current(const struct sl_gate *g, const struct sl_slice *slice);

#endif
