/* Who waits when told to; see mute.h. Requests are told apart by their length prefixes as they
 * leave, and remembered until their answers are heard: an answer says nothing of its API. */
#include "sim/mute.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sim/host.h"
#include "sim/link.h"
#include "sim/world.h"
#include "wire/frame.h"
#include "wire/schema.h"

enum {
    MUTE_HEADER = SL_FRAME_PREFIX + 8, /* of a request: prefix, API, version, correlation */
    MUTE_ASKED = 64                    /* requests that an answer may still come to */
};

struct mute_request {
    int32_t correlation;
    int16_t api;
    int16_t version;
};
/* What is known of a link. */
struct mute {
    uint8_t header[MUTE_HEADER]; /* of the request that is being sent */
    size_t said;                 /* bytes of it that were */
    struct mute_request asked[MUTE_ASKED];
    int32_t first; /* the oldest of them … */
    int32_t count; /* … and how many there are */
    uint8_t *heard;
    size_t size;
    size_t cap;
    int64_t until;
    int32_t throttle_ms; /* that it is about */
};

static struct mute *mute_of(struct link *link) {
    if (link->mute == NULL) link->mute = calloc(1, sizeof(struct mute));
    if (link->mute == NULL) abort();
    return link->mute;
}

void mute_on_gone(struct link *link) {
    struct mute *m = link->mute;
    if (m == NULL) return;
    free(m->heard);
    free(m);
    link->mute = NULL;
}

/* ---- what is said ---- */

static void begin_request(struct link *link, const struct mute *m) {
    struct world *w = link->world;
    if (w->now < m->until)
        world_violate(w,
                      "I22: host %d begins a request on link %d %.3f s before the %" PRId32
                      " ms are over that it was told to wait",
                      link->host->id, link->id, (double)(m->until - w->now) / 1e9, m->throttle_ms);
}

static void remember_request(struct mute *m) {
    if (m->count == MUTE_ASKED) { /* the oldest has no answer (acks=0) */
        m->first = (m->first + 1) % MUTE_ASKED;
        m->count--;
    }
    const uint8_t *at = m->header + SL_FRAME_PREFIX;
    m->asked[(m->first + m->count++) % MUTE_ASKED] =
        (struct mute_request){.correlation = (int32_t)sl_bytes_get32(at + 4),
                              .api = (int16_t)sl_bytes_get16(at),
                              .version = (int16_t)sl_bytes_get16(at + 2)};
}

void mute_on_said(struct link *link, const void *data, size_t size) {
    struct mute *m = mute_of(link);
    const uint8_t *at = data;
    while (size > 0) {
        if (m->said == 0) begin_request(link, m);
        size_t frame = MUTE_HEADER;
        if (m->said >= MUTE_HEADER) frame = sl_bytes_get32(m->header) + SL_FRAME_PREFIX;
        size_t n = frame - m->said < size ? frame - m->said : size;
        if (m->said < MUTE_HEADER) memcpy(m->header + m->said, at, n);
        m->said += n;
        at += n;
        size -= n;
        if (m->said == MUTE_HEADER) remember_request(m);
        if (m->said == sl_bytes_get32(m->header) + SL_FRAME_PREFIX && m->said >= MUTE_HEADER)
            m->said = 0;
    }
}

/* ---- what is heard ---- */

static int32_t find_throttle(const struct sl_type *type, int16_t version, const void *message) {
    int32_t throttle_ms;
    for (uint16_t i = 0; i < type->field_count; i++) {
        const struct sl_field *f = &type->fields[i];
        if (strcmp(f->name, "throttle_ms") != 0 || !sl_schema_has(f, version)) continue;
        memcpy(&throttle_ms, (const char *)message + f->offset, sizeof throttle_ms);
        return throttle_ms;
    }
    return 0;
}

/* The request that is answered; those before it had no answer. False: none is. */
static bool find_request(struct mute *m, int32_t correlation, struct mute_request *out) {
    while (m->count > 0) {
        *out = m->asked[m->first];
        m->first = (m->first + 1) % MUTE_ASKED;
        m->count--;
        if (out->correlation == correlation) return true;
    }
    return false;
}

/* Answers that are damaged say nothing; whoever reads them ends the connection. */
static void hear_answer(struct link *link, struct mute *m, const uint8_t *data, size_t size) {
    struct mute_request asked;
    struct sl_reader r;
    struct sl_arena arena;
    int32_t correlation;
    if (size < 4 || !find_request(m, (int32_t)sl_bytes_get32(data), &asked)) return;
    const struct sl_api *api = sl_api_find(asked.api);
    sl_reader_init(&r, data, size);
    sl_arena_init(&arena, sl_alloc_default(), SIZE_MAX / 2);
    void *message = sl_arena_get(&arena, api->response->size);
    if (message == NULL) abort();
    if (sl_frame_decode_response_header(&r, api, asked.version, &correlation) == 0 &&
        sl_frame_decode_response(&r, &arena, api, asked.version, message) == 0) {
        int32_t throttle_ms = find_throttle(api->response, asked.version, message);
        int64_t until = link->world->now + throttle_ms * WORLD_MS;
        link->world->hits[HIT_THROTTLED] += throttle_ms > 0;
        /* Who has no memory to read the answer does not know. */
        bool is_read = !memory_is_short(&link->host->memory);
        if (throttle_ms > 0 && is_read && until > m->until) {
            m->until = until;
            m->throttle_ms = throttle_ms;
        }
    }
    sl_arena_deinit(&arena);
}

void mute_on_heard(struct link *link, const void *data, size_t size) {
    struct mute *m = mute_of(link);
    if (m->size + size > m->cap) {
        m->cap = 2 * (m->size + size);
        m->heard = realloc(m->heard, m->cap);
        if (m->heard == NULL) abort();
    }
    memcpy(m->heard + m->size, data, size);
    m->size += size;
    size_t at = 0;
    while (m->size - at >= SL_FRAME_PREFIX) {
        size_t frame = sl_bytes_get32(m->heard + at);
        if (m->size - at - SL_FRAME_PREFIX < frame) break;
        hear_answer(link, m, m->heard + at + SL_FRAME_PREFIX, frame);
        at += SL_FRAME_PREFIX + frame;
    }
    memmove(m->heard, m->heard + at, m->size - at);
    m->size -= at;
}
