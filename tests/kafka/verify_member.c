/* verify member: one member of a group, which writes down what it sees.
 *
 * A line each, to stdout, written before what it speaks of has any consequence, so that a member
 * that is killed has told all that it did. MS is the calendar's time in milliseconds.
 *
 *     MS owns PARTITION:POSITION…       what is assigned, and the next offset to hand out; when that
 *                                       has changed, and looked at ten times a second
 *     MS assigned|revoking|lost P…      a notice, with rebalance.notices=true
 *     MS read PARTITION FIRST COUNT     records that a poll handed out
 *     MS stale                          they were taken away before they were finished
 *     MS closing                        after SIGTERM: what was handed out is finished
 *     MS closed CODE                    the last line
 *
 * Every batch takes some time, so that rebalances find records in hand. Offsets have no holes here:
 * the topic is neither compacted nor transactional. */
#define _POSIX_C_SOURCE 200809L
#include "verify.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

enum { POLL_MS = 50, LOOK_MS = 100, WORK_MS = 20, LINE_SIZE = 64 * 1024 };

static sluice_client *member;
static volatile sig_atomic_t stop_wanted;

static void on_term(int signal_number) {
    (void)signal_number;
    stop_wanted = 1;
    if (member != NULL) sluice_client_interrupt(member);
}

/* A line, at once. */
static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...) {
    va_list arguments;
    printf("%" PRId64 " ", verify_calendar_ms());
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* What is owned, if that is news. */
static void tell_positions(void) {
    static char last[LINE_SIZE];
    static char line[LINE_SIZE];
    static int64_t looked_ms;
    sluice_offsets *positions;
    sluice_offset o;
    size_t size = 0;
    int64_t now_ms = verify_now_ms();
    if (now_ms < looked_ms + LOOK_MS) return;
    looked_ms = now_ms;
    int rv = sluice_consumer_positions(member, &positions);
    if (rv != 0) {
        verify_complain("positions: %s", sluice_error_text(rv));
        return;
    }
    line[0] = '\0';
    for (int32_t i = 0; sluice_offsets_at(positions, i, &o, sizeof o) == 1; i++) {
        if (size < sizeof line - 40) {
            size += (size_t)snprintf(line + size, sizeof line - size, " %d:%" PRId64,
                                     (int)o.partition, o.offset);
        }
    }
    sluice_offsets_free(positions);
    if (strcmp(line, last) == 0) return;
    tell("owns%s", line);
    memcpy(last, line, size + 1);
}

static int tell_rebalance(void) {
    static const char *const kinds[] = {"assigned", "revoking", "lost"};
    static char line[LINE_SIZE];
    sluice_rebalance_info info = {0, 0};
    sluice_rebalance *rebalance;
    sluice_offset o;
    size_t size = 0;
    int rv = sluice_consumer_rebalance(member, &rebalance);
    if (rv != 0) return rv == SLUICE_ERR_STALE ? 0 : rv;
    (void)sluice_rebalance_read(rebalance, &info, sizeof info);
    const sluice_offsets *list = sluice_rebalance_offsets(rebalance);
    line[0] = '\0';
    for (int32_t i = 0; sluice_offsets_at(list, i, &o, sizeof o) == 1; i++) {
        if (size < sizeof line - 20) {
            size += (size_t)snprintf(line + size, sizeof line - size, " %d", (int)o.partition);
        }
    }
    tell("%s%s", kinds[info.kind - SLUICE_REBALANCE_ASSIGNED], line);
    rv = sluice_rebalance_done(rebalance, NULL);
    return rv == SLUICE_ERR_STALE ? 0 : rv;
}

/* Says what was handed out, slice by slice, works, and is done with it. */
static int process(sluice_batch *batch) {
    sluice_view view;
    sluice_slice slice;
    int32_t handed_out = 0;
    int64_t expected = 0;
    int32_t slice_of = -1;
    int rv;
    for (int32_t i = 0; sluice_batch_slice(batch, i, &slice, sizeof slice) == 1; i++) {
        if (slice.count == 0) continue;
        tell("read %d %" PRId64 " %d", (int)slice.partition, slice.first_offset, (int)slice.count);
    }
    while ((rv = sluice_batch_next(batch, &view, sizeof view)) == 1) {
        handed_out++;
        if (view.slice == slice_of && view.offset != expected) {
            verify_complain("partition %d: offset %" PRId64 " where %" PRId64 " was due",
                            (int)view.partition, view.offset, expected);
        }
        slice_of = view.slice;
        expected = view.offset + 1;
    }
    if (rv == 0 && handed_out != sluice_batch_count(batch)) {
        verify_complain("a batch of %d records handed out %d", (int)sluice_batch_count(batch),
                        (int)handed_out);
    }
    verify_sleep_ms(WORK_MS);
    int finished = sluice_batch_finish(batch);
    if (finished == SLUICE_ERR_STALE) {
        tell("stale");
        finished = 0;
    }
    return rv < 0 ? rv : finished;
}

static int take_part(void) {
    while (!stop_wanted) {
        sluice_batch *batch = NULL;
        int rv = sluice_consumer_poll(member, POLL_MS, &batch);
        tell_positions();
        if (rv == 0 && batch != NULL) rv = process(batch);
        if (rv == SLUICE_NOTICE_REBALANCE) rv = tell_rebalance();
        if (rv != 0) return rv;
    }
    return 0;
}

int verify_member(const struct verify_options *options) {
    static const char *const settings[] = {"auto.offset.reset", "earliest", NULL};
    const char *topic = options->plan.topic;
    struct sigaction action = {.sa_handler = on_term};
    char story[512];
    sigaction(SIGTERM, &action, NULL);
    member = verify_open(options, SLUICE_CONSUMER, settings);
    tell("begins"); /* from here on a signal is heard */
    int rv = sluice_consumer_subscribe(member, &topic, 1);
    if (rv == 0) rv = take_part();
    if (rv != 0 && rv != SLUICE_ERR_INTERRUPTED) {
        sluice_client_explain(member, rv, story, sizeof story);
        verify_complain("poll: %s: %s", sluice_error_name(rv), story);
    }
    tell("closing");
    rv = sluice_client_close(member, options->close_ms, NULL);
    tell("closed %d", rv);
    if (rv != 0) verify_complain("close: %s", sluice_error_text(rv));
    sluice_client_free(member);
    return verify_complaints() == 0 ? 0 : 1;
}
