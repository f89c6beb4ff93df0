#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop_internal.h"

#define FILL_ROUNDS_MAX 4 /* a turn's refills of one socket that takes everything */
#define WRITE_PIECES_MAX 64

static void on_timer(struct loop *l, struct loop_timer *t);
static void on_handle_closed(uv_handle_t *h);
static void start_move(struct conn *c);
static void free_parts(struct conn *c);

static struct conn *of_handle(uv_poll_t *h)
{
    return (struct conn *)((char *)h - offsetof(struct conn, poll));
}

static void link_conn(struct conn *c)
{
    c->next = c->wk->conns;
    c->pprev = &c->wk->conns;
    if (c->next != NULL)
        c->next->pprev = &c->next;
    c->wk->conns = c;
    stat_add(&c->wk->stats.connections_open, 1);
}

static void unlink_conn(struct conn *c)
{
    *c->pprev = c->next;
    if (c->next != NULL)
        c->next->pprev = c->pprev;
    stat_add(&c->wk->stats.connections_open, (uint64_t)-1);
}

static void free_conn(struct conn *c)
{
    struct http_server *s = c->wk->server;

    mem_free(&s->account, c, sizeof(*c));
    /* relaxed: a limit, it orders nothing */
    atomic_fetch_sub_explicit(&s->shared.connections, 1, memory_order_relaxed);
    http_server__release(s);
}

/* --- the beginning -------------------------------------------------------- */

static void drop_accepted(struct http_server *s, int fd)
{
    close(fd);
    atomic_fetch_sub_explicit(&s->shared.connections, 1, memory_order_relaxed); /* as above */
    http_server__release(s);
}

void conn__accept(struct worker *wk, int fd, const char *peer, bool is_trusted)
{
    struct http_server *s = wk->server;
    struct conn *c;

    if (s->o.proxy_protocol && !is_trusted) {
        stat_add(&wk->stats.refused_total, 1);
        drop_accepted(s, fd);
        return;
    }
    c = mem_alloc_zero(&s->account, sizeof(*c));
    if (c == NULL || uv_poll_init(loop__uv(wk->loop), &c->poll, fd) != 0) {
        mem_free(&s->account, c, sizeof(*c));
        drop_accepted(s, fd);
        return;
    }
    c->wk = wk;
    c->fd = fd;
    conn_out_init(&c->out);
    c->u.timer.run = on_timer;
    conn__set_peer(c, peer);
    link_conn(c);
    stat_add(&wk->stats.connections_total, 1);
    c->state = s->o.proxy_protocol ? CONN_PROXY : CONN_HTTP;
    if (c->state == CONN_PROXY)
        conn__start_timer(c, s->o.head_timeout_ms);
    else if (tls__start(c))
        http__start(c);
    else {
        conn__abort(c);
        return;
    }
    conn__update_poll(c);
}

const char *conn__peer(const struct conn *c)
{
    return c->has_long_peer ? c->peer.dup : c->peer.text;
}

void conn__set_peer(struct conn *c, const char *ip)
{
    size_t n = strlen(ip);
    char *dup;

    if (ip == conn__peer(c))
        return;
    if (c->has_long_peer)
        mem_free_str(conn__account(c), c->peer.dup);
    c->has_long_peer = false;
    c->peer.text[0] = 0;
    if (n < sizeof(c->peer.text)) {
        memcpy(c->peer.text, ip, n + 1);
        return;
    }
    dup = mem_dup_str(conn__account(c), ip);
    if (dup == NULL)
        return;
    c->peer.dup = dup;
    c->has_long_peer = true;
}

void conn__start_timer(struct conn *c, uint64_t after_ms)
{
    loop_timer_start(c->wk->loop, &c->u.timer, after_ms);
}

void conn__stop_timer(struct conn *c)
{
    loop_timer_stop(c->wk->loop, &c->u.timer);
}

static void on_timer(struct loop *l, struct loop_timer *t)
{
    struct conn *c = (struct conn *)((char *)t - offsetof(struct conn, u.timer));

    (void)l;
    if (c->is_ending && c->state != CONN_LINGER && c->is_progress_seen) {
        c->is_progress_seen = false;
        conn__start_timer(c, c->state == CONN_WS ? CONN_CLOSE_MS : CONN_SLOW_MS);
        return;
    }
    if (c->state == CONN_WS && c->ws.is_moving)
        return;
    if (c->is_ending || c->state == CONN_LINGER || c->state == CONN_PROXY) {
        if (c->state == CONN_PROXY)
            stat_add(&c->wk->stats.timeouts_total, 1);
        else if (c->out.n > 0)
            stat_add(&c->wk->stats.slow_closed_total, 1);
        conn__abort(c);
        return;
    }
    if (c->state == CONN_HTTP)
        http__on_timer(c);
    else if (c->state == CONN_WS)
        ws__on_timer(c);
}

/* --- queueing ------------------------------------------------------------- */

void conn__mark(struct conn *c)
{
    struct worker *wk = c->wk;

    if (c->is_pending || c->state == CONN_CLOSED)
        return;
    c->is_pending = true;
    c->pending_next = NULL;
    *wk->pending_end = c;
    wk->pending_end = &c->pending_next;
}

/* A queue that cannot grow means that the peer has stopped reading for long,
 * or that memory is at its limit. Either way nothing whole can be sent. */
static void give_up(struct conn *c)
{
    stat_add(&c->wk->stats.slow_closed_total, 1);
    conn_out_drop_unsent(&c->out, conn__account(c));
    conn__end_after_flush(c);
}

static bool takes_output(const struct conn *c)
{
    return c->state != CONN_CLOSED && c->state != CONN_LINGER && !c->is_ending;
}

uint8_t *conn__reserve(struct conn *c, size_t n)
{
    struct mem_account *a = conn__account(c);
    struct rbuf *b;
    uint8_t *p = NULL;

    if (!takes_output(c))
        return NULL;
    conn__mark(c);
    if (!c->is_blocked)
        p = conn_out_put_arena(&c->out, a, &c->wk->arena, n);
    if (p != NULL)
        return p;
    b = rbuf_new(a, n);
    if (b == NULL || !conn_out_put_take(&c->out, a, b)) {
        give_up(c);
        return NULL;
    }
    return b->bytes;
}

void conn__put(struct conn *c, const void *p, size_t n)
{
    uint8_t *to = n > 0 ? conn__reserve(c, n) : NULL;

    if (to != NULL)
        memcpy(to, p, n);
}

void conn__put_take(struct conn *c, struct rbuf *b)
{
    if (!takes_output(c)) {
        rbuf_unref(b);
        return;
    }
    conn__mark(c);
    if (!conn_out_put_take(&c->out, conn__account(c), b))
        give_up(c);
}

void conn__put_static(struct conn *c, const uint8_t *p, size_t n)
{
    if (!takes_output(c))
        return;
    conn__mark(c);
    if (!conn_out_put_static(&c->out, conn__account(c), p, n))
        give_up(c);
}

/* --- writing -------------------------------------------------------------- */

static long write_plain(struct conn *c)
{
    struct iovec iov[WRITE_PIECES_MAX];
    int pieces = conn_out_get_iov(&c->out, &c->wk->arena, iov, WRITE_PIECES_MAX);
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)pieces};
    size_t total = 0;
    ssize_t n;

    do
        n = pieces == 1 ? send(c->fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL)
                        : sendmsg(c->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->is_blocked = true;
        return CONN_AGAIN;
    }
    if (n < 0)
        return CONN_BROKEN;
    for (int i = 0; i < pieces; i++)
        total += iov[i].iov_len;
    if ((size_t)n < total)
        c->is_blocked = true; /* it took less: asking again would only say so */
    return n;
}

static void start_linger(struct conn *c)
{
    ws__end(c);
    if (c->tls != NULL)
        tls__shut(c);
    shutdown(c->fd, SHUT_WR);
    if (c->has_eof) {
        conn__abort(c);
        return;
    }
    /* Closing a socket with unread bytes would reset it, and the peer could lose
     * the last answer: read until its end comes. */
    c->state = CONN_LINGER;
    if (c->in_cap > 0)
        conn__free_in(c);
    conn__start_timer(c, CONN_LINGER_MS);
}

void conn__break_off(struct conn *c)
{
    if (c->state == CONN_WS && c->ws.is_moving) {
        conn_out_fini(&c->out, conn__account(c));
        conn__mark(c);
        return;
    }
    conn__abort(c);
}

static void write_out(struct conn *c)
{
    while (c->out.n > 0 && !c->is_blocked) {
        long n = c->tls != NULL ? tls__write(c) : write_plain(c);

        if (n == CONN_BROKEN) {
            conn__break_off(c);
            return;
        }
        if (n == CONN_AGAIN)
            break;
        stat_add(&c->wk->stats.writes_total, 1);
        stat_add(&c->wk->stats.bytes_out, (uint64_t)n);
        conn_out_consume(&c->out, conn__account(c), (size_t)n);
        c->is_progress_seen = true;
    }
    if (c->out.n > 0) {
        if (!conn_out_settle(&c->out, &c->wk->arena, conn__account(c)))
            conn__break_off(c);
        return;
    }
    if (c->is_ending && c->state != CONN_LINGER)
        start_linger(c);
}

void conn__flush(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->in_len > 0 && conn__can_feed(c))
        conn__feed_held(c);
    if (c->tls != NULL && tls__has_pending(c) && conn__wants_input(c))
        conn__read(c);
    if (c->state == CONN_CLOSED)
        return;
    if (c->has_eof && c->state == CONN_HTTP && c->exchange == NULL)
        conn__end_after_flush(c); /* what came before the end has been answered */
    for (unsigned i = 0; i < FILL_ROUNDS_MAX; i++) {
        bool more = c->state == CONN_WS && ws__fill(c);

        write_out(c);
        if (!more || c->state != CONN_WS || c->out.n > 0)
            break;
    }
    if (c->state == CONN_WS && c->ws.was_refused && c->out.n == 0)
        conn__mark(c); /* it takes everything: the rest in the next round */
    if (c->in_len > 0 && conn__can_feed(c))
        conn__mark(c);
    if (c->state == CONN_WS && c->ws.is_moving && !c->is_pending)
        start_move(c);
    else
        conn__update_poll(c);
}

/* --- moving --------------------------------------------------------------- */

static void on_arrival(struct loop *l, struct loop_message *m)
{
    struct conn *c = (struct conn *)((char *)m - offsetof(struct conn, u.move.message));

    c->wk = loop__worker(l);
    memset(&c->u, 0, sizeof(c->u));
    c->u.timer.run = on_timer;
    link_conn(c);
    stat_add(&c->wk->stats.ws_open, 1);
    if (uv_poll_init(loop__uv(l), &c->poll, c->fd) != 0) {
        /* The gateway learns the usual way: it has arrived, and it is closed. */
        c->state = CONN_CLOSED;
        ws__arrive(c);
        unlink_conn(c);
        ws__end(c);
        free_parts(c);
        close(c->fd);
        free_conn(c);
        return;
    }
    ws__arrive(c);
    conn__mark(c);
    conn__update_poll(c);
}

static void on_handle_moved(uv_handle_t *h)
{
    struct conn *c = of_handle((uv_poll_t *)h);

    loop_post(c->u.move.to, &c->u.move.message);
}

static void start_move(struct conn *c)
{
    struct loop *to = c->ws.move_to;

    if (to == c->wk->loop) {
        ws__arrive(c);
        conn__mark(c);
        return;
    }
    conn__stop_timer(c);
    unlink_conn(c);
    stat_add(&c->wk->stats.ws_open, (uint64_t)-1);
    uv_poll_stop(&c->poll);
    c->poll_events = 0;
    c->u.move.message.run = on_arrival;
    c->u.move.to = to;
    uv_close((uv_handle_t *)&c->poll, on_handle_moved);
}

/* --- the end -------------------------------------------------------------- */

void conn__end_after_flush(struct conn *c)
{
    if (c->is_ending || c->state == CONN_CLOSED || c->state == CONN_LINGER)
        return;
    c->is_ending = true;
    c->is_progress_seen = true; /* it has not had its chance yet */
    conn__start_timer(c, CONN_CLOSE_MS);
    conn__mark(c);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct conn *c = of_handle((uv_poll_t *)h);

    c->is_handle_closed = true;
    if (!c->is_pending) /* else the turn's end finds it in its list */
        free_conn(c);
}

static void free_parts(struct conn *c)
{
    conn_out_fini(&c->out, conn__account(c));
    conn__free_in(c);
    tls__free(c);
    ws_parser_fini(&c->ws.parser);
    conn__set_peer(c, "");
}

void conn__abort(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED; /* from here on nothing can be queued */
    ws__end(c);
    http__on_gone(c);
    conn__stop_timer(c);
    unlink_conn(c);
    free_parts(c);
    uv_poll_stop(&c->poll);
    uv_close((uv_handle_t *)&c->poll, on_handle_closed);
    close(c->fd);
}

/* --- the turn's end ------------------------------------------------------- */

bool worker__flush(struct worker *w)
{
    struct conn *list = w->pending;

    if (list == NULL)
        return false;
    w->pending = NULL;
    w->pending_end = &w->pending;
    while (list != NULL) {
        struct conn *c = list;

        list = c->pending_next;
        c->is_pending = false;
        if (c->is_handle_closed)
            free_conn(c);
        else
            conn__flush(c);
    }
    if (w->pending == NULL) {
        w->arena.used = 0; /* all of it was written, or moved to buffers */
        worker__drop_twins(w);
    }
    return true;
}
