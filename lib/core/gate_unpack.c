/* Which slices are decompressed ahead, and their memory.
 *
 * The application decompresses what it takes when nobody has done so before. Ahead of it, a host's
 * workers do the same for the slices that are handed out after the next one: never for the first in
 * line, which an application that waits gets at once. A slice whose job is out is passed over while
 * another partition has something; only when there is nothing else does a poll wait for a worker.
 * So the application and the workers share the work, whoever of them is faster.
 *
 * No more than a few slices are ahead, of bounded size each, because what is decompressed is larger
 * than what was fetched. It counts in the receiving account, spares too.
 *
 *   (none) ──chosen──▶ out ──back──▶ the slice's ──slice given back, or gone──▶ spare ──▶ out …
 *                       └── slice gone ──▶ out, nobody's ──back──▶ spare
 *
 * Spares keep their memory: fresh pages cost a good part of what decompressing into them does. */
#include "base/assert.h"
#include "core/gate_slots.h"
#include "core/unpack.h"

enum {
    UNPACK_AHEAD = 3,       /* slices that are, or are being, unpacked before they are handed out */
    UNPACK_SPARES = 4,      /* one more, for the one in hand */
    UNPACK_PARTS = 16,      /* of the receiving account: what one may have … */
    UNPACK_BYTES = 4 << 20, /* … and at most */
    UNPACK_LOOKED_AT = 16,  /* partitions whose turn it is next: arbitrary */
    UNPACK_BYTES_A_US = 300 /* of input, in a microsecond of work: an order of magnitude */
};

void sl_gate_unpack_init(struct sl_gate *g) { sl_list_init(&g->unpacks.spares); }

static void charge_unpack(struct sl_gate *g, struct sl_unpack *u, int64_t bytes) {
    g->used += bytes - u->charged;
    g->freed -= bytes - u->charged;
    u->charged = bytes;
}

static void destroy_unpack(struct sl_gate *g, struct sl_unpack *u) {
    charge_unpack(g, u, 0);
    sl_unpack_destroy(g->alloc, u);
}

void sl_gate_unpack_deinit(struct sl_gate *g) {
    struct sl_list *node;
    SL_ASSERT(g->unpacks.out == 0);
    while ((node = sl_list_pop_front(&g->unpacks.spares)) != NULL)
        destroy_unpack(g, SL_LIST_OF(node, struct sl_unpack, node));
}

void sl_gate_set_jobs(struct sl_gate *g, int32_t most, int32_t least_us) {
    g->unpacks.most = most;
    g->unpacks.least = (size_t)least_us * UNPACK_BYTES_A_US;
}

/* ---- memory ---- */

static size_t most_of_one(const struct sl_gate *g) {
    int64_t part = g->settings->fetch_memory / UNPACK_PARTS;
    return part < UNPACK_BYTES ? (size_t)part : UNPACK_BYTES;
}

static struct sl_unpack *take_spare(struct sl_gate *g) {
    struct sl_list *node = sl_list_pop_front(&g->unpacks.spares);
    if (node == NULL) return sl_unpack_create(g->alloc);
    g->unpacks.spare_count--;
    return SL_LIST_OF(node, struct sl_unpack, node);
}

/* One that has grown beyond what it should have, for a batch that is larger, is not kept. */
static void give_spare(struct sl_gate *g, struct sl_unpack *u) {
    bool is_kept = g->unpacks.spare_count < UNPACK_SPARES &&
                   u->charged <= 2 * (int64_t)most_of_one(g) + SL_GATE_ROOM_MIN;
    if (!is_kept) {
        destroy_unpack(g, u);
        return;
    }
    sl_list_push_front(&g->unpacks.spares, &u->node);
    g->unpacks.spare_count++;
}

static void set_ahead(struct sl_gate *g, struct sl_unpack *u, bool is_ahead) {
    g->unpacks.ahead += (int32_t)is_ahead - (int32_t)u->is_ahead;
    u->is_ahead = is_ahead;
}

void sl_gate_unpack_drop(struct sl_gate *g, struct sl_slice *slice) {
    struct sl_unpack *u = slice->unpack;
    if (u == NULL) return;
    set_ahead(g, u, false);
    slice->unpack = NULL;
    u->slice = NULL;
    if (!u->is_out) give_spare(g, u);
}

/* ---- slices ---- */

bool sl_gate_unpack_is_under_way(const struct sl_gate_slot *slot) {
    const struct sl_slice *slice = SL_LIST_OF(slot->queue.next, struct sl_slice, node);
    return slice->unpack != NULL && slice->unpack->is_out;
}

int64_t sl_gate_unpack_weight(const struct sl_slice *slice) {
    return (int64_t)slice->size + (slice->unpack == NULL ? 0 : slice->unpack->charged);
}

void sl_gate_unpack_on_moved(struct sl_gate *g, struct sl_slice *slice, bool is_in_hand) {
    if (slice->unpack != NULL) set_ahead(g, slice->unpack, !is_in_hand);
    g->in_hand += is_in_hand ? sl_gate_unpack_weight(slice) : -sl_gate_unpack_weight(slice);
}

/* ---- choosing ---- */

static bool is_worth_unpacking(const struct sl_gate *g, const struct sl_slice *slice) {
    return slice->is_packed && slice->unpack == NULL && slice->size >= g->unpacks.least;
}

/* Of the partition whose turn it is, behind the slice that is handed out next. */
static struct sl_slice *choose_behind(const struct sl_gate *g, struct sl_gate_slot *slot) {
    int32_t looked = 0;
    SL_LIST_EACH(it, tmp, &slot->queue) {
        struct sl_slice *slice = SL_LIST_OF(it, struct sl_slice, node);
        if (looked > 0 && is_worth_unpacking(g, slice)) return slice;
        if (++looked > UNPACK_AHEAD) break;
    }
    return NULL;
}

/* NULL: none, or enough are ahead. */
static struct sl_slice *choose_slice(struct sl_gate *g) {
    struct sl_gate_slot *first = NULL;
    int32_t looked = 0;
    const struct sl_gate_unpacks *all = &g->unpacks;
    if (!all->is_of_use || all->out >= all->most || all->ahead >= UNPACK_AHEAD) return NULL;
    SL_LIST_EACH(it, tmp, &g->ready) {
        struct sl_gate_slot *slot = SL_LIST_OF(it, struct sl_gate_slot, ready);
        struct sl_slice *slice = SL_LIST_OF(slot->queue.next, struct sl_slice, node);
        if (first != NULL && is_worth_unpacking(g, slice)) return slice;
        if (first == NULL) first = slot;
        if (++looked == UNPACK_LOOKED_AT) break;
    }
    return first == NULL ? NULL : choose_behind(g, first);
}

bool sl_gate_unpack_is_wanted(struct sl_gate *g) { return choose_slice(g) != NULL; }

void sl_gate_take_jobs(struct sl_gate *g, struct sl_list *jobs) {
    struct sl_slice *slice;
    while ((slice = choose_slice(g)) != NULL) {
        struct sl_unpack *u = take_spare(g);
        if (u == NULL) return; /* the application does it */
        sl_unpack_aim(u, slice, (size_t)g->settings->batch_decoded_max, most_of_one(g));
        u->slice = slice;
        u->owner = slice->owner;
        u->is_out = true;
        slice->unpack = u;
        set_ahead(g, u, true);
        sl_gate_slots_hold_answer(u->owner);
        g->unpacks.out++;
        sl_list_push_back(jobs, &u->job.node);
    }
}

void sl_gate_on_job(struct sl_gate *g, struct sl_job *job) {
    struct sl_unpack *u = SL_LIST_OF(job, struct sl_unpack, job);
    SL_ASSERT(u->is_out && g->unpacks.out > 0);
    g->unpacks.out--;
    u->is_out = false;
    charge_unpack(g, u, sl_unpack_bytes(u));
    sl_gate_slots_release_answer(g, u->owner);
    if (u->slice == NULL) give_spare(g, u);
}

/* ---- invariants ---- */

void sl_gate_unpack_check(const struct sl_gate *g) {
    int32_t ahead = 0;
    for (uint32_t i = 0; i < g->slot_count; i++) {
        SL_LIST_EACH(it, tmp, &g->slots[i]->queue) {
            const struct sl_slice *slice = SL_LIST_OF(it, struct sl_slice, node);
            if (slice->unpack == NULL) continue;
            SL_ASSERT(slice->unpack->slice == slice && slice->unpack->is_ahead);
            ahead++;
        }
        SL_LIST_EACH(it, tmp, &g->slots[i]->hand) {
            const struct sl_slice *slice = SL_LIST_OF(it, struct sl_slice, node);
            SL_ASSERT(slice->unpack == NULL ||
                      (!slice->unpack->is_out && !slice->unpack->is_ahead));
        }
    }
    SL_ASSERT(ahead == g->unpacks.ahead && ahead <= UNPACK_AHEAD + 1);
    SL_ASSERT(g->unpacks.out >= 0 && g->unpacks.out <= g->unpacks.most);
}
