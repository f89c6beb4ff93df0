#include "net/ws_deflate.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "harness.h"

#define LIMIT 100000

struct fixture {
    struct mem_account account;
    struct ws_inflater *in;
    struct ws_deflater *out;
};

static void setup(struct fixture *f)
{
    mem_account_init(&f->account, "test", NULL, 0);
    f->in = ws_inflater_new(&f->account);
    f->out = ws_deflater_new(&f->account, 1);
}

static void teardown(struct fixture *f)
{
    ws_inflater_free(f->in);
    ws_deflater_free(f->out);
    mem_account_fini(&f->account); /* nothing is left: every byte was given back */
}

/* Payloads of RFC 7692, 7.2.3, and other legal and illegal ones. */
static const struct {
    const char *name;
    uint8_t bytes[32];
    size_t len;
    int rc;
    const char *plain;
} rows[] = {
    {"Hello", {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, 7, 0, "Hello"},
    {"Hello, stored",
     {0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00},
     11,
     0,
     "Hello"},
    {"Hello, final block and an empty one",
     {0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00},
     8,
     0,
     "Hello"},
    {"Hello, final block alone", {0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, 7, 0, "Hello"},
    {"Hello, two blocks",
     {0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00},
     13,
     0,
     "Hello"},
    {"empty", {0x00}, 1, 0, ""},
    {"empty, as zlib writes it", {0x02, 0x00}, 2, 0, ""},
    {"two final blocks", {0xf3, 0x48, 0x04, 0x00, 0xf3, 0x48, 0x04, 0x00, 0x00}, 9, 0, "HaHa"},
    {"nothing at all", {0}, 0, SK_EBADMSG, NULL},
    {"block type 3", {0x06, 0x00}, 2, SK_EBADMSG, NULL},
    {"stored length without its complement",
     {0x00, 0x05, 0x00, 0x00, 0x00, 'a'},
     6,
     SK_EBADMSG,
     NULL},
    {"reaches back before the message", {0x4a, 0x84, 0x52, 0x00}, 4, SK_EBADMSG, NULL},
    {"noise", {0xde, 0xad, 0xbe, 0xef, 0x01, 0x02, 0x03}, 7, SK_EBADMSG, NULL},
};

TEST(ws_deflate, rows)
{
    struct fixture f;

    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *copy = test_dup(rows[i].bytes, rows[i].len);
        struct ws_bytes out;

        TEST_CASE(rows[i].name);
        CHECK_EQ(ws_inflate(f.in, copy, rows[i].len, LIMIT, &out), rows[i].rc);
        if (rows[i].plain != NULL)
            CHECK_MEM(out.p, out.len, rows[i].plain, strlen(rows[i].plain));
        else
            CHECK(out.p == NULL && out.len == 0);
        test_free(copy);
    }
    teardown(&f);
}

/* Text that compresses, but not into nothing. */
static void fill(uint8_t *p, size_t len, unsigned seed)
{
    static const char *const words[] = {"the ", "room ", "is ", "a ", "log ", "with ", "people "};
    size_t i = 0;

    while (i < len) {
        const char *w;

        seed = seed * 1103515245u + 12345u;
        w = words[(seed >> 16) % ARRAY_LEN(words)];
        for (; *w != 0 && i < len; w++)
            p[i++] = (uint8_t)*w;
    }
}

static const size_t sizes[] = {0,   1,    2,    15,   64,    255,   512,
                               513, 1024, 4095, 8192, 32768, 65536, LIMIT};

/* What is deflated with any window inflates to itself, at its exact size and not
 * with a limit of one byte less; cut anywhere near its end it is refused or is not
 * the message. */
TEST(ws_deflate, round_trip)
{
    struct fixture f;
    uint8_t *plain = malloc(LIMIT);

    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (unsigned bits = WS_WINDOW_BITS_MIN; bits <= WS_WINDOW_BITS_MAX; bits++) {
            struct ws_bytes packed, back;
            uint8_t *copy;

            fill(plain, sizes[i], bits);
            CHECK_EQ(ws_deflate(f.out, bits, plain, sizes[i], &packed), 0);
            copy = test_dup(packed.p, packed.len);
            CHECK_EQ(ws_inflate(f.in, copy, packed.len, sizes[i], &back), 0);
            CHECK_MEM(back.p, back.len, plain, sizes[i]);
            if (sizes[i] > 0)
                CHECK_EQ(ws_inflate(f.in, copy, packed.len, sizes[i] - 1, &back), SK_ETOOBIG);
            test_free(copy);
        }
    }
    free(plain);
    teardown(&f);
}

/* Cut at any byte, a payload is refused or is a prefix of its message; never more. */
TEST(ws_deflate, every_truncation)
{
    struct fixture f;
    struct ws_bytes packed, back;
    uint8_t plain[2000];

    setup(&f);
    fill(plain, sizeof(plain), 7);
    CHECK_EQ(ws_deflate(f.out, 15, plain, sizeof(plain), &packed), 0);
    for (size_t cut = 0; cut < packed.len; cut++) {
        uint8_t *copy = test_dup(packed.p, cut);
        int rc = ws_inflate(f.in, copy, cut, LIMIT, &back);

        CHECK(rc == SK_EBADMSG || (rc == 0 && back.len < sizeof(plain)));
        test_free(copy);
    }
    teardown(&f);
}

/* The window that was agreed is kept: a decoder with no more than it reads the
 * result. */
TEST(ws_deflate, window_is_kept)
{
    struct fixture f;
    uint8_t plain[20000], back[20000];

    setup(&f);
    fill(plain, sizeof(plain), 3);
    for (unsigned bits = WS_WINDOW_BITS_MIN; bits <= WS_WINDOW_BITS_MAX; bits++) {
        struct ws_bytes packed;
        z_stream s = {0};

        CHECK_EQ(ws_deflate(f.out, bits, plain, sizeof(plain), &packed), 0);
        CHECK_EQ(inflateInit2(&s, -(int)bits), Z_OK);
        s.next_in = packed.p;
        s.avail_in = (unsigned)packed.len;
        s.avail_out = 100; /* small steps, so that only the window is looked back into */
        s.next_out = back;
        while (inflate(&s, Z_SYNC_FLUSH) == Z_OK && s.total_out < sizeof(back))
            s.avail_out =
                sizeof(back) - s.total_out < 100 ? (unsigned)(sizeof(back) - s.total_out) : 100;
        CHECK_MEM(back, s.total_out, plain, sizeof(plain));
        inflateEnd(&s);
    }
    CHECK(ws_deflate_fits(9, 512));
    CHECK(!ws_deflate_fits(9, 513));
    teardown(&f);
}

/* 64 MB of zeros in 64 KB: refused at the limit, with no more memory than that. */
TEST(ws_deflate, bomb)
{
    struct fixture f;
    struct ws_bytes packed, out;
    uint8_t *zeros = calloc(1, 64u << 20), *copy;
    size_t before;

    setup(&f);
    CHECK_EQ(ws_deflate(f.out, 15, zeros, 64u << 20, &packed), 0);
    copy = test_dup(packed.p, packed.len);
    free(zeros);
    ws_deflater_free(f.out);
    f.out = NULL;
    before = mem_account_used(&f.account);
    CHECK_EQ(ws_inflate(f.in, copy, packed.len, LIMIT, &out), SK_ETOOBIG);
    CHECK(mem_account_used(&f.account) <= before + LIMIT + 1 + (40u << 10)); /* and the window */
    test_free(copy);
    teardown(&f);
}

/* Large buffers do not stay. */
TEST(ws_deflate, memory_is_given_back)
{
    struct fixture f;
    struct ws_bytes packed, out;
    uint8_t *zeros = calloc(1, 8u << 20), *copy;
    size_t len;

    setup(&f);
    CHECK_EQ(ws_deflate(f.out, 15, zeros, 8u << 20, &packed), 0);
    copy = test_dup(packed.p, packed.len);
    len = packed.len;
    CHECK_EQ(ws_inflate(f.in, copy, len, 8u << 20, &out), 0);
    CHECK(mem_account_used(&f.account) > 16u << 20);
    CHECK_EQ(ws_deflate(f.out, 15, "x", 1, &packed), 0);
    CHECK_EQ(ws_inflate(f.in, packed.p, packed.len, 10, &out), 0);
    CHECK(mem_account_used(&f.account) < 512u << 10);
    test_free(copy);
    free(zeros);
    teardown(&f);
}

TEST(ws_deflate, events)
{
    static const struct {
        const char *plain;
        size_t limit;
        uint8_t opcode;
        uint16_t code;
    } events[] = {
        {"hello", 100, WS_OP_TEXT, 0},
        {"hello", 4, WS_OP_TEXT, WS_CLOSE_TOO_BIG},
        {"a\xff", 100, WS_OP_TEXT, WS_CLOSE_BAD_UTF8},
        {"a\xff", 100, WS_OP_BINARY, 0},
    };
    struct fixture f;
    struct ws_event ev;
    uint8_t noise[] = {0xde, 0xad};

    setup(&f);
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        struct ws_bytes packed;
        size_t len = strlen(events[i].plain);

        CHECK_EQ(ws_deflate(f.out, 15, events[i].plain, len, &packed), 0);
        ev = (struct ws_event){.type = WS_EVENT_MESSAGE,
                               .opcode = events[i].opcode,
                               .is_compressed = true,
                               .p = packed.p,
                               .len = packed.len};
        ws_inflate_event(f.in, events[i].limit, &ev);
        CHECK_EQ(ev.close_code, events[i].code);
        CHECK_EQ(ev.type, events[i].code == 0 ? WS_EVENT_MESSAGE : WS_EVENT_ERROR);
        if (events[i].code == 0) {
            CHECK(!ev.is_compressed);
            CHECK_MEM(ev.p, ev.len, events[i].plain, len);
        }
    }
    ev = (struct ws_event){
        .type = WS_EVENT_MESSAGE, .is_compressed = true, .p = noise, .len = sizeof(noise)};
    ws_inflate_event(f.in, 100, &ev);
    CHECK_EQ(ev.close_code, WS_CLOSE_BAD_UTF8);
    teardown(&f);
}

/* An account that is full refuses and leaks nothing. */
TEST(ws_deflate, no_memory)
{
    struct mem_account a;
    struct ws_deflater *z;
    struct ws_inflater *in;
    struct ws_bytes out;
    uint8_t zeros[8] = {0};

    mem_account_init(&a, "test", NULL, 100);
    CHECK(ws_inflater_new(&a) == NULL);
    CHECK(ws_deflater_new(&a, 1) == NULL);
    mem_account_fini(&a);
    mem_account_init(&a, "test", NULL, 20000);
    z = ws_deflater_new(&a, 1);
    CHECK(z != NULL);
    CHECK_EQ(ws_deflate(z, 15, zeros, 8, &out), SK_ETOOBIG);
    ws_deflater_free(z);
    in = ws_inflater_new(&a);
    CHECK(in != NULL);
    ws_inflater_free(in);
    mem_account_fini(&a);
}
