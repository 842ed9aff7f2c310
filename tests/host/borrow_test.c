/* Goal: a loop whose thread sleeps is lent to a thread that has something small for it, or that waits for what
 * comes in, to one at a time, and goes on as before: nobody else is in it meanwhile, no time is missed, no
 * call and no event is lost, no function of the application's is called by the wrong thread.
 * Method: a runtime on the system's sockets with a member of the test's own, which notes who calls it; then a
 * producer that sends now and then, and a consumer that waits for what comes. */
#include "host/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "driver/runtime.h"
#include "driver/system.h"
#include "sluice/sluice.h"

enum { PATIENCE_MS = 20000, STAY_NS = 1000000 };
static const int64_t patience = PATIENCE_MS * INT64_C(1000000);

/* ---- a member ---- */

struct guest {
    struct sl_member member;
    struct sluice_runtime *runtime;
    pthread_t owner;          /* the test's thread */
    atomic_int inside;        /* threads in a turn of it */
    atomic_int own_turns;     /* by the owner */
    atomic_int other_turns;   /* by the I/O thread */
    atomic_bool has_work;     /* it does not sleep */
    _Atomic int64_t deadline; /* SL_NEVER: none */
    bool leaves_work;         /* the owner's turns do … */
    bool sets_time;           /* … have something to do a little later … */
    bool wakes;               /* … wake the I/O thread, and stay for a while */
    bool calls;               /* who borrows the loop calls the owner, and stays for a while */
    bool was_right;           /* what the last one found */
    atomic_bool was_crowded;  /* two threads were in a turn of it */
};

static struct guest *guest_of(struct sl_member *m) { return (struct guest *)(void *)m; }

static bool is_owner(const struct guest *g) { return pthread_equal(pthread_self(), g->owner) != 0; }

/* Long enough for a thread that is woken to be there. */
static bool stay_alone(struct guest *g) {
    int others = atomic_load(&g->other_turns);
    int64_t until = sl_system_now() + STAY_NS;
    sl_runtime_wake(g->runtime);
    while (sl_system_now() < until)
        if (atomic_load(&g->inside) != 1) return false;
    return atomic_load(&g->other_turns) == others;
}

/* Long enough for the thread that is called to want the loop. */
static void call_and_stay(struct guest *g) {
    int64_t until = sl_system_now() + STAY_NS;
    sl_runtime_call(g->runtime);
    while (sl_system_now() < until) continue;
}

static void begin_guest(struct sl_member *m, int64_t now, int64_t wall_ms) {
    struct guest *g = guest_of(m);
    (void)wall_ms;
    if (atomic_fetch_add(&g->inside, 1) != 0) atomic_store(&g->was_crowded, true);
    if (now >= atomic_load(&g->deadline)) atomic_store(&g->deadline, SL_NEVER);
    if (!is_owner(g)) {
        if (g->calls && m->is_borrowed) call_and_stay(g);
        return;
    }
    if (g->sets_time) atomic_store(&g->deadline, now + STAY_NS);
    g->was_right = m->is_borrowed && sl_runtime_is_inside(g->runtime);
    if (g->wakes) g->was_right &= stay_alone(g);
}

static void finish_guest(struct sl_member *m) {
    struct guest *g = guest_of(m);
    atomic_store(&g->has_work, is_owner(g) && g->leaves_work);
    atomic_fetch_sub(&g->inside, 1);
    atomic_fetch_add(is_owner(g) ? &g->own_turns : &g->other_turns, 1);
}

static bool let_guest_sleep(struct sl_member *m, int64_t now, int64_t *until) {
    struct guest *g = guest_of(m);
    int64_t deadline = atomic_load(&g->deadline);
    if (atomic_load(&g->has_work) || deadline <= now) return false;
    if (deadline < *until) *until = deadline;
    return true;
}

static void end_guest(struct sl_member *m, int64_t now, int64_t wall_ms) {
    (void)m;
    (void)now;
    (void)wall_ms;
}

static const struct sl_member_table guest_table = {
    .begin = begin_guest, .finish = finish_guest, .sleep = let_guest_sleep, .end = end_guest};

static void open_guest(struct guest *g) {
    memset(g, 0, sizeof *g);
    g->member.table = &guest_table;
    g->owner = pthread_self();
    atomic_store(&g->deadline, SL_NEVER);
    assert_int_equal(sl_runtime_create(SL_RUNTIME_THREAD, sl_alloc_default(), &g->runtime), 0);
    assert_int_equal(sl_runtime_join(g->runtime, &g->member), 0);
}

static void close_guest(struct guest *g) {
    sl_runtime_leave(&g->member);
    sl_runtime_release(g->runtime);
}

/* Until the I/O thread has slept for a while. */
static void borrow(struct guest *g) {
    int64_t until = sl_system_now() + patience;
    while (!sl_runtime_borrow(g->runtime, &g->member)) assert_true(sl_system_now() < until);
}

static void wait_for(atomic_int *count, int least) {
    int64_t until = sl_system_now() + patience;
    while (atomic_load(count) < least) assert_true(sl_system_now() < until);
}

/* ---- tests ---- */

static void test_a_turn_of_ones_own(void **state) {
    (void)state;
    struct guest g;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    for (int i = 1; i <= 50; i++) {
        borrow(&g);
        assert_int_equal(atomic_load(&g.own_turns), i);
        assert_true(g.was_right);
        assert_false(g.member.is_borrowed);
        assert_false(sl_runtime_is_inside(g.runtime));
        /* Who comes again at once is one for whom the thread is to be woken. */
        assert_false(sl_runtime_borrow(g.runtime, &g.member));
    }
    close_guest(&g);
}

/* The I/O thread that is woken meanwhile waits for the end of the turn, and has its own then. */
static void test_one_at_a_time(void **state) {
    (void)state;
    struct guest g;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    g.wakes = true;
    for (int i = 0; i < 20; i++) {
        int others = atomic_load(&g.other_turns);
        borrow(&g);
        assert_true(g.was_right);
        wait_for(&g.other_turns, others + 1);
    }
    close_guest(&g);
}

/* What the turn sets a time for, or leaves undone, is done by the I/O thread. */
static void test_what_it_leaves(void **state) {
    (void)state;
    struct guest g;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    for (int i = 0; i < 40; i++) {
        int others = atomic_load(&g.other_turns);
        g.leaves_work = i % 2 == 0;
        if (!g.leaves_work) atomic_store(&g.deadline, sl_system_now() + STAY_NS);
        borrow(&g);
        wait_for(&g.other_turns, others + 1);
    }
    close_guest(&g);
}

/* ---- who watches ---- */

static int64_t soon(void) { return sl_system_now() + patience; }

/* Until the I/O thread sleeps, and events are far enough apart. */
static void watch(struct guest *g) {
    int64_t until = soon(), next = sl_system_now() + STAY_NS;
    while (!sl_runtime_watch(g->runtime)) {
        int64_t now = sl_system_now();
        assert_true(now < until);
        if (now < next) continue;
        sl_runtime_wake(g->runtime);
        next = now + STAY_NS;
    }
}

/* The time comes for the loop to do something: that is an event, and the thread that came last has it. */
static void serve_in_time(struct guest *g) {
    int others = atomic_load(&g->other_turns);
    int64_t deadline = sl_system_now() + 2 * STAY_NS;
    atomic_store(&g->deadline, deadline);
    sl_runtime_wake(g->runtime);
    wait_for(&g->other_turns, others + 1);
    watch(g);
    assert_false(sl_runtime_watch(g->runtime)); /* one at a time */
    sl_runtime_serve_watched(g->runtime, deadline + STAY_NS);
    assert_false(g->member.is_borrowed);
    assert_false(sl_runtime_is_inside(g->runtime));
}

static void wait_for_nothing_to_do(struct guest *g) {
    int64_t until = soon();
    while (atomic_load(&g->deadline) != SL_NEVER || atomic_load(&g->has_work))
        assert_true(sl_system_now() < until);
}

static void test_a_watcher_serves(void **state) {
    (void)state;
    struct guest g;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    for (int i = 0; i < 50; i++) {
        serve_in_time(&g);
        wait_for_nothing_to_do(&g);
    }
    print_message("%d turns by the watcher\n", atomic_load(&g.own_turns));
    assert_true(atomic_load(&g.own_turns) > 0);
    assert_true(g.was_right);
    close_guest(&g);
}

/* What the watcher's turns leave undone, or set a time for, is done by the I/O thread when it is away. */
static void test_what_a_watcher_leaves(void **state) {
    (void)state;
    struct guest g;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    for (int i = 0; i < 40; i++) {
        g.leaves_work = i % 2 == 0;
        g.sets_time = !g.leaves_work;
        serve_in_time(&g);
        wait_for_nothing_to_do(&g);
    }
    assert_true(atomic_load(&g.own_turns) > 0);
    close_guest(&g);
}

/* Whoever takes the event: a call reaches the thread that watches. */
static void test_a_call_is_not_lost(void **state) {
    (void)state;
    struct guest g;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    for (int i = 0; i < 500; i++) {
        int64_t until = soon();
        watch(&g);
        sl_runtime_call(g.runtime);
        sl_runtime_serve_watched(g.runtime, until);
        assert_true(sl_system_now() < until);
    }
    close_guest(&g);
}

/* Nothing comes: it ends by its time, and the loop is as it was. */
static void test_a_watch_ends_in_time(void **state) {
    (void)state;
    struct guest g;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    watch(&g);
    int64_t until = sl_system_now() + 3 * STAY_NS;
    sl_runtime_serve_watched(g.runtime, until);
    assert_true(sl_system_now() >= until);
    watch(&g);
    sl_runtime_unwatch(g.runtime);
    int others = atomic_load(&g.other_turns);
    sl_runtime_wake(g.runtime);
    wait_for(&g.other_turns, others + 1);
    assert_int_equal(atomic_load(&g.own_turns), 0);
    close_guest(&g);
}

/* Once a round, threads call the watcher, wake the loop, want to borrow it, and let a member come and go: each
 * call is seen, nobody is in the loop with somebody else, and nobody waits for ever. */
struct crowd {
    struct guest *g;
    atomic_int round; /* below 0: it is over */
    atomic_int borrowed;
};

/* The next round, or below 0. */
static int wait_for_round(struct crowd *c, int last) {
    int round;
    while ((round = atomic_load(&c->round)) == last) sched_yield();
    return round;
}

static void *call_each_round(void *arg) {
    struct crowd *c = arg;
    for (int r = 0; (r = wait_for_round(c, r)) >= 0;) sl_runtime_call(c->g->runtime);
    return NULL;
}

static void *wake_each_round(void *arg) {
    struct crowd *c = arg;
    for (int r = 0; (r = wait_for_round(c, r)) >= 0;) sl_runtime_wake(c->g->runtime);
    return NULL;
}

static void *borrow_each_round(void *arg) {
    struct crowd *c = arg;
    for (int r = 0; (r = wait_for_round(c, r)) >= 0;)
        atomic_fetch_add(&c->borrowed, sl_runtime_borrow(c->g->runtime, &c->g->member));
    return NULL;
}

static void *join_each_round(void *arg) {
    struct crowd *c = arg;
    for (int r = 0; (r = wait_for_round(c, r)) >= 0;) {
        struct guest other = {.owner = pthread_self(), .runtime = c->g->runtime};
        other.member.table = &guest_table;
        atomic_store(&other.deadline, SL_NEVER);
        assert_int_equal(sl_runtime_join(other.runtime, &other.member), 0);
        sl_runtime_leave(&other.member);
        assert_int_equal(atomic_load(&other.inside), 0);
    }
    return NULL;
}

/* The owner's side of one. */
static void watch_a_round(struct crowd *c, int round) {
    int64_t until = soon();
    watch(c->g);
    atomic_store(&c->round, round);
    sl_runtime_serve_watched(c->g->runtime, until);
    assert_true(sl_system_now() < until);
}

static void *borrow_once_each_round(void *arg) {
    struct crowd *c = arg;
    for (int r = 0; (r = wait_for_round(c, r)) >= 0;) {
        borrow(c->g);
        atomic_store(&c->borrowed, r);
    }
    return NULL;
}

/* What comes in while the loop is borrowed is served by the thread that watched, as soon as it is given back. */
static void test_a_watcher_waits_for_the_loop(void **state) {
    enum { WAIT_ROUNDS = 50 };
    (void)state;
    struct guest g;
    struct crowd crowd = {.g = &g};
    pthread_t borrower;
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    g.calls = true;
    assert_int_equal(pthread_create(&borrower, NULL, borrow_once_each_round, &crowd), 0);
    for (int round = 1; round <= WAIT_ROUNDS; round++) {
        watch_a_round(&crowd, round);
        wait_for(&crowd.borrowed, round);
    }
    atomic_store(&crowd.round, -1);
    (void)pthread_join(borrower, NULL);
    print_message("%d turns by the watcher\n", atomic_load(&g.own_turns));
    assert_true(atomic_load(&g.own_turns) > WAIT_ROUNDS / 2);
    assert_false(atomic_load(&g.was_crowded));
    close_guest(&g);
}

static void test_a_crowd(void **state) {
    enum { CROWD_ROUNDS = 500, CROWD_THREADS = 4 };
    static void *(*const work[CROWD_THREADS])(void *) = {call_each_round, wake_each_round,
                                                         borrow_each_round, join_each_round};
    (void)state;
    struct guest g;
    struct crowd crowd = {.g = &g};
    pthread_t threads[CROWD_THREADS];
    open_guest(&g);
    wait_for(&g.other_turns, 1);
    for (int i = 0; i < CROWD_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], &crowd), 0);
    for (int round = 1; round <= CROWD_ROUNDS; round++) watch_a_round(&crowd, round);
    atomic_store(&crowd.round, -1);
    for (int i = 0; i < CROWD_THREADS; i++) (void)pthread_join(threads[i], NULL);
    print_message("%d rounds: %d turns by the watcher, %d by the I/O thread, %d borrowed\n",
                  CROWD_ROUNDS, atomic_load(&g.own_turns), atomic_load(&g.other_turns),
                  atomic_load(&crowd.borrowed));
    assert_false(atomic_load(&g.was_crowded));
    close_guest(&g);
}

/* ---- a producer ---- */

struct diary {
    pthread_t owner;
    atomic_int lines;
    atomic_int wrong; /* written by the application's thread */
};

static void write_line(void *user, int32_t level, const char *text) {
    struct diary *d = user;
    (void)level;
    (void)text;
    atomic_fetch_add(&d->lines, 1);
    if (pthread_equal(pthread_self(), d->owner) != 0) atomic_fetch_add(&d->wrong, 1);
}

static sluice_client *open_producer(const char *bootstrap, struct diary *d) {
    sluice_config *config = sluice_config_create();
    sluice_client *client;
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "delivery.reports", "all");
    sluice_config_set(config, "linger.ms", "0");
    sluice_config_set(config, "log.level", "debug");
    sluice_config_log(config, write_line, d);
    int rv = sluice_client_open(config, SLUICE_PRODUCER, NULL, &client);
    if (rv != 0) fail_msg("open: %d %s", rv, sluice_config_message(config));
    sluice_config_free(config);
    return client;
}

static int64_t count_wakes(sluice_client *client) {
    sluice_op *op;
    int64_t wakes = -1;
    assert_int_equal(sluice_metrics_snapshot(client, PATIENCE_MS, &op), 0);
    assert_int_equal(sluice_op_wait(op, PATIENCE_MS), 0);
    const sluice_table *t = sluice_op_table(op, NULL);
    for (int32_t row = 0; row < sluice_table_rows(t); row++)
        if (strcmp(sluice_table_str(t, row, "name"), "io-wake-total") == 0)
            wakes = sluice_table_int(t, row, "value", 0);
    assert_true(wakes >= 0);
    sluice_op_free(op);
    return wakes;
}

/* Now and then a record, some to topics that are new: each is written, hardly any wakes the thread. */
static void test_a_quiet_producer(void **state) {
    (void)state;
    enum { QUIET_RECORDS = 200 };
    struct diary diary = {.owner = pthread_self()};
    sluice_testbroker *broker;
    assert_int_equal(sluice_testbroker_create(3, NULL, &broker), 0);
    sluice_client *producer = open_producer(sluice_testbroker_bootstrap(broker), &diary);
    int64_t before = count_wakes(producer);
    for (int i = 0; i < QUIET_RECORDS; i++) {
        char topic[16];
        sluice_deliveries *set;
        sluice_delivery d;
        snprintf(topic, sizeof topic, "t%d", i / 50);
        sluice_record r = {.topic = topic, .value = "v", .value_size = 1, .tag = (uint64_t)i};
        assert_int_equal(sluice_producer_send_record(producer, &r, sizeof r, PATIENCE_MS), 0);
        assert_int_equal(sluice_producer_deliveries(producer, PATIENCE_MS, &set), 0);
        assert_int_equal(sluice_deliveries_next(set, &d, sizeof d), 1);
        assert_int_equal(d.outcome, SLUICE_WRITTEN);
        assert_int_equal(d.tags[0], i);
        sluice_deliveries_free(set);
        /* There is none more: the loop has nothing to do for a millisecond. */
        assert_int_equal(sluice_producer_deliveries(producer, 1, &set), 0);
        assert_null(set);
    }
    int64_t wakes = count_wakes(producer) - before;
    print_message("%d records, %d wakes, %d lines of log\n", QUIET_RECORDS, (int)wakes,
                  atomic_load(&diary.lines));
    assert_true(wakes < QUIET_RECORDS / 2);
    assert_int_equal(sluice_client_close(producer, PATIENCE_MS, NULL), 0);
    sluice_client_free(producer);
    sluice_testbroker_free(broker);
    assert_true(atomic_load(&diary.lines) > 0);
    assert_int_equal(atomic_load(&diary.wrong), 0);
}

/* Threads that wait for the same client, of which one at a time watches: each hears of what it waits for, also
 * when nothing else happens any more. */
struct company {
    sluice_client *client;
    pthread_barrier_t round;
};

static void *ask_each_round(void *arg) {
    enum { COMPANY_ROUNDS = 3000 };
    struct company *c = arg;
    for (int i = 0; i < COMPANY_ROUNDS; i++) {
        (void)pthread_barrier_wait(&c->round);
        int64_t until = soon();
        (void)count_wakes(c->client);
        assert_true(sl_system_now() < until);
    }
    return NULL;
}

static void test_several_that_wait(void **state) {
    enum { COMPANY_THREADS = 3 };
    (void)state;
    struct diary diary = {.owner = pthread_self()};
    struct company company;
    pthread_t threads[COMPANY_THREADS];
    sluice_testbroker *broker;
    assert_int_equal(sluice_testbroker_create(1, NULL, &broker), 0);
    company.client = open_producer(sluice_testbroker_bootstrap(broker), &diary);
    assert_int_equal(pthread_barrier_init(&company.round, NULL, COMPANY_THREADS), 0);
    for (int i = 0; i < COMPANY_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_each_round, &company), 0);
    for (int i = 0; i < COMPANY_THREADS; i++) (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&company.round);
    assert_int_equal(sluice_client_close(company.client, PATIENCE_MS, NULL), 0);
    sluice_client_free(company.client);
    sluice_testbroker_free(broker);
}

/* ---- a consumer ---- */

/* Records that come now and then to a thread that waits for them: its own turns bring them, and what it gives
 * back wakes nobody. */
static void test_a_quiet_consumer(void **state) {
    (void)state;
    enum { QUIET_RECORDS = 200 };
    struct diary diary = {.owner = pthread_self()};
    sluice_testbroker *broker;
    assert_int_equal(sluice_testbroker_create(1, NULL, &broker), 0);
    const char *bootstrap = sluice_testbroker_bootstrap(broker);
    sluice_client *producer = open_producer(bootstrap, &diary);
    sluice_config *config = sluice_config_create();
    sluice_client *consumer;
    sluice_offsets *offsets = sluice_offsets_create();
    sluice_config_set(config, "bootstrap.servers", bootstrap);
    sluice_config_set(config, "log.level", "debug");
    sluice_config_log(config, write_line, &diary);
    assert_int_equal(sluice_client_open(config, SLUICE_CONSUMER, NULL, &consumer), 0);
    sluice_config_free(config);
    assert_int_equal(sluice_offsets_add(offsets, "t", 0, 0), 0);
    assert_int_equal(sluice_consumer_assign(consumer, offsets), 0);
    sluice_offsets_free(offsets);
    int64_t before = count_wakes(consumer);
    for (int i = 0; i < QUIET_RECORDS; i++) {
        sluice_batch *batch = NULL;
        sluice_record r = {.topic = "t", .value = "v", .value_size = 1};
        r.partition = 0;
        assert_int_equal(sluice_producer_send_record(producer, &r, sizeof r, PATIENCE_MS), 0);
        assert_int_equal(sluice_consumer_poll(consumer, PATIENCE_MS, &batch), 0);
        assert_non_null(batch);
        sluice_batch_free(batch);
        assert_int_equal(sluice_consumer_poll(consumer, 1, &batch), 0);
        assert_null(batch);
    }
    int64_t wakes = count_wakes(consumer) - before;
    print_message("%d records, %d wakes\n", QUIET_RECORDS, (int)wakes);
    assert_true(wakes < QUIET_RECORDS / 2);
    sluice_client *clients[] = {producer, consumer};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sluice_client_close(clients[i], PATIENCE_MS, NULL), 0);
        sluice_client_free(clients[i]);
    }
    sluice_testbroker_free(broker);
    assert_int_equal(atomic_load(&diary.wrong), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_turn_of_ones_own),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_what_it_leaves),
        cmocka_unit_test(test_a_watcher_serves),
        cmocka_unit_test(test_a_call_is_not_lost),
        cmocka_unit_test(test_a_watch_ends_in_time),
        cmocka_unit_test(test_what_a_watcher_leaves),
        cmocka_unit_test(test_a_crowd),
        cmocka_unit_test(test_a_quiet_producer),
        cmocka_unit_test(test_several_that_wait),
        cmocka_unit_test(test_a_quiet_consumer),
        cmocka_unit_test(test_a_watcher_waits_for_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
