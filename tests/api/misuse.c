/* Goal: a wrong call is told and harms nothing: no handle, a swapped enum, a wrong size, the wrong
 * role, too late, in a forked child.
 * Method: every function is called wrongly in every way that it can tell; clients are opened on an
 * address where nobody listens, since nothing here needs a broker, or on a test cluster where
 * something does. */
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static sluice_client *make_client(int32_t role) {
    const char *const settings[] = {"bootstrap.servers", "127.0.0.1:1", "log.to", "none", NULL};
    sluice_client *client = NULL;
    assert_int_equal(sluice_client_start(role, settings, &client), 0);
    return client;
}

static void no_handle_is_usage_or_nothing(void **unused) {
    sluice_batch *b;
    sluice_deliveries *set;
    sluice_delivery d;
    sluice_offsets *list;
    sluice_event event;
    sluice_counts counts;
    sluice_record r = {0};
    sluice_packed k = {0};
    int32_t n = 0;
    (void)unused;
    assert_int_equal(sluice_client_close(NULL, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_fd(NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_event(NULL, 0, &event, sizeof event), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_dump(NULL, NULL, 0, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_ready(NULL, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_partitions(NULL, "t", 0, &n), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send(NULL, "t", NULL, 0, "v", 1, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_borrowed(NULL, &r, sizeof r, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_record(NULL, &r, sizeof r, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_packed(NULL, &k, sizeof k, &n, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_write(NULL, &r, sizeof r, 0, NULL, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_flush(NULL, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_discard(NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_counts(NULL, &counts, sizeof counts), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_deliveries(NULL, 0, &set), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_deliveries_next(NULL, &d, sizeof d), 0);
    assert_int_equal(sluice_consumer_assign(NULL, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_poll(NULL, 0, &b), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_positions(NULL, &list), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_seek(NULL, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_pause(NULL, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_resume(NULL, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_offsets_resolve(NULL, NULL, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_admin_create_topic(NULL, "t", 1, 1, NULL, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_admin_delete_topic(NULL, "t", 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_op_wait(NULL, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_op_id(NULL), 0);
    assert_string_equal(sluice_op_message(NULL), "");
    assert_null(sluice_op_offsets(NULL));
    assert_int_equal(sluice_runtime_fd(NULL), -1);
    assert_int_equal(sluice_runtime_run(NULL, 0), SLUICE_ERR_USAGE);
    assert_string_equal(sluice_testbroker_bootstrap(NULL), "");
    sluice_client_interrupt(NULL);
    sluice_client_free(NULL);
    sluice_runtime_release(NULL);
    sluice_op_free(NULL);
    sluice_deliveries_free(NULL);
    sluice_testbroker_free(NULL);
}

static void opening_wrongly(void **unused) {
    const char *const odd[] = {"bootstrap.servers", "127.0.0.1:1", "client.id", NULL};
    const char *const bad[] = {"log.to", "none", "bootstrap.server", "x", NULL};
    sluice_client *client = (sluice_client *)(void *)&client; /* anything but NULL */
    (void)unused;
    sluice_runtime *rt = NULL;
    sluice_config *config = sluice_config_create();
    assert_int_equal(sluice_client_start(SLUICE_PRODUCER, NULL, &client), SLUICE_ERR_USAGE);
    assert_null(client);
    assert_int_equal(sluice_client_start(SLUICE_PRODUCER, bad, &client), SLUICE_ERR_CONFIG);
    assert_int_equal(sluice_client_start(SLUICE_RUNTIME_DRIVEN, bad, &client), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_start(SLUICE_PRODUCER, bad, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_open(NULL, SLUICE_PRODUCER, NULL, &client), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_open(config, 0, NULL, &client), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_runtime_create(SLUICE_CONSUMER, NULL, &rt), SLUICE_ERR_USAGE);
    assert_null(rt);
    assert_int_equal(sluice_client_start(SLUICE_ADMIN, odd, &client), SLUICE_ERR_CONFIG);
    assert_null(client);
    sluice_config_free(config);
}

static void the_wrong_role_is_usage(void **unused) {
    sluice_client *p = make_client(SLUICE_PRODUCER);
    sluice_client *c = make_client(SLUICE_CONSUMER);
    sluice_client *a = make_client(SLUICE_ADMIN);
    sluice_deliveries *set;
    sluice_batch *b;
    (void)unused;
    assert_int_equal(sluice_producer_send(c, "t", NULL, 0, "v", 1, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send(a, "t", NULL, 0, "v", 1, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_flush(a, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_poll(p, 0, &b), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_assign(a, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_deliveries(p, 0, &set), SLUICE_ERR_USAGE); /* reports: none */
    sluice_client_free(p);
    sluice_client_free(c);
    sluice_client_free(a);
}

static void wrong_sizes_and_outputs_are_usage(void **unused) {
    sluice_client *p = make_client(SLUICE_PRODUCER);
    sluice_client *c = make_client(SLUICE_CONSUMER);
    sluice_event event;
    sluice_counts counts;
    sluice_record r = {0};
    sluice_packed k = {0};
    int32_t next = 0;
    (void)unused;
    r.topic = "t";
    assert_int_equal(sluice_producer_send_record(p, &r, sizeof r - 4, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_record(p, &r, sizeof r + 8, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_record(p, NULL, sizeof r, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_record(p, &r, sizeof r, -3), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_packed(p, &k, 1, &next, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_send_packed(p, &k, sizeof k, NULL, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_counts(p, &counts, 1), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_counts(p, NULL, sizeof counts), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_event(p, 0, &event, sizeof event - 1), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_event(p, 0, NULL, sizeof event), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_client_dump(p, NULL, 8, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_poll(c, 0, NULL), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_positions(c, NULL), SLUICE_ERR_USAGE);
    sluice_client_free(p);
    sluice_client_free(c);
}

/* What is wrong with a record, one thing at a time. */
static void fill_wrong_record(sluice_record *r, int which) {
    static const sluice_header nameless = {NULL, "v", 0, 1};
    memset(r, 0, sizeof *r);
    r->topic = "t";
    r->value = "v";
    r->value_size = 1;
    switch (which) {
    case 0:
        r->topic = NULL;
        break;
    case 1:
        r->topic = "";
        break;
    case 2:
        r->partition = 1;
        break;
    case 3:
        r->timestamp_ms = 1;
        break;
    case 4:
        r->set = 8;
        break;
    case 5:
        r->reserved = 1;
        break;
    case 6:
        r->set = SLUICE_SET_TOMBSTONE;
        break;
    case 7:
        r->partition = -1, r->set = SLUICE_SET_PARTITION;
        break;
    case 8:
        r->timestamp_ms = -1, r->set = SLUICE_SET_TIMESTAMP;
        break;
    case 9:
        r->key_size = 1;
        break;
    case 10:
        r->value = NULL;
        break;
    case 11:
        r->header_count = 1;
        break;
    case 12:
        r->headers = &nameless, r->header_count = 1;
        break;
    case 13:
        r->raw_headers = "\x02", r->raw_headers_size = 1, r->header_count = 1;
        break;
    case 14:
        r->raw_headers_size = 1;
        break;
    default:
        r->header_count = -1;
        break;
    }
}

static void wrong_records_are_refused(void **unused) {
    sluice_client *p = make_client(SLUICE_PRODUCER);
    sluice_counts counts;
    (void)unused;
    for (int i = 0; i <= 15; i++) {
        sluice_record r;
        fill_wrong_record(&r, i);
        if (sluice_producer_send_record(p, &r, sizeof r, 0) != SLUICE_ERR_USAGE)
            fail_msg("record %d was not refused", i);
    }
    assert_int_equal(sluice_producer_counts(p, &counts, sizeof counts), 0);
    assert_int_equal(counts.pending, 0);
    sluice_client_free(p);
}

static void wrong_packed_records_are_refused(void **unused) {
    static const int32_t sizes[] = {2, 3, -2};
    sluice_client *p = make_client(SLUICE_PRODUCER);
    sluice_packed k = {0};
    int32_t next = 0;
    (void)unused;
    k.topic = "t";
    k.data = "ab";
    k.data_size = 2;
    k.value_sizes = sizes;
    k.count = 3;
    assert_int_equal(sluice_producer_send_packed(p, &k, sizeof k, &next, 0), SLUICE_ERR_USAGE);
    assert_int_equal(next, 1); /* the first is accepted, the second reaches beyond the data */
    next = 4;
    assert_int_equal(sluice_producer_send_packed(p, &k, sizeof k, &next, 0), SLUICE_ERR_USAGE);
    next = 0;
    k.partition = 2;
    assert_int_equal(sluice_producer_send_packed(p, &k, sizeof k, &next, 0), SLUICE_ERR_USAGE);
    assert_int_equal(next, 0);
    sluice_client_free(p);
}

static void lists_of_offsets_are_sticky(void **unused) {
    sluice_offsets *list = sluice_offsets_create();
    sluice_client *c = make_client(SLUICE_CONSUMER);
    sluice_offset o = {0};
    sluice_view v = {0};
    (void)unused;
    assert_int_equal(sluice_offsets_add(list, "t", 1, 5), 0);
    assert_int_equal(sluice_offsets_add(list, "t", 1, 6), 0); /* replaced */
    v.topic = "t";
    v.partition = 2;
    v.offset = 41;
    assert_int_equal(sluice_offsets_after(list, &v, sizeof v), 0);
    assert_int_equal(sluice_offsets_at(list, 0, &o, sizeof o), 1);
    assert_int_equal(o.offset, 6);
    assert_int_equal(sluice_offsets_at(list, 1, &o, sizeof o), 1);
    assert_int_equal(o.offset, 42);
    assert_int_equal(o.committed, -1);
    assert_int_equal(sluice_offsets_at(list, 2, &o, sizeof o), 0);
    assert_int_equal(sluice_consumer_assign(c, list), 0);
    assert_int_equal(sluice_offsets_add(list, "t", -1, 5), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_assign(c, list), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_consumer_seek(c, list), SLUICE_ERR_USAGE);
    sluice_offsets_free(list);
    list = sluice_offsets_create();
    assert_int_equal(sluice_offsets_add(list, "t", 0, -7), SLUICE_ERR_USAGE);
    sluice_offsets_free(list);
    list = sluice_offsets_create();
    assert_int_equal(sluice_offsets_add(list, "t", 9, 0), 0);
    assert_int_equal(sluice_consumer_seek(c, list), SLUICE_ERR_STALE); /* not assigned */
    assert_int_equal(sluice_consumer_pause(c, list), SLUICE_ERR_STALE);
    assert_int_equal(sluice_consumer_pause(c, NULL), 0);
    sluice_offsets *positions = NULL;
    assert_int_equal(sluice_consumer_positions(c, &positions), 0);
    assert_int_equal(sluice_offsets_at(positions, 0, &o, sizeof o), 1);
    assert_int_equal(o.offset, 6);
    assert_int_equal(o.paused, 1);
    sluice_offsets_free(positions);
    sluice_offsets_free(list);
    assert_int_equal(sluice_offsets_add(NULL, "t", 0, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_offsets_at(NULL, 0, &o, sizeof o), 0);
    sluice_offsets_free(NULL);
    sluice_client_free(c);
}

static void after_close_every_call_says_so(void **unused) {
    sluice_client *p = make_client(SLUICE_PRODUCER);
    sluice_client *c = make_client(SLUICE_CONSUMER);
    sluice_batch *b;
    sluice_op *op = NULL;
    char text[256];
    (void)unused;
    assert_int_equal(sluice_client_close(p, 1000, NULL), 0);
    assert_int_equal(sluice_client_close(p, 1000, NULL), 0); /* the same answer */
    assert_int_equal(sluice_client_close(c, 1000, &op), 0);
    assert_int_equal(sluice_op_wait(op, 5000), 0);
    assert_int_equal(sluice_producer_send(p, "t", NULL, 0, "v", 1, 0), SLUICE_ERR_CLOSED);
    assert_int_equal(sluice_producer_flush(p, 0, NULL), SLUICE_ERR_CLOSED);
    assert_int_equal(sluice_consumer_poll(c, -1, &b), SLUICE_ERR_CLOSED);
    assert_int_equal(sluice_consumer_assign(c, NULL), SLUICE_ERR_CLOSED);
    assert_int_equal(sluice_client_ready(c, 1000, NULL), SLUICE_ERR_CLOSED);
    assert_true(sluice_client_explain(c, SLUICE_ERR_CLOSED, text, sizeof text) > 0);
    sluice_client_free(p);
    sluice_client_free(c);
    sluice_op_free(op); /* later than the client */
}

/* In the child every call says FORKED at once, and free frees. */
static int use_in_child(sluice_client *p, sluice_client *c) {
    sluice_batch *b;
    int wrong = 0;
    wrong += sluice_producer_send(p, "t", NULL, 0, "v", 1, -1) != SLUICE_ERR_FORKED;
    wrong += sluice_producer_flush(p, -1, NULL) != SLUICE_ERR_FORKED;
    wrong += sluice_consumer_poll(c, -1, &b) != SLUICE_ERR_FORKED;
    wrong += sluice_client_ready(c, -1, NULL) != SLUICE_ERR_FORKED;
    wrong += sluice_client_close(c, -1, NULL) != SLUICE_ERR_FORKED;
    sluice_client_interrupt(c);
    sluice_client_free(p);
    sluice_client_free(c);
    return wrong;
}

static void a_forked_child_is_told(void **unused) {
    sluice_client *p = make_client(SLUICE_PRODUCER);
    sluice_client *c = make_client(SLUICE_CONSUMER);
    int status = 0;
    (void)unused;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(use_in_child(p, c));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(sluice_client_close(p, 1000, NULL), 0); /* the parent's are as they were */
    sluice_client_free(p);
    sluice_client_free(c);
}

static void waits_end_by_their_deadline(void **unused) {
    sluice_client *c = make_client(SLUICE_CONSUMER);
    sluice_offsets *list = sluice_offsets_create();
    sluice_batch *b;
    sluice_op *op = NULL;
    int32_t count;
    char text[512];
    (void)unused;
    assert_int_equal(sluice_offsets_add(list, "t", 0, SLUICE_OFFSET_EARLIEST), 0);
    assert_int_equal(sluice_consumer_assign(c, list), 0);
    assert_int_equal(sluice_consumer_poll(c, 50, &b), 0);
    assert_null(b);
    assert_int_equal(sluice_client_ready(c, 100, NULL), SLUICE_ERR_UNREACHABLE);
    sluice_client_explain(c, SLUICE_ERR_UNREACHABLE, text, sizeof text);
    check_says(text, "127.0.0.1:1");
    assert_int_equal(sluice_client_partitions(c, "t", 0, &count), SLUICE_ERR_PENDING);
    assert_int_equal(sluice_client_partitions(c, "t", 50, &count), SLUICE_ERR_UNREACHABLE);
    assert_int_equal(sluice_offsets_resolve(c, list, 60000, &op), 0);
    assert_int_equal(sluice_op_wait(op, 20), SLUICE_ERR_PENDING);
    assert_int_equal(sluice_client_close(c, 1000, NULL), 0);
    assert_int_equal(sluice_op_wait(op, -1), SLUICE_ERR_CLOSED);
    sluice_op_free(op);
    sluice_offsets_free(list);
    sluice_client_free(c);
}

static void versions_agree(void **unused) {
    (void)unused;
    assert_string_equal(sluice_version_text(), SLUICE_VERSION);
    assert_int_equal(sluice_version_number(), SLUICE_VERSION_MAJOR << 24 |
                                                  SLUICE_VERSION_MINOR << 16 |
                                                  SLUICE_VERSION_PATCH << 8);
    check_says(sluice_version_features(), "zstd");
}

/* Vectors of the Java client's murmur2 partitioner. */
static void keys_choose_partitions_as_in_java(void **unused) {
    (void)unused;
    assert_int_equal(sluice_producer_partition("21", 2, 1000), (-973932308 & 0x7fffffff) % 1000);
    assert_int_equal(sluice_producer_partition("foobar", 6, 1000),
                     (-790332482 & 0x7fffffff) % 1000);
    assert_int_equal(sluice_producer_partition("abc", 3, 1000), 479470107 % 1000);
    assert_int_equal(sluice_producer_partition("k", 1, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_producer_partition(NULL, 1, 1), SLUICE_ERR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_handle_is_usage_or_nothing),
        cmocka_unit_test(opening_wrongly),
        cmocka_unit_test(the_wrong_role_is_usage),
        cmocka_unit_test(wrong_sizes_and_outputs_are_usage),
        cmocka_unit_test(wrong_records_are_refused),
        cmocka_unit_test(wrong_packed_records_are_refused),
        cmocka_unit_test(lists_of_offsets_are_sticky),
        cmocka_unit_test(after_close_every_call_says_so),
        cmocka_unit_test(a_forked_child_is_told),
        cmocka_unit_test(waits_end_by_their_deadline),
        cmocka_unit_test(versions_agree),
        cmocka_unit_test(keys_choose_partitions_as_in_java),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
