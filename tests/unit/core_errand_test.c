/* Goal: an errand is told to the host once, its answer reaches who sent it once, and an answer that is
 * late, twice or to nobody does nothing. Method: errands in a core that nothing else happens in. */
#include "core_host.h"

static int answers;
static int last_rv;
static char last_text[64];
static char last_bytes[64];
static bool sends_again;

static void take_answer(struct sl_core *core, struct sl_errand *errand,
                        const struct sl_errand_answer *answer) {
    answers++;
    last_rv = answer->rv;
    snprintf(last_text, sizeof last_text, "%s", answer->text);
    snprintf(last_bytes, sizeof last_bytes, "%.*s", (int)answer->bytes.size,
             (const char *)answer->bytes.data);
    assert_false(sl_errand_is_out(errand));
    if (sends_again) sl_errand_send(core, errand);
}

static struct sl_bytes bytes_of(const char *text) {
    return (struct sl_bytes){(const uint8_t *)text, (int32_t)strlen(text)};
}

static void answer(struct host *h, uint64_t serial, int rv, const char *text, const char *bytes) {
    struct sl_errand_answer told = {.rv = rv, .text = text, .bytes = bytes_of(bytes)};
    sl_core_on_errand(h->core, serial, &told);
}

static void an_answer_reaches_who_asked(void **state) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_errand a = {
        .kind = SL_ERRAND_GSSAPI, .link = 5, .input = bytes_of("a step"), .on_answer = take_answer};
    struct sl_errand b = {.kind = SL_ERRAND_TOKEN, .on_answer = take_answer};
    struct sl_output out;
    (void)state;
    answers = 0;
    assert_false(sl_errand_is_out(&a));
    sl_errand_send(h->core, &a);
    sl_errand_send(h->core, &b);
    assert_true(sl_errand_is_out(&a));
    assert_true(sl_core_next_output(h->core, &out));
    assert_int_equal(out.kind, SL_OUTPUT_ERRAND);
    assert_int_equal(out.errand, SL_ERRAND_GSSAPI);
    assert_int_equal(out.link, 5);
    assert_memory_equal(out.input.data, "a step", 6);
    uint64_t serial = out.serial;
    assert_true(sl_core_next_output(h->core, &out));
    assert_int_equal(out.errand, SL_ERRAND_TOKEN);
    assert_int_not_equal(out.serial, serial);
    answer(h, out.serial, SLUICE_ERR_UNREACHABLE, "nobody there", "and this");
    assert_int_equal(answers, 1);
    assert_int_equal(last_rv, SLUICE_ERR_UNREACHABLE);
    assert_string_equal(last_text, "nobody there");
    assert_string_equal(last_bytes, "and this");
    answer(h, out.serial, 0, "", "twice");
    answer(h, 4711, 0, "", "to nobody");
    assert_int_equal(answers, 1);
    answer(h, serial, 0, "", "done");
    assert_int_equal(answers, 2);
    assert_string_equal(last_bytes, "done");
    host_end(h);
}

static void what_was_dropped_is_not_answered(void **state) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_errand a = {.kind = SL_ERRAND_TOKEN, .on_answer = take_answer};
    (void)state;
    answers = 0;
    sl_errand_drop(&a);
    sl_errand_send(h->core, &a);
    sl_errand_drop(&a);
    host_turn(h);
    assert_int_equal(h->errands, 0);
    sl_errand_send(h->core, &a);
    host_turn(h);
    assert_int_equal(h->errands, 1);
    uint64_t serial = h->errand.serial;
    sl_errand_drop(&a);
    sl_errand_send(h->core, &a);
    host_turn(h);
    assert_int_equal(h->errands, 2);
    answer(h, serial, 0, "", "late");
    assert_int_equal(answers, 0);
    answer(h, h->errand.serial, 0, "", "in time");
    assert_int_equal(answers, 1);
    assert_string_equal(last_bytes, "in time");
    host_end(h);
}

static void it_may_be_sent_again_at_once(void **state) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_errand a = {.kind = SL_ERRAND_TOKEN, .on_answer = take_answer};
    (void)state;
    answers = 0;
    sends_again = true;
    sl_errand_send(h->core, &a);
    for (int i = 1; i < 5; i++) {
        host_turn(h);
        assert_int_equal(h->errands, i);
        answer(h, h->errand.serial, 0, "", "");
        assert_int_equal(answers, i);
    }
    sends_again = false;
    sl_errand_drop(&a);
    host_end(h);
}

static void nothing_comes_to_a_closed_client(void **state) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_errand a = {.kind = SL_ERRAND_TOKEN, .on_answer = take_answer};
    struct sl_errand b = {.kind = SL_ERRAND_TOKEN, .on_answer = take_answer};
    (void)state;
    answers = 0;
    sl_errand_send(h->core, &a);
    host_turn(h);
    sl_errand_send(h->core, &b);
    sl_core_abandon(h->core);
    host_turn(h);
    assert_int_equal(h->errands, 1);
    answer(h, h->errand.serial, 0, "", "");
    assert_int_equal(answers, 0);
    host_end(h);
}

static int destroyed;

static void destroy_state(struct sl_errand_state *state) {
    (void)state;
    destroyed++;
}

static void what_the_host_keeps_has_one_owner(void **state) {
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_errand a = {.kind = SL_ERRAND_GSSAPI, .on_answer = take_answer};
    struct sl_errand_state talk = {destroy_state}, *kept = &talk;
    struct sl_errand_answer told = {.text = "", .state = &kept};
    struct sl_output out;
    (void)state;
    destroyed = 0;
    sl_errand_send(h->core, &a);
    assert_true(sl_core_next_output(h->core, &out));
    assert_null(*out.kept_state);
    sl_core_on_errand(h->core, out.serial, &told);
    assert_null(kept);
    assert_ptr_equal(a.state, &talk);
    /* The host takes it for the next. */
    sl_errand_send(h->core, &a);
    assert_true(sl_core_next_output(h->core, &out));
    assert_ptr_equal(*out.kept_state, &talk);
    *out.kept_state = NULL;
    kept = &talk;
    sl_errand_drop(&a);
    sl_core_on_errand(h->core, out.serial, &told);
    assert_ptr_equal(kept, &talk); /* it came too late, and stays the host's */
    assert_int_equal(destroyed, 0);
    /* Nobody goes on: before the host was told, and after its answer. */
    for (int told_first = 0; told_first < 2; told_first++) {
        a.state = &talk;
        sl_errand_send(h->core, &a);
        if (told_first == 1) {
            assert_true(sl_core_next_output(h->core, &out));
            *out.kept_state = NULL;
            kept = &talk;
            sl_core_on_errand(h->core, out.serial, &told);
        }
        sl_errand_drop(&a);
        assert_int_equal(destroyed, told_first + 1);
        assert_null(a.state);
    }
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_reaches_who_asked),
        cmocka_unit_test(what_was_dropped_is_not_answered),
        cmocka_unit_test(what_the_host_keeps_has_one_owner),
        cmocka_unit_test(it_may_be_sent_again_at_once),
        cmocka_unit_test(nothing_comes_to_a_closed_client),
    };
    return cmocka_run_group_tests_name("core_errand", tests, NULL, NULL);
}
