/* Goal: a broker that means harm gets nothing but an error out of a client: it takes no memory to speak
 * of before the login, holds nobody up beyond his deadline, is named, and once it behaves everything
 * goes on with nothing lost.
 * Method: answers that promise gigabytes or come byte by byte, to each request of setting a connection
 * up by every way to log in, and to those of an ordinary life; records that grow when decompressed;
 * metadata that points elsewhere. The same over sockets is in tests/host/hostile_client_test.c. */
#include "scenario.h"

#include "record/batch_write.h"
#include "record/compress.h"
#include "record/record.h"

enum { BEFORE_LOGIN_MOST = 128 * 1024 };

static void set(struct story *s, const char *name, const char *value) {
    assert_int_equal(sl_broker_set(s->world->broker, name, value), 0);
}

static struct sl_fault make_harm(int16_t api, int harm, int32_t times) {
    return (struct sl_fault){.kind = SL_FAULT_HOSTILE,
                             .api = api,
                             .partition = -1,
                             .code = harm,
                             .delay_ms = 400,
                             .times = times};
}

static sluice_client *open_as(struct story *s, int32_t role, const char *mechanism) {
    const char *const plain[] = {"request.timeout.ms", "3000", NULL};
    const char *const login[] = {"security.protocol", "SASL_PLAINTEXT", "sasl.mechanism",
                                 mechanism,           "sasl.username",  "bob",
                                 "sasl.password",     "pencil",         NULL};
    sluice_client *client = story_open(s, role, mechanism[0] == '\0' ? plain : login);
    assert_non_null(client);
    return client;
}

static void begin(struct story *s, const char *mechanism) {
    story_begin(s, 1, 1);
    if (mechanism[0] == '\0') return;
    set(s, "sasl.enabled.mechanisms", mechanism);
    set(s, "sasl.user", "bob=pencil");
}

/* ---- before the login ---- */

static void meet_harm(const char *mechanism, int16_t api, int harm) {
    struct story s;
    struct sl_fault fault = make_harm(api, harm, -1);
    char text[1000] = "";
    begin(&s, mechanism);
    story_fault(&s, &fault);
    sluice_client *p = open_as(&s, SLUICE_PRODUCER, mechanism);
    int64_t began = s.world->now, before = s.host->memory.live;
    s.host->memory.peak = before;
    int rv = sluice_client_ready(p, 3000, NULL);
    /* Who has logged in somewhere is waiting for an answer, and not for a broker. */
    bool is_slow = api == SL_API_METADATA && harm == SL_FAULT_HARM_DRIBBLE;
    if (rv != (is_slow ? SLUICE_ERR_TIMEOUT : SLUICE_ERR_UNREACHABLE))
        fail_msg("%s, API %d, harm %d: ready says %d", mechanism, api, harm, rv);
    assert_in_range(s.world->now - began, 0, 3001 * WORLD_MS);
    assert_in_range(s.host->memory.peak - before, 0, BEFORE_LOGIN_MOST);
    (void)sluice_client_explain(p, rv, text, sizeof text);
    if (strstr(text, "broker-1") == NULL) fail_msg("\"%s\" does not name the broker", text);
    assert_null(strstr(text, "pencil"));
    sl_broker_heal(s.world->broker, 0);
    assert_int_equal(sluice_client_ready(p, 30000, NULL), 0);
    assert_int_equal(story_send(&s, p, 0, 1000), 0);
    assert_true(story_await_reports(&s, p, 1, 20000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 1);
    assert_string_equal(story_end(&s), "");
}

static void setting_up_is_bounded(void **state) {
    static const char *const mechanisms[] = {"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    static const struct {
        int16_t api;
        int harm;
    } harms[] = {
        {SL_API_API_VERSIONS, SL_FAULT_HARM_FRAME},
        {SL_API_API_VERSIONS, SL_FAULT_HARM_COUNT},
        {SL_API_API_VERSIONS, SL_FAULT_HARM_DRIBBLE},
        {SL_API_SASL_HANDSHAKE, SL_FAULT_HARM_FRAME},
        {SL_API_SASL_HANDSHAKE, SL_FAULT_HARM_COUNT},
        {SL_API_SASL_HANDSHAKE, SL_FAULT_HARM_DRIBBLE},
        {SL_API_SASL_AUTHENTICATE, SL_FAULT_HARM_FRAME},
        {SL_API_SASL_AUTHENTICATE, SL_FAULT_HARM_DRIBBLE},
        {SL_API_METADATA, SL_FAULT_HARM_FRAME},
        {SL_API_METADATA, SL_FAULT_HARM_COUNT},
        {SL_API_METADATA, SL_FAULT_HARM_DRIBBLE},
    };
    (void)state;
    for (size_t m = 0; m < sizeof mechanisms / sizeof *mechanisms; m++) {
        for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
            bool is_of_login =
                harms[i].api == SL_API_SASL_HANDSHAKE || harms[i].api == SL_API_SASL_AUTHENTICATE;
            if (is_of_login && mechanisms[m][0] == '\0') continue;
            meet_harm(mechanisms[m], harms[i].api, harms[i].harm);
        }
    }
}

/* ---- in an ordinary life ---- */

static void live_with_harm(int16_t api, int harm) {
    struct story s;
    struct sl_fault fault = make_harm(api, harm, 2);
    const char *const settings[] = {"group.id", "g", "request.timeout.ms", "3000", NULL};
    int64_t next = 0;
    begin(&s, "");
    story_fault(&s, &fault);
    sluice_client *p = open_as(&s, SLUICE_PRODUCER, "");
    int64_t before = s.host->memory.live;
    for (int i = 0; i < 5; i++) assert_int_equal(story_send(&s, p, 0, 20000), 0);
    assert_true(story_await_reports(&s, p, 5, 60000));
    assert_int_equal(story_outcomes(&s, p, SLUICE_WRITTEN), 5);
    sluice_client *c = story_open(&s, SLUICE_CONSUMER, settings);
    assert_int_equal(story_assign(&s, c, 0, SLUICE_OFFSET_EARLIEST), 0);
    int rv = story_read(&s, c, &next, 5, 60000);
    if (rv != 0) fail_msg("API %d, harm %d: reading says %d", api, harm, rv);
    assert_int_equal(next, 5);
    assert_in_range(s.host->memory.peak - before, 0, 2 << 20);
    assert_string_equal(story_end(&s), "");
}

static void nothing_is_lost_by_it(void **state) {
    static const int16_t apis[] = {SL_API_METADATA, SL_API_PRODUCE, SL_API_INIT_PRODUCER_ID,
                                   SL_API_FETCH, SL_API_LIST_OFFSETS};
    (void)state;
    for (size_t i = 0; i < sizeof apis / sizeof *apis; i++)
        for (int harm = SL_FAULT_HARM_FRAME; harm <= SL_FAULT_HARM_DRIBBLE; harm++)
            live_with_harm(apis[i], harm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_up_is_bounded),
        cmocka_unit_test(nothing_is_lost_by_it),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
