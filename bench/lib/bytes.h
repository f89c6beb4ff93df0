#ifndef SKEIN_BENCH_BYTES_H
#define SKEIN_BENCH_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "measure.h"

/* bytes - lib0's integers and strings, written and read.
 *
 * The generator has its own, so that it cannot share a mistake with the server that it
 * measures. A writer that is full ends the program; a reader that runs out becomes bad and
 * stays it.
 */
struct wr {
    uint8_t *p;
    size_t len, cap;
};

struct rd {
    const uint8_t *p, *end;
    bool bad;
};

static inline void put_bytes(struct wr *w, const void *p, size_t n)
{
    if (n > w->cap - w->len)
        die("message of more than %zu bytes", w->cap);
    memcpy(w->p + w->len, p, n);
    w->len += n;
}

static inline void put_byte(struct wr *w, unsigned b)
{
    uint8_t byte = (uint8_t)b;

    put_bytes(w, &byte, 1);
}

static inline void put_varuint(struct wr *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put_byte(w, (unsigned)(v & 0x7f) | 0x80);
    put_byte(w, (unsigned)v);
}

static inline void put_string(struct wr *w, const char *s)
{
    put_varuint(w, strlen(s));
    put_bytes(w, s, strlen(s));
}

static inline uint64_t get_varuint(struct rd *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 63 && r->p < r->end; shift += 7) {
        uint8_t b = *r->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0)
            return v;
    }
    r->bad = true;
    r->p = r->end;
    return 0;
}

/* A length and that many bytes, as a reader of their own. */
static inline struct rd get_bytes(struct rd *r)
{
    uint64_t n = get_varuint(r);
    struct rd s = {r->p, r->p, r->bad};

    if (n > (uint64_t)(r->end - r->p)) {
        r->bad = s.bad = true;
        return s;
    }
    r->p += n;
    s.end = r->p;
    return s;
}

/* The length of UTF-8 text in UTF-16 units: Yjs' measure. */
static inline uint32_t utf16_len(struct rd s)
{
    uint32_t n = 0;

    for (; s.p < s.end; s.p++)
        n += (*s.p & 0xc0) == 0x80 ? 0 : *s.p >= 0xf0 ? 2 : 1;
    return n;
}

#endif
