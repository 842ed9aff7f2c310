/* Who exists: seed endpoints and brokers known from metadata, their addresses, back-off, and the
 * links by purpose. */
#ifndef SL_CORE_BROKERS_H
#define SL_CORE_BROKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/core.h"
#include "core/link.h"

enum {
    SL_BROKER_ANY = -1,
    SL_BROKER_ADDRESSES = 16,
    SL_BROKERS_RECENT = 16 /* arbitrary: most clusters have fewer brokers */
};

struct sl_broker {
    struct sl_list node;
    struct sl_core *core;
    int32_t id; /* Kafka's id; seeds have ids from -2 down */
    char *host; /* owned */
    uint16_t port;
    char *rack;  /* owned or NULL */
    bool gone;   /* no longer in metadata: freed when its links are at rest */
    bool listed; /* in the metadata answer that is being applied */
    struct sl_address addresses[SL_BROKER_ADDRESSES];
    int32_t address_count;
    int32_t address_next;    /* tried in turn (KIP-302); at the end the name is looked up again */
    uint64_t resolve_serial; /* 0: no look-up under way */
    struct sl_list resolve_node; /* in brokers.resolves until the host has been told */
    int16_t negotiate_version;   /* ApiVersions version to begin with; -1: our highest */
    uint32_t failures;           /* in a row, for the back-off (KIP-144, KIP-580) */
    int64_t retry_at;            /* no connect before; 0: not backing off */
    struct sl_link *links[SL_PURPOSE_COUNT];
    char story[320]; /* why it could not be reached last, for people; "" once it could */
    struct sl_list produce_ready; /* sender: partitions with a batch to send to this broker */
    struct sl_list produce_held;  /* sender: partitions whose open batch waits for a free request */
    struct sl_list produce_node;  /* sender: brokers with such partitions */
    int64_t stuck_since;          /* sender: they have waited since then; 0: they have not */
    struct sl_list fetch_node;    /* fetcher: brokers to look at */
    void *fetch_session;          /* fetcher: its session with this broker, or NULL */
};
struct sl_brokers {
    struct sl_core *core;
    struct sl_list all;                          /* seeds first */
    struct sl_map by_id;                         /* those of metadata that are not gone … */
    struct sl_broker *recent[SL_BROKERS_RECENT]; /* … and the last of them that was looked for, by
                                                  * id modulo their number; or NULL */
    struct sl_list resolves; /* brokers whose look-up must be handed to the host */
    uint64_t last_serial;
    int32_t known;      /* brokers from metadata */
    int32_t gone;       /* brokers that wait to be freed */
    bool bootstrapping; /* seeds count: no metadata yet, or nobody known can be reached */
    bool tidy;          /* seeds' links are to be handed on or drained */
    int64_t wake_at;    /* who was refused a link may ask again then */
    char story[400];    /* the latest failure to reach anyone … */
    int code;           /* … and its code: TLS, AUTH, or UNREACHABLE for all else */
};

/* By id from metadata; NULL when unknown. */
struct sl_broker *sl_brokers_find(struct sl_core *core, int32_t id);
/* The link for a purpose, opened if need be. NULL: memory is short, the broker backs off, or the
 * client closes. Look at sl_link_is_ready before queueing. Who got no ready link asks again in
 * every sl_core_run until it has one: core sees to it that a turn comes when the link is ready,
 * has failed or may be tried again. */
struct sl_link *sl_brokers_link(struct sl_broker *broker, enum sl_purpose purpose);
/* A ready link to any broker, the one with the fewest requests in flight; NULL while none is, and
 * then one is being opened: of the brokers that metadata knows, and of the seeds only while it
 * knows none or none of them can be reached (KIP-899). */
struct sl_link *sl_brokers_any(struct sl_core *core, enum sl_purpose purpose);
/* True while the broker backs off after a failure. */
bool sl_brokers_is_backing_off(const struct sl_broker *broker);

/* ---- for links ---- */

/* No connection came about, or one that was in use was lost: the back-off grows, and is the longest
 * at once for what will be no better soon (TLS, AUTH). story: why. */
void sl_brokers_on_failure(struct sl_broker *broker, int rv, const char *story);
/* It answers: the back-off starts over. */
void sl_brokers_on_success(struct sl_broker *broker);
/* What failed may go well now: nobody backs off any more. */
void sl_brokers_forgive(struct sl_core *core);
/* Asks the host for the addresses, unless that is under way. */
void sl_brokers_resolve(struct sl_broker *broker);

/* ---- for metadata ---- */

/* One answer: begin, put each broker that it lists, end (those not listed are gone then). put: 0,
 * NOMEM, or MALFORMED for a broker that cannot be; such a broker is left out. */
void sl_brokers_begin(struct sl_core *core);
int sl_brokers_put(struct sl_core *core, int32_t id, struct sl_str host, int32_t port,
                   struct sl_str rack);
void sl_brokers_end(struct sl_core *core);
/* Starts over from the seeds: every connection ends, the seeds' names are looked up again. What is
 * known of brokers, topics and epochs stays. */
void sl_brokers_rebootstrap(struct sl_core *core, const char *why);
/* "b1:9092 connection refused (7 times), b2:9092 …", or "" when no failure is known. */
void sl_brokers_tell(const struct sl_core *core, struct sl_text *out);
/* What it means that no broker can be reached: UNREACHABLE, or TLS or AUTH when it was about that. */
int sl_brokers_verdict(const struct sl_core *core);
/* "b1:9092, b2:9092": those that there is a connection to. */
void sl_brokers_tell_ready(const struct sl_core *core, struct sl_text *out);
/* A connection of any purpose is ready. */
bool sl_brokers_is_any_ready(const struct sl_core *core);

/* ---- for core.c ---- */

int sl_brokers_init(struct sl_brokers *brokers, struct sl_core *core);
void sl_brokers_deinit(struct sl_brokers *brokers);
void sl_brokers_on_resolved(struct sl_core *core, uint64_t serial, int rv, const char *text,
                            const struct sl_address *addresses, int32_t count);
/* The next broker whose look-up the host must be told of, or NULL. */
struct sl_broker *sl_brokers_next_resolve(struct sl_core *core);
/* At the end of a turn: hands the seeds' links on, frees brokers that are gone. */
void sl_brokers_run(struct sl_core *core);
int64_t sl_brokers_deadline(const struct sl_core *core);

#endif
