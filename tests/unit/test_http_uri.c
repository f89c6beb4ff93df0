#include "net/http_uri.h"

#include <string.h>

#include "harness.h"

static struct http_str str(const char *z)
{
    return (struct http_str){z, strlen(z)};
}

static const struct {
    const char *in;
    const char *out; /* NULL: refused */
    size_t len;
} rows[] = {
    {"", "", 0},         {"abc", "abc", 3},   {"a%20b", "a b", 3}, {"%e2%82%AC", "\xe2\x82\xac", 3},
    {"%00", "\0", 1},    {"%2F%2f", "//", 2}, {"a+b", "a+b", 3},   {"%25", "%", 1},
    {"%2525", "%25", 3}, {"%", NULL, 0},      {"%2", NULL, 0},     {"a%2", NULL, 0},
    {"%g0", NULL, 0},    {"%0g", NULL, 0},    {"%%20", NULL, 0},   {"%-1", NULL, 0},
};

/* Each row into a buffer of its exact size, and into one that is a byte short. */
TEST(http_uri, decode_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *in = (char *)test_dup(rows[i].in, strlen(rows[i].in));
        struct http_str s = {in, strlen(rows[i].in)};
        char *out = (char *)test_dup(rows[i].in, rows[i].len);

        TEST_CASE(rows[i].in);
        if (rows[i].out == NULL) {
            char room[16];

            CHECK_EQ(http_percent_decode(s, room, sizeof(room)), SK_EBADMSG);
        } else {
            CHECK_EQ(http_percent_decode(s, out, rows[i].len), rows[i].len);
            CHECK_MEM(out, rows[i].len, rows[i].out, rows[i].len);
            if (rows[i].len > 0)
                CHECK_EQ(http_percent_decode(s, out, rows[i].len - 1), SK_ETOOBIG);
        }
        test_free(in);
        test_free(out);
    }
}

TEST(http_uri, form_decode)
{
    char out[16];

    CHECK_EQ(http_form_decode(str("a+b%2B"), out, sizeof(out)), 4);
    CHECK_MEM(out, 4, "a b+", 4);
}

static const struct {
    const char *path;
    const char *segments[4]; /* ends with NULL */
} paths[] = {
    {"/", {""}},        {"/a", {"a"}},      {"/a/b", {"a", "b"}},
    {"/a/", {"a", ""}}, {"//a", {"", "a"}}, {"/a%2Fb/c", {"a%2Fb", "c"}},
    {"", {NULL}},
};

TEST(http_uri, path_segments)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct http_str rest = str(paths[i].path), segment;
        size_t n = 0;

        TEST_CASE(paths[i].path);
        while (http_path_next(&rest, &segment)) {
            CHECK(paths[i].segments[n] != NULL);
            CHECK(http_str_is(segment, paths[i].segments[n]));
            n++;
        }
        CHECK(paths[i].segments[n] == NULL);
    }
}

static const struct {
    const char *query, *name;
    long rc;
    const char *value;
} queries[] = {
    {"a=b", "a", 1, "b"},
    {"a=b&c=d", "c", 1, "d"},
    {"a=b&a=d", "a", 1, "b"},
    {"&&a=b", "a", 1, "b"},
    {"a", "a", 0, ""},
    {"a=", "a", 0, ""},
    {"a==b", "a", 2, "=b"},
    {"ab=c&a=d", "a", 1, "d"},
    {"%61=b", "a", 1, "b"},
    {"a=x%20y+z", "a", 5, "x y z"},
    {"a=%zz", "a", SK_EBADMSG, NULL},
    {"%zz=1&a=2", "a", 1, "2"},
    {"a=0123456789abcdefg", "a", SK_ETOOBIG, NULL},
    {"b=1", "a", SK_ENOTFOUND, NULL},
    {"", "a", SK_ENOTFOUND, NULL},
    {"=1", "a", SK_ENOTFOUND, NULL},
};

TEST(http_uri, query_get)
{
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        char out[16];
        long n = http_query_get(str(queries[i].query), queries[i].name, out, sizeof(out));

        TEST_CASE(queries[i].query);
        CHECK_EQ(n, queries[i].rc);
        if (n >= 0)
            CHECK_MEM(out, (size_t)n, queries[i].value, strlen(queries[i].value));
    }
    CHECK_EQ(http_query_get((struct http_str){NULL, 0}, "a", NULL, 0), SK_ENOTFOUND);
}
