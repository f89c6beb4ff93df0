/* conn_read - the receiving half of a connection.
 *
 * One recv() a readiness, into the worker's buffer, and another one only when
 * that was filled: the loop's other sockets come first. What the protocol above
 * does not take is held in a buffer that grows with what has arrived.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net/conn.h"
#include "net/http_fields.h"
#include "net/proxy_parse.h"

#define READ_ROUNDS_MAX 4 /* a turn's reads of one socket, of WORKER_RX_BYTES each */
#define PONGS_PER_READ 64 /* more pings than that in one read: the last is answered */

static void on_poll(uv_poll_t *h, int status, int events);

static bool is_too_far_behind(const struct conn *c)
{
    return conn_out_cost(&c->out) > CONN_OUT_SOFT_MAX;
}

/* Whether the protocol above would use bytes now. */
bool conn__can_feed(const struct conn *c)
{
    if (c->is_ending || is_too_far_behind(c))
        return false;
    if (c->state == CONN_WS)
        return ws__wants_input(c);
    return c->state == CONN_HTTP && http__wants_input(c);
}

bool conn__wants_input(const struct conn *c)
{
    switch ((enum conn_state)c->state) {
    case CONN_PROXY:
        return true;
    case CONN_LINGER:
        return !c->has_eof;
    case CONN_CLOSED:
        return false;
    case CONN_HTTP:
        /* While an answer is made the socket is still watched, for its end. */
        if (!c->is_ending && !c->has_eof && !is_too_far_behind(c) && !http__wants_input(c))
            return c->in_len < CONN_IN_HELD_MAX;
        return !c->has_eof && conn__can_feed(c);
    case CONN_WS:
        return !c->has_eof && conn__can_feed(c);
    }
    return false;
}

void conn__update_poll(struct conn *c)
{
    int events = 0;

    if (c->state == CONN_CLOSED)
        return;
    if (conn__wants_input(c))
        events |= UV_READABLE;
    if (c->is_blocked || c->is_retry_read)
        events |= UV_WRITABLE;
    if (events == c->poll_events)
        return;
    c->poll_events = (uint8_t)events;
    if (events == 0)
        uv_poll_stop(&c->poll);
    else
        uv_poll_start(&c->poll, events, on_poll);
}

static long receive(struct conn *c, uint8_t *p, size_t n)
{
    ssize_t got;

    if (c->tls != NULL)
        return tls__read(c, p, n);
    do
        got = recv(c->fd, p, n, 0);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return got;
    return errno == EAGAIN || errno == EWOULDBLOCK ? CONN_AGAIN : CONN_BROKEN;
}

static size_t feed(struct conn *c, uint8_t *p, size_t n)
{
    size_t used = 0;

    c->wk->pongs_left = PONGS_PER_READ;
    while (used < n) {
        size_t step;

        if (c->is_ending || c->state == CONN_LINGER) {
            used = n; /* nobody reads this any more */
            break;
        }
        if (!conn__can_feed(c))
            break;
        step = c->state == CONN_WS ? ws__feed(c, p + used, n - used)
                                   : http__feed(c, p + used, n - used);
        if (step == 0)
            break;
        used += step;
    }
    return used;
}

void conn__free_in(struct conn *c)
{
    mem_free(conn__account(c), c->in, c->in_cap);
    c->in = NULL;
    c->in_len = c->in_cap = 0;
}

/* Keeps bytes for later. The buffer grows with what has arrived. */
static bool hold(struct conn *c, const uint8_t *p, size_t n)
{
    size_t need = c->in_len + n;

    if (n == 0)
        return true;
    if (need > c->in_cap) {
        size_t cap = c->in_len == 0 ? n : need + need / 2;
        uint8_t *in = mem_resize(conn__account(c), c->in, c->in_cap, cap);

        if (in == NULL)
            return false;
        c->in = in;
        c->in_cap = (uint32_t)cap;
    }
    memcpy(c->in + c->in_len, p, n);
    c->in_len += (uint32_t)n;
    return true;
}

void conn__feed_held(struct conn *c)
{
    size_t used = feed(c, c->in, c->in_len);

    c->in_len -= (uint32_t)used;
    if (c->in_len == 0)
        conn__free_in(c);
    else if (used > 0)
        memmove(c->in, c->in + used, c->in_len);
}

static bool take_bytes(struct conn *c, uint8_t *p, size_t n)
{
    size_t used = 0;

    stat_add(&c->wk->stats.bytes_in, n);
    c->ws.heard_ms = (uint32_t)loop_now_ms(c->wk->loop);
    if (c->in_len > 0) {
        if (!hold(c, p, n))
            return false;
        if (conn__can_feed(c) || c->is_ending)
            conn__feed_held(c);
        return true;
    }
    if (conn__can_feed(c) || c->is_ending || c->state == CONN_LINGER)
        used = feed(c, p, n);
    return hold(c, p + used, n - used);
}

/* Reads the PROXY header and not a byte more: TLS may come behind it. What is
 * only a part of it belongs to it, and is taken off the socket, since a socket
 * that is only looked at would stay readable. */
static long read_proxy_header(struct conn *c)
{
    uint8_t bytes[PROXY_V2_BYTES_MAX];
    struct proxy_header h;
    char ip[HTTP_IP_BYTES_MAX];
    size_t held = c->in_len;
    ssize_t got;
    long len;

    if (held > 0)
        memcpy(bytes, c->in, held);
    got = recv(c->fd, bytes + held, sizeof(bytes) - held, MSG_PEEK);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? CONN_AGAIN : CONN_BROKEN;
    len = proxy_parse_header(bytes, held + (size_t)got, &h);
    if (len < 0) {
        stat_add(&c->wk->stats.refused_total, 1);
        return CONN_BROKEN;
    }
    if (len > 0)
        got = len - (long)held;
    if (recv(c->fd, bytes + held, (size_t)got, 0) != got)
        return CONN_BROKEN;
    if (len == 0)
        return hold(c, bytes + held, (size_t)got) ? CONN_AGAIN : CONN_BROKEN;
    conn__free_in(c);
    if (h.has_addr && listener__format_peer(&h.source, ip))
        conn__set_peer(c, ip);
    c->state = CONN_HTTP;
    if (!tls__start(c))
        return CONN_BROKEN;
    http__start(c);
    return CONN_AGAIN;
}

static void on_eof(struct conn *c)
{
    c->has_eof = true;
    switch ((enum conn_state)c->state) {
    case CONN_HTTP:
        http__on_eof(c);
        return;
    case CONN_WS:
        /* Answers and the close frame may still be on their way out. */
        if (!c->ws.close_sent) {
            conn__abort(c);
            return;
        }
        conn__end_after_flush(c);
        return;
    default:
        conn__abort(c);
    }
}

void conn__read(struct conn *c)
{
    struct worker *wk = c->wk;
    unsigned rounds = 0;
    long n;

    if (c->state == CONN_PROXY) {
        n = read_proxy_header(c);
    } else {
        do {
            n = receive(c, wk->rx, WORKER_RX_BYTES);
            if (n > 0 && !take_bytes(c, wk->rx, (size_t)n))
                n = CONN_BROKEN;
        } while (n == WORKER_RX_BYTES && ++rounds < READ_ROUNDS_MAX && conn__wants_input(c));
    }
    /* A write may have waited for this read, and TLS may hold bytes that no poll shows. */
    if (c->tls != NULL && (c->out.n > 0 || tls__has_pending(c)))
        conn__mark(c);
    if (n == CONN_BROKEN)
        conn__abort(c);
    else if (n == 0)
        on_eof(c);
    conn__update_poll(c);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct conn *c = (struct conn *)((char *)h - offsetof(struct conn, poll));

    if (status < 0) {
        /* libuv has stopped the handle because of an error on the socket: what
         * arrived before it is still to be read. */
        c->poll_events = 0;
        if (conn__wants_input(c))
            conn__read(c);
        conn__break_off(c);
        return;
    }
    if ((events & UV_WRITABLE) != 0) {
        c->is_blocked = false;
        if (c->is_retry_read) {
            c->is_retry_read = false;
            events |= UV_READABLE;
        }
        conn__mark(c);
    }
    if ((events & UV_READABLE) != 0 && conn__wants_input(c))
        conn__read(c);
}
