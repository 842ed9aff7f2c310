/* Who exists and how to reach them: seeds from the settings, brokers from metadata, their
 * addresses, back-off, and links by purpose.
 *
 * Links open lazily: a unit asks for one in every turn until it gets one that is ready. What was
 * refused because of a back-off (or of memory) sets wake_at, so that a turn comes when asking again
 * makes sense; nobody else keeps a timer for it. After a failure the whole broker backs off, 50 ms
 * doubled up to 1 s with jitter (KIP-144, KIP-580), until it has answered something that is not
 * ApiVersions: a broker that accepts and hangs up is as useless as one that refuses.
 *
 * Seeds count while `bootstrapping`: before the first metadata, and after everyone known has become
 * unreachable (KIP-899). Once metadata is there, the connection to a seed is handed to the known
 * broker that listens at the same place, and drained if there is none.
 *
 * A broker that metadata no longer lists is `gone`: not found any more, its links drain, and it is
 * freed when they are at rest.
 *
 * Not done here: when to ask for metadata, what a link carries. */
#include "core/brokers.h"

#include <inttypes.h>
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"

enum {
    BROKER_HOST_MAX = 255, /* of a DNS name */
    /* While one connection hangs, how long until another broker is tried beside it. */
    BROKER_STAGGER_MS = 1000
};

/* ---- making and freeing ---- */

static char *copy_broker_text(struct sl_core *core, struct sl_str text) {
    return sl_alloc_text(core->alloc, text.data, (size_t)text.size);
}

static void free_broker_text(struct sl_core *core, char *text) {
    if (text != NULL) sl_alloc_free(core->alloc, text, strlen(text) + 1);
}

/* In brokers->all; NULL: out of memory. */
static struct sl_broker *create_broker(struct sl_core *core, int32_t id, struct sl_str host,
                                       uint16_t port) {
    struct sl_broker *broker = sl_alloc_zero(core->alloc, sizeof *broker);
    if (broker == NULL) return NULL;
    broker->host = copy_broker_text(core, host);
    if (broker->host == NULL) {
        sl_alloc_free(core->alloc, broker, sizeof *broker);
        return NULL;
    }
    broker->core = core;
    broker->id = id;
    broker->port = port;
    broker->negotiate_version = -1;
    sl_list_init(&broker->resolve_node);
    sl_list_init(&broker->produce_ready);
    sl_list_init(&broker->produce_held);
    sl_list_init(&broker->produce_node);
    sl_list_init(&broker->fetch_node);
    sl_list_push_back(&core->brokers.all, &broker->node);
    return broker;
}

static void destroy_broker(struct sl_broker *broker) {
    struct sl_core *core = broker->core;
    for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
        if (broker->links[i] != NULL) sl_link_destroy(broker->links[i]);
    }
    sl_list_remove(&broker->resolve_node);
    sl_list_remove(&broker->node);
    free_broker_text(core, broker->host);
    free_broker_text(core, broker->rack);
    sl_alloc_free(core->alloc, broker, sizeof *broker);
}

int sl_brokers_init(struct sl_brokers *brokers, struct sl_core *core) {
    const struct sl_settings *settings = core->settings;
    brokers->core = core;
    sl_list_init(&brokers->all);
    sl_list_init(&brokers->resolves);
    sl_map_init(&brokers->by_id, core->alloc);
    brokers->bootstrapping = true;
    brokers->wake_at = SL_NEVER;
    for (int32_t i = 0; i < settings->bootstrap_count; i++) {
        const struct sl_endpoint *seed = &settings->bootstrap[i];
        if (create_broker(core, -2 - i, sl_bytes_str(seed->host), seed->port) == NULL) {
            return SLUICE_ERR_NOMEM;
        }
    }
    return 0;
}

void sl_brokers_deinit(struct sl_brokers *brokers) {
    SL_LIST_EACH(node, tmp, &brokers->all) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
        /* The host has closed its sockets, whatever was still to be said. */
        for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
            if (broker->links[i] != NULL) broker->links[i]->closing_id = 0;
        }
        destroy_broker(broker);
    }
    sl_map_deinit(&brokers->by_id);
}

/* ---- back-off ---- */

bool sl_brokers_is_backing_off(const struct sl_broker *broker) {
    return broker->retry_at > broker->core->now;
}

static void wake_brokers_at(struct sl_core *core, int64_t at) {
    if (at < core->brokers.wake_at) core->brokers.wake_at = at;
}

int64_t sl_brokers_deadline(const struct sl_core *core) { return core->brokers.wake_at; }

int sl_brokers_verdict(const struct sl_core *core) {
    int code = core->brokers.code;
    if (core->login.is_refused) return SLUICE_ERR_AUTH;
    return code == SLUICE_ERR_TLS || code == SLUICE_ERR_AUTH ? code : SLUICE_ERR_UNREACHABLE;
}

void sl_brokers_on_failure(struct sl_broker *broker, int rv, const char *story) {
    struct sl_core *core = broker->core;
    const struct sl_settings *settings = core->settings;
    struct sl_text text;
    sl_text_init(&text, broker->story, sizeof broker->story);
    sl_text_put(&text, story);
    sl_text_init(&text, core->brokers.story, sizeof core->brokers.story);
    sl_text_printf(&text, "%s:%u: %s", broker->host, broker->port, story);
    core->brokers.code = rv;
    /* Several links that fail together are one failure. */
    if (sl_brokers_is_backing_off(broker)) return;
    if (broker->failures == 0) {
        sl_core_notice(core, SL_NOTICE_BROKER, SL_LOG_WARNING, sl_brokers_verdict(core), broker->id,
                       "%s:%u: %s", broker->host, broker->port, story);
    } else {
        sl_core_log(core, SL_LOG_DEBUG, "%s:%u: %s", broker->host, broker->port, story);
    }
    int32_t most_ms = settings->reconnect_backoff_max_ms;
    bool is_verdict = rv == SLUICE_ERR_TLS || rv == SLUICE_ERR_AUTH;
    int32_t first_ms = is_verdict ? most_ms : settings->reconnect_backoff_ms;
    broker->retry_at = core->now + sl_core_backoff(core, first_ms, most_ms, broker->failures);
    if (broker->failures < UINT32_MAX) broker->failures++;
    /* It may have left, and its partitions moved. */
    if (broker->id >= 0 && !broker->gone) sl_metadata_refresh(core, NULL);
}

void sl_brokers_forgive(struct sl_core *core) {
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
        if (broker->retry_at > core->now) broker->retry_at = core->now;
    }
}

void sl_brokers_on_success(struct sl_broker *broker) {
    if (broker->failures > 0) {
        sl_core_notice(broker->core, SL_NOTICE_BROKER, SL_LOG_INFO, 0, broker->id,
                       "%s:%u answers again", broker->host, broker->port);
    }
    broker->failures = 0;
    broker->retry_at = 0;
    broker->story[0] = '\0';
}

/* ---- names ---- */

void sl_brokers_resolve(struct sl_broker *broker) {
    struct sl_brokers *brokers = &broker->core->brokers;
    /* One look-up at a time, however long it takes: a resolver that hangs is not helped by more. */
    if (broker->resolve_serial != 0) return;
    broker->resolve_serial = ++brokers->last_serial;
    sl_list_push_back(&brokers->resolves, &broker->resolve_node);
}

struct sl_broker *sl_brokers_next_resolve(struct sl_core *core) {
    struct sl_list *node = sl_list_pop_front(&core->brokers.resolves);
    return node == NULL ? NULL : SL_LIST_OF(node, struct sl_broker, resolve_node);
}

static struct sl_broker *find_by_serial(struct sl_core *core, uint64_t serial) {
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
        if (serial != 0 && broker->resolve_serial == serial) return broker;
    }
    return NULL;
}

void sl_brokers_on_resolved(struct sl_core *core, uint64_t serial, int rv, const char *text,
                            const struct sl_address *addresses, int32_t count) {
    struct sl_broker *broker = find_by_serial(core, serial);
    if (broker == NULL) return; /* it has moved or is gone */
    broker->resolve_serial = 0;
    if (rv == 0 && count <= 0) text = "it has no address";
    if (count > SL_BROKER_ADDRESSES) count = SL_BROKER_ADDRESSES;
    broker->address_next = 0;
    broker->address_count = rv == 0 && count > 0 ? count : 0;
    for (int32_t i = 0; i < broker->address_count; i++) broker->addresses[i] = addresses[i];
    for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
        struct sl_link *link = broker->links[i];
        if (link == NULL || link->state != SL_LINK_RESOLVING) continue;
        if (broker->address_count > 0) {
            sl_link_on_addresses(link);
        } else {
            sl_link_fail(link, SLUICE_ERR_UNREACHABLE, "the name cannot be resolved: %s", text);
        }
    }
}

/* ---- links ---- */

struct sl_broker *sl_brokers_find(struct sl_core *core, int32_t id) {
    struct sl_broker **recent = &core->brokers.recent[(uint32_t)id % SL_BROKERS_RECENT];
    if (*recent != NULL && (*recent)->id == id) return *recent;
    struct sl_broker *broker = sl_map_get(&core->brokers.by_id, &id, sizeof id);
    if (broker != NULL) *recent = broker;
    return broker;
}

struct sl_link *sl_brokers_link(struct sl_broker *broker, enum sl_purpose purpose) {
    struct sl_core *core = broker->core;
    if (core->state == SL_CORE_CLOSED || broker->gone) return NULL;
    if (!sl_login_is_there(core)) return NULL; /* it comes by a command, and a turn with it */
    struct sl_link *link = broker->links[purpose];
    if (link == NULL) {
        link = broker->links[purpose] = sl_link_create(broker, purpose);
        if (link == NULL) {
            wake_brokers_at(core, core->now + core->settings->retry_backoff_ms * SL_MS + SL_MS);
            return NULL;
        }
    }
    if (link->state != SL_LINK_IDLE && link->state != SL_LINK_WAITING) return link;
    if (sl_brokers_is_backing_off(broker)) {
        wake_brokers_at(core, broker->retry_at);
        return NULL;
    }
    sl_link_open(link);
    return link->state == SL_LINK_WAITING ? NULL : link;
}

/* May be chosen when any broker will do. */
static bool is_candidate(const struct sl_core *core, const struct sl_broker *broker) {
    return !broker->gone && (broker->id >= 0 || core->brokers.bootstrapping);
}

/* What the look over all candidates found. */
struct broker_choice {
    struct sl_link *ready;         /* the one with the fewest requests in flight */
    struct sl_broker *unconnected; /* one that may be tried */
    int64_t opening_since;         /* of the newest connection under way; -1: none */
    int64_t retry_at;              /* the earliest end of a back-off */
    bool reachable;                /* some connection to a candidate exists or is being made */
};

static void look_at_candidate(struct sl_broker *broker, enum sl_purpose purpose,
                              struct broker_choice *choice) {
    struct sl_link *link = broker->links[purpose];
    for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
        const struct sl_link *other = broker->links[i];
        if (other == NULL) continue;
        choice->reachable |= sl_link_is_opening(other) || sl_link_is_up(other);
    }
    if (link != NULL && sl_link_is_ready(link)) {
        if (choice->ready == NULL || link->in_flight < choice->ready->in_flight) {
            choice->ready = link;
        }
    } else if (link != NULL && sl_link_is_opening(link)) {
        if (link->opened_at > choice->opening_since) choice->opening_since = link->opened_at;
    } else if (link != NULL && link->state != SL_LINK_IDLE && link->state != SL_LINK_WAITING) {
        return; /* muted or draining */
    } else if (sl_brokers_is_backing_off(broker)) {
        if (broker->retry_at < choice->retry_at) choice->retry_at = broker->retry_at;
    } else if (choice->unconnected == NULL) {
        choice->unconnected = broker;
    }
}

/* Looks at all candidates, beginning at a random one. */
static struct broker_choice choose_any(struct sl_core *core, enum sl_purpose purpose) {
    struct broker_choice choice = {.opening_since = -1, .retry_at = SL_NEVER};
    uint64_t count = 0;
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        count += is_candidate(core, SL_LIST_OF(node, struct sl_broker, node));
    }
    if (count == 0) return choice;
    uint64_t start = sl_rng_below(&core->rng, count);
    for (int round = 0; round < 2; round++) {
        uint64_t index = 0;
        SL_LIST_EACH(node, tmp, &core->brokers.all) {
            struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
            if (!is_candidate(core, broker)) continue;
            bool now = round == 0 ? index >= start : index < start;
            if (now) look_at_candidate(broker, purpose, &choice);
            index++;
        }
    }
    return choice;
}

/* From now on seeds count again, and their names are looked up anew; an answer to Metadata, asked
 * for here, ends it. */
static void begin_bootstrap(struct sl_core *core, const char *why) {
    sl_metadata_refresh(core, NULL);
    sl_core_notice(core, SL_NOTICE_ERROR, SL_LOG_WARNING, SLUICE_ERR_UNREACHABLE, -1,
                   "starting over from bootstrap.servers: %s", why);
    core->brokers.bootstrapping = true;
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
        if (broker->id < 0) broker->address_count = broker->address_next = 0;
    }
}

struct sl_link *sl_brokers_any(struct sl_core *core, enum sl_purpose purpose) {
    if (core->state == SL_CORE_CLOSED || !sl_login_is_there(core)) return NULL;
    struct broker_choice choice = choose_any(core, purpose);
    if (choice.ready != NULL) return choice.ready;
    if (!choice.reachable && choice.unconnected == NULL && !core->brokers.bootstrapping) {
        begin_bootstrap(core, "no known broker can be reached"); /* there is nothing to cut */
        choice = choose_any(core, purpose);
    }
    int64_t stagger_at = choice.opening_since + BROKER_STAGGER_MS * SL_MS;
    if (choice.opening_since >= 0 && stagger_at > core->now) {
        if (choice.unconnected != NULL) wake_brokers_at(core, stagger_at);
        return NULL;
    }
    wake_brokers_at(core, choice.retry_at);
    if (choice.unconnected != NULL) (void)sl_brokers_link(choice.unconnected, purpose);
    return NULL;
}

bool sl_brokers_is_any_ready(const struct sl_core *core) {
    SL_LIST_EACH(node, tmp, &core->links.all) {
        if (sl_link_is_up(SL_LIST_OF(node, struct sl_link, node))) return true;
    }
    return false;
}

/* ---- metadata ---- */

void sl_brokers_begin(struct sl_core *core) {
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        SL_LIST_OF(node, struct sl_broker, node)->listed = false;
    }
}

static bool is_broker_at(const struct sl_broker *broker, struct sl_str host, int32_t port) {
    return broker->port == port && sl_bytes_str_equal(sl_bytes_str(broker->host), host);
}

/* The broker listens somewhere else now: what is connected to the old place drains. */
static int move_broker(struct sl_broker *broker, struct sl_str host, uint16_t port) {
    char *copy = copy_broker_text(broker->core, host);
    if (copy == NULL) return SLUICE_ERR_NOMEM;
    free_broker_text(broker->core, broker->host);
    broker->host = copy;
    broker->port = port;
    broker->address_count = broker->address_next = 0;
    broker->resolve_serial = 0;
    sl_list_remove(&broker->resolve_node);
    broker->failures = 0;
    broker->retry_at = 0;
    broker->negotiate_version = -1;
    for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
        if (broker->links[i] != NULL) sl_link_drain(broker->links[i]);
    }
    return 0;
}

/* A broker that metadata names for the first time. */
static int add_broker(struct sl_core *core, int32_t id, struct sl_str host, uint16_t port,
                      struct sl_broker **out) {
    struct sl_broker *broker = create_broker(core, id, host, port);
    if (broker == NULL) return SLUICE_ERR_NOMEM;
    int rv = sl_map_put(&core->brokers.by_id, &id, sizeof id, broker);
    if (rv != 0) {
        destroy_broker(broker);
        return rv;
    }
    core->brokers.known++;
    core->brokers.tidy = true;
    *out = broker;
    return 0;
}

static void set_broker_rack(struct sl_broker *broker, struct sl_str rack) {
    if (!sl_bytes_str_is_text(rack)) rack = SL_STR_NULL;
    if (sl_bytes_str_equal(sl_bytes_str(broker->rack), rack)) return;
    char *copy = rack.size < 0 ? NULL : copy_broker_text(broker->core, rack);
    if (rack.size >= 0 && copy == NULL) return; /* the old one will do until the next answer */
    free_broker_text(broker->core, broker->rack);
    broker->rack = copy;
}

int sl_brokers_put(struct sl_core *core, int32_t id, struct sl_str host, int32_t port,
                   struct sl_str rack) {
    bool is_possible = id >= 0 && host.size > 0 && host.size <= BROKER_HOST_MAX && port > 0 &&
                       port <= UINT16_MAX && sl_bytes_str_is_text(host);
    if (!is_possible) return SLUICE_ERR_MALFORMED;
    struct sl_broker *broker = sl_brokers_find(core, id);
    int rv = 0;
    if (broker == NULL) {
        if (core->brokers.known >= SL_BROKERS_MAX) return SLUICE_ERR_MALFORMED;
        rv = add_broker(core, id, host, (uint16_t)port, &broker);
    } else if (broker->listed && !is_broker_at(broker, host, port)) {
        return SLUICE_ERR_MALFORMED; /* twice in one answer: the first stays */
    } else if (!is_broker_at(broker, host, port)) {
        rv = move_broker(broker, host, (uint16_t)port);
    }
    if (broker == NULL) return rv;
    broker->listed = true; /* even when it could not be moved */
    set_broker_rack(broker, rack);
    return rv;
}

static void lose_broker(struct sl_broker *broker) {
    struct sl_core *core = broker->core;
    broker->gone = true;
    core->brokers.gone++;
    core->brokers.known--;
    (void)sl_map_remove(&core->brokers.by_id, &broker->id, sizeof broker->id);
    struct sl_broker **recent = &core->brokers.recent[(uint32_t)broker->id % SL_BROKERS_RECENT];
    if (*recent == broker) *recent = NULL;
    for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
        if (broker->links[i] != NULL) sl_link_drain(broker->links[i]);
    }
}

void sl_brokers_end(struct sl_core *core) {
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
        if (broker->id >= 0 && !broker->gone && !broker->listed) lose_broker(broker);
    }
    if (core->brokers.bootstrapping) core->brokers.tidy = true;
    core->brokers.bootstrapping = false;
}

void sl_brokers_rebootstrap(struct sl_core *core, const char *why) {
    begin_bootstrap(core, why);
    SL_LIST_EACH(node, tmp, &core->links.all) {
        sl_link_cut(SL_LIST_OF(node, struct sl_link, node), SLUICE_ERR_UNREACHABLE);
    }
}

/* Brokers that have not failed yet, but are being waited for: a peer that says nothing. */
static void tell_silent_brokers(const struct sl_core *core, struct sl_text *out) {
    const char *separator = "";
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        const struct sl_broker *broker = SL_LIST_OF(node, const struct sl_broker, node);
        for (int purpose = 0; purpose < SL_PURPOSE_COUNT; purpose++) {
            const struct sl_link *link = broker->links[purpose];
            if (link == NULL || !sl_link_is_opening(link)) continue;
            sl_text_printf(out, "%s%s:%u has not answered yet", separator, broker->host,
                           broker->port);
            separator = ", ";
            break;
        }
    }
}

void sl_brokers_tell(const struct sl_core *core, struct sl_text *out) {
    const char *separator = "";
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        const struct sl_broker *broker = SL_LIST_OF(node, const struct sl_broker, node);
        if (broker->story[0] == '\0' || broker->gone) continue;
        sl_text_printf(out, "%s%s:%u %s", separator, broker->host, broker->port, broker->story);
        if (broker->failures > 1) sl_text_printf(out, " (%" PRIu32 " times)", broker->failures);
        separator = ", ";
    }
    if (separator[0] == '\0') sl_login_tell(core, out);
    if (separator[0] == '\0') tell_silent_brokers(core, out);
}

static bool has_ready_link(const struct sl_broker *broker) {
    for (int i = 0; i < SL_PURPOSE_COUNT; i++)
        if (broker->links[i] != NULL && sl_link_is_up(broker->links[i])) return true;
    return false;
}

void sl_brokers_tell_ready(const struct sl_core *core, struct sl_text *out) {
    const char *separator = "";
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        const struct sl_broker *broker = SL_LIST_OF(node, const struct sl_broker, node);
        if (!has_ready_link(broker)) continue;
        sl_text_printf(out, "%s%s:%u", separator, broker->host, broker->port);
        separator = ", ";
    }
}

/* ---- the end of a turn ---- */

/* The seed's links go to the known broker at the same place, where there is one that lacks them. */
static void hand_on_seed(struct sl_core *core, struct sl_broker *seed) {
    struct sl_broker *heir = NULL;
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
        if (broker->id < 0 || broker->gone) continue;
        if (is_broker_at(broker, sl_bytes_str(seed->host), seed->port)) heir = broker;
    }
    for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
        struct sl_link *link = seed->links[i];
        if (link == NULL) continue;
        if (heir != NULL && heir->links[i] == NULL && sl_link_is_up(link)) {
            heir->links[i] = link;
            link->broker = heir;
            seed->links[i] = NULL;
        } else {
            sl_link_drain(link);
        }
    }
}

static bool is_broker_at_rest(const struct sl_broker *broker) {
    for (int i = 0; i < SL_PURPOSE_COUNT; i++) {
        if (broker->links[i] != NULL && !sl_link_is_at_rest(broker->links[i])) return false;
    }
    return true;
}

static void free_gone_brokers(struct sl_core *core) {
    SL_LIST_EACH(node, tmp, &core->brokers.all) {
        struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
        if (!broker->gone || !is_broker_at_rest(broker)) continue;
        if (core->settings->role == SL_ROLE_PRODUCER) sl_sender_on_broker_gone(core, broker);
        if (core->settings->role == SL_ROLE_CONSUMER) sl_fetcher_on_broker_gone(core, broker);
        SL_ASSERT(sl_list_is_empty(&broker->produce_ready) && broker->fetch_session == NULL);
        SL_ASSERT(sl_list_is_empty(&broker->produce_held));
        SL_ASSERT(!sl_list_is_linked(&broker->produce_node));
        SL_ASSERT(!sl_list_is_linked(&broker->fetch_node));
        core->brokers.gone--;
        destroy_broker(broker);
    }
}

void sl_brokers_run(struct sl_core *core) {
    struct sl_brokers *brokers = &core->brokers;
    if (brokers->tidy && !brokers->bootstrapping) {
        brokers->tidy = false;
        SL_LIST_EACH(node, tmp, &brokers->all) {
            struct sl_broker *broker = SL_LIST_OF(node, struct sl_broker, node);
            if (broker->id < 0) hand_on_seed(core, broker);
        }
    }
    if (brokers->gone > 0) free_gone_brokers(core);
}
