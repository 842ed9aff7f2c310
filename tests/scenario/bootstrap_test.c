/* Goal: one bootstrap server that answers is enough, wherever it stands in the list; when none
 * does, the client says so by the deadline, naming who refused; when the brokers it knew are all
 * gone for long it starts from the list again.
 * Method: lists with names that do not exist, hosts that refuse, and hosts that never answer. */
#include "scenario.h"

static void ready_with(const char *servers, int32_t timeout_ms, int expected, const char *named) {
    struct story s;
    const char *const settings[] = {"bootstrap.servers", servers,
                                    "socket.connection.setup.timeout.ms", "1000", NULL};
    char text[1000] = "";
    story_begin(&s, 2, 1);
    sluice_client *a = story_open(&s, SLUICE_ADMIN, settings);
    int64_t began = s.world->now;
    assert_int_equal(sluice_client_ready(a, timeout_ms, NULL), expected);
    assert_true(s.world->now - began <= (timeout_ms + 1) * WORLD_MS);
    if (expected != 0) (void)sluice_client_explain(a, expected, text, sizeof text);
    if (strstr(text, named) == NULL) fail_msg("\"%s\" does not name %s", text, named);
    assert_string_equal(story_end(&s), "");
}

static void test_one_is_enough(void **state) {
    (void)state;
    ready_with("broker-2:9002", 5000, 0, "");
    ready_with("dead-1:9001,broker-1:9001", 5000, 0, "");
    ready_with("hole-1:9001,broker-1:9001", 8000, 0, "");
    ready_with("nobody:9001,hole-1:9001,dead-1:9001,10.0.0.2:9002", 20000, 0, "");
    ready_with("broker-1:9001,nobody:9001", 8000, 0, "");
}

static void test_none(void **state) {
    (void)state;
    ready_with("dead-1:9001", 3000, SLUICE_ERR_UNREACHABLE, "dead-1:9001");
    ready_with("nobody:9001", 3000, SLUICE_ERR_UNREACHABLE, "nobody");
    ready_with("hole-3:9001", 3000, SLUICE_ERR_UNREACHABLE, "hole-3:9001");
}

/* A node of the list is down at the start, and the others serve. */
static void test_node_down(void **state) {
    struct story s;
    (void)state;
    story_begin(&s, 3, 3);
    world_set_node(s.world, 1, SL_BROKER_DOWN);
    sluice_client *p = story_open(&s, SLUICE_PRODUCER, NULL);
    for (int i = 0; i < 30; i++) assert_int_equal(story_send(&s, p, i % 3, 0), 0);
    assert_true(story_await_reports(&s, p, 30, 30000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 30);
    assert_string_equal(story_end(&s), "");
}

/* Names have several addresses, of which only the last one serves. */
static void test_many_addresses(void **state) {
    struct story s;
    const char *const settings[] = {"socket.connection.setup.timeout.ms", "500", NULL};
    (void)state;
    story_begin(&s, 1, 1);
    s.world->names = WORLD_NAMES_MANY;
    sluice_client *a = story_open(&s, SLUICE_ADMIN, settings);
    assert_int_equal(sluice_client_ready(a, 20000, NULL), 0);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_is_enough), cmocka_unit_test(test_none),
        cmocka_unit_test(test_node_down), cmocka_unit_test(test_many_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
