#include "store/store_sqlite.h"

#include <string.h>
#include <zstd.h>

#include "base/log.h"

/* ---- records ---- */

static int add_rows(struct sqlite_conn *c, enum sqlite_statement id, int64_t room,
                    const struct store_range *r, struct store_log *l, struct err *e)
{
    sqlite3_stmt *st = store__sqlite_use(c, id);
    int rc = 0, step = SQLITE_ROW;

    sqlite3_bind_int64(st, 1, room);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)r->from);
    while (rc == 0 && !l->more && (step = store__sqlite_step(c, st)) == SQLITE_ROW) {
        struct store_blob b = {.room = room,
                               .first = (uint64_t)sqlite3_column_int64(st, 0),
                               .last = (uint64_t)sqlite3_column_int64(st, 1),
                               .p = sqlite3_column_blob(st, 2),
                               .len = (size_t)sqlite3_column_bytes(st, 2)};

        if (b.first > r->to)
            break;
        rc = store__log_add(l, &b, r);
        if (rc == SK_ECORRUPT)
            err_set(e, rc, "records %llu to %llu are not what was written",
                    (unsigned long long)b.first, (unsigned long long)b.last);
        else if (rc != 0)
            err_set(e, rc, "records from %llu on take more memory than allowed",
                    (unsigned long long)b.first);
    }
    if (rc == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
        rc = store__sqlite_fail(c, "read the log", e);
    sqlite3_reset(st);
    return rc;
}

/* The log, then the tail, which goes on where the log ends or repeats it. */
static int read_records(struct sqlite_conn *c, int64_t room, const struct store_range *r,
                        struct store_log *l, struct err *e)
{
    int rc = add_rows(c, ST_LOG_READ, room, r, l, e);

    return rc != 0 ? rc : add_rows(c, ST_TAIL_READ, room, r, l, e);
}

static void end_read(struct sqlite_conn *c)
{
    if (store__sqlite_run_plain(c, ST_COMMIT, "end reading", NULL) != 0)
        store__sqlite_rollback(c);
}

int store__sqlite_read_log(struct store_backend *b, struct store_read *r, struct err *e)
{
    struct sqlite_conn *c = &store__sqlite_of(b)->conns[STORE_READER];
    struct store_range range = {.from = r->from,
                                .to = r->to != 0 ? r->to : UINT64_MAX,
                                .count_max = r->count_max,
                                .bytes_max = r->bytes_max != 0 ? r->bytes_max : 16u << 20};
    int64_t last;
    int rc = store__sqlite_run_plain(c, ST_BEGIN_READ, "read", e);

    if (rc != 0)
        return rc;
    r->log = (struct store_log){.account = r->mem != NULL ? r->mem : mem_process()};
    rc = store__sqlite_get_id(c, ST_LOG_LAST, r->room, &last, e);
    if (rc == 0)
        rc = read_records(c, r->room, &range, &r->log, e);
    end_read(c);
    if (rc != 0)
        store_log_fini(&r->log);
    return rc;
}

/* ---- loading ---- */

/* 0, SK_ECORRUPT, or SK_ETOOBIG at the account's limit. */
static int unpack_snapshot(struct store_load *l, const void *p, size_t len, int64_t size)
{
    struct mem_account *mem = l->mem != NULL ? l->mem : mem_process();
    struct rbuf *out;

    if (size < 0 || size > (int64_t)STORE_SNAPSHOT_BYTES_MAX ||
        ZSTD_getFrameContentSize(p, len) != (unsigned long long)size)
        return SK_ECORRUPT;
    out = rbuf_new(mem, (size_t)size);
    if (out == NULL)
        return SK_ETOOBIG;
    if (ZSTD_decompress(out->bytes, out->len, p, len) != (size_t)size) {
        rbuf_unref(out);
        return SK_ECORRUPT;
    }
    l->snapshot = out;
    return 0;
}

/* The newest snapshot that is whole. The one before it is kept for this: with
 * the log behind it, it gives the same state. */
static int read_snapshot(struct sqlite_conn *c, struct store_load *l, struct err *e)
{
    sqlite3_stmt *st = store__sqlite_use(c, ST_SNAPSHOT_READ);
    int rc = 0, step = SQLITE_ERROR;

    sqlite3_bind_int64(st, 1, l->room);
    while (l->snapshot == NULL && (step = store__sqlite_step(c, st)) == SQLITE_ROW) {
        rc = unpack_snapshot(l, sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2),
                             sqlite3_column_int64(st, 1));
        if (rc == SK_ETOOBIG) {
            err_set(e, rc, "the snapshot takes more memory than allowed");
            break;
        }
        if (rc == 0)
            l->snapshot_seq = (uint64_t)sqlite3_column_int64(st, 0);
        else
            log_error("store.snapshot_damaged", "kind=%s name=%s seq=%lld",
                      store_kind_name(l->key.kind), l->key.name,
                      (long long)sqlite3_column_int64(st, 0));
        rc = 0;
    }
    if (rc == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
        rc = store__sqlite_fail(c, "read a snapshot", e);
    sqlite3_reset(st);
    return rc;
}

static int find_room(struct sqlite_conn *c, struct store_load *l, struct err *e)
{
    sqlite3_stmt *st = store__sqlite_use(c, ST_ROOM_BY_NAME);
    int step, rc = 0;

    sqlite3_bind_text(st, 1, l->key.tenant, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, store_kind_name(l->key.kind), -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, l->key.name, -1, SQLITE_STATIC);
    step = store__sqlite_step(c, st);
    if (step == SQLITE_DONE) {
        rc = err_set(e, SK_ENOTFOUND, "there is no such room");
    } else if (step != SQLITE_ROW) {
        rc = store__sqlite_fail(c, "look for the room", e);
    } else if (sqlite3_column_bytes(st, 1) != STORE_EPOCH_BYTES) {
        rc = err_set(e, SK_ECORRUPT, "its epoch has the wrong length");
    } else {
        l->room = sqlite3_column_int64(st, 0);
        memcpy(l->epoch, sqlite3_column_blob(st, 1), STORE_EPOCH_BYTES);
        l->created_ms = sqlite3_column_int64(st, 2);
    }
    sqlite3_reset(st);
    return rc;
}

static int find_head(struct sqlite_conn *c, struct store_load *l, struct err *e)
{
    int64_t moved, tail = 0;
    int rc = store__sqlite_get_id(c, ST_HEAD_MOVED, l->room, &moved, e);

    if (rc == 0 && l->log.more)
        rc = store__sqlite_get_id(c, ST_HEAD_TAIL, l->room, &tail, e);
    else if (l->log.count > 0)
        tail = (int64_t)l->log.entries[l->log.count - 1].seq;
    l->head = (uint64_t)(moved > tail ? moved : tail);
    return rc;
}

/* Nothing may be missing between the snapshot and the head. */
static int check_whole(const struct store_load *l, struct err *e)
{
    uint64_t first = l->log.count > 0 ? l->log.entries[0].seq : l->head + 1;
    uint64_t last = l->log.count > 0 ? l->log.entries[l->log.count - 1].seq : l->snapshot_seq;

    if (first != l->snapshot_seq + 1)
        return err_set(e, SK_ECORRUPT, "records %llu to %llu are missing",
                       (unsigned long long)l->snapshot_seq + 1, (unsigned long long)first - 1);
    if (!l->log.more && last < l->head)
        return err_set(e, SK_ECORRUPT, "records %llu to %llu are missing",
                       (unsigned long long)last + 1, (unsigned long long)l->head);
    return 0;
}

static int load_room(struct sqlite_conn *c, struct store_load *l, struct err *e)
{
    struct store_range r = {.to = UINT64_MAX,
                            .bytes_max = l->log_bytes_max != 0 ? l->log_bytes_max : 64u << 20};
    int rc = find_room(c, l, e);

    if (rc == 0)
        rc = read_snapshot(c, l, e);
    r.from = l->snapshot_seq + 1;
    if (rc == 0)
        rc = read_records(c, l->room, &r, &l->log, e);
    if (rc == 0)
        rc = find_head(c, l, e);
    return rc != 0 ? rc : check_whole(l, e);
}

int store__sqlite_load(struct store_backend *b, enum store_side side, struct store_load *l,
                       struct err *e)
{
    struct sqlite_conn *c = &store__sqlite_of(b)->conns[side];
    struct err why = {0};
    int rc = store__sqlite_run_plain(c, ST_BEGIN_READ, "load", e);

    if (rc != 0)
        return rc;
    l->log = (struct store_log){.account = l->mem != NULL ? l->mem : mem_process()};
    rc = load_room(c, l, &why);
    end_read(c);
    if (rc == 0)
        return 0;
    store_load_fini(l);
    return err_set(e, rc, "%s%s%s/%.80s: %.140s", l->key.tenant, l->key.tenant[0] ? "/" : "",
                   store_kind_name(l->key.kind), l->key.name, why.msg);
}

/* ---- listing ---- */

/* Heads of rooms in the tail, by one pass over it. */
static int read_tail_heads(struct sqlite_conn *c, struct map64 *heads, struct err *e)
{
    sqlite3_stmt *st = store__sqlite_use(c, ST_HEADS_TAIL);
    int rc = 0, step = SQLITE_ERROR;

    while (rc == 0 && (step = store__sqlite_step(c, st)) == SQLITE_ROW)
        rc = map64_set(heads, (uint64_t)sqlite3_column_int64(st, 0),
                       (void *)(uintptr_t)sqlite3_column_int64(st, 1), NULL);
    if (rc == 0 && step != SQLITE_DONE)
        rc = store__sqlite_fail(c, "read the tail", e);
    sqlite3_reset(st);
    return rc;
}

/* The name's place in names stands in for its address, which may still change. */
static int add_room(struct sqlite_conn *c, struct store_list *l, struct buf *names,
                    const struct map64 *heads, sqlite3_stmt *st, struct err *e)
{
    struct store_room_info *info = &l->rooms[l->count];
    uintptr_t tail;
    int64_t moved;
    int rc;

    info->room = sqlite3_column_int64(st, 0);
    if (sqlite3_column_bytes(st, 1) == STORE_EPOCH_BYTES)
        memcpy(info->epoch, sqlite3_column_blob(st, 1), STORE_EPOCH_BYTES);
    info->created_ms = sqlite3_column_int64(st, 2);
    info->name = (const char *)(uintptr_t)names->len;
    buf_put(names, sqlite3_column_text(st, 3), (size_t)sqlite3_column_bytes(st, 3));
    buf_put_u8(names, 0);
    if (buf_err(names) != 0)
        return err_set(e, SK_ETOOBIG, "the list takes more memory than allowed");
    rc = store__sqlite_get_id(c, ST_HEAD_MOVED, info->room, &moved, e);
    tail = (uintptr_t)map64_get(heads, (uint64_t)info->room);
    info->head = (uint64_t)moved > tail ? (uint64_t)moved : tail;
    l->count++;
    return rc;
}

static int add_rooms(struct sqlite_conn *c, struct store_list *l, struct buf *names,
                     const struct map64 *heads, struct err *e)
{
    const char *prefix = l->prefix != NULL ? l->prefix : "";
    size_t prefix_len = strlen(prefix);
    sqlite3_stmt *st = store__sqlite_use(c, ST_ROOM_LIST);
    int rc = 0, step = SQLITE_ERROR;

    sqlite3_bind_text(st, 1, l->tenant, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, store_kind_name(l->kind), -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, l->after != NULL ? l->after : "", -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, prefix, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 5, (sqlite3_int64)l->limit);
    while (rc == 0 && (step = store__sqlite_step(c, st)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(st, 3);

        if (name == NULL || strncmp(name, prefix, prefix_len) != 0)
            break;
        rc = add_room(c, l, names, heads, st, e);
    }
    if (rc == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
        rc = store__sqlite_fail(c, "list rooms", e);
    sqlite3_reset(st);
    return rc;
}

int store__sqlite_list_rooms(struct store_backend *b, struct store_list *l, struct err *e)
{
    struct sqlite_conn *c = &store__sqlite_of(b)->conns[STORE_READER];
    struct mem_account *mem = l->mem != NULL ? l->mem : mem_process();
    struct map64 heads;
    struct buf names;
    int rc;

    l->rooms = mem_alloc_zero(mem, l->limit * sizeof(l->rooms[0]));
    if (l->rooms == NULL)
        return err_set(e, SK_ETOOBIG, "the list takes more memory than allowed");
    l->rooms_cap = l->limit;
    l->count = 0;
    map64_init(&heads, mem);
    buf_init(&names, mem, l->limit * (STORE_NAME_BYTES_MAX + 1));
    rc = store__sqlite_run_plain(c, ST_BEGIN_READ, "list rooms", e);
    if (rc == 0) {
        rc = read_tail_heads(c, &heads, e);
        if (rc == 0)
            rc = add_rooms(c, l, &names, &heads, e);
        end_read(c);
    }
    map64_fini(&heads);
    l->names = names.p; /* the buffer's memory goes over to the list */
    l->names_len = names.cap;
    for (size_t i = 0; i < l->count; i++)
        l->rooms[i].name = (const char *)names.p + (uintptr_t)l->rooms[i].name;
    if (rc != 0)
        store_list_fini(l);
    return rc;
}
