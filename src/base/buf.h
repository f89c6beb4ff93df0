#ifndef SKEIN_BASE_BUF_H
#define SKEIN_BASE_BUF_H

/* buf - a growing byte buffer with a maximum and an error that sticks.
 *
 * Put as much as needed, then look at buf_err() once. A buffer that has hit
 * its maximum ignores what follows, so an encoder needs no check a field.
 *
 * Ownership: the caller owns struct buf; the bytes live until the next put,
 * buf_reset() or buf_fini(). Thread: one at a time.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

struct buf {
    uint8_t *p;
    size_t len, cap, max;
    struct mem_account *account;
    int err; /* 0 or SK_ETOOBIG */
};

/* Allocates nothing. max > 0 is the most bytes that it may ever hold. */
void buf_init(struct buf *b, struct mem_account *a, size_t max);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* keeps the memory, clears bytes and error */
int buf_err(const struct buf *b);

/* Room for n more bytes; the caller writes them at the result and then calls
 * buf_advance(). NULL (and the error sticks) when that is over the maximum. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_advance(struct buf *b, size_t n);

void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_str(struct buf *b, const char *s); /* without the zero */
/* A JSON string with its quotes; s is UTF-8. */
void buf_put_json(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends a zero byte that is not counted; "" when the error is set. */
const char *buf_str(struct buf *b);

#endif
