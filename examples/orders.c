/* One topic of orders, three services that each get every order: billing, stock and mail.
 *
 *     orders [-b HOST:PORT[,...]] [-n COUNT] [-X name=value]...
 *
 * Without -b on a test cluster of its own; -X is for producer and consumers alike. Sends COUNT
 * orders, lets the services work on them, and ends with what each has seen; the exit status is 0
 * only if each has seen every order once.
 *
 * What it shows:
 * - Each service is a consumer in a group of its own, so each gets all orders. Members of one group
 *   share them: that is how a service with much to do gets more hands.
 * - First the work, then sluice_batch_finish: what is finished is committed, and nothing else. A
 *   service that crashes between work and commit gets those orders again, none is lost. So the work
 *   has to bear being done twice: an order has a number that tells.
 * - sluice_client_close commits what is finished and leaves the group. A service that ends this way
 *   goes on with the next order when it starts again, and another member takes over at once.
 * - One thread drives the producer, the services and their heartbeats (SLUICE_RUNTIME_DRIVEN). With
 *   NULL for the runtime each client has a thread of its own; a service with slow work would rather
 *   have that, or be a process of its own, and its code stays the same. */
#include <sluice/kafka_errors.h>
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ORDERS_MAX = 10000, SERVICES = 3, PARTITIONS = 3, PATIENCE_S = 60 };
static const char topic[] = "orders";

/* An order as text: "RUN NUMBER CUSTOMER QUANTITY ARTICLE CENTS". */
struct order {
    long long run; /* tells the orders of this program from those that it finds */
    int number;
    char customer[16];
    int quantity;
    char article[16];
    int cents;
};

static void bill(const struct order *o) {
    long long sum = (long long)o->quantity * o->cents;
    printf("billing: order %d: %s pays %lld.%02lld\n", o->number, o->customer, sum / 100,
           sum % 100);
}
static void take_from_stock(const struct order *o) {
    printf("stock:   order %d: %d %s leave the shelf\n", o->number, o->quantity, o->article);
}
static void write_mail(const struct order *o) {
    printf("mail:    order %d: tells %s that the %s are on their way\n", o->number, o->customer,
           o->article);
}

struct service {
    const char *group;
    void (*work)(const struct order *o);
    sluice_client *consumer;
    int times[ORDERS_MAX]; /* how often it got each order of this run */
    int seen;              /* orders of this run */
    int others;            /* records that are not: of earlier runs, or no orders at all */
};
static struct service services[SERVICES] = {
    {.group = "billing", .work = bill},
    {.group = "stock", .work = take_from_stock},
    {.group = "mail", .work = write_mail},
};
static sluice_runtime *runtime;
static long long this_run;
static int order_count = 12;

static int complain(const char *what, const sluice_client *client, int rv) {
    char text[512];
    sluice_client_explain(client, rv, text, sizeof text);
    fprintf(stderr, "orders: %s: %s\n", what, text);
    return rv;
}

static int open_client(sluice_config *config, int32_t role, sluice_client **out) {
    int rv = sluice_client_open(config, role, runtime, out);
    const char *text = sluice_config_message(config);
    if (rv != 0) fprintf(stderr, "orders: %s\n", text[0] != '\0' ? text : sluice_error_text(rv));
    return rv;
}

static int place_order(sluice_client *producer, int number) {
    static const char *const customers[] = {"ada", "grace", "edsger", "barbara", "donald"};
    static const char *const articles[] = {"lamps", "chairs", "kettles"};
    const char *customer = customers[number % 5];
    char text[128];
    int size = snprintf(text, sizeof text, "%lld %d %s %d %s %d", this_run, number, customer,
                        2 + number % 4, articles[number % 3], 1995 + 500 * (number % 3));
    /* The key keeps the orders of one customer in one partition, and so in their order. */
    return sluice_producer_send(producer, topic, customer, strlen(customer), text, (size_t)size,
                                -1);
}

static int place_orders(sluice_client *producer) {
    int rv = sluice_admin_create_topic(producer, topic, PARTITIONS, -1, NULL, 30000, NULL);
    if (rv == SLUICE_KAFKA_TOPIC_ALREADY_EXISTS) rv = 0;
    for (int i = 0; i < order_count && rv == 0; i++) rv = place_order(producer, i);
    if (rv == 0) rv = sluice_producer_flush(producer, 30000, NULL); /* 0: all are written */
    return rv == 0 ? 0 : complain("placing orders", producer, rv);
}

static void work_on(struct service *s, const sluice_view *v) {
    struct order o;
    char text[128];
    const char *value = v->value != NULL ? v->value : "";
    snprintf(text, sizeof text, "%.*s", (int)v->value_size, value);
    int fields = sscanf(text, "%lld %d %15s %d %15s %d", &o.run, &o.number, o.customer, &o.quantity,
                        o.article, &o.cents);
    int is_ours = fields == 6 && o.run == this_run && o.number >= 0 && o.number < order_count;
    if (fields == 6) s->work(&o);
    if (is_ours && s->times[o.number]++ == 0) s->seen++;
    if (!is_ours) s->others++;
}

/* Works on what has arrived for one service; *had_some: there may be more at once. */
static int serve(struct service *s, int *had_some) {
    sluice_batch *batch;
    sluice_view v;
    int rv = sluice_consumer_poll(s->consumer, 0, &batch);
    if (rv == 0 && batch == NULL) return 0;
    while (rv == 0 && sluice_batch_next(batch, &v, sizeof v) == 1) work_on(s, &v);
    if (rv == 0) rv = sluice_batch_finish(batch);
    /* Late: the partition is another member's by now, which gets these orders again. */
    if (rv == SLUICE_ERR_STALE) rv = 0;
    *had_some = 1;
    return rv == 0 ? 0 : complain(s->group, s->consumer, rv);
}

static int is_all_done(void) {
    for (int i = 0; i < SERVICES; i++)
        if (services[i].seen < order_count) return 0;
    return 1;
}

/* Until every service has seen every order, or for PATIENCE_S seconds. */
static int serve_all(void) {
    time_t start = time(NULL);
    int had_some = 0;
    int rv = 0;
    while (rv == 0 && !is_all_done() && time(NULL) - start < PATIENCE_S) {
        /* Does what is due: connections, fetches, heartbeats, commits. */
        rv = sluice_runtime_run(runtime, had_some ? 0 : 1000);
        had_some = 0;
        for (int i = 0; i < SERVICES && rv == 0; i++) rv = serve(&services[i], &had_some);
    }
    return rv;
}

static int open_service(sluice_config *config, struct service *s) {
    const char *const topics[] = {topic};
    sluice_config_set(config, "group.id", s->group);
    sluice_config_set(config, "auto.offset.reset", "earliest"); /* where a new group begins */
    int rv = open_client(config, SLUICE_CONSUMER, &s->consumer);
    if (rv != 0) return rv;
    rv = sluice_consumer_subscribe(s->consumer, topics, 1);
    return rv == 0 ? 0 : complain(s->group, s->consumer, rv);
}

/* Commits what is finished, and leaves the group. */
static int close_service(struct service *s) {
    int rv = s->consumer == NULL ? 0 : sluice_client_close(s->consumer, 10000, NULL);
    if (rv != 0) complain(s->group, s->consumer, rv);
    sluice_client_free(s->consumer);
    return rv;
}

static int run(sluice_config *config) {
    sluice_client *producer;
    int rv = open_client(config, SLUICE_PRODUCER, &producer);
    if (rv == 0) rv = place_orders(producer);
    for (int i = 0; i < SERVICES && rv == 0; i++) rv = open_service(config, &services[i]);
    if (rv == 0) rv = serve_all();
    for (int i = 0; i < SERVICES; i++) {
        int closed = close_service(&services[i]);
        if (rv == 0) rv = closed;
    }
    int closed = producer == NULL ? 0 : sluice_client_close(producer, 10000, NULL);
    sluice_client_free(producer);
    return rv != 0 ? rv : closed;
}

/* 1: each service got each order once. */
static int summarize(void) {
    int is_right = 1;
    for (int i = 0; i < SERVICES; i++) {
        const struct service *s = &services[i];
        int again = 0;
        for (int n = 0; n < order_count; n++) again += s->times[n] > 1;
        printf("%s: %d of %d orders, %d of them more than once; %d records of before\n", s->group,
               s->seen, order_count, again, s->others);
        if (s->seen < order_count || again > 0) is_right = 0;
    }
    puts(is_right ? "every service got every order once"
                  : "NOT every service got every order once");
    return is_right;
}

/* 0: the command line is wrong. */
static int parse(int argc, char **argv, sluice_config *config, int *has_brokers) {
    char *rest = "";
    for (int option; *rest == '\0' && (option = getopt(argc, argv, "b:n:X:")) != -1;) {
        char *value = option == 'X' ? strchr(optarg, '=') : NULL;
        if (option == 'b') {
            *has_brokers = 1;
            sluice_config_set(config, "bootstrap.servers", optarg);
        } else if (option == 'n') {
            order_count = (int)strtol(optarg, &rest, 10);
        } else if (value != NULL) {
            *value++ = '\0';
            sluice_config_set(config, optarg, value);
        } else {
            return 0;
        }
    }
    return *rest == '\0' && optind == argc && order_count > 0 && order_count <= ORDERS_MAX;
}

int main(int argc, char **argv) {
    sluice_config *config = sluice_config_create();
    sluice_testbroker *cluster = NULL;
    int has_brokers = 0;
    int status = 2;
    if (!parse(argc, argv, config, &has_brokers)) {
        fprintf(stderr, "usage: orders [-b HOST:PORT[,...]] [-n COUNT] [-X name=value]...\n");
        goto free_config;
    }
    status = 1;
    this_run = (long long)time(NULL) * 100000 + getpid() % 100000;
    int rv = sluice_runtime_create(SLUICE_RUNTIME_DRIVEN, NULL, &runtime);
    if (rv == 0 && !has_brokers) {
        rv = sluice_testbroker_create(PARTITIONS, NULL, &cluster);
        sluice_config_set(config, "bootstrap.servers", sluice_testbroker_bootstrap(cluster));
    }
    if (rv == 0)
        rv = run(config);
    else
        complain("the start", NULL, rv);
    if (rv == 0 && summarize()) status = 0;
    sluice_testbroker_free(cluster);
    sluice_runtime_release(runtime);
free_config:
    sluice_config_free(config);
    return status;
}
