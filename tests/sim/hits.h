/* What a run of many seeds must have met for its result to mean something: each is counted where it
 * happens. A long run in which one of them never did has failed. */
#ifndef SIM_HITS_H
#define SIM_HITS_H

#include <stdint.h>

#define HITS(X)                                                              \
    X(BORROWED, "values sent from where they lie")                           \
    X(PACKED, "records sent many in a call")                                 \
    X(AWAITED, "records whose call waited for the outcome")                  \
    X(FULL, "sends without room")                                            \
    X(ROOM, "sends that waited for room, and got it")                        \
    X(UNREAD, "sends refused until reports are read")                        \
    X(JOB, "batches compressed in the background")                           \
    X(SPLIT, "batches that the broker found too large, and took in parts")   \
    X(LARGE, "records that are too large for the broker in any batch")       \
    X(NAMED, "records that the broker refused by name")                      \
    X(DRAGGED, "records refused because of another in their batch")          \
    X(DISCARDED, "records that were discarded")                              \
    X(PLACED, "records placed by their key")                                 \
    X(THROTTLED, "answers that told a client to wait")                       \
    X(REMADE, "topics made again")                                           \
    X(CUT, "logs that an unclean election cut")                              \
    X(NOTICED, "readers that went back to where a log was cut")              \
    X(WHOLE, "budgets of producers that were whole at the end")              \
    X(COMMITTED, "finished prefixes that were committed")                    \
    X(RESUMED, "partitions that began where they were committed")            \
    X(GROUP, "groups that came to rest with every partition read")           \
    X(REVOKED, "partitions that a member no longer had")                     \
    X(RETURNED, "members that came back")                                    \
    X(CRASHED, "members that were gone without a word")                      \
    X(STATIC, "static members that came back")                               \
    X(SHARED, "groups whose partitions the brokers shared out")              \
    X(MIXED, "groups with members of both protocols that came to rest")      \
    X(RESTED, "members that did not poll for longer than they may")          \
    X(GIVEN, "partitions that a member was asked for by a notice")           \
    X(LOST, "partitions that a member was told to have lost")                \
    X(NEAR, "partitions that were being read from a follower")               \
    X(LAG, "metrics of consumers at rest that were held to their positions") \
    X(TOKEN, "tokens that were fetched")
enum hit {
#define HIT_ENUM(name, text) HIT_##name,
    HITS(HIT_ENUM)
#undef HIT_ENUM
        HIT_COUNT
};

#endif
