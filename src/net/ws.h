#ifndef SKEIN_NET_WS_H
#define SKEIN_NET_WS_H

/* ws - a server-side WebSocket connection (RFC 6455), as gateways see it.
 *
 * Reading: whole messages arrive in on_message(); pings are answered here, and
 * dead peers are found by pings of our own. Everything the RFC forbids closes
 * the connection with the code it names before the gateway hears of it.
 *
 * Writing: a frame is encoded once (ws_frame_new) and the same bytes go to any
 * number of connections. Replies are queued with ws_send_frame_take(). What
 * fans out is not queued: ws_want_write() asks for on_writable() at the end of
 * the turn, and the gateway then hands over only as many shared frames as the
 * socket takes (ws_can_take). A slow reader therefore costs a cursor.
 *
 * Ownership: the connection owns struct ws; after on_closed() it is gone. The
 * gateway keeps its own state in ws_get_user() and frees it in on_closed().
 * Threads: the loop that the connection is on; ws_move() changes that loop.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/rbuf.h"
#include "net/loop.h"
#include "net/ws_close.h" /* enum ws_close_code */

struct ws;

enum ws_kind {
    WS_TEXT = 1,
    WS_BINARY = 2,
};

struct ws_ops {
    /* One whole message. The bytes are the callee's to change and are gone when
     * it returns. After ws_close() or ws_move() no more messages come. */
    void (*on_message)(struct ws *w, enum ws_kind kind, uint8_t *p, size_t n);
    /* The socket takes more: queue frames while ws_can_take(). Called at the end
     * of a turn after ws_want_write(), and again each time the queue drains
     * while frames were refused. May be NULL. */
    void (*on_writable)(struct ws *w);
    /* The connection has arrived on the loop that ws_move() named. */
    void (*on_moved)(struct ws *w);
    /* Once, last; whatever the reason. `code` is the close code that was received
     * or sent, or WS_CLOSE_ABNORMAL. */
    void (*on_closed)(struct ws *w, uint16_t code);
};

void ws_set_user(struct ws *w, const struct ws_ops *ops, void *user);
void *ws_get_user(const struct ws *w);
struct loop *ws_loop(const struct ws *w);
uint64_t ws_id(const struct ws *w);      /* unique in the process */
const char *ws_peer(const struct ws *w); /* "192.0.2.1", after trusted forwarding headers */
bool ws_is_closing(const struct ws *w);

/* The largest message that is taken from now on: small before the peer has said
 * who it is. It starts as, and is never more than, what the server's options say. */
void ws_set_message_max(struct ws *w, size_t bytes);

/* A frame for sharing: FIN, unmasked, of `kind`, with the concatenated parts.
 * NULL when the account is at its limit. */
struct rbuf *ws_frame_new(struct mem_account *a, enum ws_kind kind, const struct iovec *parts,
                          size_t n);

/* Queues a frame for the end of the turn; consumes the reference. When the peer
 * does not read and the queue passes its limit, the connection closes with
 * 1013: a message is delivered or the connection ends, never dropped. */
void ws_send_frame_take(struct ws *w, struct rbuf *frame);
/* Encodes and queues one message of this connection only. */
void ws_send(struct ws *w, enum ws_kind kind, const void *p, size_t n);

void ws_want_write(struct ws *w);
bool ws_can_take(const struct ws *w); /* the queue is below its mark */

/* Starts the closing handshake after what is queued. reason may be NULL, and is
 * cut to what fits. The on_closed() call comes later, from the loop. */
void ws_close(struct ws *w, uint16_t code, const char *reason);

/* Moves the connection to another loop, with unread bytes and queued frames.
 * Nothing of it may be touched until on_moved() runs there, not even closed.
 * on_moved() always comes; when the connection broke meanwhile, on_closed()
 * follows it. Moving to the loop that it is on is allowed. */
void ws_move(struct ws *w, struct loop *to);

/* Pauses reading, for back-pressure by the gateway. */
void ws_pause_reading(struct ws *w, bool paused);

#endif
