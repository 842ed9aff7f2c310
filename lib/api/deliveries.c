/* Delivery reports in the application's hands. A set is everything that was told at one moment; it
 * holds the client's shell, where the topic names live. */
#include "api/deliveries.h"

#include "api/client.h"
#include "base/ahead.h"
#include "core/delivery.h"
#include "sluice/producer.h"

enum {
    DELIVERIES_MAGIC = 0x51c0de11,
    DELIVERIES_GONE = 0x0badde11,
    DELIVERIES_AHEAD = 256 /* bytes of a report asked for: with the tags of a few records */
};

struct sluice_deliveries {
    uint32_t magic;
    sluice_client *client;    /* its shell is held */
    struct sl_list told;      /* struct sl_delivery, owned */
    struct sl_list *node;     /* the next to be read begins here; &told: at the end */
    struct sl_delivery *next; /* the next to be read; NULL: at node */
};

static bool is_deliveries(const sluice_deliveries *set) {
    return set != NULL && set->magic == DELIVERIES_MAGIC;
}

static int take_reports(sluice_client *c, int32_t timeout_ms, sluice_deliveries *set) {
    int rv = sl_client_take_deliveries(c, timeout_ms, &set->told);
    set->node = set->told.next;
    return rv;
}

int sluice_producer_deliveries(sluice_client *producer, int32_t timeout_ms,
                               sluice_deliveries **out) {
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    int rv = sl_client_expect(producer, SLUICE_PRODUCER);
    if (rv != 0) return rv;
    bool is_reported = sl_client_settings(producer)->reports != SL_REPORTS_NONE;
    if (!is_reported || timeout_ms < SLUICE_TIMEOUT_DEFAULT) return SLUICE_ERR_USAGE;
    const struct sl_alloc *alloc = sl_client_alloc(producer);
    /* Made first: reports that were taken have to have a place. */
    sluice_deliveries *set = sl_alloc_zero(alloc, sizeof *set);
    if (set == NULL) return SLUICE_ERR_NOMEM;
    sl_list_init(&set->told);
    rv = take_reports(producer, timeout_ms, set);
    if (rv != 0 || sl_list_is_empty(&set->told)) {
        sl_alloc_free(alloc, set, sizeof *set);
        return rv;
    }
    set->magic = DELIVERIES_MAGIC;
    set->client = producer;
    sl_client_hold(producer);
    *out = set;
    return 0;
}

void sl_deliveries_fill(const struct sl_delivery *d, sluice_delivery *out) {
    *out = (sluice_delivery){
        .outcome = d->outcome,
        .code = d->code,
        .partition = d->partition,
        .count = d->count,
        .topic = d->topic,
        .tags = d->tags,
        .base_offset = d->base_offset,
        .timestamp_ms = d->timestamp_ms,
        .text = d->text,
    };
}

int sluice_deliveries_next(sluice_deliveries *deliveries, sluice_delivery *out, size_t size) {
    if (deliveries == NULL) return 0;
    if (!is_deliveries(deliveries) || out == NULL || size != sizeof *out) return SLUICE_ERR_USAGE;
    const struct sl_delivery *d = deliveries->next;
    if (d == NULL) {
        if (deliveries->node == &deliveries->told) return 0;
        d = SL_LIST_OF(deliveries->node, struct sl_delivery, node);
        deliveries->node = deliveries->node->next;
        sl_ahead_all(SL_LIST_OF(deliveries->node, struct sl_delivery, node), DELIVERIES_AHEAD);
    }
    deliveries->next = d->more;
    sl_deliveries_fill(d, out);
    return 1;
}

void sluice_deliveries_free(sluice_deliveries *deliveries) {
    if (!is_deliveries(deliveries)) return;
    sluice_client *client = deliveries->client;
    const struct sl_alloc *alloc = sl_client_alloc(client);
    sl_client_give_deliveries(client, &deliveries->told);
    deliveries->magic = DELIVERIES_GONE;
    sl_alloc_free(alloc, deliveries, sizeof *deliveries);
    sl_client_drop(client);
}
