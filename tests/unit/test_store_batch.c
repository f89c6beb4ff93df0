#include "store/store_batch.h"

#include <string.h>

#include "harness.h"

#define COUNT 80

/* Records that use every branch: no author, a known one, a new one, more of
 * them than are numbered, times that go back, the largest connection. */
static struct store_entry entry_of(unsigned i, char *author, uint8_t *bytes)
{
    struct store_entry e = {.seq = 1000 + i, .kind = (uint8_t)(i * 37)};

    e.time_ms = i == 3 ? INT64_MIN : i == 4 ? INT64_MAX : 1700000000000 - (int64_t)i * 13;
    e.conn = i % 5 == 0 ? UINT64_MAX : (uint64_t)i << (i % 60);
    e.author_len = i % 4 == 0 ? 0 : 1 + i % 9;
    memset(author, (int)('a' + i % 26), 10);
    author[0] = (char)i;
    e.author = author;
    e.len = i % 11;
    memset(bytes, (int)i, 11);
    e.bytes = bytes;
    return e;
}

static void encode(struct buf *out, int64_t room)
{
    static char authors[COUNT][10];
    static uint8_t bytes[COUNT][11];
    struct batch_writer w;

    store_batch_start(&w, out, 1000);
    for (unsigned i = 0; i < COUNT; i++) {
        struct store_entry e = entry_of(i % 60, authors[i], bytes[i]); /* the last 20 repeat */

        store_batch_add(&w, &e);
    }
    store_batch_finish(&w, room);
    CHECK_EQ(buf_err(out), 0);
}

static int decode(const uint8_t *p, size_t len, int64_t room, uint64_t first, uint64_t last)
{
    struct batch_reader r;
    struct store_entry e;
    int rc = store_batch_open(&r, p, len, room, first, last);

    while (rc == 0 && (rc = store_batch_next(&r, &e)) == 1)
        rc = 0;
    return rc;
}

TEST(store_batch, what_goes_in_comes_out)
{
    struct batch_reader r;
    struct store_entry e, want;
    struct buf b;
    uint8_t *copy, bytes[11];
    char author[10];

    buf_init(&b, mem_process(), 1 << 20);
    encode(&b, 7);
    copy = test_dup(b.p, b.len);
    CHECK_EQ(store_batch_open(&r, copy, b.len, 7, 1000, 1000 + COUNT - 1), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        want = entry_of(i % 60, author, bytes);
        CHECK_EQ(store_batch_next(&r, &e), 1);
        CHECK_EQ(e.seq, 1000 + i);
        CHECK_EQ(e.time_ms, want.time_ms);
        CHECK_EQ(e.conn, want.conn);
        CHECK_EQ(e.kind, want.kind);
        CHECK_MEM(e.author, e.author_len, want.author, want.author_len);
        CHECK_MEM(e.bytes, e.len, want.bytes, want.len);
    }
    CHECK_EQ(store_batch_next(&r, &e), 0);
    test_free(copy);
    buf_fini(&b);
}

TEST(store_batch, every_truncation_and_every_changed_byte_is_refused)
{
    struct buf b;

    buf_init(&b, mem_process(), 1 << 20);
    encode(&b, 7);
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *copy = test_dup(b.p, cut);

        CHECK_EQ(decode(copy, cut, 7, 1000, 1079), SK_ECORRUPT);
        test_free(copy);
    }
    for (size_t i = 0; i < b.len; i++) {
        b.p[i] ^= 0x10;
        CHECK_EQ(decode(b.p, b.len, 7, 1000, 1079), SK_ECORRUPT);
        b.p[i] ^= 0x10;
    }
    CHECK_EQ(decode(b.p, b.len, 7, 1000, 1079), 0);
    buf_fini(&b);
}

/* The checksum holds a blob in its place. */
TEST(store_batch, a_blob_in_another_place_is_refused)
{
    static const struct {
        const char *what;
        int64_t room;
        uint64_t first, last;
    } rows[] = {
        {"another room", 8, 1000, 1079}, {"another first", 7, 999, 1079},
        {"another last", 7, 1000, 1080}, {"both later", 7, 1001, 1080},
        {"from zero", 7, 0, 79},         {"turned around", 7, 1079, 1000},
    };
    struct buf b;

    buf_init(&b, mem_process(), 1 << 20);
    encode(&b, 7);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        TEST_CASE(rows[i].what);
        CHECK_EQ(decode(b.p, b.len, rows[i].room, rows[i].first, rows[i].last), SK_ECORRUPT);
    }
    buf_fini(&b);
}

/* Bodies whose checksum is right and whose content is not: the parser itself. */
TEST(store_batch, malformed_bodies_are_refused)
{
    static const struct {
        const char *what;
        uint8_t body[24];
        size_t len;
        uint64_t last;
        int rc;
    } rows[] = {
        {"one empty record", {0, 0, 0, 0, 0}, 5, 1, 0},
        {"two", {0, 0, 0, 0, 0, 1, 2, 3, 0, 0}, 10, 2, 0},
        {"one too many bytes", {0, 0, 0, 0, 0, 0}, 6, 1, SK_ECORRUPT},
        {"one record too few", {0, 0, 0, 0, 0}, 5, 2, SK_ECORRUPT},
        {"bytes beyond the end", {0, 0, 0, 0, 1}, 5, 1, SK_ECORRUPT},
        {"an author nobody introduced", {0, 0, 0, 2, 0}, 5, 1, SK_ECORRUPT},
        {"an author beyond the end", {0, 0, 0, 1, 9, 'a', 0}, 7, 1, SK_ECORRUPT},
        {"a number that never ends",
         {0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0},
         14,
         1,
         SK_ECORRUPT},
        {"2^64",
         {0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2, 0, 0},
         14,
         1,
         SK_ECORRUPT},
        {"2^64 - 1",
         {0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0},
         14,
         1,
         0},
        {"a length of 2^64 - 1",
         {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
         14,
         1,
         SK_ECORRUPT},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct batch_writer w;
        struct buf b;

        TEST_CASE(rows[i].what);
        buf_init(&b, mem_process(), 1000);
        store_batch_start(&w, &b, 1);
        buf_put(&b, rows[i].body, rows[i].len);
        w.next = rows[i].last + 1;
        store_batch_finish(&w, 7);
        CHECK_EQ(decode(b.p, b.len, 7, 1, rows[i].last), rows[i].rc);
        buf_fini(&b);
    }
}

/* A buffer that is full ends in its error, not in a short blob. */
TEST(store_batch, a_full_buffer_is_an_error)
{
    for (size_t max = 1; max < 60; max++) {
        struct store_entry e = {
            .author = "ada", .author_len = 3, .bytes = (uint8_t *)"0123456789", .len = 10};
        struct batch_writer w;
        struct buf b;

        buf_init(&b, mem_process(), max);
        store_batch_start(&w, &b, 1);
        store_batch_add(&w, &e);
        store_batch_add(&w, &e);
        store_batch_finish(&w, 7);
        if (buf_err(&b) == 0)
            CHECK_EQ(decode(b.p, b.len, 7, 1, 2), 0);
        buf_fini(&b);
    }
}
