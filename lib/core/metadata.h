/* Topics, partitions and leaders, and when to ask for them again. A topic is (name, id); an answer
 * with an older leader epoch is refused unless the id says that the topic was created anew
 * (KIP-320, KIP-516). */
#ifndef SL_CORE_METADATA_H
#define SL_CORE_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "core/calls.h"
#include "core/partition.h"

struct sl_command;
struct sl_partition_index;
struct sl_metadata_response;

enum { SL_PARTITIONS_MAX = 1000000, SL_BROKERS_MAX = 10000 }; /* caps on what a peer may name */

struct sl_topic {
    struct sl_list wait_node; /* in metadata.wanted or metadata.troubled while it is asked for */
    char *name;               /* owned */
    struct sl_str name_str;   /* the same */
    struct sl_uuid id;        /* zero: the broker tells none */
    uint32_t index;           /* in metadata.topics */
    uint32_t generation;      /* counts re-creations: an answer of an older one is dropped */
    int32_t partition_count;  /* 0: unknown */
    int32_t partition_cap; /* of partitions: objects are kept when a re-created topic has fewer */
    int32_t first_count;   /* group: partitions that it was first seen with under the subscription,
                            * -1: not seen yet; those beyond appeared since */
    struct sl_partition **partitions;
    int code;              /* topic-level error of the last answer */
    int64_t unknown_since; /* 0: known */
    int64_t updated_at;    /* of the last answer that spoke of it; 0: none yet */
    int64_t used_at;       /* somebody asked for it then, or was seen to need it */
    bool asked;            /* named in the request under way */
    bool forgotten;        /* out of use: not refreshed until it is used again */
    struct sl_list staged; /* batcher: struct sl_chunk of records that wait for partitions */
    void *batching;        /* batcher: its per-topic state (sticky choice), or NULL */
};
struct sl_metadata {
    struct sl_core *core;
    struct sl_map by_name;
    struct sl_map by_id;      /* those with an id */
    struct sl_topic **topics; /* by index; append-only */
    uint32_t topic_count, topic_cap;
    struct sl_list wanted;   /* topics to ask for in the next request */
    struct sl_list troubled; /* topics to ask for again at trouble_at */
    int64_t trouble_at;
    uint32_t trouble_rounds; /* for the back-off of trouble_at */
    struct sl_call call;
    bool full_wanted;        /* brokers and all topics in use have to be asked for */
    bool full_asked;         /* and the request under way does */
    int64_t full_at;         /* full_wanted becomes true then; SL_NEVER: not armed */
    uint32_t full_rounds;    /* for its back-off */
    int64_t full_updated_at; /* the last answer to such a request; 0: none */
    bool all_asked;          /* that request asks for all topics of the cluster */
    int64_t all_updated_at;  /* the last answer to such a request; 0: none */
    int64_t next_refresh;    /* metadata.max.age.ms after that */
    int64_t outage_since; /* first unanswered attempt of the current outage; 0: none (KIP-1102) */
    char *cluster_id;
    int32_t controller;    /* -1: unknown */
    bool known;            /* an answer has come */
    struct sl_list probes; /* ops: READY and PARTITIONS that wait */
};

void sl_metadata_init(struct sl_metadata *m, struct sl_core *core);
void sl_metadata_deinit(struct sl_metadata *m);
/* Finds or adds a topic in use and asks for it if unknown. NULL: out of memory. */
struct sl_topic *sl_metadata_topic(struct sl_core *core, const char *name);
/* The topic is about to be produced to: it stays in use, or is asked for when it was forgotten. */
void sl_metadata_use(struct sl_core *core, struct sl_topic *topic);
struct sl_topic *sl_metadata_find_id(struct sl_core *core, const struct sl_uuid *id);
/* The topic's id; NULL: it is not known, or the last answer was an error. */
const struct sl_uuid *sl_metadata_id(const struct sl_core *core, const char *name);
/* Gives the topics of an index their ids. 0 or NOMEM, also when one has none (any more). */
int sl_metadata_identify(const struct sl_core *core, struct sl_partition_index *index);
/* Ask again soon: the id that we know of this topic is none. */
void sl_metadata_doubt_id(struct sl_core *core, struct sl_str name);
/* Ask again soon: what we know of this topic was wrong (NULL: of the brokers). Rate-limited by
 * the retry back-off. */
void sl_metadata_refresh(struct sl_core *core, struct sl_topic *topic);
/* Asks at once: something of this topic is needed that was not kept. */
void sl_metadata_ask(struct sl_core *core, struct sl_topic *topic);
/* A leader hint in a Produce or Fetch answer (KIP-951): taken when newer than what is cached and
 * the broker is known (so call sl_metadata_endpoint first). True: taken; then the on_leader
 * functions of sender and fetcher have run as after any change of leader, and a refresh of the
 * topic is on its way. */
bool sl_metadata_hint(struct sl_core *core, struct sl_partition *partition, int32_t leader,
                      int32_t leader_epoch);
/* Broker endpoints in the same answer: adds or moves one. */
void sl_metadata_endpoint(struct sl_core *core, int32_t id, struct sl_str host, int32_t port,
                          struct sl_str rack);
/* No broker takes the credentials: who waits for a connection hears it now. */
void sl_metadata_on_refused(struct sl_core *core);
void sl_metadata_on_command(struct sl_core *core,
                            struct sl_command *command); /* READY, PARTITIONS */
void sl_metadata_run(struct sl_core *core);
int64_t sl_metadata_deadline(const struct sl_core *core);

/* ---- between metadata.c and metadata_update.c ---- */

/* Applies an answer that was asked for in that version. 0, or what makes it no answer at all:
 * MALFORMED, REBOOTSTRAP_REQUIRED, another code of the whole. */
int sl_metadata_apply(struct sl_core *core, const struct sl_metadata_response *answer,
                      int16_t version);
/* A topic that was asked for with all others, and is wanted. NULL: out of memory. */
struct sl_topic *sl_metadata_found(struct sl_core *core, struct sl_str name);
/* The topic has to be asked for again, after the back-off. */
void sl_metadata_trouble(struct sl_core *core, struct sl_topic *topic);
/* The topic's partitions are known (code 0), or it was refused: PARTITIONS ops that wait end. */
void sl_metadata_end_probes(struct sl_core *core, struct sl_topic *topic, int code);

#endif
