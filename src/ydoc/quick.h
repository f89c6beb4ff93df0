#ifndef YDOC_QUICK_H
#define YDOC_QUICK_H

/* quick - reads the structs that documents are made of without looking at
 * every byte for the input's end.
 *
 * Nearly all structs are texts, deletions and GCs whose ids are of their own
 * client. quick_next() reads one of those when the input goes on for long
 * enough behind it, and gives up on anything else, anything wrong included:
 * wire_next() then reads it again, the careful way, and finds the words for
 * what is wrong. What quick_next() accepts, wire_next() reads the same.
 *
 * The client of an id is compared with the section's as it stands in the
 * bytes, eight of them at once, so that no number is decoded at all.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ydoc/wire.h"

/* One call for a struct, with its state in registers, is half of the point. */
#define QUICK_INLINE static inline __attribute__((always_inline))

/* info, two ids, a length: and eight bytes more than the longest read. */
#define QUICK_HEADER_BYTES 48

QUICK_INLINE uint64_t quick_load(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, 8);
    return w;
}

/* The first n bytes of a word in memory order, n from 1 to 8. */
QUICK_INLINE uint64_t quick_mask(size_t n)
{
    static const uint8_t ones[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    return quick_load(ones + 8 - n);
}

/* Remembers how the section's client is written: n bytes at p, eight readable. */
QUICK_INLINE void quick_note_client(struct wire_section *s, const uint8_t *p, size_t n)
{
    s->client_bytes = (uint8_t)n;
    s->client_mask = quick_mask(n);
    s->client_word = quick_load(p) & s->client_mask;
}

/* A number below 2^28. False: it is larger. */
QUICK_INLINE bool quick_clock(const uint8_t **p, uint32_t *v)
{
    const uint8_t *q = *p;
    uint32_t b = q[0];

    *v = b & 0x7f;
    if (b < 0x80) {
        *p = q + 1;
        return true;
    }
    b = q[1];
    *v |= (b & 0x7f) << 7;
    if (b < 0x80) {
        *p = q + 2;
        return true;
    }
    b = q[2];
    *v |= (b & 0x7f) << 14;
    if (b < 0x80) {
        *p = q + 3;
        return true;
    }
    b = q[3];
    *v |= (b & 0x7f) << 21;
    *p = q + 4;
    return b < 0x80;
}

QUICK_INLINE bool quick_client(const uint8_t **p, const struct wire_section *s, uint64_t *client)
{
    const uint8_t *q = *p;
    uint64_t v = 0;

    if (((quick_load(q) ^ s->client_word) & s->client_mask) == 0) {
        *client = s->client;
        *p = q + s->client_bytes;
        return true;
    }
    for (unsigned shift = 0; shift < 49; shift += 7) {
        uint8_t b = *q++;

        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *client = v;
            *p = q;
            return true;
        }
    }
    return false;
}

/* UTF-16 units of ASCII text, 0 for any other. Eight bytes behind it are readable. */
QUICK_INLINE bool quick_is_ascii(const uint8_t *p, size_t len)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    size_t i;

    for (i = 0; i + 8 <= len; i += 8) {
        if ((quick_load(p + i) & high) != 0)
            return false;
    }
    return i == len || (quick_load(p + i) & quick_mask(len - i) & high) == 0;
}

QUICK_INLINE bool quick_ids(const uint8_t **p, const struct wire_section *s,
                            struct wire_struct *out)
{
    if (out->info & WIRE_HAS_ORIGIN) {
        if (!quick_client(p, s, &out->origin_client) || !quick_clock(p, &out->origin_clock) ||
            (out->origin_client == s->client && out->origin_clock >= s->clock))
            return false;
    }
    if (out->info & WIRE_HAS_RIGHT) {
        if (!quick_client(p, s, &out->right_client) || !quick_clock(p, &out->right_clock) ||
            (out->right_client == s->client && out->right_clock >= s->clock))
            return false;
    }
    return (out->info & (WIRE_HAS_ORIGIN | WIRE_HAS_RIGHT)) != 0;
}

/* Length and body. */
QUICK_INLINE bool quick_content(struct lib0_reader *r, const uint8_t **p, struct wire_struct *out)
{
    uint32_t n;

    if (!quick_clock(p, &n) || n == 0)
        return false;
    out->len = n;
    out->body.p = *p;
    out->body.len = 0;
    if (out->ref != WIRE_STRING)
        return true;
    if ((size_t)(r->end - *p) < (size_t)n + 8)
        return false;
    out->body.len = n;
    if (!quick_is_ascii(*p, n)) {
        int64_t units = lib0_utf16_len(*p, n);

        if (units < 0)
            return false;
        out->len = (uint32_t)units;
    }
    *p += n;
    return true;
}

/* The next range of the client that `d` is at; false: ask wire_deletes_next(). */
QUICK_INLINE bool quick_range(struct wire_deletes *d, struct wire_range *out)
{
    const uint8_t *p = d->r.p;

    if (d->ranges_left == 0 || d->v2 || d->r.end - p < 10 || !quick_clock(&p, &out->clock) ||
        !quick_clock(&p, &out->len) || out->len == 0 || out->len > UINT32_MAX - out->clock)
        return false;
    out->client = d->client;
    d->ranges_left--;
    d->r.p = p;
    return true;
}

/* False: nothing has moved, and wire_next() is to be asked. */
QUICK_INLINE bool quick_next(struct lib0_reader *r, struct wire_section *s, struct wire_struct *out)
{
    const uint8_t *p = r->p;

    if (s->left == 0 || s->client_bytes == 0 || r->end - p < QUICK_HEADER_BYTES)
        return false;
    out->ref = *p & 0x1f;
    out->info = *p++ & 0xe0;
    if (out->ref == WIRE_GC)
        out->info = 0;
    else if ((out->ref != WIRE_STRING && out->ref != WIRE_DELETED) || !quick_ids(&p, s, out))
        return false;
    if (!quick_content(r, &p, out) || out->len > UINT32_MAX - s->clock)
        return false;
    out->start = r->p;
    out->end = p;
    out->client = s->client;
    out->clock = s->clock;
    s->left--;
    s->clock += out->len;
    s->p = r->p = p;
    return true;
}

#endif
