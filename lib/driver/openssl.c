/* OpenSSL frees what it has for the process when exit is called, and whoever uses it then crashes. Two
 * things are done about it:
 *
 * When we are the first to use OpenSSL it is told not to: the system takes the memory back anyhow, and
 * clients that are closed late, by a destructor of C++ or an atexit function, work to their end.
 *
 * When the application was first (or calls OPENSSL_cleanup itself), its end waits until no thread is
 * inside, and lets none in again: connections under TLS fail from then on, and what is still to be
 * freed is left to the system.
 *
 * Not here: what libcurl does with OpenSSL (oidc.c), which nobody can stop; hashes (base/digest.c), which
 * take microseconds at a time, once a login. */
#include "driver/openssl.h"

#include <openssl/crypto.h>
#include <pthread.h>

#include "driver/latch.h"
#include "driver/system.h"

enum { END_PAUSE_NS = 100000, END_PAUSES_MAX = 10000 }; /* a second: more is a thread that hangs */

static pthread_once_t openssl_once = PTHREAD_ONCE_INIT;
static struct sl_latch openssl_latch;
static int users; /* threads inside; guarded, like the next */
static bool has_ended;

static void lock_openssl(void) { sl_latch_lock(&openssl_latch); }
static void unlock_openssl(void) { sl_latch_unlock(&openssl_latch); }

bool sl_openssl_enter(void) {
    lock_openssl();
    bool may_enter = !has_ended;
    if (may_enter) users++;
    unlock_openssl();
    return may_enter;
}

void sl_openssl_leave(void) {
    lock_openssl();
    users--;
    unlock_openssl();
}

static void end_openssl(void) {
    int inside = 1;
    for (int i = 0; inside > 0 && i < END_PAUSES_MAX; i++) {
        if (i > 0) sl_system_pause(END_PAUSE_NS);
        lock_openssl();
        has_ended = true;
        inside = users;
        unlock_openssl();
    }
}

/* Those who were inside are not in a child. */
static void forget_users(void) {
    users = 0;
    unlock_openssl();
}

static void start_openssl(void) {
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    (void)OPENSSL_atexit(end_openssl);
    (void)pthread_atfork(lock_openssl, unlock_openssl, forget_users);
}

void sl_openssl_start(void) { (void)pthread_once(&openssl_once, start_openssl); }
