#ifndef SKEIN_NET_WS_HANDSHAKE_H
#define SKEIN_NET_WS_HANDSHAKE_H

/* ws_handshake - the server's side of the opening handshake (RFC 6455, 4.2)
 * and of the permessage-deflate offer (RFC 7692, 7.1).
 *
 * Pure: takes a parsed request, says what to answer. Whether the page's origin
 * is welcome is origin.h's question; ask it before answering 101.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http_parse.h"

#define WS_ACCEPT_BYTES 28
#define WS_RESPONSE_BYTES_MAX 1024

struct ws_deflate_params {
    bool is_on;
    bool has_server_bits; /* the answer must say server_max_window_bits */
    uint8_t server_bits;  /* 9 to 15: what our deflater may use */
};

struct ws_handshake {
    char accept[WS_ACCEPT_BYTES + 1];
    struct http_str
        protocol; /* the selected subprotocol, in the request's bytes; p NULL for none */
    struct ws_deflate_params deflate;
};

struct ws_handshake_options {
    bool allow_deflate;
    const char *const *protocols; /* subprotocols that we speak; the client's order decides */
    unsigned n_protocols;
};

/* Whether the request asks for a WebSocket at all, well or badly: an Upgrade
 * field that has the token "websocket". */
bool ws_handshake_is_wanted(const struct http_request *req);

/* Checks the request and fills *hs. 0, or SK_EBADMSG with *err: 400, 405 (with
 * Allow) or 426 (with Upgrade, Connection and Sec-WebSocket-Version). An offer of
 * permessage-deflate that is not valid, or not possible for us, is declined; a
 * field that does not follow the grammar is refused. */
SK_MUST_CHECK int ws_handshake_check(const struct http_request *req,
                                     const struct ws_handshake_options *o, struct ws_handshake *hs,
                                     struct http_error *err);

/* The whole 101 response with its blank line. `headers` are more header lines,
 * each ending in CRLF, or NULL. Returns its length, or SK_ETOOBIG. */
SK_MUST_CHECK long ws_handshake_response(const struct ws_handshake *hs, const char *headers,
                                         char *out, size_t cap);

/* Sec-WebSocket-Accept of a key, with a terminating zero; for clients too. */
void ws_handshake_accept(struct http_str key, char out[WS_ACCEPT_BYTES + 1]);

#endif
