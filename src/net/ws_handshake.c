/* ws_handshake - see ws_handshake.h for the contract, docs/wire/websocket.md for
 * the rules. The offer of permessage-deflate is read in ws_offer.c. */
#include "net/ws_handshake.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "net/ws_handshake_internal.h"

#define KEY_BYTES 24 /* 16 bytes in base64 */

static int refuse(struct http_error *err, int status, const char *headers, const char *words)
{
    *err = (struct http_error){.status = status, .words = words, .headers = headers};
    return SK_EBADMSG;
}

bool ws_handshake_is_wanted(const struct http_request *req)
{
    return http_header_has_token(req, "Upgrade", "websocket");
}

/* The one field of that name; p NULL when there is none, or more than one. */
static struct http_str get_single(const struct http_request *req, const char *name)
{
    const struct http_str *v = http_header_get(req, name);

    if (v == NULL || http_header_count(req, name) != 1)
        return (struct http_str){NULL, 0};
    return *v;
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Exactly 16 bytes: 22 digits, of which the last carries two bits, and padding. */
static bool is_key(struct http_str s)
{
    if (s.len != KEY_BYTES || s.p[22] != '=' || s.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        if (!is_base64(s.p[i]))
            return false;
    }
    return strchr("AQgw", s.p[21]) != NULL;
}

void ws_handshake_accept(struct http_str key, char out[WS_ACCEPT_BYTES + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    unsigned char joined[KEY_BYTES + sizeof(guid) - 1];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int ok;

    assert(key.len == KEY_BYTES);
    memcpy(joined, key.p, KEY_BYTES);
    memcpy(joined + KEY_BYTES, guid, sizeof(guid) - 1);
    ok = EVP_Digest(joined, sizeof(joined), digest, &n, EVP_sha1(), NULL);
    assert(ok == 1 && n == 20);
    EVP_EncodeBlock((unsigned char *)out, digest, (int)n);
}

static int check_method(const struct http_request *req, struct http_error *err)
{
    if (req->method != HTTP_GET)
        return refuse(err, 405, "Allow: GET\r\n", "A WebSocket is opened with GET.");
    if (req->version_minor < 1)
        return refuse(err, 400, NULL, "A WebSocket needs HTTP/1.1.");
    if (!ws_handshake_is_wanted(req))
        return refuse(err, 426,
                      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
                      "This address speaks WebSocket, and the request does not ask for it.");
    if (!http_header_has_token(req, "Connection", "upgrade"))
        return refuse(err, 400, NULL, "The Connection field does not list Upgrade.");
    if (req->chunked || (req->has_length && req->content_length > 0))
        return refuse(err, 400, NULL, "A WebSocket handshake has no body.");
    return 0;
}

static int check_version_and_key(const struct http_request *req, struct http_error *err)
{
    if (!http_str_is(get_single(req, "Sec-WebSocket-Version"), "13"))
        return refuse(err, 426,
                      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
                      "The only WebSocket version is 13, in one Sec-WebSocket-Version field.");
    if (!is_key(get_single(req, "Sec-WebSocket-Key")))
        return refuse(err, 400, NULL, "Sec-WebSocket-Key is not one field of 16 bytes in base64.");
    return 0;
}

static bool is_spoken(const struct ws_handshake_options *o, struct http_str name)
{
    for (unsigned i = 0; i < o->n_protocols; i++) {
        if (http_str_is(name, o->protocols[i]))
            return true;
    }
    return false;
}

static int select_protocol(const struct http_request *req, const struct ws_handshake_options *o,
                           struct ws_handshake *hs, struct http_error *err)
{
    for (unsigned i = 0; i < req->n_headers; i++) {
        struct http_str rest = req->headers[i].value, name;

        if (!http_str_is_nocase(req->headers[i].name, "Sec-WebSocket-Protocol"))
            continue;
        while (http_list_next(&rest, &name)) {
            if (!http_is_token(name))
                return refuse(err, 400, NULL, "A subprotocol's name is not a token.");
            if (hs->protocol.p == NULL && is_spoken(o, name))
                hs->protocol = name;
        }
    }
    return 0;
}

int ws_handshake_check(const struct http_request *req, const struct ws_handshake_options *o,
                       struct ws_handshake *hs, struct http_error *err)
{
    int rc;

    memset(hs, 0, sizeof(*hs));
    rc = check_method(req, err);
    if (rc == 0)
        rc = check_version_and_key(req, err);
    if (rc == 0)
        rc = select_protocol(req, o, hs, err);
    if (rc == 0 && ws__offer_parse(req, o->allow_deflate, &hs->deflate) != 0)
        rc = refuse(err, 400, NULL, "Sec-WebSocket-Extensions does not follow the grammar.");
    if (rc != 0)
        return rc;
    ws_handshake_accept(*http_header_get(req, "Sec-WebSocket-Key"), hs->accept);
    return 0;
}

long ws_handshake_response(const struct ws_handshake *hs, const char *headers, char *out,
                           size_t cap)
{
    char bits[40] = "";
    int n;

    if (hs->deflate.has_server_bits)
        snprintf(bits, sizeof(bits), "; server_max_window_bits=%u", hs->deflate.server_bits);
    n = snprintf(out, cap,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%.*s%s%s%s%s%s\r\n",
                 hs->accept,
                 hs->protocol.p == NULL ? "" : "Sec-WebSocket-Protocol: ", (int)hs->protocol.len,
                 hs->protocol.p == NULL ? "" : hs->protocol.p, hs->protocol.p == NULL ? "" : "\r\n",
                 hs->deflate.is_on ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                     "server_no_context_takeover; client_no_context_takeover"
                                   : "",
                 bits, hs->deflate.is_on ? "\r\n" : "", headers == NULL ? "" : headers);
    return n < 0 || (size_t)n >= cap ? SK_ETOOBIG : n;
}
