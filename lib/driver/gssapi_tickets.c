/* Tickets, as credentials that cyrus-sasl is given.
 *
 *   none ─▶ good ─▶ past half of its life: who comes next asks for another ─▶ over
 *            └──── a conversation failed: the same ────────┘
 *
 * Without a keytab the ticket is in the system's cache, and whoever put it there renews it. It is looked
 * for here nonetheless: the plugin would begin with one that has expired, and lose memory when it finds
 * out. With a keytab we get it ourselves, by the library that cyrus' plugin uses: gss_acquire_cred_from
 * takes a keytab and a cache in this process' memory. The variable KRB5_CLIENT_KTNAME would make all
 * clients of a program one user, and kinit would be another program, with a file that others may read.
 *
 * A ticket is of use only while one authenticates, so nothing renews it in the background. Each has a
 * cache of its own, which conversations keep until they end: none sees it change. One asks the KDC at a
 * time. Others go on with the old ticket meanwhile, as long as it lasts, and so does who was refused a
 * new one.
 *
 * The library is looked for at run time, among what the plugin has loaded. Linking it would bring every
 * program five libraries for a setting that few use, and a second Kerberos beside the plugin's where
 * that is not MIT's. Its types are those of RFC 2744 and of MIT's gssapi_ext.h.
 *
 * Memory is that of the C library, because an errand may outlive the application's allocator. */
#include "driver/gssapi_tickets.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "driver/gssapi.h"
#include "driver/gssapi_words.h"
#include "driver/inbox.h"
#include "driver/system.h"
#include "sluice/error.h"

/* ---- the Kerberos library ---- */

struct gss_buffer {
    size_t length;
    void *value;
};
struct gss_oid {
    uint32_t length;
    void *elements;
};
struct gss_oid_set {
    size_t count;
    struct gss_oid *elements;
};
struct gss_pair {
    const char *key;
    const char *value;
};
struct gss_pairs {
    uint32_t count;
    struct gss_pair *elements;
};
enum { GSS_INITIATE = 1, GSS_MECHANISM_CODE = 2, GSS_PAIRS_MAX = 2 };

/* The functions that are called, by the types of their arguments; names, credentials, contexts and caches are
 * pointers to what is the library's. */
struct gss_library {
    uint32_t (*import_name)(uint32_t *minor, struct gss_buffer *text, struct gss_oid *type,
                            void **name);
    uint32_t (*release_name)(uint32_t *minor, void **name);
    uint32_t (*acquire_cred_from)(uint32_t *minor, void *name, uint32_t time,
                                  struct gss_oid_set *mechanisms, int usage,
                                  struct gss_pairs *store, void **cred, struct gss_oid_set **actual,
                                  uint32_t *lifetime);
    uint32_t (*release_cred)(uint32_t *minor, void **cred);
    uint32_t (*display_status)(uint32_t *minor, uint32_t code, int kind, struct gss_oid *mechanism,
                               uint32_t *more, struct gss_buffer *text);
    uint32_t (*release_buffer)(uint32_t *minor, struct gss_buffer *text);
    int32_t (*init_context)(void **context);
    void (*free_context)(void *context);
    int32_t (*resolve_cache)(void *context, const char *name, void **cache);
    int32_t (*destroy_cache)(void *context, void *cache);
    bool is_there; /* all of them are */
};

static struct gss_library gss;

/* Kerberos V5, 1.2.840.113554.1.2.2. */
static uint8_t gss_kerberos_bytes[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02};
static struct gss_oid gss_kerberos = {sizeof gss_kerberos_bytes, gss_kerberos_bytes};
static struct gss_oid_set gss_mechanisms = {1, &gss_kerberos};

/* False: it is not MIT's, or none was loaded. */
static bool find_gss_library(void) {
    static const char *const files[] = {"libgssapi_krb5.so.2", "libgssapi_krb5.2.2.dylib"};
    const struct {
        const char *name;
        void *slot; /* a pointer to a function, which C does not let one write as void * */
    } wanted[] = {
        {"gss_import_name", &gss.import_name},
        {"gss_release_name", &gss.release_name},
        {"gss_acquire_cred_from", &gss.acquire_cred_from},
        {"gss_release_cred", &gss.release_cred},
        {"gss_display_status", &gss.display_status},
        {"gss_release_buffer", &gss.release_buffer},
        {"krb5_init_context", &gss.init_context},
        {"krb5_free_context", &gss.free_context},
        {"krb5_cc_resolve", &gss.resolve_cache},
        {"krb5_cc_destroy", &gss.destroy_cache},
    };
    void *library = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && library == NULL; i++)
        library =
            dlopen(files[i], RTLD_NOW | RTLD_NOLOAD); /* for good: it stays as the plugin does */
    if (library == NULL) return false;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *address = dlsym(library, wanted[i].name);
        if (address == NULL) return false;
        memcpy(wanted[i].slot, &address, sizeof address);
    }
    return true;
}

static void tell_gss_code(uint32_t minor, struct sl_text *text) {
    struct gss_buffer words = {0, NULL};
    uint32_t more = 0, ignored;
    if (gss.display_status(&ignored, minor, GSS_MECHANISM_CODE, &gss_kerberos, &more, &words) == 0)
        sl_text_put_len(text, words.value, words.length);
    (void)gss.release_buffer(&ignored, &words);
}

/* ---- a ticket ---- */

enum {
    TICKET_CACHE_NAME = 64,
    TICKET_RENEW_LEAST_MS = 5000 /* after a failure it is not asked for again sooner */
};

struct sl_gssapi_ticket {
    struct sl_list node; /* of the tickets, while it is the newest of its kind */
    char *principal;
    char *keytab; /* "": of the system's cache, and never in the list */
    void *cred;
    char cache[TICKET_CACHE_NAME]; /* its name; "": none of our own */
    int64_t until;                 /* Unix milliseconds */
    int64_t renew_at;
    uint32_t users; /* conversations, and the list */
};
struct sl_gssapi_tickets {
    struct sl_mailbox mail; /* guards what follows, and all of each ticket that changes */
    struct sl_list list;    /* of struct sl_gssapi_ticket */
    uint32_t users;
    uint32_t caches; /* so many have had a name */
    bool is_asking;  /* somebody asks the KDC */
};

static void destroy_gss_cache(const char *name) {
    void *context, *cache;
    if (gss.init_context(&context) != 0) return;
    if (gss.resolve_cache(context, name, &cache) == 0) (void)gss.destroy_cache(context, cache);
    gss.free_context(context);
}

static void free_ticket(struct sl_gssapi_ticket *ticket) {
    const struct sl_alloc *alloc = sl_alloc_default();
    uint32_t ignored;
    if (ticket->cred != NULL) (void)gss.release_cred(&ignored, &ticket->cred);
    if (ticket->cache[0] != '\0') destroy_gss_cache(ticket->cache);
    sl_alloc_free_secret(alloc, ticket->principal);
    sl_alloc_free_secret(alloc, ticket->keytab);
    sl_alloc_free(alloc, ticket, sizeof *ticket);
}

static int create_ticket(struct sl_gssapi_tickets *t, const char *principal, const char *keytab,
                         struct sl_gssapi_ticket **out) {
    const struct sl_alloc *alloc = sl_alloc_default();
    struct sl_gssapi_ticket *ticket = sl_alloc_zero(alloc, sizeof *ticket);
    if (ticket == NULL) return SLUICE_ERR_NOMEM;
    sl_list_init(&ticket->node);
    ticket->users = 1;
    ticket->principal = sl_alloc_text(alloc, principal, strlen(principal));
    ticket->keytab = sl_alloc_text(alloc, keytab, strlen(keytab));
    if (ticket->principal == NULL || ticket->keytab == NULL) {
        free_ticket(ticket);
        return SLUICE_ERR_NOMEM;
    }
    if (*keytab != '\0') {
        struct sl_text text;
        sl_text_init(&text, ticket->cache, sizeof ticket->cache);
        sl_inbox_mail_lock(&t->mail);
        sl_text_printf(&text, "MEMORY:sluice-%p-%u", (void *)t, (unsigned)t->caches++);
        sl_inbox_mail_unlock(&t->mail);
    }
    *out = ticket;
    return 0;
}

/* ---- asking the library ---- */

static int fail_ticket(const char *what, bool by_keytab, uint32_t major, uint32_t minor,
                       struct sl_text *why) {
    char buf[256];
    struct sl_text text;
    sl_text_init(&text, buf, sizeof buf);
    tell_gss_code(minor, &text);
    if (buf[0] == '\0') sl_text_printf(&text, "GSSAPI error %#x", (unsigned)major);
    sl_text_printf(why, "%s: ", what);
    return sl_gssapi_words_tell(buf, by_keytab, why);
}

static int name_principal(const char *principal, void **name, struct sl_text *why) {
    uint32_t minor, major;
    /* No type: the library's own, which is a principal with or without a realm. */
    major = gss.import_name(
        &minor, &(struct gss_buffer){strlen(principal), (void *)(uintptr_t)principal}, NULL, name);
    return major == 0 ? 0 : fail_ticket("sasl.kerberos.principal", false, major, minor, why);
}

/* The library would only say that it finds no ticket. */
static int check_keytab(const char *keytab, struct sl_text *why) {
    static const char prefix[] = "FILE:";
    const char *path = keytab;
    if (strncmp(path, prefix, sizeof prefix - 1) == 0) path += sizeof prefix - 1;
    if (*path != '/' || access(path, R_OK) == 0) return 0;
    sl_text_printf(why, "sasl.kerberos.keytab: %s %s", path,
                   errno == ENOENT ? "does not exist" : "may not be read");
    return SLUICE_ERR_AUTH;
}

/* Blocks. */
static int fill_ticket(struct sl_gssapi_ticket *ticket, struct sl_text *why) {
    struct gss_pair pairs[GSS_PAIRS_MAX] = {{"client_keytab", ticket->keytab},
                                            {"ccache", ticket->cache}};
    uint32_t minor, ignored, seconds = 0;
    void *name = NULL;
    bool by_keytab = ticket->keytab[0] != '\0';
    struct gss_pairs store = {GSS_PAIRS_MAX, pairs};
    int rv = by_keytab ? check_keytab(ticket->keytab, why) : 0;
    if (rv == 0 && ticket->principal[0] != '\0') rv = name_principal(ticket->principal, &name, why);
    if (rv != 0) return rv;
    uint32_t major =
        gss.acquire_cred_from(&minor, name, UINT32_MAX, &gss_mechanisms, GSS_INITIATE,
                              by_keytab ? &store : NULL, &ticket->cred, NULL, &seconds);
    if (major == 0 && seconds == 0)
        rv = sl_gssapi_words_tell("no ticket: Ticket expired", by_keytab, why);
    else if (major != 0)
        rv = fail_ticket("no ticket", by_keytab, major, minor, why);
    if (name != NULL) (void)gss.release_name(&ignored, &name);
    int64_t now = sl_system_wall_ms();
    ticket->until = now + (int64_t)seconds * 1000;
    ticket->renew_at = now + (int64_t)seconds * 500;
    return rv;
}

/* ---- the list ---- */

struct sl_gssapi_tickets *sl_gssapi_tickets_create(void) {
    struct sl_gssapi_tickets *t = sl_alloc_zero(sl_alloc_default(), sizeof *t);
    if (t == NULL) return NULL;
    if (sl_inbox_mail_init(&t->mail) != 0) {
        sl_alloc_free(sl_alloc_default(), t, sizeof *t);
        return NULL;
    }
    sl_list_init(&t->list);
    t->users = 1;
    return t;
}

struct sl_gssapi_tickets *sl_gssapi_tickets_share(struct sl_gssapi_tickets *t) {
    sl_inbox_mail_lock(&t->mail);
    t->users++;
    sl_inbox_mail_unlock(&t->mail);
    return t;
}

void sl_gssapi_tickets_release(struct sl_gssapi_tickets *t) {
    if (t == NULL) return;
    sl_inbox_mail_lock(&t->mail);
    bool is_last = --t->users == 0;
    sl_inbox_mail_unlock(&t->mail);
    if (!is_last) return;
    for (struct sl_list *node; (node = sl_list_pop_front(&t->list)) != NULL;)
        free_ticket(SL_LIST_OF(node, struct sl_gssapi_ticket, node));
    sl_inbox_mail_deinit(&t->mail);
    sl_alloc_free(sl_alloc_default(), t, sizeof *t);
}

/* Held. The newest of its kind; NULL: there is none that lasts. */
static struct sl_gssapi_ticket *find_ticket(struct sl_gssapi_tickets *t, const char *principal,
                                            const char *keytab) {
    SL_LIST_EACH(node, tmp, &t->list) {
        struct sl_gssapi_ticket *ticket = SL_LIST_OF(node, struct sl_gssapi_ticket, node);
        if (strcmp(ticket->principal, principal) == 0 && strcmp(ticket->keytab, keytab) == 0)
            return ticket->until > sl_system_wall_ms() ? ticket : NULL;
    }
    return NULL;
}

void *sl_gssapi_tickets_credential(const struct sl_gssapi_ticket *ticket) { return ticket->cred; }

void sl_gssapi_tickets_give_back(struct sl_gssapi_tickets *t, struct sl_gssapi_ticket *ticket,
                                 bool was_good) {
    if (ticket == NULL) return;
    sl_inbox_mail_lock(&t->mail);
    if (!was_good) ticket->renew_at = 0;
    bool is_last = --ticket->users == 0;
    sl_inbox_mail_unlock(&t->mail);
    if (is_last) free_ticket(ticket);
}

/* Takes the place of the old one, which goes when its last user does. */
static void put_ticket(struct sl_gssapi_tickets *t, struct sl_gssapi_ticket *ticket) {
    struct sl_gssapi_ticket *old = NULL;
    sl_inbox_mail_lock(&t->mail);
    SL_LIST_EACH(node, tmp, &t->list) {
        struct sl_gssapi_ticket *other = SL_LIST_OF(node, struct sl_gssapi_ticket, node);
        if (strcmp(ticket->principal, other->principal) == 0 &&
            strcmp(ticket->keytab, other->keytab) == 0)
            old = other;
    }
    if (old != NULL) sl_list_remove(&old->node);
    sl_list_push_back(&t->list, &ticket->node);
    ticket->users++;
    sl_inbox_mail_unlock(&t->mail);
    sl_gssapi_tickets_give_back(t, old, true);
}

/* Asks for a new one. */
static int make_ticket(struct sl_gssapi_tickets *t, const char *principal, const char *keytab,
                       struct sl_gssapi_ticket **out, struct sl_text *why) {
    struct sl_gssapi_ticket *ticket;
    int rv = create_ticket(t, principal, keytab, &ticket);
    if (rv != 0) return rv;
    rv = fill_ticket(ticket, why);
    if (rv != 0) {
        free_ticket(ticket);
        return rv;
    }
    *out = ticket;
    return 0;
}

/* Waits while somebody else asks for a ticket without which one cannot go on. True: *out is good, with
 * one more user. False: the caller has to ask, and then say so; *out is an old one to fall back on, or
 * NULL. */
static bool find_or_begin_asking(struct sl_gssapi_tickets *t, const char *principal,
                                 const char *keytab, struct sl_gssapi_ticket **out) {
    struct sl_gssapi_ticket *found;
    sl_inbox_mail_lock(&t->mail);
    while ((found = find_ticket(t, principal, keytab)) == NULL && t->is_asking)
        (void)sl_inbox_mail_wait(&t->mail, SL_NEVER);
    bool is_good = found != NULL && (found->renew_at > sl_system_wall_ms() || t->is_asking);
    if (!is_good) t->is_asking = true;
    if (found != NULL) found->users++;
    sl_inbox_mail_unlock(&t->mail);
    *out = found;
    return is_good;
}

static void end_asking(struct sl_gssapi_tickets *t) {
    sl_inbox_mail_lock(&t->mail);
    t->is_asking = false;
    sl_inbox_mail_tell(&t->mail);
    sl_inbox_mail_unlock(&t->mail);
}

/* No new one could be had: goes on with the old, and asks again some time later. */
static void keep_old_ticket(struct sl_gssapi_tickets *t, struct sl_gssapi_ticket *old) {
    sl_inbox_mail_lock(&t->mail);
    int64_t now = sl_system_wall_ms(), left = (old->until - now) / 4;
    old->renew_at = now + (left > TICKET_RENEW_LEAST_MS ? left : TICKET_RENEW_LEAST_MS);
    sl_inbox_mail_unlock(&t->mail);
}

static int take_by_keytab(struct sl_gssapi_tickets *t, const char *principal, const char *keytab,
                          struct sl_gssapi_ticket **out, struct sl_text *why) {
    struct sl_gssapi_ticket *old;
    if (find_or_begin_asking(t, principal, keytab, out)) return 0;
    old = *out;
    int rv = make_ticket(t, principal, keytab, out, why);
    if (rv == 0)
        put_ticket(t, *out);
    else if (old != NULL)
        keep_old_ticket(t, old);
    end_asking(t);
    if (rv == 0) sl_gssapi_tickets_give_back(t, old, true);
    return old != NULL ? 0 : rv;
}

int sl_gssapi_tickets_take(struct sl_gssapi_tickets *t, const char *principal, const char *keytab,
                           struct sl_gssapi_ticket **out, struct sl_text *why) {
    *out = NULL;
    if (!gss.is_there && *principal == '\0' && *keytab == '\0') return 0;
    if (!gss.is_there) {
        sl_text_put(why, "sasl.kerberos.principal and sasl.kerberos.keytab need MIT's Kerberos, "
                         "and the GSSAPI plugin of cyrus-sasl that uses it");
        return SLUICE_ERR_UNSUPPORTED;
    }
    if (*keytab != '\0') return take_by_keytab(t, principal, keytab, out, why);
    return make_ticket(t, principal, keytab, out, why);
}

void sl_gssapi_tickets_prepare(void) { gss.is_there = find_gss_library(); }
