/* Goal: an op ends exactly once, at its deadline at the latest, by the unit that keeps it, without
 * needing memory. Method: ops in a core that nothing else happens in. */
#include "core_host.h"

static int over_calls;
static void end_over_with_text(struct sl_core *core, struct sl_op *op, int code) {
    over_calls++;
    sl_ops_end(&core->ops, op, code, "waited for %s", (const char *)op->owner);
}

static void deadlines_end_ops_in_order(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_ops *ops = &h->core->ops;
    struct sl_op *plain = host_op(h, 30), *kept = host_op(h, 20), *endless = host_op(h, -1);
    assert_int_equal(sl_ops_start(ops, plain), 0);
    assert_int_equal(sl_ops_start(ops, endless), 0);
    assert_int_equal(sl_ops_start(ops, kept), 0);
    struct sl_list unit;
    sl_list_init(&unit);
    sl_list_push_back(&unit, &kept->node);
    kept->on_over = end_over_with_text;
    kept->owner = (void *)(uintptr_t) "a bus";
    assert_int_equal(sl_core_deadline(h->core), kept->deadline);
    over_calls = 0;
    host_advance(h, 19);
    assert_int_equal(over_calls, 0);
    host_advance(h, 1);
    assert_int_equal(over_calls, 1);
    assert_int_equal(kept->state, SL_OP_ENDED);
    assert_int_equal(kept->code, SLUICE_ERR_TIMEOUT);
    assert_string_equal(kept->text, "waited for a bus");
    assert_true(sl_list_is_empty(&unit));
    host_advance(h, 100);
    assert_int_equal(plain->code, SLUICE_ERR_TIMEOUT);
    assert_int_equal(endless->state, SL_OP_PENDING);
    assert_int_equal(sl_core_deadline(h->core), SL_NEVER);
    sl_ops_end(ops, endless, 7, NULL);
    assert_int_equal(endless->code, 7);
    assert_string_equal(endless->text, "");
    host_end(h);
}

static void without_memory_the_op_ends_with_that(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_op *op = host_op(h, 1000);
    struct sl_command *command = host_command_make(h, SL_COMMAND_READY, op, NULL);
    test_memory_fail_from(&h->memory, h->memory.calls + 1);
    sl_core_on_command(h->core, command);
    test_memory_fail_at(&h->memory, 0);
    assert_int_equal(op->state, SL_OP_ENDED);
    assert_int_equal(op->code, SLUICE_ERR_NOMEM);
    host_turn(h);
    host_end(h);
}

static void a_long_text_is_cut(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_op *op = host_op(h, 1000);
    assert_int_equal(sl_ops_start(&h->core->ops, op), 0);
    sl_ops_end(&h->core->ops, op, 1, "%*s", 5000, "x");
    assert_int_equal(strlen(op->text), SL_OP_TEXT - 1);
    host_end(h);
}

static void closing_ends_every_op(void **state) {
    (void)state;
    struct host *h = host_start(SL_ROLE_ADMIN);
    struct sl_op *kept = host_op(h, -1), *plain = host_op(h, 5000);
    assert_int_equal(sl_ops_start(&h->core->ops, kept), 0);
    assert_int_equal(sl_ops_start(&h->core->ops, plain), 0);
    kept->on_over = end_over_with_text;
    kept->owner = (void *)(uintptr_t) "the end";
    struct sl_op *close = host_ask(h, SL_COMMAND_CLOSE, NULL, 1000);
    host_turn(h);
    assert_int_equal(close->code, 0);
    assert_int_equal(kept->code, SLUICE_ERR_CLOSED);
    assert_int_equal(plain->code, SLUICE_ERR_CLOSED);
    host_end(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_end_ops_in_order),
        cmocka_unit_test(without_memory_the_op_ends_with_that),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(closing_ends_every_op),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
