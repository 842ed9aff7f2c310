/* What a client sends the test broker to log in with: tokens of every mechanism, and JWTs. None lets
 * anybody in who does not know the password, and a JWT that is taken names a user and ends later.
 *
 * Input: a byte that picks the mechanism, or the JWT reader, then the bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static void check_jwt(const uint8_t *data, size_t size) {
    enum { NOW_MS = 1000 };
    char user[128] = "";
    int64_t ends_ms = 0;
    struct sl_str token = {(const char *)data, (int32_t)size};
    if (!sl_auth_jwt_read(token, NOW_MS, user, sizeof user, &ends_ms)) return;
    require(user[0] != '\0' || size > 0);
    require(ends_ms > NOW_MS);
}

static bool take_nothing(void *self, struct sl_str token, struct sl_str *user) {
    (void)self;
    (void)token;
    (void)user;
    return false;
}

static void check_token(enum sl_auth_mechanism mechanism, const uint8_t *data, size_t size) {
    struct sl_broker_options options;
    struct sl_broker_cluster *c;
    struct sl_arena arena;
    struct sl_bytes out, token = {data, (int32_t)size};
    struct sl_machine_link link = {.node_id = 1};
    int64_t lifetime_ms;
    int rv;
    sl_broker_options_init(&options);
    require(sl_broker_create(&options, sl_alloc_default(), 1, &c) == 0);
    require(sl_broker_set(c, "sasl.enabled.mechanisms", "PLAIN") == 0);
    require(sl_broker_set(c, "sasl.user", "bob=a password that nobody finds") == 0);
    c->auth.verify = take_nothing;
    link.c = c;
    link.auth = sl_auth_open(&c->auth, &rv);
    require(link.auth != NULL);
    link.auth->mechanism = mechanism;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    for (int step = 0; step < 3; step++) {
        enum sl_auth_verdict verdict = sl_auth_take(&link, token, &arena, &out, &lifetime_ms);
        require(verdict != SL_AUTH_ACCEPTED && out.size <= 4096);
        if (verdict == SL_AUTH_REFUSED) break;
    }
    sl_arena_deinit(&arena);
    sl_auth_close(&c->auth, link.auth);
    sl_broker_destroy(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    int what = data[0] % (SL_AUTH_MECHANISMS + 1);
    if (what >= SL_AUTH_PLAIN && what < SL_AUTH_MECHANISMS)
        check_token((enum sl_auth_mechanism)what, data + 1, size - 1);
    else
        check_jwt(data + 1, size - 1);
    return 0;
}
