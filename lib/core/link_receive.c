/* What arrives over a connection: frames out of bytes, answers to requests.
 *
 * Bytes go into `in`, which always begins with a frame; while none of a frame is there, the link
 * holds no buffer, and the next bytes go into the spare one that all links share. Memory follows
 * what has been received, not what a prefix claims: a claim up to 1 MiB, or up to twice the
 * largest answer that this connection has brought so far, is taken at once; beyond that the buffer
 * doubles as it fills. So a stream of large Fetch answers lands in place without copies, and a
 * lying prefix costs little.
 *
 * The answer to a Fetch gets a buffer of its own, because the application keeps it; all others are
 * read where they lie. Answers come in the order of their requests (protocol notes 3.1); another
 * correlation id means that the stream cannot be trusted, and ends the connection.
 *
 * An answer longer than receive.message.max.bytes ends it too. Of one to a Fetch the beginning is
 * handed on first: brokers send the first batch whole, however large it is (KIP-74), and would again
 * and again; its partition has to be known, so that it can be stopped. */
#include <inttypes.h>
#include <string.h>

#include "core/unit.h"
#include "sluice/error.h"
#include "wire/frame.h"

enum {
    RECEIVE_FIRST = 64 * 1024,            /* less costs system calls (measured) */
    RECEIVE_EXPECT_MAX = 8 * 1024 * 1024, /* what the shared spare buffer may grow to */
    RECEIVE_CLAIM = 1024 * 1024,          /* taken at once for any connection */
    RECEIVE_SETUP_MAX = 32 * 1024,        /* no answer before READY is longer */
    RECEIVE_CUT = 1024 * 1024 /* of one that is too long: what comes before the records of 20,000
                               * partitions */
};

/* ---- room ---- */

static struct sl_buffer *spare_buffer(struct sl_link *link) {
    struct sl_links *links = &link->core->links;
    struct sl_buffers *buffers = &link->core->buffers;
    size_t want = RECEIVE_FIRST;
    if (link->purpose == SL_PURPOSE_FETCH && link->last_frame > want) want = link->last_frame;
    if (want > RECEIVE_EXPECT_MAX) want = RECEIVE_EXPECT_MAX;
    if (links->spare != NULL && links->spare->cap < want) {
        sl_buffers_give(buffers, links->spare);
        links->spare = NULL;
    }
    if (links->spare == NULL) links->spare = sl_buffers_take(buffers, want);
    return links->spare;
}

/* Makes room in `in` for more of its frame. 0 or NOMEM. */
static int grow_room(struct sl_link *link) {
    struct sl_buffer *in = link->in;
    size_t at_once = link->trusted * 2 > RECEIVE_CLAIM ? link->trusted * 2 : RECEIVE_CLAIM;
    size_t cap = link->in_need;
    if (cap > at_once) {
        if (in->size < in->cap) return 0; /* it is not full yet */
        cap = in->cap * 2 > at_once ? in->cap * 2 : at_once;
        if (cap > link->in_need) cap = link->in_need;
    }
    if (cap <= in->cap) return 0;
    struct sl_buffer *bigger = sl_buffers_grow(&link->core->buffers, in, cap);
    if (bigger == NULL) return SLUICE_ERR_NOMEM;
    link->in = bigger;
    return 0;
}

static bool is_receiving(const struct sl_link *link) {
    return link->state >= SL_LINK_NEGOTIATING && link->state <= SL_LINK_DRAINING;
}

uint8_t *sl_link_receive_room(struct sl_link *link, size_t *size) {
    *size = 0;
    if (!is_receiving(link)) return NULL;
    struct sl_buffer *buffer = link->in;
    if (buffer == NULL) {
        buffer = spare_buffer(link);
    } else if (grow_room(link) == 0) {
        buffer = link->in;
    } else {
        buffer = NULL;
    }
    if (buffer == NULL) {
        sl_link_fail(link, SLUICE_ERR_NOMEM, "no memory for an answer");
        return NULL;
    }
    SL_ASSERT(buffer->size < buffer->cap);
    *size = buffer->cap - buffer->size;
    return buffer->data + buffer->size;
}

/* ---- answers ---- */

static void count_link_answer(struct sl_link *link, const struct sl_request *request) {
    struct sl_core *core = link->core;
    sl_stats_on_answer(link, request);
    link->last_used = core->now;
    sl_trace_add(&core->trace, SL_TRACE_RESPONSE, core->now, request->api->key,
                 request->correlation);
    if (request == &link->negotiation) return;
    sl_link_note_use(link);
}

/* The request that the frame answers, or NULL after failing the link. body is left at the body. */
static struct sl_request *match_answer(struct sl_link *link, struct sl_reader *body) {
    struct sl_list *first = sl_list_peek(&link->queue);
    struct sl_request *request = first == NULL ? NULL : SL_LIST_OF(first, struct sl_request, node);
    if (request == NULL || !request->sent_whole) {
        sl_link_fail(link, SLUICE_ERR_MALFORMED, "it sent an answer that nobody asked for");
        return NULL;
    }
    int32_t correlation;
    int rv = sl_frame_decode_response_header(body, request->api, request->version, &correlation);
    if (rv != 0) {
        sl_link_fail(link, rv, "the header of its answer to %s could not be read",
                     request->api->name);
        return NULL;
    }
    if (correlation != request->correlation) {
        sl_link_fail(link, SLUICE_ERR_MALFORMED,
                     "it answered request %" PRId32 " when %" PRId32 " (%s) was next", correlation,
                     request->correlation, request->api->name);
        return NULL;
    }
    return request;
}

/* Hands one frame to whoever asked. buffer: holds the frame, for the handler to keep; or NULL.
 * What is left of it goes back to the pool. */
static void deliver_answer(struct sl_link *link, const uint8_t *frame, size_t size,
                           struct sl_buffer *buffer) {
    struct sl_core *core = link->core;
    struct sl_response response = {.buffer = buffer, .link = link, .cut_from = link->in_cut};
    sl_reader_init(&response.body, frame + SL_FRAME_PREFIX, size - SL_FRAME_PREFIX);
    struct sl_request *request = match_answer(link, &response.body);
    if (request != NULL) {
        link->last_frame = size;
        if (size > link->trusted) link->trusted = size;
        sl_link_unqueue(link, request);
        count_link_answer(link, request);
        request->on_done(core, request, 0, &response);
    }
    sl_buffers_give(&core->buffers, response.buffer);
}

/* ---- frames ---- */

static bool is_fetch_next(const struct sl_link *link) {
    const struct sl_list *first = link->queue.next;
    if (first == &link->queue) return false;
    return SL_LIST_OF(first, const struct sl_request, node)->api->key == SL_API_FETCH;
}

static void refuse_length(struct sl_link *link, uint32_t length, uint32_t most) {
    sl_link_fail(link, SLUICE_ERR_MALFORMED,
                 "an answer of %" PRIu32 " bytes is not allowed (receive.message.max.bytes "
                 "is %" PRIu32 ")",
                 length, most);
}

/* Checks the prefix of the frame at data, of which `size` bytes are there; returns the size of the
 * frame with its prefix, or of what is received of it, or 0 after failing the link. */
static size_t check_prefix(struct sl_link *link, const uint8_t *data, size_t size) {
    const struct sl_broker *broker = link->broker;
    uint32_t length = sl_bytes_get32(data);
    uint32_t most = link->state == SL_LINK_NEGOTIATING || link->state == SL_LINK_AUTHENTICATING
                        ? RECEIVE_SETUP_MAX
                        : (uint32_t)link->core->settings->receive_frame_max;
    enum { LENGTH_MIN = 4 }; /* a correlation id */
    if (length >= LENGTH_MIN && length <= most) return (size_t)length + SL_FRAME_PREFIX;
    const char *what = sl_frame_guess(data, size);
    if (what == NULL && length > most && length <= INT32_MAX && is_fetch_next(link)) {
        link->in_cut = length;
        return SL_FRAME_PREFIX + (most < RECEIVE_CUT ? most : RECEIVE_CUT);
    }
    if (what != NULL) {
        sl_link_fail(link, SLUICE_ERR_MALFORMED,
                     "%s:%u does not speak Kafka: it sent %s; check the port and "
                     "security.protocol",
                     broker->host, broker->port, what);
    } else if (!link->of_use && link->state == SL_LINK_NEGOTIATING) {
        sl_link_fail(link, SLUICE_ERR_MALFORMED,
                     "%s:%u does not speak Kafka: it sent a frame of %" PRIu32
                     " bytes to begin with; check the port",
                     broker->host, broker->port, length);
    } else {
        refuse_length(link, length, most);
    }
    return 0;
}

/* A buffer with a copy of the frame, or NULL after failing the link. */
static struct sl_buffer *copy_frame(struct sl_link *link, const uint8_t *frame, size_t size) {
    struct sl_buffer *buffer = sl_buffers_take(&link->core->buffers, size);
    if (buffer == NULL) {
        sl_link_fail(link, SLUICE_ERR_NOMEM, "no memory for an answer");
        return NULL;
    }
    memcpy(buffer->data, frame, size);
    buffer->size = size;
    return buffer;
}

/* Hands the whole frame at `at` of `in` on. in stays with the caller, or is gone (*in NULL). */
static void deliver_frame(struct sl_link *link, struct sl_buffer **in, size_t at, size_t need) {
    const uint8_t *frame = (*in)->data + at;
    struct sl_buffer *own = NULL;
    if (is_fetch_next(link)) {
        enum { WASTE = 4 }; /* a buffer is handed out when at least a quarter of it is used */
        if (at == 0 && (*in)->size == need && need >= (*in)->cap / WASTE) {
            own = *in;
            *in = NULL;
        } else {
            own = copy_frame(link, frame, need);
            if (own == NULL) return;
            frame = own->data;
        }
    }
    deliver_answer(link, frame, need, own);
}

/* What is left after the whole frames becomes the beginning of `in`, or the spare buffer. */
static void keep_rest(struct sl_link *link, struct sl_buffer *in, size_t at) {
    struct sl_links *links = &link->core->links;
    in->size -= at;
    if (in->size > 0) {
        if (at > 0) memmove(in->data, in->data + at, in->size);
        link->in = in;
    } else if (links->spare == NULL && in->cap <= RECEIVE_EXPECT_MAX) {
        links->spare = in;
    } else {
        sl_buffers_give(&link->core->buffers, in);
    }
}

void sl_link_on_received(struct sl_link *link, size_t size) {
    struct sl_core *core = link->core;
    uint32_t id = link->id;
    if (size == 0) return;
    /* Taken off the link while answers are handled: a handler may fail the link. */
    struct sl_buffer *in = link->in;
    if (in == NULL) {
        in = core->links.spare;
        core->links.spare = NULL;
    }
    SL_ASSERT(in != NULL && size <= in->cap - in->size);
    link->in = NULL;
    in->size += size;
    sl_stats_on_bytes_in(link, size);
    size_t at = 0;
    while (link->id == id && in != NULL) {
        size_t left = in->size - at;
        if (link->in_need == 0 && left >= SL_FRAME_PREFIX) {
            link->in_need = check_prefix(link, in->data + at, left);
        }
        if (link->id != id || link->in_need == 0 || left < link->in_need) break;
        size_t need = link->in_need;
        link->in_need = link->in_seen = 0;
        deliver_frame(link, &in, at, need);
        at += need;
        if (link->id == id && link->in_cut != 0)
            refuse_length(link, link->in_cut, (uint32_t)core->settings->receive_frame_max);
    }
    if (link->id != id) {
        sl_buffers_give(&core->buffers, in);
        return;
    }
    if (in != NULL) keep_rest(link, in, at);
    sl_link_on_answered(link);
}
