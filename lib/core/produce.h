/* One Produce request: built from what is ready for a broker, and its answer taken apart. */
#ifndef SL_CORE_PRODUCE_H
#define SL_CORE_PRODUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/list.h"
#include "core/link.h"

struct sl_batch;
struct sl_broker;
struct sl_core;
struct sl_partition;

/* A partition's line in a request. */
struct sl_produce_entry {
    struct sl_partition *partition;
    struct sl_batch *batch;  /* NULL: forgotten, or dealt with */
    struct sl_uuid topic_id; /* asked under; the topic may have another by the time of the answer */
};
/* A Produce request in flight. */
struct sl_produce {
    struct sl_list node; /* sender.requests */
    struct sl_request request;
    struct sl_splice *splices; /* in this memory, behind the entries */
    int32_t count;
    struct sl_produce_entry entries[];
};

/* Builds a request from the first partitions that are ready for the broker and queues it. The list
 * is not empty and the link may take a request. 0 or NOMEM: nothing was sent. */
int sl_produce_send(struct sl_core *core, struct sl_broker *broker, struct sl_link *link);
/* Takes it out of the list and frees it; its batches have left it. */
void sl_produce_destroy(struct sl_core *core, struct sl_produce *produce);
/* on_done of the request (produce_answer.c). */
void sl_produce_answer_done(struct sl_core *core, struct sl_request *request, int rv,
                            struct sl_response *resp);

#endif
