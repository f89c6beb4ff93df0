#ifndef SKEIN_NET_CONN_H
#define SKEIN_NET_CONN_H

/* conn - one accepted socket. Internal to net/.
 *
 * The protocols above it (http_conn.c, ws.c) get bytes and queue bytes; this
 * module owns the descriptor, its place in the loop, TLS, what was read and not
 * used yet, the way out, and the end.
 *
 *     accepted -> [PROXY header] -> HTTP <-> request being answered -> WebSocket
 *                                     \________________________________/
 *                                        -> LINGER (ours is shut) -> CLOSED
 *
 * Reading goes into the worker's buffer: an idle connection owns no receive
 * memory. What the protocol above cannot take now (a pending answer, a pause, a
 * move) waits in `in`. Nothing is written before the end of the turn.
 *
 * Errors of the socket are found in reading and flushing only, which the loop
 * calls. So nothing is freed below a caller that queues bytes or closes.
 *
 * Thread: the loop of `wk`. A move hands the whole object to another loop.
 */
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include <openssl/types.h>

#include "net/conn_out.h"
#include "net/loop.h"
#include "net/worker.h"
#include "net/ws.h"
#include "net/ws_codec.h"

/* A peer that queues this much does not get to send more until it has read. */
#define CONN_OUT_SOFT_MAX (1u << 20)
#define CONN_OUT_HARD_MAX (16u << 20)
#define CONN_OUT_MARK (256u << 10) /* ws_can_take() */
#define CONN_OUT_MARK_SLOTS 64u
#define CONN_IN_HELD_MAX (64u << 10) /* unread bytes kept while an answer is pending */
#define CONN_LINGER_MS 2000u
#define CONN_CLOSE_MS 2000u
#define CONN_SLOW_MS 30000u /* without progress in writing */

enum conn_state {
    CONN_PROXY,
    CONN_HTTP,
    CONN_WS,
    CONN_LINGER,
    CONN_CLOSED,
};

struct ws {
    const struct ws_ops *ops;
    void *user;
    uint64_t id;
    struct ws_parser parser;
    struct loop *move_to;
    uint32_t heard_ms; /* the loop's time, cut to 32 bits */
    uint16_t close_code;
    uint8_t deflate_bits; /* 0: no compression */
    bool is_open : 1;     /* on_closed() is to come */
    bool close_sent : 1;
    bool wants_write : 1;
    bool was_refused : 1; /* the gateway has more than the queue took */
    bool is_paused : 1;
    bool is_moving : 1;
};

struct conn {
    uv_poll_t poll;
    struct worker *wk;
    struct conn *next, **pprev; /* all of the worker's */
    struct conn *pending_next;
    union {
        struct loop_timer timer;
        struct { /* between two loops, when no timer can run */
            struct loop_message message;
            struct loop *to;
        } move;
    } u;
    struct conn_out out;
    uint8_t *in;
    uint32_t in_len, in_cap;
    SSL *tls;
    union {
        char text[16];
        char *dup; /* when has_long_peer */
    } peer;
    int fd;
    uint8_t state;
    uint8_t poll_events;
    bool is_pending : 1;
    bool is_handle_closed : 1;
    bool is_blocked : 1; /* the socket took less than there was */
    bool is_ending : 1;  /* shut when the queue is empty */
    bool has_eof : 1;    /* the peer has shut its side */
    bool has_long_peer : 1;
    bool is_retry_read : 1;    /* TLS must write before it can read on */
    bool is_progress_seen : 1; /* bytes have left since the timer looked */
    bool is_http_idle : 1;     /* between two requests */
    uint32_t http_scanned;     /* of an unfinished head in `in` */
    struct http_exchange *exchange;
    struct ws ws;
};

/* Takes the descriptor, also when it fails. */
void conn__accept(struct worker *wk, int fd, const char *peer, bool is_trusted);
static inline struct mem_account *conn__account(const struct conn *c)
{
    return &c->wk->server->account;
}
static inline struct conn *conn__of_ws(const struct ws *w)
{
    return (struct conn *)((char *)(uintptr_t)w - offsetof(struct conn, ws));
}
const char *conn__peer(const struct conn *c);
void conn__set_peer(struct conn *c, const char *ip);

/* --- queueing ------------------------------------------------------------- */

/* Room for n bytes at the end of the queue, to be written at once by the
 * caller; NULL when it cannot be had, and then the connection ends. */
uint8_t *conn__reserve(struct conn *c, size_t n);
void conn__put(struct conn *c, const void *p, size_t n);
void conn__put_take(struct conn *c, struct rbuf *b);
void conn__put_static(struct conn *c, const uint8_t *p, size_t n);
/* Puts the connection on the list for the turn's end. */
void conn__mark(struct conn *c);

/* --- reading -------------------------------------------------------------- */

/* Sets what the socket is watched for, after anything that it depends on. */
void conn__update_poll(struct conn *c);
bool conn__wants_input(const struct conn *c); /* whether to read the socket */
bool conn__can_feed(const struct conn *c);    /* whether the protocol above would use bytes */
void conn__read(struct conn *c);
/* Gives what is held to the protocol above. */
void conn__feed_held(struct conn *c);
void conn__free_in(struct conn *c);

/* --- the end -------------------------------------------------------------- */

/* Writes what is queued, shuts our side, and waits a little for the peer's end. */
void conn__end_after_flush(struct conn *c);
/* At once. From the loop's own calls only, never below a gateway's call. */
void conn__abort(struct conn *c);
/* The socket is broken. A connection that is about to move moves first, and is
 * found broken there: its gateway has given it to that loop. */
void conn__break_off(struct conn *c);

void conn__start_timer(struct conn *c, uint64_t after_ms);
void conn__stop_timer(struct conn *c);

void conn__flush(struct conn *c); /* worker__flush() calls it */

/* --- what the protocols provide ------------------------------------------- */

/* Uses a part of p[0, n), which is writable, and returns how much. Less than n
 * means: keep the rest and call again when there is more, or later. */
size_t http__feed(struct conn *c, uint8_t *p, size_t n);
size_t ws__feed(struct conn *c, uint8_t *p, size_t n);
void http__on_timer(struct conn *c);
void ws__on_timer(struct conn *c);
/* The peer has shut its side. */
void http__on_eof(struct conn *c);
bool http__wants_input(const struct conn *c);
void http__start(struct conn *c);
/* The connection is gone: the exchange, if any, is an orphan. */
void http__on_gone(struct conn *c);
void http__drain(struct conn *c);
/* Calls on_closed(), once. */
void ws__end(struct conn *c);
void ws__open(struct conn *c, const struct ws_ops *ops, void *user, unsigned deflate_bits);
bool ws__wants_input(const struct conn *c);
/* Before a flush: lets the gateway queue more. True when it has yet more than that. */
bool ws__fill(struct conn *c);
void ws__arrive(struct conn *c);

/* --- TLS (conn_tls.c) ------------------------------------------------------ */

#define CONN_AGAIN (-1)
#define CONN_BROKEN (-2)

int tls__context_new(SSL_CTX **out, const char *cert, const char *key, struct err *e) SK_MUST_CHECK;
void tls__context_free(SSL_CTX *t);
bool tls__start(struct conn *c);
/* Bytes > 0, 0 at the end, CONN_AGAIN or CONN_BROKEN. */
long tls__read(struct conn *c, uint8_t *p, size_t n);
long tls__write(struct conn *c);             /* the front of the queue */
bool tls__has_pending(const struct conn *c); /* bytes that were read off the socket */
void tls__shut(struct conn *c);
void tls__free(struct conn *c);

#endif
