/* A connection under TLS: OpenSSL between the caller's buffers and a host table's socket.
 *
 *   handshake ──▶ open ──▶ the peer's end, a failure, or close
 *
 * Receiving: the socket is read into `in`, several records for a system call; OpenSSL takes them
 * from there one by one, decrypts each in a buffer of its own and copies it to the caller's. It could
 * read ahead itself, but then it moves all that is left to the front for each record. `in` begins
 * small and grows when the socket has filled it. Whole records may lie there while the socket is
 * quiet: sl_tls_is_pending says so, and callers come again. A part of one does not count, because
 * only the socket can bring the rest.
 *
 * Sending: whole records are encrypted straight from the caller's pieces, or, where a record spans
 * several, from a copy of these; they gather in `out`, several for a system call. A record is only
 * begun when there is room for it, so OpenSSL never waits in the middle of one. What has not left is
 * remembered record by record: its bytes count as sent with the last byte of its record, neither
 * before (an answer of the peer would be lost with it) nor later (an answer would come to a request
 * that seems unsent).
 *
 * Memory before the handshake is over: some 80 KiB of OpenSSL's, which gives back its buffers
 * between messages until then, `out`, for the chain of ours, and `in` as it begins; of the 80 some are
 * free again when the peer's chain comes, which is weighed first (tls_chain.c).
 *
 * Not here: contexts and sessions (tls_context.c), what went wrong in words (tls_verdict.c). */
#include "driver/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/assert.h"
#include "driver/openssl.h"
#include "driver/tls_inside.h"
#include "sluice/error.h"

enum {
    TLS_PLAIN = 16 * 1024,         /* of a record */
    TLS_CIPHER = TLS_PLAIN + 512,  /* header, padding and tag included, generously */
    TLS_SPARE = 4 * 1024,          /* kept for what OpenSSL has to say itself */
    TLS_IN_FIRST = 4 * 1024,       /* answers to heartbeats and the like */
    TLS_IN_GROWTH = 4,             /* times as large */
    TLS_IN_MAX = 128 * 1024,       /* of a system call; half and twice as much are as fast */
    TLS_OUT_FIRST = 4 * 1024,      /* a ClientHello is a few hundred bytes */
    TLS_OUT_SETUP_MAX = 64 * 1024, /* while the handshake is under way */
    TLS_OUT_MAX = SL_TLS_RECORDS * TLS_CIPHER + TLS_SPARE,
};

static const char tls_has_ended[] = "OpenSSL has ended with the process; close clients before that";
static const char tls_no_memory[] = "no memory for TLS";

static uint8_t *out_room(struct sl_tls_conn *conn, size_t size);

/* ---- the socket, as OpenSSL sees it ---- */

static int write_cipher(BIO *bio, const char *data, size_t size, size_t *written) {
    struct sl_tls_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    uint8_t *room = out_room(conn, size);
    if (room == NULL) {
        BIO_set_retry_write(bio);
        return 0;
    }
    memcpy(room, data, size);
    conn->out_size += size;
    *written = size;
    return 1;
}

static void note_first_bytes(struct sl_tls_conn *conn, const uint8_t *buf, size_t size) {
    size_t room = sizeof conn->first - conn->first_size;
    if (size > room) size = room;
    memcpy(conn->first + conn->first_size, buf, size);
    conn->first_size += (uint32_t)size;
}

/* A larger buffer once the socket has filled one; without memory for it the old one serves on. */
static void grow_in(struct sl_tls_conn *conn) {
    size_t cap =
        conn->in_cap * TLS_IN_GROWTH < TLS_IN_MAX ? conn->in_cap * TLS_IN_GROWTH : TLS_IN_MAX;
    if (!conn->is_open || cap == conn->in_cap) return;
    uint8_t *in = sl_alloc_get(&conn->alloc, cap);
    if (in == NULL) return;
    sl_alloc_free(&conn->alloc, conn->in, conn->in_cap);
    conn->in = in;
    conn->in_cap = cap;
}

/* What the socket has, into the empty buffer. As recv of the host table. */
static int64_t fill_in(struct sl_tls_conn *conn) {
    const struct sl_tls_pipe *pipe = &conn->pipe;
    if (!conn->is_readable) return SL_IO_AGAIN;
    if (conn->in_size == conn->in_cap) grow_in(conn);
    conn->in_at = conn->in_size = 0;
    int64_t count = pipe->table->recv(pipe->self, pipe->socket, conn->in, conn->in_cap,
                                      conn->io_text, sizeof conn->io_text);
    /* A socket that gave less has no more, and says so when it does. */
    conn->is_readable = count == (int64_t)conn->in_cap;
    if (count <= 0) return count;
    conn->in_size = (size_t)count;
    if (conn->first_size < sizeof conn->first) note_first_bytes(conn, conn->in, conn->in_size);
    return count;
}

static int read_cipher(BIO *bio, char *buf, size_t size, size_t *got) {
    struct sl_tls_conn *conn = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    int64_t count = conn->in_at < conn->in_size ? 0 : fill_in(conn);
    if (count == SL_IO_AGAIN) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (count < 0) {
        conn->is_closed |= count == SL_IO_CLOSED;
        conn->is_broken |= count != SL_IO_CLOSED;
        return 0;
    }
    size_t rest = conn->in_size - conn->in_at;
    *got = size < rest ? size : rest;
    memcpy(buf, conn->in + conn->in_at, *got);
    conn->in_at += *got;
    return 1;
}

static long control_cipher(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* The method is the context's: OpenSSL has numbers for some hundred of them in a process. */
static BIO *create_bio(struct sl_tls_conn *conn) {
    struct sl_tls *tls = conn->tls;
    if (tls->method == NULL) {
        BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sluice");
        if (method == NULL) return NULL;
        bool is_set = BIO_meth_set_write_ex(method, write_cipher) == 1 &&
                      BIO_meth_set_read_ex(method, read_cipher) == 1 &&
                      BIO_meth_set_ctrl(method, control_cipher) == 1;
        SL_ASSERT(is_set);
        tls->method = method;
    }
    BIO *bio = BIO_new(tls->method);
    if (bio == NULL) return NULL;
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- what waits to leave ---- */

static int grow_out(struct sl_tls_conn *conn, size_t need, size_t most) {
    size_t cap = conn->out_cap == 0 ? TLS_OUT_FIRST : conn->out_cap;
    while (cap < need && cap < most) cap *= 2;
    if (cap > most) cap = most;
    if (cap < need) return SLUICE_ERR_NOMEM;
    if (cap == conn->out_cap) return 0;
    uint8_t *out = sl_alloc_resize(&conn->alloc, conn->out, conn->out_cap, cap, 1);
    if (out == NULL) return SLUICE_ERR_NOMEM;
    conn->out = out;
    conn->out_cap = cap;
    return 0;
}

/* Room behind what is in out. NULL: there is none, or no memory. */
static uint8_t *out_room(struct sl_tls_conn *conn, size_t size) {
    size_t most = conn->is_open ? TLS_OUT_MAX : TLS_OUT_SETUP_MAX;
    if (grow_out(conn, conn->out_size + size, most) != 0) return NULL;
    return conn->out + conn->out_size;
}

bool sl_tls_is_blocked(const struct sl_tls_conn *conn) { return conn->out_at < conn->out_size; }

/* Counts the records that have left whole. */
static void count_left(struct sl_tls_conn *conn) {
    uint32_t done = 0;
    while (done < conn->record_count && conn->records[done].end <= conn->out_at) {
        conn->left += conn->records[done].plain;
        done++;
    }
    conn->record_count -= done;
    memmove(conn->records, conn->records + done, conn->record_count * sizeof *conn->records);
    if (conn->out_at == conn->out_size) conn->out_at = conn->out_size = 0;
}

/* 0: it is all gone; SL_IO_AGAIN, or a failure. */
static int64_t flush_out(struct sl_tls_conn *conn) {
    const struct sl_tls_pipe *pipe = &conn->pipe;
    while (sl_tls_is_blocked(conn)) {
        struct sl_iov piece = {conn->out + conn->out_at, conn->out_size - conn->out_at};
        int64_t sent = pipe->table->send(pipe->self, pipe->socket, &piece, 1, conn->io_text,
                                         sizeof conn->io_text);
        if (sent < 0) return sent;
        conn->out_at += (size_t)sent;
        bool is_full = (size_t)sent < piece.size;
        count_left(conn);
        if (is_full) return SL_IO_AGAIN;
    }
    return 0;
}

/* ---- failures ---- */

static int64_t fail_conn(struct sl_tls_conn *conn, int ssl_error, char *text, size_t cap) {
    struct sl_text out;
    sl_text_init(&out, text, cap);
    sl_tls_verdict_tell(conn, ssl_error, &out);
    ERR_clear_error();
    return SL_IO_FAILED;
}

int sl_tls_code(const struct sl_tls_conn *conn) { return conn->code; }

static int64_t fail_with(struct sl_tls_conn *conn, int code, const char *words, char *text,
                         size_t cap) {
    struct sl_text out;
    conn->code = code;
    sl_text_init(&out, text, cap);
    sl_text_put(&out, words);
    return SL_IO_FAILED;
}

static int64_t fail_ended(struct sl_tls_conn *conn, char *text, size_t cap) {
    return fail_with(conn, SLUICE_ERR_UNREACHABLE, tls_has_ended, text, cap);
}

/* The socket took nothing more, for good. What the peer said before is the better reason: a refused
 * certificate is told first, then the connection is cut. */
static int64_t fail_sending(struct sl_tls_conn *conn, int64_t rv, char *text, size_t cap) {
    char byte;
    ERR_clear_error();
    conn->is_readable = true;
    int got = SSL_peek(conn->ssl, &byte, 1);
    int error = got > 0 ? SSL_ERROR_NONE : SSL_get_error(conn->ssl, got);
    if (error == SSL_ERROR_SSL) return fail_conn(conn, error, text, cap);
    ERR_clear_error();
    if (rv != SL_IO_CLOSED)
        return fail_with(conn, SLUICE_ERR_UNREACHABLE, conn->io_text, text, cap);
    conn->code = SLUICE_ERR_UNREACHABLE;
    return SL_IO_CLOSED;
}

/* ---- the handshake ---- */

static int64_t advance_handshake(struct sl_tls_conn *conn, char *text, size_t cap) {
    ERR_clear_error();
    conn->is_readable = true;
    int rv = SSL_do_handshake(conn->ssl);
    int error = rv == 1 ? SSL_ERROR_NONE : SSL_get_error(conn->ssl, rv);
    /* Also of what has failed: the peer is told why. */
    int64_t flushed = flush_out(conn);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        if (flushed == 0 || flushed == SL_IO_AGAIN) return SL_IO_AGAIN;
        return fail_sending(conn, flushed, text, cap);
    }
    if (error != SSL_ERROR_NONE) {
        if (conn->host != NULL) sl_tls_keep_session(conn->tls, conn->host, conn->port, NULL);
        return fail_conn(conn, error, text, cap);
    }
    conn->is_open = true;
    conn->has_more = true;
    (void)SSL_clear_mode(conn->ssl, SSL_MODE_RELEASE_BUFFERS); /* or each record would cost some */
    return 0;
}

int sl_tls_handshake(struct sl_tls_conn *conn, char *text, size_t cap) {
    if (!sl_openssl_enter()) return (int)fail_ended(conn, text, cap);
    int64_t rv = advance_handshake(conn, text, cap);
    sl_openssl_leave();
    return (int)rv;
}

bool sl_tls_is_resumed(const struct sl_tls_conn *conn) {
    return SSL_session_reused(conn->ssl) == 1;
}

/* ---- receiving ---- */

bool sl_tls_is_pending(const struct sl_tls_conn *conn) {
    if (conn->late != 0) return true;
    return conn->has_more && (conn->in_at < conn->in_size || SSL_has_pending(conn->ssl) == 1);
}

/* No more bytes come, for now or for good. */
static int64_t end_reading(struct sl_tls_conn *conn, int error, char *text, size_t cap) {
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return SL_IO_AGAIN;
    }
    bool is_refusal = conn->is_asked && !conn->has_read && SSL_get_certificate(conn->ssl) == NULL;
    bool is_end = error == SSL_ERROR_ZERO_RETURN || (conn->is_closed && error != SSL_ERROR_SSL);
    if (is_end && !is_refusal) {
        conn->code = SLUICE_ERR_UNREACHABLE;
        return SL_IO_CLOSED;
    }
    return fail_conn(conn, error, text, cap);
}

static int64_t decrypt_records(struct sl_tls_conn *conn, void *buf, size_t size, char *text,
                               size_t cap) {
    size_t total = 0;
    struct sl_text out;
    if (conn->late != 0) {
        sl_text_init(&out, text, cap);
        sl_text_put(&out, conn->verdict);
        return conn->late;
    }
    ERR_clear_error();
    conn->is_readable = true;
    conn->has_more = true;
    while (total < size) {
        size_t got;
        int rv = SSL_read_ex(conn->ssl, (uint8_t *)buf + total, size - total, &got);
        if (rv == 1) {
            total += got;
            conn->has_read = true;
            continue;
        }
        conn->has_more = false;
        int64_t end = end_reading(conn, SSL_get_error(conn->ssl, rv), text, cap);
        if (total == 0) return end;
        if (end != SL_IO_AGAIN) {
            conn->late = end;
            sl_text_init(&out, conn->verdict, sizeof conn->verdict);
            if (end == SL_IO_FAILED) sl_text_put(&out, text);
        }
        break;
    }
    return (int64_t)total;
}

int64_t sl_tls_recv(struct sl_tls_conn *conn, void *buf, size_t size, char *text, size_t cap) {
    if (!sl_openssl_enter()) return fail_ended(conn, text, cap);
    int64_t rv = decrypt_records(conn, buf, size, text, cap);
    sl_openssl_leave();
    return rv;
}

/* ---- sending ---- */

/* Where encryption has come to in the caller's pieces. */
struct tls_source {
    const struct sl_iov *pieces;
    size_t count;
    size_t index; /* of the piece */
    size_t at;    /* in it */
    size_t rest;  /* bytes from here on */
};

static void skip_source(struct tls_source *s, size_t size) {
    s->rest -= size;
    while (size > 0) {
        size_t here = s->pieces[s->index].size - s->at;
        size_t part = here < size ? here : size;
        s->at += part;
        size -= part;
        if (s->at < s->pieces[s->index].size) return;
        s->index++;
        s->at = 0;
    }
}

/* The next size bytes in one place: where they are, or copied together. NULL: no memory. */
static const uint8_t *join_source(struct sl_tls_conn *conn, struct tls_source *s, size_t size) {
    while (s->at == s->pieces[s->index].size) {
        s->index++; /* an empty piece */
        s->at = 0;
    }
    if (s->pieces[s->index].size - s->at >= size) {
        const uint8_t *data = (const uint8_t *)s->pieces[s->index].data + s->at;
        skip_source(s, size);
        return data;
    }
    if (conn->scratch == NULL) conn->scratch = sl_alloc_get(&conn->alloc, TLS_PLAIN);
    if (conn->scratch == NULL) return NULL;
    for (size_t done = 0; done < size;) {
        size_t here = s->pieces[s->index].size - s->at;
        size_t part = here < size - done ? here : size - done;
        if (part > 0)
            memcpy(conn->scratch + done, (const uint8_t *)s->pieces[s->index].data + s->at, part);
        done += part;
        s->rest -= part;
        s->at += part;
        if (s->at < s->pieces[s->index].size) break;
        s->index++;
        s->at = 0;
    }
    return conn->scratch;
}

/* One record more. 0; 1: OpenSSL has to read first; else a failure. */
static int64_t encrypt_record(struct sl_tls_conn *conn, const uint8_t *data, size_t size,
                              char *text, size_t cap) {
    size_t written;
    int rv = SSL_write_ex(conn->ssl, data, size, &written);
    if (rv != 1) return fail_conn(conn, SSL_get_error(conn->ssl, rv), text, cap);
    SL_ASSERT(written == size);
    conn->records[conn->record_count++] =
        (struct sl_tls_record){.end = conn->out_size, .plain = (uint32_t)size};
    conn->ahead += size;
    return 0;
}

/* Fills out with records. */
static int64_t encrypt_pieces(struct sl_tls_conn *conn, struct tls_source *s, char *text,
                              size_t cap) {
    size_t want = s->rest < TLS_OUT_MAX ? s->rest + s->rest / 16 + TLS_SPARE : TLS_OUT_MAX;
    if (want > TLS_OUT_MAX) want = TLS_OUT_MAX;
    if (want < TLS_CIPHER + TLS_SPARE) want = TLS_CIPHER + TLS_SPARE;
    if (conn->out_cap < want && grow_out(conn, want, TLS_OUT_MAX) != 0) goto no_memory;
    while (s->rest > 0 && conn->record_count < SL_TLS_RECORDS &&
           conn->out_cap - conn->out_size >= TLS_CIPHER + TLS_SPARE) {
        size_t size = s->rest < TLS_PLAIN ? s->rest : TLS_PLAIN;
        const uint8_t *data = join_source(conn, s, size);
        if (data == NULL) goto no_memory;
        int64_t rv = encrypt_record(conn, data, size, text, cap);
        if (rv != 0) return rv;
    }
    return 0;

no_memory:
    return fail_with(conn, SLUICE_ERR_NOMEM, tls_no_memory, text, cap);
}

static int64_t send_records(struct sl_tls_conn *conn, const struct sl_iov *pieces, size_t count,
                            char *text, size_t cap) {
    struct tls_source s = {.pieces = pieces, .count = count};
    for (size_t i = 0; i < count; i++) s.rest += pieces[i].size;
    /* With fewer offered than were taken there is nothing to add. */
    if (s.rest >= conn->ahead)
        skip_source(&s, conn->ahead);
    else
        s.rest = 0;
    ERR_clear_error();
    int64_t rv;
    while ((rv = flush_out(conn)) == 0 && s.rest > 0) {
        rv = encrypt_pieces(conn, &s, text, cap);
        if (rv != 0) return rv;
    }
    if (rv != 0 && rv != SL_IO_AGAIN) return fail_sending(conn, rv, text, cap);
    size_t left = conn->left;
    conn->left = 0;
    conn->ahead -= left;
    return left > 0 || rv == 0 ? (int64_t)left : SL_IO_AGAIN;
}

int64_t sl_tls_send(struct sl_tls_conn *conn, const struct sl_iov *pieces, size_t count, char *text,
                    size_t cap) {
    if (!sl_openssl_enter()) return fail_ended(conn, text, cap);
    int64_t rv = send_records(conn, pieces, count, text, cap);
    sl_openssl_leave();
    return rv;
}

/* ---- life ---- */

static bool is_numeric(const char *host) {
    uint8_t address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The name without what resolvers understand and certificates do not have: a dot at the end, the
 * scope of an address. */
static char *copy_host(const struct sl_alloc *alloc, const char *host) {
    size_t size = strcspn(host, "%");
    if (size > 1 && host[size - 1] == '.') size--;
    return sl_alloc_text(alloc, host, size);
}

/* Whom the certificate has to be for. False: out of memory. */
static bool set_peer(struct sl_tls_conn *conn) {
    const struct sl_tls_settings *settings = &conn->tls->settings;
    X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);
    bool numeric = is_numeric(conn->host);
    if (!numeric && SSL_set_tlsext_host_name(conn->ssl, conn->host) != 1) return false;
    if (!settings->verify || settings->verify_no_name) return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return (numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, conn->host)
                    : X509_VERIFY_PARAM_set1_host(param, conn->host, 0)) == 1;
}

static int begin_client(struct sl_tls_conn *conn, const char *host) {
    conn->host = copy_host(&conn->alloc, host);
    if (conn->host == NULL || !set_peer(conn)) return SLUICE_ERR_NOMEM;
    SSL_SESSION *session = sl_tls_find_session(conn->tls, conn->host, conn->port);
    if (session != NULL) (void)SSL_set_session(conn->ssl, session);
    SSL_set_connect_state(conn->ssl);
    return 0;
}

static void free_ssl(struct sl_tls_conn *conn) {
    SSL_free(conn->ssl);
    SSL_CTX_free(conn->ctx);
    ERR_clear_error();
}

static void free_conn(struct sl_tls_conn *conn) {
    struct sl_alloc alloc = conn->alloc;
    if (conn->host != NULL) sl_alloc_free(&alloc, conn->host, strlen(conn->host) + 1);
    sl_alloc_free(&alloc, conn->in, conn->in_cap);
    sl_alloc_free(&alloc, conn->out, conn->out_cap);
    if (conn->scratch != NULL) sl_alloc_wipe(conn->scratch, TLS_PLAIN);
    sl_alloc_free(&alloc, conn->scratch, TLS_PLAIN);
    sl_alloc_free(&alloc, conn, sizeof *conn);
}

/* OpenSSL's part of a connection that begins. 0 or NOMEM. */
static int begin_ssl(struct sl_tls_conn *conn, const char *host) {
    struct sl_tls *tls = conn->tls;
    if (SSL_CTX_up_ref(tls->ctx) == 1) conn->ctx = tls->ctx;
    conn->ssl = SSL_new(tls->ctx);
    conn->in = sl_alloc_get(&conn->alloc, TLS_IN_FIRST);
    if (conn->in == NULL) return SLUICE_ERR_NOMEM;
    conn->in_cap = TLS_IN_FIRST;
    BIO *bio = conn->ssl == NULL ? NULL : create_bio(conn);
    if (bio == NULL) return SLUICE_ERR_NOMEM;
    SSL_set_bio(conn->ssl, bio, bio);
    SSL_set_app_data(conn->ssl, conn);
    if (!tls->is_server) return begin_client(conn, host);
    SSL_set_accept_state(conn->ssl);
    return 0;
}

int sl_tls_open(struct sl_tls *tls, const struct sl_tls_pipe *pipe, const char *host, uint16_t port,
                const struct sl_alloc *alloc, struct sl_text *news, struct sl_text *why,
                struct sl_tls_conn **out) {
    if (!sl_openssl_enter()) {
        sl_text_put(why, tls_has_ended);
        return SLUICE_ERR_UNREACHABLE;
    }
    sl_tls_reload(tls, news);
    struct sl_tls_conn *conn = sl_alloc_zero(alloc, sizeof *conn);
    int rv = SLUICE_ERR_NOMEM;
    if (conn == NULL) goto leave;
    conn->tls = tls;
    conn->alloc = *alloc;
    conn->pipe = *pipe;
    conn->port = port;
    rv = begin_ssl(conn, host);
    if (rv == 0) {
        *out = conn;
    } else {
        free_ssl(conn);
        free_conn(conn);
    }

leave:
    sl_openssl_leave();
    if (rv != 0) sl_text_put(why, tls_no_memory);
    return rv;
}

static void say_end(struct sl_tls_conn *conn) {
    if (!conn->is_open || conn->is_closed || conn->is_broken) return;
    ERR_clear_error();
    (void)SSL_shutdown(conn->ssl);
    (void)flush_out(conn);
}

void sl_tls_close(struct sl_tls_conn *conn, bool polite) {
    if (conn == NULL) return;
    if (sl_openssl_enter()) {
        if (polite) say_end(conn);
        free_ssl(conn);
        sl_openssl_leave();
    }
    free_conn(conn);
}
