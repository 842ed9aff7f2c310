/* Every metric: its name, where its value is, what it means. The names are the Java client's where
 * it has the same thing, because dashboards know them; each text says where ours differs.
 *
 * Times are told in milliseconds. Counters only rise. What ends in -avg, -max, -p50 or -p99 is of
 * the last 30 to 60 seconds. METRICS.md is this list in another form (core_metrics_list_test). */
#include "core/metrics.h"
#include "core/unit.h"

#define PRODUCERS (1 << SL_ROLE_PRODUCER)
#define CONSUMERS (1 << SL_ROLE_CONSUMER)
#define EVERY_ROLE (PRODUCERS | CONSUMERS | 1 << SL_ROLE_ADMIN)

#define FROM_NS 1e-6      /* nanoseconds to milliseconds */
#define FROM_NS_TO_S 1e-9 /* to seconds */
#define FROM_MILLIONTHS 1e-6
#define FROM_MS 1.0
#define AS_IT_IS 1.0

#define IN_NOW(field) offsetof(struct sl_metrics_now, field)
#define IN_STATS(field) offsetof(struct sl_stats, field)
#define IN_API(field) offsetof(struct sl_api_counts, field)
#define IN_LINK(field) offsetof(struct sl_link, field)
#define IN_TOPIC(field) offsetof(struct sl_topic_counts, field)
#define IN_PARTITION(field) offsetof(struct sl_partition_produce, field)
#define IN_POSITION(field) offsetof(struct sl_metrics_position, field)

static const struct sl_metric client_now_metrics[] = {
    {"connection-count", SL_METRIC_GAUGE, IN_NOW(connections), AS_IT_IS, "Connections that stand."},
    {"requests-in-flight", SL_METRIC_GAUGE, IN_NOW(in_flight), AS_IT_IS,
     "Requests that are queued or wait for their answers."},
    {"metadata-age", SL_METRIC_GAUGE, IN_NOW(metadata_age), FROM_NS_TO_S,
     "Seconds since the brokers were last heard of as a whole."},
    {"io-wake-total", SL_METRIC_COUNTER, IN_NOW(mail.wakes), AS_IT_IS,
     "How often a call had to wake the I/O thread."},
};
static const struct sl_metric client_metrics[] = {
    {"io-turn-total", SL_METRIC_COUNTER, IN_STATS(turns), AS_IT_IS,
     "Turns of the loop in which this client acted."},
    {"connection-creation-total", SL_METRIC_COUNTER, IN_STATS(connects), AS_IT_IS,
     "Connections that came about."},
    {"connection-close-total", SL_METRIC_COUNTER, IN_STATS(closes), AS_IT_IS,
     "Connections that ended, for whatever reason."},
    {"connection-failure-total", SL_METRIC_COUNTER, IN_STATS(failures), AS_IT_IS,
     "Connections that failed, and attempts at one."},
    {"request-total", SL_METRIC_COUNTER, IN_STATS(requests), AS_IT_IS, "Requests queued."},
    {"response-total", SL_METRIC_COUNTER, IN_STATS(responses), AS_IT_IS, "Answers received."},
    {"request-timeout-total", SL_METRIC_COUNTER, IN_STATS(timeouts), AS_IT_IS,
     "Requests and connection attempts that were given up because their time had passed."},
    {"outgoing-byte-total", SL_METRIC_COUNTER, IN_STATS(bytes_out), AS_IT_IS,
     "Bytes that the system took to send."},
    {"incoming-byte-total", SL_METRIC_COUNTER, IN_STATS(bytes_in), AS_IT_IS, "Bytes received."},
};
static const struct sl_metric producer_now_metrics[] = {
    {"record-accept-total", SL_METRIC_COUNTER, IN_NOW(accepted), AS_IT_IS,
     "Records that send accepted. It is the sum of record-written-total, "
     "record-not-written-total, record-maybe-written-total and records-queued."},
    {"records-queued", SL_METRIC_GAUGE, IN_NOW(queued), AS_IT_IS,
     "Records that have no outcome yet: they wait for partitions, fill batches, or are in flight."},
    {"compression-jobs", SL_METRIC_GAUGE, IN_NOW(jobs), AS_IT_IS,
     "Batches that are being compressed beside the I/O thread."},
    {"buffer-total-bytes", SL_METRIC_GAUGE, IN_NOW(buffer_total), AS_IT_IS, "buffer.memory."},
    {"buffer-available-bytes", SL_METRIC_BALANCE, IN_NOW(buffer_free), AS_IT_IS,
     "What of it neither records nor unread reports hold; below 0 when small records in many "
     "batches took more."},
    {"buffer-unread-bytes", SL_METRIC_GAUGE, IN_NOW(mail.unread), AS_IT_IS,
     "What of it delivery reports hold that the application has not read."},
    {"waiting-threads", SL_METRIC_GAUGE, IN_NOW(mail.waiting), AS_IT_IS,
     "Threads that wait for room in it."},
};
static const struct sl_metric producer_metrics[] = {
    {"record-written-total", SL_METRIC_COUNTER, IN_STATS(records_written), AS_IT_IS,
     "Records whose outcome was SLUICE_WRITTEN."},
    {"record-not-written-total", SL_METRIC_COUNTER, IN_STATS(records_not_written), AS_IT_IS,
     "Records whose outcome was SLUICE_NOT_WRITTEN."},
    {"record-maybe-written-total", SL_METRIC_COUNTER, IN_STATS(records_maybe_written), AS_IT_IS,
     "Records whose outcome was SLUICE_MAYBE_WRITTEN."},
    {"record-expired-total", SL_METRIC_COUNTER, IN_STATS(records_expired), AS_IT_IS,
     "Of those not or maybe written, the ones that delivery.timeout.ms ended."},
    {"record-send-total", SL_METRIC_COUNTER, IN_STATS(records_sent), AS_IT_IS,
     "Records put into requests; a retry counts again."},
    {"record-retry-total", SL_METRIC_COUNTER, IN_STATS(records_retried), AS_IT_IS,
     "Records of batches that an attempt left undecided."},
    {"byte-total", SL_METRIC_COUNTER, IN_STATS(bytes_sent), AS_IT_IS,
     "Bytes of batches put into requests, as sent; a retry counts again."},
    {"batch-send-total", SL_METRIC_COUNTER, IN_STATS(batches_sent), AS_IT_IS,
     "Batches put into requests; a retry counts again."},
    {"batch-seal-total", SL_METRIC_COUNTER, IN_STATS(batches_sealed), AS_IT_IS,
     "Batches that were completed."},
    {"batch-split-total", SL_METRIC_COUNTER, IN_STATS(batches_split), AS_IT_IS,
     "Batches that the broker found too large and that went on in parts, which are completed "
     "anew."},
    {"batch-uncompressed-byte-total", SL_METRIC_COUNTER, IN_STATS(bytes_uncompressed), AS_IT_IS,
     "Their bytes before compression."},
    {"batch-sealed-byte-total", SL_METRIC_COUNTER, IN_STATS(bytes_sealed), AS_IT_IS,
     "Their bytes after it."},
    {"batch-size-avg", SL_METRIC_MEAN, IN_STATS(batch_size), AS_IT_IS,
     "Bytes of a batch as sent, on average."},
    {"batch-size-max", SL_METRIC_MOST, IN_STATS(batch_size), AS_IT_IS, "The largest."},
    {"compression-rate-avg", SL_METRIC_MEAN, IN_STATS(packing), FROM_MILLIONTHS,
     "Compressed by uncompressed size of a batch, on average: 1 without compression."},
    {"records-per-request-avg", SL_METRIC_MEAN, IN_STATS(request_size), AS_IT_IS,
     "Records of a Produce request, on average."},
    {"record-queue-time-avg", SL_METRIC_MEAN, IN_STATS(queue_time), FROM_NS,
     "Time from a batch's first record to its first sending, on average."},
    {"record-queue-time-max", SL_METRIC_MOST, IN_STATS(queue_time), FROM_NS, "The longest."},
    {"record-queue-time-p50", SL_METRIC_MEDIAN, IN_STATS(queue_time), FROM_NS, "The median."},
    {"record-queue-time-p99", SL_METRIC_P99, IN_STATS(queue_time), FROM_NS,
     "99 of 100 are not longer."},
    {"record-delivery-time-avg", SL_METRIC_MEAN, IN_STATS(decide_time), FROM_NS,
     "Time from a batch's first record to its outcome, on average."},
    {"record-delivery-time-max", SL_METRIC_MOST, IN_STATS(decide_time), FROM_NS, "The longest."},
    {"record-delivery-time-p50", SL_METRIC_MEDIAN, IN_STATS(decide_time), FROM_NS, "The median."},
    {"record-delivery-time-p99", SL_METRIC_P99, IN_STATS(decide_time), FROM_NS,
     "99 of 100 are not longer."},
    {"request-latency-avg", SL_METRIC_MEAN, IN_STATS(produce_time), FROM_NS,
     "Time from queueing a Produce request to its whole answer, on average."},
    {"request-latency-max", SL_METRIC_MOST, IN_STATS(produce_time), FROM_NS, "The longest."},
    {"request-latency-p50", SL_METRIC_MEDIAN, IN_STATS(produce_time), FROM_NS, "The median."},
    {"request-latency-p99", SL_METRIC_P99, IN_STATS(produce_time), FROM_NS,
     "99 of 100 are not longer."},
    {"produce-throttle-time-avg", SL_METRIC_MEAN, IN_STATS(apis[SL_API_PRODUCE].throttle), FROM_MS,
     "What brokers asked to wait after a Produce answer (quotas), on average."},
    {"produce-throttle-time-max", SL_METRIC_MOST, IN_STATS(apis[SL_API_PRODUCE].throttle), FROM_MS,
     "The longest."},
    {"produce-throttle-time-total", SL_METRIC_TOTAL, IN_STATS(apis[SL_API_PRODUCE].throttle),
     FROM_MS, "The sum since the start."},
};
static const struct sl_metric consumer_now_metrics[] = {
    {"assigned-partitions", SL_METRIC_GAUGE, IN_NOW(assigned), AS_IT_IS,
     "Partitions that are assigned."},
    {"records-lag-max", SL_METRIC_GAUGE, IN_NOW(lag_most), AS_IT_IS,
     "The largest records-lag of a partition."},
    {"fetch-buffer-total-bytes", SL_METRIC_GAUGE, IN_NOW(receive_total), AS_IT_IS, "fetch.memory."},
    {"fetch-buffer-available-bytes", SL_METRIC_BALANCE, IN_NOW(receive_free), AS_IT_IS,
     "What of it neither answers nor the application's batches hold."},
};
static const struct sl_metric consumer_metrics[] = {
    {"records-consumed-total", SL_METRIC_COUNTER, IN_STATS(records_fetched), AS_IT_IS,
     "Records fetched, whether or not they have been polled; by the batch headers."},
    {"bytes-consumed-total", SL_METRIC_COUNTER, IN_STATS(bytes_fetched), AS_IT_IS,
     "Bytes of their batches, as received."},
    {"batches-consumed-total", SL_METRIC_COUNTER, IN_STATS(batches_fetched), AS_IT_IS,
     "Batches of them."},
    {"fetch-total", SL_METRIC_COUNTER, IN_STATS(apis[SL_API_FETCH].responses), AS_IT_IS,
     "Fetch requests that were answered."},
    {"fetch-latency-avg", SL_METRIC_MEAN, IN_STATS(fetch_time), FROM_NS,
     "Time that a Fetch takes, with what the broker waits for data (fetch.max.wait.ms), on "
     "average."},
    {"fetch-latency-max", SL_METRIC_MOST, IN_STATS(fetch_time), FROM_NS, "The longest."},
    {"fetch-latency-p50", SL_METRIC_MEDIAN, IN_STATS(fetch_time), FROM_NS, "The median."},
    {"fetch-latency-p99", SL_METRIC_P99, IN_STATS(fetch_time), FROM_NS,
     "99 of 100 are not longer."},
    {"fetch-size-avg", SL_METRIC_MEAN, IN_STATS(answer_bytes), AS_IT_IS,
     "Record bytes of a Fetch answer, on average."},
    {"fetch-size-max", SL_METRIC_MOST, IN_STATS(answer_bytes), AS_IT_IS, "The most."},
    {"records-per-request-avg", SL_METRIC_MEAN, IN_STATS(answer_records), AS_IT_IS,
     "Records of a Fetch answer, on average."},
    {"fetch-throttle-time-avg", SL_METRIC_MEAN, IN_STATS(apis[SL_API_FETCH].throttle), FROM_MS,
     "What brokers asked to wait after a Fetch answer (quotas), on average."},
    {"fetch-throttle-time-max", SL_METRIC_MOST, IN_STATS(apis[SL_API_FETCH].throttle), FROM_MS,
     "The longest."},
    {"fetch-throttle-time-total", SL_METRIC_TOTAL, IN_STATS(apis[SL_API_FETCH].throttle), FROM_MS,
     "The sum since the start."},
};
static const struct sl_metric group_metrics[] = {
    {"rebalance-total", SL_METRIC_COUNTER, IN_STATS(group.rebalances), AS_IT_IS,
     "Assignments of the group that were applied, also those that changed nothing here."},
    {"rebalance-latency-avg", SL_METRIC_MEAN, IN_STATS(group.duration), FROM_NS,
     "Time from the reason to join to the assignment applied, on average; with it what the "
     "application held partitions for."},
    {"rebalance-latency-max", SL_METRIC_MOST, IN_STATS(group.duration), FROM_NS, "The longest."},
    {"membership-lost-total", SL_METRIC_COUNTER, IN_STATS(group.lost), AS_IT_IS,
     "How often the group went on without this member: nothing was committed then."},
    {"heartbeat-response-total", SL_METRIC_COUNTER, IN_STATS(group.heartbeats), AS_IT_IS,
     "Heartbeats that were answered well."},
};
static const struct sl_metric commit_metrics[] = {
    {"commit-total", SL_METRIC_COUNTER, IN_STATS(commits), AS_IT_IS,
     "Commits that the group's coordinator took, several of the application's in one."},
    {"commit-failure-total", SL_METRIC_COUNTER, IN_STATS(commit_failures), AS_IT_IS,
     "Attempts that were refused, for some partition at least, or had no answer."},
    {"commit-latency-avg", SL_METRIC_MEAN, IN_STATS(commit_time), FROM_NS,
     "Time that a commit took, on average."},
    {"commit-latency-max", SL_METRIC_MOST, IN_STATS(commit_time), FROM_NS, "The longest."},
};
static const struct sl_metric position_metrics[] = {
    {"records-lag", SL_METRIC_GAUGE, IN_POSITION(lag), AS_IT_IS,
     "Offsets between what poll gives next and the end: the high watermark, or with "
     "isolation.level=read_committed the last stable offset. Not known before the first answer."},
    {"preferred-read-replica", SL_METRIC_BALANCE, IN_POSITION(replica), AS_IT_IS,
     "The broker id of the follower that it is fetched from (client.rack), -1: from its leader."},
};
static const struct sl_metric api_metrics[] = {
    {"request-total", SL_METRIC_COUNTER, IN_API(requests), AS_IT_IS, "Requests queued."},
    {"response-total", SL_METRIC_COUNTER, IN_API(responses), AS_IT_IS, "Answers received."},
    {"request-error-total", SL_METRIC_COUNTER, IN_API(errors), AS_IT_IS,
     "Requests that ended without an answer."},
    {"request-retry-total", SL_METRIC_COUNTER, IN_API(retries), AS_IT_IS,
     "Attempts that have to be repeated; for Produce, a batch each."},
    {"request-latency-avg", SL_METRIC_MEAN, IN_API(latency), FROM_NS,
     "Time from queueing a request to its whole answer, on average."},
    {"request-latency-max", SL_METRIC_MOST, IN_API(latency), FROM_NS, "The longest."},
    {"request-latency-total", SL_METRIC_TOTAL, IN_API(latency), FROM_NS,
     "The sum since the start: with response-total, an average over any time."},
    {"throttle-time-total", SL_METRIC_TOTAL, IN_API(throttle), FROM_MS,
     "What brokers asked to wait (quotas), in all."},
};
static const struct sl_metric link_metrics[] = {
    {"request-total", SL_METRIC_COUNTER, IN_LINK(counts.requests), AS_IT_IS, "Requests queued."},
    {"response-total", SL_METRIC_COUNTER, IN_LINK(counts.responses), AS_IT_IS, "Answers received."},
    {"requests-in-flight", SL_METRIC_GAUGE_32, IN_LINK(in_flight), AS_IT_IS,
     "Requests that are queued or wait for their answers."},
    {"outgoing-byte-total", SL_METRIC_COUNTER, IN_LINK(counts.bytes_out), AS_IT_IS,
     "Bytes that the system took to send."},
    {"incoming-byte-total", SL_METRIC_COUNTER, IN_LINK(counts.bytes_in), AS_IT_IS,
     "Bytes received."},
    {"connection-creation-total", SL_METRIC_COUNTER, IN_LINK(counts.connects), AS_IT_IS,
     "Connections that came about."},
    {"connection-failure-total", SL_METRIC_COUNTER, IN_LINK(counts.failures), AS_IT_IS,
     "Connections that failed, and attempts at one."},
    {"request-timeout-total", SL_METRIC_COUNTER, IN_LINK(counts.timeouts), AS_IT_IS,
     "Requests and connection attempts that were given up because their time had passed."},
    {"request-latency-avg", SL_METRIC_MEAN, IN_LINK(latency), FROM_NS,
     "Time from queueing a request to its whole answer, on average."},
    {"request-latency-max", SL_METRIC_MOST, IN_LINK(latency), FROM_NS, "The longest."},
    {"request-latency-p50", SL_METRIC_MEDIAN, IN_LINK(latency), FROM_NS, "The median."},
    {"request-latency-p99", SL_METRIC_P99, IN_LINK(latency), FROM_NS, "99 of 100 are not longer."},
};
static const struct sl_metric topic_metrics[] = {
    {"record-send-total", SL_METRIC_COUNTER, IN_TOPIC(records_sent), AS_IT_IS,
     "Records put into requests; a retry counts again."},
    {"record-retry-total", SL_METRIC_COUNTER, IN_TOPIC(records_retried), AS_IT_IS,
     "Records of batches that an attempt left undecided."},
    {"record-error-total", SL_METRIC_COUNTER, IN_TOPIC(records_failed), AS_IT_IS,
     "Records of batches that were not, or maybe not, written."},
    {"byte-total", SL_METRIC_COUNTER, IN_TOPIC(bytes_sent), AS_IT_IS,
     "Bytes of batches put into requests, as sent; a retry counts again."},
};
static const struct sl_metric partition_metrics[] = {
    {"batches-queued", SL_METRIC_GAUGE_32, IN_PARTITION(queued), AS_IT_IS,
     "Complete batches that wait to be sent."},
    {"batches-in-flight", SL_METRIC_GAUGE_32, IN_PARTITION(in_flight_count), AS_IT_IS,
     "Batches that a request under way refers to."},
};

#define METRIC_SET(group, subject, roles, list) \
    { group, subject, roles, (int32_t)(sizeof(list) / sizeof(list)[0]), list }

static const struct sl_metric_set metric_sets[] = {
    METRIC_SET("metrics", SL_METRIC_OF_CLIENT, EVERY_ROLE, client_now_metrics),
    METRIC_SET("metrics", SL_METRIC_OF_STATS, EVERY_ROLE, client_metrics),
    METRIC_SET("metrics", SL_METRIC_OF_CLIENT, PRODUCERS, producer_now_metrics),
    METRIC_SET("metrics", SL_METRIC_OF_STATS, PRODUCERS, producer_metrics),
    METRIC_SET("fetch-manager-metrics", SL_METRIC_OF_CLIENT, CONSUMERS, consumer_now_metrics),
    METRIC_SET("fetch-manager-metrics", SL_METRIC_OF_STATS, CONSUMERS, consumer_metrics),
    METRIC_SET("fetch-manager-metrics", SL_METRIC_OF_POSITION, CONSUMERS, position_metrics),
    METRIC_SET("coordinator-metrics", SL_METRIC_OF_STATS, CONSUMERS, group_metrics),
    METRIC_SET("coordinator-metrics", SL_METRIC_OF_STATS, CONSUMERS, commit_metrics),
    METRIC_SET("api-metrics", SL_METRIC_OF_API, EVERY_ROLE, api_metrics),
    METRIC_SET("node-metrics", SL_METRIC_OF_LINK, EVERY_ROLE, link_metrics),
    METRIC_SET("topic-metrics", SL_METRIC_OF_TOPIC, PRODUCERS, topic_metrics),
    METRIC_SET("partition-metrics", SL_METRIC_OF_PARTITION, PRODUCERS, partition_metrics),
};

const struct sl_metric_set *sl_metrics_set_at(int index) {
    int count = (int)(sizeof metric_sets / sizeof metric_sets[0]);
    return index >= 0 && index < count ? &metric_sets[index] : NULL;
}
