/* What runs.c needs of a library: ours.c does it with sluice, peer.c with librdkafka. Each prints
 * a message and ends the process when the library refuses something. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "bench.h"

struct bench_client;

const char *client_version(void);

/* The data stays the caller's and must outlive the client. */
struct bench_client *client_open_producer(const struct bench_setup *setup,
                                          const struct bench_data *data,
                                          struct bench_reports *reports);
/* Sends so many records of a sender; waits for room where it has to. Any thread. */
void client_send(struct bench_client *client, struct bench_sender *sender, uint32_t count);
/* One record, without waiting. False: there is no room. */
bool client_try(struct bench_client *client, struct bench_sender *sender);
/* Reads the reports that are there, waiting for the first. One thread at a time. */
void client_read_reports(struct bench_client *client, int32_t wait_ms);
/* Ends linger, then reads reports until so many have come in all. */
void client_finish(struct bench_client *client, uint64_t reports);

/* Assigns all partitions of the case's topic from their beginning, of an idle case their end; of
 * BENCH_IDLE_GROUP it joins a group that reads the topic. */
struct bench_client *client_open_consumer(const struct bench_setup *setup);
/* At least one call that reads, and then until so much time has passed. */
void client_consume(struct bench_client *client, enum bench_kind kind, struct bench_tally *tally,
                    double seconds);
void client_pause(struct bench_client *client);

void client_close(struct bench_client *client);

#endif
