/* Goal: a peer that is no Kafka broker, or a broken one, gives one clear error that names it, in
 * bounded time, with bounded memory, and no crash.
 * Method: a scripted peer ("peer-1") answers whatever it is sent with HTTP, a TLS alert, an
 * oversized frame, random bytes, a wrong correlation id, half an answer; or hangs up at once. */
#include "scenario.h"

struct speech {
    struct world_peer peer;
    const void *data;
    size_t size;
    enum link_mark mark;
};

static void speak(struct world_peer *peer, struct link *link, const void *data, size_t size) {
    const struct speech *speech = peer->user;
    (void)data;
    (void)size;
    link_say(link, speech->data, speech->size, speech->mark);
}

/* What ready says of such a peer; the story that explain tells must hold one of the two words. */
static void meet(const void *data, size_t size, enum link_mark mark, const char *word,
                 const char *other) {
    struct story s;
    struct speech speech = {.data = data, .size = size, .mark = mark};
    const char *const settings[] = {"bootstrap.servers", "peer-1:9092", NULL};
    char text[1000] = "";
    speech.peer = (struct world_peer){.on_bytes = speak, .user = &speech};
    story_begin(&s, 1, 1);
    s.world->peers[0] = &speech.peer;
    sluice_client *a = story_open(&s, SLUICE_ADMIN, settings);
    int64_t began = s.world->now, before = s.host->memory.live;
    int rv = sluice_client_ready(a, 3000, NULL);
    assert_int_equal(rv, SLUICE_ERR_UNREACHABLE);
    assert_true(s.world->now - began <= 3001 * WORLD_MS);
    assert_true(s.host->memory.peak - before < 512 * 1024);
    (void)sluice_client_explain(a, rv, text, sizeof text);
    if (strstr(text, "peer-1:9092") == NULL) fail_msg("\"%s\" does not name the peer", text);
    if (strstr(text, word) == NULL && strstr(text, other) == NULL)
        fail_msg("\"%s\" says neither %s nor %s", text, word, other);
    assert_int_equal(sluice_client_close(a, 1000, NULL), 0);
    assert_string_equal(story_end(&s), "");
}

static void test_http(void **state) {
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    (void)state;
    meet(http, sizeof http - 1, LINK_FIN, "HTTP", "HTTP");
    meet(http, sizeof http - 1, LINK_DATA, "HTTP", "HTTP");
}

static void test_tls(void **state) {
    static const uint8_t alert[] = {0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46};
    (void)state;
    meet(alert, sizeof alert, LINK_FIN, "TLS", "SSL");
}

static void test_oversized_frame(void **state) {
    static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0};
    static const uint8_t negative[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0};
    (void)state;
    meet(huge, sizeof huge, LINK_DATA, "2147483647", "receive.message.max.bytes");
    meet(negative, sizeof negative, LINK_DATA, "-1", "4294967295");
}

static void test_nonsense(void **state) {
    static const uint8_t other_id[] = {0, 0, 0, 10, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0, 0, 0};
    static const uint8_t cut[] = {0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0};
    uint8_t noise[400];
    (void)state;
    meet(other_id, sizeof other_id, LINK_DATA, "", "");
    meet(cut, sizeof cut, LINK_DATA, "", "");
    for (int round = 0; round < 50; round++) {
        struct sl_rng rng;
        sl_rng_init(&rng, (uint64_t)round);
        for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)sl_rng_next(&rng);
        if (round % 2 == 0) noise[0] = noise[1] = noise[2] = 0; /* a length that can be */
        meet(noise, sizeof noise, round % 3 == 0 ? LINK_FIN : LINK_DATA, "", "");
    }
}

static void test_silence_and_hangups(void **state) {
    (void)state;
    meet("", 0, LINK_FIN, "", "");
    meet("", 0, LINK_RESET, "", "");
    meet("", 0, LINK_DATA, "", "");
    meet("\0\0", 2, LINK_DATA, "", "");
}

/* Such a peer first in the list keeps nobody from the broker behind it. */
static void test_next_in_list(void **state) {
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct story s;
    struct speech speech = {.data = http, .size = sizeof http - 1, .mark = LINK_FIN};
    const char *const settings[] = {"bootstrap.servers", "peer-1:9092,broker-1:9001", NULL};
    (void)state;
    speech.peer = (struct world_peer){.on_bytes = speak, .user = &speech};
    story_begin(&s, 1, 1);
    s.world->peers[0] = &speech.peer;
    sluice_client *a = story_open(&s, SLUICE_ADMIN, settings);
    assert_int_equal(sluice_client_ready(a, 5000, NULL), 0);
    assert_string_equal(story_end(&s), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_http),
                                       cmocka_unit_test(test_tls),
                                       cmocka_unit_test(test_oversized_frame),
                                       cmocka_unit_test(test_nonsense),
                                       cmocka_unit_test(test_silence_and_hangups),
                                       cmocka_unit_test(test_next_in_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
