#include "gate/yjs_socket.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "gate/gate_priv.h"
#include "net/http_uri.h"

#define TIMER_MS 2000
#define PARAM_BYTES_MAX 8192

/* --- frames that wait --------------------------------------------------------- */

int yjs_queue_push(struct yjs_queue *q, const uint8_t *p, size_t n)
{
    struct yjs_frame *f = mem_alloc(mem_process(), sizeof(*f) + n);

    f->next = NULL;
    f->len = n;
    memcpy(f->bytes, p, n);
    if (q->first == NULL)
        q->last = &q->first;
    *q->last = f;
    q->last = &f->next;
    q->count++;
    q->bytes += n;
    return 0;
}

struct yjs_frame *yjs_queue_pop(struct yjs_queue *q)
{
    struct yjs_frame *f = q->first;

    if (f == NULL)
        return NULL;
    q->first = f->next;
    q->count--;
    q->bytes -= f->len;
    return f;
}

void yjs_frame_free(struct yjs_frame *f)
{
    mem_free(mem_process(), f, sizeof(*f) + f->len);
}

void yjs_queue_fini(struct yjs_queue *q)
{
    struct yjs_frame *f;

    while ((f = yjs_queue_pop(q)) != NULL)
        yjs_frame_free(f);
}

/* --- the URL -------------------------------------------------------------------- */

static char *dup_bytes(const char *p, size_t n)
{
    char *copy = mem_alloc(mem_process(), n + 1);

    memcpy(copy, p, n);
    copy[n] = 0;
    return copy;
}

static void free_bytes(char *p, size_t n)
{
    if (p != NULL)
        mem_free(mem_process(), p, n + 1);
}

static char *take_param(const struct http_request *req, const char *name, size_t *len)
{
    char value[PARAM_BYTES_MAX];
    long n = http_query_get(req->query, name, value, sizeof(value));

    if (n < 0)
        return NULL;
    *len = (size_t)n;
    return dup_bytes(value, (size_t)n);
}

/* The path without its first slash, decoded, as y-websocket appends the room. */
static char *take_path(const struct http_request *req, size_t *len)
{
    struct http_str path = {req->path.p + 1, req->path.len - 1};
    char value[PARAM_BYTES_MAX];
    long n;

    if (req->path.len <= 1)
        return NULL;
    n = http_percent_decode(path, value, sizeof(value));
    if (n <= 0)
        return NULL;
    *len = (size_t)n;
    return dup_bytes(value, (size_t)n);
}

struct yjs_socket *yjs_socket_new(struct gate *g, const struct http_request *req)
{
    struct yjs_socket *s = mem_alloc_zero(mem_process(), sizeof(*s));
    struct http_str bearer = gate__get_bearer(req);
    bool is_api = http_str_is(req->path, "/api/ws");
    size_t n;

    s->gate = g;
    map_init(&s->by_address, mem_process());
    s->room = is_api ? take_param(req, "room", &s->room_len) : take_path(req, &s->room_len);
    s->token = take_param(req, "token", &n);
    if (s->token != NULL && strlen(s->token) != n) /* a zero byte: no token is like that */
        s->token[0] = 0;
    if (s->token == NULL && bearer.p != NULL)
        s->token = dup_bytes(bearer.p, bearer.len);
    s->token_cap = s->token != NULL ? strlen(s->token) : 0;
    s->incarnation = take_param(req, "incarnation", &s->incarnation_len);
    return s;
}

void yjs_socket_free(struct yjs_socket *s)
{
    while (s->channels != NULL)
        yjs_channel_free(s->channels);
    map_fini(&s->by_address);
    yjs_queue_fini(&s->stash);
    free_bytes(s->room, s->room_len);
    free_bytes(s->token, s->token_cap);
    free_bytes(s->incarnation, s->incarnation_len);
    mem_free(mem_process(), s, sizeof(*s));
}

/* --- time ------------------------------------------------------------------------- */

static bool has_joined(const struct yjs_socket *s)
{
    return s->n_channels > s->n_unjoined;
}

/* Clients take 30 s without a message for a dead server; a quiet room's members
 * are sent an awareness update about nobody. */
static void send_keepalive(struct yjs_socket *s)
{
    struct yjs_channel *c = s->channels;
    struct ydoc_buf *b;

    while (c != NULL && !room_has_joined(&c->m))
        c = c->next;
    if (c == NULL)
        return;
    b = yjs_channel_begin(c);
    lib0_write_varuint(b, YJS_AWARENESS);
    lib0_write_varuint(b, 1);
    lib0_write_varuint(b, 0);
    yjs_socket_send(s, b);
}

static void on_timer(struct loop *l, struct loop_timer *t)
{
    struct yjs_socket *s =
        (struct yjs_socket *)(void *)((char *)t - offsetof(struct yjs_socket, timer));
    const struct gate_options *o = gate__options(s->gate);

    if (s->deadline_ms != 0 && has_joined(s))
        s->deadline_ms = 0;
    if (s->deadline_ms != 0) {
        if (loop_now_ms(l) >= s->deadline_ms) {
            yjs_socket_close(s, YJS_CLOSE_TIMEOUT,
                             "Connection Timeout: nothing was joined in time");
            return;
        }
        loop_timer_start(l, t, s->deadline_ms - loop_now_ms(l));
        return;
    }
    if (!s->has_sent)
        send_keepalive(s);
    s->has_sent = false;
    loop_timer_start(l, t, o->keepalive_ms);
}

void yjs_socket_attach(struct yjs_socket *s, struct ws *ws)
{
    struct loop *l = ws_loop(ws);
    uint32_t ms = gate__options(s->gate)->auth_timeout_ms;

    s->ws = ws;
    s->deadline_ms = loop_now_ms(l) + ms;
    s->timer.run = on_timer;
    ws_set_message_max(ws, LIMIT_UNJOINED_MESSAGE);
    loop_timer_start(l, &s->timer, ms);
}

/* --- writing ------------------------------------------------------------------------ */

struct ydoc_buf *yjs_socket_scratch(struct yjs_socket *s)
{
    struct ydoc_buf *b = gate__scratch(s->gate, ws_loop(s->ws));

    ydoc_buf_reset(b);
    return b;
}

void yjs_socket_send(struct yjs_socket *s, struct ydoc_buf *b)
{
    if (!b->failed)
        ws_send(s->ws, WS_BINARY, b->p, b->len);
    else
        yjs_socket_close(s, YJS_CLOSE_TOO_BIG, "the server is at its memory limit");
    s->has_sent = true;
    ydoc_buf_reset(b);
}

static void on_writable(struct ws *ws)
{
    struct yjs_socket *s = ws_get_user(ws);
    struct yjs_channel *next;

    for (struct yjs_channel *c = s->channels; c != NULL; c = next) {
        struct rbuf *frame;

        next = c->next;
        while (ws_can_take(ws) && (frame = room_read(&c->m)) != NULL) {
            s->has_sent = true;
            ws_send_frame_take(ws, frame);
        }
    }
}

void yjs_socket_close(struct yjs_socket *s, uint16_t code, const char *why)
{
    if (!ws_is_closing(s->ws))
        log_peer("yjs.closed", "peer=%s code=%u why=%s", ws_peer(s->ws), code, why);
    ws_close(s->ws, code, why);
}

/* --- reading ------------------------------------------------------------------------- */

bool yjs_socket_move_to_room(struct yjs_socket *s, const char *room, size_t len,
                             const uint8_t *frame, size_t n)
{
    struct loop *owner = engine_get_owner(gate__options(s->gate)->engine, room, len);

    if (owner == ws_loop(s->ws) || s->n_channels > 0)
        return false;
    yjs_queue_push(&s->stash, frame, n);
    s->is_moving = true;
    loop_timer_stop(ws_loop(s->ws), &s->timer);
    ws_move(s->ws, owner);
    return true;
}

static void take_frame(struct yjs_socket *s, uint8_t *p, size_t n)
{
    if (n == 0) {
        yjs_socket_close(s, YJS_CLOSE_MALFORMED, "an empty message");
        return;
    }
    if (s->protocol == NULL)
        s->protocol = p[0] == YJS_SYNC ? &y_websocket_protocol : &hocuspocus_protocol;
    s->protocol->on_frame(s, p, n);
}

static void on_message(struct ws *ws, enum ws_kind kind, uint8_t *p, size_t n)
{
    struct yjs_socket *s = ws_get_user(ws);

    (void)kind; /* Hocuspocus takes text for the bytes that it is, and so do we */
    if (s->is_moving)
        yjs_queue_push(&s->stash, p, n);
    else
        take_frame(s, p, n);
}

static void on_moved(struct ws *ws)
{
    struct yjs_socket *s = ws_get_user(ws);
    struct yjs_frame *f;

    s->is_moving = false;
    loop_timer_start(ws_loop(ws), &s->timer, TIMER_MS);
    while (!s->is_moving && !ws_is_closing(ws) && (f = yjs_queue_pop(&s->stash)) != NULL) {
        take_frame(s, f->bytes, f->len);
        yjs_frame_free(f);
    }
}

static void on_closed(struct ws *ws, uint16_t code)
{
    struct yjs_socket *s = ws_get_user(ws);

    (void)code;
    loop_timer_stop(ws_loop(ws), &s->timer);
    yjs_socket_free(s);
}

const struct ws_ops yjs_socket_ops = {
    .on_message = on_message,
    .on_writable = on_writable,
    .on_moved = on_moved,
    .on_closed = on_closed,
};
