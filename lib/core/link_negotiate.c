/* ApiVersions: the first exchange on every connection (KIP-35, KIP-511).
 *
 * We ask in our highest version. A broker that lacks it says UNSUPPORTED_VERSION in version 0:
 * either its list names key 18 alone, then its highest version of that is asked on the same
 * connection (that list is not the broker's list of APIs), or it is empty, then version 0 is. A
 * peer that just hangs up is asked on the next connection in version 3, then 0; the broker object
 * remembers, and starts at the top again once that has failed too. Versions only fall on a
 * connection, so no peer can keep us busy; reconnecting is bounded by the back-off.
 *
 * Not done here: finalized features (transactions will need them). */
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/frame.h"
#include "wire/messages.h"

enum {
    NEGOTIATE_MIDDLE = 3
}; /* the first flexible version: Event Hubs and old proxies stop there */

static void on_negotiated(struct sl_core *core, struct sl_request *request, int rv,
                          struct sl_response *resp);

static void ask_for_versions(struct sl_link *link, int16_t version) {
    struct sl_core *core = link->core;
    const struct sl_api *api = sl_api_find(SL_API_API_VERSIONS);
    struct sl_api_versions_request message;
    sl_codec_defaults(api->request, &message);
    message.client_software_name = SL_STR("sluice");
    message.client_software_version = SL_STR(SL_CORE_VERSION);
    link->negotiate_version = version;
    memset(&link->negotiation, 0, sizeof link->negotiation);
    link->negotiation.on_done = on_negotiated;
    int rv = sl_link_encode(link, &link->negotiation, api, version, &message, NULL, 0);
    if (rv != 0) {
        sl_link_fail(link, rv, "no memory to ask for the versions");
        return;
    }
    /* The setup deadline comes first; this one is for the check that requests have one. */
    sl_link_queue(link, &link->negotiation,
                  core->now + (int64_t)core->settings->request_timeout_ms * SL_MS);
}

void sl_link_negotiate(struct sl_link *link) {
    int16_t version = link->broker->negotiate_version;
    ask_for_versions(link, version >= 0 ? version : sl_api_find(SL_API_API_VERSIONS)->client_max);
}

bool sl_link_negotiate_lower(struct sl_link *link) {
    struct sl_broker *broker = link->broker;
    if (link->state != SL_LINK_NEGOTIATING || !link->hung_up || link->negotiate_version == 0) {
        broker->negotiate_version = -1;
        return false;
    }
    broker->negotiate_version = link->negotiate_version > NEGOTIATE_MIDDLE ? NEGOTIATE_MIDDLE : 0;
    return true;
}

/* The list is a peer's: keys out of range and empty ranges are left out. */
static void store_versions(struct sl_link *link, const struct sl_api_versions_response *answer) {
    for (int i = 0; i < SL_API_KEY_LIMIT; i++) {
        link->versions[i] = (struct sl_version_range){.min = 0, .max = -1};
    }
    const struct sl_api_versions_range *ranges = answer->api_keys.items;
    for (int32_t i = 0; i < answer->api_keys.count; i++) {
        const struct sl_api_versions_range *range = &ranges[i];
        if (range->api_key < 0 || range->api_key >= SL_API_KEY_LIMIT) continue;
        if (range->min_version < 0 || range->max_version < range->min_version) continue;
        link->versions[range->api_key].min = range->min_version;
        link->versions[range->api_key].max = range->max_version;
    }
}

/* The version to ask in next after a refusal: the broker's highest below the one refused, or 0. */
static int16_t version_after_refusal(const struct sl_link *link,
                                     const struct sl_api_versions_response *answer) {
    const struct sl_api_versions_range *ranges = answer->api_keys.items;
    for (int32_t i = 0; i < answer->api_keys.count; i++) {
        if (ranges[i].api_key != SL_API_API_VERSIONS || ranges[i].max_version < 0) continue;
        return ranges[i].max_version < link->negotiate_version ? ranges[i].max_version : 0;
    }
    return 0;
}

static void apply_versions(struct sl_link *link, const struct sl_api_versions_response *answer) {
    struct sl_core *core = link->core;
    int code = answer->error_code;
    if (code == SLUICE_KAFKA_UNSUPPORTED_VERSION && link->negotiate_version > 0) {
        ask_for_versions(link, version_after_refusal(link, answer));
        return;
    }
    if (code == SLUICE_KAFKA_REBOOTSTRAP_REQUIRED) {
        sl_link_fail(link, SLUICE_ERR_UNREACHABLE, "it belongs to another cluster");
        sl_brokers_rebootstrap(core, "a broker belongs to another cluster");
        return;
    }
    if (code != 0) {
        sl_link_fail(link, SLUICE_ERR_UNSUPPORTED, "it refused ApiVersions with %s",
                     sl_errors_find(code)->name);
        return;
    }
    store_versions(link, answer);
    /* Every broker has it. Without it nothing could be learnt here, and asked for ever. */
    const struct sl_api *metadata = sl_api_find(SL_API_METADATA);
    if (link->purpose == SL_PURPOSE_CONTROL &&
        sl_link_version(link, metadata, metadata->client_min, metadata->client_max) < 0) {
        sl_link_fail(link, SLUICE_ERR_UNSUPPORTED,
                     "it offers no version of Metadata that we speak");
        return;
    }
    link->request_deadline = SL_NEVER;
    sl_core_log(core, SL_LOG_DEBUG, "%s:%u (%s): connected", link->broker->host, link->broker->port,
                sl_link_purpose_name(link->purpose));
    if (core->login.is_wanted) {
        sl_sasl_start(link);
    } else {
        sl_link_set_state(link, SL_LINK_READY);
        sl_link_arm(link);
    }
    sl_link_throttle(link, answer->throttle_ms);
}

static void on_negotiated(struct sl_core *core, struct sl_request *request, int rv,
                          struct sl_response *resp) {
    if (rv != 0) return;             /* the link has failed, and that is all there is to it */
    enum { MEMORY_MAX = 48 * 1024 }; /* a frame before negotiation has 32 KiB at most */
    struct sl_link *link = resp->link;
    struct sl_arena arena;
    sl_arena_init(&arena, core->alloc, MEMORY_MAX);
    struct sl_api_versions_response answer;
    rv = sl_frame_decode_response(&resp->body, &arena, request->api, request->version, &answer);
    if (rv != 0) {
        sl_link_fail(link, rv, "its answer to ApiVersions could not be read");
    } else {
        apply_versions(link, &answer);
    }
    sl_arena_deinit(&arena);
}
