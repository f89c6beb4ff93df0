/* A disk that fails: nothing is acknowledged that a power cut could take back,
 * nothing acknowledged is missing, nothing is torn, and it goes on afterwards. */
#include "test_store_disk.h"
#include "test_store_fixture.h"

#define ROOMS 3
#define FLIGHTS 12

static const char *const room_names[ROOMS] = {"a", "b", "c"};

struct flight {
    struct batch b; /* its op is the first member */
    struct run *run;
    int room;
};

/* One workload on one store. */
struct run {
    struct fixture f;
    struct disk *disk;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_health health; /* the last that was reported */
    int changes;
    int done, failed;
    uint64_t acked[ROOMS], sent[ROOMS];
    int64_t rooms[ROOMS];
    struct flight flights[FLIGHTS];
};

static void on_flown(struct store_op *op)
{
    struct flight *fl = (struct flight *)(void *)op;
    struct run *r = fl->run;

    pthread_mutex_lock(&r->lock);
    r->done++;
    if (op->code != 0) {
        r->failed++;
    } else {
        /* On this thread nothing is written between the commit and here. */
        if (disk_wal_is_dirty(r->disk) || r->acked[fl->room] + 1 != fl->b.a.first_seq)
            abort();
        r->acked[fl->room] += fl->b.a.count;
    }
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

static void on_health(void *user, const struct store_health *h)
{
    struct run *r = user;

    pthread_mutex_lock(&r->lock);
    r->health = *h;
    r->changes++;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

static int fly(struct run *r, int i, int room, size_t count)
{
    struct flight *fl = &r->flights[i];
    int rc;

    batch_make(&fl->b, r->rooms[room], r->sent[room] + 1, count);
    fl->run = r;
    fl->room = room;
    fl->b.a.op.done = on_flown;
    rc = store_append(r->f.s, &fl->b.a);
    if (rc == 0)
        r->sent[room] += count;
    return rc;
}

static void wait_done(struct run *r, int count)
{
    pthread_mutex_lock(&r->lock);
    while (r->done < count)
        pthread_cond_wait(&r->wake, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static int done_count(struct run *r)
{
    int n;

    pthread_mutex_lock(&r->lock);
    n = r->done;
    pthread_mutex_unlock(&r->lock);
    return n;
}

static void wait_health(struct run *r, int code)
{
    pthread_mutex_lock(&r->lock);
    while (r->health.code != code)
        pthread_cond_wait(&r->wake, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static void land(struct run *r, int count)
{
    for (int i = 0; i < count; i++)
        batch_free(&r->flights[i].b);
}

/* A store with records in the tail and in the log, reopened, so that the move
 * of the tail falls into what is tested. */
static struct run *run_new(struct disk *disk)
{
    struct run *r = calloc(1, sizeof(*r));

    CHECK(r != NULL);
    fixture_make(&r->f);
    r->f.o.sqlite_vfs = disk->vfs.zName;
    r->f.o.on_health = on_health;
    r->f.o.user = r;
    r->disk = disk;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    fixture_open(&r->f);
    for (int i = 0; i < ROOMS; i++) {
        r->rooms[i] = room_of(&r->f, room_names[i]);
        r->sent[i] = r->acked[i] = 5;
        CHECK_EQ(append(&r->f, r->rooms[i], 1, 5), 0);
    }
    fixture_reopen(&r->f);
    return r;
}

static void run_free(struct run *r)
{
    fixture_fini(&r->f);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->wake);
    free(r);
}

/* What a power cut at this moment leaves can be opened and has at least what
 * was acknowledged, each record whole. */
static void check_cut(struct run *r, unsigned seed)
{
    struct fixture g;

    fixture_make(&g);
    disk_cut(r->disk, r->f.dir, g.dir, seed);
    fixture_open(&g);
    for (int i = 0; i < ROOMS; i++) {
        struct store_load l;

        CHECK_EQ(load(&g, &l, room_names[i], false), 0);
        CHECK(l.head >= r->acked[i] && l.head <= r->sent[i]);
        check_entries(&l.log, l.room, 1, l.head);
        store_load_fini(&l);
    }
    fixture_fini(&g);
}

/* Appends in single batches, some waited for, some not, while the n-th call
 * and `count - 1` after it fail. Returns how many failed. */
static long run_fault(struct disk *disk, enum disk_fault fault, long n, long count)
{
    struct run *r = run_new(disk);
    long failed;

    disk_set(disk, fault, n, count);
    for (int i = 0; i < FLIGHTS; i++) {
        CHECK_EQ(fly(r, i, i % ROOMS, 1 + (size_t)(i * 5) % 20), 0);
        if (i % 4 == 3)
            wait_done(r, i + 1 - (i > 6 ? 2 : 0));
    }
    wait_done(r, FLIGHTS);
    failed = disk_failed(disk);
    disk_set(disk, DISK_FINE, 0, 0);
    CHECK_EQ(r->failed, 0);
    check_cut(r, 0);
    check_cut(r, (unsigned)n + 1);
    land(r, FLIGHTS);
    for (int i = 0; i < ROOMS; i++)
        check_room(&r->f, room_names[i], r->sent[i]);
    fixture_reopen(&r->f);
    for (int i = 0; i < ROOMS; i++)
        check_room(&r->f, room_names[i], r->sent[i]);
    run_free(r);
    return failed;
}

/* Each call of the workload once as the first of `count` that fail. */
static void every_call(enum disk_fault fault, long count)
{
    static struct disk disk; /* registered with SQLite: must outlive a failed check */
    long n = 0, misses = 0, hits = 0;

    log_set_level(LOG_ERROR);
    log_set_fd(-1);
    disk_init(&disk);
    /* The threads take turns differently each time: some misses are not the end. */
    for (; misses < 3 && n < 400; n++) {
        bool hit = run_fault(&disk, fault, n, count) > 0;

        hits += hit;
        misses = hit ? 0 : misses + 1;
    }
    CHECK(hits > 0);
    disk_fini(&disk);
    log_set_fd(2);
}

TEST(store_fault, any_write_fails)
{
    every_call(DISK_WRITE_FAILS, 1);
}

TEST(store_fault, any_write_is_torn)
{
    every_call(DISK_WRITE_TEARS, 2);
}

TEST(store_fault, the_disk_is_full_at_any_write)
{
    every_call(DISK_FULL, 4);
}

TEST(store_fault, the_disk_is_read_only_at_any_write)
{
    every_call(DISK_READ_ONLY, 3);
}

TEST(store_fault, any_sync_fails)
{
    every_call(DISK_SYNC_FAILS, 2);
}

#define MOVED_ROOMS 130

static void on_nothing(struct store_op *op)
{
    (void)op;
}

/* A file whose tail has three records of each of many rooms. */
static void make_long_tail(struct fixture *f)
{
    static struct batch batches[MOVED_ROOMS];
    char name[20];

    fixture_init(f);
    for (int i = 0; i < MOVED_ROOMS; i++) {
        snprintf(name, sizeof(name), "room-%d", i);
        batch_make(&batches[i], room_of(f, name), 1, 3);
        batches[i].a.op.done = on_nothing;
    }
    for (int i = 0; i < MOVED_ROOMS; i++) /* all at once: the tail moves after a second */
        CHECK_EQ(store_append(f->s, &batches[i].a), 0);
    store_close(f->s);
    f->s = NULL;
    for (int i = 0; i < MOVED_ROOMS; i++)
        batch_free(&batches[i]);
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char block[4096];
    size_t n;

    CHECK(in != NULL && out != NULL);
    while ((n = fread(block, 1, sizeof(block), in)) > 0)
        CHECK_EQ(fwrite(block, 1, n, out), n);
    fclose(in);
    fclose(out);
}

/* The disk is full from the n-th write on, while the tail is moved. True when
 * records are in both places then. */
static bool stop_move(struct disk *disk, const struct fixture *made, long n)
{
    struct fixture f;
    bool half = false;
    char name[20];

    fixture_make(&f);
    f.o.sqlite_vfs = disk->vfs.zName;
    copy_file(made->db, f.db);
    disk_set(disk, DISK_FULL, n, 1L << 40);
    if (store_open(&f.s, &f.o, &f.e) == 0) {
        while (disk_failed(disk) == 0 && fixture_sql(&f, "SELECT count(*) FROM tail") > 0)
            usleep(1000);
        half = fixture_sql(&f, "SELECT count(*) FROM tail JOIN log USING(room, last)") > 0;
        for (int i = 0; i < MOVED_ROOMS; i++) {
            snprintf(name, sizeof(name), "room-%d", i);
            check_room(&f, name, 3);
        }
    }
    store_close(f.s);
    f.s = NULL;
    disk_set(disk, DISK_FINE, 0, 0);
    fixture_open(&f);
    fixture_move(&f);
    CHECK_EQ(fixture_sql(&f, "SELECT sum(last - first + 1) FROM log"), 3 * MOVED_ROOMS);
    fixture_fini(&f);
    return half;
}

/* Moving the tail takes several transactions. Stopped after any of them, records
 * are in the log and in the tail, which nobody notices, and it is done again. */
TEST(store_fault, a_move_stops_half_way)
{
    static struct disk disk;
    struct fixture made;
    int half = 0;

    log_set_fd(-1);
    disk_init(&disk);
    make_long_tail(&made);
    for (long n = 0; n < 120; n += 6)
        half += stop_move(&disk, &made, n);
    CHECK(half > 0);
    fixture_fini(&made);
    disk_fini(&disk);
    log_set_fd(2);
}

/* The load that meets it fails, is not called damage, and the next one succeeds. */
TEST(store_fault, any_read_fails)
{
    static struct disk disk;
    struct run *r;
    long failed = 1, n = 0;

    log_set_fd(-1);
    disk_init(&disk);
    r = run_new(&disk);
    for (; failed > 0 && n < 200; n++) {
        struct store_load l;
        int rc;

        fixture_reopen(&r->f);
        disk_set(&disk, DISK_READ_FAILS, n, 1);
        rc = load(&r->f, &l, "a", false);
        failed = disk_failed(&disk);
        CHECK(rc == 0 || rc == SK_EIO);
        disk_set(&disk, DISK_FINE, 0, 0);
        store_load_fini(&l);
        check_room(&r->f, "a", 5);
    }
    CHECK(n > 2);
    run_free(r);
    disk_fini(&disk);
    log_set_fd(2);
}

/* Opening under a fault fails with a code or succeeds, and harms nothing. */
TEST(store_fault, opening_with_any_call_failing)
{
    static struct disk disk;

    log_set_fd(-1);
    disk_init(&disk);
    for (int fault = DISK_WRITE_FAILS; fault <= DISK_READ_FAILS; fault++) {
        struct run *r = run_new(&disk);
        long failed = 1;

        for (long n = 0; failed > 0 && n < 200; n++) {
            int rc;

            store_close(r->f.s);
            disk_set(&disk, (enum disk_fault)fault, n, 1);
            rc = store_open(&r->f.s, &r->f.o, &r->f.e);
            failed = disk_failed(&disk);
            CHECK(rc == 0 || (rc < 0 && r->f.s == NULL && r->f.e.msg[0] != 0));
            disk_set(&disk, DISK_FINE, 0, 0);
            if (rc != 0)
                fixture_open(&r->f);
        }
        for (int i = 0; i < ROOMS; i++)
            check_room(&r->f, room_names[i], 5);
        run_free(r);
    }
    disk_fini(&disk);
    log_set_fd(2);
}

static const struct {
    const char *what;
    enum disk_fault fault;
    int code;
} lasting_rows[] = {
    {"full", DISK_FULL, SK_ENOSPC},
    {"read-only", DISK_READ_ONLY, SK_EROFS},
    {"failing writes", DISK_WRITE_FAILS, SK_EIO},
    {"failing syncs", DISK_SYNC_FAILS, SK_EIO},
};

/* As long as the disk fails: appends wait in order, up to the queue's limit,
 * health says why, reading goes on, and what has no patience is refused. */
TEST(store_fault, a_lasting_fault_degrades_and_heals)
{
    static struct disk disk;

    log_set_fd(-1);
    disk_init(&disk);
    for (size_t row = 0; row < ARRAY_LEN(lasting_rows); row++) {
        struct run *r = run_new(&disk);
        struct store_health h;
        struct store_load l;
        struct store_stats st;
        int n = 0;

        TEST_CASE(lasting_rows[row].what);
        disk_set(&disk, lasting_rows[row].fault, 0, 1L << 40);
        CHECK_EQ(fly(r, n++, 0, 3), 0);
        wait_health(r, lasting_rows[row].code);
        CHECK_EQ(fly(r, n++, 1, 3), 0);
        CHECK_EQ(fly(r, n++, 0, 2), 0);
        store_get_health(r->f.s, &h);
        CHECK_EQ(h.code, lasting_rows[row].code);
        CHECK(h.words[0] != 0 && h.since_ms > 0 && h.tries > 0);
        check_room(&r->f, "a", 5);
        CHECK_EQ(load(&r->f, &l, "new", true), lasting_rows[row].code);
        CHECK(l.room == 0 && l.op.err.msg[0] != 0);
        CHECK_EQ(snapshot(&r->f, r->rooms[2], 5, bytes_of(1, 1)), lasting_rows[row].code);
        CHECK_EQ(done_count(r), 0);
        store_get_stats(r->f.s, &st);
        CHECK_EQ(st.queue_ops, 3);
        check_cut(r, 0);
        disk_set(&disk, DISK_FINE, 0, 0);
        wait_done(r, n);
        wait_health(r, 0);
        CHECK_EQ(r->failed, 0);
        CHECK_EQ(load(&r->f, &l, "new", true), 0);
        CHECK_EQ(snapshot(&r->f, r->rooms[2], 5, bytes_of(1, 1)), 0);
        store_load_fini(&l);
        store_get_stats(r->f.s, &st);
        CHECK_EQ(st.queue_bytes, 0);
        CHECK_EQ(st.queue_ops, 0);
        land(r, n);
        check_room(&r->f, "a", 10);
        check_room(&r->f, "b", 8);
        run_free(r);
    }
    disk_fini(&disk);
    log_set_fd(2);
}

TEST(store_fault, a_full_queue_refuses_and_recovers)
{
    static struct disk disk;
    struct run *r;
    int n = 0, rc;

    log_set_fd(-1);
    disk_init(&disk);
    r = run_new(&disk);
    r->f.o.queue_bytes_max = 600;
    fixture_reopen(&r->f);
    disk_set(&disk, DISK_FULL, 0, 1L << 40);
    while ((rc = fly(r, n, 0, 1)) == 0)
        CHECK(++n < FLIGHTS);
    CHECK_EQ(rc, SK_EAGAIN);
    CHECK(n >= 5);
    batch_free(&r->flights[n].b);
    disk_set(&disk, DISK_FINE, 0, 0);
    wait_done(r, n);
    land(r, n);
    CHECK_EQ(append(&r->f, r->rooms[0], 6 + (uint64_t)n, 1), 0);
    run_free(r);
    disk_fini(&disk);
    log_set_fd(2);
}

/* With nothing queued, the store looks by itself whether the disk is back. */
TEST(store_fault, health_returns_without_anybody_writing)
{
    static struct disk disk;
    struct run *r;
    struct store_load l;

    log_set_fd(-1);
    disk_init(&disk);
    r = run_new(&disk);
    disk_set(&disk, DISK_FULL, 0, 1L << 40);
    CHECK_EQ(load(&r->f, &l, "new", true), SK_ENOSPC);
    wait_health(r, SK_ENOSPC);
    disk_set(&disk, DISK_FINE, 0, 0);
    wait_health(r, 0);
    run_free(r);
    disk_fini(&disk);
    log_set_fd(2);
}

/* Closing under a fault gives everything back, with the disk's code. */
TEST(store_fault, closing_while_the_disk_is_full)
{
    static struct disk disk;
    struct run *r;

    log_set_fd(-1);
    disk_init(&disk);
    r = run_new(&disk);
    disk_set(&disk, DISK_FULL, 0, 1L << 40);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(fly(r, i, 0, 2), 0);
    store_close(r->f.s);
    r->f.s = NULL;
    CHECK_EQ(r->done, 5);
    CHECK_EQ(r->failed, 5);
    CHECK_EQ(r->flights[4].b.a.op.code, SK_ENOSPC);
    CHECK(strstr(r->flights[4].b.a.op.err.msg, "no space") != NULL);
    disk_set(&disk, DISK_FINE, 0, 0);
    fixture_open(&r->f);
    check_room(&r->f, "a", 5);
    land(r, 5);
    run_free(r);
    disk_fini(&disk);
    log_set_fd(2);
}

/* Relaxed: acknowledged before the sync, synced in time, and a flush syncs. */
TEST(store_fault, relaxed_is_synced_by_a_flush)
{
    static struct disk disk;
    struct run *r;
    char words[200];

    log_set_fd(-1);
    disk_init(&disk);
    r = run_new(&disk);
    r->f.o.relaxed_ms = 60000;
    fixture_reopen(&r->f);
    CHECK_EQ(append(&r->f, r->rooms[0], 6, 1), 0);
    CHECK(disk_wal_is_dirty(&disk));
    r->sent[0] = 6;
    check_cut(r, 0); /* loses record 6, and nothing else */
    CHECK_EQ(flush(&r->f), 0);
    CHECK(!disk_wal_is_dirty(&disk));
    r->acked[0] = 6;
    check_cut(r, 0);
    disk_set(&disk, DISK_SYNC_FAILS, 0, 1L << 40);
    CHECK_EQ(append(&r->f, r->rooms[0], 7, 1), 0);
    CHECK_EQ(flush(&r->f), SK_EIO);
    wait_health(r, SK_EIO);
    disk_set(&disk, DISK_FINE, 0, 0);
    wait_health(r, 0);
    r->sent[0] = r->acked[0] = 7;
    check_cut(r, 0);
    store_risk(&r->f.o, words, sizeof(words));
    CHECK(strstr(words, "60000 ms") != NULL);
    run_free(r);
    disk_fini(&disk);
    log_set_fd(2);
}

TEST(store_fault, relaxed_is_synced_in_time)
{
    static struct disk disk;
    struct run *r;

    disk_init(&disk);
    r = run_new(&disk);
    r->f.o.relaxed_ms = 5;
    fixture_reopen(&r->f);
    CHECK_EQ(append(&r->f, r->rooms[0], 6, 1), 0);
    while (disk_wal_is_dirty(&disk))
        usleep(1000);
    r->sent[0] = r->acked[0] = 6;
    check_cut(r, 0);
    run_free(r);
    disk_fini(&disk);
}
