/* Goal: pointers are sorted, equal ones stay in order, and no input makes it slow.
 * Method: arrays of every small size, drawn from seeds with many equal items, and the classic hard
 * inputs for other sorts; comparisons are counted. */
#include "support.h"

#include "base/rng.h"
#include "base/sort.h"

enum { ITEMS_CAP = 1000 };

struct item {
    int key;
    int place; /* before sorting */
};

static struct item items[ITEMS_CAP];
static const void *pointers[ITEMS_CAP];
static const void *scratch[ITEMS_CAP];
static long comparisons;

static int compare_items(const void *a, const void *b) {
    const struct item *x = a;
    const struct item *y = b;
    comparisons++;
    return (x->key > y->key) - (x->key < y->key);
}

/* Sorts the first count items, of which the keys are set. */
static void check_sorted(int count) {
    long most = 0;
    for (long width = 1; width < count; width *= 2) most += count;
    for (int i = 0; i < count; i++) {
        items[i].place = i;
        pointers[i] = &items[i];
    }
    comparisons = 0;
    sl_sort_pointers(pointers, scratch, (size_t)count, compare_items);
    assert_true(comparisons <= most);
    bool seen[ITEMS_CAP] = {false};
    for (int i = 0; i < count; i++) {
        const struct item *b = pointers[i];
        const struct item *a = i > 0 ? pointers[i - 1] : NULL;
        assert_false(seen[b->place]);
        seen[b->place] = true;
        if (a == NULL) continue;
        assert_true(a->key < b->key || (a->key == b->key && a->place < b->place));
    }
}

static void test_random(void **state) {
    (void)state;
    struct sl_rng rng;
    for (int count = 0; count <= 70; count++) {
        for (uint64_t seed = 0; seed < 50; seed++) {
            sl_rng_init(&rng, seed);
            for (int i = 0; i < count; i++) items[i].key = (int)sl_rng_below(&rng, 1 + seed * 3);
            check_sorted(count);
        }
    }
}

static void test_shapes(void **state) {
    (void)state;
    for (int shape = 0; shape < 5; shape++) {
        for (int i = 0; i < ITEMS_CAP; i++) {
            int rising_then_falling = i < ITEMS_CAP / 2 ? i : ITEMS_CAP - i;
            int keys[] = {i, ITEMS_CAP - i, 7, rising_then_falling, i % 2 * ITEMS_CAP + i};
            items[i].key = keys[shape];
        }
        check_sorted(ITEMS_CAP);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
