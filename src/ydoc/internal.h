#ifndef YDOC_INTERNAL_H
#define YDOC_INTERNAL_H

/* internal - what the files of ydoc share and nobody else uses: errors, memory,
 * cuts in UTF-8 text, checks of values. No state; any thread. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
