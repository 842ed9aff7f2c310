/* One POST to a token endpoint. The caller has a thread that may block.
 *
 * What libcurl is told: only http and https; certificates and names are checked, from TLS 1.2 on; no
 * redirect is followed, for the header has the client's secret in it; connecting and the whole have a
 * deadline; no signals; nothing verbose; proxies are those of the environment, as with the curl
 * command. An answer may have 64 KiB. The header and the body are wiped here; libcurl's own copies
 * are out of reach.
 *
 * Not here: what the answer means (core/token_answer.c). */
#include "driver/oidc.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "core/token_answer.h"
#include "sluice/error.h"

/* ---- what is sent ---- */

void sl_oidc_put_form(struct sl_writer *out, const char *text) {
    static const char digits[] = "0123456789ABCDEF";
    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || strchr("-._*", c) != NULL;
        char coded[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (c == ' ')
            sl_writer_raw(out, "+", 1);
        else if (is_plain)
            sl_writer_raw(out, text, 1);
        else
            sl_writer_raw(out, coded, sizeof coded);
    }
}

static void put_basic_part(struct sl_writer *out, const char *text, bool urlencode) {
    if (urlencode)
        sl_oidc_put_form(out, text);
    else
        sl_writer_raw(out, text, strlen(text));
}

/* So much that it never moves and leaves a copy behind. */
static void init_secret_writer(struct sl_writer *w, size_t cap) {
    sl_writer_init(w, sl_alloc_default());
    (void)sl_writer_grow(w, cap);
}

static void deinit_secret_writer(struct sl_writer *w) {
    if (w->data != NULL) sl_alloc_wipe(w->data, w->cap);
    sl_writer_deinit(w);
}

void sl_oidc_put_basic(struct sl_writer *out, const char *id, const char *secret, bool urlencode) {
    struct sl_writer both;
    init_secret_writer(&both, (strlen(id) + strlen(secret)) * 3 + 1);
    put_basic_part(&both, id, urlencode);
    sl_writer_raw(&both, ":", 1);
    put_basic_part(&both, secret, urlencode);
    sl_writer_raw(out, "Basic ", 6);
    if (both.failed)
        out->failed = true;
    else
        sl_base64_encode(out, both.data, both.size);
    deinit_secret_writer(&both);
}

#ifdef SL_HAVE_CURL
#include <curl/curl.h>
#include <openssl/crypto.h>

/* ---- libcurl ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool is_curl_ready;

/* Never undone: the application may use libcurl as well, and there is no count of users to rely on. */
static void start_curl(void) { is_curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; }

bool sl_oidc_is_there(void) { return true; }

static size_t take_curl_body(char *data, size_t size, size_t count, void *arg) {
    struct sl_writer *out = arg;
    (void)size; /* always 1 */
    if (count > SL_TOKEN_MAX - out->size) return 0;
    sl_writer_raw(out, data, count);
    return out->failed ? 0 : count;
}

struct oidc_request {
    CURL *curl;
    struct curl_slist *headers;
    struct sl_writer header; /* Authorization: … */
    struct sl_writer form;
    char error[CURL_ERROR_SIZE];
};

static void set_curl_trust(CURL *curl, const struct sl_token_settings *s) {
    struct stat what;
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (s->ca_location[0] != '\0') {
        bool is_folder = stat(s->ca_location, &what) == 0 && S_ISDIR(what.st_mode);
        curl_easy_setopt(curl, is_folder ? CURLOPT_CAPATH : CURLOPT_CAINFO, s->ca_location);
    }
#if LIBCURL_VERSION_NUM >= 0x074d00
    if (s->ca_pem[0] != '\0') {
        struct curl_blob blob = {s->ca_pem, strlen(s->ca_pem), CURL_BLOB_NOCOPY};
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    }
#endif
}

static void set_curl_limits(CURL *curl, const struct sl_token_settings *s) {
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     (long)s->connect_timeout_ms + (long)s->read_timeout_ms);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* 0 or NOMEM. */
static int put_oidc_texts(struct oidc_request *r, const struct sl_token_settings *s) {
    size_t room = (strlen(s->client_id) + strlen(s->client_secret)) * 4 + 64;
    init_secret_writer(&r->header, room);
    sl_writer_raw(&r->header, "Authorization: ", 15);
    sl_oidc_put_basic(&r->header, s->client_id, s->client_secret, s->urlencode);
    sl_writer_i8(&r->header, 0);
    sl_writer_init(&r->form, sl_alloc_default());
    sl_writer_raw(&r->form, "grant_type=client_credentials", 29);
    if (s->scope[0] != '\0') {
        sl_writer_raw(&r->form, "&scope=", 7);
        sl_oidc_put_form(&r->form, s->scope);
    }
    if (r->header.failed || r->form.failed) return SLUICE_ERR_NOMEM;
    r->headers = curl_slist_append(NULL, (const char *)r->header.data);
    if (r->headers == NULL) return SLUICE_ERR_NOMEM;
    return curl_slist_append(r->headers, "Accept: application/json") == NULL ? SLUICE_ERR_NOMEM : 0;
}

static int begin_oidc(struct oidc_request *r, const struct sl_token_settings *s,
                      struct sl_writer *out) {
    int rv = put_oidc_texts(r, s);
    if (rv != 0) return rv;
    if (pthread_once(&curl_once, start_curl) != 0 || !is_curl_ready) return SLUICE_ERR_SYSTEM;
    r->curl = curl_easy_init();
    if (r->curl == NULL) return SLUICE_ERR_NOMEM;
    set_curl_limits(r->curl, s);
    set_curl_trust(r->curl, s);
    curl_easy_setopt(r->curl, CURLOPT_URL, s->url);
    curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE, (long)r->form.size);
    curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, r->form.data);
    curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, take_curl_body);
    curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, out);
    curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, r->error);
    return 0;
}

static void end_oidc(struct oidc_request *r) {
    curl_easy_cleanup(r->curl);
    for (struct curl_slist *at = r->headers; at != NULL; at = at->next)
        sl_alloc_wipe(at->data, strlen(at->data));
    curl_slist_free_all(r->headers);
    deinit_secret_writer(&r->header);
    deinit_secret_writer(&r->form);
}

/* What libcurl itself has to complain of: a network that may work again, or a peer that is not to be
 * trusted. */
static int tell_curl_fault(CURLcode code, const struct oidc_request *r, const struct sl_writer *out,
                           struct sl_text *why) {
    if (code == CURLE_OUT_OF_MEMORY || out->failed) return SLUICE_ERR_NOMEM;
    if (code == CURLE_WRITE_ERROR) {
        sl_text_put(why, "its answer is longer than 64 KiB");
        return SLUICE_ERR_AUTH;
    }
    const char *text = r->error[0] != '\0' ? r->error : curl_easy_strerror(code);
    sl_text_put_len(why, text, strcspn(text, "\r\n"));
    bool is_verdict = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
                      code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
    return is_verdict ? SLUICE_ERR_AUTH : SLUICE_ERR_UNREACHABLE;
}

/* What the provider makes of the request. Who is busy or broken may be asked again soon. */
static int tell_http_status(const struct oidc_request *r, struct sl_text *why) {
    enum { OK = 200, PAST_OK = 300, REFUSED = 400, LATE = 408, MANY = 429, BROKEN = 500 };
    const char *place = NULL;
    long status = 0;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= OK && status < PAST_OK) return 0;
    sl_text_printf(why, "HTTP status %ld", status);
    curl_easy_getinfo(r->curl, CURLINFO_REDIRECT_URL, &place);
    if (status < REFUSED && place != NULL)
        sl_text_printf(why, ": it redirects to %.100s, which is not followed", place);
    bool may_pass = status >= BROKEN || status == LATE || status == MANY;
    return may_pass ? SLUICE_ERR_UNREACHABLE : SLUICE_ERR_AUTH;
}

void sl_oidc_fetch(const struct sl_token_settings *settings, struct sl_writer *out,
                   struct sl_host_answer *answer) {
    struct oidc_request r = {0};
    struct sl_text why;
    sl_text_init(&why, answer->text, sizeof answer->text);
    init_secret_writer(out, SL_TOKEN_MAX);
    answer->rv = begin_oidc(&r, settings, out);
    if (answer->rv == 0) {
        CURLcode code = curl_easy_perform(r.curl);
        answer->rv =
            code == CURLE_OK ? tell_http_status(&r, &why) : tell_curl_fault(code, &r, out, &why);
    }
    if (answer->rv == SLUICE_ERR_NOMEM) sl_text_put(&why, "no memory for the request");
    if (answer->rv == SLUICE_ERR_SYSTEM) sl_text_put(&why, "libcurl cannot be used here");
    end_oidc(&r);
    /* The process may end before this thread does, and OpenSSL with it: later is too late. */
    OPENSSL_thread_stop();
}
#else

bool sl_oidc_is_there(void) { return false; }

void sl_oidc_fetch(const struct sl_token_settings *settings, struct sl_writer *out,
                   struct sl_host_answer *answer) {
    struct sl_text why;
    (void)settings;
    (void)out;
    sl_text_init(&why, answer->text, sizeof answer->text);
    sl_text_put(&why, "this build of the library has no libcurl");
    answer->rv = SLUICE_ERR_UNSUPPORTED;
}
#endif
