/* Goal: whatever applications, brokers and memory do, each record of each assigned partition comes
 * once and in order from where the application put it; the broker's fetch sessions are used to the
 * letter; nothing is asked in a hot loop; and when the trouble ends, everything is read to its end
 * and the receiving account is whole.
 * Method: random programs. Two brokers keep logs that grow and are cut, and strict sessions (a wrong
 * epoch, or forgetting what was never listed, fails the test); leaders move, connections and
 * sessions are lost, errors and failing allocations strewn in. The application seeks, pauses,
 * assigns, holds and rewinds, beside a model of one number a partition. */
#include "core_epochs.h"

#include "base/rng.h"

enum { TOPICS = 2, PARTITIONS = 3, ALL = TOPICS * PARTITIONS, HOLD = 24, STEP_MS = 5 };

struct server_log {
    int64_t start, end; /* batches of ten */
};
struct server_part {
    bool in; /* the session has it */
    int64_t offset;
    int32_t leader_epoch;
    int32_t max_bytes;
};
struct server_node {
    int32_t id; /* of the session; 0: none */
    int32_t epoch;
    bool lost; /* the session was dropped: 70 is due */
    struct server_part parts[ALL];
    bool in_flight;
    bool is_new; /* the request in flight has not been looked at */
    bool answers_all;
    int16_t refusal;
    struct cons_fetch fetch;
    int64_t empty_answers;
};
/* What the application expects of a partition. */
struct reader {
    bool assigned, paused, may_move;
    int64_t next; /* -1: a symbol */
    uint32_t turn;
};
struct held_slice {
    struct sl_slice *slice;
    int part;
    uint32_t turn;
};
struct play {
    struct cons c;
    struct sl_rng rng;
    struct server_log logs[ALL];
    struct server_node nodes[2];
    struct reader readers[ALL];
    struct held_slice held[HOLD];
    int held_count;
    int32_t last_session;
    int64_t taken;
    bool calm; /* no more trouble */
    bool with_sessions, with_failures;
};
static const char *const topic_names[TOPICS] = {"t", "u"};

static uint64_t roll(struct play *p, uint64_t below) { return sl_rng_below(&p->rng, below); }

/* ---- the brokers ---- */

static int part_index(const struct play *p, const struct cons_part *part) {
    int topic =
        part->id.bytes[0] != 0 ? part->id.bytes[0] - 1 : strcmp(part->topic, topic_names[1]) == 0;
    (void)p;
    assert_in_range(topic, 0, TOPICS - 1);
    assert_in_range(part->partition, 0, PARTITIONS - 1);
    return topic * PARTITIONS + part->partition;
}

/* Enters a request into the node's session, strictly. */
static void take_fetch(struct play *p, struct server_node *node) {
    const struct cons_fetch *fetch = &node->fetch;
    bool listed[ALL] = {false};
    node->refusal = 0;
    node->answers_all = fetch->epoch == 0;
    if (fetch->epoch == 0) {
        node->lost = false;
        node->id = p->with_sessions ? ++p->last_session : 0;
        node->epoch = 1;
        memset(node->parts, 0, sizeof node->parts);
        assert_int_equal(fetch->forgotten_count, 0);
        assert_true(fetch->count > 0);
    } else if (node->lost) {
        node->refusal = SLUICE_KAFKA_FETCH_SESSION_ID_NOT_FOUND;
        return;
    } else {
        assert_int_equal(fetch->session_id, node->id);
        assert_int_equal(fetch->epoch, node->epoch);
        node->epoch++;
    }
    for (int i = 0; i < fetch->count; i++) {
        int at = part_index(p, &fetch->parts[i]);
        assert_false(listed[at]); /* brokers refuse duplicates */
        listed[at] = true;
        node->parts[at] = (struct server_part){
            true, fetch->parts[i].offset, fetch->parts[i].leader_epoch, fetch->parts[i].max_bytes};
    }
    for (int i = 0; i < fetch->forgotten_count; i++) {
        int at = part_index(p, &fetch->forgotten[i]);
        assert_true(node->parts[at].in && !listed[at]);
        node->parts[at].in = false;
    }
}

static int node_of(const struct host_request *r) { return strcmp(r->conn->host, "b2") == 0; }

static void receive_fetches(struct play *p) {
    while (cons_waiting(&p->c) > 0) {
        struct cons_fetch fetch = cons_next(&p->c);
        struct server_node *node = &p->nodes[node_of(&fetch.r)];
        if (!fetch.r.conn->open) continue;
        assert_true(!node->in_flight || !node->fetch.r.conn->open);
        node->in_flight = true;
        node->fetch = fetch;
        take_fetch(p, node);
    }
}

/* The error that the node answers for a partition, or 0. */
static int16_t part_error(struct play *p, int node, const struct server_part *part, int at) {
    const struct host_topic *topic = &p->c.h->topics[at / PARTITIONS];
    static const int16_t passing[] = {SLUICE_KAFKA_KAFKA_STORAGE_ERROR,
                                      SLUICE_KAFKA_OFFSET_NOT_AVAILABLE,
                                      SLUICE_KAFKA_UNKNOWN_SERVER_ERROR};
    if (topic->leader != node + 1) return SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER;
    if (part->leader_epoch < topic->leader_epoch) return SLUICE_KAFKA_FENCED_LEADER_EPOCH;
    if (part->leader_epoch > topic->leader_epoch) return SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH;
    if (!p->calm && roll(p, 60) == 0) return passing[roll(p, 3)];
    if (part->offset < p->logs[at].start || part->offset > p->logs[at].end)
        return SLUICE_KAFKA_OFFSET_OUT_OF_RANGE;
    return 0;
}

static bool answer_part(struct play *p, int node, int at, struct cons_answer *a, bool *has_data) {
    struct server_part *part = &p->nodes[node].parts[at];
    const struct host_topic *topic = &p->c.h->topics[at / PARTITIONS];
    struct server_log *log = &p->logs[at];
    int16_t code = part_error(p, node, part, at);
    bool is_due = code != 0 || part->offset < log->end || p->nodes[node].answers_all;
    if (!is_due) return false;
    struct cons_entry *entry = cons_add(a, at % PARTITIONS, code, code == 0 ? log->end : -1);
    entry->topic = topic_names[at / PARTITIONS];
    if (code != 0) {
        if (roll(p, 2) == 0)
            entry->hint = (struct sl_leader_hint){topic->leader, topic->leader_epoch};
        return true;
    }
    int64_t base = part->offset - part->offset % 10;
    for (uint64_t n = 1 + roll(p, 3); n > 0 && base < log->end; n--, base += 10) {
        entry->size += cons_batch(entry->data + entry->size, base, 10, 9);
        *has_data = true;
    }
    return true;
}

static void answer_node(struct play *p, int index) {
    struct server_node *node = &p->nodes[index];
    struct cons_answer *a = cons_answer(node->id);
    bool has_data = false;
    bool is_due = node->refusal != 0;
    for (int at = ALL - 1; node->refusal == 0 && at >= 0; at--)
        if (node->parts[at].in && answer_part(p, index, at, a, &has_data)) is_due = true;
    bool waited = p->c.h->now - node->fetch.r.at >= 500 * SL_MS;
    if (!waited && (!is_due || (!has_data && node->answers_all && node->refusal == 0 && p->calm))) {
        free(a);
        return;
    }
    a->code = node->refusal;
    if (node->refusal != 0) a->session_id = 0;
    if (!has_data) node->empty_answers++;
    node->in_flight = false;
    cons_reply(&p->c, &node->fetch, a);
}

static void answer_lookups(struct play *p) {
    while (cons_waiting_lookups(&p->c) > 0) {
        struct cons_lookup lookup = cons_next_lookup(&p->c);
        struct cons_found found[CONS_PARTS];
        if (!lookup.r.conn->open) continue;
        for (int i = 0; i < lookup.count; i++) {
            const struct server_log *log = &p->logs[part_index(p, &lookup.parts[i])];
            bool latest = lookup.parts[i].offset == SL_LIST_OFFSETS_LATEST;
            found[i] = (struct cons_found){0, latest ? log->end : log->start, false};
            if (!p->calm && roll(p, 5) == 0)
                found[i] = (struct cons_found){SLUICE_KAFKA_NOT_LEADER_OR_FOLLOWER, -1, false};
            if (!p->calm && roll(p, 9) == 0) found[i].omit = true;
        }
        cons_reply_lookup(&p->c, &lookup, found);
    }
}

/* Nothing was cut: what was read is there. */
static void answer_epochs(struct play *p) {
    while (cons_waiting_epochs(&p->c) > 0) {
        struct cons_epochs asked = cons_next_epochs(&p->c);
        struct cons_epoch_end ends[CONS_PARTS];
        if (!asked.r.conn->open) continue;
        for (int i = 0; i < asked.count; i++) {
            int at = part_index(p, &asked.parts[i]);
            ends[i] =
                (struct cons_epoch_end){0, (int32_t)asked.parts[i].offset, p->logs[at].end, false};
            if (!p->calm && roll(p, 5) == 0) ends[i].code = SLUICE_KAFKA_UNKNOWN_LEADER_EPOCH;
            if (!p->calm && roll(p, 9) == 0) ends[i].omit = true;
        }
        cons_reply_epochs(&p->c, &asked, ends);
    }
}

/* Time passes at the brokers. */
static void run_brokers(struct play *p) {
    receive_fetches(p);
    for (int i = 0; i < 2; i++) {
        struct server_node *node = &p->nodes[i];
        if (node->in_flight && !node->fetch.r.conn->open) node->in_flight = false;
        if (node->in_flight && roll(p, 2) == 0) answer_node(p, i);
    }
    answer_lookups(p);
    answer_epochs(p);
    receive_fetches(p);
    cons_compact(&p->c);
    for (int i = 0; i < 2; i++) cons_find(&p->c, &p->nodes[i].fetch.r);
}

/* ---- trouble ---- */

static void make_trouble(struct play *p) {
    struct host *h = p->c.h;
    struct host_topic *topic = &h->topics[roll(p, TOPICS)];
    int at = (int)roll(p, ALL);
    struct host_conn *conn = &h->conns[roll(p, (uint64_t)h->conn_count)];
    switch (roll(p, 60)) {
    case 0:
        topic->leader = 3 - topic->leader;
        topic->leader_epoch++;
        break;
    case 1:
        p->nodes[roll(p, 2)].lost = true;
        break;
    case 2:
        if (conn->open && conn->connected && h->conn_count < 200) host_cut(h, conn, "reset");
        break;
    case 3:
        p->logs[at].start += 10 * (int64_t)roll(p, 5);
        if (p->logs[at].start > p->logs[at].end) p->logs[at].start = p->logs[at].end;
        p->readers[at].may_move = true;
        break;
    default:
        p->logs[at].end += 10;
        break;
    }
    if (p->with_failures && roll(p, 10) == 0)
        test_memory_fail_at(&h->memory, h->memory.calls + 1 + (long)roll(p, 30));
}

/* ---- the application ---- */

static struct sl_offsets *one(const struct play *p, int at, int64_t offset) {
    return cons_list(&p->c, topic_names[at / PARTITIONS], at % PARTITIONS, offset);
}
/* What a call that may lack memory said. */
static bool is_done(const struct play *p, int rv) {
    assert_true(rv == 0 || (p->with_failures && rv == SLUICE_ERR_NOMEM));
    return rv == 0;
}
static void place_reader(struct play *p, int at, int64_t offset) {
    struct reader *r = &p->readers[at];
    r->next = offset >= 0 ? offset : -1;
    r->may_move = offset < p->logs[at].start || offset > p->logs[at].end;
    r->turn++;
}
static int64_t pick_offset(struct play *p, int at) {
    const struct server_log *log = &p->logs[at];
    static const int64_t symbols[] = {SL_OFFSET_EARLIEST, SL_OFFSET_LATEST, SL_OFFSET_COMMITTED};
    if (roll(p, 4) == 0) return symbols[roll(p, 3)];
    int64_t offset = log->start - 20 + (int64_t)roll(p, (uint64_t)(log->end - log->start) + 40);
    return offset < 0 ? 0 : offset;
}

static void seek_some(struct play *p) {
    int at = (int)roll(p, ALL);
    if (!p->readers[at].assigned) return;
    int64_t offset = pick_offset(p, at);
    struct sl_offsets *list = one(p, at, offset);
    if (is_done(p, sl_gate_seek(p->c.gate, list))) place_reader(p, at, offset);
    sl_offset_list_destroy(list);
}
static void pause_some(struct play *p, bool paused) {
    int at = (int)roll(p, ALL);
    if (!p->readers[at].assigned) return;
    struct sl_offsets *list = one(p, at, 0);
    if (is_done(p, sl_gate_pause(p->c.gate, list, paused))) p->readers[at].paused = paused;
    sl_offset_list_destroy(list);
}
/* Everything, or a random part of it; what stays keeps its position. */
static void assign_some(struct play *p, bool all) {
    struct sl_offsets *list;
    bool kept[ALL];
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    for (int at = 0; at < ALL; at++) {
        kept[at] = all || roll(p, 3) != 0;
        if (!kept[at]) continue;
        sl_offset_list_put(list, topic_names[at / PARTITIONS], at % PARTITIONS)->offset =
            SL_OFFSET_COMMITTED;
    }
    if (is_done(p, sl_gate_assign(p->c.gate, list))) {
        for (int at = 0; at < ALL; at++) {
            struct reader *r = &p->readers[at];
            if (kept[at] && r->assigned) continue;
            place_reader(p, at, -1);
            r->assigned = kept[at];
            r->paused = false;
        }
    }
    sl_offset_list_destroy(list);
}

static void take_some(struct play *p) {
    int code;
    if (p->held_count == HOLD) return;
    struct sl_slice *slice = cons_take_code(&p->c, &code);
    if (slice == NULL && code != SLUICE_ERR_HELD && code != 0)
        fail_msg("a poll said %d: %s", code, cons_text);
    if (slice == NULL) return;
    int at = (strcmp(slice->topic, topic_names[1]) == 0) * PARTITIONS + slice->partition;
    struct reader *r = &p->readers[at];
    assert_true(r->assigned && !r->paused);
    if (slice->from != r->next && r->next >= 0) {
        assert_true(slice->moved && r->may_move);
        if (slice->from < r->next) r->turn++; /* what is in hand is of before */
    }
    r->next = slice->next_offset;
    struct sl_batch_info info; /* its bytes are the right ones */
    assert_int_equal(sl_batch_read_info(slice->data, slice->size, &info), 0);
    assert_in_range(slice->from, info.base_offset, info.last_offset);
    p->taken += slice->next_offset - slice->from;
    p->held[p->held_count++] = (struct held_slice){slice, at, r->turn};
}

static void give_some(struct play *p) {
    if (p->held_count == 0) return;
    uint64_t i = roll(p, (uint64_t)p->held_count);
    struct held_slice held = p->held[i];
    struct reader *r = &p->readers[held.part];
    p->held[i] = p->held[--p->held_count];
    if (!p->calm && roll(p, 20) == 0) {
        int64_t to = held.slice->from;
        int64_t before = held.slice->from;
        int rv = sl_gate_rewind(p->c.gate, held.slice, to, -1);
        if (rv == 0) {
            r->next = to;
            for (int k = 0; k < p->held_count; k++)
                if (p->held[k].part == held.part && p->held[k].slice->from >= before)
                    p->held[k].turn--;
        }
    } else if (roll(p, 10) != 0) {
        int rv = sl_gate_mark(p->c.gate, held.slice, held.slice->next_offset, -1);
        assert_int_equal(rv, held.turn == r->turn ? 0 : SLUICE_ERR_STALE);
    }
    sl_gate_give(p->c.gate, held.slice);
    sl_gate_check(p->c.gate);
}

static void run_application(struct play *p) {
    for (int i = 0; i < 3; i++) take_some(p);
    for (int i = 0; i < 3; i++) give_some(p);
    if (p->calm) return;
    switch (roll(p, 40)) {
    case 0:
        seek_some(p);
        break;
    case 1:
        pause_some(p, true);
        break;
    case 2:
    case 3:
        pause_some(p, false);
        break;
    case 4:
        if (roll(p, 5) == 0) assign_some(p, false);
        break;
    case 5:
        if (roll(p, 3) == 0) assign_some(p, true);
        break;
    default:
        break;
    }
}

/* ---- a play ---- */

static void step(struct play *p) {
    run_application(p);
    cons_turn(&p->c);
    run_brokers(p);
    cons_advance(&p->c, STEP_MS);
}

static bool is_all_read(struct play *p) {
    struct sl_offsets *list;
    assert_int_equal(sl_offset_list_create(sl_alloc_default(), &list), 0);
    assert_int_equal(sl_gate_positions(p->c.gate, list), 0);
    assert_int_equal(list->count, ALL);
    bool is_read = true;
    for (int at = 0; at < ALL; at++) {
        const char *topic = topic_names[at / PARTITIONS];
        int64_t offset = sl_offset_list_find(list, topic, at % PARTITIONS)->offset;
        if (offset != p->logs[at].end) is_read = false;
    }
    sl_offset_list_destroy(list);
    return is_read;
}

/* Trouble ends: everything is read to its end. */
static void come_to_rest(struct play *p) {
    p->calm = true;
    test_memory_fail_at(&p->c.h->memory, 0);
    p->with_failures = false;
    assign_some(p, true);
    assert_int_equal(sl_gate_pause(p->c.gate, NULL, false), 0);
    for (int at = 0; at < ALL; at++) p->readers[at].paused = false;
    for (int i = 0; i < 3000; i++) {
        step(p);
        if (p->held_count == 0 && is_all_read(p)) return;
    }
    fail_msg("not everything was read");
}

static void run_play(uint64_t seed, bool with_failures) {
    static struct play p;
    memset(&p, 0, sizeof p);
    sl_rng_init(&p.rng, seed);
    cons_prepare(&p.c);
    p.with_failures = p.c.broken_memory = with_failures;
    p.with_sessions = seed % 4 != 0;
    p.c.h->settings.fetch_memory = 300000;
    p.c.h->settings.metadata_max_age_ms = 3000;
    p.c.h->topics[1].leader = 2;
    p.c.h->topics[0].leader_epoch = p.c.h->topics[1].leader_epoch = 0;
    if (seed % 3 == 0) p.c.h->topics[0].id = p.c.h->topics[1].id = 0;
    cons_create(&p.c);
    for (int at = 0; at < ALL; at++) {
        p.logs[at].end = 200;
        p.readers[at].next = -1;
    }
    assign_some(&p, true);
    enum { STEPS = 2500 };
    for (int i = 0; i < STEPS; i++) {
        if (i > 20) make_trouble(&p);
        step(&p);
    }
    assert_true(p.taken > 1000);
    come_to_rest(&p);
    for (int i = 0; i < 2; i++) /* at most twenty a second for nothing */
        assert_true(p.nodes[i].empty_answers < (STEPS + 3000) * STEP_MS / 1000 * 20);
    cons_expect_whole_account(&p.c);
    cons_end(&p.c);
}

static void random_plays_lose_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) run_play(seed, false);
}
static void random_plays_without_memory_lose_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 101; seed <= 124; seed++) run_play(seed, true);
}

/* ---- each allocation failing in turn ---- */

static void run_short_play(struct play *p, long n) {
    memset(p, 0, sizeof *p);
    sl_rng_init(&p->rng, 7);
    cons_prepare(&p->c);
    p->with_failures = p->c.broken_memory = p->with_sessions = true;
    cons_create(&p->c);
    for (int at = 0; at < ALL; at++) {
        p->logs[at].end = 50;
        p->readers[at].next = -1;
    }
    test_memory_fail_at(&p->c.h->memory, p->c.h->memory.calls + n);
    assign_some(p, true);
    for (int i = 0; i < 60; i++) {
        step(p);
        if (i == 20) seek_some(p);
        if (i == 30) pause_some(p, true);
        if (i == 40) pause_some(p, false);
    }
}

static void no_failing_allocation_loses_anything(void **state) {
    (void)state;
    static struct play p;
    for (long n = 1;; n++) {
        run_short_play(&p, n);
        bool has_failed = test_memory_has_failed(&p.c.h->memory);
        come_to_rest(&p);
        cons_expect_whole_account(&p.c);
        cons_end(&p.c);
        if (has_failed) continue;
        assert_true(n > 100);
        break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_plays_lose_nothing),
        cmocka_unit_test(random_plays_without_memory_lose_nothing),
        cmocka_unit_test(no_failing_allocation_loses_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
