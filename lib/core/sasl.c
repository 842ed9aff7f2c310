/* How a connection authenticates, in opaque steps.
 *
 *   NEGOTIATING ── versions ──▶ AUTHENTICATING ── the last answer ──▶ READY
 *                                                                     │ ▲ at 85 to 95 % of the session
 *                                                                     ▼ │
 *                                                             REAUTHENTICATING
 *
 * The same exchange serves both. SaslHandshake names the mechanism, each SaslAuthenticate carries a
 * message of it; both travel as link->negotiation, one at a time. A broker that offers other mechanisms
 * alone is told of with their names, and none of them is taken in place of the one that was configured:
 * whoever sits between could else choose the weakest.
 *
 * Anew: no further request leaves, what is in flight is answered first, so no answer can be taken for
 * one of ours; then the exchange runs on the same connection. Brokers take it even when the session has
 * ended meanwhile, but no other request then. They allow one in a second, counted from its handshake.
 * A session keeps its user: when that has changed the connection drains, and the next one is another's.
 *
 * GSSAPI: the host makes the messages, because tickets are asked for over the network. Each is an errand
 * that has the broker's last answer, and brings what to send and whether that is all; the conversation
 * itself goes to and fro as what the host keeps (errand.h). The connection waits for it, and nothing else
 * does. An answer that comes when the connection has ended is nobody's.
 *
 * Bounds: all of it together has the time of setting up a connection; PLAIN has one step, SCRAM and
 * OAUTHBEARER have two, GSSAPI a few, so no broker can go on asking.
 *
 * Not done here: what mechanisms say (scram.c, sasl_tokens.c, the host), credentials (login.c). */
#include "core/sasl.h"

#include <inttypes.h>
#include <string.h>

#include "core/plant.h"
#include "core/sasl_tokens.h"
#include "core/unit.h"
#include "sluice/error.h"
#include "sluice/kafka_errors.h"
#include "wire/errors.h"
#include "wire/frame.h"
#include "wire/messages.h"

enum {
    SASL_MEMORY_MAX = 40 * 1024, /* what a decoded answer may take: its frame has 32 KiB at most */
    SASL_AGAIN_MS = 1000,        /* brokers refuse to begin anew earlier */
    SASL_TURNS_MAX = 10          /* messages of GSSAPI; Kerberos needs three */
};

enum sl_sasl_step {
    SL_SASL_STEP_HANDSHAKE = 1, /* the mechanism was named */
    SL_SASL_STEP_FIRST,         /* the first message was sent */
    SL_SASL_STEP_KEYS,          /* SCRAM: the keys are being made */
    SL_SASL_STEP_HOST,          /* GSSAPI: the next message is being made */
    SL_SASL_STEP_LAST           /* what is sent now is answered with success, or not at all */
};
/* An exchange under way. */
struct sl_sasl {
    struct sl_link *link; /* owner */
    enum sl_sasl_step step;
    uint32_t serial;   /* of the credentials it began with */
    uint32_t identity; /* the same */
    int64_t asked_at;  /* the last message was sent */
    int64_t used_at;   /* last_used of the link before: authenticating is no use */
    bool is_scram;
    struct sl_scram scram;
    struct sl_scram_keys keys; /* from the proof on */
    char reason[160];          /* what the broker had to say against a token */
    struct sl_errand errand;   /* GSSAPI: the next message, … */
    struct sl_writer told;     /* … and what the broker said before it */
    int turns;                 /* messages that were asked for */
};

static enum sl_sasl_mechanism link_mechanism(const struct sl_link *link) {
    return link->core->settings->sasl_mechanism;
}

static void forget_told(struct sl_sasl *sasl) {
    if (sasl->told.data != NULL) sl_alloc_wipe(sasl->told.data, sasl->told.cap);
    sl_writer_deinit(&sasl->told);
}

void sl_sasl_end(struct sl_link *link) {
    struct sl_sasl *sasl = link->sasl;
    sl_list_remove(&link->login_node);
    link->sasl = NULL;
    link->auth_at = SL_NEVER;
    if (sasl == NULL) return;
    if (sasl->is_scram) sl_scram_deinit(&sasl->scram);
    sl_errand_drop(&sasl->errand);
    forget_told(sasl);
    sl_alloc_wipe(sasl, sizeof *sasl);
    sl_alloc_free(link->core->alloc, sasl, sizeof *sasl);
}

/* ---- failing ---- */

/* The broker, or we, do not go on: the credentials are wrong, or one of both is not who it says. */
static void refuse_login(struct sl_link *link, const char *why) {
    struct sl_core *core = link->core;
    const struct sl_broker *broker = link->broker;
    char story[sizeof broker->story];
    struct sl_text text;
    uint32_t serial = link->sasl->serial;
    bool has_user = core->login.user != NULL && core->login.user[0] != '\0';
    sl_text_init(&text, story, sizeof story);
    sl_text_printf(&text, "authentication failed (%s%s%.60s%s): %s",
                   sl_login_mechanism_name(link_mechanism(link)), has_user ? ", user \"" : "",
                   has_user ? core->login.user : "", has_user ? "\"" : "", why);
    sl_link_fail(link, SLUICE_ERR_AUTH, "%s", story);
    sl_login_on_refused(core, broker, serial, story);
}

/* A text of the broker, with nothing in it that could do harm to a log. */
static void put_peer_text(struct sl_text *out, struct sl_str text) {
    enum { PEER_TEXT_MAX = 150 };
    for (int32_t i = 0; i < text.size && i < PEER_TEXT_MAX; i++) {
        char c = text.data[i];
        if (c < ' ' || c > '~') c = '?';
        sl_text_put_len(out, &c, 1);
    }
}

static void fail_exchange(struct sl_link *link, int rv, const char *what) {
    if (rv == SLUICE_ERR_NOMEM)
        sl_link_fail(link, rv, "no memory to authenticate with");
    else
        sl_link_fail(link, rv, "its answer to %s could not be read", what);
}

/* ---- the end of it ---- */

/* Who the link is, and for how long. */
static void finish_exchange(struct sl_link *link, int64_t lifetime_ms) {
    struct sl_core *core = link->core;
    struct sl_sasl *sasl = link->sasl;
    int64_t asked_at = sasl->asked_at, used_at = sasl->used_at;
    bool is_anew = link->state == SL_LINK_REAUTHENTICATING;
    link->identity = sasl->identity;
    sl_login_on_accepted(core, sasl->serial);
    sl_sasl_end(link);
    link->request_deadline = SL_NEVER;
    if (lifetime_ms > 0 && !SL_PLANTED(11)) {
        enum { EARLIEST = 85, LATEST = 95 }; /* per cent, as KIP-368 has it */
        if (lifetime_ms > INT32_MAX) lifetime_ms = INT32_MAX;
        link->auth_at = asked_at + lifetime_ms * SL_MS / 1000 *
                                       sl_rng_range(&core->rng, EARLIEST * 10, LATEST * 10);
    }
    if (is_anew) link->last_used = used_at;
    sl_link_set_state(link, SL_LINK_READY);
    sl_link_arm(link);
    sl_core_log(core, SL_LOG_DEBUG, "%s:%u (%s): authenticated%s", link->broker->host,
                link->broker->port, sl_link_purpose_name(link->purpose), is_anew ? " anew" : "");
}

/* ---- asking ---- */

/* Whether the answer is still of use: a draining link only waits for it. */
static bool is_exchange_on(const struct sl_link *link) {
    return link->sasl != NULL &&
           (link->state == SL_LINK_AUTHENTICATING || link->state == SL_LINK_REAUTHENTICATING);
}

/* Queues a message of the exchange. secret: bytes of it that nobody may find in memory later. */
static void ask_in_exchange(struct sl_link *link, int16_t key, const void *message, size_t secret,
                            sl_request_done_fn on_done) {
    struct sl_core *core = link->core;
    const struct sl_api *api = sl_api_find(key);
    int16_t version = sl_link_version(link, api, api->client_min, api->client_max);
    if (version < 0) {
        sl_link_fail(link, SLUICE_ERR_UNSUPPORTED, "it offers no %s that we speak", api->name);
        return;
    }
    memset(&link->negotiation, 0, sizeof link->negotiation);
    link->negotiation.on_done = on_done;
    link->negotiation.secret = secret;
    int rv = sl_link_encode(link, &link->negotiation, api, version, message, NULL, 0);
    if (rv != 0) {
        fail_exchange(link, SLUICE_ERR_NOMEM, "");
        return;
    }
    link->sasl->asked_at = core->now;
    sl_link_queue(link, &link->negotiation,
                  core->now + (int64_t)core->settings->request_timeout_ms * SL_MS);
}

static void on_authenticated(struct sl_core *core, struct sl_request *request, int rv,
                             struct sl_response *resp);

/* Takes the message, and wipes it. rv: of making it. */
static void send_message(struct sl_link *link, int rv, struct sl_writer *text) {
    struct sl_sasl_authenticate_request message;
    sl_codec_defaults(sl_api_find(SL_API_SASL_AUTHENTICATE)->request, &message);
    if (rv != 0 || text->failed) {
        fail_exchange(link, SLUICE_ERR_NOMEM, "");
    } else {
        message.auth_bytes = (struct sl_bytes){text->data, (int32_t)text->size};
        ask_in_exchange(link, SL_API_SASL_AUTHENTICATE, &message, text->size, on_authenticated);
    }
    if (text->data != NULL) sl_alloc_wipe(text->data, text->cap);
    sl_writer_deinit(text);
}

/* ---- messages of the host ---- */

/* The host could not make one. */
static void fail_errand(struct sl_link *link, const struct sl_errand_answer *answer) {
    if (answer->rv == SLUICE_ERR_NOMEM)
        fail_exchange(link, answer->rv, "");
    else if (answer->rv == SLUICE_ERR_AUTH || answer->rv == SLUICE_ERR_UNSUPPORTED)
        refuse_login(link, answer->text);
    else
        sl_link_fail(link, answer->rv, "no ticket could be had: %s", answer->text);
}

static void on_message(struct sl_core *core, struct sl_errand *errand,
                       const struct sl_errand_answer *answer) {
    struct sl_sasl *sasl = SL_LIST_OF(errand, struct sl_sasl, errand);
    struct sl_link *link = sasl->link;
    struct sl_writer text;
    forget_told(sasl);
    if (!is_exchange_on(link)) return;
    if (answer->rv != 0 || answer->bytes.size < 1) {
        fail_errand(link, answer);
        return;
    }
    size_t size = (size_t)answer->bytes.size - 1;
    sl_writer_init(&text, core->alloc);
    bool is_room = sl_writer_grow(&text, size + 1);
    if (is_room) sl_writer_raw(&text, answer->bytes.data + 1, size);
    sasl->step = answer->bytes.data[0] != 0 ? SL_SASL_STEP_LAST : SL_SASL_STEP_FIRST;
    send_message(link, is_room ? 0 : SLUICE_ERR_NOMEM, &text);
}

/* input: the broker's name, or what it said; it stays where it is for this turn. */
static void ask_host(struct sl_link *link, struct sl_bytes input) {
    struct sl_sasl *sasl = link->sasl;
    sasl->step = SL_SASL_STEP_HOST;
    sasl->turns++;
    sasl->errand.kind = SL_ERRAND_GSSAPI;
    sasl->errand.link = link->id;
    sasl->errand.input = input;
    sasl->errand.on_answer = on_message;
    sl_errand_send(link->core, &sasl->errand);
    sl_link_arm(link);
}

static void ask_host_again(struct sl_link *link, struct sl_bytes said) {
    struct sl_sasl *sasl = link->sasl;
    if (sasl->turns == SASL_TURNS_MAX) {
        refuse_login(link, "the broker does not come to an end");
        return;
    }
    /* A copy: the frame is gone when the host is told. */
    sl_writer_init(&sasl->told, link->core->alloc);
    if (said.size > 0) sl_writer_raw(&sasl->told, said.data, (size_t)said.size);
    if (sasl->told.failed)
        fail_exchange(link, SLUICE_ERR_NOMEM, "");
    else
        ask_host(link, (struct sl_bytes){sasl->told.data, (int32_t)sasl->told.size});
}

bool sl_sasl_waits_for_host(const struct sl_link *link) {
    return link->sasl != NULL && link->sasl->step == SL_SASL_STEP_HOST;
}

/* ---- first messages ---- */

/* What a first message needs at most, so that it never moves and leaves a copy behind. */
static size_t measure_first(const struct sl_core *core) {
    enum { AROUND = 256 };
    const char *extensions = core->settings->sasl_extensions;
    return strlen(core->login.user) * 3 + strlen(core->login.secret) + AROUND +
           (extensions != NULL ? strlen(extensions) : 0);
}

static int put_first_scram(struct sl_link *link, struct sl_writer *out) {
    struct sl_core *core = link->core;
    struct sl_sasl *sasl = link->sasl;
    char nonce[SL_SCRAM_NONCE + 1];
    int rv = sl_login_make_nonce(core, nonce);
    if (rv != 0) return rv;
    bool is_short = link_mechanism(link) == SL_SASL_SCRAM_SHA_256;
    sl_scram_init(&sasl->scram, is_short ? SL_DIGEST_SHA256 : SL_DIGEST_SHA512, nonce, core->alloc);
    sasl->is_scram = true;
    return sl_scram_first(&sasl->scram, core->login.user, core->settings->sasl_by_token, out);
}

static void send_first(struct sl_link *link) {
    struct sl_core *core = link->core;
    const struct sl_login *login = &core->login;
    const char *extensions = core->settings->sasl_extensions;
    struct sl_writer text;
    int rv = 0;
    if (link_mechanism(link) == SL_SASL_GSSAPI) {
        const char *host = link->broker->host;
        ask_host(link, (struct sl_bytes){(const uint8_t *)host, (int32_t)strlen(host)});
        return;
    }
    sl_writer_init(&text, core->alloc);
    if (!sl_writer_grow(&text, measure_first(core))) rv = SLUICE_ERR_NOMEM;
    link->sasl->step = SL_SASL_STEP_FIRST;
    switch (link_mechanism(link)) {
    case SL_SASL_NONE:
    case SL_SASL_GSSAPI:
        SL_UNREACHABLE();
    case SL_SASL_PLAIN:
        sl_sasl_tokens_plain(&text, login->user, login->secret);
        link->sasl->step = SL_SASL_STEP_LAST;
        break;
    case SL_SASL_OAUTHBEARER:
        sl_sasl_tokens_bearer(&text, login->secret, login->user,
                              extensions != NULL ? extensions : "");
        break;
    case SL_SASL_SCRAM_SHA_256:
    case SL_SASL_SCRAM_SHA_512:
        if (rv == 0) rv = put_first_scram(link, &text);
        break;
    }
    send_message(link, rv, &text);
}

/* SCRAM: the proof, once the keys are there. */
static void send_proof(struct sl_link *link) {
    struct sl_sasl *sasl = link->sasl;
    struct sl_writer text;
    int rv;
    const struct sl_scram_keys *keys = sl_login_take_keys(link->core, &sasl->scram, &rv);
    if (keys == NULL && rv == 0) {
        sasl->step = SL_SASL_STEP_KEYS;
        sl_login_wait(link);
        return;
    }
    sl_writer_init(&text, link->core->alloc);
    sasl->step = SL_SASL_STEP_LAST;
    if (rv == 0) {
        sasl->keys = *keys;
        rv = sl_scram_final(&sasl->scram, keys, &text);
    }
    send_message(link, rv, &text);
}

/* ---- answers ---- */

/* An answer in the middle of it, or the last. */
static void go_on(struct sl_link *link, const struct sl_sasl_authenticate_response *answer) {
    struct sl_sasl *sasl = link->sasl;
    struct sl_text why;
    int rv = 0;
    char buf[sizeof sasl->reason];
    sl_text_init(&why, buf, sizeof buf);
    if (link_mechanism(link) == SL_SASL_GSSAPI && sasl->step == SL_SASL_STEP_FIRST) {
        ask_host_again(link, answer->auth_bytes);
        return;
    }
    if (sasl->is_scram && sasl->step == SL_SASL_STEP_FIRST) {
        rv = sl_scram_on_first(&sasl->scram, answer->auth_bytes, &why);
        if (rv == 0) {
            send_proof(link);
            return;
        }
    } else if (sasl->is_scram) {
        rv = sl_scram_on_final(&sasl->scram, &sasl->keys, answer->auth_bytes, &why);
    } else if (answer->auth_bytes.size > 0 && sasl->step == SL_SASL_STEP_FIRST) {
        struct sl_writer text;
        struct sl_text reason;
        sl_text_init(&reason, sasl->reason, sizeof sasl->reason);
        sl_sasl_tokens_tell(answer->auth_bytes, &reason);
        sl_writer_init(&text, link->core->alloc);
        sl_writer_i8(&text, 1);
        sasl->step = SL_SASL_STEP_LAST;
        send_message(link, 0, &text);
        return;
    } else if (answer->auth_bytes.size > 0 || sasl->reason[0] != '\0') {
        rv = SLUICE_ERR_AUTH;
        sl_text_put(&why, sasl->reason[0] != '\0' ? sasl->reason : "an answer where none belongs");
    }
    if (rv == SLUICE_ERR_NOMEM)
        fail_exchange(link, rv, "");
    else if (rv != 0)
        refuse_login(link, buf);
    else
        finish_exchange(link, answer->session_lifetime_ms);
}

static void apply_answer(struct sl_link *link, const struct sl_sasl_authenticate_response *answer) {
    struct sl_sasl *sasl = link->sasl;
    char buf[sizeof link->broker->story];
    struct sl_text why;
    if (answer->error_code == 0) {
        go_on(link, answer);
        return;
    }
    sl_text_init(&why, buf, sizeof buf);
    if (sasl->reason[0] != '\0') sl_text_printf(&why, "%s; ", sasl->reason);
    if (answer->error_message.size > 0)
        put_peer_text(&why, answer->error_message);
    else
        sl_text_put(&why, sl_errors_find(answer->error_code)->name);
    refuse_login(link, buf);
}

static void on_authenticated(struct sl_core *core, struct sl_request *request, int rv,
                             struct sl_response *resp) {
    if (rv != 0) return; /* the link has failed, and that is all there is to it */
    struct sl_link *link = resp->link;
    struct sl_sasl_authenticate_response answer;
    struct sl_arena arena;
    if (!is_exchange_on(link)) return;
    sl_arena_init(&arena, core->alloc, SASL_MEMORY_MAX);
    rv = sl_frame_decode_response(&resp->body, &arena, request->api, request->version, &answer);
    if (rv != 0)
        fail_exchange(link, rv, "SaslAuthenticate");
    else
        apply_answer(link, &answer);
    sl_arena_deinit(&arena);
}

/* ---- the handshake ---- */

static void refuse_mechanism(struct sl_link *link,
                             const struct sl_sasl_handshake_response *answer) {
    char buf[sizeof link->broker->story];
    struct sl_text why;
    sl_text_init(&why, buf, sizeof buf);
    if (answer->error_code == SLUICE_KAFKA_UNSUPPORTED_SASL_MECHANISM) {
        const struct sl_str *names = answer->mechanisms.items;
        sl_text_put(&why, "the broker does not offer it here, but ");
        for (int32_t i = 0; i < answer->mechanisms.count; i++) {
            if (i > 0) sl_text_put(&why, ", ");
            put_peer_text(&why, names[i]);
        }
        if (answer->mechanisms.count <= 0) sl_text_put(&why, "nothing at all");
    } else if (answer->error_code == SLUICE_KAFKA_ILLEGAL_SASL_STATE) {
        sl_text_put(&why, "the broker wants none on this port; check security.protocol");
    } else {
        sl_text_printf(&why, "the broker refuses with %s",
                       sl_errors_find(answer->error_code)->name);
    }
    refuse_login(link, buf);
}

static void on_handshake(struct sl_core *core, struct sl_request *request, int rv,
                         struct sl_response *resp) {
    if (rv != 0) return; /* as above */
    struct sl_link *link = resp->link;
    struct sl_sasl_handshake_response answer;
    struct sl_arena arena;
    if (!is_exchange_on(link)) return;
    link->handshake_at = core->now;
    sl_arena_init(&arena, core->alloc, SASL_MEMORY_MAX);
    rv = sl_frame_decode_response(&resp->body, &arena, request->api, request->version, &answer);
    if (rv != 0)
        fail_exchange(link, rv, "SaslHandshake");
    else if (answer.error_code != 0)
        refuse_mechanism(link, &answer);
    else if (link->sasl->serial != core->login.serial)
        sl_link_fail(link, SLUICE_ERR_UNREACHABLE, "the credentials have changed meanwhile");
    else
        send_first(link);
    sl_arena_deinit(&arena);
}

/* ---- beginning ---- */

/* Names the mechanism. The login is there. */
static void name_mechanism(struct sl_link *link) {
    struct sl_core *core = link->core;
    struct sl_sasl_handshake_request message;
    link->sasl = sl_alloc_zero(core->alloc, sizeof *link->sasl);
    if (link->sasl == NULL) {
        fail_exchange(link, SLUICE_ERR_NOMEM, "");
        return;
    }
    link->sasl->link = link;
    link->sasl->step = SL_SASL_STEP_HANDSHAKE;
    link->sasl->serial = core->login.serial;
    link->sasl->identity = core->login.identity;
    link->sasl->used_at = link->last_used;
    sl_codec_defaults(sl_api_find(SL_API_SASL_HANDSHAKE)->request, &message);
    message.mechanism = sl_bytes_str(sl_login_mechanism_name(link_mechanism(link)));
    ask_in_exchange(link, SL_API_SASL_HANDSHAKE, &message, 0, on_handshake);
}

void sl_sasl_start(struct sl_link *link) {
    struct sl_core *core = link->core;
    sl_link_set_state(link, SL_LINK_AUTHENTICATING);
    if (!sl_login_is_there(core)) {
        sl_link_fail(link, SLUICE_ERR_UNREACHABLE, "the token has expired meanwhile");
        return;
    }
    name_mechanism(link);
}

/* Nothing is in flight any more: begins as soon as a broker takes it. */
static void start_anew(struct sl_link *link) {
    struct sl_core *core = link->core;
    int64_t earliest = link->handshake_at + SASL_AGAIN_MS * SL_MS;
    if (earliest > core->now) {
        link->auth_at = earliest;
    } else if (link->identity != core->login.identity && sl_login_is_there(core)) {
        sl_link_cut(link, SLUICE_ERR_UNREACHABLE); /* the next one is of the new user */
        return;
    } else if (!sl_login_is_there(core)) {
        link->auth_at = SL_NEVER;
        sl_login_wait(link);
    } else {
        link->auth_at = core->now + core->settings->setup_timeout_ms * SL_MS;
        name_mechanism(link);
        return;
    }
    sl_link_arm(link);
}

void sl_sasl_on_time(struct sl_link *link) {
    if (link->sasl != NULL) {
        sl_stats_on_request_timeout(link);
        sl_link_fail(link, SLUICE_ERR_TIMEOUT, "authenticating anew did not end in time%s",
                     sl_sasl_waits_for_host(link) ? ": Kerberos does not answer" : "");
        return;
    }
    if (link->state == SL_LINK_READY) sl_link_set_state(link, SL_LINK_REAUTHENTICATING);
    link->auth_at = SL_NEVER;
    if (sl_list_is_empty(&link->queue))
        start_anew(link);
    else
        sl_link_arm(link);
}

void sl_sasl_resume(struct sl_link *link) {
    if (link->sasl == NULL && link->state == SL_LINK_REAUTHENTICATING) {
        sl_sasl_on_time(link);
    } else if (link->sasl != NULL && link->sasl->step == SL_SASL_STEP_KEYS) {
        if (link->sasl->serial == link->core->login.serial)
            send_proof(link);
        else
            sl_link_fail(link, SLUICE_ERR_UNREACHABLE, "the credentials have changed meanwhile");
    }
}
