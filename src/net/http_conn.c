/* http_conn - the HTTP/1.1 side of a connection: heads, bodies, time limits.
 *
 * One request at a time: pipelined ones wait in the connection until the answer
 * before them is queued, which keeps the order. Deadlines: a head must be whole
 * head_timeout_ms after its first byte (after the accept, for the first one); a
 * body must keep up BODY_BYTES_PER_SECOND_MIN; the application has no limit.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>

#include "net/http_exchange.h"

#define BODY_BYTES_PER_SECOND_MIN 1024u
#define PROXY_HOPS_MAX 16u

static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

static void refuse(struct conn *c, const struct http_error *err);

void http__start(struct conn *c)
{
    conn__start_timer(c, c->wk->server->o.head_timeout_ms);
}

bool http__wants_input(const struct conn *c)
{
    return c->exchange == NULL || !c->exchange->is_handling;
}

/* --- the request ---------------------------------------------------------- */

static void free_exchange(struct http_exchange *x)
{
    buf_fini(&x->body);
    mem_free(&x->wk->server->account, x, x->alloc_bytes);
}

/* The client behind the trusted proxies: entries are believed from the right as
 * long as the one that wrote them is trusted. */
static void find_peer(struct http_exchange *x)
{
    const struct http_server *s = x->wk->server;
    unsigned n = (unsigned)s->o.n_trusted;
    const struct http_str *real;
    struct http_forwarded f;
    unsigned char parsed[16];

    strcpy(x->peer, conn__peer(x->c)); /* both hold HTTP_IP_BYTES_MAX at most */
    if (n == 0 || !cidr_has(s->trusted, n, x->peer))
        return;
    for (unsigned hops = 1; hops <= PROXY_HOPS_MAX; hops++) {
        if (!http_forwarded_get(&x->req, hops, &f) || f.ip[0] == 0)
            break;
        strcpy(x->peer, f.ip);
        if (!cidr_has(s->trusted, n, x->peer))
            return;
    }
    real = http_header_get(&x->req, "x-real-ip");
    if (real == NULL || real->len >= sizeof(x->peer) || http_forwarded_get(&x->req, 1, &f))
        return;
    memcpy(f.ip, real->p, real->len);
    f.ip[real->len] = 0;
    if (inet_pton(AF_INET, f.ip, parsed) == 1 || inet_pton(AF_INET6, f.ip, parsed) == 1)
        strcpy(x->peer, f.ip);
}

/* Copies the head and reads it again there, so that the slices stay good. */
static struct http_exchange *new_exchange(struct conn *c, const uint8_t *p, size_t len)
{
    struct http_server *s = c->wk->server;
    size_t size = sizeof(struct http_exchange) + len, scanned = 0;
    struct http_exchange *x = mem_alloc(&s->account, size);
    struct http_error err;
    long again;

    if (x == NULL)
        return NULL;
    memset(x, 0, offsetof(struct http_exchange, req));
    x->c = c;
    x->wk = c->wk;
    x->alloc_bytes = size;
    memcpy(x->head, p, len);
    again = http_parse_head(x->head, len, &scanned, &x->req, &err);
    assert(again == (long)len);
    (void)again;
    buf_init(&x->body, &s->account, s->o.body_bytes_max > 0 ? s->o.body_bytes_max : 1);
    http_chunked_init(&x->chunked, s->o.body_bytes_max);
    x->body_left = x->req.has_length ? x->req.content_length : 0;
    x->body_mark = 0;
    x->is_handling = x->must_close = false;
    find_peer(x);
    http_cors__check(x);
    return x;
}

static void dispatch(struct http_exchange *x)
{
    struct http_server *s = x->wk->server;

    x->is_handling = true;
    conn__stop_timer(x->c);
    stat_add(&x->wk->stats.requests_total, 1);
    if (x->req.method == HTTP_OTHER) {
        http_respond_text(x, 501, "This method is not known here.");
        return;
    }
    if (!http_cors__handle(x))
        s->o.on_request(s->o.ctx, x);
}

static size_t feed_head(struct conn *c, const uint8_t *p, size_t n)
{
    struct http_server *s = c->wk->server;
    struct http_request req;
    struct http_error err;
    size_t scanned = c->http_scanned;
    long len = http_parse_head((const char *)p, n, &scanned, &req, &err);

    if (c->is_http_idle) {
        c->is_http_idle = false;
        conn__start_timer(c, s->o.head_timeout_ms);
    }
    c->http_scanned = (uint32_t)scanned;
    if (len == 0)
        return 0;
    c->http_scanned = 0;
    if (len < 0) {
        refuse(c, &err);
        return n;
    }
    if (req.has_length && req.content_length > s->o.body_bytes_max) {
        err = (struct http_error){413, "The body is longer than this server takes.", NULL};
        refuse(c, &err);
        return n;
    }
    c->exchange = new_exchange(c, p, (size_t)len);
    if (c->exchange == NULL) {
        err = (struct http_error){503, "No memory for this request. Try again later.", NULL};
        refuse(c, &err);
        return n;
    }
    if (!req.chunked && c->exchange->body_left == 0) {
        dispatch(c->exchange);
        return (size_t)len;
    }
    conn__start_timer(c, s->o.head_timeout_ms);
    if (req.expect_continue && (size_t)len == n)
        conn__put(c, continue_line, sizeof(continue_line) - 1);
    return (size_t)len;
}

static size_t feed_body(struct conn *c, uint8_t *p, size_t n)
{
    struct http_exchange *x = c->exchange;
    struct http_error err;
    size_t used, n_body;
    int rc;

    if (x->req.chunked) {
        rc = http_chunked_feed(&x->chunked, (char *)p, n, &used, &n_body, &err);
    } else {
        used = n_body = n < x->body_left ? n : (size_t)x->body_left;
        x->body_left -= used;
        rc = x->body_left == 0;
    }
    if (rc >= 0) {
        buf_put(&x->body, p, n_body);
        if (buf_err(&x->body) != 0) {
            err = (struct http_error){413, "The body is longer than this server takes.", NULL};
            rc = SK_ETOOBIG;
        }
    }
    if (rc < 0) {
        refuse(c, &err);
        return n;
    }
    if (rc == 1)
        dispatch(x);
    return used;
}

size_t http__feed(struct conn *c, uint8_t *p, size_t n)
{
    if (c->exchange == NULL)
        return feed_head(c, p, n);
    if (c->exchange->is_handling)
        return 0;
    return feed_body(c, p, n);
}

/* --- the end -------------------------------------------------------------- */

static void refuse(struct conn *c, const struct http_error *err)
{
    char head[512];
    size_t words = strlen(err->words);
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                     "Content-Length: %zu\r\n%sConnection: close\r\n\r\n",
                     err->status, http_status_text(err->status), worker__date(c->wk), words + 1,
                     err->headers != NULL ? err->headers : "");

    assert(n > 0 && (size_t)n < sizeof(head));
    stat_add(&c->wk->stats.refused_total, 1);
    conn__put(c, head, (size_t)n);
    conn__put(c, err->words, words);
    conn__put(c, "\n", 1);
    http__on_gone(c);
    conn__end_after_flush(c);
}

void http__finish(struct http_exchange *x)
{
    struct conn *c = x->c;
    bool close = x->must_close || !x->req.keep_alive || x->wk->is_draining;

    free_exchange(x);
    if (c == NULL)
        return;
    c->exchange = NULL;
    if (c->state != CONN_HTTP)
        return; /* it has become a WebSocket */
    conn__mark(c);
    if (close) {
        conn__end_after_flush(c);
        return;
    }
    c->is_http_idle = true;
    conn__start_timer(c, c->wk->server->o.idle_timeout_ms);
}

void http__on_gone(struct conn *c)
{
    struct http_exchange *x = c->exchange;

    c->exchange = NULL;
    if (x == NULL)
        return;
    if (x->is_handling)
        x->c = NULL; /* the application still holds it */
    else
        free_exchange(x);
}

void http__on_eof(struct conn *c)
{
    if (c->exchange != NULL && c->exchange->is_handling)
        return; /* clients may shut their side behind the last request */
    if (c->out.n > 0)
        conn__end_after_flush(c);
    else
        conn__abort(c);
}

void http__drain(struct conn *c)
{
    if (c->exchange == NULL && c->in_len == 0)
        conn__end_after_flush(c);
}

static void time_out(struct conn *c, const char *words)
{
    struct http_error err = {408, words, NULL};

    stat_add(&c->wk->stats.timeouts_total, 1);
    if (c->exchange == NULL && c->in_len == 0)
        conn__abort(c); /* nothing was asked; it may not even have got through its TLS handshake */
    else
        refuse(c, &err);
}

void http__on_timer(struct conn *c)
{
    struct http_exchange *x = c->exchange;
    uint64_t ms = c->wk->server->o.head_timeout_ms;

    if (c->out.n > 0 && c->is_progress_seen) {
        c->is_progress_seen = false;
        conn__start_timer(c, CONN_SLOW_MS);
        return;
    }
    if (c->out.n > 0) {
        stat_add(&c->wk->stats.slow_closed_total, 1);
        conn__abort(c);
        return;
    }
    if (x == NULL && c->is_http_idle) {
        conn__abort(c);
    } else if (x == NULL) {
        time_out(c, "The head of the request did not arrive in time.");
    } else if ((x->body.len - x->body_mark) * 1000 < ms * BODY_BYTES_PER_SECOND_MIN) {
        time_out(c, "The body of the request arrives too slowly.");
    } else {
        x->body_mark = x->body.len;
        conn__start_timer(c, ms);
    }
}

/* --- what the application asks -------------------------------------------- */

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
    return &x->req;
}

const uint8_t *http_exchange_body(const struct http_exchange *x, size_t *n)
{
    *n = x->body.len;
    return x->body.p;
}

struct loop *http_exchange_loop(const struct http_exchange *x)
{
    return x->wk->loop;
}

const char *http_exchange_peer(const struct http_exchange *x)
{
    return x->peer;
}
