/* A data directory's life: opened once, migrated, damaged, emptied, listed, purged. */
#include "store/store_sqlite.h"

#include <fcntl.h>

#include "test_store_fixture.h"

/* ---- opening ---- */

static int try_open(struct fixture *f)
{
    int rc = store_open(&f->s, &f->o, &f->e);

    if (rc != 0)
        CHECK(f->s == NULL && f->e.msg[0] != 0 && f->e.code == rc);
    return rc;
}

TEST(store_life, two_servers_on_one_directory_refuse)
{
    struct fixture f, g;

    fixture_init(&f);
    g = f;
    CHECK_EQ(try_open(&g), SK_EEXISTS);
    CHECK(strstr(g.e.msg, "another server is using this data directory") != NULL);
    CHECK(room_of(&f, "a") > 0);
    fixture_reopen(&f);
    fixture_fini(&f);
}

TEST(store_life, a_directory_that_is_not_there)
{
    struct fixture f;

    fixture_make(&f);
    f.o.dir = "/tmp/skein-store-nowhere/data";
    CHECK_EQ(try_open(&f), SK_ENOTFOUND);
    CHECK(strstr(f.e.msg, "/tmp/skein-store-nowhere/data") != NULL);
    fixture_fini(&f);
}

TEST(store_life, a_newer_file_is_refused)
{
    struct fixture f;

    fixture_init(&f);
    store_close(f.s);
    fixture_sql(&f, "PRAGMA user_version = 99");
    CHECK_EQ(try_open(&f), SK_EVERSION);
    CHECK(strstr(f.e.msg, "version 99") != NULL);
    CHECK_EQ(fixture_sql(&f, "PRAGMA user_version"), 99);
    fixture_fini(&f);
}

TEST(store_life, the_file_of_another_program_is_left_alone)
{
    struct fixture f;

    fixture_make(&f);
    fclose(fopen(f.db, "w"));
    fixture_sql(&f, "CREATE TABLE theirs(x)");
    CHECK_EQ(try_open(&f), SK_EINVAL);
    CHECK_EQ(fixture_sql(&f, "SELECT count(*) FROM sqlite_schema"), 1);
    fixture_fini(&f);
}

/* All memory is charged to the account that was given, and comes back. */
TEST(store_life, closing_gives_all_memory_back)
{
    struct mem_account mem;
    struct fixture f;
    int64_t room;

    mem_account_init(&mem, "store", NULL, 64u << 20);
    fixture_make(&f);
    f.o.mem = &mem;
    fixture_open(&f);
    room = room_of(&f, "a");
    for (uint64_t seq = 1; seq <= 500; seq += 50)
        CHECK_EQ(append(&f, room, seq, 50), 0);
    CHECK_EQ(snapshot(&f, room, 100, bytes_of(1, 97)), 0);
    CHECK(mem_account_used(&mem) > 0);
    fixture_move(&f);
    CHECK_EQ(append(&f, room, 501, 1), 0);
    fixture_fini(&f);
    mem_account_fini(&mem);
}

/* ---- migration ---- */

static const struct store_migration three_steps[] = {
    {"CREATE TABLE t(a); INSERT INTO t VALUES(1)"},
    {"ALTER TABLE t ADD COLUMN b; UPDATE t SET b = a + 1"},
    {"CREATE TABLE u(c); INSERT INTO u SELECT a + b FROM t"},
};

static long long one(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st;
    long long v = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return v;
}

/* From every version to every later one, in one go or in several. */
TEST(store_life, a_file_is_migrated_from_any_version)
{
    for (int from = 0; from <= 3; from++) {
        struct err e = {0};
        sqlite3 *db;

        CHECK_EQ(sqlite3_open(":memory:", &db), SQLITE_OK);
        CHECK_EQ(store__sqlite_migrate(db, three_steps, from, &e), 0);
        CHECK_EQ(one(db, "PRAGMA user_version"), from);
        CHECK_EQ(store__sqlite_migrate(db, three_steps, 3, &e), 0);
        CHECK_EQ(one(db, "PRAGMA user_version"), 3);
        CHECK_EQ(one(db, "SELECT c FROM u"), 3);
        CHECK_EQ(store__sqlite_migrate(db, three_steps, 3, &e), 0);
        CHECK_EQ(one(db, "SELECT count(*) FROM u"), 1);
        CHECK_EQ(store__sqlite_migrate(db, three_steps, 2, &e), SK_EVERSION);
        sqlite3_close(db);
    }
}

/* A step that fails leaves the file at the version before it, as it was. */
TEST(store_life, a_failed_migration_changes_nothing)
{
    static const struct store_migration bad[] = {
        {"CREATE TABLE t(a); INSERT INTO t VALUES(1)"},
        {"UPDATE t SET a = 2; CREATE TABLE u(c); INSERT INTO nowhere VALUES(1)"},
    };
    struct err e = {0};
    sqlite3 *db;

    CHECK_EQ(sqlite3_open(":memory:", &db), SQLITE_OK);
    CHECK_EQ(store__sqlite_migrate(db, bad, 2, &e), SK_EIO);
    CHECK(strstr(e.msg, "nowhere") != NULL);
    CHECK_EQ(one(db, "PRAGMA user_version"), 1);
    CHECK_EQ(one(db, "SELECT a FROM t"), 1);
    CHECK_EQ(one(db, "SELECT count(*) FROM sqlite_schema"), 1);
    CHECK_EQ(store__sqlite_migrate(db, three_steps, 3, &e), 0);
    CHECK_EQ(one(db, "SELECT c FROM u"), 3);
    sqlite3_close(db);
}

/* ---- damage ---- */

static void overwrite(const struct fixture *f, off_t at, size_t len)
{
    static const uint8_t junk[65536] = {0xa5, 0x5a, 3, 4, 5};
    int fd = open(f->db, O_WRONLY);

    CHECK(fd >= 0);
    CHECK(len <= sizeof(junk));
    CHECK_EQ(pwrite(fd, junk, len, at), (ssize_t)len);
    close(fd);
}

/* A file that is no database, or a broken one, gives a code and says what to do. */
TEST(store_life, a_damaged_file_is_refused_with_words)
{
    static const struct {
        const char *what;
        off_t at;
        size_t len;
    } rows[] = {
        {"the header", 0, 100},
        {"the schema", 100, 3000},
        {"an inner page", 4096 * 8, 4096},
    };

    log_set_fd(-1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        int rc;

        TEST_CASE(rows[i].what);
        fixture_init(&f);
        for (int n = 0; n < 20; n++) {
            char name[20];

            snprintf(name, sizeof(name), "room-%d", n);
            CHECK_EQ(append(&f, room_of(&f, name), 1, 50), 0);
        }
        fixture_move(&f);
        store_close(f.s);
        overwrite(&f, rows[i].at, rows[i].len);
        rc = try_open(&f);
        CHECK_EQ(rc, SK_ECORRUPT);
        CHECK(strstr(f.e.msg, "backup") != NULL);
        f.o.accept_damage = true;
        if (i == 2) { /* the others cannot be opened by anybody */
            fixture_open(&f);
            CHECK(room_of(&f, "another") > 0);
        }
        fixture_fini(&f);
    }
    log_set_fd(2);
}

/* With --accept-damage every room loads whole or is refused, never in between,
 * whichever page is overwritten. */
TEST(store_life, with_any_page_damaged_rooms_load_whole_or_not_at_all)
{
    int refused = 0, loaded = 0, unopened = 0;

    log_set_fd(-1);
    for (int page = 0; page < 24; page++) {
        struct fixture f;

        fixture_init(&f);
        f.o.accept_damage = true;
        for (int n = 0; n < 12; n++) {
            char name[20];

            snprintf(name, sizeof(name), "room-%d", n);
            CHECK_EQ(append(&f, room_of(&f, name), 1, 60), 0);
        }
        fixture_move(&f);
        store_close(f.s);
        f.s = NULL;
        overwrite(&f, page * 4096, 4096);
        if (store_open(&f.s, &f.o, &f.e) != 0) {
            unopened++;
            fixture_fini(&f);
            continue;
        }
        for (int n = 0; n < 12; n++) {
            struct store_load l;
            char name[20];
            int rc;

            snprintf(name, sizeof(name), "room-%d", n);
            rc = load(&f, &l, name, false);
            CHECK(rc == 0 || rc == SK_ECORRUPT || rc == SK_ENOTFOUND);
            if (rc == 0)
                check_entries(&l.log, l.room, 1, 60);
            loaded += rc == 0;
            refused += rc != 0;
            store_load_fini(&l);
        }
        fixture_fini(&f);
    }
    CHECK(refused > 0 && loaded > refused && unopened > 0);
    log_set_fd(2);
}

/* ---- deleting ---- */

TEST(store_life, a_deleted_room_is_gone_and_its_name_is_free)
{
    struct fixture f;
    struct store_load a, b;
    int64_t keep;

    fixture_init(&f);
    CHECK_EQ(load(&f, &a, "a", true), 0);
    keep = room_of(&f, "keep");
    for (uint64_t seq = 1; seq <= 500; seq += 50)
        CHECK_EQ(append(&f, a.room, seq, 50), 0);
    CHECK_EQ(append(&f, keep, 1, 50), 0);
    CHECK_EQ(snapshot(&f, a.room, 100, bytes_of(1, 97)), 0);
    CHECK_EQ(delete_room(&f, a.room), 0);
    CHECK_EQ(delete_room(&f, a.room), SK_ENOTFOUND);
    CHECK_EQ(append(&f, a.room, 501, 1), SK_ENOTFOUND);
    CHECK_EQ(snapshot(&f, a.room, 100, bytes_of(1, 97)), SK_ENOTFOUND);
    CHECK_EQ(load(&f, &b, "a", false), SK_ENOTFOUND);
    CHECK_EQ(load(&f, &b, "a", true), 0);
    CHECK(b.is_new && b.room != a.room && b.head == 0);
    CHECK(memcmp(a.epoch, b.epoch, sizeof(a.epoch)) != 0);
    CHECK_EQ(append(&f, b.room, 1, 3), 0);
    fixture_move(&f);
    while (fixture_sql(&f, "SELECT count(*) FROM rooms WHERE gone_ms IS NOT NULL") != 0)
        usleep(1000);
    CHECK_EQ(fixture_sql(&f, "SELECT count(*) FROM log WHERE room NOT IN (SELECT id FROM rooms)"),
             0);
    CHECK_EQ(fixture_sql(&f, "SELECT count(*) FROM snapshots"), 0);
    check_room(&f, "a", 3);
    check_room(&f, "keep", 50);
    fixture_fini(&f);
}

/* ---- listing ---- */

TEST(store_life, rooms_are_listed_by_prefix_in_pages)
{
    static const char *const names[] = {"a", "b/1", "b/2", "b/3", "ba", "c", "b", "b/\xc3\xa9"};
    static const struct {
        const char *prefix, *after;
        size_t limit;
        const char *want;
    } rows[] = {
        {"", "", 100, "a b b/1 b/2 b/3 b/\xc3\xa9 ba c "},
        {"b/", "", 100, "b/1 b/2 b/3 b/\xc3\xa9 "},
        {"b/", "", 2, "b/1 b/2 "},
        {"b/", "b/2", 2, "b/3 b/\xc3\xa9 "},
        {"b/", "b/\xc3\xa9", 2, ""},
        {"b", "a", 1, "b "},
        {"", "b/3", 2, "b/\xc3\xa9 ba "},
        {"zzz", "", 5, ""},
    };
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK_EQ(append(&f, room_of(&f, names[i]), 1, i + 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store_list l = {.tenant = "acme",
                               .kind = STORE_DOCUMENT,
                               .prefix = rows[i].prefix,
                               .after = rows[i].after,
                               .limit = rows[i].limit};
        struct store_waiter w;
        char got[200] = "";

        store_waiter_init(&w, &l.op);
        CHECK_EQ(store_list_rooms(f.s, &l), 0);
        CHECK_EQ(store_waiter_wait(&w), 0);
        for (size_t k = 0; k < l.count; k++) {
            strcat(strcat(got, l.rooms[k].name), " ");
            for (size_t n = 0; n < ARRAY_LEN(names); n++)
                if (strcmp(names[n], l.rooms[k].name) == 0)
                    CHECK_EQ(l.rooms[k].head, n + 1);
        }
        CHECK_STR(got, rows[i].want);
        store_list_fini(&l);
    }
    fixture_fini(&f);
}

/* ---- retention ---- */

/* What is old goes, but only behind both snapshots; what is young stays. */
TEST(store_life, old_records_behind_two_snapshots_are_dropped)
{
    struct fixture f;
    struct store_load l;
    struct store_stats st;
    int64_t two, one_only, none;

    fixture_init(&f);
    two = room_of(&f, "two"); /* records of these tests are from 2023 */
    one_only = room_of(&f, "one");
    none = room_of(&f, "none");
    for (uint64_t seq = 1; seq <= 120; seq += 20) {
        CHECK_EQ(append(&f, two, seq, 20), 0);
        CHECK_EQ(append(&f, one_only, seq, 20), 0);
        CHECK_EQ(append(&f, none, seq, 20), 0);
        fixture_move(&f); /* so that the log has six rows of each */
    }
    CHECK_EQ(snapshot(&f, two, 70, bytes_of(1, 1)), 0);
    CHECK_EQ(snapshot(&f, two, 110, bytes_of(1, 2)), 0);
    CHECK_EQ(snapshot(&f, one_only, 110, bytes_of(1, 3)), 0);
    fixture_sql(&f, "UPDATE log SET to_ms = strftime('%s', 'now') * 1000"
                    " WHERE room = 1 AND first = 41");
    fixture_reopen(&f); /* looks for old records at once */
    do {
        store_get_stats(f.s, &st);
        usleep(1000);
    } while (st.purged < 40);
    while (fixture_sql(&f, "SELECT count(*) FROM log WHERE room = 1") > 4)
        usleep(1000);
    CHECK_EQ(fixture_sql(&f, "SELECT min(first) FROM log WHERE room = 1"), 41);
    CHECK_EQ(fixture_sql(&f, "SELECT count(*) FROM log WHERE room <> 1"), 12);
    CHECK_EQ(load(&f, &l, "two", false), 0);
    CHECK_EQ(l.snapshot_seq, 110);
    check_entries(&l.log, two, 111, 120);
    store_load_fini(&l);
    check_room(&f, "none", 120);
    CHECK_EQ(append(&f, two, 121, 1), 0);
    fixture_fini(&f);
}

TEST(store_life, history_forever_drops_nothing)
{
    struct fixture f;
    int64_t room;

    fixture_make(&f);
    f.o.history_forever = true;
    fixture_open(&f);
    room = room_of(&f, "a");
    CHECK_EQ(append(&f, room, 1, 20), 0);
    CHECK_EQ(snapshot(&f, room, 10, bytes_of(1, 1)), 0);
    CHECK_EQ(snapshot(&f, room, 20, bytes_of(1, 1)), 0);
    fixture_move(&f);
    CHECK_EQ(append(&f, room, 21, 1), 0);
    fixture_move(&f);
    CHECK_EQ(fixture_sql(&f, "SELECT sum(last - first + 1) FROM log"), 21);
    fixture_fini(&f);
}

/* ---- beside others ---- */

/* Somebody who holds a write lock by sqlite3 delays the store, and harms nothing. */
TEST(store_life, a_foreign_lock_degrades_until_it_is_released)
{
    struct fixture f;
    struct store_health h;
    struct store_waiter w;
    struct batch b;
    sqlite3 *db;
    int64_t room;

    log_set_fd(-1);
    fixture_init(&f);
    room = room_of(&f, "a");
    CHECK_EQ(sqlite3_open(f.db, &db), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE; DELETE FROM rooms", 0, 0, 0), SQLITE_OK);
    batch_make(&b, room, 1, 3);
    store_waiter_init(&w, &b.a.op);
    CHECK_EQ(store_append(f.s, &b.a), 0);
    do {
        store_get_health(f.s, &h);
        usleep(1000);
    } while (h.code == 0);
    CHECK_EQ(h.code, SK_EAGAIN);
    CHECK(strstr(h.words, "another program") != NULL);
    CHECK_EQ(sqlite3_exec(db, "ROLLBACK", 0, 0, 0), SQLITE_OK);
    CHECK_EQ(store_waiter_wait(&w), 0);
    batch_free(&b);
    check_room(&f, "a", 3);
    sqlite3_close(db);
    fixture_fini(&f);
    log_set_fd(2);
}

/* The views for people give what the records say. */
TEST(store_life, people_can_look_with_sqlite3)
{
    struct fixture f;
    int64_t room;

    fixture_init(&f);
    room = room_of(&f, "plan");
    CHECK_EQ(append(&f, room, 1, 5), 0);
    CHECK_EQ(fixture_sql(&f, "SELECT head FROM heads WHERE name = 'plan'"), 5);
    fixture_move(&f);
    CHECK_EQ(fixture_sql(&f, "SELECT head FROM heads WHERE name = 'plan'"), 5);
    CHECK_EQ(fixture_sql(&f, "SELECT count(*) FROM history WHERE tenant = 'acme' AND"
                             " kind = 'document' AND name = 'plan' AND first = 1 AND last = 5 AND"
                             " authors = 'ada' AND since = '2023-11-14 22:13:20'"),
             1);
    fixture_fini(&f);
}
