/* The test broker as a machine without I/O: a cluster of several nodes in one object, what a host
 * (driver/host.c on real ports, the simulator on virtual links) sees of it. It shares base, record
 * and wire with the client core and nothing else, so that one bug cannot cancel itself out.
 *
 * Inputs are calls, outputs a queue; time is an argument; it never opens a socket or reads a
 * clock. Requests of one connection are handled one at a time and answered in order, as Kafka
 * does. Topics have ids, partitions have leaders and epochs, logs keep batches as they came. */
#ifndef SL_BROKER_BROKER_H
#define SL_BROKER_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/text.h"

struct sl_broker_cluster;

enum sl_broker_state { SL_BROKER_UP = 1, SL_BROKER_DOWN, SL_BROKER_FROZEN };

struct sl_broker_options {
    int32_t nodes;              /* ids 1 … nodes */
    int32_t default_partitions; /* of auto-created topics */
    bool auto_create;
    bool bench; /* Produce answered from batch headers, Fetch serves one prebuilt log in a loop */
    int32_t
        bench_partitions; /* of each topic so many have that log, the others are empty; 0: all */
    int32_t bench_record_size; /* bytes of a value in that log */
    bool bench_json;           /* the values are varied JSON of about that size, not filler */
    int32_t bench_codec;       /* enum sl_codec of that log */
    int32_t bench_level;       /* SL_COMPRESS_LEVEL_DEFAULT, or the codec's */
    int32_t max_frame;         /* a longer request closes the connection */
    int32_t message_max;       /* message.max.bytes of every topic */
    int32_t session_slots;     /* fetch sessions kept per node; 0: refuse them */
    int64_t memory_max;        /* bytes of all logs; beyond it the oldest batches go. 0: no limit */
    const char *cluster_id;
};
void sl_broker_options_init(struct sl_broker_options *o);

/* seed: topic ids, session ids, shuffles. */
int sl_broker_create(const struct sl_broker_options *options, const struct sl_alloc *alloc,
                     uint64_t seed, struct sl_broker_cluster **out);
void sl_broker_destroy(struct sl_broker_cluster *c);

/* ---- the host's side ---- */

/* Where clients reach a node: goes into Metadata answers. Copied. */
int sl_broker_advertise(struct sl_broker_cluster *c, int32_t node, const char *host, uint16_t port);
void sl_broker_on_time(struct sl_broker_cluster *c, int64_t now, int64_t wall_ms);
/* A connection to a node; *link names it from then on (never reused). NOMEM, or UNREACHABLE when
 * the node is down, which the host need not know yet: the host resets it. */
int sl_broker_on_accepted(struct sl_broker_cluster *c, int32_t node, uint32_t *link);
/* Bytes from a client; copied into the link's frame. */
void sl_broker_on_received(struct sl_broker_cluster *c, uint32_t link, const void *data,
                           size_t size);
/* In place of on_received: where the next bytes belong, then how many came. NULL when the memory
 * is missing or the link is gone: a CLOSE is among the outputs then, if the host does not know. */
uint8_t *sl_broker_receive_room(struct sl_broker_cluster *c, uint32_t link, size_t *size);
void sl_broker_on_filled(struct sl_broker_cluster *c, uint32_t link, size_t size);
void sl_broker_on_closed(struct sl_broker_cluster *c, uint32_t link);
size_t sl_broker_send_pieces(struct sl_broker_cluster *c, uint32_t link, struct sl_iov *pieces,
                             size_t cap);
void sl_broker_on_sent(struct sl_broker_cluster *c, uint32_t link, size_t size);
/* Answers what is due: long polls, delays, throttles. */
void sl_broker_run(struct sl_broker_cluster *c);
int64_t sl_broker_deadline(const struct sl_broker_cluster *c);

enum sl_broker_output_kind {
    SL_BROKER_SEND = 1, /* the link has bytes to write */
    SL_BROKER_CLOSE,    /* close it; there is no answer. abrupt: with a reset */
    SL_BROKER_STATE     /* the node's state changed: up (listen), down (refuse), frozen (accept,
                           say nothing) */
};
struct sl_broker_output {
    enum sl_broker_output_kind kind;
    uint32_t link;
    bool abrupt;
    int32_t node;
    enum sl_broker_state state;
};
bool sl_broker_next_output(struct sl_broker_cluster *c, struct sl_broker_output *out);

/* ---- the test's side ---- */

int sl_broker_create_topic(struct sl_broker_cluster *c, const char *name, int32_t partitions,
                           int32_t replicas);
int sl_broker_delete_topic(struct sl_broker_cluster *c, const char *name);
/* Adds partitions to a topic until there are so many. 0, NOMEM, 3 UNKNOWN_TOPIC_OR_PARTITION, or 37
 * INVALID_PARTITIONS when there would not be more than before. */
int sl_broker_grow_topic(struct sl_broker_cluster *c, const char *name, int32_t partitions);
/* Version cap of one API on one node (0: all): "pretend to be release N" is built of these.
 * max -1: the node does not know the API. */
int sl_broker_cap_version(struct sl_broker_cluster *c, int32_t node, int16_t api, int16_t max);
int sl_broker_cap_release(struct sl_broker_cluster *c, const char *release); /* "2.1" … "4.2" */
int sl_broker_cap_node_release(struct sl_broker_cluster *c, int32_t node, const char *release);
/* Changes a setting while the cluster runs: "auto.create.topics.enable", "num.partitions",
 * "message.max.bytes", "fetch.session.slots"; of racks "broker.rack" ("a,b,…": of the nodes in
 * turn), "replica.selector.class" ("", or Kafka's name of the one that goes by racks) and
 * "replica.lag.time.max.ms" (for so long leaders name a follower that is away); of groups "group.initial.rebalance.delay.ms" (100),
 * "group.min.session.timeout.ms", "group.max.session.timeout.ms", "group.max.size",
 * "group.consumer.session.timeout.ms", "group.consumer.heartbeat.interval.ms",
 * of logging in "sasl.enabled.mechanisms" ("PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER": some of
 * them; "": nobody has to), for connections from then on, "sasl.user" ("name=password" adds, "name="
 * removes), "connections.max.reauth.ms", "connection.failed.authentication.delay.ms",
 * "sasl.scram.iterations", and "sasl.lie" (auth.c; "": none);
 * "group.coordinator.rebalance.protocols" ("classic,consumer" or "classic"), "offset.metadata.max.bytes", and "group.coordinator.load.ms" (how long a node that became a
 * coordinator answers 14). 0 or SLUICE_ERR_CONFIG. */
int sl_broker_set(struct sl_broker_cluster *c, const char *name, const char *value);
/* Changes a setting of a topic, until it is deleted: "cleanup.policy" is "delete" or "compact", which
 * here means that records without a key are refused, each by name (KIP-467); nothing is compacted.
 * 0, SLUICE_ERR_CONFIG, or Kafka's code when there is no such topic. */
int sl_broker_set_topic(struct sl_broker_cluster *c, const char *topic, const char *name,
                        const char *value);
void sl_broker_set_state(struct sl_broker_cluster *c, int32_t node, enum sl_broker_state state);
/* How far a node is behind with the partitions that it follows, in records. */
struct sl_broker_lag {
    int32_t end;   /* its logs end so many before their leaders' */
    int32_t told;  /* so many of what they have are beyond the high watermark that it was told */
    int32_t start; /* its logs begin so many after their leaders' */
};
void sl_broker_set_lag(struct sl_broker_cluster *c, int32_t node, const struct sl_broker_lag *lag);
/* Moves a leader; bumps the leader epoch. tell: Metadata of all nodes knows at once; otherwise
 * the old leader goes on believing until it is asked, or down. */
int sl_broker_move_leader(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                          int32_t node, bool tell);
/* An unclean election: makes a replica lead that had nothing from that offset on, so the batch that holds
 * it and all behind are gone. 0, Kafka's code when there is no such partition or node, or 1
 * OFFSET_OUT_OF_RANGE. */
int sl_broker_elect_unclean(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                            int32_t node, int64_t offset, bool tell);
/* Makes a node the coordinator of a group or transactional id, until it goes down. */
int sl_broker_move_coordinator(struct sl_broker_cluster *c, const char *key, int32_t node);
/* The members of a group have to rejoin: 0, or Kafka's 69 without the group, 25 without members. */
int sl_broker_rebalance(struct sl_broker_cluster *c, const char *group);

/* What goes wrong with matching requests. */
enum sl_fault_kind {
    SL_FAULT_ERROR = 1,  /* answer with code; not executed unless `executed` */
    SL_FAULT_DELAY,      /* answer delay_ms later */
    SL_FAULT_CUT_BEFORE, /* close without executing */
    SL_FAULT_CUT_AFTER,  /* execute, then close without an answer */
    SL_FAULT_SILENT,     /* execute, never answer, neither this one nor what follows it */
    SL_FAULT_CORRUPT,    /* answer with a damaged record batch (Fetch) or a truncated body */
    SL_FAULT_HOSTILE,    /* answer so that it does harm: see enum sl_fault_harm */
    SL_FAULT_LIE,        /* omit, duplicate, shuffle or invent entries of the answer's arrays */
    SL_FAULT_THROTTLE /* answer at once, and read nothing more for delay_ms, as it says (KIP-219) */
};
/* Which harm; the code of a SL_FAULT_HOSTILE. */
enum sl_fault_harm {
    SL_FAULT_HARM_FRAME = 1, /* a length of two gigabytes, and no more than the answer behind it */
    SL_FAULT_HARM_COUNT,     /* an array that promises two thousand million entries */
    SL_FAULT_HARM_DRIBBLE    /* a byte every delay_ms */
};
/* Which lie; the code of a SL_FAULT_LIE. */
enum sl_fault_lie {
    SL_FAULT_LIE_ANY = 0, /* drawn each time */
    SL_FAULT_LIE_OMIT,
    SL_FAULT_LIE_DUPLICATE,
    SL_FAULT_LIE_SHUFFLE,
    SL_FAULT_LIE_INVENT
};
struct sl_fault {
    enum sl_fault_kind kind;
    int16_t api;       /* -1: any */
    int32_t node;      /* 0: any */
    char topic[250];   /* "": any */
    int32_t partition; /* -1: any */
    int code; /* ERROR: Kafka's, not 0; HOSTILE: enum sl_fault_harm; LIE: enum sl_fault_lie */
    int32_t delay_ms;
    int32_t skip;  /* matching requests to leave alone first */
    int32_t times; /* then that many are hit; -1: until healed */
    bool executed; /* ERROR: the request is carried out all the same */
};
/* *id names the fault for heal. 0, NOMEM, or USAGE: there is no such fault. */
int sl_broker_fault(struct sl_broker_cluster *c, const struct sl_fault *fault, int32_t *id);
void sl_broker_heal(struct sl_broker_cluster *c, int32_t id); /* 0: all */

/* Requests of an API that were handled since the start, by all nodes; api -1: all. */
int64_t sl_broker_seen(const struct sl_broker_cluster *c, int16_t api);
/* Connections that were ended because a request came after the end of their session. */
int64_t sl_broker_expired_sessions(const struct sl_broker_cluster *c);
/* What Produce requests added to all logs since the start, duplicates not, kept or not. */
void sl_broker_written(const struct sl_broker_cluster *c, int64_t *records, int64_t *bytes);

/* ---- the truth, for oracles and tests ---- */

struct sl_broker_log_view {
    int64_t log_start;
    int64_t log_end;
    int64_t high_watermark;
    int32_t leader;
    int32_t leader_epoch;
    int32_t batch_count;
};
int sl_broker_log(const struct sl_broker_cluster *c, const char *topic, int32_t partition,
                  struct sl_broker_log_view *out);
/* The stored batch that holds `offset` or the next one after: bytes as a Fetch would serve them,
 * valid until the next input. 0, or SLUICE_ERR_NO_OFFSET at the end. */
int sl_broker_log_batch(const struct sl_broker_cluster *c, const char *topic, int32_t partition,
                        int64_t offset, const uint8_t **data, size_t *size);
/* Appends a batch as a leader would (base offset and leader epoch are set). */
int sl_broker_log_append(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                         const void *batch, size_t size, int64_t *base_offset);
/* Ends the transaction that this producer has open there, as a coordinator's marker does. */
int sl_broker_end_transaction(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                              int64_t producer_id, int16_t producer_epoch, bool is_committed);
/* Moves the log start (retention, DeleteRecords). */
int sl_broker_log_trim(struct sl_broker_cluster *c, const char *topic, int32_t partition,
                       int64_t log_start);
/* What a group has committed of a partition; -1: nothing. */
int64_t sl_broker_committed(const struct sl_broker_cluster *c, const char *group, const char *topic,
                            int32_t partition);
/* The last thing that strict validation found wrong, naming the field; "" when nothing. Some of it
 * a real broker would let pass, and then so does this one. */
const char *sl_broker_complaint(const struct sl_broker_cluster *c);
void sl_broker_dump(const struct sl_broker_cluster *c, struct sl_text *out);
/* Every invariant of the machine; asserts. */
void sl_broker_check(const struct sl_broker_cluster *c);
uint64_t sl_broker_trace_hash(const struct sl_broker_cluster *c);

#endif
