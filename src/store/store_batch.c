#include "store/store_batch.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>

static void put_varint(struct buf *b, uint64_t v)
{
    uint8_t *p = buf_reserve(b, 10);
    size_t n = 0;

    if (p == NULL)
        return;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    buf_advance(b, n);
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ ((v & 1) != 0 ? UINT64_MAX : 0));
}

static void put_le(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t checksum(int64_t room, uint64_t first, uint64_t last, const uint8_t *p, size_t len)
{
    uint8_t place[24];
    uLong crc = crc32(0, NULL, 0);

    put_le(place, (uint64_t)room, 8);
    put_le(place + 8, first, 8);
    put_le(place + 16, last, 8);
    crc = crc32_z(crc, place, sizeof(place));
    return (uint32_t)crc32_z(crc, p, len);
}

void store_batch_start(struct batch_writer *w, struct buf *out, uint64_t first)
{
    static const uint8_t header[BATCH_HEADER_BYTES] = {BATCH_FORMAT};

    w->out = out;
    w->start = out->len;
    w->first = w->next = first;
    w->time_ms = 0;
    w->authors.count = 0;
    buf_put(out, header, sizeof(header));
}

static uint32_t find_author(const struct batch_authors *a, const char *p, uint32_t len)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (a->known[i].len == len && (a->known[i].p == p || memcmp(a->known[i].p, p, len) == 0))
            return i + 1;
    return a->count + 1;
}

static void add_author(struct batch_authors *a, const char *p, uint32_t len)
{
    if (a->count == BATCH_AUTHORS_MAX)
        return;
    a->known[a->count].p = p;
    a->known[a->count].len = len;
    a->count++;
}

static void put_author(struct batch_writer *w, const char *p, uint32_t len)
{
    uint32_t number;

    if (len == 0) {
        put_varint(w->out, 0);
        return;
    }
    number = find_author(&w->authors, p, len);
    put_varint(w->out, number);
    if (number <= w->authors.count)
        return;
    put_varint(w->out, len);
    buf_put(w->out, p, len);
    add_author(&w->authors, p, len);
}

void store_batch_add(struct batch_writer *w, const struct store_entry *e)
{
    buf_put_u8(w->out, e->kind);
    /* Unsigned: the difference of any two times is defined, and comes back by the same wrap. */
    put_varint(w->out, zigzag((int64_t)((uint64_t)e->time_ms - (uint64_t)w->time_ms)));
    put_varint(w->out, e->conn);
    put_author(w, e->author, e->author_len);
    put_varint(w->out, e->len);
    if (e->len > 0)
        buf_put(w->out, e->bytes, e->len);
    w->time_ms = e->time_ms;
    w->next++;
}

void store_batch_finish(struct batch_writer *w, int64_t room)
{
    uint8_t *p;
    size_t len;

    assert(w->next > w->first);
    if (buf_err(w->out) != 0)
        return;
    p = w->out->p + w->start;
    len = w->out->len - w->start - BATCH_HEADER_BYTES;
    put_le(p + 1, checksum(room, w->first, w->next - 1, p + BATCH_HEADER_BYTES, len), 4);
}

int store_batch_open(struct batch_reader *r, const uint8_t *p, size_t len, int64_t room,
                     uint64_t first, uint64_t last)
{
    uint32_t crc;

    if (len < BATCH_HEADER_BYTES || p[0] != BATCH_FORMAT || first == 0 || last < first)
        return SK_ECORRUPT;
    crc = (uint32_t)p[1] | (uint32_t)p[2] << 8 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 24;
    if (crc != checksum(room, first, last, p + BATCH_HEADER_BYTES, len - BATCH_HEADER_BYTES))
        return SK_ECORRUPT;
    r->p = p + BATCH_HEADER_BYTES;
    r->end = p + len;
    r->next = first;
    r->last = last;
    r->time_ms = 0;
    r->authors.count = 0;
    return 0;
}

static int get_varint(struct batch_reader *r, uint64_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b;

        if (r->p == r->end)
            return SK_ECORRUPT;
        b = *r->p++;
        if (shift == 63 && b > 1)
            return SK_ECORRUPT;
        *v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0)
            return 0;
    }
    return SK_ECORRUPT;
}

/* A length and as many bytes; they stay where they are. */
static int get_bytes(struct batch_reader *r, const uint8_t **p, uint32_t *len)
{
    uint64_t n;

    if (get_varint(r, &n) != 0 || n > (size_t)(r->end - r->p) || n > UINT32_MAX)
        return SK_ECORRUPT;
    *p = r->p;
    *len = (uint32_t)n;
    r->p += n;
    return 0;
}

static int get_author(struct batch_reader *r, struct store_entry *e)
{
    uint64_t number;
    const uint8_t *p;

    e->author = "";
    e->author_len = 0;
    if (get_varint(r, &number) != 0 || number > r->authors.count + 1)
        return SK_ECORRUPT;
    if (number == 0)
        return 0;
    if (number <= r->authors.count) {
        e->author = r->authors.known[number - 1].p;
        e->author_len = r->authors.known[number - 1].len;
        return 0;
    }
    if (get_bytes(r, &p, &e->author_len) != 0)
        return SK_ECORRUPT;
    e->author = (const char *)p;
    add_author(&r->authors, e->author, e->author_len);
    return 0;
}

int store_batch_next(struct batch_reader *r, struct store_entry *e)
{
    uint64_t delta;

    if (r->next > r->last)
        return r->p == r->end ? 0 : SK_ECORRUPT;
    if (r->p == r->end)
        return SK_ECORRUPT;
    e->kind = *r->p++;
    if (get_varint(r, &delta) != 0 || get_varint(r, &e->conn) != 0 || get_author(r, e) != 0 ||
        get_bytes(r, &e->bytes, &e->len) != 0)
        return SK_ECORRUPT;
    r->time_ms = (int64_t)((uint64_t)r->time_ms + (uint64_t)unzigzag(delta));
    e->time_ms = r->time_ms;
    e->seq = r->next++;
    return 1;
}
