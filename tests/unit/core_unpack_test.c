/* Goal: a job decompresses what will be handed out of a slice and nothing else, of every codec; what
 * is damaged, too large or without memory is left to whoever walks the slice.
 * Method: slices of batches of every codec; what is found is compared with what reading each batch
 * by itself gives. */
#include "core/unpack.h"

#include "record/batch_read.h"
#include "unit/slices.h"

enum { MOST = 1 << 20 };

struct fixture {
    struct test_memory memory;
    struct sl_job_tools tools;
    struct sl_unpack *unpack;
    struct answer answer;
};

static void setup(struct fixture *f) {
    memset(f, 0, sizeof *f);
    test_memory_init(&f->memory);
    assert_int_equal(sl_job_tools_init(&f->tools, &f->memory.alloc), 0);
    f->unpack = sl_unpack_create(&f->memory.alloc);
    assert_non_null(f->unpack);
}

static void teardown(struct fixture *f) {
    sl_unpack_destroy(&f->memory.alloc, f->unpack);
    sl_job_tools_deinit(&f->tools);
    test_memory_check(&f->memory);
}

static void unpack_slice(struct fixture *f, const struct sl_slice *slice, size_t cap, size_t most) {
    sl_unpack_aim(f->unpack, slice, cap, most);
    f->unpack->job.run(&f->unpack->job, &f->tools);
    assert_true(f->unpack->job.is_done);
}

/* What is found for the batch at `at` is what reading it gives. Returns whether something is. */
static bool is_found(struct fixture *f, const uint8_t *at) {
    struct sl_batch_info info;
    struct sl_writer scratch;
    const uint8_t *records;
    size_t size, found_size = 0;
    assert_int_equal(sl_batch_read_info(at, SL_RECORD_HEADER_SIZE + DATA_CAP, &info), 0);
    const uint8_t *found = sl_unpack_find(f->unpack, at, &found_size);
    if (found == NULL) return false;
    sl_writer_init(&scratch, &f->memory.alloc);
    assert_int_equal(
        sl_batch_read_records(at, &info, f->tools.codecs, DECODED_CAP, &scratch, &records, &size),
        0);
    assert_int_equal(found_size, size);
    assert_memory_equal(found, records, size);
    sl_writer_deinit(&scratch);
    return true;
}

static void every_codec_is_unpacked(void **state) {
    struct fixture f;
    size_t starts[SL_CODEC_ZSTD + 1];
    (void)state;
    setup(&f);
    for (int codec = SL_CODEC_NONE; codec <= SL_CODEC_ZSTD; codec++) {
        starts[codec] = f.answer.size;
        add_batch(&f.answer, 5 + codec, 1, codec, 0);
    }
    struct sl_slice slice = slice_of(&f.answer, 0);
    for (int round = 0; round < 2; round++) { /* its memory is used again */
        unpack_slice(&f, &slice, DECODED_CAP, MOST);
        for (int codec = SL_CODEC_NONE; codec <= SL_CODEC_ZSTD; codec++)
            assert_int_equal(is_found(&f, f.answer.data + starts[codec]), codec != SL_CODEC_NONE);
    }
    teardown(&f);
}

static void what_is_not_handed_out_is_left(void **state) {
    struct fixture f;
    size_t starts[4];
    (void)state;
    setup(&f);
    starts[0] = f.answer.size;
    add_batch(&f.answer, 5, 1, SL_CODEC_LZ4, 0); /* before the start */
    starts[1] = f.answer.size;
    int64_t undone = f.answer.next;
    add_batch(&f.answer, 5, 1, SL_CODEC_LZ4, SL_RECORD_TRANSACTIONAL);
    starts[2] = f.answer.size;
    add_batch(&f.answer, 1, 1, SL_CODEC_LZ4, SL_RECORD_CONTROL);
    starts[3] = f.answer.size;
    add_batch(&f.answer, 5, 1, SL_CODEC_LZ4, 0);
    struct sl_slice slice = slice_of(&f.answer, 5);
    slice.aborted = &undone;
    slice.aborted_count = 1;
    unpack_slice(&f, &slice, DECODED_CAP, MOST);
    for (int i = 0; i < 4; i++) assert_int_equal(is_found(&f, f.answer.data + starts[i]), i == 3);
    teardown(&f);
}

static void damage_and_size_end_it(void **state) {
    struct fixture f;
    size_t starts[3];
    (void)state;
    setup(&f);
    for (int i = 0; i < 3; i++) {
        starts[i] = f.answer.size;
        add_batch(&f.answer, 50, 1, SL_CODEC_ZSTD, 0);
    }
    struct sl_slice slice = slice_of(&f.answer, 0);
    unpack_slice(&f, &slice, DECODED_CAP, 1); /* with one byte there is enough */
    for (int i = 0; i < 3; i++) assert_int_equal(is_found(&f, f.answer.data + starts[i]), i == 0);
    unpack_slice(&f, &slice, 10, MOST); /* no batch is so small */
    assert_int_equal(f.unpack->count, 0);
    uint8_t *magic = f.answer.data + starts[1] + SL_RECORD_HEADER_SIZE;
    *magic ^= 0xff;
    unpack_slice(&f, &slice, DECODED_CAP, MOST);
    *magic ^= 0xff;
    for (int i = 0; i < 3; i++) assert_int_equal(is_found(&f, f.answer.data + starts[i]), i == 0);
    teardown(&f);
}

static void without_memory_it_has_less(void **state) {
    struct fixture f;
    size_t starts[20];
    (void)state;
    setup(&f);
    for (int i = 0; i < 20; i++) {
        starts[i] = f.answer.size;
        add_batch(&f.answer, 20, 1, SL_CODEC_SNAPPY, 0);
    }
    struct sl_slice slice = slice_of(&f.answer, 0);
    for (int64_t fail = 1;; fail++) {
        sl_unpack_destroy(&f.memory.alloc, f.unpack);
        f.unpack = sl_unpack_create(&f.memory.alloc);
        test_memory_fail_at(&f.memory, fail);
        unpack_slice(&f, &slice, DECODED_CAP, MOST);
        test_memory_fail_at(&f.memory, 0);
        int found = 0;
        while (found < 20 && is_found(&f, f.answer.data + starts[found])) found++;
        assert_int_equal(f.unpack->count, found);
        if (found == 20) break;
        assert_true(fail < 1000);
    }
    assert_true(sl_unpack_bytes(f.unpack) > (int64_t)f.unpack->records.size);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_is_unpacked),
        cmocka_unit_test(what_is_not_handed_out_is_left),
        cmocka_unit_test(damage_and_size_end_it),
        cmocka_unit_test(without_memory_it_has_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
