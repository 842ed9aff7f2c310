/* Fetching from followers (KIP-392): from which broker a position is fetched.
 *
 * A Fetch tells client.rack. A leader that knows of a follower nearer to that rack answers with its
 * id, and without records; from then on the position stands in the session of that follower, for
 * metadata.max.age.ms and some, and then the leader is asked again:
 *
 *   at the leader ──it names a follower──▶ at the follower ──time is over──▶ at the leader
 *         ▲                                       │
 *         └─── rest ◀── refused, unreachable ─────┘
 *
 * Everything else is asked of the leader (ListOffsets, epochs), and what a follower says is no
 * verdict: whatever goes wrong there, also an offset out of range and a damaged batch, sends the
 * position to the leader, which then says what is so. That moves no position and tells no error.
 *
 * A position waits only so long for a connection to its follower: until that can be reached the leader
 * has records to give.
 *
 * Leaders go on naming a follower that does not answer until they notice themselves, after up to
 * replica.lag.time.max.ms (30 s), and give no records meanwhile. So a position that comes back from
 * a follower rests: until then the Fetches to its leader do not tell the rack, and are answered with
 * records. Other positions of that session, if they have no follower yet, wait for theirs as long.
 *
 * A lease is of a place in the log and a leader: a seek, a reset and another leader end it, because
 * only the leader knows which follower has that place. A pause does not.
 *
 * A follower hears of the high watermark later than its leader. What is known of it never goes back
 * by what a follower says, so lag and the end of a partition are those of the leader, as far as
 * they are known. */
#include "core/fetch.h"
#include "core/unit.h"
#include "wire/messages.h"

enum {
    /* Rest after a follower failed, and with each time that it does so again twice as long. A Fetch
     * to one that says nothing holds records up until it times out. One that metadata does not know,
     * or that cannot be reached, costs an answer without records, and may be back soon. */
    FOLLOWER_REST_MS = 1000,
    FOLLOWER_REST_MOST_MS = 60000,
    FOLLOWER_REST_UNKNOWN_MS = 10000,
    FOLLOWER_CONNECT_MS = 500, /* that long positions wait for a connection, and between looks */
    FOLLOWER_SLACK = 16        /* leases that end within this part of their time end together */
};

/* How long a lease is. The follower may have a request that has to end first: that is no part of it,
 * or with a metadata.max.age.ms below fetch.max.wait.ms nothing would ever be read there. */
static int64_t lease_ms(const struct sl_settings *settings) {
    return (int64_t)settings->metadata_max_age_ms + settings->fetch_max_wait_ms;
}

static bool is_leased(const struct sl_fetch_position *position) {
    return position->near.until != 0;
}

/* Not from a follower for a while: no lease that would be refused again at once. */
static void rest_position(struct sl_core *core, struct sl_fetch_position *position, int32_t most_ms,
                          const char *why) {
    struct sl_fetch_near *near = &position->near;
    sl_core_log(core, SL_LOG_DEBUG, "%s-%d: %s (broker %d): fetching from the leader",
                position->name, (int)position->index, why, (int)near->node);
    near->until = 0;
    near->rest_until = core->now + sl_core_backoff(core, FOLLOWER_REST_MS, most_ms, near->failures);
    near->failures++;
}

struct sl_broker *sl_fetch_follower_pick(struct sl_core *core, struct sl_fetch_position *position) {
    struct sl_fetch_near *near = &position->near;
    if (position->partition == NULL) return NULL;
    if (is_leased(position)) {
        struct sl_broker *follower = sl_brokers_find(core, near->node);
        if (follower != NULL) return follower;
        rest_position(core, position, FOLLOWER_REST_UNKNOWN_MS, "metadata has lost the follower");
        sl_metadata_refresh(core, position->topic);
    }
    return sl_brokers_find(core, position->partition->leader);
}

/* Whether a position may be at the follower whose connection this is. */
static bool may_wait_for(struct sl_core *core, const struct sl_link *link) {
    if (link == NULL || sl_link_is_up(link)) return link != NULL;
    int64_t until = link->opened_at + FOLLOWER_CONNECT_MS * SL_MS;
    if (!sl_link_is_opening(link) || until <= core->now) return false;
    if (until < core->fetcher.leases_at) core->fetcher.leases_at = until;
    return true;
}

/* Whether the follower can be asked. If not, it is looked at again after a rest. */
static bool reach_follower(struct sl_core *core, struct sl_fetch_position *position) {
    struct sl_fetch_near *near = &position->near;
    struct sl_broker *follower = sl_brokers_find(core, near->node);
    if (follower == NULL) {
        rest_position(core, position, FOLLOWER_REST_UNKNOWN_MS, "metadata lacks the follower");
        sl_metadata_refresh(core, position->topic);
        return false;
    }
    struct sl_link *link = sl_brokers_link(follower, SL_PURPOSE_FETCH);
    if (may_wait_for(core, link)) return true;
    if (link == NULL)
        rest_position(core, position, FOLLOWER_REST_UNKNOWN_MS, "no connection to the follower");
    else
        near->rest_until = core->now + FOLLOWER_CONNECT_MS * SL_MS;
    return false;
}

void sl_fetch_follower_take(struct sl_core *core, struct sl_fetch_position *position,
                            int32_t node) {
    struct sl_fetch_near *near = &position->near;
    struct sl_fetch_session *session = position->session;
    if (session == NULL || session->broker->id != position->partition->leader) return;
    if (node < 0 || node == session->broker->id || near->rest_until > core->now) return;
    near->node = node;
    if (!reach_follower(core, position)) {
        sl_fetch_session_rest(session, position);
        return;
    }
    near->until = core->now + lease_ms(core->settings) * SL_MS;
    if (near->until < core->fetcher.leases_at) core->fetcher.leases_at = near->until;
    sl_core_log(core, SL_LOG_DEBUG, "%s-%d: fetching from broker %d, a follower that is near",
                position->name, (int)position->index, (int)node);
    sl_fetch_place(core, position);
}

void sl_fetch_follower_forget(struct sl_fetch_position *position) { position->near.until = 0; }

bool sl_fetch_follower_fail(struct sl_core *core, struct sl_fetch_position *position,
                            const char *why) {
    if (!is_leased(position)) return false;
    rest_position(core, position, FOLLOWER_REST_MOST_MS, why);
    sl_fetch_place(core, position);
    return true;
}

void sl_fetch_follower_leave(struct sl_fetch_session *session, const char *why) {
    struct sl_list *lists[] = {&session->changed, &session->settled};
    struct sl_core *core = session->core;
    session->is_follower = false;
    for (int i = 0; i < 2; i++) {
        SL_LIST_EACH(node, next, lists[i]) {
            struct sl_fetch_position *position = SL_LIST_OF(node, struct sl_fetch_position, node);
            if (!is_leased(position)) continue;
            rest_position(core, position, FOLLOWER_REST_MOST_MS, why);
            sl_fetch_displace(core, position);
            sl_fetch_await_leader(core, position);
            core->fetcher.homeless_at = core->now;
        }
    }
}

void sl_fetch_follower_try(struct sl_fetch_session *session, const struct sl_link *link) {
    if (session->is_follower && !may_wait_for(session->core, link))
        sl_fetch_follower_leave(session, "there is no connection");
}

void sl_fetch_follower_hear(const struct sl_fetch_position *position,
                            struct sl_fetch_partition_response *answer) {
    if (!is_leased(position)) return;
    if (answer->high_watermark < position->high_watermark)
        answer->high_watermark = position->high_watermark;
    if (answer->last_stable_offset < position->last_stable)
        answer->last_stable_offset = position->last_stable;
}

void sl_fetch_follower_run(struct sl_core *core) {
    struct sl_fetcher *f = &core->fetcher;
    if (core->now < f->leases_at) return;
    int64_t slack = lease_ms(core->settings) * SL_MS / FOLLOWER_SLACK;
    f->leases_at = SL_NEVER;
    for (uint32_t i = 0; i < f->slot_count; i++) {
        struct sl_fetch_position *position = f->slots[i];
        if (position == NULL || !is_leased(position)) continue;
        if (position->near.until > core->now + slack) {
            if (position->near.until < f->leases_at) f->leases_at = position->near.until;
            continue;
        }
        position->near.until = 0;
        position->near.failures = 0;
        if (position->session != NULL) sl_fetch_place(core, position);
    }
}

void sl_fetch_follower_check(const struct sl_fetch_position *position) {
    const struct sl_fetch_session *session = position->session;
    if (session == NULL) return;
    SL_ASSERT(session->broker->id ==
              (is_leased(position) ? position->near.node : position->partition->leader));
}
