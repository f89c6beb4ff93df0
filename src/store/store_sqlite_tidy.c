/* store_sqlite_tidy - housekeeping, a millisecond at a time.
 *
 * MOVING. When the tail has TAIL_BYTES_MAX bytes or is TAIL_MS_MAX old, its rows
 * are read, sorted by room and packed into the log, some rooms a transaction;
 * the last of these transactions also empties the tail as far as it was read.
 * A crash in between leaves records in both; they are recognised by their
 * numbers, here and when loading, and the log's are taken.
 *
 * RETENTION. The log is walked from its oldest row. A row goes when it is older
 * than the history that is kept and lies behind both kept snapshots, so that a
 * room can still be built from either of them.
 *
 * ERASING. A deleted room's rows go some at a time; its row in rooms goes last. */
#include "store/store_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/store_batch.h"

#define TAIL_BYTES_MAX (256u << 10)
#define TAIL_MS_MAX 1000
#define MOVE_BYTES_MAX (1u << 20) /* read at once; a single larger row is, too */
#define MOVE_ROOMS_STEP 64        /* in one transaction */
#define MOVE_BYTES_STEP (128u << 10)
#define PACK_BYTES_MAX (64u << 10) /* a row of the log is finished above this */
#define AUTHORS_TEXT_MAX 200
#define PURGE_ROWS_STEP 32
#define PURGE_PAUSE_MS 20
#define PURGE_EVERY_MS (3600 * 1000)
#define RETRY_MS 5000

/* ---- moving ---- */

void store__sqlite_move_reset(struct sqlite_store *s)
{
    for (size_t i = s->move_next; i < s->move_count; i++)
        mem_free(s->mem, (void *)(uintptr_t)s->move[i].blob.p, s->move[i].blob.len);
    mem_free(s->mem, s->move, s->move_cap * sizeof(s->move[0]));
    s->move = NULL;
    s->move_count = s->move_next = s->move_cap = 0;
}

static int by_room_and_seq(const void *pa, const void *pb)
{
    const struct sqlite_tail_row *a = pa, *b = pb;

    if (a->blob.room != b->blob.room)
        return a->blob.room < b->blob.room ? -1 : 1;
    return a->blob.first < b->blob.first ? -1 : a->blob.first > b->blob.first;
}

static int add_tail_row(struct sqlite_store *s, sqlite3_stmt *st)
{
    struct store_blob *b;
    uint8_t *copy;

    if (s->move_count == s->move_cap) {
        size_t cap = s->move_cap == 0 ? 64 : s->move_cap * 2;
        void *p =
            mem_resize(s->mem, s->move, s->move_cap * sizeof(s->move[0]), cap * sizeof(s->move[0]));

        if (p == NULL)
            return SK_ENOMEM;
        s->move = p;
        s->move_cap = cap;
    }
    b = &s->move[s->move_count].blob;
    b->room = sqlite3_column_int64(st, 1);
    b->first = (uint64_t)sqlite3_column_int64(st, 2);
    b->last = (uint64_t)sqlite3_column_int64(st, 3);
    b->len = (size_t)sqlite3_column_bytes(st, 4);
    if (b->len == 0)
        return SK_ECORRUPT;
    copy = mem_alloc(s->mem, b->len);
    if (copy == NULL)
        return SK_ENOMEM;
    memcpy(copy, sqlite3_column_blob(st, 4), b->len);
    b->p = copy;
    s->move_count++;
    s->move_upto = sqlite3_column_int64(st, 0);
    return 0;
}

static int move_start(struct sqlite_store *s, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    sqlite3_stmt *st = store__sqlite_use(c, ST_TAIL_ALL);
    size_t bytes = 0;
    int rc = 0, step = SQLITE_ERROR;

    store__sqlite_move_reset(s);
    while (rc == 0 && st != NULL && bytes < MOVE_BYTES_MAX &&
           (step = store__sqlite_step(c, st)) == SQLITE_ROW) {
        rc = add_tail_row(s, st);
        if (rc != 0)
            err_set(e, rc, "the tail cannot be moved");
        else
            bytes += s->move[s->move_count - 1].blob.len;
    }
    if (rc == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
        rc = store__sqlite_fail(c, "read the tail", e);
    sqlite3_reset(st);
    if (s->move_count > 1)
        qsort(s->move, s->move_count, sizeof(s->move[0]), by_room_and_seq);
    return rc;
}

/* A row of the log that is being packed, with what people can read of it. */
struct pack {
    struct sqlite_store *s;
    int64_t room;
    uint64_t done; /* last record that the log has */
    bool is_open;
    struct batch_writer w;
    int64_t from_ms, to_ms;
    char authors[AUTHORS_TEXT_MAX];
    size_t authors_len;
    uint32_t authors_seen;
};

/* Names of a pack's authors for people: what is not text becomes a space. */
static void note_author(struct pack *k, const struct store_entry *e)
{
    size_t room_left = sizeof(k->authors) - k->authors_len;

    if (e->author_len == 0 || k->authors_seen == k->w.authors.count)
        return;
    k->authors_seen = k->w.authors.count;
    if (e->author_len + 3 > room_left)
        return;
    if (k->authors_len > 0) {
        memcpy(k->authors + k->authors_len, ", ", 2);
        k->authors_len += 2;
    }
    for (uint32_t i = 0; i < e->author_len; i++) {
        char ch = e->author[i];

        k->authors[k->authors_len++] = (unsigned char)ch < 0x20 ? ' ' : ch;
    }
}

static int pack_finish(struct pack *k, struct err *e)
{
    struct sqlite_conn *c = &k->s->conns[STORE_WRITER];
    struct buf *out = &k->s->scratch;
    sqlite3_stmt *st;
    int rc;

    if (!k->is_open)
        return 0;
    k->is_open = false;
    store_batch_finish(&k->w, k->room);
    if (buf_err(out) != 0)
        return err_set(e, SK_ENOMEM, "no memory to pack the log");
    st = store__sqlite_use(c, ST_LOG_ADD);
    sqlite3_bind_int64(st, 1, k->room);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)k->w.first);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)k->w.next - 1);
    sqlite3_bind_int64(st, 4, k->from_ms);
    sqlite3_bind_int64(st, 5, k->to_ms);
    sqlite3_bind_text(st, 6, k->authors, (int)k->authors_len, SQLITE_STATIC);
    sqlite3_bind_blob64(st, 7, out->p, out->len, SQLITE_STATIC);
    rc = store__sqlite_run(c, st, "pack the log", e);
    if (rc == 0)
        k->done = k->w.next - 1;
    return rc;
}

static void pack_add(struct pack *k, const struct store_entry *e)
{
    if (!k->is_open) {
        buf_reset(&k->s->scratch);
        store_batch_start(&k->w, &k->s->scratch, e->seq);
        k->is_open = true;
        k->from_ms = k->to_ms = e->time_ms;
        k->authors_len = k->authors_seen = 0;
    }
    store_batch_add(&k->w, e);
    note_author(k, e);
    if (e->time_ms < k->from_ms)
        k->from_ms = e->time_ms;
    if (e->time_ms > k->to_ms)
        k->to_ms = e->time_ms;
}

static int pack_row(struct pack *k, const struct store_blob *b, struct err *e)
{
    struct batch_reader r;
    struct store_entry entry;
    int more, rc = 0;

    if (store_batch_open(&r, b->p, b->len, b->room, b->first, b->last) != 0)
        return err_set(e, SK_ECORRUPT, "room %lld: records %llu to %llu are damaged",
                       (long long)b->room, (unsigned long long)b->first,
                       (unsigned long long)b->last);
    while (rc == 0 && (more = store_batch_next(&r, &entry)) == 1) {
        if (entry.seq <= k->done)
            continue;
        pack_add(k, &entry);
        if (k->s->scratch.len > PACK_BYTES_MAX)
            rc = pack_finish(k, e);
    }
    return rc != 0 ? rc : more;
}

/* All rows of the room at s->move_next. *bytes grows by what was written. */
static int move_room(struct sqlite_store *s, size_t *bytes, size_t *end, struct err *e)
{
    struct pack k = {.s = s, .room = s->move[*end].blob.room};
    int64_t done;
    int rc = store__sqlite_get_id(&s->conns[STORE_WRITER], ST_LOG_LAST, k.room, &done, e);
    bool is_gone = rc == SK_ENOTFOUND; /* deleted: its records go with the tail */

    if (is_gone)
        rc = 0;
    k.done = (uint64_t)done;
    for (; rc == 0 && *end < s->move_count && s->move[*end].blob.room == k.room; ++*end) {
        *bytes += s->move[*end].blob.len;
        if (!is_gone)
            rc = pack_row(&k, &s->move[*end].blob, e);
        /* The entries' authors are in the row, which is freed after the step. */
    }
    return rc != 0 ? rc : pack_finish(&k, e);
}

static void move_finished(struct sqlite_store *s)
{
    int64_t left = 0;

    store__sqlite_move_reset(s);
    (void)store__sqlite_get_id(&s->conns[STORE_WRITER], ST_TAIL_SIZE, 0, &left, NULL);
    s->tail_bytes = (size_t)left;
    s->tail_since_ms = 0;
}

/* One transaction: some rooms, and after the last one the tail's end. */
static int move_step(struct sqlite_store *s, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    size_t bytes = 0, end = s->move_next;
    int rc = store__sqlite_run_plain(c, ST_BEGIN_WRITE, "move the tail", e);

    for (unsigned n = 0;
         rc == 0 && end < s->move_count && n < MOVE_ROOMS_STEP && bytes < MOVE_BYTES_STEP; n++)
        rc = move_room(s, &bytes, &end, e);
    if (rc == 0 && end == s->move_count)
        rc = store__sqlite_run_id(c, ST_TAIL_DROP, s->move_upto, "empty the tail", e);
    if (rc == 0)
        rc = store__sqlite_run_plain(c, ST_COMMIT, "move the tail", e);
    if (rc != 0) {
        store__sqlite_rollback(c);
        store__sqlite_move_reset(s);
        return rc;
    }
    for (; s->move_next < end; s->move_next++)
        mem_free(s->mem, (void *)(uintptr_t)s->move[s->move_next].blob.p,
                 s->move[s->move_next].blob.len);
    if (end == s->move_count)
        move_finished(s);
    return 0;
}

/* 1: did something; 0: nothing to do until *wait_ms. */
static int tidy_tail(struct sqlite_store *s, int64_t now_ms, int *wait_ms, struct err *e)
{
    int rc;

    if (s->move_failed || (s->tail_bytes == 0 && s->move_count == 0))
        return 0;
    if (s->tail_since_ms == 0 || s->tail_since_ms > now_ms) /* new, or the clock went back */
        s->tail_since_ms = now_ms;
    if (s->move_count == 0) {
        int64_t age = now_ms - s->tail_since_ms;

        if (age < TAIL_MS_MAX && s->tail_bytes < TAIL_BYTES_MAX) {
            *wait_ms = (int)(TAIL_MS_MAX - age);
            return 0;
        }
        rc = move_start(s, e);
        if (rc != 0)
            store__sqlite_move_reset(s);
        if (rc == 0 && s->move_count == 0)
            move_finished(s);
    } else {
        rc = move_step(s, e);
    }
    if (rc == SK_ECORRUPT) {
        s->move_failed = true;
        log_error("store.tail_damaged", "path=%s error=%s", s->path, e->msg);
    }
    return rc != 0 ? rc : 1;
}

/* ---- retention ---- */

struct purge_row {
    int64_t id, room;
    uint64_t first, last;
};

/* Finds up to PURGE_ROWS_STEP rows that are old enough, behind the cursor, and
 * moves it. *rows is 0 at the end of what is old. */
static int purge_find(struct sqlite_store *s, int64_t before_ms, struct purge_row *rows,
                      size_t *count, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    sqlite3_stmt *st = store__sqlite_use(c, ST_LOG_OLDEST);
    int step = SQLITE_ERROR, rc = 0;

    *count = 0;
    sqlite3_bind_int64(st, 1, s->purge_cursor);
    sqlite3_bind_int64(st, 2, PURGE_ROWS_STEP);
    while ((step = store__sqlite_step(c, st)) == SQLITE_ROW) {
        struct purge_row *r = &rows[*count];

        if (sqlite3_column_int64(st, 4) >= before_ms)
            break;
        r->id = sqlite3_column_int64(st, 0);
        r->room = sqlite3_column_int64(st, 1);
        r->first = (uint64_t)sqlite3_column_int64(st, 2);
        r->last = (uint64_t)sqlite3_column_int64(st, 3);
        s->purge_cursor = r->id;
        ++*count;
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        rc = store__sqlite_fail(c, "look for old records", e);
    sqlite3_reset(st);
    return rc;
}

static int purge_row(struct sqlite_store *s, const struct purge_row *r, uint64_t *dropped,
                     struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    int64_t older;
    int rc = store__sqlite_get_id(c, ST_SNAPSHOT_OLDER, r->room, &older, e);

    if (rc == SK_ENOTFOUND) /* fewer than two snapshots: the log is needed */
        return 0;
    if (rc != 0 || r->last > (uint64_t)older)
        return rc;
    *dropped += r->last - r->first + 1;
    return store__sqlite_run_id(c, ST_LOG_DROP, r->id, "drop old records", e);
}

/* 1: go on after a pause; 0: done for this time. */
static int purge_step(struct sqlite_store *s, int64_t now_ms, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    struct purge_row rows[PURGE_ROWS_STEP];
    uint64_t dropped = 0;
    size_t count;
    int rc = purge_find(s, now_ms - s->history_ms, rows, &count, e);

    if (rc != 0 || count == 0)
        return rc;
    rc = store__sqlite_run_plain(c, ST_BEGIN_WRITE, "drop old records", e);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = purge_row(s, &rows[i], &dropped, e);
    if (rc == 0)
        rc = store__sqlite_run_plain(c, ST_COMMIT, "drop old records", e);
    if (rc != 0) {
        store__sqlite_rollback(c);
        return rc;
    }
    s->purged += dropped;
    return 1;
}

/* ---- erasing ---- */

/* Deletes the next few rows of one room; 1 when there is more to do. */
static int gone_step(struct sqlite_store *s, int64_t room, struct err *e)
{
    static const enum sqlite_statement steps[] = {ST_GONE_LOG, ST_GONE_SNAPSHOT, ST_GONE_VERSIONS,
                                                  ST_GONE_END};
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    int rc = store__sqlite_run_plain(c, ST_BEGIN_WRITE, "erase a room", e);

    for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
        rc = store__sqlite_run_id(c, steps[i], room, "erase a room", e);
        if (rc == 0 && sqlite3_changes(c->db) > 0)
            break;
    }
    if (rc == 0)
        rc = store__sqlite_run_plain(c, ST_COMMIT, "erase a room", e);
    if (rc != 0)
        store__sqlite_rollback(c);
    return rc != 0 ? rc : 1;
}

static int tidy_gone(struct sqlite_store *s, struct err *e)
{
    int64_t room;
    int rc;

    if (!s->gone_pending)
        return 0;
    rc = store__sqlite_get_id(&s->conns[STORE_WRITER], ST_GONE_ROOM, 0, &room, e);
    if (rc == SK_ENOTFOUND) {
        s->gone_pending = false;
        return 0;
    }
    return rc != 0 ? rc : gone_step(s, room, e);
}

static int tidy_old(struct sqlite_store *s, int64_t now_ms, int *wait_ms, struct err *e)
{
    int rc;

    if (s->history_ms == 0)
        return 0;
    if (now_ms >= s->purge_at_ms) {
        rc = purge_step(s, now_ms, e);
        if (rc < 0)
            return rc;
        if (rc == 0)
            s->purge_cursor = 0;
        s->purge_at_ms = now_ms + (rc == 0 ? PURGE_EVERY_MS : PURGE_PAUSE_MS);
    }
    if (*wait_ms < 0 || s->purge_at_ms - now_ms < *wait_ms)
        *wait_ms = (int)(s->purge_at_ms - now_ms);
    return 0;
}

int store__sqlite_tidy(struct store_backend *b, int64_t now_ms, int *wait_ms, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    struct err why = {0};
    int rc;

    *wait_ms = -1;
    rc = tidy_tail(s, now_ms, wait_ms, &why);
    if (rc == 0)
        rc = tidy_gone(s, &why);
    if (rc == 0)
        rc = tidy_old(s, now_ms, wait_ms, &why);
    if (rc < 0) {
        *wait_ms = RETRY_MS;
        return err_set(e, rc, "%s", why.msg);
    }
    if (rc == 1)
        *wait_ms = 0;
    return 0;
}
