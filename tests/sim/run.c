/* The simulator's program.
 *
 *   sim --seed N --seeds N [--verbose] [--trace] [--plant]
 *
 * Runs that many seeds, each twice: a seed that does not give the same trace twice is a failure as
 * any other. The first failure ends the program with status 1, after printing the seed, its plan,
 * a line that runs it again, the last events of the world, and dumps of clients and broker. When
 * more than one seed is asked for, those of tests/sim/seeds.txt, which failed in the past, come
 * first.
 *
 * --verbose tells plan and result of every seed, and how often what has to happen did (hits.h); a
 * long run in which something never happened fails. --trace tells every event of the world.
 *
 * --plant turns the meaning around, for builds with a planted bug: status 0 when a seed fails,
 * which is then told in one line, and each seed is run once. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/workload.h"

enum {
    RUN_SECONDS_MAX = 60,
    RUN_SEEDS_MANY = 1000 /* in so many of them everything has happened */
};

struct run_options {
    uint64_t seed;
    uint64_t seeds;
    bool is_verbose;
    bool is_plant;
    bool is_trace;
};
struct run_totals {
    uint64_t seeds;
    double hours;
    int64_t written, not_written, maybe, consumed, retries, requests;
    int64_t hits[HIT_COUNT];
};

static const struct {
    const char *name;
    const char *text;
} run_hits[] = {
#define HIT_TEXT(name, text) {#name, text},
    HITS(HIT_TEXT)
#undef HIT_TEXT
};

static struct plan run_plan;
static struct run_options run_options;
static uint64_t run_count;

/* An assertion, a wrong access, or a seed that does not end: says which seed it was. */
static void on_signal(int number) {
    struct workload *load = workload_current();
    (void)signal(number, SIG_DFL);
    (void)alarm(0);
    const char *what = number == SIGALRM ? "a seed that does not end" : "a crash";
    if (run_options.is_plant && number != SIGALRM) {
        printf("sim: plant caught at seed %" PRIu64 " after %" PRIu64 " seeds: %s\n", run_plan.seed,
               run_count, number == SIGABRT ? "an assertion" : what);
        fflush(stdout);
        _exit(0);
    }
    printf("sim: violation: %s (signal %d)\nsim: seed=%" PRIu64 "\n", what, number, run_plan.seed);
    plan_print(&run_plan, stdout);
    printf("sim: again: build/sim/sim --seed %" PRIu64 " --verbose\n", run_plan.seed);
    if (load != NULL) world_print(load->world);
    fflush(stdout);
    _exit(1);
}

static void add_totals(struct run_totals *totals, const struct workload_result *r) {
    totals->seeds++;
    totals->hours += (double)r->simulated / 3600e9;
    totals->written += r->written;
    totals->not_written += r->not_written;
    totals->maybe += r->maybe;
    totals->consumed += r->consumed;
    totals->retries += r->retries;
    totals->requests += r->requests;
    for (int i = 0; i < HIT_COUNT; i++) totals->hits[i] += r->hits[i];
}

/* One seed. True: it failed. */
static bool run_seed(uint64_t seed, struct run_totals *totals) {
    struct workload_result first, second;
    run_count++;
    plan_draw(&run_plan, seed);
    if (run_options.is_verbose) {
        printf("sim: seed=%" PRIu64 "\n", seed);
        plan_print(&run_plan, stdout);
        fflush(stdout);
    }
    (void)alarm(RUN_SECONDS_MAX);
    enum workload_talk talk = run_options.is_plant ? WORKLOAD_QUIET : WORKLOAD_TELLS;
    workload_run(&run_plan, run_options.is_trace ? WORKLOAD_ECHOES : talk, &first);
    (void)alarm(0);
    if (run_options.is_verbose)
        printf("sim: seed=%" PRIu64 " hash=%016" PRIx64 " seconds=%.1f written=%" PRId64
               " not=%" PRId64 " maybe=%" PRId64 " read=%" PRId64 " retries=%" PRId64
               " requests=%" PRId64 "\n",
               seed, first.hash, (double)first.simulated / 1e9, first.written, first.not_written,
               first.maybe, first.consumed, first.retries, first.requests);
    add_totals(totals, &first);
    if (first.is_broken || run_options.is_plant) return first.is_broken;
    (void)alarm(RUN_SECONDS_MAX);
    workload_run(&run_plan, talk, &second);
    (void)alarm(0);
    if (first.hash == second.hash) return second.is_broken;
    printf("sim: violation: two runs of a seed differ: %016" PRIx64 " and %016" PRIx64 "\n",
           first.hash, second.hash);
    return true;
}

static int fail(uint64_t seed) {
    if (run_options.is_plant) {
        printf("sim: plant caught at seed %" PRIu64 " after %" PRIu64 " seeds\n", seed, run_count);
        return 0;
    }
    printf("sim: seed=%" PRIu64 "\n", seed);
    plan_print(&run_plan, stdout);
    printf("sim: again: build/sim/sim --seed %" PRIu64 " --verbose\n", seed);
    return 1;
}

/* Seeds that failed in the past: a number at the start of a line, then why. */
static bool run_old_seeds(struct run_totals *totals) {
    FILE *file = fopen("tests/sim/seeds.txt", "r");
    char line[400];
    bool failed = false;
    if (file == NULL) return false;
    while (!failed && fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end != line) failed = run_seed(seed, totals);
    }
    (void)fclose(file);
    return failed;
}

static void print_hits(const int64_t *hits) {
    for (int i = 0; i < HIT_COUNT; i++)
        printf("sim: %10" PRId64 " %-10s %s\n", hits[i], run_hits[i].name, run_hits[i].text);
}

/* What a long run has not met; NULL: nothing. */
static const char *find_missed(const struct run_totals *totals) {
    for (int i = 0; i < HIT_COUNT && totals->seeds >= RUN_SEEDS_MANY; i++)
        if (totals->hits[i] == 0) return run_hits[i].text;
    return NULL;
}

static bool parse_options(int argc, char **argv, struct run_options *options) {
    *options = (struct run_options){.seed = 1, .seeds = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            options->is_verbose = true;
        } else if (strcmp(argv[i], "--trace") == 0) {
            options->is_trace = true;
        } else if (strcmp(argv[i], "--plant") == 0) {
            options->is_plant = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            options->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            options->seeds = strtoull(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    struct run_totals totals = {0};
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    if (!parse_options(argc, argv, &run_options)) {
        fprintf(stderr, "usage: sim [--seed N] [--seeds N] [--verbose] [--trace] [--plant]\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)signal(signals[i], on_signal);
    if (run_options.seeds > 1 && !run_options.is_plant && run_old_seeds(&totals))
        return fail(run_plan.seed);
    for (uint64_t i = 0; i < run_options.seeds; i++)
        if (run_seed(run_options.seed + i, &totals)) return fail(run_options.seed + i);
    if (run_options.is_plant) {
        printf("sim: plant not caught in %" PRIu64 " seeds\n", run_count);
        return 1;
    }
    if (run_options.is_verbose || find_missed(&totals) != NULL) print_hits(totals.hits);
    if (find_missed(&totals) != NULL) {
        printf("sim: violation: in %" PRIu64 " seeds there were no %s\n", totals.seeds,
               find_missed(&totals));
        return 1;
    }
    printf("sim: records written=%" PRId64 " not=%" PRId64 " maybe=%" PRId64 " read=%" PRId64
           " resent-batches=%" PRId64 " requests=%" PRId64 "\n",
           totals.written, totals.not_written, totals.maybe, totals.consumed, totals.retries,
           totals.requests);
    printf("sim: seeds=%" PRIu64 " hours=%.2f violations=0\n", totals.seeds, totals.hours);
    return 0;
}
