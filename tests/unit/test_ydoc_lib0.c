#include "ydoc/internal.h"

#include <string.h>

#include "harness.h"
#include "ydoc/text.h"

/* What lib0 writes for `value`, or bytes that must be refused. */
static const struct {
    const char *name;
    uint8_t bytes[10];
    size_t len;
    uint64_t value;
    bool ok;
} varuint_rows[] = {
    {"zero", {0x00}, 1, 0, true},
    {"largest single byte", {0x7f}, 1, 127, true},
    {"smallest double byte", {0x80, 0x01}, 2, 128, true},
    {"2^32 - 1", {0xff, 0xff, 0xff, 0xff, 0x0f}, 5, 4294967295u, true},
    {"2^53 - 1", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f}, 8, LIB0_UINT_MAX, true},
    {"2^53", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10}, 8, 0, false},
    {"not minimal", {0x81, 0x00}, 2, 1, true},
    {"never ends", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, 10, 0, false},
    {"cut short", {0x81}, 1, 0, false},
    {"empty", {0}, 0, 0, false},
};

TEST(lib0, varuint_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(varuint_rows); i++) {
        struct lib0_reader r;
        uint8_t out[10];

        TEST_CASE(varuint_rows[i].name);
        lib0_reader_init(&r, varuint_rows[i].bytes, varuint_rows[i].len);
        CHECK(lib0_read_varuint(&r) == varuint_rows[i].value);
        CHECK_EQ(r.why == NULL, varuint_rows[i].ok);
        if (varuint_rows[i].ok && varuint_rows[i].bytes[varuint_rows[i].len - 1] != 0)
            CHECK_EQ(lib0_put_varuint(out, varuint_rows[i].value) - out,
                     (long)lib0_varuint_len(varuint_rows[i].value));
    }
}

/* Signed numbers keep their value and the sign of zero on the way through. */
TEST(lib0, varint_round_trip)
{
    static const int64_t values[] = {0,   1,     -1,     63,         64,
                                     -64, 12345, -99999, 2147483647, -(int64_t)LIB0_UINT_MAX};

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct lib0_reader r;
        struct ydoc_buf b;
        bool negative_zero;

        ydoc_buf_init(&b, NULL);
        lib0_write_varint(&b, values[i], false);
        lib0_reader_init(&r, b.p, b.len);
        CHECK(lib0_read_varint(&r, &negative_zero) == values[i]);
        CHECK(r.why == NULL && lib0_left(&r) == 0 && !negative_zero);
        ydoc_buf_fini(&b);
    }
}

TEST(lib0, negative_zero)
{
    static const uint8_t bytes[] = {0x40};
    struct lib0_reader r;
    bool negative_zero;

    lib0_reader_init(&r, bytes, 1);
    CHECK_EQ(lib0_read_varint(&r, &negative_zero), 0);
    CHECK(negative_zero);
}

/* A string cut at any byte is refused and the error sticks. */
TEST(lib0, every_truncation_is_refused)
{
    static const uint8_t msg[] = {0x05, 'h', 'e', 'l', 'l', 'o'};

    for (size_t cut = 0; cut < sizeof(msg); cut++) {
        uint8_t *copy = test_dup(msg, cut);
        struct lib0_reader r;

        lib0_reader_init(&r, copy, cut);
        CHECK_EQ(lib0_read_varstring(&r, NULL).len, 0);
        CHECK(r.why != NULL);
        CHECK_EQ(lib0_read_u8(&r), 0);
        test_free(copy);
    }
}

static const struct {
    const char *bytes;
    int64_t units;
} utf8_rows[] = {
    {"", 0},
    {"ascii, longer than eight", 24},
    {"h\xc3\xa9", 2},
    {"\xe2\x82\xac", 1},
    {"\xf0\x9f\x98\x80", 2},
    {"\xc0\x80", -1},
    {"\xe0\x80\x80", -1},
    {"\xed\xa0\x80", -1},
    {"\xf4\x90\x80\x80", -1},
    {"\xf5\x80\x80\x80", -1},
    {"abcdefgh\x80", -1},
    {"\xe2\x82", -1},
    {"\xff", -1},
};

TEST(lib0, utf8_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(utf8_rows); i++) {
        size_t len = strlen(utf8_rows[i].bytes);
        uint8_t *copy = test_dup(utf8_rows[i].bytes, len);

        TEST_CASE(utf8_rows[i].bytes);
        CHECK_EQ(lib0_utf16_len(copy, len), utf8_rows[i].units);
        test_free(copy);
    }
}

/* A cut is found from either end, and told when it splits a pair. */
TEST(lib0, utf8_cut)
{
    const char *text = "a\xc3\xa9\xf0\x9f\x98\x80z\xe2\x82\xac";
    static const struct {
        uint32_t at;
        size_t bytes;
        bool inside;
    } rows[] = {{0, 0, false}, {1, 1, false}, {2, 3, false}, {3, 3, true},
                {4, 7, false}, {5, 8, false}, {6, 11, false}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ydoc__cut cut = ydoc__utf8_cut((const uint8_t *)text, strlen(text), 6, rows[i].at);

        CHECK_EQ(cut.bytes, rows[i].bytes);
        CHECK_EQ(cut.inside, rows[i].inside);
    }
}

static const struct {
    const char *json;
    const char *canonical; /* NULL: refused */
} json_rows[] = {
    {"null", "null"},
    {" [1 , 2.50,\t-0, 1e3 ] ", "[1,2.5,0,1000]"},
    {"{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}"},
    {"{\"x\":0,\"10\":1,\"9\":2,\"x\":3}", "{\"9\":2,\"10\":1,\"x\":3}"},
    {"\"\\u0041\\u00e9\\ud83d\\ude00\\ud800\\/\\u0001\"",
     "\"A\xc3\xa9\xf0\x9f\x98\x80\\ud800/\\u0001\""},
    {"1e21", "1e+21"},
    {"123456789012345678901", "123456789012345680000"},
    {"0.000001", "0.000001"},
    {"1e-7", "1e-7"},
    {"0.1", "0.1"},
    {"5e-324", "5e-324"},
    {"1e999", "null"},
    {"{}", "{}"},
    {"[[],{}]", "[[],{}]"},
    {"", NULL},
    {"nul", NULL},
    {"01", NULL},
    {"1.", NULL},
    {"+1", NULL},
    {"[1,]", NULL},
    {"[1 2]", NULL},
    {"{\"a\"}", NULL},
    {"{a:1}", NULL},
    {"\"\\x\"", NULL},
    {"\"\n\"", NULL},
    {"\"\\u12g4\"", NULL},
    {"1 1", NULL},
    {"[", NULL},
    {"]", NULL},
    {"{\"a\":1]", NULL},
};

TEST(json, rows)
{
    for (size_t i = 0; i < ARRAY_LEN(json_rows); i++) {
        size_t len = strlen(json_rows[i].json);
        uint8_t *copy = test_dup(json_rows[i].json, len);
        struct ydoc_slice s = {copy, len};
        struct ydoc_error err;
        struct ydoc_buf out;

        TEST_CASE(json_rows[i].json);
        CHECK_EQ(ydoc_validate_json(copy, len, 64, &err),
                 json_rows[i].canonical != NULL ? 0 : YDOC_EMALFORMED);
        if (json_rows[i].canonical != NULL) {
            ydoc_buf_init(&out, NULL);
            text_write_canonical(&out, s);
            CHECK_MEM(out.p, out.len, json_rows[i].canonical, strlen(json_rows[i].canonical));
            ydoc_buf_fini(&out);
        }
        test_free(copy);
    }
}

/* Nesting is refused one level above the limit, and costs no stack. */
TEST(json, nesting)
{
    static uint8_t deep[1000000];

    memset(deep, '[', sizeof(deep));
    CHECK_EQ(ydoc_validate_json(deep, sizeof(deep), 512, NULL), YDOC_EMALFORMED);
    CHECK_EQ(ydoc_validate_json((const uint8_t *)"[[1]]", 5, 2, NULL), 0);
    CHECK_EQ(ydoc_validate_json((const uint8_t *)"[[1]]", 5, 1, NULL), YDOC_EMALFORMED);
}

TEST(any, nesting)
{
    static uint8_t deep[100000];
    struct lib0_reader r;

    for (size_t i = 0; i < sizeof(deep); i += 2) {
        deep[i] = 117;
        deep[i + 1] = 1;
    }
    lib0_reader_init(&r, deep, sizeof(deep));
    ydoc__any_skip(&r, 512);
    CHECK(r.why != NULL);
    CHECK_EQ(r.fail_at, 512 * 2 + 2);
}

static const struct {
    const char *name;
    uint8_t bytes[12];
    size_t len;
    bool ok;
} awareness_rows[] = {
    {"nobody", {0}, 1, true},
    {"one gone", {1, 5, 3, 4, 'n', 'u', 'l', 'l'}, 8, true},
    {"one there", {1, 5, 3, 2, '{', '}'}, 6, true},
    {"two, the second cut", {2, 5, 3, 2, '{', '}', 1}, 7, false},
    {"not JSON", {1, 5, 3, 1, '{'}, 5, false},
    {"not UTF-8", {1, 5, 3, 3, '"', 0xff, '"'}, 7, false},
    {"a million entries", {0xc0, 0x84, 0x3d}, 3, false},
    {"empty", {0}, 0, false},
};

TEST(awareness, rows)
{
    for (size_t i = 0; i < ARRAY_LEN(awareness_rows); i++) {
        uint8_t *copy = test_dup(awareness_rows[i].bytes, awareness_rows[i].len);
        struct ydoc_awareness_iter it;
        struct ydoc_awareness_entry e;
        int rc = ydoc_awareness_validate(&it, copy, awareness_rows[i].len, NULL, NULL);

        TEST_CASE(awareness_rows[i].name);
        CHECK_EQ(rc, awareness_rows[i].ok ? 0 : YDOC_EMALFORMED);
        CHECK_EQ(ydoc_awareness_next(&it, &e), awareness_rows[i].ok && copy[0] > 0);
        test_free(copy);
    }
}

TEST(awareness, round_trip)
{
    struct ydoc_awareness_entry in[2] = {
        {LIB0_UINT_MAX, 300, {(const uint8_t *)"{\"a\":1}", 7}, false}, {7, 0, {NULL, 0}, true}};
    struct ydoc_awareness_entry e;
    struct ydoc_awareness_iter it;
    struct ydoc_buf b;

    ydoc_buf_init(&b, NULL);
    ydoc_awareness_begin(&b, 2);
    ydoc_awareness_add(&b, &in[0]);
    ydoc_awareness_add(&b, &in[1]);
    CHECK_EQ(ydoc_awareness_validate(&it, b.p, b.len, NULL, NULL), 0);
    CHECK(ydoc_awareness_next(&it, &e));
    CHECK(e.client == LIB0_UINT_MAX && e.clock == 300 && !e.is_null);
    CHECK_MEM(e.json.p, e.json.len, "{\"a\":1}", 7);
    CHECK(ydoc_awareness_next(&it, &e));
    CHECK(e.client == 7 && e.clock == 0 && e.is_null);
    CHECK(!ydoc_awareness_next(&it, &e));
    ydoc_buf_fini(&b);
}
