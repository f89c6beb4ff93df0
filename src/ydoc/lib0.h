#ifndef YDOC_LIB0_H
#define YDOC_LIB0_H

/* lib0 - the primitives of lib0's encoding that Yjs and y-protocols are made of.
 *
 * Reading goes through a cursor whose error sticks: after the first failure
 * every read returns 0 or an empty slice, `why` says what was wrong and
 * `fail_at` where, so a decoder checks once at the end of a step. A length is
 * compared with what is left before it is used and never added to a pointer.
 *
 * Writing appends to a ydoc_buf, whose `failed` sticks in the same way, or to
 * memory that the caller has sized with lib0_varuint_len().
 *
 * Formats (lib0 0.2.120):
 *   varuint    7 bits a byte, least significant group first, top bit = more
 *   varint     first byte: bit 7 more, bit 6 sign, 6 bits; then as varuint
 *   varbytes   varuint length, bytes
 *   varstring  varuint length in bytes, UTF-8
 *
 * JavaScript peers hold integers in doubles, exact up to 2^53 - 1. lib0 checks
 * that only between bytes and may round a larger value; here it is refused,
 * because what we forward must mean the same number to every peer.
 *
 * No state outside the structs: any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <ydoc.h>

#define LIB0_UINT_MAX ((UINT64_C(1) << 53) - 1)
#define LIB0_VARUINT_BYTES_MAX 8 /* of a value up to LIB0_UINT_MAX */

struct lib0_reader {
    const uint8_t *p, *end, *base;
    const char *why; /* NULL while all is well */
    size_t fail_at;  /* offset from base of the first failure */
};

/* Number of UTF-16 code units, or -1 for bytes that are not UTF-8 (overlong
 * forms, surrogates and values above U+10FFFF included, as TextDecoder). */
int64_t lib0_utf16_len(const uint8_t *p, size_t len);

static inline void lib0_reader_init(struct lib0_reader *r, const uint8_t *p, size_t len)
{
    static const uint8_t nothing[1] = {0};

    r->p = len > 0 ? p : nothing;
    r->base = r->p;
    r->end = r->p + len;
    r->why = NULL;
    r->fail_at = 0;
}

static inline size_t lib0_left(const struct lib0_reader *r)
{
    return (size_t)(r->end - r->p);
}

static inline size_t lib0_offset(const struct lib0_reader *r)
{
    return (size_t)(r->p - r->base);
}

/* `at` is where the thing that is wrong begins. */
static inline void lib0_fail_at(struct lib0_reader *r, const uint8_t *at, const char *why)
{
    if (r->why == NULL) {
        r->why = why;
        r->fail_at = (size_t)(at - r->base);
    }
    r->p = r->end;
}

static inline void lib0_fail(struct lib0_reader *r, const char *why)
{
    lib0_fail_at(r, r->p, why);
}

static inline uint8_t lib0_read_u8(struct lib0_reader *r)
{
    if (r->p == r->end) {
        lib0_fail(r, "unexpected end");
        return 0;
    }
    return *r->p++;
}

static inline uint64_t lib0_read_varuint_slow(struct lib0_reader *r)
{
    const uint8_t *at = r->p;
    uint64_t v = 0;

    for (unsigned shift = 0; shift <= 49; shift += 7) {
        uint8_t b;

        if (r->p == r->end) {
            lib0_fail(r, "unexpected end");
            return 0;
        }
        b = *r->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (v > LIB0_UINT_MAX)
            break;
        if ((b & 0x80) == 0)
            return v;
    }
    /* lib0 takes non-minimal forms, so eight groups may be followed by zeros;
     * no producer writes them, and the bound keeps a run of 0x80 finite. */
    lib0_fail_at(r, at, "number above 2^53-1");
    return 0;
}

static inline uint64_t lib0_read_varuint(struct lib0_reader *r)
{
    if (r->p != r->end && *r->p < 0x80)
        return *r->p++;
    return lib0_read_varuint_slow(r);
}

/* `*negative_zero` (may be NULL) tells 0x40 from 0x00. |value| <= 2^53-1. */
static inline int64_t lib0_read_varint(struct lib0_reader *r, bool *negative_zero)
{
    const uint8_t *at = r->p;
    uint8_t b = lib0_read_u8(r);
    bool negative = (b & 0x40) != 0;
    uint64_t v = b & 0x3f;

    for (unsigned shift = 6; (b & 0x80) != 0; shift += 7) {
        b = lib0_read_u8(r);
        if (r->why != NULL)
            return 0;
        if (shift > 48 || (v |= (uint64_t)(b & 0x7f) << shift) > LIB0_UINT_MAX) {
            lib0_fail_at(r, at, "number above 2^53-1");
            return 0;
        }
    }
    if (negative_zero != NULL)
        *negative_zero = negative && v == 0;
    return negative ? -(int64_t)v : (int64_t)v;
}

/* The slice points into the input. */
static inline struct ydoc_slice lib0_read_raw(struct lib0_reader *r, size_t len)
{
    struct ydoc_slice s = {r->p, 0};

    if (len > lib0_left(r)) {
        lib0_fail(r, "unexpected end");
        return s;
    }
    s.len = len;
    r->p += len;
    return s;
}

static inline struct ydoc_slice lib0_read_varbytes(struct lib0_reader *r)
{
    const uint8_t *at = r->p;
    uint64_t len = lib0_read_varuint(r);

    if (len > lib0_left(r)) {
        struct ydoc_slice none = {at, 0};

        lib0_fail_at(r, at, "length runs past the end");
        return none;
    }
    return lib0_read_raw(r, (size_t)len);
}

/* Like varbytes, and the bytes must be UTF-8. `*utf16_len` may be NULL. */
static inline struct ydoc_slice lib0_read_varstring(struct lib0_reader *r, uint64_t *utf16_len)
{
    struct ydoc_slice s = lib0_read_varbytes(r);
    int64_t units = s.len == 1 && *s.p < 0x80 ? 1 : lib0_utf16_len(s.p, s.len);

    if (units < 0) {
        lib0_fail_at(r, s.p, "string is not UTF-8");
        s.len = 0;
        units = 0;
    }
    if (utf16_len != NULL)
        *utf16_len = (uint64_t)units;
    return s;
}

static inline size_t lib0_varuint_len(uint64_t v)
{
    size_t n = 1;

    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

/* Writes at `p`, which has room, and returns the end. */
static inline uint8_t *lib0_put_varuint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *lib0_put_varbytes(uint8_t *p, const void *bytes, size_t len)
{
    p = lib0_put_varuint(p, len);
    if (len > 0)
        memcpy(p, bytes, len);
    return p + len;
}

static inline void lib0_write_u8(struct ydoc_buf *b, uint8_t v)
{
    if (b->len < b->cap || ydoc_buf_reserve(b, 1))
        b->p[b->len++] = v;
}

static inline void lib0_write_varuint(struct ydoc_buf *b, uint64_t v)
{
    if (b->cap - b->len >= 10 || ydoc_buf_reserve(b, 10))
        b->len = (size_t)(lib0_put_varuint(b->p + b->len, v) - b->p);
}

static inline void lib0_write_varint(struct ydoc_buf *b, int64_t v, bool negative_zero)
{
    uint64_t m = v < 0 ? (uint64_t)-v : (uint64_t)v;

    lib0_write_u8(
        b, (uint8_t)((m > 0x3f ? 0x80 : 0) | (v < 0 || negative_zero ? 0x40 : 0) | (m & 0x3f)));
    m >>= 6;
    if (m > 0)
        lib0_write_varuint(b, m);
}

static inline void lib0_write_raw(struct ydoc_buf *b, const void *p, size_t len)
{
    ydoc_buf_append(b, p, len);
}

/* Also writes a varstring: the caller vouches for UTF-8. */
static inline void lib0_write_varbytes(struct ydoc_buf *b, const void *p, size_t len)
{
    lib0_write_varuint(b, len);
    ydoc_buf_append(b, p, len);
}

/* Turns the reader's failure into an error code and words; 0 if there is none. */
int lib0_error(const struct lib0_reader *r, struct ydoc_error *err);

#endif
