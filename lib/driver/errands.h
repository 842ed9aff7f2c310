/* Blocking work of a host off the loop: looking names up, fetching tokens, steps of GSSAPI. Each runs on
 * a short-lived thread and answers through a block that belongs to the process. */
#ifndef SL_DRIVER_ERRANDS_H
#define SL_DRIVER_ERRANDS_H

#include <stdint.h>

#include "driver/host_table.h"

enum {
    /* Of one kind at a time; more only pile up behind what hangs. */
    SL_ERRANDS_MOST = 8,
    /* And so many wait for one of those to end; arbitrary. */
    SL_ERRANDS_WAITING = 256
};

struct sl_errands;
/* Part of each kind's own block, which has its input and its output in itself: it may outlive its
 * client, the client's allocator and the runtime, so its memory is that of the C library. */
struct sl_errands_task {
    struct sl_host_answer answer; /* run fills rv, text and what there is */
    /* Blocks as long as it likes. */
    void (*run)(struct sl_errands_task *task);
    /* Frees the block, and wipes what is secret in it. On any thread. */
    void (*destroy)(struct sl_errands_task *task);
    struct sl_errands *board; /* set when it is started */
};

/* wake_fd is taken, also on failure: what is written to when an answer is there. 0, NOMEM,
 * SYSTEM. */
int sl_errands_create(int wake_fd, struct sl_errands **out);
/* Never waits: what is under way answers nobody, and frees what is its own. */
void sl_errands_destroy(struct sl_errands *e);
/* Forked child: closes the descriptor. */
void sl_errands_abandon(struct sl_errands *e);
/* Then: frees it, unless something was under way. */
void sl_errands_forget(struct sl_errands *e);

/* kind, client and serial of the answer are set. 0: it is taken; SYSTEM (no thread, or too many):
 * it is still the caller's. */
int sl_errands_start(struct sl_errands *e, struct sl_errands_task *task);
/* Takes one that needs no thread: its answer is there. */
void sl_errands_put(struct sl_errands *e, struct sl_errands_task *task);
/* An answer, or NULL; it goes back by free. */
struct sl_host_answer *sl_errands_take(struct sl_errands *e);
void sl_errands_free(struct sl_host_answer *answer);

#endif
