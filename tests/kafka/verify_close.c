/* verify close-frozen: whether close returns by its deadline when every broker has stopped
 * answering without closing a connection (SIGSTOP).
 *
 * The program and the script that freezes the brokers take turns: the program gets a client going,
 * prints "ready" and waits for a line; the script freezes the brokers and writes it; the program
 * goes on for a moment, so that requests are under way, and closes. With --fresh the client is only
 * started then, and has never reached anyone. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <string.h>

enum {
    GRACE_MS = 200,     /* what close may take beyond its deadline, on a busy machine */
    AFTERMATH_MS = 500, /* how long the client goes on against frozen brokers */
    WARM_UP_MS = 30000
};

static void take_turns(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) verify_complain("the script went away");
}

/* Closes, frees and measures both. Every answer is right here but one that comes late. */
static int close_in_time(sluice_client *client, int32_t close_ms, int64_t *took_ms) {
    int64_t started_ms = verify_now_ms();
    int rv = sluice_client_close(client, close_ms, NULL);
    *took_ms = verify_now_ms() - started_ms;
    if (*took_ms > close_ms + GRACE_MS) {
        verify_complain("close took %" PRId64 " ms for a deadline of %d ms", *took_ms,
                        (int)close_ms);
    }
    return rv;
}

static void send_for(struct verify_producer *producer, const struct verify_options *options,
                     int64_t ms, bool until_written) {
    int64_t end_ms = verify_now_ms() + ms;
    while (verify_now_ms() < end_ms && producer->accepted < options->count) {
        if (until_written && producer->outcomes[0] > 0) return;
        int rv = verify_producer_send(producer);
        if (rv == 0 && producer->accepted % 100 != 0) continue;
        if (rv != 0 && rv != SLUICE_ERR_FULL && rv != SLUICE_ERR_UNREAD) {
            verify_complain("send: %s", sluice_error_text(rv));
            return;
        }
        verify_producer_settle(producer, 10);
    }
    if (until_written) verify_complain("nothing was written before the brokers were frozen");
}

static int close_producer(const struct verify_options *options) {
    static struct verify_producer producer;
    int64_t took_ms;
    if (!options->fresh) {
        verify_producer_open(&producer, options);
        send_for(&producer, options, WARM_UP_MS, true);
    }
    take_turns();
    if (options->fresh) verify_producer_open(&producer, options);
    send_for(&producer, options, AFTERMATH_MS, false);

    int rv = close_in_time(producer.client, options->close_ms, &took_ms);
    verify_producer_finish(&producer, options->ledger_path);
    if (rv == 0 && producer.outcomes[1] + producer.outcomes[2] != 0) {
        verify_complain("close said that all was written");
    }
    printf("close-frozen: producer %s %" PRId64 " ms: written=%" PRIu64 " not_written=%" PRIu64
           " maybe_written=%" PRIu64 "\n",
           sluice_error_name(rv), took_ms, producer.outcomes[0], producer.outcomes[1],
           producer.outcomes[2]);
    verify_producer_close(&producer);
    return verify_complaints() == 0 ? 0 : 1;
}

static void poll_for(sluice_client *consumer, int64_t ms, bool until_read) {
    int64_t end_ms = verify_now_ms() + ms;
    while (verify_now_ms() < end_ms) {
        sluice_batch *batch = NULL;
        int rv = sluice_consumer_poll(consumer, 50, &batch);
        bool some = batch != NULL;
        if (rv != 0) verify_complain("poll: %s", sluice_error_text(rv));
        /* Whether it was processed does not matter here. */
        sluice_batch_free(batch);
        if (rv != 0 || (until_read && some)) return;
    }
    if (until_read) verify_complain("nothing was read before the brokers were frozen");
}

static sluice_client *open_consumer(const struct verify_options *options) {
    static const char *const settings[] = {NULL};
    sluice_client *consumer = verify_open(options, SLUICE_CONSUMER, settings);
    int rv = verify_assign_all(consumer, &options->plan);
    if (rv != 0) verify_complain("assign: %s", sluice_error_text(rv));
    return consumer;
}

static int close_consumer(const struct verify_options *options) {
    sluice_client *consumer = NULL;
    int64_t took_ms;
    if (!options->fresh) {
        consumer = open_consumer(options);
        poll_for(consumer, WARM_UP_MS, true);
    }
    take_turns();
    if (options->fresh) consumer = open_consumer(options);
    poll_for(consumer, AFTERMATH_MS, false);

    int rv = close_in_time(consumer, options->close_ms, &took_ms);
    printf("close-frozen: consumer %s %" PRId64 " ms\n", sluice_error_name(rv), took_ms);
    sluice_client_free(consumer);
    return verify_complaints() == 0 ? 0 : 1;
}

int verify_close_frozen(const struct verify_options *options) {
    if (strcmp(options->role, "producer") == 0) return close_producer(options);
    if (strcmp(options->role, "consumer") == 0) return close_consumer(options);
    fputs("verify: --role is producer or consumer\n", stderr);
    return 2;
}
