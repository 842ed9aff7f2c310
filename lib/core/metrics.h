/* Metrics: the counters of stats.h and the present state, as a table, under the names that
 * dashboards know. metrics_list.c lists every metric with its meaning; METRICS.md is made of that. */
#ifndef SL_CORE_METRICS_H
#define SL_CORE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_command;
struct sl_core;

/* What the inbox knows and core does not: the host reads it just before it passes the command. */
struct sl_mail_counts {
    int64_t accepted; /* records, ever */
    int64_t used;     /* bytes of the sending account, unread reports included */
    int64_t unread;   /* of these, of reports that nobody has read */
    int64_t waiting;  /* threads that wait for room */
    uint64_t wakes;   /* how often the I/O thread was woken for this client */
};

/* METRICS: fills a table and ends the command's op with it, or with NOMEM. Takes the op. */
void sl_metrics_on_command(struct sl_core *core, struct sl_command *command);

/* ---- the list ---- */

/* What a metric is of, and so the struct that its offset is in. */
enum sl_metric_subject {
    SL_METRIC_OF_CLIENT = 1, /* struct sl_metrics_now */
    SL_METRIC_OF_STATS,      /* struct sl_stats */
    SL_METRIC_OF_API,        /* struct sl_api_counts: each API that was used */
    SL_METRIC_OF_LINK,       /* struct sl_link: each broker, by what the connection is for */
    SL_METRIC_OF_TOPIC,      /* struct sl_topic_counts: each topic that was produced to */
    SL_METRIC_OF_PARTITION,  /* struct sl_partition_produce: each partition that was produced to */
    SL_METRIC_OF_POSITION    /* struct sl_metrics_position: each assigned partition */
};
/* How its value is read. */
enum sl_metric_kind {
    SL_METRIC_COUNTER = 1, /* uint64_t */
    SL_METRIC_GAUGE,       /* int64_t, below 0: not known */
    SL_METRIC_BALANCE,     /* int64_t, which may well be below 0 */
    SL_METRIC_GAUGE_32,    /* int32_t or uint32_t */
    SL_METRIC_TOTAL,       /* struct sl_mean: the sum, ever */
    SL_METRIC_MEAN,        /* struct sl_mean, or sl_spread: of the recent values, their mean, … */
    SL_METRIC_MOST,        /* … their maximum */
    SL_METRIC_MEDIAN,      /* struct sl_spread: half of the recent values are not above it */
    SL_METRIC_P99          /* and 99 % */
};
struct sl_metric {
    const char *name;
    enum sl_metric_kind kind;
    size_t offset;
    double unit; /* what the number is multiplied with; 1: it is told as an integer */
    const char *text;
};
struct sl_metric_set {
    const char *group; /* what follows the role in the name of the group, as the Java client's */
    enum sl_metric_subject subject;
    int roles; /* bit 1 << role */
    int32_t count;
    const struct sl_metric *metrics;
};
/* NULL past the last. */
const struct sl_metric_set *sl_metrics_set_at(int index);
/* Whether a metric's value only rises. */
bool sl_metrics_is_counter(const struct sl_metric *metric);

/* The present state, gathered for a snapshot. */
struct sl_metrics_now {
    struct sl_mail_counts mail;
    int64_t connections;
    int64_t in_flight;    /* requests */
    int64_t metadata_age; /* ns; -1: there is none */
    uint64_t accepted;    /* records */
    int64_t queued;       /* of these, without outcome */
    int64_t jobs;         /* batches that are being compressed beside the loop */
    int64_t buffer_total; /* the sending account */
    int64_t buffer_free;
    int64_t receive_total; /* the receiving account */
    int64_t receive_free;
    int64_t assigned; /* partitions */
    int64_t lag_most; /* of them; -1: not known of any */
};
struct sl_metrics_position {
    int64_t lag;     /* -1: not known */
    int64_t replica; /* the follower that it is fetched from; -1: from the leader */
};

#endif
