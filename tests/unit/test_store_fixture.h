#ifndef SKEIN_UNIT_TEST_STORE_FIXTURE_H
#define SKEIN_UNIT_TEST_STORE_FIXTURE_H

/* test_store_fixture - a store in a directory of its own, and blocking calls. */
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/harness.h"
#include "base/log.h"
#include "store/store.h"

struct fixture {
    char dir[64], db[80];
    struct store_options o;
    struct store *s;
    struct err e;
};

static inline void fixture_make(struct fixture *f)
{
    *f = (struct fixture){0};
    snprintf(f->dir, sizeof(f->dir), "/tmp/skein-store-XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    snprintf(f->db, sizeof(f->db), "%s/skein.db", f->dir);
    f->o.dir = f->dir;
    f->o.commit_gap_ms = 1;
    f->o.retry_ms_min = 1;
    f->o.retry_ms_max = 4;
}

static inline void fixture_open(struct fixture *f)
{
    int rc = store_open(&f->s, &f->o, &f->e);

    if (rc != 0)
        fprintf(stderr, "store_open: %d %s\n", rc, f->e.msg);
    CHECK_EQ(rc, 0);
}

static inline void fixture_init(struct fixture *f)
{
    fixture_make(f);
    fixture_open(f);
}

static inline void fixture_reopen(struct fixture *f)
{
    store_close(f->s);
    f->s = NULL;
    fixture_open(f);
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void fixture_fini(struct fixture *f)
{
    store_close(f->s);
    f->s = NULL;
    nftw(f->dir, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Runs SQL on the file beside the store; returns the first column of the first row. */
static inline long long fixture_sql(struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    const char *rest = sql;
    long long v = -1;

    CHECK_EQ(sqlite3_open_v2(f->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    while (*rest != 0) {
        int step;

        if (sqlite3_prepare_v2(db, rest, -1, &st, &rest) != SQLITE_OK || st == NULL)
            break;
        step = sqlite3_step(st);
        if (step == SQLITE_ROW && v == -1)
            v = sqlite3_column_int64(st, 0);
        else if (step != SQLITE_DONE && step != SQLITE_ROW)
            fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        sqlite3_finalize(st);
        st = NULL;
    }
    sqlite3_close(db);
    return v;
}

/* Everything is in the log and nothing in the tail: a reopened store moves at once. */
static inline void fixture_move(struct fixture *f)
{
    fixture_reopen(f);
    for (int i = 0; fixture_sql(f, "SELECT count(*) FROM tail") != 0; i++) {
        CHECK(i < 10000);
        usleep(1000);
    }
}

static inline int load(struct fixture *f, struct store_load *l, const char *name, bool create)
{
    struct store_waiter w;
    int rc;

    *l = (struct store_load){.key = {"acme", STORE_DOCUMENT, name}, .create = create};
    store_waiter_init(&w, &l->op);
    rc = store_load(f->s, l);
    return rc != 0 ? rc : store_waiter_wait(&w);
}

/* The number of a room that is created when it is missing. */
static inline int64_t room_of(struct fixture *f, const char *name)
{
    struct store_load l;
    int64_t room;

    CHECK_EQ(load(f, &l, name, true), 0);
    room = l.room;
    store_load_fini(&l);
    return room;
}

/* What the n-th record of a room looks like in these tests. */
static inline struct rbuf *bytes_of(int64_t room, uint64_t seq)
{
    uint8_t bytes[300];
    size_t len = 1 + (size_t)(seq * 7 + (uint64_t)room) % 40;

    if (seq % 97 == 0)
        len = sizeof(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(seq + i * 3 + (uint64_t)room);
    return rbuf_dup(mem_process(), bytes, len);
}

#define BATCH_MAX 64

struct batch {
    struct store_append a;
    struct store_record records[BATCH_MAX];
    struct rbuf *author;
};

static inline void batch_make(struct batch *b, int64_t room, uint64_t first, size_t count)
{
    *b = (struct batch){.a = {.room = room, .first_seq = first, .count = count}};
    b->a.records = b->records;
    b->author = rbuf_dup(mem_process(), "ada", 3);
    for (size_t i = 0; i < count; i++) {
        b->records[i].time_ms = 1700000000000 + (int64_t)(first + i);
        b->records[i].conn = (first + i) * 1000003;
        b->records[i].kind = (uint8_t)((first + i) % 3);
        b->records[i].bytes = bytes_of(room, first + i);
        b->records[i].author = (first + i) % 2 == 0 ? b->author : NULL;
    }
}

static inline void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->a.count; i++)
        rbuf_unref(b->records[i].bytes);
    rbuf_unref(b->author);
}

static inline int append(struct fixture *f, int64_t room, uint64_t first, size_t count)
{
    struct store_waiter w;
    struct batch b;
    int rc;

    batch_make(&b, room, first, count);
    store_waiter_init(&w, &b.a.op);
    rc = store_append(f->s, &b.a);
    if (rc == 0)
        rc = store_waiter_wait(&w);
    f->e = b.a.op.err;
    batch_free(&b);
    return rc;
}

static inline int snapshot(struct fixture *f, int64_t room, uint64_t seq, struct rbuf *bytes)
{
    struct store_snapshot p = {.room = room, .seq = seq, .bytes = bytes};
    struct store_waiter w;
    int rc;

    store_waiter_init(&w, &p.op);
    rc = store_put_snapshot(f->s, &p);
    if (rc == 0)
        rc = store_waiter_wait(&w);
    f->e = p.op.err;
    rbuf_unref(bytes);
    return rc;
}

static inline int delete_room(struct fixture *f, int64_t room)
{
    struct store_delete d = {.room = room};
    struct store_waiter w;
    int rc;

    store_waiter_init(&w, &d.op);
    rc = store_delete_room(f->s, &d);
    return rc != 0 ? rc : store_waiter_wait(&w);
}

static inline int flush(struct fixture *f)
{
    struct store_op op = {0};
    struct store_waiter w;
    int rc;

    store_waiter_init(&w, &op);
    rc = store_flush(f->s, &op);
    return rc != 0 ? rc : store_waiter_wait(&w);
}

/* The entries are first, first + 1, … up to last, each as it was appended. */
static inline void check_entries(const struct store_log *l, int64_t room, uint64_t first,
                                 uint64_t last)
{
    CHECK_EQ(l->count, last + 1 - first);
    for (size_t i = 0; i < l->count; i++) {
        const struct store_entry *e = &l->entries[i];
        struct rbuf *want = bytes_of(room, first + i);

        CHECK_EQ(e->seq, first + i);
        CHECK_EQ(e->time_ms, 1700000000000 + (int64_t)e->seq);
        CHECK_EQ(e->conn, e->seq * 1000003);
        CHECK_EQ(e->kind, e->seq % 3);
        CHECK_MEM(e->author, e->author_len, "ada", e->seq % 2 == 0 ? 3 : 0);
        CHECK_MEM(e->bytes, e->len, want->bytes, want->len);
        rbuf_unref(want);
    }
}

/* Loads the room and checks that it has exactly the records 1 … head. */
static inline void check_room(struct fixture *f, const char *name, uint64_t head)
{
    struct store_load l;

    CHECK_EQ(load(f, &l, name, false), 0);
    CHECK_EQ(l.head, head);
    check_entries(&l.log, l.room, l.snapshot_seq + 1, head);
    store_load_fini(&l);
}

#endif
