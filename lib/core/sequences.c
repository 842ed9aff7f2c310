/* Sequences of an idempotent producer (KIP-98, KIP-360; protocol notes 3.5).
 *
 * A batch gets producer id, epoch and sequence when it is first picked for sending. From then on it
 * is resent with identical bytes, whatever happens, unless it is certainly not in the log: only
 * then may it be numbered anew.
 *
 * A partition counts under (producer_id, epoch), which it takes over from the client's identity
 * when none of its sequences is out. So when the epoch rises because of another partition, this one
 * finishes what it has under the old epoch, which the broker accepts: epochs are fenced per
 * partition.
 *
 *   counting ──sent batch expires──▶ unresolved ──a later sequence is acked──▶ counting
 *      │                                 └──nothing is out any more──▶ epoch bump, from 0
 *      └──first batch out is refused (45, 47, 59), or the topic is a new one──▶ epoch bump, from 0
 *
 * While unresolved, nothing gets a new sequence; what has one goes on being sent. A batch that was
 * certainly not written leaves a hole too, unless nothing behind it is out: then the count goes
 * back by it and the hole never existed. After a bump, what may have been written is given up as
 * MAYBE_WRITTEN: numbered anew, it could be in the log twice. Not so when the topic is a new one and
 * every request gave the old one's id: such a batch cannot be in the new log, and is written there.
 *
 * Invariants: in `sealed`, batches with a sequence come before those without; next_sequence is what
 * follows the last one given. */
#include "core/sequences.h"

#include "core/unit.h"
#include "record/batch_write.h"
#include "sluice/error.h"

/* Sequences wrap at 2^31; those that are out are close together. */
static bool is_sequence_after(int32_t a, int32_t b) {
    uint32_t distance = ((uint32_t)a - (uint32_t)b) & 0x7fffffffU;
    return distance != 0 && distance < 0x40000000U;
}

static bool is_identity_current(const struct sl_core *core, const struct sl_partition *p) {
    return p->produce.producer_id == core->producer_id.id &&
           p->produce.epoch == core->producer_id.epoch;
}

static bool is_counted(const struct sl_partition *p, const struct sl_batch *batch) {
    return batch->sequence >= 0 && batch->producer_id == p->produce.producer_id &&
           batch->epoch == p->produce.epoch;
}

bool sl_sequences_is_stale(const struct sl_partition *p, const struct sl_batch *batch) {
    return batch->sequence >= 0 && !is_counted(p, batch);
}

bool sl_sequences_may_assign(struct sl_core *core, struct sl_partition *p) {
    struct sl_partition_produce *pp = &p->produce;
    if (pp->unresolved || !sl_producer_id_is_known(core)) return false;
    if (is_identity_current(core, p)) return true;
    if (pp->in_flight_count > 0) return false;
    pp->producer_id = core->producer_id.id;
    pp->epoch = core->producer_id.epoch;
    pp->next_sequence = 0;
    pp->is_begun = false;
    /* A broker that has nothing of an identity yet takes any first sequence: were the first batch
     * refused and the second taken, the first could never be written behind it. */
    pp->one_at_a_time = true;
    return true;
}

void sl_sequences_assign(struct sl_core *core, struct sl_batch *batch) {
    struct sl_partition_produce *pp = &batch->partition->produce;
    if (!core->settings->idempotence) {
        if (!batch->headed) sl_batch_identify(batch, -1, -1, -1);
        return;
    }
    if (batch->sequence >= 0) return;
    SL_ASSERT(is_identity_current(core, batch->partition) && !pp->unresolved);
    sl_batch_identify(batch, pp->producer_id, pp->epoch, pp->next_sequence);
    pp->next_sequence = sl_batch_write_sequence(pp->next_sequence, batch->count);
}

void sl_sequences_on_written(struct sl_partition *p, const struct sl_batch *batch) {
    struct sl_partition_produce *pp = &p->produce;
    if (is_counted(p, batch)) pp->is_begun = true;
    /* The broker takes no sequence before those in front of it: the hole was written. */
    if (pp->unresolved && is_counted(p, batch) &&
        (batch->sequence == pp->hole || is_sequence_after(batch->sequence, pp->hole)))
        pp->unresolved = false;
}

/* Something that comes behind the batch may be on its way to the broker, or there. */
static bool has_later_out(const struct sl_partition *p, const struct sl_batch *batch) {
    SL_LIST_EACH(it, tmp, &p->produce.in_flight) {
        const struct sl_batch *other = SL_LIST_OF(it, struct sl_batch, node);
        if (other != batch && is_counted(p, other) && other->serial > batch->serial) return true;
    }
    SL_LIST_EACH(it, tmp, &p->produce.sealed) {
        const struct sl_batch *other = SL_LIST_OF(it, struct sl_batch, node);
        if (other->sequence < 0) break;
        if (other->serial > batch->serial && other->maybe_here) return true;
    }
    return false;
}

/* What comes behind the batch was never sent: it is numbered anew. */
static void take_numbers_back(struct sl_partition *p, const struct sl_batch *batch) {
    SL_LIST_EACH(it, tmp, &p->produce.sealed) {
        struct sl_batch *other = SL_LIST_OF(it, struct sl_batch, node);
        if (other->sequence < 0) break;
        if (other->serial > batch->serial) other->sequence = -1;
    }
}

void sl_sequences_on_lost(struct sl_core *core, struct sl_partition *p,
                          const struct sl_batch *batch, bool certain) {
    struct sl_partition_produce *pp = &p->produce;
    if (!core->settings->idempotence || !is_counted(p, batch)) return;
    bool is_last = !has_later_out(p, batch);
    if (certain && is_last) { /* its sequences were never used */
        take_numbers_back(p, batch);
        pp->next_sequence = batch->sequence;
        return;
    }
    /* Nothing says whether a broker that has nothing of this identity has seen the batch: it would
     * take what comes behind it either way. */
    if (is_last && !pp->is_begun) take_numbers_back(p, batch);
    if (!pp->unresolved || is_sequence_after(pp->hole, batch->sequence)) pp->hole = batch->sequence;
    pp->unresolved = true;
}

static struct sl_batch *first_sealed(const struct sl_partition *p) {
    if (sl_list_is_empty(&p->produce.sealed)) return NULL;
    return SL_LIST_OF(p->produce.sealed.next, struct sl_batch, node);
}

void sl_sequences_settle(struct sl_core *core, struct sl_partition *p) {
    struct sl_partition_produce *pp = &p->produce;
    if (!pp->unresolved || pp->in_flight_count > 0) return;
    const struct sl_batch *head = first_sealed(p);
    if (head != NULL && head->sequence >= 0) return;
    if (is_identity_current(core, p))
        sl_producer_id_bump(core, "the fate of a batch could not be learnt");
    pp->unresolved = false;
    pp->producer_id = -1;
    pp->epoch = -1;
}

void sl_sequences_restart(struct sl_core *core, struct sl_partition *p, int code) {
    struct sl_partition_produce *pp = &p->produce;
    if (is_identity_current(core, p))
        sl_producer_id_bump(core, "the sequences of a partition start over");
    pp->unresolved = false;
    pp->producer_id = -1;
    pp->epoch = -1;
    pp->acked_offset = -1;
    for (struct sl_list *it = pp->sealed.next, *next; it != &pp->sealed; it = next) {
        struct sl_batch *batch = SL_LIST_OF(it, struct sl_batch, node);
        next = it->next;
        if (batch->sequence < 0) break;
        if (batch->maybe_here)
            sl_sender_give_up(core, batch, code);
        else
            batch->sequence = -1;
    }
}

void sl_sequences_on_recreated(struct sl_core *core, struct sl_partition *p) {
    SL_LIST_EACH(it, tmp, &p->produce.sealed) {
        struct sl_batch *batch = SL_LIST_OF(it, struct sl_batch, node);
        if (!batch->named) batch->maybe_here = false;
    }
    sl_sequences_restart(core, p, SLUICE_ERR_MAYBE_WRITTEN);
}

bool sl_sequences_is_first(const struct sl_partition *p, const struct sl_batch *batch) {
    SL_LIST_EACH(it, tmp, &p->produce.in_flight) {
        const struct sl_batch *other = SL_LIST_OF(it, struct sl_batch, node);
        if (!other->reported && other->serial < batch->serial) return false;
    }
    const struct sl_batch *head = first_sealed(p);
    return head == NULL || head->serial > batch->serial;
}
