/* hocuspocus - the protocol of @hocuspocus/provider, versions 2 to 4.
 *
 *     frame   := varstring address, varuint type, payload
 *     address := document [ "\0" session ]
 *
 *     0 sync, 4 sync reply    varuint sub, varbytes
 *     1 awareness             varbytes
 *     2 auth     to us: varuint 0, varstring token [, varstring version]
 *                from us: 1 varstring reason | 2 varstring "read-write" or "readonly"
 *     3 query awareness
 *     5 stateless             varstring
 *     6 broadcast stateless   between servers only
 *     7 close                 from us: varstring reason
 *     8 sync status           from us: varuint 1 durable, 0 not applied
 *     9 ping, 10 pong         one byte, without an address
 *
 * Many documents share a socket, each with its own authentication; the socket
 * stays open when one of them is refused or closed. A document is answered under
 * the address that it was authenticated with.
 *
 * What Hocuspocus itself does otherwise, and why it is done this way here, is in
 * docs/wire/hocuspocus.md: the acknowledgement is for what is durable; awareness
 * that says `null` is passed on; an update that cannot be decoded is refused, not
 * acknowledged; a document may be opened again right after it was closed.
 */
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "gate/gate_priv.h"
#include "gate/yjs_socket.h"

enum {
    TYPE_SYNC_REPLY = 4,
    TYPE_STATELESS = 5,
    TYPE_BROADCAST_STATELESS = 6,
    TYPE_CLOSE = 7,
    TYPE_SYNC_STATUS = 8,
    TYPE_PING = 9,
    TYPE_PONG = 10,
};
enum { AUTH_TOKEN = 0, AUTH_DENIED = 1, AUTH_AUTHENTICATED = 2 };

#define TOKEN_BYTES_MAX 8192
#define SESSION_BYTES_MAX 64
#define HEALTH_BYTES_MAX 4096

/* --- frames out ------------------------------------------------------------------- */

static struct rbuf *encode_for(struct mem_account *a, enum record_kind kind, const char *address,
                               size_t address_len, const uint8_t *body, size_t len)
{
    uint8_t before[LIB0_VARUINT_BYTES_MAX], after[2 + LIB0_VARUINT_BYTES_MAX], *p = after;
    struct iovec parts[4];

    if (kind == RECORD_UPDATE) {
        *p++ = YJS_SYNC;
        *p++ = YJS_SYNC_UPDATE;
    } else {
        *p++ = kind == RECORD_PRESENCE ? YJS_AWARENESS : TYPE_STATELESS;
    }
    p = lib0_put_varuint(p, len);
    parts[0].iov_base = before;
    parts[0].iov_len = (size_t)(lib0_put_varuint(before, address_len) - before);
    parts[1] = (struct iovec){(void *)(uintptr_t)address, address_len};
    parts[2] = (struct iovec){after, (size_t)(p - after)};
    parts[3] = (struct iovec){(void *)(uintptr_t)body, len};
    return ws_frame_new(a, WS_BINARY, parts, 4);
}

static struct rbuf *encode(const struct room_encoding *self, struct mem_account *a,
                           enum record_kind kind, const char *room, size_t room_len,
                           const uint8_t *body, size_t len)
{
    (void)self;
    return encode_for(a, kind, room, room_len, body, len);
}

/* For an address with a session in it, which no other member has. */
static struct rbuf *encode_own(const struct room_encoding *self, struct mem_account *a,
                               enum record_kind kind, const char *room, size_t room_len,
                               const uint8_t *body, size_t len)
{
    const struct yjs_channel *c =
        (const void *)((const char *)self - offsetof(struct yjs_channel, own));

    (void)room;
    (void)room_len;
    return encode_for(a, kind, c->address, c->address_len, body, len);
}

static const struct room_encoding encoding = {YJS_SLOT_HOCUSPOCUS, encode};

static void send_status(struct yjs_channel *c, bool applied)
{
    struct ydoc_buf *b = yjs_channel_begin(c);

    lib0_write_varuint(b, TYPE_SYNC_STATUS);
    lib0_write_varuint(b, applied);
    yjs_socket_send(c->s, b);
}

static void send_string(struct yjs_socket *s, const char *address, size_t len, int type, int sub,
                        const char *text)
{
    struct ydoc_buf *b = yjs_socket_scratch(s);

    lib0_write_varbytes(b, address, len);
    lib0_write_varuint(b, (uint64_t)type);
    if (sub >= 0)
        lib0_write_varuint(b, (uint64_t)sub);
    lib0_write_varbytes(b, text, strlen(text));
    yjs_socket_send(s, b);
}

static void send_denied(struct yjs_socket *s, const char *address, size_t len, const char *why)
{
    send_string(s, address, len, YJS_AUTH, AUTH_DENIED, why);
}

static void send_close(struct yjs_channel *c, const char *why)
{
    send_string(c->s, c->address, c->address_len, TYPE_CLOSE, -1, why);
}

/* --- authentication --------------------------------------------------------------- */

static const char *scope(const struct yjs_channel *c)
{
    return c->m.access == MEMBER_WRITE ? "read-write" : "readonly";
}

static void deny(struct yjs_channel *c, const char *why)
{
    log_peer("hocuspocus.denied", "peer=%s room=%.*s why=%s", ws_peer(c->s->ws), (int)c->room_len,
             c->address, why);
    send_denied(c->s, c->address, c->address_len, why);
    yjs_channel_free(c);
}

static void take_auth(struct yjs_channel *c, struct lib0_reader *r)
{
    struct yjs_socket *s = c->s;
    uint64_t sub = lib0_read_varuint(r);
    struct ydoc_slice token = lib0_read_varstring(r, NULL);
    bool is_refresh = c->is_joining || c->m.joined;
    struct err e;

    s->has_authenticated = true;
    if (r->why != NULL || sub != AUTH_TOKEN || token.len > TOKEN_BYTES_MAX) {
        metrics_add(METRIC_PROTOCOL_ERRORS, 1);
        yjs_socket_close(s, YJS_CLOSE_MALFORMED, "Reset Connection: malformed auth message");
        return;
    }
    if (token.len == 0 && s->token != NULL)
        token = (struct ydoc_slice){(const uint8_t *)s->token, strlen(s->token)};
    if (yjs_channel_join(c, (const char *)token.p, token.len, &e) == 0)
        return; /* c may be gone */
    if (!is_refresh) {
        deny(c, e.msg);
        return;
    }
    send_close(c, e.msg);
    yjs_channel_free(c);
}

static void on_joined(struct yjs_channel *c, int rc, const char *why)
{
    if (rc != 0) {
        deny(c, why);
        return;
    }
    send_string(c->s, c->address, c->address_len, YJS_AUTH, AUTH_AUTHENTICATED, scope(c));
    yjs_channel_send_presence(c);
    yjs_channel_drain(c);
}

/* A provider of version 2 that has no token sends no auth message at all. With a
 * server that lets strangers in, its first message opens the document. c may be
 * gone afterwards. */
static void open_without_auth(struct yjs_channel *c)
{
    struct err e;

    if (!c->s->has_authenticated && gate__is_open(c->s->gate))
        (void)!yjs_channel_join(c, "", 0, &e);
}

/* --- frames in --------------------------------------------------------------------- */

static struct yjs_channel *open_channel(struct yjs_socket *s, const char *address, size_t len,
                                        size_t room_len)
{
    struct yjs_channel *c;
    struct err e;

    if (room_check_name(address, room_len, &e) != 0 || len - room_len > SESSION_BYTES_MAX) {
        send_denied(s, address, len, room_len < len ? "a session id that is too long" : e.msg);
        return NULL;
    }
    c = yjs_channel_new(s, address, len, room_len);
    if (c == NULL) {
        yjs_socket_close(s, YJS_CLOSE_TOO_BIG,
                         "Reset Connection: too many documents on one socket");
        return NULL;
    }
    if (room_len < len) {
        c->own = (struct room_encoding){ROOM_UNSHARED, encode_own};
        c->m.encoding = &c->own;
    }
    return c;
}

/* Frames for `doc\0session` also reach a document that was opened as `doc`. */
static struct yjs_channel *find_channel(struct yjs_socket *s, const char *address, size_t len,
                                        size_t room_len)
{
    struct yjs_channel *c = yjs_channel_find(s, address, len);

    return c != NULL || room_len == len ? c : yjs_channel_find(s, address, room_len);
}

static void take_message(struct yjs_channel *c, const uint8_t *p, size_t n)
{
    struct lib0_reader r;
    uint64_t type;
    bool is_new;

    lib0_reader_init(&r, p, n);
    type = lib0_read_varuint(&r);
    if (r.why != NULL) {
        metrics_add(METRIC_PROTOCOL_ERRORS, 1);
        yjs_socket_close(c->s, YJS_CLOSE_MALFORMED, "Reset Connection: a message without a type");
        return;
    }
    if (type == YJS_AUTH) {
        take_auth(c, &r);
        return;
    }
    if (type == TYPE_CLOSE && !c->m.joined) {
        yjs_channel_free(c); /* closed before it was opened: nothing to answer to */
        return;
    }
    is_new = !c->m.joined && !c->is_joining;
    yjs_channel_take(c, p, n);
    if (is_new) /* then it was queued, and c is still there */
        open_without_auth(c);
}

static void on_frame(struct yjs_socket *s, uint8_t *p, size_t n)
{
    struct lib0_reader r;
    struct ydoc_slice address;
    struct yjs_channel *c;
    const char *name, *zero;
    size_t room_len;

    if (n == 1 && (p[0] == TYPE_PING || p[0] == TYPE_PONG))
        return; /* answers to a ping of somebody's; ours are WebSocket pings */
    lib0_reader_init(&r, p, n);
    address = lib0_read_varstring(&r, NULL);
    if (r.why != NULL) {
        metrics_add(METRIC_PROTOCOL_ERRORS, 1);
        yjs_socket_close(s, YJS_CLOSE_UNAUTHORIZED, "Unauthorized: a frame without an address");
        return;
    }
    name = (const char *)address.p;
    zero = address.len > 0 ? memchr(name, 0, address.len) : NULL;
    room_len = zero != NULL ? (size_t)(zero - name) : address.len;
    c = find_channel(s, name, address.len, room_len);
    if (c == NULL && yjs_socket_move_to_room(s, name, room_len, p, n))
        return;
    if (c == NULL)
        c = open_channel(s, name, address.len, room_len);
    if (c != NULL)
        take_message(c, r.p, lib0_left(&r));
}

/* --- what a joined document is sent -------------------------------------------------- */

static void on_ack(struct yjs_channel *c, unsigned n, bool applied)
{
    while (n-- > 0)
        send_status(c, applied);
}

static void on_failed(struct yjs_channel *c, int rc, const char *why)
{
    /* A provider does not open a document again by itself. Where it should, the
     * whole connection is closed, and it comes back. */
    if (rc == SK_EAGAIN || rc == SK_EIO || rc == SK_ENOSPC || rc == SK_EROFS) {
        yjs_socket_close(c->s, YJS_CLOSE_UNAVAILABLE, why);
        return;
    }
    send_close(c, why);
    yjs_channel_free(c);
}

static void on_health(struct yjs_channel *c, bool degraded, const char *why)
{
    struct buf text;

    buf_init(&text, mem_process(), HEALTH_BYTES_MAX);
    if (degraded) {
        buf_put_str(&text, "{\"skein\":\"degraded\",\"reason\":");
        buf_put_json(&text, why);
        buf_put_str(&text, "}");
    } else {
        buf_put_str(&text, "{\"skein\":\"recovered\"}");
    }
    send_string(c->s, c->address, c->address_len, TYPE_STATELESS, -1, buf_str(&text));
    buf_fini(&text);
}

static void take_stateless(struct yjs_channel *c, struct lib0_reader *r)
{
    struct ydoc_slice text = lib0_read_varstring(r, NULL);
    struct err e = {0};

    if (r->why != NULL) {
        on_failed(c, SK_EBADMSG, r->why);
        return;
    }
    if (!gate__options(c->s->gate)->stateless_broadcast || c->m.access != MEMBER_WRITE)
        return; /* without a policy nobody hears it, as in Hocuspocus without a hook */
    metrics_add(METRIC_STATELESS, 1);
    if (room_post(&c->m, text.p, text.len, &e) != 0)
        on_failed(c, SK_ETOOBIG, e.msg);
}

static void on_other(struct yjs_channel *c, uint64_t type, struct lib0_reader *r)
{
    switch (type) {
    case TYPE_SYNC_REPLY:
        yjs_channel_take_sync(c, r);
        break;
    case TYPE_STATELESS:
        take_stateless(c, r);
        break;
    case TYPE_BROADCAST_STATELESS:
        on_failed(c, SK_EDENIED, "Reset Connection: this message is for servers");
        break;
    case TYPE_CLOSE:
        send_close(c, "provider_initiated");
        yjs_channel_free(c);
        break;
    default:
        log_peer("hocuspocus.unknown", "peer=%s type=%llu", ws_peer(c->s->ws),
                 (unsigned long long)type);
    }
}

const struct yjs_protocol hocuspocus_protocol = {
    .encoding = &encoding,
    .on_frame = on_frame,
    .on_joined = on_joined,
    .on_ack = on_ack,
    .on_failed = on_failed,
    .on_health = on_health,
    .on_other = on_other,
};
