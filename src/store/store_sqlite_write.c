#include "store/store_sqlite.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "store/store_batch.h"

#define HEADS_MAX 100000 /* entries kept before the map is made anew */

/* ---- heads: the last sequence number of the rooms that are written to ---- */

static bool get_head(const struct sqlite_store *s, int64_t room, uint64_t *head)
{
    void *v = map64_get(&s->heads, (uint64_t)room);

    if (v == NULL)
        return false;
    *head = (uint64_t)(uintptr_t)v - 1;
    return true;
}

static int set_head(struct sqlite_store *s, int64_t room, uint64_t head, struct err *e)
{
    if (map64_set(&s->heads, (uint64_t)room, (void *)(uintptr_t)(head + 1), NULL) != 0)
        return err_set(e, SK_ENOMEM, "no memory for the store's list of rooms");
    return 0;
}

int store__sqlite_read_heads(struct sqlite_store *s, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    sqlite3_stmt *st;
    int rc = 0, step = SQLITE_ERROR;

    map64_fini(&s->heads);
    map64_init(&s->heads, s->mem);
    s->heads_whole = false;
    st = store__sqlite_use(c, ST_HEADS_TAIL);
    while (rc == 0 && (step = store__sqlite_step(c, st)) == SQLITE_ROW)
        rc = set_head(s, sqlite3_column_int64(st, 0), (uint64_t)sqlite3_column_int64(st, 1), e);
    if (rc == 0 && step != SQLITE_DONE)
        rc = store__sqlite_fail(c, "read the tail", e);
    sqlite3_reset(st);
    s->heads_whole = rc == 0;
    return rc;
}

/* The tail has no index, so it is asked only when the map cannot answer for it:
 * when it could not be read after a rollback. */
static int find_head(struct sqlite_store *s, int64_t room, uint64_t *head, struct err *e)
{
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    int64_t moved, tail = 0;
    int rc;

    if (get_head(s, room, head))
        return 0;
    if (map64_count(&s->heads) >= HEADS_MAX) {
        rc = store__sqlite_read_heads(s, e);
        if (rc != 0)
            return store__sqlite_shared(rc);
    }
    rc = store__sqlite_get_id(c, ST_HEAD_MOVED, room, &moved, e);
    if (rc == 0 && !s->heads_whole)
        rc = store__sqlite_get_id(c, ST_HEAD_TAIL, room, &tail, e);
    if (rc != 0)
        return rc;
    *head = (uint64_t)(moved > tail ? moved : tail);
    return set_head(s, room, *head, e);
}

/* ---- operations ---- */

static void encode_append(struct buf *out, const struct store_append *a)
{
    struct batch_writer w;

    buf_reset(out);
    store_batch_start(&w, out, a->first_seq);
    for (size_t i = 0; i < a->count; i++) {
        const struct store_record *r = &a->records[i];
        struct store_entry e = {.time_ms = r->time_ms, .conn = r->conn, .kind = r->kind};

        if (r->author != NULL) {
            e.author = (const char *)r->author->bytes;
            e.author_len = r->author->len;
        }
        e.bytes = r->bytes->bytes;
        e.len = r->bytes->len;
        store_batch_add(&w, &e);
    }
    store_batch_finish(&w, a->room);
}

int store__sqlite_append(struct store_backend *b, const struct store_append *a, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    uint64_t head, last = a->first_seq + a->count - 1;
    sqlite3_stmt *st;
    int rc = find_head(s, a->room, &head, e);

    if (rc != 0)
        return rc;
    if (a->first_seq != head + 1)
        return err_set(e, SK_EINVAL, "room %lld: records from %llu on do not follow %llu",
                       (long long)a->room, (unsigned long long)a->first_seq,
                       (unsigned long long)head);
    encode_append(&s->scratch, a);
    if (buf_err(&s->scratch) != 0)
        return err_set(e, SK_ENOMEM, "no memory for %zu records", a->count);
    st = store__sqlite_use(c, ST_TAIL_ADD);
    sqlite3_bind_int64(st, 1, a->room);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)a->first_seq);
    sqlite3_bind_int64(st, 3, (sqlite3_int64)last);
    sqlite3_bind_blob64(st, 4, s->scratch.p, s->scratch.len, SQLITE_STATIC);
    rc = store__sqlite_run(c, st, "append", e);
    if (rc != 0)
        return store__sqlite_shared(rc);
    s->tail_bytes += s->scratch.len;
    return set_head(s, a->room, last, e);
}

static int put_snapshot(struct sqlite_conn *c, const struct store_packed *p, struct err *e)
{
    sqlite3_stmt *st = store__sqlite_use(c, ST_SNAPSHOT_ADD);
    int rc;

    sqlite3_bind_int64(st, 1, p->room);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)p->seq);
    sqlite3_bind_int64(st, 3, p->now_ms);
    sqlite3_bind_int64(st, 4, (sqlite3_int64)p->len_raw);
    sqlite3_bind_blob64(st, 5, p->bytes, p->len, SQLITE_STATIC);
    rc = store__sqlite_run(c, st, "write a snapshot", e);
    if (rc == 0)
        rc = store__sqlite_run_id(c, ST_SNAPSHOT_DROP, p->room, "drop an older snapshot", e);
    return rc;
}

/* Two statements: when the second one meets damage, the first is taken back. */
int store__sqlite_put_snapshot(struct store_backend *b, const struct store_packed *p, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    uint64_t head;
    int rc = find_head(s, p->room, &head, e);

    if (rc != 0)
        return rc;
    if (p->seq > head)
        return err_set(e, SK_EINVAL, "room %lld: a snapshot of record %llu, the log ends at %llu",
                       (long long)p->room, (unsigned long long)p->seq, (unsigned long long)head);
    rc = store__sqlite_run_plain(c, ST_SAVE, "write a snapshot", e);
    if (rc != 0)
        return store__sqlite_shared(rc);
    rc = put_snapshot(c, p, e);
    if (rc == SK_ECORRUPT || rc == SK_ETOOBIG) {
        int back = store__sqlite_run_plain(c, ST_SAVE_BACK, "take back a snapshot", NULL);

        if (back == 0)
            back = store__sqlite_run_plain(c, ST_SAVE_END, "take back a snapshot", NULL);
        return back != 0 ? store__sqlite_shared(back) : rc;
    }
    if (rc == 0)
        rc = store__sqlite_run_plain(c, ST_SAVE_END, "write a snapshot", e);
    return store__sqlite_shared(rc);
}

/* getrandom() cannot fail for so few bytes once the kernel is up. */
static int make_epoch(uint8_t *epoch, struct err *e)
{
    if (getrandom(epoch, STORE_EPOCH_BYTES, 0) == STORE_EPOCH_BYTES)
        return 0;
    return err_set(e, SK_EIO, "no random bytes: %s", strerror(errno));
}

int store__sqlite_create_room(struct store_backend *b, struct store_load *l, int64_t now_ms,
                              struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    sqlite3_stmt *st = store__sqlite_use(c, ST_ROOM_ADD);
    uint8_t epoch[STORE_EPOCH_BYTES];
    int rc = make_epoch(epoch, e);

    if (rc != 0)
        return rc;
    sqlite3_bind_text(st, 1, l->key.tenant, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, store_kind_name(l->key.kind), -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, l->key.name, -1, SQLITE_STATIC);
    sqlite3_bind_blob(st, 4, epoch, STORE_EPOCH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(st, 5, now_ms);
    rc = store__sqlite_run(c, st, "create a room", e);
    if (rc != 0)
        return store__sqlite_shared(rc);
    if (sqlite3_changes(c->db) == 0)
        return 0;
    l->is_new = true;
    l->room = sqlite3_last_insert_rowid(c->db);
    l->created_ms = now_ms;
    memcpy(l->epoch, epoch, sizeof(epoch));
    return 1;
}

int store__sqlite_delete_room(struct store_backend *b, int64_t room, int64_t now_ms, struct err *e)
{
    struct sqlite_store *s = store__sqlite_of(b);
    struct sqlite_conn *c = &s->conns[STORE_WRITER];
    sqlite3_stmt *st = store__sqlite_use(c, ST_ROOM_DELETE);
    int rc;

    sqlite3_bind_int64(st, 1, room);
    sqlite3_bind_int64(st, 2, now_ms);
    rc = store__sqlite_run(c, st, "delete a room", e);
    if (rc != 0)
        return store__sqlite_shared(rc);
    if (sqlite3_changes(c->db) == 0)
        return err_set(e, SK_ENOTFOUND, "room %lld does not exist", (long long)room);
    (void)map64_remove(&s->heads, (uint64_t)room);
    s->gone_pending = true;
    return 0;
}
