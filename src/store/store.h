#ifndef SKEIN_STORE_STORE_H
#define SKEIN_STORE_STORE_H

/* store - what has to outlive the process: rooms, their logs, their snapshots.
 *
 * A room is found by tenant, kind and name, and has a number, a random epoch
 * (a document's incarnation) and a log: records with sequence numbers from 1
 * without gaps. A snapshot is the room's state after record `seq`; loading a
 * room means the newest snapshot and the records behind it.
 *
 * DURABLE. An append is reported as done only after the transaction that holds
 * it is committed and, unless the store is relaxed, synced. Everything that is
 * queued while one transaction is being synced goes into the next one, of all
 * rooms together, so a sync is paid by as many appends as arrived meanwhile.
 *
 * WHEN THE DISK FAILS (full, read-only, errors), appends stay queued in their
 * order and are tried again until the disk recovers; none is reported, none is
 * lost, none overtakes. store_get_health() says why, options.on_health is told
 * of every change. Reading goes on. When the queue has reached its limit,
 * store_append() refuses with SK_EAGAIN and the caller has to refuse edits.
 * A room whose stored data is damaged is refused by name (SK_ECORRUPT), others
 * are not affected.
 *
 * OPERATIONS are asynchronous. The caller fills the public fields of one of
 * the structs below and starts it; the struct and everything that it points to
 * (key strings, records, rbufs) belongs to the store until it calls op.done,
 * and to the caller again from that call on. done is called exactly once for
 * every operation that was accepted (the function returned 0), never from
 * inside that function, and on one of the store's own threads: post into the
 * worker's mailbox there, and do nothing that takes time. op.code is the
 * result, op.err has words.
 *
 * Order: appends and deletes take effect in the order in which they were
 * started, if by one thread; a snapshot may take effect later than what was
 * started after it. store_load() and the other reads do not wait for writes
 * that are still queued: load a room only when no append, snapshot or delete
 * of it is pending.
 *
 * Threads: store_open() and store_close() by the one owner; all others may be
 * called from any thread. Inside there is one writer thread, which commits,
 * and one reader thread, which loads, compresses and checkpoints, so that a
 * large document being read does not delay anybody's acknowledgement.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rbuf.h"

#define STORE_TENANT_BYTES_MAX 128
#define STORE_NAME_BYTES_MAX 1024
#define STORE_AUTHOR_BYTES_MAX 256
#define STORE_RECORD_BYTES_MAX (64u << 20)
#define STORE_APPEND_BYTES_MAX (128u << 20) /* all records of one append */
#define STORE_SNAPSHOT_BYTES_MAX RBUF_LEN_MAX
#define STORE_LIST_MAX 1000
#define STORE_EPOCH_BYTES 16

struct store;

/* ---- opening ---- */

/* Why edits are not becoming durable at the moment, or that they are. */
struct store_health {
    int code;         /* 0: fine; SK_ENOSPC, SK_EROFS, SK_EIO, SK_ECORRUPT, SK_EAGAIN (locked) */
    char words[240];  /* "" when fine */
    int64_t since_ms; /* wall clock; when this code began */
    uint64_t tries;   /* commits that failed since then */
};

struct store_options {
    const char *dir; /* exists; receives skein.db and skein.lock */

    /* 0: synchronous, an acknowledged edit survives a power cut. N > 0: relaxed,
     * the disk is synced every N ms; see store_risk(). */
    unsigned relaxed_ms;

    /* Commits begin at least this far apart (ms, default 5 when 0; the first
     * one after a pause begins at once). What arrives meanwhile shares a sync. */
    unsigned commit_gap_ms;

    size_t queue_bytes_max;  /* of appends not yet durable; 0: 64 MB */
    unsigned history_days;   /* log kept behind the older snapshot; 0: 30 */
    bool history_forever;    /* drop nothing */
    bool read_only;          /* for looking beside a running server: takes no lock, migrates and
                                tidies nothing, refuses writes with SK_EROFS */
    bool accept_damage;      /* open a file that fails its check; damaged rooms are refused */
    unsigned retry_ms_min;   /* after a failed commit; 0: 250 */
    unsigned retry_ms_max;   /* 0: 5000; doubles in between */
    const char *sqlite_vfs;  /* NULL: SQLite's default; tests give a failing disk */
    struct mem_account *mem; /* NULL: the process */

    /* Told of each change of health, on the writer thread. May be NULL. */
    void (*on_health)(void *user, const struct store_health *h);
    void *user;
};

/* Opens or makes the database in o->dir, migrates an older one, and starts the
 * threads. Fails with SK_EEXISTS when another server has the directory open,
 * SK_EVERSION when a newer Skein made the file, SK_ECORRUPT when it is damaged,
 * SK_EROFS, SK_ENOSPC, SK_EDENIED, SK_EIO, SK_EINVAL; *out is NULL then. */
int store_open(struct store **out, const struct store_options *o, struct err *e) SK_MUST_CHECK;

/* Commits what is queued, waiting for as long as the disk works, then closes.
 * What cannot be committed is reported as failed with the disk's code. No
 * operation may be started from the beginning of this call on. NULL is allowed. */
void store_close(struct store *s);

/* One sentence, for the log at start: what may be lost, in milliseconds. */
void store_risk(const struct store_options *o, char *words, size_t size);

void store_get_health(struct store *s, struct store_health *out);

struct store_stats {
    uint64_t records, record_bytes; /* appended and durable */
    uint64_t commits, commit_us;    /* committed transactions, time from begin to durable */
    uint64_t commit_us_max;
    uint64_t snapshots, snapshot_bytes; /* bytes as stored */
    uint64_t purged;                    /* log records dropped by the retention policy */
    uint64_t queue_bytes, queue_ops;    /* now waiting */
    uint64_t wal_bytes;                 /* size of the write-ahead log after the last commit */
};

void store_get_stats(struct store *s, struct store_stats *out);

/* ---- operations ---- */

/* The head of every operation. Zero it, then set done (and user). */
struct store_op {
    void (*done)(struct store_op *op);
    void *user;     /* the caller's */
    int code;       /* result: 0 or SK_E… */
    struct err err; /* words for it */

    struct store_op *next; /* the store's, like all below */
    uint8_t what;
    bool refused;
};

enum store_kind {
    STORE_DOCUMENT = 1,
    STORE_SESSION = 2,
    STORE_CHANNEL = 3,
};

/* "document", "session", "channel". NULL for another number. */
const char *store_kind_name(enum store_kind kind);

/* A room's name. Strings are UTF-8 and end with a zero byte; tenant may be "". */
struct store_key {
    const char *tenant;
    enum store_kind kind;
    const char *name; /* 1 to STORE_NAME_BYTES_MAX bytes */
};

/* One record of a log that was read. Pointers are into the log's own memory. */
struct store_entry {
    uint64_t seq;
    int64_t time_ms; /* wall clock */
    uint64_t conn;   /* the connection it came from; 0: none */
    const char *author;
    uint32_t author_len;
    uint32_t len;
    const uint8_t *bytes;
    uint8_t kind; /* as appended */
};

struct store_chunk;

struct store_log {
    struct store_entry *entries; /* ascending, consecutive seq */
    size_t count;
    bool more; /* a limit was reached: go on behind the last entry */

    struct store_chunk *chunks; /* the store's, like all below */
    size_t bytes, entries_cap;
    struct mem_account *account;
};

void store_log_fini(struct store_log *l); /* zeroed or filled; leaves it zeroed */

/* Loads a room, or creates it. SK_ENOTFOUND when it does not exist and create
 * is false; SK_ECORRUPT when it is damaged. All results are zero then. */
struct store_load {
    struct store_op op;
    struct store_key key;
    bool create;
    size_t log_bytes_max;    /* bound for log; at least one entry comes anyway; 0: 64 MB */
    struct mem_account *mem; /* pays for snapshot and log; NULL: the process */

    bool is_new; /* this operation created the room */
    int64_t room;
    uint8_t epoch[STORE_EPOCH_BYTES];
    int64_t created_ms;
    uint64_t head;         /* last sequence number; 0: nothing appended yet */
    uint64_t snapshot_seq; /* 0: no snapshot */
    struct rbuf *snapshot; /* the caller's reference; NULL when there is none */
    struct store_log log;  /* from snapshot_seq + 1; with more set, go on by store_read_log() */
};

int store_load(struct store *s, struct store_load *l) SK_MUST_CHECK;
void store_load_fini(struct store_load *l); /* releases snapshot and log */

/* One record to append. bytes and author are borrowed until done: hold a
 * reference. author may be NULL, and is at most STORE_AUTHOR_BYTES_MAX long. */
struct store_record {
    int64_t time_ms;
    uint64_t conn;
    struct rbuf *bytes; /* at most STORE_RECORD_BYTES_MAX */
    struct rbuf *author;
    uint8_t kind; /* the room's meaning; kept as it is */
};

/* Appends records with the sequence numbers first_seq, first_seq + 1, …, where
 * first_seq is the room's head + 1 counting what is queued already. Done with
 * 0: durable. Done with an error: final, nothing of it was kept, and appends of
 * this room queued behind it fail too: SK_ECORRUPT, SK_ENOTFOUND (deleted),
 * SK_EINVAL (first_seq does not follow the log: reload the room), or the disk's
 * code when the store is closed before the disk recovered.
 * Returns SK_EAGAIN when the queue is full, SK_EINVAL and SK_ETOOBIG for a
 * batch that is out of limits; done is not called then. */
struct store_append {
    struct store_op op;
    int64_t room;
    uint64_t first_seq;
    const struct store_record *records;
    size_t count; /* > 0 */

    size_t cost; /* the store's */
};

int store_append(struct store *s, struct store_append *a) SK_MUST_CHECK;

/* Keeps `bytes` as the room's state after record `seq`, compressed and with a
 * checksum. seq must not be above what was appended before this call. The one
 * before it is kept too, older ones go; the log stays for history_days. Writing
 * a snapshot never delays appends by more than its own insertion. A failing
 * disk fails a snapshot at once (make another one later): only appends wait. */
struct store_snapshot {
    struct store_op op;
    int64_t room;
    uint64_t seq; /* > 0 */
    struct rbuf *bytes;

    uint8_t *packed; /* the store's, like all below */
    size_t packed_len, packed_cap;
};

int store_put_snapshot(struct store *s, struct store_snapshot *p) SK_MUST_CHECK;

/* Reads records from `from` on, up to `to` (0: the head) and count_max (0: no
 * limit) and bytes_max (0: 16 MB; at least one entry comes). What retention has
 * dropped is missing at the front: the first entry may be above `from`. */
struct store_read {
    struct store_op op;
    int64_t room;
    uint64_t from, to;
    size_t count_max, bytes_max;
    struct mem_account *mem; /* NULL: the process */

    struct store_log log;
};

int store_read_log(struct store *s, struct store_read *r) SK_MUST_CHECK;

struct store_room_info {
    int64_t room;
    uint8_t epoch[STORE_EPOCH_BYTES];
    int64_t created_ms;
    uint64_t head;
    const char *name; /* in the list's memory */
};

/* Names of one tenant and kind that begin with prefix and sort (by bytes)
 * behind `after` ("" for the first page). */
struct store_list {
    struct store_op op;
    const char *tenant;
    enum store_kind kind;
    const char *prefix, *after; /* NULL means "" */
    size_t limit;               /* 1 to STORE_LIST_MAX */
    struct mem_account *mem;    /* NULL: the process */

    struct store_room_info *rooms;
    size_t count;

    uint8_t *names; /* the store's, like all below */
    size_t names_len, rooms_cap;
};

int store_list_rooms(struct store *s, struct store_list *l) SK_MUST_CHECK;
void store_list_fini(struct store_list *l);

/* Forgets a room. Its name is free at once, and a room made under it later has
 * another number and epoch; its records are erased in small steps afterwards. */
struct store_delete {
    struct store_op op;
    int64_t room;
};

int store_delete_room(struct store *s, struct store_delete *d) SK_MUST_CHECK;

/* Done when every write that was started before it is done, and, in a relaxed
 * store too, synced. */
int store_flush(struct store *s, struct store_op *op) SK_MUST_CHECK;

/* Makes op's completion something to wait for, for the command line and tests;
 * never on a worker. Call before starting op; the wait returns op->code. */
struct store_waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_op *op;
    bool is_done;
};

void store_waiter_init(struct store_waiter *w, struct store_op *op);
int store_waiter_wait(struct store_waiter *w);

#endif
