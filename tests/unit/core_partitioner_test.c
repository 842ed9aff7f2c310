/* Goal: a key lands in the same partition as with the Java client, and records without key go to a
 * partition that can take them. Method: the vectors of the protocol notes, section 5.1, and draws
 * with a seeded generator over topics made by hand. */
#include "support.h"

#include "core/metadata.h"
#include "core/partitioner.h"

struct key_vector {
    const char *key;
    uint32_t size;
    uint32_t hash;
    int32_t of_10;
    int32_t of_12;
};
#define KEY_VECTOR(text, hash, of_10, of_12) \
    { text, sizeof(text) - 1, hash, of_10, of_12 }
static const struct key_vector key_vectors[] = {
    KEY_VECTOR("", 0x106e08d9, 1, 9),
    KEY_VECTOR("a", 0xa2d0b27c, 4, 4),
    KEY_VECTOR("ab", 0x12d8262a, 4, 2),
    KEY_VECTOR("abc", 0x1c94221b, 7, 3),
    KEY_VECTOR("abcd", 0xb11ab5f4, 0, 8),
    KEY_VECTOR("foo", 0x23a256d0, 6, 8),
    KEY_VECTOR("kafka", 0xd067cf64, 0, 4),
    KEY_VECTOR("foobar", 0xd0e47bbe, 6, 6),
    KEY_VECTOR("21", 0xc5f2f8ec, 0, 0),
    KEY_VECTOR("1234", 0x9fc97b14, 0, 0),
    KEY_VECTOR("key-0", 0x01bdb5b9, 1, 1),
    KEY_VECTOR("key-1", 0x0b8601b8, 0, 0),
    KEY_VECTOR("key-2", 0x32cc9a86, 2, 2),
    KEY_VECTOR("a-little-bit-long-string", 0xc53b1da0, 2, 8),
    KEY_VECTOR("a-little-bit-longer-string", 0xa768c9c3, 9, 11),
    KEY_VECTOR("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 0xfc7d49cd, 7, 5),
    KEY_VECTOR("\x80\xff\xfe", 0x30534f55, 5, 1),
    KEY_VECTOR("\xff\xff\xff\xff\xff", 0xea504362, 6, 6),
};

static void test_hashes_and_partitions_are_those_of_java(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof key_vectors / sizeof key_vectors[0]; i++) {
        const struct key_vector *v = &key_vectors[i];
        assert_int_equal(sl_partitioner_murmur2(v->key, v->size), v->hash);
        assert_int_equal(sl_partitioner_of_key(v->key, v->size, 10), v->of_10);
        assert_int_equal(sl_partitioner_of_key(v->key, v->size, 12), v->of_12);
        assert_int_equal(sl_partitioner_of_key(v->key, v->size, 1), 0);
    }
}

/* The hash reads words from any address. */
static void test_hash_needs_no_alignment(void **state) {
    (void)state;
    uint8_t buf[64];
    const char text[] = "a-little-bit-long-string";
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(buf + shift, text, sizeof text);
        assert_int_equal(sl_partitioner_murmur2(buf + shift, sizeof text - 1), 0xc53b1da0);
    }
}

/* ---- records without key ---- */

enum { TEST_PARTITIONS = 8 };
struct sticky_topic {
    struct sl_topic topic;
    struct sl_partition partitions[TEST_PARTITIONS];
    struct sl_partition *places[TEST_PARTITIONS];
};
static void make_sticky_topic(struct sticky_topic *t, int32_t leader) {
    memset(t, 0, sizeof *t);
    t->topic.partitions = t->places;
    t->topic.partition_count = TEST_PARTITIONS;
    for (int32_t i = 0; i < TEST_PARTITIONS; i++) {
        t->partitions[i].index = i;
        t->partitions[i].leader = leader;
        t->places[i] = &t->partitions[i];
    }
}
static void draw_many(struct sticky_topic *t, int counts[TEST_PARTITIONS]) {
    struct sl_rng rng;
    sl_rng_init(&rng, 11);
    memset(counts, 0, TEST_PARTITIONS * sizeof counts[0]);
    for (int i = 0; i < 8000; i++) {
        int32_t p = sl_partitioner_sticky(&rng, &t->topic);
        assert_in_range(p, 0, TEST_PARTITIONS - 1);
        counts[p]++;
    }
}

static void test_choice_is_uniform_when_queues_are_equal(void **state) {
    (void)state;
    struct sticky_topic t;
    int counts[TEST_PARTITIONS];
    make_sticky_topic(&t, 1);
    draw_many(&t, counts);
    for (int i = 0; i < TEST_PARTITIONS; i++) assert_in_range(counts[i], 850, 1150);
}

static void test_longer_queue_gets_less(void **state) {
    (void)state;
    struct sticky_topic t;
    int counts[TEST_PARTITIONS];
    make_sticky_topic(&t, 1);
    t.partitions[3].produce.queued = 4;
    draw_many(&t, counts);
    assert_true(counts[3] > 0);
    assert_true(counts[3] < 300);
    for (int i = 0; i < TEST_PARTITIONS; i++)
        if (i != 3) assert_true(counts[i] > 900);
}

static void test_partitions_without_leader_are_avoided(void **state) {
    (void)state;
    struct sticky_topic t;
    int counts[TEST_PARTITIONS];
    make_sticky_topic(&t, 1);
    for (int i = 0; i < TEST_PARTITIONS / 2; i++) t.partitions[i].leader = -1;
    draw_many(&t, counts);
    int led = 0;
    for (int i = TEST_PARTITIONS / 2; i < TEST_PARTITIONS; i++) led += counts[i];
    assert_true(led >= 7990);
    /* None has a leader: still a valid choice. */
    make_sticky_topic(&t, -1);
    draw_many(&t, counts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes_and_partitions_are_those_of_java),
        cmocka_unit_test(test_hash_needs_no_alignment),
        cmocka_unit_test(test_choice_is_uniform_when_queues_are_equal),
        cmocka_unit_test(test_longer_queue_gets_less),
        cmocka_unit_test(test_partitions_without_leader_are_avoided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
