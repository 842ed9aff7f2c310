/* Goal: every assignor gives what Java's gives, in the cases that their rules name; members are
 * read from what they sent and written as Java's are.
 * Method: plans that the Java client's classes were seen to make; cases worked out by hand from the
 * rules, racks among them; bytes of the consumer protocol both ways; every allocation failed. */
#include "core_assignor.h"

#include "base/text.h"

/* ---- names ---- */

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *name, *java;
        bool is_cooperative;
    } cases[] = {
        {"range", "RangeAssignor", false},
        {"roundrobin", "RoundRobinAssignor", false},
        {"sticky", "StickyAssignor", false},
        {"cooperative-sticky", "CooperativeStickyAssignor", true},
    };
    for (int i = 0; i < 4; i++) {
        char java[100];
        const struct sl_assignor *a = sl_assignor_at(i + 1);
        assert_string_equal(sl_assignor_name(a), cases[i].name);
        assert_int_equal(sl_assignor_is_cooperative(a), cases[i].is_cooperative);
        assert_ptr_equal(sl_assignor_find(sl_bytes_str(cases[i].name)), a);
        snprintf(java, sizeof java, "org.apache.kafka.clients.consumer.%s", cases[i].java);
        assert_ptr_equal(sl_assignor_find(sl_bytes_str(java)), a);
        assert_null(sl_assignor_find(sl_bytes_str(cases[i].java)));
    }
    assert_null(sl_assignor_at(0));
    assert_null(sl_assignor_at(5));
    assert_null(sl_assignor_find(SL_STR_NULL));
    assert_null(sl_assignor_find(SL_STR("")));
    assert_null(sl_assignor_find(SL_STR("org.apache.kafka.clients.consumer.")));
    assert_null(sl_assignor_find(SL_STR("uniform")));
}

/* ---- plans that Java makes ---- */

static void test_two_topics(void **state) {
    (void)state;
    static const char fair[] = "c0 t0 0 2, t1 1; c1 t0 1, t1 0 2";
    struct group *g = group_start();
    group_topic(g, "t0", 3);
    group_topic(g, "t1", 3);
    group_member(g, "c0", "t0 t1");
    group_member(g, "c1", "t0 t1");
    group_expect(g, "range", "c0 t0 0 1, t1 0 1; c1 t0 2, t1 2");
    group_expect(g, "roundrobin", fair);
    group_expect(g, "sticky", fair);
    group_expect(g, "cooperative-sticky", fair);
    group_end(g);
}

static void test_one_topic(void **state) {
    (void)state;
    static const char in_turn[] = "c0 t0 0 3 6; c1 t0 1 4; c2 t0 2 5";
    struct group *g = group_start();
    group_topic(g, "t0", 7);
    group_member(g, "c0", "t0");
    group_member(g, "c1", "t0");
    group_member(g, "c2", "t0");
    group_expect(g, "range", "c0 t0 0 1 2; c1 t0 3 4; c2 t0 5 6");
    group_expect(g, "roundrobin", in_turn);
    group_expect(g, "sticky", in_turn);
    group_expect(g, "cooperative-sticky", in_turn);
    group_end(g);
}

static void test_unequal_subscriptions(void **state) {
    (void)state;
    static const char least_choice[] = "c0 t0 0; c1 t1 0 1; c2 t2 0 1 2";
    struct group *g = group_start();
    group_topic(g, "t0", 1);
    group_topic(g, "t1", 2);
    group_topic(g, "t2", 3);
    group_member(g, "c0", "t0");
    group_member(g, "c1", "t0 t1");
    group_member(g, "c2", "t0 t1 t2");
    group_expect(g, "range", "c0 t0 0; c1 t1 0; c2 t1 1, t2 0 1 2");
    group_expect(g, "roundrobin", "c0 t0 0; c1 t1 0; c2 t1 1, t2 0 1 2");
    group_expect(g, "cooperative-sticky", least_choice);
    group_expect(g, "sticky", least_choice);
    group_end(g);
}

static void test_fewer_partitions_than_members(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 2);
    group_member(g, "c0", "t0");
    group_member(g, "c1", "t0");
    group_member(g, "c2", "t0");
    group_expect(g, "range", "c0 t0 0; c1 t0 1; c2");
    group_expect(g, "roundrobin", "c0 t0 0; c1 t0 1; c2");
    group_expect(g, "sticky", "c0 t0 0; c1 t0 1; c2");
    group_end(g);
}

/* Members with an instance id go first, by it. */
static void test_static_members(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 3);
    group_member(g, "zz", "t0")->instance_id = SL_STR("i1");
    group_member(g, "yy", "t0")->instance_id = SL_STR("i2");
    group_member(g, "aa", "t0");
    group_expect(g, "range", "zz t0 0; yy t0 1; aa t0 2");
    group_expect(g, "roundrobin", "zz t0 0; yy t0 1; aa t0 2");
    group_expect(g, "sticky", "zz t0 2; yy t0 1; aa t0 0");
    group_end(g);
}

/* A new member gets what the old one gives up, a round later. */
static void test_cooperative_rounds(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 4);
    struct sl_assignor_member *c0 = group_member(g, "c0", "t0");
    group_owned(g, c0, 1, "t0 0 1 2 3");
    group_member(g, "c1", "t0");
    group_expect(g, "cooperative-sticky", "c0 t0 0 1; c1");
    group_expect(g, "sticky", "c0 t0 0 1; c1 t0 2 3");
    group_owned(g, c0, 2, "t0 0 1");
    group_expect(g, "cooperative-sticky", "c0 t0 0 1; c1 t0 2 3");
    group_end(g);
}

static void test_member_left(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 6);
    group_owned(g, group_member(g, "c0", "t0"), 5, "t0 0 3");
    group_owned(g, group_member(g, "c1", "t0"), 5, "t0 1 4");
    group_expect(g, "cooperative-sticky", "c0 t0 0 2 3; c1 t0 1 4 5");
    group_end(g);
}

static void test_member_came(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 5);
    group_owned(g, group_member(g, "c0", "t0"), 5, "t0 0 1 2");
    group_owned(g, group_member(g, "c1", "t0"), 5, "t0 3 4");
    group_member(g, "c2", "t0");
    group_expect(g, "cooperative-sticky", "c0 t0 0 1; c1 t0 3 4; c2");
    group_expect(g, "sticky", "c0 t0 0 1; c1 t0 3 4; c2 t0 2");
    group_end(g);
}

/* ---- claims ---- */

/* Two members of the same generation that own the same: nobody is believed, and both may be
 * reading it, so it is withheld. */
static void test_claimed_twice(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 2);
    struct sl_assignor_member *c0 = group_member(g, "c0", "t0");
    group_owned(g, c0, 5, "t0 0");
    struct sl_assignor_member *c1 = group_member(g, "c1", "t0");
    group_owned(g, c1, 5, "t0 0 1");
    group_expect(g, "cooperative-sticky", "c0; c1 t0 1");
    group_expect(g, "sticky", "c0 t0 0; c1 t0 1");
    group_owned(g, c0, 6, "t0 0");
    group_expect(g, "cooperative-sticky", "c0 t0 0; c1 t0 1");
    group_owned(g, c0, 4, "t0 0");
    group_expect(g, "cooperative-sticky", "c0; c1 t0 0");
    group_end(g);
}

/* The latest generation counts even if two others agree to differ; none at all is the oldest. */
static void test_generations(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 3);
    group_owned(g, group_member(g, "c0", "t0"), 5, "t0 2");
    group_owned(g, group_member(g, "c1", "t0"), 5, "t0 2");
    struct sl_assignor_member *c2 = group_member(g, "c2", "t0");
    group_owned(g, c2, 6, "t0 2");
    group_expect(g, "cooperative-sticky", "c0 t0 0; c1 t0 1; c2 t0 2");
    group_owned(g, c2, -1, "t0 2");
    group_expect(g, "cooperative-sticky", "c0 t0 0; c1 t0 1; c2");
    group_owned(g, &g->members[0], -1, "t0 2");
    group_expect(g, "cooperative-sticky", "c0 t0 0; c1 t0 2; c2 t0 1");
    group_owned(g, &g->members[1], -7, "t0 2"); /* as good as -1 */
    group_expect(g, "sticky", "c0 t0 0; c1 t0 1; c2 t0 2");
    group_end(g);
}

/* Whatever members say that they own: only what exists counts, and each once. */
static void test_claims_of_nonsense(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 2);
    group_owned(g, group_member(g, "c0", "t0"), 5,
                "t0 -1 2 1 1 2147483647 -2147483648, t9 0, t0 1");
    group_owned(g, group_member(g, "c1", "t0"), 5, "");
    group_expect(g, "cooperative-sticky", "c0 t0 1; c1 t0 0");
    group_end(g);
}

/* With a topic less, what was owned of it is free for others, once its owner has let go of it. */
static void test_subscription_shrinks(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", 2);
    group_topic(g, "t1", 2);
    group_owned(g, group_member(g, "c0", "t0"), 5, "t0 0, t1 0");
    group_owned(g, group_member(g, "c1", "t0 t1"), 5, "t0 1, t1 1");
    group_expect(g, "cooperative-sticky", "c0 t0 0; c1 t1 1");
    group_expect(g, "sticky", "c0 t0 0 1; c1 t1 0 1");
    group_end(g);
}

/* ---- odd groups ---- */

static void test_odd_groups(void **state) {
    (void)state;
    static const char *const all[] = {"range", "roundrobin", "sticky", "cooperative-sticky"};
    for (size_t i = 0; i < 4; i++) {
        struct group *g = group_start();
        group_expect(g, all[i], ""); /* nobody, nothing */
        group_topic(g, "t0", 3);
        group_expect(g, all[i], "");
        group_member(g, "c0", "");
        group_expect(g, all[i], "c0");
        group_member(g, "c1", "t7"); /* a topic that does not exist */
        group_expect(g, all[i], "c0; c1");
        group_topic(g, "t7", 0); /* or has no partitions */
        group_expect(g, all[i], "c0; c1");
        group_topic(g, "t8", -1);
        group_member(g, "c2", "t8 t0 t0 t7 t0"); /* the same one more than once */
        group_expect(g, all[i], "c0; c1; c2 t0 0 1 2");
        group_topic(g, "t0", 5); /* listed twice: the first counts */
        group_expect(g, all[i], "c0; c1; c2 t0 0 1 2");
        group_end(g);
    }
}

static void test_too_many_partitions(void **state) {
    (void)state;
    struct group *g = group_start();
    group_topic(g, "t0", INT32_MAX);
    group_topic(g, "t1", 1);
    group_member(g, "c0", "t0 t1");
    assert_int_equal(group_assign(g, "range"), SLUICE_ERR_NOMEM);
    group_end(g);
}

/* ---- racks ---- */

/* Three members in three racks; with one replica each, all partitions are near. */
static void test_racks_of_one_topic(void **state) {
    (void)state;
    struct group *g = group_start();
    struct sl_assignor_topic *t = group_topic(g, "t0", 6);
    group_racks(g, t, "a, b, c, a, b, c");
    group_member(g, "c0", "t0")->rack_id = SL_STR("c");
    group_member(g, "c1", "t0")->rack_id = SL_STR("a");
    group_member(g, "c2", "t0")->rack_id = SL_STR("b");
    group_expect(g, "range", "c0 t0 2 5; c1 t0 0 3; c2 t0 1 4");
    /* Balance goes before racks: what a member has too much of is the others'. */
    group_racks(g, t, "c, c, c, c, b, a");
    group_expect(g, "range", "c0 t0 0 1; c1 t0 2 5; c2 t0 3 4");
    /* Where every partition is in every rack there is nothing to gain. */
    group_racks(g, t, "a b c, b a c, c b a, a b c, a b c, c a b");
    group_expect(g, "range", "c0 t0 0 1; c1 t0 2 3; c2 t0 4 5");
    /* And nothing where no member is in any of the racks. */
    group_racks(g, t, "x, y, z, x, y, z");
    group_expect(g, "range", "c0 t0 0 1; c1 t0 2 3; c2 t0 4 5");
    group_end(g);
}

/* The one that gets one more is the first that finds enough in its rack. */
static void test_racks_and_the_rest(void **state) {
    (void)state;
    struct group *g = group_start();
    struct sl_assignor_topic *t = group_topic(g, "t0", 5);
    group_racks(g, t, "b, b, b, a, b");
    group_member(g, "c0", "t0")->rack_id = SL_STR("a");
    group_member(g, "c1", "t0")->rack_id = SL_STR("b");
    group_expect(g, "range", "c0 t0 3 4; c1 t0 0 1 2");
    /* Without a rack any will do, with an unknown one none. */
    g->members[0].rack_id = SL_STR_NULL;
    group_expect(g, "range", "c0 t0 0 1 2; c1 t0 3 4");
    g->members[0].rack_id = SL_STR("elsewhere");
    group_expect(g, "range", "c0 t0 3 4; c1 t0 0 1 2");
    group_end(g);
}

/* Topics with the same members and number of partitions stay together, racks or not. */
static void test_racks_of_topics_together(void **state) {
    (void)state;
    struct group *g = group_start();
    group_racks(g, group_topic(g, "t0", 4), "a, b, a, b");
    group_racks(g, group_topic(g, "t1", 4), "a, b, a, b");
    group_member(g, "c0", "t0 t1")->rack_id = SL_STR("b");
    group_member(g, "c1", "t0 t1")->rack_id = SL_STR("a");
    group_expect(g, "range", "c0 t0 1 3, t1 1 3; c1 t0 0 2, t1 0 2");
    /* Where the topics' racks differ, only what is near in both is matched. */
    group_racks(g, &g->topics[1], "b, b, a, a");
    group_expect(g, "range", "c0 t0 0 1, t1 0 1; c1 t0 2 3, t1 2 3");
    /* A topic with another number of partitions is for itself. */
    group_racks(g, group_topic(g, "t2", 2), "a, b");
    g->members[0].topics = g->members[1].topics = group_words(g, "t0 t1 t2");
    group_expect(g, "range", "c0 t0 0 1, t1 0 1, t2 1; c1 t0 2 3, t1 2 3, t2 0");
    group_end(g);
}

/* Partitions that are all in the same racks decide nothing, also where a member is in none of them;
 * topics that go together are matched even so, once racks decide something in any topic. */
static void test_racks_that_are_all_alike(void **state) {
    (void)state;
    struct group *g = group_start();
    group_racks(g, group_topic(g, "t0", 2), "a, a");
    group_racks(g, group_topic(g, "t1", 2), "a, a");
    group_member(g, "c0", "t0 t1 t2 t3")->rack_id = SL_STR("z");
    group_member(g, "c1", "t0 t1 t2 t3")->rack_id = SL_STR("a");
    group_expect(g, "range", "c0 t0 0, t1 0; c1 t0 1, t1 1");
    group_racks(g, group_topic(g, "t2", 3), "a, b, a");
    group_racks(g, group_topic(g, "t3", 4), "a, a, a, a");
    group_expect(g, "range", "c0 t0 1, t1 1, t2 1, t3 0 1; c1 t0 0, t1 0, t2 0 2, t3 2 3");
    group_end(g);
}

/* More racks than fit into a word. */
static void test_many_racks(void **state) {
    (void)state;
    enum { RACKS = 60, WORDS = 3 }; /* racks of members, and further ones of each partition */
    static char names[RACKS][WORDS * 12];
    static char ids[RACKS][8];
    char text[RACKS * WORDS * 12] = "";
    char expected[RACKS * 32] = "";
    struct group *g = group_start();
    struct sl_assignor_topic *t = group_topic(g, "t0", RACKS);
    struct sl_text all;
    struct sl_text plan;
    sl_text_init(&all, text, sizeof text);
    sl_text_init(&plan, expected, sizeof expected);
    for (int i = 0; i < RACKS; i++) {
        snprintf(names[i], sizeof names[i], "r%02d", i);
        snprintf(ids[i], sizeof ids[i], "c%02d", i);
        sl_text_printf(&all, "%sx%d y%d r%02d", i > 0 ? ", " : "", i, i, RACKS - 1 - i);
        sl_text_printf(&plan, "%s%s t0 %d", i > 0 ? "; " : "", ids[i], RACKS - 1 - i);
        group_member(g, ids[i], "t0")->rack_id = sl_bytes_str(names[i]);
    }
    group_racks(g, t, text);
    group_expect(g, "range", expected);
    group_end(g);
}

/* ---- what members send ---- */

#define OWNED_HEX "00000001 0001 74 00000002 00000000 00000001"

/* A member of topic t in rack "r" that had t-0 and t-1 in generation 5. */
static struct sl_assignor_member *add_sender(struct group *g) {
    struct sl_assignor_member *m = group_member(g, "m", "t");
    m->rack_id = SL_STR("r");
    group_owned(g, m, 5, "t 0 1");
    return m;
}

static const struct {
    const char *assignor, *hex;
    int32_t owned, generation; /* that are read */
} sent[] = {
    {"range", "0003 00000001 0001 74 ffffffff 00000000 00000005 0001 72", 0, -1},
    {"roundrobin", "0003 00000001 0001 74 ffffffff 00000000 00000005 0001 72", 0, -1},
    {"sticky", "0003 00000001 0001 74 00000017 " OWNED_HEX " 00000005 00000000 00000005 0001 72", 1,
     5},
    {"cooperative-sticky", "0003 00000001 0001 74 00000004 00000005 " OWNED_HEX " 00000005 0001 72",
     1, 5},
};

static void test_members_write_and_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        struct group *g = group_start();
        struct sl_assignor_member *m = add_sender(g);
        struct sl_assignor_member back = {.id = SL_STR("m"), .instance_id = SL_STR("i")};
        const struct sl_assignor *a = sl_assignor_find(sl_bytes_str(sent[i].assignor));
        struct sl_writer out;
        sl_writer_init(&out, sl_alloc_default());
        assert_int_equal(sl_assignor_write_member(a, m, &g->arena, &out), 0);
        test_hex_equal(out.data, out.size, sent[i].hex);
        struct sl_bytes bytes = {out.data, (int32_t)out.size};
        assert_int_equal(sl_assignor_read_member(a, bytes, &g->arena, &back), 0);
        assert_int_equal(back.topics.count, 1);
        assert_true(sl_bytes_str_equal(back.rack_id, SL_STR("r")));
        assert_int_equal(back.owned.count, sent[i].owned);
        assert_int_equal(back.generation, sent[i].generation);
        assert_true(sl_bytes_str_equal(back.id, SL_STR("m")));
        assert_true(sl_bytes_str_equal(back.instance_id, SL_STR("i")));
        sl_writer_deinit(&out);
        group_end(g);
    }
}

/* Before it was ever assigned to, a member tells of nothing. */
static void test_new_members(void **state) {
    (void)state;
    static const char *const hex[] = {
        "0003 00000001 0001 74 ffffffff 00000000 ffffffff ffff",
        "0003 00000001 0001 74 ffffffff 00000000 ffffffff ffff",
        "0003 00000001 0001 74 ffffffff 00000000 ffffffff ffff",
        "0003 00000001 0001 74 00000004 ffffffff 00000000 ffffffff ffff",
    };
    for (int i = 0; i < 4; i++) {
        struct group *g = group_start();
        struct sl_assignor_member *m = group_member(g, "m", "t");
        struct sl_writer out;
        sl_writer_init(&out, sl_alloc_default());
        assert_int_equal(sl_assignor_write_member(sl_assignor_at(i + 1), m, &g->arena, &out), 0);
        test_hex_equal(out.data, out.size, hex[i]);
        sl_writer_deinit(&out);
        group_end(g);
    }
}

/* Members of other clients and older versions. */
static void test_members_of_others(void **state) {
    (void)state;
    static const struct {
        const char *assignor, *hex;
        int want;
        int32_t owned, generation;
    } cases[] = {
        /* Before version 2 the generation of a cooperative member is in the user data. */
        {"cooperative-sticky", "0001 00000001 0001 74 00000004 00000007 " OWNED_HEX, 0, 1, 7},
        {"cooperative-sticky", "0001 00000001 0001 74 00000002 0000 " OWNED_HEX, 0, 1, -1},
        {"cooperative-sticky", "0001 00000001 0001 74 ffffffff " OWNED_HEX, 0, 1, -1},
        {"cooperative-sticky", "0000 00000001 0001 74 ffffffff", 0, 0, -1},
        /* Sticky members tell in the user data alone, and what makes no sense there is nothing. */
        {"sticky", "0001 00000001 0001 74 ffffffff " OWNED_HEX, 0, 0, -1},
        {"sticky", "0000 00000001 0001 74 00000013 " OWNED_HEX, 0, 1, -1},
        {"sticky", "0000 00000001 0001 74 00000004 7fffffff", 0, 0, -1},
        {"sticky", "0000 00000001 0001 74 00000000", 0, 0, -1},
        {"range", "0000 00000002 0001 74", SLUICE_ERR_MALFORMED, 0, 0},
        {"sticky", "", SLUICE_ERR_MALFORMED, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t data[100];
        struct group *g = group_start();
        struct sl_assignor_member m = {.id = SL_STR("m")};
        const struct sl_assignor *a = sl_assignor_find(sl_bytes_str(cases[i].assignor));
        struct sl_bytes bytes = {data, (int32_t)test_hex(cases[i].hex, data, sizeof data)};
        assert_int_equal(sl_assignor_read_member(a, bytes, &g->arena, &m), cases[i].want);
        if (cases[i].want == 0) {
            assert_int_equal(m.topics.count, 1);
            assert_int_equal(m.owned.count, cases[i].owned);
            assert_int_equal(m.generation, cases[i].generation);
        }
        group_end(g);
    }
}

/* ---- allocation failures ---- */

/* Everything that can need memory: racks, claims, equal and unequal subscriptions, user data. */
static int run_short_of_memory(struct group *g, const struct sl_alloc *alloc, int number) {
    const struct sl_assignor *a = sl_assignor_at(number);
    const struct sl_assignor_group group = {g->members, g->topics, g->member_count, g->topic_count};
    struct sl_assignor_member back = {.id = SL_STR("m")};
    struct sl_writer out;
    struct sl_arena arena;
    sl_arena_init(&arena, alloc, 0);
    sl_writer_init(&out, alloc);
    int rv = sl_assignor_assign(a, &group, &arena, g->plan);
    if (rv == 0) rv = sl_assignor_write_member(a, &g->members[0], &arena, &out);
    struct sl_bytes bytes = {out.data, (int32_t)out.size};
    if (rv == 0) rv = sl_assignor_read_member(a, bytes, &arena, &back);
    sl_writer_deinit(&out);
    sl_arena_deinit(&arena);
    return rv;
}

static void sweep_assignor(struct group *g, int number) {
    for (long n = 1;; n++) {
        struct test_memory memory;
        test_memory_init(&memory);
        test_memory_fail_at(&memory, n);
        int rv = run_short_of_memory(g, &memory.alloc, number);
        test_memory_check(&memory);
        if (!test_memory_has_failed(&memory)) {
            assert_int_equal(rv, 0);
            return;
        }
        assert_int_equal(rv, SLUICE_ERR_NOMEM);
    }
}

static void test_allocation_failures(void **state) {
    (void)state;
    for (int number = 1; number <= 4; number++) {
        struct group *g = group_start();
        group_racks(g, group_topic(g, "t0", 4), "a, b, a, b");
        group_racks(g, group_topic(g, "t1", 4), "a, b, a, b");
        group_racks(g, group_topic(g, "t2", 3), "a, b, c");
        struct sl_assignor_member *c0 = group_member(g, "c0", "t0 t1 t2");
        c0->rack_id = SL_STR("b");
        group_owned(g, c0, 5, "t0 0 1 2, t1 0");
        group_member(g, "c1", "t0 t1 t2")->rack_id = SL_STR("a");
        sweep_assignor(g, number);
        g->members[1].topics = group_words(g, "t0 t1"); /* and unequal subscriptions */
        sweep_assignor(g, number);
        group_end(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_two_topics),
        cmocka_unit_test(test_one_topic),
        cmocka_unit_test(test_unequal_subscriptions),
        cmocka_unit_test(test_fewer_partitions_than_members),
        cmocka_unit_test(test_static_members),
        cmocka_unit_test(test_cooperative_rounds),
        cmocka_unit_test(test_member_left),
        cmocka_unit_test(test_member_came),
        cmocka_unit_test(test_claimed_twice),
        cmocka_unit_test(test_generations),
        cmocka_unit_test(test_claims_of_nonsense),
        cmocka_unit_test(test_subscription_shrinks),
        cmocka_unit_test(test_odd_groups),
        cmocka_unit_test(test_too_many_partitions),
        cmocka_unit_test(test_racks_of_one_topic),
        cmocka_unit_test(test_racks_and_the_rest),
        cmocka_unit_test(test_racks_of_topics_together),
        cmocka_unit_test(test_racks_that_are_all_alike),
        cmocka_unit_test(test_many_racks),
        cmocka_unit_test(test_members_write_and_read),
        cmocka_unit_test(test_new_members),
        cmocka_unit_test(test_members_of_others),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
