#include "net/origin.h"

#include <string.h>

#include "harness.h"

static struct http_str str(const char *z)
{
    return (struct http_str){z, strlen(z)};
}

static const struct {
    const char *origin, *pattern;
    bool allowed;
} rows[] = {
    {"https://a.example", "https://a.example", true},
    {"HTTPS://A.Example", "https://a.example", true},
    {"https://a.example:443", "https://a.example", true},
    {"https://a.example", "https://a.example:443", true},
    {"http://a.example:80", "http://a.example", true},
    {"http://a.example", "https://a.example", false},
    {"https://a.example:8443", "https://a.example", false},
    {"https://a.example:8443", "https://a.example:8443", true},
    {"https://b.example", "https://a.example", false},
    {"https://a.example.evil.com", "https://a.example", false},
    {"https://xa.example", "https://a.example", false},
    {"https://x.a.example", "https://*.a.example", true},
    {"https://y.x.a.example", "https://*.a.example", true},
    {"https://a.example", "https://*.a.example", false},
    {"https://.a.example", "https://*.a.example", false},
    {"https://xa.example", "https://*.a.example", false},
    {"http://x.a.example", "https://*.a.example", false},
    {"https://x.a.example:8443", "https://*.a.example", false},
    {"https://x.a.example:8443", "https://*.a.example:8443", true},
    {"https://x.a.example.evil.com", "https://*.a.example", false},
    {"http://[::1]:3000", "http://[::1]:3000", true},
    {"http://localhost:3000", "http://localhost:3000", true},
    {"vscode-webview://abc", "vscode-webview://abc", true},
    {"https://a.example", "*", true},
    {"null", "*", false},
    {"null", "null", false},
    {"", "*", false},
    {"https://", "*", false},
    {"https://a.example/", "*", false},
    {"https://a.example/x", "*", false},
    {"https://u@a.example", "*", false},
    {"https://a.example:", "*", false},
    {"https://a.example:0", "*", false},
    {"https://a.example:65536", "*", false},
    {"https://a.example:443x", "*", false},
    {"https://a b", "*", false},
    {"https://*.a.example", "https://*.a.example", false},
    {"https://a.example https://b.example", "https://a.example", false},
    {"://a", "*", false},
    {"https:/a", "*", false},
    {"https://[::1", "*", false},
    {"https://[]", "*", false},
};

TEST(origin, rows)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].origin);
        char *copy = (char *)test_dup(rows[i].origin, len);
        const char *patterns[] = {"https://other.example", rows[i].pattern};

        TEST_CASE(rows[i].origin);
        CHECK_EQ(origin_is_listed((struct http_str){copy, len}, patterns, 2), rows[i].allowed);
        CHECK(!origin_is_listed((struct http_str){copy, len}, patterns, 0));
        test_free(copy);
    }
}

TEST(origin, same_host)
{
    CHECK(origin_is_same_host(str("https://a.example"), str("a.example")));
    CHECK(origin_is_same_host(str("http://a.example"), str("A.example:80")));
    CHECK(origin_is_same_host(str("http://127.0.0.1:8080"), str("127.0.0.1:8080")));
    CHECK(origin_is_same_host(str("http://[::1]:8080"), str("[::1]:8080")));
    CHECK(!origin_is_same_host(str("http://127.0.0.1:3000"), str("127.0.0.1:8080")));
    CHECK(!origin_is_same_host(str("https://b.example"), str("a.example")));
    CHECK(!origin_is_same_host(str("https://a.example.b"), str("a.example")));
    CHECK(!origin_is_same_host(str("null"), str("a.example")));
    CHECK(!origin_is_same_host(str("null"), str("null")));
    CHECK(!origin_is_same_host(str("https://a.example"), str("")));
    CHECK(!origin_is_same_host(str(""), str("")));
}

TEST(origin, patterns)
{
    static const char *const good[] = {"*", "https://a", "http://*.a.b:80", "http://[::1]:3000"};
    static const char *const bad[] = {"",           "a.example",   "https://",     "https://*",
                                      "https://*a", "https://a.*", "https://*.*",  "https://a/",
                                      "null",       "https://*.",  "https://*..a", "*.a"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        TEST_CASE(good[i]);
        CHECK(origin_pattern_is_valid(good[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        TEST_CASE(bad[i]);
        CHECK(!origin_pattern_is_valid(bad[i]));
    }
}
