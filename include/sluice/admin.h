/* sluice: creating and deleting topics, with a client of any role. */
#ifndef SLUICE_ADMIN_H
#define SLUICE_ADMIN_H

#include "sluice/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Creates a topic (CreateTopics, KIP-4).
 * topic    its name, copied.
 * partitions, replicas   -1: the broker's default (KIP-464).
 * settings {"name", "value", …, NULL} of the topic, copied, or NULL.
 * Returns 0 or Kafka's code (36 it exists, 17 invalid name, 37 partitions, 38 replicas, 29 not
 * allowed, 44 policy …; the op's message is the broker's), SLUICE_ERR_TIMEOUT (the op's message says
 * whether it may have been created), SLUICE_ERR_UNREACHABLE (no broker could be asked by the
 * deadline), SLUICE_ERR_UNSUPPORTED (-1 with brokers before Kafka 2.4), SLUICE_ERR_CLOSED,
 * SLUICE_ERR_INTERRUPTED, SLUICE_ERR_FORKED, SLUICE_ERR_NOMEM, SLUICE_ERR_USAGE.
 * Thread: any.  Blocks: up to timeout_ms without op.  Owns: the op is yours.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_admin_create_topic(sluice_client *client, const char *topic,
                                                     int32_t partitions, int32_t replicas,
                                                     const char *const *settings,
                                                     int32_t timeout_ms, sluice_op **op);

/* Deletes a topic with all its records (DeleteTopics).
 * topic    its name, copied.
 * Returns 0 or Kafka's code (3 no such topic, 29 not allowed, 73 deletion is switched off), or as
 * sluice_admin_create_topic.
 * Thread: any.  Blocks: up to timeout_ms without op.  Owns: the op is yours.  Since: 0.1 */
SLUICE_API SLUICE_MUST int sluice_admin_delete_topic(sluice_client *client, const char *topic,
                                                     int32_t timeout_ms, sluice_op **op);

#ifdef __cplusplus
}
#endif

#endif
