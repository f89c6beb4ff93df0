#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "gate/gate_priv.h"
#include "gate/yjs_socket.h"

static const struct member_ops channel_ops;

static struct yjs_channel *channel_of(struct member *m)
{
    return (struct yjs_channel *)(void *)m;
}

/* --- life ----------------------------------------------------------------------- */

static void link_channel(struct yjs_socket *s, struct yjs_channel *c)
{
    c->s = s;
    c->next = s->channels;
    if (s->channels != NULL)
        s->channels->prev = c;
    s->channels = c;
    s->n_channels++;
    s->n_unjoined++;
}

static void unlink_channel(struct yjs_channel *c)
{
    struct yjs_socket *s = c->s;

    map_remove(&s->by_address, c->address, c->address_len);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        s->channels = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    s->n_channels--;
    if (!c->m.joined)
        s->n_unjoined--;
}

struct yjs_channel *yjs_channel_new(struct yjs_socket *s, const char *address, size_t len,
                                    size_t room_len)
{
    struct yjs_channel *c;

    assert(room_len <= len && len <= UINT16_MAX);
    if (s->n_unjoined >= LIMIT_UNJOINED_CHANNELS ||
        s->n_channels >= gate__options(s->gate)->channels_max)
        return NULL;
    c = mem_alloc_zero(mem_process(), sizeof(*c) + len);
    memcpy(c->address, address, len);
    c->address_len = (uint16_t)len;
    c->room_len = (uint16_t)room_len;
    c->m.ops = &channel_ops;
    c->m.encoding = s->protocol->encoding;
    if (map_set(&s->by_address, c->address, len, c, NULL) != 0)
        abort(); /* the process' account has no limit */
    link_channel(s, c);
    return c;
}

struct yjs_channel *yjs_channel_find(struct yjs_socket *s, const char *address, size_t len)
{
    return map_get(&s->by_address, address, len);
}

static void drop_queue(struct yjs_channel *c)
{
    c->s->unjoined_frames -= c->queue.count;
    c->s->unjoined_bytes -= c->queue.bytes;
    yjs_queue_fini(&c->queue);
}

void yjs_channel_free(struct yjs_channel *c)
{
    if (!c->is_dead) {
        unlink_channel(c);
        room_leave(&c->m);
        drop_queue(c);
        c->is_dead = true;
    }
    if (c->is_busy)
        return;
    rbuf_unref(c->m.user);
    mem_free(mem_process(), c, sizeof(*c) + c->address_len);
}

const char *yjs_channel_room(const struct yjs_channel *c)
{
    return c->address;
}

/* --- joining ----------------------------------------------------------------------- */

int yjs_channel_join(struct yjs_channel *c, const char *token, size_t len, struct err *why)
{
    const struct gate_options *o = gate__options(c->s->gate);
    struct auth_ticket ticket;
    int rc = auth_check(o->auth, token, len, c->address, c->room_len, &ticket, why);

    metrics_add(rc == 0 ? METRIC_AUTH_ACCEPTED : METRIC_AUTH_REFUSED, 1);
    if (rc != 0)
        return rc;
    c->m.access = ticket.access == AUTH_WRITE ? MEMBER_WRITE : MEMBER_READ;
    rbuf_unref(c->m.user);
    c->m.user = NULL;
    if (ticket.user[0] != 0)
        c->m.user = rbuf_dup(mem_process(), ticket.user, strlen(ticket.user));
    if (c->is_joining || c->m.joined)
        return 0; /* a new token for a document that is open: only the access changes */
    c->m.connection = ws_id(c->s->ws);
    c->is_joining = true;
    room_join(o->engine, &c->m, c->address, c->room_len);
    return 0;
}

static bool is_incarnation(const struct yjs_channel *c, const uint8_t *id)
{
    static const char hex[] = "0123456789abcdef";
    const char *want = c->s->incarnation;

    if (want == NULL || id == NULL)
        return true;
    if (c->s->incarnation_len != 32)
        return false;
    for (size_t i = 0; i < 16; i++) {
        if (want[2 * i] != hex[id[i] >> 4] || want[2 * i + 1] != hex[id[i] & 15])
            return false;
    }
    return true;
}

static void on_joined(struct member *m, int rc, const char *why)
{
    struct yjs_channel *c = channel_of(m);

    c->is_joining = false;
    if (rc == 0) {
        c->s->n_unjoined--;
        ws_set_message_max(c->s->ws, SIZE_MAX);
        if (!is_incarnation(c, room_get_incarnation(m))) {
            rc = SK_ECLOSED;
            why = "the document was replaced: reload, do not merge";
        }
    }
    c->s->protocol->on_joined(c, rc, why);
}

/* What a frame leads to may end the channel. It stays in memory until whoever
 * handles the frame has returned. */
static bool enter(struct yjs_channel *c)
{
    bool was_busy = c->is_busy;

    c->is_busy = true;
    return was_busy;
}

static void leave(struct yjs_channel *c, bool was_busy)
{
    c->is_busy = was_busy;
    if (c->is_dead)
        yjs_channel_free(c);
}

void yjs_channel_drain(struct yjs_channel *c)
{
    bool was_busy = enter(c);
    struct yjs_frame *f;

    while (!c->is_dead && !ws_is_closing(c->s->ws) && (f = yjs_queue_pop(&c->queue)) != NULL) {
        c->s->unjoined_frames--;
        c->s->unjoined_bytes -= f->len;
        yjs_channel_take(c, f->bytes, f->len);
        yjs_frame_free(f);
    }
    leave(c, was_busy);
}

static void wait_for_join(struct yjs_channel *c, const uint8_t *p, size_t n)
{
    struct yjs_socket *s = c->s;

    if (s->unjoined_frames >= LIMIT_UNJOINED_FRAMES ||
        n > LIMIT_UNJOINED_BYTES - s->unjoined_bytes) {
        yjs_socket_close(s, YJS_CLOSE_TOO_BIG, "too much was sent before a document was joined");
        return;
    }
    s->unjoined_frames++;
    s->unjoined_bytes += n;
    yjs_queue_push(&c->queue, p, n);
}

/* --- sync and awareness --------------------------------------------------------------- */

struct ydoc_buf *yjs_channel_begin(struct yjs_channel *c)
{
    struct ydoc_buf *b = yjs_socket_scratch(c->s);

    if (c->s->protocol == &hocuspocus_protocol)
        lib0_write_varbytes(b, c->address, c->address_len);
    return b;
}

void yjs_channel_take_sync(struct yjs_channel *c, struct lib0_reader *r)
{
    uint64_t sub = lib0_read_varuint(r);
    struct ydoc_slice body = lib0_read_varbytes(r);
    struct err e = {0};
    int rc;

    if (r->why != NULL || sub > YJS_SYNC_UPDATE) {
        metrics_add(METRIC_PROTOCOL_ERRORS, 1);
        c->s->protocol->on_failed(c, SK_EBADMSG,
                                  r->why != NULL ? r->why : "an unknown sync message");
        return;
    }
    if (sub == YJS_SYNC_STEP1)
        rc = room_sync(&c->m, body.p, body.len, &e);
    else
        rc = room_append(&c->m, sub == YJS_SYNC_STEP2 ? APPEND_SYNC : APPEND_EDIT, body.p, body.len,
                         &e);
    if (rc == 0 || c->is_dead || !room_has_joined(&c->m))
        return; /* not in the room any more: the room has said why */
    metrics_add(METRIC_PROTOCOL_ERRORS, 1);
    log_peer("yjs.refused", "peer=%s room=%.*s why=%s", ws_peer(c->s->ws), (int)c->room_len,
             c->address, e.msg);
    c->s->protocol->on_failed(c, rc, e.msg);
}

static void take_awareness(struct yjs_channel *c, struct lib0_reader *r)
{
    struct ydoc_slice body = lib0_read_varbytes(r);
    struct err e = {0};
    int rc;

    if (r->why != NULL)
        rc = err_set(&e, SK_EBADMSG, "awareness: %s", r->why);
    else
        rc = room_present(&c->m, body.p, body.len, &e);
    if (rc == 0)
        return;
    metrics_add(METRIC_PROTOCOL_ERRORS, 1);
    c->s->protocol->on_failed(c, rc, e.msg);
}

static void take_message(struct yjs_channel *c, const uint8_t *p, size_t n)
{
    struct lib0_reader r;
    uint64_t type;

    lib0_reader_init(&r, p, n);
    type = lib0_read_varuint(&r);
    if (r.why != NULL)
        c->s->protocol->on_failed(c, SK_EBADMSG, r.why);
    else if (type == YJS_SYNC)
        yjs_channel_take_sync(c, &r);
    else if (type == YJS_AWARENESS)
        take_awareness(c, &r);
    else if (type == YJS_QUERY_AWARENESS)
        yjs_channel_send_presence(c);
    else
        c->s->protocol->on_other(c, type, &r);
}

void yjs_channel_take(struct yjs_channel *c, const uint8_t *p, size_t n)
{
    bool was_busy = enter(c);

    if (room_has_joined(&c->m))
        take_message(c, p, n);
    else
        wait_for_join(c, p, n);
    leave(c, was_busy);
}

void yjs_channel_send_presence(struct yjs_channel *c)
{
    struct rbuf *frame = room_read_presence(&c->m);

    if (frame == NULL)
        return;
    c->s->has_sent = true;
    ws_send_frame_take(c->s->ws, frame);
}

static void send_sync(struct yjs_channel *c, unsigned sub, const uint8_t *p, size_t n)
{
    struct ydoc_buf *b = yjs_channel_begin(c);

    lib0_write_varuint(b, YJS_SYNC);
    lib0_write_varuint(b, sub);
    lib0_write_varbytes(b, p, n);
    yjs_socket_send(c->s, b);
}

/* Both at once: what the server has for the client, and the question what the
 * client has for the server. The answer to the question is what a Hocuspocus
 * provider waits for to be acknowledged. */
static void on_sync(struct member *m, const uint8_t *sv, size_t sv_len, const uint8_t *update,
                    size_t len)
{
    struct yjs_channel *c = channel_of(m);

    send_sync(c, YJS_SYNC_STEP1, sv, sv_len);
    send_sync(c, YJS_SYNC_STEP2, update, len);
}

/* --- what the room says ------------------------------------------------------------------ */

static void on_wake(struct member *m)
{
    ws_want_write(channel_of(m)->s->ws);
}

static void on_ack(struct member *m, unsigned n, bool applied)
{
    struct yjs_channel *c = channel_of(m);

    c->s->protocol->on_ack(c, n, applied);
}

static void on_closed(struct member *m, int rc, const char *why)
{
    struct yjs_channel *c = channel_of(m);

    c->s->n_unjoined++; /* it has left the room, and is a channel that has not joined */
    c->s->protocol->on_failed(c, rc, why);
}

static void on_health(struct member *m, bool degraded, const char *why)
{
    struct yjs_channel *c = channel_of(m);

    c->s->protocol->on_health(c, degraded, why);
}

static const struct member_ops channel_ops = {
    .on_joined = on_joined,
    .on_wake = on_wake,
    .on_sync = on_sync,
    .on_ack = on_ack,
    .on_closed = on_closed,
    .on_health = on_health,
};
