#include "net/http_fields.h"

#include <stdio.h>
#include <string.h>

#include "harness.h"

static struct http_str str(const char *z)
{
    return (struct http_str){z, strlen(z)};
}

/* A request with these header lines; its slices live until the next call. */
static const struct http_request *request(const char *fields)
{
    static struct http_request req;
    static char head[2048];
    struct http_error err;
    size_t scanned = 0;
    int n = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);

    CHECK_EQ(http_parse_head(head, (size_t)n, &scanned, &req, &err), n);
    return &req;
}

static const struct {
    const char *value;
    uint64_t size;
    enum http_range_kind kind;
    uint64_t first, last;
} ranges[] = {
    {"bytes=0-0", 10, HTTP_RANGE_PART, 0, 0},
    {"bytes=2-5", 10, HTTP_RANGE_PART, 2, 5},
    {"Bytes=2-", 10, HTTP_RANGE_PART, 2, 9},
    {"bytes=2-100", 10, HTTP_RANGE_PART, 2, 9},
    {"bytes=-3", 10, HTTP_RANGE_PART, 7, 9},
    {"bytes=-30", 10, HTTP_RANGE_PART, 0, 9},
    {"bytes=9-9", 10, HTTP_RANGE_PART, 9, 9},
    {"bytes=10-", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 10, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-1", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-1,3-4", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=5-2", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=-", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=a-b", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=1-2x", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=1", 10, HTTP_RANGE_NONE, 0, 0},
    {"bytes=99999999999999999999-", 10, HTTP_RANGE_NONE, 0, 0},
    {"lines=1-2", 10, HTTP_RANGE_NONE, 0, 0},
    {"", 10, HTTP_RANGE_NONE, 0, 0},
};

TEST(http_fields, ranges)
{
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        uint64_t first, last;

        TEST_CASE(ranges[i].value);
        CHECK_EQ(http_range_parse(str(ranges[i].value), ranges[i].size, &first, &last),
                 ranges[i].kind);
        if (ranges[i].kind == HTTP_RANGE_PART) {
            CHECK_EQ(first, ranges[i].first);
            CHECK_EQ(last, ranges[i].last);
        }
    }
}

TEST(http_fields, entity_tags)
{
    CHECK(http_etag_matches(str("\"a\""), str("\"a\"")));
    CHECK(http_etag_matches(str("W/\"a\""), str("\"a\"")));
    CHECK(http_etag_matches(str("\"b\", \"a\""), str("W/\"a\"")));
    CHECK(http_etag_matches(str("\"x,y\", \"a\""), str("\"a\"")));
    CHECK(http_etag_matches(str("*"), str("\"a\"")));
    CHECK(!http_etag_matches(str("\"b\""), str("\"a\"")));
    CHECK(!http_etag_matches(str("a"), str("\"a\"")));
    CHECK(!http_etag_matches(str(""), str("\"a\"")));
    CHECK(http_if_range_matches(str("\"a\""), str("\"a\"")));
    CHECK(!http_if_range_matches(str("W/\"a\""), str("W/\"a\"")));
    CHECK(!http_if_range_matches(str("Sun, 06 Nov 1994 08:49:37 GMT"), str("\"a\"")));
}

static const struct {
    const char *fields;
    bool gzip;
} encodings[] = {
    {"", false},
    {"Accept-Encoding:\r\n", false},
    {"Accept-Encoding: gzip\r\n", true},
    {"Accept-Encoding: br, GZIP;q=0.5\r\n", true},
    {"Accept-Encoding: gzip;q=0\r\n", false},
    {"Accept-Encoding: gzip;q=0.000, *\r\n", false},
    {"Accept-Encoding: gzip ; q=0.001\r\n", true},
    {"Accept-Encoding: *\r\n", true},
    {"Accept-Encoding: *;q=0\r\n", false},
    {"Accept-Encoding: *;q=0, gzip\r\n", true},
    {"Accept-Encoding: identity\r\n", false},
    {"Accept-Encoding: gzip;q=2\r\n", false},
    {"Accept-Encoding: gzip;q=1.1\r\n", false},
    {"Accept-Encoding: gzip;q=1.000\r\n", true},
    {"Accept-Encoding: gzip;q=x\r\n", false},
    {"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true},
    {"Accept-Encoding: xgzip\r\n", false},
    {"Accept-Encoding: gzip;\r\n", true},
};

TEST(http_fields, encodings)
{
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        TEST_CASE(encodings[i].fields);
        CHECK_EQ(http_accepts_encoding(request(encodings[i].fields), "gzip"), encodings[i].gzip);
    }
}

TEST(http_fields, types)
{
    const struct http_request *r = request("Accept: text/html, */*;q=0.1\r\n");

    CHECK(http_accepts_type(r, "text/event-stream"));
    r = request("Accept: text/event-stream\r\n");
    CHECK(http_accepts_type(r, "text/event-stream"));
    CHECK(!http_accepts_type(r, "application/json"));
    r = request("Accept: text/*;q=0, text/html\r\n");
    CHECK(http_accepts_type(r, "text/html"));
    CHECK(!http_accepts_type(r, "text/plain"));
    CHECK(!http_accepts_type(request("Accept: textx/*\r\n"), "text/plain"));
    CHECK(http_accepts_type(request(""), "text/plain"));
}

TEST(http_fields, credentials)
{
    CHECK(http_str_is(http_authorization(request("Authorization: bearer  a.b.c \r\n"), "Bearer"),
                      "a.b.c"));
    CHECK(http_authorization(request("Authorization: Basic abc\r\n"), "Bearer").p == NULL);
    CHECK(http_authorization(request("Authorization: Bearer\r\n"), "Bearer").p == NULL);
    CHECK(http_authorization(request("Authorization: Bearerx y\r\n"), "Bearer").p == NULL);
    CHECK(http_authorization(request(""), "Bearer").p == NULL);
    CHECK(http_authorization(request("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
                             "Bearer")
              .p == NULL);
    CHECK(http_str_is(http_cookie_get(request("Cookie: a=b; c=\"d\";e=\r\n"), "c"), "d"));
    CHECK(http_str_is(http_cookie_get(request("Cookie: a; xc=1; c=2\r\n"), "c"), "2"));
    CHECK(http_str_is(http_cookie_get(request("Cookie: c=\r\n"), "c"), ""));
    CHECK(http_cookie_get(request("Cookie: c=\r\n"), "c").p != NULL);
    CHECK(http_cookie_get(request("Cookie: a=b\r\n"), "c").p == NULL);
}

static const struct {
    const char *name;
    const char *fields;
    unsigned hops;
    const char *ip; /* NULL: nothing usable */
    int https;      /* -1: not said */
} forwards[] = {
    {"one", "X-Forwarded-For: 192.0.2.1\r\n", 1, "192.0.2.1", -1},
    {"the client's own entry does not count", "X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\n", 1,
     "192.0.2.1", -1},
    {"two proxies", "X-Forwarded-For: 1.1.1.1, 192.0.2.1, 10.0.0.1\r\n", 2, "192.0.2.1", -1},
    {"over two fields", "X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\nX-Forwarded-For: 10.0.0.1\r\n", 2,
     "192.0.2.1", -1},
    {"fewer than hops", "X-Forwarded-For: 1.1.1.1\r\n", 2, NULL, -1},
    {"with a port", "X-Forwarded-For: 192.0.2.1:4711\r\n", 1, "192.0.2.1", -1},
    {"IPv6", "X-Forwarded-For: 2001:DB8:0:0::1\r\n", 1, "2001:db8::1", -1},
    {"IPv6 with a port", "X-Forwarded-For: [2001:db8::1]:80\r\n", 1, "2001:db8::1", -1},
    {"no address", "X-Forwarded-For: unknown\r\n", 1, NULL, -1},
    {"noise", "X-Forwarded-For: <script>\r\n", 1, NULL, -1},
    {"too long", "X-Forwarded-For: 1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222\r\n", 1,
     NULL, -1},
    {"open bracket", "X-Forwarded-For: [::1\r\n", 1, NULL, -1},
    {"proto", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n", 1, "192.0.2.1", 1},
    {"one proto for two hops",
     "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: http\r\n", 2, "192.0.2.1", 0},
    {"other proto", "X-Forwarded-Proto: gopher\r\n", 1, NULL, -1},
    {"Forwarded", "Forwarded: for=192.0.2.1;proto=HTTPS;by=10.0.0.1\r\n", 1, "192.0.2.1", 1},
    {"Forwarded wins", "X-Forwarded-For: 1.1.1.1\r\nForwarded: for=192.0.2.1\r\n", 1, "192.0.2.1",
     -1},
    {"Forwarded, quoted", "Forwarded: For=\"[2001:db8:cafe::17]:4711\"\r\n", 1, "2001:db8:cafe::17",
     -1},
    {"Forwarded, two", "Forwarded: for=1.1.1.1, for=192.0.2.1 ; proto=http\r\n", 1, "192.0.2.1", 0},
    {"Forwarded, hidden", "Forwarded: for=_abc\r\n", 1, NULL, -1},
    {"Forwarded, comma in quotes", "Forwarded: for=\"a,b\", for=192.0.2.1\r\n", 2, NULL, -1},
    {"nothing", "", 1, NULL, -1},
};

TEST(http_fields, forwarded)
{
    for (size_t i = 0; i < ARRAY_LEN(forwards); i++) {
        struct http_forwarded f;
        bool got;

        TEST_CASE(forwards[i].name);
        got = http_forwarded_get(request(forwards[i].fields), forwards[i].hops, &f);
        CHECK_EQ(got, forwards[i].ip != NULL || forwards[i].https >= 0);
        CHECK_STR(f.ip, forwards[i].ip == NULL ? "" : forwards[i].ip);
        CHECK_EQ(f.has_proto ? f.is_https : -1, forwards[i].https);
    }
}
