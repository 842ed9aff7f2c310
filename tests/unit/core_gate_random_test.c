/* Goal: positions and finished prefixes are right whatever order an application takes, marks, gives
 * back, rewinds, untakes, seeks and pauses in, from any number of workers (reliability notes 33).
 * Method: random programs beside a model of forty lines, with and without failing allocations. */
#include "core_gate.h"

#include "slices.h"

#include "base/rng.h"

enum { MODEL_OFFSETS = 4096, MODEL_HAND = 40 };
/* One partition as an application sees it. */
struct model {
    int64_t base;     /* where the last seek went */
    int64_t position; /* next to come */
    bool paused;
    bool exact;    /* false once a slice went back with marks while others were in hand */
    uint32_t turn; /* rises with each seek: slices of before are stale */
    bool done[MODEL_OFFSETS];
};
struct model_hand {
    struct sl_slice *slice;
    int32_t partition;
    uint32_t turn;
    int64_t from, next;
};
struct program {
    struct fixture f;
    struct sl_rng rng;
    struct model parts[PARTS];
    struct model_hand hand[MODEL_HAND];
    int hand_count;
    struct answer packed; /* the bytes of slices that are compressed */
    struct sl_job_tools tools;
    struct sl_list jobs;
};

static void model_seek(struct model *m, int64_t offset) {
    m->base = m->position = offset;
    m->turn++;
    m->exact = true;
    memset(m->done, 0, sizeof m->done);
}
static int64_t model_finished(const struct model *m) {
    int64_t at = m->base;
    while (at < m->position && m->done[at]) at++;
    return at;
}

static void check_program(struct program *p) {
    sl_gate_check(p->f.gate);
    for (int32_t i = 0; i < PARTS; i++) {
        const struct model *m = &p->parts[i];
        assert_int_equal(position(&p->f, i).offset, m->position);
        assert_int_equal(position(&p->f, i).paused, m->paused);
        if (m->exact) assert_int_equal(finished(&p->f, i), model_finished(m));
        assert_true(finished(&p->f, i) <= model_finished(m));
    }
}

static void step_take(struct program *p) {
    struct sl_slice *slice;
    if (p->hand_count == MODEL_HAND) return;
    int rv = take_code(&p->f, &slice);
    assert_true(rv == 0 || rv == SLUICE_ERR_HELD);
    if (slice == NULL) return;
    struct model *m = &p->parts[slice->partition];
    assert_false(m->paused);
    /* What was processed before it was given back does not come again. */
    while (m->position < slice->from) assert_true(m->done[m->position++]);
    assert_int_equal(slice->from, m->position);
    m->position = slice->next_offset;
    p->hand[p->hand_count++] =
        (struct model_hand){slice, slice->partition, m->turn, slice->from, slice->next_offset};
}
static void step_seek(struct program *p) {
    int32_t partition = (int32_t)sl_rng_below(&p->rng, PARTS);
    int64_t offset = (int64_t)sl_rng_below(&p->rng, 1000);
    if (seek(&p->f, partition, offset) == 0) model_seek(&p->parts[partition], offset);
}
static void step_pause(struct program *p) {
    int32_t partition = (int32_t)sl_rng_below(&p->rng, PARTS);
    bool paused = sl_rng_below(&p->rng, 2) == 0;
    if (set_paused(&p->f, partition, paused) == 0) p->parts[partition].paused = paused;
}
static void step_mark(struct program *p, struct model_hand *hand) {
    struct model *m = &p->parts[hand->partition];
    int64_t to =
        hand->from + (int64_t)sl_rng_below(&p->rng, (uint64_t)(hand->next - hand->from) + 1);
    int rv = sl_gate_mark(p->f.gate, hand->slice, to, -1);
    assert_int_equal(rv, hand->turn == m->turn ? 0 : SLUICE_ERR_STALE);
    if (rv != 0) return;
    for (int64_t i = hand->from; i < to; i++) m->done[i] = true;
}
static void drop_hand(struct program *p, struct model_hand *hand) {
    *hand = p->hand[--p->hand_count];
}
static void step_give(struct program *p, struct model_hand *hand) {
    sl_gate_give(p->f.gate, hand->slice);
    drop_hand(p, hand);
}
static int64_t marked_to(const struct model *m, const struct model_hand *hand) {
    int64_t at = hand->from;
    while (at < hand->next && m->done[at]) at++;
    return at;
}
static void step_rewind(struct program *p, struct model_hand *hand) {
    struct model *m = &p->parts[hand->partition];
    int64_t to = marked_to(m, hand);
    int rv = sl_gate_rewind(p->f.gate, hand->slice, to, -1);
    if (rv == SLUICE_ERR_NOMEM) return;
    assert_int_equal(rv, hand->turn == m->turn ? 0 : SLUICE_ERR_STALE);
    if (rv == 0) {
        m->position = to;
        for (int64_t i = to; i < MODEL_OFFSETS; i++) m->done[i] = false;
        for (int i = 0; i < p->hand_count; i++) { /* those behind it are stale */
            struct model_hand *other = &p->hand[i];
            if (other->partition == hand->partition && other->from >= hand->next) other->turn--;
        }
    }
    step_give(p, hand);
}
static void step_untake(struct program *p, struct model_hand *hand) {
    struct model *m = &p->parts[hand->partition];
    int64_t to = marked_to(m, hand);
    if (to == hand->next) return; /* nothing of it is left */
    int rv = sl_gate_untake(p->f.gate, hand->slice, to);
    if (hand->turn != m->turn) {
        assert_int_equal(rv, SLUICE_ERR_STALE);
        return;
    }
    if (m->position == hand->next) assert_int_equal(rv, 0);
    if (rv != 0) {
        assert_int_equal(rv, SLUICE_ERR_BUSY);
        return;
    }
    m->position = to;
    if (to > hand->from) m->exact = false;
    drop_hand(p, hand);
}

/* Those of a slot that are worth it are decompressed ahead, whatever becomes of them meanwhile. */
static void step_jobs(struct program *p) {
    struct sl_list *node;
    if (sl_rng_below(&p->rng, 2) == 0) {
        sl_gate_take_jobs(p->f.gate, &p->jobs);
    } else if ((node = sl_list_pop_front(&p->jobs)) != NULL) {
        struct sl_job *job = SL_LIST_OF(node, struct sl_job, node);
        if (sl_rng_below(&p->rng, 8) > 0) job->run(job, &p->tools);
        sl_gate_on_job(p->f.gate, job);
    }
}

static void pack_slice(struct program *p, struct sl_slice *slice) {
    if (sl_rng_below(&p->rng, 3) == 0) return;
    slice->data = p->packed.data;
    slice->size = p->packed.size;
    slice->is_packed = true;
}

static void step_feed(struct program *p) {
    uint32_t slot = (uint32_t)sl_rng_below(&p->rng, PARTS);
    take_orders(&p->f);
    if (p->f.core[slot].paused || p->f.free_bytes < SL_GATE_ROOM_MIN) return;
    if (p->f.core[slot].next > MODEL_OFFSETS - 100) return;
    struct sl_fetched *fetched = make_answer(&p->f, 2, true);
    uint32_t other = (slot + 1) % PARTS;
    fill_slice(&p->f, &fetched->slices[0], slot, 1 + (int64_t)sl_rng_below(&p->rng, 9));
    fill_slice(&p->f, &fetched->slices[1], other, 1 + (int64_t)sl_rng_below(&p->rng, 9));
    for (int i = 0; i < 2; i++) pack_slice(p, &fetched->slices[i]);
    /* Orders that the application has given meanwhile make it stale. */
    if (sl_rng_below(&p->rng, 4) == 0) step_seek(p);
    send_answer(&p->f, fetched);
}

static void run_program(uint64_t seed, bool with_failures) {
    static struct program p;
    memset(&p, 0, sizeof p);
    sl_rng_init(&p.rng, seed);
    start(&p.f, PARTS);
    sl_list_init(&p.jobs);
    assert_int_equal(sl_job_tools_init(&p.tools, &p.f.memory.alloc), 0);
    add_batch(&p.packed, 10, 1, SL_CODEC_LZ4, 0);
    p.f.settings.batch_decoded_max = DECODED_CAP;
    if (seed % 4 > 0) sl_gate_set_jobs(p.f.gate, (int32_t)(seed % 4), 0);
    p.f.settings.fetch_memory = p.f.free_bytes = SL_GATE_ROOM_MIN + 10 * BUFFER_BYTES;
    for (int i = 0; i < PARTS; i++) model_seek(&p.parts[i], 0);
    for (int i = 0; i < 3000; i++) {
        if (with_failures && sl_rng_below(&p.rng, 3) == 0) test_memory_fail_next(&p.f.memory);
        struct model_hand *hand =
            p.hand_count == 0 ? NULL : &p.hand[sl_rng_below(&p.rng, (uint64_t)p.hand_count)];
        uint64_t dice = sl_rng_below(&p.rng, 100);
        if (dice < 28)
            step_feed(&p);
        else if (dice < 35)
            step_jobs(&p);
        else if (dice < 65)
            step_take(&p);
        else if (dice < 67)
            step_seek(&p);
        else if (dice < 70)
            step_pause(&p);
        else if (hand == NULL)
            continue;
        else if (dice < 82)
            step_mark(&p, hand);
        else if (dice < 93)
            step_give(&p, hand);
        else if (dice < 95)
            step_rewind(&p, hand);
        else
            step_untake(&p, hand);
        check_program(&p);
    }
    test_memory_fail_at(&p.f.memory, 0);
    while (p.hand_count > 0) step_give(&p, &p.hand[0]);
    for (struct sl_list *node; (node = sl_list_pop_front(&p.jobs)) != NULL;)
        sl_gate_on_job(p.f.gate, SL_LIST_OF(node, struct sl_job, node));
    sl_job_tools_deinit(&p.tools);
    p.f.free_bytes += MEMORY - p.f.settings.fetch_memory;
    end(&p.f);
}

static void random_programs_agree_with_the_model(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) run_program(seed, false);
}
static void random_programs_agree_without_memory(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) run_program(seed, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_agree_with_the_model),
        cmocka_unit_test(random_programs_agree_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
