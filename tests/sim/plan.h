/* The plan of one seed, drawn before anything runs: first which faults exist at all and how often
 * they come (swarm testing: a seed with all of them at once finds less than many seeds with some),
 * then the cluster, the network, the clients' settings and their programs. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/content.h"
#include "sim/world.h"

/* Kinds of fault; what each does is in chaos.c. */
#define PLAN_FAULTS(X)                                                       \
    X(RESET, "connections are reset")                                        \
    X(STALL, "a direction of a connection stands still, and goes on later")  \
    X(HOLE, "a direction of a connection swallows everything for good")      \
    X(DRIBBLE, "a connection moves byte by byte")                            \
    X(CUT, "a connection ends at some byte")                                 \
    X(HALF, "the broker half-closes a connection")                           \
    X(DOOR, "a node refuses, swallows or slowly accepts connections")        \
    X(DOWN, "a node is down for a while")                                    \
    X(FROZEN, "a node is frozen for a while")                                \
    X(LEADER, "leaders move, and everybody is told")                         \
    X(QUIET_LEADER, "leaders move, and the old one is not told")             \
    X(ERROR, "requests are answered with an error, and not executed")        \
    X(EXECUTED, "requests are answered with a doubtful error, and executed") \
    X(SILENT, "requests are executed and never answered")                    \
    X(BEFORE, "the connection is cut before a request is executed")          \
    X(AFTER, "the connection is cut after a request was executed")           \
    X(DELAY, "answers come late")                                            \
    X(CORRUPT, "answers are damaged")                                        \
    X(LIE, "answers omit, repeat, shuffle or invent entries")                \
    X(MEMORY, "allocations of clients fail")                                 \
    X(NAMES, "names cannot be looked up, or have addresses where nobody is") \
    X(PAUSE, "a client's thread stands still")                               \
    X(TRIM, "the start of a log moves")                                      \
    X(TOPIC, "topics are deleted and made again")                            \
    X(WALL, "the wall clock jumps")                                          \
    X(THROTTLE, "brokers tell clients to wait")                              \
    X(LAG, "a node lags behind with what it follows")                        \
    X(UNCLEAN, "replicas that lag behind are elected, and logs are cut")     \
    X(HOSTILE, "answers promise gigabytes, or come byte by byte")
enum plan_fault {
#define PLAN_FAULT_ENUM(name, text) PLAN_##name,
    PLAN_FAULTS(PLAN_FAULT_ENUM)
#undef PLAN_FAULT_ENUM
        PLAN_FAULT_COUNT
};

enum { PLAN_TOPICS = 3, PLAN_PRODUCERS = 3, PLAN_CONSUMERS = 3, PLAN_MEMBERS = 6 };

struct plan_producer {
    struct content_profile profile;
    int32_t acks;
    bool idempotent;
    int32_t in_flight;
    int32_t linger_ms;
    int32_t batch_size;
    int32_t buffer_memory;
    int32_t request_max;
    int32_t delivery_timeout_ms;
    int32_t retries;
    const char *codec;
    const char *reports;
    const char *partitioner;
    int32_t availability_timeout_ms;
    int32_t idle_ms;  /* metadata.max.idle.ms */
    int32_t records;  /* about so many in all */
    int32_t burst;    /* at most so many a step */
    int32_t pace_ms;  /* between steps */
    int32_t borrows;  /* percent of records whose value is borrowed */
    bool shares_host; /* with the producer before it */
    int32_t topic;    /* of all its records; -1: of each another */
};
struct plan_consumer {
    const char *rack; /* "": none */
    const char *reset;
    int32_t max_bytes;
    int32_t partition_bytes;
    int32_t wait_ms;
    int32_t min_bytes;
    int32_t memory;
    int32_t pace_ms;
    int32_t seeks;  /* percent of steps that seek, … */
    int32_t pauses; /* … that pause or resume */
    int32_t holds;  /* … that keep the batch for the next step */
    bool one_partition;
    bool ends;
    bool shares_host; /* with the first producer */
    bool in_group;    /* of its own; partitions are assigned by hand all the same */
    bool auto_commit;
    int32_t commit_ms; /* auto.commit.interval.ms */
    int32_t commits;   /* percent of steps that commit */
};
/* One group whose members share the partitions of the first topics. */
struct plan_crew {
    int32_t members; /* 0: there is no such group */
    const char *rack[PLAN_MEMBERS];
    int32_t topics;
    const char *protocol;
    bool is_mixed; /* every other member is of KIP-848, the others of the classic protocol */
    const char *strategy[PLAN_MEMBERS]; /* all have one in common */
    bool is_static;
    bool is_told; /* rebalance.notices */
    bool auto_commit;
    int32_t commit_ms;
    int32_t commits; /* percent of steps that commit, … */
    int32_t holds;   /* … that keep the batch for later */
    int32_t leaves;  /* per mille of steps in which a member goes, to come back … */
    int32_t rests;   /* … or does not poll for longer than it may */
    int32_t session_ms;
    int32_t poll_ms; /* max.poll.interval.ms */
    int32_t hold_ms;
    int32_t delay_ms; /* the broker's, before the first rebalance */
    int32_t pace_ms;
};
struct plan_tokens {
    bool by_file;
    int32_t life_s;
    int32_t delay_ms; /* of the provider, at most */
    int32_t changes;  /* of 100 fetches that find it in another mood */
};
struct plan {
    uint64_t seed;
    int64_t start;
    int64_t duration;               /* ns of the phase with faults */
    int64_t mean[PLAN_FAULT_COUNT]; /* ns between faults of a kind; 0: there are none */
    struct world_weather weather;
    int32_t nodes;
    const char
        *racks; /* of the nodes in turn, with leaders that go by them; NULL: there are none */
    const char *login;         /* the mechanism that everybody logs in by; NULL: nobody has to */
    int32_t login_ms;          /* how long a session is good; 0: without end */
    struct plan_tokens tokens; /* where login is OAUTHBEARER */
    int32_t topics;
    int32_t partitions[PLAN_TOPICS];
    bool is_compacted[PLAN_TOPICS]; /* takes no record without a key */
    bool auto_create;
    int32_t session_slots;
    int32_t message_max;
    const char *release; /* NULL: the newest */
    int32_t bootstrap_count;
    bool bad_bootstrap; /* names that do not exist and hosts that are dead come first */
    int32_t producers;
    int32_t consumers;
    struct plan_producer producer[PLAN_PRODUCERS];
    struct plan_consumer consumer[PLAN_CONSUMERS];
    struct plan_crew crew;
    /* all clients */
    int32_t request_timeout_ms;
    int32_t retry_backoff_ms;
    int32_t reconnect_backoff_ms;
    int32_t setup_timeout_ms;
    int32_t idle_ms;
    int32_t max_age_ms;
    int32_t restarts; /* percent of steps in which an application starts over */
};

void plan_draw(struct plan *plan, uint64_t seed);
void plan_print(const struct plan *plan, FILE *out);
/* The longest timeout of the plan, ns. */
int64_t plan_longest(const struct plan *plan);
/* heartbeat.interval.ms of members. */
int32_t plan_heartbeat_ms(const struct plan_crew *crew);
bool plan_has_faults(const struct plan *plan);

#endif
