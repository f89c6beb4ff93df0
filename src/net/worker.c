#include "net/worker.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "net/conn.h"
#include "net/loop_internal.h"

#define DEFLATE_LEVEL 1

int worker__init(struct worker *w, struct http_server *s, struct loop *l)
{
    struct mem_account *a = loop_account(l);

    w->server = s;
    w->loop = l;
    w->listen_fd = w->spare_fd = -1;
    w->pending_end = &w->pending;
    w->date_s = -1;
    w->rx = mem_alloc(a, WORKER_RX_BYTES + WORKER_RX_PADDING);
    w->arena.bytes = mem_alloc(a, WORKER_ARENA_BYTES);
    w->arena.cap = WORKER_ARENA_BYTES;
    loop__set_worker(l, w, worker__flush);
    return w->rx != NULL && w->arena.bytes != NULL ? 0 : SK_ENOMEM;
}

void worker__fini(struct worker *w)
{
    struct mem_account *a;

    if (w->loop == NULL)
        return;
    a = loop_account(w->loop);
    assert(w->conns == NULL);
    worker__drop_twins(w);
    ws_inflater_free(w->inflater);
    ws_deflater_free(w->deflater);
    mem_free(a, w->rx, WORKER_RX_BYTES + WORKER_RX_PADDING);
    mem_free(a, w->arena.bytes, WORKER_ARENA_BYTES);
    loop__set_worker(w->loop, NULL, NULL);
}

const char *worker__date(struct worker *w)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != w->date_s) {
        w->date_s = now.tv_sec;
        http_date_format(w->date, w->date_s);
    }
    return w->date;
}

/* --- compression, one for all connections --------------------------------- */

struct ws_deflater *worker__deflater(struct worker *w)
{
    if (w->deflater == NULL)
        w->deflater = ws_deflater_new(loop_account(w->loop), DEFLATE_LEVEL);
    return w->deflater;
}

struct ws_inflater *worker__inflater(struct worker *w)
{
    if (w->inflater == NULL)
        w->inflater = ws_inflater_new(loop_account(w->loop));
    return w->inflater;
}

void worker__drop_twins(struct worker *w)
{
    if (!w->has_twins)
        return;
    for (unsigned i = 0; i < WORKER_TWINS; i++) {
        rbuf_unref(w->twins[i].plain);
        rbuf_unref(w->twins[i].packed);
        w->twins[i] = (struct worker_twin){0};
    }
    w->has_twins = false;
}

static size_t frame_head_len(const struct rbuf *frame)
{
    switch (frame->bytes[1] & 0x7f) {
    case 126:
        return 4;
    case 127:
        return 10;
    default:
        return 2;
    }
}

/* The compressed frame, or the same one when that is not shorter. */
static struct rbuf *pack(struct worker *w, struct rbuf *frame, unsigned window_bits)
{
    struct ws_deflater *z = worker__deflater(w);
    size_t head_len = frame_head_len(frame), len = frame->len - head_len;
    uint8_t head[WS_HEADER_BYTES_MAX];
    struct ws_bytes out;
    struct rbuf *packed;

    if (z == NULL || ws_deflate(z, window_bits, frame->bytes + head_len, len, &out) != 0 ||
        out.len >= len)
        return rbuf_ref(frame);
    head_len = ws_frame_header(head, (enum ws_opcode)(frame->bytes[0] & 0x0f),
                               WS_FLAG_FIN | WS_FLAG_RSV1, out.len);
    packed = rbuf_new(&w->server->account, head_len + out.len);
    if (packed == NULL)
        return rbuf_ref(frame);
    memcpy(packed->bytes, head, head_len);
    memcpy(packed->bytes + head_len, out.p, out.len);
    return packed;
}

/* The reference to the plain frame keeps its address from being used for
 * another one, so the address is a safe key. */
struct rbuf *worker__packed_ref(struct worker *w, struct rbuf *frame, unsigned window_bits)
{
    struct worker_twin *t =
        &w->twins[((uintptr_t)frame >> 5) * 2654435761u >> 7 & (WORKER_TWINS - 1)];

    if (ws_deflate_fits(window_bits, frame->len))
        window_bits = WS_WINDOW_BITS_MAX;
    if (t->plain == frame && t->window_bits == window_bits)
        return rbuf_ref(t->packed);
    rbuf_unref(t->plain);
    rbuf_unref(t->packed);
    t->plain = rbuf_ref(frame);
    t->packed = pack(w, frame, window_bits);
    t->window_bits = window_bits;
    w->has_twins = true;
    return rbuf_ref(t->packed);
}
