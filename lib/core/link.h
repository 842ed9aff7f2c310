/* One connection: opening, ApiVersions negotiation with its fallbacks, pipelined requests in
 * order, correlation, timeouts, throttling, idle sleep. A link has a purpose, so that a long Fetch
 * delays no heartbeat; it opens lazily. */
#ifndef SL_CORE_LINK_H
#define SL_CORE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "core/buffers.h"
#include "core/stats.h"
#include "wire/api.h"
#include "wire/codec.h"

struct sl_core;
struct sl_broker;
struct sl_link;
struct sl_sasl;

enum sl_purpose {
    SL_PURPOSE_CONTROL = 0, /* metadata, ids, offsets, topics */
    SL_PURPOSE_PRODUCE,
    SL_PURPOSE_FETCH,
    SL_PURPOSE_COORDINATOR, /* heartbeats and commits of a group */
    SL_PURPOSE_JOIN,        /* JoinGroup and SyncGroup: a broker answers when all members have come,
                             * and answers nothing else on that connection before */
    SL_PURPOSE_COUNT
};
enum sl_link_state {
    SL_LINK_IDLE = 1,         /* not connected, nothing wanted */
    SL_LINK_RESOLVING,        /* its broker's name is being looked up */
    SL_LINK_OPENING,          /* connecting */
    SL_LINK_NEGOTIATING,      /* ApiVersions under way */
    SL_LINK_AUTHENTICATING,   /* SASL steps under way */
    SL_LINK_READY,            /* requests may be queued */
    SL_LINK_REAUTHENTICATING, /* answers still arrive, no new request leaves (KIP-368) */
    SL_LINK_DRAINING,         /* no new requests; closes when the last answer is in */
    SL_LINK_WAITING           /* failed; may open again at its broker's retry time */
};

/* A whole answer. The body is valid during the call of on_done. */
struct sl_response {
    struct sl_buffer *buffer; /* Fetch: the frame in a buffer of its own; a handler that keeps it
                               * sets this to NULL. Other APIs: NULL */
    struct sl_reader body;    /* at the body */
    struct sl_link *link;
    uint32_t cut_from; /* Fetch: the answer has so many bytes, more than may be received, and only
                        * its beginning is here; the link fails after it. 0: it is whole */
};
struct sl_request;
/* The end of a request, exactly once. rv 0: resp is the answer (NULL for one with no_response).
 * Otherwise resp is NULL: SLUICE_ERR_TIMEOUT, UNREACHABLE (connection lost), MALFORMED, NOMEM,
 * CLOSED; when a link fails, the request whose turn it was gets the reason, those behind it
 * UNREACHABLE. request->sent_whole says whether the broker may have acted on it. The link has let
 * go of the request and of all its bytes. */
typedef void (*sl_request_done_fn)(struct sl_core *core, struct sl_request *request, int rv,
                                   struct sl_response *resp);

enum { SL_REQUEST_SPLICES = 1024 };
/* How far a frame has been sent: `head` bytes of its head, and at that place so much of the splice
 * that belongs there. */
struct sl_send_cursor {
    size_t head;
    size_t splice; /* index of the next splice */
    int32_t piece; /* in it */
    size_t at;     /* bytes of that piece */
};
/* A request in flight; embedded in what the asking unit keeps. Zero it, encode, queue it. */
struct sl_request {
    struct sl_list node; /* the link's queue */
    const struct sl_api *api;
    struct sl_writer head;     /* owned: the encoded frame without its splices */
    struct sl_splice *splices; /* borrowed until done; in order */
    size_t splice_count;
    size_t size;                  /* of the whole frame */
    size_t sent;                  /* bytes reported sent */
    struct sl_send_cursor cursor; /* the same place in head and splices */
    int64_t deadline;             /* monotonic; set when queued */
    int64_t queued_at;
    int32_t correlation;
    int16_t version;
    size_t secret;    /* bytes of it that are wiped when it is discarded; 0: it has none */
    bool no_response; /* acks=0: done as soon as sent whole */
    bool sent_whole;  /* the last byte left: the broker may have acted on it */
    sl_request_done_fn on_done;
};

/* opens: attempts at a connection; connects: those that came about. */
struct sl_link_counts {
    uint64_t requests, responses, bytes_out, bytes_in, opens, connects, failures, timeouts;
};
struct sl_version_range {
    int16_t min, max; /* max -1: the broker does not have this API */
};

struct sl_link {
    struct sl_list node;   /* all links of the core */
    struct sl_list output; /* core->outputs, while it has something for the host */
    struct sl_core *core;
    struct sl_broker *broker; /* owner */
    enum sl_purpose purpose;
    enum sl_link_state state;
    uint32_t id;              /* new for each connection; 0: none */
    struct sl_list queue;     /* requests in order: sent and waiting, then not yet sent whole */
    struct sl_list *unsent;   /* first request with bytes to send; the list head when none */
    uint32_t in_flight;       /* requests in the queue that expect an answer */
    int32_t correlation;      /* last used */
    int64_t opened_at;        /* the present attempt or connection began */
    int64_t setup_deadline;   /* while RESOLVING to AUTHENTICATING: of the present state */
    int64_t request_deadline; /* no request of the queue has an earlier one */
    int64_t muted_until;      /* KIP-219: nothing leaves before; 0: not muted */
    int64_t last_used;
    struct sl_heap_node timer; /* setup, oldest request, mute, idle: whichever is first */
    int32_t address;           /* index in broker->addresses of the present attempt */
    struct sl_buffer *in; /* owned: begins with the frame being received; NULL: no bytes of it */
    size_t in_need;       /* bytes of that frame, prefix included; 0: prefix incomplete */
    uint32_t in_cut;      /* of an answer too long to be received, whose beginning in_need is: its
                           * length; 0: the whole of it is received */
    size_t in_seen;       /* bytes of it that were there when its request was given more time */
    size_t last_frame;    /* size of the last whole answer: what the next may need */
    size_t trusted;       /* size of the largest: claims up to its double get memory at once */
    struct sl_version_range versions[SL_API_KEY_LIMIT];
    int16_t negotiate_version;     /* of the ApiVersions request under way */
    struct sl_request negotiation; /* ApiVersions, and the messages of SASL */
    struct sl_sasl *sasl;          /* owned: authentication under way; NULL: none is */
    int64_t
        auth_at; /* READY: when to authenticate anew; then: when that has to have begun or ended;
                      * SL_NEVER: at no time */
    int64_t handshake_at;      /* SaslHandshake was answered last */
    uint32_t identity;         /* of the login (login.h) that it authenticated with */
    struct sl_list login_node; /* login: links that wait for it */
    bool of_use; /* a whole answer came on this connection, ApiVersions not counted; or a request
                  * that gets none left when it had lasted */
    struct sl_link_counts counts;
    struct sl_spread latency; /* of its answers */
    bool hung_up;             /* the peer ended the connection that fails just now */
    bool wants_open;          /* the host must be told to connect id */
    bool wants_send;          /* the host must be told that there are bytes */
    uint32_t closing_id;      /* the connection that the host must be told to close; 0: none */
};
struct sl_links {
    struct sl_core *core;
    struct sl_list all;
    uint32_t count;
    struct sl_heap timers;
    struct sl_map by_id; /* struct sl_link by the id of its connection */
    uint32_t last_id;
    struct sl_buffer *spare; /* owned: the empty buffer that the next bytes go into */
};

/* A request may be queued now: ready, not muted, not draining. */
bool sl_link_is_ready(const struct sl_link *link);
/* The version to use: the highest in both ranges and within [low, high]; -1: none. */
int16_t sl_link_version(const struct sl_link *link, const struct sl_api *api, int16_t low,
                        int16_t high);
/* Encodes message into request->head with a fresh correlation id; splices: the caller's array for
 * record pieces, may be NULL. 0, NOMEM or USAGE. */
int sl_link_encode(struct sl_link *link, struct sl_request *request, const struct sl_api *api,
                   int16_t version, const void *message, struct sl_splice *splices,
                   size_t splice_cap);
/* Queues an encoded request; the deadline is now + timeout_ms. The link must be ready. */
void sl_link_send(struct sl_link *link, struct sl_request *request, int32_t timeout_ms);
/* Gives back what an encoded request holds that will not be queued after all. */
void sl_link_discard(struct sl_request *request);
/* throttle_time_ms of an answer: mutes the link (KIP-219), capped at 60 s. */
void sl_link_throttle(struct sl_link *link, int32_t throttle_ms);
/* Gives the connection up because of what the peer did; its requests end (sl_request_done_fn). */
void sl_link_fail(struct sl_link *link, int rv, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- for brokers.c and core.c ---- */

void sl_link_init_all(struct sl_links *links, struct sl_core *core);
/* Links are gone already. */
void sl_link_deinit_all(struct sl_links *links);
/* NULL: out of memory. */
struct sl_link *sl_link_create(struct sl_broker *broker, enum sl_purpose purpose);
/* Not connected, nothing queued, nothing left to tell the host. */
void sl_link_destroy(struct sl_link *link);
/* From IDLE or WAITING: looks the name up if need be, then connects. */
void sl_link_open(struct sl_link *link);
/* The broker's addresses are known now: a link that waits for them connects. */
void sl_link_on_addresses(struct sl_link *link);
/* Ends without an error what has no more use: now when nothing is under way, else once the last
 * answer is in. */
void sl_link_drain(struct sl_link *link);
/* No connection, none wanted, nothing to tell the host. */
bool sl_link_is_at_rest(const struct sl_link *link);
/* A connection is being made. */
bool sl_link_is_opening(const struct sl_link *link);
/* There is a connection over which requests travel, though perhaps not at this moment. */
bool sl_link_is_up(const struct sl_link *link);
/* NULL: no such connection (any more). */
struct sl_link *sl_link_find(const struct sl_core *core, uint32_t id);
/* The host's inputs of the same names (core.h). Afterwards the link may have no connection. */
void sl_link_on_opened(struct sl_link *link);
void sl_link_on_closed(struct sl_link *link, int rv, const char *text);
uint8_t *sl_link_receive_room(struct sl_link *link, size_t *size);
void sl_link_on_received(struct sl_link *link, size_t size);
size_t sl_link_send_pieces(const struct sl_link *link, struct sl_iov *pieces, size_t cap);
bool sl_link_on_sent(struct sl_link *link, size_t size);
/* Acts on the timers that have passed. */
void sl_link_run_timers(struct sl_core *core);
/* Ends the connection now, without its being the peer's fault; its requests end with rv. */
void sl_link_cut(struct sl_link *link, int rv);
const char *sl_link_state_name(enum sl_link_state state);
const char *sl_link_purpose_name(enum sl_purpose purpose);

/* ---- between the link_*.c files ---- */

void sl_link_set_state(struct sl_link *link, enum sl_link_state state);
/* Arms the timer for whatever is due first. */
void sl_link_arm(struct sl_link *link);
/* The host has something to do for this link. */
void sl_link_want_output(struct sl_link *link);
/* Queues an encoded request whatever the state; deadline: absolute. */
void sl_link_queue(struct sl_link *link, struct sl_request *request, int64_t deadline);
/* Takes the request out of the queue, frees its bytes. */
void sl_link_unqueue(struct sl_link *link, struct sl_request *request);
/* Nothing is in flight any more: a draining link closes. */
void sl_link_on_answered(struct sl_link *link);
/* The connection is so old that it is of use, though nobody answers (acks=0). */
bool sl_link_has_lasted(const struct sl_link *link);
/* The connection is of use: with the first time the back-off of its broker begins anew. */
void sl_link_note_use(struct sl_link *link);
/* Connected: ask for the versions. */
void sl_link_negotiate(struct sl_link *link);
/* The negotiation failed. When the peer hung up on it, as older brokers and some proxies do to a
 * version they do not know, the next connection asks in a lower one: true then, false when none is
 * left or something else was wrong. */
bool sl_link_negotiate_lower(struct sl_link *link);

#endif
