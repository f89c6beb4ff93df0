/* bench_store_append - what durable appends cost.
 *
 *     bench_store_append [DIR [SECONDS]]
 *
 * In one run, on one disk: how often the disk syncs; one commit for each
 * record, a row each, as one would write it first; and the store, at a steady
 * 10,000 records a second and as fast as it goes, for 1, 100 and 2,000 rooms;
 * at last, loading all of them from a file that was just opened.
 * CPU is that of the whole process (user and system), so it includes making
 * the load. Latency is from the call to the report that it is durable. */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

#define RECORD_BYTES 40
#define WINDOW 4096 /* appends under way at once */
#define ROOMS_MAX 2000

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_store_append: %s\n", what);
    exit(1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* ---- the disk and the obvious way ---- */

static void bench_sync(const char *dir, double seconds)
{
    static char page[4096];
    char path[300];
    double start;
    unsigned n = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/sync", dir);
    fd = open(path, O_CREAT | O_RDWR, 0600);
    if (fd < 0)
        die(path);
    for (start = now_s(); now_s() - start < seconds; n++)
        if (pwrite(fd, page, sizeof(page), (off_t)(n % 256) * 4096) < 0 || fdatasync(fd) != 0)
            die("sync");
    printf("%-44s %9.0f /s\n", "disk: write 4 KB and fdatasync", n / (now_s() - start));
    close(fd);
    unlink(path);
}

static void bench_plain(const char *dir, double seconds)
{
    static const char bytes[RECORD_BYTES];
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;
    char path[300];
    double start, cpu;
    unsigned n = 0;

    snprintf(path, sizeof(path), "%s/plain.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "CREATE TABLE log(room, seq, time_ms, author, conn, kind, data,"
                     " PRIMARY KEY(room, seq)) WITHOUT ROWID",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO log VALUES(?, ?, ?, 'user-1234', ?, 1, ?)", -1, &st,
                           NULL) != SQLITE_OK)
        die(path);
    cpu = cpu_s();
    for (start = now_s(); now_s() - start < seconds; n++) {
        sqlite3_bind_int(st, 1, (int)(n % 100));
        sqlite3_bind_int(st, 2, (int)(n / 100));
        sqlite3_bind_int64(st, 3, 1700000000000 + n);
        sqlite3_bind_int(st, 4, (int)(n % 1000));
        sqlite3_bind_blob(st, 5, bytes, RECORD_BYTES, SQLITE_STATIC);
        if (sqlite3_step(st) != SQLITE_DONE)
            die(sqlite3_errmsg(db));
        sqlite3_reset(st);
    }
    printf("%-44s %9.0f /s %8.1f us CPU a record\n", "SQLite: a row and a commit for each record",
           n / (now_s() - start), (cpu_s() - cpu) / n * 1e6);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

/* ---- the store ---- */

struct shot {
    struct store_append a; /* first */
    struct store_record record;
    struct load *load;
    double start;
};

struct load {
    struct store *s;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct shot *free[WINDOW];
    unsigned free_count;
    double *latency;
    size_t done, latency_cap;
    int64_t rooms[ROOMS_MAX];
    uint64_t next[ROOMS_MAX];
    struct shot shots[WINDOW];
};

static void on_done(struct store_op *op)
{
    struct shot *s = (struct shot *)(void *)op;
    struct load *l = s->load;

    if (op->code != 0)
        die(op->err.msg);
    pthread_mutex_lock(&l->lock);
    if (l->done < l->latency_cap)
        l->latency[l->done] = now_s() - s->start;
    l->done++;
    l->free[l->free_count++] = s;
    if (l->free_count == 1 || l->free_count == WINDOW)
        pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

static struct shot *take(struct load *l)
{
    struct shot *s;

    pthread_mutex_lock(&l->lock);
    while (l->free_count == 0)
        pthread_cond_wait(&l->wake, &l->lock);
    s = l->free[--l->free_count];
    pthread_mutex_unlock(&l->lock);
    return s;
}

static void shoot(struct load *l, size_t room, struct rbuf *bytes, struct rbuf *author)
{
    struct shot *s = take(l);

    s->record = (struct store_record){.time_ms = 1700000000000 + (int64_t)l->next[room],
                                      .conn = room,
                                      .bytes = bytes,
                                      .author = author,
                                      .kind = 1};
    s->a.op.done = on_done;
    s->a.room = l->rooms[room];
    s->a.first_seq = ++l->next[room];
    s->a.records = &s->record;
    s->a.count = 1;
    s->load = l;
    s->start = now_s();
    if (store_append(l->s, &s->a) != 0)
        die("append refused");
}

static void open_rooms(struct load *l, size_t rooms)
{
    for (size_t i = 0; i < rooms; i++) {
        struct store_load op = {.create = true};
        struct store_waiter w;
        char name[32];

        snprintf(name, sizeof(name), "room-%zu", i);
        op.key = (struct store_key){"", STORE_DOCUMENT, name};
        store_waiter_init(&w, &op.op);
        if (store_load(l->s, &op) != 0 || store_waiter_wait(&w) != 0)
            die("load");
        l->rooms[i] = op.room;
        l->next[i] = op.head;
        store_load_fini(&op);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* rate 0: as fast as it goes. */
static void run_load(struct load *l, size_t rooms, double rate, double seconds)
{
    struct rbuf *bytes = rbuf_new(mem_process(), RECORD_BYTES);
    struct rbuf *author = rbuf_dup(mem_process(), "user-1234", 9);
    double start = now_s(), cpu = cpu_s(), end;
    struct store_stats st0, st;
    size_t sent = 0;

    memset(bytes->bytes, 7, RECORD_BYTES);
    store_get_stats(l->s, &st0);
    while (now_s() - start < seconds) {
        size_t want = rate > 0 ? (size_t)((now_s() - start) * rate) : sent + 256;

        for (; sent < want; sent++)
            shoot(l, sent * 7919 % rooms, bytes, author);
        if (rate > 0)
            usleep(1000);
    }
    pthread_mutex_lock(&l->lock);
    while (l->free_count < WINDOW)
        pthread_cond_wait(&l->wake, &l->lock);
    pthread_mutex_unlock(&l->lock);
    end = now_s();
    cpu = cpu_s() - cpu;
    store_get_stats(l->s, &st);
    qsort(l->latency, l->done < l->latency_cap ? l->done : l->latency_cap, sizeof(double),
          by_value);
    printf("store: %4zu rooms, %-26s %9.0f /s %8.2f us CPU a record (%2.0f %% of a core), "
           "%4.0f commits/s, p50 %.1f p99 %.1f max %.1f ms\n",
           rooms, rate > 0 ? "10,000 records/s" : "as fast as it goes",
           (double)sent / (end - start), cpu / (double)sent * 1e6, cpu / (end - start) * 100,
           (double)(st.commits - st0.commits) / (end - start), l->latency[l->done / 2] * 1e3,
           l->latency[l->done * 99 / 100] * 1e3, l->latency[l->done - 1] * 1e3);
    rbuf_unref(bytes);
    rbuf_unref(author);
}

static void bench_store(const char *dir, size_t rooms, double rate, double seconds)
{
    struct store_options o = {.dir = dir};
    struct load *l = calloc(1, sizeof(*l));
    struct err e;

    if (l == NULL || store_open(&l->s, &o, &e) != 0)
        die(l == NULL ? "memory" : e.msg);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    l->latency_cap = 8u << 20;
    l->latency = malloc(l->latency_cap * sizeof(double));
    for (size_t i = 0; i < WINDOW; i++)
        l->free[l->free_count++] = &l->shots[i];
    open_rooms(l, rooms);
    run_load(l, rooms, rate, seconds);
    store_close(l->s);
    free(l->latency);
    free(l);
}

/* A cold start: every room's log is read again. */
static void bench_load(const char *dir, size_t rooms)
{
    struct store_options o = {.dir = dir};
    struct load *l = calloc(1, sizeof(*l));
    uint64_t records = 0;
    double start, took;
    struct err e;

    if (l == NULL || store_open(&l->s, &o, &e) != 0)
        die(l == NULL ? "memory" : e.msg);
    start = now_s();
    open_rooms(l, rooms);
    took = now_s() - start;
    for (size_t i = 0; i < rooms; i++)
        records += l->next[i];
    printf("store: %4zu rooms loaded, %.2f ms each, %.0f records each, %.2f million records/s\n",
           rooms, took / (double)rooms * 1e3, (double)records / (double)rooms,
           (double)records / took / 1e6);
    store_close(l->s);
    free(l);
}

int main(int argc, char **argv)
{
    static const size_t rooms[] = {1, 100, ROOMS_MAX};
    char dir[256];
    double seconds = argc > 2 ? atof(argv[2]) : 5;

    snprintf(dir, sizeof(dir), "%s/skein-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (mkdtemp(dir) == NULL)
        die(dir);
    bench_sync(dir, seconds / 3);
    bench_plain(dir, seconds / 2);
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        bench_store(dir, rooms[i], 10000, seconds);
        bench_store(dir, rooms[i], 0, seconds);
    }
    bench_load(dir, ROOMS_MAX);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}
