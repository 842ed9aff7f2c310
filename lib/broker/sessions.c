/* The fetch sessions of one node.
 *
 *   request (id, epoch)   what it means
 *   (any, -1)             no session; one that is named ends
 *   (any, 0)              a full list; one that is named ends, a new one begins if there is a slot
 *   (id, n)               only changes; n has to be the epoch that the session expects
 *
 * A session is owned by the node, not by a connection. When all slots are taken, one that nobody
 * used for two minutes makes room, the longest unused first; otherwise the client is refused and
 * goes on without.
 *
 * Invariants: a partition is in by_key and in order, once each; epoch is at least 1; no more than
 * `slots` sessions.
 *
 * Not done here: which partitions have news (handlers/01_fetch.c). */
#include "broker/sessions.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "sluice/error.h"

enum { SESSION_TOPIC_MAX = 256, SESSION_KEY_MAX = SESSION_TOPIC_MAX + 4, SESSION_ID_KEY = 4 };
#define SESSION_IDLE_NS (INT64_C(120) * 1000000000) /* Kafka's least time before eviction */

/* ---- keys ---- */

/* The key of a partition: its number, then the topic. Names longer than any topic's are cut;
 * such topics do not exist, so all that mixes is errors. */
static size_t write_session_key(uint8_t *out, bool by_id, struct sl_str name,
                                const struct sl_uuid *id, int32_t partition) {
    sl_bytes_put32(out, (uint32_t)partition);
    if (by_id) {
        memcpy(out + 4, id->bytes, sizeof id->bytes);
        return 4 + sizeof id->bytes;
    }
    size_t size = name.size > 0 ? (size_t)name.size : 0;
    if (size > SESSION_TOPIC_MAX) size = SESSION_TOPIC_MAX;
    if (size > 0) memcpy(out + 4, name.data, size);
    return 4 + size;
}

static size_t key_session_partition(const struct sl_session *session,
                                    const struct sl_session_partition *p, uint8_t *out) {
    return write_session_key(out, session->by_id, p->name, &p->topic_id, p->asked.partition);
}

/* ---- sessions ---- */

void sl_sessions_init(struct sl_sessions *s, const struct sl_alloc *alloc, struct sl_rng *rng,
                      int32_t slots) {
    s->alloc = alloc;
    s->rng = rng;
    s->slots = slots;
    sl_map_init(&s->by_id, alloc);
}

static void free_session_partition(struct sl_sessions *s, struct sl_session_partition *p) {
    if (p->name.size > 0) sl_alloc_free(s->alloc, (char *)p->name.data, (size_t)p->name.size + 1);
    sl_alloc_free(s->alloc, p, sizeof *p);
}

static void free_session(struct sl_sessions *s, struct sl_session *session) {
    struct sl_session_partition *p;
    for (uint32_t at = 0; (p = sl_map_next(&session->by_key, &at, NULL)) != NULL;) {
        free_session_partition(s, p);
    }
    sl_map_deinit(&session->by_key);
    sl_alloc_free(s->alloc, session, sizeof *session);
}

void sl_sessions_deinit(struct sl_sessions *s) {
    struct sl_session *session;
    for (uint32_t at = 0; (session = sl_map_next(&s->by_id, &at, NULL)) != NULL;) {
        free_session(s, session);
    }
    sl_map_deinit(&s->by_id);
    sl_map_init(&s->by_id, s->alloc);
}

struct sl_session *sl_sessions_find(const struct sl_sessions *s, int32_t id) {
    uint8_t key[SESSION_ID_KEY];
    sl_bytes_put32(key, (uint32_t)id);
    return sl_map_get(&s->by_id, key, sizeof key);
}

void sl_sessions_close(struct sl_sessions *s, struct sl_session *session) {
    uint8_t key[SESSION_ID_KEY];
    sl_bytes_put32(key, (uint32_t)session->id);
    sl_map_remove(&s->by_id, key, sizeof key);
    free_session(s, session);
}

/* Makes room for one more; false when every session is in use. */
static bool make_session_room(struct sl_sessions *s, int64_t now) {
    if (s->by_id.count < (uint32_t)s->slots) return true;
    struct sl_session *oldest = NULL;
    struct sl_session *session;
    for (uint32_t at = 0; (session = sl_map_next(&s->by_id, &at, NULL)) != NULL;) {
        if (oldest == NULL || session->used_at < oldest->used_at) oldest = session;
    }
    if (oldest == NULL || now - oldest->used_at < SESSION_IDLE_NS) return false;
    sl_sessions_close(s, oldest);
    return true;
}

int sl_sessions_open(struct sl_sessions *s, bool by_id, int64_t now, struct sl_session **out) {
    *out = NULL;
    if (!make_session_room(s, now)) return 0;
    struct sl_session *session = sl_alloc_zero(s->alloc, sizeof *session);
    if (session == NULL) return SLUICE_ERR_NOMEM;
    do {
        session->id = (int32_t)sl_rng_range(s->rng, 1, INT32_MAX);
    } while (sl_sessions_find(s, session->id) != NULL);
    session->epoch = 1;
    session->by_id = by_id;
    session->used_at = now;
    sl_map_init(&session->by_key, s->alloc);
    sl_list_init(&session->order);

    uint8_t key[SESSION_ID_KEY];
    sl_bytes_put32(key, (uint32_t)session->id);
    int rv = sl_map_put(&s->by_id, key, sizeof key, session);
    if (rv != 0) {
        free_session(s, session);
        return rv;
    }
    *out = session;
    return 0;
}

void sl_sessions_use(struct sl_session *session, int64_t now) {
    session->used_at = now;
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
}

/* ---- partitions ---- */

/* A new entry in by_key and order; NULL: no memory. */
static struct sl_session_partition *add_session_partition(struct sl_sessions *s,
                                                          struct sl_session *session,
                                                          const struct sl_fetch_topic *topic,
                                                          const uint8_t *key, size_t key_size) {
    struct sl_session_partition *p = sl_alloc_zero(s->alloc, sizeof *p);
    if (p == NULL) return NULL;
    p->topic_id = topic->topic_id;
    p->told_high_watermark = -1;
    p->told_log_start = -1;
    if (!session->by_id && topic->name.size > 0) {
        size_t size = (size_t)topic->name.size;
        p->name.data = sl_alloc_text(s->alloc, topic->name.data, size);
        if (p->name.data == NULL) goto free_partition;
        p->name.size = topic->name.size;
    }
    if (sl_map_put(&session->by_key, key, key_size, p) != 0) goto free_partition;
    sl_list_push_back(&session->order, &p->order);
    return p;

free_partition:
    free_session_partition(s, p);
    return NULL;
}

static bool is_same_fetch(const struct sl_fetch_partition *a, const struct sl_fetch_partition *b) {
    return a->current_leader_epoch == b->current_leader_epoch &&
           a->fetch_offset == b->fetch_offset && a->last_fetched_epoch == b->last_fetched_epoch &&
           a->log_start_offset == b->log_start_offset &&
           a->partition_max_bytes == b->partition_max_bytes;
}

int sl_sessions_put(struct sl_sessions *s, struct sl_session *session,
                    const struct sl_fetch_topic *topic, const struct sl_fetch_partition *asked,
                    enum sl_session_change *change) {
    uint8_t key[SESSION_KEY_MAX];
    size_t size =
        write_session_key(key, session->by_id, topic->name, &topic->topic_id, asked->partition);
    struct sl_session_partition *p = sl_map_get(&session->by_key, key, size);
    if (p == NULL) {
        p = add_session_partition(s, session, topic, key, size);
        if (p == NULL) return SLUICE_ERR_NOMEM;
        *change = SL_SESSION_ADDED;
    } else {
        *change = is_same_fetch(&p->asked, asked) ? SL_SESSION_SAME : SL_SESSION_CHANGED;
    }
    p->asked = *asked;
    return 0;
}

bool sl_sessions_forget(struct sl_sessions *s, struct sl_session *session, struct sl_str name,
                        const struct sl_uuid *id, int32_t partition) {
    uint8_t key[SESSION_KEY_MAX];
    size_t size = write_session_key(key, session->by_id, name, id, partition);
    struct sl_session_partition *p = sl_map_remove(&session->by_key, key, size);
    if (p == NULL) return false;
    sl_list_remove(&p->order);
    free_session_partition(s, p);
    return true;
}

void sl_sessions_rotate(struct sl_session *session, struct sl_session_partition *partition) {
    sl_list_remove(&partition->order);
    sl_list_push_back(&session->order, &partition->order);
}

/* ---- invariants ---- */

void sl_sessions_check(const struct sl_sessions *s) {
    struct sl_session *session;
    SL_ASSERT(s->slots < 0 || s->by_id.count <= (uint32_t)s->slots);
    for (uint32_t at = 0; (session = sl_map_next(&s->by_id, &at, NULL)) != NULL;) {
        SL_ASSERT(session->epoch >= 1 && session->id >= 1);
        uint32_t count = 0;
        SL_LIST_EACH(it, tmp, &session->order) {
            struct sl_session_partition *p = SL_LIST_OF(it, struct sl_session_partition, order);
            uint8_t key[SESSION_KEY_MAX];
            size_t size = key_session_partition(session, p, key);
            SL_ASSERT(sl_map_get(&session->by_key, key, size) == p);
            count++;
        }
        SL_ASSERT(count == session->by_key.count);
    }
}
