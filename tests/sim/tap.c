/* The wire tap; see tap.h. Frames are put together per link, and only Produce is looked into. */
#include "sim/tap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "record/batch_read.h"
#include "sim/host.h"
#include "sim/link.h"
#include "wire/frame.h"
#include "wire/messages/00_produce.h"

enum { TAP_FETCHED = 128 }; /* a longer answer to a Fetch has records, or is very large */

/* What distinguishes batches: never the same with other bytes. */
struct tap_key {
    struct sl_uuid topic_id;
    char topic[32];
    int64_t producer_id;
    int32_t partition;
    int32_t sequence;
    int32_t epoch;
};
struct tap_batch {
    uint64_t hash;
};
/* What a log shows of a batch: no topic, but the bytes. */
struct tap_written {
    int64_t producer_id;
    uint64_t hash;
    int32_t partition;
    int32_t sequence;
    int32_t epoch;
    int32_t unused;
};
/* A frame being put together. */
struct tap_frame {
    uint8_t *data;
    size_t size;
    size_t cap;
    int32_t host;     /* whose link it was, also after it closed */
    int64_t answered; /* bytes that had gone to the client at the last Fetch */
};

void tap_init(struct tap *t, struct world *w) {
    *t = (struct tap){.world = w};
    sl_map_init(&t->batches, sl_alloc_default());
    sl_map_init(&t->carried, sl_alloc_default());
    sl_map_init(&t->written, sl_alloc_default());
}

void tap_deinit(struct tap *t) {
    uint32_t at = 0;
    for (void *batch; (batch = sl_map_next(&t->batches, &at, NULL)) != NULL;) free(batch);
    sl_map_deinit(&t->batches);
    sl_map_deinit(&t->carried);
    sl_map_deinit(&t->written);
}

void tap_on_gone(struct tap *t, struct link *link) {
    struct tap_frame *f = link->tap;
    (void)t;
    if (f == NULL) return;
    free(f->data);
    free(f);
    link->tap = NULL;
}

/* ---- batches ---- */

static uint64_t hash_batch(const uint8_t *data, int32_t size) {
    /* What comes before the checksum is the broker's. */
    return world_hash_bytes(0, data + SL_RECORD_CRC, (size_t)size - SL_RECORD_CRC);
}

static struct tap_written written_key(const struct sl_batch_info *info, int32_t partition,
                                      uint64_t hash) {
    return (struct tap_written){.producer_id = info->producer_id,
                                .hash = hash,
                                .partition = partition,
                                .sequence = info->base_sequence,
                                .epoch = info->producer_epoch};
}

void tap_written(struct tap *t, int32_t partition, const struct sl_batch_info *info,
                 const uint8_t *data) {
    if (info->producer_id < 0) return;
    struct tap_written key = written_key(info, partition, hash_batch(data, info->size));
    if (sl_map_put(&t->written, &key, sizeof key, t) != 0) abort();
}

/* Records that were never sent before are progress, whatever becomes of them and however they are
 * numbered. */
static void look_at_records(struct tap *t, int32_t host, const struct sl_produce_partition *p) {
    uint64_t hash =
        world_hash_bytes((uint64_t)(uint32_t)p->partition, p->records.data + SL_RECORD_HEADER_SIZE,
                         (size_t)p->records.size - SL_RECORD_HEADER_SIZE);
    if (sl_map_get(&t->carried, &hash, sizeof hash) != NULL) return;
    if (sl_map_put(&t->carried, &hash, sizeof hash, t) != 0) abort();
    tap_progress(t, host);
}

static void look_at_batch(struct tap *t, int32_t host, const struct sl_produce_topic *topic,
                          const struct sl_produce_partition *p) {
    struct sl_batch_info info;
    struct world *w = t->world;
    int rv = sl_batch_read_info(p->records.data, (size_t)p->records.size, &info);
    if (rv != 0 || info.size != p->records.size ||
        sl_batch_read_check(p->records.data, &info) != 0) {
        world_violate(w, "a Produce request carries what is no whole batch: partition %d, %d bytes",
                      p->partition, p->records.size);
        return;
    }
    look_at_records(t, host, p);
    if (info.producer_id < 0) return;
    struct tap_key key;
    memset(&key, 0, sizeof key); /* padding is part of the key */
    key.topic_id = topic->topic_id;
    if (topic->name.size > 0)
        memcpy(key.topic, topic->name.data, topic->name.size < 32 ? (size_t)topic->name.size : 32);
    key.producer_id = info.producer_id;
    key.partition = p->partition;
    key.sequence = info.base_sequence;
    key.epoch = info.producer_epoch;
    uint64_t hash = hash_batch(p->records.data, p->records.size);
    struct tap_batch *known = sl_map_get(&t->batches, &key, sizeof key);
    if (known != NULL) {
        t->retries += known->hash == hash;
        struct tap_written before = written_key(&info, p->partition, known->hash);
        if (known->hash != hash && sl_map_get(&t->written, &before, sizeof before) != NULL)
            world_violate(w,
                          "I7: producer %" PRId64
                          " epoch %d sequence %d of partition %d is written, "
                          "and was sent again with other bytes",
                          info.producer_id, info.producer_epoch, info.base_sequence, p->partition);
        known->hash = hash;
        return;
    }
    struct tap_batch *batch = malloc(sizeof *batch);
    if (batch == NULL) abort();
    batch->hash = hash;
    if (sl_map_put(&t->batches, &key, sizeof key, batch) != 0) abort();
}

static void look_at_produce(struct tap *t, int32_t host, struct sl_reader *r, int16_t version) {
    struct sl_produce_request request;
    struct sl_arena arena;
    sl_arena_init(&arena, sl_alloc_default(), SIZE_MAX / 2);
    if (sl_frame_decode_request(r, &arena, sl_api_find(SL_API_PRODUCE), version, &request) == 0) {
        const struct sl_produce_topic *topics = request.topics.items;
        for (int32_t i = 0; i < request.topics.count; i++) {
            const struct sl_produce_partition *partitions = topics[i].partitions.items;
            for (int32_t k = 0; k < topics[i].partitions.count; k++)
                look_at_batch(t, host, &topics[i], &partitions[k]);
        }
    } else {
        world_violate(t->world, "a Produce request of version %d cannot be read", version);
    }
    sl_arena_deinit(&arena);
}

/* ---- frames ---- */

void tap_progress(struct tap *t, int32_t host) {
    if (host < TAP_HOSTS) t->progress[host]++;
}

static void count_request(struct tap *t, int32_t host, int32_t node, int16_t key) {
    if (host >= TAP_HOSTS) return;
    struct tap_rate *rate = &t->rates[host][node];
    t->requests++;
    if (t->world->now - rate->second_at >= WORLD_SECOND || rate->progress != t->progress[host]) {
        rate->second_at = t->world->now;
        rate->progress = t->progress[host];
        rate->count = 0;
    }
    if (++rate->count > t->rate_max[host] && t->rate_max[host] > 0)
        world_violate(t->world,
                      "I18: host %d has sent %d requests to node %d within a second, and nothing "
                      "gets on; this is for API %d",
                      host, rate->count, node, key);
}

static void look_at_frame(struct tap *t, struct link *link, struct tap_frame *f,
                          const uint8_t *data, size_t size) {
    struct sl_reader r;
    struct sl_request_header header;
    sl_reader_init(&r, data, size);
    if (sl_frame_decode_request_header(&r, &header) != 0) {
        world_violate(t->world, "host %d has sent a request that cannot be read", f->host);
        return;
    }
    int64_t answered = link->pipes[LINK_TO_CLIENT].pushed;
    if (header.key == SL_API_FETCH) {
        /* An answer with records is progress, whenever they are read. */
        if (answered - f->answered >= TAP_FETCHED) tap_progress(t, f->host);
        f->answered = answered;
    }
    count_request(t, f->host, link->to, header.key);
    if (header.key == SL_API_PRODUCE) look_at_produce(t, f->host, &r, header.version);
}

void tap_on_wire(struct tap *t, struct link *link, const void *data, size_t size) {
    struct tap_frame *f = link->tap;
    if (f == NULL) {
        f = calloc(1, sizeof *f);
        if (f == NULL) abort();
        f->host = link->host == NULL ? TAP_HOSTS : link->host->id;
        link->tap = f;
    }
    if (f->size + size > f->cap) {
        f->cap = 2 * (f->size + size);
        f->data = realloc(f->data, f->cap);
        if (f->data == NULL) abort();
    }
    memcpy(f->data + f->size, data, size);
    f->size += size;
    size_t at = 0;
    while (f->size - at >= SL_FRAME_PREFIX && !world_is_broken(t->world)) {
        size_t frame = sl_bytes_get32(f->data + at);
        if (f->size - at - SL_FRAME_PREFIX < frame) break;
        look_at_frame(t, link, f, f->data + at + SL_FRAME_PREFIX, frame);
        at += SL_FRAME_PREFIX + frame;
    }
    memmove(f->data, f->data + at, f->size - at);
    f->size -= at;
}
