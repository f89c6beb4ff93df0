#ifndef SKEIN_STORE_STORE_BACKEND_H
#define SKEIN_STORE_STORE_BACKEND_H

/* store_backend - what a database has to be able to do for the store.
 *
 * Batches and positions, no SQL: store_sqlite.c is the one in use, another one
 * fills the same table. A backend has two sides with a connection each, and
 * each side is used by one thread: the writer's functions by the writer
 * thread, the reader's by the reader thread.
 *
 * Errors of one operation inside a transaction are of two kinds, by code:
 *   SK_EINVAL, SK_ENOTFOUND, SK_ECORRUPT, SK_ETOOBIG: this operation alone is
 *     refused, it has left no trace in the transaction, which may go on;
 *   all others: the environment. The transaction is lost and must be rolled
 *     back; the same operations may be tried again.
 */
#include "store/store.h"

struct store_backend;

enum store_side { STORE_WRITER, STORE_READER };

/* What store__pack() made of a snapshot. */
struct store_packed {
    int64_t room;
    uint64_t seq;
    const uint8_t *bytes;
    size_t len;
    size_t len_raw;
    int64_t now_ms;
};

struct store_backend_ops {
    void (*close)(struct store_backend *b);

    /* --- writer --- */
    int (*begin)(struct store_backend *b, struct err *e);
    int (*append)(struct store_backend *b, const struct store_append *a, struct err *e);
    int (*put_snapshot)(struct store_backend *b, const struct store_packed *p, struct err *e);
    /* 1: made, *l filled; 0: somebody else had made it already. */
    int (*create_room)(struct store_backend *b, struct store_load *l, int64_t now_ms,
                       struct err *e);
    int (*delete_room)(struct store_backend *b, int64_t room, int64_t now_ms, struct err *e);
    /* Writes something that means nothing, to see whether the disk takes it. */
    int (*probe)(struct store_backend *b, int64_t now_ms, struct err *e);
    /* 0: durable, or, if the backend was opened relaxed, durable with the next sync. */
    int (*commit)(struct store_backend *b, struct err *e);
    void (*rollback)(struct store_backend *b);
    int (*sync)(struct store_backend *b, struct err *e);

    /* One small step of housekeeping in a transaction of its own (about a
     * millisecond). *wait_ms is when it wants to be called next: 0 at once, -1
     * after the next commit. */
    int (*tidy)(struct store_backend *b, int64_t now_ms, int *wait_ms, struct err *e);
    /* Bytes of the write-ahead log that are not in the database yet. */
    uint64_t (*wal_bytes)(const struct store_backend *b);
    uint64_t (*purged)(const struct store_backend *b);

    /* --- either side --- */
    int (*load)(struct store_backend *b, enum store_side side, struct store_load *l, struct err *e);
    /* Moves the write-ahead log into the database, without waiting for anybody. */
    int (*checkpoint)(struct store_backend *b, enum store_side side, struct err *e);

    /* --- reader --- */
    int (*read_log)(struct store_backend *b, struct store_read *r, struct err *e);
    int (*list_rooms)(struct store_backend *b, struct store_list *l, struct err *e);
};

struct store_backend {
    const struct store_backend_ops *ops;
};

int store_sqlite_open(struct store_backend **out, const struct store_options *o,
                      struct err *e) SK_MUST_CHECK;

/* Results that all backends fill in the same way. */

struct store_blob {
    int64_t room;
    uint64_t first, last;
    const uint8_t *p;
    size_t len;
};

struct store_range {
    uint64_t from, to;
    size_t count_max, bytes_max;
};

/* Adds the records of one blob with from <= seq <= to. Skips those that the
 * log has already; SK_ECORRUPT when the blob is damaged or leaves a gap. Sets
 * l->more when bytes_max or count_max (0: none) is reached. */
int store__log_add(struct store_log *l, const struct store_blob *b, const struct store_range *r);

#endif
