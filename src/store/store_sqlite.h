#ifndef SKEIN_STORE_STORE_SQLITE_H
#define SKEIN_STORE_STORE_SQLITE_H

/* store_sqlite - shared among the files of the SQLite backend, used by nobody else.
 *
 * store_sqlite.c         opening, locking, checking, errors, transactions
 * store_sqlite_schema.c  tables, and how an older file becomes a newer one
 * store_sqlite_write.c   what the writer puts in
 * store_sqlite_read.c    what loads and lists take out
 * store_sqlite_tidy.c    moving the tail into the log, retention, erasing
 */
#include <sqlite3.h>

#include "base/buf.h"
#include "base/map.h"
#include "store/store_backend.h"

#define SQLITE_PAGE_BYTES 4096
#define SKEIN_APPLICATION_ID 0x536b6569 /* "Skei" */

/* Every statement, prepared when it is first used. ?1 is the room where there is one. */
#define STORE_STATEMENTS(X)                                                                        \
    X(ST_BEGIN_READ, "BEGIN")                                                                      \
    X(ST_BEGIN_WRITE, "BEGIN IMMEDIATE")                                                           \
    X(ST_COMMIT, "COMMIT")                                                                         \
    X(ST_ROLLBACK, "ROLLBACK")                                                                     \
    X(ST_SAVE, "SAVEPOINT op")                                                                     \
    X(ST_SAVE_BACK, "ROLLBACK TO op")                                                              \
    X(ST_SAVE_END, "RELEASE op")                                                                   \
    X(ST_ROOM_BY_NAME, "SELECT id, epoch, created_ms FROM rooms"                                   \
                       " WHERE tenant = ?1 AND kind = ?2 AND name = ?3 AND gone_ms IS NULL")       \
    X(ST_ROOM_ADD, "INSERT OR IGNORE INTO rooms(tenant, kind, name, epoch, created_ms)"            \
                   " VALUES(?1, ?2, ?3, ?4, ?5)")                                                  \
    X(ST_ROOM_DELETE, "UPDATE rooms SET gone_ms = ?2 WHERE id = ?1 AND gone_ms IS NULL")           \
    X(ST_ROOM_LIST, "SELECT id, epoch, created_ms, name FROM rooms WHERE tenant = ?1"              \
                    " AND kind = ?2 AND name > ?3 AND name >= ?4 AND gone_ms IS NULL"              \
                    " ORDER BY name LIMIT ?5")                                                     \
    X(ST_HEAD_MOVED, "SELECT max(ifnull((SELECT max(last) FROM log WHERE room = ?1), 0),"          \
                     " ifnull((SELECT max(seq) FROM snapshots WHERE room = ?1), 0))"               \
                     " FROM rooms WHERE id = ?1 AND gone_ms IS NULL")                              \
    X(ST_HEAD_TAIL, "SELECT ifnull(max(last), 0) FROM tail WHERE room = ?1")                       \
    X(ST_HEADS_TAIL, "SELECT room, max(last) FROM tail GROUP BY room")                             \
    X(ST_TAIL_ADD, "INSERT INTO tail(room, first, last, data) VALUES(?1, ?2, ?3, ?4)")             \
    X(ST_TAIL_ALL, "SELECT id, room, first, last, data FROM tail ORDER BY id")                     \
    X(ST_TAIL_READ, "SELECT first, last, data FROM tail WHERE room = ?1 AND last >= ?2"            \
                    " ORDER BY id")                                                                \
    X(ST_TAIL_DROP, "DELETE FROM tail WHERE id <= ?1")                                             \
    X(ST_TAIL_SIZE, "SELECT ifnull(sum(length(data)), 0) FROM tail WHERE id > ?1")                 \
    X(ST_LOG_LAST, "SELECT ifnull((SELECT max(last) FROM log WHERE room = ?1), 0)"                 \
                   " FROM rooms WHERE id = ?1 AND gone_ms IS NULL")                                \
    X(ST_LOG_ADD, "INSERT INTO log(room, first, last, from_ms, to_ms, authors, data)"              \
                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                           \
    X(ST_LOG_READ, "SELECT first, last, data FROM log WHERE room = ?1 AND last >= ?2"              \
                   " ORDER BY last")                                                               \
    X(ST_LOG_OLDEST, "SELECT id, room, first, last, to_ms FROM log WHERE id > ?1"                  \
                     " ORDER BY id LIMIT ?2")                                                      \
    X(ST_LOG_DROP, "DELETE FROM log WHERE id = ?1")                                                \
    X(ST_SNAPSHOT_ADD, "INSERT OR REPLACE INTO snapshots(room, seq, made_ms, size, data)"          \
                       " VALUES(?1, ?2, ?3, ?4, ?5)")                                              \
    X(ST_SNAPSHOT_DROP, "DELETE FROM snapshots WHERE room = ?1 AND seq <"                          \
                        " (SELECT min(seq) FROM (SELECT seq FROM snapshots WHERE room = ?1"        \
                        " ORDER BY seq DESC LIMIT 2))")                                            \
    X(ST_SNAPSHOT_READ, "SELECT seq, size, data FROM snapshots WHERE room = ?1"                    \
                        " ORDER BY seq DESC")                                                      \
    X(ST_SNAPSHOT_OLDER, "SELECT seq FROM snapshots WHERE room = ?1 ORDER BY seq DESC"             \
                         " LIMIT 1 OFFSET 1")                                                      \
    X(ST_PROBE, "INSERT INTO meta VALUES('probed_ms', ?1)"                                         \
                " ON CONFLICT(key) DO UPDATE SET value = ?1")                                      \
    X(ST_GONE_ROOM, "SELECT id FROM rooms WHERE gone_ms IS NOT NULL AND id > ?1 LIMIT 1")          \
    X(ST_GONE_LOG, "DELETE FROM log WHERE id IN (SELECT id FROM log WHERE room = ?1"               \
                   " LIMIT 32)")                                                                   \
    X(ST_GONE_SNAPSHOT, "DELETE FROM snapshots WHERE rowid IN (SELECT rowid FROM snapshots"        \
                        " WHERE room = ?1 LIMIT 1)")                                               \
    X(ST_GONE_VERSIONS, "DELETE FROM versions WHERE room = ?1")                                    \
    X(ST_GONE_END, "DELETE FROM rooms WHERE id = ?1 AND gone_ms IS NOT NULL")

#define X(name, sql) name,
enum sqlite_statement { STORE_STATEMENTS(X) ST_COUNT };
#undef X

struct sqlite_conn {
    sqlite3 *db;
    int sys_errno; /* of the last step that failed; 0: not known */
    sqlite3_stmt *statements[ST_COUNT];
};

/* A row of the tail while it is being moved. */
struct sqlite_tail_row {
    struct store_blob blob; /* p is owned */
};

struct sqlite_store {
    struct store_backend base;
    struct sqlite_conn conns[2]; /* by enum store_side */
    int lock_fd;
    struct mem_account *mem;
    char path[512];
    bool relaxed;

    /* All below is the writer thread's. */
    struct map64 heads; /* room to head + 1 */
    bool heads_whole;   /* it has every room of the tail */
    struct buf scratch;
    uint64_t wal_frames; /* in the log and not known to be in the database */

    size_t tail_bytes;
    int64_t tail_since_ms; /* 0: the tail is empty */
    struct sqlite_tail_row *move;
    size_t move_count, move_next, move_cap;
    int64_t move_upto; /* id of the last row that is being moved */
    bool move_failed;  /* damaged: the tail stays where it is */

    int64_t history_ms; /* 0: for ever */
    int64_t purge_at_ms, purge_cursor;
    uint64_t purged;
    bool gone_pending;
};

/* store_sqlite.c */

/* NULL when it cannot be prepared. Bindings of the last use are gone. */
sqlite3_stmt *store__sqlite_use(struct sqlite_conn *c, enum sqlite_statement st);
/* sqlite3_step() that keeps errno. A NULL statement is an error. */
int store__sqlite_step(struct sqlite_conn *c, sqlite3_stmt *st);
/* Steps a statement that returns no row. 0, or the code with words in *e. */
int store__sqlite_run(struct sqlite_conn *c, sqlite3_stmt *st, const char *what, struct err *e);
/* use and run, with ?1 bound. */
int store__sqlite_run_id(struct sqlite_conn *c, enum sqlite_statement id, int64_t v,
                         const char *what, struct err *e);
int store__sqlite_run_plain(struct sqlite_conn *c, enum sqlite_statement id, const char *what,
                            struct err *e);
/* One integer of a query of ?1; SK_ENOTFOUND when there is no row. */
int store__sqlite_get_id(struct sqlite_conn *c, enum sqlite_statement id, int64_t v, int64_t *out,
                         struct err *e);
/* The code for SQLite's last error on this connection, with words. */
int store__sqlite_fail(struct sqlite_conn *c, const char *what, struct err *e);
/* What is damaged here belongs to everybody: not one operation's fault. */
int store__sqlite_shared(int code);
int store__sqlite_exec(sqlite3 *db, const char *sql, const char *what, struct err *e);
void store__sqlite_rollback(struct sqlite_conn *c);

static inline struct sqlite_store *store__sqlite_of(struct store_backend *b)
{
    return (struct sqlite_store *)(void *)b;
}

/* store_sqlite_schema.c */

struct store_migration {
    const char *sql; /* takes a file from version i to i + 1, i being the place in the array */
};

/* Brings the file to version `count`. SK_EVERSION when it is above that. */
int store__sqlite_migrate(sqlite3 *db, const struct store_migration *steps, int count,
                          struct err *e);
/* Checks that the file is Skein's, and migrates it to this program's version. */
int store__sqlite_schema(sqlite3 *db, struct err *e);
/* Checks that it is, and of exactly this version, without writing. */
int store__sqlite_check_schema(sqlite3 *db, struct err *e);

/* store_sqlite_write.c */
int store__sqlite_append(struct store_backend *b, const struct store_append *a, struct err *e);
int store__sqlite_put_snapshot(struct store_backend *b, const struct store_packed *p,
                               struct err *e);
int store__sqlite_create_room(struct store_backend *b, struct store_load *l, int64_t now_ms,
                              struct err *e);
int store__sqlite_delete_room(struct store_backend *b, int64_t room, int64_t now_ms, struct err *e);
/* Makes heads what the file says: after a rollback, and at opening. */
int store__sqlite_read_heads(struct sqlite_store *s, struct err *e);

/* store_sqlite_read.c */
int store__sqlite_load(struct store_backend *b, enum store_side side, struct store_load *l,
                       struct err *e);
int store__sqlite_read_log(struct store_backend *b, struct store_read *r, struct err *e);
int store__sqlite_list_rooms(struct store_backend *b, struct store_list *l, struct err *e);

/* store_sqlite_tidy.c */
int store__sqlite_tidy(struct store_backend *b, int64_t now_ms, int *wait_ms, struct err *e);
void store__sqlite_move_reset(struct sqlite_store *s);

#endif
