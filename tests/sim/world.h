/* The simulated world: a virtual clock, a heap of timers, hosts on which client runtimes live, the
 * links of their sockets, and one broker cluster. One thread, no real time, no real I/O, and every
 * draw comes from one generator, so a seed replays exactly.
 *
 * Who runs when: the world's owner (run.c through workload.c, or a scenario) lets applications act
 * one at a time. When a call of one of them waits, its host's `wait` runs the world from inside
 * (world_step): timers, links, the broker and the runtimes of *other* hosts, but no application.
 * So machines run at any depth, applications only from the top.
 *
 * Whatever breaks a promise is told to world_violate; the first one is kept, and everything
 * unwinds from there on. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include "broker/broker.h"
#include "sim/hits.h"
#include "sim/memory.h"

#define WORLD_MS INT64_C(1000000)
#define WORLD_SECOND INT64_C(1000000000)
#define WORLD_NEVER INT64_MAX

enum { WORLD_NODES_MAX = 5, WORLD_RING = 200, WORLD_PORT = 9000, WORLD_STEPS_MAX = 6000000 };

struct world;
struct host;
struct link;
struct sl_host_errand;
struct sl_host_answer;

/* Something that is due at a time. Embedded; zeroed it is idle. */
struct world_timer {
    struct sl_heap_node node;
    void (*on_due)(struct world *w, struct world_timer *t);
};

/* How the network behaves where no fault is at work. */
struct world_weather {
    int64_t latency_min; /* ns, one way */
    int64_t latency_max;
    int64_t byte_ns;          /* time that each byte takes; 0: none */
    int32_t window;           /* bytes in flight per direction before the sender is stopped */
    int32_t short_percent;    /* of reads and writes that move fewer bytes than they could */
    int32_t spurious_percent; /* of waits that report readiness which is not there */
    int64_t resolve_min;      /* ns until a name is looked up */
    int64_t resolve_max;
    int32_t jobs; /* of core that a host runs at a time, in the background; 0: none */
    int32_t job_least_us;
};

/* What happens to whoever connects to a node, beside the state of the node itself. */
enum world_door { WORLD_DOOR_OPEN = 0, WORLD_DOOR_REFUSE, WORLD_DOOR_HOLE, WORLD_DOOR_SLOW };
enum world_names { WORLD_NAMES_FINE = 0, WORLD_NAMES_FAIL, WORLD_NAMES_HANG, WORLD_NAMES_MANY };

/* A peer that is no broker, listening at 10.0.1.n ("peer-n"): speaks when spoken to. */
struct world_peer {
    /* Bytes arrived; answer with link_say. */
    void (*on_bytes)(struct world_peer *peer, struct link *link, const void *data, size_t size);
    bool refuses;
    void *user;
};

/* Events of the world for the ring and the hash; each has up to three numbers. */
#define WORLD_EVENTS(X)                          \
    X(RUN, "host", "ready", "")                  \
    X(CONNECT, "link", "host", "node")           \
    X(CONNECTED, "link", "host", "code")         \
    X(SENT, "link", "bytes", "hash")             \
    X(GOT, "link", "bytes", "hash")              \
    X(ARRIVED, "link", "bytes", "hash")          \
    X(CLOSED, "link", "by", "")                  \
    X(BREAK, "link", "how", "at")                \
    X(GATE, "link", "direction", "ms")           \
    X(NODE, "node", "state", "")                 \
    X(LEADER, "partition", "node", "told")       \
    X(FAULT, "api", "kind", "code")              \
    X(DOOR, "node", "state", "")                 \
    X(NAMES, "state", "", "")                    \
    X(STALL, "host", "ms", "")                   \
    X(STARVE, "host", "calls", "")               \
    X(HEAL, "", "", "")                          \
    X(APP, "app", "what", "code")                \
    X(REPORT, "app", "outcome", "count")         \
    X(GIVE, "app", "how", "count")               \
    X(POLL, "app", "code", "records")            \
    X(LOGGED, "partition", "offset", "sequence") \
    X(LATE, "producer", "record", "last")        \
    X(EPOCH, "producer", "epoch", "records")     \
    X(READ, "app", "partition", "offset")        \
    X(TRIM, "partition", "offset", "")           \
    X(UNCLEAN, "partition", "offset", "node")    \
    X(TOPIC, "topic", "what", "")                \
    X(JOB, "host", "", "")                       \
    X(ERRAND, "host", "kind", "ns")              \
    X(LAG, "node", "end", "told")                \
    X(PHASE, "phase", "", "")
enum world_event {
#define WORLD_EVENT_ENUM(name, a, b, c) WORLD_##name,
    WORLD_EVENTS(WORLD_EVENT_ENUM)
#undef WORLD_EVENT_ENUM
        WORLD_EVENT_COUNT
};
struct world_entry {
    int64_t at;
    int64_t a, b, c;
    enum world_event event;
};

/* Who looks on. All may be NULL. */
struct world_observer {
    void *user;
    /* Bytes of a client are about to be given to the broker. */
    void (*on_wire)(void *user, struct link *link, const void *data, size_t size);
    /* A link is gone. */
    void (*on_gone)(void *user, struct link *link);
    /* The broker has acted. */
    void (*on_broker)(void *user);
};

struct world {
    struct sl_rng rng;
    int64_t now;
    int64_t start;
    int64_t wall_ms; /* at `start` */
    struct sl_heap timers;
    struct sl_list hosts;
    struct sl_list links;
    struct sl_broker_cluster *broker;
    int32_t node_count;
    struct world_weather weather;
    enum world_door doors[WORLD_NODES_MAX + 1]; /* by node id */
    enum sl_broker_state states[WORLD_NODES_MAX + 1];
    enum world_names names;
    /* Does an errand of core: what comes of it, its bytes from malloc, and after how many ns, or
     * WORLD_NEVER. NULL: nobody does any. */
    int64_t (*on_errand)(struct world *w, const struct sl_host_errand *errand,
                         struct sl_host_answer *answer);
    void *errand_user;
    struct world_peer *peers[4]; /* [n - 1] is peer-n; borrowed */
    struct world_observer observer;
    int32_t last_link;
    int32_t host_count;
    bool broker_due;
    uint64_t steps;
    uint64_t events;
    uint64_t hash;
    int64_t hits[HIT_COUNT];
    bool echoes; /* every event is printed as it happens */
    struct world_entry ring[WORLD_RING];
    char violation[1024]; /* "" while all is well */
};

/* options: of the cluster; topics are the caller's to create. */
int world_create(const struct sl_broker_options *options, uint64_t seed, int64_t start,
                 struct world **out);
/* Hosts are gone already. */
void world_destroy(struct world *w);

/* Remembers the first broken promise. */
void world_violate(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool world_is_broken(const struct world *w);
void world_note(struct world *w, enum world_event event, int64_t a, int64_t b, int64_t c);
/* The ring as lines, with the meaning of the numbers. */
void world_print(const struct world *w);

void world_set_timer(struct world *w, struct world_timer *t, int64_t at);
void world_stop_timer(struct world *w, struct world_timer *t);

/* Runs one thing that is due (not the host `except`, which is the one that waits), or moves the
 * clock to the next one, at most to limit. False: nothing happens until limit, and it is now
 * limit; or the world is broken. */
bool world_step(struct world *w, struct host *except, int64_t limit);
/* Machines alone, until then. */
void world_run_for(struct world *w, int64_t ns);

int64_t world_wall_ms(const struct world *w);
/* Before an input to the broker, and after. */
void world_broker_begin(struct world *w);
void world_broker_end(struct world *w);
void world_set_node(struct world *w, int32_t node, enum sl_broker_state state);
/* "broker-1:9001,…" of the first `count` nodes. */
void world_bootstrap(const struct world *w, int32_t count, char *buf, size_t cap);
/* A mix of bytes to 64 bits, for hashes of traffic and content. */
uint64_t world_hash_bytes(uint64_t hash, const void *data, size_t size);

#endif
