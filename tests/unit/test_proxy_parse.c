#include "net/proxy_parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

/* "192.0.2.1:80" or "2001:db8::1:80" or "-". */
static void print_address(const struct sockaddr_storage *s, char *out, size_t cap)
{
    char ip[INET6_ADDRSTRLEN];

    if (s->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)s;

        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
        snprintf(out, cap, "%s:%d", ip, ntohs(in->sin_port));
    } else if (s->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)s;

        inet_ntop(AF_INET6, &in->sin6_addr, ip, sizeof(ip));
        snprintf(out, cap, "%s:%d", ip, ntohs(in->sin6_port));
    } else {
        snprintf(out, cap, "-");
    }
}

#define SIG "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
#define A4 "\xc0\x00\x02\x01"
#define B4 "\x0a\x00\x00\x01"
#define A6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define B6 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"

#define R(name, bytes, rc, source, destination)                                                    \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, rc, source, destination                                    \
    }
static const struct {
    const char *name;
    const char *bytes;
    size_t len;
    long rc; /* 1: all of it is the header */
    const char *source, *destination;
} rows[] = {
    R("TCP4", "PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n", 1, "192.0.2.1:56324", "10.0.0.1:443"),
    R("TCP6", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", 1, "2001:db8::1:1", "::1:65535"),
    R("UNKNOWN", "PROXY UNKNOWN\r\n", 1, "-", "-"),
    R("UNKNOWN with more", "PROXY UNKNOWN ffff::1 ::1 1 2\r\n", 1, "-", "-"),
    R("v2 TCP4", SIG "\x21\x11\x00\x0c" A4 B4 "\x00\x50\x01\xbb", 1, "192.0.2.1:80",
      "10.0.0.1:443"),
    R("v2 TCP6", SIG "\x21\x21\x00\x24" A6 B6 "\x00\x50\x01\xbb", 1, "2001:db8::1:80", "::1:443"),
    R("v2 with a TLV", SIG "\x21\x11\x00\x11" A4 B4 "\x00\x50\x01\xbb\x04\x00\x02xx", 1,
      "192.0.2.1:80", "10.0.0.1:443"),
    R("v2 LOCAL", SIG "\x20\x00\x00\x00", 1, "-", "-"),
    R("v2 LOCAL with an address", SIG "\x20\x11\x00\x0c" A4 B4 "\x00\x50\x01\xbb", 1, "-", "-"),
    R("v2 unspecified", SIG "\x21\x00\x00\x01x", 1, "-", "-"),
    R("v2 UNIX", SIG "\x21\x31\x00\x01x", 1, "-", "-"),
    R("not a header", "GET / HTTP/1.1\r\n", SK_EBADMSG, "-", "-"),
    R("TLS", "\x16\x03\x01", SK_EBADMSG, "-", "-"),
    R("lower case", "proxy TCP4 ", SK_EBADMSG, "-", "-"),
    R("no family", "PROXY \r\n", SK_EBADMSG, "-", "-"),
    R("other family", "PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n", SK_EBADMSG, "-", "-"),
    R("address of the other family", "PROXY TCP4 ::1 ::1 1 2\r\n", SK_EBADMSG, "-", "-"),
    R("bad address", "PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n", SK_EBADMSG, "-", "-"),
    R("bad port", "PROXY TCP4 192.0.2.1 10.0.0.1 1 65536\r\n", SK_EBADMSG, "-", "-"),
    R("port with a zero", "PROXY TCP4 192.0.2.1 10.0.0.1 01 2\r\n", SK_EBADMSG, "-", "-"),
    R("port with a sign", "PROXY TCP4 192.0.2.1 10.0.0.1 +1 2\r\n", SK_EBADMSG, "-", "-"),
    R("one word less", "PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n", SK_EBADMSG, "-", "-"),
    R("one word more", "PROXY TCP4 192.0.2.1 10.0.0.1 1 2 3\r\n", SK_EBADMSG, "-", "-"),
    R("two spaces", "PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n", SK_EBADMSG, "-", "-"),
    R("trailing space", "PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n", SK_EBADMSG, "-", "-"),
    R("bare LF", "PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n", SK_EBADMSG, "-", "-"),
    R("zero in an address", "PROXY TCP4 192.0.2.1\0 10.0.0.1 1 2\r\n", SK_EBADMSG, "-", "-"),
    R("no end",
      "PROXY UNKNOWN "
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aa",
      SK_EBADMSG, "-", "-"),
    R("v2 bad signature", "\x0d\x0a\x0d\x0a\x01", SK_EBADMSG, "-", "-"),
    R("v2 version 1", SIG "\x11", SK_EBADMSG, "-", "-"),
    R("v2 command 2", SIG "\x22", SK_EBADMSG, "-", "-"),
    R("v2 family 4", SIG "\x21\x41\x00\x00", SK_EBADMSG, "-", "-"),
    R("v2 TCP4, short", SIG "\x21\x11\x00\x0b" A4 B4 "\x00\x50\x01", SK_EBADMSG, "-", "-"),
    R("v2 TCP6, short", SIG "\x21\x21\x00\x0c" A4 B4 "\x00\x50\x01\xbb", SK_EBADMSG, "-", "-"),
    R("v2 too long", SIG "\x21\x11\xff\xff", SK_ETOOBIG, "-", "-"),
};

TEST(proxy_parse, rows)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *copy = test_dup(rows[i].bytes, rows[i].len);
        struct proxy_header h;
        char text[80], with_more[256];

        TEST_CASE(rows[i].name);
        CHECK_EQ(proxy_parse_header(copy, rows[i].len, &h),
                 rows[i].rc == 1 ? (long)rows[i].len : rows[i].rc);
        print_address(&h.source, text, sizeof(text));
        CHECK_STR(text, rows[i].source);
        print_address(&h.destination, text, sizeof(text));
        CHECK_STR(text, rows[i].destination);
        CHECK_EQ(h.has_addr, strcmp(rows[i].source, "-") != 0);
        test_free(copy);
        if (rows[i].rc == 1) { /* and what follows is left alone */
            memcpy(with_more, rows[i].bytes, rows[i].len);
            memcpy(with_more + rows[i].len, "GET /\r\n", 7);
            CHECK_EQ(proxy_parse_header(with_more, rows[i].len + 7, &h), rows[i].len);
        }
    }
}

/* Cut at any byte, a good header needs more, and a bad one is never accepted. */
TEST(proxy_parse, every_truncation)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t n = 0; n < rows[i].len; n++) {
            uint8_t *copy = test_dup(rows[i].bytes, n);
            struct proxy_header h;
            long rc = proxy_parse_header(copy, n, &h);

            TEST_CASE(rows[i].name);
            CHECK(rows[i].rc == 1 ? rc == 0 : rc <= 0);
            CHECK(!h.has_addr);
            test_free(copy);
        }
    }
}
