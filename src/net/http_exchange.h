#ifndef SKEIN_NET_HTTP_EXCHANGE_H
#define SKEIN_NET_HTTP_EXCHANGE_H

/* http_exchange - one request and its response. Internal to net/.
 *
 * It is allocated when a head is complete and freed by the response, so a
 * connection between two requests owns none of it. The head is copied behind
 * the struct: the slices of `req` stay good while the application thinks.
 * When the connection goes first, `c` is NULL and the response goes nowhere.
 */
#include "base/buf.h"
#include "net/conn.h"
#include "net/http_chunked.h"
#include "net/http_fields.h"
#include "net/http_parse.h"
#include "net/http_server.h"

enum http_cors {
    HTTP_CORS_NONE,    /* no Origin, or one that is not listed */
    HTTP_CORS_SAME,    /* the page came from here */
    HTTP_CORS_LISTED,  /* by name: cookies are allowed */
    HTTP_CORS_ANY,     /* only because everyone is */
    HTTP_CORS_FOREIGN, /* an Origin that is not listed */
};

struct http_exchange {
    struct conn *c;
    struct worker *wk;
    struct http_request req;
    struct http_chunked chunked;
    struct buf body;
    uint64_t body_left; /* of Content-Length */
    size_t body_mark;   /* bytes there when the timer last looked */
    size_t alloc_bytes;
    bool is_handling; /* given to the application */
    bool must_close;
    enum http_cors cors;
    struct http_str origin;
    char peer[HTTP_IP_BYTES_MAX];
    char head[];
};

/* Works out `cors` from the Origin field. */
void http_cors__check(struct http_exchange *x);
/* Answers a preflight, and what a foreign page may not do. True when it did. */
bool http_cors__handle(struct http_exchange *x);
/* Adds the response's header lines. */
void http_cors__put(const struct http_exchange *x, struct buf *head);

/* As http_respond(), with constant memory for the body. */
void http__respond_static(struct http_exchange *x, int status, const struct http_header *headers,
                          size_t n_headers, const uint8_t *p, size_t n);
/* What the parser or the handshake refused. */
void http__respond_error(struct http_exchange *x, const struct http_error *err);
/* Frees it and lets the connection go on, or end. */
void http__finish(struct http_exchange *x);

#endif
