#ifndef YDOC_INTERNAL_H
#define YDOC_INTERNAL_H

/* internal - what the files of ydoc share and nobody else uses: errors, memory,
 * cuts in UTF-8 text, checks of values. No state; any thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <ydoc.h>

#include "ydoc/lib0.h"

#define YDOC__NESTING_MAX 512u

struct ydoc_alloc ydoc__alloc_or_default(const struct ydoc_alloc *alloc);

/* Fills `err` (may be NULL) and returns `code`. */
int ydoc__error(struct ydoc_error *err, int code, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The end of every function that appends: YDOC_ENOMEM and the old length if an
 * append failed. */
int ydoc__buf_finish(struct ydoc_buf *b, size_t len_before, struct ydoc_error *err);

/* `limits` (may be NULL) with defaults in place of zeros. */
struct ydoc_limits ydoc__limits(const struct ydoc_limits *limits);

static inline bool ydoc__same(struct ydoc_slice a, struct ydoc_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline struct ydoc_slice ydoc__slice(const char *word)
{
    struct ydoc_slice s = {(const uint8_t *)word, strlen(word)};

    return s;
}

static inline bool ydoc__is(struct ydoc_slice s, const char *word)
{
    return ydoc__same(s, ydoc__slice(word));
}

static inline void ydoc__write(struct ydoc_buf *out, const char *word)
{
    ydoc_buf_append(out, word, strlen(word));
}

/* How many bytes the character has that begins with this one, in valid UTF-8. */
static inline size_t ydoc__utf8_len(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* The character that begins at `p`, and how many bytes it has. */
static inline uint32_t ydoc__utf8_point(const uint8_t *p, size_t *n)
{
    uint32_t c = p[0];

    *n = ydoc__utf8_len(p[0]);
    if (*n > 1)
        c &= 0x7fu >> *n;
    for (size_t k = 1; k < *n; k++)
        c = c << 6 | (p[k] & 0x3f);
    return c;
}

/* Where `at` UTF-16 units into valid UTF-8 text are. `inside`: between the two
 * halves of a 4-byte sequence that starts at `bytes`. The walk starts from the
 * nearer end, so that cutting a long text n times costs O(n log n) at worst. */
struct ydoc__cut {
    size_t bytes;
    bool inside;
};
struct ydoc__cut ydoc__utf8_cut(const uint8_t *p, size_t len, uint32_t units_all, uint32_t at);

/* Reads past one lib0 `any`, checking everything in it. */
void ydoc__any_skip(struct lib0_reader *r, uint32_t nesting_max);

/* Valid JSON? NULL, or what is wrong and *at, an offset into the text. */
const char *ydoc__json_check(const uint8_t *p, size_t len, uint32_t nesting_max, size_t *at);

/* A new client id: 32 random bits, not 0. */
uint64_t ydoc__random_client(void);

#endif
