#ifndef SKEIN_NET_CONN_OUT_H
#define SKEIN_NET_CONN_OUT_H

/* conn_out - what a connection has yet to write, in order.
 *
 * A slot is one 64-bit word: a shared buffer, constant memory, or a piece of
 * the turn's arena. Small replies are formed in the arena, one behind the
 * other, so that the replies to pipelined messages are one contiguous piece
 * and leave in one send. The arena is empty again at the end of the turn: what
 * a socket did not take of it moves to a buffer of its own (conn_out_settle).
 *
 * An idle connection owns nothing beyond the struct: a few slots are inside,
 * more are allocated while they are needed.
 *
 * Thread: the connection's loop.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "base/rbuf.h"

#define CONN_OUT_FEW 3
#define CONN_OUT_SLOTS_MAX (1u << 20)

/* One a worker: bytes that live until the end of the turn. */
struct arena {
    uint8_t *bytes;
    uint32_t used, cap;
};

struct conn_out {
    union {
        uint64_t few[CONN_OUT_FEW];
        uint64_t *slots; /* when cap > CONN_OUT_FEW: a ring of cap slots, a power of two */
    } u;
    uint32_t first, n, cap;
    uint32_t sent; /* bytes of the first slot that have left */
    size_t bytes;  /* not sent yet, over all slots */
};

void conn_out_init(struct conn_out *o);
/* Drops what is queued. */
void conn_out_fini(struct conn_out *o, struct mem_account *a);
/* Drops what is queued except a piece that has left in part: what follows on
 * the wire must not begin in the middle of a frame. */
void conn_out_drop_unsent(struct conn_out *o, struct mem_account *a);

/* Queues a shared buffer; consumes the reference, also when it returns false
 * (too many slots). */
bool conn_out_put_take(struct conn_out *o, struct mem_account *a, struct rbuf *b);
/* Queues memory that is never freed or changed. n <= UINT32_MAX. */
bool conn_out_put_static(struct conn_out *o, struct mem_account *a, const uint8_t *p, size_t n);
/* Queues n bytes of the arena, which the caller writes at the result. NULL when
 * the arena is full or the queue too long: use a buffer then. */
uint8_t *conn_out_put_arena(struct conn_out *o, struct mem_account *a, struct arena *r, size_t n);

/* The front of the queue, at most max pieces; returns how many. */
int conn_out_get_iov(const struct conn_out *o, const struct arena *r, struct iovec *iov, int max);
/* n bytes of the front have left. */
void conn_out_consume(struct conn_out *o, struct mem_account *a, size_t n);
/* Copies what lies in the arena to buffers. False when the account is at its limit. */
bool conn_out_settle(struct conn_out *o, const struct arena *r, struct mem_account *a);

/* What the queue costs in memory, roughly: for limits. */
static inline size_t conn_out_cost(const struct conn_out *o)
{
    return o->bytes + (size_t)o->n * 64;
}

#endif
