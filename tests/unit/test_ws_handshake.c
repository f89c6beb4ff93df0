#include "net/ws_handshake.h"

#include <stdio.h>
#include <string.h>

#include "harness.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define GET "GET /x HTTP/1.1\r\nHost: h\r\n"
#define ALL GET UPGRADE CONNECTION KEY VERSION

static const char *const spoken[] = {"chat", "v2.chat"};
static const struct ws_handshake_options options = {
    .allow_deflate = true, .protocols = spoken, .n_protocols = 2};

static int check(const char *fields, const struct ws_handshake_options *o, struct http_request *req,
                 struct ws_handshake *hs, struct http_error *err)
{
    static char head[4096]; /* the request's slices point into it */
    size_t scanned = 0;
    int n = snprintf(head, sizeof(head), "%s\r\n", fields);

    CHECK_EQ(http_parse_head(head, (size_t)n, &scanned, req, err), n);
    return ws_handshake_check(req, o, hs, err);
}

static const struct {
    const char *name;
    const char *fields;
    int status; /* 0: accepted */
} rows[] = {
    {"good", ALL, 0},
    {"any case", GET "upgrade: WebSocket\r\nCONNECTION: keep-alive, upgrade\r\n" KEY VERSION, 0},
    {"upgrade in a list", GET "Upgrade: h2c, websocket\r\n" CONNECTION KEY VERSION, 0},
    {"POST", "POST / HTTP/1.1\r\nHost: h\r\n" UPGRADE CONNECTION KEY VERSION, 405},
    {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: h\r\n" UPGRADE CONNECTION KEY VERSION, 400},
    {"no upgrade", GET CONNECTION KEY VERSION, 426},
    {"other upgrade", GET "Upgrade: h2c\r\n" CONNECTION KEY VERSION, 426},
    {"no connection", GET UPGRADE KEY VERSION, 400},
    {"other connection", GET UPGRADE "Connection: keep-alive\r\n" KEY VERSION, 400},
    {"no version", GET UPGRADE CONNECTION KEY, 426},
    {"version 8", GET UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n", 426},
    {"version 13 and 8", GET UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 13, 8\r\n", 426},
    {"version twice", ALL VERSION, 426},
    {"no key", GET UPGRADE CONNECTION VERSION, 400},
    {"key twice", ALL KEY, 400},
    {"empty key", GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key:\r\n", 400},
    {"short key", GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n", 400},
    {"17 bytes", GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZXM=\r\n",
     400},
    {"bits after 16 bytes",
     GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", 400},
    {"not base64", GET UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-Q==\r\n",
     400},
    {"body", ALL "Content-Length: 1\r\n", 400},
    {"body of no bytes", ALL "Content-Length: 0\r\n", 0},
    {"chunked body", ALL "Transfer-Encoding: chunked\r\n", 400},
    {"subprotocol that is no token", ALL "Sec-WebSocket-Protocol: a b\r\n", 400},
};

TEST(ws_handshake, rows)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_request req;
        struct ws_handshake hs;
        struct http_error err = {0};
        int rc;

        TEST_CASE(rows[i].name);
        rc = check(rows[i].fields, &options, &req, &hs, &err);
        CHECK_EQ(rc, rows[i].status == 0 ? 0 : SK_EBADMSG);
        CHECK_EQ(err.status, rows[i].status);
        if (rows[i].status == 0)
            CHECK_STR(hs.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
        else
            CHECK(err.words != NULL);
        CHECK_EQ(err.headers != NULL, rows[i].status == 405 || rows[i].status == 426);
    }
}

/* Offers of extensions: what we agree to. "" declines, "!" refuses the request. */
static const struct {
    const char *offer;
    const char *answer;
} offers[] = {
    {"permessage-deflate", "+"},
    {"permessage-deflate; client_max_window_bits", "+"},
    {"permessage-deflate;client_max_window_bits=15;server_no_context_takeover", "+"},
    {"permessage-deflate; client_no_context_takeover ; client_max_window_bits = 8", "+"},
    {"permessage-deflate; server_max_window_bits=15", "15"},
    {"permessage-deflate; server_max_window_bits=\"10\"", "10"},
    {"permessage-deflate; server_max_window_bits=9", "9"},
    {"permessage-deflate; server_max_window_bits=8", ""},
    {"permessage-deflate; server_max_window_bits=8, permessage-deflate", "+"},
    {"permessage-deflate; server_max_window_bits=9, permessage-deflate", "9"},
    {"x-other; a=b; c, permessage-deflate", "+"},
    {"permessage-deflate; server_max_window_bits", ""},
    {"permessage-deflate; server_max_window_bits=16", ""},
    {"permessage-deflate; server_max_window_bits=7", ""},
    {"permessage-deflate; server_max_window_bits=010", ""},
    {"permessage-deflate; client_max_window_bits=16", ""},
    {"permessage-deflate; client_max_window_bits=0", ""},
    {"permessage-deflate; server_no_context_takeover=1", ""},
    {"permessage-deflate; client_no_context_takeover=true", ""},
    {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""},
    {"permessage-deflate; client_max_window_bits; client_max_window_bits=10", ""},
    {"permessage-deflate; unknown", ""},
    {"permessage-deflate; unknown=1, permessage-deflate", "+"},
    {"x-webkit-deflate-frame", ""},
    {"permessage-deflate;", "!"},
    {"permessage-deflate; =1", "!"},
    {"permessage-deflate; a=", "!"},
    {"permessage-deflate; a=\"", "!"},
    {"permessage-deflate; a=\"b c\"", "!"},
    {"permessage-deflate; a=\"\"", "!"},
    {"permessage-deflate a", "!"},
    {"; permessage-deflate", "!"},
    {"permessage-deflate, a;;b", "!"},
};

static void check_response(const struct ws_handshake *hs, const char *answer)
{
    char want[512], got[512], bits[64] = "";
    long n;

    if (answer[0] != '+')
        snprintf(bits, sizeof(bits), "; server_max_window_bits=%s", answer);
    snprintf(want, sizeof(want),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
             "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
             "client_no_context_takeover%s\r\nX: y\r\n\r\n",
             bits);
    n = ws_handshake_response(hs, "X: y\r\n", got, sizeof(got));
    CHECK_EQ(n, strlen(want));
    CHECK_STR(got, want);
    CHECK_EQ(ws_handshake_response(hs, "X: y\r\n", got, (size_t)n), SK_ETOOBIG);
}

TEST(ws_handshake, offers)
{
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        static const struct ws_handshake_options off = {.allow_deflate = false};
        struct http_request req;
        struct ws_handshake hs;
        struct http_error err = {0};
        char fields[1024];
        bool is_on = offers[i].answer[0] != 0;

        TEST_CASE(offers[i].offer);
        snprintf(fields, sizeof(fields), ALL "Sec-WebSocket-Extensions: %s\r\n", offers[i].offer);
        if (offers[i].answer[0] == '!') {
            CHECK_EQ(check(fields, &options, &req, &hs, &err), SK_EBADMSG);
            CHECK_EQ(err.status, 400);
            continue;
        }
        CHECK_EQ(check(fields, &options, &req, &hs, &err), 0);
        CHECK_EQ(hs.deflate.is_on, is_on);
        if (is_on)
            check_response(&hs, offers[i].answer);
        CHECK_EQ(check(fields, &off, &req, &hs, &err), 0);
        CHECK(!hs.deflate.is_on);
    }
}

TEST(ws_handshake, offers_in_two_fields)
{
    struct http_request req;
    struct ws_handshake hs;
    struct http_error err = {0};

    CHECK_EQ(check(ALL "Sec-WebSocket-Extensions: x\r\n"
                       "sec-websocket-extensions: permessage-deflate\r\n",
                   &options, &req, &hs, &err),
             0);
    CHECK(hs.deflate.is_on);
    CHECK_EQ(hs.deflate.server_bits, 15);
}

TEST(ws_handshake, subprotocols)
{
    static const struct {
        const char *offered;
        const char *want;
    } protocols[] = {
        {"chat", "chat"}, {"x, v2.chat, chat", "v2.chat"}, {"Chat", NULL},
        {"x,y", NULL},    {"chat, chat", "chat"},
    };

    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        struct http_request req;
        struct ws_handshake hs;
        struct http_error err = {0};
        char fields[1024], out[WS_RESPONSE_BYTES_MAX];

        TEST_CASE(protocols[i].offered);
        snprintf(fields, sizeof(fields), ALL "Sec-WebSocket-Protocol: %s\r\n",
                 protocols[i].offered);
        CHECK_EQ(check(fields, &options, &req, &hs, &err), 0);
        CHECK(ws_handshake_response(&hs, NULL, out, sizeof(out)) > 0);
        if (protocols[i].want == NULL) {
            CHECK(hs.protocol.p == NULL);
            CHECK(strstr(out, "Protocol:") == NULL);
        } else {
            CHECK(http_str_is(hs.protocol, protocols[i].want));
            snprintf(fields, sizeof(fields), "\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
                     protocols[i].want);
            CHECK(strstr(out, fields) != NULL);
        }
    }
}
