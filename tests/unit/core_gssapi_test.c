/* Goal: a login by GSSAPI goes through with messages that the host makes, and anew when its session ends; a
 * host that is late, silent, wrong or out of tickets, and a broker that goes on for ever, end the
 * connection in time and in words, and what the host keeps is never lost.
 * Method: an admin client whose host and broker are scripted (core_host.h), in virtual time. */
#include "core_host.h"

/* What a host keeps of a conversation. */
struct talk {
    struct sl_errand_state state;
    int alive;
};
static struct talk talk;
static struct sl_errand_state *kept; /* by the host */

static void destroy_talk(struct sl_errand_state *state) {
    assert_ptr_equal(state, &talk.state);
    talk.alive--;
}

static struct host *prepare(void) {
    struct host *h = malloc(sizeof *h);
    assert_non_null(h);
    host_prepare(h, SL_ROLE_ADMIN);
    h->settings.security = SL_SECURITY_SASL_PLAINTEXT;
    h->settings.sasl_mechanism = SL_SASL_GSSAPI;
    h->settings.kerberos_principal = (char *)(uintptr_t) "client";
    talk = (struct talk){{destroy_talk}, 0};
    kept = NULL;
    return h;
}

static struct host *start(void) {
    struct host *h = prepare();
    assert_int_equal(host_create(h), 0);
    return h;
}

static void finish(struct host *h) {
    host_end(h);
    if (kept != NULL) kept->destroy(kept);
    assert_int_equal(talk.alive, 0);
}

/* ---- the broker ---- */

static void answer_handshake(struct host *h) {
    struct host_request r = host_next_request(h, SL_API_SASL_HANDSHAKE);
    struct sl_sasl_handshake_response answer;
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_sasl_handshake_request *request = host_decode(&r, &arena);
    assert_true(sl_bytes_str_equal(request->mechanism, SL_STR("GSSAPI")));
    sl_arena_deinit(&arena);
    sl_codec_defaults(&sl_sasl_handshake_response_type, &answer);
    host_reply(h, &r, &answer);
    host_turn(h);
}

/* The message that the broker has got, and what it says to it. */
static void answer_message(struct host *h, const char *message, const char *text,
                           int64_t lifetime_ms) {
    struct host_request r = host_next_request(h, SL_API_SASL_AUTHENTICATE);
    struct sl_sasl_authenticate_response answer;
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), 0);
    const struct sl_sasl_authenticate_request *request = host_decode(&r, &arena);
    assert_int_equal(request->auth_bytes.size, strlen(message));
    assert_memory_equal(request->auth_bytes.data, message, strlen(message));
    sl_arena_deinit(&arena);
    sl_codec_defaults(&sl_sasl_authenticate_response_type, &answer);
    answer.auth_bytes = (struct sl_bytes){(const uint8_t *)text, (int32_t)strlen(text)};
    answer.session_lifetime_ms = lifetime_ms;
    host_reply(h, &r, &answer);
    host_turn(h);
}

/* ---- the host ---- */

/* Begins the errand that was sent last, which has that input. */
static void begin_errand(struct host *h, const char *input) {
    assert_int_equal(h->errand.kind, SL_OUTPUT_ERRAND);
    assert_int_equal(h->errand.errand, SL_ERRAND_GSSAPI);
    assert_int_equal(h->errand.input.size, strlen(input));
    assert_memory_equal(h->errand.input.data, input, strlen(input));
    kept = *h->errand.kept_state;
    *h->errand.kept_state = NULL;
    if (kept == NULL) {
        kept = &talk.state;
        talk.alive++;
    }
}

static void end_errand(struct host *h, int rv, const char *text, bool is_done,
                       const char *message) {
    char bytes[100];
    snprintf(bytes, sizeof bytes, "%c%s", '?', message);
    bytes[0] = is_done;
    struct sl_errand_answer answer = {
        .rv = rv, .text = text, .bytes = {(const uint8_t *)bytes, 0}, .state = &kept};
    if (rv == 0) answer.bytes.size = (int32_t)strlen(message) + 1;
    sl_core_on_errand(h->core, h->errand.serial, &answer);
    host_turn(h);
}

static void make_message(struct host *h, const char *input, bool is_done, const char *message) {
    begin_errand(h, input);
    end_errand(h, 0, "", is_done, message);
    assert_null(kept);
}

/* All of a login. */
static void log_in(struct host *h, int64_t lifetime_ms) {
    answer_handshake(h);
    make_message(h, "b1", false, "token");
    answer_message(h, "token", "reply", 0);
    make_message(h, "reply", false, "");
    answer_message(h, "", "layers", 0);
    make_message(h, "layers", true, "none");
    answer_message(h, "none", "", lifetime_ms);
    assert_int_equal(talk.alive, 0);
}

static struct sl_op *ask(struct host *h) {
    struct sl_op *op = host_ask(h, SL_COMMAND_READY, NULL, 100000);
    host_turn(h);
    return op;
}

/* Whether that is why some broker could not be reached last. */
static bool is_told_of_a_broker(const struct host *h, const char *text) {
    SL_LIST_EACH(node, tmp, &h->core->brokers.all) {
        if (strstr(SL_LIST_OF(node, struct sl_broker, node)->story, text) != NULL) return true;
    }
    return false;
}

/* ---- what goes well ---- */

static void a_login_has_as_many_messages_as_it_needs(void **state) {
    (void)state;
    struct host *h = start();
    struct sl_op *op = ask(h);
    log_in(h, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, 0);
    assert_int_equal(h->errands, 3);
    assert_int_equal(h->opens, 1);
    finish(h);
}

static void a_session_is_renewed(void **state) {
    (void)state;
    struct host *h = start();
    ask(h);
    log_in(h, 10000);
    for (int i = 0; i < 3; i++) {
        host_advance(h, 9600);
        assert_int_equal(host_count_requests(h, SL_API_SASL_HANDSHAKE), 1);
        log_in(h, 10000);
    }
    assert_int_equal(h->opens, 1);
    assert_int_equal(h->errands, 12);
    finish(h);
}

/* The connection that authenticates anew asks nothing; another of the same client does. */
static void others_go_on_meanwhile(void **state) {
    (void)state;
    struct host *h = start();
    ask(h);
    log_in(h, 10000);
    struct sl_link *link = SL_LIST_OF(h->core->links.all.next, struct sl_link, node);
    host_advance(h, 9600);
    answer_handshake(h);
    begin_errand(h, "b1");
    assert_int_equal(link->state, SL_LINK_REAUTHENTICATING);
    int turns = h->turns;
    host_advance(h, 5000);
    assert_in_range(h->turns - turns, 0, 20); /* nobody looks again and again */
    end_errand(h, 0, "", false, "token");
    answer_message(h, "token", "reply", 0);
    make_message(h, "reply", true, "all");
    answer_message(h, "all", "", 10000);
    assert_int_equal(link->state, SL_LINK_READY);
    finish(h);
}

/* ---- what goes wrong ---- */

static void no_ticket_is_told_as_it_is(void **state) {
    (void)state;
    struct host *h = start();
    struct sl_op *op = ask(h);
    answer_handshake(h);
    begin_errand(h, "b1");
    end_errand(h, SLUICE_ERR_AUTH, "no ticket: gone", false, "");
    assert_true(
        host_was_told(h, "authentication failed (GSSAPI, user \"client\"): no ticket: gone"));
    assert_int_equal(talk.alive, 0);
    /* It may be there later. */
    host_advance(h, 1500);
    log_in(h, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    finish(h);
}

static void no_kdc_is_no_refusal(void **state) {
    (void)state;
    static const int codes[] = {SLUICE_ERR_UNREACHABLE, SLUICE_ERR_SYSTEM, SLUICE_ERR_NOMEM};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct host *h = start();
        struct sl_op *op = ask(h);
        answer_handshake(h);
        begin_errand(h, "b1");
        end_errand(h, codes[i], "nobody there", false, "");
        assert_false(host_was_told(h, "authentication failed"));
        host_advance(h, 1500);
        log_in(h, 0);
        assert_int_equal(op->code, 0);
        finish(h);
    }
}

static void a_silent_host_is_waited_for_no_longer_than_a_broker(void **state) {
    (void)state;
    struct host *h = start();
    ask(h);
    answer_handshake(h);
    begin_errand(h, "b1");
    host_advance(h, 13000); /* 10 s and a fifth of it */
    assert_int_equal(h->closes, 1);
    assert_true(is_told_of_a_broker(h, "Kerberos did not answer in time"));
    /* The answer comes at last, and stays the host's. */
    uint64_t serial = h->errand.serial;
    struct sl_errand_answer late = {
        .text = "", .bytes = {(const uint8_t *)"\0late", 5}, .state = &kept};
    sl_core_on_errand(h->core, serial, &late);
    host_turn(h);
    assert_non_null(kept);
    kept->destroy(kept);
    kept = NULL;
    assert_int_equal(host_count_requests(h, SL_API_SASL_AUTHENTICATE), 0);
    log_in(h, 0);
    assert_int_equal(h->opens, 2);
    finish(h);
}

static void a_host_that_is_silent_later_costs_the_connection(void **state) {
    (void)state;
    struct host *h = start();
    ask(h);
    log_in(h, 10000);
    host_advance(h, 9600);
    answer_handshake(h);
    begin_errand(h, "b1");
    host_advance(h, 10500);
    assert_int_equal(h->closes, 1);
    assert_true(is_told_of_a_broker(h, "in time: Kerberos does not answer"));
    finish(h);
}

static void nonsense_of_the_host_ends_the_connection(void **state) {
    (void)state;
    struct host *h = start();
    ask(h);
    answer_handshake(h);
    begin_errand(h, "b1");
    struct sl_errand_answer answer = {.text = "", .state = &kept};
    sl_core_on_errand(h->core, h->errand.serial, &answer);
    host_turn(h);
    assert_int_equal(h->closes, 1);
    assert_int_equal(host_count_requests(h, SL_API_SASL_AUTHENTICATE), 0);
    finish(h);
}

static void a_broker_cannot_go_on_for_ever(void **state) {
    (void)state;
    struct host *h = start();
    ask(h);
    answer_handshake(h);
    make_message(h, "b1", false, "more");
    while (h->closes == 0) {
        answer_message(h, "more", "and then?", 0);
        if (h->closes == 0) make_message(h, "and then?", false, "more");
        assert_in_range(h->errands, 1, 20);
    }
    assert_int_equal(h->errands, 10);
    assert_true(host_was_told(h, "the broker does not come to an end"));
    finish(h);
}

/* Neither success before the host has said all, nor words after it. */
static void a_broker_does_not_end_it_by_itself(void **state) {
    (void)state;
    struct host *h = start();
    struct sl_op *op = ask(h);
    answer_handshake(h);
    make_message(h, "b1", false, "token");
    answer_message(h, "token", "", 60000);
    assert_int_not_equal(op->state, SL_OP_ENDED);
    make_message(h, "", true, "last");
    answer_message(h, "last", "one thing more", 0);
    assert_true(host_was_told(h, "an answer where none belongs"));
    finish(h);
}

static void a_close_waits_for_no_errand(void **state) {
    (void)state;
    for (int is_begun = 0; is_begun < 2; is_begun++) {
        struct host *h = start();
        ask(h);
        answer_handshake(h);
        make_message(h, "b1", false, "token");
        answer_message(h, "token", "reply", 0);
        if (is_begun == 1) begin_errand(h, "reply");
        host_ask(h, SL_COMMAND_CLOSE, NULL, 1000);
        host_turn(h);
        assert_true(sl_core_is_closed(h->core));
        if (is_begun == 1) end_errand(h, 0, "", false, "too late");
        finish(h);
    }
}

/* ---- memory ---- */

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct host *h = prepare();
        test_memory_fail_at(&h->memory, n);
        bool is_created = host_create(h) == 0;
        test_memory_fail_at(&h->memory, 0);
        if (is_created) {
            ask(h);
            test_memory_fail_at(&h->memory, h->memory.calls + n);
            long before = h->memory.failures;
            answer_handshake(h);
            if (h->closes == 0) {
                begin_errand(h, "b1");
                end_errand(h, 0, "", false, "token");
            }
            if (h->closes == 0) answer_message(h, "token", "reply", 0);
            if (h->closes == 0) {
                begin_errand(h, "reply");
                end_errand(h, 0, "", true, "all");
            }
            if (h->closes == 0) answer_message(h, "all", "", 0);
            bool has_failed = h->memory.failures > before;
            test_memory_fail_at(&h->memory, 0);
            finish(h);
            if (!has_failed) {
                assert_in_range(n, 5, 500);
                return;
            }
        } else {
            host_end(h);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_has_as_many_messages_as_it_needs),
        cmocka_unit_test(a_session_is_renewed),
        cmocka_unit_test(others_go_on_meanwhile),
        cmocka_unit_test(no_ticket_is_told_as_it_is),
        cmocka_unit_test(no_kdc_is_no_refusal),
        cmocka_unit_test(a_silent_host_is_waited_for_no_longer_than_a_broker),
        cmocka_unit_test(a_host_that_is_silent_later_costs_the_connection),
        cmocka_unit_test(nonsense_of_the_host_ends_the_connection),
        cmocka_unit_test(a_broker_cannot_go_on_for_ever),
        cmocka_unit_test(a_broker_does_not_end_it_by_itself),
        cmocka_unit_test(a_close_waits_for_no_errand),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("core_gssapi", tests, NULL, NULL);
}
