#ifndef SKEIN_NET_HTTP_SERVER_H
#define SKEIN_NET_HTTP_SERVER_H

/* http_server - listeners, workers, and the HTTP/1.1 side of every connection.
 *
 * One server runs `workers` loops, each on a thread of its own with its own
 * listening socket (SO_REUSEPORT). A request whose head (and body, up to the
 * limit) has arrived goes to the application's on_request(), on the loop that
 * accepted it. The handler answers with http_respond(), at once or later, or
 * turns the connection into a WebSocket with http_upgrade().
 *
 * CORS, HEAD, keep-alive, Expect, date and the request's limits are dealt with
 * here; routing is the application's.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rbuf.h"
#include "net/asset.h"
#include "net/http_parse.h"
#include "net/loop.h"
#include "net/ws.h"

struct http_server;
struct http_exchange; /* one request and its response */

/* Strings and lists are copied. A number of 0 means the default in brackets. */
struct http_server_options {
    const char *listen;         /* "127.0.0.1:8080", "[::]:443", "unix:/run/skein.sock" */
    unsigned workers;           /* 1 or more */
    const char *tls_cert;       /* PEM file with the chain, or NULL: no TLS */
    const char *tls_key;        /* PEM file */
    const char *const *origins; /* CORS and WebSocket origins that are allowed; "*" for all */
    size_t n_origins;           /* 0: same origin only */
    const char *const
        *trusted; /* proxies whose forwarding headers count: addresses, CIDR, "unix" */
    size_t n_trusted;
    bool proxy_protocol;      /* every connection starts with a PROXY header; only the trusted may
                                 connect */
    bool ws_compress;         /* offer permessage-deflate */
    size_t message_bytes_max; /* of a WebSocket message [16 MB] */
    size_t body_bytes_max;    /* of a request [1 MB] */
    unsigned connections_max; /* of this server; more get a 503 [20,000] */
    unsigned head_timeout_ms; /* a request's head must be complete by then [10,000] */
    unsigned idle_timeout_ms; /* keep-alive without a request [60,000] */
    unsigned ping_ms; /* WebSocket: ping after this much silence, close after twice [30,000] */
    void *ctx;        /* for the callbacks */
    /* Called on each loop's thread: before it accepts, and at its end, when the last
     * connection of all loops is gone. Messages that are posted to it then are
     * run by http_server_free(). */
    void (*on_worker_start)(void *ctx, struct loop *l);
    void (*on_worker_stop)(void *ctx, struct loop *l);
    void (*on_request)(void *ctx, struct http_exchange *x);
};

/* Binds, but accepts nothing yet. *e says what is wrong with the address, certificate, … */
int http_server_new(struct http_server **out, const struct http_server_options *o,
                    struct err *e) SK_MUST_CHECK;
void http_server_free(struct http_server *s); /* after http_server_join() */
int http_server_start(struct http_server *s, struct err *e) SK_MUST_CHECK; /* starts the threads */
/* Begins a graceful end: no new connections, keep-alive ends, WebSockets are
 * closed with 1012 in slices over `within_ms`. Any thread. */
void http_server_drain(struct http_server *s, unsigned within_ms);
/* Waits until the drain is complete and the threads have ended. */
void http_server_join(struct http_server *s);
/* Reads certificate and key again; on failure the old ones stay. Any thread. */
int http_server_reload_tls(struct http_server *s, struct err *e) SK_MUST_CHECK;

unsigned http_server_workers(const struct http_server *s);
struct loop *http_server_loop(const struct http_server *s, unsigned i);
/* "http://127.0.0.1:8080", with the real port when 0 was asked for. */
const char *http_server_url(const struct http_server *s);
bool http_server_is_draining(const struct http_server *s); /* any thread */

/* --- one exchange ------------------------------------------------------- */

/* Valid until the response is given, also when the connection goes before that: every
 * exchange must be answered once. Slices point into the exchange. */
const struct http_request *http_exchange_request(const struct http_exchange *x);
const uint8_t *http_exchange_body(const struct http_exchange *x, size_t *n);
struct loop *http_exchange_loop(const struct http_exchange *x);
const char *http_exchange_peer(const struct http_exchange *x);

struct http_header {
    const char *name, *value;
};
/* Answers and ends the exchange; consumes `body` (NULL: none). Content-Length,
 * Date, CORS and Connection are added. */
void http_respond(struct http_exchange *x, int status, const struct http_header *headers,
                  size_t n_headers, struct rbuf *body);
/* A short text/plain (or, for a leading '{', application/json) answer. */
void http_respond_text(struct http_exchange *x, int status, const char *text);
/* Serves a file of the table for the request's path ("/" is "/index.html"), with
 * ETag, 304, gzip, ranges and cache headers. False (and nothing sent) when the
 * table has no such file. */
bool http_respond_asset(struct http_exchange *x, const struct asset_table *t);

/* Makes a WebSocket of it: checks the handshake and the Origin and answers 101,
 * or answers the refusal itself and returns NULL. `subprotocol` is what was
 * chosen of those offered, or NULL. Ends the exchange. */
struct ws *http_upgrade(struct http_exchange *x, const struct ws_ops *ops, void *user,
                        const char *subprotocol);

/* --- counters for the metrics, summed over the loops; any thread --------- */
struct http_server_stats {
    uint64_t connections_open, connections_total, requests_total, ws_open, ws_total;
    uint64_t bytes_in, bytes_out, messages_in, frames_out, writes_total;
    uint64_t refused_total, timeouts_total, slow_closed_total;
};
void http_server_get_stats(const struct http_server *s, struct http_server_stats *st);

#endif
