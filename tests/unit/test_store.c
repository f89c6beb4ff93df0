#include "test_store_fixture.h"

#include <errno.h>
#include <pthread.h>

/* ---- rooms ---- */

TEST(store, a_room_is_made_once_and_found_again)
{
    struct fixture f;
    struct store_load a, b;

    fixture_init(&f);
    CHECK_EQ(load(&f, &a, "plan", false), SK_ENOTFOUND);
    CHECK_EQ(load(&f, &a, "plan", true), 0);
    CHECK(a.is_new && a.room > 0 && a.created_ms > 0);
    CHECK_EQ(a.head, 0);
    CHECK(a.snapshot == NULL);
    CHECK_EQ(load(&f, &b, "plan", true), 0);
    CHECK(!b.is_new);
    CHECK_EQ(b.room, a.room);
    CHECK_MEM(b.epoch, sizeof(b.epoch), a.epoch, sizeof(a.epoch));
    fixture_reopen(&f);
    CHECK_EQ(load(&f, &b, "plan", false), 0);
    CHECK_MEM(b.epoch, sizeof(b.epoch), a.epoch, sizeof(a.epoch));
    CHECK_EQ(b.created_ms, a.created_ms);
    fixture_fini(&f);
}

/* Tenant, kind and name are one key, not one string. */
TEST(store, rooms_differ_by_tenant_kind_and_name)
{
    static const struct store_key keys[] = {
        {"a", STORE_DOCUMENT, "b"},   {"", STORE_DOCUMENT, "b"},
        {"a", STORE_SESSION, "b"},    {"a", STORE_DOCUMENT, "b/c"},
        {"a/b", STORE_DOCUMENT, "c"}, {"", STORE_CHANNEL, "\xf0\x9f\xa6\x86"},
    };
    struct fixture f;
    int64_t rooms[ARRAY_LEN(keys)];

    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct store_load l = {.key = keys[i], .create = true};
        struct store_waiter w;

        store_waiter_init(&w, &l.op);
        CHECK_EQ(store_load(f.s, &l), 0);
        CHECK_EQ(store_waiter_wait(&w), 0);
        CHECK(l.is_new);
        rooms[i] = l.room;
        for (size_t k = 0; k < i; k++)
            CHECK(rooms[k] != rooms[i]);
    }
    fixture_fini(&f);
}

TEST(store, bad_names_are_refused_at_once)
{
    static char longest[STORE_NAME_BYTES_MAX + 2];
    static const struct {
        const char *what, *tenant, *name;
        int kind;
    } rows[] = {
        {"no name", "", "", STORE_DOCUMENT},
        {"a control character", "", "a\nb", STORE_DOCUMENT},
        {"too long", "", longest, STORE_DOCUMENT},
        {"NULL", "", NULL, STORE_DOCUMENT},
        {"no such kind", "", "a", 9},
        {"DEL in the tenant", "\x7f", "a", STORE_DOCUMENT},
    };
    struct fixture f;

    memset(longest, 'x', sizeof(longest) - 1);
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store_load l = {
            .key = {rows[i].tenant, (enum store_kind)rows[i].kind, rows[i].name}};
        struct store_waiter w;

        TEST_CASE(rows[i].what);
        store_waiter_init(&w, &l.op);
        CHECK_EQ(store_load(f.s, &l), SK_EINVAL);
    }
    longest[STORE_NAME_BYTES_MAX] = 0;
    CHECK(room_of(&f, longest) > 0);
    fixture_fini(&f);
}

/* ---- records ---- */

/* What goes in comes out: from the tail, from the log, from both, and again
 * after the file was closed. */
TEST(store, records_come_back_as_they_were)
{
    struct fixture f;
    int64_t room, other;
    uint64_t seq = 0;

    fixture_init(&f);
    room = room_of(&f, "a");
    other = room_of(&f, "b");
    for (size_t n = 1; n <= 40; n++) {
        CHECK_EQ(append(&f, room, seq + 1, n), 0);
        CHECK_EQ(append(&f, other, n, 1), 0);
        seq += n;
        check_room(&f, "a", seq);
    }
    fixture_reopen(&f);
    check_room(&f, "a", seq);
    check_room(&f, "b", 40);
    fixture_fini(&f);
}

/* A gap, a repetition and a room that is not there are refused, and neither
 * harms what is appended properly in the same transaction. */
TEST(store, sequence_numbers_have_no_gaps)
{
    struct fixture f;
    int64_t room;

    fixture_init(&f);
    room = room_of(&f, "a");
    CHECK_EQ(append(&f, room, 2, 1), SK_EINVAL);
    CHECK_EQ(append(&f, room, 1, 3), 0);
    CHECK_EQ(append(&f, room, 5, 1), SK_EINVAL);
    CHECK(strstr(f.e.msg, "do not follow 3") != NULL);
    CHECK_EQ(append(&f, room, 3, 2), SK_EINVAL);
    CHECK_EQ(append(&f, room + 1, 1, 1), SK_ENOTFOUND);
    CHECK_EQ(append(&f, room, 4, 2), 0);
    check_room(&f, "a", 5);
    fixture_fini(&f);
}

TEST(store, appends_out_of_limits_are_refused_at_once)
{
    struct fixture f;
    struct batch b;
    int64_t room;

    fixture_init(&f);
    room = room_of(&f, "a");
    CHECK_EQ(append(&f, room, 0, 1), SK_EINVAL);
    CHECK_EQ(append(&f, 0, 1, 1), SK_EINVAL);
    CHECK_EQ(append(&f, room, 1, 0), SK_EINVAL);
    CHECK_EQ(append(&f, room, UINT64_C(1) << 63, 1), SK_EINVAL);
    batch_make(&b, room, 1, 1);
    rbuf_unref(b.author);
    b.author = rbuf_new(mem_process(), STORE_AUTHOR_BYTES_MAX + 1);
    b.records[0].author = b.author;
    CHECK_EQ(store_append(f.s, &b.a), SK_ETOOBIG);
    batch_free(&b);
    fixture_fini(&f);
}

TEST(store, one_large_record_passes)
{
    struct fixture f;
    struct store_load l;
    struct store_waiter w;
    struct rbuf *big = rbuf_new(mem_process(), 20u << 20);
    struct store_record r = {.time_ms = 1, .bytes = big};
    struct store_append a = {.first_seq = 1, .records = &r, .count = 1};

    memset(big->bytes, 'x', big->len);
    big->bytes[big->len - 1] = 'y';
    fixture_make(&f);
    f.o.queue_bytes_max = 1000; /* an empty queue takes one append of any size */
    fixture_open(&f);
    a.room = room_of(&f, "a");
    store_waiter_init(&w, &a.op);
    CHECK_EQ(store_append(f.s, &a), 0);
    CHECK_EQ(store_waiter_wait(&w), 0);
    CHECK_EQ(append(&f, a.room, 2, 1), 0);
    fixture_reopen(&f);
    CHECK_EQ(load(&f, &l, "a", false), 0);
    CHECK_EQ(l.log.count, 2);
    CHECK_MEM(l.log.entries[0].bytes, l.log.entries[0].len, big->bytes, big->len);
    store_load_fini(&l);
    rbuf_unref(big);
    fixture_fini(&f);
}

TEST(store, a_long_log_is_loaded_in_parts)
{
    struct fixture f;
    struct store_load l = {.key = {"acme", STORE_DOCUMENT, "a"}, .log_bytes_max = 100};
    struct store_waiter w;
    uint64_t last;
    int64_t room;

    fixture_init(&f);
    room = room_of(&f, "a");
    for (uint64_t seq = 1; seq <= 200; seq += 10)
        CHECK_EQ(append(&f, room, seq, 10), 0);
    store_waiter_init(&w, &l.op);
    CHECK_EQ(store_load(f.s, &l), 0);
    CHECK_EQ(store_waiter_wait(&w), 0);
    CHECK(l.log.more && l.log.count > 0);
    CHECK_EQ(l.head, 200);
    last = l.log.count;
    check_entries(&l.log, room, 1, last);
    while (last < l.head) {
        struct store_read r = {.room = room, .from = last + 1, .bytes_max = 100};

        store_waiter_init(&w, &r.op);
        CHECK_EQ(store_read_log(f.s, &r), 0);
        CHECK_EQ(store_waiter_wait(&w), 0);
        CHECK(r.log.count > 0);
        check_entries(&r.log, room, last + 1, last + r.log.count);
        last += r.log.count;
        CHECK_EQ(r.log.more, last < l.head);
        store_log_fini(&r.log);
    }
    CHECK_EQ(last, 200);
    store_load_fini(&l);
    fixture_fini(&f);
}

TEST(store, read_log_takes_a_range_and_a_count)
{
    static const struct {
        const char *what;
        uint64_t from, to;
        size_t count_max;
        uint64_t first, last; /* first 0: nothing */
        bool more;
    } rows[] = {
        {"all", 1, 0, 0, 1, 50, false},
        {"the middle", 7, 33, 0, 7, 33, false},
        {"a count", 10, 0, 5, 10, 14, true},
        {"beyond the head", 51, 0, 0, 0, 0, false},
        {"up to beyond it", 45, 99, 0, 45, 50, false},
        {"one", 50, 50, 1, 50, 50, false},
        {"from zero", 0, 2, 0, 1, 2, false},
    };
    struct fixture f;
    int64_t room;

    fixture_init(&f);
    room = room_of(&f, "a");
    for (uint64_t seq = 1; seq <= 50; seq += 5)
        CHECK_EQ(append(&f, room, seq, 5), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store_read r = {
            .room = room, .from = rows[i].from, .to = rows[i].to, .count_max = rows[i].count_max};
        struct store_waiter w;

        TEST_CASE(rows[i].what);
        store_waiter_init(&w, &r.op);
        CHECK_EQ(store_read_log(f.s, &r), 0);
        CHECK_EQ(store_waiter_wait(&w), 0);
        if (rows[i].first == 0)
            CHECK_EQ(r.log.count, 0);
        else
            check_entries(&r.log, room, rows[i].first, rows[i].last);
        CHECK_EQ(r.log.more, rows[i].more);
        store_log_fini(&r.log);
    }
    fixture_fini(&f);
}

/* The account's limit bounds what a load may take. */
TEST(store, loading_keeps_to_the_account)
{
    struct fixture f;
    struct mem_account small;
    struct store_load l = {.key = {"acme", STORE_DOCUMENT, "a"}, .mem = &small};
    struct store_waiter w;
    int64_t room;

    mem_account_init(&small, "small", NULL, 2000);
    fixture_init(&f);
    room = room_of(&f, "a");
    for (uint64_t seq = 1; seq <= 200; seq += 50)
        CHECK_EQ(append(&f, room, seq, 50), 0);
    store_waiter_init(&w, &l.op);
    CHECK_EQ(store_load(f.s, &l), 0);
    CHECK_EQ(store_waiter_wait(&w), SK_ETOOBIG);
    CHECK(l.log.entries == NULL && l.room == 0);
    mem_account_fini(&small);
    fixture_fini(&f);
}

/* ---- snapshots ---- */

static struct rbuf *state_of(uint64_t seq)
{
    struct rbuf *b = rbuf_new(mem_process(), 100000);

    for (uint32_t i = 0; i < b->len; i++)
        b->bytes[i] = (uint8_t)(i / 7 * (uint32_t)seq);
    return b;
}

TEST(store, a_load_is_the_newest_snapshot_and_what_follows)
{
    struct fixture f;
    struct store_load l;
    struct rbuf *want = state_of(8);
    int64_t room;

    fixture_init(&f);
    room = room_of(&f, "a");
    CHECK_EQ(append(&f, room, 1, 10), 0);
    CHECK_EQ(snapshot(&f, room, 5, state_of(5)), 0);
    CHECK_EQ(snapshot(&f, room, 8, state_of(8)), 0);
    CHECK_EQ(load(&f, &l, "a", false), 0);
    CHECK_EQ(l.snapshot_seq, 8);
    CHECK_MEM(l.snapshot->bytes, l.snapshot->len, want->bytes, want->len);
    check_entries(&l.log, room, 9, 10);
    store_load_fini(&l);
    CHECK_EQ(snapshot(&f, room, 11, state_of(11)), SK_EINVAL);
    CHECK_EQ(snapshot(&f, room, 10, rbuf_new(mem_process(), 0)), 0);
    CHECK_EQ(load(&f, &l, "a", false), 0);
    CHECK_EQ(l.snapshot->len, 0);
    CHECK_EQ(l.log.count, 0);
    CHECK_EQ(l.head, 10);
    store_load_fini(&l);
    CHECK_EQ(fixture_sql(&f, "SELECT count(*) FROM snapshots"), 2); /* 5 is gone */
    CHECK_EQ(append(&f, room, 11, 1), 0);
    rbuf_unref(want);
    fixture_fini(&f);
}

/* A snapshot that does not match its checksum is passed over for the one before
 * it; when both are damaged, the whole log does. */
TEST(store, a_damaged_snapshot_is_passed_over)
{
    struct fixture f;
    struct store_load l;
    int64_t room;

    fixture_init(&f);
    room = room_of(&f, "a");
    CHECK_EQ(append(&f, room, 1, 10), 0);
    CHECK_EQ(snapshot(&f, room, 5, state_of(5)), 0);
    CHECK_EQ(snapshot(&f, room, 8, state_of(8)), 0);
    log_set_level(LOG_ERROR);
    fixture_sql(&f, "UPDATE snapshots SET data = substr(data, 1, 20) || x'00' || substr(data, 22)"
                    " WHERE seq = 8");
    CHECK_EQ(load(&f, &l, "a", false), 0);
    CHECK_EQ(l.snapshot_seq, 5);
    check_entries(&l.log, room, 6, 10);
    store_load_fini(&l);
    fixture_sql(&f, "UPDATE snapshots SET data = substr(data, 1, 50) WHERE seq = 5");
    CHECK_EQ(load(&f, &l, "a", false), 0);
    CHECK_EQ(l.snapshot_seq, 0);
    check_entries(&l.log, room, 1, 10);
    store_load_fini(&l);
    fixture_fini(&f);
}

/* ---- damage ---- */

/* A damaged room is refused by its name; its neighbour works. */
TEST(store, a_damaged_log_refuses_one_room)
{
    static const struct {
        const char *what, *sql;
    } rows[] = {
        {"a byte changed",
         "UPDATE log SET data = substr(data, 1, 40) || x'ff' || substr(data, 42)"
         " WHERE room = 1 AND first = (SELECT min(first) FROM log WHERE room = 1)"},
        {"a row missing", "DELETE FROM log WHERE room = 1 AND first ="
                          " (SELECT min(first) FROM log WHERE room = 1)"},
        {"a row cut", "UPDATE log SET data = substr(data, 1, length(data) - 1) WHERE room = 1"},
        {"a row of another room", "UPDATE log SET data = (SELECT data FROM log WHERE room = 2)"
                                  " WHERE room = 1"},
        {"an empty row", "UPDATE log SET data = x'' WHERE room = 1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct store_load l;

        TEST_CASE(rows[i].what);
        fixture_init(&f);
        CHECK_EQ(room_of(&f, "a"), 1);
        CHECK_EQ(room_of(&f, "b"), 2);
        CHECK_EQ(append(&f, 1, 1, 10), 0);
        CHECK_EQ(append(&f, 2, 1, 10), 0);
        fixture_move(&f);
        fixture_sql(&f, rows[i].sql);
        CHECK_EQ(append(&f, 1, 11, 1), 0);
        CHECK_EQ(load(&f, &l, "a", false), SK_ECORRUPT);
        CHECK(strstr(l.op.err.msg, "acme/document/a: records ") != NULL);
        store_load_fini(&l);
        check_room(&f, "b", 10);
        CHECK_EQ(append(&f, 2, 11, 1), 0);
        fixture_fini(&f);
    }
}
