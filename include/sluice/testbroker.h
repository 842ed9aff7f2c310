/* sluice: the test broker: a Kafka cluster in this process, on loopback. Nodes have ids from 1.
 *
 * For tests of applications: real connections and the real protocol, topics and logs in memory,
 * faults on demand. Calls are a bounded hand-shake with the thread that runs the broker; with a
 * driven runtime the call does what is due itself. */
#ifndef SLUICE_TESTBROKER_H
#define SLUICE_TESTBROKER_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Starts a cluster on free ports of 127.0.0.1.
 * brokers  how many nodes, 1 to 100.
 * runtime  who drives it; NULL: a thread of its own.
 * Returns 0 or SLUICE_ERR_NOMEM, SLUICE_ERR_SYSTEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: no.  Owns: yours, free it.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_create(int32_t brokers, sluice_runtime *runtime,
                                                    sluice_testbroker **out);

/* Stops a cluster; its connections end.
 * testbroker   may be NULL.
 * Returns nothing.
 * Thread: any.  Blocks: for the loop turn under way.  Owns: takes it.  Since: 0.1 */
SLUICE_API void sluice_testbroker_free(sluice_testbroker *testbroker);

/* What to set as bootstrap.servers.
 * Returns "127.0.0.1:port,…", "" for NULL.
 * Thread: any.  Blocks: no.  Owns: the test broker.  Since: 0.1 */
SLUICE_API const char *sluice_testbroker_bootstrap(const sluice_testbroker *testbroker);

/* Changes a setting of the cluster: "release" ("2.1" … "4.2": pretend to be that Kafka),
 * "auto.create.topics.enable", "num.partitions", "message.max.bytes", "fetch.session.slots",
 * "advertised.listeners" ("host:port,…", where the nodes in turn say they are, true or not). Of
 * groups: "group.initial.rebalance.delay.ms" (100 here, for short tests),
 * "group.min.session.timeout.ms", "group.max.session.timeout.ms", "group.max.size",
 * "group.consumer.session.timeout.ms", "group.consumer.heartbeat.interval.ms",
 * "offset.metadata.max.bytes", "group.coordinator.rebalance.protocols" ("classic,consumer", or
 * "classic": no KIP-848), "group.coordinator.load.ms" (how long a node that became coordinator of a
 * group answers COORDINATOR_LOAD_IN_PROGRESS; 0 here). Of followers (KIP-392): "broker.rack"
 * ("a,b,…", of the nodes in turn), "replica.selector.class" (empty, or
 * "org.apache.kafka.common.replica.RackAwareReplicaSelector": leaders send consumers to followers in
 * their client.rack), "replica.lag.time.max.ms" (for so long they name one that is away).
 * Of TLS: "ssl.certificate.location" or ".pem", "ssl.key.location", ".pem" and ".password",
 * "ssl.keystore.location" and ".password", "ssl.ca.location" or ".pem", "ssl.crl.location",
 * "ssl.client.auth" ("none", "requested", "required"), "ssl.enabled.protocols", "ssl.cipher.suites";
 * with a certificate and its key, set in this order, all connections are under TLS, and with an
 * empty key plain again. Each ends the connections that exist.
 * Of logging in: "sasl.enabled.mechanisms" (of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER,
 * with commas; empty: nobody has to), for connections from then on, "sasl.user" ("name=password" adds
 * or changes, "name=" removes; OAUTHBEARER takes unsecured JWTs), "connections.max.reauth.ms",
 * "connection.failed.authentication.delay.ms" (100), "sasl.scram.iterations", and "sasl.lie": what a
 * dishonest broker does (iterations, few, nonce, echo, signature, unsigned, extension, endless).
 * Returns 0 or SLUICE_ERR_CONFIG (no such setting or value, a file that cannot be used),
 * SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_set(sluice_testbroker *testbroker, const char *name,
                                                 const char *value);

/* Creates a topic.
 * Returns 0 or Kafka's code (36 it exists, 17 invalid name, 37 partitions, 38 replicas),
 * SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_topic(sluice_testbroker *testbroker, const char *name,
                                                   int32_t partitions, int32_t replicas);

/* Appends one record as if it had been produced; without SLUICE_SET_PARTITION to the partition
 * that its key chooses (none: 0). The topic must exist.
 * Returns 0 or Kafka's code, SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_append(sluice_testbroker *testbroker,
                                                    const sluice_record *record, size_t size);

/* Reads what is stored, decompressed; the batch is read with the calls of consumer.h and freed.
 * from     the first offset.
 * out      NULL: nothing is stored from there on.
 * Returns 0 or Kafka's code, SLUICE_ERR_MALFORMED, SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: yours, free it.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_read(sluice_testbroker *testbroker, const char *topic,
                                                  int32_t partition, int64_t from,
                                                  sluice_batch **out);

/* Makes the next matching requests go wrong.
 * fault, size  what and which, copied, and sizeof it.
 * id       names it for heal; may be NULL.
 * Returns 0 or SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE (an API that does not exist, a kind that is
 * none, an error without a code). Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_fault(sluice_testbroker *testbroker,
                                                   const sluice_fault *fault, size_t size,
                                                   int32_t *id);

/* Takes a fault back.
 * id       0: all.
 * Returns 0 or SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_heal(sluice_testbroker *testbroker, int32_t id);

/* Sets a node up, down (its connections end, new ones are refused) or frozen (connections stay
 * and nothing is answered).
 * state    SLUICE_BROKER_UP, _DOWN or _FROZEN.
 * Returns 0 or SLUICE_ERR_SYSTEM (the port was taken meanwhile), SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_testbroker_broker(sluice_testbroker *testbroker, int32_t id, int32_t state);

/* Moves a leader or a coordinator to another node.
 * what     SLUICE_MOVE_LEADER; SLUICE_MOVE_COORDINATOR: until that node goes down.
 * name     the topic; the group.
 * partition  0 for a coordinator.
 * Returns 0 or Kafka's code, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_testbroker_move(sluice_testbroker *testbroker, int32_t what, const char *name,
                                      int32_t partition, int32_t broker);

/* Makes the members of a group rejoin: those of the classic protocol hear REBALANCE_IN_PROGRESS,
 * those of KIP-848 FENCED_MEMBER_EPOCH.
 * Returns 0 or Kafka's code (69 there is no such group, 25 it has no members), SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: briefly.  Owns: nothing.  Since: 0.1 */
SLUICE_API int sluice_testbroker_rebalance(sluice_testbroker *testbroker, const char *group);

/* Waits until so many requests of an API have come since the start.
 * api      "Produce", "Fetch", …; NULL: all.
 * seen     filled with how many have come; may be NULL.
 * Returns 0 or SLUICE_ERR_TIMEOUT, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms.  Owns: nothing.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_testbroker_await(sluice_testbroker *testbroker, const char *api,
                                                   int64_t count, int32_t timeout_ms,
                                                   int64_t *seen);

#ifdef __cplusplus
}
#endif

#endif
