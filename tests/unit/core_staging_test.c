/* Goal: staging keeps every record whole and in order, its accounts exact to the byte, and loses
 * no wake-up. Method: the calls of the application and of the I/O thread in all the orders that
 * matter, without a thread; every allocation failed in turn. Reports in place (delivery.c) are
 * tested here too, because staging lays the records out for them. */
#include "support.h"

#include "core/delivery.h"
#include "core/staging.h"
#include "sluice/error.h"

struct fixture {
    struct test_memory memory;
    struct sl_settings settings;
    struct sl_staging *staging;
};

static void set_up(struct fixture *f, enum sl_reports reports, int64_t buffer_memory) {
    memset(f, 0, sizeof *f);
    test_memory_init(&f->memory);
    f->settings.role = SL_ROLE_PRODUCER;
    f->settings.reports = reports;
    f->settings.buffer_memory = buffer_memory;
    f->settings.max_request_size = 1024 * 1024;
    assert_int_equal(sl_staging_create(&f->settings, &f->memory.alloc, &f->staging), 0);
}

static void tear_down(struct fixture *f) {
    sl_staging_destroy(f->staging);
    test_memory_check(&f->memory);
}

static int put_text(struct fixture *f, const char *topic, const char *key, const char *value,
                    uint64_t tag, bool *wake) {
    struct sl_staging_input in = {
        .topic = topic,
        .key = key,
        .value = value,
        .key_size = key == NULL ? 0 : (uint32_t)strlen(key),
        .value_size = (uint32_t)strlen(value),
        .tag = tag,
        .flags = key == NULL ? SL_STAGED_KEY_NULL : 0,
    };
    bool unused;
    return sl_staging_put(f->staging, &in, wake == NULL ? &unused : wake);
}

static int put_bytes(struct fixture *f, uint32_t size, bool *wake) {
    static const uint8_t zeros[2 * 1024 * 1024];
    struct sl_staging_input in = {
        .topic = "t", .value = zeros, .value_size = size, .flags = SL_STAGED_KEY_NULL};
    bool unused;
    return sl_staging_put(f->staging, &in, wake == NULL ? &unused : wake);
}

/* Gives back all that a take moved out, as core does when every record is decided. */
static int64_t drain(struct fixture *f, struct sl_staged *staged, bool *room) {
    int64_t charge = 0;
    struct sl_list back;
    sl_list_init(&back);
    for (struct sl_list *node; (node = sl_list_pop_front(&staged->chunks)) != NULL;) {
        struct sl_chunk *chunk = SL_LIST_OF(node, struct sl_chunk, node);
        struct sl_delivery_sum sum = {0};
        sl_list_init(&sum.values);
        sl_delivery_count_chunk(chunk, &sum);
        assert_int_equal(sum.count, chunk->count);
        charge += sum.charge;
        for (struct sl_list *v; (v = sl_list_pop_front(&sum.values)) != NULL;)
            sl_staging_chunk_destroy(&f->memory.alloc, SL_LIST_OF(v, struct sl_chunk, node));
        sl_list_push_back(&back, &chunk->node);
    }
    bool has_room = sl_staging_give(f->staging, &back, charge);
    if (room != NULL) *room = has_room;
    assert_true(sl_list_is_empty(&back));
    return charge;
}

static void take_and_drain(struct fixture *f) {
    struct sl_staged staged;
    sl_staging_take(f->staging, 1, true, &staged);
    (void)drain(f, &staged, NULL);
}

/* ---- records ---- */

static void test_record_comes_out_as_it_went_in(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_ALL, 1 << 20);
    struct sl_staging_input in = {.topic = "orders",
                                  .key = "key",
                                  .value = "value",
                                  .headers = "HEAD",
                                  .key_size = 3,
                                  .value_size = 5,
                                  .headers_size = 4,
                                  .timestamp_ms = 77,
                                  .tag = 0x1122334455667788,
                                  .partition = 9,
                                  .header_count = 1,
                                  .flags = SL_STAGED_TIMESTAMP | SL_STAGED_PARTITION};
    bool wake;
    assert_int_equal(sl_staging_put(f.staging, &in, &wake), 0);
    assert_true(sl_staging_has_records(f.staging));
    struct sl_staged staged;
    sl_staging_take(f.staging, 1, true, &staged);
    assert_false(sl_staging_has_records(f.staging));
    assert_int_equal(staged.records, 1);
    const struct sl_staging_topic *topic =
        SL_LIST_OF(staged.topics.next, struct sl_staging_topic, node);
    assert_string_equal(topic->name, "orders");
    assert_int_equal(topic->index, 0);
    struct sl_chunk *chunk = SL_LIST_OF(staged.chunks.next, struct sl_chunk, node);
    const struct sl_staged_record *r = sl_staging_record(chunk, 0);
    assert_int_equal(r->topic, 0);
    assert_int_equal(r->timestamp_ms, 77);
    assert_true(r->tag == 0x1122334455667788);
    assert_int_equal(r->partition, 9);
    assert_int_equal(r->header_count, 1);
    assert_int_equal(r->flags, SL_STAGED_TIMESTAMP | SL_STAGED_PARTITION);
    assert_memory_equal(r + 1, "HEADkeyvalue", 12);
    assert_null(sl_staging_value_chunk(r));
    int64_t used = sl_staging_used(f.staging);
    assert_int_equal(r->charge, used);
    assert_int_equal(drain(&f, &staged, NULL), used);
    assert_int_equal(sl_staging_used(f.staging), 0);
    tear_down(&f);
}

/* Many records of changing topics and sizes over several chunks: order, indexes, accounts. */
static void test_order_is_kept_over_chunks(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_ALL, 64 << 20);
    enum { COUNT = 6000 };
    char topic[8];
    char value[512];
    int64_t used = 0;
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(topic, sizeof topic, "t%d", i * 7 % 13);
        memset(value, 'a' + i % 26, sizeof value);
        value[i * 31 % (int)(sizeof value - 1)] = '\0';
        assert_int_equal(put_text(&f, topic, i % 3 == 0 ? NULL : "k", value, (uint64_t)i, NULL), 0);
        used = sl_staging_used(f.staging);
    }
    struct sl_staged staged;
    sl_staging_take(f.staging, 1, true, &staged);
    assert_int_equal(staged.records, COUNT);
    int seen = 0;
    const char *names[13] = {NULL};
    SL_LIST_EACH(it, tmp, &staged.topics) {
        const struct sl_staging_topic *t = SL_LIST_OF(it, struct sl_staging_topic, node);
        names[t->index] = t->name;
    }
    SL_LIST_EACH(it, tmp, &staged.chunks) {
        struct sl_chunk *chunk = SL_LIST_OF(it, struct sl_chunk, node);
        assert_true(chunk->size <= chunk->cap);
        for (uint32_t at = 0; at < chunk->size; seen++) {
            const struct sl_staged_record *r = sl_staging_record(chunk, at);
            assert_int_equal(r->size % 8, 0);
            assert_int_equal(r->tag, seen);
            (void)snprintf(topic, sizeof topic, "t%d", seen * 7 % 13);
            assert_string_equal(names[r->topic], topic);
            at += r->size;
        }
    }
    assert_int_equal(seen, COUNT);
    assert_int_equal(drain(&f, &staged, NULL), used);
    assert_int_equal(sl_staging_used(f.staging), 0);
    /* Known topics are not told again, chunks come back warm: nothing is allocated any more. */
    long calls = f.memory.calls;
    assert_int_equal(put_text(&f, "t3", NULL, "x", 1, NULL), 0);
    sl_staging_take(f.staging, 1, true, &staged);
    assert_true(sl_list_is_empty(&staged.topics));
    (void)drain(&f, &staged, NULL);
    assert_int_equal(f.memory.calls, calls);
    tear_down(&f);
}

/* A large value has a chunk of its own, made before the lock if the caller likes; the records
 * around it stay in one chunk, and in order. */
static void test_large_values_lie_apart(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 64 << 20);
    static uint8_t big[300 * 1024];
    memset(big, 0x5a, sizeof big);
    bool wake;
    for (int prepared = 0; prepared < 2; prepared++) {
        assert_int_equal(put_text(&f, "t", NULL, "before", 1, NULL), 0);
        struct sl_staging_input in = {
            .topic = "t", .key = "k", .key_size = 1, .value = big, .value_size = sizeof big};
        if (prepared == 1) assert_int_equal(sl_staging_prepare(f.staging, &in), 0);
        assert_int_equal(sl_staging_put(f.staging, &in, &wake), 0);
        assert_null(in.large);
        assert_int_equal(put_text(&f, "t", NULL, "after", 3, NULL), 0);
        struct sl_staged staged;
        sl_staging_take(f.staging, 1, true, &staged);
        struct sl_chunk *chunk = SL_LIST_OF(staged.chunks.next, struct sl_chunk, node);
        assert_int_equal(chunk->count, 3);
        const struct sl_staged_record *r =
            sl_staging_record(chunk, sl_staging_record(chunk, 0)->size);
        assert_true((r->flags & SL_STAGED_LARGE) != 0);
        const struct sl_chunk *value = sl_staging_value_chunk(r);
        assert_int_equal(value->size, sizeof big);
        assert_memory_equal(value->data, big, sizeof big);
        assert_true(r->charge >= sizeof big);
        (void)drain(&f, &staged, NULL);
        assert_int_equal(sl_staging_used(f.staging), 0);
    }
    /* A prepared value that is refused goes back to the caller. */
    struct sl_staging_input in = {.topic = "t", .value = big, .value_size = sizeof big};
    assert_int_equal(sl_staging_prepare(f.staging, &in), 0);
    f.settings.buffer_memory = 1024;
    assert_int_equal(sl_staging_put(f.staging, &in, &wake), SLUICE_ERR_TOO_BIG);
    assert_non_null(in.large);
    sl_staging_unprepare(f.staging, &in);
    tear_down(&f);
}

static void test_large_key_gets_a_chunk_that_fits(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_ALL, 64 << 20);
    static uint8_t key[SL_STAGING_CHUNK + 100];
    struct sl_staging_input in = {.topic = "t", .key = key, .key_size = sizeof key};
    bool wake;
    assert_int_equal(sl_staging_put(f.staging, &in, &wake), 0);
    take_and_drain(&f);
    assert_int_equal(sl_staging_used(f.staging), 0);
    tear_down(&f);
}

/* Records waiting when the client goes are freed with their values. */
static void test_destroy_frees_what_is_staged(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_ALL, 64 << 20);
    assert_int_equal(put_bytes(&f, 100, NULL), 0);
    assert_int_equal(put_bytes(&f, 100000, NULL), 0);
    tear_down(&f);
}

/* ---- limits ---- */

static void test_too_big_is_refused_at_once(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 4 << 20);
    assert_int_equal(put_bytes(&f, 1024 * 1024, NULL), SLUICE_ERR_TOO_BIG);
    assert_int_equal(put_bytes(&f, 1024 * 1024 - 97, NULL), 0);
    take_and_drain(&f);
    f.settings.buffer_memory = 50000; /* fits a request, but never the budget */
    assert_int_equal(put_bytes(&f, 60000, NULL), SLUICE_ERR_TOO_BIG);
    assert_int_equal(sl_staging_used(f.staging), 0);
    tear_down(&f);
}

/* A full budget says FULL, asks for hurry once, and announces room when the record would fit. */
static void test_full_budget_asks_for_hurry_and_announces_room(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 10000);
    struct sl_staged staged, later;
    bool wake, room;
    int accepted = 0;
    while (put_bytes(&f, 952, NULL) == 0) accepted++;
    assert_int_equal(accepted, 10); /* 48 + 952 bytes each */
    sl_staging_take(f.staging, 1, true, &staged);
    assert_true(staged.hurry);
    assert_true(sl_staging_sleep(f.staging, 1));
    /* Asked once already: no wake-up, again and again, for the same trouble. */
    assert_int_equal(put_bytes(&f, 952, &wake), SLUICE_ERR_FULL);
    assert_false(wake);
    struct sl_list none;
    sl_list_init(&none);
    assert_false(sl_staging_give(f.staging, &none, 999));
    assert_true(sl_staging_give(f.staging, &none, 1));
    assert_false(sl_staging_give(f.staging, &none, 0)); /* announced once */
    assert_int_equal(put_bytes(&f, 952, &wake), 0);
    assert_true(wake);
    /* A record has come in between: the next refusal asks again, and wakes. */
    sl_staging_take(f.staging, 1, true, &later);
    assert_true(sl_staging_sleep(f.staging, SL_STAGING_CHUNK));
    assert_int_equal(put_bytes(&f, 952, &wake), SLUICE_ERR_FULL);
    assert_true(wake);
    (void)drain(&f, &later, &room);
    assert_true(room);
    sl_staging_take(f.staging, 1, true, &later);
    assert_true(later.hurry);
    (void)drain(&f, &staged, NULL);
    assert_int_equal(sl_staging_used(f.staging), -1000);
    tear_down(&f);
}

/* Core may need more than records were charged with; the account just says so. */
static void test_core_may_charge_more(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 10000);
    struct sl_list none;
    sl_list_init(&none);
    assert_false(sl_staging_give(f.staging, &none, -9500));
    assert_int_equal(sl_staging_used(f.staging), 9500);
    assert_int_equal(put_bytes(&f, 952, NULL), SLUICE_ERR_FULL);
    assert_true(sl_staging_give(f.staging, &none, 9500));
    tear_down(&f);
}

/* UNREAD only when nothing but reading reports could ever make room. */
static void test_unread_reports_are_told_apart(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_ALL, 10000);
    struct sl_list none;
    sl_list_init(&none);
    assert_false(sl_staging_charge_unread(f.staging, 6000));
    (void)sl_staging_give(f.staging, &none, -3500);
    assert_int_equal(put_bytes(&f, 952, NULL), SLUICE_ERR_FULL); /* 3500 may come back */
    (void)sl_staging_give(f.staging, &none, 3500);
    assert_false(sl_staging_charge_unread(f.staging, 3500));
    assert_int_equal(put_bytes(&f, 952, NULL), SLUICE_ERR_UNREAD);
    assert_false(sl_staging_charge_unread(f.staging, -9000));
    assert_int_equal(put_bytes(&f, 952, NULL), 0);
    take_and_drain(&f);
    tear_down(&f);
}

/* Fills staging, and takes it. How many bytes of the budget were taken. */
static int64_t fill_staging(struct fixture *f) {
    while (put_bytes(f, 1000, NULL) == 0) continue;
    int64_t used = sl_staging_used(f->staging);
    take_and_drain(f);
    return used;
}

/* With thousands of partitions more may be staged, as far as the budget allows; without them it is
 * less again, bit by bit, and so is what stays allocated. */
static void test_partitions_stretch_the_bound(void **state) {
    (void)state;
    enum { ROUNDS = 20 };
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 256 << 20);
    assert_in_range(fill_staging(&f), SL_STAGING_BOUND - 2000, SL_STAGING_BOUND);
    size_t before = f.memory.live_bytes;
    sl_staging_stretch(f.staging, 4000);
    assert_in_range(fill_staging(&f), 7 << 20, 9 << 20);
    sl_staging_stretch(f.staging, 100000);
    assert_in_range(fill_staging(&f), SL_STAGING_BOUND_MOST - 2000, SL_STAGING_BOUND_MOST);
    sl_staging_stretch(f.staging, 0);
    assert_in_range(fill_staging(&f), SL_STAGING_BOUND_MOST / 2, SL_STAGING_BOUND_MOST - 2000);
    for (int i = 0; i < ROUNDS; i++) {
        sl_staging_stretch(f.staging, 0);
        (void)fill_staging(&f);
    }
    assert_in_range(fill_staging(&f), SL_STAGING_BOUND - 2000, SL_STAGING_BOUND);
    assert_true(f.memory.live_bytes <= before + (2 << 20));
    tear_down(&f);
    set_up(&f, SL_REPORTS_NONE, 48 << 20);
    sl_staging_stretch(f.staging, 100000);
    assert_in_range(fill_staging(&f), (6 << 20) - 2000, 6 << 20); /* an eighth of the budget */
    tear_down(&f);
}

/* The bound of staging is room too: a take announces it. */
static void test_staging_bound_holds(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 64 << 20);
    int rv;
    while ((rv = put_bytes(&f, 1000, NULL)) == 0)
        assert_true(sl_staging_used(f.staging) <= SL_STAGING_BOUND);
    assert_int_equal(rv, SLUICE_ERR_FULL);
    assert_false(sl_staging_sleep(f.staging, SL_STAGING_CHUNK));
    struct sl_staged staged;
    sl_staging_take(f.staging, 1, true, &staged);
    assert_true(staged.room);
    assert_false(staged.hurry);
    (void)drain(&f, &staged, NULL);
    /* One record above the bound is still possible, alone. */
    f.settings.max_request_size = 32 << 20;
    static uint8_t huge[5 << 20];
    struct sl_staging_input in = {.topic = "t", .value = huge, .value_size = sizeof huge};
    bool wake;
    assert_int_equal(sl_staging_put(f.staging, &in, &wake), 0);
    assert_int_equal(put_bytes(&f, 10, NULL), SLUICE_ERR_FULL);
    take_and_drain(&f);
    tear_down(&f);
}

/* ---- wake-ups ---- */

static void test_one_wake_a_sleep(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 64 << 20);
    bool wake;
    /* Awake from the start: nobody is woken. */
    assert_int_equal(put_bytes(&f, 10, &wake), 0);
    assert_false(wake);
    assert_false(sl_staging_wake(f.staging));
    /* Something is there: it may not sleep. */
    assert_false(sl_staging_sleep(f.staging, 1));
    take_and_drain(&f);
    assert_true(sl_staging_sleep(f.staging, 1));
    assert_int_equal(put_bytes(&f, 10, &wake), 0);
    assert_true(wake);
    assert_int_equal(put_bytes(&f, 10, &wake), 0);
    assert_false(wake);
    /* A command wakes once, too. */
    take_and_drain(&f);
    assert_true(sl_staging_sleep(f.staging, 1));
    assert_true(sl_staging_wake(f.staging));
    assert_false(sl_staging_wake(f.staging));
    assert_int_equal(put_bytes(&f, 10, &wake), 0);
    assert_false(wake);
    take_and_drain(&f);
    tear_down(&f);
}

/* With a linger deadline armed only a chunk's worth wakes. */
static void test_chunk_threshold(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, SL_REPORTS_NONE, 64 << 20);
    assert_true(sl_staging_sleep(f.staging, SL_STAGING_CHUNK));
    bool wake = false;
    int64_t bytes = 0;
    while (!wake) {
        assert_true(bytes < SL_STAGING_CHUNK);
        assert_int_equal(put_bytes(&f, 952, &wake), 0);
        bytes += 1000;
    }
    assert_true(bytes >= SL_STAGING_CHUNK);
    assert_false(sl_staging_sleep(f.staging, SL_STAGING_CHUNK));
    assert_true(sl_staging_sleep(f.staging, SL_STAGING_AWAKE));
    take_and_drain(&f);
    tear_down(&f);
}

/* ---- memory ---- */

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    static uint8_t big[5000];
    for (long n = 1;; n++) {
        struct fixture f;
        memset(&f, 0, sizeof f);
        test_memory_init(&f.memory);
        f.settings.reports = SL_REPORTS_ALL;
        f.settings.buffer_memory = 1 << 20;
        f.settings.max_request_size = 1 << 20;
        test_memory_fail_at(&f.memory, n);
        int rv = sl_staging_create(&f.settings, &f.memory.alloc, &f.staging);
        if (rv == 0) {
            rv = put_text(&f, "a", NULL, "x", 1, NULL);
            bool wake;
            struct sl_staging_input in = {.topic = "a", .value = big, .value_size = sizeof big};
            int rv2 = sl_staging_put(f.staging, &in, &wake);
            sl_staging_unprepare(f.staging, &in);
            if (rv == 0) rv = rv2;
            int64_t used = sl_staging_used(f.staging);
            struct sl_staged staged;
            sl_staging_take(f.staging, 1, true, &staged);
            assert_int_equal(drain(&f, &staged, NULL), used);
            sl_staging_destroy(f.staging);
        }
        test_memory_check(&f.memory);
        if (!test_memory_has_failed(&f.memory)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

/* ---- reports in place ---- */

static const char *topic_letter(void *owner, uint32_t index) {
    (void)owner;
    static const char *const names[] = {"a", "b", "c"};
    return names[index];
}

/* Tombstones without key are the smallest records: runs of changing length, walked in part, become
 * reports without a byte of memory. */
static void test_chunk_becomes_reports_in_place(void **state) {
    (void)state;
    static const char runs[] = "aaabccabbbbcaccccccccccccccccab";
    for (uint32_t walked = 0; walked <= sizeof runs - 1; walked++) {
        struct fixture f;
        set_up(&f, SL_REPORTS_ALL, 1 << 20);
        bool wake;
        for (size_t i = 0; i < sizeof runs - 1; i++) {
            char topic[2] = {runs[i], '\0'};
            struct sl_staging_input in = {
                .topic = topic, .tag = 100 + i, .flags = SL_STAGED_KEY_NULL | SL_STAGED_VALUE_NULL};
            assert_int_equal(sl_staging_put(f.staging, &in, &wake), 0);
        }
        struct sl_staged staged;
        sl_staging_take(f.staging, 1, true, &staged);
        struct sl_chunk *chunk =
            SL_LIST_OF(sl_list_pop_front(&staged.chunks), struct sl_chunk, node);
        /* Walk some of it, as the batcher does. */
        char last = 0;
        for (uint32_t i = 0; i < walked; i++) {
            if (runs[i] != last) chunk->run_at = chunk->walked;
            last = runs[i];
            chunk->walked += sl_staging_record(chunk, chunk->walked)->size;
        }
        long calls = f.memory.calls;
        struct sl_delivery_sum sum = {0};
        sl_list_init(&sum.values);
        struct sl_delivery *d =
            sl_delivery_from_chunk(chunk, SLUICE_ERR_CLOSED, topic_letter, NULL, &sum);
        assert_int_equal(f.memory.calls, calls);
        assert_int_equal(sum.count, sizeof runs - 1 - walked);
        size_t seen = walked;
        for (struct sl_delivery *it = d; it != NULL; it = it->more) {
            assert_int_equal(it->outcome, SL_OUTCOME_NOT_WRITTEN);
            assert_int_equal(it->code, SLUICE_ERR_CLOSED);
            assert_int_equal(it->partition, -1);
            for (int32_t i = 0; i < it->count; i++, seen++) {
                assert_int_equal(it->topic[0], runs[seen]);
                assert_int_equal(it->tags[i], 100 + seen);
            }
        }
        assert_int_equal(seen, sizeof runs - 1);
        if (d != NULL)
            sl_delivery_destroy(&f.memory.alloc, d);
        else
            sl_staging_chunk_destroy(&f.memory.alloc, chunk);
        tear_down(&f);
    }
}

static void test_delivery_grows(void **state) {
    (void)state;
    for (long n = 1;; n++) {
        struct test_memory memory;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        struct sl_delivery *d = NULL;
        int rv = sl_delivery_create(&memory.alloc, 2, &d);
        if (rv == 0) {
            d->tags[0] = 5;
            d->tags[1] = 6;
            rv = sl_delivery_grow(&memory.alloc, d, 100);
            assert_int_equal(d->tags[1], 6);
            assert_int_equal(d->tag_cap, rv == 0 ? 100 : 2);
            assert_int_equal(sl_delivery_bytes(d), memory.live_bytes);
        }
        sl_delivery_destroy(&memory.alloc, rv == 0 || d != NULL ? d : NULL);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) break;
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

/* Reports that were read wait for core, up to a share of the budget. */
static void test_read_reports_come_back(void **state) {
    (void)state;
    enum { TAGS = 16, FIT = 4 };
    struct fixture f;
    struct sl_staged staged;
    struct sl_list spent;
    struct sl_delivery *d;
    size_t bytes = sizeof *d + TAGS * sizeof(uint64_t);
    set_up(&f, SL_REPORTS_ALL, 64 * (int64_t)(bytes * FIT));
    for (int i = 0; i <= FIT; i++) {
        assert_int_equal(sl_delivery_create(&f.memory.alloc, TAGS, &d), 0);
        sl_list_init(&spent);
        sl_list_push_back(&spent, &d->node);
        assert_int_equal(sl_staging_spend(f.staging, &spent, sl_delivery_bytes(d)), i < FIT);
        assert_int_equal(sl_list_is_empty(&spent), i < FIT);
    }
    sl_staging_take(f.staging, 1, true, &staged);
    assert_int_equal(staged.spent_bytes, bytes * FIT);
    sl_delivery_destroy_all(&f.memory.alloc, &staged.spent);
    assert_true(sl_staging_spend(f.staging, &spent, bytes)); /* and is freed with staging */
    tear_down(&f);
}

static void test_deliveries_are_renewed(void **state) {
    (void)state;
    struct test_memory memory;
    struct sl_delivery *d;
    test_memory_init(&memory);
    assert_int_equal(sl_delivery_create(&memory.alloc, 16, &d), 0);
    d->code = 5;
    d->count = 9;
    assert_true(sl_delivery_is_plain(d));
    assert_false(sl_delivery_renew(d, 17, 100));
    assert_false(sl_delivery_renew(d, 1, 15));
    assert_int_equal(d->count, 9);
    assert_true(sl_delivery_renew(d, 16, 16));
    assert_int_equal(d->code, 0);
    assert_int_equal(d->count, 0);
    assert_int_equal(d->tag_cap, 16);
    assert_int_equal(d->partition, -1);
    sl_delivery_explain(&memory.alloc, d, SL_STR("why"));
    assert_false(sl_delivery_is_plain(d)); /* a text hangs on it */
    sl_delivery_destroy(&memory.alloc, d);
    assert_int_equal(sl_delivery_create(&memory.alloc, 16, &d), 0);
    assert_int_equal(sl_delivery_grow(&memory.alloc, d, 17), 0);
    assert_false(sl_delivery_is_plain(d));
    sl_delivery_destroy(&memory.alloc, d);
    test_memory_check(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_comes_out_as_it_went_in),
        cmocka_unit_test(test_order_is_kept_over_chunks),
        cmocka_unit_test(test_large_values_lie_apart),
        cmocka_unit_test(test_large_key_gets_a_chunk_that_fits),
        cmocka_unit_test(test_destroy_frees_what_is_staged),
        cmocka_unit_test(test_too_big_is_refused_at_once),
        cmocka_unit_test(test_full_budget_asks_for_hurry_and_announces_room),
        cmocka_unit_test(test_core_may_charge_more),
        cmocka_unit_test(test_unread_reports_are_told_apart),
        cmocka_unit_test(test_staging_bound_holds),
        cmocka_unit_test(test_partitions_stretch_the_bound),
        cmocka_unit_test(test_one_wake_a_sleep),
        cmocka_unit_test(test_chunk_threshold),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_chunk_becomes_reports_in_place),
        cmocka_unit_test(test_delivery_grows),
        cmocka_unit_test(test_read_reports_come_back),
        cmocka_unit_test(test_deliveries_are_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
