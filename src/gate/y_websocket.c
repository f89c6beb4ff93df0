/* y_websocket - the protocol of the npm package y-websocket, versions 1 to 3.
 *
 *     frame := varuint type, payload
 *     0 sync           varuint sub (0 step 1, 1 step 2, 2 update), varbytes
 *     1 awareness      varbytes
 *     2 auth           server to client: varuint 0, varstring reason
 *     3 query awareness
 *
 * The room is in the URL: its path, or ?room= at /api/ws. The protocol knows no
 * acknowledgement, and no login but ?token=. A refusal is an auth message with
 * the reason, for the console, and then a close code of 44xx, at which version 3.1
 * stops trying; older versions try again for ever, which is theirs to mend.
 *
 * Where y-websocket's own server differs: it takes the path as it stands, with its
 * percent signs; it drops malformed messages silently; it never acknowledges that
 * a client may only read. docs/wire/y-websocket.md says what is done here and why.
 */
#include <string.h>

#include "gate/yjs_socket.h"

static struct rbuf *encode(const struct room_encoding *self, struct mem_account *a,
                           enum record_kind kind, const char *room, size_t room_len,
                           const uint8_t *body, size_t len)
{
    uint8_t head[2 + LIB0_VARUINT_BYTES_MAX], *p = head;
    struct iovec parts[2];

    (void)self;
    (void)room;
    (void)room_len;
    if (kind == RECORD_MESSAGE)
        return NULL; /* the protocol has no such thing */
    if (kind == RECORD_UPDATE)
        *p++ = YJS_SYNC;
    *p++ = kind == RECORD_UPDATE ? YJS_SYNC_UPDATE : YJS_AWARENESS;
    p = lib0_put_varuint(p, len);
    parts[0] = (struct iovec){head, (size_t)(p - head)};
    parts[1] = (struct iovec){(void *)(uintptr_t)body, len};
    return ws_frame_new(a, WS_BINARY, parts, 2);
}

static const struct room_encoding encoding = {YJS_SLOT_Y_WEBSOCKET, encode};

static uint16_t close_code(int rc)
{
    switch (rc) {
    case SK_EDENIED:
        return YJS_CLOSE_FORBIDDEN;
    case SK_EBADMSG:
        return YJS_CLOSE_MALFORMED;
    case SK_ETOOBIG:
        return YJS_CLOSE_TOO_BIG;
    case SK_ECLOSED:
        return YJS_CLOSE_GONE;
    default:
        return YJS_CLOSE_UNAVAILABLE;
    }
}

static void refuse(struct yjs_socket *s, int rc, const char *why)
{
    struct ydoc_buf *b = yjs_socket_scratch(s);

    lib0_write_varuint(b, YJS_AUTH);
    lib0_write_varuint(b, 0);
    lib0_write_varbytes(b, why, strlen(why));
    yjs_socket_send(s, b);
    yjs_socket_close(s, close_code(rc), why);
}

static void open_room(struct yjs_socket *s)
{
    struct yjs_channel *c;
    struct err e;

    if (room_check_name(s->room, s->room_len, &e) != 0) {
        refuse(s, SK_EBADMSG, e.msg);
        return;
    }
    c = yjs_channel_new(s, s->room, s->room_len, s->room_len);
    if (yjs_channel_join(c, s->token != NULL ? s->token : "",
                         s->token != NULL ? strlen(s->token) : 0, &e) != 0)
        refuse(s, SK_EDENIED, e.msg);
}

static void on_frame(struct yjs_socket *s, uint8_t *p, size_t n)
{
    if (s->channels == NULL) {
        if (s->room == NULL || s->room_len == 0) {
            yjs_socket_close(s, YJS_CLOSE_NO_ROOM,
                             "no room: connect to /ROOM or to /api/ws?type=yjs&room=ROOM");
            return;
        }
        if (yjs_socket_move_to_room(s, s->room, s->room_len, p, n))
            return;
        open_room(s);
    }
    if (s->channels != NULL && !ws_is_closing(s->ws))
        yjs_channel_take(s->channels, p, n);
}

static void on_joined(struct yjs_channel *c, int rc, const char *why)
{
    if (rc != 0) {
        refuse(c->s, rc, why);
        return;
    }
    yjs_channel_send_presence(c);
    yjs_channel_drain(c);
}

static void on_ack(struct yjs_channel *c, unsigned n, bool applied)
{
    (void)c;
    (void)n;
    (void)applied;
}

static void on_failed(struct yjs_channel *c, int rc, const char *why)
{
    yjs_socket_close(c->s, close_code(rc), why);
}

static void on_health(struct yjs_channel *c, bool degraded, const char *why)
{
    (void)c;
    (void)degraded;
    (void)why;
}

/* Auth messages go the other way, and of others nothing is known: as in
 * y-websocket's server they are passed over. */
static void on_other(struct yjs_channel *c, uint64_t type, struct lib0_reader *r)
{
    (void)c;
    (void)type;
    (void)r;
}

const struct yjs_protocol y_websocket_protocol = {
    .encoding = &encoding,
    .on_frame = on_frame,
    .on_joined = on_joined,
    .on_ack = on_ack,
    .on_failed = on_failed,
    .on_health = on_health,
    .on_other = on_other,
};
