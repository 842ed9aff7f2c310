/* What the files of the test broker share: the machine, its connections, a request under way and
 * its answer, and what handlers may call. Hosts and tests see broker.h alone. */
#ifndef SL_BROKER_MACHINE_H
#define SL_BROKER_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/trace.h"
#include "broker/auth.h"
#include "broker/broker.h"
#include "broker/cluster.h"
#include "broker/faults.h"
#include "broker/group_wait.h"
#include "broker/groups.h"
#include "record/compress.h"
#include "wire/frame.h"

struct sl_bench;
struct sl_exchange;

/* An answer on its way: encoded bytes, and stored batches that belong between them. */
enum { SL_MACHINE_MILLISECOND = 1000000 }; /* in nanoseconds */

struct sl_answer {
    struct sl_list node;       /* in its link's answers */
    struct sl_writer head;     /* all bytes but those of splices */
    struct sl_splice *splices; /* owned */
    size_t splice_count, splice_cap;
    struct sl_log_batch **held; /* owned: batches that are referred to until it is sent */
    size_t held_count, held_cap;
    size_t size, sent;      /* bytes in all, and those gone */
    int64_t due;            /* not before that time; 0: at once */
    int64_t dribble;        /* between two bytes; 0: they go as they can */
    struct sl_arena memory; /* the pieces of splices, and what they point to beside held batches */
};

/* A connection of a client to a node. */
struct sl_machine_link {
    struct sl_broker_cluster *c;
    struct sl_list node;    /* in the machine's links */
    struct sl_list output;  /* in the machine's outputs while the host has to be told */
    struct sl_list answers; /* of struct sl_answer, owned, in order; only the last is delayed */
    struct sl_exchange *waiting; /* owned: the request that waits; NULL: none */
    uint8_t *in;                 /* owned: bytes not handled yet */
    size_t in_size, in_cap;
    uint32_t id;
    int32_t node_id;
    int32_t answer_count;
    int64_t muted_until;  /* throttled: nothing is handled before; 0: it is not */
    bool silent;          /* a fault: nothing is handled any more */
    struct sl_auth *auth; /* owned; NULL: nobody has to log in */
    bool is_leaving;      /* it closes once its answers are gone, the last of which may come late */
    bool wants_close;
    bool abrupt; /* the close is one with a reset */
};

struct sl_broker_cluster {
    const struct sl_alloc *alloc;
    struct sl_broker_options options;
    struct sl_rng rng;
    struct sl_trace trace;
    struct sl_cluster cluster;
    struct sl_faults faults;
    struct sl_groups groups;
    struct sl_auth_settings auth;
    struct sl_compress *codecs; /* owned */
    int64_t now, wall_ms;       /* nanoseconds and Unix milliseconds, of the last on_time */
    struct sl_list links;       /* of struct sl_machine_link, owned */
    struct sl_map by_id;        /* the same, by id */
    struct sl_list outputs;     /* links that the host has to be told of */
    struct sl_list waiting;     /* of struct sl_exchange: requests that wait */
    uint64_t seen_changes;      /* cluster.changes when those were last looked at */
    uint32_t last_link;
    int64_t last_producer_id;
    int64_t seen[SL_API_KEY_LIMIT]; /* requests by API */
    int64_t written_records;        /* by Produce, since the start */
    int64_t written_bytes;          /* of their batches */
    char cluster_id[64];
    char complaint[200];
    struct sl_bench *bench; /* owned; NULL: not in bench mode */
};

/* A request under way. */
struct sl_exchange {
    struct sl_list node; /* in the machine's waiting */
    struct sl_broker_cluster *c;
    struct sl_machine_link *link;
    struct sl_cluster_node *self; /* the node that was asked */
    const struct sl_api *api;
    struct sl_request_header header;
    struct sl_arena arena; /* request, response and what they point to */
    void *request;
    void *response;
    struct sl_answer *answer; /* owned until it is sent */
    struct sl_fault fault;    /* kind 0: none hit it */
    int32_t fault_id;
    int64_t until;             /* how long it may wait */
    int32_t session_id;        /* of a Fetch; 0: no session */
    bool begun;                /* it has been carried out and may wait for its answer */
    bool full;                 /* a Fetch whose answer lists every partition of the session */
    struct sl_group_wait wait; /* of a JoinGroup or SyncGroup */
};

/* What a handler decided. */
enum sl_handled {
    SL_HANDLED,         /* the response is filled */
    SL_HANDLED_NOTHING, /* there is no answer: acks 0 */
    SL_HANDLED_LATER,   /* it waits for data or its group, or until x->until */
    SL_HANDLED_CLOSE    /* the connection ends */
};
typedef enum sl_handled (*sl_handler_fn)(struct sl_exchange *x);

enum sl_handled sl_handle_produce(struct sl_exchange *x);
enum sl_handled sl_handle_fetch(struct sl_exchange *x);
enum sl_handled sl_handle_list_offsets(struct sl_exchange *x);
enum sl_handled sl_handle_metadata(struct sl_exchange *x);
enum sl_handled sl_handle_offset_commit(struct sl_exchange *x);
enum sl_handled sl_handle_offset_fetch(struct sl_exchange *x);
enum sl_handled sl_handle_find_coordinator(struct sl_exchange *x);
enum sl_handled sl_handle_join_group(struct sl_exchange *x);
enum sl_handled sl_handle_heartbeat(struct sl_exchange *x);
enum sl_handled sl_handle_leave_group(struct sl_exchange *x);
enum sl_handled sl_handle_sync_group(struct sl_exchange *x);
enum sl_handled sl_handle_describe_groups(struct sl_exchange *x);
enum sl_handled sl_handle_list_groups(struct sl_exchange *x);
enum sl_handled sl_handle_sasl_handshake(struct sl_exchange *x);
enum sl_handled sl_handle_api_versions(struct sl_exchange *x);
enum sl_handled sl_handle_create_topics(struct sl_exchange *x);
enum sl_handled sl_handle_delete_topics(struct sl_exchange *x);
enum sl_handled sl_handle_init_producer_id(struct sl_exchange *x);
enum sl_handled sl_handle_offset_for_leader_epoch(struct sl_exchange *x);
enum sl_handled sl_handle_sasl_authenticate(struct sl_exchange *x);
enum sl_handled sl_handle_delete_groups(struct sl_exchange *x);
enum sl_handled sl_handle_offset_delete(struct sl_exchange *x);
enum sl_handled sl_handle_consumer_group_heartbeat(struct sl_exchange *x);
enum sl_handled sl_handle_consumer_group_describe(struct sl_exchange *x);

/* ---- for handlers ---- */

/* Whether there is a handler: what has none is not told of and not served. */
bool sl_machine_serves(int16_t key);

/* Remembers what strict validation found. */
void sl_machine_complain(struct sl_broker_cluster *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The code that a fault forces on this topic and partition, 0: none; *execute: carry it out. */
int sl_machine_forced(const struct sl_exchange *x, struct sl_str topic, int32_t partition,
                      bool *execute);
/* The topic of a name, or of an id; NULL with *code when there is none. */
struct sl_cluster_topic *sl_machine_topic(const struct sl_exchange *x, bool by_id,
                                          struct sl_str name, const struct sl_uuid *id, int *code);
/* Whether this node may answer for a group: 0, 24 INVALID_GROUP_ID, 16, 14. */
int sl_machine_judge_group(const struct sl_exchange *x, struct sl_str id, bool may_be_empty);
/* The exchange is begun; its group may answer it later, and nothing else ends its waiting. */
void sl_machine_begin_wait(struct sl_exchange *x);
/* Deletes a topic, and what groups have committed for it. */
void sl_machine_delete_topic(struct sl_broker_cluster *c, struct sl_cluster_topic *topic);
/* An array of count zeroed items in the arena. False: out of memory. */
bool sl_machine_array(struct sl_exchange *x, struct sl_array *out, int32_t count, size_t size);
/* Where the living nodes listen, for leader hints. False: out of memory. */
bool sl_machine_endpoints(struct sl_exchange *x, struct sl_array *out);
/* Keeps a batch until the answer is sent. False: out of memory. */
bool sl_machine_hold(struct sl_exchange *x, struct sl_log_batch *batch);

/* ---- between links.c and machine.c ---- */

void sl_links_close(struct sl_machine_link *link, bool abrupt);
void sl_links_destroy(struct sl_machine_link *link);
/* Handles the requests that are whole. */
void sl_links_process(struct sl_machine_link *link);
struct sl_answer *sl_links_answer_create(const struct sl_alloc *alloc);
void sl_links_answer_destroy(const struct sl_alloc *alloc, struct sl_answer *answer);
/* Puts an encoded answer behind the others; takes it. */
void sl_links_put_answer(struct sl_machine_link *link, struct sl_answer *answer);
/* The answer that is held back by a fault, NULL: none. Nothing is handled meanwhile. */
struct sl_answer *sl_links_delayed(const struct sl_machine_link *link);
void sl_machine_request(struct sl_machine_link *link, const uint8_t *frame, size_t size);
/* Looks again at one that waits. */
void sl_machine_resume(struct sl_exchange *x);
void sl_machine_drop(struct sl_exchange *x);
void sl_links_want_output(struct sl_machine_link *link);

/* ---- faults and the bench mode ---- */

/* Whether a request (struct sl_exchange) has to do with the topic and partition of a fault. */
bool sl_touches_fault(const void *exchange, const struct sl_fault *fault);
/* Flips a bit in a batch of a Fetch answer before it is encoded; false: it has none. */
bool sl_damage_records(struct sl_exchange *x);
/* Takes the end of an encoded answer away; false: it is too short. */
bool sl_damage_end(struct sl_exchange *x);
/* Makes an encoded answer do what its enum sl_fault_harm says; false: it has no such place. */
bool sl_damage_harm(struct sl_exchange *x);

/* Makes a response wrong; false: it has no array to lie about. */
bool sl_lies_tell(struct sl_exchange *x, const struct sl_type *type, void *message);
int sl_bench_create(const struct sl_broker_options *options, const struct sl_alloc *alloc,
                    struct sl_compress *codecs, struct sl_bench **out);
void sl_bench_destroy(struct sl_bench *bench);
/* The offset behind the last that is served. */
int64_t sl_bench_end(const struct sl_broker_cluster *c, const struct sl_cluster_partition *p);
/* Batches from offset on, up to max_bytes but at least one. False: out of memory. */
bool sl_bench_fetch(struct sl_exchange *x, int64_t offset, int32_t leader_epoch, int32_t max_bytes,
                    struct sl_records *out);

#endif
