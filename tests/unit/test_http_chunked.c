#include "net/http_chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define BODY_MAX 100

struct result {
    int rc;
    int status;
    char body[256];
    size_t n_body;
    size_t n_used;
};

/* Feeds bytes in pieces of at most `step`, the first of `first`. */
static void run(const char *bytes, size_t len, size_t first, size_t step, struct result *r)
{
    struct http_chunked c;
    size_t i = 0;

    memset(r, 0, sizeof(*r));
    http_chunked_init(&c, BODY_MAX);
    while (r->rc == 0 && i < len) {
        size_t want = i == 0 && first > 0 ? first : step;
        size_t n = len - i < want ? len - i : want;
        char *copy = (char *)test_dup(bytes + i, n);
        struct http_error err = {0};
        size_t used, body;

        r->rc = http_chunked_feed(&c, copy, n, &used, &body, &err);
        CHECK(body <= used && used <= n);
        CHECK(r->rc != 0 || used == n);
        CHECK_EQ(err.status != 0, r->rc < 0);
        memcpy(r->body + r->n_body, copy, body);
        r->n_body += body;
        r->n_used = i + used;
        r->status = err.status;
        i += used;
        test_free(copy);
    }
}

#define H "0123456789abcdef0123456789abcdef"

static const struct {
    const char *name;
    const char *bytes;
    const char *body; /* NULL: refused with `status` */
    int status;
} rows[] = {
    {"empty", "0\r\n\r\n", "", 0},
    {"one", "5\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"two", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", 0},
    {"hexadecimal", "1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n", "abcdefghijklmnopqrstuvwxyz",
     0},
    {"upper case, leading zeros", "000A\r\n0123456789\r\n000\r\n\r\n", "0123456789", 0},
    {"extensions", "1;a=b;c=\"d\"\r\nx\r\n0 ; last\r\n\r\n", "x", 0},
    {"trailers", "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", "x", 0},
    {"line ends in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0},
    {"exactly the limit", "20\r\n" H "\r\n20\r\n" H "\r\n20\r\n" H "\r\n4\r\nabcd\r\n0\r\n\r\n",
     H H H "abcd", 0},
    {"over the limit, before the data", "65\r\n", NULL, 413},
    {"over the limit in sum", "20\r\n" H "\r\n20\r\n" H "\r\n20\r\n" H "\r\n5\r\n", NULL, 413},
    {"announced huge", "fffffffffffffff\r\n", NULL, 413},
    {"16 digits", "ffffffffffffffff", NULL, 400},
    {"zeros without end", "0000000000000000", NULL, 400},
    {"no size", "\r\n", NULL, 400},
    {"extension without a size", ";a\r\n", NULL, 400},
    {"sign", "+5\r\n", NULL, 400},
    {"0x", "0x5\r\n", NULL, 400},
    {"not hexadecimal", "5g\r\n", NULL, 400},
    {"bare LF after the size", "5\nhello", NULL, 400},
    {"bare LF in an extension", "5;a\nhello", NULL, 400},
    {"bare CR in an extension", "5;a\rb\r\n", NULL, 400},
    {"bare CR after the size", "5\rhello", NULL, 400},
    {"zero in an extension", "5;\x01\r\n", NULL, 400},
    {"data too long", "5\r\nhellox\r\n", NULL, 400},
    {"bare LF after the data", "5\r\nhello\n", NULL, 400},
    {"bare CR after the data", "5\r\nhello\rx", NULL, 400},
    {"space in front of the size", " 5\r\n", NULL, 400},
    {"folded trailer", "0\r\n a: b\r\n\r\n", NULL, 400},
    {"trailer without a name", "0\r\n: b\r\n\r\n", NULL, 400},
    {"bare LF in a trailer", "0\r\na: b\n\r\n", NULL, 400},
    {"bare LF at the end", "0\r\n\n", NULL, 400},
    {"bare CR at the end", "0\r\n\rx", NULL, 400},
};

TEST(http_chunked, rows_and_every_split)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].bytes);

        TEST_CASE(rows[i].name);
        for (size_t first = 0; first <= len; first++) {
            for (size_t step = 1; step < 300; step += step < 4 ? 1 : 290) {
                struct result r;

                run(rows[i].bytes, len, first, step, &r);
                if (rows[i].body == NULL) {
                    CHECK(r.rc < 0);
                    CHECK_EQ(r.rc, rows[i].status == 413 ? SK_ETOOBIG : SK_EBADMSG);
                    CHECK_EQ(r.status, rows[i].status);
                } else {
                    CHECK_EQ(r.rc, 1);
                    CHECK_EQ(r.n_used, len);
                    CHECK_MEM(r.body, r.n_body, rows[i].body, strlen(rows[i].body));
                }
            }
        }
    }
}

TEST(http_chunked, every_truncation_needs_more)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t n = 0; rows[i].body != NULL && n < strlen(rows[i].bytes); n++) {
            struct result r;

            TEST_CASE(rows[i].name);
            run(rows[i].bytes, n, 0, 300, &r);
            CHECK_EQ(r.rc, 0);
            CHECK(r.n_body <= strlen(rows[i].body));
            CHECK(memcmp(r.body, rows[i].body, r.n_body) == 0);
        }
    }
}

/* What follows the body is not touched. */
TEST(http_chunked, next_request_stays)
{
    char bytes[] = "3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    struct http_chunked c;
    struct http_error err;
    size_t used, body;

    http_chunked_init(&c, BODY_MAX);
    CHECK_EQ(http_chunked_feed(&c, bytes, strlen(bytes), &used, &body, &err), 1);
    CHECK_MEM(bytes, body, "abc", 3);
    CHECK_STR(bytes + used, "GET / HTTP/1.1\r\n");
}

/* A body of one byte a chunk cannot carry endless extensions, nor endless trailers. */
TEST(http_chunked, extensions_and_trailers_are_bounded)
{
    struct http_chunked c;
    struct http_error err;
    char line[1200];
    size_t used, body, sum = 0;
    int rc = 0;

    memset(line, 'x', sizeof(line));
    memcpy(line, "1;", 2);
    memcpy(line + 1000, "\r\nb\r\n", 5);
    http_chunked_init(&c, UINT64_MAX);
    for (; rc == 0 && sum < 1 << 20; sum += 1000)
        rc = http_chunked_feed(&c, line, 1005, &used, &body, &err);
    CHECK_EQ(rc, SK_EBADMSG);
    CHECK(sum <= HTTP_CHUNK_EXT_BYTES_MAX + 2000);

    http_chunked_init(&c, BODY_MAX);
    memcpy(line, "0\r\n", 3);
    CHECK_EQ(http_chunked_feed(&c, line, 3, &used, &body, &err), 0);
    memcpy(line, "a: b", 4);
    memcpy(line + 1000, "\r\n", 2);
    for (sum = 0, rc = 0; rc == 0 && sum < 1 << 20; sum += 1000)
        rc = http_chunked_feed(&c, line, 1002, &used, &body, &err);
    CHECK_EQ(rc, SK_EBADMSG);
    CHECK_EQ(err.status, 431);
    CHECK(sum <= HTTP_TRAILER_BYTES_MAX + 2000);
}
