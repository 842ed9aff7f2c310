/* What leaves over a connection: encoding, the queue, and the gathering of bytes for the host.
 *
 * A request is its encoded head plus splices: record batches that belong at certain places of the
 * head and are sent from where they lie. The queue holds requests in the order of their frames:
 * first those sent whole, which wait for answers, then (from `unsent` on) those with bytes left,
 * of which only the first may be sent in part. One gather walks over several requests, so one
 * writev carries many.
 *
 * Throttling (KIP-219) keeps new frames back; a frame that has begun is finished, since the peer
 * cannot make sense of anything else. */
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "wire/frame.h"

/* ---- versions and encoding ---- */

int16_t sl_link_version(const struct sl_link *link, const struct sl_api *api, int16_t low,
                        int16_t high) {
    const struct sl_version_range *range = &link->versions[api->key];
    if (range->max < 0) return -1;
    if (low < api->client_min) low = api->client_min;
    if (high > api->client_max) high = api->client_max;
    if (low < range->min) low = range->min;
    if (high > range->max) high = range->max;
    return low <= high ? high : -1;
}

int sl_link_encode(struct sl_link *link, struct sl_request *request, const struct sl_api *api,
                   int16_t version, const void *message, struct sl_splice *splices,
                   size_t splice_cap) {
    struct sl_core *core = link->core;
    enum { AROUND_SECRET = 256 }; /* of a header without the client's name */
    sl_writer_init(&request->head, core->alloc);
    /* All at once: what outgrows its memory leaves a copy behind. */
    if (request->secret > 0)
        (void)sl_writer_grow(&request->head,
                             request->secret + AROUND_SECRET + strlen(core->settings->client_id));
    struct sl_encoder encoder = {
        .out = &request->head, .splices = splices, .splice_cap = splice_cap};
    int32_t correlation = link->correlation == INT32_MAX ? 1 : link->correlation + 1;
    int rv = sl_frame_encode_request(&encoder, api, version, correlation,
                                     sl_bytes_str(core->settings->client_id), message);
    if (rv != 0) {
        sl_link_discard(request);
        return rv;
    }
    link->correlation = correlation;
    request->api = api;
    request->version = version;
    request->correlation = correlation;
    request->splices = splices;
    request->splice_count = encoder.splice_count;
    request->size = request->head.size + encoder.splice_bytes;
    request->sent = 0;
    request->sent_whole = false;
    memset(&request->cursor, 0, sizeof request->cursor);
    return 0;
}

void sl_link_discard(struct sl_request *request) {
    if (request->secret > 0 && request->head.data != NULL)
        sl_alloc_wipe(request->head.data, request->head.cap);
    sl_writer_deinit(&request->head);
    request->splices = NULL;
    request->splice_count = 0;
}

/* ---- the queue ---- */

void sl_link_queue(struct sl_link *link, struct sl_request *request, int64_t deadline) {
    struct sl_core *core = link->core;
    request->deadline = deadline;
    request->queued_at = core->now;
    if (sl_list_is_empty(&link->queue) || deadline < link->request_deadline) {
        link->request_deadline = deadline;
    }
    sl_list_push_back(&link->queue, &request->node);
    if (link->unsent == &link->queue) link->unsent = &request->node;
    if (!request->no_response) link->in_flight++;
    link->last_used = core->now;
    sl_stats_on_request(link, request);
    sl_trace_add(&core->trace, SL_TRACE_REQUEST_SENT, core->now, request->api->key,
                 request->correlation);
    link->wants_send = true;
    sl_link_want_output(link);
    sl_link_arm(link);
}

void sl_link_send(struct sl_link *link, struct sl_request *request, int32_t timeout_ms) {
    SL_ASSERT(sl_link_is_ready(link));
    sl_link_queue(link, request, link->core->now + timeout_ms * SL_MS);
}

void sl_link_unqueue(struct sl_link *link, struct sl_request *request) {
    if (link->unsent == &request->node) link->unsent = request->node.next;
    sl_list_remove(&request->node);
    if (!request->no_response) link->in_flight--;
    sl_link_discard(request);
}

void sl_link_throttle(struct sl_link *link, int32_t throttle_ms) {
    enum { THROTTLE_MAX_MS = 60 * 1000 }; /* a peer's number: no longer than that at a time */
    if (throttle_ms <= 0 || link->state < SL_LINK_AUTHENTICATING || link->state == SL_LINK_WAITING)
        return;
    if (throttle_ms > THROTTLE_MAX_MS) throttle_ms = THROTTLE_MAX_MS;
    int64_t until = link->core->now + throttle_ms * SL_MS;
    if (until <= link->muted_until) return;
    int64_t longer = until - (link->muted_until != 0 ? link->muted_until : link->core->now);
    link->muted_until = until;
    if (link->state == SL_LINK_AUTHENTICATING) link->setup_deadline += longer;
    /* The broker reads nothing meanwhile, so what is queued is not late because of it. */
    SL_LIST_EACH(node, tmp, &link->queue) {
        SL_LIST_OF(node, struct sl_request, node)->deadline += longer;
    }
    sl_link_arm(link);
}

/* ---- bytes for the host ---- */

struct piece_gather {
    struct sl_iov *pieces;
    size_t count, cap;
};

static void add_send_piece(struct piece_gather *out, const void *data, size_t size) {
    if (size == 0) return;
    out->pieces[out->count++] = (struct sl_iov){data, size};
}

/* The next unsent run of bytes at the cursor, which moves past it; false: the frame is at its
 * end. */
static bool next_piece(const struct sl_request *request, struct sl_send_cursor *cursor,
                       struct piece_gather *out) {
    if (cursor->splice < request->splice_count &&
        request->splices[cursor->splice].at == cursor->head) {
        const struct sl_splice *splice = &request->splices[cursor->splice];
        if (cursor->piece == splice->piece_count) {
            cursor->splice++;
            cursor->piece = 0;
            return true;
        }
        const struct sl_iov *piece = &splice->pieces[cursor->piece++];
        add_send_piece(out, (const uint8_t *)piece->data + cursor->at, piece->size - cursor->at);
        cursor->at = 0;
        return true;
    }
    size_t end = cursor->splice < request->splice_count ? request->splices[cursor->splice].at
                                                        : request->head.size;
    if (cursor->head == end) return false;
    add_send_piece(out, request->head.data + cursor->head, end - cursor->head);
    cursor->head = end;
    return true;
}

size_t sl_link_send_pieces(const struct sl_link *link, struct sl_iov *pieces, size_t cap) {
    struct piece_gather out = {.pieces = pieces, .cap = cap};
    for (struct sl_list *node = link->unsent; node != &link->queue; node = node->next) {
        const struct sl_request *request = SL_LIST_OF(node, struct sl_request, node);
        if (request->sent == 0 && link->muted_until > link->core->now) break;
        struct sl_send_cursor cursor = request->cursor;
        bool more = true;
        while (more && out.count < cap) more = next_piece(request, &cursor, &out);
        if (out.count == cap) break;
    }
    return out.count;
}

/* Moves the cursor by exactly size bytes, which are there. */
static void advance_cursor(struct sl_request *request, size_t size) {
    struct sl_send_cursor *cursor = &request->cursor;
    while (size > 0) {
        struct sl_iov piece;
        struct piece_gather out = {.pieces = &piece, .cap = 1};
        struct sl_send_cursor before = *cursor;
        bool more = next_piece(request, cursor, &out);
        SL_ASSERT(more);
        if (out.count == 0) continue;
        if (piece.size <= size) {
            size -= piece.size;
            continue;
        }
        *cursor = before;
        bool in_splice = before.splice < request->splice_count &&
                         request->splices[before.splice].at == before.head;
        if (in_splice) {
            cursor->at += size;
        } else {
            cursor->head += size;
        }
        size = 0;
    }
}

/* The last byte has left. True: the request has ended by that. */
static bool finish_sending(struct sl_link *link, struct sl_request *request) {
    request->sent_whole = true;
    link->unsent = request->node.next;
    if (!request->no_response) return false;
    if (sl_link_has_lasted(link)) sl_link_note_use(link);
    sl_link_unqueue(link, request);
    request->on_done(link->core, request, 0, NULL);
    return true;
}

bool sl_link_on_sent(struct sl_link *link, size_t size) {
    uint32_t id = link->id;
    bool ended = false;
    sl_stats_on_bytes_out(link, size);
    link->last_used = link->core->now;
    while (size > 0 && link->id == id) {
        SL_ASSERT(link->unsent != &link->queue); /* else the host sent what we never gave */
        struct sl_request *request = SL_LIST_OF(link->unsent, struct sl_request, node);
        size_t part = request->size - request->sent;
        if (part > size) part = size;
        request->sent += part;
        size -= part;
        if (request->sent == request->size) {
            ended |= finish_sending(link, request);
        } else {
            advance_cursor(request, part);
        }
    }
    if (link->id == id) sl_link_on_answered(link);
    return ended || link->id != id;
}
