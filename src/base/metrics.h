#ifndef SKEIN_BASE_METRICS_H
#define SKEIN_BASE_METRICS_H

/* metrics - counters, gauges and histograms, in one table.
 *
 * Each thread counts in cells of its own, on cache lines of its own, with
 * relaxed loads and stores; nothing is shared until somebody renders. So a
 * counter costs about what a plain increment costs and may stand on the way of
 * every message. A gauge is the sum of what was added and subtracted,
 * whichever threads did it. A histogram takes microseconds.
 *
 * To add a metric: add its line below, and call metrics_add().
 *
 * Threads: any. The first METRICS_THREADS_MAX threads that count have cells of
 * their own; later ones share a set and pay for a locked instruction.
 */
#include <stdint.h>

#include "base/buf.h"

/* X(kind, identifier, name without the skein_ in front, help). A counter's
 * name ends in _total, a histogram's in _seconds. */
#define METRICS(X)                                                                                 \
    X(GAUGE, METRIC_ROOMS, "rooms", "Rooms that are loaded.")                                      \
    X(GAUGE, METRIC_MEMBERS, "members", "Members of all rooms: connections times documents.")      \
    X(COUNTER, METRIC_ROOM_LOADS, "room_loads_total", "Rooms loaded from the store.")              \
    X(COUNTER, METRIC_ROOM_UNLOADS, "room_unloads_total", "Idle rooms given back.")                \
    X(COUNTER, METRIC_UPDATES, "updates_total", "Document updates that were accepted.")            \
    X(COUNTER, METRIC_UPDATE_BYTES, "update_bytes_total", "Bytes of the accepted updates.")        \
    X(COUNTER, METRIC_UPDATES_REFUSED, "updates_refused_total",                                    \
      "Document updates refused as malformed, too big or not permitted.")                          \
    X(COUNTER, METRIC_DELIVERIES, "deliveries_total", "Updates times the members who got them.")   \
    X(COUNTER, METRIC_PRESENCE, "presence_total", "Presence changes that were accepted.")          \
    X(COUNTER, METRIC_STATELESS, "stateless_total", "Stateless messages that were passed on.")     \
    X(COUNTER, METRIC_ACKS, "acks_total", "Updates acknowledged to their author as durable.")      \
    X(COUNTER, METRIC_RESYNCS, "resyncs_total",                                                    \
      "Slow readers that fell off the ring and were given the state anew.")                        \
    X(COUNTER, METRIC_FLUSHES, "flushes_total", "Turns in which a room sent something.")           \
    X(COUNTER, METRIC_AUTH_ACCEPTED, "auth_accepted_total", "Tokens that were accepted.")          \
    X(COUNTER, METRIC_AUTH_REFUSED, "auth_refused_total", "Tokens that were refused.")             \
    X(COUNTER, METRIC_PROTOCOL_ERRORS, "protocol_errors_total",                                    \
      "Messages refused as malformed or out of order.")                                            \
    X(COUNTER, METRIC_SNAPSHOTS, "snapshots_total", "Snapshots written by compaction.")            \
    X(HISTOGRAM, METRIC_LOAD_TIME, "room_load_seconds", "Time to load a room from the store.")     \
    X(HISTOGRAM, METRIC_DURABLE_TIME, "durable_seconds",                                           \
      "Time from giving updates to the store until they are durable.")

#define METRICS_THREADS_MAX 64

enum metric {
#define X(kind, id, name, help) id,
    METRICS(X)
#undef X
        METRICS_COUNT
};

void metrics_add(enum metric m, int64_t n);              /* counters: n >= 0 */
void metrics_observe_us(enum metric m, uint64_t micros); /* histograms only */
int64_t metrics_get(enum metric m);                      /* a histogram: how many observations */

/* Everything in Prometheus' text format 0.0.4: the table above, and of the
 * process its memory, CPU time, files, start and version. */
void metrics_render(struct buf *b);

/* One more metric for those who render figures that they keep elsewhere; the
 * skein_ in front of the name is added. `type` is "counter" or "gauge"; labels is "" or
 * `{worker="0"}`; the type's line is written when help is not NULL. */
void metrics_put(struct buf *b, const char *type, const char *name, const char *labels,
                 const char *help, double value);

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
