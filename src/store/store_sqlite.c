/* store_sqlite - the embedded database: one file, two connections.
 *
 * The writer's connection holds every transaction that changes something; the
 * reader's reads beside it, which the write-ahead log (WAL) allows, and copies
 * the log into the database. So a commit waits for nothing but its own sync.
 *
 * Settings, and why:
 *   synchronous=FULL     a commit returns after the log is synced. NORMAL when
 *                        relaxed: then store__sqlite_sync() does it on time.
 *   wal_autocheckpoint=0 a checkpoint inside somebody's commit would delay it;
 *                        store_writer.c decides when.
 *   page_size 4096       the log is written in pages: a larger one multiplies
 *                        what a small edit writes. 4 KB is also the disk's unit.
 *   mmap_size=0          a read error in a mapped page is a signal that kills
 *                        the server; read(2) reports it for one room.
 *   secure_delete=off    Debian's default overwrites what is deleted, which
 *                        doubles the writes of the tail.
 *   locking_mode=NORMAL  so that sqlite3, .backup and Litestream work beside
 *                        us. Two servers are kept apart by flock on skein.lock,
 *                        which the kernel releases however a process ends.
 *
 * A FAILED SYNC. After fsync(2) has failed, Linux may call the pages clean, and
 * a second fsync succeeds without having written them. SQLite forgets the
 * transaction, and the next one overwrites the same place in the log, which
 * makes the pages dirty again; records are reported only after that one. What
 * earlier commits had synced is not touched. */
#include "store/store_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define CHECK_MS_MAX 1000 /* of the integrity check at opening */
#define BUSY_MS_MAX 250   /* how long somebody else's write lock is waited for */
#define SCRATCH_KEEP_BYTES (1u << 20)
#define CACHE_KB_WRITER 16384
#define CACHE_KB_READER 8192
#define LOG_KEEP_BYTES (64 << 20) /* a longer log is cut to this when it starts over */

static const char *const statement_sql[] = {
#define X(name, sql) [name] = sql,
    STORE_STATEMENTS(X)
#undef X
};

/* ---- errors ---- */

/* SQLite's own note of errno is not taken when it is a COMMIT that fails. */
static int errno_of(const struct sqlite_conn *c)
{
    return c->sys_errno != 0 ? c->sys_errno : sqlite3_system_errno(c->db);
}

static int code_of(const struct sqlite_conn *c)
{
    switch (sqlite3_errcode(c->db) & 0xff) {
    case SQLITE_FULL:
        return SK_ENOSPC;
    case SQLITE_READONLY:
        return SK_EROFS;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SK_ECORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SK_EAGAIN;
    case SQLITE_NOMEM:
        return SK_ENOMEM;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return SK_EDENIED;
    case SQLITE_TOOBIG:
        return SK_ETOOBIG;
    default:
        break;
    }
    switch (errno_of(c)) {
    case ENOSPC:
    case EDQUOT:
        return SK_ENOSPC;
    case EROFS:
        return SK_EROFS;
    case EACCES:
    case EPERM:
        return SK_EDENIED;
    default:
        return SK_EIO;
    }
}

int store__sqlite_fail(struct sqlite_conn *c, const char *what, struct err *e)
{
    int code = code_of(c);

    switch (code) {
    case SK_ECORRUPT:
        return err_set(e, code,
                       "%s: skein.db is damaged (%s): keep a copy, then restore a backup or rescue "
                       "it with: sqlite3 skein.db .recover",
                       what, sqlite3_errmsg(c->db));
    case SK_EAGAIN:
        return err_set(e, code, "%s: another program holds a lock on skein.db", what);
    case SK_ENOSPC:
    case SK_EROFS:
        return err_set(e, code, "%s: %s", what, err_str(code));
    default:
        return err_set(e, code, "%s: %s (%s)", what, sqlite3_errmsg(c->db),
                       errno_of(c) != 0 ? strerror(errno_of(c)) : "no system error");
    }
}

int store__sqlite_shared(int code)
{
    return code == SK_ECORRUPT || code == SK_ETOOBIG || code == SK_ENOTFOUND ? SK_EIO : code;
}

/* ---- statements ---- */

sqlite3_stmt *store__sqlite_use(struct sqlite_conn *c, enum sqlite_statement st)
{
    if (c->statements[st] == NULL &&
        sqlite3_prepare_v3(c->db, statement_sql[st], -1, SQLITE_PREPARE_PERSISTENT,
                           &c->statements[st], NULL) != SQLITE_OK)
        return NULL;
    return c->statements[st];
}

int store__sqlite_step(struct sqlite_conn *c, sqlite3_stmt *st)
{
    int rc;

    c->sys_errno = errno = 0;
    if (st == NULL)
        return SQLITE_ERROR;
    rc = sqlite3_step(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        c->sys_errno = errno;
    return rc;
}

int store__sqlite_run(struct sqlite_conn *c, sqlite3_stmt *st, const char *what, struct err *e)
{
    int code = 0;

    if (store__sqlite_step(c, st) != SQLITE_DONE)
        code = store__sqlite_fail(c, what, e);
    sqlite3_reset(st);
    return code;
}

int store__sqlite_run_id(struct sqlite_conn *c, enum sqlite_statement id, int64_t v,
                         const char *what, struct err *e)
{
    sqlite3_stmt *st = store__sqlite_use(c, id);

    sqlite3_bind_int64(st, 1, v);
    return store__sqlite_run(c, st, what, e);
}

int store__sqlite_run_plain(struct sqlite_conn *c, enum sqlite_statement id, const char *what,
                            struct err *e)
{
    return store__sqlite_run(c, store__sqlite_use(c, id), what, e);
}

int store__sqlite_get_id(struct sqlite_conn *c, enum sqlite_statement id, int64_t v, int64_t *out,
                         struct err *e)
{
    sqlite3_stmt *st = store__sqlite_use(c, id);
    int step, code = 0;

    *out = 0;
    sqlite3_bind_int64(st, 1, v);
    step = store__sqlite_step(c, st);
    if (step == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    else if (step == SQLITE_DONE)
        code = err_set(e, SK_ENOTFOUND, "room %lld does not exist", (long long)v);
    else
        code = store__sqlite_fail(c, "read", e);
    sqlite3_reset(st);
    return code;
}

int store__sqlite_exec(sqlite3 *db, const char *sql, const char *what, struct err *e)
{
    struct sqlite_conn c = {.db = db};

    errno = 0;
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    c.sys_errno = errno;
    return store__sqlite_fail(&c, what, e);
}

/* SQLite may have rolled back by itself already. */
void store__sqlite_rollback(struct sqlite_conn *c)
{
    if (sqlite3_get_autocommit(c->db) == 0)
        (void)store__sqlite_run_plain(c, ST_ROLLBACK, "roll back", NULL);
}

/* ---- transactions ---- */

static int writer_begin(struct store_backend *b, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    int rc = store__sqlite_run_plain(&s->conns[STORE_WRITER], ST_BEGIN_WRITE, "begin", e);

    return store__sqlite_shared(rc);
}

static int writer_probe(struct store_backend *b, int64_t now_ms, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    int rc = store__sqlite_run_id(&s->conns[STORE_WRITER], ST_PROBE, now_ms, "try the disk", e);

    return store__sqlite_shared(rc);
}

static int writer_commit(struct store_backend *b, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    int rc = store__sqlite_run_plain(&s->conns[STORE_WRITER], ST_COMMIT, "commit", e);

    if (s->scratch.cap > SCRATCH_KEEP_BYTES)
        buf_fini(&s->scratch); /* one large paste must not cost its size for ever */
    return store__sqlite_shared(rc);
}

static void writer_rollback(struct store_backend *b)
{
    struct sqlite_store *s = store__sqlite_of(b);

    store__sqlite_rollback(&s->conns[STORE_WRITER]);
    /* The map is ahead of the file now. When the file cannot be read either,
     * the map stays empty and heads are looked up, or fail, one by one. */
    (void)store__sqlite_read_heads(s, NULL);
}

/* The log is SQLite's own file handle, so a test's file system is asked, too. */
static int writer_sync(struct store_backend *b, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    sqlite3_file *log = NULL;

    if (sqlite3_file_control(c->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
        log == NULL || log->pMethods == NULL)
        return 0; /* nothing was written yet */
    if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK)
        return 0;
    return err_set(e, SK_EIO, "the disk does not sync the write-ahead log");
}

static int checkpoint(struct store_backend *b, enum store_side side, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    int frames = 0, done = 0;
    int rc;

    errno = 0;
    rc = sqlite3_wal_checkpoint_v2(s->conns[side].db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames,
                                   &done);
    s->conns[side].sys_errno = errno;

    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
        return 0; /* somebody else is at it; there will be another time */
    if (rc != SQLITE_OK)
        return store__sqlite_fail(&s->conns[side], "checkpoint", e);
    if (side == STORE_WRITER)
        s->wal_frames = (uint64_t)(frames - done);
    return 0;
}

static uint64_t wal_bytes(const struct store_backend *b)
{
    return ((const struct sqlite_store *)(const void *)b)->wal_frames * SQLITE_PAGE_BYTES;
}

static uint64_t purged(const struct store_backend *b)
{
    return ((const struct sqlite_store *)(const void *)b)->purged;
}

static int on_commit(void *user, sqlite3 *db, const char *name, int frames)
{
    struct sqlite_store *s = user;

    (void)db;
    (void)name;
    s->wal_frames = (uint64_t)frames;
    return SQLITE_OK;
}

/* ---- opening ---- */

/* The lock is on a file of its own: a lock on skein.db would be SQLite's. */
static int take_lock(struct sqlite_store *s, const char *dir, struct err *e)
{
    char path[512];
    char pid[32];
    int n;

    snprintf(path, sizeof(path), "%s/skein.lock", dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return err_set(e,
                       errno == EROFS                        ? SK_EROFS
                       : errno == ENOSPC                     ? SK_ENOSPC
                       : errno == EACCES                     ? SK_EDENIED
                       : errno == ENOENT || errno == ENOTDIR ? SK_ENOTFOUND
                                                             : SK_EIO,
                       "%s: %s", path, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(e, SK_EEXISTS, "%s: another server is using this data directory", dir);
    /* Only for people who wonder who it is; the lock does not depend on it. */
    n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
        log_debug("store.lock", "path=%s error=%s", path, strerror(errno));
    return 0;
}

static int open_side(struct sqlite_store *s, enum store_side side, const struct store_options *o,
                     struct err *e)
{
    struct sqlite_conn *c = &s->conns[side];
    char sql[400];
    int flags = o->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc;

    if (sqlite3_open_v2(s->path, &c->db, flags | SQLITE_OPEN_NOMUTEX, o->sqlite_vfs) != SQLITE_OK)
        return c->db != NULL ? store__sqlite_fail(c, s->path, e)
                             : err_set(e, SK_ENOMEM, "%s: out of memory", s->path);
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, BUSY_MS_MAX);
    sqlite3_snprintf(sizeof(sql), sql,
                     "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
                     "PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0;"
                     "PRAGMA secure_delete = OFF; PRAGMA cell_size_check = ON;"
                     "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
                     "PRAGMA cache_size = -%d; PRAGMA journal_size_limit = %d;",
                     SQLITE_PAGE_BYTES, s->relaxed ? "NORMAL" : "FULL",
                     side == STORE_WRITER ? CACHE_KB_WRITER : CACHE_KB_READER, LOG_KEEP_BYTES);
    rc = store__sqlite_exec(c->db, sql, s->path, e);
    if (rc == 0 && side == STORE_WRITER)
        sqlite3_wal_hook(c->db, on_commit, s);
    if (rc == 0 && side == STORE_READER)
        rc = store__sqlite_exec(c->db, "PRAGMA query_only = ON", s->path, e);
    return rc;
}

/* journal_mode answers with the mode in force instead of failing. */
static int check_wal(struct sqlite_store *s, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    sqlite3_stmt *st = NULL;
    int rc = 0;

    if (sqlite3_prepare_v2(c->db, "PRAGMA journal_mode", -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        rc = store__sqlite_fail(c, s->path, e);
    else if (sqlite3_stricmp((const char *)sqlite3_column_text(st, 0), "wal") != 0)
        rc = err_set(e, SK_EIO, "%s: this file system does not allow a write-ahead log (WAL)",
                     s->path);
    sqlite3_finalize(st);
    return rc;
}

static int64_t mono_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int is_check_over(void *deadline_ms)
{
    return mono_ms() > *(int64_t *)deadline_ms;
}

/* Looks at as much of the file as CHECK_MS_MAX allows: all of a small one, and
 * of a large one enough to find a copy that was cut off. A damaged tree must
 * not be written to: it may give one page to two rooms. */
static int check_file(struct sqlite_store *s, bool accept_damage, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    int64_t deadline = mono_ms() + CHECK_MS_MAX;
    sqlite3_stmt *st = NULL;
    int rc = 0, step;

    sqlite3_progress_handler(c->db, 10000, is_check_over, &deadline);
    if (sqlite3_prepare_v2(c->db, "PRAGMA quick_check(1)", -1, &st, NULL) != SQLITE_OK)
        rc = store__sqlite_fail(c, s->path, e);
    step = st == NULL ? SQLITE_ERROR : sqlite3_step(st);
    if (step == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(st, 0), "ok") != 0) {
        rc = err_set(e, SK_ECORRUPT,
                     "skein.db is damaged (%.90s): keep a copy, then restore a backup or rescue it "
                     "with: sqlite3 skein.db .recover",
                     (const char *)sqlite3_column_text(st, 0));
    } else if (rc == 0 && step != SQLITE_ROW && step != SQLITE_INTERRUPT) {
        rc = store__sqlite_fail(c, s->path, e);
    }
    sqlite3_finalize(st);
    sqlite3_progress_handler(c->db, 0, NULL, NULL);
    if (rc == SK_ECORRUPT && accept_damage) {
        log_error("store.damaged", "path=%s action=%s", s->path, "opened all the same, as told");
        rc = 0;
    }
    return rc;
}

/* A new file's entry in the directory is data too. */
static int sync_dir(const char *dir, struct err *e)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0 || fsync(fd) != 0)
        rc = err_set(e, SK_EIO, "%s: sync directory: %s", dir, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static void close_side(struct sqlite_conn *c)
{
    for (size_t i = 0; i < ST_COUNT; i++)
        sqlite3_finalize(c->statements[i]);
    if (c->db != NULL) {
        int rc = sqlite3_close(c->db);

        assert(rc == SQLITE_OK); /* else a statement was left open */
        (void)rc;
    }
}

static void sqlite_close(struct store_backend *b)
{
    struct sqlite_store *s = store__sqlite_of(b);

    store__sqlite_move_reset(s);
    /* The last connection copies the log into the database and removes it. */
    close_side(&s->conns[STORE_READER]);
    close_side(&s->conns[STORE_WRITER]);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    map64_fini(&s->heads);
    buf_fini(&s->scratch);
    mem_free(s->mem, s, sizeof(*s));
}

static const struct store_backend_ops sqlite_ops = {
    .close = sqlite_close,
    .begin = writer_begin,
    .append = store__sqlite_append,
    .put_snapshot = store__sqlite_put_snapshot,
    .create_room = store__sqlite_create_room,
    .delete_room = store__sqlite_delete_room,
    .probe = writer_probe,
    .commit = writer_commit,
    .rollback = writer_rollback,
    .sync = writer_sync,
    .tidy = store__sqlite_tidy,
    .wal_bytes = wal_bytes,
    .purged = purged,
    .load = store__sqlite_load,
    .checkpoint = checkpoint,
    .read_log = store__sqlite_read_log,
    .list_rooms = store__sqlite_list_rooms,
};

/* Beside a server: it has the lock, and it alone tidies. The writer's side stays closed. */

static int tidy_nothing(struct store_backend *b, int64_t now_ms, int *wait_ms, struct err *e)
{
    (void)b;
    (void)now_ms;
    (void)e;
    *wait_ms = -1;
    return 0;
}

static int checkpoint_nothing(struct store_backend *b, enum store_side side, struct err *e)
{
    (void)b;
    (void)side;
    (void)e;
    return 0;
}

static const struct store_backend_ops read_only_ops = {
    .close = sqlite_close,
    .tidy = tidy_nothing,
    .wal_bytes = wal_bytes,
    .purged = purged,
    .load = store__sqlite_load,
    .checkpoint = checkpoint_nothing,
    .read_log = store__sqlite_read_log,
    .list_rooms = store__sqlite_list_rooms,
};

static int open_to_read(struct sqlite_store *s, const struct store_options *o, struct err *e)
{
    int rc = open_side(s, STORE_READER, o, e);

    s->base.ops = &read_only_ops;
    return rc != 0 ? rc : store__sqlite_check_schema(s->conns[STORE_READER].db, e);
}

static int open_files(struct sqlite_store *s, const struct store_options *o, struct err *e)
{
    struct sqlite_conn *w = &s->conns[STORE_WRITER];
    int64_t tail_bytes = 0;
    int rc = take_lock(s, o->dir, e);

    if (rc == 0)
        rc = open_side(s, STORE_WRITER, o, e);
    if (rc == 0)
        rc = check_wal(s, e);
    if (rc == 0)
        rc = store__sqlite_schema(w->db, e);
    if (rc == 0)
        rc = check_file(s, o->accept_damage, e);
    if (rc == 0)
        rc = open_side(s, STORE_READER, o, e);
    if (rc == 0)
        rc = sync_dir(o->dir, e);
    if (rc == 0)
        rc = store__sqlite_read_heads(s, e);
    if (rc == 0)
        rc = store__sqlite_get_id(w, ST_TAIL_SIZE, 0, &tail_bytes, e);
    s->tail_bytes = (size_t)tail_bytes;
    s->tail_since_ms = tail_bytes > 0 ? 1 : 0; /* long ago: it is moved at once */
    return rc;
}

int store_sqlite_open(struct store_backend **out, const struct store_options *o, struct err *e)
{
    struct mem_account *mem = o->mem != NULL ? o->mem : mem_process();
    struct sqlite_store *s;
    int rc;

    *out = NULL;
    if (strlen(o->dir) > sizeof(s->path) - sizeof("/skein.lock"))
        return err_set(e, SK_EINVAL, "the name of the data directory is too long");
    s = mem_alloc_zero(mem, sizeof(*s));
    if (s == NULL)
        return err_set(e, SK_ENOMEM, "no memory for the store");
    s->base.ops = &sqlite_ops;
    s->mem = mem;
    s->lock_fd = -1;
    s->relaxed = o->relaxed_ms > 0;
    s->history_ms = o->history_forever ? 0 : (int64_t)o->history_days * 86400000;
    s->gone_pending = true;
    map64_init(&s->heads, mem);
    buf_init(&s->scratch, mem, STORE_APPEND_BYTES_MAX * 2);
    snprintf(s->path, sizeof(s->path), "%s/skein.db", o->dir);
    rc = o->read_only ? open_to_read(s, o, e) : open_files(s, o, e);
    if (rc != 0) {
        sqlite_close(&s->base);
        return rc;
    }
    *out = &s->base;
    return 0;
}
