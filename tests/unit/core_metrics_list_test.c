/* Goal: METRICS.md is the list of metrics and nothing else, and the list is sound.
 * Method: the page is made from the list and compared with the file; with --update it is written
 * (make metrics-update). */
#include "core/metrics.h"
#include "core/settings.h"
#include "unit/support.h"

#include "base/text.h"

static const char page_name[] = "METRICS.md";
static const char introduction[] =
    "# Metrics\n"
    "\n"
    "What `sluice_metrics_snapshot` tells, group by group. This page is made from\n"
    "`lib/core/metrics_list.c` by `make metrics-update`.\n"
    "\n"
    "A row of the table has the columns `group`, `name`, `type` (`counter`: it only rises; "
    "`gauge`)\n"
    "and `value`, and what the metric is of: `client-id`, `node-id`, `link`, `api`, `topic`,\n"
    "`partition`. ROLE is `producer`, `consumer` or `admin-client`. Groups and names are the Java\n"
    "client's where it has the same thing.\n"
    "\n"
    "- Times are in milliseconds, `metadata-age` in seconds, sizes in bytes.\n"
    "- What ends in `-avg`, `-max`, `-p50` or `-p99` is of the last 30 to 60 seconds, and null "
    "when\n"
    "  nothing happened in them. A quantile is never too low, and at most a quarter too high.\n"
    "- There are no rates: they are the difference of two snapshots' counters, over the time "
    "between.\n"
    "- For Prometheus `record-send-total` of `producer-topic-metrics` is\n"
    "  `sluice_producer_topic_record_send_total{client_id=\"…\",topic=\"…\"}`.\n";

static const char *const subjects[] = {
    [SL_METRIC_OF_CLIENT] = "of the client",
    [SL_METRIC_OF_STATS] = "of the client",
    [SL_METRIC_OF_API] = "of each `api` that was used",
    [SL_METRIC_OF_LINK] = "of each connection: broker `node-id`, and what it is for, `link`",
    [SL_METRIC_OF_TOPIC] = "of each `topic` that was produced to",
    [SL_METRIC_OF_PARTITION] = "of each `topic` and `partition` that was produced to",
    [SL_METRIC_OF_POSITION] = "of each assigned `topic` and `partition`"};

static const char *role_name(int roles) {
    if (roles == 1 << SL_ROLE_PRODUCER) return "producer";
    return roles == 1 << SL_ROLE_CONSUMER ? "consumer" : "ROLE";
}

static void write_page(struct sl_text *out) {
    const struct sl_metric_set *set;
    char heading[128], last[128] = "";
    sl_text_put(out, introduction);
    for (int i = 0; (set = sl_metrics_set_at(i)) != NULL; i++) {
        (void)snprintf(heading, sizeof heading, "%s-%s, %s", role_name(set->roles), set->group,
                       subjects[set->subject]);
        if (strcmp(heading, last) != 0)
            sl_text_printf(out, "\n## %s\n\n| Name | Type | Meaning |\n|---|---|---|\n", heading);
        memcpy(last, heading, sizeof last);
        for (int32_t k = 0; k < set->count; k++) {
            const struct sl_metric *m = &set->metrics[k];
            sl_text_printf(out, "| `%s` | %s | %s |\n", m->name,
                           sl_metrics_is_counter(m) ? "counter" : "gauge", m->text);
        }
    }
}

static char *make_page(void) {
    enum { PAGE_MAX = 64 * 1024 };
    char *page = malloc(PAGE_MAX);
    struct sl_text text;
    assert_non_null(page);
    sl_text_init(&text, page, PAGE_MAX);
    write_page(&text);
    assert_true(text.size < PAGE_MAX);
    return page;
}

static void test_page_is_the_list(void **state) {
    (void)state;
    char *page = make_page();
    char *file = calloc(1, strlen(page) + 2);
    FILE *in = fopen(page_name, "r");
    if (in == NULL) fail_msg("METRICS.md is not there (make metrics-update)");
    size_t size = fread(file, 1, strlen(page) + 1, in);
    fclose(in);
    bool equal = size == strlen(page) && memcmp(file, page, size) == 0;
    free(file);
    free(page);
    if (!equal) fail_msg("METRICS.md is not what the list says (make metrics-update)");
}

/* Names end as their kind says, and are there once in a group; each says what it means. */
static void test_list_is_sound(void **state) {
    (void)state;
    const struct sl_metric_set *set, *other;
    for (int i = 0; (set = sl_metrics_set_at(i)) != NULL; i++) {
        for (int32_t k = 0; k < set->count; k++) {
            const struct sl_metric *m = &set->metrics[k];
            size_t size = strlen(m->name);
            bool is_total = size > 6 && strcmp(m->name + size - 6, "-total") == 0;
            if (is_total != sl_metrics_is_counter(m)) fail_msg("%s", m->name);
            assert_int_equal(m->text[strlen(m->text) - 1], '.');
            for (const char *at = m->name; *at != '\0'; at++)
                if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *at) == NULL)
                    fail_msg("%s", m->name);
            int found = 0;
            for (int j = 0; (other = sl_metrics_set_at(j)) != NULL; j++)
                for (int32_t n = 0; n < other->count; n++)
                    found += (other->roles & set->roles) != 0 &&
                             strcmp(other->group, set->group) == 0 &&
                             strcmp(other->metrics[n].name, m->name) == 0;
            if (found != 1) fail_msg("%s of %s is listed %d times", m->name, set->group, found);
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_is_the_list),
                                       cmocka_unit_test(test_list_is_sound)};
    if (argc > 1 && strcmp(argv[1], "--update") == 0) {
        char *page = make_page();
        FILE *out = fopen(page_name, "w");
        bool is_written = out != NULL && fputs(page, out) >= 0 && fclose(out) == 0;
        free(page);
        return is_written ? 0 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
