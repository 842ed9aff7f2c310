/* Goal: every way of walking a batch hands out the same records, exactly those that the slices
 * promise; damage ends the part it is in and nothing else; memory may fail anywhere.
 * Method: batches are written by record/batch_write, cut into slices as core would, built and
 * walked without a client. Damage is one wrong byte; checksums are core's business. */
#include "api/batch_build.h"

#include "core/unpack.h"
#include "sluice/consumer.h"
#include "unit/slices.h"

/* Two partitions, all codecs; the first begins in the middle of its first batch. */
struct fixture {
    struct answer first;
    struct answer second;
    struct sl_slice slices[2];
    struct sl_compress *codecs;
    sluice_batch *batch;
};
enum { FIRST_FROM = 4, FIRST_NEXT = 10 + 6 + 5, SECOND_BASE = 100, SECOND_COUNT = 20 + 3 };
enum { VISIBLE = FIRST_NEXT - FIRST_FROM + SECOND_COUNT };

static void make_fixture(struct fixture *f) {
    memset(f, 0, sizeof *f);
    add_batch(&f->first, 10, 1, SL_CODEC_LZ4, 0);
    add_batch(&f->first, 6, 1, SL_CODEC_NONE, 0);
    add_batch(&f->first, 5, 1, SL_CODEC_ZSTD, 0);
    f->second.next = SECOND_BASE;
    add_batch(&f->second, 20, 1, SL_CODEC_GZIP, 0);
    add_batch(&f->second, 3, 1, SL_CODEC_SNAPPY, 0);
    f->slices[0] = slice_of(&f->first, FIRST_FROM);
    f->slices[1] = slice_of(&f->second, SECOND_BASE);
}

static int build_fixture(struct fixture *f, const struct sl_alloc *alloc) {
    struct sl_batch_damage damage;
    int rv = sl_batch_build_create(alloc, 2, &f->batch);
    if (rv != 0) return rv;
    rv = sl_batch_build_add(f->batch, &f->slices[0], "one", 3, &f->codecs, DECODED_CAP, &damage);
    if (rv == 0)
        rv =
            sl_batch_build_add(f->batch, &f->slices[1], "two", 0, &f->codecs, DECODED_CAP, &damage);
    if (rv == 0) sl_batch_build_end(f->batch);
    if (rv != 0) sl_batch_build_destroy(f->batch);
    return rv;
}

static void free_fixture(struct fixture *f) {
    sluice_batch_free(f->batch);
    if (f->codecs != NULL) sl_compress_destroy(f->codecs);
}

/* Asserts that the view is record number n of the fixture. */
static void check_view(const sluice_view *v, int n) {
    char value[32];
    int first_count = FIRST_NEXT - FIRST_FROM;
    bool is_first = n < first_count;
    int64_t offset = is_first ? FIRST_FROM + n : SECOND_BASE + n - first_count;
    snprintf(value, sizeof value, "value-%lld", (long long)offset);
    assert_int_equal(v->offset, offset);
    assert_string_equal(v->topic, is_first ? "one" : "two");
    assert_int_equal(v->partition, is_first ? 3 : 0);
    assert_int_equal(v->slice, is_first ? 0 : 1);
    assert_int_equal(v->index, is_first ? n : n - first_count);
    assert_int_equal(v->value_size, strlen(value));
    assert_memory_equal(v->value, value, v->value_size);
    if (offset % 2 == 0)
        assert_memory_equal(v->key, "key", 3);
    else
        assert_null(v->key);
    sluice_header h;
    assert_int_equal(v->header_count, offset % 3 == 0 ? 1 : 0);
    assert_int_equal(sluice_headers_find(v->headers, v->headers_size, "trace", &h),
                     v->header_count);
}

static void next_hands_out_every_record(void **unused) {
    struct fixture f;
    sluice_view v;
    (void)unused;
    make_fixture(&f);
    assert_int_equal(build_fixture(&f, sl_alloc_default()), 0);
    assert_int_equal(sluice_batch_count(f.batch), VISIBLE);
    for (int round = 0; round < 2; round++) {
        int n = 0;
        while (sluice_batch_next(f.batch, &v, sizeof v) == 1) check_view(&v, n++);
        assert_int_equal(n, VISIBLE);
        assert_int_equal(sluice_batch_next(f.batch, &v, sizeof v), 0);
        sluice_batch_rewind(f.batch);
    }
    free_fixture(&f);
}

/* What was decompressed ahead is handed out as it is, and the rest is decompressed here. */
static void next_hands_out_what_was_unpacked(void **unused) {
    struct fixture f;
    struct sl_job_tools tools;
    sluice_view v;
    (void)unused;
    assert_int_equal(sl_job_tools_init(&tools, sl_alloc_default()), 0);
    for (size_t most = 1; most < 1024; most *= 2) {
        struct sl_unpack *unpacks[2];
        int n = 0;
        make_fixture(&f);
        for (int i = 0; i < 2; i++) {
            unpacks[i] = sl_unpack_create(sl_alloc_default());
            assert_non_null(unpacks[i]);
            sl_unpack_aim(unpacks[i], &f.slices[i], DECODED_CAP, most);
            unpacks[i]->job.run(&unpacks[i]->job, &tools);
            assert_true(unpacks[i]->count > 0);
            f.slices[i].unpack = unpacks[i];
        }
        assert_int_equal(build_fixture(&f, sl_alloc_default()), 0);
        const uint8_t *ahead = unpacks[0]->records.data;
        const uint8_t *first = f.batch->pieces[0].records;
        assert_true(first >= ahead && first < ahead + unpacks[0]->records.size);
        while (sluice_batch_next(f.batch, &v, sizeof v) == 1) check_view(&v, n++);
        assert_int_equal(n, VISIBLE);
        free_fixture(&f);
        for (int i = 0; i < 2; i++) sl_unpack_destroy(sl_alloc_default(), unpacks[i]);
    }
    sl_job_tools_deinit(&tools);
}

static void read_and_pack_agree_with_next(void **unused) {
    struct fixture f;
    sluice_view views[7];
    sluice_row rows[5];
    char data[64];
    size_t used;
    int n = 0;
    int32_t got;
    (void)unused;
    make_fixture(&f);
    assert_int_equal(build_fixture(&f, sl_alloc_default()), 0);
    while ((got = sluice_batch_read(f.batch, views, sizeof views[0], 7)) > 0)
        for (int32_t i = 0; i < got; i++) check_view(&views[i], n++);
    assert_int_equal(got, 0);
    assert_int_equal(n, VISIBLE);
    sluice_batch_rewind(f.batch);
    n = 0;
    while ((got = sluice_batch_pack(f.batch, data, sizeof data, rows, 5, &used)) > 0) {
        assert_true(used <= sizeof data);
        for (int32_t i = 0; i < got; i++, n++) {
            sluice_view v = {.offset = rows[i].offset,
                             .topic = rows[i].slice == 0 ? "one" : "two",
                             .key = rows[i].key_size < 0 ? NULL : data + rows[i].key_at,
                             .value = data + rows[i].value_at,
                             .value_size = (size_t)rows[i].value_size,
                             .headers = data + rows[i].headers_at,
                             .headers_size = (size_t)rows[i].headers_size,
                             .header_count = rows[i].header_count,
                             .partition = rows[i].slice == 0 ? 3 : 0,
                             .slice = rows[i].slice,
                             .index = rows[i].slice == 0 ? n : n - (FIRST_NEXT - FIRST_FROM)};
            check_view(&v, n);
        }
    }
    assert_int_equal(got, 0);
    assert_int_equal(n, VISIBLE);
    free_fixture(&f);
}

static void pack_says_how_much_it_needs(void **unused) {
    struct fixture f;
    sluice_row rows[4];
    char data[64];
    size_t used;
    (void)unused;
    make_fixture(&f);
    assert_int_equal(build_fixture(&f, sl_alloc_default()), 0);
    assert_int_equal(sluice_batch_pack(f.batch, data, 2, rows, 4, &used), SLUICE_ERR_TOO_BIG);
    assert_int_equal(used, strlen("keyvalue-4"));
    sl_batch_build_note(f.batch);
    assert_int_equal(f.batch->parts[0].handed, 0); /* it comes again */
    assert_int_equal(sluice_batch_pack(f.batch, data, used, rows, 4, &used), 1);
    assert_int_equal(rows[0].offset, FIRST_FROM);
    sl_batch_build_note(f.batch);
    assert_int_equal(f.batch->parts[0].handed, 1);
    assert_int_equal(sluice_batch_pack(f.batch, data, 3, rows, 4, &used), SLUICE_ERR_TOO_BIG);
    assert_int_equal(sluice_batch_finish(f.batch), SLUICE_ERR_TOO_BIG);
    sl_compress_destroy(f.codecs);
}

static void slices_tell_where_they_stand(void **unused) {
    struct fixture f;
    sluice_slice s;
    (void)unused;
    make_fixture(&f);
    f.slices[1].high_watermark = f.slices[1].end = f.second.next + 1;
    assert_int_equal(build_fixture(&f, sl_alloc_default()), 0);
    assert_int_equal(sluice_batch_slice(f.batch, 0, &s, sizeof s), 1);
    assert_string_equal(s.topic, "one");
    assert_int_equal(s.count, FIRST_NEXT - FIRST_FROM);
    assert_int_equal(s.first_offset, FIRST_FROM);
    assert_int_equal(s.next_offset, FIRST_NEXT);
    assert_int_equal(s.at_end, 1);
    assert_int_equal(s.leader_epoch, 7);
    assert_int_equal(sluice_batch_slice(f.batch, 1, &s, sizeof s), 1);
    assert_int_equal(s.at_end, 0);
    assert_int_equal(sluice_batch_slice(f.batch, 2, &s, sizeof s), 0);
    assert_int_equal(sluice_batch_slice(NULL, 0, &s, sizeof s), 0);
    assert_int_equal(sluice_batch_slice(f.batch, -1, &s, sizeof s), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_slice(f.batch, 0, &s, sizeof s - 1), SLUICE_ERR_USAGE);
    free_fixture(&f);
}

/* Compaction leaves holes; where a count ends has to be looked up by walking. */
static void offsets_of_counts_are_right_with_holes(void **unused) {
    struct answer a = {.next = 50};
    struct sl_compress *codecs = NULL;
    struct sl_batch_damage damage;
    sluice_batch *batch;
    int32_t epoch;
    (void)unused;
    add_batch(&a, 5, 3, SL_CODEC_NONE, 0); /* 50 53 56 59 62, next 65 */
    add_batch(&a, 4, 1, SL_CODEC_NONE, 0); /* 65 … 68 */
    struct sl_slice slice = slice_of(&a, 54);
    assert_int_equal(sl_batch_build_create(sl_alloc_default(), 1, &batch), 0);
    assert_int_equal(sl_batch_build_add(batch, &slice, "t", 0, &codecs, DECODED_CAP, &damage), 0);
    sl_batch_build_end(batch);
    static const int64_t ends[] = {54, 57, 60, 63, 66, 67, 68, 69};
    assert_int_equal(sluice_batch_count(batch), 7);
    for (int32_t i = 0; i <= 7; i++) {
        assert_int_equal(sl_batch_build_offset(batch, &batch->parts[0], i, &epoch), ends[i]);
        assert_int_equal(epoch, i == 0 ? -1 : 7);
    }
    assert_int_equal(sluice_batch_mark(batch, 0, 8), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_mark(batch, 0, -2), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_mark(batch, 1, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_mark(batch, 0, -1), 0);
    sluice_batch_free(batch);
}

/* Where enough is unpacked the part ends behind a batch, and the rest makes another part. */
static void a_full_batch_ends_its_part(void **unused) {
    (void)unused;
    struct fixture f;
    struct sl_batch_damage damage;
    make_fixture(&f);
    struct sl_slice slice = f.slices[0];
    int records = 0, parts = 0;
    while (slice.size > 0) {
        sluice_batch *batch;
        sluice_view v;
        assert_int_equal(sl_batch_build_create(sl_alloc_default(), 2, &batch), 0);
        batch->scratch_most = 1;
        assert_int_equal(
            sl_batch_build_add(batch, &slice, "one", 3, &f.codecs, DECODED_CAP, &damage), 0);
        const struct sl_batch_part *part = &batch->parts[0];
        assert_true(part->taken > 0);
        sl_batch_build_end(batch);
        while (sluice_batch_next(batch, &v, sizeof v) == 1) {
            assert_int_equal(v.offset, FIRST_FROM + records);
            records++;
        }
        assert_int_equal(part->next_offset, FIRST_FROM + records);
        assert_int_equal(part->at_end, part->taken == slice.size);
        slice.data += part->taken;
        slice.size -= part->taken;
        slice.from = part->next_offset;
        parts++;
        sluice_batch_free(batch);
    }
    assert_int_equal(records, FIRST_NEXT - FIRST_FROM);
    assert_int_equal(parts, 2); /* what is not compressed costs nothing */
    if (f.codecs != NULL) sl_compress_destroy(f.codecs);
}

/* A part that is taken out again leaves nothing. */
static void a_part_may_be_undone(void **unused) {
    (void)unused;
    struct fixture f;
    struct sl_batch_damage damage;
    make_fixture(&f);
    assert_int_equal(build_fixture(&f, sl_alloc_default()), 0);
    size_t scratch = f.batch->scratch.size;
    sl_batch_build_undo(f.batch);
    assert_int_equal(f.batch->count, FIRST_NEXT - FIRST_FROM);
    assert_true(f.batch->scratch.size < scratch);
    assert_int_equal(
        sl_batch_build_add(f.batch, &f.slices[1], "two", 0, &f.codecs, DECODED_CAP, &damage), 0);
    sl_batch_build_end(f.batch);
    assert_int_equal(f.batch->scratch.size, scratch);
    sluice_view v;
    int n = 0;
    while (sluice_batch_next(f.batch, &v, sizeof v) == 1) check_view(&v, n++);
    assert_int_equal(n, VISIBLE);
    free_fixture(&f);
}

static void control_batches_are_not_seen(void **unused) {
    struct answer a = {0};
    struct sl_compress *codecs = NULL;
    struct sl_batch_damage damage;
    sluice_batch *batch;
    sluice_view v;
    (void)unused;
    add_batch(&a, 2, 1, SL_CODEC_NONE, SL_RECORD_TRANSACTIONAL);
    add_batch(&a, 1, 1, SL_CODEC_NONE, SL_RECORD_TRANSACTIONAL | SL_RECORD_CONTROL);
    struct sl_slice slice = slice_of(&a, 0);
    assert_int_equal(sl_batch_build_create(sl_alloc_default(), 1, &batch), 0);
    assert_int_equal(sl_batch_build_add(batch, &slice, "t", 0, &codecs, DECODED_CAP, &damage), 0);
    sl_batch_build_end(batch);
    assert_int_equal(sluice_batch_count(batch), 2);
    assert_int_equal(sluice_batch_next(batch, &v, sizeof v), 1);
    assert_int_equal(sluice_batch_next(batch, &v, sizeof v), 1);
    assert_int_equal(sluice_batch_next(batch, &v, sizeof v), 0);
    assert_int_equal(batch->parts[0].next_offset, 3);
    sluice_batch_free(batch);
}

/* Damage that building finds: what is before it is handed out, and its offset is told. */
static void damage_ends_the_part_it_is_in(void **unused) {
    static const struct {
        int codec;
        uint8_t magic;
        size_t cap;
        int code;
    } cases[] = {
        {SL_CODEC_ZSTD, 2, DECODED_CAP, SLUICE_ERR_MALFORMED}, /* and the frame is damaged */
        {SL_CODEC_NONE, 1, DECODED_CAP, SLUICE_ERR_UNSUPPORTED},
        {SL_CODEC_LZ4, 2, 40, SLUICE_ERR_TOO_BIG},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer a = {.next = 10};
        struct sl_compress *codecs = NULL;
        struct sl_batch_damage damage;
        sluice_batch *batch;
        add_batch(&a, 4, 1, SL_CODEC_NONE, 0);
        uint8_t *bad = a.data + a.size;
        add_batch(&a, 6, 1, cases[i].codec, 0);
        bad[SL_RECORD_MAGIC] = cases[i].magic;
        if (cases[i].code == SLUICE_ERR_MALFORMED) bad[SL_RECORD_HEADER_SIZE] ^= 0xff;
        struct sl_slice slice = slice_of(&a, 10);
        assert_int_equal(sl_batch_build_create(sl_alloc_default(), 1, &batch), 0);
        assert_int_equal(sl_batch_build_add(batch, &slice, "t", 0, &codecs, cases[i].cap, &damage),
                         cases[i].code);
        assert_int_equal(damage.offset, 14);
        assert_non_null(damage.what);
        sl_batch_build_end(batch);
        assert_int_equal(sluice_batch_count(batch), 4);
        assert_int_equal(batch->parts[0].next_offset, 14);
        sluice_batch_free(batch);
        if (codecs != NULL) sl_compress_destroy(codecs);
    }
}

static void a_damaged_record_ends_the_walk(void **unused) {
    struct answer a = {.next = 10};
    struct sl_compress *codecs = NULL;
    struct sl_batch_damage damage;
    sluice_batch *batch;
    sluice_view views[8];
    (void)unused;
    add_batch(&a, 4, 1, SL_CODEC_NONE, 0);
    uint8_t *bad = a.data + a.size;
    add_batch(&a, 4, 1, SL_CODEC_NONE, 0);
    bad[SL_RECORD_HEADER_SIZE] = 1; /* the length of its first record: -1 */
    struct sl_slice slice = slice_of(&a, 10);
    assert_int_equal(sl_batch_build_create(sl_alloc_default(), 1, &batch), 0);
    assert_int_equal(sl_batch_build_add(batch, &slice, "t", 0, &codecs, DECODED_CAP, &damage), 0);
    sl_batch_build_end(batch);
    assert_int_equal(sluice_batch_read(batch, views, sizeof views[0], 8), 4);
    assert_int_equal(sluice_batch_read(batch, views, sizeof views[0], 8), SLUICE_ERR_MALFORMED);
    assert_int_equal(sluice_batch_next(batch, views, sizeof views[0]), SLUICE_ERR_MALFORMED);
    sl_batch_build_note(batch);
    assert_int_equal(batch->parts[0].handed, 4);
    assert_int_equal(sluice_batch_finish(batch), SLUICE_ERR_MALFORMED);
}

static void every_allocation_may_fail(void **unused) {
    (void)unused;
    for (long n = 1;; n++) {
        struct fixture f;
        struct test_memory memory;
        make_fixture(&f);
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        int rv = build_fixture(&f, &memory.alloc);
        if (rv == 0) {
            sluice_view v;
            int count = 0;
            while (sluice_batch_next(f.batch, &v, sizeof v) == 1) check_view(&v, count++);
            assert_int_equal(count, VISIBLE);
            sluice_batch_free(f.batch);
        }
        if (f.codecs != NULL) sl_compress_destroy(f.codecs);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) {
            assert_int_equal(rv, 0);
            break;
        }
        assert_true(rv == 0 || rv == SLUICE_ERR_NOMEM);
    }
}

static void wrong_arguments_are_refused(void **unused) {
    struct fixture f;
    sluice_view v;
    sluice_row row;
    size_t used;
    (void)unused;
    assert_int_equal(sluice_batch_count(NULL), 0);
    assert_int_equal(sluice_batch_next(NULL, &v, sizeof v), 0);
    assert_int_equal(sluice_batch_finish(NULL), 0);
    assert_int_equal(sluice_batch_retry(NULL), 0);
    assert_int_equal(sluice_batch_mark(NULL, 0, 0), SLUICE_ERR_USAGE);
    sluice_batch_free(NULL);
    sluice_batch_rewind(NULL);
    make_fixture(&f);
    assert_int_equal(build_fixture(&f, sl_alloc_default()), 0);
    assert_int_equal(sluice_batch_next(f.batch, NULL, sizeof v), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_next(f.batch, &v, sizeof v - 8), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_read(f.batch, &v, sizeof v, 0), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_pack(f.batch, NULL, 8, &row, 1, &used), SLUICE_ERR_USAGE);
    assert_int_equal(sluice_batch_pack(f.batch, &v, 8, &row, 1, NULL), SLUICE_ERR_USAGE);
    free_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_hands_out_every_record),
        cmocka_unit_test(next_hands_out_what_was_unpacked),
        cmocka_unit_test(read_and_pack_agree_with_next),
        cmocka_unit_test(pack_says_how_much_it_needs),
        cmocka_unit_test(slices_tell_where_they_stand),
        cmocka_unit_test(offsets_of_counts_are_right_with_holes),
        cmocka_unit_test(a_full_batch_ends_its_part),
        cmocka_unit_test(a_part_may_be_undone),
        cmocka_unit_test(control_batches_are_not_seen),
        cmocka_unit_test(damage_ends_the_part_it_is_in),
        cmocka_unit_test(a_damaged_record_ends_the_walk),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
