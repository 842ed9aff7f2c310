/* The bundled broker as a whole: several clients send it any bytes in any pieces while time goes
 * by, answers are read slowly, nodes go up and down, leaders and coordinators move, faults happen and
 * memory runs out. After every step its invariants are checked.
 *
 * Beside memory errors it looks for a broker that spins (something stays due at once), for answers
 * that are no whole frames, and for memory that is not given back.
 *
 * Input: a byte for the cluster, then steps: a byte for what to do and its arguments, a missing
 * byte being 0. Frames and pieces of them carry two bytes of length and then the bytes; to a frame
 * the prefix is added. */
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/machine.h"
#include "fuzz/pool.h"
#include "record/batch_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FUZZ_LINKS = 8,
    FUZZ_STEPS = 400,       /* of one input */
    FUZZ_MEMORY = 6 << 20,  /* bytes that the broker may have at a time */
    FUZZ_FRAME = 64 * 1024, /* the largest that it takes */
    FUZZ_ROUNDS = 1000,     /* in which it has to come to rest */
    FUZZ_SETTLING = 100,    /* of reading what is left */
    FUZZ_WEIGHT = 64        /* topics and partitions that are checked each time */
};
#define FUZZ_MS INT64_C(1000000)

enum fuzz_step {
    FUZZ_FRAME_TO_LINK,
    FUZZ_FRAME_TO_LINK_TOO, /* twice, because that is what it is about */
    FUZZ_PIECE_TO_LINK,
    FUZZ_TIME,
    FUZZ_READ,
    FUZZ_ACCEPT,
    FUZZ_CLOSE,
    FUZZ_STATE,
    FUZZ_MOVE,
    FUZZ_FAULT,
    FUZZ_HEAL,
    FUZZ_TRIM,
    FUZZ_CAP,
    FUZZ_SHORTAGE,
    FUZZ_GROUP,
    FUZZ_STEP_KINDS
};

struct fuzz_link {
    uint32_t id; /* 0: none */
    bool slow;   /* read by steps only */
    /* Where in its answers the client is. */
    uint8_t prefix[4];
    size_t prefix_size;
    size_t left; /* bytes of the frame under way */
};
struct fuzz_world {
    struct fuzz_pool *pool; /* of the broker */
    struct sl_broker_cluster *broker;
    uint64_t topic_changes; /* of the cluster, when it was last counted */
    int32_t weight;         /* topics and partitions that there were */
    int32_t unchecked;      /* calls of check_world since the last check */
    int64_t now;
    struct fuzz_link links[FUZZ_LINKS];
    bool is_hostile; /* lengths of answers are not to be trusted, nor is their end awaited */
    const uint8_t *at, *end; /* of the input */
};

static void demand(bool holds) {
    if (!holds) abort();
}

/* ---- the input ---- */

static uint8_t take_byte(struct fuzz_world *w) { return w->at < w->end ? *w->at++ : 0; }

static size_t take_length(struct fuzz_world *w) {
    size_t high = take_byte(w);
    size_t size = high << 8 | take_byte(w);
    size_t left = (size_t)(w->end - w->at);
    return size < left ? size : left;
}

/* ---- invariants ---- */

static void weigh_cluster(struct fuzz_world *w) {
    const struct sl_cluster *c = &w->broker->cluster;
    const struct sl_cluster_topic *topic;
    w->topic_changes = c->topic_changes;
    w->weight = 0;
    for (uint32_t at = 0; (topic = sl_map_next(&c->by_name, &at, NULL)) != NULL;)
        w->weight += 1 + topic->partition_count;
}

/* All of them, each time; or, once there are partitions by the thousand, as often as pays: one such
 * input would take the time of a hundred others. The end of an input is always checked. */
static void check_world(struct fuzz_world *w) {
    if (w->topic_changes != w->broker->cluster.topic_changes) weigh_cluster(w);
    if (++w->unchecked <= w->weight / FUZZ_WEIGHT) return;
    w->unchecked = 0;
    sl_broker_check(w->broker);
}

/* ---- the host ---- */

/* Follows the frames of what was sent. */
static void follow_answer(struct fuzz_link *l, const uint8_t *data, size_t size) {
    while (size > 0) {
        if (l->left > 0) {
            size_t part = l->left < size ? l->left : size;
            l->left -= part;
            data += part;
            size -= part;
            continue;
        }
        l->prefix[l->prefix_size++] = *data++;
        size--;
        if (l->prefix_size < sizeof l->prefix) continue;
        l->prefix_size = 0;
        l->left = sl_bytes_get32(l->prefix);
        demand(l->left >= 4 && l->left < FUZZ_MEMORY * 4);
    }
}

/* Whether there was anything to read. */
static bool read_link(struct fuzz_world *w, struct fuzz_link *l, size_t most) {
    struct sl_iov pieces[2];
    size_t count;
    bool is_any = false;
    while (most > 0 && (count = sl_broker_send_pieces(w->broker, l->id, pieces, 2)) > 0) {
        size_t sent = 0;
        for (size_t i = 0; i < count && most > 0; i++) {
            size_t part = pieces[i].size < most ? pieces[i].size : most;
            demand(part > 0);
            if (!w->is_hostile) follow_answer(l, pieces[i].data, part);
            sent += part;
            most -= part;
        }
        sl_broker_on_sent(w->broker, l->id, sent);
        is_any = true;
    }
    return is_any;
}

static struct fuzz_link *find_link(struct fuzz_world *w, uint32_t id) {
    for (int i = 0; i < FUZZ_LINKS; i++)
        if (w->links[i].id == id) return &w->links[i];
    abort();
}

static void drain_outputs(struct fuzz_world *w) {
    struct sl_broker_output out;
    while (sl_broker_next_output(w->broker, &out)) {
        if (out.kind == SL_BROKER_STATE) continue;
        struct fuzz_link *l = find_link(w, out.link);
        if (out.kind == SL_BROKER_CLOSE) memset(l, 0, sizeof *l);
        if (out.kind == SL_BROKER_SEND && !l->slow) (void)read_link(w, l, SIZE_MAX);
        check_world(w);
    }
}

static void run_broker(struct fuzz_world *w) {
    int rounds = 0;
    do {
        demand(++rounds < FUZZ_ROUNDS);
        sl_broker_on_time(w->broker, w->now, w->now / FUZZ_MS);
        sl_broker_run(w->broker);
        check_world(w);
        drain_outputs(w);
    } while (sl_broker_deadline(w->broker) <= w->now);
}

static void accept_link(struct fuzz_world *w, struct fuzz_link *l, int32_t node, bool slow) {
    uint32_t id;
    if (sl_broker_on_accepted(w->broker, node, &id) != 0) return;
    memset(l, 0, sizeof *l);
    l->id = id;
    l->slow = slow;
}

/* ---- steps ---- */

static void send_to_link(struct fuzz_world *w, struct fuzz_link *l, bool frame) {
    uint8_t prefix[4];
    size_t size = take_length(w);
    sl_bytes_put32(prefix, (uint32_t)size);
    if (l->id == 0) accept_link(w, l, 1, false);
    if (frame) sl_broker_on_received(w->broker, l->id, prefix, sizeof prefix);
    sl_broker_on_received(w->broker, l->id, w->at, size);
    w->at += size;
}

static void add_fault(struct fuzz_world *w) {
    struct sl_fault f;
    memset(&f, 0, sizeof f);
    f.kind = (enum sl_fault_kind)(1 + take_byte(w) % SL_FAULT_LIE);
    f.api = (int16_t)(take_byte(w) % 71 - 1);
    f.times = 1 + take_byte(w) % 3;
    f.partition = take_byte(w) % 3 - 1;
    f.code = take_byte(w);
    if (f.kind == SL_FAULT_LIE) f.code %= 5;
    if (f.kind == SL_FAULT_HOSTILE) f.code = 1 + f.code % 3;
    f.delay_ms = take_byte(w);
    uint8_t choice = take_byte(w);
    f.topic[0] = choice % 2 != 0 ? 't' : '\0';
    f.executed = choice % 3 == 0;
    w->is_hostile |= f.kind == SL_FAULT_HOSTILE;
    (void)sl_broker_fault(w->broker, &f, NULL);
}

static void trim_log(struct fuzz_world *w) {
    struct sl_broker_log_view view;
    int32_t partition = take_byte(w) % 2;
    if (sl_broker_log(w->broker, "t", partition, &view) != 0) return;
    (void)sl_broker_log_trim(w->broker, "t", partition, view.log_start + take_byte(w));
}

static void do_step(struct fuzz_world *w) {
    enum fuzz_step step = take_byte(w) % FUZZ_STEP_KINDS;
    uint8_t choice = take_byte(w);
    struct fuzz_link *l = &w->links[choice % FUZZ_LINKS];
    int32_t node = 1 + choice % 3;
    switch (step) {
    case FUZZ_FRAME_TO_LINK:
    case FUZZ_FRAME_TO_LINK_TOO:
        send_to_link(w, l, true);
        break;
    case FUZZ_PIECE_TO_LINK:
        send_to_link(w, l, false);
        break;
    case FUZZ_TIME:
        w->now += choice * (int64_t)take_byte(w) * FUZZ_MS;
        break;
    case FUZZ_READ:
        (void)read_link(w, l, take_byte(w));
        break;
    case FUZZ_ACCEPT:
        if (l->id == 0) accept_link(w, l, 1 + take_byte(w) % 4, choice >= 128);
        break;
    case FUZZ_CLOSE:
        sl_broker_on_closed(w->broker, l->id);
        memset(l, 0, sizeof *l);
        break;
    case FUZZ_STATE:
        sl_broker_set_state(w->broker, node, SL_BROKER_UP + take_byte(w) % 3);
        break;
    case FUZZ_MOVE:
        (void)sl_broker_move_leader(w->broker, "t", choice / 3 % 2, node, choice >= 128);
        break;
    case FUZZ_FAULT:
        add_fault(w);
        break;
    case FUZZ_HEAL:
        sl_broker_heal(w->broker, choice % 4);
        break;
    case FUZZ_TRIM:
        trim_log(w);
        break;
    case FUZZ_CAP:
        (void)sl_broker_cap_version(w->broker, node, take_byte(w) % 70, take_byte(w) % 16 - 1);
        break;
    case FUZZ_GROUP:
        if (choice >= 128)
            (void)sl_broker_rebalance(w->broker, "g");
        else
            (void)sl_broker_move_coordinator(w->broker, "g", node);
        break;
    default:
        w->pool->shortage = choice;
        break;
    }
    check_world(w);
    run_broker(w);
}

/* ---- the whole ---- */

static void append_record(struct fuzz_world *w, int32_t partition) {
    uint8_t batch[128];
    int64_t offset;
    struct sl_record_in r = {.key_size = -1, .value = (const uint8_t *)"value", .value_size = 5};
    struct sl_batch_summary s = {.base_timestamp = 1000,
                                 .max_timestamp = 1000,
                                 .producer_id = -1,
                                 .producer_epoch = -1,
                                 .base_sequence = -1,
                                 .count = 1};
    size_t size = sl_batch_write_record(batch + SL_RECORD_HEADER_SIZE, &r, 0, 0);
    struct sl_iov records = {batch + SL_RECORD_HEADER_SIZE, size};
    struct sl_batch_sum sum = sl_batch_write_sum(&records, 1);
    sl_batch_write_header(batch, &s, &sum);
    demand(sl_broker_log_append(w->broker, "t", partition, batch, SL_RECORD_HEADER_SIZE + size,
                                &offset) == 0);
}

static void start_world(struct fuzz_world *w) {
    struct sl_broker_options options;
    uint8_t choice = take_byte(w);
    sl_broker_options_init(&options);
    options.nodes = 3;
    options.max_frame = FUZZ_FRAME;
    options.auto_create = choice % 2 == 0;
    options.session_slots = choice / 2 % 4;
    options.memory_max = choice >= 128 ? 2000 : 0;
    demand(sl_broker_create(&options, &w->pool->alloc, 1, &w->broker) == 0);
    demand(sl_broker_create_topic(w->broker, "t", 2, 2) == 0);
    append_record(w, 0);
    append_record(w, 1);
    for (int i = 0; i < FUZZ_LINKS; i++) accept_link(w, &w->links[i], 1 + i % 3, i >= 6);
}

/* Everything wakes up and is read: what is left of an answer then was never whole. Time stands, so
 * once there was nothing to read there is nothing more to come. */
static void settle_world(struct fuzz_world *w) {
    w->pool->shortage = 0;
    for (int32_t node = 1; node <= 3; node++) sl_broker_set_state(w->broker, node, SL_BROKER_UP);
    w->now += (int64_t)INT32_MAX * FUZZ_MS;
    bool is_any = true;
    for (int rounds = 0; is_any && rounds < FUZZ_SETTLING; rounds++) {
        run_broker(w);
        is_any = false;
        for (int i = 0; i < FUZZ_LINKS; i++)
            if (w->links[i].id != 0) is_any |= read_link(w, &w->links[i], SIZE_MAX);
    }
    run_broker(w);
    for (int i = 0; i < FUZZ_LINKS && !w->is_hostile; i++)
        demand(w->links[i].left == 0 && w->links[i].prefix_size == 0);
    sl_broker_check(w->broker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct fuzz_pool pool;
    static struct fuzz_world world;
    struct fuzz_world *w = &world;
    memset(w, 0, sizeof *w);
    fuzz_pool_init(&pool, FUZZ_MEMORY);
    w->pool = &pool;
    w->at = data;
    w->end = data + size;
    start_world(w);
    for (int i = 0; i < FUZZ_STEPS && w->at < w->end; i++) do_step(w);
    settle_world(w);
    sl_broker_destroy(w->broker);
    demand(pool.bytes == 0);
    return 0;
}
