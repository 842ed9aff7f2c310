/* Subscribing, and what the application is told of its group. The rules are the gate's
 * (core/gate_group.c). */
#include <string.h>

#include "api/client.h"
#include "api/offsets.h"
#include "core/core.h"
#include "core/rebalance.h"
#include "sluice/consumer.h"
#include "sluice/offsets.h"

_Static_assert((int)SL_REBALANCE_ASSIGNED == SLUICE_REBALANCE_ASSIGNED &&
                   (int)SL_REBALANCE_REVOKING == SLUICE_REBALANCE_REVOKING &&
                   (int)SL_REBALANCE_LOST == SLUICE_REBALANCE_LOST,
               "the same numbers on both sides");

enum { REBALANCE_MAGIC = 0x51c0aba1, REBALANCE_GONE = 0x0badaba1 };

struct sluice_rebalance {
    uint32_t magic;
    sluice_client *client; /* held */
    struct sl_client_notice notice;
    sluice_offsets *offsets; /* owned; around the notice's */
};

static bool is_rebalance(const sluice_rebalance *r) {
    return r != NULL && r->magic == REBALANCE_MAGIC;
}

/* ---- subscribing ---- */

static int refuse_subscription(sluice_client *c, const char *why) {
    sl_client_remember(c, SLUICE_ERR_USAGE, why);
    return SLUICE_ERR_USAGE;
}

int sluice_consumer_subscribe(sluice_client *consumer, const char *const *topics, int32_t count) {
    int rv = sl_client_expect_open(consumer, SLUICE_CONSUMER);
    if (rv != 0) return rv;
    if (count < 0 || (count > 0 && topics == NULL)) return SLUICE_ERR_USAGE;
    for (int32_t i = 0; i < count; i++)
        if (topics[i] == NULL || topics[i][0] == '\0')
            return refuse_subscription(consumer, "a topic has no name");
    if (count > 0 && sl_client_settings(consumer)->group_id[0] == '\0')
        return refuse_subscription(consumer, "a subscription needs group.id");
    rv = sl_client_subscribe(consumer, topics, count);
    if (rv != SLUICE_ERR_USAGE) return rv;
    return refuse_subscription(consumer, "partitions are assigned by hand: assign nothing first");
}

int sluice_consumer_rejoin(sluice_client *consumer, const char *reason) {
    int rv = sl_client_expect_open(consumer, SLUICE_CONSUMER);
    return rv != 0 ? rv : sl_client_rejoin(consumer, reason);
}

/* ---- rebalances ---- */

static void free_rebalance(sluice_rebalance *r) {
    sluice_client *client = r->client;
    if (r->offsets != NULL)
        sluice_offsets_free(r->offsets);
    else
        sl_offset_list_destroy(r->notice.offsets);
    r->magic = REBALANCE_GONE;
    sl_alloc_free(sl_alloc_default(), r, sizeof *r);
    sl_client_drop(client);
}

int sluice_consumer_rebalance(sluice_client *consumer, sluice_rebalance **out) {
    if (out == NULL) return SLUICE_ERR_USAGE;
    *out = NULL;
    int rv = sl_client_expect_open(consumer, SLUICE_CONSUMER);
    if (rv != 0) return rv;
    sluice_rebalance *r = sl_alloc_zero(sl_alloc_default(), sizeof *r);
    if (r == NULL) return SLUICE_ERR_NOMEM;
    rv = sl_client_take_notice(consumer, &r->notice);
    if (rv != 0) {
        sl_alloc_free(sl_alloc_default(), r, sizeof *r);
        return rv;
    }
    r->magic = REBALANCE_MAGIC;
    r->client = consumer;
    sl_client_hold(consumer);
    r->offsets = sl_offsets_wrap(r->notice.offsets);
    if (r->offsets == NULL) {
        /* It was told, and nobody will say that it is done: it goes on by itself. */
        (void)sl_client_end_notice(consumer, r->notice.serial, NULL);
        free_rebalance(r);
        return SLUICE_ERR_NOMEM;
    }
    *out = r;
    return 0;
}

static int32_t hold_ms_left(const sluice_rebalance *r) {
    enum { REBALANCE_MS = 1000000 };
    if (r->notice.kind != SL_REBALANCE_REVOKING) return 0;
    int64_t now = sl_client_deadline(r->client, 1) - REBALANCE_MS;
    if (r->notice.hold_until <= now) return 0;
    return (int32_t)((r->notice.hold_until - now) / REBALANCE_MS);
}

int sluice_rebalance_read(const sluice_rebalance *rebalance, sluice_rebalance_info *out,
                          size_t size) {
    if (!is_rebalance(rebalance) || out == NULL) return SLUICE_ERR_USAGE;
    sluice_rebalance_info info = {.kind = rebalance->notice.kind};
    if (sl_client_check(rebalance->client) == 0) info.hold_ms = hold_ms_left(rebalance);
    memcpy(out, &info, size < sizeof info ? size : sizeof info);
    return 0;
}

const sluice_offsets *sluice_rebalance_offsets(const sluice_rebalance *rebalance) {
    return is_rebalance(rebalance) ? rebalance->offsets : NULL;
}

int sluice_rebalance_done(sluice_rebalance *rebalance, const sluice_offsets *start) {
    if (rebalance == NULL) return 0;
    if (!is_rebalance(rebalance)) return SLUICE_ERR_USAGE;
    int rv = start == NULL ? 0 : sl_offsets_check(start);
    int end_rv = sl_client_end_notice(rebalance->client, rebalance->notice.serial,
                                      start == NULL || rv != 0 ? NULL : sl_offsets_list(start));
    free_rebalance(rebalance);
    return rv != 0 ? rv : end_rv;
}
