/* ws_deflate - see ws_deflate.h for the contract.
 *
 * A message's payload is a sequence of DEFLATE blocks (RFC 1951) that ends with
 * an empty stored block whose last four bytes, 00 00 ff ff, are left out
 * (RFC 7692, 7.2). Whoever inflates puts them back. A payload is valid if and
 * only if the decoder then stands between two blocks; a final block (BFINAL)
 * may come, after it the next one begins with an empty window (7.2.3.4).
 *
 * The output buffer is never larger than the limit and one byte, so a bomb costs
 * what the largest allowed message costs and no more.
 */
#include "net/ws_deflate.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>

#include "net/utf8.h"

#define OUT_BYTES_MIN 4096
#define OUT_BYTES_KEPT (256u << 10) /* a larger result buffer is given back */
#define MEM_LEVEL 8
/* deflateReset() clears the hash table, 64 KB at level 8: for a short message that
 * is most of the work. So those have streams of their own, with 8 KB to clear. */
#define SHORT_BYTES_MAX 4096
#define SHORT_WINDOW_BITS 12
#define SHORT_MEM_LEVEL 5

struct out {
    uint8_t *p;
    size_t len, cap;
};

struct ws_inflater {
    struct mem_account *account;
    z_stream stream;
    struct out out;
};

struct ws_deflater {
    struct mem_account *account;
    int level;
    /* By window bits, made when first asked for; [1] is for short messages. */
    bool is_ready[2][WS_WINDOW_BITS_MAX + 1];
    z_stream streams[2][WS_WINDOW_BITS_MAX + 1];
    struct out out;
};

/* --- memory ---------------------------------------------------------------- */

/* zlib does not say how large the block is that it gives back, so its size
 * stands in front of it. */
#define BLOCK_HEADER 16

static void *zlib_alloc(void *account, unsigned items, unsigned size)
{
    size_t n = (size_t)items * size + BLOCK_HEADER;
    uint8_t *p = mem_alloc(account, n);

    if (p == NULL)
        return NULL;
    memcpy(p, &n, sizeof(n));
    return p + BLOCK_HEADER;
}

static void zlib_free(void *account, void *block)
{
    uint8_t *p = (uint8_t *)block - BLOCK_HEADER;
    size_t n;

    memcpy(&n, p, sizeof(n));
    mem_free(account, p, n);
}

static void stream_prepare(z_stream *s, struct mem_account *a)
{
    memset(s, 0, sizeof(*s));
    s->zalloc = zlib_alloc;
    s->zfree = zlib_free;
    s->opaque = a;
}

static void out_free(struct out *o, struct mem_account *a)
{
    mem_free(a, o->p, o->cap);
    *o = (struct out){NULL, 0, 0};
}

static void out_reset(struct out *o, struct mem_account *a)
{
    if (o->cap > OUT_BYTES_KEPT)
        out_free(o, a);
    o->len = 0;
}

static bool out_grow(struct out *o, struct mem_account *a, size_t cap)
{
    uint8_t *p;

    if (cap <= o->cap)
        return true;
    p = mem_resize(a, o->p, o->cap, cap);
    if (p == NULL)
        return false;
    o->p = p;
    o->cap = cap;
    return true;
}

/* --- inflating ------------------------------------------------------------- */

struct ws_inflater *ws_inflater_new(struct mem_account *a)
{
    struct ws_inflater *z = mem_alloc_zero(a, sizeof(*z));

    if (z == NULL)
        return NULL;
    z->account = a;
    stream_prepare(&z->stream, a);
    if (inflateInit2(&z->stream, -WS_WINDOW_BITS_MAX) != Z_OK) {
        mem_free(a, z, sizeof(*z));
        return NULL;
    }
    return z;
}

void ws_inflater_free(struct ws_inflater *z)
{
    if (z == NULL)
        return;
    inflateEnd(&z->stream);
    out_free(&z->out, z->account);
    mem_free(z->account, z, sizeof(*z));
}

/* Makes room to write, up to one byte over the limit. False when there is none. */
static bool inflate_room(struct ws_inflater *z, size_t len_max)
{
    struct out *o = &z->out;
    size_t cap = o->cap < OUT_BYTES_MIN / 2 ? OUT_BYTES_MIN : o->cap * 2;

    if (o->len < o->cap)
        return true;
    if (o->len > len_max)
        return false;
    return out_grow(o, z->account, cap > len_max + 1 ? len_max + 1 : cap);
}

/* Inflates all of p[0, len). *ended tells that a final block ended exactly there. */
static int inflate_piece(struct ws_inflater *z, const uint8_t *p, size_t len, size_t len_max,
                         bool *ended)
{
    z_stream *s = &z->stream;
    int rc;

    s->next_in = (uint8_t *)(uintptr_t)p; /* zlib reads only, but does not say so */
    s->avail_in = (unsigned)len;
    for (;;) {
        size_t room;

        if (!inflate_room(z, len_max))
            return SK_ETOOBIG;
        room = z->out.cap - z->out.len;
        s->next_out = z->out.p + z->out.len;
        s->avail_out = (unsigned)room;
        rc = inflate(s, Z_SYNC_FLUSH);
        z->out.len += room - s->avail_out;
        if (z->out.len > len_max)
            return SK_ETOOBIG;
        *ended = rc == Z_STREAM_END;
        if (rc == Z_STREAM_END && s->avail_in > 0) {
            inflateReset(s);
            continue;
        }
        if (rc == Z_STREAM_END)
            return 0;
        if (rc == Z_MEM_ERROR)
            return SK_ETOOBIG;
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return SK_EBADMSG;
        if (s->avail_in == 0 && s->avail_out > 0)
            return 0;
    }
}

#define BETWEEN_BLOCKS 128 /* in z_stream.data_type after inflate() */

int ws_inflate(struct ws_inflater *z, const uint8_t *p, size_t len, size_t len_max,
               struct ws_bytes *out)
{
    static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};
    bool ended;
    int rc;

    assert(len <= INT32_MAX && len_max < INT32_MAX);
    *out = (struct ws_bytes){NULL, 0};
    out_reset(&z->out, z->account);
    inflateReset(&z->stream);
    if (len == 0)
        return SK_EBADMSG; /* the shortest payload, of no text, is 00 */
    rc = inflate_piece(z, p, len, len_max, &ended);
    if (rc == 0 && !ended) {
        rc = inflate_piece(z, tail, sizeof(tail), len_max, &ended);
        if (rc == 0 && (z->stream.data_type & BETWEEN_BLOCKS) == 0)
            rc = SK_EBADMSG;
    }
    if (rc == 0)
        *out = (struct ws_bytes){z->out.p, z->out.len};
    return rc;
}

static void set_error(struct ws_event *ev, uint16_t code, const char *words)
{
    *ev = (struct ws_event){.type = WS_EVENT_ERROR, .close_code = code, .words = words};
}

void ws_inflate_event(struct ws_inflater *z, size_t len_max, struct ws_event *ev)
{
    struct ws_bytes plain;
    int rc;

    assert(ev->type == WS_EVENT_MESSAGE && ev->is_compressed);
    if (z == NULL) {
        set_error(ev, WS_CLOSE_TRY_LATER, "there is no memory for this message");
        return;
    }
    rc = ws_inflate(z, ev->p, ev->len, len_max, &plain);
    if (rc == SK_ETOOBIG) {
        set_error(ev, WS_CLOSE_TOO_BIG, "a message inflates to more than the limit");
    } else if (rc != 0) {
        set_error(ev, WS_CLOSE_BAD_UTF8, "a message's compressed data is corrupt");
    } else if (ev->opcode == WS_OP_TEXT && !utf8_is_valid(plain.p, plain.len)) {
        set_error(ev, WS_CLOSE_BAD_UTF8, "a text message is not UTF-8");
    } else {
        ev->p = plain.p;
        ev->len = plain.len;
        ev->is_compressed = false;
    }
}

/* --- deflating ------------------------------------------------------------- */

struct ws_deflater *ws_deflater_new(struct mem_account *a, int level)
{
    struct ws_deflater *z = mem_alloc_zero(a, sizeof(*z));

    assert(level >= 1 && level <= 9);
    if (z == NULL)
        return NULL;
    z->account = a;
    z->level = level;
    return z;
}

void ws_deflater_free(struct ws_deflater *z)
{
    if (z == NULL)
        return;
    for (unsigned bits = 0; bits <= WS_WINDOW_BITS_MAX; bits++) {
        for (int i = 0; i < 2; i++) {
            if (z->is_ready[i][bits])
                deflateEnd(&z->streams[i][bits]);
        }
    }
    out_free(&z->out, z->account);
    mem_free(z->account, z, sizeof(*z));
}

/* A fresh stream for a message of that length, with that window or a smaller
 * one, or NULL. */
static z_stream *deflate_begin(struct ws_deflater *z, unsigned bits, size_t len)
{
    bool is_short = len <= SHORT_BYTES_MAX;
    z_stream *s;

    if (is_short && bits > SHORT_WINDOW_BITS)
        bits = SHORT_WINDOW_BITS;
    s = &z->streams[is_short][bits];
    if (z->is_ready[is_short][bits]) {
        deflateReset(s);
        return s;
    }
    stream_prepare(s, z->account);
    if (deflateInit2(s, z->level, Z_DEFLATED, -(int)bits, is_short ? SHORT_MEM_LEVEL : MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    z->is_ready[is_short][bits] = true;
    return s;
}

int ws_deflate(struct ws_deflater *z, unsigned window_bits, const void *p, size_t len,
               struct ws_bytes *out)
{
    z_stream *s;
    int rc;

    assert(window_bits >= WS_WINDOW_BITS_MIN && window_bits <= WS_WINDOW_BITS_MAX);
    assert(len <= INT32_MAX);
    *out = (struct ws_bytes){NULL, 0};
    out_reset(&z->out, z->account);
    s = deflate_begin(z, window_bits, len);
    /* The bound is for Z_FINISH; the empty block of a flush is at most 6 bytes more. */
    if (s == NULL || !out_grow(&z->out, z->account, deflateBound(s, len) + 16))
        return SK_ETOOBIG;
    s->next_in = (uint8_t *)(uintptr_t)p;
    s->avail_in = (unsigned)len;
    s->next_out = z->out.p;
    s->avail_out = (unsigned)z->out.cap;
    rc = deflate(s, Z_SYNC_FLUSH);
    assert(rc == Z_OK && s->avail_in == 0 && s->avail_out > 0);
    z->out.len = z->out.cap - s->avail_out;
    assert(z->out.len >= 5 && memcmp(z->out.p + z->out.len - 4, "\0\0\xff\xff", 4) == 0);
    z->out.len -= 4;
    *out = (struct ws_bytes){z->out.p, z->out.len};
    return 0;
}

bool ws_deflate_fits(unsigned window_bits, size_t len)
{
    return len <= (size_t)1 << window_bits;
}
