/* What the units of the core share: struct sl_core itself. Only files of lib/core include this.
 *
 * Each unit owns one struct embedded below and touches the others' state only through their
 * functions. Data flows one way in a turn: inputs mark what changed; sl_core_run lets each unit
 * act once, in the order metadata, producer id, batcher, sender, offsets, group, committer, committed,
 * fetcher, calls;
 * then links turn queued requests into SEND outputs. Units are woken by lists that others put
 * things into, never by scanning partitions.
 *
 * Rules between units:
 * - Producer units (producer_id, batcher, sender) are initialised and called only in role
 *   producer; fetcher, group, committer and committed only in role consumer.
 * - A unit's on_command borrows the command: it takes out what it keeps (setting that pointer to
 *   NULL), and core.c destroys the rest. Its op has been started already (ops.h).
 * - Who got no ready link asks again in every run until it has one: core runs again when the link
 *   is ready, has failed, or may be tried again (brokers.h). Nobody sets a timer for that.
 * - While closing, core.c sets batcher.hurry in every turn, and the committer commits what is
 *   finished; at the end it closes the links, whose
 *   requests end with CLOSED, then calls sl_batcher_abandon, then ends the ops that are left.
 *   Nothing opens or is queued any more then: sl_brokers_link and sl_brokers_any give NULL. */
#ifndef SL_CORE_UNIT_H
#define SL_CORE_UNIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/rng.h"
#include "base/trace.h"
#include "core/admin.h"
#include "core/batcher.h"
#include "core/brokers.h"
#include "core/buffers.h"
#include "core/calls.h"
#include "core/committed.h"
#include "core/committer.h"
#include "core/coordinators.h"
#include "core/core.h"
#include "core/errand.h"
#include "core/fetcher.h"
#include "core/group.h"
#include "core/link.h"
#include "core/login.h"
#include "core/metadata.h"
#include "core/offsets.h"
#include "core/ops.h"
#include "core/producer_id.h"
#include "core/sasl.h"
#include "core/sender.h"
#include "core/settings.h"
#include "core/stats.h"

#define SL_CORE_VERSION "0.1.0" /* what brokers are told (KIP-511) */
#define SL_MS INT64_C(1000000)  /* nanoseconds in a millisecond */

enum sl_core_state {
    SL_CORE_OPEN = 1,
    SL_CORE_CLOSING, /* a CLOSE command: producers flush first, then links close */
    SL_CORE_CLOSED
};

/* The last wait that was drawn for a retry: at what time, after how many failures, and how long; 0:
 * none was. */
struct sl_core_retry {
    int64_t since;
    int64_t wait;
    uint32_t failures;
};

struct sl_core {
    const struct sl_settings *settings; /* borrowed */
    const struct sl_alloc *alloc;       /* borrowed */
    int64_t now;                        /* monotonic ns of this turn */
    int64_t wall_ms;
    enum sl_core_state state;
    struct sl_list closers; /* ops of CLOSE commands */
    int64_t close_by;       /* the first of their deadlines; kept here, for it needs no memory */
    bool close_is_late;     /* it has passed */
    struct sl_rng rng;
    struct sl_core_retry last_retry;
    struct sl_trace trace;
    struct sl_events events; /* what applications will be told */
    struct sl_list outputs;  /* links with something for the host, and resolves */
    struct sl_buffers buffers;
    struct sl_ops ops;
    struct sl_links links;
    struct sl_errands_unit errands;
    struct sl_login login;
    struct sl_brokers brokers;
    struct sl_calls calls;
    struct sl_metadata metadata;
    struct sl_coordinators coordinators;
    struct sl_stats stats;
    /* producer */
    struct sl_producer_id producer_id;
    struct sl_batcher batcher;
    struct sl_sender sender;
    struct sl_offsets_unit offsets;
    /* consumer */
    struct sl_fetcher fetcher;
    struct sl_membership group;
    struct sl_committer committer;
    struct sl_committed committed;
    struct sl_admin admin;
};

/* The wait before attempt n + 1 when n have failed, in ns: first doubled with each failure up to
 * most, with jitter (KIP-580). Never less than 10 ms: no setting makes a busy loop. */
int64_t sl_core_backoff(struct sl_core *core, int32_t first_ms, int32_t most_ms, uint32_t failures);
/* When a partition may be tried again that failed now, after so many failures before
 * (retry.backoff.ms). Those that fail together wait together, and so make one request again; by
 * chance of their own the partitions of a large topic would come one by one. */
int64_t sl_core_retry_at(struct sl_core *core, uint32_t failures);
/* Puts a notice into the events ring (dropped silently when memory is short). kind: enum
 * sl_notice_kind. level: enum sl_log_level. */
void sl_core_notice(struct sl_core *core, int kind, int level, int code, int32_t broker,
                    const char *format, ...) __attribute__((format(printf, 6, 7)));
/* A log line: a notice of kind SL_NOTICE_LOG. */
void sl_core_log(struct sl_core *core, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
