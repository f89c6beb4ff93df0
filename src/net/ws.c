/* ws - WebSocket connections: what happens between the frames' codec and a gateway.
 *
 * Pings are answered where they stand among the messages. Our own go out after
 * ping_ms of silence; twice that without a byte ends the connection. A close
 * frame is the last that is written; after it the socket is shut, and the
 * peer's end is awaited for a moment, so that the close frame arrives.
 */
#include "net/ws.h"

#include <assert.h>
#include <string.h>

#include "net/conn.h"
#include "net/loop_internal.h"

#define DEFLATE_BYTES_MIN 128u /* less than that does not get shorter by enough */
#define CONTROL_FRAME_BYTES_MAX (2 + WS_CONTROL_BYTES_MAX)

static void fail(struct conn *c, uint16_t code, const char *words);

/* --- opening -------------------------------------------------------------- */

/* Connections that were opened together ping at different times. */
static uint64_t first_ping_ms(const struct conn *c)
{
    uint64_t ms = c->wk->server->o.ping_ms;

    return ms - (c->ws.id * UINT64_C(2654435761) >> 8) % (ms / 4 + 1);
}

void ws__open(struct conn *c, const struct ws_ops *ops, void *user, unsigned deflate_bits)
{
    struct http_server *s = c->wk->server;
    size_t max = s->o.message_bytes_max;
    struct ws *w = &c->ws;

    *w = (struct ws){.ops = ops, .user = user, .is_open = true};
    /* relaxed: unique is all that it has to be */
    w->id = atomic_fetch_add_explicit(&s->shared.ws_ids, 1, memory_order_relaxed) + 1;
    w->heard_ms = (uint32_t)loop_now_ms(c->wk->loop);
    w->deflate_bits = (uint8_t)deflate_bits;
    ws_parser_init(&w->parser, &s->account, max < INT32_MAX ? (uint32_t)max : INT32_MAX,
                   deflate_bits > 0 ? WS_PARSER_DEFLATE : 0);
    c->state = CONN_WS;
    stat_add(&c->wk->stats.ws_open, 1);
    stat_add(&c->wk->stats.ws_total, 1);
    conn__start_timer(c, first_ping_ms(c));
}

void ws_set_user(struct ws *w, const struct ws_ops *ops, void *user)
{
    w->ops = ops;
    w->user = user;
}

void *ws_get_user(const struct ws *w)
{
    return w->user;
}

struct loop *ws_loop(const struct ws *w)
{
    return conn__of_ws(w)->wk->loop;
}

uint64_t ws_id(const struct ws *w)
{
    return w->id;
}

const char *ws_peer(const struct ws *w)
{
    return conn__peer(conn__of_ws(w));
}

void ws_set_message_max(struct ws *w, size_t bytes)
{
    size_t max = conn__of_ws(w)->wk->server->o.message_bytes_max;

    if (bytes < max)
        max = bytes;
    assert(max > 0);
    w->parser.message_bytes_max = max < INT32_MAX ? (uint32_t)max : INT32_MAX;
}

bool ws_is_closing(const struct ws *w)
{
    return !w->is_open || w->close_sent || conn__of_ws(w)->is_ending;
}

/* --- reading -------------------------------------------------------------- */

bool ws__wants_input(const struct conn *c)
{
    return !c->ws.is_paused && !c->ws.is_moving;
}

static void put_control(struct conn *c, enum ws_opcode op, const uint8_t *p, size_t n)
{
    uint8_t frame[CONTROL_FRAME_BYTES_MAX];
    size_t head = ws_frame_header(frame, op, WS_FLAG_FIN, n);

    assert(n <= WS_CONTROL_BYTES_MAX);
    if (n > 0)
        memcpy(frame + head, p, n);
    conn__put(c, frame, head + n);
    stat_add(&c->wk->stats.frames_out, 1);
}

static void put_close(struct conn *c, uint16_t code, const char *reason)
{
    uint8_t frame[CONTROL_FRAME_BYTES_MAX];

    conn__put(c, frame, ws_close_frame(frame, code, reason));
    stat_add(&c->wk->stats.frames_out, 1);
    c->ws.close_sent = true;
}

static void on_peer_close(struct conn *c, uint16_t code)
{
    if (!c->ws.close_sent) {
        c->ws.close_code = code;
        put_close(c, code, NULL);
    }
    conn__end_after_flush(c);
}

/* A flood of pings is not answered with a flood: RFC 6455, 5.5.3 lets us answer
 * the latest one only. */
static void on_ping(struct conn *c, const struct ws_event *ev)
{
    struct worker *wk = c->wk;

    if (wk->pongs_left > 0) {
        wk->pongs_left--;
        put_control(c, WS_OP_PONG, ev->p, ev->len);
        return;
    }
    wk->late_ping.is_set = true;
    wk->late_ping.len = (uint8_t)ev->len;
    if (ev->len > 0)
        memcpy(wk->late_ping.bytes, ev->p, ev->len);
}

static void inflate(struct conn *c, struct ws_event *ev)
{
    struct ws_inflater *z = worker__inflater(c->wk);

    if (z != NULL)
        ws_inflate_event(z, c->ws.parser.message_bytes_max, ev);
    else
        *ev = (struct ws_event){.type = WS_EVENT_ERROR,
                                .close_code = WS_CLOSE_TRY_LATER,
                                .words = "no memory for compression"};
}

static void on_event(struct conn *c, struct ws_event *ev)
{
    struct ws *w = &c->ws;

    if (ev->type == WS_EVENT_MESSAGE && w->close_sent)
        return; /* the gateway has said that it is done */
    if (ev->type == WS_EVENT_MESSAGE && ev->is_compressed)
        inflate(c, ev);
    switch (ev->type) {
    case WS_EVENT_MESSAGE:
        stat_add(&c->wk->stats.messages_in, 1);
        w->ops->on_message(w, ev->opcode == WS_OP_TEXT ? WS_TEXT : WS_BINARY, ev->p, ev->len);
        return;
    case WS_EVENT_PING:
        if (!w->close_sent)
            on_ping(c, ev);
        return;
    case WS_EVENT_CLOSE:
        on_peer_close(c, ev->close_code);
        return;
    case WS_EVENT_ERROR:
        fail(c, ev->close_code, ev->words);
        return;
    case WS_EVENT_PONG:
    case WS_EVENT_NEED_MORE:
        return;
    }
}

size_t ws__feed(struct conn *c, uint8_t *p, size_t n)
{
    struct ws_event ev;
    size_t used = 0;

    do {
        used += ws_parser_feed(&c->ws.parser, p + used, n - used, &ev);
        on_event(c, &ev);
    } while (ev.type != WS_EVENT_NEED_MORE && !c->is_ending && ws__wants_input(c));
    if (c->wk->late_ping.is_set) {
        c->wk->late_ping.is_set = false;
        if (!c->ws.close_sent)
            put_control(c, WS_OP_PONG, c->wk->late_ping.bytes, c->wk->late_ping.len);
    }
    return used;
}

/* --- writing -------------------------------------------------------------- */

struct rbuf *ws_frame_new(struct mem_account *a, enum ws_kind kind, const struct iovec *parts,
                          size_t n)
{
    uint8_t head[WS_HEADER_BYTES_MAX];
    size_t len = 0, head_len;
    struct rbuf *frame;
    uint8_t *to;

    for (size_t i = 0; i < n; i++)
        len += parts[i].iov_len;
    head_len = ws_frame_header(head, (enum ws_opcode)kind, WS_FLAG_FIN, len);
    frame = rbuf_new(a, head_len + len);
    if (frame == NULL)
        return NULL;
    memcpy(frame->bytes, head, head_len);
    to = frame->bytes + head_len;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].iov_len > 0)
            memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    return frame;
}

/* What is queued is lost with the connection, which is the point: a message is
 * delivered or the connection ends. */
static void close_slow(struct conn *c)
{
    stat_add(&c->wk->stats.slow_closed_total, 1);
    conn_out_drop_unsent(&c->out, conn__account(c));
    fail(c, WS_CLOSE_TRY_LATER, "too far behind in reading; connect again");
}

static bool takes_messages(struct conn *c, size_t n)
{
    if (c->state != CONN_WS || c->ws.close_sent || c->is_ending)
        return false;
    assert(!c->ws.is_moving);
    if (conn_out_cost(&c->out) + n <= CONN_OUT_HARD_MAX)
        return true;
    /* One message may be larger than the limit, when nothing is before it. */
    if (c->out.n == 0)
        return true;
    close_slow(c);
    return false;
}

void ws_send_frame_take(struct ws *w, struct rbuf *frame)
{
    struct conn *c = conn__of_ws(w);

    assert(loop_is_current(c->wk->loop));
    if (!takes_messages(c, frame->len)) {
        rbuf_unref(frame);
        return;
    }
    stat_add(&c->wk->stats.frames_out, 1);
    if (w->deflate_bits > 0 && frame->len >= DEFLATE_BYTES_MIN) {
        struct rbuf *packed = worker__packed_ref(c->wk, frame, w->deflate_bits);

        rbuf_unref(frame);
        frame = packed;
    }
    conn__put_take(c, frame);
}

static void send_plain(struct conn *c, enum ws_kind kind, unsigned flags, const void *p, size_t n)
{
    uint8_t head[WS_HEADER_BYTES_MAX];
    size_t head_len = ws_frame_header(head, (enum ws_opcode)kind, WS_FLAG_FIN | flags, n);
    uint8_t *to = conn__reserve(c, head_len + n);

    if (to == NULL)
        return;
    memcpy(to, head, head_len);
    if (n > 0)
        memcpy(to + head_len, p, n);
}

void ws_send(struct ws *w, enum ws_kind kind, const void *p, size_t n)
{
    struct conn *c = conn__of_ws(w);
    struct ws_deflater *z;
    struct ws_bytes packed;

    assert(loop_is_current(c->wk->loop));
    if (!takes_messages(c, n))
        return;
    stat_add(&c->wk->stats.frames_out, 1);
    if (w->deflate_bits > 0 && n >= DEFLATE_BYTES_MIN) {
        z = worker__deflater(c->wk);
        if (z != NULL && ws_deflate(z, w->deflate_bits, p, n, &packed) == 0 && packed.len < n) {
            send_plain(c, kind, WS_FLAG_RSV1, packed.p, packed.len);
            return;
        }
    }
    send_plain(c, kind, 0, p, n);
}

void ws_want_write(struct ws *w)
{
    struct conn *c = conn__of_ws(w);

    assert(loop_is_current(c->wk->loop));
    w->wants_write = true;
    if (!c->is_blocked)
        conn__mark(c); /* else on_writable() follows when the socket takes bytes again */
}

bool ws_can_take(const struct ws *w)
{
    const struct conn *c = conn__of_ws(w);

    return c->out.bytes < CONN_OUT_MARK && c->out.n < CONN_OUT_MARK_SLOTS;
}

bool ws__fill(struct conn *c)
{
    struct ws *w = &c->ws;

    if (!w->wants_write && !w->was_refused)
        return false;
    if (ws_is_closing(w) || w->is_moving || w->ops->on_writable == NULL) {
        w->wants_write = w->was_refused = false;
        return false;
    }
    if (!ws_can_take(w))
        return false;
    w->wants_write = w->was_refused = false;
    w->ops->on_writable(w);
    /* A gateway stops when the queue is full, so a full queue means that it may
     * have more. */
    w->was_refused = !ws_is_closing(w) && !ws_can_take(w);
    return w->was_refused || w->wants_write;
}

/* --- time ----------------------------------------------------------------- */

void ws__on_timer(struct conn *c)
{
    struct ws *w = &c->ws;
    uint64_t ping_ms = c->wk->server->o.ping_ms;
    uint64_t silence = (uint32_t)((uint32_t)loop_now_ms(c->wk->loop) - w->heard_ms);

    if (w->close_sent) {
        if (c->out.n > 0 && c->is_progress_seen) {
            c->is_progress_seen = false;
            conn__start_timer(c, CONN_CLOSE_MS);
        } else {
            conn__abort(c); /* the peer has not answered the close frame */
        }
        return;
    }
    if (c->out.n > 0 && silence >= ping_ms && !c->is_progress_seen) {
        stat_add(&c->wk->stats.slow_closed_total, 1);
        conn__abort(c);
        return;
    }
    c->is_progress_seen = false;
    if (silence < ping_ms) {
        conn__start_timer(c, ping_ms - silence);
        return;
    }
    if (silence >= 2 * ping_ms && ws__wants_input(c)) {
        stat_add(&c->wk->stats.timeouts_total, 1);
        conn__abort(c);
        return;
    }
    put_control(c, WS_OP_PING, NULL, 0);
    conn__start_timer(c, silence < 2 * ping_ms ? 2 * ping_ms - silence : ping_ms);
}

/* --- the end -------------------------------------------------------------- */

void ws_close(struct ws *w, uint16_t code, const char *reason)
{
    struct conn *c = conn__of_ws(w);

    assert(loop_is_current(c->wk->loop));
    assert(!w->is_moving);
    if (c->state != CONN_WS || ws_is_closing(w))
        return;
    w->close_code = code;
    put_close(c, code, reason);
    c->is_progress_seen = true;
    conn__start_timer(c, CONN_CLOSE_MS);
}

/* The peer broke the rules, or does not keep up: no answer is awaited. */
static void fail(struct conn *c, uint16_t code, const char *words)
{
    if (!c->ws.close_sent) {
        c->ws.close_code = code;
        put_close(c, code, words);
    }
    conn__end_after_flush(c);
}

void ws__end(struct conn *c)
{
    struct ws *w = &c->ws;

    if (!w->is_open)
        return;
    w->is_open = false;
    stat_add(&c->wk->stats.ws_open, (uint64_t)-1);
    w->ops->on_closed(w, w->close_code != 0 ? w->close_code : WS_CLOSE_ABNORMAL);
}

/* --- moving and pausing --------------------------------------------------- */

void ws_move(struct ws *w, struct loop *to)
{
    struct conn *c = conn__of_ws(w);

    assert(loop_is_current(c->wk->loop));
    assert(!w->is_moving && to != NULL && loop__worker(to) != NULL);
    w->is_moving = true;
    w->move_to = to;
    conn__mark(c);
}

void ws__arrive(struct conn *c)
{
    struct ws *w = &c->ws;

    w->is_moving = false;
    w->move_to = NULL;
    if (c->state != CONN_CLOSED)
        conn__start_timer(c, w->close_sent || c->is_ending ? CONN_CLOSE_MS : first_ping_ms(c));
    w->ops->on_moved(w);
}

void ws_pause_reading(struct ws *w, bool paused)
{
    struct conn *c = conn__of_ws(w);

    assert(loop_is_current(c->wk->loop));
    w->is_paused = paused;
    conn__mark(c);
}
