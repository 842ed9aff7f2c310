/* The ledger of records and the reading of logs; see truth.h.
 *
 * Invariants checked here, by their names in the reference on reliability:
 *   I1  each accepted record has exactly one report, before close returns
 *   I2  the truth table: WRITTEN(offset) is there; NOT_WRITTEN is nowhere; MAYBE at most once
 *   I3  no record twice, of an idempotent producer
 *   I5  what was acknowledged is in the log
 *   I6  records of one producer are in a partition in the order in which they were sent
 *   I7  in a log, sequences of a producer id have no gap and never come again
 * and that every record is whole, and where it was sent to, by partition or by key. */
#include "sim/truth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/batch_read.h"
#include "record/batch_write.h"
#include "sluice/kafka_errors.h"
#include "sluice/producer.h"
#include "wire/api.h"

enum { TRUTH_DECODED_MAX = 16 * 1024 * 1024 };

static const char *outcome_name(int outcome) {
    switch (outcome) {
    case SLUICE_WRITTEN:
        return "WRITTEN";
    case SLUICE_NOT_WRITTEN:
        return "NOT_WRITTEN";
    case SLUICE_MAYBE_WRITTEN:
        return "MAYBE_WRITTEN";
    default:
        return "no outcome";
    }
}

/* ---- life ---- */

void truth_init(struct truth *t, struct world *w, struct tap *tap) {
    *t = (struct truth){.world = w, .tap = tap};
    if (sl_compress_create(sl_alloc_default(), &t->codecs) != 0) abort();
    t->content = malloc(sizeof *t->content);
    t->sending = malloc(sizeof *t->sending);
    if (t->content == NULL || t->sending == NULL) abort();
}

static void free_life(struct truth_life *life) {
    for (int32_t p = 0; p < life->partition_count; p++) {
        for (int32_t i = 0; i < life->logs[p].cut_count; i++) free(life->logs[p].cuts[i].ids);
        free(life->logs[p].ids);
        free(life->logs[p].last);
        free(life->logs[p].last_id);
    }
    free(life->logs);
}

void truth_deinit(struct truth *t) {
    for (int32_t i = 0; i < t->topic_count; i++) {
        for (int32_t k = 0; k < t->topics[i].life_count; k++) free_life(&t->topics[i].lives[k]);
    }
    for (int32_t i = 0; i < t->producer_count; i++) {
        for (int64_t n = 0; n < t->producers[i].count; n++) free(t->producers[i].records[n].lent);
        free(t->producers[i].records);
    }
    sl_compress_destroy(t->codecs);
    free(t->content);
    free(t->sending);
}

int32_t truth_add_topic(struct truth *t, const char *name, int32_t partitions) {
    if (t->topic_count == TRUTH_TOPICS) abort();
    struct truth_topic *topic = &t->topics[t->topic_count];
    snprintf(topic->name, sizeof topic->name, "%s", name);
    topic->partition_count = partitions;
    return t->topic_count++;
}

int32_t truth_find_topic(const struct truth *t, const char *name) {
    for (int32_t i = 0; i < t->topic_count; i++)
        if (strcmp(t->topics[i].name, name) == 0) return i;
    return -1;
}

int32_t truth_add_producer(struct truth *t, const struct content_profile *profile, int32_t host,
                           int16_t acks, bool idempotent) {
    if (t->producer_count == TRUTH_PRODUCERS) return -1;
    struct truth_producer *p = &t->producers[t->producer_count];
    *p = (struct truth_producer){
        .profile = *profile, .host = host, .acks = acks, .idempotent = idempotent};
    return t->producer_count++;
}

/* ---- records ---- */

static struct truth_producer *find_producer(struct truth *t, uint64_t id) {
    uint64_t index = id >> 32;
    return index >= 1 && index <= (uint64_t)t->producer_count ? &t->producers[index - 1] : NULL;
}

struct truth_record *truth_find(struct truth *t, uint64_t id) {
    struct truth_producer *p = find_producer(t, id);
    int64_t n = (int64_t)(id & UINT32_MAX);
    return p != NULL && n < p->count ? &p->records[n] : NULL;
}

uint64_t truth_new_record(struct truth *t, int32_t producer, int32_t topic, int32_t partition) {
    struct truth_producer *p = &t->producers[producer];
    if (p->count == p->cap) {
        p->cap = p->cap == 0 ? 256 : 2 * p->cap;
        p->records = realloc(p->records, (size_t)p->cap * sizeof *p->records);
        if (p->records == NULL) abort();
    }
    p->records[p->count] = (struct truth_record){
        .topic = topic, .partition = partition, .reported_offset = -1, .reported_partition = -1};
    return (uint64_t)(producer + 1) << 32 | (uint64_t)p->count++;
}

void truth_accepted(struct truth *t, uint64_t id, bool is_accepted) {
    struct truth_producer *p = find_producer(t, id);
    struct truth_record *r = truth_find(t, id);
    if (!is_accepted) {
        free(r->lent);
        r->lent = NULL;
        if (r->outcome != 0) world_violate(t->world, "I1: a refused record was reported");
        return;
    }
    r->is_accepted = true;
    r->accepted_at = t->world->now;
    p->accepted++;
    p->undecided++;
}

const struct content *truth_content(struct truth *t, uint64_t id) {
    struct truth_producer *p = find_producer(t, id);
    content_make(&p->profile, id, t->content);
    return t->content;
}

const struct content *truth_to_send(struct truth *t, uint64_t id) {
    struct truth_producer *p = find_producer(t, id);
    content_make(&p->profile, id, t->sending);
    return t->sending;
}

const void *truth_lend(struct truth *t, uint64_t id) {
    const struct content *c = truth_to_send(t, id);
    struct truth_record *r = truth_find(t, id);
    r->lent = malloc((size_t)c->value_size);
    if (r->lent == NULL) abort();
    memcpy(r->lent, c->value, (size_t)c->value_size);
    return r->lent;
}

/* The memory is the application's again: as it was, and used for something else from now on. */
static void take_lent_back(struct truth *t, uint64_t id, struct truth_record *r) {
    const struct content *c = truth_content(t, id);
    if (memcmp(r->lent, c->value, (size_t)c->value_size) != 0)
        world_violate(t->world, "the borrowed value of %" PRIx64 " was changed", id);
    memset(r->lent, 0xee, (size_t)c->value_size);
    free(r->lent);
    r->lent = NULL;
}

void truth_reported(struct truth *t, int32_t producer, uint64_t id, int outcome, int code,
                    const char *topic, int32_t partition, int64_t offset) {
    struct world *w = t->world;
    struct truth_record *r = truth_find(t, id);
    struct truth_producer *p = find_producer(t, id);
    if (r == NULL || p != &t->producers[producer] || !r->is_accepted) {
        world_violate(w, "I1: a report for %" PRIx64 ", which was not accepted", id);
        return;
    }
    if (r->outcome != 0) {
        world_violate(w, "I1: a second report for %" PRIx64 ": %s after %s", id,
                      outcome_name(outcome), outcome_name(r->outcome));
    }
    if (outcome < SLUICE_WRITTEN || outcome > SLUICE_MAYBE_WRITTEN ||
        (outcome == SLUICE_WRITTEN) != (code == 0))
        world_violate(w, "%" PRIx64 " has outcome %d with code %d", id, outcome, code);
    if (topic == NULL || strcmp(topic, t->topics[r->topic].name) != 0)
        world_violate(w, "%" PRIx64 " is reported for topic %s", id, topic == NULL ? "?" : topic);
    if (r->partition != -1 && partition != r->partition && partition != -1)
        world_violate(w, "%" PRIx64 " is reported for partition %d, not %d", id, partition,
                      r->partition);
    if (r->lent != NULL) take_lent_back(t, id, r);
    w->hits[HIT_DISCARDED] += code == SLUICE_ERR_NOT_WRITTEN;
    w->hits[HIT_LARGE] += code == SLUICE_KAFKA_MESSAGE_TOO_LARGE;
    r->outcome = (int16_t)outcome;
    r->code = code;
    r->reported_partition = partition;
    r->reported_offset = offset;
    p->undecided--;
    p->outcomes[outcome - SLUICE_WRITTEN]++;
}

/* With records that a broker names: those have its words, and the others of their batch ours. */
static void check_words(struct truth *t, uint64_t id, bool has_key, const char *text) {
    const char *due = has_key ? "dropped because another record" : "no key, and the topic";
    t->world->hits[has_key ? HIT_DRAGGED : HIT_NAMED]++;
    if (text == NULL || strncmp(text, due, strlen(due)) != 0)
        world_violate(t->world, "%" PRIx64 " %s a key, and was refused with \"%s\"", id,
                      has_key ? "has" : "lacks", text == NULL ? "" : text);
}

void truth_told(struct truth *t, uint64_t id, int outcome, int code, const char *text) {
    const struct truth_record *r = truth_find(t, id);
    if (r == NULL) return; /* complained of already */
    const struct truth_topic *tt = &t->topics[r->topic];
    bool has_key = truth_content(t, id)->key_size >= 0;
    if (tt->is_compacted && !has_key && outcome == SLUICE_WRITTEN &&
        find_producer(t, id)->acks != 0)
        world_violate(t->world, "%" PRIx64 " is WRITTEN to %s, which takes no record without a key",
                      id, tt->name);
    if (code != SLUICE_KAFKA_INVALID_RECORD || !t->is_strict) return;
    if (!tt->is_compacted)
        world_violate(t->world, "%" PRIx64 " was refused by %s, which takes all", id, tt->name);
    else if (t->names_records)
        check_words(t, id, has_key, text);
}

/* ---- reading the logs ---- */

struct truth_log *truth_log(const struct truth *t, int32_t topic, int32_t partition) {
    const struct truth_topic *tt = &t->topics[topic];
    if (!tt->exists || tt->life_count == 0) return NULL;
    const struct truth_life *life = &tt->lives[tt->life_count - 1];
    return partition < life->partition_count ? &life->logs[partition] : NULL;
}

uint64_t truth_at(const struct truth *t, int32_t topic, int32_t life, int32_t partition,
                  int64_t offset) {
    const struct truth_topic *tt = &t->topics[topic];
    if (life < 0 || life >= tt->life_count) return 0;
    const struct truth_life *l = &tt->lives[life];
    if (partition < 0 || partition >= l->partition_count) return 0;
    const struct truth_log *log = &l->logs[partition];
    return offset >= 0 && offset < log->end ? log->ids[offset] : 0;
}

/* I6. A client that cannot raise the epoch (brokers before 2.5) gets a new producer id instead, and
 * then nothing stops an old batch that is still under way: it may come late, if nobody was told
 * what became of it. And a topic made again behind the back of a client that names topics, or a
 * leader whose log was cut, takes any of the batches under way first. */
static void check_order(struct truth *t, const struct truth_place *at, struct truth_log *log,
                        int32_t producer, int64_t n, int64_t producer_id) {
    int64_t *last = &log->last[producer], *last_id = &log->last_id[producer];
    const struct truth_producer *p = &t->producers[producer];
    bool is_behind = n <= *last;
    if (is_behind) world_note(t->world, WORLD_LATE, producer, n, *last);
    bool may_be = (at->life > 0 && t->names_topics) || log->cut_count > 0;
    if (is_behind && p->idempotent && !may_be) {
        if (*last_id == producer_id)
            world_violate(t->world,
                          "I6: %s-%d@%" PRId64 " has record %" PRId64
                          " of a producer after %" PRId64,
                          t->topics[at->topic].name, at->partition, at->offset, n, *last);
        if (p->records[n].copies == 1) p->records[n].is_late = true;
    }
    if (is_behind) return;
    *last = n;
    *last_id = producer_id;
}

/* Records with a key, of a topic whose partitions stayed what they were. */
static void check_placing(struct truth *t, const struct truth_place *at,
                          const struct truth_producer *p, const struct content *c) {
    const struct truth_placing *placing = &p->placing;
    bool has_key = c->key_size >= placing->least_key || (c->key_size < 0 && placing->hashes_null);
    if (placing->hash == TRUTH_NO_HASH || !has_key || t->topics[at->topic].life_count > 1) return;
    int32_t key = c->key_size > 0 ? c->key[0] - 'a' : 0;
    int32_t *placed = &t->placed[placing->hash][at->topic][key];
    if (*placed == 0) *placed = at->partition + 1;
    if (placing->hash == TRUTH_MURMUR2) {
        size_t size = c->key_size > 0 ? (size_t)c->key_size : 0;
        int32_t count = t->topics[at->topic].partition_count;
        *placed = sluice_producer_partition(c->key, size, count) + 1;
    }
    t->world->hits[HIT_PLACED]++;
    if (*placed != at->partition + 1)
        world_violate(t->world, "%s-%d@%" PRId64 " has a key that belongs into partition %d",
                      t->topics[at->topic].name, at->partition, at->offset, *placed - 1);
}

static void check_record(struct truth *t, const struct truth_place *at, struct truth_log *log,
                         int64_t producer_id, const struct sl_record_out *out) {
    struct world *w = t->world;
    const char *topic = t->topics[at->topic].name;
    uint64_t id =
        content_id(out->value, out->value_size, out->headers, out->headers_size, out->header_count);
    struct truth_record *r = truth_find(t, id);
    if (r == NULL) {
        world_violate(w, "%s-%d@%" PRId64 " holds a record that nobody sent (%" PRIx64 ")", topic,
                      at->partition, at->offset, id);
        return;
    }
    const char *wrong =
        content_compare(truth_content(t, id), out->key, out->key_size, out->value, out->value_size,
                        out->headers, out->headers_size, out->header_count, out->timestamp);
    if (wrong != NULL)
        world_violate(w,
                      "%s-%d@%" PRId64 ": %" PRIx64 " has %s than it was sent with (key %d of %d, "
                      "value %d of %d, headers %d of %d)",
                      topic, at->partition, at->offset, id, wrong, out->key_size,
                      t->content->key_size, out->value_size, t->content->value_size,
                      out->header_count, t->content->header_count);
    if (r->topic != at->topic || (r->partition != -1 && r->partition != at->partition))
        world_violate(w, "%" PRIx64 " was sent to %s-%d and is in %s-%d", id,
                      t->topics[r->topic].name, r->partition, topic, at->partition);
    struct truth_producer *p = find_producer(t, id);
    if (r->partition == -1 && !t->is_lied_to) check_placing(t, at, p, t->content);
    if (r->copies++ == 0)
        r->place = *at;
    else
        t->duplicates++;
    /* A topic made again knows nothing of what the one before it had, and a log that was cut
     * nothing of what lies before its start. */
    bool is_forgotten = log->cut_count > 0 && r->place.offset < log->start;
    if (p->idempotent && r->copies > 1 && r->place.life == at->life && !is_forgotten)
        world_violate(w, "I3: %" PRIx64 " is twice: %s-%d@%" PRId64 " and @%" PRId64, id, topic,
                      at->partition, r->place.offset, at->offset);
    check_order(t, at, log, (int32_t)(p - t->producers), (int64_t)(id & UINT32_MAX), producer_id);
    log->ids[at->offset] = id;
    t->records_in_logs++;
    tap_progress(t->tap, p->host);
}

/* I7, as far as logs show it: a new epoch begins at 0, and what follows has no gap. */
static void check_sequence(struct truth *t, const struct truth_place *at, struct truth_log *log,
                           const struct sl_batch_info *info) {
    if (info->producer_id < 0) return;
    struct truth_sequence *s = NULL;
    for (int32_t i = 0; i < log->sequence_count; i++)
        if (log->sequences[i].producer_id == info->producer_id) s = &log->sequences[i];
    if (s == NULL) {
        if (log->sequence_count == TRUTH_SEQUENCES) return;
        s = &log->sequences[log->sequence_count++];
        /* A topic made again knows of no producer: its first batch may have any sequence. After a
         * cut it is the leader that knows what is left. */
        bool is_first = at->life == 0 && log->cut_count == 0;
        *s = (struct truth_sequence){.producer_id = info->producer_id,
                                     .next = is_first ? 0 : info->base_sequence,
                                     .epoch = info->producer_epoch};
    }
    if (info->producer_epoch > s->epoch) {
        s->epoch = info->producer_epoch;
        s->next = 0;
    }
    if (info->producer_epoch < s->epoch || info->base_sequence != s->next)
        world_violate(t->world,
                      "I7: %s-%d@%" PRId64 " has producer %" PRId64 " epoch %d sequence %d where "
                      "epoch %d sequence %d was due",
                      t->topics[at->topic].name, at->partition, at->offset, info->producer_id,
                      info->producer_epoch, info->base_sequence, s->epoch, s->next);
    s->next = sl_batch_write_sequence(info->base_sequence, info->record_count);
}

static void reserve_log(struct truth *t, struct truth_log *log, int64_t end) {
    if (log->last == NULL) {
        log->last = malloc(TRUTH_PRODUCERS * sizeof *log->last);
        log->last_id = calloc(TRUTH_PRODUCERS, sizeof *log->last_id);
        if (log->last == NULL || log->last_id == NULL) abort();
        for (int i = 0; i < TRUTH_PRODUCERS; i++) log->last[i] = -1;
    }
    (void)t;
    if (end <= log->cap) return;
    int64_t cap = log->cap == 0 ? 64 : log->cap;
    while (cap < end) cap *= 2;
    log->ids = realloc(log->ids, (size_t)cap * sizeof *log->ids);
    if (log->ids == NULL) abort();
    memset(log->ids + log->cap, 0, (size_t)(cap - log->cap) * sizeof *log->ids);
    log->cap = cap;
}

static void read_batch(struct truth *t, struct truth_place *at, struct truth_log *log,
                       const uint8_t *data, size_t size) {
    struct sl_batch_info info;
    struct sl_batch_walk walk;
    struct sl_record_out out;
    struct sl_writer scratch;
    const uint8_t *records;
    size_t records_size;
    const char *topic = t->topics[at->topic].name;
    int rv = sl_batch_read_info(data, size, &info);
    if (rv == 0) rv = sl_batch_read_check(data, &info);
    sl_writer_init(&scratch, sl_alloc_default());
    if (rv == 0)
        rv = sl_batch_read_records(data, &info, t->codecs, TRUTH_DECODED_MAX, &scratch, &records,
                                   &records_size);
    if (rv != 0) {
        world_violate(t->world, "%s-%d@%" PRId64 " is no batch: %d", topic, at->partition,
                      at->offset, rv);
        log->end = INT64_MAX; /* nothing behind it is looked at */
        sl_writer_deinit(&scratch);
        return;
    }
    reserve_log(t, log, info.last_offset + 1);
    world_note(t->world, WORLD_LOGGED, at->partition, info.base_offset, info.base_sequence);
    world_note(t->world, WORLD_EPOCH, info.producer_id, info.producer_epoch, info.record_count);
    check_sequence(t, at, log, &info);
    tap_written(t->tap, at->partition, &info, data);
    sl_batch_read_start(&walk, &info, records, records_size);
    while ((rv = sl_batch_read_next(&walk, &out)) == 1) {
        at->offset = out.offset;
        check_record(t, at, log, info.producer_id, &out);
    }
    if (rv != 0) world_violate(t->world, "%s-%d has a malformed batch", topic, at->partition);
    log->end = info.last_offset + 1;
    sl_writer_deinit(&scratch);
}

static void read_log(struct truth *t, int32_t topic, int32_t partition) {
    struct truth_topic *tt = &t->topics[topic];
    struct truth_log *log = &tt->lives[tt->life_count - 1].logs[partition];
    struct sl_broker_log_view view;
    if (sl_broker_log(t->world->broker, tt->name, partition, &view) != 0) return;
    log->start = view.log_start;
    while (log->end < view.log_end && !world_is_broken(t->world)) {
        const uint8_t *data;
        size_t size;
        struct truth_place at = {
            .topic = topic, .life = tt->life_count - 1, .partition = partition, .offset = log->end};
        if (sl_broker_log_batch(t->world->broker, tt->name, partition, log->end, &data, &size) != 0)
            break;
        read_batch(t, &at, log, data, size);
    }
}

static void begin_life(struct truth *t, struct truth_topic *tt) {
    struct sl_broker_log_view view;
    t->world->hits[HIT_REMADE] += tt->life_count > 0;
    if (tt->life_count == TRUTH_LIVES) abort(); /* the plan makes fewer */
    struct truth_life *life = &tt->lives[tt->life_count++];
    life->partition_count = 0;
    while (sl_broker_log(t->world->broker, tt->name, life->partition_count, &view) == 0)
        life->partition_count++;
    life->logs = calloc((size_t)life->partition_count, sizeof *life->logs);
    if (life->logs == NULL) abort();
    tt->exists = true;
    world_note(t->world, WORLD_TOPIC, (int)(tt - t->topics), 1, 0);
}

/* A topic that shrank was deleted and made again between two looks. */
static void look_at_topic(struct truth *t, struct truth_topic *tt) {
    struct sl_broker_log_view view;
    bool exists = sl_broker_log(t->world->broker, tt->name, 0, &view) == 0;
    if (tt->exists && !exists) {
        tt->exists = false;
        world_note(t->world, WORLD_TOPIC, (int)(tt - t->topics), 0, 0);
    } else if (!tt->exists && exists) {
        begin_life(t, tt);
    }
}

void truth_scan(struct truth *t, bool everything) {
    const struct sl_broker_cluster *broker = t->world->broker;
    int64_t produces = sl_broker_seen(broker, SL_API_PRODUCE);
    int64_t others = sl_broker_seen(broker, SL_API_DELETE_TOPICS) +
                     sl_broker_seen(broker, SL_API_CREATE_TOPICS) +
                     sl_broker_seen(broker, SL_API_METADATA);
    bool topics_moved = everything || others != t->creates_seen;
    bool logs_moved = everything || produces != t->produces_seen;
    t->creates_seen = others;
    t->produces_seen = produces;
    if (!topics_moved && !logs_moved) return;
    for (int32_t i = 0; i < t->topic_count; i++) {
        struct truth_topic *tt = &t->topics[i];
        if (topics_moved || !tt->exists) look_at_topic(t, tt);
        if (!tt->exists || !logs_moved) continue;
        struct truth_life *life = &tt->lives[tt->life_count - 1];
        for (int32_t p = 0; p < life->partition_count; p++) read_log(t, i, p);
    }
}

/* ---- the end ---- */

static void settle_record(struct truth *t, const struct truth_producer *p, uint64_t id,
                          const struct truth_record *r) {
    struct world *w = t->world;
    const char *topic = t->topics[r->topic].name;
    if (!r->is_accepted) {
        if (r->copies > 0) world_violate(w, "I2: %" PRIx64 " was refused and is written", id);
        return;
    }
    if (r->outcome == 0) {
        world_violate(w, "I1: %" PRIx64 " (%s-%d) was never reported", id, topic, r->partition);
        return;
    }
    if (r->outcome == SLUICE_NOT_WRITTEN && r->copies > 0)
        world_violate(w, "I2: %" PRIx64 " is NOT_WRITTEN (code %d) and is %s-%d@%" PRId64, id,
                      r->code, topic, r->place.partition, r->place.offset);
    if (r->outcome != SLUICE_WRITTEN) return;
    if (r->is_late)
        world_violate(w, "I6: %" PRIx64 " is WRITTEN, and was overtaken in %s-%d", id, topic,
                      r->place.partition);
    if (p->acks == 0 || r->is_cut) return; /* nobody promised anything */
    if (r->copies == 0) {
        world_violate(w, "I5: %" PRIx64 " is WRITTEN to %s-%d@%" PRId64 " and is nowhere", id,
                      topic, r->reported_partition, r->reported_offset);
        return;
    }
    if (r->reported_partition != r->place.partition)
        world_violate(w, "I2: %" PRIx64 " is WRITTEN to %s-%d and is in %d", id, topic,
                      r->reported_partition, r->place.partition);
    if (r->reported_offset < 0) return;
    bool is_there = false;
    for (int32_t life = 0; life < t->topics[r->topic].life_count; life++)
        is_there |= truth_at(t, r->topic, life, r->reported_partition, r->reported_offset) == id;
    if (!is_there)
        world_violate(w, "I2: %" PRIx64 " is WRITTEN at %s-%d@%" PRId64 " and is at %" PRId64, id,
                      topic, r->reported_partition, r->reported_offset, r->place.offset);
}

void truth_settle(struct truth *t) {
    truth_scan(t, true);
    for (int32_t i = 0; i < t->producer_count; i++) {
        const struct truth_producer *p = &t->producers[i];
        for (int64_t n = 0; n < p->count && !world_is_broken(t->world); n++)
            settle_record(t, p, (uint64_t)(i + 1) << 32 | (uint64_t)n, &p->records[n]);
    }
}
