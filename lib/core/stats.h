/* Counters of the whole client, per API and per link, kept from the start and read by dump. */
#ifndef SL_CORE_STATS_H
#define SL_CORE_STATS_H

#include <stdint.h>

#include "wire/api.h"

struct sl_api_counts {
    uint64_t requests, responses, errors, retries;
    int64_t latency_ns; /* sum over responses */
    int64_t latency_max_ns;
    int64_t throttle_ms; /* sum of what brokers asked for */
};
struct sl_stats {
    struct sl_api_counts apis[SL_API_KEY_LIMIT];
    uint64_t records_sent, bytes_sent, batches_sent;
    uint64_t records_fetched, bytes_fetched, batches_fetched;
};

#endif
