/* Goal: readiness is level-triggered for the loop whatever the poller does: what became ready is reported
 * until a read or a write says otherwise, nothing is forgotten, nobody is passed over, and what was said of
 * a descriptor's last owner says nothing of its next.
 * Method: by hand, as a poller that tells each change once; then against a model, at random. */
#include "unit/support.h"

#include "base/rng.h"
#include "driver/readiness.h"
#include "sluice/error.h"

enum { SOCKETS = 200, REPORTS = 16 };

struct fixture {
    struct test_memory memory;
    struct sl_readiness r;
};

static void start(struct fixture *f) {
    test_memory_init(&f->memory);
    sl_readiness_init(&f->r, &f->memory.alloc);
}

static void end(struct fixture *f) {
    sl_readiness_deinit(&f->r);
    test_memory_check(&f->memory);
}

static uint64_t add(struct fixture *f, int fd, bool write) {
    uint64_t key;
    assert_int_equal(sl_readiness_add(&f->r, fd, 1000 + (uint64_t)fd, write, &key), 0);
    assert_true(key > UINT32_MAX);
    return key;
}

static void note(struct fixture *f, uint64_t key, uint32_t what) {
    sl_readiness_note(&f->r, &(struct sl_ready){.token = key, .what = what});
}

/* What is reported of the one that is reported; 0: nobody is. */
static uint32_t report(struct fixture *f) {
    struct sl_ready ready[REPORTS];
    bool any = sl_readiness_any(&f->r);
    int count = sl_readiness_report(&f->r, ready, REPORTS);
    assert_true(count <= 1);
    assert_int_equal(any, count > 0);
    return count == 0 ? 0 : ready[0].what;
}

static void what_is_ready_stays_so(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    uint64_t key = add(&f, 5, false);
    assert_int_equal(report(&f), 0);
    note(&f, key, SL_READY_READ);
    assert_int_equal(report(&f), SL_READY_READ);
    assert_int_equal(report(&f), SL_READY_READ); /* nobody has read */
    sl_readiness_on_read(&f.r, 5, 100, 100);
    assert_int_equal(report(&f), SL_READY_READ); /* there may be more */
    sl_readiness_on_read(&f.r, 5, 60, 100);
    assert_int_equal(report(&f), 0);
    note(&f, key, SL_READY_READ);
    sl_readiness_on_read(&f.r, 5, -1, 100);
    assert_int_equal(report(&f), 0);
    end(&f);
}

/* The end came with the last bytes, and nothing will be told any more: a short read must not hide it. */
static void an_end_is_not_hidden(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    uint64_t key = add(&f, 5, false);
    note(&f, key, SL_READY_READ | SL_READY_ENDED);
    sl_readiness_on_read(&f.r, 5, 60, 100);
    assert_int_equal(report(&f), SL_READY_READ);
    end(&f);
}

static void writing_is_told_when_wanted(void **state) {
    (void)state;
    struct fixture f;
    uint64_t told;
    start(&f);
    uint64_t key = add(&f, 5, true);
    note(&f, key, SL_READY_WRITE);
    assert_int_equal(report(&f), SL_READY_WRITE);
    assert_true(sl_readiness_want_write(&f.r, 5, false, &told));
    assert_int_equal(told, key);
    assert_false(sl_readiness_want_write(&f.r, 5, false, &told));
    assert_int_equal(report(&f), 0);
    /* It has not been found full since. */
    assert_true(sl_readiness_want_write(&f.r, 5, true, &told));
    assert_int_equal(report(&f), SL_READY_WRITE);
    sl_readiness_on_written(&f.r, 5, 40, 100);
    assert_int_equal(report(&f), 0);
    note(&f, key, SL_READY_WRITE);
    sl_readiness_on_written(&f.r, 5, 100, 100);
    assert_int_equal(report(&f), SL_READY_WRITE);
    sl_readiness_on_written(&f.r, 5, -1, 100);
    assert_int_equal(report(&f), 0);
    end(&f);
}

/* An event that one thread took may be passed on after another thread closed the socket, and the system
 * gave its descriptor to the next. */
static void an_old_event_says_nothing(void **state) {
    (void)state;
    struct fixture f;
    start(&f);
    uint64_t old = add(&f, 5, true);
    note(&f, old, SL_READY_READ);
    sl_readiness_remove(&f.r, 5);
    assert_false(sl_readiness_has(&f.r, 5));
    assert_int_equal(report(&f), 0);
    note(&f, old, SL_READY_WRITE);
    uint64_t key = add(&f, 5, true);
    note(&f, old, SL_READY_WRITE | SL_READY_READ);
    assert_int_equal(report(&f), 0);
    note(&f, key, SL_READY_WRITE);
    assert_int_equal(report(&f), SL_READY_WRITE);
    note(&f, (uint64_t)7 << 32 | 100000, SL_READY_READ); /* of nobody at all */
    sl_readiness_on_read(&f.r, 100000, -1, 1);
    sl_readiness_on_written(&f.r, 100000, -1, 1);
    end(&f);
}

static void nobody_is_passed_over(void **state) {
    (void)state;
    struct fixture f;
    struct sl_ready ready[REPORTS];
    int seen[SOCKETS] = {0};
    start(&f);
    for (int fd = 0; fd < SOCKETS; fd++) note(&f, add(&f, fd, false), SL_READY_READ);
    for (int turn = 0; turn < 3 * SOCKETS / REPORTS; turn++) {
        int count = sl_readiness_report(&f.r, ready, REPORTS);
        assert_int_equal(count, REPORTS);
        for (int i = 0; i < count; i++) seen[ready[i].token - 1000]++;
    }
    for (int fd = 0; fd < SOCKETS; fd++) assert_in_range(seen[fd], 2, 3);
    int fd = -1;
    for (int i = 0; i < SOCKETS; i++) assert_int_equal(fd = sl_readiness_next(&f.r, fd + 1), i);
    assert_true(sl_readiness_next(&f.r, SOCKETS) < 0);
    end(&f);
}

static void no_memory_changes_nothing(void **state) {
    (void)state;
    struct fixture f;
    uint64_t key;
    start(&f);
    uint64_t first = add(&f, 3, false);
    note(&f, first, SL_READY_READ);
    for (int at = 1; at <= 2; at++) {
        test_memory_fail_at(&f.memory, f.memory.calls + at);
        assert_int_equal(sl_readiness_add(&f.r, 900, 1, false, &key), SLUICE_ERR_NOMEM);
        assert_false(sl_readiness_has(&f.r, 900));
        assert_int_equal(report(&f), SL_READY_READ);
    }
    end(&f);
}

/* ---- against a model ---- */

struct model {
    uint64_t key;
    bool open, write;
    uint32_t known;
};

static void check_model(struct fixture *f, const struct model *m) {
    struct sl_ready ready[SOCKETS];
    uint32_t told[SOCKETS] = {0};
    int count = sl_readiness_report(&f->r, ready, SOCKETS);
    for (int i = 0; i < count; i++) {
        assert_int_equal(told[ready[i].token - 1000], 0);
        told[ready[i].token - 1000] = ready[i].what;
    }
    for (int fd = 0; fd < SOCKETS; fd++) {
        uint32_t shown = SL_READY_READ | SL_READY_ERROR | (m[fd].write ? SL_READY_WRITE : 0);
        assert_int_equal(told[fd], m[fd].open ? m[fd].known & shown : 0);
    }
}

static void change_one(struct fixture *f, struct model *m, int fd, struct sl_rng *rng) {
    uint64_t key;
    uint32_t what = (uint32_t)sl_rng_range(rng, 1, 15);
    int64_t moved = sl_rng_range(rng, -1, 3);
    switch (m[fd].open ? sl_rng_range(rng, 0, 9) : 0) {
    case 0:
        if (m[fd].open)
            sl_readiness_remove(&f->r, fd);
        else
            m[fd] = (struct model){.key = add(f, fd, (what & 1) != 0), .write = (what & 1) != 0};
        m[fd].open = sl_readiness_has(&f->r, fd);
        break;
    case 1:
        m[fd].write = (what & 1) != 0;
        (void)sl_readiness_want_write(&f->r, fd, m[fd].write, &key);
        break;
    case 2:
    case 3:
        sl_readiness_on_written(&f->r, fd, moved, 3);
        if (moved < 3) m[fd].known &= ~(uint32_t)SL_READY_WRITE;
        break;
    case 4:
    case 5:
        sl_readiness_on_read(&f->r, fd, moved, 3);
        if (moved < 0) m[fd].known &= ~(uint32_t)(SL_READY_READ | SL_READY_ERROR);
        if (moved < 3 && (m[fd].known & SL_READY_ENDED) == 0)
            m[fd].known &= ~(uint32_t)SL_READY_READ;
        break;
    default:
        note(f, m[fd].key, what);
        m[fd].known |= what;
    }
}

static void it_is_what_the_model_says(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct fixture f;
        struct model m[SOCKETS] = {{0}};
        struct sl_rng rng;
        sl_rng_init(&rng, seed);
        start(&f);
        for (int step = 0; step < 400; step++) {
            int fd = (int)sl_rng_range(&rng, 0, step < 50 ? 3 : SOCKETS - 1);
            change_one(&f, m, fd, &rng);
            if (sl_rng_range(&rng, 0, 9) == 0) check_model(&f, m);
        }
        check_model(&f, m);
        end(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ready_stays_so),      cmocka_unit_test(an_end_is_not_hidden),
        cmocka_unit_test(writing_is_told_when_wanted), cmocka_unit_test(an_old_event_says_nothing),
        cmocka_unit_test(nobody_is_passed_over),       cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(it_is_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
