/* Hand-written stories on the simulated world (tests/scenario): a cluster, one host, a producer or
 * a consumer or both, and a test that makes things happen one after the other. The truth is kept
 * as in a simulation: what the producers were told must be so in the end. */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/host.h"
#include "sim/link.h"
#include "sim/tap.h"
#include "sim/truth.h"
#include "sim/world.h"
#include "sluice/sluice.h"

enum { STORY_CLIENTS = 6 };

struct story_client {
    sluice_client *client;
    int32_t truth; /* of a producer; -1: none */
};
struct story {
    struct world *world;
    struct host *host;
    struct truth truth;
    struct tap tap;
    struct story_client clients[STORY_CLIENTS];
    int32_t client_count;
    int64_t reports; /* records that were reported */
};

/* nodes, one topic "t" with so many partitions. seed 0: 1. */
void story_begin(struct story *s, int32_t nodes, int32_t partitions);
/* The same with other options (nodes of options counts). */
void story_begin_with(struct story *s, const struct sl_broker_options *options, int32_t partitions);
/* Takes everything down; what was promised must be true. Returns what was broken, "" when
 * nothing. The text lives until the next story begins. */
const char *story_end(struct story *s);

/* Opens a client on the host: bootstrap.servers names all nodes, log.to none, delivery.reports all
 * for producers; settings {"name", "value", …, NULL} come after that. NULL when it fails. */
sluice_client *story_open(struct story *s, int32_t role, const char *const *settings);
/* Frees it before the story's end. */
void story_free(struct story *s, sluice_client *client);

/* Sends a record of the producer to "t"; partition -1: the key-less way. What send said. */
int story_send(struct story *s, sluice_client *producer, int32_t partition, int32_t timeout_ms);
/* The same with a value of that many bytes at least. */
int story_send_large(struct story *s, sluice_client *producer, int32_t partition, int32_t size,
                     int32_t timeout_ms);
/* The same, and the value is borrowed until its report. */
int story_send_borrowed(struct story *s, sluice_client *producer, int32_t partition, int32_t size,
                        int32_t timeout_ms);
/* Reads reports for up to so long, until `count` records were reported in all. False: they were
 * not. */
bool story_await_reports(struct story *s, sluice_client *producer, int64_t count,
                         int32_t timeout_ms);
/* Of the producer's records: how many have this outcome. */
int64_t story_outcomes(const struct story *s, const sluice_client *producer, int outcome);
/* How many records are in partition p of "t". */
int64_t story_log_end(const struct story *s, int32_t partition);

/* Assigns one partition of "t" from there. */
int story_assign(struct story *s, sluice_client *consumer, int32_t partition, int64_t offset);
int story_seek(struct story *s, sluice_client *consumer, int32_t partition, int64_t offset);
/* Polls until `count` records were read, an error came, or so long has passed; every record is
 * compared with the log, and offsets must follow each other from *next on. What poll said. */
int story_read(struct story *s, sluice_client *consumer, int64_t *next, int64_t count,
               int32_t timeout_ms);

/* How many partitions it has; -1: it cannot say. */
int story_owned(sluice_client *consumer);

void story_fault(struct story *s, const struct sl_fault *fault);
void story_move_leader(struct story *s, int32_t partition, int32_t node, bool tell);
/* An unclean election: the node leads, without the batch that holds that offset and all behind. */
void story_elect_unclean(struct story *s, int32_t partition, int32_t node, int64_t offset);
/* Deletes "t", and makes it again on one node a while later; it is not made by itself meanwhile. */
void story_make_topic_again(struct story *s, int32_t partitions);
/* All driven machines, for so long. */
void story_run(struct story *s, int64_t ms);
int64_t story_now_ms(const struct story *s);

#endif
