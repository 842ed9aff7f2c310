/* A conversation of GSSAPI (RFC 4752), as cyrus-sasl has it.
 *
 *   create ─▶ step("") ─▶ step(broker) ─▶ … ─▶ step(broker), done ─▶ destroy
 *
 * Every step may ask the KDC, a name server or a disk, for as long as they like. Conversations have
 * nothing in common but tickets, so any number of them go on at a time. The security layer that
 * the mechanism could put around all that follows is never taken: Kafka has none.
 *
 * cyrus-sasl is initialised once and never ended, because the application may use it too. A forked child
 * leaves alone what it has of its parent's: a thread of the parent may have held a lock of the
 * libraries'.
 *
 * Memory is that of the C library, because an errand may outlive the application's allocator.
 *
 * Not done here: threads (gssapi_errand.c), what is sent over a connection (core/sasl.c). */
#include "driver/gssapi.h"

#include "sluice/error.h"

#if defined(SL_HAVE_GSSAPI)

#include <pthread.h>
#include <sasl/sasl.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "driver/forked.h"
#include "driver/gssapi_tickets.h"
#include "driver/gssapi_words.h"
#include "driver/inbox.h"

static int gssapi_started; /* what sasl_client_init said */
static pthread_once_t gssapi_once = PTHREAD_ONCE_INIT;

struct sl_gssapi_talk {
    struct sl_errand_state state; /* core keeps it between steps */
    int fork_generation;
    struct sl_gssapi_tickets *tickets; /* shared */
    char *service, *host, *principal, *keytab;
    struct sl_gssapi_ticket *ticket; /* NULL: not taken yet, or cyrus finds one by itself */
    sasl_conn_t *conn;               /* NULL: not begun */
    bool is_begun;                   /* the first message is made */
    bool is_done;
};

/* ---- cyrus-sasl ---- */

static void *make_sasl_mutex(void) {
    struct sl_mailbox *mutex = sl_alloc_zero(sl_alloc_default(), sizeof *mutex);
    if (mutex != NULL && sl_inbox_mail_init(mutex) == 0) return mutex;
    sl_alloc_free(sl_alloc_default(), mutex, sizeof *mutex);
    return NULL;
}
static int lock_sasl_mutex(void *mutex) {
    sl_inbox_mail_lock(mutex);
    return 0;
}
static int unlock_sasl_mutex(void *mutex) {
    sl_inbox_mail_unlock(mutex);
    return 0;
}
static void free_sasl_mutex(void *mutex) {
    if (mutex == NULL) return;
    sl_inbox_mail_deinit(mutex);
    sl_alloc_free(sl_alloc_default(), mutex, sizeof(struct sl_mailbox));
}

/* In place of syslog: what is of interest is in the detail of an error. */
static int drop_sasl_log(void *context, int level, const char *message) {
    (void)context;
    (void)level;
    (void)message;
    return SASL_OK;
}
typedef int (*sasl_any_fn)(void);
static const sasl_callback_t gssapi_callbacks[] = {
    {SASL_CB_LOG, (sasl_any_fn)(void (*)(void))drop_sasl_log, NULL},
    {SASL_CB_LIST_END, NULL, NULL},
};

static void start_gssapi(void) {
    /* Passed over where the application has initialised it before. */
    sasl_set_mutex(make_sasl_mutex, lock_sasl_mutex, unlock_sasl_mutex, free_sasl_mutex);
    gssapi_started = sasl_client_init(gssapi_callbacks);
    if (gssapi_started == SASL_OK) sl_gssapi_tickets_prepare();
}

bool sl_gssapi_is_built_in(void) { return true; }

/* ---- conversations ---- */

void sl_gssapi_destroy(struct sl_gssapi_talk *talk) {
    const struct sl_alloc *alloc = sl_alloc_default();
    if (talk == NULL || talk->fork_generation != sl_forked_generation) return;
    if (talk->conn != NULL) sasl_dispose(&talk->conn);
    sl_gssapi_tickets_give_back(talk->tickets, talk->ticket, talk->is_done);
    sl_gssapi_tickets_release(talk->tickets);
    sl_alloc_free_secret(alloc, talk->service);
    sl_alloc_free_secret(alloc, talk->host);
    sl_alloc_free_secret(alloc, talk->principal);
    sl_alloc_free_secret(alloc, talk->keytab);
    sl_alloc_free(alloc, talk, sizeof *talk);
}

static void destroy_talk_state(struct sl_errand_state *state) {
    sl_gssapi_destroy(sl_gssapi_of_state(state));
}

_Static_assert(offsetof(struct sl_gssapi_talk, state) == 0, "a talk begins with its state");
struct sl_errand_state *sl_gssapi_state(struct sl_gssapi_talk *talk) {
    return (struct sl_errand_state *)(void *)talk;
}
struct sl_gssapi_talk *sl_gssapi_of_state(struct sl_errand_state *state) {
    return (struct sl_gssapi_talk *)(void *)state;
}

struct sl_gssapi_talk *sl_gssapi_create(struct sl_gssapi_tickets *tickets,
                                        const struct sl_gssapi_order *order) {
    const struct sl_alloc *alloc = sl_alloc_default();
    struct sl_gssapi_talk *talk = sl_alloc_zero(alloc, sizeof *talk);
    if (talk == NULL) return NULL;
    talk->state.destroy = destroy_talk_state;
    talk->fork_generation = sl_forked_generation;
    talk->tickets = sl_gssapi_tickets_share(tickets);
    talk->service = sl_alloc_text(alloc, order->service, strlen(order->service));
    talk->host = sl_alloc_text(alloc, order->host.data, (size_t)order->host.size);
    talk->principal = sl_alloc_text(alloc, order->principal, strlen(order->principal));
    talk->keytab = sl_alloc_text(alloc, order->keytab, strlen(order->keytab));
    if (talk->service != NULL && talk->host != NULL && talk->principal != NULL &&
        talk->keytab != NULL)
        return talk;
    sl_gssapi_destroy(talk);
    return NULL;
}

/* What a call of cyrus-sasl came to, when it is no good. */
static int fail_talk(const struct sl_gssapi_talk *talk, int code, struct sl_text *why) {
    if (code == SASL_NOMEM) return SLUICE_ERR_NOMEM;
    if (code == SASL_NOMECH) {
        sl_text_put(why, "cyrus-sasl has no plugin for GSSAPI here; install its package, "
                         "libsasl2-modules-gssapi-mit (Debian), cyrus-sasl-gssapi (Red Hat, Arch) "
                         "or cyrus-sasl-gssapiv2 (Alpine)");
        return SLUICE_ERR_UNSUPPORTED;
    }
    return sl_gssapi_words_tell(talk->conn != NULL ? sasl_errdetail(talk->conn)
                                                   : sasl_errstring(code, NULL, NULL),
                                talk->keytab[0] != '\0', why);
}

/* Blocks while a ticket is asked for. */
static int begin_talk(struct sl_gssapi_talk *talk, struct sl_text *why) {
    const sasl_security_properties_t no_layer = {.max_ssf = 0};
    int rv = 0, code = SASL_OK;
    (void)pthread_once(&gssapi_once, start_gssapi);
    if (gssapi_started != SASL_OK) return fail_talk(talk, gssapi_started, why);
    rv = sl_gssapi_tickets_take(talk->tickets, talk->principal, talk->keytab, &talk->ticket, why);
    if (rv != 0) return rv;
    code = sasl_client_new(talk->service, talk->host, NULL, NULL, gssapi_callbacks, 0, &talk->conn);
    if (code == SASL_OK) code = sasl_setprop(talk->conn, SASL_SEC_PROPS, &no_layer);
    if (code == SASL_OK && talk->ticket != NULL)
        code = sasl_setprop(talk->conn, SASL_GSS_CREDS, sl_gssapi_tickets_credential(talk->ticket));
    return code == SASL_OK ? 0 : fail_talk(talk, code, why);
}

int sl_gssapi_step(struct sl_gssapi_talk *talk, struct sl_bytes in, struct sl_bytes *out,
                   bool *is_done, struct sl_text *why) {
    const char *data = NULL, *mechanism;
    unsigned size = 0;
    int code;
    if (talk->conn == NULL) {
        int rv = begin_talk(talk, why);
        if (rv != 0) return rv;
    }
    if (talk->is_begun)
        code = sasl_client_step(talk->conn, (const char *)in.data, (unsigned)in.size, NULL, &data,
                                &size);
    else
        code = sasl_client_start(talk->conn, "GSSAPI", NULL, &data, &size, &mechanism);
    if (code != SASL_OK && code != SASL_CONTINUE) return fail_talk(talk, code, why);
    talk->is_begun = true;
    talk->is_done = *is_done = code == SASL_OK;
    *out = (struct sl_bytes){(const uint8_t *)data, (int32_t)size};
    return 0;
}

#else

bool sl_gssapi_is_built_in(void) { return false; }

struct sl_gssapi_talk *sl_gssapi_create(struct sl_gssapi_tickets *tickets,
                                        const struct sl_gssapi_order *order) {
    (void)tickets;
    (void)order;
    return NULL;
}
void sl_gssapi_destroy(struct sl_gssapi_talk *talk) { (void)talk; }
struct sl_errand_state *sl_gssapi_state(struct sl_gssapi_talk *talk) {
    (void)talk;
    return NULL;
}
struct sl_gssapi_talk *sl_gssapi_of_state(struct sl_errand_state *state) {
    (void)state;
    return NULL;
}
int sl_gssapi_step(struct sl_gssapi_talk *talk, struct sl_bytes in, struct sl_bytes *out,
                   bool *is_done, struct sl_text *why) {
    (void)talk;
    (void)in;
    (void)out;
    (void)is_done;
    (void)why;
    return SLUICE_ERR_UNSUPPORTED;
}

#endif
