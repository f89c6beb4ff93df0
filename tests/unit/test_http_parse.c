#include "net/http_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static long parse(const char *bytes, size_t len, struct http_request *req, struct http_error *err)
{
    size_t scanned = 0;

    return http_parse_head(bytes, len, &scanned, req, err);
}

static void check_slice(struct http_str s, const char *want)
{
    if (want == NULL)
        CHECK(s.p == NULL && s.len == 0);
    else
        CHECK_MEM(s.p, s.len, want, strlen(want));
}

#define HOST "Host: h\r\n"

static const struct {
    const char *name;
    const char *bytes;
    enum http_method method;
    const char *path, *query, *host;
    int minor;
    bool keep_alive;
    unsigned n_headers;
} good_rows[] = {
    {"smallest", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_GET, "/", NULL, "h", 1, true, 1},
    {"query", "GET /a/b?c=d?e HTTP/1.1\r\nHost: h:80\r\n\r\n", HTTP_GET, "/a/b", "c=d?e", "h:80", 1,
     true, 1},
    {"empty query", "GET /? HTTP/1.1\r\nhost:h\r\n\r\n", HTTP_GET, "/", "", "h", 1, true, 1},
    {"1.0 without host", "GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", NULL, NULL, 0, false, 0},
    {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HTTP_GET, "/", NULL,
     NULL, 0, true, 1},
    {"1.1 close", "GET / HTTP/1.1\r\n" HOST "Connection: foo, close\r\n\r\n", HTTP_GET, "/", NULL,
     "h", 1, false, 2},
    {"close wins", "GET / HTTP/1.1\r\n" HOST "Connection: close\r\nConnection: keep-alive\r\n\r\n",
     HTTP_GET, "/", NULL, "h", 1, false, 3},
    {"HTTP/1.7 is 1.1", "GET / HTTP/1.7\r\n" HOST "\r\n", HTTP_GET, "/", NULL, "h", 1, true, 1},
    {"options of all", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", HTTP_OPTIONS, "*", NULL, "h", 1, true,
     1},
    {"absolute", "GET http://a.example:8080/x?y HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/x", "y",
     "a.example:8080", 1, true, 1},
    {"absolute, nothing after the host", "GET HTTPS://a HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/",
     NULL, "a", 1, true, 1},
    {"absolute, query only", "GET http://a?q HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/", "q", "a", 1,
     true, 1},
    {"unknown method", "BREW /pot HTTP/1.1\r\n" HOST "\r\n", HTTP_OTHER, "/pot", NULL, "h", 1, true,
     1},
    {"one empty line in front", "\r\nPOST / HTTP/1.1\r\n" HOST "\r\n", HTTP_POST, "/", NULL, "h", 1,
     true, 1},
    {"IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", HTTP_GET, "/", NULL, "[::1]:8080",
     1, true, 1},
    {"empty value", "PUT / HTTP/1.1\r\n" HOST "X:\r\nY: \t \r\n\r\n", HTTP_PUT, "/", NULL, "h", 1,
     true, 3},
    {"bytes above 7f in a value", "PATCH / HTTP/1.1\r\n" HOST "X: \xc3\xa9\r\n\r\n", HTTP_PATCH,
     "/", NULL, "h", 1, true, 2},
    {"characters that browsers leave", "DELETE /a|b{}\"<>^`\\[]?'|{} HTTP/1.1\r\n" HOST "\r\n",
     HTTP_DELETE, "/a|b{}\"<>^`\\[]", "'|{}", "h", 1, true, 1},
};

TEST(http_parse, good_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
        struct http_request req;
        struct http_error err;
        size_t len = strlen(good_rows[i].bytes);
        char *copy = (char *)test_dup(good_rows[i].bytes, len);

        TEST_CASE(good_rows[i].name);
        CHECK_EQ(parse(copy, len, &req, &err), len);
        CHECK_EQ(req.method, good_rows[i].method);
        check_slice(req.path, good_rows[i].path);
        check_slice(req.query, good_rows[i].query);
        check_slice(req.host, good_rows[i].host);
        CHECK_EQ(req.version_minor, good_rows[i].minor);
        CHECK_EQ(req.keep_alive, good_rows[i].keep_alive);
        CHECK_EQ(req.n_headers, good_rows[i].n_headers);
        test_free(copy);
    }
}

/* Cut anywhere, a good head asks for more; fed in two pieces, or byte by byte
 * with one scan offset, it gives the same; and what follows it is left alone. */
TEST(http_parse, good_rows_in_pieces)
{
    for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
        size_t len = strlen(good_rows[i].bytes);
        struct http_request req;
        struct http_error err;
        char joined[1024];
        size_t scanned = 0;

        TEST_CASE(good_rows[i].name);
        for (size_t cut = 0; cut < len; cut++) {
            char *copy = (char *)test_dup(good_rows[i].bytes, cut);
            size_t two = 0;

            CHECK_EQ(http_parse_head(copy, cut, &scanned, &req, &err), 0);
            CHECK(scanned <= cut);
            CHECK_EQ(parse(copy, cut, &req, &err), 0);
            CHECK_EQ(http_parse_head(copy, cut, &two, &req, &err), 0);
            CHECK_EQ(http_parse_head(good_rows[i].bytes, len, &two, &req, &err), len);
            CHECK_EQ(two, 0);
            test_free(copy);
        }
        CHECK_EQ(http_parse_head(good_rows[i].bytes, len, &scanned, &req, &err), len);
        snprintf(joined, sizeof(joined), "%sGET /next HTTP/1.1\r\n\r\n", good_rows[i].bytes);
        CHECK_EQ(parse(joined, strlen(joined), &req, &err), len);
    }
}

#define R(name, bytes, status)                                                                     \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, status                                                     \
    }
static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    int status;
} bad_rows[] = {
    R("no host", "GET / HTTP/1.1\r\n\r\n", 400),
    R("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    R("empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    R("host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    R("host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    R("host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    R("two hosts in one field", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400),
    R("port of letters", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400),
    R("open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    R("bracket inside", "GET / HTTP/1.1\r\nHost: a[::1]\r\n\r\n", 400),
    R("both lengths",
      "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    R("both lengths, other order",
      "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400),
    R("two equal lengths",
      "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    R("length list", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400),
    R("length with a sign", "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400),
    R("negative length", "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", 400),
    R("hexadecimal length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400),
    R("empty length", "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400),
    R("huge length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n",
      400),
    R("two codings",
      "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      400),
    R("coding list", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    R("coding disguised", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501),
    R("coding with a tab inside", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \vchunked\r\n\r\n",
      400),
    R("coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    R("space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    R("space before the colon of a length", "GET / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n",
      400),
    R("folded", "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400),
    R("folded first line", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400),
    R("no colon", "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400),
    R("no name", "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", 400),
    R("bad character in a name", "GET / HTTP/1.1\r\n" HOST "X(: x\r\n\r\n", 400),
    R("byte above 7f in a name", "GET / HTTP/1.1\r\n" HOST "X\xc3\xa9: x\r\n\r\n", 400),
    R("zero in a value", "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n", 400),
    R("zero in a long value", "GET / HTTP/1.1\r\n" HOST "X: 0123456789abcdef01234\0b\r\n\r\n", 400),
    R("delete in a long value",
      "GET / HTTP/1.1\r\n" HOST "X: 0123456\x7f"
      "9abcdef01234\r\n\r\n",
      400),
    R("zero in a name", "GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n", 400),
    R("zero in the target", "GET /\0 HTTP/1.1\r\n" HOST "\r\n", 400),
    R("bare carriage return in a value", "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400),
    R("carriage return before the line end", "GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n", 400),
    R("bare line feed", "GET / HTTP/1.1\n", 400),
    R("bare line feed later", "GET / HTTP/1.1\r\nHost: h\n", 400),
    R("line feed as the blank line", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400),
    R("two empty lines in front", "\r\n\r\nGET", 400),
    R("line feed in front", "\n", 400),
    R("carriage return in front", "\rG", 400),
    R("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    R("HTTP/3", "GET / HTTP/3.0\r\n" HOST "\r\n", 505),
    R("HTTP/0.9", "GET /\r\n\r\n", 400),
    R("no version", "GET / \r\n\r\n", 400),
    R("lower-case version", "GET / http/1.1\r\n" HOST "\r\n", 400),
    R("long version", "GET / HTTP/1.10\r\n" HOST "\r\n", 400),
    R("short version", "GET / HTTP/1\r\n" HOST "\r\n", 400),
    R("two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400),
    R("space in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400),
    R("trailing space", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400),
    R("tab", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400),
    R("method only", "GET\r\n\r\n", 400),
    R("relative target", "GET a HTTP/1.1\r\n" HOST "\r\n", 400),
    R("star for get", "GET * HTTP/1.1\r\n" HOST "\r\n", 400),
    R("authority", "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", 400),
    R("other scheme", "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n", 400),
    R("absolute without a host", "GET http:///a HTTP/1.1\r\n" HOST "\r\n", 400),
    R("absolute with a user", "GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n", 400),
    R("fragment", "GET /#a HTTP/1.1\r\n" HOST "\r\n", 400),
    R("raw byte above 7f in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400),
    R("expectation", "POST / HTTP/1.1\r\n" HOST "Expect: magic\r\n\r\n", 417),
    R("TLS hello", "\x16\x03\x01", 400),
    R("binary", "\x80\x05hello", 400),
    R("long method", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 501),
};

TEST(http_parse, bad_rows)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
        struct http_request req;
        struct http_error err = {0};
        char *copy = (char *)test_dup(bad_rows[i].bytes, bad_rows[i].len);
        size_t scanned = 0;
        long rc = 0;

        TEST_CASE(bad_rows[i].name);
        CHECK_EQ(parse(copy, bad_rows[i].len, &req, &err), SK_EBADMSG);
        CHECK_EQ(err.status, bad_rows[i].status);
        CHECK(err.words != NULL && strlen(err.words) > 10);
        memset(&err, 0, sizeof(err));
        for (size_t n = 0; n <= bad_rows[i].len && rc == 0; n++) /* byte by byte: the same */
            rc = http_parse_head(copy, n, &scanned, &req, &err);
        CHECK_EQ(rc, SK_EBADMSG);
        CHECK_EQ(err.status, bad_rows[i].status);
        test_free(copy);
    }
}

TEST(http_parse, body_fields)
{
    struct http_request req;
    struct http_error err;
    const char *a = "POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0042\r\nEXPECT: "
                    "100-Continue\r\n\r\n";
    const char *b = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED \r\n\r\n";

    CHECK_EQ(parse(a, strlen(a), &req, &err), strlen(a));
    CHECK(req.has_length && !req.chunked && req.expect_continue);
    CHECK_EQ(req.content_length, 42);
    CHECK_EQ(parse(b, strlen(b), &req, &err), strlen(b));
    CHECK(!req.has_length && req.chunked && !req.expect_continue);
}

static size_t make_head(char *out, size_t target, unsigned fields, size_t value)
{
    size_t n = (size_t)sprintf(out, "GET /");

    memset(out + n, 'a', target - 1);
    n += target - 1;
    n += (size_t)sprintf(out + n, " HTTP/1.1\r\nHost: h\r\n");
    for (unsigned i = 1; i < fields; i++)
        n += (size_t)sprintf(out + n, "X: y\r\n");
    if (value > 0) {
        n += (size_t)sprintf(out + n, "X: ");
        memset(out + n, 'v', value);
        n += value;
        n += (size_t)sprintf(out + n, "\r\n");
    }
    return n + (size_t)sprintf(out + n, "\r\n");
}

/* Both sides of every limit; and a head that never ends is refused as soon as it
 * is over, with the status that tells what was too long. */
TEST(http_parse, limits)
{
    char *head = malloc(64 << 10);
    struct http_request req;
    struct http_error err;
    size_t scanned = 0, n;
    long rc = 0;

    n = make_head(head, HTTP_TARGET_BYTES_MAX, 1, 0);
    CHECK_EQ(parse(head, n, &req, &err), n);
    n = make_head(head, HTTP_TARGET_BYTES_MAX + 1, 1, 0);
    CHECK_EQ(parse(head, n, &req, &err), SK_EBADMSG);
    CHECK_EQ(err.status, 414);
    n = make_head(head, 1, HTTP_HEADERS_MAX, 0);
    CHECK_EQ(parse(head, n, &req, &err), n);
    CHECK_EQ(req.n_headers, HTTP_HEADERS_MAX);
    n = make_head(head, 1, HTTP_HEADERS_MAX + 1, 0);
    CHECK_EQ(parse(head, n, &req, &err), SK_EBADMSG);
    CHECK_EQ(err.status, 431);
    n = make_head(head, 1, 1, 0);
    n = make_head(head, 1, 1, HTTP_HEAD_BYTES_MAX - n - 5);
    CHECK_EQ(n, HTTP_HEAD_BYTES_MAX);
    CHECK_EQ(parse(head, n, &req, &err), n);
    n = make_head(head, 1, 1, HTTP_HEAD_BYTES_MAX - n + 20000);
    CHECK_EQ(parse(head, n, &req, &err), SK_EBADMSG);
    CHECK_EQ(err.status, 431);

    memset(head, 'a', 64 << 10);
    memcpy(head, "GET /", 5);
    for (n = 0; n < (64 << 10) && rc == 0; n += 100)
        rc = http_parse_head(head, n, &scanned, &req, &err);
    CHECK_EQ(rc, SK_EBADMSG);
    CHECK_EQ(err.status, 414);
    CHECK(n < 9000);
    free(head);
}

TEST(http_parse, lookups)
{
    struct http_request req;
    struct http_error err;
    const char *a = "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nUpgrade: websocket\r\n"
                    "connection: \"a,Upgrade\", UPGRADE ,,\r\n\r\n";

    CHECK_EQ(parse(a, strlen(a), &req, &err), strlen(a));
    CHECK(http_header_get(&req, "uPGRADE") != NULL);
    CHECK(http_str_is(*http_header_get(&req, "upgrade"), "websocket"));
    CHECK(http_header_get(&req, "Upgrad") == NULL);
    CHECK_EQ(http_header_count(&req, "Connection"), 2);
    CHECK(http_header_has_token(&req, "Connection", "upgrade"));
    CHECK(http_header_has_token(&req, "Connection", "Keep-Alive"));
    CHECK(!http_header_has_token(&req, "Connection", "keep"));
    CHECK(!http_header_has_token(&req, "Connection", "a"));
    CHECK_STR(http_status_text(431), "Request Header Fields Too Large");
    CHECK_STR(http_status_text(999), "Unknown");
}

TEST(http_parse, lists)
{
    struct http_str rest = {" , a ,b;x=\"1,2\\\"3\",\t,c", 22}, e;

    rest.len = strlen(rest.p);
    CHECK(http_list_next(&rest, &e));
    check_slice(e, "a");
    CHECK(http_list_next(&rest, &e));
    check_slice(e, "b;x=\"1,2\\\"3\"");
    CHECK(http_list_next(&rest, &e));
    check_slice(e, "c");
    CHECK(!http_list_next(&rest, &e));
}
