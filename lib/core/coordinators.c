/* The finder of coordinators: one entry per (type, key), asked for by FindCoordinator.
 *
 * An entry is either known (a broker id), or being looked up; a look-up that fails is repeated with
 * back-off for as long as somebody asks for it. A refusal that no repetition changes (permissions)
 * is kept and told, and tried again at the pace of the back-off when asked for again.
 *
 * Entries live as long as the core: there are as many as groups and transactional ids of one
 * client, which is two or three. */
#include "core/coordinators.h"

#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "wire/errors.h"
#include "wire/messages.h"

struct sl_coordinator {
    struct sl_call call;
    enum sl_coordinator_type type;
    int32_t broker; /* -1: unknown */
    int rv;         /* of the last look-up */
    size_t key_size;
    char key[]; /* NUL-terminated */
};

enum { FIND_MANY_SINCE = 4, FIND_SHARE_SINCE = 6 };

void sl_coordinators_init(struct sl_coordinators *c, struct sl_core *core) {
    c->core = core;
    sl_map_init(&c->known, core->alloc);
}

void sl_coordinators_deinit(struct sl_coordinators *c) {
    struct sl_coordinator *entry;
    for (uint32_t at = 0; (entry = sl_map_next(&c->known, &at, NULL)) != NULL;) {
        sl_calls_cancel(c->core, &entry->call);
        sl_alloc_free(c->core->alloc, entry, sizeof *entry + entry->key_size + 1);
    }
    sl_map_deinit(&c->known);
}

static int fill_find_coordinator(struct sl_core *core, struct sl_call *call, int16_t version,
                                 struct sl_arena *arena, void *request) {
    (void)core;
    struct sl_coordinator *entry = call->owner;
    struct sl_find_coordinator_request *message = request;
    message->key_type = (int8_t)entry->type;
    message->key = (struct sl_str){entry->key, (int32_t)entry->key_size};
    if (version < FIND_MANY_SINCE) return 0;
    struct sl_str *keys = sl_arena_array(arena, 1, sizeof *keys);
    if (keys == NULL) return SLUICE_ERR_NOMEM;
    keys[0] = message->key;
    message->keys = (struct sl_array){keys, 1};
    return 0;
}

/* The one result, whichever shape the answer has; false: it does not speak of our key. */
static bool read_find_result(const struct sl_coordinator *entry,
                             const struct sl_find_coordinator_response *answer, int16_t version,
                             struct sl_find_coordinator_result *out) {
    if (version < FIND_MANY_SINCE) {
        *out = (struct sl_find_coordinator_result){.node_id = answer->node_id,
                                                   .host = answer->host,
                                                   .port = answer->port,
                                                   .error_code = answer->error_code};
        return true;
    }
    const struct sl_find_coordinator_result *results = answer->coordinators.items;
    struct sl_str key = {entry->key, (int32_t)entry->key_size};
    for (int32_t i = 0; i < answer->coordinators.count; i++) {
        if (!sl_bytes_str_equal(results[i].key, key)) continue;
        *out = results[i];
        return true;
    }
    return false;
}

static void on_found_coordinator(struct sl_core *core, struct sl_call *call, int rv,
                                 const void *response) {
    struct sl_coordinator *entry = call->owner;
    if (rv == SLUICE_ERR_CLOSED) return;
    struct sl_find_coordinator_result result;
    if (rv == 0 && !read_find_result(entry, response, call->version, &result)) {
        rv = SLUICE_ERR_MALFORMED;
    }
    if (rv == 0) rv = sl_calls_code(result.error_code);
    if (rv == 0 && result.node_id < 0) rv = SLUICE_ERR_MALFORMED;
    if (rv == 0) {
        sl_metadata_endpoint(core, result.node_id, result.host, result.port, SL_STR_NULL);
        entry->broker = result.node_id;
        entry->rv = 0;
        call->attempts = 0;
        call->not_before = 0;
        return;
    }
    bool is_passing = rv < 0 ? rv != SLUICE_ERR_UNSUPPORTED : sl_errors_is_retriable(rv);
    entry->rv = is_passing ? 0 : rv;
    sl_calls_back_off(core, call);
    if (is_passing) sl_calls_start(core, call);
}

static struct sl_coordinator *add_coordinator(struct sl_core *core, enum sl_coordinator_type type,
                                              const char *key, const char *map_key,
                                              size_t map_key_size) {
    size_t key_size = strlen(key);
    struct sl_coordinator *entry = sl_alloc_zero(core->alloc, sizeof *entry + key_size + 1);
    if (entry == NULL) return NULL;
    entry->type = type;
    entry->broker = -1;
    entry->key_size = key_size;
    memcpy(entry->key, key, key_size + 1);
    entry->call.api = sl_api_find(SL_API_FIND_COORDINATOR);
    entry->call.broker = SL_BROKER_ANY;
    entry->call.deadline = SL_NEVER;
    if (type == SL_COORDINATOR_SHARE) {
        entry->call.version_low = FIND_SHARE_SINCE;
        entry->call.version_high = entry->call.api->client_max;
    }
    entry->call.fill = fill_find_coordinator;
    entry->call.done = on_found_coordinator;
    entry->call.owner = entry;
    if (sl_map_put(&core->coordinators.known, map_key, map_key_size, entry) != 0) {
        sl_alloc_free(core->alloc, entry, sizeof *entry + key_size + 1);
        return NULL;
    }
    return entry;
}

/* The entry of (type, key), made if need be; NULL: out of memory. */
static struct sl_coordinator *get_coordinator(struct sl_core *core, enum sl_coordinator_type type,
                                              const char *key, bool add) {
    size_t size = strlen(key) + 1;
    char *map_key = sl_alloc_get(core->alloc, size);
    if (map_key == NULL) return NULL;
    map_key[0] = (char)type;
    memcpy(map_key + 1, key, size - 1);
    struct sl_coordinator *entry = sl_map_get(&core->coordinators.known, map_key, size);
    if (entry == NULL && add) entry = add_coordinator(core, type, key, map_key, size);
    sl_alloc_free(core->alloc, map_key, size);
    return entry;
}

int32_t sl_coordinators_find(struct sl_core *core, enum sl_coordinator_type type, const char *key,
                             int *rv) {
    struct sl_coordinator *entry = get_coordinator(core, type, key, true);
    *rv = entry == NULL ? SLUICE_ERR_NOMEM : entry->rv;
    if (entry == NULL || entry->broker >= 0) return entry == NULL ? -1 : entry->broker;
    if (!entry->call.active) sl_calls_start(core, &entry->call);
    return -1;
}

void sl_coordinators_forget(struct sl_core *core, enum sl_coordinator_type type, const char *key) {
    struct sl_coordinator *entry = get_coordinator(core, type, key, false);
    if (entry == NULL || entry->broker < 0) return;
    entry->broker = -1;
    /* Whoever asks again was sent away a moment ago. */
    sl_calls_back_off(core, &entry->call);
}
