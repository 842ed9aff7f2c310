/* Commits of offsets for the group of the client (OffsetCommit): on demand, every
 * auto.commit.interval.ms, when partitions go, and on close. */
#ifndef SL_CORE_COMMITTER_H
#define SL_CORE_COMMITTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/text.h"
#include "core/calls.h"
#include "core/command.h"
#include "core/commits.h"

struct sl_core;

struct sl_committer {
    struct sl_core *core;
    struct sl_list waiting;       /* struct sl_commit_task, in the order they were asked for */
    struct sl_list sent;          /* those in the request under way, in that order */
    struct sl_commit_merge merge; /* what the request says */
    struct sl_call call;
    int64_t sent_at;
    int32_t sent_epoch;     /* of the group, in that request */
    int64_t collect_at;     /* when to ask the gate what is finished; SL_NEVER */
    bool everything;        /* what is not known to be committed, not only what is new */
    int64_t tick_after;     /* not before, whatever the interval: ticks have failed … */
    uint32_t tick_failures; /* … so often in a row */
    bool is_ticking;        /* what the gate said the last time is not decided yet */
    bool is_closing;        /* the client closes … */
    int close_code;         /* … and this much could not be committed */
    char close_text[SL_OP_TEXT];
    int told; /* the code that the log was last told of; 0: commits succeed */
};
void sl_committer_init(struct sl_committer *c, struct sl_core *core);
void sl_committer_deinit(struct sl_committer *c);
/* COMMIT, UNFINISHED. */
void sl_committer_on_command(struct sl_core *core, struct sl_command *command);
/* A COMMIT of the application found no memory for its op, which has ended. */
void sl_committer_on_dropped(struct sl_core *core);
/* Records are on their way to the application: some may be finished from now on. */
void sl_committer_on_handed(struct sl_core *core);
/* A partition was put somewhere by a look-up: the gate is asked soon whether that is to be
 * committed. */
void sl_committer_on_placed(struct sl_core *core);
/* Core wants a COMMIT of what is finished, in this turn: new things only, or everything that is not
 * known to be committed. */
bool sl_committer_wants_finished(const struct sl_core *core, bool *everything);
/* Commits these offsets for the group, before the partitions go (takes the list): by the deadline
 * sl_group_on_committed is called, but not once the client is closed. 0, or NOMEM: it will not be,
 * and the list is still the caller's. */
int sl_committer_commit(struct sl_core *core, struct sl_offsets *list, int64_t deadline);
/* Offsets of partitions that are given up, or about to be, are being committed: whoever reads them
 * next begins there. */
bool sl_committer_is_saving(const struct sl_core *core);
/* The client closes: what is finished is committed, with enable.auto.commit. */
void sl_committer_close(struct sl_core *core);
/* Closing: nothing is left to commit. */
bool sl_committer_is_done(const struct sl_core *core);
/* What of closing was not committed, in words; nothing when all was. */
void sl_committer_tell_close(const struct sl_core *core, struct sl_text *text);
void sl_committer_run(struct sl_core *core);
int64_t sl_committer_deadline(const struct sl_core *core);
/* Every invariant; asserts. */
void sl_committer_check(const struct sl_core *core);
void sl_committer_dump(const struct sl_core *core, struct sl_text *out);

/* ---- between the committer*.c files ---- */

/* committer.c */
/* The next tick has everything again that is not known to be committed, as far as it is assigned. */
void sl_committer_collect_again(struct sl_core *core);
/* The task of a tick has ended. */
void sl_committer_note_tick_end(struct sl_core *core, int code);
/* committer_send.c: all that wait go, once the coordinator is known. */
void sl_committer_send(struct sl_core *core);
/* committer_end.c */
/* All its entries are decided. */
void sl_committer_end(struct sl_core *core, struct sl_commit_task *task);
/* The rest of them gets that code. */
void sl_committer_end_undecided(struct sl_core *core, struct sl_commit_task *task, int code);
/* The deadline of an op, or the end of the client. A request that has left goes on for others. */
void sl_committer_on_over(struct sl_core *core, struct sl_op *op, int code);
/* A refusal for membership's sake. */
bool sl_committer_is_membership(int code);

#endif
