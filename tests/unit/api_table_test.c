/* Goal: every cell of a table reads as what it is and as nothing else; each text form has exactly
 * these bytes, in every locale; a table that ran out of memory says so and leaves nothing.
 * Method: a small table with every kind of cell, compared byte for byte. */
#include "api/table.h"

#include <locale.h>

#include "core/table.h"
#include "sluice/table.h"
#include "unit/support.h"

static const char *const plain_columns[] = {"topic", "count", "rate"};
static const char *const metric_columns[] = {"group", "name", "type", "value", "topic", "node-id"};

static struct sl_table *make_plain(const struct sl_alloc *alloc) {
    struct sl_table *t;
    if (sl_table_create(alloc, "plain", plain_columns, 3, &t) != 0) return NULL;
    for (int32_t i = 0; i < 3; i++) {
        struct sl_cell *row = sl_table_add(t);
        if (row == NULL) return t;
        if (i == 2) continue; /* all null */
        row[0] = sl_table_text(sl_table_keep(t, i == 0 ? "a\"b\\c\n\x01" : "d"));
        row[1] = sl_table_int(i == 0 ? -7 : INT64_MAX);
        row[2] = sl_table_real(i == 0 ? 0.5 : -1234.0000005);
    }
    return t;
}

static void test_cells(void **state) {
    struct sl_table *t = make_plain(sl_alloc_default());
    sluice_table table;
    (void)state;
    sl_table_init_result(&table, &t, NULL);
    assert_int_equal(sluice_table_rows(&table), 3);
    assert_string_equal(sluice_table_column(&table, 0), "topic");
    assert_string_equal(sluice_table_column(&table, 2), "rate");
    assert_null(sluice_table_column(&table, 3));
    assert_null(sluice_table_column(&table, -1));
    assert_string_equal(sluice_table_str(&table, 1, "topic"), "d");
    assert_null(sluice_table_str(&table, 1, "count"));
    assert_null(sluice_table_str(&table, 2, "topic"));
    assert_null(sluice_table_str(&table, 3, "topic"));
    assert_null(sluice_table_str(&table, -1, "topic"));
    assert_null(sluice_table_str(&table, 0, "Topic"));
    assert_null(sluice_table_str(&table, 0, NULL));
    assert_int_equal(sluice_table_int(&table, 0, "count", 3), -7);
    assert_int_equal(sluice_table_int(&table, 1, "rate", 3), -1234);
    assert_int_equal(sluice_table_int(&table, 0, "topic", 3), 3);
    assert_int_equal(sluice_table_int(&table, 2, "count", 3), 3);
    assert_true(sluice_table_real(&table, 0, "rate", 3) == 0.5);
    assert_true(sluice_table_real(&table, 0, "count", 3) == -7);
    assert_true(sluice_table_real(&table, 0, "no", 3) == 3);
    sl_table_destroy(t);
}

static void test_no_table(void **state) {
    struct sl_table *none = NULL;
    sluice_table pending, broken = {0};
    char buf[8];
    (void)state;
    sl_table_init_result(&pending, &none, NULL);
    const sluice_table *tables[] = {NULL, &pending, &broken};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sluice_table_rows(tables[i]), 0);
        assert_null(sluice_table_column(tables[i], 0));
        assert_null(sluice_table_str(tables[i], 0, "x"));
        assert_int_equal(sluice_table_int(tables[i], 0, "x", 9), 9);
        assert_int_equal(sluice_table_text(tables[i], SLUICE_TEXT_JSON, buf, sizeof buf),
                         SLUICE_ERR_USAGE);
    }
}

static void expect_text(const sluice_table *table, int32_t format, const char *text) {
    char buf[2048];
    assert_int_equal(sluice_table_text(table, format, buf, sizeof buf), strlen(text));
    assert_string_equal(buf, text);
    assert_int_equal(sluice_table_text(table, format, NULL, 0), strlen(text));
    assert_int_equal(sluice_table_text(table, format, buf, 5), strlen(text));
    assert_int_equal(strlen(buf), 4);
}

static void test_texts(void **state) {
    struct sl_table *t = make_plain(sl_alloc_default());
    sluice_table table;
    char buf[64];
    (void)state;
    sl_table_init_result(&table, &t, NULL);
    expect_text(&table, SLUICE_TEXT_JSON,
                "[{\"topic\":\"a\\\"b\\\\c\\n\\u0001\",\"count\":-7,\"rate\":0.5},\n"
                "{\"topic\":\"d\",\"count\":9223372036854775807,\"rate\":-1234.000001},\n"
                "{}]\n");
    t->cells[0] = sl_table_text("long one");
    expect_text(&table, SLUICE_TEXT_COLUMNS,
                "topic     count                rate\n"
                "long one  -7                   0.5\n"
                "d         9223372036854775807  -1234.000001\n"
                "-         -                    -\n");
    assert_int_equal(sluice_table_text(&table, SLUICE_TEXT_PROMETHEUS, buf, sizeof buf),
                     SLUICE_ERR_USAGE);
    assert_int_equal(sluice_table_text(&table, 0, buf, sizeof buf), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_table_text(&table, SLUICE_TEXT_JSON, NULL, 8), SLUICE_ERR_USAGE);
    sl_table_destroy(t);
}

static void test_real_numbers(void **state) {
    static const struct {
        double real;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "0"},
                 {1, "1"},
                 {100, "100"},
                 {0.000001, "0.000001"},
                 {0.0000004, "0"},
                 {0.1, "0.1"},
                 {2.999999999, "3"},
                 {-0.25, "-0.25"},
                 {123456789.123456, "123456789.123456"},
                 {8e12, "8000000000000"},
                 {1e300, "9000000000000"},
                 {-1e300, "-9000000000000"}};
    struct sl_table *t;
    sluice_table table;
    char buf[64], want[64];
    (void)state;
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* where there is one, its comma must not show */
    assert_int_equal(sl_table_create(sl_alloc_default(), "n", plain_columns, 1, &t), 0);
    struct sl_cell *cell = sl_table_add(t);
    assert_non_null(cell);
    sl_table_init_result(&table, &t, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        *cell = sl_table_real(cases[i].real);
        (void)snprintf(want, sizeof want, "[{\"topic\":%s}]\n", cases[i].text);
        assert_true(sluice_table_text(&table, SLUICE_TEXT_JSON, buf, sizeof buf) > 0);
        assert_string_equal(buf, want);
    }
    (void)setlocale(LC_ALL, "C");
    sl_table_destroy(t);
}

static void add_metric(struct sl_table *t, const char *name, const char *topic,
                       struct sl_cell value) {
    struct sl_cell *row = sl_table_add(t);
    assert_non_null(row);
    row[0] = sl_table_text("producer-topic-metrics");
    row[1] = sl_table_text(name);
    row[2] = sl_table_text("counter");
    row[3] = value;
    row[4] = sl_table_text(topic);
    if (topic != NULL) row[5] = sl_table_int(3);
}

static void test_prometheus(void **state) {
    struct sl_table *t;
    sluice_table table;
    (void)state;
    assert_int_equal(sl_table_create(sl_alloc_default(), "m", metric_columns, 6, &t), 0);
    add_metric(t, "byte-total", "a", sl_table_int(1));
    add_metric(t, "byte-total", "b\"", sl_table_int(2));
    add_metric(t, "size-avg", "a", sl_table_text(NULL));
    add_metric(t, "size-max", "a", sl_table_text(NULL));
    add_metric(t, "size-max", NULL, sl_table_real(2.5));
    sl_table_init_result(&table, &t, NULL);
    expect_text(&table, SLUICE_TEXT_PROMETHEUS,
                "# TYPE sluice_producer_topic_byte_total counter\n"
                "sluice_producer_topic_byte_total{topic=\"a\",node_id=\"3\"} 1\n"
                "sluice_producer_topic_byte_total{topic=\"b\\\"\",node_id=\"3\"} 2\n"
                "# TYPE sluice_producer_topic_size_max counter\n"
                "sluice_producer_topic_size_max 2.5\n");
    sl_table_destroy(t);
}

/* Rows beyond the first block, too. */
static void test_no_memory(void **state) {
    enum { ROWS = 300 };
    (void)state;
    for (long n = 1;; n++) {
        struct test_memory m;
        struct sl_table *t = NULL;
        test_memory_init(&m);
        test_memory_fail_at(&m, n);
        if (sl_table_create(&m.alloc, "plain", plain_columns, 3, &t) == 0) {
            for (int32_t i = 0; i < ROWS; i++) {
                struct sl_cell *row = sl_table_add(t);
                if (row != NULL) row[0] = sl_table_text(sl_table_keep(t, "a text"));
            }
            assert_int_equal(t->failed, test_memory_has_failed(&m));
            for (int32_t i = 0; !t->failed && i < ROWS; i++)
                assert_string_equal(sl_table_cell(t, i, 0)->as.text, "a text");
        }
        sl_table_destroy(t);
        test_memory_check(&m);
        if (test_memory_has_failed(&m)) continue;
        assert_true(n > 4);
        break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),      cmocka_unit_test(test_no_table),
        cmocka_unit_test(test_texts),      cmocka_unit_test(test_real_numbers),
        cmocka_unit_test(test_prometheus), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
