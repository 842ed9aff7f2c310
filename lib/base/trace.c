/* Trace points: the ring of the last SL_TRACE_RING entries and a hash over all of them.
 *
 * A machine owns one struct sl_trace and adds a point at each turn of its states. The ring is for
 * people, after an abort or on request; the hash is for the simulator, which runs a seed twice
 * and compares. The hash therefore takes in the time, the point and both values of every entry,
 * in order, and depends on nothing else: no addresses, no byte order of the host.
 *
 * Only the owner's thread touches a trace. The pointer that sl_assert_fail prints is kept per
 * thread and is borrowed: its owner detaches it (attaches NULL) before it goes away.
 *
 * Not done here: no levels, no filtering, no output while running. */
#include "base/trace.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"

/* Both arbitrary but for ever: recorded hashes of seeds compare against them. The factor is odd,
 * so that a step is a bijection of the hash so far and no difference is ever lost. */
#define TRACE_HASH_START UINT64_C(0x5ca1ab1e0ddba11d)
#define TRACE_HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct trace_name {
    const char *point;
    const char *a; /* what the first value means */
    const char *b;
};

#define SL_TRACE_NAME(name, a, b) {#name, a, b},
static const struct trace_name trace_names[] = {{"NONE", "a", "b"}, /* a damaged entry in a dump */
                                                SL_TRACE_POINTS(SL_TRACE_NAME)};
#undef SL_TRACE_NAME
_Static_assert(sizeof trace_names / sizeof *trace_names == SL_TRACE_COUNT, "one name per point");

static _Thread_local const struct sl_trace *trace_of_thread;

static uint64_t fold_trace_value(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * TRACE_HASH_FACTOR;
    return hash ^ (hash >> 32);
}

void sl_trace_init(struct sl_trace *t) {
    memset(t, 0, sizeof *t);
    t->hash = TRACE_HASH_START;
}

void sl_trace_add(struct sl_trace *t, enum sl_trace_point point, int64_t now, int64_t a,
                  int64_t b) {
    SL_ASSERT(point > SL_TRACE_NONE && point < SL_TRACE_COUNT);
    struct sl_trace_entry *entry = &t->ring[t->count % SL_TRACE_RING];
    entry->now = now;
    entry->a = a;
    entry->b = b;
    entry->point = (uint32_t)point;
    t->count++;

    uint64_t hash = fold_trace_value(t->hash, (uint64_t)point);
    hash = fold_trace_value(hash, (uint64_t)now);
    hash = fold_trace_value(hash, (uint64_t)a);
    t->hash = fold_trace_value(hash, (uint64_t)b);
}

void sl_trace_print(const struct sl_trace_entry *entry, struct sl_text *out) {
    /* Reached from a failing assertion, where the ring may be damaged as well. */
    const struct trace_name *name =
        &trace_names[entry->point < SL_TRACE_COUNT ? entry->point : SL_TRACE_NONE];
    sl_text_printf(out, "%" PRId64 ".%09" PRId64 " %s %s=%" PRId64 " %s=%" PRId64 "\n",
                   entry->now / 1000000000, entry->now % 1000000000, name->point, name->a, entry->a,
                   name->b, entry->b);
}

void sl_trace_dump(const struct sl_trace *t, struct sl_text *out) {
    uint64_t first = t->count > SL_TRACE_RING ? t->count - SL_TRACE_RING : 0;
    for (uint64_t i = first; i < t->count; i++) sl_trace_print(&t->ring[i % SL_TRACE_RING], out);
}

void sl_trace_attach(const struct sl_trace *t) { trace_of_thread = t; }

const struct sl_trace *sl_trace_attached(void) { return trace_of_thread; }
