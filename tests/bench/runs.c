/* What a benchmark client does, case by case, whichever library it is linked with: the loops that
 * send and read, the threads, the pace, the clocks around them.
 *
 * BENCH_PRODUCE   as many records as go, or so many a second; by one thread, or by several of which
 *                 the first reads the reports, as an application thread would that has no other.
 * BENCH_LATENCY   one thread sends at its pace whatever comes back, another waits for reports: the
 *                 time from just before the sending call until the report is in hand.
 * BENCH_MEMORY    the broker is stopped, then records are sent until there is no room. What counts
 *                 is the most memory that was ever resident, less what was before the client opened.
 * BENCH_IDLE      connected to all brokers with nothing to do: a producer whose records are written,
 *                 a consumer at the end of all partitions, the same consumer with all of them paused.
 * BENCH_CONSUME   as many records as come, a batch a call, or (_SINGLE) record by record, or (_ROWS)
 *                 as copies, where the library has that.
 * BENCH_IDLE_GROUP  a member of a group with nothing to read, which sends its heartbeats.
 * BENCH_END_TO_END  one thread sends at its pace, another reads: the time from just before the
 *                 sending call until the record is in hand. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "process.h"

enum {
    TICKS_PER_SECOND = 1000, /* a paced run sends in so many portions */
    REPORT_WAIT_MS = 100,
    GROUP_SETTLES_SECONDS = 4, /* joined, and without records for a while */
    PAUSE_SETTLES_SECONDS =
        6,           /* requests of before the pause are answered: an idle one is kept for 5 */
    FULL_TRIES = 10, /* no room for so many times FULL_WAIT_MS is full */
    FULL_WAIT_MS = 50,
    IDLE_RECORDS = 5000 /* a keyed record or more to each of 100 partitions */
};

struct producer {
    struct bench_client *client;
    const struct bench_setup *setup;
    struct bench_data data;
    struct bench_sender senders[BENCH_THREADS_MAX];
    int32_t sender_count;
    struct bench_reports reports;
    double end; /* when the senders stop */
    atomic_int running;
};

/* One of several application threads. */
struct sending_thread {
    pthread_t id;
    struct producer *producer;
    struct bench_sender *sender;
};

static void open_producer(struct producer *p, const struct bench_setup *setup) {
    p->setup = setup;
    p->sender_count = setup->what->threads == 0 ? 1 : setup->what->threads;
    bench_data_init(&p->data, setup);
    for (int32_t i = 0; i < p->sender_count; i++)
        bench_sender_init(&p->senders[i], &p->data, (uint64_t)i + 1, (uint64_t)p->sender_count);
    p->senders[0].reads_reports = true;
    p->client = client_open_producer(setup, &p->data, &p->reports);
}

static void close_producer(struct producer *p) {
    client_close(p->client);
    bench_data_deinit(&p->data);
}

static uint64_t count_sent(const struct producer *p) {
    uint64_t sum = 0;
    for (int32_t i = 0; i < p->sender_count; i++) sum += p->senders[i].sent;
    return sum;
}

static void start_thread(pthread_t *id, void *(*fn)(void *), void *arg) {
    if (pthread_create(id, NULL, fn, arg) != 0) bench_fail("a thread could not be started");
}

static void send_freely(struct producer *p, struct bench_sender *sender) {
    do {
        client_send(p->client, sender, BENCH_STRIDE);
        if (sender->reads_reports) client_read_reports(p->client, 0);
    } while (bench_now() < p->end);
}

/* An even number of records a tick; a late tick is made up for at once. */
static void send_at_pace(struct producer *p, struct bench_sender *sender) {
    uint32_t portion = (uint32_t)p->setup->what->pace / TICKS_PER_SECOND;
    double due = bench_now();
    do {
        client_send(p->client, sender, portion);
        if (sender->reads_reports) client_read_reports(p->client, 0);
        due += 1.0 / TICKS_PER_SECOND;
        bench_sleep_until(due);
    } while (due < p->end);
}

static void *run_sending_thread(void *arg) {
    struct sending_thread *thread = arg;
    send_freely(thread->producer, thread->sender);
    atomic_fetch_sub(&thread->producer->running, 1);
    return NULL;
}

/* The first sender works on this thread, and goes on reading reports until the others end: they may
 * be waiting for the room that these hold. */
static void send_with_threads(struct producer *p) {
    struct sending_thread threads[BENCH_THREADS_MAX];
    atomic_store(&p->running, p->sender_count - 1);
    for (int32_t i = 1; i < p->sender_count; i++) {
        threads[i] = (struct sending_thread){.producer = p, .sender = &p->senders[i]};
        start_thread(&threads[i].id, run_sending_thread, &threads[i]);
    }
    send_freely(p, &p->senders[0]);
    while (atomic_load(&p->running) > 0) client_read_reports(p->client, 1);
    for (int32_t i = 1; i < p->sender_count; i++) pthread_join(threads[i].id, NULL);
}

static void finish_all(struct producer *p) {
    client_finish(p->client, count_sent(p));
    bench_reports_check(&p->reports, p->senders, p->sender_count);
}

/* Sends for so long, then waits until every record is reported. Returns how many were sent. */
static uint64_t produce_for(struct producer *p, double seconds) {
    uint64_t before = count_sent(p);
    p->end = bench_now() + seconds;
    if (p->setup->what->pace > 0)
        send_at_pace(p, &p->senders[0]);
    else if (p->sender_count > 1)
        send_with_threads(p);
    else
        send_freely(p, &p->senders[0]);
    finish_all(p);
    return count_sent(p) - before;
}

static void run_produce(const struct bench_setup *setup) {
    struct producer p = {.client = NULL};
    struct bench_meter meter;
    struct bench_result result = {.unit = NULL};
    open_producer(&p, setup);
    produce_for(&p, setup->warmup_seconds);
    bench_meter_start(&meter);
    result.records = produce_for(&p, setup->measured_seconds);
    bench_meter_stop(&meter);
    result.sent = count_sent(&p);
    snprintf(result.more, sizeof result.more, " wakes=%.4f",
             meter.wakes * 1000 / (double)result.records);
    bench_print(setup, &meter, &result);
    close_producer(&p);
}

/* ---- latency ---------------------------------------------------------------------------- */

static void *send_stamped(void *arg) {
    struct producer *p = arg;
    struct bench_sender *sender = &p->senders[0];
    double due = bench_now();
    while (due < p->end) {
        p->reports.stamps[sender->next] = bench_now();
        client_send(p->client, sender, 1);
        due += 1.0 / p->setup->what->pace;
        bench_sleep_until(due);
    }
    atomic_store(&p->running, 0);
    return NULL;
}

static void produce_stamped(struct producer *p, double seconds) {
    pthread_t id;
    p->end = bench_now() + seconds;
    atomic_store(&p->running, 1);
    start_thread(&id, send_stamped, p);
    while (atomic_load(&p->running) > 0) client_read_reports(p->client, REPORT_WAIT_MS);
    pthread_join(id, NULL);
    finish_all(p);
}

static void run_latency(const struct bench_setup *setup) {
    struct producer p = {.client = NULL};
    struct bench_meter meter;
    struct bench_result result = {.unit = "us"};
    double seconds = setup->warmup_seconds + setup->measured_seconds;
    open_producer(&p, setup);
    p.senders[0].reads_reports = false; /* another thread does */
    p.reports.stamp_count = (uint64_t)(seconds * setup->what->pace) + 1000;
    p.reports.stamps = calloc(p.reports.stamp_count, sizeof *p.reports.stamps);
    if (p.reports.stamps == NULL) bench_fail("out of memory");
    produce_stamped(&p, setup->warmup_seconds);
    double *first = &p.reports.stamps[p.senders[0].next];
    uint64_t before = p.senders[0].sent;
    bench_meter_start(&meter);
    produce_stamped(&p, setup->measured_seconds);
    bench_meter_stop(&meter);
    result.sent = p.senders[0].sent;
    result.records = result.sent - before;
    bench_put_times(&result, first);
    bench_print(setup, &meter, &result);
    close_producer(&p);
    free(p.reports.stamps);
}

/* ---- memory ----------------------------------------------------------------------------- */

/* The broker's process, which run.sh names. It lives on, but answers nothing. */
static pid_t read_broker_process(void) {
    const char *text = getenv("BENCH_BROKER_PID");
    pid_t pid = text == NULL ? 0 : (pid_t)strtol(text, NULL, 10);
    if (pid <= 1) bench_fail("BENCH_BROKER_PID has to name the broker's process");
    return pid;
}

static void run_memory(const struct bench_setup *setup) {
    static struct producer p;
    struct bench_meter meter;
    struct bench_result result = {.unit = "KiB"};
    pid_t broker = read_broker_process();
    int64_t before = bench_memory_now();
    open_producer(&p, setup);
    client_send(p.client, &p.senders[0], BENCH_STRIDE); /* the cluster is known from here on */
    finish_all(&p);
    if (kill(broker, SIGSTOP) != 0) bench_fail("the broker could not be stopped");
    bench_meter_start(&meter);
    for (int tries = 0; tries < FULL_TRIES; tries++) {
        while (client_try(p.client, &p.senders[0])) tries = 0;
        client_read_reports(p.client, 0);
        bench_sleep_until(bench_now() + FULL_WAIT_MS / 1000.0);
    }
    bench_meter_stop(&meter);
    kill(broker, SIGCONT);
    result.records = p.senders[0].sent - BENCH_STRIDE;
    result.figure = (double)(bench_memory_peak() - before);
    snprintf(result.more, sizeof result.more, " grown_kib=%.0f queued=%llu", result.figure,
             (unsigned long long)result.records);
    bench_print(setup, &meter, &result);
    _exit(0); /* what is queued need not be sent */
}

/* ---- idle ------------------------------------------------------------------------------- */

/* What the library's threads do while the application does nothing. */
struct idleness {
    double switches; /* a second, of both kinds, all threads */
    double seconds;
    double cpu;
    int32_t threads;
};

static void watch_idleness(const struct bench_setup *setup, struct idleness *out) {
    static struct bench_tasks after; /* large */
    static struct bench_meter meter;
    bench_sleep_until(bench_now() + setup->warmup_seconds);
    bench_meter_start(&meter);
    bench_sleep_until(bench_now() + setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_tasks_read(&after);
    out->threads = after.count;
    out->seconds = meter.wall;
    out->cpu = meter.cpu;
    out->switches = (double)bench_tasks_switches(&meter.tasks, &after, false) / meter.wall;
}

static void run_idle(const struct bench_setup *setup) {
    struct producer p = {.client = NULL};
    struct idleness producing, consuming, paused;
    struct bench_result result = {.unit = "switches/s"};
    open_producer(&p, setup);
    client_send(p.client, &p.senders[0], IDLE_RECORDS);
    finish_all(&p);
    watch_idleness(setup, &producing);
    close_producer(&p);

    struct bench_client *consumer = client_open_consumer(setup);
    watch_idleness(setup, &consuming);
    client_pause(consumer);
    bench_sleep_until(bench_now() + PAUSE_SETTLES_SECONDS);
    watch_idleness(setup, &paused);

    /* The producer and the consumer that reads on, a second of each. */
    struct bench_meter used = {.wall = producing.seconds + consuming.seconds,
                               .cpu = producing.cpu / producing.seconds +
                                      consuming.cpu / consuming.seconds};
    result.records = 1;
    result.sent = IDLE_RECORDS;
    result.figure = producing.switches + consuming.switches;
    snprintf(result.more, sizeof result.more,
             " threads=%d producer_switches=%.2f consumer_threads=%d consumer_switches=%.2f "
             "paused_switches=%.2f",
             (int)producing.threads, producing.switches, (int)consuming.threads, consuming.switches,
             paused.switches);
    bench_print(setup, &used, &result);
    client_close(consumer);
}

static void run_idle_group(const struct bench_setup *setup) {
    struct idleness idle;
    struct bench_result result = {.unit = "switches/s", .records = 1};
    struct bench_client *member = client_open_consumer(setup);
    bench_sleep_until(bench_now() + GROUP_SETTLES_SECONDS);
    watch_idleness(setup, &idle);
    struct bench_meter used = {.wall = idle.seconds, .cpu = idle.cpu / idle.seconds};
    double heartbeats = 1000.0 / BENCH_HEARTBEAT_MS;
    result.figure = idle.switches;
    snprintf(result.more, sizeof result.more, " threads=%d wakes=%.2f", (int)idle.threads,
             idle.switches - 2 * heartbeats);
    bench_print(setup, &used, &result);
    client_close(member);
}

/* ---- consuming -------------------------------------------------------------------------- */

static void run_consume(const struct bench_setup *setup) {
    struct bench_tally tally;
    struct bench_meter meter;
    struct bench_result result = {.unit = NULL};
    struct bench_client *client = client_open_consumer(setup);
    bench_tally_init(&tally, setup->what);
    client_consume(client, setup->what->kind, &tally, setup->warmup_seconds);
    uint64_t before = tally.records;
    bench_meter_start(&meter);
    client_consume(client, setup->what->kind, &tally, setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_tally_check(&tally);
    result.records = tally.records - before;
    bench_print(setup, &meter, &result);
    bench_tally_deinit(&tally);
    client_close(client);
}

struct reading_thread {
    struct bench_client *client;
    struct bench_tally tally;
    uint64_t expected;
};

static void *run_reading_thread(void *arg) {
    struct reading_thread *thread = arg;
    while (thread->tally.time_count < thread->expected)
        client_consume(thread->client, BENCH_END_TO_END, &thread->tally, 0);
    return NULL;
}

/* Sends for so long, and waits until all of it is read. */
static void send_end_to_end(struct producer *p, struct reading_thread *reader, double seconds) {
    pthread_t id;
    uint64_t count = (uint64_t)(seconds * p->setup->what->pace);
    reader->expected = reader->tally.time_count + count;
    start_thread(&id, run_reading_thread, reader);
    double due = bench_now();
    for (uint64_t i = 0; i < count; i++) {
        bench_stamp_value(&p->senders[0]);
        client_send(p->client, &p->senders[0], 1);
        client_read_reports(p->client, 0);
        due += 1.0 / p->setup->what->pace;
        bench_sleep_until(due);
    }
    pthread_join(id, NULL);
    finish_all(p);
}

static void run_end_to_end(const struct bench_setup *setup) {
    struct producer p = {.client = NULL};
    struct reading_thread reader = {.client = client_open_consumer(setup)};
    struct bench_meter meter;
    struct bench_result result = {.unit = "us"};
    bench_tally_init(&reader.tally, setup->what);
    reader.tally.since = bench_now();
    reader.tally.time_cap =
        (uint64_t)((setup->warmup_seconds + setup->measured_seconds) * setup->what->pace) + 1;
    reader.tally.times = calloc(reader.tally.time_cap, sizeof *reader.tally.times);
    if (reader.tally.times == NULL) bench_fail("out of memory");
    open_producer(&p, setup);
    send_end_to_end(&p, &reader, setup->warmup_seconds);
    uint64_t before = reader.tally.time_count;
    bench_meter_start(&meter);
    send_end_to_end(&p, &reader, setup->measured_seconds);
    bench_meter_stop(&meter);
    bench_tally_check(&reader.tally);
    result.sent = p.senders[0].sent;
    result.records = reader.tally.time_count - before;
    bench_put_times(&result, reader.tally.times + before);
    bench_print(setup, &meter, &result);
    free(reader.tally.times);
    bench_tally_deinit(&reader.tally);
    close_producer(&p);
    client_close(reader.client);
}

int main(int argc, char **argv) {
    struct bench_setup setup;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "version") == 0) {
        printf("%s\n", client_version());
        return 0;
    }
    if (strcmp(verb, "run") != 0) bench_fail("'%s': version or run is wanted", verb);
    bench_setup_read(&setup, argc, argv);
    switch (setup.what->kind) {
    case BENCH_PRODUCE:
        run_produce(&setup);
        break;
    case BENCH_LATENCY:
        run_latency(&setup);
        break;
    case BENCH_MEMORY:
        run_memory(&setup);
        break;
    case BENCH_IDLE:
        run_idle(&setup);
        break;
    case BENCH_CONSUME:
    case BENCH_CONSUME_SINGLE:
    case BENCH_CONSUME_ROWS:
        run_consume(&setup);
        break;
    case BENCH_IDLE_GROUP:
        run_idle_group(&setup);
        break;
    case BENCH_END_TO_END:
        run_end_to_end(&setup);
        break;
    }
    return 0;
}
