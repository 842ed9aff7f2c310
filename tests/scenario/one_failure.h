/* A producer's story with one allocation that fails, played once for each: what is accepted is written,
 * and the client closes in time. */
#ifndef ONE_FAILURE_H
#define ONE_FAILURE_H

#include "scenario.h"

struct one_failure {
    struct story story; /* begun by the test */
    uint64_t fail_at;   /* the allocation's number; 0: none fails */
    sluice_client *producer;
    int64_t sent;
};

/* Memory may have been short once by now. */
static inline void one_failure_forgive(int rv) { assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM); }

/* From here on that allocation fails. */
static inline void one_failure_open(struct one_failure *f, const char *const *settings) {
    f->story.host->memory.fail_at = f->fail_at;
    for (int i = 0; i < 5 && f->producer == NULL; i++)
        f->producer = story_open(&f->story, SLUICE_PRODUCER, settings);
    assert_non_null(f->producer);
}

static inline void one_failure_send(struct one_failure *f, int32_t partition) {
    int rv = story_send(&f->story, f->producer, partition, 1000);
    one_failure_forgive(rv);
    f->sent += rv == 0;
}

/* All that was promised must be true. */
static inline void one_failure_end_story(struct story *s, uint64_t fail_at) {
    const char *broken = story_end(s);
    if (broken[0] != '\0') fail_msg("allocation %llu: %s", (unsigned long long)fail_at, broken);
}

/* Returns how many allocations there were. */
static inline uint64_t one_failure_end(struct one_failure *f) {
    struct story *s = &f->story;
    assert_true(story_await_reports(s, f->producer, f->sent, 30000));
    assert_int_equal(story_outcomes(s, f->producer, SLUICE_WRITTEN), f->sent);
    assert_int_equal(sluice_client_close(f->producer, 5000, NULL), 0);
    uint64_t calls = s->host->memory.calls;
    s->host->memory.fail_at = 0;
    one_failure_end_story(s, f->fail_at);
    return calls;
}

static inline void one_failure_each(uint64_t (*play)(uint64_t fail_at)) {
    uint64_t calls = play(0);
    assert_true(calls > 100);
    for (uint64_t k = 1; k <= calls; k++) (void)play(k);
}

#endif
