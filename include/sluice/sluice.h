/* sluice: an embeddable client for the Apache Kafka protocol: producers, consumers, admin, and a
 * test broker. This header includes the others; sluice/types.h has the rules that hold everywhere.
 *
 * The shortest producer that knows that all is written:
 *
 *     const char *const settings[] = {"bootstrap.servers", "localhost:9092", NULL};
 *     sluice_client *p;
 *     int rv = sluice_client_start(SLUICE_PRODUCER, settings, &p);
 *     if (rv == 0) rv = sluice_producer_send(p, "orders", NULL, 0, "order 1", 7, 5000);
 *     int closed = sluice_client_close(p, 30000, NULL);
 *     sluice_client_free(p);
 */
#ifndef SLUICE_H
#define SLUICE_H

#include "sluice/admin.h"
#include "sluice/client.h"
#include "sluice/config.h"
#include "sluice/consumer.h"
#include "sluice/error.h"
#include "sluice/metrics.h"
#include "sluice/offsets.h"
#include "sluice/producer.h"
#include "sluice/table.h"
#include "sluice/testbroker.h"
#include "sluice/types.h"
#include "sluice/version.h"

#endif
