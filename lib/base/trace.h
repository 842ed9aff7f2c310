/* Trace points: one list of names, a ring of the last entries per machine for dumps, and a
 * running hash, by which the simulator proves that a seed replays exactly. A point costs a few
 * stores; points exist per connection, request and batch, never per record. */
#ifndef SL_BASE_TRACE_H
#define SL_BASE_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* X(name, what a and b mean). Add points at the end of their group. */
#define SL_TRACE_POINTS(X)                  \
    X(LINK_STATE, "link", "state")          \
    X(LINK_ERROR, "link", "code")           \
    X(REQUEST_SENT, "api", "correlation")   \
    X(RESPONSE, "api", "correlation")       \
    X(METADATA, "brokers", "topics")        \
    X(LEADER, "partition", "broker")        \
    X(BATCH_SEALED, "partition", "records") \
    X(BATCH_SENT, "partition", "sequence")  \
    X(BATCH_RETRY, "partition", "code")     \
    X(BATCH_DONE, "partition", "outcome")   \
    X(BATCH_SPLIT, "partition", "records")  \
    X(PRODUCER_ID, "id", "epoch")           \
    X(FETCH_SENT, "broker", "partitions")   \
    X(FETCHED, "partition", "offset")       \
    X(FETCH_ERROR, "partition", "code")     \
    X(POSITION, "partition", "offset")      \
    X(GROUP, "state", "epoch")              \
    X(COMMAND, "kind", "id")                \
    X(OP_END, "id", "code")                 \
    X(CLOSING, "state", "left")             \
    X(BROKER_REQUEST, "api", "version")     \
    X(BROKER_APPEND, "partition", "offset") \
    X(BROKER_FAULT, "api", "kind")          \
    X(SIM, "kind", "value")

enum sl_trace_point {
    SL_TRACE_NONE = 0,
#define SL_TRACE_ENUM(name, a, b) SL_TRACE_##name,
    SL_TRACE_POINTS(SL_TRACE_ENUM)
#undef SL_TRACE_ENUM
        SL_TRACE_COUNT
};

enum { SL_TRACE_RING = 256 };

struct sl_trace_entry {
    int64_t now;
    int64_t a;
    int64_t b;
    uint32_t point;
};
struct sl_trace {
    struct sl_trace_entry ring[SL_TRACE_RING];
    uint64_t count; /* points ever */
    uint64_t hash;  /* over all points ever */
};

void sl_trace_init(struct sl_trace *t);
void sl_trace_add(struct sl_trace *t, enum sl_trace_point point, int64_t now, int64_t a, int64_t b);
/* One entry as a line: seconds, point, both values with their meaning. */
void sl_trace_print(const struct sl_trace_entry *entry, struct sl_text *out);
/* The ring as lines, oldest first. */
void sl_trace_dump(const struct sl_trace *t, struct sl_text *out);
/* The trace that sl_assert_fail prints for this thread; NULL: none. */
void sl_trace_attach(const struct sl_trace *t);
const struct sl_trace *sl_trace_attached(void);

#endif
